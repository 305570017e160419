"""The kind of driven studies: numbers against direct calls, and a page that says them."""

import csv
import html
import json

import numpy as np
import pytest
import scipy.linalg
from readable import check_page
from tiny_cases import DRIVEN, case_store, compute, driven_study, parse_cases

import manybody as mb
from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.config import Record, changes, from_json
from manybody.papers.kit.page import fit_power
from manybody.papers.kit.pages import write_figure, write_report
from manybody.papers.snm.driven import cases as driven
from manybody.papers.snm.driven import page as driven_page
from manybody.study.parsing import builtin_studies

LEAD = mb.Reservoir(mb.SemiEllipticDensity(1.0, 4.0), 1.0, 0.5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = case_store(tmp_path_factory.mktemp("driven") / "store", "driven")
    outcome = compute(driven_study(), store, DRIVEN)
    assert (outcome.computed, outcome.failed, outcome.missing) == (6, 0, 0)
    return store


@pytest.fixture(scope="module")
def records(store):
    found, problems = read_records(store, store.study)
    assert problems == []
    return found


def of(records, **wanted):
    """The one record with these parameters."""
    (found,) = (r for r in records if wanted.items() <= r.case.given.items())
    return found


def test_a_case_is_the_direct_call(records):
    """Two chains of sites for the bands, by short steps of one exponential each."""
    results = of(records, contacts="all", rate=0.5).results
    n, steps = 24, 300
    times = np.array(results["times"])
    assert times[-1] == pytest.approx(1.0 / 0.6**2) and len(times) == 2
    full, occupied = np.zeros((2, 2 + 2 * n, 2 + 2 * n))
    occupied[0, 0] = 1.0
    for site in (0, 1):
        own = slice(2 + site * n, 2 + (site + 1) * n)
        chain = 2.0 * (np.eye(n, k=1) + np.eye(n, k=-1))
        full[own, own] = chain
        full[site, own.start] = full[own.start, site] = 0.6
        energies, vectors = np.linalg.eigh(chain)
        occupied[own, own] = (vectors * LEAD.occupation(energies)) @ vectors.T
    state, step = occupied.astype(complex), times[-1] / steps

    def h(time):
        half = 0.5 * np.sin(0.5 * time)
        return np.array([[0.4 - half, 0.05], [0.05, 0.4 + half]])

    for k in range(steps):
        full[:2, :2] = h((k + 0.5) * step)
        unitary = scipy.linalg.expm(-1j * step * full) if k == 0 else _stepped(full, step)
        state = unitary @ state @ unitary.conj().T
    model = mb.DrivenQuadraticModel(h, [mb.Contact(site, LEAD, 0.6) for site in (0, 1)])
    for label, shift in (("redfield", True), ("redfield_without_shift", False)):
        run = mb.driven_correlations(model, np.diag([1.0, 0.0]), times, "redfield", shift, 1e-6)
        difference = run.correlations[-1] - state[:2, :2]
        singular = np.linalg.svd(difference)[1].sum()
        assert results[f"{label}_trace"][-1] == pytest.approx(singular, abs=2e-5)
        largest = np.abs(difference).max()
        assert results[f"{label}_element"][-1] == pytest.approx(largest, abs=2e-5)
        assert singular > 1e-3


def _stepped(matrix, step):
    energies, vectors = np.linalg.eigh(matrix)
    return (vectors * np.exp(-1j * step * energies)) @ vectors.T


def test_equal_baths_make_one_equation_at_every_rate(records):
    own = [r.results for r in records if r.case.given["contacts"] == "all"]
    assert len(own) == 3
    assert max(r["apart"] for r in own) < 1e-10
    assert min(max(r["redfield_trace"]) for r in own) > 1e-3
    unlike = [r.results for r in records if r.case.given["contacts"] == "ends"]
    assert min(r["apart"] for r in unlike) > 1e-2
    for each in (*own, *unlike):
        assert each["exact_error"] < 3e-5 and each["equation_error"] < 1e-2
    assert of(records, contacts="all", rate=0.0).results["smallest_gap"] == pytest.approx(0.1)


def test_the_interpolated_shift_is_the_shift():
    fast = driven.InterpolatedReservoir(LEAD, -0.6, 1.4)
    omega = np.linspace(-0.6, 1.4, 23)
    np.testing.assert_allclose(fast.filled_shift(omega), LEAD.filled_shift(omega), atol=1e-11)
    assert fast.beta == LEAD.beta and fast.statistics == "fermion"
    with pytest.raises(ValueError, match="beyond the interval"):
        fast.filled_shift(np.array([1.5]))
    cold = mb.Reservoir(mb.SemiEllipticDensity(1.0, 4.0), 1e4, 0.5)
    with pytest.raises(ValueError, match="no polynomial"):
        driven.InterpolatedReservoir(cold, -0.6, 1.4)


def test_json_comes_back():
    study = driven_study()
    back = from_json(json.loads(json.dumps(study.to_json())))
    assert back == study and changes(back, study) == []


def test_the_built_in_study_is_cheap():
    study = parse_cases(builtin_studies()["driven"], "driven")
    assert sum(case.cost for case in study.cases) < 120.0
    given = [case.given for case in study.cases]
    assert {each["contacts"] for each in given} == {"all", "ends"}
    assert len({each["rate"] for each in given}) >= 7 and 0.0 in {each["rate"] for each in given}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tolerance = 1e-5", "tolerance = 0.5", "tolerance = 0.5"),
        ("n_times = 2", "n_times = 1", "n_times = 1"),
        ("rate = 0.5", "rate = -0.5", r"runs\[1\].rate = -0.5"),
        ("rate = 0.5", "rate = []", "distinct numbers"),
        ("strength = 0.6", "strength = 0.0", r"runs\[0\].strength = 0.0"),
        ("amplitude = 1.0", "amplitude = 9.0", "levels from .* leave the band of 'first'"),
        ("amplitude = 1.0\n", "", r"runs\[0\]: key 'amplitude' is missing"),
        ('contacts = "all"', 'contacts = "none"', "contacts = 'none'"),
        ("duration = 1.0", "duration = 1.0\nspeed = 2", "unknown key 'speed'"),
        ("[[runs]]", "[[run]]", "unknown key 'run'"),
        ("beta = 2.0", "beta = -2.0", "last: .*beta = -2.0"),
    ],
)
def test_bad_input_is_one_sentence(old, new, words):
    assert old in DRIVEN
    with pytest.raises((ValueError, TypeError), match=words) as raised:
        parse_cases(DRIVEN.replace(old, new), "file.toml")
    assert str(raised.value).startswith("file.toml: ") and "\n" not in str(raised.value)


def test_page_figure_and_tables(store, records):
    summary, paths = write_report(store, ["html", "csv", "png"])
    page = driven_page.build_page(store.study, records)
    check_page(page)
    folder = store.directory / "report"
    text = html.unescape((folder / "index.html").read_text())
    assert {path.stem for path in paths if path.suffix == ".png"} == {"rate"}
    tables = {path.stem for path in paths if path.suffix == ".csv"}
    assert tables == {table.name for table in page.tables} >= {"rates", "strength", "curves"}
    for finding in page.findings:
        assert finding.sentence in summary
    # The page writes powers of ten as such.
    assert page.findings[0].sentence.split(" They differ")[0] in text
    with open(folder / "rates.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["rate"]) for row in rows] == [0.0, 0.5, 2.0]
    for row in rows:
        own = of(records, contacts="all", rate=float(row["rate"])).results
        assert float(row["davies_trace"]) == max(own["davies_trace"])
    (path,) = write_figure(store, "rate", ["pdf"])
    assert path.read_bytes().startswith(b"%PDF")


def test_sentences_say_the_numbers(store, records):
    page = driven_page.build_page(store.study, records)
    first, rate, strength, evidence = page.findings
    assert "this holds" in first.sentence and "3 cases, ν = 0 to 2" in first.sentence
    errors = [
        max(of(records, contacts="all", rate=r).results["redfield_trace"]) for r in (0, 0.5, 2)
    ]
    assert f"error of Redfield is {errors[0]:.2g} at ν = 0, {errors[2]:.2g}" in rate.sentence
    assert "Davies is at no rate further off than 2 times Redfield" in rate.sentence
    strengths = [0.5, 0.6, 0.7]
    own = [
        max(of(records, contacts="ends", strength=s).results["davies_trace"]) for s in strengths
    ]
    assert f"error of Davies goes as J^{fit_power(strengths, own).words}" in strength.sentence
    worst = max(r.results["exact_error"] for r in records)
    assert f"converged to {worst:.1e}" in evidence.sentence


def test_other_numbers_make_other_sentences(store, records):
    def altered(record):
        results = dict(record.results)
        results["apart"] = 0.1
        results["davies_trace"] = [5.0 * value for value in results["redfield_trace"]]
        return Record(record.case, results, record.seconds, record.attributes, record.path)

    page = driven_page.build_page(store.study, [altered(record) for record in records])
    assert "DOES NOT HOLD" in page.findings[0].sentence
    assert "as Redfield at 3 of 3 rates, ν = 0, 0.5, 2 (at worst 5 times)" in (
        page.findings[1].sentence
    )
    # Whatever part of a study is there makes a page.
    for record in records:
        assert driven_page.build_page(store.study, [record]).chapters
