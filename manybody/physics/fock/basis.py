"""Occupation bases of many fermions or bosons on N modes, and the operators on them.

A state has occupations n_0 … n_{N−1}.  The states of a basis ascend in Σ_j n_j b^j with b above
every n_j: mode 0 turns fastest, and the one-particle sector is the site basis itself.
Fermions follow Jordan and Wigner: a_j |n⟩ = (−1)^{n_0 + … + n_{j−1}} √n_j |n − e_j⟩; bosons the
same without the sign.  Operators are CSR.  Nothing loops over states.

SNM is a paper that docs/physics.md names.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments

Index = NDArray[np.int64]

STATISTICS = ("fermion", "boson")
# 8 bytes a key and 4 N bytes of occupations a state.
MAX_DIMENSION = 20_000_000
MAX_PARTICLES = 1000
_KEY_BITS = 62


@dataclass(frozen=True)
class FockBasis:
    """All occupation-number states of N modes, or those of one particle number.

    Parameters
    ----------
    n_modes : int
        N >= 1.
    statistics : {"fermion", "boson"}, default "fermion"
        Of the particles.
    n_particles : int or None, default None
        The states of that number only; None: of every number.
    max_occupation : int or None, default None
        Largest n_j; 1 for fermions, for bosons None (no limit) or >= 1.
    max_particles : int or None, default None
        Largest Σ_j n_j of a basis of every number; None: no limit.

    Raises
    ------
    InputError
        A limit is missing, senseless or leaves no state, and beyond 20 million states, 1000
        particles or 62 bits for N occupations.

    Notes
    -----
    Bosons of every number need one of the two limits, and then are truncated.  With max_particles
    alone every sector that is kept is whole: number-conserving Hamiltonians are exact, and only a
    particle added to the fullest sector is lost.  With max_occupation the sectors above it are cut
    too (`is_complete` is False).  Creation operators map what would leave the basis to zero
    (docs/physics.md section 10).  States ascend in their `keys`: mode 0 turns fastest.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.FockBasis(3, n_particles=2).occupations
    array([[1, 1, 0],
           [1, 0, 1],
           [0, 1, 1]], dtype=int32)
    """

    n_modes: int
    statistics: str = "fermion"
    n_particles: int | None = None
    max_occupation: int | None = None
    max_particles: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_modes", arguments.integer("n_modes", self.n_modes, 1))
        arguments.choice("statistics", self.statistics, STATISTICS)
        for name, minimum in (("n_particles", 0), ("max_occupation", 1), ("max_particles", 0)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, arguments.integer(name, value, minimum))
        if self.statistics == "fermion" and self.max_occupation not in (None, 1):
            raise InputError(f"max_occupation = {self.max_occupation}: fermions allow 1 only")
        if self.n_particles is not None and self.max_particles is not None:
            raise InputError(
                f"max_particles = {self.max_particles} is for a basis of every number, "
                f"here n_particles = {self.n_particles}"
            )
        limits = (self.n_particles, self.max_occupation, self.max_particles)
        if self.statistics == "boson" and limits == (None, None, None):
            raise InputError(
                "bosons of every number need max_particles or max_occupation: "
                "the space is infinite"
            )
        if self.n_particles is not None and self.n_particles > self.n_modes * self.largest:
            raise InputError(
                f"n_particles = {self.n_particles}: {self.n_modes} modes hold at most "
                f"{self.n_modes * self.largest}"
            )
        if self.n_modes * math.log2(self.largest + 1) > _KEY_BITS:
            raise InputError(
                f"n_modes = {self.n_modes} with up to {self.largest} particles each: "
                f"occupations must fit into {_KEY_BITS} bits"
            )
        if self.numbers[-1] > MAX_PARTICLES:
            raise InputError(f"{self.numbers[-1]} particles: at most {MAX_PARTICLES} are allowed")
        if self.dimension > MAX_DIMENSION:
            raise InputError(f"{self.dimension} states: at most {MAX_DIMENSION} are allowed")

    @property
    def largest(self) -> int:
        """Largest occupation of a mode."""
        if self.statistics == "fermion":
            return 1
        limits = (self.max_occupation, self.n_particles, self.max_particles)
        return max(1, min(limit for limit in limits if limit is not None))

    @property
    def numbers(self) -> range:
        """Particle numbers that occur."""
        if self.n_particles is not None:
            return range(self.n_particles, self.n_particles + 1)
        most = self.n_modes * self.largest
        return range((most if self.max_particles is None else min(most, self.max_particles)) + 1)

    @property
    def is_complete(self) -> bool:
        """Whether no sector misses states: then h alone gives the spectrum of Σ h_jk a_j†a_k."""
        return self.statistics == "fermion" or self.largest >= self.numbers[-1]

    @cached_property
    def dimension(self) -> int:
        """Number of states D."""
        counts = [1] + [0] * self.numbers[-1]
        for _ in range(self.n_modes):
            counts = [
                sum(counts[max(0, total - self.largest) : total + 1])
                for total in range(len(counts))
            ]
        return sum(counts[total] for total in self.numbers)

    @cached_property
    def place_values(self) -> Index:
        """Weights b^j, (N,), b = `largest` + 1: the key of a state is Σ_j n_j b^j."""
        return np.array([(self.largest + 1) ** mode for mode in range(self.n_modes)])

    @cached_property
    def keys(self) -> Index:
        """Ascending keys of the states, (D,)."""
        by_total = {0: np.zeros(1, dtype=np.int64)}
        for mode, weight in enumerate(self.place_values):
            # What the modes to come can still add decides which totals are worth keeping.
            least = self.numbers[0] - self.largest * (self.n_modes - mode - 1)
            longer: dict[int, Index] = {}
            for total in range(max(0, least), self.numbers[-1] + 1):
                parts = [
                    by_total[total - own] + own * weight
                    for own in range(self.largest + 1)
                    if total - own in by_total
                ]
                if parts:
                    longer[total] = np.concatenate(parts)
            by_total = longer
        return np.sort(np.concatenate([by_total[total] for total in self.numbers]))

    @cached_property
    def occupations(self) -> NDArray[np.int32]:
        """Occupations n_j of every state, (D, N)."""
        digits = self.keys[:, None] // self.place_values % (self.largest + 1)
        return digits.astype(np.int32)

    @cached_property
    def totals(self) -> Index:
        """Particle number of every state, (D,)."""
        totals: Index = self.occupations.sum(axis=1, dtype=np.int64)
        return totals

    @cached_property
    def signs(self) -> Real:
        """Jordan-Wigner signs (−1)^{n_0 + … + n_{j−1}}, (D, N); 1 for bosons."""
        if self.statistics == "boson":
            return np.ones((len(self.keys), self.n_modes))
        before = np.cumsum(self.occupations, axis=1) - self.occupations
        return 1.0 - 2.0 * (before % 2).astype(np.float64)

    @cached_property
    def parities(self) -> Real:
        """Parity (−1)^n of every state, (D,), n its particle number."""
        return 1.0 - 2.0 * (self.totals % 2).astype(np.float64)

    def sector(self, n_particles: int) -> "FockBasis":
        """The basis of the same modes with one number of particles.

        Parameters
        ----------
        n_particles : int
            That number, >= 0.

        Returns
        -------
        FockBasis
            Of the same statistics and `max_occupation`.
        """
        return FockBasis(self.n_modes, self.statistics, n_particles, self.max_occupation)

    def find(self, occupations: ArrayLike) -> Index:
        """Index of the states with these occupations.

        Parameters
        ----------
        occupations : (..., N) array of int
            Of one state or of many.

        Returns
        -------
        (...) array of int
            Places in the basis, −1 for no state of it.

        Raises
        ------
        InputError
            They are no integers, or not one for every mode.
        """
        wanted = arguments.array("occupations", occupations)
        n = self.n_modes
        if sp.issparse(wanted) or wanted.shape[-1:] != (n,) or wanted.dtype.kind not in "biu":
            raise InputError(f"occupations = {shown(occupations)}: {n} integers are needed")
        inside = np.all((wanted >= 0) & (wanted <= self.largest), axis=-1)
        keys = np.where(inside[..., None], wanted, 0) @ self.place_values
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(inside & (self.keys[place] == keys), place, -1)


def annihilation_operator(basis: FockBasis, mode: int) -> sp.csr_array:
    """a_j, (D', D): onto the basis itself, or onto the sector of one particle less.

    Raises ValueError for a mode out of range or a sector without particles.
    """
    _check_mode(basis, mode)
    if basis.n_particles is None:
        return _lowering(basis, basis, mode)
    if basis.n_particles == 0:
        raise InputError("n_particles = 0: there is no sector with one particle less")
    return _lowering(basis, basis.sector(basis.n_particles - 1), mode)


def number_operator(basis: FockBasis, mode: int | None = None) -> sp.csr_array:
    """n_j = a_j†a_j, (D, D) diagonal; of all modes together when `mode` is None."""
    if mode is None:
        return _diagonal(basis.totals.astype(np.float64))
    _check_mode(basis, mode)
    return _diagonal(basis.occupations[:, mode].astype(np.float64))


def parity_operator(basis: FockBasis) -> sp.csr_array:
    """(−1)^n, (D, D) diagonal, n the particle number."""
    return _diagonal(basis.parities)


def one_body_operator(basis: FockBasis, matrix: ArrayLike) -> sp.csr_array:
    """Σ_jk m_jk a_j†a_k, (D, D), of any (N, N) matrix, Hermitian or not; SNM eq. (1).

    Raises ValueError unless the matrix is (N, N) and finite.
    """
    entries = _checked_array("matrix", matrix, (basis.n_modes,) * 2)
    rows, columns, values = [], [], []
    diagonal = basis.occupations @ np.diagonal(entries)
    for j, k in np.argwhere(entries != 0):
        if j != k:
            targets, sources, amplitudes = hops(basis, int(j), int(k))
            rows.append(targets)
            columns.append(sources)
            values.append(entries[j, k] * amplitudes)
    everyone = np.flatnonzero(diagonal)
    data = np.concatenate([*values, diagonal[everyone]])
    place = np.concatenate([*rows, everyone]), np.concatenate([*columns, everyone])
    return sp.csr_array((data, place), shape=(basis.dimension,) * 2)


def fock_state(basis: FockBasis, occupations: ArrayLike) -> Complex:
    """(D,) vector of the state with these (N,) occupations.  ValueError if there is none."""
    wanted = np.asarray(occupations)
    if wanted.shape != (basis.n_modes,) or wanted.dtype.kind not in "iu":
        raise InputError(
            f"occupations = {shown(occupations)}: {basis.n_modes} integers are needed"
        )
    place = int(basis.find(wanted))
    if place < 0:
        raise InputError(f"occupations = {shown(occupations)}: no state of this basis")
    state = np.zeros(basis.dimension, dtype=np.complex128)
    state[place] = 1.0
    return state


def fock_rotation(basis: FockBasis, orbitals: NDArray[Any]) -> NDArray[Any]:
    """(D, D) unitary U with U a_m U† = c_m = Σ_j (V_jm)* a_j; column n is |n⟩ of the new modes.

    orbitals: (N, N) unitary V, column m the orbital of mode m.  The c_m have in the new basis
    the matrices that the a_m have in the old one.  Raises ValueError for a basis that is
    not complete.
    """
    if not basis.is_complete:
        raise InputError(
            f"max_occupation = {basis.max_occupation} cuts sectors of up to "
            f"{basis.numbers[-1]} particles, which orbitals then do not span: "
            "truncate by max_particles"
        )
    lower = basis.sector(0)
    columns = np.ones((1, 1), dtype=np.result_type(orbitals, np.float64))
    result = np.zeros((basis.dimension,) * 2, dtype=columns.dtype)
    for number in range(basis.numbers[-1] + 1):
        if number > 0:
            upper = basis.sector(number)
            columns = _add_particle(lower, upper, orbitals, columns)
            lower = upper
        if number in basis.numbers:
            # Sectors keep their order within any basis.
            members = np.flatnonzero(basis.totals == number)
            result[np.ix_(members, members)] = columns
    return result


def hops(basis: FockBasis, j: int, k: int) -> tuple[Index, Index, Real]:
    """Targets, sources and amplitudes of the non-zero elements of a_j†a_k within a basis."""
    occupations = basis.occupations
    if j == k:
        sources = np.flatnonzero(occupations[:, k])
        return sources, sources, occupations[sources, k].astype(np.float64)
    sources = np.flatnonzero((occupations[:, k] > 0) & (occupations[:, j] < basis.largest))
    keys = basis.keys[sources] + (basis.place_values[j] - basis.place_values[k])
    taken, found = occupations[sources, k], occupations[sources, j] + 1
    amplitudes = np.sqrt(taken.astype(np.float64) * found)
    amplitudes *= basis.signs[sources, j] * basis.signs[sources, k]
    if basis.statistics == "fermion" and k < j:
        # The particle taken from k no longer counts for the sign of j.
        amplitudes = -amplitudes
    return np.searchsorted(basis.keys, keys), sources, amplitudes


def _lowering(upper: FockBasis, lower: FockBasis, mode: int) -> sp.csr_array:
    """a_j from the states of `upper` to those of `lower`."""
    sources = np.flatnonzero(upper.occupations[:, mode])
    moved = upper.occupations[sources].copy()
    moved[:, mode] -= 1
    targets = lower.find(moved)
    amplitudes = np.sqrt(upper.occupations[sources, mode].astype(np.float64))
    amplitudes *= upper.signs[sources, mode]
    kept = targets >= 0
    place = targets[kept], sources[kept]
    return sp.csr_array((amplitudes[kept], place), shape=(lower.dimension, upper.dimension))


def _add_particle(
    lower: FockBasis, upper: FockBasis, orbitals: NDArray[Any], columns: NDArray[Any]
) -> NDArray[Any]:
    """The states of `upper` from those of `lower`: |n⟩ = c_m† |n − e_m⟩ / √n_m, lowest m with n_m.

    The lowest mode comes last, which is the order of Jordan and Wigner.
    """
    result = np.empty((upper.dimension,) * 2, dtype=columns.dtype)
    creators = [_lowering(upper, lower, mode).T for mode in range(upper.n_modes)]
    lowest = np.argmax(upper.occupations > 0, axis=1)
    for mode in range(upper.n_modes):
        members = np.flatnonzero(lowest == mode)
        parents = upper.occupations[members].copy()
        parents[:, mode] -= 1
        before = columns[:, lower.find(parents)]
        after = np.zeros((upper.dimension, len(members)), dtype=columns.dtype)
        for site, creator in enumerate(creators):
            after += orbitals[site, mode] * (creator @ before)
        result[:, members] = after / np.sqrt(upper.occupations[members, mode])
    return result


def _diagonal(values: NDArray[Any]) -> sp.csr_array:
    return sp.csr_array(sp.diags(values))


def _check_mode(basis: FockBasis, mode: object) -> None:
    if arguments.integer("mode", mode, 0) >= basis.n_modes:
        raise InputError(f"mode = {shown(mode)}: allowed are 0 to {basis.n_modes - 1}")


def _checked_array(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """`value` as a float or complex array of this shape.  Raises TypeError or ValueError."""
    array = np.asarray(value)
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}: must be {shape}")
    if array.dtype.kind not in "iufc":
        raise InputTypeError(f"{name} has dtype {array.dtype}: must be numeric")
    if not np.all(np.isfinite(array)):
        raise InputError(f"{name}: all entries must be finite")
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
