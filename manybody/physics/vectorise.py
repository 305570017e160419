"""The one rho <-> vec(rho) convention.

Public matrices (`toarray()`) act on the row-major vec, index a N + b for
element (a, b), so that A rho B has the matrix kron(A, B^T).

Distributed vectors and the rows that `generator.rows` assembles use index
b N + a: the columns of rho one after the other, so that a rank which owns
whole columns owns a contiguous range.  A local block of columns is a
C-ordered (m, N) array whose row i is column b_0 + i of rho.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def to_columns(rho: NDArray[Any], columns: slice = slice(None)) -> NDArray[Any]:
    """(..., N, N) matrices -> (..., m, N) blocks of the given columns, C-ordered copy."""
    return np.ascontiguousarray(np.swapaxes(rho, -1, -2)[..., columns, :])


def from_columns(block: NDArray[Any]) -> NDArray[Any]:
    """(..., N, N) complete blocks of columns -> (..., N, N) matrices (a view)."""
    return np.swapaxes(block, -1, -2)


def column_order_to_row_major(matrix: Any, dimension: int) -> Any:
    """Superoperator on b N + a indices -> the same on row-major a N + b indices.

    matrix: (N², N²) array or SciPy sparse array; dimension: N.
    """
    index = np.arange(dimension * dimension).reshape(dimension, dimension).T.ravel()
    if sp.issparse(matrix):
        return matrix.tocsr()[index][:, index]
    return matrix[np.ix_(index, index)]
