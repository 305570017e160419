"""Models of many particles against Kronecker products, known spectra and laws."""

import pickle

import many_body_oracles as slow
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import manybody as mb
from manybody.physics.couplings import DiagonalCouplings
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.complex_syk4 import pair_scattering
from manybody.physics.models.lattices import Chain

X = np.array([[0.0, 1.0], [1.0, 0.0]])
Y = np.array([[0.0, 1.0j], [-1.0j, 0.0]])  # in the order empty, occupied: σᶻ = diag(−1, 1)
Z = np.diag([-1.0, 1.0])


def on_site(matrix, site, n_sites):
    """1 ⊗ … ⊗ matrix ⊗ … ⊗ 1; site 0 turns fastest, so it is the last factor."""
    return np.kron(np.kron(np.eye(2 ** (n_sites - site - 1)), matrix), np.eye(2**site))


def neighbours(n_sites, boundary):
    pairs = [(site, site + 1) for site in range(n_sites - 1)]
    return pairs + [(0, n_sites - 1)] * (boundary == "periodic" and n_sites > 2)


def drawn(seed, n_sites):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, n_sites)


def numbers_of(n_sites):
    return np.array([bin(state).count("1") for state in range(2**n_sites)])


def sector(matrix, n_particles, n_sites):
    if n_particles is None:
        return matrix
    kept = np.flatnonzero(numbers_of(n_sites) == n_particles)
    return matrix[np.ix_(kept, kept)]


def spin_xxz(n_sites, anisotropy, hopping, energies, boundary):
    total = np.zeros((2**n_sites,) * 2, dtype=complex)
    for i, j in neighbours(n_sites, boundary):
        for pauli, strength in ((X, hopping), (Y, hopping), (Z, anisotropy)):
            total += 0.25 * strength * on_site(pauli, i, n_sites) @ on_site(pauli, j, n_sites)
    for site, energy in enumerate(energies):
        total += energy * 0.5 * (np.eye(2**n_sites) + on_site(Z, site, n_sites))
    return total


def fermion_xxz(n_sites, anisotropy, hopping, energies, boundary):
    a = slow.ladder_operators(n_sites)
    one = np.eye(2**n_sites)
    n = [each.T @ each for each in a]
    total = sum(energy * own for energy, own in zip(energies, n))
    for i, j in neighbours(n_sites, boundary):
        total = total + 0.5 * hopping * (a[i].T @ a[j] + a[j].T @ a[i])
        total = total + anisotropy * (n[i] - 0.5 * one) @ (n[j] - 0.5 * one)
    return total


def check_locality(term, occupations):
    """Nothing changes on other sites, and energies do not depend on them."""
    entries = term.matrix.tocoo()
    changed = occupations[entries.row] != occupations[entries.col]
    assert not np.delete(changed, term.sites, axis=1).any()
    here = occupations[:, term.sites] @ 2 ** np.arange(len(term.sites))
    for pattern in range(4):
        assert len(set(term.matrix.diagonal()[here == pattern])) <= 1


def check_model(model):
    """What every one of these models keeps."""
    h, basis = model.dense_hamiltonian(), model.basis
    share = np.count_nonzero(h) / h.size
    assert sp.issparse(model.hamiltonian) == (share <= 1.0 / 3.0)
    np.testing.assert_array_equal(h, h.conj().T)
    assert isinstance(model.couplings, DiagonalCouplings)
    assert model.couplings.values.shape == (model.n_sites, model.dimension)
    if model.terms is not None:
        total = sum(term.matrix for term in model.terms).toarray()
        np.testing.assert_allclose(total, h, atol=1e-13)
        distances = model.lattice.distances()
        for term in model.terms:
            assert isinstance(term.matrix, sp.csr_array)
            assert distances[np.ix_(term.sites, term.sites)].max() <= 1
            check_locality(term, model.basis.occupations)
        again = pickle.loads(pickle.dumps(model.terms))
        assert [term.sites for term in again] == [term.sites for term in model.terms]
        assert len(model.terms[1:3]) == len(list(model.terms)[1:3])
        with pytest.raises(IndexError):
            model.terms[len(model.terms)]
    return h, basis


@pytest.mark.parametrize("statistics", ["boson", "fermion"])
@pytest.mark.parametrize("boundary", ["open", "periodic"])
@pytest.mark.parametrize(
    ("n_sites", "n_particles"),
    [(1, 1), (2, "half"), (2, None), (3, 1), (3, None), (4, "half"), (5, 0), (6, 3), (6, 4)],
)
def test_xxz_chain_is_its_kronecker_products(statistics, boundary, n_sites, n_particles):
    model = mb.xxz_chain(
        n_sites, n_particles, -0.7, 1.3, 0.9, boundary, statistics=statistics, seed=5
    )
    energies = 1.3 * drawn(5, n_sites)
    build = spin_xxz if statistics == "boson" else fermion_xxz
    whole = build(n_sites, -0.7, 0.9, energies, boundary)
    number = n_sites // 2 if n_particles == "half" else n_particles
    h, _ = check_model(model)
    np.testing.assert_allclose(h, sector(whole, number, n_sites), atol=1e-13)
    assert model.is_real and model.lattice == Chain(n_sites, boundary)
    occupied = [np.diag(on_site(np.diag([0.0, 1.0]), site, n_sites)) for site in range(n_sites)]
    for own, site in zip(model.couplings.values, occupied):
        np.testing.assert_array_equal(own, np.diag(sector(np.diag(site), number, n_sites)))


@settings(max_examples=15, deadline=None)
@given(
    st.integers(3, 5),
    st.floats(-2.0, 2.0),
    st.floats(0.0, 5.0),
    st.floats(-2.0, 2.0),
    st.sampled_from(["open", "periodic"]),
    st.integers(0, 2**31),
)
def test_any_xxz_chain(n_sites, anisotropy, disorder, hopping, boundary, seed):
    given_ = (n_sites, None, anisotropy, disorder, hopping, boundary)
    energies = disorder * drawn(seed, n_sites)
    for statistics, build in (("boson", spin_xxz), ("fermion", fermion_xxz)):
        h = mb.xxz_chain(*given_, statistics=statistics, seed=seed).dense_hamiltonian()
        expected = build(n_sites, anisotropy, hopping, energies, boundary)
        np.testing.assert_allclose(h, expected, atol=1e-12)


def test_statistics_differ_around_the_ring_alone():
    def pair(boundary, n_particles):
        return (
            mb.xxz_chain(6, n_particles, boundary=boundary, statistics=each).dense_hamiltonian()
            for each in ("boson", "fermion")
        )

    for n_particles in (1, 2, 3, 4):
        spins, fermions = pair("open", n_particles)
        np.testing.assert_array_equal(spins, fermions)
        spins, fermions = pair("periodic", n_particles)
        assert np.array_equal(spins, fermions) == (n_particles % 2 == 1)


def test_free_spectra_of_the_xx_chain():
    """Δ = 0: sums of J cos(πk/(N + 1)), open."""
    n, number = 7, 3
    model = mb.xxz_chain(n, number, anisotropy=0.0, disorder=0.0, hopping=1.4)
    levels = 1.4 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))
    filled = FockBasis(n, n_particles=number).occupations
    np.testing.assert_allclose(
        np.linalg.eigvalsh(model.dense_hamiltonian()), np.sort(filled @ levels), atol=1e-13
    )


def test_two_sites_by_hand():
    for boundary in ("open", "periodic"):
        h = mb.xxz_chain(2, None, 0.8, 0.0, 1.4, boundary).dense_hamiltonian()
        np.testing.assert_allclose(np.linalg.eigvalsh(h), [-0.9, 0.2, 0.2, 0.5], atol=1e-15)
    # Heisenberg: singlet at −¾, triplet at ¼.
    h = mb.xxz_chain(2, None, disorder=0.0).dense_hamiltonian()
    np.testing.assert_allclose(np.linalg.eigvalsh(h), [-0.75, 0.25, 0.25, 0.25], atol=1e-15)
    h = mb.ising_chain(2, 1.0, 0.0, 0.5, boundary="periodic").dense_hamiltonian()
    np.testing.assert_array_equal(np.diag(h), [0.0, -1.0, -1.0, 2.0])
    # Two levels of two fermions on two sites: −J_00 n_0 n_1.
    h = mb.complex_syk4(2, 2, seed=3).dense_hamiltonian()
    draw = np.random.default_rng(3).standard_normal((2, 1, 1))
    np.testing.assert_allclose(h, -draw[0] * np.sqrt(2.0 / 8.0), atol=1e-15)


@pytest.mark.parametrize("boundary", ["open", "periodic"])
@pytest.mark.parametrize("n_sites", [1, 2, 3, 5])
def test_ising_chain_is_its_kronecker_products(n_sites, boundary):
    model = mb.ising_chain(n_sites, 0.8, -0.6, 0.3, 0.9, boundary, seed=4)
    fields = 0.3 + 0.9 * drawn(4, n_sites)
    total = np.zeros((2**n_sites,) * 2)
    for i, j in neighbours(n_sites, boundary):
        total += 0.8 * on_site(Z, i, n_sites) @ on_site(Z, j, n_sites)
    for site, field in enumerate(fields):
        total += field * on_site(Z, site, n_sites) - 0.6 * on_site(X, site, n_sites)
    h, _ = check_model(model)
    np.testing.assert_allclose(h, total, atol=1e-14)
    for site, own in enumerate(model.couplings.values):
        np.testing.assert_array_equal(np.diag(own), on_site(Z, site, n_sites))
    assert model.is_real and model.dimension == 2**n_sites


def test_transverse_ising_ground_state_and_its_signs():
    """J = h_x, h_z = 0, open: E_0 = 1 − 1/sin(π/(4N + 2)) (Pfeuty 1970), whatever the signs."""
    n = 6
    exact = 1.0 - 1.0 / np.sin(np.pi / (4 * n + 2))
    for coupling, transverse in ((1.0, 1.0), (-1.0, 1.0), (1.0, -1.0)):
        h = mb.ising_chain(n, coupling, transverse, 0.0).dense_hamiltonian()
        assert np.linalg.eigvalsh(h)[0] == pytest.approx(exact, abs=1e-12)
    levels = [
        np.linalg.eigvalsh(mb.ising_chain(n, transverse=each).dense_hamiltonian())
        for each in (1.05, -1.05)
    ]
    np.testing.assert_allclose(levels[0], levels[1], atol=1e-12)


def pairs_by_loops(n_sites, strengths):
    """Σ J_{ij,kl} a_i†a_j†a_k a_l by its four sums over explicit matrices."""
    a = slow.ladder_operators(n_sites)
    pairs = [(i, j) for i in range(n_sites) for j in range(i + 1, n_sites)]
    total = np.zeros((2**n_sites,) * 2, dtype=complex)
    for row, (i, j) in enumerate(pairs):
        for column, (k, l) in enumerate(pairs):  # noqa: E741
            total += strengths[row, column] * (a[i].T @ a[j].T @ a[k] @ a[l])
    return total


def random_pairs(rng, n_sites):
    n_pairs = n_sites * (n_sites - 1) // 2
    return rng.normal(size=(n_pairs,) * 2) + 1j * rng.normal(size=(n_pairs,) * 2)


@pytest.mark.parametrize("n_sites", [2, 3, 4, 5])
def test_pair_scattering_is_its_sum(rng, n_sites):
    strengths = random_pairs(rng, n_sites)
    expected = pairs_by_loops(n_sites, strengths)
    for number in (None, *range(n_sites + 1)):
        fast = pair_scattering(FockBasis(n_sites, n_particles=number), strengths)
        np.testing.assert_allclose(fast.toarray(), sector(expected, number, n_sites), atol=1e-13)


@pytest.mark.parametrize("n_particles", [None, 0, 1, 2, 3, 5, "half"])
def test_complex_syk4_by_its_draw(n_particles):
    n_sites = 4 if n_particles == "half" else 5
    model = mb.complex_syk4(n_sites, n_particles, 1.7, seed=[2, 9])
    n_pairs = n_sites * (n_sites - 1) // 2
    draw = np.random.default_rng([2, 9]).standard_normal((2, n_pairs, n_pairs))
    strengths = draw[0] + 1j * draw[1]
    strengths = 0.5 * (strengths + strengths.conj().T) * 1.7 * np.sqrt(2.0 / n_sites**3)
    number = 2 if n_particles == "half" else n_particles
    h, _ = check_model(model)
    expected = sector(pairs_by_loops(n_sites, strengths), number, n_sites)
    np.testing.assert_allclose(h, expected, atol=1e-13)
    assert model.terms is None and model.lattice is None


def test_complex_syk4_has_the_variance_it_states():
    """E tr H²/D = C(n, 2) C(N − n + 2, 2) 2J²/N³, and E|J|² = 2J²/N³ where one pair is left."""
    n_sites, coupling, samples = 6, 1.3, 400
    rng = np.random.default_rng(1)
    for number, combinations in ((2, 1 * 15), (3, 3 * 10), (5, 10 * 3)):
        powers = [
            np.linalg.norm(mb.complex_syk4(n_sites, number, coupling, rng).dense_hamiltonian())
            ** 2
            / FockBasis(n_sites, n_particles=number).dimension
            for _ in range(samples)
        ]
        expected = combinations * 2.0 * coupling**2 / n_sites**3
        error = np.std(powers) / np.sqrt(samples)
        assert abs(np.mean(powers) - expected) < 4.0 * error < 0.3 * expected


def test_the_bandwidth_of_complex_syk4_is_extensive():
    """Of the width a site the increments shrink: .31, .30, .30, .28, towards a number."""
    per_site = []
    for n_sites, samples in ((4, 40), (6, 20), (8, 10), (10, 4)):
        widths = [
            np.ptp(np.linalg.eigvalsh(mb.complex_syk4(n_sites, seed=s).dense_hamiltonian()))
            for s in range(samples)
        ]
        per_site.append(np.mean(widths) / n_sites)
    assert max(per_site) / min(per_site) < 1.2
    # A variance of J²/N², say, would let it grow by √(10/4) = 1.6.
    assert 0.25 < per_site[-1] < 0.35


def test_symmetries_of_complex_syk4():
    """N for every number of particles: H is block-diagonal and conserves Σ n_j."""
    model = mb.complex_syk4(5, None, seed=1)
    h, basis = check_model(model)
    mixed = h[basis.totals[:, None] != basis.totals]
    assert not mixed.any()
    for number in range(6):
        alone = mb.complex_syk4(5, number, seed=1).dense_hamiltonian()
        members = np.flatnonzero(basis.totals == number)
        np.testing.assert_array_equal(h[np.ix_(members, members)], alone)


def test_complex_syk4_moves_one_or_two_fermions():
    model = mb.complex_syk4(12)
    assert model.dimension == 924 and sp.issparse(model.hamiltonian)
    # Of six fermions on twelve sites.
    assert model.hamiltonian.nnz == 924 * (1 + 6**2 + 15**2)


@pytest.mark.parametrize("n_particles", [0, 1, 2, "half", 4])
def test_free_fermions_fill_the_levels_of_one(n_particles):
    number = 2 if n_particles == "half" else n_particles
    one = mb.dirac_syk2(4, 1.3, seed=8)
    many = mb.dirac_syk2(4, 1.3, seed=8, n_particles=n_particles)
    h, basis = check_model(many)
    expected = sector(slow.quadratic(slow.ladder_operators(4), one.hamiltonian), number, 4)
    np.testing.assert_allclose(h, expected, atol=1e-14)
    levels = np.linalg.eigvalsh(one.hamiltonian)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(h), np.sort(basis.occupations @ levels), atol=1e-13
    )
    assert dict(many.parameters) == {**one.parameters, "n_particles": number}


@pytest.mark.parametrize("boundary", ["open", "periodic"])
def test_filled_cubes(boundary):
    one = mb.anderson3d(2, 3.0, 0.7, boundary, seed=8)
    levels = np.linalg.eigvalsh(one.dense_hamiltonian())
    for n_particles in (0, 2, "half"):
        many = mb.anderson3d(2, 3.0, 0.7, boundary, seed=8, n_particles=n_particles)
        h, basis = check_model(many)
        np.testing.assert_allclose(
            np.linalg.eigvalsh(h), np.sort(basis.occupations @ levels), atol=1e-12
        )
        assert many.lattice == one.lattice and many.name == one.name


def test_one_fermion_is_the_particle():
    pairs = [
        (mb.dirac_syk2(6, seed=3), mb.dirac_syk2(6, seed=3, n_particles=1)),
        (mb.anderson3d(3, 5.0, seed=3), mb.anderson3d(3, 5.0, seed=3, n_particles=1)),
        (mb.anderson3d(2, 5.0, seed=3), mb.hard_core_bosons(2, 1, disorder=5.0, seed=3)),
    ]
    for one, many in pairs:
        assert isinstance(one, mb.SingleParticleModel) and isinstance(many, mb.ManyBodyModel)
        np.testing.assert_array_equal(one.dense_hamiltonian(), many.dense_hamiltonian())
        np.testing.assert_array_equal(many.couplings.values, np.eye(one.n_sites))


def test_hard_core_bosons_are_spins_on_a_cube():
    model = mb.hard_core_bosons(2, "half", 0.7, 1.1, 0.5, "periodic", seed=6)
    total = np.zeros((2**8,) * 2, dtype=complex)
    occupied = [on_site(np.diag([0.0, 1.0]), site, 8) for site in range(8)]
    x, y = ([on_site(pauli, site, 8) for site in range(8)] for pauli in (X, Y))
    corners = np.array(np.unravel_index(np.arange(8), (2, 2, 2))).T
    for i in range(8):
        total += 0.5 * drawn(6, 8)[i] * occupied[i]
        for j in range(i):
            if np.abs(corners[i] - corners[j]).sum() == 1:
                total += 0.35 * (x[i] @ x[j] + y[i] @ y[j]) + 1.1 * occupied[i] @ occupied[j]
    h, basis = check_model(model)
    np.testing.assert_allclose(h, sector(total, 4, 8), atol=1e-13)
    assert basis.statistics == "boson" and model.dimension == 70


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("boundary", ["open", "periodic"])
def test_chain_is_a_row_of_a_cube(length, boundary):
    chain = Chain(length, boundary)
    bonds = chain.bonds()
    assert [tuple(bond) for bond in bonds] == neighbours(length, boundary)
    adjacency = np.zeros((length, length))
    adjacency[bonds[:, 0], bonds[:, 1]] = adjacency[bonds[:, 1], bonds[:, 0]] = 1.0
    np.testing.assert_allclose(np.sort(chain.band()), np.linalg.eigvalsh(adjacency), atol=1e-12)
    far = np.full((length, length), np.inf)
    reached = np.eye(length)
    for steps in range(length):
        far = np.where((reached > 0) & np.isinf(far), steps, far)
        reached = reached @ (np.eye(length) + adjacency)
    np.testing.assert_array_equal(chain.distances(), far)


BUILDS = {
    "xxz": lambda **given: mb.xxz_chain(4, **given),
    "syk4": lambda **given: mb.complex_syk4(4, **given),
    "ising": lambda **given: mb.ising_chain(4, disorder=1.0, **given),
    "bosons": lambda **given: mb.hard_core_bosons(2, disorder=1.0, **given),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_seeds_of_many_particles_decide(build):
    first, again, other = (build(seed=seed).dense_hamiltonian() for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.0
    drawn_by = build(seed=np.random.default_rng(3)).dense_hamiltonian()
    np.testing.assert_array_equal(first, drawn_by)
    for seed in (None, -1, "7", 1.5, []):
        with pytest.raises(ValueError, match="seed"):
            build(seed=seed)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mb.xxz_chain(5), ValueError, "'half': 5 sites cannot be half filled"),
        (lambda: mb.xxz_chain(4, 5), ValueError, "n_particles = 5: 4 sites hold 0 to 4"),
        (lambda: mb.xxz_chain(4, -1), ValueError, "n_particles = -1"),
        (lambda: mb.xxz_chain(4, 1.5), TypeError, "n_particles = 1.5"),
        (lambda: mb.xxz_chain(4, True), TypeError, "n_particles = True"),
        (lambda: mb.xxz_chain(4, "third"), ValueError, "'third': must be 'half', an integer"),
        (lambda: mb.xxz_chain(0), ValueError, "n_sites = 0"),
        (lambda: mb.xxz_chain(4, disorder=-1.0), ValueError, "disorder = -1.0"),
        (lambda: mb.xxz_chain(4, anisotropy="1"), TypeError, "anisotropy = '1'"),
        (lambda: mb.xxz_chain(4, boundary="closed"), ValueError, "boundary = 'closed'"),
        (lambda: mb.xxz_chain(4, statistics="anyon"), ValueError, "statistics = 'anyon'"),
        (lambda: mb.xxz_chain(64, 2), ValueError, "62 bits"),
        (lambda: mb.xxz_chain(40), ValueError, "states: at most"),
        (lambda: mb.complex_syk4(3), ValueError, "3 sites cannot be half filled"),
        (lambda: mb.complex_syk4(4, coupling=0.0), ValueError, "coupling = 0.0"),
        (lambda: mb.ising_chain(2.5), TypeError, "n_sites = 2.5"),
        (lambda: mb.ising_chain(3, transverse=float("nan")), ValueError, "transverse = nan"),
        (lambda: mb.ising_chain(3, disorder=-0.1), ValueError, "disorder = -0.1"),
        (lambda: mb.hard_core_bosons(3), ValueError, "27 sites cannot be half filled"),
        (lambda: mb.hard_core_bosons(4, 1), ValueError, "n_modes = 64"),
        (lambda: mb.dirac_syk2(3, n_particles="half"), ValueError, "3 sites cannot"),
        (lambda: mb.anderson3d(1, 1.0, n_particles=2), ValueError, "1 sites hold 0 to 1"),
    ],
)
def test_bad_models_of_many_particles_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
