"""One door to PETSc and SLEPc: import, initialise once, refuse builds that cannot serve."""

import contextlib
import functools
import importlib.util
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from manybody.errors import InputError, Unavailable
from manybody.system.launch import launched_ranks

_INSTALL = (
    "run scripts/setup.sh, or install Debian's python3-petsc4py-complex and "
    "python3-slepc4py-complex"
)


@functools.cache
def petsc() -> Any:
    """petsc4py.PETSc, initialised without touching sys.argv.

    Only once: every initialisation reads files of petsc4py, and every solution asks for it.
    Raises RuntimeError when it is missing or built for real scalars.
    """
    try:
        import petsc4py

        # PETSc's finalisation is collective over the communicator it starts on, and
        # a rank that never solved anything would not take part: one rank is enough.
        # Objects on other communicators do not mind.  That takes mpi4py to have started MPI,
        # so that among several ranks it must come first, whoever asked for PETSc.
        if launched_ranks() > 1 and importlib.util.find_spec("mpi4py") is not None:
            importlib.import_module("mpi4py.MPI")
        mpi = sys.modules.get("mpi4py.MPI")
        petsc4py.init([], comm=mpi.COMM_SELF if mpi is not None else None)
        PETSc: Any = importlib.import_module("petsc4py.PETSc")
    except ImportError as error:
        raise Unavailable(
            f"PETSc is needed but petsc4py does not import ({error}): {_INSTALL}"
        ) from error
    scalar = np.dtype(PETSc.ScalarType)
    if scalar.kind != "c":
        raise Unavailable(
            f"PETSc is built for {scalar.name} scalars, complex is needed: " + _INSTALL
        )
    return PETSc


@functools.cache
def slepc() -> Any:
    """slepc4py.SLEPc.  Raises RuntimeError when SLEPc or PETSc cannot serve."""
    petsc()
    try:
        import slepc4py

        slepc4py.init([])
        from slepc4py import SLEPc
    except ImportError as error:
        raise Unavailable(
            f"SLEPc is needed but slepc4py does not import ({error}): {_INSTALL}"
        ) from error
    return SLEPc


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Errors of PETSc as such: slepc4py 3.26 hands them on inside a SystemError."""
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, petsc().Error):
            raise error.__cause__ from None
        raise


@contextlib.contextmanager
def part_of_solver(part: Any) -> Iterator[Any]:
    """The inner solver or preconditioner of another, given back at the end.

    A handle that is only dropped keeps kilobytes of its solver for ever, or all of it.
    """
    try:
        yield part
    finally:
        part.destroy()


class Options:
    """PETSc options of a user, in the global database while this is entered.

    text: as on a command line, "-redfield_ts_adapt_type none"; an option without
    a value is a switch.  prefix: what every name must begin with, since PETSc
    ignores a name that no solver asks for.  Raises ValueError.
    """

    def __init__(self, text: str, prefix: str) -> None:
        self._entries: dict[str, str | None] = {}
        name = None
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise InputError(f"petsc_options = {text!r}: {error}") from error
        for word in words:
            is_option = word.startswith("-") and not _is_number(word)
            if is_option:
                name = word.lstrip("-")
                if not name.startswith(prefix) or name == prefix:
                    raise InputError(
                        f"petsc_options = {text!r}: {word} reaches no solver, "
                        f"names must begin with -{prefix}"
                    )
                self._entries[name] = None
            elif name is None:
                raise InputError(f"petsc_options = {text!r}: must start with an option like -name")
            else:
                previous = self._entries[name]
                self._entries[name] = word if previous is None else f"{previous} {word}"
        self._database: Any = None
        self._before: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __enter__(self) -> "Options":
        self._database = petsc().Options()
        self._before = self._database.getAll()
        for name, value in self._entries.items():
            self._database.setValue(name, value)
        return self

    def __exit__(self, *_: object) -> None:
        # PETSc renames deprecated options in its database: what is new must go,
        # whatever its name.
        for name in self._database.getAll().keys() | self._entries.keys():
            self._database.delValue(name)
        for name, value in self._before.items():
            self._database.setValue(name, value)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
