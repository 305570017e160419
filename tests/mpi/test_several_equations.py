"""Several equations on the ranks that share a sample, and sent on after a stop."""

import numpy as np
import oracles
import pytest
from toy_equations import registered

import manybody as mb
from manybody.parallel.signals import Stopped
from manybody.solve import spread, stacked
from manybody.solve.checkpoints import Keeper
from manybody.solve.comparison import check_setting
from manybody.solve.spread import compare_large

TIMES = [0.0, 0.8, 4.0, 11.0]
NAMES = ("redfield", "halved", "davies", "unitary")
KINDS = ("complex", "partial", "ring", "undecided")


@pytest.fixture(autouse=True)
def toys():
    with registered():
        yield


def draw(kind):
    rng = np.random.default_rng(7)
    if kind == "ring":
        return mb.SingleParticleModel(oracles.ring_hamiltonian(6))
    if kind == "undecided":
        return mb.SingleParticleModel([[0, 0.3, 1e-13], [0.3, 0, 0.3], [1e-13, 0.3, 0]])
    sites = [0, 2, 3] if kind == "partial" else None
    return mb.SingleParticleModel(oracles.random_hermitian(rng, 6), sites)


def setting_of(bath, lamb_shift=False, operator="matrix-free", names=NAMES):
    return check_setting(
        [], bath, TIMES, 0, lamb_shift, "chebyshev", 1e-10, "", operator, 0.0, None, names
    )


def assert_agree(left, right, atol):
    assert left.equations == right.equations
    for name in ("distance", "distance_merged", "smallest_eigenvalues"):
        mine, theirs = getattr(left, name), getattr(right, name)
        assert mine.keys() == theirs.keys(), name
        for key in mine:
            np.testing.assert_allclose(mine[key], theirs[key], atol=atol, err_msg=str(key))


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_ranks_agree_with_one_process_and_with_dense_exponentials(
    comm, bath, kind, lamb_shift
):
    model = draw(kind)
    shared = spread.compare_large(model, setting_of(bath, lamb_shift), comm)
    alone = mb.compare(
        model, bath, TIMES, lamb_shift=lamb_shift, equations=NAMES, keep_states=True
    )
    assert_agree(shared, alone, 1e-11)
    assert len(shared.distance) == 6 and bool(shared.distance_merged) == (kind == "undecided")
    told = [value.tobytes() for value in shared.distance.values()]
    assert len(set(comm.allgather(tuple(told)))) == 1
    sites = np.flatnonzero(model.coupled)
    rho = np.zeros((model.n_sites, model.n_sites), dtype=complex)
    rho[0, 0] = 1.0
    for name, factor in (("redfield", 1.0), ("halved", 0.5)):
        gamma, eta = (
            lambda omega, part=part, factor=factor: factor * float(part(omega))
            for part in (bath.gamma, bath.eta)
        )
        matrix = oracles.redfield_matrix(
            model.dense_hamiltonian(), sites, gamma, eta if lamb_shift else None
        )
        expected = oracles.propagate(matrix, rho, TIMES)
        np.testing.assert_allclose(alone.states[name], expected, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("kind", ["complex", "undecided"])
def test_several_stepped_equations_go_on_after_a_stop(comm, bath, kind, folder, monkeypatch):
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 25.0)
    model, setting = draw(kind), setting_of(bath)
    unbroken = compare_large(model, setting, comm)
    stops = 0
    while True:
        keeper = Keeper(folder / "kept", 3, "this one", lambda: "asked")
        try:
            result = compare_large(model, setting, comm, keeper=keeper)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert_agree(result, unbroken, 0.0)
    assert result.certificate == unbroken.certificate
