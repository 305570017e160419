"""Standard streams that serve a program whatever is at their other end."""

import codecs
import io
import os
import sys

from manybody.system.spelling import spelled


class _Patient(io.FileIO):
    """A file descriptor; what it would write where nobody reads any more is dropped.

    What a command has done, and its exit code, do not depend on who listens.  Any other trouble
    is raised once.
    """

    dropped: tuple[type[OSError], ...] = (BrokenPipeError,)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data) or 0
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if not isinstance(error, self.dropped):
                raise
            return len(data)


class _Careless(_Patient):
    """Of standard error: there is nobody to tell that it cannot be written."""

    dropped = (OSError,)


def settle_streams() -> None:
    """Make standard output and error of this process serve: closed, a broken pipe, or ASCII.

    Characters that their encoding lacks are written in words.
    """
    _occupy_closed_descriptors()
    codecs.register_error("plain", _in_plain_characters)
    for name, kind in (("stdout", _Patient), ("stderr", _Careless)):
        old = getattr(sys, name)
        number = 1 if name == "stdout" else 2
        raw: io.FileIO = kind(number, "w", closefd=False)
        new = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=old.encoding if old is not None else "utf-8",
            errors="plain",
            line_buffering=name == "stderr" or os.isatty(number),
        )
        setattr(sys, name, new)


def _occupy_closed_descriptors() -> None:
    """A library that writes to a closed one would write into whatever file has its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return spelled(error.object[error.start : error.end], error.encoding), error.end
