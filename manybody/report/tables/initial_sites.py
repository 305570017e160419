"""Means over initial sites -> tables."""

from collections.abc import Iterator
from typing import Any

from manybody.report.analysis.initial_sites import SiteMean, site_means
from manybody.report.analysis.statistics import Moments, Peak
from manybody.report.page.document import Column, Table
from manybody.report.read import StudyResult
from manybody.report.tables.columns import (
    digits,
    pair_words,
    peak_cells,
    peak_columns,
    point_cells,
    point_columns,
)
from manybody.solve.comparison import pairs_of


def build_site_tables(results: StudyResult) -> list[Table]:
    """Both; none in a study without several initial sites of one system."""
    found = site_means(results)
    return [_maxima(results, found), _curves(results, found)] if found else []


def _maxima(results: StudyResult, found: list[SiteMean]) -> Table:
    columns = (
        *point_columns(results),
        Column("pair", "equations"),
        Column("initial_sites", "initial sites"),
        *peak_columns(),
        Column("deviation_over_sites", "std. dev. over sites", digits(3)),
    )
    rows = [
        (
            *point_cells(results, each.point),
            pair_words(pair),
            " ".join(map(str, each.sites)),
            *peak_cells(results, each.curves(place)),
            each.spread_of_sites(place, Peak.of(each.curves(place)).place),
        )
        for each in found
        for place, pair in enumerate(pairs_of(results.study.equations))
    ]
    title = "Mean over initial sites of the distance: maximum over time of the mean over samples"
    return Table("initial-sites", title, columns, tuple(rows))


def _curves(results: StudyResult, found: list[SiteMean]) -> Table:
    names = ("time", "mean", "standard_deviation", "standard_error")
    columns = (
        *point_columns(results),
        Column("of"),
        Column("n_samples"),
        *(Column(name) for name in names),
    )
    rows = tuple(row for each in found for row in _curve_rows(results, each))
    return Table("initial-sites-curves", "The same against time", columns, rows)


def _curve_rows(results: StudyResult, each: SiteMean) -> Iterator[tuple[Any, ...]]:
    head = point_cells(results, each.point)
    for place, pair in enumerate(pairs_of(results.study.equations)):
        moments = Moments.of(each.curves(place))
        numbers = (moments.mean, moments.standard_deviation, moments.standard_error)
        for time, *own in zip(results.study.times, *numbers):
            yield (*head, ":".join(pair), moments.count, time, *map(float, own))
