"""Averages -> what a terminal shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from manybody.physics.spectra import AMBIGUOUS, STRUCTURAL, VERDICTS
from manybody.report.analysis.statistics import Reach
from manybody.report.read import PointResult, StudyResult, system_title
from manybody.solve.observables.registry import chosen
from manybody.study.configuration import Study, System

# What is worst of the figures of other observables.
_WORST_OF_OTHERS: Mapping[str, Callable[[Any], Any]] = {
    "steady_error": np.max,
    "steady_smallest_eigenvalue": np.min,
    "gap_residual": np.max,
}


def worst_of(study: Study) -> dict[str, Callable[[Any], Any]]:
    """Figures of a certificate that a table shows, with the reduction that is "worst"."""
    return {
        "trace_error": np.max,
        "hermiticity_error": np.max,
        **{f"{name}_gibbs_residual": np.max for name in study.equations},
        "kms_residual": np.max,
        "smallest_eigenvalue": np.min,
        "smallest_separation": np.min,
        "secular_ambiguity": np.max,
        "level_conditioning": np.max,
        "stepper_error": np.max,
    }


def worst_of_all(study: Study) -> dict[str, Callable[[Any], Any]]:
    """The same with those of other observables."""
    return {**worst_of(study), **_WORST_OF_OTHERS}


def text_summary(results: StudyResult) -> str:
    """Maxima with their errors, other figures, the worst of trust and what is missing."""
    lines = []
    for system, points in results.systems:
        lines.append(system_title(system, plain=True))
        if results.study.evolves:
            lines += _maxima_lines(system, points, _dimension_words(points))
            lines += _local_lines(system, points, _dimension_words(points))
        lines += _spread_lines(results.study, system, points)
        for point in points:
            head = f"  {point.point.size:>8} {point.point.n_sites:>5} "
            lines += [head + words for words in (point.steady_words, point.gap_words) if words]
    grows = [point.growing for point in results.points if "gap" in point.arrays]
    if grows:
        every = np.concatenate(grows)
        lines.append(
            f"samples in which Redfield has a growing mode: {np.count_nonzero(every)} of "
            f"{len(every)}"
        )
    lines.append("worst figures over all samples")
    for name, value in _worst(results.study, results.points).items():
        lines.append(f"  {name:<26} {_worst_words(value)}")
    if results.study.evolves:
        verdicts = np.concatenate([point.arrays["clustering"] for point in results.points])
        for word in (STRUCTURAL, AMBIGUOUS):
            count = int(np.count_nonzero(verdicts == VERDICTS.index(word)))
            lines.append(f"  samples with {word} Bohr clusters: {count} of {len(verdicts)}")
    if results.missing:
        lines.append(f"MISSING: {results.missing} samples of the study are not in the store")
    lines += [f"LEFT OUT: {problem}" for problem in results.problems]
    if len(results.origins) > 1:
        lines.append("MIXED: blocks were computed by different code, libraries or machines")
        lines += [f"  {origin}" for origin in results.origins]
    return "\n".join(lines)


def _dimension_words(points: Sequence[PointResult]) -> list[str]:
    """A column of numbers of states under its head, empty where they are those of sites."""
    if all(point.point.dimension == point.point.n_sites for point in points):
        return [""] * (len(points) + 1)
    return [f"{'D':>6} ", *(f"{point.point.dimension:>6} " for point in points)]


def _local_lines(
    system: System, points: Sequence[PointResult], dimensions: Sequence[str]
) -> list[str]:
    """Maxima of local figures, none where no point has them; dimensions: see `_maxima_lines`."""
    head = (
        f"  {system.family.size:>8} {'N':>5} {dimensions[0]}{'samples':>7}  {'':<17} "
        f"{'max of mean':>11} {'std. error':>10}  {'t_max':>6}"
    )
    lines = [
        f"  {point.point.size:>8} {point.point.n_sites:>5} {words}{s.moments.count:>7}  "
        f"{name:<17} {s.maximum:>11.6f} {_error_words(s.maximum_error):>10}  "
        f"{s.time_of_maximum:>6.1f}" + (", a lower bound" if s.reach is Reach.END else "")
        for point, words in zip(points, dimensions[1:])
        for name, s in point.local.items()
    ]
    return [head, *lines] if lines else []


def _error_words(error: float) -> str:
    return f"{error:.6f}" if np.isfinite(error) else "one sample"


def _maxima_lines(
    system: System, points: Sequence[PointResult], dimensions: Sequence[str]
) -> list[str]:
    """dimensions: a head and a word a point, to stand after the number of sites."""
    lines = [
        f"  {system.family.size:>8} {'N':>5} {dimensions[0]}{'samples':>7}  "
        f"{'max of mean':>11}  {'68% interval':>17}  {'t_max':>6}  mean of max"
    ]
    for result, dimension in zip(points, dimensions[1:]):
        s = result.summary
        assert s is not None
        interval, error = f"[{s.maximum_low:.5f}, {s.maximum_high:.5f}]", ""
        if s.moments.count < 2:
            interval, error = "(one sample)", ", no errors"
        elif np.isfinite(s.mean_maximum_error):
            error = f" ± {s.mean_maximum_error:.5f}"
        lines.append(
            f"  {result.point.size:>8} {result.point.n_sites:>5} {dimension}"
            f"{s.moments.count:>7}  "
            f"{s.maximum:>11.5f}  {interval:>18}  "
            f"{s.time_of_maximum:>6.1f}  {s.mean_maximum:.5f}{error}"
        )
        if s.reach_words:
            lines.append(f"  {'':>8} the maximum is {s.reach_words}")
        if result.outside_words:
            lines.append(f"  {'':>8} NO STATES: {result.outside_words}")
        if result.second is not None:
            count = np.count_nonzero(result.arrays["clustering"] == VERDICTS.index(AMBIGUOUS))
            lines.append(
                f"  {'':>8} AMBIGUOUS in {count} samples; {result.second.maximum:.5f} with "
                "near-coincident Bohr frequencies merged"
            )
    return lines


def _spread_lines(study: Study, system: System, points: Sequence[PointResult]) -> list[str]:
    names = [name for each in chosen(study.observables) for name in each.shown]
    if not names:
        return []
    lines = [
        f"  {system.family.size:>8} {'N':>5} {'samples':>7}  {'':<16} "
        f"{'mean ± standard error':>25}  median [16 %, 84 %]"
    ]
    for result in points:
        point, head = result.point, f"{result.point.size:>8} {result.point.n_sites:>5}"
        for name in names:
            s = result.spreads[name]
            label = f"{head} {s.count:>7}"
            mean = f"{s.mean:.4e} {s.error_words}" if s.count else "in no sample defined"
            quantiles = f"{s.median:.4e} [{s.low:.2e}, {s.high:.2e}]" if s.count > 1 else ""
            lines.append(f"  {label}  {name:<16} {mean:>25}  {quantiles}".rstrip())
            head = " " * len(f"{point.size:>8} {point.n_sites:>5}")
    return lines


def _worst_words(value: float) -> str:
    """A figure, or what its absence means."""
    if np.isnan(value):
        return "unknown"
    return f"{value:.2e}" if np.isfinite(value) else "unbounded"


def _worst(study: Study, points: Sequence[PointResult]) -> dict[str, float]:
    found = {}
    for name, reduce in worst_of_all(study).items():
        values = [reduce(point.arrays[name]) for point in points if name in point.arrays]
        if values:
            found[name] = float(reduce(values))
    return found
