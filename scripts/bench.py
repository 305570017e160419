#!/usr/bin/env python3
"""How fast, against the machine and against others: every ratio from one run.

Cost:    about 14 minutes on one core (two for the ensemble); --quick about 3.
Launch:  .venv/bin/python scripts/bench.py [--quick] [--only applications,stacks,...]
             [--out results/bench] [--against results/bench-before/bench.json]

Writes bench.json and bench.png into --out and prints tables.  Alternatives take turns
within every round, so that what else the machine does hits them alike; what is printed is
the median over rounds, with the smallest and largest in brackets.  QuTiP is compared when
it is installed (pip install "manybody[bench]"), PETSc when petsc4py imports.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__" and "MANYBODY_BENCH" not in os.environ:
    # BLAS reads these when it is loaded, that is before anything below is imported.
    from manybody.system.blas import better_core_type, blas_summary, cpu_flags

    environment = {**os.environ, "MANYBODY_BENCH": "1"}
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        environment.setdefault(name, "1")
    better, _ = better_core_type(blas_summary(), cpu_flags())
    if better:
        environment["OPENBLAS_CORETYPE"] = better
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)

import numpy as np  # noqa: E402
from bench_baths import baths  # noqa: E402
from bench_equations import equations  # noqa: E402
from bench_many import many  # noqa: E402
from bench_peers import against_expm, against_petsc, against_qutip  # noqa: E402
from bench_rows import ROWS, compare_with, draw, record, rounds_of, say  # noqa: E402
from bench_systems import BATH, bandwidth, operator_of, propagate, random_models  # noqa: E402

import manybody as mb  # noqa: E402
from manybody.arrays import aligned_copy, aligned_empty, product  # noqa: E402
from manybody.numerics.chebyshev import Chebyshev  # noqa: E402
from manybody.numerics.steppers import STEPPERS, build_stepper  # noqa: E402
from manybody.physics.equations.redfield import REDFIELD  # noqa: E402
from manybody.physics.quantities.norms import smallest_eigenvalue, trace_distance, trace_norm  # noqa: E402
from manybody.solve.stacked import stack_size  # noqa: E402
from manybody.system.environment import describe  # noqa: E402
from manybody.system.memory import keep_freed_memory  # noqa: E402

# --------------------------------------------------------- (a) applications and stacks


def flops(n, real, lamb_shift=False):
    """Of one application, docs/physics.md section 3."""
    return REDFIELD.flops(real, lamb_shift) * float(n) ** 3


def application_rounds(n, real, stack, rounds, lamb_shift=False):
    """Seconds of an application (X + X†) of a stack and of a plain product of its kind."""
    operator = operator_of(random_models(n, real, stack), lamb_shift=lamb_shift)
    random = np.random.default_rng(0)
    x = random.normal(size=(stack, n, n)) + 1j * random.normal(size=(stack, n, n))
    x = aligned_copy(x + np.swapaxes(x.conj(), 1, 2))
    out = aligned_empty(x.shape, np.complex128)
    matrix = aligned_copy(random.normal(size=(stack, n, n)).astype(float if real else complex))
    left, right = (x.view(np.float64), out.view(np.float64)) if real else (x, out)

    def by_scipy():
        for a, b, c in zip(matrix, left, right):
            product(a, b, c)

    seconds = rounds_of(
        {
            "application": lambda: operator.apply(x, out),
            "matmul": lambda: np.matmul(matrix, left, out=right),
            "gemm": by_scipy,
        },
        rounds,
    )
    # The yardstick is whichever multiplies faster.
    seconds["product"] = min(seconds["matmul"], seconds["gemm"], key=np.median)
    return seconds


def applications(quick):
    """Rate of applications as a fraction of the rate of plain products of the same size."""
    say("\n(a) applications, X + X† included, against plain products of the same size and kind")
    sizes = (8, 16, 32, 64, 128, 216) if quick else (8, 16, 27, 32, 64, 128, 216, 512, 1024)
    for n in sizes:
        for real in (False, True):
            for stack in sorted({1, stack_size(n)}):
                rounds = 3 if n >= 512 else 7 if quick else 11
                seconds = application_rounds(n, real, stack, rounds)
                rate = stack * (4.0 if real else 8.0) * n**3 / seconds["product"]
                own = stack * flops(n, real) / seconds["application"]
                name = f"N={n} {'real' if real else 'complex'} stack={stack}"
                facts = {"n": n, "real": real, "stack": stack}
                fraction = record(
                    "applications", f"{name} fraction", own / rate, "", "higher", **facts
                )
                each = record(
                    "applications",
                    f"{name} time",
                    1e6 * seconds["application"] / stack,
                    "us",
                    "lower",
                    **facts,
                )
                gigaflops = record(
                    "applications", f"{name} product rate", rate / 1e9, "GF/s", "higher", **facts
                )
                say(f"  {name:<28} {fraction:<28} of {gigaflops}; {each} a sample")
    for n in (64, 216):
        for real in (False, True):
            seconds = application_rounds(n, real, 1, 5, lamb_shift=True)
            rate = (4.0 if real else 8.0) * n**3 / seconds["product"]
            own = flops(n, real, True) / seconds["application"]
            name = f"N={n} {'real' if real else 'complex'} Lamb shift"
            text = record("applications-lamb", f"{name} fraction", own / rate, "", "higher")
            say(f"  {name:<28} {text}")


def stacks(quick):
    """Time of an application a sample, against the number of samples in a stack."""
    say("\n(a) stacks: microseconds of an application a sample; * what runs use")
    for n in (8, 16, 27, 32, 64):
        for real in (False, True):
            line = []
            for stack in (1, 2, 4, 8, 16, 32, 64, 128):
                if stack * n * n > 65536:
                    break
                seconds = application_rounds(n, real, stack, 3 if quick else 7)["application"]
                kind = "real" if real else "complex"
                record(
                    "stacks",
                    f"N={n} {kind} stack={stack}",
                    1e6 * seconds / stack,
                    "us",
                    "lower",
                    n=n,
                    real=real,
                    stack=stack,
                )
                mark = "*" if stack == stack_size(n) else ""
                line.append(f"{stack}{mark}: {1e6 * np.median(seconds) / stack:.2f}")
            say(f"  N={n:<3} {'real   ' if real else 'complex'} {'  '.join(line)}")


# ------------------------------------------------------------------ (b) work-precision


TOLERANCES = {
    "chebyshev": (1e-3, 1e-6, 1e-8, 1e-10, 1e-12),
    "dop853": (1e-5, 1e-7, 1e-9, 1e-11),
    "ts-rk5dp": (1e-5, 1e-7, 1e-9),
    "ts-rk8vr": (1e-5, 1e-7, 1e-9, 1e-11),
    "ts-arkimex4": (1e-4, 1e-6),
    "mfn-krylov": (1e-6, 1e-10),
    "mfn-expokit": (1e-6, 1e-10),
}


def precision(quick):
    """True error against applications and seconds, for every stepper."""
    say("\n(b) work-precision: largest true trace-norm error at 5 times, applications, seconds")
    cases = [
        ("SYK2 N=32 t=50", mb.dirac_syk2(32, seed=1), 50.0),
        ("SYK2 N=64 t=50", mb.dirac_syk2(64, seed=1), 50.0),
        ("Anderson W=5 N=216 t=5", mb.anderson3d(6, 5.0, seed=1), 5.0),
    ]
    budget = 5.0 if quick else 25.0
    for title, model, last in cases[: 1 if quick else 3]:
        times = np.linspace(0.0, last, 6)[1:]
        exact, _, _ = propagate(model, Chebyshev(1e-13), times, outline=False)
        reach = bandwidth(model) * last
        say(f"  {title} (bandwidth x time {reach:.0f})")
        for name in STEPPERS:
            for tolerance in TOLERANCES[name]:
                try:
                    stepper = build_stepper(name, tolerance)
                except RuntimeError as error:
                    say(f"    {name}: {error}")
                    break
                states, used, seconds = propagate(model, stepper, times)
                error = float(trace_norm(states - exact).max())
                record(
                    "precision",
                    f"{title} {name} {tolerance:g} seconds",
                    seconds,
                    "s",
                    "lower",
                    case=title,
                    stepper=name,
                    tolerance=tolerance,
                    error=error,
                    applications=used,
                )
                say(
                    f"    {name:<12} tolerance {tolerance:7.0e}  error {error:8.1e}  "
                    f"{used:7d} applications = {used / reach:6.2f} bandwidth x time  "
                    f"{seconds:8.3f} s"
                )
                if seconds > budget:
                    say(f"    {name}: tighter tolerances left out, this one took {seconds:.0f} s")
                    break


# -------------------------------------------------------------- (c) whole comparisons


def whole(quick):
    """A whole `compare` against the products it is made of, and against others.

    Products: as many of one matrix with another of the sample's size and kind, timed alone, as
    have the flops of the applications used.  Beside it what the Redfield propagation alone takes
    of these, and the shares of a `compare` that go to λ_min(ρ_R) and to ‖ρ_D − ρ_R‖₁.
    """
    say("\n(c) a whole compare (40 times, tolerance 1e-10, distances, Davies, certificate)")
    cases = [
        ("SYK2 N=64 t=50", mb.dirac_syk2(64, seed=1), 50.0, False),
        ("SYK2 N=128 t=50", mb.dirac_syk2(128, seed=1), 50.0, False),
        ("Anderson W=5 N=27 t=20", mb.anderson3d(3, 5.0, seed=1), 20.0, True),
        ("Anderson W=5 N=64 t=20", mb.anderson3d(4, 5.0, seed=1), 20.0, True),
        ("Anderson W=5 N=216 t=20", mb.anderson3d(6, 5.0, seed=1), 20.0, True),
    ]
    for title, model, last, real in cases:
        times, n = np.linspace(0.0, last, 40), model.n_sites
        run = mb.compare(model, BATH, times, keep_states=True)
        used, states = run.certificate.applications, (run.davies_states, run.redfield_states)
        random = np.random.default_rng(0)
        kind = float if real else complex
        matrix = aligned_copy(random.normal(size=(n, n)).astype(kind))
        right = aligned_copy(random.normal(size=(n, 2 * n if real else n)).astype(kind))
        out = np.empty_like(right)

        def one_compare(model=model, times=times):
            mb.compare(model, BATH, times)

        def one_product(matrix=matrix, right=right, out=out):
            product(matrix, right, out)

        seconds = rounds_of(
            {
                "compare": one_compare,
                "product": one_product,
                "propagation": lambda m=model, t=times: propagate(m, Chebyshev(1e-10), t),
                "distance": lambda pair=states: trace_distance(*pair),
                "positivity": lambda pair=states: smallest_eigenvalue(pair[1]),
            },
            3 if n > 200 or quick else 11,
        )
        ideal = used * flops(n, real) / ((4.0 if real else 8.0) * n**3) * seconds["product"]
        ratio = record(
            "whole", f"{title} over its products", seconds["compare"] / ideal, "", "lower"
        )
        reach = record(
            "whole",
            f"{title} applications per bandwidth x time",
            used / (bandwidth(model) * last),
            "",
            "lower",
        )
        taken = record("whole", f"{title} seconds", seconds["compare"], "s", "lower")
        say(f"  {title:<24} {taken}; {ratio} times its products; {reach} applications per Δt")
        alone = record(
            "whole",
            f"{title} propagation over its products",
            seconds["propagation"] / ideal,
            "",
            "lower",
        )
        distance, positivity = (
            record(
                "whole",
                f"{title} share of {part}",
                seconds[part] / seconds["compare"],
                "",
                "lower",
            )
            for part in ("distance", "positivity")
        )
        say(
            f"  {'':<24} propagation {alone} times its products; of all this the distance is "
            f"{distance}, positivity {positivity}"
        )
    against_petsc(quick)
    against_expm(quick)
    against_qutip(quick)


# ------------------------------------------------------------------ (d) ensembles

STUDY = """
name = "bench"
seed = 1
samples = {samples}
block_size = 5
times = {{ start = 0.0, stop = 50.0, count = 40 }}
[bath]
type = "ohmic"
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [64]
"""
RANK = """
import sys
from mpi4py import MPI
from manybody.system.blas import blas_threads
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store
comm, store = MPI.COMM_WORLD, Store(sys.argv[2])
study = prepare(parse_study(open(sys.argv[1]).read(), "bench"), store, comm)
with blas_threads(1):
    outcome = run_study(study, store, comm, quiet=True)
comm.barrier()
if comm.rank == 0:
    print("seconds", outcome.seconds)
"""


def ensembles(quick):
    """Small samples in stacks on one core, and blocks of samples over ranks."""
    say("\n(d) ensembles")
    for n in (8, 16):
        models = [mb.dirac_syk2(n, seed=seed) for seed in range(100)]
        times = np.linspace(0.0, 100.0, 40)
        seconds = rounds_of(
            {
                "stacks": lambda m=models, t=times: mb.compare_ensemble(m, BATH, t),
                "one by one": lambda m=models, t=times: [mb.compare(one, BATH, t) for one in m],
            },
            2 if quick else 5,
        )
        text = record(
            "ensembles", f"100 samples SYK2 N={n} t=100", seconds["stacks"], "s", "lower"
        )
        gain = record(
            "ensembles",
            f"stacks over one by one N={n}",
            seconds["one by one"] / seconds["stacks"],
            "times",
            "higher",
        )
        say(f"  100 samples SYK2 N={n} to t=100, 40 times, one core: {text}; stacks gain {gain}")
    mpirun = shutil.which("mpirun")
    if mpirun is None or importlib.util.find_spec("mpi4py") is None:
        say("  ranks: no mpirun with mpi4py here")
        return
    if (os.cpu_count() or 1) < 2:
        say("  ranks: one core only")
        return
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1"}
    environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    environment["PYTHONPATH"] = str(ROOT)
    gains = []
    for _ in range(1 if quick else 3):
        walls = {}
        for ranks in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                study = Path(folder) / "study.toml"
                study.write_text(STUDY.format(samples=60 if quick else 200))
                answer = subprocess.run(
                    [
                        mpirun,
                        "-n",
                        str(ranks),
                        sys.executable,
                        "-c",
                        RANK,
                        study,
                        Path(folder) / "store",
                    ],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                walls[ranks] = float(answer.stdout.split()[-1])
        gains.append(walls[1] / walls[2])
    text = record("ensembles", "1 rank over 2 ranks", gains, "times", "higher")
    say(f"  SYK2 N=64 samples on 2 ranks: {text} as fast as on 1 ({walls[1]:.1f} s)")


# --------------------------------------------------------------------- (e) memory

MEMORY = """
import re, sys
import numpy as np
import manybody as mb
bath = mb.OhmicBath(0.2, 10.0, 5.0)
n, outputs = int(sys.argv[1]), int(sys.argv[2])
def status(field):
    return int(re.search(field + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
mb.compare(mb.dirac_syk2(32, seed=1), bath, [1.0])
model = mb.dirac_syk2(n, seed=1)
before = status("VmRSS")
mb.compare(model, bath, np.linspace(0.0, 3.0, outputs))
print(status("VmHWM") - before)
"""


def memory(quick):
    """Peak memory of one compare beyond the interpreter, in matrices of N² complex numbers."""
    say("\n(e) memory of one compare beyond the interpreter")
    if not Path("/proc/self/status").exists():
        say("  not measured: this system has no /proc")
        return
    for n, outputs in (
        ((216, 2), (216, 40)) if quick else ((216, 2), (216, 40), (512, 2), (512, 20))
    ):
        answer = subprocess.run(
            [sys.executable, "-c", MEMORY, str(n), str(outputs)],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        used = float(answer.stdout)
        text = record("memory", f"N={n} {outputs} times", used / 2**20, "MiB", "lower")
        say(f"  N={n}, {outputs:2d} output times: {text} = {used / (16 * n * n):.0f} N² complex")


SECTIONS = {
    "applications": applications,
    "stacks": stacks,
    "precision": precision,
    "whole": whole,
    "ensembles": ensembles,
    "memory": memory,
    "many": many,
    "equations": equations,
    "baths": baths,
}


def main():
    """Run the chosen sections and write what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller sizes")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    parser.add_argument("--against", type=Path, help="bench.json of another revision")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        parser.error(f"--only {','.join(unknown)}: must be of {', '.join(SECTIONS)}")
    before = []
    if options.against is not None:
        # Read now: --out may be the same folder.
        try:
            before = json.loads(options.against.read_text())["rows"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            parser.error(f"--against {options.against}: {error!r}")
    facts = describe()
    say(
        f"{facts['cpu_model']}, {facts['scipy_blas']} {facts['scipy_blas_version']} with "
        f"{facts['scipy_blas_core']} kernels, {facts['blas_threads']} thread(s), "
        f"revision {facts['git_revision']}"
    )
    # As in `python -m manybody run`.
    keep_freed_memory()
    for name in chosen:
        SECTIONS[name](options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": 1, "machine": facts, "rows": ROWS}, indent=1)
    (options.out / "bench.json").write_text(text)
    drawn = {"applications", "stacks", "precision", "peers"} & {row["section"] for row in ROWS}
    if drawn and importlib.util.find_spec("matplotlib") is not None:
        draw(options.out / "bench.png")
    if options.against is not None:
        compare_with(options.against, before)
    say(f"\nwritten: {options.out}")


if __name__ == "__main__":
    main()
