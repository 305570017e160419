"""Misprints and wrong conditions of LK, each with numbers that show it."""

import math

from manybody.papers.kit.curves import Erratum, Evidence
from manybody.papers.levy_kosloff.formulas import global_heat_current, global_population
from manybody.papers.levy_kosloff.model import steady_state
from manybody.papers.levy_kosloff.nodes import Nodes

_FIGURE_3 = Nodes(10.0, 5.0, 2.0, 1.0, 3.0, 1e-4)
_NEAR_RESONANCE = Nodes(5.0001, 5.0, 12.0, 10.0, 1e-3, 1e-9)


def equation_13(nodes: Nodes = _FIGURE_3) -> Evidence:
    """J_h of (13) as printed and corrected; the reference is the Davies equation itself."""
    return {
        "printed": global_heat_current(nodes, as_printed=True),
        "corrected": global_heat_current(nodes),
        "reference": steady_state(nodes, "global")["heat_current_hot"],
    }


def thermal_populations(nodes: Nodes = _NEAR_RESONANCE) -> Evidence:
    """⟨a†a⟩ near a resonance with ε = 0.1 √|ω_h − ω_c|.

    Printed: that of the hot bath alone.  Right: shared by both nodes, (10), since ε is not
    small against |ω_h − ω_c|.  The reference is the Redfield equation.
    """
    return {
        "printed": 1.0 / math.expm1(nodes.omega_h / nodes.T_h),
        "corrected": global_population(nodes),
        "reference": steady_state(nodes, "redfield")["population_a"],
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
    nodes = Nodes(omega, omega, T_h, T_c, epsilon, kappa)
    approaches = {"printed": "global", "corrected": "local", "reference": "redfield"}
    return {
        name: steady_state(nodes, approach)["heat_current_hot"]
        for name, approach in approaches.items()
    }


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
