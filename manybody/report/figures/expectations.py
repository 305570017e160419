"""Expectation values against time: a panel an expectation value and system, a line an equation."""

from typing import Any

import numpy as np

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.expectations import ExpectationCurves
from manybody.report.analysis.statistics import Moments
from manybody.report.figures.canvas import (
    colour,
    grid,
    put_labels,
    put_legend,
    put_title,
    short_title,
)
from manybody.report.figures.curves import TIME, draw_band, label_of, spaced_marker
from manybody.report.read import PointResult, StudyResult
from manybody.report.tables.expectations import curves_of
from manybody.study.configuration import System

# Of what has more components those in which the first two equations differ most.
_MOST_COMPONENTS = 3
_STYLES = ("-", "--", ":")
# Panels side by side that leave their legends room.
_MOST_BESIDE = 3


def has_expectations(results: StudyResult) -> bool:
    """Whether some point has expectation values."""
    return any(True for point in results.points for _ in curves_of(results, point))


def draw_expectations(results: StudyResult) -> Any:
    """Means and standard errors over samples of the largest size, system after system."""
    rows = [(system, points[-1]) for system, points in results.drawn]
    names = results.study.expected_names
    places = [(system, point, name) for system, point in rows for name in names]
    curves = [
        [own for own in curves_of(results, point) if own.expectation.name == name]
        for _, point, name in places
    ]
    known = [(place, every) for place, every in zip(places, curves) if every]
    figure, axes = grid(len(known), 4.9, 3.6, most=min(_MOST_BESIDE, len(names)))
    for axis, ((system, point, _), every) in zip(axes, known):
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
    put_labels(axis, TIME, every[0].expectation.label)
    put_legend(axis)
    put_title(axis, f"{short_title(system)}, {label_of(system, point)}")


def _draw_one(
    axis: Any, results: StudyResult, own: ExpectationCurves, index: int, style: str, label: str
) -> None:
    times, moments = results.study.times, Moments.of(own.values[:, index])
    error = np.nan_to_num(moments.standard_error)
    draw_band(axis, times, moments.mean - error, moments.mean + error, colour(index))
    own_style = {"color": colour(index), "ls": style, **spaced_marker(index, len(times))}
    axis.plot(times, moments.mean, lw=1.5, label=label, **own_style)
