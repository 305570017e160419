"""Store -> figures and tables.  Reads the store alone and needs no MPI."""

import csv
import importlib.util
import io
import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.config import Point, Study, System
from manybody.physics.models import FAMILIES
from manybody.physics.spectra import AMBIGUOUS, STRUCTURAL, VERDICTS
from manybody.study.statistics import Summary, summarise
from manybody.study.store import Block, Store

Real = NDArray[np.float64]

# Worst figures of a certificate that a table shows, with the reduction that is "worst".
_WORST = {
    "trace_error": np.max,
    "hermiticity_error": np.max,
    "redfield_gibbs_residual": np.max,
    "davies_gibbs_residual": np.max,
    "kms_residual": np.max,
    "smallest_eigenvalue": np.min,
    "smallest_separation": np.min,
    "secular_ambiguity": np.max,
    "level_conditioning": np.max,
    "stepper_error": np.max,
}


@dataclass(frozen=True, eq=False)
class PointResult:
    """Everything a report says of one point.

    distance: (samples, T); figures: certificate arrays (samples,); missing: number
    of samples the study asks for and the store lacks; problems: what was left out;
    second: the summary with near-coincident Bohr frequencies merged where that is
    ambiguous, None where no sample is.
    """

    point: Point
    summary: Summary
    second: Summary | None
    distance: Real
    figures: dict[str, NDArray[Any]]
    missing: int
    problems: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StudyResult:
    """All points of a study, by system; origins: code and BLAS that computed blocks."""

    study: Study
    systems: tuple[tuple[System, tuple[PointResult, ...]], ...]
    problems: tuple[str, ...]
    origins: tuple[str, ...]

    @property
    def missing(self) -> int:
        """Samples the study asks for and the store lacks."""
        wanted = sum(len(system.sizes) * system.samples for system in self.study.systems)
        there = sum(len(point.distance) for _, points in self.systems for point in points)
        return max(0, wanted - there)


def load_results(store: Store) -> StudyResult:
    """Average what a store holds; points without a sample are left out."""
    study = store.study
    systems, all_problems = [], []
    origins: set[str] = set()
    for system in study.systems:
        results = []
        for point in system.points:
            blocks, problems = store.read(study, point)
            all_problems += problems
            origins |= {_origin(block) for block in blocks}
            if blocks:
                results.append(_point_result(study, system, point, blocks, problems))
        systems.append((system, tuple(results)))
    return StudyResult(study, tuple(systems), tuple(all_problems), tuple(sorted(origins)))


def _origin(block: Block) -> str:
    facts = block.attributes
    return (
        f"manybody {facts.get('manybody')} at {facts.get('git_revision')}, NumPy "
        f"{facts.get('numpy')}, {facts.get('blas')} {facts.get('blas_version')} "
        f"{facts.get('blas_core')} with {facts.get('blas_threads_per_rank')} thread(s)"
    )


def _point_result(
    study: Study, system: System, point: Point, blocks: list[Block], problems: list[str]
) -> PointResult:
    samples = np.concatenate([block.samples for block in blocks])
    # By sample index, so that the order of blocks leaves no trace in the last bit.
    order = np.argsort(samples)
    arrays = {
        name: np.concatenate([block.arrays[name] for block in blocks])[order]
        for name in blocks[0].arrays
    }
    distance = arrays["trace_distance"]
    summary = summarise(distance, np.array(study.times), study.seed)
    second = None
    merged = arrays["trace_distance_merged"]
    ambiguous = ~np.isnan(merged).any(axis=1)
    if ambiguous.any():
        other = np.where(ambiguous[:, None], merged, distance)
        second = summarise(other, np.array(study.times), study.seed)
    missing = max(0, system.samples - len(distance))
    return PointResult(point, summary, second, distance, arrays, missing, tuple(problems))


def write_report(store: Store, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "png", "pdf", "csv"; None takes the study's.  Raises ValueError when
    the store holds no sample.
    """
    results = load_results(store)
    if not any(points for _, points in results.systems):
        raise ValueError(f"{str(store.directory)!r} holds no finished sample yet")
    wanted = tuple(formats) if formats is not None else results.study.formats
    folder = store.directory / "report"
    folder.mkdir(exist_ok=True)
    paths = []
    # Tables first: they need no matplotlib.
    if "csv" in wanted:
        curves, maxima = _tables(results)
        paths.append(_replace(folder / "curves.csv", curves.encode()))
        paths.append(_replace(folder / "maxima.csv", maxima.encode()))
    pictures = [kind for kind in ("png", "pdf") if kind in wanted]
    if pictures and importlib.util.find_spec("matplotlib") is None:
        note = "NO FIGURE: matplotlib is not installed"
        return f"{text_summary(results)}\n{note}", paths
    if pictures:
        figure = draw_figure(results)
        for kind in pictures:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=200)
            paths.append(_replace(folder / f"{results.study.name}.{kind}", buffer.getvalue()))
    return text_summary(results), paths


def text_summary(results: StudyResult) -> str:
    """Maxima with their errors, the certificate's worst figures and what is missing."""
    lines = []
    for system, points in results.systems:
        lines.append(system_title(system, plain=True))
        lines.append(
            f"  {FAMILIES[system.model].size:>8} {'N':>5} {'samples':>7}  "
            f"{'max of mean':>11}  {'68% interval':>17}  {'t_max':>6}  mean of max"
        )
        for result in points:
            s = result.summary
            lines.append(
                f"  {result.point.size:>8} {result.point.n_sites:>5} {s.moments.count:>7}  "
                f"{s.maximum:>11.5f}  [{s.maximum_low:.5f}, {s.maximum_high:.5f}]  "
                f"{s.time_of_maximum:>6.1f}  {s.mean_maximum:.5f} ± {s.mean_maximum_error:.5f}"
            )
            if result.second is not None:
                count = np.count_nonzero(result.figures["clustering"] == VERDICTS.index(AMBIGUOUS))
                lines.append(
                    f"  {'':>8} AMBIGUOUS in {count} samples; {result.second.maximum:.5f} with "
                    "near-coincident Bohr frequencies merged"
                )
    every = [point for _, points in results.systems for point in points]
    lines.append("worst figures over all samples")
    for name, worst in _WORST.items():
        value = worst([worst(point.figures[name]) for point in every])
        lines.append(f"  {name:<24} {value:.2e}")
    verdicts = np.concatenate([point.figures["clustering"] for point in every])
    for word in (STRUCTURAL, AMBIGUOUS):
        count = int(np.count_nonzero(verdicts == VERDICTS.index(word)))
        lines.append(f"  samples with {word} Bohr clusters: {count} of {len(verdicts)}")
    if results.missing:
        lines.append(f"MISSING: {results.missing} samples of the study are not in the store")
    lines += [f"LEFT OUT: {problem}" for problem in results.problems]
    if len(results.origins) > 1:
        lines.append("MIXED: blocks were computed by different code, libraries or machines")
        lines += [f"  {origin}" for origin in results.origins]
    return "\n".join(lines)


def system_title(system: System, plain: bool = False) -> str:
    """Model, disorder and boundary in words; `plain` without mathematics markup."""
    parameters = dict(system.parameters)
    title = FAMILIES[system.model].title
    if "disorder" in parameters:
        hopping = float(parameters.get("hopping", 1.0))
        name, value = "W", float(parameters["disorder"])
        if hopping not in (0.0, 1.0):
            name, value = "W/J", value / hopping
        elif hopping == 1.0:
            name = "W/J"
        title += f", {name} = {value:g}" if plain else f", ${name} = {value:g}$"
    if plain and "boundary" in parameters:
        title += f", {parameters['boundary']}"
    return title


def draw_figure(results: StudyResult) -> Any:
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
        axes[index].set_title(f"({chr(97 + index)}) {system_title(system)}", fontsize=14)
    last = axes[len(drawn)]
    _draw_maxima(last, drawn)
    last.set_title(f"({chr(97 + len(drawn))}) maximum against size", fontsize=14)
    for unused in axes[n_panels:]:
        unused.set_visible(False)
    if columns * rows - n_panels >= 1:
        _describe(figure, axes[n_panels], results.study)
    return figure


def _draw_curves(axis: Any, study: Study, system: System, points: tuple[PointResult, ...]) -> None:
    import matplotlib

    times = np.array(study.times)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.78, max(2, len(points))))
    size_name = FAMILIES[system.model].size
    top = 0.0
    for colour, result in zip(colours, points):
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


def _counts(points: tuple[PointResult, ...]) -> str:
    counts = sorted({point.summary.moments.count for point in points})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def _draw_maxima(axis: Any, drawn: list[tuple[System, tuple[PointResult, ...]]]) -> None:
    markers, colours = "osD^vP*X", ["#20639b", "#3caea3", "#e08e0b", "#c0392b", "#7d3c98"]
    for index, (system, points) in enumerate(drawn):
        n_sites = np.array([point.point.n_sites for point in points])
        best = np.array([point.summary.maximum for point in points])
        low = np.array([point.summary.maximum_low for point in points])
        high = np.array([point.summary.maximum_high for point in points])
        colour = colours[index % len(colours)]
        axis.plot(
            n_sites, best, marker=markers[index % len(markers)], ms=5, lw=1.2,
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
    shift = "kept" if study.lamb_shift else "neglected"
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
        f"$J_\\mathrm{{int}} = {bath.coupling:g}$,  $\\omega_c = {bath.cutoff:g}$,  "
        f"$\\beta = {bath.beta:g}$,  $\\mu = 0$\n"
        f"start on site {study.initial_site}, Lamb shift {shift}\n"
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


def _tables(results: StudyResult) -> tuple[str, str]:
    """curves.csv (mean against time) and maxima.csv (one row a point)."""
    curves, maxima = io.StringIO(), io.StringIO()
    curve, row = csv.writer(curves), csv.writer(maxima)
    names = ["model", "parameters", "size", "n_sites", "n_samples"]
    curve.writerow([*names, "time", "mean", "standard_deviation", "standard_error"])
    row.writerow(
        [*names, "maximum_of_mean", "time_of_maximum", "interval_low", "interval_high",
         "standard_error_there", "standard_deviation_there", "mean_of_maximum",
         "mean_of_maximum_error", "maximum_of_mean_if_merged", "missing_samples",
         *(f"worst_{name}" for name in _WORST)]
    )  # fmt: skip
    for system, points in results.systems:
        words = " ".join(f"{key}={value}" for key, value in system.parameters)
        for result in points:
            s, point = result.summary, result.point
            head = [system.model, words, point.size, point.n_sites, s.moments.count]
            for index, time in enumerate(results.study.times):
                curve.writerow(
                    [*head, time, *(repr(float(array[index])) for array in (
                        s.moments.mean, s.moments.standard_deviation, s.moments.standard_error
                    ))]
                )  # fmt: skip
            worst = [repr(float(reduce(result.figures[name]))) for name, reduce in _WORST.items()]
            numbers = (s.maximum, s.time_of_maximum, s.maximum_low, s.maximum_high,
                       s.maximum_error, s.maximum_deviation, s.mean_maximum,
                       s.mean_maximum_error)  # fmt: skip
            second = "" if result.second is None else repr(result.second.maximum)
            row.writerow([*head, *map(repr, numbers), second, result.missing, *worst])
    return curves.getvalue(), maxima.getvalue()


def _replace(path: Path, content: bytes) -> Path:
    """Write through a temporary name, so that a reader never sees half a figure."""
    owner = f"{socket.gethostname()}.{os.getpid()}"
    temporary = path.with_name(f".{owner}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
