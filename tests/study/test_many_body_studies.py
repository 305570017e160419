"""Studies of many particles from text to store and back: blocks, stops, starts, memory."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from tiny import TABLES

import manybody as mb
from manybody import cli, seeding
from manybody.solve.local import OF_EQUATION, OF_PAIR
from manybody.study import cost
from manybody.study.parsing import builtin_studies, find_study, parse_study
from manybody.study.store import Store

TEXT = f"""
name = "many"
seed = 3
samples = 3
times = [0.0, 1.5, 4.0]
block_size = 2
observables = ["trace_distance", "level_statistics", "cancellation"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "xxz_chain"
n_sites = [4, 6]
samples = [3, 2]
[[systems]]
model = "complex_syk4"
n_sites = 4
initial_state = ["neel", "1100", "eigenstate-2"]
[[systems]]
model = "dirac_syk2"
n_sites = 4
{TABLES}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    (folder / "many.toml").write_text(TEXT)
    assert (
        cli.main(["run", str(folder / "many.toml"), "--out", str(folder / "out"), "--quiet"]) == 0
    )
    return Store(folder / "out")


def points_of(study):
    return [point for system in study.systems for point in system.points]


def test_blocks_hold_what_compare_says(store, bath):
    study = store.study
    for point in points_of(study):
        blocks, problems = store.read(study, point)
        assert not problems
        for block in blocks:
            for row, sample in enumerate(block.samples):
                model = point.build(study.seed, int(sample))
                own = study.at(point)
                run = mb.compare(model, bath, study.times, initial_state=own.initial_state)
                np.testing.assert_array_equal(
                    block.arrays["trace_distance"][row], run.trace_distance
                )
                if run.local is None:
                    assert "density" not in block.arrays
                    continue
                pair = run.local.of_pair["redfield", "davies"]
                for name in OF_PAIR:
                    np.testing.assert_array_equal(block.arrays[name][row, 0], pair[name])
                for index, equation in enumerate(("redfield", "davies")):
                    figures = run.local.of_equation[equation]
                    for name in OF_EQUATION:
                        np.testing.assert_array_equal(
                            block.arrays[name][row, index], figures[name]
                        )
                    np.testing.assert_array_equal(
                        block.arrays["density"][row, index], figures["density"]
                    )


def test_datasets_say_what_they_are(store):
    (path, *_) = sorted((store.directory / "blocks").glob("xxz*n_sites=4/*.h5"))
    with h5py.File(path) as file:
        assert file["density"].shape == (2, 2, 3, 4)
        names = [[scale.name for scale in axis.values()] for axis in file["density"].dims]
        assert names == [["/sample"], ["/equation"], ["/time"], ["/site"]]
        assert file["energy"].attrs["units"] == "J"
        assert all(file[name].attrs["long_name"] for name in (*OF_PAIR, *OF_EQUATION, "density"))


def test_sizes_have_their_samples_and_starts_their_points(store):
    counts = {point.name: len(store.finished(point)) for point in points_of(store.study)}
    assert sorted(counts.values()) == [2, 3, 3, 3, 3, 3]
    states = {dict(point.changes).get("initial_state") for point in points_of(store.study)}
    assert states == {None, "neel", "1100", "eigenstate-2"}
    syk = [point for point in points_of(store.study) if point.model == "complex_syk4"]
    # The same disorder for every start.
    assert len({point.entropy(3, 0) for point in syk}) == 1
    assert seeding.generator(syk[0].entropy(3, 0)) is not None


def test_more_samples_are_added(store, tmp_path):
    (tmp_path / "more.toml").write_text(TEXT.replace("samples = [3, 2]", "samples = [3, 3]"))
    before = {path: path.read_bytes() for path in (store.directory / "blocks").rglob("*.h5")}
    arguments = ["run", str(tmp_path / "more.toml"), "--out", str(store.directory), "--quiet"]
    assert cli.main(arguments) == 0
    assert sum(len(store.finished(point)) for point in points_of(store.study)) == 18
    for path, content in before.items():
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"neel", "1100"', '"neel", "1101"'), "initial_state = '1101'"),
        (('"eigenstate-2"', '"eigenstate-6"'), "integer from 0 to 5"),
        (("n_sites = [4, 6]", "n_sites = [4, 5]"), "odd|even|half"),
        (("n_sites = [4, 6]", "n_sites = [4, 6]\ninitial_site = 1"), "initial_site = 1"),
        (("samples = [3, 2]", "samples = [3, 2, 1]"), "one for each of 2 sizes"),
        (("samples = 3", "samples = 3\ninitial_state = 'neel'"), "no occupations"),
    ],
)
def test_what_cannot_be_is_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        parse_study(TEXT.replace(*change), "many.toml")


def test_memory_counts_states_and_tables(monkeypatch, tmp_path, capsys):
    text = TEXT.replace("n_sites = [4, 6]", "n_sites = [12, 14]")
    study = parse_study(text, "many.toml")
    small, large = study.systems[0].points
    extents = [cost.extent_of(study, point) for point in (small, large)]
    assert [extent.dimension for extent in extents] == [924, 3432]
    # 64 tables of 924 x 924 real numbers, and some of 3432 x 3432.
    assert extents[0].baths.table_bytes == 64 * 924**2 * 8
    assert extents[1].baths.table_bytes >= 16 * 3432**2 * 8
    # Measured with two output times: 3810 MiB, and 709 MB at D = 924.
    few = [replace(extent, n_times=2) for extent in extents]
    assert few[1].rank_bytes(2) / 2**20 == pytest.approx(3810.0, rel=0.1)
    assert few[0].node_bytes(1, 1) == pytest.approx(709e6, rel=0.1)
    monkeypatch.setattr("manybody.solve.room.machine_bytes", lambda: 2.0 * 2**30)
    monkeypatch.setattr("manybody.study.tasks.machine_bytes", lambda: 2.0 * 2**30)
    (tmp_path / "large.toml").write_text(text)
    out = tmp_path / "out"
    assert cli.main(["run", str(tmp_path / "large.toml"), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "n_sites=14" in said and "3432 states" in said and "GiB" in said
    assert not out.exists()


def test_what_is_far_too_large_is_refused_at_once(monkeypatch, tmp_path, capsys):
    """Planning the tables of 10⁵ states would take minutes."""

    def refused(*_arguments):
        raise AssertionError("tables were planned")

    monkeypatch.setattr("manybody.physics.equations.redfield.plan_tables", refused)
    (tmp_path / "huge.toml").write_text(TEXT.replace("n_sites = [4, 6]", "n_sites = [20, 22]"))
    assert cli.main(["run", str(tmp_path / "huge.toml"), "--out", str(tmp_path / "out")]) == 2
    assert "705432 states" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in builtin_studies() if "many-body" in name])
def test_built_in_studies_parse(name):
    study = parse_study(*find_study(name))
    assert all(point.basis is not None for point in points_of(study))
