"""The page that papers share: a chapter a figure, differences from formulas, errata."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from manybody.papers.kit.config import Record
from manybody.papers.kit.curves import ERRATA, Erratum
from manybody.papers.kit.page import (
    Cell,
    Chapter,
    Figure,
    Finding,
    Page,
    Part,
    cases_table,
    grouped,
    number,
    numbers,
    page_of,
    table_of,
)
from manybody.papers.kit.plots import differences
from manybody.papers.kit.subject import NO_ERRORS
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import digits, scientific

_CONDITIONS = (
    "Parameters are those of the paper's figure or stand in titles; difference: |x − y| over the "
    f"larger of both. {NO_ERRORS}."
)


def largest(records: Sequence[Record], first: str, second: str) -> float:
    """Largest relative difference of two lists over all records that have both."""
    found = [
        float(differences(numbers(record, first), numbers(record, second)).max())
        for record in records
        if first in record.results and second in record.results
    ]
    return max(found, default=0.0)


def paper_page(
    paper: str,
    errata: Sequence[Erratum],
    setting: Sequence[str],
    records: Sequence[Record],
    figures: Mapping[str, Callable[[list[Record]], Part]],
) -> Page:
    """What is compared, a chapter for every figure that has cases, and the errata.

    setting: what is compared, and of which paper; figures: what makes the findings and the
    chapter of a figure from its records.
    """
    found = grouped(records, lambda given: given["figure"])
    parts = [build(found[name]) for name, build in figures.items() if name in found]
    parts += errata_part(paper, errata, found.get(ERRATA, []))
    data = (cases_table(records), curves_table(records))
    return page_of(Chapter("What is compared", tuple(setting)), parts, data, _CONDITIONS)


def compared(
    figure: str,
    name: str,
    topic: str,
    paragraph: str,
    picture: tuple[str, Callable[[], Any]],
    rows: Sequence[tuple[str, str, float]],
) -> Chapter:
    """The chapter of one figure, ours against formulas.

    name: as the paper calls it; picture: caption, and what draws it; rows: quantity, formula,
    largest relative difference.
    """
    names = (
        Column("figure", "figure"),
        Column("quantity", "quantity"),
        Column("formula", "formula"),
        Column("difference", "largest relative difference", scientific),
    )
    many = "formula" if len(rows) == 1 else "formulas"
    title = f"{name}: ours against the {many}"
    table = Table(f"{figure}-differences", title, names, tuple((name, *row) for row in rows))
    return Chapter(f"{name}: {topic}", (paragraph,), (Figure(figure, *picture),), (table,))


def errata_part(paper: str, errata: Sequence[Erratum], records: Sequence[Record]) -> list[Part]:
    """The finding and the chapter of what is wrong in a paper; none without evidence."""
    by_name = {record.case.given["evidence"]: record for record in records}
    shown = [one for one in errata if one.name in by_name]
    if not shown:
        return []
    derived = [one for one in errata if one.evidence is None]
    off, left = {}, {}
    for one in shown:
        values = {key: number(by_name[one.name], key) for key in _KEYS}
        off[one.where] = _distance(values["printed"], values["reference"])
        left[one.where] = _distance(values["corrected"], values["reference"])
    confirmed = [where for where in off if off[where] > 10.0 * left[where]]
    doubtful = [where for where in off if where not in confirmed]
    sentence = (
        f"Misprints and wrong claims of {paper}: numbers show {len(confirmed)} "
        f"({'; '.join(confirmed)}). What is printed is off by {min(off.values()):.2g} to "
        f"{max(off.values()):.2g} of an independent value, what is right by at most "
        f"{max(left.values()):.1e}."
    )
    if derived:
        sentence += f" By derivation only: {'; '.join(one.where for one in derived)}."
    if doubtful:
        sentence += f" NOT CONFIRMED by their numbers: {'; '.join(doubtful)}."
    values = {f"printed, {where}": value for where, value in off.items()}
    values |= {f"corrected, {where}": value for where, value in left.items()}
    paragraph = (
        "Printed, right and reference are values of the quantity named, the reference computed "
        "without the formula. Each command prints the three of its line."
    )
    commands = []
    for one in shown:
        where = f"{one.where}: {one.setting}" if one.setting else one.where
        commands += [f"# {where}", one.command]
    chapter = Chapter(
        "Errata",
        (paragraph,),
        (),
        (_words_table([*shown, *derived]), _values_table(shown, by_name)),
        tuple(commands),
    )
    return [([Finding(sentence, values)], chapter)]


_KEYS = ("printed", "corrected", "reference")


def _distance(value: float, reference: float) -> float:
    """Relative, absolute where the reference is zero to rounding."""
    scale = abs(reference) if abs(reference) > 1e-12 else 1.0
    return abs(value - reference) / scale


def _words_table(errata: Sequence[Erratum]) -> Table:
    cells: list[Cell] = [
        (Column("where", "where"), lambda one: one.where),
        (Column("printed", "printed"), lambda one: one.printed),
        (Column("right", "right"), lambda one: one.right),
        (Column("evidence", "evidence"), lambda one: "numbers" if one.evidence else "derivation"),
    ]
    return table_of(ERRATA, "Errata", errata, cells)


def _values_table(shown: Sequence[Erratum], by_name: Mapping[str, Record]) -> Table:
    value = digits(8)
    labels = {"printed": "printed gives", "corrected": "right gives", "reference": "reference"}
    cells: list[Cell] = [
        (Column("where", "where"), lambda one: one.where),
        (Column("quantity", "quantity"), lambda one: one.quantity),
        *(
            (Column(key, label, value), lambda one, key=key: number(by_name[one.name], key))
            for key, label in labels.items()
        ),
        (Column("parameters"), lambda one: one.setting),
        (Column("command"), lambda one: one.command),
    ]
    return table_of("evidence", "Evidence of the errata", shown, cells)


def curves_table(records: Sequence[Record]) -> Table:
    """Every point of every curve: case, what runs and its value, and every quantity."""
    curves = [record for record in records if "x" in record.results]
    names = list(
        dict.fromkeys(
            key
            for record in curves
            for key, value in record.results.items()
            if isinstance(value, list) and len(value) == len(numbers(record, "x"))
        )
    )
    rows = [
        (
            record.case.name,
            record.case.given["over"],
            *(numbers(record, key)[place] if key in record.results else None for key in names),
        )
        for record in curves
        for place in range(len(numbers(record, "x")))
    ]
    header = ("case", "over", *names)
    return Table("curves", "every point", tuple(Column(name) for name in header), tuple(rows))
