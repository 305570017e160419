"""What dies, fills up or is torn costs time and never a sample."""

import errno
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import launching
import numpy as np
import pytest
import soak
import soak_studies
from tiny import TABLES, TINY, assert_same_payload, payload, study

from manybody import cli
from manybody.cli.kinds import open_store
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

ROOT = Path(__file__).parents[2]
needs_mpirun = pytest.mark.skipif(not launching.can_launch(), reason="no mpirun or no mpi4py")
# Seconds of work in many blocks: stacks, and cubes that PROGRAM takes for long samples.
LONGER = (
    TINY.replace("samples = 5", "samples = 6")
    .replace("4.0, 11.0", "4.0, 25.0")
    .replace("length = 2", "length = [2, 3]")
    + TABLES
)


def environment():
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return launching.environment(PYTHONPATH=os.pathsep.join(filter(None, paths)))


def command(study_file, out, *options, ranks=1, program=soak.PROGRAM):
    launcher = [shutil.which("mpirun"), "-n", str(ranks)] if ranks > 1 else []
    arguments = ["run", str(study_file), "--out", str(out), "--quiet", *options]
    return [*launcher, sys.executable, "-c", program, *arguments]


def start(*arguments, preexec=None, **keywords):
    return subprocess.Popen(
        command(*arguments, **keywords),
        env=environment(),
        text=True,
        preexec_fn=preexec,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process):
    printed, said = process.communicate(timeout=150)
    return process.returncode, printed, said


def run(*arguments, **keywords):
    return finish(start(*arguments, **keywords))


def wait_for(process, condition):
    """Until something is on the disk, while the process lives."""
    end = time.monotonic() + 100.0
    while not condition():
        assert time.monotonic() < end and process.poll() is None, finish(process)
        time.sleep(0.02)


def found(out, pattern):
    """Paths there are now; none where a folder goes while one looks."""
    try:
        return list(Path(out).rglob(pattern))
    except FileNotFoundError:
        return []


def blocks(out):
    return found(out, "blocks/*/*.h5")


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "longer.toml"
    path.write_text(LONGER)
    return path


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """The payload of an unbroken run of LONGER."""
    folder = tmp_path_factory.mktemp("longer")
    (folder / "longer.toml").write_text(LONGER)
    code, _, said = run(folder / "longer.toml", folder / "out")
    assert code == 0, said
    return payload(Store(folder / "out"))


def assert_whole(out, expected):
    """Every sample, once, to the bit, and nothing else in the folder."""
    assert_same_payload(payload(Store(out)), expected)
    assert soak.contents(Store(out))[1] == 0
    assert soak.leftovers(Path(out)) == []


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A complete tiny store, made in this process."""
    store = Store(tmp_path_factory.mktemp("finished") / "store")
    run_study(prepare(study(), store), store, quiet=True)
    return store


def soaked(*options):
    """What scripts/soak.py prints where nothing is harmed."""
    done = subprocess.run(
        [sys.executable, soak.__file__, *options],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("counted", ["samples", "cases"])
def test_kills_at_random_moments(counted):
    """By one process, by mpirun and by two processes that share a store, in turn.

    A few; hundreds are for scripts/soak.py by hand.
    """
    printed = soaked("--of", counted, "--kills", "3")
    assert re.match(r"seed \d+\n3 kills", printed)
    (kills, *completed) = re.search(
        r"^(\d+) kills .*\n(\d+) studies of samples and (\d+) of cases completed: 0 samples lost, "
        r"0 double, 0 with differing bits, 0 leftover files, 0 runs hung, 0 strange",
        printed,
        re.MULTILINE,
    ).groups()
    assert int(kills) >= 3 and int(completed[counted == "cases"]) >= 1


@pytest.mark.parametrize("counted", ["samples", "cases"])
def test_calls_that_go_wrong_and_bits_that_flip(counted):
    """A few; a thousand are for scripts/soak.py by hand."""
    printed = soaked("--of", counted, "--kills", "0", "--faults", "4", "--flips", "10")
    found = "10 by read, 10 by a run's check, 10 by merge from it, 10 by merge into it"
    assert f"10 bits flipped, found: {found}" in printed
    if "no faults: a C compiler" in printed:
        pytest.skip("no C compiler")
    assert re.search(
        r"^4 faults .*\n0 samples, cases or reports lost, 0 double, 0 with differing bits, "
        r"0 leftover files, 0 hung, 0 strange ends, 0 times done without being so, 0 tracebacks",
        printed,
        re.MULTILINE,
    )


def test_a_zombie(study_file, longer, tmp_path, monkeypatch):
    """It stands still until another has taken its work over and completed the store."""
    monkeypatch.setattr(soak, "environment", environment)
    one = soak.Soak(tmp_path, 1, 1.0, random.Random(1), {})
    one.study = study_file
    try:
        assert one.wake_the_dead(tmp_path / "out")
    finally:
        one.end_all()
    assert one.zombies == 1
    one.judge(tmp_path / "out", longer, had_zombies=True)
    assert not one.is_harmed, one.summary()
    # Its own block at most has come twice.
    assert one.duplicates <= 2


def test_a_signal_ends_a_run_with_75_and_the_same_command_goes_on(study_file, longer, tmp_path):
    out = tmp_path / "out"
    for number in (signal.SIGUSR1, signal.SIGTERM):
        before = len(blocks(out))
        process = start(study_file, out)
        wait_for(process, lambda before=before: len(blocks(out)) >= before + 3)
        process.send_signal(number)
        # A second one changes nothing.
        process.send_signal(number)
        code, printed, said = finish(process)
        assert code == 75, said
        assert f"stopped by {number.name}" in said and "the same command goes on" in said
        assert "csv" not in printed
        names = {path.relative_to(out).parts[0] for path in out.rglob("*") if path.is_file()}
        assert names <= {"blocks", "study.json", "study.toml", "checkpoints"}
        assert not list(out.rglob(".*.tmp"))
    code, printed, said = run(study_file, out)
    assert code == 0, said
    assert_whole(out, longer)


def test_a_signal_leaves_a_long_sample_at_a_checkpoint(study_file, longer, tmp_path, capsys):
    """Only the most expensive systems come first, so the first blocks are of long samples."""
    out = tmp_path / "out"
    process = start(study_file, out)
    wait_for(process, lambda: found(out, "checkpoints/*/*.state"))
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    # Gone where the sample was complete just before.
    left = found(out, "checkpoints/*/*.state")
    assert cli.main(["status", str(out)]) == 0
    assert (f"{len(left)} at a checkpoint" in capsys.readouterr().out) is bool(left)
    process = start(study_file, out)
    wait_for(process, lambda: blocks(out))
    process.send_signal(signal.SIGUSR1)
    assert finish(process)[0] == 75
    assert run(study_file, out)[0] == 0
    assert_whole(out, longer)


@needs_mpirun
@pytest.mark.parametrize("group_size", [1, 2])
def test_mpirun_hands_the_exit_code_on(group_size, study_file, longer, tmp_path):
    if group_size == 2:
        fewer = LONGER.replace("samples = 6", "samples = 4").replace("[2, 3]", "2")
        study_file.write_text(fewer.replace("seed = 3", "seed = 3\ngroup_size = 2"))
    out = tmp_path / "out"
    process = start(study_file, out, ranks=2)
    wait_for(process, lambda: len(blocks(out)) >= 3)
    process.send_signal(signal.SIGUSR1)
    code, _, said = finish(process)
    assert code == 75, said
    assert "stopped by SIGUSR1" in said
    assert not (out / "claims").exists() and not list(out.rglob(".*.tmp"))
    code, _, said = run(study_file, out, ranks=2)
    assert code == 0, said
    if group_size == 1:
        assert_whole(out, longer)
        return
    found = payload(Store(out))
    assert len(found) == 16
    for key, values in found.items():
        expected = longer[key]["trace_distance"]
        np.testing.assert_allclose(values["trace_distance"], expected, rtol=0.0, atol=1e-11)
    assert soak.leftovers(out) == []


def test_two_runs_share_a_store(study_file, longer, tmp_path):
    out = tmp_path / "out"
    processes = [start(study_file, out) for _ in range(2)]
    for process in processes:
        code, _, said = finish(process)
        assert code == 0, said
    assert_whole(out, longer)


def test_two_shards_at_once(study_file, longer, tmp_path):
    out = tmp_path / "out"
    processes = [start(study_file, out, "--shard", f"{index}/2") for index in range(2)]
    for process in processes:
        code, printed, said = finish(process)
        assert code == 0, said
        assert "csv" not in printed
    assert not (out / "report").exists()
    assert_whole(out, longer)
    before = sorted(blocks(out))
    code, printed, _ = run(study_file, out)
    assert code == 0 and "curves.csv" in printed
    assert sorted(blocks(out)) == before


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_fills_up(study_file, longer, tmp_path):
    """Files end at a size that the description of the study has and no block."""
    out = tmp_path / "out"
    code, _, said = run(study_file, out, preexec=limited(9000))
    assert code == 1
    assert os.strerror(errno.EFBIG) in said and "finished blocks are safe" in said
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"study.json", "study.toml"}
    # Nothing at all can be written: bad input, in one sentence.
    code, _, said = run(study_file, tmp_path / "none", preexec=limited(0))
    assert code == 2 and said.count("\n") == 1 and "cannot be a store" in said
    assert [path for path in (tmp_path / "none").rglob("*") if path.is_file()] == []
    assert run(study_file, out)[0] == 0
    assert_whole(out, longer)


def test_folders_that_cannot_be_written(study_file, tmp_path, finished, capsys):
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file" / "below", tmp_path / "file", Path("/proc/self/nowhere")):
        code = cli.main(["run", str(study_file), "--out", str(out), "--quiet"])
        said = capsys.readouterr().err
        assert code == 2 and said.count("\n") == 1, said
    assert (tmp_path / "file").read_text() == "precious"
    # One that cannot be written any more once the run has begun.
    store = Store(tmp_path / "store")
    prepared = prepare(study(), store)
    place = store.folder(prepared.systems[2].points[0])
    place.parent.mkdir()
    place.write_text("in the way")
    with pytest.raises(OSError, match=re.escape(place.name)):
        run_study(prepared, store, quiet=True)
    assert not (store.directory / "claims").exists()
    place.unlink()
    run_study(prepare(study(), store), store, quiet=True)
    assert_whole(store.directory, payload(finished))


@pytest.fixture(scope="module")
def cases_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cases") / "cases.toml"
    path.write_text(soak_studies.CASES)
    return path


@pytest.fixture(scope="module")
def cases(cases_file):
    """The contents of an unbroken run of the study of cases."""
    out = cases_file.parent / "out"
    code, _, said = run(cases_file, out)
    assert code == 0, said
    return soak.contents(open_store(out))[0]


def assert_whole_cases(out, expected):
    assert soak.contents(open_store(out)) == (expected, 0, [])
    assert soak.leftovers(Path(out)) == []


@pytest.mark.parametrize("shards", [False, True])
def test_two_runs_share_a_store_of_cases(shards, cases_file, cases, tmp_path):
    out = tmp_path / "out"
    options = [["--shard", f"{index}/2"] if shards else [] for index in range(2)]
    for process in [start(cases_file, out, *own) for own in options]:
        code, _, said = finish(process)
        assert code == 0, said
    assert (out / "report").exists() is not shards
    assert_whole_cases(out, cases)


def test_a_disk_that_fills_up_under_cases(tmp_path):
    """As above: there is room for a short description and for no block."""
    few, whole, out = tmp_path / "few.toml", tmp_path / "whole", tmp_path / "out"
    text = soak_studies.CASES.replace("[3, 200]", "3").replace("samples = 10", "samples = 1")
    few.write_text(text)
    code, _, said = run(few, tmp_path / "none", preexec=limited(0))
    assert code == 2 and said.count("\n") == 1 and "cannot be a store" in said
    assert run(few, whole)[0] == 0
    room = (whole / "study.json").stat().st_size
    assert room < min(path.stat().st_size for path in blocks(whole))
    code, _, said = run(few, out, preexec=limited(room))
    assert code == 1
    assert os.strerror(errno.EFBIG) in said and "finished blocks are safe" in said
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"study.json", "study.toml"}
    assert run(few, out)[0] == 0
    assert_whole_cases(out, soak.contents(open_store(whole))[0])


@needs_mpirun
def test_mpirun_hands_the_exit_code_of_cases_on(cases_file, cases, tmp_path):
    out = tmp_path / "out"
    process = start(cases_file, out, ranks=2)
    wait_for(process, lambda: len(blocks(out)) >= 3)
    process.send_signal(signal.SIGUSR1)
    code, _, said = finish(process)
    assert code == 75, said
    assert "stopped by SIGUSR1" in said and "cases are left" in said
    code, _, said = run(cases_file, out, ranks=2)
    assert code == 0, said
    assert_whole_cases(out, cases)


FAILING = """
import sys
from manybody.study.configuration import Point
real = Point.build
def build(self, seed, sample):
    if {condition}:
        raise ArithmeticError("an unlucky draw")
    return real(self, seed, sample)
Point.build = build
"""


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=needs_mpirun)])
def test_one_failing_sample(ranks, finished, tmp_path, capsys):
    study_file, out = tmp_path / "tiny.toml", tmp_path / "out"
    study_file.write_text(TINY + TABLES)
    program = FAILING.format(condition="(self.size, sample) == (6, 3)")
    # As the program is: no long samples here.
    program += "from manybody import cli\nsys.exit(cli.main(sys.argv[1:]))"
    code, printed, said = run(study_file, out, ranks=ranks, program=program)
    assert code == 3, said
    assert "1 samples have failed" in said and "curves.csv" in printed
    store = Store(out)
    point = store.study.systems[0].points[1]
    ((sample, path),) = store.failures(point).items()
    record = json.loads(path.read_text())
    assert (sample, record["sample"], record["size"]) == (3, 3, 6)
    assert record["seed"] == list(point.entropy(3, 3))
    assert record["error"] == "ArithmeticError: an unlucky draw"
    assert any("an unlucky draw" in line for line in record["traceback"])
    expected = payload(finished)
    missing = {(point.name, 3)}
    assert_same_payload(payload(store), {k: v for k, v in expected.items() if k not in missing})
    assert cli.main(["status", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"FAILED: {point.name} sample 3, see {path}" in printed
    assert "19 of 20" in printed
    if ranks == 1:
        code, _, said = run(study_file, out, program=program)
        assert code == 3 and path.exists()
    code, _, said = run(study_file, out, ranks=ranks, program=program.split("real")[0] + CLEAN)
    assert code == 0, said
    assert not path.exists()
    assert_same_payload(payload(store), expected)
    assert not list(out.rglob("*.tmp")) and not (out / "claims").exists()


CLEAN = "\nfrom manybody import cli\nsys.exit(cli.main(sys.argv[1:]))"


def test_all_samples_failing(tmp_path):
    study_file, out = tmp_path / "tiny.toml", tmp_path / "out"
    study_file.write_text(TINY + TABLES)
    code, _, said = run(study_file, out, program=FAILING.format(condition="True") + CLEAN)
    assert code == 3, said
    assert "20 samples have failed" in said
    assert len(list(out.rglob("failures/*/*.json"))) == 20 and not blocks(out)


def test_a_run_stopped_when_nothing_is_left_is_complete(tmp_path):
    """A signal during the last block: the report is written, the exit code is 0."""
    study_file, out = tmp_path / "tiny.toml", tmp_path / "out"
    study_file.write_text(TINY + TABLES)
    program = """
import os, signal, sys
from manybody.study.block_store import BlockStore
real, left = BlockStore.commit, [12]
def commit(*arguments):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        print("signalled", file=sys.stderr)
    return real(*arguments)
BlockStore.commit = commit
"""
    code, printed, said = run(study_file, out, program=program + CLEAN)
    assert code == 0, said
    assert "signalled" in said
    assert "curves.csv" in printed
