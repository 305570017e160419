"""States that a propagation starts from, beside their definition."""

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb
from manybody.physics.problem import Problem
from manybody.solve.starting import start_of


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.7, 30.0])
def test_a_thermal_start_is_that_of_its_temperature(beta, real):
    """Not the temperature of the bath, and stationary only at that."""
    hamiltonian = oracles.random_hermitian(np.random.default_rng(3), 5, real=real)
    model, bath = mb.SingleParticleModel(hamiltonian), mb.OhmicBath(0.3, 6.0, 2.0)
    run = mb.compare(model, bath, [0.0, 4.0], initial_beta=beta, keep_states=True)
    lowest = np.linalg.eigvalsh(hamiltonian)[0]
    gibbs = scipy.linalg.expm(-beta * (hamiltonian - lowest * np.eye(5)))
    gibbs /= np.trace(gibbs)
    liouvillian = mb.redfield_liouvillian(model, bath).toarray()
    later = (scipy.linalg.expm(4.0 * liouvillian) @ gibbs.ravel()).reshape(5, 5)
    for states in (run.redfield_states, run.davies_states):
        np.testing.assert_allclose(states[0], gibbs, atol=1e-13)
    np.testing.assert_allclose(run.redfield_states[1], later, atol=1e-9)


def test_a_start_on_a_site():
    model = mb.dirac_syk2(5, seed=1)
    run = mb.compare(model, mb.OhmicBath(0.3, 6.0, 2.0), [0.0], initial_site=3, keep_states=True)
    expected = np.zeros((5, 5))
    expected[3, 3] = 1.0
    np.testing.assert_allclose(run.redfield_states[0], expected, atol=1e-14)
    np.testing.assert_allclose(run.davies_states[0], expected, atol=1e-14)


def density(name, dimension):
    """ρ(0) of a named start, written out."""
    if name == "mixed":
        return np.eye(dimension) / dimension
    if name == "mixed-3-0":
        return np.diag([0.5, 0.0, 0.0, 0.5, *np.zeros(dimension - 4)])
    if name == "uniform":
        return np.full((dimension, dimension), 1.0 / dimension)
    wave = int(name.removeprefix("plane-wave-"))
    vector = np.exp(2j * np.pi * wave * np.arange(dimension) / dimension) / np.sqrt(dimension)
    return np.outer(vector, vector.conj())


@pytest.mark.parametrize("name", ["mixed", "mixed-3-0", "uniform", "plane-wave-0", "plane-wave-3"])
def test_starts_of_one_particle_by_name(name, bath):
    model = mb.dirac_syk2(5, seed=1)
    run = mb.compare(model, bath, [0.0, 2.0], initial_state=name, keep_states=True)
    expected = density(name, 5)
    as_matrix = mb.compare(model, bath, [0.0, 2.0], initial_state=expected, keep_states=True)
    for equation, states in run.states.items():
        np.testing.assert_allclose(states[0], expected, atol=1e-14)
        np.testing.assert_allclose(states[1], as_matrix.states[equation][1], atol=1e-12)


@pytest.mark.parametrize("name", ["mixed", "mixed-3-0", "plane-wave-2"])
def test_every_part_of_a_start_is_of_the_same_state(name):
    """Columns, columns in the energy basis and populations, of some columns and of all."""
    model = mb.dirac_syk2(6, seed=4)
    spectrum = Problem([model], mb.OhmicBath(0.3, 6.0, 2.0)).spectrum
    vectors, matrix = spectrum.vectors[0], density(name, 6)
    start = start_of(None, 6, False, (0, None, name))
    turned = vectors.conj().T @ matrix @ vectors
    np.testing.assert_allclose(start.populations(spectrum), np.diagonal(turned).real, atol=1e-14)
    for own in (slice(0, 6), slice(2, 5), slice(3, 3)):
        np.testing.assert_allclose(start.in_basis(6, own), matrix[:, own], atol=1e-15)
        np.testing.assert_allclose(start.columns(spectrum, own), matrix[:, own], atol=1e-15)
        np.testing.assert_allclose(start.energy_columns(spectrum, own), turned[:, own], atol=1e-14)


def test_a_mixed_start_of_many_particles(bath):
    model = mb.xxz_chain(4, disorder=1.0, seed=1)
    run = mb.compare(model, bath, [0.0], initial_state="mixed", keep_states=True)
    np.testing.assert_allclose(run.states["redfield"][0], np.eye(6) / 6, atol=1e-15)
    hot = mb.compare(model, bath, [3.0], initial_beta=0.0)
    same = mb.compare(model, bath, [3.0], initial_state="mixed")
    np.testing.assert_allclose(same.trace_distance, hot.trace_distance, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mixed-5", "every site of it is an integer from 0 to 4"),
        ("mixed-1-1", "each site may appear once"),
        ("mixed-", "integer from 0 to 4"),
        ("plane-wave-5", "K of it is an integer from 0 to 4"),
        ("plane-wave--1", "integer from 0 to 4"),
        ("neel", "no occupations, of one particle allowed are"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, words, bath):
    with pytest.raises(ValueError, match=words):
        mb.compare(mb.dirac_syk2(5, seed=1), bath, [0.0], initial_state=name)


@pytest.mark.parametrize("name", ["mixed-0", "uniform", "plane-wave-1"])
def test_starts_of_one_particle_are_not_of_many(name, bath):
    with pytest.raises(ValueError, match="initial_state"):
        mb.compare(mb.xxz_chain(4, seed=1), bath, [0.0], initial_state=name)
