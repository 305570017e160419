"""Steppers and operators by the names that studies use."""

from manybody.numerics.chebyshev import Chebyshev
from manybody.numerics.dense import RungeKutta
from manybody.numerics.petsc.runtime import Options, petsc
from manybody.numerics.protocols import Stepper

PETSC_STEPPERS = ("ts-rk5dp", "ts-rk8vr", "ts-arkimex4", "mfn-krylov", "mfn-expokit")
# SciPy's steps adapt to what one process sees.
SERIAL_STEPPERS = ("dop853",)
STEPPERS = ("chebyshev", "dop853", *PETSC_STEPPERS)
OPERATORS = ("matrix-free", "assembled")


def build_stepper(
    name: str, tolerance: float, petsc_options: str = "", prefix: str = "redfield_"
) -> Stepper:
    """A stepper by name.

    name: one of STEPPERS; tolerance: see the stepper; petsc_options: PETSc options
    as on a command line, for the ts- and mfn- steppers; prefix: their options prefix.

    Raises ValueError for an unknown name or options that no solver would read or
    PETSc refuses, RuntimeError when PETSc or SLEPc is needed and missing.
    """
    check_stepper(name, petsc_options, prefix)
    if name in PETSC_STEPPERS:
        from manybody.numerics.petsc.steppers import build_petsc_stepper

        try:
            return build_petsc_stepper(name, tolerance, petsc_options, prefix)
        except RuntimeError as error:
            raise RuntimeError(
                f"stepper = {name!r}: {error}, or use stepper 'chebyshev', which needs neither"
            ) from error
    return RungeKutta(tolerance) if name == "dop853" else Chebyshev(tolerance)


def check_stepper(name: str, petsc_options: str = "", prefix: str = "redfield_") -> None:
    """Raise ValueError for what `build_stepper` refuses on every machine."""
    if name not in STEPPERS:
        raise ValueError(f"stepper = {name!r}: must be one of {', '.join(STEPPERS)}")
    if petsc_options and name not in PETSC_STEPPERS:
        raise ValueError(f"petsc_options = {petsc_options!r}: stepper {name!r} does not use PETSc")
    Options(petsc_options, prefix)


def check_ranks(stepper: str, n_ranks: int) -> None:
    """Raise ValueError when several ranks would share a sample that one of them must advance."""
    if stepper in SERIAL_STEPPERS and n_ranks > 1:
        raise ValueError(
            f"stepper = {stepper!r}: runs on one rank a sample, {n_ranks} ranks would share one"
        )


def check_operator(operator: object, drop_tolerance: object) -> tuple[str, float]:
    """One of OPERATORS, and the part of the largest rate below which it drops entries.

    drop_tolerance: in [0, 1), 0 unless the operator is assembled.  Raises TypeError or
    ValueError.
    """
    if operator not in OPERATORS:
        raise ValueError(f"operator = {operator!r}: must be one of {', '.join(OPERATORS)}")
    if isinstance(drop_tolerance, bool) or not isinstance(drop_tolerance, (int, float)):
        raise TypeError(f"drop_tolerance = {drop_tolerance!r}: a real number is needed")
    if not 0.0 <= drop_tolerance < 1.0:
        raise ValueError(f"drop_tolerance = {drop_tolerance!r}: must be >= 0 and < 1")
    if operator != "assembled" and drop_tolerance > 0.0:
        raise ValueError(
            f"drop_tolerance = {drop_tolerance:g}: operator {operator!r} has no entries to drop, "
            "'assembled' has"
        )
    return str(operator), float(drop_tolerance)


def require_operator(operator: str) -> None:
    """Raise RuntimeError when `operator`, one of OPERATORS, needs PETSc and there is none."""
    if operator == "assembled":
        try:
            petsc()
        except RuntimeError as error:
            raise RuntimeError(
                f"operator = {operator!r}: {error}, or use operator 'matrix-free'"
            ) from error
