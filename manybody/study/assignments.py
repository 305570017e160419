"""Which block of a study a process computes next."""

import time
from collections.abc import Callable, Generator, Sequence

from manybody.parallel.claims import Claims
from manybody.parallel.signals import never
from manybody.study.block_store import BlockStore
from manybody.study.kind import B, P, R, S, Task

_FIRST_PAUSE_SECONDS = 0.2


def hand_out(
    store: BlockStore[S, P, R, B],
    claims: Claims,
    tasks: Sequence[Task[P]],
    tell: Callable[[str], None] = lambda _: None,
    stop: Callable[[], str] = never,
) -> Generator[tuple[Task[P], list[int]], None, None]:
    """Yield (task, missing samples) claimed by this process until none are left to do.

    A task claimed elsewhere is passed by and looked at again at the end: it may
    have been finished, or its owner may have died.  Waits for owners that are
    alive; tell: called with a sentence at every look while waiting; stop: ends it all when
    it says something.
    """
    waiting, pause = list(tasks), _FIRST_PAUSE_SECONDS
    while waiting:
        passed_by = []
        # One listing a point and look; a claim is followed by a fresh one.
        finished = {point: store.settled(point) for point in {task.point for task in waiting}}
        for task in waiting:
            if stop():
                return
            name = _name_of(task)
            if finished[task.point].issuperset(range(task.first, task.stop)):
                continue
            if not claims.acquire(name):
                passed_by.append(task)
                continue
            try:
                # It may have been committed since the look.
                missing = store.missing(task)
                if missing:
                    yield task, missing
            finally:
                claims.release(name)
        # A pass without work looks again ever less often: a file system is shared.
        pause = _FIRST_PAUSE_SECONDS if len(passed_by) < len(waiting) else min(2 * pause, 5.0)
        waiting = passed_by
        if waiting:
            name = _name_of(waiting[0])
            holder = " ".join(claims.owner_of(name).split()[:2])
            tell(f"waiting for {len(waiting)} block(s) held elsewhere: {name} by {holder}")
            _sleep(pause, stop)


def _sleep(seconds: float, stop: Callable[[], str]) -> None:
    """Wait, but not for a run that shall end: time.sleep goes on after a signal."""
    end = time.monotonic() + seconds
    while not stop() and (left := end - time.monotonic()) > 0.0:
        time.sleep(min(left, 0.2))


def _name_of(task: Task[P]) -> str:
    return f"{task.point.name}.{task.first:06d}-{task.stop:06d}"
