"""Figures of the distance of the two equations against size and samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manybody.report.analysis.conclusions import Analysis
from manybody.report.analysis.scaling import Law
from manybody.report.analysis.statistics import Reach, Summary
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.canvas import (
    colour,
    from_zero,
    grid,
    marked_sizes,
    marker,
    put_title,
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
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        draw_maximum(axis, points, index, label=r"$\max_t \langle\cdot\rangle$, all samples")
        sizes = [point.point.n_sites for point in points]
        summaries = [point.summary for point in points if point.summary is not None]
        axis.plot(
            sizes,
            [s.mean_maximum for s in summaries],
            marker="o",
            ms=5,
            lw=1.0,
            ls="--",
            mfc="white",
            color="0.4",
            label=r"$\langle\max_t\cdot\rangle$, of each sample",
        )
        _draw_interval(
            axis,
            sizes,
            [s.mean_maximum_low for s in summaries],
            [s.mean_maximum_high for s in summaries],
            "0.4",
        )
        size_axis(axis, marked=_marked(analysis))
        from_zero(axis)
        axis.legend(fontsize=8, frameon=False)
        put_title(axis, short_title(system), 12)
    last = axes[len(drawn)]
    for index, (system, points) in enumerate(drawn):
        last.plot(
            [point.point.n_sites for point in points],
            [point.summary.time_of_maximum for point in points if point.summary is not None],
            marker=marker(index),
            color=colour(index),
            ms=5,
            lw=1.2,
            label=short_title(system),
        )
    times = analysis.results.study.times
    last.axhline(times[-1], color="0.6", lw=0.9, ls=":")
    size_axis(last, marked=_marked(analysis))
    from_zero(last)
    last.set_ylabel(r"$t$ of the maximum $[1/J]$", fontsize=11)
    last.legend(fontsize=8, frameon=False)
    put_title(last, "time of the maximum (dotted: end)", 12)
    axes[0].set_ylabel(f"${analysis.results.distance()}$", fontsize=11)
    return figure


def draw_maximum(
    axis: Any, points: tuple[PointResult, ...], index: int, label: str | None = None
) -> None:
    """Maximum of the mean against size with its 68 % bootstrap interval."""
    sizes = [point.point.n_sites for point in points]
    summaries = [point.summary for point in points if point.summary is not None]
    draw_summaries(axis, sizes, summaries, (colour(index), marker(index)), label)


def draw_summaries(
    axis: Any,
    sizes: list[int],
    summaries: Sequence[Summary],
    style: tuple[str, str],
    label: str | None = None,
) -> None:
    """Maxima of means against size with 68 % bootstrap intervals; style: colour and marker."""
    shade, sign = style
    maxima = [s.maximum for s in summaries]
    axis.plot(sizes, maxima, marker=sign, ms=5, lw=1.2, color=shade, label=label)
    low, high = [s.maximum_low for s in summaries], [s.maximum_high for s in summaries]
    _draw_interval(axis, sizes, low, high, shade)
    bounds = [(n, s.maximum) for n, s in zip(sizes, summaries) if s.reach is Reach.END]
    _draw_bounds(axis, bounds, shade)


def _draw_interval(
    axis: Any, sizes: list[int], low: list[float], high: list[float], shade: str
) -> None:
    # Not symmetric, and for a flat noisy maximum not even around the point; one sample has none.
    known = np.isfinite(low) & np.isfinite(high)
    sizes, low, high = (np.array(each)[known].tolist() for each in (sizes, low, high))
    axis.vlines(sizes, low, high, color=shade, lw=1.6)
    for end in (low, high):
        axis.plot(sizes, end, ls="", marker="_", ms=8, mew=1.6, color=shade)


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
        axis.text(
            0.5,
            0.5,
            "all samples agree, or too few to halve",
            ha="center",
            transform=axis.transAxes,
        )
    axis.set_xlabel("number of samples", fontsize=11)
    axis.set_ylabel("bootstrap error of the maximum of the mean", fontsize=11)
    if axis.has_data():
        axis.legend(fontsize=9, frameon=False, title="thicker: larger systems", title_fontsize=9)
    return figure
