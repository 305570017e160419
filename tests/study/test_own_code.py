"""Models that are functions of a module beside a study, or of an installed one."""

import csv
import json
import shutil

import launching
import numpy as np
import pytest
from tiny import TABLES, assert_same_payload, payload

import manybody as mb
from manybody import cli
from manybody.errors import InputError
from manybody.report.page.sections import sample_options
from manybody.seeding import generator, sample_entropy
from manybody.study import model_code
from manybody.study.configuration import from_json
from manybody.study.merging import merge
from manybody.study.model_loading import bandwidth_of, with_own_models
from manybody.study.parsing import parse_study
from manybody.study.selection import find_point
from manybody.study.store import Store

MODULE = """
from dataclasses import dataclass
import numpy as np
import manybody as mb
from helpers import hop

@dataclass
class Ring:
    size: "int"

def ring(size, rng, disorder=1.0, twisted=False):
    h = np.diag(rng.uniform(-disorder, disorder, Ring(size).size)).astype(complex)
    for site in range(size):
        h[site, (site + 1) % size] += hop(twisted)
        h[(site + 1) % size, site] += np.conj(hop(twisted))
    return h

def spins(size, rng):
    return mb.xxz_chain(size, seed=rng)

def bare_spins(size, rng):
    chain = mb.xxz_chain(size, seed=rng)
    return mb.ManyBodyModel(chain.hamiltonian, chain.basis.occupations.T.astype(float))
"""
HELPERS = "def hop(twisted):\n    return 1j if twisted else 1.0\n"
HEAD = """
name = "own"
seed = 3
samples = 3
times = [0.0, 1.5, 4.0]
block_size = 2
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
"""
RING = """
[[systems]]
model = "rings:ring"
size = [4, 5]
parameters = { disorder = [1.0, 5.0], twisted = true }
"""
PLAIN = '[[systems]]\nmodel = "rings:ring"\nname = "plain"\nsize = 4\n'
SPINS = '[[systems]]\nmodel = "rings:spins"\nname = "chain"\nsize = 4\n'
SOME = '[[systems]]\nmodel = "rings:ring"\nsize = 4\ncoupled_sites = [3, 0]\ninitial_site = 1\n'


def write(folder, systems=RING + SPINS + SOME + PLAIN, module=MODULE):
    folder.mkdir(exist_ok=True)
    (folder / "rings.py").write_text(module)
    (folder / "helpers.py").write_text(HELPERS)
    path = folder / "own.toml"
    path.write_text(HEAD + systems + TABLES)
    return path


def run(path, out, *options):
    """Without a report, as a shard."""
    return cli.main(["run", str(path), "--out", str(out), "--quiet", "--shard", "0/1", *options])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(study file, its finished store)."""
    folder = tmp_path_factory.mktemp("own")
    path = write(folder)
    assert run(path, folder / "out", "--allow-code") == 0
    return path, folder / "out"


@pytest.fixture
def copied(finished, tmp_path):
    """Both, to be changed."""
    shutil.copytree(finished[0].parent, tmp_path / "copy")
    return tmp_path / "copy" / "own.toml", tmp_path / "copy" / "out"


def known(systems, folder):
    path = write(folder, systems)
    return with_own_models(parse_study(path.read_text(), "own.toml"), folder, True)


def test_the_samples_are_those_of_the_function(finished, bath):
    """A study's samples against the function called here, drawn as families draw theirs."""
    store = Store(finished[1])
    names = {point.name for system in store.study.systems for point in system.points}
    assert names == {
        *(f"rings.ring-disorder={w}-twisted=True-size={n}" for w in (1.0, 5.0) for n in (4, 5)),
        "chain-size=4",
        "plain-size=4",
        "rings.ring-baths=0.3-initial_site=1-size=4",
    }
    found = payload(store)
    assert len(found) == 7 * 3
    for sample in range(3):
        parameters = {"disorder": 5.0, "twisted": True}
        entropy = sample_entropy(3, "rings:ring", parameters, 4, sample)
        rng = generator(entropy)
        matrix = np.diag(rng.uniform(-5.0, 5.0, 4)).astype(complex)
        matrix += 1j * np.roll(np.eye(4), 1, axis=1) - 1j * np.roll(np.eye(4), 1, axis=0)
        wanted = mb.compare(matrix, bath, [0.0, 1.5, 4.0]).trace_distance
        own = found["rings.ring-disorder=5.0-twisted=True-size=4", sample]
        np.testing.assert_allclose(own["trace_distance"], wanted, atol=1e-13)
        np.testing.assert_array_equal(own["seed"], np.array(entropy, dtype=np.uint64))

        rng = generator(sample_entropy(3, "rings:spins", {}, 4, sample))
        wanted = mb.compare(mb.xxz_chain(4, seed=rng), bath, [0.0, 1.5, 4.0]).trace_distance
        own = found["chain-size=4", sample]
        np.testing.assert_allclose(own["trace_distance"], wanted, atol=1e-13)
        assert own["density"].shape == (2, 3, 4)


def test_coupled_sites_do_not_change_the_draw(finished, bath):
    point = Store(finished[1]).study.systems[3].points[0]
    rng = generator(sample_entropy(3, "rings:ring", {}, 4, 1))
    matrix = np.diag(rng.uniform(-1.0, 1.0, 4))
    matrix += np.roll(np.eye(4), 1, 0) + np.roll(np.eye(4), 1, 1)
    model = mb.SingleParticleModel(matrix, coupled_sites=[0, 3])
    wanted = mb.compare(model, bath, [0.0, 1.5, 4.0], initial_site=1).trace_distance
    own = payload(Store(finished[1]))[point.name, 1]["trace_distance"]
    np.testing.assert_allclose(own, wanted, atol=1e-13)


def test_status_report_and_merge_run_no_code(finished, tmp_path, capsys, monkeypatch):
    """All that is known of the models is in the store."""
    path, out = finished
    monkeypatch.setattr(model_code, "_LOADED", {})
    monkeypatch.setattr(model_code, "load", None)
    assert cli.main(["status", str(out)]) == 0
    assert "21 of 21 samples" in capsys.readouterr().out
    assert cli.main(["report", str(out), "--format", "csv"]) == 0
    said = capsys.readouterr().out
    assert "rings:ring, disorder = 5.0, twisted = True" in said
    assert "rings:ring, baths on sites 0.3, start on site 1" in said
    with open(out / "report" / "systems.csv", newline="") as file:
        shown = [row["hamiltonian"] for row in csv.DictReader(file)]
    ring = "function ring of module rings"
    chain = "chain: function spins of module rings"
    assert shown == [ring, ring, chain, ring, f"plain: {ring}"]
    assert merge([Store(out), Store(out)], Store(tmp_path / "both")).problems == ()
    assert_same_payload(payload(Store(tmp_path / "both")), payload(Store(out)))
    study = Store(out).study
    assert from_json(json.loads(json.dumps(study.to_json()))) == study


def test_code_needs_consent_every_time(finished, tmp_path, capsys, monkeypatch):
    """Whatever has run before: nothing is loaded, written or remembered."""
    path, out = finished
    trap = write(tmp_path / "trap", module=f"open({str(tmp_path / 'ran')!r}, 'w')\n" + MODULE)
    parse_study(trap.read_text(), "own.toml")
    for command in (
        ["run", str(trap), "--out", str(tmp_path / "new")],
        ["plan", str(trap)],
        ["run", str(path), "--out", str(out)],
        ["sample", str(out), "--size", "5", "--index", "0", "--where", "disorder=5"],
    ):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert "'rings:ring' runs code of the module 'rings'" in said and "--allow-code" in said
    with pytest.raises(InputError, match="allow_code=True"):
        mb.run_study(trap, tmp_path / "new")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "new").exists()
    assert cli.main(["plan", str(trap), "--allow-code"]) == 0
    assert (tmp_path / "ran").exists()
    assert "chain-size=4" in capsys.readouterr().out


def test_a_sample_is_computed_again(finished, capsys):
    path, out = finished
    command = ["sample", str(out), "--size", "5", "--index", "2", "--where", "disorder=5"]
    assert cli.main([*command, "--allow-code", "--models", str(path.parent)]) == 0
    assert "the same bits as in" in capsys.readouterr().out
    # What a report says to repeat a sample names it alone.
    study = Store(out).study
    for point in (point for system in study.systems for point in system.points):
        words = sample_options(study, point, 0).split()
        where = [word for word in words if "=" in word]
        model = point.model if "--model" in words else None
        assert find_point(study, point.size, model, where) == point
    assert cli.main([*command, "--allow-code", "--models", str(out / "nothing")]) == 2
    assert "nothing: is not a folder" in capsys.readouterr().err


DEFAULTS = """
[[systems]]
model = "rings:ring"
size = 4
parameters = { disorder = 5.0 }
[[systems]]
model = "rings:ring"
size = 4
parameters = { twisted = true }
[[systems]]
model = "rings:ring"
size = 4
"""


def test_a_value_that_is_given_comes_before_a_default(tmp_path):
    given = DEFAULTS.replace("5.0", "1.0")
    study = known(given, tmp_path)
    point = find_point(study, 4, None, ["disorder=1"])
    assert point.name == "rings.ring-disorder=1.0-size=4"


def test_a_sample_is_named_by_parameters_that_are_left_to_their_defaults(tmp_path, capsys):
    path, out = write(tmp_path / "study", DEFAULTS), str(tmp_path / "out")
    assert run(path, out, "--allow-code") == 0
    allowed = ["--allow-code", "--models", str(path.parent)]
    for where, name in (
        (["disorder=1", "twisted=false"], "rings.ring-size=4"),
        (["disorder=1.0", "twisted=true"], "rings.ring-twisted=True-size=4"),
        (["disorder=5"], "rings.ring-disorder=5.0-size=4"),
    ):
        options = [word for text in where for word in ("--where", text)]
        capsys.readouterr()
        assert cli.main(["sample", out, "--size", "4", "--index", "1", *options, *allowed]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(f"{name} sample 1\n") and "the same bits as in" in printed
    for wrong in ("disorder=2", "disorder=x", "rng=1", "size=4"):
        assert cli.main(["sample", out, "--size", "4", "--where", wrong, *allowed]) == 2
        assert "no system has size 4 and what else is asked" in capsys.readouterr().err


def test_a_changed_model_is_refused_and_more_samples_are_not(copied, capsys):
    path, out = copied
    before = payload(Store(out))
    path.write_text(path.read_text().replace("samples = 3", "samples = 4"))
    assert run(path, out, "--allow-code") == 0
    after = payload(Store(out))
    assert len(after) == 7 * 4
    assert_same_payload({key: after[key] for key in before}, before)
    capsys.readouterr()

    (path.parent / "rings.py").write_text(MODULE + "# another\n")
    assert run(path, out, "--allow-code") == 2
    said = capsys.readouterr().err
    assert "the source of model 'rings:ring' is" in said and "Use another folder" in said
    command = ["sample", str(out), "--size", "5", "--index", "0", "--where", "disorder=5"]
    assert cli.main([*command, "--allow-code", "--models", str(path.parent)]) == 2
    assert "it has changed" in capsys.readouterr().err
    # Also where a system is new, and when stores are merged.
    path.write_text(HEAD + RING.replace("[1.0, 5.0]", "7.0") + TABLES)
    assert run(path, out, "--allow-code") == 2
    assert run(path, path.parent / "other", "--allow-code") == 0
    with pytest.raises(InputError, match="the source of model 'rings:ring' differ"):
        merge([Store(out), Store(path.parent / "other")], Store(path.parent / "both"))
    # Another system of the same source may be added.
    (path.parent / "rings.py").write_text(MODULE)
    assert run(path, out, "--allow-code") == 0
    assert len(payload(Store(out))) == 7 * 4 + 2 * 3


def test_blocks_of_another_source_are_foreign(copied):
    """A description that was changed by hand does not make them its own."""
    _, out = copied
    description = json.loads((out / "study.json").read_text())
    for system in description["study"]["systems"]:
        system["own"]["source"] = "0" * 64
    (out / "study.json").write_text(json.dumps(description))
    store = Store(out)
    point = store.study.systems[0].points[0]
    blocks, problems = store.read(store.study, point)
    assert blocks == [] and "is foreign: it has other source" in problems[0]


def test_a_function_that_fails_on_a_sample(tmp_path, capsys):
    """Sample 0 is looked at before anything is written; others are recorded as failed."""
    module = MODULE + (
        "def worse(size, rng):\n"
        "    draw = rng.uniform()\n"
        "    if abs(draw - {least!r}) < 1e-15: raise KeyError('nobody')\n"
        "    return np.eye(size) * draw\n"
    )
    draws = [generator(sample_entropy(3, "rings:worse", {}, 4, k)).uniform() for k in range(3)]
    systems = '[[systems]]\nmodel = "rings:worse"\nsize = 4\n'
    path = write(tmp_path / "a", systems, module.format(least=draws[0]))
    assert run(path, tmp_path / "out", "--allow-code") == 2
    assert "'rings:worse' of size 4 raised KeyError: 'nobody'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    path = write(tmp_path / "a", systems, module.format(least=draws[2]))
    assert run(path, tmp_path / "out", "--allow-code") == 3
    assert "sample 2: model 'rings:worse' of size 4 raised KeyError" in capsys.readouterr().err
    assert len(payload(Store(tmp_path / "out"))) == 2


def test_what_a_sample_may_not_be(tmp_path):
    module = MODULE + (
        "def shrinks(size, rng):\n    return np.eye(size - (rng.uniform() > {bound!r}))\n"
        "def text(size, rng):\n    return 'ring'\n"
        "def lopsided(size, rng):\n    return np.triu(np.ones((size, size)))\n"
        "number = 3\n"
    )
    draws = [generator(sample_entropy(3, "rings:shrinks", {}, 4, k)).uniform() for k in range(2)]
    bound = sum(draws) / 2
    for function, words in (
        ("text", "of size 4: model = 'ring': a SingleParticleModel"),
        ("lopsided", "of size 4: model: hamiltonian is not Hermitian"),
        ("number", "has no function 'number'"),
        ("nothing", "has no function 'nothing'"),
    ):
        systems = f'[[systems]]\nmodel = "rings:{function}"\nsize = 4\n'
        path = write(tmp_path, systems, module.format(bound=bound))
        with pytest.raises(InputError, match=words):
            with_own_models(parse_study(path.read_text(), "own.toml"), tmp_path, True)
    path = write(tmp_path, systems.replace("nothing", "shrinks"), module.format(bound=bound))
    study = with_own_models(parse_study(path.read_text(), "own.toml"), tmp_path, True)
    (point,) = study.systems[0].points
    assert point.build(3, 0).dimension == point.dimension
    with pytest.raises(InputError, match="n_sites is . in sample 1 and . in sample 0"):
        point.build(3, 1)


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        (SOME.replace("rings:ring", "rings:spins"), "ManyBodyModel that says itself what the"),
        (SOME.replace("[3, 0]", "[4]"), "coupled_sites contains 4: allowed are 0 to 3"),
        (RING.replace("disorder", "dirt"), "unexpected keyword argument 'dirt', it takes"),
        (RING.replace("rings:", "rungs:"), "there is no module 'rungs', neither"),
        (RING.replace("rings:", "math:"), "'math' has no Python source"),
        (RING.replace("rings:", "no.such:"), "module 'no.such' cannot be found"),
        (
            SPINS.replace("spins", "bare_spins"),
            r"initial_state is missing.*basis=FockBasis\(\.\.\.\)\) patterns",
        ),
        (SPINS + "initial_site = 2\n", "initial_site = 2: one particle without"),
        (RING + "initial_site = 7\n", "the smallest system has 4 sites"),
    ],
)
def test_what_only_the_code_tells(tmp_path, systems, words):
    with pytest.raises(InputError, match=words) as caught:
        known(systems, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("def ring(", "rings.py raised SyntaxError"),
        ("import nobody_has_this", "rings.py raised ModuleNotFoundError"),
        ("raise SystemExit(4)", "rings.py raised SystemExit: 4"),
    ],
)
def test_modules_that_do_not_run(tmp_path, module, words):
    path = write(tmp_path, module=module)
    with pytest.raises(InputError, match=words):
        with_own_models(parse_study(path.read_text(), "own.toml"), tmp_path, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("rings:ring", "rings/ring:f"),
            r"systems\[0\].model = 'rings/ring:f': 'module:function'",
        ),
        (("rings:ring", "../rings:ring"), "'module:function' is needed"),
        (("rings:ring", "rings:"), "'module:function' is needed"),
        (("disorder =", '"../up" ='), "'../up' is no name of a parameter"),
        (("disorder =", "rng ="), "'rng' is no name of a parameter"),
        (
            ("[1.0, 5.0]", '"a/b"'),
            r"parameters.disorder = 'a/b': a number, true, false, or a word",
        ),
        (("[1.0, 5.0]", "[[1.0]]"), r"parameters.disorder = \[1.0\]: a number"),
        (("[1.0, 5.0]", "nan"), "parameters.disorder = nan: must be a finite real number"),
        (("[1.0, 5.0]", "[]"), "an empty list leaves no system"),
        (("[1.0, 5.0]", "[1.0, 1.0]"), "appears more than once"),
        (("[1.0, 5.0]", "[1, 1.0]"), "appears more than once, with equal values"),
        (("size = [4, 5]", "size = [4, 4]"), "size = .4, 4.: distinct sizes are needed"),
        (("size = [4, 5]", ""), "key 'size' is missing"),
        (("size = [4, 5]", "size = 4\nlength = 4"), "unknown key 'length'"),
        (("size = [4, 5]", "size = 4\ncoupled_sites = [1, 1]"), "each site may appear once"),
        (("size = [4, 5]", "size = 4\ncoupled_sites = 1"), "a list of site indices is needed"),
        (("size = [4, 5]", 'size = 4\nname = "a/b"'), "name = 'a/b': up to 80 letters"),
        (("size = [4, 5]", 'size = 4\nname = "anderson3d"'), "is taken by a model of manybody"),
        (
            ("size = [4, 5]", f"size = 4\ncoupled_sites = {list(range(0, 200, 2))}"),
            "letters as the name of a folder, at most 200",
        ),
    ],
)
def test_what_the_text_tells(change, words):
    """Judged without a look at any module: there is none."""
    with pytest.raises(InputError, match=words) as caught:
        parse_study((HEAD + RING).replace(*change), "own.toml")
    assert str(caught.value).startswith("own.toml: ") and "\n" not in str(caught.value)


def test_the_file_beside_the_study_wins_and_is_never_stale(tmp_path):
    """A module of the standard library has this name, and the file changes within a process."""
    systems = '[[systems]]\nmodel = "colorsys:f"\nsize = 2\n'
    bandwidths = []
    for energy in (1.0, 3.0):
        (tmp_path / "colorsys.py").write_text(
            f"import numpy as np\ndef f(size, rng):\n    return np.diag([0.0, {energy}])\n"
        )
        study = parse_study(HEAD + systems, "own.toml")
        found = with_own_models(study, tmp_path, True)
        bandwidths.append(found.systems[0].points[0].bandwidth)
        assert found.systems[0].own.source != study.systems[0].own.source == ""
    assert bandwidths == [1.0, 3.0]
    # Installed ones are found too, with the packages that they are in.
    installed = systems.replace("colorsys:f", "manybody.physics.models.ising_chain:_never")
    with pytest.raises(InputError, match="ising_chain.py has no function '_never'"):
        with_own_models(parse_study(HEAD + installed, "own.toml"), tmp_path, True)


def test_the_bandwidth_of_large_models_is_that_of_small_ones(monkeypatch):
    for model in (mb.anderson3d(6, 3.0, seed=1), mb.dirac_syk2(120, seed=1)):
        exact = bandwidth_of(model)
        with monkeypatch.context() as patched:
            patched.setattr("manybody.study.model_loading._MOST_LEVELS", 0)
            assert bandwidth_of(model) == pytest.approx(exact, rel=0.02)
            assert bandwidth_of(mb.SingleParticleModel(np.eye(3))) == 0.0


@pytest.mark.skipif(not launching.can_launch(), reason="no mpirun on PATH, or no mpi4py")
def test_several_ranks_load_the_same_model(finished, tmp_path):
    import test_mpirun

    path, out = finished
    command = ["-m", "manybody", "run", str(path), "--quiet", "--shard", "0/1", "--allow-code"]
    done = test_mpirun.launch(2, *command, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert_same_payload(payload(Store(tmp_path / "out")), payload(Store(out)))
