"""Two coupled qubits between two baths: LRL section III D, eqs. (37)-(46), Figs. 4 and 5.

H_0 = ω/2 (σ_z^A + σ_z^B) + g/2 (σ_x^A σ_x^B + σ_y^A σ_y^B), V = Ω σ_z^A σ_z^B, and the baths
couple to σ_x^A and σ_x^B.  Qubits are modes of at most one boson: a_j = σ_-^j.  V moves levels
and leaves eigenvectors alone, so three answers exist: none at all, the dissipator of H_0 with
the energies of H_0 + δV (local), and the Davies equation of H_0 + δV (global).

(40) prints {χχ†, O} for {χ†χ, O}, as (C2) shows.  With the S_j of (45) the signs of (44) are
σ_x^A = −S_1 + S_2 + S_3 + S_4 + h.c. and σ_x^B = S_1 + S_2 + S_3 − S_4 + h.c.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.papers.levy_rabani_limmer.baths import FlatBath, check_split, set_numbers
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


@dataclass(frozen=True)
class QubitSystem:
    """H_0 + δV between two baths of one rate; parameters as in `coupled_qubits`.

    Raises TypeError or ValueError where (39) does not hold.
    """

    omega: float
    g: float
    delta_Omega: float
    T_a: float
    T_b: float
    gamma: float = 1.0

    def __post_init__(self) -> None:
        set_numbers(self, ("g", "delta_Omega"), ("omega", "T_a", "T_b", "gamma"))
        check_split(self.omega, self.g, "(39)", "the channels ω ± g")

    @property
    def frequencies(self) -> tuple[float, float]:
        """ω_+, ω_-."""
        return self.omega + self.g, self.omega - self.g

    @property
    def baths(self) -> tuple[FlatBath, FlatBath]:
        """Those of the qubits A and B."""
        return FlatBath(self.gamma, self.T_a), FlatBath(self.gamma, self.T_b)

    @property
    def unperturbed(self) -> "QubitSystem":
        """H_0 alone."""
        return replace(self, delta_Omega=0.0)

    @property
    def model(self) -> FockModel:
        """H_0 + δΩ σ_z^A σ_z^B + ω − δΩ; the constant makes the empty state the zero of energy."""
        # σ_z^A σ_z^B − 1 = 4 n_A n_B − 2 n_A − 2 n_B.
        shift = self.delta_Omega
        interaction = sp.csr_array(np.diag([0.0, 0.0, 0.0, 4.0 * shift])) if shift else None
        local = self.omega - 2.0 * shift
        return FockModel(_BASIS, np.array([[local, self.g], [self.g, local]]), interaction)

    @property
    def couplings(self) -> list[Any]:
        """σ_x^A and σ_x^B, each with its bath, (38)."""
        lowering = [annihilation_operator(_BASIS, mode) for mode in range(2)]
        return [hermitian_coupling(a + a.T, bath) for a, bath in zip(lowering, self.baths)]

    @property
    def generator(self) -> SecularGenerator:
        """Davies equation of H_0 + δV, (37) and (41), baths on σ_x^A and σ_x^B.

        With δΩ = 0 the transitions of equal frequency act together, (C2); else all four apart,
        (C5).  Which are equal is known from the model, however small g is.
        """
        distinct = self.delta_Omega != 0.0
        return build_davies_equation(
            self.model, self.couplings, distinct=distinct, undecided="apart"
        )


@zero_where_tiny
def steady_state(system: QubitSystem, limit: str) -> dict[str, Any]:
    """What `coupled_qubits` returns."""
    arguments.choice("limit", limit, LIMITS)
    shift = system.delta_Omega
    if limit == "global" and not system.omega - abs(system.g) > 2.0 * abs(shift):
        raise InputError(
            f"delta_Omega = {shift!r} with omega = {system.omega!r}, g = {system.g!r}: LRL (45) "
            "needs all frequencies ω_± ± 2δΩ > 0, so 2|δΩ| < ω − |g|"
        )
    temperatures = system.T_a, system.T_b
    generator = (system if limit == "global" else system.unperturbed).generator
    order = _level_order(generator)
    rates = [population_rates(generator, bath) for bath in range(2)]
    # The energy that heat carries is that of H_0 + δV in both perturbed limits.
    moved = shift if limit == "local" else 0.0
    displaced = np.empty(4)
    displaced[order] = moved * np.array([1.0, -1.0, -1.0, 1.0])
    zero = system.omega - shift if limit == "global" else system.omega
    heat = steady_heat_currents(rates, generator.energies, temperatures, generator.energies)
    extra = steady_heat_currents(rates, generator.energies, temperatures, displaced)
    currents, response = heat + extra, extra[0]
    if limit == "global":
        bare = system.unperturbed.generator
        same = [population_rates(bare, bath) for bath in range(2)]
        below = steady_heat_currents(same, bare.energies, temperatures, bare.energies)
        response = currents[0] - below[0]
    produced = currents[0] * ((system.T_a - system.T_b) / system.T_a) / system.T_b
    return {
        "heat_current_a": float(currents[0]),
        "heat_current_b": float(currents[1]),
        "response_a": float(response),
        "populations": stationary_populations(sum(rates, start=np.zeros((4, 4))))[order],
        "energies": (generator.energies + displaced)[order] - zero,
        "entropy_production": float(produced),
    }


def _level_order(generator: SecularGenerator) -> NDArray[np.intp]:
    """(4,) place of the levels 00, −, +, 11 among the ascending energies."""
    order: NDArray[np.intp] = np.argmax(np.abs(_STATES @ generator.vectors), axis=1)
    return order
