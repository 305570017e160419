"""Communicators as arguments: what a study asks of its ranks."""

import contextlib
import hashlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from manybody.errors import InputError, InputTypeError, NumericalError, Unavailable
from manybody.parallel.signals import Stopped
from manybody.system.communicator import Communicator

T = TypeVar("T")

# What equal numbers raise alike; other classes, PETSc's among them, may be of one rank.
_ALIKE = (
    ValueError,
    RuntimeError,
    InputError,
    InputTypeError,
    NumericalError,
    Unavailable,
    Stopped,
)
# Attribute of an exception that all ranks raise.
_EVERYBODY = "raised_on_every_rank"


def rank_of(comm: Communicator | None) -> int:
    """Rank in `comm`, 0 without one."""
    return 0 if comm is None else comm.Get_rank()


def size_of(comm: Communicator | None) -> int:
    """Number of ranks of `comm`, 1 without one."""
    return 1 if comm is None else comm.Get_size()


def together(comm: Communicator | None, action: Callable[[], T]) -> T:
    """Run `action` on rank 0; every rank returns its result or raises its exception."""
    if comm is None:
        return action()
    outcome: tuple[list[T], Exception | None] = ([], None)
    if comm.Get_rank() == 0:
        try:
            outcome = ([action()], None)
        except Exception as error:  # raised below, on every rank
            outcome = ([], _portable(error))
    results, failure = comm.bcast(outcome)
    if failure is not None:
        _raise(failure, comm)
    return results[0]


def on_every_rank(comm: Communicator | None, action: Callable[[], T]) -> T:
    """Run `action` on every rank; each returns its own result, or raises the first failure."""
    if comm is None:
        return action()
    failure: Exception | None = None
    try:
        result = action()
    except Exception as error:  # raised below, on every rank
        failure = error
    for one in comm.allgather(None if failure is None else _portable(failure)):
        if one is not None:
            # Its own with its traceback where there is one.
            _raise(failure or one, comm)
    return result


def agree(comm: Communicator | None, **given: Any) -> None:
    """Raise ValueError on every rank, naming what differs, unless all were given the same."""
    if comm is None or comm.Get_size() == 1:
        return
    fingerprints = {
        name: hashlib.sha256(repr(value).encode()).hexdigest() for name, value in given.items()
    }
    every = comm.allgather(fingerprints)
    for name in fingerprints:
        for rank, theirs in enumerate(every):
            if theirs[name] != every[0][name]:
                error = InputError(f"{name}: rank {rank} was given another than rank 0")
                _raise(error, comm)


@contextlib.contextmanager
def first_ranks(
    comm: Communicator | None, most: int
) -> Iterator[tuple[Communicator | None, bool]]:
    """(communicator of the first `most` ranks, whether this rank is one of them)."""
    if comm is None or comm.Get_size() <= most:
        yield comm, True
        return
    active = comm.Get_rank() < most
    part = comm.Split(0 if active else 1, comm.Get_rank())
    with _freed_together(part):
        yield part, active


def by_first_ranks(
    comm: Communicator | None,
    most: int,
    action: Callable[[Communicator | None], T],
    small: Callable[[T], T],
) -> T:
    """What `action` gives to each of the first `most` ranks; to others `small` of rank 0's."""
    if comm is None or comm.Get_size() <= most:
        return action(comm)
    with first_ranks(comm, most) as (ranks, active):
        own = on_every_rank(comm, lambda: action(ranks) if active else None)
    sent = comm.bcast(None if own is None else small(own))
    return sent if own is None else own


@contextlib.contextmanager
def group_of(comm: Communicator | None, group_size: int) -> Iterator[Communicator | None]:
    """The communicator of this rank's group of about `group_size` ranks, None of one alone.

    Ranks left over make some groups larger by one or more.
    """
    n_ranks = size_of(comm)
    n_groups = max(1, n_ranks // group_size)
    if comm is None or n_groups == n_ranks:
        yield None
        return
    part = comm.Split(comm.Get_rank() * n_groups // n_ranks, comm.Get_rank())
    with _freed_together(part):
        yield part


@contextlib.contextmanager
def _freed_together(part: Communicator) -> Iterator[None]:
    """Free a communicator at the end, but not on one rank alone: it would wait for ever."""
    try:
        yield
    except BaseException as error:
        if everybody_raises(error, part):
            part.Free()
        raise
    part.Free()


def everybody_raises(error: BaseException | None, comm: Communicator | None) -> bool:
    """Whether all ranks of `comm` raise this error, so that they can still act together."""
    return bool(getattr(error, _EVERYBODY, 0) >= size_of(comm))


@contextlib.contextmanager
def raised_alike(comm: Communicator | None) -> Iterator[None]:
    """For what every rank computes from equal numbers: all raise its ValueError, RuntimeError or
    Stopped, or one of errors.py.
    """
    try:
        yield
    except _ALIKE as error:
        if type(error) in _ALIKE:
            setattr(error, _EVERYBODY, size_of(comm))
        raise


def _raise(error: Exception, comm: Communicator | None) -> NoReturn:
    """Raise on this rank what all ranks of `comm` raise."""
    setattr(error, _EVERYBODY, size_of(comm))
    raise error


def _portable(error: Exception) -> Exception:
    """`error`, or its words where it cannot travel: a failed broadcast would hang the others."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an exception's own constructor may do
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
