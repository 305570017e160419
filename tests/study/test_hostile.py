"""Studies are mailed and stores are merged: what they may not do to whoever reads them."""

import csv
import errno
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure
from tiny import TINY
from tiny_cases import case_store, compute, theorem_study
from tiny_stores import run

from manybody import cli
from manybody.cli.kinds import open_store
from manybody.errors import InputError
from manybody.numerics.petsc.runtime import check_portable
from manybody.parallel import files
from manybody.report import writing
from manybody.report.page.document import Column, Table
from manybody.report.tables.samples import to_csv
from manybody.study.block_files import CorruptBlock
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare
from manybody.study.status import status_lines
from manybody.study.store import Store

STEPPER = TINY.replace("seed = 3", 'seed = 3\nstepper = "ts-rk8vr"\npetsc_options = "{}"')


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("finished") / "store")[0]


@pytest.fixture
def store(finished, tmp_path):
    return Store(shutil.copytree(finished.directory, tmp_path / "store"))


@pytest.mark.parametrize(
    "options",
    [
        "-redfield_ts_type python -redfield_ts_python_type evilmod.Evil",
        "-redfield_ts_type python",
        "-redfield_pc_type shell",
        "-redfield_ksp_view ascii:/somewhere/else",
        "-redfield_ts_monitor ascii:/somewhere/else",
        "-redfield_ts_monitor elsewhere",
        "-redfield_ksp_monitor_solution",
        "-redfield_ts_monitor_draw_solution",
        "-redfield_ts_view_solution binary:here",
        "-redfield_ts_rtol 1e-8:/x",
        "-redfield_log_view",
        "-redfield_dll_prepend lib.so",
        "-redfield_ts_trajectory_type memory",
        "-redfield_ts_adapt_type ../../x",
        "-redfield_ts_save_trajectory",
        "-redfield_snes_converged_reason elsewhere",
        "-redfield_ksp_max_it 3 -redfield_pc_type shell",
        "-redfield_pc_type PYTHON",
        "-redfield_ts_adapt_view",
        "-redfield_ts_rk_load x",
        "-redfield_ts_max_file",
        "-redfield_ts_adapt_lib x",
        "-redfield_ts_adapt_draw",
        "-redfield_snes_type matlab",
    ],
)
def test_options_that_load_code_or_name_files_are_not_for_a_study(options, tmp_path):
    with pytest.raises(InputError, match="is not for the text of a study"):
        parse_study(STEPPER.format(options), "file.toml")
    path = tmp_path / "evil.toml"
    path.write_text(STEPPER.format(options))
    assert cli.main(["run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        "",
        "-redfield_ts_rk_type 5dp -redfield_ts_adapt_type none",
        "-redfield_ts_rtol 1e-9 -redfield_ts_atol 1e-12 -redfield_ts_max_steps 100000",
        "-redfield_ts_monitor -redfield_snes_converged_reason",
        "-redfield_ksp_type gmres -redfield_ksp_gmres_restart 30 -redfield_pc_type none",
        "-redfield_mfn_ncv 40 -redfield_mfn_tol 1e-11",
        "-redfield_ts_dt -1.5e-2",
        "-redfield_ts_type rk -redfield_ts_time_step 1 -redfield_ts_exact_final_time stepover",
        "-redfield_ts_ssp_type rks2 -redfield_ts_arkimex_type 3 -redfield_ts_converged_reason",
        "-redfield_ts_rosw_type ra3pw -redfield_ts_bdf_order 2 -redfield_ts_theta_theta 1",
        "-redfield_snes_type newtonls -redfield_snes_rtol 1 -redfield_snes_atol 1",
        "-redfield_snes_stol 1 -redfield_snes_max_it 5 -redfield_snes_lag_jacobian 2",
        "-redfield_snes_linesearch_type basic -redfield_snes_monitor -redfield_ksp_monitor",
        "-redfield_ksp_rtol 1 -redfield_ksp_atol 1 -redfield_ksp_divtol 1 -redfield_ksp_max_it 3",
        "-redfield_mfn_type krylov -redfield_mfn_max_it 3 -redfield_ksp_converged_reason",
        "-redfield_mfn_monitor -redfield_mfn_converged_reason",
    ],
)
def test_schemes_tolerances_and_monitors_are(options):
    check_portable(options)
    assert parse_study(STEPPER.format(options), "file.toml").petsc_options == options


def test_a_store_brings_no_options_either(store, capsys):
    described = json.loads((store.directory / "study.json").read_text())
    described["study"]["stepper"] = "ts-rk8vr"
    described["study"]["petsc_options"] = "-redfield_ts_type python"
    (store.directory / "study.json").write_text(json.dumps(described))
    where = ["--size", "4", "--model", "dirac_syk2"]
    assert cli.main(["sample", str(store.directory), *where]) == 2
    assert "is not for the text of a study" in capsys.readouterr().err


def test_files_of_a_store_lie_within_it(store, tmp_path, capsys):
    described = json.loads((store.directory / "study.json").read_text())
    (tmp_path / "secret.npy").write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()[:16]
    described["study"]["initial_state"] = f"file:../secret.npy#{digest}"
    (store.directory / "study.json").write_text(json.dumps(described))
    for command in (["status"], ["report"], ["merge", "--out", str(tmp_path / "deep" / "out")]):
        assert cli.main([command[0], str(store.directory), *command[1:]]) == 2
        assert "must be a path within the study's folder" in capsys.readouterr().err
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".x", "", "a b", "x" * 300, "a\0b"])
def test_a_case_has_the_name_of_a_folder(name, tmp_path, capsys):
    store = case_store(tmp_path / "store")
    compute(theorem_study(), store)
    described = json.loads((store.directory / "study.json").read_text())
    described["study"]["cases"][0]["name"] = name
    (store.directory / "study.json").write_text(json.dumps(described))
    for command in (["status"], ["report"], ["merge", "--out", str(tmp_path / "out")]):
        assert cli.main([command[0], str(store.directory), *command[1:]]) == 2
        assert "a name that is none for a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def with_content(path, change):
    """A block under a valid name after `change` of its file."""
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        change(file)
    content = image.getvalue()
    path.unlink()
    name = f"{path.stem[:13]}-{hashlib.sha256(content).hexdigest()[:16]}.h5"
    path.with_name(name).write_bytes(content)
    return path.with_name(name)


def external_link(file, elsewhere):
    """To what would do: nothing but the link is wrong."""
    del file["trace_distance"]
    file["trace_distance"] = h5py.ExternalLink(str(elsewhere), "/trace_distance")


def soft_link(file, _):
    del file["trace_distance"]
    file["trace_distance"] = h5py.SoftLink("/seed")


def external_storage(file, _):
    del file["seconds"]
    file.create_dataset("seconds", (2,), "f8", external=[("/etc/passwd", 0, 16)])


def absurd_shape(file, _):
    """2 GiB that nobody wrote: contiguous and allocated when it is read."""
    del file["seconds"]
    file.create_dataset("seconds", (2, 2**27), "f8")


def bomb(file, _):
    """A megabyte of zeros in a kilobyte."""
    del file["seconds"]
    file.create_dataset(
        "seconds", data=np.zeros((2, 2**17)), compression="gzip", chunks=(2, 2**17)
    )


def group(file, _):
    del file["seconds"]
    file.create_group("seconds")


@pytest.mark.parametrize(
    "change", [external_link, soft_link, external_storage, absurd_shape, bomb, group]
)
def test_what_no_block_has_is_refused_before_it_is_followed(change, store, finished):
    own = store.study
    point = own.systems[0].points[0]
    path = store.block_paths(point)[0]
    elsewhere = finished.folder(point) / path.name
    altered = with_content(path, lambda file: change(file, elsewhere))
    limits = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**30, limits[1]))
    try:
        with pytest.raises(CorruptBlock, match="is not a block of this store"):
            store.kind.read_block(altered, own, point)
        blocks, problems = store.read(own, point)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert len(problems) == 1 and altered.name in problems[0]


def test_cells_are_no_formulas():
    rows = (
        ("=1+1", -1.5),
        ("+x", 2),
        ("-y", None),
        ("@z", True),
        ("\tq", 1e-3),
        ("plain", 0.1),
        ("+", 2.0),
    )
    text = to_csv(Table("t", "t", (Column("=name"), Column("value")), rows))
    cells = list(csv.reader(io.StringIO(text)))
    assert cells[0] == ["'=name", "value"]
    assert [row[0] for row in cells[1:]] == ["'=1+1", "'+x", "'-y", "'@z", "'\tq", "plain", "+"]
    assert [row[1] for row in cells[1:]] == ["-1.5", "2", "", "True", "0.001", "0.1", "2.0"]


@pytest.mark.parametrize("kind", ["samples", "cases"])
def test_status_looks_at_blocks(kind, finished, tmp_path):
    if kind == "samples":
        store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    else:
        store = case_store(tmp_path / "store")
        compute(theorem_study(), store)
    whole = status_lines(store)
    assert "nothing is left to do" in whole
    paths = sorted((store.directory / "blocks").rglob("*.h5"))[:3]
    paths[0].write_bytes(b"")
    paths[1].write_bytes(paths[1].read_bytes()[:-7])
    edited = bytearray(paths[2].read_bytes())
    edited[len(edited) // 3] ^= 4
    paths[2].write_bytes(edited)
    lines = status_lines(store)
    torn = [line for line in lines if line.startswith("TORN: ")]
    assert [path for path in paths if any(str(path) in line for line in torn)] == paths
    lost = sum(int(p.name[7:13]) - int(p.name[:6]) for p in paths)
    done, wanted = int(lines[0].split()[1]), int(lines[0].split()[3])
    assert wanted - done == lost >= 3
    assert "nothing is left to do" not in lines
    assert any(f"{lost} {kind} are left" in line for line in lines)
    # It looks and does nothing.
    assert all(path.exists() for path in paths)


def test_failed_samples_are_not_nothing(tmp_path):
    store = case_store(tmp_path / "store")
    prepare(theorem_study(), store)
    own = store.study
    for case in own.cases:
        store.record_failure(own, case, 0, ValueError("no"), {})
    lines = status_lines(store)
    assert "16 cases have failed, the next run tries them again" in lines
    assert "nothing is left to do" not in lines


def test_what_a_killed_report_leaves_is_swept(store):
    folder = store.directory / "report"
    folder.mkdir()
    orphan = folder / f".{os.uname().nodename}.999999.{'0' * 32}.tmp"
    orphan.write_bytes(b"half")
    assert cli.main(["report", str(store.directory), "--format", "csv"]) == 0
    assert not orphan.exists()


def test_a_report_is_written_whole_or_not_at_all(store, monkeypatch):
    real, replaced = files.os.replace, []
    formats = ["html", "markdown", "csv", "png"]

    def fill_the_disk(path, pieces):
        if len(list(path.parent.iterdir())) == 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, pieces)

    write = files._write
    monkeypatch.setattr(files, "_write", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        writing.write_report(store, formats)
    assert not (store.directory / "report").exists()
    monkeypatch.setattr(files, "_write", write)
    monkeypatch.setattr(
        files.os, "replace", lambda old, new: (replaced.append(new.name), real(old, new))
    )
    _, paths = writing.write_report(store, formats)
    # Nothing has its name before all is there, and the page comes last.
    assert [path.name for path in paths] == replaced
    assert replaced[-1] == "index.html" and "report.md" in replaced


@pytest.mark.parametrize("name", ["../outside", "sub/table", "/tmp/table"])
def test_a_report_stays_in_its_folder(name, store):
    before = {path for path in store.directory.rglob("*") if path.is_file()}
    table = Table(name, "t", (Column("value"),), ((1.0,),))
    with pytest.raises(InputError, match="is no name of a file of a report"):
        writing.write_parts(store, ["csv"], [table], {}, lambda _: None)
    figure = Figure()
    with pytest.raises(InputError, match="is no name of a file of a report"):
        writing.write_parts(store, ["png"], [], {name: lambda: figure}, lambda _: None)
    with pytest.raises(InputError, match="is no name of a file of a report"):
        writing.write_one(store, name, ["png"], lambda: {name: lambda: figure})
    assert {path for path in store.directory.rglob("*") if path.is_file()} == before


def test_files_have_the_permissions_of_the_user(tmp_path):
    before = os.umask(0o027)
    try:
        store = case_store(tmp_path / "store")
        compute(theorem_study(), store)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in store.directory.rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in store.directory.rglob("*") if path.is_dir()}
    assert modes == {0o640} and folders == {0o750}


def test_too_little_address_space_is_one_sentence(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    for command in (["run", str(path), "--out", str(tmp_path / "out")], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "manybody", *command],
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20)),
        )
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "limited to 300 MiB (ulimit -v), at least 1024 MiB are needed" in done.stderr
    assert not (tmp_path / "out").exists()


EARLY = """
import importlib.abc, os, signal, sys, runpy
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "numpy":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{number})
sys.meta_path.insert(0, Finder())
sys.argv[0] = "manybody"
runpy.run_module("manybody", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGUSR1"])
def test_a_signal_before_numpy_is_there_is_heard(number, tmp_path):
    path, out = tmp_path / "tiny.toml", tmp_path / "out"
    path.write_text(TINY)
    done = subprocess.run(
        [sys.executable, "-c", EARLY.format(number=number), "run", str(path), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 75, done.stderr
    assert f"stopped by {number}, 20 samples are left" in done.stderr
    assert open_store(out).finished(next(iter(open_store(out).study.wanted))) == set()


def test_other_commands_end_by_a_signal(store):
    """Only a run goes on later: what looks at stores ends as any program does."""
    code = EARLY.format(number="SIGTERM")
    done = subprocess.run(
        [sys.executable, "-c", code, "status", str(store.directory)],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGTERM
