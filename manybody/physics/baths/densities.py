"""Spectral densities on ω > 0 with a cutoff: Ohmic and other power laws, Drude-Lorentz, phonons.

See docs/physics.md section 2.  Frequencies are in units of J, D in J as well.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.spectral_density import SpectralDensity, set_field
from manybody.physics.underflow import zero_where_tiny

_EXPONENTS = (0.1, 20.0)
# e^−x and its powers with it are nothing beyond.
_BEYOND = 1e4
_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class _CutDensity(SpectralDensity):
    """Density D on ω > 0 with a strength J_int and a cutoff ω_c."""

    coupling: float
    cutoff: float

    def __post_init__(self) -> None:
        set_field(self, "coupling", arguments.real("density coupling", self.coupling, minimum=0.0))
        set_field(self, "cutoff", arguments.real("density cutoff", self.cutoff, above=0.0))

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
        set_field(self, "exponent", exponent)

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
        set_field(self, "strength", arguments.real("density strength", self.strength, minimum=0.0))
        set_field(
            self, "cutoff", arguments.real_or_infinite("density cutoff", self.cutoff, above=0.0)
        )

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
