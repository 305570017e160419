"""Two nodes between a hot and a cold bath: local, global and Redfield equations.

H = ω_h a†a + ω_c b†b + ε(a†b + ab†), node a on the hot bath and b on the cold one, both of
oscillators or both of two-level systems; LK, "The local approach to quantum transport may
violate the second law of thermodynamics" (2014), eqs. (2)-(15).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.densities import PhononDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.correlations import DAVIES, LOCAL, REDFIELD
from manybody.physics.gaussian.quadratic import BOSON, FERMION, Contact, QuadraticModel
from manybody.physics.gaussian.weak_coupling import steady_balance
from manybody.physics.underflow import zero_where_tiny

OSCILLATORS, TWO_LEVEL = "boson", "tls"
STATISTICS = (OSCILLATORS, TWO_LEVEL)
EQUATIONS = {"local": LOCAL, "global": DAVIES, "redfield": REDFIELD}


@dataclass(frozen=True)
class TwoLevelReservoir:
    """What a bath of bosons is to a two-level system, written as a reservoir of fermions.

    It takes excitations at the rate D(1 + n) and gives them at the rate Dn, so that
    (1 − f')D' = D(1 + n) and f'D' = Dn: f' = 1/(e^{βω} + 1), D' = D(1 + 2n).

    bosons: the reservoir, with chemical potential 0.  Raises TypeError or ValueError.
    """

    bosons: Reservoir

    def __post_init__(self) -> None:
        arguments.instance("bosons", self.bosons, Reservoir)
        if self.bosons.statistics != BOSON or self.bosons.chemical_potential != 0.0:
            raise InputError(
                f"bosons = {self.bosons!r}: bosons of chemical potential 0 are needed, since "
                "what a two-level system gives to them is energy alone"
            )

    @property
    def beta(self) -> float:
        """Inverse temperature, 1/J."""
        return self.bosons.beta

    @property
    def chemical_potential(self) -> float:
        """0."""
        return 0.0

    @property
    def statistics(self) -> str:
        """ "fermion": no more than one excitation."""
        return FERMION

    def spectrum(self, omega: ArrayLike) -> Real:
        """D'(ω) = D(ω)(1 + 2n(ω)), same shape as `omega`."""
        return self.bosons.spectrum(omega) + 2.0 * self.bosons.filled(omega)

    def occupation(self, omega: ArrayLike) -> Real:
        """f'(ω) = 1/(e^{βω} + 1), same shape as `omega`."""
        omega = np.asarray(omega, dtype=np.float64)
        with np.errstate(under="ignore"):
            small = np.exp(-self.beta * np.abs(omega))
            occupation: Real = np.where(omega > 0.0, small, 1.0) / (1.0 + small)
            return occupation

    def filled(self, omega: ArrayLike) -> Real:
        """f'D' = nD, same shape as `omega`."""
        return self.bosons.filled(omega)

    def shift(self, omega: ArrayLike) -> Real:
        """Δ + 2Δ^f of the bosons, same shape as `omega`."""
        return self.bosons.shift(omega) + 2.0 * self.bosons.filled_shift(omega)

    def filled_shift(self, omega: ArrayLike) -> Real:
        """Δ^f of the bosons, same shape as `omega`."""
        return self.bosons.filled_shift(omega)


@zero_where_tiny
def levy_kosloff(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
    statistics: str = OSCILLATORS,
    approach: str = "local",
) -> dict[str, Any]:
    """The stationary state of the two nodes and what flows through them, LK.

    omega_h, omega_c: frequencies > 0 of the nodes; T_h, T_c: temperatures > 0 of their baths,
    in any order; epsilon: ε >= 0 with ε² < ω_hω_c; kappa: κ > 0 of γ = κΩ³/(1 − e^{−βΩ}), (15);
    statistics: "boson" for oscillators or "tls" for two-level systems.
    approach: "local" is (6)-(8), "global" is (11)-(12), the Davies equation, and "redfield"
    the same without the secular approximation.  Global and Redfield equations of two-level
    systems, which LK leave out, are those of the fermions of Jordan and Wigner.

    The contact is that of exchange, a†R + h.c.; without the secular approximation the aR + h.c.
    of LK's (a + a†)R would add to the Redfield equation, and to it alone.  No Lamb shift.

    Returned, energies in J, currents in J²:
    heat_current_hot, heat_current_cold: out of the baths, (5); each from its own equation, the
        sum is rounding.
    population_a, population_b: ⟨a†a⟩, ⟨b†b⟩; correlation_x, correlation_y: ⟨a†b + ab†⟩ and
        i⟨a†b − ab†⟩; population_plus, population_minus: ⟨d±†d±⟩.
    omega_plus, omega_minus, cos_squared: of (10), d₊ = a cos θ + b sin θ, θ from 0 to π/2.
    entropy_production: −J_h/T_h − J_c/T_c of (1), as J_h(T_h − T_c)/(T_hT_c).
    covariance_matrix, correlation_functions: (4, 4) of x_A, p_A, x_B, p_B, appendix C and (17);
        oscillators only.

    Currents keep their relative accuracy however small they are against κω³ and ω, see
    `physics.weak_coupling`: differences of occupations come from expm1 of exact differences,
    currents from the deviation from the equilibrium of the one bath instead of the difference of
    gain and loss, and that deviation from rational arithmetic.  Against 60 digits: 1e-13 for κ to
    1e-12 and ε to 1e-9 of ω; Redfield 1e-9 where κω² > 1e-2 and ε < 1e-7 ω at a resonance.
    X of modes close to each other is known to rounding of 2cs(n₊ + n₋).

    Raises TypeError or ValueError with the condition of LK that is broken.
    """
    model = build_network(omega_h, omega_c, T_h, T_c, epsilon, kappa, statistics)
    hot, cold = float(T_h), float(T_c)
    equation = EQUATIONS[arguments.choice("approach", approach, tuple(EQUATIONS))]
    balance = steady_balance(model, equation, (hot, cold))
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
        "entropy_production": heat * (hot - cold) / (hot * cold),
    }
    if statistics == OSCILLATORS:
        covariance = covariance_matrix(state)
        spread = np.sqrt(covariance.diagonal())
        result["covariance_matrix"] = covariance
        result["correlation_functions"] = covariance / np.outer(spread, spread)
    return result


def build_network(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
    statistics: str = OSCILLATORS,
) -> QuadraticModel:
    """The two nodes with their baths, contact 0 the hot one; see `levy_kosloff`.

    Two-level systems are fermions here (Jordan and Wigner): exact for H, all rates, and states
    without coherence between even and odd numbers, as the stationary one.
    """
    arguments.choice("statistics", statistics, STATISTICS)
    omega_h, omega_c, T_h, T_c, epsilon, kappa = _checked(  # noqa: N806
        omega_h, omega_c, T_h, T_c, epsilon, kappa
    )
    density = PhononDensity(kappa)
    baths = [Reservoir(density, 1.0 / T, statistics=BOSON) for T in (T_h, T_c)]
    hamiltonian = np.array([[omega_h, epsilon], [epsilon, omega_c]], dtype=np.float64)
    if statistics == OSCILLATORS:
        contacts = tuple(Contact(site, bath) for site, bath in enumerate(baths))
        return QuadraticModel(hamiltonian, contacts, BOSON)
    contacts = tuple(Contact(site, TwoLevelReservoir(bath)) for site, bath in enumerate(baths))
    return QuadraticModel(hamiltonian, contacts, FERMION)


def covariance_matrix(correlations: NDArray[Any]) -> Real:
    """(4, 4) V_ij = ½⟨ξ_iξ_j + ξ_jξ_i⟩ of ξ = (x_A, p_A, x_B, p_B), LK appendix C.

    correlations: (2, 2) C_qp = ⟨a_p†a_q⟩ of oscillators without ⟨a⟩ or ⟨aa⟩;
    x = (a + a†)/√2, p = (a − a†)/(i√2).
    """
    # ⟨x_px_q⟩ = ⟨p_pp_q⟩ = Re⟨a_p†a_q⟩ + ½δ_pq and ⟨x_pp_q⟩ = Im⟨a_p†a_q⟩.
    symmetric = correlations.T.real + 0.5 * np.eye(2)
    mixed = correlations.T.imag
    blocks = np.array([[symmetric, mixed], [-mixed, symmetric]])
    return blocks.transpose(2, 0, 3, 1).reshape(4, 4)


def _checked(
    omega_h: float,
    omega_c: float,
    T_h: float,  # noqa: N803
    T_c: float,  # noqa: N803
    epsilon: float,
    kappa: float,
) -> tuple[float, float, float, float, float, float]:
    """The parameters as floats; TypeError or ValueError with the condition of LK they break."""
    frequencies = [
        _positive(name, value, "LK eq. (2) has nodes of positive frequency")
        for name, value in (("omega_h", omega_h), ("omega_c", omega_c))
    ]
    temperatures = [
        _positive(name, value, "LK eqs. (6) and (7) have baths of positive temperature")
        for name, value in (("T_h", T_h), ("T_c", T_c))
    ]
    kappa = _positive(
        "kappa", kappa, "LK eq. (15) needs κ > 0, without baths nothing is stationary"
    )
    hopping = arguments.real("epsilon", epsilon)
    if hopping < 0.0:
        raise InputError(f"epsilon = {epsilon!r}: LK below eq. (3) needs ε > 0, or 0 as a limit")
    if Fraction(hopping) ** 2 >= Fraction(frequencies[0]) * Fraction(frequencies[1]):
        raise InputError(
            f"epsilon = {epsilon!r}: epsilon**2 must lie below omega_h * omega_c = "
            f"{frequencies[0] * frequencies[1]:g}, "
            "or LK's condition ω₋ > 0 above eq. (11) is broken"
        )
    return frequencies[0], frequencies[1], temperatures[0], temperatures[1], hopping, kappa


def _positive(name: str, value: object, condition: str) -> float:
    """`value` as a positive float; TypeError or ValueError with the condition."""
    number = arguments.real(name, value)
    if number <= 0.0:
        raise InputError(f"{name} = {value!r}: must be > 0, {condition}")
    return number
