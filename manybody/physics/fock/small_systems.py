"""Steady states of few states, by dense algebra."""

from typing import Any, Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics.fock.half_form import FockModel
from manybody.physics.spectra import EPSILON


class Generator(Protocol):
    """What the functions here need of a Liouvillian."""

    @property
    def model(self) -> FockModel:
        """The system."""

    @property
    def energies(self) -> Real:
        """(D,) E of H = W diag(E) W†."""

    @property
    def vectors(self) -> NDArray[Any]:
        """(D, D) W."""

    def dissipate(self, coupling: int, sigma: NDArray[Any]) -> Complex:
        """D_j[σ] of one coupling."""

    def dissipator(self) -> Complex:
        """(D², D²) L + i[H, ·] on the row-major vec in the eigenbasis of H."""


def stationary_state(generator: Generator) -> Complex:
    """(D, D) Hermitian state of trace one with L[ρ] = 0, by singular values of the dense L.

    Rows of L are measured by what they hold themselves, those of slow ones by the largest rate
    of a population: however fast coherences turn, it is among rates that those below
    64 D² ε of the largest count as zero.
    Raises ValueError unless there is exactly one such state, as with dark states or a number
    that nothing exchanges.
    """
    matrix = _turning(generator)
    levels = np.arange(len(generator.energies))
    sizes = np.linalg.norm(matrix, axis=1)
    largest = float(sizes[levels * (len(levels) + 1)].max())
    sizes = np.maximum(sizes, largest)
    # Where nothing acts at all every state of the levels is stationary.
    sizes[sizes == 0.0] = 1.0
    _, singular, right = scipy.linalg.svd(matrix / sizes[:, None])
    count = int(np.count_nonzero(singular <= 64.0 * len(singular) * EPSILON))
    if count != 1:
        raise InputError(f"the generator has {count} stationary states: exactly one is needed")
    state = right[-1].conj().reshape((len(levels),) * 2)
    state = generator.vectors @ state @ generator.vectors.conj().T
    state = state / np.trace(state)
    return np.asarray(0.5 * (state + state.conj().T))


def _turning(generator: Generator) -> Complex:
    """(D², D²) L in the eigenbasis of H."""
    matrix = generator.dissipator()
    energies = generator.energies
    matrix[np.diag_indices_from(matrix)] -= 1j * (energies[:, None] - energies).ravel()
    return matrix
