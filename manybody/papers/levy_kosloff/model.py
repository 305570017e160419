"""The stationary state of two nodes between a hot and a cold bath, by the equations of LK."""

from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.papers.levy_kosloff.nodes import EXCHANGE, OSCILLATORS, POSITION, Nodes
from manybody.papers.levy_kosloff.position import position_balance
from manybody.physics import arguments
from manybody.physics.gaussian.correlations import DAVIES, LOCAL, REDFIELD
from manybody.physics.gaussian.weak_coupling import steady_balance
from manybody.physics.underflow import zero_where_tiny

EQUATIONS = {"local": LOCAL, "global": DAVIES, "redfield": REDFIELD}


def levy_kosloff(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
    statistics: str = OSCILLATORS,
    approach: str = "local",
    contact: str = EXCHANGE,
) -> dict[str, Any]:
    """The stationary state of two coupled nodes between two baths, and what flows through them.

    Parameters
    ----------
    omega_h : float
        Frequency > 0 of the hot node, in J.
    omega_c : float
        Frequency > 0 of the cold node, in J.
    T_h : float
        Temperature > 0 of the bath of the hot node, in J; the two in any order.
    T_c : float
        Temperature > 0 of the bath of the cold node, in J.
    epsilon : float
        ε >= 0 with ε² < ω_hω_c, in J.
    kappa : float
        κ > 0 of γ = κΩ³/(1 − e^{−βΩ}), (15), in J⁻².
    statistics : {"boson", "tls"}, default "boson"
        Oscillators or two-level systems.
    approach : {"local", "global", "redfield"}, default "local"
        "local" is (6)-(8), "global" is (11)-(12), the Davies equation, and "redfield" the same
        without the secular approximation.
    contact : {"exchange", "position"}, default "exchange"
        "exchange", a†R + h.c., or for oscillators "position", (a + a†)R of (2), whose aR + h.c.
        adds to the Redfield equation, and to it alone: the secular approximation of the others has
        none of it.

    Returns
    -------
    dict
        Energies in J, currents in J²:

        - heat_current_hot, heat_current_cold: out of the baths, (5); each from its own equation,
          the sum is rounding.
        - population_a, population_b: ⟨a†a⟩, ⟨b†b⟩.
        - correlation_x, correlation_y: ⟨a†b + ab†⟩ and i⟨a†b − ab†⟩.
        - population_plus, population_minus: ⟨d±†d±⟩.
        - omega_plus, omega_minus, cos_squared: of (10), d₊ = a cos θ + b sin θ, θ from 0 to π/2.
        - entropy_production: −J_h/T_h − J_c/T_c of (1), as J_h(T_h − T_c)/(T_hT_c).
        - covariance_matrix, correlation_functions: (4, 4) of x_A, p_A, x_B, p_B, appendix C and
          (17); oscillators only.

    Raises
    ------
    InputError
        The sentence names the condition of the paper that is broken.

    Notes
    -----
    Equation numbers are those of Levy and Kosloff (2014, LK), The local approach to quantum
    transport may violate the second law; docs/physics.md section 8 has its misprints.  Global and
    Redfield equations of two-level systems, which LK leave out, are those of the fermions of
    Jordan and Wigner.  No Lamb shift.

    Currents keep their relative accuracy however small they are against κω³ and ω, see
    `physics.gaussian.weak_coupling`: differences of occupations come from expm1 of exact
    differences, currents from the deviation from the equilibrium of the one bath instead of the
    difference of gain and loss, and that deviation from rational arithmetic.  Against 60 digits:
    1e-13 for κ to 1e-12 and ε to 1e-9 of ω; Redfield 1e-9 where κω² > 1e-2 and ε < 1e-7 ω at a
    resonance.  X of modes close to each other is known to rounding of 2cs(n₊ + n₋).

    Examples
    --------
    >>> import manybody as mb
    >>> point = {"omega_h": 5.0, "omega_c": 4.0, "T_h": 4.0, "T_c": 3.0, "epsilon": 0.1}
    >>> for contact in ("exchange", "position"):
    ...     found = mb.networks.levy_kosloff(
    ...         **point, kappa=1e-2, approach="redfield", contact=contact
    ...     )
    ...     print(f"{contact}: {found['heat_current_hot']:.5f}")
    exchange: 0.00884
    position: 0.00907
    """
    nodes = Nodes(omega_h, omega_c, T_h, T_c, epsilon, kappa, statistics, contact)
    return steady_state(nodes, approach)


@zero_where_tiny
def steady_state(nodes: Nodes, approach: str) -> dict[str, Any]:
    """What `levy_kosloff` returns, of nodes that are checked already."""
    equation = EQUATIONS[arguments.choice("approach", approach, tuple(EQUATIONS))]
    pairs: Complex = np.zeros((2, 2), dtype=np.complex128)
    if nodes.contact == POSITION and equation == REDFIELD:
        balance, pairs = position_balance(nodes)
    else:
        balance = steady_balance(nodes.model, equation, nodes.temperatures)
    generator, state = balance.generator, balance.correlations
    heat = float(balance.energy[0])
    result: dict[str, Any] = {
        "heat_current_hot": heat,
        "heat_current_cold": float(balance.energy[1]),
        "population_a": float(state[0, 0].real),
        "population_b": float(state[1, 1].real),
        "population_plus": float(balance.occupations[1]),
        "population_minus": float(balance.occupations[0]),
        "correlation_x": 2.0 * float(state[0, 1].real),
        "correlation_y": 2.0 * float(state[0, 1].imag),
        "omega_plus": float(generator.energies[1]),
        "omega_minus": float(generator.energies[0]),
        "cos_squared": float(abs(generator.vectors[0, 1]) ** 2),
        "entropy_production": heat * (nodes.T_h - nodes.T_c) / (nodes.T_h * nodes.T_c),
    }
    if nodes.statistics == OSCILLATORS:
        covariance = covariance_matrix(state, pairs)
        spread = np.sqrt(covariance.diagonal())
        result["covariance_matrix"] = covariance
        result["correlation_functions"] = covariance / np.outer(spread, spread)
    return result


def covariance_matrix(correlations: Complex, pairs: Complex) -> Real:
    """(4, 4) V_ij = ½⟨ξ_iξ_j + ξ_jξ_i⟩ of ξ = (x_A, p_A, x_B, p_B), LK appendix C.

    correlations, pairs: (2, 2) C_qp = ⟨a_p†a_q⟩ and ⟨a_pa_q⟩ of oscillators without ⟨a⟩;
    x = (a + a†)/√2, p = (a − a†)/(i√2).
    """
    # ⟨x_px_q⟩, ⟨p_pp_q⟩ = Re⟨a_p†a_q⟩ + ½δ_pq ± Re⟨a_pa_q⟩, ⟨x_pp_q⟩ = Im⟨a_p†a_q⟩ + Im⟨a_pa_q⟩.
    symmetric = correlations.T.real + 0.5 * np.eye(2)
    mixed, squeezed = correlations.T.imag, pairs.imag
    blocks = np.array(
        [[symmetric + pairs.real, mixed + squeezed], [squeezed - mixed, symmetric - pairs.real]]
    )
    return blocks.transpose(2, 0, 3, 1).reshape(4, 4)
