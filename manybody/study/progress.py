"""What a run says: progress with rate and time left, in a line that may move on a terminal."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from manybody.solve.progress import Progress, clock
from manybody.study.block_store import BlockStore
from manybody.study.kind import B, P, R, S, Task
from manybody.system.blas import better_core_type, blas_summary, cpu_flags

_log = logging.getLogger("manybody")


@dataclass(frozen=True)
class Outcome:
    """What one call of `runner.run_study` did, over all ranks.

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


class Watch(Generic[S, P, R, B]):
    """Progress of all ranks, read from the store by rank 0."""

    def __init__(
        self, store: BlockStore[S, P, R, B], tasks: Sequence[Task[P]], quiet: bool
    ) -> None:
        self._store, self._tasks, self._quiet = store, tasks, quiet
        self._points = list(dict.fromkeys(task.point for task in tasks))
        done, cost = self._count()
        self.finished_at_start = done
        self._cost_at_start = cost
        total = sum(task.n_samples for task in tasks)
        self._total = total - done
        total_cost = sum(task.cost for task in tasks) - cost
        self._progress = Progress(self._total, total_cost, unit=store.kind.counted)
        if done and not quiet:
            _log.info(f"{done} of {total} {store.kind.counted} are there already")

    def _count(self) -> tuple[int, float]:
        finished = {point: self._store.finished(point) for point in self._points}
        done, cost = 0, 0.0
        for task in self._tasks:
            here = sum(s in finished[task.point] for s in range(task.first, task.stop))
            done += here
            cost += task.cost * here / task.n_samples
        return done, cost

    def update(self, what: str) -> None:
        """Say how far it is if it is time to."""
        if not self._quiet and self._progress.due():
            self._say(what, final=False)

    def finish(self) -> None:
        """Say the last line."""
        if not self._quiet and self._total:
            self._say("", final=True)

    def _say(self, what: str, final: bool) -> None:
        done, cost = self._count()
        computed = done - self.finished_at_start
        self._progress.update(computed, cost - self._cost_at_start, what, final)


def log_header(
    name: str, counted: str, tasks: Sequence[Task[P]], ranks: int, threads: int, crowded: str
) -> None:
    """What is about to run, and with which BLAS."""
    samples = sum(task.n_samples for task in tasks)
    blas, numpys = blas_summary("scipy"), blas_summary("numpy")
    _log.info(
        f"{name}: {samples} {counted} in {len(tasks)} blocks, {ranks} rank(s) x {threads} "
        f"BLAS thread(s), {blas['name']} {blas['version']} with {blas['core']} kernels"
    )
    better, _ = better_core_type(numpys, cpu_flags())
    if better:
        _log.info(
            f"NumPy's BLAS chose {numpys['core']} kernels; OPENBLAS_CORETYPE={better}, exported "
            "before the start, makes systems below 24 sites and eigenvectors several times "
            "faster (it changes the last bits of results)"
        )
    if crowded:
        _log.warning(crowded)


def log_rates(done: Outcome, counted: str, cores: int) -> None:
    """What a run did with its time."""
    if not done.computed:
        _log.info(f"nothing to compute: every {counted.removesuffix('s')} is there")
        return
    text = f"{done.computed} {counted} in {clock(done.seconds)}"
    if done.applications:
        core_seconds = max(done.seconds * cores, 1e-9)
        text += (
            f": {done.applications} applications, {done.applications / core_seconds:.4g} "
            f"per core-second, {done.flops / core_seconds / 1e9:.3g} GF/s per core "
            "(products of the generator over the whole wall time)"
        )
    _log.info(text)
