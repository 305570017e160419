"""The page of a study against the hierarchy: which equation to trust, and where."""

from collections.abc import Sequence
from functools import partial

from manybody.papers.kit import page
from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.distances_page import in_time_table
from manybody.papers.kit.page import (
    FEWEST,
    Chapter,
    Figure,
    Finding,
    Page,
    Part,
    PowerLaw,
    Scan,
    cases_table,
    number,
    numbers,
)
from manybody.papers.kit.reservoirs import labels_of
from manybody.papers.kit.subject import NO_ERRORS
from manybody.papers.snm.hierarchy.cases import GIBBS
from manybody.papers.snm.hierarchy.figures import draw_curves, draw_scans
from manybody.papers.snm.hierarchy.tables import (
    FAILS,
    KNOWN,
    LATE,
    MEASURES,
    MOVING,
    SYMBOLS,
    TIE,
    WITHOUT,
    distance,
    evidence_table,
    late_table,
    name_of,
    nearest,
    ratio,
    scan_table,
    slopes_table,
    squares_law,
    title_without,
    trust_table,
    uncertainty,
)
from manybody.physics.equations.registry import EQUATIONS
from manybody.report.page.subject import SOURCE

# Times that make a curve worth drawing, and how many are drawn.
_CURVE, _DRAWN = 60, 4
# Powers that near nothing are no fall.
_FLAT = 0.15
_SCANNED = {
    "coupling": "Against coupling",
    "beta": "Against temperature",
    "detuning": "Against level splitting",
}
_WHEN = {MOVING: "over all times", LATE: "in the late state"}


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    labels = labels_of(study.settings["equations"])
    coupled = page.scans(records, "coupling", title_without)
    laws = [_laws(title, own, labels) for title, own in coupled]
    parts: list[Part] = [
        (
            _trusted(records, labels),
            Chapter("Which equation to trust", (), (), (trust_table(records, labels),)),
        )
    ]
    for key, heading in _SCANNED.items():
        found = page.scans(records, key, title_without)
        along = [_along(key, title, own, labels) for title, own in found]
        along += laws if key == "coupling" else []
        parts.append((along, _chapter(key, heading, found, labels) if found else None))
    parts += [([], chapter) for chapter in _curves(records, labels)]
    parts.append(
        (
            [_gibbs(title, own, labels) for title, own in coupled],
            Chapter("Late states", (_LATE,), (), (late_table(records, labels),)),
        )
    )
    parts.append(
        (
            [_evidence(records, labels)],
            Chapter("Is the exact answer exact?", (), (), (evidence_table(records, labels),)),
        )
    )
    data = (cases_table(records), in_time_table(records, [f"{label}_trace" for label in labels]))
    return page.page_of(_setting(study), parts, data, _conditions(study))


def _trusted(records: Sequence[Record], labels: Sequence[str]) -> list[Finding]:
    return [
        _verdict(records, labels),
        *(_nearest(records, labels, measure) for measure in MEASURES),
        *(_trust(records, labels, label) for label in labels if not label.endswith(WITHOUT)),
    ]


def _conditions(study: CaseStudy) -> str:
    return (
        "ρ: state of the system; distances: trace norm Σ|eigenvalue| of ρ − ρ_exact; J_int: "
        "strength of the coupling to Drude-Lorentz baths, ω_c = "
        f"{study.settings['cutoff']:g}. {NO_ERRORS}."
    )


_LATE = (
    "The exact late state is the reduced state of e^{−βH}/Z of system and baths together, which "
    "is not e^{−βH}/Z of the system: the difference is of second order in the coupling. An "
    "equation of second order can have its late coherences right to second order, its late "
    "populations to zeroth order only; populations and coherences are those in the eigenbasis of "
    "H."
)


_FORMULAS = (
    "H_int = Σ_j A_j ⊗ B_j, A_j = |j⟩⟨j|; γ(ω) = D(ω) / (1 − e^{−βω})",
    *(f"{EQUATIONS[name].title}: {EQUATIONS[name].formula}" for name in ("redfield", "davies")),
)


def _setting(study: CaseStudy) -> Chapter:
    given = study.settings
    names = ", ".join(name_of(name) for name in given["equations"])
    return Chapter(
        "What is compared",
        (
            "One particle on two or three sites; tilted ring: levels from δ/2 to −δ/2 in equal "
            "steps, hopping between neighbours, and the phase flux of a way around; energies in "
            "J. The density of each site is coupled to a bath of its own with "
            f"D(ω) = J_int² ω / (1 + (ω/ω_c)²), ω_c = {given['cutoff']:g}. It starts on the "
            "first site; durations count in 1/J_int². "
            "Exact: the hierarchy of equations of motion, enlarged until its last changes, in "
            "depth and in terms of the expansion of C(t), add up to less than "
            f"{100.0 * given['tolerance']:g} % of the smallest distance. Distances are trace "
            "norms Σ|eigenvalue| of ρ − ρ_exact: the largest at the watched times, and that of "
            "the late states, the limits t → ∞.",
            f"Equations, each with its Lamb shift and without: {names}.",
            SOURCE,
        ),
        formulas=_FORMULAS,
    )


def _verdict(records: Sequence[Record], labels: Sequence[str]) -> Finding:
    """The equation that is never far behind the nearest, and that among the positive ones."""
    positive = [label for label in labels if _is_positive(label)]
    values: dict[str, float] = {}
    words = []
    for measure in MEASURES:
        worst = {
            label: max(ratio(record, label, labels, measure) for record in records)
            for label in labels
        }
        best = min(labels, key=worst.__getitem__)
        parts = [f"{name_of(best)}, at worst {worst[best]:.3g} times"]
        values[f"{name_of(best)}, largest ratio {_WHEN[measure]}"] = worst[best]
        if positive and not _is_positive(best):
            safe = min(positive, key=worst.__getitem__)
            parts.append(f"of those that keep ρ positive {name_of(safe)}, {worst[safe]:.3g} times")
            values[f"{name_of(safe)}, largest ratio {_WHEN[measure]}"] = worst[safe]
        words.append(f"{_WHEN[measure]} {', '.join(parts)}")
    sentence = (
        "Which equation to trust? The one whose distance from the exact answer is never many "
        f"times the smallest, over these {len(records)} cases: {'; '.join(words)}."
    )
    return Finding(sentence, values)


def _is_positive(label: str) -> bool:
    name = label.removesuffix(WITHOUT)
    return name in EQUATIONS and EQUATIONS[name].keeps.complete_positivity


def _nearest(records: Sequence[Record], labels: Sequence[str], measure: str) -> Finding:
    """How often each equation is the nearest one, or as near as can be told."""
    best = [nearest(record, labels, measure) for record in records]
    counts = {label: sum(label in each for each in best) for label in labels}
    ordered = sorted((label for label in labels if counts[label]), key=lambda x: -counts[x])
    words = ", ".join(f"{name_of(label)} in {counts[label]}" for label in ordered)
    sentence = (
        f"Who is right {_WHEN[measure]}? Of {len(records)} comparisons with the exact answer "
        f"these are nearest to it, or as near to {100.0 * (TIE - 1.0):.0f} % and the error of the "
        f"hierarchy: {words}."
    )
    values = {f"{name_of(label)}, nearest": float(count) for label, count in counts.items()}
    return Finding(sentence, {"comparisons": float(len(records)), **values})


def _trust(records: Sequence[Record], labels: Sequence[str], label: str) -> Finding:
    """Where an equation with its Lamb shift can be trusted, and what it loses without it."""
    name, bare = name_of(label), f"{label}{WITHOUT}"
    ratios = [ratio(record, label, labels) for record in records]
    near = sum(each <= FAILS for each in ratios)
    worst = max(range(len(records)), key=ratios.__getitem__)
    largest = max(distance(record, label) for record in records)
    lost = [distance(record, bare) / distance(record, label) for record in records]
    worse = sum(each > TIE for each in lost)
    further = f"further off in {worse} of {len(records)}, up to {max(lost):.2g} times"
    if not worse:
        further = "nowhere further off"
    verdict = "everywhere" if near == len(records) else f"in {near} of {len(records)} cases"
    if not near:
        verdict = "nowhere"
    sentence = (
        f"{name}: within {FAILS:g} times the smallest distance {verdict}, at worst "
        f"{ratios[worst]:.3g} times ({title_without(records[worst].case.given, '')}); off by "
        f"{largest:.2g} at most. Without its Lamb shift it is {further}."
    )
    values = {
        f"{name}, cases within {FAILS:g} times": float(near),
        f"{name}, largest ratio": ratios[worst],
        f"{name}, largest distance": largest,
        f"{name}, cases further off without shift": float(worse),
        f"{name}, largest factor without shift": max(lost),
    }
    return Finding(sentence, values)


def _along(key: str, title: str, own: Sequence[Record], labels: Sequence[str]) -> Finding:
    """Which equation is nearest along a scan, and where each one fails."""
    symbol = SYMBOLS[key]
    places = [float(record.case.given[key]) for record in own]
    words = []
    for measure in MEASURES:
        runs = _runs([nearest(record, labels, measure) for record in own])
        parts = ", ".join(
            f"{name_of(label)} {_between(symbol, places[first:last])}"
            for label, first, last in runs
        )
        words.append(f"nearest {_WHEN[measure]}: {parts}")
    values: dict[str, float] = {}
    for label in labels:
        ratios = [ratio(record, label, labels) for record in own]
        values[f"{name_of(label)}, largest ratio"] = max(ratios)
        failing = [place for place, each in zip(places, ratios) if each > FAILS]
        values[f"{name_of(label)}, places of a ratio above {FAILS:g}"] = float(len(failing))
        if failing and not label.endswith(WITHOUT):
            where = places[ratios.index(max(ratios))]
            words.append(
                f"{name_of(label)} is more than {FAILS:g} times as far off "
                f"{_between(symbol, failing)} ({len(failing)} of {len(own)}, at worst "
                f"{max(ratios):.3g} times, at {where:g})"
            )
    return Finding(f"{_SCANNED[key]}, {title}: {'; '.join(words)}.", values)


def _runs(best: Sequence[Sequence[str]]) -> list[tuple[str, int, int]]:
    """(label, first, last + 1) of stretches with one nearest equation, the fewest of them."""
    runs, first = [], 0
    while first < len(best):
        common, last = list(best[first]), first + 1
        while last < len(best) and (both := [each for each in common if each in best[last]]):
            common, last = both, last + 1
        runs.append((common[0], first, last))
        first = last
    return runs


def _between(symbol: str, places: Sequence[float]) -> str:
    low, high = min(places), max(places)
    return f"at {symbol} = {low:g}" if low == high else f"from {symbol} = {low:g} to {high:g}"


def _laws(title: str, own: Sequence[Record], labels: Sequence[str]) -> Finding:
    """Powers of J_int² of the largest distances."""
    smallest = float(own[0].case.given["coupling"])
    values: dict[str, float] = {}
    words = []
    for label in labels:
        law = squares_law(own, [distance(record, label) for record in own])
        late = squares_law(own, [distance(record, label, LATE) for record in own])
        values[f"{name_of(label)}, power"] = law.exponent
        values[f"{name_of(label)}, standard error of it"] = law.error
        values[f"{name_of(label)}, power in the late state"] = late.exponent
        values[f"{name_of(label)}, at J_int = {smallest:g}"] = distance(own[0], label)
        words.append(f"{name_of(label)} {_law_words(law)} (late state: {_law_words(late)})")
    sentence = (
        f"As powers of J_int², at the smallest couplings from {smallest:g} on, {title}: "
        f"{'; '.join(words)}."
    )
    return Finding(sentence, values)


def _law_words(law: PowerLaw) -> str:
    if abs(law.exponent) < _FLAT:
        return "does not fall"
    return law.words


def _gibbs(title: str, own: Sequence[Record], labels: Sequence[str]) -> Finding:
    """The Gibbs state of H, and what the equations end in, against the exact late state."""
    last = own[-1]
    coupling = float(last.case.given["coupling"])
    apart = number(last, f"{GIBBS}_late")
    law = squares_law(own, [number(record, f"{GIBBS}_late") for record in own])
    parts = [number(last, f"{GIBBS}_late_{part}") for part in ("populations", "coherences")]
    values = {
        f"distance at J_int = {coupling:g}": apart,
        "of populations": parts[0],
        "of coherences": parts[1],
        "power of J_int²": law.exponent,
    }
    sides: dict[str, list[str]] = {"nearer": [], "as far": [], "further off": []}
    for label in labels:
        factor = distance(last, label, LATE) / apart
        values[f"{name_of(label)}, in units of that"] = factor
        side = "nearer" if factor < 1.0 / TIE else "as far" if factor <= TIE else "further off"
        more = "" if side == "as far" else f" ({factor:.3g} times)"
        sides[side].append(f"{name_of(label)}{more}")
    words = [f"{side}: {', '.join(names)}" for side, names in sides.items() if names]
    words.append(_coherences(own, labels, values))
    return Finding(
        f"The exact late state is not the Gibbs state of H, {title}: at J_int = {coupling:g} they "
        f"are {apart:.2g} apart ({parts[0]:.2g} in populations, {parts[1]:.2g} in coherences), "
        f"which falls as (J_int²)^{law.words}. Of the equations' late states "
        f"{'; '.join(filter(None, words))}.",
        values,
    )


def _coherences(own: Sequence[Record], labels: Sequence[str], values: dict[str, float]) -> str:
    """Of the equation with the best late coherences, how their error falls, where it is known."""
    key = "late_coherences"
    best = min(labels, key=lambda label: number(own[-1], f"{label}_{key}"))
    known = [r for r in own if number(r, f"{best}_{key}") > KNOWN * uncertainty(r, LATE)]
    size = number(own[-1], f"{best}_{key}")
    values[f"{name_of(best)}, error of coherences"] = size
    text = f"the best late coherences are those of {name_of(best)}, off by {size:.1e}"
    if len(known) < FEWEST:
        return text
    law = squares_law(known, [number(record, f"{best}_{key}") for record in known])
    values[f"{name_of(best)}, power of the error of coherences"] = law.exponent
    return f"{text}, which falls as (J_int²)^{law.words} ({law.points} couplings)"


def _chapter(key: str, heading: str, found: list[Scan], labels: Sequence[str]) -> Chapter:
    grey = "; grey: J_int²" if key == "coupling" else ""
    figure = Figure(
        key,
        f"Trace norm of ρ − ρ_exact against {heading.removeprefix('Against ')}: left the largest "
        "in time, right the late states; open and dotted: without Lamb shift; dashed: the Gibbs "
        f"state of H{grey}.",
        partial(draw_scans, found, key, labels),
    )
    tables = [scan_table(key, found, labels)]
    if key == "coupling":
        tables.insert(0, slopes_table(found, labels))
    return Chapter(heading, (), (figure,), tuple(tables))


def _curves(records: Sequence[Record], labels: Sequence[str]) -> list[Chapter]:
    """Distances in time of a few cases, evenly from the nearest to the furthest."""
    timed = [record for record in records if len(numbers(record, "times")) >= _CURVE]
    if not timed:
        return []
    timed = sorted(timed, key=lambda record: min(distance(record, label) for label in labels))
    step = max(1, (len(timed) - 1) // (_DRAWN - 1))
    drawn = timed[::step][:_DRAWN]
    titled = [(title_without(record.case.given, ""), record) for record in drawn]
    figure = Figure(
        "time",
        "Trace norm of ρ − ρ_exact against time; open and dotted: without Lamb shift.",
        partial(draw_curves, titled, labels),
    )
    return [Chapter("Against time", (), (figure,))]


def _evidence(records: Sequence[Record], labels: Sequence[str]) -> Finding:
    """How right the hierarchy is, in units of what it judges."""
    shares = {
        measure: max(
            uncertainty(record, measure)
            / min(distance(record, label, measure) for label in labels)
            for record in records
        )
        for measure in MEASURES
    }
    largest = max(uncertainty(record, measure) for record in records for measure in MEASURES)
    terms = max(number(record, "terms") for record in records)
    depth = max(number(record, "depth") for record in records)
    sentence = (
        f"The exact answer: last changes of the hierarchy, with up to {terms:.0f} terms a bath "
        f"and depth {depth:.0f}, add up to {largest:.1e} at most, and to "
        f"{100.0 * shares[MOVING]:.2g} % of the smallest distance over all times and "
        f"{100.0 * shares[LATE]:.2g} % of that in the late state."
    )
    values = {
        "largest error": largest,
        "largest share of a smallest distance": shares[MOVING],
        "largest share in the late state": shares[LATE],
        "most terms": terms,
        "largest depth": depth,
    }
    return Finding(sentence, values)
