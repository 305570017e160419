"""Conclusions -> the text of a report: what was found, how far to trust it, how to repeat it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.local import FIGURES
from manybody.report.analysis.scaling import Law
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.makers import distances_name
from manybody.report.page.captions import figure_captions, table_notes
from manybody.report.page.document import (
    Document,
    Part,
    Picture,
    Section,
    Table,
    Text,
    without_nothing,
)
from manybody.report.page.drawing import Drawing
from manybody.report.page.findings import answer, warnings_of
from manybody.report.page.subject import SOURCE, SUBJECT, distances_title, formulas
from manybody.report.read import StudyResult, point_title, size_words, system_title
from manybody.report.tables.guarantees import NOTES
from manybody.report.tables.samples import clustering_counts
from manybody.solve.meanings import MEANINGS
from manybody.solve.observables.registry import figures_of
from manybody.study.configuration import Point, Study

Parts = list[Part]


@dataclass(frozen=True, eq=False)
class Shown:
    """Conclusions, tables by name and drawings of figures by name."""

    analysis: Analysis
    tables: Mapping[str, Table]
    pictures: Mapping[str, Drawing]

    @property
    def results(self) -> StudyResult:
        """The averages behind all of it."""
        return self.analysis.results

    def of_tables(self, *names: str) -> list[Table]:
        """Those of these names that there are, with what their captions add."""
        notes = table_notes(self.results)
        known = [self.tables[name] for name in names if name in self.tables]
        return [replace(table, note=notes.get(table.name, "")) for table in known]

    def of_pictures(self, *names: str) -> list[Picture]:
        """Those of these names that there are, with their captions."""
        captions = figure_captions(self.results)
        command = "python -m manybody report DIR --figure"
        return [
            Picture(name, captions[name], self.pictures[name], f"{command} {name}")
            for name in names
            if name in self.pictures
        ]


def build_document(
    analysis: Analysis,
    tables: Mapping[str, Table],
    pictures: Mapping[str, Drawing],
    date: str = "",
) -> Document:
    """A report.

    tables, pictures: by name; date: of its writing.  A section whose tables and pictures are
    missing is left out.
    """
    study, shown = analysis.results.study, Shown(analysis, tables, pictures)
    sections = [answer(analysis), _setting(shown)]
    if study.evolves:
        kinds = (_distances, _paired, _laws, _guarantees, _local, _spread, _expectations)
        sections += [section_of(shown) for section_of in kinds]
    if figures_of(study.observables):
        sections.append(_observables(shown))
    if not study.evolves:
        sections.append(_paired(shown))
    sections += [_numerics(shown), _trust(shown), _repeat(analysis.results)]
    return Document(
        study.name,
        study.description or f"A study of master equations: {analysis.results.words}",
        without_nothing(sections),
        date,
        warnings_of(analysis.results),
    )


def _setting(shown: Shown) -> Section:
    """What the study is of: the question, its equations, parameters and systems."""
    return Section(
        "What was computed",
        (
            Text((SUBJECT,)),
            Text(formulas(shown.results), "formula"),
            *shown.of_tables("parameters", "systems"),
            Text((SOURCE,)),
        ),
    )


def _distances(shown: Shown) -> Section:
    results = shown.results
    parts: Parts = [
        *shown.of_pictures(distances_name(results.study)),
        Text(tuple(_warnings(results)), "warning"),
        *shown.of_tables("maxima"),
        Text(tuple(_beside(results)), "note"),
        *shown.of_pictures("maxima", "scan", "equations"),
        *map(_of_largest, shown.of_tables("pairs")),
        *shown.of_tables("initial-sites"),
    ]
    return Section(distances_title(results.study), tuple(parts))


def _warnings(results: StudyResult) -> list[str]:
    """What is not physical, size by size, beside the numbers."""
    return [
        f"{point_title(point.point)}, {size_words(point.point)}: {words}."
        for point in results.points
        for words in point.warnings
    ]


def _paired(shown: Shown) -> Section:
    words = (
        "Systems that differ in their settings alone draw the same disorder, sample by sample. "
        "What the disorder does to both cancels in their difference, so that effects show that "
        "the errors of the two numbers hide."
    )
    tables = [_shortened(table) for table in shown.of_tables("paired", "paired-equations")]
    settings = (Text((words,)),) if "paired" in shown.tables else ()
    return Section("On the same disorder", (*settings, *tables))


def _beside(results: StudyResult) -> list[str]:
    """What must be known of single sizes where their numbers stand, together where it is one."""
    found: dict[tuple[str, str], list[str]] = {}
    for point in results.points:
        assert point.summary is not None
        if point.summary.reach_words:
            key = (point_title(point.point), point.summary.reach_words)
            found.setdefault(key, []).append(str(point.point.n_sites))
    return [
        f"{title}: at N = {', '.join(sizes)} the maximum is {words}."
        for (title, words), sizes in found.items()
    ]


def _guarantees(shown: Shown) -> Section:
    parts: Parts = [*shown.of_tables("guarantees"), Text(NOTES, "note")]
    return Section("What each equation guarantees", tuple(parts))


def _of_largest(table: Table, first: str = "") -> Table:
    """The rows of the largest size of every system; the file has the others too.

    first: the equation that they begin with; all pairs where it is empty.
    """
    names = [column.name for column in table.columns]
    system, size, pair = (names.index(name) for name in ("system", "size", "pair"))
    largest = {row[system]: row[size] for row in sorted(table.rows, key=lambda row: row[size])}
    own = [row for row in table.rows if row[size] == largest[row[system]]]
    rows = [row for row in own if row[pair].startswith(f"{first} and " if first else "")]
    said = f"{table.title} with {first}" if first else table.title
    return replace(table, title=f"{said}, at the largest size of every system", rows=tuple(rows))


def _shortened(table: Table) -> Table:
    """What is the same in all rows said once, above them."""
    columns, said = list(table.columns), []
    for index, column in enumerate(columns):
        values = {row[index] for row in table.rows}
        if column.name in ("reference", "figure", "unit") and len(values) == 1:
            columns[index] = replace(column, label="")
            said.append(f"{column.label}: {values.pop()}")
    note = f"In all rows {'; '.join(said)}. {table.note}" if said else table.note
    return replace(table, columns=tuple(columns), note=note)


def _laws(shown: Shown) -> Section:
    judged = shown.analysis.verdicts
    verdicts = tuple(f"{_title(each)}: {each.sentence}." for each in judged)
    left_out = tuple(
        f"{_title(each)}: size {size} is left out of the fits, {why}."
        for each in judged
        if each.verdict is not None
        for size, why in each.left_out
    )
    parts: Parts = [
        Text(verdicts, "answer"),
        *shown.of_pictures("laws"),
        *shown.of_tables("estimates"),
        Text((*left_out, *_not_fitted(judged)), "note"),
        *map(_fitted, shown.of_tables("laws")),
    ]
    return Section("Does it stay bounded?", tuple(parts) if judged else ())


def _title(each: SystemVerdict) -> str:
    figure = "" if each.figure is None else f", {each.quantity}"
    return f"{system_title(each.system, plain=True)}{figure}"


def _not_fitted(judged: Sequence[SystemVerdict]) -> Iterator[str]:
    """Laws without a fit, those of one reason together."""
    for each in judged:
        by_reason: dict[str, list[str]] = {}
        for law, why in each.not_fitted:
            by_reason.setdefault(why, []).append(law.value)
        for why, laws in by_reason.items():
            words = "no law" if len(laws) == len(Law) else "; ".join(laws)
            yield f"{_title(each)}, not fitted: {words}, {why}."


def _fitted(table: Table) -> Table:
    """The rows of laws that are fitted; the file has the others too."""
    place = [column.name for column in table.columns].index("not_fitted")
    return replace(table, rows=tuple(row for row in table.rows if not row[place]))


def _local(shown: Shown) -> Section:
    meanings = tuple(f"{each.name}: {MEANINGS[each.name]}." for each in FIGURES)
    first = EQUATIONS[shown.results.study.equations[0]].title
    parts: Parts = [
        *shown.of_pictures("local", "local-scaled", "local-states", "local-maxima", "local-laws"),
        *shown.of_tables("local"),
        *(_of_largest(table, first) for table in shown.of_tables("local-pairs")),
        *shown.of_tables("verdicts", "local-estimates"),
        Text(tuple(_not_fitted(shown.analysis.local)), "note"),
        *map(_fitted, shown.of_tables("local-laws")),
        Text((*_LOCAL_NOTES, *meanings), "note"),
    ]
    has_any = shown.results.has_local
    return Section("Single sites and pairs of sites", tuple(parts) if has_any else ())


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
    parts: Parts = [*shown.of_pictures("spread"), *shown.of_tables("spread")]
    return Section("Spread over samples", tuple(parts))


def _expectations(shown: Shown) -> Section:
    meanings = tuple(f"{each.name}: {each.meaning}." for each in shown.results.study.expected)
    parts: Parts = [
        *shown.of_pictures("expectations"),
        *shown.of_tables("expectations"),
        Text(meanings, "note"),
    ]
    return Section("Expectation values", tuple(parts) if meanings else ())


def _observables(shown: Shown) -> Section:
    meanings = tuple(
        f"{name}: {figure.meaning}."
        for name, figure in figures_of(shown.results.study.observables).items()
    )
    parts: Parts = [
        *shown.of_pictures(f"{shown.results.study.name}-figures", "locality"),
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
    parts += [*shown.of_pictures("precision"), *shown.of_tables("precision")]
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
    parts: Parts = [*shown.of_tables("certificates"), *shown.of_pictures("positivity")]
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
