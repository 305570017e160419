"""Figures of the distances from the hierarchy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manybody.papers.kit.config import Record
from manybody.papers.kit.distances_page import draw_in_time, styles_of
from manybody.papers.kit.page import Scan, number
from manybody.papers.kit.plots import Style, dress, through_zero
from manybody.papers.snm.hierarchy.cases import GIBBS
from manybody.papers.snm.hierarchy.tables import LATE, MEASURES, MOVING, distance, name_of
from manybody.report.figures.canvas import computed_ticks, grid, one_scale, put_legend_below

_HEIGHTS = {
    MOVING: r"$\max_t\,\|\rho - \rho_\mathrm{exact}\|_1$",
    LATE: r"$\|\rho - \rho_\mathrm{exact}\|_1$ for $t \to \infty$",
}
_AXES = {
    "coupling": r"coupling $J_\mathrm{int}$",
    "beta": r"inverse temperature $\beta$  $[1/J]$",
    "detuning": r"level splitting $\delta$  $[J]$",
}


def _styles(labels: Sequence[str]) -> dict[str, Style]:
    return styles_of(labels, name_of, range(len(labels)))


def draw_scans(found: Sequence[Scan], key: str, labels: Sequence[str]) -> Any:
    """Both distances against one parameter: a row a scan."""
    figure, axes = grid(2 * len(found), 4.9, 3.7, most=2)
    for row, (title, own) in enumerate(found):
        values = np.array([float(record.case.given[key]) for record in own])
        for axis, measure in zip(axes[2 * row : 2 * row + 2], MEASURES):
            for label, style in _styles(labels).items():
                heights = [distance(record, label, measure) for record in own]
                axis.plot(values, heights, **style)
            if measure == LATE:
                gibbs = [number(record, f"{GIBBS}_late") for record in own]
                black: Style = {"color": "black", "lw": 1.0, "ls": "--", "zorder": 5}
                axis.plot(values, gibbs, label=name_of(GIBBS), **black)
            axis.set_yscale("log")
            if key == "coupling":
                anchor = min(distance(own[0], label, measure) for label in labels)
                square = 0.5 * anchor * (values / values[0]) ** 2
                grey: Style = {"color": "0.6", "lw": 1.0, "zorder": 0}
                axis.plot(values, square, label=r"$\propto J_\mathrm{int}^2$", **grey)
            dress(axis, _AXES[key], _HEIGHTS[measure], title.replace("J_int", r"$J_\mathrm{int}$"))
            if np.all(values > 0.0):
                axis.set_xscale("log", base=2)
                computed_ticks(axis, values)
            else:
                through_zero(axis, _AXES[key], values)
    notes = {one_scale(axes[place::2]) for place in range(2)}
    put_legend_below(figure, axes, *notes)
    return figure


def draw_curves(drawn: Sequence[tuple[str, Record]], labels: Sequence[str]) -> Any:
    """Distances against time, a panel a case."""
    return draw_in_time(drawn, _styles(labels), r"$\|\rho - \rho_\mathrm{exact}\|_1$", "$J$")
