"""Every figure of every kind of study of samples can be read; and what the checks must see."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from readable import all_texts, complaints
from tiny import TABLES

from manybody.report.analysis.boundedness import judge
from manybody.report.analysis.conclusions import analyse
from manybody.report.analysis.scaling import SizeEstimate
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.canvas import (
    NOT_ONE_SCALE,
    beside,
    colour,
    grid,
    marker,
    one_scale,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
    say_instead,
    size_axis,
)
from manybody.report.figures.local import draw_states
from manybody.report.figures.makers import distances_name, draw_distances, figure_makers
from manybody.report.figures.size import MOST_ABOVE, draw_fits
from manybody.report.page.captions import figure_captions, table_notes
from manybody.report.read import load_results
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

HEAD = """
name = "figures"
seed = 3
samples = {samples}
times = [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 12.0, 40.0]
{more}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
"""
SYK2 = """
[[systems]]
model = "dirac_syk2"
n_sites = [4, 5, 6, 8]
"""
STUDIES = {
    "one particle": (
        16,
        'observables = ["trace_distance", "level_statistics", "cancellation", "locality"]',
        SYK2 + '[[systems]]\nmodel = "anderson3d"\nlength = [2, 3]\ndisorder = 20.0\n',
    ),
    "many systems": (
        2,
        "",
        f"{SYK2}initial_site = [0, 3]\nlamb_shift = [false, true]\n"
        "bath = { coupling = [0.05, 0.8] }\n",
    ),
    "many particles": (
        8,
        'expectations = ["populations", "energy", "coherence-0-1"]',
        '[[systems]]\nmodel = "xxz_chain"\nn_sites = [2, 4, 6]\ndisorder = 8.0\n'
        '[[systems]]\nmodel = "complex_syk4"\nn_sites = [4, 6, 8]\n',
    ),
    "several equations": (
        2,
        'equations = ["redfield", "davies", "universal-lindblad", "partial-secular", '
        '"quasi-local-1", "local"]',
        '[[systems]]\nmodel = "xxz_chain"\nn_sites = [2, 4]\ndisorder = [0.5, 1.0, 8.0]\n',
    ),
    "many systems of many particles": (
        2,
        "",
        '[[systems]]\nmodel = "xxz_chain"\nn_sites = [2, 4]\ndisorder = [0.5, 1.0, 2.0, 4.0]\n'
        '[[systems]]\nmodel = "complex_syk4"\nn_sites = 4\n',
    ),
    "one sample, one size": (1, "", '[[systems]]\nmodel = "dirac_syk2"\nn_sites = 4\n'),
}


ALWAYS = {"figures", "maxima", "spread", "positivity"}
LOCAL = {"local", "local-scaled", "local-states", "local-maxima"}
NAMES = {
    "one particle": ALWAYS | {"figures-figures", "laws", "locality", "precision"},
    "many systems": ALWAYS,
    "many particles": ALWAYS | LOCAL | {"laws", "expectations"},
    "several equations": ALWAYS | LOCAL | {"equations", "scan"},
    "many systems of many particles": ALWAYS | LOCAL | {"scan"},
    "one sample, one size": ALWAYS,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


def results_of(stores, kind):
    """Of a study, computed where it is not there yet."""
    samples, more, systems = STUDIES[kind]
    text = HEAD.format(samples=samples, more=more) + systems + TABLES
    store = Store(stores / kind)
    run_study(prepare(parse_study(text, "figures.toml"), store), store, quiet=True)
    return load_results(store)


@pytest.mark.parametrize("kind", STUDIES)
def test_every_figure_can_be_read(stores, kind):
    figures = figure_makers(analyse(results_of(stores, kind)))
    assert set(figures) == NAMES[kind]
    for name, make in figures.items():
        assert complaints(make()) == [], name


@pytest.mark.parametrize(
    ("kind", "has_column"), [("one particle", False), ("many particles", True)]
)
def test_captions_say_what_d_is_where_there_is_a_column(stores, kind, has_column):
    assert ("D: number of states" in table_notes(results_of(stores, kind))["spread"]) == has_column


def test_a_law_that_runs_away_leaves_the_maxima_readable():
    system = parse_study(HEAD.format(samples=2, more="") + SYK2, "laws.toml").systems[0]
    estimates = tuple(SizeEstimate(n, 0.01 * n**2, 0.001) for n in (4, 5, 6, 8))
    _, (axis,) = grid(1, 4.9, 3.6)
    draw_fits(axis, SystemVerdict(system, estimates, judge(estimates, 50), ()), 0)
    assert max(np.max(line.get_ydata()) for line in axis.lines) > 5.0
    assert axis.get_ylim() == (0.0, pytest.approx(MOST_ABOVE * 0.641, rel=1e-3))


def test_both_kinds_of_maxima_are_seen_where_they_agree(stores):
    axis = figure_makers(analyse(results_of(stores, "one particle")))["maxima"]().axes[0]
    filled, opened = (
        line for line in axis.lines if line.get_marker() in "os" and line.get_ls() != "None"
    )
    assert (filled.get_xdata() < opened.get_xdata()).all()


def test_a_panel_that_says_something_instead_has_no_numbers():
    figure, (axis,) = grid(1, 3.3, 2.9)
    say_instead(axis, "nothing")
    figure.draw_without_rendering()
    assert all_texts(figure).split() == ["nothing"]


def test_many_systems_share_panels_of_states_at_their_largest_size(stores):
    results = results_of(stores, "many systems of many particles")
    figure = draw_states(results)
    # 3 chains, 1 chain, 1 SYK model.
    assert len([axis for axis in figure.axes if axis.axison]) == 3 * 5
    legends = [axis.get_legend() for axis in figure.axes if axis.get_legend()]
    said = [[text.get_text() for text in legend.get_texts()] for legend in legends]
    assert said[0] == [f"disorder = {w},\n$N = 4$, $D = 6$" for w in ("0.5", "1", "2")]
    assert [len(labels) for labels in said] == [3, 1, 1]
    last = [point for _, points in results.drawn for point in points[-1:]]
    energies = [line.get_ydata() for axis in figure.axes[2::6] for line in axis.lines[::2]]
    for point, drawn in zip(last, energies, strict=True):
        np.testing.assert_allclose(drawn, point.arrays["energy"].mean(axis=0)[0])
    assert "one line a system, at its largest size" in figure_captions(results)["local-states"]
    few = results_of(stores, "several equations")
    assert "one line a system" not in figure_captions(few)["local-states"]


def test_the_corner_names_the_equations_that_are_drawn(stores):
    results = results_of(stores, "several equations")
    assert results.words == (
        "Redfield against Davies, Universal Lindblad, Partial secular, "
        "Quasi-local Redfield (r = 1) and Local"
    )
    assert results.words_of_two == "Redfield against Davies"
    assert "Universal Lindblad" not in all_texts(draw_distances(results))


def test_no_two_of_many_systems_look_the_same():
    assert len({(colour(index), marker(index)) for index in range(56)}) == 56
    assert beside(3, 4) / beside(2, 4) == pytest.approx(1.025)
    assert beside(19, 20) / beside(0, 20) < 1.2


def test_titles_stand_above_powers_of_ten():
    figure, axes = grid(3, 3.3, 2.8)
    for axis, title in zip(axes, ("t", "a title of a panel, wide", "a title")):
        axis.plot([0.0, 1.0], [0.0, 3e-6])
        axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
        put_labels(axis, "x", "y")
        put_title(axis, title)
    assert complaints(figure) == []
    for axis in axes:
        power = axis.yaxis.get_offset_text().get_window_extent()
        assert axis.title.get_window_extent().y0 > power.y1


def test_no_figure_takes_the_name_of_another(stores):
    """A study is called as one of its figures: both are there."""
    for kind in ("one particle", "several equations"):
        results = results_of(stores, kind)
        every = set(figure_makers(analyse(results)))
        for own in every:
            renamed = replace(results, study=replace(results.study, name=own))
            found = figure_makers(analyse(renamed))
            assert len(found) == len(every) and distances_name(renamed.study) in found


def drawn(curves=1):
    """A figure of one narrow panel whose curves leave no corner free."""
    figure, axes = grid(3, 3.3, 2.8)
    for other in axes[1:]:
        other.set_visible(False)
    x = np.linspace(0.0, 1.0, 50)
    for index in range(curves):
        axes[0].plot(x, 1.0 + 0.01 * index + 0.9 * np.cos(20.0 * x), label=f"curve {index}")
    put_labels(axes[0], "x", "y, linear within nothing")
    return figure, axes[0]


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
@pytest.mark.parametrize("curves", [1, 4, 7])
def test_a_legend_without_a_free_place_has_room_made(scale, curves):
    figure, axis = drawn(curves)
    axis.set_yscale(scale)
    put_legend(axis, "a title")
    assert complaints(figure) == []
    assert axis.get_ylim()[1] > 2.2
    assert len(axis.get_legend().get_texts()) == curves


def test_a_legend_with_a_free_place_leaves_the_scale_alone():
    figure, axis = drawn()
    axis.set_ylim(0.0, 8.0)
    put_legend(axis)
    assert complaints(figure) == []
    assert axis.get_ylim() == (0.0, 8.0)


def crowd_with_band(axis):
    axis.fill_between([0.0, 1.0], 2.5, 8.0)


def crowd_with_words(axis):
    for x in np.linspace(0.0, 0.9, 6):
        for y in np.arange(2.2, 8.0, 0.7):
            axis.text(x, y, "w")


@pytest.mark.parametrize("crowd", [crowd_with_band, crowd_with_words])
def test_a_legend_avoids_all_that_is_drawn(crowd):
    figure, axis = drawn()
    axis.set_ylim(0.0, 8.0)
    crowd(axis)
    put_legend(axis)
    assert complaints(figure) == []
    assert axis.get_ylim()[1] > 9.0


def test_a_panel_that_rises_with_another_has_its_legend_placed_anew():
    figure, (first, second, last) = grid(3, 3.3, 2.8)
    last.set_visible(False)
    first.fill_between([0.0, 1.0], 0.16, 1.0, label="below is free")
    x = np.linspace(0.0, 1.0, 200)
    for index in range(6):
        second.plot(x, 0.5 + 0.5 * np.cos(90.0 * x), label=f"curve {index}")
    for axis in (first, second):
        axis.set_ylim(0.0, 1.0)
        put_labels(axis, "x", "y")
        put_legend(axis)
    one_scale((first, second))
    assert complaints(figure) == []
    assert first.get_ylim() == second.get_ylim() and first.get_ylim()[1] > 1.3


def test_long_words_are_broken_at_their_commas():
    figure, axis = drawn()
    put_title(axis, "a system with a name, $W/J = 5, 6$, start on the site number 3, no shift")
    put_labels(axis, "x", "the height " * 6)
    assert complaints(figure) == []
    lines = axis.get_title().split("\n")
    assert len(lines) == 2 and lines[0] == "a system with a name, $W/J = 5, 6$,"
    first, *_ = lines = axis.get_ylabel().split("\n")
    assert " ".join(lines) == "the height " * 5 + "the height" and first.count("height") > 1


def test_ticks_are_the_computed_values_as_far_as_there_is_room():
    sizes = [8, 16, 27, 32, 64, 125, 128, 216]
    figure, axis = drawn()
    axis.lines[0].set_xdata(np.geomspace(8, 216, 50))
    axis.set_xlim(8, 216)
    size_axis(axis, sizes * 2)
    assert complaints(figure) == []
    named = list(axis.get_xticks())
    assert [text.get_text() for text in axis.get_xticklabels()] == [f"{size:g}" for size in named]
    assert sorted([*named, *axis.get_xticks(minor=True)]) == sizes
    assert 4 <= len(named) < len(sizes) and 216 in named


def test_a_logarithmic_axis_of_a_decade_has_numbers():
    figure, axis = drawn()
    axis.set_yscale("log")
    axis.set_ylim(0.11, 0.9)
    figure.draw_without_rendering()
    low, high = axis.get_ylim()
    shown = [place for place in axis.get_yticks() if low <= place <= high]
    assert shown == pytest.approx([0.2, 0.5])
    assert axis.yaxis.get_major_formatter()(0.2, 0) == "0.2"


def test_panels_of_one_quantity_have_one_scale_or_a_note():
    _, axes = grid(3, 3.3, 2.8)
    for axis, top in zip(axes, (1.0, 2.0, 20.0)):
        axis.plot([0.0, 1.0], [0.0, top])
        axis.set_ylim(0.0, top)
    assert one_scale(axes[:2]) == ""
    assert axes[0].get_ylim() == axes[1].get_ylim() == (0.0, 2.0)
    assert one_scale(axes) == NOT_ONE_SCALE
    assert axes[0].get_ylim() == (0.0, 2.0) and axes[2].get_ylim() == (0.0, 20.0)


def test_a_legend_below_has_every_label_once_and_fits():
    figure, axes = grid(2, 4.9, 3.0)
    for axis in axes:
        for index in range(12):
            axis.plot([0.0, 1.0], [0.0, index], label=f"a system with a long name {index}")
        put_labels(axis, "x", "y")
    put_legend_below(figure, axes, "", "a note")
    assert complaints(figure) == []
    assert len(figure.legends[0].get_texts()) == 12
    assert "a note" in all_texts(figure)


def plain(change):
    """A figure of matplotlib as it comes, with one thing wrong."""
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    axis = figure.subplots()
    axis.plot([0.0, 1.0, 2.0], [0.0, 1.0, 0.5], label="a")
    axis.set(xlabel="x", ylabel="y")
    change(figure, axis)
    return figure


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda figure, axis: figure.set_size_inches(11.0, 4.0), "wider than a page"),
        (lambda figure, axis: axis.set_title("t", fontsize=7), "7.0 points"),
        (lambda figure, axis: figure.set_size_inches(2.0, 4.0), "is narrow"),
        (lambda figure, axis: axis.set_title("a long title " * 9), "leaves the figure"),
        (lambda figure, axis: axis.text(1.0, 0.2, "b") and axis.text(1.0, 0.2, "c"), "overlap"),
        (lambda figure, axis: axis.set_xticks([1.0, 1.01]), "overlap"),
        (lambda figure, axis: axis.legend(loc="upper center"), "covers what is drawn"),
        (lambda figure, axis: axis.legend(loc=(0.9, 0.1)), "leaves its panel"),
        (lambda figure, axis: axis.set_ylabel(""), "has no label"),
        (lambda figure, axis: figure.colorbar(axis.scatter([1], [0], c=[1])), "a colour bar"),
        (lambda figure, axis: axis.set_yscale("symlog"), "where it is linear"),
        (lambda figure, axis: axis.lines[0].remove(), "is empty"),
    ],
)
def test_what_is_wrong_is_seen(change, words):
    assert complaints(plain(lambda figure, axis: None)) == []
    found = complaints(plain(change))
    assert found and all(words in each for each in found), found
