"""Conclusions -> tables: laws of size, numerical errors, samples that a precision takes."""

from collections.abc import Iterator, Sequence

from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.precision import samples_needed
from manybody.report.analysis.scaling import Fit, Law
from manybody.report.analysis.statistics import Summary, is_rounding
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.page.document import Table
from manybody.report.read import point_title, system_title
from manybody.report.tables.columns import (
    Cell,
    Long,
    cell,
    digits,
    long_table,
    reach_cell,
    scientific,
    size_cells,
    table_of,
    with_rows,
)

_TARGETS = (0.05, 0.01)


def build_analysis_tables(analysis: Analysis) -> list[Table]:
    """All of them; those with nothing to say are left out."""
    if not analysis.results.study.evolves:
        return []
    verdicts = analysis.verdicts
    return with_rows(
        table_of("numerics", "The same samples computed otherwise", _numerics(analysis)),
        table_of("precision", "Statistical error of the maximum", _precision(analysis)),
        long_table("precision-curves", "Error against number of samples", _subsets(analysis)),
        table_of("laws", "Laws of size dependence", _laws(verdicts)),
        table_of(
            "estimates", "Maxima that the laws are fitted to", _estimates(analysis, verdicts)
        ),
    )


def build_local_tables(analysis: Analysis) -> list[Table]:
    """Verdicts on local figures beside those on the trace distance, and what they rest on."""
    both, local = "Does it stay bounded?  Globally and locally", analysis.local
    title = "Maxima of local figures that laws are fitted to"
    return with_rows(
        table_of("verdicts", both, _verdicts(analysis)),
        table_of("local-laws", "Laws of size dependence of local figures", _laws(local)),
        table_of("local-estimates", title, _estimates(analysis, local)),
    )


def _verdicts(analysis: Analysis) -> Iterator[list[Cell]]:
    """Every verdict on the systems that have local figures."""
    judged = {each.system.key: each.system for each in analysis.local}
    for system in judged.values():
        for each in analysis.of_system(system):
            yield [
                cell("system", system_title(system, plain=True), "system"),
                cell("figure", each.quantity, "figure"),
                cell("outcome", each.outcome, "with size"),
                cell("sizes", len(each.estimates), "sizes"),
                cell("sentence", each.sentence, "why"),
            ]


def _head(each: SystemVerdict) -> list[Cell]:
    """The system and, of local figures, which."""
    own = [] if each.figure is None else [cell("figure", each.figure.name, "figure")]
    return [cell("system", system_title(each.system, plain=True), "system"), *own]


def _laws(verdicts: Sequence[SystemVerdict]) -> Iterator[list[Cell]]:
    """Every law, a row a system and law; those not fitted with the reason."""
    for each in verdicts:
        for fit in each.verdict.fits if each.verdict is not None else ():
            yield _law(each, fit.law, _parameters_of(fit), fit)
        for law, why in each.not_fitted:
            yield _law(each, law, f"not fitted, {why}", None, why)


def _law(
    each: SystemVerdict, law: Law, parameters: str, fit: Fit | None, why: str = ""
) -> list[Cell]:
    return [
        *_head(each),
        cell("law", law.value, "law"),
        cell("parameters", parameters),
        *_parameter_cells(fit),
        cell("chi2", fit and fit.chi2, "chi²", digits(3)),
        cell("freedom", fit and fit.freedom, "freedom", digits(3)),
        cell("p_value", fit and fit.p_value, "p", digits(2)),
        cell("aic", fit and fit.aic, "AIC", digits(4)),
        cell("weight", fit and fit.weight, "weight", digits(2)),
        cell("not_fitted", why),
        cell("verdict", each.sentence),
    ]


def _named_parameters(fit: Fit) -> dict[str, tuple[float, float]]:
    """Parameters with their errors, by the letters of the law."""
    names = "ac" if fit.law is Law.POWER else "abc"
    return dict(zip(names, zip(fit.parameters, fit.errors)))


def _parameters_of(fit: Fit) -> str:
    return ", ".join(
        f"{name} = {value:.4g} ± {error:.1g}"
        for name, (value, error) in _named_parameters(fit).items()
    )


def _parameter_cells(fit: Fit | None) -> Iterator[Cell]:
    known = {} if fit is None else _named_parameters(fit)
    for name in "abc":
        value, error = known.get(name, (None, None))
        yield cell(name, value, name, digits(4), f"{name}_error")
        yield cell(f"{name}_error", error)


def _estimates(analysis: Analysis, verdicts: Sequence[SystemVerdict]) -> Iterator[list[Cell]]:
    """What the laws were fitted to: the points of their figure."""
    for each in verdicts:
        points = {point.n_sites: point for point in each.system.points}
        for estimate in each.estimates:
            yield [
                *_head(each),
                *size_cells(analysis.results, points[estimate.n_sites]),
                cell("maximum", estimate.maximum, "maximum without bias", digits(4), "error"),
                cell("error", estimate.error),
                cell("widened_error", estimate.widened_error, "error as fitted", scientific),
                reach_cell(estimate.reach),
            ]


def _numerics(analysis: Analysis) -> Iterator[list[Cell]]:
    """Numerical beside statistical errors, a row a variant and size."""
    for each in analysis.errors:
        found = each.difference
        yield [
            cell("variant", each.variant, "computed with"),
            cell("system", point_title(found.point), "system"),
            *size_cells(analysis.results, found.point),
            cell("samples", found.samples, "samples"),
            cell("identical", found.identical, "equal bits"),
            cell("largest_change", found.largest, "largest change", scientific),
            cell("change_of_mean", found.of_mean, "of the mean", scientific),
            cell("statistical_error", each.statistical, "statistical error", scientific),
            cell("dominates", each.dominates, "larger"),
        ]


def _precision(analysis: Analysis) -> Iterator[list[Cell]]:
    """How many samples a relative standard error of the maximum takes."""
    for point in analysis.results.points:
        s = point.summary
        assert s is not None
        relative = s.maximum_error / s.maximum if s.maximum else None
        yield [
            cell("system", point_title(point.point), "system"),
            *size_cells(analysis.results, point.point),
            cell("samples", point.n_samples, "samples"),
            cell("relative_error", relative, "relative error", digits(2)),
            *(_needed_cell(target, s, point.n_samples) for target in _TARGETS),
            reach_cell(s.reach),
        ]


def _needed_cell(target: float, s: Summary, n_samples: int) -> Cell:
    needed = None
    if n_samples > 1 and not is_rounding(s.maximum_deviation, s.maximum):
        needed = samples_needed(target * s.maximum, s.maximum_deviation, n_samples).needed
    name, label = f"samples_for_{target:g}", f"samples for {100 * target:g} %"
    return cell(name, needed, label, digits(6))


def _subsets(analysis: Analysis) -> Iterator[Long]:
    """Error of the maximum of the mean for parts of the samples: the points of its figure."""
    for point, found in analysis.precisions.items():
        head = [cell("system", point_title(point)), *size_cells(analysis.results, point)]
        yield (
            head,
            {
                "samples": found.counts,
                "maximum_of_first": found.maximum,
                "error_of_first": found.error,
                "maximum_of_subsets": found.mean_maximum,
                "error_of_subsets": found.mean_error,
                "spread_of_error": found.error_spread,
            },
        )
