"""How much memory a machine has, and who shares it."""

import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Mapping

# An interpreter with the libraries and the buffers of BLAS.
INTERPRETER_BYTES = 120 << 20


def machine_bytes(root: str = "/sys/fs/cgroup") -> float:
    """Memory of this machine, or what its container grants."""
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            with open(os.path.join(root, name)) as file:
                total = min(total, float(file.read()))
        except (OSError, ValueError):
            # "max": no limit.
            continue
    return total


def ranks_here(n_ranks: int, environment: Mapping[str, str] = os.environ) -> int:
    """How many of `n_ranks` run on this machine, as its launcher says; all if it does not."""
    for name in ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_TASKS_PER_NODE"):
        value = environment.get(name, "").partition("(")[0].partition(",")[0]
        if value.isdigit() and int(value) > 0:
            return min(n_ranks, int(value))
    return n_ranks


def free_bytes() -> float:
    """Memory that nobody uses on this machine; infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
    except (ValueError, OSError):
        return float("inf")


def keep_freed_memory() -> bool:
    """Ask the C library to keep what is freed for the next sample; True where it can.

    By default glibc returns arrays of megabytes to the system and gets them back page by
    page: 2500 page faults, a tenth of the time, for each sample of 64 sites.  For
    programs that compute sample after sample; a library has no business here.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        # Matrices of large samples, 4 MiB and more, go back all the same: they are few, and
        # what they leave behind in a heap would be memory that the next one misses.
        return bool(mallopt(mmap_threshold, 1 << 22) and mallopt(trim_threshold, 1 << 29))
    return False


def peak_bytes() -> float:
    """Largest resident memory that this process has had."""
    peak = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # Bytes on macOS, kilobytes elsewhere.
    return peak if sys.platform == "darwin" else 1024.0 * peak
