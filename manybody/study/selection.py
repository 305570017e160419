"""A point of a study by what a command line says of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from manybody.errors import InputError
from manybody.study.kind import AnyStudy
from manybody.study.regions import trait_of


def find_point(study: AnyStudy, size: int | None, model: str | None, where: Sequence[str]) -> Any:
    """The point of a study that has this size, model, parameters and changes, if given.

    where: "key=value" as in the names of points.  Raises InputError when there is none or
    more than one, naming those there are.
    """
    every = list(study.wanted)
    given = {key: own for key, own in {"size": size, "model": model}.items() if own is not None}
    found = [p for p in every if all(getattr(p, key, None) == own for key, own in given.items())]
    for text in where:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--where {text}: KEY=VALUE is needed, as in disorder=5")
        found = [point for point in found if _has(point.traits, key, value)]
    if len(found) == 1:
        return found[0]
    what = "several systems have" if found else "no system has"
    names = ", ".join(point.name for point in found or every)
    asked = "what is asked" if size is None else f"size {size} and what else is asked"
    raise InputError(f"{what} {asked}: {names}; see --model, --where")


def _has(traits: Mapping[str, Any], key: str, value: str) -> bool:
    own = trait_of(traits, key)
    if own is None:
        return False
    if isinstance(own, (bool, str)):
        return str(own).lower() == value.lower()
    try:
        return float(own) == float(value)
    except ValueError:
        return False
