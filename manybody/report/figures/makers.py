"""Averages -> figures.  matplotlib is imported when something is drawn."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.equations.registry import unguarded
from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.scans import scans
from manybody.report.figures.canvas import (
    SMALL,
    averaged,
    beside,
    from_zero,
    grid,
    n_sites_of,
    one_scale,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
    said_beside,
    short_title,
    size_axis,
)
from manybody.report.figures.curves import TIME, Axes, draw_curves, label_of, moments_of
from manybody.report.figures.equations import draw_equations, has_more_equations
from manybody.report.figures.expectations import draw_expectations, has_expectations
from manybody.report.figures.local import (
    draw_local,
    draw_local_laws,
    draw_local_maxima,
    draw_scaled,
    draw_states,
    fitted,
)
from manybody.report.figures.observables import (
    draw_locality,
    draw_observables,
    draw_positivity,
    has_panels,
)
from manybody.report.figures.scans import draw_scans
from manybody.report.figures.size import (
    draw_laws,
    draw_maxima,
    draw_maximum,
    draw_precision,
    draw_spread,
)
from manybody.report.read import StudyResult, pattern_words, system_title
from manybody.solve.observables.registry import figures_of
from manybody.study.configuration import Study
from manybody.study.regions import symbol_of

_OTHER_NAMES = (
    *("maxima", "laws", "scan", "spread", "equations", "precision", "positivity"),
    *("expectations", "locality"),
    *("local", "local-scaled", "local-states", "local-maxima", "local-laws"),
)
# Systems whose names have room in a panel.
_FEW = 4
_COUPLINGS = {
    "one": "one particle,\n" + r"$A_j = |j\rangle\langle j|$ on every site",
    "many": "many particles,\n" + r"$A_j = n_j$ or $\sigma^z_j$ on every site",
    "both": "\n" + r"$A_j = |j\rangle\langle j|$ of one particle, $n_j$ of many",
}


def distances_name(study: Study) -> str:
    """Of the figure of distances: the study's, but where another figure has that name."""
    return f"{study.name}-distances" if study.name in _OTHER_NAMES else study.name


def figure_makers(analysis: Analysis) -> dict[str, Callable[[], Any]]:
    """Name -> what draws it, for every figure that a study has; nothing is drawn yet.

    The study's own name stands for trace distances against time, `<name>-figures` for other
    observables against size.
    """
    results = analysis.results
    found: dict[str, Callable[[], Any]] = {}
    if results.study.evolves:
        found[distances_name(results.study)] = lambda: draw_distances(results)
        found["maxima"] = lambda: draw_maxima(analysis)
        if any(each.verdict is not None for each in analysis.verdicts):
            found["laws"] = lambda: draw_laws(analysis)
        found["spread"] = lambda: draw_spread(analysis)
        if scans(results):
            found["scan"] = lambda: draw_scans(results)
        if has_more_equations(results):
            found["equations"] = lambda: draw_equations(results)
        if analysis.precisions:
            found["precision"] = lambda: draw_precision(analysis)
        if unguarded(results.study.equations):
            found["positivity"] = lambda: draw_positivity(results)
    if results.study.evolves and results.has_local:
        found |= _local_makers(analysis)
    if has_expectations(results):
        found["expectations"] = lambda: draw_expectations(results)
    if "locality_1" in figures_of(results.study.observables):
        found["locality"] = lambda: draw_locality(results)
    if has_panels(results):
        found[f"{results.study.name}-figures"] = lambda: draw_observables(results)
    return found


def _local_makers(analysis: Analysis) -> dict[str, Callable[[], Any]]:
    """The same of local figures."""
    results = analysis.results
    found: dict[str, Callable[[], Any]] = {
        "local": lambda: draw_local(results),
        "local-scaled": lambda: draw_scaled(results),
        "local-states": lambda: draw_states(results),
        "local-maxima": lambda: draw_local_maxima(analysis),
    }
    if fitted(analysis):
        found["local-laws"] = lambda: draw_local_laws(analysis)
    return found


def draw_distances(results: StudyResult) -> Any:
    """The figure of SNM: trace distance against time, and its maximum against size.

    One panel a system (mean with standard deviation), a last one with the maximum
    over time of the mean and its 68 % bootstrap interval.  Returns a matplotlib Figure.
    """
    drawn = results.drawn
    figure, axes = grid(len(drawn) + 1, 3.33, 2.9)
    times, label = np.array(results.study.times), f"${results.distance('(t)')}$"
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        panel = Axes(times, TIME, label, f"({chr(97 + index)}) {system_title(system)}")
        draw_curves(axis, panel, partial(label_of, system), moments_of(points))
    last = axes[len(drawn)]
    for index, (system, points) in enumerate(drawn):
        shift = beside(index, len(drawn))
        draw_maximum(last, averaged(points), index, short_title(system), shift)
    size_axis(last, n_sites_of(results.points))
    from_zero(last)
    put_labels(last, up=rf"$\max_t \langle {results.distance()} \rangle$")
    put_title(last, f"({chr(97 + len(drawn))}) maximum against size")
    note = one_scale(axes[: len(drawn)])
    few = len(drawn) <= _FEW
    if few:
        put_legend(last)
    put_legend_below(figure, () if few else (last,), note, said_beside(len(drawn)))
    if len(axes) > len(drawn) + 1:
        _describe(axes[len(drawn) + 1], results)
    return figure


def _describe(axis: Any, results: StudyResult) -> None:
    """What a reader must know, in the empty corner."""
    study = results.study
    changed = {key for system in study.systems for key, _ in system.changes}

    def told(key: str, words: str) -> str:
        return "see titles" if key in changed else words

    shift = told("lamb_shift", "kept" if study.lamb_shift else "neglected")
    site = told("initial_site", str(study.initial_site))
    pattern = told("initial_state", pattern_words(study))
    start = {
        "one": f"start on site: {site}",
        "many": f"start: {pattern}",
        "both": f"start: many {pattern}, one on site {site}",
    }[results.particles if study.initial_state is None else "many"]
    if study.initial_beta is not None or "initial_beta" in changed:
        beta_0 = "see titles" if "initial_beta" in changed else f"{study.initial_beta:g}"
        start = f"{start}; thermal starts: {beta_0}"
    family = BATH_FAMILIES[study.bath_type]
    bath = ",  ".join(
        f"{symbol_of(family, key)[0]}: " + told(f"bath_{key}", f"{value:g}")
        for key, value in study.bath_parameters
    )
    kind = "" if study.bath_type == Study.bath_type else f"{family.title} baths\n"
    families = {each.model: each.family for each in study.systems}
    by_model: dict[str, list[tuple[dict[str, Any], tuple[int, ...]]]] = {}
    for each in study.systems:
        by_model.setdefault(each.model, []).append((dict(each.parameters), each.sizes))
    notes = "".join(
        f"{line}\n"
        for model, systems in by_model.items()
        for line in families[model].notes(systems)
    )
    # The layout breaks lines that are longer than the panel.
    text = (
        f"{results.words_of_two}, {_COUPLINGS[results.particles]}\n\n"
        f"{kind}{bath},  $\\mu = 0$\n"
        f"{start}\nLamb shift: {shift}\n"
        f"{notes}\n"
        "lines, bands: mean, standard deviation\n"
        "bars: 68 % bootstrap interval\n"
        "triangles: lower bounds, times too short"
    )
    axis.set_visible(True)
    axis.set_axis_off()
    style = {"va": "top", "fontsize": SMALL, "linespacing": 1.3}
    # As wide as it is before the layout breaks it, it would take room from the panels.
    axis.text(0.0, 1.0, text, transform=axis.transAxes, **style).set_in_layout(False)
