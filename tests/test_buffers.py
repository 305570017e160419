import numpy as np
import pytest

from manybody.buffers import ALIGNMENT, aligned_copy, aligned_empty, row_panels


@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.uint8])
@pytest.mark.parametrize("shape", [(3,), (2, 5, 7), (0, 4), (1, 1)])
def test_alignment(shape, dtype):
    for _ in range(5):
        array = aligned_empty(shape, dtype)
        assert array.shape == shape and array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.ctypes.data % ALIGNMENT == 0
    source = np.arange(12.0).reshape(3, 4).T
    copy = aligned_copy(source)
    np.testing.assert_array_equal(copy, source)
    assert copy.flags.c_contiguous and copy.ctypes.data % ALIGNMENT == 0


@pytest.mark.parametrize(("rows", "length"), [(1, 1), (10, 3), (300, 300), (5, 10**6), (0, 4)])
def test_panels_cover_every_row_once(rows, length):
    covered = [row for panel in row_panels(rows, length) for row in range(rows)[panel]]
    assert covered == list(range(rows))
