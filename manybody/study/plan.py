"""Study -> ordered tasks with predicted cost; no MPI, no files."""

import os
from dataclasses import dataclass

from manybody.config import Point, Study
from manybody.numerics.chebyshev import MAX_APPLICATIONS
from manybody.physics.models import FAMILIES


@dataclass(frozen=True)
class Task:
    """A block of samples of one point: the unit of work and of the store.

    first, stop: sample indices [first, stop); flops: predicted cost.
    """

    point: Point
    first: int
    stop: int
    flops: float

    @property
    def n_samples(self) -> int:
        """Number of samples in the block."""
        return self.stop - self.first


def build_tasks(study: Study) -> list[Task]:
    """All blocks of a study, the most expensive first so that ranks finish together.

    Block borders are multiples of `study.block_size`, whatever the number of ranks.
    """
    tasks = []
    for system in study.systems:
        for point in system.points:
            for first in range(0, system.samples, study.block_size):
                stop = min(first + study.block_size, system.samples)
                cost = (stop - first) * sample_flops(study, point)
                tasks.append(Task(point, first, stop, cost))
    return sorted(tasks, key=lambda task: (-task.flops, task.point.name, task.first))


def sample_flops(study: Study, point: Point) -> float:
    """Rough floating-point operations of one sample, to order tasks and to forecast.

    Applications 1.4 Δ t at 28 N³ (16 N³ for real H without Lamb shift), and per
    output time two eigenvalue problems and the two products of the Davies state.
    """
    n = point.n_sites
    applications = sample_applications(study, point)
    # LAPACK reduces a matrix at about a fifth of the rate of products.
    per_time = (5 * 2 * 16.0 / 3.0 + 16.0) * n**3
    # What a sample costs however small it is, in the same currency.
    fixed = 2e8 + 2e5 * len(study.times)
    return applications * application_flops(study, point) + per_time * len(study.times) + fixed


def sample_applications(study: Study, point: Point) -> float:
    """About 1.4 Δ t applications of the generator (scripts/bench.py)."""
    bandwidth = FAMILIES[point.model].bandwidth(dict(point.parameters))
    return 1.4 * bandwidth * study.times[-1] + 40.0


def application_flops(study: Study, point: Point) -> float:
    """Flops of one application of the Redfield kernel: 16, 28 or 32 N³ (PHYSICS.md section 3)."""
    if study.lamb_shift:
        return 32.0 * point.n_sites**3
    return (16.0 if FAMILIES[point.model].is_real else 28.0) * point.n_sites**3


def memory_bytes(study: Study, point: Point) -> int:
    """Peak memory of one sample on one rank: states of all times and equations, workspaces.

    scripts/bench.py measures 2.2 N² complex numbers an output time and about 55 beside.
    """
    n = point.n_sites
    return 16 * n * n * (3 * len(study.times) + 70)


def check_feasible(study: Study) -> None:
    """Raise ValueError when a size cannot fit into this machine's memory or would never end."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for system in study.systems:
        for point in system.points:
            needed = memory_bytes(study, point)
            if needed > total:
                raise ValueError(
                    f"{point.name}: {point.n_sites} sites need about {needed / 2**30:.3g} GiB "
                    f"on one rank, this machine has {total / 2**30:.3g} GiB"
                )
            applications = sample_applications(study, point)
            if applications > MAX_APPLICATIONS:
                raise ValueError(
                    f"{point.name}: times up to {study.times[-1]:g} need about "
                    f"{applications:.1e} applications, allowed are {MAX_APPLICATIONS:g}"
                )
