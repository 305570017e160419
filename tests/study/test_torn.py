"""Stores that are torn, foreign, ill or shared; disks that fill up and clocks that jump."""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny import TINY, assert_same_payload, payload, study
from tiny_stores import run

from manybody.parallel import claims
from manybody.parallel.claims import Claims
from manybody.parallel.files import listed, process_is_alive, remove_orphans, write_atomically
from manybody.study.block_files import CorruptBlock
from manybody.study.blocks import read_block
from manybody.study.merging import merge
from manybody.study.runner import prepare, run_study
from manybody.study.sample_kind import SAMPLES
from manybody.study.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("finished") / "store")[0]


def blocks(out):
    return list(Path(out).rglob("blocks/*/*.h5"))


def finished_paths(store, finished, point):
    return [store.folder(point) / path.name for path in finished.block_paths(point)]


def assert_whole(out, expected):
    """Every sample, once, to the bit, and nothing else in the folder."""
    store = Store(out)
    assert_same_payload(payload(store), expected)
    points = [point for system in store.study.systems for point in system.points]
    ranges = [path.stem.split("-")[:2] for point in points for path in store.block_paths(point)]
    assert sum(int(stop) - int(first) for first, stop in ranges) == len(expected)
    names = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    assert all(name.name == "study.json" or name.suffix == ".h5" for name in names), names
    assert not (out / "claims").exists() and not (out / "checkpoints").exists()


def test_a_disk_that_fills_up_in_the_middle(finished, tmp_path, monkeypatch):
    """At every write of a run in turn, the half-written file and all: nothing is lost."""
    real, left = os.fsync, [0]

    def full(descriptor):
        left[0] -= 1
        if left[0] == 0:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 10)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    store, held, deaths = Store(tmp_path / "store"), 0, []
    for writes in range(1, 200):
        left[0] = writes
        try:
            run_study(prepare(study(), store), store, quiet=True)
            break
        except (OSError, ValueError) as error:
            deaths.append(str(error))
        assert not list(store.directory.rglob("*.tmp"))
        now = len(blocks(store.directory))
        assert now >= held
        held = now
    assert len(deaths) > 5 and all("No space" in words for words in deaths)
    assert_whole(store.directory, payload(finished))


def test_what_failed_first_is_what_is_said(tmp_path, monkeypatch):
    """Of a disk that takes no more and gives nothing back either."""

    def refused(number):
        def call(*_, **__):
            raise OSError(number, os.strerror(number))

        return call

    monkeypatch.setattr(os, "fsync", refused(errno.ENOSPC))
    monkeypatch.setattr(Path, "unlink", refused(errno.EROFS))
    with pytest.raises(OSError) as raised:
        write_atomically(tmp_path / "name", b"content")
    assert raised.value.errno == errno.ENOSPC


def test_a_clock_that_jumps_decides_nothing(tmp_path, monkeypatch, finished):
    rng = np.random.default_rng(2)
    monkeypatch.setattr(time, "time", lambda: float(rng.uniform(-1e10, 1e10)))
    monkeypatch.setattr(time, "time_ns", lambda: int(rng.uniform(-1e18, 1e18)))
    folder = tmp_path / "claims"
    with Claims(folder) as ours, Claims(folder) as theirs:
        assert theirs.acquire("a")
        for when in (0.0, 4e9):
            os.utime(folder / "a", (when, when))
            assert not ours.acquire("a")
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        (folder / "b").write_text(f"{claims._this_machine()} {gone.pid} abc 7")
        os.utime(folder / "b", (4e9, 4e9))
        assert ours.acquire("b")
    store = Store(tmp_path / "store")
    outcome = run_study(prepare(study(), store), store, quiet=True)
    assert 0.0 < outcome.seconds < 1000.0
    assert_whole(store.directory, payload(finished))
    for block in [read_block(path) for path in blocks(store.directory)]:
        assert np.all((block.arrays["seconds"] > 0.0) & (block.arrays["seconds"] < 1000.0))


def test_a_block_cut_at_any_length(finished, tmp_path):
    """Seen, named and set aside at one of every nine; left out by those who only read."""
    asked = study(
        text={
            "[4, 6]": "[4]",
            "samples = 5": "samples = 2",
            TINY[TINY.index('[[systems]]\nmodel = "anderson3d"') :]: "",
        }
    )
    store = Store(tmp_path / "store")
    run_study(prepare(asked, store), store, quiet=True)
    expected = payload(store)
    point = asked.systems[0].points[0]
    (path,) = store.block_paths(point)
    whole, aside = path.read_bytes(), path.with_suffix(".corrupt")
    for length in range(len(whole) - 1, -1, -9):
        os.truncate(path, length)
        (problem,) = store.set_aside_corrupt(asked)
        assert path.name in problem
        os.replace(aside, path)
    for length in (0, 1, 511, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        found, problems = store.read(asked, point)
        assert found == [] and path.name in problems[0]
        outcome = run_study(prepare(asked, store), store, quiet=True)
        assert outcome.computed == 2
        assert aside.read_bytes() == whole[:length]
        aside.unlink()
        assert_whole(store.directory, expected)
        # Of other seconds, so of another name.
        (new,) = store.block_paths(point)
        new.unlink()


def test_names_that_are_no_blocks(finished, tmp_path):
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    for name in ("0-1-2-3.h5", "1-x-0.h5", "000000-000009-abc.h5.part", "7-8-abc.corrupt", "7"):
        (store.folder(point) / name).write_text("of somebody")
    assert store.finished(point) == set(range(5))
    assert store.block_paths(point) == finished_paths(store, finished, point)


def test_a_folder_that_cannot_be_listed_is_not_empty(finished, monkeypatch):
    """Else a run would do all of it again."""

    def ill(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    point = finished.study.systems[0].points[0]
    monkeypatch.setattr(os, "listdir", ill)
    with pytest.raises(OSError, match="Input/output"):
        finished.finished(point)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_cannot_be_listed_is_not_passed_over(finished, number, tmp_path, monkeypatch):
    """Records of failures, checkpoints, variants of a merge; only what cleans up goes on."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    variants = store.directory / "convergence"
    closed = {store.directory / "failures" / point.name, variants}
    for folder in closed:
        folder.mkdir(parents=True)
    assert listed(variants / "none", "*") == listed(store.directory / "study.json", "*") == []

    def closing(real):
        def call(folder="."):
            if Path(folder) in closed:
                raise OSError(number, os.strerror(number), str(folder))
            return real(folder)

        return call

    monkeypatch.setattr(os, "listdir", closing(os.listdir))
    monkeypatch.setattr(os, "scandir", closing(os.scandir))
    with pytest.raises(OSError, match=re.escape(point.name)):
        store.failures(point)
    remove_orphans(store.directory)
    closed.remove(store.directory / "failures" / point.name)
    with pytest.raises(OSError, match="convergence"):
        merge([store], Store(tmp_path / "merged"))


def test_what_is_no_block_under_a_name_that_is_right(finished, tmp_path):
    """Bytes that match the name, of a text, of nothing and of another HDF5 file."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["sample"] = [0, 1]
    for content in (b"", b"a text" * 1000, (tmp_path / "other.h5").read_bytes()):
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = store.folder(point) / f"000000-000002-{digest}.h5"
        path.write_bytes(content)
        with pytest.raises(CorruptBlock, match=digest):
            read_block(path)
        (problem,) = store.set_aside_corrupt(store.study)
        assert path.name in problem and "set aside" in problem
        path.with_suffix(".corrupt").unlink()
    assert_whole(store.directory, payload(finished))


def test_a_block_that_cannot_be_read_is_not_thrown_away(finished, tmp_path, monkeypatch, caplog):
    """An ill file system, or too many open files: it may be whole."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    victim = sorted(blocks(store.directory))[3]
    real = Path.read_bytes

    def ill(self):
        if self.name == victim.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", ill)
    outcome = run_study(prepare(study(), store), store, quiet=True)
    assert outcome.computed == 0
    assert f"left out: {victim} cannot be read" in caplog.text
    assert not list(store.directory.rglob("*.corrupt"))
    with pytest.raises(CorruptBlock, match="cannot be read"):
        read_block(victim)
    monkeypatch.undo()
    assert_whole(store.directory, payload(finished))


def test_runs_that_start_at_once_set_one_torn_block_aside(finished, tmp_path, monkeypatch):
    """Another run is faster, at any moment."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    victim = sorted(blocks(store.directory))[3]
    torn = victim.read_bytes()[:99]
    victim.write_bytes(torn)

    def faster(*arguments):
        try:
            return SAMPLES.check_block(*arguments)
        except CorruptBlock:
            victim.unlink()
            raise

    monkeypatch.setattr(store, "kind", replace(SAMPLES, check_block=faster))
    store.set_aside_corrupt(store.study)
    monkeypatch.undo()
    outcome = run_study(prepare(study(), store), store, quiet=True)
    assert outcome.computed > 0
    assert_same_payload(payload(store), payload(finished))


def test_blocks_of_other_studies_and_points_are_replaced(finished, tmp_path, caplog):
    """Whole, and under a name that is right: in place of the one that belongs there."""
    other = Store(tmp_path / "other")
    run_study(prepare(study(text={"seed = 3": "seed = 4"}), other), other, quiet=True)
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    first, second = (system.points[0] for system in store.study.systems[1:])
    for point, source in ((first, other.block_paths(first)[0]), (second, None)):
        source = source or store.block_paths(first)[0]
        store.block_paths(point)[0].unlink()
        shutil.copy(source, store.folder(point))
    outcome = run_study(prepare(study(), store), store, quiet=True)
    assert outcome.computed == 4
    assert caplog.text.count("is foreign: it has other") == 2
    aside = list(store.directory.rglob("*.corrupt"))
    assert len(aside) == 2
    for path in aside:
        path.unlink()
    assert_whole(store.directory, payload(finished))


def test_processes_that_nobody_asks_for_are_gone():
    """A killed rank stays in the table of processes until its parent looks."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    assert process_is_alive(process.pid)
    process.kill()
    end = time.monotonic() + 60.0
    while process_is_alive(process.pid):
        assert time.monotonic() < end
    assert process.poll() is not None


def test_of_many_that_find_a_claim_stale_one_takes_it(tmp_path, monkeypatch):
    """The slower ones have seen it, and act when it is in other hands already."""
    folder = tmp_path / "claims"
    folder.mkdir()
    (folder / "a").write_text("another-host 1 abc 7")
    with Claims(folder) as fast, Claims(folder) as slow:
        real = slow._is_stale

        def meanwhile(*arguments):
            monkeypatch.setattr(claims, "STALE_AFTER_SECONDS", -1.0)
            fast._is_stale("a", "another-host 1 abc 7")
            assert fast.acquire("a")
            real(*arguments)
            return True

        monkeypatch.setattr(slow, "_is_stale", meanwhile)
        assert not slow.acquire("a")
        assert fast.owner_of("a").startswith(fast._owner)
        monkeypatch.undo()
        # One that stood still for long does not write into what another holds now.
        monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.01)
        slow._held.add("a")
    with Claims(folder) as slept, Claims(folder) as owner:
        assert owner.acquire("b")
        content = owner.owner_of("b").split()[:3]
        slept._held.add("b")
        time.sleep(0.3)
        assert owner.owner_of("b").split()[:3] == content
        slept.release("b")
        assert (folder / "b").exists()
