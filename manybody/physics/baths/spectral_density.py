"""What a spectral density D(ω) = 2π Σ_k g_k² δ(ω − ω_k) of a bath is, and its principal value.

One density serves two kinds of coupling: `ThermalBath` makes of it the power spectrum γ(ω) of
a Hermitian coupling, `Reservoir` the f(ω)D(ω) of particle exchange (docs/physics.md sections 2,
6). Frequencies are in units of J, D in J as well.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.baths.panels import Panels
from manybody.physics.underflow import zero_where_tiny


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


def set_field(instance: object, name: str, value: object) -> None:
    """What a frozen dataclass knows better after its checks."""
    object.__setattr__(instance, name, value)
