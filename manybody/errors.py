"""What a user is told in one sentence; every other exception is a mistake of this program."""

import difflib
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

_LONGEST = 200


class InputError(ValueError):
    """What a user gave cannot be: the sentence names the value and what is allowed.

    A `ValueError`; raised before any work, and on every rank.  Where the type is wrong it is an
    `InputTypeError`, a `TypeError` too.

    Examples
    --------
    >>> import manybody as mb
    >>> try:
    ...     mb.OhmicBath(coupling=-0.2, cutoff=10.0, beta=5.0)
    ... except mb.InputError as error:
    ...     print(error)
    bath coupling = -0.2: must be a finite real number >= 0
    """


class InputTypeError(InputError, TypeError):
    """What a user gave is of another type than what is needed."""


class Unavailable(RuntimeError):
    """This machine or installation lacks what is needed: the sentence says what to do.

    A `RuntimeError`: PETSc, SLEPc, mpi4py, matplotlib or xarray is missing.

    Examples
    --------
    >>> import manybody as mb
    >>> issubclass(mb.Unavailable, RuntimeError)
    True
    """


class NumericalError(RuntimeError):
    """A solver cannot give what was asked of it: it did not converge, or numbers overflowed.

    A `RuntimeError`.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel([[0, 1, 0], [1, 0, 0], [0, 0, 2.5]], coupled_sites=[2])
    >>> hop = np.eye(3, k=1)  # between sites that no bath sees
    >>> try:
    ...     mb.spectrum(pair, mb.WhiteBath(0.1), [0.0], hop, hop.T, state="mixed")
    ... except mb.NumericalError as error:
    ...     print(str(error).rpartition(": ")[2])
    it does not decay, and there is no spectrum
    """


def shown(value: Any) -> str:
    """A value in a sentence: as Python writes it, or its kind and size where that fills lines."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:60]!r}... of {len(value)} letters"
    try:
        # The text of an array of whatever size is short, that of a list may be a matrix.
        text = repr(value)
    except Exception:  # a long integer, or whatever an object of a user does
        text = ""
    if text and "\n" not in text and len(text) <= _LONGEST:
        return text
    name, shape = type(value).__name__, getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"<{name} of shape {shape}>"
    return f"<{name} of {len(value)}>" if isinstance(value, Sized) else f"<{name}>"


@contextmanager
def said_of(what: str) -> Iterator[None]:
    """Where an InputError begins with what it is of: a file, an argument, a time."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{what}: {error}") from error


def warn_caller(*messages: str) -> None:
    """Warn whoever called the function that calls this; what is empty is not said."""
    for message in filter(None, messages):
        warnings.warn(message, stacklevel=3)


def meant(name: str, known: Iterable[str]) -> str:
    """A question after the name of nothing: which that are known are near; empty if none is."""
    near = difflib.get_close_matches(name, list(known), 2, 0.65)
    return f"; did you mean {' or '.join(near)}?" if near else ""
