"""Run serially and under mpirun on 1, 2 and 3 ranks: nothing may depend on the number."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import oracles
import pytest
from scipy.linalg import expm
from tiny import assert_same_payload, payload, study  # noqa: E402

import manybody as mb
from manybody.errors import InputError, InputTypeError, NumericalError, Unavailable
from manybody.parallel.collective import everybody_raises, raised_alike, together
from manybody.physics import reference
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


def test_a_study_has_the_same_bits_on_any_number_of_ranks(comm, folder):
    shared = Store(folder / "shared")
    outcome = run_study(prepare(study(), shared, comm), shared, comm, quiet=True)
    assert outcome.computed == 20
    again = run_study(prepare(study(), shared, comm), shared, comm, quiet=True)
    assert again.computed == 0
    own = Store(folder / f"alone-{comm.rank}")
    run_study(prepare(study(), own), own, quiet=True)
    assert_same_payload(payload(shared), payload(own))
    comm.barrier()
    assert not list(shared.directory.rglob("*.tmp"))


def test_dense_exponentials_on_any_number_of_ranks(comm):
    """Chosen by the same rule, and made on every rank from its columns of L."""
    model, strong = mb.dirac_syk2(5, seed=1), mb.OhmicBath(10.0, 10.0, 5.0)
    arguments = (model, strong, [0.0, 0.5, 9.0, 20.0])
    given = {"keep_states": True, "equations": ("redfield", "universal-lindblad")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone, shared = (mb.compare(*arguments, **given, comm=one) for one in (None, comm))
    for run in (alone, shared):
        assert run.certificate.stepper == "dense-exponential"
        assert run.certificate.applications % 50 == 0
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, rtol=1e-10)
    if comm.rank == 0:
        scale = max(1.0, float(np.abs(alone.redfield_states).max()))
        difference = np.abs(shared.redfield_states - alone.redfield_states).max()
        assert difference <= 1e-10 * scale


def test_figures_of_observables_on_any_number_of_ranks(comm, folder):
    """A rank a sample: equal bits; one sample on all ranks: to rounding."""
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    observables = 'observables = ["steady_state", "gap", "level_statistics"]\n[bath]'
    wanted = study(
        text={
            "times = [0.0, 1.5, 4.0, 11.0]\n": "",
            "[bath]": observables,
            "samples = 5": "samples = 2",
            "disorder = [0.0, 5.0]": "disorder = 5.0\nlamb_shift = true",
        }
    )
    found = {}
    for name, size in (("alone", 1), ("together", comm.size)):
        store = Store(folder / name)
        asked = replace(wanted, group_size=size)
        run_study(prepare(asked, store, comm), store, comm, quiet=True)
        comm.barrier()
        found[name] = payload(store)
    own = Store(folder / f"own-{comm.rank}")
    run_study(prepare(wanted, own), own, quiet=True)
    assert_same_payload(found["alone"], payload(own))
    for key, figures in payload(own).items():
        for name in set(figures) - {"seed", "steady_error", "gap_residual"}:
            there = found["together"][key][name]
            np.testing.assert_allclose(there, figures[name], rtol=1e-7, atol=1e-9, err_msg=name)


def test_compare_returns_the_same_on_every_rank(comm, bath):
    model = mb.dirac_syk2(6, seed=5)
    times = [0.0, 2.0, 7.0]
    shared = mb.compare(model, bath, times, comm=comm)
    small = shared.trace_distance, shared.smallest_eigenvalue, shared.certificate.as_dict()
    assert len({pickle.dumps(each) for each in comm.allgather(small)}) == 1
    if comm.size == 1:
        alone = mb.compare(model, bath, times)
        np.testing.assert_array_equal(shared.trace_distance, alone.trace_distance)
        assert shared.certificate == alone.certificate


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("sites", [None, [0, 3]], ids=["full", "partial"])
@pytest.mark.parametrize("kind", ["complex", "bipartite"])
def test_both_equations_by_definition_on_every_rank(comm, bath, kind, sites, lamb_shift):
    """Complex H, degenerate gaps, a bath on some sites only."""
    draw = {"complex": oracles.random_hermitian, "bipartite": oracles.bipartite_hamiltonian}
    matrix = draw[kind](np.random.default_rng(5), 6)
    couplings = reference.site_couplings(6, sites)
    slow = [
        reference.redfield_liouvillian(matrix, couplings, bath, lamb_shift),
        reference.davies_liouvillian(matrix, couplings, bath, lamb_shift, 1e-9),
    ]
    start = np.zeros(36, dtype=complex)
    start[7] = 1.0
    model, times = mb.SingleParticleModel(matrix, sites), [0.5, 6.0, 20.0]
    run = mb.compare(model, bath, times, initial_site=1, lamb_shift=lamb_shift, comm=comm)
    for time, distance in zip(times, run.trace_distance):
        redfield, davies = ((expm(one * time) @ start).reshape(6, 6) for one in slow)
        expected = np.abs(np.linalg.eigvalsh(davies - redfield)).sum()
        assert distance == pytest.approx(expected, abs=1e-11)


def test_bad_input_raises_on_every_rank(comm, folder, bath):
    with pytest.raises(ValueError, match="initial_site = 9"):
        mb.compare(mb.dirac_syk2(4), bath, [1.0], initial_site=9, comm=comm)
    (folder / "occupied").mkdir(exist_ok=True)
    (folder / "occupied" / "thesis.tex").write_text("precious")
    comm.barrier()
    with pytest.raises(ValueError, match="not a store"):
        prepare(study(), Store(folder / "occupied"), comm)
    comm.barrier()
    assert [path.name for path in (folder / "occupied").iterdir()] == ["thesis.tex"]


def test_a_failure_on_rank_0_reaches_every_rank(comm, bath):
    def fail():
        raise RuntimeError(f"rank {comm.rank}")

    with pytest.raises(RuntimeError, match="rank 0"):
        together(comm, fail)

    for kind in (InputError, InputTypeError, NumericalError, Unavailable):

        def fail_of_a_kind(kind=kind):
            raise kind(f"rank {comm.rank}")

        with pytest.raises(kind, match="rank 0") as raised:
            together(comm, fail_of_a_kind)
        assert type(raised.value) is kind and everybody_raises(raised.value, comm)
        with pytest.raises(kind) as raised, raised_alike(comm):
            fail_of_a_kind()
        assert everybody_raises(raised.value, comm)

    class Stubborn(Exception):
        """Neither its class nor its arguments can be pickled."""

    def fail_stubbornly():
        raise Stubborn(f"no travel from rank {comm.rank}")

    with pytest.raises(RuntimeError, match="Stubborn: no travel from rank 0"):
        together(comm, fail_stubbornly)
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    with pytest.raises(RuntimeError, match="reason"):
        mb.compare(
            mb.dirac_syk2(16, seed=5),
            bath,
            [40.0],
            stepper="mfn-krylov",
            petsc_options="-redfield_mfn_max_it 1",
            comm=comm,
        )


@pytest.mark.parametrize("stepper", ["ts-rk8vr", "ts-arkimex4", "mfn-krylov"])
def test_a_petsc_study_on_any_number_of_ranks(comm, folder, stepper):
    """PETSc starts on one rank at a time, and a rank without a sample never needs it."""
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    text = {
        "seed = 3": f'seed = 3\ntolerance = 1e-7\nstepper = "{stepper}"',
        "samples = 5": "samples = 1",
        "[4, 6]": "[4]",
        "4.0, 11.0]": "4.0]",
        "disorder = [0.0, 5.0]": "disorder = 5.0",
    }
    wanted = together(comm, lambda: study(text=text))
    shared = Store(folder / "petsc")
    outcome = run_study(prepare(wanted, shared, comm), shared, comm, quiet=True)
    assert outcome.computed == 2
    own = Store(folder / f"alone-{comm.rank}")
    run_study(prepare(wanted, own), own, quiet=True)
    assert_same_payload(payload(shared), payload(own))


@pytest.mark.parametrize("operator", mb.OPERATORS)
@pytest.mark.parametrize("group_size", [2, 3])
def test_a_study_of_shared_samples(comm, folder, group_size, operator):
    """Groups of two and three ranks, also of more ranks than a system has sites."""
    if operator == "assembled":
        pytest.importorskip("petsc4py", reason="petsc4py not installed")
    text = {
        "seed = 3": f'seed = 3\ngroup_size = {group_size}\noperator = "{operator}"',
        "samples = 5": "samples = 2",
        "[4, 6]": "[2, 6]",
    }
    wanted = together(comm, lambda: study(text=text))
    shared = Store(folder / "groups")
    outcome = run_study(prepare(wanted, shared, comm), shared, comm, quiet=True)
    assert outcome.computed == 8
    own = Store(folder / f"alone-{comm.rank}")
    run_study(prepare(wanted, own), own, quiet=True)
    ours, theirs = payload(shared), payload(own)
    assert ours.keys() == theirs.keys()
    for key, values in ours.items():
        for name, value in values.items():
            np.testing.assert_allclose(
                value, theirs[key][name], atol=1e-11, err_msg=f"{key} {name}"
            )
    comm.barrier()
    assert not list(shared.directory.rglob("*.tmp")) and not (folder / "groups/claims").exists()
    blocks, _ = shared.read(shared.study, shared.study.systems[0].points[1])
    expected = {1: 1, 2: 2, 3: 3}[comm.size] if comm.size <= 3 else None
    if expected is not None:
        # Three ranks in groups of two: one group of three.
        assert blocks[0].attributes["ranks_per_sample"] == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_states_that_are_none_and_overflow_on_every_rank(comm, folder):
    """One warning, on rank 0, and the same sentence on every rank where double precision ends."""
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    model, strong = mb.SingleParticleModel([[0.0, 1.0], [1.0, 0.3]]), mb.OhmicBath(2.0, 10.0, 5.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = mb.compare(model, strong, [5.0, 20.0], lamb_shift=True, comm=comm)
    assert run.trace_distance[-1] == pytest.approx(1477.2669, abs=1e-3)
    said = [str(one.message) for one in caught if "leaves the states" in str(one.message)]
    assert len(said) == (comm.rank == 0)
    with pytest.raises(RuntimeError) as caught_error:
        # Krylov spaces of so small a system are exhausted at once: seconds instead of a minute.
        mb.compare(model, strong, [5.0, 1100.0], lamb_shift=True, comm=comm, stepper="mfn-krylov")
    text = str(caught_error.value)
    assert text.startswith("overflow: a growing mode") and text.endswith("from t = 5 on")
    assert len(set(comm.allgather(text))) == 1
