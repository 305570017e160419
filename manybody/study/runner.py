"""A study from tasks to store."""

import logging
import socket
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

from manybody.parallel.claims import Claims, sweep
from manybody.parallel.collective import (
    everybody_raises,
    first_ranks,
    group_of,
    raised_alike,
    rank_of,
    size_of,
    together,
)
from manybody.parallel.files import remove_orphans
from manybody.parallel.signals import Stopped, never
from manybody.solve.compare import is_spread
from manybody.solve.comparison import Comparison, ambiguity_warning, balance_warning
from manybody.solve.stacked import stack_size
from manybody.solve.unphysical import outside_warning
from manybody.study.assignments import hand_out
from manybody.study.blocks import Record
from manybody.study.configuration import Point, Study
from manybody.study.cost import (
    NOMINAL_RATES,
    Measured,
    application_flops,
    measure_rates,
    merge_measured,
    peak_bytes,
    predicted_and_measured,
)
from manybody.study.progress import Watch, log_header, log_rates
from manybody.study.samples import compute_large, compute_stack
from manybody.study.store import Store
from manybody.study.tasks import Task, build_tasks, check_feasible, check_libraries, group_sizes
from manybody.system.blas import crowding, own_cores
from manybody.system.communicator import Communicator
from manybody.system.environment import describe

_log = logging.getLogger("manybody")
# What the numbers of one sample may raise.  Anything else is a mistake of this program or an
# illness of the machine, and ends the run.
_SAMPLE_ERRORS = (RuntimeError, ArithmeticError, ValueError)
_LONGEST_TEXT = 16_000


@dataclass(frozen=True)
class Outcome:
    """What one call of `run_study` did, over all ranks.

    computed, present: samples computed now and found finished; failed, missing: samples
    that have raised and that are still to do, among those asked for; stopped: the signal
    that ended the run early, empty otherwise; seconds: wall time; flops, applications:
    work done on the generator.
    """

    computed: int
    present: int
    failed: int
    missing: int
    stopped: str
    seconds: float
    applications: int
    flops: float


@dataclass(frozen=True)
class _Job:
    """What the blocks of one run have in common; ranks: those that share a sample, or None."""

    study: Study
    store: Store
    ranks: Communicator | None
    provenance: dict[str, Any]
    tell: Callable[[str], None]
    stop: Callable[[], str]
    tally: dict[Point, Measured]
    warned: set[tuple[Point, str]] = field(default_factory=set)

    def is_large(self, point: Point) -> bool:
        """Whether samples of a point are computed one by one, with checkpoints."""
        operator = self.study.operator if self.study.evolves else "matrix-free"
        return is_spread(point.dimension, operator, size_of(self.ranks))


def prepare(study: Study, store: Store, comm: Communicator | None = None, text: str = "") -> Study:
    """Check that `study` can run in `store`, write its description and return what to run.

    A used store keeps its block size and learns of new systems, sizes and samples;
    what runs is what `study` asks for.  text: the study as a user wrote it, kept beside.
    Raises ValueError on every rank, before anything is written, when the store belongs to
    another study or cannot be written, needs libraries that are not here, or a size cannot
    fit into memory.
    """

    def action() -> Study:
        check_libraries(study)
        check_feasible(study, size_of(comm))
        store.check(study)
        extended = store.create(study, text)
        sweep(store.directory / "claims")
        for problem in store.set_aside_corrupt(extended):
            _log.warning(problem)
        store.sweep_checkpoints(extended)
        return replace(study, block_size=extended.block_size)

    return together(comm, action)


def run_study(
    study: Study,
    store: Store,
    comm: Communicator | None = None,
    threads: int = 1,
    quiet: bool = False,
    shard: tuple[int, int] = (0, 1),
    stop: Callable[[], str] = never,
    text: str = "",
) -> Outcome:
    """Compute every sample of a prepared `study` that `store` lacks.

    comm: an mpi4py communicator whose ranks all call this, or None; threads: BLAS
    threads of each rank, for the record; shard: (i, n) for the blocks whose index is i
    modulo n; stop: asked between blocks and segments, on every rank, ends the run when it
    says something; text: the study as a user wrote it, for the record.  Sizes whose samples
    are shared by several ranks come first, then those with a rank a sample.

    A sample that raises a RuntimeError, ValueError or ArithmeticError is recorded with its
    seed and the rest goes on; the next run tries it again.  What one rank raises alone while
    others share its sample comes through there: the caller must then abort the others.
    """
    tasks = build_tasks(study, shard)
    rank, start = rank_of(comm), time.monotonic()
    watch = Watch(store, tasks, quiet) if rank == 0 else None
    cores = own_cores(socket.gethostname())
    crowded = crowding(threads, [cores] if comm is None else comm.allgather(cores))
    rates = NOMINAL_RATES
    if watch is not None and not quiet:
        log_header(study, tasks, size_of(comm), threads, crowded)
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
        # An attribute of HDF5 holds 64 kB; study.toml has it all.
        "study_text": text[:_LONGEST_TEXT],
    }

    def begin() -> dict[Point, int]:
        store.forget_failures(tasks)
        return group_sizes(study, [t for t in tasks if store.missing(t)], size_of(comm))

    sizes = together(comm, begin)
    tally: dict[Point, Measured] = {}
    for group_size in sorted(set(sizes.values()), reverse=True):
        own_tasks = [task for task in tasks if sizes.get(task.point) == group_size]
        with group_of(comm, group_size) as ranks:
            _work(_Job(study, store, ranks, provenance, tell, stop, tally), own_tasks)
    tallies = [tally] if comm is None else comm.allgather(tally)
    measured = merge_measured(tallies)
    memory = peak_bytes() if comm is None else max(comm.allgather(peak_bytes()))
    asked = [stop()] if comm is None else comm.allgather(stop())

    def end() -> tuple[int, int]:
        # Of other runs that died while this one was at work.
        sweep(store.directory / "claims")
        remove_orphans(store.directory)
        store.sweep_checkpoints(study)
        return _left(store, tasks)

    failed, missing = together(comm, end)
    outcome = Outcome(
        sum(each.samples for each in measured.values()),
        watch.finished_at_start if watch is not None else 0,
        failed,
        missing,
        next((signal for signal in asked if signal), ""),
        time.monotonic() - start,
        sum(each.applications for each in measured.values()),
        sum(m.applications * application_flops(study, point) for point, m in measured.items()),
    )
    if watch is not None:
        watch.finish()
    if watch is not None and not quiet:
        if outcome.computed or not (outcome.failed or outcome.missing):
            log_rates(
                outcome.computed,
                outcome.seconds,
                outcome.applications,
                outcome.flops,
                size_of(comm) * threads,
            )
        if measured:
            lines = predicted_and_measured(study, measured, sizes, rates, memory)
            _log.info("\n".join(lines))
    return outcome


def _left(store: Store, tasks: list[Task]) -> tuple[int, int]:
    """Samples of the tasks that have failed, and those still to do."""
    failed, missing = 0, 0
    for point in dict.fromkeys(task.point for task in tasks):
        wrong, done = set(store.failures(point)), store.finished(point)
        for task in tasks:
            if task.point == point:
                left = set(range(task.first, task.stop)) - done
                failed += len(left & wrong)
                missing += len(left - wrong)
    return failed, missing


def _work(job: _Job, tasks: list[Task]) -> None:
    """Blocks claimed by this group of ranks until none are left or the run shall stop."""
    try:
        with closing(_assignments(job, tasks)) as assignments:
            for task, missing in assignments:
                _compute_block(job, task.point, missing)
    except Stopped as stopped:
        if rank_of(job.ranks) == 0:
            _log.info(f"checkpoint after {stopped}")


def _assignments(job: _Job, tasks: list[Task]) -> Generator[tuple[Task, list[int]], None, None]:
    """What `hand_out` gives to the first of the ranks, on all of them."""
    ranks = job.ranks
    if ranks is None or ranks.Get_rank() == 0:
        with (
            Claims(job.store.directory / "claims") as claims,
            closing(hand_out(job.store, claims, tasks, job.tell, job.stop)) as handed_out,
        ):
            for assignment in handed_out:
                if ranks is not None:
                    ranks.bcast(assignment)
                    if _shall_stop(job):
                        return
                yield assignment
        if ranks is not None:
            ranks.bcast(None)
        return
    while (assignment := ranks.bcast(None)) is not None:
        if _shall_stop(job):
            return
        yield assignment


def _compute_block(job: _Job, point: Point, missing: list[int]) -> None:
    """Compute samples and commit them: neighbours in one block, large ones each in its own."""
    for _, run in groupby(enumerate(missing), key=lambda item: item[1] - item[0]):
        samples = [sample for _, sample in run]
        size = min(stack_size(point.dimension), job.study.comfortable_block(point))
        if job.is_large(point):
            size = 1
        records: list[Record] = []
        for first in range(0, len(samples), size):
            if first and _shall_stop(job):
                # Whoever gives out the next block says so to all.
                _commit(job, point, records)
                return
            some = samples[first : first + size]
            found = _attempt(job, point, some)
            if job.is_large(point) or len(found) < len(some):
                # A block holds consecutive samples.
                _commit(job, point, records)
                for record in found:
                    _commit(job, point, [record])
                records = []
            else:
                records += found
            job.tell(point.name)
        _commit(job, point, records)


def _shall_stop(job: _Job) -> bool:
    """Whether one of the ranks that share samples was asked to stop; collective."""
    return any([job.stop()] if job.ranks is None else job.ranks.allgather(job.stop()))


def _commit(job: _Job, point: Point, records: list[Record]) -> None:
    if not records or rank_of(job.ranks) != 0:
        return
    own = job.study.at(point)
    for record in records:
        comparison = record.comparison
        if comparison is None:
            continue
        messages = {
            "unbalanced": balance_warning(comparison.certificate),
            "ambiguous": ambiguity_warning(comparison.certificate),
            "outside": outside_warning(comparison, None, own.baths(point), own.lamb_shift),
        }
        # The first of a point is named; the store and the report know all.
        for kind, message in messages.items():
            if message and (point, kind) not in job.warned:
                said = f"{point.name} sample {record.sample}: {message}"
                _log.warning(said)
                job.warned.add((point, kind))
    job.tally.setdefault(point, Measured()).add(records)
    shared = min(size_of(job.ranks), point.dimension)
    facts = {**job.provenance, "ranks_per_sample": shared}
    job.store.commit(job.study, point, records, facts)
    if job.is_large(point):
        for record in records:
            job.store.keeper(job.study, point, record.sample).remove()


def _attempt(job: _Job, point: Point, samples: list[int]) -> list[Record]:
    """Records of samples; what raises is recorded as failed and left out."""
    try:
        if job.is_large(point):
            return _large_record(job, point, samples[0])
        return _stack_records(job, point, samples)
    except _SAMPLE_ERRORS as error:
        if job.ranks is not None and not everybody_raises(error, job.ranks):
            raise
        if len(samples) > 1:
            # One of a stack: which of them, and the others alone.
            return [record for sample in samples for record in _attempt(job, point, [sample])]
        if rank_of(job.ranks) == 0:
            path = job.store.record_failure(
                job.study, point, samples[0], error, dict(job.provenance)
            )
            _log.error(f"FAILED: {point.name} sample {samples[0]}: {error}; see {path}")
        return []


def _stack_records(job: _Job, point: Point, samples: list[int]) -> list[Record]:
    """Small samples, computed together; each is charged its part of the time."""
    start, study = time.perf_counter(), job.study
    found = compute_stack(study.at(point), point, samples, job.tell)
    seconds = (time.perf_counter() - start) / len(samples)
    return [
        Record(sample, point.entropy(study.seed, sample), seconds, *own)
        for sample, own in zip(samples, found)
    ]


def _large_record(job: _Job, point: Point, sample: int) -> list[Record]:
    """One sample on the ranks that share it; the record is on the first of them."""
    start, study, own = time.perf_counter(), job.study, job.study.at(point)
    keeper = job.store.keeper(study, point, sample, job.stop)
    comparison: Comparison | None = None
    figures: dict[str, float] = {}
    # (type of what ended it, in words)
    ended: tuple[type[Exception], str] | None = None
    cause: Exception | None = None
    with first_ranks(job.ranks, point.dimension) as (part, active):
        try:
            if active:
                said = partial(_tell_segment, job.tell, point.name)
                comparison, figures = compute_large(own, point, sample, part, said, keeper)
        except Stopped as stopped:
            ended = Stopped, str(stopped)
        except _SAMPLE_ERRORS as error:
            if size_of(part) > 1 and not everybody_raises(error, part):
                raise
            ended, cause = (RuntimeError, f"{type(error).__name__}: {error}"), error
    # Where there are more ranks than sites, those without a column know nothing of it.
    ended = ended if job.ranks is None else job.ranks.bcast(ended)
    if ended is not None:
        with raised_alike(job.ranks):
            raise ended[0](ended[1]) from cause
    if rank_of(job.ranks) != 0:
        return []
    seconds = time.perf_counter() - start + keeper.seconds_before
    return [Record(sample, point.entropy(study.seed, sample), seconds, comparison, figures)]


def _tell_segment(tell: Callable[[str], None], name: str, where: str) -> None:
    tell(f"{name}, {where}")


def _say_nothing(_: str) -> None:
    """What ranks other than 0 print while they work."""
