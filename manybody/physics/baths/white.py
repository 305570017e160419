"""White noise: baths of infinite temperature without memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.protocol import GammaBath


@dataclass(frozen=True)
class WhiteBath(GammaBath):
    """Identical baths of classical white noise, γ(ω) = rate at every ω.

    Parameters
    ----------
    rate : float
        γ >= 0, in J.

    Raises
    ------
    InputError
        The rate is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    See docs/physics.md section 2.  Of modes with a fixed J_int γ(0) = J_int²/β diverges for β → 0;
    this is the limit at a fixed J_int²/β and a high cutoff.  Detailed balance holds at β = 0, the
    Gibbs state is 1/D, and η = 0.  Then Λ_j = γA_j/2, and Redfield is the Lindblad equation
    dρ/dt = −i[H, ρ] + γ Σ_j (A_jρA_j − ½{A_j², ρ}): pure dephasing between the eigenstates of the
    A_j, completely positive, and not Davies, which keeps the secular part of it.  Other spectra of
    infinite temperature, γ(−ω) = γ(ω), are `CallableBath(function, beta=0)`.

    Examples
    --------
    >>> import manybody as mb
    >>> bath = mb.WhiteBath(rate=0.1)
    >>> bath.gamma([-3.0, 0.0]), bath.beta
    (array([0.1, 0.1]), 0.0)
    """

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", arguments.real("bath rate", self.rate, minimum=0.0))

    def unit(self) -> tuple["WhiteBath", float]:
        """The bath of rate 1, and γ of this one in units of that.

        Returns
        -------
        (WhiteBath, float)
            The second is the rate.
        """
        return WhiteBath(1.0), self.rate

    @property
    def beta(self) -> float:
        """Zero: the temperature is infinite."""
        return 0.0

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere."""
        return self.rate == 0.0

    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum γ(ω) = rate.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`.
        """
        omega = np.asarray(omega, dtype=np.float64)
        return np.where(np.isnan(omega), omega, self.rate)[()]

    def eta(self, omega: ArrayLike) -> Real:
        """Kramers-Kronig partner η(ω) = 0: the principal value of an even γ without end.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            Zeros, same shape as `omega`.
        """
        omega = np.asarray(omega, dtype=np.float64)
        return np.where(np.isnan(omega), omega, 0.0)[()]

    def correlation(self, time: ArrayLike) -> NDArray[np.complex128]:
        """Correlation function C(t) = rate δ(t), 0 at other times.

        Parameters
        ----------
        time : float or array
            In 1/J, any shape, not 0.

        Returns
        -------
        array of complex
            Zeros, same shape as `time`.

        Raises
        ------
        InputError
            A time is 0.
        """
        time = np.asarray(time, dtype=np.float64)
        if not self.vanishes and np.any(time == 0.0):
            raise InputError("time = 0: C(t) of white noise is rate·δ(t), infinite there")
        return np.where(np.isnan(time), time, 0.0).astype(np.complex128)[()]
