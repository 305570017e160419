"""Correlation matrices under linear coupling in one call: dynamics and steady states.

SNM is a paper that docs/physics.md names.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics import arguments
from manybody.physics.gaussian import relaxation
from manybody.physics.gaussian.correlations import REDFIELD, Complex, build_generator
from manybody.physics.gaussian.quadratic import QuadraticModel
from manybody.physics.gaussian.relaxation import SteadyCorrelations, build_relaxation
from manybody.physics.underflow import zero_where_tiny


@zero_where_tiny
def correlation_dynamics(
    model: QuadraticModel,
    initial: NDArray[Any],
    times: Iterable[float],
    equation: str = REDFIELD,
    lamb_shift: bool = False,
    undecided: str | None = None,
) -> Complex:
    """Correlations C_qp(t) = ⟨a_p† a_q⟩ under linear coupling to reservoirs.

    Parameters
    ----------
    model : QuadraticModel
        With contacts or without.
    initial : (N, N) array
        C(0), Hermitian, eigenvalues >= 0, for fermions <= 1.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    equation : {"redfield", "davies", "local"}, default "redfield"
        The equation of motion.
    lamb_shift : bool, default False
        With Δ and Δ^f or without.
    undecided : {"apart", "merged"} or None, default None
        What Davies does with levels of which it cannot be decided whether they are equal; None for
        apart with a warning.

    Returns
    -------
    (T, N, N) array of complex
        In the site basis; all times are held at once, `relaxation.propagate` gives one after the
        other.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eqs. (10) and (11); docs/physics.md section 6.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> wire = mb.QuadraticModel([[0.3, 0.5], [0.5, -0.3]], [mb.Contact(0, lead)])
    >>> mb.correlation_dynamics(wire, np.diag([1.0, 0.0]), [0.0, 1.0, 2.0]).shape
    (3, 2, 2)
    """
    instants = arguments.ascending_times("times", times)
    generator = build_generator(model, equation, lamb_shift, undecided=undecided)
    relaxed = build_relaxation(generator)
    return np.stack(list(relaxation.propagate(relaxed, initial, instants)))


@zero_where_tiny
def steady_correlations(
    model: QuadraticModel,
    equation: str = REDFIELD,
    lamb_shift: bool = False,
    initial: NDArray[Any] | None = None,
    undecided: str | None = None,
) -> SteadyCorrelations:
    """Correlations that are left in the long run under linear coupling, RC + CR† = F + F†.

    Parameters
    ----------
    model : QuadraticModel
        With contacts.
    equation : {"redfield", "davies", "local"}, default "redfield"
        The equation of motion.
    lamb_shift : bool, default False
        With Δ and Δ^f or without.
    initial : (N, N) array or None, default None
        C(0), needed where modes are undamped, and the result is then the average over time.
    undecided : {"apart", "merged"} or None, default None
        What Davies does with levels of which it cannot be decided whether they are equal; None for
        apart with a warning.

    Returns
    -------
    SteadyCorrelations
        C and how far it is stationary.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), or modes grow or
        are filled without end.

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eqs. (10) and (11); docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> wire = mb.QuadraticModel([[0.3, 0.5], [0.5, -0.3]], [mb.Contact(0, lead)])
    >>> float(mb.steady_correlations(wire, "davies").matrix.trace().real.round(6))  # half filled
    1.0
    """
    generator = build_generator(model, equation, lamb_shift, undecided=undecided)
    relaxed = build_relaxation(generator)
    return relaxation.steady_correlations(relaxed, initial)
