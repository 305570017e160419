"""Populations and heat currents of secular generators, right in every digit.

Where no two levels coincide, the populations of a Davies equation obey a rate equation of
their own, dp/dt = Wp (docs/physics.md section 4).  Differences of nearly equal numbers are
avoided: populations come from sums of positive terms only, and a heat current from the departure
of the steady state from the Gibbs state of its bath, which vanishes when all temperatures are
equal.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.fock.secular import SecularGenerator


def population_rates(generator: SecularGenerator, coupling: int) -> Real:
    """(D, D) W_lk = γ(E_k − E_l) |⟨l|A|k⟩|² of one coupling, jumps l ← k; zero diagonal."""
    dimension = len(generator.energies)
    diagonal = np.arange(dimension) * (dimension + 1)
    rates: Real = generator.gains[coupling][diagonal][:, diagonal].toarray().real
    np.fill_diagonal(rates, 0.0)
    return rates


def stationary_populations(rates: Real) -> Real:
    """(D,) p >= 0 with Σ_k (W_lk p_k − W_kl p_l) = 0 and Σ p = 1, each to a few rounding errors.

    rates: (D, D) W_lk of l ← k, levels in ascending energy.  State after state is removed from
    the top (Grassmann, Taksar, Heyman 1985): only sums and products of positive numbers occur.
    Raises ValueError when a level has no way down, so that the state is not unique.
    """
    jumps = np.array(rates.T)
    dimension = len(jumps)
    for level in range(dimension - 1, 0, -1):
        leaving = jumps[level, :level].sum()
        if not leaving > 0.0:
            raise InputError(f"level {level} never decays: the stationary state is not unique")
        jumps[:level, level] /= leaving
        jumps[:level, :level] += np.outer(jumps[:level, level], jumps[level, :level])
    populations = np.zeros(dimension)
    populations[0] = 1.0
    for level in range(1, dimension):
        populations[level] = populations[:level] @ jumps[:level, level]
    return populations / float(populations.sum())


def gibbs_populations(energies: Real, temperature: float) -> Real:
    """(D,) e^{−E/T} / Z of ascending energies."""
    with np.errstate(under="ignore"):
        weights: Real = np.exp(-(energies - energies[0]) / temperature)
    return weights / float(weights.sum())


def steady_heat_currents(
    rates: Sequence[Real], energies: Real, temperatures: Sequence[float], carried: ArrayLike
) -> Real:
    """(n_baths,) Σ_l q_l (W_c p)_l: what each bath brings to the system in its steady state.

    rates: (D, D) of each bath, in detailed balance at its temperature; energies: (D,) E,
    ascending; carried: (D,) q, the energies themselves for the heat currents of LRL (48).

    With p = p_c + x, p_c the Gibbs state of the bath, W_c p = W_c x, and x solves
    Wx = −Σ_c' W_c' p_c.  Its right-hand side is written with 1 − e^{(β_c − β_c')(E_k − E_l)}, so
    that a current keeps its digits however close the temperatures are.
    """
    charges = np.asarray(carried, dtype=np.float64)
    total = _generator_matrix(sum(rates, start=np.zeros_like(rates[0])))
    size = np.abs(total).max()
    currents = np.empty(len(rates))
    for own, temperature in enumerate(temperatures):
        reference = gibbs_populations(energies, temperature)
        source = np.zeros(len(energies))
        for other, matrix in zip(temperatures, rates):
            difference = (other - temperature) / other / temperature
            source += _unbalanced(matrix, reference, energies, difference)
        # The rank-one term lifts the zero of W; sums of x and of the source are zero.
        lifted = total - size * np.outer(reference, np.ones(len(energies)))
        departure = np.linalg.solve(lifted, -source)
        currents[own] = _carried_by(rates[own], charges, departure)
    return currents


def _generator_matrix(rates: Real) -> Real:
    """W with the losses on its diagonal."""
    matrix: Real = rates - np.diag(rates.sum(axis=0))
    return matrix


def _unbalanced(rates: Real, populations: Real, energies: Real, difference: float) -> Real:
    """(D,) Σ_k (W_lk p_k − W_kl p_l), p of inverse temperature β, W of β − difference."""
    omega = energies[None, :] - energies[:, None]
    # Written for downward jumps: the other half is its negative.
    falls = np.where(omega > 0.0, rates, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        flow = falls * populations * -np.expm1(difference * np.where(omega > 0.0, omega, 0.0))
    # e^{difference·ω} can overflow where p_k has underflown; the rise is W_kl p_l itself.
    rises = np.where(omega > 0.0, rates.T * populations[:, None], 0.0)
    flow = np.where(difference * omega > 1.0, falls * populations - rises, flow)
    return np.asarray(flow.sum(axis=1) - flow.sum(axis=0))


def _carried_by(rates: Real, charges: Real, populations: Real) -> float:
    """Σ_lk (q_l − q_k) W_lk p_k."""
    return float(np.sum((charges[:, None] - charges[None, :]) * rates * populations[None, :]))
