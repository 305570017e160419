"""Two stores sample by sample: other versions, machines, tolerances, steppers, Lamb shift."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.study.block_store import BlockStore
from manybody.study.blocks import Block, Record
from manybody.study.configuration import Point, Study
from manybody.study.lines import folded
from manybody.study.own_models import changes_of

AnyStore = BlockStore[Any, Any, Any, Any]
SampleStore = BlockStore[Study, Point, Record, Block]


@dataclass(frozen=True, eq=False)
class PointDifference:
    """Samples of one point that two stores share.

    samples: how many; identical: how many have equal bits at all common times; largest:
    largest |change| of the trace distance over samples and common times, of sample
    `worst_sample` at `worst_time` in 1/J; of_maximum: (n,) change of each sample's maximum
    over the common times, of_mean: largest |change| of their mean curve.  figures: largest
    |change| of every figure that both measure, by name.
    """

    point: Point
    samples: int
    identical: int
    largest: float
    worst_sample: int
    worst_time: float
    of_maximum: Real
    of_mean: float
    figures: dict[str, float]


def compare_stores(left: SampleStore, right: SampleStore) -> list[PointDifference]:
    """Every point that both stores have samples of, in the order of `left`.

    Points are the same when they have one name; a change of the whole study, of the Lamb
    shift say, is no obstacle.  Raises ValueError when a folder is no store or the seeds of
    the studies differ.
    """
    ours, theirs = left.study, right.study
    if ours.seed != theirs.seed:
        raise InputError(
            f"seed is {ours.seed} in {str(left.directory)!r} and {theirs.seed} in "
            f"{str(right.directory)!r}: no sample is the same"
        )
    others = {point.name: point for system in theirs.systems for point in system.points}
    found = []
    for system in ours.systems:
        for point in system.points:
            if point.name in others:
                blocks = left.read(ours, point)[0], right.read(theirs, others[point.name])[0]
                difference = _difference(point, *blocks)
                if difference is not None:
                    found.append(difference)
    return found


def _difference(point: Point, left: list[Block], right: list[Block]) -> PointDifference | None:
    ours, theirs = _rows(left), _rows(right)
    samples = sorted(ours.keys() & theirs.keys())
    if not samples:
        return None
    pairs = [(ours[sample], theirs[sample]) for sample in samples]
    figures: dict[str, float] = {}
    for (one, row), (other, other_row) in pairs:
        for name in one.arrays.keys() & other.arrays.keys():
            if one.arrays[name].ndim == 1 and name != "seconds":
                change = abs(float(one.arrays[name][row]) - float(other.arrays[name][other_row]))
                figures[name] = max(figures.get(name, 0.0), change)
    common, in_left, in_right = np.intersect1d(left[0].times, right[0].times, return_indices=True)
    none = PointDifference(
        point, len(samples), 0, np.nan, samples[0], np.nan, np.empty(0), np.nan, figures
    )
    if not len(common) or "trace_distance" not in {*left[0].arrays} & {*right[0].arrays}:
        return none
    before = np.stack([one.arrays["trace_distance"][row, in_left] for (one, row), _ in pairs])
    after = np.stack([one.arrays["trace_distance"][row, in_right] for _, (one, row) in pairs])
    change = np.abs(after - before)
    worst, time = np.unravel_index(int(np.argmax(change)), change.shape)
    return PointDifference(
        point,
        len(samples),
        int(np.count_nonzero((before == after).all(axis=1))),
        float(change.max()),
        samples[int(worst)],
        float(common[time]),
        after.max(axis=1) - before.max(axis=1),
        float(np.abs(after.mean(axis=0) - before.mean(axis=0)).max()),
        figures,
    )


def _rows(blocks: list[Block]) -> dict[int, tuple[Block, int]]:
    return {
        int(sample): (block, row) for block in blocks for row, sample in enumerate(block.samples)
    }


def comparison_lines(left: SampleStore, right: SampleStore) -> list[str]:
    """A table for people."""
    changed = [key for key, *_ in changes_of(left.study, right.study)]
    lines, alone = head_lines(left, right, changed), alone_lines(left, right)
    differences = compare_stores(left, right)
    if not differences:
        return [*lines, "they have no sample in common", *alone]
    head = (
        f"{'samples':>7} {'equal':>6} {'largest change':>14} {'(sample, time)':>17} "
        f"{'of the mean':>11} {'of the maximum':>17}"
    )
    rows = [("", head)]
    for each in differences:
        mean = f"{each.of_maximum.mean():.1e}" if len(each.of_maximum) else "nan"
        if len(each.of_maximum) > 1:
            error = each.of_maximum.std(ddof=1) / np.sqrt(len(each.of_maximum))
            mean += f" ± {error:.0e}"
        place = f"({each.worst_sample}, {each.worst_time:g})"
        numbers = (
            f"{each.samples:>7} {each.identical:>6} {each.largest:>14.2e} {place:>17} "
            f"{each.of_mean:>11.2e} {mean:>17}"
        )
        rows.append((each.point.name, numbers))
    return [*lines, *folded(rows), *alone]


def head_lines(left: AnyStore, right: AnyStore, changed: Sequence[str]) -> list[str]:
    """Which stores, and in what their studies differ; changed: what makes numbers others."""
    asked = [{point.name: n for point, n in each.study.wanted.items()} for each in (left, right)]
    words = [f"which {left.kind.counted} they ask for"] if asked[0] != asked[1] else []
    differing = ", ".join([*changed, *words])
    return [
        f"{left.directory} against {right.directory}",
        f"the studies differ in: {differing}" if differing else "the studies are the same",
    ]


def alone_lines(left: AnyStore, right: AnyStore) -> list[str]:
    """How many samples or cases of each point one store alone holds; none where both agree."""
    held = [
        {point.name: store.finished(point) for point in store.study.wanted}
        for store in (left, right)
    ]
    pairs = {name: [own.get(name, set()) for own in held] for name in {**held[0], **held[1]}}
    rows = [
        (name, f"{len(one - other):>9} {len(other - one):>10}")
        for name, (one, other) in pairs.items()
        if one != other
    ]
    head = ("", f"{'first':>9} {'second':>10}")
    title = f"{left.kind.counted} that one store alone holds:"
    return [title, *folded([head, *rows])] if rows else []
