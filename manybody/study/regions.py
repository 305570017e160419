"""Baths of a study that differ from region to region of its systems, as ends of a bar.

Parameters of a region's own are kept beside those of all, as "at.REGION.PARAMETER".
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from manybody.errors import InputError, InputTypeError, said_of
from manybody.physics.baths.families import BathFamily
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.several import AnyBaths, SeveralBaths
from manybody.physics.models.family import Family

_AT = "at"


def flattened(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of TOML with its `at.REGION.PARAMETER` as keys of their own."""
    found = {key: value for key, value in table.items() if key != _AT}
    regions = table.get(_AT, {})
    for region, own in _pairs(f"bath.{_AT}", regions):
        if "." in region:
            raise InputError(f"bath.{_AT}.{region!r}: names of regions have no dots")
        for key, value in _pairs(f"bath.{_AT}.{region}", own):
            found[f"{_AT}.{region}.{key}"] = value
    return found


def _pairs(where: str, table: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(table, dict):
        raise InputTypeError(f"{where} = {table!r}: a table is needed")
    return iter(table.items())


def is_regional(key: str) -> bool:
    """Whether a parameter is of a region alone."""
    return key.startswith(f"{_AT}.")


def by_region(parameters: Iterable[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    """Parameters of every region, where they differ from those of all, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in parameters:
        if is_regional(key):
            _, region, own = key.split(".", 2)
            found.setdefault(region, {})[own] = value
    return found


def trait_of(traits: Mapping[str, Any], key: str) -> Any:
    """What is known of a point by a key, those of baths as studies write them too; None if not.

    "bath.beta" is "bath_beta" in the names of points.
    """
    return traits.get(key, traits.get(key.replace("bath.", "bath_", 1)))


def common(parameters: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters of all baths, but for what regions say."""
    return {key: value for key, value in parameters if not is_regional(key)}


def symbol_of(kind: BathFamily, key: str) -> tuple[str, str]:
    """How figures and how text write a parameter, of a region too."""
    if not is_regional(key):
        return kind.symbol(key)
    _, region, own = key.split(".", 2)
    figure, text = kind.symbol(own)
    return f"{figure} at {region}", f"{text} at {region}"


@contextlib.contextmanager
def naming(region: str) -> Iterator[None]:
    """What is wrong with the bath of a region, said with its name."""
    with said_of(f"bath.{_AT}.{region}"):
        yield


def regional_baths(kind: BathFamily, parameters: Iterable[tuple[str, Any]]) -> dict[str, Bath]:
    """The bath of every region that has its own, by its name.

    Raises InputError, which names the region.
    """
    pairs = list(parameters)
    everywhere, found = common(pairs), {}
    for name, own in by_region(pairs).items():
        with naming(name):
            found[name] = kind.build(**{**everywhere, **own})
    return found


def baths_at(
    kind: BathFamily,
    parameters: Iterable[tuple[str, Any]],
    family: Family,
    size: int,
    model_parameters: Mapping[str, Any],
) -> AnyBaths:
    """The bath of every coupled site of a system, or the one that all have.

    parameters: of the baths; family, size, model_parameters: of the system.  Raises InputError
    for a region that the family does not name, or that has no bath.
    """
    pairs = list(parameters)
    bath = kind.build(**common(pairs))
    regional = regional_baths(kind, pairs)
    if not regional:
        return bath
    coupled = family.coupled(size, model_parameters)
    regions = family.regions(size, model_parameters)
    each: list[Bath] = [bath] * len(coupled)
    for name, own in regional.items():
        if name not in regions:
            allowed = ", ".join(regions) or "none"
            raise InputError(
                f"bath.{_AT}.{name}: model {family.name!r} has no such region, allowed: {allowed}"
            )
        if not coupled[regions[name]].any():
            raise InputError(f"bath.{_AT}.{name}: no site of the region is coupled")
        for site in regions[name]:
            each[int(site)] = own
    several = SeveralBaths(tuple(each[site] for site in np.flatnonzero(coupled)))
    return several.each[0] if len(several.distinct) == 1 else several
