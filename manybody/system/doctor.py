"""What ``python -m manybody doctor`` says: what was found, and what each missing piece costs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

from manybody.system.blas import (
    ProductRate,
    better_core_type,
    blas_summary,
    cpu_flags,
    measure_product_rates,
    usable_cores,
)
from manybody.system.commands import answer_of
from manybody.system.environment import NOT_INSTALLED, PACKAGE, UNKNOWN, describe, version

# With these in its environment a process believes that a launcher started it.
_LAUNCHER_PREFIXES = ("OMPI_", "PMI", "PRTE", "HYDRA", "MPI_LOCAL", "PALS_", "FLUX_", "SLURM_")

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


def doctor_report() -> list[str]:
    """Return the lines of ``python -m manybody doctor``.

    One line for each thing found and, for each missing one, what that costs.  MPI and PETSc
    are started in subprocesses, so a broken installation is reported and takes nothing down.
    """
    facts = describe()
    return [
        f"manybody {facts['manybody']} from {PACKAGE}, revision {facts['git_revision']}",
        f"Python {facts['python']} ({sys.executable})",
        f"machine {facts['hostname']}: {facts['cpu_model']}, {facts['logical_cores']} logical "
        f"cores, {usable_cores()} usable by this process",
        "",
        f"NumPy {facts['numpy']}, SciPy {facts['scipy']}",
        _optional_package("h5py", "no store can be written or read (run, report)"),
        _optional_package("matplotlib", "reports come without figures"),
        *_blas_lines(facts),
        "",
        *_petsc_lines(),
        "",
        *_mpi_lines(),
    ]


def _optional_package(name: str, cost: str) -> str:
    found = version(name)
    if found == NOT_INSTALLED:
        return f"{name}: not installed; without it {cost}"
    return f"{name} {found}"


def _blas_lines(facts: dict[str, str | int]) -> list[str]:
    name, core, threads = facts["blas"], str(facts["blas_core"]), int(facts["blas_threads"])
    if name == UNKNOWN:
        return [
            "BLAS of NumPy: not recognised (threadpoolctl sees OpenBLAS, MKL and BLIS); "
            "its kernel and threads are not recorded"
        ]
    lines = [
        f"BLAS of SciPy (matrices of 24 sites and more): {facts['scipy_blas']} "
        f"{facts['scipy_blas_version']}, core type {facts['scipy_blas_core']}",
        f"BLAS of NumPy (the rest): {name} {facts['blas_version']}, core type {core}, "
        f"{threads} thread{'s' if threads != 1 else ''} in a plain process",
        "  runs use one thread a rank unless --threads or OPENBLAS_NUM_THREADS says otherwise",
    ]
    better, fallen_back = better_core_type(blas_summary(), cpu_flags())
    if better and fallen_back:
        lines.append(
            f"  slow: NumPy's OpenBLAS is older than the CPU and fell back on its {core} kernels"
        )
    return [*lines, *_rate_lines(measure_product_rates())]


def _rate_lines(rates: list[ProductRate]) -> list[str]:
    """Measured product rates, and the line to export when another core type is faster."""
    if not rates:
        return ["  the rate of its matrix products could not be measured"]
    lines = [
        "  matrix products of 216 sites on one thread, measured now, in GF/s:",
        f"    {'':<34} {'complex':>9} {'real':>9} {'complex, NumPy':>15}",
    ]
    for rate in rates:
        own = rate.core if rate.core == rate.numpy_core else f"{rate.core} / {rate.numpy_core}"
        name = f"OPENBLAS_CORETYPE={rate.asked}" if rate.asked else f"own choice, {own}"
        lines.append(f"    {name:<34} {rate.complex:9.1f} {rate.real:9.1f} {rate.numpy:15.1f}")
    # Of those that are as good as equal the first, for the sake of equal bits elsewhere.
    fastest = max(rate.complex for rate in rates), max(rate.numpy for rate in rates)
    good = [r for r in rates if r.complex > 0.9 * fastest[0] and r.numpy > 0.9 * fastest[1]]
    best = good[0] if good else max(rates, key=lambda rate: rate.complex)
    set_to = os.environ.get("OPENBLAS_CORETYPE", "")
    now = next((rate for rate in rates if rate.asked.lower() == set_to.lower()), rates[0])
    # Below this the difference may be noise, and another core type changes the last bits.
    gains = best.complex / now.complex, best.numpy / now.numpy
    if best is not now and max(gains) > 1.1:
        name = "OPENBLAS_CORETYPE"
        command = f"export {name}={best.asked}" if best.asked else f"unset {name}"
        lines.append(f"  {gains[0]:.1f} times faster (NumPy's {gains[1]:.1f} times):  {command}")
        lines.append(
            "  (before Python starts; the scripts do it; it changes the last bits, so keep to "
            "one within a study)"
        )
    elif set_to:
        lines.append(f"  OPENBLAS_CORETYPE={set_to} is set, and nothing here is faster")
    return lines


def _petsc_lines() -> list[str]:
    cost = (
        "  cost: no Redfield steady states, no gaps and slow modes (observables 'steady_state', "
        "'gap'), no sparse level statistics, no operator 'assembled', no steppers ts-* and mfn-*",
        "  unaffected: trace distances by the default stepper and everything else",
        "  remedy: MANYBODY_PETSC=existing, debian or pypi in front of bash scripts/setup.sh; "
        "each says what it needs",
    )
    if version("petsc4py") == NOT_INSTALLED:
        return ["PETSc: petsc4py is not installed", *cost]
    found, failure = _probe(_PETSC_PROBE)
    if found is None:
        return [f"PETSc: petsc4py {version('petsc4py')} does not work: {failure}", *cost]

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
            f"SLEPc: not usable ({found['slepc_error']}); no gaps and slow modes, no sparse "
            "level statistics and no steppers mfn-*; the rest is unaffected"
        )
    return lines


def _mpi_lines() -> list[str]:
    cost = (
        "  cost: manybody runs as one process; results are the same, only later",
        "  remedy: install an MPI library, then call scripts/setup.sh",
    )
    mpirun = shutil.which("mpirun") or shutil.which("mpiexec") or shutil.which("srun")
    launcher = f"launcher: {mpirun or 'no mpirun, mpiexec or srun on PATH'}"
    if version("mpi4py") == NOT_INSTALLED:
        return ["MPI: mpi4py is not installed", *cost, launcher]
    found, failure = _probe(_MPI_PROBE)
    if found is None:
        return [f"MPI: mpi4py {version('mpi4py')} does not work: {failure}", *cost, launcher]

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
        answer = answer_of([launcher, "--version"], 20.0, env=_clean_environment())
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
        answer = answer_of([sys.executable, "-c", code], timeout, env=_clean_environment())
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
