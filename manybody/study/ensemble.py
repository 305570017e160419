"""A study from tasks to store."""

import socket
import sys
import time
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from manybody.blas import better_core_type, blas_summary, cpu_flags, crowding, own_cores
from manybody.config import Point, Study
from manybody.environment import describe
from manybody.physics.spectra import AMBIGUOUS
from manybody.study.claims import Claims, hand_out, sweep
from manybody.study.comparison import ambiguity_warning
from manybody.study.groups import rank_of, size_of, together
from manybody.study.plan import Task, application_flops, build_tasks, check_feasible
from manybody.study.progress import Progress, clock
from manybody.study.sample import compare_ensemble
from manybody.study.stacks import stack_size
from manybody.study.store import Record, Store


@dataclass(frozen=True)
class Outcome:
    """What one call of `run_study` did, over all ranks.

    computed, present: samples computed now and found finished; seconds: wall
    time; flops, applications: work done on the generator.
    """

    computed: int
    present: int
    seconds: float
    applications: int
    flops: float


def prepare(study: Study, store: Store, comm: Any = None) -> Study:
    """Check that `study` can run in `store`, write its description and return what to run.

    A used store keeps its block size and learns of new systems, sizes and samples;
    what runs is what `study` asks for.  Raises ValueError on every rank, before
    anything is written, when the store belongs to another study or cannot be
    written, or a size cannot fit into memory.
    """

    def action() -> Study:
        check_feasible(study)
        store.check(study)
        extended = store.create(study)
        sweep(store.directory / "claims")
        for problem in store.set_aside_corrupt(extended):
            print(f"set aside: {problem}", file=sys.stderr, flush=True)
        return replace(study, block_size=extended.block_size)

    return together(comm, action)


def run_study(
    study: Study, store: Store, comm: Any = None, threads: int = 1, quiet: bool = False
) -> Outcome:
    """Compute every sample of a prepared `study` that `store` lacks.

    comm: an mpi4py communicator whose ranks all call this, or None; threads: BLAS
    threads of each rank, for the record.  What a sample raises comes through on
    its rank alone: with several ranks the caller must abort the others.
    """
    tasks = build_tasks(study)
    rank, start = rank_of(comm), time.monotonic()
    watch = _Watch(store, tasks, quiet) if rank == 0 else None
    cores = own_cores(socket.gethostname())
    crowded = crowding(threads, [cores] if comm is None else comm.allgather(cores))
    if watch is not None and not quiet:
        _print_header(study, tasks, size_of(comm), threads, crowded)
    present = watch.finished_at_start if watch is not None else 0
    tell = watch.update if watch is not None else _say_nothing
    provenance = {
        **describe(),
        "ranks": size_of(comm),
        "blas_threads_per_rank": threads,
        "stepper": study.stepper,
        "tolerance": study.tolerance,
        "petsc_options": study.petsc_options,
    }
    computed, applications, flops = 0, 0, 0.0
    warned: set[Point] = set()
    with Claims(store.directory / "claims") as claims:
        for task, missing in hand_out(store, claims, tasks, tell):
            for _, run in groupby(enumerate(missing), key=lambda item: item[1] - item[0]):
                samples = [sample for _, sample in run]
                records: list[Record] = []
                size = stack_size(task.point.n_sites)
                for first in range(0, len(samples), size):
                    records += _stack(study, task.point, samples[first : first + size], warned)
                    tell(task.point.name)
                computed += len(records)
                used = sum(record.comparison.certificate.applications for record in records)
                applications += used
                flops += used * application_flops(study, task.point)
                store.commit(study, task.point, records, provenance)
    if comm is not None:
        computed, applications, flops = comm.allreduce((computed, applications, flops), _add)
    seconds = time.monotonic() - start
    outcome = Outcome(computed, present, seconds, applications, flops)
    if watch is not None:
        watch.finish()
    if watch is not None and not quiet:
        _print_rates(outcome, size_of(comm) * threads)
    return outcome


def _stack(study: Study, point: Point, samples: list[int], warned: set[Point]) -> list[Record]:
    """Samples of one point, computed together; each is charged its part of the time."""
    start = time.perf_counter()
    comparisons = compare_ensemble(
        [point.build(study.seed, sample) for sample in samples],
        study.bath,
        study.times,
        initial_site=study.initial_site,
        lamb_shift=study.lamb_shift,
        stepper=study.stepper,
        tolerance=study.tolerance,
        petsc_options=study.petsc_options,
    )
    seconds = (time.perf_counter() - start) / len(samples)
    for sample, comparison in zip(samples, comparisons):
        # The first of a point in full; the store knows of the others.
        if comparison.certificate.clustering == AMBIGUOUS and point not in warned:
            message = ambiguity_warning(comparison.certificate)
            print(f"{point.name} sample {sample}: {message}", file=sys.stderr, flush=True)
            warned.add(point)
    return [
        Record(sample, point.entropy(study.seed, sample), comparison, seconds)
        for sample, comparison in zip(samples, comparisons)
    ]


class _Watch:
    """Progress of all ranks, read from the store by rank 0."""

    def __init__(self, store: Store, tasks: list[Task], quiet: bool) -> None:
        self._store, self._tasks, self._quiet = store, tasks, quiet
        self._points = list(dict.fromkeys(task.point for task in tasks))
        done, cost = self._count()
        self.finished_at_start = done
        self._cost_at_start = cost
        total = sum(task.n_samples for task in tasks)
        self._total = total - done
        total_cost = sum(task.flops for task in tasks) - cost
        self._progress = Progress(self._total, total_cost)
        if done and not quiet:
            print(f"{done} of {total} samples are there already", file=sys.stderr, flush=True)

    def _count(self) -> tuple[int, float]:
        finished = {point: self._store.finished(point) for point in self._points}
        done, cost = 0, 0.0
        for task in self._tasks:
            here = sum(s in finished[task.point] for s in range(task.first, task.stop))
            done += here
            cost += task.flops * here / task.n_samples
        return done, cost

    def update(self, what: str) -> None:
        """Print progress if it is time to."""
        if not self._quiet and self._progress.due():
            self._print(what, final=False)

    def finish(self) -> None:
        """Print the last line."""
        if not self._quiet and self._total:
            self._print("", final=True)

    def _print(self, what: str, final: bool) -> None:
        done, cost = self._count()
        computed = done - self.finished_at_start
        self._progress.update(computed, cost - self._cost_at_start, what, final)


def _say_nothing(_: str) -> None:
    """What ranks other than 0 print while they work."""


def _add(left: tuple[int, int, float], right: tuple[int, int, float]) -> tuple[int, int, float]:
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def _print_header(study: Study, tasks: list[Task], ranks: int, threads: int, crowded: str) -> None:
    samples = sum(task.n_samples for task in tasks)
    blas, numpys = blas_summary("scipy"), blas_summary("numpy")
    print(
        f"{study.name}: {samples} samples in {len(tasks)} blocks, {ranks} rank(s) x {threads} "
        f"BLAS thread(s), {blas['name']} {blas['version']} with {blas['core']} kernels",
        file=sys.stderr,
    )
    better, _ = better_core_type(numpys, cpu_flags())
    if better:
        print(
            f"NumPy's BLAS chose {numpys['core']} kernels; OPENBLAS_CORETYPE={better}, exported "
            "before the start, makes systems below 24 sites and eigenvectors several times "
            "faster (it changes the last bits of results)",
            file=sys.stderr,
        )
    if crowded:
        print(crowded, file=sys.stderr)
    sys.stderr.flush()


def _print_rates(outcome: Outcome, cores: int) -> None:
    if not outcome.computed:
        print("nothing to compute: every sample is there", file=sys.stderr, flush=True)
        return
    core_seconds = max(outcome.seconds * cores, 1e-9)
    print(
        f"{outcome.computed} samples in {clock(outcome.seconds)}: "
        f"{outcome.applications} applications, {outcome.applications / core_seconds:.4g} "
        f"per core-second, {outcome.flops / core_seconds / 1e9:.3g} GF/s per core "
        "(products of the generator over the whole wall time)",
        file=sys.stderr,
        flush=True,
    )
