"""Heat of every bath against definitions, its sum rule, and the sign of entropy production."""

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics import reference
from manybody.physics.problem import Problem
from manybody.physics.quantities.heat import dissipators, entropy_production, heat_currents

CYCLE = (
    mb.OhmicBath(0.5, 3.0, 0.7),
    mb.OhmicBath(0.2, 3.0, 0.7),
    mb.OhmicBath(0.3, 6.0, 4.0),
    mb.ThermalBath(mb.DrudeLorentzDensity(0.4, 2.0), 1.5),
)
SHIFT = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
KINDS = ("complex", "ring", "diagonal", "matrices")


def draw(kind, rng, n=5):
    """A model with some couplings and the couplings as matrices."""
    if kind in ("complex", "ring"):
        matrix = (
            oracles.ring_hamiltonian(n) if kind == "ring" else oracles.random_hermitian(rng, n)
        )
        sites = [0, 1, 2, 4]
        return mb.SingleParticleModel(matrix, sites), reference.site_couplings(n, sites)
    matrix = oracles.random_hermitian(rng, n)
    if kind == "diagonal":
        # Traceless: the generators shift couplings, which moves Lamb shifts between baths.
        values = rng.normal(size=(4, n))
        values -= 0.5 * (values.max(axis=1) + values.min(axis=1))[:, None]
        return mb.ManyBodyModel(matrix, values), [np.diag(own).astype(complex) for own in values]
    arrays = [oracles.random_hermitian(rng, n) for _ in range(4)]
    arrays = [own - np.eye(n) * np.trace(own).real / n for own in arrays]
    return mb.ManyBodyModel(matrix, arrays), arrays


def random_state(rng, n):
    root = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    rho = root @ root.conj().T
    return rho / np.trace(rho).real


def definition(equation, matrix, coupling, bath, lamb_shift):
    """D_j as a matrix: the generator with one bath less that without."""
    if equation == "redfield":
        whole = reference.redfield_liouvillian(matrix, [coupling], bath, lamb_shift)
        return whole - reference.redfield_liouvillian(matrix, [], bath, lamb_shift)
    whole = reference.davies_liouvillian(matrix, [coupling], bath, lamb_shift, 1e-10)
    return whole - reference.davies_liouvillian(matrix, [], bath, lamb_shift, 1e-10)


@SHIFT
@pytest.mark.parametrize("equation", ["redfield", "davies"])
@pytest.mark.parametrize("kind", KINDS)
def test_heat_is_that_of_the_definition(kind, equation, lamb_shift, rng):
    model, couplings = draw(kind, rng)
    rho, matrix = random_state(rng, 5), model.dense_hamiltonian()
    each = [
        (definition(equation, matrix, own, bath, lamb_shift) @ rho.ravel()).reshape(5, 5)
        for own, bath in zip(couplings, CYCLE)
    ]
    expected = [np.trace(matrix @ own).real for own in each]
    found = heat_currents(model, CYCLE, rho, equation, lamb_shift)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    problem = Problem([model], _checked(model), lamb_shift)
    for own, wanted in zip(dissipators(problem, rho, equation), each):
        np.testing.assert_allclose(own, wanted, atol=1e-12)
    logarithm = _logarithm(rho)
    sigma = [
        -np.trace(own @ (logarithm + bath.beta * matrix)).real for own, bath in zip(each, CYCLE)
    ]
    found = entropy_production(model, CYCLE, rho, equation, lamb_shift)
    np.testing.assert_allclose(found, sigma, atol=1e-11)


def _checked(model):
    from manybody.physics.baths.several import check_baths

    return check_baths(CYCLE, model.couplings)


def _logarithm(rho):
    values, vectors = np.linalg.eigh(rho)
    return (vectors * np.log(values)) @ vectors.conj().T


@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_heat_is_what_the_energy_changes_by(equation, rng):
    model, _ = draw("complex", rng)
    rho, matrix = random_state(rng, 5), model.dense_hamiltonian()
    build = mb.redfield_liouvillian if equation == "redfield" else mb.davies_liouvillian
    change = (build(model, CYCLE).toarray() @ rho.ravel()).reshape(5, 5)
    heat = heat_currents(model, CYCLE, rho, equation)
    assert abs(heat.sum() - np.trace(matrix @ change).real) < 1e-13
    assert abs(heat.sum()) > 1e-3


def test_davies_has_no_negative_entropy_production():
    rng = np.random.default_rng(0)
    smallest = []
    for index in range(300):
        n = int(rng.integers(2, 5))
        is_ring = index % 4 == 0 and n > 2
        matrix = oracles.ring_hamiltonian(n) if is_ring else oracles.random_hermitian(rng, n)
        model = mb.SingleParticleModel(matrix)
        baths = [mb.OhmicBath(*np.exp(rng.uniform(-2.0, 1.0, size=3))) for _ in range(n)]
        rho = random_state(rng, n)
        sigma = entropy_production(model, baths, rho, "davies", bool(index % 2))
        smallest.append(sigma.min() / np.abs(sigma).max())
    # Next to equilibrium σ is a difference of large numbers.
    assert min(smallest) > -1e-10
    assert max(smallest) > 1e-6


def test_equilibrium_has_no_heat(rng):
    model, _ = draw("complex", rng)
    baths = [mb.OhmicBath(0.1 * (site + 1), 3.0 + site, 1.3) for site in range(4)]
    gibbs = oracles.gibbs(model.dense_hamiltonian(), 1.3)
    for equation in ("redfield", "davies"):
        assert np.abs(heat_currents(model, baths, gibbs, equation)).max() < 1e-15
        assert np.abs(entropy_production(model, baths, gibbs, equation)).max() < 1e-14


def test_inputs_are_checked(rng):
    model, _ = draw("complex", rng)
    rho = random_state(rng, 5)
    with pytest.raises(mb.InputError, match=r"rho of shape \(4, 4\)"):
        heat_currents(model, CYCLE, rho[:4, :4])
    with pytest.raises(mb.InputError, match="trace 2"):
        heat_currents(model, CYCLE, 2.0 * rho)
    with pytest.raises(mb.InputError, match="eigenvalue"):
        entropy_production(model, CYCLE, np.diag([1.0, 0, 0, 0, 0]))
    with pytest.raises(mb.InputError, match="equation: 'lindblad'"):
        heat_currents(model, CYCLE, rho, "lindblad")
    chain = mb.xxz_chain(4, seed=1)
    with pytest.raises(mb.InputError, match="patches"):
        heat_currents(chain, CYCLE[0], np.eye(6) / 6, "quasi-local-1")
