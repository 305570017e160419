"""Oscillators on contacts (a + a†)R as LK (2) writes them, by the Redfield equation.

Without the secular approximation aR + h.c. stays, and pairs ⟨aa⟩ with it.  In x = (a + a†)/√2
and p of all nodes this is Brownian motion: bath q acts on the momentum alone,

    dx/dt = hp,    dp/dt = −hx − Σ_q K_q p + noise,    K_q = |q⟩⟨q| D(h),

noise of the strength K_q (n_q(h) + ½) + h.c., since Λ of docs/physics.md section 3 has γ(h) −
γ(−h) = D(h) and γ(h) + γ(−h) = D(h)(1 + 2n(h)).  Both nodes have a bath of the density D, so that
Σ_q K_q = D(h): the modes of h move on their own, always damped, and meet in the noise alone.
What bath b alone would make of them, n_b(h) + ½ in x and in p, undoes the part of b; the
deviation from it has

    ⟨p_mp_n⟩ = S_mn (1 − r)/(k_m + k_n),    S = |c⟩⟨c| D (n_c − n_b)(h) + h.c.,    k = D(ω),
    r/(1 − r) = (ω_m² − ω_n²)²/[(k_m + k_n)(k_nω_m² + k_mω_n²)],

c the other bath, and through b flows the energy −tr(h K_b⟨pp⟩).
"""

from fractions import Fraction

import numpy as np

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.papers.levy_kosloff.nodes import Nodes
from manybody.physics.gaussian.correlations import REDFIELD, build_generator
from manybody.physics.gaussian.weak_coupling import SteadyBalance, occupation_difference


def position_balance(nodes: Nodes) -> tuple[SteadyBalance, Complex]:
    """Stationary state and currents without Lamb shift, and ⟨a_pa_q⟩, (2, 2) on the sites.

    particle counts quanta, which H keeps.  Of nodes closer than they are damped the emptier one
    is known to rounding of the fuller one.  Raises ValueError where κω³ underflows.
    """
    generator = build_generator(nodes.model, REDFIELD)
    plus, minus, cos_squared, sin_squared = nodes.mixing
    cosine, sine = np.sqrt(cos_squared), np.sqrt(sin_squared)
    # Columns d₋ and d₊, (10).
    vectors = np.array([[-sine, cosine], [cosine, sine]])
    omega = np.array([minus, plus])
    reservoirs = [contact.reservoir for contact in nodes.model.contacts]
    rates = reservoirs[0].spectrum(omega)
    if not rates.all():
        raise InputError(f"kappa = {nodes.kappa!r}: the rates κω³ underflow to zero")
    fillings = np.stack([reservoir.occupation(omega) for reservoir in reservoirs])
    rise = _rise(nodes, omega)
    # Added to the emptier equilibrium no deviation of an occupation is below zero.
    other = int(np.argmax(fillings.sum(axis=1)))
    numbers, pairs = _moments(nodes, omega, rates, vectors[other], rise if other == 0 else -rise)
    filling = fillings[1 - other]
    quanta, energy = _currents(nodes, omega, rates, rise)
    on_sites = vectors @ (np.diag(filling) + numbers) @ vectors.T
    balance = SteadyBalance(
        generator,
        0.5 * (on_sites + on_sites.conj().T),
        filling + numbers.diagonal().real,
        np.array([quanta, -quanta]),
        np.array([energy, -energy]),
    )
    return balance, vectors @ pairs @ vectors.T


def _rise(nodes: Nodes, omega: Real) -> Real:
    """(2,) n_h − n_c at the frequencies, with all digits however close T_h and T_c are."""
    hot, cold = ([Fraction(w) / Fraction(T) for w in omega.tolist()] for T in nodes.temperatures)
    return np.array(
        [occupation_difference(x, y, nodes.model.statistics) for x, y in zip(hot, cold)]
    )


def _resolution(nodes: Nodes, omega: Real, rates: Real) -> tuple[float, float]:
    """r of the two modes and 1 − r: 1 where they are resolved, 0 where they are damped faster."""
    apart = nodes.splitting * omega.sum()
    damped = np.sqrt(rates.sum()) * np.sqrt(rates @ omega[::-1] ** 2)
    whole = np.hypot(apart, damped)
    return float(apart / whole) ** 2, float(damped / whole) ** 2


def _moments(
    nodes: Nodes, omega: Real, rates: Real, seen: Real, rise: Real
) -> tuple[Complex, Complex]:
    """(2, 2) deviations of C_mn = ⟨d_n†d_m⟩ and of ⟨d_md_n⟩ in the modes, lower one first.

    seen: (2,) of the node at the other bath c; rise: (2,) n_c − n_b.
    """
    source = np.outer(seen, seen) * np.add.outer(rates * rise, rates * rise)
    _, rest = _resolution(nodes, omega, rates)
    p = source / np.add.outer(rates, rates) * np.array([[1.0, rest], [rest, 1.0]])
    # ⟨x_mp_n⟩ = ω_m z, ⟨p_mx_n⟩ = −ω_n z and ⟨x_mx_n⟩ = (ω_m/ω_n)(⟨p_mp_n⟩ − k_n z).
    turn = nodes.splitting * omega.sum() / (rates @ omega[::-1] ** 2) * p[0, 1]
    z = np.array([[0.0, -turn], [turn, 0.0]])
    x = np.divide.outer(omega, omega) * (p - rates * z)
    mixed = omega[:, None] * z
    numbers = 0.5 * (x + p + 1j * (mixed.T - mixed))
    return numbers, 0.5 * (x - p + 1j * (mixed.T + mixed))


def _currents(nodes: Nodes, omega: Real, rates: Real, rise: Real) -> tuple[float, float]:
    """Quanta and energy out of the hot bath, −tr K_h⟨pp⟩ and −tr h K_h⟨pp⟩ in two modes.

    What does not depend on r is taken together, so that nothing cancels at a resonance.
    """
    resolved, _ = _resolution(nodes, omega, rates)
    _, _, cos_squared, sin_squared = nodes.mixing
    share = cos_squared * sin_squared / rates.sum()
    flow = resolved * (rates @ rise)
    uneven = nodes.splitting * float(rates[1] ** 2 * rise[1] - rates[0] ** 2 * rise[0])
    return (
        float(share * rates.sum() * flow),
        float(share * (flow * (rates @ omega[::-1]) + uneven)),
    )
