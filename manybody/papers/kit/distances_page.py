"""Pages of distances from an exact answer: what their tables, scans and curves in time share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.page import Chapter, Scan, numbers
from manybody.papers.kit.plots import Style, dress
from manybody.papers.kit.reservoirs import WITHOUT
from manybody.papers.kit.subject import LINEAR, NO_ERRORS
from manybody.report.figures.canvas import (
    colour,
    grid,
    marker,
    nested,
    one_scale,
    put_legend_below,
)
from manybody.report.page.document import Column, Table
from manybody.report.page.subject import SOURCE

_START = (
    "The start is one particle on the first site, durations count in 1/(J²D), D in the middle of "
    "the band. Two reservoirs sit on the first and the last site; equal baths are those of the "
    "first kind on every site."
)
# Length of a dot, in widths of its line.
_DOT = 1.2


def setting_between(study: CaseStudy, text: str) -> Chapter:
    """What a study between a first and a last reservoir compares."""
    words = [f"{name}: {words_of(study.settings[name])}" for name in ("first", "last")]
    lines = (f"{text} {_START}", f"Reservoirs: {'; '.join(words)}.", SOURCE)
    return Chapter("What is compared", lines, formulas=LINEAR)


def conditions_between(study: CaseStudy) -> str:
    """What every caption of such a study ends with."""
    return (
        "C: correlation matrix ⟨a_p†a_q⟩; distances: trace norm Σ|eigenvalue| of C − C_exact; J: "
        "strength of the coupling to the reservoirs; the exact answer is converged to "
        f"{study.settings['tolerance']:g}. {NO_ERRORS}."
    )


def words_of(table: Mapping[str, Any]) -> str:
    """A reservoir as its settings say it."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in table.items())


def hundredths(value: Any) -> str:
    """Two digits after the point."""
    return f"{float(value):.2f}"


def scan_rows(
    found: Sequence[Scan], key: str, cells: Callable[[Record], Iterable[Any]]
) -> tuple[tuple[Any, ...], ...]:
    """Title, value of the parameter that is scanned, and cells, at every point of all scans."""
    return tuple(
        (title, record.case.given[key], *cells(record)) for title, own in found for record in own
    )


def in_time_table(records: Sequence[Record], names: Sequence[str]) -> Table:
    """Lists of these names at every time."""
    rows = tuple(
        (record.case.name, time, *(numbers(record, name)[index] for name in names))
        for record in records
        for index, time in enumerate(numbers(record, "times"))
    )
    columns = (Column("case"), Column("time"), *(Column(name) for name in names))
    return Table("curves", "every distance at every time", columns, rows)


def styles_of(
    labels: Sequence[str], name_of: Callable[[str], str], colours: Sequence[int]
) -> dict[str, Style]:
    """Colour, marker and width by equation; without the Lamb shift open and dotted, above all."""
    equations = list(dict.fromkeys(label.removesuffix(WITHOUT) for label in labels))
    found = {}
    for label in labels:
        index = equations.index(label.removesuffix(WITHOUT))
        own: Style = {"color": colour(colours[index]), "marker": marker(index), "ls": "-"}
        own |= nested(index, len(equations)) | {"label": name_of(label)}
        # Dots of one equation fall between those of the others.
        dots = (_DOT * index, (_DOT, _DOT * max(2, len(equations) - 1)))
        hollow: Style = {"ls": dots, "mfc": "none", "ms": own["ms"] + 3.0, "lw": 1.4, "zorder": 4}
        found[label] = own | (hollow if label.endswith(WITHOUT) else {})
    return found


def draw_in_time(
    drawn: Sequence[tuple[str, Record]], styles: Mapping[str, Style], height: str, unit: str
) -> Any:
    """Distances against time, a panel a case; unit: of energies."""
    figure, axes = grid(len(drawn), 4.9, 3.5, most=2)
    for axis, (title, record) in zip(axes, drawn):
        times = np.array(numbers(record, "times"))
        for label, style in styles.items():
            # At the start all distances are zero.
            own = style | {"marker": ""}
            axis.plot(times[1:], numbers(record, f"{label}_trace")[1:], **own)
        axis.set_yscale("log")
        dress(axis, f"time $t$  [1/{unit}]", height, title)
    put_legend_below(figure, axes, one_scale(axes))
    return figure
