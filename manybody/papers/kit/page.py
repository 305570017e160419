"""What a page of cases is made of, and the parts that all kinds share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import lstsq

from manybody.papers.kit.config import CaseStudy, Record
from manybody.report.analysis.numbers import with_error
from manybody.report.page.document import (
    Column,
    Document,
    Picture,
    Section,
    Table,
    Text,
    without_nothing,
)
from manybody.report.page.drawing import Drawing
from manybody.report.tables.columns import digits

# Values that make a scan, and that test a power law.
FEWEST = 3


@dataclass(frozen=True)
class Finding:
    """A conclusion in words, and the numbers in it by name."""

    sentence: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Figure:
    """draw: makes a matplotlib Figure."""

    name: str
    caption: str
    draw: Callable[[], Any]


@dataclass(frozen=True)
class Chapter:
    """A heading, paragraphs, and under it figures, tables and lines for a shell.

    findings: what its figures and tables show, which stand beside them; formulas: lines of
    mathematics below the paragraphs.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    commands: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    formulas: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """What a finding of it is about: its first figure, or table."""
        names = [each.name for each in self.figures] + [each.name for each in self.tables]
        return [*names, self.title][0]


@dataclass(frozen=True)
class Page:
    """What a kind of study says of its cases.

    data: tables that are too long to show, files only; conditions: symbols and parameters that
    every caption ends with.
    """

    findings: tuple[Finding, ...]
    chapters: tuple[Chapter, ...]
    data: tuple[Table, ...]
    conditions: str = ""

    @property
    def tables(self) -> list[Table]:
        """Every table that is a file."""
        shown = [table for chapter in self.chapters for table in chapter.tables]
        return [_numbers(self.findings), *shown, *self.data]

    @property
    def makers(self) -> dict[str, Callable[[], Any]]:
        """Name -> what draws a figure."""
        return {
            figure.name: figure.draw for chapter in self.chapters for figure in chapter.figures
        }


# What a page says of one subject.
Part = tuple[Sequence[Finding], Chapter | None]


def page_of(
    setting: Chapter, parts: Iterable[Part], data: Sequence[Table], conditions: str = ""
) -> Page:
    """What is compared, then every part that has a chapter, and the findings of all."""
    known = list(parts)
    findings = [finding for own, _ in known for finding in own]
    chapters = [
        replace(chapter, findings=tuple(own)) for own, chapter in known if chapter is not None
    ]
    return Page(tuple(findings), (setting, *chapters), tuple(data), conditions)


def _numbers(findings: Sequence[Finding]) -> Table:
    rows = [
        (index, name, value)
        for index, finding in enumerate(findings, 1)
        for name, value in finding.numbers.items()
    ]
    columns = (Column("finding"), Column("quantity"), Column("value"))
    return Table("findings", "Numbers of the findings", columns, tuple(rows))


def build_document(
    page: Page,
    study: CaseStudy,
    records: Sequence[Record],
    problems: Sequence[str],
    failed: Mapping[str, Any],
    pictures: Mapping[str, Drawing],
    date: str = "",
) -> Document:
    """The page with its drawings by name, and at its end what to trust and how to repeat."""
    missing = len(study.cases) - len(records)
    notes = []
    if missing:
        notes.append(
            f"Incomplete: {missing} of {len(study.cases)} cases are not in the store, "
            f"{len(failed)} of them failed."
        )
    chapters = {id(each): own for own in page.chapters for each in own.findings}
    targets = (chapters.get(id(each)) for each in page.findings)
    sections = [
        Section(
            "What was found",
            (
                Text(
                    tuple(finding.sentence for finding in page.findings),
                    "answer",
                    tuple("" if own is None else own.target for own in targets),
                ),
                Text(("findings.csv has every number of these sentences.",), "note"),
            ),
        )
    ]
    sections += [_section(chapter, page.conditions, pictures) for chapter in page.chapters]
    sections += [_trust(records, problems, failed), _repeat(page)]
    return Document(
        study.name,
        study.description or "A study of deterministic cases",
        without_nothing(sections),
        date,
        Text(tuple(notes), "warning"),
    )


def _section(chapter: Chapter, conditions: str, pictures: Mapping[str, Drawing]) -> Section:
    """A chapter, what it finds first."""
    shown = [
        Picture(
            figure.name,
            f"{figure.caption} {conditions}".strip(),
            pictures[figure.name],
            f"python -m manybody report DIR --figure {figure.name}",
        )
        for figure in chapter.figures
        if figure.name in pictures
    ]
    parts: list[Text | Picture | Table] = [
        Text(tuple(finding.sentence for finding in chapter.findings), "answer"),
        Text(chapter.paragraphs),
        Text(chapter.formulas, "formula"),
        *shown,
        *(replace(table, note=f"{table.note} {conditions}".strip()) for table in chapter.tables),
        Text(chapter.commands, "command"),
    ]
    return Section(chapter.title, tuple(parts))


def _trust(
    records: Sequence[Record], problems: Sequence[str], failed: Mapping[str, Any]
) -> Section:
    seconds = sum(record.seconds for record in records)
    origins = sorted(
        {
            ", ".join(
                f"{key} {record.attributes[key]}"
                for key in ("manybody", "git_revision", "numpy", "scipy", "blas", "cpu_model")
                if key in record.attributes
            )
            for record in records
        }
    )
    lines = [
        f"{len(records)} cases took {seconds:.3g} core-seconds.",
        *(f"Computed by: {origin}" for origin in origins),
        *(f"Left out: {problem}" for problem in problems),
        *(f"Failed: {name}, see {path}" for name, path in sorted(failed.items())),
    ]
    return Section("How far to trust it", (Text(tuple(lines), "note"),))


def _repeat(page: Page) -> Section:
    commands = (
        "# the whole study; what is there is not computed again",
        "mpirun -n 2 python -m manybody run DIR/study.toml --out DIR",
        "# this page, its figures and tables",
        "python -m manybody report DIR",
    )
    files = ", ".join(f"{table.name}.csv ({table.title})" for table in page.data)
    note = f"DIR is the folder of the store. Beside the tables shown there are {files}."
    return Section("How to repeat it", (Text(commands, "command"), Text((note,), "note")))


def cases_table(records: Sequence[Record]) -> Table:
    """Every case: its parameters, the numbers that are not lists, and what it took."""
    given = list(dict.fromkeys(key for record in records for key in record.case.given))
    found = list(
        dict.fromkeys(
            key
            for record in records
            for key, value in record.results.items()
            if not isinstance(value, list)
        )
    )
    rows = tuple(
        (
            record.case.name,
            *(record.case.given.get(key) for key in given),
            *(record.results.get(key) for key in found),
            record.seconds,
        )
        for record in records
    )
    names = ("case", *given, *found, "seconds")
    return Table("cases", "every case", tuple(Column(name) for name in names), rows)


# A column, and its value of an item.
Cell = tuple[Column, Callable[[Any], Any]]


def table_of(name: str, title: str, items: Iterable[Any], cells: Sequence[Cell]) -> Table:
    """A row an item."""
    rows = tuple(tuple(value(item) for _, value in cells) for item in items)
    return Table(name, title, tuple(column for column, _ in cells), rows)


def number_cell(key: str, label: str = "", write: Callable[[Any], str] = str) -> Cell:
    """A result of a record that is one number."""
    return Column(key, label, write), lambda record: number(record, key)


@dataclass(frozen=True)
class PowerLaw:
    """y ∝ x^exponent; error: standard error of the fit; points: how many."""

    exponent: float
    error: float
    points: int

    @property
    def words(self) -> str:
        """exponent(error)."""
        return with_error(self.exponent, self.error)


def fit_power(x: Sequence[float], y: Sequence[float]) -> PowerLaw:
    """Least squares on logarithms.

    Raises ValueError for y <= 0 and below three different x, which two parameters always fit.
    """
    if len(set(x)) < FEWEST or min(y) <= 0.0:
        raise ValueError(f"a power law needs {FEWEST} different x and positive y")
    offset, log_y = np.log(x) - np.log(x).mean(), np.log(y)
    (_, exponent), left_over, *_ = lstsq(np.vander(offset, 2, increasing=True), log_y)
    error = np.sqrt(left_over / (len(offset) - 2) / (offset @ offset))
    return PowerLaw(float(exponent), float(error), len(offset))


def grouped(
    records: Sequence[Record], key: Callable[[Mapping[str, Any]], Any]
) -> dict[Any, list[Record]]:
    """Records by `key` of their parameters, in the order in which keys appear."""
    found: dict[Any, list[Record]] = {}
    for record in records:
        found.setdefault(key(record.case.given), []).append(record)
    return found


def all_but(*without: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A key of `grouped`: all parameters but these."""
    return lambda given: tuple(item for item in given.items() if item[0] not in without)


def beside(records: Sequence[Record], key: str, *others: str) -> list[dict[Any, Record]]:
    """Records that differ in the parameter `key` alone, by its value; `others` do not count."""
    groups = grouped(records, all_but(key, *others)).values()
    return [{record.case.given[key]: record for record in own} for own in groups]


# What is drawn together and ascends in one parameter, with its title.
Scan = tuple[str, list[Record]]


def scans(
    records: Sequence[Record], key: str, title: Callable[[Mapping[str, Any], str], str]
) -> list[Scan]:
    """Records, ascending in the parameter `key`, that differ in it alone; three or more.

    title: of the parameters of a case without this one.
    """
    found = []
    rest = grouped([record for record in records if key in record.case.given], all_but(key))
    for own in rest.values():
        own = sorted(own, key=lambda record: float(record.case.given[key]))
        if len(own) >= FEWEST:
            found.append((title(own[0].case.given, key), own))
    return found


def number(record: Record, key: str) -> float:
    """A result that is one number.  Raises TypeError for a list."""
    value = record.results[key]
    if isinstance(value, list):
        raise TypeError(f"{record.case.name}: {key} is a list")
    return float(value)


def numbers(record: Record, key: str) -> list[float]:
    """A result that is a list of numbers.  Raises TypeError for a single one."""
    value = record.results[key]
    if not isinstance(value, list):
        raise TypeError(f"{record.case.name}: {key} is one number")
    return value


short = digits(3)
