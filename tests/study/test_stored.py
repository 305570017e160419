"""Stores that an earlier version wrote, one of each kind: read, extended, computed again."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import TABLES

from manybody import cli
from manybody.cli.kinds import open_store
from manybody.papers.kit import case_kind
from manybody.papers.kit.case_kind import read_records
from manybody.study.differences import compare_stores
from manybody.study.store import Store

ARCHIVES = Path(__file__).parents[1] / "stores"
SAMPLES = {
    "evolution": ("samples = 3\ntimes", "samples = 4\ntimes"),
    # The second format.
    "evolution-2": ("samples = 3\ntimes", "samples = 4\ntimes"),
    # The third, with a system of many particles.
    "evolution-3": ("samples = 3\ntimes", "samples = 4\ntimes"),
    # The fourth, with other roundings, three equations and more states.
    "evolution-4": ("samples = 3\ntimes", "samples = 4\ntimes"),
    "observables": ("samples = 2", "samples = 3"),
}
CASES = ("exact", "hierarchy", "theorem", "levy-kosloff", "levy-rabani-limmer", "mitchison-plenio")
# The others take half a minute, most of it errata that tests/papers looks at.
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
def test_cases_are_taken_over_and_not_computed_again(name, tmp_path, capsys, monkeypatch):
    old = unpacked(name, tmp_path)
    text = tmp_path / "study.toml"
    written = (old / "study.toml").read_text()
    text.write_text(written.partition("[outputs]")[0] + TABLES)
    before, given = contents(old), of_files(old)
    assert given
    for command in ("status", "report"):
        assert cli.main([command, str(old)]) == 2
        said = capsys.readouterr().err
        assert "was written by an earlier version (store format 'cases-1')" in said
        assert f"--out {old}' takes over" in said
    assert contents(old) == before
    run = ["run", str(text), "--out", str(old), "--quiet"]
    real = case_kind._computed

    def new_alone(folder, study, case):
        assert case.name not in given, "computed again"
        return real(folder, study, case)

    with monkeypatch.context() as patch:
        patch.setattr(case_kind, "_computed", new_alone)
        assert cli.main(run) == 0
    assert contents(old / "cases") == {p: d for p, d in before.items() if "cases" in p.parts}
    store = open_store(old)
    records, problems = read_records(store, store.study)
    found = {record.case.name: dict(record.results) for record in records}
    # Errata may have joined since.
    assert problems == [] and {name: found[name] for name in given} == given
    assert all(list(found[name]) == list(own) for name, own in given.items())
    assert all(record.seconds > 0.0 and "numpy" in record.attributes for record in records)
    if name not in COMPUTED_AGAIN:
        return

    fresh = tmp_path / "fresh"
    assert cli.main(["run", str(text), "--out", str(fresh), "--quiet"]) == 0
    here = open_store(fresh)
    found = {r.case.name: r.results for r in read_records(here, here.study)[0]}
    assert given.keys() == found.keys()
    for case, values in given.items():
        assert values.keys() == found[case].keys()
        for key, value in values.items():
            assert np.allclose(value, found[case][key], rtol=1e-5, atol=1e-7), (case, key)


def of_files(folder):
    """{case: results} of the files of the first format."""
    every = [json.loads(path.read_text()) for path in (folder / "cases").iterdir()]
    return {own["case"]: own["results"] for own in every}


def test_what_is_wrong_in_an_older_store_is_left_out_and_computed(tmp_path, caplog):
    old = unpacked("theorem", tmp_path)
    paths = sorted((old / "cases").iterdir())
    paths[0].write_bytes(paths[0].read_bytes()[:-9])
    content = json.loads(paths[1].read_text())
    image = json.dumps({**content, "settings": {**content["settings"], "seed": 99}}).encode()
    case = paths[1].name[:-22]
    paths[1].unlink()
    foreign = old / "cases" / f"{case}-{hashlib.sha256(image).hexdigest()[:16]}.json"
    foreign.write_bytes(image)
    other = tmp_path / "other.toml"
    text = (old / "study.toml").read_text()
    other.write_text(text.replace("seed = ", "seed = 1"))
    before = contents(old)
    assert cli.main(["run", str(other), "--out", str(old), "--quiet"]) == 2
    assert contents(old) == before
    given = tmp_path / "study.toml"
    given.write_text(text.partition("[outputs]")[0] + TABLES)
    assert cli.main(["run", str(given), "--out", str(old), "--quiet"]) == 0
    assert f"left out: {paths[0]} is torn" in caplog.text
    assert f"left out: {foreign} belongs to another study" in caplog.text
    store = open_store(old)
    assert all(store.finished(case) for case in store.study.cases)
