"""Redfield, Davies and local equations beside the exact answer of MP."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.papers.kit.config import Record
from manybody.papers.kit.curves import LOG
from manybody.papers.kit.curves_page import largest
from manybody.papers.kit.page import Chapter, Figure, Finding, Part, beside
from manybody.papers.kit.plots import (
    Style,
    array,
    differences,
    draw_zero,
    dress,
    show,
    symmetric_axis,
)
from manybody.papers.mitchison_plenio.cases import ELEMENTS, LEADS, SHIFTED
from manybody.report.figures.canvas import colour, grid, nested, put_legend_below
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import digits, scientific

NAMES = {
    "exact": "exact",
    "epa": "exponential propagator",
    "additive": "additive",
    "redfield": "Redfield",
    SHIFTED: "Redfield with Lamb shift",
    "davies": "Davies",
    "local": "local",
    LEADS: "finite leads",
}
COLOURS = {
    "exact": "black",
    "epa": colour(4),
    "additive": colour(1),
    "redfield": colour(0),
    SHIFTED: colour(5),
    "davies": colour(3),
    "local": colour(2),
}
_DASHES = {"exact": "--", "epa": ":", SHIFTED: ":", "local": (0, (5, 1.5)), "additive": "-."}
AXES = {
    "Gamma": r"$\Gamma$",
    "mu_L": r"$\mu_L$",
    "mu_R": r"$\mu_R$",
    "T_L": r"$T_L$",
    "T_R": r"$T_R$",
}
WORDS = {"Gamma": "Γ", "mu_L": "μ_L", "mu_R": "μ_R", "T_L": "T_L", "T_R": "T_R"}
FLOWS = ("particle_current", "energy_current", "entropy_production")


def equations_chapter(records: list[Record]) -> Part:
    """Distances and currents of every equation against the coupling and the bias."""
    scans = [scan for scan in beside(records, "method") if "exact" in scan]
    rows, findings = [], []
    for scan in scans:
        more, finding = _scan(scan)
        rows += more
        findings.append(finding)
    table = Table(
        "equations",
        "Distance from the exact steady state; relative errors of currents at the two ends",
        (
            Column("scan", "against"),
            Column("method", "method"),
            Column("element", "largest |C − C_exact|", scientific),
            *(
                Column(f"{name}_{end}", f"{words}, {end}", digits(2))
                for name, words in (("particle", "J"), ("energy", "J_E"))
                for end in ("first", "last")
            ),
            Column("violations", "points with entropy production < 0"),
        ),
        tuple(rows),
    )
    figure = Figure(
        "equations",
        "Steady state against the coupling and against the bias: distance of C from the exact "
        "one, currents out of the left lead and entropy production, by the generators of the "
        "package.",
        partial(_draw_equations, scans),
    )
    paragraph = (
        "What master equations say of the same system. Redfield and Davies are of second order in "
        "the coupling; the additive generator is Davies' with the widths of the levels."
    )
    title = "Redfield, Davies and local equations"
    return findings, Chapter(title, (paragraph,), (figure,), (table,))


def _distance(record: Record, exact: Record) -> Real:
    """Largest |element| of C − C_exact at every point."""
    c11, c22, re, im = (array(record, name) - array(exact, name) for name in ELEMENTS)
    return np.asarray(np.max([np.abs(c11), np.abs(c22), np.hypot(re, im)], axis=0))


def _scan(scan: Mapping[str, Record]) -> tuple[list[tuple[Any, ...]], Finding]:
    exact = scan["exact"]
    given = exact.case.given
    over = WORDS.get(given["over"], given["over"])
    x = array(exact, "x")
    rows: list[tuple[Any, ...]] = []
    values: dict[str, float] = {}
    flows: dict[str, Real] = {}
    for method, record in scan.items():
        if method == "exact":
            continue
        far = _distance(record, exact)
        off = {
            name: differences(array(record, name), array(exact, name))
            for name in ("particle_current", "energy_current")
        }
        flows[method] = off["particle_current"]
        violations = int((array(record, "entropy_production") < -1e-14).sum())
        ends = (v for name in off for v in (float(off[name][0]), float(off[name][-1])))
        rows.append(
            (f"{over} = {x[0]:g} to {x[-1]:g}", NAMES[method], float(far.max()), *ends, violations)
        )
        values[f"{NAMES[method]}: largest |C − C_exact|"] = float(far.max())
        values[f"{NAMES[method]}: J at {over} = {x[0]:g}"] = float(off["particle_current"][0])
        values[f"{NAMES[method]}: J at {over} = {x[-1]:g}"] = float(off["particle_current"][-1])
    words = [f"{NAMES[method]} {off[0]:.1g} and {off[-1]:.1g}" for method, off in flows.items()]
    broken = [NAMES[row_method] for row_method, row in zip(flows, rows) if row[-1]]
    law = f"violated by {', '.join(broken)}" if broken else "kept by all of them"
    reference = max(
        largest([exact], "particle_current", "reference_particle"),
        largest([exact], "energy_current", "reference_energy"),
    )
    sentence = (
        f"Against {over}, particle current: relative distance from the exact one at "
        f"{over} = {x[0]:g} and at {x[-1]:g}: {'; '.join(words)}. The second law is {law}. The "
        f"exact currents agree with a quadrature of Green's functions to {reference:.0e}"
    )
    values["exact currents, Green's functions"] = reference
    if "additive" in scan:
        optical = max(
            largest([scan["additive"]], "particle_current", "formula_particle"),
            largest([scan["additive"]], "energy_current", "formula_energy"),
        )
        sentence += f", the additive ones with MP (61), (62) to {optical:.0e}"
        values["additive currents, (61) and (62)"] = optical
    return rows, Finding(f"{sentence}.", values)


def _draw_equations(scans: Sequence[Mapping[str, Record]]) -> Any:
    figure, axes = grid(4 * max(1, len(scans)), 4.9, 3.2, most=2)
    for row, scan in enumerate(scans):
        panels = axes[4 * row : 4 * row + 4]
        for index, method in enumerate(scan):
            _draw_method(panels, scan, method, nested(index, len(scan)))
        _label(panels, scan["exact"].case.given)
    put_legend_below(figure, axes)
    return figure


def _draw_method(
    panels: Any, scan: Mapping[str, Record], method: str, style: Mapping[str, Any]
) -> None:
    """Distance from the exact state, currents and entropy production of one method."""
    exact = scan["exact"]
    own: Style = {**style, "marker": "", "color": COLOURS[method], "label": NAMES[method]}
    own["ls"] = _DASHES.get(method, "-")
    if method == "exact":
        own |= {"lw": 1.4, "zorder": 5}
    else:
        panels[0].plot(array(exact, "x"), _distance(scan[method], exact), **own)
    for axis, name in zip(panels[1:], FLOWS):
        show(axis, scan[method], name, **own)


def _label(panels: Any, given: Mapping[str, Any]) -> None:
    panels[0].set_yscale("log")
    dress(panels[0], y=r"largest $|C - C_\mathrm{exact}|$")
    for axis, name in zip(panels[1:], FLOWS):
        words = name.replace("_", " ")
        dress(axis, y=words)
        if given["spacing"] == LOG:
            symmetric_axis(axis, words, 1e-4)
        else:
            draw_zero(axis)
    for axis in panels:
        dress(axis, AXES.get(given["over"], given["over"]))
        if given["spacing"] == LOG:
            axis.set_xscale("log")
