"""The machine and the libraries: what a record says about where it was computed.

Nothing here takes part in a calculation.  :func:`describe` looks at what is already in memory
and at package metadata, so it may be called on any rank at any time; what needs MPI or PETSc
to start is asked of a subprocess by :mod:`manybody.system.doctor`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import re
import socket
import subprocess
from pathlib import Path

import numpy

from manybody.system.blas import UNKNOWN, blas_summary, cpu_info
from manybody.system.commands import answer_of

NOT_INSTALLED = "not installed"

# Beside NumPy, which is imported and says it itself.
_LIBRARIES = ("scipy", "h5py", "petsc4py", "slepc4py", "mpi4py", "qutip")

PACKAGE = Path(__file__).resolve().parents[1]


def describe() -> dict[str, str | int]:
    """Return the provenance of a record: versions, BLAS and machine, flat.

    Every key is always there; a value that cannot be found is ``"unknown"`` and a missing
    package is ``"not installed"``.  Costs some tens of milliseconds once in a process and
    starts neither MPI nor PETSc.
    """
    return dict(_describe())


@functools.lru_cache(maxsize=1)
def _describe() -> dict[str, str | int]:
    blas, scipys = blas_summary("numpy"), blas_summary("scipy")
    return {
        "manybody": version("manybody"),
        "git_revision": _git_revision(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        **{name: version(name) for name in _LIBRARIES},
        "blas": blas["name"],
        "blas_version": blas["version"],
        "blas_core": blas["core"],
        "blas_threads": blas["threads"],
        "scipy_blas": scipys["name"],
        "scipy_blas_version": scipys["version"],
        "scipy_blas_core": scipys["core"],
        "hostname": socket.gethostname(),
        "cpu_model": _cpu_model(),
        "logical_cores": os.cpu_count() or 1,
    }


def version(package: str) -> str:
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
    folder, name = PACKAGE.parent, PACKAGE.name
    if not (folder / ".git").exists():  # installed: a repository further up is not ours
        return UNKNOWN
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", name]
    try:
        answer = answer_of(command, 10.0, check=True, cwd=folder, env=environment).stdout
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    commit = re.search(r"^# branch\.oid ([0-9a-f]{40,})$", answer, re.MULTILINE)
    if commit is None:
        return UNKNOWN
    modified = any(line and not line.startswith("#") for line in answer.splitlines())
    return commit[1] + ("-dirty" if modified else "")


def _cpu_model() -> str:
    return cpu_info("model name") or platform.processor() or platform.machine() or UNKNOWN
