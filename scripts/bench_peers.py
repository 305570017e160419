"""scripts/bench.py against others: PETSc's time steppers, SciPy's expm_multiply, QuTiP."""

import importlib.util
import time

import numpy as np
from bench_rows import record, rounds_of, say
from bench_systems import BATH, propagate

import manybody as mb
from manybody.numerics.chebyshev import Chebyshev
from manybody.numerics.steppers import build_stepper
from manybody.physics.assembly import assemble_rows
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.quantities.norms import trace_norm
from manybody.physics.spectra import build_spectrum
from manybody.physics.vectorise import column_order_to_row_major


def against_petsc(quick):
    """Redfield alone: Chebyshev at 1e-10 against the fastest TS run with a true error <= 1e-6."""
    if importlib.util.find_spec("petsc4py") is None:
        say("  PETSc TS: petsc4py is not installed")
        return
    model, times = mb.dirac_syk2(64, seed=1), np.array([50.0])
    exact, _, _ = propagate(model, Chebyshev(1e-13), times, outline=False)
    best, setting = np.inf, ""
    for name in ("ts-rk5dp", "ts-rk8vr"):
        for tolerance in (1e-6, 1e-7, 3e-8, 1e-8, 3e-9, 1e-9, 1e-10):
            states, used, seconds = propagate(model, build_stepper(name, tolerance), times)
            if trace_norm(states - exact).max() <= 1e-6:
                if seconds < best:
                    best, setting = (
                        seconds,
                        f"{name}, tolerance {tolerance:g}, {used} applications",
                    )
                    chosen = build_stepper(name, tolerance)
                break
    if not setting:
        say("  PETSc TS: no setting reached a true error of 1e-6")
        return
    seconds = rounds_of(
        {
            "ours": lambda: propagate(model, Chebyshev(1e-10), times),
            "theirs": lambda: propagate(model, chosen, times),
        },
        3 if quick else 5,
    )
    text = record(
        "peers",
        "PETSc TS over ours, SYK2 N=64 t=50",
        seconds["theirs"] / seconds["ours"],
        "times",
        "higher",
        setting=setting,
    )
    say(f"  PETSc TS ({setting}, true error <= 1e-6) takes {text} as long as Chebyshev at 1e-10")


def against_expm(quick):
    """Redfield at 40 times against SciPy's expm_multiply on the assembled Liouvillian."""
    from scipy.sparse.linalg import expm_multiply

    cases = [("Anderson W=5 N=27 t=20", mb.anderson3d(3, 5.0, seed=1), 20.0)]
    if not quick:
        cases.append(("SYK2 N=64 t=50", mb.dirac_syk2(64, seed=1), 50.0))
    for title, model, last in cases:
        n, times = model.n_sites, np.linspace(0.0, last, 40)
        generator = build_redfield(build_spectrum([model]), BATH, False)
        start = time.perf_counter()
        matrix = column_order_to_row_major(assemble_rows(generator).matrix, n)
        assembly = time.perf_counter() - start
        vector = np.zeros(n * n, dtype=np.complex128)
        vector[0] = 1.0
        ours, _, _ = propagate(model, Chebyshev(1e-10), times)
        start = time.perf_counter()
        theirs = expm_multiply(matrix, vector, 0.0, last, num=40, endpoint=True)
        seconds = time.perf_counter() - start
        apart = float(trace_norm(theirs.reshape(ours.shape) - ours).max())
        own = rounds_of({"ours": lambda m=model, t=times: propagate(m, Chebyshev(1e-10), t)}, 5)
        text = record(
            "peers",
            f"expm_multiply over ours, {title}",
            seconds / own["ours"],
            "times",
            "higher",
            assembly=assembly,
            apart=apart,
        )
        say(
            f"  expm_multiply, {title}: {text} as long (assembly {assembly:.2f} s apart), "
            f"answers differ by {apart:.0e}"
        )


def against_qutip(quick):
    """Redfield by brmesolve at its default tolerance against a whole compare at 1e-10."""
    if importlib.util.find_spec("qutip") is None:
        say('  QuTiP: not installed (pip install "manybody[bench]")')
        return
    import qutip

    for length in (2,) if quick else (2, 3):
        model, times = mb.anderson3d(length, 5.0, seed=1), np.linspace(0.0, 20.0, 40)
        n = model.n_sites
        sites = [qutip.Qobj(np.diag(np.eye(n)[site])) for site in range(n)]
        # The argument must be called w: QuTiP takes a function of anything else for one of time.
        couplings = [[site, lambda w: float(BATH.gamma(w))] for site in sites]
        start = time.perf_counter()
        solution = qutip.brmesolve(
            qutip.Qobj(model.dense_hamiltonian()),
            qutip.fock_dm(n, 0),
            times,
            a_ops=couplings,
            sec_cutoff=-1,
            options={"nsteps": 100_000, "progress_bar": False},
        )
        theirs = time.perf_counter() - start
        run = mb.compare(model, BATH, times, keep_states=True)
        states = np.stack([state.full() for state in solution.states])
        apart = float(trace_norm(states - run.redfield_states).max())
        many = [mb.anderson3d(length, 5.0, seed=seed) for seed in range(50)]
        own = rounds_of(
            {
                "one": lambda m=model, t=times: mb.compare(m, BATH, t),
                "many": lambda m=many, t=times: mb.compare_ensemble(m, BATH, t),
            },
            3 if quick else 7,
        )
        one = record(
            "peers", f"brmesolve over ours, N={n}", theirs / own["one"], "times", "higher"
        )
        batch = record(
            "peers",
            f"brmesolve over ours, N={n}, one of 50",
            theirs / (own["many"] / 50),
            "times",
            "higher",
        )
        say(
            f"  brmesolve, Anderson W=5 N={n} t=20: {theirs:.2f} s; {one} ours, {batch} in a "
            f"batch of 50; answers differ by {apart:.0e}"
        )
