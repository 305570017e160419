"""Redfield, Davies and local equations of many particles against definitions, laws and limits."""

import many_body_oracles as slow
import numpy as np
import oracles
import pytest
from conftest import hamiltonians
from fock_oracles import build_local_equation, density_coupling, density_interaction
from many_body_cases import BOTH, BUILDERS, chain, exchanges, leads, pairs_of, random_matrix

import manybody as mb
from manybody.physics import reference
from manybody.physics.fock import secular
from manybody.physics.fock.basis import (
    FockBasis,
    fock_rotation,
    number_operator,
    one_body_operator,
)
from manybody.physics.fock.couplings import Coupling, hermitian_coupling
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state

CASES = [pytest.param(h, sites, id=name) for name, h, sites in hamiltonians() if len(h) <= 6]


# ---- against definitions ---------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_one_particle_is_the_single_particle_equation(matrix, sites, bath, lamb_shift):
    """Complex and degenerate h, full and partial coupling: the generators of the house."""
    n = len(matrix)
    single = mb.SingleParticleModel(matrix, sites)
    model = FockModel(FockBasis(n, n_particles=1), matrix)
    couplings = [
        density_coupling(model.basis, j, bath) for j in (range(n) if sites is None else sites)
    ]
    redfield = build_redfield_equation(model, couplings, lamb_shift).toarray()
    expected = mb.redfield_liouvillian(single, bath, lamb_shift).toarray()
    np.testing.assert_allclose(redfield, expected, atol=1e-12)
    expected = mb.davies_liouvillian(single, bath, lamb_shift).toarray()
    davies = build_davies_equation(model, couplings, lamb_shift).toarray()
    np.testing.assert_allclose(davies, expected, atol=1e-12)


@BOTH
@pytest.mark.parametrize("interacting", [False, True], ids=["free", "t-V"])
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_densities_of_a_sector_by_definition(bath, lamb_shift, interacting, statistics):
    n, number = 4, 2
    h, bonds = chain(n)
    basis = FockBasis(n, statistics, n_particles=number)
    interaction = density_interaction(basis, bonds + 0.3 * np.eye(n)) if interacting else None
    model = FockModel(basis, h, interaction)
    sites = [0, 1, 3]
    couplings = [density_coupling(basis, site, bath) for site in sites]
    matrices = [number_operator(basis, site).toarray().astype(complex) for site in sites]
    dense = model.hamiltonian.toarray()
    redfield = build_redfield_equation(model, couplings, lamb_shift)
    expected = reference.redfield_liouvillian(dense, matrices, bath, lamb_shift)
    np.testing.assert_allclose(redfield.toarray(), expected, atol=1e-12)
    davies = build_davies_equation(model, couplings, lamb_shift)
    expected = reference.davies_liouvillian(dense, matrices, bath, lamb_shift, 1e-10)
    np.testing.assert_allclose(davies.toarray(), expected, atol=1e-12)


@BOTH
def test_any_hermitian_coupling_by_definition(rng, bath, lamb_shift):
    """Dense and one-body operators off the diagonal, with different baths, free and not."""
    n = 3
    basis = FockBasis(n)
    h, bonds = chain(n)
    other = mb.OhmicBath(0.3, 4.0, 1.0)
    dense = oracles.random_hermitian(rng, basis.dimension)
    current = np.array([[0.0, 1j, 0.0], [-1j, 0.4, 0.5], [0.0, 0.5, 0.0]])
    couplings = [
        hermitian_coupling(dense, bath),
        Coupling(one_body_operator(basis, current), other),
    ]
    hop = slow.quadratic(slow.ladder_operators(n), current)
    eta = [each.eta if lamb_shift else None for each in (bath, other)]
    pairs = [(dense, bath.gamma, eta[0]), (hop, other.gamma, eta[1])]
    for interaction in (None, density_interaction(basis, bonds)):
        model = FockModel(basis, h, interaction)
        matrix = model.hamiltonian.toarray()
        redfield = build_redfield_equation(model, couplings, lamb_shift).toarray()
        np.testing.assert_allclose(redfield, slow.redfield(matrix, pairs), atol=1e-12)
        davies = build_davies_equation(model, couplings, lamb_shift).toarray()
        np.testing.assert_allclose(davies, slow.davies(matrix, pairs), atol=1e-11)


@BOTH
@pytest.mark.parametrize("graded", [True, False])
@pytest.mark.parametrize("interacting", [False, True], ids=["free", "t-V"])
def test_exchange_by_definition(lamb_shift, graded, interacting):
    """Three fermion sites, J, T and μ all different, the whole superoperator."""
    n = 3
    h, bonds = chain(n)
    basis = FockBasis(n)
    model = FockModel(basis, h, density_interaction(basis, bonds) if interacting else None)
    contacts = leads(n)
    a = slow.ladder_operators(n)
    if graded:
        a = [np.diag(basis.parities) @ each for each in a]
    pairs = pairs_of(a, contacts, lamb_shift)
    couplings = exchanges(n, contacts, graded)
    dense = model.hamiltonian.toarray()
    redfield = build_redfield_equation(model, couplings, lamb_shift).toarray()
    np.testing.assert_allclose(redfield, slow.redfield(dense, pairs), atol=1e-12)
    davies = build_davies_equation(model, couplings, lamb_shift).toarray()
    np.testing.assert_allclose(davies, slow.davies(dense, pairs), atol=1e-11)


@BOTH
def test_truncated_bosons_by_definition(lamb_shift):
    """Of a basis cut within sectors h does not give the spectrum: the D levels do."""
    h = oracles.random_hermitian(np.random.default_rng(3), 2) + 2.0 * np.eye(2)
    basis = FockBasis(2, "boson", max_occupation=2)
    model = FockModel(basis, h)
    assert not model.is_quadratic
    contacts = [(0, slow.BoseReservoir(0.5, 2.0, -0.2), 0.6)]
    pairs = pairs_of(slow.ladder_operators(2, "boson", 2), contacts, lamb_shift)
    couplings = exchanges(2, contacts)
    dense = model.hamiltonian.toarray()
    redfield = build_redfield_equation(model, couplings, lamb_shift).toarray()
    np.testing.assert_allclose(redfield, slow.redfield(dense, pairs), atol=1e-12)
    davies = build_davies_equation(model, couplings, lamb_shift).toarray()
    np.testing.assert_allclose(davies, slow.davies(dense, pairs), atol=1e-11)


# ---- interfaces of one generator -------------------------------------------------------------


def generators(bath, lamb_shift):
    """(name, generator) of sparse and dense Λ, densities and exchange, Davies, local."""
    h, bonds = chain(4)
    sector, whole = FockBasis(4, n_particles=2), FockBasis(3)
    free = FockModel(sector, h)
    interacting = FockModel(sector, h, density_interaction(sector, bonds))
    open_system = FockModel(whole, h[:3, :3])
    densities = [density_coupling(sector, site, bath) for site in (0, 2)]
    exchange = exchanges(3, leads(3))
    return [
        ("free", build_redfield_equation(free, densities, lamb_shift)),
        ("t-V", build_redfield_equation(interacting, densities, lamb_shift)),
        ("open", build_redfield_equation(open_system, exchange, lamb_shift)),
        ("local densities", build_local_equation(interacting, densities, lamb_shift)),
        ("local", build_local_equation(open_system, exchange, lamb_shift)),
        ("Davies", build_davies_equation(free, densities, lamb_shift)),
        ("Davies t-V", build_davies_equation(interacting, densities, lamb_shift)),
        ("Davies open", build_davies_equation(open_system, exchange, lamb_shift)),
    ]


@BOTH
def test_matrix_application_and_shares_agree(rng, bath, lamb_shift):
    """And trace and Hermiticity are kept, on any complex matrix."""
    for name, generator in generators(bath, lamb_shift):
        dimension = generator.model.basis.dimension
        matrix = generator.toarray()
        sigma = random_matrix(rng, dimension)
        image = (matrix @ sigma.ravel()).reshape(dimension, dimension)
        np.testing.assert_allclose(generator.apply(sigma), image, atol=1e-12, err_msg=name)
        dense = generator.model.hamiltonian.toarray()
        n_couplings = 6 if "open" in name or name == "local" else 2
        parts = sum(generator.dissipate(index, sigma) for index in range(n_couplings))
        unitary = -1j * (dense @ sigma - sigma @ dense)
        np.testing.assert_allclose(unitary + parts, image, atol=1e-12, err_msg=name)
        assert np.abs(np.eye(dimension).ravel() @ matrix).max() < 1e-13
        adjoint = generator.apply(sigma.conj().T)
        np.testing.assert_allclose(adjoint, image.conj().T, atol=1e-12, err_msg=name)


# ---- laws ------------------------------------------------------------------------------------


@pytest.mark.parametrize("interacting", [False, True], ids=["free", "t-V"])
def test_grand_canonical_state_is_stationary(interacting):
    """Equal β and μ, unequal J, no Lamb shift: contact by contact, for Redfield and Davies."""
    n = 3
    h, bonds = chain(n)
    basis = FockBasis(n)
    model = FockModel(basis, h, density_interaction(basis, bonds) if interacting else None)
    beta, mu = 1.7, 0.35
    contacts = [(site, slow.FlatLead(0.5, beta, mu), 0.8 - 0.2 * site) for site in (0, 2)]
    dense = model.hamiltonian.toarray() - mu * number_operator(basis).toarray()
    gibbs = oracles.gibbs(dense, beta)
    couplings = exchanges(n, contacts)
    for generator in (
        build_redfield_equation(model, couplings),
        build_davies_equation(model, couplings),
        build_davies_equation(model, couplings, lamb_shift=True),
    ):
        assert np.abs(generator.apply(gibbs)).max() < 1e-14
        np.testing.assert_allclose(stationary_state(generator), gibbs, atol=1e-11)
    contact = [build_redfield_equation(model, couplings).dissipate(j, gibbs) for j in (2, 3)]
    assert np.abs(contact[0]).max() > 1e-3
    assert np.abs(contact[0] + contact[1]).max() < 1e-14
    shifted = build_redfield_equation(model, couplings, lamb_shift=True)
    assert np.abs(shifted.apply(gibbs)).max() > 1e-4


def test_canonical_state_is_stationary_under_densities(bath):
    h, bonds = chain(4)
    basis = FockBasis(4, n_particles=2)
    model = FockModel(basis, h, density_interaction(basis, bonds))
    couplings = [density_coupling(basis, site, bath) for site in range(4)]
    gibbs = oracles.gibbs(model.hamiltonian.toarray(), bath.beta)
    for build in (build_redfield_equation, build_davies_equation):
        assert np.abs(build(model, couplings).apply(gibbs)).max() < 1e-14
        np.testing.assert_allclose(stationary_state(build(model, couplings)), gibbs, atol=1e-10)


@BOTH
def test_covariance_under_other_modes(rng, bath, lamb_shift):
    """h → uhu†, A → the same operator in the turned modes: L turns with the Fock unitary."""
    n = 4
    basis = FockBasis(n, n_particles=2)
    h = oracles.random_hermitian(rng, n)
    turn = oracles.random_unitary(rng, n)
    sites = [np.diag(np.eye(n)[site]) for site in (0, 2)]
    fields = [one_body_operator(basis, site) for site in sites]
    turned = [one_body_operator(basis, turn @ site @ turn.conj().T) for site in sites]
    big = fock_rotation(basis, turn)
    both = np.kron(big, big.conj())
    for build in (build_redfield_equation, build_davies_equation):
        here = build(
            FockModel(basis, h), [Coupling(field, bath) for field in fields], lamb_shift
        ).toarray()
        there = build(
            FockModel(basis, turn @ h @ turn.conj().T),
            [Coupling(field, bath) for field in turned],
            lamb_shift,
        ).toarray()
        np.testing.assert_allclose(there, both @ here @ both.conj().T, atol=1e-12)


@BOTH
@pytest.mark.parametrize("kind", ["bipartite", "ring", "flat"])
def test_degenerate_modes_and_gaps(bath, lamb_shift, kind):
    """±ω pairs, degenerate pairs of modes, H ∝ n: labels by modes are the definition."""
    n = 4
    h = {
        "bipartite": oracles.bipartite_hamiltonian(np.random.default_rng(2), n),
        "ring": oracles.ring_hamiltonian(n),
        "flat": 0.7 * np.eye(n),
    }[kind]
    sector = FockModel(FockBasis(n, n_particles=2), h)
    couplings = [density_coupling(sector.basis, site, bath) for site in (0, 1)]
    matrices = [number_operator(sector.basis, site).toarray() for site in (0, 1)]
    expected = reference.davies_liouvillian(
        sector.hamiltonian.toarray(), matrices, bath, lamb_shift, 1e-10
    )
    davies = build_davies_equation(sector, couplings, lamb_shift).toarray()
    np.testing.assert_allclose(davies, expected, atol=1e-12)
    n = 3
    matrix = h[:n, :n] if kind == "flat" else oracles.ring_hamiltonian(n)
    whole = FockModel(FockBasis(n), matrix)
    contacts = leads(n)[:2]
    a = [np.diag(whole.basis.parities) @ each for each in slow.ladder_operators(n)]
    expected = slow.davies(whole.hamiltonian.toarray(), pairs_of(a, contacts, lamb_shift))
    davies = build_davies_equation(whole, exchanges(n, contacts), lamb_shift).toarray()
    np.testing.assert_allclose(davies, expected, atol=1e-11)


# ---- size, limits and errors -----------------------------------------------------------------


def test_a_sector_of_seventy_states_is_quick_and_consistent(rng, bath):
    """D = 70, free and t-V: traces and equilibrium, no superoperator."""
    n = 8
    basis = FockBasis(n, n_particles=4)
    h, bonds = chain(n)
    couplings = [density_coupling(basis, site, bath) for site in range(n)]
    sigma = random_matrix(rng, basis.dimension)
    free = FockModel(basis, h)
    interacting = FockModel(basis, h, density_interaction(basis, bonds))
    for model in (free, interacting):
        gibbs = oracles.gibbs(model.hamiltonian.toarray(), bath.beta)
        for build in (build_redfield_equation, build_davies_equation):
            generator = build(model, couplings)
            assert abs(np.trace(generator.apply(sigma))) < 1e-12
            assert np.abs(generator.apply(gibbs)).max() < 1e-14


def test_labels_by_modes_are_those_by_the_levels(rng):
    """D = 64: an interaction of zero hides that H is quadratic."""
    n = 6
    basis = FockBasis(n)
    h, _ = chain(n)
    couplings = exchanges(n, leads(n)[:2])
    sigma = random_matrix(rng, basis.dimension)
    by_modes = build_davies_equation(FockModel(basis, h), couplings).apply(sigma)
    hidden = FockModel(basis, h, np.zeros((basis.dimension,) * 2))
    by_energies = build_davies_equation(hidden, couplings).apply(sigma)
    np.testing.assert_allclose(by_modes, by_energies, atol=1e-11)


def test_no_bath_and_a_silent_bath(rng):
    h, _ = chain(3)
    model = FockModel(FockBasis(3), h)
    sigma = random_matrix(rng, 8)
    dense = model.hamiltonian.toarray()
    expected = -1j * (dense @ sigma - sigma @ dense)
    silent = [density_coupling(model.basis, 0, mb.OhmicBath(0.0, 1.0, 1.0))]
    for build in BUILDERS.values():
        for couplings in ([], silent):
            np.testing.assert_allclose(build(model, couplings).apply(sigma), expected, atol=1e-13)


def test_local_equation_by_definition(bath):
    """a_q at h_qq, n_q at 0, a bond at the difference of its two sites."""
    n = 3
    h, _ = chain(n)
    model = FockModel(FockBasis(n), h)
    bond = np.zeros((n, n))
    bond[0, 1] = bond[1, 0] = 0.8
    others = [
        density_coupling(model.basis, 2, bath),
        Coupling(one_body_operator(model.basis, bond), bath),
    ]
    couplings = exchanges(n, leads(n)) + others
    a = [np.diag(model.basis.parities) @ each for each in slow.ladder_operators(n)]
    pairs = pairs_of(a, leads(n), True)
    pairs.append((a[2].conj().T @ a[2], bath.gamma, bath.eta))
    hop = 0.8 * (a[0].conj().T @ a[1] + a[1].conj().T @ a[0])
    pairs.append((hop, bath.gamma, bath.eta))
    bare = slow.quadratic(slow.ladder_operators(n), np.diag(np.diag(h)))
    dense = model.hamiltonian.toarray()
    unitary = slow.redfield(dense, []) - slow.redfield(bare, [])
    # The difference of the two site energies occurs for one pair alone: Davies of the sites.
    expected = slow.davies(bare, pairs) + unitary
    result = build_local_equation(model, couplings, lamb_shift=True).toarray()
    np.testing.assert_allclose(result, expected, atol=1e-11)


def test_too_many_pairs_of_transitions_are_refused(bath, monkeypatch):
    monkeypatch.setattr(secular, "MAX_PAIRS", 20)
    model = FockModel(FockBasis(4, n_particles=2), oracles.ring_hamiltonian(4))
    with pytest.raises(ValueError, match="pairs of transitions share a Bohr frequency"):
        build_davies_equation(model, [density_coupling(model.basis, 0, bath)])


def test_what_cannot_be_built_is_refused(bath):
    h, bonds = chain(3)
    basis = FockBasis(3)
    model = FockModel(basis, h)
    density = density_coupling(basis, 0, bath)
    with pytest.raises(ValueError, match="one_body is of 3 modes, basis of 4"):
        FockModel(FockBasis(4), h)
    with pytest.raises(ValueError, match="interaction has shape"):
        FockModel(basis, h, np.eye(3))
    with pytest.raises(ValueError, match="interaction is not Hermitian"):
        FockModel(basis, h, np.diag(np.ones(7), 1))
    with pytest.raises(TypeError, match="coupling = "):
        build_redfield_equation(model, [bath])
    with pytest.raises(TypeError, match="lamb_shift"):
        build_redfield_equation(model, [density], "yes")
    with pytest.raises(TypeError, match="distinct"):
        build_davies_equation(model, [density], distinct="gaps")
    densities = [density_coupling(basis, site, bath) for site in range(3)]
    # One for each number of particles.
    with pytest.raises(ValueError, match="has 4 stationary states"):
        stationary_state(build_redfield_equation(model, densities))
    large = FockModel(FockBasis(7), np.eye(7))
    with pytest.raises(ValueError, match="128 states"):
        build_redfield_equation(large, [density_coupling(large.basis, 0, bath)]).toarray()
    near = FockModel(FockBasis(4, n_particles=1), np.diag([0.0, 1.0, 2.0, 3.0 + 1e-13]))
    hops = Coupling(np.ones((4, 4)), bath)
    with pytest.warns(UserWarning, match="cannot be decided"):
        assert build_davies_equation(near, [hops]).clustering == "ambiguous"
    with pytest.raises(ValueError, match="undecided = 'both'"):
        build_davies_equation(near, [hops], undecided="both")
