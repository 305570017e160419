"""Differences on the same disorder -> tables."""

from collections.abc import Iterator

from manybody.report.analysis.paired import (
    DISTANCE,
    Difference,
    Paired,
    Shared,
    difference_curves,
    differences,
    equation_differences,
)
from manybody.report.analysis.statistics import Moments
from manybody.report.page.document import Table
from manybody.report.read import StudyResult, changes_in_words, point_title
from manybody.report.tables.columns import (
    Cell,
    Long,
    cell,
    digits,
    long_table,
    moments_in_time,
    pair_words,
    point_cells,
    size_cells,
    table_of,
    unit_words,
    with_rows,
)

# Significant digits of what has no error.
_VALUE, _SHORT = digits(4), digits(2)


def build_paired_tables(results: StudyResult) -> list[Table]:
    """All of them; none where no two systems share their disorder."""
    found = differences(results)
    return with_rows(
        table_of("paired", "Differences on the same disorder", _rows(results, found)),
        long_table("paired-curves", "Differences against time", _curves(results, found)),
        table_of(
            "paired-equations",
            "How much farther other equations are, on the same samples",
            _equations(results),
        ),
    )


def setting_words(results: StudyResult, shared: Shared) -> tuple[str, str]:
    """What the second point of two departs in, and the first, in words."""
    first, second = dict(shared.first.point.changes), dict(shared.second.point.changes)
    keys = [key for key in {**first, **second} if first.get(key, ...) != second.get(key, ...)]
    return (
        changes_in_words({key: own for key, own in second.items() if key in keys}),
        changes_in_words({key: own for key, own in first.items() if key in keys}),
    )


def _rows(results: StudyResult, found: list[Difference]) -> Iterator[list[Cell]]:
    for each in found:
        words, reference = setting_words(results, each.shared)
        yield [
            cell("system", point_title(each.shared.bare), "system"),
            *size_cells(results, each.shared.bare),
            cell("setting", words, "setting"),
            cell("reference", reference, "against"),
            cell("figure", each.figure.replace("_", " "), "figure"),
            cell("unit", each.unit, "unit", unit_words),
            *_cells(each.paired),
        ]


def _cells(paired: Paired) -> list[Cell]:
    return [
        cell("n_samples", paired.count, "samples"),
        cell("reference_value", paired.first, "there", _VALUE, "reference_error"),
        cell("reference_error", paired.first_error),
        cell("value", paired.second, "here", _VALUE, "error"),
        cell("error", paired.second_error),
        cell("difference", paired.difference, "difference", _VALUE, "paired_error"),
        cell("paired_error", paired.error),
        cell("unpaired_error", paired.unpaired_error, "unpaired error", _SHORT),
        cell("in_errors", paired.in_errors, "in errors", _SHORT),
        cell("p_value", paired.p_value, "p", _SHORT),
    ]


def _curves(results: StudyResult, found: list[Difference]) -> Iterator[Long]:
    """The mean difference of trace distances at every time."""
    for each in found:
        if each.figure == DISTANCE:
            words, reference = setting_words(results, each.shared)
            head = [
                *point_cells(results, each.shared.bare),
                cell("setting", words),
                cell("reference", reference),
                cell("n_samples", each.paired.count),
            ]
            moments = Moments.of(difference_curves(each.shared))
            yield head, moments_in_time(results.study.times, moments)


def _equations(results: StudyResult) -> Iterator[list[Cell]]:
    for each in equation_differences(results):
        yield [
            *point_cells(results, each.result.point),
            cell("pair", pair_words(each.other), "distance of"),
            cell("reference", pair_words(each.reference), "against"),
            *_cells(each.paired),
        ]
