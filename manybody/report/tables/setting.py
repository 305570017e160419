"""What was computed, as tables: the parameters of a study, and its systems."""

from collections.abc import Iterator
from typing import Any

from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.equations.registry import EQUATIONS
from manybody.report.page.document import Table
from manybody.report.read import StudyResult, pattern_words, system_title, thermal_words
from manybody.report.tables.columns import Cell, cell, table_of
from manybody.study.configuration import Study, System
from manybody.study.regions import symbol_of

# Meaning and unit of parameters of baths; J_int² ω is a rate, so that J_int has no unit.
_MEANINGS = {
    "coupling": ("strength of the coupling to the baths", "1"),
    "strength": ("strength of the coupling to the baths", "1/J²"),
    "cutoff": ("ω_c, cutoff of the spectrum of the baths", "J"),
    "exponent": ("power of ω at small ω", "1"),
    "beta": ("inverse temperature of the baths", "1/J"),
    "rate": ("rate of the baths", "J"),
}
_SEE = "by system"


def build_setting(results: StudyResult) -> list[Table]:
    """Parameters and systems."""
    return [
        table_of("parameters", "Parameters of the study", _parameters(results)),
        table_of("systems", "Systems and sizes", _systems(results)),
    ]


def _parameters(results: StudyResult) -> Iterator[list[Cell]]:
    changed = {key for system in results.study.systems for key, _ in system.changes}
    for key, symbol, meaning, value, unit in _facts(results):
        yield [
            cell("parameter", meaning, "parameter"),
            cell("symbol", symbol, "symbol"),
            cell("value", _SEE if key in changed else value, "value"),
            cell("unit", unit, "unit"),
        ]


def _facts(results: StudyResult) -> Iterator[tuple[str, str, str, str, str]]:
    """Key of a change, symbol, meaning, value and unit."""
    study = results.study
    titles = ", ".join(EQUATIONS[name].title for name in study.equations)
    if study.evolves:
        yield "", "", "equations", titles, ""
    yield "", "", "baths", BATH_FAMILIES[study.bath_type].title, ""
    yield from _bath_facts(study)
    kept = "kept" if study.lamb_shift else "neglected, η = 0"
    yield "lamb_shift", "η(ω)", "Lamb shift", kept, ""
    if study.evolves:
        yield _start_key(results), "ρ(0)", "start", start_words(results), ""
        first, last = study.times[0], study.times[-1]
        yield "", "t", "times", f"{first:g} to {last:g}, {len(study.times)} of them", "1/J"
    yield "", "", "stepper and its tolerance", f"{study.stepper}, {study.tolerance:g}", ""
    yield "", "", "seed of the disorder", str(study.seed), ""


def _bath_facts(study: Study) -> Iterator[tuple[str, str, str, str, str]]:
    family = BATH_FAMILIES[study.bath_type]
    for key, value in study.bath_parameters:
        meaning, unit = _MEANINGS.get(key.rpartition(".")[2], (key, ""))
        yield f"bath_{key}", symbol_of(family, key)[1], meaning, f"{value:g}", unit


def _start_key(results: StudyResult) -> str:
    """That of the first change of starts that there is."""
    changed = [key for system in results.study.systems for key, _ in system.changes]
    return next((key for key in changed if key.startswith("initial_")), "initial_site")


def start_words(results: StudyResult) -> str:
    """Where samples start, unless a system says otherwise."""
    study = results.study
    if study.initial_beta is not None:
        return thermal_words(study.initial_beta)
    pattern, site = pattern_words(study), f"site {study.initial_site}"
    kind = results.particles if study.initial_state is None else "many"
    words = {"one": site, "many": pattern, "both": f"{site}; of many: {pattern}"}
    return words[kind]


def _systems(results: StudyResult) -> Iterator[list[Cell]]:
    """A row a system, with its H where the family says it."""
    for system, points in results.systems:
        found = {point.point.size: point.n_samples for point in points}
        counts = [found.get(size, 0) for size in system.sizes]
        yield [
            cell("system", system_title(system, plain=True), "system"),
            cell("hamiltonian", system.family.hamiltonian, "H"),
            cell("parameters", _parameters_of(system), "parameters"),
            cell("n_sites", _listed([each.n_sites for each in system.points]), "N"),
            cell("dimensions", _listed([each.dimension for each in system.points]), "D"),
            cell("samples", _listed(counts), "samples"),
        ]


def _parameters_of(system: System) -> str:
    """All of them as a study names them, defaults as well: titles leave those out."""
    given = system.family.with_defaults(dict(system.parameters))
    return ", ".join(f"{key} = {_plain(value)}" for key, value in given.items())


def _plain(value: Any) -> str:
    """Numbers without zeros behind, and whatever a model of the user's takes."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _listed(numbers: list[int]) -> str:
    """All of them, or the one that they all are."""
    return ", ".join(map(str, dict.fromkeys(numbers) if len(set(numbers)) == 1 else numbers))
