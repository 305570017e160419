"""What only a launcher can show: exit codes and the end of a job in which one rank fails."""

import shutil
import subprocess
import sys
import time

import launching
import pytest
from tiny import TABLES, TINY

MPIRUN = shutil.which("mpirun")
pytestmark = pytest.mark.skipif(
    not launching.can_launch(), reason="no mpirun on PATH, or mpi4py not installed"
)

FAILING = """
import os, sys
from manybody import cli
from manybody.study import samples
real = samples.compare_problems
def fail(*arguments, **keywords):
    if os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK")) == "1":
        {what}
    import time
    time.sleep(0.05)
    return real(*arguments, **keywords)
samples.compare_problems = fail
sys.exit(cli.main(sys.argv[1:]))
"""


def launch(n_ranks, *command, timeout=120):
    return subprocess.run(
        [MPIRUN, "-n", str(n_ranks), sys.executable, *command],
        env=launching.environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY + TABLES)
    return path


def test_bad_input_is_said_once_and_nothing_written(study_file, tmp_path):
    study_file.write_text(TINY.replace("beta = 5.0", "beta = -5.0"))
    done = launch(3, "-m", "manybody", "run", str(study_file), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.count("bath beta = -5.0") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ('raise TypeError("broken program")', "TypeError: broken program"),
        ("sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_an_exception_on_one_rank_ends_the_job_at_once(study_file, tmp_path, what, words):
    out = tmp_path / "out"
    start = time.monotonic()
    code = FAILING.format(what=what)
    done = launch(2, "-c", code, "run", str(study_file), "--out", str(out))
    assert time.monotonic() - start < 60.0
    assert done.returncode not in (0, 2)
    assert words in done.stderr
    again = launch(2, "-m", "manybody", "run", str(study_file), "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert "20/20 samples" in again.stderr or "samples are there already" in again.stderr
    assert not list(out.rglob("*.tmp"))


def test_a_petsc_study_through_the_command_line(study_file, tmp_path):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    few = TINY.replace("samples = 5", "samples = 1").replace("4.0, 11.0", "4.0")
    few += '[outputs]\nformats = ["png"]\n'
    study_file.write_text(few.replace("seed = 3", 'seed = 3\nstepper = "ts-rk5dp"'))
    done = launch(2, "-m", "manybody", "run", str(study_file), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "figure:" in done.stdout


RAISING = """
import os, sys
import numpy as np
from manybody import cli, errors
from manybody.cli import running
real = running.keep_freed_memory
def wrong(*arguments):
    if os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK")) in "{ranks}":
        {raised}
    return real()
running.{name} = wrong
sys.exit(cli.main(sys.argv[1:]))
"""
NUMPYS = "np.ones(3) + np.ones(2)"


@pytest.mark.parametrize(
    ("name", "ranks", "raised", "code", "words"),
    [
        # Before any collective call, on one rank: the other waits for it.
        ("keep_freed_memory", "1", NUMPYS, 1, "ValueError: operands could not be broadcast"),
        ("keep_freed_memory", "1", "raise OSError('torn')", 1, "manybody: rank 1: torn"),
        ("keep_freed_memory", "0", "raise errors.InputError('one')", 1, "InputError: one"),
        # What is judged on rank 0 for all.
        ("requested_study", "01", NUMPYS, 1, "ValueError: operands could not be broadcast"),
        ("requested_study", "01", "raise errors.InputError('x = 1')", 2, "manybody: x = 1"),
    ],
)
def test_sentences_and_tracebacks_end_all_ranks(
    study_file, tmp_path, name, ranks, raised, code, words
):
    out = tmp_path / "out"
    program = RAISING.format(name=name, ranks=ranks, raised=raised)
    done = launch(2, "-c", program, "run", str(study_file), "--out", str(out), timeout=60)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert ("Traceback" in done.stderr) == ("manybody: " not in words)
    assert done.stderr.count("manybody: ") == words.count("manybody: ")
    assert not out.exists()


SENTENCES = """
import sys
from manybody import cli, errors
from manybody.cli import running
def wrong(*arguments):
    raise kind(f"of kind {kind.__name__}")
running.requested_study = wrong
for kind in (errors.InputError, errors.InputTypeError, errors.Unavailable, errors.NumericalError):
    code = cli.main(sys.argv[1:])
    # In one piece, or the launcher puts what the other rank says between a line and its end.
    sys.stdout.write(f"{kind.__name__} gives {code}\\n")
    sys.stdout.flush()
"""


def test_every_sentence_is_said_once_and_has_its_code_on_all_ranks(study_file, tmp_path):
    out = tmp_path / "out"
    done = launch(2, "-c", SENTENCES, "run", str(study_file), "--out", str(out))
    assert done.returncode == 0, done.stderr
    codes = {"InputError": 2, "InputTypeError": 2, "Unavailable": 1, "NumericalError": 1}
    for kind, code in codes.items():
        assert done.stderr.count(f"manybody: of kind {kind}\n") == 1
        assert done.stdout.count(f"{kind} gives {code}\n") == 2
    assert "Traceback" not in done.stderr and not out.exists()


FAILING_TOGETHER = """
import os, sys
from manybody import cli
from manybody.numerics.dense import KernelOperator
real = KernelOperator.apply
calls = 0
def fail(*arguments, **keywords):
    global calls
    calls += 1
    if calls == 7 and os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK")) == "1":
        raise MemoryError("no room on one rank")
    return real(*arguments, **keywords)
KernelOperator.apply = fail
sys.exit(cli.main(sys.argv[1:]))
"""


def test_an_exception_on_one_rank_of_a_shared_sample_ends_the_job_at_once(study_file, tmp_path):
    """The others wait in an exchange that will never be complete."""
    out = tmp_path / "out"
    start = time.monotonic()
    shared = ["run", str(study_file), "--out", str(out), "--group-size", "2"]
    done = launch(2, "-c", FAILING_TOGETHER, *shared)
    assert time.monotonic() - start < 60.0
    assert done.returncode not in (0, 2)
    assert (
        "manybody: rank 1: the run stopped; finished blocks are safe: too little memory: no"
        in (done.stderr)
    )
    again = launch(2, "-m", "manybody", *shared)
    assert again.returncode == 0, again.stderr
    assert "predicted and measured" in again.stderr
    assert not list(out.rglob("*.tmp"))


def test_ranks_that_ask_for_different_things_are_refused(study_file, tmp_path):
    """As `mpirun -n 1 A : -n 1 B` has it, on which the launcher of Open MPI 5.0.7 crashes."""
    program = """
import os, sys
from manybody import cli
rank = os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK"))
study = {"0": sys.argv[1], "1": "paper-fig1-small"}[rank]
sys.exit(cli.main(["run", study, "--out", sys.argv[2]]))
"""
    done = launch(2, "-c", program, str(study_file), str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.count("study: rank 1 was given another than rank 0") == 1
    assert not (tmp_path / "out").exists()
