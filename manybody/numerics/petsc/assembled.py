"""An assembled superoperator as a PETSc AIJ matrix, distributed by columns of rho."""

import copy
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.numerics.columns import Columns
from manybody.numerics.petsc.runtime import handle, petsc
from manybody.numerics.protocols import Linearity


class AssembledOperator:
    """L[x] by one sparse product, on blocks x = rho[:, columns] of shape (1, N, m).

    rows: CSR rows b N + a of this rank, b in `columns`, all a: (m N, N²); PETSc copies
    them.  columns: who owns what; making and destroying an operator, and `apply`, are
    collective over its communicator.  linearity: declared, not used: the matrix is the
    complex-linear map, right on any data and so on Hermitian data.
    spectral_box: (1, 3); spectral_outline: (1, P) or None.  `matrix`: the PETSc Mat.
    Raises ValueError on every rank, before PETSc is asked for anything, when an index
    overflows or rows and columns do not fit together.
    """

    def __init__(
        self,
        rows: Any,
        columns: Columns,
        linearity: Linearity,
        spectral_box: Real,
        spectral_outline: Complex | None = None,
    ) -> None:
        module = petsc()
        dimension, comm = columns.dimension, columns.comm
        own = (*rows.shape, rows.nnz)
        # By all ranks for all: one that raised alone would leave the others waiting.
        every = [own] if comm is None else comm.allgather(own)
        for rank, (n_rows, n_columns, entries) in enumerate(every):
            width = columns.ranges[rank].stop - columns.ranges[rank].start
            if (n_rows, n_columns) != (width * dimension, dimension**2):
                raise ValueError(
                    f"rank {rank}: {n_rows} x {n_columns} rows for {width} columns of rho, "
                    f"{width * dimension} x {dimension**2} are needed"
                )
            check_index_range(dimension, entries, np.iinfo(module.IntType).max, width)
        self.columns = columns
        self.linearity: Linearity = linearity
        self.spectral_box, self.spectral_outline = spectral_box, spectral_outline
        self.shape = (1, dimension, columns.width)
        self._factor = 1.0
        local = columns.width * dimension
        self.matrix = module.Mat().create(comm=handle(comm))
        self.matrix.setSizes(((local, dimension**2), (local, dimension**2)))
        self.matrix.setType(module.Mat.Type.AIJ)
        borders = rows.indptr.astype(module.IntType, copy=False)
        indices = rows.indices.astype(module.IntType, copy=False)
        # Exact preallocation, values and assembly in one; every row is at home.
        self.matrix.setPreallocationCSR((borders, indices, rows.data))
        self._input, self._output = self.matrix.createVecs()

    def apply(self, x: Complex, out: Complex, plus: Complex | None = None) -> None:
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

    def destroy(self) -> None:
        """Free the matrix, also for operators that share it; collective, once is enough."""
        for item in (self.matrix, self._input, self._output):
            item.destroy()


def check_undropped(columns: Columns) -> None:
    """Raise ValueError, on every rank, when a matrix with nothing dropped has no room."""
    n, widest = columns.dimension, columns.ranges[0].stop
    entries = widest * n * (2 * n - 1)
    check_index_range(n, entries, np.iinfo(petsc().IntType).max, widest)


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
        raise InputError(
            f"{dimension} sites: the assembled matrix has N² = {dimension**2} rows, PETSc's "
            f"{bits}-bit indices end at {largest_index}: use the matrix-free operator, or "
            "PETSc configured with --with-64-bit-indices"
        )
    if local_entries > largest_index:
        raise InputError(
            f"{dimension} sites: one rank would store {local_entries} entries{share}, PETSc's "
            f"{bits}-bit indices end at {largest_index}: use more ranks a sample, a larger "
            "drop tolerance, the matrix-free operator, or PETSc configured with "
            "--with-64-bit-indices"
        )
