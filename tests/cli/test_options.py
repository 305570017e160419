"""Command lines that are understood, or explained in one sentence before any work."""

import sys

import pytest
from tiny import TABLES, TINY

import manybody as mb
from manybody import cli
from manybody.errors import InputError
from manybody.study.parsing import parse_study

STEPPED = TINY.replace("seed = 3", 'seed = 3\nstepper = "{}"') + TABLES


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY + TABLES)
    return path


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--shard", "-1/3"], "--shard -1/3: I is from 0 to N - 1 = 2"),
        (["--shard", "3/3"], "--shard 3/3: I is from 0 to N - 1 = 2"),
        (["--shard", "0/0"], "--shard 0/0: N must be at least 1"),
        (["--shard", "0/-2"], "--shard 0/-2: N must be at least 1"),
        (["--shard", "one"], "--shard one: I/N is needed, as in 0/8"),
        (["--out", ""], "--out '': the name of a folder is needed"),
        (["--petsc-options", "-redfield_ts_monitor"], "stepper 'chebyshev' does not use PETSc"),
        (["--petsc-options", "-x"], "-x reaches no solver"),
    ],
)
def test_values_that_cannot_be_are_named(option, words, study_file, tmp_path, capsys):
    if option == ["--petsc-options", "-x"]:
        study_file.write_text(STEPPED.format("ts-rk5dp"))
    assert cli.main(["run", str(study_file), "--out", str(tmp_path / "out"), *option]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("stepper", "options", "words"),
    [
        ("ts-rk5dp", "-redfield_ts_rk_typ 5bs", "reads -redfield_ts_rk_typ: is -redfield_ts_rk_t"),
        ("ts-rk5dp", "-redfield_ts_rk_type 5bsx", "PETSc refuses them: Unknown option 5bsx"),
        ("ts-rk5dp", "-redfield_ts_rtol abc", "PETSc refuses them: Input string abc has no num"),
        ("ts-rk5dp", "-redfield_mfn_ncv 5", "no solver of stepper 'ts-rk5dp' reads -redfield_mfn"),
        ("ts-arkimex4", "-redfield_ksp_gmres_restrat 9", "is -redfield_ksp_gmres_restart meant?"),
        (
            "ts-arkimex4",
            "-redfield_pc_type nosuch",
            "PETSc refuses them: Unable to find requested",
        ),
        ("mfn-krylov", "-redfield_ts_rtol 1e-3", "no solver of stepper 'mfn-krylov' reads"),
    ],
)
def test_petsc_options_that_nobody_reads_are_named(
    stepper, options, words, study_file, tmp_path, capsys
):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    study_file.write_text(STEPPED.format(stepper))
    run = ["run", str(study_file), "--out", str(tmp_path / "out"), "--petsc-options", options]
    assert cli.main(run) == 2
    # PETSc 3.26 quotes what it does not know.
    said = capsys.readouterr().err.replace('"', "")
    assert words in said and said.count("\n") == 1 and "[0]" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("stepper", "options"),
    [
        ("ts-rk5dp", "-redfield_ts_rk_type 5bs -redfield_ts_adapt_dt_max 0.1"),
        ("ts-rk5dp", "-redfield_ts_type bdf -redfield_ts_bdf_order 2"),
        ("ts-arkimex4", "-redfield_ksp_gmres_restart 20 -redfield_snes_monitor"),
        ("mfn-krylov", "-redfield_mfn_ncv 20"),
    ],
)
def test_petsc_options_that_somebody_reads_are_taken(stepper, options, study_file):
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    study_file.write_text(STEPPED.format(stepper))
    assert cli.main(["plan", str(study_file)]) == 0
    text = STEPPED.format(stepper).replace("seed", f'petsc_options = "{options}"\nseed')
    assert parse_study(text, "x").petsc_options == options


def test_a_typo_in_a_study_is_named_without_petsc():
    text = STEPPED.format("ts-rk5dp").replace(
        "seed", 'petsc_options = "-redfield_ts_rk_tipe 4"\nseed'
    )
    with pytest.raises(InputError, match="is -redfield_ts_rk_type meant?"):
        parse_study(text, "x")


def test_one_start_is_needed():
    for key in ("[bath]", "[[systems]]"):
        both = "initial_site = 1\ninitial_beta = 2.0\n"
        text = TINY.replace(key, both + key if key == "[bath]" else key + "\n" + both, 1)
        with pytest.raises(InputError, match="initial_site and initial_beta are given: one start"):
            parse_study(text, "x")
    bath = mb.OhmicBath(0.2, 10.0, 5.0)
    with pytest.raises(InputError, match="initial_site = 1 and initial_beta are given"):
        mb.compare(mb.dirac_syk2(4, seed=1), bath, [0.0, 1.0], initial_site=1, initial_beta=2.0)


def test_what_has_no_effect_is_said(study_file, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert cli.main(["run", str(study_file), "--out", out, "--group-size", "3", "--quiet"]) == 0
    assert "group_size = 3: no more than 1 can share a sample" in capsys.readouterr().err
    where = ["--size", "4", "--model", "dirac_syk2"]
    assert cli.main(["sample", out, *where, "--index", "5"]) == 0
    assert "--index 5: the study has 5 samples of it, from 0" in capsys.readouterr().err
    assert cli.main(["sample", out, *where, "--index", "4"]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_missing_without_petsc_is_named(monkeypatch):
    from manybody.numerics.petsc import runtime

    monkeypatch.setitem(sys.modules, "petsc4py", None)
    runtime.petsc.cache_clear()
    try:
        with pytest.raises(
            mb.Unavailable, match="it is for Redfield steady states, gaps and slow"
        ):
            runtime.petsc()
    finally:
        runtime.petsc.cache_clear()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["rnu"], "invalid choice: 'rnu'"),
        (["rnu"], "; did you mean run?"),
        (["repotr", "here"], "; did you mean report?"),
        (
            ["run", "tiny", "--alow-code"],
            "unrecognized arguments: --alow-code; did you mean --allow",
        ),
        (["docs", "--shard"], "unrecognized arguments: --shard; it is an option of run\n"),
        (["plan", "paper-fig-small"], "; did you mean paper-fig1-small or paper-fig1?"),
    ],
)
def test_what_is_nearly_a_name_is_answered_with_it(line, words, capsys):
    assert _exit_code(line) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", [["xyzzy"], ["run", "tiny", "--xyzzy"], ["plan", "xyzzy"], ["run"]]
)
def test_nothing_is_suggested_where_nothing_is_near(line, capsys):
    assert _exit_code(line) == 2
    assert "did you mean" not in capsys.readouterr().err


def _exit_code(line):
    """Where argparse ends the process, its code."""
    try:
        return cli.main(line)
    except SystemExit as end:
        return end.code
