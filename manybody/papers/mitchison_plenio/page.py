"""The page of MP: figure by figure ours, the formulas and their difference, and the errata."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.curves import LOG
from manybody.papers.kit.curves_page import compared, largest, paper_page
from manybody.papers.kit.page import Chapter, Figure, Finding, Page, Part, all_but, beside, grouped
from manybody.papers.kit.plots import Style, array, differences, dress, show, show_difference
from manybody.papers.mitchison_plenio.cases import (
    ELEMENTS,
    EQUATIONS,
    EVOLUTION,
    LEADS,
    MARKOV,
    TRANSMISSION,
)
from manybody.papers.mitchison_plenio.equations_page import AXES, NAMES, equations_chapter
from manybody.papers.mitchison_plenio.errata import ERRATA
from manybody.report.figures.canvas import (
    SMALL,
    colour,
    grid,
    marker,
    one_scale,
    put_labels,
    put_legend_below,
)
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import digits, scientific

_HEIGHT = r"$\nu_\infty/\Gamma$"
# How distances from the exact C are drawn.
_DIFFERENCES: dict[str, Style] = {"epa": {}, LEADS: {"ls": ":", "marker": "x", "ms": 5}}
_LABELS = (r"$C_{11}$", r"$C_{22}$", r"Re $C_{12}$", r"Im $C_{12}$")
# ν/Γ that counts as non-Markovian.
_SMALL = 0.01
_SETTING = (
    "Two fermionic modes h ± δ/2 coupled by g, each at the end of a half-infinite chain, MP "
    "(1), (19). C_jk = ⟨d_j†d_k⟩ is taken in the modes of the system, mode 1 the upper one; "
    "currents flow out of the left lead. Exact: MP (24)-(45); exponential propagator: MP "
    "(53)-(55); additive: both leads on their own, MP (57)-(62); Redfield, Davies and local: "
    "the generators of the package. Differences are relative, |x − y| over the larger of "
    "both."
)
_SOURCE = (
    "M. T. Mitchison and M. B. Plenio (MP), Non-additive dissipation in open quantum networks "
    "out of equilibrium, New J. Phys. 20, 033005 (2018), arXiv:1708.05574."
)


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    return paper_page(
        "Mitchison and Plenio",
        ERRATA,
        (_SETTING, _SOURCE),
        records,
        {
            TRANSMISSION: _transmission,
            EVOLUTION: _evolution,
            MARKOV: _non_markovianity,
            EQUATIONS: equations_chapter,
        },
    )


def _transmission(records: list[Record]) -> Part:
    apart = largest(records, "transmission", "formula")
    weak = {record.case.given["Gamma"]: record for record in records}
    ratios = {
        gamma / np.hypot(record.case.given["g"], record.case.given["delta"]): float(
            np.abs(array(record, "weak") - array(record, "transmission")).max()
            / array(record, "transmission").max()
        )
        for gamma, record in sorted(weak.items())
    }
    words = ", ".join(f"{off:.2g} at Γ = {ratio:.2g} Δ" for ratio, off in ratios.items())
    values = {"largest difference from (45)": apart}
    values |= {f"(46) off, Γ/Δ = {ratio:.3g}": off for ratio, off in ratios.items()}
    sentence = (
        f"Fig. 3. The transmission from Green's functions agrees with MP (45) to {apart:.1e}; the "
        f"weak-coupling form (46) is off by, of the maximum, {words}."
    )
    caption = (
        "Fig. 3. Left: transmission, circles from Green's functions, lines MP (45), dashed MP "
        "(46) for the smallest Γ. Right: difference from (45), dotted that of (46)."
    )
    picture = caption, partial(_draw_transmission, [weak[gamma] for gamma in sorted(weak)])
    paragraph = "The Landauer formulae (43), (44) need T(ω)."
    rows = [("transmission", "(45)", apart)]
    chapter = compared(TRANSMISSION, "Fig. 3", "transmission", paragraph, picture, rows)
    return [Finding(sentence, values)], chapter


def _draw_transmission(records: Sequence[Record]) -> Any:
    figure, (axis, apart) = grid(2, 4.9, 3.6)
    for index, record in enumerate(records):
        given, own = record.case.given, colour((0, 3, 2, 1, 4)[index % 5])
        x = array(record, "x") / given["Omega"]
        ratio = given["Gamma"] / np.hypot(given["g"], given["delta"])
        label = rf"$\Gamma = {ratio:.2g}\,\Delta$"
        ours, formula, weak = (array(record, key) for key in ("transmission", "formula", "weak"))
        points: Style = {"ls": "", "marker": marker(index), "ms": 4}
        axis.plot(x, ours, color=own, markevery=max(1, len(x) // 40), label=label, **points)
        axis.plot(x, formula, color=own, lw=1.2)
        show_difference(apart, x, differences(ours, formula), color=own, lw=1.2, label=label)
        dotted: Style = {"ls": ":", "label": f"{label}, (46)"}
        show_difference(apart, x, differences(ours, weak), color=own, lw=1.4, **dotted)
        if index == 0:
            axis.plot(x, weak, color="black", lw=1.2, ls="--", label=f"(46), {label}")
    for one, title in ((axis, "transmission"), (apart, "difference of ours from formulas")):
        dress(one, r"$\omega/\Omega$", title=title, legend=True)
    axis.set_yscale("log")
    dress(axis, y=r"transmission $T(\omega)$")
    return figure


def _evolution(records: list[Record]) -> Part:
    rows, words = [], []
    values: dict[str, float] = {}
    drawn = []
    for by_method in beside(records, "method", "to", "points"):
        if "exact" not in by_method:
            continue
        drawn.append(by_method)
        exact, given = by_method["exact"], by_method["exact"].case.given
        where = f"h = {given['h']:g}"
        for method in (name for name in by_method if name != "exact"):
            off = max(
                float(np.abs(gap).max()) for _, gap in _gaps(exact, by_method[method]).values()
            )
            rows.append((where, NAMES[method], off))
            values[f"{NAMES[method]}, {where}"] = off
            words.append(f"{NAMES[method]} {off:.1e} ({where})")
    rows.sort()
    table = Table(
        "figure-4-differences",
        "Fig. 4: largest |difference| of an element of C(t) from the exact one",
        (
            Column("panel", "panel"),
            Column("method", "method"),
            Column("difference", "largest |difference|", scientific),
        ),
        tuple(rows),
    )
    sentence = (
        "Fig. 4. Largest distance of an element of C(t) from the exact solution (24)-(32): "
        f"{', '.join(sorted(words))}."
    )
    figure = Figure(
        EVOLUTION,
        "MP Fig. 4. C(t) from the empty system: circles exact, lines the exponential-propagator "
        "approximation; crosses: brute force with finite leads. Right: distance from exact.",
        partial(_draw_evolution, drawn),
    )
    paragraph = (
        "Brute force propagates system and finite leads as one Gaussian state, until something "
        "comes back from their ends."
    )
    chapter = Chapter("Fig. 4: evolution", (paragraph,), (figure,), (table,))
    return [Finding(sentence, values)], chapter


def _gaps(exact: Record, other: Record) -> dict[str, tuple[Real, Real]]:
    """Times that both have, and differences there, of every element."""
    times, own = array(exact, "x"), array(other, "x")
    place = np.abs(times[:, None] - own).argmin(axis=0)
    same = np.abs(times[place] - own) < 1e-9
    return {
        name: (own[same], array(other, name)[same] - array(exact, name)[place[same]])
        for name in ELEMENTS
    }


def _draw_evolution(panels: Sequence[Mapping[str, Record]]) -> Any:
    figure, axes = grid(2 * max(1, len(panels)), 4.9, 3.4, most=2)
    for row, by_method in enumerate(panels):
        axis, apart = axes[2 * row : 2 * row + 2]
        given = by_method["exact"].case.given
        for index, name in enumerate(ELEMENTS):
            _draw_element(axis, apart, by_method, name, index)
        title = (
            f"h = {given['h']:g}, μ = {given['mu_L']:g} and {given['mu_R']:g}, "
            f"T = {given['T_L']:g} and {given['T_R']:g}"
        )
        dress(apart, y="|difference from exact|")
        for one in (axis, apart):
            dress(one, r"$\Gamma t$", title=title)
        dress(axis, y=r"$C_{jk}(t)$")
    put_legend_below(figure, axes)
    return figure


def _draw_element(
    axis: Any, apart: Any, by_method: Mapping[str, Record], name: str, index: int
) -> None:
    """One element of C by every method, and its distance from the exact one."""
    exact, own = by_method["exact"], colour((0, 3, 1, 2)[index])
    rate, label = exact.case.given["Gamma"], _LABELS[index]
    styles: dict[str, Style] = {
        "exact": {"ls": "", "marker": marker(index), "ms": 4, "label": f"{label}, exact"},
        "epa": {"lw": 1.2, "ls": "-", "label": f"{label}, exponential propagator"},
        LEADS: {"ls": "", "marker": "x", "ms": 7, "mew": 1.0, "label": f"{label}, finite leads"},
    }
    for method, style in styles.items():
        if method not in by_method:
            continue
        record = by_method[method]
        axis.plot(array(record, "x") * rate, array(record, name), color=own, **style)
        if method != "exact":
            times, gap = _gaps(exact, record)[name]
            x, values = times[1:] * rate, np.abs(gap)[1:]
            show_difference(apart, x, values, color=own, lw=1.2, **_DIFFERENCES[method])


def _other(given: Mapping[str, Any]) -> str:
    """What runs over the rows of a map."""
    return {"mu_L": "mu_R", "T_L": "T_R"}.get(given["over"], "mu_L")


def _non_markovianity(records: list[Record]) -> Part:
    maps = grouped(records, lambda given: (given["over"], *all_but(_other(given))(given)))
    rows, words = [], []
    values: dict[str, float] = {}
    drawn = []
    for own in maps.values():
        own = sorted(own, key=lambda record: float(record.case.given[_other(record.case.given)]))
        given = own[0].case.given
        ours, formula, printed = (
            np.array([array(record, key) for record in own])
            for key in ("non_markovianity", "formula", "printed")
        )
        size = float(ours.max())
        off = float(np.abs(formula - ours).max() / size) if size else 0.0
        wrong = float(np.abs(printed - ours).max() / size) if size else 0.0
        share = float((ours > _SMALL * given["Gamma"]).mean())
        title = _map_title(given)
        rows.append((title, size / given["Gamma"], share, off, wrong))
        values[f"{title}: largest ν/Γ"] = size / given["Gamma"]
        values[f"{title}: share of points"] = share
        values[f"{title}: (66) corrected"] = off
        values[f"{title}: (66) as printed"] = wrong
        words.append(
            f"{title}: at most {size / given['Gamma']:.3g} Γ, ν > {_SMALL:g} Γ at {share:.0%}"
        )
        if len(own) > 1:
            drawn.append((title, own, ours))
    off, wrong = max(row[3] for row in rows), max(row[4] for row in rows)
    sentence = (
        f"Fig. 5. Asymptotic non-Markovianity ν∞ — {'; '.join(words)}. Put together from (58), "
        f"(66) with g/(4Δ) and (67) it agrees to {off:.1e} of its maximum, with g/(2Δ) as "
        f"printed it is off by up to {wrong:.2g} of it."
    )
    table = Table(
        "figure-5-differences",
        "Fig. 5: ours against the formulas, relative to the largest ν∞",
        (
            Column("panel", "panel"),
            Column("largest", "largest ν/Γ", digits(4)),
            Column("share", f"share with ν > {_SMALL:g} Γ", digits(3)),
            Column("formula", "(66) with g/(4Δ)", scientific),
            Column("printed", "(66) as printed", scientific),
        ),
        tuple(rows),
    )
    figure = Figure(
        MARKOV,
        "MP Fig. 5. ν∞/Γ from the rate matrices of MP (55); white lines: the levels E_1 and "
        "E_2. Below, along the highest row or column of the map: lines ours, circles from "
        "(66) with g/(4Δ), dashed from (66) as printed.",
        partial(_draw_maps, drawn),
    )
    paragraph = "Temperatures and potentials of the panels are chosen, the text of MP has none."
    title = "Fig. 5: asymptotic non-Markovianity"
    chapter = Chapter(title, (paragraph,), (figure,) if drawn else (), (table,))
    return [Finding(sentence, values)], chapter


def _map_title(given: Mapping[str, Any]) -> str:
    if given["over"] == "T_L":
        return f"μ = {given['mu_L']:g} against T"
    return f"T = {given['T_L']:g} against μ"


def _draw_maps(maps: Sequence[tuple[str, list[Record], Real]]) -> Any:
    columns = len(maps)
    figure, axes = grid(2 * columns, 3.3, 2.8, most=columns)
    for column, (title, own, values) in enumerate(maps):
        axis, below = axes[column], axes[columns + column]
        _draw_map(figure, axis, own, values)
        dress(axis, title=title)
        _draw_row(below, own[int(values.max(axis=1).argmax())])
        if own[0].case.given["spacing"] == LOG:
            axis.set_xscale("log")
            axis.set_yscale("log")
            below.set_xscale("log")
    put_legend_below(figure, axes[columns:], one_scale(axes[columns:]))
    return figure


def _draw_map(figure: Any, axis: Any, own: Sequence[Record], values: Real) -> None:
    given = own[0].case.given
    rows = np.array([record.case.given[_other(given)] for record in own])
    style: Style = {"cmap": "viridis", "shading": "nearest", "vmin": 0.0, "rasterized": True}
    mesh = axis.pcolormesh(array(own[0], "x"), rows, values / given["Gamma"], **style)
    bar = figure.colorbar(mesh, ax=axis, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL)
    put_labels(bar.ax, up=_HEIGHT)
    if given["over"] == "mu_L":
        gap = float(np.hypot(given["g"], given["delta"]))
        for level in (given["h"] + 0.5 * gap, given["h"] - 0.5 * gap):
            axis.axvline(level, color="white", lw=0.7, ls=":")
            axis.axhline(level, color="white", lw=0.7, ls=":")
    dress(axis, AXES[given["over"]], AXES[_other(given)])


def _draw_row(axis: Any, highest: Record) -> None:
    """ν∞ along one row of a map, ours and from the formula."""
    given, unit, blue = highest.case.given, highest.case.given["Gamma"], colour(0)
    show(axis, highest, "non_markovianity", unit, lw=1.6, color=blue, label="ours")
    circles: Style = {"ls": "", "marker": "o", "ms": 3.5, "color": blue}
    show(axis, highest, "formula", unit, label="(66) with g/(4Δ)", **circles)
    dashes: Style = {"ls": "--", "lw": 1.4, "color": colour(3)}
    show(axis, highest, "printed", unit, label="(66) as printed", **dashes)
    title = f"{AXES[_other(given)]} = {given[_other(given)]:.3g}"
    dress(axis, AXES[given["over"]], _HEIGHT, title)
