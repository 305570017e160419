"""What a study will cost: applications, time, memory, and how many ranks a sample should have."""

import contextlib
import dataclasses
import os
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from manybody.errors import InputError
from manybody.numerics.chebyshev import MAX_APPLICATIONS, series_terms
from manybody.numerics.petsc.linear import RESTART
from manybody.numerics.steppers import find_stepper
from manybody.physics.baths.protocol import has_temperature
from manybody.physics.couplings import DiagonalCouplings
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.equations.redfield import REDFIELD
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.problem import Problem
from manybody.solve.forecast import (
    NOMINAL_RATES,
    Rates,
    Work,
    drawing_seconds,
    efficiency,
    evolution_seconds,
    group_efficiency,
    pass_flops,
    rate_of,
)
from manybody.solve.observables.protocol import Cost, Observable
from manybody.solve.observables.registry import chosen
from manybody.solve.room import MOST_PLANNED, Baths, Extent, shares_of
from manybody.solve.stacked import is_large, stack_size
from manybody.study.configuration import Point, Study
from manybody.study.kind import SAMPLE_ERRORS, Measured
from manybody.study.lines import WIDEST, folded
from manybody.system.blas import blas_threads
from manybody.system.memory import machine_bytes

# What calls of an iteration of GMRES take, in seconds; its passes over a vector, and those over
# each vector of its space, in flops of products an element.
_SECONDS_OF_A_STEP, _OF_AN_ITERATION, _OF_A_VECTOR = 5e-5, 300.0, 60.0
# Eigenvectors of complex and of real H, in N³; what follows from pairs of levels, in N².
_OF_SPECTRUM, _OF_SPECTRUM_REAL, _OF_LEVELS = 40.0, 20.0, 3500.0
# Samples that are looked at where facts do not say what one costs: they differ several times.
_DRAWN = 4
# Fewer columns a rank make thin products and many messages.
FEWEST_COLUMNS = 64
# A sample that takes longer is worth more ranks.
_LONG_SECONDS = 600.0


@dataclass(frozen=True)
class Forecast:
    """Predicted cost of one point of a study.

    samples: how many; group_size: ranks a sample; applications, seconds: of one sample, on
    its group; rank_bytes: peak memory of the fullest rank; core_hours: of all samples;
    suggested: ranks a sample that this machine would want, None where it cannot hold it.
    """

    point: Point
    samples: int
    group_size: int
    applications: float
    seconds: float
    rank_bytes: float
    core_hours: float
    suggested: int | None


def forecast(study: Study, point: Point, samples: int, rates: Rates, group_size: int) -> Forecast:
    """Cost of `samples` samples of a point with `group_size` ranks each."""
    seconds = sample_seconds(study, point, rates, group_size)
    return Forecast(
        point,
        samples,
        group_size,
        sample_applications(study, point),
        seconds,
        rank_bytes(study, point, group_size),
        samples * seconds * group_size / 3600.0,
        suggested_group(study, point, rates),
    )


def suggested_group(study: Study, point: Point, rates: Rates) -> int | None:
    """Ranks a sample: as few as fit in memory and finish within ten minutes, a power of two."""
    size, widest = 1, max(1, point.dimension // FEWEST_COLUMNS)
    per_core = machine_bytes() / max(1, os.cpu_count() or 1)
    while size <= widest:
        fits = rank_bytes(study, point, size) <= per_core
        if fits and sample_seconds(study, point, rates, size) <= _LONG_SECONDS:
            return size
        size *= 2
    fits = rank_bytes(study, point, widest) <= machine_bytes()
    return widest if fits else None


def sample_applications(study: Study, point: Point) -> float:
    """Applications of the generator: those of one Chebyshev series, times what others need.

    The factors of other steppers are rough (docs/physics.md section 5).
    """
    if not study.evolves:
        return 0.0
    needed = float(series_terms(np.array(point.bandwidth * study.times[-1]), study.tolerance))
    stepped = sum(EQUATIONS[name].is_stepped for name in study.equations)
    return needed * find_stepper(study.stepper).relative_applications * stepped


def application_flops(study: Study, point: Point) -> float:
    """Flops of one application, on average over the stepped equations."""
    return _work_of(study, point).application_flops()


def _work_of(study: Study, point: Point) -> Work:
    return Work(
        facts_of(study, point),
        len(study.times),
        tuple(EQUATIONS[name] for name in study.equations),
        study.operator,
        sample_applications(study, point),
        needs_spectrum(study),
    )


def facts_of(study: Study, point: Point) -> SystemFacts:
    """What the costs of equations depend on."""
    family, parameters = point.family, dict(point.parameters)
    return SystemFacts(
        point.dimension,
        family.is_real,
        study.at(point).lamb_shift,
        family.basis(point.size, parameters),
        family.lattice(point.size, parameters),
        has_temperature(study.baths(point).beta),
    )


def needs_spectrum(study: Study) -> bool:
    """Whether samples are diagonalised: for an equation or for an observable of its own."""
    return bool(chosen(study.observables)) or any(
        EQUATIONS[name].needs_spectrum for name in study.equations
    )


def sample_seconds(
    study: Study, point: Point, rates: Rates = NOMINAL_RATES, group_size: int = 1
) -> float:
    """Wall time of one sample on `group_size` ranks, one thread each."""
    spectral = _spectral_seconds(study, point, rates, group_size)
    if not study.evolves:
        return spectral
    work = _work_of(study, point)
    stack = min(stack_size(point.dimension), study.samples_in_block(point))
    return evolution_seconds(work, rates, machine_bytes(), group_size, stack) + spectral


def _spectral_seconds(study: Study, point: Point, rates: Rates, group_size: int) -> float:
    """Wall time of the observables that need no evolution; rough, within a factor of two."""
    costs = [_cost_of(study, point, each) for each in chosen(study.observables)]
    if not costs:
        return 0.0
    facts, rate = facts_of(study, point), rate_of(facts_of(study, point), rates)
    n = point.dimension
    # Two half forms, and four products of the preconditioner with V.
    products = 2.0 * REDFIELD.operations(facts) + (16.0 if facts.is_real else 32.0) * n**3
    each = products / efficiency(n) + 2.0 * pass_flops(n)
    # One diagonalisation for all of them, which is that of the evolution where there is one.
    spectrum = (_OF_SPECTRUM_REAL if facts.is_real else _OF_SPECTRUM) * n**3 + _OF_LEVELS * n**2
    seconds = 0.0 if study.evolves else drawing_seconds(facts) + spectrum / rate
    for cost in costs:
        # A step meets half of the vectors of its space on average, twice.
        vectors = _OF_AN_ITERATION + _OF_A_VECTOR * min(cost.iterations, RESTART)
        flops = cost.applications * (each + vectors * n**2) / rate
        flops /= group_size * group_efficiency(group_size)
        seconds += flops + cost.applications * _SECONDS_OF_A_STEP
        seconds += cost.flops / rate + cost.seconds
    return seconds


def _cost_of(study: Study, point: Point, observable: Observable) -> Cost:
    """Of one sample: what facts say, or the first samples where these say more."""
    known = None
    if observable.cost_of_sample is not None and not is_large(point.dimension):
        known = _mean_cost(study, point, observable.cost_of_sample)
    return observable.cost(facts_of(study, point)) if known is None else known


@lru_cache(maxsize=1024)
def _mean_cost(
    study: Study, point: Point, cost_of_sample: Callable[[Problem], Cost]
) -> Cost | None:
    """Of the first samples, less those that the run will find to fail; None without any."""
    own, found = study.at(point), []
    for sample in range(min(_DRAWN, study.wanted.get(point, 1))):
        with blas_threads(), np.errstate(under="ignore"), contextlib.suppress(*SAMPLE_ERRORS):
            model = point.build(study.seed, sample)
            found.append(cost_of_sample(Problem([model], own.baths(point), own.lamb_shift)))
    if not found:
        return None
    return Cost(*np.mean([dataclasses.astuple(each) for each in found], axis=0).tolist())


def extent_of(study: Study, point: Point) -> Extent:
    """What the memory of a point's samples depends on."""
    facts = facts_of(study, point)
    shares = shares_of([EQUATIONS[name] for name in study.equations], facts)
    shares["has_spectrum"] = needs_spectrum(study)
    is_split = facts.is_real and not facts.lamb_shift
    return Extent(
        point.dimension,
        len(study.times),
        facts.is_real,
        facts.lamb_shift,
        study.stepper,
        study.operator,
        krylov=any(each.krylov for each in chosen(study.observables)),
        baths=_baths(point, is_split) if shares["has_spectrum"] else Baths(),
        **shares,
    )


def _baths(point: Point, is_split: bool) -> Baths:
    """Of many particles, one on every site."""
    if point.own is not None:
        facts = point.own.facts_of(point.size)
        return Baths(facts.n_baths, facts.bath_bytes)
    basis = point.basis
    if basis is None:
        return Baths()
    if basis.dimension > MOST_PLANNED:
        return Baths.unplanned(basis.n_modes, basis.dimension, is_split)
    couplings = DiagonalCouplings(basis.occupations.T.astype(np.float64)).centred(False)
    return Baths.of(couplings, is_split)


def rank_bytes(study: Study, point: Point, group_size: int) -> float:
    """Peak memory of the fullest rank, its interpreter and what its node shares included."""
    extent = extent_of(study, point)
    if extent.is_shared(group_size):
        return extent.rank_bytes(group_size)
    return extent.stack_bytes(min(stack_size(point.dimension), study.samples_in_block(point)))


def plan_lines(study: Study, rates: Rates, sizes: Mapping[Point, int]) -> list[str]:
    """A table of what a study will cost, size by size, for `plan`.

    sizes: ranks a sample of each point, None of them missing.
    """
    found = [
        forecast(study, point, count, rates, sizes[point]) for point, count in study.wanted.items()
    ]
    head = (
        f"{study.name}: {sum(each.samples for each in found)} samples, "
        f"{sum(each.core_hours for each in found):.3g} core-hours at "
        f"{rates.real / 1e9:.0f} (real) and {rates.complex / 1e9:.0f} (complex) GF/s a core, "
        "one BLAS thread a rank"
    )
    rows = [
        ("", "          ranks a sample          applica-   seconds    core- useful"),
        ("", "samples planned  advised GiB/rank    tions  a sample    hours  ranks"),
    ]
    lines = [*textwrap.wrap(head, WIDEST, subsequent_indent="  ", break_on_hyphens=False)]
    lines += folded([*rows, *((each.point.name, _forecast_row(each)) for each in found)])
    if any(each.suggested is None for each in found):
        lines.append("  more: a sample exceeds the memory of this machine; spread it over several")
    return lines


def _forecast_row(each: Forecast) -> str:
    advised = "more" if each.suggested is None else str(each.suggested)
    useful = "" if each.suggested is None else str(each.suggested * each.samples)
    return (
        f"{each.samples:>7} {each.group_size:>7} {advised:>8} {each.rank_bytes / 2**30:>8.2f} "
        f"{each.applications:>8.0f} {each.seconds:>9.3g} {each.core_hours:>8.3g} {useful:>6}"
    )


def predicted_and_measured(
    study: Study,
    measured: Mapping[Point, Measured],
    group_sizes: Mapping[Point, int],
    rates: Rates | None,
    memory: float,
) -> list[str]:
    """A table of both, and the memory of the fullest rank, for the end of a run."""
    rates = NOMINAL_RATES if rates is None else rates
    rows = [("", f"{'ranks':>5} {'applications':>15} {'seconds':>19}")]
    for point, found in sorted(measured.items(), key=lambda item: item[0].name):
        size = group_sizes[point]
        expected = sample_applications(study, point)
        seconds = sample_seconds(study, point, rates, size)
        numbers = (
            f"{size:>5} {expected:>7.0f} {_mean(found.applications, found):>7.0f} "
            f"{seconds:>9.3g} {_mean(found.seconds, found):>9.3g}"
        )
        rows.append((point.name, numbers))
    lines = ["predicted and measured, a sample", *folded(rows)]
    largest = max(rank_bytes(study, point, group_sizes[point]) for point in measured)
    lines.append(
        f"  memory of the fullest rank: {largest / 2**20:.0f} MiB {memory / 2**20:.0f} MiB"
    )
    return lines


def _mean(total: float, measured: Measured) -> float:
    return total / measured.samples


def check_possible(study: Study, point: Point) -> None:
    """Raise ValueError when a point would never end."""
    applications = sample_applications(study, point)
    if study.evolves and applications > MAX_APPLICATIONS:
        raise InputError(
            f"{point.name}: times up to {study.times[-1]:g} need about "
            f"{applications:.1e} applications, allowed are {MAX_APPLICATIONS:g}"
        )
