"""V ρ V† of Davies states in each of its ways, and real H beside the same in other phases."""

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics.equations import davies

BATH = mb.OhmicBath(0.2, 10.0, 5.0)
TIMES = np.array([0.0, 1.5, 4.0, 11.0])


def hermitian_stack(rng, count, n):
    return np.array([oracles.random_hermitian(rng, n) for _ in range(count)])


@pytest.mark.parametrize("n", [1, 2, 9, 40])
@pytest.mark.parametrize("is_real", [True, False])
def test_every_way_turns_states_alike(n, is_real, rng):
    # More than what is turned at once.
    states = hermitian_stack(rng, 120, n)
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, n, real=is_real))[1]
    vectors = np.ascontiguousarray(vectors)
    ways = [davies._turn, davies._turn_together, *([davies._turn_packed] if is_real else [])]
    for way in ways:
        found = states.copy()
        way(vectors, found)
        np.testing.assert_allclose(found, vectors @ states @ vectors.conj().T, atol=1e-13 * n)


@pytest.mark.parametrize("n", [8, 28, 40])
@pytest.mark.parametrize("is_degenerate", [False, True])
def test_phases_of_the_sites_change_no_figure_of_a_real_hamiltonian(n, is_degenerate, rng):
    """D H D† of diagonal unitary D goes other ways: with complex V, and whole products."""
    matrix = oracles.random_hermitian(rng, n, real=True)
    if is_degenerate:
        energies, vectors = np.linalg.eigh(matrix)
        energies[3:5] = energies[2]
        matrix = (vectors * energies) @ vectors.T
        matrix = 0.5 * (matrix + matrix.T)
    phases = np.exp(2j * np.pi * rng.random(n))
    turned = phases[:, None] * matrix * phases.conj()
    turned = 0.5 * (turned + turned.conj().T)
    runs = [
        mb.compare(mb.SingleParticleModel(own), BATH, TIMES, keep_states=True)
        for own in (matrix, turned)
    ]
    for name in ("redfield", "davies"):
        own, other = (run.states[name] for run in runs)
        expected = phases[:, None] * own * phases.conj()
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(runs[0].trace_distance, runs[1].trace_distance, rtol=0, atol=1e-11)
