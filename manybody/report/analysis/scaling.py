"""Estimates per size, laws of the number of sites and their fits.

Every law is linear in all but one parameter: the linear ones are solved for and the line of
the last is searched completely, so that no fit depends on a starting point.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import special

from manybody.arrays import Real
from manybody.report.analysis.statistics import Moments, Reach, bootstrap_maximum, is_rounding

N_REPLICATES = 1000
# Bounds of the exponent of a saturating law, and of the length of an exponential one over
# the difference of the largest and the smallest size.
SLOWEST, FASTEST = 0.02, 6.0
SHORTEST, LONGEST = 0.02, 20.0


@dataclass(frozen=True, eq=False)
class SizeEstimate:
    """Maximum over time of the mean trace distance at one size.

    maximum: without the bias of a noisy maximum; error: its standard error; bias: what was
    taken off; n_samples: disorder samples behind it (at least 4), None when the error is
    known; replicates: (R,) bootstrap maxima, None for a normal distribution; reach: whether the
    times reach the maximum.
    Raises ValueError for a size below 1, an error that is not positive, values that are not
    finite, fewer than 4 samples.
    """

    n_sites: int
    maximum: float
    error: float
    n_samples: int | None = None
    bias: float = 0.0
    replicates: Real | None = None
    reach: Reach = Reach.INSIDE

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
    def of(n_sites: int, distance: Real, seed: int, reach: Reach = Reach.INSIDE) -> "SizeEstimate":
        """Estimate from (samples, T) curves; sizes of one seed are resampled independently.

        Raises ValueError where the samples agree to rounding, which leaves no error.
        """
        if distance.ndim != 2:
            raise ValueError(f"distance must be (samples, T), got shape {distance.shape}")
        own = int(np.random.SeedSequence([seed, n_sites]).generate_state(1)[0])
        maximum = float(Moments.of(distance).mean.max())
        replicates = bootstrap_maximum(distance, own)
        if is_rounding(float(replicates.std()), maximum):
            raise ValueError("all samples agree at the maximum, which leaves no error")
        found = SizeEstimate.from_replicates(n_sites, maximum, replicates, len(distance))
        return replace(found, reach=reach)

    @staticmethod
    def from_replicates(
        n_sites: int, maximum: float, replicates: Real, n_samples: int
    ) -> "SizeEstimate":
        """Estimate from the maximum of the mean and its (R,) bootstrap replicates.

        The maximum of a noisy mean lies too high by about as much as resampled maxima lie
        above it: 2 maximum - mean(replicates).  On an exactly flat plateau about half of the
        bias is left (some 0.4 standard errors), with a clear maximum none.  The variance is
        that of the replicates times n/(n - 1), since resampling n values shows (n - 1)/n of
        their variance.
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
    """Dependence on the number of sites N.  Fitted to more sizes than it has parameters only."""

    CONSTANT = "a"
    SATURATING = "a - b N^-c"
    EXPONENTIAL = "a - b exp(-N/c)"
    POWER = "a N^c"
    LOGARITHM = "a + b ln N"

    @property
    def n_parameters(self) -> int:
        """How many of a, b, c it has."""
        return {"CONSTANT": 1, "SATURATING": 3, "EXPONENTIAL": 3}.get(self.name, 2)


@dataclass(frozen=True)
class Fit:
    """Weighted least squares of one law.

    parameters, errors: a, b, c as far as the law has them (a, c of a N^c), error half the
    central 68 % of refitted bootstrap replicates; b < 0 in a saturating law: from above;
    chi2, freedom >= 1; p_value: of the fit.
    aic: chi2 + 2 k.  Errors are measured here, not fitted, which makes it exact for linear
    laws however few the sizes; the correction of AICc, 2 k (k + 1)/(n - k - 1), is for a
    fitted variance and singular at n = k + 1: `aicc` is there to compare, nan from there on.
    weight: Akaike weight among the laws.
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
            case Law.EXPONENTIAL:
                missing: Real = b * np.exp(-sites / c)
                return a - missing
            case Law.POWER:
                return a * sites**b
            case _:
                return a + b * np.log(sites)


@dataclass(frozen=True, eq=False)
class Data:
    """Sizes in order, each (n,): sites, log of sites over their geometric mean, values,
    widened errors, weights; middle: log of the geometric mean.
    """

    sites: Real
    log: Real
    values: Real
    errors: Real
    weights: Real
    middle: float

    @staticmethod
    def of(estimates: Sequence[SizeEstimate]) -> "Data":
        """Collect sorted estimates; ValueError for fewer than 3 sizes or one given twice."""
        sites = np.array([one.n_sites for one in estimates], dtype=np.float64)
        if len(sites) < 3:
            raise ValueError(f"a verdict needs at least 3 sizes, got {len(sites)}")
        if len(set(sites)) < len(sites):
            raise ValueError(f"every size must appear once, got {sites.astype(int).tolist()}")
        errors = np.array([one.widened_error for one in estimates])
        middle = float(np.log(sites).mean())
        values = np.array([one.maximum for one in estimates])
        return Data(sites, np.log(sites) - middle, values, errors, errors**-2.0, middle)

    @staticmethod
    def sort(estimates: Sequence[SizeEstimate]) -> "Data":
        """Collect estimates in any order."""
        return Data.of(sorted(estimates, key=lambda one: one.n_sites))

    def powers(self, p: Real) -> Real:
        """Basis (x^p - 1)/p, x = N over the geometric mean: (..., n) for p (...)."""
        p = p[..., None]
        small = np.abs(p) < 1e-9
        return np.where(small, self.log, np.expm1(p * self.log) / np.where(small, 1.0, p))

    def exponentials(self, length: Real) -> Real:
        """Basis 1 - exp(-(N - smallest)/length): (..., n) for lengths (...)."""
        basis: Real = -np.expm1(-(self.sites - self.sites[0]) / length[..., None])
        return basis


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines mean + slope (basis - centre), for G bases: chi2, slope, centre and
    spread (..., G), mean (..., 1); basis and mean are centred in weighted means.
    """

    chi2: Real
    slope: Real
    mean: Real
    centre: Real
    spread: Real

    @staticmethod
    def through(data: Data, values: Real, basis: Real) -> "Lines":
        """Fit values (..., n) by bases (..., G, n) or (G, n)."""
        share = data.weights / data.weights.sum()
        centre = basis @ share
        centred = basis - centre[..., None]
        spread = centred**2 @ data.weights
        mean = (values @ share)[..., None]
        residual = values - mean
        slope = (centred * residual[..., None, :]) @ data.weights / spread
        chi2 = (residual**2 @ data.weights)[..., None] - slope**2 * spread
        return Lines(np.maximum(chi2, 0.0), slope, mean, centre, spread)

    def at(self, basis: Real | float) -> Real:
        """Values (..., G) where the basis has the given values."""
        return self.mean + self.slope * (basis - self.centre)


def _power(data: Data, values: Real, c: Real) -> tuple[Real, Real]:
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
    best: Real = grid[np.argmin(chi2(np.broadcast_to(grid, (*shape, len(grid)))), axis=-1)]
    step = float(grid[1] - grid[0])
    for _ in range(4):
        near = np.clip(best[..., None] + step * np.linspace(-1.0, 1.0, 21), grid[0], grid[-1])
        chosen = np.argmin(chi2(near), axis=-1)
        best = np.take_along_axis(near, chosen[..., None], axis=-1)[..., 0]
        step /= 10.0
    return best


def solve(law: Law, data: Data, values: Real) -> tuple[Real, Real]:
    """Parameters (..., k) and chi² (...) of a law for values (..., n)."""
    shape = values.shape[:-1]
    if law is Law.CONSTANT:
        mean = values @ data.weights / data.weights.sum()
        return mean[..., None], (values - mean[..., None]) ** 2 @ data.weights
    if law is Law.POWER:
        grid = np.linspace(-4.0, 4.0, 161)
        c = _minimise(lambda trial: _power(data, values, trial)[0], grid, shape)[..., None]
        chi2, amplitude = _power(data, values, c)
        a = amplitude * np.exp(-c * data.middle)
        return np.concatenate([a, c], axis=-1), chi2[..., 0]
    if law is Law.LOGARITHM:
        lines = Lines.through(data, values, data.powers(np.zeros(1)))
        return np.concatenate([lines.at(-data.middle), lines.slope], axis=-1), lines.chi2[..., 0]

    if law is Law.SATURATING:
        grid = np.linspace(-FASTEST, -SLOWEST, 201)

        def along(p: Real) -> Lines:
            return Lines.through(data, values, data.powers(p))
    else:
        span = data.sites[-1] - data.sites[0]
        grid = np.linspace(math.log(SHORTEST * span), math.log(LONGEST * span), 201)

        def along(p: Real) -> Lines:
            return Lines.through(data, values, data.exponentials(np.exp(p)))

    p = _minimise(lambda trial: along(trial).chi2, grid, shape)[..., None]
    lines = along(p)
    if law is Law.SATURATING:
        c, a = -p, lines.at(-1.0 / p)
        b = lines.slope / c * np.exp(c * data.middle)
    else:
        c, a = np.exp(p), lines.at(1.0)
        b = lines.slope * np.exp(data.sites[0] / c)
    return np.concatenate([a, b, c], axis=-1), lines.chi2[..., 0]


def _replicated(estimates: Sequence[SizeEstimate], data: Data, count: int) -> Real:
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
    """All laws with fewer parameters than sizes, fitted to the estimates, in any order.

    n_replicates: bootstrap refits behind the errors of parameters, 0 for none (nan).
    Raises ValueError for fewer than 3 sizes or a size given twice.
    """
    if n_replicates < 0:
        raise ValueError(f"n_replicates must not be negative, got {n_replicates}")
    estimates = sorted(estimates, key=lambda one: one.n_sites)
    data = Data.of(estimates)
    n = len(data.sites)
    drawn = _replicated(estimates, data, n_replicates) if n_replicates else None
    solved = [(law, *solve(law, data, data.values)) for law in Law if n > law.n_parameters]
    criteria = [float(chi2) + 2.0 * len(parameters) for _, parameters, chi2 in solved]
    weights = np.exp(0.5 * (min(criteria) - np.array(criteria)))
    fits = []
    for (law, parameters, chi2), aic, weight in zip(solved, criteria, weights / weights.sum()):
        k = len(parameters)
        errors = np.full(k, np.nan)
        if drawn is not None:
            low, high = np.quantile(solve(law, data, drawn)[0], special.ndtr([-1.0, 1.0]), axis=0)
            errors = 0.5 * (high - low)
        room = n - k - 1
        fits.append(
            Fit(
                law,
                tuple(float(value) for value in parameters),
                tuple(float(value) for value in errors),
                float(chi2),
                n - k,
                float(special.chdtrc(n - k, float(chi2))),
                aic,
                aic + 2.0 * k * (k + 1) / room if room > 0 else math.nan,
                float(weight),
            )
        )
    return tuple(fits)
