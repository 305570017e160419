"""Figures of what is seen of sites and pairs of sites, beside the trace distance of states."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from manybody.physics.equations.registry import EQUATIONS
from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.local import (
    DENSITY,
    ENERGY,
    JUDGED,
    ONE_SITE,
    TWO_SITES,
    LocalFigure,
)
from manybody.report.analysis.statistics import Moments
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.canvas import (
    averaged,
    from_zero,
    grid,
    marked_sizes,
    put_title,
    short_title,
    size_axis,
)
from manybody.report.figures.curves import (
    TIME,
    Axes,
    Drawn,
    draw_curves,
    headroom,
    label_of,
    moments_of,
    put_legend,
    shades,
)
from manybody.report.figures.size import draw_fits, draw_maximum
from manybody.report.read import PointResult, StudyResult
from manybody.study.configuration import System

SCALED_TIME = r"time times sites $t N$  $[1/J]$"
# Datasets of every equation, and the labels of their axes.
_OF_EQUATION = {
    "energy": r"$\langle H \rangle / N$  $[J]$",
    "purity": r"purity $\mathrm{tr}\,\rho^2$",
    "entropy": r"entropy $S$",
}


def draw_local(results: StudyResult) -> Any:
    """Trace distance and the largest of one and of two sites against time, a row a system."""
    return _draw_rows(results, TIME, False)


def draw_scaled(results: StudyResult) -> Any:
    """The same against time times the number of sites, with which rates grow."""
    return _draw_rows(results, SCALED_TIME, True)


def draw_states(results: StudyResult) -> Any:
    """Densities and energies apart, energy, purity and entropy of equations, a row a system."""
    rows = _systems(results)
    figure, axes = grid(5 * len(rows), 4.2, 3.7, most=5)
    times = np.array(results.study.times)
    for row, (system, points) in enumerate(rows):
        own = axes[5 * row : 5 * row + 5]
        for axis, local in zip(own, (DENSITY, ENERGY)):
            panel = Axes(times, TIME, local.label, short_title(system))
            draw_curves(axis, panel, system, moments_of(points, local.name))
        for axis, name in zip(own[2:], _OF_EQUATION):
            _draw_equations(axis, results, system, points, name)
    return figure


def draw_local_maxima(analysis: Analysis) -> Any:
    """Maxima over time of the mean against size, a panel a figure and a line a system."""
    results, panels = analysis.results, _panels(analysis.results, JUDGED)
    figure, axes = grid(len(panels), 4.4, 3.6)
    rows = _systems(results)
    for axis, (title, label, name) in zip(axes, panels):
        for index, (system, points) in enumerate(rows):
            known = averaged(points, name)
            if known:
                draw_maximum(axis, known, index, short_title(system))
        size_axis(axis, 11, marked_sizes([point for _, points in rows for point in points]))
        from_zero(axis)
        # Room for the legend.
        axis.set_ylim(top=1.3 * axis.get_ylim()[1])
        axis.set_ylabel(rf"max over $t$ of mean {label}", fontsize=10)
        axis.legend(fontsize=8, frameon=False, loc="upper left")
        put_title(axis, title, 12)
    return figure


def draw_local_laws(analysis: Analysis) -> Any:
    """Maxima of local figures without bias against size, where laws are fitted to them."""
    judged = fitted(analysis)
    figure, axes = grid(len(judged), 4.4, 3.6, most=len(JUDGED))
    indices = {system.key: index for index, (system, _) in enumerate(_systems(analysis.results))}
    for axis, each in zip(axes, judged):
        assert each.figure is not None
        sizes = [estimate.n_sites for estimate in each.estimates]
        draw_fits(axis, each, indices[each.system.key], sizes)
        axis.set_ylabel(rf"max over $t$ of mean {each.figure.label}", fontsize=9)
        put_title(axis, f"{short_title(each.system)}, {each.quantity}", 12)
    return figure


def fitted(analysis: Analysis) -> list[SystemVerdict]:
    """Verdicts on local figures with laws: none where maxima are lower bounds."""
    return [each for each in analysis.local if each.verdict is not None and each.verdict.fits]


def _systems(results: StudyResult) -> list[tuple[System, tuple[PointResult, ...]]]:
    """Systems with local figures, and their points that have them."""
    found = [
        (system, tuple(point for point in points if point.local))
        for system, points in results.drawn
    ]
    return [(system, points) for system, points in found if points]


def _panels(results: StudyResult, figures: Sequence[LocalFigure]) -> list[tuple[str, str, str]]:
    """(title, label of the axis, name of the figure), the trace distance without one first."""
    first = ("whole state", f"${results.distance('(t)')}$", "")
    return [first, *((each.words, each.label, each.name) for each in figures)]


def _draw_rows(results: StudyResult, across: str, times_sites: bool) -> Any:
    panels, rows = _panels(results, (ONE_SITE, TWO_SITES)), _systems(results)
    figure, axes = grid(len(panels) * len(rows), 4.6, 3.9, most=len(panels))
    frame = Axes(np.array(results.study.times), across, "", "", times_sites)
    places = [(row, panel) for row in rows for panel in panels]
    for axis, ((system, points), (title, label, name)) in zip(axes, places):
        own = replace(frame, up=label, title=f"{short_title(system)}, {title}")
        _draw_or_hide(axis, own, system, moments_of(points, name))
    return figure


def _draw_or_hide(axis: Any, axes: Axes, system: System, drawn: list[Drawn]) -> None:
    """A panel, invisible where no size has its figure."""
    axis.set_visible(bool(drawn))
    if drawn:
        draw_curves(axis, axes, system, drawn)


def _draw_equations(
    axis: Any, results: StudyResult, system: System, points: Sequence[PointResult], name: str
) -> None:
    """Means of the first equation as lines, of the second dashed."""
    shown = [point for point in points if np.isfinite(point.arrays[name]).all()]
    axis.set_visible(bool(shown))
    if not shown:
        return
    for shade, point in zip(shades(len(shown)), shown):
        _draw_both(axis, point.arrays[name].mean(axis=0)[:2], results, system, point, shade)
    drawn = [(point, Moments.of(point.arrays[name][:, 0])) for point in shown]
    low, high = axis.get_ylim()
    axis.set_ylim(low, low + headroom(system, drawn) * (high - low))
    axis.set_xlim(results.study.times[0], results.study.times[-1] or 1.0)
    axis.set_xlabel(TIME, fontsize=12)
    axis.set_ylabel(_OF_EQUATION[name], fontsize=12)
    axis.tick_params(labelsize=11)
    put_legend(axis, system, drawn)
    first, second = (EQUATIONS[each].title for each in results.study.equations[:2])
    axis.get_legend().set_title(f"{first}; dashed: {second}", {"size": 10})
    put_title(axis, short_title(system))


def _draw_both(
    axis: Any, means: Any, results: StudyResult, system: System, point: PointResult, shade: Any
) -> None:
    label: str | None = label_of(system, point)
    for mean, style, width in zip(means, ("-", "--"), (1.6, 1.1)):
        axis.plot(results.study.times, mean, style, color=shade, lw=width, label=label)
        label = None
