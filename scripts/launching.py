"""What starts several ranks on any machine: for the scripts of this folder and the tests."""

import atexit
import functools
import importlib.util
import os
import shutil
import tempfile

# As root, which is what a container runs as; with more ranks than cores, which then leave the
# cores to each other.  Each twice where Open MPI 5, whose launcher is PRRTE, has another name
# for it.  Its ranks find each other on the loopback device alone: a machine without a network
# has no other, and "nodes" that are daemons of one machine reach each other by it.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_tcp_if_include": "lo",
}
# Which mean that some launcher has started this process already.
FOREIGN = ("SLURM", "OMPI_", "PRTE_", "PMI", "HYDRA")


def can_launch() -> bool:
    """Whether there is a launcher and a library for several ranks."""
    return shutil.which("mpirun") is not None and importlib.util.find_spec("mpi4py") is not None


def environment(**variables: str) -> dict[str, str]:
    """That of this process, for a launcher of its own; one BLAS thread a rank."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
    own |= OPEN_MPI | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return own | {"TMPDIR": _sessions()} | variables


@functools.cache
def _sessions() -> str:
    """A folder of this process for the sessions of its launchers, removed at its end.

    Those of one user share a folder otherwise, which one that ends removes while another of
    Open MPI 5 that starts needs it.
    """
    folder = tempfile.mkdtemp(prefix="mpi-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
