"""Tables of the distances from the exact answer."""

from collections.abc import Callable, Sequence

from manybody.papers.kit.config import Record
from manybody.papers.kit.distances_page import scan_rows
from manybody.papers.kit.page import Cell, Scan, number, number_cell, numbers, short, table_of
from manybody.papers.snm.exact.cases import LABELS
from manybody.papers.snm.exact.figures import NAMES
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import scientific

EQUATIONS = ("redfield", "davies", "local")
# Whose laws a finding states.
SAID = (*EQUATIONS, "redfield_without_shift")


def error_of(record: Record, label: str, norm: str = "trace") -> float:
    """Distance of an equation from the exact answer: of the dynamics the largest in time."""
    value = record.results[f"{label}_{norm}"]
    return float(max(value)) if isinstance(value, list) else float(value)


def doublings(record: Record) -> str:
    """Numbers of modes that an exact answer was computed with."""
    return " → ".join(f"{count:g}" for count in numbers(record, "modes"))


def evidence_table(records: Sequence[Record], title: Callable[[Record], str]) -> Table:
    """How the exact dynamics have converged."""

    def last_time(record: Record) -> float:
        last = record.results.get("times", record.results.get("time"))
        return last[-1] if isinstance(last, list) else float(last or 0.0)

    cells: list[Cell] = [
        (Column("case"), lambda record: record.case.name),
        (Column("system", "system"), title),
        (Column("modes", "modes of each reservoir"), doublings),
        (
            Column("change", "last change of C", scientific),
            lambda record: numbers(record, "changes")[-1],
        ),
        number_cell("recurrence_time", "recurrence time", short),
        (Column("until", "last time", short), last_time),
    ]
    return table_of("evidence", "Convergence of the exact dynamics", records, cells)


def routes_table(records: Sequence[Record], title: Callable[[Record], str]) -> Table:
    """Both exact answers against each other."""
    words = ("element", "trace", "particle", "energy")
    cells: list[Cell] = [
        (Column("system", "system"), title),
        number_cell("time", "time", short),
        *(number_cell(f"difference_{word}", word, scientific) for word in words),
        number_cell("remaining", "remaining", scientific),
    ]
    heading = "Both exact answers against each other, long after the start"
    return table_of("routes", heading, records, cells)


def scan_table(name: str, key: str, symbol: str, found: Sequence[Scan]) -> Table:
    """Distances at every point of all scans over one parameter."""
    columns = (
        Column("system", "system"),
        Column(key, symbol, short),
        *(
            Column(f"{label}_trace", NAMES[label] if label in SAID else "", scientific)
            for label in LABELS
        ),
        *(Column(f"{label}_element") for label in LABELS),
    )
    measured = [(label, norm) for norm in ("trace", "element") for label in LABELS]
    rows = scan_rows(found, key, lambda record: (error_of(record, *each) for each in measured))
    return Table(name, "Trace norm of C − C_exact", columns, rows)


def currents_table(found: Sequence[Scan]) -> Table:
    """Currents out of the first reservoir and entropy production, equation by equation."""
    labels = ("exact", *EQUATIONS)
    columns = [Column("system", "system"), Column("detuning", "δ", short)]
    kinds: tuple[tuple[str, str, Callable[[Record, str], float]], ...] = (
        ("particle", "I", lambda r, label: numbers(r, f"{label}_particle")[0]),
        ("energy", "E", lambda r, label: numbers(r, f"{label}_energy")[0]),
        ("entropy", "σ", lambda r, label: number(r, f"{label}_entropy")),
    )
    for kind, symbol, _ in kinds:
        columns += [
            Column(f"{label}_{kind}", f"{symbol} {NAMES[label]}", scientific) for label in labels
        ]
    rows = scan_rows(
        found,
        "detuning",
        lambda record: (value(record, label) for _, _, value in kinds for label in labels),
    )
    title = "Particle (I) and energy (E) currents out of the first reservoir, entropy production σ"
    return Table("currents", title, tuple(columns), rows)
