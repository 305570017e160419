"""A study from tasks to store."""

import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from manybody.blas import better_core_type, blas_summary, cpu_flags, crowding, own_cores
from manybody.config import TRACE_DISTANCE, Point, Study
from manybody.environment import describe
from manybody.physics.spectra import AMBIGUOUS
from manybody.study.blocks import Record
from manybody.study.claims import Claims, hand_out, sweep
from manybody.study.comparison import Comparison, ambiguity_warning, check_setting
from manybody.study.forecast import (
    NOMINAL_RATES,
    Measured,
    application_flops,
    measure_rates,
    merge_measured,
    peak_bytes,
    predicted_and_measured,
)
from manybody.study.groups import first_ranks, group_of, rank_of, size_of, together
from manybody.study.large import compare_large
from manybody.study.plan import Task, build_tasks, check_feasible, group_sizes
from manybody.study.progress import Progress, clock
from manybody.study.sample import compare_ensemble
from manybody.study.spectral import measure
from manybody.study.stacks import stack_size
from manybody.study.store import Store


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
        check_feasible(study, size_of(comm))
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
    threads of each rank, for the record.  Sizes whose samples are shared by several
    ranks come first, then those with a rank a sample.  What a sample raises comes
    through on the ranks of its group alone: with several ranks the caller must abort
    the others.
    """
    tasks = build_tasks(study)
    rank, start = rank_of(comm), time.monotonic()
    watch = _Watch(store, tasks, quiet) if rank == 0 else None
    cores = own_cores(socket.gethostname())
    crowded = crowding(threads, [cores] if comm is None else comm.allgather(cores))
    rates = NOMINAL_RATES
    if watch is not None and not quiet:
        _print_header(study, tasks, size_of(comm), threads, crowded)
        rates = measure_rates()
    tell = watch.update if watch is not None else _say_nothing
    provenance = {
        **describe(),
        "ranks": size_of(comm),
        "blas_threads_per_rank": threads,
        "stepper": study.stepper,
        "tolerance": study.tolerance,
        "petsc_options": study.petsc_options,
        "operator": study.operator,
    }
    sizes = together(
        comm, lambda: group_sizes(study, [t for t in tasks if store.missing(t)], size_of(comm))
    )
    tally: dict[Point, Measured] = {}
    for group_size in sorted(set(sizes.values()), reverse=True):
        own_tasks = [task for task in tasks if sizes.get(task.point) == group_size]
        with group_of(comm, group_size) as ranks:
            _work(study, store, own_tasks, ranks, provenance, tally, tell)
    tallies = [tally] if comm is None else comm.allgather(tally)
    measured = merge_measured(tallies)
    memory = peak_bytes() if comm is None else max(comm.allgather(peak_bytes()))
    outcome = Outcome(
        sum(each.samples for each in measured.values()),
        watch.finished_at_start if watch is not None else 0,
        time.monotonic() - start,
        sum(each.applications for each in measured.values()),
        sum(m.applications * application_flops(study, point) for point, m in measured.items()),
    )
    if watch is not None:
        watch.finish()
    if watch is not None and not quiet:
        _print_rates(outcome, size_of(comm) * threads)
        if measured:
            lines = predicted_and_measured(study, measured, sizes, rates, memory)
            print("\n".join(lines), file=sys.stderr, flush=True)
    return outcome


def _work(
    study: Study,
    store: Store,
    tasks: list[Task],
    ranks: Any,
    provenance: dict[str, Any],
    tally: dict[Point, Measured],
    tell: Callable[[str], None],
) -> None:
    """Blocks claimed by this group of ranks (None: a rank alone), until none are left."""
    warned: set[Point] = set()
    for task, missing in _assignments(store, tasks, ranks, tell):
        for _, run in groupby(enumerate(missing), key=lambda item: item[1] - item[0]):
            samples = [sample for _, sample in run]
            records: list[Record] = []
            size = 1 if ranks is not None else stack_size(task.point.n_sites)
            for first in range(0, len(samples), size):
                some = samples[first : first + size]
                records += _records(study, task.point, some, ranks, tell)
                tell(task.point.name)
            if rank_of(ranks) == 0:
                _warn(task.point, records, warned)
                tally.setdefault(task.point, Measured()).add(records)
                shared = min(size_of(ranks), task.point.n_sites)
                facts = {**provenance, "ranks_per_sample": shared}
                store.commit(study, task.point, records, facts)


def _assignments(
    store: Store, tasks: list[Task], ranks: Any, tell: Callable[[str], None]
) -> Iterator[tuple[Task, list[int]]]:
    """What `hand_out` gives to the first of the ranks, on all of them."""
    if rank_of(ranks) == 0:
        with Claims(store.directory / "claims") as claims:
            for assignment in hand_out(store, claims, tasks, tell):
                if ranks is not None:
                    ranks.bcast(assignment)
                yield assignment
        if ranks is not None:
            ranks.bcast(None)
        return
    while (assignment := ranks.bcast(None)) is not None:
        yield assignment


def _records(
    study: Study, point: Point, samples: list[int], ranks: Any, tell: Callable[[str], None]
) -> list[Record]:
    """Samples of one point, computed together; each is charged its part of the time.

    One sample if several ranks share it; the record is then on the first of them.
    """
    start = time.perf_counter()
    own = study.at(point)
    settings: dict[str, Any] = {
        "initial_site": own.initial_site,
        "lamb_shift": own.lamb_shift,
        "stepper": study.stepper,
        "tolerance": study.tolerance,
        "petsc_options": study.petsc_options,
        "operator": study.operator,
        "drop_tolerance": study.drop_tolerance,
    }
    comparisons: Sequence[Comparison | None] = [None] * len(samples)
    figures: list[dict[str, float]] = []
    if ranks is None:
        models = [point.build(study.seed, sample) for sample in samples]
        if study.evolves:
            comparisons = compare_ensemble(models, own.bath, study.times, **settings)
        for model in models:
            figures.append(measure(model, own))
            tell(point.name)
    else:
        with first_ranks(ranks, point.n_sites) as (part, active):
            if active and study.evolves:
                setting = check_setting([], own.bath, study.times, **settings)
                first = point.build(study.seed, samples[0]) if rank_of(part) == 0 else None
                said = partial(_tell_segment, tell, point.name)
                comparisons = [compare_large(first, setting, part, tell=said)]
            if active and study.observables != (TRACE_DISTANCE,):
                figures = [measure(point.build(study.seed, samples[0]), own, part)]
    seconds = (time.perf_counter() - start) / len(samples)
    return [
        Record(sample, point.entropy(study.seed, sample), seconds, comparison, own_figures)
        for sample, comparison, own_figures in zip(samples, comparisons, figures or [{}])
    ]


def _tell_segment(tell: Callable[[str], None], name: str, where: str) -> None:
    tell(f"{name}, {where}")


def _warn(point: Point, records: list[Record], warned: set[Point]) -> None:
    """Name the first sample of a point that leaves Davies undetermined; the store knows all."""
    for record in records:
        if record.comparison is None:
            continue
        certificate = record.comparison.certificate
        if certificate.clustering == AMBIGUOUS and point not in warned:
            message = ambiguity_warning(certificate)
            print(f"{point.name} sample {record.sample}: {message}", file=sys.stderr, flush=True)
            warned.add(point)


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
        total_cost = sum(task.cost for task in tasks) - cost
        self._progress = Progress(self._total, total_cost)
        if done and not quiet:
            print(f"{done} of {total} samples are there already", file=sys.stderr, flush=True)

    def _count(self) -> tuple[int, float]:
        finished = {point: self._store.finished(point) for point in self._points}
        done, cost = 0, 0.0
        for task in self._tasks:
            here = sum(s in finished[task.point] for s in range(task.first, task.stop))
            done += here
            cost += task.cost * here / task.n_samples
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
