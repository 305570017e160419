"""TOML -> Study.  An unknown key is an error, and so is a wrong type."""

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from manybody.errors import InputError, InputTypeError, meant, said_of, shown
from manybody.numerics.petsc.runtime import check_portable
from manybody.numerics.steppers import check_operator, check_ranks, check_stepper
from manybody.physics import arguments
from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.baths.protocol import check_bath
from manybody.physics.baths.several import AnyBaths, distinct_baths
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.models.families import FAMILIES
from manybody.solve.comparison import check_start
from manybody.solve.observables.registry import chosen
from manybody.study.configuration import Point, Study, System, with_counts
from manybody.study.files import is_file, name_of, named_text, read_bytes, with_digest
from manybody.study.keys import family_keys, study_keys
from manybody.study.own_models import is_own
from manybody.study.regions import flattened, is_regional, naming, regional_baths
from manybody.study.structure import checked, structure, table_of
from manybody.study.system_tables import (
    are_files,
    changes_of_table,
    check_names,
    check_one_start,
    checked_sizes,
    choices,
    own_systems,
    samples_by_size,
    size_keys,
    system_keys,
)

T = TypeVar("T")


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
        raise InputError(f"study {name!r} is a folder: a TOML file is needed")
    if not path.is_file():
        raise InputError(
            f"study {name!r} is neither a file nor one of the built-in studies "
            f"{', '.join(builtin)}{meant(name, builtin)}"
        )
    try:
        # utf-8-sig: editors on some systems begin a file with a byte order mark.
        return path.read_text("utf-8-sig"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"study file {name!r} cannot be read: {error}") from error


def load_toml(text: str, origin: str) -> dict[str, Any]:
    """The tables of a TOML text.  Raises ValueError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{origin}: not valid TOML: {error}") from error


def folder_of(name: str) -> Path | None:
    """Where the files lie that a study names, see `find_study`; None for one that is built in."""
    return None if name in builtin_studies() else Path(name).parent


def parse_study(text: str, origin: str, folder: Path | None = None) -> Study:
    """Check a TOML text completely and build the study.

    folder: where the files lie that it may name; None for none.
    Raises ValueError or TypeError: one sentence that names `origin`, the key, the
    value and what is allowed.
    """
    return parsed(text, origin, partial(_study, folder=folder))


def parse_table(table: Mapping[str, Any], origin: str, folder: Path | None = None) -> Study:
    """`parse_study` of a text that is a table already."""
    return _built(dict(table), origin, partial(_study, folder=folder))


def parsed(text: str, origin: str, build: Callable[[dict[str, Any]], T]) -> T:
    """What `build` makes of a TOML text; its sentences begin with `origin`."""
    return _built(load_toml(text, origin), origin, build)


def _built(table: dict[str, Any], origin: str, build: Callable[[dict[str, Any]], T]) -> T:
    with said_of(origin):
        return build(table)


def _study(table: dict[str, Any], folder: Path | None) -> Study:
    if table.get("kind") == "samples":
        table = {key: value for key, value in table.items() if key != "kind"}
    are_drawn = not are_files(table.get("systems"))
    if not are_drawn and "samples" in table:
        raise InputError(
            f"samples = {table['samples']!r}: systems of model = 'files' have a sample for each "
            "of their files: leave it out, fewer are had by naming fewer files"
        )
    check_one_start("study", table)
    file = structure(table, table_of(study_keys(are_drawn)))
    samples, tables = file.pop("samples", 1), file.pop("systems")
    bath_type, bath = file.pop("bath")
    if not isinstance(tables, list) or not tables:
        raise InputTypeError("systems: at least one [[systems]] table is needed")
    systems = [
        system
        for index, each in enumerate(tables)
        for system in _systems(f"systems[{index}]", each, samples, bath)
    ]
    stepper = file.get("stepper", Study.stepper)
    study = Study(
        bath_type=bath_type,
        bath_parameters=bath,
        systems=tuple(systems),
        group_size=parse_group_size(file.pop("group_size", "auto"), stepper),
        **file.pop("outputs", {}),
        **file,
    )
    if study.evolves and "times" not in table:
        raise InputError("study: key 'times' is missing")
    if "times" in table and not study.evolves:
        raise InputError("times: have a meaning only with 'trace_distance' among the observables")
    study = _with_files(study, folder)
    check_whole(study)
    check_portable(study.petsc_options)
    return study


def _with_files(study: Study, folder: Path | None) -> Study:
    """The study with the content of its files, and every text that names one with its digest."""
    texts = study.file_texts
    if not texts:
        return study
    if folder is None:
        raise InputError(
            f"file {name_of(texts[0])!r} lies beside the study, which is no file itself"
        )
    contents = {name_of(text): read_bytes(folder / name_of(text)) for text in texts}
    known = {text: with_digest(text, contents[name_of(text)]) for text in texts}

    def change(key: str, value: Any) -> tuple[str, Any]:
        return key, known.get(value, value) if key == "initial_state" else value

    systems = tuple(
        replace(system, changes=tuple(change(*own) for own in system.changes))
        for system in study.systems
    )
    state, named = study.initial_state, map(named_text, study.expectations)
    return replace(
        study,
        systems=systems,
        initial_state=None if state is None else known.get(state, state),
        expectations=tuple(
            f"{name}={known[text]}" if is_file(text) else text for name, text in named
        ),
        files=contents,
    )


def check_whole(study: Study) -> None:
    """Raise ValueError for names that nobody knows, and for values that do not go together.

    Of own models that nobody has looked at yet only what their text says.
    """
    check_stepper(study.stepper, study.petsc_options)
    check_operator(study.operator, study.drop_tolerance)
    keys = Counter(system.key for system in study.systems)
    for system in study.systems:
        if keys[system.key] > 1:
            given = dict((*system.parameters, *system.changes))
            raise InputError(f"systems: {system.model} with {given} appears more than once")
        if system.is_known:
            _check_points(study, system)
    check_names(study)
    if study.expectations and not study.evolves:
        raise InputError("expectations: need 'trace_distance' among the observables")
    wish = study.convergence
    if wish is None:
        return
    if not study.evolves:
        raise InputError("convergence: needs 'trace_distance' among the observables")
    with said_of("convergence"):
        for stepper in wish.stepper:
            check_stepper(stepper)
        for operator in wish.operator:
            check_operator(operator, 0.0)
        for drop in wish.drop_tolerance:
            check_operator("assembled", drop)


def _check_points(study: Study, system: System) -> None:
    """Raise ValueError for what some size of a system, or the smallest, is not fit for."""
    _check_system(study.at(system.points[0]), system.points[0])
    for point in system.points:
        start = study.start(point)
        for expectation in study.expected:
            expectation.check(point.places)
        if study.evolves:
            check_start([EQUATIONS[name] for name in study.equations], start)


def _check_system(own: Study, smallest: Point) -> None:
    """Raise ValueError where the smallest point of a system, or its bath, is not fit for it."""
    n_sites = smallest.n_sites
    if smallest.basis is None and own.initial_site >= n_sites:
        raise InputError(
            f"initial_site = {own.initial_site}: the smallest system has {n_sites} sites, "
            f"allowed are 0 to {n_sites - 1}"
        )
    _check_equations(own, smallest)
    baths = own.baths(smallest)
    if own.bath in distinct_baths(baths):
        check_bath(own.bath, own.lamb_shift)
    kind = BATH_FAMILIES[own.bath_type]
    for region, bath in regional_baths(kind, own.bath_parameters).items():
        with naming(region):
            check_bath(bath, own.lamb_shift)
    _check_one_bath(own, baths)
    vanishes = baths.vanishes
    for each in chosen(own.observables):
        if n_sites < each.fewest_sites:
            raise InputError(
                f"observables: {each.name!r} needs {each.fewest_sites} sites, the smallest "
                f"{smallest.model} has {n_sites}"
            )
        if own.initial_beta is not None and each.needs_site:
            raise InputError(
                f"initial_beta = {own.initial_beta!r}: {each.name!r} is of a start on a site"
            )
        if vanishes and each.needs_bath:
            # Which number it is depends on the family.
            zero = [f".{key} = 0" for key, value in own.bath_parameters if value == 0.0]
            raise InputError(f"bath{''.join(zero)}: without a bath there is no {each.name!r}")


def _check_one_bath(own: Study, baths: AnyBaths) -> None:
    """Raise ValueError for an observable that knows one bath alone, or needs two."""
    count = len(distinct_baths(baths))
    for each in chosen(own.observables):
        if each.one_bath and count > 1:
            raise InputError(f"observables: {each.name!r} is of equal baths, here are {count}")
        betas = {bath.beta for bath in distinct_baths(baths) if not bath.vanishes}
        if each.several_temperatures and len(betas) < 2:
            raise InputError(
                f"observables: {each.name!r} is of baths of several temperatures, here is one: "
                "give a region its own, [bath.at.left] beta = 1.0 say"
            )


def _check_equations(own: Study, smallest: Point) -> None:
    """Raise ValueError for equations that a family has no terms for."""
    equations = [EQUATIONS[name] for name in own.equations]
    has_terms = smallest.family.has_terms(dict(smallest.parameters))
    for each in equations:
        if each.needs_terms and not has_terms:
            raise InputError(
                f"equations: {each.name!r} does not apply to model {smallest.model!r}: patches "
                "are cut out of the terms of many particles on a lattice, here are none"
            )


def _systems(
    where: str, value: object, samples: int, bath: tuple[tuple[str, float], ...]
) -> list[System]:
    """The systems of one table: a list of values stands for a system each."""
    table = checked(where, value, dict)
    if "model" not in table:
        raise InputError(f"{where}: key 'model' is missing")
    check_one_start(where, table)
    if isinstance(table.get("bath"), dict):
        table = {**table, "bath": flattened(table["bath"])}
        for key in table["bath"]:
            if is_regional(key) and key not in dict(bath):
                raise InputError(
                    f"{where}.bath.{key}: a system changes what the study has, add [bath.at."
                    f"{key.split('.')[1]}] {key.split('.')[2]} to it"
                )
    if is_own(table["model"]):
        return own_systems(where, table, samples, bath)
    model = table["model"]
    if not isinstance(model, str) or model not in FAMILIES:
        raise InputError(
            f"{where}.model = {shown(model)}: must be one of {', '.join(map(repr, FAMILIES))}, "
            "'module:function' for code of yours, or 'files'"
        )
    family = FAMILIES[model]
    defaults = {
        **family.reals,
        **family.integers,
        **{key: word for key, (word, _) in family.words.items()},
    }
    # A count without default is a parameter of those systems alone that name it.
    defaults |= {key: own for key, own in family.counts.items() if own is not None or key in table}
    kinds = {**family_keys(family), **system_keys(bath), **size_keys(family)}
    given = structure(table, table_of(kinds), where)
    sizes = checked_sizes(f"{where}.{family.size}", given[family.size])
    counts = samples_by_size(where, given[family.size], given.get("samples", samples))
    changes = changes_of_table(given)
    systems = []
    for own in choices({key: given.get(key, (value,)) for key, value in defaults.items()}):
        family.check(sizes, dict(own))
        systems += [
            with_counts(System(model, own, sizes, samples, change), counts) for change in changes
        ]
    if not systems:
        raise InputError(f"{where}: an empty list leaves no system")
    return systems


def parse_group_size(value: object, stepper: str) -> int | None:
    """Ranks that share a sample: a positive integer, or None for "auto".

    Raises TypeError or ValueError, also for a stepper that runs on one rank.
    """
    if value == "auto":
        return None
    if isinstance(value, str):
        raise InputError(f"group_size = {value!r}: must be a positive integer or 'auto'")
    size = arguments.integer("group_size", value, 1)
    check_ranks(stepper, size)
    return size
