"""Mergeable moments, the bootstrap of the maximum over time, and whether it lies inside."""

import functools
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from manybody.arrays import Real
from manybody.report.analysis.numbers import with_error

N_RESAMPLES = 2000
# Samples up to which their weights are kept, 16 MB at most.
_KEPT_UP_TO = 1000
# Central interval of one standard deviation of a normal distribution.
_QUANTILES = (0.15865525393145707, 0.8413447460685429)
# Samples that differ by less agree: trace norms of states carry rounding of this size, and the
# same sample on other numbers of ranks is allowed it.  Relative, for what is larger than 1.
ROUNDING = 1e-12
# A maximum in the last tenth of the time may be surpassed later, and so may one that lies
# there in this share of resampled means, as where two times differ by two standard errors.
_LAST_TENTH, _CHANCE = 0.9, 0.025


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations."""

    count: int
    mean: Real
    deviations: Real

    @staticmethod
    def of(samples: Real) -> "Moments":
        """Moments of (n, ...) samples over their first axis."""
        # Rounding of the sum must not give equal samples a spread.
        mean = np.clip(samples.mean(axis=0), samples.min(axis=0), samples.max(axis=0))
        return Moments(len(samples), mean, ((samples - mean) ** 2).sum(axis=0))

    @property
    def standard_deviation(self) -> Real:
        """Sample standard deviation; nan for one sample."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        deviation: Real = np.sqrt(self.deviations / (self.count - 1))
        return deviation

    @property
    def standard_error(self) -> Real:
        """Standard error of the mean; nan for one sample."""
        error: Real = self.standard_deviation / np.sqrt(self.count)
        return error


@dataclass(frozen=True)
class Peak:
    """Where the mean over `count` samples is largest: index of the time, mean and its error."""

    count: int
    mean: float
    error: float
    place: int

    @classmethod
    def of(cls, curves: Real) -> "Peak":
        """That of (n, T) curves; the error is nan for one sample."""
        moments = Moments.of(curves)
        place = int(np.argmax(moments.mean))
        return cls(
            moments.count, float(moments.mean[place]), float(moments.standard_error[place]), place
        )


class Reach(StrEnum):
    """Whether the times reach the maximum over time of the mean.

    INSIDE: it lies before the last output time, and the mean has fallen since; PLATEAU: at the
    end or indistinguishable from it, while the mean is flat within its error over the second
    half of the time; END: there, and the mean may rise on: the value is a lower bound.
    """

    INSIDE = "inside"
    PLATEAU = "plateau"
    END = "lower bound"


@dataclass(frozen=True, eq=False)
class Summary:
    """Disorder average of one point.

    moments: over samples at every time (T,); maximum: max over t of the mean, at
    time_of_maximum, with its bootstrap interval [maximum_low, maximum_high] (68 %)
    and maximum_error, the standard error of the mean at that time; mean_maximum ±
    mean_maximum_error: mean over samples of each sample's own maximum, another and
    larger quantity, with its bootstrap interval [mean_maximum_low, mean_maximum_high].
    Errors and intervals of a single sample are nan.  reach: whether later times may have more.
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
    reach: Reach = Reach.INSIDE

    @property
    def maximum_words(self) -> str:
        """The maximum with its standard error, or why there is none."""
        if self.moments.count < 2:
            return f"{self.maximum:.4g} (one sample, no error)"
        if is_rounding(self.maximum_deviation, self.maximum):
            return f"{self.maximum:.4g} (all samples agree, no error)"
        return with_error(self.maximum, self.maximum_error)

    @property
    def reach_words(self) -> str:
        """What the last output time has to do with the maximum, empty where nothing."""
        if self.reach is Reach.END:
            return "a lower bound: the times end before the mean falls"
        if self.reach is Reach.PLATEAU:
            return "on a plateau that lasts to the end of the times"
        return ""


def is_rounding(spread: float, value: float) -> bool:
    """Whether a spread over samples is no more than rounding of values of this size."""
    return spread <= ROUNDING * max(1.0, abs(value))


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
        reach_of(distance, times),
    )


def reach_of(distance: Real, times: Real) -> Reach:
    """Whether the maximum over time of the mean of (samples, T) curves lies inside the times."""
    mean = Moments.of(distance).mean
    best, last = int(np.argmax(mean)), len(times) - 1
    if mean[best] <= 0.0:
        return Reach.INSIDE
    is_late = times[_resampled(distance, 0).argmax(axis=1)] > _LAST_TENTH * times[last]
    at_end = times[best] > _LAST_TENTH * times[last] or is_late.mean() > _CHANCE
    if best != last and not at_end and mean[best] - mean[last] > ROUNDING:
        return Reach.INSIDE

    def error(values: Real) -> float:
        return float(np.nan_to_num(Moments.of(values).standard_error))

    late = times >= 0.5 * times[last]
    before = np.flatnonzero(times <= 0.5 * times[last])
    if len(distance) < 2 or not len(before) or np.count_nonzero(late) < 3:
        return Reach.END
    early = int(before[np.argmax(mean[before])])
    risen = mean[best] - mean[early] + error(distance[:, best] - distance[:, early])
    known = ROUNDING + error(distance[:, best])
    flat = np.ptp(mean[late]) <= 2.0 * known
    return Reach.PLATEAU if flat and risen <= known else Reach.END


def maximum_interval(distance: Real, seed: int) -> tuple[float, float]:
    """Basic bootstrap interval (68 %) of max over t of the mean: 2 max − quantiles.

    The maximum of a noisy mean lies above the maximum of the mean, and that of
    resampled means higher still; reflecting the quantiles takes this bias off once,
    where percentiles would add it again.  (nan, nan) for one sample.
    """
    if len(distance) < 2:
        return float("nan"), float("nan")
    maximum = float(Moments.of(distance).mean.max())
    replicates = bootstrap_maximum(distance, seed)
    if is_rounding(float(np.ptp(replicates)), maximum):
        return maximum, maximum
    low, high = np.quantile(replicates, _QUANTILES)
    return 2.0 * maximum - float(high), 2.0 * maximum - float(low)


def bootstrap_maximum(distance: Real, seed: int) -> Real:
    """Max over t of the mean over resampled samples, N_RESAMPLES times.

    Resampling whole samples keeps the correlations between times.
    """
    return np.asarray(_resampled(distance, seed).max(axis=1))


def _resampled(distance: Real, seed: int) -> Real:
    """(N_RESAMPLES, T) means over resampled samples."""
    n = len(distance)
    means = (_weights(n, seed) if n <= _KEPT_UP_TO else _draw(n, seed)) @ distance
    # As for the mean itself: no spread by rounding.
    return np.clip(means, distance.min(axis=0), distance.max(axis=0))


@functools.lru_cache(maxsize=4)
def _weights(n: int, seed: int) -> Real:
    """Those of all figures of a report that have n samples, drawn once."""
    weights = _draw(n, seed)
    weights.flags.writeable = False
    return weights


def _draw(n: int, seed: int) -> Real:
    """(N_RESAMPLES, n) shares of n samples in means over resampled ones."""
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=N_RESAMPLES)
    return counts / n


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

    @property
    def error_words(self) -> str:
        """Standard error of the mean, or why there is none."""
        if self.count < 2:
            return "(one sample)" if self.count else ""
        return "(all agree)" if self.agrees else f"± {self.error:.1e}"

    @property
    def agrees(self) -> bool:
        """Whether all samples have one value, up to rounding."""
        return self.count > 1 and self.deviation <= ROUNDING * abs(self.mean)


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
