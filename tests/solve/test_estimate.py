"""What `compare` will cost, without doing it."""

import numpy as np
import pytest

import manybody as mb
from manybody.solve import forecast

TIMES = np.linspace(0.0, 20.0, 21)
RATES = forecast.Rates(5e9, 5e9)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(forecast, "measure_rates", lambda: RATES)


def test_applications_are_those_of_the_run(bath):
    for model in (mb.dirac_syk2(12, seed=1), mb.xxz_chain(6)):
        expected = mb.estimate(model, bath, TIMES)
        run = mb.compare(model, bath, TIMES)
        assert expected.stepper == run.certificate.stepper == "chebyshev"
        assert 0.8 < expected.applications / run.certificate.applications < 1.25


def test_time_grows_with_levels_times_and_equations(bath):
    def seconds(n, last=20.0, **rest):
        model, times = mb.dirac_syk2(n, seed=1), np.linspace(0.0, last, 21)
        return mb.estimate(model, bath, times, **rest).seconds

    assert seconds(200) > 30.0 * seconds(50)
    assert 5.0 < seconds(200, 200.0) / seconds(200) < 15.0
    more = seconds(100, equations=("redfield", "davies", "universal-lindblad"))
    assert more > 2.0 * seconds(100)
    assert seconds(100, stepper="dop853") > 10.0 * seconds(100)


def test_what_is_chosen_is_known_before(rng):
    strong = mb.OhmicBath(30.0, 10.0, 5.0)
    model = mb.dirac_syk2(3, seed=1)
    expected = mb.estimate(model, strong, TIMES)
    assert (expected.stepper, expected.applications) == ("dense-exponential", 9)
    assert expected.seconds < 1.0
    closed = mb.estimate(model, strong, TIMES, equations=("davies", "local"))
    assert closed.stepper in ("", "dense-exponential")


def test_bytes(bath):
    model = mb.dirac_syk2(300, seed=1)
    plain, kept = (mb.estimate(model, bath, TIMES, keep_states=keep) for keep in (False, True))
    assert plain.bytes > 2 * 21 * 16 * 300**2 / 2
    assert kept.bytes - plain.bytes == 2 * 21 * 16 * 300**2


def test_arguments_are_those_of_compare(bath):
    with pytest.raises(ValueError, match="model: hamiltonian is not Hermitian"):
        mb.estimate([[0.0, 1.0], [2.0, 0.0]], bath, TIMES)
    with pytest.raises(ValueError, match="are energies and times in the same units"):
        mb.estimate(mb.dirac_syk2(20, seed=1), bath, [1e12])
