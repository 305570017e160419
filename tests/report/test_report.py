"""Reports: one HTML file, tables behind every number, variants of a study, verdicts."""

import csv
import html.parser
import re
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import TABLES, TINY, payload

import manybody as mb
from manybody import cli
from manybody.report.analysis.numerical import numerical_errors
from manybody.report.analysis.verdicts import judge_systems
from manybody.report.page.document import Column, Document, Section, Table, Text
from manybody.report.page.html import to_html
from manybody.report.page.markdown import to_markdown
from manybody.report.page.sections import sample_options
from manybody.report.read import PointResult, load_results
from manybody.report.writing import report_figures, saved, write_figure, write_report
from manybody.study.configuration import System, from_json
from manybody.study.convergence import refined
from manybody.study.differences import compare_stores
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

CONVERGENCE = """
[convergence]
samples = 2
max_sites = 6
tolerance = [1e-12]
stepper = ["dop853"]
time_refinement = 3
[bath]"""
FULL = TINY.replace("[bath]", CONVERGENCE).replace("[4, 6]", "[4, 6, 8]")
FULL += '[outputs]\nformats = ["html", "csv"]\n'


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A complete store with variants, by the command line."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "full.toml").write_text(FULL)
    assert (
        cli.main(["run", str(folder / "full.toml"), "--out", str(folder / "out"), "--quiet"]) == 0
    )
    return folder / "out"


class Reader(html.parser.HTMLParser):
    """Cells of tables, references, and whether what is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.references, self.rows = [], [], []

    def handle_starttag(self, tag, attributes):
        self.references += [value for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def test_the_html_is_whole_and_alone(out):
    reader = Reader()
    text = (out / "report" / "index.html").read_text()
    reader.feed(text)
    assert reader.open == [] and reader.rows
    # Nothing is fetched: links lead to places on the page, and to the papers.
    assert "#section-what-was-found" in reader.references
    assert all(each.startswith(("#", "https://arxiv.org/abs/")) for each in reader.references)
    assert 'src="' not in text and "<script" not in text and "@import" not in text
    assert all(each.startswith("#") for each in re.findall(r'xlink:href="([^"]*)"', text))
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    assert 'name="viewport"' in text


def numbers_of(cell):
    """Every number of a cell with the unit of its last digit, of value(error) both."""
    found = re.fullmatch(r"(-?[\d.]+)(?:\((\d+)\))?(e[+-]?\d+)?", cell)
    if found is None:
        return []
    value, error, power = found.groups()
    unit = 10.0 ** (int((power or "e0")[1:]) - len(value.partition(".")[2]))
    values = [(float(value + (power or "")), unit)]
    return [*values, (int(error) * unit, unit)] if error else values


def test_every_number_is_in_a_table(out):
    """What the report shows of a table are digits of its CSV."""
    reader = Reader()
    text = (out / "report" / "index.html").read_text()
    reader.feed(text)
    known = set()
    for name in re.findall(r"\(([\w-]+\.csv)\)</p>", text):
        with open(out / "report" / name) as file:
            for row in csv.reader(file):
                known |= set(row)
    numbers = []
    for cell in known:
        try:
            numbers.append(float(cell))
        except ValueError:
            continue
    numbers = np.array(numbers)
    shown = [each for row in reader.rows for cell in row for each in numbers_of(cell)]
    assert len(shown) > 50
    for value, unit in shown:
        near = np.abs(numbers - value) <= 0.51 * unit
        assert near.any(), value


def test_the_samples_table_holds_the_store(out):
    rows = list(csv.DictReader((out / "report" / "samples.csv").read_text().splitlines()))
    data = payload(Store(out))
    assert len(rows) == len(data) == 25
    point = "dirac_syk2-coupling=1.0-n_sites=6"
    row = next(
        r for r in rows if r["model"] == "dirac_syk2" and r["size"] == "6" and r["sample"] == "3"
    )
    own = data[(point, 3)]
    assert float(row["maximum"]) == own["trace_distance"].max()
    assert float(row["stepper_error"]) == own["stepper_error"]
    assert row["seed"] == " ".join(f"{word:016x}" for word in own["seed"])


def test_variants_are_the_same_samples_computed_otherwise(out):
    store = Store(out)
    study = store.study
    names = ["tolerance=1e-12", "stepper=dop853", "time_refinement=3"]
    assert list(study.variants()) == names
    assert from_json(study.to_json()) == study
    results = load_results(store)
    assert list(results.variants) == names
    errors = numerical_errors(results)
    # Sizes 4 and 6: the cubes have 8 sites.
    assert len(errors) == 3 * 2
    for each in errors:
        assert each.difference.samples == 2
        assert each.difference.largest < 1e-8
        assert each.dominates == "statistical"
    finer = store.variant("time_refinement=3").study.times
    assert set(study.times) < set(finer) and len(finer) == 3 * 3 + 1
    # A variant says nothing of what the main store holds.
    assert study.identity() == parse_study(TINY, "tiny").identity() | {"seed": study.seed}


def test_refined_times():
    assert refined((0.0, 1.0, 3.0), 2) == (0.0, 0.5, 1.0, 2.0, 3.0)
    assert refined((2.0,), 4) == (0.5, 1.0, 1.5, 2.0)


def test_stores_are_compared_sample_by_sample(out, tmp_path, capsys):
    shifted = TINY.replace("seed = 3", "seed = 3\nlamb_shift = true").replace("5\n", "3\n", 1)
    (tmp_path / "shifted.toml").write_text(shifted + TABLES)
    other = tmp_path / "other"
    assert cli.main(["run", str(tmp_path / "shifted.toml"), "--out", str(other), "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["compare-stores", str(out), str(other)]) == 0
    printed = capsys.readouterr().out
    assert "the studies differ in: lamb_shift" in printed
    difference = compare_stores(Store(out), Store(other))[0]
    left, right = payload(Store(out)), payload(Store(other))
    name = difference.point.name
    samples = sorted(s for p, s in right if p == name)
    changes = [
        np.abs(left[(name, s)]["trace_distance"] - right[(name, s)]["trace_distance"]).max()
        for s in samples
    ]
    assert difference.samples == len(samples) and difference.identical == 0
    assert difference.largest == max(changes)
    assert difference.worst_sample == samples[int(np.argmax(changes))]
    assert cli.main(["compare-stores", str(out), str(out)]) == 0
    printed = capsys.readouterr().out
    assert "the studies are the same" in printed and "alone" not in printed
    (tmp_path / "seed.toml").write_text(TINY.replace("seed = 3", "seed = 4") + TABLES)
    third = tmp_path / "third"
    assert cli.main(["run", str(tmp_path / "seed.toml"), "--out", str(third), "--quiet"]) == 0
    assert cli.main(["compare-stores", str(out), str(third)]) == 2
    assert "seed is 3" in capsys.readouterr().err


def test_sizes_and_samples_that_differ_between_stores_are_named(tmp_path, capsys):
    """Numbers are the same: one store has more sizes and samples, or was not finished."""
    few = TINY.replace("[4, 6]", "[4]").replace("samples = 5", "samples = 2")
    folders = []
    for name, text in (("many", TINY), ("few", few)):
        (tmp_path / f"{name}.toml").write_text(text + TABLES)
        folders.append(str(tmp_path / name))
        command = ["run", str(tmp_path / f"{name}.toml"), "--out", folders[-1], "--quiet"]
        assert cli.main(command) == 0
    capsys.readouterr()
    assert cli.main(["compare-stores", *folders]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "the studies differ in: which samples they ask for"
    title, head, *rows = printed[printed.index("samples that one store alone holds:") :]
    assert head.split() == ["first", "second"]
    assert {row.split()[0]: row.split()[1:] for row in rows} == {
        "dirac_syk2-coupling=1.0-n_sites=4": ["3", "0"],
        "dirac_syk2-coupling=1.0-n_sites=6": ["5", "0"],
        "anderson3d-boundary=periodic-disorder=0.0-hopping=1.0-length=2": ["3", "0"],
        "anderson3d-boundary=periodic-disorder=5.0-hopping=1.0-length=2": ["3", "0"],
    }
    for block in (tmp_path / "few" / "blocks" / "dirac_syk2-coupling=1.0-n_sites=4").iterdir():
        block.unlink()
    assert cli.main(["compare-stores", folders[1], folders[0]]) == 0
    *_, last = capsys.readouterr().out.split("samples that one store alone holds:")
    assert "dirac_syk2-coupling=1.0-n_sites=4 0 5 " in " ".join(last.split())


def test_verdicts_reach_the_report(out):
    verdicts = judge_systems(load_results(Store(out)))
    assert [each.verdict is not None for each in verdicts] == [True, False, False]
    # The clean cube has no disorder: all samples agree.
    assert [size for size, _ in verdicts[1].left_out] == [2]
    text = (out / "report" / "index.html").read_text()
    assert "Does it stay bounded?" in text
    summary, _ = write_report(Store(out), ["csv"])
    assert f"VERDICT Dirac-SYK2: {verdicts[0].sentence}" in summary


@pytest.mark.parametrize(("boundary", "left_out"), [("periodic", [2]), ("open", [])])
def test_cubes_with_doubled_bonds_have_no_part_in_a_fit(boundary, left_out):
    rng = np.random.default_rng(2)
    parameters = (("boundary", boundary), ("disorder", 5.0), ("hopping", 1.0))
    system = System("anderson3d", parameters, (2, 3, 4, 5), 8)
    points = tuple(
        PointResult(point, np.arange(8), None, None, {}, {"trace_distance": curves}, 0, ())
        for point in system.points
        for curves in [rng.uniform(0.1, 0.2, (8, 3))]
    )
    results = SimpleNamespace(systems=((system, points),), study=SimpleNamespace(seed=1))
    (verdict,) = judge_systems(results)
    assert [size for size, _ in verdict.left_out] == left_out
    assert len(verdict.estimates) == 4 - len(left_out)


def test_figures_for_notebooks(out):
    figures = report_figures(out)
    assert set(figures) == {"tiny", "maxima", "laws", "spread", "positivity"}
    assert all(figure.axes for figure in figures.values())
    assert mb.report_figures is report_figures
    with pytest.raises(ValueError, match="is not a store"):
        report_figures(out / "nowhere")


def test_a_figure_is_laid_out_once_for_files_of_all_kinds(out):
    figure = report_figures(out)["maxima"]
    places = []
    for kind in ("svg", "png", "pdf"):
        assert saved(figure, kind)
        places.append([axis.get_position().bounds for axis in figure.axes])
    assert places[0] == places[1] == places[2]
    # Labels have room: nothing sticks out of the paper.
    (left, below), (right, above) = figure.get_tightbbox().get_points()
    width, height = figure.get_size_inches()
    assert min(left, below) >= -0.02 and right <= width + 0.02 and above <= height + 0.02


def test_one_figure_by_the_command_that_the_report_names(out, capsys):
    text = (out / "report" / "index.html").read_text()
    commands = re.findall(r"<code>python -m manybody ([^<]+)</code>", text)
    assert [words.split()[-1] for words in commands] == list(report_figures(out))
    target = out / "report" / "maxima.pdf"
    target.unlink(missing_ok=True)
    words = commands[1].replace("DIR", str(out)).split()
    assert cli.main([*words, "--format", "pdf"]) == 0
    assert capsys.readouterr().out == f"figure: {target}\n"
    assert target.read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="figure = 'mona lisa'"):
        write_figure(Store(out), "mona lisa")
    with pytest.raises(ValueError, match="format of a figure = 'csv'"):
        write_figure(Store(out), "maxima", ["csv"])


def test_markdown_names_files_that_are_there(out):
    _, paths = write_report(Store(out), ["markdown", "png"])
    text = (out / "report" / "report.md").read_text()
    targets = re.findall(r"\]\(([^)]+)\)", text)
    files = [each for each in targets if not each.startswith(("#", "https://arxiv.org/abs/"))]
    assert files and all((out / "report" / name) in paths for name in files)
    anchors = {each[1:] for each in targets if each.startswith("#")}
    assert anchors and anchors <= set(re.findall(r'<a id="([^"]+)"></a>', text))
    assert "| system |" in text


def test_the_command_of_a_sample_names_one(out, capsys):
    study = Store(out).study
    for system in study.systems:
        for point in system.points:
            words = sample_options(study, point, 1).split()
            assert cli.main(["sample", str(out), *words]) == 0
            printed = capsys.readouterr().out
            assert printed.startswith(f"{point.name} sample 1")
            assert "the same bits" in printed


def test_words_cannot_break_the_page():
    table = Table("t", "a & b", (Column("x", "<i>"),), (("<script>alert(1)</script>|",),))
    document = Document("<b>", '"', (Section("s", (Text(("<&>",)), table)),))
    text = to_html(document)
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "\\|" in to_markdown(document, str)


def test_a_block_that_comes_while_a_report_is_written(out):
    """Of its point the variants are there, which are read later, and the point itself is not."""
    results = load_results(Store(out))
    whole = numerical_errors(results)
    late = whole[0].difference.point.name
    points = tuple(each for each in results.points if each.point.name != late)
    found = numerical_errors(SimpleNamespace(points=points, variants=results.variants))
    assert found == [each for each in whole if each.difference.point.name != late] != []


def test_merging_brings_the_variants(out, tmp_path):
    text = parse_study(FULL, "full")
    parts = []
    for index in range(2):
        part = Store(tmp_path / f"part{index}")
        for name, study in {"": text, **text.variants()}.items():
            place = part.variant(name) if name else part
            run_study(prepare(study, place), place, quiet=True, shard=(index, 2))
        parts.append(str(part.directory))
    target = tmp_path / "merged"
    assert cli.main(["merge", *parts, "--out", str(target)]) == 0
    assert load_results(Store(target)).variants.keys() == text.variants().keys()
    for difference in compare_stores(Store(target), Store(out)):
        assert difference.identical == difference.samples


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("samples = 2\nmax", "max", ValueError, "'samples' is missing"),
        ("[1e-12]", "[1e-30]", ValueError, "tolerance = 1e-30"),
        ('["dop853"]', '["euler"]', ValueError, "convergence: stepper = 'euler'"),
        ("= 3\n[bath]", "= 1\n[bath]", ValueError, "time_refinement = 1"),
        ("max_sites = 6", "colour = 6", ValueError, "unknown key 'colour'"),
        ("max_sites = 6", 'operator = "dense"', ValueError, "operator = 'dense'"),
        ("max_sites = 6", "drop_tolerance = 2.0", ValueError, "drop_tolerance = 2"),
    ],
)
def test_bad_convergence_tables(old, new, error, words):
    assert old in FULL
    with pytest.raises(error, match=words):
        parse_study(FULL.replace(old, new), "full.toml")


def test_parquet_holds_what_csv_holds(out):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow not installed")
    _, paths = write_report(Store(out), ["csv", "parquet"])
    assert {path.suffix for path in paths} == {".csv", ".parquet"}
    for path in paths:
        if path.suffix == ".csv":
            continue
        rows = parquet.read_table(path).to_pylist()
        with open(path.with_suffix(".csv")) as file:
            written = list(csv.DictReader(file))
        assert len(rows) == len(written) > 0
        for row, texts in zip(rows, written):
            assert row.keys() == texts.keys()
            for name, value in row.items():
                assert texts[name] == ("" if value is None else str(value))
