"""Spectral densities D(ω) = 2π Σ_k g_k² δ(ω − ω_k) of baths, and their principal values.

One density serves two kinds of coupling: `ThermalBath` makes of it the power spectrum γ(ω) of
a Hermitian coupling, `Reservoir` the f(ω)D(ω) of particle exchange (PHYSICS.md sections 2, 6).
Frequencies are in units of J, D in J as well.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.panels import Panels
from manybody.physics.underflow import zero_where_tiny

_EXPONENTS = (0.1, 20.0)
# e^−x and its powers with it are nothing beyond.
_BEYOND = 1e4
_ROUNDING = float(np.finfo(np.float64).eps)


class SpectralDensity(ABC):
    """D(ω) >= 0, zero outside its support.

    Without a closed form in the subclass Δ(ω) comes from polynomials of degree 15 on 10 to
    500 panels, found once (2 to 20 ms): 16 divisions per panel and frequency, 5 ms for 1000
    frequencies and 40 panels.  Its error, about 1e-13 of the largest D, is told by
    `shift_error`.
    """

    # Relative error of a position x = anchor + offset that D(x) feels, and of D itself.
    position_noise = 0.0
    precision = 0.0

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Where D > 0 lies between; may be infinite."""

    @property
    @abstractmethod
    def breakpoints(self) -> tuple[float, ...]:
        """Finite points that quadrature must know: D is not smooth there or changes its scale."""

    @abstractmethod
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω), same shape as `omega`."""

    @property
    def vanishes(self) -> bool:
        """Whether D = 0 everywhere."""
        return False

    def unit(self) -> tuple["SpectralDensity", float]:
        """A density of strength one, and D in units of that; itself where it knows none."""
        return self, 1.0

    @zero_where_tiny
    def at(self, anchor: Real, offset: Real) -> Real:
        """D(anchor + offset); next to an edge of the support the offset has more digits."""
        return self(anchor + offset)

    @zero_where_tiny
    def slope(self, omega: ArrayLike) -> Real:
        """D(ω)/ω for ω > 0, and its limit at 0, which may be infinite."""
        omega = np.asarray(omega, dtype=np.float64)
        positive = omega > 0.0
        return np.where(positive, self(omega) / np.where(positive, omega, 1.0), self._limit())

    def _limit(self) -> float:
        """lim D(ω)/ω for ω → 0."""
        if self.support[0] <= 0.0:
            raise InputError(f"{self!r}: D(ω)/ω is not known to have a limit at omega = 0")
        return 0.0

    def check_transform(self) -> None:  # noqa: B027
        """Raise ValueError where no principal value of D exists."""

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω) = P∫ D(ω') / (2π (ω − ω')) dω', same shape as `omega`; ±inf at a step of D."""
        return self._panels.principal_value(omega) / (2.0 * np.pi)

    @zero_where_tiny
    def shift_error(self, omega: ArrayLike) -> Real:
        """Estimated absolute error of `shift`, same shape as `omega`."""
        return self._panels.principal_value_error(omega) / (2.0 * np.pi)

    @cached_property
    def _panels(self) -> Panels:
        self.check_transform()
        points = (*self.support, *self.breakpoints)
        return Panels(repr(self), self.at, points, self.position_noise, self.precision)


@dataclass(frozen=True)
class _CutDensity(SpectralDensity):
    """D on ω > 0 with a strength J_int and a cutoff ω_c."""

    coupling: float
    cutoff: float

    def __post_init__(self) -> None:
        _set(self, "coupling", arguments.real("density coupling", self.coupling, minimum=0.0))
        _set(self, "cutoff", arguments.real("density cutoff", self.cutoff, above=0.0))

    @property
    def support(self) -> tuple[float, float]:
        """(0, ∞)."""
        return 0.0, math.inf

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The edge and the cutoff."""
        return 0.0, self.cutoff

    @property
    def vanishes(self) -> bool:
        """Whether D = 0 everywhere."""
        return self.coupling == 0.0

    def unit(self) -> tuple[SpectralDensity, float]:
        """That of J_int = 1."""
        return replace(self, coupling=1.0), self.coupling**2


@dataclass(frozen=True)
class OhmicDensity(_CutDensity):
    """D(ω) = J_int² ω_c^{1−s} ω^s e^{−ω/ω_c} for ω > 0, zero below; SNM eq. (16) has s = 1.

    coupling: J_int >= 0; cutoff: ω_c > 0, both in J; exponent: s from 0.1 to 20, sub-Ohmic
    below 1, super-Ohmic above.  Δ by quadrature.  Raises TypeError or ValueError.
    """

    exponent: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        exponent = arguments.real("density exponent", self.exponent)
        if not _EXPONENTS[0] <= exponent <= _EXPONENTS[1]:
            raise InputError(f"density exponent = {exponent!r}: must lie in {list(_EXPONENTS)}")
        _set(self, "exponent", exponent)

    @zero_where_tiny
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω), same shape as `omega`."""
        return self.coupling**2 * self.cutoff * self._shape(omega, self.exponent)

    @zero_where_tiny
    def slope(self, omega: ArrayLike) -> Real:
        """D(ω)/ω, at 0 its limit: J_int² for s = 1, 0 above, infinite below."""
        if self.vanishes:
            return np.zeros(np.shape(omega))
        return self.coupling**2 * self._shape(omega, self.exponent - 1.0)

    def _shape(self, omega: ArrayLike, power: float) -> Real:
        """x^power e^−x of x = ω/ω_c >= 0, zero for x < 0."""
        x = np.asarray(omega, dtype=np.float64) / self.cutoff
        size = np.clip(x, 0.0, _BEYOND)
        with np.errstate(under="ignore", divide="ignore"):
            return np.where(x < 0.0, 0.0, size**power * np.exp(-size))[()]


@dataclass(frozen=True)
class DrudeLorentzDensity(_CutDensity):
    """D(ω) = J_int² ω / (1 + (ω/ω_c)²) for ω > 0, zero below: the slope at 0 is the Ohmic one.

    coupling: J_int >= 0; cutoff: ω_c > 0, both in J.  It decays as 1/ω only, so that C(0) is
    infinite.  Δ in closed form, to about 1e-15 J_int² ω_c.  Raises TypeError or ValueError.
    """

    @zero_where_tiny
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω), same shape as `omega`."""
        omega = np.asarray(omega, dtype=np.float64)
        density: Real = np.maximum(omega, 0.0) * self.slope(omega)
        return density

    @zero_where_tiny
    def slope(self, omega: ArrayLike) -> Real:
        """D(ω)/ω, J_int² at 0."""
        x = np.asarray(omega, dtype=np.float64) / self.cutoff
        with np.errstate(over="ignore"):
            return self.coupling**2 / (1.0 + x * x)

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω) = (J_int² ω_c / 2π) (x ln|x| − π/2) / (1 + x²), x = ω/ω_c; by partial fractions."""
        x = np.asarray(omega, dtype=np.float64) / self.cutoff
        size = np.abs(x)
        # Large x from below: x² would overflow.
        inverse = 1.0 / np.maximum(size, 1.0)
        logarithm = np.log(np.where(size > 0.0, size, 1.0))
        near, far = np.minimum(size, 1.0), np.sign(x)
        small = (np.sign(x) * near * logarithm - 0.5 * np.pi) / (1.0 + near * near)
        large = (far * logarithm - 0.5 * np.pi * inverse) * inverse / (1.0 + inverse * inverse)
        value = np.where(size < 1.0, small, large)
        return (self.coupling**2 * self.cutoff / (2.0 * np.pi) * value)[()]

    @zero_where_tiny
    def shift_error(self, omega: ArrayLike) -> Real:
        """Rounding of the closed form."""
        return 4.0 * _ROUNDING * (np.abs(self.shift(omega)) + self.coupling**2 * self.cutoff)


@dataclass(frozen=True)
class PhononDensity(SpectralDensity):
    """D(Ω) = κ Ω³ e^{−Ω/ω_c} for Ω > 0, zero below: phonons in three dimensions.

    strength: κ >= 0 in J⁻²; cutoff: ω_c > 0 in J, or inf for none.  Without a cutoff Δ and η
    do not exist and asking for them is a ValueError; else they come by quadrature.  Raises
    TypeError or ValueError.
    """

    strength: float
    cutoff: float = math.inf

    def __post_init__(self) -> None:
        _set(self, "strength", arguments.real("density strength", self.strength, minimum=0.0))
        _set(self, "cutoff", arguments.real_or_infinite("density cutoff", self.cutoff, above=0.0))

    @property
    def support(self) -> tuple[float, float]:
        """(0, ∞)."""
        return 0.0, math.inf

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The edge and a finite cutoff."""
        return (0.0,) if self.cutoff == math.inf else (0.0, self.cutoff)

    @property
    def vanishes(self) -> bool:
        """Whether D = 0 everywhere."""
        return self.strength == 0.0

    @zero_where_tiny
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω), same shape as `omega`."""
        return self._times_power(omega, 3)

    @zero_where_tiny
    def slope(self, omega: ArrayLike) -> Real:
        """D(ω)/ω, 0 at 0."""
        return self._times_power(omega, 2)

    def _times_power(self, omega: ArrayLike, power: int) -> Real:
        size = np.maximum(np.asarray(omega, dtype=np.float64), 0.0)
        if self.vanishes:
            return np.zeros(size.shape)
        if self.cutoff != math.inf:
            size = np.minimum(size, _BEYOND * self.cutoff)
        with np.errstate(under="ignore"):
            density: Real = self.strength * size**power * np.exp(-size / self.cutoff)
            return density

    def check_transform(self) -> None:
        """Raise ValueError without a cutoff."""
        if self.cutoff == math.inf and not self.vanishes:
            raise InputError(
                "density cutoff = inf: κΩ³ grows without end and has no Lamb shift; a finite "
                "cutoff is needed for one"
            )


@dataclass(frozen=True)
class _BandDensity(SpectralDensity):
    """D of a height on a band between two edges."""

    height: float
    half_width: float
    centre: float = 0.0

    _may_be_wide = False

    def __post_init__(self) -> None:
        _set(self, "height", arguments.real("density height", self.height, minimum=0.0))
        check = arguments.real_or_infinite if self._may_be_wide else arguments.real
        _set(self, "half_width", check("density half_width", self.half_width, above=0.0))
        _set(self, "centre", arguments.real("density centre", self.centre))

    @property
    def support(self) -> tuple[float, float]:
        """The band edges."""
        return self.centre - self.half_width, self.centre + self.half_width

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The band edges, where they are finite."""
        return () if self.half_width == math.inf else self.support

    @property
    def vanishes(self) -> bool:
        """Whether D = 0 everywhere."""
        return self.height == 0.0

    @zero_where_tiny
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω), same shape as `omega`."""
        omega = np.asarray(omega, dtype=np.float64)
        return self.at(omega, np.zeros_like(omega))[()]


@dataclass(frozen=True)
class SemiEllipticDensity(_BandDensity):
    """D(ω) = Γ √(1 − x²) for |x| <= 1, x = (ω − centre)/Ω: a half-filled Newns band.

    height: Γ >= 0; half_width: Ω > 0; centre; all in J.  Δ = Γx/2 in the band and
    Γ (x − sgn(x) √(x² − 1))/2 outside, to rounding.  Raises TypeError or ValueError.
    """

    @zero_where_tiny
    def at(self, anchor: Real, offset: Real) -> Real:
        """D(anchor + offset) from the distances to both edges."""
        lower, upper = self.support
        above: Real = np.sqrt(np.maximum((anchor - lower) + offset, 0.0) / self.half_width)
        below: Real = np.sqrt(np.maximum((upper - anchor) - offset, 0.0) / self.half_width)
        return self.height * above * below

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω), same shape as `omega`: the Hilbert transform of a semicircle."""
        omega = np.asarray(omega, dtype=np.float64)
        x = (omega - self.centre) / self.half_width
        # Next to an edge the distance from it has digits that x − 1 has not.
        lower, upper = self.support
        beyond = np.maximum(np.maximum(omega - upper, lower - omega), 0.0) / self.half_width
        outside = np.sign(x) / (1.0 + beyond + np.sqrt(beyond) * np.sqrt(beyond + 2.0))
        return (0.5 * self.height * np.where(beyond == 0.0, x, outside))[()]

    @zero_where_tiny
    def shift_error(self, omega: ArrayLike) -> Real:
        """Rounding of the closed form."""
        return np.full(np.shape(omega), 4.0 * _ROUNDING * self.height)[()]


@dataclass(frozen=True)
class FlatDensity(_BandDensity):
    """D(ω) = Γ for |ω − centre| <= Λ, zero outside: a lead with a flat band.

    height: Γ >= 0; half_width: Λ > 0, or inf for the wide-band limit; centre; all in J.
    Δ = (Γ/2π) ln|(Λ + x)/(Λ − x)|, x = ω − centre, infinite at the edges; 0 for Λ = inf.
    Δ^f depends on Λ as ln Λ and does not exist without it.  Raises TypeError or ValueError.
    """

    half_width: float = math.inf

    _may_be_wide = True

    @zero_where_tiny
    def at(self, anchor: Real, offset: Real) -> Real:
        """D(anchor + offset) from the distances to both edges."""
        lower, upper = self.support
        inside = ((anchor - lower) + offset >= 0.0) & ((upper - anchor) - offset >= 0.0)
        omega = anchor + offset
        return np.where(np.isnan(omega), omega, np.where(inside, self.height, 0.0))

    def check_transform(self) -> None:
        """Raise ValueError without band edges."""
        if self.half_width == math.inf and not self.vanishes:
            raise InputError(
                "density half_width = inf: P∫ f D/(2π(ω − ω')) grows as the logarithm of the "
                "half-width; a finite one is needed for this shift"
            )

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω), same shape as `omega`."""
        omega = np.asarray(omega, dtype=np.float64)
        if self.half_width == math.inf:
            return np.where(np.isfinite(omega), 0.0, omega)[()]
        lower, upper = self.support
        with np.errstate(divide="ignore"):
            ratio: Real = np.log(np.abs(omega - lower)) - np.log(np.abs(omega - upper))
        return self.height / (2.0 * np.pi) * ratio

    @zero_where_tiny
    def shift_error(self, omega: ArrayLike) -> Real:
        """Rounding of the closed form: two logarithms cancel."""
        omega = np.asarray(omega, dtype=np.float64)
        if self.half_width == math.inf:
            return np.zeros(omega.shape)[()]
        size = np.zeros(omega.shape)
        for edge in self.support:
            distance = np.abs(omega - edge)
            size += np.abs(np.log(np.where(distance > 0.0, distance, 1.0)))
        return _ROUNDING * self.height * (1.0 + size)


def _set(instance: object, name: str, value: object) -> None:
    object.__setattr__(instance, name, value)
