import math
import warnings

import numpy as np
import pytest

from manybody.study.block_files import relative_to_rounding


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1.0, 1.0),
        (math.nan, math.nan),
        (math.inf, math.inf),
        ([1.0, math.nan, -math.inf], [1.0, math.nan, -math.inf]),
        (3, 3),
        (True, True),
        ("thermal", "thermal"),
        ([], []),
    ],
)
def test_equal_values_do_not_differ(left, right):
    assert relative_to_rounding(left, right) == 0.0


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1.0, 1.0 + 1e-12, 0.1),
        # As large as the largest of either.
        ([1e6, 1.0], [1e6, 1.0 + 1e-6], 0.1),
        (0.0, 2.0, 1e11),
        (2.0, 0.0, 1e11),
        # Rounding itself.
        (0.0, 5e-14, 0.5),
        ([math.inf, 1.0], [math.inf, 1.0 + 1e-12], 0.1),
        ([1.0, math.nan, -math.inf], [1.0 + 1e-10, math.nan, -math.inf], 10.0),
        (3, 4, 2.5e10),
        (np.uint64(5), np.uint64(3), 4e10),
    ],
)
def test_what_differs_is_measured_by_rounding(left, right, expected):
    with warnings.catch_warnings(action="error"):
        assert relative_to_rounding(left, right) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1.0, [1.0]),
        ([1.0, 2.0], [1.0]),
        (math.nan, 1.0),
        (1.0, math.inf),
        (math.inf, -math.inf),
        (math.nan, math.inf),
        ([math.nan, 1.0, 2.0], [1.0, math.nan, 2.0]),
        ([math.inf, 1.0], [-math.inf, 1.0]),
        (True, False),
        ("thermal", "critical"),
        ("1.0", 1.0),
    ],
)
def test_what_does_not_compare(left, right):
    with warnings.catch_warnings(action="error"):
        assert relative_to_rounding(left, right) == math.inf
