"""Matrices far outside the states: when that is so, and which mode takes them there.

Redfield, for one, keeps trace and Hermiticity, not positivity.  A little negative weight is its
known price; a trace distance above 2, which no two states have, or an eigenvalue below -0.1 is
no answer any more, and is said to be none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import NumericalError
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.several import AnyBaths
from manybody.physics.equations.redfield import REDFIELD, redfield_of
from manybody.physics.equations.registry import unguarded
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.solve.comparison import Comparison, SideBySide

LARGEST_DISTANCE, SMALLEST_EIGENVALUE = 2.0, -0.1
# What the estimated error of a stepper may add to a distance of two states.
_MOST_ERROR, _ROUNDING = 0.1, 1e-10
# A dense (N², N²) matrix and its eigenvalues take a fraction of a second.
_MOST_SITES = 16


@dataclass(frozen=True)
class Outside:
    """How far one sample leaves the states.

    who: titles of the equations that do not guarantee positivity;
    distance: its largest trace distance, at `time` in 1/J; smallest: of the eigenvalues of
    their ρ over all times; since: first output time at which one of both is out of bounds.
    """

    who: str
    distance: float
    time: float
    smallest: float
    since: float


def are_outside(distance: Real, smallest: Real, stepper_error: Real) -> NDArray[np.bool_]:
    """(n, T) which distances and smallest eigenvalues, (n, T), no states may have.

    stepper_error: (n,) estimates in trace norm; a distance may exceed 2 by as much.
    """
    slack = _ROUNDING + np.minimum(np.nan_to_num(stepper_error, nan=0.0), _MOST_ERROR)
    return (distance > LARGEST_DISTANCE + slack[:, None]) | (smallest < SMALLEST_EIGENVALUE)


def outside(run: Comparison) -> Outside | None:
    """How far a run leaves the states, None where it does not."""
    distance = np.max([*run.distance.values(), *run.distance_merged.values()], axis=0)
    return outside_of(run, distance, run.certificate.stepper_error)


def outside_of(run: SideBySide, distance: Real, error: float) -> Outside | None:
    """The same from (T,) largest distances, known to `error` in trace norm."""
    smallest = run.smallest_eigenvalue
    (which,) = are_outside(distance[None], smallest[None], np.array([error]))
    if not which.any():
        return None
    worst = int(np.argmax(distance))
    return Outside(
        " or ".join(each.title for each in unguarded(run.equations)),
        float(distance[worst]),
        float(run.times[worst]),
        float(smallest.min()),
        float(run.times[int(np.argmax(which))]),
    )


def with_time(
    error: Exception, who: str, times: Real, distance: Real, smallest: Real
) -> NumericalError:
    """An overflow with the time since which the state was none.

    who: title of the equation; distance, smallest: (n, T) as far as they were observed, nan
    beyond.
    """
    error_words = str(error)
    with np.errstate(invalid="ignore"):
        which = are_outside(distance, smallest, np.zeros(len(distance))).any(axis=0)
    if not which.any():
        return NumericalError(error_words)
    first = float(times[int(np.argmax(which))])
    return NumericalError(
        f"{error_words}; the {who} state has left the states from t = {first:g} on"
    )


def growth_rate(times: Real, distance: Real) -> float:
    """Rate in J at which a (T,) distance grows over the second half of the times.

    The slope of its logarithm by least squares; with one time there, from 2 at t = 0, which
    is a lower bound where it is far above 2; nan where there is nothing to take it from.
    """
    late = (times >= 0.5 * times[-1]) & (times > 0.0) & (distance > 0.0)
    if not late.any():
        return math.nan
    t, logarithm = times[late], np.log(distance[late])
    if len(t) == 1:
        return float((logarithm[0] - math.log(LARGEST_DISTANCE)) / t[0])
    t = t - t.mean()
    return float(t @ logarithm / (t @ t))


def fastest_mode(problem: Problem) -> complex | None:
    """The eigenvalue of Redfield's L with the largest real part, None above 16 sites."""
    if problem.model.dimension > _MOST_SITES:
        return None
    matrix = assemble_rows(redfield_of(problem)).matrix.toarray()
    values = np.linalg.eigvals(matrix)
    best = values[np.argmax(values.real)]
    # Eigenvalues of a matrix that is not normal are known to ε‖L‖ times their condition.
    rounding = 1e-12 * float(np.abs(matrix).sum(axis=0).max())
    real, imaginary = (float(x) if abs(x) > rounding else 0.0 for x in (best.real, best.imag))
    return complex(real, abs(imaginary))


def mode_words(rate: float, mode: complex | None = None) -> str:
    """The growing mode in words: from L where its spectrum is known, else from the run."""
    if mode is not None and mode.real > 0.0:
        return (
            f"the fastest growing mode of L has the eigenvalue Re = {mode.real:.3g} J, "
            f"|Im| = {mode.imag:.3g} J"
        )
    if mode is not None:
        return "no mode of L grows: decaying or stationary parts of the state do this"
    if rate > 0.0:
        return f"a mode grows at a rate of about {rate:.2g} J, estimated from this run"
    if math.isnan(rate):
        return "whether a mode grows cannot be told from one time"
    return "at the end of the run the distance no longer grows"


def outside_words(found: Outside, rate: float, mode: complex | None = None) -> str:
    """One sentence on a sample that leaves the states."""
    return (
        f"the {found.who} state leaves the states from t = {found.since:g} on: trace distance up "
        f"to {found.distance:.4g} at t = {found.time:g} (no two states are further apart than 2), "
        f"smallest eigenvalue {found.smallest:.3g}; {mode_words(rate, mode)}"
    )


def outside_warning(run: Comparison, model: Model | None, bath: AnyBaths, lamb_shift: bool) -> str:
    """What to say of a run, empty where it stays near the states.

    model: None, or the one that ran, whose spectrum is then looked at where it is small.
    """
    found = outside(run)
    if found is None:
        return ""
    mode = None
    # Of two equations either may be the one that grows.
    if model is not None and unguarded(run.equations) == [REDFIELD]:
        mode = fastest_mode(Problem([model], bath, lamb_shift))
    return outside_words(found, growth_rate(run.times, run.trace_distance), mode)


def ensemble_warning(
    runs: Sequence[Comparison], models: Sequence[Model], bath: AnyBaths, lamb_shift: bool
) -> str:
    """The same for many samples: how many leave the states, and the worst; empty if none does."""
    found = {index: one for index, run in enumerate(runs) if (one := outside(run)) is not None}
    if not found:
        return ""
    worst = max(found, key=lambda index: (found[index].distance, -found[index].smallest))
    own = outside_warning(runs[worst], models[worst], bath, lamb_shift)
    return f"{len(found)} of {len(runs)} samples leave the states; in sample {worst} {own}"
