"""Reservoirs in closed form for the tests: no code of the package."""

from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Flat:
    """D = height on [−half_width, half_width]."""

    height: float = 1.0
    half_width: float = 10.0

    breakpoints = ()

    @property
    def support(self):
        return (-self.half_width, self.half_width)

    def __call__(self, omega):
        return np.where(np.abs(omega) <= self.half_width, self.height, 0.0)

    def shift(self, omega):
        ratio = np.abs((self.half_width + omega) / (self.half_width - omega))
        return self.height / (2 * np.pi) * np.log(ratio)

    def filled_shift(self, omega, beta, mu):
        """For fermions, half_width - |mu| >> 1/beta: the occupied lower edge is sharp."""
        psi = special.digamma(0.5 + 0.5j * beta * (omega - mu) / np.pi).real
        edge = np.log(beta * (self.half_width + omega) / (2 * np.pi))
        return self.height / (2 * np.pi) * (edge - psi)

    def kernel(self, t):
        return self.height * self.half_width / np.pi * np.sinc(self.half_width * t / np.pi)


@dataclass(frozen=True)
class SemiElliptic:
    """D = height √(1 − ((ω − centre)/half_width)²)."""

    height: float = 1.0
    half_width: float = 2.0
    centre: float = 0.0

    breakpoints = ()

    @property
    def support(self):
        return (self.centre - self.half_width, self.centre + self.half_width)

    def __call__(self, omega):
        x = (np.asarray(omega) - self.centre) / self.half_width
        return self.height * np.sqrt(np.maximum(1.0 - x**2, 0.0))

    def shift(self, omega):
        x = (np.asarray(omega) - self.centre) / self.half_width
        return 0.5 * self.height * (x - np.sign(x) * np.sqrt(np.maximum(x**2 - 1.0, 0.0)))

    def kernel(self, t):
        x = self.half_width * np.asarray(t)
        ratio = np.where(x == 0.0, 0.5, special.j1(x) / np.where(x == 0.0, 1.0, x))
        return 0.5 * self.height * self.half_width * ratio * np.exp(-1j * self.centre * t)


@dataclass(frozen=True)
class Ohmic:
    """D = ω^exponent e^{−ω/cutoff} for ω > 0."""

    cutoff: float = 2.0
    exponent: float = 1.0

    breakpoints = ()
    support = (0.0, np.inf)

    def __call__(self, omega):
        omega = np.asarray(omega, dtype=float)
        size = np.maximum(omega, 0.0)
        with np.errstate(under="ignore"):
            return np.where(omega > 0.0, size**self.exponent * np.exp(-size / self.cutoff), 0.0)

    def kernel(self, t):
        s = self.exponent
        scaled = (1.0 / self.cutoff + 1j * np.asarray(t)) ** (-s - 1)
        return special.gamma(s + 1) / (2 * np.pi) * scaled


@dataclass(frozen=True)
class Lead:
    """A reservoir of one of the densities above."""

    density: object
    beta: float = 1.0
    chemical_potential: float = 0.0
    statistics: str = "fermion"

    def spectrum(self, omega):
        return self.density(omega)

    def occupation(self, omega):
        x = self.beta * (np.asarray(omega, dtype=float) - self.chemical_potential)
        if self.statistics == "fermion":
            return special.expit(-x)
        with np.errstate(over="ignore"):
            return 1.0 / np.expm1(x)

    def filled(self, omega):
        return self.occupation(omega) * self.spectrum(omega)

    def shift(self, omega):
        return self.density.shift(omega)

    def filled_shift(self, omega):
        return self.density.filled_shift(omega, self.beta, self.chemical_potential)


@dataclass(frozen=True)
class Contact:
    """The contact of manybody.physics.gaussian.quadratic, as far as it is used here."""

    site: int
    reservoir: Lead
    strength: float = 1.0


@dataclass(frozen=True)
class Model:
    """The model of manybody.physics.gaussian.quadratic, as far as it is used here."""

    hamiltonian: np.ndarray
    contacts: tuple
    statistics: str = "fermion"
