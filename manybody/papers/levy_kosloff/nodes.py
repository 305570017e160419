"""Two nodes between a hot and a cold bath, checked once: the value that everything of LK takes.

H = ω_h a†a + ω_c b†b + ε(a†b + ab†), node a on the hot bath and b on the cold one, both of
oscillators or both of two-level systems; LK, "The local approach to quantum transport may
violate the second law of thermodynamics" (2014), eqs. (2), (3) and (15).
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.densities import PhononDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.quadratic import BOSON, FERMION, Contact, QuadraticModel

OSCILLATORS, TWO_LEVEL = STATISTICS = ("boson", "tls")
# a†R + h.c., and (a + a†)R of (2).
EXCHANGE, POSITION = CONTACTS = ("exchange", "position")
# What must be positive, and where LK say so.
_POSITIVE = {
    "omega_h": "LK eq. (2) has nodes of positive frequency",
    "omega_c": "LK eq. (2) has nodes of positive frequency",
    "T_h": "LK eqs. (6) and (7) have baths of positive temperature",
    "T_c": "LK eqs. (6) and (7) have baths of positive temperature",
    "kappa": "LK eq. (15) needs κ > 0, without baths nothing is stationary",
}


@dataclass(frozen=True)
class Nodes:
    """Two nodes and their baths, parameters as in `levy_kosloff`; energies in J.

    Raises TypeError or ValueError with the condition of LK that is broken.
    """

    omega_h: float
    omega_c: float
    T_h: float
    T_c: float
    epsilon: float
    kappa: float
    statistics: str = OSCILLATORS
    contact: str = EXCHANGE

    def __post_init__(self) -> None:
        arguments.choice("statistics", self.statistics, STATISTICS)
        arguments.choice("contact", self.contact, CONTACTS)
        if self.contact == POSITION and self.statistics != OSCILLATORS:
            raise InputError(
                f"contact = {self.contact!r} with statistics = {self.statistics!r}: (a + a†)R is "
                f"for oscillators, {OSCILLATORS!r}, of which x and p obey closed equations"
            )
        for name, condition in _POSITIVE.items():
            given = getattr(self, name)
            number = arguments.real(name, given)
            if number <= 0.0:
                raise InputError(f"{name} = {given!r}: must be > 0, {condition}")
            object.__setattr__(self, name, number)
        given = self.epsilon
        object.__setattr__(self, "epsilon", arguments.real("epsilon", given))
        if self.epsilon < 0.0:
            raise InputError(f"epsilon = {given!r}: LK below eq. (3) needs ε > 0, or 0 as a limit")
        if Fraction(self.epsilon) ** 2 >= Fraction(self.omega_h) * Fraction(self.omega_c):
            raise InputError(
                f"epsilon = {given!r}: epsilon**2 must lie below omega_h * omega_c = "
                f"{self.omega_h * self.omega_c:g}, "
                "or LK's condition ω₋ > 0 above eq. (11) is broken"
            )

    @property
    def temperatures(self) -> tuple[float, float]:
        """T_h, T_c."""
        return self.T_h, self.T_c

    @property
    def delta(self) -> int:
        """δ of (3): 1 for two-level systems, −1 for oscillators."""
        return -1 if self.statistics == OSCILLATORS else 1

    @cached_property
    def mixing(self) -> tuple[float, float, float, float]:
        """ω₊, ω₋, cos²θ = (ω_h − ω₋)/(ω₊ − ω₋) and sin²θ, below (10), without cancellation."""
        detuning, splitting = self.omega_h - self.omega_c, self.splitting
        plus = 0.5 * (self.omega_h + self.omega_c + splitting)
        minus = (self.omega_h * self.omega_c - self.epsilon * self.epsilon) / plus
        if splitting == 0.0:
            return plus, minus, 0.0, 1.0
        large = 0.5 * (splitting + abs(detuning)) / splitting
        small = 2.0 * self.epsilon * self.epsilon / (splitting * (splitting + abs(detuning)))
        return (plus, minus, large, small) if detuning >= 0.0 else (plus, minus, small, large)

    @property
    def splitting(self) -> float:
        """ω₊ − ω₋."""
        return math.hypot(self.omega_h - self.omega_c, 2.0 * self.epsilon)

    @cached_property
    def model(self) -> QuadraticModel:
        """The nodes with their baths, contact 0 the hot one, by exchange a†R + h.c.

        Two-level systems are fermions here (Jordan and Wigner): exact for H, all rates, and
        states without coherence between even and odd numbers, as the stationary one.
        """
        density = PhononDensity(self.kappa)
        baths = [Reservoir(density, 1.0 / T, statistics=BOSON) for T in self.temperatures]
        hamiltonian = np.array([[self.omega_h, self.epsilon], [self.epsilon, self.omega_c]])
        if self.statistics == OSCILLATORS:
            return QuadraticModel(hamiltonian, tuple(map(Contact, (0, 1), baths)), BOSON)
        reservoirs = map(TwoLevelReservoir, baths)
        return QuadraticModel(hamiltonian, tuple(map(Contact, (0, 1), reservoirs)), FERMION)


@dataclass(frozen=True)
class TwoLevelReservoir:
    """What a bath of bosons is to a two-level system, written as a reservoir of fermions.

    It takes excitations at the rate D(1 + n) and gives them at the rate Dn, so that
    (1 − f')D' = D(1 + n) and f'D' = Dn: f' = 1/(e^{βω} + 1), D' = D(1 + 2n).

    bosons: the reservoir, with chemical potential 0.  Raises TypeError or ValueError.
    """

    bosons: Reservoir

    def __post_init__(self) -> None:
        arguments.instance("bosons", self.bosons, Reservoir)
        if self.bosons.statistics != BOSON or self.bosons.chemical_potential != 0.0:
            raise InputError(
                f"bosons = {self.bosons!r}: bosons of chemical potential 0 are needed, since "
                "what a two-level system gives to them is energy alone"
            )

    @property
    def beta(self) -> float:
        """Inverse temperature, 1/J."""
        return self.bosons.beta

    @property
    def chemical_potential(self) -> float:
        """0."""
        return 0.0

    @property
    def statistics(self) -> str:
        """ "fermion": no more than one excitation."""
        return FERMION

    def spectrum(self, omega: ArrayLike) -> Real:
        """D'(ω) = D(ω)(1 + 2n(ω)), same shape as `omega`."""
        return self.bosons.spectrum(omega) + 2.0 * self.bosons.filled(omega)

    def occupation(self, omega: ArrayLike) -> Real:
        """f'(ω) = 1/(e^{βω} + 1), same shape as `omega`."""
        omega = np.asarray(omega, dtype=np.float64)
        with np.errstate(under="ignore"):
            small = np.exp(-self.beta * np.abs(omega))
            occupation: Real = np.where(omega > 0.0, small, 1.0) / (1.0 + small)
            return occupation

    def filled(self, omega: ArrayLike) -> Real:
        """f'D' = nD, same shape as `omega`."""
        return self.bosons.filled(omega)

    def shift(self, omega: ArrayLike) -> Real:
        """Δ + 2Δ^f of the bosons, same shape as `omega`."""
        return self.bosons.shift(omega) + 2.0 * self.bosons.filled_shift(omega)

    def filled_shift(self, omega: ArrayLike) -> Real:
        """Δ^f of the bosons, same shape as `omega`."""
        return self.bosons.filled_shift(omega)
