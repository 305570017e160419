"""A store that is filled: what is in it, what a second run adds, what it survives."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import xarray
from tiny import assert_same_payload, payload, study
from tiny_stores import files, run

from manybody.parallel import claims as claims_module
from manybody.solve.compare import compare
from manybody.study import samples, sampling
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("finished") / "store")[0]


def test_every_sample_is_there_once_and_nothing_else(finished):
    assert len(payload(finished)) == 20
    names = {path.suffix for path in files(finished)}
    assert names == {".h5", ".json"}
    assert not (finished.directory / "claims").exists()
    first = files(finished)[0]
    start, stop, digest = first.stem.split("-")
    assert (int(start), int(stop), len(digest)) == (0, 2, 16)


def test_any_sample_can_be_repeated_to_the_bit(finished):
    tiny = finished.study
    point = tiny.systems[0].points[1]
    again = compare(point.build(tiny.seed, 3), tiny.bath, tiny.times)
    stored = payload(finished)[point.name, 3]
    np.testing.assert_array_equal(stored["trace_distance"], again.trace_distance)
    smallest = stored["smallest_eigenvalue_in_time"]
    np.testing.assert_array_equal(smallest, again.smallest_eigenvalue)
    assert np.isfinite(smallest).all()
    for name in ("redfield", "davies"):
        residual = again.certificate.gibbs_residuals[name]
        assert stored[f"{name}_gibbs_residual"] == residual
    np.testing.assert_array_equal(stored["seed"], point.entropy(tiny.seed, 3))


def test_blocks_describe_themselves(finished):
    point = finished.study.systems[1].points[0]
    path = finished.block_paths(point)[0]
    with h5py.File(path) as file:
        assert file["trace_distance"].dims[0][0].name == "/sample"
        assert file["trace_distance"].dims[1][0].name == "/pair"
        assert file["trace_distance"].dims[2][0].name == "/time"
        assert file["gibbs_residual"].dims[1][0].name == "/equation"
        attributes = dict(file.attrs)
        assert attributes["model"] == "anderson3d"
        assert attributes["parameter_boundary"] == "periodic"
        assert (attributes["size"], attributes["n_sites"]) == (2, 8)
        for key in (
            "numpy",
            "blas_core",
            "git_revision",
            "hostname",
            "ranks",
            "stepper",
            "conventions_of_physics",
            "blas_threads_per_rank",
        ):
            assert key in attributes, key
        assert json.loads(attributes["study"]) == finished.study.identity()
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert data["trace_distance"].dims == ("sample", "pair", "time")
        assert data["pair"].values.tolist() == ["redfield:davies"]
        assert data["equation"].values.tolist() == ["redfield", "davies"]
        assert data["gibbs_residual"].dims == ("sample", "equation")
        assert data["smallest_eigenvalue_in_time"].dims == ("sample", "equation", "time")
        assert data["time"].values.tolist() == [0.0, 1.5, 4.0, 11.0]
        assert data["sample"].values.tolist() == [0, 1]
        for name in (
            "trace_error",
            "hermiticity_error",
            "kms_residual",
            "smallest_eigenvalue",
            "clustering",
            "merged_neighbours",
            "smallest_separation",
            "stepper_error",
            "applications",
            "seconds",
        ):
            assert data[name].dims == ("sample",)
        verdicts = data["clustering"].attrs["flag_meanings"]
        # Stored codes keep their meaning: what is new comes last.
        assert verdicts == "simple structural ambiguous unexamined"
        clean = xarray.open_dataset(path, engine="h5netcdf")["clustering"].values
        assert clean.tolist() == [1, 1]


def test_a_second_run_computes_only_what_is_missing(finished, tmp_path):
    store, first = run(tmp_path / "store")
    assert (first.computed, first.present) == (20, 0)
    assert_same_payload(payload(store), payload(finished))
    before = {path: path.stat().st_mtime_ns for path in files(store)}
    _, second = run(tmp_path / "store")
    assert (second.computed, second.present, second.applications) == (0, 20, 0)
    blocks = [path for path in files(store) if path.suffix == ".h5"]
    assert all(path.stat().st_mtime_ns == before[path] for path in blocks)
    blocks[3].unlink()
    _, third = run(tmp_path / "store")
    assert 1 <= third.computed <= 2
    assert_same_payload(payload(store), payload(finished))


def test_samples_and_sizes_may_be_added(finished, tmp_path):
    store, _ = run(tmp_path / "store", text={"samples = 5": "samples = 3", "[4, 6]": "[6]"})
    assert len(payload(store)) == 9
    store, outcome = run(tmp_path / "store")
    assert (outcome.computed, outcome.present) == (11, 9)
    assert_same_payload(payload(store), payload(finished))
    # Asking for less later takes nothing away.
    store, outcome = run(tmp_path / "store", text={"samples = 5": "samples = 2"})
    assert outcome.computed == 0
    assert store.study.systems[0].samples == 5
    assert store.study.name == "tiny"


def test_simultaneous_extensions_are_both_kept(tmp_path):
    """Jobs that add different systems at the same instant, many times over."""
    sizes = range(4, 16)
    with ThreadPoolExecutor(len(sizes)) as pool:
        wanted = [study(text={"[4, 6]": f"[{size}]"}) for size in sizes]
        list(pool.map(lambda one: Store(tmp_path / "store").create(one), wanted))
    assert Store(tmp_path / "store").study.systems[0].sizes == tuple(sizes)


def test_another_study_is_refused_and_nothing_written(finished):
    before = {path: path.read_bytes() for path in files(finished)}
    with pytest.raises(
        ValueError, match="seed is 3 there and 4 here; bath.coupling is 0.2 there and 0.3"
    ) as caught:
        run(finished.directory, text={"seed = 3": "seed = 4", "coupling = 0.2": "coupling = 0.3"})
    assert "tolerance" not in str(caught.value)
    assert {path: path.read_bytes() for path in files(finished)} == before


def test_folders_that_are_no_stores_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="not empty and not a store"):
        run(tmp_path)
    with pytest.raises(ValueError, match="not a folder"):
        run(tmp_path / "thesis.tex")
    with pytest.raises(ValueError, match="cannot be a store"):
        run("/proc/nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "study.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 99"):
        run(tmp_path)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        run(tmp_path)


def test_what_a_killed_run_leaves_is_no_obstacle(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = tmp_path / "store"
    (folder / "blocks").mkdir(parents=True)
    (folder / "blocks").rmdir()
    orphan = folder / f".{socket.gethostname()}.{gone.pid}.{'0' * 32}.tmp"
    orphan.write_text("half")
    alive = folder / f".{socket.gethostname()}.{os.getpid()}.{'1' * 32}.tmp"
    alive.write_text("at work")
    _, outcome = run(folder)
    assert outcome.computed == 20
    assert not orphan.exists() and alive.exists()
    # A claim on a block that was committed just before the end.
    (folder / "claims").mkdir()
    claim = folder / "claims" / "point.000000-000002"
    claim.write_text(f"{claims_module._this_machine()} {gone.pid} abc 7")
    run(folder)
    assert not claim.exists() and not (folder / "claims").exists()


def test_a_full_disk_leaves_no_half_written_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    store = Store(tmp_path / "store")
    prepared = prepare(study(), store)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        run_study(prepared, store, quiet=True)
    monkeypatch.undo()
    assert [path.name for path in files(store)] == ["study.json"]


def test_a_broken_program_loses_no_finished_block(finished, tmp_path, monkeypatch):

    real, calls = samples.compare_problems, []

    def fail_later(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 5:
            raise TypeError("a broken program")
        return real(*arguments, **keywords)

    store = Store(tmp_path / "store")
    prepared = prepare(study(), store)
    monkeypatch.setattr(samples, "compare_problems", fail_later)
    with pytest.raises(TypeError, match="a broken program"):
        run_study(prepared, store, quiet=True)
    monkeypatch.undo()
    assert 0 < len(payload(store)) < 20
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == 20 - len(payload(store)) or len(payload(store)) == 20
    assert_same_payload(payload(store), payload(finished))


def test_a_stop_between_stacks_of_small_samples(tmp_path, monkeypatch):
    """What is done of a block is committed; the next run goes on with the same bits."""
    monkeypatch.setattr(sampling, "stack_size", lambda n_sites: 2)
    asked = study(text={"block_size = 2": "block_size = 5"})
    whole, store, computed = Store(tmp_path / "whole"), Store(tmp_path / "store"), []
    run_study(prepare(asked, whole), whole, quiet=True)
    real = samples.compare_problems

    def count(problem, *arguments):
        computed.append(len(problem.models))
        return real(problem, *arguments)

    monkeypatch.setattr(samples, "compare_problems", count)
    prepared = prepare(asked, store)
    stopped = run_study(prepared, store, quiet=True, stop=lambda: "asked" if computed else "")
    assert computed == [2]
    assert (stopped.computed, stopped.missing, stopped.stopped) == (2, 18, "asked")
    names = [path.name[:13] for path in sorted((store.directory / "blocks").rglob("*.h5"))]
    assert names == ["000000-000002"]
    finished = run_study(prepared, store, quiet=True)
    assert (finished.computed, finished.missing) == (18, 0)
    assert_same_payload(payload(store), payload(whole))
