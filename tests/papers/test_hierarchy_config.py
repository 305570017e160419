"""Studies of the hierarchy: what they may ask for, and bad input."""

import numpy as np
import pytest
from drude_states import NAMES
from tiny_cases import HIERARCHY, hierarchy_study, parse_cases

from manybody.papers.kit.reservoirs import labels_of
from manybody.papers.kit.systems import build_hamiltonian


def test_equations_are_those_that_apply():
    line = 'equations = ["redfield", "davies", "universal-lindblad", "local"]\n'
    everything = hierarchy_study((line, "")).settings["equations"]
    assert set(NAMES) <= set(everything) and "partial-secular" in everything
    assert not any(name.startswith("quasi-local") for name in everything)
    one = hierarchy_study((line, 'equations = ["partial-secular-0.5", "davies"]\n'))
    assert one.settings["equations"] == ["partial-secular-0.5", "davies"]
    labels = labels_of(["davies", "local"])
    assert labels == ["davies", "local", "davies_without_shift", "local_without_shift"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 3", "seed = 3\nsede = 4", "unknown key 'sede'"),
        ("cutoff = 2.0", "", "key 'cutoff' is missing"),
        ("cutoff = 2.0", "cutoff = 0", "cutoff = 0"),
        ("tolerance = 0.05", "tolerance = 0.5", "tolerance = 0.5: must be at most 0.1"),
        ("tolerance = 0.05", "tolerance = 0", "tolerance = 0"),
        ('"local"]', '"lokal"]', "equations: 'lokal' must be one of"),
        ('"local"]', '"quasi-local-1"]', "'quasi-local-1' does not apply"),
        ('"local"]', '"davies"]', "at least two different"),
        ("coupling = [0.1, 0.2, 0.4]", "coupling = [0.1, 0.1]", "distinct"),
        ("coupling = [0.1, 0.2, 0.4]", "coupling = [0.1, 0.0]", "coupling = 0.0"),
        ("coupling = [0.1, 0.2, 0.4]\n", "", r"dynamics\[0\]: key 'coupling' is missing"),
        ("beta = [0.25, 1.0]", "beta = [0.25, -1.0]", r"dynamics\[1\].beta = -1.0"),
        ("beta = [0.25, 1.0]", "beta = inf", r"dynamics\[1\].beta = inf"),
        (
            'model = "pair"\nn_sites = 2',
            'model = "tilted-ring"\nn_sites = [3, 4]',
            "4 sites: a hierarchy",
        ),
        ('"pair"\nn_sites = 2', '"tilted-ring"\nn_sites = 1', "1 sites: a hierarchy"),
        ("hopping = 0.5", "hopping = 0.0", r"dynamics\[0\]: hopping from the first site = 0"),
        ("n_times = 60", "n_times = 1", "n_times = 1"),
        ("duration = 6.0", "duration = 0", "duration = 0"),
        ("[[dynamics]]", "[[steady]]", "unknown key 'steady'|key 'dynamics' is missing"),
    ],
)
def test_bad_input_is_one_sentence(old, new, words):
    assert old in HIERARCHY
    with pytest.raises((ValueError, TypeError), match=words) as raised:
        parse_cases(HIERARCHY.replace(old, new), "file.toml")
    assert str(raised.value).startswith("file.toml: ")
    assert "\n" not in str(raised.value)


def test_a_tilted_ring():
    given = {"model": "tilted-ring", "detuning": 1.0, "hopping": 0.5, "flux": 1.0}
    two = build_hamiltonian({"seed": 0}, {**given, "n_sites": 2})
    np.testing.assert_allclose(np.abs(two), [[0.5, 0.5], [0.5, 0.5]])
    three = build_hamiltonian({"seed": 0}, {**given, "n_sites": 3})
    np.testing.assert_allclose(np.diag(three), [0.5, 0.0, -0.5])
    np.testing.assert_array_equal(three, three.conj().T)
    assert np.angle(three[0, 1] * three[1, 2] * three[2, 0]) == pytest.approx(1.0)
