"""Figures of the distances from the hierarchy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manybody.papers.kit.config import Record
from manybody.papers.kit.page import Scan, number, numbers
from manybody.papers.snm.hierarchy.cases import GIBBS
from manybody.papers.snm.hierarchy.tables import LATE, MEASURES, MOVING, WITHOUT, distance, name_of
from manybody.report.figures.canvas import colour, grid, marker, put_title

_HEIGHTS = {
    MOVING: r"$\max_t\,\|\rho - \rho_\mathrm{exact}\|_1$",
    LATE: r"$\|\rho - \rho_\mathrm{exact}\|_1$ for $t \to \infty$",
}
_AXES = {
    "coupling": r"coupling $J_\mathrm{int}$",
    "beta": r"inverse temperature $\beta$  $[1/J]$",
    "detuning": r"level splitting $\delta$  $[J]$",
}


def _styles(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker by equation; without the shift open and dotted."""
    names = list(dict.fromkeys(label.removesuffix(WITHOUT) for label in labels))
    found = {}
    for label in labels:
        index = names.index(label.removesuffix(WITHOUT))
        own = {"color": colour(index), "marker": marker(index), "lw": 1.4, "label": name_of(label)}
        open_marker = {"ls": ":", "mfc": "white", "ms": 7, "zorder": 1.5}
        found[label] = own | (open_marker if label.endswith(WITHOUT) else {"ls": "-", "ms": 5})
    return found


def draw_scans(found: Sequence[Scan], key: str, labels: Sequence[str]) -> Any:
    """Both distances against one parameter: a row a scan."""
    figure, axes = grid(2 * len(found), 5.2, 4.0, most=2)
    for row, (title, own) in enumerate(found):
        values = np.array([float(record.case.given[key]) for record in own])
        for axis, measure in zip(axes[2 * row : 2 * row + 2], MEASURES):
            for label, style in _styles(labels).items():
                heights = [distance(record, label, measure) for record in own]
                axis.plot(values, heights, **style)
            if measure == LATE:
                gibbs = [number(record, f"{GIBBS}_late") for record in own]
                axis.plot(values, gibbs, color="black", lw=1.0, ls="--", label=name_of(GIBBS))
            axis.set_yscale("log")
            if key == "coupling":
                anchor = min(distance(own[0], label, measure) for label in labels)
                square = 0.5 * anchor * (values / values[0]) ** 2
                axis.plot(values, square, color="0.6", lw=1.0, zorder=0)
                axis.set_xscale("log", base=2)
            elif np.all(values > 0.0):
                axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
            axis.set_xlabel(_AXES[key], fontsize=11)
            axis.set_ylabel(_HEIGHTS[measure], fontsize=11)
            put_title(axis, title, 11)
        axes[2 * row].legend(fontsize=7, frameon=False, ncols=2)
    return figure


def draw_curves(records: Sequence[Record], titles: Sequence[str], labels: Sequence[str]) -> Any:
    """Distances against time, a panel a case."""
    figure, axes = grid(len(records), 5.2, 4.0, most=2)
    for axis, title, record in zip(axes, titles, records):
        times = np.array(numbers(record, "times"))
        for label, style in _styles(labels).items():
            # At the start all distances are zero.
            own = style | {"marker": ""}
            axis.plot(times[1:], numbers(record, f"{label}_trace")[1:], **own)
        axis.set_yscale("log")
        axis.set_xlabel(r"time $t$  $[1/J]$", fontsize=11)
        axis.set_ylabel(r"$\|\rho - \rho_\mathrm{exact}\|_1$", fontsize=11)
        axis.legend(fontsize=7, frameon=False, ncols=2)
        put_title(axis, title, 11)
    return figure
