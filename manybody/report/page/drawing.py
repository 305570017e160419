"""A matplotlib figure as a page shows it: panels cut from its SVG, which flow with the width.

Panels of one figure have one frame, so that their axes line up however many stand side by side.
"""

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_GROUP, _DEFINITIONS = f"{{{_SVG}}}g", f"{{{_SVG}}}defs"
ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _LINK)
# Left, top, width and height in points, from the left upper corner of the figure.
Box = tuple[float, float, float, float]
Edges = tuple[float, float, float, float]


@dataclass(frozen=True)
class Panel:
    """Groups of the SVG that are drawn together, by their names, and the frame around them.

    is_wide: whether it is of all panels, as a legend below them.
    """

    groups: tuple[str, ...]
    box: Box
    is_wide: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text, and its panels; without panels it is shown whole."""

    svg: str
    panels: tuple[Panel, ...] = ()

    def parts(self, prefix: str) -> list[tuple[Panel, str]]:
        """Every panel and its content, all names in which begin with the prefix."""
        root = ElementTree.fromstring(_prefixed(self.svg, prefix))
        shared = [each for each in root if each.tag == _DEFINITIONS]
        figure = next(each for each in root if each.tag == _GROUP)
        groups = {each.get("id", ""): each for each in figure}
        names = {name for panel in self.panels for name in panel.groups}
        panels = self.panels
        # What belongs to no panel, beside the background, must not be lost.
        if {f"{prefix}{name}" for name in names} != set(groups) - {f"{prefix}patch_1"}:
            panels = ()
        if not panels:
            left, top, width, height = map(float, root.get("viewBox", "0 0 1 1").split())
            return [(Panel((), (left, top, width, height)), _text([*shared, figure]))]
        drawn = [[groups[f"{prefix}{name}"] for name in panel.groups] for panel in panels]
        drawn[0] = [*shared, *drawn[0]]
        return [(panel, _text(own)) for panel, own in zip(panels, drawn)]


def _prefixed(svg: str, prefix: str) -> str:
    """SVG whose names are its own, whatever else is on the page; without its own styles."""
    svg = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{prefix}", svg)


def _text(elements: Sequence[ElementTree.Element]) -> str:
    return "\n".join(ElementTree.tostring(each, encoding="unicode") for each in elements)


def drawing_of(figure: Any) -> Drawing:
    """The drawing of a figure that is laid out."""
    for index, part in enumerate([*figure.axes, *_common(figure)]):
        part.set_gid(f"panel_{index}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True)
    return Drawing(buffer.getvalue().decode(), tuple(_panels(figure)))


def _panels(figure: Any) -> list[Panel]:
    """One for all axes of a place in the grid, with the colour bars beside it."""
    visible = [axis for axis in figure.axes if axis.get_visible()]
    places: dict[Any, list[Any]] = {}
    for axis in visible:
        if axis.get_subplotspec() is not None:
            places.setdefault(_place(axis), []).append(axis)
    if len(places) < 2:
        return []
    for axis in visible:
        if axis.get_subplotspec() is None:
            places[min(places, key=lambda key: _distance(places[key][0], axis))].append(axis)
    common = [
        Panel((part.get_gid(),), _within(_extent(figure, part.get_window_extent())), True)
        for part in _common(figure)
    ]
    return [*_framed(figure, list(places.values())), *common]


def _common(figure: Any) -> list[Any]:
    """What is of no axes."""
    return [*figure.legends, *figure.texts]


def _place(axis: Any) -> tuple[int, int]:
    found = axis.get_subplotspec()
    return found.num1, found.num2


def _distance(axis: Any, other: Any) -> float:
    """Of two axes, from edge to edge across, far apart where they share no height."""
    one, two = axis.get_position(), other.get_position()
    across = max(0.0, two.x0 - one.x1, one.x0 - two.x1)
    down = max(0.0, two.y0 - one.y1, one.y0 - two.y1)
    return float(across + 10.0 * down)


def _framed(figure: Any, places: list[list[Any]]) -> list[Panel]:
    """Panels whose frames stand out from their axes by what the widest needs."""
    inner = [_extent(figure, axes[0].get_window_extent()) for axes in places]
    outer = [_union([_extent(figure, axis.get_tightbbox()) for axis in axes]) for axes in places]
    margins = [
        max([0.0, *(sign * (own[side] - out[side]) for own, out in zip(inner, outer))])
        for side, sign in enumerate((1.0, 1.0, -1.0, -1.0))
    ]
    found = []
    for axes, (left, top, right, bottom) in zip(places, inner):
        edges = left - margins[0], top - margins[1], right + margins[2], bottom + margins[3]
        found.append(Panel(tuple(axis.get_gid() for axis in axes), _within(edges)))
    return found


def _within(edges: Edges) -> Box:
    """The frame of left, top, right and bottom, a little wider."""
    left, top, right, bottom = edges
    return left - 2.0, top - 2.0, right - left + 4.0, bottom - top + 4.0


def _extent(figure: Any, extent: Any) -> Edges:
    """Left, top, right and bottom in points from the left upper corner."""
    scale, height = 72.0 / figure.dpi, 72.0 * figure.get_figheight()
    x, y = (scale * extent.x0, scale * extent.x1), (scale * extent.y0, scale * extent.y1)
    return x[0], height - y[1], x[1], height - y[0]


def _union(edges: Sequence[Edges]) -> Edges:
    left, top, right, bottom = zip(*edges)
    return min(left), min(top), max(right), max(bottom)
