"""Products of BLAS on parts of arrays, added to what is there: C += α A B.

np.matmul cannot add, and SciPy's own wrappers copy what is no whole array.  Here BLAS is called
at addresses, through the pointers that SciPy publishes for Cython.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.linalg import cython_blas

# Fortran integers must be of 32 bits, which the signature tells.
_SIGNATURE = b"void (char *, char *, int *, int *, int *, "
_NAMES = {"float64": "dgemm", "complex128": "zgemm"}


@cache
def gemm_at_addresses(dtype: DTypeLike) -> Callable[..., None] | None:
    """BLAS' gemm of float64 or complex128, all 13 arguments addresses (int); None if not found.

    Fortran's order: transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc.
    """
    capsule = getattr(cython_blas, "__pyx_capi__", {}).get(_NAMES[np.dtype(dtype).name])
    if capsule is None:
        return None
    name = _capsule_call("PyCapsule_GetName", ctypes.c_char_p, ctypes.py_object)(capsule)
    if not name.startswith(_SIGNATURE):
        return None
    pointer = _capsule_call(
        "PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p
    )(capsule, name)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(pointer)


def _capsule_call(name: str, result: Any, *arguments: Any) -> Any:
    # A prototype of its own: that of ctypes.pythonapi is shared by all who use it.
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


def address(array: NDArray[Any]) -> int:
    """Where the first element of an array lies."""
    return int(array.__array_interface__["data"][0])


class Constants:
    """Numbers that Fortran reads by address, kept as long as this object lives."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._addresses: dict[tuple[type, object], int] = {}

    def integer(self, value: int) -> int:
        """Address of a Fortran integer."""
        return self._address(ctypes.c_int, value)

    def number(self, value: float) -> int:
        """Address of a number that is read as real or as complex."""
        return self._address(ctypes.c_double * 2, (value, 0.0))

    def letter(self, value: bytes) -> int:
        """Address of a character."""
        return self._address(ctypes.c_char, value)

    def _address(self, kind: type, value: Any) -> int:
        key = (kind, value)
        if key not in self._addresses:
            self._kept.append(kind(*value) if isinstance(value, tuple) else kind(value))
            self._addresses[key] = ctypes.addressof(self._kept[-1])
        return self._addresses[key]
