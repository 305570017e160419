import numpy as np
import pytest

from manybody.report.analysis import statistics
from manybody.report.analysis.statistics import Moments, maximum_interval, summarise


def test_moments():
    rng = np.random.default_rng(0)
    samples = 1e6 + rng.normal(size=(23, 4))
    whole = Moments.of(samples)
    assert whole.count == 23
    np.testing.assert_allclose(whole.mean, samples.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(
        whole.standard_error, samples.std(axis=0, ddof=1) / np.sqrt(23), rtol=1e-12
    )
    assert np.isnan(Moments.of(samples[:1]).standard_error).all()


def test_summary_finds_the_maximum_of_the_mean():
    times = np.linspace(0.0, 10.0, 11)
    rng = np.random.default_rng(1)
    signal = np.exp(-((times - 4.0) ** 2))
    distance = signal + 0.1 * rng.normal(size=(400, 1)) + 0.05 * rng.normal(size=(400, 11))
    summary = summarise(distance, times, seed=7)
    assert summary.time_of_maximum == 4.0
    assert summary.maximum == distance.mean(axis=0).max()
    assert summary.maximum_low < summary.maximum < summary.maximum_high
    # For a well-separated maximum the bootstrap is the standard error of the mean there.
    half_width = 0.5 * (summary.maximum_high - summary.maximum_low)
    assert half_width == pytest.approx(summary.maximum_error, rel=0.1)
    assert summary.mean_maximum == pytest.approx(distance.max(axis=1).mean())
    own = distance.max(axis=1)
    assert summary.mean_maximum_low < own.mean() < summary.mean_maximum_high
    half = 0.5 * (summary.mean_maximum_high - summary.mean_maximum_low)
    assert half == pytest.approx(own.std(ddof=1) / np.sqrt(len(own)), rel=0.1)
    again = summarise(distance, times, seed=7)
    assert again.maximum_low == summary.maximum_low


@pytest.mark.parametrize("correlation", [1.0, 0.98], ids=["one mode", "smooth plateau"])
def test_interval_covers_the_truth(correlation):
    """The 68 % interval holds the truth about 68 % of the time, on a plateau too."""
    rng = np.random.default_rng(2)
    time = np.arange(40)
    covariance = correlation ** np.abs(time[:, None] - time) if correlation < 1.0 else 1.0
    factor = np.linalg.cholesky(covariance + 1e-9 * np.eye(40))
    hits = 0
    for trial in range(200):
        samples = 1.0 + 0.3 * rng.normal(size=(40, 40)) @ factor.T
        low, high = maximum_interval(samples, trial)
        hits += low <= 1.0 <= high
    assert 0.55 < hits / 200 < 0.78


def test_one_sample_has_no_spread():
    summary = summarise(np.array([[0.0, 2.0, 1.0]]), np.arange(3.0), seed=0)
    assert summary.maximum == 2.0
    for error in (summary.maximum_low, summary.maximum_high, summary.maximum_error):
        assert np.isnan(error)


def test_kept_weights_are_those_drawn_anew(monkeypatch):
    rng = np.random.default_rng(4)
    cases = [(rng.normal(size=(n, 3)), seed) for n in (7, 12) for seed in (0, 1, 2)]
    kept = [maximum_interval(*case) for _ in range(2) for case in cases]
    monkeypatch.setattr(statistics, "_KEPT_UP_TO", 0)
    assert kept == [maximum_interval(*case) for case in cases] * 2
    assert len(set(kept)) == len(cases)
