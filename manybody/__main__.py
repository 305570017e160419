"""python -m manybody, and the command manybody: what must come before NumPy is imported."""

import os
import signal
import sys

from manybody.parallel.signals import INTERRUPTED, listen_early
from manybody.system.limits import too_little_address_space
from manybody.system.streams import settle_streams


def main() -> int:
    """Run the command line; returns its exit code, or dies of Ctrl-C."""
    # Nothing has begun that would need an end.
    can_be_interrupted = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if can_be_interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    settle_streams()
    if sys.argv[1:2] == ["run"]:
        listen_early()
    if why := too_little_address_space():
        print(f"manybody: {why}", file=sys.stderr, flush=True)
        return 1
    from manybody.cli import main as command

    # A run listens itself: an exception may come where a library cannot bear it.
    if can_be_interrupted and sys.argv[1:2] != ["run"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = command()
    except KeyboardInterrupt:
        print("manybody: interrupted", file=sys.stderr, flush=True)
        code = INTERRUPTED
    if code == INTERRUPTED:
        _die_of_interrupt()
    return code


def _die_of_interrupt() -> None:
    """By the signal itself: loops of shells end only then, and no library tidies up half-done."""
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
