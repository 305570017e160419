"""Conclusions -> tables: laws of size, numerical errors, samples that a precision takes."""

from collections.abc import Sequence
from typing import Any

from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.precision import samples_needed
from manybody.report.analysis.scaling import Fit, Law
from manybody.report.analysis.statistics import is_rounding
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.page.document import Column, Table
from manybody.report.read import point_title, system_title
from manybody.report.tables.columns import (
    digits,
    reach_words,
    scientific,
    size_cells,
    size_columns,
)

_TARGETS = (0.05, 0.01)


def build_analysis_tables(analysis: Analysis) -> list[Table]:
    """All of them; those with nothing to say are left out."""
    if not analysis.results.study.evolves:
        return []
    found = [
        _numerics(analysis),
        _precision(analysis),
        _precision_curves(analysis),
        _laws("laws", "Laws of size dependence", analysis.verdicts),
        _estimates("estimates", "Maxima that the laws are fitted to", analysis, analysis.verdicts),
    ]
    return [table for table in found if table.rows]


def build_local_tables(analysis: Analysis) -> list[Table]:
    """Verdicts on local figures beside those on the trace distance, and what they rest on."""
    title = "Maxima of local figures that laws are fitted to"
    found = [
        _verdicts(analysis),
        _laws("local-laws", "Laws of size dependence of local figures", analysis.local),
        _estimates("local-estimates", title, analysis, analysis.local),
    ]
    return [table for table in found if table.rows]


def _verdicts(analysis: Analysis) -> Table:
    """Every verdict on the systems that have local figures."""
    columns = (
        Column("system", "system"),
        Column("figure", "figure"),
        Column("outcome", "with size"),
        Column("sizes", "sizes"),
        Column("sentence", "why"),
    )
    judged = {each.system.key: each.system for each in analysis.local}
    rows = tuple(
        (
            system_title(system, plain=True),
            each.quantity,
            each.outcome,
            len(each.estimates),
            each.sentence,
        )
        for system in judged.values()
        for each in analysis.of_system(system)
    )
    return Table("verdicts", "Does it stay bounded?  Globally and locally", columns, rows)


def _head_columns(verdicts: Sequence[SystemVerdict]) -> tuple[Column, ...]:
    """The system and, of local figures, which."""
    own = (Column("figure", "figure"),) if any(each.figure for each in verdicts) else ()
    return (Column("system", "system"), *own)


def _head(each: SystemVerdict) -> tuple[str, ...]:
    own = () if each.figure is None else (each.figure.name,)
    return (system_title(each.system, plain=True), *own)


def _laws(name: str, title: str, verdicts: Sequence[SystemVerdict]) -> Table:
    """Every law, a row a system and law; those not fitted with the reason."""
    columns = (
        *_head_columns(verdicts),
        Column("law", "law"),
        Column("parameters", "parameters"),
        Column("chi2", "chi²", digits(3)),
        Column("freedom", "freedom", digits(3)),
        Column("p_value", "p", digits(2)),
        Column("aic", "AIC", digits(4)),
        Column("weight", "weight", digits(2)),
        Column("verdict"),
    )
    rows: list[tuple[Any, ...]] = []
    for each in verdicts:
        for fit in each.verdict.fits if each.verdict is not None else ():
            numbers = (fit.chi2, fit.freedom, fit.p_value, fit.aic, fit.weight)
            rows.append(
                (*_head(each), fit.law.value, _parameters_of(fit), *numbers, each.sentence)
            )
        rows += [
            (*_head(each), law.value, f"not fitted, {why}", *[None] * 5, each.sentence)
            for law, why in each.not_fitted
        ]
    return Table(name, title, columns, tuple(rows))


def _parameters_of(fit: Fit) -> str:
    names = "ac" if fit.law is Law.POWER else "abc"
    return ", ".join(
        f"{name} = {value:.4g} ± {error:.1g}"
        for name, value, error in zip(names, fit.parameters, fit.errors)
    )


def _estimates(
    name: str, title: str, analysis: Analysis, verdicts: Sequence[SystemVerdict]
) -> Table:
    """What the laws were fitted to: the points of their figure."""
    columns = (
        *_head_columns(verdicts),
        *size_columns(analysis.results),
        Column("maximum", "maximum without bias", digits(5)),
        Column("error", "std. error", scientific),
        Column("widened_error", "as fitted", scientific),
        Column("reach", "the maximum is", reach_words),
    )
    rows: list[tuple[Any, ...]] = []
    for each in verdicts:
        points = {point.n_sites: point for point in each.system.points}
        rows += [
            (
                *_head(each),
                *size_cells(analysis.results, points[estimate.n_sites]),
                estimate.maximum,
                estimate.error,
                estimate.widened_error,
                estimate.reach.value,
            )
            for estimate in each.estimates
        ]
    return Table(name, title, columns, tuple(rows))


def _numerics(analysis: Analysis) -> Table:
    """Numerical beside statistical errors, a row a variant and size."""
    columns = (
        Column("variant", "computed with"),
        Column("system", "system"),
        *size_columns(analysis.results),
        Column("samples", "samples"),
        Column("identical", "equal bits"),
        Column("largest_change", "largest change", scientific),
        Column("change_of_mean", "of the mean", scientific),
        Column("statistical_error", "statistical error", scientific),
        Column("dominates", "larger"),
    )
    rows = tuple(
        (
            each.variant,
            point_title(each.difference.point),
            *size_cells(analysis.results, each.difference.point),
            each.difference.samples,
            each.difference.identical,
            each.difference.largest,
            each.difference.of_mean,
            each.statistical,
            each.dominates,
        )
        for each in analysis.errors
    )
    return Table("numerics", "The same samples computed otherwise", columns, rows)


def _precision(analysis: Analysis) -> Table:
    """How many samples a relative standard error of the maximum takes."""
    names = [f"samples_for_{target:g}" for target in _TARGETS]
    labels = [f"samples for {100 * target:g} %" for target in _TARGETS]
    columns = (
        Column("system", "system"),
        *size_columns(analysis.results),
        Column("samples", "samples"),
        Column("relative_error", "relative error", digits(2)),
        *(Column(name, label, digits(6)) for name, label in zip(names, labels)),
        Column("reach", "the maximum is", reach_words),
    )
    rows: list[tuple[Any, ...]] = []
    for point in analysis.results.points:
        s = point.summary
        assert s is not None
        relative = s.maximum_error / s.maximum if s.maximum else None
        needed: list[int | None] = [None] * len(_TARGETS)
        if point.n_samples > 1 and not is_rounding(s.maximum_deviation, s.maximum):
            needed = [
                samples_needed(target * s.maximum, s.maximum_deviation, point.n_samples).needed
                for target in _TARGETS
            ]
        rows.append(
            (
                point_title(point.point),
                *size_cells(analysis.results, point.point),
                point.n_samples,
                relative,
                *needed,
                s.reach.value,
            )
        )
    return Table("precision", "Statistical error of the maximum", columns, tuple(rows))


def _precision_curves(analysis: Analysis) -> Table:
    """Error of the maximum of the mean for parts of the samples: the points of its figure."""
    columns = (
        Column("system"),
        *size_columns(analysis.results),
        Column("samples"),
        Column("maximum_of_first"),
        Column("error_of_first"),
        Column("maximum_of_subsets"),
        Column("error_of_subsets"),
        Column("spread_of_error"),
    )
    rows = tuple(
        (point_title(point), *size_cells(analysis.results, point), *row)
        for point, found in analysis.precisions.items()
        for row in zip(
            map(int, found.counts),
            *(
                map(float, numbers)
                for numbers in (
                    found.maximum,
                    found.error,
                    found.mean_maximum,
                    found.mean_error,
                    found.error_spread,
                )
            ),
        )
    )
    return Table("precision-curves", "Error against number of samples", columns, rows)
