#!/usr/bin/env python3
"""An application of the many-particle Redfield generator by tables, in units of one product.

Cost:    for all sizes about 4 minutes on one core; without D = 924 about 1.
Launch:  OPENBLAS_NUM_THREADS=1 .venv/bin/python scripts/bench_tables.py
             [--modes 4,6,8,10,12] [--rounds 7] [--limit 1e9] [--constants]

Fermions at half filling, a bath on every mode, random B_r: real with sparse H kept apart (of a
chain), and complex with -iH within.  All ways take turns within every round; printed are
medians of the ratio to one product of D x D matrices (real x complex, or complex) by the
quicker of NumPy and SciPy in the same round.
  sites     a product for every coupling
  g = ...   groups of so many rows, the last size for all that follow
  planned   what plan_tables chooses within --limit bytes a sample
With --constants instead: what a table, a call and a gather cost, in columns, as
manybody/physics/equations/tables_layout.py has them.
"""

import argparse
import math
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import scipy.sparse as sp  # noqa: E402
from bench_rows import rounds_of, say  # noqa: E402

from manybody.arrays import aligned_copy, product  # noqa: E402
from manybody.physics.equations.tables import TableKernel, build_tables  # noqa: E402
from manybody.physics.equations.tables_layout import cut_tables, plan_tables  # noqa: E402
from manybody.physics.fock.basis import FockBasis, one_body_operator  # noqa: E402
from manybody.solve.stacked import stack_size  # noqa: E402

SIZES = {
    4: [(4,)],
    6: [(3,), (6,)],
    8: [(4,), (5, 4)],
    10: [(3,), (4,), (5,)],
    12: [(3,), (4,), (6,)],
}


def chain(n_modes):
    """Coefficients C (N + 1, D) and a sparse H (D, D) of a chain at half filling."""
    basis = FockBasis(n_modes, n_particles=n_modes // 2)
    coefficients = np.vstack([np.ones(basis.dimension), basis.occupations.T - 0.5])
    near = 0.5 * (np.eye(n_modes, k=1) + np.eye(n_modes, k=-1))
    levels = np.diag(np.random.default_rng(1).normal(size=n_modes))
    occupations = basis.occupations
    interaction = sp.diags(((occupations @ near) * occupations).sum(axis=1))
    hamiltonian = one_body_operator(basis, near + levels) + interaction
    return coefficients, sp.csr_array(hamiltonian)


def random_operators(rows, samples, dimension, real):
    """B_r one after the other."""
    random = np.random.default_rng(rows)
    for _ in range(rows):
        one = random.normal(size=(samples, dimension, dimension))
        yield one if real else one + 1j * random.normal(size=one.shape)


def products(rho, out, dimension, real):
    """One product of a stack, by NumPy and by SciPy."""
    matrix = next(random_operators(1, len(rho), dimension, real))
    matrix = aligned_copy(matrix)
    left, right = (rho.view(float), out.view(float)) if real else (rho, out)

    def by_scipy():
        for a, b, c in zip(matrix, left, right):
            product(a, b, c)

    return {"matmul": lambda: np.matmul(matrix, left, out=right), "gemm": by_scipy}


def measure(n_modes, real, rounds, limit):
    """Print the ratios of one size and kind."""
    coefficients, hamiltonian = chain(n_modes)
    dimension, dtype = coefficients.shape[1], np.dtype(float if real else complex)
    samples = stack_size(dimension)
    random = np.random.default_rng(0)
    shape = (samples, dimension, dimension)
    rho = aligned_copy(random.normal(size=shape) + 1j * random.normal(size=shape))
    out = np.zeros_like(rho)
    layouts = {"sites": cut_tables(coefficients, dimension, dtype, (1,))}
    for sizes in SIZES.get(n_modes, []):
        name = "g = " + ",".join(map(str, sizes))
        layouts[name] = cut_tables(coefficients, dimension, dtype, sizes)
    layouts["planned"] = plan_tables(coefficients, dimension, dtype, limit)
    ways, seconds_to_build = products(rho, out, dimension, real), {}
    for name, layout in layouts.items():
        operators = list(random_operators(layout.n_rows, samples, dimension, real))
        start = time.perf_counter()
        tables = build_tables(layout, operators)
        seconds_to_build[name] = time.perf_counter() - start
        kernel = TableKernel(layout, tables, unitary=[hamiltonian] * samples if real else None)
        ways[name] = lambda kernel=kernel: kernel(rho, out)
    seconds = rounds_of(ways, rounds)
    one = np.minimum(seconds["matmul"], seconds["gemm"])
    say(
        f"D = {dimension} {'real' if real else 'complex'}, stack {samples}: one product "
        f"{1e6 * np.median(one) / samples:.4g} us a sample"
    )
    for name, layout in layouts.items():
        ratio = seconds[name] / one
        say(
            f"  {name:<10} {np.median(ratio):6.2f} [{ratio.min():.2f}, {ratio.max():.2f}] products"
            f" (model {layout.cost / dimension:5.2f}), "
            f"{1e6 * np.median(seconds[name]) / samples:9.4g} us a sample; tables "
            f"{'+'.join(str(group.n_tables) for group in layout.groups)}, "
            f"{layout.bytes / 1e6:.4g} MB, made in {1e3 * seconds_to_build[name] / samples:.3g} ms"
        )


def blocks(dimension, width, scattered, factors):
    """Coefficients (2, D) whose one group has blocks of this width: real C of a layout."""
    values = 1.0 + np.arange(dimension) // width
    if factors:
        values = np.random.default_rng(0).normal(size=dimension)
    if scattered:
        values = np.random.default_rng(0).permutation(values)
    return np.vstack([np.ones(dimension), values])


def kernel_of_blocks(dimension, samples, real, width, scattered=False, factors=False):
    """X of such blocks, as a function of nothing, and the number of tables."""
    coefficients, dtype = blocks(dimension, width, scattered, factors), float if real else complex
    layout = cut_tables(coefficients, dimension, dtype, (1,) if factors else (2,))
    tables = build_tables(layout, random_operators(2, samples, dimension, real))
    kernel = TableKernel(layout, tables)
    random = np.random.default_rng(0)
    rho = random.normal(size=kernel.buffers[0].shape) + 0j
    out = np.zeros_like(rho)
    return lambda: kernel(rho, out), layout.n_tables


def constants(dimension, real, rounds):
    """Print what a table, a gather and a factor cost, in columns of one product."""
    samples = stack_size(dimension)
    wide, thin = dimension // 2, max(1, dimension // 16)
    ways = {
        "wide": kernel_of_blocks(dimension, samples, real, wide),
        "thin": kernel_of_blocks(dimension, samples, real, thin),
        "gathered": kernel_of_blocks(dimension, samples, real, wide, scattered=True),
        "whole": kernel_of_blocks(dimension, samples, real, dimension),
        "scaled": kernel_of_blocks(dimension, samples, real, dimension, factors=True),
    }
    seconds = rounds_of({name: way for name, (way, _) in ways.items()}, rounds)
    # The rest of the machine only ever adds.
    best = {name: own.min() for name, own in seconds.items()}
    table = (best["thin"] - best["wide"]) / (ways["thin"][1] - ways["wide"][1])
    column = (best["wide"] - ways["wide"][1] * table) / dimension
    # Two products of all columns, one of them with a factor.
    scale = best["scaled"] - 2.0 * best["whole"]
    kind = "real" if real else "complex"
    say(
        f"D = {dimension:3} {kind:<7}: a column {1e6 * column / samples:.3g} us; "
        f"a table {table / column:.1f} columns, gathering "
        f"{(best['gathered'] - best['wide']) / column:.0f}, factor and sum {scale / column:.0f}"
    )


def main():
    """Measure every size and kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modes", default="4,6,8,10,12")
    parser.add_argument("--kinds", default="real,complex")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=1e9)
    parser.add_argument("--constants", action="store_true", help="measure the model of costs")
    options = parser.parse_args()
    for n_modes in map(int, options.modes.split(",")):
        for real in [kind == "real" for kind in options.kinds.split(",")]:
            if options.constants:
                constants(math.comb(n_modes, n_modes // 2), real, options.rounds)
            else:
                measure(n_modes, real, options.rounds, options.limit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
