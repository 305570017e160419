"""Misprints and wrong claims of MP, with numbers where there are any.

Each function returns printed, corrected and reference, the last computed without the formula.
"""

import numpy as np

from manybody.papers.kit.curves import Erratum, Evidence
from manybody.papers.mitchison_plenio.exact import exact_propagator, steady_moments
from manybody.papers.mitchison_plenio.formulas import (
    interference,
    local_energy_current,
    pole_propagator,
    weak_local_ratio,
)
from manybody.papers.mitchison_plenio.generators import asymptotic_rates, local_decomposition
from manybody.papers.mitchison_plenio.two_modes import TwoModes, to_sites

_LEADS = {"mu_L": 1.2, "mu_R": 0.8, "T_L": 0.1, "T_R": 0.1}
_TILTED = TwoModes(1.0, 0.5, 0.5, 0.01, 10.0, **_LEADS)
_LEVEL = TwoModes(1.0, 0.0, 0.5, 0.01, 10.0, **_LEADS)
_WEAK = TwoModes(1.0, 0.5, 0.5, 1e-5, 10.0, **_LEADS)


def equation_66(network: TwoModes = _TILTED) -> Evidence:
    """ξ: printed with g/(2Δ), right with g/(4Δ); the reference is Re Λ⁺_12 of MP (55)."""
    return {
        "printed": interference(network, printed=True).real,
        "corrected": interference(network).real,
        "reference": float(asymptotic_rates(network)[0][0, 1].real),
    }


def equation_78(network: TwoModes = _WEAK) -> Evidence:
    """γ̄⁻_L/γ̄⁺_L for Γ → 0: printed without R_jL² Γ_j, which δ = 0 and Ω → ∞ alone allow.

    The reference is the ratio of MP (70) at the Γ of the network, right to O(Γ).
    """
    local = local_decomposition(network)
    return {
        "printed": float(weak_local_ratio(network, printed=True)[0]),
        "corrected": float(weak_local_ratio(network)[0]),
        "reference": float(local["loss"][0] / local["gain"][0]),
    }


def below_equation_80(network: TwoModes = _LEVEL) -> Evidence:
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


def equation_81(network: TwoModes = _TILTED) -> Evidence:
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


def equation_e1(network: TwoModes = _TILTED, time: float = 100.0) -> Evidence:
    """|G_1(t)| without its small error: printed, also in (E4), with Γ_1t in place of Γ_1t/2.

    The reference is the exact propagator MP (24).
    """
    phi = network.spectral_density * np.abs(network.resolvents) ** 2
    return {
        "printed": float(abs(pole_propagator(network, [time], printed=True)[0, 0])),
        "corrected": float(abs(pole_propagator(network, [time])[0, 0])),
        "reference": float(abs(network.rule.fourier(phi, time)[0])),
    }


_STATES = "with μ_L = 1.2, μ_R = 0.8, T = 0.1"

ERRATA = (
    Erratum("MP (66)", "ξ has g/(2Δ)", "g/(4Δ)", f"ξ {_STATES}", equation_66, tuple(_LEADS)),
    Erratum(
        "MP (78)",
        "γ̄⁻_α/γ̄⁺_α without weights",
        "every mode j has the weight R_jα² Γ_j",
        f"γ̄⁻_L/γ̄⁺_L {_STATES}",
        equation_78,
        tuple(_LEADS),
    ),
    Erratum(
        "MP below (80)",
        "Re⟨c_L†c_R⟩ ∝ δ/Δ",
        "plus g(C_22 − C_11)/(2Δ), not zero at δ = 0",
        f"Re⟨c_L†c_R⟩ {_STATES}",
        below_equation_80,
        tuple(_LEADS),
    ),
    Erratum(
        "MP (81)",
        "− in front of the term with g",
        "+",
        f"⟨L̄_L†H_S⟩ {_STATES}",
        equation_81,
        tuple(_LEADS),
    ),
    Erratum("MP (E1), (E4)", "e^{−Γ_jt}", "e^{−Γ_jt/2}", "|G_1(t)|", equation_e1, tuple(_LEADS)),
    Erratum(
        "MP (B12)",
        "∫dt e^{−iωt} G_j(t) = πφ_j + iϑ_j",
        "e^{+iωt}, since the left side is G̃_j(ε − iω)",
    ),
)
