"""What a study of cases is: frozen values and their JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.study.canonical import hash_of
from manybody.study.configuration import DEFAULT_FORMATS, Formats
from manybody.study.description import changes_between
from manybody.study.structure import Listed, Name, Pairs, Table, structure, unstructure

Value = float | int | str | bool
# What a case gives: numbers and lists of numbers by name.
Results = Mapping[str, float | list[float]]


@dataclass(frozen=True)
class Case:
    """One deterministic calculation.

    name: unique in its study, fit for a file; parameters: all that decides its numbers besides
    the settings of the study; cost: predicted core-seconds, of no influence on the numbers.
    """

    name: str
    parameters: Pairs
    cost: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        # From a store that somebody has sent, it may be anything.
        if not re.fullmatch(r"[^\s./\\\0][^\s/\\\0]{0,199}", self.name):
            raise InputError(f"the case {self.name[:60]!r} has a name that is none for a folder")

    @property
    def given(self) -> dict[str, Any]:
        """The parameters by name."""
        return dict(self.parameters)

    traits = given


@dataclass(frozen=True, eq=False)
class Record:
    """A finished case, in memory or as its block has it; attributes: provenance."""

    case: Case
    results: Results
    seconds: float
    attributes: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()
    # Of a case there is one sample, without a generator to apply.
    sample = applications = 0

    @property
    def samples(self) -> NDArray[np.int64]:
        """Its index, as blocks have several."""
        return np.zeros(1, dtype=np.int64)

    @property
    def arrays(self) -> Mapping[str, Any]:
        """What all blocks have."""
        return {"seconds": np.array([self.seconds])}


def build_case(parameters: Mapping[str, Value], cost: float) -> Case:
    """A case named after its parameters."""
    words = [
        str(value) if isinstance(value, str) else f"{key}={_short(value)}"
        for key, value in parameters.items()
    ]
    return Case("-".join(words), tuple(parameters.items()), cost)


@dataclass(frozen=True, kw_only=True)
class CaseStudy:
    """A study of one kind.

    settings: JSON values that all cases share; two studies may share a folder only if these
    are equal.
    """

    name: Name
    description: str = ""
    kind: str
    settings: dict[str, Any]
    cases: Listed[Table[Case]]
    formats: Formats = DEFAULT_FORMATS

    @property
    def wanted(self) -> Mapping[Case, int]:
        """Every case, computed once."""
        return dict.fromkeys(self.cases, 1)

    def hash(self) -> str:
        """SHA-256 of kind and settings."""
        return hash_of({"kind": self.kind, **self.settings})

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values; `from_json` inverts it."""
        return unstructure(self)


def from_json(values: Mapping[str, Any]) -> CaseStudy:
    """The study that `CaseStudy.to_json` wrote."""
    return structure(values, CaseStudy)


def merge_cases(stored: CaseStudy, wanted: CaseStudy) -> CaseStudy:
    """`stored`, extended by the cases of `wanted`."""
    known = {case.name for case in stored.cases}
    new = tuple(case for case in wanted.cases if case.name not in known)
    return replace(wanted, cases=stored.cases + new)


def changes(stored: CaseStudy, wanted: CaseStudy) -> list[tuple[str, Any, Any]]:
    """(key, there, here) of everything that forbids two studies to share a folder."""
    found = changes_between(
        {"kind": stored.kind, **stored.settings}, {"kind": wanted.kind, **wanted.settings}
    )
    own = {case.name: case.given for case in wanted.cases}
    for case in stored.cases:
        if case.name in own and own[case.name] != case.given:
            found.append((case.name, case.given, own[case.name]))
    return found


def _short(value: Value) -> str:
    return repr(value) if isinstance(value, float) else str(value).lower()
