"""Definitions of linear coupling in Fock space, and reservoirs in closed form.

The reservoirs are frozen dataclasses with the methods of `Reservoir`.  What is tested with
them is how D, f, Δ and Δ^f enter the equations, for which any functions serve.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.special import digamma

from manybody.physics.gaussian.quadratic import Contact


@dataclass(frozen=True)
class Lead:
    """Flat band of fermions from −edge to edge; Δ^f for edge ≫ |ω|, 1/β."""

    beta: float = 2.0
    chemical_potential: float = 0.3
    width: float = 1.0
    edge: float = 30.0
    statistics: str = "fermion"

    def occupation(self, omega):
        return 1.0 / (np.exp(self.beta * (omega - self.chemical_potential)) + 1.0)

    def spectrum(self, omega):
        return self.width * (np.abs(omega) < self.edge)

    def filled(self, omega):
        return self.occupation(omega) * self.spectrum(omega)

    def shift(self, omega):
        return self.width / (2 * np.pi) * np.log((self.edge + omega) / (self.edge - omega))

    def filled_shift(self, omega):
        argument = 0.5 + 1j * self.beta * (omega - self.chemical_potential) / (2 * np.pi)
        scale = np.log(self.beta * (self.edge + omega) / (2 * np.pi))
        return self.width / (2 * np.pi) * (scale - digamma(argument).real)


@dataclass(frozen=True)
class Colored:
    """A band that depends on energy, with shifts of the right size but no closer meaning."""

    beta: float = 2.0
    chemical_potential: float = 0.3
    width: float = 1.0
    slope: float = 0.2
    statistics: str = "fermion"

    def occupation(self, omega):
        sign = 1.0 if self.statistics == "fermion" else -1.0
        return 1.0 / (np.exp(self.beta * (omega - self.chemical_potential)) + sign)

    def spectrum(self, omega):
        return self.width * np.exp(self.slope * omega)

    def filled(self, omega):
        return self.occupation(omega) * self.spectrum(omega)

    def shift(self, omega):
        return 0.3 * self.width * np.sin(omega + self.slope)

    def filled_shift(self, omega):
        return 0.2 * self.width * np.cos(0.7 * omega + self.chemical_potential)


@dataclass(frozen=True)
class Window(Lead):
    """No states above `top`, so that modes there are out of reach."""

    top: float = 0.0

    def spectrum(self, omega):
        return self.width * (np.asarray(omega) < self.top)


def fermion_annihilators(n):
    """a_1 ... a_n on 2^n states by strings of signs (Jordan-Wigner)."""
    lower, sign, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0]), np.eye(2)
    operators = []
    for site in range(n):
        factors = [sign] * site + [lower] + [one] * (n - site - 1)
        result = np.eye(1)
        for factor in factors:
            result = np.kron(result, factor)
        operators.append(result)
    return operators


def boson_annihilators(n, most):
    """a_1 ... a_n on all states of at most `most` bosons, and the number of each state."""
    states = [s for s in itertools.product(range(most + 1), repeat=n) if sum(s) <= most]
    index = {state: k for k, state in enumerate(states)}
    operators = []
    for site in range(n):
        matrix = np.zeros((len(states), len(states)))
        for state, k in index.items():
            if state[site]:
                lowered = list(state)
                lowered[site] -= 1
                matrix[index[tuple(lowered)], k] = np.sqrt(state[site])
        operators.append(matrix)
    return operators, np.array([sum(state) for state in states])


def one_sided(reservoir, omega, kind, lamb_shift):
    """(γ, η) of loss (γ_11) or gain (γ_22) at ω, the energy given to the bath; SNM eq. (7).

    γ_11(ω) = (1 ∓ f)D, γ_22(−ω) = fD and η by the principal value of each.
    """
    sign = 1.0 if reservoir.statistics == "fermion" else -1.0
    if kind == "loss":
        gamma = (1.0 - sign * reservoir.occupation(omega)) * reservoir.spectrum(omega)
        eta = reservoir.shift(omega) - sign * reservoir.filled_shift(omega)
    else:
        gamma = reservoir.filled(-omega)
        eta = -reservoir.filled_shift(-omega)
    return gamma, eta if lamb_shift else np.zeros_like(gamma)


def fock_derivative(
    hamiltonian, contacts, annihilators, rho, equation, lamb_shift, gap_tolerance=1e-9
):
    """dρ/dt in Fock space, term by term.

    gap_tolerance: gaps closer than this are one frequency of the Davies equation; negative:
    every pair of eigenstates is a frequency of its own.
    """
    dagger = [a.conj().T for a in annihilators]
    n = len(hamiltonian)
    many = sum(hamiltonian[j, k] * dagger[j] @ annihilators[k] for j in range(n) for k in range(n))
    energies, vectors = np.linalg.eigh(many)
    omega = energies[None, :] - energies[:, None]
    result = -1j * (many @ rho - rho @ many)
    for contact in contacts:
        q, strength = contact.site, contact.strength
        for kind, operator in (("loss", annihilators[q]), ("gain", dagger[q])):
            if equation == "davies":
                part = davies_terms(
                    contact.reservoir,
                    kind,
                    operator,
                    omega,
                    vectors,
                    rho,
                    lamb_shift,
                    gap_tolerance,
                )
            else:
                at = omega
                if equation == "local":
                    site_energy = hamiltonian[q, q].real
                    at = np.full(omega.shape, site_energy if kind == "loss" else -site_energy)
                gamma, eta = one_sided(contact.reservoir, at, kind, lamb_shift)
                in_energy = vectors.conj().T @ operator @ vectors
                dressed = vectors @ ((0.5 * gamma + 1j * eta) * in_energy) @ vectors.conj().T
                back, undone = operator.conj().T, dressed.conj().T
                part = dressed @ rho @ back - back @ dressed @ rho
                part = part + operator @ rho @ undone - rho @ undone @ operator
            result = result + strength**2 * part
    return result


def davies_terms(reservoir, kind, operator, omega, vectors, rho, lamb_shift, gap_tolerance):
    """Σ_ω γ(ω)(AρA† − ½{A†A, ρ}) − i[η(ω)A†A, ρ] over groups of equal gaps."""
    in_energy = vectors.conj().T @ operator @ vectors
    order = np.argsort(omega, axis=None)
    breaks = np.flatnonzero(np.diff(omega.ravel()[order]) > gap_tolerance) + 1
    result = np.zeros_like(rho)
    for group in np.split(order, breaks):
        mask = np.zeros(omega.size)
        mask[group] = 1.0
        jump = vectors @ (mask.reshape(omega.shape) * in_energy) @ vectors.conj().T
        if not np.any(np.abs(jump) > 1e-14):
            continue
        gamma, eta = one_sided(reservoir, omega.ravel()[group].mean(), kind, lamb_shift)
        square = jump.conj().T @ jump
        result = result + gamma * (jump @ rho @ jump.conj().T)
        result = result - 0.5 * gamma * (square @ rho + rho @ square)
        result = result - 1j * eta * (square @ rho - rho @ square)
    return result


def fock_correlations(annihilators, rho):
    """C_qp = tr(a_p† a_q ρ)."""
    n = len(annihilators)
    return np.array(
        [
            [np.trace(annihilators[p].conj().T @ annihilators[q] @ rho) for p in range(n)]
            for q in range(n)
        ]
    )


def random_state(rng, dimension, mask):
    """Random density matrix with elements where the mask is true, a union of blocks."""
    matrix = rng.normal(size=(dimension,) * 2) + 1j * rng.normal(size=(dimension,) * 2)
    rho = np.where(mask, matrix, 0.0)
    rho = rho @ rho.conj().T
    return rho / np.trace(rho).real


def exact_correlations(damping, filling, initial, times):
    """C(t) of dC/dt = −(RC + CR†) + F + F† by one exponential of the N² equations."""
    n = len(damping)
    one = np.eye(n)
    generator = np.zeros((n * n + 1, n * n + 1), dtype=complex)
    generator[:-1, :-1] = -np.kron(damping, one) - np.kron(one, damping.conj())
    generator[:-1, -1] = (filling + filling.conj().T).ravel()
    start = np.append(np.asarray(initial, dtype=complex).ravel(), 1.0)
    return np.array([(scipy.linalg.expm(generator * t) @ start)[:-1].reshape(n, n) for t in times])


def random_correlations(rng, n, largest=1.0):
    """Complex Hermitian matrix with eigenvalues in (0, largest)."""
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    unitary = np.linalg.qr(matrix)[0]
    return (unitary * rng.uniform(0.0, largest, n)) @ unitary.conj().T


def contacts_all_different(sites, statistics="fermion"):
    """J, T, μ, D of every contact its own."""
    return [
        Contact(
            site,
            Colored(
                beta=0.7 + 0.6 * k,
                chemical_potential=-0.4 + 0.3 * k - (3.0 if statistics == "boson" else 0.0),
                width=1.0 + 0.3 * k,
                slope=0.3 - 0.2 * k,
                statistics=statistics,
            ),
            0.4 + 0.25 * k,
        )
        for k, site in enumerate(sites)
    ]


def equal_contacts(n, strength=0.6, **parameters):
    """One and the same reservoir state on the sites 0 to n − 1."""
    return [Contact(site, Colored(**parameters), strength) for site in range(n)]


def fock_time_derivative(model, annihilators, rho, equation, lamb_shift, tolerance=1e-9):
    """dC/dt of ρ by the definition."""
    image = fock_derivative(
        model.dense_hamiltonian(),
        model.contacts,
        annihilators,
        rho,
        equation,
        lamb_shift,
        tolerance,
    )
    return fock_correlations(annihilators, image)
