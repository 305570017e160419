"""What all figures share: colours, markers, sizes of words, grids of panels, axes, legends."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.report.analysis.statistics import Summary
from manybody.report.read import PointResult, system_title
from manybody.study.configuration import System

if TYPE_CHECKING:
    from manybody.report.figures.layout import Legend

# A point and averages over its samples.
Averaged = tuple[PointResult, Summary]

# The width of a page's text in inches, 960 pixels: what is wider is shown smaller.
PAGE = 10.0
# Points; of a figure no wider than the page they are those that a reader sees.
TITLE, LABEL, SMALL = 10.0, 9.5, 8.5
# One fewer than colours: no two of many systems have both in common.
_MARKERS = "osD^vP*"
# Okabe and Ito's, which differ for colour-blind readers too; brown for yellow, too pale here.
_COLOURS = (
    *("#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#56b4e9"),
    *("#000000", "#7a4a12"),
)
# Panels of one quantity have one scale unless the highest is that many times the lowest.
_COMPARABLE = 3.0
# From one system to the next at the same size: what is equal is seen side by side.  All of them
# stay nearer to their own size than to another.
_STEP, _WIDEST = 1.025, 1.16
NOT_ONE_SCALE = "vertical scales differ from panel to panel"


def colour(index: int) -> str:
    """Of the system with this index."""
    return _COLOURS[index % len(_COLOURS)]


def marker(index: int) -> str:
    """Of the system with this index."""
    return _MARKERS[index % len(_MARKERS)]


def nested(index: int, count: int) -> dict[str, Any]:
    """Width and marker of one of so many curves: where they agree, all of them show."""
    share = index / max(1, count - 1)
    return {"lw": 3.4 - 2.4 * share, "ms": 8.5 - 5.0 * share, "zorder": 2.0 + share}


def grid(n_panels: int, width: float, height: float, most: int = 3) -> Any:
    """(figure, axes) of `n_panels` panels, at most so many beside each other.

    width, height: of a panel in inches, narrower where the page is too narrow.  Panels that are
    left over in the last row follow, invisible.
    """
    from matplotlib.figure import Figure

    from manybody.report.figures.layout import Layout

    columns = min(most, n_panels)
    rows = -(-n_panels // columns)
    size = (min(width * columns, PAGE), height * rows)
    figure = Figure(figsize=size, layout=Layout())
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.tick_params(which="both", labelsize=SMALL)
        axis.yaxis.get_offset_text().set_size(SMALL)
    for unused in axes[n_panels:]:
        unused.set_visible(False)
    return figure, axes


def panel_size(count: int) -> tuple[float, float]:
    """Of one panel of so many, in inches: where there are few they are larger."""
    return (3.3, 2.9) if count > 2 else (4.9, 3.6)


def put_labels(axis: Any, across: str = "", up: str = "") -> None:
    """Labels of both axes, each where it is given."""
    if across:
        axis.set_xlabel(across, fontsize=LABEL)
    if up:
        axis.set_ylabel(up, fontsize=LABEL)


def put_title(axis: Any, title: str) -> None:
    """A title; the layout breaks it where it is longer than its panel."""
    axis.set_title(title, fontsize=TITLE)


def put_legend(axis: Any, title: str = "", handles: Sequence[Any] | None = None) -> None:
    """A legend of a panel, which the layout puts where it covers nothing.

    handles: None takes all that have a label.
    """
    from manybody.report.figures.layout import make_legend

    labelled = axis.get_legend_handles_labels()[0] if handles is None else handles
    if labelled or title:
        legend = _legend(labelled, [each.get_label() for each in labelled], title)
        axis.figure.get_layout_engine().legends[axis] = legend
        make_legend(axis, legend, "upper right", 1)


def put_legend_below(figure: Any, axes: Iterable[Any], *notes: str) -> None:
    """One legend of all panels beneath them, every label once, under notes."""
    from manybody.report.figures.layout import make_legend

    known = [axis.get_legend_handles_labels() for axis in axes]
    # In the order of the panel that has most of them.
    known.sort(key=lambda pair: -len(pair[1]))
    by_label = {label: handle for pair in known for handle, label in zip(*pair)}
    title = "\n".join(filter(None, notes))
    if not by_label and not title:
        return
    legend = _legend(list(by_label.values()), list(by_label), title)
    for columns in range(min(5, max(1, len(by_label))), 0, -1):
        made = make_legend(figure, legend, "outside lower center", columns)
        made.get_title().set_multialignment("center")
        if made.get_window_extent().width <= 0.96 * figure.bbox.width or columns == 1:
            return
        made.remove()


def _legend(handles: Sequence[Any], labels: Sequence[str], title: str) -> "Legend":
    from manybody.report.figures.layout import Legend

    style = {
        "fontsize": SMALL,
        "frameon": False,
        "title": title or None,
        "title_fontsize": SMALL,
        "columnspacing": 1.0,
        "handletextpad": 0.5,
        "handlelength": 2.2,
    }
    return Legend(handles, labels, style)


def computed_ticks(axis: Any, values: ArrayLike) -> None:
    """Ticks across at the values that were computed, as plain numbers.

    The layout leaves out labels of those that stand too close.
    """
    from matplotlib.ticker import NullFormatter

    axis.set_xticks(np.unique(np.asarray(values, dtype=float)))
    axis.set_xticks([], minor=True)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axis.xaxis.set_minor_formatter(NullFormatter())


def size_axis(axis: Any, sizes: Iterable[int]) -> None:
    """Numbers of sites, doubling, with ticks at those that are drawn."""
    known = sorted(set(sizes))
    axis.set_xscale("log", base=2)
    computed_ticks(axis, known)
    if len(known) == 1:
        axis.set_xlim(0.5 * known[0], 2.0 * known[0])
    put_labels(axis, r"number of sites $N$")


def beside(index: int, count: int) -> float:
    """What multiplies the sizes of one of so many systems that share a panel."""
    step = min(_STEP, _WIDEST ** (1.0 / max(1, count - 1)))
    return float(step ** (index - 0.5 * (count - 1)))


def said_beside(count: int) -> str:
    """A note on it, where there is more than one."""
    return "systems side by side at each size" if count > 1 else ""


def n_sites_of(points: Iterable[PointResult]) -> list[int]:
    """Numbers of sites of points."""
    return [point.point.n_sites for point in points]


def averaged(points: Sequence[PointResult], figure: str = "") -> list[Averaged]:
    """Points that have averages of a local figure, or of the trace distance, with these."""
    found = [(point, point.local.get(figure) if figure else point.summary) for point in points]
    return [(point, summary) for point, summary in found if summary is not None]


def from_zero(axis: Any) -> None:
    """A linear axis from zero, also where all that is drawn is zero."""
    top = max(axis.get_ylim()[1], 1.05 * axis.dataLim.y1)
    axis.set_ylim(0.0, top if top > 0.0 else 1.0)


def one_scale(axes: Sequence[Any]) -> str:
    """The same scale upward for panels of one quantity; a note where they are too far apart."""
    shown = [axis for axis in axes if axis.get_visible() and axis.has_data()]
    if len(shown) < 2:
        return ""
    limits = np.array([axis.get_ylim() for axis in shown])
    ends = np.array(
        [axis.yaxis.get_transform().transform(own) for axis, own in zip(shown, limits)]
    )
    if np.ptp(ends) > _COMPARABLE * np.diff(ends).min():
        return NOT_ONE_SCALE
    for axis in shown[1:]:
        axis.sharey(shown[0])
    shown[0].set_ylim(limits.min(), limits.max())
    return ""


def leave_out(axis: Any, what: str, why: str = "not measured or not defined") -> None:
    """A panel without axes that says what is not there."""
    axis.set_axis_off()
    axis.set_title("")
    say_instead(axis, f"{what}:\n{why}")


def say_instead(axis: Any, words: str) -> None:
    """Words in the middle of a panel that has nothing to show."""
    axis.text(0.5, 0.5, words, ha="center", fontsize=LABEL, transform=axis.transAxes)
    # Numbers beside it would be those of nothing.
    sides = dict.fromkeys(("bottom", "left", "labelbottom", "labelleft"), False)
    axis.tick_params(which="both", **sides)


def short_title(system: System) -> str:
    """For legends."""
    return system_title(system, short=True)


def common_words(titles: Sequence[str]) -> list[str]:
    """What all titles say between their commas."""
    first, *others = (title.split(", ") for title in titles)
    return [part for part in first if all(part in other for other in others)]


def counted_samples(counts: list[int]) -> str:
    """The same with what they are, and that one of them has no error."""
    if max(counts) == 1:
        return "one sample a size, no spread"
    return f"{counted(counts)} samples a size"


def counted(counts: list[int]) -> str:
    """Numbers of samples in words: one, or from the least to the most."""
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low}–{high}"
