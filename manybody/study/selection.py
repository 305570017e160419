"""A point of a study by what a command line says of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from manybody.errors import InputError
from manybody.study.kind import AnyStudy
from manybody.study.model_code import defaults_of
from manybody.study.regions import trait_of


def find_point(study: AnyStudy, size: int | None, model: str | None, where: Sequence[str]) -> Any:
    """The point of a study that has this size, model, parameters and changes, if given.

    where: "key=value" as in the names of points, or of a parameter that is left to its default, of
    code that has been loaded.  Raises InputError when there is none or
    more than one, naming those there are.
    """
    every = list(study.wanted)
    given = {key: own for key, own in {"size": size, "model": model}.items() if own is not None}
    sized = [p for p in every if all(getattr(p, key, None) == own for key, own in given.items())]
    pairs = [_pair(text) for text in where]
    # What a study gives comes first: of two that differ in whether they give it, one can be meant.
    found = _matching(sized, pairs, _given) or _matching(sized, pairs, _with_defaults)
    if len(found) == 1:
        return found[0]
    what = "several systems have" if found else "no system has"
    names = ", ".join(point.name for point in found or every)
    asked = "what is asked" if size is None else f"size {size} and what else is asked"
    raise InputError(f"{what} {asked}: {names}; see --model, --where")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--where {text}: KEY=VALUE is needed, as in disorder=5")
    return key, value


def _matching(
    points: Sequence[Any],
    pairs: Sequence[tuple[str, str]],
    traits_of: Callable[[Any], Mapping[str, Any]],
) -> list[Any]:
    return [
        point
        for point in points
        if all(_has(traits_of(point), key, value) for key, value in pairs)
    ]


def _given(point: Any) -> Mapping[str, Any]:
    traits: Mapping[str, Any] = point.traits
    return traits


def _with_defaults(point: Any) -> Mapping[str, Any]:
    """With what a function of the user's takes where the study gives nothing."""
    own = getattr(point, "own", None)
    defaults = {} if own is None else defaults_of(point.model, own.source)
    return {**defaults, **point.traits}


def _has(traits: Mapping[str, Any], key: str, value: str) -> bool:
    own = trait_of(traits, key)
    if own is None:
        return False
    if isinstance(own, (bool, str)):
        return str(own).lower() == value.lower()
    try:
        return float(own) == float(value)
    except (TypeError, ValueError):
        return False
