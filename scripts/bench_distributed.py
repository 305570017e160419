"""What several ranks gain on one sample, what an assembled Liouvillian costs, and how far it goes.

    export OPENBLAS_NUM_THREADS=1
    mpirun -n 2 .venv/bin/python scripts/bench_distributed.py [--quick] [--only SECTION]

Sections: ranks (one application and one sample on one rank and on all, in turns), large
(N = 1000: fraction of the product rate, memory), assembled (assembly, a product, the fill
below which a dropped matrix beats the matrix-free kernel), paper (L = 16 and 20 on a
cluster, from what this run measured).  Six minutes on two cores, one with --quick.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import manybody as mb  # noqa: E402
from manybody.numerics.columns import Columns  # noqa: E402
from manybody.numerics.dense import KernelOperator  # noqa: E402
from manybody.physics.assembly import assemble_rows  # noqa: E402
from manybody.physics.equations.redfield import build_redfield  # noqa: E402
from manybody.physics.spectra import build_spectrum  # noqa: E402
from manybody.solve.forecast import measure_rates  # noqa: E402
from manybody.system.blas import blas_summary  # noqa: E402
from manybody.system.memory import keep_freed_memory  # noqa: E402

COMM = MPI.COMM_WORLD
BATH = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
# Assumed of a cluster: flop/s of a core, cores of a node, and what a node's network carries.
CORE, CORES, NETWORK = 5e10, 64, 1.2e10


def say(text=""):
    """Print on rank 0, at once."""
    if COMM.rank == 0:
        print(text, flush=True)


def spread(values):
    """Median and range."""
    return f"{np.median(values):.4g} [{np.min(values):.4g}, {np.max(values):.4g}]"


def in_turns(rounds, **actions):
    """Seconds of every action, {name: (rounds,) array}; all ranks take part in all of them."""
    seconds = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            COMM.barrier()
            start = time.perf_counter()
            action()
            COMM.barrier()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def on_rank_0(action):
    """The action on rank 0 while the others wait."""
    return action if COMM.rank == 0 else (lambda: None)


def operator_of(generator, comm):
    """Redfield, matrix-free, on one rank or shared, and a block of a Hermitian state."""
    n = generator.spectrum.dimension
    columns = Columns(n, comm)
    operator = KernelOperator(
        generator.kernel(columns.own), generator.spectral_box, columns, "hermitian"
    )
    rng = np.random.default_rng(0)
    state = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    state += state.conj().T
    return operator, np.ascontiguousarray(state[None, :, columns.own])


def applying(operator, state, calls):
    """`calls` applications."""
    out = np.empty_like(state)

    def action():
        for _ in range(calls):
            operator.apply(state, out)

    return action


def ranks(quick):
    """One application and one sample at N = 512, on one rank and on all."""
    say(f"\nranks: one rank and {COMM.size}, one thread each")
    models = {"real (Anderson L = 8)": mb.anderson3d(8, 5.0, seed=1)}
    if not quick:
        models["complex (SYK2 N = 512)"] = mb.dirac_syk2(512, seed=1)
    for name, model in models.items():
        generator = build_redfield(build_spectrum([model]), BATH, False)
        alone, whole = operator_of(generator, None)
        shared, block = operator_of(generator, COMM)
        calls = 4
        seconds = in_turns(
            3 if quick else 7,
            alone=on_rank_0(applying(alone, whole, calls)),
            shared=applying(shared, block, calls),
        )
        gain = seconds["alone"] / seconds["shared"]
        each = {key: 1e3 * np.median(values) / calls for key, values in seconds.items()}
        say(
            f"  {name}: application {each['alone']:.3g} ms alone, {each['shared']:.3g} ms shared: "
            f"{spread(gain)} times"
        )
        del alone, shared, generator
        times = np.linspace(0.0, 5.0 if quick else 20.0, 11 if quick else 41)
        seconds = in_turns(
            1 if quick else 3,
            alone=on_rank_0(lambda model=model, times=times: mb.compare(model, BATH, times)),
            shared=lambda model=model, times=times: mb.compare(model, BATH, times, comm=COMM),
        )
        gain = seconds["alone"] / seconds["shared"]
        say(
            f"  {name}: a sample to t = {times[-1]:g}, {len(times)} times: "
            f"{spread(seconds['alone'])} s alone, {spread(seconds['shared'])} s shared: "
            f"{spread(gain)} times"
        )


def status(field):
    """A line of /proc/self/status in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return 1024.0 * float(line.split()[1])
    return float("nan")


def large(quick):
    """N = 1000: how near the product rate, and how much memory."""
    rates = measure_rates(0.5)
    length = 8 if quick else 10
    model = mb.anderson3d(length, 5.0, seed=1)
    n = model.n_sites
    # What BLAS and libraries keep, before anything large.
    mb.compare(mb.dirac_syk2(300), BATH, [0.0, 0.1], comm=COMM)
    before = status("VmRSS")
    times = np.linspace(0.0, 2.0, 5)
    start = time.perf_counter()
    run = mb.compare(model, BATH, times, comm=COMM)
    seconds = time.perf_counter() - start
    # V, G, K and the weights lie once on the node and are seen by every rank.
    rise = COMM.allreduce(status("VmHWM") - before) - (COMM.size - 1) * 2.0 * 16.0 * n * n
    say(f"\nlarge: Anderson L = {length} (N = {n}) on {COMM.size} rank(s)")
    say(
        f"  sample to t = 2, {len(times)} times: {seconds:.3g} s, "
        f"{run.certificate.applications} applications"
    )
    if not quick:
        # At smaller sizes what BLAS keeps would hide it.
        say(
            f"  memory of all ranks above interpreters: {rise / (16.0 * n * n):.3g} N² complex "
            f"numbers with {len(times)} output times (aim: 10 and one an output time)"
        )
    generator = build_redfield(build_spectrum([model]), BATH, False)
    shared, block = operator_of(generator, COMM)
    found = in_turns(3, shared=applying(shared, block, 2))["shared"] / 2
    rate = 16.0 * n**3 / found / COMM.size
    say(
        f"  application {spread(1e3 * found)} ms: {spread(rate / rates.real)} of the product rate "
        f"({rates.real / 1e9:.3g} GF/s a core, N = 216, measured alone)"
    )
    buffer = np.empty_like(block)

    def exchange():
        shared.columns.adjoint_pieces(block, buffer)

    moved = in_turns(5, exchange=exchange)["exchange"]
    say(f"  of which the exchange {spread(1e3 * moved)} ms")
    return float(np.median(found))


def assembled(quick):
    """Assembly and product at N = 125 (64 with --quick), dropped and not."""
    from manybody.numerics.petsc.assembled import AssembledOperator

    length = 4 if quick else 5
    rates = measure_rates(0.3)
    say(f"\nassembled on {COMM.size} rank(s)")
    cases = {
        "real": mb.anderson3d(length, 3.0, seed=1),
        "complex": mb.dirac_syk2(length**3, seed=1),
    }
    for name, model in cases.items():
        n = model.n_sites
        generator = build_redfield(build_spectrum([model]), BATH, False)
        _ = generator.decay
        columns = Columns(n, COMM)
        free, block = operator_of(generator, COMM)
        kernel = np.median(in_turns(5, kernel=applying(free, block, 10))["kernel"]) / 10
        say(f"  {name} N = {n}: matrix-free {1e3 * kernel:.3g} ms")
        for tolerance in (0.0,) if name == "complex" else (0.0, 1e-3, 1e-2, 3e-2, 1e-1):
            rows = None

            def build(tolerance=tolerance, generator=generator, columns=columns):
                nonlocal rows
                rows = assemble_rows(generator, columns.own, tolerance)

            assembly = in_turns(3, build=build)["build"]
            operator = AssembledOperator(rows.matrix, columns, "complex", generator.spectral_box)
            each = np.median(in_turns(5, each=applying(operator, block, 5))["each"]) / 5
            operator.destroy()
            kept, possible = (
                COMM.allreduce(rows.entries_kept),
                COMM.allreduce(rows.entries_possible),
            )
            flops = 24.0 * n**4 / COMM.size / (rates.real if name == "real" else rates.complex)
            say(
                f"    drop {tolerance:<6g} keeps {100 * kept / possible:5.1f} %: assembly "
                f"{spread(assembly)} s = {np.median(assembly) / flops:.2g} times 24 N⁴, product "
                f"{1e3 * each:.3g} ms = {1e9 * each * COMM.size / kept:.3g} ns an entry, "
                f"{kernel / each:.2g} times as fast as matrix-free"
            )


def paper(measured):
    """L = 16 and 20 on a cluster: arithmetic, not a measurement."""
    say(
        f"\non paper: nodes of {CORES} cores at {CORE / 1e9:g} GF/s a core and {NETWORK / 1e9:g} "
        "GB/s of network, 85 % of the product rate, W = 5, t = 20, 40 times"
    )
    for length, nodes in ((16, 1), (16, 4), (20, 4), (20, 16)):
        n = length**3
        applications = 1.1 * 18.0 * 20.0
        products = 16.0 * n**3 / (0.85 * CORE * CORES * nodes)
        # Every node sends what it does not keep of its columns, 16 bytes a number.
        volume = 16.0 * n * n / nodes * (1.0 - 1.0 / nodes)
        network = volume / NETWORK
        observing = 40 * 2 * (16.0 / 3.0) * n**3 * 5.0 / CORE / min(40, CORES * nodes)
        total = applications * (products + network) + observing
        memory = 16.0 * n * n * (2.0 * nodes + 8.0 + 40.0 + 3.5 * min(40, CORES * nodes)) / nodes
        say(
            f"  L = {length:<3} N = {n:<6} {nodes:>3} node(s): {applications:.0f} applications of "
            f"{products:.3g} s products + {network:.3g} s network ({volume / 1e9:.3g} GB a node), "
            f"eigenvalues {observing / 60:.3g} min, a sample {total / 60:.3g} min, "
            f"{memory / 1e9:.3g} GB a node"
        )
    if measured:
        say(
            f"  (measured here at N = 1000 on {COMM.size} core(s): {measured:.3g} s an "
            f"application, {16.0 / measured / COMM.size:.3g} GF/s a core)"
        )


def main():
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--only", choices=["ranks", "large", "assembled", "paper"])
    options = parser.parse_args()
    chosen = [options.only] if options.only else ["ranks", "large", "assembled", "paper"]
    blas = blas_summary("scipy")
    # As `run` does.
    keep_freed_memory()
    say(f"{COMM.size} rank(s), {blas['core']} kernels, {blas['threads']} BLAS thread(s)")
    measured = None
    if "ranks" in chosen:
        ranks(options.quick)
    if "large" in chosen:
        measured = large(options.quick) if not options.quick else large(True) and None
    if "assembled" in chosen:
        assembled(options.quick)
    if "paper" in chosen:
        paper(measured)


if __name__ == "__main__":
    main()
