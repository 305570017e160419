"""Steady states, propagation and currents of few states, by dense algebra."""

import warnings
from typing import Any, Protocol

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.fock.basis import number_operator
from manybody.physics.fock.half_form import FockModel
from manybody.physics.spectra import EPSILON

# Errors of `propagate` beyond which it warns.
_WORST_ERROR = 1e-9


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


def propagate(generator: Generator, rho: NDArray[Any], times: ArrayLike) -> Complex:
    """(T, D, D) states e^{Lt}[ρ] at ascending times >= 0, one matrix exponential for each step.

    rho: any (D, D) matrix.  Elements in the eigenbasis of H that L does not join are advanced
    apart, each set in the frame in which its mean frequency stands still.  An error above
    1e-9, that of the rounding of what turns or decays in a set, is warned about.
    Raises TypeError or ValueError.
    """
    instants = arguments.ascending_times("times", times)
    dimension = generator.model.basis.dimension
    current = np.asarray(rho, dtype=np.complex128)
    if current.shape != (dimension, dimension):
        raise InputError(f"rho has shape {current.shape}: must be ({dimension}, {dimension})")
    matrix, vectors = _turning(generator), generator.vectors
    n_sets, labels = connected_components(sp.csr_array(matrix != 0.0), directed=False)
    order = np.argsort(labels, kind="stable")
    sets = np.split(order, np.cumsum(np.bincount(labels, minlength=n_sets))[:-1])
    initial = (vectors.conj().T @ current @ vectors).ravel()
    found = np.empty((len(instants), dimension**2), dtype=np.complex128)
    largest = 0.0
    for members in sets:
        part = matrix[np.ix_(members, members)]
        turning = np.diagonal(part).imag
        centre = 0.5 * (turning.min() + turning.max())
        part[np.diag_indices_from(part)] -= 1j * centre
        largest = max(largest, float(np.linalg.norm(part, 1)))
        x, now = initial[members], 0.0
        for index, time in enumerate(instants):
            if time > now:
                x, now = scipy.linalg.expm(part * (time - now)) @ x, float(time)
            found[index, members] = np.exp(1j * centre * time) * x
    error = EPSILON * largest * float(instants[-1])
    if error > _WORST_ERROR:
        warnings.warn(
            f"rates and frequencies up to {largest:.1e} at times up to {instants[-1]:g} leave "
            f"the states an error of about {error:.0e}",
            stacklevel=2,
        )
    states = vectors @ found.reshape(-1, dimension, dimension) @ vectors.conj().T
    states[instants == 0.0] = current
    return np.asarray(states)


def _turning(generator: Generator) -> Complex:
    """(D², D²) L in the eigenbasis of H."""
    matrix = generator.dissipator()
    energies = generator.energies
    matrix[np.diag_indices_from(matrix)] -= 1j * (energies[:, None] - energies).ravel()
    return matrix


def currents(generator: Generator, n_couplings: int, rho: NDArray[Any]) -> tuple[Real, Real]:
    """Particles and energy that each coupling brings to the system per time.

    tr(n D_j[ρ]) and tr(H D_j[ρ]), n all particles, of every coupling in order; the two halves
    of an exchange count apart.  rho: (D, D) Hermitian.  Both (n_couplings,), in J and J².
    """
    model = generator.model
    number, hamiltonian = number_operator(model.basis), model.hamiltonian
    particles, energies = np.empty(n_couplings), np.empty(n_couplings)
    for index in range(n_couplings):
        change = generator.dissipate(index, rho)
        particles[index] = np.trace(number @ change).real
        energies[index] = np.trace(hamiltonian @ change).real
    return particles, energies
