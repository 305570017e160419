"""Steady states, propagation and currents of few states, by dense algebra."""

from typing import Any, Protocol

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from manybody.physics import arguments
from manybody.physics.fock.basis import number_operator
from manybody.physics.fock.half_form import ManyBodyModel

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

# A singular value below this share of the largest is zero.
_NULL = 1e-11


class Generator(Protocol):
    """What the functions here need of a Liouvillian."""

    @property
    def model(self) -> ManyBodyModel:
        """The system."""

    def dissipate(self, coupling: int, sigma: NDArray[Any]) -> Complex:
        """D_j[σ] of one coupling."""

    def toarray(self) -> Complex:
        """(D², D²) on the row-major vec."""


def stationary_state(generator: Generator) -> Complex:
    """(D, D) Hermitian state of trace one with L[ρ] = 0, by singular values of the dense L.

    Raises ValueError unless there is exactly one, as with dark states or a number that
    nothing exchanges.
    """
    _, sizes, right = scipy.linalg.svd(generator.toarray())
    count = int(np.count_nonzero(sizes <= _NULL * sizes[0]))
    if count != 1:
        raise ValueError(f"the generator has {count} stationary states: exactly one is needed")
    dimension = generator.model.basis.dimension
    state = right[-1].conj().reshape(dimension, dimension)
    state = state / np.trace(state)
    return np.asarray(0.5 * (state + state.conj().T))


def propagate(generator: Generator, rho: NDArray[Any], times: ArrayLike) -> Complex:
    """(T, D, D) states e^{Lt}[ρ] at ascending times >= 0, one matrix exponential for each step.

    rho: any (D, D) matrix.  Raises TypeError or ValueError.
    """
    instants = arguments.ascending_times("times", times)
    dimension = generator.model.basis.dimension
    current = np.asarray(rho, dtype=np.complex128)
    if current.shape != (dimension, dimension):
        raise ValueError(f"rho has shape {current.shape}: must be ({dimension}, {dimension})")
    liouvillian = generator.toarray()
    states = np.empty((len(instants), dimension, dimension), dtype=np.complex128)
    now = 0.0
    for index, time in enumerate(instants):
        if time > now:
            step = scipy.linalg.expm(liouvillian * (time - now))
            current, now = (step @ current.ravel()).reshape(dimension, dimension), float(time)
        states[index] = current
    return states


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
