"""Mitchison and Plenio (MP): check values, brute force, closed forms, limits and laws."""

import json
from pathlib import Path

import numpy as np
import pytest
from mitchison_plenio_oracle import (
    cross_rates,
    entropy_balance,
    error_shape,
    hilbert_transform,
    local_particle_correction,
    propagator_error_bound,
    thermal_correlations,
)
from paper_curves import curve

from manybody.networks import mitchison_plenio
from manybody.papers.mitchison_plenio import cases, errata, formulas
from manybody.papers.mitchison_plenio.exact import (
    Moments,
    double_occupancy,
    exact_propagator,
    exponential_propagator,
    moments,
    rate_matrices,
    steady_moments,
)
from manybody.papers.mitchison_plenio.generators import (
    asymptotic_rates,
    lead_rates,
    local_decomposition,
)
from manybody.papers.mitchison_plenio.two_modes import TwoModes, to_modes, to_sites
from manybody.physics.fock.basis import FockBasis, annihilation_operator
from manybody.physics.gaussian import landauer
from manybody.physics.gaussian.discretised import DiscretisedBath, legendre_modes
from manybody.physics.gaussian.exact import build_closed_system, propagate

CHECKS = json.loads(
    (Path(__file__).parents[1] / "checks" / "networks.json").read_text(encoding="utf-8")
)
NAMES = {"Gam": "Gamma", "Om": "Omega", "muL": "mu_L", "muR": "mu_R", "TL": "T_L", "TR": "T_R"}
ALL_METHODS = ("exact", "epa", "additive", "redfield", "davies", "local")
# Everything different, and nothing small.
GENERAL = {
    "h": 1.0,
    "delta": 0.3,
    "g": 0.5,
    "Gamma": 0.4,
    "Omega": 3.0,
    "mu_L": 0.7,
    "mu_R": -0.2,
    "T_L": 0.3,
    "T_R": 0.2,
}
WEAK = {**GENERAL, "Gamma": 0.01, "Omega": 10.0}
START = np.array([[0.6, 0.1 + 0.2j], [0.1 - 0.2j, 0.3]])


def named(params):
    return {NAMES.get(key, key): value for key, value in params.items()}


def components(C):
    return {"C11": C[0, 0].real, "C22": C[1, 1].real, "ReC12": C[0, 1].real, "ImC12": C[0, 1].imag}


def exact_moments(network, times):
    times = np.asarray(times, dtype=np.float64)
    return list(moments(network, exact_propagator(network, times), times))


# ---- check values


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


# ---- brute force


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


# ---- closed forms and equations of motion


def test_newns_functions():
    """MP (35), (37) against 1/(ω − E_j − Σ(ω)) of the package; norm (26), equilibrium (38)."""
    network = TwoModes(**{**GENERAL, "mu_R": 0.7, "T_R": 0.3})
    omega = network.rule.omega
    resolvent = hilbert_transform(network, omega) - 1j * np.pi * (
        formulas.energy_distribution(network, omega)
    )
    # Nodes next to the edges are known from there better than by ω.
    inner = np.abs(omega) < 0.999 * network.Omega
    np.testing.assert_allclose(network.resolvents[:, inner], resolvent[:, inner], rtol=1e-12)
    norm = network.rule.integrate(formulas.energy_distribution(network, omega))
    np.testing.assert_allclose(norm, 1.0, rtol=1e-13)
    expected = np.diag(thermal_correlations(network))
    found = mitchison_plenio(**{**GENERAL, "mu_R": 0.7, "T_R": 0.3})
    np.testing.assert_allclose(found["correlation_matrix"], expected, atol=1e-14)
    green = landauer.green_function(network.model, 0.4)
    turned = network.rotation @ green @ network.rotation.T
    value = hilbert_transform(network, 0.4) - 1j * np.pi * (
        formulas.energy_distribution(network, 0.4)
    )
    np.testing.assert_allclose(turned, np.diag(value), atol=1e-14)


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


def test_equation_of_motion():
    """MP (48) with the H, Γ and Λ⁺ of (47), by a difference in time, and (54)."""
    network = TwoModes(**GENERAL)
    step = 1e-4
    times = np.array([1.3 - step, 1.3, 1.3 + step])
    for propagator in (exact_propagator(network, times), exponential_propagator(network)):
        before, now, after = moments(network, propagator, times)
        C = [one.G.conj()[:, None] * START * one.G + one.Z for one in (before, now, after)]
        gain, damping = rate_matrices(now)
        H = network.energies + now.ratio.real
        rates = 1j * (H[:, None] - H) - 0.5 * (damping[:, None] + damping)
        np.testing.assert_allclose((C[2] - C[0]) / (2 * step), rates * C[1] + gain, atol=1e-8)
    # G†Φ of MP (54), Φ by its Fourier integral.
    nodes, weights = np.polynomial.legendre.leggauss(40)
    lags, parts = 0.65 * (nodes + 1.0), 0.65 * weights
    noise = network.spectral_density * network.filling
    total = np.zeros((2, 2), dtype=complex)
    late = network.energies + 0.5j * network.golden_rule_rates
    for lag, part in zip(lags, parts):
        phi = network.rule.fourier(noise, lag).conj()
        total += part * np.exp(1j * late * lag)[:, None] * phi
    np.testing.assert_allclose(total + total.conj().T, gain, atol=1e-13)


def fock_rates(gain, loss, operators):
    """The dissipator MP (51) as a function of ρ."""

    def apply(rho):
        result = np.zeros_like(rho)
        for j in (0, 1):
            for k in (0, 1):
                dj, dk = operators[j], operators[k]
                down = dk.conj().T @ dj
                up = dj @ dk.conj().T
                result += loss[j, k] * (dj @ rho @ dk.conj().T - 0.5 * (down @ rho + rho @ down))
                result += gain[j, k] * (dk.conj().T @ rho @ dj - 0.5 * (up @ rho + rho @ up))
        return result

    return apply


def gaussian(C, operators):
    """ρ of MP (F6)."""
    filled, vectors = np.linalg.eigh(C)
    P = (vectors * np.log((1.0 - filled) / filled)) @ vectors.conj().T
    exponent = sum(P[k, j] * operators[j].conj().T @ operators[k] for j in (0, 1) for k in (0, 1))
    levels, states = np.linalg.eigh(exponent)
    rho = (states * np.exp(-levels)) @ states.conj().T
    return rho / np.trace(rho)


def logarithm(rho):
    levels, states = np.linalg.eigh(rho)
    return (states * np.log(levels)) @ states.conj().T


def test_generators_in_fock_space():
    """MP (56), (59), (63), (68), (69), (79)-(81), (F3) and (F7) with 4 x 4 matrices."""
    network = TwoModes(**WEAK)
    basis = FockBasis(2)
    d = [annihilation_operator(basis, mode).toarray().astype(complex) for mode in (0, 1)]
    c = [sum(network.rotation[j, q] * d[j] for j in (0, 1)) for q in (0, 1)]
    gain, damping = asymptotic_rates(network)
    loss = damping - gain
    rates = lead_rates(network)
    C = steady_moments(network, exponential_propagator(network)).Z
    rho = gaussian(C, d)
    correlation = np.array(
        [[np.trace(d[j].conj().T @ d[k] @ rho) for k in (0, 1)] for j in (0, 1)]
    )
    np.testing.assert_allclose(correlation, C, atol=1e-14)
    H = sum(E * one.conj().T @ one for E, one in zip(network.energies, d))
    whole = fock_rates(gain, loss, d)
    # The steady state.
    drift = -1j * (H @ rho - rho @ H) + whole(rho)
    assert np.abs(drift).max() < 1e-15
    # MP (56).
    leads = [fock_rates(np.diag(rates.gain[a]), np.diag(rates.loss[a]), d) for a in (0, 1)]
    cross = gain - np.diag(gain.diagonal())
    between = fock_rates(cross, -cross, d)
    parts = leads[0](rho) + leads[1](rho) + between(rho)
    np.testing.assert_allclose(whole(rho), parts, atol=1e-16)
    balance = entropy_balance(network)
    for a in (0, 1):
        fixed = gaussian(np.diag(rates.occupations[a]), d)
        assert np.abs(leads[a](fixed)).max() < 1e-15
        spohn = np.trace((logarithm(fixed) - logarithm(rho)) @ leads[a](rho)).real
        assert balance["spohn"][a] == pytest.approx(spohn, rel=1e-9) and spohn >= 0.0
    meeting = np.trace(logarithm(rho) @ between(rho)).real
    assert balance["interference"] == pytest.approx(meeting, rel=1e-6) and meeting >= 0.0
    assert balance["spohn"].sum() == pytest.approx(
        balance["interference"] + balance["reservoirs"], rel=1e-11
    )
    # MP (68).
    for j in (0, 1):
        assert abs(np.trace(d[j].conj().T @ d[j] @ between(rho))) < 1e-16
    assert np.trace(d[0].conj().T @ d[1] @ between(rho)) == pytest.approx(gain[0, 1], rel=1e-12)
    # MP (69)-(71): on-site rates are sums over the modes.
    local = local_decomposition(network)
    np.testing.assert_allclose(local["gain"], rates.gain.sum(axis=1), rtol=1e-11)
    np.testing.assert_allclose(local["loss"], rates.loss.sum(axis=1), rtol=1e-11)
    site = fock_rates(np.diag([local["gain"][0], 0.0]), np.diag([local["loss"][0], 0.0]), c)
    number = sum(one.conj().T @ one for one in c)
    assert local["particle_current"] == pytest.approx(np.trace(number @ site(rho)).real, rel=1e-11)
    assert local["energy_current"] == pytest.approx(np.trace(H @ site(rho)).real, rel=1e-11)
    # MP (79), (80).
    missing = local["true_particle_current"] - local["particle_current"]
    correction = local_particle_correction(network, complex(local["coherence"]))
    assert -missing == pytest.approx(correction, rel=1e-9)


def test_interference_and_cross_rates_by_their_integrals():
    """MP (66) corrected, (67), (72)-(75); (74) assumes ∫φ_j = 1, right to Γ/Ω."""
    network = TwoModes(**WEAK)
    found = mitchison_plenio(**WEAK, method="epa")["interference"]
    assert formulas.interference(network) == pytest.approx(found, rel=1e-12)
    local = local_decomposition(network)
    filled, empty = cross_rates(network)
    assert local["gain_cross"] == pytest.approx(filled, rel=1e-12)
    assert local["loss_cross"] == pytest.approx(empty, rel=0.01)
    assert local["loss_cross"].imag == pytest.approx(empty.imag, rel=1e-12)


# ---- limits and laws


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


def test_propagator_error_is_within_its_bound():
    """MP (E5) and the Bessel functions of (E6)."""
    from scipy import special

    tau = np.array([1e-3, 0.3, 2.0, 5.0])
    half = 0.5 * tau
    bessel = (
        0.5
        * np.sqrt(np.pi * tau)
        * (
            special.iv(-0.75, half) * special.iv(0.25, half)
            - special.iv(-0.25, half) * special.iv(0.75, half)
        )
    )
    factor = bessel / error_shape(tau)
    np.testing.assert_allclose(factor, factor[0], rtol=1e-9)
    assert error_shape(0.0) == pytest.approx(0.54, abs=0.005)
    network = TwoModes(**WEAK)
    times = np.array([1e-3, 0.1, 1.0, 10.0, 100.0, 1000.0])
    phi = network.spectral_density * np.abs(network.resolvents) ** 2
    exact = np.stack([np.conj(network.rule.fourier(phi, time)) for time in times.tolist()], axis=1)
    error = np.abs(formulas.pole_propagator(network, times) - exact)
    bound = propagator_error_bound(network, times)
    assert np.all(error <= bound) and np.all(error > 0.1 * bound)


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


# ---- figures


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


# ---- arguments


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
