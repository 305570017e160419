"""The machine and the libraries: what a record says about where it was computed.

Nothing here takes part in a calculation.  :func:`describe` looks at what is already in memory
and at package metadata, so it may be called on any rank at any time; what needs MPI or PETSc
to start is asked of a subprocess by :func:`doctor_report`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy

__all__ = ["better_core_type", "blas_summary", "cpu_flags", "describe", "doctor_report"]

NOT_INSTALLED = "not installed"
UNKNOWN = "unknown"

_PACKAGE = Path(__file__).resolve().parent

# With these in its environment a process believes that a launcher started it.
_LAUNCHER_PREFIXES = (
    "OMPI_", "PMI", "PRTE", "HYDRA", "MPI_LOCAL", "PALS_", "FLUX_", "SLURM_",
)  # fmt: skip

# What OpenBLAS calls its kernels that use AVX-512, and those older than AVX2: the second is
# what it falls back on when it is older than the CPU and does not recognise it.
_AVX512_CORES = ("SkylakeX", "Cooperlake", "SapphireRapids")
_OLD_CORES = (
    "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Sandybridge", "Katmai", "Coppermine",
    "Northwood", "Banias", "Atom", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat",
)  # fmt: skip

_PROBE_MARK = "manybody-probe:"

_PETSC_PROBE = """
import json
import numpy
import petsc4py
petsc4py.init(["manybody-doctor"])
from petsc4py import PETSc
found = {
    "version": "%d.%d.%d" % PETSc.Sys.getVersion(),
    "petsc4py": petsc4py.__version__,
    "scalar": numpy.dtype(PETSc.ScalarType).name,
    "index": numpy.dtype(PETSc.IntType).itemsize * 8,
}
for name in ("mumps", "scalapack"):
    try:
        found[name] = bool(PETSc.Sys.hasExternalPackage(name))
    except Exception:
        found[name] = None
try:
    import slepc4py
    slepc4py.init([])
    from slepc4py import SLEPc
    found["slepc"] = "%d.%d.%d" % SLEPc.Sys.getVersion()
except Exception as error:
    found["slepc_error"] = f"{type(error).__name__}: {error}"
try:
    from mpi4py import MPI
except Exception:
    pass
else:
    try:
        PETSc.Vec().create(MPI.COMM_SELF).destroy()
        found["shares_mpi"] = True
    except Exception as error:
        found["shares_mpi"] = False
print("manybody-probe:" + json.dumps(found))
"""

_MPI_PROBE = """
import json
import mpi4py
from mpi4py import MPI
found = {
    "mpi4py": mpi4py.__version__,
    "library": MPI.Get_library_version().strip("\\0 \\n"),
    "size": MPI.COMM_WORLD.Get_size(),
}
print("manybody-probe:" + json.dumps(found))
"""


def describe() -> dict[str, str | int]:
    """Return the provenance of a record: versions, BLAS and machine, flat.

    Every key is always there; a value that cannot be found is ``"unknown"`` and a missing
    package is ``"not installed"``.  Costs some tens of milliseconds once in a process and
    starts neither MPI nor PETSc.
    """
    return dict(_describe())


@functools.lru_cache(maxsize=1)
def _describe() -> dict[str, str | int]:
    blas = blas_summary()
    return {
        "manybody": _version("manybody"),
        "git_revision": _git_revision(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": _version("scipy"),
        "h5py": _version("h5py"),
        "petsc4py": _version("petsc4py"),
        "slepc4py": _version("slepc4py"),
        "mpi4py": _version("mpi4py"),
        "blas": blas["name"],
        "blas_version": blas["version"],
        "blas_core": blas["core"],
        "blas_threads": blas["threads"],
        "hostname": socket.gethostname(),
        "cpu_model": _cpu_model(),
        "logical_cores": os.cpu_count() or 1,
    }


def blas_summary() -> dict[str, str | int]:
    """Return name, version, core type and threads of the BLAS that NumPy calls.

    Keys ``name`` ("openblas"), ``version`` ("0.3.27"), ``core`` ("Haswell", "SkylakeX") and
    ``threads``.  Other copies of a BLAS in this process, SciPy's or the system's, are not it.
    """
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        libraries: list[dict[str, Any]] = []
    else:
        libraries = [entry for entry in threadpool_info() if entry.get("user_api") == "blas"]
    chosen = _numpys_blas(libraries)
    if chosen is None:
        return {"name": UNKNOWN, "version": UNKNOWN, "core": UNKNOWN, "threads": 1}
    return {
        "name": str(chosen.get("internal_api") or UNKNOWN),
        "version": str(chosen.get("version") or UNKNOWN),
        "core": str(chosen.get("architecture") or UNKNOWN),
        "threads": int(chosen.get("num_threads") or 1),
    }


def _numpys_blas(libraries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Pick NumPy's entry of ``threadpool_info()``: its own copy, else one nobody else owns."""

    def owner(entry: dict[str, Any]) -> str:
        # .../numpy.libs/libscipy_openblas64_-6bb31eeb.so, .../numpy/.dylibs/..., /usr/lib/...
        folders = Path(str(entry.get("filepath", ""))).parts[:-1]
        for folder in reversed(folders):
            if folder.removesuffix(".libs") in ("numpy", "scipy"):
                return folder.removesuffix(".libs")
        return ""

    for wanted in ("numpy", ""):
        for entry in libraries:
            if owner(entry) == wanted:
                return entry
    return libraries[0] if libraries else None


def better_core_type(chosen: dict[str, str | int], flags: set[str]) -> tuple[str, bool]:
    """Return the OpenBLAS core type that suits a CPU better than the chosen one.

    ``chosen`` is a :func:`blas_summary`, ``flags`` the CPU's flags as /proc/cpuinfo names them.
    The name is empty when there is nothing better or somebody has set OPENBLAS_CORETYPE; the
    second value is True when OpenBLAS fell back on kernels older than AVX2, which costs a
    factor of four or more in a complex matrix product.
    """
    core = chosen["core"]
    if chosen["name"] != "openblas" or core == UNKNOWN or os.environ.get("OPENBLAS_CORETYPE"):
        return "", False
    fallen_back = core in _OLD_CORES
    if {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return ("", False) if core in _AVX512_CORES else ("SkylakeX", fallen_back)
    if {"avx2", "fma"} <= flags and fallen_back:
        return "Haswell", True
    return "", False


def _version(package: str) -> str:
    """Version of an installed package from its metadata, without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        return UNKNOWN if importlib.util.find_spec(package) else NOT_INSTALLED
    except (ImportError, ValueError):
        return NOT_INSTALLED


def _git_revision() -> str:
    """Commit of the source tree this package is imported from, "-dirty" when modified."""
    if not (_PACKAGE.parent / ".git").exists():  # installed: a repository further up is not ours
        return UNKNOWN
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        answer = subprocess.run(
            ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch",
             "--", _PACKAGE.name],
            cwd=_PACKAGE.parent, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    commit = re.search(r"^# branch\.oid ([0-9a-f]{40,})$", answer, re.MULTILINE)
    if commit is None:
        return UNKNOWN
    modified = any(line and not line.startswith("#") for line in answer.splitlines())
    return commit[1] + ("-dirty" if modified else "")


def _cpu_info(field: str) -> str:
    """First value of a field of /proc/cpuinfo, empty where there is none."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == field:
                    return value.strip()
    except OSError:
        pass
    return ""


def cpu_flags() -> set[str]:
    """Return the CPU's flags as /proc/cpuinfo names them; empty where there is no such file."""
    return set(_cpu_info("flags").split())


def _cpu_model() -> str:
    return _cpu_info("model name") or platform.processor() or platform.machine() or UNKNOWN


# ---------------------------------------------------------------------------------- doctor


def doctor_report() -> list[str]:
    """Return the lines of ``python -m manybody doctor``.

    One line for each thing found and, for each missing one, what that costs.  MPI and PETSc
    are started in subprocesses, so a broken installation is reported and takes nothing down.
    """
    facts = describe()
    lines = [
        f"manybody {facts['manybody']} from {_PACKAGE}, revision {facts['git_revision']}",
        f"Python {facts['python']} ({sys.executable})",
        f"machine {facts['hostname']}: {facts['cpu_model']}, {facts['logical_cores']} logical "
        f"cores, {_usable_cores()} usable by this process",
        "",
        f"NumPy {facts['numpy']}, SciPy {facts['scipy']}",
    ]
    lines += _optional_package("h5py", "no store can be written or read (run, report)")
    lines += _optional_package("matplotlib", "reports come without figures")
    lines += _blas_lines(facts)
    lines.append("")
    lines += _petsc_lines()
    lines.append("")
    lines += _mpi_lines()
    return lines


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _optional_package(name: str, cost: str) -> list[str]:
    version = _version(name)
    if version == NOT_INSTALLED:
        return [f"{name}: not installed; without it {cost}"]
    return [f"{name} {version}"]


def _blas_lines(facts: dict[str, str | int]) -> list[str]:
    name, core, threads = facts["blas"], str(facts["blas_core"]), int(facts["blas_threads"])
    if name == UNKNOWN:
        return [
            "BLAS of NumPy: not recognised (threadpoolctl sees OpenBLAS, MKL and BLIS); "
            "its kernel and threads are not recorded"
        ]
    lines = [
        f"BLAS of NumPy: {name} {facts['blas_version']}, core type {core}, "
        f"{threads} thread{'s' if threads != 1 else ''} in each process"
    ]
    if threads > 1:
        lines.append(
            "  hint: with several ranks on a machine set OPENBLAS_NUM_THREADS=1 (and "
            "OMP_NUM_THREADS=1); the ranks compete for cores otherwise"
        )
    better, fallen_back = better_core_type(blas_summary(), cpu_flags())
    if better and fallen_back:
        lines.append(
            f"  slow: this OpenBLAS is older than the CPU and fell back on its {core} kernels, "
            f"several times slower; set OPENBLAS_CORETYPE={better} before Python starts "
            "(scripts/fig1.sh and scripts/test.sh do)"
        )
    elif better:
        lines.append(
            f"  hint: this CPU has AVX-512 and OpenBLAS chose its {core} kernels; "
            f"OPENBLAS_CORETYPE={better}, set before Python starts, may be faster"
        )
    if better:
        lines.append("  (another core type changes the last bits: keep to one within a study)")
    return lines


def _petsc_lines() -> list[str]:
    cost = (
        "  cost: the steppers ts-* and mfn-* are unavailable; the default Chebyshev stepper "
        "and all results are unaffected",
        "  remedy: MANYBODY_PETSC=existing, debian or pypi in front of bash scripts/setup.sh; "
        "each says what it needs",
    )
    if _version("petsc4py") == NOT_INSTALLED:
        return ["PETSc: petsc4py is not installed", *cost]
    found, failure = _probe(_PETSC_PROBE)
    if found is None:
        return [f"PETSc: petsc4py {_version('petsc4py')} does not work: {failure}", *cost]

    lines = [
        f"PETSc {found['version']} (petsc4py {found['petsc4py']}), scalars {found['scalar']}, "
        f"{found['index']}-bit indices"
    ]
    if not found["scalar"].startswith("complex"):
        lines[0] += ": refused, manybody needs a build with --with-scalar-type=complex"
        return [*lines, *cost]
    if found["index"] == 32:
        lines.append("  32-bit indices: an assembled Liouvillian is limited to 2^31 entries")
    for name, title, loss in (
        ("mumps", "MUMPS", "parallel direct solves are unavailable"),
        ("scalapack", "ScaLAPACK", "distributed dense eigensystems are unavailable"),
    ):
        answer = {True: "yes", False: f"no; {loss}", None: "this petsc4py cannot tell"}
        lines.append(f"  {title}: {answer[found[name]]}")
    if found.get("shares_mpi") is False:
        lines.append(
            "  petsc4py does not accept mpi4py's communicators: they were built for different "
            "MPI libraries, and PETSc steppers work on one process only"
        )
    if "slepc" in found:
        lines.append(f"SLEPc {found['slepc']}")
    else:
        lines.append(
            f"SLEPc: not usable ({found['slepc_error']}); the steppers mfn-* and the SLEPc "
            "eigensolvers are unavailable, ts-* and the default stepper are unaffected"
        )
    return lines


def _mpi_lines() -> list[str]:
    cost = (
        "  cost: manybody runs as one process; results are the same, only later",
        "  remedy: install an MPI library, then call scripts/setup.sh",
    )
    mpirun = shutil.which("mpirun") or shutil.which("mpiexec") or shutil.which("srun")
    launcher = f"launcher: {mpirun or 'no mpirun, mpiexec or srun on PATH'}"
    if _version("mpi4py") == NOT_INSTALLED:
        return ["MPI: mpi4py is not installed", *cost, launcher]
    found, failure = _probe(_MPI_PROBE)
    if found is None:
        return [f"MPI: mpi4py {_version('mpi4py')} does not work: {failure}", *cost, launcher]

    library = found["library"].splitlines()[0].split(", package:")[0]
    lines = [f"MPI: {library} (mpi4py {found['mpi4py']})", launcher]
    if mpirun is None:
        lines.append("  cost: several ranks cannot be started from here")
    else:
        family, launcher_family = _mpi_family(found["library"]), _mpi_family(_says(mpirun))
        if family and launcher_family and family != launcher_family:
            lines.append(
                f"  this launcher belongs to {launcher_family} and mpi4py to {family}: each "
                "rank would run the whole study on its own. Put the right mpirun first on PATH"
            )
    return lines


def _mpi_family(text: str) -> str:
    """Family of an MPI library or launcher from what it says of itself, empty if unsure."""
    if re.search(r"open[- ]?mpi|open[- ]?rte|prte", text, re.IGNORECASE):
        return "Open MPI"
    if re.search(r"mpich|hydra|intel\(r\) mpi|mvapich", text, re.IGNORECASE):
        return "MPICH"  # one ABI, and their launchers start each other's programs
    return ""


def _says(launcher: str) -> str:
    try:
        answer = subprocess.run(
            [launcher, "--version"], env=_clean_environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout + answer.stderr


def _clean_environment() -> dict[str, str]:
    """Return the environment without the traces of a launcher."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith(_LAUNCHER_PREFIXES)
    }


def _probe(code: str, timeout: float = 60.0) -> tuple[dict[str, Any] | None, str]:
    """Run `code` in a fresh interpreter; return what it found, or None and why it failed."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", code], env=_clean_environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"it does not answer within {timeout:.0f} s"
    except OSError as error:
        return None, str(error)
    for line in answer.stdout.splitlines():
        if line.startswith(_PROBE_MARK):
            found: dict[str, Any] = json.loads(line.removeprefix(_PROBE_MARK))
            return found, ""
    said = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    return None, said[-1] if said else f"exit status {answer.returncode} without a message"
