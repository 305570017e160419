"""How far long work is: rate and time left, for whoever listens to the logger "manybody"."""

import logging
import sys
import time
from collections.abc import Callable

_log = logging.getLogger("manybody")
# Called after each step of work whose end nobody knows, with what is known so far.
Listener = Callable[[str], None]


class Progress:
    """Counts finished samples, weighted by predicted cost.

    total, done: samples; total_cost, done_cost: predicted flops, so that the time
    left does not assume that large and small samples take equally long; unit: what is counted;
    moving: whether lines may overwrite each other, twice a second, None for on a terminal.
    """

    def __init__(
        self,
        total: int,
        total_cost: float,
        interval: float = 10.0,
        unit: str = "samples",
        moving: bool | None = None,
    ) -> None:
        self.total, self._total_cost, self._unit = total, total_cost, unit
        self._terminal = sys.stderr.isatty() if moving is None else moving
        self._interval = 0.5 if self._terminal else interval
        self._start = time.monotonic()
        self._last = self._start - (self._interval if self._terminal else 0.0)

    def due(self) -> bool:
        """Whether it is time for another line."""
        now = time.monotonic()
        # A log file gets ever rarer lines: a day's run must not bury what matters.
        wait = self._interval if self._terminal else max(self._interval, (now - self._start) / 50)
        return now - self._last >= wait

    def update(self, done: int, done_cost: float, what: str = "", final: bool = False) -> None:
        """Say it; `moving` marks what the next line may overwrite."""
        elapsed = time.monotonic() - self._start
        share = min(1.0, done_cost / self._total_cost) if self._total_cost > 0.0 else 1.0
        text = f"{done}/{self.total} {self._unit}  {100.0 * share:5.1f}% of the work  "
        if elapsed > 0.0:
            text += f"{done / elapsed:.3g} {self._unit}/s  "
        if final:
            text += f"took {clock(elapsed)}"
        elif share > 0.0:
            text += f"ETA {clock(elapsed * (1.0 - share) / share)}"
        if what and not final:
            text += f"  {what}"
        self.say(text, moving=not final)

    def say(self, text: str, moving: bool = False) -> None:
        """Say something else in its place."""
        self._last = time.monotonic()
        _log.info(text, extra={"moving": moving})


def clock(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 05 min."""
    whole = int(round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Watched:
    """Says how far a call from Python is, if it takes more than ten seconds.

    unit: what is counted.
    """

    def __init__(self, unit: str) -> None:
        self._progress = Progress(0, 1.0, unit=unit, moving=False)

    def __call__(self, done: int, total: int, share: float | None = None) -> None:
        """So many of a total are done; share: of the work, where that is another."""
        if self._progress.due():
            self._progress.total = total
            self._progress.update(done, done / total if share is None else share)


class Steps:
    """Says how many steps of open-ended work are done, if it takes more than ten seconds.

    unit: what is counted.
    """

    def __init__(self, unit: str) -> None:
        self._progress, self._unit, self._done = Progress(0, 1.0, moving=False), unit, 0
        self._start = time.monotonic()

    def __call__(self, words: str) -> None:
        """One more is done; words: what is known so far."""
        self._done += 1
        if self._progress.due():
            elapsed = time.monotonic() - self._start
            self._progress.say(f"{self._done} {self._unit}  {self._done / elapsed:.3g}/s  {words}")


def unheard(_words: str) -> None:
    """Nobody wants to know how far it is."""
