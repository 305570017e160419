"""The smallest eigenvalue alone: between a Rayleigh quotient and a Cholesky factorisation."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

EPSILON = float(np.finfo(np.float64).eps)

# Two do where ρ is positive, some four or five where it is not.
_SHIFTS = 12
_STEPS, _STEPS_PER_CHECK = 20, 4


def bracketed_smallest(matrix: NDArray[Any]) -> float | None:
    """Smallest eigenvalue λ of a Hermitian matrix, None where the bracket did not close.

    matrix: (N, N) complex, its upper triangle is read.  The value θ is a Rayleigh quotient, so
    λ <= θ; ρ − σ was seen to have a Cholesky factor, so σ < λ; and θ − σ is at most 8Nε‖ρ‖_F.
    Rounding moves θ by less than Nε‖ρ‖_F and can hide 2(N + 1)ε tr(ρ − σ) from the
    factorisation (Higham, Accuracy and Stability of Numerical Algorithms, theorem 10.3).
    Where several eigenvalues lie within that the vector stays open, not the value.
    """
    n = len(matrix)
    square = float(np.vdot(matrix, matrix).real)
    # Zero, not finite, or without room for the squares of what is small or large.
    if not 1e-200 < square < 1e200:
        return None
    norm = square**0.5
    margin = 4.0 * n * EPSILON * norm
    # Where ρ is not positive the next may do; the last lies below any spectrum.
    ladder = [-1.1 * norm, -3e-2 * norm, -1e-3 * norm, -margin]
    shift, below, value, error, vector = ladder.pop(), -np.inf, np.inf, np.inf, _start(n)
    goal = margin / 64.0
    for _ in range(_SHIFTS):
        factor = _cholesky(matrix, shift)
        if factor is not None:
            below = shift
            if value - below > 2.0 * margin or error > goal:
                vector, error = _inverse_lanczos(factor, vector, goal)
                value = float(np.vdot(vector, blas.zhemv(1.0, matrix.T, vector, lower=1)).real)
            if value - below <= 2.0 * margin:
                return value
            shift = value - max(margin, 4.0 * error)
        elif value == np.inf and ladder:
            shift = ladder.pop()
        else:
            shift = 0.5 * (below + shift)
    return None


def _cholesky(matrix: NDArray[Any], shift: float) -> NDArray[Any] | None:
    """Lower factor of the transpose of matrix − shift; None where that is not positive.

    The transpose has the same eigenvalues, and LAPACK reads it without a copy.
    """
    shifted = matrix.copy()
    shifted.reshape(-1)[:: len(matrix) + 1] -= shift
    factor, info = lapack.zpotrf(shifted.T, lower=1, clean=0, overwrite_a=1)
    return factor if info == 0 else None


def _inverse_lanczos(
    factor: NDArray[Any], vector: NDArray[Any], goal: float
) -> tuple[NDArray[Any], float]:
    """Ritz vector of the largest eigenvalue μ of (L L†)⁻¹, and the estimated error of 1/μ.

    Stops at an error of `goal`.  The error of a Ritz value is at most its residual, and by
    Kato and Temple the square of that over the distance to the next eigenvalue: an estimate,
    since the next Ritz value stands for it.
    """
    basis = np.empty((_STEPS, len(vector)), dtype=np.complex128)
    projected = np.zeros((_STEPS, _STEPS))
    for step in range(_STEPS):
        used = step + 1
        basis[step] = vector
        vector = blas.ztrsv(factor, vector, lower=1)
        vector = blas.ztrsv(factor, vector, lower=1, trans=2, overwrite_x=1)
        # Twice: most eigenvalues of the inverse lie close together, little is left at once.
        for _ in range(2):
            shares = blas.zgemv(1.0, basis[:used].T, vector, trans=2)
            vector = blas.zgemv(-1.0, basis[:used].T, shares, 1.0, vector, overwrite_y=1)
            projected[step, step] += shares[step].real
        beside = float(blas.dznrm2(vector))
        # Nothing new: the vectors so far span an invariant subspace.
        is_last = used == _STEPS or beside <= 10.0 * EPSILON * projected[0, 0]
        if is_last or used % _STEPS_PER_CHECK == 0:
            values, vectors = np.linalg.eigh(projected[:used, :used])
            residual = beside * abs(vectors[-1, -1])
            gap = values[-1] - values[-2] if used > 1 else 0.0
            error = (residual if residual >= gap else residual**2 / gap) / values[-1] ** 2
            if is_last or error <= goal:
                break
        vector *= 1.0 / beside
        projected[step, used] = projected[used, step] = beside
    # The inverse of the Ritz vector, at no cost: what it has of large eigenvalues would weigh in
    # its Rayleigh quotient.
    vector *= vectors[-1, -1]
    vector += (values[-1] * vectors[:, -1]) @ basis[:used]
    vector *= 1.0 / blas.dznrm2(vector)
    return vector, float(error)


@functools.lru_cache(maxsize=8)
def _start(n: int) -> NDArray[Any]:
    """A unit vector that no symmetry makes orthogonal to others; the same for every matrix."""
    vector = np.random.default_rng(n).standard_normal(2 * n).view(np.complex128)
    vector /= np.linalg.norm(vector)
    vector.flags.writeable = False
    return vector
