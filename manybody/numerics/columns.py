"""Whole columns of N x N matrices over the ranks of a communicator, and the way back.

A rank's block is matrix[:, columns] as a C-ordered (1, N, m) array, so the part of an
adjoint that another rank needs, block[rows of that rank], is one contiguous piece.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.system.communicator import Communicator

# What one MPI message may hold, in elements: counts are 32-bit integers.
_LARGEST_COUNT = 2**31 - 1


def split_evenly(n_columns: int, n_parts: int) -> list[slice]:
    """Contiguous ranges that differ in length by one at most; empty ones come last."""
    shortest, longer = divmod(n_columns, n_parts)
    borders = [part * shortest + min(part, longer) for part in range(n_parts + 1)]
    return [slice(start, stop) for start, stop in zip(borders[:-1], borders[1:])]


class Columns:
    """Which columns of an N x N matrix this rank owns, and what the ranks do together.

    dimension: N; comm: an mpi4py communicator or None for one process.  All methods
    with a communicator are collective over it.

    Raises ValueError when a block does not fit into one message.
    """

    def __init__(self, dimension: int, comm: Communicator | None = None) -> None:
        self.comm = None if comm is None or comm.Get_size() == 1 else comm
        self.rank = 0 if self.comm is None else self.comm.Get_rank()
        self.size = 1 if self.comm is None else self.comm.Get_size()
        self.dimension = dimension
        self.ranges = split_evenly(dimension, self.size)
        self.own = self.ranges[self.rank]
        widest = self.ranges[0].stop
        if self.comm is not None and dimension * widest > _LARGEST_COUNT:
            raise InputError(
                f"{widest} columns of {dimension} elements on one rank exceed the "
                f"{_LARGEST_COUNT} elements of an MPI message: more ranks per sample are needed"
            )

    @property
    def width(self) -> int:
        """Number of columns this rank owns."""
        return int(self.own.stop - self.own.start)

    def adjoint_pieces(self, block: Complex, buffer: Complex) -> list[tuple[slice, Complex]]:
        """What the adjoint of a matrix needs here: (rows r, matrix[own, r]) for every rank's r.

        block: (samples, N, m); buffer: as large, overwritten; the pieces (samples, m, ·)
        lie in one of them.  One message to and from every rank, nothing else.
        """
        if self.comm is None:
            return [(self.own, block)]
        send = [piece.stop - piece.start for piece in self.ranges]
        m = self.width
        # A piece of `rows` is rows x m here, m x rows of another rank there: equal counts.
        counts = [length * m for length in send]
        starts = [piece.start * m for piece in self.ranges]
        layout = (counts, starts)
        received = buffer.reshape(-1)
        self.comm.Alltoallv([block.reshape(-1), layout], [received, layout])
        return [
            (rows, received[start : start + count].reshape(1, m, length))
            for rows, start, count, length in zip(self.ranges, starts, counts, send)
        ]

    def collect(self, blocks: list[Complex], first_rank: int = 0) -> Complex | None:
        """Whole matrices on ranks of their own: the transpose of matrix k on rank first + k.

        blocks: (N, m) each, no more than there are ranks from the first on.  Returns
        (N, N), or None on ranks left over.
        """
        if self.comm is None:
            return np.ascontiguousarray(blocks[0].T)
        n, m = self.dimension, self.width
        sent = np.empty((len(blocks), m, n), dtype=np.complex128)
        for one, block in zip(sent, blocks):
            one[...] = block.T
        receivers = range(first_rank, first_rank + len(blocks))
        mine = self.rank in receivers
        result = np.empty((n, n) if mine else (0, n), dtype=np.complex128)
        out = [m * n if rank in receivers else 0 for rank in range(self.size)]
        into = [n * (own.stop - own.start) if mine else 0 for own in self.ranges]
        self.comm.Alltoallv(
            [sent.reshape(-1), (out, _starts(out))], [result.reshape(-1), (into, _starts(into))]
        )
        return result if mine else None

    def whole(self, block: Complex) -> Complex:
        """(1, N, N) the matrix whose own columns are `block`, on every rank; collective."""
        if self.comm is None:
            return block
        n, m = self.dimension, self.width
        own = np.ascontiguousarray(block[0].T)
        gathered = np.empty((n, n), dtype=np.complex128)
        counts = [n * (part.stop - part.start) for part in self.ranges]
        self.comm.Allgatherv(own.reshape(m * n), [gathered.reshape(-1), (counts, _starts(counts))])
        return np.ascontiguousarray(gathered.T)[None]

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum over the ranks, the same bits on each."""
        if self.comm is not None:
            # Not allreduce: MPI only advises that all ranks get the same bits from it.
            values = np.stack(self.comm.allgather(values)).sum(axis=0)
        return values

    def largest(self, values: Real) -> Real:
        """Maximum over the ranks; nan wherever a rank has one."""
        if self.comm is not None:
            values = np.stack(self.comm.allgather(values)).max(axis=0)
        return values


def _starts(counts: list[int]) -> list[int]:
    return [0, *np.cumsum(counts)[:-1].tolist()]
