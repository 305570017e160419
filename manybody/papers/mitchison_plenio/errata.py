"""Misprints and wrong claims of MP, with numbers where there are any."""

from manybody.papers.kit.curves import Erratum
from manybody.papers.mitchison_plenio import errata_formulas as errata
from manybody.papers.mitchison_plenio.two_modes import TwoModes

Evidence = dict[str, float]


def _network(h: float, delta: float, g: float, Gamma: float, Omega: float) -> TwoModes:
    return TwoModes(h, delta, g, Gamma, Omega, mu_L=1.2, mu_R=0.8, T_L=0.1, T_R=0.1)


def equation_66(
    h: float = 1.0, delta: float = 0.5, g: float = 0.5, Gamma: float = 0.01, Omega: float = 10.0
) -> Evidence:
    """ξ = Re Λ⁺_12 with μ = 1.2 and 0.8, T = 0.1; the reference is MP (55)."""
    return errata.equation_66(_network(h, delta, g, Gamma, Omega))


def equation_78(
    h: float = 1.0, delta: float = 0.5, g: float = 0.5, Gamma: float = 1e-5, Omega: float = 10.0
) -> Evidence:
    """γ̄⁻_L/γ̄⁺_L with μ = 1.2 and 0.8, T = 0.1; the reference is MP (70) at this Γ."""
    found = errata.equation_78(_network(h, delta, g, Gamma, Omega))
    return {name: float(values[0]) for name, values in found.items()}


def below_equation_80(
    h: float = 1.0, delta: float = 0.0, g: float = 0.5, Gamma: float = 0.01, Omega: float = 10.0
) -> Evidence:
    """Re⟨c_L†c_R⟩ with μ = 1.2 and 0.8, T = 0.1; the reference is the exact steady state."""
    return errata.below_equation_80(_network(h, delta, g, Gamma, Omega))


def equation_81(
    h: float = 1.0, delta: float = 0.5, g: float = 0.5, Gamma: float = 0.01, Omega: float = 10.0
) -> Evidence:
    """⟨L̄_L†H_S⟩ with μ = 1.2 and 0.8, T = 0.1; the reference is a trace with the generator."""
    return errata.equation_81(_network(h, delta, g, Gamma, Omega))


def equation_e1(
    h: float = 1.0,
    delta: float = 0.5,
    g: float = 0.5,
    Gamma: float = 0.01,
    Omega: float = 10.0,
    time: float = 100.0,
) -> Evidence:
    """|G_1(t)|; the reference is the exact propagator MP (24)."""
    found = errata.equation_e1(_network(h, delta, g, Gamma, Omega), [time])
    return {name: float(abs(found[name][0, 0])) for name in ("printed", "corrected", "reference")}


_STATES = "with μ_L = 1.2, μ_R = 0.8, T = 0.1"

ERRATA = (
    Erratum("MP (66)", "ξ has g/(2Δ)", "g/(4Δ)", f"ξ {_STATES}", equation_66),
    Erratum(
        "MP (78)",
        "γ̄⁻_α/γ̄⁺_α without weights",
        "every mode j has the weight R_jα² Γ_j",
        f"γ̄⁻_L/γ̄⁺_L {_STATES}",
        equation_78,
    ),
    Erratum(
        "MP below (80)",
        "Re⟨c_L†c_R⟩ ∝ δ/Δ",
        "plus g(C_22 − C_11)/(2Δ), not zero at δ = 0",
        f"Re⟨c_L†c_R⟩ {_STATES}",
        below_equation_80,
    ),
    Erratum("MP (81)", "− in front of the term with g", "+", f"⟨L̄_L†H_S⟩ {_STATES}", equation_81),
    Erratum("MP (E1), (E4)", "e^{−Γ_jt}", "e^{−Γ_jt/2}", "|G_1(t)|", equation_e1),
    Erratum(
        "MP (B12)",
        "∫dt e^{−iωt} G_j(t) = πφ_j + iϑ_j",
        "e^{+iωt}, since the left side is G̃_j(ε − iω)",
    ),
)
