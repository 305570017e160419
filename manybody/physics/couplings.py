"""The system operators A_j that exchange energy with a bath each, one kind a system.

What follows from them alone stands here, for a stack of eigenvectors V (samples, D, D):
overlaps O_lk = Σ_j |⟨l|A_j|k⟩|², dephasing D_kk' = Σ_j ⟨k|A_j|k⟩⟨k'|A_j|k'⟩ and the decay
K = Σ_j A_j Λ_j, Λ_j = V(G ∘ V†A_jV)V† (docs/physics.md sections 3, 4 and 10).
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import ReadOnly, Real
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments

# A coupling that a user typed or computed is Hermitian up to rounding.
HERMITICITY_TOLERANCE = 1e-12


class Couplings(ABC):
    """All A_j of a system in its working basis, each with a bath of its own.

    dimension: number of states D; is_real: whether all A_j are.
    """

    dimension: int
    is_real: bool = True

    @property
    @abstractmethod
    def n_baths(self) -> int:
        """How many operators there are."""

    @property
    @abstractmethod
    def sum_of_squares_is_constant(self) -> bool:
        """Whether Σ_j A_j² is a number, so that η(0) acts nowhere."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """In few letters what makes two sets of couplings the same."""

    @abstractmethod
    def matrices(self) -> Iterator[NDArray[Any]]:
        """The (D, D) A_j one after the other, as arrays: for small D."""

    @abstractmethod
    def turned(self, vectors: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """(samples, D, D) V†A_jV one after the other."""

    @abstractmethod
    def decay(self, vectors: NDArray[Any], rates: NDArray[Any]) -> NDArray[Any]:
        """(samples, D, D) K = Σ_j A_jΛ_j in the working basis; rates: G."""

    def overlaps(self, vectors: NDArray[Any]) -> tuple[Real, Real]:
        """(samples, D, D) O_lk = Σ_j |⟨l|A_j|k⟩|² and Σ_j ⟨k|A_j|k⟩⟨k'|A_j|k'⟩."""
        total, levels = np.zeros(vectors.shape), []
        for turned in self.turned(vectors):
            total += (turned * turned.conj()).real
            levels.append(np.diagonal(turned, axis1=1, axis2=2).real.copy())
        stacked = np.stack(levels, axis=1)
        return total, np.swapaxes(stacked, 1, 2) @ stacked

    def centred(self, _lamb_shift: bool, _shifts: Real | None = None) -> "Couplings":
        """Couplings of the same equations that round better.

        shifts: (baths,) η(0) of each where they differ.
        """
        return self

    def filtered(
        self, vectors: NDArray[Any], rates: NDArray[Any]
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """(samples, D, D) Λ_j and V†A_jV, one after the other."""
        adjoint = np.swapaxes(vectors.conj(), 1, 2)
        for turned in self.turned(vectors):
            yield vectors @ (rates * turned) @ adjoint, turned

    @abstractmethod
    def some(self, members: NDArray[np.intp]) -> "Couplings":
        """Those of these numbers alone, in their order."""

    @abstractmethod
    def scaled(self, factors: Real) -> "Couplings":
        """factors[j] A_j."""

    def same(self, other: "Couplings") -> bool:
        """Whether both are the same operators."""
        return self is other or self.digest == other.digest


@dataclass(frozen=True, eq=False)
class SiteProjectors(Couplings):
    """A_j = s_j |j⟩⟨j|, the densities of one particle.

    coupled: (N,) True where a bath is attached; strengths: (N,) s_j, None for 1 everywhere.
    """

    coupled: NDArray[np.bool_]
    strengths: Real | None = None

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """Number of sites N."""
        return len(self.coupled)

    @property
    def n_baths(self) -> int:
        """How many sites are coupled."""
        return int(np.count_nonzero(self.coupled))

    @property
    def sum_of_squares_is_constant(self) -> bool:
        """Where every site is coupled, all alike."""
        return self.strengths is None and bool(self.coupled.all())

    @property
    def digest(self) -> str:
        """The sites."""
        own = b"" if self.strengths is None else self.strengths.tobytes()
        return "sites " + hashlib.sha256(self.coupled.tobytes() + own).hexdigest()

    def matrices(self) -> Iterator[NDArray[Any]]:
        """Projectors."""
        for site in np.flatnonzero(self.coupled):
            matrix = np.zeros((len(self.coupled),) * 2)
            matrix[site, site] = self._strength(int(site))
            yield matrix

    def turned(self, vectors: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Of rank one."""
        for site in np.flatnonzero(self.coupled):
            row = vectors[:, site]
            turned = row.conj()[:, :, None] * row[:, None, :]
            yield turned if self.strengths is None else self._strength(int(site)) * turned

    def some(self, members: NDArray[np.intp]) -> "SiteProjectors":
        """Those of some sites, numbered among the coupled ones, ascending."""
        chosen = np.zeros(len(self.coupled), dtype=bool)
        chosen[np.flatnonzero(self.coupled)[members]] = True
        return SiteProjectors(chosen, self.strengths)

    def scaled(self, factors: Real) -> "SiteProjectors":
        """Other strengths."""
        strengths = np.ones(len(self.coupled)) if self.strengths is None else self.strengths.copy()
        strengths[self.coupled] *= factors
        return SiteProjectors(self.coupled, strengths)

    def _strength(self, site: int) -> float:
        return 1.0 if self.strengths is None else float(self.strengths[site])

    def probabilities(self, vectors: NDArray[Any]) -> Real:
        """(samples, N, N) P_jl = s_j |⟨j|l⟩|², rows of sites without a bath set to zero."""
        probabilities: Real = np.abs(vectors) ** 2
        probabilities[:, ~self.coupled] = 0.0
        if self.strengths is not None:
            probabilities *= self.strengths[:, None]
        return probabilities

    def overlaps(self, vectors: NDArray[Any]) -> tuple[Real, Real]:
        """Σ_j P_jl P_jk, both: |⟨l|A_j|k⟩|² = ⟨l|A_j|l⟩⟨k|A_j|k⟩."""
        p = self.probabilities(vectors)
        found = np.swapaxes(p, 1, 2) @ p
        return found, found

    def decay(self, vectors: NDArray[Any], rates: NDArray[Any]) -> NDArray[Any]:
        """K = ((s P G) ∘ V) V†."""
        mixed = (self.probabilities(vectors) @ rates) * vectors
        if self.strengths is not None:
            mixed *= self.strengths[:, None]
        decay: NDArray[Any] = mixed @ np.swapaxes(vectors.conj(), 1, 2)
        return decay


@dataclass(frozen=True, eq=False)
class DiagonalCouplings(ReadOnly, Couplings):
    """A_j = diag(a_j); values: (baths, D) real, a_j(b) in state b of the working basis."""

    values: Real

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """Number of states D."""
        return int(self.values.shape[1])

    @property
    def n_baths(self) -> int:
        """How many operators there are."""
        return len(self.values)

    @property
    def sum_of_squares_is_constant(self) -> bool:
        """Where every ±½ or ±1 counts once, say."""
        squares = (self.values**2).sum(axis=0)
        return _is_constant(squares, float(squares.max()))

    @cached_property
    def digest(self) -> str:
        """The numbers."""
        return f"diagonals {len(self.values)} {hashlib.sha256(self.values.tobytes()).hexdigest()}"

    def some(self, members: NDArray[np.intp]) -> "DiagonalCouplings":
        """Rows."""
        return DiagonalCouplings(self.values[members])

    def scaled(self, factors: Real) -> "DiagonalCouplings":
        """Other values."""
        return DiagonalCouplings(factors[:, None] * self.values)

    def matrices(self) -> Iterator[NDArray[Any]]:
        """Diagonal ones."""
        yield from map(np.diag, self.values)

    def turned(self, vectors: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """V†(a_j ∘ V)."""
        adjoint = np.swapaxes(vectors.conj(), 1, 2)
        for own in self.values:
            yield adjoint @ (own[:, None] * vectors)

    def decay(self, vectors: NDArray[Any], rates: NDArray[Any]) -> NDArray[Any]:
        """Σ_j a_j ∘ Λ_j, row by row."""
        total = np.zeros(vectors.shape, dtype=np.result_type(vectors, rates))
        for own, (filtered, _) in zip(self.values, self.filtered(vectors, rates)):
            total += own[:, None] * filtered
        return total

    def centred(self, lamb_shift: bool, shifts: Real | None = None) -> "DiagonalCouplings":
        """Each a_j less the middle of its values, which halves Λ_j and K.

        A_j = A_j′ + c adds −i[2cη_j(0)A_j′, ρ] to the equation: nothing without Lamb shift, and
        with it nothing where Σ_j c_j η_j(0) A_j′ is a number, as for particles of conserved
        number with equal baths on every site.  Elsewhere the A_j stay as they are.
        """
        middles = 0.5 * (self.values.max(axis=1) + self.values.min(axis=1))
        shifted = self.values - middles[:, None]
        if shifts is not None:
            middles = middles * shifts
        # A sum of any sign is rounded like its largest terms.
        size = float((np.abs(middles)[:, None] * np.abs(shifted)).sum(axis=0).max())
        if lamb_shift and not _is_constant(middles @ shifted, size):
            return self
        return DiagonalCouplings(shifted)


@dataclass(frozen=True, eq=False)
class MatrixCouplings(ReadOnly, Couplings):
    """Any Hermitian A_j; arrays: (baths, D, D)."""

    arrays: NDArray[Any]

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """Number of states D."""
        return int(self.arrays.shape[1])

    @property
    def is_real(self) -> bool:  # type: ignore[override]
        """Whether no element has an imaginary part."""
        return not np.iscomplexobj(self.arrays)

    @property
    def n_baths(self) -> int:
        """How many operators there are."""
        return len(self.arrays)

    @cached_property
    def sum_of_squares_is_constant(self) -> bool:
        """Pauli matrices, say."""
        total = sum(one @ one for one in self.arrays)
        return _is_number(total, float(np.abs(total).max()))

    @cached_property
    def digest(self) -> str:
        """The numbers."""
        return f"matrices {len(self.arrays)} {hashlib.sha256(self.arrays.tobytes()).hexdigest()}"

    def centred(self, lamb_shift: bool, shifts: Real | None = None) -> "MatrixCouplings":
        """Each A_j less its mean, which large ones would round with.

        Where that changes no equation, see `DiagonalCouplings.centred`.
        """
        means = np.trace(self.arrays, axis1=1, axis2=2).real / self.dimension
        shifted = self.arrays - means[:, None, None] * np.eye(self.dimension)
        if shifts is not None:
            means = means * shifts
        added = np.tensordot(means, shifted, 1)
        size = float(np.tensordot(np.abs(means), np.abs(shifted), 1).max())
        if lamb_shift and not _is_number(added, size):
            return self
        return MatrixCouplings(shifted)

    def some(self, members: NDArray[np.intp]) -> "MatrixCouplings":
        """Some of the arrays."""
        return MatrixCouplings(self.arrays[members])

    def scaled(self, factors: Real) -> "MatrixCouplings":
        """Other arrays."""
        return MatrixCouplings(factors[:, None, None] * self.arrays)

    def matrices(self) -> Iterator[NDArray[Any]]:
        """As they are."""
        yield from self.arrays

    def turned(self, vectors: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Two products each."""
        adjoint = np.swapaxes(vectors.conj(), 1, 2)
        for own in self.arrays:
            yield adjoint @ (own @ vectors)

    def decay(self, vectors: NDArray[Any], rates: NDArray[Any]) -> NDArray[Any]:
        """Σ_j A_jΛ_j."""
        kind = np.result_type(vectors, rates, self.arrays)
        total = np.zeros(vectors.shape, dtype=kind)
        for own, (filtered, _) in zip(self.arrays, self.filtered(vectors, rates)):
            total += own @ filtered
        return total


def size_in_words(couplings: Couplings) -> str:
    """Number of states of a system as its users count them, as "64 sites"."""
    kind = "sites" if isinstance(couplings, SiteProjectors) else "states"
    return f"{couplings.dimension} {kind}"


def checked_couplings(value: Any, dimension: int) -> DiagonalCouplings | MatrixCouplings:
    """Couplings from (baths, D) real diagonals or a sequence of (D, D) Hermitian matrices.

    Matrices that are all diagonal are taken as diagonals.  Raises TypeError or ValueError.
    """
    if isinstance(value, (DiagonalCouplings, MatrixCouplings)):
        return value
    if sp.issparse(value):
        raise InputTypeError("couplings: a sequence of matrices is needed, not one sparse matrix")
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return DiagonalCouplings(_checked_diagonals(value, dimension))
    given = _operators(value)
    if all(not sp.issparse(one) and one.ndim == 1 for one in given):
        return DiagonalCouplings(_checked_diagonals(_rows(given), dimension))
    matrices = [_checked_matrix(index, one, dimension) for index, one in enumerate(given)]
    if all(_is_diagonal(one) for one in matrices):
        diagonals = np.array([one.diagonal().real for one in matrices])
        return DiagonalCouplings(_checked_diagonals(diagonals, dimension))
    arrays = np.stack([one.toarray() for one in matrices])
    if np.iscomplexobj(arrays) and not arrays.imag.any():
        arrays = arrays.real.copy()
    arrays.flags.writeable = False
    return MatrixCouplings(arrays)


def _operators(value: Any) -> list[Any]:
    """Its members as arrays or sparse matrices."""
    is_scalar = isinstance(value, np.ndarray) and value.ndim == 0
    if is_scalar or not isinstance(value, (Sequence, np.ndarray)) or len(value) == 0:
        raise InputTypeError(
            f"couplings of type {type(value).__name__}: (baths, D) diagonals or a sequence of "
            "(D, D) Hermitian matrices is needed, at least one"
        )
    return [arguments.array(f"couplings[{index}]", one) for index, one in enumerate(value)]


def _rows(diagonals: list[NDArray[Any]]) -> NDArray[Any]:
    lengths = sorted({len(one) for one in diagonals})
    if len(lengths) > 1:
        raise InputError(f"couplings are diagonals of {lengths} states: must be as many in each")
    return np.stack(diagonals)


def _checked_diagonals(value: NDArray[Any], dimension: int) -> Real:
    value = arguments.array("couplings", value)
    if value.dtype.kind not in "iufb" or value.ndim != 2:
        raise InputTypeError(
            f"couplings of shape {value.shape} and dtype {value.dtype}: diagonals are (baths, D) "
            "real numbers"
        )
    if value.shape[1] != dimension or len(value) == 0:
        raise InputError(
            f"couplings has shape {value.shape}: diagonals of {dimension} states are "
            f"(baths, {dimension}), at least one"
        )
    if not np.isfinite(value).all():
        raise InputError("couplings: all values must be finite")
    _check_size("couplings", float(np.abs(value).max()))
    result = np.array(value, dtype=np.float64)
    result.flags.writeable = False
    return result


def _checked_matrix(index: int, value: Any, dimension: int) -> sp.csr_array:
    try:
        matrix = sp.csr_array(value)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"couplings[{index}] is no matrix: {error}") from error
    if matrix.shape != (dimension, dimension):
        raise InputError(
            f"couplings[{index}] has shape {matrix.shape}: must be ({dimension}, {dimension})"
        )
    if matrix.dtype.kind not in "iufcb":
        raise InputTypeError(f"couplings[{index}] has dtype {matrix.dtype}: must be numeric")
    matrix = matrix.astype(np.complex128 if matrix.dtype.kind == "c" else np.float64)
    if not np.isfinite(matrix.data).all():
        raise InputError(f"couplings[{index}]: all entries must be finite")
    scale = float(abs(matrix).max())
    _check_size(f"couplings[{index}]", scale)
    deviation = float(abs(matrix - matrix.conj().T).max())
    if deviation > HERMITICITY_TOLERANCE * scale:
        raise InputError(
            f"couplings[{index}] is not Hermitian: max |A - A†| = {deviation:.3g} "
            f"(allowed {HERMITICITY_TOLERANCE:g} of the largest entry, {scale:.3g})"
        )
    return sp.csr_array(0.5 * (matrix + matrix.conj().T))


def _check_size(name: str, largest: float) -> None:
    if largest > arguments.LARGEST:
        raise InputError(f"{name} contains {largest:g}: at most {arguments.LARGEST:g} in size")


def _is_diagonal(matrix: sp.csr_array) -> bool:
    entries = matrix.tocoo()
    return not np.any(entries.data[entries.row != entries.col])


def _is_number(matrix: NDArray[Any], size: float) -> bool:
    """Whether only rounding of sums of this size is beside a multiple of the identity."""
    rest = matrix - np.eye(len(matrix)) * np.trace(matrix) / len(matrix)
    return bool(np.abs(rest).max() <= 1e-14 * size)


def _is_constant(values: Real, size: float) -> bool:
    """Whether sums differ by their rounding alone; size: of what they were added up from."""
    return bool(np.ptp(values) <= 1e-14 * size)
