"""Reports of more than two equations: each against the first."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from tiny import TABLES

from manybody import cli
from manybody.report.analysis.conclusions import analyse
from manybody.report.figures.equations import draw_equations, has_more_equations
from manybody.report.page.captions import figure_captions, table_notes
from manybody.report.page.document import Table
from manybody.report.page.findings import findings, warnings_of
from manybody.report.page.sections import build_document
from manybody.report.read import load_results
from manybody.report.tables.local import build_averages
from manybody.report.tables.paired import build_paired_tables
from manybody.report.tables.samples import build_tables
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


def test_sizes_stand_beside_each_other(results):
    (axis,) = draw_equations(results).axes
    small, large = [line.get_xdata() for line in axis.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(large - small, 0.07)
    title = axis.get_legend().get_title().get_text()
    assert title == "1–4 samples a size"


def test_findings_say_how_far_every_equation_is(results):
    point = results.points[-1]
    first, second = (peaks(point, place)[0] for place in (0, 1))
    (line,) = [line for line in findings(analyse(results)) if "distances from Redfield" in line]
    assert "N = 6, D = 20: largest mean distances from Redfield: Quasi-local" in line
    assert f"(r = 1) {first:.4g}, Davies {second:.4g}." in line


def test_a_page_has_the_pairs_of_the_largest_sizes(results):
    analysis = analyse(results)
    tables = {table.name: table for table in [*build_tables(results), *build_averages(results)]}
    tables |= {table.name: table for table in build_paired_tables(results)}
    document = build_document(analysis, tables, {})
    shown = {
        part.name: part
        for section in document.sections
        for part in section.parts
        if isinstance(part, Table)
    }
    assert len(tables["pairs"].rows) == 6 and len(shown["pairs"].rows) == 3
    assert all(row[shown["pairs"].head.index("N")] == "6" for row in shown["pairs"].cells)
    local = shown["local-pairs"]
    assert len(tables["local-pairs"].rows) == 36 and len(local.rows) == 12
    assert all(" ".join(row).count("Redfield and") == 1 for row in local.cells)
    assert "with Redfield, at the largest size of every system" in local.caption
    # What is the same in all rows is said once, and nothing is said of a table that is not there.
    paired = shown["paired-equations"]
    assert "against" not in paired.head
    assert "In all rows against: Redfield and Quasi-local Redfield (r = 1)" in paired.caption
    (section,) = [one for one in document.sections if one.title == "On the same disorder"]
    assert section.parts == (paired,)


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


def of_first_two(results):
    """The same results as those of a study of the first two equations alone."""
    return replace(results, study=replace(results.study, equations=results.study.equations[:2]))


def test_titles_and_captions_follow_the_number_of_equations(results):
    for own, title, which in (
        (results, "Distances of the 3 equations", "the first two equations"),
        (of_first_two(results), "Distance of the two equations", "the two equations"),
    ):
        tables = {table.name: table for table in build_tables(own)}
        document = build_document(analyse(own), tables, {})
        assert title in [section.title for section in document.sections]
        figures, notes = figure_captions(own), table_notes(own)
        assert all(which in figures[name] for name in ("laws", "spread", "local-states"))
        assert all(which in notes[name] for name in ("estimates", "numerics", "paired", "spread"))
        other = "the two equations" if own is results else "the first two"
        for words in (*figures.values(), *notes.values()):
            assert not any(each in words for each in ("both states", "both equations", other))


def test_warnings_lead_to_the_section_of_the_distances(results):
    points = [
        replace(
            point, arrays={**point.arrays, "trace_distance": 9.0 + point.arrays["trace_distance"]}
        )
        for point in results.points
    ]
    ((system, _),) = results.systems
    own = replace(results, systems=((system, tuple(points)),))
    tables = {table.name: table for table in build_tables(own)}
    document = build_document(analyse(own), tables, {})
    ((_, target),) = warnings_of(own).linked
    place, label = document.link(target)
    assert place == "section-distances-of-the-3-equations" and label.startswith("Section")
