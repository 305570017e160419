"""Correlation matrices of no state are refused wherever one is taken."""

import itertools

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics.gaussian import driven, exact, exact_driven, relaxation
from manybody.physics.gaussian.correlations import build_generator, currents
from manybody.physics.gaussian.discretised import legendre_modes

LEADS = {
    "fermion": mb.SemiEllipticDensity(height=0.1, half_width=4.0, centre=1.0),
    "boson": mb.OhmicDensity(coupling=0.2, cutoff=3.0),
}


def wire(statistics, n=3):
    chemical_potential = 0.0 if statistics == "fermion" else -0.1
    reservoir = mb.Reservoir(LEADS[statistics], 2.0, chemical_potential, statistics)
    contacts = (mb.Contact(0, reservoir), mb.Contact(n - 1, reservoir))
    hamiltonian = np.diag(np.linspace(0.8, 1.2, n)) + 0.1 * (np.eye(n, k=1) + np.eye(n, k=-1))
    return mb.QuadraticModel(hamiltonian, contacts, statistics)


def takers(statistics):
    """Everything that takes correlations of a state, by name."""
    model = wire(statistics)
    generator = build_generator(model, "redfield")
    relaxed = relaxation.build_relaxation(generator)
    moving = driven.DrivenQuadraticModel(lambda _: model.hamiltonian, model.contacts, statistics)
    baths = [legendre_modes(contact.reservoir, 40) for contact in model.contacts]
    closed = exact.build_closed_system(model, baths)
    return {
        "dynamics": lambda c: mb.correlation_dynamics(model, c, [0.0, 1.0]),
        "davies": lambda c: mb.correlation_dynamics(model, c, [1.0], "davies", True),
        "steady": lambda c: mb.steady_correlations(model, initial=c),
        "propagate": lambda c: list(relaxation.propagate(relaxed, c, [1.0])),
        "driven": lambda c: driven.driven_correlations(moving, c, [0.1], "redfield"),
        "currents": lambda c: currents(generator, c),
        "exact": lambda c: exact.propagate(closed, c, [0.1]),
        "exact, driven": lambda c: exact_driven.propagate_driven(
            closed, lambda _: model.hamiltonian, c, [0.1], tolerance=1e-4
        ),
    }


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_occupations_of_no_state_are_refused_and_named(statistics):
    """Random matrices: one eigenvalue out of bounds, every bound for everybody, or none."""
    calls = takers(statistics)
    rng = np.random.default_rng(len(statistics))
    limits = {"fermion": [-5.0, -0.2, 1.2, 5.0], "boson": [-5.0, -0.2]}[statistics]
    for name, limit, _ in itertools.product(calls, limits, range(2)):
        unitary = oracles.random_unitary(rng, 3)
        filled = rng.uniform(0.0, 1.0 if statistics == "fermion" else 4.0, 3)
        calls[name](hermitian(unitary, filled))
        filled[1] = limit
        word = "must be >= 0" if filled[1] < 0.0 else "fermions allow <= 1"
        with pytest.raises(ValueError, match=f"eigenvalue {filled[1]:g}: {word}"):
            calls[name](hermitian(unitary, filled))


def hermitian(unitary, filled):
    matrix = (unitary * filled) @ unitary.conj().T
    return 0.5 * (matrix + matrix.conj().T)


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_rounding_of_states_that_were_computed_passes(statistics):
    for name, call in takers(statistics).items():
        for edge in (0.0, 1.0):
            call(np.diag([edge, -1e-13, 1.0 + 1e-13]))
        if name != "currents":
            with pytest.raises(ValueError, match="eigenvalue -1e-06"):
                call(np.diag([0.0, -1e-6, 0.5]))


@pytest.mark.parametrize("value", [5.0, -5.0])
def test_the_occupations_of_the_report(value):
    with pytest.raises(ValueError, match=f"the eigenvalue {value:g}"):
        mb.correlation_dynamics(wire("fermion"), value * np.eye(3), [1.0])
