"""A run is asked to stop: by a scheduler before its time is up, or by a user."""

import signal
from types import FrameType, TracebackType
from typing import Any

# What a run that was asked to stop exits with: start it again and it goes on (EX_TEMPFAIL).
STOPPED = 75
SIGNALS = (signal.SIGUSR1, signal.SIGTERM)


class Stopped(Exception):
    """A sample was left at a checkpoint because the run was asked to stop."""


# What came before anybody could act on it, see `listen_early`.
_early: list[str] = []


def listen_early() -> None:
    """Remember SIGNALS from now on for the first `StopRequest`: of a program that starts."""
    for number in SIGNALS:
        signal.signal(number, lambda which, _: _early.append(signal.Signals(which).name))


class StopRequest:
    """Remembers the first of SIGNALS that comes while this is entered; call it to ask.

    Main thread only; one that `listen_early` has heard counts too.  A second signal changes
    nothing: what kills a process that does not listen is SIGKILL.
    """

    def __init__(self) -> None:
        self._came = ""
        self._before: dict[int, Any] = {}

    def __call__(self) -> str:
        """Name of the signal that asked to stop, empty if none did."""
        return self._came

    def __enter__(self) -> "StopRequest":
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._remember)
        if _early:
            self._came = _early[0]
            _early.clear()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._came = self._came or signal.Signals(number).name


def never() -> str:
    """For those who are not asked to stop."""
    return ""
