"""[[systems]] tables of a study: what all of them share, and those of models that it brings."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.study.configuration import InverseTemperature, Study, System, with_counts
from manybody.study.files import file_text, is_file
from manybody.study.own_models import (
    FILES,
    OwnModel,
    check_path,
    check_point_name,
    check_reference,
    checked_coupled_sites,
    checked_parameter,
)
from manybody.study.structure import (
    Count,
    Many,
    Name,
    Natural,
    SamplesOfSizes,
    checked,
    listed,
    structure,
    table_of,
)

_COUPLED_SITES = Annotated[Any, checked_coupled_sites]


def are_files(systems: object) -> bool:
    """Whether all systems say themselves how many samples they have."""
    tables = systems if isinstance(systems, list) and systems else [None]
    models = [table.get("model") if isinstance(table, dict) else None for table in tables]
    return all(isinstance(model, str) and model == FILES for model in models)


def check_names(study: Study) -> None:
    """Raise ValueError where two points would share a folder, or a folder's name is too long."""
    systems = [system for system in study.systems if system.own is not None]
    points = [point for system in systems for point in system.points]
    for point in points:
        check_point_name(point.name)
    # 1 and 1.0 are one value to whatever looks points up.
    for name, count in Counter(point.name for s in study.systems for point in s.points).items():
        if count > 1:
            raise InputError(f"systems: {name!r} appears more than once: give one a 'name'")
    for point, count in Counter(points).items():
        if count > 1:
            raise InputError(f"systems: {point.name!r} appears more than once, with equal values")


def _state(where: str, value: object) -> str:
    """The name of a state, or the text of a file."""
    if isinstance(value, dict) and set(value) == {"file"}:
        return file_text(f"{where}.file", value["file"])
    if not isinstance(value, str):
        raise InputTypeError(f"{where} = {value!r}: a name or {{ file = '...' }} is needed")
    if is_file(value):
        raise InputError(f"{where} = {value!r}: a file is named as {{ file = '...' }}")
    return value


State = Annotated[str, _state]


def _bath_number(where: str, value: object) -> float:
    """A parameter of a bath, any number that is not nan."""
    return math.inf if value == math.inf else arguments.real(where, value)


# Judged by the bath that is built with it: cutoffs and inverse temperatures may be infinite.
_BathNumber = Annotated[Any, _bath_number]


def change_kinds(bath: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """What a system may have other than the study."""
    kinds: dict[str, Any] = {"initial_beta": Many[InverseTemperature]}
    kinds |= {
        "lamb_shift": Many[bool],
        "initial_site": Many[Natural],
        "initial_state": Many[State],
    }
    kinds["bath"] = table_of({}, dict.fromkeys(dict(bath), Many[_BathNumber]))
    return kinds


def changes_of_table(given: Mapping[str, Any]) -> list[tuple[tuple[str, Any], ...]]:
    """Every choice of what a table changes; the bath's begin with "bath_"."""
    own_bath = {f"bath_{key}": values for key, values in given.get("bath", {}).items()}
    everything = {**given, **own_bath}
    keys = ("lamb_shift", "initial_site", *own_bath, "initial_beta", "initial_state")
    return choices({key: everything[key] for key in keys if key in everything})


def checked_sizes(where: str, given: Sequence[int]) -> tuple[int, ...]:
    """Ascending, each once, at least one."""
    sizes = tuple(sorted(given))
    if not sizes:
        raise InputError(f"{where} = []: at least one size is needed")
    if len(set(sizes)) != len(sizes):
        raise InputError(f"{where} = {[*sizes]}: distinct sizes are needed")
    return sizes


def own_systems(
    where: str, table: dict[str, Any], samples: int, bath: tuple[tuple[str, float], ...]
) -> list[System]:
    """The systems of a model that the study brings along, of which nobody has seen more yet."""
    try:
        check_reference(table["model"])
    except InputError as error:
        raise type(error)(f"{where}.{error}") from error
    if table["model"] == FILES:
        return _file_systems(where, table, bath)
    kinds = {"name": Name, "coupled_sites": _COUPLED_SITES, "parameters": Any}
    kinds |= {"samples": SamplesOfSizes, **change_kinds(bath)}
    given = structure(table, table_of({"model": str, "size": Many[Count]}, kinds), where)
    sizes = checked_sizes(f"{where}.size", given["size"])
    counts = samples_by_size(where, given["size"], given.get("samples", samples))
    inside = f"{where}.parameters"
    parameters = {
        key: [checked_parameter(inside, key, value) for value in listed(values)]
        for key, values in checked(inside, given.get("parameters", {}), dict).items()
    }
    own = OwnModel(given.get("name", ""), given.get("coupled_sites"))
    systems = [
        with_counts(System(given["model"], chosen, sizes, samples, change, own), counts)
        for chosen in choices(parameters)
        for change in changes_of_table(given)
    ]
    if not systems:
        raise InputError(f"{where}: an empty list leaves no system")
    return systems


def _file_systems(
    where: str, table: dict[str, Any], bath: tuple[tuple[str, float], ...]
) -> list[System]:
    """Those whose samples are matrices in files: their sizes and numbers are not known yet."""
    kinds = {"name": Name, "coupled_sites": _COUPLED_SITES, "dataset": str}
    required = {"model": str, "files": Many[str]}
    given = structure(table, table_of(required, {**kinds, **change_kinds(bath)}), where)
    wanted = given["files"]
    if not wanted:
        raise InputError(f"{where}.files = []: at least one file is needed")
    for path in wanted:
        check_path(path)
    own = OwnModel(
        given.get("name", ""),
        given.get("coupled_sites"),
        wanted,
        given.get("dataset", OwnModel.dataset),
    )
    return [System(FILES, (), (), (), change, own) for change in changes_of_table(given)]


def samples_by_size(
    where: str, sizes: Sequence[int], samples: int | tuple[int, ...]
) -> dict[int, int]:
    """Samples by size."""
    if isinstance(samples, int):
        return dict.fromkeys(sizes, samples)
    if len(samples) != len(sizes):
        raise InputError(
            f"{where}.samples = {[*samples]}: a number, or one for each of {len(sizes)} sizes"
        )
    return dict(zip(sizes, samples))


def choices(values: Mapping[str, Iterable[Any]]) -> list[tuple[tuple[str, Any], ...]]:
    """Every choice of one value a key, keys in the order of the alphabet."""
    chosen = itertools.product(*values.values())
    return [tuple(sorted(zip(values, each))) for each in chosen]
