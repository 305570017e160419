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
    """(T, N, N) C_qp(t) = ⟨a_p† a_q⟩ at ascending times >= 0 in 1/J; SNM eqs. (10) and (11).

    initial: (N, N) Hermitian C(0), eigenvalues >= 0, for fermions <= 1; equation: "redfield",
    "davies" or "local"; lamb_shift: with Δ and Δ^f or without; undecided: what Davies does with
    levels of which it cannot be decided whether they are equal, "apart" or "merged", None for
    apart with a warning.  All times are held at once; `relaxation.propagate` gives one after
    the other.  Raises TypeError or ValueError.
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
    """What C becomes in the long run, RC + CR† = F + F†; SNM eqs. (10) and (11).

    equation, lamb_shift, undecided: as above; initial: (N, N), needed where modes are
    undamped, and the result is then the average over time.  Raises TypeError or ValueError,
    also when modes grow or are filled without end.
    """
    generator = build_generator(model, equation, lamb_shift, undecided=undecided)
    relaxed = build_relaxation(generator)
    return relaxation.steady_correlations(relaxed, initial)
