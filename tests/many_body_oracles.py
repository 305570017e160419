"""Slow, independent answers for many particles: Kronecker products, loops and double commutators.

Nothing here imports `manybody`.  Mode 0 turns fastest, so it is the last factor of a Kronecker
product.  A pair is (A, gamma, eta) with scalar functions, eta None for no Lamb shift.
"""

import math

import numpy as np
import scipy.special


def ladder_operators(n_modes, statistics="fermion", max_occupation=1):
    """Dense a_j of all modes; Jordan-Wigner strings on the modes before j for fermions."""
    size = max_occupation + 1
    lower = np.diag(np.sqrt(np.arange(1.0, size)), 1)
    string = np.diag([1.0, -1.0]) if statistics == "fermion" else np.eye(size)
    operators = []
    for mode in range(n_modes):
        total = np.eye(1)
        for other in reversed(range(n_modes)):
            factor = lower if other == mode else (string if other < mode else np.eye(size))
            total = np.kron(total, factor)
        operators.append(total)
    return operators


def quadratic(operators, h):
    """Σ h_jk a_j†a_k by its double sum."""
    n = len(operators)
    return sum(h[j, k] * operators[j].T @ operators[k] for j in range(n) for k in range(n))


def superoperator(action, dimension):
    """(D², D²) matrix on the row-major vec of a linear map of (D, D) matrices."""
    matrix = np.empty((dimension**2, dimension**2), dtype=complex)
    for index in range(dimension**2):
        unit = np.zeros(dimension**2, dtype=complex)
        unit[index] = 1.0
        matrix[:, index] = action(unit.reshape(dimension, dimension)).ravel()
    return matrix


def _transform(gamma, eta, omega):
    return 0.5 * gamma(omega) + (0.0 if eta is None else 1j * eta(omega))


def redfield(hamiltonian, pairs):
    """−i[H, ρ] + Σ (Λ ρ A† − A†Λ ρ + A ρ Λ† − ρ Λ†A), Λ_lk = Γ(E_k − E_l) A_lk."""
    energies, vectors = np.linalg.eigh(hamiltonian)
    dimension = len(energies)
    dressed = []
    for operator, gamma, eta in pairs:
        elements = vectors.conj().T @ operator @ vectors
        for row in range(dimension):
            for k in range(dimension):
                elements[row, k] *= _transform(gamma, eta, float(energies[k] - energies[row]))
        dressed.append((operator, vectors @ elements @ vectors.conj().T))

    def action(rho):
        image = -1j * (hamiltonian @ rho - rho @ hamiltonian)
        for operator, filtered in dressed:
            image += filtered @ rho @ operator.conj().T - operator.conj().T @ filtered @ rho
            image += operator @ rho @ filtered.conj().T - rho @ filtered.conj().T @ operator
        return image

    return superoperator(action, dimension)


def davies(hamiltonian, pairs, tolerance=1e-9):
    """−i[H + H_LS, ρ] + Σ γ(ω)(A(ω) ρ A(ω)† − ½{A(ω)†A(ω), ρ}), frequencies linked within."""
    energies, vectors = np.linalg.eigh(hamiltonian)
    dimension = len(energies)
    differences = energies[None, :] - energies[:, None]
    order = np.argsort(differences, axis=None)
    groups = [[order[0]]]
    for before, here in zip(order[:-1], order[1:]):
        if differences.flat[here] - differences.flat[before] <= tolerance:
            groups[-1].append(here)
        else:
            groups.append([here])
    effective = hamiltonian.astype(complex)
    jumps = []
    for operator, gamma, eta in pairs:
        elements = vectors.conj().T @ operator @ vectors
        for group in groups:
            omega = float(np.mean(differences.flat[group]))
            part = np.zeros((dimension, dimension), dtype=complex)
            part.flat[group] = elements.flat[group]
            if np.abs(part).max() < 1e-13:
                continue
            jump = vectors @ part @ vectors.conj().T
            jumps.append((gamma(omega), jump, jump.conj().T @ jump))
            if eta is not None:
                effective += eta(omega) * jump.conj().T @ jump

    def action(rho):
        image = -1j * (effective @ rho - rho @ effective)
        for rate, jump, product in jumps:
            image += rate * (jump @ rho @ jump.conj().T)
            image -= 0.5 * rate * (product @ rho + rho @ product)
        return image

    return superoperator(action, dimension)


class FlatLead:
    """D(ω) = width on a band [−edge, edge] wide enough that its ends are never felt.

    shift = (D/2π) ln|(Λ + ω)/(Λ − ω)|, filled_shift = (D/2π)[ln(β(Λ + ω)/2π)
    − Re ψ(½ + iβ(ω − μ)/2π)] for fermions.
    """

    statistics = "fermion"

    def __init__(self, width, beta, chemical_potential, edge=200.0):
        self.width, self.beta, self.edge = width, beta, edge
        self.chemical_potential = chemical_potential

    def spectrum(self, omega):
        return np.full(np.shape(omega), self.width)

    def occupation(self, omega):
        return scipy.special.expit(-self.beta * (np.asarray(omega) - self.chemical_potential))

    def filled(self, omega):
        return self.spectrum(omega) * self.occupation(omega)

    def shift(self, omega):
        omega = np.asarray(omega)
        return self.width / (2 * math.pi) * np.log((self.edge + omega) / (self.edge - omega))

    def filled_shift(self, omega):
        omega = np.asarray(omega)
        argument = 0.5 + 0.5j * self.beta * (omega - self.chemical_potential) / math.pi
        logarithm = np.log(self.beta * (self.edge + omega) / (2 * math.pi))
        return self.width / (2 * math.pi) * (logarithm - scipy.special.digamma(argument).real)


class BoseReservoir:
    """Bosons with D(ω) = width ω e^{−ω/cutoff} for ω > 0 and smooth stand-ins for the shifts.

    The shifts are no transforms of D: equations that take any Γ hold for these as well.
    """

    statistics = "boson"

    def __init__(self, width, beta, chemical_potential, cutoff=3.0):
        self.width, self.beta, self.cutoff = width, beta, cutoff
        self.chemical_potential = chemical_potential

    def spectrum(self, omega):
        omega = np.maximum(np.asarray(omega, dtype=float), 0.0)
        return self.width * omega * np.exp(-omega / self.cutoff)

    def occupation(self, omega):
        return 1.0 / np.expm1(self.beta * (np.asarray(omega) - self.chemical_potential))

    def filled(self, omega):
        omega = np.asarray(omega, dtype=float)
        inside = np.where(omega > 0.0, omega, 1.0)
        return np.where(omega > 0.0, self.spectrum(inside) * self.occupation(inside), 0.0)

    def shift(self, omega):
        return 0.3 * self.width * np.sin(np.asarray(omega) + self.beta)

    def filled_shift(self, omega):
        return 0.2 * self.width * np.cos(np.asarray(omega) * self.beta)


def exchange_pairs(operator, reservoir, strength, lamb_shift):
    """Loss and gain through `operator`, SNM eq. (7), each term by itself."""
    sign = -1.0 if reservoir.statistics == "fermion" else 1.0
    square = strength**2

    def loss(omega):
        return square * (1 + sign * reservoir.occupation(omega)) * reservoir.spectrum(omega)

    def gain(omega):
        return square * reservoir.filled(-omega)

    def loss_shift(omega):
        return square * (reservoir.shift(omega) + sign * reservoir.filled_shift(omega))

    def gain_shift(omega):
        return -square * reservoir.filled_shift(-omega)

    if not lamb_shift:
        return [(operator, loss, None), (operator.conj().T, gain, None)]
    return [(operator, loss, loss_shift), (operator.conj().T, gain, gain_shift)]


def linear_coupling_matrices(h, contacts, lamb_shift, frame="redfield"):
    """R and F of dC/dt = −(RC + CR†) + F + F† (docs/physics.md section 6), element by element.

    contacts: (site, reservoir, strength).  frame "davies" keeps equal mode energies only,
    "local" evaluates everything at the energies h_jj of uncoupled sites.
    """
    n = len(h)
    bare = np.diag(np.diag(h)) if frame == "local" else h
    energies, orbitals = np.linalg.eigh(bare)
    relaxation, source = np.zeros((n, n), dtype=complex), np.zeros((n, n), dtype=complex)
    for site, reservoir, strength in contacts:
        for k in range(n):
            for m in range(n):
                weight = strength**2 * orbitals[site, m] * orbitals[k, m].conj()
                omega = float(energies[m])
                relaxation[site, k] += weight * 0.5 * reservoir.spectrum(omega)
                source[site, k] += weight * 0.5 * reservoir.filled(omega)
                if lamb_shift:
                    relaxation[site, k] += 1j * weight * reservoir.shift(omega)
                    source[site, k] += 1j * weight * reservoir.filled_shift(omega)
    if frame == "davies":
        equal = np.abs(energies[:, None] - energies[None, :]) < 1e-10
        for matrix in (relaxation, source):
            matrix[:] = (
                orbitals @ (equal * (orbitals.conj().T @ matrix @ orbitals)) @ (orbitals.conj().T)
            )
    return 1j * h + relaxation, source


def correlations(operators, rho):
    """C_qp = tr(a_p†a_q ρ)."""
    n = len(operators)
    return np.array(
        [[np.trace(operators[p].T @ operators[q] @ rho) for p in range(n)] for q in range(n)]
    )
