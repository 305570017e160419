"""What is measured on states: trace norm, populations, smallest eigenvalue."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


def trace_norm(matrices: NDArray[Any]) -> Real:
    """‖X‖₁ = Σ |eigenvalues| of Hermitian X, no factor ½ (SNM Fig. 1).  (..., N, N) -> (...)."""
    return np.abs(np.linalg.eigvalsh(matrices)).sum(axis=-1)


def trace_distance(rho: NDArray[Any], sigma: NDArray[Any]) -> Real:
    """‖ρ − σ‖₁ of Hermitian states.  (..., N, N) twice -> (...)."""
    return trace_norm(rho - sigma)


def smallest_eigenvalue(rho: NDArray[Any]) -> Real:
    """Smallest eigenvalue of Hermitian ρ: positivity is reported, never asserted."""
    return np.linalg.eigvalsh(rho)[..., 0]


def populations(rho: NDArray[Any]) -> Real:
    """⟨a|ρ|a⟩.  (..., N, N) -> (..., N)."""
    return np.einsum("...aa->...a", rho).real.copy()
