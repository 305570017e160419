"""Run serially and under mpirun on 1, 2 and 3 ranks: eigenvalues of a matrix over all ranks."""

import numpy as np
import oracles
import pytest

pytest.importorskip("slepc4py", reason="slepc4py not installed")

from manybody.numerics.petsc import eigensolvers  # noqa: E402
from manybody.numerics.petsc.eigensolvers import hermitian_eigenvalues  # noqa: E402


def reason_to_skip():
    """None, or why this machine cannot run these tests."""
    try:
        hermitian_eigenvalues(np.ones((1, 1), dtype=complex), slice(0, 1), 1)
    except RuntimeError as error:
        return str(error)
    return None


REASON = reason_to_skip()
needs_scalapack = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def even(n, comm):
    """The bounds of columns that differ by one at most."""
    return [n * rank // comm.size for rank in range(comm.size + 1)]


def assert_eigenvalues(matrix, comm, bounds=None):
    """As NumPy's, and the same bits on every rank; returns them."""
    n = len(matrix)
    bounds = even(n, comm) if bounds is None else bounds
    columns = slice(bounds[comm.rank], bounds[comm.rank + 1])
    block = np.ascontiguousarray(matrix[:, columns])
    before = block.copy()
    values = hermitian_eigenvalues(block, columns, n, comm)
    assert values.shape == (n,) and values.dtype == np.float64
    assert (np.diff(values) >= 0.0).all()
    tolerance = 1e-12 * np.linalg.norm(matrix, 2)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix), rtol=0.0, atol=tolerance)
    np.testing.assert_array_equal(block, before)
    assert len(set(comm.allgather(values.tobytes()))) == 1
    assert len(set(comm.allgather(float(np.abs(values).sum()).hex()))) == 1
    return values


def difference_of_states(rng, n, rank):
    """ρ − σ of two states of few levels: most eigenvalues vanish."""
    states = []
    for _ in range(2):
        factor = rng.normal(size=(n, rank)) + 1j * rng.normal(size=(n, rank))
        states.append(factor @ factor.conj().T)
        states[-1] /= np.trace(states[-1]).real
    return states[0] - states[1]


def projector(rng, n, rank):
    basis = np.linalg.qr(oracles.random_hermitian(rng, n))[0][:, :rank]
    return basis @ basis.conj().T


@needs_scalapack
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 30, 64, 65, 129, 200])
@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
def test_random_matrices_of_any_size(comm, rng, n, real):
    """Fewer columns than ranks, a last rank with less, more than one ScaLAPACK block."""
    matrix = oracles.random_hermitian(rng, n, real=real)
    assert_eigenvalues(matrix.astype(complex), comm)
    assert_eigenvalues(1e-9 * matrix, comm)


@needs_scalapack
@pytest.mark.parametrize("n", [1, 5, 70])
def test_degenerate_matrices(comm, rng, n):
    zero = np.zeros((n, n), dtype=complex)
    np.testing.assert_array_equal(assert_eigenvalues(zero, comm), 0.0)
    assert_eigenvalues(np.eye(n, dtype=complex), comm)
    assert_eigenvalues(-3.0 * np.eye(n, dtype=complex), comm)
    assert_eigenvalues(projector(rng, n, max(1, n // 3)), comm)
    shift = np.roll(np.eye(n), 1, axis=0)
    assert_eigenvalues((1j * shift - 1j * shift.T).astype(complex), comm)


@needs_scalapack
@pytest.mark.parametrize("n", [6, 67, 150])
@pytest.mark.parametrize("rank", [1, 2])
def test_differences_of_states(comm, rng, n, rank):
    matrix = difference_of_states(rng, n, rank)
    values = assert_eigenvalues(matrix, comm)
    assert np.abs(values).sum() == pytest.approx(np.abs(np.linalg.eigvalsh(matrix)).sum(), 1e-11)


@needs_scalapack
@pytest.mark.parametrize("holder", [0, -1])
def test_one_rank_may_hold_everything(comm, rng, holder):
    n = 10
    holder %= comm.size
    bounds = [0] * (holder + 1) + [n] * (comm.size - holder)
    assert_eigenvalues(oracles.random_hermitian(rng, n), comm, bounds)


@needs_scalapack
def test_one_process_needs_no_communicator(rng):
    matrix = oracles.random_hermitian(rng, 20)
    values = hermitian_eigenvalues(matrix, slice(0, 20), 20)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix), rtol=0.0, atol=1e-12)
    strided = hermitian_eigenvalues(np.asfortranarray(matrix), slice(0, 20), 20)
    np.testing.assert_array_equal(strided, values)


@needs_scalapack
def test_repeated_calls_leave_nothing_behind(comm, rng):
    """Communicators are few: what is not destroyed is missed soon."""
    matrix = oracles.random_hermitian(rng, 5)
    bounds = even(5, comm)
    columns = slice(bounds[comm.rank], bounds[comm.rank + 1])
    block = np.ascontiguousarray(matrix[:, columns])
    first = hermitian_eigenvalues(block, columns, 5, comm)
    for _ in range(300):
        np.testing.assert_array_equal(hermitian_eigenvalues(block, columns, 5, comm), first)


def test_sizes_that_petsc_can_hand_to_scalapack():
    """Measured on PETSc 3.18: every rank but the last must have its full ⌈N/P⌉ rows."""
    accepted = eigensolvers._accepted_size
    assert [accepted(n, 1) for n in range(1, 5)] == [1, 2, 3, 4]
    assert [accepted(n, 2) for n in range(1, 5)] == [1, 2, 3, 4]
    assert [accepted(n, 4) for n in (1, 2, 3, 4, 5, 6, 9)] == [3, 3, 3, 4, 6, 6, 9]
    assert [accepted(n, 6) for n in (1, 7, 9, 13, 19, 30)] == [5, 10, 10, 15, 20, 30]
    assert accepted(216, 64) == 252


def test_bad_blocks_raise_on_every_rank(comm, rng):
    n = comm.size + 3
    matrix = oracles.random_hermitian(rng, n)
    bounds = even(n, comm)
    columns = slice(bounds[comm.rank], bounds[comm.rank + 1])
    block = np.ascontiguousarray(matrix[:, columns])
    last = comm.size - 1

    def refused(pattern, block=block, columns=columns):
        """What the last rank hands in is refused everywhere."""
        with pytest.raises(ValueError, match=pattern):
            hermitian_eigenvalues(block, columns, n, comm)

    is_last = comm.rank == last
    refused(f"rank {last}: block has shape", block=block[:-1] if is_last else block)
    infinite = np.full_like(block, np.nan) if is_last else block
    refused(f"rank {last}: .* not finite", block=infinite)
    moved = slice(columns.start + 1, columns.stop + 1) if is_last else columns
    refused(f"rank {last}: columns start at", columns=moved)
    fewer = slice(columns.start, columns.stop - 1) if is_last else columns
    width = fewer.stop - fewer.start
    refused(rf"are {n - 1}, dimension = {n}", block=block[:, :width], columns=fewer)
    with pytest.raises(ValueError, match="dimension = 0"):
        hermitian_eigenvalues(np.empty((0, 0), dtype=complex), slice(0, 0), 0, comm)


def test_indices_that_overflow_are_foreseen(comm):
    module = eigensolvers.petsc()
    if np.iinfo(module.IntType).max > 2**31:
        pytest.skip("this PETSc has 64-bit indices")
    n = 2**16
    # Nothing is allocated: an entry seen many times over.
    block = np.broadcast_to(np.zeros((), dtype=complex), (n, n // 2))
    half = slice(0, n // 2)
    with pytest.raises(ValueError, match="rank 0: 65536 x 32768 entries .* int32 indices"):
        hermitian_eigenvalues(block, half, n, comm)


def test_a_build_without_scalapack_says_so(comm, monkeypatch):
    kinds = eigensolvers.slepc()
    monkeypatch.setattr(kinds.EPS.Type, "SCALAPACK", "nothing-of-the-kind")
    columns = slice(0, 1) if comm.rank == 0 else slice(1, 1)
    block = np.ones((1, columns.stop - columns.start), dtype=complex)
    with pytest.raises(RuntimeError, match="without ScaLAPACK"):
        hermitian_eigenvalues(block, columns, 1, comm)
