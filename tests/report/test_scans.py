"""The figure of the distance against a number in which systems differ."""

from dataclasses import replace

import numpy as np
import pytest
from readable import complaints
from tiny import TABLES

from manybody.report.analysis.conclusions import analyse
from manybody.report.analysis.scans import scans
from manybody.report.figures.makers import figure_makers
from manybody.report.figures.scans import draw_scans
from manybody.report.read import load_results
from manybody.report.running import run_study as run_whole_study
from manybody.report.writing import write_report
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

HEAD = """
name = "scans"
seed = 3
samples = 4
times = [0.0, 4.0, 11.0]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
"""
DISORDER = """
[[systems]]
model = "anderson3d"
length = [2, 3]
disorder = [20.0, 1.0, 5.0]
"""
# The strength of the first is the study's.
COUPLING = """
[[systems]]
model = "dirac_syk2"
n_sites = [4, 6]
[[systems]]
model = "dirac_syk2"
n_sites = 4
bath = { coupling = [0.8, 0.05] }
"""
OTHERS = """
[[systems]]
model = "xxz_chain"
n_sites = 4
disorder = [1.0, 2.0]
anisotropy = 2.0
[[systems]]
model = "xxz_chain"
n_sites = 4
disorder = 3.0
[[systems]]
model = "ising_chain"
n_sites = 3
initial_beta = [1.0, inf]
[[systems]]
model = "dirac_syk2"
n_sites = 8
initial_site = [0, 1, 2]
"""


def computed(folder, systems):
    wanted, store = parse_study(HEAD + systems, "study.toml"), Store(folder)
    run_study(prepare(wanted, store), store, quiet=True)
    return load_results(store)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("scans"), DISORDER + COUPLING)


def curves_of(axis):
    """Values, heights and label of every line through means."""
    lines = [line for line in axis.lines if not line.get_label().startswith(("_", "lower"))]
    return [(line.get_xdata(), line.get_ydata(), line.get_label()) for line in lines]


def maximum(results, size, **traits):
    (own,) = [
        each.summary.maximum
        for each in results.points
        if each.point.size == size and traits.items() <= each.point.traits.items()
    ]
    return own


def test_maxima_stand_against_the_disorder_with_a_line_a_size(results):
    axis = draw_scans(results).axes[0]
    assert (axis.get_title(), axis.get_xlabel()) == ("Anderson", "disorder $W$  $[J]$")
    assert axis.get_xticks().tolist() == [1.0, 5.0, 20.0] and axis.get_xscale() == "log"
    assert axis.get_ylim()[0] == 0.0
    for size, (values, heights, label) in zip((2, 3), curves_of(axis), strict=True):
        np.testing.assert_allclose(values, [1.0, 5.0, 20.0], rtol=0.02)
        expected = [maximum(results, size, disorder=each) for each in (1.0, 5.0, 20.0)]
        np.testing.assert_array_equal(heights, expected)
        assert label == f"$L = {size}$ ($N = {size**3}$)"
    bars = np.concatenate([each.get_segments() for each in axis.collections])
    points = [own.summary for own in results.points if own.point.model == "anderson3d"]
    ends = {(own.maximum_low, own.maximum_high) for own in points}
    assert {tuple(bar[:, 1]) for bar in bars} == ends


def test_what_a_system_leaves_to_the_study_is_one_of_the_values(results):
    _, scan = scans(results)
    assert (scan.key, [*scan.systems], scan.sizes) == ("bath_coupling", [0.05, 0.2, 0.8], [4, 6])
    axis = draw_scans(results).axes[1]
    assert (axis.get_title(), axis.get_xlabel()) == ("Dirac-SYK2", r"$J_\mathrm{int}$")
    assert [len(values) for values, *_ in curves_of(axis)] == [3, 1]


def test_sizes_that_agree_are_seen_side_by_side(results):
    first, second = curves_of(draw_scans(results).axes[0])
    assert np.all(first[0] < second[0])
    linear = [own for own in results.systems if dict(own[0].parameters).get("disorder") != 1.0]
    nearer = replace(linear[0][0], parameters=(("disorder", 6.0),))
    few = replace(results, systems=(*linear[:2], (nearer, linear[0][1])))
    axis = draw_scans(few).axes[0]
    assert axis.get_xscale() == "linear"
    np.testing.assert_allclose(curves_of(axis)[1][0] - curves_of(axis)[0][0], 0.008 * 15.0)


def test_a_parameter_of_a_model_of_the_users_has_its_name_alone(tmp_path):
    (tmp_path / "rings.py").write_text(
        "import numpy as np\n"
        "def ring(size, rng, disorder):\n"
        "    bonds = np.roll(np.eye(size), 1, 0)\n"
        "    return np.diag(rng.uniform(-disorder, disorder, size)) + bonds + bonds.T\n"
    )
    own = '[[systems]]\nmodel = "rings:ring"\nname = "ring"\nsize = 4\n'
    text = f"{HEAD}{own}parameters = {{ disorder = [1, 2.0, 4.0] }}\n{TABLES}"
    (tmp_path / "own.toml").write_text(text)
    run_whole_study(tmp_path / "own.toml", tmp_path / "out", allow_code=True)
    axis = draw_scans(load_results(Store(tmp_path / "out"))).axes[0]
    assert (axis.get_title(), axis.get_xlabel()) == ("ring", "disorder")
    assert axis.get_xticks().tolist() == [1.0, 2.0, 4.0]


def test_the_figure_can_be_read_and_is_on_the_page(results):
    assert complaints(draw_scans(results)) == []
    write_report(Store(results.directory), ["html"])
    page = (results.directory / "report" / "index.html").read_text()
    assert 'id="figure-scan"' in page and "--figure scan" in page
    assert "against a number in which alone systems differ" in page


def test_fewer_values_other_settings_and_names_of_sites_are_no_scan(tmp_path):
    results = computed(tmp_path, OTHERS)
    assert scans(results) == []
    assert "scan" not in figure_makers(analyse(results))
