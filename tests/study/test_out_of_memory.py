"""Where memory ends on one of several ranks, or a file is refused: one sentence and all end."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import launching
import pytest
from tiny import TINY

from manybody import cli
from manybody.study.store import Store

# Seconds; what hangs does so for ever.
LONGEST = 60.0
PROGRAM = """
import importlib, os, sys, time
import numpy as np
from manybody import cli
from manybody.solve import checkpoints, spread, stacked
stacked._LARGE_ABOVE, spread._MOST_APPLICATIONS, checkpoints._PATIENCE = 20, 100.0, 0.0
module, path, rank, which = sys.argv[1:5]
del sys.argv[1:5]
owner, (*outer, name) = importlib.import_module(module), path.split(".")
for each in outer:
    owner = getattr(owner, each)
real, calls = getattr(owner, name), 0
def is_it(arguments):
    if which.isdigit():
        return calls == int(which)
    path = os.readlink(f"/proc/self/fd/{arguments[0]}")
    return f"/{which}/" in path and path.endswith(".tmp")
def without_room(*arguments, **keywords):
    global calls
    calls += 1
    if os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK", "0")) != rank:
        # Where each has blocks of its own the other must come to one.
        time.sleep(10.0 if calls == 1 and (rank, sys.argv[-1]) == ("1", "1") else 0.0)
    elif is_it(arguments):
        np.empty(1 << 58)
    return real(*arguments, **keywords)
setattr(owner, name, without_room)
sys.exit(cli.main(sys.argv[1:]))
"""
# One stack, and a cube that PROGRAM takes for a long sample.
STUDY = (
    TINY.replace("samples = 5", "samples = 4")
    .replace("n_sites = [4, 6]", "n_sites = 4")
    .replace("length = 2", "length = 3\nsamples = 2")
    .replace("disorder = [0.0, 5.0]", "disorder = 5.0")
    + '[outputs]\nformats = ["csv"]\n'
)
# Stage -> (module, what is called there, on which rank, the call that fails, group size); of
# descriptors the first of a temporary file in this folder, however many others come before.
STAGES = {
    "beginning": ("study.block_store", "BlockStore.forget_failures", 0, 1, 1),
    "drawing": ("study.configuration", "Point.build", 1, 1, 1),
    "Redfield of a stack": ("solve.stacked", "stepped_of", 1, 1, 1),
    "Davies of a shared sample": ("solve.spread", "closed_of", 1, 1, 2),
    "evolution of a stack": ("solve.stacked", "_Stack._advanced", 1, 1, 1),
    "checkpoint": ("solve.spread", "Keeper.write", 0, 1, 2),
    "image of a block": ("study.block_store", "image_of", 1, 1, 1),
    "half-written block": ("parallel.files", "os.fsync", 0, "blocks", 2),
    "ending": ("study.runner", "_left", 0, 1, 1),
}
needs_mpirun = pytest.mark.skipif(not launching.can_launch(), reason="no mpirun or no mpi4py")


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY)
    return path


def launch(study_file, out, where, ranks=2):
    module, path, rank, which, group_size = where
    launcher = [shutil.which("mpirun"), "-n", str(ranks)] if ranks > 1 else []
    own = [f"manybody.{module}", path, str(rank), str(which)]
    arguments = ["run", str(study_file), "--out", str(out), "--group-size", str(group_size)]
    root = str(Path(cli.__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [*launcher, sys.executable, "-c", PROGRAM, *own, *arguments],
        env=launching.environment(PYTHONPATH=paths),
        capture_output=True,
        text=True,
        timeout=2 * LONGEST,
    )


@needs_mpirun
@pytest.mark.parametrize("stage", STAGES)
def test_memory_that_ends_on_one_of_two_ranks(stage, study_file, tmp_path):
    out, start = tmp_path / "out", time.monotonic()
    done = launch(study_file, out, STAGES[stage])
    assert time.monotonic() - start < LONGEST
    assert done.returncode not in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if "manybody: " in line]
    # The launcher then ends the other rank, which says that it has heard.
    said = [line for line in said if "manybody: SIGTERM: ends" not in line]
    assert len(said) == 1 and "too little memory: Unable to allocate 2.00 EiB" in said[0], said
    assert not list(out.rglob("*.tmp"))
    if (out / "study.json").exists():
        store = Store(out)
        assert all(store.read(store.study, point)[1] == [] for point in store.study.wanted)


def test_what_the_machine_refuses_is_one_sentence(study_file, tmp_path, monkeypatch, capsys):
    """Python's own lack of memory has no words; a file that others read as bad input is none."""
    arguments = ["run", str(study_file), "--out", str(tmp_path / "out"), "--quiet"]

    def raising(error):
        def run_whole(*_):
            raise error

        monkeypatch.setattr("manybody.study.whole_runs.run_whole", run_whole)
        assert cli.main(arguments) == 1
        return capsys.readouterr().err

    before = "manybody: the run stopped; finished blocks are safe"
    assert raising(MemoryError()) == f"{before}: too little memory\n"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "name")
    assert raising(full) == f"{before}: [Errno 28] No space left on device: 'name'\n"
    monkeypatch.undo()
    description = tmp_path / "out" / "study.json"
    real = Path.read_text

    def unreadable(path, *more):
        if path == description:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, *more)

    def run_whole(prepared, *_):
        monkeypatch.setattr(Path, "read_text", unreadable)
        return prepared[0][1].study

    monkeypatch.setattr("manybody.study.whole_runs.run_whole", run_whole)
    assert cli.main(arguments) == 1
    said = capsys.readouterr().err
    assert said == f"{before}: [Errno 5] Input/output error: '{description}'\n"


def test_other_exceptions_have_their_traceback(study_file, tmp_path, monkeypatch):
    def run_whole(*_):
        raise TypeError("a mistake")

    monkeypatch.setattr("manybody.study.whole_runs.run_whole", run_whole)
    with pytest.raises(RuntimeError, match="finished blocks are safe") as raised:
        cli.main(["run", str(study_file), "--out", str(tmp_path / "out"), "--quiet"])
    assert isinstance(raised.value.__cause__, TypeError)
