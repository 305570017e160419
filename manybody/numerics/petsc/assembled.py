"""An assembled superoperator as a PETSc AIJ matrix, distributed by columns of rho."""

import copy
from typing import Any

import numpy as np

from manybody.numerics.petsc.runtime import petsc
from manybody.numerics.protocols import Array, Linearity, Real


class AssembledOperator:
    """L[x] by one sparse product, on blocks x = rho[:, columns] of shape (1, N, m).

    rows: CSR rows b N + a of this rank, b in `columns`, all a: (m N, N²); PETSc copies
    them.  columns: the range of this rank, empty or not, ranges in the order of ranks.
    comm: an mpi4py communicator, or None for one process; making and destroying an
    operator, and `apply`, are collective over it.  linearity: declared, not used: the
    matrix is the complex-linear map, right on any data and so on Hermitian data.
    spectral_box: (1, 3); spectral_outline: (1, P) or None.  `matrix`: the PETSc Mat.
    Raises ValueError on every rank, before PETSc is asked for anything, when an index
    overflows or the ranges do not fit together.
    """

    basis = "site"
    autonomous = True
    source: Array | None = None

    def __init__(
        self,
        rows: Any,
        columns: slice,
        comm: Any,
        linearity: Linearity,
        spectral_box: Real,
        spectral_outline: Array | None = None,
    ) -> None:
        module = petsc()
        dimension = round(np.sqrt(rows.shape[1]))
        start, stop, _ = columns.indices(dimension)
        own = (dimension, start, stop, *rows.shape, rows.nnz)
        every = [own] if comm is None else comm.allgather(own)
        # By all ranks for all: one that raised alone would leave the others waiting.
        _check_ranges(every)
        for _, first, last, _, _, entries in every:
            check_index_range(dimension, entries, np.iinfo(module.IntType).max, last - first)
        self.comm = comm
        self.linearity: Linearity = linearity
        self.spectral_box, self.spectral_outline = spectral_box, spectral_outline
        self.shape = (1, dimension, stop - start)
        self._factor = 1.0
        handle = module.COMM_SELF if comm is None else comm
        local = (stop - start) * dimension
        self.matrix = module.Mat().create(comm=handle)
        self.matrix.setSizes(((local, dimension**2), (local, dimension**2)))
        self.matrix.setType(module.Mat.Type.AIJ)
        borders = rows.indptr.astype(module.IntType, copy=False)
        indices = rows.indices.astype(module.IntType, copy=False)
        # Exact preallocation, values and assembly in one; every row is at home.
        self.matrix.setPreallocationCSR((borders, indices, rows.data))
        self._input, self._output = self.matrix.createVecs()

    def apply(self, x: Array, out: Array, time: float = 0.0, plus: Array | None = None) -> None:
        """Write L[x], or L[x] + plus, into `out`; all (1, N, m), and all may be the same.

        Raises RuntimeError after `destroy`.
        """
        # PETSc itself would crash.
        if not self.matrix:
            raise RuntimeError("the assembled operator has been destroyed")
        _, dimension, m = self.shape
        turned = (m, dimension)
        local = self._input.getArray().reshape(turned)
        np.multiply(x[0].T, self._factor, out=local)
        self.matrix.mult(self._input, self._output)
        result = self._output.getArray(readonly=True).reshape(turned).T
        if plus is None:
            out[0] = result
        else:
            np.add(result, plus[0], out=out[0])

    def scaled(self, factors: Real) -> "AssembledOperator":
        """The operator factor · L, factors: (1,); it shares the matrix of this one."""
        other = copy.copy(self)
        other._factor = self._factor * float(factors[0])
        other.spectral_box = self.spectral_box * factors[:, None]
        if self.spectral_outline is not None:
            other.spectral_outline = self.spectral_outline * factors[:, None]
        return other

    def total(self, values: Real) -> Real:
        """Sum of an array over the ranks, the same bits on every one."""
        if self.comm is None:
            return values
        own = np.ascontiguousarray(values, dtype=np.float64)
        every = np.empty((self.comm.size, *own.shape))
        self.comm.Gather(own, every if self.comm.rank == 0 else None, root=0)
        # One rank adds: MPI may add in another order on each.
        result = every.sum(axis=0) if self.comm.rank == 0 else np.empty_like(own)
        self.comm.Bcast(result, root=0)
        return result

    def destroy(self) -> None:
        """Free the matrix, also for operators that share it; collective, once is enough."""
        for item in (self.matrix, self._input, self._output):
            item.destroy()


def check_index_range(
    dimension: int, local_entries: int, largest_index: int, local_columns: int | None = None
) -> None:
    """Raise ValueError when PETSc cannot count the rows or one rank's entries.

    dimension: N; local_entries: stored entries on one rank, at most m N (2N − 1) of m
    columns; largest_index: of PETSc's integers, 2³¹ − 1 in a usual build.
    """
    share = "" if local_columns is None else f" for {local_columns} columns of rho"
    bits = int(largest_index).bit_length() + 1
    if dimension**2 > largest_index:
        raise ValueError(
            f"{dimension} sites: the assembled matrix has N² = {dimension**2} rows, PETSc's "
            f"{bits}-bit indices end at {largest_index}: use the matrix-free operator, or "
            "PETSc configured with --with-64-bit-indices"
        )
    if local_entries > largest_index:
        raise ValueError(
            f"{dimension} sites: one rank would store {local_entries} entries{share}, PETSc's "
            f"{bits}-bit indices end at {largest_index}: use more ranks a sample, a larger "
            "drop tolerance, the matrix-free operator, or PETSc configured with "
            "--with-64-bit-indices"
        )


def _check_ranges(every: list[tuple[int, ...]]) -> None:
    """Raise ValueError unless rows and ranges of all ranks make one square matrix."""
    dimension, expected = every[0][0], 0
    for rank, (own, start, stop, n_rows, n_columns, _) in enumerate(every):
        fits = own == dimension and n_columns == dimension**2 and n_rows == (stop - start) * own
        if not fits or start != expected:
            raise ValueError(
                f"rank {rank}: {n_rows} x {n_columns} rows for columns {start} to {stop} of rho, "
                f"needed are columns from {expected} on, {dimension} rows each"
            )
        expected = stop
    if expected != dimension:
        raise ValueError(f"columns 0 to {expected} of rho have rows, {dimension} are needed")
