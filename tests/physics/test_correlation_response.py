"""Linear response of correlation matrices against finite differences of everything."""

import numpy as np
import oracles
import pytest
import scipy.linalg

from manybody.physics.baths.band_densities import SemiEllipticDensity
from manybody.physics.baths.densities import OhmicDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.correlations import build_generator, currents
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel
from manybody.physics.gaussian.relaxation import build_relaxation, propagate, steady_correlations
from manybody.physics.response.correlation_response import correlation_response

EQUATIONS = ("redfield", "davies", "local")


def system(statistics, n=4, real=False):
    """A random h with unequal contacts, two of them on one site, and a random change of it."""
    rng = np.random.default_rng(11)
    h = oracles.random_hermitian(rng, n, real=real)
    v = oracles.random_hermitian(rng, n, real=real)
    if statistics == "boson":
        h = h + (1.0 - np.linalg.eigvalsh(h)[0]) * np.eye(n)
        reservoirs = [Reservoir(OhmicDensity(0.5, 4.0), beta, 0.0, "boson") for beta in (0.7, 2.0)]
    else:
        density = SemiEllipticDensity(0.6, 9.0)
        reservoirs = [Reservoir(density, 0.8, 0.3), Reservoir(density, 2.5, -0.4)]
    contacts = (
        Contact(0, reservoirs[0], 0.7),
        Contact(0, reservoirs[1], 0.3),
        Contact(1, reservoirs[1], 0.5),
        Contact(3 % n, reservoirs[0], 0.9),
    )
    return h, v, contacts


def at(h, contacts, statistics, equation, lamb_shift):
    """Stationary correlations and currents of one Hamiltonian."""
    generator = build_generator(QuadraticModel(h, contacts, statistics), equation, lamb_shift)
    found = steady_correlations(build_relaxation(generator)).matrix
    flows = currents(generator, found)
    return found, flows.particle, flows.energy


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_against_finite_differences(statistics, equation, lamb_shift):
    h, v, contacts = system(statistics)
    model = QuadraticModel(h, contacts, statistics)
    response = correlation_response(model, v, equation, lamb_shift)
    steps = 1e-3 * np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / 12e-3
    around = [at(h + d * v, contacts, statistics, equation, lamb_shift) for d in steps]
    expected = [sum(w * one[k] for w, one in zip(weights, around)) for k in range(3)]
    scale = np.abs(expected[0]).max()
    np.testing.assert_allclose(response.steady_change, expected[0], atol=1e-8 * scale)
    flows = response.current_changes(response.steady_change)
    np.testing.assert_allclose(flows.particle, expected[1], atol=1e-8 * scale)
    np.testing.assert_allclose(flows.energy, expected[2], atol=1e-8 * scale)
    assert np.abs(flows.particle).max() > 1e-4


@pytest.mark.parametrize("equation", EQUATIONS)
def test_in_time(equation):
    """From the stationary state of h, under h + δv."""
    h, v, contacts = system("fermion")
    response = correlation_response(QuadraticModel(h, contacts), v, equation, True)
    times = [0.0, 0.5, 3.0, 200.0]
    delta = 1e-4
    moved = []
    for sign in (-1.0, 1.0):
        generator = build_generator(QuadraticModel(h + sign * delta * v, contacts), equation, True)
        moved.append(
            np.array(list(propagate(build_relaxation(generator), response.stationary, times)))
        )
    expected = (moved[1] - moved[0]) / (2.0 * delta)
    np.testing.assert_allclose(response.changes(times), expected, atol=1e-6)
    np.testing.assert_allclose(response.changes([400.0])[0], response.steady_change, atol=1e-7)


@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_equal_reservoirs_respond_as_gibbs_does(equation):
    """C_1 is the derivative of f(h), and nothing flows."""
    h, v, _ = system("fermion")
    beta, mu = 1.3, 0.2
    reservoir = Reservoir(SemiEllipticDensity(0.6, 9.0), beta, mu)
    contacts = tuple(Contact(site, reservoir, 0.4 + 0.1 * site) for site in range(4))
    response = correlation_response(QuadraticModel(h, contacts), v, equation)

    def filled(matrix):
        return np.linalg.inv(scipy.linalg.expm(beta * (matrix - mu * np.eye(4))) + np.eye(4))

    step = 1e-4
    expected = (filled(h + step * v) - filled(h - step * v)) / (2.0 * step)
    np.testing.assert_allclose(response.steady_change, expected, atol=1e-7)
    flows = response.current_changes(response.steady_change)
    assert np.abs(flows.particle).max() < 1e-12 and np.abs(flows.energy).max() < 1e-12


def test_degenerate_levels():
    """Redfield responds smoothly; Davies has no linear response where v splits levels."""
    h = oracles.ring_hamiltonian(4).astype(complex)
    _, v, contacts = system("fermion")
    model = QuadraticModel(h, contacts)
    response = correlation_response(model, v, "redfield", True)
    step = 1e-4
    around = [at(h + d * v, contacts, "fermion", "redfield", True)[0] for d in (-step, step)]
    expected = (around[1] - around[0]) / (2.0 * step)
    np.testing.assert_allclose(response.steady_change, expected, atol=1e-6)
    with pytest.raises(ValueError, match="Davies has no linear response"):
        correlation_response(model, v, "davies")


def test_bad_input():
    h, v, contacts = system("fermion")
    model = QuadraticModel(h, contacts)
    with pytest.raises(ValueError, match="perturbation has shape"):
        correlation_response(model, v[:3, :3], "redfield")
    with pytest.raises(ValueError, match="not Hermitian"):
        correlation_response(model, v + np.triu(np.ones((4, 4)), 1), "redfield")
    with pytest.raises(ValueError, match="equation = 'bloch'"):
        correlation_response(model, v, "bloch")
    with pytest.raises(ValueError, match="undamped"):
        correlation_response(QuadraticModel(h), v, "redfield")
    edge = Reservoir(SemiEllipticDensity(0.6, float(np.linalg.eigvalsh(h)[-1])), 1.0)
    with pytest.raises(ValueError, match="has no derivative"):
        correlation_response(QuadraticModel(h, [Contact(0, edge), *contacts]), v, "davies")
