"""Which couplings share a table of matrices, and which columns of ρ a table.

X_b = Σ_r C[r, b] B_r ρ_b with C[0, :] = 1 (docs/physics.md section 10).  The rows of C fall into
groups; within a group the columns b whose patterns (C[r, b])_r agree up to a factor share one
table T_p = Σ_{r in group} pattern_r B_r, so that an application is one product of D columns a
group, whatever the number of couplings.  The group of row 0 knows no factors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError

Index = NDArray[np.intp]

# Smaller matrices are multiplied by one call for a whole stack.  By their size alone: the bits
# of a sample must not depend on its stack.
STACKED_BELOW = 48


@dataclass(frozen=True)
class _Costs:
    """Costs in columns: 1 is one complex column of a product with a (D, D) table.

    That is 4D² flops where the table is real and 8D² where it is complex.
    table: reading and packing a table, whatever the number of its columns; gather: bringing
    columns in order and back; scale: factors, and adding to X.  Rounded from what
    scripts/bench_tables.py --constants measured on one core of a Zen 3 server.
    """

    table: float
    gather: float
    scale: float


_STACKED_COSTS = {"float64": _Costs(6.5, 11.0, 10.0), "complex128": _Costs(4.0, 7.0, 5.0)}
_COSTS = {"float64": _Costs(10.0, 30.0, 12.0), "complex128": _Costs(9.0, 20.0, 8.0)}


@dataclass(frozen=True, eq=False)
class Group:
    """Couplings that share tables.

    rows: (k,) indices r, ascending; weights: (P, k) with T_p = Σ_k weights[p, k] B_rows[k].
    table: (D,) p of every column, P where it needs none; factor: (D,) with
    Σ_{r in group} C[r, b] B_r = factor[b] T_table[b].
    """

    rows: Index
    weights: Real
    table: Index
    factor: Real

    @property
    def n_tables(self) -> int:
        """Number P of tables."""
        return len(self.weights)

    def order(self, columns: slice = slice(None)) -> Index:
        """The own columns, those of one table side by side, those without one last."""
        return np.argsort(self.table[columns], kind="stable")

    @cached_property
    def has_factors(self) -> bool:
        """Whether some factor is not 1."""
        return bool((self.factor != 1.0).any())

    @cached_property
    def is_in_order(self) -> bool:
        """Whether columns of one table are neighbours already."""
        return bool(np.all(np.diff(self.table) >= 0))


@dataclass(frozen=True, eq=False)
class TableLayout:
    """Groups of couplings, each with its tables of (D, D) matrices.

    dimension: D; dtype: of the tables; n_rows: number R of operators B_r; groups: that of row 0
    first.
    """

    dimension: int
    dtype: np.dtype[Any]
    n_rows: int
    groups: tuple[Group, ...]

    @property
    def n_tables(self) -> int:
        """Number of tables of all groups."""
        return sum(group.n_tables for group in self.groups)

    @property
    def bytes(self) -> int:
        """Memory of the tables of one sample."""
        return self.n_tables * self.dimension**2 * self.dtype.itemsize

    @property
    def cost(self) -> float:
        """Estimated cost of an application, in columns of one product with a (D, D) table."""
        return sum(_cost(group, self.dimension, self.dtype) for group in self.groups)


def plan_tables(
    coefficients: ArrayLike, dimension: int, dtype: DTypeLike, limit_bytes: float
) -> TableLayout:
    """The quickest layout by a model of costs, with tables of at most `limit_bytes` a sample.

    coefficients: (R, D) real C with C[0, :] = 1; dtype: float64 or complex128, of the B_r.
    The rows 0, R − 1, R − 2, … are cut into intervals, which keeps the columns of the first
    group in order where mode 0 turns fastest.  A function of its arguments alone: the clock
    has no say.  Raises TypeError or ValueError, also where no layout meets the limit.
    """
    rows = _Rows(coefficients, dimension, dtype)
    most = limit_bytes / (dimension**2 * rows.dtype.itemsize)
    best = _best_cuts(rows, most)
    if best is None:
        fewest = rows.layout(_single(rows)).bytes
        raise InputError(
            f"limit_bytes = {limit_bytes:g}: must be at least {fewest} for {dimension} states"
        )
    return rows.layout(best)


def cut_tables(
    coefficients: ArrayLike, dimension: int, dtype: DTypeLike, sizes: Sequence[int]
) -> TableLayout:
    """The layout whose groups have these numbers of rows, in the order of `plan_tables`.

    The last size serves for all further groups: (1,) is a product for every coupling.
    Raises TypeError or ValueError.
    """
    rows = _Rows(coefficients, dimension, dtype)
    if not sizes or min(sizes) < 1:
        raise InputError(f"sizes = {sizes!r}: numbers of rows >= 1 are needed")
    cuts = [0]
    for group in range(len(rows.order)):
        cuts.append(cuts[-1] + sizes[min(group, len(sizes) - 1)])
        if cuts[-1] >= len(rows.order):
            break
    cuts[-1] = len(rows.order)
    return rows.layout(cuts)


class _Rows:
    """The rows of C in the order in which they are cut, one of them eliminated if it can be."""

    def __init__(self, coefficients: ArrayLike, dimension: int, dtype: DTypeLike) -> None:
        self.dtype = _checked_dtype(dtype)
        self.values = _checked_coefficients(coefficients, dimension)
        self.dimension = dimension
        self.constant = _constant_sum(self.values[1:])
        last = 0 if self.constant is None else 1
        self.order = np.array([0, *range(len(self.values) - 1, last, -1)])

    def group(self, first: int, stop: int) -> Group:
        """That of the rows order[first:stop]."""
        rows = self.order[first:stop]
        patterns, table, factor = _patterns(self.values[rows], with_factors=first > 0)
        weights = np.zeros((len(patterns), len(self.values)))
        weights[:, rows] = patterns
        if self.constant is not None:
            # Σ_r a_r = s: row 1 is s less the others, B_r → B_r − B_1 and B_0 → B_0 + s B_1.
            weights[:, 1] = -weights[:, 2:].sum(axis=1) + self.constant * weights[:, 0]
        needed = np.flatnonzero(weights.any(axis=0))
        return Group(needed, np.ascontiguousarray(weights[:, needed]), table, factor)

    def layout(self, cuts: Sequence[int]) -> TableLayout:
        """The layout of groups between the cuts."""
        groups = [self.group(first, stop) for first, stop in zip(cuts, cuts[1:])]
        used = tuple(group for group in groups if group.n_tables)
        return TableLayout(self.dimension, self.dtype, len(self.values), used)


def _patterns(values: Real, with_factors: bool) -> tuple[Real, Index, Real]:
    """(P, k) patterns of the columns of (k, D) values, and which column has which how often.

    Patterns that agree up to a factor are one: divided by the entry that is largest in size
    they are equal to the last bit where entries are small integers times a number.
    """
    factor = np.ones(values.shape[1])
    if with_factors:
        largest = np.abs(values).argmax(axis=0)
        factor = np.take_along_axis(values, largest[None], axis=0)[0]
    scaled = np.divide(values, factor, out=np.zeros_like(values), where=factor != 0.0)
    # −0 and 0 are the same pattern.
    patterns, table = np.unique(scaled.T + 0.0, axis=0, return_inverse=True)
    return _without_zero(patterns, table.reshape(-1), factor)


def _without_zero(patterns: Real, table: Index, factor: Real) -> tuple[Real, Index, Real]:
    """The same without the pattern that vanishes: its columns have no table."""
    zero = ~patterns.any(axis=1)
    if not zero.any():
        return patterns, table, factor
    kept = patterns[~zero]
    if len(kept) == 1:
        # The factor 0 does it, and the columns stay in order.
        return kept, np.zeros_like(table), factor
    new = np.where(zero, len(kept), np.cumsum(~zero) - 1)
    return kept, new[table], factor


def _constant_sum(couplings: Real) -> float | None:
    """What all couplings add up to where that is the same in every state, else None."""
    if len(couplings) == 0:
        return None
    total = couplings.sum(axis=0)
    middle = 0.5 * (total.max() + total.min())
    rounding = 4.0 * np.finfo(float).eps * np.abs(couplings).sum(axis=0).max()
    return float(middle) if np.ptp(total) <= rounding else None


def _cost(group: Group, dimension: int, dtype: np.dtype[Any]) -> float:
    """In columns, see above."""
    costs = (_STACKED_COSTS if dimension < STACKED_BELOW else _COSTS)[dtype.name]
    gather = 0.0 if group.is_in_order else costs.gather
    scale = costs.scale if group.has_factors else 0.0
    return dimension + gather + scale + group.n_tables * costs.table


def _single(rows: _Rows) -> list[int]:
    return list(range(len(rows.order) + 1))


def _best_cuts(rows: _Rows, most: float) -> list[int] | None:
    """Cuts of the lowest cost with at most so many tables, by dynamic programming.

    For every number of rows the ways that no other one beats in both cost and tables.
    """
    ways: list[list[_Way]] = [[] for _ in range(len(rows.order) + 1)]
    ways[0].append((0.0, 0, (0,)))
    for first in range(len(rows.order)):
        ways[first] = _undominated(ways[first])
        for stop, cost, tables in _intervals(rows, first, most):
            ways[stop] += [
                (before + cost, count + tables, (*cuts, stop))
                for before, count, cuts in ways[first]
                if count + tables <= most
            ]
    last = _undominated(ways[-1])
    return list(last[0][2]) if last else None


# Cost, tables, cuts.
_Way = tuple[float, int, tuple[int, ...]]


def _intervals(rows: _Rows, first: int, most: float) -> Iterator[tuple[int, float, int]]:
    """End, cost and tables of the groups that begin with a row."""
    for stop in range(first + 1, len(rows.order) + 1):
        group = rows.group(first, stop)
        # More rows never need fewer tables.
        if group.n_tables > most:
            return
        cost = _cost(group, rows.dimension, rows.dtype) if group.n_tables else 0.0
        yield stop, cost, group.n_tables
        if group.n_tables == rows.dimension:
            return


def _undominated(ways: list[_Way]) -> list[_Way]:
    """Ways in ascending cost and descending number of tables."""
    kept: list[_Way] = []
    for way in sorted(ways):
        if not kept or way[1] < kept[-1][1]:
            kept.append(way)
    return kept


def _checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    result = np.dtype(dtype)
    if result.name not in _COSTS:
        raise InputTypeError(f"dtype = {result}: must be float64 or complex128")
    return result


def _checked_coefficients(coefficients: ArrayLike, dimension: int) -> Real:
    values = np.asarray(coefficients)
    if values.dtype.kind not in "iufb":
        raise InputTypeError(f"coefficients has dtype {values.dtype}: must be real numbers")
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] != dimension or dimension < 1:
        raise InputError(f"coefficients has shape {values.shape}: must be (rows, {dimension})")
    result = values.astype(np.float64)
    if not np.isfinite(result).all() or not (result[0] == 1.0).all():
        raise InputError("coefficients: must be finite, the first row 1 everywhere")
    return result
