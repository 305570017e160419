"""What an application by tables consists of: the products of a group, and −iHρ."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Call, Complex, Real, product
from manybody.physics.equations.strided_products import Constants, address, gemm_at_addresses
from manybody.physics.equations.tables_layout import STACKED_BELOW, Group, Index

try:
    # It adds to its result; the public product allocates one.
    from scipy.sparse._sparsetools import csr_matvecs
except ImportError:
    csr_matvecs = None


def build_part(group: Group, tables: NDArray[Any], columns: slice) -> "Part":
    """The products of a group on some columns; tables: (samples, P, D, D), C-ordered."""
    if tables.shape[-1] < STACKED_BELOW or gemm_at_addresses(tables.dtype) is None:
        return _Stacked(group, tables, columns)
    return _OneByOne(group, tables, columns)


class Part(ABC):
    """A group on some columns: their order, factors, and blocks of equal table.

    is_in_order: whether columns of the same table are neighbours as they are.
    """

    def __init__(self, group: Group, tables: NDArray[Any], columns: slice) -> None:
        self._tables = tables
        self._order = group.order(columns)
        self._back: Index = np.argsort(self._order)
        self.is_in_order = bool(np.all(np.diff(self._order) > 0))
        factor = group.factor[columns][self._order]
        # One factor for both parts of a complex number.
        self._factor = None if (factor == 1.0).all() else np.repeat(factor, 2)
        self._blocks = list(_blocks(group.table[columns][self._order], group.n_tables))
        self._used = self._blocks[-1][2] if self._blocks else 0

    def gathering(self, rho: Complex, out: Complex, spare: Complex) -> list[Call]:
        """out = what this group adds to X, by way of columns in order."""
        # With modes other than "raise" NumPy writes to `out` without a copy.
        return [
            partial(np.take, rho, self._order, 2, out, "clip"),
            *self.writing(out, spare),
            partial(np.take, spare, self._back, 2, out, "clip"),
        ]

    def writing(self, source: Complex, out: Complex) -> list[Call]:
        """out = the product of columns in order; where they have no table it is zero."""
        calls = self._multiplying(source, out)
        if self._used < out.shape[2]:
            calls.append(partial(out[:, :, self._used :].fill, 0.0))
        if self._factor is not None:
            numbers = out.view(np.float64)
            calls.append(partial(np.multiply, numbers, self._factor, numbers))
        return calls

    @abstractmethod
    def adding(self, rho: Complex, out: Complex, spare: Complex) -> list[Call]:
        """out += what this group adds to X, where columns are in order."""

    @abstractmethod
    def _multiplying(self, source: Complex, out: Complex) -> list[Call]:
        """out = the products of all blocks of columns in order."""

    @abstractmethod
    def scaled(self, factors: Real) -> "Part":
        """The same times factors: (samples,)."""


class _Stacked(Part):
    """One call a table for the whole stack."""

    _factors: Any = None

    def adding(self, rho: Complex, out: Complex, spare: Complex) -> list[Call]:
        return [*self.writing(rho, spare), partial(np.add, out, spare, out)]

    def _multiplying(self, source: Complex, out: Complex) -> list[Call]:
        kind, width = self._tables.dtype, 2 if self._tables.dtype == np.float64 else 1
        left, right = source.view(kind), out.view(kind)
        calls: list[Call] = []
        for table, first, stop in self._blocks:
            block = slice(width * first, width * stop)
            matrices = self._tables[: len(source), table]
            calls.append(partial(np.matmul, matrices, left[:, :, block], right[:, :, block]))
        if self._factors is not None:
            calls.append(partial(np.multiply, out, self._factors[: len(out)], out))
        return calls

    def scaled(self, factors: Real) -> "_Stacked":
        other = copy.copy(self)
        column = factors[:, None, None]
        other._factors = column if self._factors is None else self._factors * column
        return other


class _OneByOne(Part):
    """A call for every table and sample, on parts of ρ and X without copies."""

    def __init__(self, group: Group, tables: NDArray[Any], columns: slice) -> None:
        super().__init__(group, tables, columns)
        gemm = gemm_at_addresses(tables.dtype)
        assert gemm is not None
        self._gemm, self._constants = gemm, Constants()
        # Read as real or as complex numbers.
        self._alphas = np.ones(len(tables), dtype=np.complex128)
        dimension, kept = tables.shape[-1], self._constants
        width = 2 if tables.dtype == np.float64 else 1
        leading = width * (columns.stop - columns.start)
        self._none, self._dimension = kept.letter(b"N"), kept.integer(dimension)
        self._leading, self._betas = kept.integer(leading), (kept.number(0.0), kept.number(1.0))
        first, sample, table = address(tables), *tables.strides[:2]
        self._calls = [
            [
                (kept.integer(width * (stop - start)), 16 * start, first + s * sample + p * table)
                for p, start, stop in self._blocks
            ]
            for s in range(len(tables))
        ]

    def adding(self, rho: Complex, out: Complex, spare: Complex) -> list[Call]:
        if self._factor is None:
            return self._multiplying(rho, out, True)
        times = partial(np.multiply, rho.view(np.float64), self._factor, spare.view(np.float64))
        return [times, *self._multiplying(spare, out, True)]

    def _multiplying(self, source: Complex, out: Complex, add: bool = False) -> list[Call]:
        left, right, beta = address(source), address(out), self._betas[add]
        none, dimension, leading = self._none, self._dimension, self._leading
        alpha, products = address(self._alphas), []
        for calls in self._calls[: len(source)]:
            # Fortran sees the transposes: outᵀ = sourceᵀ · tableᵀ.
            for width, start, table in calls:
                products.append(
                    (none, none, width, dimension, dimension,
                     alpha, left + start, leading, table, dimension,
                     beta, right + start, leading)
                )  # fmt: skip
            left, right = left + source.strides[0], right + source.strides[0]
            alpha += 16
        # What has these addresses lives as long as the call.
        return [partial(_at_addresses, self._gemm, products, (source, out, self))]

    def scaled(self, factors: Real) -> "_OneByOne":
        other = copy.copy(self)
        other._alphas = self._alphas * factors
        return other


def _at_addresses(
    gemm: Callable[..., None], products: Sequence[tuple[int, ...]], _kept: object
) -> None:
    for addresses in products:
        gemm(*addresses)


def _blocks(table: Index, n_tables: int) -> Iterator[tuple[int, int, int]]:
    """Table, first column and end of every block of ascending `table`."""
    edges = np.flatnonzero(np.diff(table, prepend=-1, append=n_tables + 1))
    for first, stop in zip(edges.tolist(), edges[1:].tolist()):
        if table[first] < n_tables:
            yield int(table[first]), first, stop


class Unitary:
    """−iHρ of a stack with real H, CSR or dense."""

    def __init__(self, hamiltonians: Sequence[Any]) -> None:
        self._hamiltonians = hamiltonians

    def adding(self, rho: Complex, out: Complex, spare: Complex) -> list[Call]:
        """out += −iHρ."""
        calls: list[Call] = [partial(np.multiply, rho, -1j, spare)]
        for hamiltonian, source, result in zip(self._hamiltonians, spare, out):
            if sp.issparse(hamiltonian):
                numbers = source.view(np.float64), result.view(np.float64)
                calls.append(partial(_add_sparse, hamiltonian, *numbers))
            else:
                calls.append(partial(product, hamiltonian, source, result, True))
        return calls

    def scaled(self, factors: Real) -> "Unitary":
        """The same times factors: (samples,)."""
        return Unitary([one * factor for one, factor in zip(self._hamiltonians, factors)])


def _add_sparse(matrix: Any, source: Real, out: Real) -> None:
    """out += matrix · source, all real; source, out: C-ordered."""
    if csr_matvecs is None:
        out += matrix @ source
        return
    count, (rows, columns) = source.shape[1], matrix.shape
    parts = matrix.indptr, matrix.indices, matrix.data
    csr_matvecs(rows, columns, count, *parts, source.reshape(-1), out.reshape(-1))
