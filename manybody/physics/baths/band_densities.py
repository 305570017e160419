"""Spectral densities on a band: semi-elliptic and flat, of leads of particles.

See docs/physics.md section 6.  Energies are in units of J, D in J as well.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.spectral_density import SpectralDensity, set_field
from manybody.physics.underflow import zero_where_tiny

_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class _BandDensity(SpectralDensity):
    """Density D of a height on a band between two edges."""

    height: float
    half_width: float
    centre: float = 0.0

    _may_be_wide = False

    def __post_init__(self) -> None:
        set_field(self, "height", arguments.real("density height", self.height, minimum=0.0))
        check = arguments.real_or_infinite if self._may_be_wide else arguments.real
        set_field(self, "half_width", check("density half_width", self.half_width, above=0.0))
        set_field(self, "centre", arguments.real("density centre", self.centre))

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
