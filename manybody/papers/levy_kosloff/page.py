"""The page of LK: figure by figure ours, the formulas and their difference, and the errata."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.curves import ERRATA, LOG
from manybody.papers.kit.curves_page import (
    FORMULA,
    PRINTED,
    array,
    chapter_of,
    curves_table,
    difference_table,
    differences,
    errata_chapter,
    figures_of,
    largest,
    show_difference,
    spread,
    symmetric_logarithm,
)
from manybody.papers.kit.page import Chapter, Figure, Finding, Page, cases_table, grouped
from manybody.papers.levy_kosloff.cases import AGAINST_COUPLING, AGAINST_FREQUENCY, MAP
from manybody.papers.levy_kosloff.errata import ERRATA as MISPRINTS
from manybody.report.figures.canvas import colour, grid, put_title
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import digits

_COLOURS = {"local": colour(0), "global": colour(3), "redfield": colour(2)}
_NAMES = {"local": "local", "global": "global (Davies)", "redfield": "Redfield"}
_MEDIA = {"boson": "oscillators", "tls": "two-level systems"}
_SYMBOLS = {"epsilon": r"$\varepsilon$", "omega_h": r"$\omega_h$"}
_WORDS = {"epsilon": "ε", "omega_h": "ω_h"}
_NAME_OF = {AGAINST_COUPLING: "Fig. 3", AGAINST_FREQUENCY: "Fig. 4"}
# Currents of two equations agree that far.
_CLOSE = 0.01
_SCAN = (
    "figure",
    "over",
    "from",
    "to",
    "spacing",
    "omega_h",
    "omega_c",
    "T_h",
    "T_c",
    "epsilon",
    "kappa",
    "statistics",
)


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    found = figures_of(records)
    findings: list[Finding] = []
    chapters: list[Chapter] = [_setting()]
    if MAP in found:
        finding, chapter = _second_law(found[MAP])
        findings.append(finding)
        chapters.append(chapter)
    for figure in (AGAINST_COUPLING, AGAINST_FREQUENCY):
        if figure in found:
            finding, chapter = _curves(figure, found[figure])
            findings.append(finding)
            chapters.append(chapter)
    narrow = [r for r in found.get(AGAINST_FREQUENCY, []) if r.case.given["over"] == "epsilon"]
    findings += _resonance(narrow)
    more, errata = errata_chapter("Levy and Kosloff", MISPRINTS, found.get(ERRATA, []))
    data = (cases_table(records), curves_table(records))
    return Page((*findings, *more), (*chapters, *errata), data)


def _setting() -> Chapter:
    lines = (
        "Two nodes, oscillators or two-level systems of frequencies ω_h and ω_c, exchange "
        "excitations at ε; one touches a hot bath, the other a cold one, with the rates "
        "γ = κω³/(1 − e^{−βω}) of LK (15). Local: each bath sees its own node, LK (6)-(8); "
        "global: the Davies equation, (11) and (12); Redfield: the same without the secular "
        "approximation. All come from the generators of the package, none from a formula of the "
        "paper; differences are relative, |x − y| over the larger of both.",
    )
    return Chapter("What is compared", lines)


def _second_law(records: list[Record]) -> tuple[Finding, Chapter]:
    rows = []
    words: list[str] = []
    values: dict[str, float] = {}
    maps = grouped(records, lambda given: (given["approach"], given["statistics"]))
    for (approach, statistics), own in maps.items():
        violated = total = astray = 0
        for record in own:
            production, given = array(record, "entropy_production"), record.case.given
            border = given["omega_c"] * given["T_h"] / given["T_c"]
            expected = (array(record, "x") > border) & (given["T_h"] > given["T_c"])
            violated += int((production < 0.0).sum())
            astray += int(((production < 0.0) != expected).sum())
            total += len(production)
        difference = largest(own, "heat_current_hot", "formula_heat")
        has_formula = any("formula_heat" in record.results for record in own)
        rows.append(
            (
                _NAMES[approach],
                _MEDIA[statistics],
                total,
                violated,
                violated / total,
                astray if approach == "local" else None,
                difference if has_formula else None,
            )
        )
        name = f"{_NAMES[approach]}, {_MEDIA[statistics]}"
        values[f"{name}: points"], values[f"{name}: violations"] = total, violated
        words.append(f"{name}: {violated} of {total}")
        if approach == "local":
            words[-1] += (
                f" (the side of ω_h/T_h = ω_c/T_c that LK (9) names, but for {astray} points)"
                if astray
                else " (exactly the side of ω_h/T_h = ω_c/T_c that LK (9) names)"
            )
            values[f"{name}: points off the border of (9)"] = astray
    sentence = f"Fig. 2. Points where the second law is violated: {'; '.join(words)}."
    table = Table(
        "second-law",
        "Second law in (ω_h, T_h)",
        (
            Column("equation", "equation"),
            Column("medium", "nodes"),
            Column("points", "points"),
            Column("violations", "violations"),
            Column("share", "share", digits(3)),
            Column("astray", "not as (9)", digits(6)),
            Column("difference", "largest difference from the formula", digits(2)),
        ),
        tuple(rows),
    )
    drawn = {key: own for key, own in maps.items() if len(own) > 1}
    figures = (
        (
            Figure(
                "figure-2",
                "Entropy production against ω_h and T_h; hatched: negative. Black: where its "
                "sign changes in our numbers; dashed: ω_h/T_h = ω_c/T_c.",
                partial(_draw_maps, drawn),
            ),
        )
        if drawn
        else ()
    )
    paragraph = "The paper draws the local equation of oscillators; the others stand beside it."
    chapter = Chapter("Fig. 2: entropy production", (paragraph,), figures, (table,))
    return Finding(sentence, values), chapter


def _draw_maps(maps: dict[tuple[str, str], list[Record]]) -> Any:
    from matplotlib.colors import SymLogNorm

    ordered = sorted(maps.items(), key=lambda item: (item[0][1], list(_NAMES).index(item[0][0])))
    figure, axes = grid(len(ordered), 4.4, 3.8)
    for axis, ((approach, statistics), own) in zip(axes, ordered):
        own = sorted(own, key=lambda record: float(record.case.given["T_h"]))
        hot = np.array([record.case.given["T_h"] for record in own])
        given = own[0].case.given
        x, production = array(own[0], "x"), np.array([array(r, "entropy_production") for r in own])
        # Resonances would take most of the colours.
        size = float(np.quantile(np.abs(production), 0.96)) or 1.0
        norm = SymLogNorm(symmetric_logarithm([production]), vmin=-size, vmax=size)
        mesh = axis.pcolormesh(
            x, hot, production, norm=norm, cmap="RdBu_r", shading="nearest", rasterized=True
        )
        bar = figure.colorbar(mesh, ax=axis, pad=0.02, extend="both")
        bar.set_ticks(norm.inverse(np.linspace(0.0, 1.0, 7)))
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0e}")
        bar.minorticks_off()
        if (production < 0.0).any():
            axis.contourf(
                x,
                hot,
                np.where(production < 0.0, 1.0, 0.0),
                levels=[0.5, 1.5],
                colors="none",
                hatches=["///"],
            )
            axis.contour(x, hot, production, levels=[0.0], colors="black", linewidths=1.6)
        border = given["omega_c"] * hot / given["T_c"]
        axis.plot(border, hot, color="black", ls="--", lw=1.0)
        axis.set_xlim(x[0], x[-1])
        axis.set_xlabel(r"$\omega_h$", fontsize=11)
        axis.set_ylabel(r"$T_h$", fontsize=11)
        put_title(axis, f"{_NAMES[approach]}, {_MEDIA[statistics]}", 11)
    return figure


def _scans(records: Sequence[Record]) -> list[list[Record]]:
    """Cases that differ in the approach alone."""
    return list(grouped(records, lambda given: tuple(given.get(key) for key in _SCAN)).values())


def _title(given: Any) -> str:
    return (
        f"{_MEDIA[given['statistics']]}, {_WORDS[given['over']]} from {given['from']:g} to "
        f"{given['to']:g}"
    )


def _curves(figure: str, records: list[Record]) -> tuple[Finding, Chapter]:
    name = _NAME_OF[figure]
    rows: list[tuple[str, str, str, float]] = []
    words, misprint = [], ""
    values: dict[str, float] = {}
    for approach, formula in (("local", "(9)"), ("global", "(13) corrected")):
        own = [r for r in records if r.case.given["approach"] == approach]
        has = [r for r in own if "formula_heat" in r.results]
        if not has:
            continue
        heat = largest(has, "heat_current_hot", "formula_heat")
        people = largest(has, "population_a", "formula_population")
        rows += [
            (name, f"J_h, {approach}", formula, heat),
            (name, f"⟨a†a⟩, {approach}", "(8)" if approach == "local" else "(11), (12)", people),
        ]
        values[f"largest difference from {formula}"] = heat
        words.append(f"LK {formula} to {heat:.1e}")
        if approach == "global":
            printed = largest(has, "heat_current_hot", "printed_heat")
            rows.append((name, "J_h, global", "(13) as printed", printed))
            values["largest difference from (13) as printed"] = printed
            misprint = f"; (13) as printed is off by up to {printed:.2g}"
    sentence = f"{name}. J_h agrees with {', '.join(words)}{misprint}." if words else f"{name}."
    for approach in ("local", "global"):
        own = [
            r
            for r in records
            if r.case.given["approach"] == approach and r.case.given["statistics"] == "boson"
        ]
        if own:
            signs = np.concatenate([array(r, "heat_current_hot") for r in own])
            values[f"share of points with J_h < 0, {approach}"] = float((signs < 0.0).mean())
            sentence += (
                f" The {approach} equation of oscillators sends heat from cold to hot at "
                f"{int((signs < 0.0).sum())} of {len(signs)} points."
            )
    table = difference_table(f"{figure}-differences", f"{name}: ours against the formulas", rows)
    picture = Figure(
        figure,
        f"{name}. First column: J_h; second: ⟨a†a⟩; third: largest relative difference of J_h "
        "and ⟨a†a⟩ from the formula of the paper. Circles: the generators; lines: LK (9), (8), "
        "(13) corrected; dashed: (13) as printed. Redfield has no formula.",
        partial(_draw_curves, _scans(records)),
    )
    paragraph = (
        "Local and global equations as in the paper, and Redfield's beside them; two-level "
        "systems, for which the paper gives (9) alone, below."
    )
    return Finding(sentence, values), chapter_of(
        f"{name}: current and population", paragraph, picture, table
    )


def _draw_curves(scans: Sequence[list[Record]]) -> Any:
    figure, axes = grid(3 * len(scans), 4.3, 3.3)
    for row, scan in enumerate(scans):
        heat, people, apart = axes[3 * row : 3 * row + 3]
        given = scan[0].case.given
        for record in scan:
            approach = record.case.given["approach"]
            x, style = array(record, "x"), {"color": _COLOURS[approach]}
            every = max(1, len(x) // 30)
            marks = {"ls": "", "marker": "o", "ms": 3.4, "markevery": every}
            for axis, ours, formula in (
                (heat, "heat_current_hot", "formula_heat"),
                (people, "population_a", "formula_population"),
            ):
                if formula in record.results:
                    axis.plot(x, array(record, ours), label=_NAMES[approach], **marks, **style)
                    axis.plot(x, array(record, formula), **FORMULA, **style)
                    off = differences(array(record, ours), array(record, formula))
                    label = f"{_NAMES[approach]}, " + ("J_h" if axis is heat else "⟨a†a⟩")
                    kind = {"ls": "-" if axis is heat else ":"}
                    show_difference(apart, x, off, lw=1.2, label=label, **kind, **style)
                else:
                    dotted = {"ls": (0, (4, 1.5)), "lw": 1.6, "alpha": 0.9}
                    axis.plot(x, array(record, ours), label=_NAMES[approach], **dotted, **style)
            if "printed_heat" in record.results:
                heat.plot(
                    x,
                    array(record, "printed_heat"),
                    label="(13) as printed",
                    **(PRINTED | {"color": "black", "lw": 1.0}),
                )
                off = differences(array(record, "printed_heat"), array(record, "formula_heat"))
                show_difference(
                    apart, x, off, ls="--", lw=1.0, color="black", label="(13) as printed, J_h"
                )
        _label(heat, people, apart, given)
    return figure


def _label(heat: Any, people: Any, apart: Any, given: Any) -> None:
    for axis in (heat, people, apart):
        axis.set_xlabel(_SYMBOLS[given["over"]], fontsize=11)
        if given["spacing"] == LOG:
            axis.set_xscale("log")
    heat.set_ylabel(r"heat current $J_h$", fontsize=11)
    people.set_ylabel(r"population $\langle a^\dagger a\rangle$", fontsize=11)
    if given["spacing"] != LOG:
        heat.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    drawn = [line.get_ydata() for line in heat.lines if len(line.get_ydata()) > 2]
    if given["spacing"] == LOG:
        heat.set_yscale("log")
        heat.set_ylim(0.3 * min(one.min() for one in drawn), None)
    elif spread(drawn) > 1e3:
        heat.set_yscale("symlog", linthresh=symmetric_logarithm(drawn))
    apart.set_ylim(1e-18, 10.0)
    put_title(heat, _title(given), 10, 60)
    for axis in (heat, apart):
        if axis.lines:
            axis.legend(fontsize=7.5, frameon=False)


def _resonance(records: Sequence[Record]) -> list[Finding]:
    """Which equation follows Redfield's at the resonance, and where they part."""
    by_approach = {record.case.given["approach"]: record for record in records}
    if set(by_approach) != {"local", "global", "redfield"}:
        return []
    truth = array(by_approach["redfield"], "heat_current_hot")
    epsilon = array(by_approach["redfield"], "x")
    kappa = by_approach["redfield"].case.given["kappa"]
    off = {
        name: differences(array(by_approach[name], "heat_current_hot"), truth)
        for name in ("local", "global")
    }
    wrong = epsilon[off["global"] > _CLOSE]
    above = wrong[wrong > kappa]
    worst = float(off["global"][epsilon > kappa].max()) if (epsilon > kappa).any() else 0.0
    agrees = float(off["local"][off["global"] > _CLOSE].max()) if len(wrong) else 0.0
    border = float(wrong.max() / kappa) if len(wrong) else 0.0
    values = {
        "ε/κ below which the global current is off": border,
        "largest difference of the global current for ε > κ": worst,
        "largest difference of the local current there": agrees,
    }
    if not len(above):
        return [Finding("At the resonance the global current is right for all ε > κ.", values)]
    sentence = (
        f"At the resonance of Fig. 4 the global current is off from Redfield's by more than "
        f"{100 * _CLOSE:g} % up to ε = {border:.3g} κ, where the paper says ε < κ; the local one "
        f"follows Redfield there to {agrees:.1e}."
    )
    return [Finding(sentence, values)]
