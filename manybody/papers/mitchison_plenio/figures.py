"""Numbers of Figs. 3, 4 and 5 of Mitchison and Plenio (MP), as dictionaries of arrays."""

import math
from typing import Any

import numpy as np

from manybody.papers.mitchison_plenio.formulas import transmission, transmission_weak
from manybody.papers.mitchison_plenio.generators import (
    asymptotic_rates,
    lead_rates,
    non_markovianity,
)
from manybody.papers.mitchison_plenio.model import mitchison_plenio
from manybody.papers.mitchison_plenio.two_modes import Complex, Real, TwoModes
from manybody.physics import arguments

FIG4_PANELS = {
    "a": {"h": 1.0, "mu_L": 1.0, "mu_R": 0.0, "T_L": 0.1, "T_R": 0.1},
    "b": {"h": 50.0, "mu_L": 49.0, "mu_R": 49.0, "T_L": 10.0, "T_R": 0.01},
}
_FIG5 = {"h": 1.0, "delta": 0.0, "g": 0.5, "Gamma": 0.01, "Omega": 10.0}


def figure_3(n_points: int = 801) -> dict[str, Any]:
    """Transmission for h = 1, g = δ = 0.5, Ω = 10 and Γ = 0.02, 0.2, 2 Δ, MP Fig. 3.

    omega_over_Omega: (P,) from 0.04 to 0.18; Gamma_over_Delta: (3,); transmission: (3, P);
    weak_coupling: (P,) MP (46) for the first.
    """
    n_points = arguments.integer("n_points", n_points, 2)
    ratios = np.array([0.02, 0.2, 2.0])
    scaled = np.linspace(0.04, 0.18, n_points)
    networks = [
        TwoModes(1.0, 0.5, 0.5, ratio * math.hypot(0.5, 0.5), 10.0, 0.0, 0.0, 1.0, 1.0)
        for ratio in ratios
    ]
    return {
        "omega_over_Omega": scaled,
        "Gamma_over_Delta": ratios,
        "transmission": np.stack([transmission(one, 10.0 * scaled) for one in networks]),
        "weak_coupling": transmission_weak(networks[0], 10.0 * scaled),
    }


def figure_4(panel: str, n_points: int = 21, n_line: int = 201) -> dict[str, Any]:
    """C(t) from the empty system for Γ = 0.2, Ω = 100, δ = 0.1, g = 0.5, MP Fig. 4.

    panel: "a" (h = 1, μ = 1 and 0, T = 0.1) or "b" (h = 50, μ = 49, T = 10 and 0.01).
    points, lines: Γt; exact: (n_points, 2, 2); epa: (n_line, 2, 2), and at the points
    epa_at_points; exact_steady, epa_steady: (2, 2).
    """
    arguments.choice("panel", panel, tuple(FIG4_PANELS))
    n_points = arguments.integer("n_points", n_points, 2)
    n_line = arguments.integer("n_line", n_line, 2)
    common: dict[str, Any] = {"delta": 0.1, "g": 0.5, "Gamma": 0.2, "Omega": 100.0}
    common.update(FIG4_PANELS[panel])
    points, lines = np.linspace(0.0, 5.0, n_points), np.linspace(0.0, 5.0, n_line)

    def matrices(method: str, scaled: Real | None) -> Complex:
        times = None if scaled is None else scaled / 0.2
        result = mitchison_plenio(**common, times=times, method=method)
        return np.asarray(result["correlation_matrix"])

    return {
        "points": points,
        "lines": lines,
        "exact": matrices("exact", points),
        "epa": matrices("epa", lines),
        "epa_at_points": matrices("epa", points),
        "exact_steady": matrices("exact", None),
        "epa_steady": matrices("epa", None),
    }


def figure_5(
    panel: str, n_points: int = 101, temperature: float | None = None, potential: float = 0.5
) -> dict[str, Any]:
    """ν∞ for h = 1, δ = 0, g = 0.5, Γ = 0.01, Ω = 10, MP Fig. 5.

    panel: "a", "b" over μ_L and μ_R at one temperature (None: 0.02 and 0.2), "c" over T_L and
    T_R at μ_L = μ_R = potential; neither is given in the text of MP.
    x, y: (P,) μ or T of L and of R; non_markovianity: (P, P) rows y, columns x; levels: E_1, E_2.
    """
    arguments.choice("panel", panel, ("a", "b", "c"))
    n_points = arguments.integer("n_points", n_points, 2)
    if panel == "c":
        axis = np.linspace(0.02, 2.0, n_points)
        states = [(potential, float(value)) for value in axis]
    else:
        warmth = {"a": 0.02, "b": 0.2}[panel] if temperature is None else temperature
        axis = np.linspace(0.0, 2.0, n_points)
        states = [(float(value), warmth) for value in axis]
    parts = [_single_lead(*state, states[0]) for state in states]
    # Λ⁺ is a sum over the leads: as many integrals as points on one axis.
    left = np.stack([part[0] for part in parts])
    right = np.stack([part[1] for part in parts])
    gain = right[:, None] + left[None, :]
    network = _network(*states[0], *states[0])
    damping = np.diag(network.golden_rule_rates)
    return {
        "x": axis,
        "y": axis,
        "non_markovianity": non_markovianity(gain, damping),
        "levels": network.energies,
    }


def _network(mu_L: float, T_L: float, mu_R: float, T_R: float) -> TwoModes:
    return TwoModes(**_FIG5, mu_L=mu_L, mu_R=mu_R, T_L=T_L, T_R=T_R)


def _single_lead(
    mu: float, temperature: float, other: tuple[float, float]
) -> tuple[Complex, Complex]:
    """What a lead adds to Λ⁺ as L and as R, its Λ⁺_12 counted from that of `other`."""
    network = _network(mu, temperature, *other)
    cross = asymptotic_rates(network)[0][0, 1]
    occupied = lead_rates(network).occupations[0] * network.golden_rule_rates
    off = np.array([[0.0, cross], [np.conj(cross), 0.0]])
    left, right = (np.diag(weights * occupied) for weights in network.rotation.T**2)
    return left + off, right - off
