"""A study of cases from TOML to store: missing cases dealt over ranks through claims."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from manybody.papers.kit.config import Case, CaseStudy
from manybody.papers.kit.kinds import KINDS
from manybody.papers.kit.store import CaseStore
from manybody.parallel.claims import Claims, sweep
from manybody.parallel.collective import rank_of, size_of, together
from manybody.parallel.files import remove_orphans
from manybody.parallel.signals import never
from manybody.study.progress import Progress, clock
from manybody.system.communicator import Communicator
from manybody.system.environment import describe

_log = logging.getLogger("manybody")
# What the numbers of a case may raise; anything else ends the run.
_CASE_ERRORS = (RuntimeError, ArithmeticError, ValueError)
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome:
    """What one call of `run_cases` did, over all ranks.

    computed, present: cases computed now and found finished; failed, missing: cases that have
    raised and that are still to do, among those asked for; stopped: the signal that ended the
    run early, empty otherwise.
    """

    computed: int
    present: int
    failed: int
    missing: int
    stopped: str


def shard_of(study: CaseStudy, shard: tuple[int, int]) -> list[Case]:
    """The cases whose index is i modulo n, the most expensive first."""
    return sorted(study.cases[shard[0] :: shard[1]], key=lambda case: (-case.cost, case.name))


def prepare_cases(
    study: CaseStudy, store: CaseStore, comm: Communicator | None = None, text: str = ""
) -> None:
    """Check that `study` may run in `store` and write its description.

    Raises ValueError on every rank, before anything is written, when the folder belongs to
    another study or cannot be written, Unavailable where a case is to be computed and this
    machine lacks what that needs.
    """

    def action() -> None:
        store.check(study)
        check_available(study, store.finished())
        extended = store.create(study, text)
        sweep(store.directory / "claims")
        for problem in store.set_aside_corrupt(extended):
            _log.warning(problem)

    together(comm, action)


def check_available(study: CaseStudy, finished: Collection[str] = ()) -> None:
    """Raise Unavailable where a case is not finished and its kind needs what is missing here."""
    if any(case.name not in finished for case in study.cases):
        KINDS[study.kind].check_available()


def run_cases(
    study: CaseStudy,
    store: CaseStore,
    comm: Communicator | None = None,
    threads: int = 1,
    quiet: bool = False,
    shard: tuple[int, int] = (0, 1),
    stop: Callable[[], str] = never,
) -> Outcome:
    """Compute every case of a prepared `study` that `store` lacks.

    comm: an mpi4py communicator whose ranks all call this, or None; threads: BLAS threads of
    each rank, for the record; stop: asked between cases, on every rank, ends the run when it
    says something.  A case that raises a RuntimeError, ValueError or ArithmeticError is
    recorded and the rest goes on; the next run tries it again.
    """
    cases = shard_of(study, shard)
    provenance = {**describe(), "ranks": size_of(comm), "blas_threads_per_rank": threads}

    def begin() -> int:
        store.forget_failures(cases)
        return len(store.finished() & {case.name for case in cases})

    present = together(comm, begin)
    watch = None
    if rank_of(comm) == 0 and not quiet:
        _log.info(
            f"{study.name}: {len(cases)} cases, {present} of them there already, "
            f"{size_of(comm)} rank(s) x {threads} BLAS thread(s)"
        )
        watch = _Watch(store, cases)
    with Claims(store.directory / "claims") as claims:
        computed = _work(study, store, claims, cases, provenance, watch, stop)
    total = computed if comm is None else sum(comm.allgather(computed))
    asked = [stop()] if comm is None else comm.allgather(stop())

    def end() -> tuple[int, int]:
        sweep(store.directory / "claims")
        remove_orphans(store.directory)
        done, wrong = store.finished(), store.failures()
        left = [case.name for case in cases if case.name not in done]
        failed = sum(name in wrong for name in left)
        return failed, len(left) - failed

    failed, missing = together(comm, end)
    if watch is not None:
        watch.tell(final=True)
    return Outcome(total, present, failed, missing, next((s for s in asked if s), ""))


class _Watch:
    """Progress of all ranks, read from the store by rank 0."""

    def __init__(self, store: CaseStore, cases: list[Case]) -> None:
        done = store.finished()
        self._store = store
        self._cases = [case for case in cases if case.name not in done]
        total = sum(case.cost for case in self._cases)
        self._progress = Progress(len(self._cases), total, unit="cases")

    def tell(self, what: str = "", final: bool = False) -> None:
        """Print a line if it is time to."""
        if not self._cases or not (final or self._progress.due()):
            return
        settled = _settled(self._store)
        done = [case.cost for case in self._cases if case.name in settled]
        self._progress.update(len(done), sum(done), what, final)


def _work(
    study: CaseStudy,
    store: CaseStore,
    claims: Claims,
    cases: list[Case],
    provenance: Mapping[str, Any],
    watch: _Watch | None,
    stop: Callable[[], str],
) -> int:
    """Cases claimed by this rank until none are left or the run shall stop; how many.

    A case claimed elsewhere is passed by and looked at again: it may have been finished, or
    its owner may have died.
    """
    computed, waiting = 0, cases
    while waiting and not stop():
        passed_by = []
        # One listing a pass; a claim is followed by a fresh one.
        settled = _settled(store)
        for case in waiting:
            if stop():
                break
            if case.name in settled:
                continue
            if not claims.acquire(case.name):
                passed_by.append(case)
                continue
            try:
                # It may have been committed since the look.
                if case.name not in _settled(store):
                    computed += _compute(study, store, case, provenance)
            finally:
                claims.release(case.name)
            if watch is not None:
                watch.tell(case.name)
        waiting = passed_by
        if waiting and not stop():
            if watch is not None:
                watch.tell(f"waiting for {len(waiting)} case(s) held elsewhere")
            time.sleep(_PAUSE_SECONDS)
    return computed


def _settled(store: CaseStore) -> set[str]:
    return store.finished() | set(store.failures())


def _compute(study: CaseStudy, store: CaseStore, case: Case, provenance: Mapping[str, Any]) -> int:
    """1 if the case was computed, 0 if it raised and that was recorded."""
    start = time.perf_counter()
    try:
        results = KINDS[study.kind].compute(study.settings, case.given)
        store.commit(study, case, results, time.perf_counter() - start, provenance)
    except _CASE_ERRORS as error:
        path = store.record_failure(study, case, error, provenance)
        _log.error(f"FAILED: {case.name}: {error}; see {path}")
        return 0
    return 1


def plan_lines(study: CaseStudy, ranks: int) -> list[str]:
    """How many cases, and what they roughly cost."""
    seconds = sum(case.cost for case in study.cases)
    longest = max(study.cases, key=lambda case: case.cost)
    return [
        f"{study.name}: {len(study.cases)} cases of the kind {study.kind!r}",
        f"  about {clock(seconds)} on one core, "
        f"{clock(max(seconds / ranks, longest.cost))} on {ranks} rank(s)",
        f"  the longest: {longest.name}, about {clock(longest.cost)}",
    ]


def status_lines(store: CaseStore) -> list[str]:
    """What a store holds and what is missing."""
    study, done, failures = store.study, store.finished(), store.failures()
    finished = [case for case in study.cases if case.name in done]
    failed = [case for case in study.cases if case.name in failures and case.name not in done]
    settled = {case.name for case in (*finished, *failed)}
    missing = [case for case in study.cases if case.name not in settled]
    lines = [
        f"{study.name}: {len(finished)} of {len(study.cases)} cases in {store.directory}, "
        f"{len(missing)} missing, {len(failed)} failed"
    ]
    if missing:
        lines.append(
            f"what is missing takes about {clock(sum(case.cost for case in missing))} on one core"
        )
    return lines + [f"FAILED: {case.name}, see {failures[case.name]}" for case in failed]
