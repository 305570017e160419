import json
import math
import os

import h5py
import pytest
from tiny_cases import case_store, compute, exact_study, finished, numbers_of, theorem_study

from manybody.cli.kinds import kind_named
from manybody.papers.kit.case_kind import read_records
from manybody.papers.kit.config import Record
from manybody.papers.snm.theorem import cases as theorem
from manybody.parallel.claims import Claims
from manybody.study import assignments
from manybody.study.merging import merge
from manybody.study.runner import prepare
from manybody.study.status import status_lines

COMPUTE = theorem.compute


def spy(monkeypatch, before=lambda given: None):
    """Every case that is computed, in order; `before` may raise in its place."""
    computed = []

    def compute_one(settings, given):
        before(given)
        computed.append(given)
        return COMPUTE(settings, given)

    monkeypatch.setattr(theorem, "compute", compute_one)
    return computed


def failures_of(store):
    """Records of failed cases."""
    return [path for case in store.study.cases for path in store.failures(case).values()]


def blocks_of(store):
    """Every file of a block or what was one, by name."""
    return sorted((store.directory / "blocks").rglob("*.*"))


def test_a_second_run_computes_nothing(tmp_path, monkeypatch):
    study, store = theorem_study(), case_store(tmp_path / "store")
    computed = spy(monkeypatch)
    outcome = compute(study, store)
    assert (outcome.computed, outcome.present, outcome.failed, outcome.missing) == (16, 0, 0, 0)
    names = blocks_of(store)
    again = compute(study, store)
    assert (again.computed, again.present) == (0, 16)
    assert len(computed) == 16
    assert names == blocks_of(store) and len(names) == 16
    # Nothing else lies about.
    assert sorted(path.name for path in store.directory.iterdir()) == ["blocks", "study.json"]


def test_a_file_says_all_of_a_case(tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    compute(study, store)
    record = read_records(store, study)[0][0]
    with h5py.File(record.path) as file:
        content = dict(file.attrs)
    assert json.loads(content["parameters"]) == study.cases[0].given
    assert json.loads(content["study"]) == dict(study.settings)
    own = theorem.compute(study.settings, record.case.given)
    assert record.results == own and list(record.results) == list(own)
    assert record.seconds > 0.0
    assert {"numpy", "git_revision", "hostname", "ranks"} <= record.attributes.keys()
    # In their order, whatever that of their names is.
    turned = dict(reversed(own.items()))
    other = case_store(tmp_path / "turned")
    prepare(study, other)
    other.commit(study, record.case, [Record(record.case, turned, 1.0)], {})
    assert list(read_records(other, study)[0][0].results) == list(turned)


def test_a_block_gives_back_what_it_was_given(tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    case, results = study.cases[0], {"up": 1.0, "curve": [0.5, 0.25], "down": -2}
    prepare(study, store)
    path = store.commit(study, case, [Record(case, results, 1.5)], {"machine": "mine"})
    (record,), problems = store.read(study, case)
    assert problems == [] and list(record.results.items()) == list(results.items())
    assert (record.case, record.seconds, record.path) == (case, 1.5, path)
    assert dict(record.attributes) == {"machine": "mine"}
    with h5py.File(path) as file:
        assert file["seconds"].attrs["units"] == "s"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("store_format", "cases-9", "is foreign: it has other store format"),
        ("study_hash", "0", "is foreign: it has other study"),
        ("case", "another", "is foreign: it has other case"),
        ("parameters", "{}", "is foreign: it has other parameters"),
        ("results", '["damping", "x"]', "is not a block of this store"),
        ("results", "[", "is not a block of this store"),
        ("results", "5", "is not a block of this store"),
    ],
)
def test_a_block_that_says_something_else_is_not_used(key, value, words, tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    case = study.cases[0]
    prepare(study, store)
    store.commit(study, case, [Record(case, {"damping": 1.0}, 1.0)], {key: value})
    records, (problem,) = read_records(store, study)
    assert records == [] and words in problem
    assert len(store.set_aside_corrupt(study)) == 1 and not store.finished(case)


def test_a_block_of_a_case_is_of_its_first_sample(tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    case = study.cases[0]
    prepare(study, store)
    path = store.commit(study, case, [Record(case, {"damping": 1.0}, 1.0)], {})
    path.rename(path.with_name(path.name.replace("000000-000001", "000001-000002")))
    assert "it has other samples" in read_records(store, study)[1][0]
    assert compute(study, store).computed == 16
    assert store.finished(case) == {0}


def test_a_block_that_cannot_be_read_stays(tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    compute(study, store)
    (path,) = store.block_paths(study.cases[0])
    image = path.read_bytes()
    path.unlink()
    path.mkdir()
    (problem,) = store.set_aside_corrupt(study)
    assert problem.startswith(f"left out: {path} cannot be read") and path.exists()
    path.rmdir()
    path.write_bytes(image)
    assert compute(study, store).computed == 0


@pytest.mark.parametrize(
    ("left", "right", "least", "most"),
    [
        ({}, {}, 0.0, 0.0),
        ({"a": 1.0}, {"a": 1.0}, 0.0, 0.0),
        ({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0 + 1e-13}, 1e-3, 1.0),
        ({"a": 1.0 + 1e-9, "b": 1.0}, {"a": 1.0, "b": 1.0}, 10.0, 1e3),
        ({"a": [1.0, 2.0]}, {"a": [1.0]}, math.inf, math.inf),
        ({"a": 1.0}, {"b": 1.0}, math.inf, math.inf),
        ({"a": 1.0}, {}, math.inf, math.inf),
    ],
)
def test_two_blocks_of_a_case_agree_to_rounding(left, right, least, most):
    case, kind = theorem_study().cases[0], kind_named("theorem")
    one, other = Record(case, left, 1.0), Record(case, right, 2.0)
    assert least <= kind.disagreement(one, 0, other, 0) <= most


def test_two_stores_are_compared_result_by_result(tmp_path):
    study, stores = theorem_study(), [case_store(tmp_path / name) for name in ("left", "right")]
    pairs = [
        ({"a": 1.0, "b": [1.0, 2.0]}, {"a": 1.0, "b": [1.0, 2.0]}),
        ({"a": 1.0, "b": 2.0}, {"a": 1.5, "b": 2.25}),
        ({"a": [1.0, 1.0]}, {"a": [1.0]}),
        ({"a": 1.0}, {"a": 1.0, "b": 1.0}),
    ]
    for side, store in enumerate(stores):
        prepare(study, store)
        for case, pair in zip(study.cases, pairs):
            store.commit(study, case, [Record(case, pair[side], 1.0)], {})
    last = study.cases[-1]
    stores[0].commit(study, last, [Record(last, {"a": 1.0}, 1.0)], {})
    own = [case.name for case in study.cases]
    expected = [
        f"{stores[0].directory} against {stores[1].directory}",
        "the studies are the same",
        "4 cases in common, 1 equal",
        f"  {own[3]}: b by up to inf",
        f"  {own[2]}: a by up to inf",
        f"  {own[1]}: a by up to 5.00e-01",
    ]
    assert stores[0].kind.comparison_lines(*stores)[: len(expected)] == expected
    title, head, row = stores[0].kind.comparison_lines(*stores)[len(expected) :]
    assert title == "cases that one store alone holds:"
    assert head.split() == ["first", "second"] and row.split() == [own[-1], "1", "0"]
    prepare(study, case_store(tmp_path / "none"))
    lines = stores[0].kind.comparison_lines(stores[0], case_store(tmp_path / "none"))
    assert lines[1:4] == [
        "the studies are the same",
        "they have no case in common",
        "cases that one store alone holds:",
    ]
    assert len(lines) == 10


def test_a_kill_between_cases_costs_nothing(tmp_path, monkeypatch):
    study, store = theorem_study(), case_store(tmp_path / "store")
    whole = case_store(tmp_path / "whole")
    compute(study, whole)

    def die(given):
        if len(computed) == 5:
            raise KeyboardInterrupt

    computed = spy(monkeypatch, die)
    with pytest.raises(KeyboardInterrupt):
        compute(study, store)
    assert len(finished(store)) == 5
    # The claim of a process that was killed, and what it was writing.
    (store.directory / "claims").mkdir(exist_ok=True)
    claim = store.directory / "claims" / f"{study.cases[-1].name}.000000-000001"
    Claims(store.directory / "claims")._create(claim)
    half = f".{os.uname().nodename}.999999.{'0' * 32}.tmp"
    (store.directory / "blocks" / half).write_text("{")
    dead = claim.read_text().split()
    claim.write_text(f"{dead[0]} 999999 {dead[2]} {dead[3]}")
    computed = spy(monkeypatch)
    outcome = compute(study, store)
    assert (outcome.present, outcome.computed, len(computed)) == (5, 11, 11)
    assert numbers_of(store) == numbers_of(whole)
    assert not list(store.directory.rglob("*.tmp"))
    assert not (store.directory / "claims").exists()


def test_torn_and_foreign_files_are_named_set_aside_and_computed_again(tmp_path, caplog):
    study, store = theorem_study(), case_store(tmp_path / "store")
    compute(study, store)
    expected = numbers_of(store)
    paths = blocks_of(store)
    paths[0].write_bytes(paths[0].read_bytes()[:-20])
    image = bytearray(paths[1].read_bytes())
    image[len(image) // 2] ^= 1
    paths[1].write_bytes(image)
    # Whole, but of other settings.
    other = case_store(tmp_path / "other")
    compute(theorem_study(("strength = 0.2", "strength = 0.3")), other)
    (stranger,) = (other.directory / "blocks" / paths[2].parent.name).iterdir()
    paths[2].unlink()
    foreign = paths[2].parent / stranger.name
    foreign.write_bytes(stranger.read_bytes())
    records, problems = read_records(store, study)
    assert len(records) == 13 and len(problems) == 3
    caplog.clear()
    outcome = compute(study, store)
    said = caplog.text
    assert (outcome.computed, outcome.present) == (3, 13)
    for path in (paths[0], paths[1], foreign):
        assert path.name in said
    assert said.count("set aside") == 3 and said.count("torn or altered") == 2
    assert "foreign: it has other study" in said
    assert len([path for path in blocks_of(store) if path.suffix == ".corrupt"]) == 3
    assert numbers_of(store) == expected


def test_duplicates_that_differ_are_left_out(tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    compute(study, store)
    case = study.cases[0]
    results = dict(read_records(store, study)[0][0].results)
    store.commit(study, case, [Record(case, results, 99.0)], {})
    assert len(read_records(store, study)[0]) == 16
    store.commit(study, case, [Record(case, {**results, "damping": 1.0}, 1.0)], {})
    records, problems = read_records(store, study)
    assert len(records) == 15
    assert f"sample 0 of {case.name} differs" in problems[0]


def test_a_folder_of_another_study_is_refused(tmp_path):
    store = case_store(tmp_path / "store")
    compute(theorem_study(), store)
    before = (store.directory / "study.json").read_bytes()
    with pytest.raises(ValueError, match=r"0\.2 there and 0\.25 here.* \(cases may be added"):
        prepare(theorem_study(("strength = 0.2", "strength = 0.25")), store)
    with pytest.raises(ValueError, match='kind is "theorem" there and "exact" here'):
        prepare(exact_study(), store)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("not yours")
    with pytest.raises(ValueError, match="not empty and not a store"):
        prepare(theorem_study(), case_store(tmp_path / "full"))
    (tmp_path / "ensemble").mkdir()
    (tmp_path / "ensemble" / "study.json").write_text('{"format": 3, "study": {}}')
    with pytest.raises(ValueError, match="another kind of study"):
        prepare(theorem_study(), case_store(tmp_path / "ensemble"))
    assert (store.directory / "study.json").read_bytes() == before


def test_more_cases_join_those_that_are_there(tmp_path, monkeypatch):
    store = case_store(tmp_path / "store")
    compute(theorem_study(), store)
    computed = spy(monkeypatch)
    larger = theorem_study(("[3, 6]", "[3, 4]"))
    outcome = compute(larger, store)
    assert outcome.computed == len(computed) == 8
    assert {given["n_sites"] for given in computed} == {4}
    assert len(store.study.cases) == 24
    assert len(numbers_of(store)) == 24


def test_a_failing_case_is_recorded_and_the_rest_goes_on(tmp_path, monkeypatch, caplog):
    study, store = theorem_study(), case_store(tmp_path / "store")

    def fail(given):
        if given["n_sites"] == 6 and given["statistics"] == "boson":
            raise ArithmeticError("too hot")

    spy(monkeypatch, fail)
    outcome = compute(study, store)
    assert (outcome.computed, outcome.failed, outcome.missing) == (12, 4, 0)
    assert "FAILED: " in caplog.text
    failure = json.loads(failures_of(store)[0].read_text())
    assert failure["error"] == "ArithmeticError: too hot"
    assert failure["parameters"]["n_sites"] == 6
    lines = "\n".join(status_lines(store))
    assert "12 of 16 cases" in lines and "FAILED: " in lines
    monkeypatch.undo()
    outcome = compute(study, store)
    assert (outcome.computed, outcome.failed) == (4, 0)
    assert failures_of(store) == []


def test_numbers_that_are_not_finite_are_a_failure(tmp_path, monkeypatch):
    study, store = theorem_study(), case_store(tmp_path / "store")
    monkeypatch.setattr(theorem, "compute", lambda *_: {"damping": float("inf")})
    outcome = compute(study, store)
    assert (outcome.computed, outcome.failed) == (0, 16)
    assert "damping = inf" in failures_of(store)[0].read_text()
    assert not (store.directory / "blocks").exists()


def test_a_mistake_of_the_program_ends_the_run(tmp_path, monkeypatch):
    def break_down(given):
        raise TypeError("broken")

    spy(monkeypatch, break_down)
    with pytest.raises(TypeError, match="broken"):
        compute(theorem_study(), case_store(tmp_path / "store"))


def test_a_stop_request_ends_after_the_case_at_hand(tmp_path, monkeypatch):
    study, store = theorem_study(), case_store(tmp_path / "store")
    computed = spy(monkeypatch)
    outcome = compute(study, store, stop=lambda: "SIGUSR1" if len(computed) >= 3 else "")
    assert (outcome.computed, outcome.missing, outcome.stopped) == (3, 13, "SIGUSR1")
    lines = "\n".join(status_lines(store))
    assert "3 of 16 cases" in lines and "13 cases are left" in lines


def test_a_case_held_by_another_process_is_waited_for(tmp_path, monkeypatch):
    study, store = theorem_study(), case_store(tmp_path / "store")
    prepare(study, store)
    held = study.cases[0]
    with Claims(store.directory / "claims") as other:
        assert other.acquire(f"{held.name}.000000-000001")

        def finish(seconds):
            record = Record(held, {"damping": 0.0, "filling": 0.0}, 1.0)
            store.commit(study, held, [record], {})
            other.release(f"{held.name}.000000-000001")

        monkeypatch.setattr(assignments.time, "sleep", finish)
        computed = spy(monkeypatch)
        outcome = compute(study, store)
    assert outcome.computed == len(computed) == 15
    assert outcome.missing == 0


def test_shards_cover_everything_once(tmp_path):
    study, store = theorem_study(), case_store(tmp_path / "store")
    counts = [compute(study, store, shard=(index, 3)).computed for index in range(3)]
    assert counts == [6, 5, 5]
    assert len(finished(store)) == 16


def test_a_plan_names_the_number_of_cases_and_their_cost():
    study = exact_study()
    lines = "\n".join(kind_named("exact").plan_lines(study, 2))
    assert "10 cases" in lines and "2 rank(s)" in lines
    # The cost model knows what is expensive.
    costs = {case.name: case.cost for case in study.cases}
    assert max(costs, key=costs.get).startswith("routes-pair")


def test_shards_computed_apart_merge_into_the_whole(tmp_path):
    study, whole = theorem_study(), case_store(tmp_path / "whole")
    compute(study, whole)
    parts = [case_store(tmp_path / f"part-{index}") for index in range(3)]
    for index, part in enumerate(parts):
        compute(study, part, shard=(index, 3))
    # A case that two of them have is one, and a damaged one is left out with a word.
    compute(study, parts[0], shard=(1, 3))
    blocks_of(parts[2])[0].write_bytes(b"torn")
    merged = case_store(tmp_path / "merged")
    outcome = merge(parts, merged)
    assert (outcome.copied, outcome.duplicates) == (20, 5)
    assert len(outcome.problems) == 1 and "torn" in outcome.problems[0]
    assert len(finished(merged)) == 15
    assert compute(study, merged).computed == 1
    assert numbers_of(merged) == numbers_of(whole)
    with pytest.raises(ValueError, match="strength differ"):
        merge([whole], case_store(other(tmp_path)))


def other(tmp_path):
    """The folder of a store of another study."""
    store = case_store(tmp_path / "stranger")
    prepare(theorem_study(("strength = 0.2", "strength = 0.3")), store)
    return store.directory
