"""The asymptotic master equation of two modes between two leads, and its parts.

MP section V: in the exponential-propagator approximation the dissipator becomes constant,
with gain and loss matrices Λ⁺ and Λ⁻ = Γ − Λ⁺, MP (55).  In the modes of H_S it is a sum of
one thermal generator for each lead and an interference term, MP (56); on the sites a sum of
one local generator for each site and a cross term, MP (69).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.papers.mitchison_plenio.exact import (
    exponential_propagator,
    rate_matrices,
    steady_moments,
)
from manybody.papers.mitchison_plenio.two_modes import Complex, Real, TwoModes, to_sites


@dataclass(frozen=True, eq=False)
class LeadRates:
    """Rates of the generators L_α, MP (57)-(58); first axis the lead, second the mode.

    occupations: (2, 2) ∫dω φ_j f_α; bias: (2,) ∫dω φ_j (f_L − f_R) with all digits;
    shares: (2, 2) Γ_αj; φ_j and Γ_j those of the approximation.
    """

    occupations: Real
    bias: Real
    shares: Real

    @property
    def gain(self) -> Real:
        """(2, 2) γ⁺_αj."""
        return self.shares * self.occupations

    @property
    def loss(self) -> Real:
        """(2, 2) γ⁻_αj = Γ_αj − γ⁺_αj, so that MP (56) holds.

        MP (58) has Γ_αj ∫dω φ_j (1 − f_α), which is the same up to ∫dω φ_j = 1 + O(Γ/Ω).
        """
        return self.shares - self.gain

    @property
    def steady(self) -> Real:
        """(2,) occupations C_jj(∞)."""
        return np.asarray(self.gain.sum(axis=0) / self.shares.sum(axis=0))


def lead_rates(network: TwoModes) -> LeadRates:
    """Rates of both leads by quadrature."""
    propagator = exponential_propagator(network)
    distribution = network.spectral_density * np.abs(propagator.resolvents) ** 2
    diagonal = np.einsum("jj...->j...", network.filling)
    weights = network.rotation.T**2
    bias = network.rule.integrate(distribution * network.bias)
    mean = network.rule.integrate(distribution * diagonal)
    # R_jL² f_L + R_jR² f_R is the mean, and R_jL² + R_jR² = 1.
    occupations = np.stack([mean + weights[1] * bias, mean - weights[0] * bias])
    return LeadRates(occupations, bias, weights * network.golden_rule_rates)


def lead_currents(network: TwoModes, rates: LeadRates, deviation: Real) -> tuple[Real, Real]:
    """(2,) ⟨L_α†N_S⟩ and ⟨L_α†H_S⟩ of MP (6), where C_jj is `deviation` off its steady value.

    In the steady state MP (61) and (62).
    """
    opposite = network.rotation.T[::-1] ** 2 * np.array([[1.0], [-1.0]])
    flow = rates.shares * (opposite * rates.bias - deviation)
    return flow.sum(axis=1), flow @ network.energies


def asymptotic_rates(network: TwoModes) -> tuple[Complex, Complex]:
    """(2, 2) Λ⁺ of MP (55) in the modes of H_S, and Γ."""
    gain, damping = rate_matrices(steady_moments(network, exponential_propagator(network)))
    return gain, np.diag(damping).astype(np.complex128)


def non_markovianity(gain: NDArray[Any], damping: NDArray[Any]) -> Real:
    """ν of MP (82), what the eigenvalues of Λ⁺ and Λ⁻ = Γ − Λ⁺ lack; (..., 2, 2) -> (...)."""
    result: Real = np.zeros(np.shape(gain)[:-2])
    for matrix in (gain, damping - gain):
        result = result + np.maximum(0.0, -np.linalg.eigvalsh(matrix)).sum(axis=-1)
    return result


def local_decomposition(network: TwoModes) -> dict[str, Any]:
    """Parts of the dissipator on the sites, MP (69)-(71), and what the local ones say of currents.

    gain, loss: (2,) γ̄±_α; gain_cross, loss_cross: Λ̄±_LR; particle_current, energy_current:
    ⟨L̄_L†N_S⟩ and ⟨L̄_L†H_S⟩ in the steady state, MP (79) and (81); true_particle_current:
    the one of the whole equation.
    """
    gain, damping = asymptotic_rates(network)
    steady = steady_moments(network, exponential_propagator(network)).Z
    on_sites, total = to_sites(network, gain), to_sites(network, damping)
    loss = total - on_sites
    left = np.diag([1.0, 0.0])
    C = to_sites(network, steady)
    change = on_sites[0, 0] * left - 0.5 * total[0, 0] * (left @ C + C @ left)
    hamiltonian = network.model.dense_hamiltonian()
    return {
        "gain": on_sites.diagonal().real.copy(),
        "loss": loss.diagonal().real.copy(),
        "gain_cross": on_sites[0, 1],
        "loss_cross": loss[0, 1],
        "particle_current": np.trace(change).real,
        # ⟨H⟩ = Σ h_αβ ⟨c_α†c_β⟩.
        "energy_current": (hamiltonian * change).sum().real,
        "true_particle_current": network.g * steady[0, 1].imag,
        "coherence": C[0, 1],
    }
