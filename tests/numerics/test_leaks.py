"""What PETSc allocates is given back."""

import resource
from pathlib import Path

import numpy as np
import pytest

from manybody.numerics.columns import Columns

pytest.importorskip("slepc4py", reason="slepc4py not installed")
STATM = Path("/proc/self/statm")


def resident():
    """Bytes in memory now."""
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not STATM.exists(), reason="no /proc here")
@pytest.mark.parametrize("kind", ["linear equations", "modes"])
def test_solvers_leave_nothing_behind(kind):
    """The handle of a preconditioner once kept kilobytes of every solver."""
    from manybody.numerics.petsc.linear import nearest_modes, solve

    columns, factors = Columns(12), np.linspace(1.0, 2.0, 144).reshape(1, 12, 12)
    start = np.random.default_rng(0).standard_normal((1, 12, 12)).astype(complex)

    def multiply(x):
        return factors * x

    def once():
        if kind == "modes":
            nearest_modes(multiply, start, columns, 0j, 4, 1e-8)
        else:
            solve(multiply, lambda x: x, start, np.zeros_like(start), columns, 1e-6, 100)

    for _ in range(50):
        once()
    before, times = resident(), 200
    for _ in range(times):
        once()
    assert resident() - before < 1024 * times
