#!/usr/bin/env python3
"""What keeping costs: the store beside the samples, going on beside a run, status of a big one.

Cost:    half a minute on one core.
Launch:  OPENBLAS_NUM_THREADS=1 .venv/bin/python scripts/bench_store.py [--rounds 15]

Each round computes the same samples without a store and with one, in turn, so that what else
the machine does hits both; ratios are medians over rounds, [smallest, largest] beside them.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from manybody.solve.compare import compare_ensemble
from manybody.study.parsing import parse_study
from manybody.study.runner import prepare, run_study
from manybody.study.status import status_lines
from manybody.study.store import Store
from manybody.system.memory import keep_freed_memory

STUDY = """
name = "store"
seed = 1
samples = {samples}
times = {{ start = 0.0, stop = 100.0, count = 40 }}
{more}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = {n}
"""


def seconds(action):
    """Wall time of a call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def spread(values):
    """Median [smallest, largest]."""
    return f"{statistics.median(values):6.2f} [{min(values):.2f}, {max(values):.2f}]"


def overheads(n, samples, more, rounds):
    """What the store adds to the samples of one point, and going on with a complete one."""
    study = parse_study(STUDY.format(n=n, samples=samples, more=more), "bench")
    point = study.systems[0].points[0]

    size = study.samples_in_block(point)

    def alone():
        # As many together as a block has: stacks of few samples take longer each.
        for first in range(0, samples, size):
            some = range(first, min(first + size, samples))
            models = [point.build(study.seed, sample) for sample in some]
            compare_ensemble(models, study.bath, study.times)

    added, resumed, plain = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "store")

            def kept(store=store):
                run_study(prepare(study, store), store, quiet=True)

            bare = seconds(alone)
            added.append(100.0 * (seconds(kept) / bare - 1.0))
            resumed.append(100.0 * seconds(kept) / bare)
            plain.append(bare)
    words = f"{samples} samples of N = {n}, {size} a block"
    print(f"{words:42} {1e3 * statistics.median(plain):7.0f} ms  store adds {spread(added)} %")
    print(f"{'':42} {'':10}  a complete one again takes {spread(resumed)} %")


def status(block_size):
    """`status` of 100 000 samples, whose blocks are one file under many names."""
    study = parse_study(STUDY.format(n=8, samples=100_000, more=""), "bench")
    small = parse_study(STUDY.format(n=8, samples=block_size, more=""), "bench")
    point = study.systems[0].points[0]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        run_study(prepare(small, store), store, quiet=True)
        prepare(study, store)
        (first,) = store.block_paths(point)
        for start in range(block_size, 100_000, block_size):
            os.link(first, first.with_name(f"{start:06d}-{start + block_size:06d}-{'0' * 16}.h5"))
        taken = [seconds(lambda: status_lines(store)) for _ in range(5)]
    files = 100_000 // block_size
    print(f"status of 100000 samples in {files} blocks: {spread(taken)} s")


def main():
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="default 15")
    rounds = parser.parse_args().rounds
    keep_freed_memory()
    overheads(8, 100, "", rounds)
    overheads(8, 100, "block_size = 5", rounds)
    overheads(16, 100, "", rounds)
    overheads(64, 20, "", max(1, rounds // 4))
    for block_size in (100, 5):
        status(block_size)


if __name__ == "__main__":
    main()
