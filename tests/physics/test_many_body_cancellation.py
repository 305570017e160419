"""Cancellation measures of any couplings against dense superoperators, one for every bath."""

import itertools
import math

import many_body_oracles as slow
import numpy as np
import oracles
import pytest
from dense_cancellation import EVERYTHING, FIGURES, dense_measures
from hypothesis import given, settings
from hypothesis import strategies as st

import manybody as mb
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.problem import Problem
from manybody.physics.quantities.cancellation import cancellation_measures, cancellation_of

OHMIC = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)


def syk4(n_sites, rng, n_particles=None):
    """Complex SYK4 with E|J|² = 4/N³, half filled unless told, couplings n_j."""
    count = n_sites // 2 if n_particles is None else n_particles
    lower = slow.ladder_operators(n_sites)
    densities = np.array([np.diag(one.T @ one) for one in lower])
    numbers = densities.sum(axis=0)
    states, fewer = np.flatnonzero(numbers == count), np.flatnonzero(numbers == count - 2)
    pairs = np.stack(
        [
            (lower[j] @ lower[i])[np.ix_(fewer, states)]
            for i, j in itertools.combinations(range(n_sites), 2)
        ]
    )
    draw = oracles.random_hermitian(rng, len(pairs))
    coupling = draw * math.sqrt(4.0 / n_sites**3 / np.mean(np.abs(draw) ** 2))
    matrix = np.tensordot(pairs, np.tensordot(coupling, pairs, axes=1), axes=([0, 1], [0, 1]))
    return ManyBodyModel(matrix, densities[:, states])


def random_couplings(rng, n_baths, dimension, real=False):
    return [oracles.random_hermitian(rng, dimension, real) for _ in range(n_baths)]


def cases():
    rng = np.random.default_rng(12)
    syk = syk4(4, rng)
    disordered = oracles.random_hermitian(rng, 8, real=True) * 0.1 + np.diag(rng.normal(size=8))
    spins = rng.choice([-0.5, 0.5], size=(4, 8))
    return {
        "SYK4": (syk.hamiltonian, syk.couplings.values),
        "diagonal": (oracles.random_hermitian(rng, 9), rng.normal(size=(3, 9))),
        "diagonal, real": (oracles.random_hermitian(rng, 9, real=True), rng.normal(size=(5, 9))),
        "localised spins": (disordered, spins),
        "one bath": (oracles.random_hermitian(rng, 6), rng.normal(size=(1, 6))),
        "matrices": (oracles.random_hermitian(rng, 7), random_couplings(rng, 3, 7)),
        "matrices, real": (
            oracles.random_hermitian(rng, 7, real=True),
            random_couplings(rng, 2, 7, real=True),
        ),
        "complex matrices, real H": (
            oracles.random_hermitian(rng, 6, real=True),
            random_couplings(rng, 2, 6),
        ),
        "two states": (oracles.random_hermitian(rng, 2), rng.normal(size=(2, 2))),
        "more baths than states": (oracles.random_hermitian(rng, 4), rng.normal(size=(7, 4))),
    }


def matrices_of(couplings):
    return [np.diag(one) if np.ndim(one) == 1 else one for one in couplings]


def assert_same(found, expected, relative=1e-8):
    for name in (*FIGURES, "out_rate"):
        seen, wanted = getattr(found, name), getattr(expected, name)
        assert seen == pytest.approx(wanted, rel=relative, abs=1e-12), name


# ---- against the definition ------------------------------------------------------------------


@pytest.mark.parametrize("name", cases())
def test_in_full(name, bath):
    matrix, couplings = cases()[name]
    found = cancellation_measures(ManyBodyModel(matrix, couplings), bath, **EVERYTHING)
    assert_same(found, dense_measures(matrix, matrices_of(couplings), bath))
    assert all(getattr(found, figure + "_error") == 0.0 for figure in FIGURES)


def test_ten_states(bath, rng):
    """Two particles on five sites; what is not drawn is exact with the fewest draws."""
    model = syk4(5, rng, 2)
    assert model.dimension == 10
    couplings = matrices_of(model.couplings.values)
    expected = dense_measures(model.dense_hamiltonian(), couplings, bath)
    assert_same(cancellation_measures(model, bath, **EVERYTHING), expected)
    few = cancellation_measures(model, bath, n_vectors=2, n_rows=20)
    assert few.generator_ratio == pytest.approx(expected.generator_ratio, rel=1e-10)
    assert few.nonsecular_ratio == pytest.approx(expected.nonsecular_ratio, rel=1e-10)
    assert few.weighted_ratio != pytest.approx(expected.weighted_ratio, rel=1e-10)
    assert few.weighted_ratio_error > 0.0 == few.generator_ratio_error == few.secular_ratio_error


@pytest.mark.parametrize("name", ["SYK4", "diagonal, real", "localised spins", "matrices"])
def test_draws_scatter_about_the_definition_as_told(name, bath):
    """κ², which the draws leave unbiased."""
    matrix, couplings = cases()[name]
    expected = dense_measures(matrix, matrices_of(couplings), bath).weighted_ratio
    problem = Problem([ManyBodyModel(matrix, couplings)], bath)
    draws = [cancellation_of(problem, 2, np.random.default_rng(s), 10) for s in range(200)]
    values = np.array([one.weighted_ratio for one in draws])
    error = np.std(values**2, ddof=1) / math.sqrt(len(values))
    assert error > 0.0 and abs(np.mean(values**2) - expected**2) <= 4.0 * error
    told = 2.0 * values * np.array([one.weighted_ratio_error for one in draws])
    assert math.sqrt(np.mean(told**2) / len(told)) == pytest.approx(error, rel=0.6)


def test_one_particle_as_a_special_case(bath, rng):
    """A_j = |j⟩⟨j| given as diagonals: the same figures by other formulas."""
    for matrix in (oracles.random_hermitian(rng, 24), mb.anderson3d(3, 5.0, seed=1).hamiltonian):
        one = cancellation_measures(mb.SingleParticleModel(matrix), bath, **EVERYTHING)
        many = ManyBodyModel(matrix, np.eye(matrix.shape[0]))
        assert_same(cancellation_measures(many, bath, **EVERYTHING), one, 1e-10)


def test_one_particle_within_errors(bath):
    model = mb.dirac_syk2(40, seed=3)
    one = cancellation_measures(model, bath)
    many = cancellation_measures(ManyBodyModel(model.hamiltonian, np.eye(40)), bath)
    for name in ("generator_ratio", "weighted_ratio", "nonsecular_ratio"):
        error = math.hypot(getattr(one, name + "_error"), getattr(many, name + "_error"))
        assert 0.0 < abs(getattr(one, name) - getattr(many, name)) < 5.0 * error, name
    assert many.secular_ratio == pytest.approx(one.secular_ratio, rel=1e-10)
    assert many.out_rate == pytest.approx(one.out_rate, rel=1e-12)


# ---- invariance ------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 7), baths=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_shifted_couplings(seed, size, baths):
    """A_j → A_j + c_j changes neither generator, nor any figure."""
    rng = np.random.default_rng(seed)
    matrix = oracles.random_hermitian(rng, size)
    values = rng.normal(size=(baths, size))
    arrays = random_couplings(rng, baths, size)
    shifts = 10.0 * rng.normal(size=(baths, 1))
    lifted = [one + c * np.eye(size) for one, c in zip(arrays, shifts[:, 0])]
    for plain, shifted in ((values, values + shifts), (arrays, lifted)):
        first, second = (
            cancellation_measures(ManyBodyModel(matrix, one), OHMIC, **EVERYTHING)
            for one in (plain, shifted)
        )
        assert_same(first, second, 1e-7)


def test_turned_basis(bath, rng):
    """H and all A_j in another basis: diagonal couplings become matrices."""
    matrix, values = cases()["diagonal"]
    turn = np.linalg.qr(rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9)))[0]
    turned = [turn @ np.diag(one) @ turn.conj().T for one in values]
    other = ManyBodyModel(turn @ matrix @ turn.conj().T, turned)
    first = cancellation_measures(ManyBodyModel(matrix, values), bath, **EVERYTHING)
    assert_same(cancellation_measures(other, bath, **EVERYTHING), first)


def test_order_and_repetition_of_baths(bath):
    """c_F knows no order; the same bath twice doubles both generators."""
    matrix, values = cases()["diagonal"]
    first, turned, twice = (
        cancellation_measures(ManyBodyModel(matrix, one), bath, **EVERYTHING)
        for one in (values, values[::-1], np.concatenate([values, values]))
    )
    assert_same(turned, first)
    assert twice.generator_ratio == pytest.approx(first.generator_ratio, rel=1e-10)
    assert twice.secular_ratio == pytest.approx(2.0 * first.secular_ratio, rel=1e-10)
    assert twice.nonsecular_ratio == pytest.approx(2.0 * first.nonsecular_ratio, rel=1e-10)


def test_lamb_shift_has_no_part(bath):
    matrix, values = cases()["diagonal"]
    model = ManyBodyModel(matrix, values + 0.3)
    plain, shifted = (
        cancellation_of(Problem([model], bath, eta), 2, np.random.default_rng(0), 10**6)
        for eta in (False, True)
    )
    assert_same(shifted, plain)


# ---- known numbers and limits ----------------------------------------------------------------


@pytest.mark.parametrize(("n_sites", "c_f"), [(4, 0.64), (6, 0.57), (8, 0.49)])
def test_known_numbers(n_sites, c_f, bath):
    """Twenty samples, docs/physics.md section 10, with the scatter of twenty and two digits."""
    rng = np.random.default_rng([7, n_sites])
    models = [syk4(n_sites, rng) for _ in range(20 if n_sites < 8 else 5)]
    found = [cancellation_measures(model, bath, n_rows=20) for model in models]
    values = np.array([one.generator_ratio for one in found])
    scatter = values.std(ddof=1) * math.sqrt(1.0 / 20.0 + 1.0 / len(values))
    assert abs(values.mean() - c_f) < 3.5 * scatter + 0.005


def test_a_few_hundred_rows_are_good_to_a_per_cent(bath, rng):
    model = syk4(8, rng)
    exact = cancellation_measures(model, bath, n_rows=10**6)
    for seed in range(3):
        found = cancellation_measures(model, bath, n_rows=300, seed=seed)
        assert found.weighted_ratio == pytest.approx(exact.weighted_ratio, rel=0.01)
        assert 0.0 < found.weighted_ratio_error < 0.01 * exact.weighted_ratio
        assert abs(found.weighted_ratio - exact.weighted_ratio) < 5.0 * found.weighted_ratio_error
    assert found.n_sites == 8 and exact.weighted_ratio_error == 0.0


@pytest.mark.parametrize(
    "couplings",
    [
        np.full((2, 5), 0.3),
        [0.3 * np.eye(5), np.full((5, 5), 1e-30)],
        np.zeros((1, 5)),
        [np.zeros((5, 5))],
    ],
    ids=["numbers", "number and next to nothing", "zero", "zero matrix"],
)
def test_couplings_that_are_numbers(couplings, bath, rng):
    """They exchange nothing: rounding must not pass for a generator."""
    model = ManyBodyModel(oracles.random_hermitian(rng, 5), couplings)
    found = cancellation_measures(model, bath)
    if np.ndim(couplings[0]) == 1 or not np.any(couplings[-1]):
        assert found.generator_ratio == found.weighted_ratio == found.out_rate == 0.0
        assert math.isnan(found.nonsecular_ratio) and math.isnan(found.secular_ratio)
    else:
        alone = cancellation_measures(ManyBodyModel(model.hamiltonian, couplings[1:]), bath)
        assert_same(found, alone)


def test_no_jumps(bath, rng):
    """Couplings that commute with H dephase alike in both equations."""
    model = ManyBodyModel(np.diag([0.0, 1.0, 3.0, 7.0]), rng.normal(size=(3, 4)))
    found = cancellation_measures(model, bath)
    assert found.generator_ratio == found.weighted_ratio == found.out_rate == 0.0
    assert math.isnan(found.nonsecular_ratio) and found.secular_ratio > 0.0


def test_coinciding_frequencies_are_refused(bath, rng):
    model = ManyBodyModel(oracles.ring_hamiltonian(6), rng.normal(size=(2, 6)))
    with pytest.raises(ValueError, match=r"coinciding Bohr frequencies within"):
        cancellation_measures(model, bath)
