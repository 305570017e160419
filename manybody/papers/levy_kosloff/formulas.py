"""The formulas that LK print for the two nodes, beside what the generators give.

None of them makes a number of `levy_kosloff`.  Exponentials are divided out, so that nothing
overflows; with δ = 1 for two-level systems and −1 for oscillators, (3).
"""

import math

import numpy as np

from manybody.arrays import Real

# e^x beyond is infinite in double precision.
_LARGEST_EXPONENT = 700.0


def bath_rate(omega: float, temperature: float, kappa: float) -> float:
    """γ(Ω) = κΩ³/(1 − e^{−βΩ}), LK eq. (15)."""
    return kappa * omega**3 / -math.expm1(-omega / temperature)


def mixing(omega_h: float, omega_c: float, epsilon: float) -> tuple[float, float, float, float]:
    """ω₊, ω₋, cos²θ = (ω_h − ω₋)/(ω₊ − ω₋) and sin²θ, LK below eq. (10), without cancellation."""
    detuning = omega_h - omega_c
    splitting = math.hypot(detuning, 2.0 * epsilon)
    plus = 0.5 * (omega_h + omega_c + splitting)
    minus = (omega_h * omega_c - epsilon * epsilon) / plus
    if splitting == 0.0:
        return plus, minus, 1.0, 0.0
    large = 0.5 * (splitting + abs(detuning)) / splitting
    small = 2.0 * epsilon * epsilon / (splitting * (splitting + abs(detuning)))
    return (plus, minus, large, small) if detuning >= 0.0 else (plus, minus, small, large)


def local_moments(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
    delta: int,
) -> tuple[float, float, float, float]:
    """⟨a†a⟩, ⟨b†b⟩, ⟨X⟩, ⟨Y⟩ of dm/dt = 0 as LK eq. (8) has it, by a plain 4 x 4 solve.

    Currents made of them have the relative accuracy that cancellation leaves; ε > 0.
    """
    gain_h = bath_rate(omega_h, T_h, kappa) * math.exp(-omega_h / T_h)
    gain_c = bath_rate(omega_c, T_c, kappa) * math.exp(-omega_c / T_c)
    damping_h = bath_rate(omega_h, T_h, kappa) + delta * gain_h
    damping_c = bath_rate(omega_c, T_c, kappa) + delta * gain_c
    mean, detuning = 0.5 * (damping_h + damping_c), omega_h - omega_c
    matrix = [
        [-damping_h, 0.0, 0.0, -epsilon],
        [0.0, -damping_c, 0.0, epsilon],
        [0.0, 0.0, -mean, detuning],
        [2.0 * epsilon, -2.0 * epsilon, -detuning, -mean],
    ]
    moments = np.linalg.solve(matrix, [-gain_h, -gain_c, 0.0, 0.0])
    return float(moments[0]), float(moments[1]), float(moments[2]), float(moments[3])


def local_heat_current(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
    delta: int,
) -> float:
    """J_h = (e^{β_cω_c} − e^{β_hω_h}) F of the local equation, LK eq. (9) and appendix A, ε > 0.

    Numerator and denominator are divided by e^{3β_hω_h + 3β_cω_c}.
    """
    x_h, x_c = omega_h / T_h, omega_c / T_c
    gamma_h, gamma_c = bath_rate(omega_h, T_h, kappa), bath_rate(omega_c, T_c, kappa)
    h, c = 1.0 + delta * math.exp(-x_h), 1.0 + delta * math.exp(-x_c)
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


def global_heat_current(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
    as_printed: bool = False,
) -> float:
    """J_h of the global equation for oscillators, LK eq. (13).

    as_printed: with e^{β_cω₊} in the first denominator, where e^{β_cω₋} is right
    (PHYSICS.md section 8).  ε > 0.
    """
    plus, minus, cos_squared, sin_squared = mixing(omega_h, omega_c, epsilon)
    misprint = math.exp(min((plus - minus) / T_c, _LARGEST_EXPONENT)) if as_printed else 1.0
    lower = _mode_current(minus, T_h, T_c, kappa, sin_squared, cos_squared, misprint)
    return lower + _mode_current(plus, T_h, T_c, kappa, cos_squared, sin_squared, 1.0)


def _mode_current(
    omega: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    kappa: float,
    share_h: float,
    share_c: float,
    misprint: float,
) -> float:
    """One of the two terms of (13), numerator and denominator over e^{(β_h + β_c)ω}."""
    gamma_h, gamma_c = bath_rate(omega, T_h, kappa), bath_rate(omega, T_c, kappa)
    decay_h, decay_c = math.exp(-omega / T_h), math.exp(-omega / T_c)
    net_h, net_c = -math.expm1(-omega / T_h) * gamma_h, -math.expm1(-omega / T_c) * gamma_c
    denominator = net_c / share_h + misprint * net_h / share_c
    return (decay_h - decay_c) * gamma_c * gamma_h * omega / denominator


def local_covariance(population_a: float, population_b: float, x: float, y: float) -> Real:
    """(4, 4) V_local of LK appendix C from ⟨a†a⟩, ⟨b†b⟩, ⟨X⟩ and ⟨Y⟩."""
    a, b = population_a + 0.5, population_b + 0.5
    return np.array(
        [
            [a, 0.0, 0.5 * x, -0.5 * y],
            [0.0, a, 0.5 * y, 0.5 * x],
            [0.5 * x, 0.5 * y, b, 0.0],
            [-0.5 * y, 0.5 * x, 0.0, b],
        ]
    )


def global_covariance(population_plus: float, population_minus: float, cos_squared: float) -> Real:
    """(4, 4) V_global of LK appendix C from ⟨d₊†d₊⟩, ⟨d₋†d₋⟩ and cos²θ."""
    sin_squared = 1.0 - cos_squared
    a = population_plus * cos_squared + population_minus * sin_squared + 0.5
    b = population_plus * sin_squared + population_minus * cos_squared + 0.5
    mixed = (population_plus - population_minus) * math.sqrt(cos_squared * sin_squared)
    return np.asarray(np.kron([[a, mixed], [mixed, b]], np.eye(2)), dtype=np.float64)
