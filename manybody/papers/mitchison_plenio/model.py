"""Two fermionic modes between two leads: exact, approximate and by master equations.

M. T. Mitchison and M. B. Plenio, New J. Phys. 20, 033005 (2018), here MP.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.papers.mitchison_plenio.exact import (
    Moments,
    boundary_currents,
    correlations,
    double_occupancy,
    exact_propagator,
    exponential_propagator,
    landauer_currents,
    moments,
    rate_matrices,
    steady_moments,
)
from manybody.papers.mitchison_plenio.generators import lead_currents, lead_rates, non_markovianity
from manybody.papers.mitchison_plenio.two_modes import Complex, Real, TwoModes, to_modes, to_sites
from manybody.physics import arguments
from manybody.physics.gaussian import relaxation
from manybody.physics.gaussian.correlations import EQUATIONS, build_generator, checked_correlations
from manybody.physics.gaussian.correlations import currents as contact_currents
from manybody.physics.underflow import zero_where_tiny

METHODS = ("exact", "epa", "additive", *EQUATIONS)
_NAMES = (
    "correlation_matrix",
    "double_occupancy",
    "particle_current",
    "energy_current",
    "particle_current_right",
    "energy_current_right",
    "entropy_production",
    "non_markovianity",
    "interference",
)
# C, D, (2,) particle and energy currents, ν, Λ⁺_12.
_Row = tuple[Complex, float, Real, Real, float, complex]


@zero_where_tiny
def mitchison_plenio(
    h: float,
    delta: float,
    g: float,
    Gamma: float,
    Omega: float,
    mu_L: float,
    mu_R: float,
    T_L: float,
    T_R: float,
    times: Iterable[float] | None = None,
    method: str = "exact",
    *,
    initial: NDArray[Any] | None = None,
    initial_double_occupancy: float | None = None,
    lamb_shift: bool = False,
) -> dict[str, Any]:
    """Steady state of two sites between two leads, or the state at the given times, by one method.

    The network of Mitchison and Plenio (2018, MP), section III, whose equations are cited.

    Parameters
    ----------
    h : float
        Levels h ± δ/2 of the sites L and R, in J.
    delta : float
        δ, in J.
    g : float
        They are coupled by −g/2, in J.
    Gamma : float
        Γ of leads J_N(ω) = (Γ/2π)√(1 − ω²/Ω²), in J.
    Omega : float
        Ω of the leads, in J.
    mu_L : float
        Chemical potential of lead L, in J.
    mu_R : float
        Chemical potential of lead R, in J.
    T_L : float
        Temperature of lead L, in J.
    T_R : float
        Temperature of lead R, in J.
    times : (T,) sequence of float or None, default None
        Ascending, >= 0, in 1/J; None for the steady state.
    method : str, default "exact"
        "exact", MP (24)-(45), at any coupling; "epa", the exponential-propagator approximation, MP
        (53)-(55), right to order Γ/Ω; "additive", L_L + L_R of MP (57)-(62); "redfield", "davies",
        "local": equations of motion of the correlations, Γ small against all else.
    initial : (2, 2) array or None, default None
        C(0) in the modes of H_S; None for the empty system.
    initial_double_occupancy : float or None, default None
        D(0), with `initial` and only with times; None for that of a Gaussian state.
    lamb_shift : bool, default False
        For "redfield", "davies" and "local"; without it Redfield misses η of MP (67), hence Re
        C_12.

    Returns
    -------
    dict
        With a leading axis (T,) if there are times:

        - correlation_matrix: (2, 2) C_jk = ⟨d_j†d_k⟩, mode 1 the upper one.
        - double_occupancy: D.
        - particle_current in J, energy_current in J²: out of lead L into the system, those out of
          R under ..._right; for "exact" and "epa" MP (40), (41), else tr X_L N_S and tr X_L H_S,
          X_L what lead L adds to the equation of motion.
        - entropy_production: −Σ_α β_α (J^E_α − μ_α J^P_α), in J.
        - non_markovianity: ν of MP (82).
        - interference: Λ⁺_12 = ξ + iη of MP (66), (67).  Both are of the equation of motion of the
          method: for "exact" MP (47) at the times, and in the steady state MP (47) with the pole
          E'_j − iΓ_j/2 of the propagator.

    Raises
    ------
    InputError
        The sentence names the condition of the paper that is broken.

    Notes
    -----
    Mitchison and Plenio, Non-additive dissipation in open quantum networks out of equilibrium;
    docs/physics.md section 8 has its misprints.

    Errors are rounding for "exact", "epa" and "additive", relative to the largest number in
    an integral: currents keep their digits at weak coupling and small bias.  Work does not
    grow with the times, 0.1 to 0.5 s for 10 of them.

    Examples
    --------
    >>> import manybody as mb
    >>> point = {"h": 1.0, "delta": 0.3, "g": 0.5, "Gamma": 0.01, "Omega": 10.0}
    >>> leads = {"mu_L": 0.7, "mu_R": -0.2, "T_L": 0.3, "T_R": 0.2}
    >>> exact = mb.networks.mitchison_plenio(**point, **leads)
    >>> redfield = mb.networks.mitchison_plenio(**point, **leads, method="redfield")
    >>> bool(abs(redfield["particle_current"] / exact["particle_current"] - 1.0) < 0.02)
    True
    """
    network = TwoModes(h, delta, g, Gamma, Omega, mu_L, mu_R, T_L, T_R)
    arguments.choice("method", method, METHODS)
    arguments.boolean("lamb_shift", lamb_shift)
    instants = None if times is None else arguments.ascending_times("times", times)
    if instants is None and not (initial is None and initial_double_occupancy is None):
        raise InputError("initial without times: the steady state does not depend on the start")
    start, occupancy = _checked_start(initial, initial_double_occupancy)
    if method in EQUATIONS:
        rows = _by_equation(network, method, lamb_shift, instants, start, occupancy)
    elif method == "additive":
        rows = _additive(network, instants, start, occupancy)
    else:
        rows = _by_propagator(network, method == "exact", instants, start, occupancy)
    return _collected(network, rows, method == "exact", instants is None)


def _by_propagator(
    network: TwoModes, exact: bool, times: Real | None, start: Complex, occupancy: float
) -> list[_Row]:
    """MP (29), (31), (40), (41) and (47) with the exact propagator or its approximation."""
    listed = np.zeros(0) if times is None else times
    propagator = exact_propagator(network, listed) if exact else exponential_propagator(network)
    if times is None:
        found: list[Moments] = [steady_moments(network, propagator)]
    else:
        found = list(moments(network, propagator, times))
    rows = []
    for one in found:
        gain, damping = rate_matrices(one)
        particle, energy = boundary_currents(network, start, one)
        if times is None and exact:
            flow, energy_flow, _ = landauer_currents(network)
            particle, energy = np.array([flow, -flow]), np.array([energy_flow, -energy_flow])
        rows.append(
            (
                correlations(start, one),
                double_occupancy(start, occupancy, one),
                particle,
                energy,
                float(non_markovianity(gain, np.diag(damping))),
                complex(gain[0, 1]),
            )
        )
    return rows


def _additive(
    network: TwoModes, times: Real | None, start: Complex, occupancy: float
) -> list[_Row]:
    """MP (48), (49) without interference: every element of C − C(∞) has its own exponential."""
    rates = lead_rates(network)
    damping = network.golden_rule_rates
    steady = np.diag(rates.steady).astype(np.complex128)
    mean = 0.5 * (damping[:, None] + damping)
    turning = 1j * (network.energies[:, None] - network.energies) - mean
    rows = []
    for time in [np.inf] if times is None else times:
        decay = np.zeros((2, 2)) if times is None else np.exp(turning * time)
        deviation = (start - steady) * decay
        particle, energy = lead_currents(network, rates, deviation.diagonal().real)
        C = steady + deviation
        surplus = occupancy - np.linalg.det(start).real
        D = np.linalg.det(C).real + surplus * (decay[0, 0] * decay[1, 1]).real
        # All rates of a Lindblad equation are >= 0, MP (57).
        rows.append((C, float(D), particle, energy, 0.0, 0j))
    return rows


def _by_equation(
    network: TwoModes,
    equation: str,
    lamb_shift: bool,
    times: Real | None,
    start: Complex,
    occupancy: float,
) -> list[_Row]:
    """dC/dt = −(RC + CR†) + F + F† of the package, whose C_qp is ⟨a_p†a_q⟩ on the sites."""
    generator = build_generator(network.model, equation, lamb_shift)
    modes = relaxation.build_relaxation(generator)
    R, F = generator.damping_matrix(), generator.filling_matrix()
    gain = to_modes(network, (F + F.conj().T).T)
    damping = to_modes(network, (R + R.conj().T).T)
    markov = float(non_markovianity(gain, damping))
    if times is None:
        found = [relaxation.steady_correlations(modes).matrix]
        surplus = np.zeros(1)
    else:
        found = list(relaxation.propagate(modes, to_sites(network, start).T, times))
        decay = np.exp(-np.trace(damping).real * times)
        surplus = (occupancy - np.linalg.det(start).real) * decay
    rows = []
    for one, rest in zip(found, surplus):
        flow = contact_currents(generator, one)
        C = to_modes(network, one.T)
        D = float(np.linalg.det(C).real + rest)
        rows.append((C, D, flow.particle, flow.energy, markov, complex(gain[0, 1])))
    return rows


def _collected(network: TwoModes, rows: list[_Row], exact: bool, steady: bool) -> dict[str, Any]:
    """Arrays over the times, or the one row."""
    C, D, particle, energy, markov, cross = (np.array(part) for part in zip(*rows))
    heat = energy - network.chemical_potentials * particle
    produced = -(heat / network.temperatures).sum(axis=1)
    if exact and steady:
        # Both parts of it may nearly cancel.
        produced = np.array([landauer_currents(network)[2]])
    values = (C, D, *particle.T[:1], *energy.T[:1], *particle.T[1:], *energy.T[1:])
    result = dict(zip(_NAMES, (*values, produced, markov, cross)))
    return {name: value[0] if steady else value for name, value in result.items()}


def _checked_start(
    initial: NDArray[Any] | None, double_occupancy: float | None
) -> tuple[Complex, float]:
    """C(0) and D(0) of a state."""
    if initial is None and double_occupancy is not None:
        raise InputError("initial_double_occupancy without initial: C(0) is needed as well")
    start = checked_correlations(np.zeros((2, 2)) if initial is None else initial, 2)
    filled = np.linalg.eigvalsh(start)
    if filled[0] < -1e-12 or filled[1] > 1.0 + 1e-12:
        raise InputError(
            f"initial has the eigenvalues {filled[0]:.6g} and {filled[1]:.6g}: MP (21) needs "
            "0 <= C <= 1"
        )
    if double_occupancy is None:
        return start, float(np.linalg.det(start).real)
    occupancy = arguments.real("initial_double_occupancy", double_occupancy)
    low, high = max(0.0, float(filled.sum()) - 1.0), float(filled[0])
    if not low - 1e-12 <= occupancy <= high + 1e-12:
        raise InputError(
            f"initial_double_occupancy = {occupancy:g}: must lie in [{low:g}, {high:g}] for "
            "these occupations"
        )
    return start, occupancy
