"""What `plan` predicts and how many ranks share a sample."""

import re
import shutil

import numpy as np
import pytest
from test_config import GOOD
from tiny import TABLES, TINY

import manybody as mb
from manybody import cli
from manybody.cli.kinds import open_store
from manybody.solve import forecast, room
from manybody.solve.forecast import Rates
from manybody.solve.observables.registry import MEASURED
from manybody.study import cost, tasks
from manybody.study.configuration import Point
from manybody.study.cost import rank_bytes
from manybody.study.parsing import builtin_studies, parse_study
from manybody.study.sample_kind import SAMPLES
from manybody.study.status import point_statuses, status_lines
from manybody.study.tasks import check_feasible, group_sizes
from manybody.system import memory
from manybody.system.memory import machine_bytes, ranks_here

LARGE = """
name = "large"
seed = 3
samples = 4
block_size = 1
times = { start = 0.0, stop = 20.0, count = 11 }
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5
[[systems]]
model = "anderson3d"
length = [4, 7, 10]
disorder = 5.0
"""
GIB = 2.0**30


def parse(text, *changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_study(text, "file.toml")


def sizes(study, n_ranks, chosen=None):
    tasks = [task for task in SAMPLES.tasks(study) if chosen is None or chosen(task)]
    return {point.size: size for point, size in group_sizes(study, tasks, n_ranks).items()}


@pytest.fixture
def machine(monkeypatch):
    """Give this machine some memory and some of the ranks."""

    def give(gibibytes, here=None):
        for module in (cost, room, tasks):
            monkeypatch.setattr(module, "machine_bytes", lambda: gibibytes * GIB)
        monkeypatch.setattr(tasks, "ranks_here", lambda n: n if here is None else min(n, here))

    return give


@pytest.mark.parametrize("stop", [5.0, 40.0])
@pytest.mark.parametrize(
    "system",
    ['model = "dirac_syk2"\nn_sites = 32', 'model = "anderson3d"\nlength = 3\ndisorder = 5.0'],
)
def test_applications_are_foreseen(system, stop):
    head = LARGE[: LARGE.index("[[systems]]")].replace("stop = 20.0", f"stop = {stop}")
    study = parse_study(head + "[[systems]]\n" + system, "file.toml")
    point = study.systems[0].points[0]
    run = mb.compare(point.build(study.seed, 0), study.bath, study.times)
    ratio = cost.sample_applications(study, point) / run.certificate.applications
    assert 0.75 < ratio < 1.5


def test_costs_follow_the_sizes(machine):
    machine(64)
    study, rates = parse(LARGE), Rates(5e10, 6e10)
    points = study.systems[0].points
    seconds = [cost.sample_seconds(study, point, rates) for point in points]
    # N³ times the same applications, within what is small and overheads.
    assert (10 / 7) ** 9 * 0.8 < seconds[2] / seconds[1] < (10 / 7) ** 9 * 1.2
    two = cost.sample_seconds(study, points[2], rates, 2)
    assert 1.7 < seconds[2] / two < 2.0
    shifted = parse(LARGE, ("seed = 3", "seed = 3\nlamb_shift = true"))
    assert cost.sample_seconds(shifted, points[2], rates) > 1.3 * seconds[2]
    assert rank_bytes(shifted, points[2], 2) > rank_bytes(study, points[2], 2)
    assembled = parse(LARGE, ("seed = 3", 'seed = 3\noperator = "assembled"'))
    assert rank_bytes(assembled, points[2], 1) > 2 * 20 * 2 * 1000.0**3
    assert cost.sample_seconds(assembled, points[2], rates) > seconds[2]
    # 10 N² complex numbers, N² an output time, and the interpreters.
    for ranks in (1, 2):
        bound = 16e6 * (10 + 11) + ranks * room.INTERPRETER_BYTES
        extent = cost.extent_of(study, points[2])
        assert extent.node_bytes(ranks, ranks) <= bound
        assert rank_bytes(study, points[2], ranks) <= extent.node_bytes(ranks, ranks)
    # On two machines each has half of what is spread.
    assert extent.node_bytes(64, 32) < 0.7 * extent.node_bytes(64, 64)


def test_groups_as_the_study_says(machine):
    machine(64)
    study = parse(LARGE, ("seed = 3", "seed = 3\ngroup_size = 3"))
    assert sizes(study, 8) == {4: 3, 7: 3, 10: 3}
    assert sizes(study, 2) == {4: 2, 7: 2, 10: 2}
    tiny = parse(TINY, ("seed = 3", "seed = 3\ngroup_size = 100"))
    assert set(sizes(tiny, 64).values()) == {4, 6, 8}


def test_groups_by_the_cost_model(machine):
    study = parse(LARGE)
    machine(64)
    assert sizes(study, 4) == {4: 1, 7: 1, 10: 1}
    # More ranks than blocks: the large ones share; 343 columns are enough for 5 ranks.
    assert sizes(study, 8) == {4: 1, 7: 2, 10: 2}
    assert sizes(study, 64) == {4: 1, 7: 5, 10: 15}
    assert sizes(study, 8, lambda task: task.first == 0) == {4: 1, 7: 5, 10: 8}
    # Memory: 1000 sites need 0.4 GiB, four ranks with a sample each more than there is.
    machine(1.2)
    assert sizes(study, 4)[10] == 2
    machine(1.2, here=2)
    assert sizes(study, 4)[10] == 1
    serial = parse(LARGE, ("seed = 3", 'seed = 3\nstepper = "dop853"'))
    assert set(sizes(serial, 64).values()) == {1}


def test_what_cannot_fit_is_a_sentence(machine, tmp_path, capsys):
    study = parse(LARGE)
    machine(0.3)
    with pytest.raises(
        ValueError, match="length=10: 1000 states and 11 .* 1 rank.* it has 0.3 GiB"
    ):
        check_feasible(study)
    machine(64)
    check_feasible(study)
    path = tmp_path / "large.toml"
    path.write_text(LARGE.replace("[4, 7, 10]", "[4, 60]"))
    assert cli.main(["plan", str(path), "--ranks", "4"]) == 2
    said = capsys.readouterr()
    assert "more: a sample exceeds the memory of this machine" in said.out
    assert "length=60: 216000 states and 11 output times" in said.err
    assert cli.main(["run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_plan_prints_a_table(tmp_path, capsys):
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    assert cli.main(["plan", str(path), "--ranks", "3", "--group-size", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("good: 12 samples, ") and "core-hours" in lines[0]
    assert max(map(len, lines)) <= 100
    # A long name has a line of its own.
    rows = [own for line in lines if (own := re.search(r" (\d) +2 +\d+ +[\d.]+ ", line))]
    assert [row[1] for row in rows] == ["4", "4", "2", "2"]
    for wrong in (["--ranks", "0"], ["--group-size", "0"], ["--group-size", "two"]):
        assert cli.main(["plan", str(path), *wrong]) == 2
    assert "group_size = 'two'" in capsys.readouterr().err


def test_the_memory_of_containers_and_the_ranks_of_launchers(tmp_path):
    plenty = machine_bytes(str(tmp_path))
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_bytes(str(tmp_path)) == plenty
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert machine_bytes(str(tmp_path)) == GIB
    assert ranks_here(8, {}) == 8
    assert ranks_here(8, {"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == 4
    assert ranks_here(8, {"SLURM_STEP_TASKS_PER_NODE": "2(x4)"}) == 2
    assert ranks_here(8, {"MPI_LOCALNRANKS": "many"}) == 8


def test_rates_are_measured():
    rates = forecast.measure_rates(0.02)
    assert 1e8 < rates.real < 1e13 and 1e8 < rates.complex < 1e13
    assert np.isfinite(memory.peak_bytes()) and memory.peak_bytes() > 1e7


def test_compare_refuses_what_cannot_fit(machine, bath):
    model = mb.anderson3d(7, 5.0, seed=1)
    machine(0.2)
    with pytest.raises(ValueError, match="anderson3d: 343 states and 100 output times"):
        mb.compare(model, bath, range(100))


def test_plan_of_relaxation_is_what_it_takes():
    """Measured, process time: the first four samples, of which the cost model has a look at the
    spectra; from a third to three times their mean each."""
    study = parse_study(builtin_studies()["relaxation"], "x")
    rates = Rates(6.3e10, 6.3e10)
    seconds = {
        (
            point.n_sites,
            dict(point.parameters).get("disorder"),
            study.at(point).lamb_shift,
        ): cost.sample_seconds(study, point, rates)
        for point in study.wanted
    }
    measured = {
        (8, None, False): 0.010, (16, None, False): 0.10, (16, None, True): 0.12,
        (32, None, False): 0.88, (32, None, True): 1.02,
        (64, None, False): 4.3, (64, None, True): 5.2,
        (27, 5.0, False): 1.5, (27, 20.0, True): 1.5,
        (64, 5.0, False): 2.7, (64, 5.0, True): 3.4,
        (64, 20.0, False): 1.2, (64, 20.0, True): 2.3,
        (125, 5.0, False): 3.9, (125, 5.0, True): 7.1, (125, 20.0, True): 14.0,
    }  # fmt: skip
    assert all(1 / 1.7 < seconds[key] / own < 1.7 for key, own in measured.items())


def test_samples_say_what_facts_do_not():
    text = LARGE.replace("times = {", 'observables = ["gap"]\n# times = {')
    text = text.replace("disorder = 5.0", "disorder = [1.0, 20.0]").replace("[4, 7, 10]", "[4, 7]")
    study = parse(text)
    seconds = {
        (point.size, dict(point.parameters)["disorder"]): cost.sample_seconds(study, point)
        for point in study.wanted
    }
    # Six or seven frequencies, and one; where nobody asks both are alike.
    assert 4.0 < seconds[4, 1.0] / seconds[4, 20.0] < 12.0
    assert seconds[7, 1.0] == seconds[7, 20.0] > seconds[4, 1.0]


def test_samples_that_fail_are_for_the_run_to_say(monkeypatch):
    study = parse(LARGE.replace("times = {", 'observables = ["gap"]\n# times = {'))
    point = study.systems[0].points[0]
    expected = MEASURED["gap"].cost(cost.facts_of(study, point))

    def build(self, seed, sample):
        raise ValueError("no such sample")

    monkeypatch.setattr(Point, "build", build)
    cost._mean_cost.cache_clear()
    assert cost._cost_of(study, point, MEASURED["gap"]) == expected
    cost._mean_cost.cache_clear()


def test_two_temperatures_are_a_fact():
    study = parse_study(builtin_studies()["anderson-transport"], "x")
    point = study.systems[0].points[0]
    assert not cost.facts_of(study, point).has_temperature
    plain = parse(LARGE)
    assert cost.facts_of(plain, plain.systems[0].points[0]).has_temperature


def test_status_foresees_what_is_left_by_the_cost_model(tmp_path):
    path, out = tmp_path / "tiny.toml", tmp_path / "out"
    path.write_text(TINY + TABLES)
    assert cli.main(["run", str(path), "--out", str(out), "--quiet"]) == 0
    store = open_store(out)
    whole = point_statuses(store)
    first, last = whole[0].point, whole[-1].point
    shutil.rmtree(store.folder(last))
    left = point_statuses(store)
    measured = [each.rank_seconds for each in left if each.done]
    model = {each.point: store.kind.seconds(store.study, each.point) for each in left}
    scale = sum(measured) / sum(model[each.point] for each in left if each.done)
    assert left[-1].done == 0 and left[-1].rank_seconds == pytest.approx(scale * model[last])
    assert left[0].rank_seconds == whole[0].rank_seconds and first == left[0].point
    lines = status_lines(store)
    assert max(map(len, lines)) <= 100 + len(str(out))
    assert any(" are left: " in line and "on one core" in line for line in lines)
    shutil.rmtree(out / "blocks")
    for each in point_statuses(store):
        assert each.rank_seconds == model[each.point] > 0.0


@pytest.mark.parametrize(
    ("study", "change"),
    [
        ("theorem-check", "systems.0.n_sites=[100000]"),
        ("who-is-right", "dynamics.0.duration=1e4"),
        ("paper-fig1-small", "systems.0.n_sites=[200000]"),
    ],
)
def test_memory_is_looked_at_for_every_kind(study, change, tmp_path, capsys):
    out = tmp_path / "out"
    for command in (["plan", study], ["run", study, "--out", str(out)]):
        assert cli.main([*command, "--set", change]) == 2
        said = capsys.readouterr().err
        assert re.search(r"GiB, (it|this machine) has .* GiB|need about .* applications", said)
        assert said.count("\n") == 1
    assert not out.exists()


def test_ranks_beside_each_other_share_the_memory_of_a_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("manybody.papers.kit.case_kind.machine_bytes", lambda: 700.0 * 2**20)
    assert cli.main(["plan", "theorem-check", "--ranks", "2"]) == 0
    assert "memory of the fullest rank: 303 MiB" in capsys.readouterr().out
    assert cli.main(["plan", "theorem-check", "--ranks", "3"]) == 2
    assert "the largest cases on 3 rank(s) here" in capsys.readouterr().err
