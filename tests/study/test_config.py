import json
from dataclasses import replace
from typing import Annotated

import numpy as np
import pytest

import manybody as mb
from manybody import seeding
from manybody.physics.keys import Key
from manybody.study.configuration import from_json, merge_systems
from manybody.study.parsing import builtin_studies, find_study, parse_study
from manybody.study.structure import structure, table_of

GOOD = """
name = "good"
seed = 3
samples = 4
times = [0.0, 1.5, 4.0]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5
[[systems]]
model = "dirac_syk2"
n_sites = [4, 6]
[[systems]]
model = "anderson3d"
length = 2
disorder = [1, 5.0]
samples = 2
"""


def parse(text):
    return parse_study(text, "file.toml")


def test_built_in_studies():
    texts = {name: text for name, text in builtin_studies().items() if "\nkind =" not in text}
    studies = {name: parse_study(text, name) for name, text in texts.items()}
    full = studies["paper-fig1"]
    sizes = {(s.model, dict(s.parameters).get("disorder")): s.sizes for s in full.systems}
    assert sizes == {
        ("dirac_syk2", None): (8, 16, 32, 64, 128),
        ("anderson3d", 1.0): (2, 3, 4, 5, 6),
        ("anderson3d", 5.0): (2, 3, 4, 5, 6),
        ("anderson3d", 20.0): (2, 3, 4, 5, 6),
    }
    assert all(system.samples == 100 for system in full.systems)
    assert (full.times[0], full.times[-1]) == (0.0, 60.0)
    bath = full.bath
    assert (bath.coupling, bath.cutoff, bath.beta) == (0.2, 10.0, 5.0)
    small = studies["paper-fig1-small"]
    assert len(small.systems) == 4
    assert all(len(s.sizes) >= 3 and s.samples >= 20 for s in small.systems)
    assert small.seed == full.seed


def test_everything_is_read():
    study = parse(GOOD)
    assert [len(system.sizes) for system in study.systems] == [2, 1, 1]
    assert [system.samples for system in study.systems] == [4, 2, 2]
    anderson = study.systems[2]
    assert dict(anderson.parameters) == {"disorder": 5.0, "hopping": 1.0, "boundary": "periodic"}
    point = anderson.points[0]
    assert point.n_sites == 8
    assert point.name == "anderson3d-boundary=periodic-disorder=5.0-hopping=1.0-length=2"
    assert from_json(json.loads(json.dumps(study.to_json()))) == study
    grid = parse(GOOD.replace("[0.0, 1.5, 4.0]", "{ start = 1, stop = 3.0, count = 5 }"))
    assert grid.times == (1.0, 1.5, 2.0, 2.5, 3.0)


def test_the_hash_sees_numbers_and_nothing_else():
    study = parse(GOOD)
    assert parse(GOOD.replace("beta = 5", "beta = 5.0")).hash() == study.hash()
    assert parse(GOOD.replace("samples = 4", "samples = 9")).hash() == study.hash()
    assert parse(GOOD.replace("[4, 6]", "[4, 6, 8]")).hash() == study.hash()
    for old, new in (
        ("seed = 3", "seed = 4"),
        ("4.0]", "5.0]"),
        ("coupling = 0.2", "coupling=0.3"),
    ):
        assert parse(GOOD.replace(old, new)).hash() != study.hash()


def test_merging_only_adds():
    study = parse(GOOD)
    more = parse(GOOD.replace("[4, 6]", "[6, 9]").replace("samples = 4", "samples = 3"))
    more = replace(more, block_size=99)
    merged = merge_systems(study, more)
    assert merged.systems[0].sizes == (4, 6, 9)
    assert merged.systems[0].samples == 4
    assert merged.block_size == study.block_size


def test_sizes_have_numbers_of_samples_of_their_own():
    text = GOOD.replace("n_sites = [4, 6]", "n_sites = [6, 4]\nsamples = [2, 5]")
    study = parse(text)
    assert study.systems[0].counts == {4: 5, 6: 2}
    assert study.systems[0].samples == (5, 2)
    assert from_json(study.to_json()) == study
    assert parse(text).hash() == parse(GOOD).hash()
    more = merge_systems(study, parse(GOOD.replace("[4, 6]", "[6, 9]")))
    assert more.systems[0].counts == {4: 5, 6: 4, 9: 4}
    with pytest.raises(ValueError, match=r"samples = \[2\]: a number, or one for each of 2 sizes"):
        parse(GOOD.replace("n_sites = [4, 6]", "n_sites = [4, 6]\nsamples = [2]"))
    with pytest.raises(ValueError, match="samples"):
        parse(GOOD.replace("n_sites = [4, 6]", "n_sites = [4, 6]\nsamples = [2, 0]"))


def test_blocks_take_about_a_second_unless_told_otherwise():
    study = parse(GOOD)
    assert study.block_size is None
    for text, sizes in (
        (GOOD, {4: 100, 40: 100, 400: 1}),
        (GOOD.replace("4.0]", "4000.0]"), {4: 100, 40: 2, 400: 1}),
        (
            GOOD.replace("seed = 3", 'seed = 3\nobservables = ["gap", "trace_distance"]'),
            {4: 100, 8: 50, 27: 2, 40: 1},
        ),
        (GOOD.replace("seed = 3", "seed = 3\nblock_size = 7"), {4: 7, 400: 7}),
    ):
        study = parse(text)
        point = study.systems[0].points[0]
        found = {size: study.samples_in_block(replace(point, size=size)) for size in sizes}
        assert found == sizes
    merged = merge_systems(
        parse(GOOD), parse(GOOD.replace("seed = 3", "seed = 3\nblock_size = 7"))
    )
    assert merged.block_size is None


def test_variants_let_the_cost_model_choose_ranks_for_another_stepper():
    more = '[convergence]\nsamples = 2\nstepper = ["dop853"]\ntolerance = [1e-6]\n[bath]'
    study = parse(GOOD.replace("seed = 3", "seed = 3\ngroup_size = 2").replace("[bath]", more))
    sizes = {name: each.group_size for name, each in study.variants().items()}
    assert sizes == {"stepper=dop853": None, "tolerance=1e-06": 2}


def test_disorder_is_a_function_of_the_task_alone():
    point = parse(GOOD).systems[2].points[0]
    first = point.build(3, 17).dense_hamiltonian()
    np.testing.assert_array_equal(first, point.build(3, 17).dense_hamiltonian())
    entropies = {
        point.entropy(3, 17),
        point.entropy(3, 18),
        point.entropy(4, 17),
        replace(point, size=3).entropy(3, 17),
        parse(GOOD).systems[1].points[0].entropy(3, 17),
    }
    assert len(entropies) == 5
    # Fixed for ever: stores of other versions must continue with the same disorder.
    words = seeding.sample_entropy(1, "dirac_syk2", {"coupling": 1.0}, 8, 0)
    assert words == EXPECTED_WORDS
    assert seeding.generator(words).standard_normal() == pytest.approx(EXPECTED_NORMAL)


EXPECTED_WORDS = (
    7281303326700164849,
    10363119958769866816,
    11084605125652267137,
    9585439988604398411,
)
EXPECTED_NORMAL = -0.21952946763098652


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("seed = 3", "seed = 3\ncolour = 1", ValueError, "unknown key 'colour'"),
        ("seed = 3", "", ValueError, "'seed' is missing"),
        ("seed = 3", "seed = -3", ValueError, "seed = -3"),
        ("seed = 3", "seed = true", TypeError, "seed = True"),
        ("samples = 4", "samples = 0", ValueError, "samples = 0"),
        ("samples = 4", "samples = 4.5", TypeError, "samples = 4.5"),
        ("samples = 4", "samples = 4\ninitial_site = 4", ValueError, "initial_site = 4.*4 sites"),
        ("samples = 4", "samples = 4\nlamb_shift = 1", TypeError, "lamb_shift = 1"),
        ("samples = 4", 'samples = 4\nstepper = "euler"', ValueError, "'euler'.*chebyshev"),
        ("samples = 4", "samples = 4\ntolerance = 1e-30", ValueError, "tolerance = 1e-30"),
        ("samples = 4", 'samples = 4\npetsc_options = "-ts_dt 1"', ValueError, "not use PETSc"),
        ("samples = 4", "samples = 4\nblock_size = 0", ValueError, "block_size = 0"),
        ("samples = 4", "samples = 4\noutputs = {x = 1}", ValueError, "unknown key 'x'"),
        ("samples = 4", 'samples = 4\noutputs = {formats = ["bmp"]}', ValueError, "'bmp'.*'png'"),
        ("[0.0, 1.5, 4.0]", "[]", ValueError, "times is empty"),
        ("[0.0, 1.5, 4.0]", "[1.0, 0.5]", ValueError, "0.5 follows 1"),
        ("[0.0, 1.5, 4.0]", "[0.0, nan]", ValueError, "nan"),
        ("[0.0, 1.5, 4.0]", "{start = 3, stop = 2, count = 5}", ValueError, "times.stop = 2"),
        ("[0.0, 1.5, 4.0]", "{start = 0, stop = 2}", ValueError, "'count' is missing"),
        ("coupling = 0.2", "coupling = inf", ValueError, "coupling = inf"),
        ("coupling = 0.2", 'coupling = "weak"', TypeError, "'weak'"),
        ("beta = 5", "beta = 5\nchemical_potential = 0.5", ValueError, "0.5.*exchanges no"),
        ("beta = 5", 'beta = 5\ntype = "drude"', ValueError, "'drude'"),
        ("[4, 6]", "[4, 0]", ValueError, r"systems\[0\].n_sites = 0: must be an integer >= 1"),
        ("[4, 6]", "[4, 4]", ValueError, "distinct"),
        ("[4, 6]", "[]", ValueError, "at least one size"),
        ("[4, 6]", "[4, 6.0]", TypeError, "6.0"),
        ("[4, 6]", "[4, 6]\ndisorder = 1.0", ValueError, "unknown key 'disorder'"),
        ("length = 2", "", ValueError, "'length' is missing"),
        ("disorder = [1, 5.0]", "", ValueError, "'disorder' is missing"),
        ("disorder = [1, 5.0]", "disorder = -1", ValueError, "disorder = -1"),
        (
            "disorder = [1, 5.0]",
            'disorder = [1, "a"]',
            TypeError,
            r"systems\[1\].disorder = 'a': a",
        ),
        ("disorder = [1, 5.0]", "disorder = []", ValueError, "empty list"),
        ("disorder = [1, 5.0]", "disorder = [1, 1.0]", ValueError, "more than once"),
        ("length = 2", 'length = 2\nboundary = "moebius"', ValueError, "'moebius'.*'open'"),
        ('"anderson3d"', '"hubbard"', ValueError, "'hubbard'.*'anderson3d'"),
        ('model = "anderson3d"', "", ValueError, "'model' is missing"),
        ("seed = 3", "seed = = 3", ValueError, "not valid TOML"),
        ('"good"', '"../evil"', ValueError, "'../evil'.*letters"),
        ('"good"', '""', ValueError, "name = ''"),
        ("samples = 4", "samples = 1000000000000", ValueError, "at most 1000000"),
        ("samples = 4", f"samples = {10**400}", ValueError, "at most 1000000"),
        ("[0.0, 1.5, 4.0]", "{start = 0, stop = 2, count = 99999999}", ValueError, "at most"),
        (
            "[0.0, 1.5, 4.0]",
            "{start = 1e16, stop = 10000000000000002, count = 9}",
            ValueError,
            "must ascend",
        ),
        ("[0.0, 1.5, 4.0]", "[1e-320]", ValueError, "at least 1e-100"),
        ("[0.0, 1.5, 4.0]", f"[{10**400}]", ValueError, "at most 1e.100"),
    ],
)
def test_bad_studies_are_refused_with_a_sentence(old, new, error, words):
    assert GOOD.count(old) == 1
    with pytest.raises(error, match=words) as caught:
        parse(GOOD.replace(old, new))
    assert str(caught.value).startswith("file.toml: ")
    assert "\n" not in str(caught.value)


def test_unknown_studies_and_unreadable_files(tmp_path):
    with pytest.raises(ValueError, match="'nothing'.*paper-fig1"):
        find_study("nothing")
    with pytest.raises(ValueError, match="is a folder"):
        find_study(str(tmp_path))
    marked = tmp_path / "marked.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert parse(find_study(str(marked))[0]).name == "good"
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot be read"):
        find_study(str(path))


def test_operators_groups_and_equations_are_read():
    study = parse(GOOD)
    assert study.equations == ("redfield", "davies")
    keys = 'operator = "assembled"\ngroup_size = 2\ndrop_tolerance = 1e-3'
    other = parse(GOOD.replace("seed = 3", "seed = 3\n" + keys))
    assert other.hash() != study.hash()
    assert (other.operator, other.drop_tolerance, other.group_size) == ("assembled", 1e-3, 2)
    same = 'seed = 3\ngroup_size = "auto"\nequations = ["redfield", "davies"]'
    assert parse(GOOD.replace("seed = 3", same)) == study


@pytest.mark.parametrize(
    "name", [name for name, text in builtin_studies().items() if "\nkind" not in text]
)
def test_json_comes_back(name):
    more = """[convergence]
samples = 2
max_sites = 9
stepper = "dop853"
tolerance = [1e-6, 1e-4]
time_refinement = 2
"""
    text = builtin_studies()[name]
    study = parse(text + more if "\ntimes" in text and "[convergence]" not in text else text)
    again = from_json(json.loads(json.dumps(study.to_json())))
    assert again == study and again.hash() == study.hash()


def test_a_description_without_a_key_or_with_another_type_is_refused():
    values = parse(GOOD).to_json()
    for key in values:
        with pytest.raises(ValueError, match=f"study: key '{key}' is missing"):
            from_json({name: value for name, value in values.items() if name != key})
    with pytest.raises(ValueError, match="study: unknown key 'colour'"):
        from_json({**values, "colour": 1})
    with pytest.raises(TypeError, match="^seed = 3.0: an integer"):
        from_json({**values, "seed": 3.0})
    systems = [values["systems"][0], {**values["systems"][1], "samples": "all"}]
    with pytest.raises(TypeError, match=r"^systems\[1\].samples = 'all': an integer >= 1"):
        from_json({**values, "systems": systems})
    with pytest.raises(TypeError, match="^convergence = 3: a table"):
        from_json({**values, "convergence": 3})


def test_no_table_takes_a_key_that_does_not_say_what_it_means():
    with pytest.raises(TypeError, match="key 'b' does not say what it means"):
        table_of({"a": Annotated[int, Key("of a test", "")], "b": int})


def test_an_error_of_ours_is_no_sentence_about_the_text():
    for exception in (KeyError("x"), ZeroDivisionError()):

        def check(_where, _value, exception=exception):
            raise exception

        with pytest.raises(type(exception)) as caught:
            structure({"key": 1}, table_of({"key": Annotated[int, check, Key("of a test", "")]}))
        assert caught.value is exception


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ('operator = "dense"', ValueError, "operator = 'dense'"),
        ("drop_tolerance = 0.1", ValueError, "no entries to drop"),
        ("drop_tolerance = 1.0", ValueError, "drop_tolerance = 1.0"),
        ('drop_tolerance = "small"', TypeError, "drop_tolerance = 'small'"),
        ("group_size = 0", ValueError, "group_size = 0"),
        ('group_size = "all"', ValueError, "group_size = 'all'"),
        ("group_size = true", TypeError, "group_size = True"),
        ('group_size = 2\nstepper = "dop853"', ValueError, "runs on one rank"),
        ('equations = "davies"', TypeError, "equations = 'davies': a list of redfield, davies"),
        ('equations = ["davies"]', ValueError, r"equations = \['davies'\]: at least two"),
        ('equations = ["davies", "davies"]', ValueError, "each named once"),
        ('equations = ["davies", "blue"]', ValueError, "equations = 'blue'.*'redfield'"),
        ("convergence = 1", TypeError, "convergence = 1: a table"),
        ("convergence = {tolerance = 1e-6}", ValueError, "convergence: key 'samples' is missing"),
        ("convergence = {samples = 1, colour = 2}", ValueError, "convergence: unknown .*'colour'"),
        ("convergence = {samples = 0}", ValueError, "convergence.samples = 0: must be an integer"),
        (
            "convergence = {samples = 1, tolerance = [1, 2]}",
            ValueError,
            "convergence: tolerance = 1",
        ),
        (
            "convergence = {samples = 1, time_refinement = [2, 1]}",
            ValueError,
            "refinement = 1: must",
        ),
        (
            "convergence = {samples = 1, drop_tolerance = 1}",
            ValueError,
            "convergence: drop_tol.* = 1",
        ),
        ('convergence = {samples = 1, stepper = "euler"}', ValueError, "convergence: .*'euler'"),
    ],
)
def test_bad_operators_groups_equations_and_convergence_are_refused(keys, error, words):
    with pytest.raises(error, match="^file.toml: .*" + words):
        parse(GOOD.replace("seed = 3", "seed = 3\n" + keys))


BATHS = {
    "drude-lorentz": (
        'type = "drude-lorentz"\ncoupling = 0.2\ncutoff = 3.0\nbeta = 5',
        mb.ThermalBath(mb.DrudeLorentzDensity(0.2, 3.0), 5.0),
    ),
    "power-law": (
        'type = "power-law"\ncoupling = 0.2\ncutoff = 3.0\nexponent = 2\nbeta = 5',
        mb.ThermalBath(mb.OhmicDensity(0.2, 3.0, 2.0), 5.0),
    ),
    "phonon": (
        'type = "phonon"\nstrength = 0.1\nbeta = 5',
        mb.ThermalBath(mb.PhononDensity(0.1), 5.0),
    ),
}
OHMIC = "coupling = 0.2\ncutoff = 10.0\nbeta = 5"


@pytest.mark.parametrize("kind", BATHS)
def test_studies_with_other_baths(kind):
    text, bath = BATHS[kind]
    study = parse(GOOD.replace(OHMIC, text))
    assert study.bath == bath
    assert study.identity()["bath"]["type"] == kind
    again = from_json(json.loads(json.dumps(study.to_json())))
    assert again == study and again.bath == bath and again.hash() == study.hash()
    assert study.hash() != parse(GOOD).hash()
    change = 'model = "dirac_syk2"\nbath = { beta = [1.0, 2.0] }'
    study = parse(GOOD.replace(OHMIC, text).replace('model = "dirac_syk2"', change))
    assert study.at(study.systems[1].points[0]).bath == replace(bath, beta=2.0)


def test_baths_that_density_couplings_cannot_have():
    sub_ohmic = BATHS["power-law"][0].replace("exponent = 2", "exponent = 0.5")
    with pytest.raises(ValueError, match="γ\\(0\\) = inf"):
        parse(GOOD.replace(OHMIC, sub_ohmic))
    shifted = GOOD.replace("seed = 3", "seed = 3\nlamb_shift = true")
    with pytest.raises(ValueError, match="has no Lamb shift"):
        parse(shifted.replace(OHMIC, BATHS["phonon"][0]))
    with pytest.raises(ValueError, match="'exponent' is missing"):
        parse(GOOD.replace(OHMIC, 'type = "power-law"\n' + OHMIC))
    with pytest.raises(ValueError, match="bath.chemical_potential = 0.3"):
        parse(GOOD.replace(OHMIC, BATHS["phonon"][0] + "\nchemical_potential = 0.3"))
