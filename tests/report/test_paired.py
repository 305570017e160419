"""Differences on the same disorder: means, errors, coverage on synthetic data; who is paired."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from tiny import TABLES, TINY

from manybody.report.analysis.conclusions import analyse
from manybody.report.analysis.numbers import with_error
from manybody.report.analysis.paired import (
    Paired,
    differences,
    paired_maxima,
    paired_means,
    shared_points,
)
from manybody.report.page.findings import findings
from manybody.report.read import load_results
from manybody.report.writing import write_report
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

TIMES = np.linspace(0.0, 10.0, 21)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.0652, 0.0011, "0.0652(11)"),
        (0.0652, 0.0026, "0.065(3)"),
        (0.0652, 0.00196, "0.065(2)"),
        (0.06521, 0.00194, "0.0652(19)"),
        (-0.0003, 0.0011, "-0.0003(11)"),
        (123.4, 12.3, "123(12)"),
        (123.4, 45.0, "123(45)"),
        (3.21e-7, 4.0e-9, "3.21(4)e-7"),
        (2.5e8, 1.4e7, "2.50(14)e+8"),
        (1e-9, 0.26, "0.0(3)"),
        (0.0652, 0.0096, "0.065(10)"),
        (0.5, float("nan"), "0.5"),
        (0.5, 0.0, "0.5"),
        (0.123456, float("inf"), "0.1235"),
    ],
)
def test_numbers_with_errors(value, error, words):
    assert with_error(value, error) == words


def curves(rng, n, effect=0.0, shared=1.0, own=0.1):
    """Two sets of (n, T) curves that share most of their disorder; the second is shifted."""
    shape = np.sin(np.pi * TIMES / 10.0)
    common = rng.normal(size=(n, 1))
    found = []
    for shift in (0.0, effect):
        height = 2.0 + shared * common + own * rng.normal(size=(n, 1)) + shift
        found.append(height * shape + 0.02 * rng.normal(size=(n, len(TIMES))))
    return found


def test_a_paired_difference_is_that_of_the_two_maxima():
    first, second = curves(np.random.default_rng(1), 50, 0.3)
    found = paired_maxima(first, second, 7)
    assert found.count == 50
    assert found.first == first.mean(axis=0).max() and found.second == second.mean(axis=0).max()
    assert found.difference == found.second - found.first
    peak = int(first.mean(axis=0).argmax())
    # At a clear maximum: the errors of the means there, and of the differences pair by pair.
    deviation = first[:, peak].std(ddof=1) / np.sqrt(50)
    assert found.first_error == pytest.approx(deviation, rel=0.08)
    pairs = (second[:, peak] - first[:, peak]).std(ddof=1) / np.sqrt(50)
    assert found.error == pytest.approx(pairs, rel=0.15)
    assert found.unpaired_error == np.hypot(found.first_error, found.second_error)
    assert found.unpaired_error > 5.0 * found.error


def test_errors_cover_what_they_say():
    """Over many draws the difference scatters by its error, and lies within as often as said."""
    rng, effect = np.random.default_rng(2), 0.2
    found = [paired_maxima(*curves(rng, 24, effect), 3) for _ in range(200)]
    differences = np.array([each.difference for each in found])
    errors = np.array([each.error for each in found])
    assert differences.mean() == pytest.approx(effect, abs=0.01)
    assert np.sqrt((errors**2).mean()) == pytest.approx(differences.std(ddof=1), rel=0.15)
    within = np.abs(differences - effect) < errors
    assert 0.58 < within.mean() < 0.76
    # Unpaired errors are those of numbers that share nothing, ten times too large here.
    unpaired = np.mean([each.unpaired_error for each in found])
    assert unpaired > 8.0 * differences.std(ddof=1)


def test_without_an_effect_p_is_small_as_rarely_as_it_says():
    rng = np.random.default_rng(3)
    found = np.array([paired_means(*rng.normal(size=(2, 5))).p_value for _ in range(2000)])
    for level in (0.05, 0.3, 0.8):
        assert (found < level).mean() == pytest.approx(level, abs=0.035)


def test_pairs_that_share_nothing_have_the_unpaired_error():
    rng = np.random.default_rng(4)
    first, second = curves(rng, 400, shared=0.0, own=1.0)
    found = paired_maxima(first, second, 1)
    assert found.error == pytest.approx(found.unpaired_error, rel=0.1)


def test_errors_of_few_pairs():
    first, second = curves(np.random.default_rng(5), 1)
    one = paired_maxima(first, second, 1)
    assert np.isnan([one.error, one.first_error, one.in_errors, one.p_value]).all()
    same = paired_maxima(np.ones((3, 4)), np.full((3, 4), 1.5), 1)
    assert (same.difference, same.error) == (0.5, 0.0) and np.isnan(same.in_errors)
    assert paired_means(np.ones(3), np.ones(3) + 0.25).error == 0.0
    assert Paired(4, 1.0, 2.0, 0.1, 0.1, 0.5).in_errors == 2.0


CHANGES = {
    "shift": ("lamb_shift = [false, true]", "no Lamb shift", ["Lamb shift"]),
    "strength": (
        "bath = { coupling = [0.1, 0.2, 0.4] }",
        "bath coupling 0.2",
        ["bath coupling 0.1", "bath coupling 0.4"],
    ),
    "start": ("initial_site = [1, 2]", "start on site 1", ["start on site 2"]),
}


def computed(folder, tables, head=TINY):
    wanted = parse_study(head + tables, "study.toml")
    store = Store(folder)
    run_study(prepare(wanted, store), store, quiet=True)
    return store


@pytest.mark.parametrize("kind", CHANGES)
def test_systems_that_differ_in_settings_alone_are_paired(tmp_path, kind):
    own, reference, settings = CHANGES[kind]
    tables = f'\n[[systems]]\nmodel = "dirac_syk2"\nn_sites = [4, 6]\n{own}\n'
    store = computed(tmp_path, tables, head_only())
    results = load_results(store)
    found = shared_points(results)
    assert len(found) == 2 * len(settings)
    for each in found:
        assert each.first.point.size == each.second.point.size
        assert len(each.first_rows) == each.first.n_samples
    write_report(store, ["csv", "html"])
    rows = list(csv.DictReader((tmp_path / "report" / "paired.csv").open()))
    assert [row["reference"] for row in rows] == [reference] * len(rows)
    assert [row["setting"] for row in rows] == settings * 2
    for row, each in zip(rows, differences(results)):
        pair = (each.shared.first, each.shared.second)
        left, right = (point.arrays["trace_distance"] for point in pair)
        wanted = right.mean(axis=0).max() - left.mean(axis=0).max()
        assert float(row["difference"]) == wanted != 0.0
        # Two sites of one sample have little in common.
        assert kind == "start" or float(row["paired_error"]) < float(row["unpaired_error"])
    page = (tmp_path / "report" / "index.html").read_text()
    assert f"In all rows against: {reference}; figure: trace distance; unit: 1." in page
    assert "On the same disorder" in page and "standard errors (unpaired: " in page
    curves_rows = list(csv.DictReader((tmp_path / "report" / "paired-curves.csv").open()))
    assert len(curves_rows) == len(rows) * len(results.study.times)


def head_only():
    return TINY.partition("[[systems]]")[0]


def test_other_disorder_is_not_paired(tmp_path):
    """Other parameters draw other samples, and so do other seeds, whatever the index."""
    results = load_results(computed(tmp_path, TABLES))
    assert shared_points(results) == [] and differences(results) == []
    other = load_results(
        computed(
            tmp_path / "two",
            '\n[[systems]]\nmodel = "dirac_syk2"\nn_sites = 4\nlamb_shift = [false, true]\n',
            head_only(),
        )
    )
    (pair,) = shared_points(other)
    pair.second.arrays["seed"][1] += 1
    (fewer,) = shared_points(other)
    assert sorted(set(range(pair.first.n_samples)) - set(fewer.first_rows)) == [1]
    pair.second.arrays["seed"][:] += 1
    assert shared_points(other) == []


def test_samples_are_paired_by_their_index_where_some_are_missing(tmp_path):
    tables = '\n[[systems]]\nmodel = "dirac_syk2"\nn_sites = 4\nlamb_shift = [false, true]\n'
    results = load_results(computed(tmp_path, tables, head_only()))
    (pair,) = shared_points(results)
    first, second = pair.first, pair.second
    kept = np.array([0, 2, 3])
    fewer = SimpleNamespace(
        points=[
            first,
            replace(
                second,
                samples=second.samples[kept],
                arrays={name: own[kept] for name, own in second.arrays.items()},
            ),
        ],
        study=results.study,
    )
    (own,) = shared_points(fewer)
    assert list(own.first_rows) == [0, 2, 3] and list(own.second_rows) == [0, 1, 2]


def test_equations_are_compared_on_the_same_samples(tmp_path):
    head = head_only().replace("seed = 3", 'seed = 3\nequations = ["redfield", "davies", "local"]')
    tables = '\n[[systems]]\nmodel = "dirac_syk2"\nn_sites = [4, 6]\n'
    store = computed(tmp_path, tables, head)
    write_report(store, ["csv"])
    rows = list(csv.DictReader((tmp_path / "report" / "paired-equations.csv").open()))
    pairs = list(csv.DictReader((tmp_path / "report" / "pairs.csv").open()))
    assert [row["pair"] for row in rows] == ["Redfield and Local"] * 2
    for row in rows:
        own = {each["pair"]: each for each in pairs if each["size"] == row["size"]}
        far, near = own["Redfield and Local"], own["Redfield and Davies"]
        assert float(row["value"]) == float(far["maximum_of_mean"])
        assert float(row["difference"]) == float(row["value"]) - float(near["maximum_of_mean"])


def test_a_finding_names_the_largest_size(tmp_path):
    tables = '\n[[systems]]\nmodel = "dirac_syk2"\nn_sites = [4, 6]\nlamb_shift = [false, true]\n'
    lines = findings(analyse(load_results(computed(tmp_path, tables, head_only()))))
    (line,) = [each for each in lines if "on the same samples" in each]
    assert line.startswith("Dirac-SYK2, N = 6, on the same samples: against no Lamb shift")


def test_other_observables_are_compared_too(tmp_path):
    head = head_only().replace("times = [0.0, 1.5, 4.0, 11.0]", 'observables = ["cancellation"]')
    tables = '\n[[systems]]\nmodel = "dirac_syk2"\nn_sites = [4, 6]\nlamb_shift = [false, true]\n'
    store = computed(tmp_path, tables, head)
    results = load_results(store)
    found = differences(results)
    assert found and all(each.figure in results.points[0].spreads for each in found)
    for each in found:
        left, right = (own.arrays[each.figure] for own in (each.shared.first, each.shared.second))
        assert each.paired.difference == pytest.approx((right - left).mean(), rel=1e-9, abs=1e-15)
    lines = findings(analyse(results))
    assert any("on the same samples: against no Lamb shift the mean " in line for line in lines)


def test_the_probability_of_no_difference_is_that_of_paired_samples(rng):
    first = rng.normal(size=6)
    second = first + 0.3 + 0.2 * rng.normal(size=6)
    found = paired_means(first, second).p_value
    assert found == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-12)
