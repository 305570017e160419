import csv
import io
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest
from tiny import TABLES, TINY, assert_same_payload, payload

from manybody import cli, errors
from manybody.cli import requests
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
    tables = {"certificates", "curves", "estimates", "guarantees", "maxima", "precision"}
    tables |= {"parameters", "samples", "spread", "systems"}
    assert {path.name for path in report.iterdir()} == {f"{name}.csv" for name in tables}
    assert not list(out.rglob("*.tmp"))


def test_a_report_removes_what_one_that_died_has_left(study_file, tmp_path):
    out = tmp_path / "out"
    study_file.write_text(TINY + TABLES)
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 0
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = [f".{socket.gethostname()}.{pid}.{32 * 'a'}.tmp" for pid in (gone.pid, os.getpid())]
    for name in names:
        (out / "report" / name).touch()
    assert cli.main(["report", str(out)]) == 0
    # Not what another writes at this time.
    assert [path.name for path in out.rglob("*.tmp")] == names[1:]


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


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocker())
"""


# Several commands in one Python: what each says and returns.
COMMANDS = """
import contextlib, io, json, sys
from manybody import cli
done = []
for arguments in json.loads(sys.argv[1]):
    printed, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        code = cli.main(arguments)
    done.append((code, printed.getvalue(), said.getvalue()))
print(json.dumps(done))
"""


@pytest.fixture
def without(tmp_path):
    """Runs commands in a Python where PETSc, SLEPc and mpi4py do not import."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        BLOCKER.format(names=["petsc4py", "slepc4py", "mpi4py"])
    )
    paths = [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def run(*commands):
        """(exit code, standard output, standard error) of each."""
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS, json.dumps(commands)],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_studies_are_listed_and_judged_without_petsc(without, tmp_path):
    needs = {
        'observables = ["trace_distance", "gap"]': "'gap': PETSc is needed",
        'observables = ["trace_distance", "steady_state"]': "'steady_state': PETSc is needed",
        'operator = "assembled"': "operator = 'assembled': PETSc is needed",
        'stepper = "ts-rk5dp"': "stepper 'chebyshev'",
    }
    commands, expected = [["studies"]], []
    for number, (key, words) in enumerate(needs.items()):
        path = tmp_path / f"{number}.toml"
        path.write_text(TINY.replace("seed = 3", f"seed = 3\n{key}"))
        for command in (["plan"], ["run", "--out", str(tmp_path / "o")]):
            commands.append([*command, str(path)])
            expected.append((key, words))
    (code, listed, said), *refusals = without(*commands)
    assert code == 0, said
    assert [name for name in builtin_studies() if f"{name}: " not in listed] == []
    assert len(refusals) == len(expected) == 8
    for (code, _, said), (key, words) in zip(refusals, expected):
        assert code == 2, key
        assert words in said and "scripts/setup.sh" in said
    assert not (tmp_path / "o").exists()


def test_reading_a_study_starts_no_petsc():
    code = (
        "import sys; from manybody.study.parsing import builtin_studies\n"
        "from manybody.cli.kinds import kind_in\n"
        "[kind_in(t, n).parse(t, n, None) for n, t in builtin_studies().items()]\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('petsc4py', 'slepc4py')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_study_without_petsc_and_mpi(without, study_file, tmp_path):
    study_file.write_text(TINY + TABLES)
    other = tmp_path / "other.toml"
    other.write_text(TINY.replace("seed = 3", 'seed = 3\nstepper = "mfn-krylov"'))
    done, refused = without(
        ["run", str(study_file), "--out", str(tmp_path / "without")],
        ["run", str(other), "--out", str(tmp_path / "petsc")],
    )
    assert done[0] == 0, done
    assert cli.main(["run", str(study_file), "--out", str(tmp_path / "with"), "--quiet"]) == 0
    assert_same_payload(payload(Store(tmp_path / "without")), payload(Store(tmp_path / "with")))
    assert refused[0] == 2
    assert "PETSc is needed" in refused[2] and "scripts/setup.sh" in refused[2]
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


@pytest.mark.parametrize(("columns", "room"), [("200", 118), ("80", 79)])
def test_progress_on_a_terminal_overwrites_itself(columns, room, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    moving, failed, last = said_on(Stream(True), monkeypatch).split("\r\x1b[2K")[1:]
    assert "3/10 samples" in moving and len(moving) == room and not moving.endswith("\n")
    assert failed == "FAILED: one of them\n"
    assert "10/10 samples" in last and last.endswith("\n")


def raise_in_plan(error, monkeypatch):
    def wrong(*_arguments):
        raise error

    monkeypatch.setattr(requests, "find_study", wrong)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.InputError("coupling = -1: must be >= 0"), 2, "manybody: coupling = -1"),
        (errors.Unavailable("no such library here"), 1, "manybody: no such library"),
        (errors.NumericalError("no convergence"), 1, "manybody: no convergence"),
        (OSError(28, "No space left"), 1, "manybody: [Errno 28] No space left"),
    ],
)
def test_what_is_for_people_is_one_sentence(error, code, words, study_file, monkeypatch, capsys):
    raise_in_plan(error, monkeypatch)
    assert cli.main(["plan", str(study_file)]) == code
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("no such state"), TypeError("no such argument"), ValueError("shapes")]
)
def test_all_else_comes_through(error, study_file, monkeypatch, capsys):
    raise_in_plan(error, monkeypatch)
    with pytest.raises(type(error)) as raised:
        cli.main(["plan", str(study_file)])
    assert raised.value is error
    assert capsys.readouterr().err == ""


RAISING = """
import sys
import numpy as np
from manybody import cli
from manybody.cli import requests
def wrong(*arguments):
    np.ones(3) + np.ones(2)
requests.find_study = wrong
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_mistake_of_ours_is_a_traceback(study_file):
    """A ValueError that NumPy raises, as ours would."""
    done = subprocess.run(
        [sys.executable, "-c", RAISING, "plan", str(study_file)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: operands could not be broadcast" in done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3725, "1 h 02 min")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
