"""What kernels of the half form have in common: their columns, workspaces and factors."""

import copy
from abc import ABC, abstractmethod
from typing import TypeVar

import numpy as np

from manybody.arrays import Complex, Real, aligned_empty
from manybody.errors import InputError

K = TypeVar("K", bound="HalfKernel")


class HalfKernel(ABC):
    """X of some columns of ρ, as blocks ρ[:, columns]: (samples, D, m), C-ordered.

    Called with blocks `rho` and `out`, and with all columns of ρ, (samples, D, D), or None where
    they are `rho` itself; what a subclass adds is how X is written to `out`.  A stack may be
    shorter than the generator's: its first samples are meant.
    needs_whole: whether it needs all of ρ beside its own columns, which whoever spreads ρ must
    gather; buffers: two workspaces of the shape of a result that are free between calls; the
    first of them may be given as `out`; factors: (samples,) of L.
    """

    needs_whole = False

    def __init__(self, samples: int, dimension: int, columns: slice) -> None:
        self.columns = contiguous(columns, dimension)
        shape = (samples, dimension, self.columns.stop - self.columns.start)
        self.buffers = (aligned_empty(shape, np.complex128), aligned_empty(shape, np.complex128))
        self.factors = np.ones(samples)

    @abstractmethod
    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """Write X into `out`; rho, out: (samples, D, m)."""

    def scaled(self: K, factors: Real) -> K:
        """The kernel of factor · L, factors: (samples,); it shares the workspaces of this one."""
        other = copy.copy(self)
        other.factors = self.factors * factors
        return other


def contiguous(columns: slice, dimension: int) -> slice:
    """`columns` with explicit borders.  Raises InputError unless they are a non-empty range."""
    start, stop, step = columns.indices(dimension)
    if step != 1 or stop <= start:
        raise InputError(f"columns = {columns}: a contiguous, non-empty range is needed")
    return slice(start, stop)
