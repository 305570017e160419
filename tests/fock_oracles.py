"""States, currents and entropies of Fock space by their definitions: what tests compare with."""

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.special

from manybody.physics.fock.basis import fock_rotation, number_operator, one_body_operator
from manybody.physics.fock.couplings import Coupling, one_sided_rates
from manybody.physics.fock.half_form import HalfFormGenerator
from manybody.physics.spectra import EPSILON, linked

# Largest occupation of a bosonic mode that is drawn.
MOST_BOSONS = 3.0


def density_coupling(basis, site, bath):
    """A = n_j with one bath."""
    return Coupling(number_operator(basis, site), bath)


def density_interaction(basis, strengths):
    """Σ_jk V_jk n_j n_k over all ordered pairs, j = k included."""
    return scipy.sparse.csr_array(
        scipy.sparse.diags(((basis.occupations @ strengths) * basis.occupations).sum(axis=1))
    )


def correlation_matrix(basis, state):
    """C_qp = ⟨a_p†a_q⟩ of a vector or of any (D, D) matrix."""
    n = basis.n_modes
    rho = np.outer(state, state.conj()) if state.ndim == 1 else state
    result = np.empty((n, n), dtype=complex)
    for p, q in np.ndindex(n, n):
        unit = np.zeros((n, n))
        unit[p, q] = 1.0
        # tr(a_p†a_q ρ)
        result[q, p] = one_body_operator(basis, unit).multiply(rho.T).sum()
    return result


def edge_weight(basis, state):
    """Weight of a state on what a creation operator would move out of the basis."""
    full = basis.totals == basis.max_particles
    if basis.statistics == "boson":
        full = full | (basis.occupations.max(axis=1) == basis.largest)
    else:
        full = full & (basis.totals < basis.n_modes)
    populations = np.abs(state) ** 2 if state.ndim == 1 else np.diagonal(state).real
    return float(populations[full].sum())


def gaussian_state(basis, correlations):
    """ρ = Π_m [n_m c_m†c_m + (1 − n_m) c_m c_m†] for fermions, c_m the orbitals of C and n_m its
    eigenvalues; Π_m n_m^{c_m†c_m} / (1 + n_m)^{1 + c_m†c_m} for bosons, of which the basis keeps
    a part."""
    filling, orbitals = np.linalg.eigh(correlations)
    if basis.statistics == "fermion":
        factors = np.where(basis.occupations == 1, filling, 1.0 - filling)
    else:
        factors = (filling / (1.0 + filling)) ** basis.occupations / (1.0 + filling)
    rotation = fock_rotation(basis, orbitals)
    return ((rotation * factors.prod(axis=1)) @ rotation.conj().T).astype(complex)


def propagate(generator, rho, times):
    """e^{Lt}[ρ] by dense exponentials."""
    matrix = generator.toarray()
    return np.array(
        [(scipy.linalg.expm(matrix * t) @ rho.ravel()).reshape(rho.shape) for t in times]
    )


def currents(generator, n_couplings, rho):
    """tr(n D_j[ρ]) and tr(H D_j[ρ]) of every coupling."""
    model = generator.model
    number, hamiltonian = number_operator(model.basis), model.hamiltonian
    changes = [generator.dissipate(index, rho) for index in range(n_couplings)]
    return tuple(
        np.array([np.trace(operator @ change).real for change in changes])
        for operator in (number, hamiltonian)
    )


def build_local_equation(model, couplings, lamb_shift=False):
    """Every bath sees the bare site energies h_jj only: −i[H, ρ] + the Davies dissipator of those.

    A = Σ_ω A(ω) by the energies that its elements take from uncoupled sites: the local approach
    of LK.
    """
    levels = model.basis.occupations @ np.diagonal(model.one_body).real
    tolerance = 64.0 * EPSILON * float(np.abs(levels).max())
    terms = []
    for coupling in couplings:
        matrix, own = coupling.matrix(model.basis).tocoo(), []
        frequencies = levels[matrix.col] - levels[matrix.row]
        values = np.unique(frequencies)
        labels = linked(values, tolerance)
        for members in (values[labels == label] for label in range(int(labels[-1]) + 1)):
            omega = 0.0 if np.any(members == 0.0) else float(members.mean())
            rate = one_sided_rates(coupling.bath, np.ones(1), np.array([omega]), lamb_shift)[0]
            kept = np.where(np.isin(frequencies, members), matrix.data, 0.0)
            part = scipy.sparse.csr_array((kept, (matrix.row, matrix.col)), shape=matrix.shape)
            own.append((rate * part, part))
        terms.append(tuple(own))
    return HalfFormGenerator(model, tuple(terms))


def entropy(rho):
    """−tr ρ ln ρ."""
    return float(scipy.special.entr(np.maximum(np.linalg.eigvalsh(rho), 0.0)).sum())


def gaussian_entropy(correlations, statistics):
    """Σ −n ln n − (1 − n) ln(1 − n) of fermions, Σ (1 + n) ln(1 + n) − n ln n of bosons."""
    filling = np.linalg.eigvalsh(correlations)
    if statistics == "boson":
        return float((scipy.special.entr(filling) - scipy.special.entr(1.0 + filling)).sum())
    return float((scipy.special.entr(filling) + scipy.special.entr(1.0 - filling)).sum())


def entropy_production(generator, temperatures, rho):
    """dS/dt − Σ_j J_j/T_j, LRL eq. (47)."""
    changes = [generator.dissipate(index, rho) for index in range(len(temperatures))]
    heat = [np.trace(generator.model.hamiltonian @ change).real for change in changes]
    rate = -np.trace(sum(changes) @ scipy.linalg.logm(rho)).real
    return rate - float(np.sum(np.divide(heat, temperatures)))


def random_state(rng, dimension, floor=1e-3):
    """A random state of random purity, eigenvalues at least floor/D."""
    rank = int(rng.integers(1, 2 * dimension + 1))
    draw = rng.standard_normal((2, dimension, rank))
    root = draw[0] + 1j * draw[1]
    state = root @ root.conj().T
    state /= np.trace(state).real
    return (1.0 - floor) * state + floor * np.eye(dimension) / dimension


def random_correlations(rng, n_sites, statistics, floor=1e-3):
    """Random C of a Gaussian state, occupations floor to 1 − floor, for bosons to 3."""
    draw = rng.standard_normal((2, n_sites, n_sites))
    vectors = np.linalg.qr(draw[0] + 1j * draw[1])[0]
    upper = MOST_BOSONS if statistics == "boson" else 1.0 - floor
    occupations = rng.uniform(floor, upper, n_sites)
    return (vectors * occupations) @ vectors.conj().T
