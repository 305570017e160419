"""Studies whose baths differ from region to region, and the heat that flows between them."""

from dataclasses import replace

import numpy as np
import pytest

import manybody as mb
from manybody.physics.baths.several import SeveralBaths
from manybody.report.analysis.conclusions import analyse
from manybody.report.analysis.numbers import with_error
from manybody.report.figures.observables import draw_observables
from manybody.report.page.findings import findings
from manybody.report.read import load_results
from manybody.report.tables.samples import build_tables
from manybody.study.configuration import from_json
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.selection import find_point
from manybody.study.store import Store

STUDY = """
name = "bar"
seed = 3
samples = 2
observables = {observables}
{times}
lamb_shift = {lamb_shift}

[bath]
coupling = 0.3
cutoff = 5.0
beta = 4.0

[bath.at.left]
beta = 0.5

[[systems]]
model = "anderson_bar"
length = {length}
disorder = 1.0
{more}
"""


POWER_LAW = '[bath]\ntype = "power-law"\nexponent = 1.0'


def text(observables='["heat"]', times="", lamb_shift="false", length="[4, 5]", more=""):
    return STUDY.format(
        observables=observables, times=times, lamb_shift=lamb_shift, length=length, more=more
    )


def gathered(blocks):
    return {
        name: np.concatenate([block.arrays[name] for block in blocks]) for name in blocks[0].arrays
    }


def test_regions_have_their_own():
    study = parse_study(text(), "here")
    assert dict(study.bath_parameters)["at.left.beta"] == 0.5
    for point in study.systems[0].points:
        baths = study.baths(point)
        assert isinstance(baths, SeveralBaths)
        assert [bath.beta for bath in baths.each] == [0.5, 4.0]
    assert from_json(study.to_json()) == study


def test_systems_may_sweep_a_region():
    study = parse_study(text(more="bath.at.left.beta = [0.5, 2.0]\nwidth = 2"), "here")
    cold = [study.baths(system.points[0]).each for system in study.systems]
    assert [own[0].beta for own in cold] == [0.5, 2.0]
    # Layers of four sites.
    assert [len(own) for own in cold] == [8, 8]
    assert [own[4].beta for own in cold] == [4.0, 4.0]


def test_a_region_like_all_others_is_no_region():
    study = parse_study(text(observables='["cancellation"]').replace("0.5", "4.0"), "here")
    assert study.baths(study.systems[0].points[0]) == mb.OhmicBath(0.3, 5.0, 4.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[bath.at.left]", "[bath.at.middle]", "bath.at.middle: .*no such region, allowed: left"),
        ("beta = 0.5", "heat = 0.5", "bath.at.left: unknown key 'heat'"),
        ("beta = 0.5", "beta = -0.5", "bath.at.left: bath beta = -0.5"),
        ("beta = 0.5", "beta = 'hot'", "bath.at.left: bath beta = 'hot'"),
        ("[bath.at.left]\nbeta = 0.5", "at = 3", "bath.at = 3: a table"),
        ('["heat"]', '["cancellation"]', "'cancellation' is of equal baths, here are 2"),
        ("anderson_bar", "anderson3d", "bath.at.left: .*no such region, allowed: none"),
        ("length = [4, 5]", "length = [1]", "length = 1: a bar has two ends"),
    ],
)
def test_inputs_are_checked(old, new, words):
    given = text()
    assert old in given
    with pytest.raises(mb.InputError, match=words):
        parse_study(given.replace(old, new), "here")


@pytest.mark.parametrize("lamb_shift", ["false", "true"])
def test_heat_is_that_of_the_steady_state(tmp_path, lamb_shift):
    pytest.importorskip("petsc4py")
    study = parse_study(text(lamb_shift=lamb_shift), "here")
    store = Store(tmp_path / "store")
    outcome = run_study(prepare(study, store), store, quiet=True)
    assert (outcome.computed, outcome.failed) == (4, 0)
    point = study.systems[0].points[1]
    blocks, problems = store.read(study, point)
    assert not problems
    figures = gathered(blocks)
    for sample in range(2):
        model = point.build(study.seed, sample)
        baths = {0: mb.OhmicBath(0.3, 5.0, 0.5), 4: mb.OhmicBath(0.3, 5.0, 4.0)}
        for name in ("redfield", "davies"):
            shifted = lamb_shift == "true"
            state = mb.steady_state(model, baths, name, shifted, tolerance=1e-12).state
            heat = mb.heat_currents(model, baths, state, name, shifted)
            assert figures[f"heat_{name}"][sample] == pytest.approx(heat[0], rel=1e-9)
            assert figures[f"log_heat_{name}"][sample] == pytest.approx(np.log10(heat[0]))
            entropy = -(0.5 * heat[0] + 4.0 * heat[1])
            assert figures[f"entropy_production_{name}"][sample] == pytest.approx(entropy)
            assert entropy > 0.0
            assert figures[f"heat_imbalance_{name}"][sample] < 1e-10
    results = load_results(store)
    first, last = (
        with_error(one.spreads["heat_redfield"].mean, one.spreads["heat_redfield"].error)
        for one in results.points
    )
    words = "heat current from the hottest baths, steady state of Redfield"
    (line,) = findings(analyse(results))
    means = f"{first} J² at N = 4 and {last} J² at N = 5 (means over samples)"
    assert line.endswith(f": {words}: {means}.")
    (table,) = [one for one in build_tables(results) if one.name == "figures"]
    assert table.cells[0][table.head.index("unit")] == "J²"


def test_a_figure_says_how_many_samples_its_means_have(tmp_path):
    pytest.importorskip("petsc4py")
    study, store = parse_study(text(), "here"), Store(tmp_path / "store")
    run_study(prepare(study, store), store, quiet=True)
    results = load_results(store)
    spreads = results.points[0].spreads
    spreads["heat_redfield"] = replace(spreads["heat_redfield"], count=1)
    (legend,) = draw_observables(results).legends
    assert "1–2 samples a size" in legend.get_title().get_text()


def test_runs_in_time_meet_baths_by_region(tmp_path):
    times = "times = [0.0, 3.0]"
    study = parse_study(text('["trace_distance"]', times), "here")
    store = Store(tmp_path / "store")
    run_study(prepare(study, store), store, quiet=True)
    point = study.systems[0].points[0]
    baths = [mb.OhmicBath(0.3, 5.0, 0.5), mb.OhmicBath(0.3, 5.0, 4.0)]
    alone = mb.compare(point.build(study.seed, 1), baths, [0.0, 3.0])
    found = gathered(store.read(study, point)[0])["trace_distance"]
    np.testing.assert_array_equal(found[1], alone.trace_distance)


@pytest.mark.parametrize(
    "change", [("beta = 0.5", "coupling = 0.2"), ("beta = 0.5", "beta = 0.5\ncoupling = 0.0")]
)
def test_heat_needs_two_temperatures(change):
    with pytest.raises(mb.InputError, match="'heat' is of baths of several temperatures"):
        parse_study(text().replace(*change), "here")


def test_what_is_wrong_in_a_sweep_names_its_region():
    with pytest.raises(mb.InputError, match="bath.at.left: bath beta = -2.0"):
        parse_study(text(more="bath.at.left.beta = [0.5, -2.0]"), "here")
    given = text().replace("beta = 0.5", "exponent = 0.5").replace("[bath]", POWER_LAW)
    with pytest.raises(mb.InputError, match=r"bath.at.left: .*γ\(0\) = inf"):
        parse_study(given, "here")


def test_a_sweep_needs_what_it_changes():
    more = "bath.at.right.beta = [0.5, 2.0]"
    with pytest.raises(mb.InputError, match=r"bath.at.right.beta: .*add \[bath.at.right\] beta"):
        parse_study(text(more=more), "here")


def test_points_are_found_by_the_words_of_the_study():
    study = parse_study(text(more="bath.at.left.beta = [0.5, 2.0]"), "here")
    for key in ("bath.at.left.beta", "bath_at.left.beta"):
        point = find_point(study, 4, None, [f"{key}=2.0"])
        assert dict(point.changes) == {"bath_at.left.beta": 2.0}
