"""The communicator of a run: the only place that names COMM_WORLD."""

import sys
import traceback
from typing import Any

from manybody.cli.speech import sentence
from manybody.errors import Unavailable
from manybody.system.communicator import Communicator
from manybody.system.launch import launched_ranks


def communicator() -> Communicator | None:
    """COMM_WORLD under an MPI launcher with more than one rank, else None.

    Raises Unavailable when there are several ranks and no mpi4py: each would
    otherwise take itself for the only one.
    """
    ranks = launched_ranks()
    if ranks <= 1:
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise Unavailable(
            f"started with {ranks} ranks, but mpi4py does not import ({error}): "
            "run one process, or install mpi4py (scripts/setup.sh)"
        ) from error
    comm: Communicator = MPI.COMM_WORLD
    if comm.Get_size() != ranks:
        raise Unavailable(
            f"the launcher started {ranks} ranks, mpi4py sees {comm.Get_size()}: "
            "mpi4py belongs to another MPI than the launcher"
        )
    return comm


def abort_all_on_exception(comm: Communicator) -> None:
    """An exception on one rank would leave the others waiting for ever.

    What the machine refuses, memory or a file, is said in one sentence; the rest is a mistake of
    this program and has a traceback.
    """

    def hook(kind: Any, value: BaseException, trace: Any) -> None:
        try:
            if isinstance(value, (OSError, MemoryError)):
                # In one piece: other ranks may say theirs.
                sys.stderr.write(f"manybody: rank {comm.Get_rank()}: {sentence(value)}\n")
            else:
                traceback.print_exception(kind, value, trace)
            sys.stderr.flush()
        finally:
            # Where there is no memory there may be none for words.
            comm.Abort(1)

    sys.excepthook = hook
