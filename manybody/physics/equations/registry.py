"""The master equations there are, by name."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from manybody.errors import InputError, InputTypeError
from manybody.physics.equations.davies import DAVIES
from manybody.physics.equations.protocol import Equation
from manybody.physics.equations.quasi_local import quasi_local
from manybody.physics.equations.redfield import REDFIELD

# Patches of 13 sites have blocks of up to 1716 states: beyond that H itself is as small.
_RADII = range(1, 7)
_KNOWN: dict[str, Equation] = {
    each.name: each for each in (REDFIELD, DAVIES, *map(quasi_local, _RADII))
}
EQUATIONS: Mapping[str, Equation] = MappingProxyType(_KNOWN)
DEFAULT = (REDFIELD.name, DAVIES.name)


def register(equation: Equation) -> None:
    """Make an equation known by its name.  Raises ValueError where the name is taken."""
    if equation.name in _KNOWN:
        raise ValueError(f"equation {equation.name!r} is known already")
    _KNOWN[equation.name] = equation


def unguarded(names: Iterable[str]) -> list[Equation]:
    """Those of these equations that do not guarantee positivity."""
    return [EQUATIONS[name] for name in names if not EQUATIONS[name].keeps.complete_positivity]


def check_name(name: object, where: str = "equation") -> None:
    """Raise InputError unless an equation is known by this name."""
    if not isinstance(name, str) or name not in EQUATIONS:
        raise InputError(f"{where}: {name!r} must be one of {', '.join(EQUATIONS)}")


def check_equations(names: object) -> tuple[str, ...]:
    """`names` as a tuple of at least two distinct known names.  Raises TypeError, ValueError."""
    if isinstance(names, str) or not isinstance(names, (list, tuple)):
        raise InputTypeError(f"equations = {names!r}: a sequence of names is needed")
    for name in names:
        check_name(name, "equations")
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError(f"equations = {list(names)!r}: at least two different ones are compared")
    return tuple(names)
