"""Patterns and product states by their definitions, one basis state after the other."""

import math

import numpy as np
import pytest

from manybody.errors import InputError
from manybody.physics.fock.basis import FockBasis
from manybody.physics.patterns import pattern_occupations, pattern_state, product_state
from manybody.physics.quantities.local_states import LocalMap


def spins(n):
    return FockBasis(n, "boson", max_occupation=1)


@pytest.mark.parametrize(
    ("n", "particles", "occupied"),
    [
        (6, 3, [0, 2, 4]),
        (6, None, [0, 2, 4]),
        (5, 3, [0, 2, 4]),
        (5, 2, [1, 3]),
        (5, None, [0, 2, 4]),
        (1, 1, [0]),
        (1, 0, []),
    ],
)
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_neel(n, particles, occupied, statistics):
    basis = FockBasis(n, statistics, particles, 1)
    assert np.flatnonzero(pattern_occupations(basis, "neel")).tolist() == occupied
    state = pattern_state(basis, "neel")
    (place,) = np.flatnonzero(state)
    assert state[place] == 1.0 and state.dtype == np.complex128
    assert np.flatnonzero(basis.occupations[place]).tolist() == occupied


@pytest.mark.parametrize(
    ("n", "particles", "filled"), [(6, 3, 3), (6, 1, 1), (6, 6, 6), (6, 0, 0), (5, None, 2)]
)
def test_domain_wall(n, particles, filled):
    basis = FockBasis(n, n_particles=particles)
    (place,) = np.flatnonzero(pattern_state(basis, "domain-wall"))
    assert basis.occupations[place].tolist() == [1] * filled + [0] * (n - filled)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, dtype=bool)])
def test_sequences(kind):
    basis = FockBasis(4, n_particles=2)
    (place,) = np.flatnonzero(pattern_state(basis, kind([0, 1, 1, 0])))
    assert basis.occupations[place].tolist() == [0, 1, 1, 0]


def test_patterns_that_cannot_be():
    basis = FockBasis(6, n_particles=2)
    with pytest.raises(InputError, match=r"6 sites need half as many particles.*n_particles = 2"):
        pattern_state(basis, "neel")
    with pytest.raises(InputError, match="'neel', 'domain-wall'"):
        pattern_state(basis, "stripes")
    for wrong in ([1, 1, 0], [2, 0, 0, 0, 0, 0], [0.5, 1, 0, 0, 0, 0], np.zeros((6, 1), int)):
        with pytest.raises(InputError, match="6 numbers 0 or 1"):
            pattern_state(basis, wrong)
    with pytest.raises(InputError, match="no state of this basis"):
        pattern_state(basis, [1, 1, 1, 0, 0, 0])
    for wrong in (None, 3, b"neel", {0, 1}):
        with pytest.raises(TypeError, match="are needed"):
            pattern_state(basis, wrong)
    with pytest.raises(TypeError, match="FockBasis is needed"):
        pattern_state("neel", basis)
    with pytest.raises(InputError, match="4 particles do not fit on 3 sites"):
        pattern_state(FockBasis(3, "boson", n_particles=4), "domain-wall")


@pytest.mark.parametrize("n", range(1, 7))
def test_product_states_are_products(n):
    rng = np.random.default_rng(n)
    vectors = rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    basis = spins(n)
    wanted = [math.prod(unit[j, m] for j, m in enumerate(row)) for row in basis.occupations]
    state = product_state(basis, vectors)
    np.testing.assert_allclose(state, wanted, atol=1e-14)
    sites = LocalMap(basis).one_site(np.outer(state, state.conj())[None])[0]
    np.testing.assert_allclose(sites, unit[:, :, None] * unit[:, None, :].conj(), atol=1e-14)


def test_lengths_do_not_matter():
    basis = spins(2)
    wanted = product_state(basis, [[0.6, 0.8j], [0.8, 0.6]])
    for scale in (1e-250, 3.0, 1e250):
        found = product_state(basis, scale * np.array([[0.6, 0.8j], [0.8, 0.6]]))
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_product_of_patterns_is_a_pattern():
    basis = spins(4)
    pattern = [1, 0, 0, 1]
    np.testing.assert_array_equal(
        product_state(basis, np.eye(2)[pattern]), pattern_state(basis, pattern)
    )


def test_products_that_cannot_be():
    up = np.tile([0.0, 1.0], (3, 1))
    with pytest.raises(InputError, match="fermions"):
        product_state(FockBasis(3), up)
    for basis in (
        FockBasis(3, "boson", 2, 1),
        FockBasis(3, "boson", max_occupation=1, max_particles=2),
        FockBasis(3, "boson", max_occupation=2),
    ):
        with pytest.raises(InputError, match="all 8 patterns"):
            product_state(basis, up)
    with pytest.raises(InputError, match=r"vectors has shape \(2, 2\): must be \(3, 2\)"):
        product_state(spins(3), up[:2])
    with pytest.raises(InputError, match=r"vectors\[1\] = 0"):
        product_state(spins(3), up * [[1], [0], [1]])
    with pytest.raises(InputError, match="finite"):
        product_state(spins(3), up + np.inf)
    with pytest.raises(TypeError, match="dtype"):
        product_state(spins(1), [["a", "b"]])


@pytest.mark.parametrize(
    ("n_modes", "n_particles", "occupied"),
    [
        (6, 3, [0, 2, 4]),
        (6, 2, [0, 3]),
        (7, 3, [0, 2, 4]),
        (5, 5, [0, 1, 2, 3, 4]),
        (5, 0, []),
        (8, 3, [0, 2, 5]),
        (7, 5, [0, 1, 2, 4, 5]),
    ],
)
def test_spread_particles_are_far_apart(n_modes, n_particles, occupied):
    basis = FockBasis(n_modes, "boson", n_particles, 1)
    found = np.flatnonzero(pattern_occupations(basis, "spread"))
    np.testing.assert_array_equal(found, occupied)
