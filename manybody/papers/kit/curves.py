"""What studies of papers share: curves over one parameter, and errata with their evidence."""

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Annotated, Any

import numpy as np

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.papers.kit.config import Case, Results, Value, build_case
from manybody.papers.kit.systems import check_present, tables_of
from manybody.physics import arguments
from manybody.physics.keys import REQUIRED, Key
from manybody.study.structure import check_keys, checked, listed, said

ERRATA = "errata"
LINEAR, LOG = SPACINGS = ("linear", "log")
Evidence = dict[str, float]
_RANGE = {
    "from": said("a number", "the first value", "the unit of what runs"),
    "to": said("a number > from", "the last value", "the unit of what runs"),
    "points": said("an integer >= 2", "how many values", ""),
}
_SPACING = {
    "spacing": said(
        f"one of {', '.join(SPACINGS)}", "spacing of the values; log needs from > 0", "", LINEAR
    )
}
_STUDY = {
    "curves": said("tables", "curves of the figures", "", ()),
    ERRATA: said("true or false", "whether to compute what the list of errata rests on", "", True),
}
_EVIDENCE_COST = 0.2


@dataclass(frozen=True)
class Curves:
    """What a figure asks of a [[curves]] table.

    numbers: real parameters, one of which runs; words: the others, and what each may be;
    cost: core-seconds of a point; optional: words that may be left out, which are then the first
    allowed; keys: what each number and word means.
    """

    numbers: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cost: float = 2e-3
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)

    def own_keys(self, over: str) -> dict[str, Any]:
        """Types of the keys of a table but for those of all, see `curve_keys`."""
        numbers = "a number, a list of them, or a table: from, to, points, spacing"
        found = {
            name: Annotated[Any, numbers, self.keys[name]] for name in self.numbers if name != over
        }
        for name, allowed in {**self.words, **self.optional}.items():
            takes = f"one of {', '.join(allowed)}, or a list of them"
            default = allowed[0] if name in self.optional else REQUIRED
            found[name] = Annotated[Any, takes, replace(self.keys[name], default=default)]
        return found


@dataclass(frozen=True)
class Erratum:
    """A misprint or a wrong claim.

    where: equation or place; printed, right: in words; evidence: returns printed, corrected
    and reference, the last computed without the formula, None where a derivation has to do;
    unlisted: parameters that `setting` leaves out, of no influence or said by `quantity`.
    """

    where: str
    printed: str
    right: str
    quantity: str = ""
    evidence: Callable[[], Evidence] | None = None
    unlisted: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the case that computes it, empty without evidence."""
        return "" if self.evidence is None else str(self.evidence.__name__)

    @property
    def setting(self) -> str:
        """The numbers that the evidence is taken at, those of a system one by one."""
        if self.evidence is None:
            return ""
        values: dict[str, Any] = {}
        for one in inspect.signature(self.evidence).parameters.values():
            system = asdict(one.default) if is_dataclass(one.default) else {}  # type: ignore[arg-type]
            values |= system or {one.name: one.default}
        return ", ".join(
            f"{name} = {value:g}"
            for name, value in values.items()
            if name not in self.unlisted and not isinstance(value, str)
        )

    @property
    def command(self) -> str:
        """One line for a shell that prints the evidence."""
        if self.evidence is None:
            return ""
        module = self.evidence.__module__
        return f'python -c "from {module} import {self.name}; print({self.name}())"'


def curve_keys(figures: Iterable[str]) -> dict[str, Any]:
    """Types of the keys that every [[curves]] table has."""
    return {
        "figure": said(f"one of {', '.join(figures)}", "figure of the paper, or one of ours", ""),
        "over": said(
            "the name of a parameter", "which one runs: it has no key of its own then", ""
        ),
        **_RANGE,
        **_SPACING,
    }


def tables_of_paper(figures: Mapping[str, Curves]) -> dict[str, Any]:
    """Types of the keys of every table of a study of curves, by heading."""
    own: dict[str, Any] = {}
    for kind in figures.values():
        alike = [name for name, other in figures.items() if other == kind]
        own[f"[[curves]] of {', '.join(alike)}"] = kind.own_keys("")
    return {"": _STUDY, "[[curves]]": curve_keys(figures), **own}


def parse_paper(
    table: Mapping[str, Any], figures: Mapping[str, Curves], errata: Sequence[Erratum]
) -> list[Case]:
    """The cases of a TOML table: a curve each, and one for each erratum with evidence.

    [[curves]]: figure, over (the parameter that runs), from, to, points, spacing, and every
    other parameter of the figure, a list of values making a case each; a number may be a
    table of from, to, points as well.  Raises TypeError or ValueError.
    """
    check_keys("study", dict(table), _STUDY)
    cases: list[Case] = []
    for where, one in tables_of(table, "curves", needed=False):
        cases += _curves(where, one, figures)
    if checked(ERRATA, table.get(ERRATA, True), bool):
        cases += [
            build_case({"figure": ERRATA, "evidence": one.name}, _EVIDENCE_COST)
            for one in errata
            if one.evidence is not None
        ]
    if not cases:
        raise InputError("study: [[curves]] or errata = true is needed")
    return cases


def _curves(where: str, table: dict[str, Any], figures: Mapping[str, Curves]) -> list[Case]:
    check_present(where, table, ("figure", "over"))
    name = arguments.choice(f"{where}.figure", table["figure"], tuple(figures))
    kind = figures[name]
    over = arguments.choice(f"{where}.over", table["over"], kind.numbers)
    fixed = [key for key in kind.numbers if key != over]
    check_keys(where, table, {**curve_keys(figures), **kind.own_keys(over)})
    spacing = arguments.choice(f"{where}.spacing", table.get("spacing", LINEAR), SPACINGS)
    values = _range(where, {**{key: table[key] for key in _RANGE}, "spacing": spacing})
    run: dict[str, Value] = {
        "figure": name,
        "over": over,
        "spacing": spacing,
        "from": values[0],
        "to": values[-1],
        "points": len(values),
    }
    choices: list[list[Value]] = []
    for key in fixed:
        choices.append([*_numbers(f"{where}.{key}", table[key])])
    words = {**kind.words, **{k: v for k, v in kind.optional.items() if k in table}}
    for key, allowed in words.items():
        chosen = listed(table[key])
        if not chosen:
            raise InputError(f"{where}.{key}: one word or more is needed")
        choices.append([arguments.choice(f"{where}.{key}", word, allowed) for word in chosen])
    keys = [*fixed, *words]
    return [
        build_case({**run, **dict(zip(keys, combination))}, kind.cost * len(values))
        for combination in itertools.product(*choices)
    ]


def _numbers(where: str, value: object) -> list[float]:
    """A number, a list of them, or a range."""
    if isinstance(value, dict):
        return _range(where, value)
    found = [arguments.real(where, entry) for entry in listed(value)]
    if not found:
        raise InputError(f"{where}: one number or more is needed")
    return found


def _range(where: str, table: dict[str, Any]) -> list[float]:
    check_keys(where, table, {**_RANGE, **_SPACING})
    low, high = (arguments.real(f"{where}.{key}", table[key]) for key in ("from", "to"))
    spacing = arguments.choice(f"{where}.spacing", table.get("spacing", LINEAR), SPACINGS)
    if not low < high or (spacing == LOG and low <= 0.0):
        raise InputError(
            f"{where}: from = {low:g}, to = {high:g}: from must lie below to, and above 0 where "
            f"spacing is {LOG!r}"
        )
    points = arguments.integer(f"{where}.points", table["points"], 2)
    return [float(value) for value in _spaced(low, high, points, spacing)]


def _spaced(low: float, high: float, points: int, spacing: str) -> Real:
    make = np.linspace if spacing == LINEAR else np.geomspace
    return np.asarray(make(low, high, points))


def points_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of every point of a curve."""
    values = _spaced(given["from"], given["to"], given["points"], given["spacing"])
    own = {"figure", "over", "spacing", *_RANGE}
    fixed = {key: value for key, value in given.items() if key not in own}
    return [{**fixed, given["over"]: float(value)} for value in values]


def compute_paper(
    given: Mapping[str, Any],
    figures: Mapping[str, Callable[[Mapping[str, Any], list[dict[str, Any]]], Results]],
    errata: Sequence[Erratum],
) -> Results:
    """The numbers of one case.

    figures: what computes a curve from the case and its points; to its lists "x" is added.
    """
    if given["figure"] == ERRATA:
        by_name = {one.name: one for one in errata}
        evidence = by_name[given["evidence"]].evidence
        assert evidence is not None
        return {name: float(value) for name, value in evidence().items()}
    points = points_of(given)
    found = figures[given["figure"]](given, points)
    return {"x": [point[given["over"]] for point in points], **found}


def columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Lists by name of what every point has given."""
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
