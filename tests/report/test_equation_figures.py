"""Reports of more than two equations: each against the first."""

import csv

import numpy as np
import pytest
from tiny import TABLES

from manybody import cli
from manybody.report.figures.equations import draw_equations, has_more_equations
from manybody.report.read import load_results
from manybody.study.store import Store

TEXT = f"""
name = "several"
seed = 3
samples = 4
times = [0.0, 1.0, 3.0]
equations = ["redfield", "quasi-local-1", "davies"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "xxz_chain"
n_sites = [4, 6]
samples = [4, 1]
{TABLES}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    (folder / "several.toml").write_text(TEXT)
    out = folder / "out"
    assert cli.main(["run", str(folder / "several.toml"), "--out", str(out), "--quiet"]) == 0
    return load_results(Store(out))


def peaks(point, place):
    curves = point.arrays["trace_distance_of_pairs"][:, place]
    mean = curves.mean(axis=0)
    at = int(mean.argmax())
    error = curves[:, at].std(ddof=1) / 2.0 if len(curves) == 4 else None
    return mean[at], error, [0.0, 1.0, 3.0][at]


def test_the_figure_has_every_other_equation_of_every_size(results):
    assert has_more_equations(results)
    (axis,) = draw_equations(results).axes
    lines = [line for line in axis.lines if len(line.get_xdata()) == 2]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["quasi-local-1", "davies"]
    # Pairs of a block: R:Q, R:D, Q:D.
    for line, point in zip(lines, results.points, strict=True):
        expected = [peaks(point, place)[0] for place in (0, 1)]
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
        assert expected[0] != pytest.approx(expected[1], rel=0.1)


def test_the_table_has_every_pair(results):
    with open(results.directory / "report" / "pairs.csv") as file:
        rows = list(csv.DictReader(file))
    words = ["Redfield and Quasi-local Redfield (r = 1)", "Redfield and Davies"]
    words.append("Quasi-local Redfield (r = 1) and Davies")
    assert [row["pair"] for row in rows] == words * 2
    for index, row in enumerate(rows):
        value, error, time = peaks(results.points[index // 3], index % 3)
        assert float(row["maximum_of_mean"]) == pytest.approx(value, rel=1e-12)
        assert float(row["time_of_maximum"]) == time
        # One sample has no error.
        found = row["standard_error_there"]
        assert (found == "") if error is None else float(found) == pytest.approx(error, rel=1e-9)
