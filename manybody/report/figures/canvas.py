"""What all figures share: colours, markers, grids of panels, axes of sizes, titles."""

from collections.abc import Sequence
from typing import Any

from manybody.report.analysis.statistics import Summary
from manybody.report.read import PointResult, system_title
from manybody.study.configuration import System

# A point and averages over its samples.
Averaged = tuple[PointResult, Summary]

_MOST_TICKS = 8
_MARKERS = "osD^vP*X"
_COLOURS = ("#20639b", "#3caea3", "#e08e0b", "#c0392b", "#7d3c98")


def colour(index: int) -> str:
    """Of the system with this index."""
    return _COLOURS[index % len(_COLOURS)]


def marker(index: int) -> str:
    """Of the system with this index."""
    return _MARKERS[index % len(_MARKERS)]


def grid(n_panels: int, width: float, height: float, most: int = 3, below: float = 0.0) -> Any:
    """(figure, axes) of `n_panels` panels, at most so many beside each other.

    width, height: of a panel in inches; below: of the figure beneath all panels.  Panels
    that are left over in the last row follow, invisible.
    """
    from matplotlib.figure import Figure

    columns = min(most, n_panels)
    rows = -(-n_panels // columns)
    figure = Figure(figsize=(width * columns, height * rows + below), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[n_panels:]:
        unused.set_visible(False)
    return figure, axes


def size_axis(axis: Any, fontsize: int = 11, marked: Sequence[int] = ()) -> None:
    """Numbers of sites, doubling, as plain numbers; with ticks at those marked, if any."""
    axis.set_xscale("log", base=2)
    if marked:
        axis.set_xticks(marked)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel(r"number of sites $N$", fontsize=fontsize)


def marked_sizes(points: Sequence[PointResult]) -> list[int]:
    """Numbers of sites that deserve a tick: of many particles, which lie within a factor or two.

    None where all have one particle, or where there are too many to stand side by side.
    """
    if all(point.point.dimension == point.point.n_sites for point in points):
        return []
    sizes = sorted({point.point.n_sites for point in points})
    return sizes if len(sizes) <= _MOST_TICKS else []


def averaged(points: Sequence[PointResult], figure: str = "") -> list[Averaged]:
    """Points that have averages of a local figure, or of the trace distance, with these."""
    found = [(point, point.local.get(figure) if figure else point.summary) for point in points]
    return [(point, summary) for point, summary in found if summary is not None]


def from_zero(axis: Any) -> None:
    """A linear axis from zero, also where all that is drawn is zero."""
    top = axis.get_ylim()[1]
    axis.set_ylim(0.0, top if top > 0.0 else 1.0)


def say_instead(axis: Any, words: str) -> None:
    """Words in the middle of a panel that has nothing to show."""
    axis.text(0.5, 0.5, words, ha="center", transform=axis.transAxes)


def short_title(system: System) -> str:
    """For legends."""
    return system_title(system, short=True)


def put_title(axis: Any, title: str, largest: int = 14, width: int = 36) -> None:
    """A title broken at commas, smaller where it takes several lines."""
    lines = [""]
    for part in title.split(", "):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append(part)
        else:
            lines[-1] += (", " if lines[-1] else "") + part
    size = largest if len(lines) == 1 else min(largest, 11)
    axis.set_title(",\n".join(lines), fontsize=size)


def counted_samples(counts: list[int]) -> str:
    """The same with what they are, and that one of them has no error."""
    if max(counts) == 1:
        return "one sample a size, no spread"
    return f"{counted(counts)} samples a size"


def counted(counts: list[int]) -> str:
    """Numbers of samples in words: one, or from the least to the most."""
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low}–{high}"
