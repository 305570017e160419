"""TOML -> frozen dataclasses.  An unknown key is an error, and so is a wrong type."""

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from manybody.numerics.steppers import STEPPERS, build_stepper, check_operator, check_ranks
from manybody.physics import arguments
from manybody.physics.baths import OhmicBath
from manybody.physics.models import FAMILIES, SingleParticleModel
from manybody.seeding import generator, sample_entropy

FORMATS = ("png", "pdf", "csv")
MAX_TIMES = 100_000
MAX_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Point:
    """One model at one size: the unit over which disorder is averaged."""

    model: str
    parameters: tuple[tuple[str, float | str], ...]
    size: int

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return FAMILIES[self.model].n_sites(self.size)

    @property
    def name(self) -> str:
        """Unique name, fit for a folder."""
        words = [self.model]
        words += [f"{key}={value}" for key, value in self.parameters]
        return "-".join([*words, f"{FAMILIES[self.model].size}={self.size}"])

    def entropy(self, seed: int, sample: int) -> tuple[int, ...]:
        """Seed words of one disorder sample."""
        return sample_entropy(seed, self.model, dict(self.parameters), self.size, sample)

    def build(self, seed: int, sample: int) -> SingleParticleModel:
        """Draw one disorder sample."""
        family = FAMILIES[self.model]
        rng = generator(self.entropy(seed, sample))
        return family.build(**{family.size: self.size}, **dict(self.parameters), seed=rng)


@dataclass(frozen=True)
class System:
    """One model with fixed parameters over several sizes: one panel of the figure."""

    model: str
    parameters: tuple[tuple[str, float | str], ...]
    sizes: tuple[int, ...]
    samples: int

    @property
    def points(self) -> tuple[Point, ...]:
        """One point a size, ascending."""
        return tuple(Point(self.model, self.parameters, size) for size in self.sizes)


@dataclass(frozen=True)
class Study:
    """A whole study.  Fields are the keys of the TOML file, see `studies/`."""

    name: str
    description: str
    seed: int
    times: tuple[float, ...]
    bath: OhmicBath
    systems: tuple[System, ...]
    initial_site: int = 0
    lamb_shift: bool = False
    stepper: str = "chebyshev"
    tolerance: float = 1e-10
    petsc_options: str = ""
    operator: str = "matrix-free"
    drop_tolerance: float = 0.0
    # Ranks that share a sample; None lets the cost model decide, size by size.
    group_size: int | None = None
    block_size: int = 5
    formats: tuple[str, ...] = FORMATS

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of a sample: equal for all studies of one store."""
        # Keys that came later are silent at their defaults: older stores stay what they are.
        later = {"operator": self.operator, "drop_tolerance": self.drop_tolerance}
        defaults = {"operator": Study.operator, "drop_tolerance": Study.drop_tolerance}
        return {
            "seed": self.seed,
            "times": list(self.times),
            "bath": {
                "type": "ohmic",
                "coupling": self.bath.coupling,
                "cutoff": self.bath.cutoff,
                "beta": self.bath.beta,
            },
            "initial_site": self.initial_site,
            "lamb_shift": self.lamb_shift,
            "stepper": self.stepper,
            "tolerance": self.tolerance,
            "petsc_options": self.petsc_options,
            **{key: value for key, value in later.items() if value != defaults[key]},
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values; `from_json` inverts it."""
        systems = [
            {
                "model": system.model,
                "parameters": dict(system.parameters),
                "sizes": list(system.sizes),
                "samples": system.samples,
            }
            for system in self.systems
        ]
        return {
            "name": self.name,
            "description": self.description,
            **self.identity(),
            "group_size": self.group_size,
            "block_size": self.block_size,
            "formats": list(self.formats),
            "systems": systems,
        }

    def hash(self) -> str:
        """SHA-256 of the identity in canonical JSON."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def from_json(values: Mapping[str, Any]) -> Study:
    """The study that `Study.to_json` wrote."""
    bath = {key: value for key, value in values["bath"].items() if key != "type"}
    systems = tuple(
        System(
            item["model"],
            tuple(sorted(item["parameters"].items())),
            tuple(item["sizes"]),
            item["samples"],
        )
        for item in values["systems"]
    )
    rest = {key: values[key] for key in values if key not in ("bath", "systems")}
    rest["times"], rest["formats"] = tuple(rest["times"]), tuple(rest["formats"])
    return Study(bath=OhmicBath(**bath), systems=systems, **rest)


def merge_systems(stored: Study, wanted: Study) -> Study:
    """`stored`, extended by the systems, sizes and samples of `wanted`."""
    merged = {(system.model, system.parameters): system for system in stored.systems}
    for system in wanted.systems:
        key = (system.model, system.parameters)
        if key in merged:
            sizes = tuple(sorted({*merged[key].sizes, *system.sizes}))
            samples = max(merged[key].samples, system.samples)
            merged[key] = replace(system, sizes=sizes, samples=samples)
        else:
            merged[key] = system
    return replace(
        stored,
        formats=wanted.formats,
        group_size=wanted.group_size,
        systems=tuple(merged.values()),
    )


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


def parse_study(text: str, origin: str) -> Study:
    """Check a TOML text completely and build the study.

    Raises ValueError or TypeError: one sentence that names `origin`, the key, the
    value and what is allowed.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error
    try:
        return _study(table)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{origin}: {error}") from error


def _study(table: dict[str, Any]) -> Study:
    optional = {"description", "initial_site", "lamb_shift", "stepper", "tolerance"}
    optional |= {"petsc_options", "operator", "drop_tolerance", "group_size"}
    optional |= {"block_size", "outputs"}
    required = {"name", "seed", "samples", "times", "bath", "systems"}
    _check_keys("study", table, required, optional)
    samples = _samples("samples", table["samples"])
    systems = table["systems"]
    if not isinstance(systems, list) or not systems:
        raise TypeError("systems: at least one [[systems]] table is needed")
    expanded = tuple(
        itertools.chain.from_iterable(
            _systems(f"systems[{index}]", system, samples) for index, system in enumerate(systems)
        )
    )
    keys = [(system.model, system.parameters) for system in expanded]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"systems: {key[0]} with {dict(key[1])} appears more than once")
    smallest = min(point.n_sites for system in expanded for point in system.points)
    initial_site = arguments.integer("initial_site", table.get("initial_site", 0), 0)
    if initial_site >= smallest:
        raise ValueError(
            f"initial_site = {initial_site}: the smallest system has {smallest} sites, "
            f"allowed are 0 to {smallest - 1}"
        )
    stepper = arguments.choice("stepper", table.get("stepper", "chebyshev"), STEPPERS)
    tolerance = arguments.tolerance(table.get("tolerance", 1e-10))
    petsc_options = _text("petsc_options", table.get("petsc_options", ""))
    try:
        build_stepper(stepper, tolerance, petsc_options)
    except RuntimeError as error:
        raise ValueError(f"stepper = {stepper!r}: {error}") from error
    operator, drop_tolerance = table.get("operator", "matrix-free"), table.get("drop_tolerance", 0)
    try:
        operator, drop_tolerance = check_operator(operator, drop_tolerance)
    except RuntimeError as error:
        raise ValueError(f"operator = {operator!r}: {error}") from error
    outputs = _table("outputs", table.get("outputs", {}))
    _check_keys("outputs", outputs, set(), {"formats"})
    formats = outputs.get("formats", list(FORMATS))
    if not isinstance(formats, list) or not formats:
        raise TypeError(f"outputs.formats = {formats!r}: a list of {', '.join(FORMATS)} is needed")
    return Study(
        name=_name(table["name"]),
        description=_text("description", table.get("description", "")),
        seed=arguments.integer("seed", table["seed"], 0),
        times=_times(table["times"]),
        bath=_bath(table["bath"]),
        systems=expanded,
        initial_site=initial_site,
        lamb_shift=_boolean("lamb_shift", table.get("lamb_shift", False)),
        stepper=stepper,
        tolerance=tolerance,
        petsc_options=petsc_options,
        operator=operator,
        drop_tolerance=drop_tolerance,
        group_size=parse_group_size(table.get("group_size", "auto"), stepper),
        block_size=arguments.integer("block_size", table.get("block_size", 5), 1),
        formats=tuple(arguments.choice("outputs.formats", item, FORMATS) for item in formats),
    )


def _systems(where: str, table: object, samples: int) -> list[System]:
    table = _table(where, table)
    if "model" not in table:
        raise ValueError(f"{where}: key 'model' is missing")
    model = arguments.choice(f"{where}.model", table["model"], tuple(FAMILIES))
    family = FAMILIES[model]
    needed = {key for key, default in family.reals.items() if default is None}
    allowed = {*family.reals, *family.words, "samples"}
    _check_keys(where, table, {"model", family.size, *needed}, allowed)
    sizes = _listed(table[family.size])
    sizes = [arguments.integer(f"{where}.{family.size}", size, 1) for size in sizes]
    if not sizes:
        raise ValueError(f"{where}.{family.size} = []: at least one size is needed")
    if len(set(sizes)) != len(sizes):
        raise ValueError(f"{where}.{family.size} = {sizes}: distinct sizes are needed")
    choices: list[list[tuple[str, float | str]]] = []
    for key, default in family.reals.items():
        values = _listed(table.get(key, default))
        choices.append([(key, arguments.real(f"{where}.{key}", value)) for value in values])
    for key, (word, words) in family.words.items():
        values = _listed(table.get(key, word))
        choices.append([(key, arguments.choice(f"{where}.{key}", v, words)) for v in values])
    own_samples = _samples(f"{where}.samples", table.get("samples", samples))
    systems = []
    for combination in itertools.product(*choices):
        # The model itself knows its bounds (W >= 0, J > 0): ask it for the smallest one.
        family.build(**{family.size: 1}, **dict(combination), seed=0)
        parameters = tuple(sorted(combination))
        systems.append(System(model, parameters, tuple(sorted(sizes)), own_samples))
    if not systems:
        raise ValueError(f"{where}: an empty list leaves no system")
    return systems


def _bath(value: object) -> OhmicBath:
    table = _table("bath", value)
    _check_keys("bath", table, {"coupling", "cutoff", "beta"}, {"type", "chemical_potential"})
    arguments.choice("bath.type", table.get("type", "ohmic"), ("ohmic",))
    return OhmicBath(**{key: entry for key, entry in table.items() if key != "type"})


def _times(value: object) -> tuple[float, ...]:
    if isinstance(value, dict):
        _check_keys("times", value, {"start", "stop", "count"}, set())
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


def _name(value: object) -> str:
    """A study's name is the name of its figure."""
    name = _text("name", value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise ValueError(
            f"name = {name!r}: up to 80 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return name


def _check_keys(where: str, table: dict[str, Any], required: set[str], optional: set[str]) -> None:
    for key in table:
        if key not in required | optional:
            allowed = ", ".join(sorted(required | optional))
            raise ValueError(f"{where}: unknown key {key!r}, allowed are {allowed}")
    for key in sorted(required):
        if key not in table:
            raise ValueError(f"{where}: key {key!r} is missing")


def _table(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{where} = {value!r}: a table is needed")
    return value


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{where} = {value!r}: a string is needed")
    return value


def _boolean(where: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{where} = {value!r}: true or false is needed")
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
