"""How PETSc starts among several ranks: run serially and under mpirun on 1, 2 and 3 ranks."""

import pytest

pytest.importorskip("petsc4py", reason="petsc4py not installed")

from manybody.numerics.petsc.runtime import petsc  # noqa: E402


def test_petsc_starts_and_ends_on_one_rank():
    """Over all of them its end would wait for ranks that need not come."""
    assert petsc().COMM_WORLD.getSize() == 1
