"""Arrays: their types, where they lie best in memory, and their products.

Products go through SciPy's BLAS.  np.matmul cannot add to its result and looks at types and
strides at every call, which costs as much as a product of 20 x 20 matrices.  NumPy below 2
also brings an OpenBLAS that does not know recent processors; SciPy's is younger
(scripts/bench.py measures both).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.linalg.blas import dgemm, zgemm

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
# One of several that are made once, with their arrays, and called many times.
Call = Callable[[], object]

# A cache line, and the width of an AVX-512 register: elementwise passes over arrays
# that start elsewhere touch two lines a load, up to twice slower (scripts/bench.py).
ALIGNMENT = 64
# By kind: complex, real.
GEMM = (zgemm, dgemm)


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


def read_only(value: Any) -> None:
    """No more writing to an array, or to what a sparse one keeps; other values are left alone."""
    parts = (value.data, value.indices, value.indptr) if hasattr(value, "indptr") else (value,)
    for part in parts:
        if isinstance(part, np.ndarray):
            part.flags.writeable = False


class ReadOnly:
    """What travels between processes forgets that its arrays are read-only: they are again."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for value in state.values():
            read_only(value)


def row_panels(rows: slice, row_length: int, elements: int = 8192) -> list[slice]:
    """Cut `rows` so that a panel of them has about `elements` and stays in a near cache."""
    step = max(1, elements // max(1, row_length))
    return [
        slice(first, min(first + step, rows.stop)) for first in range(rows.start, rows.stop, step)
    ]


def product(left: NDArray[Any], right: NDArray[Any], out: NDArray[Any], add: bool = False) -> None:
    """out = left · right, or out += left · right; C-ordered (n, k), (k, m) and (n, m) arrays.

    left: real or complex; right, out: complex, or all three real.  A real `left` meets
    complex columns as twice as many real ones.  Raises ValueError when `out` is not
    C-ordered, since BLAS would then write elsewhere.
    """
    if left.dtype == np.float64:
        gemm = dgemm
        if right.dtype == np.complex128:
            right, out = right.view(np.float64), out.view(np.float64)
    else:
        gemm = zgemm
    if not out.flags.c_contiguous:
        raise ValueError(f"out has strides {out.strides}: a C-ordered array is needed")
    # Fortran sees the transposes: outᵀ = rightᵀ · leftᵀ.
    gemm(1.0, right.T, left.T, 1.0 if add else 0.0, out.T, overwrite_c=1)
