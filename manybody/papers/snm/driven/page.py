"""The page of a driven study: how far each equation is from the truth, against the rate."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.distances_page import (
    conditions_between,
    in_time_table,
    scan_rows,
    setting_between,
)
from manybody.papers.kit.page import (
    Cell,
    Chapter,
    Figure,
    Finding,
    Page,
    Part,
    Scan,
    cases_table,
    fit_power,
    number,
    number_cell,
    page_of,
    scans,
    short,
    table_of,
)
from manybody.papers.kit.reservoirs import NORMS
from manybody.papers.kit.systems import n_sites_of, title_of
from manybody.papers.snm.driven.cases import EQUATIONS, LABELS
from manybody.papers.snm.exact.figures import NAMES, draw_scans
from manybody.papers.snm.exact.tables import doublings, error_of
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import scientific

# An equation fails where it is that many times as far off as the other.
_FAILS = 2.0
# What the theorem makes equal differs by no more: both equations take the same steps.
_SAME = 1e-8


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    parts = [build(records) for build in (_equal, _rate, _strength, _evidence)]
    names = [f"{label}_{norm}" for label in LABELS for norm in NORMS]
    data = (cases_table(records), in_time_table(records, names))
    return page_of(_setting(study), parts, data, conditions_between(study))


def _setting(study: CaseStudy) -> Chapter:
    text = (
        "Fermions on a few sites exchange particles with reservoirs while a field A sin(νt) "
        "between the first site and the last moves the levels and turns their modes: "
        "h(t) = h + ½A sin(νt) diag(x), x from −1 to 1. Redfield and Davies are those of h(t) "
        "frozen at each instant, SNM eq. (14). Exact: system and reservoirs as one Gaussian "
        "state, modes doubled until the correlation matrix C changes by no more than "
        f"{study.settings['tolerance']:g}. Distances are the largest over the times of the trace "
        "norm Σ|eigenvalue| of C − C_exact, with Lamb shift unless said otherwise; files have the "
        "largest |element| too."
    )
    return setting_between(study, text)


def _title(given: Mapping[str, Any], without: str = "") -> str:
    """Of a case, but for one parameter."""
    words = [title_of(given)]
    if given["model"] != "pair":
        words.append(f"N = {n_sites_of(given)}")
    words += [
        f"{symbol} = {given[key]:g}"
        for key, symbol in (("strength", "J"), ("amplitude", "A"), ("rate", "ν"))
        if key != without
    ]
    words.append("two reservoirs" if given["contacts"] == "ends" else "equal baths")
    return ", ".join(words)


def _equal(records: Sequence[Record]) -> Part:
    """SNM's claim: with equal baths on all sites both equations are one, at every rate."""
    own = [record for record in records if record.case.given["contacts"] == "all"]
    if not own:
        return [], None
    apart = max(number(record, "apart") for record in own)
    error = max(number(record, "equation_error") for record in own)
    farthest = max(error_of(record, "redfield") for record in own)
    same = apart <= _SAME
    verdict = "holds" if same else "DOES NOT HOLD"
    rates = sorted({float(record.case.given["rate"]) for record in own})
    sentence = (
        f"With equal baths on all sites Redfield and Davies are one equation at every instant, "
        f"whatever the rate: this {verdict}. They differ by {apart:.1e} at most in {len(own)} "
        f"cases, ν = {rates[0]:g} to {rates[-1]:g} (integrated to {error:.0e}), and are both "
        f"{farthest:.2g} from the truth at most."
    )
    values = {"difference": apart, "error of the integration": error, "largest error": farthest}
    return [Finding(sentence, values)], None


def _rate(records: Sequence[Record]) -> Part:
    found = scans(records, "rate", _title)
    if not found:
        return [], None
    findings = [_rate_finding(title, own) for title, own in found]
    figure = Figure(
        "rate",
        "Trace norm of C − C_exact, the largest in time, against the rate of driving (linear up "
        "to the smallest rate, logarithmic beyond); open and dotted: without Lamb shift. Where "
        "Redfield and Davies agree, Davies lies within Redfield.",
        partial(draw_scans, found, "rate", error_of, LABELS),
    )
    return findings, Chapter("Against the rate of driving", (), (figure,), (_scan_table(found),))


def _rate_finding(title: str, own: Sequence[Record]) -> Finding:
    rates = [float(record.case.given["rate"]) for record in own]
    errors = {name: [error_of(record, name) for record in own] for name in EQUATIONS}
    values: dict[str, float] = {}
    words = []
    for name, curve in errors.items():
        top = int(np.argmax(curve))
        for place, index in (("slowest", 0), ("fastest", -1), ("largest", top)):
            values[f"{NAMES[name]}, {place}"] = curve[index]
        values[f"{NAMES[name]}, rate of the largest"] = rates[top]
        words.append(
            f"the error of {NAMES[name]} is {curve[0]:.2g} at ν = {rates[0]:g}, {curve[-1]:.2g} "
            f"at ν = {rates[-1]:g} and largest, {curve[top]:.2g}, at ν = {rates[top]:g}"
        )
    ratios = np.divide(errors["davies"], errors["redfield"])
    failing = [rate for rate, ratio in zip(rates, ratios) if ratio > _FAILS]
    values["rates at which Davies is further off"] = float(len(failing))
    values["largest ratio of Davies to Redfield"] = float(ratios.max())
    if failing:
        words.append(
            f"Davies is off by more than {_FAILS:g} times as much as Redfield at "
            f"{len(failing)} of {len(rates)} rates, ν = {', '.join(f'{r:g}' for r in failing)} "
            f"(at worst {ratios.max():.3g} times)"
        )
    else:
        words.append(
            f"Davies is at no rate further off than {_FAILS:g} times Redfield "
            f"({ratios.max():.3g} times at most)"
        )
    return Finding(f"{title}: {'; '.join(words)}.", values)


def _strength(records: Sequence[Record]) -> Part:
    found = scans(records, "strength", _title)
    if not found:
        return [], None
    findings, rows = [], []
    for title, own in found:
        strengths = [float(record.case.given["strength"]) for record in own]
        values: dict[str, float] = {}
        words = []
        for label in LABELS:
            errors = [error_of(record, label) for record in own]
            fit = fit_power(strengths, errors)
            rows.append((title, NAMES[label], fit.exponent, fit.error, errors[0], errors[-1]))
            if label in EQUATIONS:
                values[f"{NAMES[label]}, exponent"] = fit.exponent
                values[f"{NAMES[label]}, error at J = {strengths[0]:g}"] = errors[0]
                words.append(
                    f"the error of {NAMES[label]} goes as J^{fit.words}, {errors[0]:.1e} at "
                    f"J = {strengths[0]:g}"
                )
        findings.append(Finding(f"{title}: {'; '.join(words)}.", values))
    table = Table(
        "strength",
        "Distances as powers of J",
        (
            Column("system", "system"),
            Column("equation", "equation"),
            Column("exponent", "exponent", short, "error"),
            Column("error"),
            Column("at_smallest", "at smallest J", scientific),
            Column("at_largest", "at largest", scientific),
        ),
        tuple(rows),
    )
    return findings, Chapter("Against coupling strength", (), (), (table,))


def _evidence(records: Sequence[Record]) -> Part:
    exact = max(number(record, "exact_error") for record in records)
    equation = max(number(record, "equation_error") for record in records)
    closest = min(error_of(record, label) for record in records for label in EQUATIONS)
    sentence = (
        f"The exact answer has converged to {exact:.1e} in modes and time steps, the equations "
        f"are integrated to {equation:.1e}, where the smallest distance stated is {closest:.1e}."
    )
    keys = ("exact_error", "equation_error", "apart", "smallest_gap")
    cells: list[Cell] = [
        (Column("case"), lambda record: record.case.name),
        (Column("system", "system"), lambda record: _title(record.case.given)),
        (Column("modes", "modes of each reservoir"), doublings),
        *(number_cell(key, key.replace("_", " "), scientific) for key in keys),
    ]
    table = table_of("evidence", "Convergence", records, cells)
    values = {"exact": exact, "equations": equation, "smallest distance": closest}
    chapter = Chapter("Is the exact answer exact?", (), (), (table,))
    return [Finding(sentence, values)], chapter


def _scan_table(found: Sequence[Scan]) -> Table:
    columns = (
        Column("system", "system"),
        Column("rate", "ν", short),
        *(Column(f"{label}_trace", NAMES[label], scientific) for label in LABELS),
        Column("apart", "Redfield − Davies", scientific),
    )
    rows = scan_rows(
        found,
        "rate",
        lambda record: (*(error_of(record, label) for label in LABELS), number(record, "apart")),
    )
    return Table("rates", "Trace norm of C − C_exact", columns, rows)
