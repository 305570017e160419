"""Arrays placed where the processor reads them fastest."""

import contextlib
import ctypes
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# A cache line, and the width of an AVX-512 register: elementwise passes over arrays
# that start elsewhere touch two lines a load, up to twice slower (scripts/bench.py).
ALIGNMENT = 64


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """C-ordered array of unset values whose first byte is a multiple of ALIGNMENT."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, dtype=np.uint8)
    first = -raw.ctypes.data % ALIGNMENT
    return raw[first : first + size].view(dtype).reshape(shape)


def aligned_copy(array: NDArray[Any]) -> NDArray[Any]:
    """C-ordered copy of `array` that starts at a multiple of ALIGNMENT."""
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """`array` itself where it lies well and no part of a larger one is meant, else a copy."""
    lies_well = array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0
    return array if lies_well else aligned_copy(array)


def row_panels(rows: slice, row_length: int, elements: int = 8192) -> list[slice]:
    """Cut `rows` so that a panel of them has about `elements` and stays in a near cache."""
    step = max(1, elements // max(1, row_length))
    return [
        slice(first, min(first + step, rows.stop)) for first in range(rows.start, rows.stop, step)
    ]


def keep_freed_memory() -> bool:
    """Ask the C library to keep what is freed for the next sample; True where it can.

    By default glibc returns arrays of megabytes to the system and gets them back page by
    page: 2500 page faults, a tenth of the time, for each sample of 64 sites.  For
    programs that compute sample after sample; a library has no business here.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        # Matrices of large samples, 4 MiB and more, go back all the same: they are few, and
        # what they leave behind in a heap would be memory that the next one misses.
        return bool(mallopt(mmap_threshold, 1 << 22) and mallopt(trim_threshold, 1 << 29))
    return False
