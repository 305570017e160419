"""Which answer a caller gets where coincidences cannot be decided, and what is said of it."""

import math
import sys
import warnings
from pathlib import Path

from manybody.physics import arguments

APART, MERGED = "apart", "merged"
ANSWERS = (APART, MERGED)

_PACKAGE = str(Path(__file__).parents[1])


def checked(undecided: str | None) -> str | None:
    """`undecided` if it names an answer or is None; ValueError otherwise."""
    return undecided if undecided is None else arguments.choice("undecided", undecided, ANSWERS)


def undecided_words(
    merged: int, within: float, smallest: float, what: str = "Bohr frequencies"
) -> str:
    """The sentence on coincidences that leave two answers.

    merged: how many neighbours lie `within` so much in J; smallest: separation of those kept
    apart, inf for none.
    """
    words = []
    if merged:
        words.append(f"{merged} neighbouring {what} lie within {within:.1e}")
    if math.isfinite(smallest):
        words.append(f"the nearest {what} kept apart differ by {smallest:.1e}")
    return (
        f"{' and '.join(words)}: by the precision of the Hamiltonian, chance or symmetry it "
        "cannot be decided whether they are equal"
    )


def warn_undecided(sentence: str) -> None:
    """Say, where the package was called, what is undecided and that it is kept apart here."""
    warnings.warn(
        f"{sentence}, and the Davies equation depends on it: they are kept apart here, as with "
        "undecided='apart', while undecided='merged' gives the other answer",
        stacklevel=_depth_of_caller(),
    )


def _depth_of_caller() -> int:
    """The stack level, seen from `warn_undecided`, of the first frame outside the package."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, depth = frame.f_back, depth + 1
    return depth
