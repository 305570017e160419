"""Figures of what is seen of sites and pairs of sites, beside the trace distance of states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
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
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.canvas import (
    averaged,
    beside,
    common_words,
    from_zero,
    grid,
    leave_out,
    n_sites_of,
    one_scale,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
    said_beside,
    short_title,
    size_axis,
)
from manybody.report.figures.curves import (
    TIME,
    Axes,
    Drawn,
    draw_curves,
    label_of,
    moments_of,
    shades,
    spaced_marker,
)
from manybody.report.figures.size import draw_fits, draw_maximum
from manybody.report.read import PointResult, StudyResult, size_words
from manybody.study.configuration import Point, System

SCALED_TIME = r"time times sites $t N$  $[1/J]$"
# Datasets of every equation, and the labels of their axes.
_OF_EQUATION = {
    "energy": r"$\langle H \rangle / N\;\;[J]$",
    "purity": r"purity $\mathrm{tr}\,\rho^2$",
    "entropy": r"entropy $S$",
}
# Panels of a system, the last of which says what the lines are.
_STATES = 6
# Systems that have panels of their own, and how many share panels where there are more.
_FEW, _SHARED = 4, 3


def draw_local(results: StudyResult) -> Any:
    """Trace distance and the largest of one and of two sites against time, a row a system."""
    return _draw_rows(results, TIME, False)


def draw_scaled(results: StudyResult) -> Any:
    """The same against time times the number of sites, with which rates grow."""
    return _draw_rows(results, SCALED_TIME, True)


@dataclass(frozen=True, eq=False)
class _Group:
    """Points that share panels, and what each is called there."""

    title: str
    points: tuple[PointResult, ...]
    labels: Mapping[Point, str]

    def label(self, result: PointResult) -> str:
        """Of the curve of one point."""
        return self.labels[result.point]


def is_folded(results: StudyResult) -> bool:
    """Whether states of so many systems are drawn that each has one line, at its largest size."""
    return len(_systems(results)) > _FEW


def draw_states(results: StudyResult) -> Any:
    """Densities and energies apart, energy, purity and entropy of equations.

    System by system with a line a size, or a few systems together, see `is_folded`.
    """
    groups = _groups(results)
    figure, axes = grid(_STATES * len(groups), 3.3, 2.7)
    times = np.array(results.study.times)
    for row, group in enumerate(groups):
        *panels, last = axes[_STATES * row : _STATES * (row + 1)]
        for axis, local in zip(panels, (DENSITY, ENERGY)):
            panel = Axes(times, TIME, local.label, group.title)
            drawn = moments_of(group.points, local.name)
            draw_curves(axis, panel, group.label, drawn, legend=False)
        for axis, name in zip(panels[2:], _OF_EQUATION):
            _draw_equations(axis, results, group, name)
        _say_lines(last, panels[0], results, group.title)
    places = range(_STATES - 1)
    put_legend_below(figure, (), *{one_scale(axes[place::_STATES]) for place in places})
    return figure


def _groups(results: StudyResult) -> list[_Group]:
    systems = _systems(results)
    if is_folded(results):
        by_model = [list(own) for _, own in groupby(systems, lambda pair: pair[0].model)]
        parts = [own[first : first + _SHARED] for own in by_model for first in _starts(own)]
        return [_folded(part) for part in parts]
    return [
        _Group(
            short_title(system), points, {each.point: label_of(system, each) for each in points}
        )
        for system, points in systems
    ]


def _starts(systems: Sequence[Any]) -> range:
    return range(0, len(systems), _SHARED)


def _folded(systems: Sequence[tuple[System, tuple[PointResult, ...]]]) -> _Group:
    """The largest size of each; what all titles have in common is said once."""
    titles = [short_title(system) for system, _ in systems]
    common = common_words(titles)
    last = tuple(points[-1] for _, points in systems)
    labels = {}
    for point, title in zip(last, titles):
        parts = title.split(", ")
        own = ", ".join(part for part in parts if part not in common or len(titles) == 1)
        labels[point.point] = f"{own},\n{size_words(point.point, '$')}"
    return _Group(", ".join(common), last, labels)


def _say_lines(axis: Any, panel: Any, results: StudyResult, title: str) -> None:
    """What the lines of the panels of a group are, in a place that has no curves."""
    first, second = (EQUATIONS[each].title for each in results.study.equations[:2])
    title = f"{title}\nwithout bands: {first},\ndashed: {second}"
    axis.set_axis_off()
    put_legend(axis, title, panel.get_legend_handles_labels()[0])


def draw_local_maxima(analysis: Analysis) -> Any:
    """Maxima over time of the mean against size, a panel a figure and a line a system."""
    results, panels = analysis.results, _panels(analysis.results, JUDGED)
    figure, axes = grid(len(panels), 3.3, 2.9)
    rows = _systems(results)
    for axis, (title, label, name) in zip(axes, panels):
        for index, (system, points) in enumerate(rows):
            known = averaged(points, name)
            if known:
                draw_maximum(axis, known, index, short_title(system), beside(index, len(rows)))
        size_axis(axis, n_sites_of(point for _, points in rows for point in points))
        from_zero(axis)
        put_labels(axis, up=rf"max over $t$ of mean {label}")
        put_title(axis, title)
    put_legend_below(figure, axes, said_beside(len(rows)))
    return figure


def draw_local_laws(analysis: Analysis) -> Any:
    """Maxima of local figures without bias against size, where laws are fitted to them."""
    judged = fitted(analysis)
    figure, axes = grid(len(judged), 3.3, 2.9)
    indices = {system.key: index for index, (system, _) in enumerate(_systems(analysis.results))}
    for axis, each in zip(axes, judged):
        assert each.figure is not None
        draw_fits(axis, each, indices[each.system.key])
        put_labels(axis, up=rf"max over $t$ of mean {each.figure.label}")
        put_title(axis, f"{short_title(each.system)}, {each.quantity}")
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
    figure, axes = grid(len(panels) * len(rows), 3.3, 2.9, most=len(panels))
    frame = Axes(np.array(results.study.times), across, "", "", times_sites)
    places = [(row, panel) for row in rows for panel in panels]
    for axis, ((system, points), (title, label, name)) in zip(axes, places):
        own = replace(frame, up=label, title=f"{short_title(system)}, {title}")
        _draw_or_say(axis, own, system, moments_of(points, name))
    columns = range(len(panels))
    put_legend_below(figure, (), *{one_scale(axes[place :: len(panels)]) for place in columns})
    return figure


def _draw_or_say(axis: Any, axes: Axes, system: System, drawn: list[Drawn]) -> None:
    """A panel, or why it is empty where no size has its figure."""
    if drawn:
        draw_curves(axis, axes, partial(label_of, system), drawn)
    else:
        leave_out(axis, axes.title)


def _draw_equations(axis: Any, results: StudyResult, group: _Group, name: str) -> None:
    """Means of the first equation as lines, of the second dashed."""
    shown = [point for point in group.points if np.isfinite(point.arrays[name]).all()]
    if not shown:
        leave_out(axis, f"{group.title}, {name}")
        return
    for index, (shade, point) in enumerate(zip(shades(len(group.points)), group.points)):
        if point in shown:
            _draw_both(axis, point.arrays[name].mean(axis=0)[:2], results, shade, index)
    axis.set_xlim(results.study.times[0], results.study.times[-1] or 1.0)
    put_labels(axis, TIME, _OF_EQUATION[name])
    put_title(axis, group.title)


def _draw_both(axis: Any, means: Any, results: StudyResult, shade: Any, index: int) -> None:
    style = {"color": shade, **spaced_marker(index, len(results.study.times))}
    for mean, dashes in zip(means, ("-", "--")):
        axis.plot(results.study.times, mean, ls=dashes, lw=1.4, **style)
