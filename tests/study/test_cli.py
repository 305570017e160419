import csv
import io
import logging
import os
import re
import shutil
import subprocess
import sys

import pytest
from tiny import TABLES, TINY, assert_same_payload, payload

from manybody import cli
from manybody.cli.speech import log_on_stderr
from manybody.study.parsing import builtin_studies
from manybody.study.progress import Progress, clock
from manybody.study.store import Store


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_run_and_report(study_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["run", str(study_file), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "20 samples in 12 blocks" in printed.err
    assert re.search(r"20 samples in .*: \d+ applications, .* per core-second", printed.err)
    for kind in ("figure", "table", "data"):
        assert f"{kind}: {out}" in printed.out
    report = out / "report"
    assert (report / "tiny.png").read_bytes().startswith(b"\x89PNG")
    assert (report / "tiny.pdf").read_bytes().startswith(b"%PDF")
    rows = list(csv.DictReader((report / "maxima.csv").read_text().splitlines()))
    assert [int(row["n_sites"]) for row in rows] == [4, 6, 8, 8]
    curves = list(csv.DictReader((report / "curves.csv").read_text().splitlines()))
    assert len(curves) == 4 * 4
    data = payload(Store(out))
    first = rows[0]
    distances = [
        values["trace_distance"]
        for (point, _), values in data.items()
        if point.endswith("n_sites=4")
    ]
    mean = sum(distances) / len(distances)
    assert float(first["maximum_of_mean"]) == pytest.approx(mean.max(), rel=1e-14)
    assert int(first["n_samples"]) == 5

    shutil.rmtree(report)
    assert cli.main(["report", str(out), "--format", "csv"]) == 0
    tables = {"certificates", "curves", "estimates", "maxima", "precision", "samples", "spread"}
    assert {path.name for path in report.iterdir()} == {f"{name}.csv" for name in tables}
    assert not list(out.rglob("*.tmp"))


def test_a_partial_store_says_what_is_missing(study_file, tmp_path, capsys):
    out = tmp_path / "out"
    study_file.write_text(TINY + TABLES)
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 0
    store = Store(out)
    store.block_paths(store.study.systems[0].points[0])[0].unlink()
    capsys.readouterr()
    assert cli.main(["report", str(out)]) == 0
    assert "MISSING: 2 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "no-such-study", "--out", "{out}"], "'no-such-study'.*paper-fig1"),
        (["run", "{file}", "--out", "{out}", "--threads", "0"], "threads 0"),
        (["run", "{file}", "--out", "{out}", "--petsc-options", "-x 1"], "does not use PETSc"),
        (["run", "{bad}", "--out", "{out}"], "chemical_potential = 0.1"),
        (["run", "{huge}", "--out", "{out}"], "length=99.*970299 states .* need about"),
        (["report", "{out}"], "not a store"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, words, study_file, tmp_path, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text(TINY.replace("beta = 5.0", "beta = 5.0\nchemical_potential = 0.1"))
    huge = tmp_path / "huge.toml"
    huge.write_text(TINY.replace("length = 2", "length = 99"))
    out = tmp_path / "out"
    places = {"file": study_file, "bad": bad, "huge": huge, "out": out}
    assert cli.main([word.format(**places) for word in arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(words, error)
    assert error.count("\n") == 1
    assert not out.exists()


def test_studies_and_doctor(capsys):
    assert cli.main(["studies"]) == 0
    assert "paper-fig1-small" in capsys.readouterr().out
    assert cli.main(["doctor"]) == 0
    assert "NumPy" in capsys.readouterr().out


def test_a_petsc_stepper_through_the_command_line(study_file, tmp_path):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    few = TINY.replace("samples = 5", "samples = 1").replace("[0.0, 5.0]", "5.0") + TABLES
    study_file.write_text(few.replace("seed = 3", 'seed = 3\nstepper = "ts-rk8vr"'))
    options = ["--petsc-options", "-redfield_ts_max_reject 50", "--quiet"]
    out = [str(tmp_path / name) for name in ("a", "b")]
    assert cli.main(["run", str(study_file), "--out", out[0], *options]) == 0
    study_file.write_text(few)
    assert cli.main(["run", str(study_file), "--out", out[1], "--quiet"]) == 0
    first, second = payload(Store(out[0])), payload(Store(out[1]))
    for key, values in first.items():
        assert values["trace_distance"] == pytest.approx(second[key]["trace_distance"], abs=1e-7)


RAISING = """
import sys
import numpy as np
from manybody import cli, errors
from manybody.cli import requests
def wrong(*arguments):
    {raised}
requests.parse_study = wrong
sys.exit(cli.main(sys.argv[1:]))
"""

BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def without(tmp_path):
    """A run of Python where PETSc, SLEPc and mpi4py do not import."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        BLOCKER.format(names=["petsc4py", "slepc4py", "mpi4py"])
    )
    paths = [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "manybody", *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )

    return run


def test_studies_are_listed_and_judged_without_petsc(without, study_file, tmp_path):
    listed = without("studies")
    assert listed.returncode == 0, listed.stderr
    assert [name for name in builtin_studies() if f"{name}: " not in listed.stdout] == []
    needs = {
        'observables = ["trace_distance", "gap"]': "'gap': PETSc is needed",
        'observables = ["trace_distance", "steady_state"]': "'steady_state': PETSc is needed",
        'operator = "assembled"': "operator = 'assembled': PETSc is needed",
        'stepper = "ts-rk5dp"': "stepper 'chebyshev'",
    }
    for key, words in needs.items():
        study_file.write_text(TINY.replace("seed = 3", f"seed = 3\n{key}"))
        for command in (["plan"], ["run", "--out", str(tmp_path / "o")]):
            refused = without(*command, str(study_file))
            assert refused.returncode == 2, key
            assert words in refused.stderr and "scripts/setup.sh" in refused.stderr
    assert not (tmp_path / "o").exists()


def test_reading_a_study_starts_no_petsc():
    code = (
        "import sys; from manybody.study.parsing import builtin_studies, parse_study\n"
        "from manybody.cases.kinds import has_kind\n"
        "[parse_study(t, n) for n, t in builtin_studies().items() if not has_kind(t, n)]\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('petsc4py', 'slepc4py')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_study_without_petsc_and_mpi(without, study_file, tmp_path):
    study_file.write_text(TINY + TABLES)
    done = without("run", str(study_file), "--out", str(tmp_path / "without"))
    assert done.returncode == 0, done.stderr
    assert cli.main(["run", str(study_file), "--out", str(tmp_path / "with"), "--quiet"]) == 0
    assert_same_payload(payload(Store(tmp_path / "without")), payload(Store(tmp_path / "with")))

    study_file.write_text(TINY.replace("seed = 3", 'seed = 3\nstepper = "mfn-krylov"'))
    refused = without("run", str(study_file), "--out", str(tmp_path / "petsc"))
    assert refused.returncode == 2
    assert "PETSc is needed" in refused.stderr and "scripts/setup.sh" in refused.stderr
    assert not (tmp_path / "petsc").exists()


class Stream(io.StringIO):
    """Standard error, of a terminal or not."""

    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


def said_on(stream, monkeypatch):
    """What a run of ten samples says there."""
    monkeypatch.setattr(sys, "stderr", stream)
    with log_on_stderr():
        progress = Progress(10, 100.0, interval=0.0)
        assert progress.due()
        progress.update(3, 50.0, "somewhere" * 20)
        logging.getLogger("manybody").warning("FAILED: one of them")
        progress.update(10, 100.0, final=True)
    logging.getLogger("manybody").info("nobody listens any more")
    return stream.getvalue()


def test_progress_in_a_file_is_plain_lines(monkeypatch):
    said = said_on(Stream(False), monkeypatch)
    lines = said.splitlines()
    assert len(lines) == 3
    assert "3/10 samples" in lines[0] and "50.0%" in lines[0] and "ETA" in lines[0]
    assert lines[1] == "FAILED: one of them"
    assert "10/10 samples" in lines[2] and "took" in lines[2]
    assert "\r" not in said and "\x1b" not in said
    assert not Progress(10, 100.0, interval=60.0).due()


def test_progress_on_a_terminal_overwrites_itself(monkeypatch):
    moving, failed, last = said_on(Stream(True), monkeypatch).split("\r\x1b[2K")[1:]
    assert "3/10 samples" in moving and len(moving) == 118 and not moving.endswith("\n")
    assert failed == "FAILED: one of them\n"
    assert "10/10 samples" in last and last.endswith("\n")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("errors.InputError('coupling = -1: must be >= 0')", 2, ["manybody: coupling = -1"]),
        ("errors.Unavailable('no such library here')", 1, ["manybody: no such library"]),
        ("errors.NumericalError('no convergence')", 1, ["manybody: no convergence"]),
        ("OSError(28, 'No space left')", 1, ["manybody: [Errno 28] No space left"]),
        ("RuntimeError('no such state')", 1, ["Traceback", "RuntimeError: no such state"]),
        ("TypeError('no such argument')", 1, ["Traceback", "TypeError: no such argument"]),
        (None, 1, ["Traceback", "ValueError: operands could not be broadcast"]),
    ],
)
def test_what_is_for_people_is_one_sentence_all_else_a_traceback(error, code, words, study_file):
    """The last is a ValueError that NumPy raises, as ours would in a mistake of ours."""
    raised = f"raise {error}" if error else "np.ones(3) + np.ones(2)"
    done = subprocess.run(
        [sys.executable, "-c", RAISING.format(raised=raised), "plan", str(study_file)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert all(word in done.stderr for word in words)
    assert (done.stderr.count("\n") == 1) == ("Traceback" not in words)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3725, "1 h 02 min")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
