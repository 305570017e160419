"""Pages say what the numbers say: in words, in files, offline."""

import csv
import html.parser

import numpy as np
import pytest
from readable import check_page
from tiny_cases import EXACT, THEOREM, case_store, compute, finished, parse_cases

from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.config import Record, build_case
from manybody.papers.kit.page import fit_power
from manybody.papers.kit.pages import write_figure, write_report
from manybody.papers.snm.exact import page as exact_page
from manybody.papers.snm.theorem import page as theorem_page

FULL = (
    THEOREM.replace('["equal", "one_coupling"]', '["equal", "one_coupling", "two_temperatures"]')
    + """
[[systems]]
model = "dirac_syk2"
n_sites = [4, 8]
lamb_shift = false
checks = ["unclustered"]
[[systems]]
model = "ring"
n_sites = 12
flux = [0.0, 1.0]
lamb_shift = false
spacing = [2, 3]
checks = ["every"]
[[systems]]
model = "random"
n_sites = 2
lamb_shift = false
checks = ["fock"]
"""
)


class Checker(html.parser.HTMLParser):
    """Tags that do not match, and whatever is fetched from elsewhere."""

    VOID = ("meta", "img", "br", "hr", "link")

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.seen = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.fetched += [
            value
            for key, value in attributes
            if key in ("src", "href", "xlink:href")
            and not value.startswith(("data:", "#", "https://arxiv.org/abs/"))
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def computed(folder, text):
    study = parse_cases(text, "file.toml")
    store = case_store(folder, study.kind)
    assert compute(study, store, text).failed == 0
    return store


@pytest.fixture(scope="module")
def theorem_store(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("theorem") / "store", FULL)


@pytest.fixture(scope="module")
def exact_store(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("exact") / "store", EXACT)


def rows_of(store, name):
    with open(store.directory / "report" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("which", ["theorem_store", "exact_store"])
def test_figures_can_be_read(which, request):
    check_page(pages_of(request.getfixturevalue(which))[0])


@pytest.mark.parametrize("which", ["theorem_store", "exact_store"])
def test_the_page_is_one_offline_file(which, request):
    store = request.getfixturevalue(which)
    summary, paths = write_report(store, ["html", "csv", "png", "markdown"])
    page = (store.directory / "report" / "index.html").read_text()
    checker = Checker()
    checker.feed(page)
    assert checker.open == [] and checker.fetched == []
    assert "script" not in checker.seen
    figures = [path for path in paths if path.suffix == ".png"]
    assert len(figures) == checker.seen.count("figure") == 4
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures)
    pages, records, _ = pages_of(store)
    tables = {path.stem for path in paths if path.suffix == ".csv"}
    assert tables == {table.name for table in pages.tables}
    for finding in pages.findings:
        assert finding.sentence in summary
        assert finding.sentence.split(":")[0].split("‖")[0][:30] in html.unescape(page)
    assert (
        (store.directory / "report" / "report.md").read_text().startswith(f"# {store.study.name}")
    )


def pages_of(store):
    records, problems = read_records(store, store.study)
    page = {"theorem": theorem_page, "exact": exact_page}[store.study.kind]
    return page.build_page(store.study, records), records, problems


@pytest.mark.parametrize("which", ["theorem_store", "exact_store"])
def test_every_number_is_in_a_file(which, request):
    store = request.getfixturevalue(which)
    write_report(store, ["csv"])
    page, records, _ = pages_of(store)
    said = [
        (str(index), name, float(value))
        for index, finding in enumerate(page.findings, 1)
        for name, value in finding.numbers.items()
    ]
    assert said == [
        (row["finding"], row["quantity"], float(row["value"]))
        for row in rows_of(store, "findings")
    ]
    cases = {row["case"]: row for row in rows_of(store, "cases")}
    assert set(cases) == {record.case.name for record in records}
    for record in records:
        for key, value in record.results.items():
            if not isinstance(value, list):
                assert float(cases[record.case.name][key]) == value
    if which == "exact_store":
        curves = rows_of(store, "curves")
        assert len(curves) == 3 * 60 + 3 * 4
        first = records[0]
        own = [row for row in curves if row["case"] == first.case.name]
        assert [float(row["davies_trace"]) for row in own] == first.results["davies_trace"]


def test_numbers_in_sentences_are_those_of_the_files(theorem_store, exact_store):
    page, records, _ = pages_of(theorem_store)
    equal = [r for r in records if r.case.given["check"] == "equal"]
    worst = max(max(r.results.values()) for r in equal)
    assert f"{worst:.1e}" in page.findings[0].sentence
    assert "holds to rounding" in page.findings[0].sentence
    ring = next(f for f in page.findings if "p-th site" in f.sentence)
    assert "does not hold, in 8 of 8 cases" in ring.sentence
    assert "1.414 (p = 3, flux 1" in ring.sentence
    page, records, _ = pages_of(exact_store)
    moving = [r for r in records if r.case.given.get("n_times") == 60]
    strengths = [r.case.given["strength"] for r in moving]
    fit = fit_power(strengths, [max(r.results["redfield_trace"]) for r in moving])
    assert any(f"error of Redfield falls as J^{fit.words}" in f.sentence for f in page.findings)
    law = next(f for f in page.findings if "falls as" in f.sentence)
    assert law.numbers["Redfield, exponent"] == fit.exponent
    second = next(f for f in page.findings if "second law" in f.sentence)
    assert "local violates the second law at δ = 2" in second.sentence
    assert any("equally far at every size" in f.sentence for f in page.findings)


def altered(records, change):
    return [
        Record(r.case, change(r.case.given, dict(r.results)), r.seconds, r.attributes, r.path)
        for r in records
    ]


def test_other_numbers_make_other_sentences(theorem_store, exact_store):
    study = theorem_store.study
    _, records, _ = pages_of(theorem_store)

    def broken(given, results):
        if given["check"] in ("equal", "fock"):
            key = "damping" if given["check"] == "equal" else "residual"
            results[key] = 0.25
        if given["check"] in ("every", "one_coupling"):
            results["damping"] = results["filling"] = 1e-16
        return results

    sentences = [
        f.sentence for f in theorem_page.build_page(study, altered(records, broken)).findings
    ]
    assert "FAILS" in sentences[0] and "2.5e-01" in sentences[0]
    assert "some cases agree to rounding nevertheless" in sentences[1]
    assert "It holds" in sentences[3] and "does not hold" not in sentences[3]
    assert "FAILS" in sentences[-1]

    _, records, _ = pages_of(exact_store)

    def swapped(given, results):
        names = {"redfield": "local", "local": "redfield"}
        found = {}
        for key, value in results.items():
            head = key.split("_")[0]
            found[names.get(head, head) + key[len(head) :]] = value
        return found

    page = exact_page.build_page(exact_store.study, altered(records, swapped))
    second = next(f for f in page.findings if "second law" in f.sentence)
    assert "Redfield violates the second law" in second.sentence
    before, after = pages_of(exact_store)[0].findings[0], page.findings[0]
    assert after.numbers["local, nearest"] == before.numbers["Redfield, nearest"]


def test_a_store_that_is_not_complete_says_so(tmp_path):
    store = case_store(tmp_path / "store")
    study = parse_cases(FULL, "file.toml")
    compute(study, store, stop=lambda: "SIGTERM")
    with pytest.raises(ValueError, match="holds no finished case yet"):
        write_report(store)
    calls = []
    compute(study, store, stop=lambda: calls.append(0) or "S" * (len(calls) > 6))
    left = next(case for case in study.cases if case.name not in finished(store))
    store.record_failure(study, left, 0, ValueError("too cold"), {})
    summary, _ = write_report(store, ["html"])
    page = (store.directory / "report" / "index.html").read_text()
    there = len(finished(store))
    assert 0 < there < len(study.cases)
    assert f"{there} of {len(study.cases)} cases" in summary
    assert f"Incomplete: {len(study.cases) - there} of {len(study.cases)} cases" in page
    assert f"Failed: {left.name}" in page


def test_one_figure_alone(exact_store):
    (path,) = write_figure(exact_store, "detuning", ["pdf"])
    assert path.read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="figure = 'maxima'.*'detuning'"):
        write_figure(exact_store, "maxima")


def test_power_laws():
    x = np.array([0.1, 0.2, 0.4, 0.8])
    fit = fit_power(x, 3.0 * x**1.7)
    assert fit.exponent == pytest.approx(1.7, abs=1e-12)
    assert fit.error == pytest.approx(0.0, abs=1e-12) and fit.points == 4
    rng = np.random.default_rng(4)
    fits = [fit_power(x, 3.0 * x**1.7 * np.exp(rng.normal(0.0, 0.1, 4))) for _ in range(2000)]
    spread = np.std([fit.exponent for fit in fits])
    assert np.sqrt(np.mean([fit.error**2 for fit in fits])) == pytest.approx(spread, rel=0.05)
    assert fit_power(x, x**1.7 * [1.0, 1.05, 0.95, 1.0]).words == "1.69(3)"
    # As many parameters as points are no fit.
    for few in ([1.0, 1.0], [1.0, 2.0], [1.0, 2.0, 2.0]):
        with pytest.raises(ValueError, match="3 different x"):
            fit_power(few, np.ones(len(few)))


def test_scans_need_three_values_of_one_parameter():
    def record(strength, duration):
        given = {
            "check": "dynamics",
            "model": "pair",
            "n_sites": 2,
            "detuning": 0.0,
            "hopping": 1.0,
            "level": 0.0,
            "contacts": "ends",
            "strength": strength,
            "duration": duration,
        }
        return Record(build_case(given, 0.0), {}, 0.0, {}, None)

    records = [record(s, 2.0) for s in (0.4, 0.1, 0.2)] + [record(s, 3.0) for s in (0.1, 0.2)]
    ((title, own),) = exact_page.scans(records, "strength")
    assert [r.case.given["strength"] for r in own] == [0.1, 0.2, 0.4]
    assert "two sites" in title and "J =" not in title
    assert exact_page.scans(records, "detuning") == []
