"""Misprints of Mitchison and Plenio (MP): printed, corrected, and what decides.

Each function returns printed, corrected and reference, the last computed without the formula.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.papers.mitchison_plenio.exact import exact_propagator, steady_moments
from manybody.papers.mitchison_plenio.formulas import (
    interference,
    local_energy_current,
    pole_propagator,
    propagator_error_bound,
    weak_local_ratio,
)
from manybody.papers.mitchison_plenio.generators import asymptotic_rates, local_decomposition
from manybody.papers.mitchison_plenio.two_modes import TwoModes, to_sites


def equation_66(network: TwoModes) -> dict[str, Any]:
    """ξ: printed with g/(2Δ), right with g/(4Δ); the reference is Re Λ⁺_12 of MP (55)."""
    return {
        "printed": interference(network, printed=True).real,
        "corrected": interference(network).real,
        "reference": float(asymptotic_rates(network)[0][0, 1].real),
    }


def equation_78(network: TwoModes) -> dict[str, Any]:
    """(2,) γ̄⁻_α/γ̄⁺_α for Γ → 0: printed without R_jα² Γ_j, which δ = 0 and Ω → ∞ alone allow.

    The reference is the ratio of MP (70) at the Γ of the network, right to O(Γ).
    """
    local = local_decomposition(network)
    return {
        "printed": weak_local_ratio(network, printed=True),
        "corrected": weak_local_ratio(network),
        "reference": local["loss"] / local["gain"],
    }


def below_equation_80(network: TwoModes) -> dict[str, Any]:
    """Re⟨c_L†c_R⟩: said to be proportional to δ/Δ, so that it vanish at δ = 0.

    It is (δ/Δ) Re C_12 + (g/2Δ)(C_22 − C_11), and only the first term has δ.  The reference is
    the exact steady state.
    """
    C = steady_moments(network, exact_propagator(network, np.zeros(0))).Z
    first = network.delta / network.gap * float(C[0, 1].real)
    return {
        "printed": first,
        "corrected": first + network.overlap * float((C[1, 1] - C[0, 0]).real),
        "reference": float(to_sites(network, C)[0, 1].real),
    }


def equation_81(network: TwoModes) -> dict[str, Any]:
    """⟨L̄_L†H_S⟩: the term with g is printed with −, right is +.

    L̄_L takes ⟨c_L†c_R⟩ down at half the rate of n_L, and H_S has it with −g/2.  The reference
    is the trace of H_S with what L̄_L makes of the steady state.
    """
    local = local_decomposition(network)
    arguments = (network, local["particle_current"], complex(local["coherence"]))
    return {
        "printed": local_energy_current(*arguments, printed=True),
        "corrected": local_energy_current(*arguments),
        "reference": float(local["energy_current"]),
    }


def equation_e1(network: TwoModes, times: ArrayLike) -> dict[str, Any]:
    """(2, T) G_j(t) without its small error: printed, also in (E4), with Γ_jt in place of Γ_jt/2.

    The reference is the exact propagator MP (24); bound: MP (E5) for what may be missing.
    """
    times = np.asarray(times, dtype=np.float64)
    phi = network.spectral_density * np.abs(network.resolvents) ** 2
    exact = [np.conj(network.rule.fourier(phi, float(time))) for time in times]
    return {
        "printed": pole_propagator(network, times, printed=True),
        "corrected": pole_propagator(network, times),
        "reference": np.stack(exact, axis=1),
        "bound": propagator_error_bound(network, times),
    }
