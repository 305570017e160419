"""Expectation values against time: a panel an expectation value and system, a line an equation."""

from typing import Any

import numpy as np

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.expectations import ExpectationCurves
from manybody.report.analysis.statistics import Moments
from manybody.report.figures.canvas import colour, grid, put_title, short_title
from manybody.report.figures.curves import TIME, label_of
from manybody.report.read import PointResult, StudyResult
from manybody.report.tables.expectations import curves_of
from manybody.study.configuration import System

# Of what has more components those in which the first two equations differ most.
_MOST_COMPONENTS = 3
_STYLES = ("-", "--", ":")


def has_expectations(results: StudyResult) -> bool:
    """Whether some point has expectation values."""
    return any(True for point in results.points for _ in curves_of(results, point))


def draw_expectations(results: StudyResult) -> Any:
    """Means and standard errors over samples of the largest size, a row a system."""
    rows = [(system, points[-1]) for system, points in results.drawn]
    names = results.study.expected_names
    figure, axes = grid(len(rows) * len(names), 4.6, 3.9, most=len(names))
    places = [(system, point, name) for system, point in rows for name in names]
    for axis, (system, point, name) in zip(axes, places):
        every = [own for own in curves_of(results, point) if own.expectation.name == name]
        axis.set_visible(bool(every))
        if every:
            _draw(axis, results, system, point, every)
    return figure


def _draw(
    axis: Any,
    results: StudyResult,
    system: System,
    point: PointResult,
    every: list[ExpectationCurves],
) -> None:
    chosen = sorted(every, key=lambda own: -own.largest_difference)[:_MOST_COMPONENTS]
    for own, style in zip(chosen, _STYLES):
        for index, equation in enumerate(results.study.equations):
            label = ", ".join(filter(None, (EQUATIONS[equation].title, own.component)))
            _draw_one(axis, results, own, index, style, label)
    axis.set_xlim(results.study.times[0], results.study.times[-1] or 1.0)
    low, high = axis.get_ylim()
    # Room above the curves for the legend.
    axis.set_ylim(low, low + (1.2 + 0.08 * len(axis.lines)) * (high - low))
    axis.set_xlabel(TIME, fontsize=12)
    axis.set_ylabel(every[0].expectation.label, fontsize=12)
    axis.legend(
        fontsize=8, frameon=False, loc="upper center", ncols=2, title=label_of(system, point)
    )
    put_title(axis, short_title(system), 12)


def _draw_one(
    axis: Any, results: StudyResult, own: ExpectationCurves, index: int, style: str, label: str
) -> None:
    times, moments = results.study.times, Moments.of(own.values[:, index])
    error = np.nan_to_num(moments.standard_error)
    low, high = moments.mean - error, moments.mean + error
    axis.fill_between(times, low, high, color=colour(index), alpha=0.2, lw=0)
    axis.plot(times, moments.mean, style, color=colour(index), lw=1.5, label=label)
