"""Heat currents, entropy and entropy production, and their first orders in δ; LRL section IV.

J^j = tr(H D^jρ), (48); S = −tr ρ ln ρ; σ = dS/dt − Σ_j J^j/T_j, (47).  Every coupling is a bath
with a temperature of its own, in the order of the couplings.

LRL is a paper that docs/physics.md names.
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
    """First order of the heat that every bath brings, when H is perturbed.

    Parameters
    ----------
    response : LinearResponse
        Of `linear_response`.
    change : (D, D) array
        ρ_1, Hermitian, per δ, at any time or in the long run: `response.steady_change` or one of
        `response.changes(times)`.

    Returns
    -------
    (n_couplings,) array
        J_1^j = tr(H_0 D_0^jρ_1) + tr(H_0 D_1^jπ_0) + tr(V D_0^jπ_0) in J² per δ.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Levy, Rabani and Limmer (2021), eq. (51).

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel([[0.3, 0.5], [0.5, -0.3]])
    >>> baths = [mb.OhmicBath(0.2, 10.0, beta) for beta in (0.5, 5.0)]
    >>> response = mb.linear_response(pair, baths, np.diag([1.0, 0.0]))
    >>> currents = mb.heat_current_response(response, response.steady_change)
    >>> bool(abs(currents.sum()) < 1e-12 < abs(currents[0]))  # what comes in goes out
    True
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
    """First order of the entropy production, σ_1 = dS_1/dt − Σ_j J_1^j/T_j.

    Parameters
    ----------
    response : LinearResponse
        Of `linear_response`.
    temperatures : (n_couplings,) sequence of float
        1/β_j > 0 of every coupling, in J.
    change : (D, D) array
        ρ_1, as in `heat_current_response`.

    Returns
    -------
    float
        In J per δ; zero when all temperatures are equal.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Levy, Rabani and Limmer (2021), eq. (D11).

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel([[0.3, 0.5], [0.5, -0.3]])
    >>> response = mb.linear_response(pair, mb.OhmicBath(0.2, 10.0, 5.0), np.diag([1.0, 0.0]))
    >>> change = response.steady_change
    >>> bool(abs(mb.entropy_production_response(response, [0.2, 0.2], change)) < 1e-12)
    True
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
