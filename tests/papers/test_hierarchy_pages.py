"""The page of a study against the hierarchy says what its numbers say; QuTiP is not needed."""

import csv
import html
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from readable import all_texts, check_page, complaints
from test_case_pages import Checker, altered
from tiny_cases import HIERARCHY, case_store, parse_cases

from manybody import cli
from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.config import Record, build_case
from manybody.papers.kit.page import fit_power, scans
from manybody.papers.kit.pages import write_figure, write_report
from manybody.papers.kit.reservoirs import labels_of
from manybody.papers.snm.hierarchy import page as hierarchy_page
from manybody.papers.snm.hierarchy.page import build_page
from manybody.papers.snm.hierarchy.tables import name_of, nearest, title_without
from manybody.study.parsing import builtin_studies
from manybody.study.runner import prepare

ARCHIVE = Path(__file__).parents[1] / "stores" / "hierarchy.tar.xz"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hierarchy")
    shutil.unpack_archive(ARCHIVE, folder)
    store = case_store(folder / "hierarchy", "hierarchy")
    # Of an earlier version: it is taken over, which needs no QuTiP.
    prepare(parse_cases(HIERARCHY, "file.toml"), store)
    return store


@pytest.fixture(scope="module")
def records(store):
    found, problems = read_records(store, store.study)
    assert problems == [] and len(found) == 8
    return found


@pytest.fixture
def labels(store):
    return labels_of(store.study.settings["equations"])


def rows_of(store, name):
    with open(store.directory / "report" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_archive_is_of_the_tiny_study(store):
    assert parse_cases(HIERARCHY, "file.toml") == store.study


def test_figures_can_be_read(store, records):
    check_page(build_page(store.study, records))


def test_titles_of_figures_have_mathematics(store, records):
    words = all_texts(build_page(store.study, records).makers["beta"]())
    assert r"$J_\mathrm{int}$ = 0.2" in words and " J_int" not in words


def test_splittings_near_zero_stay_apart(store, records):
    """One of zero too: on a linear axis the smallest ones had no room for their numbers."""
    splittings = [0.0, 0.03, 0.1, 0.3, 1.0, 2.0]
    given = [{**records[0].case.given, "detuning": value} for value in splittings]
    every = [replace(records[0], case=build_case(own, 1.0)) for own in given]
    figure = build_page(store.study, every).makers["detuning"]()
    assert complaints(figure) == []
    for axis in figure.axes[:2]:
        shown = [text.get_text() for text in axis.get_xticklabels()]
        assert shown == ["0", "0.03", "0.1", "0.3", "1", "2"]
        assert -0.03 < axis.get_xlim()[0] < 0.0
        assert axis.get_xlabel().endswith("linear within ±0.03")


def test_the_page_is_one_offline_file(store, records):
    summary, paths = write_report(store, ["html", "csv", "markdown"])
    page = (store.directory / "report" / "index.html").read_text()
    checker = Checker()
    checker.feed(page)
    assert checker.open == [] and checker.fetched == []
    built = build_page(store.study, records)
    assert set(built.makers) == {"coupling", "beta", "detuning", "time"}
    assert checker.seen.count("figure") == 4
    assert {path.stem for path in paths if path.suffix == ".csv"} == {
        table.name for table in built.tables
    }
    plain = html.unescape(page.replace("<sub>", "_").replace("</sub>", ""))
    for finding in built.findings:
        assert finding.sentence in summary
        assert finding.sentence.split(":")[0][:40] in plain
        assert all(np.isfinite(value) for value in finding.numbers.values())
    assert "\n* Which equation to trust?" in (store.directory / "report" / "report.md").read_text()


def test_every_number_is_in_a_file(store, records, labels):
    write_report(store, ["csv"])
    cases = {row["case"]: row for row in rows_of(store, "cases")}
    for record in records:
        for key, value in record.results.items():
            if not isinstance(value, list):
                assert float(cases[record.case.name][key]) == value
    curves = rows_of(store, "curves")
    assert len(curves) == 8 * 60
    own = [row for row in curves if row["case"] == records[0].case.name]
    assert [float(row["davies_trace"]) for row in own] == records[0].results["davies_trace"]
    late = [row for row in rows_of(store, "late") if row["equation"] == "the Gibbs state"]
    assert [float(row["late"]) for row in late] == [r.results["gibbs_late"] for r in records]
    trust = rows_of(store, "trust")
    assert len(trust) == 2 * len(labels)
    worst = max(max(record.results["local_trace"]) for record in records)
    assert float(trust[labels.index("local")]["largest"]) == worst
    evidence = rows_of(store, "evidence")
    assert {row["qutip"] for row in evidence} == {records[0].attributes["qutip"]}


def test_sentences_are_those_of_the_numbers(store, records):
    findings = build_page(store.study, records).findings
    verdict = findings[0].sentence
    assert "over all times Redfield, at worst 1.08 times" in verdict
    assert "of those that keep ρ positive Universal Lindblad, 4.64 times" in verdict
    assert "in the late state Davies, at worst 1 times" in verdict
    laws = next(f for f in findings if f.sentence.startswith("As powers of J_int²"))
    ((_, own),) = scans(records, "coupling", title_without)
    squares = [r.case.given["coupling"] ** 2 for r in own]
    assert len(own) == 3
    for label in ("redfield", "davies_without_shift"):
        fit = fit_power(squares, [max(r.results[f"{label}_trace"]) for r in own])
        assert laws.numbers[f"{name_of(label)}, power"] == fit.exponent
        assert f"{name_of(label)} {fit.words} (late" in laws.sentence
    assert "Local does not fall (late state: does not fall)" in laws.sentence
    gibbs = next(f for f in findings if "is not the Gibbs state of H" in f.sentence)
    assert f"they are {own[-1].results['gibbs_late']:.2g} apart" in gibbs.sentence
    assert "as far: Davies, Redfield without shift, Davies without shift;" in gibbs.sentence
    assert gibbs.numbers["power of J_int²"] == pytest.approx(1.0, abs=0.02)
    assert "the best late coherences are those of Redfield" in gibbs.sentence
    local = next(f for f in findings if f.sentence.startswith("Local: "))
    assert local.sentence.endswith("Without its Lamb shift it is nowhere further off.")
    near = next(f for f in findings if f.sentence.startswith("Against level splitting"))
    assert "Davies is more than 3 times as far off from δ = 0.1 to 2 (3 of 3" in near.sentence


def swapped(one, other):
    def change(_given, results):
        names = {one: other, other: one}
        heads = sorted(names, key=len, reverse=True)
        found = {}
        for key, value in results.items():
            head = next((head for head in heads if key.startswith(f"{head}_")), "")
            found[names.get(head, "") + key.removeprefix(head)] = value
        return found

    return change


def test_other_numbers_make_other_sentences(store, records):
    findings = build_page(store.study, altered(records, swapped("redfield", "davies"))).findings
    assert "over all times Davies, at worst 1.08 times" in findings[0].sentence
    # Davies keeps ρ positive: there is none to name beside it.
    assert "of those that keep" not in findings[0].sentence.split("; in the late")[0]
    assert any(
        f.sentence.startswith("Redfield: within 3 times the smallest distance nowhere")
        for f in findings
    )

    def lost(_given, results):
        return results | {"error": 0.5, "late_error": 0.5}

    findings = build_page(store.study, altered(records, lost)).findings
    # What the hierarchy cannot tell apart is as near; of local equations too.
    assert "Local in 8" in findings[1].sentence or "Local in 7" in findings[1].sentence
    gibbs = next(f for f in findings if "is not the Gibbs state of H" in f.sentence)
    assert "which falls as" not in gibbs.sentence.split("the best late coherences")[1]


def test_stretches_of_one_nearest_equation():
    runs = hierarchy_page._runs([["a"], ["a", "b"], ["b"], ["b", "c"], ["c"]])
    assert runs == [("a", 0, 2), ("b", 2, 4), ("c", 4, 5)]
    assert hierarchy_page._runs([["a", "b"], ["b"], ["c"]]) == [("b", 0, 2), ("c", 2, 3)]


def test_the_nearest_are_those_that_cannot_be_told_apart():
    results = {"a_trace": [0.0, 1.0], "b_trace": [1.005, 0.0], "c_trace": [1.1], "error": 0.0}
    case = build_case({"coupling": 0.1}, 0.0)
    assert nearest(Record(case, results, 0.0, {}, None), ["a", "b", "c"]) == ["a", "b"]
    wide = Record(case, results | {"error": 0.06}, 0.0, {}, None)
    assert nearest(wide, ["a", "b", "c"]) == ["a", "b", "c"]


def test_one_case_alone_has_a_page(store, records):
    page = build_page(store.study, records[:1])
    assert not any("As powers" in finding.sentence for finding in page.findings)
    assert set(page.makers) == {"time"}
    (path,) = write_figure(store, "beta", ["pdf"])
    assert path.read_bytes().startswith(b"%PDF")


def test_the_built_in_study_scans_what_it_promises(capsys):
    study = parse_cases(builtin_studies()["who-is-right-density"], "who-is-right-density")
    given = [case.given for case in study.cases]
    assert {each["n_sites"] for each in given} == {2, 3}
    records = [Record(case, {}, 0.0, {}, None) for case in study.cases]
    for key, fewest in (("coupling", 6), ("beta", 4), ("detuning", 6)):
        found = scans(records, key, title_without)
        assert sorted(own[0].case.given["n_sites"] for _, own in found) == [2, 3]
        assert all(len(own) >= fewest for _, own in found)
    assert cli.main(["studies"]) == 0
    assert "who-is-right-density: " in capsys.readouterr().out
