"""The BLAS behind NumPy and SciPy: kernels, threads, speed, and how many cores there are.

Both packages may bring a copy of their own.  SciPy's multiplies the matrices of 24 sites
and more (manybody.arrays), NumPy's does the rest.

Nothing here takes part in a calculation, but both kernels and threads show in its last
bits, so they are chosen deliberately and recorded with every result.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manybody.system.commands import answer_of

UNKNOWN = "unknown"

# What OpenBLAS calls its kernels that use AVX-512, and those older than AVX2: the second is
# what it falls back on when it is older than the CPU and does not recognise it.
_AVX512_CORES = ("SkylakeX", "Cooperlake", "SapphireRapids")
_OLD_CORES = (
    "Prescott",
    "Core2",
    "Penryn",
    "Dunnington",
    "Nehalem",
    "Sandybridge",
    "Katmai",
    "Coppermine",
    "Northwood",
    "Banias",
    "Atom",
    "Athlon",
    "Opteron",
    "Opteron_SSE3",
    "Barcelona",
    "Bobcat",
)
_AVX2 = {"avx2", "fma"}
_AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}

# Whoever sets one of these has chosen the number of threads.
_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
)

# Products of the size of an L = 6 cube, by SciPy and by NumPy, a tenth of a second each.
_RATE_PROBE = """
import json, time
import numpy
from manybody.system.blas import blas_summary
from manybody.arrays import product
n, rates = 216, []
random = numpy.random.default_rng(0)
for dtype, columns, flops, multiply in (
    (complex, n, 8.0, product),
    (float, 2 * n, 4.0, product),
    (complex, n, 8.0, lambda left, right, out: numpy.matmul(left, right, out=out)),
):
    left = random.normal(size=(n, n)).astype(dtype)
    right = random.normal(size=(n, columns)).astype(dtype)
    out = numpy.zeros_like(right)
    best, stop = float("inf"), time.perf_counter() + 0.1
    while time.perf_counter() < stop:
        start = time.perf_counter()
        multiply(left, right, out)
        best = min(best, time.perf_counter() - start)
    rates.append(flops * n**3 / best / 1e9)
print(json.dumps([blas_summary("scipy")["core"], blas_summary("numpy")["core"], *rates]))
"""


@dataclass(frozen=True)
class ProductRate:
    """Rate of 216 x 216 matrix products on one thread.

    asked: OPENBLAS_CORETYPE, empty for none; core, numpy_core: the kernels that SciPy's and
    NumPy's OpenBLAS then used; complex, real: GF/s by SciPy; numpy: complex ones by NumPy.
    """

    asked: str
    core: str
    numpy_core: str
    complex: float
    real: float
    numpy: float


def blas_summary(owner: str = "numpy") -> dict[str, str | int]:
    """Return name, version, core type and threads of the BLAS that NumPy or SciPy calls.

    Keys ``name`` ("openblas"), ``version`` ("0.3.27"), ``core`` ("Haswell", "SkylakeX") and
    ``threads``.  Other copies of a BLAS in this process are not it.
    owner: "numpy" or "scipy".
    """
    import scipy.linalg.blas  # noqa: F401  its copy must be loaded to be seen

    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        libraries: list[dict[str, Any]] = []
    else:
        libraries = [entry for entry in threadpool_info() if entry.get("user_api") == "blas"]
    chosen = _blas_of(owner, libraries) or {}
    return {
        "name": str(chosen.get("internal_api") or UNKNOWN),
        "version": str(chosen.get("version") or UNKNOWN),
        "core": str(chosen.get("architecture") or UNKNOWN),
        "threads": int(chosen.get("num_threads") or 1),
    }


def _blas_of(wanted: str, libraries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Pick a package's entry of ``threadpool_info()``: its own copy, else one nobody owns."""

    def owner(entry: dict[str, Any]) -> str:
        # .../numpy.libs/libscipy_openblas64_-6bb31eeb.so, .../numpy/.dylibs/..., /usr/lib/...
        folders = Path(str(entry.get("filepath", ""))).parts[:-1]
        for folder in reversed(folders):
            if folder.removesuffix(".libs") in ("numpy", "scipy"):
                return folder.removesuffix(".libs")
        return ""

    for name in (wanted, ""):
        for entry in libraries:
            if owner(entry) == name:
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
    if flags >= _AVX512:
        return ("", False) if core in _AVX512_CORES else ("SkylakeX", fallen_back)
    if flags >= _AVX2 and fallen_back:
        return "Haswell", True
    return "", False


def cpu_info(field: str) -> str:
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
    return set(cpu_info("flags").split())


def measure_product_rates() -> list[ProductRate]:
    """Rates under OpenBLAS's own choice and under every core type the CPU can run.

    One subprocess each, on one thread, since OpenBLAS chooses when it is loaded.  With
    another BLAS, or another kind of CPU, there is one entry.  A core type that this
    OpenBLAS does not have shows as the kernels it used instead, and is left out.
    """
    asked = [""]
    if blas_summary()["name"] == "openblas":
        flags = cpu_flags()
        asked += ["Haswell"] if flags >= _AVX2 else []
        asked += ["SkylakeX"] if flags >= _AVX512 else []
        asked += ["Cooperlake"] if flags >= _AVX512 | {"avx512_bf16"} else []
    rates: list[ProductRate] = []
    for name in asked:
        rate = _measure(name)
        # The first entry is OpenBLAS's own choice, whatever it is called.
        found = {rate.core.lower(), rate.numpy_core.lower()} if rate is not None else set()
        if rate is not None and (not name or name.lower() in found):
            rates.append(rate)
    return rates


def _measure(core_type: str) -> ProductRate | None:
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1")}
    environment.pop("OPENBLAS_CORETYPE", None)
    if core_type:
        environment["OPENBLAS_CORETYPE"] = core_type
    # This very package, wherever it was imported from.
    root = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(
        [root, *filter(None, [environment.get("PYTHONPATH")])]
    )
    try:
        command = [sys.executable, "-c", _RATE_PROBE]
        answer = answer_of(command, 60.0, env=environment, check=True)
        found: list[Any] = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return ProductRate(core_type, *found)


# --------------------------------------------------------------------------------- threads

_chosen = contextvars.ContextVar("chosen", default=False)


@contextlib.contextmanager
def blas_threads(count: int | None = None) -> Iterator[None]:
    """Threads of NumPy's and SciPy's BLAS while the block runs.

    count: their number; None means one, unless an environment variable such as
    OPENBLAS_NUM_THREADS or an enclosing block has chosen.  One thread a rank is the
    default because samples are independent: more ranks beat more threads, results keep
    their bits, and ranks that share a machine do not fight over its cores.
    """
    if count is None:
        if _chosen.get() or any(os.environ.get(name) for name in _THREAD_VARIABLES):
            yield
            return
        count = 1
    token = _chosen.set(True)
    try:
        with _controller("petsc4py.PETSc" in sys.modules).limit(limits=count, user_api="blas"):
            yield
    finally:
        _chosen.reset(token)


@functools.lru_cache(maxsize=2)
def _controller(_with_petsc: bool) -> Any:
    """Finding the libraries costs milliseconds: once, and again when PETSc brings its own."""
    # SciPy's own copy of a BLAS is loaded by this.
    import scipy.linalg.lapack  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def usable_cores() -> int:
    """Cores this process may use: its affinity, and the quota of its container."""
    return max(1, min(len(_affinity()), _quota()))


def _affinity() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Whole cores that the control group allows; a large number without a limit."""
    with contextlib.suppress(OSError, ValueError):
        allowed, period = (root / "cpu.max").read_text().split()
        if allowed != "max":
            return max(1, int(allowed) // int(period))
    with contextlib.suppress(OSError, ValueError):
        allowed = (root / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        if int(allowed) > 0:
            return max(1, int(allowed) // int(period))
    return 1 << 30


def crowding(threads: int, cores_of_ranks: list[tuple[str, frozenset[int], int]]) -> str:
    """A sentence when ranks x threads exceed the cores of a machine, else nothing.

    cores_of_ranks: for every rank its machine, the cores it may run on and how many of
    them its container grants (see `own_cores`).
    """
    machines: dict[str, list[tuple[frozenset[int], int]]] = {}
    for machine, cores, granted in cores_of_ranks:
        machines.setdefault(machine, []).append((cores, granted))
    for machine, ranks in machines.items():
        together = frozenset().union(*(cores for cores, _ in ranks))
        available = min(len(together), max(granted for _, granted in ranks))
        wanted = len(ranks) * threads
        if wanted > available:
            return (
                f"{len(ranks)} rank(s) x {threads} BLAS thread(s) on {machine} share "
                f"{available} core(s) and will wait for each other: start fewer ranks, use "
                "--threads 1, or let the launcher bind ranks to more cores"
            )
    return ""


def own_cores(machine: str) -> tuple[str, frozenset[int], int]:
    """What `crowding` wants to know of this process."""
    return machine, _affinity(), _quota()
