"""Mergeable moments and the bootstrap of the maximum over time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

N_RESAMPLES = 2000
# Central interval of one standard deviation of a normal distribution.
_QUANTILES = (0.15865525393145707, 0.8413447460685429)


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations; merging is exact up to rounding."""

    count: int
    mean: Real
    deviations: Real

    @staticmethod
    def of(samples: Real) -> "Moments":
        """Moments of (n, ...) samples over their first axis."""
        mean = samples.mean(axis=0)
        return Moments(len(samples), mean, ((samples - mean) ** 2).sum(axis=0))

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both sets together (Chan, Golub and LeVeque 1979)."""
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        cross = delta**2 * (self.count * other.count / count)
        return Moments(count, mean, self.deviations + other.deviations + cross)

    @property
    def standard_deviation(self) -> Real:
        """Sample standard deviation; nan for one sample."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        return np.sqrt(self.deviations / (self.count - 1))

    @property
    def standard_error(self) -> Real:
        """Standard error of the mean; nan for one sample."""
        return self.standard_deviation / np.sqrt(self.count)


@dataclass(frozen=True, eq=False)
class Summary:
    """Disorder average of one point.

    moments: over samples at every time (T,); maximum: max over t of the mean, at
    time_of_maximum, with its bootstrap interval [maximum_low, maximum_high] (68 %)
    and maximum_error, the standard error of the mean at that time; mean_maximum ±
    mean_maximum_error: mean over samples of each sample's own maximum, another and
    larger quantity, with its bootstrap interval [mean_maximum_low, mean_maximum_high].
    Errors and intervals of a single sample are nan.
    """

    moments: Moments
    maximum: float
    time_of_maximum: float
    maximum_low: float
    maximum_high: float
    maximum_error: float
    maximum_deviation: float
    mean_maximum: float
    mean_maximum_error: float
    mean_maximum_low: float
    mean_maximum_high: float


def summarise(distance: Real, times: Real, seed: int) -> Summary:
    """Average (samples, T) trace distances; the seed makes the bootstrap repeatable."""
    moments = Moments.of(distance)
    index = int(np.argmax(moments.mean))
    low, high = maximum_interval(distance, seed)
    each = distance.max(axis=1)
    own = Moments.of(each)
    # One column: its maximum over "time" is itself, and the interval that of a mean.
    own_low, own_high = maximum_interval(each[:, None], seed)
    return Summary(
        moments,
        float(moments.mean[index]),
        float(times[index]),
        float(low),
        float(high),
        float(moments.standard_error[index]),
        float(moments.standard_deviation[index]),
        float(own.mean),
        float(own.standard_error),
        own_low,
        own_high,
    )


def maximum_interval(distance: Real, seed: int) -> tuple[float, float]:
    """Basic bootstrap interval (68 %) of max over t of the mean: 2 max − quantiles.

    The maximum of a noisy mean lies above the maximum of the mean, and that of
    resampled means higher still; reflecting the quantiles takes this bias off once,
    where percentiles would add it again.  (nan, nan) for one sample.
    """
    if len(distance) < 2:
        return float("nan"), float("nan")
    maximum = float(distance.mean(axis=0).max())
    low, high = np.quantile(bootstrap_maximum(distance, seed), _QUANTILES)
    return 2.0 * maximum - float(high), 2.0 * maximum - float(low)


def bootstrap_maximum(distance: Real, seed: int) -> Real:
    """Max over t of the mean over resampled samples, N_RESAMPLES times.

    Resampling whole samples keeps the correlations between times.
    """
    n = len(distance)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1.0 / n), size=N_RESAMPLES)
    return ((counts / n) @ distance).max(axis=1)


@dataclass(frozen=True)
class Spread:
    """One figure over samples: mean ± error, standard deviation and quantiles.

    count: samples with a finite value, over which all is taken; others: how many have
    none.  error: standard error of the mean, nan for one sample; low, median, high: the
    quantiles at 16 %, 50 % and 84 %.  All nan when count is 0.
    """

    count: int
    others: int
    mean: float
    error: float
    deviation: float
    low: float
    median: float
    high: float


def spread_of(values: Real) -> Spread:
    """Spread of (n,) values."""
    finite = values[np.isfinite(values)].astype(np.float64)
    others = len(values) - len(finite)
    if not len(finite):
        return Spread(0, others, *[float("nan")] * 6)
    moments = Moments.of(finite)
    low, median, high = np.quantile(finite, [_QUANTILES[0], 0.5, _QUANTILES[1]])
    return Spread(
        len(finite),
        others,
        float(moments.mean),
        float(moments.standard_error),
        float(moments.standard_deviation),
        float(low),
        float(median),
        float(high),
    )
