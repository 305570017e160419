"""What a store holds of its study, from the names of its files alone but for a few."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manybody.parallel.claims import claimed_samples
from manybody.parallel.files import listed
from manybody.study.blocks import CorruptBlock, read_block
from manybody.study.configuration import Point
from manybody.study.progress import clock
from manybody.study.store import Store

# Blocks of a point that are opened for the time a sample takes.
_OPENED = 3


@dataclass(frozen=True)
class PointStatus:
    """Samples of one point.

    wanted: how many the study asks for; done, failed: indices below `wanted` with a block,
    with a failure; running: in blocks that somebody claims; missing: all others;
    checkpoints: long samples begun; core_seconds: of what is left, nan when nothing is
    done yet; rank_seconds: of one sample, ranks that shared it included.
    """

    point: Point
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
        left = self.running + self.missing
        return left * self.rank_seconds if left else 0.0


def point_statuses(store: Store) -> list[PointStatus]:
    """Every point of the study, in its order.  Raises ValueError where there is no store."""
    study = store.study
    claimed = claimed_samples(store.directory / "claims")
    found = []
    for system in study.systems:
        for point in system.points:
            wanted = set(range(system.counts[point.size]))
            done = store.finished(point) & wanted
            failed = (set(store.failures(point)) & wanted) - done
            running = (claimed.get(point.name, set()) & wanted) - done - failed
            states = listed(store.directory / "checkpoints" / point.name, "*.state")
            found.append(
                PointStatus(
                    point,
                    len(wanted),
                    len(done),
                    len(failed),
                    len(running),
                    len(wanted) - len(done) - len(failed) - len(running),
                    sum(1 for _ in states),
                    _rank_seconds(store.block_paths(point)),
                )
            )
    return found


def _rank_seconds(paths: list[Path]) -> float:
    """Median over samples of some blocks, nan without any."""
    found: list[float] = []
    for path in paths[:: max(1, len(paths) // _OPENED)][:_OPENED]:
        try:
            block = read_block(path)
        except CorruptBlock:
            continue
        ranks = int(block.attributes.get("ranks_per_sample", 1))
        found += [float(seconds) * ranks for seconds in block.arrays["seconds"]]
    return float(np.median(found)) if found else float("nan")


def status_lines(store: Store) -> list[str]:
    """A table for people, a line a point."""
    statuses = point_statuses(store)
    study = store.study
    width = max(len(status.point.name) for status in statuses)
    lines = [
        f"{study.name}: {sum(s.done for s in statuses)} of {sum(s.wanted for s in statuses)} "
        f"samples in {store.directory}",
        f"  {'':<{width}} {'samples':>8} {'done':>8} {'running':>8} {'missing':>8} {'failed':>8} "
        f"{'core-s each':>11} {'core-h left':>11}",
    ]
    for status in statuses:
        seconds = f"{status.rank_seconds:>11.3g}" if status.done else f"{'?':>11}"
        hours = status.left_seconds / 3600.0
        left = f"{hours:>11.3g}" if np.isfinite(hours) else f"{'?':>11}"
        begun = f"  {status.checkpoints} at a checkpoint" if status.checkpoints else ""
        lines.append(
            f"  {status.point.name:<{width}} {status.wanted:>8} {status.done:>8} "
            f"{status.running:>8} {status.missing:>8} {status.failed:>8} {seconds} {left}{begun}"
        )
    lines.append(_eta(statuses))
    for status in statuses:
        failures = store.failures(status.point)
        # A death just after a commit leaves the record of an earlier failure.
        done = store.finished(status.point) if failures else set()
        for sample, path in sorted((s, path) for s, path in failures.items() if s not in done):
            lines.append(f"FAILED: {status.point.name} sample {sample}, see {path}")
    return lines


def _eta(statuses: list[PointStatus]) -> str:
    seconds = float(np.sum([status.left_seconds for status in statuses]))
    left = sum(status.running + status.missing for status in statuses)
    if left == 0:
        return "nothing is left to do"
    if not np.isfinite(seconds):
        return f"{left} samples are left; what they take is not known before one is done"
    return f"{left} samples are left: {clock(seconds)} on one core, less on more"
