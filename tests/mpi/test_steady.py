"""Steady states: run serially and under mpirun on 1, 2 and 3 ranks."""

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb

pytest.importorskip("petsc4py", reason="petsc4py not installed")

from manybody.numerics.petsc import linear  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:the redfield steady state is no state")


def models():
    rng = np.random.default_rng(3)
    cube = mb.anderson3d(2, 0.0).dense_hamiltonian()
    single = mb.SingleParticleModel
    two_parts = np.zeros((5, 5), dtype=complex)
    two_parts[:2, :2] = oracles.random_hermitian(rng, 2)
    two_parts[2:, 2:] = oracles.random_hermitian(rng, 3)
    return {
        "complex": mb.dirac_syk2(6, seed=1),
        "real": mb.anderson3d(2, 5.0, seed=1),
        "partial": single(oracles.random_hermitian(rng, 7), [1, 4]),
        "bipartite": single(oracles.bipartite_hamiltonian(rng, 6), [0, 3]),
        "ring, one site": single(oracles.ring_hamiltonian(6), [0]),
        "cube": single(cube),
        "cube, one site": single(cube, [5]),
        "no hopping": single(np.diag([1.0, 2.0, 3.5])),
        "two parts": single(two_parts),
        "one level": single(np.eye(4), [0, 2]),
    }


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("name", list(models()))
def test_null_space_and_state_against_dense_algebra(comm, bath, name, lamb_shift):
    """Dimension, undamped modes, residual, and the long-time average of the dynamics."""
    model = models()[name]
    n = model.n_sites
    found = mb.steady_state(model, bath, lamb_shift=lamb_shift, initial_site=1, start=5, comm=comm)
    matrix = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
    values, vectors = np.linalg.eig(matrix)
    still = np.abs(values) < 1e-9
    assert found.null_dimension == np.count_nonzero(still)
    turning = values[(np.abs(values.real) < 1e-9) & ~still].imag
    # e^{λt} of |k⟩⟨k'| has λ = −i(E_k − E_k').
    np.testing.assert_allclose(found.undamped_frequencies, np.sort(-turning), atol=1e-9)
    assert found.residual <= 1e-10
    if comm.rank:
        assert found.state is None and found.components is None
        return
    start = np.zeros(n * n, dtype=complex)
    start[n + 1] = 1.0
    weights = np.linalg.solve(vectors, start)
    average = (vectors[:, still] @ weights[still]).reshape(n, n)
    np.testing.assert_allclose(found.state, average, atol=1e-6)
    assert np.linalg.norm(matrix @ found.state.ravel()) < 2e-10
    assert np.trace(found.state) == pytest.approx(1.0, abs=1e-12)
    for component in found.components:
        assert np.linalg.norm(matrix @ component.ravel()) < 2e-10
        assert np.trace(component) == pytest.approx(1.0, abs=1e-12)
    assert found.smallest_eigenvalue == pytest.approx(np.linalg.eigvalsh(average)[0], abs=1e-6)
    if not lamb_shift:
        assert found.distance_from_gibbs < 1e-6


@pytest.mark.parametrize("name", ["complex", "bipartite", "ring, one site", "two parts"])
def test_davies_relaxes_to_gibbs(comm, bath, name):
    model = models()[name]
    found = mb.steady_state(model, bath, "davies", lamb_shift=True, comm=comm)
    assert found.iterations == 0 and found.residual < 1e-15
    matrix = mb.davies_liouvillian(model, bath, True).toarray()
    values = np.linalg.eigvals(matrix)
    assert found.null_dimension == np.count_nonzero(np.abs(values) < 1e-9)
    if comm.rank == 0:
        assert np.linalg.norm(matrix @ found.state.ravel()) < 1e-13
        assert found.distance_from_gibbs < 1e-12


@pytest.mark.parametrize(
    ("model", "most"),
    [(lambda: mb.dirac_syk2(64, seed=2), 30), (lambda: mb.anderson3d(4, 5.0, seed=2), 30)],
    ids=["syk", "anderson"],
)
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_few_iterations_from_a_random_start(comm, bath, model, most, lamb_shift):
    found = mb.steady_state(model(), bath, lamb_shift=lamb_shift, start=1, comm=comm)
    assert found.iterations <= most and found.residual <= 1e-10
    again = mb.steady_state(model(), bath, lamb_shift=lamb_shift, start=2, comm=comm)
    assert again.distance_from_gibbs == pytest.approx(found.distance_from_gibbs, abs=1e-6)
    if not lamb_shift:
        # Gibbs itself is stationary: nothing is left to do.
        assert mb.steady_state(model(), bath, comm=comm).iterations == 0


def test_shared_and_alone(comm, bath):
    for name in ("complex", "partial", "ring, one site", "no hopping"):
        model = models()[name]
        shared = mb.steady_state(model, bath, lamb_shift=True, comm=comm)
        alone = mb.steady_state(model, bath, lamb_shift=True)
        assert shared.smallest_eigenvalue == pytest.approx(alone.smallest_eigenvalue, abs=1e-7)
        assert shared.distance_from_gibbs == pytest.approx(alone.distance_from_gibbs, abs=1e-7)
        if comm.rank == 0:
            np.testing.assert_allclose(shared.state, alone.state, atol=1e-7)


def test_what_is_no_state_is_said(comm, bath, recwarn):
    model = mb.anderson3d(3, 20.0, seed=1)
    found = mb.steady_state(model, mb.OhmicBath(0.6, 10.0, 5.0), lamb_shift=True, comm=comm)
    assert found.smallest_eigenvalue < -1e-3


def test_no_convergence_is_a_sentence(comm, bath, monkeypatch):
    monkeypatch.setattr("manybody.solve.steady.MAX_ITERATIONS", 2)
    with pytest.raises(RuntimeError, match=r"GMRES reached .* instead of 1e-10 J in 2 iterations"):
        mb.steady_state(mb.dirac_syk2(8, seed=1), bath, lamb_shift=True, start=1, comm=comm)


def test_bad_input_is_refused(comm, bath):
    model = mb.dirac_syk2(4, seed=1)
    for wrong, words in (
        ({"equation": "local"}, "equation = 'local'"),
        ({"initial_site": 4}, "initial_site = 4"),
        ({"tolerance": 0.0}, "tolerance = 0"),
    ):
        with pytest.raises(ValueError, match=words):
            mb.steady_state(model, bath, comm=comm, **wrong)


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_the_assembled_route_agrees(comm, bath, lamb_shift):
    for name in ("complex", "partial", "ring, one site", "two parts"):
        model = models()[name]
        arguments = {"lamb_shift": lamb_shift, "initial_site": 1, "start": 3, "comm": comm}
        direct = mb.steady_state(model, bath, method="assembled", **arguments)
        krylov = mb.steady_state(model, bath, **arguments)
        assert direct.residual <= 1e-10
        assert direct.null_dimension == krylov.null_dimension
        assert direct.smallest_eigenvalue == pytest.approx(krylov.smallest_eigenvalue, abs=1e-6)
        if comm.rank == 0:
            np.testing.assert_allclose(direct.state, krylov.state, atol=1e-6)
    with pytest.raises(ValueError, match="101 sites take"):
        mb.steady_state(mb.dirac_syk2(101), bath, method="assembled", comm=comm)


def test_the_assembled_route_without_mumps(comm, bath, monkeypatch):
    """PETSc's own factors are of few digits, and of one process."""
    monkeypatch.setattr(linear, "has_mumps", lambda: False)
    model = mb.dirac_syk2(28, seed=7)
    if comm.size > 1:
        with pytest.raises(RuntimeError, match="several ranks needs MUMPS"):
            mb.steady_state(model, bath, lamb_shift=True, method="assembled", comm=comm)
        return
    direct = mb.steady_state(model, bath, lamb_shift=True, method="assembled")
    krylov = mb.steady_state(model, bath, lamb_shift=True, tolerance=1e-12)
    assert direct.residual <= 1e-10 and direct.iterations < 5
    np.testing.assert_allclose(direct.state, krylov.state, atol=1e-7)


def test_equal_parts_that_never_meet(comm, bath):
    """LAPACK mixes equal levels of decoupled parts; each part has its own steady state."""
    rng = np.random.default_rng(1)
    trimer, ring = oracles.random_hermitian(rng, 3), oracles.ring_hamiltonian(4)
    for block, copies, sites in (
        (trimer, 2, None),
        (trimer, 4, None),
        (ring, 3, None),
        (ring, 3, [0, 1, 5, 9]),
    ):
        n = len(block) * copies
        order = rng.permutation(n)
        matrix = np.kron(np.eye(copies), block)[np.ix_(order, order)]
        model = mb.SingleParticleModel(matrix, sites)
        dense = mb.redfield_liouvillian(model, bath).toarray()
        expected = int((np.linalg.svd(dense, compute_uv=False) < 1e-11).sum())
        for equation in ("redfield", "davies"):
            found = mb.steady_state(model, bath, equation, comm=comm)
            assert found.null_dimension == expected
            if found.state is None:
                continue
            # The average over long times by the projector on what is stationary.
            values, left, right = scipy.linalg.eig(dense, left=True)
            still = np.abs(values) < 1e-9
            rho = np.zeros((n, n), dtype=complex)
            rho[0, 0] = 1.0
            dual = np.linalg.inv(left[:, still].conj().T @ right[:, still])
            exact = right[:, still] @ dual @ (left[:, still].conj().T @ rho.ravel())
            np.testing.assert_allclose(found.state, exact.reshape(n, n), atol=1e-8)


def test_large_energies_and_no_bath(comm, bath):
    matrix = 1e6 * oracles.random_hermitian(np.random.default_rng(2), 6)
    found = mb.steady_state(
        mb.SingleParticleModel(matrix), mb.OhmicBath(0.2, 1e7, 5e-6), lamb_shift=True, comm=comm
    )
    assert found.state_error < 1e-8
    with pytest.raises(ValueError, match="bath: γ = 0 everywhere"):
        mb.steady_state(mb.dirac_syk2(4), mb.OhmicBath(0.0, 10.0, 5.0), comm=comm)


def test_dark_levels_in_the_assembled_route(comm, bath):
    """Rounding of the factors must not leak into dark levels, where no residual sees it."""
    model = mb.SingleParticleModel(oracles.ring_hamiltonian(6), [0])
    found = mb.steady_state(model, bath, start=3, comm=comm, method="assembled")
    assert found.distance_from_gibbs < 1e-9
