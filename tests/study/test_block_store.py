"""Every kind's store, with cases of which nothing is computed."""

import hashlib
import json
from dataclasses import replace

import pytest
from tiny_cases import case_store, theorem_study

from manybody.errors import InputError
from manybody.papers.kit.config import Record
from manybody.papers.snm.theorem import cases as theorem
from manybody.study.block_store import BlockStore
from manybody.study.description import kind_of, store_format
from manybody.study.runner import prepare
from manybody.study.selection import find_point
from manybody.study.status import point_statuses

STUDY = theorem_study()
CASE, NEXT = STUDY.cases[:2]


@pytest.fixture
def store(tmp_path):
    found = case_store(tmp_path / "store")
    prepare(STUDY, found)
    return found


def put(store, value, case=CASE, **attributes):
    """A block of one number."""
    return store.commit(STUDY, case, [Record(case, {"damping": value}, 1.0)], attributes)


def test_a_block_has_consecutive_samples(store):
    record = Record(CASE, {"damping": 1.0}, 1.0)
    with pytest.raises(ValueError, match="must be consecutive"):
        store.commit(STUDY, CASE, [record, record], {})
    assert not store.folder(CASE).exists()


def test_a_sample_that_is_there_has_not_failed(store):
    for sample in (0, 1):
        store.record_failure(STUDY, CASE, sample, ValueError("no"), {})
    folder = store.directory / "failures" / CASE.name
    (folder / "0x1.json").write_text("{}")
    assert store.failures(CASE).keys() == {0, 1}
    assert "ValueError: no\n" in json.loads(store.failures(CASE)[0].read_text())["traceback"][-1]
    put(store, 1.0)
    assert store.failures(CASE).keys() == {1}


def test_what_is_finished_but_for_some_files(store):
    path = put(store, 1.0)
    assert store.finished(CASE) == store.finished(CASE, [store.folder(NEXT) / path.name]) == {0}
    assert store.finished(CASE, [path]) == set()


@pytest.mark.parametrize("other", [2.0, 1.0 + 3e-11])
def test_blocks_that_contradict_each_other_are_set_aside_together(other, store):
    one, other, own = put(store, 1.0), put(store, other), put(store, 3.0, NEXT)
    blocks, (problem,) = store.read(STUDY, CASE)
    assert blocks == [] and problem.startswith(f"sample 0 of {CASE.name} differs between ")
    assert store.set_aside_corrupt(STUDY) == [f"set aside, to be computed again: {problem}"]
    assert all(path.with_suffix(".disputed").exists() for path in (one, other))
    assert not store.finished(CASE) and own.exists()


def test_what_cannot_be_read_is_not_among_the_contradictions(store):
    put(store, 1.0)
    put(store, 2.0)
    unread = store.folder(CASE) / f"000000-000001-{'0' * 16}.h5"
    unread.mkdir()
    left, aside = store.set_aside_corrupt(STUDY)
    assert left.startswith(f"left out: {unread} cannot be read") and unread.exists()
    assert aside.startswith(f"set aside, to be computed again: sample 0 of {CASE.name} differs")


def test_what_another_run_has_set_aside_is_not_said_again(store, monkeypatch):
    put(store, 1.0)
    put(store, 2.0)
    monkeypatch.setattr("manybody.study.block_store._renamed", lambda *_: False)
    assert store.set_aside_corrupt(STUDY) == []


@pytest.mark.parametrize(("change", "said"), [(0.0, False), (5e-12, True)])
def test_of_blocks_that_agree_the_first_is_taken(change, said, store, caplog):
    paths = sorted([put(store, 1.0), put(store, 1.0 + change, machine="another")])
    (block,), problems = store.read(STUDY, CASE)
    assert problems == [] and block.path == paths[0]
    assert ("by rounding" in caplog.text) == said
    assert store.set_aside_corrupt(STUDY) == [] and store.block_paths(CASE) == paths


def test_numbers_are_read_where_blocks_overlap_alone(store):
    def refuse(*_):
        raise AssertionError

    put(store, 1.0)
    kind = replace(store.kind, check_block=lambda *_: None, read_block=refuse)
    looked = BlockStore(store.directory, kind)
    assert looked.set_aside_corrupt(STUDY) == []
    put(store, 2.0)
    with pytest.raises(AssertionError):
        looked.set_aside_corrupt(STUDY)


def test_checkpoints_of_what_is_there_are_swept(store):
    put(store, 1.0)
    for case in (CASE, NEXT):
        folder = store.directory / "checkpoints" / case.name
        folder.mkdir(parents=True)
        (folder / "000000-1.state").write_bytes(b"")
    assert [each.checkpoints for each in point_statuses(store)[:3]] == [1, 1, 0]
    store.sweep_checkpoints(STUDY)
    assert [path.name for path in (store.directory / "checkpoints").iterdir()] == [NEXT.name]
    put(store, 1.0, NEXT)
    store.sweep_checkpoints(STUDY)
    assert not (store.directory / "checkpoints").exists()


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"format": []}', '{"format": {}}'])
def test_a_description_that_is_none_is_a_sentence(content, store):
    (store.directory / "study.json").write_text(content)
    assert kind_of(store.directory) == "samples"
    assert not store.is_older
    for attempt in (lambda: store.study, lambda: prepare(STUDY, store)):
        with pytest.raises(InputError, match="another kind of study, or one of a later version"):
            attempt()


@pytest.mark.parametrize("kind", ["samples", "theorem"])
def test_a_study_that_is_no_table_is_a_sentence(kind, tmp_path):
    store = case_store(tmp_path, kind)
    for written in store.kind.readers:
        for study in (3, [], {}, None, "x"):
            text = json.dumps({"format": written, "study": study})
            (store.directory / "study.json").write_text(text)
            assert kind_of(store.directory) == "samples"
            with pytest.raises(InputError, match="does not describe a study"):
                store.check(STUDY)


def older_store(folder, **changed):
    """A store of the first format with one case, of which something is changed."""
    (folder / "cases").mkdir(parents=True)
    description = {"format": "cases-1", "study": STUDY.to_json()}
    (folder / "study.json").write_text(json.dumps(description))
    content = {
        "format": "cases-1",
        "kind": STUDY.kind,
        "case": CASE.name,
        "settings": STUDY.settings,
        "parameters": CASE.given,
        "results": {"up": 1.0, "down": [2.0, 3.0]},
        "seconds": 4.5,
        "provenance": {"machine": "mine"},
    }
    image = json.dumps({**content, **changed}).encode()
    name = f"{changed.get('case', CASE.name)}-{hashlib.sha256(image).hexdigest()[:16]}.json"
    (folder / "cases" / name).write_bytes(image)
    (folder / "cases" / "letter.json").write_text("not a case")
    return case_store(folder)


def test_what_an_older_store_has_is_taken_over_once(tmp_path):
    store = older_store(tmp_path / "store")
    assert store.is_older
    with pytest.raises(InputError, match="was written by an earlier version"):
        print(store.study)
    prepare(STUDY, store)
    (record,), problems = store.read(STUDY, CASE)
    assert problems == [] and record.seconds == 4.5
    assert list(record.results.items()) == [("up", 1.0), ("down", [2.0, 3.0])]
    assert dict(record.attributes) == {"machine": "mine"}
    assert not store.is_older and store.study == STUDY
    written = [path.stat().st_mtime_ns for path in store.block_paths(CASE)]
    prepare(STUDY, store)
    assert written == [path.stat().st_mtime_ns for path in store.block_paths(CASE)]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"format": "cases-0"}, "belongs to another study"),
        ({"kind": "exact"}, "belongs to another study"),
        ({"settings": {}}, "belongs to another study"),
        ({"parameters": {}}, "belongs to another study"),
        ({"case": "another"}, ""),
    ],
)
def test_what_is_of_another_study_is_not_taken_over(changed, words, tmp_path, caplog):
    store = older_store(tmp_path / "store", **changed)
    prepare(STUDY, store)
    assert not (store.directory / "blocks").exists()
    assert words in caplog.text and ("left out" in caplog.text) == bool(words)


def test_a_case_again_beside_what_the_store_has(store):
    repeat = store.kind.repeat
    lines, agrees = repeat(store, CASE, 0, None)
    assert agrees and lines[-1] == "the store does not hold this case"
    with pytest.raises(InputError, match="--index 1: a case is computed once"):
        repeat(store, CASE, 1, None)
    results = theorem.compute(STUDY.settings, CASE.given)
    path = store.commit(STUDY, CASE, [Record(CASE, results, 1.0)], {})
    lines, agrees = repeat(store, CASE, 0, None)
    assert agrees and lines[-1] == f"the same bits as in {path.name}"
    assert len(lines) == 2 + len(results)
    path.unlink()
    path = put(store, results["damping"] + 1.0)
    lines, agrees = repeat(store, CASE, 0, None)
    assert not agrees and lines[-1].startswith(f"differs from {path.name}: filling by up to inf")


def test_a_folder_without_a_description_has_no_format(tmp_path):
    assert store_format(tmp_path) is None and not case_store(tmp_path / "none").is_older
    with pytest.raises(InputError, match="is not a store: no study.json in it"):
        kind_of(tmp_path)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (["n_sites"], "--where n_sites: KEY=VALUE is needed"),
        (["n_sites=3"], "several systems have what is asked"),
        (["n_sites=three"], "no system has what is asked"),
        (["sites=3"], "no system has what is asked"),
        (["n_sites=4"], "no system has what is asked"),
        (["statistics=fermion", "lamb_shift=true"], "no system has what is asked"),
    ],
)
def test_what_names_no_case_or_several(where, words):
    with pytest.raises(InputError, match=words):
        find_point(STUDY, None, None, where)


def test_a_case_by_its_parameters():
    where = ["check=Equal", "n_sites=3.0", "sample=0", "statistics=boson", "lamb_shift=False"]
    assert find_point(STUDY, None, None, where) == NEXT
    with pytest.raises(InputError, match="no system has size 3 and what else is asked"):
        find_point(STUDY, 3, None, where)
