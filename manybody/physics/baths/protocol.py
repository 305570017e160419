"""What a bath is."""

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError


@runtime_checkable
class Bath(Protocol):
    """Identical baths in thermal equilibrium, each coupled to a Hermitian operator A_j.

    ω > 0 is energy given to the bath; all methods take arrays of any shape.
    """

    @property
    def beta(self) -> float:
        """Inverse temperature, in 1/J."""

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere."""

    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum γ(ω) >= 0, in J."""

    def eta(self, omega: ArrayLike) -> Real:
        """Its Kramers-Kronig partner η(ω) = P∫ dω' γ(ω') / (2π (ω − ω'))."""

    def one_sided(self, omega: ArrayLike, lamb_shift: bool) -> NDArray[Any]:
        """Γ(ω) = γ(ω)/2 + iη(ω), or γ(ω)/2 without the Lamb shift."""

    def correlation(self, time: ArrayLike) -> NDArray[np.complex128]:
        """C(t) = ∫ dω/2π γ(ω) e^{−iωt}."""

    def kms_residual(self, omega: ArrayLike) -> float:
        """Largest relative violation of γ(−ω) = e^{−βω} γ(ω)."""


def check_bath(bath: object, lamb_shift: object = False) -> Bath:
    """Return `bath` if density couplings A_j = |j⟩⟨j| can have it.

    TypeError unless it is a Bath; ValueError where γ(0), which their diagonal elements see, is
    infinite, and with a Lamb shift where η does not exist.
    """
    if not isinstance(bath, Bath):
        raise InputTypeError(
            f"bath = {bath!r}: a ThermalBath, CallableBath or OhmicBath is needed"
        )
    if not math.isfinite(bath.gamma(0.0)):
        raise InputError(
            f"bath = {bath!r}: γ(0) = inf, and couplings A_j = |j⟩⟨j| have diagonal elements"
        )
    if lamb_shift:
        bath.eta(0.0)
    return bath
