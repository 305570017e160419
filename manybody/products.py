"""Matrix products through SciPy's BLAS: one pass less, no dispatch, and newer kernels.

np.matmul cannot add to its result and looks at types and strides at every call, which
costs as much as a product of 20 x 20 matrices.  NumPy below 2 also brings an OpenBLAS
that does not know recent processors; SciPy's is younger (scripts/bench.py measures both).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm, zgemm

# By kind: complex, real.
GEMM = (zgemm, dgemm)


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
