"""What must hold for every figure, whatever it shows: words that can be read, nothing covered.

Geometry is that of the renderer, in pixels of the figure as its own layout leaves it.
"""

import itertools
import warnings

import numpy as np
from matplotlib.text import Text
from matplotlib.transforms import Bbox

# Words of a page, in points, and the width in inches at which a figure is shown as it is.
LEAST_SIZE, PAGE = 8.0, 10.0
# Of a panel, in inches.
LEAST_WIDTH = 1.5
# Boxes are higher than their letters.
SLACK = 2.0


def complaints(figure):
    """Sentences on what is wrong with a figure; none where it can be read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout")
        figure.draw_without_rendering()
    checks = (small, narrow, outside, overlapping, covered, unlabelled, unstated, empty)
    return [sentence for check in checks for sentence in check(figure)]


def check_page(page):
    """Of every figure of a page of cases."""
    makers = page.makers
    assert makers
    for name, make in makers.items():
        assert complaints(make()) == [], name


def panels(figure):
    return [axis for axis in figure.axes if axis.get_visible()]


def is_bar(axis):
    return axis.get_label() == "<colorbar>"


def legends(figure):
    own = [(axis, axis.get_legend()) for axis in panels(figure)]
    return [(axis, legend) for axis, legend in own if legend is not None]


def labels_of(axis):
    """Of the ticks that are within the limits: others are not drawn."""
    low, high = sorted(axis.get_view_interval())
    major = zip(axis.get_majorticklocs(), axis.get_majorticklabels())
    minor = zip(axis.get_minorticklocs(), axis.get_minorticklabels())
    return [label for place, label in (*major, *minor) if low <= place <= high]


def words(figure):
    """(text, box) of everything written."""
    found = []
    for axis in panels(figure):
        ticks = (*labels_of(axis.xaxis), *labels_of(axis.yaxis))
        named = (axis.xaxis.label, axis.yaxis.label, *ticks, axis.yaxis.get_offset_text())
        found += [*(named if axis.axison else ()), axis.title, *axis.texts]
    for legend in (*figure.legends, *(legend for _, legend in legends(figure))):
        found += [legend.get_title(), *legend.get_texts()]
    shown = [text for text in found if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in shown]


def small(figure):
    if figure.get_size_inches()[0] > PAGE + 1e-9:
        yield f"wider than a page: {figure.get_size_inches()[0]}"
    for text, _ in words(figure):
        if text.get_fontsize() < LEAST_SIZE:
            yield f"{text.get_text()!r} has {text.get_fontsize()} points"


def narrow(figure):
    for axis in panels(figure):
        if not is_bar(axis) and axis.get_window_extent().width < LEAST_WIDTH * figure.dpi:
            yield f"the panel of {axis.get_title()!r} is narrow"


def outside(figure):
    room = figure.bbox.padded(1.0)
    for text, box in words(figure):
        if not (room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1)):
            yield f"{text.get_text()!r} leaves the figure"


def overlapping(figure):
    boxes = [(text.get_text(), box.padded(-SLACK)) for text, box in words(figure)]
    for (first, one), (second, other) in itertools.combinations(boxes, 2):
        if one.overlaps(other):
            yield f"{first!r} and {second!r} overlap"


def points_of(line):
    """Pixels of a line, also between its vertices, and of markers alone where it has no line."""
    vertices = line.get_transform().transform(np.column_stack(line.get_data()))
    vertices = vertices[np.isfinite(vertices).all(axis=1)]
    if line.get_linestyle() in ("None", "", " ") or len(vertices) < 2:
        return vertices
    share = np.linspace(0.0, 1.0, 50)[:, None, None]
    return (vertices[:-1] + share * np.diff(vertices, axis=0)).reshape(-1, 2)


def data_of(axis):
    """Pixels of all lines, bands and bars of a panel."""
    found = [points_of(line) for line in axis.lines]
    for collection in axis.collections:
        for path in collection.get_paths():
            found.append(collection.get_transform().transform(path.vertices))
    return np.concatenate([np.empty((0, 2)), *found])


def covered(figure):
    for axis, legend in legends(figure):
        box, x, y = legend.get_window_extent(), *data_of(axis).T
        panel = axis.get_window_extent()
        is_shown = (x >= panel.x0) & (x <= panel.x1) & (y >= panel.y0) & (y <= panel.y1)
        is_under = (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
        if (is_shown & is_under).any():
            yield f"a legend of {axis.get_title()!r} covers what is drawn"
        room = Bbox.from_extents(panel.x0 - 1, panel.y0 - 1, panel.x1 + 1, panel.y1 + 1)
        if not (room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1)):
            yield f"a legend of {axis.get_title()!r} leaves its panel"


def unlabelled(figure):
    for axis in panels(figure):
        if is_bar(axis):
            if not axis.get_ylabel() and not axis.get_xlabel():
                yield "a colour bar has no label"
        elif axis.axison and not (axis.get_xlabel() and axis.get_ylabel()):
            yield f"an axis of {axis.get_title()!r} has no label"


def unstated(figure):
    for axis in panels(figure):
        for each in (axis.xaxis, axis.yaxis):
            label = each.get_label().get_text().replace("\n", " ")
            # A colour bar takes the scale of its colours.
            if each.get_scale() == "symlog" and "linear within" not in label:
                yield f"{label!r} does not say where it is linear"


def empty(figure):
    for axis in panels(figure):
        if not (axis.has_data() or axis.texts or axis.get_legend()):
            yield f"{axis.get_title()!r} is empty and does not say why"


def all_texts(figure):
    """Everything that a figure writes, in one string."""
    return " ".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())
