"""The parts that pages of papers share: differences, errata, captions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.papers.kit.config import Record
from manybody.papers.kit.curves import ERRATA, Erratum
from manybody.papers.kit.page import Chapter, Figure, Finding, grouped, number, numbers
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import digits, scientific

OURS = {"lw": 0.0, "marker": "o", "ms": 3.6}
FORMULA = {"lw": 1.3, "marker": ""}
PRINTED = {"lw": 1.3, "marker": "", "ls": "--"}
_FLOOR = 1e-18


def array(record: Record, key: str) -> Real:
    """A result that is a list."""
    return np.array(numbers(record, key))


def differences(first: ArrayLike, second: ArrayLike) -> Real:
    """|x − y| over the larger of both, 0 where both are 0."""
    x, y = np.asarray(first), np.asarray(second)
    scale = np.maximum(np.abs(x), np.abs(y))
    return np.where(scale > 0.0, np.abs(x - y) / np.where(scale > 0.0, scale, 1.0), 0.0)


def largest(records: Sequence[Record], first: str, second: str) -> float:
    """Largest relative difference of two lists over all records that have both."""
    found = [
        float(differences(numbers(record, first), numbers(record, second)).max())
        for record in records
        if first in record.results and second in record.results
    ]
    return max(found, default=0.0)


def figures_of(records: Sequence[Record]) -> dict[Any, list[Record]]:
    """Records by the figure they belong to."""
    return grouped(records, lambda given: given["figure"])


def show_difference(axis: Any, x: ArrayLike, values: ArrayLike, **style: Any) -> None:
    """A relative difference on a logarithmic axis; zero is drawn at the floor of rounding."""
    axis.plot(x, np.maximum(values, _FLOOR), **style)
    axis.set_yscale("log")
    axis.set_ylabel("relative difference", fontsize=11)


def difference_table(name: str, title: str, rows: Sequence[tuple[str, str, str, float]]) -> Table:
    """(figure, quantity, compared with, largest relative difference)."""
    names = (
        Column("figure", "figure"),
        Column("quantity", "quantity"),
        Column("formula", "formula"),
        Column("difference", "largest relative difference", scientific),
    )
    return Table(name, title, names, tuple(rows))


def errata_chapter(
    paper: str, errata: Sequence[Erratum], records: Sequence[Record]
) -> tuple[list[Finding], list[Chapter]]:
    """The finding and the chapter of what is wrong in a paper; nothing without evidence."""
    by_name = {record.case.given["evidence"]: record for record in records}
    shown = [one for one in errata if one.name in by_name]
    if not shown:
        return [], []
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
    return [Finding(sentence, values)], [chapter]


_KEYS = ("printed", "corrected", "reference")


def _distance(value: float, reference: float) -> float:
    """Relative, absolute where the reference is zero to rounding."""
    scale = abs(reference) if abs(reference) > 1e-12 else 1.0
    return abs(value - reference) / scale


def _words_table(errata: Sequence[Erratum]) -> Table:
    rows = [
        (one.where, one.printed, one.right, "derivation" if one.evidence is None else "numbers")
        for one in errata
    ]
    names = (
        Column("where", "where"),
        Column("printed", "printed"),
        Column("right", "right"),
        Column("evidence", "evidence"),
    )
    return Table(ERRATA, "Errata", names, tuple(rows))


def _values_table(shown: Sequence[Erratum], by_name: Mapping[str, Record]) -> Table:
    rows = [
        (
            one.where,
            one.quantity,
            *(number(by_name[one.name], key) for key in _KEYS),
            one.setting,
            one.command,
        )
        for one in shown
    ]
    value = digits(8)
    names = (
        Column("where", "where"),
        Column("quantity", "quantity"),
        Column("printed", "printed gives", value),
        Column("corrected", "right gives", value),
        Column("reference", "reference", value),
        Column("parameters"),
        Column("command"),
    )
    return Table("evidence", "Evidence of the errata", names, tuple(rows))


def chapter_of(title: str, paragraph: str, figure: Figure, *tables: Table) -> Chapter:
    """A chapter of one figure."""
    return Chapter(title, (paragraph,), (figure,), tables)


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


def symmetric_logarithm(values: Sequence[ArrayLike]) -> float:
    """Where an axis of these values turns linear: their smaller sizes."""
    sizes = np.abs(np.concatenate([np.ravel(np.asarray(one)) for one in values]))
    sizes = sizes[sizes > 0.0]
    return float(np.quantile(sizes, 0.03)) if len(sizes) else 1.0


def spread(values: Sequence[ArrayLike]) -> float:
    """The largest size over the median one."""
    sizes = np.abs(np.concatenate([np.ravel(np.asarray(one)) for one in values]))
    middle = float(np.median(sizes))
    return float(sizes.max()) / middle if middle > 0.0 else np.inf
