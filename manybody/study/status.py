"""What a store holds of its study: names of files, hashes of blocks, claims."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np

from manybody.parallel.claims import claimed_samples
from manybody.parallel.files import listed
from manybody.solve.progress import clock
from manybody.study.block_files import CorruptBlock, is_intact
from manybody.study.block_store import BlockStore
from manybody.study.kind import B, P, R, S
from manybody.study.lines import folded

_HEAD = "{:>8}     done  running  missing   failed core-s each core-h left"
# Blocks of a point that are opened for the time a sample takes.
_OPENED = 3


@dataclass(frozen=True)
class PointStatus(Generic[P]):
    """Samples of one point.

    wanted: how many the study asks for; done, failed: indices below `wanted` with a block,
    with a failure; running: in blocks that somebody claims; missing: all others;
    checkpoints: long samples begun; rank_seconds: of one sample, ranks that shared it included,
    as measured or, where none is done yet, predicted.
    """

    point: P
    wanted: int
    done: int
    failed: int
    running: int
    missing: int
    checkpoints: int
    rank_seconds: float

    @property
    def left_seconds(self) -> float:
        """Core-seconds that running and missing samples will take at most."""
        return (self.running + self.missing) * self.rank_seconds


def point_statuses(
    store: BlockStore[S, P, R, B], torn: Collection[Path] = ()
) -> list[PointStatus[P]]:
    """Every point of the study, in its order.  Raises ValueError where there is no store.

    torn: blocks whose samples are not there.
    """
    study = store.study
    claimed = claimed_samples(store.directory / "claims")
    seconds, found = _rank_seconds(store, study), []
    for point, count in study.wanted.items():
        wanted = set(range(count))
        done = store.finished(point, torn) & wanted
        failed = (set(store.failures(point)) & wanted) - done
        running = (claimed.get(point.name, set()) & wanted) - done - failed
        found.append(
            PointStatus(
                point,
                len(wanted),
                len(done),
                len(failed),
                len(running),
                len(wanted) - len(done) - len(failed) - len(running),
                len(listed(store.directory / "checkpoints" / point.name, "*.state")),
                seconds[point],
            )
        )
    return found


def _rank_seconds(store: BlockStore[S, P, R, B], study: S) -> dict[P, float]:
    """The median over samples of some blocks of a point; where it has none what the cost model
    says, by as much too high or low as it is for all that have some.
    """
    model = {point: store.kind.seconds(study, point) for point in study.wanted}
    known = {point: own for point in model if (own := _measured(store, study, point))}
    medians = {point: float(np.median(own)) for point, own in known.items()}
    predicted = sum(model[point] for point in known)
    scale = sum(medians.values()) / predicted if predicted > 0.0 else 1.0
    return {point: medians.get(point, scale * own) for point, own in model.items()}


def _measured(store: BlockStore[S, P, R, B], study: S, point: P) -> list[float]:
    """Core-seconds of the samples of some blocks of a point."""
    paths = store.block_paths(point)
    found: list[float] = []
    for path in paths[:: max(1, len(paths) // _OPENED)][:_OPENED]:
        try:
            block = store.kind.read_block(path, study, point)
        except CorruptBlock:
            continue
        ranks = int(block.attributes.get("ranks_per_sample", 1))
        found += [float(seconds) * ranks for seconds in block.arrays["seconds"]]
    return found


def status_lines(store: BlockStore[S, P, R, B]) -> list[str]:
    """A table for people, a line for each row of a kind, a point where it says nothing else."""
    study, kind = store.study, store.kind
    torn = [p for point in study.wanted for p in store.block_paths(point) if not is_intact(p)]
    statuses = point_statuses(store, torn)
    rows: dict[str, list[PointStatus[P]]] = {}
    for status in statuses:
        rows.setdefault(kind.row_of(status.point), []).append(status)
    done, wanted = (sum(getattr(s, name) for s in statuses) for name in ("done", "wanted"))
    lines = [
        f"{study.name}: {done} of {wanted} {kind.counted} in {store.directory}",
        *folded([("", _HEAD.format(kind.counted)), *((n, _row(own)) for n, own in rows.items())]),
        _eta(statuses, kind.counted),
        *(f"TORN: {path} is torn or altered, the next run computes it again" for path in torn),
    ]
    for status in statuses:
        failures = store.failures(status.point)
        # A death just after a commit leaves the record of an earlier failure.
        finished = store.finished(status.point, torn) if failures else set()
        for sample, path in sorted((s, path) for s, path in failures.items() if s not in finished):
            which = f" sample {sample}" if kind.counted == "samples" else ""
            lines.append(f"FAILED: {status.point.name}{which}, see {path}")
    return lines


def _row(own: Sequence[PointStatus[P]]) -> str:
    numbers = [
        sum(getattr(status, name) for status in own)
        for name in ("wanted", "done", "running", "missing", "failed", "checkpoints")
    ]
    seconds = f"{float(np.mean([status.rank_seconds for status in own])):>11.3g}"
    left = f"{sum(status.left_seconds for status in own) / 3600.0:>11.3g}"
    begun = f"  {numbers[5]} at a checkpoint" if numbers[5] else ""
    return " ".join(f"{number:>8}" for number in numbers[:5]) + f" {seconds} {left}{begun}"


def _eta(statuses: Sequence[PointStatus[P]], counted: str) -> str:
    seconds = float(np.sum([status.left_seconds for status in statuses]))
    left = sum(status.running + status.missing for status in statuses)
    failed = sum(status.failed for status in statuses)
    if left == 0 and failed:
        return f"{failed} {counted} have failed, the next run tries them again"
    if left == 0:
        return "nothing is left to do"
    return f"{left} {counted} are left: {clock(seconds)} on one core, less on more"
