"""Shared samples that stop and fail; serially and under mpirun on 1, 2 and 3 ranks."""

import json

import numpy as np
import pytest
from tiny import assert_same_payload, payload, study  # noqa: E402

import manybody as mb
from manybody.parallel.collective import raised_alike, together
from manybody.parallel.signals import Stopped
from manybody.solve import checkpoints, spread, stacked
from manybody.solve.checkpoints import Keeper
from manybody.solve.comparison import check_setting
from manybody.solve.spread import compare_large
from manybody.study import samples
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


@pytest.fixture(autouse=True)
def small_samples_are_long(monkeypatch):
    """Several segments each, and a checkpoint at the end of every one."""
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 40.0)
    monkeypatch.setattr(checkpoints, "_PATIENCE", 0.0)


def assert_close(left, right, comm, name):
    if comm.size == 1:
        np.testing.assert_array_equal(left, right, err_msg=name)
    else:
        np.testing.assert_allclose(left, right, rtol=0.0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("operator", mb.OPERATORS)
def test_a_shared_sample_stopped_by_any_one_rank(comm, folder, bath, operator):
    if operator == "assembled":
        pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model = mb.anderson3d(3, 1e-13, seed=1) if operator == "matrix-free" else mb.dirac_syk2(7)
    setting = check_setting(
        [model], bath, [0.0, 2.0, 9.0], 0, True, "chebyshev", 1e-10, "", operator, 0.0
    )
    unbroken = compare_large(model, setting, comm)
    stops = 0
    while True:
        # Another of the ranks every time.
        asked = "asked" if comm.rank == stops % comm.size else ""
        keeper = Keeper(folder / operator, 0, "this one", lambda asked=asked: asked)
        try:
            result = compare_large(model, setting, comm, keeper=keeper)
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    for name in ("trace_distance", "trace_distance_merged", "smallest_eigenvalue"):
        if getattr(unbroken, name) is not None:
            assert_close(getattr(result, name), getattr(unbroken, name), comm, name)
    assert result.certificate.applications == unbroken.certificate.applications
    assert result.certificate.clustering == unbroken.certificate.clustering
    # One rank goes on where several have been.
    alone = Keeper(folder / operator, 0, "this one")
    if comm.rank == 0:
        (path,) = (folder / operator).iterdir()
        finished = compare_large(model, setting, keeper=alone)
        np.testing.assert_allclose(finished.trace_distance, unbroken.trace_distance, atol=1e-12)
        assert path.exists()
    comm.barrier()


class After:
    """Asks to stop from the so manieth question on."""

    def __init__(self, questions):
        self.left = questions

    def __call__(self):
        self.left -= 1
        return "" if self.left >= 0 else "asked"


def wanted(comm, sizes="[2, 5]"):
    text = {
        "seed = 3": f"seed = 3\ngroup_size = {comm.size}",
        "samples = 5": "samples = 2",
        "[4, 6]": sizes,
        "disorder = [0.0, 5.0]": "disorder = 5.0",
    }
    return together(comm, lambda: study(text=text))


def names(folder):
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}


def assert_agree(found, expected, comm):
    assert found.keys() == expected.keys()
    if comm.size == 1:
        assert_same_payload(found, expected)
    for key, values in found.items():
        for name in ("trace_distance", "smallest_eigenvalue_in_time", "applications", "seed"):
            assert_close(values[name], expected[key][name], comm, f"{key} {name}")


@pytest.mark.parametrize("asking", ["first", "last"])
def test_a_shared_study_that_stops_again_and_again(comm, folder, asking):
    """Also with fewer sites than ranks, and stopped by a rank that has no column."""
    asked, plain = wanted(comm), Store(folder / "plain")
    run_study(prepare(asked, plain, comm), plain, comm, quiet=True)
    store, runs, begun = Store(folder / "store"), 0, 0
    who = 0 if asking == "first" else comm.size - 1
    while True:
        runs += 1
        stop = After(4 if comm.rank == who else 1000)
        outcome = run_study(prepare(asked, store, comm), store, comm, quiet=True, stop=stop)
        if not outcome.missing:
            break
        assert outcome.stopped == "asked"
        found = list((store.directory / "checkpoints").rglob("*.state"))
        assert len(found) <= 1
        begun += len(found)
        comm.barrier()
    assert runs > 2
    if asking == "first":
        assert begun > 1
    comm.barrier()
    assert_agree(payload(store), payload(plain), comm)
    assert names(store.directory) == {"blocks", "study.json"}
    comm.barrier()


@pytest.mark.parametrize("where", ["together", "alike"])
def test_a_sample_that_fails_on_all_ranks_is_recorded(comm, folder, monkeypatch, where):
    """Also with fewer sites than ranks; the rest goes on, the next run tries it again."""
    asked, plain = wanted(comm), Store(folder / "plain")
    run_study(prepare(asked, plain, comm), plain, comm, quiet=True)
    real = spread.compare_spread

    def fail(problem, setting, part, **more):
        def refuse():
            raise ArithmeticError("no numbers today")

        if problem.spectrum.dimension in (2, 8):
            if where == "together":
                together(part, refuse)
            with raised_alike(part):
                raise RuntimeError("no numbers today")
        return real(problem, setting, part, **more)

    monkeypatch.setattr(samples, "compare_spread", fail)
    store = Store(folder / "store")
    outcome = run_study(prepare(asked, store, comm), store, comm, quiet=True)
    assert (outcome.failed, outcome.missing, outcome.computed) == (4, 0, 2)
    point = asked.systems[0].points[0]
    records = store.failures(point)
    assert sorted(records) == [0, 1]
    record = json.loads(records[1].read_text())
    assert "no numbers today" in record["error"]
    assert any("in fail" in line for line in record["traceback"])
    assert record["seed"] == list(point.entropy(asked.seed, 1))
    comm.barrier()
    monkeypatch.undo()
    outcome = run_study(prepare(asked, store, comm), store, comm, quiet=True)
    assert (outcome.failed, outcome.missing, outcome.computed) == (0, 0, 4)
    comm.barrier()
    assert names(store.directory) == {"blocks", "study.json"}
    found, expected = payload(store), payload(plain)
    assert found.keys() == expected.keys()
    for key, values in found.items():
        # Without the long segments that undo() took away.
        np.testing.assert_allclose(
            values["trace_distance"], expected[key]["trace_distance"], atol=1e-9
        )
    comm.barrier()
