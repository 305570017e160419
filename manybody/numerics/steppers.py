"""Steppers and operators by the names that studies use, or as objects with their parameters."""

from dataclasses import dataclass
from typing import Any, ClassVar

from manybody.errors import InputError, InputTypeError, Unavailable, shown
from manybody.numerics.chebyshev import Chebyshev
from manybody.numerics.dense import RungeKutta
from manybody.numerics.dense_exponential import DenseExponential
from manybody.numerics.petsc.runtime import petsc
from manybody.numerics.petsc.steppers import PetscMFN, PetscTS
from manybody.numerics.protocols import Stepper

_STEPPERS: dict[str, Stepper] = {}
# Names of all steppers that are registered, as they are when asked for.
STEPPERS: tuple[str, ...]


def __getattr__(name: str) -> Any:
    if name != "STEPPERS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return tuple(_STEPPERS)


def register(stepper: Stepper) -> None:
    """Let studies and `compare` call a stepper by its name.

    Parameters
    ----------
    stepper : Stepper
        It says at least its `name` and its `relative_applications`.

    Raises
    ------
    InputError
        It is no stepper or leaves a fact unsaid (then a `TypeError` too), or the name is taken.

    Examples
    --------
    >>> import manybody as mb
    >>> from manybody.numerics.steppers import register
    >>> try:
    ...     register(mb.Chebyshev())
    ... except mb.InputError as error:
    ...     print(error)
    stepper 'chebyshev' is known already
    """
    if not isinstance(stepper, Stepper):
        raise InputTypeError(f"stepper = {shown(stepper)}: a Stepper is needed")
    for fact in ("name", "relative_applications"):
        if not hasattr(stepper, fact):
            raise InputTypeError(f"stepper {type(stepper).__name__} does not say its {fact}")
    if stepper.name in _STEPPERS:
        raise InputError(f"stepper {stepper.name!r} is known already")
    _STEPPERS[stepper.name] = stepper


def find_stepper(stepper: object) -> Stepper:
    """A stepper by name, or the object itself.  Raises ValueError for an unknown name."""
    if isinstance(stepper, Stepper):
        return stepper
    if not isinstance(stepper, str) or stepper not in _STEPPERS:
        raise InputError(f"stepper = {shown(stepper)}: must be one of {', '.join(_STEPPERS)}")
    return _STEPPERS[stepper]


def build_stepper(
    stepper: str | Stepper, tolerance: float, petsc_options: str = "", prefix: str = "redfield_"
) -> Stepper:
    """A stepper that is ready to advance.

    stepper: one of STEPPERS, or an object; tolerance: see the stepper, whose own comes
    first; petsc_options: PETSc options as on a command line, for the ts- and mfn- steppers;
    prefix: their options prefix.

    Raises ValueError for an unknown name or options that no solver would read or
    PETSc refuses, RuntimeError when PETSc or SLEPc is needed and missing.
    """
    ready = find_stepper(stepper).configured(tolerance, petsc_options, prefix)
    try:
        ready.require()
    except Unavailable as error:
        raise Unavailable(
            f"stepper = {ready.name!r}: {error}, or use stepper 'chebyshev', which needs neither"
        ) from error
    return ready


def check_stepper(
    stepper: str | Stepper, petsc_options: str = "", prefix: str = "redfield_"
) -> None:
    """Raise ValueError for what `build_stepper` refuses on every machine."""
    find_stepper(stepper).configured(None, petsc_options, prefix)


def check_ranks(stepper: str | Stepper, n_ranks: int) -> None:
    """Raise ValueError when several ranks would share a sample that one of them must advance."""
    own = find_stepper(stepper)
    if own.one_rank and n_ranks > 1:
        raise InputError(
            f"stepper = {own.name!r}: runs on one rank a sample, {n_ranks} ranks would share one"
        )


_SHIPPED = (Chebyshev(), RungeKutta(), DenseExponential(), *map(PetscTS, PetscTS.schemes))
for _own in (*_SHIPPED, *map(PetscMFN, PetscMFN.schemes)):
    register(_own)


def _check_drop(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputTypeError(f"drop_tolerance = {shown(value)}: a real number is needed")
    if not 0.0 <= value < 1.0:
        raise InputError(f"drop_tolerance = {shown(value)}: must be >= 0 and < 1")
    return float(value)


@dataclass(frozen=True)
class MatrixFree:
    """Operator that applies L by products with the matrices of its half form.

    Attributes
    ----------
    name : str
        What `compare` calls it, "matrix-free".
    drop_tolerance : float
        0: there are no entries to drop.
    spread : bool
        False: whether a sample is spread over ranks is decided by its size.

    Notes
    -----
    See docs/physics.md section 3.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.MatrixFree().name in mb.OPERATORS
    True
    """

    name: ClassVar[str] = "matrix-free"
    drop_tolerance: ClassVar[float] = 0.0
    # Whether a sample is spread by columns whatever its size and the number of ranks.
    spread: ClassVar[bool] = False

    def arrays(self, n_sites: int) -> float:
        """Memory over all ranks, beside the kernel's.

        Parameters
        ----------
        n_sites : int
            Number of states N.

        Returns
        -------
        float
            In complex N x N arrays.
        """
        return 0.0

    def flops(self, n_sites: int, kernel_flops: float) -> float:
        """Flops of one application.

        Parameters
        ----------
        n_sites : int
            Number of states N.
        kernel_flops : float
            Those of the half form.

        Returns
        -------
        float
            Flops.
        """
        return kernel_flops

    def seconds(self, n_sites: int, kernel_flops: float, rate: float) -> float:
        """Time of one application on one core.

        Parameters
        ----------
        n_sites : int
            Number of states N.
        kernel_flops : float
            Flops of the half form.
        rate : float
            Flop/s that products reach in it.

        Returns
        -------
        float
            In seconds.
        """
        return kernel_flops / rate

    def setup_seconds(self, n_sites: int, rate: float, n_ranks: int) -> float:
        """Core-seconds before the first application: eigenvectors and so on, while others wait.

        Parameters
        ----------
        n_sites : int
            Number of states N.
        rate : float
            Flop/s that products reach.
        n_ranks : int
            That share the sample.

        Returns
        -------
        float
            In seconds.
        """
        return 60.0 * n_sites**3 / rate * n_ranks


@dataclass(frozen=True)
class Assembled:
    """Operator that keeps L as a sparse PETSc matrix, distributed by rows.

    Parameters
    ----------
    drop_tolerance : float, default 0.0
        Part of the largest rate in [0, 1) below which entries of Λ_j are left out.

    Attributes
    ----------
    name : str
        What `compare` calls it, "assembled".
    spread : bool
        True: a sample is spread over ranks whatever its size.

    Raises
    ------
    InputError
        The tolerance is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Needs PETSc when it is used; docs/physics.md section 3.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.Assembled(drop_tolerance=1e-3).name in mb.OPERATORS
    True
    """

    drop_tolerance: float = 0.0
    name: ClassVar[str] = "assembled"
    spread: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_drop(self.drop_tolerance)

    def arrays(self, n_sites: int) -> float:
        """Memory over all ranks beside the kernel's: rows as they are built and as PETSc has them.

        Parameters
        ----------
        n_sites : int
            Number of states N.

        Returns
        -------
        float
            In complex N x N arrays, of 20 bytes an entry.
        """
        return 2.0 * (2 * n_sites - 1) * 20.0 / 16.0

    def flops(self, n_sites: int, kernel_flops: float) -> float:
        """Flops of one application: eight an entry of 2 N³.

        Parameters
        ----------
        n_sites : int
            Number of states N.
        kernel_flops : float
            Those of the half form, which is not used.

        Returns
        -------
        float
            Flops.
        """
        return 16.0 * n_sites**3

    def seconds(self, n_sites: int, kernel_flops: float, rate: float) -> float:
        """Time of one application on one core, bound by memory: 2.5 ns an entry.

        Parameters
        ----------
        n_sites : int
            Number of states N.
        kernel_flops : float
            Flops of the half form, which is not used.
        rate : float
            Flop/s that products reach in it.

        Returns
        -------
        float
            In seconds.
        """
        return 2.0 * n_sites**3 * 2.5e-9

    def setup_seconds(self, n_sites: int, rate: float, n_ranks: int) -> float:
        """Core-seconds before the first application: rows by products.

        Parameters
        ----------
        n_sites : int
            Number of states N.
        rate : float
            Flop/s that products reach.
        n_ranks : int
            That share the sample.

        Returns
        -------
        float
            In seconds.
        """
        return 32.0 * n_sites**4 / rate


_OPERATORS: dict[str, MatrixFree | Assembled] = {
    operator.name: operator for operator in (MatrixFree(), Assembled())
}
OPERATORS = tuple(_OPERATORS)


def find_operator(operator: object) -> MatrixFree | Assembled:
    """An operator by name, or the object itself.  Raises ValueError for an unknown name."""
    if isinstance(operator, (MatrixFree, Assembled)):
        return operator
    if not isinstance(operator, str) or operator not in _OPERATORS:
        raise InputError(f"operator = {shown(operator)}: must be one of {', '.join(OPERATORS)}")
    return _OPERATORS[operator]


def check_operator(operator: object, drop_tolerance: object) -> tuple[str, float]:
    """One of OPERATORS, and the part of the largest rate below which it drops entries.

    operator: a name or an object; drop_tolerance: in [0, 1), 0 where the object has its own
    or the operator is not assembled.  Raises TypeError or ValueError.
    """
    chosen, drop = find_operator(operator), _check_drop(drop_tolerance)
    if not drop or drop == chosen.drop_tolerance:
        return chosen.name, float(chosen.drop_tolerance)
    if not isinstance(chosen, Assembled):
        raise InputError(
            f"drop_tolerance = {drop:g}: operator {chosen.name!r} has no entries to drop, "
            "'assembled' has"
        )
    if chosen.drop_tolerance:
        raise InputError(f"drop_tolerance = {drop:g}: the operator has one already, {chosen}")
    return chosen.name, drop


def require_operator(operator: str | MatrixFree | Assembled) -> None:
    """Raise RuntimeError when the operator needs PETSc and there is none."""
    name = find_operator(operator).name
    if name == Assembled.name:
        try:
            petsc()
        except Unavailable as error:
            raise Unavailable(
                f"operator = {name!r}: {error}, or use operator 'matrix-free'"
            ) from error
