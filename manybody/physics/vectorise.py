"""The one rho <-> vec(rho) convention.

Public matrices (`toarray()`) act on the row-major vec, index a N + b for
element (a, b), so that A rho B has the matrix kron(A, B^T).

A local block of columns is rho[:, columns] as a C-ordered (N, m) array: a real
matrix times a block is one real product on its float64 view, and the part of X†
that another rank needs, X[rows, :], is one contiguous piece.  A block of all
columns is rho itself, its flat index the row-major one.

Rows that `assemble_rows` makes use index b N + a, the columns of rho one after
the other: a rank which owns whole columns owns a contiguous range of them.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp


def column_order_to_row_major(matrix: Any, dimension: int) -> Any:
    """Superoperator on b N + a indices -> the same on row-major a N + b indices.

    matrix: (N², N²) array or SciPy sparse array; dimension: N.
    """
    index = np.arange(dimension * dimension).reshape(dimension, dimension).T.ravel()
    if sp.issparse(matrix):
        return matrix.tocsr()[index][:, index]
    return matrix[np.ix_(index, index)]
