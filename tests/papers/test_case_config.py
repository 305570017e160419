import json

import pytest
from tiny_cases import EXACT, THEOREM, exact_study, parse_cases, theorem_study

from manybody.cli.kinds import kind_in
from manybody.papers.kit.config import changes, from_json, merge_cases
from manybody.study.parsing import builtin_studies


def test_built_in_studies():
    kinds = {
        name: parse_cases(text, name)
        for name, text in builtin_studies().items()
        if kind_in(text, name).name != "samples"
    }
    papers = {"levy-kosloff", "mitchison-plenio", "levy-rabani-limmer"}
    own = {"theorem", "exact", "hierarchy", "driven"}
    assert {study.kind for study in kinds.values()} == {*own, *papers}
    given = [case.given for case in kinds["theorem-check"].cases]
    equal = [each for each in given if each["check"] == "equal"]
    for model, largest in (("dirac_syk2", 1000), ("random", 1000), ("ring", 1000)):
        sizes = {each["n_sites"] for each in equal if each["model"] == model}
        assert min(sizes) == 2 and max(sizes) == largest
    assert max(each["length"] for each in equal if each["model"] == "anderson3d") == 10
    assert {each["disorder"] for each in equal if "disorder" in each} == {5.0}
    for check in ("equal", "one_coupling", "two_temperatures", "unclustered", "every", "fock"):
        own = [each for each in given if each["check"] == check]
        assert {each["statistics"] for each in own} == {"fermion", "boson"}
        assert {each["lamb_shift"] for each in own} == {False, True}
    assert {each["spacing"] for each in given if each["check"] == "every"} == {2, 3, 4}
    assert {each["n_sites"] for each in given if each["check"] == "fock"} == {2, 3, 4}
    exact = kinds["who-is-right"]
    assert exact.settings["tolerance"] == 1e-8
    assert {case.given["check"] for case in exact.cases} == {"dynamics", "steady", "routes"}
    chains = [case.given for case in exact.cases if case.given["model"] == "chain"]
    assert [each["n_sites"] for each in chains] == list(range(1, 9))
    assert kind_in(builtin_studies()["paper-fig1"], "paper-fig1").name == "samples"


def test_everything_is_read():
    study = theorem_study()
    # 2 sizes, 2 draws, 2 checks, 2 statistics.
    assert len(study.cases) == 16
    assert len({case.name for case in study.cases}) == 16
    assert study.formats == ("csv",)
    assert len(exact_study().cases) == 3 + 3 + 3 + 1


def test_json_comes_back():
    for study in (theorem_study(), exact_study()):
        back = from_json(json.loads(json.dumps(study.to_json())))
        assert back == study
        assert changes(back, study) == []
        assert sum(case.cost for case in back.cases) == sum(case.cost for case in study.cases)


def test_cases_may_be_added_and_nothing_else_changed():
    small, large = theorem_study(), theorem_study(("[3, 6]", "[3, 5]"))
    merged = merge_cases(small, large)
    assert {case.given["n_sites"] for case in merged.cases} == {3, 5, 6}
    other = theorem_study(("strength = 0.2", "strength = 0.25"), ("seed = 3", "seed = 4"))
    assert [key for key, _, _ in changes(small, other)] == ["seed", "strength"]
    assert "kind" in [key for key, _, _ in changes(small, exact_study())]


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (THEOREM, 'kind = "theorem"', 'kind = "theorems"', "kind = 'theorems'.*'theorem'"),
        (THEOREM, "seed = 3", "seed = 3\nsede = 4", "unknown key 'sede'"),
        (THEOREM, "seed = 3", "", "key 'seed' is missing"),
        (THEOREM, "seed = 3", "seed = -3", "seed = -3"),
        (THEOREM, "strength = 0.2", "strength = 0", "strength = 0"),
        (THEOREM, 'density = "ohmic"', 'density = "omic"', "boson.density = 'omic'"),
        (THEOREM, "half_width = 20.0", "half_width = -1", "fermion: .*half_width = -1"),
        (THEOREM, "half_width = 20.0", "", "fermion: key 'half_width' is missing"),
        (THEOREM, "height = 1.0", "height = 1.0\nwidth = 2", "fermion: unknown key 'width'"),
        (THEOREM, "lowest_level = 0.5", "lowest_level = 0.0", "above the chemical potential"),
        (THEOREM, "lowest_level = 0.5", "", "key 'lowest_level' is missing"),
        (THEOREM, "beta = 0.5\n", "beta = 0.5\nchemical_potential = 0.2\n", "boson: .*0.2"),
        (THEOREM, "n_sites = [3, 6]", "n_sites = [3, 3]", "distinct"),
        (THEOREM, "n_sites = [3, 6]", "n_sites = 0", "n_sites = 0"),
        (THEOREM, "n_sites = [3, 6]", "length = 3", "unknown key 'length'"),
        (THEOREM, '"dirac_syk2"', '"syk"', "model = 'syk'"),
        (THEOREM, '"one_coupling"]', '"one"]', "checks = 'one'"),
        (THEOREM, '"one_coupling"]', '"every"]', "'spacing' need each other"),
        (THEOREM, '"one_coupling"]', '"every"]\nspacing = 2', "of rings, not of dirac_syk2"),
        (THEOREM, '"one_coupling"]', '"fock"]', "4 sites at most"),
        (THEOREM, "samples = 2", "samples = 2\nstatistics = 'anyon'", "'anyon'"),
        (THEOREM, "lamb_shift = false", "lamb_shift = 1", "lamb_shift = 1"),
        (THEOREM, '["csv"]', '["doc"]', "outputs.formats = 'doc'"),
        (THEOREM, 'name = "tiny-theorem"', 'name = "a b"', "name = 'a b'"),
        (EXACT, "tolerance = 1e-8", "tolerance = 0.5", "tolerance = 0.5"),
        (EXACT, 'contacts = "all"', 'contacts = "middle"', "contacts = 'middle'"),
        (EXACT, "strength = [0.4, 0.5, 0.6]", "strength = [0.4, -0.5]", "strength = -0.5"),
        (EXACT, "strength = [0.4, 0.5, 0.6]", "strength = [0.4, 0.4]", "distinct"),
        (EXACT, "duration = 30.0", "", r"routes\[0\]: key 'duration' is missing"),
        (EXACT, "duration = 30.0", "duration = 30.0\nn_times = 4", "unknown key 'n_times'"),
        (EXACT, "n_times = 4", "n_times = 1", "n_times = 1"),
        (EXACT, "beta = 4.0", "beta = -4.0", "last: .*beta = -4.0"),
        (EXACT, "[[steady]]", "[[steadies]]", "unknown key 'steadies'"),
        (EXACT, "hopping = 0.3\n", "", "key 'hopping' is missing"),
        (
            EXACT,
            'density = "semi-elliptic"\nheight = 1.0\nhalf_width = 4.0\nbeta = 4.0',
            'density = "ohmic"\ncoupling = 1.0\ncutoff = 4.0\nbeta = 4.0',
            "last: .*finite band",
        ),
    ],
)
def test_bad_input_is_one_sentence(text, old, new, words):
    assert old in text
    with pytest.raises((ValueError, TypeError), match=words) as raised:
        parse_cases(text.replace(old, new), "file.toml")
    assert str(raised.value).startswith("file.toml: ")
    assert "\n" not in str(raised.value)


def test_a_ring_must_divide_and_a_case_occur_once():
    ring = '[[systems]]\nmodel = "ring"\nn_sites = 12\nspacing = 5\nchecks = ["every"]\n[outputs]'
    with pytest.raises(ValueError, match="spacing = 5 does not divide 12 sites"):
        theorem_study(("[outputs]", ring))
    twice = '[[systems]]\nmodel = "dirac_syk2"\nn_sites = 3\nlamb_shift = false\n[outputs]'
    with pytest.raises(ValueError, match="appears more than once"):
        theorem_study(("[outputs]", twice))
