"""Correlation matrices under a slowly driven h(t), SNM eq. (14).

At each instant R and F are those of h(t) frozen: good when h changes slowly on the
correlation time of the reservoirs, whatever the level spacings.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputTypeError, said_of, shown
from manybody.physics import arguments
from manybody.physics.adaptive import integrate, looser
from manybody.physics.gaussian.correlations import (
    DAVIES,
    EQUATIONS,
    Complex,
    Real,
    build_generator,
    checked_initial,
)
from manybody.physics.gaussian.quadratic import FERMION, Contact, QuadraticModel, checked_contacts
from manybody.physics.models.driven import uncertainty_of_table
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.undecided import APART, warn_undecided
from manybody.physics.underflow import zero_where_tiny


@dataclass(frozen=True, eq=False)
class DrivenQuadraticModel:
    """A quadratic model whose h depends on time, H(t) = Σ_jk h_jk(t) a_j† a_k, SNM eq. (14).

    hamiltonian: a function of the time in 1/J that returns h, (N, N) Hermitian in J, of one N,
        or a `TabulatedHamiltonian`.
    contacts, statistics: as in `QuadraticModel`, which checks each h(t) when it is met.
    Raises TypeError or ValueError.

    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=1.0, half_width=4.0), beta=1.5)
    >>> h = lambda t: np.array([[0.4 * np.cos(0.1 * t), 0.5], [0.5, -0.4 * np.cos(0.1 * t)]])
    >>> model = mb.DrivenQuadraticModel(h, [mb.Contact(0, lead, strength=0.3)])
    >>> model.at(0.0).n_sites
    2
    """

    hamiltonian: Callable[[float], Any]
    contacts: tuple[Contact, ...] = ()
    statistics: str = FERMION

    def __post_init__(self) -> None:
        # A `Qobj` can be called, but not with a time.
        if not callable(self.hamiltonian) or hasattr(self.hamiltonian, "full"):
            raise InputTypeError(
                f"hamiltonian = {shown(self.hamiltonian)}: a function of time is needed"
            )
        object.__setattr__(self, "contacts", checked_contacts(self.contacts, self.statistics))

    def at(self, time: float) -> QuadraticModel:
        """The model frozen at one time.  Raises TypeError or ValueError, which name the time."""
        with said_of(f"at t = {arguments.real('time', time):g}"):
            return QuadraticModel(
                self.hamiltonian(time),
                self.contacts,
                self.statistics,
                uncertainty_of_table(self.hamiltonian),
            )


@dataclass(frozen=True, eq=False)
class DrivenCorrelations:
    """C(t) of a driven model by one equation.

    times: (T,); correlations: (T, N, N) in the site basis.
    error: largest |element| of the difference to a run at a hundred times the tolerance:
        the error of that run, and so an upper estimate of the error of this one.
    evaluations: how often h(t) was diagonalised, both runs together.
    """

    times: Real
    correlations: Complex
    error: float
    evaluations: int


@zero_where_tiny
def driven_correlations(
    model: DrivenQuadraticModel,
    initial: NDArray[Any],
    times: Iterable[float],
    equation: str,
    lamb_shift: bool = False,
    tolerance: float = 1e-11,
) -> DrivenCorrelations:
    """C_qp(t) = ⟨a_p† a_q⟩ under h(t) in the instantaneous eigenbasis, SNM eq. (14).

    dC/dt = −(R(t)C + CR(t)†) + F(t) + F(t)† from C(0) = `initial`, R and F of h(t) frozen.

    initial: (N, N) Hermitian, eigenvalues >= 0, for fermions <= 1; times: ascending, >= 0, in
    1/J; equation: "redfield", "davies" or "local"; lamb_shift: with Δ and Δ^f or without;
    tolerance: in [1e-13, 0.01], of the local error of a step of Dormand and Prince of order 8,
    absolute and relative.  Jumps and kinks of h(t) cost steps, not accuracy.
    Davies is the instantaneous one: where levels cross exactly it has no limit there.  Levels
    of which it cannot be decided whether they are equal are kept apart, with a warning.

    Raises TypeError or ValueError; NumericalError when the steps become too small.

    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=1.0, half_width=4.0), beta=1.5)
    >>> h = lambda t: np.array([[0.4 * np.cos(0.1 * t), 0.5], [0.5, -0.4 * np.cos(0.1 * t)]])
    >>> model = mb.DrivenQuadraticModel(h, [mb.Contact(0, lead, strength=0.3)])
    >>> run = mb.driven_correlations(model, np.diag([1.0, 0.0]), [0.0, 2.0], "redfield")
    >>> run.correlations.shape, run.error < 1e-6
    ((2, 2, 2), True)
    """
    arguments.instance("model", model, DrivenQuadraticModel)
    arguments.choice("equation", equation, EQUATIONS)
    arguments.boolean("lamb_shift", lamb_shift)
    tolerance = arguments.tolerance(tolerance)
    instants = arguments.ascending_times("times", times)
    state = checked_initial(initial, model.at(0.0).n_sites, model.statistics)
    open_at: list[float] = []
    states, evaluations = _integrate(
        model, state, instants, equation, lamb_shift, tolerance, open_at
    )
    coarse, more = _integrate(
        model, state, instants, equation, lamb_shift, looser(tolerance), open_at
    )
    if open_at:
        at_times = f"between t = {min(open_at):g} and {max(open_at):g}"
        warn_undecided(
            f"{len(open_at)} times {at_times} it cannot be decided which levels coincide"
        )
    error = float(np.abs(states - coarse).max())
    return DrivenCorrelations(instants, states, error, evaluations + more)


def _integrate(
    model: DrivenQuadraticModel,
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

    def derivative(time: float, state: Complex) -> Complex:
        frozen = build_generator(model.at(time), equation, lamb_shift, undecided=APART)
        if equation == DAVIES and frozen.clustering == AMBIGUOUS:
            open_at.append(time)
        return frozen.derivative(state)

    return integrate(derivative, state, times, tolerance)
