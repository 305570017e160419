"""Steady states, heat currents and slow modes between baths of several temperatures."""

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb

pytest.importorskip("petsc4py")
pytest.importorskip("slepc4py")

HOT, COLD = mb.OhmicBath(0.3, 5.0, 0.5), mb.OhmicBath(0.4, 3.0, 5.0)
MILD = mb.ThermalBath(mb.DrudeLorentzDensity(0.3, 2.0), 1.5)
SHIFT = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
BOTH = pytest.mark.parametrize("equation", ["redfield", "davies"])
BUILDERS = {"redfield": mb.redfield_liouvillian, "davies": mb.davies_liouvillian}


def draw(kind):
    rng = np.random.default_rng(5)
    if kind == "many particles":
        return mb.xxz_chain(n_sites=4, n_particles=2, disorder=1.0, seed=3)
    if kind == "degenerate":
        return mb.SingleParticleModel(oracles.ring_hamiltonian(6), [0, 1, 3])
    return mb.SingleParticleModel(oracles.random_hermitian(rng, 6), [0, 2, 5])


def baths_of(model):
    return [(HOT, COLD, MILD)[index % 3] for index in range(model.couplings.n_baths)]


def stationary(liouvillian, n):
    kernel = scipy.linalg.null_space(liouvillian, rcond=1e-11)
    assert kernel.shape[1] == 1
    rho = kernel[:, 0].reshape(n, n)
    return rho / np.trace(rho)


@SHIFT
@BOTH
@pytest.mark.parametrize("kind", ["complex", "degenerate", "many particles"])
def test_steady_states_are_the_null_space(comm, kind, equation, lamb_shift):
    model = draw(kind)
    baths, n = baths_of(model), model.dimension
    found = mb.steady_state(model, baths, equation, lamb_shift, comm=comm)
    assert np.isnan(found.distance_from_gibbs)
    if comm.rank == 0:
        expected = stationary(BUILDERS[equation](model, baths, lamb_shift).toarray(), n)
        np.testing.assert_allclose(found.state, expected, atol=1e-10)
        heat = mb.heat_currents(model, baths, found.state, equation, lamb_shift)
        assert abs(heat.sum()) < 1e-10 * np.abs(heat).max()
        assert np.abs(heat).max() > 1e-4
    if equation == "davies" and kind != "degenerate":
        assert found.distance_from_davies < 1e-12


@SHIFT
@BOTH
def test_heat_flows_from_hot_to_cold(comm, equation, lamb_shift):
    model = mb.anderson_bar(30, 0.5, seed=3)
    found = mb.steady_state(model, [HOT, COLD], equation, lamb_shift, tolerance=1e-12, comm=comm)
    if comm.rank == 0:
        hot, cold = mb.heat_currents(model, [HOT, COLD], found.state, equation, lamb_shift)
        assert hot > 1e-6
        assert abs(hot + cold) < 1e-9 * hot


def test_ranks_find_one_state(comm):
    model = mb.anderson_bar(30, 0.5, seed=3)
    together = mb.steady_state(model, [HOT, COLD], comm=comm)
    alone = mb.steady_state(model, [HOT, COLD])
    assert together.distance_from_davies == pytest.approx(alone.distance_from_davies, abs=1e-8)
    assert together.smallest_eigenvalue == pytest.approx(alone.smallest_eigenvalue, abs=1e-8)


@SHIFT
@pytest.mark.parametrize("method", ["dense", "gmres"])
def test_slow_modes_are_those_of_the_matrix(comm, method, lamb_shift):
    if method == "gmres" and comm.size > 1:
        pytest.skip("many small collective calls: one rank shows that baths are met")
    model = draw("complex")
    baths = baths_of(model)
    found = mb.slow_modes(model, baths, 3, lamb_shift, comm=comm, method=method)
    values = np.linalg.eigvals(mb.redfield_liouvillian(model, baths, lamb_shift).toarray())
    values = values[np.argsort(np.abs(values))][1:]
    values = values[np.argsort(-values.real, kind="stable")]
    np.testing.assert_allclose(found.eigenvalues.real, values[:3].real, atol=1e-9)
    theirs = np.linalg.eigvals(mb.davies_liouvillian(model, baths, lamb_shift).toarray())
    theirs = np.sort(-theirs[np.argsort(np.abs(theirs))][1:].real)
    np.testing.assert_allclose(-found.davies_eigenvalues.real, theirs[:3], atol=1e-9)


def test_what_rates_do_not_say_is_left_to_dense_algebra(comm):
    model = mb.SingleParticleModel(oracles.ring_hamiltonian(34), [0, 3])
    with pytest.raises(mb.NumericalError, match="no temperature in common.*levels coincide"):
        mb.steady_state(model, [HOT, COLD], "davies", comm=comm)
