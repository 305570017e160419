"""TOML -> Study.  An unknown key is an error, and so is a wrong type."""

import itertools
import re
import tomllib
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from manybody.numerics.steppers import STEPPERS, check_operator, check_ranks, check_stepper
from manybody.physics import arguments
from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.baths.protocol import check_bath
from manybody.physics.models.families import FAMILIES
from manybody.study.configuration import (
    DEFAULT_FORMATS,
    FORMATS,
    OBSERVABLES,
    TRACE_DISTANCE,
    Convergence,
    Study,
    System,
    Value,
)

MAX_TIMES = 100_000
# Keys by which a system may depart from its study.
_CHANGES = ("initial_site", "initial_beta", "lamb_shift", "bath")
MAX_SAMPLES = 1_000_000


def builtin_studies() -> dict[str, str]:
    """Name -> TOML text of the studies that ship with the package."""
    folder = resources.files("manybody") / "studies"
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    return {name.removesuffix(".toml"): (folder / name).read_text("utf-8") for name in files}


def find_study(name: str) -> tuple[str, str]:
    """(TOML text, origin) of a built-in study or a file.  Raises ValueError."""
    path = Path(name)
    builtin = builtin_studies()
    if name in builtin:
        return builtin[name], f"study {name}"
    if path.is_dir():
        raise ValueError(f"study {name!r} is a folder: a TOML file is needed")
    if not path.is_file():
        raise ValueError(
            f"study {name!r} is neither a file nor one of the built-in studies "
            f"{', '.join(builtin)}"
        )
    try:
        # utf-8-sig: editors on some systems begin a file with a byte order mark.
        return path.read_text("utf-8-sig"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"study file {name!r} cannot be read: {error}") from error


def load_toml(text: str, origin: str) -> dict[str, Any]:
    """The tables of a TOML text.  Raises ValueError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error


def parse_study(text: str, origin: str) -> Study:
    """Check a TOML text completely and build the study.

    Raises ValueError or TypeError: one sentence that names `origin`, the key, the
    value and what is allowed.
    """
    table = load_toml(text, origin)
    try:
        return _study(table)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{origin}: {error}") from error


def _study(table: dict[str, Any]) -> Study:
    optional = {"description", "initial_site", "lamb_shift", "stepper", "tolerance"}
    optional |= {"petsc_options", "operator", "drop_tolerance", "group_size"}
    optional |= {"block_size", "outputs", "observables", "convergence", "initial_beta"}
    required = {"name", "seed", "samples", "bath", "systems"}
    observables = _observables(table.get("observables", [TRACE_DISTANCE]))
    if TRACE_DISTANCE in observables:
        required.add("times")
    elif "times" in table:
        raise ValueError("times: have a meaning only with 'trace_distance' among the observables")
    check_keys("study", table, required, optional)
    samples = _samples("samples", table["samples"])
    systems, (bath_type, bath) = table["systems"], _bath("bath", table["bath"])
    if not isinstance(systems, list) or not systems:
        raise TypeError("systems: at least one [[systems]] table is needed")
    expanded = tuple(
        itertools.chain.from_iterable(
            _systems(f"systems[{index}]", system, samples, bath_type, bath, observables)
            for index, system in enumerate(systems)
        )
    )
    keys = [system.key for system in expanded]
    for system in expanded:
        if keys.count(system.key) > 1:
            said = dict((*system.parameters, *system.changes))
            raise ValueError(f"systems: {system.model} with {said} appears more than once")
    initial_site = arguments.integer("initial_site", table.get("initial_site", 0), 0)
    for system in expanded:
        _check_sizes(system, initial_site, observables)
    stepper = arguments.choice("stepper", table.get("stepper", "chebyshev"), STEPPERS)
    tolerance = arguments.tolerance(table.get("tolerance", 1e-10))
    petsc_options = checked_text("petsc_options", table.get("petsc_options", ""))
    check_stepper(stepper, petsc_options)
    operator, drop_tolerance = check_operator(
        table.get("operator", "matrix-free"), table.get("drop_tolerance", 0)
    )
    convergence = None
    if "convergence" in table:
        if TRACE_DISTANCE not in observables:
            raise ValueError("convergence: needs 'trace_distance' among the observables")
        convergence = _convergence(table["convergence"])
    study = Study(
        convergence=convergence,
        name=checked_name(table["name"]),
        description=checked_text("description", table.get("description", "")),
        seed=arguments.integer("seed", table["seed"], 0),
        times=_times(table["times"]) if TRACE_DISTANCE in observables else (),
        bath_type=bath_type,
        bath_parameters=bath,
        systems=expanded,
        initial_site=initial_site,
        initial_beta=_thermal("initial_beta", table.get("initial_beta"), observables),
        lamb_shift=checked_boolean("lamb_shift", table.get("lamb_shift", False)),
        stepper=stepper,
        tolerance=tolerance,
        petsc_options=petsc_options,
        operator=operator,
        drop_tolerance=drop_tolerance,
        observables=observables,
        group_size=parse_group_size(table.get("group_size", "auto"), stepper),
        block_size=_block_size(table.get("block_size")),
        formats=checked_formats(table.get("outputs", {})),
    )
    for system in expanded:
        _check_bath(study.at(system.points[0]))
    return study


def _check_bath(own: Study) -> None:
    """Raise ValueError for a bath that density couplings, or the observables, cannot have."""
    if check_bath(own.bath, own.lamb_shift).vanishes and {"gap", "steady_state"} & set(
        own.observables
    ):
        raise ValueError("bath.coupling = 0: without a bath there is no steady state and no gap")


def checked_formats(value: object) -> tuple[str, ...]:
    """What a report consists of, from the table `outputs`."""
    outputs = checked_table("outputs", value)
    check_keys("outputs", outputs, set(), {"formats"})
    formats = outputs.get("formats", list(DEFAULT_FORMATS))
    if not isinstance(formats, list) or not formats:
        raise TypeError(f"outputs.formats = {formats!r}: a list of {', '.join(FORMATS)} is needed")
    return tuple(arguments.choice("outputs.formats", item, FORMATS) for item in formats)


def _block_size(value: object) -> int | None:
    return None if value is None else arguments.integer("block_size", value, 1)


def _convergence(value: object) -> Convergence:
    table = checked_table("convergence", value)
    names = {field.name for field in fields(Convergence)}
    check_keys("convergence", table, {"samples"}, names - {"samples"})
    most = table.get("max_sites")
    steppers = listed(table.get("stepper", []))
    for name in steppers:
        arguments.choice("convergence.stepper", name, STEPPERS)
    tolerances = listed(table.get("tolerance", []))
    operators = listed(table.get("operator", []))
    drops = listed(table.get("drop_tolerance", []))
    try:
        for name in operators:
            check_operator(name, 0.0)
        for drop in drops:
            check_operator("assembled", drop)
    except (ValueError, TypeError) as error:
        raise ValueError(f"convergence: {error}") from error
    finer = listed(table.get("time_refinement", []))
    return Convergence(
        samples=_samples("convergence.samples", table["samples"]),
        max_sites=None if most is None else arguments.integer("convergence.max_sites", most, 1),
        tolerance=tuple(arguments.tolerance(entry) for entry in tolerances),
        stepper=tuple(steppers),
        operator=tuple(operators),
        drop_tolerance=tuple(float(drop) for drop in drops),
        time_refinement=tuple(
            arguments.integer("convergence.time_refinement", factor, 2) for factor in finer
        ),
    )


def _observables(value: object) -> tuple[str, ...]:
    """In the order of OBSERVABLES, whatever the order in the file."""
    if not isinstance(value, list) or not value:
        raise TypeError(f"observables = {value!r}: a list of {', '.join(OBSERVABLES)} is needed")
    for item in value:
        arguments.choice("observables", item, OBSERVABLES)
    if len(set(value)) != len(value):
        raise ValueError(f"observables = {value!r}: each may appear once")
    return tuple(name for name in OBSERVABLES if name in value)


def _check_sizes(system: System, initial_site: int, observables: tuple[str, ...]) -> None:
    """Raise ValueError for a system too small for what is asked of it."""
    smallest = min(point.n_sites for point in system.points)
    site = dict(system.changes).get("initial_site", initial_site)
    if int(site) >= smallest:
        raise ValueError(
            f"initial_site = {site}: the smallest system has {smallest} sites, "
            f"allowed are 0 to {smallest - 1}"
        )
    fewest = {"gap": 2, "level_statistics": 3}
    for name in observables:
        if smallest < fewest.get(name, 1):
            raise ValueError(
                f"observables: {name!r} needs {fewest[name]} sites, the smallest {system.model} "
                f"has {smallest}"
            )


def _thermal(where: str, value: object, observables: tuple[str, ...]) -> float | None:
    """Inverse temperature of a thermal start, None without one."""
    if value is None:
        return None
    if "steady_state" in observables:
        raise ValueError(f"{where} = {value!r}: 'steady_state' is of a start on a site")
    return arguments.real(where, value, minimum=0.0)


def _systems(
    where: str,
    table: object,
    samples: int,
    bath_type: str,
    bath: tuple[tuple[str, float], ...],
    observables: tuple[str, ...],
) -> list[System]:
    table = checked_table(where, table)
    if "model" not in table:
        raise ValueError(f"{where}: key 'model' is missing")
    model = arguments.choice(f"{where}.model", table["model"], tuple(FAMILIES))
    family = FAMILIES[model]
    needed = {key for key, default in family.reals.items() if default is None}
    allowed = {*family.reals, *family.words, "samples", *_CHANGES}
    check_keys(where, table, {"model", family.size, *needed}, allowed)
    sizes = listed(table[family.size])
    sizes = [arguments.integer(f"{where}.{family.size}", size, 1) for size in sizes]
    if not sizes:
        raise ValueError(f"{where}.{family.size} = []: at least one size is needed")
    if len(set(sizes)) != len(sizes):
        raise ValueError(f"{where}.{family.size} = {sizes}: distinct sizes are needed")
    choices: list[list[tuple[str, float | str]]] = []
    for key, default in family.reals.items():
        values = listed(table.get(key, default))
        choices.append([(key, arguments.real(f"{where}.{key}", value)) for value in values])
    for key, (word, words) in family.words.items():
        values = listed(table.get(key, word))
        choices.append([(key, arguments.choice(f"{where}.{key}", v, words)) for v in values])
    own_samples = _samples(f"{where}.samples", table.get("samples", samples))
    changes = _changes(where, table, bath_type, dict(bath))
    if "initial_beta" in table:
        name = f"{where}.initial_beta"
        betas = [_thermal(name, entry, observables) for entry in listed(table["initial_beta"])]
        changes.append([("initial_beta", beta) for beta in betas if beta is not None])
    systems = []
    for combination in itertools.product(*choices):
        # The model itself knows its bounds (W >= 0, J > 0): ask it for the smallest one.
        family.build(**{family.size: 1}, **dict(combination), seed=0)
        parameters = tuple(sorted(combination))
        for change in itertools.product(*changes):
            own = tuple(sorted(change))
            systems.append(System(model, parameters, tuple(sorted(sizes)), own_samples, own))
    if not systems:
        raise ValueError(f"{where}: an empty list leaves no system")
    return systems


def _changes(
    where: str, table: dict[str, Any], bath_type: str, bath: dict[str, float]
) -> list[list[tuple[str, Value]]]:
    """Where a system departs from the study, key by key; a list stands for several systems."""
    found: list[list[tuple[str, Value]]] = []
    if "lamb_shift" in table:
        shifts = [
            checked_boolean(f"{where}.lamb_shift", entry) for entry in listed(table["lamb_shift"])
        ]
        found.append([("lamb_shift", shift) for shift in shifts])
    if "initial_site" in table:
        name = f"{where}.initial_site"
        starts = [arguments.integer(name, entry, 0) for entry in listed(table["initial_site"])]
        found.append([("initial_site", site) for site in starts])
    own = checked_table(f"{where}.bath", table.get("bath", {}))
    check_keys(f"{where}.bath", own, set(), set(bath))
    for key, given in own.items():
        entries = [arguments.real(f"{where}.bath.{key}", entry) for entry in listed(given)]
        for entry in entries:
            # The bath itself knows its bounds.
            BATH_FAMILIES[bath_type].build(**{**bath, key: entry})
        found.append([(f"bath_{key}", entry) for entry in entries])
    return found


def _bath(where: str, value: object) -> tuple[str, tuple[tuple[str, float], ...]]:
    """Type and parameters, in the order of their family, checked by building the bath."""
    table = checked_table(where, value)
    kind = arguments.choice(f"{where}.type", table.get("type", "ohmic"), tuple(BATH_FAMILIES))
    family = BATH_FAMILIES[kind]
    needed = {key for key, default in family.parameters.items() if default is None}
    check_keys(where, table, needed, {*family.parameters, "type", "chemical_potential"})
    mu = arguments.real(f"{where}.chemical_potential", table.get("chemical_potential", 0.0))
    if mu != 0.0:
        raise ValueError(
            f"{where}.chemical_potential = {mu!r}: a density coupling exchanges no particles, "
            "and any value but 0 would break detailed balance"
        )
    given = {key: table.get(key, default) for key, default in family.parameters.items()}
    family.build(**given)
    return kind, tuple((key, float(entry)) for key, entry in given.items() if entry is not None)


def _times(value: object) -> tuple[float, ...]:
    if isinstance(value, dict):
        check_keys("times", value, {"start", "stop", "count"}, set())
        start = arguments.real("times.start", value["start"], minimum=0.0)
        stop = arguments.real("times.stop", value["stop"], above=start)
        count = arguments.integer("times.count", value["count"], 2)
        if count > MAX_TIMES:
            raise ValueError(f"times.count = {count}: at most {MAX_TIMES}")
        value = np.linspace(start, stop, count)
    return tuple(arguments.ascending_times("times", value).tolist())


def _samples(where: str, value: object) -> int:
    samples = arguments.integer(where, value, 1)
    if samples > MAX_SAMPLES:
        raise ValueError(f"{where} = {samples}: at most {MAX_SAMPLES}")
    return samples


def parse_group_size(value: object, stepper: str) -> int | None:
    """Ranks that share a sample: a positive integer, or None for "auto".

    Raises TypeError or ValueError, also for a stepper that runs on one rank.
    """
    if value == "auto":
        return None
    if isinstance(value, str):
        raise ValueError(f"group_size = {value!r}: must be a positive integer or 'auto'")
    size = arguments.integer("group_size", value, 1)
    check_ranks(stepper, size)
    return size


def checked_name(value: object) -> str:
    """A study's name is the name of its figure."""
    name = checked_text("name", value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise ValueError(
            f"name = {name!r}: up to 80 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return name


def check_keys(where: str, table: dict[str, Any], required: set[str], optional: set[str]) -> None:
    """ValueError for a key that is unknown or missing."""
    for key in table:
        if key not in required | optional:
            allowed = ", ".join(sorted(required | optional))
            raise ValueError(f"{where}: unknown key {key!r}, allowed are {allowed}")
    for key in sorted(required):
        if key not in table:
            raise ValueError(f"{where}: key {key!r} is missing")


def checked_table(where: str, value: object) -> dict[str, Any]:
    """`value` as a TOML table; TypeError."""
    if not isinstance(value, dict):
        raise TypeError(f"{where} = {value!r}: a table is needed")
    return value


def checked_text(where: str, value: object) -> str:
    """`value` as a string; TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{where} = {value!r}: a string is needed")
    return value


def checked_boolean(where: str, value: object) -> bool:
    """`value` as true or false; TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"{where} = {value!r}: true or false is needed")
    return value


def listed(value: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return value if isinstance(value, list) else [value]
