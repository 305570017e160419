"""Systems on which further equations are compared with their definitions."""

import numpy as np
import oracles

import manybody as mb

ONE, OTHER = mb.OhmicBath(0.5, 10.0, 1.0), mb.OhmicBath(0.7, 4.0, 2.0)
# The first but for its strength, and one whose γ and η are found by quadrature.
STRONG = mb.OhmicBath(0.9, 10.0, 1.0)
DRUDE = mb.ThermalBath(mb.DrudeLorentzDensity(0.2, 3.0), 1.5)


def degenerate(rng, levels):
    """A complex H with these levels."""
    turn = oracles.random_unitary(rng, len(levels))
    return (turn * np.array(levels, dtype=float)) @ turn.conj().T


def cases():
    """Name -> model and baths: degenerate levels and gaps, partial coupling, unequal baths."""
    rng = np.random.default_rng(11)
    operators = [oracles.random_hermitian(rng, 4) for _ in range(2)]
    levels = [-1.0, 0.0, 1.0, 1.0, 2.5]
    ladder = mb.ManyBodyModel(degenerate(rng, [0, 1, 2, 3]), operators)
    return {
        "complex": (mb.SingleParticleModel(oracles.random_hermitian(rng, 4)), ONE),
        "degenerate": (
            mb.SingleParticleModel(degenerate(rng, levels), coupled_sites=[0, 2, 3]),
            [ONE, OTHER, STRONG],
        ),
        "ring": (mb.SingleParticleModel(oracles.ring_hamiltonian(4)), [ONE, OTHER, ONE, DRUDE]),
        "ladder": (ladder, [ONE, STRONG]),
        "matrices": (mb.ManyBodyModel(oracles.random_hermitian(rng, 4), operators), [DRUDE, ONE]),
        "diagonals": (
            mb.ManyBodyModel(degenerate(rng, [0, 1, 2, 2.7]), rng.normal(size=(3, 4))),
            [ONE, STRONG, OTHER],
        ),
    }


def baths_of(model, given):
    """A bath for every coupling."""
    return given if isinstance(given, list) else [given] * model.couplings.n_baths
