"""Level statistics and observables of many particles, by definition and by one particle."""

import math

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.problem import Problem
from manybody.physics.quantities import spacing
from manybody.physics.quantities.cancellation import cancellation_measures
from manybody.physics.starts import SiteStart
from manybody.solve.observables import registry

OBSERVABLES = ("level_statistics", "cancellation", "locality")


def eth_by_definition(couplings, vectors):
    """Variance of A_kk over mean |A_kl|², k ≠ l, both averaged over A_j, by loops."""
    count = vectors.shape[1]
    variances, squares = [], []
    for coupling in couplings:
        inside = vectors.conj().T @ coupling @ vectors
        levels = [inside[k, k].real for k in range(count)]
        others = [abs(inside[k, m]) ** 2 for k in range(count) for m in range(count) if k != m]
        variances.append(np.var(levels, ddof=1))
        squares.append(np.mean(others))
    return np.mean(variances) / np.mean(squares)


def models():
    rng = np.random.default_rng(4)
    matrix = oracles.random_hermitian(rng, 12)
    real = oracles.random_hermitian(rng, 12, real=True)
    return {
        "diagonal": ManyBodyModel(matrix, rng.normal(size=(3, 12))),
        "diagonal, real": ManyBodyModel(real, rng.choice([0.0, 1.0], size=(4, 12))),
        "matrices": ManyBodyModel(matrix, [oracles.random_hermitian(rng, 12) for _ in range(2)]),
    }


def start():
    return SiteStart(0)


@pytest.mark.parametrize("name", models())
def test_eth_by_definition(name):
    model = models()[name]
    vectors = np.linalg.eigh(model.hamiltonian)[1][:, spacing.bulk_window(12, 0.5)]
    found = mb.level_statistics(model, eth=True)
    expected = eth_by_definition(list(model.couplings.matrices()), vectors)
    assert found.eth == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(found.participation_ratios, np.sum(np.abs(vectors) ** 4, axis=0))
    assert (found.dimension, found.n_sites) == (12, model.couplings.n_baths)
    assert mb.level_statistics(model).eth is None


def test_one_particle_as_a_special_case():
    one = mb.anderson3d(3, 5.0, seed=2)
    many = ManyBodyModel(one.hamiltonian, np.eye(27))
    first, second = (mb.level_statistics(model, eth=True) for model in (one, many))
    np.testing.assert_array_equal(first.energies, second.energies)
    assert (first.mean_ratio, first.participation) == (second.mean_ratio, second.participation)
    assert first.eth == pytest.approx(second.eth, rel=1e-10)
    assert first.n_sites == first.dimension == second.dimension == 27


def test_shifted_couplings_and_numbers(rng):
    """A_j + c fluctuates as A_j does, and a number not at all."""
    matrix, values = oracles.random_hermitian(rng, 10), rng.normal(size=(2, 10))
    plain, shifted = (
        mb.level_statistics(ManyBodyModel(matrix, one), eth=True)
        for one in (values, values + 50.0)
    )
    assert plain.eth == pytest.approx(shifted.eth, rel=1e-9)
    numbers = ManyBodyModel(matrix, np.full((2, 10), 0.3))
    assert math.isnan(mb.level_statistics(numbers, eth=True).eth)
    commuting = ManyBodyModel(np.diag(np.arange(10.0) ** 2), values)
    assert mb.level_statistics(commuting, eth=True).eth == math.inf


def test_random_matrices_have_the_ratio_of_random_matrices():
    """2 for real H, 1 for complex H, whatever the couplings: GOE and GUE of 100 states."""
    rng = np.random.default_rng(8)
    for real, expected in ((True, 2.0), (False, 1.0)):
        found = [
            mb.level_statistics(
                ManyBodyModel(
                    oracles.random_hermitian(rng, 100, real), rng.choice([-0.5, 0.5], (6, 100))
                ),
                eth=True,
            ).eth
            for _ in range(20)
        ]
        error = np.std(found, ddof=1) / math.sqrt(len(found))
        assert abs(np.mean(found) - expected) < 4.0 * error + 0.02 * expected
        assert error < 0.05 * expected


def test_observables_of_many_particles(bath):
    model = models()["diagonal"]
    found = registry.measure(Problem([model], bath), OBSERVABLES, start())
    levels = mb.level_statistics(model, eth=True)
    assert found["spacing_ratio"] == levels.mean_ratio
    # Couplings are centred where a problem is made of them.
    assert found["eth_ratio"] == pytest.approx(levels.eth, rel=1e-10)
    measures = cancellation_measures(model, bath)
    assert found["generator_ratio"] == measures.generator_ratio
    assert found["weighted_ratio"] == measures.weighted_ratio
    assert math.isnan(found["locality_1"]) and math.isnan(found["locality_row"])


def test_observables_of_too_few_states(bath, rng):
    model = ManyBodyModel(oracles.random_hermitian(rng, 2), rng.normal(size=(2, 2)))
    found = registry.measure(Problem([model], bath), OBSERVABLES, start())
    assert math.isnan(found["spacing_ratio"]) and math.isnan(found["eth_ratio"])
    assert found["generator_ratio"] > 0.0
    with pytest.raises(ValueError, match=r"model has 2 state\(s\): a spacing ratio needs three"):
        mb.level_statistics(model)


def test_coinciding_frequencies_have_no_measures(bath, rng):
    model = ManyBodyModel(oracles.ring_hamiltonian(6), rng.normal(size=(2, 6)))
    found = registry.measure(Problem([model], bath), ("cancellation",), start())
    assert all(math.isnan(value) for value in found.values())
