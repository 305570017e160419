"""What tables share: a column beside its value, columns of a point, how numbers are written."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.statistics import Moments, Peak, Reach, Summary
from manybody.report.page.document import NONE, Column, Table, is_missing
from manybody.report.read import StudyResult, point_title
from manybody.study.configuration import Point

_RAISED = str.maketrans("23", "²³")
# A column, and its value in one row.
Cell = tuple[Column, Any]
# The cells that all entries of some arrays share, and the arrays by the names of their columns.
Long = tuple[Sequence[Cell], Mapping[str, ArrayLike]]


def cell(
    name: str, value: Any, label: str = "", write: Callable[[Any], str] = str, error: str = ""
) -> Cell:
    """A value in its column; see `Column`."""
    return Column(name, label, write, error), value


def table_of(name: str, title: str, rows: Iterable[Sequence[Cell]]) -> Table:
    """A table of rows with the same columns, written as the first has them; none without rows."""
    known = list(rows)
    columns = tuple(column for column, _ in known[0]) if known else ()
    return Table(name, title, columns, tuple(_values(row) for row in known))


def long_table(name: str, title: str, parts: Iterable[Long]) -> Table:
    """A row an entry of the arrays of each part, behind the cells that all of it share."""
    columns: tuple[Column, ...] = ()
    rows: list[tuple[Any, ...]] = []
    for head, arrays in parts:
        columns = (*(column for column, _ in head), *map(Column, arrays))
        lists = [np.asarray(array).tolist() for array in arrays.values()]
        rows += [(*_values(head), *entries) for entries in zip(*lists)]
    return Table(name, title, columns, tuple(rows))


def _values(row: Sequence[Cell]) -> tuple[Any, ...]:
    return tuple(value for _, value in row)


def with_rows(*tables: Table) -> list[Table]:
    """Those of the tables that have something to say."""
    return [table for table in tables if table.rows]


def size_cells(results: StudyResult, point: Point) -> list[Cell]:
    """The number of sites, and that of states in a study where it is another."""
    own = [cell("dimension", point.dimension, "D")] if results.names_dimensions else []
    return [cell("n_sites", point.n_sites, "N"), *own]


def point_cells(results: StudyResult, point: Point) -> list[Cell]:
    """What names a point in every table of points."""
    words = " ".join(f"{key}={value}" for key, value in (*point.parameters, *point.changes))
    return [
        cell("model", point.model),
        cell("parameters", words),
        cell("system", point_title(point), "system"),
        cell("size", point.size),
        *size_cells(results, point),
    ]


def peak_cells(results: StudyResult, curves: Real) -> list[Cell]:
    """Where the mean of (n, T) curves is largest."""
    peak = Peak.of(curves)
    return [
        cell("n_samples", peak.count, "samples"),
        cell("maximum_of_mean", peak.mean, "max of mean", digits(4), "standard_error_there"),
        cell("standard_error_there", peak.error),
        cell("time_of_maximum", results.study.times[peak.place], "at t [1/J]", digits(4)),
    ]


def summary_cells(summary: Summary) -> list[Cell]:
    """The maximum over time of the mean over samples with its errors, and when it is reached."""
    return [
        cell("n_samples", summary.moments.count, "samples"),
        cell("maximum_of_mean", summary.maximum, "max of mean", digits(4), "standard_error_there"),
        cell("interval_low", summary.maximum_low),
        cell("interval_high", summary.maximum_high),
        cell("standard_error_there", summary.maximum_error),
        cell("time_of_maximum", summary.time_of_maximum, "at t [1/J]", digits(4)),
        cell("standard_deviation_there", summary.maximum_deviation),
    ]


def reach_cell(reach: Reach) -> Cell:
    """Whether the times reach a maximum."""
    return cell("reach", reach.value, "the maximum is", _reach_words)


def _reach_words(value: str) -> str:
    words = {"inside": "inside the times", "plateau": "on a plateau"}
    return words.get(value, value)


def moments_in_time(times: Sequence[float], moments: Moments) -> dict[str, ArrayLike]:
    """Columns of (T,) moments: the mean at every time with its deviation and error."""
    return {
        "time": times,
        "mean": moments.mean,
        "standard_deviation": moments.standard_deviation,
        "standard_error": moments.standard_error,
    }


def pair_words(pair: tuple[str, str]) -> str:
    """Two equations."""
    return " and ".join(EQUATIONS[name].title for name in pair)


def unit_words(unit: str) -> str:
    """A unit as it is read: "J2" is J²."""
    return re.sub(r"(?<=[A-Za-z])[23]\b", lambda power: power[0].translate(_RAISED), unit)


def digits(count: int) -> Callable[[Any], str]:
    """How a report shows a real number: `count` significant digits."""

    def write(value: Any) -> str:
        return NONE if is_missing(value) else f"{float(value):.{count}g}"

    return write


def scientific(value: Any) -> str:
    """Powers of ten and two digits, for errors."""
    return NONE if is_missing(value) else f"{float(value):.1e}"
