"""Does the maximum over time stay bounded as the system grows?  A verdict from its sizes.

The verdict rests on one family, f(N) = a + b (N^p - 1)/p: it saturates for p < 0, is the
logarithm at p = 0 and grows faster for p > 0, so that "bounded" and "growing" are the two
ends of one exponent, and its interval (profile of chi², 95 %) decides.  The growth still to
come is 1/(r^-p - 1) of the growth so far, f(largest) - f(smallest), with r = largest/smallest
size.  The rule, in this order:

* no member of the family fits (p value below 1 %): saturates where an exponential does fit
  and every one within its interval saturates as below, else follows no smooth law;
* no trend (chi² of the constant less than 7.38 above the best, 97.5 % of two degrees of
  freedom): constant where a change by more than 10 % over the sizes is excluded;
* falling: saturates where p is certain as below and a power law, whose limit is zero, is
  excluded at 99 %; else decays;
* rising: saturates where all of the interval leaves less than 0.4 of the growth so far to
  come; grows where all of it leaves more than the growth so far, or no end, and every
  exponential that is not worse than the family by 3.84 leaves more than 0.4.  A power law or
  the logarithm is named where chi² parts them by 3.84 and the named one is as good as the
  family;
* cannot be decided otherwise.

Before all of this: where the times end before the maximum of a size is reached, its value is a
lower bound, and nothing follows from laws through lower bounds; and the family has three
parameters, which three sizes cannot test.

No finite set of sizes excludes a limit far above the last value: "grows" means no bend within
reach, and the sentence says above which value a limit would have to lie.  A trace distance
cannot exceed 2, so that every growth ends somewhere.  Error rates: tests/study/test_scaling.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from manybody.report.analysis.numbers import with_error
from manybody.report.analysis.scaling import (
    FASTEST,
    LONGEST,
    N_REPLICATES,
    SHORTEST,
    SLOWEST,
    Data,
    Fit,
    Law,
    Lines,
    SizeEstimate,
    fit_laws,
    solve,
)
from manybody.report.analysis.statistics import Reach

# Two-sided 95 % of one parameter; trend of two parameters; a limit of zero excluded.
_ONE = float(special.chdtri(1, 0.05))
_TREND = float(special.chdtri(2, 0.025))
_LIMIT = float(special.chdtri(1, 0.01))
_MISFIT = 0.01
_CONSTANT_WITHIN = 0.10
# One more than the parameters of the family.
FEWEST_SIZES = 4
# Growth still to come over growth so far: saturated below the first, growing above the second.
_SATURATED, _GROWING = 0.4, 1.0
_EXPONENTS = np.linspace(-FASTEST, 4.0, 401)
_LENGTHS = np.geomspace(SHORTEST, LONGEST, 201)


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
    TIMES = "cannot be decided with these times"

    @property
    def bounded(self) -> bool | None:
        """True, False, or None where the word leaves it open."""
        if self in (Word.SATURATES, Word.CONSTANT, Word.DECAYS):
            return True
        return False if self in (Word.POWER, Word.LOGARITHM, Word.GROWS) else None


@dataclass(frozen=True)
class Evidence:
    """What the rule saw.

    Of the family a + b (N^p - 1)/p: chi2, p_value of its best member;
    trend: how much higher the chi² of a constant is; rising: sign of the trend, 0 where
    members within the interval disagree; exponent and its 95 % interval.  change ±
    change_error (95 %): f(largest)/f(smallest) - 1 along the logarithm.
    Of the exponential a - b exp(-N/c): exponential_p; exponential_left_most: the most it
    leaves to come, over the change so far, within its own interval; exponential_left_least:
    the least among those not worse than the family by 3.84, inf where all are.
    limit_low, limit_high: 95 % interval of the limit for N to infinity over both, nan where
    no limit fits, inf (-inf) where growth (decay) without end fits too.
    """

    chi2: float
    p_value: float
    trend: float
    rising: int
    exponent: float
    exponent_low: float
    exponent_high: float
    change: float
    change_error: float
    exponential_p: float
    exponential_left_most: float
    exponential_left_least: float
    limit_low: float
    limit_high: float


@dataclass(frozen=True)
class Verdict:
    """A word, its sentence (to be put after a subject), the fits and what decided.

    fits: none where maxima are lower bounds, and of laws with fewer parameters than sizes;
    evidence: None where the sizes are too few for the rule or maxima are lower bounds.
    """

    word: Word
    sentence: str
    fits: tuple[Fit, ...]
    evidence: Evidence | None

    @property
    def bounded(self) -> bool | None:
        """True, False, or None where the data leave it open."""
        return self.word.bounded


def judge(estimates: Sequence[SizeEstimate], n_replicates: int = N_REPLICATES) -> Verdict:
    """Verdict on estimates of 3 or more sizes, in any order; the same for the same input.

    n_replicates: refits behind the errors of parameters.
    Raises ValueError for fewer than 3 sizes, a size given twice, n_replicates below 2.
    """
    if n_replicates < 2:
        raise ValueError(f"n_replicates must be at least 2, got {n_replicates}")
    data = Data.sort(estimates)
    beyond = _beyond_times(estimates)
    if beyond:
        return Verdict(Word.TIMES, _times_sentence(beyond), (), None)
    fits = fit_laws(estimates, n_replicates)
    if len(data.sites) < FEWEST_SIZES:
        return Verdict(Word.UNDECIDED, _few_sentence(len(data.sites)), fits, None)
    seen = _weigh(data)
    word = _classify(data, seen)
    return Verdict(word, _sentence(word, seen, {fit.law: fit for fit in fits}), fits, seen)


def _beyond_times(estimates: Sequence[SizeEstimate]) -> list[int]:
    """Numbers of sites whose maximum is a lower bound."""
    return sorted(one.n_sites for one in estimates if one.reach is Reach.END)


def _times_sentence(beyond: list[int]) -> str:
    sizes = ", ".join(map(str, beyond))
    return (
        f"{Word.TIMES.value}: at N = {sizes} the mean is largest at the last output time, or "
        "not distinguishably larger before, so that its maximum is a lower bound"
    )


def _few_sentence(n_sizes: int) -> str:
    return (
        f"{Word.UNDECIDED.value}: too few sizes, {n_sizes} of them determine the three "
        "parameters of a + b N^p, or of a law that saturates, and test nothing"
    )


def _weigh(data: Data) -> Evidence:
    lines = Lines.through(data, data.values, data.powers(_EXPONENTS))
    best = int(np.argmin(lines.chi2))
    chi2 = float(lines.chi2[best])
    inside = np.flatnonzero(lines.chi2 <= chi2 + _ONE)
    signs = set(np.sign(lines.slope[inside]).astype(int))
    rising = signs.pop() if len(signs) == 1 else 0
    zero = int(np.argmin(np.abs(_EXPONENTS)))
    # Never zero: a change is relative to what is there, or to what errors leave possible.
    start = max(abs(float(lines.at(data.log[0])[zero])), float(data.errors.min()))
    rise = float(data.log[-1] - data.log[0])

    span = float(data.sites[-1] - data.sites[0])
    curves = Lines.through(data, data.values, data.exponentials(_LENGTHS * span))
    left = 1.0 / np.expm1(1.0 / _LENGTHS)
    least = float(curves.chi2.min())

    # The limit along both profiles: its middle and half width at each exponent and length.
    ceiling = min(chi2, least) + _ONE
    powers = np.flatnonzero(_EXPONENTS <= -SLOWEST)
    ends = np.concatenate([-1.0 / _EXPONENTS[powers], np.ones(len(_LENGTHS))])
    fits = np.concatenate([lines.chi2[powers], curves.chi2])
    centre = np.concatenate([lines.centre[powers], curves.centre])
    spread = np.concatenate([lines.spread[powers], curves.spread])
    middle = lines.mean + np.concatenate([lines.slope[powers], curves.slope]) * (ends - centre)
    width = np.sqrt(
        (1.0 / data.weights.sum() + (ends - centre) ** 2 / spread)
        * np.maximum(ceiling - fits, 0.0)
    )
    limits = [float((middle - width)[fits <= ceiling].min(initial=math.inf))]
    limits += [float((middle + width)[fits <= ceiling].max(initial=-math.inf))]
    if (lines.chi2[_EXPONENTS > -SLOWEST] <= ceiling).any():
        limits = [limits[0], math.inf] if rising >= 0 else [-math.inf, limits[1]]
    if not (fits <= ceiling).any():
        limits = [math.nan, math.nan]
    freedom = len(data.sites) - 3
    return Evidence(
        chi2=chi2,
        p_value=float(special.chdtrc(freedom, chi2)),
        trend=float((data.values - lines.mean) ** 2 @ data.weights) - chi2,
        rising=rising,
        exponent=float(_EXPONENTS[best]),
        exponent_low=float(_EXPONENTS[inside[0]]),
        exponent_high=float(_EXPONENTS[inside[-1]]),
        change=float(lines.slope[zero]) * rise / start,
        change_error=abs(math.sqrt(_ONE / lines.spread[zero]) * rise / start),
        exponential_p=float(special.chdtrc(freedom, least)),
        exponential_left_most=float(left[curves.chi2 <= least + _ONE].max()),
        exponential_left_least=float(left[curves.chi2 <= chi2 + _ONE].min(initial=math.inf)),
        limit_low=limits[0],
        limit_high=limits[1],
    )


def _classify(data: Data, seen: Evidence) -> Word:
    ratio = math.log(data.sites[-1] / data.sites[0])
    saturated = seen.exponent_high <= -math.log(1.0 + 1.0 / _SATURATED) / ratio
    growing = seen.exponent_low > -math.log(1.0 + 1.0 / _GROWING) / ratio
    growing = growing and seen.exponential_left_least > _SATURATED
    if seen.p_value < _MISFIT:
        rescued = seen.exponential_p >= _MISFIT and seen.exponential_left_most <= _SATURATED
        return Word.SATURATES if rescued else Word.NO_LAW
    if seen.trend < _TREND:
        constant = abs(seen.change) + seen.change_error <= _CONSTANT_WITHIN
        return Word.CONSTANT if constant else Word.UNDECIDED
    if seen.rising == 0:
        return Word.UNDECIDED
    power = float(solve(Law.POWER, data, data.values)[1])
    if seen.rising < 0:
        return Word.SATURATES if saturated and power - seen.chi2 > _LIMIT else Word.DECAYS
    if saturated:
        return Word.SATURATES
    if not growing:
        return Word.UNDECIDED
    logarithm = float(solve(Law.LOGARITHM, data, data.values)[1])
    if logarithm - power >= _ONE and power - seen.chi2 <= _ONE:
        return Word.POWER
    if power - logarithm >= _ONE and logarithm - seen.chi2 <= _ONE:
        return Word.LOGARITHM
    return Word.GROWS


def _sentence(word: Word, seen: Evidence, fits: dict[Law, Fit]) -> str:
    power, logarithm = fits[Law.POWER], fits[Law.LOGARITHM]
    above = f"; a limit, if there is one, lies above {seen.limit_low:.3g} (95 %)"
    above = above if math.isfinite(seen.limit_low) else "; no saturating law fits"
    match word:
        case Word.SATURATES:
            best, other = sorted(
                (fits[Law.SATURATING], fits[Law.EXPONENTIAL]), key=lambda fit: fit.chi2
            )
            text = f"saturates at {with_error(best.parameters[0], best.errors[0])}"
            if other.chi2 - best.chi2 <= _LIMIT:
                text += f" (as {best.law.value}; at "
                text += f"{with_error(other.parameters[0], other.errors[0])} as "
                text += f"{other.law.value})"
            return text if seen.rising >= 0 else text + ", from above"
        case Word.CONSTANT:
            fit = fits[Law.CONSTANT]
            most = 100.0 * (abs(seen.change) + seen.change_error)
            value = with_error(fit.parameters[0], fit.errors[0])
            return f"is constant at {value}, within {most:.2g} % over these sizes (95 %)"
        case Word.POWER:
            return f"grows as N^{with_error(power.parameters[1], power.errors[1])}{above}"
        case Word.LOGARITHM:
            slope = with_error(logarithm.parameters[1], logarithm.errors[1])
            return f"grows as the logarithm, by {slope} per unit of ln N{above}"
        case Word.GROWS:
            interval = f"p = {seen.exponent_low:.2g} to {seen.exponent_high:.2g} (95 %)"
            why = "neither a power law nor the logarithm fits alone"
            if abs(power.chi2 - logarithm.chi2) < _ONE:
                why = "a power law and the logarithm are equally good"
            return f"grows, but how cannot be told: {why}, a + b N^p with {interval}{above}"
        case Word.DECAYS:
            value = with_error(-power.parameters[1], power.errors[1])
            if power.chi2 - seen.chi2 <= _ONE:
                return f"decays, as N^-{value} if to zero"
            return "decays, and whether to zero cannot be told"
        case Word.NO_LAW:
            return (
                f"follows no smooth law: the best leaves chi² = {seen.chi2:.3g} (p = "
                f"{seen.p_value:.1g}), and nothing follows for larger systems"
            )
        case _:
            if seen.trend < _TREND:
                low, high = (
                    100.0 * (seen.change + sign * seen.change_error) for sign in (-1.0, 1.0)
                )
                why = f"no trend, but a change by {low:.2g} to {high:.2g} % is possible (95 %)"
            elif seen.rising > 0:
                to = f"to {seen.limit_high:.3g}" if seen.limit_high < math.inf else "on, or none,"
                why = f"it rises, and limits from {seen.limit_low:.3g} {to} fit (95 %)"
            else:
                why = "there is a trend, but not even its sign is certain"
            return f"cannot be decided with these sizes: {why}"
