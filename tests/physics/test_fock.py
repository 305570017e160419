"""Bases, operators and Gaussian states against Kronecker products and known spectra."""

import math

import many_body_oracles as slow
import numpy as np
import oracles
import pytest
import scipy.linalg
from fock_oracles import correlation_matrix, density_interaction, edge_weight, gaussian_state
from scipy.special import comb

from manybody.physics.fock.basis import (
    FockBasis,
    annihilation_operator,
    fock_rotation,
    fock_state,
    number_operator,
    one_body_operator,
    parity_operator,
)


def random_matrix(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def random_state(rng, dimension):
    root = random_matrix(rng, dimension, dimension)
    rho = root @ root.conj().T
    return rho / np.trace(rho)


@pytest.mark.parametrize(
    ("basis", "dimension"),
    [
        (FockBasis(5), 32),
        (FockBasis(6, n_particles=2), 15),
        (FockBasis(6, max_particles=2), 22),
        (FockBasis(16, n_particles=8), 12870),
        (FockBasis(40, n_particles=39), 40),
        (FockBasis(3, "boson", n_particles=4), 15),
        (FockBasis(3, "boson", max_particles=4), 35),
        (FockBasis(3, "boson", max_occupation=2), 27),
        (FockBasis(3, "boson", n_particles=4, max_occupation=2), 6),
        (FockBasis(3, "boson", n_particles=0), 1),
    ],
)
def test_states_are_counted_ordered_and_found(basis, dimension):
    assert basis.dimension == len(basis.keys) == dimension
    assert np.all(np.diff(basis.keys) > 0)
    assert len(np.unique(basis.occupations, axis=0)) == dimension
    assert set(basis.totals) == set(basis.numbers)
    assert basis.occupations.max(initial=0) <= basis.largest
    np.testing.assert_array_equal(basis.find(basis.occupations), np.arange(dimension))
    outside = basis.occupations[0].copy()
    outside[0] = basis.largest + 1
    assert basis.find(outside) == -1


def test_one_particle_is_the_site_basis(rng):
    h = oracles.random_hermitian(rng, 6)
    for statistics in ("fermion", "boson"):
        basis = FockBasis(6, statistics, n_particles=1)
        np.testing.assert_array_equal(basis.occupations, np.eye(6))
        np.testing.assert_array_equal(one_body_operator(basis, h).toarray(), h)


def test_fermions_by_kronecker_products_and_their_anticommutators():
    basis = FockBasis(4)
    operators = [annihilation_operator(basis, mode).toarray() for mode in range(4)]
    expected = slow.ladder_operators(4)
    for p in range(4):
        np.testing.assert_array_equal(operators[p], expected[p])
        for q in range(4):
            a, b = operators[p], operators[q]
            np.testing.assert_array_equal(a @ b + b @ a, 0.0)
            np.testing.assert_array_equal(a @ b.T + b.T @ a, float(p == q) * np.eye(16))
    parity = parity_operator(basis).toarray()
    np.testing.assert_array_equal(parity @ operators[1] @ parity, -operators[1])


def test_bosons_by_kronecker_products_and_their_commutators():
    basis = FockBasis(3, "boson", max_occupation=2)
    by_products = slow.ladder_operators(3, "boson", 2)
    operators = [annihilation_operator(basis, mode).toarray() for mode in range(3)]
    np.testing.assert_allclose(operators, by_products, atol=1e-15)
    # Away from the edge the canonical relations hold.
    inside = np.flatnonzero(basis.occupations.max(axis=1) < basis.largest)
    for p in range(3):
        for q in range(3):
            a, b = operators[p], operators[q]
            assert np.abs(a @ b - b @ a).max() < 1e-15
            commutator = (a @ b.T - b.T @ a)[:, inside]
            np.testing.assert_allclose(
                commutator, float(p == q) * np.eye(27)[:, inside], atol=1e-14
            )


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_sectors_are_parts_of_the_whole_space(rng, statistics):
    whole = FockBasis(4, statistics, max_particles=4)
    h = random_matrix(rng, 4, 4)
    v = rng.normal(size=(4, 4))
    full = one_body_operator(whole, h) + density_interaction(whole, v)
    for number in range(4):
        sector = FockBasis(4, statistics, n_particles=number)
        own = whole.find(sector.occupations)
        part = one_body_operator(sector, h) + density_interaction(sector, v)
        np.testing.assert_allclose(full[own][:, own].toarray(), part.toarray(), atol=1e-14)
        for mode in range(4 if number > 0 else 0):
            below = whole.find(sector.sector(number - 1).occupations)
            lowered = annihilation_operator(sector, mode).toarray()
            everywhere = annihilation_operator(whole, mode)[below][:, own].toarray()
            np.testing.assert_array_equal(lowered, everywhere)


@pytest.mark.parametrize(("statistics", "limit"), [("fermion", 1), ("boson", 2)])
def test_operators_by_their_sums(rng, statistics, limit):
    n = 3
    basis = FockBasis(n, statistics, max_occupation=limit)
    a = slow.ladder_operators(n, statistics, limit)
    h, v = random_matrix(rng, n, n), rng.normal(size=(n, n))
    if statistics == "boson":
        # a_j† after a_k: within a truncated mode the order matters at no state but the edge.
        h -= np.diag(np.diag(h))
    np.testing.assert_allclose(
        one_body_operator(basis, h).toarray(), slow.quadratic(a, h), atol=1e-14
    )
    numbers = [op.T @ op for op in a]
    expected = sum(v[j, k] * numbers[j] @ numbers[k] for j in range(n) for k in range(n))
    np.testing.assert_allclose(density_interaction(basis, v).toarray(), expected, atol=1e-13)
    np.testing.assert_allclose(number_operator(basis).toarray(), sum(numbers), atol=1e-14)
    np.testing.assert_allclose(number_operator(basis, 1).toarray(), numbers[1], atol=1e-14)


def test_free_particles_have_sums_of_mode_energies(rng):
    h = oracles.random_hermitian(rng, 6)
    energies = np.linalg.eigvalsh(h)
    for basis in (
        FockBasis(6, n_particles=3),
        FockBasis(6),
        FockBasis(6, "boson", n_particles=3),
        FockBasis(6, "boson", max_particles=2),
    ):
        levels = np.linalg.eigvalsh(one_body_operator(basis, h).toarray())
        np.testing.assert_allclose(levels, np.sort(basis.occupations @ energies), atol=1e-12)


def test_known_interacting_spectra():
    """Two fermions on the t-V ring, by total momentum; two bosons on two sites in closed form."""
    n, v = 6, 1.7
    bonds = np.zeros((n, n))
    bonds[np.arange(n), (np.arange(n) + 1) % n] = v
    hopping = oracles.ring_hamiltonian(n)
    basis = FockBasis(n, n_particles=2)
    matrix = one_body_operator(basis, hopping) + density_interaction(basis, bonds)
    levels = np.linalg.eigvalsh(matrix.toarray())
    # ψ(x, x+r) = e^{iK(x+r/2)} φ(r), φ(N − r) = −(−1)^(KN/2π) φ(r): hopping 2cos(K/2).
    expected = []
    for momentum in range(n):
        hop = 2.0 * math.cos(math.pi * momentum / n)
        relative = np.diag(np.full(n - 2, hop), 1)
        relative = relative + relative.T
        relative[0, 0] = relative[-1, -1] = v
        values, vectors = np.linalg.eigh(relative)
        flip = -((-1.0) ** momentum)
        expected += [
            value for value, phi in zip(values, vectors.T) if flip * (phi @ phi[::-1]) > 0.5
        ]
    np.testing.assert_allclose(levels, np.sort(expected), atol=1e-12)

    basis, u = FockBasis(2, "boson", n_particles=2), 0.8
    matrix = one_body_operator(basis, np.array([[0.0, 1.0], [1.0, 0.0]]))
    matrix = matrix + density_interaction(basis, u * np.eye(2))
    # n_1² + n_2²: 4u for two on one site, 2u for one on each.
    expected = [3 * u - math.sqrt(u * u + 4.0), 4 * u, 3 * u + math.sqrt(u * u + 4.0)]
    np.testing.assert_allclose(np.linalg.eigvalsh(matrix.toarray()), np.sort(expected), atol=1e-13)


@pytest.mark.parametrize(
    "basis",
    [
        FockBasis(4),
        FockBasis(5, n_particles=2),
        FockBasis(3, "boson", max_particles=3),
        FockBasis(3, "boson", n_particles=3),
    ],
    ids=str,
)
def test_rotation_to_other_modes(rng, basis):
    orbitals = oracles.random_unitary(rng, basis.n_modes)
    rotation = fock_rotation(basis, orbitals)
    identity = np.eye(basis.dimension)
    np.testing.assert_allclose(rotation.conj().T @ rotation, identity, atol=1e-13)
    # c_m†c_n = Σ V_jm V_kn* a_j†a_k has in the new basis the matrix of a_m†a_n in the old one.
    m = random_matrix(rng, basis.n_modes, basis.n_modes)
    turned = one_body_operator(basis, orbitals @ m @ orbitals.conj().T).toarray()
    np.testing.assert_allclose(
        rotation.conj().T @ turned @ rotation, one_body_operator(basis, m).toarray(), atol=1e-13
    )
    if basis.n_particles is None:
        for mode in range(basis.n_modes):
            operators = [annihilation_operator(basis, j).toarray() for j in range(basis.n_modes)]
            c = sum(orbitals[j, mode].conj() * a for j, a in enumerate(operators))
            np.testing.assert_allclose(
                rotation.conj().T @ c @ rotation, operators[mode], atol=1e-13
            )


def test_correlation_matrix(rng):
    basis = FockBasis(4)
    a = slow.ladder_operators(4)
    sigma = random_matrix(rng, 16, 16)
    np.testing.assert_allclose(
        correlation_matrix(basis, sigma), slow.correlations(a, sigma), atol=1e-13
    )
    psi = random_matrix(rng, 16)
    psi /= np.linalg.norm(psi)
    np.testing.assert_allclose(
        correlation_matrix(basis, psi),
        correlation_matrix(basis, np.outer(psi, psi.conj())),
        atol=1e-14,
    )
    filled = fock_state(basis, [1, 0, 1, 1])
    np.testing.assert_array_equal(correlation_matrix(basis, filled), np.diag([1, 0, 1, 1]))


@pytest.mark.parametrize("filling", [(0.2, 0.7, 0.5, 0.9), (0.0, 1.0, 0.3, 1.0)])
def test_gaussian_fermions(rng, filling):
    """C comes back, Wick's theorem holds, and thermal states are e^{−K}/Z."""
    basis = FockBasis(4)
    orbitals = oracles.random_unitary(rng, 4)
    matrix = (orbitals * np.array(filling)) @ orbitals.conj().T
    rho = gaussian_state(basis, matrix)
    assert np.trace(rho) == pytest.approx(1.0, abs=1e-14)
    assert np.linalg.eigvalsh(rho).min() > -1e-14
    np.testing.assert_allclose(correlation_matrix(basis, rho), matrix, atol=1e-13)
    a = slow.ladder_operators(4)
    for j, k, l, m in np.ndindex(4, 4, 4, 4):  # noqa: E741
        four = np.trace(a[j].T @ a[k].T @ a[l] @ a[m] @ rho)
        wick = matrix[m, j] * matrix[l, k] - matrix[l, j] * matrix[m, k]
        assert abs(four - wick) < 1e-13
    if min(filling) > 0.0 and max(filling) < 1.0:
        exponent = (orbitals * np.log((1 - np.array(filling)) / np.array(filling))) @ (
            orbitals.conj().T
        )
        thermal = scipy.linalg.expm(-one_body_operator(basis, exponent).toarray())
        np.testing.assert_allclose(rho, thermal / np.trace(thermal), atol=1e-13)


def test_gaussian_bosons_fall_short_by_what_is_cut(rng):
    orbitals = oracles.random_unitary(rng, 2)
    matrix = (orbitals * np.array([0.3, 0.6])) @ orbitals.conj().T
    errors, missing = [], []
    for most in (10, 20, 40):
        basis = FockBasis(2, "boson", max_particles=most)
        rho = gaussian_state(basis, matrix)
        missing.append(1.0 - np.trace(rho).real)
        errors.append(np.abs(correlation_matrix(basis, rho) - matrix).max())
        # The largest ratio is 0.6/1.6: what is cut is a geometric tail.
        tail = (0.6 / 1.6) ** (most + 1)
        assert 0.5 * tail < missing[-1] + 1e-15 < 5.0 * tail + 1e-14
        assert missing[-1] < edge_weight(basis, rho) + 1e-14
    assert errors[0] < 50.0 * missing[0]
    assert errors[2] < 1e-13


def test_edge_weight():
    assert edge_weight(FockBasis(2), np.ones(4) / 2.0) == 0.0
    assert edge_weight(FockBasis(3, max_particles=1), np.ones(4) / 2.0) == pytest.approx(0.75)
    assert edge_weight(FockBasis(2, max_particles=2), np.ones(4) / 2.0) == 0.0
    basis = FockBasis(2, "boson", max_occupation=2)
    assert edge_weight(basis, fock_state(basis, [1, 1])) == 0.0
    assert edge_weight(basis, fock_state(basis, [1, 2])) == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0,), "n_modes = 0"),
        ((3, "anyon"), "statistics = 'anyon'"),
        ((3, "fermion", 4), "n_particles = 4: 3 modes hold at most 3"),
        ((3, "fermion", -1), "n_particles = -1"),
        ((3, "fermion", None, 2), "max_occupation = 2: fermions"),
        ((3, "boson"), "max_particles or max_occupation"),
        ((3, "fermion", 1, None, 2), "max_particles = 2"),
        ((63,), "62 bits"),
        ((40, "fermion", 20), "137846528820 states"),
        ((1, "boson", None, None, 1001), "1001 particles"),
    ],
)
def test_bases_check_their_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        FockBasis(*arguments)


def test_operators_check_their_arguments():
    basis = FockBasis(3)
    for call, words in (
        (lambda: annihilation_operator(basis, 3), "mode = 3"),
        (lambda: annihilation_operator(FockBasis(3, n_particles=0), 0), "one particle less"),
        (lambda: one_body_operator(basis, np.eye(2)), r"shape \(2, 2\)"),
        (lambda: one_body_operator(basis, np.full((3, 3), np.nan)), "finite"),
        (lambda: fock_state(basis, [1, 1]), "3 integers"),
        (lambda: fock_state(basis, [2, 0, 0]), "no state"),
        (lambda: fock_rotation(FockBasis(2, "boson", max_occupation=2), np.eye(2)), "cuts"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_largest_sector_named_is_quick():
    basis = FockBasis(16, n_particles=8)
    assert basis.dimension == comb(16, 8, exact=True)
    hopping = one_body_operator(basis, oracles.ring_hamiltonian(16))
    # Of 16 bonds a share 8 · 8 / (16 · 15 / 2) joins a filled and an empty site.
    assert hopping.nnz == 12870 * 16 * 64 // 120
