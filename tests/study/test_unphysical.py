"""Redfield states that are none: said, with the mode that grows, and overflow called so."""

import re
import warnings
from functools import partial

import numpy as np
import oracles
import pytest
from tiny import study

import manybody as mb
from manybody.numerics.growth import LARGEST_NORM
from manybody.report.read import load_results
from manybody.report.writing import write_report
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

GROWING = mb.SingleParticleModel([[0.0, 1.0], [1.0, 0.3]])
STRONG = mb.OhmicBath(2.0, 10.0, 5.0)


def messages(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    return result, [str(one.message) for one in caught]


def test_a_distance_that_no_states_have_is_said_with_its_mode():
    run, said = messages(
        lambda: mb.compare(GROWING, STRONG, np.linspace(0.0, 20.0, 11), lamb_shift=True)
    )
    assert run.trace_distance[-1] == pytest.approx(1477.2669, abs=1e-3)
    (message,) = said
    assert "leaves the states from t = 2 on" in message and "1477 at t = 20" in message
    matrix = mb.redfield_liouvillian(GROWING, STRONG, True).toarray()
    fastest = np.linalg.eigvals(matrix).real.max()
    assert f"Re = {fastest:.3g} J" in message and fastest > 0.3
    _, said = messages(lambda: mb.compare(GROWING, STRONG, [20.0], lamb_shift=False))
    assert said == []


def test_a_large_system_estimates_the_rate_from_the_run():
    model = mb.SingleParticleModel(mb.dirac_syk2(18, seed=1).hamiltonian)
    _, said = messages(lambda: mb.compare(model, STRONG, np.linspace(0, 30, 31), lamb_shift=True))
    (message,) = said
    rate = float(re.search(r"rate of about ([\d.e-]+) J", message).group(1))
    matrix = mb.redfield_liouvillian(model, STRONG, True).toarray()
    assert rate == pytest.approx(np.linalg.eigvals(matrix).real.max(), rel=0.1)


def test_an_ensemble_speaks_once_and_counts():
    models = [GROWING, mb.SingleParticleModel([[0.0, 1e-3], [1e-3, 9.0]]), GROWING]
    runs, said = messages(
        lambda: mb.compare_ensemble(models, STRONG, [0.0, 5.0, 20.0], lamb_shift=True)
    )
    outside = [
        run.trace_distance.max() > 2.0 or run.smallest_eigenvalue.min() < -0.1 for run in runs
    ]
    (message,) = said
    assert message.startswith(f"{sum(outside)} of 3 samples leave the states; in sample 0 ")
    _, said = messages(lambda: mb.compare_ensemble(models[1:2], mb.OhmicBath(0.1, 5, 2), [3.0]))
    assert said == []


def test_random_systems_warn_when_the_definition_says_so():
    """160 systems of 2 and 3 sites, strong and very strong baths, Lamb shift on and off."""
    rng = np.random.default_rng(17)
    wrong, counts, worst = [], [0, 0], 0.0
    for case in range(160):
        n = 2 + int(case % 5 == 0)
        matrix = oracles.random_hermitian(rng, n, real=bool(case % 2)) * rng.uniform(0.3, 3.0)
        bath = mb.OhmicBath(*np.exp(rng.uniform(np.log([0.8, 3, 1]), np.log([3, 12, 6]))))
        shift, times = case % 4 > 0, [0.3, 1.0, 2.5]
        model = mb.SingleParticleModel(matrix)
        run, said = messages(partial(mb.compare, model, bath, times, 0, shift))
        start = np.zeros((n, n), dtype=complex)
        start[0, 0] = 1.0
        redfield = oracles.propagate(definition(matrix, bath, shift), start, times)
        davies = oracles.propagate(
            mb.davies_liouvillian(model, bath, shift).toarray(), start, times
        )
        distance = [oracles.trace_distance(*pair) for pair in zip(redfield, davies)]
        smallest = np.linalg.eigvalsh(redfield)[:, 0].min()
        error = np.abs(run.trace_distance - distance) / np.maximum(distance, 1.0)
        worst = max(worst, float(error.max()))
        expected = max(distance) > 2.0 + 1e-6 or smallest < -0.1 - 1e-9
        counts[int(expected)] += 1
        if expected != (len(said) == 1) or (said and "leaves the states" not in said[0]):
            wrong.append((case, n, bath, shift, max(distance), smallest, said))
    assert wrong == []
    assert min(counts) > 20 and worst < 1e-6


def definition(matrix, bath, shift):
    gamma = {}

    def rate(omega):
        return gamma.setdefault(omega, float(bath.gamma(omega)))

    eta = (lambda omega: float(bath.eta(omega))) if shift else None
    return oracles.redfield_matrix(matrix, range(len(matrix)), rate, eta)


@pytest.mark.parametrize(
    "stepper", ["chebyshev", "dop853", "ts-rk8vr", "mfn-krylov", "mfn-expokit"]
)
def test_overflow_is_called_overflow_by_every_stepper(stepper):
    if stepper not in ("chebyshev", "dop853"):
        pytest.importorskip("slepc4py", reason="slepc4py not installed")
    # The energy unit alone is changed: the growth is 40 times as fast.
    fast = mb.SingleParticleModel(40.0 * GROWING.hamiltonian)
    bath = mb.OhmicBath(2.0, 400.0, 5.0 / 40.0)
    tolerance = 1e-10 if stepper.startswith("mfn") else 1e-3
    with pytest.raises(RuntimeError) as caught:
        mb.compare(fast, bath, [0.5, 27.5], lamb_shift=True, stepper=stepper, tolerance=tolerance)
    text = str(caught.value)
    assert "outside its box" not in text
    if stepper.startswith("ts"):
        assert re.search(r"a growing mode has taken the norm of the state to [\d.e+]+ at", text)
    else:
        found = re.search(r"overflow: .* between t = ([\d.]+), .* and t = ([\d.]+) ", text)
        since, until = map(float, found.groups())
        # Where e^{0.342 · 40 t} reaches the largest norm.
        assert since - 1.0 < np.log(LARGEST_NORM) / (0.342 * 40.0) < until + 1.0
        assert text.endswith("the Redfield state has left the states from t = 0.5 on")


STRONG_STUDY = {
    "coupling = 0.2": "coupling = 2.0",
    "seed = 3": "seed = 3\nlamb_shift = true",
    "[4, 6]": "[2, 3, 4]",
    "samples = 5": "samples = 3",
    "disorder = [0.0, 5.0]": "disorder = 5.0",
    "4.0, 11.0]": "4.0]",
}


def test_a_study_and_its_report_say_it_where_the_numbers_stand(tmp_path, caplog):
    wanted = study(text=STRONG_STUDY)
    store = Store(tmp_path)
    _, said = messages(lambda: run_study(prepare(wanted, store), store, quiet=True))
    assert said == []
    errors = "\n".join(caplog.messages)
    results = load_results(store)
    for point in results.points:
        expected = (point.arrays["trace_distance"].max(axis=1) > 2.0 + 1e-6) | (
            point.arrays["smallest_eigenvalue"] < -0.1
        )
        assert int(point.outside.sum()) == int(expected.sum())
        first = f"{point.point.name} sample "
        lines = [line for line in errors.splitlines() if line.startswith(first)]
        assert len(lines) == int(expected.any())
    summary, _ = write_report(store, ["html", "csv"])
    page = (tmp_path / "report" / "index.html").read_text()
    maxima = (tmp_path / "report" / "maxima.csv").read_text()
    assert "leaves the states" in summary and "leaves the states" in page
    assert "outside_samples" in maxima.splitlines()[0]
    # No law is read off from distances that no states have.
    assert "saturates" not in summary and "grows as" not in summary
