"""What a command says on standard error: its log in plain lines, and errors in one sentence."""

import contextlib
import logging
import shutil
import sys
from collections.abc import Iterator
from typing import TextIO

_WIDEST = 118


class Lines(logging.StreamHandler[TextIO]):
    """A line each message; on a terminal one that may move stays until the next comes."""

    def format(self, record: logging.LogRecord) -> str:
        """The message alone, after what clears a line that has stayed."""
        text = super().format(record)
        if not self.stream.isatty():
            return text
        moving = getattr(record, "moving", False)
        self.terminator = "" if moving else "\n"
        # One that is folded could not be cleared.
        room = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 0)).columns - 1)
        return "\r\x1b[2K" + (text[:room] if moving else text)


def sentence(error: BaseException) -> str:
    """What a user is told of an error; its notes, which say what became of the run, come first."""
    # Python's own has no words at all.
    words = f"too little memory: {error}" if isinstance(error, MemoryError) else str(error)
    return ": ".join([*getattr(error, "__notes__", []), words.removesuffix(": ")])


@contextlib.contextmanager
def log_on_stderr() -> Iterator[None]:
    """While this is entered, what `manybody` logs is on standard error, from INFO on."""
    logger = logging.getLogger("manybody")
    handler, level = Lines(sys.stderr), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
