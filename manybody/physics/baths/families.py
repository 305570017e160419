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
    "strength": (r"$\kappa$", "κ"),
    "cutoff": (r"$\omega_c$", "ω_c"),
    "exponent": ("$s$", "exponent"),
    "beta": (r"$\beta$", "β"),
    "rate": (r"$\gamma$", "γ"),
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
    """A kind of bath that studies call by its name.

    Parameters
    ----------
    name : str
        What studies call it.
    title : str
        What figures call it.
    parameters : mapping of str to float or None
        Names with their defaults, None where one must be given.
    build : callable
        A bath from these parameters by name.
    symbols : mapping of str to (str, str), default {}
        How figures and how text write a parameter, where that is neither usual nor its name.
    meanings : mapping of str to Key, default {}
        Meanings and units of parameters that are not usual, or mean something else.
    formula : str, default ""
        γ(ω) as reports print it, in Unicode; empty where that is not known.

    Examples
    --------
    >>> from manybody.physics.baths.families import BATH_FAMILIES
    >>> BATH_FAMILIES["white"].build(rate=0.1)
    WhiteBath(rate=0.1)
    """

    name: str
    title: str
    parameters: Mapping[str, float | None]
    build: Callable[..., Bath]
    symbols: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    meanings: Mapping[str, Key] = field(default_factory=dict)
    formula: str = ""

    def symbol(self, parameter: str) -> tuple[str, str]:
        """How figures and how text write a parameter.

        Parameters
        ----------
        parameter : str
            Its name.

        Returns
        -------
        (str, str)
            With mathematics markup, and without.
        """
        usual = _SYMBOLS.get(parameter, (parameter, parameter))
        return self.symbols.get(parameter, usual)

    def meaning(self, parameter: str) -> Key:
        """What a parameter means.

        Parameters
        ----------
        parameter : str
            Its name.

        Returns
        -------
        Key
            With its unit; defaults are said elsewhere.

        Raises
        ------
        TypeError
            Nobody says it.
        """
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
_KNOWN: dict[str, BathFamily] = {}
BATH_FAMILIES: Mapping[str, BathFamily] = MappingProxyType(_KNOWN)


def register(family: BathFamily) -> None:
    """Let studies call a kind of bath by its name.

    Parameters
    ----------
    family : BathFamily
        Of a name that is free.

    Raises
    ------
    TypeError
        It does not say what a parameter means.
    ValueError
        The name is taken.

    Examples
    --------
    >>> from manybody.physics.baths.families import BATH_FAMILIES, register
    >>> try:
    ...     register(BATH_FAMILIES["white"])
    ... except ValueError as error:
    ...     print(error)
    bath 'white' is known already
    """
    for parameter in family.parameters:
        family.meaning(parameter)
    if family.name in _KNOWN:
        raise ValueError(f"bath {family.name!r} is known already")
    _KNOWN[family.name] = family


for _own in _SHIPPED:
    register(_own)
