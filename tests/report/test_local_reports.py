"""Reports of many particles: what is seen of sites and pairs beside the distance of states.

Numbers are those of plain NumPy on the datasets of the blocks.
"""

import csv
import re
import warnings
from dataclasses import replace
from math import comb
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import xarray
from toy_equations import registered

from manybody.report.analysis.conclusions import analyse
from manybody.report.analysis.local import FIGURES, JUDGED, local_summaries
from manybody.report.analysis.numbers import with_error
from manybody.report.analysis.statistics import Reach, summarise
from manybody.report.analysis.verdicts import judge_local, judge_systems
from manybody.report.figures.local import draw_states
from manybody.report.figures.makers import figure_makers
from manybody.report.page.findings import findings
from manybody.report.page.summary import text_summary
from manybody.report.read import PointResult, load_results
from manybody.report.tables.local import build_averages
from manybody.report.writing import _lines_of, report_figures, write_report
from manybody.solve.local import OF_EQUATION, OF_PAIR
from manybody.solve.meanings import MEANINGS, UNITS
from manybody.study.configuration import System
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

HEAD = """name = "few"
seed = 3
samples = {samples}
times = {times}
{more}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
"""
XXZ = """[[systems]]
model = "xxz_chain"
n_sites = {sizes}
disorder = 1.0
"""
SYK2 = """[[systems]]
model = "dirac_syk2"
n_sites = [4, 6, 8]
"""
TIMES = "[0.0, 0.5, 1.5, 4.0, 11.0, 30.0]"
LOCAL_FIGURES = {"local", "local-scaled", "local-states", "local-maxima"}
LOCAL_TABLES = {"local", "local-curves", "verdicts", "local-estimates", "local-laws"}


def text(systems, samples=6, times=TIMES, more=""):
    return HEAD.format(samples=samples, times=times, more=more) + systems


def report(folder, words, formats):
    """Run a study and write its report, every warning an error: (store, terminal)."""
    store = Store(folder)
    run_study(prepare(parse_study(words, "few.toml"), store), store, quiet=True)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        terminal, _ = write_report(store, formats)
    return store, terminal


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A store of many and of one particle, its report and what a terminal shows."""
    folder = tmp_path_factory.mktemp("local") / "out"
    systems = XXZ.format(sizes=[2, 4, 6]) + SYK2
    return report(folder, text(systems), ["html", "markdown", "csv"])


def table(store, name):
    with open(store.directory / "report" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def raw(store, point, name):
    """A dataset of all samples of a point, from the files alone."""
    paths = sorted(store.folder(point).glob("*.h5"))
    parts = []
    for path in paths:
        with h5py.File(path) as file:
            parts.append(file[name][()])
    return np.concatenate(parts)


def chains(store):
    return store.study.systems[0].points


def test_maxima_are_those_of_the_blocks(mixed):
    store, _ = mixed
    rows = table(store, "local")
    assert len(rows) == len(chains(store)) * len(OF_PAIR)
    times = np.array(store.study.times)
    for point in chains(store):
        own = {row["figure"]: row for row in rows if row["size"] == str(point.size)}
        assert set(own) == set(OF_PAIR)
        for name, row in own.items():
            values = raw(store, point, name)[:, 0]
            values = np.abs(values) if name == "energy_difference" else values
            at = int(values.mean(axis=0).argmax())
            error = values[:, at].std(ddof=1) / np.sqrt(len(values))
            assert float(row["maximum_of_mean"]) == pytest.approx(values[:, at].mean(), rel=1e-13)
            assert float(row["standard_error_there"]) == pytest.approx(error, rel=1e-12)
            assert float(row["time_of_maximum"]) == times[at]
            # The same bootstrap as that of maxima.csv.
            same = summarise(values, times, store.study.seed)
            assert float(row["interval_low"]) == same.maximum_low
            assert float(row["interval_high"]) == same.maximum_high
            assert row["reach"] == same.reach.value
            assert row["unit"] == UNITS.get(name, "1")
            assert int(row["n_samples"]) == len(values) == 6


def test_systems_have_all_their_parameters_defaults_as_well(mixed):
    """Titles leave some out."""
    first = table(mixed[0], "systems")[0]
    assert "anisotropy" not in first["system"]
    for words in ("disorder = 1", "anisotropy = 1", "boundary = open", "n_particles = half"):
        assert words in first["parameters"].split(", ")


def test_curves_are_those_of_the_blocks(mixed):
    store, _ = mixed
    rows = table(store, "local-curves")
    n_times = len(store.study.times)
    assert len(rows) == len(chains(store)) * (len(OF_PAIR) + 2 * len(OF_EQUATION)) * n_times
    for point in chains(store):
        for name, of, place in (
            ("two_site_largest", "redfield:davies", 0),
            ("energy_difference", "redfield:davies", 0),
            ("energy", "davies", 1),
            ("purity", "redfield", 0),
            ("entropy", "davies", 1),
        ):
            own = [
                row
                for row in rows
                if (row["size"], row["figure"], row["of"]) == (str(point.size), name, of)
            ]
            values = raw(store, point, name)[:, place]
            values = np.abs(values) if name == "energy_difference" else values
            for column, wanted in (
                ("time", store.study.times),
                ("time_times_sites", point.n_sites * np.array(store.study.times)),
                ("mean", values.mean(axis=0)),
                ("standard_deviation", values.std(axis=0, ddof=1)),
                ("standard_error", values.std(axis=0, ddof=1) / np.sqrt(6)),
            ):
                found = [float(row[column]) for row in own]
                np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


def test_sizes_are_named_by_sites_and_states(mixed):
    store, terminal = mixed
    for name in ("samples", "curves", "maxima", "spread", "local", "local-curves"):
        for row in table(store, name):
            n, many = int(row["n_sites"]), row["model"] == "xxz_chain"
            assert int(row["dimension"]) == (comb(n, n // 2) if many else n), name
    for name in ("precision", "estimates", "local-estimates", "certificates"):
        assert all(row["dimension"] for row in table(store, name)), name
    assert re.search(r"^ +6 +6 +20 +6 ", terminal, re.MULTILINE)
    page = (store.directory / "report" / "report.md").read_text()
    assert "At the largest size, N = 6, D = 20, the mean" in page
    assert "At the largest size, N = 8, the mean" in page
    assert "start: site 0; of many: particles evenly spread" in page


def test_a_terminal_names_the_figure_of_a_verdict(mixed):
    store, terminal = mixed
    lines = [line for line in terminal.splitlines() if line.startswith("VERDICT")]
    heads = [re.sub(r":.*", "", line) for line in lines]
    chain = "XXZ chain, disorder = 1, open, boson"
    words = ["global", "one site", "two sites", "density", "energy a site"]
    assert heads == [*(f"VERDICT ({word}) {chain}" for word in words), "VERDICT Dirac-SYK2"]
    assert "one_site_largest" in terminal
    # The sentence on the trace distance is that of the rule alone.
    results = load_results(store)
    for line, each in zip((lines[0], lines[-1]), judge_systems(results)):
        assert line.endswith(f": {each.sentence}")
    for line, each in zip(lines[1:], judge_local(results)):
        assert line.endswith(f": {each.sentence}")
    assert [row["sentence"] for row in table(store, "verdicts")] == [
        line.partition(": ")[2] for line in lines[:-1]
    ]


def test_the_page_has_them_with_their_meanings(mixed):
    store, _ = mixed
    folder = store.directory / "report"
    page, note = (folder / "index.html").read_text(), (folder / "report.md").read_text()
    assert re.search(r"<h2>\d+&ensp;Single sites and pairs of sites</h2>", page)
    for name in OF_PAIR:
        assert f"{name}: {MEANINGS[name]}." in note
    for name in LOCAL_FIGURES:
        assert f"--figure {name}</code>" in page and (folder / f"{name}.svg").exists()
    for name in LOCAL_TABLES:
        assert (folder / f"{name}.csv").exists()
    assert "N of all laws is the number of sites" in note
    seen = re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert re.findall(r"\b(?:nan|NaN|None|inf)\b", seen) == []


def test_numbers_of_the_page_are_those_of_its_table(mixed):
    store, _ = mixed
    lines = (store.directory / "report" / "report.md").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if "(`local.csv`)" in line)
    head, cells = lines[start + 2], [line.split("|") for line in lines[start + 4 :]]
    place = [word.strip() for word in head.split("|")].index("max of mean")
    rows = table(store, "local")
    for shown, row in zip(cells, rows):
        value, error = float(row["maximum_of_mean"]), float(row["standard_error_there"])
        assert shown[place].strip() == with_error(value, error)


def test_curves_are_drawn(mixed):
    store, _ = mixed
    figures = report_figures(store.directory)
    assert set(figures) >= LOCAL_FIGURES
    times = np.array(store.study.times)
    names = ("trace_distance", "one_site_largest", "two_site_largest")
    for figure, scale in (("local", False), ("local-scaled", True)):
        axes = figures[figure].axes
        assert len(axes) == 3
        for axis, name in zip(axes, names):
            assert len(axis.lines) == len(axis.collections) == 3
            for line, point in zip(axis.lines, chains(store)):
                x, y = line.get_data()
                np.testing.assert_allclose(x, times * (point.n_sites if scale else 1.0))
                mean = raw(store, point, name)[:, 0].mean(axis=0)
                np.testing.assert_allclose(y, mean, rtol=1e-12, atol=1e-15)
            assert axis.get_xlim() == (0.0, times[-1] * (2.0 if scale else 1.0))
    *states, words = figures["local-states"].axes
    assert len(states) == 5 and not words.axison and len(words.get_legend().get_texts()) == 3
    for axis, name in zip(states[2:], OF_EQUATION):
        # A line and a dashed one a size.
        assert [line.get_linestyle() for line in axis.lines] == ["-", "--"] * 3
        for line, values in zip(axis.lines, raw(store, chains(store)[0], name).mean(axis=0)):
            np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-12, atol=1e-15)


def test_states_too_large_for_their_entropy_have_no_panel(mixed):
    store, _ = mixed
    results = load_results(store)
    for point in results.points:
        if point.local:
            point.arrays["entropy"][:] = np.nan
    *_, purity, entropy, _ = draw_states(results).axes
    assert purity.axison and not entropy.axison
    words = "XXZ chain, disorder = 1, entropy:\nnot measured or not defined"
    assert entropy.texts[0].get_text() == words
    (curves,) = [each for each in build_averages(results) if each.name == "local-curves"]
    named = {
        row[[column.name for column in curves.columns].index("figure")] for row in curves.rows
    }
    assert "entropy" not in named and "purity" in named


def test_one_particle_is_reported_as_before(tmp_path):
    store, terminal = report(tmp_path / "out", text(SYK2), ["csv"])
    assert not load_results(store).has_local
    names = {"few", "maxima", "laws", "spread", "positivity"}
    assert set(figure_makers(analyse(load_results(store)))) == names
    found = {path.stem for path in (store.directory / "report").glob("*.csv")}
    assert not found & LOCAL_TABLES
    for name in found:
        rows = table(store, name)
        assert not {"dimension", "figure"} & set(rows[0]) or name == "certificates", name
        assert "dimension" not in rows[0]
    head = (store.directory / "report" / "maxima.csv").read_text().splitlines()[0]
    assert head.startswith("model,parameters,system,size,n_sites,n_samples,maximum_of_mean,")
    assert re.search(r"^VERDICT Dirac-SYK2: ", terminal, re.MULTILINE)
    assert "D" not in terminal.splitlines()[1]
    assert "VERDICT (" not in terminal


@pytest.fixture
def toys():
    with registered():
        yield


def test_every_two_equations(toys, tmp_path):
    more = 'equations = ["redfield", "davies", "halved"]'
    store, _ = report(tmp_path / "out", text(XXZ.format(sizes=[4]), 3, more=more), ["csv"])
    rows = table(store, "local-pairs")
    assert len(rows) == 3 * len(OF_PAIR)
    (point,) = chains(store)
    pairs = ["Redfield and Davies", "Redfield and half", "Davies and half"]
    for row in rows:
        values = raw(store, point, row["figure"])[:, pairs.index(row["pair"])]
        mean = np.abs(values).mean(axis=0)
        assert float(row["maximum_of_mean"]) == pytest.approx(mean.max(), rel=1e-13)
        assert float(row["time_of_maximum"]) == store.study.times[int(mean.argmax())]


def test_one_sample_has_no_error(tmp_path):
    words = text(XXZ.format(sizes=[2, 4, 6]), 1)
    store, terminal = report(tmp_path / "out", words, ["html", "csv"])
    assert all(row["standard_error_there"] == "" for row in table(store, "local"))
    assert terminal.count("3 sizes are") == 0 and "one sample" in terminal
    assert {row["outcome"] for row in table(store, "verdicts")} == {"too few sizes"}
    assert "nan" not in terminal


def test_tables_as_parquet(mixed):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow not installed")
    store, _ = mixed
    write_report(store, ["parquet"])
    rows = parquet.read_table(store.directory / "report" / "local.parquet").to_pylist()
    assert [row["figure"] for row in rows] == [row["figure"] for row in table(store, "local")]
    assert all(isinstance(row["dimension"], int) for row in rows)


def test_blocks_of_many_particles_describe_themselves(mixed):
    store, _ = mixed
    path = store.block_paths(chains(store)[-1])[0]
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        for name in OF_PAIR:
            assert data[name].dims == ("sample", "pair", "time")
        for name in OF_EQUATION:
            assert data[name].dims == ("sample", "equation", "time")
        assert data["density"].dims == ("sample", "equation", "time", "site")
        for name in (*OF_PAIR, *OF_EQUATION, "density"):
            assert data[name].attrs["long_name"] == MEANINGS[name]
            assert data[name].attrs["units"] == UNITS.get(name, "1")


# Synthetic curves: a maximum inside the times, whose height follows a law of size.
SIZES = (4, 6, 8, 10, 12, 14)
GRID = np.linspace(0.0, 20.0, 21)
SHAPE = np.exp(-0.5 * ((GRID - 8.0) / 4.0) ** 2)


def curves(height, rng, n_samples=100, noise=0.1):
    return height * SHAPE * (1.0 + noise * rng.normal(size=(n_samples, 1)))


def synthetic(laws, sizes=SIZES, n_samples=100, seed=5):
    """Results of one system whose datasets follow laws of the number of sites."""
    rng = np.random.default_rng(seed)
    system = System("complex_syk4", (("coupling", 1.0), ("n_particles", "half")), sizes, n_samples)
    points = []
    for point in system.points:
        arrays = {"trace_distance": curves(laws["trace_distance"](point.size), rng, n_samples)}
        for figure in FIGURES:
            law = laws.get(figure.name, lambda n: 0.01)
            values = curves(law(point.size), rng, n_samples)
            if figure.is_signed:
                values *= rng.choice([-1.0, 1.0], size=(n_samples, 1))
            arrays[figure.name] = values[:, None]
        points.append(
            PointResult(
                point,
                np.arange(n_samples),
                summarise(arrays["trace_distance"], GRID, 1),
                None,
                {},
                arrays,
                0,
                (),
                GRID,
                local=local_summaries(arrays, GRID, 1),
            )
        )
    study = SimpleNamespace(seed=1)
    return SimpleNamespace(systems=((system, tuple(points)),), study=study)


def outcomes(results):
    found = [*judge_systems(results), *judge_local(results)]
    return {each.quantity: each.outcome for each in found}


def test_what_grows_globally_may_stay_bounded_locally():
    laws = {
        "trace_distance": lambda n: 0.02 * n,
        "one_site_largest": lambda n: 0.03,
        "two_site_largest": lambda n: 0.05 * (1.0 - np.exp(-n / 2.0)),
        "density_largest": lambda n: 0.003 * n**0.8,
        "energy_difference": lambda n: 0.02 / n,
    }
    assert outcomes(synthetic(laws)) == {
        "global": "grows",
        "one site": "bounded",
        "two sites": "bounded",
        "density": "grows",
        "energy a site": "bounded",
    }
    laws["trace_distance"], laws["one_site_largest"] = lambda n: 0.3, lambda n: 0.003 * n
    found = outcomes(synthetic(laws))
    assert (found["global"], found["one site"]) == ("bounded", "grows")


def test_energies_are_judged_without_their_sign():
    """Differences of both signs cancel in a mean, and a growth of them would not be seen."""
    laws = {"trace_distance": lambda n: 0.3, "energy_difference": lambda n: 0.001 * n}
    results = synthetic(laws)
    assert outcomes(results)["energy a site"] == "grows"
    (_, points), *_ = results.systems
    (judged,) = [each for each in judge_local(results) if each.quantity == "energy a site"]
    for point, estimate in zip(points, judged.estimates):
        assert estimate.maximum == pytest.approx(0.001 * point.point.size, rel=0.05)


def test_local_maxima_beyond_the_times_are_lower_bounds():
    laws = {"trace_distance": lambda n: 0.3}
    results = synthetic(laws)
    (system, points), *_ = results.systems
    rising = points[-1].arrays["one_site_largest"]
    rising[:] = rising.max(axis=-1, keepdims=True) * GRID / GRID[-1]
    local = local_summaries(points[-1].arrays, GRID, 1)
    points[-1].local.update(local)
    assert local["one_site_largest"].reach is Reach.END
    found = {each.quantity: each for each in judge_local(results)}
    assert found["one site"].outcome == "undecided"
    assert "at N = 14" in found["one site"].sentence
    assert found["two sites"].outcome == "bounded"


def test_sizes_without_a_figure_have_no_part():
    results = synthetic({"trace_distance": lambda n: 0.3})
    (_, points), *_ = results.systems
    points[0].arrays["two_site_largest"][:] = np.nan
    assert "two_site_largest" not in local_summaries(points[0].arrays, GRID, 1)
    points[0].local.pop("two_site_largest")
    found = {each.quantity: each for each in judge_local(results)}
    assert found["two sites"].left_out == ((4, "not measured or not defined there"),)
    assert found["one site"].left_out == ()
    assert len(found["two sites"].estimates) == len(SIZES) - 1


def test_verdicts_of_few_samples_say_so(tmp_path):
    sizes = [2, 4, 6]
    words = text(XXZ.format(sizes=sizes), 3)
    store, terminal = report(tmp_path / "out", words, ["csv"])
    lines = [line for line in terminal.splitlines() if line.startswith("VERDICT")]
    assert len(lines) == len(JUDGED) + 1
    assert all(
        "no size is left for a verdict, which takes 4 (left out N = 2, 4, 6: 3 samples)" in line
        for line in lines
    )
    assert "local-laws" not in figure_makers(analyse(load_results(store)))


def test_a_size_is_left_out_of_all_verdicts_in_one_line():
    results = synthetic({"trace_distance": lambda n: 0.3})
    (system, points), *_ = results.systems
    few = replace(points[0], samples=points[0].samples[:3])
    results.systems = ((system, (few, *points[1:])),)
    lines = _lines_of([*judge_systems(results), *judge_local(results)])
    assert [line for line in lines if not line.startswith("VERDICT (")] == [
        "  size 4 has no part in it: 3 samples"
    ]
    assert len(lines) == len(JUDGED) + 2


def test_findings_say_once_why_there_is_no_verdict(mixed):
    store, _ = mixed
    results = load_results(store)
    (system, points), *_ = results.systems
    results = replace(results, systems=((system, points[:1]),))
    whole, local = findings(analyse(results))
    assert "for a verdict, which takes 4" in whole
    assert local.endswith(": local figures have too few sizes for verdicts as well.")


def test_findings_put_all_verdicts_side_by_side(mixed):
    store, _ = mixed
    results = load_results(store)
    lines = [line for line in findings(analyse(results)) if ", with size: " in line]
    (line,) = lines
    for word in ("global", "one site", "two sites", "density", "energy a site"):
        assert re.search(rf"{word}[^;]* (grows|bounded|undecided|too few sizes)[.;]", line)
    for outcome in ("grows", "bounded", "undecided"):
        assert line.count(f" {outcome}") <= 1
    assert text_summary(results).count("max of mean") == 2 + 1
