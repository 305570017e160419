"""Steppers by the names that studies use."""

from manybody.numerics.chebyshev import Chebyshev
from manybody.numerics.dense import RungeKutta
from manybody.numerics.protocols import Stepper

PETSC_STEPPERS = ("ts-rk5dp", "ts-rk8vr", "ts-arkimex4", "mfn-krylov", "mfn-expokit")
# SciPy's steps adapt to what one process sees.
SERIAL_STEPPERS = ("dop853",)
STEPPERS = ("chebyshev", "dop853", *PETSC_STEPPERS)


def build_stepper(
    name: str, tolerance: float, petsc_options: str = "", prefix: str = "redfield_"
) -> Stepper:
    """A stepper by name.

    name: one of STEPPERS; tolerance: see the stepper; petsc_options: PETSc options
    as on a command line, for the ts- and mfn- steppers; prefix: their options prefix.

    Raises ValueError for an unknown name or options that no solver would read or
    PETSc refuses, RuntimeError when PETSc or SLEPc is needed and missing.
    """
    if name not in STEPPERS:
        raise ValueError(f"stepper = {name!r}: must be one of {', '.join(STEPPERS)}")
    if name in PETSC_STEPPERS:
        from manybody.numerics.petsc.steppers import build_petsc_stepper

        return build_petsc_stepper(name, tolerance, petsc_options, prefix)
    if petsc_options:
        raise ValueError(f"petsc_options = {petsc_options!r}: stepper {name!r} does not use PETSc")
    return RungeKutta(tolerance) if name == "dop853" else Chebyshev(tolerance)
