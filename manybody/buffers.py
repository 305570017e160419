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


def row_panels(n_rows: int, row_length: int, elements: int = 8192) -> list[slice]:
    """Cut `n_rows` so that a panel of rows has about `elements` and stays in a near cache."""
    rows = max(1, elements // max(1, row_length))
    return [slice(first, min(first + rows, n_rows)) for first in range(0, n_rows, rows)]


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
        # The largest threshold that mallopt takes is half a heap, 32 MiB.
        return bool(mallopt(mmap_threshold, 1 << 25) and mallopt(trim_threshold, 1 << 29))
    return False
