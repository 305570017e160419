"""Baths at T = 0, of infinite temperature and without one, on 1, 2 and 3 ranks."""

import math

import numpy as np
import pytest

import manybody as mb

BATHS = {
    "T = 0": mb.OhmicBath(0.3, 10.0, math.inf),
    "white": mb.WhiteBath(0.1),
    "no temperature": mb.CallableBath(
        lambda w: 0.1 * np.exp(-((w - 1.0) ** 2)), breakpoints=(1.0,), kms=False
    ),
}


@pytest.mark.parametrize("name", BATHS)
def test_runs_and_states_do_not_depend_on_ranks(comm, name):
    bath, model = BATHS[name], mb.dirac_syk2(6, seed=4)
    times = [0.0, 2.0, 9.0]
    alone, shared = (
        mb.compare(model, bath, times, initial_beta=start, comm=ranks)
        for start, ranks in ((0.0, None), (0.0, comm))
    )
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, atol=1e-11)
    for run in (alone, shared):
        certificate = run.certificate
        figures = [*certificate.gibbs_residuals.values(), certificate.kms_residual]
        if math.isnan(bath.beta):
            assert np.isnan(figures).all()
        else:
            assert max(figures) < 1e-14
    still = mb.compare(model, BATHS["T = 0"], times, initial_beta=math.inf, comm=comm)
    assert still.trace_distance.max() < 1e-12
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    for equation in ("redfield", "davies"):
        own = mb.steady_state(model, bath, equation)
        together = mb.steady_state(model, bath, equation, comm=comm)
        assert together.null_dimension == own.null_dimension == 1
        if comm.rank == 0:
            np.testing.assert_allclose(together.state, own.state, atol=1e-9)
        np.testing.assert_allclose(
            together.distance_from_gibbs, own.distance_from_gibbs, atol=1e-9
        )


def test_refused_on_every_rank(comm):
    model = mb.dirac_syk2(6, seed=4)
    ring = np.roll(np.eye(34), 1, axis=0)
    large = mb.SingleParticleModel(ring + ring.T)
    with pytest.raises(RuntimeError, match="no temperature \\(kms=False\\)"):
        mb.steady_state(large, BATHS["no temperature"], "davies", comm=comm)
    with pytest.raises(ValueError, match="initial_beta = nan.*or inf"):
        mb.compare(model, BATHS["white"], [0.0, 1.0], initial_beta=math.nan, comm=comm)
