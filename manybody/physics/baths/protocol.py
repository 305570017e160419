"""What a bath is, and at which temperatures.

β = ∞ is the temperature zero: γ(ω) = 0 for ω < 0, and the Gibbs state is the equal mixture of the
ground states.  β = 0 is an infinite one: γ(−ω) = γ(ω), and the Gibbs state is 1/D.  β = nan says
that no temperature belongs to γ: there is no Gibbs state, and what would need one is nan or
refused.

SNM is a paper that docs/physics.md names.
"""

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.underflow import zero_where_tiny


@runtime_checkable
class Bath(Protocol):
    """Identical baths, each coupled to a Hermitian operator A_j; in equilibrium but for β = nan.

    Any object with these members is one.  ω > 0 is energy given to the bath; all methods take
    arrays of any shape.

    Notes
    -----
    See docs/physics.md section 2.

    Examples
    --------
    >>> import manybody as mb
    >>> isinstance(mb.OhmicBath(0.2, 10.0, 5.0), mb.Bath)
    True
    """

    @property
    def beta(self) -> float:
        """Inverse temperature in 1/J, inf for T = 0; nan where γ keeps no detailed balance."""

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere."""

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

    def eta(self, omega: ArrayLike) -> Real:
        """Kramers-Kronig partner η(ω) = P∫ dω' γ(ω') / (2π (ω − ω')) of γ.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """

    def one_sided(self, omega: ArrayLike, lamb_shift: bool) -> NDArray[Any]:
        """One-sided transform Γ(ω) = γ(ω)/2 + iη(ω), or γ(ω)/2 without the Lamb shift.

        Parameters
        ----------
        omega : float or array
            In J, any shape.
        lamb_shift : bool
            Whether η is kept.

        Returns
        -------
        array
            In J, same shape as `omega`; real without the Lamb shift.
        """

    def correlation(self, time: ArrayLike) -> NDArray[np.complex128]:
        """Correlation function C(t) = ∫ dω/2π γ(ω) e^{−iωt}.

        Parameters
        ----------
        time : float or array
            In 1/J, any shape.

        Returns
        -------
        array of complex
            In J², same shape as `time`.
        """

    def kms_residual(self, omega: ArrayLike) -> float:
        """Largest relative violation of γ(−ω) = e^{−βω} γ(ω).

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        float
            nan for β = nan.
        """


class GammaBath:
    """What follows from γ, η and β alone, for baths that know them."""

    @zero_where_tiny
    def one_sided(self: Bath, omega: ArrayLike, lamb_shift: bool) -> NDArray[Any]:
        """One-sided transform Γ(ω) = γ(ω)/2 + iη(ω); real γ/2 without the Lamb shift.

        Parameters
        ----------
        omega : float or array
            In J, any shape.
        lamb_shift : bool
            Whether η is kept.

        Returns
        -------
        array
            In J, same shape as `omega`; complex with the Lamb shift.

        Notes
        -----
        Shiraishi, Nakagawa and Mori (2025), eq. (6).
        """
        half = 0.5 * self.gamma(omega)
        return half + 1j * self.eta(omega) if lamb_shift else half

    def kms_residual(self: Bath, omega: ArrayLike) -> float:
        """Largest |γ(ω) e^{−βω} − γ(−ω)| / γ(ω) over the given frequencies.

        Parameters
        ----------
        omega : float or array
            In J, any shape; their signs do not matter.

        Returns
        -------
        float
            0 for no coupling, nan for a bath without a temperature.
        """
        if not has_temperature(self.beta):
            return math.nan
        size = np.abs(np.asarray(omega, dtype=np.float64)).ravel()
        return float(kms_violation(self, size).max(initial=0.0))


@zero_where_tiny
def kms_violation(bath: Bath, omega: Real) -> Real:
    """|γ(ω) e^{−βω} − γ(−ω)| / γ(ω) for each ω > 0; the numerator where γ(ω) = 0."""
    if not omega.size:
        return np.zeros(0)
    emission, absorption = bath.gamma(omega), bath.gamma(-omega)
    error = np.abs(emission * boltzmann_factor(bath.beta, omega) - absorption)
    violation: Real = error / np.where(emission > 0.0, emission, 1.0)
    return violation


def has_temperature(beta: float) -> bool:
    """Whether a Gibbs state belongs to the β of a bath."""
    return not math.isnan(beta)


def boltzmann_factor(beta: float, omega: Real) -> Real:
    """e^{−βω} of ω >= 0, same shape as `omega`; for β = ∞ it is 1 at ω = 0 and 0 beyond."""
    if beta == math.inf:
        return np.where(omega == 0.0, 1.0, 0.0)
    with np.errstate(under="ignore", over="ignore"):
        factor: Real = np.exp(-beta * omega)
        return factor


def temperature_of_modes(name: str, value: object) -> float:
    """Return `value` as β > 0 or inf of bosonic modes.  Raises TypeError or ValueError."""
    beta = arguments.inverse_temperature(name, value)
    if beta == 0.0:
        raise InputError(
            f"{name} = {value!r}: modes of infinite temperature have γ(ω) = D(|ω|)/(β|ω|) = inf; "
            "must be > 0 or inf, and at β = 0 the spectrum itself is to be given: "
            "WhiteBath(rate) or CallableBath(function, beta=0)"
        )
    return beta


def check_bath(bath: object, lamb_shift: object = False) -> Bath:
    """Return `bath` if density couplings A_j = |j⟩⟨j| can have it.

    TypeError unless it is a Bath; ValueError where γ(0), which their diagonal elements see, is
    infinite, and with a Lamb shift where η does not exist or is infinite at 0.
    """
    if not isinstance(bath, Bath):
        raise InputTypeError(
            f"bath = {shown(bath)}: an OhmicBath, ThermalBath, WhiteBath or CallableBath is needed"
        )
    if not math.isfinite(bath.gamma(0.0)):
        raise InputError(
            f"bath = {bath!r}: γ(0) = inf, and couplings A_j = |j⟩⟨j| have diagonal elements"
        )
    if lamb_shift and not math.isfinite(bath.eta(0.0)):
        raise InputError(
            f"bath = {bath!r}: η(0) = {float(bath.eta(0.0))} where γ has a step, and couplings "
            "A_j = |j⟩⟨j| have diagonal elements: there is no Lamb shift"
        )
    return bath
