"""Linear coupling in Fock space: closed correlations, the theorem, steady states and currents."""

import many_body_oracles as slow
import numpy as np
import oracles
import pytest
from fock_oracles import (
    correlation_matrix,
    currents,
    density_coupling,
    edge_weight,
    gaussian_state,
    propagate,
)
from many_body_cases import BOTH, BUILDERS, chain, even_state, exchanges, leads, random_matrix

from manybody.physics.fock.basis import FockBasis, fock_state, number_operator
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state


@BOTH
@pytest.mark.parametrize("frame", list(BUILDERS))
@pytest.mark.parametrize("n", [2, 3, 4])
def test_fermion_correlations_close(rng, n, frame, lamb_shift):
    """tr(a_p†a_q L[ρ]) = −(RC + CR†) + F + F† on even ρ, all J, T, μ different, h complex."""
    h = oracles.random_hermitian(rng, n)
    model = FockModel(FockBasis(n), h)
    contacts = leads(n)
    relaxation, source = slow.linear_coupling_matrices(h, contacts, lamb_shift, frame)
    for graded in (True, False):
        generator = BUILDERS[frame](model, exchanges(n, contacts, graded), lamb_shift)
        rho = even_state(rng, model.basis)
        c = correlation_matrix(model.basis, rho)
        expected = -(relaxation @ c + c @ relaxation.conj().T) + source + source.conj().T
        change = correlation_matrix(model.basis, generator.apply(rho))
        np.testing.assert_allclose(change, expected, atol=1e-12)


@BOTH
def test_degenerate_fermion_correlations_close(rng, lamb_shift):
    h = oracles.ring_hamiltonian(4)
    model = FockModel(FockBasis(4), h)
    contacts = leads(4)[:3]
    relaxation, source = slow.linear_coupling_matrices(h, contacts, lamb_shift, "davies")
    generator = build_davies_equation(model, exchanges(4, contacts), lamb_shift)
    rho = even_state(rng, model.basis)
    c = correlation_matrix(model.basis, rho)
    expected = -(relaxation @ c + c @ relaxation.conj().T) + source + source.conj().T
    change = correlation_matrix(model.basis, generator.apply(rho))
    np.testing.assert_allclose(change, expected, atol=1e-12)


@BOTH
def test_odd_operators_need_the_graded_sign(rng, lamb_shift):
    """⟨a_q⟩ of any σ obeys d⟨a⟩/dt = −R⟨a⟩ with the parity in A, and not without it."""
    n = 3
    h = oracles.random_hermitian(rng, n)
    model = FockModel(FockBasis(n), h)
    contacts = leads(n)
    relaxation, _ = slow.linear_coupling_matrices(h, contacts, lamb_shift)
    a = slow.ladder_operators(n)
    sigma = random_matrix(rng, 8)
    expected = -relaxation @ np.array([np.trace(each @ sigma) for each in a])
    errors = {}
    for graded in (True, False):
        generator = build_redfield_equation(model, exchanges(n, contacts, graded), lamb_shift)
        change = generator.apply(sigma)
        found = np.array([np.trace(each @ change) for each in a])
        errors[graded] = np.abs(found - expected).max()
    assert errors[True] < 1e-12
    assert errors[False] > 0.1


@BOTH
@pytest.mark.parametrize("frame", list(BUILDERS))
def test_boson_correlations_close_away_from_the_edge(rng, frame, lamb_shift):
    """Exactly on states two particles below the edge; off by the weight at the edge otherwise."""
    h = oracles.random_hermitian(rng, 2) + 2.0 * np.eye(2)
    contacts = [
        (0, slow.BoseReservoir(0.5, 2.0, -0.2), 0.6),
        (1, slow.BoseReservoir(0.8, 1.1, -0.5), 0.3),
    ]
    relaxation, source = slow.linear_coupling_matrices(h, contacts, lamb_shift, frame)

    def error(basis, rho):
        generator = BUILDERS[frame](FockModel(basis, h), exchanges(2, contacts), lamb_shift)
        c = correlation_matrix(basis, rho)
        expected = -(relaxation @ c + c @ relaxation.conj().T) + source + source.conj().T
        return np.abs(correlation_matrix(basis, generator.apply(rho)) - expected).max()

    basis = FockBasis(2, "boson", max_particles=5)
    rho = even_state(rng, basis)
    rho[basis.totals > 4] = 0.0
    rho[:, basis.totals > 4] = 0.0
    assert error(basis, rho / np.trace(rho)) < 1e-12

    matrix = np.array([[0.3, 0.1j], [-0.1j, 0.4]])
    rough, fine = FockBasis(2, "boson", max_particles=8), FockBasis(2, "boson", max_particles=14)
    for basis in (rough, fine):
        rho = gaussian_state(basis, matrix)
        assert 1e-3 * edge_weight(basis, rho) < error(basis, rho) < 20 * edge_weight(basis, rho)
    assert error(fine, gaussian_state(fine, matrix)) < 1e-4


@BOTH
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
@pytest.mark.parametrize("kind", ["random", "ring", "bipartite"])
def test_identical_linear_couplings_make_redfield_davies(kind, statistics, lamb_shift):
    """The theorem: labels by modes; broken by one strength, one temperature, missing labels."""
    n = 4 if statistics == "fermion" else 2
    h = {
        "random": oracles.random_hermitian(np.random.default_rng(4), n),
        "ring": oracles.ring_hamiltonian(n),
        "bipartite": oracles.bipartite_hamiltonian(np.random.default_rng(4), n),
    }[kind]
    if statistics == "fermion":
        basis, contacts = FockBasis(n), leads(n, identical=True)
    else:
        basis, h = FockBasis(n, "boson", max_particles=3), h + 3.0 * np.eye(n)
        contacts = [(site, slow.BoseReservoir(0.5, 1.0, -0.2), 0.6) for site in range(n)]
    model = FockModel(basis, h)
    sigma = random_matrix(np.random.default_rng(5), basis.dimension)

    def distance(contacts, distinct=False):
        couplings = exchanges(n, contacts)
        redfield = build_redfield_equation(model, couplings, lamb_shift)
        davies = build_davies_equation(model, couplings, lamb_shift, distinct=distinct)
        scale = np.linalg.norm(davies.apply(sigma))
        return np.linalg.norm(redfield.apply(sigma) - davies.apply(sigma)) / scale

    assert distance(contacts) < 1e-13
    assert distance(contacts, True) > 1e-2
    stronger = [(site, reservoir, 1.01 * j if site == 0 else j) for site, reservoir, j in contacts]
    assert 1e-6 < distance(stronger) < 1e-1
    warmer = list(contacts)
    reservoir = type(contacts[0][1])(0.5, 0.5, contacts[0][1].chemical_potential)
    warmer[0] = (0, reservoir, 0.6)
    assert distance(warmer) > 1e-4


def test_identical_density_couplings_do_not(bath):
    h, _ = chain(4)
    model = FockModel(FockBasis(4, n_particles=2), h)
    couplings = [density_coupling(model.basis, site, bath) for site in range(4)]
    difference = build_redfield_equation(model, couplings).toarray()
    difference -= build_davies_equation(model, couplings).toarray()
    assert np.abs(difference).max() > 1e-3


# ---- states, times and currents --------------------------------------------------------------


def test_steady_state_and_propagation_follow_the_correlation_matrix():
    """Even ρ all the way: C(t) and C(∞) by the closed equation; a state from one Fock state."""
    n = 3
    h, _ = chain(n)
    model = FockModel(FockBasis(n), h)
    contacts = leads(n)
    generator = build_redfield_equation(model, exchanges(n, contacts), lamb_shift=True)
    relaxation, source = slow.linear_coupling_matrices(h, contacts, True)
    identity = np.eye(n)
    step = -(np.kron(relaxation, identity) + np.kron(identity, relaxation.conj()))
    final = np.linalg.solve(-step, (source + source.conj().T).ravel()).reshape(n, n)
    steady = stationary_state(generator)
    assert np.abs(generator.apply(steady)).max() < 1e-13
    np.testing.assert_allclose(correlation_matrix(model.basis, steady), final, atol=1e-12)
    psi = fock_state(model.basis, [1, 0, 1])
    times = [0.0, 0.4, 1.0, 3.0]
    states = propagate(generator, np.outer(psi, psi.conj()), times)
    start = np.diag([1.0, 0.0, 1.0]) - final
    for state, deviation in zip(states, oracles.propagate(step, start, times)):
        c = correlation_matrix(model.basis, state)
        np.testing.assert_allclose(c, final + deviation, atol=1e-12)
        assert np.trace(state) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("frame", list(BUILDERS))
def test_currents(rng, frame):
    """They balance d⟨n⟩/dt and the dissipative d⟨H⟩/dt, and vanish together in a steady state."""
    n = 3
    h, _ = chain(n)
    model = FockModel(FockBasis(n), h)
    generator = BUILDERS[frame](model, exchanges(n, leads(n)))
    number, dense = number_operator(model.basis).toarray(), model.hamiltonian.toarray()
    rho = even_state(rng, model.basis)
    particles, energies = currents(generator, 2 * n, rho)
    change = generator.apply(rho)
    assert particles.sum() == pytest.approx(np.trace(number @ change).real, abs=1e-13)
    assert energies.sum() == pytest.approx(np.trace(dense @ change).real, abs=1e-13)
    # Without Lamb shift a loss only takes particles and a gain only brings them, for Davies.
    if frame != "redfield":
        assert np.all(particles[::2] <= 0.0) and np.all(particles[1::2] >= 0.0)
    particles, energies = currents(generator, 2 * n, stationary_state(generator))
    assert abs(particles.sum()) < 1e-12 and abs(energies.sum()) < 1e-12
    assert np.abs(particles[::2] + particles[1::2]).max() > 1e-3
