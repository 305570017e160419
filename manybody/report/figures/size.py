"""Figures of the distance of the two equations against size and samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.scaling import Law
from manybody.report.analysis.statistics import Reach
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.canvas import (
    Averaged,
    averaged,
    colour,
    from_zero,
    grid,
    marked_sizes,
    marker,
    put_title,
    say_instead,
    short_title,
    size_axis,
)
from manybody.report.read import PointResult

_LAWS = {
    Law.CONSTANT: "$a$",
    Law.SATURATING: "$a - b N^{-c}$",
    Law.EXPONENTIAL: r"$a - b\,e^{-N/c}$",
    Law.POWER: "$a N^c$",
    Law.LOGARITHM: r"$a + b \ln N$",
}
# Akaike weight below which a law is not drawn.
SHOWN_WEIGHT = 0.02
LOWER_BOUND = "lower bound, times too short"


def draw_maxima(analysis: Analysis) -> Any:
    """Both maxima against size, one panel a system, and the time at which they are reached."""
    drawn = analysis.results.drawn
    figure, axes = grid(len(drawn) + 1, 4.4, 3.6)
    last, times = axes[len(drawn)], analysis.results.study.times
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        known = averaged(points)
        draw_maximum(axis, known, index, label=r"$\max_t \langle\cdot\rangle$, all samples")
        own = [(s.mean_maximum, s.mean_maximum_low, s.mean_maximum_high) for _, s in known]
        style = {"marker": "o", "lw": 1.0, "ls": "--", "mfc": "white"}
        label = r"$\langle\max_t\cdot\rangle$, of each sample"
        _draw_with_intervals(axis, _sizes(known), own, "0.4", label=label, **style)
        style = {"marker": marker(index), "lw": 1.2, "ms": 5, "color": colour(index)}
        reached = [s.time_of_maximum for _, s in known]
        last.plot(_sizes(known), reached, label=short_title(system), **style)
        _finish(axis, analysis, short_title(system))
    last.axhline(times[-1], color="0.6", lw=0.9, ls=":")
    last.set_ylabel(r"$t$ of the maximum $[1/J]$", fontsize=11)
    _finish(last, analysis, "time of the maximum (dotted: end)")
    axes[0].set_ylabel(f"${analysis.results.distance()}$", fontsize=11)
    return figure


def _finish(axis: Any, analysis: Analysis, title: str) -> None:
    """Sizes, zero, a legend and a title."""
    size_axis(axis, marked=_marked(analysis))
    from_zero(axis)
    axis.legend(fontsize=8, frameon=False)
    put_title(axis, title, 12)


def draw_maximum(
    axis: Any, known: Sequence[Averaged], index: int, label: str | None = None
) -> None:
    """Maxima of means against size with 68 % bootstrap intervals; index: of the system."""
    style = {"marker": marker(index), "lw": 1.2, "label": label}
    own = [(s.maximum, s.maximum_low, s.maximum_high) for _, s in known]
    _draw_with_intervals(axis, _sizes(known), own, colour(index), **style)
    bounds = [(point.point.n_sites, s.maximum) for point, s in known if s.reach is Reach.END]
    _draw_bounds(axis, bounds, colour(index))


def _sizes(known: Sequence[Averaged]) -> list[int]:
    return [point.point.n_sites for point, _ in known]


def _draw_with_intervals(
    axis: Any,
    sizes: list[int],
    numbers: Sequence[tuple[float, float, float]],
    shade: str,
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


def _draw_bounds(axis: Any, bounds: list[tuple[int, float]], shade: str) -> None:
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
    figure, axes = grid(len(judged), 4.4, 3.6)
    for index, (axis, each) in enumerate(zip(axes, judged)):
        draw_fits(axis, each, index, _marked(analysis))
        put_title(axis, short_title(each.system), 12)
    axes[0].set_ylabel(rf"$\max_t \langle {analysis.results.distance()} \rangle$", fontsize=11)
    return figure


def draw_fits(axis: Any, each: SystemVerdict, index: int, marked: Sequence[int] = ()) -> None:
    """Estimates of one verdict, and the laws that have a part of the weight."""
    _draw_estimates(axis, each, index)
    if each.estimates:
        _draw_laws_of(axis, each)
    if each.not_fitted:
        reasons = sorted({why.partition(":")[0] for _, why in each.not_fitted})
        axis.text(
            0.98,
            0.03,
            "laws not fitted: " + "; ".join(reasons),
            ha="right",
            fontsize=8,
            color="0.35",
            transform=axis.transAxes,
        )
    size_axis(axis, marked=marked)
    from_zero(axis)
    if each.estimates:
        axis.legend(fontsize=8, frameon=False)


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
            axis.plot(longer, fit(longer), lw=1.1, label=f"{_LAWS[fit.law]}, {fit.weight:.0%}")
    axis.axvspan(max(sizes), longer[-1], color="0.5", alpha=0.08, lw=0)


def _marked(analysis: Analysis) -> list[int]:
    return marked_sizes(analysis.results.points)


def draw_spread(analysis: Analysis) -> Any:
    """Every sample's own maximum against size, one panel a system."""
    drawn = analysis.results.drawn
    figure, axes = grid(len(drawn), 4.2, 3.3)
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        for place, point in enumerate(points):
            own = np.sort(point.arrays["trace_distance"].max(axis=1))
            # Side by side in order of size, which shows the distribution without overlap.
            beside = place + 0.7 * (np.arange(len(own)) + 0.5) / len(own) - 0.35
            axis.plot(beside, own, ".", ms=5, color=colour(index), alpha=0.75, mew=0)
            axis.hlines(np.median(own), place - 0.4, place + 0.4, color="0.35", lw=1.4)
        axis.set_xticks(range(len(points)), [_tick(point) for point in points])
        from_zero(axis)
        put_title(axis, short_title(system), 12)
        axis.set_xlabel(r"number of sites $N$", fontsize=11)
    axes[0].set_ylabel(rf"$\max_t {analysis.results.distance()}$ of a sample", fontsize=11)
    return figure


def _tick(point: PointResult) -> str:
    """The number of sites, and beneath it that of states where it is another."""
    n_sites, dimension = point.point.n_sites, point.point.dimension
    return f"{n_sites}" if dimension == n_sites else f"{n_sites}\n$D = {dimension}$"


def draw_precision(analysis: Analysis) -> Any:
    """Error of the maximum of the mean against the number of samples, all systems."""
    figure, (axis,) = grid(1, 7.0, 4.2)
    for index, (system, points) in enumerate(analysis.results.drawn):
        label: str | None = short_title(system)
        for place, point in enumerate(points):
            found = analysis.precisions.get(point.point)
            if found is None or len(found.counts) < 2 or not (found.mean_error > 0.0).all():
                continue
            axis.plot(
                found.counts,
                found.mean_error,
                color=colour(index),
                lw=0.7 + 0.35 * place,
                alpha=0.8,
                label=label,
            )
            label = None
    if axis.has_data():
        axis.set_xscale("log")
        axis.set_yscale("log")
    else:
        say_instead(axis, "all samples agree, or too few to halve")
    axis.set_xlabel("number of samples", fontsize=11)
    axis.set_ylabel("bootstrap error of the maximum of the mean", fontsize=11)
    if axis.has_data():
        axis.legend(fontsize=9, frameon=False, title="thicker: larger systems", title_fontsize=9)
    return figure
