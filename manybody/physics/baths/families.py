"""Baths by name, for studies: what each is called, its parameters and what builds it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from manybody.physics.baths.densities import DrudeLorentzDensity, OhmicDensity, PhononDensity
from manybody.physics.baths.ohmic import OhmicBath
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.thermal import ThermalBath
from manybody.physics.baths.white import WhiteBath
from manybody.physics.keys import Key

# How figures and text write parameters that have a letter.
_SYMBOLS = {
    "coupling": (r"$J_\mathrm{int}$", "J_int"),
    "strength": (r"$\kappa$", "kappa"),
    "cutoff": (r"$\omega_c$", "cutoff"),
    "exponent": ("$s$", "exponent"),
    "beta": (r"$\beta$", "beta"),
    "rate": (r"$\gamma$", "gamma"),
}
# What parameters mean in every family that does not say otherwise.
_USUAL = {
    "coupling": Key("J_int >= 0, the strength: γ(ω) is J_int² times a function of ω and β", ""),
    "strength": Key("κ >= 0 of J(ω) = κ ω³ e^{−ω/ω_c}", "1/J²"),
    "cutoff": Key("ω_c > 0, where the spectrum ends", "J"),
    "exponent": Key("s of J(ω) ∝ ω^s, from 0.1 to 20: 1 is Ohmic, less sub-Ohmic", ""),
    "beta": Key("inverse temperature β > 0; inf for T = 0", "1/J"),
    "rate": Key("γ >= 0 at all frequencies", "J"),
}


@dataclass(frozen=True)
class BathFamily:
    """A kind of bath.

    name, title: what studies call it, and figures; parameters: name -> default, None where
    one must be given; build: parameters by name -> bath; symbols: parameter -> how figures
    and how text write it, where that is neither usual nor its name; meanings: of parameters that
    are not usual, or mean something else.
    """

    name: str
    title: str
    parameters: Mapping[str, float | None]
    build: Callable[..., Bath]
    symbols: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    meanings: Mapping[str, Key] = field(default_factory=dict)

    def symbol(self, parameter: str) -> tuple[str, str]:
        """How figures and how text write a parameter."""
        usual = _SYMBOLS.get(parameter, (parameter, parameter))
        return self.symbols.get(parameter, usual)

    def meaning(self, parameter: str) -> Key:
        """What a parameter means.  Raises TypeError if nobody says it."""
        if parameter not in {**_USUAL, **self.meanings}:
            raise TypeError(f"bath {self.name!r} does not say what {parameter!r} means")
        return {**_USUAL, **self.meanings}[parameter]


def _power_law(coupling: float, cutoff: float, exponent: float, beta: float) -> Bath:
    return ThermalBath(OhmicDensity(coupling, cutoff, exponent), beta)


def _drude_lorentz(coupling: float, cutoff: float, beta: float) -> Bath:
    return ThermalBath(DrudeLorentzDensity(coupling, cutoff), beta)


def _phonon(strength: float, cutoff: float, beta: float) -> Bath:
    return ThermalBath(PhononDensity(strength, cutoff), beta)


_SHIPPED = (
    BathFamily("ohmic", "Ohmic", {"coupling": None, "cutoff": None, "beta": None}, OhmicBath),
    BathFamily(
        "power-law",
        "power law",
        {"coupling": None, "cutoff": None, "exponent": None, "beta": None},
        _power_law,
    ),
    BathFamily(
        "drude-lorentz",
        "Drude-Lorentz",
        {"coupling": None, "cutoff": None, "beta": None},
        _drude_lorentz,
    ),
    BathFamily(
        "phonon", "3D phonons", {"strength": None, "cutoff": math.inf, "beta": None}, _phonon
    ),
    BathFamily("white", "white-noise", {"rate": None}, WhiteBath),
)
_KNOWN: dict[str, BathFamily] = {}
BATH_FAMILIES: Mapping[str, BathFamily] = MappingProxyType(_KNOWN)


def register(family: BathFamily) -> None:
    """Let studies call a kind of bath by its name.

    Raises TypeError for a parameter whose meaning it does not say, ValueError where the name is
    taken.
    """
    for parameter in family.parameters:
        family.meaning(parameter)
    if family.name in _KNOWN:
        raise ValueError(f"bath {family.name!r} is known already")
    _KNOWN[family.name] = family


for _own in _SHIPPED:
    register(_own)
