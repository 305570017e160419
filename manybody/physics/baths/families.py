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

# How figures and text write parameters that have a letter.
_SYMBOLS = {
    "coupling": (r"$J_\mathrm{int}$", "J_int"),
    "strength": (r"$\kappa$", "κ"),
    "cutoff": (r"$\omega_c$", "ω_c"),
    "exponent": ("$s$", "exponent"),
    "beta": (r"$\beta$", "β"),
    "rate": (r"$\gamma$", "γ"),
}


@dataclass(frozen=True)
class BathFamily:
    """A kind of bath.

    name, title: what studies call it, and figures; parameters: name -> default, None where
    one must be given; build: parameters by name -> bath; symbols: parameter -> how figures
    and how text write it, where that is neither usual nor its name.
    """

    name: str
    title: str
    parameters: Mapping[str, float | None]
    build: Callable[..., Bath]
    symbols: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    # γ(ω) as reports print it, in Unicode; empty where that is not known.
    formula: str = ""

    def symbol(self, parameter: str) -> tuple[str, str]:
        """How figures and how text write a parameter."""
        usual = _SYMBOLS.get(parameter, (parameter, parameter))
        return self.symbols.get(parameter, usual)


def _power_law(coupling: float, cutoff: float, exponent: float, beta: float) -> Bath:
    return ThermalBath(OhmicDensity(coupling, cutoff, exponent), beta)


def _drude_lorentz(coupling: float, cutoff: float, beta: float) -> Bath:
    return ThermalBath(DrudeLorentzDensity(coupling, cutoff), beta)


def _phonon(strength: float, cutoff: float, beta: float) -> Bath:
    return ThermalBath(PhononDensity(strength, cutoff), beta)


_SHIPPED = (
    BathFamily(
        "ohmic",
        "Ohmic",
        {"coupling": None, "cutoff": None, "beta": None},
        OhmicBath,
        formula="γ(ω) = J_int² ω e^{−|ω|/ω_c} / (1 − e^{−βω})",
    ),
    BathFamily(
        "power-law",
        "power law",
        {"coupling": None, "cutoff": None, "exponent": None, "beta": None},
        _power_law,
        formula="γ(ω) = J_int² ω_c (ω/ω_c)ˢ e^{−ω/ω_c} / (1 − e^{−βω}), γ(−ω) = e^{−βω} γ(ω)",
    ),
    BathFamily(
        "drude-lorentz",
        "Drude-Lorentz",
        {"coupling": None, "cutoff": None, "beta": None},
        _drude_lorentz,
        formula="γ(ω) = J_int² ω / (1 + (ω/ω_c)²) / (1 − e^{−βω})",
    ),
    BathFamily(
        "phonon",
        "3D phonons",
        {"strength": None, "cutoff": math.inf, "beta": None},
        _phonon,
        formula="γ(ω) = κ ω³ e^{−|ω|/ω_c} / (1 − e^{−βω})",
    ),
    BathFamily("white", "white-noise", {"rate": None}, WhiteBath, formula="γ(ω) = γ"),
)
_KNOWN: dict[str, BathFamily] = {each.name: each for each in _SHIPPED}
BATH_FAMILIES: Mapping[str, BathFamily] = MappingProxyType(_KNOWN)


def register(family: BathFamily) -> None:
    """Let studies call a kind of bath by its name.  Raises ValueError where it is taken."""
    if family.name in _KNOWN:
        raise ValueError(f"bath {family.name!r} is known already")
    _KNOWN[family.name] = family
