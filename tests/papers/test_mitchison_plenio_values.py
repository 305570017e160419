"""Mitchison and Plenio (MP): check values, brute force, the curves of the figures, errata."""

import numpy as np
import pytest
from mitchison_plenio_cases import CHECKS, GENERAL, START, WEAK, components, named
from paper_curves import curve

from manybody.networks import mitchison_plenio
from manybody.papers.mitchison_plenio import cases, errata, formulas
from manybody.papers.mitchison_plenio.exact import Moments, double_occupancy
from manybody.papers.mitchison_plenio.generators import asymptotic_rates
from manybody.papers.mitchison_plenio.two_modes import TwoModes, to_modes, to_sites
from manybody.physics.fock.basis import FockBasis, annihilation_operator
from manybody.physics.gaussian import landauer
from manybody.physics.gaussian.discretised import DiscretisedBath, legendre_modes
from manybody.physics.gaussian.exact import build_closed_system, propagate


def test_check_values_of_figure_4():
    """Rows at Γt = 0.5 … 4.5; found to agree to 2e-14 exact and 5e-14 approximate."""
    case = CHECKS["mitchison_plenio_fig4a"]
    params = named(case["params"])
    times = [row["tGamma"] / params["Gamma"] for row in case["rows"]]
    for method in ("exact", "epa"):
        found = mitchison_plenio(**params, times=times, method=method)
        for row, C in zip(case["rows"], found["correlation_matrix"], strict=True):
            assert components(C) == pytest.approx(row[method], rel=1e-12)
    steady = mitchison_plenio(**params)["correlation_matrix"]
    assert components(steady) == pytest.approx(case["correlation_matrix_infinity"], rel=1e-12)


@pytest.mark.parametrize("case", CHECKS["mitchison_plenio_currents"])
def test_check_values_of_currents(case):
    """To 1e-13, but for numbers near 1e-6, of which the check file has 11 digits."""
    params = named(case["params"])
    exact = mitchison_plenio(**params)
    assert exact["particle_current"] == pytest.approx(case["JP"], rel=1e-11)
    assert exact["energy_current"] == pytest.approx(case["JE"], rel=1e-12)
    assert exact["entropy_production"] == pytest.approx(case["sum_minus_betaJQ"], rel=1e-12)
    assert components(exact["correlation_matrix"]) == pytest.approx(case["Cinf"], rel=1e-11)
    epa = mitchison_plenio(**params, method="epa")
    assert components(epa["correlation_matrix"]) == pytest.approx(case["Cinf_epa"], rel=1e-11)
    additive = mitchison_plenio(**params, method="additive")
    optical = formulas.optical_currents(TwoModes(**params))
    for name, found in (("particle", optical[0]), ("energy", optical[1])):
        short = "J" + name[0].upper()
        number = {"particle": 61, "energy": 62}[name]
        assert additive[f"{name}_current"] == pytest.approx(case[f"{short}_additive"], rel=2e-11)
        assert found == pytest.approx(case[f"{short}_eq{number}"], rel=2e-11)
    network = TwoModes(**params)
    for place, value in case["T_at"].items():
        omega = float(place) * network.Omega
        assert formulas.transmission(network, omega) == pytest.approx(value, rel=1e-12)
        assert formulas.transmission_by_overlap(network, omega) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("case", CHECKS["mitchison_plenio_nu"])
def test_check_values_of_non_markovianity(case):
    params = named(case["params"])
    found = mitchison_plenio(**params, method="epa")
    assert found["non_markovianity"] == pytest.approx(case["nu_inf"], rel=1e-11)
    assert found["interference"].real == pytest.approx(case["xi"], rel=1e-11)
    assert found["interference"].imag == pytest.approx(case["eta"], rel=1e-11)
    gain, damping = asymptotic_rates(TwoModes(**params))
    for matrix, name in ((gain, "lam_plus"), (damping - gain, "lam_minus")):
        np.testing.assert_allclose(np.linalg.eigvalsh(matrix), case[name], rtol=1e-11)


# By mpmath with 34 digits: tanh-sinh between points graded around E'_j, μ_α and the edges.
DIGITS = [
    (
        (1.0, 0.3, 0.5, 1e-7, 10.0, 1.1, 0.9, 0.1, 0.15),
        (
            0.11382864994226756,
            0.8301276511884514,
            -1.5873152795706504e-08,
            9.463665074476145e-09,
            4.731832537238072e-09,
            3.988838009245516e-09,
        ),
    ),
    (
        (1.0, 0.3, 0.5, 0.01, 10.0, 1.000000001, 1.0, 0.1, 0.1),
        (
            0.057113629545517935,
            0.9424904226097823,
            -8.957422188980426e-12,
            3.812250963646977e-12,
            1.9061254818234887e-12,
            1.9032816032628043e-12,
        ),
    ),
    (
        (1.0, -0.4, 1e-4, 0.01, 10.0, 1.2, 0.8, 0.1, 1e-5),
        (
            0.003776082905306855,
            0.977468534219646,
            -2.7996765305906787e-06,
            1.6205163074404317e-06,
            1.620516307440432e-10,
            1.6182322490712696e-10,
        ),
    ),
    (
        (2.4, 0.3, 0.5, 0.1, 2.8, 2.7, -0.2, 0.3, 0.2),
        (
            0.3720086227809542,
            0.21234528771274647,
            0.0005681880171437576,
            0.024153514407801533,
            0.012076757203900767,
            0.02712294779125722,
        ),
    ),
    (
        (1.0, 0.5, 0.5, 0.014142135623730952, 10.0, 1.0, 1.0, 0.6, 0.15),
        (
            0.3185061753119164,
            0.8683454243290809,
            -9.308691311271088e-06,
            -5.702144447218033e-06,
            -2.8510722236090165e-06,
            0.00032668630268335605,
        ),
    ),
]


@pytest.mark.parametrize(("params", "expected"), DIGITS)
def test_no_digits_are_lost(params, expected):
    """Γ/Ω = 1e-8, a bias of 1e-9, T = 1e-5, a level near the edge of the band."""
    found = mitchison_plenio(*params)
    values = [
        *components(found["correlation_matrix"]).values(),
        found["particle_current"],
        found["energy_current"],
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-13)


@pytest.mark.parametrize("change", [{"Gamma": 1e-7}, {"mu_L": -0.2 + 1e-9, "T_L": 0.2}])
def test_no_digits_of_the_approximation_are_lost(change):
    params = {**WEAK, **change}
    found, network = mitchison_plenio(**params, method="epa"), TwoModes(**params)
    assert found["interference"] == pytest.approx(formulas.interference(network), rel=1e-13)
    inside = network.g * found["correlation_matrix"][0, 1].imag
    assert found["particle_current"] == pytest.approx(inside, rel=1e-13)
    additive = mitchison_plenio(**params, method="additive")
    optical = formulas.optical_currents(network)
    assert additive["particle_current"] == pytest.approx(optical[0], rel=1e-13)
    assert additive["energy_current"] == pytest.approx(optical[1], rel=1e-13)
    # At late times G_j underflows, and the steady state is there.
    late = mitchison_plenio(**params, times=[1e15], method="epa")
    for name, value in found.items():
        assert late[name][0] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        GENERAL,
        {**GENERAL, "delta": -0.3, "g": -0.5, "T_L": 0.1, "T_R": 0.5},
        {**GENERAL, "h": -1.0, "Omega": 2.5, "Gamma": 1.2},
        # √(E² + ΓΩ) = 0.9996 Ω: E'_1 lies outside the band.
        {**GENERAL, "h": 2.45, "Gamma": 0.1, "Omega": 2.8, "mu_L": 2.7},
    ],
)
def test_exact_against_finite_leads(params):
    """200 modes a lead: found to agree to 1e-13 before the recurrence time."""
    network = TwoModes(**params)
    baths = [legendre_modes(c.reservoir, 200, power=2) for c in network.model.contacts]
    closed = build_closed_system(network.model, baths)
    times = [0.0, 1e-6, 1e-2, 0.5, 3.0, 20.0, 50.0]
    brute = propagate(closed, to_sites(network, START).T, times)
    found = mitchison_plenio(**params, times=times, initial=START)
    expected = to_modes(network, brute.correlations.swapaxes(1, 2))
    np.testing.assert_allclose(found["correlation_matrix"], expected, atol=1e-12)
    for name in ("particle", "energy"):
        both = [found[f"{name}_current"], found[f"{name}_current_right"]]
        expected = getattr(brute, f"{name}_currents")
        np.testing.assert_allclose(np.stack(both, axis=1), expected, atol=1e-12)


def test_steady_state_against_the_quadrature_of_the_package():
    network = TwoModes(**GENERAL)
    found, general = mitchison_plenio(**GENERAL), landauer.steady_state(network.model, 1e-12)
    C = to_modes(network, general.correlation.T)
    np.testing.assert_allclose(found["correlation_matrix"], C, atol=1e-12)
    assert found["particle_current"] == pytest.approx(general.particle_currents[0], abs=1e-13)
    assert found["energy_current"] == pytest.approx(general.energy_currents[0], abs=1e-13)
    # The same from the boundary currents MP (40), (41), and the one between the sites (42).
    late = mitchison_plenio(**GENERAL, times=[1e7])
    assert late["particle_current"][0] == pytest.approx(found["particle_current"], abs=1e-14)
    assert late["energy_current"][0] == pytest.approx(found["energy_current"], abs=1e-14)
    inside = network.g * found["correlation_matrix"][0, 1].imag
    assert inside == pytest.approx(found["particle_current"], rel=1e-12)


def test_double_occupancy_in_fock_space():
    """MP (31) for two modes a lead and a start that is not Gaussian, with 64 states."""
    network = TwoModes(**GENERAL)
    bath = DiscretisedBath([-0.5, 1.3], [0.4, 0.3], [0.0, 0.0])
    filled = [np.array([0.9, 0.2]), np.array([0.6, 0.7])]
    matrix = build_closed_system(network.model, [bath, bath]).matrix()
    basis = FockBasis(6)
    a = [annihilation_operator(basis, mode).toarray() for mode in range(6)]
    rng = np.random.default_rng(5)
    block = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    block = 0.5 * block @ block.conj().T / np.trace(block @ block.conj().T).real
    ladder = [a[0].conj().T, a[1].conj().T]
    vacuum = np.eye(64)
    for j in (0, 1):
        vacuum = vacuum @ (np.eye(64) - a[j].conj().T @ a[j])
    # Weights 0.3 empty, 0.5 with one particle, 0.2 full.
    both = ladder[0] @ ladder[1]
    state = 0.3 * vacuum + 0.2 * both @ vacuum @ both.conj().T
    for j in (0, 1):
        for k in (0, 1):
            state = state + block[j, k] * ladder[j] @ vacuum @ ladder[k].conj().T
    for mode, share in enumerate(np.concatenate(filled), start=2):
        number = a[mode].conj().T @ a[mode]
        state = state @ (share * number + (1.0 - share) * (np.eye(64) - number))
    hamiltonian = sum(matrix[i, j] * a[i].conj().T @ a[j] for i in range(6) for j in range(6))
    levels, vectors = np.linalg.eigh(hamiltonian)
    time = 2.7
    unitary = (vectors * np.exp(-1j * levels * time)) @ vectors.conj().T
    after = unitary @ state @ unitary.conj().T
    d = [sum(network.rotation[j, q] * a[q] for q in (0, 1)) for j in (0, 1)]

    def average(operator, rho):
        return np.trace(operator @ rho)

    def correlation(rho):
        return np.array([[average(d[j].conj().T @ d[k], rho) for k in (0, 1)] for j in (0, 1)])

    full = d[0].conj().T @ d[1].conj().T @ d[1] @ d[0]
    energies, modes = np.linalg.eigh(matrix)
    single = (modes * np.exp(-1j * energies * time)) @ modes.T
    G = (network.rotation @ single[:2, :2] @ network.rotation.T).diagonal()
    start = correlation(state)
    Z = correlation(after) - G.conj()[:, None] * start * G
    nothing = np.zeros(2, dtype=complex)
    found = double_occupancy(
        start, average(full, state).real, Moments(G, nothing, nothing, Z, Z, Z, nothing)
    )
    assert average(full, state).real == pytest.approx(0.2, abs=1e-14)
    assert found == pytest.approx(average(full, after).real, abs=1e-14)
    # Equal to det C + |det G|² (D − det C)(0), which the equations of motion use.
    surplus = 0.2 - np.linalg.det(start).real
    expected = np.linalg.det(correlation(after)).real + abs(G[0] * G[1]) ** 2 * surplus
    assert found == pytest.approx(expected, abs=1e-14)


def test_errata():
    network = TwoModes(**named(CHECKS["mitchison_plenio_currents"][0]["params"]))
    for name, rel in (("66", 1e-11), ("81", 1e-10)):
        found = getattr(errata, f"equation_{name}")(network)
        assert found["corrected"] == pytest.approx(found["reference"], rel=rel)
        assert abs(found["printed"] - found["reference"]) > 0.3 * abs(found["reference"])
    assert errata.equation_66(network)["printed"] == pytest.approx(
        2.0 * errata.equation_66(network)["reference"], rel=1e-11
    )
    propagator = errata.equation_e1(network, 100.0)
    assert abs(propagator["corrected"] - propagator["reference"]) < 1e-6
    assert abs(propagator["printed"] - propagator["reference"]) > 0.1
    still = TwoModes(**{**WEAK, "delta": 0.0, "mu_R": 0.7, "T_R": 0.3})
    found = errata.below_equation_80(still)
    assert found["corrected"] == pytest.approx(found["reference"], rel=1e-12)
    assert abs(found["printed"]) < 1e-15 < 0.1 < found["reference"]
    weaker = TwoModes(**{**WEAK, "delta": 0.5, "Gamma": 1e-5})
    found = errata.equation_78(weaker)
    assert found["corrected"] == pytest.approx(found["reference"], rel=1e-3)
    assert abs(found["printed"] / found["reference"] - 1.0) > 0.3
    # As printed where it is meant.
    wide = TwoModes(**{**WEAK, "delta": 0.0, "Omega": 1e6})
    found = errata.equation_78(wide)
    assert found["printed"] == pytest.approx(found["corrected"], rel=1e-10)


def test_figure_3():
    caption = {"h": 1.0, "delta": 0.5, "g": 0.5, "Omega": 10.0}
    for ratio in (0.02, 0.2, 2.0):
        gamma = ratio * np.hypot(0.5, 0.5)
        found = curve(cases, "figure-3", "omega", (0.4, 1.8), 15, Gamma=gamma, **caption)
        # One maximum of 1/2π at most; (46) is for small Γ.
        assert found["transmission"].max() < 0.5 / np.pi
        if ratio == 0.02:
            assert np.abs(found["weak"] / found["transmission"] - 1.0)[2:12].max() < 0.7


@pytest.mark.parametrize(
    ("states", "close"),
    [
        ({"h": 1.0, "mu_L": 1.0, "mu_R": 0.0, "T_L": 0.1, "T_R": 0.1}, 5e-4),
        ({"h": 50.0, "mu_L": 49.0, "mu_R": 49.0, "T_L": 10.0, "T_R": 0.01}, 5e-3),
    ],
)
def test_figure_4(states, close):
    caption = {"delta": 0.1, "g": 0.5, "Gamma": 0.2, "Omega": 100.0, **states}
    exact, epa = (
        curve(cases, "figure-4", "time", (0.0, 25.0), 11, method=method, **caption)
        for method in ("exact", "epa")
    )
    off = max(np.abs(exact[name] - epa[name]).max() for name in cases.ELEMENTS)
    assert 0.0 < off < close


def test_figure_5():
    """ν∞ against the function itself, on both kinds of maps."""
    caption = {"h": 1.0, "delta": 0.0, "g": 0.5, "Gamma": 0.01, "Omega": 10.0}
    for over, ends, fixed in (
        ("mu_L", (0.0, 2.0), {"mu_R": 0.9, "T_L": 0.02, "T_R": 0.02}),
        ("T_L", (0.02, 2.0), {"mu_L": 0.5, "mu_R": 0.5, "T_R": 0.4}),
    ):
        found = curve(cases, "figure-5", over, ends, 4, **caption, **fixed)
        for x, value in zip(found["x"], found["non_markovianity"]):
            point = {**caption, **fixed, over: float(x)}
            expected = mitchison_plenio(**point, method="epa")["non_markovianity"]
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-16)
