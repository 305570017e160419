"""The decay of Λ_j with distance against elements by definition, one by one."""

import dataclasses
import itertools

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics.models.lattices import Cube
from manybody.physics.quantities.locality import locality_profile


def dressed(model, bath, site, lamb_shift=False):
    """Λ_j by its definition, level by level."""
    energies, vectors = np.linalg.eigh(model.dense_hamiltonian())
    n = len(energies)
    result = np.zeros((n, n), dtype=complex)
    for left, right in itertools.product(range(n), repeat=2):
        omega = energies[right] - energies[left]
        rate = 0.5 * bath.gamma(omega)
        if lamb_shift:
            rate = rate + 1j * (bath.eta(omega) - bath.eta(0.0))
        element = vectors[site, left].conj() * vectors[site, right]
        result += rate * element * np.outer(vectors[:, left], vectors[:, right].conj())
    return result


def profile_by_loops(model, bath, distances, sites, lamb_shift=False):
    """{distance: all |⟨a|Λ_j|b⟩|}."""
    found = {}
    for site in sites:
        sizes = np.abs(dressed(model, bath, site, lamb_shift))
        for a, b in itertools.product(range(len(sizes)), repeat=2):
            key = max(distances[site, a], distances[site, b])
            found.setdefault(float(key), []).append(sizes[a, b])
    return found


def compare(profile, found):
    largest = max(max(values) for values in found.values())
    assert profile.largest == pytest.approx(largest, rel=1e-10)
    assert profile.distances.tolist() == sorted(found)
    total = sum(np.sum(np.square(values)) for values in found.values())
    for index, distance in enumerate(profile.distances):
        values = np.array(found[distance])
        assert profile.n_elements[index] == len(values)
        assert profile.maximum[index] == pytest.approx(values.max() / largest, rel=1e-10)
        assert profile.rms[index] == pytest.approx(np.sqrt(np.mean(values**2)) / largest)
        further = sum(np.sum(np.square(found[d])) for d in found if d >= distance)
        assert profile.outside[index] == pytest.approx(further / total)


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_distances_are_the_fewest_bonds(length, boundary):
    """Breadth-first search over the bonds of the lattice."""
    n = length**3
    beside = np.eye(n, dtype=bool)
    for a, b in Cube(length, boundary).bonds():
        beside[a, b] = beside[b, a] = True
    reached, expected = np.eye(n, dtype=bool), np.zeros((n, n), dtype=int)
    while not reached.all():
        expected += ~reached
        reached = reached @ beside
    np.testing.assert_array_equal(Cube(length, boundary).distances(), expected)


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("length", [2, 3])
def test_cubes(bath, length, boundary):
    model = mb.anderson3d(length, 3.0, boundary=boundary, seed=4)
    sites = range(length**3)
    if length == 3:
        sites = np.sort(np.random.default_rng(5).choice(27, size=4, replace=False))
    profile = locality_profile(model, bath, n_centres=len(sites), seed=5)
    np.testing.assert_array_equal(profile.centres, sites)
    found = profile_by_loops(model, bath, Cube(length, boundary).distances(), sites)
    compare(profile, found)


def test_complex_partial_shifted(bath, rng):
    """Any matrix, any distances, some sites, η on."""
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 7), [1, 2, 6])
    distances = np.abs(np.subtract.outer(np.arange(7), np.arange(7))) * 0.9
    profile = locality_profile(model, bath, distances, n_centres=None, lamb_shift=True)
    found = profile_by_loops(model, bath, np.floor(distances + 0.5), [1, 2, 6], lamb_shift=True)
    compare(profile, found)
    assert profile.outside[0] == pytest.approx(1.0)


def test_counts_of_rows(bath):
    model = mb.anderson3d(2, 3.0, seed=1)
    profile = locality_profile(model, bath, thresholds=[0.2, 0.01])
    expected = np.zeros(2)
    for site in range(8):
        sizes = np.abs(dressed(model, bath, site))
        expected += [np.count_nonzero(sizes[site] > share * sizes.max()) for share in (0.2, 0.01)]
    np.testing.assert_allclose(profile.row_counts, expected / 8)


def test_localised_is_more_local(bath):
    weak, strong = (
        locality_profile(mb.anderson3d(4, disorder, seed=2), bath, n_centres=8)
        for disorder in (3.0, 40.0)
    )
    assert weak.distances.tolist() == list(range(7))
    assert np.all(strong.rms[2:] < 0.5 * weak.rms[2:])
    assert np.all(strong.outside[3:] < 0.2 * weak.outside[3:])
    assert np.all(np.diff(strong.outside) < 0.0)
    assert np.all(weak.rms_error > 0.0) and np.all(weak.rms_error[:3] < 0.3 * weak.rms[:3])


def test_the_counts_of_a_larger_cube(bath):
    """W = 3, L = 8: about 50, 150 and 400 entries of a row (docs/physics.md section 3)."""
    profile = locality_profile(mb.anderson3d(8, 3.0, seed=1), bath, n_centres=6)
    assert 30 < profile.row_counts[0] < 65
    assert 110 < profile.row_counts[1] < 190
    assert 350 < profile.row_counts[2] < 480
    assert np.all(np.diff(profile.rms[:9]) < 0.0)
    # Not exponential: the second four steps cost far less than the first.
    assert profile.rms[4] / profile.rms[0] < 0.1 * profile.rms[8] / profile.rms[4]


def test_error_is_that_of_centres(bath):
    model = mb.anderson3d(4, 3.0, seed=2)
    draws = [locality_profile(model, bath, n_centres=6, seed=s) for s in range(60)]
    found = np.std([draw.rms * draw.largest for draw in draws], axis=0, ddof=1)
    told = np.mean([draw.rms_error * draw.largest for draw in draws], axis=0)
    # Six of 64 without replacement scatter a little less than told.
    np.testing.assert_allclose(told[1:6], found[1:6], rtol=0.35)
    assert np.isnan(locality_profile(model, bath, n_centres=1).rms_error).all()


def test_frozen_and_the_cube_given_by_hand(bath):
    anderson = mb.anderson3d(2, 3.0, seed=4)
    bare = mb.SingleParticleModel(anderson.hamiltonian)
    first = locality_profile(anderson, bath)
    second = locality_profile(bare, bath, Cube(2, "periodic"))
    np.testing.assert_array_equal(first.rms, second.rms)
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.largest = 1.0


@pytest.mark.parametrize(
    ("keywords", "error", "pattern"),
    [
        ({}, ValueError, "does not say which lattice"),
        ({"distances": Cube(3, "open")}, ValueError, r"shape \(27, 27\): must be \(8, 8\)"),
        ({"distances": np.zeros((3, 3))}, ValueError, r"shape \(3, 3\)"),
        ({"distances": np.eye(8)}, ValueError, "symmetric and zero"),
        ({"distances": np.full((8, 8), np.nan)}, ValueError, "contains nan"),
        ({"distances": -np.ones((8, 8))}, ValueError, "contains -1"),
        ({"distances": np.zeros((8, 8), dtype=complex)}, TypeError, "complex128"),
        ({"distances": np.zeros((8, 8)), "n_centres": 0}, ValueError, "n_centres = 0"),
        ({"distances": np.zeros((8, 8)), "thresholds": [1.0]}, ValueError, "entry = 1.0"),
        ({"distances": np.zeros((8, 8)), "lamb_shift": 1}, TypeError, "lamb_shift = 1"),
        ({"distances": np.zeros((8, 8)), "seed": None}, TypeError, "seed = None"),
    ],
)
def test_bad_input(bath, rng, keywords, error, pattern):
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 8))
    with pytest.raises(error, match=pattern):
        locality_profile(model, bath, **keywords)


def test_no_coupling(bath):
    model = mb.anderson3d(2, 3.0)
    with pytest.raises(ValueError, match="bath: γ = 0 everywhere"):
        locality_profile(model, mb.OhmicBath(0.0, 10.0, 5.0))
    with pytest.raises(ValueError, match="does not say which lattice its sites form"):
        locality_profile(np.eye(8), bath)
    with pytest.raises(TypeError, match="SingleParticleModel is needed"):
        locality_profile(mb.xxz_chain(4), bath)
