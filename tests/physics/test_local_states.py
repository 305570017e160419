"""Reduced states against Kronecker products and reshaped partial traces, and what follows."""

import itertools

import many_body_oracles as slow
import numpy as np
import pytest
import scipy.sparse as sp
from fock_oracles import correlation_matrix
from many_body_cases import even_state, random_matrix

from manybody.errors import InputError
from manybody.physics.fock.basis import FockBasis
from manybody.physics.quantities.entropies import von_neumann_entropy
from manybody.physics.quantities.local_figures import local_figures, local_trace_norms
from manybody.physics.quantities.local_states import LocalMap, LocalSums

PAIR_ORDER = [(0, 0), (1, 0), (0, 1), (1, 1)]
FIGURES = ("density_largest", "energy_difference", "one_site_largest", "one_site_mean")


def fermions(n):
    return [
        FockBasis(n),
        *(FockBasis(n, n_particles=m) for m in range(n + 1)),
        FockBasis(n, max_particles=max(1, n // 2)),
    ]


def spins(n):
    return [
        FockBasis(n, "boson", max_occupation=1),
        *(FockBasis(n, "boson", m, 1) for m in range(n + 1)),
        FockBasis(n, "boson", max_occupation=1, max_particles=max(1, n // 2)),
    ]


ALL = [basis for n in range(1, 7) for basis in (*fermions(n), *spins(n))]


def name(basis):
    parts = (basis.statistics, basis.n_modes, basis.n_particles, basis.max_particles)
    return " ".join(map(str, parts))


EVERY = pytest.mark.parametrize("basis", ALL, ids=name)


def embedded(basis, state):
    """The same ρ among all 2^N states: keys count them."""
    full = np.zeros((2**basis.n_modes,) * 2, dtype=complex)
    full[np.ix_(basis.keys, basis.keys)] = state
    return full


def expected_elements(basis, state, modes):
    """⟨x|ρ_modes|y⟩ = tr(ρ |y⟩⟨x|), |y⟩⟨x| = Π(a†)^y |0⟩⟨0| (Π(a†)^x)† from ladder operators."""
    full = embedded(basis, state)
    ladder = slow.ladder_operators(basis.n_modes, basis.statistics)
    chosen = [ladder[mode] for mode in modes]
    empty = np.eye(len(full))
    for lower in chosen:
        empty = empty @ lower @ lower.T

    def raised(occupations):
        total = np.eye(len(full))
        for lower, present in zip(chosen, occupations):
            total = total @ (lower.T if present else np.eye(len(full)))
        return total @ empty

    order = PAIR_ORDER if len(modes) == 2 else [(0,), (1,)]
    kets = [raised(occupations) for occupations in order]
    return np.array([[np.sum((y @ x.T).T * full) for y in kets] for x in kets])


def reshaped_trace(basis, state, modes):
    """Partial trace by reshaping, for spins."""
    n = basis.n_modes
    tensor = embedded(basis, state).reshape((2,) * (2 * n))
    # Site 0 turns fastest, so it is the last axis of either side.
    rows, columns = list(range(n - 1, -1, -1)), list(range(2 * n - 1, n - 1, -1))
    labels = [0] * (2 * n)
    for site in range(n):
        labels[rows[site]] = site
        labels[columns[site]] = n + site if site in modes else site
    kept = [*reversed(modes), *(n + mode for mode in reversed(modes))]
    return np.einsum(tensor, labels, kept).reshape((2 ** len(modes),) * 2)


def hermitian(rng, dimension):
    matrix = random_matrix(rng, dimension)
    return matrix + matrix.conj().T


def density_matrix(rng, dimension):
    root = random_matrix(rng, dimension)
    rho = root @ root.conj().T
    return rho / np.trace(rho)


def stack(rng, basis, times=2):
    return np.stack([random_matrix(rng, basis.dimension) for _ in range(times)])


@EVERY
def test_all_reduced_states_of_any_matrix(basis):
    rng = np.random.default_rng(7)
    states, local = stack(rng, basis), LocalMap(basis)
    one, two = local.one_site(states), local.two_site(states)
    assert one.shape == (2, basis.n_modes, 2, 2)
    assert two.shape == (2, len(local.pairs), 4, 4)
    assert local.pairs.tolist() == [
        list(pair) for pair in itertools.combinations(range(basis.n_modes), 2)
    ]
    for t, state in enumerate(states):
        for j in range(basis.n_modes):
            wanted = expected_elements(basis, state, [j])
            np.testing.assert_allclose(one[t, j], wanted, atol=1e-12)
        for p, pair in enumerate(local.pairs):
            wanted = expected_elements(basis, state, list(pair))
            np.testing.assert_allclose(two[t, p], wanted, atol=1e-12)


@pytest.mark.parametrize("basis", [b for b in ALL if b.statistics == "boson"], ids=name)
def test_spins_have_the_ordinary_partial_trace(basis):
    states, local = stack(np.random.default_rng(8), basis, 1), LocalMap(basis)
    for j, found in enumerate(local.one_site(states)[0]):
        np.testing.assert_allclose(found, reshaped_trace(basis, states[0], [j]), atol=1e-12)
    for pair, found in zip(local.pairs.tolist(), local.two_site(states)[0]):
        np.testing.assert_allclose(found, reshaped_trace(basis, states[0], pair), atol=1e-12)


@EVERY
def test_columns_in_three_parts_add_up(basis):
    rng = np.random.default_rng(9)
    states, h = stack(rng, basis), hermitian(rng, basis.dimension)
    whole = LocalMap(basis).sums(states, h)
    cuts = np.sort(rng.integers(0, basis.dimension + 1, 2))
    parts = [slice(0, cuts[0]), slice(cuts[0], cuts[1]), slice(cuts[1], None)]
    sums = [LocalMap(basis, own).sums(states[:, :, own], h) for own in parts]
    total = sums[0] + sums[1] + sums[2]
    np.testing.assert_allclose(total.values, whole.values, atol=1e-11)
    densities = sum(LocalMap(basis, own).densities(states[:, :, own]) for own in parts)
    np.testing.assert_allclose(densities, whole.densities, atol=1e-12)


@EVERY
def test_sums_hold_what_each_method_gives(basis):
    rng = np.random.default_rng(10)
    states = np.stack([hermitian(rng, basis.dimension) for _ in range(3)])
    h, local = hermitian(rng, basis.dimension), LocalMap(basis)
    sums = local.sums(states, h)
    assert isinstance(sums, LocalSums)
    np.testing.assert_array_equal(sums.one_site, local.one_site(states))
    np.testing.assert_array_equal(sums.two_site, local.two_site(states))
    np.testing.assert_allclose(sums.densities, local.densities(states), atol=1e-12)
    energies = [np.trace(h @ state) for state in states]
    scale = np.abs(h).sum() * np.abs(states).max()
    np.testing.assert_allclose(sums.energy, np.real(energies), atol=1e-14 * scale)
    np.testing.assert_allclose(local.expectation(states, h), energies, atol=1e-14 * scale)
    squares = [np.trace(state @ state).real for state in states]
    for found in (sums.purity, local.purity(states)):
        np.testing.assert_allclose(found, squares, rtol=1e-12)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_matrix, sp.coo_array])
@pytest.mark.parametrize("is_real", [False, True])
def test_operators_of_every_format(kind, is_real):
    basis = FockBasis(5, n_particles=2)
    rng = np.random.default_rng(11)
    states, m = stack(rng, basis), hermitian(rng, 10)
    m[np.abs(m) < 1.0] = 0.0
    m = m.real if is_real else m
    wanted = [np.trace(m @ state) for state in states]
    np.testing.assert_allclose(LocalMap(basis).expectation(states, kind(m)), wanted, rtol=1e-12)
    own = slice(3, 8)
    part = LocalMap(basis, own).expectation(states[:, :, own], kind(m))
    wanted = [np.sum(m.conj()[:, own] * state[:, own]) for state in states]
    np.testing.assert_allclose(part, wanted, rtol=1e-12)


def test_a_large_operator_is_measured_in_panels():
    basis = FockBasis(10, n_particles=4)
    rng = np.random.default_rng(12)
    state, h = random_matrix(rng, 210), hermitian(rng, 210).real
    found = LocalMap(basis).expectation(state[None], h)
    np.testing.assert_allclose(found, [np.trace(h @ state)], rtol=1e-11)


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_two_sites_are_their_own_reduced_state(statistics):
    basis = FockBasis(2, statistics, max_occupation=1)
    states = stack(np.random.default_rng(13), basis)
    np.testing.assert_array_equal(LocalMap(basis).two_site(states)[:, 0], states)


@EVERY
def test_pairs_trace_to_sites_and_hops_to_correlations(basis):
    """tr_j ρ_ij = ρ_i where |n_i n_j⟩ is a tensor; of fermions the even part is."""
    rng = np.random.default_rng(14)
    states, local = stack(rng, basis, 1), LocalMap(basis)
    one, two = local.one_site(states)[0], local.two_site(states)[0]
    correlations = correlation_matrix(basis, states[0])
    for (i, j), pair in zip(local.pairs, two):
        np.testing.assert_allclose(
            np.diag(one[i]), [pair[0, 0] + pair[2, 2], pair[1, 1] + pair[3, 3]]
        )
        np.testing.assert_allclose(
            np.diag(one[j]), [pair[0, 0] + pair[1, 1], pair[2, 2] + pair[3, 3]]
        )
        # C_qp = ⟨a_p†a_q⟩, and ⟨10|ρ_ij|01⟩ = ⟨a_j†a_i⟩.
        np.testing.assert_allclose(pair[1, 2], correlations[i, j], atol=1e-12)
        np.testing.assert_allclose(pair[2, 1], correlations[j, i], atol=1e-12)


def test_the_string_between_two_modes_counts():
    """(|1 1 0⟩ + |0 1 1⟩)/√2: the particle that hops passes the one in the middle."""
    for statistics, sign in (("fermion", -1.0), ("boson", 1.0)):
        basis = FockBasis(3, statistics, 2, 1)
        psi = np.zeros(3)
        psi[basis.find([[1, 1, 0], [0, 1, 1]])] = 0.5**0.5
        local = LocalMap(basis)
        pair = local.two_site(np.outer(psi, psi)[None])[0, 1]
        assert local.pairs[1].tolist() == [0, 2]
        np.testing.assert_allclose(pair[1, 2], 0.5 * sign)


@EVERY
def test_reduced_states_of_states_are_states_and_distances_shrink(basis):
    rng = np.random.default_rng(15)
    first, second = (density_matrix(rng, basis.dimension) for _ in range(2))
    local = LocalMap(basis)
    whole = np.abs(np.linalg.eigvalsh(first - second)).sum()
    for reduced in (local.one_site, local.two_site):
        states = reduced(np.stack([first, second]))
        traces = np.trace(states, axis1=2, axis2=3)
        np.testing.assert_allclose(traces, np.ones(states.shape[:2]), rtol=1e-12)
        np.testing.assert_allclose(states, np.swapaxes(states.conj(), 2, 3), atol=1e-15)
        assert np.all(np.linalg.eigvalsh(states) > -1e-14)
        assert np.all(local_trace_norms(states[0] - states[1]) <= whole + 1e-13)


@EVERY
def test_elements_between_parities_vanish_in_even_states(basis):
    states = even_state(np.random.default_rng(16), basis)[None]
    one, two = LocalMap(basis).one_site(states), LocalMap(basis).two_site(states)
    assert not one[:, :, 0, 1].any()
    assert not two[:, :, [0, 0, 3, 3], [1, 2, 1, 2]].any()
    if basis.n_particles is not None:
        assert not two[:, :, 0, 3].any()


def test_real_strided_and_no_states():
    basis = FockBasis(4, n_particles=2)
    rng = np.random.default_rng(17)
    states, h = stack(rng, basis, 4), hermitian(rng, 6)
    local = LocalMap(basis)
    whole = local.sums(states, h)
    np.testing.assert_allclose(
        local.sums(np.asfortranarray(states)[::2], h).values, whole.values[::2], atol=1e-13
    )
    np.testing.assert_allclose(
        local.one_site(states.real), local.one_site(states.real + 0j), atol=1e-15
    )
    assert local.sums(states[:0], h).two_site.shape == (0, 6, 4, 4)
    assert LocalMap(basis, slice(2, 2)).one_site(states[:, :, :0]).shape == (4, 4, 2, 2)


def test_what_is_refused():
    with pytest.raises(InputError, match="up to 2 particles a mode"):
        LocalMap(FockBasis(3, "boson", n_particles=2))
    with pytest.raises(TypeError, match="FockBasis is needed"):
        LocalMap(4)
    basis = FockBasis(4, n_particles=2)
    with pytest.raises(InputError, match="step 1"):
        LocalMap(basis, slice(None, None, 2))
    local = LocalMap(basis, slice(0, 4))
    with pytest.raises(InputError, match=r"\(2, 6, 6\): must be \(T, 6, 4\)"):
        local.one_site(np.zeros((2, 6, 6)))
    with pytest.raises(TypeError, match="numeric array"):
        local.densities([[0.0]])
    with pytest.raises(InputError, match=r"operator has shape \(4, 4\)"):
        local.expectation(np.zeros((2, 6, 4)), np.eye(4))
    with pytest.raises(TypeError, match="dtype"):
        local.expectation(np.zeros((2, 6, 4)), np.full((6, 6), "a"))


def test_norms_of_blocks_and_of_any_difference():
    rng = np.random.default_rng(18)
    even = np.equal.outer([0, 1, 1, 0], [0, 1, 1, 0])
    for size, mask in ((2, True), (4, even), (4, True)):
        x = np.stack([hermitian(rng, size) for _ in range(60)]).reshape(5, 12, size, size) * mask
        wanted = np.abs(np.linalg.eigvalsh(x)).sum(axis=-1)
        np.testing.assert_allclose(local_trace_norms(x), wanted, rtol=1e-13)
    # Definite, singular and zero blocks.
    for block in ([[2, 1], [1, 2]], [[-3, 0], [0, -1]], [[1, 1], [1, 1]], [[0, 0], [0, 0]]):
        wanted = np.abs(np.linalg.eigvalsh(block)).sum()
        np.testing.assert_allclose(local_trace_norms(np.array(block, complex)), wanted)


def test_differences_whose_squares_underflow_keep_their_digits():
    tiny = 1e-200 * np.array([[1.0, 2.0j], [-2.0j, -1.0]])
    np.testing.assert_allclose(local_trace_norms(tiny), 2e-200 * 5.0**0.5, rtol=1e-14)


@pytest.mark.parametrize(
    "basis",
    [FockBasis(4), FockBasis(5, n_particles=2), FockBasis(3, "boson", max_occupation=1)],
    ids=name,
)
def test_figures_of_three_equations(basis):
    rng = np.random.default_rng(19)
    n, h = basis.n_modes, hermitian(rng, basis.dimension)
    states = {
        each: np.stack([density_matrix(rng, basis.dimension) for _ in range(3)])
        for each in ("redfield", "davies", "local")
    }
    local = LocalMap(basis)
    figures = local_figures({each: local.sums(rho, h) for each, rho in states.items()})
    assert list(figures.of_equation) == list(states)
    assert list(figures.of_pair) == list(itertools.combinations(states, 2))
    for each, rho in states.items():
        own = figures.of_equation[each]
        assert set(own) == {"density", "energy", "purity"}
        for t, state in enumerate(rho):
            density = [np.diag(state).real @ basis.occupations[:, j] for j in range(n)]
            np.testing.assert_allclose(own["density"][t], density)
            np.testing.assert_allclose(own["energy"][t], np.trace(h @ state).real / n)
            np.testing.assert_allclose(own["purity"][t], np.trace(state @ state).real)
    for (a, b), found in figures.of_pair.items():
        assert set(found) == {*FIGURES, "two_site_largest", "two_site_mean"}
        for t in range(3):
            change = states[a][t] - states[b][t]
            ones = [_norm(expected_elements(basis, change, [j])) for j in range(n)]
            twos = [_norm(expected_elements(basis, change, list(p))) for p in local.pairs]
            wanted = {
                "one_site_largest": max(ones),
                "one_site_mean": np.mean(ones),
                "two_site_largest": max(twos),
                "two_site_mean": np.mean(twos),
                "density_largest": max(abs(np.diag(change).real @ basis.occupations)),
                "energy_difference": np.trace(h @ change).real / n,
            }
            for each, value in wanted.items():
                np.testing.assert_allclose(found[each][t], value, rtol=1e-11, err_msg=each)


def _norm(matrix):
    return np.abs(np.linalg.eigvalsh(matrix)).sum()


def test_one_site_has_no_pairs():
    basis = FockBasis(1)
    local, h = LocalMap(basis), np.eye(2)
    sums = {each: local.sums(np.eye(2)[None] / 2, h) for each in "ab"}
    found = local_figures(sums).of_pair["a", "b"]
    assert np.isnan(found["two_site_largest"]).all() and np.isnan(found["two_site_mean"]).all()
    assert all(found[each] == 0.0 for each in FIGURES)


def test_sums_of_different_times_are_refused():
    basis = FockBasis(2)
    local, h = LocalMap(basis), np.eye(4)
    states = stack(np.random.default_rng(20), basis, 3)
    with pytest.raises(InputError, match="must be equal"):
        local_figures({"a": local.sums(states, h), "b": local.sums(states[:2], h)})


def test_entropy_of_known_spectra():
    rng = np.random.default_rng(21)
    unitary = np.linalg.qr(random_matrix(rng, 5))[0]
    spectra = np.array([[0.5, 0.3, 0.2, 0.0, 0.0], [0.2] * 5, [1.0, 0.3, 0.0, -0.1, -0.2]])
    states = (unitary * spectra[:, None, :]) @ unitary.conj().T
    found = von_neumann_entropy(states)
    wanted = [-sum(x * np.log(x) for x in each if x > 0) for each in spectra]
    np.testing.assert_allclose(found.value, wanted, atol=1e-13)
    np.testing.assert_allclose(found.negative_weight, [0.0, 0.0, 0.3], atol=1e-14)


def test_both_halves_of_a_pure_state_are_equally_mixed():
    basis = FockBasis(4, n_particles=2)
    psi = random_matrix(np.random.default_rng(22), 6)[0]
    psi /= np.linalg.norm(psi)
    local = LocalMap(basis)
    pairs = dict(zip(map(tuple, local.pairs), local.two_site(np.outer(psi, psi.conj())[None])[0]))
    for half in ((0, 1), (0, 2), (0, 3)):
        other = tuple(site for site in range(4) if site not in half)
        found = von_neumann_entropy(np.stack([pairs[half], pairs[other]])).value
        np.testing.assert_allclose(found[0], found[1], atol=1e-12)
        assert found[0] > 0.1
