"""[[systems]] tables of a study: what all of them share, and those of models that it brings."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.keys import InWords, Key
from manybody.physics.models.families import FAMILIES
from manybody.physics.models.family import Family
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
    said,
    structure,
    table_of,
)

MODEL = Annotated[
    str,
    f"one of {', '.join(FAMILIES)}, module:function, files",
    Key("how Hamiltonians are drawn; a module or files lie beside the study", ""),
]
OF_STUDY = InWords("the study's")
_CHANGED = Key("of this system; several values make a system each", "", OF_STUDY)


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


State = Annotated[
    str,
    _state,
    'a name, or { file = "..." } with a vector or a density matrix (npy, npz, mtx, h5)',
]
START = (
    "start by name: mixed, eigenstate-K; of one particle mixed-A-B-..., uniform, plane-wave-K; of "
    "many neel, domain-wall, spread, a pattern as 0110"
)
STARTS = "initial_site of one particle, spread of many that have a basis; others need one"


def _bath_number(where: str, value: object) -> float:
    """A parameter of a bath, any number that is not nan."""
    return math.inf if value == math.inf else arguments.real(where, value)


# Judged by the bath that is built with it: cutoffs and inverse temperatures may be infinite.
_BathNumber = Annotated[Any, _bath_number, "a number"]


def system_keys(bath: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """Types of the keys that all [[systems]] tables may have, whose samples are drawn."""
    count = Key("disorder samples of every size", "", OF_STUDY)
    return {"samples": Annotated[SamplesOfSizes, count], **_change_keys(bath)}


def size_keys(family: Family) -> dict[str, Any]:
    """Types of the keys of a [[systems]] table that say what is drawn, and of which sizes."""
    return {"model": MODEL, family.size: Annotated[Many[Count], family.meaning(family.size)]}


def _change_keys(bath: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """Types of the keys for what a system may have other than the study."""
    beta = Key("β of a thermal start e^{−βH}/Z; several make a system each", "1/J", OF_STUDY)
    return {
        "initial_beta": Annotated[Many[InverseTemperature], beta],
        "lamb_shift": Annotated[
            Many[bool], Key("whether equations keep η; both make two systems", "", OF_STUDY)
        ],
        "initial_site": Annotated[
            Many[Natural], Key("j of the start |j⟩⟨j|; several make a system each", "", OF_STUDY)
        ],
        "initial_state": Annotated[Many[State], Key(START, "", OF_STUDY)],
        "bath": Annotated[
            bath_changes(bath), Key("parameters of its bath, as [bath] has them", "", OF_STUDY)
        ],
    }


def bath_changes(bath: tuple[tuple[str, float], ...]) -> Any:
    """The type of the `bath` table of a system, by the parameters of the study's."""
    return table_of({name: Annotated[Many[_BathNumber], _CHANGED] for name, _ in bath})


def check_one_start(where: str, table: Mapping[str, Any]) -> None:
    """Raise InputError for a table with a thermal start and a site, of which one has no say."""
    if "initial_site" in table and "initial_beta" in table:
        raise InputError(f"{where}: initial_site and initial_beta are given: one start is needed")


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


_OWN_KEYS = {
    "name": Annotated[
        Name, Key("what reports and folders call it", "", InWords("module.function, or files"))
    ],
    "coupled_sites": Annotated[
        Any,
        checked_coupled_sites,
        "a list of integers >= 0",
        Key("sites that have a bath, of one particle", "", InWords("all, or what the model says")),
    ],
}
_FUNCTION_KEYS: dict[str, Any] = {
    **_OWN_KEYS,
    "parameters": said(
        "a table of numbers, true, false, words, or lists of them",
        "the function is called with these beside size and rng; lists make a system each",
        "",
        InWords("none"),
    ),
}
_SIZED = {
    "model": MODEL,
    "size": Annotated[Many[Count], Key("the function is called with it as size", "")],
}


def file_keys(bath: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """Types of the keys of a [[systems]] table of model = "files"."""
    dataset = Key("name of the Hamiltonian in files with several arrays", "", OwnModel.dataset)
    files = Key(
        "paths of Hamiltonians, one a sample, from the study's folder; * and ? are wild", ""
    )
    return {
        **_OWN_KEYS,
        "dataset": Annotated[str, dataset],
        **_change_keys(bath),
        "model": MODEL,
        "files": Annotated[Many[str], files],
    }


def function_keys(bath: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """Types of the keys of a [[systems]] table of model = "module:function"."""
    return {**_FUNCTION_KEYS, **system_keys(bath), **_SIZED}


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
    given = structure(table, table_of(function_keys(bath)), where)
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
    given = structure(table, table_of(file_keys(bath)), where)
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
