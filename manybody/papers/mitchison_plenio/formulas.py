"""Closed forms of Mitchison and Plenio (MP), beside what the package computes without them.

All take a `TwoModes`.  φ_j and Γ_j are those of MP (35), (36) in sections III and the appendix,
and those of the exponential-propagator approximation in section V.  Where MP has a misprint
`printed=True` gives the formula as it stands there; see `errata`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from manybody.papers.mitchison_plenio.exact import pole_residues
from manybody.papers.mitchison_plenio.two_modes import Complex, Real, TwoModes
from manybody.physics.gaussian import landauer


def energy_distribution(network: TwoModes, omega: ArrayLike) -> Real:
    """φ_j(ω) of MP (35); (...) -> (2, ...)."""
    omega = np.asarray(omega, dtype=np.float64)
    shape = (2, *(1 for _ in omega.shape))
    distance = omega - network.shifted_energies.reshape(shape)
    width = network.decay_rates.reshape(shape)
    square: Real = (1.0 - network.Gamma / network.Omega) * (distance**2 + 0.25 * width**2)
    return network.density(omega) / (2.0 * np.pi) * (1.0 / square)


def transmission(network: TwoModes, omega: ArrayLike) -> Real:
    """T(ω) of the Landauer formulae (43), (44), from the Green's functions of the package."""
    return landauer.transmission(network.model, omega)[..., 0, 1] / (2.0 * np.pi)


def transmission_by_overlap(network: TwoModes, omega: ArrayLike) -> Real:
    """T(ω) = (πg²/2) φ_1 φ_2, MP (45)."""
    phi = energy_distribution(network, omega)
    return 0.5 * np.pi * network.g**2 * phi[0, ...] * phi[1, ...]


def transmission_weak(network: TwoModes, omega: ArrayLike) -> Real:
    """T(ω) ≈ (g/2Δ)² Σ_j Γ_j φ_j for Γ ≪ Δ, MP (46)."""
    both = np.tensordot(network.decay_rates, energy_distribution(network, omega), axes=1)
    return network.overlap**2 * np.asarray(both)


def optical_currents(network: TwoModes) -> tuple[float, float]:
    """⟨L_L†N_S⟩ and ⟨L_L†H_S⟩ of MP (61), (62)."""
    flow = network.golden_rule_rates * overlaps(network, network.bias)
    square = network.overlap**2
    return float(square * flow.sum()), float(square * network.energies @ flow)


def interference(network: TwoModes, printed: bool = False) -> complex:
    """Λ⁺_12 = ξ + iη, MP (66), (67): ξ has g/(4Δ), where g/(2Δ) is printed."""
    factor = 1.0 if printed else 0.5
    xi = network.overlap * factor * network.golden_rule_rates @ overlaps(network, network.bias)
    return complex(xi + 1j * network.overlap * skew(network))


def weak_local_ratio(network: TwoModes, printed: bool = False) -> Real:
    """(2,) γ̄⁻_α/γ̄⁺_α for Γ → 0.

    Σ_j R_jα² Γ_j (1 − f_α(E_j)) / Σ_j R_jα² Γ_j f_α(E_j).  MP (78), printed for all cases, is this
    for δ = 0 and Ω → ∞, where both modes have the same weight and rate.
    """
    mu, temperatures = network.chemical_potentials, network.temperatures
    if printed:
        # With all terms over the larger of e^x and cosh, nothing overflows before the ratio does.
        x = (network.h - mu) / temperatures
        cosh = np.cosh(0.5 * network.gap / temperatures)
        return np.asarray(np.exp(x) * (np.exp(x) + cosh) / (1.0 + np.exp(x) * cosh))
    x = (network.energies - mu[:, None]) / temperatures[:, None]
    weights = network.rotation.T**2 * network.golden_rule_rates
    return np.asarray(
        (weights * special.expit(x)).sum(axis=1) / (weights * special.expit(-x)).sum(axis=1)
    )


def local_energy_current(
    network: TwoModes, particle: float, coherence: complex, printed: bool = False
) -> float:
    """⟨L̄_L†H_S⟩ of MP (81), of ⟨L̄_L†N_S⟩ and ⟨c_L†c_R⟩; the second term is printed with −."""
    rate = float(network.rotation[:, 0] ** 2 @ network.golden_rule_rates)
    sign = -1.0 if printed else 1.0
    level = network.h + 0.5 * network.delta
    return float(level * particle + sign * 0.5 * network.g * rate * coherence.real)


def pole_propagator(network: TwoModes, times: ArrayLike, printed: bool = False) -> Complex:
    """p_j e^{−iE'_jt − Γ_jt/2}, MP (E1) without its error, (T,) -> (2, T); printed with Γ_jt."""
    rate = network.decay_rates * (1.0 if printed else 0.5)
    waves: Complex = np.exp(-(1j * network.shifted_energies + rate)[:, None] * np.asarray(times))
    return pole_residues(network)[:, None] * waves


def overlaps(network: TwoModes, values: NDArray[np.float64]) -> Real:
    """(2,) ∫dω φ_j values, φ_j = J_N/((ω − E_j)² + Γ_j²/4) of the approximation."""
    return network.rule.integrate(_lorentzians(network) * values)


def skew(network: TwoModes) -> float:
    """∫dω [(E_1 − ω)φ_1 − (E_2 − ω)φ_2] (f_L − f_R), MP (67)."""
    distance = np.stack([network.rule.distance(energy) for energy in network.energies])
    first, second = network.rule.integrate(-distance * _lorentzians(network) * network.bias)
    return float(first - second)


def _lorentzians(network: TwoModes) -> Real:
    """(2, P, K) φ_j of the approximation at the nodes."""
    distance = np.stack([network.rule.distance(energy) for energy in network.energies])
    width = network.golden_rule_rates[:, None, None]
    return network.spectral_density / (distance**2 + 0.25 * width**2)
