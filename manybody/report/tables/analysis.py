"""Conclusions -> tables: laws of size, numerical errors, samples that a precision takes."""

from typing import Any

from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.precision import samples_needed
from manybody.report.analysis.scaling import Law
from manybody.report.analysis.statistics import is_rounding
from manybody.report.page.document import Column, Table
from manybody.report.read import point_title, system_title
from manybody.report.tables.samples import digits, reach_words, scientific

_TARGETS = (0.05, 0.01)


def build_analysis_tables(analysis: Analysis) -> list[Table]:
    """All of them; those with nothing to say are left out."""
    if not analysis.results.study.evolves:
        return []
    found = [
        _numerics(analysis),
        _precision(analysis),
        _precision_curves(analysis),
        _laws(analysis),
        _estimates(analysis),
    ]
    return [table for table in found if table.rows]


def _laws(analysis: Analysis) -> Table:
    """Every law, a row a system and law; those not fitted with the reason."""
    columns = (
        Column("system", "system"),
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
    for each in analysis.verdicts:
        for fit in each.verdict.fits if each.verdict is not None else ():
            names = "ac" if fit.law is Law.POWER else "abc"
            words = ", ".join(
                f"{name} = {value:.4g} ± {error:.1g}"
                for name, value, error in zip(names, fit.parameters, fit.errors)
            )
            rows.append(
                (
                    system_title(each.system, plain=True),
                    fit.law.value,
                    words,
                    fit.chi2,
                    fit.freedom,
                    fit.p_value,
                    fit.aic,
                    fit.weight,
                    each.sentence,
                )
            )
        rows += [
            (
                system_title(each.system, plain=True),
                law.value,
                f"not fitted, {why}",
                None,
                None,
                None,
                None,
                None,
                each.sentence,
            )
            for law, why in each.not_fitted
        ]
    return Table("laws", "Laws of size dependence", columns, tuple(rows))


def _estimates(analysis: Analysis) -> Table:
    """What the laws were fitted to: the points of their figure."""
    columns = (
        Column("system", "system"),
        Column("n_sites", "N"),
        Column("maximum", "maximum without bias", digits(5)),
        Column("error", "std. error", scientific),
        Column("widened_error", "as fitted", scientific),
        Column("reach", "the maximum is", reach_words),
    )
    rows = tuple(
        (
            system_title(each.system, plain=True),
            estimate.n_sites,
            estimate.maximum,
            estimate.error,
            estimate.widened_error,
            estimate.reach.value,
        )
        for each in analysis.verdicts
        for estimate in each.estimates
    )
    return Table("estimates", "Maxima that the laws are fitted to", columns, rows)


def _numerics(analysis: Analysis) -> Table:
    """Numerical beside statistical errors, a row a variant and size."""
    columns = (
        Column("variant", "computed with"),
        Column("system", "system"),
        Column("n_sites", "N"),
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
            each.difference.point.n_sites,
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
        Column("n_sites", "N"),
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
                point.point.n_sites,
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
        Column("n_sites"),
        Column("samples"),
        Column("maximum_of_first"),
        Column("error_of_first"),
        Column("maximum_of_subsets"),
        Column("error_of_subsets"),
        Column("spread_of_error"),
    )
    rows = tuple(
        (point_title(point), point.n_sites, *row)
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
