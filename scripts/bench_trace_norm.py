#!/usr/bin/env python3
"""Where ScaLAPACK beats one rank's LAPACK at the trace norm of a matrix held by columns.

Cost:    for the sizes below about 15 seconds, on one rank or on two ranks of two cores.
Launch:  OPENBLAS_NUM_THREADS=1 mpirun -n 2 .venv/bin/python scripts/bench_trace_norm.py
             [--sizes 216,512,1000] [--rounds 3]
         (OPENBLAS_CORETYPE as `manybody doctor` recommends it: SLEPc brings a BLAS of its own)

Three ways take turns within every round; the time of a way is that of its slowest rank.
  gather     the columns go to rank 0, which calls LAPACK; the others wait
  spread     one matrix per rank: each gathers its own; time per matrix
  scalapack  hermitian_eigenvalues: all ranks work on one matrix
Prints medians in seconds, ratios to gather (above 1: quicker), the largest difference of an
eigenvalue from NumPy's over the norm, and the most memory a rank took on top, in matrices.
"""

import argparse
import ctypes
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

from manybody.numerics.petsc.eigensolvers import hermitian_eigenvalues  # noqa: E402
from manybody.physics.quantities.norms import trace_norm  # noqa: E402


def peak_memory(reset=False):
    """Most memory this process held since the last reset, bytes; nan where there is no telling.

    Linux and glibc: what malloc keeps of arrays long gone is handed back first.
    """
    try:
        if reset:
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return 1024.0 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, AttributeError, IndexError):
        return float("nan")


def ways(comm, block, columns, n):
    """{name: function that returns the trace norm, or None on a rank that has none}."""
    widths = comm.allgather(block.shape[1])
    entries = [n * width for width in widths]

    def gather():
        whole = np.empty((n, n), dtype=complex) if comm.rank == 0 else None
        comm.Gatherv(np.ascontiguousarray(block.T), (whole, entries), root=0)
        return None if whole is None else trace_norm(whole)

    def spread():
        # The same matrix P times over; what is sent would be as much for different ones.
        mine = np.ascontiguousarray(block.T)
        whole = np.empty((n, n), dtype=complex)
        sent = [mine.size] * comm.size
        comm.Alltoallv((mine, (sent, [0] * comm.size)), (whole, entries))
        return trace_norm(whole)

    def scalapack():
        return np.abs(hermitian_eigenvalues(block, columns, n, comm)).sum()

    return {"gather": gather, "spread": spread, "scalapack": scalapack}


def measure(comm, n, rounds):
    """Print one line for N = n."""
    rng = np.random.default_rng(n)
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    matrix += matrix.conj().T.copy()
    matrix /= np.linalg.norm(matrix)
    columns = slice(n * comm.rank // comm.size, n * (comm.rank + 1) // comm.size)
    block = np.ascontiguousarray(matrix[:, columns])
    expected = np.linalg.eigvalsh(matrix) if comm.rank == 0 else None
    found = hermitian_eigenvalues(block, columns, n, comm)
    del matrix
    seconds, memory, norms = {}, {}, {}
    for _ in range(rounds):
        for name, way in ways(comm, block, columns, n).items():
            before = peak_memory(reset=True)
            comm.Barrier()
            start = time.perf_counter()
            norms[name] = way()
            # The slowest rank counts: nobody has the norm earlier.
            elapsed = comm.allreduce(time.perf_counter() - start, op=MPI.MAX)
            share = comm.size if name == "spread" else 1
            seconds.setdefault(name, []).append(elapsed / share)
            taken = comm.allreduce(peak_memory() - before, op=MPI.MAX)
            memory[name] = max(memory.get(name, 0.0), taken / (16.0 * n * n))
    if comm.rank != 0:
        return
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    off = np.abs(found - expected).max() / np.abs(expected).max()
    assert all(np.isclose(norm, np.abs(expected).sum(), rtol=1e-10) for norm in norms.values())
    times = "  ".join(f"{median[name]:9.4f}" for name in median)
    ratios = "  ".join(f"{median['gather'] / median[name]:9.2f}" for name in median)
    held = "  ".join(f"{memory[name]:9.1f}" for name in median)
    print(f"{n:6d} | {times} | {ratios} | {off:8.1e} | {held}", flush=True)


def main():
    """Measure every size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="216,512,1000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    comm = MPI.COMM_WORLD
    if comm.rank == 0:
        names = "  ".join(f"{name:>9}" for name in ("gather", "spread", "scalapack"))
        print(f"{comm.size} rank(s): seconds a matrix | gather over it | error | matrices held")
        print(f"{'N':>6} | {names} | {names} | {'':8} | {names}", flush=True)
    for n in [int(word) for word in options.sizes.split(",")]:
        measure(comm, n, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
