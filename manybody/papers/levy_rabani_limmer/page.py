"""The page of LRL: figure by figure ours, the formulas and their difference, and the errata."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.curves import LOG
from manybody.papers.kit.curves_page import compared, largest, paper_page
from manybody.papers.kit.page import Finding, Page, Part, beside, fit_power, grouped, number
from manybody.papers.kit.plots import (
    FORMULA,
    PRINTED,
    Style,
    array,
    dress,
    show,
    show_apart,
    show_ours,
    symmetric_axis,
    symmetric_logarithm,
)
from manybody.papers.levy_rabani_limmer.cases import AGAINST_TEMPERATURE, IN_TIME, QUBITS
from manybody.papers.levy_rabani_limmer.errata import ERRATA
from manybody.report.figures.canvas import colour, grid, one_scale, put_legend_below

_KUBO, _DISSIPATOR = colour(0), colour(3)
_LIMITS: dict[str, Style] = {
    "unperturbed": {"color": "black", "marker": "D"},
    "local": {"color": colour(3), "marker": "s"},
    "global": {"color": colour(0), "marker": "o"},
}
_EQUATION = {"unperturbed": "(42)", "local": "(42) + (43)", "global": "(46)"}
_RESPONSE = {"unperturbed": "0", "local": "(43)", "global": "(46) − (42)"}
_NAME = {"figure-4b": "Fig. 4 b", "figure-4c": "Fig. 4 c", "figure-5": "Fig. 5"}
_AXES = {
    "difference": r"$T_a - T_b$",
    "mean_temperature": r"mean temperature $\bar T$",
    "delta_Omega": r"$\delta\Omega$",
}
_WORDS = {"difference": "T_a − T_b", "mean_temperature": "T̄", "delta_Omega": "δΩ"}
# Points at the hot end that a power of the temperature is fitted to.
_HOT = 12
_SYMBOLS = {
    "omega": "ω",
    "g": "g",
    "epsilon": "ε",
    "gamma": "γ",
    "T_a": "T_a",
    "T_b": "T_b",
    "delta_Omega": "δΩ",
    "mean_temperature": "T̄",
    "difference": "T_a − T_b",
}
_SETTING = (
    "Steady states between two baths, perturbed at t = 0. Two oscillators under a cubic "
    "perturbation, LRL (25)-(34): response of ⟨a†a⟩, Kubo's term Φ^(1,1) and that of the "
    "changed dissipator Φ^(1,2), from the algebra of ladder operators without truncation. Two "
    "qubits, (37)-(46): heat current from bath a without a perturbation, with the dissipator "
    "of H_0 (local, δΩ ≪ γ), and with that of H_0 + δV (global, δΩ ≫ γ). Responses are per δ "
    "unless said otherwise; differences are relative, |x − y| over the larger of both."
)
_SOURCE = (
    "A. Levy, E. Rabani and D. T. Limmer (LRL), Response theory for nonequilibrium steady "
    "states of open quantum systems, Phys. Rev. Research 3, 023252 (2021), arXiv:2010.03929."
)


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    return paper_page(
        "Levy, Rabani and Limmer",
        ERRATA,
        (_SETTING, _SOURCE),
        records,
        {
            IN_TIME: _in_time,
            AGAINST_TEMPERATURE: _against_temperature,
            **{figure: partial(_qubits, figure) for figure in QUBITS},
        },
    )


def _in_time(records: list[Record]) -> Part:
    record = records[0]
    kubo = largest([record], "Phi_11", "Phi_11_formula")
    corrected = largest([record], "Phi_12", "Phi_12_formula")
    ours, printed = array(record, "Phi_12"), array(record, "Phi_12_printed")
    times = float(np.abs(printed).max() / np.abs(ours).max())
    share = float(np.abs(ours).max() / np.abs(array(record, "Phi_11")).max())
    sentence = (
        f"Fig. 2. Kubo's term agrees with (31) to {kubo:.1e} and that of the dissipator with (32) "
        f"corrected to {corrected:.1e}; as printed its maximum is {times:.4g} times as large. "
        f"Corrected it is at most {share:.2g} of Kubo's term. The population before is "
        f"{number(record, 'population'):.4f}."
    )
    values = {
        "Kubo, largest difference": kubo,
        "dissipator, largest difference": corrected,
        "printed over corrected": times,
        "dissipator over Kubo": share,
        "population": number(record, "population"),
    }
    rows = [
        ("Φ^(1,1)", "(31)", kubo),
        ("Φ^(1,2)", "(32) corrected", corrected),
        ("Φ^(1,2)", "(32) as printed", largest([record], "Phi_12", "Phi_12_printed")),
    ]
    caption = (
        "LRL Fig. 2 b, both terms of the response of ⟨a†a⟩ in time, per δ: markers ours, lines "
        "(31) and (32) corrected, dashed (32) as printed. Middle: without the printed one. Right: "
        "difference of ours from the formulas."
    )
    picture = caption, partial(_draw_in_time, record)
    chapter = compared(IN_TIME, "Fig. 2", "response in time", _given([record]), picture, rows)
    return [Finding(sentence, values)], chapter


def _draw_in_time(record: Record) -> Any:
    figure, (whole, close, apart) = grid(3, 3.3, 3.0)
    terms = (
        ("Phi_11", _KUBO, r"$\Phi^{(1,1)}$", "(31)"),
        ("Phi_12", _DISSIPATOR, r"$\Phi^{(1,2)}$", "(32) corrected"),
    )
    for axis in (whole, close):
        for key, own, label, _ in terms:
            show(axis, record, f"{key}_formula", color=own, label=label, lw=0.9)
            show_ours(axis, record, key, 70, color=own)
        dress(axis, y=r"response of $\langle a^\dagger a\rangle$")
    label = r"$\Phi^{(1,2)}$ as printed"
    show(whole, record, "Phi_12_printed", color=_DISSIPATOR, label=label, **PRINTED)
    for key, own, _, label in terms:
        show_apart(apart, record, key, f"{key}_formula", color=own, lw=0.8, label=label)
    dashed: Style = {"color": _DISSIPATOR, "ls": "--", "lw": 1.0, "label": "(32) as printed"}
    show_apart(apart, record, "Phi_12", "Phi_12_printed", **dashed)
    titles = ("both terms and (32) as printed", "without the printed one", "difference")
    for axis, title in zip((whole, close, apart), titles):
        dress(axis, r"time $\gamma t$", title=title, legend=True)
    return figure


def _power(x: Real, values: Real) -> float:
    """Exponent of |values| in x at the hot end."""
    kept = slice(-min(_HOT, len(x)), None)
    return fit_power(list(x[kept]), list(np.abs(values[kept]))).exponent


def _against_temperature(records: list[Record]) -> Part:
    record = records[0]
    x = array(record, "x")
    ours, printed = array(record, "response"), array(record, "printed")
    agrees = largest([record], "response", "formula")
    first, second = _power(x, ours), _power(x, printed)
    values = {
        "largest difference": agrees,
        "exponent of T": first,
        "exponent of T, printed": second,
    }
    said = []
    for name, curve in (("ours", ours), ("printed", printed)):
        changes = np.nonzero(np.diff(np.sign(curve)))[0]
        values[f"changes of sign, {name}"] = float(len(changes))
        said.append(
            f"changes its sign near T̄ = {x[changes[0] + 1]:.3g}"
            if len(changes)
            else "keeps its sign"
        )
    sentence = (
        f"Fig. 3. The steady response {said[0]} and grows as T̄^{first:.3f} at the hot end; as "
        f"printed, (34), it {said[1]} and grows as T̄^{second:.3f}. Ours agrees with "
        f"−3ε(2n̄_- + 1)/ω_+, (34) corrected, to {agrees:.1e} at every temperature."
    )
    rows = [
        ("Φ^(1,1) + Φ^(1,2)", "(34) corrected", agrees),
        ("Φ^(1,1) + Φ^(1,2)", "(34) as printed", largest([record], "response", "printed")),
    ]
    caption = (
        "LRL Fig. 3, steady response of ⟨a†a⟩ per δ against the mean temperature: markers ours, "
        "line (34) corrected, dashed (34) as printed, dotted Kubo's term alone. Right: "
        "difference of ours from them."
    )
    picture = caption, partial(_draw_temperature, record)
    chapter = compared(
        AGAINST_TEMPERATURE, "Fig. 3", "steady response", _given([record]), picture, rows
    )
    return [Finding(sentence, values)], chapter


def _draw_temperature(record: Record) -> Any:
    figure, (axis, apart) = grid(2, 4.9, 3.6)
    show(axis, record, "formula", color=_KUBO, label="(34) corrected", **FORMULA)
    show_ours(axis, record, "response", 40, color=_KUBO, label="ours")
    show(axis, record, "kubo", color="black", ls=":", lw=1.4, label="Kubo's term alone")
    show(axis, record, "printed", color=_DISSIPATOR, label="(34) as printed", **PRINTED)
    border = symmetric_logarithm([array(record, "response")])
    symmetric_axis(axis, r"steady response of $\langle a^\dagger a\rangle$", border)
    for other, own, label in (
        ("formula", _KUBO, "(34) corrected"),
        ("printed", _DISSIPATOR, "(34) as printed"),
    ):
        show_apart(apart, record, "response", other, color=own, lw=1.2, label=label)
    for one in (axis, apart):
        one.set_xscale("log")
        dress(one, _AXES["mean_temperature"], legend=True)
    return figure


def _given(records: Sequence[Record]) -> str:
    """The numbers of a figure: several of a kind where its panels differ in them."""
    values = {
        symbol: dict.fromkeys(
            f"{one.case.given[key]:g}" for one in records if key in one.case.given
        )
        for key, symbol in _SYMBOLS.items()
    }
    numbers = [f"{symbol} = {' and '.join(own)}" for symbol, own in values.items() if own]
    return f"Energies and temperatures in one unit: {', '.join(numbers)}."


def _qubits(figure: str, records: list[Record]) -> Part:
    name, response = _NAME[figure], figure == "figure-4c"
    ours, formula = (
        ("response_a", "formula_response") if response else ("heat_current_a", "formula")
    )
    quantity = "response of J^a" if response else "heat current J^a"
    equations = _RESPONSE if response else _EQUATION
    limits = grouped(records, lambda given: given["limit"])
    rows = [
        (f"{quantity}, {limit}", equations[limit], largest(own, ours, formula))
        for limit, own in limits.items()
    ]
    values = {f"{limit}, largest difference": row[-1] for limit, row in zip(limits, rows)}
    words = ", ".join(f"{equation} to {off:.1e}" for _, equation, off in rows)
    sentence = f"{name}. The {quantity} agrees with {words}."
    panels = beside(records, "limit")
    for own in panels:
        more, found = _compare(own, ours)
        sentence += more
        values |= found
    caption = (
        f"LRL {name}, {'response of the ' if response else ''}heat current from bath a: markers "
        "ours, lines (42), (42) + (43), and (46) with populations of its own rates. Right: "
        "difference."
    )
    paragraph = "Both limits of the perturbation, local δΩ ≪ γ and global δΩ ≫ γ. " + _given(
        records
    )
    picture = caption, partial(_draw_qubits, panels, ours, formula)
    chapter = compared(figure, name, "heat currents of two qubits", paragraph, picture, rows)
    return [Finding(sentence, values)], chapter


def _compare(own: Mapping[str, Record], key: str) -> tuple[str, dict[str, float]]:
    """The two limits against each other, where they are farthest apart in size."""
    if not {"local", "global"} <= own.keys():
        return "", {}
    local, whole = array(own["local"], key), array(own["global"], key)
    given, x = own["local"].case.given, array(own["local"], "x")
    ratio = np.abs(whole) / np.abs(local)
    place = int(np.abs(np.log(ratio)).argmax())
    where = f"{_WORDS[given['over']]} = {x[place]:.3g}"
    at = f" at T̄ = {given['mean_temperature']:g}" if "mean_temperature" in given else ""
    label = f"global over local at {where}{at}"
    sentence = (
        f" The global limit{at} gives up to {ratio[place]:.4g} times the size of the local one, "
        f"at {where}."
    )
    return sentence, {label: float(ratio[place])}


def _draw_qubits(panels: Sequence[Mapping[str, Record]], ours: str, formula: str) -> Any:
    figure, axes = grid(2 * len(panels), 4.9, 3.4, most=2)
    equations = _RESPONSE if ours == "response_a" else _EQUATION
    word = "response of the heat current" if ours == "response_a" else "heat current"
    for row, own in enumerate(panels):
        axis, apart = axes[2 * row : 2 * row + 2]
        for limit, record in own.items():
            style = _LIMITS[limit]
            dashes: Style = {"ls": "--"} if limit == "unperturbed" else {}
            label = f"{limit}, {equations[limit]}"
            show(axis, record, formula, color=style["color"], **FORMULA, **dashes)
            show_ours(axis, record, ours, label=label, **style)
            show_apart(apart, record, ours, formula, lw=1.1, **style)
        given = next(iter(own.values())).case.given
        mean = given.get("mean_temperature")
        title = "" if mean is None else f"mean temperature {mean:g}"
        for one in (axis, apart):
            if given["spacing"] == LOG:
                one.set_xscale("log")
            dress(one, _AXES[given["over"]], title=title)
        dress(axis, y=f"{word} $J^a$")
    notes = {one_scale(axes[place::2]) for place in range(2)}
    put_legend_below(figure, axes, *notes)
    return figure
