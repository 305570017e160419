"""What couples to what: system operators, each with the bath that it exchanges energy with.

A coupling is a pair of an operator A and the power spectrum of its bath.  Its share of the
Redfield equation is Λ ρ A† − A†Λ ρ + h.c. with Λ = Σ Γ(E_k − E_l) |l⟩⟨l|A|k⟩⟨k| and
Γ = γ/2 + iη, ω > 0 energy given to the bath (SNM eqs. (9) and (10), corrected as in
docs/physics.md section 8).  A Hermitian A is one pair.  Linear coupling H_int = J Σ_k g_k (a†d_k +
h.c.) is two, since no correlation joins B†B and BB†: loss through a, gain through a†.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, annihilation_operator, parity_operator

Index = NDArray[np.int64]
Transitions = tuple[Index, Index, NDArray[Any], Index]

_RESERVOIR_METHODS = ("spectrum", "occupation", "filled", "shift", "filled_shift")


class PowerSpectrum(Protocol):
    """γ(ω) and η(ω) = P∫ dω' γ(ω') / (2π (ω − ω')) of a bath, on arrays of any shape."""

    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum; ω > 0 is energy given to the bath."""

    def eta(self, omega: ArrayLike) -> Real:
        """Its Kramers-Kronig partner."""


@dataclass(frozen=True)
class Loss:
    """Particles lost to a reservoir: γ(ω) = J² (1 ∓ f(ω)) D(ω), SNM eq. (7), upper sign fermions.

    reservoir: has spectrum, occupation, filled, shift, filled_shift, chemical_potential and
    statistics; strength: J.
    """

    reservoir: Any
    strength: float

    def gamma(self, omega: ArrayLike) -> Real:
        """J² (D − fD) for fermions, J² (D + fD) for bosons."""
        omega = np.asarray(omega, dtype=np.float64)
        reservoir = self.reservoir
        if reservoir.statistics == "boson":
            thermal: Real = reservoir.spectrum(omega) + reservoir.filled(omega)
        else:
            # 1 − f(ω) = f(2μ − ω): the difference would lose the digits of a full reservoir.
            mirrored = 2.0 * reservoir.chemical_potential - omega
            thermal = reservoir.spectrum(omega) * reservoir.occupation(mirrored)
        return self.strength**2 * thermal

    def eta(self, omega: ArrayLike) -> Real:
        """J² (Δ ∓ Δ^f), upper sign fermions."""
        omega = np.asarray(omega, dtype=np.float64)
        sign = 1.0 if self.reservoir.statistics == "boson" else -1.0
        shift: Real = self.reservoir.shift(omega) + sign * self.reservoir.filled_shift(omega)
        return self.strength**2 * shift


@dataclass(frozen=True)
class Gain:
    """Particles gained from a reservoir: γ(−ω) = J² f(ω) D(ω), SNM eq. (7); see `Loss`."""

    reservoir: Any
    strength: float

    def gamma(self, omega: ArrayLike) -> Real:
        """J² f(−ω) D(−ω)."""
        filled: Real = self.reservoir.filled(-np.asarray(omega, dtype=np.float64))
        return self.strength**2 * filled

    def eta(self, omega: ArrayLike) -> Real:
        """P∫ dω' J² f(−ω')D(−ω') / (2π (ω − ω')) = −J² Δ^f(−ω)."""
        filled_shift: Real = self.reservoir.filled_shift(-np.asarray(omega, dtype=np.float64))
        return -(self.strength**2) * filled_shift


@dataclass(frozen=True, eq=False)
class Ladder:
    """A = Σ_k v_k a_k, or Σ_k v_k a_k† when `creates`; amplitudes: (N,) v.

    graded: that a is preceded and a† followed by the parity (−1)^n, as when the fermions of the
    bath come after those of the system in the order of Jordan and Wigner.  Even states,
    ρ without coherence between even and odd particle numbers, evolve the same either
    way; odd operators such as a_p only obey their closed equation of motion with it.
    """

    amplitudes: NDArray[Any]
    creates: bool
    graded: bool

    def frequencies(self, energies: Real) -> Real:
        """(N,) energy taken from modes of these energies: ω_k, −ω_k for a_k†."""
        return -energies if self.creates else energies

    def to_modes(self, orbitals: NDArray[Any]) -> "Ladder":
        """The same operator in c_m = Σ_j (V_jm)* a_j, V (N, N) unitary."""
        turned = orbitals.conj() if self.creates else orbitals
        return replace(self, amplitudes=self.amplitudes @ turned)

    def to_sites(self, orbitals: NDArray[Any]) -> "Ladder":
        """The inverse of `to_modes`."""
        turned = orbitals if self.creates else orbitals.conj()
        return replace(self, amplitudes=self.amplitudes @ turned.T)

    def times(self, factors: NDArray[Any]) -> "Ladder":
        """The operator with amplitudes v_k factors_k."""
        return replace(self, amplitudes=self.amplitudes * factors)

    def operator(self, basis: FockBasis) -> sp.csr_array:
        """A in the modes of the basis, (D, D).  ValueError for a basis of one particle number."""
        if basis.n_particles is not None:
            raise InputError(
                f"n_particles = {basis.n_particles}: linear coupling changes the number, "
                "a basis of every number is needed"
            )
        values = self.amplitudes.conj() if self.creates else self.amplitudes
        total = sp.csr_array((basis.dimension,) * 2, dtype=values.dtype)
        for mode in np.flatnonzero(values):
            total = total + values[mode] * annihilation_operator(basis, int(mode))
        if self.graded:
            total = parity_operator(basis) @ total
        return sp.csr_array(total.conj().T if self.creates else total)

    def transitions(self, basis: FockBasis) -> Transitions:
        """Targets, sources, values and indices into `amplitudes` of the elements of A."""
        nothing = np.empty(0, dtype=np.int64)
        parts = [(nothing, nothing, np.empty(0), nothing)]
        for mode in np.flatnonzero(self.amplitudes):
            unit = np.zeros_like(self.amplitudes)
            unit[mode] = self.amplitudes[mode]
            part = replace(self, amplitudes=unit).operator(basis).tocoo()
            parts.append((part.row, part.col, part.data, np.full(part.nnz, mode)))
        targets, sources, values, labels = (np.concatenate(each) for each in zip(*parts))
        return targets, sources, values, labels


@dataclass(frozen=True, eq=False)
class Coupling:
    """One system operator A with the power spectrum of its bath.

    operator: a `Ladder` or a (D, D) matrix in the basis that is used; for what is not
    Hermitian use `exchange_couplings`, which gives both halves of a Hermitian H_int.
    bath: has gamma(omega) and eta(omega), see `PowerSpectrum`; coupling strengths are in γ.
    Raises TypeError.
    """

    operator: Any
    bath: Any

    def __post_init__(self) -> None:
        _check_methods("bath", self.bath, ("gamma", "eta"))
        if not isinstance(self.operator, (Ladder, np.ndarray)) and not sp.issparse(self.operator):
            raise InputTypeError(
                f"operator = {shown(self.operator)}: a Ladder or a matrix is needed"
            )

    @property
    def is_field(self) -> bool:
        """Whether A is written in the a_j, so that a quadratic H labels its frequencies."""
        return isinstance(self.operator, Ladder)

    def matrix(self, basis: FockBasis) -> sp.csr_array:
        """A as CSR, (D, D).  Raises ValueError when it or its bath does not fit the basis."""
        if isinstance(self.bath, (Loss, Gain)):
            statistics = self.bath.reservoir.statistics
            if statistics != basis.statistics:
                raise InputError(f"a {statistics} reservoir does not fit {basis.statistics} modes")
        if isinstance(self.operator, Ladder):
            if self.operator.amplitudes.shape[0] != basis.n_modes:
                raise InputError(
                    f"a coupling of {self.operator.amplitudes.shape[0]} modes does not fit "
                    f"a basis of {basis.n_modes}"
                )
            return self.operator.operator(basis)
        if self.operator.shape != (basis.dimension,) * 2:
            raise InputError(
                f"operator has shape {self.operator.shape}: must be "
                f"({basis.dimension}, {basis.dimension})"
            )
        return sp.csr_array(self.operator)


def hermitian_coupling(operator: Any, bath: Any) -> Coupling:
    """A Hermitian A, a (D, D) array or SciPy sparse matrix, with one bath.

    Raises ValueError unless A is square, finite and Hermitian to 1e-12 of its largest entry.
    """
    matrix = sp.csr_array(operator)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"operator has shape {matrix.shape}: must be (D, D)")
    if not np.all(np.isfinite(matrix.data)):
        raise InputError("operator: all entries must be finite")
    deviation = float(abs(matrix - matrix.conj().T).max())
    if deviation > 1e-12 * float(abs(matrix).max()):
        raise InputError(f"operator is not Hermitian: max |A - A†| = {deviation:.3g}")
    return Coupling(matrix, bath)


def exchange_couplings(
    n_modes: int, site: int, reservoir: Any, strength: float = 1.0, graded: bool = True
) -> tuple[Coupling, Coupling]:
    """Loss through a_j and gain through a_j†: H_int = J Σ_k g_k (a_j†d_k + h.c.).

    reservoir: D(ω) = 2π Σ_k g_k² δ(ω − ω_k) and its filling f, see `Loss`; strength: J.
    graded: see `Ladder`; of no influence for bosons.  Raises TypeError or ValueError.
    """
    amplitudes = np.zeros(arguments.integer("n_modes", n_modes, 1))
    amplitudes[_site(n_modes, site)] = 1.0
    _check_methods("reservoir", reservoir, _RESERVOIR_METHODS)
    statistics = arguments.choice(
        "reservoir statistics", getattr(reservoir, "statistics", None), ("fermion", "boson")
    )
    strength = arguments.real("strength", strength)
    graded = arguments.boolean("graded", graded) and statistics == "fermion"
    return (
        Coupling(Ladder(amplitudes, creates=False, graded=graded), Loss(reservoir, strength)),
        Coupling(Ladder(amplitudes, creates=True, graded=graded), Gain(reservoir, strength)),
    )


def one_sided_rates(
    bath: Any, amplitudes: NDArray[Any], frequencies: Real, lamb_shift: bool
) -> NDArray[Any]:
    """Γ(ω) = γ/2 + iη, real γ/2 without the Lamb shift, where `amplitudes` are not zero.

    amplitudes, frequencies: arrays of one shape, elements of A and the energies they give away.
    Raises ValueError where A has an element at which Γ is infinite, as at ω = 0 for a
    sub-Ohmic bath.
    """
    rates: NDArray[Any] = 0.5 * np.asarray(bath.gamma(frequencies))
    if lamb_shift:
        rates = rates + 1j * np.asarray(bath.eta(frequencies))
    infinite = ~np.isfinite(rates)
    if np.any(infinite):
        size = np.abs(amplitudes)
        # Elements that vanish come out of an eigenbasis as rounding.
        present = infinite & (size > 1e-13 * size.max())
        if np.any(present):
            raise InputError(
                f"the bath has an infinite rate at ω = {frequencies[present][0]:g}, where the "
                "coupling has an element: this bath takes no such coupling"
            )
        rates = np.where(infinite, 0.0, rates)
    return rates


def _site(n_modes: int, site: object) -> int:
    place = arguments.integer("site", site, 0)
    if place >= n_modes:
        raise InputError(f"site = {shown(site)}: allowed are 0 to {n_modes - 1}")
    return place


def _check_methods(name: str, value: object, methods: tuple[str, ...]) -> None:
    missing = [method for method in methods if not callable(getattr(value, method, None))]
    if missing:
        raise InputTypeError(f"{name} = {shown(value)}: has no {', '.join(missing)}")
