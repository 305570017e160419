"""Limits of this process that must be looked at before NumPy is imported."""

import resource

# Python, NumPy, SciPy, HDF5 and matplotlib take half of it.  Below, the BLAS of NumPy and SciPy
# does not fail but tries again for ever, and hears no signal.
_LEAST_BYTES = 1 << 30


def too_little_address_space() -> str:
    """Why this process cannot work, a sentence; empty where it can."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= _LEAST_BYTES:
        return ""
    return (
        f"the address space of a process is limited to {limit / 2**20:.0f} MiB (ulimit -v), at "
        f"least {_LEAST_BYTES / 2**20:.0f} MiB are needed"
    )
