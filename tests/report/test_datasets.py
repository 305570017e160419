"""Stores and comparisons as xarray Datasets, against what the store and the run themselves say."""

import builtins
import shutil
import threading
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import xarray
from tiny import TINY

import manybody as mb
from manybody import cli
from manybody.errors import InputError, Unavailable
from manybody.parallel.signals import never
from manybody.report import datasets, lazy_arrays, running
from manybody.study import blocks, samples
from manybody.study.store import Store

ARCHIVES = Path(__file__).parents[1] / "stores"
LATTICE = {"model": "anderson3d", "disorder": 5.0}
CHAIN = """
[[systems]]
model = "xxz_chain"
n_sites = 4
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The tiny study and a chain, with a third equation."""
    out = tmp_path_factory.mktemp("datasets") / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.run_study(TINY + CHAIN, out, report=False)
    return out


@pytest.fixture
def copied(directory, tmp_path):
    return Path(shutil.copytree(directory, tmp_path / "copy"))


def stored(directory, point):
    """Arrays of one point by sample index, as the store reads them."""
    store = Store(directory)
    (point,) = [p for s in store.study.systems for p in s.points if p.name == point]
    parts, _ = store.read(store.study, point)
    order = np.argsort(np.concatenate([block.samples for block in parts]))
    names = parts[0].arrays
    return {name: np.concatenate([b.arrays[name] for b in parts])[order] for name in names}


def test_every_number_is_that_of_the_store(directory):
    opened = mb.open_store(directory)
    assert (opened.missing, opened.failed, len(opened)) == (0, 0, 5)
    for name, data in opened.items():
        wanted = stored(directory, name)
        assert dict(data.sizes)["sample"] == 5
        np.testing.assert_array_equal(data.sample, np.arange(5))
        np.testing.assert_array_equal(data.time, [0.0, 1.5, 4.0, 11.0])
        assert list(data.pair.values) == ["redfield:davies"]
        assert list(data.equation.values) == ["redfield", "davies"]
        np.testing.assert_array_equal(
            data.trace_distance, wanted[blocks.OF_PAIRS].reshape(data.trace_distance.shape)
        )
        for figure in ("seed", "seconds", "trace_error", "clustering", "applications"):
            np.testing.assert_array_equal(data[figure], wanted[figure])
        for equation in ("redfield", "davies"):
            residual = data.gibbs_residual.sel(equation=equation)
            np.testing.assert_array_equal(residual, wanted[f"{equation}_gibbs_residual"])
    chain = opened.only(model="xxz_chain")
    assert chain.density.dims == ("sample", "equation", "time", "site")
    name = chain.attrs["title"].removeprefix("tiny: ")
    np.testing.assert_array_equal(chain.density, stored(directory, name)["density"])
    np.testing.assert_allclose(chain.density.sum("site"), 2.0, atol=1e-9)


def test_units_meanings_and_facts_come_along(directory, tmp_path):
    data = mb.open_store(directory).only(model="anderson3d", disorder=5.0)
    assert data.time.attrs["units"] == "1/J"
    assert data.trace_distance.attrs["long_name"].startswith("trace norm of rho_a(t) - rho_b(t)")
    assert data.seconds.attrs["units"] == "s"
    assert data.clustering.attrs["flag_meanings"].split()[0] == "simple"
    assert data.attrs["bath_beta"] == 5.0 and data.attrs["parameter_disorder"] == 5.0
    assert data.attrs["missing_samples"] == 0 and data.attrs["problems"] == ""
    assert "hbar = k_B = 1" in data.attrs["conventions_of_physics"]
    data.to_netcdf(tmp_path / "data.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "data.nc", engine="h5netcdf") as again:
        np.testing.assert_array_equal(again.trace_distance, data.trace_distance)
        assert again.attrs["model"] == "anderson3d"


def test_only_what_is_used_is_read(directory, monkeypatch):
    data = mb.open_store(directory).only(n_sites=4, model="dirac_syk2")
    everything = data.trace_distance.values
    read, real = [], datasets.read_variable

    def counted(path, name):
        read.append((path.name[:13], name))
        return real(path, name)

    monkeypatch.setattr(datasets, "read_variable", counted)
    np.testing.assert_array_equal(data.trace_distance[3, 0, 1:3], everything[3, 0, 1:3])
    assert read == [("000002-000004", "trace_distance")]
    # Orthogonal, in any order, with repetitions, backwards, masked and by points.
    for key in (
        {"sample": [4, 0, 0], "time": [3, 1]},
        {"sample": slice(None, None, -2), "pair": 0},
        {"sample": np.array([True, False, False, True, True]), "time": slice(1, 3)},
        {"sample": []},
        {"sample": -1, "time": -1, "pair": -1},
        {"sample": xarray.DataArray([0, 4], dims="p"), "time": xarray.DataArray([1, 2], dims="p")},
    ):
        whole = xarray.DataArray(everything, dims=("sample", "pair", "time"))
        np.testing.assert_array_equal(data.trace_distance.isel(key), whole.isel(key))
    read.clear()
    loaded = data[["seed", "trace_error"]].load()
    read_once = len(read)
    np.testing.assert_array_equal(loaded.seed, loaded.seed)
    assert len(read) == read_once == 2 * 3


def test_blocks_that_overlap_and_blocks_that_are_torn(copied):
    """Each sample once; what is left out is said."""
    store = Store(copied)
    point = store.study.systems[0].points[0]
    data = mb.open_store(copied)[point.name].load()
    records = samples.compute_stack(store.study, point, [1, 2, 3], lambda _: None)
    rows = [
        blocks.Record(sample, point.entropy(3, sample), 0.0, *own)
        for sample, own in zip((1, 2, 3), records)
    ]
    store.commit(store.study, point, rows, {"ranks_per_sample": 1})
    again = mb.open_store(copied)[point.name]
    np.testing.assert_array_equal(again.sample, np.arange(5))
    np.testing.assert_array_equal(again.trace_distance, data.trace_distance)
    for path in store.block_paths(point):
        if path.name.startswith(("000000", "000001")):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
    torn = mb.open_store(copied)[point.name]
    np.testing.assert_array_equal(torn.sample, [2, 3, 4])
    assert torn.attrs["problems"].count("is torn or altered") == 2
    assert torn.attrs["missing_samples"] == 2
    np.testing.assert_array_equal(torn.trace_distance, data.trace_distance[2:])
    for path in store.block_paths(point):
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no block of it is whole: .*torn or altered"):
        mb.open_store(copied)[point.name]


@pytest.mark.parametrize("name", ["evolution", "evolution-2", "observables"])
def test_stores_of_earlier_versions_open_with_the_axes_of_today(name, tmp_path):
    shutil.unpack_archive(ARCHIVES / f"{name}.tar.xz", tmp_path)
    opened = mb.open_store(tmp_path / name)
    assert len(opened) > 0
    for point, data in opened.items():
        wanted = stored(tmp_path / name, point)
        assert data.trace_distance.dims == ("sample", "pair", "time")
        np.testing.assert_array_equal(data.trace_distance[:, 0], wanted["trace_distance"])
        lowest = data.smallest_eigenvalue_in_time
        assert lowest.dims == ("sample", "equation", "time")
        redfield = lowest.sel(equation="redfield")
        np.testing.assert_array_equal(redfield, wanted["smallest_eigenvalue_in_time"])
        assert np.isnan(lowest.sel(equation="davies")).all()
        residual = data.gibbs_residual.sel(equation="davies")
        np.testing.assert_array_equal(residual, wanted["davies_gibbs_residual"])


def test_what_is_no_point_of_a_store(directory, tmp_path):
    opened = mb.open_store(directory)
    assert "tiny in" in repr(opened) and "n_sites=6" in repr(opened)
    with pytest.raises(InputError, match="several points are of n_sites = 4: .*xxz_chain"):
        opened.only(n_sites=4)
    with pytest.raises(InputError, match="no point is of disorder = 3: dirac_syk2"):
        opened.only(disorder=3)
    with pytest.raises(InputError, match="several points are of this store"):
        opened.only()
    with pytest.raises(KeyError):
        opened["anderson3d"]
    with pytest.raises(InputError, match="is not a store"):
        mb.open_store(tmp_path)


def test_without_xarray_a_sentence(directory, monkeypatch, bath):
    run = mb.compare(mb.dirac_syk2(3), bath, [0.0, 1.0])
    real = builtins.__import__

    def missing(name, *arguments):
        if name == "xarray":
            raise ImportError("no xarray here")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    for action in (
        lambda: mb.open_store(directory),
        lambda: mb.run_study("figure-1", directory / "new"),
        run.to_xarray,
    ):
        with pytest.raises(Unavailable, match=r"no xarray here.*pip install 'manybody\[xarray\]'"):
            action()
    assert not (directory / "new").exists()


@pytest.mark.parametrize("many", [False, True])
def test_a_comparison_as_a_dataset(bath, many):
    model = mb.xxz_chain(4, seed=2) if many else mb.dirac_syk2(4, seed=2)
    names = ("redfield", "davies", "quasi-local-1") if many else ("redfield", "davies")
    asked = ["populations", "energy"]
    run = mb.compare(
        model, bath, [0.0, 2.0, 5.0], equations=names, keep_states=True, expectations=asked
    )
    data = run.to_xarray()
    for first, second in run.distance:
        own = data.trace_distance.sel(pair=f"{first}:{second}")
        np.testing.assert_array_equal(own, run.distance[first, second])
    for name in names:
        np.testing.assert_array_equal(data.state.sel(equation=name), run.states[name])
        lowest = data.smallest_eigenvalue_in_time.sel(equation=name)
        wanted = run.smallest_eigenvalues.get(name, np.full(3, np.nan))
        np.testing.assert_array_equal(lowest, wanted)
        residual = float(data.gibbs_residual.sel(equation=name))
        np.testing.assert_array_equal(residual, run.certificate.gibbs_residuals[name])
        populations = data.expectation_populations.sel(equation=name)
        np.testing.assert_array_equal(populations, run.expectation["populations"][name])
        energy = data.expectation_energy.sel(equation=name)
        np.testing.assert_array_equal(energy, run.expectation["energy"][name])
    assert data.time.attrs["units"] == "1/J" and data.gibbs_residual.attrs["units"] == "J"
    for entry in fields(run.certificate):
        if entry.name != "gibbs_residuals":
            np.testing.assert_equal(data.attrs[entry.name], getattr(run.certificate, entry.name))
    assert ("density" in data) is many
    if many:
        density = data.density.sel(equation="davies")
        np.testing.assert_array_equal(density, run.local.of_equation["davies"]["density"])
        pair = data.one_site_largest.sel(pair="redfield:davies")
        figures = run.local.of_pair["redfield", "davies"]
        np.testing.assert_array_equal(pair, figures["one_site_largest"])
    assert "state" not in mb.compare(model, bath, [0.0]).to_xarray()


def test_a_store_has_the_variables_of_a_comparison(directory, bath):
    """By the same names, on the same axes."""
    run = mb.compare(mb.xxz_chain(4, seed=2), bath, [0.0, 1.0]).to_xarray()
    data = mb.open_store(directory).only(model="xxz_chain")
    assert {*run.data_vars} <= {*data.data_vars}
    for name, variable in run.data_vars.items():
        assert data[name].dims == ("sample", *variable.dims)
        assert data[name].attrs == variable.attrs


def test_the_command_line_goes_on_with_the_same_store(tmp_path, copied, capsys):
    """And Python with that of the command line: nothing is computed again."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY + CHAIN + '[outputs]\nformats = ["csv"]\n')
    before = {each: each.stat().st_mtime_ns for each in copied.rglob("*.h5")}
    assert cli.main(["run", str(path), "--out", str(copied)]) == 0
    assert "nothing to compute: every sample is there" in capsys.readouterr().err
    shutil.rmtree(copied / "report")
    opened = mb.run_study(path, copied)
    assert before == {each: each.stat().st_mtime_ns for each in copied.rglob("*.h5")}
    assert (copied / "report" / "curves.csv").exists() and opened.missing == 0
    assert (copied / "study.toml").read_text() == path.read_text()


TABLE = {
    "name": "table",
    "seed": 1,
    "samples": 2,
    "times": np.linspace(0.0, 2.0, 3),
    "bath": {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0},
    "systems": [{"model": "dirac_syk2", "n_sites": [3, 4]}],
}


def test_expectation_values_come_with_their_components(tmp_path):
    opened = mb.run_study(
        {**TABLE, "expectations": ["populations", "energy"]}, tmp_path / "out", report=False
    )
    data = opened.only(n_sites=3)
    own = data.expectation_populations
    assert own.dims == ("sample", "equation", "time", "component_populations")
    assert own.sizes["component_populations"] == len(set(own.component_populations.values)) == 3
    np.testing.assert_allclose(own.sum("component_populations"), 1.0, atol=1e-9)
    assert data.expectation_energy.dims == ("sample", "equation", "time")
    # Starts on site 0.
    np.testing.assert_allclose(own.isel(time=0, component_populations=0), 1.0, atol=1e-9)


def test_tables_run_in_a_thread(tmp_path):
    """Where nobody may listen for signals."""
    found = []
    action = lambda: found.append(mb.run_study(TABLE, tmp_path / "out", report=False))  # noqa: E731
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()
    assert len(found[0]) == 2 and found[0].only(n_sites=4).sizes["sample"] == 2
    # Another study is refused as on the command line.
    with pytest.raises(InputError, match="holds another study: seed is 1 there and 2 here"):
        mb.run_study({**TABLE, "seed": 2}, tmp_path / "out")


def test_stopped_and_failed_samples_are_warned_of(tmp_path, monkeypatch):
    asked = iter(["", "", ""])
    monkeypatch.setattr(running, "StopRequest", lambda: Stopping(lambda: next(asked, "SIGTERM")))
    with pytest.warns(UserWarning, match="stopped by SIGTERM, . samples are missing: the same"):
        opened = mb.run_study({**TABLE, "block_size": 1}, tmp_path / "out")
    assert 0 < opened.missing < 4 and not (tmp_path / "out" / "report").exists()
    monkeypatch.setattr(running, "StopRequest", lambda: Stopping(never))
    real = samples.compare_problems

    def failing(problem, setting):
        if problem.dimension == 3:
            raise RuntimeError("no luck")
        return real(problem, setting)

    monkeypatch.setattr(samples, "compare_problems", failing)
    with pytest.warns(UserWarning, match="2 samples have failed, see .*failures"):
        opened = mb.run_study(TABLE, tmp_path / "other", report=False)
    assert (opened.failed, opened.missing) == (2, 0) and len(opened) == 1


class Stopping:
    def __init__(self, asked):
        self.asked = asked

    def __enter__(self):
        return self.asked

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((3,), TypeError, "study of type int: a name, a TOML file, a TOML text or a mapping"),
        (("nobody",), ValueError, "study 'nobody' is neither a file nor one of the built-in"),
        (("levy-kosloff",), ValueError, "a study of cases is run by `manybody run`"),
        (({"kind": "exact"},), ValueError, "kind = 'exact': a study of cases"),
        (({**TABLE, "seed": -1},), ValueError, "study: seed = -1: must be an integer >= 0"),
        (("seed = \n",), ValueError, "study: not valid TOML"),
        ((TABLE, {"threads": 0}), ValueError, "threads = 0: must be an integer >= 1"),
        ((TABLE, {"group_size": "many"}), ValueError, "group_size = 'many': must be a positive"),
        ((TABLE, {"report": "yes"}), TypeError, "report = 'yes': True or False"),
        ((TABLE, {"comm": 3}), TypeError, "comm = 3: an mpi4py communicator"),
    ],
)
def test_wrong_arguments_write_nothing(arguments, kind, words, tmp_path):
    study, *keywords = arguments
    with pytest.raises(kind, match=words) as caught:
        mb.run_study(study, tmp_path / "out", **(keywords[0] if keywords else {}))
    assert "\n" not in str(caught.value) or study == "seed = \n"
    assert not (tmp_path / "out").exists()


def test_arrays_of_one_file_of_one_sample():
    places = [(Path("a"), np.array([0]))]
    array = lazy_arrays.BlockArray(places, np.array([0]), (), float, lambda _: np.array([3.0]))
    assert array.shape == (1,) and array._outer((slice(None),)) == [3.0]
    assert array._outer((0,)) == 3.0
