"""Averages -> figures.  matplotlib is imported when something is drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np

from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.equations.registry import unguarded
from manybody.physics.models.families import FAMILIES
from manybody.report.analysis.conclusions import Analysis
from manybody.report.figures.canvas import (
    counted_samples,
    from_zero,
    grid,
    put_title,
    short_title,
    size_axis,
)
from manybody.report.figures.observables import (
    draw_locality,
    draw_observables,
    draw_positivity,
    has_panels,
)
from manybody.report.figures.size import (
    draw_laws,
    draw_maxima,
    draw_maximum,
    draw_precision,
    draw_spread,
)
from manybody.report.read import PointResult, StudyResult, system_title
from manybody.solve.observables.registry import figures_of
from manybody.study.configuration import Study, System


def figure_makers(analysis: Analysis) -> dict[str, Callable[[], Any]]:
    """Name -> what draws it, for every figure that a study has; nothing is drawn yet.

    The study's own name stands for trace distances against time, `<name>-figures` for other
    observables against size.
    """
    results = analysis.results
    found: dict[str, Callable[[], Any]] = {}
    if results.study.evolves:
        found[results.study.name] = lambda: draw_distances(results)
        found["maxima"] = lambda: draw_maxima(analysis)
        if any(each.verdict is not None for each in analysis.verdicts):
            found["laws"] = lambda: draw_laws(analysis)
        found["spread"] = lambda: draw_spread(analysis)
        if analysis.precisions:
            found["precision"] = lambda: draw_precision(analysis)
        if unguarded(results.study.equations):
            found["positivity"] = lambda: draw_positivity(results)
    if "locality_1" in figures_of(results.study.observables):
        found["locality"] = lambda: draw_locality(results)
    if has_panels(results):
        found[f"{results.study.name}-figures"] = lambda: draw_observables(results)
    return found


def draw_distances(results: StudyResult) -> Any:
    """The figure of SNM: trace distance against time, and its maximum against size.

    One panel a system (mean with standard deviation), a last one with the maximum
    over time of the mean and its 68 % bootstrap interval.  Returns a matplotlib Figure.
    """
    drawn = results.drawn
    figure, axes = grid(len(drawn) + 1, 4.6, 3.9)
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        _draw_curves(axis, results, system, points)
        put_title(axis, f"({chr(97 + index)}) {system_title(system)}")
    last = axes[len(drawn)]
    for index, (system, points) in enumerate(drawn):
        draw_maximum(last, points, index, short_title(system))
    size_axis(last, 12)
    from_zero(last)
    last.set_ylabel(rf"$\max_t \langle {results.distance()} \rangle$", fontsize=12)
    last.tick_params(labelsize=11)
    last.set_ylim(top=1.25 * last.get_ylim()[1])
    last.legend(
        fontsize=10,
        loc="upper left",
        frameon=False,
        ncols=2,
        columnspacing=0.8,
        handlelength=1.2,
        handletextpad=0.4,
    )
    last.set_title(f"({chr(97 + len(drawn))}) maximum against size", fontsize=14)
    if len(axes) > len(drawn) + 1:
        _describe(axes[len(drawn) + 1], results)
    return figure


def _draw_curves(
    axis: Any, results: StudyResult, system: System, points: tuple[PointResult, ...]
) -> None:
    import matplotlib

    times = np.array(results.study.times)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.78, max(2, len(points))))
    top = 0.0
    for colour, result in zip(colours, points):
        assert result.summary is not None
        mean = result.summary.moments.mean
        spread = np.nan_to_num(result.summary.moments.standard_deviation)
        label = FAMILIES[system.model].size_label(result.point.size, dict(system.parameters))
        axis.fill_between(
            times, np.maximum(mean - spread, 0.0), mean + spread, color=colour, alpha=0.16, lw=0
        )
        axis.plot(times, mean, color=colour, lw=2.0, label=label)
        top = max(top, float((mean + spread).max()))
    axis.set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + 1.0)
    # Room above the curves for the legend, which must not hide one.
    axis.set_ylim(0.0, 1.38 * top if top > 0.0 else 1.0)
    axis.set_xlabel(r"time $t$  $[1/J]$", fontsize=12)
    axis.set_ylabel(f"${results.distance('(t)')}$", fontsize=12)
    axis.tick_params(labelsize=11)
    axis.legend(
        fontsize=10,
        ncols=3,
        loc="upper center",
        frameon=False,
        columnspacing=0.8,
        handletextpad=0.4,
        handlelength=1.2,
        title=counted_samples([p.n_samples for p in points]),
        title_fontsize=10,
    )


def _describe(axis: Any, results: StudyResult) -> None:
    """What a reader must know, in the empty corner."""
    study = results.study
    changed = {key for system in study.systems for key, _ in system.changes}

    def told(key: str, words: str) -> str:
        return "see titles" if key in changed else words

    shift = told("lamb_shift", "kept" if study.lamb_shift else "neglected")
    site = told("initial_site", str(study.initial_site))
    if study.initial_beta is not None or "initial_beta" in changed:
        beta_0 = "see titles" if "initial_beta" in changed else f"{study.initial_beta:g}"
        site = f"{site}; thermal starts: {beta_0}"
    family = BATH_FAMILIES[study.bath_type]
    bath = ",  ".join(
        f"{family.symbol(key)[0]}: " + told(f"bath_{key}", f"{value:g}")
        for key, value in study.bath_parameters
    )
    kind = "" if study.bath_type == Study.bath_type else f"{family.title} baths\n"
    by_model: dict[str, list[tuple[dict[str, Any], tuple[int, ...]]]] = {}
    for each in study.systems:
        by_model.setdefault(each.model, []).append((dict(each.parameters), each.sizes))
    notes = "".join(
        f"{line}\n"
        for model, systems in by_model.items()
        for line in FAMILIES[model].notes(systems)
    )
    text = (
        f"{results.words}, one particle,\n"
        r"$A_j = |j\rangle\langle j|$ on every site" + "\n\n"
        f"{kind}{bath},  $\\mu = 0$\n"
        f"start on site: {site}, Lamb shift: {shift}\n"
        f"{notes}\n"
        "lines: mean over disorder samples\n"
        "bands: standard deviation over samples\n"
        "bars: 68 % bootstrap interval of the\n"
        "maximum of the mean; triangles: lower\n"
        "bounds, the times end too early"
    )
    axis.set_visible(True)
    axis.set_axis_off()
    axis.text(
        0.02, 0.95, text, va="top", fontsize=11.5, linespacing=1.45, transform=axis.transAxes
    )
