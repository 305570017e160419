"""A study of any kind from tasks to store."""

import logging
import socket
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from manybody.parallel.claims import Claims, sweep
from manybody.parallel.collective import group_of, rank_of, size_of, together
from manybody.parallel.files import remove_orphans
from manybody.parallel.signals import Stopped, never
from manybody.study.assignments import hand_out
from manybody.study.block_store import BlockStore
from manybody.study.kind import B, Job, Measured, P, R, S, Task
from manybody.study.progress import Outcome, Watch, log_header, log_rates
from manybody.system.blas import crowding, own_cores
from manybody.system.communicator import Communicator
from manybody.system.environment import describe
from manybody.system.memory import peak_bytes

_log = logging.getLogger("manybody")
_LONGEST_TEXT = 16_000


def prepare(
    study: S, store: BlockStore[S, P, R, B], comm: Communicator | None = None, text: str = ""
) -> S:
    """Check that `study` can run in `store`, write its description and return what to run.

    A used store keeps its block size and learns of new systems, sizes and samples;
    what runs is what `study` asks for.  text: the study as a user wrote it, kept beside.
    Raises InputError on every rank, before anything is written, when the store belongs to
    another study or cannot be written, needs libraries that are not here, or a size cannot
    fit into memory; Unavailable where a sample is missing and its kind needs what is not here.
    """
    kind = store.kind

    def action() -> S:
        if store.is_older:
            # What it holds need not be computed.
            store.create(study)
        kind.check_machine(study, size_of(comm), store.finished)
        store.check(study)
        extended = store.create(study, text)
        sweep(store.directory / "claims")
        for problem in store.set_aside_corrupt(extended):
            _log.warning(problem)
        store.sweep_checkpoints(extended)
        return kind.in_blocks_of(extended, study)

    return together(comm, action)


def run_study(
    study: S,
    store: BlockStore[S, P, R, B],
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
    kind = store.kind
    tasks = kind.tasks(study, shard)
    rank, start = rank_of(comm), time.monotonic()
    watch = Watch(store, tasks, quiet) if rank == 0 else None
    cores = own_cores(socket.gethostname())
    crowded = crowding(threads, [cores] if comm is None else comm.allgather(cores))
    begun = None
    if watch is not None and not quiet:
        log_header(study.name, kind.counted, tasks, size_of(comm), threads, crowded)
        begun = kind.begin()
    tell = watch.update if watch is not None else _say_nothing
    provenance = {
        **describe(),
        "ranks": size_of(comm),
        "blas_threads_per_rank": threads,
        **kind.provenance(study),
        # An attribute of HDF5 holds 64 kB; study.toml has it all.
        "study_text": text[:_LONGEST_TEXT],
    }

    def begin() -> dict[P, int]:
        store.forget_failures(tasks)
        return kind.group_sizes(study, [t for t in tasks if store.missing(t)], size_of(comm))

    sizes = together(comm, begin)
    tally: dict[Any, Measured] = {}
    for group_size in sorted(set(sizes.values()), reverse=True):
        own_tasks = [task for task in tasks if sizes.get(task.point) == group_size]
        with group_of(comm, group_size) as ranks:
            _work(Job(study, store, ranks, provenance, tell, stop, tally), own_tasks)
    measured = _merged([tally] if comm is None else comm.allgather(tally))
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
        sum(own.applications * kind.flops(study, point) for point, own in measured.items()),
    )
    if watch is not None:
        watch.finish()
    if watch is not None and not quiet:
        if outcome.computed or not (outcome.failed or outcome.missing):
            log_rates(outcome, kind.counted, size_of(comm) * threads)
        lines = kind.closing_lines(study, measured, sizes, begun, memory) if measured else []
        if lines:
            _log.info("\n".join(lines))
    return outcome


def _merged(tallies: Iterable[Mapping[P, Measured]]) -> dict[P, Measured]:
    """What all ranks have counted."""
    merged: dict[P, Measured] = {}
    for tally in tallies:
        for point, own in tally.items():
            total = merged.setdefault(point, Measured())
            total.samples += own.samples
            total.seconds += own.seconds
            total.applications += own.applications
    return merged


def _left(store: BlockStore[S, P, R, B], tasks: Sequence[Task[P]]) -> tuple[int, int]:
    """Samples of the tasks that have failed, and those still to do."""
    failed, missing = 0, 0
    wanted: dict[P, set[int]] = {}
    for task in tasks:
        wanted.setdefault(task.point, set()).update(range(task.first, task.stop))
    for point, samples in wanted.items():
        left = samples - store.finished(point)
        wrong = left & set(store.failures(point)) if left else set()
        failed += len(wrong)
        missing += len(left) - len(wrong)
    return failed, missing


def _work(job: Job[S], tasks: Sequence[Task[P]]) -> None:
    """Blocks claimed by this group of ranks until none are left or the run shall stop."""
    try:
        with closing(_assignments(job, tasks)) as assignments:
            for task, missing in assignments:
                job.store.kind.compute(job, task.point, missing)
    except Stopped as stopped:
        if rank_of(job.ranks) == 0:
            _log.info(f"checkpoint after {stopped}")


def _assignments(
    job: Job[S], tasks: Sequence[Task[P]]
) -> Generator[tuple[Task[P], list[int]], None, None]:
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
                    if job.shall_stop():
                        return
                yield assignment
        if ranks is not None:
            ranks.bcast(None)
        return
    while (assignment := ranks.bcast(None)) is not None:
        if job.shall_stop():
            return
        yield assignment


def _say_nothing(_: str) -> None:
    """What ranks other than 0 print while they work."""
