"""All eigenvalues of one Hermitian matrix spread over ranks, by ScaLAPACK through SLEPc."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import NumericalError, Unavailable
from manybody.numerics.petsc.runtime import freed, handle, own_errors, petsc, slepc
from manybody.system.communicator import Communicator

# PETSC_ERR_ARG_UNKNOWN_TYPE: what setType says of a type that was not compiled in.
_UNKNOWN_TYPE = 86


def hermitian_eigenvalues(
    block: NDArray[Any], columns: slice, dimension: int, comm: Communicator | None = None
) -> Real:
    """All eigenvalues, ascending, of a Hermitian matrix held by columns.  Collective.

    block: (N, m), this rank's matrix[:, columns], units arbitrary; C order is quickest.
    columns: slice(start, stop) of this rank, maybe empty; the slices of the ranks follow
    one another and cover 0..N.  dimension: N.  comm: an mpi4py communicator, or None for
    one process.  Returns (N,), in the units of the block, the same bits on every rank,
    each within a few roundings of the norm of the matrix.

    Only entries on and above the diagonal are used: Hermiticity is up to the caller.
    Raises on every rank: ValueError for blocks that do not fit together, are not finite
    or overflow PETSc's integers; RuntimeError when SLEPc lacks ScaLAPACK or fails.
    Source: EPSSCALAPACK of the SLEPc manual, pzheev of the ScaLAPACK users' guide.

    pzheev is asked for eigenvectors, which SLEPc has no way to decline: six times (two
    ranks) to ten times (one) slower than LAPACK's eigenvalues on one rank, measured by
    scripts/bench_trace_norm.py.  Its use is memory: 7 to 9 N²/P numbers on each of P ranks.
    """
    _check(block, columns, dimension, comm)
    ranks = 1 if comm is None else comm.Get_size()
    size = _accepted_size(dimension, ranks)
    padding = 0.0
    if size > dimension:
        # No eigenvalue is larger than the Frobenius norm: those of the padding are last.
        square = float(np.vdot(block, block).real)
        padding = float(np.sqrt(square if comm is None else comm.allreduce(square)))
    is_last = comm is None or comm.Get_rank() == ranks - 1
    padded_rows = range(dimension, size) if is_last else range(0)
    with (
        freed(_solver(handle(comm))) as solver,
        freed(_by_rows(block, size, padded_rows, padding, solver.getComm())) as matrix,
    ):
        solver.setOperators(matrix)
        solver.setProblemType(slepc().EPS.ProblemType.HEP)
        solver.setDimensions(nev=size)
        solver.solve()
        converged = solver.getConverged()
        if converged != size:
            raise NumericalError(
                f"ScaLAPACK found {converged} of {size} eigenvalues: "
                f"SLEPc reason {solver.getConvergedReason()}"
            )
        values = np.array([solver.getEigenvalue(i).real for i in range(size)])
    values = np.sort(values)[:dimension]
    # Ranks on unlike processors may round differently.
    return values if comm is None else comm.bcast(values)


def _check(block: NDArray[Any], columns: slice, dimension: int, comm: Communicator | None) -> None:
    """Raise the same ValueError on every rank when the blocks do not make up a matrix."""
    width = columns.stop - columns.start
    largest = np.iinfo(petsc().IntType).max
    problem = None
    if block.shape != (dimension, width):
        problem = f"block has shape {block.shape}, {(dimension, width)} expected from {columns}"
    # A row of padding adds an entry; nobody has as many ranks as this leaves room for.
    elif block.size > largest - 2**20:
        problem = (
            f"{dimension} x {width} entries on one rank overflow PETSc's "
            f"{np.dtype(petsc().IntType).name} indices: use more ranks"
        )
    elif not np.isfinite(block).all():
        problem = "block has entries that are not finite"
    mine = (columns.start, columns.stop, problem)
    everyone = [mine] if comm is None else comm.allgather(mine)
    reached = 0
    for rank, (start, stop, found) in enumerate(everyone):
        if found is not None:
            raise ValueError(f"rank {rank}: {found}")
        if stop > start and start != reached:
            raise ValueError(f"rank {rank}: columns start at {start}, {reached} expected")
        reached += stop - start
    if reached != dimension or dimension < 1:
        raise ValueError(f"the columns of all ranks are {reached}, dimension = {dimension}")


def _accepted_size(dimension: int, ranks: int) -> int:
    """The smallest size from `dimension` on that PETSc can hand to ScaLAPACK on `ranks` ranks.

    PETSc gives ⌈N/P⌉ rows to each rank until none are left, and (3.18 at least) wants
    every rank but the last to have its full share.
    """
    size = dimension
    while (ranks - 1) * -(-size // ranks) > size:
        size += 1
    return size


def _solver(comm: Any) -> Any:
    """An EPS of type ScaLAPACK, which the caller destroys."""
    module = slepc()
    solver = module.EPS().create(comm=comm)
    try:
        with own_errors():
            solver.setType(module.EPS.Type.SCALAPACK)
    except petsc().Error as error:
        solver.destroy()
        if error.ierr != _UNKNOWN_TYPE:
            raise
        raise Unavailable(
            "this SLEPc is built without ScaLAPACK (PETSc's configure needs "
            "--download-scalapack or --with-scalapack; Debian's packages have it, those of "
            "PyPI do not): gather the matrix and use LAPACK instead"
        ) from error
    return solver


def _by_rows(block: NDArray[Any], size: int, padded_rows: range, padding: float, comm: Any) -> Any:
    """The transpose, whose rows are the columns held, as AIJ; the caller destroys it.

    Its eigenvalues are the same, and no entry has to travel.  A full matrix as a sparse
    one: the dense type is refused by SLEPc 3.18.  padded_rows: indices of the rows on
    this rank that hold `padding` on the diagonal and nothing else.
    """
    module = petsc()
    n, m = block.shape
    extra = len(padded_rows)
    starts = np.arange(m + 1, dtype=module.IntType) * module.IntType(n)
    indices = np.tile(np.arange(n, dtype=module.IntType), m)
    values = np.ascontiguousarray(block.T, dtype=module.ScalarType).ravel()
    if extra:
        ends = starts[-1] + np.arange(1, extra + 1, dtype=module.IntType)
        starts = np.concatenate([starts, ends])
        indices = np.concatenate([indices, np.array(padded_rows, dtype=module.IntType)])
        values = np.concatenate([values, np.full(extra, padding, dtype=module.ScalarType)])
    local = (m + extra, size)
    return module.Mat().createAIJ(size=(local, local), csr=(starts, indices, values), comm=comm)
