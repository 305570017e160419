"""What each equation guarantees, and by how much it breaks the rest, as a table."""

from collections.abc import Iterator
from typing import Any

from manybody.arrays import Real
from manybody.report.analysis.guarantees import LARGEST, guarantees_of
from manybody.report.page.document import Column, Table
from manybody.report.read import StudyResult
from manybody.report.tables.columns import digits, point_cells, point_columns

NOTES = (
    "Every equation keeps trace and Hermiticity.  'yes' is what its form guarantees, 'no' what it "
    "does not: the numbers beside it say by how much it is broken here.",
    "Smallest eigenvalue: of the state over all times, mean and worst over samples, measured "
    "where positivity is not guaranteed.",
    "Kossakowski: smallest eigenvalue of the Kossakowski matrix of the first sample in J, >= 0 to "
    f"rounding exactly for completely positive dynamics; built-in models of up to {LARGEST} "
    "states.",
    "Gibbs residual: largest element of L[rho_Gibbs] in J, mean and worst over samples; neither "
    "word nor number where the baths have no temperature in common.",
)


def build_guarantees(results: StudyResult) -> list[Table]:
    """One with a row for every equation of every point, none where nothing evolves."""
    if not results.study.evolves:
        return []
    columns = (
        *point_columns(results),
        Column("equation", "equation"),
        Column("completely_positive", "positive"),
        Column("smallest_eigenvalue_mean", "smallest eigenvalue", digits(3)),
        Column("smallest_eigenvalue_worst", "worst", digits(3)),
        Column("kossakowski_eigenvalue", "Kossakowski [J]", digits(3)),
        Column("gibbs_stationary", "Gibbs stationary"),
        Column("gibbs_residual_mean", "residual [J]", digits(3)),
        Column("gibbs_residual_worst", "worst", digits(3)),
    )
    title = "What each equation guarantees, and what it breaks"
    return [Table("guarantees", title, columns, tuple(_rows(results)))]


def _rows(results: StudyResult) -> Iterator[tuple[Any, ...]]:
    for result in results.points:
        for kept in guarantees_of(results.study, result):
            yield (
                *point_cells(results, result.point),
                kept.equation.title,
                _word(kept.positive),
                None if kept.smallest is None else float(kept.smallest.mean()),
                None if kept.smallest is None else float(kept.smallest.min()),
                kept.kossakowski,
                _word(kept.gibbs),
                *_mean_and_largest(kept.residual),
            )


def _mean_and_largest(values: Real) -> tuple[float, float]:
    return float(values.mean()), float(values.max())


def _word(kept: bool | None) -> str | None:
    if kept is None:
        return None
    return "yes" if kept else "no"
