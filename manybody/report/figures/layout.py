"""Where words go: titles and labels that fit, ticks apart, legends beside what is drawn.

matplotlib's constrained layout keeps panels apart, but knows nothing of a title that is wider
than its panel, of a legend over a curve or of ticks that are chosen by hand.  This module is
imported when something is drawn, matplotlib with it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from manybody.arrays import Real

# The second one meets what the first has moved.
_PASSES = 2
_MOST_COLUMNS = 4
# How much of its panel a line of words may take: the last layout may make panels smaller.
_FULL = 0.96
# Of a logarithmic axis on which powers of ten alone say too little.
_FEW_DECADES = 100.0
# Between a legend and what is drawn, and between ticks, in units of their font.
_GAP = 0.6
# A legend has to leave that part of its panel to what is drawn.
_LEAST_LEFT = 0.4
_CORNERS = ("upper right", "upper left", "lower right", "lower left")
_SIDES = (*_CORNERS, "center right", "center left", "lower center", "upper center")
_TOPS = ("upper center", "upper left", "upper right")
# Width, height and padding.
Size = tuple[float, float, float]


@dataclass
class Legend:
    """What a legend shows, and how.

    sizes: width, height and padding in pixels by number of columns; is_risen: whether its
    panel was made higher for it; shown: place and number of columns.
    """

    handles: Sequence[Any]
    labels: Sequence[str]
    style: dict[str, Any]
    sizes: dict[int, Size] = field(default_factory=dict)
    is_risen: bool = False
    shown: tuple[str, int] = ("", 0)


class Layout(ConstrainedLayoutEngine):
    """Constrained layout, and room for all words of a figure."""

    def __init__(self) -> None:
        super().__init__()
        self.legends: dict[Any, Legend] = {}
        # Text -> what it was, and what it was made.
        self._broken: dict[Any, tuple[str, str]] = {}
        self._lifted: set[Any] = set()

    def execute(self, fig: Any) -> None:
        """Panels, then words, then panels again, which words may have moved."""
        for _ in range(_PASSES):
            super().execute(fig)
            if not sum(self._place(axis) for axis in fig.axes if axis.get_visible()):
                return
        super().execute(fig)

    def _place(self, axis: Any) -> bool:
        """Words of one panel; whether something has changed."""
        changed = [self._break(text, room) for text, room in _rooms(axis)]
        changed += [_name_ticks(each) for each in (axis.xaxis, axis.yaxis)]
        changed.append(_thin_ticks(axis))
        changed.append(self._lift_title(axis))
        if axis in self.legends:
            changed.append(place_legend(axis, self.legends[axis]))
        return any(changed)

    def _lift_title(self, axis: Any) -> bool:
        """Put a title above the power of ten of the axis upward; whether it was not."""
        power = axis.yaxis.get_offset_text()
        if not power.get_text() or axis in self._lifted:
            return False
        self._lifted.add(axis)
        pad = 72.0 / axis.figure.dpi * power.get_window_extent().height + _GAP * power.get_size()
        axis.set_title(axis.get_title(), fontsize=axis.title.get_size(), pad=pad)
        return True

    def _break(self, text: Any, room: float) -> bool:
        """Words in lines, from the whole of them every time; whether this changed them."""
        before = text.get_text()
        whole, made = self._broken.get(text, (before, before))
        whole = whole if made == before else before
        break_words(text, whole, room)
        self._broken[text] = whole, text.get_text()
        return bool(text.get_text() != before)


def _rooms(axis: Any) -> Iterator[tuple[Any, float]]:
    """Words of a panel that are broken where they are long, and how long they may be in pixels."""
    panel = axis.get_window_extent()
    for text in (axis.title, axis.xaxis.label, *(() if axis.axison else axis.texts)):
        yield text, _FULL * panel.width
    yield axis.yaxis.label, _FULL * panel.height


def _length(text: Any) -> float:
    extent = text.get_window_extent()
    return float(extent.height if text.get_rotation() else extent.width)


def break_words(text: Any, whole: str, room: float) -> None:
    """Give a text these words, in lines that fit, at their commas where that is enough."""
    if whole and not _fits(text, whole, room):
        lines = [part for line in whole.split("\n") for part in _broken(text, line, room)]
        text.set_text("\n".join(lines))


def _broken(text: Any, line: str, room: float) -> list[str]:
    """One line in pieces that fit."""
    found = [""]
    if _fits(text, line, room):
        return [line]
    for part in _split(line, ","):
        for piece in [part] if _fits(text, part, room) else _split(part, ""):
            longer = f"{found[-1]} {piece}".strip()
            if found[-1] and not _fits(text, longer, room):
                found.append(piece)
            else:
                found[-1] = longer
    return found


def _split(words: str, end: str) -> list[str]:
    """At spaces after `end`, but for those within mathematics."""
    pieces = re.findall(r"(?:\$[^$]*\$|[^\s$])+", words)
    found = [""]
    for piece in pieces:
        if found[-1].endswith(end):
            found.append(piece)
        else:
            found[-1] += f" {piece}"
    return [each.strip() for each in found if each]


def _fits(text: Any, words: str, room: float) -> bool:
    text.set_text(words)
    return _length(text) <= room


def _name_ticks(axis: Any) -> bool:
    """Plain numbers between powers of ten where there is hardly a decade; whether it was so."""
    low, high = sorted(axis.get_view_interval())
    is_named = not isinstance(axis.get_major_formatter(), LogFormatterSciNotation)
    if axis.get_scale() != "log" or is_named or high > _FEW_DECADES * low:
        return False
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axis.set_minor_formatter(NullFormatter())
    return True


def _thin_ticks(axis: Any) -> bool:
    """Of ticks across chosen by hand those that stand apart keep labels; whether some do not."""
    labels = [label for label in axis.get_xticklabels() if label.get_text()]
    is_free = not isinstance(axis.xaxis.get_major_locator(), FixedLocator)
    if is_free or any(label.get_rotation() for label in labels):
        return False
    kept: list[float] = []
    dropped: list[float] = []
    border = np.inf
    for place, label in sorted(zip(axis.get_xticks(), labels), key=lambda pair: -pair[0]):
        extent = label.get_window_extent()
        is_apart = extent.x1 + 0.5 * _GAP * extent.height < border
        (kept if is_apart else dropped).append(place)
        border = extent.x0 if is_apart else border
    if dropped:
        minor = [*axis.get_xticks(minor=True), *dropped]
        axis.set_xticks(kept)
        axis.set_xticks(minor, labels=[""] * len(minor), minor=True)
    return bool(dropped)


def make_legend(target: Any, legend: Legend, place: str, columns: int) -> Any:
    """A legend of a panel, or outside the panels of a figure, with so many columns."""
    style = {"loc": place, "ncols": columns, **legend.style}
    made = target.legend(legend.handles, legend.labels, **style)
    # Within a panel it has its room there, and must take none from the others.
    made.set_in_layout(place.startswith("outside"))
    return made


def place_legend(axis: Any, legend: Legend) -> bool:
    """A legend where it covers nothing, in a higher panel if need be; whether it moved."""
    sizes = _sizes_that_fit(axis, legend)
    place, columns = ("", 0) if legend.is_risen else _free_place(axis, sizes)
    rise = 1.0
    if not place:
        columns = max(sizes)
        rises = {each: _rise(axis, each, sizes[columns]) for each in _TOPS}
        place = min(rises, key=rises.__getitem__)
        rise, legend.is_risen = rises[place], True
        _raise_top(axis, rise)
    before, legend.shown = legend.shown, (place, columns)
    if before != legend.shown:
        make_legend(axis, legend, place, columns)
    return rise > 1.0 or before != legend.shown


def _sizes_that_fit(axis: Any, legend: Legend) -> dict[int, Size]:
    """Sizes by number of columns, of those that are no wider than the panel; always of one."""
    most = min(_MOST_COLUMNS, max(1, len(legend.labels)))
    if not legend.sizes:
        legend.sizes = {count: _size(axis, legend, count) for count in range(1, most + 1)}
    width = axis.get_window_extent().width
    return {
        count: size
        for count, size in legend.sizes.items()
        if count == 1 or size[0] + 2.0 * size[2] <= width
    }


def _size(axis: Any, legend: Legend, columns: int) -> Size:
    """Of a legend of so many columns, its title broken where it is wider than the panel."""
    made = make_legend(axis, legend, "upper right", columns)
    title = made.get_title()
    break_words(title, title.get_text(), _FULL * axis.get_window_extent().width)
    legend.style["title"] = title.get_text() or None
    extent = made.get_window_extent()
    pad = made.borderaxespad * made.prop.get_size_in_points() * axis.figure.dpi / 72.0
    return extent.width, extent.height, pad


def _box(axis: Any, place: str, size: Size) -> Bbox:
    """Where a legend of this size would be, in pixels."""
    panel, (width, height, pad) = axis.get_window_extent(), size
    x = {"left": panel.x0 + pad, "right": panel.x1 - pad - width}
    y = {"lower": panel.y0 + pad, "upper": panel.y1 - pad - height}
    across, up = place.split()[-1], place.split()[0]
    left = x.get(across, 0.5 * (panel.x0 + panel.x1 - width))
    below = y.get(up, 0.5 * (panel.y0 + panel.y1 - height))
    return Bbox.from_bounds(left, below, width, height)


def _free_place(axis: Any, sizes: dict[int, Size]) -> tuple[str, int]:
    """The first place that covers nothing, and how many columns there; empty without one."""
    outlines = list(drawn_outlines(axis))
    panel = axis.get_window_extent()
    for columns, size in sizes.items():
        if size[1] > (1.0 - _LEAST_LEFT) * panel.height or size[0] > panel.width:
            continue
        for place in _SIDES:
            box = _box(axis, place, size).padded(_GAP * size[2])
            if not any(path.intersects_bbox(box, filled) for path, filled in outlines):
                return place, columns
    return "", 0


def drawn_outlines(axis: Any) -> Iterator[tuple[Path, bool]]:
    """Paths in pixels of all curves, bands, bars and words of a panel, and whether filled."""
    for line in axis.lines:
        yield from ((path, False) for path in _paths_of(line))
    for collection in axis.collections:
        filled = len(collection.get_facecolor()) > 0
        change = collection.get_transform()
        yield from ((change.transform_path(path), filled) for path in collection.get_paths())
    for text in axis.texts:
        if text.get_text():
            yield Path(text.get_window_extent().corners()[[0, 1, 3, 2]]), True


def _paths_of(line: Any) -> Iterator[Path]:
    """The curve, or its points where they are not joined."""
    path = line.get_transform().transform_path(line.get_path())
    if line.get_linestyle() not in ("None", "", " "):
        yield path
        return
    for x, y in path.vertices[np.isfinite(path.vertices).all(axis=1)]:
        yield Path([(x, y), (x, y + 0.5)])


def _rise(axis: Any, place: str, size: Size) -> float:
    """How many times higher a panel must be for what is drawn to end beneath a legend."""
    panel, box = axis.get_window_extent(), _box(axis, place, size)
    top = panel.y0
    for path, _ in drawn_outlines(axis):
        steps = 1 + 400 // max(1, len(path))
        points: Real = np.asarray(path.interpolated(steps).vertices)
        beneath = points[(points[:, 0] > box.x0 - size[2]) & (points[:, 0] < box.x1 + size[2])]
        heights = beneath[np.isfinite(beneath).all(axis=1), 1]
        top = max(top, *heights, panel.y0)
    left = max(_LEAST_LEFT * panel.height, panel.height - size[1] - (2.0 + _GAP) * size[2])
    return max(1.0, float((min(top, panel.y1) - panel.y0) / left))


def _raise_top(axis: Any, rise: float) -> None:
    """A higher upper end, on whatever scale."""
    scale = axis.yaxis.get_transform()
    low, high = scale.transform(np.array(axis.get_ylim()))
    axis.set_ylim(top=float(scale.inverted().transform(np.array([low + rise * (high - low)]))[0]))
