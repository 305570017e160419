import platform
import subprocess
import sys

import numpy as np
import pytest

from manybody.arrays import ALIGNMENT, aligned_copy, aligned_empty, row_panels


@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.uint8])
@pytest.mark.parametrize("shape", [(3,), (2, 5, 7), (0, 4), (1, 1)])
def test_alignment(shape, dtype):
    for _ in range(5):
        array = aligned_empty(shape, dtype)
        assert array.shape == shape and array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.size == 0 or array.ctypes.data % ALIGNMENT == 0
    source = np.arange(12.0).reshape(3, 4).T
    copy = aligned_copy(source)
    np.testing.assert_array_equal(copy, source)
    assert copy.flags.c_contiguous and copy.ctypes.data % ALIGNMENT == 0


@pytest.mark.parametrize(("rows", "length"), [(1, 1), (10, 3), (300, 300), (5, 10**6), (0, 4)])
def test_panels_cover_every_row_once(rows, length):
    covered = [row for panel in row_panels(slice(0, rows), length) for row in range(rows)[panel]]
    assert covered == list(range(rows))


FAULTS = """
import resource, sys
import numpy as np
from manybody.system.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(500_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(int(kept), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_kept():
    def run(what):
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, what], capture_output=True, text=True, check=True
        )
        kept, faults = map(int, done.stdout.split())
        return kept, faults

    assert run("keep")[0] == 1
    assert run("keep")[1] < 20
