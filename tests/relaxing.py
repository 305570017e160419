"""Systems of many particles that relax, or do not, and what definitions say of them."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from fock_oracles import density_interaction

from manybody.physics import reference
from manybody.physics.fock.basis import FockBasis, one_body_operator
from manybody.physics.models.many_body import ManyBodyModel

EQUAL = 1e-9


def hermitian(rng, n, is_real=False):
    matrix = rng.normal(size=(n, n))
    if not is_real:
        matrix = matrix + 1j * rng.normal(size=(n, n))
    return 0.5 * (matrix + matrix.conj().T)


def chain(n, seed=0, disorder=1.0, coupled=None, periodic=False):
    """Hard-core bosons at half filling: t-V with Δ = 1, w uniform; A_j = n_j."""
    basis = FockBasis(n, "boson", n // 2, 1)
    rng = np.random.default_rng(seed)
    hops, strengths = np.zeros((n, n)), np.zeros((n, n))
    for j in range(n if periodic else n - 1):
        hops[j, (j + 1) % n] = hops[(j + 1) % n, j] = 0.5
        strengths[j, (j + 1) % n] = strengths[(j + 1) % n, j] = 0.5
    hops += np.diag(rng.uniform(-disorder, disorder, n))
    matrix = one_body_operator(basis, hops) + density_interaction(basis, strengths)
    sites = range(n) if coupled is None else coupled
    return ManyBodyModel(matrix, basis.occupations.T.astype(float)[list(sites)], basis=basis)


@dataclass(frozen=True)
class CutBath:
    """γ(ω) = 0.1 |ω|^power e^{−|ω|/4} below an edge, in detailed balance; η any function."""

    power: float
    edge: float = np.inf
    beta: float = 1.0
    vanishes = False

    @property
    def support(self):
        return 0.0, self.edge

    def gamma(self, omega):
        omega = np.asarray(omega, dtype=float)
        size = np.abs(omega)
        value = 0.1 * size**self.power * np.exp(-size / 4.0)
        value = np.where(size < self.edge, value, 0.0)
        return np.where(omega < 0.0, value * np.exp(-self.beta * size), value)[()]

    def eta(self, omega):
        return 0.03 * np.tanh(np.asarray(omega, dtype=float)) + 0.01

    def one_sided(self, omega, lamb_shift):
        half = 0.5 * self.gamma(omega)
        return half + 1j * self.eta(omega) if lamb_shift else half

    def correlation(self, time):
        raise NotImplementedError

    def kms_residual(self, _omega):
        return 0.0


@functools.cache
def models():
    rng = np.random.default_rng(11)
    model, basis = ManyBodyModel, FockBasis(4, "boson", 2, 1)
    densities = basis.occupations.T.astype(float)
    turn = np.linalg.qr(rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)))[0]
    levels = (turn * [0.0, 0.0, 1.0, 1.0, 1.0, 2.5]) @ turn.conj().T
    block = rng.normal(size=(3, 3))
    symmetric = np.block([[np.zeros((3, 3)), block], [block.T, np.zeros((3, 3))]])
    parts = scipy.linalg.block_diag(hermitian(rng, 3), hermitian(rng, 3))
    inside = [scipy.linalg.block_diag(hermitian(rng, 3), hermitian(rng, 3)) for _ in range(2)]
    spin = np.kron(hermitian(rng, 3), np.eye(2))
    split = spin + np.kron(np.eye(3), np.diag([0.0, 0.37]))
    on_spin = [np.kron(hermitian(rng, 3), np.eye(2)) for _ in range(2)]
    alike = scipy.linalg.block_diag(parts[:3, :3], np.diag([0.7, -0.2, 1.9]))
    numbers = scipy.linalg.block_diag(inside[0][:3, :3], np.diag([0.4, 0.4, -0.3]))
    whole = hermitian(rng, 6)
    equal_levels = (turn * [0.0, 1.0, 2.2, 0.0, 1.0, 3.1]) @ turn.conj().T
    return {
        "complex": model(hermitian(rng, 6), densities),
        "matrices": model(hermitian(rng, 6), [hermitian(rng, 6) for _ in range(2)]),
        "real": model(hermitian(rng, 6, True), densities[:2]),
        "degenerate": model(levels, densities),
        "degenerate, one matrix": model(levels, [hermitian(rng, 6)]),
        "symmetric": model(symmetric, densities),
        "chain": chain(4, 3),
        "chain, one site": chain(4, 3, coupled=[1]),
        "clean ring": chain(4, 0, 0.0, periodic=True),
        "commuting": model(np.diag([0.0, 0.3, 1.1, 1.7, 2.9, 4.0]), densities),
        "function of H": model(whole, [whole @ whole]),
        "two parts": model(parts, inside),
        "two parts of equal levels": model(
            equal_levels, [turn @ one @ turn.conj().T for one in inside]
        ),
        "spectator": model(spin, on_spin),
        "spectator of its own energy": model(split, on_spin),
        "lone levels": model(alike, [numbers]),
        "one level": model(np.eye(6), densities[:2]),
        "no coupling": model(hermitian(rng, 6), [np.zeros((6, 6))]),
    }


def start(model):
    rng = np.random.default_rng(5)
    vector = rng.normal(size=model.dimension) + 1j * rng.normal(size=model.dimension)
    return vector / np.linalg.norm(vector)


def liouvillian(model, bath, equation, lamb_shift):
    operators = [one.astype(np.complex128) for one in model.couplings.matrices()]
    dense = model.dense_hamiltonian()
    if equation == "redfield":
        return reference.redfield_liouvillian(dense, operators, bath, lamb_shift)
    return reference.davies_liouvillian(dense, operators, bath, lamb_shift, EQUAL)


def long_run(matrix, vector):
    """(average of ρ(t), stationary matrices, undamped frequencies) by eigenvectors."""
    values, left, right = scipy.linalg.eig(matrix, left=True)
    still = np.abs(values) < EQUAL
    # Of eigenvalues that coincide any basis comes: by the null spaces of L and of L†.
    kept, duals = scipy.linalg.null_space(matrix, 1e-10), None
    duals = scipy.linalg.null_space(matrix.conj().T, 1e-10)
    rho = np.outer(vector, vector.conj()).ravel()
    average = kept @ np.linalg.solve(duals.conj().T @ kept, duals.conj().T @ rho)
    turning = values[(np.abs(values.real) < EQUAL) & ~still].imag
    n = len(vector)
    assert kept.shape[1] == np.count_nonzero(still)
    return average.reshape(n, n), kept.shape[1], np.sort(-turning)


def decaying(matrix):
    """(decay rates ascending of modes that move, their number)."""
    rates = np.sort(-np.linalg.eigvals(matrix).real)
    moving = rates[np.abs(rates) > EQUAL]
    return moving, len(moving)


def untouched(model, bath, all_jumps=False):
    """Dimension of what no A_j(ω) with ω ≠ 0 and a rate leaves or reaches.

    all_jumps: whether one without a rate counts too, as for Redfield with Lamb shift.
    """
    energies, vectors = np.linalg.eigh(model.dense_hamiltonian())
    omega = energies[None, :] - energies[:, None]
    gamma = np.maximum(bath.gamma(omega), bath.gamma(-omega))
    kept = (np.abs(omega) > EQUAL) & ((gamma > 0.0) | all_jumps)
    total = np.zeros(omega.shape, dtype=complex)
    for one in model.couplings.matrices():
        jumps = kept * (vectors.conj().T @ one @ vectors)
        total += jumps.conj().T @ jumps
    return int(np.count_nonzero(np.linalg.eigvalsh(total) < 1e-12))
