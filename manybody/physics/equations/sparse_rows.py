"""The Liouvillian of sparse filtered couplings as rows that are sparse themselves.

L_ab = −i(Hρ)_ab + Σ_j (a_j(b) − a_j(a)) (Λ_jρ)_ab and the adjoint part: on the index b D + a
row (a, b) has −iH_ac + Σ_j (a_j(b) − a_j(a)) (Λ_j)_ac at (c, b) and the conjugate of
−iH_bc + Σ_j (a_j(a) − a_j(b)) (Λ_j)_bc at (a, c).  Only baths whose a_j differ in a and b enter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics import arguments
from manybody.physics.assembly import AssembledRows


@dataclass(frozen=True, eq=False)
class Merged:
    """Sparse matrices of one shape on the union of their patterns.

    indptr, indices: CSR of the union, ordered; data: (count, entries) elements of each.
    """

    indptr: NDArray[Any]
    indices: NDArray[Any]
    data: NDArray[Any]

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """(entries,) row of each element."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def matrix(self, data: NDArray[Any]) -> sp.csr_array:
        """A matrix of these (entries,) elements, which shares the pattern."""
        shape = (len(self.indptr) - 1,) * 2
        return sp.csr_array((data, self.indices, self.indptr), shape=shape)

    def weighted(self, pattern: Real, values: Real) -> NDArray[Any]:
        """(entries,) Σ_j (p_j − a_j(row)) data_j; pattern: (count,) p; values: (count, D) a."""
        total = np.zeros(len(self.indices), dtype=self.data.dtype)
        for wanted, own, elements in zip(pattern, values, self.data):
            total += (wanted - own)[self.rows] * elements
        return total


def merge(matrices: Sequence[sp.csr_array]) -> Merged:
    """Matrices (D, D) on the union of their patterns, row by row in ascending columns."""
    dimension = matrices[0].shape[0]
    entries = [sp.coo_array(each) for each in matrices]
    keys = [each.row.astype(np.int64) * dimension + each.col for each in entries]
    union = np.unique(np.concatenate(keys))
    data = np.zeros((len(matrices), len(union)), dtype=np.result_type(*matrices))
    for own, key, each in zip(data, keys, entries):
        own[np.searchsorted(union, key)] = each.data
    counts = np.bincount(union // dimension, minlength=dimension)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return Merged(indptr, (union % dimension).astype(np.int32), data)


def assemble_sparse_rows(
    hamiltonian: sp.csr_array,
    values: Real,
    filtered: Sequence[sp.csr_array],
    columns: slice = slice(None),  # noqa: B008
    drop_tolerance: float = 0.0,
) -> AssembledRows:
    """Rows b D + a of the complex-linear Liouvillian for b in `columns`, all a.

    hamiltonian: (D, D) CSR; values: (baths, D) a_j(b); filtered: Λ_j, (D, D) CSR each.
    columns: a contiguous range of [0, D), which may be empty.
    drop_tolerance: in [0, 1).  Above 0, elements of Λ_j that are at most this times the largest
        of all are dropped; K follows from the rest, so that the trace stays exact.
    Zeros are not stored, but the diagonal is.  `dropped_local` bounds ‖δK‖₂ + Σ_j‖δΛ_j‖₂‖A_j‖₂,
    the same whatever the columns, and `dropped_squares` is 0.
    Raises ValueError for a range with gaps, InputError for a tolerance out of [0, 1).
    """
    dimension = hamiltonian.shape[0]
    start, stop, step = columns.indices(dimension)
    if step != 1 or stop < start:
        raise ValueError(f"columns = {columns}: a contiguous range is needed")
    kept, dropped = _dropped(values, filtered, arguments.drop_tolerance(drop_tolerance))
    sites = _Sites(hamiltonian, values, kept)
    blocks = [sites.rows(b) for b in range(start, stop)]
    matrix = sp.csr_array((0, dimension**2), dtype=np.complex128)
    if blocks:
        matrix = sp.csr_array(sp.vstack(blocks, format="csr"))
    possible = (stop - start) * dimension * (2 * dimension - 1)
    return AssembledRows(matrix, int(matrix.nnz), possible, dropped, 0.0)


def _dropped(
    values: Real, filtered: Sequence[sp.csr_array], tolerance: float
) -> tuple[list[sp.csr_array], float]:
    """The Λ_j without their small elements, and the bound on what went with them."""
    if tolerance == 0.0:
        return list(filtered), 0.0
    threshold = tolerance * max(float(abs(each).max()) for each in filtered)
    kept = [_above(each, threshold) for each in filtered]
    # K has no larger a_j than A_j itself.
    lost = [_norm_bound(whole - part) for whole, part in zip(filtered, kept)]
    return kept, 2.0 * float(np.abs(values).max(axis=1) @ lost)


def _above(matrix: sp.csr_array, threshold: float) -> sp.csr_array:
    result = matrix.copy()
    result.data[np.abs(result.data) <= threshold] = 0.0
    result.eliminate_zeros()
    return result


def _norm_bound(matrix: sp.csr_array) -> float:
    """‖·‖₂ <= √(‖·‖₁ ‖·‖_∞)."""
    size = abs(matrix)
    return float(np.sqrt(size.sum(axis=0).max() * size.sum(axis=1).max()))


class _Sites:
    """All rows (a, b) of a state b at a time."""

    def __init__(
        self, hamiltonian: sp.csr_array, values: Real, filtered: Sequence[sp.csr_array]
    ) -> None:
        self._values, self._dimension = values, hamiltonian.shape[0]
        # With the diagonal, whatever is on it: solvers that shift it want all of it to be there.
        diagonal = sp.csr_array(sp.identity(self._dimension, format="csr"))
        merged = merge([*filtered, hamiltonian, diagonal])
        self._unitary = -1j * merged.data[-2]
        self._merged = Merged(merged.indptr, merged.indices, merged.data[:-2])

    def rows(self, b: int) -> sp.csr_array:
        """(D, D²) complex rows (a, b)."""
        dimension, merged = self._dimension, self._merged
        left = self._unitary + merged.weighted(self._values[:, b], self._values)
        here = slice(merged.indptr[b], merged.indptr[b + 1])
        differences = (self._values - self._values[:, b : b + 1]).T
        right = (self._unitary[here] + differences @ merged.data[:, here]).conj()
        every = np.arange(dimension)[:, None]
        # In 64 bits: D² may need them.
        targets = merged.indices[here].astype(np.int64) * dimension + every
        rows = np.concatenate([merged.rows, np.broadcast_to(every, targets.shape).ravel()])
        there = np.concatenate([merged.indices + np.int64(b * dimension), targets.ravel()])
        data = np.concatenate([left, right.ravel()])
        stored = (data != 0.0) | (there == b * dimension + rows)
        place = rows[stored], there[stored]
        result = sp.csr_array((data[stored], place), shape=(dimension, dimension**2))
        result.sort_indices()
        return result
