"""What each equation guarantees, and by how much it breaks the rest, as a table."""

from manybody.report.analysis.guarantees import LARGEST, Kept, guarantees_of
from manybody.report.page.document import Table
from manybody.report.read import StudyResult
from manybody.report.tables.columns import Cell, cell, digits, point_cells, table_of

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
    rows = (
        [*point_cells(results, result.point), *_kept_cells(kept)]
        for result in results.points
        for kept in guarantees_of(results.study, result)
    )
    return [table_of("guarantees", "What each equation guarantees, and what it breaks", rows)]


def _kept_cells(kept: Kept) -> list[Cell]:
    lowest, residual, short = kept.smallest, kept.residual, digits(3)
    mean, worst = (None, None) if lowest is None else (float(lowest.mean()), float(lowest.min()))
    return [
        cell("equation", kept.equation.title, "equation"),
        cell("completely_positive", _word(kept.positive), "positive"),
        cell("smallest_eigenvalue_mean", mean, "smallest eigenvalue", short),
        cell("smallest_eigenvalue_worst", worst, "worst", short),
        cell("kossakowski_eigenvalue", kept.kossakowski, "Kossakowski [J]", short),
        cell("gibbs_stationary", _word(kept.gibbs), "Gibbs stationary"),
        cell("gibbs_residual_mean", float(residual.mean()), "residual [J]", short),
        cell("gibbs_residual_worst", float(residual.max()), "worst", short),
    ]


def _word(kept: bool | None) -> str | None:
    if kept is None:
        return None
    return "yes" if kept else "no"
