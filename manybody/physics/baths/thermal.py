"""Baths for Hermitian couplings with any spectral density: γ(ω), η(ω) and C(t) by quadrature."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.panels import Panels
from manybody.physics.baths.protocol import GammaBath, temperature_of_modes
from manybody.physics.baths.spectral_density import SpectralDensity
from manybody.physics.underflow import zero_where_tiny

# Multiples of the temperature at which a thermal step or tail is to be seen by quadrature.
THERMAL_SCALES = (0.25, 1.0, 4.0, 16.0, 64.0)
# Share of C(0) that may be missing from C(t).
_MISSING = 1e-9


class QuadratureBath(GammaBath, ABC):
    """What follows from γ(ω) alone, by polynomials on panels found once (2 to 20 ms).

    η takes 16 divisions per panel and frequency, 5 ms for 1000 frequencies and 40 panels;
    `eta_error` says how right it is, about 1e-13 of the largest γ.
    """

    beta: float

    @property
    @abstractmethod
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere."""

    @abstractmethod
    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum γ(ω) >= 0.

        Parameters
        ----------
        omega : float or array
            In J, any shape and sign.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """

    @abstractmethod
    def _sizes(self) -> tuple[float, ...]:
        """|ω| up to and from which γ is not 0, inf where it has no end, and its breakpoints."""

    @abstractmethod
    def _at(self, anchor: Real, offset: Real) -> Real:
        """γ(anchor + offset), nowhere at 0."""

    def _noise(self) -> tuple[float, float]:
        """Relative errors of a position that γ feels, and of γ."""
        return 0.0, 0.0

    def _check_transform(self) -> None:  # noqa: B027
        """Raise ValueError where η does not exist."""

    @property
    def edges(self) -> tuple[float, ...]:
        """Where γ may not be smooth, |ω| beside 0, its ends among them, inf where it has none."""
        return self._sizes()

    @zero_where_tiny
    def eta(self, omega: ArrayLike) -> Real:
        """Kramers-Kronig partner η(ω) = P∫ dω' γ(ω') / (2π (ω − ω')) of γ.

        The imaginary part of Γ = γ/2 + iη.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`; ±inf at a step of γ.
        """
        return self._panels.principal_value(omega) / (2.0 * np.pi)

    @zero_where_tiny
    def eta_error(self, omega: ArrayLike) -> Real:
        """Estimated absolute error of `eta`.

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

    @zero_where_tiny
    def correlation(self, time: ArrayLike) -> NDArray[np.complex128]:
        """Correlation function C(t) = ∫ dω/2π γ(ω) e^{−iωt}.

        Parameters
        ----------
        time : float or array
            In 1/J, any shape.

        Returns
        -------
        array of complex
            In J², same shape as `time`; absolute error 1e-14 ∫γ/2π.

        Raises
        ------
        InputError
            Times are so short that a slow decay of γ leaves more than 1e-9 of C unknown: with
            γ ~ 1/ω at large ω, as of Drude and Lorentz, C(0) is infinite.
        """
        missing = self._panels.fourier_error(time)
        bad = np.flatnonzero(~(missing <= _MISSING * self._panels.integral))
        if bad.size and self._panels.scale > 0.0:
            raise InputError(
                f"time = {np.ravel(time)[bad[0]]:g}: γ decays so slowly that C(t) is infinite or "
                "not known to 1e-9 here"
            )
        return self._panels.fourier(time) / (2.0 * np.pi)

    @cached_property
    def _panels(self) -> Panels:
        self._check_transform()
        sizes = self._sizes()
        thermal = []
        # Without a finite temperature there is no thermal scale.
        if 0.0 < self.beta < math.inf:
            starts = (0.0, *sizes[1:2])
            thermal = [start + scale / self.beta for start in starts for scale in THERMAL_SCALES]
        return Panels(
            f"gamma of {self!r}",
            self._at,
            [0.0, *sizes, *(-size for size in sizes)],
            *self._noise(),
            scales=[*thermal, *(-size for size in thermal)],
        )


@dataclass(frozen=True)
class ThermalBath(QuadratureBath):
    """Identical bosonic baths with any spectral density, coupled to Hermitian operators.

    Parameters
    ----------
    density : SpectralDensity
        D(ω) of modes ω > 0, its support from 0 or above.
    beta : float
        Inverse temperature > 0 in 1/J, inf for T = 0.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    γ(ω) = D(|ω|) [1 + n(|ω|)] for ω > 0, D(|ω|) n(|ω|) for ω < 0, with n(x) = 1/(e^{βx} − 1);
    ω > 0 is energy given to the bath.  At T = 0 n = 0, γ(0) = 0 also of sub-Ohmic densities, and η
    is the Δ of the density.  There is no chemical potential, since a Hermitian coupling exchanges
    no particles.  See docs/physics.md section 2.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> bath = mb.ThermalBath(mb.DrudeLorentzDensity(coupling=0.2, cutoff=10.0), beta=5.0)
    >>> np.allclose(bath.gamma(0.7), np.exp(5.0 * 0.7) * bath.gamma(-0.7))  # detailed balance
    True
    """

    density: SpectralDensity
    beta: float

    def __post_init__(self) -> None:
        arguments.instance("bath density", self.density, SpectralDensity)
        object.__setattr__(self, "beta", temperature_of_modes("bath beta", self.beta))
        if self.density.support[0] < 0.0:
            raise InputError(
                f"bath density = {self.density!r}: D at omega < 0 has no place in a Hermitian "
                "coupling, where γ(−ω) follows from D(ω); a support from 0 or above is needed"
            )
        self.density.slope(0.0)

    def unit(self) -> tuple["ThermalBath", float]:
        """The bath of strength one, and γ of this one in units of that.

        Returns
        -------
        (ThermalBath, float)
            γ is their product.
        """
        density, strength = self.density.unit()
        return replace(self, density=density), strength

    @zero_where_tiny
    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum γ(ω) = D(|ω|)/|ω| · ω / (1 − e^{−βω}).

        Returns
        -------
        array
            In J, same shape as `omega`; detailed balance holds to rounding.  γ(0) = lim D(ω)/(βω).

        Raises
        ------
        InputError
            ω = 0 where that is infinite (sub-Ohmic).
        """
        if self.beta == math.inf:
            omega = np.asarray(omega, dtype=np.float64)
            return self._cold(omega, self.density(np.maximum(omega, 0.0)))[()]
        omega = self._allowed(omega)
        return (self.density.slope(np.abs(omega)) * self._thermal(omega))[()]

    @zero_where_tiny
    def eta(self, omega: ArrayLike) -> Real:
        """Kramers-Kronig partner η(ω) = P∫ dω' γ(ω') / (2π (ω − ω')) of γ.

        Raises
        ------
        InputError
            It does not exist: phonons without a cutoff, ω = 0 where γ(0) is infinite.
        """
        if self.beta == math.inf:
            return self.density.shift(omega)
        return super().eta(self._allowed(omega))

    @zero_where_tiny
    def eta_error(self, omega: ArrayLike) -> Real:
        """Estimated absolute error of `eta`."""
        if self.beta == math.inf:
            return self.density.shift_error(omega)
        return super().eta_error(omega)

    def _allowed(self, omega: ArrayLike) -> Real:
        """`omega` as an array, without the pole of γ."""
        omega = np.asarray(omega, dtype=np.float64)
        if np.isinf(self.density.slope(0.0)) and not np.all(omega != 0.0):
            raise InputError(
                f"{self!r} has γ(0) = inf, since D(ω)/ω grows without end for ω → 0: couplings "
                "with diagonal elements, such as A_j = |j⟩⟨j|, are refused"
            )
        return omega

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere."""
        return self.density.vanishes

    def _cold(self, omega: Real, density: Real) -> Real:
        """D(ω) for ω > 0, else 0; nan is kept."""
        return np.where(np.isnan(omega), omega, np.where(omega > 0.0, density, 0.0))

    def _thermal(self, omega: Real) -> Real:
        """ω / (1 − e^{−βω}), 1/β at 0."""
        x = self.beta * np.abs(omega)
        with np.errstate(invalid="ignore", under="ignore"):
            emission = np.where(x > 0.0, x / -np.expm1(-x), 1.0)
            spectrum: Real = emission * np.exp(-np.where(omega < 0.0, x, 0.0)) / self.beta
            return spectrum

    def _at(self, anchor: Real, offset: Real) -> Real:
        omega = anchor + offset
        if self.beta == math.inf:
            return self._cold(omega, self.density.at(anchor, offset))
        sign = np.where(omega < 0.0, -1.0, 1.0)
        # From 0 the offset is the frequency; elsewhere the density has all digits near an edge.
        direct = self.density.slope(np.abs(omega))
        anchored = self.density.at(sign * anchor, sign * offset) / np.abs(omega)
        return np.where(anchor == 0.0, direct, anchored) * self._thermal(omega)

    def _sizes(self) -> tuple[float, ...]:
        lower, upper = self.density.support
        return upper, lower, *self.density.breakpoints

    def _noise(self) -> tuple[float, float]:
        return self.density.position_noise, self.density.precision

    def _check_transform(self) -> None:
        self.density.check_transform()
