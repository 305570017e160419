"""Arrays placed where the processor reads them fastest."""

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
