"""The page of an exact study: how far each equation is from the truth, and where it fails."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.papers.kit import page
from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.distances_page import (
    conditions_between,
    hundredths,
    in_time_table,
    setting_between,
)
from manybody.papers.kit.page import (
    Chapter,
    Figure,
    Finding,
    Page,
    Part,
    PowerLaw,
    Scan,
    cases_table,
    fit_power,
    grouped,
    number,
    numbers,
    page_of,
    short,
)
from manybody.papers.kit.reservoirs import NORMS
from manybody.papers.kit.systems import n_sites_of, title_of
from manybody.papers.snm.exact.cases import DYNAMICS, LABELS, ROUTES, STEADY
from manybody.papers.snm.exact.figures import NAMES, draw_curves, draw_detuning, draw_scans
from manybody.papers.snm.exact.tables import (
    EQUATIONS,
    SAID,
    currents_table,
    error_of,
    evidence_table,
    routes_table,
    scan_table,
)
from manybody.report.page.document import Column, Table
from manybody.report.tables.columns import scientific

# Points of a scan over strengths that its slope is fitted to, the smallest.
_FITTED = 4
# Times that make a curve worth drawing.
_CURVE = 60
# As near as the nearest.
_TIE = 1.01
# An equation fails where its distance is that many times the best one's.
_FAILS = 3.0
# A current is wrong beyond that.
_WRONG = 0.1


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    checks = grouped(records, lambda given: given["check"])
    moving, steady = checks.get(DYNAMICS, []), checks.get(STEADY, [])
    parts = (
        _nearest([*moving, *steady]),
        _strength(moving, steady),
        _time(moving),
        _size(moving),
        _detuning(steady),
        _evidence(moving, checks.get(ROUTES, []), steady),
    )
    data = [cases_table(records)]
    if moving:
        names = [f"{label}_{norm}" for label in LABELS for norm in NORMS]
        data.append(in_time_table(moving, names))
    return page_of(_setting(study), parts, data, conditions_between(study))


def _nearest(compared: Sequence[Record]) -> Part:
    """How often each equation is the one nearest to the truth, or as near."""
    if not compared:
        return [], None
    counts = dict.fromkeys(EQUATIONS, 0)
    for record in compared:
        errors = {label: error_of(record, label) for label in EQUATIONS}
        for label in EQUATIONS:
            counts[label] += errors[label] <= _TIE * min(errors.values())
    words = ", ".join(f"{NAMES[label]} in {count}" for label, count in counts.items())
    sentence = (
        f"Who is right? Of {len(compared)} comparisons with the exact answer these are nearest "
        f"to it, or as near to {100.0 * (_TIE - 1.0):.0f} %: {words}."
    )
    values = {f"{NAMES[label]}, nearest": float(count) for label, count in counts.items()}
    return [Finding(sentence, {"comparisons": float(len(compared)), **values})], None


def scans(records: Sequence[Record], key: str) -> list[Scan]:
    """(title, records ascending in `key`) of records that differ in this parameter alone."""
    return page.scans(records, key, _title)


def _title(given: Mapping[str, Any], without: str) -> str:
    """Of a case, but for one parameter."""
    words = [title_of({k: v for k, v in given.items() if k != without})]
    if without != "n_sites" and given["model"] != "pair":
        words.append(f"N = {n_sites_of(given)}")
    if without != "strength":
        words.append(f"J = {given['strength']:g}")
    place = "two reservoirs" if given["contacts"] == "ends" else "equal baths"
    words.append(place)
    if given["check"] == STEADY:
        words.append("steady state")
    return ", ".join(words)


def _title_of(record: Record) -> str:
    return _title(record.case.given, "")


def _setting(study: CaseStudy) -> Chapter:
    text = (
        "Fermions on a few sites exchange particles with reservoirs. Exact: system and reservoirs "
        "as one Gaussian state, reservoirs as modes that are doubled until the correlation matrix "
        f"C changes by no more than {study.settings['tolerance']:g}; steady states by Green's "
        "functions. Distances are the largest |element| and the trace norm Σ|eigenvalue| of "
        "C − C_exact; figures and findings show the trace norm, files both."
    )
    return setting_between(study, text)


def _evidence(moving: list[Record], routes: list[Record], steady: list[Record]) -> Part:
    tested = [*moving, *routes]
    values: dict[str, float] = {}
    words = []
    if tested:
        change = max(numbers(record, "changes")[-1] for record in tested)
        values["largest last change of C"] = change
        words.append(
            f"the last doubling of the modes changed C by {change:.1e} at most "
            f"({len(tested)} cases, all within the recurrence time of their modes)"
        )
    if routes:
        apart = max(
            number(record, key)
            for record in routes
            for key in ("difference_element", "difference_particle", "difference_energy")
        )
        values["difference of both routes"] = apart
        words.append(
            "modes and Green's functions, two routes without a common step, agree on the steady "
            f"state and its currents to {apart:.1e}"
        )
    if steady:
        error = max(number(record, "error") for record in steady)
        values["largest error of the quadrature"] = error
        words.append(f"quadratures of steady states are wrong by {error:.0e} at most")
    tables = [evidence_table(tested, _title_of)]
    if routes:
        tables.append(routes_table(routes, _title_of))
    sentence = f"The exact answer: {'; '.join(words)}."
    return [Finding(sentence, values)], Chapter(
        "Is the exact answer exact?", (), (), tuple(tables)
    )


def _strength(moving: list[Record], steady: list[Record]) -> Part:
    found = [*scans(moving, "strength"), *scans(steady, "strength")]
    if not found:
        return [], None
    findings, rows = [], []
    for title, own in found:
        strengths = [float(record.case.given["strength"]) for record in own]
        values: dict[str, float] = {}
        words = []
        for label in LABELS:
            fits, ends = [], []
            for norm in NORMS:
                errors = [error_of(record, label, norm) for record in own]
                fits.append(fit_power(strengths[:_FITTED], errors[:_FITTED]))
                ends.append((errors[0], errors[-1]))
            element, trace = fits
            rows.append(
                (
                    title,
                    NAMES[label],
                    trace.exponent,
                    trace.error,
                    *ends[1],
                    element.exponent,
                    element.error,
                    *ends[0],
                    trace.points,
                )
            )
            if label in SAID:
                values[f"{NAMES[label]}, exponent"] = trace.exponent
                values[f"{NAMES[label]}, standard error of it"] = trace.error
                values[f"{NAMES[label]}, error at J = {strengths[0]:g}"] = ends[1][0]
                words.append(_law_words(label, trace, ends[1][0], strengths[0]))
        findings.append(Finding(f"{title}: {'; '.join(words)}.", values))
    slopes = Table(
        "slopes",
        f"Distances as powers of J, fitted to the {_FITTED} smallest",
        (
            Column("system", "system"),
            Column("equation", "equation"),
            Column("trace_exponent", "exponent, trace norm", hundredths, "trace_error"),
            Column("trace_error"),
            Column("trace_at_smallest", "at smallest J", scientific),
            Column("trace_at_largest", "at largest", scientific),
            Column("element_exponent", "exponent, element", hundredths, "element_error"),
            Column("element_error"),
            Column("element_at_smallest"),
            Column("element_at_largest"),
            Column("points"),
        ),
        tuple(rows),
    )
    figure = Figure(
        "strength",
        "Trace norm of C − C_exact against coupling strength, of the dynamics the largest in "
        "time; filled: with Lamb shift, open and dotted: without; grey: J².",
        partial(draw_scans, found, "strength", error_of),
    )
    table = scan_table("strength", "strength", "J", found)
    return findings, Chapter("Against coupling strength", (), (figure,), (slopes, table))


def _law_words(label: str, fit: PowerLaw, error: float, strength: float) -> str:
    name = NAMES[label]
    if abs(fit.exponent) < 0.25:
        return f"the error of {name} stays at {error:.2g} as J goes to {strength:g}"
    way = "falls" if fit.exponent > 0.0 else "grows"
    return f"the error of {name} {way} as J^{fit.words}, to {error:.1e} at J = {strength:g}"


def _time(moving: list[Record]) -> Part:
    drawn = [record for record in moving if len(numbers(record, "times")) >= _CURVE]
    if not drawn:
        return [], None
    findings, rows = [], []
    for record in drawn:
        title = _title_of(record)
        times = numbers(record, "times")
        values: dict[str, float] = {}
        words = []
        for label in LABELS:
            curve = numbers(record, f"{label}_trace")
            top = int(np.argmax(curve))
            rows.append((title, NAMES[label], curve[top], times[top], curve[-1]))
            if label in EQUATIONS:
                values[f"{NAMES[label]}, largest"] = curve[top]
                values[f"{NAMES[label]}, at the end"] = curve[-1]
                words.append(
                    f"{NAMES[label]} is off by {curve[top]:.2g} at most (t = {times[top]:.3g}) "
                    f"and {curve[-1]:.2g} at the end"
                )
        findings.append(Finding(f"In time, {title}: {'; '.join(words)}.", values))
    figure = Figure(
        "time",
        "Trace norm of C − C_exact against time; dotted: without Lamb shift.",
        partial(draw_curves, [(_title_of(record), record) for record in drawn]),
    )
    table = Table(
        "times",
        "Distances in time",
        (
            Column("system", "system"),
            Column("equation", "equation"),
            Column("largest", "largest", scientific),
            Column("time", "at t", short),
            Column("last", "at the end", scientific),
        ),
        tuple(rows),
    )
    return findings, Chapter("Against time", (), (figure,), (table,))


def _size(moving: list[Record]) -> Part:
    found = scans(moving, "n_sites")
    if not found:
        return [], None
    findings = []
    for title, own in found:
        first, last = n_sites_of(own[0].case.given), n_sites_of(own[-1].case.given)
        values: dict[str, float] = {}
        words = []
        for label in EQUATIONS:
            errors = [error_of(record, label) for record in own]
            values[f"{NAMES[label]}, N = {first}"] = errors[0]
            values[f"{NAMES[label]}, N = {last}"] = errors[-1]
            words.append(f"{NAMES[label]} from {errors[0]:.2g} to {errors[-1]:.2g}")
        apart = max(abs(error_of(r, "redfield") - error_of(r, "davies")) for r in own)
        values["largest difference of Redfield and Davies"] = apart
        # The theorem, seen from the truth.
        same = apart < 1e-9
        tail = (
            "Redfield and Davies are equally far at every size"
            if same
            else (f"Redfield and Davies differ by up to {apart:.2g}")
        )
        findings.append(
            Finding(f"From N = {first} to {last}, {title}: {'; '.join(words)}; {tail}.", values)
        )
    figure = Figure(
        "size",
        "Largest trace norm of C − C_exact in time against the number of sites; open and dotted: "
        "without Lamb shift. Where Redfield and Davies agree, Davies lies within Redfield.",
        partial(draw_scans, found, "n_sites", error_of),
    )
    table = scan_table("size", "n_sites", "N", found)
    return findings, Chapter("Against size", (), (figure,), (table,))


def _detuning(steady: list[Record]) -> Part:
    found = scans(steady, "detuning")
    if not found:
        return [], None
    findings = []
    for title, own in found:
        values: dict[str, float] = {}
        words = [_range_words(own, label, values) for label in ("davies", "local")]
        words += [_current_words(own, label, values) for label in EQUATIONS]
        for label in ("exact", *EQUATIONS):
            against = [r for r in own if number(r, f"{label}_entropy") < 0.0]
            values[f"{NAMES[label]}, detunings of negative entropy production"] = len(against)
            if against:
                places = ", ".join(f"{float(r.case.given['detuning']):g}" for r in against)
                words.append(
                    f"{NAMES[label]} violates the second law at δ = {places}: its entropy "
                    "production is negative there"
                )
        findings.append(Finding(f"{title}: {'; '.join(words)}.", values))
    figure = Figure(
        "detuning",
        "Steady state of two sites between two reservoirs against the difference of their "
        "energies: trace norm of C − C_exact, particle and energy currents out of the first "
        "reservoir, entropy production; dashed black: exact.",
        partial(draw_detuning, found),
    )
    table = scan_table("detuning", "detuning", "δ", found)
    return findings, Chapter(
        "Against detuning, with currents", (), (figure,), (table, currents_table(found))
    )


def _range_words(own: list[Record], label: str, values: dict[str, float]) -> str:
    """Where an equation fails: is further off than a factor of Redfield."""
    ratios = [error_of(record, label) / error_of(record, "redfield") for record in own]
    failing = [
        float(record.case.given["detuning"]) for record, r in zip(own, ratios) if r > _FAILS
    ]
    worst = int(np.argmax(ratios))
    at = float(own[worst].case.given["detuning"])
    values[f"{NAMES[label]}, largest ratio to Redfield"] = ratios[worst]
    values[f"{NAMES[label]}, detunings of a ratio above {_FAILS:g}"] = len(failing)
    if not failing:
        return (
            f"the steady state of {NAMES[label]} is nowhere further off than {_FAILS:g} times "
            f"Redfield's ({ratios[worst]:.2g} times at δ = {at:g})"
        )
    values[f"{NAMES[label]}, fails from"] = min(failing)
    values[f"{NAMES[label]}, fails to"] = max(failing)
    return (
        f"the steady state of {NAMES[label]} is off by more than {_FAILS:g} times Redfield's "
        f"between δ = {min(failing):g} and {max(failing):g} ({len(failing)} of {len(own)} "
        f"detunings, at worst {ratios[worst]:.3g} times, δ = {at:g})"
    )


def _current_words(own: list[Record], label: str, values: dict[str, float]) -> str:
    """How wrong the particle current of an equation is, and from which detuning on."""
    errors = [_current_error(record, label) for record in own]
    detunings = [float(record.case.given["detuning"]) for record in own]
    worst = int(np.argmax(errors))
    values[f"{NAMES[label]}, largest relative error of the particle current"] = errors[worst]
    values[f"{NAMES[label]}, at the detuning"] = detunings[worst]
    wrong = [abs(at) for at, error in zip(detunings, errors) if error > _WRONG]
    values[f"{NAMES[label]}, detunings of a wrong particle current"] = len(wrong)
    text = (
        f"the particle current of {NAMES[label]} is wrong by {100.0 * errors[worst]:.3g} % at "
        f"worst (δ = {detunings[worst]:g})"
    )
    if not wrong:
        return text
    low, high = min(wrong), max(wrong)
    values[f"{NAMES[label]}, smallest |δ| of them"] = low
    values[f"{NAMES[label]}, largest |δ| of them"] = high
    return (
        f"{text}, by more than {100.0 * _WRONG:g} % at {len(wrong)} of {len(own)} detunings with "
        f"|δ| from {low:g} to {high:g}"
    )


def _current_error(record: Record, label: str) -> float:
    """Of the particle current out of the first reservoir, relative to the exact one."""
    exact = numbers(record, "exact_particle")[0]
    return abs(numbers(record, f"{label}_particle")[0] / exact - 1.0)
