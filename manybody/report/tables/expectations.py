"""Averages of expectation values -> tables: how far equations differ, and all curves in time."""

from collections.abc import Iterator

import numpy as np

from manybody.report.analysis.expectations import (
    ExpectationCurves,
    expectation_curves,
    places_of_pairs,
)
from manybody.report.analysis.statistics import Moments
from manybody.report.page.document import Table
from manybody.report.read import PointResult, StudyResult
from manybody.report.tables.columns import (
    Cell,
    Long,
    cell,
    digits,
    long_table,
    moments_in_time,
    point_cells,
    table_of,
    with_rows,
)


def build_expectations_tables(results: StudyResult) -> list[Table]:
    """How far equations differ, and all curves; none where a study asks for none."""
    title = "Expectation values: largest difference over time of the means over samples"
    return with_rows(
        table_of("expectations", title, _differences(results)),
        long_table("expectation-curves", "Expectation values against time", _curves(results)),
    )


def curves_of(results: StudyResult, result: PointResult) -> Iterator[ExpectationCurves]:
    """Those of a point."""
    return expectation_curves(result.arrays, results.study.expected, result.point.places)


def _differences(results: StudyResult) -> Iterator[list[Cell]]:
    """Where the mean difference of two equations is largest, the component where it is most."""
    for result in results.points:
        by_name: dict[str, list[ExpectationCurves]] = {}
        for own in curves_of(results, result):
            by_name.setdefault(own.expectation.name, []).append(own)
        for components in by_name.values():
            for words, pair in places_of_pairs(results.study.equations):
                yield _difference(results, result, components, words, pair)


def _difference(
    results: StudyResult,
    result: PointResult,
    components: list[ExpectationCurves],
    words: str,
    pair: tuple[int, int],
) -> list[Cell]:
    moments = [Moments.of(own.difference(pair)) for own in components]
    sizes = np.abs([own.mean for own in moments])
    which, place = map(int, np.unravel_index(int(np.argmax(sizes)), sizes.shape))
    own, mean = components[which], float(moments[which].mean[place])
    error = float(moments[which].standard_error[place])
    return [
        *point_cells(results, result.point),
        cell("expectation", own.expectation.name, "expectation value"),
        cell("component", own.component, "component"),
        cell("unit", own.expectation.unit, "unit"),
        cell("difference", words, "of"),
        cell("n_samples", result.n_samples, "samples"),
        cell(
            "largest_mean_difference",
            mean,
            "largest mean difference",
            digits(4),
            "standard_error_there",
        ),
        cell("standard_error_there", error),
        cell("time", results.study.times[place], "at t [1/J]", digits(4)),
    ]


def _curves(results: StudyResult) -> Iterator[Long]:
    """Means over samples with their errors against time, and those of differences."""
    equations, pairs = results.study.equations, places_of_pairs(results.study.equations)
    for result in results.points:
        for own in curves_of(results, result):
            parts = {name: own.values[:, place] for place, name in enumerate(equations)}
            parts |= {words: own.difference(pair) for words, pair in pairs}
            for of, values in parts.items():
                head = [
                    *point_cells(results, result.point),
                    cell("expectation", own.expectation.name),
                    cell("component", own.component),
                    cell("unit", own.expectation.unit),
                    cell("of", of),
                    cell("n_samples", result.n_samples),
                ]
                yield head, moments_in_time(results.study.times, Moments.of(values))
