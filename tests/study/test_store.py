import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from tiny import assert_same_payload, payload, study

from manybody.parallel import claims as claims_module
from manybody.parallel.claims import Claims
from manybody.solve.compare import compare
from manybody.study import samples, sampling
from manybody.study.assignments import hand_out
from manybody.study.block_files import CorruptBlock
from manybody.study.blocks import disagreement, read_block
from manybody.study.runner import prepare, run_study
from manybody.study.sample_kind import SAMPLES
from manybody.study.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("finished") / "store")
    run_study(prepare(study(), store), store, quiet=True)
    return store


def run(directory, **changes):
    store = Store(directory)
    return store, run_study(prepare(study(**changes), store), store, quiet=True)


def files(store):
    return sorted(path for path in store.directory.rglob("*") if path.is_file())


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
    with pytest.raises(ValueError, match="seed is 3 there and 4 here; bath is .*0.3") as caught:
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


def test_a_block_cut_at_any_byte_is_seen(finished, tmp_path):
    whole = files(finished)[0]
    content = whole.read_bytes()
    target = tmp_path / whole.name
    cuts = [*range(0, len(content), 97), len(content) - 1]
    for length in cuts:
        target.write_bytes(content[:length])
        with pytest.raises(CorruptBlock, match="does not match its name"):
            read_block(target)
    altered = bytearray(content)
    altered[len(content) // 2] ^= 1
    target.write_bytes(altered)
    with pytest.raises(CorruptBlock):
        read_block(target)
    target.write_bytes(content)
    assert len(read_block(target).samples) == 2


def test_a_corrupt_block_is_set_aside_and_recomputed(finished, tmp_path, caplog):
    store, _ = run(tmp_path / "store")
    victim = [path for path in files(store) if path.suffix == ".h5"][2]
    victim.write_bytes(victim.read_bytes()[:1000])
    stored = store.study
    points = [point for system in stored.systems for point in system.points]
    problems = [problem for point in points for problem in store.read(stored, point)[1]]
    assert len(problems) == 1 and victim.name in problems[0]
    _, outcome = run(tmp_path / "store")
    assert 1 <= outcome.computed <= 2
    assert str(victim) in caplog.text and "torn" in caplog.text
    assert victim.with_suffix(".corrupt").exists()
    assert_same_payload(payload(store), payload(finished))


def test_duplicates_are_compared_not_averaged(finished, tmp_path, caplog):
    store, _ = run(tmp_path / "store")
    point = store.study.systems[0].points[0]
    # The same samples again, with another wall time: another file, no difference.
    run_study_again = Store(tmp_path / "twin")
    run_study(prepare(study(), run_study_again), run_study_again, quiet=True)
    for path in run_study_again.block_paths(point):
        (store.folder(point) / path.name).write_bytes(path.read_bytes())
    assert len(store.block_paths(point)) > 3
    assert_same_payload(payload(store), payload(finished))
    # Other numbers under the same study are a conflict: neither is averaged.
    path = store.block_paths(point)[0]
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        file["trace_distance"][0, 0, 1] += 1e-9
    content = image.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:16]
    twin = path.with_name(f"{path.stem[:13]}-{digest}.h5")
    twin.write_bytes(content)
    blocks, problems = store.read(store.study, point)
    assert any(twin.name in problem for problem in problems)
    assert all("differs" in problem for problem in problems)
    disputed = int(read_block(path).samples[0])
    kept = [int(sample) for block in blocks for sample in block.samples]
    assert sorted(kept) == [sample for sample in range(5) if sample != disputed]
    # The next run sets both aside and computes their samples again.
    for third in store.block_paths(point):
        if third.name[:13] == path.name[:13] and third not in (path, twin):
            third.unlink()
    caplog.clear()
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == len(read_block(path.with_suffix(".disputed")).samples) == 2
    assert f"set aside, to be computed again: sample {disputed}" in caplog.text
    assert twin.with_suffix(".disputed").exists() and not twin.exists()
    assert_same_payload(payload(store), payload(finished))


def test_of_duplicates_that_differ_by_rounding_one_is_taken(finished, tmp_path, caplog):
    """As where a job wakes after its claim went to a machine of another type."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    path = store.block_paths(point)[0]
    expected = read_block(path).arrays["trace_distance"][0]
    for shift in (3e-15, -4e-15):
        image = io.BytesIO(path.read_bytes())
        with h5py.File(image, "r+") as file:
            file["trace_distance"][0, 0, 1] += shift
        digest = hashlib.sha256(image.getvalue()).hexdigest()[:16]
        path.with_name(f"{path.stem[:13]}-{digest}.h5").write_bytes(image.getvalue())
    blocks, problems = store.read(store.study, point)
    assert problems == [] and "differs by rounding between" in caplog.text
    assert sorted(int(sample) for block in blocks for sample in block.samples) == [*range(5)]
    first = read_block(store.block_paths(point)[0]).arrays["trace_distance"][0]
    np.testing.assert_array_equal(blocks[0].arrays["trace_distance"][0], first)
    assert np.abs(first - expected).max() < 1e-14
    before = files(store)
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == 0 and files(store) == before


def test_foreign_blocks_are_refused(finished, tmp_path, caplog):
    """Blocks of another seed, another point or another range, intact and under a valid name."""
    store, _ = run(tmp_path / "store")
    other, _ = run(tmp_path / "other", text={"seed = 3": "seed = 4"})
    later, _ = run(tmp_path / "later", text={"4.0, 11.0": "4.0, 12.0"})
    first, second = store.study.systems[0].points
    victim = store.block_paths(first)[0]
    digest = victim.stem.split("-")[2]
    foreign = {
        "seeds": other.block_paths(first)[0],
        "times": later.block_paths(first)[0],
        "model": store.block_paths(second)[0],
    }
    for word, source in foreign.items():
        target = store.folder(first) / source.name
        target.write_bytes(source.read_bytes())
        _, problems = store.read(store.study, first)
        assert len(problems) == 1
        assert source.name in problems[0] and word in problems[0]
        target.unlink()
    renamed = victim.with_name(f"000007-000009-{digest}.h5")
    victim.rename(renamed)
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == 2
    assert "foreign" in caplog.text
    assert renamed.with_suffix(".corrupt").exists()
    assert_same_payload(payload(store), payload(finished))


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


def test_claims(tmp_path, monkeypatch):
    with Claims(tmp_path / "claims") as ours, Claims(tmp_path / "claims") as theirs:
        assert ours.acquire("a")
        assert not theirs.acquire("a")
        assert theirs.acquire("b")
        ours.release("a")
        assert theirs.acquire("a")
    assert not (tmp_path / "claims").exists()


def test_claims_of_the_dead_are_taken_over(tmp_path, monkeypatch):
    folder = tmp_path / "claims"
    folder.mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (folder / "here").write_text(f"{claims_module._this_machine()} {gone.pid} abc 7")
    (folder / "strange").write_bytes(b"\xff \xfe")
    (folder / "elsewhere").write_text("another-host 1 abc 7")
    monkeypatch.setattr(claims_module, "STALE_AFTER_SECONDS", 0.2)
    with Claims(folder) as claims:
        assert claims.acquire("here")
        assert not claims.acquire("strange")
        assert not claims.acquire("elsewhere")
        time.sleep(0.1)
        (folder / "elsewhere").write_text("another-host 1 abc 8")
        time.sleep(0.15)
        # Its counter moved: alive, although its file is old by now.
        assert not claims.acquire("elsewhere")
        time.sleep(0.3)
        assert claims.acquire("elsewhere")
        # What its owner did not live to write into is taken over as well.
        (folder / "empty").touch()
        assert not claims.acquire("empty")
        time.sleep(0.3)
        assert claims.acquire("empty")


def test_a_claim_that_cannot_be_written_is_not_left_without_an_owner(tmp_path, monkeypatch):
    """The others would wait until it is stale."""
    real = os.fdopen

    def full(descriptor, mode):
        real(descriptor, mode).close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(claims_module.os, "fdopen", full)
    with Claims(tmp_path / "claims") as claims:
        with pytest.raises(OSError, match="No space"):
            claims.acquire("a")
        assert list((tmp_path / "claims").iterdir()) == []


def test_a_claim_keeps_beating(tmp_path, monkeypatch):
    monkeypatch.setattr(claims_module, "HEARTBEAT_SECONDS", 0.02)
    with Claims(tmp_path / "claims") as claims:
        claims.acquire("a")
        first = (tmp_path / "claims" / "a").read_text()
        time.sleep(0.3)
        second = (tmp_path / "claims" / "a").read_text()
    assert first.split()[:3] == second.split()[:3]
    assert int(second.split()[3]) > int(first.split()[3])


def test_hand_out_waits_for_what_others_are_doing(tmp_path, finished):
    tiny = study()
    store = Store(tmp_path / "store")
    prepare(tiny, store)
    tasks = SAMPLES.tasks(tiny)
    folder = tmp_path / "claims"
    with Claims(folder) as ours, Claims(folder) as theirs:
        taken = tasks[0]
        theirs.acquire(f"{taken.point.name}.{taken.first:06d}-{taken.stop:06d}")
        seen = []
        for task, missing in hand_out(store, ours, tasks[:3]):
            seen.append(task)
            assert missing == list(range(task.first, task.stop))
            source = finished.block_paths(task.point)
            store.folder(task.point).mkdir(parents=True, exist_ok=True)
            for path in source:
                (store.folder(task.point) / path.name).write_bytes(path.read_bytes())
            if len(seen) == 2:
                theirs.release(f"{taken.point.name}.{taken.first:06d}-{taken.stop:06d}")
        assert seen[0] == tasks[1]


def test_tasks_do_not_know_ranks():
    tiny = study()
    tasks = SAMPLES.tasks(tiny)
    assert sum(task.n_samples for task in tasks) == 20
    assert {(task.first, task.stop) for task in tasks} == {(0, 2), (2, 4), (4, 5)}
    costs = [task.cost for task in tasks]
    assert costs == sorted(costs, reverse=True)
    assert Path(tasks[0].point.name).name == tasks[0].point.name


def test_blocks_older_than_a_figure_are_read(finished, tmp_path):
    """entries_kept and drop_error came later: older blocks mean their defaults."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "older"))
    point = store.study.systems[0].points[0]
    for path in store.block_paths(point):
        with h5py.File(path, "r+") as file:
            del file["entries_kept"], file["drop_error"]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        path.rename(path.with_stem("-".join([*path.stem.split("-")[:2], digest])))
    blocks, problems = store.read(store.study, point)
    assert problems == [] and store.set_aside_corrupt(store.study) == []
    for block in blocks:
        np.testing.assert_array_equal(block.arrays["entries_kept"], 1.0)
        np.testing.assert_array_equal(block.arrays["drop_error"], 0.0)


def test_shared_samples_agree_to_rounding_and_others_to_the_bit(finished, tmp_path):
    store = Store(shutil.copytree(finished.directory, tmp_path / "twice"))
    point = store.study.systems[0].points[0]
    original = read_block(store.block_paths(point)[0])
    for ranks, shift, low, high in (
        (1, 0.0, 0.0, 0.0),
        (1, 1e-13, 1e-3, 1.0),
        (1, 1e-9, 10.0, np.inf),
        (2, 1e-13, 1e-4, 0.1),
        (2, 1e-8, 10.0, np.inf),
        (1, np.nan, np.inf, np.inf),
    ):
        arrays = dict(original.arrays)
        arrays["trace_distance"] = arrays["trace_distance"] + shift
        other = replace(
            original, arrays=arrays, attributes={**original.attributes, "ranks_per_sample": ranks}
        )
        assert low <= disagreement(original, 0, other, 0) <= high
    fewer = replace(original, times=original.times[:-1])
    assert disagreement(original, 0, fewer, 0) == 0.0
    short = {**original.arrays, "trace_distance": original.arrays["trace_distance"][:, :-1]}
    assert disagreement(original, 0, replace(original, arrays=short), 0) == np.inf


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
