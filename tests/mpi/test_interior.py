"""Run serially and under mpirun on 1, 2 and 3 ranks: windows inside the spectrum, complete."""

import numpy as np
import oracles
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.quantities import spacing

MPI = pytest.importorskip("mpi4py.MPI", reason="mpi4py not installed")
pytest.importorskip("slepc4py", reason="slepc4py not installed")

from manybody.numerics.petsc import interior  # noqa: E402
from manybody.numerics.petsc.interior import interior_eigenpairs  # noqa: E402


def reason_to_skip():
    """None, or why more than one rank cannot share a window."""
    if MPI.COMM_WORLD.size > 1 and not interior.has_mumps():
        return "PETSc is built without MUMPS"
    return None


pytestmark = pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))


def with_flux(model, seed):
    """The same lattice with a random phase on every bond: complex Hermitian."""
    matrix = sp.csr_array(model.hamiltonian)
    upper = sp.triu(matrix, 1).tocoo()
    phases = np.exp(2j * np.pi * np.random.default_rng(seed).uniform(size=upper.nnz))
    bonds = sp.coo_array((upper.data * phases, (upper.row, upper.col)), shape=matrix.shape)
    return sp.csr_array(bonds + bonds.conj().T + sp.diags(matrix.diagonal()))


def nearest(matrix, target, n_levels):
    energies = np.linalg.eigvalsh(matrix.toarray())
    return np.sort(energies[np.argsort(np.abs(energies - target))[:n_levels]])


def assert_window(matrix, target, n_levels, comm):
    """As NumPy's, orthonormal eigenvectors, the same bits on every rank; returns it."""
    found = interior_eigenpairs(matrix, target, n_levels, comm)
    n = matrix.shape[0]
    scale = abs(matrix).max()
    expected = nearest(matrix, target, n_levels)
    np.testing.assert_allclose(found.energies, expected, rtol=0.0, atol=1e-11 * scale)
    assert len(set(comm.allgather(found.energies.tobytes()))) == 1
    assert len(set(comm.allgather((found.window, found.counted, found.residual)))) == 1
    below, above = found.window
    assert 0.5 * (below + above) == pytest.approx(target, abs=1e-12 * scale)
    every = np.linalg.eigvalsh(matrix.toarray())
    assert found.counted == np.count_nonzero((every > below) & (every < above)) >= n_levels
    assert [part.start for part in comm.allgather(found.rows)][0] == 0
    vectors = np.concatenate(comm.allgather(found.vectors))
    assert vectors.shape == (n, n_levels)
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(n_levels), atol=1e-9)
    residual = np.linalg.norm(matrix @ vectors - vectors * found.energies, axis=0)
    assert residual.max() <= found.residual * 1.01 + 1e-12 * scale
    assert found.residual < 1e-8 * scale
    return found


@pytest.mark.parametrize("flux", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize(
    ("length", "disorder", "target", "n_levels"),
    [
        (5, 5.0, 0.1, 30),
        (6, 20.0, 0.0, 40),
        (5, 5.0, -3.0, 20),
        (5, 1.0, 5.5, 10),
        (4, 8.0, 40.0, 5),
    ],
)
def test_windows_of_lattices(comm, flux, length, disorder, target, n_levels):
    """The middle, the flanks, the edge of the band and a target outside it."""
    for seed in range(2):
        model = mb.anderson3d(length, disorder, seed=[length, seed])
        matrix = with_flux(model, seed) if flux else model.hamiltonian
        assert_window(matrix, target, n_levels, comm)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(("n", "n_levels"), [(2, 1), (7, 3), (8, 4), (40, 20), (90, 7)])
def test_full_matrices_of_any_size(comm, rng, real, n, n_levels):
    """Fewer rows than ranks have, half of all spacing, and a diagonal that is not stored."""
    matrix = oracles.random_hermitian(rng, n, real=real)
    assert_window(sp.csr_array(matrix), 0.013, n_levels, comm)
    np.fill_diagonal(matrix, 0.0)
    hollow = sp.csr_array(matrix)
    assert hollow.nnz == n * (n - 1)
    assert_window(hollow, 0.013, n_levels, comm)


def test_units_do_not_matter(comm):
    matrix = mb.anderson3d(5, 5.0, seed=1).hamiltonian
    assert_window(1e-6 * matrix, 1e-7, 20, comm)
    assert_window(1e6 * matrix, 1e5, 20, comm)


def test_one_process_needs_no_communicator():
    matrix = mb.anderson3d(5, 5.0, seed=1).hamiltonian
    found = interior_eigenpairs(matrix, 0.1, 12)
    np.testing.assert_allclose(found.energies, nearest(matrix, 0.1, 12), atol=1e-12)
    assert found.rows == slice(0, 125)


@pytest.mark.parametrize("victim", [0, 7, 19])
def test_a_level_that_escapes_is_noticed(comm, monkeypatch, victim):
    """Krylov-Schur made to lose one pair: residuals are as small as ever."""
    matrix = mb.anderson3d(5, 5.0, seed=1).hamiltonian
    real = interior._krylov_schur

    def lose(*arguments):
        energies, vectors, residual = real(*arguments)
        kept = np.argsort(np.argsort(np.abs(energies - 0.1))) != victim
        return energies[kept], vectors[:, kept], residual

    monkeypatch.setattr(interior, "_krylov_schur", lose)
    with pytest.raises(RuntimeError, match="levels by inertia, but Krylov-Schur found"):
        interior_eigenpairs(matrix, 0.1, 20, comm)


def test_a_level_found_twice_is_noticed(comm, monkeypatch):
    matrix = mb.anderson3d(5, 5.0, seed=1).hamiltonian
    real = interior._krylov_schur

    def double(*arguments):
        energies, vectors, residual = real(*arguments)
        energies[4], vectors[:, 4] = energies[5], vectors[:, 5]
        return energies, vectors, residual

    monkeypatch.setattr(interior, "_krylov_schur", double)
    with pytest.raises(RuntimeError, match="orthonormal to 1 only"):
        interior_eigenpairs(matrix, 0.1, 20, comm)


def test_a_count_that_rounding_could_spoil_is_refused(comm, monkeypatch):
    matrix = mb.anderson3d(5, 5.0, seed=1).hamiltonian
    monkeypatch.setattr(interior, "_SAFETY", 1e14)
    with pytest.raises(RuntimeError, match="cannot be counted safely: the backward error"):
        interior_eigenpairs(matrix, 0.1, 20, comm)


def test_multiplets_are_refused_or_complete(comm):
    """Without disorder a Krylov space sees one state of a multiplet, but for rounding."""
    matrix = mb.anderson3d(4, 0.0).hamiltonian
    outcomes = set()
    for target in (0.37, 1.3, -2.9):
        try:
            found = interior_eigenpairs(matrix, target, 16, comm)
        except RuntimeError as refused:
            outcomes.add(str(refused))
        else:
            np.testing.assert_allclose(found.energies, nearest(matrix, target, 16), atol=1e-10)
    for words in outcomes:
        assert any(reason in words for reason in ("inertia", "safely", "SLEPc found"))


def test_a_target_that_is_a_level_raises(comm):
    with pytest.raises(RuntimeError, match="target"):
        interior_eigenpairs(mb.anderson3d(4, 0.0).hamiltonian, 0.0, 10, comm)


def test_bad_input_raises_on_every_rank(comm):
    matrix = mb.anderson3d(3, 5.0, seed=1).hamiltonian
    last = comm.rank == comm.size - 1
    for bad, pattern in (
        ((matrix.toarray(), 0.0, 3), "square SciPy CSR array is needed"),
        ((matrix[:5], 0.0, 3), "square SciPy CSR array is needed"),
        ((matrix, 0.0, 0), "n_levels = 0: must be 1 to 13"),
        ((matrix, 0.0, 14), "n_levels = 14: must be 1 to 13"),
        ((matrix, np.nan, 3), "target = nan"),
        ((matrix * np.inf, 0.0, 3), "not finite"),
    ):
        with pytest.raises(ValueError, match=pattern):
            interior_eigenpairs(*(bad if last else (matrix, 0.0, 3)), comm)
    if comm.size > 1:
        for unlike in ((2.0 * matrix, 0.0, 3), (matrix, 0.1, 3), (matrix, 0.0, 4)):
            with pytest.raises(ValueError, match="differ from rank 0's"):
                interior_eigenpairs(*(unlike if last else (matrix, 0.0, 3)), comm)


def test_indices_that_overflow_are_foreseen(comm):
    if np.iinfo(interior.petsc().IntType).max > 2**31:
        pytest.skip("this PETSc has 64-bit indices")
    n = 2**16
    diagonal = sp.identity(n, format="csr")
    with pytest.raises(ValueError, match="65536 rows .* 20000 levels overflow PETSc's int32"):
        interior_eigenpairs(diagonal, 0.0, 20000, comm)


def test_a_build_without_mumps_says_so(comm, monkeypatch):
    matrix = mb.anderson3d(4, 5.0, seed=1).hamiltonian
    monkeypatch.setattr(interior, "has_mumps", lambda: False)
    if comm.size > 1:
        with pytest.raises(RuntimeError, match="built without MUMPS .* one process"):
            interior_eigenpairs(matrix, 0.1, 5, comm)
    alone = interior_eigenpairs(matrix, 0.1, 5)
    np.testing.assert_allclose(alone.energies, nearest(matrix, 0.1, 5), atol=1e-11)
    monkeypatch.setattr(interior, "_LARGEST_OWN", 10)
    with pytest.raises(RuntimeError, match="10 rows, not 1 and 64"):
        interior_eigenpairs(matrix, 0.1, 5)


def test_repeated_calls_leave_nothing_behind(comm):
    """Communicators are few: what is not destroyed is missed soon."""
    matrix = mb.anderson3d(2, 5.0, seed=1).hamiltonian
    first = interior_eigenpairs(matrix, 0.1, 2, comm).energies
    for _ in range(50):
        again = interior_eigenpairs(matrix, 0.1, 2, comm).energies
        np.testing.assert_allclose(again, first, rtol=1e-13)


# ---- the public entry --------------------------------------------------------------------------


@pytest.mark.parametrize("disorder", [5.0, 20.0])
def test_statistics_of_a_window_are_those_of_dense_levels(comm, disorder):
    for seed in range(2):
        model = mb.anderson3d(6, disorder, seed=[6, seed])
        found = mb.level_statistics(model, 60, target=0.2, eth=True, comm=comm)
        energies, vectors = np.linalg.eigh(model.dense_hamiltonian())
        inside = np.sort(np.argsort(np.abs(energies - 0.2))[:60])
        vectors = vectors[:, inside]
        np.testing.assert_allclose(found.energies, energies[inside], atol=1e-11)
        expected = spacing.mean_spacing_ratio(spacing.spacing_ratios(energies[inside]))
        np.testing.assert_allclose((found.mean_ratio, found.ratio_error), expected, rtol=1e-6)
        participation = spacing.participation_ratios(vectors)
        np.testing.assert_allclose(found.participation_ratios, participation, rtol=1e-6)
        assert found.eth == pytest.approx(spacing.eth_indicator(vectors), rel=1e-6)
        assert found.window == (found.energies[0], found.energies[-1])
        assert (found.n_levels, found.n_sites, found.n_degenerate) == (60, 216, 0)
        told = (found.mean_ratio, found.participation, found.eth, found.energies.tobytes())
        assert len(set(comm.allgather(told))) == 1


@pytest.mark.parametrize("kind", ["diagonal", "matrices"])
def test_a_window_of_many_particles(comm, kind):
    """Couplings meet whole vectors, of which each rank has some rows."""
    matrix = mb.anderson3d(5, 5.0, seed=9).hamiltonian
    values = np.random.default_rng(2).choice([-0.5, 0.5], size=(3, 125))
    # Hermitian, and no longer diagonal.
    arrays = [np.diag(one) + np.eye(125, k=1) + np.eye(125, k=-1) for one in values]
    model = ManyBodyModel(matrix, values if kind == "diagonal" else arrays)
    found = mb.level_statistics(model, 30, target=0.2, eth=True, comm=comm)
    energies, vectors = np.linalg.eigh(model.dense_hamiltonian())
    inside = np.sort(np.argsort(np.abs(energies - 0.2))[:30])
    np.testing.assert_allclose(found.energies, energies[inside], atol=1e-11)
    expected = spacing.eth_of(model.couplings, vectors[:, inside])
    assert found.eth == pytest.approx(expected, rel=1e-6)
    assert (found.n_levels, found.n_sites, found.dimension) == (30, 3, 125)
    assert len(set(comm.allgather((found.eth, found.participation)))) == 1


def test_the_default_target_is_the_mean_level(comm):
    model = mb.anderson3d(5, 5.0, seed=4)
    middle = model.dense_hamiltonian().trace() / 125
    found = mb.level_statistics(model, 21, comm=comm)
    np.testing.assert_allclose(found.energies, nearest(model.hamiltonian, middle, 21), atol=1e-11)
    assert found.eth is None


def test_all_levels_on_any_number_of_ranks(comm):
    model = mb.dirac_syk2(30, seed=2)
    shared = mb.level_statistics(model, eth=True, comm=comm)
    alone = mb.level_statistics(model, eth=True)
    assert shared.mean_ratio == pytest.approx(alone.mean_ratio, rel=1e-12)
    assert shared.eth == pytest.approx(alone.eth, rel=1e-12)
    with pytest.raises(ValueError, match="n_levels = 16: at most half of the 30 levels"):
        mb.level_statistics(model, 16, comm=comm)
