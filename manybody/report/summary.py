"""Averages -> what a terminal shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from manybody.config import Study, System
from manybody.physics.models import FAMILIES
from manybody.physics.spectra import AMBIGUOUS, STRUCTURAL, VERDICTS
from manybody.report.results import PointResult, StudyResult, system_title
from manybody.study.spectral import SHOWN_FIGURES, figures_of, growing

# Worst figures of a certificate that a table shows, with the reduction that is "worst".
WORST: Mapping[str, Callable[[Any], Any]] = {
    "trace_error": np.max,
    "hermiticity_error": np.max,
    "redfield_gibbs_residual": np.max,
    "davies_gibbs_residual": np.max,
    "kms_residual": np.max,
    "smallest_eigenvalue": np.min,
    "smallest_separation": np.min,
    "secular_ambiguity": np.max,
    "level_conditioning": np.max,
    "stepper_error": np.max,
}

# The same with those of other observables.
WORST_OF_ALL: Mapping[str, Callable[[Any], Any]] = {
    **WORST,
    "steady_error": np.max,
    "steady_smallest_eigenvalue": np.min,
    "gap_residual": np.max,
}


def text_summary(results: StudyResult) -> str:
    """Maxima with their errors, other figures, the worst of trust and what is missing."""
    lines = []
    for system, points in results.systems:
        lines.append(system_title(system, plain=True))
        if results.study.evolves:
            lines += _maxima_lines(system, points)
        lines += _spread_lines(results.study, system, points)
    gaps = [point.arrays for point in results.points if "gap" in point.arrays]
    if gaps:
        count = sum(len(arrays["gap"]) for arrays in gaps)
        lines.append(
            f"samples in which Redfield has a growing mode: {sum(map(growing, gaps))} of {count}"
        )
    lines.append("worst figures over all samples")
    for name, value in _worst(results.points).items():
        lines.append(f"  {name:<26} {value:.2e}")
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


def _maxima_lines(system: System, points: Sequence[PointResult]) -> list[str]:
    lines = [
        f"  {FAMILIES[system.model].size:>8} {'N':>5} {'samples':>7}  "
        f"{'max of mean':>11}  {'68% interval':>17}  {'t_max':>6}  mean of max"
    ]
    for result in points:
        s = result.summary
        assert s is not None
        lines.append(
            f"  {result.point.size:>8} {result.point.n_sites:>5} {s.moments.count:>7}  "
            f"{s.maximum:>11.5f}  [{s.maximum_low:.5f}, {s.maximum_high:.5f}]  "
            f"{s.time_of_maximum:>6.1f}  {s.mean_maximum:.5f} ± {s.mean_maximum_error:.5f}"
        )
        if result.second is not None:
            count = np.count_nonzero(result.arrays["clustering"] == VERDICTS.index(AMBIGUOUS))
            lines.append(
                f"  {'':>8} AMBIGUOUS in {count} samples; {result.second.maximum:.5f} with "
                "near-coincident Bohr frequencies merged"
            )
    return lines


def _spread_lines(study: Study, system: System, points: Sequence[PointResult]) -> list[str]:
    names = [name for name in SHOWN_FIGURES if name in figures_of(study)]
    if not names:
        return []
    lines = [
        f"  {FAMILIES[system.model].size:>8} {'N':>5} {'samples':>7}  {'':<16} "
        f"{'mean ± standard error':>25}  median [16 %, 84 %]"
    ]
    for result in points:
        point, head = result.point, f"{result.point.size:>8} {result.point.n_sites:>5}"
        for name in names:
            s = result.spreads[name]
            label = f"{head} {s.count:>7}"
            mean = f"{s.mean:.4e} ± {s.error:.1e}"
            quantiles = f"{s.median:.4e} [{s.low:.2e}, {s.high:.2e}]"
            lines.append(f"  {label}  {name:<16} {mean:>25}  {quantiles}")
            head = " " * len(f"{point.size:>8} {point.n_sites:>5}")
    return lines


def _worst(points: Sequence[PointResult]) -> dict[str, float]:
    found = {}
    for name, reduce in WORST_OF_ALL.items():
        values = [reduce(point.arrays[name]) for point in points if name in point.arrays]
        if values:
            found[name] = float(reduce(values))
    return found
