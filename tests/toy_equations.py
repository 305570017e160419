"""Two master equations as a user would add them: half of Redfield, and no bath at all."""

import contextlib
from dataclasses import dataclass, replace

import numpy as np

from manybody.physics.equations import registry
from manybody.physics.equations.protocol import Equation, Guarantees
from manybody.physics.equations.redfield import RedfieldGenerator
from manybody.physics.problem import Problem


def halved(problem):
    """Redfield with half the coupling."""
    groups = tuple(replace(group, rates=0.5 * group.rates) for group in problem.groups)
    return problem.once("halved", lambda: RedfieldGenerator(problem.spectrum, groups))


@dataclass(frozen=True)
class Unitary:
    """dρ/dt = −i[H, ρ] in closed form."""

    problem: Problem
    can_spread = True

    def evolve(self, start, times):
        return Turned(self, start, times)

    def common(self, start, time):
        return np.zeros(0)

    def columns(self, start, time, common, columns):
        return self.in_energy(start, time)[:, columns].copy()

    def in_energy(self, start, time):
        phases = np.exp(-1j * time * self.problem.spectrum.energies[0])
        return phases[:, None] * start.in_energy(self.problem.spectrum) * phases.conj()

    def gibbs_residual(self, beta):
        return 0.0

    def derivative(self, rho):
        spectrum = self.problem.spectrum
        vectors = spectrum.vectors[0]
        hamiltonian = (vectors * spectrum.energies[0]) @ vectors.conj().T
        return -1j * (hamiltonian @ rho - rho @ hamiltonian)


@dataclass(frozen=True)
class Turned:
    propagator: Unitary
    start: object
    times: np.ndarray

    def write(self, chosen, states):
        vectors = self.propagator.problem.spectrum.vectors[0]
        for time, state in zip(self.times[chosen], states):
            state[...] = vectors @ self.propagator.in_energy(self.start, time) @ vectors.conj().T


KEEPS = Guarantees(True, True, False, True, False)
HALVED = Equation("halved", "half", "H", "this file", KEEPS, lambda *_: 28.0, generator=halved)
UNITARY = Equation(
    "unitary",
    "no bath",
    "U",
    "this file",
    Guarantees(True, True, True, True, True),
    lambda *_: 16.0,
    propagators=lambda problem: (Unitary(problem),),
)


@contextlib.contextmanager
def registered():
    """Both of them known, and forgotten afterwards."""
    known = dict(registry._KNOWN)
    registry.register(HALVED)
    registry.register(UNITARY)
    try:
        yield
    finally:
        registry._KNOWN.clear()
        registry._KNOWN.update(known)
