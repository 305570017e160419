"""What was found, and what of it is not physical, in sentences."""

from collections.abc import Iterator

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.numbers import with_error
from manybody.report.analysis.paired import DISTANCE, Difference, differences
from manybody.report.figures.equations import distance_of, has_more_equations
from manybody.report.figures.makers import distances_name
from manybody.report.page.document import Section, Text
from manybody.report.page.subject import distances_title
from manybody.report.read import PointResult, StudyResult, point_title, size_words, system_title
from manybody.report.tables.columns import unit_words
from manybody.report.tables.paired import setting_words
from manybody.solve.observables.registry import chosen
from manybody.study.configuration import Point, System

# Of a table and of a law.
_LAWS, _PAIRED, _LOCAL = "laws", "paired", "verdicts"


def answer(analysis: Analysis) -> Section:
    """The first section: what was found, and what is not there."""
    results, notes = analysis.results, []
    if results.missing:
        notes.append(
            f"Incomplete: {results.missing} samples of the study are not in the store, see below."
        )
    if results.problems:
        notes.append(f"{len(results.problems)} blocks or samples were left out, see below.")
    found = list(_findings(analysis))
    return Section(
        "What was found",
        (
            Text(tuple(line for line, _ in found), "answer", tuple(target for _, target in found)),
            Text(tuple(notes), "note"),
        ),
    )


def warnings_of(results: StudyResult) -> Text:
    """What stands above all: systems whose numbers are not those of physical states."""
    lines = tuple(_warnings(results))
    return Text(lines, "warning", (distances_title(results.study),) * len(lines))


def _warnings(results: StudyResult) -> Iterator[str]:
    """Of every such system, all its sizes at once."""
    for system, points in results.drawn:
        said = [
            f"{size_words(point.point)}: {'; '.join(point.warnings)}"
            for point in points
            if point.warnings
        ]
        if said:
            yield f"Unphysical results: {system_title(system, plain=True)}. {'. '.join(said)}."


def findings(analysis: Analysis) -> list[str]:
    """Sentences on every system: its verdict, its largest size, gaps; then what settings do."""
    return [line for line, _ in _findings(analysis)]


def _findings(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Sentences, each with the figure or table that it is about."""
    results = analysis.results
    judged = {each.system.key for each in analysis.verdicts if each.verdict is not None}
    sentences = {each.system.key: each.sentence for each in analysis.verdicts}
    for system, points in results.systems:
        name = system_title(system, plain=True)
        if not points:
            yield f"{name}: no sample yet.", "missing"
            continue
        if results.study.evolves:
            sentence = sentences.get(system.key, "")
            target = _LAWS if system.key in judged else distances_name(results.study)
            yield _distance_finding(name, sentence, points[-1]), target
        if results.study.evolves and has_more_equations(results):
            yield _equations_finding(results, name, points[-1]), "equations"
        if not results.study.evolves:
            target = f"{results.study.name}-figures"
            yield from ((line, target) for line in _shown_findings(results, name, points))
        yield from ((line, _LOCAL) for line in _local_findings(analysis, system, name))
        for point in points:
            if point.gap_words and point.gap_words != point.growing_words:
                yield f"{name}, {size_words(point.point)}: {point.gap_words}.", "figures"
    yield from ((line, _PAIRED) for line in _paired_findings(results))


def _distance_finding(name: str, sentence: str, point: PointResult) -> str:
    last = point.summary
    assert last is not None
    verdict = f"{sentence}. " if sentence else ""
    reach = f", {last.reach_words}" if last.reach_words else ""
    return (
        f"{name}: {verdict}At the largest size, {size_words(point.point)}, the mean distance "
        f"reaches {last.maximum_words} at t = {last.time_of_maximum:g}{reach}."
    )


def _equations_finding(results: StudyResult, name: str, point: PointResult) -> str:
    """How far all equations are from the first, at the largest size."""
    first, *others = results.study.equations
    words = ", ".join(
        f"{EQUATIONS[other].title} {with_error(*distance_of(results, point, other))}"
        for other in others
    )
    start = f"largest mean distances from {EQUATIONS[first].title}"
    return f"{name}, {size_words(point.point)}: {start}: {words}."


def _shown_findings(
    results: StudyResult, name: str, points: tuple[PointResult, ...]
) -> Iterator[str]:
    """The mean of what each observable has its first panel for, at the ends of the sizes.

    Gaps have sentences of their own.
    """
    for observable in chosen(results.study.observables):
        for figure in [panel.figures[0] for panel in observable.panels[:1]]:
            known = [point for point in points if point.spreads[figure].count]
            ends = dict.fromkeys([known[0], known[-1]] if known else [])
            own = observable.figures[figure]
            unit = "" if own.unit == "1" else f" {unit_words(own.unit)}"
            means = " and ".join(_mean_words(point, figure, unit) for point in ends)
            if means and figure != "gap":
                yield f"{name}: {own.meaning}: {means} (means over samples)."


def _mean_words(point: PointResult, figure: str, unit: str) -> str:
    spread = point.spreads[figure]
    return f"{with_error(spread.mean, spread.error)}{unit} at {size_words(point.point)}"


def _local_findings(analysis: Analysis, system: System, name: str) -> list[str]:
    """A sentence on what verdicts say of local figures beside the trace distance."""
    verdicts = analysis.of_system(system)
    if not any(each.figure for each in verdicts):
        return []
    if len({each.few_words for each in verdicts if each.verdict is None}) == 1 and not any(
        each.verdict for each in verdicts
    ):
        return [f"{name}: local figures have too few sizes for verdicts as well."]
    quantities: dict[str, list[str]] = {}
    for each in verdicts:
        quantities.setdefault(each.outcome, []).append(each.quantity)
    words = "; ".join(f"{', '.join(own)} {outcome}" for outcome, own in quantities.items())
    few = dict.fromkeys(each.few_words for each in verdicts if each.verdict is None)
    return [f"{name}, with size: {'; '.join([words, *few])}."]


def _paired_findings(results: StudyResult) -> Iterator[str]:
    """What settings change at the largest size of every system, on the same samples."""
    largest: dict[object, list[Difference]] = {}
    found = differences(results)
    main = DISTANCE if results.study.evolves or not found else found[0].figure
    for each in found:
        if each.figure == main:
            point = each.shared.bare
            own = largest.setdefault((point.model, point.parameters), [])
            if own and own[0].shared.bare.size < point.size:
                own.clear()
            own.append(each)
    for group in largest.values():
        yield _paired_finding(results, group)


def _paired_finding(results: StudyResult, found: list[Difference]) -> str:
    point: Point = found[0].shared.bare
    _, reference = setting_words(results, found[0].shared)
    name = found[0].figure
    what = "maximum" if name == DISTANCE else f"mean {name.replace('_', ' ')}"
    changes = "; ".join(
        f"{setting_words(results, each.shared)[0]} {_change_words(each)}" for each in found
    )
    return (
        f"{point_title(point)}, {size_words(point)}, on the same samples: against {reference} "
        f"the {what} changes with {changes}."
    )


def _change_words(each: Difference) -> str:
    paired = each.paired
    words = f"by {with_error(paired.difference, paired.error)}"
    if not paired.error > 0.0:
        why = "all pairs agree" if paired.count > 1 else "one sample, no error"
        return f"{words} ({why})"
    return (
        f"{words}, {abs(paired.in_errors):.2g} standard errors (unpaired: "
        f"± {paired.unpaired_error:.2g})"
    )
