"""Expectation values and starts from files in studies: text, blocks, repeats, reports, stops."""

import csv
import io
from dataclasses import replace

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
from tiny import TABLES

import manybody as mb
from manybody import cli
from manybody.report.analysis.conclusions import analyse
from manybody.report.analysis.statistics import Moments
from manybody.report.figures.expectations import draw_expectations, has_expectations
from manybody.report.figures.makers import figure_makers
from manybody.report.page.html import to_html
from manybody.report.page.sections import build_document
from manybody.report.read import load_results
from manybody.report.tables.expectations import build_expectations_tables
from manybody.report.tables.samples import build_tables
from manybody.study.files import file_text, matrix_in, with_digest
from manybody.study.migrations import hash_in
from manybody.study.parsing import parse_study
from manybody.study.rerun import repeat_sample
from manybody.study.selection import find_point
from manybody.study.store import Store

NAMES = ("populations", "energy", "coherence-0-1")
TEXT = f"""
name = "seen"
seed = 3
samples = 3
times = [0.0, 1.5, 4.0]
block_size = 2
expectations = ["populations", "energy", "coherence-0-1"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [3, 4]
[[systems]]
model = "xxz_chain"
n_sites = 4
{TABLES}
"""
FROM_FILES = TEXT.replace(
    'model = "dirac_syk2"\nn_sites = [3, 4]',
    'model = "dirac_syk2"\nn_sites = 4\n'
    'initial_state = ["uniform", "mixed", { file = "state.npz" }, { file = "in/rho.h5" }]',
)


def run(folder, text, *more):
    (folder / "study.toml").write_text(text)
    out = folder / "out"
    assert cli.main(["run", str(folder / "study.toml"), "--out", str(out), "--quiet", *more]) == 0
    return Store(out)


def points_of(study):
    return [point for system in study.systems for point in system.points]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return run(tmp_path_factory.mktemp("seen"), TEXT)


def test_blocks_hold_what_compare_says(store, bath):
    study = store.study
    for point in points_of(study):
        blocks, problems = store.read(study, point)
        assert not problems
        for block in blocks:
            for row, sample in enumerate(block.samples):
                model = point.build(study.seed, int(sample))
                found = mb.compare(model, bath, study.times, expectations=list(NAMES))
                for name in NAMES:
                    for place, equation in enumerate(study.equations):
                        np.testing.assert_array_equal(
                            block.arrays[f"expectation_{name}"][row, place],
                            found.expectation[name][equation],
                        )


def test_datasets_say_what_they_are(store):
    (path, *_) = sorted((store.directory / "blocks").glob("xxz*/*.h5"))
    with h5py.File(path) as file:
        energy, populations = file["expectation_energy"], file["expectation_populations"]
        assert energy.shape == (2, 2, 3) and populations.shape == (2, 2, 3, 4)
        assert energy.attrs["units"] == "J" and populations.attrs["units"] == "1"
        names = [[scale.name for scale in axis.values()] for axis in populations.dims]
        assert names == [["/sample"], ["/equation"], ["/time"], ["/component_populations"]]
        assert [*file["component_coherence-0-1"].asstr()] == ["real", "imaginary"]
        assert "a = 0 and b = 1" in file["expectation_coherence-0-1"].attrs["long_name"]


def test_a_sample_again_agrees(store):
    point = find_point(store.study, 4, "dirac_syk2", [])
    lines, agrees = repeat_sample(store, point, 1)
    assert agrees and "the same bits" in lines[-1]


def test_a_store_without_them_is_another(store, tmp_path):
    (tmp_path / "other.toml").write_text(TEXT.replace('"energy", ', ""))
    arguments = ["run", str(tmp_path / "other.toml"), "--out", str(store.directory), "--quiet"]
    assert cli.main(arguments) == 2
    # Their order says nothing.
    study = store.study
    backwards = replace(study, expectations=study.expectations[::-1])
    assert backwards.hash() == study.hash()
    bare = replace(study, expectations=())
    assert hash_in(bare, 3) != bare.hash() and hash_in(study, 3) == study.hash()


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_reports_average_them(store):
    assert cli.main(["report", str(store.directory), "--format", "csv", "--format", "hdf5"]) == 0
    folder, study = store.directory / "report", store.study
    rows = rows_of(folder / "expectation-curves.csv")
    point = find_point(study, 4, "dirac_syk2", [])
    arrays = [block.arrays for block in store.read(study, point)[0]]
    values = np.concatenate([each["expectation_populations"] for each in arrays])[..., 2]
    for of, curves in (
        ("redfield", values[:, 0]),
        ("redfield-davies", values[:, 0] - values[:, 1]),
    ):
        moments = Moments.of(curves)
        own = [
            row
            for row in rows
            if (row["model"], row["size"], row["of"]) == ("dirac_syk2", "4", of)
            and (row["expectation"], row["component"]) == ("populations", "2")
        ]
        assert [float(row["time"]) for row in own] == list(study.times)
        for row, mean, error in zip(own, moments.mean, moments.standard_error):
            assert float(row["mean"]) == mean and float(row["standard_error"]) == error
            assert row["n_samples"] == "3" and row["unit"] == "1"
    # The component that differs most, at its time.
    (row,) = [
        row
        for row in rows_of(folder / "expectations.csv")
        if (row["model"], row["size"]) == ("dirac_syk2", "4")
        and row["expectation"] == "populations"
    ]
    every = np.concatenate([each["expectation_populations"] for each in arrays])
    mean = (every[:, 0] - every[:, 1]).mean(axis=0)
    time, component = np.unravel_index(np.abs(mean).argmax(), mean.shape)
    assert row["component"] == str(component) and float(row["time"]) == study.times[time]
    np.testing.assert_allclose(
        float(row["largest_mean_difference"]), mean[time, component], atol=1e-15
    )
    with h5py.File(folder / "expectation-curves.h5") as file:
        assert len(file["time"]) == len(rows)
        assert [float(row["mean"]) for row in rows] == list(file["mean"][()])
        assert [row["of"] for row in rows] == list(file["of"].asstr()[()])


def test_pages_and_figures_show_them(store):
    analysis = analyse(load_results(store))
    assert "expectations" in figure_makers(analysis)
    axes = [axis for axis in draw_expectations(analysis.results).axes if axis.get_visible()]
    assert len(axes) == 2 * len(NAMES)
    # Three of four sites, of two equations.
    assert len(axes[0].lines) == 6 and len(axes[1].lines) == 2
    tables = {table.name: table for table in build_expectations_tables(analysis.results)}
    tables |= {table.name: table for table in build_tables(analysis.results)}
    page = to_html(build_document(analysis, tables, {}))
    assert "Expectation values" in page and "energy tr(H rho) of the whole system" in page


def test_stores_without_them_have_no_such_tables(store):
    results = load_results(store)
    assert len(build_expectations_tables(results)) == 2 and has_expectations(results)
    bare = replace(results, study=replace(results.study, expectations=()))
    assert build_expectations_tables(bare) == [] and not has_expectations(bare)
    assert "expectations" not in figure_makers(analyse(bare))


@pytest.fixture
def folder(tmp_path):
    """With a vector and a density matrix of four states."""
    (tmp_path / "in").mkdir()
    vector = np.array([0.6, 0.0, 0.8j, 0.0])
    np.savez(tmp_path / "state.npz", vector)
    with h5py.File(tmp_path / "in" / "rho.h5", "w") as file:
        file["rho"] = np.diag([0.5, 0.25, 0.25, 0.0]) + 0j
    return tmp_path


def test_starts_come_from_files(folder, bath):
    store = run(folder, FROM_FILES)
    study = store.study
    starts = {
        "uniform": "uniform",
        "mixed": "mixed",
        "state.npz": np.array([0.6, 0.0, 0.8j, 0.0]),
        "rho.h5": np.diag([0.5, 0.25, 0.25, 0.0]),
    }
    points = [point for point in points_of(study) if point.model == "dirac_syk2"]
    assert len(points) == 4
    for point in points:
        (start,) = [own for name, own in starts.items() if name in point.name]
        (block, *_), problems = store.read(study, point)
        assert not problems
        model = point.build(study.seed, 0)
        run_of = mb.compare(model, bath, study.times, initial_state=start)
        np.testing.assert_array_equal(block.arrays["trace_distance"][0], run_of.trace_distance)
    titles = {row["system"] for row in rows_of(store.directory / "report" / "maxima.csv")}
    assert any("start from in/rho.h5" in title for title in titles)
    # The store has what it needs to go on, wherever the study's own folder is.
    for path in ("study.toml", "state.npz", "in/rho.h5"):
        (folder / path).unlink()
    out = str(store.directory)
    assert cli.main(["run", f"{out}/study.toml", "--out", out, "--quiet"]) == 0
    # As a report says how to repeat a sample.
    which = ["--size", "4", "--index", "1", "--model", "dirac_syk2"]
    which += ["--where", f"initial_state={points[2].changes[0][1]}"]
    assert cli.main(["sample", out, *which]) == 0
    (store.directory / "state.npz").unlink()
    with pytest.raises(ValueError, match="'state.npz' of the study is missing"):
        store.study.start(points[2])


def test_operators_come_from_files(folder, bath):
    """Of studies whose systems all have as many states."""
    dipole = sp.csr_matrix([[0, 1, 0, 0], [1, 0, 1j, 0], [0, -1j, 0, 2], [0, 0, 2, 0]])
    sp.save_npz(folder / "dipole.npz", dipole)
    text = FROM_FILES.partition('[[systems]]\nmodel = "xxz')[0] + TABLES
    text = text.replace('"energy"', '{ name = "dipole", file = "dipole.npz" }')
    text = text.replace('["uniform", "mixed", { file = "state.npz" }, ', "[")
    store = run(folder, text)
    (point,) = points_of(store.study)
    (first, *_), problems = store.read(store.study, point)
    assert not problems
    model, rho = point.build(3, 1), np.diag([0.5, 0.25, 0.25, 0.0])
    alone = mb.compare(
        model, bath, store.study.times, initial_state=rho, expectations={"dipole": dipole}
    )
    found = first.arrays["expectation_dipole"][1]
    for place, equation in enumerate(store.study.equations):
        np.testing.assert_array_equal(found[place], alone.expectation["dipole"][equation])
    names = {row["expectation"] for row in rows_of(store.directory / "report/expectations.csv")}
    assert names == {"populations", "dipole", "coherence-0-1"}
    (folder / "dipole.npz").unlink()
    assert repeat_sample(store, point, 1)[1]
    (store.directory / "dipole.npz").write_bytes(b"another")
    assert store.read(store.study, point)[0] and not store.read(store.study, point)[1]
    with pytest.raises(ValueError, match="'dipole.npz' of the study is missing"):
        _ = store.study.expected


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ('{ name = "energy", file = "rho.npy" }', "has a meaning of its own"),
        ('{ name = "a-b", file = "rho.npy" }', "up to 40 letters"),
        ('{ name = "x", file = "../rho.npy" }', "within the study's folder"),
        ('{ name = "x", file = "one.npy" }', "must be numeric"),
        ('{ name = "x", file = "left.npy" }', "is not Hermitian"),
        ('{ name = "x", file = "rho.npy" }', r"must be \(3,\) or \(3, 3\)"),
        ('{ name = "x" }', "a name is needed"),
        ('{ name = "x", file = "rho.npy" }, { name = "x", file = "rho.npy" }', "appear once"),
    ],
)
def test_operators_that_cannot_be_are_refused(folder, operator, words):
    np.save(folder / "rho.npy", np.eye(4))
    np.save(folder / "left.npy", np.eye(4, k=1))
    np.save(folder / "one.npy", np.array(["a", "b"]))
    with pytest.raises(ValueError, match=words):
        parse_study(TEXT.replace('"energy"', operator), "study.toml", folder)


def test_a_file_that_has_changed_is_another_start(folder):
    store = Store(folder / "out")
    store.create(parse_study(FROM_FILES, "x", folder))
    np.savez(folder / "state.npz", np.array([1.0, 0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="'state.npz' has changed since"):
        store.check(parse_study(FROM_FILES, "x", folder))
    whole = FROM_FILES.replace("seed = 3", 'seed = 3\ninitial_state = { file = "state.npz" }')
    whole = whole.partition('[[systems]]\nmodel = "xxz')[0] + TABLES
    first = parse_study(whole, "x", folder)
    np.savez(folder / "state.npz", np.array([0.0, 1.0, 0.0, 0.0]))
    assert parse_study(whole, "x", folder).hash() != first.hash()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ('{ file = "/state.npz" }', "within the study's folder"),
        ('{ file = "../state.npz" }', "within the study's folder"),
        ('{ file = "in/../../state.npz" }', "within the study's folder"),
        ('{ file = "" }', "within the study's folder"),
        ('{ file = "state.txt" }', "must end in one of .npy, .npz, .mtx, .h5, .hdf5"),
        ('{ file = "none.npz" }', "'none.npz' cannot be read: No such file"),
        ('{ file = "state.npz", of = 1 }', "a name or"),
        ("{ file = 3 }", "the name of a file"),
        ("3", "a name or"),
        ('"file:state.npz"', "is named as"),
        ('{ file = "five.npy" }', r"initial_state has shape \(5,\)"),
        ('{ file = "long.npy" }', "initial_state has the norm"),
        ('{ file = "objects.npy" }', "objects.npy: the file holds objects"),
        ('{ file = "broken.h5" }', "broken.h5 cannot be read"),
    ],
)
def test_files_that_cannot_be_are_refused(folder, state, words):
    np.save(folder / "five.npy", np.eye(5)[0])
    np.save(folder / "long.npy", np.ones(4))
    np.save(folder / "objects.npy", np.array([{}, 1.0], dtype=object))
    (folder / "broken.h5").write_bytes(b"no such thing")
    text = FROM_FILES.replace('{ file = "state.npz" }', state)
    with pytest.raises(ValueError, match=words):
        parse_study(text, "study.toml", folder)


def test_a_study_that_is_no_file_has_no_files(folder):
    with pytest.raises(ValueError, match="'state.npz' lies beside the study"):
        parse_study(FROM_FILES, "study.toml")


@pytest.mark.parametrize("form", ["npy", "npz", "sparse npz", "mtx", "sparse mtx", "h5"])
def test_files_of_every_format_are_read(form, tmp_path, rng):
    matrix = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    path = tmp_path / f"m.{form.split()[-1]}"
    if form == "npy":
        np.save(path, matrix)
    elif form == "npz":
        np.savez_compressed(path, name=matrix)
    elif form == "sparse npz":
        sp.save_npz(path, sp.csr_matrix(matrix))
    elif form == "h5":
        with h5py.File(path, "w") as file:
            file["anything"] = matrix
    else:
        scipy.io.mmwrite(path, sp.coo_matrix(matrix) if "sparse" in form else matrix)
    found = matrix_in(path.name, path.read_bytes())
    assert sp.issparse(found) == ("sparse" in form)
    np.testing.assert_allclose(found.toarray() if sp.issparse(found) else found, matrix)


def test_files_of_several_matrices_are_refused():
    file = io.BytesIO()
    np.savez(file, a=np.eye(2), b=np.eye(2))
    with pytest.raises(ValueError, match=r"x.npz: holds 2 arrays \['a', 'b'\]"):
        matrix_in("x.npz", file.getvalue())
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.create_group("inside")
    with pytest.raises(ValueError, match="x.h5: 'inside' is a group without"):
        matrix_in("x.h5", file.getvalue())
    assert with_digest(file_text("x", "./a.npy"), b"1") != with_digest("file:a.npy", b"2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"coherence-0-1"', '"coherence-0-3"'), "has site 3, allowed are 0 to 2"),
        (('"coherence-0-1"', '"current-0-1"'), "of one particle"),
        (('"coherence-0-1"', '"energies"'), "must be one of populations"),
        (('"energy"', '"populations"'), "each may appear once"),
        (('["populations", "energy", "coherence-0-1"]', '"energy"'), "a list of names"),
        (("times = [0.0, 1.5, 4.0]", 'observables = ["level_statistics"]'), "need 'trace_dist"),
    ],
)
def test_expectations_that_cannot_be_are_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        parse_study(TEXT.replace(*change), "seen.toml")
