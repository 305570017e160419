"""Currents, entropy and entropy production of every generator of the package.

Currents are counted into the system: bath b brings J_N,b = tr nD_b[ρ] particles and
J_E,b = tr HD_b[ρ] energy, D_b its part of the dissipator.  With S = −tr ρ ln ρ the entropy
production is σ = dS/dt − Σ_b β_b (J_E,b − μ_b J_N,b), LK eq. (1), and, bath by bath, Spohn's
σ_b = −tr D_b[ρ] (ln ρ − ln ρ_b), ρ_b ∝ e^{−β_b(H − μ_b n)}.  A D_b that is completely positive
and keeps ρ_b has σ_b >= 0 in every state (Spohn 1978): the Davies equation has both, the local
one does not keep ρ_b, Redfield is not positive.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.equations.davies import DaviesGenerator
from manybody.physics.equations.redfield import RedfieldGenerator
from manybody.physics.fock.basis import number_operator
from manybody.physics.fock.couplings import Coupling, Gain, Loss
from manybody.physics.fock.small_systems import Generator
from manybody.physics.gaussian.correlations import (
    DAVIES,
    CorrelationGenerator,
    adjoint,
    checked_correlations,
)
from manybody.physics.gaussian.quadratic import BOSON, STATISTICS, QuadraticModel
from manybody.physics.spectra import degeneracy_tolerance, linked

# An eigenvalue of a state above minus this is zero with rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class BathState:
    """The couplings that belong to one bath, and its equilibrium.

    couplings: indices into the couplings of a generator; beta: 1/J, >= 0 and finite;
    chemical_potential: in J.  Raises TypeError or ValueError.
    """

    couplings: tuple[int, ...]
    beta: float
    chemical_potential: float = 0.0

    def __post_init__(self) -> None:
        indices = tuple(arguments.integer("coupling index", each, 0) for each in self.couplings)
        object.__setattr__(self, "couplings", indices)
        _checked_beta("beta", self.beta)
        arguments.real("chemical_potential", self.chemical_potential)


@dataclass(frozen=True, eq=False)
class Balance:
    """What every bath does to a state per time; all (n_baths,), into the system.

    particle, energy, heat: J_N in J, J_E and J_E − μJ_N in J².
    entropy_change: −tr D_b[ρ] ln ρ, their sum is dS/dt; production: Spohn's σ_b.  Both in J;
        ±inf where D_b fills or empties a pure direction of ρ at a finite rate.
    entropy_flow: β_b times heat.
    """

    particle: Real
    energy: Real
    heat: Real
    entropy_change: Real
    entropy_flow: Real
    production: Real


# ---- entropy ---------------------------------------------------------------------------------


# ---- many particles --------------------------------------------------------------------------


def bath_states(couplings: Sequence[Coupling]) -> tuple[BathState, ...]:
    """The baths of a list of couplings: a loss with the gain that follows it is one.

    Raises TypeError for a bath without an inverse temperature beta, ValueError where that is
    nan or inf.
    """
    baths: list[BathState] = []
    previous: Any = None
    for index, coupling in enumerate(couplings):
        bath = coupling.bath
        paired = isinstance(bath, Gain) and isinstance(previous, Loss)
        if paired and bath.reservoir is previous.reservoir:
            baths[-1] = replace(baths[-1], couplings=(index - 1, index))
        elif isinstance(bath, (Loss, Gain)):
            reservoir = bath.reservoir
            baths.append(BathState((index,), reservoir.beta, reservoir.chemical_potential))
        elif hasattr(bath, "beta"):
            baths.append(BathState((index,), _checked_beta(f"bath = {bath!r}: beta", bath.beta)))
        else:
            raise InputTypeError(f"bath = {bath!r}: without beta there is no entropy flow")
        previous = bath
    return tuple(baths)


def balance(generator: Generator, baths: Sequence[BathState], rho: NDArray[Any]) -> Balance:
    """Currents and entropy production of every bath in the state ρ, (D, D).

    generator: Redfield, local or Davies equation of many particles.
    Raises ValueError where ρ is not a state: its entropy would be no number.
    """
    model = generator.model
    state = _checked_state(rho)
    hamiltonian = model.hamiltonian.toarray()
    number = number_operator(model.basis).toarray()
    values, vectors = np.linalg.eigh(state)
    values = _positive_values(values)
    changes = [
        sum((generator.dissipate(index, state) for index in bath.couplings), np.zeros_like(state))
        for bath in baths
    ]
    logarithm = (vectors * _finite_logarithm(values)) @ adjoint(vectors)
    infinite = [_infinite_part(values, vectors, change) for change in changes]
    return _balance(np.array(changes), hamiltonian, number, -logarithm, np.array(infinite), baths)


# ---- correlation matrices --------------------------------------------------------------------


def contact_changes(generator: CorrelationGenerator, correlations: NDArray[Any]) -> Complex:
    """(n_contacts, N, N) what every contact adds to dC/dt on the sites; with
    −i[h, C] they make `generator.derivative`.
    """
    in_modes = generator.to_modes(checked_correlations(correlations, generator.n_sites))
    same = generator.levels[:, None] == generator.levels[None, :]
    changes = []
    for contact, site in enumerate(generator.sites):
        seen = generator.vectors[site].conj()[:, None]
        damping = seen * generator.damping_rows[contact]
        filling = seen * generator.filling_rows[contact]
        if generator.equation == DAVIES:
            damping, filling = np.where(same, damping, 0.0), np.where(same, filling, 0.0)
        half = generator.to_sites(filling - damping @ in_modes)
        changes.append(half + adjoint(half))
    return np.array(changes, dtype=np.complex128)


def correlation_balance(
    model: QuadraticModel, generator: CorrelationGenerator, correlations: NDArray[Any]
) -> Balance:
    """Currents and entropy production of every contact in the Gaussian state with this C.

    ln ρ = −Σ_jk ln((1 ∓ C)/C)_jk a_j†a_k + const, hence −tr D_b[ρ] ln ρ = tr X_b ln((1 ∓ C)/C),
    X_b what contact b adds to dC/dt; upper sign fermions.
    Raises ValueError where C is none of a state, as of Redfield it may be.
    """
    values, vacancies, vectors = _occupations(correlations, model.statistics)
    changes = contact_changes(generator, correlations)
    baths = [
        BathState((index,), contact.reservoir.beta, contact.reservoir.chemical_potential)
        for index, contact in enumerate(model.contacts)
    ]
    exponents = _finite_logarithm(vacancies) - _finite_logarithm(values)
    logarithm = (vectors * exponents) @ adjoint(vectors)
    infinite = [
        _infinite_part(values, vectors, change) + _infinite_part(vacancies, vectors, -change)
        for change in changes
    ]
    hamiltonian = model.dense_hamiltonian()
    identity = np.eye(model.n_sites)
    return _balance(changes, hamiltonian, identity, logarithm, np.array(infinite), baths)


# ---- one particle ----------------------------------------------------------------------------


def site_rates(generator: RedfieldGenerator, observable: NDArray[Any], rho: NDArray[Any]) -> Real:
    """(samples, N) tr(O D_j[ρ]) of the bath on every site j, D_j[ρ] = Λ_jρA_j − A_jΛ_jρ + h.c.

    observable, rho: (samples, N, N) Hermitian in the site basis.  Zero on sites without a bath.
    With ⟨j|Λ_j … |j⟩ of rank-one A_j = |j⟩⟨j| all sites together take a few N³ products.
    With Lamb shift on all sites the generator has no iη(0), and neither has what is returned.
    """
    vectors = generator.spectrum.vectors
    bra = np.swapaxes(vectors.conj(), 1, 2)
    sites = np.flatnonzero(generator.spectrum.coupled)

    def filtered(right: NDArray[Any]) -> NDArray[Any]:
        """(samples, j, l) Σ_k G_lk V_jk (V†X)_kj, G of the bath on j."""
        seen = vectors * np.swapaxes(bra @ right, 1, 2)
        result = np.zeros_like(seen, dtype=np.complex128)
        for group in generator.groups:
            own = sites[group.members]
            strengths = group.factors[:, None] ** 2
            result[:, own] = strengths * (seen[:, own] @ np.swapaxes(group.rates, 1, 2))
        return result

    before = ((observable @ vectors) * vectors.conj() * filtered(rho)).sum(axis=2)
    after = (np.abs(vectors) ** 2 * filtered(rho @ observable)).sum(axis=2)
    return np.asarray(2.0 * (before - after).real)


def redfield_site_heat(generator: RedfieldGenerator, rho: NDArray[Any]) -> Real:
    """(samples, N) heat current from the bath on every site, tr(H D_j[ρ]) in J²."""
    return site_rates(generator, generator.hamiltonian, rho)


def davies_site_heat(generator: DaviesGenerator, rho: NDArray[Any]) -> Real:
    """(N,) heat current from the bath on every site, rho: (N, N) in the site basis.

    J_j = Σ_{K,L} (E_L − E_K) γ(E_K − E_L) ⟨j|Π_L|j⟩ ⟨j|Π_KρΠ_K|j⟩ over pairs of levels, which
    may be degenerate.  The Lamb shift commutes with H and brings no heat.
    """
    spectrum = generator.spectrum
    energies, vectors = spectrum.energies[0], spectrum.vectors[0]
    levels = linked(energies, degeneracy_tolerance(spectrum))
    in_energy = adjoint(vectors) @ np.asarray(rho) @ vectors
    kept = np.where(levels[:, None] == levels[None, :], in_energy, 0.0)
    occupied = (vectors.conj() * (vectors @ kept)).real
    heat, sites = np.zeros(len(energies)), np.flatnonzero(spectrum.coupled)
    for group in generator.redfield.groups:
        gamma, own = 2.0 * group.rates[0].real, sites[group.members]
        arriving = energies * (occupied[own] @ gamma.T) - (occupied[own] * energies) @ gamma.T
        heat[own] = group.factors**2 * (np.abs(vectors[own]) ** 2 * arriving).sum(axis=1)
    return heat


# ---- parts -----------------------------------------------------------------------------------


def _checked_beta(name: str, beta: object) -> float:
    """`beta` where heat brings a finite entropy; TypeError or ValueError."""
    if isinstance(beta, float) and math.isnan(beta):
        raise InputError(
            f"{name} = nan: without detailed balance (kms=False) no temperature belongs to heat, "
            "and there is no entropy flow"
        )
    if beta == math.inf:
        raise InputError(
            f"{name} = inf: at T = 0 any heat is an infinite entropy flow; must be finite"
        )
    return arguments.real(name, beta, minimum=0.0)


def _balance(
    changes: Complex,
    hamiltonian: NDArray[Any],
    number: NDArray[Any],
    information: NDArray[Any],
    infinite: Real,
    baths: Sequence[BathState],
) -> Balance:
    """The balance of changes X_b: traces with n, H and the information −ln ρ.

    information: without the part of zero eigenvalues, which is `infinite`, 0 or ±inf.
    """
    betas = np.array([bath.beta for bath in baths])
    potentials = np.array([bath.chemical_potential for bath in baths])

    def traces(operators: Any) -> Real:
        result: Real = np.einsum("bij,...ji->b", changes, operators).real
        return result

    particle, energy = traces(number), traces(hamiltonian)
    # −ln ρ + ln ρ_b is small near equilibrium, the two traces apart are not.
    production = np.array(
        [
            np.vdot(change, information - beta * (hamiltonian - mu * number)).real
            for change, beta, mu in zip(changes, betas, potentials)
        ]
    )
    heat = energy - potentials * particle
    return Balance(
        particle,
        energy,
        heat,
        traces(information) + infinite,
        np.multiply(betas, heat),
        production + infinite,
    )


def _infinite_part(values: Real, vectors: NDArray[Any], change: NDArray[Any]) -> float:
    """±inf where a direction of zero weight gains or loses weight beyond rounding, or 0."""
    dark = values <= 0.0
    if not np.any(dark):
        return 0.0
    gained = np.einsum("ak,ab,bk->k", vectors.conj(), change, vectors).real[dark]
    rounding = _ROUNDING * float(np.abs(change).max(initial=0.0))
    if np.any(gained < -rounding):
        return -math.inf
    return math.inf if np.any(gained > rounding) else 0.0


def _finite_logarithm(values: Real) -> Real:
    """ln of what is above zero, 0 elsewhere."""
    logarithm: Real = np.log(np.where(values > 0.0, values, 1.0))
    return logarithm


def _positive_values(values: NDArray[Any]) -> Real:
    """Eigenvalues without those that are zero to rounding; ValueError below."""
    scale = float(np.abs(values).max(initial=0.0))
    if values.min(initial=0.0) < -_ROUNDING * max(scale, 1.0):
        raise InputError(
            f"smallest eigenvalue {values.min():.3g}: the entropy of what is not positive "
            "is no number"
        )
    # Rounding of ρ is no weight.
    return np.where(values <= 4.0 * np.finfo(np.float64).eps * scale, 0.0, values)


def _occupations(correlations: NDArray[Any], statistics: str) -> tuple[Real, Real, NDArray[Any]]:
    """n and 1 ∓ n of the eigenvalues n of C, zero where they are so to rounding, and its vectors.

    Upper sign fermions.
    """
    arguments.choice("statistics", statistics, STATISTICS)
    matrix = np.asarray(correlations)
    values, vectors = np.linalg.eigh(checked_correlations(matrix, len(matrix)))
    if statistics == BOSON:
        return _positive_values(values), 1.0 + values, vectors
    return _positive_values(values), _positive_values(1.0 - values), vectors


def _checked_state(rho: NDArray[Any]) -> Complex:
    """`rho` as a (D, D) Hermitian matrix of trace one to 1e-9; ValueError."""
    matrix = np.asarray(rho)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"rho has shape {matrix.shape}: must be (D, D)")
    state = checked_correlations(matrix, len(matrix))
    if abs(np.trace(state).real - 1.0) > 1e-9:
        raise InputError(f"rho has trace {np.trace(state).real:g}: must be 1")
    return state
