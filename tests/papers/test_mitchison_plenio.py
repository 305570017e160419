"""Mitchison and Plenio (MP): limits and laws of every method, arguments."""

import numpy as np
import pytest
from mitchison_plenio_cases import ALL_METHODS, CHECKS, GENERAL, START, WEAK, named
from mitchison_plenio_oracle import entropy_balance

from manybody.networks import mitchison_plenio
from manybody.papers.mitchison_plenio.two_modes import TwoModes


@pytest.mark.parametrize("method", ALL_METHODS)
def test_equilibrium_has_no_currents(method):
    params = {**WEAK, "mu_R": 0.7, "T_R": 0.3}
    if method == "local":
        # Each site has its own energy: equal leads are at rest at δ = 0 alone.
        params["delta"] = 0.0
    found = mitchison_plenio(**params, method=method)
    for name in ("particle_current", "energy_current", "entropy_production", "interference"):
        assert abs(found[name]) < 1e-15
    if method == "exact":
        assert found["particle_current"] == 0.0 and found["correlation_matrix"][0, 1] == 0.0


def differences(method, params, **options):
    found = mitchison_plenio(**params, method=method, **options)
    exact = mitchison_plenio(**params)
    C = found["correlation_matrix"] - exact["correlation_matrix"]
    return (
        np.abs(C.diagonal()).max(),
        abs(C[0, 1]),
        abs(found["particle_current"] - exact["particle_current"]),
        abs(found["energy_current"] - exact["energy_current"]),
    )


def orders(method, **options):
    """Powers of Γ of the differences from the exact populations, coherence and currents."""
    pair = [
        differences(method, {**GENERAL, "Omega": 10.0, "Gamma": gamma}, **options)
        for gamma in (2e-4, 2e-5)
    ]
    return np.log10(np.array(pair[0]) / np.array(pair[1]))


def test_orders_in_the_coupling():
    """Populations to O(Γ), coherence and currents, themselves O(Γ), to O(Γ²)."""
    np.testing.assert_allclose(orders("redfield", lamb_shift=True), [1, 2, 2, 2], atol=0.03)
    np.testing.assert_allclose(orders("epa"), [1, 2, 2, 2], atol=0.03)
    # Without η of (67), or without interference, the coherence is missed in its leading order.
    np.testing.assert_allclose(orders("redfield"), [1, 1, 2, 2], atol=0.03)
    np.testing.assert_allclose(orders("davies"), [1, 1, 2, 2], atol=0.03)
    np.testing.assert_allclose(orders("additive"), [1, 1, 2, 2], atol=0.03)
    # The local equation is not right at any order at finite g.
    assert orders("local")[0] < 0.05


def test_approximation_is_right_to_the_inverse_bandwidth():
    found = [differences("epa", {**GENERAL, "Omega": width}) for width in (1e3, 1e4)]
    ratios = np.array(found[0][:3]) / np.array(found[1][:3])
    assert np.all((ratios > 7.0) & (ratios < 14.0))


def test_local_equation_in_the_white_noise_limit():
    """MP section IV B: wide leads, hot or with a large bias."""
    found = []
    for size in (1e2, 1e3):
        params = {**GENERAL, "T_L": size, "T_R": 2.0 * size, "mu_L": size, "Omega": 1e7}
        found.append(differences("local", params)[:3])
    ratios = np.array(found[0]) / np.array(found[1])
    assert np.all(ratios > 8.0) and max(found[1]) < 1e-3


@pytest.mark.parametrize("method", ALL_METHODS)
def test_conservation(method):
    found = mitchison_plenio(**WEAK, method=method)
    for name in ("particle_current", "energy_current"):
        assert found[name] == pytest.approx(-found[f"{name}_right"], rel=1e-9)
    step = 1e-3
    times = np.array([40.0 - step, 40.0, 40.0 + step])
    run = mitchison_plenio(**WEAK, times=times, method=method, initial=START)
    number = np.trace(run["correlation_matrix"], axis1=1, axis2=2).real
    gained = run["particle_current"][1] + run["particle_current_right"][1]
    assert (number[2] - number[0]) / (2 * step) == pytest.approx(gained, rel=1e-6, abs=1e-10)
    # Where every rate is O(Γ) the system has arrived at the steady state.
    late = mitchison_plenio(**WEAK, times=[1e5], method=method, initial=START)
    for name, value in found.items():
        assert late[name].shape == (1, *np.shape(value))
        if method == "exact" and name in ("non_markovianity", "interference"):
            # Ratios of G: of its algebraic tail by then, of its slowest exponential in the limit.
            continue
        np.testing.assert_allclose(late[name][0], value, atol=1e-12)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_starts(method):
    times = [0.0, 3.0]
    found = mitchison_plenio(**WEAK, times=times, method=method, initial=START)
    np.testing.assert_allclose(found["correlation_matrix"][0], START, atol=1e-14)
    gaussian_start = np.linalg.det(found["correlation_matrix"]).real
    np.testing.assert_allclose(found["double_occupancy"], gaussian_start, atol=1e-14)
    other = mitchison_plenio(
        **WEAK, times=times, method=method, initial=START, initial_double_occupancy=0.1
    )
    np.testing.assert_array_equal(other["correlation_matrix"], found["correlation_matrix"])
    assert other["double_occupancy"][0] == pytest.approx(0.1, abs=1e-14)
    # All damped at tr Γ.
    excess = other["double_occupancy"] - found["double_occupancy"]
    assert excess[1] / excess[0] == pytest.approx(np.exp(-2 * 0.01 * 3.0), rel=5e-3)
    empty = mitchison_plenio(**WEAK, times=[0.0], method=method)
    assert np.abs(empty["correlation_matrix"]).max() < 1e-15


def test_second_law():
    """MP (64): kept by the exact, Davies and additive answers, broken by the local equation."""
    rng = np.random.default_rng(3)
    for _ in range(12):
        params = {
            **WEAK,
            "delta": rng.uniform(-1, 1),
            "mu_L": rng.uniform(0, 2),
            "mu_R": rng.uniform(0, 2),
            "T_L": rng.uniform(0.1, 1),
            "T_R": rng.uniform(0.1, 1),
        }
        for method in ("exact", "additive", "davies"):
            assert mitchison_plenio(**params, method=method)["entropy_production"] >= 0.0
        balance = entropy_balance(TwoModes(**params))
        assert balance["spohn"].min() >= 0.0 and balance["interference"] >= 0.0
        assert balance["spohn"].sum() == pytest.approx(
            balance["interference"] + balance["reservoirs"], rel=1e-9
        )
    broken = named(CHECKS["mitchison_plenio_currents"][0]["params"])
    assert mitchison_plenio(**broken, method="local")["entropy_production"] < -1e-3


def test_entropy_inequality_in_the_weak_limit():
    """All of MP (F3) becomes MP (64), over Γ: differences vanish with Γ."""
    rest = []
    for gamma in (1e-3, 1e-4):
        balance = entropy_balance(TwoModes(**{**WEAK, "Gamma": gamma}))
        rest.append([balance["interference"], balance["reservoirs"]])
        rest[-1][1] -= balance["entropy_production"]
        rest[-1] = np.array(rest[-1]) / gamma
    assert np.all(np.abs(rest[1]) < 0.2 * np.abs(rest[0]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"T_L": -0.1}, r"T_L = -0.1: .*Gibbs states of MP \(20\)"),
        ({"T_R": 0.0}, r"T_R = 0: .*temperature > 0"),
        ({"Gamma": 0.0}, r"MP \(19\) needs Gamma > 0"),
        ({"Omega": -1.0}, r"MP \(19\) needs Omega > 0"),
        ({"h": 11.0}, r"E_1 = 11.29.* outside the band .*MP \(34\)"),
        ({"h": -11.0}, r"E_1 = -10.7.* outside the band .*MP \(34\)"),
        ({"Gamma": 10.0}, r"Gamma = 10.*Omega\) < Omega of MP \(34\) is broken"),
        ({"h": 9.6, "Gamma": 0.5}, r"of MP \(34\) is broken"),
        ({"g": 0.0, "delta": 0.0}, "degenerate, and MP section II"),
        ({"method": "lindblad"}, "method = 'lindblad': must be one of 'exact'"),
        ({"times": [1.0, 0.5]}, "times must ascend"),
        ({"initial": START}, "initial without times"),
        ({"initial": 2.0 * START, "times": [1.0]}, r"MP \(21\) needs 0 <= C <= 1"),
        ({"initial_double_occupancy": 0.1, "times": [1.0]}, "without initial"),
        ({"initial": START, "times": [1.0], "initial_double_occupancy": 0.4}, "must lie in"),
    ],
)
def test_bad_input(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        mitchison_plenio(**{**WEAK, **change})


def test_wrong_types():
    with pytest.raises(TypeError, match="g = 'strong'"):
        mitchison_plenio(**{**WEAK, "g": "strong"})
    with pytest.raises(TypeError, match="lamb_shift"):
        mitchison_plenio(**WEAK, lamb_shift=1)
