"""What is measured on states: trace norm, populations, smallest eigenvalue."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from manybody.arrays import Real, row_panels
from manybody.errors import NumericalError
from manybody.physics.quantities.positivity import bracketed_smallest

# From here on LAPACK's own routines, without the eigenvalues nobody asked for, pay.
_TRIDIAGONAL_FROM = 24
# Columns that LAPACK gathers before it updates the rest: more cost more, up to 256 at least.
_BLOCK = 8
# From here on two Cholesky factorisations cost less than a tridiagonal form.
_BRACKETED_FROM = 192


def trace_norm(matrices: NDArray[Any], overwrite: bool = False) -> Real:
    """‖X‖₁ = Σ |eigenvalues| of Hermitian X, no factor ½ (SNM Fig. 1).  (..., N, N) -> (...).

    overwrite: the matrices are needed no longer, their memory may be used.
    """
    norms: Real = np.abs(eigenvalues(matrices, overwrite)).sum(axis=-1)
    return norms


def eigenvalues(matrices: NDArray[Any], overwrite: bool = False) -> Real:
    """All eigenvalues of Hermitian matrices, ascending.  (..., N, N) -> (..., N).

    overwrite: the matrices are needed no longer, their memory may be used.
    """
    if not _is_large(matrices):
        return np.linalg.eigvalsh(matrices)
    return _each(matrices, _all, overwrite)


def trace_distance(rho: NDArray[Any], sigma: NDArray[Any]) -> Real:
    """‖ρ − σ‖₁ of Hermitian states.  (..., N, N) twice -> (...)."""
    n = rho.shape[-1]
    left, right = rho.reshape(-1, n, n), sigma.reshape(-1, n, n)
    # A few at a time: their difference need not leave a near cache.
    norms = [
        trace_norm(left[few] - right[few], True) for few in row_panels(slice(0, len(left)), n * n)
    ]
    return np.concatenate(norms).reshape(rho.shape[:-2])


def smallest_eigenvalue(rho: NDArray[Any], overwrite: bool = False) -> Real:
    """Smallest eigenvalue of Hermitian ρ: positivity is reported, never asserted.

    overwrite: ρ is needed no longer, its memory may be used.
    """
    if not _is_large(rho):
        return np.linalg.eigvalsh(rho)[..., 0]
    n = rho.shape[-1]
    if n < _BRACKETED_FROM:
        return _each(rho, _smallest, overwrite)
    values = [_smallest_of_large(matrix, overwrite) for matrix in rho.reshape(-1, n, n)]
    return np.array(values).reshape(rho.shape[:-2])


def _smallest_of_large(matrix: NDArray[Any], overwrite: bool) -> float:
    value = bracketed_smallest(matrix)
    return float(_each(matrix, _smallest, overwrite)) if value is None else value


def _is_large(matrices: NDArray[Any]) -> bool:
    return matrices.shape[-1] >= _TRIDIAGONAL_FROM and matrices.dtype == np.complex128


def _each(matrices: NDArray[Any], measure: Any, overwrite: bool) -> Real:
    """measure(diagonal, off-diagonal) of the tridiagonal form of every matrix of a stack."""
    n = matrices.shape[-1]
    values = []
    for matrix in matrices.reshape(-1, n, n):
        # The transpose, which LAPACK reads without a copy, has the same eigenvalues.
        _, diagonal, beside, _, info = lapack.zhetrd(
            matrix.T, lower=1, lwork=_BLOCK * n, overwrite_a=overwrite
        )
        if info != 0:
            raise RuntimeError(f"LAPACK zhetrd: info = {info}")
        values.append(measure(diagonal, beside))
    measured = np.array(values)
    return measured.reshape((*matrices.shape[:-2], *measured.shape[1:]))


def _all(diagonal: Real, beside: Real) -> Real:
    values: Real
    values, info = lapack.dsterf(diagonal, beside)
    if info != 0:
        raise NumericalError(f"LAPACK dsterf: {info} eigenvalues did not converge")
    return values


def _smallest(diagonal: Real, beside: Real) -> float:
    # Range 2: by index, from the first to the first, to full precision.
    _, values, _, _, info = lapack.dstebz(diagonal, beside, 2, 0.0, 0.0, 1, 1, 0.0, "E")
    if info != 0:
        raise NumericalError(f"LAPACK dstebz: info = {info}")
    return float(values[0])
