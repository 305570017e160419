"""The baths of the examples of LRL, one decay rate for all Bohr frequencies, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments


@dataclass(frozen=True)
class FlatBath:
    """Γ(ω) = γ (n(ω) + 1), Γ(−ω) = γ n(ω) for ω > 0, n = 1/(e^{ω/T} − 1); LRL below (12).

    rate: γ >= 0 at every ω; temperature: T > 0.  It is infinite at ω = 0 and has no Lamb shift,
    which LRL leave out ([49]).  Raises TypeError or ValueError.
    """

    rate: float
    temperature: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", arguments.real("rate", self.rate, minimum=0.0))
        temperature = arguments.real("temperature", self.temperature, above=0.0)
        object.__setattr__(self, "temperature", temperature)

    def occupation(self, omega: ArrayLike) -> Real:
        """n(ω) of ω > 0, same shape as `omega`."""
        x = np.asarray(omega, dtype=np.float64) / self.temperature
        with np.errstate(under="ignore", divide="ignore"):
            occupation: Real = np.exp(-x) / -np.expm1(-x)
            return occupation

    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum; ω > 0 is energy given to the bath."""
        omega = np.asarray(omega, dtype=np.float64)
        x = np.abs(omega) / self.temperature
        with np.errstate(under="ignore", divide="ignore"):
            spectrum: Real = self.rate * np.where(omega < 0.0, np.exp(-x), 1.0) / -np.expm1(-x)
            return spectrum

    def eta(self, omega: ArrayLike) -> Real:
        """There is none: ValueError."""
        raise InputError("a rate that is the same at all ω > 0 has no Lamb shift")


def set_numbers(system: Any, reals: Sequence[str], positive: Sequence[str]) -> None:
    """Fields of a frozen system made floats.  TypeError or ValueError."""
    for name in (*reals, *positive):
        bath = ", a temperature of the thermal baths of LRL (4)," if name in ("T_a", "T_b") else ""
        bounds = {"above": 0.0} if name in positive else {}
        number = arguments.real(f"{name}{bath}", getattr(system, name), **bounds)
        object.__setattr__(system, name, number)


def check_split(omega: float, g: float, equation: str, what: str) -> None:
    """ValueError unless ω_+ and ω_- are different and positive."""
    if g == 0.0:
        raise InputError(
            f"g = 0: ω_+ = ω_- breaks the secular approximation of LRL {equation}, which takes "
            f"{what} apart; g ≠ 0 is needed"
        )
    if not omega > abs(g):
        raise InputError(
            f"g = {g!r} with omega = {omega!r}: LRL {equation} needs ω_± = ω ± g > 0, so |g| < ω"
        )
