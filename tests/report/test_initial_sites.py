"""Means over initial sites of systems that differ in nothing else."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from tiny import TABLES

import manybody as mb
from manybody import cli, seeding
from manybody.report.analysis.initial_sites import site_means
from manybody.report.read import load_results
from manybody.report.tables.initial_sites import build_site_tables
from manybody.study.store import Store

TEXT = f"""
name = "sites"
seed = 5
samples = 3
times = [0.0, 1.0, 6.0]
initial_site = 1
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [3, 4]
initial_site = [2, 0]
[[systems]]
model = "dirac_syk2"
n_sites = 4
samples = 2
[[systems]]
model = "dirac_syk2"
n_sites = 4
initial_beta = 0.5
[[systems]]
model = "dirac_syk2"
n_sites = 4
lamb_shift = true
{TABLES}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    (folder / "sites.toml").write_text(TEXT)
    out = folder / "out"
    assert cli.main(["run", str(folder / "sites.toml"), "--out", str(out), "--quiet"]) == 0
    return Store(out)


def test_means_over_sites_are_of_the_distances(store, bath):
    three, four = site_means(load_results(store))
    assert (three.point.size, three.sites) == (3, (0, 2))
    # The study's own site is one of them, and samples are those of all.
    assert (four.point.size, four.sites) == (4, (0, 1, 2))
    assert three.values.shape == (3, 2, 1, 3) and four.values.shape == (2, 3, 1, 3)
    study = store.study
    for each in (three, four):
        for sample, curve in enumerate(each.curves()):
            rng = seeding.generator(each.point.entropy(study.seed, sample))
            model = mb.dirac_syk2(each.point.size, coupling=1.0, seed=rng)
            runs = [
                mb.compare(model, bath, study.times, initial_site=site).trace_distance
                for site in each.sites
            ]
            np.testing.assert_allclose(curve, np.mean(runs, axis=0), rtol=0, atol=1e-14)
    # Another thing: the distance from the mixture of the sites.
    mixed = mb.compare(model, bath, study.times, initial_state="mixed-0-1-2").trace_distance
    assert np.abs(curve - mixed).max() > 1e-3


def test_tables_say_which_sites(store):
    folder = store.directory / "report"
    with open(folder / "initial-sites.csv", newline="") as file:
        three, four = csv.DictReader(file)
    assert (three["initial_sites"], four["initial_sites"]) == ("0 2", "0 1 2")
    assert (three["n_samples"], four["n_samples"]) == ("3", "2")
    own = site_means(load_results(store))[1]
    mean = own.curves().mean(axis=0)
    np.testing.assert_allclose(float(four["maximum_of_mean"]), mean.max(), rtol=1e-12)
    over_sites = own.values[:, :, 0, mean.argmax()].mean(axis=0)
    np.testing.assert_allclose(
        float(four["deviation_over_sites"]), np.std(over_sites, ddof=1), rtol=1e-12
    )
    with open(folder / "initial-sites-curves.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["size"] == "4"]
    np.testing.assert_allclose([float(row["mean"]) for row in rows], mean, atol=1e-15)


def test_one_start_has_no_mean_over_sites(store):
    results = load_results(store)
    thermal = replace(results, study=replace(results.study, initial_beta=0.5))
    assert site_means(thermal) == [] and build_site_tables(thermal) == []
