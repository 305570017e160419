"""Means over samples against time: one line a size, with a band of one standard deviation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.report.analysis.statistics import Moments
from manybody.report.figures.canvas import (
    averaged,
    counted_samples,
    marker,
    put_labels,
    put_legend,
    put_title,
)
from manybody.report.read import PointResult
from manybody.study.configuration import System

# What is drawn of a point.
Drawn = tuple[PointResult, Moments]
# Markers on a curve of many times.
_MARKED = 5


@dataclass(frozen=True, eq=False)
class Axes:
    """What the axes of a panel of curves say.

    times: (T,) as drawn; across, up: labels, LaTeX; title: of the panel; times_sites: whether
    the times of every size are multiplied by its number of sites.
    """

    times: Real
    across: str
    up: str
    title: str
    times_sites: bool = False


TIME = r"time $t$  $[1/J]$"


def moments_of(points: Sequence[PointResult], figure: str = "") -> list[Drawn]:
    """What is drawn of points in time; see `averaged`."""
    return [(point, summary.moments) for point, summary in averaged(points, figure)]


def draw_curves(
    axis: Any,
    axes: Axes,
    label: Callable[[PointResult], str],
    drawn: Sequence[Drawn],
    legend: bool = True,
) -> None:
    """Mean and standard deviation of every point, in one panel; label: of its curve."""
    top = 0.0
    for index, (shade, (result, moments)) in enumerate(zip(shades(len(drawn)), drawn)):
        style = {"color": shade, **spaced_marker(index, len(axes.times)), "label": label(result)}
        top = max(top, _draw_one(axis, axes, result, moments, style))
    _limit_times(axis, axes, drawn)
    axis.set_ylim(0.0, 1.05 * top if top > 0.0 else 1.0)
    put_labels(axis, axes.across, axes.up)
    if legend:
        put_legend(axis, counted_samples([result.n_samples for result, _ in drawn]))
    put_title(axis, axes.title)


def shades(count: int) -> Any:
    """One colour a size, from small to large."""
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0.0, 0.78, max(2, count)))


def spaced_marker(index: int, count: int) -> dict[str, Any]:
    """A few markers on a curve of `count` points, elsewhere on every curve."""
    step = max(1, count // _MARKED)
    first = (1 + index % 3) * step // 4
    return {"marker": marker(index), "ms": 4, "markevery": (first, step)}


def draw_band(axis: Any, x: ArrayLike, low: ArrayLike, high: ArrayLike, shade: Any) -> None:
    """What lies between two curves, with a border that shows beneath other bands."""
    from matplotlib.colors import to_rgba

    face, edge = to_rgba(shade, 0.16), to_rgba(shade, 0.6)
    axis.fill_between(x, low, high, facecolor=face, edgecolor=edge, lw=0.6)


def label_of(system: System, result: PointResult) -> str:
    """The size of a curve."""
    return system.family.size_label(result.point.size, dict(system.parameters))


def _draw_one(
    axis: Any, axes: Axes, result: PointResult, moments: Moments, style: dict[str, Any]
) -> float:
    """The curve of one point; the highest value of its band."""
    times = axes.times * (result.point.n_sites if axes.times_sites else 1.0)
    mean, spread = moments.mean, np.nan_to_num(moments.standard_deviation)
    draw_band(axis, times, np.maximum(mean - spread, 0.0), mean + spread, style["color"])
    axis.plot(times, mean, lw=1.6, **style)
    return float((mean + spread).max())


def _limit_times(axis: Any, axes: Axes, drawn: Sequence[Drawn]) -> None:
    """From the first to the last time, as far as every size goes."""
    shortest = min(result.point.n_sites for result, _ in drawn) if axes.times_sites else 1.0
    first, last = shortest * axes.times[0], shortest * axes.times[-1]
    axis.set_xlim(first, last if len(axes.times) > 1 else first + 1.0)
