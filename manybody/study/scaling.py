"""Does the maximum over time stay bounded as the system grows?  Laws, fits, a verdict.

The verdict rests on one family, f(N) = a + b (N^p - 1)/p: it saturates for p < 0, is the
logarithm at p = 0 and grows faster for p > 0, so that "bounded" and "growing" are two ends
of one exponent and its interval (profile of chi², 95 %) decides.  With growth so far meaning
f(largest) - f(smallest), the growth still to come is 1/(r^-p - 1) of it, r the ratio of the
largest to the smallest size.  The rule, in this order:

* no member of the family fits (p value below 1 %): follows no smooth law;
* no trend (chi² of the constant less than 7.38 above the best, 97.5 % of two degrees of
  freedom): constant where a change by more than 10 % over the sizes is excluded;
* falling: saturates from above where p is certain as below and the limit is not zero, else
  decays;
* rising: saturates where all of the interval leaves less than half the growth so far to come;
  grows where all of it leaves more than the growth so far, or no end; a power law or the
  logarithm where chi² parts them by 3.84 and the chosen one is as good as the family;
* cannot be decided otherwise.

"Grows" therefore means within reach of these sizes: a limit far above the last value is never
excluded by data, and the verdict says how far above it would have to be.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manybody.study.statistics import bootstrap_maximum

Real = NDArray[np.float64]

N_REPLICATES = 1000
# Two-sided 95 % of one parameter; trend of two parameters; goodness of fit; equivalence.
_ONE = float(stats.chi2.ppf(0.95, 1))
_TREND = float(stats.chi2.ppf(0.975, 2))
_MISFIT = 0.01
_CONSTANT_WITHIN = 0.10
# Growth still to come over growth so far: saturated below the first, growing above the second.
_SATURATED, _GROWING = 0.5, 1.0
_SLOWEST = 0.02
_EXPONENTS = np.linspace(-6.0, 4.0, 401)


@dataclass(frozen=True, eq=False)
class SizeEstimate:
    """Maximum over time of the mean trace distance at one size.

    maximum: without the bias of a noisy maximum; error: its standard error; bias: what was
    taken off; n_samples: disorder samples behind it (at least 4), None when the error is
    known; replicates: (R,) bootstrap maxima, None for a normal distribution.
    Raises ValueError for a size below 1, an error that is not positive, values that are not
    finite, fewer than 4 samples.
    """

    n_sites: int
    maximum: float
    error: float
    n_samples: int | None = None
    bias: float = 0.0
    replicates: Real | None = None

    def __post_init__(self) -> None:
        if self.n_sites < 1:
            raise ValueError(f"n_sites must be at least 1, got {self.n_sites}")
        if not math.isfinite(self.maximum):
            raise ValueError(f"maximum must be finite, got {self.maximum}")
        if not (math.isfinite(self.error) and self.error > 0.0):
            raise ValueError(f"error must be positive and finite, got {self.error}")
        if self.n_samples is not None and self.n_samples < 4:
            raise ValueError(f"an error needs at least 4 samples, got {self.n_samples}")

    @staticmethod
    def of(n_sites: int, distance: Real, seed: int) -> "SizeEstimate":
        """Estimate from (samples, T) curves; sizes of one seed are resampled independently."""
        if distance.ndim != 2:
            raise ValueError(f"distance must be (samples, T), got shape {distance.shape}")
        own = int(np.random.SeedSequence([seed, n_sites]).generate_state(1)[0])
        maximum = float(distance.mean(axis=0).max())
        replicates = bootstrap_maximum(distance, own)
        return SizeEstimate.from_replicates(n_sites, maximum, replicates, len(distance))

    @staticmethod
    def from_replicates(
        n_sites: int, maximum: float, replicates: Real, n_samples: int
    ) -> "SizeEstimate":
        """Estimate from the maximum of the mean and its (R,) bootstrap replicates.

        The maximum of a noisy mean lies too high by about as much as resampled maxima lie
        above it: 2 maximum - mean(replicates).  The variance is that of the replicates times
        n/(n - 1), since resampling n values shows (n - 1)/n of their variance.
        """
        if replicates.ndim != 1 or len(replicates) < 2:
            raise ValueError(f"replicates must be (R,), R > 1, got shape {replicates.shape}")
        if n_samples < 4:
            raise ValueError(f"an error needs at least 4 samples, got {n_samples}")
        bias = float(replicates.mean()) - maximum
        error = float(replicates.std(ddof=1)) * math.sqrt(n_samples / (n_samples - 1.0))
        return SizeEstimate(n_sites, maximum - bias, error, n_samples, bias, replicates)

    @property
    def widened_error(self) -> float:
        """Standard deviation of Student's t with n - 1 degrees of freedom, times the error.

        1.07 times the error for 16 samples, 1.7 times for 4; what all fits weigh by.
        """
        if self.n_samples is None:
            return self.error
        freedom = self.n_samples - 1.0
        return self.error * math.sqrt(freedom / (freedom - 2.0))


class Law(StrEnum):
    """Dependence on the number of sites N."""

    CONSTANT = "a"
    SATURATING = "a - b N^-c"
    POWER = "a N^c"
    LOGARITHM = "a + b ln N"


@dataclass(frozen=True)
class Fit:
    """Weighted least squares of one law.

    parameters, errors: a, b, c as far as the law has them, error half the central 68 % of
    refitted bootstrap replicates; chi2, freedom; p_value: of the fit, nan without freedom.
    aic: chi2 + 2 k.  Errors are measured here, not fitted, which makes it exact for linear
    laws however few the sizes; the correction of AICc, 2 k (k + 1)/(n - k - 1), is for a
    fitted variance and singular at n = k + 1: `aicc` is there to compare, nan from there on.
    weight: Akaike weight among the laws with at most as many parameters as sizes.
    """

    law: Law
    parameters: tuple[float, ...]
    errors: tuple[float, ...]
    chi2: float
    freedom: int
    p_value: float
    aic: float
    aicc: float
    weight: float

    def __call__(self, n_sites: Real) -> Real:
        """Values (n,) of the law at (n,) numbers of sites."""
        sites = np.asarray(n_sites, dtype=np.float64)
        a, b, c = (*self.parameters, 0.0, 0.0)[:3]
        match self.law:
            case Law.CONSTANT:
                return np.full_like(sites, a)
            case Law.SATURATING:
                return a - b * sites**-c
            case Law.POWER:
                return a * sites**b
            case _:
                return a + b * np.log(sites)


class Word(StrEnum):
    """What a verdict says."""

    SATURATES = "saturates"
    CONSTANT = "is constant"
    POWER = "grows as a power law"
    LOGARITHM = "grows as the logarithm"
    GROWS = "grows, but how cannot be told"
    DECAYS = "decays"
    NO_LAW = "follows no smooth law"
    UNDECIDED = "cannot be decided with these sizes"

    @property
    def bounded(self) -> bool | None:
        """True, False, or None where the word leaves it open."""
        if self in (Word.SATURATES, Word.CONSTANT, Word.DECAYS):
            return True
        return False if self in (Word.POWER, Word.LOGARITHM, Word.GROWS) else None


@dataclass(frozen=True)
class Evidence:
    """What the rule saw in the family a + b (N^p - 1)/p.

    chi2, p_value: of its best member (p_value nan without freedom); trend: how much higher
    the chi² of a constant is; rising: sign of the trend, 0 when members within the interval
    disagree; exponent and its 95 % interval; limit for N to infinity, nan where there is
    none, and its 95 % interval, up to inf (down to -inf) where growth (decay) without end
    fits; change: f(largest)/f(smallest) - 1 along the logarithm, change_error: its 95 %.
    """

    chi2: float
    p_value: float
    trend: float
    rising: int
    exponent: float
    exponent_low: float
    exponent_high: float
    limit: float
    limit_low: float
    limit_high: float
    change: float
    change_error: float


@dataclass(frozen=True)
class Verdict:
    """A word, its sentence (without subject), the fits and what decided."""

    word: Word
    sentence: str
    fits: tuple[Fit, ...]
    evidence: Evidence

    @property
    def bounded(self) -> bool | None:
        """True, False, or None where the data leave it open."""
        return self.word.bounded


@dataclass(frozen=True, eq=False)
class _Data:
    """Sizes in order: sites (n,), log of sites over their geometric mean, values, weights."""

    sites: Real
    log: Real
    values: Real
    errors: Real
    weights: Real
    middle: float

    @staticmethod
    def of(estimates: Sequence[SizeEstimate]) -> "_Data":
        sites = np.array([one.n_sites for one in estimates], dtype=np.float64)
        if len(sites) < 3:
            raise ValueError(f"a verdict needs at least 3 sizes, got {len(sites)}")
        if len(set(sites)) < len(sites):
            raise ValueError(f"every size must appear once, got {sites.astype(int).tolist()}")
        errors = np.array([one.widened_error for one in estimates])
        middle = float(np.log(sites).mean())
        values = np.array([one.maximum for one in estimates])
        return _Data(sites, np.log(sites) - middle, values, errors, errors**-2.0, middle)


def _family(data: _Data, values: Real, p: Real) -> tuple[Real, Real, Real, Real, Real]:
    """Fit a + b (N^p - 1)/p: values (..., n), p (..., G) or (G,).

    Returns chi² and slope (..., G), mean (..., 1), and of the basis its mean and spread
    (..., G): the fit is mean + slope (basis - mean of basis), in weighted means.
    """
    exponent = p[..., None] * data.log
    small = np.abs(p[..., None]) < 1e-9
    basis = np.where(small, data.log, np.expm1(exponent) / np.where(small, 1.0, p[..., None]))
    share = data.weights / data.weights.sum()
    centre = basis @ share
    centred = basis - centre[..., None]
    spread = centred**2 @ data.weights
    mean = (values @ share)[..., None]
    residual = values - mean
    slope = (centred * residual[..., None, :]) @ data.weights / spread
    chi2 = (residual**2 @ data.weights)[..., None] - slope**2 * spread
    return np.maximum(chi2, 0.0), slope, mean, centre, spread


def _power(data: _Data, values: Real, c: Real) -> tuple[Real, Real]:
    """Chi² and amplitude at the middle size (..., G) of a N^c, c (..., G) or (G,)."""
    basis = np.exp(c[..., None] * data.log)
    amplitude = (basis * values[..., None, :]) @ data.weights / (basis**2 @ data.weights)
    residual = values[..., None, :] - amplitude[..., None] * basis
    return residual**2 @ data.weights, amplitude


def _minimise(chi2: Callable[[Real], Real], grid: Real, shape: tuple[int, ...]) -> Real:
    """Exponents (shape) of least chi²: the whole grid, then closer around its best point.

    Every other parameter enters linearly and is solved for, so that one line is searched
    completely; no starting point can miss the minimum, up to the spacing of the grid.
    """
    best = grid[np.argmin(chi2(np.broadcast_to(grid, (*shape, len(grid)))), axis=-1)]
    step = float(grid[1] - grid[0])
    for _ in range(4):
        near = np.clip(best[..., None] + step * np.linspace(-1.0, 1.0, 21), grid[0], grid[-1])
        chosen = np.argmin(chi2(near), axis=-1)
        best = np.take_along_axis(near, chosen[..., None], axis=-1)[..., 0]
        step /= 10.0
    return best


def _solve(law: Law, data: _Data, values: Real) -> tuple[Real, Real]:
    """Parameters (..., k) and chi² (...) of a law for values (..., n)."""
    if law is Law.CONSTANT:
        mean = values @ data.weights / data.weights.sum()
        return mean[..., None], (values - mean[..., None]) ** 2 @ data.weights
    shape = values.shape[:-1]
    if law is Law.POWER:
        grid = np.linspace(-4.0, 4.0, 161)
        c = _minimise(lambda trial: _power(data, values, trial)[0], grid, shape)[..., None]
        chi2, amplitude = _power(data, values, c)
        a = amplitude * np.exp(-c * data.middle)
        return np.concatenate([a, c], axis=-1), chi2[..., 0]
    if law is Law.LOGARITHM:
        chi2, slope, mean, centre, _ = _family(data, values, np.zeros(1))
        a = mean - slope * (centre + data.middle)
        return np.concatenate([a, slope], axis=-1), chi2[..., 0]
    grid = np.linspace(_EXPONENTS[0], -_SLOWEST, 201)
    p = _minimise(lambda trial: _family(data, values, trial)[0], grid, shape)[..., None]
    chi2, slope, mean, centre, _ = _family(data, values, p)
    a = mean + slope * (-1.0 / p - centre)
    return np.concatenate([a, -slope / p * np.exp(-p * data.middle), -p], axis=-1), chi2[..., 0]


def _replicated(estimates: Sequence[SizeEstimate], data: _Data, count: int) -> Real:
    """Values (count, n) around the estimates, sizes independent, as wide as the errors."""
    columns = []
    for one, error in zip(estimates, data.errors):
        rng = np.random.default_rng([one.n_sites, count])
        if one.replicates is None or one.replicates.std() == 0.0:
            draw = rng.normal(size=count)
        else:
            draw = one.replicates[rng.integers(len(one.replicates), size=count)]
            draw = (draw - one.replicates.mean()) / one.replicates.std()
        columns.append(one.maximum + error * draw)
    return np.stack(columns, axis=-1)


def fit_laws(
    estimates: Sequence[SizeEstimate], n_replicates: int = N_REPLICATES
) -> tuple[Fit, ...]:
    """All laws with no more parameters than sizes, fitted to the estimates, in any order.

    n_replicates: bootstrap refits behind the errors of parameters, 0 for none (nan).
    Raises ValueError for fewer than 3 sizes or a size given twice.
    """
    if n_replicates < 0:
        raise ValueError(f"n_replicates must not be negative, got {n_replicates}")
    estimates = sorted(estimates, key=lambda one: one.n_sites)
    data = _Data.of(estimates)
    n = len(data.sites)
    drawn = _replicated(estimates, data, n_replicates) if n_replicates else None
    rows = []
    for law in Law:
        parameters, chi2 = _solve(law, data, data.values)
        k = parameters.shape[-1]
        errors = np.full(k, np.nan)
        if drawn is not None:
            low, high = np.quantile(_solve(law, data, drawn)[0], stats.norm.cdf([-1, 1]), axis=0)
            errors = 0.5 * (high - low)
        rows.append((law, parameters, errors, float(chi2), k))
    least = min(chi2 + 2 * k for *_, chi2, k in rows)
    total = sum(math.exp(0.5 * (least - chi2 - 2 * k)) for *_, chi2, k in rows)
    fits = []
    for law, parameters, errors, chi2, k in rows:
        aic = chi2 + 2.0 * k
        room = n - k - 1
        fits.append(
            Fit(
                law,
                tuple(float(value) for value in parameters),
                tuple(float(value) for value in errors),
                chi2,
                n - k,
                float(stats.chi2.sf(chi2, n - k)) if n > k else math.nan,
                aic,
                aic + 2.0 * k * (k + 1) / room if room > 0 else math.nan,
                math.exp(0.5 * (least - aic)) / total,
            )
        )
    return tuple(fits)


def weigh(estimates: Sequence[SizeEstimate]) -> Evidence:
    """What the family a + b (N^p - 1)/p says about the estimates, in any order.

    Raises ValueError for fewer than 3 sizes or a size given twice.
    """
    return _weigh(_Data.of(sorted(estimates, key=lambda one: one.n_sites)))


def _weigh(data: _Data) -> Evidence:
    chi2, slope, mean, centre, spread = _family(data, data.values, _EXPONENTS)
    best = int(np.argmin(chi2))
    excess = chi2 - chi2[best]
    inside = np.flatnonzero(excess <= _ONE)
    first, last = inside[0], inside[-1]
    signs = set(np.sign(slope[inside]).astype(int))
    rising = signs.pop() if len(signs) == 1 else 0
    flat = float((data.values - mean) ** 2 @ data.weights)

    # The limit along the profile: its centre and width at each exponent below zero.
    bounded = inside[_EXPONENTS[inside] <= -_SLOWEST]
    ends = -1.0 / _EXPONENTS[bounded] - centre[bounded]
    limits = mean + slope[bounded] * ends
    width = np.sqrt((1.0 / data.weights.sum() + ends**2 / spread[bounded]))
    width *= np.sqrt(_ONE - excess[bounded])
    low = float((limits - width).min()) if len(bounded) else math.nan
    high = float((limits + width).max()) if len(bounded) else math.nan
    if _EXPONENTS[last] > -_SLOWEST:
        low, high = (low, math.inf) if rising >= 0 else (-math.inf, high)
    limit = float(limits[np.argmin(chi2[bounded])]) if len(bounded) else math.nan

    zero = int(np.argmin(np.abs(_EXPONENTS)))
    basis = data.log - centre[zero]
    start = float(mean[0] + slope[zero] * basis[0])
    rise = float(data.log[-1] - data.log[0])
    freedom = len(data.sites) - 3
    return Evidence(
        chi2=float(chi2[best]),
        p_value=float(stats.chi2.sf(chi2[best], freedom)) if freedom else math.nan,
        trend=flat - float(chi2[best]),
        rising=rising,
        exponent=float(_EXPONENTS[best]),
        exponent_low=float(_EXPONENTS[first]),
        exponent_high=float(_EXPONENTS[last]),
        limit=limit,
        limit_low=low,
        limit_high=high,
        change=float(slope[zero]) * rise / start,
        change_error=abs(math.sqrt(_ONE / spread[zero]) * rise / start),
    )


def classify(estimates: Sequence[SizeEstimate]) -> Word:
    """The word of the verdict alone, without the bootstrap (below a millisecond or two)."""
    data = _Data.of(sorted(estimates, key=lambda one: one.n_sites))
    return _classify(data, _weigh(data))


def _classify(data: _Data, seen: Evidence) -> Word:
    ratio = math.log(data.sites[-1] / data.sites[0])
    saturated = seen.exponent_high <= -math.log(1.0 + 1.0 / _SATURATED) / ratio
    growing = seen.exponent_low > -math.log(1.0 + 1.0 / _GROWING) / ratio
    if seen.p_value < _MISFIT:
        return Word.NO_LAW
    if seen.trend < _TREND:
        constant = abs(seen.change) + seen.change_error <= _CONSTANT_WITHIN
        return Word.CONSTANT if constant else Word.UNDECIDED
    if seen.rising < 0:
        return Word.SATURATES if saturated and seen.limit_low > 0.0 else Word.DECAYS
    if seen.rising > 0 and saturated:
        return Word.SATURATES
    if seen.rising > 0 and growing:
        power = float(_solve(Law.POWER, data, data.values)[1])
        logarithm = float(_solve(Law.LOGARITHM, data, data.values)[1])
        if logarithm - power >= _ONE and power - seen.chi2 <= _ONE:
            return Word.POWER
        if power - logarithm >= _ONE and logarithm - seen.chi2 <= _ONE:
            return Word.LOGARITHM
        return Word.GROWS
    return Word.UNDECIDED
