"""Steady states, gaps and level statistics in studies; systems that depart from their study."""

import csv
import warnings
from dataclasses import replace

import numpy as np
import pytest
from tiny import TINY, payload

import manybody as mb
from manybody.errors import Unavailable
from manybody.physics.quantities.cancellation import cancellation_measures
from manybody.physics.quantities.locality import locality_profile
from manybody.report.analysis.statistics import spread_of
from manybody.report.read import load_results
from manybody.report.writing import report_figures, write_report
from manybody.solve.observables import registry
from manybody.solve.observables.registry import figures_of
from manybody.study.block_files import CorruptBlock
from manybody.study.blocks import check_belongs, read_block
from manybody.study.configuration import from_json, merge_systems
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store
from manybody.study.tasks import check_libraries

pytest.importorskip("slepc4py", reason="slepc4py not installed")

ALL = 'observables = ["level_statistics", "gap", "trace_distance", "steady_state"]\n[bath]'
SPECTRAL = TINY.replace("times = [0.0, 1.5, 4.0, 11.0]\n", "").replace(
    "[bath]", 'observables = ["steady_state", "gap", "level_statistics"]\n[bath]'
)


def parse(text):
    return parse_study(text, "observables.toml")


def computed(text, folder):
    store = Store(folder)
    run_study(prepare(parse(text), store), store, quiet=True)
    return store


def test_figures_are_those_of_the_functions(tmp_path):
    text = TINY.replace("[bath]", ALL).replace("samples = 5", "samples = 2")
    text = text.replace('model = "dirac_syk2"', 'model = "dirac_syk2"\nlamb_shift = true')
    store = computed(text, tmp_path / "store")
    study = store.study
    assert study.observables == ("trace_distance", "steady_state", "gap", "level_statistics")
    found = payload(store)
    for system in study.systems:
        point = system.points[-1]
        own = study.at(point)
        assert own.lamb_shift == (point.model == "dirac_syk2")
        model = point.build(study.seed, 1)
        figures = found[(point.name, 1)]
        with warnings.catch_warnings():
            # With Lamb shift it may have a negative eigenvalue.
            warnings.simplefilter("ignore")
            steady = mb.steady_state(model, own.bath, lamb_shift=own.lamb_shift)
        slow = mb.slow_modes(model, own.bath, 1, own.lamb_shift)
        levels = mb.level_statistics(model, eth=True)
        run = mb.compare(model, own.bath, study.times, lamb_shift=own.lamb_shift)
        assert figures["steady_distance"] == steady.distance_from_gibbs
        assert figures["steady_smallest_eigenvalue"] == steady.smallest_eigenvalue
        assert figures["gap"] == slow.gap
        assert figures["gap_davies"] == -slow.davies_eigenvalues[0].real
        assert figures["spacing_ratio"] == levels.mean_ratio
        assert figures["eth_ratio"] == levels.eth
        np.testing.assert_array_equal(figures["trace_distance"], run.trace_distance)


def test_a_study_without_evolution(tmp_path):
    store = computed(SPECTRAL, tmp_path / "store")
    study = store.study
    assert study.times == () and not study.evolves
    assert study.hash() != parse(TINY).hash()
    assert all(
        set(one) == {"seed", *figures_of(study.observables)} for one in payload(store).values()
    )
    summary, paths = write_report(store)
    assert {path.name for path in paths} == {
        "samples.csv",
        "figures.csv",
        "certificates.csv",
        "parameters.csv",
        "systems.csv",
        "tiny-figures.png",
        "tiny-figures.pdf",
        "index.html",
    }
    assert "a growing mode: 0 of 20" in summary
    assert "gap_davies" in summary and "steady_error" in summary and "max of mean" not in summary
    table = store.directory / "report" / "figures.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 4 * len(figures_of(study.observables))
    gaps = load_results(store).points[1].arrays["gap"]
    row = next(row for row in rows if row["size"] == "6" and row["figure"] == "gap")
    assert row["unit"] == "J" and row["n_finite"] == "5"
    assert float(row["mean"]) == pytest.approx(gaps.mean(), rel=1e-15)
    assert float(row["standard_error"]) == pytest.approx(gaps.std(ddof=1) / np.sqrt(5), rel=1e-14)
    assert (float(row["smallest"]), float(row["largest"])) == (gaps.min(), gaps.max())
    # Without Lamb shift Gibbs is stationary for both.
    assert all(
        point.spreads["steady_distance"].mean < 1e-9 for point in load_results(store).points
    )


def test_both_kinds_of_tables_and_figures(tmp_path):
    text = TINY.replace("[bath]", ALL).replace("samples = 5", "samples = 1")
    store = computed(text, tmp_path / "store")
    summary, paths = write_report(store, ["csv"])
    assert {"curves.csv", "maxima.csv", "figures.csv"} <= {path.name for path in paths}
    assert {"tiny", "tiny-figures"} <= report_figures(store.directory).keys()
    assert "max of mean" in summary and "spacing_ratio" in summary


def test_cancellation_and_locality(tmp_path):
    text = TINY.replace("[bath]", 'observables = ["cancellation", "locality"]\n[bath]')
    text = text.replace("times = [0.0, 1.5, 4.0, 11.0]\n", "").replace(
        "samples = 5", "samples = 2"
    )
    store = computed(text, tmp_path / "store")
    study, found = store.study, payload(store)
    for system in study.systems:
        point = system.points[-1]
        model, figures = point.build(study.seed, 1), found[(point.name, 1)]
        if dict(point.parameters).get("disorder") == 0.0:
            # A clean cube: Bohr frequencies coincide.
            assert np.isnan(figures["generator_ratio"])
        else:
            expected = cancellation_measures(model, study.bath)
            assert figures["generator_ratio"] == expected.generator_ratio
            assert figures["weighted_ratio"] == expected.weighted_ratio
        if point.model == "dirac_syk2":
            assert np.isnan(figures["locality_1"])
        else:
            profile = locality_profile(model, study.bath)
            np.testing.assert_array_equal(
                [figures[f"locality_{d}"] for d in range(4)], profile.rms
            )
            assert np.isnan(figures["locality_4"])
    assert {"locality", "tiny-figures"} <= report_figures(store.directory).keys()


def test_systems_that_depart_share_their_disorder(tmp_path):
    text = TINY.replace("[4, 6]", "4\nlamb_shift = [false, true]\ninitial_site = [0, 3]")
    text = text.replace("length = 2", "length = 2\nbath = { coupling = [0.2, 0.4], beta = 1.0 }")
    store = computed(text.replace("samples = 5", "samples = 2"), tmp_path / "store")
    study, found = store.study, payload(store)
    assert len(study.systems) == 4 + 4
    points = [system.points[0] for system in study.systems]
    assert len({point.name for point in points}) == 8
    assert from_json(study.to_json()) == study
    assert merge_systems(study, study) == study
    for point in points[:4]:
        own, result = study.at(point), found[(point.name, 1)]
        model = point.build(study.seed, 1)
        np.testing.assert_array_equal(
            model.hamiltonian, points[0].build(study.seed, 1).hamiltonian
        )
        np.testing.assert_array_equal(result["seed"], found[(points[0].name, 1)]["seed"])
        run = mb.compare(model, own.bath, study.times, own.initial_site, own.lamb_shift)
        np.testing.assert_array_equal(result["trace_distance"], run.trace_distance)
    curves = {found[(point.name, 1)]["trace_distance"].tobytes() for point in points}
    assert len(curves) == 8
    stronger = next(point for point in points[4:] if ("bath_coupling", 0.4) in point.changes)
    block = read_block(store.block_paths(stronger)[0])
    assert block.attributes["bath_coupling"] == block.attributes["change_bath_coupling"] == 0.4
    assert block.attributes["bath_beta"] == 1.0
    with pytest.raises(CorruptBlock, match="changes"):
        check_belongs(block, study, points[4])


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("[bath]", 'observables = ["colour"]\n[bath]', ValueError, "'colour'.*'gap'"),
        ("[bath]", "observables = []\n[bath]", TypeError, "a list of trace_distance"),
        ("[bath]", 'observables = "gap"\n[bath]', TypeError, "a list of trace_distance"),
        ("[bath]", 'observables = ["gap"]\n[bath]', ValueError, "times: have a meaning only with"),
        ("[bath]", 'observables = ["gap", "gap"]\n[bath]', ValueError, "each may appear once"),
        ("coupling = 0.2", "coupling = 0.0", ValueError, "bath.coupling = 0"),
        ("[4, 6]", "[1, 6]\n", ValueError, "'gap' needs 2 sites, the smallest dirac_syk2 has 1"),
        ("[4, 6]", "[2, 6]\n", ValueError, "'level_statistics' needs 3 sites"),
        ("[4, 6]", "4\ninitial_site = [0, 4]", ValueError, "initial_site = 4"),
        ("[4, 6]", "4\ninitial_site = true", TypeError, "initial_site = True"),
        ("[4, 6]", '4\nlamb_shift = "on"', TypeError, "lamb_shift = 'on'"),
        ("[4, 6]", "4\nlamb_shift = [true, true]", ValueError, "more than once"),
        ("[4, 6]", "4\nlamb_shift = []", ValueError, "leaves no system"),
        ("[4, 6]", "4\nbath = { beta = -1.0 }", ValueError, "beta = -1"),
        ("[4, 6]", "4\nbath = { colour = 1.0 }", ValueError, "unknown key 'colour'"),
        ("[4, 6]", "4\nbath = 3", TypeError, "a table is needed"),
    ],
)
def test_bad_input(old, new, error, words):
    text = TINY if "observables" in new else TINY.replace("[bath]", ALL)
    with pytest.raises(error, match=words):
        parse(text.replace(old, new))


def test_without_slepc_the_study_is_refused(monkeypatch):
    def missing():
        raise Unavailable("SLEPc is needed but slepc4py does not import")

    monkeypatch.setitem(registry._KNOWN, "gap", replace(registry.MEASURED["gap"], library=missing))
    with pytest.raises(ValueError, match="'gap': SLEPc is needed"):
        check_libraries(parse(SPECTRAL))
    check_libraries(parse(SPECTRAL.replace('"steady_state", "gap", ', "")))


def test_spread_of_values_without_a_number():
    spread = spread_of(np.array([1.0, np.inf, 3.0, np.nan]))
    assert (spread.count, spread.others, spread.mean, spread.median) == (2, 2, 2.0, 2.0)
    assert spread.error == pytest.approx(1.0)
    assert np.isnan(spread_of(np.array([np.nan])).mean)


def test_thermal_starts_of_systems(tmp_path):
    text = TINY.replace("[4, 6]", "6\ninitial_beta = [0.0, 2.0]").replace(
        "samples = 5", "samples = 1"
    )
    store = computed(text, tmp_path / "store")
    study, found = store.study, payload(store)
    for system, beta in zip(study.systems, (0.0, 2.0)):
        point = system.points[0]
        assert study.at(point).initial_beta == beta
        model = point.build(study.seed, 0)
        run = mb.compare(model, study.bath, study.times, initial_beta=beta)
        np.testing.assert_array_equal(found[(point.name, 0)]["trace_distance"], run.trace_distance)
    assert study.systems[0].points[0].name != study.systems[1].points[0].name
    with pytest.raises(ValueError, match="'steady_state' is of a start on a site"):
        parse(SPECTRAL.replace("[4, 6]", "6\ninitial_beta = 1.0"))
