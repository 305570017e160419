"""Expectation values on the ranks that share a sample, and of samples that go on after a stop."""

import numpy as np
import oracles
import pytest
import tiny

import manybody as mb
from manybody.parallel.signals import Stopped
from manybody.solve import checkpoints, monitor, spread, stacked
from manybody.solve.checkpoints import Keeper
from manybody.solve.comparison import check_setting
from manybody.solve.spread import compare_large
from manybody.study.parsing import parse_study
from manybody.study.samples import compute_large, compute_stack

TIMES = [0.0, 0.9, 4.0, 11.0]
KINDS = ("complex", "sparse, some sites", "degenerate", "fermions", "spins")


def draw(kind):
    rng = np.random.default_rng(5)
    if kind == "complex":
        return mb.SingleParticleModel(oracles.random_hermitian(rng, 6))
    if kind == "sparse, some sites":
        cube = mb.anderson3d(2, 3.0, seed=1).hamiltonian
        return mb.SingleParticleModel(cube, [0, 3, 5])
    if kind == "degenerate":
        return mb.SingleParticleModel(oracles.ring_hamiltonian(6))
    if kind == "fermions":
        return mb.xxz_chain(4, 2, disorder=1.0, seed=2)
    return mb.ising_chain(3, disorder=0.3, seed=1)


def wanted(model):
    names = ["populations", "energy", "coherence-0-2"]
    if getattr(model, "basis", None) is None:
        names.append("current-0-1")
    matrix = oracles.random_hermitian(np.random.default_rng(8), model.dimension)
    return {**{name: name for name in names}, "dense": matrix, "diagonal": np.diag(matrix).real}


def assert_agree(left, right, atol=1e-12):
    assert left.expectation.keys() == right.expectation.keys() and left.expectation
    for name, values in right.expectation.items():
        for equation, own in values.items():
            np.testing.assert_allclose(
                left.expectation[name][equation], own, rtol=0, atol=atol, err_msg=name
            )


def setting_of(model, bath, times=TIMES, models=()):
    start = {"expectations": wanted(model)}
    return check_setting(
        models, bath, times, 0, False, "chebyshev", 1e-10, "", "matrix-free", 0.0, **start
    )


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_agree_with_one_process(comm, bath, kind):
    model = draw(kind)
    alone = mb.compare(model, bath, TIMES, expectations=wanted(model))
    shared = mb.compare(model, bath, TIMES, expectations=wanted(model), comm=comm)
    assert_agree(shared, alone)
    told = [own.tobytes() for each in shared.expectation.values() for own in each.values()]
    assert len(set(comm.allgather(tuple(told)))) == 1
    if kind in ("fermions", "spins"):
        return
    # The model on one rank alone, as in a study.
    setting = setting_of(model, bath)
    assert_agree(compare_large(model if comm.rank == 0 else None, setting, comm), alone)


@pytest.mark.parametrize("kind", ["complex", "sparse, some sites", "fermions"])
def test_states_that_no_rank_can_hold(comm, bath, kind, monkeypatch):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    model = draw(kind)
    alone = mb.compare(model, bath, TIMES, expectations=wanted(model))
    monkeypatch.setattr(monitor, "free_bytes", lambda: 0.0)
    shared = mb.compare(model, bath, TIMES, expectations=wanted(model), comm=comm)
    assert_agree(shared, alone)


def test_a_stopped_sample_goes_on(comm, folder, bath, monkeypatch):
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 40.0)
    monkeypatch.setattr(checkpoints, "_PATIENCE", 0.0)
    model = draw("complex")
    setting = setting_of(model, bath, [0.0, 3.0, 12.0, 30.0])
    unbroken = compare_large(model, setting, comm)
    stops = 0
    while True:
        keeper = Keeper(folder, 0, "this one", lambda: "asked")
        try:
            result = compare_large(model, setting, comm, keeper=keeper)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert_agree(result, unbroken)
    if comm.size == 1:
        assert_agree(result, unbroken, 1e-300)


def test_ranks_that_ask_for_different_operators_are_told(comm, bath):
    if comm.size == 1:
        pytest.skip("one rank agrees with itself")
    model = draw("complex")
    mine = np.eye(6) if comm.rank == 0 else 2.0 * np.eye(6)
    with pytest.raises(ValueError, match="expectations"):
        mb.compare(model, bath, TIMES, expectations={"x": mine}, comm=comm)
    with pytest.raises(ValueError, match="must be"):
        mb.compare(model, bath, TIMES, expectations={"x": np.eye(5)}, comm=comm)


@pytest.mark.parametrize("kind", ["dirac_syk2", "xxz_chain"])
def test_samples_of_a_study_are_those_of_one_process(comm, kind):
    """There the model is drawn on one rank alone."""
    text = tiny.TINY.partition("[[systems]]")[0].replace(
        "seed = 3", 'seed = 3\nexpectations = ["energy", "populations", "coherence-0-2"]'
    )
    study = parse_study(f'{text}[[systems]]\nmodel = "{kind}"\nn_sites = 4', "tiny.toml")
    (point,) = study.systems[0].points
    shared, _ = compute_large(study, point, 1, comm)
    ((alone, _),) = compute_stack(study, point, [1], lambda _: None)
    assert_agree(shared, alone)
