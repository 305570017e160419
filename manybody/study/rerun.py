"""One sample of a store again, beside what the store holds of it."""

from typing import Any

import numpy as np

from manybody.numerics.petsc.runtime import check_portable
from manybody.parallel.collective import first_ranks, raised_alike, rank_of, size_of, together
from manybody.solve.compare import is_spread
from manybody.solve.comparison import Comparison
from manybody.solve.observables.registry import figures_of
from manybody.study.block_store import BlockStore
from manybody.study.blocks import EXPECTATION, Block, Record
from manybody.study.configuration import Point, Study
from manybody.study.samples import Numbers, compute_large, compute_stack
from manybody.system.communicator import Communicator

SampleStore = BlockStore[Study, Point, Record, Block]
# Beyond this a sample is not the one that the store holds.
_AGREEMENT = 1e-8


def repeat_sample(
    store: SampleStore, point: Point, sample: int, comm: Communicator | None = None
) -> tuple[list[str], bool]:
    """Compute a sample as a run would: lines for people, and whether the store agrees.

    comm: ranks that share the sample, or None.  The store agrees where it does not have the
    sample.  Raises what `compare` raises.
    """
    study = together(comm, lambda: store.study)
    check_portable(study.petsc_options)
    own = study.at(point)
    lines = [
        f"{point.name} sample {sample}",
        "seed " + " ".join(f"{word:016x}" for word in point.entropy(study.seed, sample)),
    ]
    result: dict[str, Any] = {}
    run, figures = _computed(own, point, sample, comm)
    if run is not None:
        lines += _curve_lines(run)
        result["trace_distance"] = run.trace_distance
        result.update(run.certificate.as_dict())
        result.update(
            (EXPECTATION + name, [own[each] for each in run.equations])
            for name, own in run.expectation.items()
        )
    for name, value in figures.items():
        lines.append(f"  {name:<28} {value!r} {figures_of(study.observables)[name].unit}")
        result[name] = value
    if rank_of(comm) != 0:
        return lines, True
    stored = _stored(store, study, point, sample)
    if stored is None:
        return [*lines, "the store does not hold this sample"], True
    block, row = stored
    wanted = [EXPECTATION + name for name in study.expected_names]
    measured = ("trace_distance", *wanted, *figures_of(study.observables))
    names = [name for name in measured if name in result]
    differences = {
        name: _difference(np.asarray(result[name]), block.arrays[name][row]) for name in names
    }
    worst = max(differences, key=lambda name: np.nan_to_num(differences[name], nan=np.inf))
    if not any(differences.values()):
        return [*lines, f"the same bits as in {block.path.name}"], True
    lines.append(f"differs from {block.path.name}: {worst} by up to {differences[worst]:.1e}")
    return lines, differences[worst] <= _AGREEMENT


def _computed(own: Study, point: Point, sample: int, comm: Communicator | None) -> Numbers:
    """As a run does; nothing on ranks beyond the number of sites."""
    operator = own.operator if own.evolves else "matrix-free"
    if not is_spread(point.dimension, operator, size_of(comm)):
        with raised_alike(comm):
            return compute_stack(own, point, [sample], lambda _: None)[0]
    with first_ranks(comm, point.dimension) as (part, active):
        return compute_large(own, point, sample, part) if active else (None, {})


def _difference(here: Any, stored: Any) -> float:
    """The largest; 0 between equal values that are no numbers."""
    if np.array_equal(here, stored, equal_nan=True):
        return 0.0
    return float(np.abs(here - stored).max())


def _curve_lines(run: Comparison) -> list[str]:
    lines = [f"  {'time':>12} {'trace distance':>24} {'smallest eigenvalue':>24}"]
    for time, distance, smallest in zip(run.times, run.trace_distance, run.smallest_eigenvalue):
        lines.append(f"  {time:>12g} {distance:>24.16e} {smallest:>24.16e}")
    for name, value in run.certificate.as_dict().items():
        lines.append(f"  {name:<28} {value}")
    return lines


def _stored(
    store: SampleStore, study: Study, point: Point, sample: int
) -> tuple[Block, int] | None:
    blocks, _ = store.read(study, point)
    for block in blocks:
        rows = np.flatnonzero(block.samples == sample)
        if len(rows):
            return block, int(rows[0])
    return None
