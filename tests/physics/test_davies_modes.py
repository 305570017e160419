"""Eigenvalues of Davies from its parts, against dense algebra on the whole generator."""

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics.equations import bohr_blocks
from manybody.physics.equations.davies import build_davies
from manybody.physics.equations.davies_modes import davies_eigenvalues
from manybody.physics.spectra import build_spectrum, cluster_bohr_frequencies
from manybody.physics.stationary import decompose

BATH = mb.OhmicBath(0.4, 5.0, 2.0)
RNG = np.random.default_rng(5)
MODELS = {
    "random": mb.SingleParticleModel(oracles.random_hermitian(RNG, 6)),
    "bipartite": mb.SingleParticleModel(oracles.bipartite_hamiltonian(RNG, 6)),
    "ring": mb.SingleParticleModel(oracles.ring_hamiltonian(6)),
    "ring, one bath": mb.SingleParticleModel(oracles.ring_hamiltonian(6), [0]),
    "cube": mb.anderson3d(2, 0.0),
    "two baths": mb.SingleParticleModel(oracles.random_hermitian(RNG, 6), [1, 4]),
    "one level": mb.SingleParticleModel(np.eye(4)),
}


def generator(model, lamb_shift):
    """Davies on levels that are bright or dark, and its parts."""
    parts = decompose(build_spectrum([model]))
    tolerance = cluster_bohr_frequencies(parts.spectrum)[0].merging_tolerance
    return build_davies(parts.spectrum, BATH, lamb_shift, tolerance), parts


def assert_same_set(left, right, tolerance):
    """Each value of one set has its partner in the other, copies counted."""
    assert len(left) == len(right)
    right = list(right)
    for value in left:
        nearest = int(np.argmin(np.abs(np.array(right) - value)))
        assert abs(right.pop(nearest) - value) < tolerance


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("budget", [0, 10**6], ids=["large blocks", "small blocks"])
@pytest.mark.parametrize("name", MODELS)
def test_eigenvalues_are_those_of_the_whole_generator(name, budget, lamb_shift, monkeypatch):
    monkeypatch.setattr(bohr_blocks, "MAX_BLOCK_ENTRIES", budget)
    davies, _ = generator(MODELS[name], lamb_shift)
    expected = np.linalg.eigvals(mb.davies_liouvillian(MODELS[name], BATH, lamb_shift).toarray())
    # Multiple eigenvalues of a matrix that is not normal are known to the root of rounding.
    assert_same_set(davies_eigenvalues(davies), expected, 1e-7)


@pytest.mark.parametrize("name", ["ring, one bath", "two baths", "ring"])
def test_between_bright_levels_alone(name):
    davies, parts = generator(MODELS[name], True)
    n = davies.spectrum.dimension
    bright = np.flatnonzero(~parts.dark)
    inside = np.zeros((n, n), dtype=bool)
    inside[np.ix_(bright, bright)] = True
    columns = []
    for position in np.flatnonzero(inside.ravel()):
        unit = np.zeros(n * n, dtype=complex)
        unit[position] = 1.0
        image = davies.apply(unit.reshape(n, n))
        assert np.abs(image[~inside]).max(initial=0.0) < 1e-14
        columns.append(image[inside])
    expected = np.linalg.eigvals(np.array(columns).T)
    assert_same_set(davies_eigenvalues(davies, ~parts.dark), expected, 1e-7)


def test_a_block_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(bohr_blocks, "MAX_BLOCK_ENTRIES", 0)
    monkeypatch.setattr("manybody.physics.equations.davies_modes._MOST_IN_BLOCK", 3)
    davies, _ = generator(MODELS["ring"], False)
    with pytest.raises(RuntimeError, match="coherences share the Bohr frequency"):
        davies_eigenvalues(davies)
