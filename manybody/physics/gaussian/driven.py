"""Correlation matrices under a slowly driven h(t), SNM eq. (14).

At each instant R and F are those of h(t) frozen: good when h changes slowly on the
correlation time of the reservoirs, whatever the level spacings.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.integrate
from numpy.typing import NDArray

from manybody.errors import InputTypeError, NumericalError
from manybody.physics import arguments
from manybody.physics.gaussian.correlations import (
    DAVIES,
    EQUATIONS,
    Complex,
    Real,
    build_generator,
    checked_initial,
)
from manybody.physics.gaussian.quadratic import FERMION, Contact, QuadraticModel, checked_contacts
from manybody.physics.gaussian.theorem import TheoremResidual, theorem_residual
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.undecided import APART, warn_undecided

# The error of the answer is read off from a cheaper run with a looser tolerance.
_LOOSER = 100.0


@dataclass(frozen=True, eq=False)
class DrivenModel:
    """H(t) = Σ_jk h_jk(t) a_j† a_k with contacts that stay.

    hamiltonian: callable, time in 1/J -> h, (N, N) Hermitian in J, of one N.
    contacts, statistics: as in `QuadraticModel`, which checks each h(t) when it is met.
    """

    hamiltonian: Callable[[float], Any]
    contacts: tuple[Contact, ...] = ()
    statistics: str = FERMION

    def __post_init__(self) -> None:
        if not callable(self.hamiltonian):
            raise InputTypeError(
                f"hamiltonian = {self.hamiltonian!r}: a function of time is needed"
            )
        object.__setattr__(self, "contacts", checked_contacts(self.contacts, self.statistics))

    def at(self, time: float) -> QuadraticModel:
        """The model frozen at one time."""
        return QuadraticModel(self.hamiltonian(time), self.contacts, self.statistics)


@dataclass(frozen=True, eq=False)
class DrivenRun:
    """C(t) of a driven model.

    times: (T,); correlations: (T, N, N) in the site basis.
    error: largest |element| of the difference to a run at a hundred times the tolerance:
        the error of that run, and so an upper estimate of the error of this one.
    evaluations: how often h(t) was diagonalised, both runs together.
    """

    times: Real
    correlations: Complex
    error: float
    evaluations: int


def propagate_driven(
    model: DrivenModel,
    initial: NDArray[Any],
    times: Iterable[float],
    equation: str,
    lamb_shift: bool = False,
    tolerance: float = 1e-11,
) -> DrivenRun:
    """Integrate dC/dt = −(R(t)C + CR(t)†) + F(t) + F(t)† from C(0) = `initial`.

    Dormand-Prince of order 8 with steps that keep the local error below `tolerance`, in
    [1e-13, 0.01], absolute and relative.  Jumps and kinks of h(t) cost steps, not accuracy.
    Davies is the instantaneous one: where levels cross exactly it has no limit there.  Levels
    of which it cannot be decided whether they are equal are kept apart, with a warning.

    Raises TypeError or ValueError; RuntimeError when the steps become too small.
    """
    arguments.instance("model", model, DrivenModel)
    arguments.choice("equation", equation, EQUATIONS)
    arguments.boolean("lamb_shift", lamb_shift)
    tolerance = arguments.tolerance(tolerance)
    instants = arguments.ascending_times("times", times)
    state = checked_initial(initial, model.at(0.0).n_sites, model.statistics)
    open_at: list[float] = []
    states, evaluations = _integrate(
        model, state, instants, equation, lamb_shift, tolerance, open_at
    )
    looser = min(_LOOSER * tolerance, 0.1)
    coarse, more = _integrate(model, state, instants, equation, lamb_shift, looser, open_at)
    if open_at:
        at_times = f"between t = {min(open_at):g} and {max(open_at):g}"
        warn_undecided(
            f"{len(open_at)} times {at_times} it cannot be decided which levels coincide"
        )
    error = float(np.abs(states - coarse).max())
    return DrivenRun(instants, states, error, evaluations + more)


def driven_residuals(
    model: DrivenModel, times: Iterable[float], lamb_shift: bool = False
) -> list[TheoremResidual]:
    """Distance of the instantaneous Redfield and Davies equations at each of the times."""
    arguments.instance("model", model, DrivenModel)
    instants = arguments.ascending_times("times", times)
    return [theorem_residual(model.at(float(time)), lamb_shift) for time in instants]


def _integrate(
    model: DrivenModel,
    state: Complex,
    times: Real,
    equation: str,
    lamb_shift: bool,
    tolerance: float,
    open_at: list[float],
) -> tuple[Complex, int]:
    """(T, N, N) states, and the number of evaluations of h(t).

    open_at: takes the times at which it was not decided which levels coincide.
    """

    def derivative(time: float, flat: Complex) -> Complex:
        frozen = build_generator(model.at(time), equation, lamb_shift, undecided=APART)
        if equation == DAVIES and frozen.clustering == AMBIGUOUS:
            open_at.append(time)
        return frozen.derivative(flat.reshape(state.shape)).ravel()

    states, evaluations, now, flat = [], 0, 0.0, state.ravel()
    for time in times:
        # Interval by interval: the interpolation inside a step is of lower order.
        if time > now:
            solution = scipy.integrate.solve_ivp(
                derivative,
                (now, float(time)),
                flat,
                method="DOP853",
                t_eval=[float(time)],
                rtol=tolerance,
                atol=tolerance,
            )
            if not solution.success:
                raise NumericalError(f"the driven equation was not integrated: {solution.message}")
            flat, now = solution.y[:, -1], float(time)
            evaluations += int(solution.nfev)
        states.append(flat.reshape(state.shape))
    return np.array(states), evaluations
