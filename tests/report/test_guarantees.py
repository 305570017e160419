"""Reports say what each equation guarantees, and by how much it breaks the rest."""

import csv

import numpy as np
import pytest
from tiny import TABLES

import manybody as mb
from manybody import cli
from manybody.report.read import load_results
from manybody.report.tables.guarantees import build_guarantees
from manybody.study.store import Store

NAMES = ("redfield", "universal-lindblad", "partial-secular-0.5", "local", "davies")
TEXT = f"""
name = "guarantees"
seed = 3
samples = 2
times = [0.0, 3.0, 9.0]
equations = [{", ".join(f'"{name}"' for name in NAMES)}]
[bath]
coupling = 0.5
cutoff = 10.0
beta = 1.0
[[systems]]
model = "dirac_syk2"
n_sites = [4, 20]
lamb_shift = [false, true]
{TABLES.replace('["csv"]', '["csv", "html"]')}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarantees")
    (folder / "study.toml").write_text(TEXT)
    out = folder / "out"
    assert cli.main(["run", str(folder / "study.toml"), "--out", str(out), "--quiet"]) == 0
    return Store(out)


def test_every_equation_has_its_figures(store):
    rows = list(csv.DictReader((store.directory / "report" / "guarantees.csv").open()))
    study = store.study
    points = [point for system in study.systems for point in system.points]
    assert len(rows) == len(points) * len(NAMES)
    words = {"redfield": "nyn", "universal-lindblad": "ynn", "partial-secular-0.5": "nyn"}
    words |= {"local": "ynn", "davies": "yyy"}
    for place, point in enumerate(points):
        own = study.at(point)
        models = [point.build(3, sample) for sample in range(2)]
        runs = [
            mb.compare(model, own.bath, study.times, lamb_shift=own.lamb_shift, equations=NAMES)
            for model in models
        ]
        for row, name in zip(rows[place * len(NAMES) :], NAMES):
            assert row["equation"] == mb.EQUATIONS[name].title
            positive, gibbs, shifted = words[name]
            assert row["completely_positive"][0] == positive
            assert row["gibbs_stationary"][0] == (shifted if own.lamb_shift else gibbs)
            residuals = [run.certificate.gibbs_residuals[name] for run in runs]
            assert float(row["gibbs_residual_mean"]) == pytest.approx(np.mean(residuals), rel=1e-9)
            assert float(row["gibbs_residual_worst"]) == max(residuals)
            if positive == "y":
                assert row["smallest_eigenvalue_mean"] == row["smallest_eigenvalue_worst"] == ""
            else:
                lowest = [run.smallest_eigenvalues[name].min() for run in runs]
                assert float(row["smallest_eigenvalue_worst"]) == min(lowest)
                mean = float(row["smallest_eigenvalue_mean"])
                assert mean == pytest.approx(np.mean(lowest), rel=1e-9)
            if point.dimension == 20:
                assert row["kossakowski_eigenvalue"] == ""
                continue
            liouvillian = mb.liouvillian(models[0], own.bath, name, own.lamb_shift)
            found = float(row["kossakowski_eigenvalue"])
            assert found == pytest.approx(mb.choi_eigenvalue(liouvillian), abs=1e-15)
            if name in ("redfield", "universal-lindblad"):
                assert (found < -1e-4) == (name == "redfield")


def test_the_page_has_the_table_and_what_it_means(store):
    page = (store.directory / "report" / "index.html").read_text()
    assert "What each equation guarantees" in page and "Kossakowski [J]" in page
    assert "Partial secular (cutoff 0.5)" in page and "largest element of L[rho_Gibbs]" in page


def test_baths_of_several_temperatures_have_no_gibbs_state(tmp_path):
    head, _, tables = TEXT.partition("[[systems]]")
    head += "[bath.at.left]\nbeta = 0.5\n"
    tables = tables.replace("n_sites = [4, 20]", "length = 4")
    tables = tables.replace('dirac_syk2"', 'anderson_bar"\ndisorder = 1.0')
    (tmp_path / "study.toml").write_text(head + "[[systems]]" + tables)
    out = tmp_path / "out"
    assert cli.main(["run", str(tmp_path / "study.toml"), "--out", str(out), "--quiet"]) == 0
    rows = list(csv.DictReader((out / "report" / "guarantees.csv").open()))
    assert len(rows) == 2 * len(NAMES)
    assert {row["gibbs_stationary"] for row in rows} == {""}
    assert {row["completely_positive"] for row in rows} == {"yes", "no"}


def test_a_study_without_times_has_no_such_table(tmp_path):
    text = TEXT.replace("times = [0.0, 3.0, 9.0]", 'observables = ["level_statistics"]')
    (tmp_path / "study.toml").write_text(text)
    out = tmp_path / "out"
    assert cli.main(["run", str(tmp_path / "study.toml"), "--out", str(out), "--quiet"]) == 0
    assert build_guarantees(load_results(Store(out))) == []
    assert not (out / "report" / "guarantees.csv").exists()
