"""One door to PETSc and SLEPc: import, initialise once, refuse builds that cannot serve."""

import contextlib
import ctypes
import difflib
import functools
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np

from manybody.errors import InputError, InputTypeError, Unavailable, shown
from manybody.system.communicator import Communicator
from manybody.system.launch import launched_ranks

# What works without is the larger part, so that a sentence says what does not.
_FOR = (
    "Redfield steady states, gaps and slow modes, sparse level statistics, assembled operators, "
    "steppers ts-* and mfn-*"
)
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
        own = mpi.COMM_SELF if mpi is not None else None
        # Its handlers would end a run that is asked to stop, by SIGHUP or SIGTERM.
        petsc4py.init(["manybody", "-no_signal_handler"], comm=own)
        PETSc: Any = importlib.import_module("petsc4py.PETSc")
        PETSc.Options().delValue("no_signal_handler")
    except ImportError as error:
        raise Unavailable(
            f"PETSc is needed but petsc4py does not import ({error}): {_INSTALL}; it is for {_FOR}"
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
def freed(item: Any) -> Iterator[Any]:
    """An object of PETSc, or made of them, or a part of a solver, given back at the end.

    A handle that is only dropped keeps kilobytes of its solver for ever, or all of it.
    """
    try:
        yield item
    finally:
        item.destroy()


def handle(comm: Communicator | None) -> Any:
    """A communicator as PETSc wants it; None stands for one process."""
    return petsc().COMM_SELF if comm is None else comm


def has_mumps() -> bool:
    """Whether PETSc is built with MUMPS, without which one process factorises alone."""
    return bool(petsc().Sys.hasExternalPackage("mumps"))


class Options:
    """PETSc options of a user, in the global database while this is entered.

    text: as on a command line, "-redfield_ts_adapt_type none"; an option without
    a value is a switch; entries: value or None by name.  prefix: what every name must
    begin with, since PETSc ignores a name that no solver asks for.  Raises ValueError.
    """

    def __init__(self, text: str, prefix: str) -> None:
        if not isinstance(text, str):
            raise InputTypeError(f"petsc_options = {shown(text)}: a text is needed")
        self.entries: dict[str, str | None] = {}
        name = None
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise InputError(f"petsc_options = {shown(text)}: {error}") from error
        for word in words:
            is_option = word.startswith("-") and not _is_number(word)
            if is_option:
                name = word.lstrip("-")
                if not name.startswith(prefix) or name == prefix:
                    raise InputError(
                        f"petsc_options = {shown(text)}: {word} reaches no solver, "
                        f"names must begin with -{prefix}"
                    )
                self.entries[name] = None
            elif name is None:
                raise InputError(
                    f"petsc_options = {shown(text)}: must start with an option like -name"
                )
            else:
                previous = self.entries[name]
                self.entries[name] = word if previous is None else f"{previous} {word}"
        self._database: Any = None
        self._before: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __enter__(self) -> "Options":
        self._database = petsc().Options()
        self._before = self._database.getAll()
        for name, value in self.entries.items():
            self._database.setValue(name, value)
        return self

    def unread(self) -> list[str]:
        """Names that no solver has read, while this is entered."""
        # petsc4py does not say; what PETSc has renamed it has read.
        library = ctypes.CDLL(petsc().__file__)
        found = []
        for name in self.entries.keys() & self._database.getAll().keys():
            used = ctypes.c_int(0)
            library.PetscOptionsUsed(None, name.encode(), ctypes.byref(used))
            found += [] if used.value else [name]
        return found

    def __exit__(self, *_: object) -> None:
        # PETSc renames deprecated options in its database: what is new must go,
        # whatever its name.
        for name in self._database.getAll().keys() | self.entries.keys():
            self._database.delValue(name)
        for name, value in self._before.items():
            self._database.setValue(name, value)


# What the text of a study may set: schemes, tolerances and limits of solvers, monitors on the log.
# Of PETSc 3.18 to 3.26, by kind of solver.
_PORTABLE = MappingProxyType(
    {
        "ts": "type dt time_step rtol atol max_steps max_time max_snes_failures max_reject "
        "max_step_rejections exact_final_time monitor converged_reason rk_type rk_multirate "
        "ssp_type ssp_nstages arkimex_type arkimex_fully_implicit arkimex_fastslowsplit "
        "arkimex_initial_guess_extrapolate dirk_type rosw_type rosw_recompute_jacobian bdf_order "
        "theta_theta theta_endpoint theta_adapt theta_initial_guess_extrapolate adapt_type "
        "adapt_always_accept adapt_safety adapt_reject_safety adapt_clip adapt_dt_min "
        "adapt_dt_max adapt_max_ignore adapt_scale_solve_failed adapt_wnormtype "
        "adapt_time_step_increase_delay adapt_monitor adapt_dsp_filter adapt_dsp_pid",
        "snes": "type rtol atol stol max_it max_funcs max_fail max_linear_solve_fail "
        "lag_jacobian lag_jacobian_persists lag_preconditioner lag_preconditioner_persists "
        "linesearch_type monitor converged_reason",
        "ksp": "type rtol atol divtol max_it gmres_restart gmres_haptol gmres_preallocate "
        "gmres_breakdown_tolerance gmres_modifiedgramschmidt gmres_classicalgramschmidt "
        "gmres_cgs_refinement_type monitor converged_reason",
        "pc": "type",
        "mfn": "type tol ncv max_it monitor converged_reason",
    }
)
_NAMES = frozenset(f"{kind}_{own}" for kind, every in _PORTABLE.items() for own in every.split())
_NO_WORDS = ("python", "shell", "view", "file", "load", "lib", "draw", "matlab")


def check_portable(text: str, prefix: str = "redfield_") -> None:
    """Raise InputError for options that a study may not bring along, since it is data.

    PETSc has options that load code, and others that write files.  Needs no PETSc.
    """
    for name, value in Options(text, prefix).entries.items():
        own, word = name.removeprefix(prefix), value or ""
        is_monitor = own.endswith(("monitor", "converged_reason")) and bool(word)
        if (
            own not in _NAMES
            or not re.fullmatch(r"[\w.+-]*", word)
            or any(each in f"{own} {word}".lower() for each in _NO_WORDS)
            or is_monitor
        ):
            given = f"-{name} {word}".strip()
            raise InputError(
                f"petsc_options: {given!r} is not for the text of a study, which may set schemes, "
                "tolerances, limits and monitors without a value: what loads code or names files "
                f"is given on the command line alone, --petsc-options{meant(name, prefix)}"
            )


def meant(name: str, prefix: str) -> str:
    """What somebody may have meant by an option that nobody knows, as the end of a sentence."""
    own = name.removeprefix(prefix)
    near = [] if own in _NAMES else difflib.get_close_matches(own, _NAMES, 1, 0.8)
    return "".join(f": is -{prefix}{each} meant?" for each in near)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
