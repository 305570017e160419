"""Matrices as other packages keep them, as NumPy and SciPy know them.

By what an object can do, so that none of these packages is imported: QuTiP's `Qobj`, QuSpin's
`hamiltonian` and the operators of dynamite.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments


def matrix_from(value: Any, name: str = "matrix") -> Any:
    """The NumPy array or SciPy sparse matrix that `value` is, or holds.

    value: an array or nested sequences, any SciPy sparse, a QuTiP `Qobj`, a QuSpin operator or
        a dynamite operator, or what has `__array__`; sparse where it is kept sparse.
    name: what an error calls it.

    Numbers, shapes and Hermiticity are judged by whoever takes the matrix.  Raises InputError
    for a QuSpin operator that depends on time, InputTypeError for any other object.
    """
    if isinstance(value, (np.ndarray, list, tuple)) or sp.issparse(value):
        return value
    for method, read in _READERS.items():
        if callable(getattr(value, method, None)):
            return _checked(name, value, read(name, value))
    if hasattr(value, "__array__"):
        return np.asarray(value)
    raise _refused(name, value)


def dense_from(value: Any, name: str) -> NDArray[Any]:
    """What `matrix_from` finds, as an array of whatever dtype and shape.

    Raises InputTypeError as it does, and for masked arrays and rows of unequal length.
    """
    matrix = arguments.array(name, matrix_from(value, name))
    dense: NDArray[Any] = matrix.toarray() if sp.issparse(matrix) else matrix
    return dense


def checked_matrix(name: str, value: Any, dimension: int) -> NDArray[Any]:
    """(D, D) numbers, all finite.  Raises InputError, InputTypeError."""
    matrix = dense_from(value, name)
    if matrix.dtype.kind not in "biufc":
        raise InputTypeError(f"{name} has dtype {matrix.dtype}: must be numeric")
    if matrix.shape != (dimension, dimension):
        raise InputError(f"{name} has shape {matrix.shape}: must be ({dimension}, {dimension})")
    if not np.isfinite(matrix).all():
        raise InputError(f"{name}: all entries must be finite")
    return matrix


def _from_qutip(_name: str, value: Any) -> Any:
    """Sparse if the data are, whose formats without a SciPy counterpart go by the dense one."""
    try:
        data = value.data_as()
    except (AttributeError, TypeError, ValueError, NotImplementedError):
        return value.full()
    return data if sp.issparse(data) else value.full()


def _from_quspin(name: str, value: Any) -> Any:
    if getattr(value, "dynamic", None):
        raise InputError(f"{name} depends on time: take it at one, by its own `tocsr(time=...)`")
    return value.tocsr() if hasattr(value, "tocsr") else value.tocsc()


def _from_dynamite(_name: str, value: Any) -> Any:
    try:
        return value.to_numpy(sparse=True)
    except TypeError:  # tables of numbers have a method of this name without such a choice
        return np.asarray(value)


# A Qobj has `__array__` as well: what keeps matrices sparse comes first.
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "full": _from_qutip,
    "tocsr": _from_quspin,
    "tocsc": _from_quspin,
    "to_numpy": _from_dynamite,
}


def _checked(name: str, value: Any, matrix: Any) -> Any:
    if isinstance(matrix, np.ndarray) or sp.issparse(matrix):
        return matrix
    raise _refused(name, value)


def _refused(name: str, value: Any) -> InputTypeError:
    return InputTypeError(
        f"{name} of type {type(value).__name__}: an array, a SciPy sparse matrix or an operator "
        "of QuTiP, QuSpin or dynamite is needed"
    )
