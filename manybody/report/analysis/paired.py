"""Differences between systems, or equations, on the same disorder: sample by sample.

What the disorder does to both cancels in a difference on the same samples, whose error can be
much smaller than the errors of the two numbers say.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from manybody.arrays import Real
from manybody.report.analysis.local import FIGURES, local_curves
from manybody.report.analysis.statistics import Moments, bootstrap_maximum, is_rounding
from manybody.report.read import PointResult, StudyResult
from manybody.solve.comparison import pairs_of
from manybody.solve.meanings import UNITS
from manybody.solve.observables.protocol import Figure
from manybody.solve.observables.registry import chosen, figures_of
from manybody.study.blocks import OF_PAIRS
from manybody.study.configuration import Point

Rows = NDArray[np.intp]
DISTANCE = "trace_distance"


@dataclass(frozen=True)
class Paired:
    """One number of two settings on the same samples.

    count: samples; first, second: the numbers with their standard errors; error: standard error
    of `difference` from the samples pair by pair, 0 where all pairs agree, nan for one sample.
    """

    count: int
    first: float
    second: float
    first_error: float
    second_error: float
    error: float

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.second - self.first

    @property
    def unpaired_error(self) -> float:
        """What the error would be if the two had nothing in common."""
        return math.hypot(self.first_error, self.second_error)

    @property
    def in_errors(self) -> float:
        """The difference in units of its error, nan without one."""
        return self.difference / self.error if self.error > 0.0 else math.nan

    @property
    def p_value(self) -> float:
        """That of no difference, two-sided, by Student's t; nan without an error."""
        return float(2.0 * special.stdtr(self.count - 1, -abs(self.in_errors)))


def paired_maxima(first: Real, second: Real, seed: int) -> Paired:
    """The maximum over time of the mean of two (n, T) sets of curves, row by row of one sample.

    Both means are resampled with the same samples, so that the bootstrap keeps what they share.
    """
    maxima = [float(Moments.of(curves).mean.max()) for curves in (first, second)]
    if len(first) < 2:
        return Paired(len(first), maxima[0], maxima[1], math.nan, math.nan, math.nan)
    drawn = [bootstrap_maximum(curves, seed) for curves in (first, second)]
    errors = [_spread(values, len(first)) for values in (*drawn, drawn[1] - drawn[0])]
    return Paired(len(first), maxima[0], maxima[1], errors[0], errors[1], errors[2])


def _spread(replicates: Real, n_samples: int) -> float:
    """Standard error: resampling n values shows (n - 1)/n of their variance."""
    spread = float(replicates.std(ddof=1))
    if is_rounding(spread, float(np.abs(replicates).max())):
        return 0.0
    return spread * math.sqrt(n_samples / (n_samples - 1.0))


def paired_means(first: Real, second: Real) -> Paired:
    """The mean of two (n,) sets of numbers, entry by entry of one sample."""
    one, other, both = (Moments.of(values) for values in (first, second, second - first))
    error = float(both.standard_error)
    largest = max(abs(float(one.mean)), abs(float(other.mean)))
    return Paired(
        len(first),
        float(one.mean),
        float(other.mean),
        float(one.standard_error),
        float(other.standard_error),
        0.0 if is_rounding(error, largest) else error,
    )


@dataclass(frozen=True, eq=False)
class Shared:
    """Two points of one size that draw the same disorder, and where their common samples lie."""

    first: PointResult
    second: PointResult
    first_rows: Rows
    second_rows: Rows

    @property
    def bare(self) -> Point:
        """What they have in common."""
        return replace(self.first.point, changes=())


@dataclass(frozen=True, eq=False)
class Difference:
    """One figure, by its dataset, of two settings."""

    shared: Shared
    figure: str
    unit: str
    paired: Paired


@dataclass(frozen=True, eq=False)
class EquationDifference:
    """How much farther from the first equation `other` is than `reference`, at one point."""

    result: PointResult
    reference: tuple[str, str]
    other: tuple[str, str]
    paired: Paired


def shared_points(results: StudyResult) -> list[Shared]:
    """Every point beside the reference of its size, which is as the study says, or the first.

    Two points share a sample where its index and the seed that its disorder was drawn with, as
    blocks record it, are the same.
    """
    groups: dict[Point, list[PointResult]] = {}
    for result in results.points:
        groups.setdefault(replace(result.point, changes=()), []).append(result)
    found = []
    for group in groups.values():
        reference = next((own for own in group if _is_as_studied(results, own)), group[0])
        pairs = [_shared(reference, own) for own in group if own is not reference]
        found += [pair for pair in pairs if len(pair.first_rows)]
    return found


def _is_as_studied(results: StudyResult, result: PointResult) -> bool:
    return results.study.at(result.point) == results.study


def _shared(first: PointResult, second: PointResult) -> Shared:
    _, rows, others = np.intersect1d(first.samples, second.samples, True, return_indices=True)
    same = (first.arrays["seed"][rows] == second.arrays["seed"][others]).all(axis=1)
    return Shared(first, second, rows[same], others[same])


def differences(results: StudyResult) -> list[Difference]:
    """Of every figure of every two points that share their disorder."""
    return [
        Difference(shared, figure, unit, paired)
        for shared in shared_points(results)
        for figure, unit, paired in _figures(results, shared)
    ]


def _figures(results: StudyResult, shared: Shared) -> Iterator[tuple[str, str, Paired]]:
    """Maxima over time of mean curves, and means of numbers that all common samples have."""
    first, second = _curves(shared.first), _curves(shared.second)
    for name in filter(second.__contains__, first):
        curves = first[name][shared.first_rows], second[name][shared.second_rows]
        yield name, UNITS.get(name, "1"), paired_maxima(*curves, results.study.seed)
    for name, figure in _shown(results).items():
        own = [each.arrays.get(name) for each in (shared.first, shared.second)]
        if own[0] is None or own[1] is None:
            continue
        left, right = own[0][shared.first_rows], own[1][shared.second_rows]
        known = np.isfinite(left) & np.isfinite(right)
        if known.any():
            yield name, figure.unit, paired_means(left[known] * 1.0, right[known] * 1.0)


def _shown(results: StudyResult) -> dict[str, Figure]:
    """Figures of other observables that a summary shows."""
    names = results.study.observables
    shown = {name for each in chosen(names) for name in each.shown}
    return {name: figure for name, figure in figures_of(names).items() if name in shown}


def difference_curves(shared: Shared) -> Real:
    """(n, T) distances of the second point less those of the first, sample by sample."""
    first, second = shared.first.arrays[DISTANCE], shared.second.arrays[DISTANCE]
    difference: Real = second[shared.second_rows] - first[shared.first_rows]
    return difference


def _curves(result: PointResult) -> Mapping[str, Real]:
    """(n, T) curves of a point by dataset: the distance, and local figures that are defined."""
    found = {DISTANCE: result.arrays[DISTANCE]} if result.summary is not None else {}
    local = [each for each in FIGURES if each.name in result.local]
    return found | {each.name: local_curves(result.arrays, each) for each in local}


def equation_differences(results: StudyResult) -> list[EquationDifference]:
    """Of every further equation against the second, both seen from the first."""
    names = results.study.equations
    if not results.study.evolves or len(names) < 3:
        return []
    pairs = pairs_of(names)
    reference, others = pairs[0], [pair for pair in pairs[1:] if pair[0] == names[0]]
    found = []
    for result in results.points:
        curves = dict(zip(pairs, np.moveaxis(result.arrays[OF_PAIRS], 1, 0)))
        for other in others:
            paired = paired_maxima(curves[reference], curves[other], results.study.seed)
            found.append(EquationDifference(result, reference, other, paired))
    return found
