"""The store: a folder of immutable HDF5 blocks, the name of each its commit marker.

    DIR/study.json                                    what this store holds
    DIR/blocks/<point>/<first>-<stop>-<hash>.h5       samples [first, stop) of a point
    DIR/failures/<point>/<sample>.json                samples that raised, and what
    DIR/convergence/<variant>/                        stores of samples computed otherwise
    DIR/checkpoints/                                  where long samples go on, checkpoints.py
    DIR/claims/                                       who is working on what, advisory
    DIR/NAME                                          files that the study names

A block is built in memory, written to a temporary file, synced and renamed; its
name ends in the SHA-256 of its bytes, so a torn file cannot pass for a block.
"""

import contextlib
import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic

from manybody.parallel.files import listed, write_atomically
from manybody.parallel.signals import never
from manybody.solve.checkpoints import Keeper
from manybody.study.block_files import CorruptBlock, UnreadableBlock, digest_of, image_of, range_of
from manybody.study.description import (
    extend_description,
    is_new,
    read_description,
    refuse_changes,
    store_format,
)
from manybody.study.kind import B, Kind, P, R, S, Task

_log = logging.getLogger("manybody")
_BLOCK = re.compile(r"[0-9]+-[0-9]+-[0-9a-f]+\.h5")


class BlockStore(Generic[S, P, R, B]):
    """One folder.  Reading needs no MPI; many processes may commit at once."""

    def __init__(self, directory: str | Path, kind: Kind[S, P, R, B]) -> None:
        self.directory, self.kind = Path(directory), kind

    @property
    def exists(self) -> bool:
        """Whether there is a description of a study."""
        return (self.directory / "study.json").exists()

    @property
    def is_older(self) -> bool:
        """Whether it is in a format of which a run takes over what there is."""
        return store_format(self.directory) in [*self.kind.older]

    def variant(self, name: str) -> "BlockStore[S, P, R, B]":
        """Where samples lie that were computed otherwise, see `config.Convergence`."""
        return BlockStore(self.directory / "convergence" / name, self.kind)

    @property
    def study(self) -> S:
        """The study this store holds, with its files.

        Raises InputError when there is none, or one of a format that a run must take over.
        """
        study = read_description(self.directory, self.kind.readers, self.kind.older)
        return self.kind.with_files(self.directory, study)

    def check(self, study: S) -> S:
        """What the store will hold: `study`, together with what a used folder already holds.

        Raises InputError when the folder holds samples of other numbers, naming
        the keys that differ, or holds something else.  Writes nothing.
        """
        if not is_new(self.directory):
            known = {**self.kind.readers, **self.kind.older}
            stored = self.kind.with_files(self.directory, read_description(self.directory, known))
            changed = self.kind.changes(stored, study)
            refuse_changes(self.directory, changed, self.kind.may_be_added)
            study = self.kind.merged(stored, study)
        self.kind.check_description(study)
        return study

    def create(self, study: S, text: str = "") -> S:
        """Write study.json, atomically, and return what it now says.

        text: the study as a user wrote it, kept in study.toml unless empty.  Two jobs that
        extend one store at the same time wait for each other.
        Raises InputError as `check` does, or when the folder cannot be written.
        """
        extended = extend_description(
            self.directory,
            self.kind.store_format,
            lambda: self.check(study),
            text,
            (lambda found: self.kind.take_over(self, found)) if self.is_older else None,
        )
        # Beside study.toml, which names them as the user's own does.
        for name, content in self.kind.files(extended).items():
            if not (self.directory / name).exists():
                write_atomically(self.directory / name, content)
        return extended

    def folder(self, point: P) -> Path:
        """Where the blocks of a point lie."""
        return self.directory / "blocks" / point.name

    def block_paths(self, point: P) -> list[Path]:
        """Committed blocks of a point, by name."""
        folder = self.folder(point)
        return [folder / name for name in sorted(_block_names(folder))]

    def finished(self, point: P, but: Collection[Path] = ()) -> set[int]:
        """Indices of committed samples, from the names of the blocks alone; but: without these."""
        left_out = {path.name for path in but if path.parent == self.folder(point)}
        done: set[int] = set()
        for name in _block_names(self.folder(point)):
            if name not in left_out:
                done.update(range(*range_of(Path(name))))
        return done

    def missing(self, task: Task[P]) -> list[int]:
        """Samples of a task that no block holds and that have not failed."""
        done = self.settled(task.point)
        return [sample for sample in range(task.first, task.stop) if sample not in done]

    def settled(self, point: P) -> set[int]:
        """Samples with which a run has nothing more to do: committed or failed."""
        return self.finished(point) | set(self.failures(point))

    def failures(self, point: P) -> dict[int, Path]:
        """Records of samples of a point that raised an error."""
        found = {}
        for path in listed(self.directory / "failures" / point.name, "[0-9]*.json"):
            if path.stem.isdigit():
                found[int(path.stem)] = path
        return found

    def record_failure(
        self, study: S, point: P, sample: int, error: Exception, provenance: Mapping[str, Any]
    ) -> Path:
        """Say that a sample raised `error`, with its seed and where it was computed."""
        content = {
            **self.kind.failure(study, point, sample),
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exception(error),
            "study_hash": study.hash(),
            "provenance": provenance,
        }
        path = self.directory / "failures" / point.name / f"{sample:06d}.json"
        write_atomically(path, json.dumps(content, indent=1, default=str).encode())
        return path

    def keeper(self, study: S, point: P, sample: int, stop: Callable[[], str] = never) -> Keeper:
        """Checkpoints of one sample."""
        identity = f"{study.hash()} {point.name} {sample}"
        return Keeper(self.directory / "checkpoints" / point.name, sample, identity, stop)

    def sweep_checkpoints(self, study: S) -> None:
        """Delete checkpoints of samples that are committed, and folders that are empty then.

        A death just after a commit leaves one, and so does a run that computed a sample the
        short way which another had begun on several ranks.
        """
        folder = self.directory / "checkpoints"
        if not folder.is_dir():
            return
        for point in study.wanted:
            own = folder / point.name
            states = listed(own, "[0-9]*-*.state")
            done = self.finished(point) if states else set()
            for path in states:
                if int(path.name.partition("-")[0]) in done:
                    path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                own.rmdir()
        with contextlib.suppress(OSError):
            folder.rmdir()

    def forget_failures(self, tasks: Sequence[Task[P]]) -> None:
        """Let failed samples be tried again."""
        failures = {point: self.failures(point) for point in {task.point for task in tasks}}
        for task in tasks:
            for sample, path in failures[task.point].items():
                if task.first <= sample < task.stop:
                    path.unlink(missing_ok=True)

    def commit(
        self, study: S, point: P, records: Sequence[R], provenance: Mapping[str, Any]
    ) -> Path:
        """Write consecutive samples of one point as one block; all of it or nothing."""
        samples = [record.sample for record in records]
        if samples != list(range(samples[0], samples[-1] + 1)):
            raise ValueError(f"samples {samples} of one block must be consecutive")
        image = image_of(self.kind.content(study, point, records, provenance))
        path = self.folder(point) / f"{samples[0]:06d}-{samples[-1] + 1:06d}-{digest_of(image)}.h5"
        write_atomically(path, image)
        for sample, failure in self.failures(point).items():
            if sample in samples:
                failure.unlink(missing_ok=True)
        return path

    def set_aside_corrupt(self, study: S) -> list[str]:
        """Rename every block that is torn, altered or foreign; returns what was wrong.

        Blocks that contradict each other are renamed too: nobody knows which of them is right.

        One that cannot be read stays: a file system that fails for a while, or too many open
        files, must not cost a finished sample.
        """
        problems = []
        for point in study.wanted:
            for path in self.block_paths(point):
                try:
                    self.kind.check_block(path, study, point)
                except UnreadableBlock as error:
                    # Gone: another run that starts now was faster.
                    if path.exists():
                        problems.append(f"left out: {error}")
                except CorruptBlock as error:
                    if _renamed(path, ".corrupt"):
                        problems.append(f"set aside: {error}; renamed to {path.stem}.corrupt")
            ranges = [range(*range_of(path)) for path in self.block_paths(point)]
            if sum(map(len, ranges)) > len(set().union(*ranges)):
                contradictions = self._look(study, point)[2]
                disputed = set().union(*contradictions.values())
                aside = {path for path in disputed if _renamed(path, ".disputed")}
                for each, pair in contradictions.items():
                    if aside & pair:
                        problems.append(f"set aside, to be computed again: {each}")
        return problems

    def read(self, study: S, point: P) -> tuple[list[B], list[str]]:
        """Intact blocks of a point, each sample once, and what was wrong with others.

        Of a sample of which two blocks differ by rounding the block that comes first by its name
        is taken, and the log says so; one of which they differ by more is left out altogether,
        until a run sets both blocks aside.
        """
        return self._look(study, point)[:2]

    def _look(self, study: S, point: P) -> tuple[list[B], list[str], dict[str, set[Path]]]:
        """`read`, and the pairs of blocks that contradict each other by what is said of them."""
        blocks: list[B] = []
        problems: list[str] = []
        seen: dict[int, tuple[B, int]] = {}
        disputed: set[int] = set()
        contradictions: dict[str, set[Path]] = {}
        for path in self.block_paths(point):
            try:
                block = self.kind.read_block(path, study, point)
            except CorruptBlock as error:
                problems.append(str(error))
                continue
            fresh = []
            for row, sample in enumerate(map(int, block.samples)):
                if sample not in seen:
                    seen[sample] = (block, row)
                    fresh.append(row)
                    continue
                other, other_row = seen[sample]
                change = self.kind.disagreement(other, other_row, block, row)
                between = f"{other.path.name} and {path.name}"
                if change > 1.0:
                    disputed.add(sample)
                    said = f"sample {sample} of {point.name} differs between {between}"
                    contradictions[said] = {path, other.path}
                    problems.append(said)
                elif change > 0.0:
                    _log.warning(
                        f"sample {sample} of {point.name} differs by rounding between {between}: "
                        "the first is taken"
                    )
            if fresh:
                blocks.append(self.kind.rows_of(block, fresh))
        if disputed:
            kept = [
                (block, [row for row, s in enumerate(block.samples) if int(s) not in disputed])
                for block in blocks
            ]
            blocks = [self.kind.rows_of(block, rows) for block, rows in kept if rows]
        return blocks, problems, contradictions


def _renamed(path: Path, suffix: str) -> bool:
    """Give a block another suffix; False where it is gone: another run was faster."""
    try:
        os.replace(path, path.with_suffix(suffix))
    except FileNotFoundError:
        return False
    return True


def _block_names(folder: Path) -> list[str]:
    """Names of blocks in a folder, which need not exist.

    Any other trouble is raised: a folder that cannot be listed for a while is not empty.
    """
    try:
        return [name for name in os.listdir(folder) if _BLOCK.fullmatch(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
