"""The page of LK: figure by figure ours, the formulas and their difference, and the errata."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.curves import LOG
from manybody.papers.kit.curves_page import compared, largest, paper_page
from manybody.papers.kit.page import Chapter, Figure, Finding, Page, Part, beside, grouped
from manybody.papers.kit.plots import (
    Style,
    array,
    differences,
    draw_zero,
    dress,
    linear_within,
    power_words,
    show,
    show_apart,
    show_ours,
    spread,
    symmetric_axis,
    symmetric_logarithm,
    symmetric_ticks,
)
from manybody.papers.levy_kosloff.cases import AGAINST_COUPLING, AGAINST_FREQUENCY, MAP
from manybody.papers.levy_kosloff.errata import ERRATA
from manybody.papers.levy_kosloff.nodes import POSITION
from manybody.report.figures.canvas import (
    SMALL,
    colour,
    grid,
    leave_out,
    put_labels,
    put_legend_below,
)
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import digits

_COLOURS = {"local": colour(0), "global": colour(3), "redfield": colour(2)}
# Rings around squares, and lines of three widths: where equations agree, all of them show.
_CIRCLES: dict[str, Style] = {
    "local": {"marker": "o", "ms": 7.5, "mfc": "none", "mew": 1.3},
    "global": {"marker": "s", "ms": 3.5},
}
_WIDTHS = {"local": 3.2, "global": 1.8, "redfield": 1.2}
_NAMES = {"local": "local", "global": "global (Davies)", "redfield": "Redfield"}
_MEDIA = {"boson": "oscillators", "tls": "two-level systems"}
_SYMBOLS = {"epsilon": r"$\varepsilon$", "omega_h": r"$\omega_h$"}
_WORDS = {"epsilon": "ε", "omega_h": "ω_h"}
_NAME_OF = {AGAINST_COUPLING: "Fig. 3", AGAINST_FREQUENCY: "Fig. 4"}
# Currents of two equations agree that far.
_CLOSE = 0.01
_SETTING = (
    "Two nodes, oscillators or two-level systems of frequencies ω_h and ω_c, exchange "
    "excitations at ε; one touches a hot bath, the other a cold one, with the rates "
    "γ = κω³/(1 − e^{−βω}) of LK (15). Local: each bath sees its own node, LK (6)-(8); "
    "global: the Davies equation, (11) and (12); Redfield: the same without the secular "
    "approximation. All come from the generators of the package, none from a formula of the "
    "paper; differences are relative, |x − y| over the larger of both."
)
_SOURCE = (
    "A. Levy and R. Kosloff (LK), The local approach to quantum transport may violate the "
    "second law of thermodynamics, EPL 107, 20004 (2014), arXiv:1402.3825."
)


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    return paper_page(
        "Levy and Kosloff",
        ERRATA,
        (_SETTING, _SOURCE),
        records,
        {
            MAP: _second_law,
            AGAINST_COUPLING: partial(_curves, AGAINST_COUPLING),
            AGAINST_FREQUENCY: _against_frequency,
        },
    )


def _medium(given: Mapping[str, Any]) -> str:
    """What the nodes are, and their contact where it is not exchange."""
    contact = ", (a + a†)R" if given.get("contact") == POSITION else ""
    return f"{_MEDIA[given['statistics']]}{contact}"


def _second_law(records: list[Record]) -> Part:
    rows = []
    words: list[str] = []
    values: dict[str, float] = {}
    maps = grouped(records, lambda given: (given["approach"], _medium(given)))
    for (approach, medium), own in maps.items():
        violated, total, astray = _violations(own)
        has_formula = any("formula_heat" in record.results for record in own)
        rows.append(
            (
                _NAMES[approach],
                medium,
                total,
                violated,
                violated / total,
                astray if approach == "local" else None,
                largest(own, "heat_current_hot", "formula_heat") if has_formula else None,
            )
        )
        name = f"{_NAMES[approach]}, {medium}"
        values[f"{name}: points"], values[f"{name}: violations"] = total, violated
        words.append(f"{name}: {violated} of {total}")
        if approach == "local":
            side = "the side of ω_h/T_h = ω_c/T_c that LK (9) names"
            words[-1] += f" ({side}, but for {astray} points)" if astray else f" (exactly {side})"
            values[f"{name}: points off the border of (9)"] = astray
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
    picture = Figure(
        MAP,
        "LK Fig. 2. Entropy production against ω_h and T_h; hatched: negative. Black: where its "
        "sign changes in our numbers; dashed: ω_h/T_h = ω_c/T_c.",
        partial(_draw_maps, drawn),
    )
    paragraph = "The paper draws the local equation of oscillators; the others stand beside it."
    title, figures = "Fig. 2: entropy production", (picture,) if drawn else ()
    chapter = Chapter(title, (paragraph,), figures, (table,))
    sentence = f"Fig. 2. Points where the second law is violated: {'; '.join(words)}."
    return [Finding(sentence, values)], chapter


def _violations(own: Sequence[Record]) -> tuple[int, int, int]:
    """Points of negative entropy production, all points, and those that (9) has wrong."""
    violated = total = astray = 0
    for record in own:
        production, given = array(record, "entropy_production"), record.case.given
        border = given["omega_c"] * given["T_h"] / given["T_c"]
        expected = (array(record, "x") > border) & (given["T_h"] > given["T_c"])
        violated += int((production < 0.0).sum())
        astray += int(((production < 0.0) != expected).sum())
        total += len(production)
    return violated, total, astray


def _draw_maps(maps: dict[tuple[str, str], list[Record]]) -> Any:
    ordered = sorted(maps.items(), key=lambda item: (item[0][1], list(_NAMES).index(item[0][0])))
    figure, axes = grid(len(ordered), 3.3, 2.9)
    # One scale of colours for all equations of a kind of nodes.
    media = {medium for _, medium in maps}
    norms = {m: _norm_of([own for (_, other), own in ordered if other == m]) for m in media}
    for axis, ((approach, medium), own) in zip(axes, ordered):
        rows = sorted(own, key=lambda record: float(record.case.given["T_h"]))
        _draw_map(figure, axis, rows, norms[medium])
        dress(axis, r"$\omega_h$", r"$T_h$", f"{_NAMES[approach]}, {medium}")
    return figure


def _norm_of(maps: Sequence[Sequence[Record]]) -> Any:
    """Colours of entropy productions, up to the size that resonances alone exceed."""
    from matplotlib.colors import SymLogNorm

    every = np.concatenate([array(record, "entropy_production") for own in maps for record in own])
    size = float(np.quantile(np.abs(every), 0.96)) or 1.0
    return SymLogNorm(min(symmetric_logarithm([every]), 0.1 * size), vmin=-size, vmax=size)


def _draw_map(figure: Any, axis: Any, own: Sequence[Record], norm: Any) -> None:
    hot = np.array([record.case.given["T_h"] for record in own])
    given = own[0].case.given
    x, production = array(own[0], "x"), np.array([array(r, "entropy_production") for r in own])
    colours: Style = {"norm": norm, "cmap": "RdBu_r"}
    mesh = axis.pcolormesh(x, hot, production, shading="nearest", rasterized=True, **colours)
    bar = figure.colorbar(mesh, ax=axis, pad=0.02, extend="both")
    ticks = symmetric_ticks(norm.linthresh, norm.vmax)
    bar.set_ticks(ticks, labels=[power_words(tick) for tick in ticks])
    bar.minorticks_off()
    put_labels(bar.ax, up=linear_within("entropy production", norm.linthresh))
    bar.ax.tick_params(labelsize=SMALL)
    if (production < 0.0).any():
        negative = np.where(production < 0.0, 1.0, 0.0)
        axis.contourf(x, hot, negative, levels=[0.5, 1.5], colors="none", hatches=["///"])
        axis.contour(x, hot, production, levels=[0.0], colors="black", linewidths=1.6)
    border = given["omega_c"] * hot / given["T_c"]
    axis.plot(border, hot, color="black", ls="--", lw=1.0)
    axis.set_xlim(x[0], x[-1])


def _against_frequency(records: list[Record]) -> Part:
    findings, chapter = _curves(AGAINST_FREQUENCY, records)
    narrow = [record for record in records if record.case.given["over"] == "epsilon"]
    return [*findings, *_resonance(narrow)], chapter


def _curves(figure: str, records: list[Record]) -> Part:
    name = _NAME_OF[figure]
    rows: list[tuple[str, str, float]] = []
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
            (f"J_h, {approach}", formula, heat),
            (f"⟨a†a⟩, {approach}", "(8)" if approach == "local" else "(11), (12)", people),
        ]
        values[f"largest difference from {formula}"] = heat
        words.append(f"LK {formula} to {heat:.1e}")
        if approach == "global":
            printed = largest(has, "heat_current_hot", "printed_heat")
            rows.append(("J_h, global", "(13) as printed", printed))
            values["largest difference from (13) as printed"] = printed
            misprint = f"; (13) as printed is off by up to {printed:.2g}"
    sentence = f"{name}. J_h agrees with {', '.join(words)}{misprint}." if words else f"{name}."
    for approach in ("local", "global"):
        sentence += _backward(records, approach, values)
    caption = (
        f"LK {name}. First column: J_h; second: ⟨a†a⟩; third: largest relative difference of J_h "
        "and ⟨a†a⟩ from the formula of the paper. Markers: the generators; lines: LK (9), (8), "
        "(13) corrected; dotted: (13) as printed; dashed: no formula, as of Redfield."
    )
    paragraph = (
        "Local and global equations as in the paper, and Redfield's beside them; two-level "
        "systems, for which the paper gives (9) alone, below."
    )
    picture = caption, partial(_draw_curves, beside(records, "approach"))
    chapter = compared(figure, name, "current and population", paragraph, picture, rows)
    return [Finding(sentence, values)], chapter


def _backward(records: Sequence[Record], approach: str, values: dict[str, float]) -> str:
    """How often an equation of oscillators sends heat from cold to hot."""
    kind = {"approach": approach, "statistics": "boson"}
    own = [record for record in records if kind.items() <= record.case.given.items()]
    if not own:
        return ""
    signs = np.concatenate([array(record, "heat_current_hot") for record in own])
    values[f"share of points with J_h < 0, {approach}"] = float((signs < 0.0).mean())
    return (
        f" The {approach} equation of oscillators sends heat from cold to hot at "
        f"{int((signs < 0.0).sum())} of {len(signs)} points."
    )


def _draw_curves(scans: Sequence[Mapping[str, Record]]) -> Any:
    figure, axes = grid(3 * len(scans), 3.3, 2.7)
    for row, scan in enumerate(scans):
        panels = axes[3 * row : 3 * row + 3]
        for approach in (name for name in _NAMES if name in scan):
            _draw_equation(panels, scan[approach])
        _label(panels, next(iter(scan.values())).case.given)
    put_legend_below(figure, axes)
    return figure


def _draw_equation(panels: Any, record: Record) -> None:
    heat, people, apart = panels
    approach = record.case.given["approach"]
    name, style = _NAMES[approach], Style(color=_COLOURS[approach])
    for axis, ours, formula, symbol, off in (
        (heat, "heat_current_hot", "formula_heat", "$J_h$", "o"),
        (people, "population_a", "formula_population", "⟨a†a⟩", "x"),
    ):
        if formula in record.results:
            show_ours(axis, record, ours, label=name, **_CIRCLES[approach], **style)
            show(axis, record, formula, lw=_WIDTHS[approach], alpha=0.6, **style)
            label = f"difference: {name}, {symbol}"
            show_apart(apart, record, ours, formula, marker=off, lw=1.2, label=label, **style)
        else:
            dashed: Style = {"ls": (0, (4, 2)), "lw": _WIDTHS[approach], "zorder": 4}
            show(axis, record, ours, label=f"{name}, no formula", **dashed, **style)
    if "printed_heat" in record.results:
        black: Style = {"color": "black", "lw": 1.0, "ls": (0, (1, 1.5)), "zorder": 5}
        show(heat, record, "printed_heat", label="(13) as printed", **black)
        label = "difference: (13) as printed, $J_h$"
        show_apart(apart, record, "printed_heat", "formula_heat", label=label, **black)


def _label(panels: Any, given: Mapping[str, Any]) -> None:
    heat, people, apart = panels
    logarithmic = given["spacing"] == LOG
    ends = f"{_SYMBOLS[given['over']]} from {given['from']:g} to {given['to']:g}"
    for axis in (heat, people, apart):
        dress(axis, _SYMBOLS[given["over"]], title=f"{_medium(given)}, {ends}")
        if logarithmic:
            axis.set_xscale("log")
    label = r"heat current $J_h$"
    dress(heat, y=label)
    dress(people, y=r"population $\langle a^\dagger a\rangle$")
    drawn = [line.get_ydata() for line in heat.lines if len(line.get_ydata()) > 2]
    if logarithmic:
        heat.set_yscale("log")
        heat.set_ylim(0.3 * min(one.min() for one in drawn), None)
    elif spread(drawn) > 1e3:
        symmetric_axis(heat, label, symmetric_logarithm(drawn))
    else:
        draw_zero(heat)
    if apart.has_data():
        apart.set_ylim(1e-18, 10.0)
    else:
        leave_out(apart, "difference from a formula", "the paper has none")


def _resonance(records: Sequence[Record]) -> list[Finding]:
    """Which equation follows Redfield's at the resonance, and where they part."""
    by_approach = {r.case.given["approach"]: r for r in records if "contact" not in r.case.given}
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
