"""Whether an MPI launcher has started this process, by what it leaves in the environment."""

import os
from collections.abc import Mapping

# Open MPI, MPICH and its kin.
_SIZE_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "MPI_LOCALNRANKS")


def launched_ranks(environment: Mapping[str, str] = os.environ) -> int:
    """Ranks that a launcher says it has started; 1 without one."""
    sizes = [int(environment[name]) for name in _SIZE_VARIABLES if name in environment]
    if "SLURM_STEP_NUM_TASKS" in environment and "SLURM_PROCID" in environment:
        sizes.append(int(environment["SLURM_STEP_NUM_TASKS"]))
    return max(sizes, default=1)
