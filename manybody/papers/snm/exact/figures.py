"""Figures of the distances from the exact answer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manybody.papers.kit.config import Record
from manybody.papers.kit.distances_page import draw_in_time, styles_of
from manybody.papers.kit.page import Scan, number, numbers
from manybody.papers.kit.plots import Style, dress, symmetric_axis, through_zero
from manybody.papers.snm.exact.cases import EQUATIONS, LABELS
from manybody.report.figures.canvas import computed_ticks, grid, one_scale, put_legend_below

NAMES = {"exact": "exact"} | {
    label: label.replace("_", " ").replace("redfield", "Redfield").replace("davies", "Davies")
    for label in LABELS
}
# Of Redfield, Davies and the local equation.
_COLOURS = (0, 3, 1)
_HEIGHT = r"$\|C - C_\mathrm{exact}\|_1$"
# J is the strength of the coupling here.
_UNIT = "unit of energy"
_FLOWS = ("particle current", "energy current", "entropy production")
_DETUNING = rf"detuning $\delta = h_{{11}} - h_{{22}}$  [{_UNIT}]"
_AXES = {
    "strength": r"coupling strength $J$",
    "n_sites": r"number of sites $N$",
    "rate": rf"rate of driving $\nu$  [{_UNIT}]",
}


def styles(labels: Sequence[str]) -> dict[str, Style]:
    """Of some of the equations."""
    return styles_of(labels, NAMES.__getitem__, _COLOURS)


def draw_scans(
    found: Sequence[Scan],
    key: str,
    error_of: Callable[[Record, str], float],
    labels: Sequence[str] = LABELS,
) -> Any:
    """Distances against one parameter, a panel a scan."""
    figure, axes = grid(len(found), 4.9, 3.7, most=2)
    for axis, (title, own) in zip(axes, found):
        values = np.array([float(record.case.given[key]) for record in own])
        for label, style in styles(labels).items():
            axis.plot(values, [error_of(record, label) for record in own], **style)
        if key == "strength":
            axis.set_xscale("log", base=2)
            square = 0.5 * error_of(own[0], "redfield") * (values / values[0]) ** 2
            axis.plot(values, square, color="0.6", lw=1.0, zorder=0, label=r"$\propto J^2$")
        axis.set_yscale("log")
        dress(axis, _AXES[key], _HEIGHT, title)
        if key == "rate":
            through_zero(axis, _AXES[key], values)
        else:
            computed_ticks(axis, values)
    put_legend_below(figure, axes, one_scale(axes))
    return figure


def draw_curves(drawn: Sequence[tuple[str, Record]]) -> Any:
    """Distances against time, a panel a case."""
    return draw_in_time(drawn, styles(LABELS), _HEIGHT, _UNIT)


def draw_detuning(found: Sequence[Scan]) -> Any:
    """Distance, currents and entropy production against detuning: four panels a scan."""
    figure, axes = grid(4 * len(found), 4.9, 3.3, most=2)
    for row, (title, own) in enumerate(found):
        panels = axes[4 * row : 4 * row + 4]
        detunings = np.array([float(record.case.given["detuning"]) for record in own])
        for equation, style in styles(EQUATIONS).items():
            _draw_flows(panels, detunings, own, equation, style)
            errors = [number(record, f"{equation}_trace") for record in own]
            panels[0].plot(detunings, errors, **style)
        exact: Style = {"color": "black", "lw": 1.2, "ls": "--", "label": "exact", "zorder": 5}
        _draw_flows(panels, detunings, own, "exact", exact)
        panels[0].set_yscale("log")
        for axis in panels:
            dress(axis, _DETUNING, _HEIGHT, title)
        for axis, height in zip(panels[1:], _FLOWS):
            # Small currents far from resonance are where signs go wrong.
            smallest = np.abs(axis.lines[-1].get_ydata()).min()
            symmetric_axis(axis, height, 10.0 ** np.ceil(np.log10(smallest)))
    notes = {one_scale(axes[place::4]) for place in range(4)}
    put_legend_below(figure, axes, *notes)
    return figure


def _draw_flows(
    panels: Any, detunings: Any, own: Sequence[Record], label: str, style: Style
) -> None:
    """Currents out of the first reservoir and entropy production, on all panels but the first."""
    for axis, kind in zip(panels[1:3], ("particle", "energy")):
        axis.plot(detunings, [numbers(record, f"{label}_{kind}")[0] for record in own], **style)
    panels[3].plot(detunings, [number(record, f"{label}_entropy") for record in own], **style)
