"""A_j → cA_j with J_int → J_int/c is the same system, whatever c is."""

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics import reference
from manybody.physics.couplings import DiagonalCouplings, MatrixCouplings
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.problem import Problem

SCALES = (1e-30, 1e-16, 1e-8, 1e3, 1e16, 1e30)
SCALED = pytest.mark.parametrize("scale", SCALES)


def bath_of(scale):
    return mb.OhmicBath(0.2 / scale, 10.0, 5.0)


def equal_gaps(rng):
    """H of levels 0, 1, 2, 3.5 in a random basis: the gap 1 twice."""
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    matrix = (turn * [0.0, 1.0, 2.0, 3.5]) @ turn.T
    return 0.5 * (matrix + matrix.T), turn


@SCALED
@pytest.mark.parametrize("kind", ["diagonals", "densities", "matrices"])
def test_equations_with_lamb_shift_do_not_depend_on_the_unit_of_couplings(rng, scale, kind):
    """Neither ΣA_j² nor what centring adds to H is taken for a number because it is small."""
    hamiltonian = oracles.random_hermitian(rng, 5)
    couplings = {
        "diagonals": rng.normal(size=(2, 5)),
        "densities": np.array([[1.0, 0, 1, 0, 0], [0, 1.0, 1, 0, 0]]),
        "matrices": np.stack([oracles.random_hermitian(rng, 5) for _ in range(2)]),
    }[kind]
    plain = ManyBodyModel(hamiltonian, couplings)
    operators = [one.astype(complex) for one in plain.couplings.matrices()]
    scaled = ManyBodyModel(hamiltonian, scale * couplings)
    given = hamiltonian, operators, bath_of(1.0), True
    for found, expected in (
        (mb.redfield_liouvillian, reference.redfield_liouvillian(*given)),
        (mb.davies_liouvillian, reference.davies_liouvillian(*given, 1e-9)),
    ):
        matrix = found(scaled, bath_of(scale), lamb_shift=True).toarray()
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


@SCALED
def test_equal_gaps_are_found_whatever_the_unit(rng, scale):
    """Coherences with weight below 1e-16 of nothing else are still those of the system."""
    hamiltonian, _ = equal_gaps(rng)
    couplings = np.stack([oracles.random_hermitian(rng, 4, real=True) for _ in range(2)])
    problem = Problem([ManyBodyModel(hamiltonian, scale * couplings)], bath_of(scale))
    assert problem.clustering.verdict == "structural"
    wanted = reference.davies_liouvillian(
        hamiltonian, list(couplings.astype(complex)), bath_of(1.0), False, 1e-9
    )
    found = mb.davies_liouvillian(problem.model, bath_of(scale)).toarray()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@SCALED
def test_rounding_of_large_couplings_has_no_weight(rng, scale):
    """What commutes with H moves nothing between levels, up to rounding of its own size."""
    hamiltonian, turn = equal_gaps(rng)
    kept = (turn * [1.0, -1.0, 2.0, 3.0]) @ turn.T
    problem = Problem([ManyBodyModel(hamiltonian, [scale * 0.5 * (kept + kept.T)])], bath_of(1.0))
    assert isinstance(problem.couplings, MatrixCouplings)
    assert problem.clustering.verdict == "simple"


@pytest.mark.parametrize("offset", [1e3, 1e7])
def test_large_constants_in_matrices_cost_no_digits(rng, offset):
    """A_j + c is A_j without Lamb shift, whatever the basis."""
    hamiltonian = oracles.random_hermitian(rng, 4)
    coupling, start = oracles.random_hermitian(rng, 4), np.eye(4)[1]
    runs = [
        mb.compare(
            ManyBodyModel(hamiltonian, [coupling + each * np.eye(4)]),
            bath_of(1.0),
            [0.0, 1.0, 10.0],
            initial_state=start,
        )
        for each in (0.0, offset)
    ]
    assert max(runs[1].certificate.gibbs_residuals.values()) < 1e-13
    # What the sum itself has lost.
    lost = 30.0 * np.finfo(float).eps * offset
    distances = [run.trace_distance for run in runs]
    np.testing.assert_allclose(*distances, rtol=0, atol=1e-9 + lost)


@pytest.mark.parametrize("offset", [0.3, 5.0])
def test_constants_in_matrices_count_with_lamb_shift(rng, offset):
    """A_j + c adds −i2cη(0)[A_j, ρ], unless the sum of all is a number."""
    hamiltonian, coupling = (oracles.random_hermitian(rng, 3) for _ in range(2))
    coupling -= np.trace(coupling) / 3.0 * np.eye(3)
    shifted = coupling + offset * np.eye(3)
    for couplings in ([shifted], [shifted, offset * np.eye(3) - coupling]):
        model = ManyBodyModel(hamiltonian, couplings)
        operators = [np.array(one, dtype=complex) for one in couplings]
        expected = reference.redfield_liouvillian(hamiltonian, operators, bath_of(1.0), True)
        found = mb.redfield_liouvillian(model, bath_of(1.0), lamb_shift=True).toarray()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
        centred = Problem([model], bath_of(1.0), True).couplings
        assert (centred is model.couplings) == (len(couplings) == 1)


@SCALED
def test_sums_are_numbers_up_to_their_rounding(scale):
    spins = scale * np.array([[1.0, 1, -1, -1], [1, -1, 1, -1]])
    assert DiagonalCouplings(spins).sum_of_squares_is_constant
    assert not DiagonalCouplings(spins * [1.0, 1.0, 1.0, 1.0 + 1e-9]).sum_of_squares_is_constant
    # Particles of conserved number with a bath everywhere are centred, some of them are not.
    densities = scale * np.array([[1.0, 1, 0], [1, 0, 1], [0, 1, 1]])
    whole, some = DiagonalCouplings(densities), DiagonalCouplings(densities[:2])
    assert whole.centred(True) is not whole and some.centred(True) is some
    assert some.centred(False) is not some
