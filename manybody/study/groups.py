"""Communicators as arguments: what a study asks of its ranks."""

import pickle
from typing import Any


def rank_of(comm: Any) -> int:
    """Rank in `comm`, 0 without one."""
    return 0 if comm is None else comm.Get_rank()


def size_of(comm: Any) -> int:
    """Number of ranks of `comm`, 1 without one."""
    return 1 if comm is None else comm.Get_size()


def together(comm: Any, action: Any) -> Any:
    """Run `action` on rank 0; every rank returns its result or raises its exception."""
    if comm is None:
        return action()
    outcome: tuple[Any, Exception | None] = (None, None)
    if comm.Get_rank() == 0:
        try:
            outcome = (action(), None)
        except Exception as error:  # raised below, on every rank
            outcome = (None, _portable(error))
    result, failure = comm.bcast(outcome)
    if failure is not None:
        raise failure
    return result


def _portable(error: Exception) -> Exception:
    """`error`, or its words where it cannot travel: a failed broadcast would hang the others."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an exception's own constructor may do
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
