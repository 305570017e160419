"""How PETSc starts among several ranks: run serially and under mpirun on 1, 2 and 3 ranks."""

import pytest

pytest.importorskip("petsc4py", reason="petsc4py not installed")

from manybody.numerics.petsc.runtime import petsc  # noqa: E402


def test_petsc_starts_and_ends_on_one_rank():
    """Over all of them its end would wait for ranks that need not come."""
    assert petsc().COMM_WORLD.getSize() == 1


def test_errors_of_petsc_come_as_such():
    """slepc4py 3.26 hands them on inside a SystemError; one of Python's own stays what it is."""
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    from manybody.numerics.petsc.runtime import own_errors, petsc

    def wrapped():
        try:
            raise petsc().Error(86)
        except petsc().Error as error:
            raise SystemError("returned a result with an exception set") from error

    with pytest.raises(petsc().Error), own_errors():
        wrapped()
    with pytest.raises(SystemError, match="of Python"), own_errors():
        raise SystemError("of Python")
