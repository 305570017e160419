"""States in which a bath destroys entropy: the worst that a descent finds.

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
from manybody.physics.fock.half_form import build_redfield_equation
from manybody.physics.fock.of_model import states_of_model
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.gaussian.correlations import build_generator
from manybody.physics.gaussian.quadratic import BOSON, STATISTICS, QuadraticModel
from manybody.physics.models.protocol import Model
from manybody.physics.thermodynamics import Balance, balance, bath_states, correlation_balance

Evaluate = Callable[[NDArray[Any]], Balance]

DENSITY_MATRIX = "density matrix"
KINDS = (DENSITY_MATRIX, *STATISTICS)
# Largest occupation of a bosonic mode that is tried.
MOST_BOSONS = 3.0
# What is negative is so by more than this share of the largest |σ_b| that was met.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class WorstProduction:
    """The smallest entropy production that was met, and where.

    Attributes
    ----------
    production : float
        σ_b in J (k_B = 1).
    bath : int
        b, its place among the couplings or contacts.
    state : array of complex
        ρ, (D, D) of trace one, or C, (N, N) with C_qp = ⟨a_p†a_q⟩, Hermitian.
    n_negative : int
        States in which some σ_b is below zero by more than rounding.
    n_states : int
        All states that were met.

    Examples
    --------
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel([[0.3, 0.5], [0.5, -0.3]])
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=1.0)
    >>> worst = mb.worst_entropy_production(pair, "redfield", bath, n_starts=1)
    >>> worst.production < 0.0, worst.state.shape
    (True, (2, 2))
    """

    production: float
    bath: int
    state: NDArray[Any]
    n_negative: int
    n_states: int


def worst_production(evaluate: Evaluate, states: Iterable[NDArray[Any]]) -> WorstProduction:
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
    return WorstProduction(
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
) -> WorstProduction:
    """The smallest σ_b that descents from random states reach.

    kind: "density matrix" for ρ of `size` states, or the statistics of C on `size` sites.
    floor: smallest weight or occupation, bounds how negative Redfield can become.
    A few hundred to thousand evaluations a start: 4 size² for each gradient.  What is reported
    is reached; that nothing is lower is not shown.  Raises TypeError or ValueError.
    """
    arguments.choice("kind", kind, KINDS)
    shape = (2, arguments.integer("size", size, 1), size)
    rng = arguments.seed(seed)
    floor = arguments.real("floor", floor, above=0.0)
    if floor >= 0.5:
        raise InputError(f"floor = {floor!r}: must lie in (0, 0.5)")

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


def worst_entropy_production(
    model: QuadraticModel | Model,
    equation: str = "redfield",
    bath: Any = None,
    lamb_shift: bool = False,
    seed: Any = 0,
    n_starts: int = 4,
    floor: float = 1e-3,
) -> WorstProduction:
    """The smallest entropy production that a bath can be brought to in any state, by descents.

    Parameters
    ----------
    model : QuadraticModel or Model
        A `QuadraticModel`, whose Gaussian states are searched, or a model of 2 to 64 states.
    equation : {"redfield", "davies", "local"}, default "redfield"
        "local" of a `QuadraticModel` alone.
    bath : Bath, sequence of Bath or None, default None
        For all couplings or one for each, of finite β; None for a `QuadraticModel`, whose contacts
        have reservoirs.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    seed : int, sequence of ints or Generator, default 0
        Of the random starts.
    n_starts : int, default 4
        How many there are.
    floor : float, default 0.001
        Smallest weight or occupation of a state, in (0, 0.5), which bounds how negative Redfield
        can become.

    Returns
    -------
    WorstProduction
        What is found is reached; that nothing is lower is not shown.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Spohn's σ_b = −tr D_b[ρ] (ln ρ + β_b(H − μ_b n)) of each bath b, J. Math. Phys. 19, 1227
    (1978); Davies has none below zero, by theorem, Redfield has, in states too rare to be met by
    chance.  A few hundred to thousand evaluations a start, 4 D² for each gradient: for D below
    ten.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel(np.array([[0.3, 0.5], [0.5, -0.3]]))
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=1.0)
    >>> worst = mb.worst_entropy_production(pair, "redfield", bath, n_starts=1)
    >>> worst.production < 0.0 <= mb.worst_entropy_production(
    ...     pair, "davies", bath, n_starts=1
    ... ).production + 1e-9
    True
    """
    if isinstance(model, QuadraticModel):
        if bath is not None:
            raise InputError("bath is given: the reservoirs of a QuadraticModel are its contacts'")
        if not model.contacts:
            raise InputError("model has no contacts: there is no bath that produces entropy")
        gaussian = build_generator(model, equation, lamb_shift)
        return search_violation(
            lambda state: correlation_balance(model, gaussian, state),
            model.statistics,
            model.n_sites,
            seed,
            n_starts,
            floor,
        )
    arguments.choice("equation", equation, ("redfield", "davies"))
    states, couplings = states_of_model(model, bath, lamb_shift)
    build: Any = build_davies_equation if equation == "davies" else build_redfield_equation
    generator = build(states, couplings, lamb_shift)
    baths = bath_states(couplings)
    return search_violation(
        lambda rho: balance(generator, baths, rho),
        DENSITY_MATRIX,
        states.basis.dimension,
        seed,
        n_starts,
        floor,
    )


def _density_matrix(factor: NDArray[Any], floor: float) -> Complex:
    """GG† of trace one with `floor` of the maximally mixed state."""
    state = factor @ factor.conj().T
    state /= np.trace(state).real
    return np.asarray((1.0 - floor) * state + floor * np.eye(len(state)) / len(state))
