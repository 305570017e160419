"""What cannot be is refused in one sentence, before any work, by what stands at the door."""

import numpy as np
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.errors import InputError
from manybody.physics.models.many_body import ManyBodyModel, Term
from manybody.physics.problem import Problem
from manybody.solve import spread
from manybody.solve.comparison import check_setting
from manybody.solve.room import Baths, Extent
from manybody.solve.spread import check_fits

BATH = mb.OhmicBath(0.2, 10.0, 5.0)
H = np.array([[0.0, 1.0], [1.0, 0.3]])
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])
CHAIN = mb.xxz_chain(4)
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("couplings", "error", "words"),
    [
        (np.ma.array([[0.0, 1.0]], mask=[[0, 1]]), TypeError, "couplings is a masked array"),
        ([np.ma.array([0.0, 1.0], mask=[0, 1])], TypeError, r"couplings\[0\] is a masked"),
        ([FLIP, np.ma.array(FLIP, mask=FLIP)], TypeError, r"couplings\[1\] is a masked"),
        ([[1.0, 2.0], [3.0]], ValueError, r"diagonals of \[1, 2\] states"),
        ([[[1.0, 2.0], [2.0]]], TypeError, r"couplings\[0\] is no array of numbers"),
        (np.array(1.0), TypeError, "couplings of type ndarray"),
        ([[0.0, 1e200]], ValueError, r"couplings contains 1e\+200: at most"),
        ([FLIP, -1e200 * FLIP], ValueError, r"couplings\[1\] contains 1e\+200: at most"),
    ],
)
def test_couplings_that_are_none(couplings, error, words):
    with pytest.raises(error, match=words) as caught:
        ManyBodyModel(H, couplings)
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"lattice": "chain"}, TypeError, r"lattice = 'chain': needs a method distances"),
        ({"terms": "ab"}, TypeError, "terms of type str"),
        ({"terms": 7}, TypeError, "terms of type int"),
        ({"terms": [FLIP]}, TypeError, "terms entry of type ndarray: Term"),
        ({"terms": [Term((0,), sp.identity(3))]}, ValueError, r"shape \(3, 3\), must be \(2, 2\)"),
        ({"parameters": None}, TypeError, "parameters = None"),
        ({"parameters": [1, 2]}, TypeError, r"parameters = \[1, 2\]"),
        ({"name": 3}, TypeError, "name = 3"),
        ({"hamiltonian": [[1.0, 2.0], [2.0]]}, TypeError, "hamiltonian is no array of numbers"),
        ({"hamiltonian": np.ma.array(H, mask=FLIP)}, TypeError, "hamiltonian is a masked array"),
    ],
)
def test_models_that_are_none(given, error, words):
    with pytest.raises(error, match=words) as caught:
        ManyBodyModel(**{"hamiltonian": H, "couplings": [[0.0, 1.0]], **given})
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (np.ma.array([1.0, 0.0], mask=[0, 1]), TypeError, "initial_state is a masked array"),
        ([[1.0], [1.0, 2.0]], TypeError, "initial_state is no array of numbers"),
        (object(), TypeError, "initial_state of type object: an array"),
        (np.array(["up", "down"]), TypeError, "initial_state of dtype"),
        (f"eigenstate-{LONG}", ValueError, "an integer from 0 to 1"),
        ("eigenstate-", ValueError, "an integer from 0 to 1"),
        ("eigenstate-²", ValueError, "an integer from 0 to 1"),
        ("eigenstate-2", ValueError, "an integer from 0 to 1"),
    ],
)
def test_starts_that_are_none(state, error, words):
    model = ManyBodyModel(H, [[0.0, 1.0]])
    with pytest.raises(error, match=words) as caught:
        mb.compare(model, BATH, [0.0], initial_state=state)
    assert isinstance(caught.value, InputError)


class Ket:
    """As QuTiP keeps one."""

    def __init__(self, vector):
        self._vector = vector

    def full(self):
        return self._vector[:, None]

    def data_as(self):
        raise NotImplementedError


@pytest.mark.parametrize("kind", [Ket, lambda ket: sp.csr_array(ket[:, None])])
def test_kets_of_other_packages_are_vectors(kind):
    model = ManyBodyModel(H, [[0.0, 1.0]])
    ket = np.array([0.6, 0.8j])
    plain, other, mixed = (
        mb.compare(model, BATH, [0.0, 1.0], initial_state=state, keep_states=True)
        for state in (ket, kind(ket), sp.csr_array(np.outer(ket, ket.conj())))
    )
    for run in (other, mixed):
        for name, states in plain.states.items():
            np.testing.assert_allclose(run.states[name], states, rtol=0, atol=1e-13)


def test_levels_may_be_written_with_zeros_in_front():
    model = ManyBodyModel(H, [[0.0, 1.0]])
    plain, padded = (
        mb.compare(model, BATH, [0.0, 1.0], initial_state=f"eigenstate-{text}").trace_distance
        for text in ("1", "0" * 5000 + "1")
    )
    np.testing.assert_array_equal(padded, plain)


def test_names_of_equations_are_words():
    with pytest.raises(InputError, match=r"equations: \['redfield'\] must be one of redfield"):
        mb.compare(CHAIN, BATH, [0.0], equations=(["redfield"], "davies"))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (
            [*CHAIN.terms, Term((4,), sp.csr_array((6, 6)))],
            r"terms on sites \(4,\): allowed are 0",
        ),
        (mb.xxz_chain(6).terms, r"terms of shape \(20, 20\): must be \(6, 6\)"),
    ],
)
def test_terms_of_another_system(terms, words):
    other = ManyBodyModel(
        CHAIN.hamiltonian, CHAIN.couplings, CHAIN.basis, lattice=CHAIN.lattice, terms=terms
    )
    with pytest.raises(InputError, match=words):
        mb.compare(other, BATH, [0.0], equations=("redfield", "quasi-local-1"))


def test_nothing_is_dropped_of_matrices(monkeypatch):
    """Before H is diagonalised."""
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model = ManyBodyModel(H, [FLIP])
    monkeypatch.setattr(np.linalg, "eigh", None)
    given = {"initial_state": [1.0, 0.0], "operator": "assembled", "drop_tolerance": 1e-3}
    with pytest.raises(InputError, match=r"drop_tolerance = 0.001: nothing is dropped"):
        mb.compare(model, BATH, [0.0], **given)


@pytest.mark.parametrize("statistics", [("boson", "fermion"), ("fermion", "boson", "fermion")])
def test_samples_of_other_bases_are_seen_locally(statistics):
    """Equal couplings of bosons and fermions: a stack for each, and what each has alone."""
    models = [
        mb.xxz_chain(4, boundary="periodic", statistics=each, seed=seed)
        for seed, each in enumerate(statistics)
    ]
    alone = [mb.compare(model, BATH, [0.0, 2.0]) for model in models]
    together = mb.compare_ensemble(models, BATH, [0.0, 2.0])
    for one, other in zip(alone, together):
        np.testing.assert_array_equal(one.trace_distance, other.trace_distance)
        assert one.local is not None and other.local is not None
        for name, own in one.local.of_pair["redfield", "davies"].items():
            np.testing.assert_array_equal(own, other.local.of_pair["redfield", "davies"][name])


def test_problems_of_other_bases_know_those_of_their_parts():
    models = [mb.xxz_chain(4, statistics=each) for each in ("boson", "fermion", "fermion")]
    problem = Problem(models, BATH)
    assert problem.basis is None
    assert problem.select(slice(1, 3)).basis == models[1].basis
    assert problem.sample(0).basis == models[0].basis


def test_assembled_matrices_need_the_room_of_all_elements(monkeypatch):
    """D⁴ of them, where diagonal couplings have 2D³."""
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    found = []
    monkeypatch.setattr(spread, "check_room", lambda name, extent, *rest: found.append(extent))
    n = 60
    rng = np.random.default_rng(0)
    hamiltonian, coupling = (one + one.T for one in rng.normal(size=(2, n, n)))
    start = np.eye(n)[0]
    for couplings in ([coupling], [coupling.diagonal()]):
        model = ManyBodyModel(hamiltonian, couplings)
        setting = check_setting(
            [model], BATH, [1.0], 0, False, "chebyshev", 1e-8, "", "assembled", 0.0,
            initial_state=start,
        )  # fmt: skip
        check_fits(model, setting, None)
    matrices, diagonals = found
    assert isinstance(matrices, Extent)
    # 20 bytes an entry, twice.
    assert matrices.node_bytes(1, 1) - diagonals.node_bytes(1, 1) > 0.9 * 40.0 * (n**4 - 2 * n**3)


def test_stacks_have_room_for_the_matrices_of_all_baths():
    """Two hundred (D, D) matrices outweigh all that two equations advance."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(200, 20, 20))
    couplings = ManyBodyModel(np.eye(20), list(draws + draws.transpose(0, 2, 1))).couplings
    plan = {
        "is_real": True,
        "lamb_shift": False,
        "stepper": "chebyshev",
        "operator": "matrix-free",
    }
    few, many = (
        Extent(20, 3, **plan, baths=each) for each in (Baths(), Baths.of(couplings, True))
    )
    assert many.stack_bytes(1) - few.stack_bytes(1) >= 200 * 2 * 16 * 20**2
