"""Averages of local figures -> tables: their maxima, their curves in time, every two equations."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.report.analysis.local import FIGURES, has_local, local_curves
from manybody.report.analysis.statistics import Moments
from manybody.report.page.document import Table
from manybody.report.read import PointResult, StudyResult
from manybody.report.tables.columns import (
    Cell,
    Long,
    cell,
    long_table,
    moments_in_time,
    pair_words,
    peak_cells,
    point_cells,
    reach_cell,
    summary_cells,
    table_of,
    with_rows,
)
from manybody.solve.comparison import pairs_of
from manybody.solve.local import OF_EQUATION
from manybody.solve.meanings import UNITS


def build_averages(results: StudyResult) -> list[Table]:
    """All of them; none where no point has local figures."""
    if not results.has_local:
        return []
    title = "Local figures: maximum over time of the mean over samples"
    return with_rows(
        table_of("local", title, _maxima(results)),
        long_table("local-curves", "Local figures against time", _curves(results)),
        table_of("local-pairs", "Local figures of every two equations", _pairs(results)),
    )


def _maxima(results: StudyResult) -> Iterator[list[Cell]]:
    """Max over t of the mean over samples, of the first two equations, as maxima.csv has it."""
    for result in results.points:
        for name, s in result.local.items():
            yield [
                *point_cells(results, result.point),
                cell("figure", name, "figure"),
                cell("unit", UNITS.get(name, "1"), "unit"),
                *summary_cells(s),
                cell("mean_of_maximum", s.mean_maximum),
                cell("mean_of_maximum_error", s.mean_maximum_error),
                reach_cell(s.reach),
            ]


def _curves(results: StudyResult) -> Iterator[Long]:
    """Means with their errors against time, of every two equations and of every equation."""
    times = results.study.times
    for result in results.points:
        for name, of, values in _measured(results, result):
            head = [
                *point_cells(results, result.point),
                cell("figure", name),
                cell("of", of),
                cell("n_samples", result.n_samples),
            ]
            own: dict[str, ArrayLike] = {"time": times}
            own["time_times_sites"] = result.point.n_sites * np.array(times)
            yield head, own | moments_in_time(times, Moments.of(values))


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


def _pairs(results: StudyResult) -> Iterator[list[Cell]]:
    """Maxima of every two equations where there are more than two."""
    pairs = pairs_of(results.study.equations)
    for result in results.points if len(pairs) > 1 else ():
        for place, pair in enumerate(pairs) if result.local else ():
            for figure in FIGURES:
                values = local_curves(result.arrays, figure, place)
                if np.isfinite(values).all():
                    yield [
                        *point_cells(results, result.point),
                        cell("pair", pair_words(pair), "equations"),
                        cell("figure", figure.name, "figure"),
                        *peak_cells(results, values),
                    ]
