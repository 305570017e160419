"""Systems of a study that differ in one number alone."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from manybody.report.read import PointResult, StudyResult
from manybody.study.configuration import Study, System

Drawn = tuple[System, tuple[PointResult, ...]]
# Fewer values are a comparison.
_LEAST = 3
# A number that is none: the name of a site.
_NAMES = ("initial_site",)


@dataclass(frozen=True, eq=False)
class Scan:
    """Systems with their points by the number that they differ in, ascending.

    key: a parameter of the family, or a change as points have it (bath_coupling ...).
    """

    key: str
    systems: Mapping[float, Drawn]

    @property
    def sizes(self) -> list[int]:
        """Those that some system has samples of, ascending."""
        return sorted({own.point.size for _, points in self.systems.values() for own in points})

    def of_size(self, size: int) -> dict[float, PointResult]:
        """Points of one size by the number."""
        return {
            value: own
            for value, (_, points) in self.systems.items()
            for own in points
            if own.point.size == size
        }


def scans(results: StudyResult) -> list[Scan]:
    """Every one with three values or more, in the order of the study."""
    found: dict[tuple[str, Hashable], dict[float, Drawn]] = {}
    for drawn in results.drawn:
        facts = _facts(results.study, drawn[0])
        for key, value in facts.items():
            if _is_number(value) and key not in _NAMES:
                rest = frozenset(own for own in facts.items() if own[0] != key)
                found.setdefault((key, rest), {})[value] = drawn
    return [
        Scan(key, dict(sorted(own.items())))
        for (key, _), own in found.items()
        if len(own) >= _LEAST
    ]


def _facts(study: Study, system: System) -> dict[str, Any]:
    """All that a system may differ in from another, with what it leaves to defaults."""
    point = system.points[0]
    at = study.at(point)
    return {
        "model": system.model,
        "initial_site": at.initial_site,
        "initial_beta": at.initial_beta,
        "initial_state": at.initial_state,
        "lamb_shift": at.lamb_shift,
        **{f"bath_{key}": value for key, value in at.bath_parameters},
        **point.traits,
        **system.family.with_defaults(dict(system.parameters)),
    }


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
