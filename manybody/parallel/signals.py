"""A run is asked to stop: by a scheduler before its time is up, or by a user."""

import signal
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any

# What a run that was asked to stop exits with: start it again and it goes on (EX_TEMPFAIL).
STOPPED = 75
SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
# What a terminal sends beside them: Ctrl-C, and that it is gone.
OF_TERMINALS = (*SIGNALS, signal.SIGINT, signal.SIGHUP)
# What shells say of a program that Ctrl-C has ended.
INTERRUPTED = 130


class Stopped(Exception):
    """A sample was left at a checkpoint because the run was asked to stop."""


# What came before anybody could act on it, see `listen_early`.
_early: list[str] = []


def listen_early() -> None:
    """Remember SIGNALS from now on for the first `StopRequest`: of a program that starts."""
    for number in SIGNALS:
        signal.signal(number, lambda which, _: _early.append(signal.Signals(which).name))


class StopRequest:
    """Remembers the first signal that comes while this is entered; call it to ask.

    signals: those to listen to; one that the process ignores, as under nohup, stays ignored;
    notice: is called with the name of the first when it comes, within a signal handler.

    Main thread only; one that `listen_early` has heard counts too.  A second signal changes
    nothing, but a second Ctrl-C does what it did before: what else kills a process that does not
    listen is SIGKILL.
    """

    def __init__(
        self,
        signals: Sequence[signal.Signals] = SIGNALS,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._signals, self._notice = signals, notice
        self._came = ""
        self._before: dict[int, Any] = {}

    def __call__(self) -> str:
        """Name of the signal that asked to stop, empty if none did."""
        return self._came

    def __enter__(self) -> "StopRequest":
        for number in self._signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
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
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])
        if not self._came:
            self._came = signal.Signals(number).name
            self._notice(self._came)


def never() -> str:
    """For those who are not asked to stop."""
    return ""
