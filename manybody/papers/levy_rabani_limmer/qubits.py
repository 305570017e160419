"""Two coupled qubits between two baths: LRL section III D, eqs. (37)-(46), Figs. 4 and 5.

H_0 = ω/2 (σ_z^A + σ_z^B) + g/2 (σ_x^A σ_x^B + σ_y^A σ_y^B), V = Ω σ_z^A σ_z^B, and the baths
couple to σ_x^A and σ_x^B.  Qubits are modes of at most one boson: a_j = σ_-^j.  V moves levels
and leaves eigenvectors alone, so three answers exist: none at all, the dissipator of H_0 with
the energies of H_0 + δV (local), and the Davies equation of H_0 + δV (global).

(40) prints {χχ†, O} for {χ†χ, O}, as (C2) shows.  With the S_j of (45) the signs of (44) are
σ_x^A = −S_1 + S_2 + S_3 + S_4 + h.c. and σ_x^B = S_1 + S_2 + S_3 − S_4 + h.c.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.papers.levy_rabani_limmer.baths import FlatBath
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, annihilation_operator
from manybody.physics.fock.couplings import hermitian_coupling
from manybody.physics.fock.half_form import FockModel
from manybody.physics.fock.rate_equations import (
    population_rates,
    stationary_populations,
    steady_heat_currents,
)
from manybody.physics.fock.secular import SecularGenerator, build_davies_equation
from manybody.physics.underflow import zero_where_tiny

LIMITS = ("unperturbed", "local", "global")
# The order of all arrays over levels: (44) has |±⟩ = (|01⟩ ± |10⟩)/√2.
LEVELS = ("00", "-", "+", "11")
_BASIS = FockBasis(2, "boson", max_occupation=1)
_R = np.sqrt(0.5)
_STATES = np.array([[1.0, 0, 0, 0], [0, -_R, _R, 0], [0, _R, _R, 0], [0, 0, 0, 1.0]])


@zero_where_tiny
def coupled_qubits(
    omega: float,
    g: float,
    delta_Omega: float,
    T_a: float,
    T_b: float,
    gamma: float = 1.0,
    limit: str = "unperturbed",
) -> dict[str, Any]:
    """Steady state of LRL (37)-(46), ħ = k_B = 1.

    omega, g: ω, g of H_0, ω_± = ω ± g > 0, g ≠ 0; delta_Omega: δΩ of (41), of any size and sign
    in the local limit, |2δΩ| < ω_± in the global one; T_a, T_b > 0; gamma: γ > 0, the rate of
    every channel.
    limit: "unperturbed", (39) and (42); "local", dissipator of H_0 and energies of H_0 + δV,
    ν⁽¹⁾ = 4δΩ ≪ γ, (42) + (43); "global", the Davies equation of H_0 + δV, ν⁽¹⁾ ≫ γ, (46).

    heat_current_a, heat_current_b: energy from each bath per time, (48); response_a: what of
    heat_current_a the perturbation adds, δJ_1^a of (43) or J^a − J_0^a; populations, energies:
    (4,) of the levels 00, −, +, 11; entropy_production: −Σ J/T, (47).

    Populations are right in every digit and heat currents to about 1e-14, for temperatures as
    close as may be; response_a of the global limit is the difference of two of them.
    Raises TypeError or ValueError.
    """
    omega = arguments.real("omega", omega, above=0.0)
    g = arguments.real("g", g)
    shift = arguments.real("delta_Omega", delta_Omega)
    T_a = arguments.real("T_a, a temperature of the thermal baths of LRL (4),", T_a, above=0.0)
    T_b = arguments.real("T_b, a temperature of the thermal baths of LRL (4),", T_b, above=0.0)
    gamma = arguments.real("gamma", gamma, above=0.0)
    arguments.choice("limit", limit, LIMITS)
    _check_levels(omega, g, shift if limit == "global" else 0.0)
    baths = FlatBath(gamma, T_a), FlatBath(gamma, T_b)
    unperturbed = qubit_generator(omega, g, 0.0, baths)
    generator = qubit_generator(omega, g, shift, baths) if limit == "global" else unperturbed
    order = _level_order(generator)
    rates = [population_rates(generator, bath) for bath in range(2)]
    # The energy that heat carries is that of H_0 + δV in both perturbed limits.
    moved = shift if limit == "local" else 0.0
    displaced = np.empty(4)
    displaced[order] = moved * np.array([1.0, -1.0, -1.0, 1.0])
    zero = omega - shift if limit == "global" else omega
    heat = steady_heat_currents(rates, generator.energies, (T_a, T_b), generator.energies)
    extra = steady_heat_currents(rates, generator.energies, (T_a, T_b), displaced)
    currents, response = heat + extra, extra[0]
    if limit == "global":
        same = [population_rates(unperturbed, bath) for bath in range(2)]
        energies = unperturbed.energies
        response = currents[0] - steady_heat_currents(same, energies, (T_a, T_b), energies)[0]
    return {
        "heat_current_a": float(currents[0]),
        "heat_current_b": float(currents[1]),
        "response_a": float(response),
        "populations": stationary_populations(sum(rates, start=np.zeros((4, 4))))[order],
        "energies": (generator.energies + displaced)[order] - zero,
        "entropy_production": float(currents[0] * ((T_a - T_b) / T_a) / T_b),
    }


def qubit_generator(
    omega: float, g: float, delta_Omega: float, baths: Sequence[Any]
) -> SecularGenerator:
    """Davies equation of H_0 + δV, (37) and (41), baths on σ_x^A and σ_x^B; H without −ω + δΩ.

    With δΩ = 0 the transitions of equal frequency act together, (C2); else all four apart, (C5).
    Which are equal is known from the model, however small g is.
    """
    labels = "energies" if delta_Omega == 0.0 else "distinct"
    model = qubit_model(omega, g, delta_Omega)
    return build_davies_equation(model, qubit_couplings(baths), labels=labels, undecided="apart")


def qubit_model(omega: float, g: float, delta_Omega: float) -> FockModel:
    """H_0 + δΩ σ_z^A σ_z^B + ω − δΩ; the constant makes the empty state the zero of energy."""
    # σ_z^A σ_z^B − 1 = 4 n_A n_B − 2 n_A − 2 n_B.
    pair = np.zeros(4)
    pair[3] = 4.0 * delta_Omega
    local = omega - 2.0 * delta_Omega
    interaction = sp.csr_array(np.diag(pair)) if delta_Omega != 0.0 else None
    return FockModel(_BASIS, np.array([[local, g], [g, local]]), interaction)


def qubit_couplings(baths: Sequence[Any]) -> list[Any]:
    """σ_x^A and σ_x^B, each with its bath, (38)."""
    lowering = [annihilation_operator(_BASIS, mode) for mode in range(2)]
    return [hermitian_coupling(a + a.T, bath) for a, bath in zip(lowering, baths)]


def unperturbed_current(
    omega: float, g: float, T_a: float, T_b: float, gamma: float = 1.0
) -> float:
    """J_0^a in closed form, (42)."""
    total = 0.0
    for frequency in (omega + g, omega - g):
        n_a, n_b = (FlatBath(gamma, T).occupation(frequency) for T in (T_a, T_b))
        total += gamma * frequency * float((n_a - n_b) / (4.0 * (n_a + n_b + 1.0)))
    return total


def local_correction(
    omega: float, g: float, delta_Omega: float, T_a: float, T_b: float, gamma: float = 1.0
) -> float:
    """δJ_1^a in closed form, (43)."""
    upper, lower = (
        [FlatBath(gamma, T).occupation(frequency) for T in (T_a, T_b)]
        for frequency in (omega + g, omega - g)
    )
    numerator = gamma * delta_Omega * (lower[0] - lower[1] + upper[0] - upper[1])
    return -float(numerator / (2.0 * (sum(lower) + 1.0) * (sum(upper) + 1.0)))


def _level_order(generator: SecularGenerator) -> NDArray[np.intp]:
    """(4,) place of the levels 00, −, +, 11 among the ascending energies."""
    order: NDArray[np.intp] = np.argmax(np.abs(_STATES @ generator.vectors), axis=1)
    return order


def _check_levels(omega: float, g: float, shift: float) -> None:
    """ValueError where (39) or (46) do not hold."""
    if g == 0.0:
        raise InputError(
            "g = 0: ω_+ = ω_- breaks the secular approximation of LRL (39), which takes the "
            "channels ω ± g apart; g ≠ 0 is needed"
        )
    if not omega > abs(g):
        raise InputError(
            f"g = {g!r} with omega = {omega!r}: LRL (39) needs ω_± = ω ± g > 0, so |g| < ω"
        )
    if not omega - abs(g) > 2.0 * abs(shift):
        raise InputError(
            f"delta_Omega = {shift!r} with omega = {omega!r}, g = {g!r}: LRL (45) needs all "
            "frequencies ω_± ± 2δΩ > 0, so 2|δΩ| < ω − |g|"
        )
