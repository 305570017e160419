"""Conclusions -> the text of a report: what was found, how far to trust it, how to repeat it."""

from collections.abc import Mapping
from dataclasses import dataclass

from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.equations.registry import EQUATIONS, unguarded
from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.local import FIGURES
from manybody.report.figures.makers import distances_name
from manybody.report.page.document import Document, Picture, Section, Table, Text
from manybody.report.read import (
    StudyResult,
    pattern_words,
    point_title,
    size_words,
    system_title,
    thermal_words,
)
from manybody.report.tables.guarantees import NOTES
from manybody.report.tables.samples import clustering_counts
from manybody.solve.meanings import MEANINGS
from manybody.solve.observables.registry import figures_of
from manybody.study.configuration import Point, Study, System
from manybody.study.regions import symbol_of

Parts = list[Text | Table | Picture]


@dataclass(frozen=True, eq=False)
class Shown:
    """Conclusions, tables by name and the SVG texts of figures by name."""

    analysis: Analysis
    tables: Mapping[str, Table]
    pictures: Mapping[str, str]

    @property
    def results(self) -> StudyResult:
        """The averages behind all of it."""
        return self.analysis.results

    def of_tables(self, *names: str) -> list[Table]:
        """Those of these names that there are."""
        return [self.tables[name] for name in names if name in self.tables]

    def of_pictures(self, captions: Mapping[str, str]) -> list[Picture]:
        """Those that there are, by their names and captions."""
        command = "python -m manybody report DIR --figure"
        return [
            Picture(name, caption, self.pictures[name], f"{command} {name}")
            for name, caption in captions.items()
            if name in self.pictures
        ]


def build_document(
    analysis: Analysis, tables: Mapping[str, Table], pictures: Mapping[str, str]
) -> Document:
    """A report.

    tables: by name; pictures: name -> SVG text.  A section whose tables and pictures are
    missing is left out.
    """
    study, shown = analysis.results.study, Shown(analysis, tables, pictures)
    sections = [_answer(analysis)]
    if study.evolves:
        kinds = (_distances, _guarantees, _laws, _local, _spread, _expectations)
        sections += [section_of(shown) for section_of in kinds]
    if figures_of(study.observables):
        sections.append(_observables(shown))
    sections += [_numerics(shown), _trust(shown), _repeat(analysis.results)]
    return Document(
        study.name,
        study.description or f"A study of master equations: {analysis.results.words}",
        tuple(section for section in sections if section.parts),
    )


def _answer(analysis: Analysis) -> Section:
    lines, results = findings(analysis), analysis.results
    notes = []
    if results.missing:
        notes.append(
            f"Incomplete: {results.missing} samples of the study are not in the store, see below."
        )
    if results.problems:
        notes.append(f"{len(results.problems)} blocks or samples were left out, see below.")
    return Section("What was found", (Text(tuple(lines), "answer"), Text(tuple(notes), "note")))


def findings(analysis: Analysis) -> list[str]:
    """Sentences on every system: its verdict, its largest size, growing modes."""
    found, results = [], analysis.results
    sentences = {each.system.key: each.sentence for each in analysis.verdicts}
    for system, points in results.systems:
        name = system_title(system, plain=True)
        if not points:
            found.append(f"{name}: no sample yet.")
            continue
        if results.study.evolves:
            last = points[-1].summary
            assert last is not None
            verdict = f"{sentences[system.key]}. " if system.key in sentences else ""
            reach = f", {last.reach_words}" if last.reach_words else ""
            found.append(
                f"{name}: {verdict}At the largest size, {size_words(points[-1].point)}, the mean "
                f"distance reaches {last.maximum:.4f} {last.error_words} at t = "
                f"{last.time_of_maximum:g}{reach}."
            )
        found += _local_findings(analysis, system, name)
        for point in points:
            head = f"{name}, {size_words(point.point)}: "
            words = (point.outside_words, point.steady_words, point.gap_words)
            found += [head + each + "." for each in words if each]
    return found


def _local_findings(analysis: Analysis, system: System, name: str) -> list[str]:
    """A sentence on what verdicts say of local figures beside the trace distance."""
    verdicts = analysis.of_system(system)
    if not any(each.figure for each in verdicts):
        return []
    words = ", ".join(f"{each.quantity} {each.outcome}" for each in verdicts)
    return [f"{name}, with size: {words}."]


def _distances(shown: Shown) -> Section:
    results, study = shown.results, shown.results.study
    family = BATH_FAMILIES[study.bath_type]
    bath = ", ".join(
        f"{symbol_of(family, key)[1]} = {value:g}" for key, value in study.bath_parameters
    )
    shift = "kept" if study.lamb_shift else "neglected"
    on_site = f"on site {study.initial_site}"
    pattern = f"from {pattern_words(study)}"
    start = {"one": on_site, "many": pattern, "both": f"{on_site}, of many particles {pattern}"}[
        results.particles if study.initial_state is None else "many"
    ]
    if study.initial_beta is not None:
        start = f"in {thermal_words(study.initial_beta)}"
    caption = (
        "Trace norm of the difference of both states against time (mean and standard deviation "
        "over samples), and the maximum of the mean against size with its 68 % bootstrap "
        f"interval. {family.title} baths, {bath}, "
        f"start {start}, Lamb shift {shift}, unless a title says otherwise."
    )
    both = (
        "Maximum of the mean (filled) and mean of every sample's own maximum (open) against "
        "size with 68 % bootstrap intervals, and the time at which the mean is largest; "
        "triangles: lower bounds, where the times end before the mean falls."
    )
    others = (
        "Maximum over time of the mean distance of every other equation from "
        f"{EQUATIONS[study.equations[0]].title}, with standard errors, by size."
    )
    parts: Parts = [
        *shown.of_pictures({distances_name(study): caption, "maxima": both}),
        *shown.of_tables("maxima"),
        *shown.of_pictures({"equations": others}),
        *shown.of_tables("pairs", "initial-sites"),
        Text(tuple(_beside(results)), "note"),
    ]
    return Section("Distance of the two equations", tuple(parts))


def _beside(results: StudyResult) -> list[str]:
    """What must be known of single sizes where their numbers stand."""
    found = []
    for point in results.points:
        assert point.summary is not None
        head = f"{point_title(point.point)}, {size_words(point.point)}: "
        if point.summary.reach_words:
            found.append(f"{head}the maximum is {point.summary.reach_words}.")
        if point.outside_words:
            found.append(f"{head}{point.outside_words}.")
    return found


def _guarantees(shown: Shown) -> Section:
    parts: Parts = [*shown.of_tables("guarantees"), Text(NOTES, "note")]
    return Section("What each equation guarantees", tuple(parts))


def _laws(shown: Shown) -> Section:
    caption = (
        "Maximum of the mean, freed from the bias of a noisy maximum, against size, with the laws "
        "that describe it and their Akaike weights; shaded: beyond the sizes computed; triangles: "
        "lower bounds, where the times end before the mean falls."
    )
    left_out = tuple(
        f"{system_title(each.system, plain=True)}: size {size} is left out of the fits, {why}."
        for each in shown.analysis.verdicts
        for size, why in each.left_out
    )
    not_fitted = tuple(
        f"{system_title(each.system, plain=True)}: {law.value} is not fitted, {why}."
        for each in shown.analysis.verdicts
        for law, why in each.not_fitted
    )
    parts: Parts = [
        *shown.of_pictures({"laws": caption}),
        *shown.of_tables("estimates", "laws"),
        Text((*left_out, *not_fitted), "note"),
    ]
    return Section("Does it stay bounded?", tuple(parts) if shown.analysis.verdicts else ())


def _local(shown: Shown) -> Section:
    meanings = tuple(f"{each.name}: {MEANINGS[each.name]}." for each in FIGURES)
    parts: Parts = [
        *shown.of_pictures(_LOCAL_CAPTIONS),
        *shown.of_tables("local", "local-pairs", "verdicts", "local-estimates", "local-laws"),
        Text((*_LOCAL_NOTES, *meanings), "note"),
    ]
    has_any = shown.results.has_local
    return Section("Single sites and pairs of sites", tuple(parts) if has_any else ())


_LOCAL_CAPTIONS = {
    "local": "Trace norm of the difference of whole states, and the largest of one-site and of "
    "two-site states, against time: mean and standard deviation over samples, a row a system.",
    "local-scaled": "The same against time times the number of sites: rates grow about as the "
    "number of sites, so that sizes are compared at about equal time times rate.",
    "local-states": "Largest difference of occupations and absolute difference of the energy a "
    "site (mean and standard deviation over samples); energy a site, purity and entropy of both "
    "equations (means).",
    "local-maxima": "Maximum over time of the mean against the number of sites, with 68 % "
    "bootstrap intervals; triangles: lower bounds, where the times end before the mean falls.",
    "local-laws": "Maxima of local figures, freed from the bias of a noisy maximum, against the "
    "number of sites, with the laws that describe them and their Akaike weights.",
}
_LOCAL_NOTES = (
    "N of all laws is the number of sites (of a cube its volume), not that of states.",
    "Verdicts on local figures follow the rule of that on the trace distance: the maximum over "
    "time of the mean over samples, here of the figure of every sample.  Every verdict may be "
    "wrong as often as that rule is; nothing is corrected for the number of verdicts.",
    "A largest value over sites or pairs may grow with their number alone, where that of every "
    "single one does not; the means over sites and pairs do not do this.",
    "The energy difference is averaged without its sign, which bounds that of the mean energies "
    "from above.",
)


def _spread(shown: Shown) -> Section:
    caption = "Each sample's own maximum over time: points are samples, lines their medians."
    parts: Parts = [*shown.of_pictures({"spread": caption}), *shown.of_tables("spread")]
    return Section("Spread over samples", tuple(parts))


def _expectations(shown: Shown) -> Section:
    meanings = tuple(f"{each.name}: {each.meaning}." for each in shown.results.study.expected)
    caption = (
        "Means and standard errors over samples of every equation against time, the largest size "
        "of every system; of what has many components the three in which the first two equations "
        "differ most."
    )
    parts: Parts = [
        *shown.of_pictures({"expectations": caption}),
        *shown.of_tables("expectations"),
        Text(meanings, "note"),
    ]
    return Section("Expectation values", tuple(parts) if meanings else ())


def _observables(shown: Shown) -> Section:
    meanings = tuple(
        f"{name}: {figure.meaning}."
        for name, figure in figures_of(shown.results.study.observables).items()
    )
    caption = "Mean and standard error over samples against size."
    decay = (
        "Root mean square of the elements of the bath operators Lambda_j against their distance "
        "from site j, over the largest; the largest size of every lattice."
    )
    parts: Parts = [
        *shown.of_pictures({f"{shown.results.study.name}-figures": caption, "locality": decay}),
        *shown.of_tables("figures"),
        Text(meanings, "note"),
    ]
    return Section("Other observables", tuple(parts))


def _numerics(shown: Shown) -> Section:
    parts: Parts = []
    errors = shown.analysis.errors
    if errors:
        parts.append(Text((_error_words(shown.analysis),)))
    elif shown.results.study.evolves:
        words = (
            "The study has no [convergence] table: numerical errors are those that the stepper "
            "estimates, see below."
        )
        parts.append(Text((words,), "note"))
    parts += shown.of_tables("numerics")
    caption = (
        "Error of the maximum of the mean against the number of samples: its bootstrap error, "
        "averaged over random parts of the samples."
    )
    parts += [*shown.of_pictures({"precision": caption}), *shown.of_tables("precision")]
    return Section("Numerical and statistical errors", tuple(parts))


def _error_words(analysis: Analysis) -> str:
    """Which error is the larger one, over all comparisons."""
    known = [each for each in analysis.errors if each.dominates in ("numerical", "statistical")]
    unknown = len(analysis.errors) - len(known)
    rest = f" In {unknown} comparisons one of both errors is not known." if unknown else ""
    worse = sum(each.dominates == "numerical" for each in known)
    if worse:
        return (
            f"The numerical error exceeds the statistical one in {worse} of {len(known)} "
            f"comparisons.{rest}"
        )
    if not known:
        return f"Numerical and statistical errors cannot be compared.{rest}"
    factors = [
        each.statistical / each.difference.of_mean for each in known if each.difference.of_mean
    ]
    by = f", by a factor of {min(factors):.2g} at least" if factors else ""
    return f"Everywhere the statistical error is the larger one{by}.{rest}"


def _trust(shown: Shown) -> Section:
    results = shown.results
    titles = " and ".join(each.title for each in unguarded(results.study.equations))
    caption = (
        f"Positivity is not guaranteed for {titles}: smallest eigenvalue of the state against "
        "time, the largest size of every system."
    )
    parts: Parts = [*shown.of_tables("certificates"), *shown.of_pictures({"positivity": caption})]
    if results.study.evolves:
        counts = clustering_counts(results.points)
        words = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        parts.append(Text((f"Coinciding Bohr frequencies, samples by verdict: {words}.",)))
    parts += shown.of_tables("missing")
    left_out = tuple(f"Left out: {problem}" for problem in results.problems)
    parts.append(Text(left_out, "note"))
    mixed = "Computed by: " if len(results.origins) < 2 else "Mixed origins: "
    parts.append(Text(tuple(mixed + origin for origin in results.origins), "note"))
    return Section("How far to trust it", tuple(parts))


def _repeat(results: StudyResult) -> Section:
    study, folder = results.study, "DIR"
    commands = [
        "# the whole study; what is there is not computed again",
        f"mpirun -n 2 python -m manybody run {folder}/study.toml --out {folder}",
        "# figures and tables",
        f"python -m manybody report {folder}",
    ]
    if study.evolves and results.points:
        point, sample = _worst_sample(results)
        commands += [
            "# the sample with the largest estimated error",
            f"python -m manybody sample {folder} {sample_options(study, point, sample)}"
            + _models_options(point),
        ]
    note = f"DIR is the folder of the store, {results.directory.name!r} when this was written."
    return Section("How to repeat it", (Text(tuple(commands), "command"), Text((note,), "note")))


def _worst_sample(results: StudyResult) -> tuple[Point, int]:
    worst = max(results.points, key=lambda point: float(point.arrays["stepper_error"].max()))
    return worst.point, int(worst.samples[int(worst.arrays["stepper_error"].argmax())])


def sample_options(study: Study, point: Point, sample: int) -> str:
    """What names one sample to the command `sample`."""
    words = [f"--size {point.size} --index {sample}"]
    others = [
        other
        for system in study.systems
        for other in system.points
        if other.size == point.size and other != point
    ]
    if any(other.model != point.model for other in others):
        words.append(f"--model {point.model}")
    others = [other for other in others if other.model == point.model]
    for key, value in point.traits.items():
        if any(other.traits.get(key) != value for other in others):
            words.append(f"--where {key}={value}")
    return " ".join(words)


def _models_options(point: Point) -> str:
    """What else the command needs where a study brings its model along."""
    if point.own is None:
        return ""
    return " --models FOLDER" if point.own.files else " --models FOLDER --allow-code"
