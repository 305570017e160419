"""What figures of papers share: circles for ours, lines for formulas, differences, axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.papers.kit.config import Record
from manybody.papers.kit.page import numbers
from manybody.report.figures.canvas import computed_ticks, put_labels, put_legend, put_title

Style = dict[str, Any]
FORMULA: Style = {"lw": 1.3}
PRINTED: Style = {"lw": 1.3, "ls": "--"}
_FLOOR = 1e-18
# Differences below are rounding, and points: lines between them would say nothing.
_ROUNDING = 1e-9
_DIFFERENCE = "relative difference"
_WITH_ZERO = rf"{_DIFFERENCE}, 0 drawn at $10^{{{np.log10(_FLOOR):.0f}}}$"
# Powers of ten that are ticks on each side of a symmetric scale.
_MOST_POWERS = 3


def array(record: Record, key: str) -> Real:
    """A result that is a list."""
    return np.array(numbers(record, key))


def differences(first: ArrayLike, second: ArrayLike) -> Real:
    """|x − y| over the larger of both, 0 where both are 0."""
    x, y = np.asarray(first), np.asarray(second)
    scale = np.maximum(np.abs(x), np.abs(y))
    return np.where(scale > 0.0, np.abs(x - y) / np.where(scale > 0.0, scale, 1.0), 0.0)


def show(axis: Any, record: Record, key: str, unit: float = 1.0, **style: Any) -> None:
    """A result against what runs, in units of its own."""
    axis.plot(array(record, "x"), array(record, key) / unit, **style)


def show_ours(axis: Any, record: Record, key: str, most: int = 30, **style: Any) -> None:
    """Circles, about `most` of them."""
    every = max(1, len(array(record, "x")) // most)
    circles: Style = {"ls": "", "marker": "o", "ms": 3.4, "markevery": every}
    show(axis, record, key, **(circles | style))


def show_difference(axis: Any, x: ArrayLike, values: ArrayLike, **style: Any) -> None:
    """A relative difference on a logarithmic axis; zero is drawn at the floor of rounding."""
    heights = np.asarray(values, dtype=float)
    points: Style = {"marker": "o", **style, "ls": ""}
    shape = points if heights.max(initial=0.0) < _ROUNDING else {**style, "marker": ""}
    axis.plot(x, np.maximum(heights, _FLOOR), **{**shape, "ms": 3})
    axis.set_yscale("log")
    has_zero = (heights < _FLOOR).any() or axis.get_ylabel() == _WITH_ZERO
    put_labels(axis, up=_WITH_ZERO if has_zero else _DIFFERENCE)


def show_apart(axis: Any, record: Record, first: str, second: str, **style: Any) -> None:
    """Relative difference of two results."""
    off = differences(array(record, first), array(record, second))
    show_difference(axis, array(record, "x"), off, **style)


def dress(axis: Any, x: str = "", y: str = "", title: str = "", legend: bool = False) -> None:
    """Labels, a title and a legend, each where it is given."""
    put_labels(axis, x, y)
    if legend:
        put_legend(axis)
    if title:
        put_title(axis, title)


def draw_zero(axis: Any) -> None:
    """A thin line at zero."""
    axis.axhline(0.0, color="0.7", lw=0.8, zorder=0)


def symmetric_logarithm(values: Sequence[ArrayLike]) -> float:
    """Where an axis of these values turns linear: the power of ten above their smaller sizes."""
    sizes = np.abs(np.concatenate([np.ravel(np.asarray(one)) for one in values]))
    sizes = sizes[sizes > 0.0]
    return 10.0 ** np.ceil(np.log10(np.quantile(sizes, 0.03))) if len(sizes) else 1.0


def linear_within(label: str, border: float) -> str:
    """A label that states a scale which is linear about zero and logarithmic beyond."""
    return rf"{label}, linear within $\pm${power_words(border)}"


def symmetric_ticks(border: float, largest: float) -> list[float]:
    """Zero and a few powers of ten on both sides, from the border of the linear part on."""
    first, last = round(np.log10(border)), int(np.floor(np.log10(max(largest, border))))
    step = -(-(last - first + 1) // _MOST_POWERS)
    powers = [10.0**power for power in range(last, first - 1, -step)]
    return sorted([0.0, *powers, *(-power for power in powers)])


def symmetric_axis(axis: Any, label: str, border: float) -> None:
    """An axis upward, linear within ± border, logarithmic beyond, which its label says."""
    draw_zero(axis)
    largest = np.abs(axis.get_ylim()).max()
    axis.set_yscale("symlog", linthresh=border)
    axis.autoscale_view(scalex=False)
    low, high = axis.get_ylim()
    shown = [tick for tick in symmetric_ticks(border, largest) if low <= tick <= high]
    axis.set_yticks(shown, [power_words(tick) for tick in shown])
    axis.set_yticks([], minor=True)
    put_labels(axis, up=linear_within(label, border))


def through_zero(axis: Any, label: str, values: ArrayLike) -> None:
    """An axis across with ticks at values of which one is zero: linear up to the next ones.

    Beyond it is logarithmic, which its label says: values that come near zero stay apart.
    """
    sizes = np.abs(np.asarray(values, dtype=float))
    border = float(sizes[sizes > 0.0].min())
    axis.set_xscale("symlog", linthresh=border)
    axis.autoscale_view(scaley=False)
    computed_ticks(axis, values)
    put_labels(axis, f"{label}, linear within ±{border:g}")


def power_words(value: float) -> str:
    """A power of ten, its negative or zero."""
    if value == 0.0:
        return "0"
    sign = "-" if value < 0.0 else ""
    return rf"${sign}10^{{{round(np.log10(abs(value)))}}}$"


def spread(values: Sequence[ArrayLike]) -> float:
    """The largest size over the median one."""
    sizes = np.abs(np.concatenate([np.ravel(np.asarray(one)) for one in values]))
    middle = float(np.median(sizes))
    return float(sizes.max()) / middle if middle > 0.0 else np.inf
