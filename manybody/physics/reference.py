"""Slow, obvious Liouvillians.  They define the answer that fast paths must match.

Every function takes any Hermitian couplings A_j and returns the (N², N²) matrix
that acts on the row-major vec of rho, so that A rho B is kron(A, B^T).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics.baths.protocol import Bath

# Of all couplings, or of each.
Baths = Bath | Sequence[Bath]
Matrix = NDArray[np.complex128]


def site_couplings(n_sites: int, coupled_sites: Sequence[int] | None = None) -> list[Matrix]:
    """A_j = |j⟩⟨j| for the coupled sites (None: all)."""
    sites = range(n_sites) if coupled_sites is None else coupled_sites
    couplings = []
    for site in sites:
        projector = np.zeros((n_sites, n_sites), dtype=np.complex128)
        projector[site, site] = 1.0
        couplings.append(projector)
    return couplings


def redfield_liouvillian(
    hamiltonian: NDArray[Any], couplings: Sequence[Matrix], bath: Baths, lamb_shift: bool
) -> Matrix:
    """−i[H, ρ] + Σ_j (Λ_j ρ A_j − A_j Λ_j ρ + h.c.), Λ_j = Σ Γ(E_k − E_l) |l⟩⟨l|A_j|k⟩⟨k|.

    SNM eq. (18) before sorting into Lamb shift and dissipator (docs/physics.md section 3).
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    liouvillian = _commutator(hamiltonian)
    identity = np.eye(len(energies))
    for coupling, own in zip(couplings, _each(bath, couplings)):
        rates = own.one_sided(energies[None, :] - energies[:, None], lamb_shift)
        in_energy_basis = vectors.conj().T @ coupling @ vectors
        filtered = vectors @ (rates * in_energy_basis) @ vectors.conj().T
        product = coupling @ filtered
        liouvillian += np.kron(filtered, coupling.T) + np.kron(coupling, filtered.conj())
        liouvillian -= np.kron(product, identity) + np.kron(identity, product.conj())
    return liouvillian


def davies_liouvillian(
    hamiltonian: NDArray[Any],
    couplings: Sequence[Matrix],
    bath: Baths,
    lamb_shift: bool,
    frequency_tolerance: float,
) -> Matrix:
    """−i[H + H_LS, ρ] + Σ_{j,ω} γ(ω) (A_j(ω)ρA_j(ω)† − ½{A_j(ω)†A_j(ω), ρ}).

    A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k|, H_LS = Σ η(ω) A_j(ω)†A_j(ω);
    frequencies are equal when linked by steps of at most `frequency_tolerance`.
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    frequencies = energies[None, :] - energies[:, None]
    order = np.argsort(frequencies, axis=None)
    ordered = frequencies.ravel()[order]
    groups = np.split(order, np.flatnonzero(np.diff(ordered) > frequency_tolerance) + 1)
    liouvillian = _commutator(hamiltonian)
    decay, shifted = np.zeros((2, *frequencies.shape), dtype=np.complex128)
    omega = np.array([np.mean(frequencies.ravel()[group]) for group in groups])
    for coupling, own in zip(couplings, _each(bath, couplings)):
        in_energy_basis = vectors.conj().T @ coupling @ vectors
        shifts = own.eta(omega) if lamb_shift else np.zeros(omega.shape)
        for group, rate, shift in zip(groups, own.gamma(omega), shifts):
            mask = np.zeros(frequencies.shape)
            mask.flat[group] = 1.0
            jump = vectors @ (mask * in_energy_basis) @ vectors.conj().T
            liouvillian += rate * np.kron(jump, jump.conj())
            decay += rate * (jump.conj().T @ jump)
            shifted += shift * (jump.conj().T @ jump)
    identity = np.eye(len(energies))
    liouvillian -= 0.5 * (np.kron(decay, identity) + np.kron(identity, decay.T))
    return liouvillian + _commutator(shifted)


def partial_secular_liouvillian(
    hamiltonian: NDArray[Any],
    couplings: Sequence[Matrix],
    bath: Baths,
    lamb_shift: bool,
    cutoff: float,
) -> Matrix:
    """−i[H, ρ] + Σ_j Σ_{|ω − ω'| <= Ω} Γ(ω) (A_j(ω)ρA_j(ω')† − A_j(ω')†A_j(ω)ρ) + h.c.

    Over single pairs |l⟩⟨l|A_j|k⟩⟨k| and |n⟩⟨n|A_j|m⟩⟨m| of levels, ω = E_k − E_l and
    ω' = E_m − E_n, one after the other (docs/physics.md section 11).
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    levels = range(len(energies))
    identity = np.eye(len(energies))
    liouvillian = _commutator(hamiltonian)
    for coupling, own in zip(couplings, _each(bath, couplings)):
        jumps = {
            (to, of): _element(vectors, to, of) * (vectors.conj().T @ coupling @ vectors)[to, of]
            for to in levels
            for of in levels
        }
        for (to, of), jump in jumps.items():
            omega = energies[of] - energies[to]
            rate = own.one_sided(omega, lamb_shift)
            for (other_to, other_of), other in jumps.items():
                if abs(omega - (energies[other_of] - energies[other_to])) > cutoff:
                    continue
                product = other.conj().T @ jump
                liouvillian += rate * np.kron(jump, other.conj())
                liouvillian += np.conj(rate) * np.kron(other, jump.conj())
                liouvillian -= rate * np.kron(product, identity)
                liouvillian -= np.conj(rate) * np.kron(identity, product.conj())
    return liouvillian


def universal_lindblad_liouvillian(
    hamiltonian: NDArray[Any],
    couplings: Sequence[Matrix],
    bath: Baths,
    shift: Callable[[Bath, float, float], float] | None,
) -> Matrix:
    """−i[H + H_LS, ρ] + Σ_j (L_jρL_j† − ½{L_j†L_j, ρ}), L_j = Σ √γ(E_k − E_l) A_lk |l⟩⟨k|.

    H_LS = Σ_j Σ_mln f(E_l − E_m, E_n − E_l) A_ml A_ln |m⟩⟨n| (docs/physics.md section 11).
    shift: f of a bath, None for no H_LS.
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    levels = range(len(energies))
    liouvillian = _commutator(hamiltonian)
    for coupling, own in zip(couplings, _each(bath, couplings)):
        element = vectors.conj().T @ coupling @ vectors
        jump = np.zeros(hamiltonian.shape, dtype=np.complex128)
        for to in levels:
            for of in levels:
                root = np.sqrt(own.gamma(energies[of] - energies[to]))
                jump += root * element[to, of] * _element(vectors, to, of)
        liouvillian += lindblad_dissipator(jump)
        if shift is None:
            continue
        for to in levels:
            for over in levels:
                for of in levels:
                    value = shift(
                        own, energies[over] - energies[to], energies[of] - energies[over]
                    )
                    weight = value * element[to, over] * element[over, of]
                    liouvillian += _commutator(weight * _element(vectors, to, of))
    return liouvillian


def _element(vectors: NDArray[Any], to: int, of: int) -> Matrix:
    """|to⟩⟨of| of two levels."""
    return np.outer(vectors[:, to], vectors[:, of].conj()).astype(np.complex128)


def local_liouvillian(
    hamiltonian: NDArray[Any], couplings: Sequence[Matrix], bath: Baths, lamb_shift: bool
) -> Matrix:
    """−i[H + Σ_j η_j(0) A_j², ρ] + Σ_j γ_j(0) (A_jρA_j − ½{A_j², ρ})

    (docs/physics.md section 11).
    """
    liouvillian = _commutator(hamiltonian)
    for coupling, own in zip(couplings, _each(bath, couplings)):
        liouvillian += own.gamma(0.0) * lindblad_dissipator(coupling)
        if lamb_shift:
            liouvillian += _commutator(own.eta(0.0) * coupling @ coupling)
    return liouvillian


def lindblad_dissipator(jump: NDArray[Any]) -> Matrix:
    """LρL† − ½{L†L, ρ} as a matrix."""
    identity, product = np.eye(len(jump)), jump.conj().T @ jump
    dissipator: Matrix = np.kron(jump, jump.conj()).astype(np.complex128)
    dissipator -= 0.5 * (np.kron(product, identity) + np.kron(identity, product.T))
    return dissipator


def _each(bath: Baths, couplings: Sequence[Matrix]) -> Sequence[Bath]:
    """A bath for every coupling."""
    return bath if isinstance(bath, Sequence) else [bath] * len(couplings)


def gibbs_state(hamiltonian: NDArray[Any], beta: float) -> Matrix:
    """e^{−βH} / Z, (N, N) in the site basis; for β = ∞ the equal mixture of ground states.

    Levels are equal where they are closer than 1e-10 of the largest |energy|.
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    above = energies - energies[0]
    ground = above <= 1e-10 * np.abs(energies).max()
    boltzmann = ground.astype(float) if beta == np.inf else np.exp(-beta * above)
    state: Matrix = (vectors * (boltzmann / boltzmann.sum())) @ vectors.conj().T
    return state


def _commutator(hamiltonian: NDArray[Any]) -> Matrix:
    """−i[H, ·] as a matrix."""
    identity = np.eye(len(hamiltonian))
    return -1j * (np.kron(hamiltonian, identity) - np.kron(identity, hamiltonian.T))
