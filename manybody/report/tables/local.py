"""Averages of local figures -> tables: their maxima, their curves in time, every two equations."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.report.analysis.local import FIGURES, has_local, local_curves
from manybody.report.analysis.statistics import Moments
from manybody.report.page.document import Column, Table
from manybody.report.read import PointResult, StudyResult
from manybody.report.tables.columns import (
    digits,
    pair_words,
    peak_cells,
    peak_columns,
    point_cells,
    point_columns,
    reach_words,
    scientific,
)
from manybody.solve.comparison import pairs_of
from manybody.solve.local import OF_EQUATION
from manybody.solve.meanings import UNITS


def build_averages(results: StudyResult) -> list[Table]:
    """All of them; none where no point has local figures."""
    if not results.has_local:
        return []
    found = [_maxima(results), _curves(results), _pairs(results)]
    return [table for table in found if table.rows]


def unit_of(name: str) -> str:
    """Unit of a dataset, 1 where it has none."""
    return UNITS.get(name, "1")


def _maxima(results: StudyResult) -> Table:
    """Max over t of the mean over samples, of the first two equations, as maxima.csv has it."""
    columns = (
        *point_columns(results),
        Column("figure", "figure"),
        Column("unit", "unit"),
        Column("n_samples", "samples"),
        Column("maximum_of_mean", "max of mean", digits(5)),
        Column("interval_low", "68 % from", digits(5)),
        Column("interval_high", "to", digits(5)),
        Column("standard_error_there", "std. error", scientific),
        Column("time_of_maximum", "at t [1/J]", digits(4)),
        Column("standard_deviation_there"),
        Column("mean_of_maximum"),
        Column("mean_of_maximum_error"),
        Column("reach", "the maximum is", reach_words),
    )
    rows = []
    for result in results.points:
        for name, s in result.local.items():
            rows.append(
                (
                    *point_cells(results, result.point),
                    name,
                    unit_of(name),
                    s.moments.count,
                    s.maximum,
                    s.maximum_low,
                    s.maximum_high,
                    s.maximum_error,
                    s.time_of_maximum,
                    s.maximum_deviation,
                    s.mean_maximum,
                    s.mean_maximum_error,
                    s.reach.value,
                )
            )
    title = "Local figures: maximum over time of the mean over samples"
    return Table("local", title, columns, tuple(rows))


def _curves(results: StudyResult) -> Table:
    """Means with their errors against time, of every two equations and of every equation."""
    names = ("time", "time_times_sites", "mean", "standard_deviation", "standard_error")
    columns = (
        *point_columns(results),
        Column("figure"),
        Column("of"),
        Column("n_samples"),
        *(Column(name) for name in names),
    )
    rows = tuple(row for result in results.points for row in _curve_rows(results, result))
    return Table("local-curves", "Local figures against time", columns, rows)


def _curve_rows(results: StudyResult, result: PointResult) -> Iterator[tuple[Any, ...]]:
    head, n_sites = point_cells(results, result.point), result.point.n_sites
    for name, of, values in _measured(results, result):
        moments = Moments.of(values)
        numbers = (moments.mean, moments.standard_deviation, moments.standard_error)
        for time, *own in zip(results.study.times, *numbers):
            yield (*head, name, of, result.n_samples, time, n_sites * time, *map(float, own))


def _measured(results: StudyResult, result: PointResult) -> Iterator[tuple[str, str, Real]]:
    """Dataset, what it is of and (samples, T) values; none that is not defined."""
    if not has_local(result.arrays):
        return
    for place, pair in enumerate(pairs_of(results.study.equations)):
        for figure in FIGURES:
            values = local_curves(result.arrays, figure, place)
            if np.isfinite(values).all():
                yield figure.name, ":".join(pair), values
    for place, equation in enumerate(results.study.equations):
        for name in OF_EQUATION:
            values = result.arrays[name][:, place]
            if np.isfinite(values).all():
                yield name, equation, values


def _pairs(results: StudyResult) -> Table:
    """Maxima of every two equations where there are more than two."""
    columns = (
        *point_columns(results),
        Column("pair", "equations"),
        Column("figure", "figure"),
        *peak_columns(),
    )
    pairs = list(enumerate(pairs_of(results.study.equations)))
    rows = tuple(
        (
            *point_cells(results, result.point),
            pair_words(pair),
            figure.name,
            *peak_cells(results, values),
        )
        for result in results.points
        if result.local and len(pairs) > 1
        for place, pair in pairs
        for figure in FIGURES
        if np.isfinite(values := local_curves(result.arrays, figure, place)).all()
    )
    return Table("local-pairs", "Local figures of every two equations", columns, rows)
