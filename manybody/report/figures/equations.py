"""How far every other equation is from the first one, where more than two are compared."""

from typing import Any

import numpy as np

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.statistics import Peak
from manybody.report.figures.canvas import (
    counted_samples,
    grid,
    marker,
    one_scale,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
)
from manybody.report.figures.curves import label_of, shades
from manybody.report.read import PointResult, StudyResult, system_title
from manybody.solve.comparison import pairs_of
from manybody.study.blocks import OF_PAIRS

# From one size to the next, of the distance between two equations.
_STEP = 0.07


def has_more_equations(results: StudyResult) -> bool:
    """Whether there are equations beyond the first two."""
    return len(results.study.equations) > 2


def draw_equations(results: StudyResult) -> Any:
    """Maximum over time of the mean distance from the first equation, a panel a system.

    One line a size over the other equations, with standard errors; logarithmic.
    """
    drawn = results.drawn
    names = results.study.equations
    most = 2 if len(names) < 6 else 1
    figure, axes = grid(len(drawn), min(0.9 * len(names) + 2.4, 9.0), 3.8, most)
    for axis, (system, points) in zip(axes, drawn):
        for index, (shade, point) in enumerate(zip(shades(len(points)), points)):
            style = {"color": shade, "marker": marker(index)}
            shift = _STEP * (index - 0.5 * (len(points) - 1))
            _draw_distances(axis, results, point, shift, label=label_of(system, point), **style)
        axis.set_yscale("log")
        axis.set_xticks(range(len(names) - 1), names[1:], rotation=25, ha="right")
        first = EQUATIONS[names[0]].title
        put_labels(axis, "equation", rf"max over $t$ of mean distance from {first}")
        put_legend(axis, counted_samples([point.n_samples for point in points]))
        put_title(axis, system_title(system))
    put_legend_below(figure, (), one_scale(axes[: len(drawn)]))
    return figure


def _draw_distances(
    axis: Any, results: StudyResult, point: PointResult, shift: float, **style: Any
) -> None:
    """Of one size; shift: to the side, so that sizes do not cover each other."""
    names = results.study.equations
    values, errors = np.array([distance_of(results, point, name) for name in names[1:]]).T
    # An error bar that reaches zero has no place on a logarithmic axis.
    below = np.minimum(np.nan_to_num(errors), 0.9 * values)
    bars = np.stack([below, np.nan_to_num(errors)])
    places = np.arange(len(names) - 1) + shift
    axis.errorbar(places, values, bars, ms=5, lw=1.2, **style)


def distance_of(results: StudyResult, point: PointResult, other: str) -> tuple[float, float]:
    """Maximum over time of the mean distance of an equation from the first, and its error."""
    names = results.study.equations
    place = pairs_of(names).index((names[0], other))
    peak = Peak.of(point.arrays[OF_PAIRS][:, place])
    return peak.mean, peak.error
