"""Studies with beta = inf and of white noise: text, identity, strict JSON, store and report."""

import json
import math
import re

import numpy as np
import pytest
from tiny import TABLES, TINY, payload

import manybody as mb
from manybody.report.writing import write_report
from manybody.study.blocks import read_block
from manybody.study.canonical import strict_json
from manybody.study.configuration import from_json
from manybody.study.migrations import hash_in
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

INF = math.inf
BATH = "[bath]\ncoupling = 0.2\ncutoff = 10.0\nbeta = 5.0\n"
COLD = BATH.replace("5.0", "inf")
SYK2 = '[[systems]]\nmodel = "dirac_syk2"\nn_sites = [4, 6]\n'
PAGE = '[outputs]\nformats = ["html"]\n'
# Of the version before infinities were written as words.
PHONON_HASH = "85960799c446b2d9d78a8853274a70a49468de75acf6eef79cfee6b784ca1f0e"


def text_of(bath, systems=SYK2, extra="", top=""):
    head = TINY[: TINY.index("[bath]")].replace("samples = 5", "samples = 1")
    return head + top + bath + systems + extra


def parse(*arguments, **keywords):
    return parse_study(text_of(*arguments, **keywords), "limits.toml")


def no_constant(word):
    raise AssertionError(f"{word} is no JSON")


def strictly(text):
    """As readers of RFC 8259 do."""
    return json.loads(text, parse_constant=no_constant)


def test_infinities_go_through_strict_json():
    swept = SYK2 + "bath = { beta = [1.0, inf] }\ninitial_beta = [inf, 2.0]\n"
    study = parse(COLD, swept, top="initial_beta = inf\n")
    assert study.bath == mb.OhmicBath(0.2, 10.0, INF) and study.initial_beta == INF
    points = [point for system in study.systems for point in system.points]
    own = {(study.at(point).bath.beta, study.at(point).initial_beta) for point in points}
    assert own == {(1.0, INF), (1.0, 2.0), (INF, INF), (INF, 2.0)}
    with pytest.raises(AssertionError, match="Infinity is no JSON"):
        strictly(json.dumps(study.identity()))
    text = json.dumps(study.to_json(), allow_nan=False)
    assert '"beta": "inf"' in text and from_json(strictly(text)) == study
    # Python's own words for infinities, as stores had them before.
    loose = text.replace('"inf"', "Infinity")
    assert from_json(json.loads(loose)) == study
    assert parse(COLD).hash() != parse(BATH).hash()
    assert strict_json({"a": [1.0, INF, (-INF, "x")]}) == {"a": [1.0, "inf", ["-inf", "x"]]}


def test_words_stay_words():
    study = parse(BATH, top='description = "inf"\n')
    assert from_json(study.to_json()).description == "inf"


def test_hashes_of_stores_with_infinities_are_what_they_were():
    phonons = '[bath]\ntype = "phonon"\nstrength = 0.02\nbeta = 2.0\n'
    study = parse_study(
        'name = "x"\nseed = 1\nsamples = 2\ntimes = [0.0, 1.0]\n'
        f'{phonons}[[systems]]\nmodel = "dirac_syk2"\nn_sites = [4]\ncoupling = 1.0\n',
        "phonons.toml",
    )
    assert dict(study.bath_parameters)["cutoff"] == INF
    # Of the format in which that hash was written.
    assert hash_in(study, 3) == PHONON_HASH
    assert hash_in(from_json(strictly(json.dumps(study.to_json()))), 3) == PHONON_HASH


@pytest.mark.parametrize(
    ("bath", "systems", "words"),
    [
        (BATH.replace("5.0", "0.0"), SYK2, "bath beta = 0.0: .*WhiteBath"),
        (BATH.replace("5.0", "-inf"), SYK2, "bath beta = -inf"),
        (BATH.replace("5.0", "nan"), SYK2, "bath beta = nan"),
        (BATH.replace("0.2", "inf"), SYK2, "bath coupling = inf"),
        (BATH, SYK2 + "bath = { beta = [1.0, nan] }\n", "systems\\[0\\].bath.beta = nan"),
        (BATH, SYK2 + "bath = { beta = -inf }\n", "bath.beta = -inf"),
        (BATH, SYK2 + "bath = { coupling = inf }\n", "bath coupling = inf"),
        (BATH, SYK2 + 'bath = { beta = "inf" }\n', "bath.beta = 'inf'"),
        (BATH, SYK2 + 'initial_beta = "inf"\n', "initial_beta = 'inf'.*or inf"),
        (BATH, SYK2 + "initial_beta = nan\n", "initial_beta = nan.*or inf"),
        ('[bath]\ntype = "white"\nrate = -1.0\n', SYK2, "bath rate = -1.0"),
        ('[bath]\ntype = "white"\nrate = 0.1\nbeta = 1.0\n', SYK2, "unknown key 'beta'"),
    ],
)
def test_wrong_text_is_named(bath, systems, words):
    with pytest.raises((ValueError, TypeError), match=f"limits.toml: .*{words}"):
        parse(bath, systems)


def test_no_bath_no_gap():
    for bath, key in (
        (COLD.replace("0.2", "0.0"), "coupling"),
        ('[bath]\ntype = "white"\nrate = 0.0\n', "rate"),
    ):
        with pytest.raises(ValueError, match=f"bath.{key} = 0: without a bath .* 'gap'"):
            parse(bath, top='observables = ["trace_distance", "gap"]\n')


def test_a_cold_study_from_text_to_report(tmp_path):
    swept = SYK2 + "bath = { beta = [1e6, inf] }\ninitial_beta = [inf, 0.0]\n"
    study = parse(COLD, swept, PAGE, top="initial_beta = inf\n")
    store = Store(tmp_path / "cold")
    run_study(prepare(study, store), store, quiet=True)
    content = strictly((store.directory / "study.json").read_text())
    assert content["study"]["bath_parameters"]["beta"] == "inf"
    found = payload(store)
    for system in study.systems:
        for point in system.points:
            bath = study.at(point).bath
            assert bath.beta == dict(point.changes)["bath_beta"]
            beta = study.at(point).initial_beta
            run = mb.compare(point.build(study.seed, 0), bath, study.times, initial_beta=beta)
            own = found[(point.name, 0)]
            np.testing.assert_array_equal(own["trace_distance"], run.trace_distance)
            # Ground states stay, hot ones fall.
            assert (own["trace_distance"].max() > 1e-4) == (beta == 0.0)
            assert own["kms_residual"] == 0.0
            (path,) = store.block_paths(point)
            attributes = read_block(path).attributes
            assert strictly(attributes["study"])["bath"]["beta"] == "inf"
            assert attributes["bath_beta"] == bath.beta
    # A second run finds itself again.
    again = Store(store.directory)
    assert prepare(study, again) == study == again.study
    write_report(store)
    page = (store.directory / "report" / "index.html").read_text()
    # The table of parameters leaves to the systems what they say themselves.
    assert re.search(r">start</td><td[^>]*>ρ\(0\)</td><td[^>]*>by system</td>", page)
    assert "bath beta inf, thermal start at beta inf" in page


def test_a_study_of_white_noise(tmp_path):
    bath = '[bath]\ntype = "white"\nrate = 0.1\n'
    swept = SYK2 + "bath = { rate = [0.05, 0.2] }\n"
    study = parse(bath, swept, TABLES, top='observables = ["trace_distance", "steady_state"]\n')
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    store = Store(tmp_path / "white")
    run_study(prepare(study, store), store, quiet=True)
    found = payload(store)
    for system in study.systems:
        point = system.points[1]
        rate = dict(point.changes)["bath_rate"]
        run = mb.compare(point.build(study.seed, 0), mb.WhiteBath(rate), study.times)
        own = found[(point.name, 0)]
        np.testing.assert_array_equal(own["trace_distance"], run.trace_distance)
        # The same mixed state for both.
        assert own["steady_distance"] < 1e-12
    summary, _ = write_report(store)
    assert "bath rate 0.05" in summary
