"""How errors shrink with the number of disorder samples, and how many are needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from manybody.arrays import Real
from manybody.report.analysis.statistics import bootstrap_maximum


@dataclass(frozen=True)
class SamplesNeeded:
    """Samples for a target standard error: needed, and its 68 % interval [low, high]."""

    target_error: float
    needed: int
    low: int
    high: int


def samples_needed(
    target_error: float, deviation: float, n_samples: int, excess_kurtosis: float = 0.0
) -> SamplesNeeded:
    """Samples that bring the standard error of a mean to target_error: (deviation/target)².

    deviation: standard deviation over samples, itself known from n_samples only: its square
    is spread as chi² with 2/(2/(n - 1) + excess_kurtosis/n) degrees of freedom, n - 1 for a
    normal distribution, which gives the interval.  target_error has the unit of deviation.
    For the maximum of a mean, deviation is its bootstrap error times sqrt(n_samples).
    Raises ValueError for a target or deviation that is not positive and finite, fewer than
    2 samples, an excess kurtosis at or below -2.
    """
    for name, value in (("target_error", target_error), ("deviation", deviation)):
        if not (math.isfinite(value) and value > 0.0):
            raise ValueError(f"{name} must be positive and finite, got {value}")
    if n_samples < 2:
        raise ValueError(f"a deviation needs at least 2 samples, got {n_samples}")
    if not excess_kurtosis > -2.0:
        raise ValueError(f"excess_kurtosis must exceed -2, got {excess_kurtosis}")
    freedom = 2.0 / (2.0 / (n_samples - 1) + excess_kurtosis / n_samples)
    needed = (deviation / target_error) ** 2
    high, low = freedom / special.chdtri(freedom, special.ndtr([1.0, -1.0]))
    counts = [max(2, math.ceil(needed * factor - 1e-9)) for factor in (1.0, low, high)]
    return SamplesNeeded(target_error, *counts)


@dataclass(frozen=True, eq=False)
class Precision:
    """Maximum over time of the mean, and its error, for growing numbers of samples.

    counts (K,); maximum, error (K,): over the first samples in order; mean_maximum,
    mean_error (K,): averages over random subsets, error_spread (K,): standard deviation of
    the error over them.  Maxima carry no correction, so that a fall of mean_maximum shows
    their bias.  Subsets near the whole overlap: their spread goes to zero and is no error.
    """

    counts: NDArray[np.int64]
    maximum: Real
    error: Real
    mean_maximum: Real
    mean_error: Real
    error_spread: Real


def precision(
    distance: Real, seed: int, counts: Sequence[int] | None = None, n_subsets: int = 10
) -> Precision:
    """Errors over subsets of (samples, T) curves, repeatable by the seed.

    counts: increasing numbers of samples from 2 on, by default the number of all samples
    halved as long as 8 are left.  n_subsets: random subsets a count, drawn without repetition.
    An error is the standard deviation of the bootstrap of the maximum times
    sqrt(n/(n - 1)).
    Raises ValueError for curves of another shape, counts that do not increase or exceed the
    samples, n_subsets below 1.
    """
    if distance.ndim != 2 or len(distance) < 2:
        raise ValueError(f"distance must be (samples > 1, T), got shape {distance.shape}")
    total = len(distance)
    if counts is None:
        counts = sorted(
            {total >> k for k in range(total.bit_length()) if total >> k >= 8} | {total}
        )
    sizes = np.array(counts, dtype=np.int64)
    if not len(sizes) or sizes[0] < 2 or sizes[-1] > total or (np.diff(sizes) <= 0).any():
        raise ValueError(f"counts must increase between 2 and {total}, got {list(counts)}")
    if n_subsets < 1:
        raise ValueError(f"n_subsets must be at least 1, got {n_subsets}")
    rng = np.random.default_rng([seed, 1])
    rows = []
    for n in sizes.tolist():
        first = _maximum_and_error(distance[:n], seed)
        chosen = [rng.permutation(total)[:n] for _ in range(n_subsets)]
        several = np.array([_maximum_and_error(distance[one], seed) for one in chosen])
        rows.append((*first, *several.mean(axis=0), several[:, 1].std()))
    return Precision(sizes, *np.array(rows).T)


def _maximum_and_error(distance: Real, seed: int) -> tuple[float, float]:
    n = len(distance)
    error = float(bootstrap_maximum(distance, seed).std(ddof=1)) * math.sqrt(n / (n - 1.0))
    return float(distance.mean(axis=0).max()), error
