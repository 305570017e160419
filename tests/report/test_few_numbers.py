"""Reports of stores that leave little to average: one sample, equal samples, few times.

Every store here is computed by a whole small study and goes through its report to the end,
with every warning an error: no nan, no inf is shown without a word.
"""

import csv
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from manybody.report.analysis.boundedness import Word, judge
from manybody.report.analysis.scaling import Law, SizeEstimate
from manybody.report.analysis.statistics import Moments, Reach, reach_of, summarise
from manybody.report.analysis.verdicts import judge_systems
from manybody.report.read import PointResult, load_results
from manybody.report.writing import report_figures, write_report
from manybody.solve.observables import registry
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

SYK2 = """[[systems]]
model = "dirac_syk2"
n_sites = [4, 6, 8, 10, 12]
"""
CLEAN = """[[systems]]
model = "anderson3d"
length = {lengths}
disorder = {disorder}
boundary = "open"
"""


def clean(disorder, lengths=(1, 2, 3)):
    return CLEAN.format(disorder=disorder, lengths=list(lengths))


def text(systems, samples=5, times="[0.0, 1.5, 4.0, 11.0]", observables=""):
    return f"""name = "few"
seed = 3
samples = {samples}
times = {times}
{observables}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
{systems}"""


def report(folder, words, formats=("html", "csv")):
    """Run a study, write its report: (store, terminal, page or nothing)."""
    store = Store(folder)
    run_study(prepare(parse_study(words, "few.toml"), store), store, quiet=True)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        terminal, _ = write_report(store, formats)
    page = (folder / "report" / "index.html").read_text() if "html" in formats else ""
    seen = re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL) + terminal
    assert re.findall(r"\b(?:nan|NaN|None|inf)\b", seen) == []
    for table in (folder / "report").glob("*.csv"):
        assert "nan" not in table.read_text(), table.name
    return store, terminal, page


SOLO = "one sample"
AGREE = "all samples agree"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (text(SYK2, samples=1), SOLO),
        (text(clean(0.0)), AGREE),
        (text(clean("[0.0, 5.0]") + SYK2), AGREE),
        (text(clean("1e-16")), AGREE),
        (text(clean(5.0, (1, 2)), samples=16, times="[0.0]"), AGREE),
        (text(SYK2.replace("8, 10, 12", "8").replace("[4", "[1, 2, 4"), samples=2), "2 samples"),
        (text(clean(0.0, (1, 2)), samples=17, times="[2.0]"), AGREE),
    ],
    ids=["one sample", "clean", "mixed", "disorder of rounding", "time zero", "two", "one time"],
)
def test_a_report_goes_through_to_its_end(tmp_path, words, said):
    _, terminal, page = report(tmp_path, words)
    assert said in terminal and said in page
    assert re.search(r"VERDICT .*: .*(for a verdict, which takes 4|cannot be decided)", terminal)


def test_other_observables_that_some_samples_do_not_have(tmp_path):
    """Locality ends at the edge of a cube, cancellation where frequencies coincide."""
    wanted = 'observables = ["trace_distance", "level_statistics", "cancellation", "locality"]'
    words = text(clean("[0.0, 5.0]", (2, 3)), 3, observables=wanted)
    store, _, _ = report(tmp_path, words)
    rows = list(csv.DictReader((tmp_path / "report" / "figures.csv").read_text().splitlines()))
    assert any(row["n_finite"] == "0" for row in rows)
    for point in load_results(store).points:
        for row in rows:
            mine = row["size"] == str(point.point.size) and row["system"].endswith(
                "W/J = 0, open" if dict(point.point.parameters)["disorder"] == 0.0 else "5, open"
            )
            if not mine:
                continue
            values = point.arrays[row["figure"]]
            finite = values[np.isfinite(values)]
            assert int(row["n_finite"]) == len(finite)
            assert int(row["n_without"]) == len(values) - len(finite)
            for name, reduce in (("smallest", np.min), ("largest", np.max)):
                assert row[name] == (repr(float(reduce(finite))) if len(finite) else "")


def test_some_samples_without_a_figure_leave_the_extremes_of_the_others(tmp_path, monkeypatch):
    known = registry.MEASURED["level_statistics"]

    def some(problem, start, comm):
        found = known.measure(problem, start, comm)
        if problem.model.hamiltonian[0, 0].real > 0.0:
            found["eth_ratio"] = float("nan")
        return found

    monkeypatch.setitem(registry._KNOWN, "level_statistics", replace(known, measure=some))
    wanted = 'observables = ["level_statistics"]'
    words = text(SYK2, 9, observables=wanted).replace("times = [0.0, 1.5, 4.0, 11.0]\n", "")
    store, _, _ = report(tmp_path, words, ["csv"])
    rows = list(csv.DictReader((tmp_path / "report" / "figures.csv").read_text().splitlines()))
    rows = [row for row in rows if row["figure"] == "eth_ratio"]
    counts = [(int(row["n_finite"]), int(row["n_without"])) for row in rows]
    assert all(sum(pair) == 9 for pair in counts) and any(0 < pair[0] < 9 for pair in counts)
    for row, point in zip(rows, load_results(store).points):
        values = point.arrays["eth_ratio"]
        assert float(row["smallest"]) == np.nanmin(values)
        assert float(row["largest"]) == np.nanmax(values)


def test_equal_samples_have_no_spread_whatever_their_number():
    """The sum of equal numbers over their count is not always that number."""
    rng = np.random.default_rng(5)
    for case in range(100):
        curve = rng.uniform(0.0, 10.0 ** rng.uniform(-9, 1), 7)
        samples = np.tile(curve, (int(rng.integers(2, 25)), 1))
        assert not Moments.of(samples).deviations.any(), case
        s = summarise(samples, np.arange(7.0), case)
        assert s.maximum_low == s.maximum == s.maximum_high == curve.max(), case
        assert s.mean_maximum_low == s.mean_maximum_high == curve.max(), case
        noise = 1e-15 * rng.normal(size=samples.shape)
        with pytest.raises(ValueError, match="all samples agree"):
            SizeEstimate.of(8, np.tile(samples, (2, 1)) + np.tile(noise, (2, 1)), case)


@pytest.mark.parametrize("n_sizes", [3, 4, 5])
def test_laws_have_fewer_parameters_than_points(n_sizes):
    rng = np.random.default_rng(n_sizes)
    for case in range(70):
        sizes = np.sort(rng.choice(np.arange(4, 400), n_sizes, replace=False))
        values = rng.uniform(0.01, 0.2) * sizes ** rng.uniform(-0.5, 0.5)
        errors = values * 10.0 ** rng.uniform(-3, -1, n_sizes)
        rows = [
            SizeEstimate(int(n), float(v + e * rng.normal()), float(e))
            for n, v, e in zip(sizes, values, errors)
        ]
        verdict = judge(rows, 20)
        assert {fit.law for fit in verdict.fits} == {
            law for law in Law if law.n_parameters < n_sizes
        }, case
        assert all(fit.freedom >= 1 and 0.0 <= fit.p_value <= 1.0 for fit in verdict.fits), case
        assert sum(fit.weight for fit in verdict.fits) == pytest.approx(1.0)
        if n_sizes == 3:
            assert verdict.word is Word.UNDECIDED and verdict.evidence is None
            assert "too few sizes" in verdict.sentence
            assert Law.SATURATING not in {fit.law for fit in verdict.fits}


def test_three_sizes_are_too_few_in_page_table_and_figure(tmp_path):
    words = text(
        SYK2.replace("4, 6, 8, 10, 12", "8, 12, 16"),
        12,
        "{ start = 0.0, stop = 60.0, count = 61 }",
    )
    store, terminal, page = report(tmp_path, words)
    (verdict,) = judge_systems(load_results(store))
    assert verdict.verdict is not None and [law for law, _ in verdict.not_fitted] == [
        Law.SATURATING,
        Law.EXPONENTIAL,
    ]
    assert "too few sizes" in terminal and "too few sizes: 3 parameters, 3 sizes" in page
    rows = list(csv.DictReader((tmp_path / "report" / "laws.csv").read_text().splitlines()))
    for row in rows:
        fitted = row["law"] not in (Law.SATURATING.value, Law.EXPONENTIAL.value)
        assert (row["weight"] != "") is (row["p_value"] != "") is fitted
        assert row["parameters"].startswith("not fitted, too few sizes") is not fitted
    (axis,) = report_figures(tmp_path)["laws"].axes
    drawn = " ".join(axis.get_legend_handles_labels()[1])
    assert "N^{-c}" not in drawn and "e^{-N/c}" not in drawn


# ---- maxima at the end of the times


def test_syk2_with_times_that_end_too_early(tmp_path):
    """To t = 3 the maxima are lower bounds; to t = 60 they are reached."""
    sizes = SYK2.replace("[4, 6, 8, 10, 12]", "[8, 12, 16, 24, 32]")
    short = text(sizes, 12, "{ start = 0.0, stop = 3.0, count = 13 }")
    store, terminal, page = report(tmp_path / "short", short)
    results = load_results(store)
    assert all(point.summary.reach is Reach.END for point in results.points)
    (verdict,) = judge_systems(results)
    assert verdict.verdict.word is Word.TIMES and verdict.verdict.bounded is None
    for where in (terminal, page):
        assert "cannot be decided with these times: at N = 8, 12, 16, 24, 32" in where
        assert where.count("lower bound") >= 5 and "saturates at" not in where
    for name in ("maxima", "estimates", "precision"):
        with open(tmp_path / "short" / "report" / f"{name}.csv") as file:
            assert [row["reach"] for row in csv.DictReader(file)] == ["lower bound"] * 5
    laws = (tmp_path / "short" / "report" / "laws.csv").read_text()
    assert laws.count("not fitted, maxima are lower bounds") == 5
    (axis,) = report_figures(tmp_path / "short")["laws"].axes
    assert "lower bound, times too short" in axis.get_legend_handles_labels()[1]
    long = text(sizes, 12, "{ start = 0.0, stop = 60.0, count = 61 }")
    store, terminal, _ = report(tmp_path / "long", long, ["csv"])
    results = load_results(store)
    assert all(point.summary.reach is Reach.INSIDE for point in results.points)
    assert judge_systems(results)[0].verdict.word is not Word.TIMES


def curves(rng, shape, n_samples, noise, times):
    """Samples of a mean curve, with a factor that all times share and noise of their own."""
    factor = 1.0 + 0.3 * rng.normal(size=(n_samples, 1))
    return shape(times) * factor * (1.0 + noise * rng.normal(size=(n_samples, len(times))))


def test_whether_the_times_reach_the_maximum_is_told_from_curves():
    """300 curves whose truth is known, 8 to 100 samples, noise of 0 to 10 %."""
    times = np.linspace(0.0, 60.0, 61)
    rising = {
        "linear": lambda t: t / 60.0,
        "logarithm": lambda t: np.log1p(t),
        "slow": lambda t: 1.0 - np.exp(-t / 40.0),
        "oscillating": lambda t: (1.0 - np.exp(-t / 50.0)) * (1.0 + 0.02 * np.sin(2.0 * t)),
    }
    falling = {
        "hump": lambda t: t * np.exp(-t / 10.0),
        "slow hump": lambda t: t * np.exp(-t / 20.0),
    }
    flat = {"plateau": lambda t: 1.0 - np.exp(-t / 2.0)}
    wrong = []
    for case in range(300):
        rng = np.random.default_rng([11, case])
        kinds = (rising, falling, flat)[case % 3]
        name = list(kinds)[case % len(kinds)]
        n_samples, noise = int(rng.integers(8, 100)), float(rng.choice([0.0, 0.02, 0.1]))
        found = reach_of(curves(rng, kinds[name], n_samples, noise, times), times)
        expected = {Reach.END} if kinds is rising else {Reach.INSIDE}
        if kinds is flat:
            # Noise may hide that it is flat: then it stays a lower bound, never inside.
            expected = {Reach.PLATEAU, Reach.END}
        if found not in expected:
            wrong.append((case, name, n_samples, noise, found))
    # Independent noise at every time may lift one time of a plateau above its end, which is
    # no wrong maximum; and hide the fall of a hump.  It makes no rise a maximum.
    assert [one for one in wrong if one[1] in rising] == []
    assert len(wrong) <= 15


def test_a_lower_bound_withholds_every_word():
    rng = np.random.default_rng(8)
    sizes = np.array([8, 16, 32, 64, 128])
    for case in range(200):
        law = [lambda n: 1.0 - 4.0 / n, lambda n: n**0.3, np.ones_like, lambda n: n**-0.4][
            case % 4
        ]
        values = law(sizes.astype(float))
        bounds = rng.random(5) < 0.3
        rows = [
            SizeEstimate(int(n), float(v), 0.004, reach=Reach.END if b else Reach.INSIDE)
            for n, v, b in zip(sizes, values, bounds)
        ]
        word = judge(rows, 2).word
        assert (word is Word.TIMES) == bounds.any(), case
        if bounds.any():
            sentence = judge(rows, 2).sentence
            assert f"at N = {', '.join(str(n) for n in sizes[bounds])} " in sentence


def point_with(**arrays):
    """A point of a report that holds these (samples,) figures."""
    columns = {name: np.array(values) for name, values in arrays.items()}
    count = len(next(iter(columns.values())))
    study = parse_study(text(SYK2), "few.toml")
    return PointResult(
        study.systems[0].points[0], np.arange(count), None, None, {}, columns, 0, ()
    )


def test_growing_modes_are_counted_beyond_the_residual_of_the_gap():
    point = point_with(gap=[-0.1, -1e-16, 1e-16, 0.2], gap_residual=[1e-9, 1e-16, 1e-16, 1e-9])
    assert point.gap_words.startswith("in 1 of 4 samples a mode of Redfield grows")
    assert "in 2 of 4 samples the gap is zero within its residual" in point.gap_words
    assert point_with(gap=[0.1, 0.2], gap_residual=[1e-9, np.nan]).gap_words == ""


def test_steady_states_that_are_none_are_counted():
    point = point_with(
        steady_distance=[0.1, 2.5, 0.2],
        steady_smallest_eigenvalue=[0.0, -0.8, -0.2],
        steady_error=[1e-9, 1e-9, np.nan],
    )
    assert point.steady_words.startswith("in 2 of 3 samples the steady state of Redfield is no")
    assert "down to -0.8" in point.steady_words and "up to 2.5" in point.steady_words
    near = point_with(
        steady_distance=[0.1], steady_smallest_eigenvalue=[-0.05], steady_error=[1e-9]
    )
    assert near.steady_words == ""
