"""What figures of papers share: circles for ours, lines for formulas, differences, axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.papers.kit.config import Record
from manybody.papers.kit.page import numbers
from manybody.report.figures.canvas import put_title

Style = dict[str, Any]
FORMULA: Style = {"lw": 1.3}
PRINTED: Style = {"lw": 1.3, "ls": "--"}
_FLOOR = 1e-18


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
    axis.plot(x, np.maximum(values, _FLOOR), **style)
    axis.set_yscale("log")
    axis.set_ylabel("relative difference", fontsize=11)


def show_apart(axis: Any, record: Record, first: str, second: str, **style: Any) -> None:
    """Relative difference of two results."""
    off = differences(array(record, first), array(record, second))
    show_difference(axis, array(record, "x"), off, **style)


def dress(
    axis: Any,
    x: str = "",
    y: str = "",
    title: str = "",
    legend: float = 0.0,
    width: int = 36,
    columns: int = 1,
) -> None:
    """Labels, a title and a legend of that font size, each where it is given."""
    if x:
        axis.set_xlabel(x, fontsize=11)
    if y:
        axis.set_ylabel(y, fontsize=11)
    if legend:
        axis.legend(fontsize=legend, frameon=False, ncols=columns)
    if title:
        put_title(axis, title, 11, width)


def draw_zero(axis: Any) -> None:
    """A thin line at zero."""
    axis.axhline(0.0, color="0.7", lw=0.8, zorder=0)


def symmetric_logarithm(values: Sequence[ArrayLike]) -> float:
    """Where an axis of these values turns linear: their smaller sizes."""
    sizes = np.abs(np.concatenate([np.ravel(np.asarray(one)) for one in values]))
    sizes = sizes[sizes > 0.0]
    return float(np.quantile(sizes, 0.03)) if len(sizes) else 1.0


def spread(values: Sequence[ArrayLike]) -> float:
    """The largest size over the median one."""
    sizes = np.abs(np.concatenate([np.ravel(np.asarray(one)) for one in values]))
    middle = float(np.median(sizes))
    return float(sizes.max()) / middle if middle > 0.0 else np.inf
