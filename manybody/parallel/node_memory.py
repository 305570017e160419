"""Read-only arrays that the ranks of a node keep once: MPI shared-memory windows."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import ALIGNMENT, aligned, aligned_empty
from manybody.parallel.collective import everybody_raises
from manybody.system.communicator import Communicator

_log = logging.getLogger("manybody")
# Bytes of one message, well below what a 32-bit count of bytes can say.
_MESSAGE_BYTES = 1 << 28


class NodeMemory:
    """Arrays of rank 0 for all ranks of `comm`, one copy a node.  Use with `with`.

    Where windows cannot be had every rank keeps a copy of its own, and rank 0 says so
    in the log.  Arrays must not be used after the block: their memory is gone.
    """

    def __init__(self, comm: Communicator | None) -> None:
        self._comm = comm
        self._windows: list[Any] = []
        # Windows take more than a communicator can do.
        self._node: Any = None
        self._leaders: Communicator | None = None
        self.shared = comm is not None and comm.Get_size() > 1

    def __enter__(self) -> "NodeMemory":
        if self._comm is not None and self.shared:
            from mpi4py import MPI

            rank = self._comm.Get_rank()
            self._node = self._comm.Split_type(MPI.COMM_TYPE_SHARED, key=rank)
            is_leader = self._node.Get_rank() == 0
            leaders = self._comm.Split(0 if is_leader else MPI.UNDEFINED, key=rank)
            self._leaders = leaders if is_leader else None
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and not everybody_raises(error, self._comm):
            # To free is to meet the others, who may never come: better to leave it.
            return
        for window in self._windows:
            window.Free()
        self._windows = []
        for part in (self._leaders, self._node):
            if part is not None:
                part.Free()
        self._leaders = self._node = None

    def share(self, array: NDArray[Any] | None) -> NDArray[Any]:
        """The array of rank 0, on every rank; the others pass None.  Collective."""
        comm = self._comm
        if comm is None or comm.Get_size() == 1:
            if array is None:
                raise ValueError("rank 0 has no array to share")
            return aligned(array)
        shape, dtype = comm.bcast(None if array is None else (array.shape, array.dtype))
        result = self._allocate(comm, shape, dtype) if self.shared else None
        receivers = comm if result is None else self._leaders
        if result is None:
            result = aligned_empty(shape, dtype)
        if array is not None:
            result[...] = array
        if receivers is not None:
            flat = result.reshape(-1)
            step = _MESSAGE_BYTES // dtype.itemsize
            for first in range(0, flat.size, step):
                receivers.Bcast(flat[first : first + step])
        # Nobody reads before it is written.
        comm.Barrier()
        result.flags.writeable = False
        return result

    def _allocate(
        self, comm: Communicator, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> NDArray[Any] | None:
        """A window of this node, or None, and never again, where one cannot be had."""
        from mpi4py import MPI

        size = int(np.prod(shape)) * dtype.itemsize
        own = size + ALIGNMENT if self._node.Get_rank() == 0 else 0
        window, why = None, ""
        try:
            window = MPI.Win.Allocate_shared(own, 1, comm=self._node)
        except MPI.Exception as error:
            why = str(error)
        if window is not None:
            self._windows.append(window)
        reasons = [reason for reason in comm.allgather(why) if reason]
        if window is None or reasons:
            self.shared = False
            if comm.Get_rank() == 0:
                _log.warning(
                    f"no shared-memory windows ({reasons[0]}): every rank keeps its own copy of "
                    "the spectrum"
                )
            return None
        memory, _ = window.Shared_query(0)
        # Pages lie at the same offsets in every process, and so does the first aligned byte.
        raw: NDArray[Any] = np.asarray(memory).view(np.uint8)
        first = -raw.ctypes.data % ALIGNMENT
        return raw[first : first + size].view(dtype).reshape(shape)
