"""Heat currents, entropy and entropy production, and their first orders in δ; LRL section IV.

J^j = tr(H D^jρ), (48); S = −tr ρ ln ρ; σ = dS/dt − Σ_j J^j/T_j, (47).  Every coupling is a bath
with a temperature of its own, in the order of the couplings.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.response.linear_response import LinearResponse


def entropy_rate(rate: NDArray[Any], rho: NDArray[Any]) -> float:
    """dS/dt = −tr(ρ̇ ln ρ) of the change rate = Lρ, (49).  Raises ValueError unless ρ > 0."""
    return -float(np.trace(rate @ _logarithm(rho)).real)


def heat_current_response(response: LinearResponse, change: NDArray[Any]) -> Real:
    """(n_couplings,) J_1^j = tr(H_0 D_0^jρ_1) + tr(H_0 D_1^jπ_0) + tr(V D_0^jπ_0), (51).

    response: of `linear_response`; change: (D, D) Hermitian ρ_1, at any time or in the long run,
    as `response.change(t)` gives it.  Raises TypeError or ValueError.
    """
    change = _checked_change(response, change)
    perturbed = response.perturbed
    generator = perturbed.generator
    hamiltonian = generator.model.hamiltonian
    result = np.empty(perturbed.n_couplings)
    for j in range(perturbed.n_couplings):
        moved = generator.dissipate(j, change) + response.dissipator_sources[j]
        carried = perturbed.perturbation @ generator.dissipate(j, response.stationary)
        result[j] = np.trace(hamiltonian @ moved).real + np.trace(carried).real
    return result


def entropy_rate_response(response: LinearResponse, change: NDArray[Any]) -> float:
    """dS_1/dt = −tr((L_0ρ_1 + L_1π_0) ln π_0), (53).  Raises ValueError unless π_0 > 0."""
    rate = response.perturbed.generator.apply(change) + response.source
    return entropy_rate(rate, response.stationary)


def entropy_production_response(
    response: LinearResponse, temperatures: Sequence[float], change: NDArray[Any]
) -> float:
    """σ_1 = dS_1/dt − Σ_j J_1^j/T_j, (D11); zero when all temperatures are equal.

    response, change: as in `heat_current_response`; temperatures: 1/β_j > 0 of every coupling,
    in J.  Raises TypeError or ValueError.
    """
    change = _checked_change(response, change)
    bath = _checked_temperatures(temperatures, response.perturbed.n_couplings)
    heat = heat_current_response(response, change)
    return entropy_rate_response(response, change) - float(np.sum(heat / bath))


def _checked_change(response: object, change: Any) -> Complex:
    """(D, D) ρ_1 as an array.  Raises TypeError or ValueError."""
    arguments.instance("response", response, LinearResponse)
    assert isinstance(response, LinearResponse)
    dimension = response.perturbed.generator.model.basis.dimension
    given = arguments.array("change", change)
    given = given.toarray() if sp.issparse(given) else given
    if given.dtype.kind not in "iufc" or given.shape != (dimension, dimension):
        raise InputError(
            f"change of shape {given.shape} and dtype {given.dtype}: a ({dimension}, {dimension}) "
            "Hermitian matrix is needed"
        )
    if not np.isfinite(given).all():
        raise InputError("change: all entries must be finite")
    deviation = float(np.abs(given - given.conj().T).max())
    if deviation > 1e-8 * max(1.0, float(np.abs(given).max())):
        raise InputError(f"change is not Hermitian: max |ρ - ρ†| = {deviation:.3g}")
    checked: Complex = given.astype(np.complex128)
    return checked


def _logarithm(rho: NDArray[Any]) -> Complex:
    """ln ρ, (D, D).  Raises ValueError unless ρ > 0."""
    weights, vectors = np.linalg.eigh(np.asarray(rho))
    if weights[0] <= 0.0:
        raise InputError(
            f"the state has the eigenvalue {weights[0]:.3g}: its logarithm needs them > 0"
        )
    return np.asarray((vectors * np.log(weights)) @ vectors.conj().T, dtype=np.complex128)


def _checked_temperatures(values: Sequence[float], count: int) -> Real:
    given = arguments.entries("temperatures", values, "a sequence of numbers > 0")
    result = np.array([arguments.real("temperatures entry", one, above=0.0) for one in given])
    if len(result) != count:
        raise InputError(f"{len(result)} temperatures: one for each of the {count} couplings")
    return result
