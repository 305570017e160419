"""Averages of expectation values -> tables: how far equations differ, and all curves in time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from manybody.report.analysis.expectations import (
    ExpectationCurves,
    expectation_curves,
    places_of_pairs,
)
from manybody.report.analysis.statistics import Moments
from manybody.report.page.document import Column, Table
from manybody.report.read import PointResult, StudyResult
from manybody.report.tables.columns import digits, point_cells, point_columns, scientific


def build_expectations_tables(results: StudyResult) -> list[Table]:
    """Both; none where a study asks for no expectation values."""
    found = [_differences(results), _curves(results)]
    return [table for table in found if table.rows]


def curves_of(results: StudyResult, result: PointResult) -> Iterator[ExpectationCurves]:
    """Those of a point."""
    return expectation_curves(result.arrays, results.study.expected, result.point.places)


def _differences(results: StudyResult) -> Table:
    """Where the mean difference of two equations is largest, the component where it is most."""
    columns = (
        *point_columns(results),
        Column("expectation", "expectation value"),
        Column("component", "component"),
        Column("unit", "unit"),
        Column("difference", "of"),
        Column("n_samples", "samples"),
        Column("largest_mean_difference", "largest mean difference", digits(4)),
        Column("standard_error_there", "std. error", scientific),
        Column("time", "at t [1/J]", digits(4)),
    )
    rows = tuple(row for result in results.points for row in _difference_rows(results, result))
    title = "Expectation values: largest difference over time of the means over samples"
    return Table("expectations", title, columns, rows)


def _difference_rows(results: StudyResult, result: PointResult) -> Iterator[tuple[Any, ...]]:
    head = point_cells(results, result.point)
    by_name: dict[str, list[ExpectationCurves]] = {}
    for own in curves_of(results, result):
        by_name.setdefault(own.expectation.name, []).append(own)
    for name, components in by_name.items():
        for words, pair in places_of_pairs(results.study.equations):
            moments = [Moments.of(own.difference(pair)) for own in components]
            sizes = np.abs([own.mean for own in moments])
            which, place = np.unravel_index(int(np.argmax(sizes)), sizes.shape)
            own, chosen = components[int(which)], moments[int(which)]
            yield (
                *head,
                name,
                own.component,
                own.expectation.unit,
                words,
                result.n_samples,
                float(chosen.mean[place]),
                float(chosen.standard_error[place]),
                results.study.times[int(place)],
            )


def _curves(results: StudyResult) -> Table:
    """Means over samples with their errors against time, and those of differences."""
    names = ("time", "mean", "standard_deviation", "standard_error")
    columns = (
        *point_columns(results),
        Column("expectation"),
        Column("component"),
        Column("unit"),
        Column("of"),
        Column("n_samples"),
        *(Column(name) for name in names),
    )
    rows = tuple(row for result in results.points for row in _curve_rows(results, result))
    return Table("expectation-curves", "Expectation values against time", columns, rows)


def _curve_rows(results: StudyResult, result: PointResult) -> Iterator[tuple[Any, ...]]:
    head = point_cells(results, result.point)
    for own in curves_of(results, result):
        parts = {name: own.values[:, place] for place, name in enumerate(results.study.equations)}
        pairs = places_of_pairs(results.study.equations)
        parts |= {words: own.difference(pair) for words, pair in pairs}
        for of, values in parts.items():
            moments = Moments.of(values)
            numbers = (moments.mean, moments.standard_deviation, moments.standard_error)
            what = own.expectation.name, own.component, own.expectation.unit, of
            for time, *cells in zip(results.study.times, *numbers):
                yield (*head, *what, result.n_samples, time, *map(float, cells))
