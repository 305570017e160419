"""Baths by name, for studies: what each is called, its parameters and what builds it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manybody.physics.baths.densities import DrudeLorentzDensity, OhmicDensity, PhononDensity
from manybody.physics.baths.ohmic import OhmicBath
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.thermal import ThermalBath


@dataclass(frozen=True)
class BathFamily:
    """A kind of bath; parameters: name -> default, None where one must be given."""

    title: str
    parameters: Mapping[str, float | None]
    build: Callable[..., Bath]


def _power_law(coupling: float, cutoff: float, exponent: float, beta: float) -> Bath:
    return ThermalBath(OhmicDensity(coupling, cutoff, exponent), beta)


def _drude_lorentz(coupling: float, cutoff: float, beta: float) -> Bath:
    return ThermalBath(DrudeLorentzDensity(coupling, cutoff), beta)


def _phonon(strength: float, cutoff: float, beta: float) -> Bath:
    return ThermalBath(PhononDensity(strength, cutoff), beta)


BATH_FAMILIES: Mapping[str, BathFamily] = {
    "ohmic": BathFamily("Ohmic", {"coupling": None, "cutoff": None, "beta": None}, OhmicBath),
    "power-law": BathFamily(
        "power law", {"coupling": None, "cutoff": None, "exponent": None, "beta": None}, _power_law
    ),
    "drude-lorentz": BathFamily(
        "Drude-Lorentz", {"coupling": None, "cutoff": None, "beta": None}, _drude_lorentz
    ),
    "phonon": BathFamily(
        "3D phonons", {"strength": None, "cutoff": math.inf, "beta": None}, _phonon
    ),
}
# How figures and text write the parameters.
BATH_SYMBOLS: Mapping[str, tuple[str, str]] = {
    "coupling": (r"$J_\mathrm{int}$", "J_int"),
    "strength": (r"$\kappa$", "kappa"),
    "cutoff": (r"$\omega_c$", "cutoff"),
    "exponent": ("$s$", "exponent"),
    "beta": (r"$\beta$", "beta"),
}
