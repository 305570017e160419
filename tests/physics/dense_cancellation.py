"""Cancellation measures by definition: dense superoperators, one for every bath."""

import math
from types import SimpleNamespace

import numpy as np

from manybody.physics import reference

EVERYTHING = {"n_vectors": 1000, "n_rows": 10**6}


def dense_measures(matrix, couplings, bath):
    """c_F, κ, a_ns, a_sec and ν by definition: norms of (N², N²) matrices, bath by bath."""
    n = len(matrix)
    energies, vectors = np.linalg.eigh(matrix)
    frequencies = energies[:, None] - energies
    detuning = np.subtract.outer(frequencies.ravel(), frequencies.ravel())
    # vec(V†ρV) = kron(V†, Vᵀ) vec(ρ)
    turn = np.kron(vectors.conj().T, vectors.T)
    unitary = reference.redfield_liouvillian(matrix, [], bath, False)

    def split(chosen):
        redfield = reference.redfield_liouvillian(matrix, chosen, bath, False)
        davies = reference.davies_liouvillian(matrix, chosen, bath, False, 1e-10)
        both = (redfield - davies, davies - unitary)
        return [turn @ part @ turn.conj().T for part in both]

    nonsecular, secular = split(couplings)
    single = np.zeros(2)
    for coupling in couplings:
        single += [np.linalg.norm(part) ** 2 for part in split([coupling])]
    out_rate = 0.0
    for coupling in couplings:
        sizes = np.abs(vectors.conj().T @ coupling @ vectors) ** 2
        np.fill_diagonal(sizes, 0.0)
        out_rate += np.sum(bath.gamma(-frequencies) * sizes) / n
    weights = 1.0 / (1.0 + (detuning / out_rate) ** 2)
    davies = np.linalg.norm(secular)
    return SimpleNamespace(
        generator_ratio=np.linalg.norm(nonsecular) / davies,
        weighted_ratio=math.sqrt(np.sum(weights * np.abs(nonsecular) ** 2)) / davies,
        nonsecular_ratio=np.linalg.norm(nonsecular) ** 2 / single[0],
        secular_ratio=davies**2 / single[1],
        out_rate=out_rate,
    )


FIGURES = ("generator_ratio", "weighted_ratio", "nonsecular_ratio", "secular_ratio")
