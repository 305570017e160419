"""Figures of everything beside the distance in time: observables, locality, positivity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.physics.equations.registry import unguarded
from manybody.report.analysis.statistics import Spread
from manybody.report.figures.canvas import (
    SMALL,
    beside,
    colour,
    computed_ticks,
    counted_samples,
    grid,
    marker,
    n_sites_of,
    one_scale,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
    said_beside,
    say_instead,
    short_title,
    size_axis,
)
from manybody.report.figures.curves import TIME
from manybody.report.read import PointResult, StudyResult, size_words
from manybody.solve.observables.protocol import Panel
from manybody.solve.observables.registry import chosen
from manybody.study.configuration import System

# Means below this are rounding and have no place on a logarithmic axis.
_ROUNDING = 1e-13


def has_panels(results: StudyResult) -> bool:
    """Whether a study measures something that has a panel."""
    return bool(_panels(results))


def _panels(results: StudyResult) -> list[Panel]:
    return [panel for each in chosen(results.study.observables) for panel in each.panels]


def draw_observables(results: StudyResult) -> Any:
    """Means over samples against the number of sites, with standard errors."""
    panels = _panels(results)
    figure, axes = grid(len(panels), 4.9, 3.6, most=2)
    for axis, panel in zip(axes, panels):
        for index, (system, points) in enumerate(results.drawn):
            shift = beside(index, len(results.drawn))
            for name in panel.figures:
                _draw_means(axis, name, index, system, points, panel, shift)
        _finish(axis, results, panel)
    # A system may have nothing to show in some panels, and a figure be defined in some samples.
    counts = [
        point.spreads[name].count
        for point in results.points
        for panel in panels
        for name in panel.figures
        if point.spreads[name].count
    ]
    known = counted_samples(counts or [point.n_samples for point in results.points])
    note = f"mean and standard error over {known}"
    put_legend_below(figure, axes, note, said_beside(len(results.drawn)))
    return figure


def _finish(axis: Any, results: StudyResult, panel: Panel) -> None:
    """Scales and labels, and in words what cannot be drawn."""
    put_title(axis, panel.title)
    if not axis.has_data():
        put_labels(axis, r"number of sites $N$", panel.label)
        say_instead(axis, "zero up to rounding, or not defined")
        return
    for word, value in panel.marks:
        _mark(axis, word, value)
    size_axis(axis, n_sites_of(results.points))
    put_labels(axis, up=panel.label)
    if panel.logarithmic:
        axis.set_yscale("log")
    left_out = _n_left_out(results, panel)
    if left_out:
        put_legend(axis, f"{left_out} means not drawn:\nnot defined, or not above zero", ())


def _mark(axis: Any, word: str, value: float) -> None:
    """A value of theory, named beside the panel."""
    axis.axhline(value, color="0.6", lw=0.9, ls=":")
    axis.annotate(
        word,
        (1.0, value),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color="0.35",
    )


def _draw_means(
    axis: Any,
    name: str,
    index: int,
    system: System,
    points: tuple[PointResult, ...],
    panel: Panel,
    shift: float,
) -> None:
    # A logarithmic axis has no place for zero.
    shown = [point for point in points if _can_be_drawn(point, name, panel)]
    if not shown:
        return
    sizes, spreads = zip(*((point.point.n_sites, point.spreads[name]) for point in shown))
    # Rings around what they agree with.
    style: dict[str, Any] = {"lw": 0.8, "ls": "--", "mfc": "none", "ms": 8.5}
    if name == panel.figures[0]:
        style = {"lw": 1.2, "ls": "-", "ms": 5, "label": short_title(system)}
    _draw_spreads(axis, index, shift * np.array(sizes), spreads, **style)


def _draw_spreads(
    axis: Any, index: int, x: ArrayLike, spreads: Sequence[Spread], **style: Any
) -> None:
    """Means over samples with their errors, of the system with this index."""
    means = [each.mean for each in spreads]
    # One sample has no error to draw, which the legend says.
    errors = np.nan_to_num([each.error for each in spreads])
    own = {"marker": marker(index), "color": colour(index), "capsize": 3}
    axis.errorbar(x, means, errors, **own, **style)


def _can_be_drawn(point: PointResult, name: str, panel: Panel) -> bool:
    """Whether a mean exists and has a place on the axis of its panel."""
    mean = point.spreads[name].mean
    return bool(np.isfinite(mean) and (mean > _ROUNDING or not panel.logarithmic))


def _n_left_out(results: StudyResult, panel: Panel) -> int:
    return sum(
        not _can_be_drawn(point, name, panel) for point in results.points for name in panel.figures
    )


def draw_locality(results: StudyResult) -> Any:
    """Decay of the elements of Λ_j with distance: largest size of every system on a lattice."""
    figure, (axis,) = grid(1, 7.0, 4.4)
    for index, (system, points) in enumerate(results.drawn):
        spreads = points[-1].spreads
        if not spreads["locality_0"].count:
            continue
        names = [name for name in spreads if name.startswith("locality_") and name[9:].isdigit()]
        shown = [name for name in names if spreads[name].count]
        bonds = [int(name[9:]) for name in shown]
        label = f"{short_title(system)}, {size_words(points[-1].point, '$')}"
        _draw_spreads(axis, index, bonds, [spreads[name] for name in shown], ms=5, label=label)
    put_labels(axis, "bonds from $j$", r"rms $|\langle a|\Lambda_j|b\rangle|$ over the largest")
    if axis.has_data():
        axis.set_yscale("log")
        computed_ticks(axis, np.concatenate([line.get_xdata() for line in axis.lines]))
        put_legend_below(figure, (axis,))
    else:
        say_instead(axis, "no system on a lattice")
    return figure


def draw_positivity(results: StudyResult) -> Any:
    """Smallest eigenvalue against time, a panel a system: mean and worst sample, largest size.

    Of ρ of the equations that do not guarantee positivity.
    """
    drawn, times = results.drawn, np.array(results.study.times)
    figure, axes = grid(len(drawn), *((3.3, 2.7) if len(drawn) > 2 else (4.9, 3.6)))
    states = ", ".join(
        rf"$\rho_{{{each.symbol}}}(t)$" for each in unguarded(results.study.equations)
    )
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        smallest = points[-1].arrays["smallest_eigenvalue_in_time"]
        style = {"color": colour(index), "lw": 1.4}
        axis.plot(times, smallest.min(axis=0), label="worst sample", **style)
        axis.plot(times, smallest.mean(axis=0), ls="--", label="mean", **style)
        axis.axhline(0.0, color="0.5", lw=0.9, ls=":")
        put_labels(axis, TIME, f"smallest eigenvalue of {states}")
        axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
        put_title(axis, f"{short_title(system)}, {size_words(points[-1].point, '$')}")
    put_legend_below(figure, axes[:1], one_scale(axes[: len(drawn)]))
    return figure
