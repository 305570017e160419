"""States that a propagation starts from, beside their definition."""

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb


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
