"""Equations of systems with any Hermitian couplings, against the definitions."""

import numpy as np
import pytest
import scipy.linalg

import manybody as mb
from manybody.physics import reference
from manybody.physics.couplings import DiagonalCouplings, MatrixCouplings
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.problem import Problem

BASIS = FockBasis(4, "boson", 2, 1)
BATHS = (mb.OhmicBath(0.2, 10.0, 5.0), mb.OhmicBath(0.7, 2.0, 0.5))
HAMILTONIANS = ("complex", "real", "degenerate", "symmetric")
COUPLINGS = ("densities", "some densities", "diagonals", "matrices", "real matrices", "one zero")


def _hermitian(rng, n, is_real=False):
    matrix = rng.normal(size=(n, n))
    if not is_real:
        matrix = matrix + 1j * rng.normal(size=(n, n))
    return matrix + matrix.conj().T


def _unitary(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def _model(kind, coupled, seed=5):
    rng = np.random.default_rng(seed)
    hamiltonian = _hermitian(rng, 6, kind == "real")
    if kind == "degenerate":
        turn = _unitary(rng, 6)
        hamiltonian = (turn * [0.0, 0.0, 1.0, 1.0, 1.0, 2.5]) @ turn.conj().T
    if kind == "symmetric":
        # Pairs ±E: equal gaps between different levels.
        block = rng.normal(size=(3, 3))
        hamiltonian = np.block([[np.zeros((3, 3)), block], [block.T, np.zeros((3, 3))]])
    densities = BASIS.occupations.T.astype(float)
    couplings = {
        "densities": densities,
        "some densities": densities[:2],
        "diagonals": rng.normal(size=(3, 6)),
        "matrices": [_hermitian(rng, 6) for _ in range(3)],
        "real matrices": [_hermitian(rng, 6, True) for _ in range(2)],
        "one zero": np.stack([densities[1], np.zeros(6)]),
    }[coupled]
    return ManyBodyModel(hamiltonian, couplings, basis=BASIS)


@pytest.fixture(params=HAMILTONIANS)
def kind(request):
    return request.param


@pytest.fixture(params=COUPLINGS)
def coupled(request):
    return request.param


@pytest.fixture(params=(False, True), ids=("no shift", "Lamb shift"))
def lamb_shift(request):
    return request.param


def _reference(model, bath, lamb_shift):
    operators = [one.astype(np.complex128) for one in model.couplings.matrices()]
    dense = model.dense_hamiltonian()
    redfield = reference.redfield_liouvillian(dense, operators, bath, lamb_shift)
    davies = reference.davies_liouvillian(dense, operators, bath, lamb_shift, 1e-9)
    return redfield, davies


@pytest.mark.parametrize("bath", BATHS)
def test_liouvillians_are_those_of_the_definition(kind, coupled, lamb_shift, bath):
    model = _model(kind, coupled)
    redfield, davies = _reference(model, bath, lamb_shift)
    found = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
    np.testing.assert_allclose(found, redfield, rtol=0, atol=1e-12)
    found = mb.davies_liouvillian(model, bath, lamb_shift).toarray()
    np.testing.assert_allclose(found, davies, rtol=0, atol=1e-12)


def test_kernel_and_rows_are_one_map_on_any_matrix(kind, coupled, lamb_shift):
    rng = np.random.default_rng(8)
    model = _model(kind, coupled)
    generator = redfield_of(Problem([model], BATHS[1], lamb_shift))
    sigma = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    kernel, half = generator.kernel(), np.empty((1, 6, 6), complex)
    kernel(sigma[None], half)
    other = np.empty_like(half)
    kernel(np.ascontiguousarray(sigma.conj().T)[None], other)
    found = half[0] + other[0].conj().T
    redfield, _ = _reference(model, BATHS[1], lamb_shift)
    np.testing.assert_allclose(found.ravel(), redfield @ sigma.ravel(), rtol=0, atol=2e-12)


def test_compare_is_the_exponential_of_the_definition(kind, coupled, lamb_shift):
    model, times = _model(kind, coupled), [0.0, 0.7, 3.0]
    weak = mb.OhmicBath(0.05, 3.0, 2.0)
    run = mb.compare(model, weak, times, lamb_shift=lamb_shift, keep_states=True)
    start = np.zeros((6, 6))
    place = int(BASIS.find(np.array([1, 0, 1, 0])))
    start[place, place] = 1.0
    for name, matrix in zip(("redfield", "davies"), _reference(model, weak, lamb_shift)):
        for time, state in zip(times, run.states[name]):
            wanted = (scipy.linalg.expm(matrix * time) @ start.ravel()).reshape(6, 6)
            np.testing.assert_allclose(state, wanted, rtol=0, atol=1e-9)


def test_gibbs_is_stationary_without_lamb_shift(kind, coupled):
    run = mb.compare(_model(kind, coupled), BATHS[0], [0.0, 1.0])
    assert max(run.certificate.gibbs_residuals.values()) < 1e-13


@pytest.mark.parametrize("coupled_to", ["densities", "matrices"])
def test_one_answer_whatever_the_basis(coupled_to):
    """A random unitary change of basis makes general matrices of diagonal couplings."""
    rng = np.random.default_rng(3)
    model = _model("complex", coupled_to)
    turn = _unitary(rng, 6)
    turned = ManyBodyModel(
        turn @ model.dense_hamiltonian() @ turn.conj().T,
        [turn @ one @ turn.conj().T for one in model.couplings.matrices()],
    )
    assert isinstance(turned.couplings, MatrixCouplings)
    vector = rng.normal(size=6) + 1j * rng.normal(size=6)
    vector /= np.linalg.norm(vector)
    own, times = mb.OhmicBath(0.2, 10.0, 5.0), [0.0, 2.0, 9.0]
    plain = mb.compare(model, own, times, initial_state=vector, lamb_shift=True)
    other = mb.compare(turned, own, times, initial_state=turn @ vector, lamb_shift=True)
    np.testing.assert_allclose(other.trace_distance, plain.trace_distance, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind_of_one", ["complex", "real"])
@pytest.mark.parametrize("sites", [None, [0, 2]])
def test_one_particle_is_a_special_case(kind_of_one, sites, lamb_shift):
    rng = np.random.default_rng(4)
    hamiltonian = _hermitian(rng, 5, kind_of_one == "real")
    single = mb.SingleParticleModel(hamiltonian, coupled_sites=sites)
    chosen = np.arange(5) if sites is None else np.array(sites)
    many = ManyBodyModel(hamiltonian, np.eye(5)[chosen], basis=FockBasis(5, "fermion", 1))
    times = [0.0, 1.0, 8.0]
    one = mb.compare(single, BATHS[0], times, 2, lamb_shift, keep_states=True)
    site = [0, 0, 1, 0, 0]
    two = mb.compare(
        many, BATHS[0], times, lamb_shift=lamb_shift, keep_states=True, initial_state=site
    )
    for name in ("redfield", "davies"):
        np.testing.assert_allclose(two.states[name], one.states[name], rtol=0, atol=1e-9)


def test_diagonal_matrices_are_taken_as_diagonals():
    densities = BASIS.occupations.T.astype(float)
    as_matrices = ManyBodyModel(np.eye(6), [np.diag(row) for row in densities])
    assert isinstance(as_matrices.couplings, DiagonalCouplings)
    assert as_matrices.couplings.same(ManyBodyModel(np.eye(6), densities).couplings)


def test_shifted_couplings_change_no_equation(kind, lamb_shift):
    """A_j + c adds a unitary term, which centred couplings leave out only where it is none."""
    model = _model(kind, "diagonals")
    generator = redfield_of(Problem([model], BATHS[0], lamb_shift))
    kept = generator.spectrum.couplings.values
    if lamb_shift:
        np.testing.assert_array_equal(kept, model.couplings.values)
    else:
        middles = kept.max(axis=1) + kept.min(axis=1)
        np.testing.assert_allclose(middles, 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"initial_state": "nothing"}, "initial_state = 'nothing'"),
        ({"initial_state": "eigenstate-6"}, "integer from 0 to 5"),
        ({"initial_state": "0111"}, "no state of this basis"),
        ({"initial_state": np.ones(6)}, "norm"),
        ({"initial_state": np.ones(5)}, r"shape \(5,\)"),
        ({"initial_state": np.eye(6)}, "trace"),
        ({"initial_state": np.diag([1.5, -0.5, 0, 0, 0, 0])}, "eigenvalue -0.5"),
        ({"initial_state": np.triu(np.ones((6, 6))) / 6}, "not Hermitian"),
        ({"initial_state": "neel", "initial_beta": 1.0}, "one start"),
        ({"initial_state": "neel", "initial_site": 2}, "initial_site = 2"),
    ],
)
def test_starts_are_checked(given, words):
    with pytest.raises(ValueError, match=words):
        mb.compare(_model("real", "densities"), BATHS[0], [0.0], **given)


@pytest.mark.parametrize("state", ["eigenstate-2", "vector", "matrix", "thermal", "0110"])
def test_starts_are_what_they_say(state):
    model, rng = _model("complex", "densities"), np.random.default_rng(1)
    vectors = np.linalg.eigh(model.dense_hamiltonian())[1]
    draw = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    mixed = draw @ draw.conj().T / np.trace(draw @ draw.conj().T)
    vector = draw[0] / np.linalg.norm(draw[0])
    basis_state = np.zeros(6)
    basis_state[int(BASIS.find(np.array([0, 1, 1, 0])))] = 1.0
    given, wanted = {
        "eigenstate-2": ({"initial_state": state}, np.outer(vectors[:, 2], vectors[:, 2].conj())),
        "vector": ({"initial_state": vector}, np.outer(vector, vector.conj())),
        "matrix": ({"initial_state": mixed}, mixed),
        "thermal": ({"initial_beta": 0.7}, reference.gibbs_state(model.dense_hamiltonian(), 0.7)),
        "0110": ({"initial_state": state}, np.outer(basis_state, basis_state)),
    }[state]
    run = mb.compare(model, BATHS[0], [0.0, 1.0], keep_states=True, **given)
    redfield, davies = _reference(model, BATHS[0], False)
    for name, matrix in (("redfield", redfield), ("davies", davies)):
        np.testing.assert_allclose(run.states[name][0], wanted, rtol=0, atol=1e-13)
        later = (scipy.linalg.expm(matrix) @ wanted.ravel()).reshape(6, 6)
        np.testing.assert_allclose(run.states[name][1], later, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("couplings", "words"),
    [
        (np.ones((2, 5)), r"\(baths, 6\)"),
        (np.full((1, 6), np.nan), "finite"),
        ([np.triu(np.ones((6, 6)))], r"couplings\[0\] is not Hermitian"),
        ([np.eye(6), np.eye(5)], r"couplings\[1\] has shape \(5, 5\)"),
        (np.ones((2, 6)) * 1j, "real"),
        ([], "at least one"),
        ("densities", "couplings"),
    ],
)
def test_couplings_are_checked(couplings, words):
    with pytest.raises(ValueError, match=words):
        ManyBodyModel(np.eye(6), couplings)


def test_samples_of_a_stack_have_their_own_bits(coupled):
    models = [_model("complex", coupled, seed) for seed in (5, 5, 5)]
    rng = np.random.default_rng(0)
    others = [ManyBodyModel(_hermitian(rng, 6), model.couplings, basis=BASIS) for model in models]
    alone = [mb.compare(model, BATHS[0], [0.0, 2.0]) for model in others]
    together = mb.compare_ensemble(others, BATHS[0], [0.0, 2.0])
    for one, other in zip(alone, together):
        np.testing.assert_array_equal(one.trace_distance, other.trace_distance)
