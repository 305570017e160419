"""Means over samples against time: one line a size, with a band of one standard deviation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.report.analysis.statistics import Moments
from manybody.report.figures.canvas import averaged, counted_samples, put_title
from manybody.report.read import PointResult
from manybody.study.configuration import System

# What is drawn of a point.
Drawn = tuple[PointResult, Moments]


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


def draw_curves(axis: Any, axes: Axes, system: System, drawn: Sequence[Drawn]) -> None:
    """Mean and standard deviation of every size, in one panel with its legend."""
    top = 0.0
    for shade, (result, moments) in zip(shades(len(drawn)), drawn):
        top = max(top, _draw_one(axis, axes, system, result, moments, shade))
    _limit_times(axis, axes, drawn)
    # Room above the curves for the legend, which must not hide one.
    axis.set_ylim(0.0, headroom(system, drawn) * top if top > 0.0 else 1.0)
    axis.set_xlabel(axes.across, fontsize=12)
    axis.set_ylabel(axes.up, fontsize=12)
    axis.tick_params(labelsize=11)
    put_legend(axis, system, drawn)
    put_title(axis, axes.title)


def shades(count: int) -> Any:
    """One colour a size, from small to large."""
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0.0, 0.78, max(2, count)))


def label_of(system: System, result: PointResult) -> str:
    """The size of a curve."""
    return system.family.size_label(result.point.size, dict(system.parameters))


def headroom(system: System, drawn: Sequence[Drawn]) -> float:
    """Height of an axis over that of its curves."""
    rows = -(-len(drawn) // 2) if _is_wide(system, drawn) else 0
    return 1.38 + 0.12 * max(0, rows - 2)


def put_legend(axis: Any, system: System, drawn: Sequence[Drawn]) -> None:
    """The sizes and how many samples they have, above the curves."""
    axis.legend(
        fontsize=10,
        ncols=2 if _is_wide(system, drawn) else 3,
        loc="upper center",
        frameon=False,
        columnspacing=0.8,
        handletextpad=0.4,
        handlelength=1.2,
        title=counted_samples([result.n_samples for result, _ in drawn]),
        title_fontsize=10,
    )


def _is_wide(system: System, drawn: Sequence[Drawn]) -> bool:
    """Whether labels name the number of states, and three do not fit side by side."""
    return any("D =" in label_of(system, result) for result, _ in drawn)


def _draw_one(
    axis: Any, axes: Axes, system: System, result: PointResult, moments: Moments, shade: Any
) -> float:
    """The curve of one size; the highest value of its band."""
    times = axes.times * (result.point.n_sites if axes.times_sites else 1.0)
    mean, spread = moments.mean, np.nan_to_num(moments.standard_deviation)
    low = np.maximum(mean - spread, 0.0)
    axis.fill_between(times, low, mean + spread, color=shade, alpha=0.16, lw=0)
    axis.plot(times, mean, color=shade, lw=2.0, label=label_of(system, result))
    return float((mean + spread).max())


def _limit_times(axis: Any, axes: Axes, drawn: Sequence[Drawn]) -> None:
    """From the first to the last time, as far as every size goes."""
    shortest = min(result.point.n_sites for result, _ in drawn) if axes.times_sites else 1.0
    first, last = shortest * axes.times[0], shortest * axes.times[-1]
    axis.set_xlim(first, last if len(axes.times) > 1 else first + 1.0)
