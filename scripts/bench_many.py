"""scripts/bench.py on systems of many particles: applications, ensembles, one sample, QuTiP."""

import importlib.util
import time

import numpy as np
from bench_rows import record, rounds_of, say
from bench_systems import BATH

import manybody as mb
from manybody.arrays import aligned_copy, product
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.physics.equations.quasi_local import build_quasi_local
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.problem import Problem
from manybody.physics.quantities.norms import trace_norm


def many(quick):
    """Applications against plain products, samples in stacks, one large sample, QuTiP."""
    say("\n(f) many particles, half filling, density couplings on every site")
    sizes = (6, 8, 10) if quick else (6, 8, 10, 12)
    for sites in sizes:
        for title, build in (("XXZ", mb.xxz_chain), ("SYK4", mb.complex_syk4)):
            _application(f"{title} N={sites}", build(sites, seed=1), 3 if sites == 12 else 9)
    _ensemble(10 if quick else 100)
    for sites in (8,) if quick else (8, 10, 12):
        _quasi_local(sites)
    if not quick:
        _sample()
    _against_qutip(quick)


def _application(title, model, rounds):
    """X alone, and X + X†, of one sample over one product of its kind."""
    generator = redfield_of(Problem([model], BATH))
    n, real = model.dimension, model.is_real
    operator = KernelOperator(
        generator.kernel(), generator.spectral_box, Columns(n), "hermitian", None
    )
    random = np.random.default_rng(0)
    x = random.normal(size=(1, n, n)) + 1j * random.normal(size=(1, n, n))
    x = aligned_copy(x + np.swapaxes(x.conj(), 1, 2))
    out, half = np.empty_like(x), np.empty_like(x)
    matrix = aligned_copy(random.normal(size=(n, n)).astype(float if real else complex))
    kernel = generator.kernel()
    functions = {
        "application": lambda: operator.apply(x, out),
        "kernel": lambda: kernel(x, half),
        "product": lambda: product(matrix, x[0], half[0]),
    }
    seconds = rounds_of(functions, rounds)
    for name in ("kernel", "application"):
        ratio = seconds[name] / seconds["product"]
        text = record("many", f"{title} {name} over a product", ratio, "", "lower", dimension=n)
        say(f"  {title:<10} D={n:<4} {name:<12} {text} of one product")


def _quasi_local(sites):
    """Fill, bytes and time of quasi-local Redfield over its radius, against the whole."""
    model = mb.xxz_chain(sites, seed=1)
    n = model.dimension
    whole = redfield_of(Problem([model], BATH)).kernel()
    x = np.random.default_rng(0).normal(size=(1, n, n)) + 0j
    out = np.empty_like(x)
    for radius in (1, 2, 3):
        generator = build_quasi_local(model, BATH, radius, False)
        rows = generator.rows(slice(0, min(n, 64)))
        entries = rows.entries_kept / (n * min(n, 64))
        kernel = generator.kernel()
        seconds = rounds_of(
            {"quasi": lambda k=kernel: k(x, out), "whole": lambda: whole(x, out)}, 3
        )
        name = f"quasi-local r={radius} N={sites}"
        text = record(
            "many", f"{name} over Redfield", seconds["quasi"] / seconds["whole"], "", "lower"
        )
        record("many", f"{name} entries a row", entries, "", "lower")
        megabytes = 20.0 * entries * n * n / 2**20
        say(
            f"  {name:<24} {entries:6.1f} of {2 * n - 1} entries a row, {megabytes:8.1f} MiB "
            f"assembled; X matrix-free {text} of Redfield's"
        )


def _ensemble(count):
    models = [mb.xxz_chain(8, seed=seed) for seed in range(count)]
    times = np.linspace(0.0, 20.0, 41)
    start = time.perf_counter()
    mb.compare_ensemble(models, BATH, times)
    seconds = time.perf_counter() - start
    text = record("many", f"{count} samples XXZ N=8 t=20", seconds, "s", "lower")
    say(f"  {count} samples of XXZ N=8 (D=70), 41 times to 20, local figures too: {text}")


def _sample():
    model, times = mb.xxz_chain(12, seed=1), np.linspace(0.0, 20.0, 41)
    start = time.perf_counter()
    run = mb.compare(model, BATH, times)
    seconds = time.perf_counter() - start
    text = record("many", "one sample XXZ N=12 t=20", seconds, "s", "lower")
    used = run.certificate.applications
    say(f"  one sample of XXZ N=12 (D=924), 41 times to 20, one rank: {text}, {used} applications")


def _against_qutip(quick):
    """brmesolve at its default tolerance against a whole compare at 1e-10, real H."""
    if importlib.util.find_spec("qutip") is None:
        say('  QuTiP: not installed (pip install "manybody[bench]")')
        return
    import qutip

    for sites in (4,) if quick else (4, 6):
        model, times = mb.xxz_chain(sites, seed=1), np.linspace(0.0, 20.0, 41)
        n = model.dimension
        # The argument must be called w: QuTiP takes a function of anything else for one of time.
        couplings = [
            [qutip.Qobj(np.diag(own)), lambda w: float(BATH.gamma(w))]
            for own in model.couplings.values
        ]
        run = mb.compare(model, BATH, times, keep_states=True)
        initial = qutip.Qobj(run.redfield_states[0])
        start = time.perf_counter()
        solution = qutip.brmesolve(
            qutip.Qobj(model.dense_hamiltonian()),
            initial,
            times,
            a_ops=couplings,
            sec_cutoff=-1,
            options={"nsteps": 100_000, "progress_bar": False, "atol": 1e-10, "rtol": 1e-9},
        )
        theirs = time.perf_counter() - start
        states = np.stack([state.full() for state in solution.states])
        apart = float(trace_norm(states - run.redfield_states).max())
        models = [mb.xxz_chain(sites, seed=seed) for seed in range(50)]
        own = rounds_of(
            {
                "one": lambda m=model, t=times: mb.compare(m, BATH, t),
                "many": lambda m=models, t=times: mb.compare_ensemble(m, BATH, t),
            },
            3 if quick else 7,
        )
        one = record("many", f"brmesolve over ours, D={n}", theirs / own["one"], "times", "higher")
        batch = record(
            "many",
            f"brmesolve over ours, D={n}, one of 50",
            theirs / (own["many"] / 50),
            "times",
            "higher",
        )
        say(
            f"  brmesolve, XXZ N={sites} (D={n}) t=20: {theirs:.2f} s; {one} ours, {batch} in a "
            f"batch of 50; answers differ by {apart:.0e}"
        )
