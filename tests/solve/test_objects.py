"""Steppers and operators by name and as objects are the same."""

import numpy as np
import pytest

import manybody as mb
from manybody.numerics.petsc.runtime import petsc

TIMES = [0.0, 2.0, 7.0]


def same(left, right):
    np.testing.assert_array_equal(left.trace_distance, right.trace_distance)
    np.testing.assert_array_equal(left.smallest_eigenvalue, right.smallest_eigenvalue)
    np.testing.assert_equal(left.certificate.as_dict(), right.certificate.as_dict())


def needs_petsc():
    try:
        petsc()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "stepper"),
    [("chebyshev", mb.Chebyshev()), ("dop853", mb.RungeKutta())],
    ids=["chebyshev", "dop853"],
)
def test_a_stepper_by_name_and_as_an_object(name, stepper, bath):
    model = mb.dirac_syk2(5, seed=3)
    same(*(mb.compare(model, bath, TIMES, stepper=each) for each in (name, stepper)))


def test_petsc_by_name_and_as_objects(bath):
    needs_petsc()
    model, options = mb.dirac_syk2(5, seed=3), "-redfield_ts_adapt_type basic"
    named = mb.compare(model, bath, TIMES, stepper="ts-rk8vr", petsc_options=options)
    same(named, mb.compare(model, bath, TIMES, stepper=mb.PetscTS("8vr", options=options)))
    named = mb.compare(model, bath, TIMES, stepper="mfn-krylov")
    same(named, mb.compare(model, bath, TIMES, stepper=mb.PetscMFN("krylov")))
    lattice = mb.anderson3d(3, 20.0, seed=1)
    named = mb.compare(lattice, bath, TIMES, operator="assembled", drop_tolerance=1e-2)
    assert named.certificate.entries_kept < 1.0
    same(named, mb.compare(lattice, bath, TIMES, operator=mb.Assembled(drop_tolerance=1e-2)))


def test_a_stepper_keeps_a_tolerance_of_its_own(bath):
    model = mb.dirac_syk2(5, seed=3)
    coarse = mb.compare(model, bath, TIMES, stepper=mb.Chebyshev(tolerance=1e-3))
    same(coarse, mb.compare(model, bath, TIMES, tolerance=1e-3))
    fine = mb.compare(model, bath, TIMES)
    assert coarse.certificate.applications < fine.certificate.applications
