"""Where a long sample goes on after a kill: its state at the end of a segment.

    DIR/checkpoints/<point>/<sample>-<segments done>-<hash>.state

One line of JSON, then the states of stepped equations column by column, complex doubles of
this machine's byte order.
The file is written whole under another name and renamed to one that carries the hash of its
bytes; every rank reads its own columns from it.  It is gone when the sample is in a block.
"""

import contextlib
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from manybody.arrays import Complex
from manybody.parallel.files import listed, write_pieces
from manybody.parallel.signals import never
from manybody.solve.monitor import Moment

_log = logging.getLogger("manybody")
# A checkpoint is due when this many times what writing one takes has passed since the last:
# it costs less than 2 % of a run.
_PATIENCE = 50.0
_HASH_LETTERS = 16
_LONGEST_HEADER = 1 << 26


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A sample between two segments, but for the states of its stepped equations.

    segments_done: how many of those in `borders`, [0, ..., last time] in 1/J;
    applications, error_estimate: of those; gibbs_residual: by equation, measured at the
    start; seen: what was kept of the output times passed; seconds: wall time before this process,
    in a file all of it.
    """

    segments_done: int
    borders: tuple[float, ...]
    applications: int
    error_estimate: float
    gibbs_residual: dict[str, float]
    seen: tuple[Moment, ...]
    seconds: float


class Keeper:
    """Checkpoints of one sample; of no sample when `folder` is None.

    identity: what the numbers depend on; a checkpoint of another is not used.  stop: says
    whether the run shall end.
    """

    def __init__(
        self,
        folder: Path | None = None,
        sample: int = 0,
        identity: str = "",
        stop: Callable[[], str] = never,
    ) -> None:
        self._folder, self._sample, self._identity = folder, sample, identity
        self.stop = stop
        self._wrote, self._took = time.monotonic(), 0.1
        self._started = time.perf_counter()
        # Spent on the sample before this process.
        self.seconds_before = 0.0

    def due(self) -> bool:
        """Whether enough time has passed to write one, on rank 0."""
        return self._folder is not None and (
            time.monotonic() - self._wrote > _PATIENCE * self._took
        )

    @property
    def keeps(self) -> bool:
        """Whether there is a place to write to."""
        return self._folder is not None

    def find(
        self, borders: tuple[float, ...], equations: tuple[str, ...]
    ) -> tuple[Snapshot, Path] | None:
        """The furthest intact checkpoint with these borders of segments and stepped equations.

        All others are removed; torn and foreign ones are named in the log.
        """
        best: tuple[Snapshot, Path] | None = None
        # Names sort by segments done.
        for path in reversed(self._paths()):
            snapshot = self._intact(path, borders, equations) if best is None else None
            if snapshot is None:
                path.unlink(missing_ok=True)
            else:
                best = snapshot, path
                self.seconds_before = snapshot.seconds
        return best

    def write(self, snapshot: Snapshot, columns: Sequence[Complex]) -> None:
        """Replace the checkpoint of this sample.

        columns: (N, N) of every stepped equation in turn, row i is column i of its state.
        """
        assert self._folder is not None
        start = time.monotonic()
        older = self._paths()
        header = json.dumps(
            {
                **asdict(snapshot),
                "identity": self._identity,
                "shape": [len(columns), *columns[0].shape],
                "byteorder": sys.byteorder,
                "seconds": self.seconds_before + time.perf_counter() - self._started,
            }
        )
        stem = f"{self._sample:06d}-{snapshot.segments_done:06d}"
        try:
            written = write_pieces(
                self._folder,
                [header.encode() + b"\n", *(own.view(np.uint8).data for own in columns)],
                lambda digest: f"{stem}-{digest[:_HASH_LETTERS]}.state",
            )
        finally:
            self._wrote = time.monotonic()
            self._took = self._wrote - start
        for path in older:
            if path != written:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the checkpoints of this sample, and folders that are empty then."""
        if self._folder is None:
            return
        for path in self._paths():
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()
            self._folder.parent.rmdir()

    def _paths(self) -> list[Path]:
        if self._folder is None:
            return []
        return listed(self._folder, f"{self._sample:06d}-*.state")

    def _intact(
        self, path: Path, borders: tuple[float, ...], equations: tuple[str, ...]
    ) -> Snapshot | None:
        """What a file says, None when it is torn or of something else."""
        try:
            with open(path, "rb") as file:
                header = file.readline(_LONGEST_HEADER)
                digest = hashlib.sha256(header)
                while piece := file.read(1 << 24):
                    digest.update(piece)
            if not path.stem.endswith(digest.hexdigest()[:_HASH_LETTERS]):
                raise ValueError("its content does not match its name")
            facts = json.loads(header)
            if facts["byteorder"] != sys.byteorder or facts["identity"] != self._identity:
                raise ValueError("it belongs to another study, point or kind of machine")
            # Takes as long to import as much of the rest.
            from cattrs import Converter

            # What a file says wrong is a plain KeyError, TypeError or ValueError.
            snapshot = Converter(detailed_validation=False).structure(facts, Snapshot)
            if snapshot.borders != borders:
                raise ValueError("the times are cut into other segments now")
            if tuple(snapshot.gibbs_residual) != equations:
                raise ValueError("it is of other equations")
            return snapshot
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning(f"checkpoint {path} is not used: {error}")
            return None


def read_columns(path: Path, own: slice, n: int, index: int = 0) -> Complex:
    """(1, N, m) the columns [own] of a state in a checkpoint that `Keeper.find` has checked.

    index: of its equation among the stepped ones.
    """
    with open(path, "rb") as file:
        header = file.readline(_LONGEST_HEADER)
        file.seek(len(header) + (index * n + own.start) * n * 16)
        values = np.fromfile(file, np.complex128, (own.stop - own.start) * n)
    return np.ascontiguousarray(values.reshape(-1, n).T)[None]
