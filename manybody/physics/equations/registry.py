"""The master equations there are, by name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from manybody.errors import InputError, InputTypeError, shown
from manybody.physics.equations.davies import DAVIES
from manybody.physics.equations.local import LOCAL
from manybody.physics.equations.partial_secular import cutoff_word, partial_secular
from manybody.physics.equations.protocol import Equation
from manybody.physics.equations.quasi_local import quasi_local
from manybody.physics.equations.redfield import REDFIELD
from manybody.physics.equations.universal_lindblad import UNIVERSAL_LINDBLAD

# Patches of 13 sites have blocks of up to 1716 states: beyond that H itself is as small.
_RADII = range(1, 7)
_KNOWN: dict[str, Equation] = {
    each.name: each
    for each in (
        REDFIELD,
        DAVIES,
        UNIVERSAL_LINDBLAD,
        partial_secular(),
        LOCAL,
        *map(quasi_local, _RADII),
    )
}


@dataclass(frozen=True)
class EquationFamily:
    """Equations with a number in their name.

    words: the name as users are told it; pattern: regular expression of the names, the number
    its only group; build: the equation of a number; word: the number as it stands in the name of
    its equation, so that each has one name alone.
    """

    words: str
    pattern: str
    build: Callable[[float], Equation]
    word: Callable[[float], str]

    def find(self, name: str) -> Equation | None:
        """The equation of this name, None where it is none of the family."""
        found = re.fullmatch(self.pattern, name)
        if found is None or self.word(float(found[1])) != found[1]:
            return None
        return self.build(float(found[1]))


EQUATION_FAMILIES = (
    EquationFamily(
        "partial-secular-CUTOFF", r"partial-secular-(\d+(?:\.\d+)?)", partial_secular, cutoff_word
    ),
)


class _Equations(Mapping[str, Equation]):
    """Equations known by name, over which it goes, and those of families, which it finds too.

    "partial-secular-CUTOFF", CUTOFF a number in J such as 0.1, is a family.

    Notes
    -----
    See docs/physics.md sections 3, 4, 10 and 11.

    Examples
    --------
    >>> import manybody as mb
    >>> [*mb.EQUATIONS][:4]
    ['redfield', 'davies', 'universal-lindblad', 'partial-secular']
    >>> mb.EQUATIONS["partial-secular-0.1"].name
    'partial-secular-0.1'
    """

    def __getitem__(self, name: str) -> Equation:
        found = _KNOWN.get(name) or _of_families(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_KNOWN)

    def __len__(self) -> int:
        return len(_KNOWN)


@lru_cache(maxsize=256)
def _of_families(name: str) -> Equation | None:
    if not isinstance(name, str):
        return None
    found = (family.find(name) for family in EQUATION_FAMILIES)
    return next((equation for equation in found if equation is not None), None)


EQUATIONS: Mapping[str, Equation] = _Equations()
DEFAULT = (REDFIELD.name, DAVIES.name)


def equation_names() -> list[str]:
    """All names there are, those of families with a word for the number."""
    return [*EQUATIONS, *(family.words for family in EQUATION_FAMILIES)]


def register(equation: Equation) -> None:
    """Make an equation known by its name.

    Parameters
    ----------
    equation : Equation
        Of a name that is free.

    Raises
    ------
    ValueError
        The name is taken.

    Examples
    --------
    >>> from manybody.physics.equations.registry import EQUATIONS, register
    >>> try:
    ...     register(EQUATIONS["redfield"])
    ... except ValueError as error:
    ...     print(error)
    equation 'redfield' is known already
    """
    if equation.name in _KNOWN:
        raise ValueError(f"equation {equation.name!r} is known already")
    _KNOWN[equation.name] = equation


def unguarded(names: Iterable[str]) -> list[Equation]:
    """Those of these equations that do not guarantee positivity."""
    return [EQUATIONS[name] for name in names if not EQUATIONS[name].keeps.complete_positivity]


def check_name(name: object, where: str = "equation") -> None:
    """Raise InputError unless an equation is known by this name."""
    if not isinstance(name, str) or name not in EQUATIONS:
        raise InputError(
            f"{where}: {shown(name)} must be one of {', '.join(equation_names())}, CUTOFF a "
            "decimal number such as 0.1"
        )


def check_equations(names: object) -> tuple[str, ...]:
    """`names` as a tuple of at least two distinct known names.  Raises TypeError, ValueError."""
    if isinstance(names, np.ndarray) and names.ndim == 1:
        names = names.tolist()
    if not isinstance(names, (list, tuple)):
        raise InputTypeError(f"equations = {shown(names)}: a sequence of names is needed")
    for name in names:
        check_name(name, "equations")
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError(
            f"equations = {shown(list(names))}: at least two different ones are compared"
        )
    return tuple(names)
