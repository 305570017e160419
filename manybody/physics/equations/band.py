"""Ends of the band of a Hermitian matrix without its eigenvectors."""

from typing import Any

import numpy as np
import scipy.sparse as sp

# Up to here all eigenvalues are as cheap as the outermost.
_DENSE_UP_TO = 64
# Of what an iteration that stops at 1e-4 of the largest eigenvalue is trusted with.
MARGIN = 1.01


def extreme_eigenvalues(matrix: Any) -> tuple[float, float]:
    """The lowest and the highest eigenvalue of a Hermitian matrix, to 1e-4 of the larger.

    matrix: (D, D) SciPy sparse array or array.
    """
    dense = matrix.toarray if sp.issparse(matrix) else lambda: matrix
    if matrix.shape[0] <= _DENSE_UP_TO or not abs(matrix).max() > 0.0:
        values = np.linalg.eigvalsh(dense()) if abs(matrix).max() > 0.0 else np.zeros(1)
        return float(values[0]), float(values[-1])
    from scipy.sparse.linalg import eigsh  # which takes long to import

    # The same start everywhere: ranks must plan alike.
    start = np.random.default_rng(0).standard_normal(matrix.shape[0]).astype(matrix.dtype)
    lowest, highest = (
        float(eigsh(matrix, 1, which=end, v0=start, tol=1e-4, return_eigenvectors=False)[0])
        for end in ("SA", "LA")
    )
    return lowest, highest
