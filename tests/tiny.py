"""A study of seconds, for tests of everything around the physics."""

import numpy as np

from manybody.study.parsing import parse_study

TINY = """
name = "tiny"
seed = 3
samples = 5
times = [0.0, 1.5, 4.0, 11.0]
block_size = 2
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [4, 6]
[[systems]]
model = "anderson3d"
length = 2
disorder = [0.0, 5.0]
"""
# For tests of anything but figures, which take longer than the rest.
TABLES = '[outputs]\nformats = ["csv"]\n'


def study(**replacements):
    """The tiny study with pieces of its text replaced."""
    text = TINY
    for old, new in replacements.pop("text", {}).items():
        assert old in text
        text = text.replace(old, new)
    assert not replacements
    return parse_study(text, "tiny.toml")


def payload(store):
    """{(point, sample): {name: value}} of everything measured, wall time left out."""
    found = {}
    for system in store.study.systems:
        for point in system.points:
            blocks, problems = store.read(store.study, point)
            assert problems == []
            for block in blocks:
                for row, sample in enumerate(block.samples):
                    key = (point.name, int(sample))
                    assert key not in found
                    found[key] = {
                        name: array[row]
                        for name, array in block.arrays.items()
                        if name != "seconds"
                    }
    return found


def assert_same_payload(left, right):
    """Equal keys and equal bits."""
    assert left.keys() == right.keys()
    for key, values in left.items():
        assert values.keys() == right[key].keys()
        for name, value in values.items():
            np.testing.assert_array_equal(value, right[key][name], err_msg=f"{key} {name}")
