"""How far every other equation is from the first one, where more than two are compared."""

from typing import Any

import numpy as np

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.statistics import Peak
from manybody.report.figures.canvas import grid, put_title
from manybody.report.figures.curves import shades
from manybody.report.read import PointResult, StudyResult, system_title
from manybody.solve.comparison import pairs_of
from manybody.study.blocks import OF_PAIRS


def has_more_equations(results: StudyResult) -> bool:
    """Whether there are equations beyond the first two."""
    return len(results.study.equations) > 2


def draw_equations(results: StudyResult) -> Any:
    """Maximum over time of the mean distance from the first equation, a panel a system.

    One line a size over the other equations, with standard errors; logarithmic.
    """
    drawn = results.drawn
    names = results.study.equations
    figure, axes = grid(len(drawn), 0.9 * len(names) + 2.2, 4.2)
    places = np.arange(len(names) - 1)
    for axis, (system, points) in zip(axes, drawn):
        for shade, point in zip(shades(len(points)), points):
            found = [_distance(results, point, name) for name in names[1:]]
            values, errors = np.array(found).T
            label = rf"$N = {point.point.n_sites}$ ({point.n_samples})"
            # An error bar that reaches zero has no place on a logarithmic axis.
            below = np.minimum(np.nan_to_num(errors), 0.9 * values)
            bars = np.stack([below, np.nan_to_num(errors)])
            axis.errorbar(places, values, bars, color=shade, marker="o", ms=5, lw=1.2, label=label)
        axis.set_yscale("log")
        axis.set_xticks(places, names[1:], rotation=30, ha="right")
        axis.set_ylabel(rf"max over $t$ of mean distance from {EQUATIONS[names[0]].title}")
        axis.legend(fontsize=9, frameon=False, title="sites (samples)", title_fontsize=9)
        put_title(axis, system_title(system), 12)
    return figure


def _distance(results: StudyResult, point: PointResult, other: str) -> tuple[float, float]:
    """Maximum over time of the mean distance of an equation from the first, and its error."""
    names = results.study.equations
    place = pairs_of(names).index((names[0], other))
    peak = Peak.of(point.arrays[OF_PAIRS][:, place])
    return peak.mean, peak.error
