"""The master equations that a study can name."""

from collections.abc import Mapping, Sequence
from typing import Any

from manybody.physics import arguments

EQUATIONS: Mapping[str, Any] = {"redfield": None, "davies": None}


def check_equations(names: Sequence[str]) -> tuple[str, ...]:
    """`names`, each one of EQUATIONS; ValueError."""
    return tuple(arguments.choice("equations", name, tuple(EQUATIONS)) for name in names)
