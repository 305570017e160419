"""Progress with rate and time left: one moving line on a terminal, plain lines in a file."""

import sys
import time
from typing import TextIO


class Progress:
    """Counts finished samples, weighted by predicted cost.

    total, done: samples; total_cost, done_cost: predicted flops, so that the time
    left does not assume that large and small samples take equally long.
    """

    def __init__(
        self,
        total: int,
        total_cost: float,
        stream: TextIO | None = None,
        interval: float = 10.0,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total, self._total_cost = total, total_cost
        self._terminal = self._stream.isatty()
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
        """Print a line."""
        now = time.monotonic()
        self._last = now
        elapsed = now - self._start
        share = min(1.0, done_cost / self._total_cost) if self._total_cost > 0.0 else 1.0
        text = f"{done}/{self._total} samples  {100.0 * share:5.1f}% of the work  "
        if elapsed > 0.0:
            text += f"{done / elapsed:.3g} samples/s  "
        if final:
            text += f"took {clock(elapsed)}"
        elif share > 0.0:
            text += f"ETA {clock(elapsed * (1.0 - share) / share)}"
        if what and not final:
            text += f"  {what}"
        if self._terminal:
            self._stream.write("\r\x1b[2K" + text[:118] + ("\n" if final else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def clock(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 05 min."""
    whole = int(round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
