"""Correlation matrices under a slowly driven h(t), SNM eq. (14).

At each instant R and F are those of h(t) frozen: good when h changes slowly on the
correlation time of the reservoirs, whatever the level spacings.

SNM is a paper that docs/physics.md names.
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
    """A quadratic model whose h depends on time, H(t) = Σ_jk h_jk(t) a_j† a_k.

    Parameters
    ----------
    hamiltonian : callable
        h of the time in 1/J, (N, N) Hermitian in J, of one N; or a `TabulatedHamiltonian`.
    contacts : sequence of Contact, default ()
        As in `QuadraticModel`, which checks each h(t) when it is met.
    statistics : {"fermion", "boson"}, default "fermion"
        Of the system and of every reservoir.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eq. (14); docs/physics.md section 6.

    Examples
    --------
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
        """The model frozen at one time.

        Parameters
        ----------
        time : float
            In 1/J.

        Returns
        -------
        QuadraticModel
            Of h(t).

        Raises
        ------
        InputError
            h(t) is not what is needed; the sentence names the time.
        """
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

    Attributes
    ----------
    times : (T,) array
        In 1/J.
    correlations : (T, N, N) array of complex
        C_qp = ⟨a_p† a_q⟩ in the site basis.
    error : float
        Largest |element| of the difference to a run at a hundred times the tolerance: the error of
        that run, and so an upper estimate of the error of this one.
    evaluations : int
        How often h(t) was diagonalised, both runs together.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=1.0, half_width=4.0), beta=1.5)
    >>> model = mb.DrivenQuadraticModel(lambda t: [[0.1 * t]], [mb.Contact(0, lead, strength=0.3)])
    >>> run = mb.driven_correlations(model, np.zeros((1, 1)), [0.0, 1.0], "davies")
    >>> bool(run.error < 1e-6 < run.correlations[1, 0, 0].real)
    True
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
    """Correlations C_qp(t) = ⟨a_p† a_q⟩ under h(t) by an equation in its instantaneous eigenbasis.

    dC/dt = −(R(t)C + CR(t)†) + F(t) + F(t)† from C(0) = `initial`, R and F of h(t) frozen.

    Parameters
    ----------
    model : DrivenQuadraticModel
        h(t) and its contacts.
    initial : (N, N) array
        C(0), Hermitian, eigenvalues >= 0, for fermions <= 1.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    equation : {"redfield", "davies", "local"}
        Davies is the instantaneous one: where levels cross exactly it has no limit there.
    lamb_shift : bool, default False
        With Δ and Δ^f or without.
    tolerance : float, default 1e-11
        In [1e-13, 0.01], of the local error of a step of Dormand and Prince of order 8, absolute
        and relative.

    Returns
    -------
    DrivenCorrelations
        C(t) and an estimate of its error.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).
    NumericalError
        The steps become too small.

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eq. (14); docs/physics.md section 6.  Jumps and kinks of
    h(t) cost steps, not accuracy.  Levels of which it cannot be decided whether they are equal are
    kept apart, with a warning.

    Examples
    --------
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
