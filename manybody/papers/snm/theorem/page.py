"""The page of a theorem study: every claim with its number, and whether it holds."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from manybody.papers.kit.config import CaseStudy, Record
from manybody.papers.kit.distances_page import words_of
from manybody.papers.kit.page import (
    Cell,
    Chapter,
    Figure,
    Finding,
    Page,
    Part,
    cases_table,
    fit_power,
    grouped,
    number,
    page_of,
    short,
    table_of,
)
from manybody.papers.kit.subject import LINEAR, NO_ERRORS
from manybody.papers.kit.systems import n_sites_of, title_of
from manybody.papers.snm.theorem.cases import (
    EQUAL,
    EVERY,
    FOCK,
    ONE_COUPLING,
    TWO_TEMPERATURES,
    UNCLUSTERED,
)
from manybody.report.figures.canvas import (
    colour,
    grid,
    marker,
    one_scale,
    put_labels,
    put_legend_below,
    put_title,
    size_axis,
)
from manybody.report.page.document import Column, Table
from manybody.report.page.subject import SOURCE
from manybody.report.tables.columns import scientific

# Relative: what a residual of rounding may be at N = 1000.
ROUNDING = 1e-12
_SMALLEST = 1e-18
Parameters = Mapping[str, Any]


def build_page(study: CaseStudy, records: Sequence[Record]) -> Page:
    """Findings, chapters and tables of the cases that are there."""
    checks = grouped(records, lambda given: given["check"])
    builders = {
        EQUAL: _equal,
        ONE_COUPLING: _one_coupling,
        TWO_TEMPERATURES: _two_temperatures,
        EVERY: _every,
        UNCLUSTERED: _unclustered,
        FOCK: _fock,
    }
    parts = [build(study, checks[check]) for check, build in builders.items() if check in checks]
    return page_of(_setting(study), parts, (cases_table(records),), _conditions(study))


def _conditions(study: CaseStudy) -> str:
    return (
        "N: number of sites; R, F: damping and filling of dC/dt = −(RC + CR†) + F + F†; residual: "
        "norm of the difference of both equations over that of the dissipative part of Davies'; "
        f"J = {study.settings['strength']:g}. {NO_ERRORS}."
    )


def _setting(study: CaseStudy) -> Chapter:
    given = study.settings
    words = [f"{name}s: {words_of(given[name])}" for name in ("fermion", "boson")]
    lines = (
        "Every site of a quadratic system exchanges particles with a reservoir of its own, with "
        f"J = {given['strength']:g}. The equation of motion of the correlation matrix is dC/dt = "
        "−(RC + CR†) + F + F†; a residual is ‖R_R − R_D‖/‖R_D − ih‖ or ‖F_R − F_D‖/‖F_D‖ in "
        "Frobenius norms, the larger of the two unless said otherwise: relative to the "
        "dissipative "
        "part of the Davies equation alone. Both equations are assembled on their own.",
        f"Reservoirs of {words[0]}; of {words[1]}, h shifted so that its lowest level is "
        f"{given['lowest_level']:g}. A residual up to {ROUNDING:g} is called rounding.",
    )
    return Chapter("What is compared", (*lines, SOURCE), formulas=LINEAR)


def residual(record: Record) -> float:
    """What a case says of the distance of both equations: the largest of its numbers."""
    keys = [key for key in ("damping", "filling", "residual") if key in record.results]
    return max(number(record, key) for key in keys)


def _equal(study: CaseStudy, records: list[Record]) -> Part:
    worst = max(records, key=residual)
    value, given = residual(worst), worst.case.given
    holds = value <= ROUNDING
    sizes = [n_sites_of(record.case.given) for record in records]
    verdict = (
        "holds to rounding" if holds else f"FAILS: {_over(records)} cases lie above {ROUNDING:g}"
    )
    sentence = (
        "Identical baths on every site. The paper (eqs. (9)-(12)): Redfield and Davies are one "
        f"equation, without the secular approximation. It {verdict}: the largest residual of "
        f"{len(records)} cases, N = {min(sizes)} to {max(sizes)}, is {value:.1e} "
        f"({title_of(given)}, N = {n_sites_of(given)}, {_setup(given)})."
    )
    numbers = {"largest residual": value, "cases": len(records), "holds": float(holds)}
    figure = Figure(
        "theorem",
        "Residual of identical baths against size; dashed: √N times the rounding unit. Several "
        "points at a size are draws of the disorder. Filled: no Lamb shift, open: with it.",
        partial(_draw_residuals, "identical baths on every site", records, rounding=True),
    )
    cells: list[Cell] = [
        *_GROUP,
        *_RANGE,
        (Column("damping", "largest, R", scientific), _extreme(max, "damping")),
        (Column("filling", "largest, F", scientific), _extreme(max, "filling")),
        (Column("verdict", "paper"), lambda own: "fails" if _over(own) else "holds"),
    ]
    table = table_of("theorem", "Identical baths on every site", _systems(records), cells)
    return [Finding(sentence, numbers)], Chapter("The theorem", (), (figure,), (table,))


def _one_coupling(study: CaseStudy, records: list[Record]) -> Part:
    change = study.settings["coupling_change"]
    smallest, largest = min(map(residual, records)), max(map(residual, records))
    trend, numbers = _trend_words(records)
    sentence = (
        f"One coupling changed by {100.0 * change:g} %. The paper asks for equal J; "
        f"{_broken(smallest)}: residuals from {smallest:.1e} to {largest:.1e}, {trend}."
    )
    paragraph = (
        "Exponents are of residuals against N, of sizes above 30 where there are three: one site "
        "of N should count as 1/√N."
    )
    numbers |= {"smallest residual": smallest, "largest residual": largest}
    figure = "Residual of one changed coupling", "one coupling changed"
    table = _trend_table("one-coupling", f"One coupling changed by {change:.2g}", records)
    chapter = _against_size("One coupling changed", paragraph, figure, table, records)
    return [Finding(sentence, numbers)], chapter


def _two_temperatures(study: CaseStudy, records: list[Record]) -> Part:
    ratio = study.settings["beta_ratio"]
    damping = max(number(record, "damping") for record in records)
    filling = [number(record, "filling") for record in records]
    trend, numbers = _trend_words(records)
    stays = "stays equal to rounding" if damping <= ROUNDING else "differs too"
    sentence = (
        f"Two temperatures (β times {ratio:g} on half of the sites). The paper asks for equal "
        f"baths; {_broken(min(filling))}: F differs by {min(filling):.2g} to {max(filling):.2g}, "
        f"{trend}; R, which knows no temperature, {stays} (at most {damping:.1e})."
    )
    numbers |= {"largest, R": damping, "smallest, F": min(filling), "largest, F": max(filling)}
    figure = "Residual of two temperatures", "two temperatures"
    table = _trend_table("two-temperatures", "Two temperatures", records)
    chapter = _against_size("Two temperatures", "", figure, table, records)
    return [Finding(sentence, numbers)], chapter


def _every(study: CaseStudy, records: list[Record]) -> Part:
    numbers: dict[str, float] = {}
    words = []
    deviations = list(map(_deviation, records))
    fluxes = grouped(records, lambda given: (given["spacing"], given["flux"]))
    rings = [own for _, own in sorted(fluxes.items())]
    for own in rings:
        values = [number(record, "damping") for record in own]
        name = f"p = {own[0].case.given['spacing']}, flux {own[0].case.given['flux']:g}"
        numbers[f"{name}, smallest"], numbers[f"{name}, largest"] = min(values), max(values)
        span = f"{values[0]:.4g}"
        if max(values) - min(values) > 1e-6:
            span = f"{min(values):.3g} to {max(values):.3g}"
        words.append(f"{span} ({name}, √(p−1) = {_bare(own):.4g})")
    numbers["largest deviation from the sum over terms"] = max(deviations)
    failing = sum(number(record, "damping") > ROUNDING for record in records)
    numbers["cases that contradict the paper"] = failing
    verdict = "It does not hold" if failing else "It holds"
    sentence = (
        "Baths on every p-th site of a ring. The paper (below eq. (12)): terms m ≠ n vanish, so "
        f"that both equations still agree. {verdict}, in {failing} of {len(records)} cases: terms "
        "with m − n a multiple of N/p survive with the weight 1/p, of p equal terms Davies keeps "
        f"one, and the residual of R is √(p−1): {'; '.join(words)}. Without flux Davies keeps "
        "degenerate waves together as well, which makes small rings deviate; the sum over "
        f"surviving terms gives every number to {max(deviations):.0e}."
        if failing
        else f"Baths on every p-th site of a ring. {verdict}: {'; '.join(words)}."
    )
    cells: list[Cell] = [
        (Column("spacing", "p"), lambda own: own[0].case.given["spacing"]),
        (Column("flux", "flux", short), lambda own: own[0].case.given["flux"]),
        *_RANGE,
        (Column("smallest", "smallest", _six), _extreme(min, "damping")),
        (Column("largest", "largest", _six), _extreme(max, "damping")),
        (Column("bare", "√(p−1)", _six), _bare),
        (
            Column("deviation", "from sum over terms", scientific),
            lambda own: max(map(_deviation, own)),
        ),
        (
            Column("verdict", "paper"),
            lambda own: "fails" if _extreme(min, "damping")(own) > ROUNDING else "holds",
        ),
    ]
    table = table_of("rings", "Baths on every p-th site of a ring, residual of R", rings, cells)
    return [Finding(sentence, numbers)], Chapter("Baths on some sites of a ring", (), (), (table,))


def _deviation(record: Record) -> float:
    """Of the residual of R from the sum over the terms that survive."""
    return abs(number(record, "damping") - number(record, "expected"))


def _bare(own: Sequence[Record]) -> float:
    """√(p−1)."""
    return math.sqrt(own[0].case.given["spacing"] - 1)


def _unclustered(study: CaseStudy, records: list[Record]) -> Part:
    values = [residual(record) for record in records]
    trend, numbers = _trend_words(records)
    sentence = (
        "A Davies equation that fails to see that transitions |S⟩ → |S + m⟩ of all S share a "
        "frequency (a negative test). The theorem needs them together; apart they leave spurious "
        f"residuals from {min(values):.2g} to {max(values):.3g}, {trend}: {_broken(min(values))}."
    )
    numbers |= {"smallest residual": min(values), "largest residual": max(values)}
    caption = "Residual of the unclustered Davies equation on coherences of one-particle states"
    figure = caption, "unclustered Davies"
    table = _trend_table("unclustered", "Unclustered Davies equation", records)
    chapter = _against_size("Unclustered gaps", "", figure, table, records)
    return [Finding(sentence, numbers)], chapter


def _against_size(
    title: str, paragraph: str, figure: tuple[str, str], table: Table, records: list[Record]
) -> Chapter:
    """Residuals against size; figure: start of its caption, and title of its panels."""
    caption, panels = figure
    picture = Figure(
        table.name,
        f"{caption} against size. Filled: no Lamb shift, open: with it.",
        partial(_draw_residuals, panels, records),
    )
    return Chapter(title, (paragraph,) if paragraph else (), (picture,), (table,))


def _fock(study: CaseStudy, records: list[Record]) -> Part:
    values = [number(record, "residual") for record in records]
    apart = [number(r, "unclustered") for r in records if "unclustered" in r.results]
    sizes = [n_sites_of(record.case.given) for record in records]
    verdict = "holds to rounding" if max(values) <= ROUNDING else "FAILS"
    sentence = (
        f"The generators themselves, on the whole Fock space of N = {min(sizes)} to {max(sizes)} "
        f"sites: the theorem {verdict}, ‖L_R − L_D‖ is at most {max(values):.1e} of the "
        f"dissipative part of L_D in {len(records)} cases"
    )
    numbers = {"largest residual": max(values), "cases": len(records)}
    if apart:
        sentence += (
            "; with every transition between levels a frequency of its own it is off by "
            f"{min(apart):.2g} to {max(apart):.2g}"
        )
        numbers |= {"smallest, unclustered": min(apart), "largest, unclustered": max(apart)}
    most = {r.case.given["max_particles"] for r in records if "max_particles" in r.case.given}
    limit = f"Bosons: at most {max(most)} particles. " if most else ""
    paragraph = (
        f"{limit}Residuals are ‖L_R − L_D‖_F over ‖L_D + i[H, ·]‖_F of the dense generators; "
        "rounding here is that of the unitary part, which is larger than the dissipative one."
    )
    cells: list[Cell] = [
        *_GROUP,
        *_RANGE,
        (Column("residual", "largest residual", scientific), _extreme(max, "residual")),
        (Column("unclustered", "smallest, unclustered", short), _extreme(min, "unclustered")),
    ]
    table = table_of("fock", "Generators on Fock space", _systems(records), cells)
    return ([Finding(f"{sentence}.", numbers)], Chapter("Fock space", (paragraph,), (), (table,)))


def _sizes(own: Sequence[Record]) -> list[int]:
    return [n_sites_of(record.case.given) for record in own]


def _extreme(pick: Callable[..., Any], key: str) -> Callable[[Sequence[Record]], Any]:
    """The largest or smallest of a result among records, None where none has it."""
    return lambda own: pick((number(r, key) for r in own if key in r.results), default=None)


# What names records of one system, statistics and Lamb shift, and which sizes there are.
_GROUP: tuple[Cell, ...] = (
    (Column("system", "system"), lambda own: title_of(own[0].case.given)),
    (Column("statistics", "particles"), lambda own: f"{own[0].case.given['statistics']}s"),
    (
        Column("lamb_shift", "Lamb shift"),
        lambda own: "on" if own[0].case.given["lamb_shift"] else "off",
    ),
)
_RANGE: tuple[Cell, ...] = (
    (Column("n_from", "N from"), lambda own: min(_sizes(own))),
    (Column("n_to", "to"), lambda own: max(_sizes(own))),
    (Column("cases", "cases"), len),
)


def _six(value: Any) -> str:
    return f"{float(value):.6f}"


def _systems(records: Sequence[Record]) -> list[list[Record]]:
    """By system but for its size and draw, statistics and Lamb shift."""
    return list(
        grouped(
            records, lambda given: (title_of(given), given["statistics"], given["lamb_shift"])
        ).values()
    )


def _setup(given: Parameters) -> str:
    return f"{given['statistics']}s, Lamb shift {'on' if given['lamb_shift'] else 'off'}"


def _over(records: Sequence[Record]) -> int:
    return sum(residual(record) > ROUNDING for record in records)


def _broken(smallest: float) -> str:
    if smallest > ROUNDING:
        return "without that both equations differ in every case"
    return "some cases agree to rounding nevertheless"


def _exponent(own: Sequence[Record]) -> Any:
    """Of the residual in N, None where there are not three sizes with a residual.

    Small sizes have laws of their own, and are left out where there are three others.
    """
    kept = [record for record in own if residual(record) > ROUNDING]
    large = [record for record in kept if n_sites_of(record.case.given) > 30]
    if len({n_sites_of(record.case.given) for record in large}) >= 3:
        kept = large
    sizes = [float(n_sites_of(record.case.given)) for record in kept]
    if len(set(sizes)) < 3:
        return None
    return fit_power(sizes, [residual(record) for record in kept])


def _trend_words(records: Sequence[Record]) -> tuple[str, dict[str, float]]:
    """How the residual changes with N, over all systems."""
    fits = [fit for own in _systems(records) if (fit := _exponent(own)) is not None]
    if not fits:
        return "at too few sizes for a power of N, which takes three", {}
    exponents = [fit.exponent for fit in fits]
    low, high = min(exponents), max(exponents)
    span = f"N^{low:.2f}" if high - low < 0.01 else f"N^{low:.2f} to N^{high:.2f}"
    if low > 0.1:
        way = "growing as"
    elif high < -0.1:
        way = "falling as"
    else:
        way = "with N changing as"
    return f"{way} {span}", {"smallest exponent of N": low, "largest exponent of N": high}


def _trend_table(name: str, title: str, records: Sequence[Record]) -> Table:

    def of_fit(name: str) -> Callable[[Sequence[Record]], Any]:
        return lambda own: getattr(_exponent(own), name, None)

    cells: list[Cell] = [
        *_GROUP,
        *_RANGE,
        (Column("smallest", "smallest", short), lambda own: min(map(residual, own))),
        (Column("largest", "largest", short), lambda own: max(map(residual, own))),
        (Column("exponent", "exponent of N", short, "exponent_error"), of_fit("exponent")),
        (Column("exponent_error"), of_fit("error")),
    ]
    return table_of(name, title, _systems(records), cells)


def _plain(value: Any) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.2g}"


def _draw_residuals(title: str, records: Sequence[Record], rounding: bool = False) -> Any:
    """Residual against N, a panel for fermions and one for bosons."""
    statistics = grouped(records, lambda given: given["statistics"])
    figure, axes = grid(len(statistics), 4.9, 3.7, most=2)
    for axis, (particles, mine) in zip(axes, statistics.items()):
        for index, own in enumerate(grouped(mine, title_of).values()):
            _draw_system(axis, own, index)
        if rounding:
            sizes = np.array(sorted(set(_sizes(mine))))
            line = np.finfo(float).eps * np.sqrt(sizes)
            axis.plot(sizes, line, color="0.5", lw=1.0, ls="--", label=r"$\sqrt{N}$ × rounding")
        axis.set_yscale("log")
        size_axis(axis, _sizes(mine))
        put_labels(axis, up="relative residual")
        put_title(axis, f"{particles}s: {title}")
    notes = ["filled: no Lamb shift, open: with it", one_scale(axes)]
    notes += [f"0 is drawn at {_SMALLEST:g}"] * (min(map(residual, records)) < _SMALLEST)
    put_legend_below(figure, axes, *notes)
    return figure


def _draw_system(axis: Any, own: Sequence[Record], index: int) -> None:
    """One system: open and filled markers side by side, or the one hides the other."""
    sizes = np.array(_sizes(own))
    values = np.maximum([residual(record) for record in own], _SMALLEST)
    shifted = np.array([record.case.given["lamb_shift"] for record in own])
    style = {"ls": "", "marker": marker(index), "ms": 6, "color": colour(index)}
    for shift, fill in ((False, {"label": title_of(own[0].case.given)}), (True, {"mfc": "none"})):
        kept = shifted == shift
        axis.plot(sizes[kept] * (1.06 if shift else 1.0), values[kept], **style, **fill)
