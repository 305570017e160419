"""Fits, and how often the verdict is wrong where the truth is known.

`PYTHONPATH=. python tests/report/test_scaling.py [trials]` prints the table of verdicts.  In
short, with 150 trials in each of 460 cells (23 laws, 4 sets of sizes, 5 errors), in percent:

    truth                         error   bounded   grows   no law   undecided
    limited, within reach         0.5 %        94       0        1           5
                                    2 %        75       0        1          25
                                    5 %        40     0.3        1          59
                                   10 %        23     0.1        1          76
    growing                       0.5 %       0.1      69        4          28
                                    2 %       0.3      34        1          65
                                    5 %       0.4      10        1          89
                                   10 %       0.8       1        1          97
    limited, beyond reach         0.5 %         0      15       12          73
                                    5 %       1.1       2        1          96
    parity of 30 %                  2 %         0       0      100           0
                                   10 %       0.8       3       38          59

Within reach: less than 0.4 of the change so far is to come, or it falls.  The worst cell is
4 % "grows" for 1 - 0.9 exp(-N/60), 5 % "bounded" for ln ln N, both at errors of 5 to 10 %.
"""

import sys
from collections import Counter

import numpy as np
import pytest

from manybody.report.analysis.boundedness import Word, judge
from manybody.report.analysis.precision import precision, samples_needed
from manybody.report.analysis.scaling import Law, SizeEstimate, fit_laws

SIZES = {
    "4 powers of 2": np.array([8.0, 16, 32, 64]),
    "5 powers of 2": np.array([8.0, 16, 32, 64, 128]),
    "5 cubes": np.array([8.0, 27, 64, 125, 216]),
    "6 cubes": np.array([8.0, 27, 64, 125, 216, 343]),
}
ERRORS = (0.005, 0.01, 0.02, 0.05, 0.1)
N_SAMPLES = 100

# Laws with a limit: value and what is left to come, over what came, is known.
LIMITED = {
    "1": lambda n: np.ones_like(n),
    "1 - 20 N^-2": lambda n: 1.0 - 20.0 * n**-2.0,
    "1 - 4/N": lambda n: 1.0 - 4.0 / n,
    "1 - 2 N^-0.7": lambda n: 1.0 - 2.0 * n**-0.7,
    "1 - 2 N^-0.5": lambda n: 1.0 - 2.0 * n**-0.5,
    "1 - N^-0.5": lambda n: 1.0 - n**-0.5,
    "1 - 1.2 N^-0.25": lambda n: 1.0 - 1.2 * n**-0.25,
    "1 - 0.6 exp(-N/25)": lambda n: 1.0 - 0.6 * np.exp(-n / 25.0),
    "1 - 0.9 exp(-N/60)": lambda n: 1.0 - 0.9 * np.exp(-n / 60.0),
    "1 + 4/N": lambda n: 1.0 + 4.0 / n,
    "N^-0.5": lambda n: n**-0.5,
}
GROWING = {
    "N^0.05": lambda n: n**0.05,
    "N^0.1": lambda n: n**0.1,
    "N^0.2": lambda n: n**0.2,
    "N^0.35": lambda n: n**0.35,
    "N^0.5": lambda n: n**0.5,
    "N^0.35 - 1": lambda n: n**0.35 - 1.0,
    "1 + 0.1 ln N": lambda n: 1.0 + 0.1 * np.log(n),
    "1 + 0.5 ln N": lambda n: 1.0 + 0.5 * np.log(n),
    "ln N - 1.5": lambda n: np.log(n) - 1.5,
    "1 + 0.3 ln N - 4/N": lambda n: 1.0 + 0.3 * np.log(n) - 4.0 / n,
    "ln ln N": lambda n: np.log(np.log(n)),
}
PARITY = {"parity": lambda n: 1.0 + 0.3 * (np.arange(len(n)) % 2)}


def left_to_come(law, sizes):
    """Change still to come over the change so far; 0 for a constant."""
    first, last, limit = law(np.array([sizes[0], sizes[-1], 1e30]))
    return 0.0 if last == first else (limit - last) / (last - first)


def words(name, sizes, error, trials):
    """Verdicts on values with this relative error, itself known from N_SAMPLES samples."""
    law = (LIMITED | GROWING | PARITY)[name]
    rng = np.random.default_rng([len(name), ord(name[-1]), len(sizes), int(1000 * error)])
    truth = law(sizes)
    counts = Counter()
    for _ in range(trials):
        known = np.sqrt(rng.chisquare(N_SAMPLES - 1, len(sizes)) / (N_SAMPLES - 1))
        values = truth * (1.0 + error * rng.normal(size=len(sizes)))
        rows = zip(sizes.astype(int).tolist(), values, error * truth * known)
        counts[judge([SizeEstimate(*row, N_SAMPLES) for row in rows], 2).word] += 1
    return counts


def share(counts, bounded):
    return sum(n for word, n in counts.items() if word.bounded is bounded) / counts.total()


@pytest.mark.parametrize("kind", ["4 powers of 2", "5 powers of 2", "5 cubes"])
def test_rates(kind):
    """Wrong definite verdicts stay below 5 %, and clear cases are decided."""
    sizes, trials = SIZES[kind], 30
    wrong, total, decided = Counter(), Counter(), {}
    for error in (0.005, 0.02, 0.05):
        for name, law in LIMITED.items():
            # A rise with more to come than that is growth within these sizes.
            first, last = law(sizes[[0, -1]])
            if last <= first or left_to_come(law, sizes) <= 0.4:
                counts = words(name, sizes, error, trials)
                wrong["grows"] += share(counts, False) * trials
                total["grows"] += trials
                decided[name, error] = share(counts, True)
        for name in GROWING:
            counts = words(name, sizes, error, trials)
            wrong["bounded"] += share(counts, True) * trials
            total["bounded"] += trials
            decided[name, error] = share(counts, False)
            # The one law must not be taken for the other.
            if name in ("N^0.2", "N^0.35", "N^0.5"):
                wrong["named"] += counts[Word.LOGARITHM]
            elif name in ("1 + 0.1 ln N", "1 + 0.5 ln N", "ln N - 1.5"):
                wrong["named"] += counts[Word.POWER]
        if error <= 0.02:
            assert words("parity", sizes, error, trials)[Word.NO_LAW] >= 0.95 * trials
    assert wrong["grows"] <= 0.02 * total["grows"]
    assert wrong["bounded"] <= 0.02 * total["bounded"]
    assert wrong["named"] <= 0.02 * total["bounded"]
    for name in ("1", "1 - 20 N^-2", "1 - 4/N", "1 + 4/N", "N^-0.5", "ln N - 1.5"):
        assert decided[name, 0.005] >= 0.9, name
    if len(sizes) > 4:
        for name in ("1 - 2 N^-0.7", "N^0.2", "N^0.35", "N^0.5", "1 + 0.5 ln N"):
            assert decided[name, 0.005] >= 0.9, name


# Maximum of the mean over 100 samples (16 in the last three of W = 5), and its standard error.
CUBES = [8, 27, 64, 125, 216]
SYK2 = (
    [8, 16, 32, 64, 128],
    [0.0493, 0.0663, 0.0740, 0.0759, 0.0762],
    [0.0015, 0.0011, 0.0008, 0.0006, 0.0004],
    [100] * 5,
)
W1 = (
    CUBES,
    [0.0905, 0.0905, 0.1534, 0.0932, 0.1310],
    [0.0035, 0.0012, 0.0021, 0.0012, 0.0016],
    [100] * 5,
)
W5 = (
    [*CUBES, 343, 512, 1000],
    [0.0357, 0.0746, 0.1007, 0.1239, 0.1422, 0.159, 0.185, 0.261],
    [0.0018, 0.0020, 0.0025, 0.0030, 0.0037, 0.013, 0.012, 0.014],
    [100] * 5 + [16] * 3,
)
W20 = (
    CUBES,
    [0.0123, 0.0386, 0.0750, 0.1158, 0.1515],
    [0.0014, 0.0028, 0.0046, 0.0081, 0.0102],
    [100] * 5,
)


def estimates(rows, count=None):
    return [SizeEstimate(*row) for row in list(zip(*rows))[:count]]


def test_measured_sizes():
    syk2 = judge(estimates(SYK2))
    assert syk2.word is Word.SATURATES and syk2.bounded is True
    assert syk2.sentence.startswith("saturates at 0.0761(3)")
    assert 0.0750 < syk2.evidence.limit_low < 0.0765 < syk2.evidence.limit_high < 0.0785
    assert judge(estimates(SYK2)[::-1]) == syk2
    assert judge(estimates(W1)).word is Word.NO_LAW
    five = judge(estimates(W5, 5))
    assert five.word is Word.LOGARITHM and five.evidence.limit_low > 0.4
    eight = judge(estimates(W5))
    assert eight.word is Word.GROWS and eight.evidence.exponent_low > 0.0
    # An exponential that saturates near 0.18 fits as well as growth without end.
    assert judge(estimates(W20)).word is Word.UNDECIDED


@pytest.mark.parametrize(
    ("law", "parameters"),
    [
        (Law.CONSTANT, (0.3,)),
        (Law.SATURATING, (0.08, 0.5, 1.3)),
        (Law.SATURATING, (0.08, -0.2, 0.8)),
        (Law.EXPONENTIAL, (0.2, 0.15, 40.0)),
        (Law.POWER, (0.02, 0.35)),
        (Law.POWER, (0.5, -0.6)),
        (Law.LOGARITHM, (-0.03, 0.03)),
    ],
)
def test_fits_return_exact_laws(law, parameters):
    sizes = np.array(CUBES)
    c = (*parameters, 0.0, 0.0)
    values = {
        Law.CONSTANT: c[0] + 0.0 * sizes,
        Law.SATURATING: c[0] - c[1] * sizes ** -c[2],
        Law.EXPONENTIAL: c[0] - c[1] * np.exp(-sizes / (c[2] or 1.0)),
        Law.POWER: c[0] * sizes ** c[1],
        Law.LOGARITHM: c[0] + c[1] * np.log(sizes),
    }[law]
    rows = [SizeEstimate(int(n), value, 1e-3) for n, value in zip(sizes, values)]
    fit = {fit.law: fit for fit in fit_laws(rows, 100)}[law]
    assert fit.parameters == pytest.approx(parameters, rel=2e-3)
    assert fit.chi2 < 1e-6 and fit.freedom == 5 - len(parameters)
    np.testing.assert_allclose(fit(sizes), values, rtol=1e-4)


def test_errors_of_parameters_and_criteria():
    """The error of a weighted mean is known; AICc ends where it is singular."""
    errors = np.array([0.01, 0.02, 0.03, 0.02])
    rows = [SizeEstimate(n, 1.0 + 0.01 * n, error) for n, error in zip((4, 6, 8, 9), errors)]
    fits = fit_laws(rows, 4000)
    assert fits[0].errors[0] == pytest.approx((errors**-2.0).sum() ** -0.5, rel=0.05)
    assert sum(fit.weight for fit in fits) == pytest.approx(1.0)
    three = {fit.law: fit for fit in fits}[Law.SATURATING]
    assert np.isnan(three.aicc) and three.aic == three.chi2 + 6.0
    assert three.freedom == 1 and 0.0 <= three.p_value <= 1.0


@pytest.mark.parametrize("n_samples", [16, 60])
def test_estimate_covers_a_noisy_plateau(n_samples):
    """Skewed samples on an exactly flat plateau: half the bias is gone, the error is right."""
    rng = np.random.default_rng(3)
    time = np.arange(40)
    factor = np.linalg.cholesky(0.98 ** np.abs(time[:, None] - time))
    deviations, raw = [], []
    for trial in range(120):
        normal = rng.normal(size=(n_samples, 40)) @ factor.T
        distance = np.exp(0.5 * normal - 0.125)
        estimate = SizeEstimate.of(27, distance, trial)
        deviations.append((estimate.maximum - 1.0) / estimate.widened_error)
        raw.append((distance.mean(axis=0).max() - 1.0) / estimate.widened_error)
    assert np.mean(raw) > 0.5
    assert abs(np.mean(deviations)) < 0.65 * np.mean(raw)
    assert 0.75 < np.std(deviations) < 1.25


def test_resampling_is_independent_between_sizes():
    distance = np.random.default_rng(4).normal(size=(30, 5))
    one, two = (SizeEstimate.of(n, distance, 1).replicates for n in (8, 27))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.1
    again = SizeEstimate.of(8, distance, 1)
    np.testing.assert_array_equal(one, again.replicates)


def test_samples_needed():
    plan = samples_needed(0.01, 0.1, 100)
    assert plan.needed == 100 and 80 < plan.low < 100 < plan.high < 125
    heavy = samples_needed(0.01, 0.1, 100, excess_kurtosis=5.0)
    assert heavy.low < plan.low and plan.high < heavy.high
    # The interval holds the truth about 68 % of the time.
    rng = np.random.default_rng(5)
    deviations = rng.normal(size=(400, 20)).std(axis=1, ddof=1)
    plans = [samples_needed(0.1, deviation, 20) for deviation in deviations]
    assert 0.62 < np.mean([plan.low <= 100 <= plan.high for plan in plans]) < 0.76


def test_convergence():
    rng = np.random.default_rng(6)
    distance = 1.0 + rng.normal(size=(160, 1)) * 0.2 + 0.1 * rng.normal(size=(160, 8))
    result = precision(distance, 0, n_subsets=6)
    assert result.counts.tolist() == [10, 20, 40, 80, 160]
    assert result.maximum[-1] == distance.mean(axis=0).max()
    assert result.error_spread[-1] == pytest.approx(0.0, abs=1e-3)
    assert result.mean_error[0] / result.mean_error[-1] == pytest.approx(4.0, rel=0.2)
    scaled = result.mean_error * np.sqrt(result.counts)
    np.testing.assert_allclose(scaled, 0.21, rtol=0.2)
    np.testing.assert_array_equal(result.error, precision(distance, 0, n_subsets=6).error)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: SizeEstimate(0, 1.0, 0.1), "n_sites must be at least 1, got 0"),
        (lambda: SizeEstimate(8, float("nan"), 0.1), "maximum must be finite, got nan"),
        (lambda: SizeEstimate(8, 1.0, 0.0), "error must be positive and finite, got 0.0"),
        (lambda: SizeEstimate(8, 1.0, 0.1, 3), "at least 4 samples, got 3"),
        (lambda: SizeEstimate.of(8, np.zeros(3), 0), r"got shape \(3,\)"),
        (lambda: judge(estimates(SYK2, 2)), "at least 3 sizes, got 2"),
        (lambda: judge([SizeEstimate(8, 1.0, 0.1)] * 3), r"must appear once, got \[8, 8, 8\]"),
        (lambda: judge(estimates(SYK2), 1), "n_replicates must be at least 2, got 1"),
        (lambda: samples_needed(0.0, 1.0, 9), "target_error must be positive"),
        (lambda: samples_needed(1.0, 1.0, 1), "at least 2 samples, got 1"),
        (lambda: precision(np.zeros((9, 2)), 0, [4, 10]), "between 2 and 9"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def _table(trials):
    for kind, sizes in SIZES.items():
        for error in ERRORS:
            print(f"\n{kind}, relative error {100 * error:g} %: verdicts in %")
            print(" " * 27 + "".join(f"{word.name[:9]:>10}" for word in Word))
            for name, law in (LIMITED | GROWING | PARITY).items():
                counts = words(name, sizes, error, trials)
                row = "".join(f"{100 * counts[word] / trials or 0:10.3g}" for word in Word)
                left = f"({left_to_come(law, sizes):.2f})" if name in LIMITED else ""
                print(f"{name:20}{left:7}{row}")


if __name__ == "__main__":
    _table(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
