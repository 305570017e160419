"""Long samples that stop at the end of a segment, or die anywhere, and go on."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from tiny import assert_same_payload, payload, study

import manybody as mb
from manybody.parallel.signals import Stopped
from manybody.solve import checkpoints, spread, stacked
from manybody.solve.checkpoints import Keeper
from manybody.solve.comparison import check_setting
from manybody.solve.spread import compare_large
from manybody.study import progress, samples
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store

TIMES = [0.0, 1.5, 4.0, 11.0, 25.0]
FEW = {"samples = 5": "samples = 2", "[4, 6]": "[4]", "disorder = [0.0, 5.0]": "disorder = 0.0"}


def make_small_samples_long(monkeypatch):
    """Tens of segments each, and a checkpoint at the end of every one."""
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 1)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 25.0)
    monkeypatch.setattr(checkpoints, "_PATIENCE", 0.0)


@pytest.fixture(autouse=True)
def small_samples_are_long(monkeypatch):
    make_small_samples_long(monkeypatch)


@pytest.fixture
def torn(tmp_path, bath):
    """(a folder with one checkpoint of sample 3, its borders)."""
    setting = setting_of(bath, mb.dirac_syk2(4, seed=5))
    keeper = Keeper(tmp_path / "kept", 3, "this one", lambda: "asked")
    with pytest.raises(Stopped, match="asked at t = "):
        compare_large(mb.dirac_syk2(4, seed=5), setting, keeper=keeper)
    (path,) = (tmp_path / "kept").iterdir()
    borders = tuple(json.loads(path.read_bytes().partition(b"\n")[0])["borders"])
    assert Keeper(tmp_path / "kept", 3, "this one").find(borders, REDFIELD) is not None
    return path, borders


REDFIELD = ("redfield",)


def setting_of(bath, model, stepper="chebyshev", operator="matrix-free", lamb_shift=False):
    return check_setting([model], bath, TIMES, 0, lamb_shift, stepper, 1e-10, "", operator, 0.0)


def assert_same_bits(left, right):
    assert left.certificate == right.certificate
    for entry in fields(left):
        mine, theirs = getattr(left, entry.name), getattr(right, entry.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=entry.name)
        elif isinstance(mine, Mapping):
            assert mine.keys() == theirs.keys()
            for key in mine:
                np.testing.assert_array_equal(
                    mine[key], theirs[key], err_msg=f"{entry.name} {key}"
                )
        else:
            assert mine == theirs, entry.name


def in_pieces(model, setting, folder, stop=lambda: "asked"):
    """(result, how often it stopped) of a sample that is asked to stop at every segment."""
    stops = 0
    while True:
        try:
            keeper = Keeper(folder, 3, "this one", stop)
            return compare_large(model, setting, keeper=keeper), stops
        except Stopped:
            stops += 1
            assert len(list(folder.iterdir())) == 1


MODELS = {
    "simple": (lambda: mb.dirac_syk2(6, seed=5), "simple"),
    "structural": (lambda: mb.anderson3d(2, 0.0), "structural"),
    "ambiguous": (lambda: mb.anderson3d(2, 1e-13, seed=1), "ambiguous"),
}


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("kind", MODELS)
def test_a_sample_in_pieces_has_the_same_bits(kind, lamb_shift, bath, tmp_path):
    build, verdict = MODELS[kind]
    model = build()
    setting = setting_of(bath, model, lamb_shift=lamb_shift)
    unbroken = compare_large(model, setting)
    assert unbroken.certificate.clustering == verdict
    result, stops = in_pieces(model, setting, tmp_path / "kept")
    assert stops > 5
    assert_same_bits(result, unbroken)


@pytest.mark.parametrize(
    ("stepper", "operator"),
    [
        ("chebyshev", "assembled"),
        ("ts-rk5dp", "matrix-free"),
        ("ts-arkimex4", "assembled"),
        ("mfn-krylov", "matrix-free"),
        ("mfn-expokit", "assembled"),
        ("dop853", "matrix-free"),
    ],
)
def test_any_stepper_and_operator_in_pieces(stepper, operator, bath, tmp_path):
    if stepper != "dop853":
        pytest.importorskip("slepc4py", reason="slepc4py not installed")
    model = mb.dirac_syk2(4, seed=5)
    setting = setting_of(bath, model, stepper, operator)
    result, stops = in_pieces(model, setting, tmp_path / "kept")
    # Adaptive steps have segments of 10.
    assert stops >= 2
    assert_same_bits(result, compare_large(model, setting))


def run(directory, stop=lambda: "", **changes):
    store = Store(directory)
    asked = study(text={**FEW, **changes})
    return store, run_study(prepare(asked, store), store, quiet=True, stop=stop)


def states(store):
    return sorted((store.directory / "checkpoints").rglob("*.state"))


def leftovers(store):
    names = [path.relative_to(store.directory) for path in store.directory.rglob("*")]
    return [n for n in names if n.parts[0] not in ("blocks", "study.json") or n.suffix == ".tmp"]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        make_small_samples_long(patch)
        return run(tmp_path_factory.mktemp("unbroken") / "store")[0]


class After:
    """Asks to stop from the so manieth question on."""

    def __init__(self, questions):
        self.left = questions

    def __call__(self):
        self.left -= 1
        return "" if self.left >= 0 else "asked"


@pytest.mark.parametrize("questions", [3, 17])
def test_a_study_that_stops_again_and_again(questions, unbroken, tmp_path, caplog):
    caplog.set_level("INFO")
    runs, seen = 0, 0
    while True:
        runs += 1
        store, outcome = run(tmp_path / "store", After(questions))
        if outcome.missing == 0:
            break
        assert outcome.stopped == "asked"
        assert len(states(store)) <= 1
        seen += len(states(store))
        assert not (store.directory / "claims").exists() and not list(
            store.directory.rglob("*.tmp")
        )
    assert runs > 3 and seen > 3
    assert "checkpoint after asked at t = " in caplog.text
    assert_same_payload(payload(store), payload(unbroken))
    assert leftovers(store) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_study_that_dies_again_and_again(error, unbroken, tmp_path, monkeypatch):
    """Raised while a segment is reported: nothing is written for it any more."""
    real, left = progress.Watch.update, [0]

    def interrupt(*arguments):
        left[0] -= 1
        if left[0] == 0:
            raise error("now")
        real(*arguments)

    monkeypatch.setattr(progress.Watch, "update", interrupt)
    deaths = 0
    while True:
        left[0] = 7
        try:
            store, outcome = run(tmp_path / "store")
            break
        except error:
            deaths += 1
            assert deaths < 200
            store = Store(tmp_path / "store")
            assert not list(store.directory.rglob("*.tmp"))
            assert not (store.directory / "claims").exists()
            assert len(states(store)) <= 1
    assert deaths > 10
    assert_same_payload(payload(store), payload(unbroken))
    assert leftovers(store) == []


def test_repeated_work_is_less_than_a_segment_a_death(tmp_path, monkeypatch, bath):
    """Segments that were advanced, over all deaths, against those of an unbroken run."""
    model = mb.dirac_syk2(6, seed=5)
    setting = setting_of(bath, model)
    advanced, real = [], type(setting.stepper).advance

    def count(self, operator, state, segment):
        advanced.append(segment.stop)
        return real(self, operator, state, segment)

    monkeypatch.setattr(type(setting.stepper), "advance", count)
    compare_large(model, setting)
    segments = len(advanced)
    advanced.clear()
    deaths = 0
    while True:
        told = [0]

        def die(_, told=told):
            told[0] += 1
            if told[0] == 4:
                raise KeyboardInterrupt

        try:
            compare_large(model, setting, tell=die, keeper=Keeper(tmp_path, 3, "this one"))
            break
        except KeyboardInterrupt:
            deaths += 1
    assert deaths > 3
    assert len(advanced) == segments + deaths


def test_seconds_add_up(tmp_path, bath, torn):
    path, _ = torn
    header, _, rest = path.read_bytes().partition(b"\n")
    facts = json.loads(header)
    facts["seconds"] = 1000.0
    path.unlink()
    write(path, json.dumps(facts).encode() + b"\n" + rest)
    keeper = Keeper(path.parent, 3, "this one", lambda: "asked")
    with pytest.raises(Stopped):
        compare_large(
            mb.dirac_syk2(4, seed=5), setting_of(bath, mb.dirac_syk2(4, seed=5)), keeper=keeper
        )
    assert keeper.seconds_before == 1000.0
    (path,) = path.parent.iterdir()
    again = json.loads(path.read_bytes().partition(b"\n")[0])
    assert 1000.0 < again["seconds"] < 1100.0
    assert again["segments_done"] == facts["segments_done"] + 1


def write(path, content, stem=None):
    """A checkpoint under the name that its content asks for."""
    stem = stem or path.stem.rpartition("-")[0]
    path = path.with_name(f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.state")
    path.write_bytes(content)
    return path


def test_a_checkpoint_cut_or_altered_anywhere_is_not_used(torn, caplog):
    path, borders = torn
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    damaged = [content[:length] for length in range(0, len(content), 13)]
    damaged += [content + b"\0", content[:-1]]
    for position in rng.integers(0, len(content), 100):
        altered = bytearray(content)
        altered[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(altered))
    for one in damaged:
        caplog.clear()
        path.write_bytes(one)
        assert Keeper(path.parent, 3, "this one").find(borders, REDFIELD) is None
        assert str(path) in caplog.text
        assert not path.exists()


def test_foreign_checkpoints_are_not_used(torn, caplog):
    path, borders = torn
    content = path.read_bytes()
    facts = json.loads(content.partition(b"\n")[0])

    def refused(keeper, where=borders):
        caplog.clear()
        assert keeper.find(where, REDFIELD) is None
        assert keeper.seconds_before == 0.0
        assert not list(path.parent.glob("000003-*"))
        path.write_bytes(content)
        return caplog.text

    assert "another study" in refused(Keeper(path.parent, 3, "another one"))
    assert "other segments" in refused(Keeper(path.parent, 3, "this one"), (*borders[:-1], 26.0))
    # Of another sample, under a name that its hash allows.
    renamed = path.with_name(path.name.replace("000003-", "000004-"))
    path.rename(renamed)
    assert Keeper(path.parent, 4, "this one, 4").find(borders, REDFIELD) is None
    assert not renamed.exists() and str(renamed) in caplog.text
    # Whole, but by somebody else: no word of it is believed.
    path.unlink(missing_ok=True)
    for key in facts:
        rest = {k: v for k, v in facts.items() if k != key}
        if key != "shape":
            write(path, json.dumps(rest).encode() + b"\n" + content.partition(b"\n")[2])
            assert refused(Keeper(path.parent, 3, "this one")), key
            path.unlink()
    write(path, b"[1, 2]\n")
    assert "is not used" in refused(Keeper(path.parent, 3, "this one"))


def test_the_furthest_of_several_is_used(torn, bath, monkeypatch):
    """A death between a new checkpoint and the removal of the older one."""
    path, borders = torn
    older = path.read_bytes()
    keeper = Keeper(path.parent, 3, "this one", lambda: "asked")
    model = mb.dirac_syk2(4, seed=5)
    with pytest.raises(Stopped):
        compare_large(model, setting_of(bath, model), keeper=keeper)
    (newer,) = path.parent.iterdir()
    path.write_bytes(older)
    snapshot, found = Keeper(path.parent, 3, "this one").find(borders, REDFIELD)
    assert (snapshot.segments_done, found) == (2, newer)
    assert list(path.parent.iterdir()) == [newer]


def test_torn_and_foreign_checkpoints_cost_time_alone(unbroken, tmp_path, caplog):
    store, outcome = run(tmp_path / "store", After(9))
    (path,) = states(store)
    other, _ = run(tmp_path / "other", After(9), **{"seed = 3": "seed = 4"})
    (foreign,) = states(other)
    path.write_bytes(path.read_bytes()[:-5])
    shutil.copy(foreign, path.parent)
    caplog.clear()
    _, outcome = run(tmp_path / "store")
    assert f"{path} is not used: its content" in caplog.text
    assert f"{path.parent / foreign.name} is not used: it belongs to another study" in caplog.text
    assert outcome.missing == 0
    assert_same_payload(payload(store), payload(unbroken))
    assert leftovers(store) == []


def test_other_segments_begin_anew(unbroken, tmp_path, monkeypatch, caplog):
    store, _ = run(tmp_path / "store", After(9))
    (path,) = states(store)
    monkeypatch.setattr(spread, "_MOST_APPLICATIONS", 60.0)
    run(tmp_path / "store")
    assert f"{path} is not used: the times are cut into other segments" in caplog.text
    assert leftovers(store) == []
    for key, values in payload(store).items():
        expected = payload(unbroken)[key]["trace_distance"]
        np.testing.assert_allclose(values["trace_distance"], expected, atol=1e-9)


def test_checkpoints_of_committed_samples_are_removed(unbroken, tmp_path, monkeypatch):
    """A death between the commit of a sample and the removal of its checkpoint."""
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "remove", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "store")
    store = Store(tmp_path / "store")
    assert len(payload(store)) == 1
    assert len(states(store)) == 1
    prepare(study(text=FEW), store)
    assert leftovers(store) == []
    run(tmp_path / "store")
    assert_same_payload(payload(store), payload(unbroken))


def test_what_began_long_and_ends_short_leaves_no_checkpoint(tmp_path, monkeypatch):
    """Begun on the way of large samples, finished in a stack, as by fewer ranks later."""
    store, outcome = run(tmp_path / "store", After(9))
    assert len(states(store)) == 1 and outcome.missing > 0
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 256)
    run(tmp_path / "store")
    assert leftovers(store) == []


def test_a_disk_that_has_no_room_for_checkpoints(unbroken, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_pieces", full)
    store, outcome = run(tmp_path / "store")
    assert outcome.missing == 0
    assert "no checkpoint: [Errno 28] No space left" in caplog.text
    assert_same_payload(payload(store), payload(unbroken))
    # Without a checkpoint a sample cannot be left in peace.
    with pytest.raises(OSError, match="No space"):
        run(tmp_path / "again", After(9))
    monkeypatch.undo()


def test_folders_may_vanish_under_a_writer(torn, bath):
    """Another process removes a folder that it finds empty."""
    path, borders = torn
    keeper = Keeper(path.parent, 3, "this one")
    snapshot, _ = keeper.find(borders, REDFIELD)
    shutil.rmtree(path.parent)
    keeper.write(snapshot, [np.eye(4, dtype=complex)])
    assert [p.name[:13] for p in path.parent.iterdir()] == ["000003-000001"]


def test_a_failing_long_sample_says_what_failed(tmp_path, monkeypatch, capsys):
    real = spread.compare_spread

    def fail(problem, *arguments, **more):
        if problem.spectrum.dimension == 8:
            raise np.linalg.LinAlgError("no eigenvalues today")
        return real(problem, *arguments, **more)

    monkeypatch.setattr(samples, "compare_spread", fail)
    store, outcome = run(tmp_path / "store")
    assert (outcome.failed, outcome.missing, outcome.computed) == (2, 0, 2)
    paths = sorted((store.directory / "failures").rglob("*.json"))
    record = json.loads(paths[0].read_text())
    assert "LinAlgError: no eigenvalues today" in record["error"]
    assert any("in fail" in line for line in record["traceback"])
    assert record["seed"] == list(store.study.systems[1].points[0].entropy(3, 0))
    monkeypatch.setattr(samples, "compare_spread", real)
    _, outcome = run(tmp_path / "store")
    assert (outcome.failed, outcome.computed) == (0, 2)
    assert not list(Path(store.directory).rglob("failures/*/*.json"))


def test_a_stop_between_long_samples_without_checkpoints(tmp_path, monkeypatch):
    """Studies that do not evolve in time stop after the sample at hand, not after its block."""
    without = {
        "times = [0.0, 1.5, 4.0, 11.0]\n": "",
        "block_size = 2": "block_size = 5",
        "[bath]": 'observables = ["level_statistics"]\n[bath]',
    }
    few = {key: value for key, value in FEW.items() if "samples" not in key}
    asked, store, computed = study(text={**few, **without}), Store(tmp_path / "store"), []
    real = samples.measure

    def count(*arguments):
        computed.append(1)
        return real(*arguments)

    monkeypatch.setattr(samples, "measure", count)
    outcome = run_study(
        prepare(asked, store), store, quiet=True, stop=lambda: "asked" if computed else ""
    )
    assert (len(computed), outcome.computed, outcome.missing) == (1, 1, 9)
