"""Stores that an earlier version wrote, one of each kind: read, extended, computed again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import TABLES

from manybody import cli
from manybody.study.differences import compare_stores
from manybody.study.store import Store

ARCHIVES = Path(__file__).parents[1] / "stores"
SAMPLES = {
    "evolution": ("samples = 3\ntimes", "samples = 4\ntimes"),
    # The second format.
    "evolution-2": ("samples = 3\ntimes", "samples = 4\ntimes"),
    # The third, with a system of many particles.
    "evolution-3": ("samples = 3\ntimes", "samples = 4\ntimes"),
    "observables": ("samples = 2", "samples = 3"),
}
CASES = ("exact", "theorem", "levy-kosloff", "levy-rabani-limmer", "mitchison-plenio")
# The others take half a minute, most of it errata that tests/cases looks at.
COMPUTED_AGAIN = ("exact", "theorem")


def unpacked(name, folder):
    shutil.unpack_archive(ARCHIVES / f"{name}.tar.xz", folder)
    return folder / name


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_archive_is_tried():
    assert {path.name.partition(".")[0] for path in ARCHIVES.iterdir()} == {*SAMPLES, *CASES}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_read_computed_again_and_extended(name, tmp_path, capsys):
    if name == "observables":
        pytest.importorskip("slepc4py", reason="slepc4py not installed")
    old = unpacked(name, tmp_path)
    text = tmp_path / "study.toml"
    text.write_text((old / "study.toml").read_text())
    before = {path: data for path, data in contents(old).items() if path.suffix == ".h5"}
    assert before
    assert cli.main(["status", str(old)]) == 0
    assert cli.main(["report", str(old), "--format", "csv"]) == 0

    fresh = tmp_path / "fresh"
    assert cli.main(["run", str(text), "--out", str(fresh), "--quiet"]) == 0
    differences = compare_stores(Store(old), Store(fresh))
    assert differences
    for each in differences:
        assert each.samples == Store(old).study.systems[0].samples
        # BLAS of other processors rounds otherwise.
        assert each.largest <= 1e-11, each.point.name
        for figure, change in each.figures.items():
            if figure not in ("applications", "steady_iterations"):
                assert change <= 1e-7, (each.point.name, figure)

    # Blocks of both formats side by side: the same samples, none of them in dispute.
    for path in before:
        copy = fresh / path.relative_to(old)
        assert not copy.exists()
        copy.write_bytes(path.read_bytes())
    for system in Store(fresh).study.systems:
        for point in system.points:
            blocks, problems = Store(fresh).read(Store(fresh).study, point)
            assert problems == []
            assert sorted(int(s) for b in blocks for s in b.samples) == list(range(system.samples))

    few, more = SAMPLES[name]
    assert few in text.read_text()
    text.write_text(text.read_text().replace(few, more))
    assert cli.main(["run", str(text), "--out", str(old), "--quiet"]) == 0
    after = contents(old)
    assert {path: after[path] for path in before} == before
    extended = Store(old)
    for system in extended.study.systems:
        for point in system.points:
            assert extended.finished(point) == set(range(system.samples))
            assert extended.read(extended.study, point)[1] == []
    assert cli.main(["report", str(old), "--format", "csv"]) == 0
    assert "cannot" not in capsys.readouterr().err


@pytest.mark.parametrize("name", CASES)
def test_cases_are_read_and_taken_as_done(name, tmp_path):
    old = unpacked(name, tmp_path)
    text = tmp_path / "study.toml"
    written = (old / "study.toml").read_text()
    text.write_text(written.partition("[outputs]")[0] + TABLES)
    before = contents(old / "cases")
    assert before
    assert cli.main(["status", str(old)]) == 0
    assert cli.main(["run", str(text), "--out", str(old), "--quiet"]) == 0
    assert contents(old / "cases") == before
    if name not in COMPUTED_AGAIN:
        return

    fresh = tmp_path / "fresh"
    assert cli.main(["run", str(text), "--out", str(fresh), "--quiet"]) == 0
    there, here = results(old), results(fresh)
    assert there.keys() == here.keys()
    for case, values in there.items():
        assert values.keys() == here[case].keys()
        for key, value in values.items():
            given, found = np.ravel(value), np.ravel(here[case][key])
            assert np.allclose(given, found, rtol=1e-5, atol=1e-7, equal_nan=True), (case, key)


def results(folder):
    """{case: {name: number or list}} with words for numbers that JSON has none for."""
    found = {}
    for path in (folder / "cases").iterdir():
        own = json.loads(path.read_text())
        found[own["case"]] = {
            key: np.array(value, dtype=float) for key, value in own["results"].items()
        }
    return found
