"""Baths that differ from site to site on the ranks that share a sample."""

import numpy as np
import oracles
import pytest

import manybody as mb

BATHS = (
    mb.OhmicBath(0.5, 3.0, 0.7),
    mb.OhmicBath(0.3, 6.0, 4.0),
    mb.OhmicBath(0.2, 3.0, 0.7),
    mb.ThermalBath(mb.DrudeLorentzDensity(0.4, 2.0), 1.5),
)
TIMES = [0.0, 0.8, 4.0]


def draw(kind):
    if kind == "many particles":
        return mb.xxz_chain(n_sites=5, n_particles=2, disorder=1.0, seed=3)
    if kind == "matrices":
        rng = np.random.default_rng(3)
        couplings = [oracles.random_hermitian(rng, 6) for _ in range(3)]
        return mb.ManyBodyModel(oracles.random_hermitian(rng, 6), couplings)
    if kind == "ring":
        return mb.SingleParticleModel(oracles.ring_hamiltonian(6))
    sites = [0, 2, 3] if kind == "partial" else None
    return mb.SingleParticleModel(oracles.random_hermitian(np.random.default_rng(7), 6), sites)


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("kind", ["complex", "partial", "ring", "many particles", "matrices"])
@pytest.mark.parametrize("operator", ["matrix-free", "assembled"])
def test_ranks_agree_with_one_process(comm, operator, kind, lamb_shift):
    if operator == "assembled":
        pytest.importorskip("petsc4py")
    model = draw(kind)
    baths = [BATHS[index % 4] for index in range(model.couplings.n_baths)]
    start = np.eye(model.dimension)[1]
    alone = mb.compare(model, baths, TIMES, lamb_shift=lamb_shift, initial_state=start)
    shared = mb.compare(
        model,
        baths,
        TIMES,
        lamb_shift=lamb_shift,
        initial_state=start,
        operator=operator,
        comm=comm,
    )
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, atol=1e-10)
    assert shared.trace_distance.max() > 1e-3


def test_ranks_must_have_the_same_baths(comm):
    if comm.size == 1:
        pytest.skip("one rank agrees with itself")
    model = draw("partial")
    mine = BATHS[:3] if comm.rank else BATHS[2::-1]
    with pytest.raises(ValueError, match="bath"):
        mb.compare(model, mine, TIMES, comm=comm)
