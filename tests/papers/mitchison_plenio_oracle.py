"""Statements of Mitchison and Plenio that the package has no use for, to test it against."""

import numpy as np
from scipy import special

from manybody.papers.mitchison_plenio.exact import exponential_propagator, steady_moments
from manybody.papers.mitchison_plenio.formulas import energy_distribution, overlaps, skew
from manybody.papers.mitchison_plenio.generators import asymptotic_rates, lead_currents, lead_rates


def hilbert_transform(network, omega):
    """ϑ_j(ω) of MP (37), inside the band; (...) -> (2, ...)."""
    omega, ratio = np.asarray(omega), network.Gamma / network.Omega
    energies, poles, widths = (
        values.reshape((2, *(1 for _ in omega.shape)))
        for values in (network.energies, network.shifted_energies, network.decay_rates)
    )
    square = (1.0 - ratio) * ((omega - poles) ** 2 + 0.25 * widths**2)
    return ((1.0 - 0.5 * ratio) * omega - energies) / square


def thermal_correlations(network):
    """(2,) C_jj(∞) = ∫dω φ_j f, MP (38), for leads in the state of L."""
    values = energy_distribution(network, network.rule.omega)
    return network.rule.integrate(values * special.expit(-network.exponents[0]))


def cross_rates(network):
    """Λ̄⁺_LR and Λ̄⁻_LR of MP (72)-(75)."""
    left, right = special.expit(-network.exponents)
    rates = network.golden_rule_rates * np.array([-1.0, 1.0])
    filled = 0.5 * network.overlap * rates @ overlaps(network, left + right)
    empty = 0.5 * network.overlap * rates @ overlaps(network, 2.0 - left - right)
    odd = network.overlap * skew(network)
    return complex(filled + 1j * odd), complex(empty - 1j * odd)


def local_particle_correction(network, coherence):
    """−⟨L̄_LR†n_L⟩ of MP (80), of the coherence ⟨c_L†c_R⟩."""
    first, second = network.golden_rule_rates
    return float(network.overlap * (second - first) * coherence.real)


def propagator_error_bound(network, times):
    """Bound of |err_j(t)|, MP (E5); (T,) -> (2, T)."""
    ratio, omega = network.Gamma / network.Omega, network.Omega
    denominator = (omega - np.abs(network.shifted_energies)) ** 2 + 0.25 * network.decay_rates**2
    factor = ratio / (1.0 - ratio) * omega**2 / denominator
    return factor[:, None] * error_shape(omega * np.asarray(times, dtype=np.float64))


def error_shape(tau):
    """u(τ) of MP (E6), (1/√2π) ∫₀^π e^{−τ sin θ} √sin θ dθ, √2π meaning π√2."""
    points, weights = np.polynomial.legendre.leggauss(40)
    # θ = v², on panels that halve towards θ = 0, over half of the range twice.
    edges = np.sqrt(0.5 * np.pi) * np.append(0.0, 2.0 ** np.arange(-24.0, 1.0))
    half = 0.5 * np.diff(edges)[:, None]
    v = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * points
    sine = np.sin(v**2)
    measure = 4.0 * half * weights * v * np.sqrt(sine) / (np.pi * np.sqrt(2.0))
    tau = np.asarray(tau, dtype=np.float64)
    return np.einsum("pn,...pn->...", measure, np.exp(-tau[..., None, None] * sine))


def entropy_balance(network):
    """Terms of MP (63), (64) and (F3) in the steady state of the asymptotic equation.

    spohn: (2,) Tr{[ln r_α − ln ρ∞] L_α ρ∞}, each >= 0, r_α the fixed point (59) of L_α;
    interference: Tr[ln ρ∞ L_int ρ∞] of MP (F7); reservoirs: −Σ_α β_α ⟨L_α†(H*_α − μ_αN_S)⟩ with
    the Hamiltonian of mean force (F5), so that spohn adds up to interference + reservoirs;
    entropy_production: the same with H_S, whose limit over Γ is MP (64).

    Raises ValueError where the approximation has no state, since a mode is empty or full to
    its own error.
    """
    rates = lead_rates(network)
    gain, _ = asymptotic_rates(network)
    C = steady_moments(network, exponential_propagator(network)).Z
    filled, vectors = np.linalg.eigh(C)
    if filled[0] <= 0.0 or filled[1] >= 1.0 or rates.occupations.max() >= 1.0:
        raise ValueError(
            f"the approximate steady state has occupations {filled[0]:.6g} and {filled[1]:.6g}: "
            "ln ρ of MP (63) needs them between 0 and 1, beyond the errors of order Gamma/Omega"
        )
    P = (vectors * np.log((1.0 - filled) / filled)) @ vectors.conj().T
    fixed = np.log((1.0 - rates.occupations) / rates.occupations)
    spohn, mean_force = np.zeros(2), 0.0
    for lead in range(2):
        share = rates.shares[lead]
        change = np.diag(rates.gain[lead]) - 0.5 * (share[:, None] + share) * C
        towards = -float((fixed[lead] * change.diagonal().real).sum())
        spohn[lead] = towards + np.trace(P @ change).real
        mean_force += towards
    cross = gain - np.diag(gain.diagonal())
    particle, energy = lead_currents(network, rates, np.zeros(2))
    heat = energy - network.chemical_potentials * particle
    return {
        "spohn": spohn,
        "interference": -np.trace(P @ cross).real,
        "reservoirs": mean_force,
        "entropy_production": -float((heat / network.temperatures).sum()),
    }
