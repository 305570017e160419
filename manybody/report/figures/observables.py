"""Figures of everything beside the distance in time: observables, locality, positivity."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manybody.physics.equations.registry import unguarded
from manybody.report.analysis.statistics import Spread
from manybody.report.figures.canvas import (
    colour,
    counted_samples,
    grid,
    marked_sizes,
    marker,
    say_instead,
    short_title,
    size_axis,
)
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
    figure, axes = grid(len(panels), 5.4, 4.2, most=2, below=0.9)
    for axis, panel in zip(axes, panels):
        for index, (system, points) in enumerate(results.drawn):
            for name in panel.figures:
                _draw_means(axis, name, index, system, points, panel)
        for word, value in panel.marks:
            axis.axhline(value, color="0.6", lw=0.9, ls=":")
            axis.annotate(
                word,
                (1.0, value),
                xycoords=("axes fraction", "data"),
                xytext=(-3, 2),
                textcoords="offset points",
                ha="right",
                fontsize=9,
                color="0.4",
            )
        left_out = _n_left_out(results, panel)
        if axis.has_data():
            size_axis(axis, 12, marked_sizes(results.points))
            axis.set_yscale("log" if panel.logarithmic else "linear")
        else:
            say_instead(axis, "zero up to rounding, or not defined")
            left_out = 0
        if left_out:
            axis.annotate(
                f"{left_out} means not drawn: not defined, or not above zero",
                (0.02, 0.02),
                xycoords="axes fraction",
                fontsize=8,
                color="0.35",
            )
        axis.set_ylabel(panel.label, fontsize=12)
        axis.set_title(panel.title, fontsize=14)
        axis.tick_params(labelsize=11)
    # A system may have nothing to show in some panels.
    known = [axis.get_legend_handles_labels() for axis in axes]
    legend = {label: handle for handles, labels in known for handle, label in zip(handles, labels)}
    counts = counted_samples([point.n_samples for point in results.points])
    figure.legend(
        list(legend.values()),
        list(legend),
        loc="outside lower center",
        ncols=2,
        fontsize=10,
        frameon=False,
        title=f"mean and standard error over {counts}",
        title_fontsize=10,
    )
    return figure


def _draw_means(
    axis: Any, name: str, index: int, system: System, points: tuple[PointResult, ...], panel: Panel
) -> None:
    # A logarithmic axis has no place for zero.
    shown = [point for point in points if _can_be_drawn(point, name, panel)]
    if not shown:
        return
    sizes, spreads = zip(*((point.point.n_sites, point.spreads[name]) for point in shown))
    style: dict[str, Any] = {"lw": 0.8, "ls": "--", "mfc": "white"}
    if name == panel.figures[0]:
        style = {"lw": 1.2, "ls": "-", "mfc": None, "label": short_title(system)}
    _draw_spreads(axis, index, sizes, spreads, **style)


def _draw_spreads(
    axis: Any, index: int, x: Sequence[int], spreads: Sequence[Spread], **style: Any
) -> None:
    """Means over samples with their errors, of the system with this index."""
    means = [each.mean for each in spreads]
    # One sample has no error to draw, which the legend says.
    errors = np.nan_to_num([each.error for each in spreads])
    own = {"marker": marker(index), "color": colour(index), "ms": 5, "capsize": 3}
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
    figure, (axis,) = grid(1, 7.0, 4.2)
    for index, (system, points) in enumerate(results.drawn):
        spreads = points[-1].spreads
        if not spreads["locality_0"].count:
            continue
        names = [name for name in spreads if name.startswith("locality_") and name[9:].isdigit()]
        shown = [name for name in names if spreads[name].count]
        bonds = [int(name[9:]) for name in shown]
        label = f"{short_title(system)}, {size_words(points[-1].point, '$')}"
        _draw_spreads(axis, index, bonds, [spreads[name] for name in shown], label=label)
    axis.set_yscale("log")
    axis.set_xlabel("bonds from $j$", fontsize=11)
    axis.set_ylabel(r"rms $|\langle a|\Lambda_j|b\rangle|$ over the largest", fontsize=11)
    if axis.has_data():
        axis.legend(fontsize=9, frameon=False)
    else:
        say_instead(axis, "no system on a lattice")
    return figure


def draw_positivity(results: StudyResult) -> Any:
    """Smallest eigenvalue against time: mean and worst sample of each largest size.

    Of ρ of the equations that do not guarantee positivity.
    """
    figure, (axis,) = grid(1, 7.0, 4.2)
    times = np.array(results.study.times)
    for index, (system, points) in enumerate(results.drawn):
        smallest = points[-1].arrays["smallest_eigenvalue_in_time"]
        label = f"{short_title(system)}, {size_words(points[-1].point, '$')}"
        axis.plot(times, smallest.min(axis=0), color=colour(index), lw=1.3, label=label)
        axis.plot(times, smallest.mean(axis=0), color=colour(index), lw=0.9, ls="--")
    axis.axhline(0.0, color="0.6", lw=0.9, ls=":")
    axis.set_xlabel(r"time $t$  $[1/J]$", fontsize=11)
    states = ", ".join(
        rf"$\rho_{{{each.symbol}}}(t)$" for each in unguarded(results.study.equations)
    )
    axis.set_ylabel(f"smallest eigenvalue of {states}", fontsize=11)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    axis.legend(fontsize=9, frameon=False, title="worst sample; dashed: mean", title_fontsize=9)
    return figure
