"""A study as a mapping: as a TOML file would give it, or refused as one."""

import copy
import pickle

import numpy as np
import pytest

import manybody as mb

pytest.importorskip("xarray", reason="xarray not installed")
SYSTEM = {"model": "dirac_syk2", "n_sites": [2, 3]}
STUDY = {
    "name": "mapped",
    "seed": 1,
    "samples": 2,
    "times": [0.0, 1.0],
    "bath": {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0},
    "systems": [SYSTEM],
}


def values(study, folder):
    store = mb.run_study(study, folder, report=False)
    return store.only(size=3).trace_distance.values


def test_what_python_has_is_what_toml_has(tmp_path):
    plain = values(STUDY, tmp_path / "plain")
    other = {
        "samples": np.int64(2),
        "times": np.array([0.0, 1.0]),
        "bath": {"coupling": np.float64(0.2), "cutoff": 10, "beta": 5.0},
        "systems": ({**SYSTEM, "n_sites": (2, np.int8(3))},),
    }
    np.testing.assert_array_equal(values({**STUDY, **other}, tmp_path / "other"), plain)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({3: 4}, "unknown key 3, allowed are bath"),
        ({"systems": [{**SYSTEM, "model": "rings.ring"}]}, "'module:function' for code of yours"),
        ({"systems": [{**SYSTEM, "model": np.eye(2)}]}, r"model = \[\[1.0, 0.0\], .* or 'files'"),
        ({"systems": [{**SYSTEM, "model": mb.dirac_syk2(2)}]}, "model = <SingleParticleModel>: "),
        (
            {"systems": [{"model": "rings:ring", "size": 3, "strength": 1.0}]},
            "unknown key 'strength', allowed are .*, of which 'parameters' has those of",
        ),
        (
            {"systems": [{"model": "files", "files": "m.npz"}]},
            "samples = 2: .* leave it out, fewer are had by naming fewer files",
        ),
    ],
)
def test_what_a_mapping_may_not_be(tmp_path, change, words):
    with pytest.raises(mb.InputError, match=words) as caught:
        mb.run_study({**STUDY, **change}, tmp_path / "none")
    assert "\n" not in str(caught.value) and not (tmp_path / "none").exists()


def test_a_store_travels(tmp_path):

    store = mb.run_study(STUDY, tmp_path / "own", report=False)
    for other in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store)):
        assert list(other) == list(store)
        # What was not read yet travels as well.
        data = pickle.loads(pickle.dumps(other.only(size=3)))
        expected = store.only(size=3).trace_distance.values
        np.testing.assert_array_equal(data.trace_distance.values, expected)
