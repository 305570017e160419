"""Averages -> figures.  matplotlib is imported when something is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manybody.config import Study, System
from manybody.physics.levels import GOE, GUE, POISSON
from manybody.physics.models import FAMILIES
from manybody.report.precision import precision
from manybody.report.results import PointResult, StudyResult, system_title
from manybody.report.scaling import Law
from manybody.report.verdicts import SystemVerdict
from manybody.study.spectral import figures_of

_LAWS = {
    Law.CONSTANT: "$a$",
    Law.SATURATING: "$a - b N^{-c}$",
    Law.EXPONENTIAL: r"$a - b\,e^{-N/c}$",
    Law.POWER: "$a N^c$",
    Law.LOGARITHM: r"$a + b \ln N$",
}
# Akaike weight below which a law is not drawn.
_SHOWN_WEIGHT = 0.02
# Samples whose error is also shown for half as many.
_FEWEST_TO_HALVE = 16
_MARKERS = "osD^vP*X"
_COLOURS = ("#20639b", "#3caea3", "#e08e0b", "#c0392b", "#7d3c98")


def draw_figures(results: StudyResult, verdicts: Sequence[SystemVerdict] = ()) -> dict[str, Any]:
    """Name -> matplotlib Figure: the study's own, and `<name>-figures` of other observables.

    verdicts: of the systems, whose laws are drawn against size where there are any.
    """
    found = {}
    if results.study.evolves:
        found[results.study.name] = draw_distances(results)
        if any(each.verdict is not None for each in verdicts):
            found["laws"] = _draw_laws(verdicts)
        found["spread"] = _draw_samples(results)
        if any(point.n_samples >= _FEWEST_TO_HALVE for point in results.points):
            found["precision"] = _draw_precision(results)
    if "locality_1" in figures_of(results.study):
        found["locality"] = _draw_locality(results)
    panels = [panel for panel in _PANELS if panel.figures[0] in figures_of(results.study)]
    if panels:
        found[f"{results.study.name}-figures"] = _draw_panels(results, panels)
    return found


def draw_distances(results: StudyResult) -> Any:
    """The figure of SNM: trace distance against time, and its maximum against size.

    One panel a system (mean with standard deviation), a last one with the maximum
    over time of the mean and its 68 % bootstrap interval.  Returns a matplotlib Figure.
    """
    from matplotlib.figure import Figure

    drawn = [(system, points) for system, points in results.systems if points]
    n_panels = len(drawn) + 1
    columns = min(3, n_panels)
    rows = -(-n_panels // columns)
    figure = Figure(figsize=(4.6 * columns, 3.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (system, points) in enumerate(drawn):
        _draw_curves(axes[index], results.study, system, points)
        title, size = _wrapped(f"({chr(97 + index)}) {system_title(system)}")
        axes[index].set_title(title, fontsize=size)
    last = axes[len(drawn)]
    _draw_maxima(last, drawn)
    last.set_title(f"({chr(97 + len(drawn))}) maximum against size", fontsize=14)
    for unused in axes[n_panels:]:
        unused.set_visible(False)
    if columns * rows - n_panels >= 1:
        _describe(figure, axes[n_panels], results.study)
    return figure


def _draw_laws(verdicts: Sequence[SystemVerdict]) -> Any:
    """Maxima without bias against size, with the laws that have a part of the weight."""
    from matplotlib.figure import Figure

    judged = [each for each in verdicts if each.verdict is not None]
    columns = min(3, len(judged))
    rows = -(-len(judged) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (axis, each) in enumerate(zip(axes, judged)):
        sizes = np.array([estimate.n_sites for estimate in each.estimates], dtype=float)
        values = np.array([estimate.maximum for estimate in each.estimates])
        errors = np.array([estimate.widened_error for estimate in each.estimates])
        axis.errorbar(
            sizes, values, errors, fmt="o", ms=5, capsize=3, color=_COLOURS[index % len(_COLOURS)]
        )
        grid = np.geomspace(sizes.min(), 4.0 * sizes.max(), 200)
        assert each.verdict is not None
        for fit in each.verdict.fits:
            if fit.weight > _SHOWN_WEIGHT:
                axis.plot(grid, fit(grid), lw=1.1, label=f"{_LAWS[fit.law]}, {fit.weight:.0%}")
        axis.axvspan(sizes.max(), grid[-1], color="0.5", alpha=0.08, lw=0)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_ylim(bottom=0.0)
        axis.set_xlabel(r"number of sites $N$", fontsize=11)
        axis.legend(fontsize=8, frameon=False)
        title, size = _wrapped(system_title(each.system).replace("3D ", ""))
        axis.set_title(title, fontsize=min(12, size))
    axes[0].set_ylabel(r"$\max_t \langle \|\rho_D - \rho_R\|_1 \rangle$", fontsize=11)
    for unused in axes[len(judged) :]:
        unused.set_visible(False)
    return figure


def _draw_locality(results: StudyResult) -> Any:
    """Decay of the elements of Λ_j with distance: largest size of every system on a lattice."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axis = figure.subplots()
    for index, (system, points) in enumerate(results.systems):
        if not points or not points[-1].spreads["locality_0"].count:
            continue
        spreads = points[-1].spreads
        names = [name for name in spreads if name.startswith("locality_") and name[9:].isdigit()]
        shown = [name for name in names if spreads[name].count]
        axis.errorbar(
            [int(name[9:]) for name in shown],
            [spreads[name].mean for name in shown],
            np.nan_to_num([spreads[name].error for name in shown]),
            marker=_MARKERS[index % len(_MARKERS)],
            color=_COLOURS[index % len(_COLOURS)],
            ms=5,
            capsize=3,
            label=f"{system_title(system).replace('3D ', '')}, $N = {points[-1].point.n_sites}$",
        )
    axis.set_yscale("log")
    axis.set_xlabel("bonds from $j$", fontsize=11)
    axis.set_ylabel(r"rms $|\langle a|\Lambda_j|b\rangle|$ over the largest", fontsize=11)
    axis.legend(fontsize=9, frameon=False)
    return figure


def _draw_samples(results: StudyResult) -> Any:
    """Every sample's own maximum against size, one panel a system."""
    from matplotlib.figure import Figure

    drawn = [(system, points) for system, points in results.systems if points]
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (axis, (system, points)) in enumerate(zip(axes, drawn)):
        colour = _COLOURS[index % len(_COLOURS)]
        for place, point in enumerate(points):
            own = np.sort(point.arrays["trace_distance"].max(axis=1))
            # Side by side in order of size, which shows the distribution without overlap.
            beside = place + 0.7 * (np.arange(len(own)) + 0.5) / len(own) - 0.35
            axis.plot(beside, own, ".", ms=5, color=colour, alpha=0.75, mew=0)
            axis.hlines(np.median(own), place - 0.4, place + 0.4, color="0.35", lw=1.4)
        axis.set_xticks(range(len(points)), [str(point.point.n_sites) for point in points])
        axis.set_ylim(bottom=0.0)
        title, size = _wrapped(system_title(system).replace("3D ", ""))
        axis.set_title(title, fontsize=min(12, size))
        axis.set_xlabel(r"number of sites $N$", fontsize=11)
    axes[0].set_ylabel(r"$\max_t \|\rho_D - \rho_R\|_1$ of a sample", fontsize=11)
    for unused in axes[len(drawn) :]:
        unused.set_visible(False)
    return figure


def _draw_precision(results: StudyResult) -> Any:
    """Standard error of the mean against the number of samples, all systems."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axis = figure.subplots()
    drawn = [(system, points) for system, points in results.systems if points]
    for index, (system, points) in enumerate(drawn):
        for place, point in enumerate(points):
            if point.n_samples < _FEWEST_TO_HALVE:
                continue
            found = precision(point.arrays["trace_distance"], results.study.seed)
            counts, errors = found.counts, found.mean_error
            if len(counts) < 2 or not (errors > 0.0).all():
                continue
            axis.plot(
                counts, errors, color=_COLOURS[index % len(_COLOURS)], lw=0.7 + 0.35 * place,
                alpha=0.8, label=system_title(system).replace("3D ", "") if not place else None,
            )  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("number of samples", fontsize=11)
    axis.set_ylabel("standard error of the maximum of the mean", fontsize=11)
    axis.legend(fontsize=9, frameon=False, title="thicker: larger systems", title_fontsize=9)
    return figure


@dataclass(frozen=True)
class _Panel:
    """Figures against size in one panel; marks: values of theory, by name."""

    figures: tuple[str, ...]
    title: str
    label: str
    logarithmic: bool
    marks: tuple[tuple[str, float], ...] = ()


_PANELS: tuple[_Panel, ...] = (
    _Panel(
        ("steady_distance",), "steady states", r"$\|\rho_D(\infty) - \rho_R(\infty)\|_1$", True
    ),
    _Panel(("gap", "gap_davies"), "slowest decay", r"gap $[J]$, filled: Redfield", True),
    _Panel(
        ("spacing_ratio",),
        "level spacings",
        r"$\langle r \rangle$",
        False,
        (("Poisson", POISSON), ("GOE", GOE), ("GUE", GUE)),
    ),
    _Panel(("participation",), "eigenvectors", r"$\sum_a |V_{ak}|^4$", True),
)
_PANELS += (
    _Panel(
        ("generator_ratio", "weighted_ratio"),
        "cancellation",
        r"$c_F$ (filled), $\kappa$ (open)",
        True,
    ),
    _Panel(
        ("secular_ratio", "nonsecular_ratio"),
        "how baths add up",
        r"$a_{sec}$ (filled), $a_{ns}$ (open)",
        True,
    ),
)
# Means below this are rounding and have no place on a logarithmic axis.
_ROUNDING = 1e-13


def _draw_panels(results: StudyResult, panels: list[_Panel]) -> Any:
    """Means over samples against the number of sites, with standard errors."""
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.4 * columns, 4.2 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    drawn = [(system, points) for system, points in results.systems if points]
    for axis, panel in zip(axes, panels):
        for index, (system, points) in enumerate(drawn):
            for name in panel.figures:
                _draw_spread(axis, name, index, system, points, panel)
        for word, value in panel.marks:
            axis.axhline(value, color="0.6", lw=0.9, ls=":")
            axis.annotate(
                word, (1.0, value), xycoords=("axes fraction", "data"), xytext=(-3, 2),
                textcoords="offset points", ha="right", fontsize=9, color="0.4",
            )  # fmt: skip
        if not axis.has_data():
            axis.text(0.5, 0.5, "zero up to rounding", ha="center", transform=axis.transAxes)
        else:
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_yscale("log" if panel.logarithmic else "linear")
        axis.set_xlabel(r"number of sites $N$", fontsize=12)
        axis.set_ylabel(panel.label, fontsize=12)
        axis.set_title(panel.title, fontsize=14)
        axis.tick_params(labelsize=11)
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    # A system may have nothing to show in some panels.
    known = [axis.get_legend_handles_labels() for axis in axes]
    legend = {label: handle for handles, labels in known for handle, label in zip(handles, labels)}
    counts = _counts([point for _, points in drawn for point in points])
    figure.legend(
        list(legend.values()), list(legend), loc="outside lower center", ncols=2, fontsize=10,
        frameon=False,
        title=f"mean and standard error over {counts} samples a size", title_fontsize=10,
    )  # fmt: skip
    return figure


def _draw_spread(
    axis: Any,
    name: str,
    index: int,
    system: System,
    points: tuple[PointResult, ...],
    panel: _Panel,
) -> None:
    # A logarithmic axis has no place for zero.
    shown = [
        point for point in points if not panel.logarithmic or point.spreads[name].mean > _ROUNDING
    ]
    if not shown:
        return
    first = name == panel.figures[0]
    axis.errorbar(
        [point.point.n_sites for point in shown],
        [point.spreads[name].mean for point in shown],
        [point.spreads[name].error for point in shown],
        marker=_MARKERS[index % len(_MARKERS)],
        color=_COLOURS[index % len(_COLOURS)],
        mfc=None if first else "white",
        ms=5,
        lw=1.2 if first else 0.8,
        ls="-" if first else "--",
        capsize=3,
        label=system_title(system).replace("3D ", "") if first else None,
    )


def _wrapped(title: str, width: int = 36) -> tuple[str, int]:
    """A title broken at commas, and the size of its letters."""
    lines = [""]
    for part in title.split(", "):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append(part)
        else:
            lines[-1] += (", " if lines[-1] else "") + part
    return ",\n".join(lines), 14 if len(lines) == 1 else 11


def _draw_curves(axis: Any, study: Study, system: System, points: tuple[PointResult, ...]) -> None:
    import matplotlib

    times = np.array(study.times)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.78, max(2, len(points))))
    size_name = FAMILIES[system.model].size
    top = 0.0
    for colour, result in zip(colours, points):
        assert result.summary is not None
        mean = result.summary.moments.mean
        spread = np.nan_to_num(result.summary.moments.standard_deviation)
        n_sites = result.point.n_sites
        label = f"$N = {n_sites}$"
        if size_name == "length":
            label = f"$L = {result.point.size}$ ({n_sites})"
        axis.fill_between(
            times, np.maximum(mean - spread, 0.0), mean + spread, color=colour, alpha=0.16, lw=0
        )
        axis.plot(times, mean, color=colour, lw=2.0, label=label)
        top = max(top, float((mean + spread).max()))
    axis.set_xlim(times[0], times[-1] if len(times) > 1 else times[0] + 1.0)
    # Room above the curves for the legend, which must not hide one.
    axis.set_ylim(0.0, 1.38 * top if top > 0.0 else 1.0)
    axis.set_xlabel(r"time $t$  $[1/J]$", fontsize=12)
    axis.set_ylabel(r"$\|\rho_D(t) - \rho_R(t)\|_1$", fontsize=12)
    axis.tick_params(labelsize=11)
    axis.legend(
        fontsize=10, ncols=3, loc="upper center", frameon=False, columnspacing=0.8,
        handletextpad=0.4, handlelength=1.2,
        title=f"{_counts(points)} samples a size", title_fontsize=10,
    )  # fmt: skip


def _counts(points: Sequence[PointResult]) -> str:
    counts = sorted({point.n_samples for point in points})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def _draw_maxima(axis: Any, drawn: list[tuple[System, tuple[PointResult, ...]]]) -> None:
    for index, (system, points) in enumerate(drawn):
        n_sites = np.array([point.point.n_sites for point in points])
        summaries = [point.summary for point in points if point.summary is not None]
        best = np.array([summary.maximum for summary in summaries])
        low = np.array([summary.maximum_low for summary in summaries])
        high = np.array([summary.maximum_high for summary in summaries])
        colour = _COLOURS[index % len(_COLOURS)]
        axis.plot(
            n_sites, best, marker=_MARKERS[index % len(_MARKERS)], ms=5, lw=1.2,
            color=colour, label=system_title(system).replace("3D ", ""),
        )  # fmt: skip
        # Not symmetric, and for a flat noisy maximum not even around the point.
        axis.vlines(n_sites, low, high, color=colour, lw=1.6)
        for end in (low, high):
            axis.plot(n_sites, end, ls="", marker="_", ms=8, mew=1.6, color=colour)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_ylim(bottom=0.0)
    axis.set_xlabel(r"number of sites $N$", fontsize=12)
    axis.set_ylabel(r"$\max_t \langle \|\rho_D - \rho_R\|_1 \rangle$", fontsize=12)
    axis.tick_params(labelsize=11)
    axis.set_ylim(top=1.25 * axis.get_ylim()[1])
    axis.legend(
        fontsize=10, loc="upper left", frameon=False, ncols=2, columnspacing=0.8,
        handlelength=1.2, handletextpad=0.4,
    )  # fmt: skip


def _describe(figure: Any, axis: Any, study: Study) -> None:
    """What a reader must know, in the empty corner."""
    bath = study.bath
    changed = {key for system in study.systems for key, _ in system.changes}

    def told(key: str, words: str) -> str:
        return "see titles" if key in changed else words

    shift = told("lamb_shift", "kept" if study.lamb_shift else "neglected")
    site = told("initial_site", str(study.initial_site))
    if study.initial_beta is not None or "initial_beta" in changed:
        beta_0 = "see titles" if "initial_beta" in changed else f"{study.initial_beta:g}"
        site = f"{site}; thermal starts: {beta_0}"
    strength = told("bath_coupling", f"{bath.coupling:g}")
    cutoff = told("bath_cutoff", f"{bath.cutoff:g}")
    beta = told("bath_beta", f"{bath.beta:g}")
    boundaries = {dict(system.parameters).get("boundary") for system in study.systems} - {None}
    small_cube = any(2 in s.sizes and s.model == "anderson3d" for s in study.systems)
    lattice = ""
    if boundaries:
        lattice = f"cubes $L^3$, {' and '.join(sorted(map(str, boundaries)))} boundaries"
        if small_cube and "periodic" in boundaries:
            lattice += "\n($L = 2$: each bond once)"
        lattice += "\n"
    text = (
        "Redfield against Davies, one particle,\n"
        r"$A_j = |j\rangle\langle j|$ on every site" + "\n\n"
        f"$J_\\mathrm{{int}}$: {strength},  $\\omega_c$: {cutoff},  $\\beta$: {beta},  "
        "$\\mu = 0$\n"
        f"start on site: {site}, Lamb shift: {shift}\n"
        f"{lattice}\n"
        "lines: mean over disorder samples\n"
        "bands: standard deviation over samples\n"
        "bars: 68 % bootstrap interval of the\n"
        "maximum of the mean"
    )
    axis.set_visible(True)
    axis.set_axis_off()
    axis.text(
        0.02, 0.95, text, va="top", fontsize=11.5, linespacing=1.45, transform=axis.transAxes
    )
