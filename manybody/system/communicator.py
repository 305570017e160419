"""What the ranks of a run share: an mpi4py communicator, by what is asked of it here."""

from typing import Any, Protocol, TypeVar

from manybody.errors import InputTypeError, shown

T = TypeVar("T")


class Communicator(Protocol):
    """An mpi4py communicator; nothing here imports mpi4py.  None stands for one process."""

    def Get_rank(self) -> int:
        """Number of this rank."""

    def Get_size(self) -> int:
        """How many ranks there are."""

    def bcast(self, obj: T | None, /) -> T:
        """`obj` of rank 0; what the others pass is not looked at."""

    def allgather(self, sendobj: T, /) -> list[T]:
        """What the ranks pass, in their order."""

    def allreduce(self, sendobj: T, /) -> T:
        """Sum of what the ranks pass."""

    def Bcast(self, buf: Any, /) -> None:
        """Fill the buffer with that of rank 0."""

    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None:
        """Send a piece of a buffer to every rank: [array, (counts, starts)] each."""

    def Allgatherv(self, sendbuf: Any, recvbuf: Any, /) -> None:
        """Gather arrays of all ranks on every rank: array, [array, (counts, starts)]."""

    def Barrier(self) -> None:
        """Wait for all ranks."""

    def Split(self, color: int, key: int) -> "Communicator":
        """The ranks of one colour, ordered by key."""

    def Split_type(self, split_type: int, key: int) -> "Communicator":
        """The ranks that share something, memory say, ordered by key."""

    def Free(self) -> None:
        """Give the communicator back."""

    def Abort(self, errorcode: int) -> None:
        """End all ranks."""


def check_communicator(comm: object) -> None:
    """Raise InputTypeError for what a user gave that is neither a communicator nor None."""
    if comm is not None and not hasattr(comm, "Get_rank"):
        raise InputTypeError(f"comm = {shown(comm)}: an mpi4py communicator or None is needed")
