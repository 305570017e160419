"""Expectation values: operators by name and given ones, against their definitions."""

import functools
import operator

import numpy as np
import oracles
import pytest
import scipy.sparse as sp
from fock_oracles import correlation_matrix

import manybody as mb
from manybody.physics.fock.basis import FockBasis
from manybody.physics.problem import Problem
from manybody.physics.quantities.expectations import NAMED, Expectation, Places, expectation_of

BATH = mb.OhmicBath(0.2, 10.0, 5.0)
BASES = {
    "fermions": FockBasis(4, "fermion", 2),
    "fermions of every number": FockBasis(3, "fermion"),
    "bosons": FockBasis(3, "boson", 2),
    "hard-core bosons": FockBasis(4, "boson", 2, 1),
}


def random_states(rng, count, dimension):
    """Hermitian, of trace one, not positive."""
    draw = rng.normal(size=(count, dimension, dimension)) + 1j * rng.normal(
        size=(count, dimension, dimension)
    )
    draw = draw + np.swapaxes(draw.conj(), 1, 2)
    return draw + (1.0 - np.trace(draw, axis1=1, axis2=2))[:, None, None] * np.eye(dimension) / (
        dimension
    )


def many(rng, basis):
    hamiltonian = oracles.random_hermitian(rng, basis.dimension)
    return mb.ManyBodyModel(hamiltonian, basis.occupations.T.astype(float), basis=basis)


def seen(model, name, states):
    expectation = expectation_of(name, name)
    return expectation.operators(Problem([model], BATH)).sums()(states)


def test_names_of_one_particle(rng):
    hamiltonian = oracles.random_hermitian(rng, 5)
    states = random_states(rng, 3, 5)
    model = mb.SingleParticleModel(hamiltonian)
    found = seen(model, "populations", states)
    np.testing.assert_allclose(found, np.einsum("taa->ta", states).real, atol=1e-15)
    energy = [np.trace(hamiltonian @ state).real for state in states]
    np.testing.assert_allclose(seen(model, "energy", states)[:, 0], energy, atol=1e-13)
    coherence = seen(model, "coherence-4-1", states) @ [1.0, 1j]
    np.testing.assert_allclose(coherence, states[:, 4, 1], atol=1e-15)
    # What leaves a site goes through its bonds.
    change = -1j * (hamiltonian @ states - states @ hamiltonian)[:, 2, 2]
    into = [seen(model, f"current-{site}-2", states)[:, 0] for site in (0, 1, 3, 4)]
    np.testing.assert_allclose(np.sum(into, axis=0), change.real, atol=1e-13)
    np.testing.assert_allclose(into[0], -seen(model, "current-2-0", states)[:, 0], atol=1e-14)
    np.testing.assert_allclose(into[0], 2 * (hamiltonian[2, 0] * states[:, 0, 2]).imag, atol=1e-14)


@pytest.mark.parametrize("kind", list(BASES))
def test_names_of_many_particles(kind, rng):
    """Coherences by the correlation matrix C_qp = ⟨a_p†a_q⟩."""
    basis = BASES[kind]
    model, states = many(rng, basis), random_states(rng, 2, basis.dimension)
    matrices = np.array([correlation_matrix(basis, state) for state in states])
    populations = seen(model, "populations", states)
    np.testing.assert_allclose(populations, np.einsum("taa->ta", matrices).real, atol=1e-13)
    for a, b in ((0, 2), (2, 0), (1, 2)):
        found = seen(model, f"coherence-{a}-{b}", states) @ [1.0, 1j]
        np.testing.assert_allclose(found, matrices[:, a, b], atol=1e-13)
    energy = np.einsum("ab,tba->t", model.hamiltonian, states).real
    np.testing.assert_allclose(seen(model, "energy", states)[:, 0], energy, atol=1e-13)


@pytest.mark.parametrize("form", ["dense", "real", "csr", "csc", "diagonal", "integers"])
def test_given_operators_and_sums_over_columns(form, rng):
    dimension = 6
    matrix = oracles.random_hermitian(rng, dimension, real=form == "real")
    given = {
        "csr": sp.csr_matrix(matrix),
        "csc": sp.csc_array(matrix),
        "diagonal": np.diagonal(matrix).real.copy(),
        "integers": np.arange(dimension),
    }.get(form, matrix)
    dense = given.toarray() if sp.issparse(given) else given
    dense = np.diag(dense) if dense.ndim == 1 else dense
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, dimension))
    operators = expectation_of("mine", given).operators(Problem([model], BATH))
    states = random_states(rng, 4, dimension)
    expected = np.einsum("ab,tba->t", dense, states).real
    np.testing.assert_allclose(operators.sums()(states)[:, 0], expected, atol=1e-13)
    borders = [0, 2, 3, dimension]
    parts = [slice(first, stop) for first, stop in zip(borders, borders[1:])]
    total = functools.reduce(
        operator.add, (operators.sums(own)(states[:, :, own]) for own in parts)
    )
    np.testing.assert_allclose(total[:, 0], expected, atol=1e-13)


@pytest.mark.parametrize("stem", list(NAMED))
def test_every_name_says_what_it_is(stem, rng):
    """Also of systems where it has several values."""
    known = NAMED[stem]
    name = "-".join([stem, *map(str, range(known.n_sites))])
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 4))
    expectation, places = expectation_of(name, name), Places(4, 4)
    expectation.check(places)
    values = seen(model, name, random_states(rng, 1, 4))
    labels = expectation.components(places)
    assert values.shape == (1, 1 if labels is None else len(labels))
    assert expectation.unit in ("1", "J") and "{" not in expectation.meaning
    sums = [sum(map(float, own)) for own in values]
    assert np.isfinite(sums).all()
    for site in range(known.n_sites):
        far = "-".join([stem, *(str(site + 3 * (k == site)) for k in range(known.n_sites))])
        with pytest.raises(ValueError, match="allowed are 0 to 3|two different"):
            expectation_of(far, far.replace("3", "4")).check(places)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("population", "must be one of populations, energy, coherence-A-B, current-A-B"),
        ("populations-1", "must be one of"),
        ("coherence-1", "must be one of"),
        ("coherence-1-01", "must be one of"),
        ("coherence-1-²", "must be one of"),
        ("coherence-1-1", "two different sites"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), r"not Hermitian: max \|M - M†\| = 1"),
        (np.array([1.0, 1j]), "not real"),
        (np.array([1.0, np.nan]), "finite"),
        (np.ones((2, 3)), r"shape \(2, 3\)"),
        (np.array(["a", "b"]), "dtype"),
        (np.empty((0, 0)), "shape"),
        (lambda: None, "of type function"),
    ],
)
def test_what_is_no_operator_is_a_sentence(given, words):
    with pytest.raises(ValueError, match=words) as caught:
        expectation_of("x", given)
    assert "expectations" in str(caught.value)


def test_systems_without_such_places_are_named(rng):
    bare = Places(4, 2, None, is_many=True)
    chain = Places(6, 4, FockBasis(4, "fermion", 2), is_many=True)
    for name in ("populations", "coherence-0-1"):
        with pytest.raises(ValueError, match="no occupations"):
            expectation_of(name, name).check(bare)
        expectation_of(name, name).check(chain)
    for places in (bare, chain):
        with pytest.raises(ValueError, match="of one particle"):
            expectation_of("current-0-1", "current-0-1").check(places)
    with pytest.raises(ValueError, match=r"must be \(6,\) or \(6, 6\)"):
        expectation_of("x", np.eye(5)).check(chain)


def test_what_differs_has_another_name_among_ranks(rng):
    """Ranks that share a sample compare these."""
    matrix = oracles.random_hermitian(rng, 4)
    other = matrix.copy()
    other[0, 0] += 1e-9
    names = {
        repr(expectation_of("x", given))
        for given in (matrix, other, sp.csr_array(matrix), "energy", "populations")
    }
    assert len(names) == 5
    assert repr(expectation_of("x", matrix)) == repr(expectation_of("x", matrix.copy()))
    assert isinstance(expectation_of("x", matrix), Expectation)
