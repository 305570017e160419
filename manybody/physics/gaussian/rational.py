"""Linear systems of few unknowns, solved without rounding."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.errors import InputError

# The integers of a step have as many bits as all earlier steps together.
MAX_UNKNOWNS = 36


def solve_exactly(matrix: ArrayLike, right: ArrayLike) -> NDArray[np.float64]:
    """x of matrix · x = right with every element correct to the last bit.

    matrix: (n, n), right: (n, m), of floats or Fractions, taken as they are; n <= 36.
    Elimination on integers in which every division comes out even (Bareiss 1968): whatever the
    condition of the matrix and the sizes of the elements of x, nothing is lost but the rounding
    of the result.  Raises ValueError for wrong shapes, nan or inf, and a singular matrix.
    """
    square, wanted = np.asarray(matrix, dtype=object), np.asarray(right, dtype=object)
    n = len(square)
    if square.shape != (n, n) or wanted.ndim != 2 or len(wanted) != n or n > MAX_UNKNOWNS:
        raise InputError(
            f"matrix and right have shapes {square.shape} and {wanted.shape}: (n, n) and (n, m) "
            f"with n <= {MAX_UNKNOWNS} are needed"
        )
    together = np.concatenate([square, wanted], axis=1)
    if not all(math.isfinite(x) for x in together.flat):
        raise InputError("matrix and right: all entries must be finite")
    rows = [_integers(row) for row in together.tolist()]
    previous = 1
    for step in range(n):
        pivot = next((i for i in range(step, n) if rows[i][step]), None)
        if pivot is None:
            raise InputError("the matrix is singular: the system has no unique solution")
        rows[step], rows[pivot] = rows[pivot], rows[step]
        own = rows[step]
        head = own[step]
        for i in range(n):
            if i != step:
                factor = rows[i][step]
                rows[i] = [(head * x - factor * y) // previous for x, y in zip(rows[i], own)]
        previous = head
    # The true division of integers is correctly rounded at any size.
    return np.array([[x / previous for x in row[n:]] for row in rows]).reshape(wanted.shape)


def _integers(row: list[Any]) -> list[int]:
    """The row times the smallest number that leaves no fractions."""
    ratios = [x.as_integer_ratio() for x in row]
    common = math.lcm(*(below for _, below in ratios))
    return [above * (common // below) for above, below in ratios]
