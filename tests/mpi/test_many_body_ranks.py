"""Systems of many particles on the ranks that share a sample: 1, 2, 3."""

import numpy as np
import pytest

import manybody as mb
from manybody.parallel.signals import Stopped
from manybody.physics import reference
from manybody.physics.fock.basis import FockBasis
from manybody.solve import checkpoints, monitor, spread, stacked
from manybody.solve.checkpoints import Keeper
from manybody.solve.comparison import check_setting
from manybody.solve.spread import compare_large

TIMES = [0.0, 0.9, 4.0]
BASIS = FockBasis(4, "fermion", 2)
KINDS = ("chain", "syk4", "fermions", "clean ring", "spins", "matrices", "some sites")


def draw(kind):
    rng = np.random.default_rng(5)
    if kind == "chain":
        return mb.xxz_chain(5, 2, disorder=1.0, seed=2)
    if kind == "syk4":
        return mb.complex_syk4(4, seed=3)
    if kind == "fermions":
        return mb.dirac_syk2(5, seed=3, n_particles=2)
    if kind == "clean ring":
        # Degenerate levels and equal gaps.
        return mb.xxz_chain(4, disorder=0.0, boundary="periodic")
    if kind == "spins":
        return mb.ising_chain(3, disorder=0.3, seed=1)
    matrix = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    matrix = matrix + matrix.conj().T
    if kind == "some sites":
        return mb.ManyBodyModel(matrix, BASIS.occupations.T[[0, 2]].astype(float), basis=BASIS)
    couplings = [np.kron(np.eye(3), [[0.0, 1j], [-1j, 0.0]]), matrix.real]
    return mb.ManyBodyModel(matrix, couplings, basis=BASIS)


def assert_agree(left, right, atol=1e-10):
    np.testing.assert_allclose(left.trace_distance, right.trace_distance, rtol=0, atol=atol)
    np.testing.assert_allclose(
        left.smallest_eigenvalue, right.smallest_eigenvalue, rtol=0, atol=atol
    )
    if right.trace_distance_merged is not None:
        np.testing.assert_allclose(
            left.trace_distance_merged, right.trace_distance_merged, rtol=0, atol=atol
        )
    for mine, theirs in (
        (left.local.of_pair, right.local.of_pair),
        (left.local.of_equation, right.local.of_equation),
    ):
        assert mine.keys() == theirs.keys()
        for key, own in mine.items():
            for name, values in own.items():
                # The square root of the rounding of a purity is all that an entropy knows.
                near = 1e-6 if name == "entropy" else atol
                np.testing.assert_allclose(values, theirs[key][name], rtol=0, atol=near)


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("kind", KINDS)
def test_ranks_agree_with_one_process(comm, bath, kind, lamb_shift):
    model = draw(kind)
    shared = mb.compare(model, bath, TIMES, lamb_shift=lamb_shift, comm=comm)
    setting = check_setting(
        [model], bath, TIMES, 0, lamb_shift, "chebyshev", 1e-10, "", "matrix-free", 0.0
    )
    spread_out = compare_large(model if comm.rank == 0 else None, setting, comm)
    alone = mb.compare(model, bath, TIMES, lamb_shift=lamb_shift, keep_states=True)
    assert_agree(shared, alone)
    assert_agree(spread_out, alone)
    operators = [one.astype(np.complex128) for one in model.couplings.matrices()]
    matrix = reference.redfield_liouvillian(model.dense_hamiltonian(), operators, bath, lamb_shift)
    values, modes = np.linalg.eig(matrix)
    weights = np.linalg.solve(modes, alone.states["redfield"][0].ravel())
    last = (modes @ (np.exp(values * TIMES[-1]) * weights)).reshape(model.dimension, -1)
    np.testing.assert_allclose(alone.states["redfield"][-1], last, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", ["chain", "syk4", "some sites", "matrices"])
@pytest.mark.parametrize("stepper", ["chebyshev", "ts-rk8vr", "mfn-krylov"])
def test_assembled_operators_are_the_matrix_free_ones(comm, bath, kind, stepper):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    model = draw(kind)
    run = mb.compare(
        model, bath, TIMES, operator="assembled", stepper=stepper, comm=comm, tolerance=1e-9
    )
    alone = mb.compare(model, bath, TIMES)
    assert_agree(run, alone, 1e-5 if stepper == "ts-rk8vr" else 1e-7)


def test_dropped_entries_are_counted(comm, bath):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model = mb.xxz_chain(6, disorder=2.0, seed=1)
    run = mb.compare(model, bath, TIMES, operator="assembled", drop_tolerance=1e-3, comm=comm)
    whole = mb.compare(model, bath, TIMES)
    assert 0.05 < run.certificate.entries_kept < 0.95
    change = np.abs(run.trace_distance - whole.trace_distance).max()
    assert 1e-12 < change <= run.certificate.drop_error
    assert run.certificate.trace_error < 1e-12


def test_states_that_no_rank_can_hold(comm, bath, monkeypatch):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    model = draw("chain")
    alone = mb.compare(model, bath, TIMES)
    monkeypatch.setattr(monitor, "free_bytes", lambda: 0.0)
    shared = mb.compare(model, bath, TIMES, comm=comm)
    if comm.size > 1:
        for own in shared.local.of_equation.values():
            assert np.isnan(own["entropy"]).all()
            own["entropy"] = alone.local.of_equation["redfield"]["entropy"]
        for own in alone.local.of_equation.values():
            own["entropy"] = alone.local.of_equation["redfield"]["entropy"]
    assert_agree(shared, alone)


@pytest.mark.parametrize("kind", ["chain", "syk4"])
def test_a_stopped_sample_goes_on(comm, folder, bath, kind, monkeypatch):
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 40.0)
    monkeypatch.setattr(checkpoints, "_PATIENCE", 0.0)
    model, times = draw(kind), [0.0, 3.0, 12.0, 30.0]
    setting = check_setting(
        [model], bath, times, 0, False, "chebyshev", 1e-10, "", "matrix-free", 0.0
    )
    unbroken = compare_large(model, setting, comm)
    stops = 0
    while True:
        keeper = Keeper(folder / kind, 0, "this one", lambda: "asked")
        try:
            result = compare_large(model, setting, comm, keeper=keeper)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert_agree(result, unbroken, 1e-11)
    assert result.certificate.applications == unbroken.certificate.applications


def test_more_ranks_than_states(comm, bath):
    model = mb.ManyBodyModel([[0.0, 0.3], [0.3, 1.0]], [[0.5, -0.5]])
    start = np.array([1.0, 0.0])
    shared = mb.compare(model, bath, TIMES, comm=comm, initial_state=start)
    alone = mb.compare(model, bath, TIMES, initial_state=start)
    assert alone.local is None
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, rtol=0, atol=1e-12)


def test_bad_starts_are_refused_on_every_rank(comm, bath):
    with pytest.raises(ValueError, match="initial_state"):
        mb.compare(draw("chain"), bath, TIMES, comm=comm, initial_state="01")
