"""What a state of many particles looks like on one site and on two: reduced states and sums.

ρ is spread over ranks by whole columns, and all that is linear in ρ is a sum over elements of
ρ: a `LocalMap` of some columns gives partial sums, which add up over columns, hence over ranks.

Modes (i, j), i < j, have the states |n_i n_j⟩ = (a_i†)^{n_i} (a_j†)^{n_j} |00⟩ in the order
|00⟩, |10⟩, |01⟩, |11⟩ of `FockBasis(2)`: the first mode turns fastest.  The reduced state is what
all operators of these modes expect,

    ⟨x|ρ_ij|y⟩ = tr(ρ |y⟩⟨x|),  |y⟩⟨x| written in a_i, a_j and their adjoints.

For bosons with n_j <= 1 (spins) that is the partial trace.  For fermions it is one after i and j
have been moved in front of all other modes, which costs the sign

    s_ij(n) = (−1)^{n_i Σ_{k<i} n_k + n_j Σ_{k<j, k≠i} n_k},
    ⟨x|ρ_ij|y⟩ = Σ_rest s_ij(x, rest) s_ij(y, rest) ⟨x, rest|ρ|y, rest⟩:

⟨10|ρ_ij|01⟩ = ⟨a_j†a_i⟩ has the string of the modes between i and j.  Elements between even and
odd particle numbers follow the same rule, ⟨0|ρ_j|1⟩ = ⟨a_j†⟩ with the string from mode 0 on; ρ_ij
is positive where ρ is, and they vanish in every state without coherence between the two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real, row_panels
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, Index

# Numbers of a 2 x 2 and of a 4 x 4 matrix.
_ONE, _TWO = 4, 16


@dataclass(frozen=True, eq=False)
class LocalSums:
    """Everything local of T states as one array, which adds up over the columns of ρ.

    values: (T, 4N + 16P + 2) complex, P = N(N − 1)/2: ranks add these up and nothing else;
    n_sites: N.
    """

    values: Complex
    n_sites: int

    def __add__(self, other: "LocalSums") -> "LocalSums":
        return LocalSums(self.values + other.values, self.n_sites)

    @property
    def one_site(self) -> Complex:
        """(T, N, 2, 2) reduced states ρ_j in the order |0⟩, |1⟩."""
        return self.values[:, : _ONE * self.n_sites].reshape(-1, self.n_sites, 2, 2)

    @property
    def two_site(self) -> Complex:
        """(T, P, 4, 4) reduced states ρ_ij in the order |00⟩, |10⟩, |01⟩, |11⟩ of |n_i n_j⟩.

        Pairs i < j as `LocalMap.pairs` has them.
        """
        flat = self.values[:, _ONE * self.n_sites : -2]
        return flat.reshape(len(flat), flat.shape[1] // _TWO, 4, 4)

    @property
    def densities(self) -> Real:
        """(T, N) ⟨n_j⟩."""
        densities: Real = self.one_site[:, :, 1, 1].real
        return densities

    @property
    def energy(self) -> Real:
        """(T,) tr(Hρ), in the unit of H."""
        return self.values[:, -2].real

    @property
    def purity(self) -> Real:
        """(T,) tr ρ² = Σ_ab |ρ_ab|² of Hermitian ρ."""
        return self.values[:, -1].real


class _Elements(NamedTuple):
    """Elements of ρ and what they add to: `targets` of a reduced state, with a sign each."""

    rows: Index
    columns: Index
    targets: Index
    signs: Real


@dataclass(frozen=True, eq=False)
class LocalMap:
    """Linear map from columns of ρ to their share of all one-site and two-site reduced states.

    basis: occupations 0 or 1 only: fermions, or bosons with at most one on a site; of one
        particle number or of several.
    columns: a slice of step 1 of the D columns of ρ; all of them by default.

    Every method takes (T, D, m) states, complex, m the number of columns, and raises ValueError
    for another shape.  Indices are made once, at the first use: some N² D numbers.
    Raises TypeError or ValueError for another basis or slice.
    """

    basis: FockBasis
    columns: slice = field(default_factory=lambda: slice(None))

    def __post_init__(self) -> None:
        arguments.instance("basis", self.basis, FockBasis)
        arguments.instance("columns", self.columns, slice)
        if self.basis.largest != 1:
            raise InputError(
                f"basis holds up to {self.basis.largest} particles a mode: local states are of "
                "occupations 0 and 1 (fermions, or bosons with max_occupation = 1)"
            )
        first, stop, step = self.columns.indices(self.basis.dimension)
        if step != 1:
            raise InputError(f"columns = {self.columns}: a slice of step 1 is needed")
        object.__setattr__(self, "columns", slice(first, max(first, stop)))

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return self.basis.n_modes

    @property
    def n_columns(self) -> int:
        """Number of columns m."""
        return int(self.columns.stop - self.columns.start)

    @cached_property
    def pairs(self) -> NDArray[np.intp]:
        """(P, 2) sites i < j of all pairs: (0, 1), (0, 2), …, (1, 2), …."""
        return np.stack(np.triu_indices(self.n_sites, 1), axis=1)

    def one_site(self, states: NDArray[Any]) -> Complex:
        """(T, N, 2, 2) partial sums of the reduced states ρ_j in the order |0⟩, |1⟩."""
        flat = self._reduced(states, slice(0, _ONE * self.n_sites))
        return flat.reshape(len(flat), self.n_sites, 2, 2)

    def two_site(self, states: NDArray[Any]) -> Complex:
        """(T, P, 4, 4) partial sums of ρ_ij in the order |00⟩, |10⟩, |01⟩, |11⟩ of |n_i n_j⟩."""
        flat = self._reduced(states, slice(_ONE * self.n_sites, None))
        return flat.reshape(len(flat), len(self.pairs), 4, 4)

    def densities(self, states: NDArray[Any]) -> Real:
        """(T, N) partial sums of ⟨n_j⟩ = Σ_a n_j(a) Re ρ_aa."""
        own = np.arange(self.n_columns)
        diagonal: Real = self._checked(states)[:, self.columns.start + own, own].real
        return diagonal @ self.basis.occupations[self.columns].astype(np.float64)

    def expectation(self, states: NDArray[Any], operator: Any) -> Complex:
        """(T,) partial sums of tr(Mρ) = Σ_ab (M_ab)* ρ_ab; they add up to a real number.

        operator: (D, D) Hermitian M, array or SciPy sparse.  Raises TypeError or ValueError for
        another shape; that M is Hermitian is for the caller to know.
        """
        own = self._own_columns(operator)
        if sp.issparse(own):
            entries = own.tocoo()
            found: Complex = (
                self._checked(states)[:, entries.row, entries.col] @ entries.data.conj()
            )
            return found.astype(np.complex128)
        measure = trace_with(own)
        values = [measure(state) for state in self._checked(states)]
        return np.array(values, dtype=np.complex128)

    def purity(self, states: NDArray[Any]) -> Real:
        """(T,) partial sums of tr ρ² = Σ_ab |ρ_ab|² of Hermitian ρ."""
        return np.array([np.vdot(one, one).real for one in self._checked(states)], dtype=float)

    def sums(self, states: NDArray[Any], hamiltonian: Any) -> LocalSums:
        """Reduced states, energy and purity as one array to add up over ranks.

        hamiltonian: (D, D) Hermitian, array or SciPy sparse.
        """
        reduced = self._reduced(states, slice(None))
        energy, purity = self.expectation(states, hamiltonian), self.purity(states)
        values = np.concatenate([reduced, energy[:, None], purity[:, None]], axis=1)
        return LocalSums(values, self.n_sites)

    def _reduced(self, states: NDArray[Any], wanted: slice) -> Complex:
        """(T, n) these elements of the reduced states, a few times at once."""
        rows, columns, matrix = self._gathering
        matrix = matrix if wanted == slice(None) else matrix[wanted]
        result = np.empty((len(self._checked(states)), matrix.shape[0]), dtype=np.complex128)
        for some in row_panels(slice(0, len(states)), matrix.shape[1]):
            elements = states[some, rows, columns].astype(np.complex128, copy=False)
            # Of all times side by side; a real matrix takes complex columns as two real ones.
            beside = np.ascontiguousarray(elements.T)
            result[some] = (matrix @ beside.view(float)).view(np.complex128).T
        return result

    @cached_property
    def _gathering(self) -> tuple[Index, Index, sp.csr_array]:
        """Rows and columns (of the own) of all elements needed, and the signs they add with."""
        parts = [
            _elements(self.basis, self.columns, modes, offset) for modes, offset in self._groups()
        ]
        rows, columns, targets, signs = map(np.concatenate, zip(*parts))
        places, which = np.unique(rows * max(1, self.n_columns) + columns, return_inverse=True)
        size = _ONE * self.n_sites + _TWO * len(self.pairs)
        matrix = sp.csr_array((signs, (targets, which.ravel())), shape=(size, len(places)))
        return *np.divmod(places, max(1, self.n_columns)), matrix

    def _groups(self) -> list[tuple[Sequence[int], int]]:
        """Modes of every reduced state and where it begins."""
        sites = [((j,), _ONE * j) for j in range(self.n_sites)]
        first = _ONE * self.n_sites
        return [*sites, *((pair, first + _TWO * p) for p, pair in enumerate(self.pairs))]

    def _own_columns(self, operator: Any) -> Any:
        matrix = operator.tocsc() if sp.issparse(operator) else np.asarray(operator)
        if matrix.dtype.kind not in "biufc":
            raise InputTypeError(f"operator has dtype {matrix.dtype}: must be numeric")
        if matrix.shape != (self.basis.dimension,) * 2:
            raise InputError(
                f"operator has shape {matrix.shape}: must be ({self.basis.dimension}, "
                f"{self.basis.dimension})"
            )
        return matrix[:, self.columns]

    def _checked(self, states: NDArray[Any]) -> NDArray[Any]:
        wanted = (self.basis.dimension, self.n_columns)
        if not isinstance(states, np.ndarray) or states.dtype.kind not in "biufc":
            raise InputTypeError("states: a numeric array of shape (T, D, m) is needed")
        if states.ndim != 3 or states.shape[1:] != wanted:
            raise InputError(
                f"states have shape {states.shape}: must be (T, {wanted[0]}, {wanted[1]})"
            )
        return states


def _elements(basis: FockBasis, own: slice, modes: Sequence[int], offset: int) -> _Elements:
    """Elements ⟨x, rest|ρ|y, rest⟩ of own columns that add to ⟨x|ρ_modes|y⟩ at offset + (x, y)."""
    size = 2 ** len(modes)
    weights = basis.place_values[list(modes)]
    bits = (np.arange(size)[:, None] >> np.arange(len(modes))) & 1
    present = basis.occupations[own][:, modes]
    wanted = basis.keys[own] - present @ weights + (bits @ weights)[:, None]
    rows = np.minimum(np.searchsorted(basis.keys, wanted), basis.dimension - 1)
    x, columns = np.nonzero(basis.keys[rows] == wanted)
    rows, y = rows[x, columns], (present @ (1 << np.arange(len(modes))))[columns]
    signs = _front_signs(basis, modes)
    return _Elements(rows, columns, offset + x * size + y, signs[rows] * signs[own][columns])


def _front_signs(basis: FockBasis, modes: Sequence[int]) -> Real:
    """(D,) sign of every state when ascending `modes` are moved in front of all others."""
    if basis.statistics == "boson":
        return np.ones(basis.dimension)
    own = basis.occupations[:, modes]
    # Modes of the group do not pass each other.
    passed = 1.0 - 2.0 * ((np.cumsum(own, axis=1) - own) % 2)
    signs: Real = np.where(own == 1, basis.signs[:, modes] * passed, 1.0).prod(axis=1)
    return signs


def trace_with(operator: Any) -> Callable[[NDArray[Any]], complex]:
    """The function Σ_ab (M_ab)* ρ_ab of (D, m) columns ρ, for (D, m) columns M.

    Over all columns it is tr(M†ρ), tr(Mρ) of Hermitian M.  operator: array or SciPy sparse.
    """
    if not sp.issparse(operator):
        return lambda state: _inner(operator, state)
    entries = operator.tocoo()
    weights = entries.data.conj()
    return lambda state: complex(weights @ state[entries.row, entries.col])


def _inner(operator: NDArray[Any], state: NDArray[Any]) -> complex:
    # By panels: a real operator is made complex, and a strided one contiguous.
    panels = row_panels(slice(0, len(state)), state.shape[1])
    return complex(sum(np.vdot(operator[rows], state[rows]) for rows in panels))
