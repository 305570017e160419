"""States in which a bath destroys entropy: random ones, and the worst that a descent finds.

Spohn's σ_b of `thermodynamics` is never negative for Davies.  For Redfield it is negative in
so few states that random ones do not meet them, hence the descent: pure states with a little
weight in the direction that D_b would make negative, with σ_b → −∞ as that weight vanishes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.gaussian.quadratic import BOSON, STATISTICS
from manybody.physics.thermodynamics import Balance

Evaluate = Callable[[NDArray[Any]], Balance]

DENSITY_MATRIX = "density matrix"
KINDS = (DENSITY_MATRIX, *STATISTICS)
# Largest occupation of a bosonic mode that is tried.
MOST_BOSONS = 3.0
# What is negative is so by more than this share of the largest |σ_b| that was met.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Worst:
    """The smallest entropy production that was met, and where.

    production: σ_b in J; bath: b; state: ρ or C.
    n_negative, n_states: states in which some σ_b is below zero by more than rounding, of all.
    """

    production: float
    bath: int
    state: NDArray[Any]
    n_negative: int
    n_states: int


def random_state(rng: np.random.Generator, dimension: int, floor: float = 1e-3) -> Complex:
    """A random (D, D) state of random purity, eigenvalues at least floor/D."""
    rank = int(rng.integers(1, 2 * dimension + 1))
    draw = rng.standard_normal((2, dimension, rank))
    return _density_matrix(draw[0] + 1j * draw[1], floor)


def random_correlations(
    rng: np.random.Generator, n_sites: int, statistics: str, floor: float = 1e-3
) -> Complex:
    """Random (N, N) C of a Gaussian state, occupations floor to 1 − floor; for bosons to 3."""
    arguments.choice("statistics", statistics, STATISTICS)
    draw = rng.standard_normal((2, n_sites, n_sites))
    vectors = np.linalg.qr(draw[0] + 1j * draw[1])[0]
    upper = MOST_BOSONS if statistics == BOSON else 1.0 - floor
    occupations = rng.uniform(floor, upper, n_sites)
    return np.asarray((vectors * occupations) @ vectors.conj().T)


def worst_production(evaluate: Evaluate, states: Iterable[NDArray[Any]]) -> Worst:
    """The smallest Spohn production σ_b over states and baths.

    evaluate: `thermodynamics.balance` or `correlation_balance` of one generator.
    Raises ValueError without states.
    """
    found = [(state, evaluate(state).production) for state in states]
    if not found:
        raise InputError("states are empty: at least one is needed")
    productions = np.array([production for _, production in found])
    scale = float(np.abs(productions[np.isfinite(productions)]).max(initial=0.0))
    index, bath = np.unravel_index(np.argmin(productions), productions.shape)
    negative = np.any(productions < -_ROUNDING * scale, axis=1)
    return Worst(
        float(productions[index, bath]),
        int(bath),
        found[index][0],
        int(np.count_nonzero(negative)),
        len(found),
    )


def search_violation(
    evaluate: Evaluate,
    kind: str,
    size: int,
    seed: Any,
    n_starts: int = 4,
    floor: float = 1e-3,
    iterations: int = 60,
) -> Worst:
    """The smallest σ_b that descents from random states reach.

    kind: "density matrix" for ρ of `size` states, or the statistics of C on `size` sites.
    floor: smallest weight or occupation, bounds how negative Redfield can become.
    A few hundred to thousand evaluations a start: 4 size² for each gradient.  What is reported
    is reached; that nothing is lower is not shown.  Raises TypeError or ValueError.
    """
    arguments.choice("kind", kind, KINDS)
    shape = (2, arguments.integer("size", size, 1), size)
    rng = arguments.seed(seed)

    def to_state(parameters: Real) -> Complex:
        draw = parameters.reshape(shape)
        factor = draw[0] + 1j * draw[1]
        if kind == DENSITY_MATRIX:
            return _density_matrix(factor, floor)
        upper = MOST_BOSONS if kind == BOSON else 1.0 - floor
        # G G† / (1 + G G†) has eigenvalues between 0 and 1.
        square = factor @ factor.conj().T
        share = np.linalg.solve(np.eye(size) + square, square)
        share = 0.5 * (share + share.conj().T)
        return np.asarray(floor * np.eye(size) + (upper - floor) * share)

    def smallest(parameters: Real) -> float:
        return float(evaluate(to_state(parameters)).production.min())

    ends = []
    for _ in range(arguments.integer("n_starts", n_starts, 1)):
        start = rng.standard_normal(shape).ravel()
        end = scipy.optimize.minimize(
            smallest, start, method="L-BFGS-B", options={"maxiter": iterations}
        )
        ends.append(to_state(end.x))
    return worst_production(evaluate, ends)


def _density_matrix(factor: NDArray[Any], floor: float) -> Complex:
    """GG† of trace one with `floor` of the maximally mixed state."""
    state = factor @ factor.conj().T
    state /= np.trace(state).real
    return np.asarray((1.0 - floor) * state + floor * np.eye(len(state)) / len(state))
