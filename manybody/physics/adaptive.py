"""Equations with coefficients that depend on time, integrated with adaptive steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError

# The error of an answer is read off from a cheaper one whose tolerance is so much looser.
_LOOSER, _LOOSEST = 100.0, 0.1


def looser(tolerance: float) -> float:
    """The tolerance of the run that tells the error of one at `tolerance`."""
    return min(_LOOSER * tolerance, _LOOSEST)


def integrate(
    derivative: Callable[[float, Complex], NDArray[Any]],
    initial: Complex,
    times: Real,
    tolerance: float,
) -> tuple[Complex, int]:
    """States of dy/dt = derivative(t, y) at ascending times >= 0 from y(0), and evaluations.

    initial: any shape (...), as derivative takes and gives it; the first result (T, ...).
    Dormand-Prince of order 8 with steps that keep the local error below `tolerance`, absolute
    and relative.  Raises NumericalError when steps become too small or numbers overflow.
    """
    states, evaluations, now, flat = [], 0, 0.0, initial.ravel()

    def right(time: float, y: Complex) -> NDArray[Any]:
        return derivative(time, y.reshape(initial.shape)).ravel()

    for time in times:
        # Interval by interval: the interpolation inside a step is of lower order.
        if time > now:
            with np.errstate(over="ignore", invalid="ignore"):
                solution = scipy.integrate.solve_ivp(
                    right,
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
            if not np.all(np.isfinite(flat)):
                raise NumericalError(f"the driven equation grows beyond all numbers at t = {now}")
            evaluations += int(solution.nfev)
        states.append(flat.reshape(initial.shape))
    return np.array(states), evaluations
