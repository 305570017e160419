"""The Redfield Liouvillian as sparse rows, written site by site and without communication.

On the index b N + a of element (a, b), row (a, b) has M_ac + (Λ_b)_ac at (c, b) and
conj(M_bc + (Λ_a)_bc) at (a, c): 2N − 1 entries of N² (docs/physics.md section 3).  Both parts
come from the same site b, so that whoever owns columns of rho needs nothing from others.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import aligned_copy, aligned_empty, product
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.bath_groups import columns_of_groups, strengths_of_sites
from manybody.physics.couplings import MatrixCouplings, SiteProjectors
from manybody.physics.spectra import degeneracy_tolerance

_LARGEST_32_BIT = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, eq=False)
class AssembledRows:
    """Rows b N + a of the Liouvillian for b in some columns, all a.

    matrix: (m N, N²), columns in order within a row; entries_kept: its stored entries;
    entries_possible: m N (2N − 1), what nothing dropped has.
    dropped_local: a bound on ‖δM‖₂ of what was dropped, the same whatever the columns.
    dropped_squares: Σ_b of squared bounds on ‖δΛ_b‖₂, b in the columns: the caller adds
        up those of all columns before `dropped_norm`.
    """

    matrix: sp.csr_array
    entries_kept: int
    entries_possible: int
    dropped_local: float
    dropped_squares: float


def assemble_rows(
    generator: Any,
    columns: slice = slice(None),  # noqa: B008
    drop_tolerance: float = 0.0,
) -> AssembledRows:
    """Rows of the complex-linear Liouvillian of one sample.

    columns: a contiguous range of [0, N), which may be empty: ranks can outnumber sites.
    drop_tolerance: in [0, 1).  Above 0, elements of Λ_j that are at most this times the
        largest |G_lk| are dropped, except where H or K has an element that is stored
        anyway: a dense H gains nothing.  K is built from the rest of the Λ_j, so that the
        trace stays exact.  Elements of H below the rounding of V diag(E) V†, 8√N ε‖H‖₂,
        are dropped too: they would fill the rows of a lattice with noise.  Diagonals stay.
    The bits of a row do not depend on `columns`.  An element of Λ_j that equals the
    threshold to rounding may be dropped in one row and kept in its Hermitian partner;
    `dropped_norm` covers it.  No object but the rows themselves has N³ entries.
    Raises ValueError for a stack, a range with gaps or a tolerance out of [0, 1).
    """
    spectrum = generator.spectrum
    if spectrum.n_samples != 1:
        raise ValueError(f"rows are of one sample, the stack has {spectrum.n_samples}")
    n = spectrum.dimension
    start, stop, step = columns.indices(n)
    if step != 1 or stop < start:
        raise ValueError(f"columns = {columns}: a contiguous range is needed")
    tolerance = arguments.drop_tolerance(drop_tolerance)
    possible = (stop - start) * n * (2 * n - 1)
    shape = ((stop - start) * n, n * n)
    if isinstance(spectrum.couplings, MatrixCouplings):
        if tolerance > 0.0:
            raise InputError(
                f"drop_tolerance = {drop_tolerance!r}: nothing is dropped of couplings that are "
                "no diagonal matrices, allowed is 0"
            )
        return _dense_rows(generator, slice(start, stop))
    one_particle = isinstance(spectrum.couplings, SiteProjectors)
    sites = (_Sites if one_particle else _Diagonals)(generator, tolerance)
    if tolerance == 0.0:
        wide = max(n * n, possible) > _LARGEST_32_BIT
        kind = np.int64 if wide else np.int32
        values = np.empty(possible, dtype=np.complex128)
        indices = np.empty(possible, dtype=kind)
        borders = np.arange(0, possible + 1, 2 * n - 1, dtype=kind)
        each = zip(values.reshape(-1, n, 2 * n - 1), indices.reshape(-1, n, 2 * n - 1))
        for b, (own_values, own_indices) in zip(range(start, stop), each):
            sites.write(b, own_values)
            _write_indices(b, own_indices)
        matrix = sp.csr_array((values, indices, borders), shape=shape)
        return AssembledRows(matrix, possible, possible, 0.0, 0.0)

    kind = np.int64 if n * n > _LARGEST_32_BIT else np.int32
    full_values = np.empty((n, 2 * n - 1), dtype=np.complex128)
    full_indices = np.empty((n, 2 * n - 1), dtype=kind)
    kept_values, kept_indices = [full_values[:0, 0]], [full_indices[:0, 0]]
    counts = np.zeros(shape[0] + 1, dtype=np.int64)
    squares = 0.0
    for b in range(start, stop):
        squares += sites.write(b, full_values)
        _write_indices(b, full_indices)
        kept = sites.kept
        kept_values.append(full_values[kept])
        kept_indices.append(full_indices[kept])
        first = (b - start) * n + 1
        counts[first : first + n] = np.count_nonzero(kept, axis=1)
    borders = np.cumsum(counts)
    if borders[-1] <= _LARGEST_32_BIT:
        # SciPy would widen the indices too.
        borders = borders.astype(kind)
    values = np.concatenate(kept_values)
    # The parts need not outlive their sum: they are as large.
    kept_values.clear()
    matrix = sp.csr_array((values, np.concatenate(kept_indices), borders), shape=shape)
    return AssembledRows(matrix, int(borders[-1]), possible, sites.dropped_local, squares)


def dropped_norm(dropped_local: float, dropped_squares: float) -> float:
    """A bound 2(‖δM‖₂ + (Σ_j ‖δΛ_j‖₂²)^½) on ‖δL‖₁→₁ of what was dropped.

    dropped_squares: the sum over all columns.  The trace distance is off by about t
    times this: an estimate and no bound, since a Redfield propagator may expand
    (docs/physics.md section 3).
    """
    return 2.0 * (dropped_local + float(np.sqrt(dropped_squares)))


class _Rows(ABC):
    """All rows (a, b) of a state b at a time, with the workspaces for it.

    _own, _partner: (D, D), filled by `_filter`: _own[c, a] = (Λ_b)_ac and
    _partner[c, a] = conj (Λ_a)_bc, where Λ_b = Σ_j a_j(b) Λ_j.
    """

    def __init__(self, generator: Any, drop_tolerance: float) -> None:
        spectrum, groups = generator.spectrum, generator.groups
        n = spectrum.dimension
        kind = np.result_type(spectrum.vectors, *(group.rates.dtype for group in groups))
        self._own, self._partner = aligned_empty((n, n), kind), aligned_empty((n, n), kind)
        self._sites = np.arange(n)

        largest = max(float(np.abs(group.rates).max()) for group in groups)
        self._threshold = drop_tolerance * largest
        self._dropping = drop_tolerance > 0.0
        unitary, decay = -1j * generator.hamiltonian[0], generator.decay[0]
        self.dropped_local = 0.0
        if self._dropping:
            moves = np.abs(unitary) > degeneracy_tolerance(spectrum)
            # Solvers that shift the diagonal want all of it to be there.
            np.fill_diagonal(moves, True)
            # K_ac is (Λ_a)_ac: what remains of K belongs to what remains of the Λ_a.
            acts = moves | (np.abs(decay) > self._threshold)
            everything = unitary - decay
            unitary, decay = np.where(moves, unitary, 0.0), np.where(acts, decay, 0.0)
            self._moves, self._acts, self._acts_turned = moves, acts, aligned_copy(acts.T)
            size = np.abs(everything - (unitary - decay))
            self.dropped_local = float(np.sqrt(_squared_bound(size)))
            self.kept = np.empty((n, 2 * n - 1), dtype=np.bool_)
        self._unitary, self._local = unitary, unitary - decay

    @abstractmethod
    def _filter(self, b: int) -> None:
        """Fill _own and _partner."""

    def write(self, b: int, out: NDArray[np.complex128]) -> float:
        """Write the rows (a, b) to `out`, (N, 2N − 1), ordered by index.

        When dropping, `kept` marks what is to be stored.  Returns the square of a bound
        on ‖δΛ_b‖₂.
        """
        n, local = len(self._sites), self._local
        self._filter(b)
        square = self._drop(b) if self._dropping else 0.0
        left = out[:, b : b + n]
        left[...] = self._own.T
        left += local
        right = local[b].conj()
        for here, there in ((slice(b), slice(b)), (slice(b + 1, n), slice(b + n, None))):
            out[:, there] = self._partner[here].T
            out[:, there] += right[here]
        # (c, b) and (a, c) meet at (a, b).
        left[self._sites, self._sites] += self._partner[b] + right[b]
        # A_b commutes with |b⟩⟨b|: no bath in these rows, and no rounding in the trace.
        unitary = self._unitary[b]
        _place(out[b], b, unitary, unitary.conj())
        out[b, 2 * b] = 0.0
        return square

    def _drop(self, b: int) -> float:
        """Set what is too small to zero and mark the rest in `kept`."""
        n, own, partner, kept = len(self._sites), self._own, self._partner, self.kept
        size = np.abs(own)
        stays = size > self._threshold
        stays |= self._acts_turned
        own *= stays
        size *= ~stays
        kept[:, b : b + n] = stays.T
        np.greater(np.abs(partner), self._threshold, out=stays)
        stays |= self._acts[b][:, None]
        partner *= stays
        kept[:, :b] = stays[:b].T
        kept[:, b + n :] = stays[b + 1 :].T
        _place(kept[b], b, self._moves[b], self._moves[b])
        return _squared_bound(size)


class _Sites(_Rows):
    """Rows of one particle, A_b = |b⟩⟨b|.

    Λ_b comes from Y_ka = Σ_l G_lk ⟨a|l⟩⟨l|b⟩ as Λ_b = (⟨b|k⟩ Y)ᵀ V†, and so do the rows
    ⟨b|Λ_a of all a: Y is needed once where G or V is real.  20 N³ flops, 6 N³ where
    both are real, 32 N³ where neither is.  Arrays are kept as transposes: a real matrix
    then meets complex columns from the left.
    """

    def __init__(self, generator: Any, drop_tolerance: float) -> None:
        super().__init__(generator, drop_tolerance)
        spectrum, groups = generator.spectrum, generator.groups
        vectors, n = spectrum.vectors[0], spectrum.dimension
        self._coupled = spectrum.coupled
        self._vectors, self._conjugate = aligned_copy(vectors), aligned_copy(vectors.conj())
        self._turned = aligned_copy(vectors.T)
        self._partners = aligned_copy(np.where(spectrum.coupled, vectors.conj().T, 0.0))
        self._rates = [aligned_copy(group.rates[0].T) for group in groups]
        self._reversed = [aligned_copy(group.rates[0].conj().T) for group in groups]
        self._owned = columns_of_groups(groups, spectrum.coupled, slice(0, n))
        self._strengths = strengths_of_sites(groups, spectrum.coupled)
        self._partners *= self._strengths
        self._owners = np.zeros(n, dtype=np.intp)
        for index, own in enumerate(self._owned):
            self._owners[own] = index
        self._both_complex = np.iscomplexobj(vectors) and generator.has_shift
        kind = self._own.dtype
        self._pairs, self._filtered = aligned_empty((n, n), kind), aligned_empty((n, n), kind)

    def _filter(self, b: int) -> None:
        """_own[c, a] = (Λ_b)_ac and _partner[c, a] = conj (Λ_a)_bc."""
        row, pairs, filtered = self._vectors[b], self._pairs, self._filtered
        np.multiply(self._turned, row.conj()[:, None], out=pairs)
        product(self._rates[self._owners[b]], pairs, filtered)
        if self._coupled[b]:
            # pairs itself may be needed once more.
            np.multiply(filtered, row[:, None], out=self._partner)
            if self._strengths[b] != 1.0:
                self._partner *= self._strengths[b]
            product(self._conjugate, self._partner, self._own)
        else:
            self._own[...] = 0.0
        if len(self._owned) > 1:
            for reversed_, own in zip(self._reversed, self._owned):
                filtered[:, own] = reversed_ @ pairs[:, own]
        elif self._both_complex:
            product(self._reversed[0], pairs, filtered)
        elif np.iscomplexobj(self._rates[0]):
            np.conjugate(filtered, out=filtered)
        np.multiply(filtered, self._partners, out=pairs)
        product(self._vectors, pairs, self._partner)


class _Diagonals(_Rows):
    """Rows of diagonal couplings: Λ_b = Σ_j a_j(b) Λ_j from all Λ_j, baths · D² flops a state."""

    def __init__(self, generator: Any, drop_tolerance: float) -> None:
        super().__init__(generator, drop_tolerance)
        spectrum = generator.spectrum
        self._values = spectrum.couplings.values
        self._filtered = _filtered_of(generator)

    def _filter(self, b: int) -> None:
        """Fill _own and _partner."""
        self._own[...] = np.tensordot(self._values[:, b], self._filtered, 1).T
        self._partner[...] = self._filtered[:, b].conj().T @ self._values


def _dense_rows(generator: Any, columns: slice) -> AssembledRows:
    """Rows of any couplings, all D² entries of them.

    L[σ] = X(σ) + X(σ†)†: row (a, b) has M_ac δ_bd + Σ_j (Λ_j)_ac (A_j)_db at (c, d) and the
    conjugates of the same with (a, c) and (b, d) exchanged.
    """
    spectrum = generator.spectrum
    n, own = spectrum.dimension, range(*columns.indices(spectrum.dimension))
    filtered = _filtered_of(generator)
    couplings = np.stack(list(spectrum.couplings.matrices()))
    local = -1j * generator.hamiltonian[0] - generator.decay[0]
    values = np.empty((len(own), n, n, n), dtype=np.complex128)
    for rows, b in zip(values, own):
        # Indices a, d, c: that of an element is d N + c.
        rows[...] = np.einsum("jac,jd->adc", filtered, couplings[:, :, b])
        rows += np.einsum("jd,jca->adc", filtered[:, b].conj(), couplings.conj())
        rows[:, b] += local
        rows[np.arange(n), :, np.arange(n)] += local[b].conj()
    count = values.size
    kind = np.int64 if max(count, n * n) > _LARGEST_32_BIT else np.int32
    indices = np.tile(np.arange(n * n, dtype=kind), len(own) * n)
    borders = np.arange(0, count + 1, n * n, dtype=kind)
    shape = (len(own) * n, n * n)
    matrix = sp.csr_array((values.reshape(-1), indices, borders), shape=shape)
    return AssembledRows(matrix, count, count, 0.0, 0.0)


def _filtered_of(generator: Any) -> NDArray[Any]:
    """(baths, D, D) all Λ_j."""
    found = {member: one[0] for member, one, _ in generator.filtered()}
    return np.stack([found[member] for member in sorted(found)])


def _squared_bound(size: NDArray[np.float64]) -> float:
    """‖·‖₂² of a matrix of these absolute values is at most ‖·‖_F² and at most ‖·‖₁ ‖·‖_∞."""
    rows, columns = size.sum(axis=0).max(), size.sum(axis=1).max()
    return float(min(np.vdot(size, size), rows * columns))


def _place(row: NDArray[Any], b: int, left: NDArray[Any], right: NDArray[Any]) -> None:
    """Spread left (at (c, b)) and right (at (a, c), c ≠ b) over a row, (2N − 1,)."""
    n = len(left)
    row[:b], row[b : b + n], row[b + n :] = right[:b], left, right[b + 1 :]


def _write_indices(b: int, out: NDArray[Any]) -> None:
    """Indices c N + a for c < b, then b N … b N + N − 1, then c N + a for c > b."""
    n = len(out)
    sites = np.arange(n, dtype=out.dtype)
    out[:, :b] = n * sites[:b] + sites[:, None]
    out[:, b : b + n] = b * n + sites
    out[:, b + n :] = n * sites[b + 1 :] + sites[:, None]
