"""Every registered equation as a matrix: what it guarantees holds, what it does not is broken."""

from functools import cache

import numpy as np
import oracles
import pytest
from further_cases import ONE, cases
from toy_equations import registered

import manybody as mb
from manybody.physics.baths.several import check_baths
from manybody.physics.equations import registry
from manybody.physics.liouvillians import liouvillian_of
from manybody.physics.problem import Problem
from manybody.physics.reference import gibbs_state

NAMES = (*registry.EQUATIONS, "partial-secular-0.4")
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
EVERY = pytest.mark.parametrize("name", NAMES)
# Patches of all radii end somewhere in it.
CHAIN = mb.xxz_chain(8, n_particles=1, disorder=2.0, seed=3)
CASES = {**cases(), "chain": (CHAIN, ONE)}


@cache
def matrix_of(name, kind, lamb_shift):
    return mb.liouvillian(*CASES[kind], name, lamb_shift).toarray()


def applicable(name):
    return [
        kind for kind, (model, _) in CASES.items() if not registry.EQUATIONS[name].applies(model)
    ]


@EVERY
@BOTH
def test_trace_and_hermiticity(name, lamb_shift):
    keeps = registry.EQUATIONS[name].keeps
    assert keeps.trace and keeps.hermiticity and applicable(name)
    for kind in applicable(name):
        matrix = matrix_of(name, kind, lamb_shift)
        n, size = CASES[kind][0].dimension, np.linalg.norm(matrix)
        assert np.abs(np.eye(n).ravel() @ matrix).max() < 1e-13 * size
        four = matrix.reshape(n, n, n, n)
        turned = four.transpose(1, 0, 3, 2).conj()
        np.testing.assert_allclose(four, turned, atol=1e-13 * size)


@EVERY
@BOTH
def test_complete_positivity(name, lamb_shift):
    lowest = []
    for kind in applicable(name):
        matrix = matrix_of(name, kind, lamb_shift)
        lowest.append(mb.choi_eigenvalue(matrix) / np.linalg.norm(matrix, 2))
    if registry.EQUATIONS[name].keeps.complete_positivity:
        assert min(lowest) > -1e-12
    else:
        assert min(lowest) < -1e-5


def relative_residual(name, kind, lamb_shift):
    """Of L[ρ_Gibbs]; baths of the case are those of its first."""
    model = CASES[kind][0]
    matrix = mb.liouvillian(model, ONE, name, lamb_shift).toarray()
    gibbs = gibbs_state(model.dense_hamiltonian(), ONE.beta)
    return np.abs(matrix @ gibbs.ravel()).max() / np.linalg.norm(matrix, 2)


@EVERY
@BOTH
def test_the_gibbs_state_is_stationary_at_equal_temperatures(name, lamb_shift):
    keeps = registry.EQUATIONS[name].keeps
    residuals = [relative_residual(name, kind, lamb_shift) for kind in applicable(name)]
    if keeps.gibbs_with_lamb_shift if lamb_shift else keeps.gibbs:
        assert max(residuals) < 1e-13
    else:
        assert max(residuals) > 1e-7


@pytest.mark.parametrize("name", [each for each in NAMES if "matrices" in applicable(each)])
@BOTH
def test_matrix_couplings_may_be_turned_with_the_hamiltonian(name, lamb_shift, rng):
    turn = oracles.random_unitary(rng, 4)
    both = np.kron(turn, turn.conj())
    for kind in ("matrices", "ladder"):
        model, given = CASES[kind]
        turned = mb.ManyBodyModel(
            turn @ model.dense_hamiltonian() @ turn.conj().T,
            [turn @ one @ turn.conj().T for one in model.couplings.matrices()],
        )
        found = mb.liouvillian(turned, given, name, lamb_shift).toarray()
        expected = both @ matrix_of(name, kind, lamb_shift) @ both.conj().T
        np.testing.assert_allclose(found, expected, atol=1e-11)


@EVERY
def test_the_matrix_is_what_is_stepped(name, rng):
    """Its exponential is the evolution of `compare`."""
    kind = applicable(name)[0]
    model, given = CASES[kind]
    other = "davies" if name != "davies" else "redfield"
    times = [0.0, 0.6, 2.5]
    run = mb.compare(model, given, times, equations=(name, other), keep_states=True)
    expected = oracles.propagate(matrix_of(name, kind, False), run.states[name][0], times)
    np.testing.assert_allclose(run.states[name], expected, atol=1e-9)


def test_the_two_that_were_there_are_the_same():
    model, given = CASES["degenerate"]
    for name, build in (("redfield", mb.redfield_liouvillian), ("davies", mb.davies_liouvillian)):
        for lamb_shift in (False, True):
            found = build(model, given, lamb_shift).toarray()
            np.testing.assert_array_equal(found, matrix_of(name, "degenerate", lamb_shift))
    assert mb.liouvillian(model, given, "davies").clustering == "structural"
    assert mb.liouvillian(model, given, "local").clustering is None


def test_equations_from_outside_have_matrices_too(rng):
    """A closed one by its derivative."""
    model = CASES["complex"][0]
    hamiltonian = model.dense_hamiltonian()
    with registered():
        found = mb.liouvillian(model, ONE, "unitary").toarray()
        halved = mb.liouvillian(model, ONE, "halved").toarray()
    identity = np.eye(4)
    unitary = -1j * (np.kron(hamiltonian, identity) - np.kron(identity, hamiltonian.T))
    np.testing.assert_allclose(found, unitary, atol=1e-13)
    redfield = matrix_of("redfield", "complex", False)
    np.testing.assert_allclose(halved, 0.5 * (redfield + unitary), atol=1e-13)


def test_the_general_rule_of_davies_is_its_matrix():
    """`liouvillian_of` of the problem and the public function."""
    model, given = CASES["ring"]
    problem = Problem([model], check_baths(given, model.couplings), True)
    found = liouvillian_of(registry.EQUATIONS["davies"], problem)
    np.testing.assert_allclose(found, matrix_of("davies", "ring", True), atol=1e-13)
