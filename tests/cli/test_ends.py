"""How commands end where streams, signals, libraries and disks do not play along."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from tiny import TABLES, TINY

from manybody import cli
from manybody.cli import running
from manybody.study.block_store import BlockStore

SPEAKING = """
from manybody.system.streams import settle_streams
import sys
settle_streams()
print("±‖ρ‖ = Γ² é → \\u2652 \\udcff", flush=True)
print("error: ρ", file=sys.stderr)
"""
PLAIN = "+-||rho|| = Gamma^2 e -> \\u2652 \\udcff\n"


def speak(prefix="", **keywords):
    keywords = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
    return subprocess.run(
        [sys.executable, "-c", prefix + SPEAKING],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        text=True,
        timeout=60,
        **keywords,
    )


def test_terminals_without_greek_letters_are_served():
    done = speak()
    assert (done.returncode, done.stdout, done.stderr) == (0, PLAIN, "error: rho\n")


def test_nobody_who_stops_reading_changes_an_exit_code():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:
        done = speak(stdout=broken)
        assert (done.returncode, done.stderr) == (0, "error: rho\n")
        assert speak(stderr=broken).returncode == 0


def test_a_full_disk_under_standard_output_is_said_once():
    with open("/dev/full", "w") as full:
        done = speak(stdout=full)
        assert done.returncode == 1
        assert done.stderr.count("No space left") == 1 and "ignored" not in done.stderr
        assert speak(stderr=full).returncode == 0


def test_closed_streams_are_no_place_for_other_files():
    """Whatever a library says would go into the first file that is opened."""
    first = 'import os\nassert os.open("/dev/zero", os.O_RDONLY) > 2\n'
    closed = subprocess.run(
        [sys.executable, "-c", SPEAKING + first],
        preexec_fn=lambda: os.closerange(0, 3),
        timeout=60,
    )
    assert closed.returncode == 0


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY + TABLES)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY + TABLES)
    arguments = ["run", str(folder / "tiny.toml"), "--out", str(folder / "out"), "--quiet"]
    assert cli.main(arguments) == 0
    return folder / "out"


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGHUP", 75), ("SIGTERM", 75)])
def test_a_signal_ends_a_run_after_what_is_at_hand(
    name, code, study_file, tmp_path, monkeypatch, capfd
):
    real, number = BlockStore.commit, getattr(signal, name)

    def commit(*arguments):
        signal.raise_signal(number)
        return real(*arguments)

    monkeypatch.setattr(BlockStore, "commit", commit)
    run = ["run", str(study_file), "--out", str(tmp_path / "out"), "--quiet"]
    before = signal.getsignal(number)
    assert cli.main(run) == code
    assert signal.getsignal(number) == before
    said = capfd.readouterr().err
    assert f"manybody: {name}: ends after what is at hand" in said
    assert f"stopped by {name}, 18 samples are left: the same command goes on" in said
    monkeypatch.setattr(BlockStore, "commit", real)
    assert cli.main(run) == 0
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_second_interrupt_ends_at_once(study_file, tmp_path, monkeypatch):
    def commit(*_arguments):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(BlockStore, "commit", commit)
    with pytest.raises(RuntimeError, match="finished blocks are safe") as raised:
        cli.main(["run", str(study_file), "--out", str(tmp_path / "out"), "--quiet"])
    assert isinstance(raised.value.__cause__, KeyboardInterrupt)


def test_what_is_ignored_stays_ignored(study_file, tmp_path, monkeypatch):
    """As under nohup, or behind a shell's &."""
    real = BlockStore.commit

    def commit(*arguments):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(BlockStore, "commit", commit)
    before = [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGHUP, signal.SIGINT)]
    try:
        run = ["run", str(study_file), "--out", str(tmp_path / "out"), "--quiet"]
        assert cli.main(run) == 0
    finally:
        for number, handler in zip((signal.SIGHUP, signal.SIGINT), before):
            signal.signal(number, handler)


INTERRUPTED = """
import os, signal, sys
import manybody.{where}
def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
    return 0
manybody.{where}.{name} = interrupt
from manybody import __main__
sys.exit(__main__.main())
"""


@pytest.mark.parametrize(
    ("where", "name", "said"),
    [
        ("__main__", "too_little_address_space", ""),
        ("cli.information", "builtin_studies", "manybody: interrupted\n"),
    ],
)
def test_an_interrupt_kills_other_commands_without_a_traceback(where, name, said):
    code = INTERRUPTED.format(where=where, name=name)
    done = subprocess.run(
        [sys.executable, "-c", code, "studies"], capture_output=True, text=True, timeout=60
    )
    # By the signal itself, or a loop of a shell would go on.
    assert (done.returncode, done.stderr) == (-signal.SIGINT, said)


def test_a_broken_matplotlib_costs_the_figures_alone(finished, tmp_path, monkeypatch, capsys):
    out = shutil.copytree(finished, tmp_path / "out")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["report", str(out), "--format", "html", "--format", "png"]) == 0
    assert "NO FIGURE: matplotlib does not import (ModuleNotFound" in capsys.readouterr().out
    assert (out / "report" / "index.html").exists()
    assert cli.main(["report", str(out), "--figure", "tiny"]) == 1
    assert "figures need matplotlib: matplotlib does not import" in capsys.readouterr().err


def test_a_backend_that_is_none_is_no_matter(finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-m", "manybody", "report", str(out), "--figure", "tiny"],
        env={**os.environ, "MPLBACKEND": "no such backend"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (out / "report" / "tiny.png").exists()


def test_parquet_without_pyarrow_is_refused_before_any_work(
    finished, study_file, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    study_file.write_text(TINY + TABLES.replace('"csv"', '"csv", "parquet"'))
    for command in (
        ["plan", str(study_file)],
        ["run", str(study_file), "--out", str(tmp_path / "out")],
        ["report", str(finished), "--format", "parquet"],
    ):
        assert cli.main(command) == 2
        assert "format 'parquet' needs pyarrow, which does not" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_takes_nothing_back(
    study_file, tmp_path, monkeypatch, capsys
):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running, "write_report", fail)
    out = tmp_path / "out"
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 1
    assert (
        f"manybody: the report is not written, what has been computed is safe (manybody report "
        f"{out}): [Errno 28] No space left" in capsys.readouterr().err
    )
