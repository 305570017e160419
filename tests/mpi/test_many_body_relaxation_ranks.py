"""Many particles in the long run: run serially and under mpirun on 1, 2 and 3 ranks."""

import numpy as np
import pytest
import relaxing

import manybody as mb

pytest.importorskip("slepc4py", reason="slepc4py not installed")

pytestmark = pytest.mark.filterwarnings(
    "ignore:the redfield steady state is no state", "ignore:the steady state is known to"
)

NAMES = (
    "complex",
    "matrices",
    "degenerate",
    "clean ring",
    "two parts",
    "spectator",
    "lone levels",
)
LAMB = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])


@LAMB
@pytest.mark.parametrize(
    ("name", "equation"), [*((name, "redfield") for name in NAMES), ("degenerate", "davies")]
)
def test_steady_states_do_not_depend_on_ranks(comm, bath, name, equation, lamb_shift):
    model = relaxing.models()[name]
    vector = relaxing.start(model)
    matrix = relaxing.liouvillian(model, bath, equation, lamb_shift)
    average, still, undamped = relaxing.long_run(matrix, vector)
    found = mb.steady_state(
        model, bath, equation, lamb_shift, start=5, comm=comm, initial_state=vector
    )
    assert found.null_dimension == still and found.residual <= 1e-10
    np.testing.assert_allclose(found.undamped_frequencies, undamped, atol=1e-8)
    if comm.rank:
        assert found.state is None and found.components is None
    else:
        np.testing.assert_allclose(found.state, average, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("complex", "gmres"),
        ("matrices", "assembled"),
        pytest.param("two parts", "gmres", marks=pytest.mark.up_to(2)),
        *(
            pytest.param(*case, marks=pytest.mark.up_to(1))
            for case in (
                ("degenerate", "gmres"),
                ("two parts", "assembled"),
                ("spectator", "gmres"),
                ("lone levels", "gmres"),
            )
        ),
    ],
)
def test_modes_do_not_depend_on_ranks(comm, bath, name, method):
    lamb_shift = True
    model = relaxing.models()[name]
    wanted, moving = relaxing.decaying(relaxing.liouvillian(model, bath, "redfield", lamb_shift))
    count = min(4, moving)
    found = mb.slow_modes(model, bath, count, lamb_shift, comm=comm, method=method)
    np.testing.assert_allclose(-found.eigenvalues.real, wanted[:count], atol=1e-8)


@LAMB
def test_assembled_and_matrix_free_agree_on_a_chain(comm, bath, lamb_shift):
    model = relaxing.chain(6, seed=2)
    one, two = (
        mb.steady_state(model, bath, lamb_shift=lamb_shift, start=1, comm=comm, method=method)
        for method in ("gmres", "assembled")
    )
    assert one.residual <= 1e-10 and two.residual <= 1e-10
    assert one.distance_from_gibbs == pytest.approx(two.distance_from_gibbs, abs=1e-7)


@pytest.mark.up_to(2)
def test_a_chain_of_seventy_states(comm, bath):
    model = relaxing.chain(8, seed=2)
    found = mb.steady_state(model, bath, lamb_shift=True, start=1, comm=comm)
    assert found.iterations <= 60 and found.residual <= 1e-10


@pytest.mark.up_to(1)
def test_the_slowest_mode_of_a_chain(comm, bath):
    model = relaxing.chain(6, seed=2)
    whole = mb.slow_modes(model, bath, 1, method="dense")
    found = mb.slow_modes(model, bath, 1, comm=comm, method="gmres")
    np.testing.assert_allclose(found.eigenvalues.real, whole.eigenvalues.real, rtol=0, atol=1e-9)
    assert found.residuals.max() < 1e-9


def test_ranks_that_disagree_are_told(comm, bath):
    if comm.size == 1:
        pytest.skip("one rank agrees with itself")
    model = relaxing.models()["complex"]
    vector = np.eye(6)[comm.rank]
    with pytest.raises(ValueError, match="arguments: rank 1"):
        mb.steady_state(model, bath, comm=comm, initial_state=vector)
