"""The formulas that LK print for the two nodes, beside what the generators give.

None of them makes a number of `levy_kosloff`.  Exponentials are divided out, so that nothing
overflows; with δ = 1 for two-level systems and −1 for oscillators, (3).
"""

import math

import numpy as np

from manybody.papers.levy_kosloff.nodes import Nodes

# e^x beyond is infinite in double precision.
_LARGEST_EXPONENT = 700.0


def bath_rate(omega: float, temperature: float, kappa: float) -> float:
    """γ(Ω) = κΩ³/(1 − e^{−βΩ}), LK eq. (15)."""
    return kappa * omega**3 / -math.expm1(-omega / temperature)


def local_moments(nodes: Nodes) -> tuple[float, float, float, float]:
    """⟨a†a⟩, ⟨b†b⟩, ⟨X⟩, ⟨Y⟩ of dm/dt = 0 as LK eq. (8) has it, by a plain 4 x 4 solve.

    Currents made of them have the relative accuracy that cancellation leaves; ε > 0.
    """
    rate_h = bath_rate(nodes.omega_h, nodes.T_h, nodes.kappa)
    rate_c = bath_rate(nodes.omega_c, nodes.T_c, nodes.kappa)
    gain_h = rate_h * math.exp(-nodes.omega_h / nodes.T_h)
    gain_c = rate_c * math.exp(-nodes.omega_c / nodes.T_c)
    damping_h, damping_c = rate_h + nodes.delta * gain_h, rate_c + nodes.delta * gain_c
    mean, detuning = 0.5 * (damping_h + damping_c), nodes.omega_h - nodes.omega_c
    epsilon = nodes.epsilon
    matrix = [
        [-damping_h, 0.0, 0.0, -epsilon],
        [0.0, -damping_c, 0.0, epsilon],
        [0.0, 0.0, -mean, detuning],
        [2.0 * epsilon, -2.0 * epsilon, -detuning, -mean],
    ]
    moments = np.linalg.solve(matrix, [-gain_h, -gain_c, 0.0, 0.0])
    return float(moments[0]), float(moments[1]), float(moments[2]), float(moments[3])


def local_heat_current(nodes: Nodes) -> float:
    """J_h = (e^{β_cω_c} − e^{β_hω_h}) F of the local equation, LK eq. (9) and appendix A, ε > 0.

    Numerator and denominator are divided by e^{3β_hω_h + 3β_cω_c}.
    """
    omega_h, omega_c, epsilon = nodes.omega_h, nodes.omega_c, nodes.epsilon
    x_h, x_c = omega_h / nodes.T_h, omega_c / nodes.T_c
    gamma_h = bath_rate(omega_h, nodes.T_h, nodes.kappa)
    gamma_c = bath_rate(omega_c, nodes.T_c, nodes.kappa)
    h, c = 1.0 + nodes.delta * math.exp(-x_h), 1.0 + nodes.delta * math.exp(-x_c)
    numerator = (
        4.0 * epsilon**2 * gamma_c * gamma_h * (omega_c * gamma_h * h + gamma_c * omega_h * c)
    )
    denominator = (
        gamma_c**3 * gamma_h * c**3 * h
        + 2.0 * gamma_c**2 * c**2 * (gamma_h**2 * h**2 + 2.0 * epsilon**2)
        + gamma_c
        * gamma_h
        * c
        * h
        * (4.0 * ((omega_c - omega_h) ** 2 + 2.0 * epsilon**2) + gamma_h**2 * h**2)
        + 4.0 * epsilon**2 * gamma_h**2 * h**2
    )
    # e^{−x_h} − e^{−x_c}, from the larger of the two.
    smaller = min(x_h, x_c)
    difference = math.copysign(-math.expm1(-abs(x_h - x_c)), x_c - x_h) * math.exp(-smaller)
    return difference * numerator / denominator


def global_heat_current(nodes: Nodes, as_printed: bool = False) -> float:
    """J_h of the global equation for oscillators, LK eq. (13).

    as_printed: with e^{β_cω₊} in the first denominator, where e^{β_cω₋} is right
    (docs/physics.md section 8).  ε > 0.
    """
    plus, minus, cos_squared, sin_squared = nodes.mixing
    misprint = 1.0
    if as_printed:
        misprint = math.exp(min((plus - minus) / nodes.T_c, _LARGEST_EXPONENT))
    lower = _mode_current(nodes, minus, sin_squared, cos_squared, misprint)
    return lower + _mode_current(nodes, plus, cos_squared, sin_squared, 1.0)


def _mode_current(
    nodes: Nodes, omega: float, share_h: float, share_c: float, misprint: float
) -> float:
    """One of the two terms of (13), numerator and denominator over e^{(β_h + β_c)ω}."""
    x_h, x_c = omega / nodes.T_h, omega / nodes.T_c
    gamma_h = bath_rate(omega, nodes.T_h, nodes.kappa)
    gamma_c = bath_rate(omega, nodes.T_c, nodes.kappa)
    net_h, net_c = -math.expm1(-x_h) * gamma_h, -math.expm1(-x_c) * gamma_c
    denominator = net_c / share_h + misprint * net_h / share_c
    return (math.exp(-x_h) - math.exp(-x_c)) * gamma_c * gamma_h * omega / denominator


def global_population(nodes: Nodes) -> float:
    """⟨a†a⟩ of the global equation for oscillators, the steady state of (11) and (12)."""
    plus, minus, cos_squared, sin_squared = nodes.mixing
    total = 0.0
    for omega, share in ((plus, cos_squared), (minus, sin_squared)):
        gain = damping = 0.0
        for temperature, weight in ((nodes.T_h, share), (nodes.T_c, 1.0 - share)):
            rate = weight * bath_rate(omega, temperature, nodes.kappa)
            gain += rate * math.exp(-omega / temperature)
            damping -= rate * math.expm1(-omega / temperature)
        total += share * gain / damping
    return total
