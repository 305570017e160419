"""The half form of many particles with diagonal couplings, by tables.

X_b = Σ_r C[r, b] B_r ρ_b: column b of X needs column b of ρ alone (docs/physics.md section 10).
tables_layout.py decides which couplings share tables; here they are made and applied.
"""

import copy
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Call, Complex, Real, aligned_empty
from manybody.errors import InputError
from manybody.physics.equations.half_kernel import contiguous
from manybody.physics.equations.tables_layout import STACKED_BELOW, Group, TableLayout
from manybody.physics.equations.tables_parts import Unitary, build_part

Tables = tuple[NDArray[Any], ...]


def build_tables(layout: TableLayout, operators: Iterable[tuple[int, NDArray[Any]]]) -> Tables:
    """Tables (samples, P, D, D) of every group of a layout: T_p = Σ_r weights[p, r] B_r.

    operators: r and B_r (samples, D, D), each once, in any order.  Only those of unfinished
    groups are kept.  Raises ValueError when there are others than the R of the layout.
    """
    makers = [_Maker(layout, group) for group in layout.groups]
    rows = []
    for row, operator in operators:
        rows.append(row)
        for maker in makers:
            maker.take(row, operator)
    if sorted(rows) != list(range(layout.n_rows)):
        raise InputError(
            f"operators of the rows {rows}: the layout has {layout.n_rows}, each once"
        )
    return tuple(maker.tables for maker in makers)


class _Maker:
    """Collects the operators of a group until its tables can be made."""

    def __init__(self, layout: TableLayout, group: Group) -> None:
        self._dtype, self._weights = layout.dtype, group.weights
        self._places = {int(row): place for place, row in enumerate(group.rows)}
        self._kept: Any = None
        self._missing = len(self._places)
        self.tables: Any = None

    def take(self, row: int, operator: NDArray[Any]) -> None:
        """Keep what is needed."""
        place = self._places.get(row)
        if place is None:
            return
        if self._kept is None:
            shape = (len(operator), len(self._places), *operator.shape[1:])
            self._kept = np.empty(shape, self._dtype)
        self._kept[:, place] = operator
        self._missing -= 1
        if self._missing == 0:
            self._make()

    def _make(self) -> None:
        samples, count, *square = self._kept.shape
        self.tables = aligned_empty((samples, len(self._weights), *square), self._dtype)
        # A product for every sample, so that its bits do not depend on the stack.
        for own, result in zip(self._kept.view(np.float64), self.tables.view(np.float64)):
            np.matmul(self._weights, own.reshape(count, -1), out=result.reshape(len(result), -1))
        self._kept = None


class TableKernel:
    """X of some columns of ρ, as blocks rho[:, columns]: (samples, D, m), C-ordered.

    layout, tables: of `build_tables`; the tables may be read-only.
    columns: a contiguous, non-empty range of [0, D).
    unitary: for every sample real H, CSR or (D, D) array, where −iH is in no operator B_r:
    −iHρ is then added (from tables of its own where D is small).

    needs_whole: never.
    buffers: two workspaces of the shape of a result that are free between calls; the first of
    them may be given as `out`.  Raises ValueError when shapes or kinds do not agree.
    """

    needs_whole = False

    def __init__(
        self,
        layout: TableLayout,
        tables: Sequence[NDArray[Any]],
        columns: slice = slice(None),
        unitary: Sequence[Any] | None = None,
    ) -> None:
        self.columns = contiguous(columns, layout.dimension)
        samples = _checked_tables(layout, tables)
        hamiltonians = _checked_unitary(unitary, samples, layout.dimension)
        if hamiltonians and layout.dimension < STACKED_BELOW:
            # More flops, but fewer calls.
            tables, hamiltonians = [_with_unitary(tables[0], hamiltonians), *tables[1:]], []
        parts = [
            build_part(*own, self.columns)
            for own in zip(layout.groups, map(np.ascontiguousarray, tables))
        ]
        # Gathered ones come first, and the first of them works in `out`.
        self._parts = sorted(parts, key=lambda part: part.is_in_order)
        self._unitary = Unitary(hamiltonians) if hamiltonians else None
        shape = (samples, layout.dimension, self.columns.stop - self.columns.start)
        self.buffers = (aligned_empty(shape, np.complex128), aligned_empty(shape, np.complex128))
        several = sum(not part.is_in_order for part in parts) > 1
        self._third = aligned_empty(shape, np.complex128) if several else self.buffers[0]

    def __call__(self, rho: Complex, out: Complex, _whole: Complex | None = None) -> None:
        """Write X into `out`, both (samples, D, m).

        A stack may be shorter than the kernel's: its first samples are meant.
        """
        for call in self.bound(rho, out):
            call()

    def bound(self, rho: Complex, out: Complex) -> list[Call]:
        """Calls that write X of what `rho` holds by then into `out`, one after the other."""
        _check_blocks(rho, out, self.buffers[0].shape)
        spare, third = self.buffers[1][: len(rho)], self._third[: len(rho)]
        first, *others = self._parts
        if first.is_in_order:
            calls = first.writing(rho, out)
        else:
            calls = first.gathering(rho, out, spare)
        for part in others:
            if part.is_in_order:
                calls += part.adding(rho, out, spare)
            else:
                calls += part.gathering(rho, third, spare)
                calls.append(partial(np.add, out, third, out))
        if self._unitary is not None:
            calls += self._unitary.adding(rho, out, spare)
        return calls

    def scaled(self, factors: Real) -> "TableKernel":
        """The kernel of factor · L, factors: (samples,); it shares the workspaces of this one."""
        other = copy.copy(self)
        other._parts = [part.scaled(factors) for part in self._parts]
        if self._unitary is not None:
            other._unitary = self._unitary.scaled(factors)
        return other


def _with_unitary(tables: NDArray[Any], hamiltonians: Sequence[Any]) -> Complex:
    """Tables of the group of row 0 with −iH in each."""
    dense = [one.toarray() if sp.issparse(one) else one for one in hamiltonians]
    result: Complex = tables - 1j * np.stack(dense)[:, None]
    return result


def _checked_tables(layout: TableLayout, tables: Sequence[NDArray[Any]]) -> int:
    """The number of samples."""
    counts = {len(own) for own in tables}
    shapes = [(group.n_tables, layout.dimension, layout.dimension) for group in layout.groups]
    if len(counts) != 1 or [own.shape[1:] for own in tables] != shapes:
        raise InputError(
            f"tables of shapes {[own.shape for own in tables]}: must be (samples, ...) {shapes}"
        )
    if any(own.dtype != layout.dtype for own in tables):
        raise InputError(f"tables of {[own.dtype for own in tables]}: must be {layout.dtype}")
    return counts.pop()


def _checked_unitary(unitary: Sequence[Any] | None, samples: int, dimension: int) -> list[Any]:
    if unitary is None:
        return []
    if len(unitary) != samples:
        raise InputError(f"unitary of {len(unitary)} samples: the tables are of {samples}")
    for one in unitary:
        if one.shape != (dimension, dimension) or one.dtype != np.float64:
            raise InputError(
                f"unitary of shape {one.shape} and dtype {one.dtype}: must be "
                f"({dimension}, {dimension}) real numbers"
            )
    return [sp.csr_array(one) if sp.issparse(one) else one for one in unitary]


def _check_blocks(rho: Complex, out: Complex, shape: tuple[int, ...]) -> None:
    for name, block in (("rho", rho), ("out", out)):
        if block.dtype != np.complex128 or not block.flags.c_contiguous:
            raise ValueError(
                f"{name}: {block.dtype} with strides {block.strides}: "
                "C-ordered complex blocks are needed"
            )
        if block.shape[1:] != shape[1:] or not len(block) == len(rho) <= shape[0]:
            raise ValueError(f"{name} has shape {block.shape}: at most {shape} is needed")
