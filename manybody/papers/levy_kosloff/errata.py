"""Misprints and wrong conditions of LK, each with numbers that show it."""

import math

from manybody.papers.kit.curves import Erratum
from manybody.papers.levy_kosloff.formulas import bath_rate, global_heat_current, mixing
from manybody.papers.levy_kosloff.model import levy_kosloff

Evidence = dict[str, float]


def equation_13(
    omega_h: float = 10.0,
    omega_c: float = 5.0,
    T_h: float = 2.0,  # noqa: N803
    T_c: float = 1.0,  # noqa: N803
    epsilon: float = 3.0,
    kappa: float = 1e-4,
) -> Evidence:
    """J_h of (13) as printed and corrected; the reference is the Davies equation itself."""
    point = (omega_h, omega_c, T_h, T_c, epsilon, kappa)
    return {
        "printed": global_heat_current(*point, as_printed=True),
        "corrected": global_heat_current(*point),
        "reference": levy_kosloff(*point, approach="global")["heat_current_hot"],
    }


def thermal_populations(
    omega_h: float = 5.0001,
    omega_c: float = 5.0,
    T_h: float = 12.0,  # noqa: N803
    T_c: float = 10.0,  # noqa: N803
    epsilon: float = 1e-3,
    kappa: float = 1e-9,
) -> Evidence:
    """⟨a†a⟩ near a resonance with ε = 0.1 √|ω_h − ω_c|.

    Printed: that of the hot bath alone.  Right: shared by both nodes, (10), since ε is not
    small against |ω_h − ω_c|.  The reference is the Redfield equation.
    """
    point = (omega_h, omega_c, T_h, T_c, epsilon, kappa)
    return {
        "printed": 1.0 / math.expm1(omega_h / T_h),
        "corrected": global_population(*point),
        "reference": levy_kosloff(*point, approach="redfield")["population_a"],
    }


def resonance(
    omega: float = 5.0,
    T_h: float = 12.0,  # noqa: N803
    T_c: float = 10.0,  # noqa: N803
    epsilon: float = 1e-6,
    kappa: float = 1e-7,
) -> Evidence:
    """J_h at ω_h = ω_c with κ < ε < κω³.

    Printed: the global equation, said to fail for ε < κ only.  Right: the local equation, since
    ε is smaller than the rates.  The reference is the Redfield equation.
    """
    point = (omega, omega, T_h, T_c, epsilon, kappa)
    return {
        "printed": levy_kosloff(*point, approach="global")["heat_current_hot"],
        "corrected": levy_kosloff(*point, approach="local")["heat_current_hot"],
        "reference": levy_kosloff(*point, approach="redfield")["heat_current_hot"],
    }


def global_population(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
) -> float:
    """⟨a†a⟩ of the global equation for oscillators, the steady state of (11) and (12)."""
    plus, minus, cos_squared, sin_squared = mixing(omega_h, omega_c, epsilon)
    total = 0.0
    for omega, share in ((plus, cos_squared), (minus, sin_squared)):
        gain = damping = 0.0
        for temperature, weight in ((T_h, share), (T_c, 1.0 - share)):
            rate = weight * bath_rate(omega, temperature, kappa)
            gain += rate * math.exp(-omega / temperature)
            damping -= rate * math.expm1(-omega / temperature)
        total += share * gain / damping
    return total


ERRATA = (
    Erratum("LK (13)", "e^{β_cω₊} in the first denominator", "e^{β_cω₋}", "J_h", equation_13),
    Erratum(
        "LK on Fig. 3",
        "⟨a†a⟩ is thermal for ε ≪ ω_h, ω_c, √|ω_h − ω_c|",
        "for ε ≪ |ω_h − ω_c|",
        "⟨a†a⟩",
        thermal_populations,
    ),
    Erratum(
        "LK on Fig. 4",
        "the global equation fails at ω_h = ω_c for ε < κ",
        "for ε below the rates, κω³/(1 − e^{−βω})",
        "J_h",
        resonance,
    ),
)
