"""Who computes what: claims on blocks, and how they are handed out."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import study
from tiny_stores import run

from manybody.parallel import claims as claims_module
from manybody.parallel.claims import Claims
from manybody.study.assignments import hand_out
from manybody.study.runner import prepare
from manybody.study.sample_kind import SAMPLES
from manybody.study.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("finished") / "store")[0]


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
