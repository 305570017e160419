"""merge, sample and status: what people do with stores that are there."""

import hashlib
import io
import itertools
import os
import re
import shutil

import h5py
import pytest
from tiny import TINY, assert_same_payload, payload, study

from manybody import cli
from manybody.parallel.claims import Claims
from manybody.solve.observables.registry import measure
from manybody.study import merging
from manybody.study.merging import merge
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("finished") / "store")
    run_study(prepare(study(), store, None, TINY), store, quiet=True)
    return store


@pytest.fixture(scope="module")
def thirds(tmp_path_factory):
    """Three shards, each begun further than it had to: some samples are in two stores."""
    stores = []
    for index in range(3):
        store = Store(tmp_path_factory.mktemp("third") / f"store-{index}")
        prepared = prepare(study(), store, None, TINY)
        run_study(prepared, store, quiet=True, shard=(index, 3))
        if index == 1:
            run_study(prepared, store, quiet=True, shard=(0, 4))
        stores.append(store)
    # Each has something that the others do not even ask for.
    more = study(text={"[4, 6]": "[5]", "samples = 5": "samples = 1"})
    run_study(prepare(more, stores[2], None, TINY), stores[2], quiet=True)
    point = stores[0].study.systems[0].points[0]
    for index in (0, 2):
        # Two records of one failure, and one of a sample that another store has.
        stores[index].record_failure(study(), point, 99, ValueError(f"number {index}"), {})
    stores[1].record_failure(study(), point, 0, ValueError("of no account"), {})
    return stores


def contents(store):
    return {
        str(path.relative_to(store.directory)): path.read_bytes()
        for path in store.directory.rglob("*")
        if path.is_file()
    }


def test_any_order_gives_the_same_files(thirds, finished, tmp_path):
    found = []
    for order in itertools.permutations(range(3)):
        target = Store(tmp_path / "".join(map(str, order)))
        merged = merge([thirds[index] for index in order], target)
        assert merged.problems == ()
        assert merged.copied == sum(len(list(s.directory.rglob("*.h5"))) for s in thirds)
        found.append((contents(target), merged.duplicates))
    assert all(one == found[0] for one in found)
    assert found[0][1] > 0
    files = found[0][0]
    assert [name for name in files if name.startswith("failures")] == [
        f"failures/{thirds[0].study.systems[0].points[0].name}/000099.json"
    ]
    merged = payload(Store(tmp_path / "012"))
    extra = {key: values for key, values in merged.items() if "n_sites=5" in key[0]}
    assert len(extra) == 1
    assert_same_payload({k: v for k, v in merged.items() if k not in extra}, payload(finished))


def test_again_into_itself_and_one_after_another(thirds, tmp_path):
    target = Store(tmp_path / "target")
    merge(thirds, target)
    before = contents(target)
    again = merge([*thirds, target], target)
    assert (again.copied, again.problems) == (0, ())
    assert contents(target) == before
    steps = Store(tmp_path / "steps")
    for one in reversed(thirds):
        merge([one], steps)
    assert {n: c for n, c in contents(steps).items() if n.startswith(("blocks", "fail"))} == {
        n: c for n, c in before.items() if n.startswith(("blocks", "fail"))
    }


@pytest.mark.parametrize("writes", [1, 2, 3, 7, 12])
def test_an_interrupted_merge_is_repeated(writes, thirds, tmp_path, monkeypatch):
    whole, target = Store(tmp_path / "whole"), Store(tmp_path / "target")
    merge(thirds, whole)
    left, real = [writes], merging.write_atomically

    def die(path, content):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr(merging, "write_atomically", die)
    with pytest.raises(KeyboardInterrupt):
        merge(thirds, target)
    monkeypatch.undo()
    assert not list(target.directory.rglob("*.tmp"))
    merge(thirds[::-1], target)
    assert contents(target) == contents(whole)


def test_a_sample_that_differs_is_said_and_left_out(finished, tmp_path, capsys):
    other = Store(shutil.copytree(finished.directory, tmp_path / "other"))
    point = finished.study.systems[0].points[1]
    path = other.block_paths(point)[1]
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        file["trace_distance"][0, 0, 1] += 1e-9
    digest = hashlib.sha256(image.getvalue()).hexdigest()[:16]
    path.unlink()
    path.with_name(f"{path.stem[:13]}-{digest}.h5").write_bytes(image.getvalue())
    out = tmp_path / "out"
    words = ["merge", str(finished.directory), str(other.directory), "--out", str(out)]
    assert cli.main(words) == 1
    printed = capsys.readouterr().out
    assert f"sample 2 of {point.name} differs between" in printed
    # The other sample of the two blocks agrees.
    assert re.search(r"13 blocks copied, 1 duplicate samples agree", printed)
    found, problems = Store(out).read(finished.study, point)
    assert len(problems) == 1
    assert sorted(int(s) for block in found for s in block.samples) == [0, 1, 3, 4]
    # Both are still there, for whoever has to find out.
    assert len(Store(out).block_paths(point)) == 4


def test_other_studies_are_refused_before_anything_is_written(finished, tmp_path, capsys):
    other = Store(tmp_path / "other")
    prepare(study(text={"seed = 3": "seed = 4"}), other)
    out = tmp_path / "out"
    stores = [str(finished.directory), str(other.directory)]
    assert cli.main(["merge", *stores, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "holds another study" in said and "seed" in said and said.count("\n") == 1
    assert not out.exists()
    before = contents(other)
    assert cli.main(["merge", str(finished.directory), "--out", str(other.directory)]) == 2
    assert contents(other) == before
    assert cli.main(["merge", str(tmp_path / "nowhere"), "--out", str(out)]) == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    assert cli.main(["merge", str(finished.directory), "--out", str(tmp_path / "full")]) == 2
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    assert not out.exists()


def test_torn_blocks_do_not_travel_and_torn_copies_are_mended(finished, tmp_path, capsys):
    ill = Store(shutil.copytree(finished.directory, tmp_path / "ill"))
    point = ill.study.systems[0].points[0]
    torn = ill.block_paths(point)[0]
    torn.write_bytes(torn.read_bytes()[:-1])
    out = tmp_path / "out"
    assert cli.main(["merge", str(ill.directory), "--out", str(out)]) == 1
    assert f"LEFT OUT: {torn} is torn" in capsys.readouterr().out
    assert not (Store(out).folder(point) / torn.name).exists()
    # Where a store has the whole one, the torn one of the target is written again.
    assert cli.main(["merge", str(finished.directory), "--out", str(ill.directory)]) == 0
    assert "1 blocks copied, 0 duplicate" in capsys.readouterr().out
    assert_same_payload(payload(ill), payload(finished))


def test_a_torn_copy_is_no_duplicate(finished, tmp_path):
    """It was not compared with anything."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    path = store.block_paths(point)[0]
    path.with_name(f"{path.stem[:13]}-{'0' * 16}.h5").write_bytes(b"torn")
    merged = merge([finished], store)
    assert (merged.copied, merged.duplicates, len(merged.problems)) == (0, 0, 1)


def test_a_sample_again(finished, capsys):
    where = ["sample", str(finished.directory), "--size"]
    assert cli.main([*where, "6", "--index", "3"]) == 0
    printed = capsys.readouterr().out
    point = finished.study.systems[0].points[1]
    assert printed.startswith(f"{point.name} sample 3\nseed ")
    assert " ".join(f"{word:016x}" for word in point.entropy(3, 3)) in printed
    assert "the same bits as in 000002-000004-" in printed
    # Anderson at two disorders has this size.
    assert cli.main([*where, "2", "--index", "0"]) == 2
    said = capsys.readouterr().err
    assert "several systems have size 2" in said and "--where" in said
    assert cli.main([*where, "2", "--index", "0", "--where", "disorder=5"]) == 0
    assert "disorder=5.0" in capsys.readouterr().out
    for bad in (
        ["6", "--index", "-1"],
        ["7", "--index", "0"],
        ["2", "--index", "0", "--where", "disorder"],
        ["2", "--index", "0", "--where", "disorder=6"],
        ["6", "--index", "0", "--model", "ising"],
    ):
        assert cli.main([*where, *bad]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    # One that the study does not have yet.
    assert cli.main([*where, "6", "--index", "77"]) == 0
    assert "the store does not hold this sample" in capsys.readouterr().out


def test_a_sample_that_is_another_is_said(finished, tmp_path, capsys):
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[1]
    path = store.block_paths(point)[0]
    for shift, code in ((1e-12, 0), (1e-3, 1)):
        image = io.BytesIO(path.read_bytes())
        with h5py.File(image, "r+") as file:
            file["trace_distance"][1, 0, 2] += shift
        digest = hashlib.sha256(image.getvalue()).hexdigest()[:16]
        path.unlink()
        path = path.with_name(f"{path.stem[:13]}-{digest}.h5")
        path.write_bytes(image.getvalue())
        words = ["sample", str(store.directory), "--size", "6", "--index", "1"]
        assert cli.main(words) == code
        assert "differs from" in capsys.readouterr().out


def test_a_figure_that_is_no_number_agrees_with_itself(tmp_path, capsys, monkeypatch):
    def nothing(*arguments):
        return {**measure(*arguments), "eth_ratio": float("nan")}

    monkeypatch.setattr("manybody.study.samples.measure", nothing)
    asked = study(
        text={
            "times = [0.0, 1.5, 4.0, 11.0]\n": "",
            "[bath]": 'observables = ["level_statistics"]\n[bath]',
            "samples = 5": "samples = 1",
        }
    )
    store = Store(tmp_path / "store")
    run_study(prepare(asked, store), store, quiet=True)
    assert cli.main(["sample", str(store.directory), "--size", "6", "--index", "0"]) == 0
    assert "the same bits" in capsys.readouterr().out


def rows_of(printed):
    """Name -> numbers; those of a long name are in the line below it."""
    words = [line.split() for line in printed.splitlines()]
    named = [(own, below) for own, below in zip(words, words[1:]) if own and "=" in own[0]]
    return {own[0]: (own[1:] or below)[:5] for own, below in named}


def test_status_of_any_store(finished, tmp_path, capsys):
    def status(store):
        assert cli.main(["status", str(store.directory)]) == 0
        return capsys.readouterr().out

    printed = status(finished)
    assert printed.startswith("tiny: 20 of 20 samples")
    assert "nothing is left to do" in printed

    empty = Store(tmp_path / "empty")
    prepare(study(), empty)
    printed = status(empty)
    assert "0 of 20 samples" in printed
    # As the cost model has it.
    assert "20 samples are left: 0 s on one core" in printed

    partial = Store(shutil.copytree(finished.directory, tmp_path / "partial"))
    points = [point for system in partial.study.systems for point in system.points]
    partial.block_paths(points[0])[0].unlink()
    for path in partial.block_paths(points[1]):
        path.unlink()
    failed = partial.record_failure(study(), points[1], 4, ValueError("no"), {})
    torn = partial.block_paths(points[2])[0]
    torn.write_bytes(b"torn")
    printed = status(partial)
    assert "11 of 20 samples" in printed and f"TORN: {torn}" in printed
    # samples, done, running, missing, failed
    rows = rows_of(printed)
    assert rows[points[0].name] == ["5", "3", "0", "2", "0"]
    assert rows[points[1].name] == ["5", "0", "0", "4", "1"]
    assert f"FAILED: {points[1].name} sample 4, see {failed}" in printed
    assert "8 samples are left" in printed

    # While somebody is at work, and when one has died at work.
    with Claims(partial.directory / "claims") as claims:
        claims.acquire(f"{points[1].name}.000000-000002")
        printed = status(partial)
        rows = rows_of(printed)
        assert rows[points[1].name] == ["5", "0", "2", "2", "1"]
        name = f"{points[1].name}.000002-000004"
        mine = claims.owner_of(f"{points[1].name}.000000-000002").split()
        dead = [mine[0], "4194305", *mine[2:]]
        (partial.directory / "claims" / name).write_text(" ".join(dead))
        assert status(partial).count(" 2        2 ") == printed.count(" 2        2 ")
    assert cli.main(["status", str(tmp_path)]) == 2
    assert "not a store" in capsys.readouterr().err


def test_the_status_of_a_sample_that_failed_before_it_was_done(finished, tmp_path, capsys):
    """A death between the commit and the removal of the record."""
    store = Store(shutil.copytree(finished.directory, tmp_path / "store"))
    point = store.study.systems[0].points[0]
    store.record_failure(study(), point, 1, ValueError("long ago"), {})
    assert cli.main(["status", str(store.directory)]) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_a_store_of_many_samples_is_looked_through(finished, tmp_path, capsys):
    """10⁵ samples of one point in 20 000 blocks: links to one, whose bytes are all looked at."""
    store = Store(tmp_path / "store")
    prepare(study(text={"samples = 5": "samples = 100000", "[4, 6]": "[4]"}), store)
    point = store.study.systems[0].points[0]
    source = finished.block_paths(point)[0]
    folder = store.folder(point)
    folder.mkdir(parents=True)
    for index in range(0, 100_000, 5):
        os.link(source, folder / f"{index:06d}-{index + 5:06d}-{source.stem[-16:]}.h5")
    assert cli.main(["status", str(store.directory)]) == 0
    assert "100000 of 300000 samples" in capsys.readouterr().out
    assert store.finished(point) == set(range(100_000))
