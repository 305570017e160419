"""What a study against the hierarchy says of its equations in tables, and how it names them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from manybody.papers.kit.config import Record
from manybody.papers.kit.distances_page import hundredths, scan_rows
from manybody.papers.kit.page import (
    Cell,
    PowerLaw,
    Scan,
    fit_power,
    number,
    number_cell,
    numbers,
    short,
    table_of,
)
from manybody.papers.kit.reservoirs import WITHOUT
from manybody.papers.kit.systems import n_sites_of, title_of
from manybody.papers.snm.hierarchy.cases import GIBBS
from manybody.physics.equations.registry import EQUATIONS
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import scientific

# Measures of a distance: the largest in time, and that of the limits t → ∞.
MOVING, LATE = MEASURES = ("trace", "late")
MEANING = {MOVING: "largest in time", LATE: "late state"}
# As near as the nearest; more times the error of the hierarchy that a distance is then known to.
TIE, KNOWN = 1.01, 3.0
# An equation fails where its distance is that many times the smallest one.
FAILS = 3.0
# Points of a scan over couplings that its power is fitted to, the smallest.
_FITTED = 4
SYMBOLS = {"coupling": "J_int", "beta": "β", "detuning": "δ"}


def name_of(label: str) -> str:
    """An equation as a report calls it, "without shift" where it has no Lamb shift."""
    name = label.removesuffix(WITHOUT)
    if name == GIBBS:
        return "the Gibbs state"
    title = EQUATIONS[name].title if name in EQUATIONS else name
    return f"{title} without shift" if label.endswith(WITHOUT) else title


def title_without(given: Mapping[str, Any], key: str) -> str:
    """Of a case, but for one parameter."""
    words = [title_of({k: v for k, v in given.items() if k != key})]
    words.append(f"N = {n_sites_of(given)}")
    for other in ("coupling", "beta"):
        if other != key:
            words.append(f"{SYMBOLS[other]} = {given[other]:g}")
    return ", ".join(words)


def distance(record: Record, label: str, measure: str = MOVING) -> float:
    """Trace norm of ρ − ρ_exact, by one of `MEASURES`."""
    if measure == LATE:
        return number(record, f"{label}_late")
    return max(numbers(record, f"{label}_trace"))


def uncertainty(record: Record, measure: str = MOVING) -> float:
    """Error of the hierarchy in that measure."""
    return number(record, "late_error" if measure == LATE else "error")


def nearest(record: Record, labels: Sequence[str], measure: str = MOVING) -> list[str]:
    """Equations that are nearest to the exact answer, or as near as can be told."""
    found = {label: distance(record, label, measure) for label in labels}
    bound = TIE * min(found.values()) + 2.0 * uncertainty(record, measure)
    return [label for label, value in found.items() if value <= bound]


def ratio(record: Record, label: str, labels: Sequence[str], measure: str = MOVING) -> float:
    """Distance of an equation in units of the smallest one."""
    smallest = min(distance(record, each, measure) for each in labels)
    return distance(record, label, measure) / smallest


def squares_law(own: Sequence[Record], values: Sequence[float]) -> PowerLaw:
    """Power of J_int² in values of a scan over couplings, of its smallest `_FITTED`."""
    squares = [float(record.case.given["coupling"]) ** 2 for record in own]
    return fit_power(squares[:_FITTED], list(values)[:_FITTED])


def trust_table(records: Sequence[Record], labels: Sequence[str]) -> Table:
    """How far each equation is from the exact answer, over all cases."""
    columns = (
        Column("equation", "equation"),
        Column("measure", "measure"),
        Column("nearest", "nearest in"),
        Column("trusted", f"within {FAILS:g} times the nearest in"),
        Column("cases", "of"),
        Column("median_ratio", "median ratio to the nearest", short),
        Column("largest_ratio", "largest ratio", short),
        Column("largest", "largest distance", scientific),
        Column("smallest_eigenvalue", "smallest eigenvalue of ρ", scientific),
    )
    rows = []
    for measure in MEASURES:
        best = [nearest(record, labels, measure) for record in records]
        for label in labels:
            ratios = [ratio(record, label, labels, measure) for record in records]
            rows.append(
                (
                    name_of(label),
                    MEANING[measure],
                    sum(label in each for each in best),
                    sum(each <= FAILS for each in ratios),
                    len(records),
                    float(np.median(ratios)),
                    max(ratios),
                    max(distance(record, label, measure) for record in records),
                    min(number(record, f"{label}_smallest") for record in records),
                )
            )
    return Table("trust", "Distances from the exact answer, all cases", columns, tuple(rows))


def scan_table(key: str, found: Sequence[Scan], labels: Sequence[str]) -> Table:
    """Both distances at every point of all scans over one parameter."""
    columns = [Column("system", "system"), Column(key, SYMBOLS[key], short)]
    for measure in MEASURES:
        for label in labels:
            shown = measure == MOVING and not label.endswith(WITHOUT)
            columns.append(
                Column(f"{label}_{measure}", name_of(label) if shown else "", scientific)
            )
    columns += [Column("error", "error of the hierarchy", scientific), Column("late_error")]
    rows = scan_rows(
        found,
        key,
        lambda record: (
            *(distance(record, label, measure) for measure in MEASURES for label in labels),
            uncertainty(record),
            uncertainty(record, LATE),
        ),
    )
    return Table(key, "Largest trace norm of ρ − ρ_exact in time", tuple(columns), rows)


def slopes_table(found: Sequence[Scan], labels: Sequence[str]) -> Table:
    """Distances as powers of J_int², by both measures."""
    columns = (
        Column("system", "system"),
        Column("equation", "equation"),
        Column("exponent", "power of J_int², largest in time", hundredths, "exponent_error"),
        Column("exponent_error"),
        Column("late_exponent", "late state", hundredths, "late_exponent_error"),
        Column("late_exponent_error"),
        Column("at_smallest", "at smallest J_int", scientific),
        Column("at_largest", "at largest", scientific),
        Column("points"),
    )
    rows = []
    for title, own in found:
        for label in labels:
            values = [distance(record, label) for record in own]
            moving = squares_law(own, values)
            late = squares_law(own, [distance(record, label, LATE) for record in own])
            rows.append(
                (
                    title,
                    name_of(label),
                    moving.exponent,
                    moving.error,
                    late.exponent,
                    late.error,
                    values[0],
                    values[-1],
                    moving.points,
                )
            )
    return Table("slopes", "Distances as powers of J_int²", columns, tuple(rows))


def late_table(records: Sequence[Record], labels: Sequence[str]) -> Table:
    """Limits t → ∞ of every equation and the Gibbs state of H against the exact one."""

    def part(name: str) -> Callable[[tuple[Record, str]], float]:
        return lambda item: number(item[0], f"{item[1]}_{name}")

    cells: list[Cell] = [
        (Column("case"), lambda item: item[0].case.name),
        (Column("system", "system"), lambda item: title_without(item[0].case.given, "")),
        (Column("equation", "state"), lambda item: name_of(item[1])),
        (Column("late", "distance", scientific), part("late")),
        (Column("late_populations", "of populations", scientific), part("late_populations")),
        (Column("late_coherences", "of coherences", scientific), part("late_coherences")),
        (
            Column("late_error", "error of the hierarchy", scientific),
            lambda item: uncertainty(item[0], LATE),
        ),
    ]
    items = [(record, label) for record in records for label in (GIBBS, *labels)]
    return table_of("late", "Late states, in the eigenbasis of H", items, cells)


def evidence_table(records: Sequence[Record], labels: Sequence[str]) -> Table:
    """Size and last changes of every hierarchy."""
    sizes = {"terms": "Padé terms", "depth": "depth", "unknowns": "unknowns"}
    errors = {
        "error_of_terms": "change with terms",
        "error_of_depth": "with depth",
        "error_of_time": "of the propagation",
        "error": "error",
        "late_error": "error, late state",
    }
    cells: list[Cell] = [
        (Column("case"), lambda record: record.case.name),
        (Column("system", "system"), lambda record: title_without(record.case.given, "")),
        *(
            (Column(key, label), lambda record, key=key: int(number(record, key)))
            for key, label in sizes.items()
        ),
        *(number_cell(key, label, scientific) for key, label in errors.items()),
        (
            Column("smallest", "smallest distance compared", scientific),
            lambda record: min(distance(record, label) for label in labels),
        ),
        (Column("qutip", "QuTiP"), lambda record: record.attributes.get("qutip", "")),
    ]
    return table_of("evidence", "Convergence of the hierarchy", records, cells)
