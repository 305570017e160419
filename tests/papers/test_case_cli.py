import os
import shutil
import signal
import subprocess
import sys

import launching
import pytest
from tiny import TINY
from tiny_cases import EXACT, THEOREM, case_store, finished, numbers_of

from manybody import cli
from manybody.papers.kit.case_kind import read_records
from manybody.papers.snm.theorem import cases as theorem


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(THEOREM)
    return path


def test_run_status_report_and_plan(study_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["plan", str(study_file), "--ranks", "2"]) == 0
    assert "16 cases" in capsys.readouterr().out
    assert not out.exists()
    assert cli.main(["run", str(study_file), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "tiny-theorem: 16 cases in 16 blocks, 1 rank(s)" in printed.err
    assert "16/16 cases" in printed.err and "cases/s" in printed.err
    assert "holds to rounding" in printed.out
    assert f"table: {out}" in printed.out and f"data: {out / 'blocks'}" in printed.out
    assert (out / "study.toml").read_text() == THEOREM
    assert cli.main(["status", str(out)]) == 0
    assert "16 of 16 cases" in capsys.readouterr().out
    shutil.rmtree(out / "report")
    assert cli.main(["report", str(out), "--format", "html"]) == 0
    assert [path.name for path in (out / "report").iterdir()] == ["index.html"]
    assert cli.main(["report", str(out), "--figure", "theorem"]) == 0
    assert (out / "report" / "theorem.png").exists()
    # The study from its own folder, again.
    assert cli.main(["run", str(out / "study.toml"), "--out", str(out), "--quiet"]) == 0


def test_results_are_where_a_study_is_named(study_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", str(study_file), "--quiet"]) == 0
    assert len(numbers_of(case_store("results/tiny-theorem"))) == 16
    (tmp_path / "samples.toml").write_text(TINY + '[outputs]\nformats = ["csv"]\n')
    assert cli.main(["run", "samples.toml", "--quiet"]) == 0
    assert (tmp_path / "results" / "tiny" / "blocks").is_dir()


def test_studies_names_both_kinds(capsys):
    assert cli.main(["studies"]) == 0
    printed = capsys.readouterr().out
    assert "theorem-check: " in printed and "who-is-right: " in printed
    assert "cases of the kind exact" in printed and "cases of the kind driven" in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["run", "{bad}", "--out", "{out}"], "unknown key 'seeds'"),
        (["run", "{file}", "--out", "{out}", "--group-size", "2"], "--group-size: means nothing"),
        (["run", "{file}", "--out", "{out}", "--petsc-options", "-x 1"], "--petsc-options: means"),
        (["plan", "{file}", "--group-size", "2"], "--group-size: means nothing"),
        (["run", "{file}", "--out", "{out}", "--shard", "2/2"], "--shard 2/2"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(options, words, study_file, tmp_path, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text(THEOREM.replace("seed = 3", "seeds = 3"))
    out = tmp_path / "out"
    places = {"file": study_file, "bad": bad, "out": out}
    assert cli.main([word.format(**places) for word in options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not out.exists()


def test_kinds_do_not_share_a_folder(study_file, tmp_path, capsys):
    samples, cases = tmp_path / "samples", tmp_path / "cases"
    tiny = tmp_path / "samples.toml"
    tiny.write_text(TINY + '[outputs]\nformats = ["csv"]\n')
    assert cli.main(["run", str(tiny), "--out", str(samples), "--quiet"]) == 0
    assert cli.main(["run", str(study_file), "--out", str(cases), "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["run", str(study_file), "--out", str(samples), "--quiet"]) == 2
    assert "another kind of study" in capsys.readouterr().err
    assert cli.main(["run", str(tiny), "--out", str(cases), "--quiet"]) == 2
    assert "store format 'cases-2'" in capsys.readouterr().err


def changed(monkeypatch, compute):
    own = theorem.compute
    monkeypatch.setattr(theorem, "compute", lambda *given: compute(own, *given))


def test_stores_are_merged_and_compared_and_cases_repeated(study_file, tmp_path, capsys):
    out, other = str(tmp_path / "out"), str(tmp_path / "other")
    for index, folder in enumerate((out, other)):
        command = ["run", str(study_file), "--out", folder, "--shard", f"{index}/2", "--quiet"]
        assert cli.main(command) == 0
    merged = str(tmp_path / "merged")
    assert cli.main(["merge", out, other, "--out", merged]) == 0
    printed = capsys.readouterr().out
    assert "16 blocks copied, 0 duplicate cases agree" in printed
    assert "16 of 16 cases" in printed and "nothing is left to do" in printed
    assert cli.main(["compare-stores", out, merged]) == 0
    printed = capsys.readouterr().out
    assert "8 cases in common, 8 equal" in printed
    assert "the studies are the same" in printed
    assert "cases that one store alone holds:" in printed
    where = ["statistics=boson", "sample=1", "check=equal", "n_sites=6"]
    options = [word for text in where for word in ("--where", text)]
    assert cli.main(["sample", merged, *options]) == 0
    assert "the same bits as in" in capsys.readouterr().out
    for wrong, words in (
        (options[:-2], "several systems have what is asked"),
        ([*options, "--index", "1"], "--index 1: a case is computed once"),
        (["--where", "n_sites=7"], "no system has what is asked"),
        (["--size", "6"], "no system has size 6"),
    ):
        assert cli.main(["sample", merged, *wrong]) == 2
        assert words in capsys.readouterr().err


def test_what_differs_between_stores_is_named(study_file, tmp_path, capsys):
    one, two = tmp_path / "one", tmp_path / "two"
    stronger = tmp_path / "stronger.toml"
    stronger.write_text(THEOREM.replace("strength = 0.2", "strength = 0.3"))
    assert cli.main(["run", str(study_file), "--out", str(one), "--quiet"]) == 0
    assert cli.main(["run", str(stronger), "--out", str(two), "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["compare-stores", str(one), str(two)]) == 0
    printed = capsys.readouterr().out
    assert (
        "the studies differ in: strength" in printed and "16 cases in common, 0 equal" in printed
    )
    assert cli.main(["merge", str(one), str(two), "--out", str(tmp_path / "all")]) == 2
    assert "strength differ" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()


def test_failed_cases_are_exit_code_3(study_file, tmp_path, monkeypatch, capsys):
    def fail(compute, settings, given):
        if given["n_sites"] == 3:
            raise ValueError("too small")
        return compute(settings, given)

    changed(monkeypatch, fail)
    out = tmp_path / "out"
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 3
    assert "8 cases have failed" in capsys.readouterr().err
    assert cli.main(["status", str(out)]) == 0
    assert capsys.readouterr().out.count("FAILED: ") == 8
    monkeypatch.undo()
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_finishes_the_case_at_hand_and_is_exit_code_75(
    number, study_file, tmp_path, monkeypatch, capsys
):
    def interrupted(compute, settings, given):
        os.kill(os.getpid(), number)
        return compute(settings, given)

    changed(monkeypatch, interrupted)
    out = tmp_path / "out"
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 75
    said = capsys.readouterr().err
    assert f"stopped by {number.name}, 15 cases are left: the same command goes on" in said
    assert len(finished(case_store(out))) == 1
    assert not (out / "report").exists()
    monkeypatch.undo()
    assert cli.main(["run", str(study_file), "--out", str(out), "--quiet"]) == 0
    assert len(finished(case_store(out))) == 16


def launch(*command):
    return subprocess.run(
        ["mpirun", "-n", "2", sys.executable, "-m", "manybody", *command],
        env=launching.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_two_ranks_give_the_same_files(tmp_path):
    if not launching.can_launch():
        pytest.skip("no mpirun on PATH, or mpi4py not installed")
    path = tmp_path / "exact.toml"
    path.write_text(EXACT)
    one, two = tmp_path / "one", tmp_path / "two"
    assert cli.main(["run", str(path), "--out", str(one), "--quiet"]) == 0
    done = launch("run", str(path), "--out", str(two))
    assert done.returncode == 0, done.stderr
    assert "10/10 cases" in done.stderr and "2 rank(s)" in done.stderr
    assert numbers_of(case_store(one, "exact")) == numbers_of(case_store(two, "exact"))
    records, _ = read_records(case_store(two, "exact"), case_store(two, "exact").study)
    assert {record.attributes["ranks"] for record in records} == {2}
    # Each case once, and no claim left.
    assert len(list((two / "blocks").rglob("*.h5"))) == 10
    assert not (two / "claims").exists()
    again = launch("run", str(path), "--out", str(two))
    assert again.returncode == 0 and "10 of 10 cases are there already" in again.stderr
    assert len(list((two / "blocks").rglob("*.h5"))) == 10
