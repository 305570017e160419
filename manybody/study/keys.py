"""The keys of a study's tables: what each takes, means and stands for when it is absent."""

import re
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import numpy as np

from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.baths.families import BATH_FAMILIES, BathFamily
from manybody.physics.equations.registry import EQUATIONS, check_equations, equation_names
from manybody.physics.keys import REQUIRED, InWords, Key
from manybody.physics.models.family import Family
from manybody.physics.models.occupations import HALF
from manybody.physics.quantities.expectations import NAMED, PATTERNS
from manybody.solve.expectations import build_expectations
from manybody.solve.observables.registry import MEASURED
from manybody.study.configuration import TRACE_DISTANCE, Outputs, Study
from manybody.study.files import file_text, named_text
from manybody.study.regions import by_region, flattened, is_regional, regional_baths
from manybody.study.structure import (
    Count,
    Many,
    Samples,
    check_keys,
    checked,
    checked_words,
    integer_up_to,
    keys_of,
    said,
)
from manybody.study.system_tables import START, STARTS, State

MAX_TIMES = 100_000
USUAL_BATH = Study.bath_type
TIMES = {
    "start": said("a number >= 0", "the first output time", "1/J"),
    "stop": said("a number > start", "the last output time", "1/J"),
    "count": said(f"an integer from 2 to {MAX_TIMES}", "how many, in equal steps", ""),
}


def study_keys(are_drawn: bool = True) -> dict[str, Any]:
    """Types of the keys of a study's own table; are_drawn: whether its samples need a number."""
    kinds = keys_of(Study)
    for key in ("bath_type", "bath_parameters", "formats", "files"):
        del kinds[key]
    needed = REQUIRED if are_drawn else InWords("one for each file")
    return kinds | {
        "samples": Annotated[
            Samples, Key("disorder samples of every size, where systems do not say it", "", needed)
        ],
        "times": Annotated[
            tuple[float, ...],
            lambda _, value: _times(value),
            "a list of ascending numbers >= 0, or a table: start, stop, count",
            Key("output times", "1/J", InWords("observables have to do without trace_distance")),
        ],
        "bath": Annotated[
            Any,
            lambda _, value: _bath(value),
            "a table",
            Key("the bath that every coupled site has a copy of", ""),
        ],
        "systems": said("one or more tables", "what is computed: a model and its sizes", ""),
        "observables": Annotated[
            tuple[str, ...],
            _observables,
            f"a list of {', '.join((TRACE_DISTANCE, *MEASURED))}",
            Key("what is measured of every sample", "", Study.observables),
        ],
        "equations": Annotated[
            tuple[str, ...],
            _equations,
            f"a list of two or more of {', '.join(equation_names())}",
            Key("master equations to compare, each with each", "", Study.equations),
        ],
        "expectations": Annotated[
            tuple[str, ...],
            lambda _, value: _expectations(value),
            f'a list of {", ".join(PATTERNS)}, or tables {{ name = "...", file = "..." }}',
            Key("expectation values in time; a file holds a Hermitian matrix", "", ()),
        ],
        "initial_state": Annotated[State, Key(START, "", InWords(STARTS))],
        "group_size": said(
            'an integer >= 1, or "auto"',
            "MPI ranks that share a sample; by itself the cost model decides, size by size",
            "",
            "auto",
        ),
        "outputs": Annotated[
            Outputs, Key("what a report consists of", "", InWords("see [outputs]"))
        ],
    }


def _observables(where: str, value: object) -> tuple[str, ...]:
    """In the order of their registry, whatever the order in the file."""
    known = (TRACE_DISTANCE, *MEASURED)
    names = checked_words(where, value, known)
    if len(set(names)) != len(names):
        raise InputError(f"{where} = {value!r}: each may appear once")
    return tuple(name for name in known if name in names)


def _expectations(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputTypeError(f"expectations = {value!r}: a list of names is needed")
    found = [_expectation(each) for each in value]
    names = [name for name, _ in map(named_text, found)]
    if len(set(names)) != len(names):
        raise InputError(f"expectations = {names!r}: each may appear once")
    return tuple(found)


def _expectation(value: object) -> str:
    """The name of an expectation value, or NAME=TEXT of an operator in a file."""
    if not isinstance(value, dict) or set(value) != {"name", "file"}:
        (known,) = build_expectations([value])
        return known.name
    name = value["name"]
    # Datasets and columns are called by it.
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name):
        raise InputError(
            f"expectations: name = {name!r}: up to 40 letters, digits and '_', beginning with a "
            "letter"
        )
    if name in NAMED:
        raise InputError(f"expectations: name = {name!r} has a meaning of its own")
    return f"{name}={file_text('expectations: file', value['file'])}"


def _equations(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        allowed = ", ".join(equation_names())
        raise InputTypeError(f"{where} = {value!r}: a list of {allowed} is needed")
    for name in value:
        if name not in EQUATIONS:
            arguments.choice(where, name, tuple(equation_names()))
    if not 1 < len(value) == len(set(value)):
        raise InputError(f"{where} = {value!r}: at least two are compared, each named once")
    return check_equations(value)


def family_keys(family: Family) -> dict[str, Any]:
    """Types of the parameters of a family in a [[systems]] table."""
    kinds: dict[str, Any] = dict.fromkeys(family.reals, float)
    defaults: dict[str, Any] = {**family.reals, **family.integers}
    for name, (default, words) in family.words.items():
        takes = f"one of {', '.join(words)}"
        kinds[name] = Annotated[str, partial(arguments.choice, allowed=words), takes]
        defaults[name] = default
    kinds |= dict.fromkeys(family.counts, Annotated[Any, _particles, "half, or an integer >= 0"])
    for name, number in family.counts.items():
        defaults[name] = InWords("the model is of one particle") if number is None else number
    kinds |= dict.fromkeys(family.integers, Count)
    found = {}
    kind: Any
    for name, kind in kinds.items():
        default = REQUIRED if defaults[name] is None else defaults[name]
        found[name] = Annotated[Many[kind], replace(family.meaning(name), default=default)]
    return found


def _particles(where: str, value: object) -> int | str:
    """A number of particles: "half" or an integer >= 0."""
    if value == HALF:
        return HALF
    if isinstance(value, str):
        raise InputError(f"{where} = {value!r}: must be 'half' or an integer >= 0")
    return arguments.integer(where, value, 0)


_OF_REGION = said("a number", "of a region", "", InWords("as everywhere"))


def bath_keys(family: BathFamily) -> dict[str, Any]:
    """Types of the keys of the [bath] table of a family."""
    usual = USUAL_BATH if family.name == USUAL_BATH else REQUIRED
    kinds = {
        "type": said(f"one of {', '.join(BATH_FAMILIES)}", "form of its spectrum", "", usual),
        "chemical_potential": said(
            "0", "μ: a density coupling exchanges no particles, nothing else is allowed", "J", 0.0
        ),
    }
    for name, default in family.parameters.items():
        key = family.meaning(name)
        kinds[name] = Annotated[
            Any, "a number", key if default is None else replace(key, default=default)
        ]
    return kinds


def region_keys(family: BathFamily) -> dict[str, Any]:
    """Types of the keys of a [bath.at.REGION] table."""
    own = InWords("as everywhere")
    keys = {name: family.meaning(name) for name in family.parameters}
    return {name: Annotated[Any, "a number", replace(keys[name], default=own)] for name in keys}


def _bath(value: object) -> tuple[str, tuple[tuple[str, float], ...]]:
    """Type and parameters, in the order of their family, checked by building the bath."""
    table = flattened(checked("bath", value, dict))
    kind = arguments.choice("bath.type", table.get("type", USUAL_BATH), tuple(BATH_FAMILIES))
    family = BATH_FAMILIES[kind]
    regional = {key: own for key, own in table.items() if is_regional(key)}
    for region, own in by_region(regional.items()).items():
        check_keys(f"bath.at.{region}", own, region_keys(family))
    check_keys("bath", table, bath_keys(family) | dict.fromkeys(regional, _OF_REGION))
    mu = arguments.real("bath.chemical_potential", table.get("chemical_potential", 0.0))
    if mu != 0.0:
        raise InputError(
            f"bath.chemical_potential = {mu!r}: a density coupling exchanges no particles, "
            "and any value but 0 would break detailed balance"
        )
    given = {key: table.get(key, default) for key, default in family.parameters.items()}
    family.build(**given)
    # Regions in the order of the alphabet: what they mean does not depend on it.
    given |= dict(sorted(regional.items()))
    regional_baths(family, given.items())
    return kind, tuple((key, float(entry)) for key, entry in given.items() if entry is not None)


def _times(value: object) -> tuple[float, ...]:
    if isinstance(value, dict):
        check_keys("times", value, TIMES)
        start = arguments.real("times.start", value["start"], minimum=0.0)
        stop = arguments.real("times.stop", value["stop"], above=start)
        count = integer_up_to("times.count", value["count"], 2, MAX_TIMES)
        value = np.linspace(start, stop, count)
    return tuple(arguments.ascending_times("times", value).tolist())
