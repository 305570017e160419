import json
import os

import pytest
from tiny_cases import exact_study, numbers_of, theorem_study

from manybody.papers.kit import running
from manybody.papers.kit.kinds import KINDS
from manybody.papers.kit.running import plan_lines, prepare_cases, run_cases, status_lines
from manybody.papers.kit.store import CaseStore, holds_cases
from manybody.parallel.claims import Claims


def run(study, store, **options):
    prepare_cases(study, store)
    return run_cases(study, store, quiet=True, **options)


def spy(monkeypatch, before=lambda given: None):
    """Every case that is computed, in order; `before` may raise in its place."""
    computed = []
    kind = KINDS["theorem"]

    def compute(settings, given):
        before(given)
        computed.append(given)
        return kind.compute(settings, given)

    changed = {"theorem": running.KINDS["theorem"].__class__(kind.parse, compute, kind.build_page)}
    monkeypatch.setattr(running, "KINDS", changed)
    return computed


def test_a_second_run_computes_nothing(tmp_path, monkeypatch):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    computed = spy(monkeypatch)
    assert not holds_cases(store.directory)
    outcome = run(study, store)
    assert (outcome.computed, outcome.present, outcome.failed, outcome.missing) == (16, 0, 0, 0)
    assert holds_cases(store.directory)
    names = sorted(path.name for path in (store.directory / "cases").iterdir())
    again = run(study, store)
    assert (again.computed, again.present) == (0, 16)
    assert len(computed) == 16
    assert names == sorted(path.name for path in (store.directory / "cases").iterdir())
    # Nothing else lies about.
    assert sorted(path.name for path in store.directory.iterdir()) == ["cases", "study.json"]


def test_a_file_says_all_of_a_case(tmp_path):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    run(study, store)
    record = store.read(study)[0][0]
    content = json.loads(record.path.read_text())
    assert content["parameters"] == study.cases[0].given
    assert content["settings"] == dict(study.settings)
    assert content["results"] == dict(KINDS["theorem"].compute(study.settings, record.case.given))
    assert content["seconds"] > 0.0
    assert {"numpy", "git_revision", "hostname", "ranks"} <= content["provenance"].keys()


def test_a_kill_between_cases_costs_nothing(tmp_path, monkeypatch):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    whole = CaseStore(tmp_path / "whole")
    run(study, whole)

    def die(given):
        if len(computed) == 5:
            raise KeyboardInterrupt

    computed = spy(monkeypatch, die)
    with pytest.raises(KeyboardInterrupt):
        run(study, store)
    assert len(store.finished()) == 5
    # The claim of a process that was killed, and what it was writing.
    (store.directory / "claims").mkdir(exist_ok=True)
    Claims(store.directory / "claims")._create(store.directory / "claims" / study.cases[-1].name)
    half = f".{os.uname().nodename}.999999.{'0' * 32}.tmp"
    (store.directory / "cases" / half).write_text("{")
    dead = (store.directory / "claims" / study.cases[-1].name).read_text().split()
    (store.directory / "claims" / study.cases[-1].name).write_text(
        f"{dead[0]} 999999 {dead[2]} {dead[3]}"
    )
    computed = spy(monkeypatch)
    outcome = run(study, store)
    assert (outcome.present, outcome.computed, len(computed)) == (5, 11, 11)
    assert numbers_of(store) == numbers_of(whole)
    assert not list(store.directory.rglob("*.tmp"))
    assert not (store.directory / "claims").exists()


def test_torn_and_foreign_files_are_named_set_aside_and_computed_again(tmp_path, caplog):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    run(study, store)
    expected = numbers_of(store)
    paths = sorted((store.directory / "cases").iterdir())
    paths[0].write_bytes(paths[0].read_bytes()[:-20])
    altered = json.loads(paths[1].read_text())
    altered["results"]["damping"] = 7.0
    paths[1].write_text(json.dumps(altered))
    # Whole, but of other settings.
    other = CaseStore(tmp_path / "other")
    run(theorem_study(("strength = 0.2", "strength = 0.3")), other)
    name = paths[2].name[:-22]
    paths[2].unlink()
    stranger = other.paths()[name][0]
    (store.directory / "cases" / stranger.name).write_bytes(stranger.read_bytes())
    records, problems = store.read(study)
    assert len(records) == 13 and len(problems) == 3
    caplog.clear()
    outcome = run(study, store)
    said = caplog.text
    assert (outcome.computed, outcome.present) == (3, 13)
    for path in (paths[0], paths[1], stranger):
        assert path.name in said
    assert said.count("set aside") == 3 and said.count("hash") == 2
    assert "belongs to another study" in said
    assert len(list((store.directory / "cases").glob("*.corrupt"))) == 3
    assert numbers_of(store) == expected


def test_duplicates_that_differ_are_left_out(tmp_path):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    run(study, store)
    case = study.cases[0]
    results = dict(store.read(study)[0][0].results)
    store.commit(study, case, results, 99.0, {})
    assert len(store.read(study)[0]) == 16
    store.commit(study, case, {**results, "damping": 1.0}, 1.0, {})
    records, problems = store.read(study)
    assert len(records) == 15
    assert f"{case.name} differs" in problems[0]


def test_a_folder_of_another_study_is_refused(tmp_path):
    store = CaseStore(tmp_path / "store")
    run(theorem_study(), store)
    before = (store.directory / "study.json").read_bytes()
    with pytest.raises(ValueError, match=r"strength is 0\.2 there and 0\.25 here"):
        prepare_cases(theorem_study(("strength = 0.2", "strength = 0.25")), store)
    with pytest.raises(ValueError, match='kind is "theorem" there and "exact" here'):
        prepare_cases(exact_study(), store)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("not yours")
    with pytest.raises(ValueError, match="not empty and not a store"):
        prepare_cases(theorem_study(), CaseStore(tmp_path / "full"))
    (tmp_path / "ensemble").mkdir()
    (tmp_path / "ensemble" / "study.json").write_text('{"format": 3, "study": {}}')
    assert not holds_cases(tmp_path / "ensemble")
    with pytest.raises(ValueError, match="another kind of study"):
        prepare_cases(theorem_study(), CaseStore(tmp_path / "ensemble"))
    assert (store.directory / "study.json").read_bytes() == before


def test_more_cases_join_those_that_are_there(tmp_path, monkeypatch):
    store = CaseStore(tmp_path / "store")
    run(theorem_study(), store)
    computed = spy(monkeypatch)
    larger = theorem_study(("[3, 6]", "[3, 4]"))
    outcome = run(larger, store)
    assert outcome.computed == len(computed) == 8
    assert {given["n_sites"] for given in computed} == {4}
    assert len(store.study.cases) == 24
    assert len(numbers_of(store)) == 24


def test_a_failing_case_is_recorded_and_the_rest_goes_on(tmp_path, monkeypatch, caplog):
    study, store = theorem_study(), CaseStore(tmp_path / "store")

    def fail(given):
        if given["n_sites"] == 6 and given["statistics"] == "boson":
            raise ArithmeticError("too hot")

    spy(monkeypatch, fail)
    outcome = run(study, store)
    assert (outcome.computed, outcome.failed, outcome.missing) == (12, 4, 0)
    assert "FAILED: " in caplog.text
    failure = json.loads(next(iter(store.failures().values())).read_text())
    assert failure["error"] == "ArithmeticError: too hot"
    assert failure["parameters"]["n_sites"] == 6
    lines = "\n".join(status_lines(store))
    assert "12 of 16 cases" in lines and "4 failed" in lines and "FAILED: " in lines
    monkeypatch.undo()
    outcome = run(study, store)
    assert (outcome.computed, outcome.failed) == (4, 0)
    assert store.failures() == {}


def test_numbers_that_are_not_finite_are_a_failure(tmp_path, monkeypatch):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    kind = running.KINDS["theorem"]
    infinite = kind.__class__(kind.parse, lambda *_: {"damping": float("inf")}, kind.build_page)
    monkeypatch.setattr(running, "KINDS", {"theorem": infinite})
    outcome = run(study, store)
    assert (outcome.computed, outcome.failed) == (0, 16)
    assert "damping = inf" in next(iter(store.failures().values())).read_text()
    assert not (store.directory / "cases").exists()


def test_a_mistake_of_the_program_ends_the_run(tmp_path, monkeypatch):
    def break_down(given):
        raise TypeError("broken")

    spy(monkeypatch, break_down)
    with pytest.raises(TypeError, match="broken"):
        run(theorem_study(), CaseStore(tmp_path / "store"))


def test_a_stop_request_ends_after_the_case_at_hand(tmp_path, monkeypatch):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    computed = spy(monkeypatch)
    outcome = run(study, store, stop=lambda: "SIGUSR1" if len(computed) >= 3 else "")
    assert (outcome.computed, outcome.missing, outcome.stopped) == (3, 13, "SIGUSR1")
    lines = "\n".join(status_lines(store))
    assert "3 of 16 cases" in lines and "13 missing" in lines


def test_a_case_held_by_another_process_is_waited_for(tmp_path, monkeypatch):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    prepare_cases(study, store)
    held = study.cases[0]
    with Claims(store.directory / "claims") as other:
        assert other.acquire(held.name)

        def finish(seconds):
            store.commit(study, held, {"damping": 0.0, "filling": 0.0}, 1.0, {})
            other.release(held.name)

        monkeypatch.setattr(running.time, "sleep", finish)
        computed = spy(monkeypatch)
        outcome = run_cases(study, store, quiet=True)
    assert outcome.computed == len(computed) == 15
    assert outcome.missing == 0


def test_shards_cover_everything_once(tmp_path):
    study, store = theorem_study(), CaseStore(tmp_path / "store")
    counts = [run(study, store, shard=(index, 3)).computed for index in range(3)]
    assert counts == [6, 5, 5]
    assert len(store.finished()) == 16


def test_a_plan_names_the_number_of_cases_and_their_cost():
    study = exact_study()
    lines = "\n".join(plan_lines(study, 2))
    assert "10 cases" in lines and "2 rank(s)" in lines
    # The cost model knows what is expensive.
    costs = {case.name: case.cost for case in study.cases}
    assert max(costs, key=costs.get).startswith("routes-pair")
