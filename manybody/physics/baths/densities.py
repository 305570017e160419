"""Spectral densities D(ω) = 2π Σ_k g_k² δ(ω − ω_k) of baths, and their principal values.

One density serves two kinds of coupling: `ThermalBath` makes of it the power spectrum γ(ω) of
a Hermitian coupling, `Reservoir` the f(ω)D(ω) of particle exchange (docs/physics.md sections 2,
6). Frequencies are in units of J, D in J as well.
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
    """Spectral density D(ω) >= 0 of a bath, zero outside its support.

    A new one is a subclass that says `support`, `breakpoints` and `__call__`.

    Attributes
    ----------
    precision : float, default 0.0
        Share of the largest D to which values are right, where that is more than rounding.
    position_noise : float, default 0.0
        Relative error of the sum anchor + offset that D feels; 0 where `at` takes the two apart.

    Notes
    -----
    Without a closed form in the subclass Δ(ω) comes from polynomials of degree 15 on 10 to
    500 panels, found once (2 to 20 ms): 16 divisions per panel and frequency, 5 ms for 1000
    frequencies and 40 panels.  Its error, about 1e-13 of the largest D, is told by
    `shift_error`.  Δ is that of docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> class Box(mb.SpectralDensity):
    ...     support, breakpoints = (0.0, 2.0), (0.0, 2.0)
    ...     def __call__(self, omega):
    ...         return 0.1 * ((omega > 0) & (omega < 2))
    >>> bool(abs(Box().shift(1.0)) < 1e-10)  # by symmetry
    True
    """

    # Relative error of a position x = anchor + offset that D(x) feels, and of D itself.
    position_noise = 0.0
    precision = 0.0

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Ends of what lies between where D > 0, in J; may be infinite."""

    @property
    @abstractmethod
    def breakpoints(self) -> tuple[float, ...]:
        """Finite points that quadrature must know: D is not smooth there or changes its scale."""

    @abstractmethod
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω).

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """

    @property
    def vanishes(self) -> bool:
        """Whether D = 0 everywhere."""
        return False

    def unit(self) -> tuple["SpectralDensity", float]:
        """A density of strength one, and D in units of that; itself where it knows none.

        Returns
        -------
        (SpectralDensity, float)
            D is their product.
        """
        return self, 1.0

    @zero_where_tiny
    def at(self, anchor: Real, offset: Real) -> Real:
        """D(anchor + offset); next to an edge of the support the offset has more digits.

        Parameters
        ----------
        anchor : float
            In J.
        offset : array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `offset`.
        """
        return self(anchor + offset)

    @zero_where_tiny
    def slope(self, omega: ArrayLike) -> Real:
        """D(ω)/ω for ω > 0, and its limit at 0, which may be infinite.

        Parameters
        ----------
        omega : float or array
            >= 0 in J, any shape.

        Returns
        -------
        array
            Same shape as `omega`.
        """
        omega = np.asarray(omega, dtype=np.float64)
        positive = omega > 0.0
        return np.where(positive, self(omega) / np.where(positive, omega, 1.0), self._limit())

    def _limit(self) -> float:
        """lim D(ω)/ω for ω → 0."""
        if self.support[0] <= 0.0:
            raise InputError(f"{self!r}: D(ω)/ω is not known to have a limit at omega = 0")
        return 0.0

    def check_transform(self) -> None:  # noqa: B027
        """Refuse a density of which no principal value exists.

        Raises
        ------
        InputError
            D has a tail that is too heavy.
        """

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω) = P∫ D(ω') / (2π (ω − ω')) dω'.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`; ±inf at a step of D.

        Raises
        ------
        InputError
            It does not exist.
        """
        return self._panels.principal_value(omega) / (2.0 * np.pi)

    @zero_where_tiny
    def shift_error(self, omega: ArrayLike) -> Real:
        """Estimated absolute error of `shift`.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """
        return self._panels.principal_value_error(omega) / (2.0 * np.pi)

    @cached_property
    def _panels(self) -> Panels:
        self.check_transform()
        points = (*self.support, *self.breakpoints)
        return Panels(repr(self), self.at, points, self.position_noise, self.precision)


@dataclass(frozen=True)
class _CutDensity(SpectralDensity):
    """Density D on ω > 0 with a strength J_int and a cutoff ω_c."""

    coupling: float
    cutoff: float

    def __post_init__(self) -> None:
        _set(self, "coupling", arguments.real("density coupling", self.coupling, minimum=0.0))
        _set(self, "cutoff", arguments.real("density cutoff", self.cutoff, above=0.0))

    @property
    def support(self) -> tuple[float, float]:
        """The interval (0, ∞)."""
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
        """The density of J_int = 1, and J_int²."""
        return replace(self, coupling=1.0), self.coupling**2


@dataclass(frozen=True)
class OhmicDensity(_CutDensity):
    """Power law D(ω) = J_int² ω_c^{1−s} ω^s e^{−ω/ω_c} for ω > 0, zero below.

    Parameters
    ----------
    coupling : float
        J_int >= 0, in J.
    cutoff : float
        ω_c > 0, in J.
    exponent : float, default 1.0
        s from 0.1 to 20: Ohmic at 1, sub-Ohmic below, super-Ohmic above.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eq. (16), has s = 1.  Δ by quadrature.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.OhmicDensity(coupling=0.2, cutoff=10.0)([-1.0, 10.0]).round(6)
    array([0.      , 0.147152])
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
        """D(ω) in closed form."""
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
    """Drude-Lorentz density D(ω) = J_int² ω / (1 + (ω/ω_c)²) for ω > 0, zero below.

    Parameters
    ----------
    coupling : float
        J_int >= 0, in J.
    cutoff : float
        ω_c > 0, in J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    The slope at 0 is the Ohmic one.  It decays as 1/ω only, so that C(0) is infinite.  Δ in closed
    form, to about 1e-15 J_int² ω_c.  See docs/physics.md section 2.

    Examples
    --------
    >>> import manybody as mb
    >>> float(mb.DrudeLorentzDensity(coupling=0.2, cutoff=10.0)(10.0).round(12))
    0.2
    """

    @zero_where_tiny
    def __call__(self, omega: ArrayLike) -> Real:
        """D(ω) in closed form."""
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
    """Phonons in three dimensions, D(Ω) = κ Ω³ e^{−Ω/ω_c} for Ω > 0, zero below.

    Parameters
    ----------
    strength : float
        κ >= 0, in J⁻².
    cutoff : float, default inf
        ω_c > 0, in J; inf for none.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Levy and Kosloff (2014), eq. (15).  Without a cutoff Δ and η do not exist, and asking for them
    is an `InputError`; else they come by quadrature.

    Examples
    --------
    >>> import manybody as mb
    >>> float(mb.PhononDensity(strength=0.5)(2.0))
    4.0
    """

    strength: float
    cutoff: float = math.inf

    def __post_init__(self) -> None:
        _set(self, "strength", arguments.real("density strength", self.strength, minimum=0.0))
        _set(self, "cutoff", arguments.real_or_infinite("density cutoff", self.cutoff, above=0.0))

    @property
    def support(self) -> tuple[float, float]:
        """The interval (0, ∞)."""
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
        """D(Ω) in closed form."""
        return self._times_power(omega, 3)

    @zero_where_tiny
    def slope(self, omega: ArrayLike) -> Real:
        """D(Ω)/Ω, 0 at 0."""
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
        """Refuse phonons without a cutoff.

        Raises
        ------
        InputError
            The cutoff is infinite.
        """
        if self.cutoff == math.inf and not self.vanishes:
            raise InputError(
                "density cutoff = inf: κΩ³ grows without end and has no Lamb shift; a finite "
                "cutoff is needed for one"
            )


@dataclass(frozen=True)
class _BandDensity(SpectralDensity):
    """Density D of a height on a band between two edges."""

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
        """D(ω), zero outside the band."""
        omega = np.asarray(omega, dtype=np.float64)
        return self.at(omega, np.zeros_like(omega))[()]


@dataclass(frozen=True)
class SemiEllipticDensity(_BandDensity):
    """Semi-elliptic band D(ω) = Γ √(1 − x²) for |x| <= 1, x = (ω − centre)/Ω, zero outside.

    Parameters
    ----------
    height : float
        Γ >= 0, in J.
    half_width : float
        Ω > 0, in J.
    centre : float, default 0.0
        In J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    A half-filled Newns band, the leads of Mitchison and Plenio (2018), section III.  Δ = Γx/2 in
    the band and Γ (x − sgn(x) √(x² − 1))/2 outside, to rounding.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.SemiEllipticDensity(height=0.5, half_width=4.0).shift([2.0, 4.0])
    array([0.125, 0.25 ])
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
        """Δ(ω), the Hilbert transform of a semicircle."""
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
    """Flat band D(ω) = Γ for |ω − centre| <= Λ, zero outside.

    Parameters
    ----------
    height : float
        Γ >= 0, in J.
    half_width : float, default inf
        Λ > 0, in J; inf for the wide-band limit.
    centre : float, default 0.0
        In J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Δ = (Γ/2π) ln|(Λ + x)/(Λ − x)|, x = ω − centre, infinite at the edges; 0 for Λ = inf.
    Δ^f depends on Λ as ln Λ and does not exist without it.  See docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.FlatDensity(height=0.2, half_width=1.0)([-2.0, 0.5])
    array([0. , 0.2])
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
        """Refuse a band without edges.

        Raises
        ------
        InputError
            Its half width is infinite.
        """
        if self.half_width == math.inf and not self.vanishes:
            raise InputError(
                "density half_width = inf: P∫ f D/(2π(ω − ω')) grows as the logarithm of the "
                "half-width; a finite one is needed for this shift"
            )

    @zero_where_tiny
    def shift(self, omega: ArrayLike) -> Real:
        """Δ(ω) in closed form."""
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
