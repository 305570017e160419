"""Models with terms, and quasi-local Redfield by its definition, in loops."""

import numpy as np
import scipy.sparse as sp
from fock_oracles import density_interaction

from manybody.physics.fock.basis import FockBasis, one_body_operator
from manybody.physics.models.many_body import ManyBodyModel, Term


class Line:
    """N sites in a row, or in a ring."""

    def __init__(self, n_sites, boundary="open"):
        self.n_sites, self.boundary = n_sites, boundary

    def distances(self):
        steps = np.abs(np.subtract.outer(np.arange(self.n_sites), np.arange(self.n_sites)))
        return np.minimum(steps, self.n_sites - steps) if self.boundary == "periodic" else steps

    def bonds(self):
        return [(int(i), int(j)) for i, j in np.argwhere(self.distances() == 1) if i < j]


class Grid:
    """Sites of a 2 x L ladder: patches are not contiguous in the order of modes."""

    def __init__(self, length):
        self.n_sites = 2 * length
        self._places = np.array([(leg, rung) for leg in range(2) for rung in range(length)])

    def distances(self):
        return np.abs(self._places[:, None] - self._places[None, :]).sum(axis=2)

    bonds = Line.bonds


def xxz_terms(basis, lattice, hops, fields, anisotropy=1.0):
    """½J_b (a_i†a_j + h.c.) + Δ(n_i − ½)(n_j − ½) on bonds, w_i n_i on sites; J_b complex."""
    n, terms = lattice.n_sites, []
    for (i, j), hop in zip(lattice.bonds(), hops):
        matrix, strengths = np.zeros((n, n), dtype=np.result_type(hop)), np.zeros((n, n))
        matrix[i, j], matrix[j, i] = 0.5 * hop, 0.5 * np.conj(hop)
        matrix[i, i] = matrix[j, j] = -0.5 * anisotropy
        strengths[i, j] = anisotropy
        constant = 0.25 * anisotropy * sp.identity(basis.dimension)
        whole = one_body_operator(basis, matrix) + density_interaction(basis, strengths)
        terms.append(Term((i, j), sp.csr_array(whole + constant)))
    for site, field in enumerate(fields):
        terms.append(Term((site,), sp.csr_array(sp.diags(field * basis.occupations[:, site]))))
    return terms


def xxz(lattice, disorder=1.0, statistics="fermion", seed=7, phases=False, **more):
    """XXZ at half filling, hard-core bosons or fermions; phases: complex H."""
    n, rng = lattice.n_sites, np.random.default_rng(seed)
    basis = FockBasis(n, statistics, more.pop("n_particles", n // 2), max_occupation=1)
    hops = np.ones(len(lattice.bonds()))
    if phases:
        hops = np.exp(2j * np.pi * rng.random(len(hops)))
    terms = xxz_terms(basis, lattice, hops, disorder * rng.uniform(-1.0, 1.0, n))
    return from_terms(basis, lattice, terms, **more)


def from_terms(basis, lattice, terms, couplings=None):
    values = basis.occupations.T.astype(float) if couplings is None else couplings
    total = sum((each.matrix for each in terms), sp.csr_array((basis.dimension,) * 2))
    return ManyBodyModel(total, values, basis, lattice=lattice, terms=terms)


def mixed_field_ising(n_sites, seed=3):
    """Σ σᶻσᶻ + h_x σˣ + h_z σᶻ with σᶻ couplings: no conserved number, all 2^N states."""
    lattice, rng = Line(n_sites), np.random.default_rng(seed)
    basis = FockBasis(n_sites, "boson", max_occupation=1)
    spins = 2.0 * basis.occupations.T - 1.0
    terms = [Term((i, j), sp.csr_array(sp.diags(spins[i] * spins[j]))) for i, j in lattice.bonds()]
    for site, (along, across) in enumerate(rng.uniform(0.3, 1.0, (n_sites, 2))):
        flipped = np.array(
            [1 - row if k == site else row for k, row in enumerate(basis.occupations.T)]
        )
        targets, sources = basis.find(flipped.T), np.arange(basis.dimension)
        flip = sp.csr_array((np.ones(basis.dimension), (targets, sources)))
        matrix = across * flip + sp.diags(along * spins[site])
        terms.append(Term((site,), sp.csr_array(matrix)))
    return from_terms(basis, lattice, terms, spins)


def slow_filter(model, site, radius, values, transform):
    """Σ_lk Γ(E_k − E_l) |l⟩⟨l|A|k⟩⟨k| in the eigenbasis of the (D, D) patch Hamiltonian."""
    distances, dimension = model.lattice.distances(), model.dimension
    patch = np.zeros((dimension, dimension), dtype=complex)
    for term in model.terms:
        if all(distances[site, other] <= radius for other in term.sites):
            patch += term.matrix.toarray()
    energies, vectors = np.linalg.eigh(patch)
    rates = transform(energies[None, :] - energies[:, None])
    result = np.zeros((dimension, dimension), dtype=complex)
    for row in range(dimension):
        for k in range(dimension):
            left, right = vectors[:, row], vectors[:, k]
            element = np.vdot(left, values * right) * rates[row, k]
            result += element * np.outer(left, right.conj())
    return result


def slow_action(model, filtered, sigma):
    """−i[H, σ] + Σ (Λ_jσA_j − A_jΛ_jσ + A_jσΛ_j† − σΛ_j†A_j), as it is written."""
    hamiltonian = model.dense_hamiltonian()
    image = -1j * (hamiltonian @ sigma - sigma @ hamiltonian)
    for own, operator in zip(filtered, map(np.diag, model.couplings.values)):
        image += own @ sigma @ operator - operator @ own @ sigma
        image += operator @ sigma @ own.conj().T - sigma @ own.conj().T @ operator
    return image
