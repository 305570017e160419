"""What a generator leaves in the long run, by dense algebra on the whole of it.

For what no derivation decides: Redfield where γ vanishes at some Bohr frequencies, so that
coherence transfer and the Lamb shift connect what no rate does, and either equation with a
bath without detailed balance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError
from manybody.physics.equations.davies import DaviesGenerator
from manybody.physics.equations.dense_redfield import DenseLiouvillian
from manybody.physics.underflow import zero_where_tiny

# Equal eigenvalues have eigenvectors of any condition, and yet errors of rounding.
_WORST_CONDITION = 1e3


@dataclass(frozen=True, eq=False)
class LongRun:
    """Null space, undamped modes and long-time average of one generator.

    state: (N, N) average of ρ(t) over long times, of its stationary part where modes grow;
    null_dimension: number of independent stationary matrices; undamped_frequencies: (U,) in J,
    ascending, −Im λ of modes that turn and do not decay; components: (C, N, N) independent
    stationary matrices of trace one; state_error: what rounding of L leaves wrong of
    `state`, in trace norm, estimated from the slowest mode that decays.
    """

    state: Complex
    null_dimension: int
    undamped_frequencies: Real
    components: Complex
    state_error: float


def dense_davies(davies: DaviesGenerator) -> DenseLiouvillian:
    """L_D in the energy basis."""
    n = davies.spectrum.dimension
    matrix = np.empty((n * n, n * n), dtype=np.complex128)
    unit = np.zeros(n * n, dtype=np.complex128)
    for column in range(n * n):
        unit[column] = 1.0
        matrix[:, column] = davies.apply(unit.reshape(n, n)).ravel()
        unit[column] = 0.0
    return DenseLiouvillian(matrix, davies.spectrum.vectors[0])


@zero_where_tiny
def long_run(
    dense: DenseLiouvillian, rho: NDArray[Any], starts: Sequence[NDArray[Any]], at_least: int = 1
) -> LongRun:
    """Long run of ρ by the singular vectors of L and its eigenvalues.

    rho: (N, N) in the site basis; starts: states whose stationary parts are the components, as
    far as they are independent; at_least: stationary matrices known to exist.

    A singular value up to rounding of L counts as zero, and the real part of an eigenvalue up
    to rounding times the condition of the eigenvalue.  Raises RuntimeError where zero is a
    defective eigenvalue.
    """
    left, sizes, right = scipy.linalg.svd(dense.matrix, check_finite=False)
    count = max(at_least, int(np.count_nonzero(sizes <= dense.rounding)))
    kept = right[-count:].conj().T
    duals = left[:, -count:].conj().T
    overlap = duals @ kept
    if np.linalg.cond(overlap) > 1.0 / np.finfo(np.float64).eps:
        raise NumericalError(
            f"{count} stationary matrices with {count} conserved quantities that cannot tell them "
            "apart: ρ grows linearly in time, and no long-time average exists"
        )

    def project(matrix: NDArray[Any]) -> Complex:
        weights = np.linalg.solve(overlap, duals @ dense.from_sites(matrix))
        return dense.to_sites(kept @ weights)

    size = float(np.linalg.norm(np.linalg.inv(overlap), 2))
    slowest = float(sizes[-count - 1]) if count < len(sizes) else np.inf
    m = dense.basis.shape[1]
    reach = dense.rounding / slowest if slowest > 0.0 else np.inf
    error = min(2.0, 2.0 * np.sqrt(m) * size * size * reach)
    values, left, right = scipy.linalg.eig(dense.matrix, left=True, check_finite=False)
    overlaps = np.abs(np.sum(left.conj() * right, axis=0))
    state = project(rho)
    projected = np.array([project(start) for start in starts])
    return LongRun(
        state=0.5 * (state + state.conj().T),
        null_dimension=count,
        undamped_frequencies=_undamped(values, overlaps, count, dense.rounding),
        components=_independent(projected, count),
        state_error=float(error),
    )


@zero_where_tiny
def undamped_values(
    matrix: Complex, dense: DenseLiouvillian
) -> tuple[Complex, Complex, int, Real]:
    """(eigenvalues, modes, number of those at 0, (U,) −Im λ of those without real part).

    matrix: L in any basis, its modes are returned; dense: the same L, which tells how many
    singular values are 0.
    """
    sizes = np.linalg.svd(dense.matrix, compute_uv=False)
    still = max(1, int(np.count_nonzero(sizes <= dense.rounding)))
    values, left, right = scipy.linalg.eig(matrix, left=True, check_finite=False)
    overlaps = np.abs(np.sum(left.conj() * right, axis=0))
    return values, right, still, _undamped(values, overlaps, still, dense.rounding)


def _undamped(values: Complex, overlaps: Real, still: int, rounding: float) -> Real:
    """(U,) −Im λ of the eigenvalues without real part, less the `still` nearest to 0.

    overlaps: (n,) |⟨left|right⟩| of eigenvectors of norm one.
    """
    with np.errstate(divide="ignore"):
        errors = rounding * np.minimum(1.0 / overlaps, _WORST_CONDITION)
    order = np.argsort(np.abs(values), kind="stable")[still:]
    chosen = order[np.abs(values[order].real) <= errors[order]]
    chosen = chosen[np.abs(values[chosen]) > errors[chosen]]
    return np.sort(-values[chosen].imag)


def _independent(states: Complex, most: int) -> Complex:
    """Those of (C, N, N) matrices that are independent, at most `most`."""
    if not len(states):
        return states
    flat = states.reshape(len(states), -1).T
    _, triangle, order = scipy.linalg.qr(flat, mode="economic", pivoting=True)
    sizes = np.abs(np.diagonal(triangle))
    rank = int(np.count_nonzero(sizes > 1e-8 * sizes[0]))
    independent: Complex = states[np.sort(order[: min(rank, most)])]
    return independent
