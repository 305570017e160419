"""Mitchison and Plenio (MP): closed forms, equations of motion, generators in Fock space."""

import numpy as np
import pytest
from mitchison_plenio_cases import GENERAL, START, WEAK
from mitchison_plenio_oracle import (
    cross_rates,
    entropy_balance,
    error_shape,
    hilbert_transform,
    local_particle_correction,
    propagator_error_bound,
    thermal_correlations,
)

from manybody.networks import mitchison_plenio
from manybody.papers.mitchison_plenio import formulas
from manybody.papers.mitchison_plenio.exact import (
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
from manybody.papers.mitchison_plenio.two_modes import TwoModes
from manybody.physics.fock.basis import FockBasis, annihilation_operator
from manybody.physics.gaussian import landauer


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
