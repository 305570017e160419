"""Blocks of a store that are torn, foreign, double or old."""

import hashlib
import io
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
from tiny import assert_same_payload, payload, study
from tiny_stores import files, run

from manybody.study.block_files import CorruptBlock
from manybody.study.blocks import disagreement, read_block
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(tmp_path_factory.mktemp("finished") / "store")[0]


def test_a_block_cut_at_any_byte_is_seen(finished, tmp_path):
    whole = files(finished)[0]
    content = whole.read_bytes()
    target = tmp_path / whole.name
    cuts = [*range(0, len(content), 97), len(content) - 1]
    for length in cuts:
        target.write_bytes(content[:length])
        with pytest.raises(CorruptBlock, match="does not match its name"):
            read_block(target)
    altered = bytearray(content)
    altered[len(content) // 2] ^= 1
    target.write_bytes(altered)
    with pytest.raises(CorruptBlock):
        read_block(target)
    target.write_bytes(content)
    assert len(read_block(target).samples) == 2


def test_a_corrupt_block_is_set_aside_and_recomputed(finished, tmp_path, caplog):
    store, _ = run(tmp_path / "store")
    victim = [path for path in files(store) if path.suffix == ".h5"][2]
    victim.write_bytes(victim.read_bytes()[:1000])
    stored = store.study
    points = [point for system in stored.systems for point in system.points]
    problems = [problem for point in points for problem in store.read(stored, point)[1]]
    assert len(problems) == 1 and victim.name in problems[0]
    _, outcome = run(tmp_path / "store")
    assert 1 <= outcome.computed <= 2
    assert str(victim) in caplog.text and "torn" in caplog.text
    assert victim.with_suffix(".corrupt").exists()
    assert_same_payload(payload(store), payload(finished))


def test_duplicates_are_compared_not_averaged(finished, tmp_path, caplog):
    store, _ = run(tmp_path / "store")
    point = store.study.systems[0].points[0]
    # The same samples again, with another wall time: another file, no difference.
    run_study_again = Store(tmp_path / "twin")
    run_study(prepare(study(), run_study_again), run_study_again, quiet=True)
    for path in run_study_again.block_paths(point):
        (store.folder(point) / path.name).write_bytes(path.read_bytes())
    assert len(store.block_paths(point)) > 3
    assert_same_payload(payload(store), payload(finished))
    # Other numbers under the same study are a conflict: neither is averaged.
    path = store.block_paths(point)[0]
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        file["trace_distance"][0, 0, 1] += 1e-9
    content = image.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:16]
    twin = path.with_name(f"{path.stem[:13]}-{digest}.h5")
    twin.write_bytes(content)
    blocks, problems = store.read(store.study, point)
    assert any(twin.name in problem for problem in problems)
    assert all("differs" in problem for problem in problems)
    disputed = int(read_block(path).samples[0])
    kept = [int(sample) for block in blocks for sample in block.samples]
    assert sorted(kept) == [sample for sample in range(5) if sample != disputed]
    # The next run sets both aside and computes their samples again.
    for third in store.block_paths(point):
        if third.name[:13] == path.name[:13] and third not in (path, twin):
            third.unlink()
    caplog.clear()
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == len(read_block(path.with_suffix(".disputed")).samples) == 2
    assert f"set aside, to be computed again: sample {disputed}" in caplog.text
    assert twin.with_suffix(".disputed").exists() and not twin.exists()
    assert_same_payload(payload(store), payload(finished))


def test_of_duplicates_that_differ_by_rounding_one_is_taken(finished, tmp_path, caplog):
    """As where a job wakes after its claim went to a machine of another type."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    path = store.block_paths(point)[0]
    expected = read_block(path).arrays["trace_distance"][0]
    for shift in (3e-15, -4e-15):
        image = io.BytesIO(path.read_bytes())
        with h5py.File(image, "r+") as file:
            file["trace_distance"][0, 0, 1] += shift
        digest = hashlib.sha256(image.getvalue()).hexdigest()[:16]
        path.with_name(f"{path.stem[:13]}-{digest}.h5").write_bytes(image.getvalue())
    blocks, problems = store.read(store.study, point)
    assert problems == [] and "differs by rounding between" in caplog.text
    assert sorted(int(sample) for block in blocks for sample in block.samples) == [*range(5)]
    first = read_block(store.block_paths(point)[0]).arrays["trace_distance"][0]
    np.testing.assert_array_equal(blocks[0].arrays["trace_distance"][0], first)
    assert np.abs(first - expected).max() < 1e-14
    before = files(store)
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == 0 and files(store) == before


def test_foreign_blocks_are_refused(finished, tmp_path, caplog):
    """Blocks of another seed, another point or another range, intact and under a valid name."""
    store, _ = run(tmp_path / "store")
    other, _ = run(tmp_path / "other", text={"seed = 3": "seed = 4"})
    later, _ = run(tmp_path / "later", text={"4.0, 11.0": "4.0, 12.0"})
    first, second = store.study.systems[0].points
    victim = store.block_paths(first)[0]
    digest = victim.stem.split("-")[2]
    foreign = {
        "seeds": other.block_paths(first)[0],
        "times": later.block_paths(first)[0],
        "model": store.block_paths(second)[0],
    }
    for word, source in foreign.items():
        target = store.folder(first) / source.name
        target.write_bytes(source.read_bytes())
        _, problems = store.read(store.study, first)
        assert len(problems) == 1
        assert source.name in problems[0] and word in problems[0]
        target.unlink()
    renamed = victim.with_name(f"000007-000009-{digest}.h5")
    victim.rename(renamed)
    _, outcome = run(tmp_path / "store")
    assert outcome.computed == 2
    assert "foreign" in caplog.text
    assert renamed.with_suffix(".corrupt").exists()
    assert_same_payload(payload(store), payload(finished))


def test_blocks_older_than_a_figure_are_read(finished, tmp_path):
    """entries_kept and drop_error came later: older blocks mean their defaults."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "older"))
    point = store.study.systems[0].points[0]
    for path in store.block_paths(point):
        with h5py.File(path, "r+") as file:
            del file["entries_kept"], file["drop_error"]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        path.rename(path.with_stem("-".join([*path.stem.split("-")[:2], digest])))
    blocks, problems = store.read(store.study, point)
    assert problems == [] and store.set_aside_corrupt(store.study) == []
    for block in blocks:
        np.testing.assert_array_equal(block.arrays["entries_kept"], 1.0)
        np.testing.assert_array_equal(block.arrays["drop_error"], 0.0)


def test_shared_samples_agree_to_rounding_and_others_to_the_bit(finished, tmp_path):
    store = Store(shutil.copytree(finished.directory, tmp_path / "twice"))
    point = store.study.systems[0].points[0]
    original = read_block(store.block_paths(point)[0])
    for ranks, shift, low, high in (
        (1, 0.0, 0.0, 0.0),
        (1, 1e-13, 1e-3, 1.0),
        (1, 1e-9, 10.0, np.inf),
        (2, 1e-13, 1e-4, 0.1),
        (2, 1e-8, 10.0, np.inf),
        (1, np.nan, np.inf, np.inf),
    ):
        arrays = dict(original.arrays)
        arrays["trace_distance"] = arrays["trace_distance"] + shift
        other = replace(
            original, arrays=arrays, attributes={**original.attributes, "ranks_per_sample": ranks}
        )
        assert low <= disagreement(original, 0, other, 0) <= high
    fewer = replace(original, times=original.times[:-1])
    assert disagreement(original, 0, fewer, 0) == 0.0
    short = {**original.arrays, "trace_distance": original.arrays["trace_distance"][:, :-1]}
    assert disagreement(original, 0, replace(original, arrays=short), 0) == np.inf
