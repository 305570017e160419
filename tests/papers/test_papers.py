"""Pages of the three papers: small studies, formulas against the generators, errata, bad input."""

import ast
import csv
import html.parser
import shlex
import subprocess
import sys
from functools import cache
from importlib import import_module

import numpy as np
import pytest
from readable import check_page
from tiny_cases import case_store, compute, parse_cases

import manybody as mb
from manybody.cli.kinds import kind_named
from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.config import Record
from manybody.papers.kit.curves import points_of
from manybody.papers.kit.pages import write_report
from manybody.papers.kit.plots import differences
from manybody.papers.levy_kosloff import errata as levy_kosloff_errata
from manybody.papers.levy_rabani_limmer import errata as levy_rabani_limmer_errata
from manybody.papers.mitchison_plenio import errata as mitchison_plenio_errata
from manybody.study.parsing import builtin_studies

PAPERS = {
    "levy-kosloff": levy_kosloff_errata.ERRATA,
    "mitchison-plenio": mitchison_plenio_errata.ERRATA,
    "levy-rabani-limmer": levy_rabani_limmer_errata.ERRATA,
}
ALL = [one for errata in PAPERS.values() for one in errata]
SHOWN = [one for one in ALL if one.evidence is not None]
# Ours, the formula of the paper, and how far apart they may be, relative to both or, for the
# last two, to the largest of the case.
PAIRS = [
    ("heat_current_hot", "formula_heat", 1e-12),
    ("population_a", "formula_population", 1e-12),
    ("transmission", "formula", 1e-12),
    ("particle_current", "reference_particle", 1e-9),
    ("energy_current", "reference_energy", 1e-9),
    ("particle_current", "formula_particle", 1e-12),
    ("energy_current", "formula_energy", 1e-12),
    ("Phi_11", "Phi_11_formula", 1e-10),
    ("Phi_11", "Phi_11_printed", 1e-10),
    ("Phi_12", "Phi_12_formula", 1e-10),
    ("response", "formula", 1e-12),
    ("heat_current_a", "formula", 1e-11),
    ("response_a", "formula_response", 1e-8),
]
FEW = 5


def small(name):
    """The built-in study with few points and few rows of its maps, times that both still have."""
    lines = []
    for line in builtin_studies()[name].splitlines():
        if line.startswith("points"):
            line = f"points = {3 if 'from = 0.0' in lines[-2] else FEW}"
        if "{ from" in line:
            logarithmic = ', spacing = "log"' if "log" in line else ""
            line = line[: line.index("points")] + f"points = 3{logarithmic} }}"
        if 'figure = "figure-4"' in lines and line.startswith("statistics"):
            line = 'statistics = "boson"'
        if line.startswith("formats"):
            line = 'formats = ["csv"]'
        lines.append(line)
    return "\n".join(lines)


@cache
def evidence_of(erratum):
    return erratum.evidence()


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    found = {}
    for name in PAPERS:
        text = small(name)
        study = parse_cases(text, "small.toml")
        store = case_store(tmp_path_factory.mktemp(name) / "store", name)
        outcome = compute(study, store, text)
        assert (outcome.failed, outcome.missing) == (0, 0)
        found[name] = store
    return found


def page_of(name):
    return import_module(kind_named(name).folder + ".page")


def records_of(store):
    records, problems = read_records(store, store.study)
    assert problems == []
    return records


@pytest.mark.parametrize("name", PAPERS)
def test_machinery_against_formulas(stores, name):
    compared = set()
    for record in records_of(stores[name]):
        for ours, formula, bound in PAIRS:
            if ours in record.results and formula in record.results:
                off = differences(record.results[ours], record.results[formula]).max()
                assert off <= bound, (record.case.name, ours, formula)
                compared.add((record.case.given["figure"], ours))
    figures = {r.case.given["figure"] for r in records_of(stores[name])}
    assert {figure for figure, _ in compared} >= figures - {"errata", "figure-4", "figure-5"}
    assert compared


def test_non_markovianity_and_the_printed_interference(stores):
    own = [
        r for r in records_of(stores["mitchison-plenio"]) if r.case.given["figure"] == "figure-5"
    ]
    nu, formula, printed = (
        np.concatenate([r.results[key] for r in own])
        for key in ("non_markovianity", "formula", "printed")
    )
    assert nu.max() > 0.0 and np.abs(formula - nu).max() < 1e-11 * nu.max()
    assert np.abs(printed - nu).max() > 0.3 * nu.max()


def test_finite_leads_against_the_exact_solution(stores):
    own = {
        (r.case.given["h"], r.case.given["method"], r.case.given["to"]): r.results
        for r in records_of(stores["mitchison-plenio"])
        if r.case.given["figure"] == "figure-4"
    }
    for h in (1.0, 50.0):
        leads = own[h, "leads", 5.0]
        given = {"delta": 0.1, "g": 0.5, "Gamma": 0.2, "Omega": 100.0, "h": h}
        given |= (
            {"mu_L": 1.0, "mu_R": 0.0, "T_L": 0.1, "T_R": 0.1}
            if h == 1.0
            else {"mu_L": 49.0, "mu_R": 49.0, "T_L": 10.0, "T_R": 0.01}
        )
        C = mb.networks.mitchison_plenio(**given, times=leads["x"])["correlation_matrix"]
        np.testing.assert_allclose(leads["C_11"], C[:, 0, 0].real, atol=1e-11)
        np.testing.assert_allclose(leads["im_C_12"], C[:, 0, 1].imag, atol=1e-11)
        exact, approximate = own[h, "exact", 25.0], own[h, "epa", 25.0]
        off = np.abs(np.subtract(exact["C_22"], approximate["C_22"])).max()
        assert 0.0 < off < 5e-3


def test_second_law_of_the_map(stores):
    found = {}
    for record in records_of(stores["levy-kosloff"]):
        given = record.case.given
        if given["figure"] == "figure-2":
            border = given["omega_c"] * given["T_h"] / given["T_c"]
            broken = np.array(record.results["entropy_production"]) < 0.0
            if given["approach"] == "local":
                np.testing.assert_array_equal(broken, np.array(record.results["x"]) > border)
            found.setdefault(given["approach"], []).append(broken.sum())
    assert sum(found["local"]) > 0 and sum(found["global"]) == sum(found["redfield"]) == 0


@pytest.mark.parametrize("erratum", SHOWN, ids=lambda one: f"{one.where}")
def test_errata(erratum):
    found = evidence_of(erratum)
    scale = abs(found["reference"]) if abs(found["reference"]) > 1e-12 else 1.0
    assert abs(found["corrected"] - found["reference"]) < 1e-4 * scale
    assert abs(found["printed"] - found["reference"]) > 0.05 * scale


@pytest.mark.parametrize("erratum", SHOWN, ids=lambda one: f"{one.where}")
def test_commands_print_the_evidence(erratum, capsys):
    python, flag, code = shlex.split(erratum.command)
    assert (python, flag) == ("python", "-c")
    exec(code, {})
    printed = ast.literal_eval(capsys.readouterr().out)
    assert printed == evidence_of(erratum)


def test_a_command_in_a_shell():
    command = ALL[0].command.replace("python", shlex.quote(sys.executable), 1)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout)["printed"] == evidence_of(ALL[0])["printed"]


def test_names_of_the_evidence_are_distinct():
    for errata in PAPERS.values():
        names = [one.name for one in errata if one.name]
        assert len(set(names)) == len(names)
    without = [one for one in ALL if one.evidence is None]
    assert [one.where for one in without] == ["MP (B12)"]
    assert without[0].command == without[0].setting == ""


class Tags(html.parser.HTMLParser):
    """Tags that are open."""

    VOID = ("meta", "img", "br", "hr", "link")

    def __init__(self):
        super().__init__()
        self.open, self.images = [], 0

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.images += tag == "figure"
        for key, value in attributes:
            is_link = key in ("src", "href", "xlink:href")
            assert not is_link or value.startswith(("data:", "#", "https://arxiv.org/abs/"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("name", "figures"), [("levy-kosloff", 3), ("mitchison-plenio", 4), ("levy-rabani-limmer", 5)]
)
def test_pages(stores, name, figures):
    summary, paths = write_report(stores[name], ["html", "csv", "markdown"])
    page = (stores[name].directory / "report" / "index.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.open == [] and tags.images == figures
    # The page raises and lowers letters.
    text = (stores[name].directory / "report" / "report.md").read_text().replace("\\|", "|")
    for erratum in PAPERS[name]:
        assert erratum.printed in text and erratum.right in text and erratum.command in text
    assert "NOT CONFIRMED" not in summary
    with open(stores[name].directory / "report" / "evidence.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["where"] for row in rows] == [o.where for o in PAPERS[name] if o.name]
    for row, erratum in zip(rows, [o for o in PAPERS[name] if o.name]):
        for key, value in evidence_of(erratum).items():
            assert float(row[key]) == pytest.approx(value, rel=1e-13)


def test_chapters_of_figures_say_the_parameters(stores):
    store = stores["levy-rabani-limmer"]
    records = [r for r in records_of(store) if "omega" in r.case.given]
    chapters = page_of("levy-rabani-limmer").build_page(store.study, records).chapters
    words = {figure.name: chapter.paragraphs for chapter in chapters for figure in chapter.figures}
    assert len(words) == 5
    for given in (record.case.given for record in records):
        for key, symbol in {"omega": "ω", "g": "g", "gamma": "γ"}.items():
            assert f"{symbol} = {given[key]:g}" in words[given["figure"]][-1]


@pytest.mark.parametrize("name", PAPERS)
def test_other_numbers_make_other_sentences(stores, name):
    store = stores[name]

    def altered(record):
        results = dict(record.results)
        if "corrected" in results:
            results["corrected"], results["printed"] = results["printed"], results["corrected"]
        if "entropy_production" in results:
            results["entropy_production"] = [-1.0 for _ in results["entropy_production"]]
        return Record(record.case, results, record.seconds, record.attributes, record.path)

    records = records_of(store)
    before = page_of(name).build_page(store.study, records).findings
    after = page_of(name).build_page(store.study, [altered(r) for r in records]).findings
    assert "NOT CONFIRMED" in after[-1].sentence and "show 0" in after[-1].sentence
    if name == "levy-kosloff":
        assert "global (Davies), oscillators: 15 of 15" in after[0].sentence
        assert "global (Davies), oscillators: 0 of 15" in before[0].sentence
        assert "but for" in after[0].sentence and "but for" not in before[0].sentence
    if name == "mitchison-plenio":
        assert any(
            "violated by exponential propagator, additive, Redfield" in f.sentence for f in after
        )


@pytest.mark.parametrize("name", PAPERS)
def test_figures_can_be_read(stores, name):
    store = stores[name]
    check_page(page_of(name).build_page(store.study, records_of(store)))


@pytest.mark.parametrize("name", PAPERS)
def test_pages_of_single_cases(stores, name):
    """Whatever part of a study is there makes a page."""
    store = stores[name]
    for record in records_of(store):
        page = page_of(name).build_page(store.study, [record])
        assert page.chapters


@pytest.mark.parametrize("name", PAPERS)
def test_built_in_studies_are_cheap(name):
    study = parse_cases(builtin_studies()[name], name)
    assert study.name == study.kind == name
    assert sum(case.cost for case in study.cases) < 120.0
    assert max(case.cost for case in study.cases) < 10.0
    figures = {case.given["figure"] for case in study.cases}
    assert len(figures) >= 4


def test_points():
    given = {
        "figure": "figure-3",
        "over": "epsilon",
        "spacing": "log",
        "from": 0.01,
        "to": 1.0,
        "points": 3,
        "omega_h": 2.0,
    }
    assert [point["epsilon"] for point in points_of(given)] == pytest.approx([0.01, 0.1, 1.0])
    assert all(point.keys() == {"epsilon", "omega_h"} for point in points_of(given))


CURVE = """
name = "one"
kind = "levy-kosloff"
errata = false
[[curves]]
figure = "figure-3"
over = "epsilon"
from = 0.1
to = 1.0
points = 3
omega_h = 10.0
omega_c = 5.0
T_h = 12.0
T_c = 10.0
kappa = 1e-4
statistics = "boson"
approach = "local"
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"figure-3"', '"figure-9"', r"curves\[0\].figure = 'figure-9': must be one of"),
        ('"epsilon"', '"mu"', r"curves\[0\].over = 'mu': must be one of"),
        ("to = 1.0", "to = 0.1", "from must lie below to"),
        ("points = 3", "points = 1", "points"),
        ("points = 3", 'points = 3\nspacing = "cubic"', "spacing = 'cubic'"),
        ("from = 0.1", 'from = 0.0\nspacing = "log"', "above 0"),
        ("kappa = 1e-4", "", "'kappa'"),
        ("kappa = 1e-4", "kappa = []", "one number or more"),
        ("kappa = 1e-4", "kappa = 1e-4\nbeta = 2.0", "'beta'"),
        ('"boson"', "[]", "one word or more"),
        ('"boson"', '"anyon"', "statistics = 'anyon'"),
        ('over = "epsilon"', "", "'over' is missing"),
    ],
)
def test_bad_studies(old, new, sentence):
    assert len(parse_cases(CURVE, "one.toml").cases) == 1
    with pytest.raises(ValueError, match=sentence):
        parse_cases(CURVE.replace(old, new), "one.toml")


def test_nothing_to_compute():
    with pytest.raises(ValueError, match="errata = true"):
        parse_cases('name = "a"\nkind = "levy-kosloff"\nerrata = false', "a.toml")
    errata = parse_cases('name = "a"\nkind = "mitchison-plenio"', "a.toml")
    assert len(errata.cases) == 5


def test_a_broken_condition_is_recorded(tmp_path):
    """ε too large for the paper fails its case, with the condition, and leaves the rest."""
    study = parse_cases(CURVE.replace("to = 1.0", "to = 9.0"), "one.toml")
    store = case_store(tmp_path / "store", study.kind)
    assert compute(study, store).failed == 1
    (failure,) = (path for case in study.cases for path in store.failures(case).values())
    assert "omega_h * omega_c" in failure.read_text("utf-8")


def test_cases_need_no_page():
    """Computing a study imports nothing that only its report needs."""
    folders = ("levy_kosloff", "mitchison_plenio", "levy_rabani_limmer")
    folders += tuple(f"snm.{name}" for name in ("theorem", "exact", "driven", "hierarchy"))
    lines = [f"import manybody.papers.{folder}.cases" for folder in folders]
    lines += [
        "import sys",
        "found = [name for name in sys.modules if name.startswith(('matplotlib', "
        "'manybody.report')) or name.endswith(('.page', '_page', '.plots'))]",
        "assert not found, found",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_networks_are_public():
    assert mb.networks.levy_kosloff(5.0, 5.0, 12.0, 10.0, 1e-3, 1e-7)["heat_current_hot"] > 0.0
    assert "networks" in mb.__all__
