"""e^{At} x of contractions by uniformisation: sums of powers with Poisson weights."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError

# Poisson mean of a stage up to which e^{-qt} and its recursion lose nothing in double
# precision: for a contraction S, and for one that a Lamb shift makes as large as 2.
MAX_POISSON_MEAN = 200.0
MAX_POISSON_MEAN_SHIFTED = 4.0
_MAX_STAGES = 1e6
# Mean, which no built-in study comes near, beyond which so few numbers go by exponentials.
_LONG, _MOST_DENSE = 1e4, 144
# Powers of a uniformised generator held at a time.
_POWERS_AT_ONCE = 32


def uniformised(
    step: Any, initial: NDArray[Any], q: float, times: Real, largest_mean: float = MAX_POISSON_MEAN
) -> NDArray[Any]:
    """Σ_k Poisson(k; qt) S^k x for every time t, i.e. e^{q(S − 1)t} x.

    step: x -> S x; initial: (n,); times: (T,) ascending, >= 0.  Returns (T, n).
    One recursion serves all times; long times are reached in stages of qt <= largest_mean.
    """
    result = np.empty((len(times), len(initial)), dtype=initial.dtype)
    stage = largest_mean / q
    start, current, done = 0.0, initial, 0
    while done < len(times):
        stop = int(np.searchsorted(times, start + stage, side="right"))
        if stop == done:
            means = np.array([largest_mean])
            current, start = _poisson_mixture(step, current, means)[0], start + stage
            continue
        result[done:stop] = _poisson_mixture(step, current, q * (times[done:stop] - start))
        done = stop
    return result


def _by_exponentials(dissipator: Any, initial: Complex, times: Real) -> Complex:
    """e^{At} x from time to time, one matrix for every length of a step; (T, n)."""
    matrix = np.stack([dissipator(unit) for unit in np.eye(len(initial), dtype=complex)], axis=1)
    exponentials = {0.0: np.eye(len(initial), dtype=complex)}
    states = np.empty((len(times), len(initial)), dtype=np.complex128)
    state = initial.astype(np.complex128)
    for index, step in enumerate(np.diff(times, prepend=0.0)):
        if step not in exponentials:
            exponentials[step] = scipy.linalg.expm(matrix * step)
        state = exponentials[step] @ state
        states[index] = state
    return states


def _poisson_mixture(step: Any, initial: NDArray[Any], means: Real) -> NDArray[Any]:
    """Σ_k Poisson(k; mean) S^k x for every mean, in blocks of powers; (T, n)."""
    largest = float(means[-1])
    n_terms = int(largest + 12.0 * np.sqrt(largest) + 30.0)
    with np.errstate(under="ignore"):
        ratios = np.ones((len(means), n_terms))
        ratios[:, 1:] = means[:, None] / np.arange(1, n_terms)
        weights = np.exp(-means)[:, None] * np.cumprod(ratios, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    result = np.zeros((len(means), len(initial)), dtype=initial.dtype)
    power = initial
    for first in range(0, n_terms, _POWERS_AT_ONCE):
        chunk = weights[:, first : first + _POWERS_AT_ONCE]
        powers = np.empty((chunk.shape[1], len(initial)), dtype=initial.dtype)
        for index in range(len(powers)):
            powers[index] = power
            power = step(power)
        result += chunk @ powers
    return result


def evolve(
    dissipator: Any, initial: Complex, bound: float, times: Real, largest_mean: float
) -> Complex:
    """e^{At} x of a dissipator A with ‖A‖ <= bound at all times; (T, n).

    1 + A/‖A‖ is a contraction without Lamb shift.  With it the powers may double each
    time and cancel: then only short stages keep their digits.  Few numbers over long times go
    by matrix exponentials.  Raises ValueError when there would be too many stages.
    """
    if bound * float(times[-1]) / largest_mean > _MAX_STAGES:
        raise InputError(
            f"times up to {float(times[-1]):g} with Bohr blocks of norm {bound:g} need more than "
            f"{_MAX_STAGES:g} stages: are energies, couplings and times in the same units?"
        )
    if len(initial) <= _MOST_DENSE and bound * float(times[-1]) > _LONG:
        return _by_exponentials(dissipator, initial, times)
    x = initial.astype(np.complex128)
    if bound == 0.0:
        return np.tile(x, (len(times), 1))
    return uniformised(lambda y: y + dissipator(y) / bound, x, bound, times, largest_mean)
