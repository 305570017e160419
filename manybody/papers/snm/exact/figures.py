"""Figures of the distances from the exact answer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manybody.papers.kit.config import Record
from manybody.papers.kit.page import number, numbers
from manybody.papers.snm.exact.cases import EQUATIONS, LABELS
from manybody.report.figures.canvas import colour, grid, marker, put_title

NAMES = {"exact": "exact"} | {
    label: label.replace("_", " ").replace("redfield", "Redfield").replace("davies", "Davies")
    for label in LABELS
}
# Of Redfield, Davies and the local equation.
_COLOURS = {equation: colour(index) for equation, index in zip(EQUATIONS, (0, 3, 1))}
Scan = tuple[str, list[Record]]


def _style(label: str) -> dict[str, Any]:
    """Colour by equation; without the shift open and dotted."""
    equation, _, without = label.partition("_")
    index = EQUATIONS.index(equation)
    plain = {"color": _COLOURS[equation], "lw": 1.5, "label": NAMES[label]}
    if without:
        return plain | {"ls": ":", "marker": marker(index), "mfc": "white", "ms": 8, "zorder": 1.5}
    return plain | {"ls": "-", "marker": marker(index), "ms": 5}


def draw_scans(found: Sequence[Scan], key: str, error_of: Callable[[Record, str], float]) -> Any:
    """Distances against one parameter, a panel a scan."""
    figure, axes = grid(len(found), 5.0, 4.0, most=2)
    for axis, (title, own) in zip(axes, found):
        values = np.array([float(record.case.given[key]) for record in own])
        for label in LABELS:
            axis.plot(values, [error_of(record, label) for record in own], **_style(label))
        if key == "strength":
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
            anchor = error_of(own[0], "redfield")
            axis.plot(
                values, 0.5 * anchor * (values / values[0]) ** 2, color="0.6", lw=1.0, zorder=0
            )
            axis.set_xlabel("coupling strength J", fontsize=11)
        else:
            axis.set_xlabel(r"number of sites $N$", fontsize=11)
        axis.set_yscale("log")
        axis.set_ylabel(r"$\|C - C_\mathrm{exact}\|_1$", fontsize=11)
        axis.legend(fontsize=8, frameon=False)
        put_title(axis, title, 11)
    return figure


def draw_curves(drawn: Sequence[tuple[str, Record]]) -> Any:
    """Distances against time, a panel a case."""
    figure, axes = grid(len(drawn), 4.6, 3.8)
    for axis, (title, record) in zip(axes, drawn):
        times = np.array(numbers(record, "times"))
        for label in LABELS:
            style = _style(label) | {"marker": ""}
            # At the start all distances are zero.
            axis.plot(times[1:], numbers(record, f"{label}_trace")[1:], **style)
        axis.set_yscale("log")
        axis.set_xlabel(r"time $t$  $[1/J]$", fontsize=11)
        axis.set_ylabel(r"$\|C - C_\mathrm{exact}\|_1$", fontsize=11)
        axis.legend(fontsize=8, frameon=False, ncols=2)
        put_title(axis, title, 11)
    return figure


def draw_detuning(found: Sequence[Scan]) -> Any:
    """Distance, currents and entropy production against detuning: a row a scan."""
    figure, axes = grid(4 * len(found), 4.2, 3.6, most=4)
    for row, (title, own) in enumerate(found):
        panels = axes[4 * row : 4 * row + 4]
        detunings = np.array([float(record.case.given["detuning"]) for record in own])
        for equation in EQUATIONS:
            style = _style(equation) | {"ms": 4}
            errors = [number(record, f"{equation}_trace") for record in own]
            panels[0].plot(detunings, errors, **style)
            for axis, kind in zip(panels[1:3], ("particle", "energy")):
                flows = [numbers(record, f"{equation}_{kind}")[0] for record in own]
                axis.plot(detunings, flows, **style)
            made = [number(record, f"{equation}_entropy") for record in own]
            panels[3].plot(detunings, made, **style)
        exact = {"color": "black", "lw": 1.2, "ls": "--", "label": "exact", "zorder": 5}
        for axis, kind in zip(panels[1:3], ("particle", "energy")):
            axis.plot(detunings, [numbers(r, f"exact_{kind}")[0] for r in own], **exact)
        panels[3].plot(detunings, [number(r, "exact_entropy") for r in own], **exact)
        panels[0].set_yscale("log")
        labels = (
            r"$\|C - C_\mathrm{exact}\|_1$",
            "particle current",
            "energy current",
            "entropy production",
        )
        for axis, label in zip(panels, labels):
            axis.set_xlabel(r"detuning $\delta = h_{11} - h_{22}$", fontsize=11)
            axis.set_ylabel(label, fontsize=11)
        for axis in panels[1:]:
            # Small currents far from resonance are where signs go wrong.
            smallest = np.abs(axis.lines[-1].get_ydata()).min()
            decade = 10.0 ** np.ceil(np.log10(smallest))
            axis.set_yscale("symlog", linthresh=decade)
            axis.axhline(0.0, color="0.7", lw=0.8, zorder=0)
        panels[0].legend(fontsize=9, frameon=False)
        panels[1].legend(fontsize=9, frameon=False)
        put_title(panels[0], title, 11)
    return figure
