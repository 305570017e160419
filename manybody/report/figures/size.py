"""Figures of the distance of the first two equations against size and samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.precision import Precision
from manybody.report.analysis.scaling import Law
from manybody.report.analysis.statistics import Reach, Summary
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.canvas import (
    Averaged,
    averaged,
    beside,
    colour,
    computed_ticks,
    from_zero,
    grid,
    marker,
    n_sites_of,
    one_scale,
    panel_size,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
    said_beside,
    say_instead,
    short_title,
    size_axis,
)
from manybody.report.figures.curves import label_of, shades
from manybody.report.read import PointResult

# The same colour and dashes in every panel.
_LAWS: dict[Law, tuple[str, Any]] = {
    Law.CONSTANT: ("$a$", (0, (1, 1))),
    Law.SATURATING: ("$a - b N^{-c}$", "-"),
    Law.EXPONENTIAL: (r"$a - b\,e^{-N/c}$", "--"),
    Law.POWER: ("$a N^c$", "-."),
    Law.LOGARITHM: (r"$a + b \ln N$", (0, (5, 1, 1, 1, 1, 1))),
}
# Akaike weight below which a law is not drawn.
SHOWN_WEIGHT = 0.02
# Of the highest maximum with its error: laws are drawn no higher.
MOST_ABOVE = 2.0
LOWER_BOUND = "lower bound, times too short"


def draw_maxima(analysis: Analysis) -> Any:
    """Both maxima against size, one panel a system, and the time at which they are reached."""
    drawn = analysis.results.drawn
    figure, axes = grid(len(drawn) + 1, 3.3, 2.8)
    panels, last = axes[: len(drawn)], axes[len(drawn)]
    for index, (axis, (system, points)) in enumerate(zip(panels, drawn)):
        known = averaged(points)
        label = rf"$\max_t \langle\cdot\rangle$, {short_title(system)}"
        # Side by side: where they agree, one would hide the other.
        draw_maximum(axis, known, index, label, beside(0, 2))
        own = [(s.mean_maximum, s.mean_maximum_low, s.mean_maximum_high) for _, s in known]
        style = {"marker": "o", "lw": 1.0, "ls": "--", "mfc": "none"}
        label = r"$\langle\max_t\cdot\rangle$, of each sample"
        sizes = beside(1, 2) * np.array(n_sites_of(points))
        _draw_with_intervals(axis, sizes, own, "0.35", label=label, **style)
        _finish(axis, points, short_title(system))
        put_labels(axis, up=f"${analysis.results.distance()}$")
    _draw_times(last, analysis)
    put_legend_below(figure, axes, one_scale(panels), said_beside(len(drawn)))
    return figure


def _draw_times(axis: Any, analysis: Analysis) -> None:
    """Times of the maxima, every system as in its own panel."""
    drawn = analysis.results.drawn
    for index, (_, points) in enumerate(drawn):
        known = averaged(points)
        style = {"marker": marker(index), "color": colour(index), "ms": 5, "lw": 1.2}
        sizes = beside(index, len(drawn)) * np.array(_sizes(known))
        axis.plot(sizes, [s.time_of_maximum for _, s in known], **style)
    axis.axhline(analysis.results.study.times[-1], color="0.6", lw=0.9, ls=":")
    every = [point for _, points in drawn for point in points]
    _finish(axis, every, "time of the maximum, dotted: end")
    put_labels(axis, up=r"$t$ of the maximum $[1/J]$")


def _finish(axis: Any, points: Sequence[PointResult], title: str) -> None:
    """Sizes, zero and a title."""
    size_axis(axis, n_sites_of(points))
    from_zero(axis)
    put_title(axis, title)


def draw_maximum(
    axis: Any, known: Sequence[Averaged], index: int, label: str | None = None, shift: float = 1.0
) -> None:
    """Maxima of means against size with 68 % bootstrap intervals.

    index: of the system; shift: what multiplies its sizes.
    """
    style = {"marker": marker(index), "lw": 1.2, "label": label}
    sizes = shift * np.array(_sizes(known))
    draw_maxima_at(axis, sizes, [summary for _, summary in known], colour(index), **style)


def draw_maxima_at(
    axis: Any, places: ArrayLike, known: Sequence[Summary], shade: Any, **style: Any
) -> None:
    """The same against whatever the places are."""
    own = [(s.maximum, s.maximum_low, s.maximum_high) for s in known]
    _draw_with_intervals(axis, places, own, shade, **style)
    pairs = zip(np.asarray(places), known)
    _draw_bounds(axis, [(x, s.maximum) for x, s in pairs if s.reach is Reach.END], shade)


def _sizes(known: Sequence[Averaged]) -> list[int]:
    return [point.point.n_sites for point, _ in known]


def _draw_with_intervals(
    axis: Any,
    sizes: ArrayLike,
    numbers: Sequence[tuple[float, float, float]],
    shade: Any,
    **style: Any,
) -> None:
    """Values against size with what lies around each; numbers: value, low, high."""
    values, low, high = np.array(numbers).T
    axis.plot(sizes, values, ms=5, color=shade, **style)
    # Not symmetric, and for a flat noisy maximum not even around the point; one sample has none.
    known = np.isfinite(low) & np.isfinite(high)
    places = np.array(sizes)[known]
    axis.vlines(places, low[known], high[known], color=shade, lw=1.6)
    for end in (low[known], high[known]):
        axis.plot(places, end, ls="", marker="_", ms=8, mew=1.6, color=shade)


def _draw_bounds(axis: Any, bounds: Sequence[tuple[float, float]], shade: Any) -> None:
    """Triangles on maxima that later times may surpass; one of all of them in the legend."""
    if bounds:
        known = axis.get_legend_handles_labels()[1]
        axis.plot(
            *zip(*bounds),
            ls="",
            marker="^",
            ms=11,
            mfc="none",
            mew=1.2,
            color=shade,
            label=None if LOWER_BOUND in known else LOWER_BOUND,
        )


def draw_laws(analysis: Analysis) -> Any:
    """Maxima without bias against size, with the laws that have a part of the weight."""
    judged = [each for each in analysis.verdicts if each.verdict is not None]
    figure, axes = grid(len(judged), *panel_size(len(judged)))
    label = rf"$\max_t \langle {analysis.results.distance()} \rangle$"
    for index, (axis, each) in enumerate(zip(axes, judged)):
        draw_fits(axis, each, index)
        put_labels(axis, up=label)
        put_title(axis, short_title(each.system))
    put_legend_below(figure, (), one_scale(axes[: len(judged)]))
    return figure


def draw_fits(axis: Any, each: SystemVerdict, index: int) -> None:
    """Estimates of one verdict, and the laws that have a part of the weight."""
    sizes = [estimate.n_sites for estimate in each.estimates]
    _draw_estimates(axis, each, index)
    if each.estimates:
        _draw_laws_of(axis, each)
    # The last one is where the laws end.
    size_axis(axis, [*sizes, 4 * max(sizes)] if sizes else [])
    from_zero(axis)
    _keep_readable(axis, each)
    reasons = sorted({why.partition(":")[0] for _, why in each.not_fitted})
    put_legend(axis, f"other laws not fitted: {'; '.join(reasons)}" if reasons else "")


def _keep_readable(axis: Any, each: SystemVerdict) -> None:
    """A law that runs away beyond the sizes leaves the panel, and the maxima stay readable."""
    heights = [estimate.maximum + estimate.widened_error for estimate in each.estimates]
    highest = max(heights, default=0.0)
    if 0.0 < MOST_ABOVE * highest < axis.get_ylim()[1]:
        axis.set_ylim(top=MOST_ABOVE * highest)


def _draw_estimates(axis: Any, each: SystemVerdict, index: int) -> None:
    sizes = np.array([estimate.n_sites for estimate in each.estimates], dtype=float)
    values = np.array([estimate.maximum for estimate in each.estimates])
    errors = np.array([estimate.widened_error for estimate in each.estimates])
    axis.errorbar(
        sizes, values, errors, fmt="o", ms=5, capsize=3, color=colour(index), label="maxima"
    )
    bounds = [(one.n_sites, one.maximum) for one in each.estimates if one.reach is Reach.END]
    _draw_bounds(axis, bounds, colour(index))


def _draw_laws_of(axis: Any, each: SystemVerdict) -> None:
    """Laws to four times the largest size, shaded where there are no data."""
    sizes = [estimate.n_sites for estimate in each.estimates]
    longer = np.geomspace(min(sizes), 4.0 * max(sizes), 200)
    for fit in each.verdict.fits if each.verdict is not None else ():
        if fit.weight > SHOWN_WEIGHT:
            name, dashes = _LAWS[fit.law]
            style = {"color": colour(list(_LAWS).index(fit.law)), "ls": dashes, "lw": 1.4}
            axis.plot(longer, fit(longer), label=f"{name}, {fit.weight:.0%}", **style)
    axis.axvspan(max(sizes), longer[-1], color="0.5", alpha=0.08, lw=0)


def draw_spread(analysis: Analysis) -> Any:
    """Every sample's own maximum against size, one panel a system."""
    drawn = analysis.results.drawn
    figure, axes = grid(len(drawn), *panel_size(len(drawn)))
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        for place, point in enumerate(points):
            own = np.sort(point.arrays["trace_distance"].max(axis=1))
            # Side by side in order of size, which shows the distribution without overlap.
            beside = place + 0.7 * (np.arange(len(own)) + 0.5) / len(own) - 0.35
            axis.plot(beside, own, ".", ms=6, color=colour(index), alpha=0.75, mew=0)
            axis.hlines(np.median(own), place - 0.4, place + 0.4, color="0.35", lw=1.4)
        axis.set_xticks(range(len(points)), [_tick(point) for point in points])
        from_zero(axis)
        put_title(axis, short_title(system))
        label = rf"$\max_t {analysis.results.distance()}$ of a sample"
        put_labels(axis, r"number of sites $N$", label)
    put_legend_below(figure, (), one_scale(axes[: len(drawn)]))
    return figure


def _tick(point: PointResult) -> str:
    """The number of sites, and beneath it that of states where it is another."""
    n_sites, dimension = point.point.n_sites, point.point.dimension
    return f"{n_sites}" if dimension == n_sites else f"{n_sites}\n$D = {dimension}$"


def draw_precision(analysis: Analysis) -> Any:
    """Error of the maximum of the mean against the number of samples, a panel a system."""
    drawn = analysis.results.drawn
    figure, axes = grid(len(drawn), *panel_size(len(drawn)))
    for axis, (system, points) in zip(axes, drawn):
        known = [(point, analysis.precisions.get(point.point)) for point in points]
        for index, (shade, (point, found)) in enumerate(zip(shades(len(points)), known)):
            if found is not None and _has_error(found):
                style = {"color": shade, "marker": marker(index), "ms": 4, "lw": 1.3}
                label = label_of(system, point)
                axis.plot(found.counts, found.mean_error, label=label, **style)
        _finish_precision(axis)
        put_title(axis, short_title(system))
    put_legend_below(figure, (), one_scale([axis for axis in axes if axis.has_data()]))
    return figure


def _has_error(found: Precision) -> bool:
    return len(found.counts) > 1 and bool((found.mean_error > 0.0).all())


def _finish_precision(axis: Any) -> None:
    """Logarithmic axes with the counts that are drawn, or why there are none."""
    put_labels(axis, "number of samples", "bootstrap error of the maximum of the mean")
    if not axis.has_data():
        say_instead(axis, "all samples agree,\nor too few to halve")
        return
    axis.set_xscale("log")
    computed_ticks(axis, np.concatenate([line.get_xdata() for line in axis.lines]))
    axis.set_yscale("log")
    put_legend(axis)
