"""Studies listed, shown, and run with other values: `studies`, `--set`, several reports."""

import json
import shutil
import tomllib

import pytest
from tiny import TABLES, TINY

from manybody import cli
from manybody.errors import InputError
from manybody.study.overrides import overridden, toml_of
from manybody.study.parsing import builtin_studies, parse_study


def test_every_study_is_listed_once_within_100_columns(capsys):
    assert cli.main(["studies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    sweep = lines[lines.index(next(x for x in lines if x.startswith("coupling-sweep"))) + 1]
    assert "bath_coupling=0.05,0.1,0.2,0.4,0.8, sizes 8, 16, 32, 64, 50 samples" in sweep


def test_systems_that_are_not_every_choice_have_a_line_each(tmp_path, monkeypatch):
    from manybody.study.sample_kind import SAMPLES

    one = '[[systems]]\nmodel = "anderson3d"\nlength = 2\ndisorder = {}\nboundary = "{}"\n'
    text = TINY.partition("[[systems]]")[0] + one.format("1.0", "open")
    text += one.format("2.0", "periodic")
    assert [line.split(" hopping")[0] for line in SAMPLES.outline(parse_study(text, "x"))] == [
        "anderson3d boundary=open disorder=1.0",
        "anderson3d boundary=periodic disorder=2.0",
    ]


@pytest.mark.parametrize("name", [*builtin_studies()])
def test_a_study_is_shown_as_it_is_and_survives_being_rewritten(name, capsys):
    assert cli.main(["studies", "--show", name]) == 0
    text = capsys.readouterr().out
    assert text == builtin_studies()[name]
    assert tomllib.loads(toml_of(tomllib.loads(text))) == tomllib.loads(text)


def test_a_value_of_several_lines_is_kept():
    text = overridden(TINY, "tiny", ["times=[\n0.0,\n1.0]"])
    assert tomllib.loads(text)["times"] == [0.0, 1.0] and "# --set times=[ 0.0, 1.0]\n" in text


def test_toml_of_every_kind_of_value():
    text = """
a = [1, 2.5, inf, "x\\"y\\\\n", true, [], {}]
"odd key" = 1979-05-27
[t]
s = 'é λ 😀'
"λ 😀" = "\\u007f\\u0001\\t"
[t.u]
v = -0.0
[[l]]
m = { n = [{ o = 1 }, { o = 2 }] }
[[l.k]]
q = false
[[l]]
"""
    table = tomllib.loads(text)
    assert tomllib.loads(toml_of(table)) == table


def test_one_that_is_not_built_in_cannot_be_shown(capsys):
    assert cli.main(["studies", "--show", "fig1"]) == 2
    assert "--show = 'fig1': must be one of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["samples=4"], {"samples": 4}),
        (["bath.coupling=0.3", "bath.coupling = 0.4"], {"bath": {"coupling": 0.4}}),
        (["systems.0.n_sites=[8, 16]"], {"systems": [{"n_sites": [8, 16]}]}),
        (["convergence.samples=2"], {"convergence": {"samples": 2}}),
        (['stepper="dop853"'], {"stepper": "dop853"}),
    ],
)
def test_keys_are_set(settings, expected):
    def holds(part, whole):
        if isinstance(part, dict):
            return all(holds(own, whole[key]) for key, own in part.items())
        if isinstance(part, list) and isinstance(part[0], dict):
            return all(holds(*pair) for pair in zip(part, whole))
        return part == whole

    text = overridden(TINY, "tiny", settings)
    assert holds(expected, tomllib.loads(text))
    assert all(f"# --set {setting}\n" in text for setting in settings)
    assert overridden(TINY, "tiny", []) is TINY


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("samples", "--set samples: KEY=VALUE is needed"),
        ("stepper=dop853", "--set stepper=dop853: the value is none of TOML"),
        ("stepper=dop853", "as in 'stepper=\"dop853\"'"),
        ("name=a-b_1", "as in 'name=\"a-b_1\"'"),
        ("name=a b=", "as in 'stepper=\"dop853\"'"),
        ("samples=1\nseed=2", "the value is none of TOML"),
        ("seed.x=1", "--set seed.x: seed = 3 is no table"),
        (
            "systems.2.n_sites=4",
            "2 is no index of a list of 2, 0 to 1 are, as in systems.0.samples",
        ),
        ("systems.n_sites=4", "--set systems.n_sites: n_sites is no index of a list of 2"),
        ("sampels=4", "tiny.toml: study: unknown key 'sampels'"),
        ("sampels=4", "; did you mean samples?"),
        ("samples=0", "samples = 0"),
        ("bath.coupling=-1.0", "bath coupling = -1.0"),
        ("", "KEY=VALUE is needed"),
        ("=4", "unknown key ''"),
    ],
)
def test_what_cannot_be_set_is_said(setting, words, tmp_path, capsys):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    for command in (["plan"], ["run", "--out", str(tmp_path / "out")]):
        assert cli.main([*command, str(path), "--set", setting]) == 2
        said = capsys.readouterr().err
        assert words in said and said.rstrip("\n").count("\n") == setting.count("\n")
    assert not (tmp_path / "out").exists()


def test_what_is_run_is_what_is_kept(tmp_path, capsys):
    path, out = tmp_path / "tiny.toml", tmp_path / "out"
    path.write_text(TINY + TABLES)
    changes = ["--set", "samples=2", "--set", "bath.beta=1.0", "--set", "systems.0.n_sites=4"]
    assert cli.main(["run", str(path), "--out", str(out), "--quiet", *changes]) == 0
    described = json.loads((out / "study.json").read_text())["study"]
    kept = parse_study((out / "study.toml").read_text(), "kept")
    assert kept.to_json() == described
    assert kept.bath.beta == 1.0 and kept.systems[0].samples == 2
    assert kept.systems[0].sizes == (4,)

    # Several stores have a report each, and none where one is no store.
    other = shutil.copytree(out, tmp_path / "other")
    for folder in (out, other):
        shutil.rmtree(folder / "report")
    assert cli.main(["report", str(out), str(tmp_path)]) == 2
    assert not (out / "report").exists()
    capsys.readouterr()
    assert cli.main(["report", str(out), str(other), "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert all(f"table: {folder / 'report' / 'curves.csv'}" in printed for folder in (out, other))
    # What is said of them is told apart.
    starts = [line for line in printed.splitlines() if line.startswith("store ")]
    assert starts == [f"store {out}", f"store {other}"]


def test_overriding_is_of_the_text_alone():
    with pytest.raises(InputError, match="not valid TOML"):
        overridden("a = ", "x", ["b=1"])
