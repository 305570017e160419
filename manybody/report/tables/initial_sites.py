"""Means over initial sites -> tables."""

from collections.abc import Iterator

from manybody.report.analysis.initial_sites import SiteMean, site_means
from manybody.report.analysis.statistics import Moments, Peak
from manybody.report.page.document import Table
from manybody.report.read import StudyResult
from manybody.report.tables.columns import (
    Cell,
    Long,
    cell,
    digits,
    long_table,
    moments_in_time,
    pair_words,
    peak_cells,
    point_cells,
    table_of,
)
from manybody.solve.comparison import pairs_of


def build_site_tables(results: StudyResult) -> list[Table]:
    """Both; none in a study without several initial sites of one system."""
    found = site_means(results)
    if not found:
        return []
    title = "Mean over initial sites of the distance: maximum over time of the mean over samples"
    return [
        table_of("initial-sites", title, _maxima(results, found)),
        long_table("initial-sites-curves", "The same against time", _curves(results, found)),
    ]


def _maxima(results: StudyResult, found: list[SiteMean]) -> Iterator[list[Cell]]:
    for each in found:
        sites = " ".join(map(str, each.sites))
        for place, pair in enumerate(pairs_of(results.study.equations)):
            curves = each.curves(place)
            deviation = each.spread_of_sites(place, Peak.of(curves).place)
            yield [
                *point_cells(results, each.point),
                cell("pair", pair_words(pair), "equations"),
                cell("initial_sites", sites, "initial sites"),
                *peak_cells(results, curves),
                cell("deviation_over_sites", deviation, "std. dev. over sites", digits(3)),
            ]


def _curves(results: StudyResult, found: list[SiteMean]) -> Iterator[Long]:
    for each in found:
        for place, pair in enumerate(pairs_of(results.study.equations)):
            moments = Moments.of(each.curves(place))
            of, count = cell("of", ":".join(pair)), cell("n_samples", moments.count)
            head = [*point_cells(results, each.point), of, count]
            yield head, moments_in_time(results.study.times, moments)
