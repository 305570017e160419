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
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manybody.parallel.files import listed, write_atomically
from manybody.parallel.signals import never
from manybody.solve.checkpoints import Keeper
from manybody.study.blocks import (
    Block,
    CorruptBlock,
    Record,
    UnreadableBlock,
    block_image,
    check_belongs,
    check_block,
    digest_of,
    read_block,
    rows_of,
    same_payload,
)
from manybody.study.configuration import Point, Study, merge_systems, strict_json
from manybody.study.description import (
    changes_between,
    extend_description,
    is_new,
    read_description,
    refuse_changes,
)
from manybody.study.files import check_names
from manybody.study.migrations import FORMAT, READERS
from manybody.study.tasks import Task

_BLOCK = re.compile(r"[0-9]+-[0-9]+-[0-9a-f]+\.h5")


class Store:
    """One folder.  Reading needs no MPI; many processes may commit at once."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    @property
    def exists(self) -> bool:
        """Whether there is a description of a study."""
        return (self.directory / "study.json").exists()

    def variant(self, name: str) -> "Store":
        """Where samples lie that were computed otherwise, see `config.Convergence`."""
        return Store(self.directory / "convergence" / name)

    @property
    def study(self) -> Study:
        """The study this store holds, with its files.  Raises ValueError when there is none."""
        return read_description(self.directory, READERS).with_files_of(self.directory)

    def check(self, study: Study) -> Study:
        """What the store will hold: `study`, together with what a used folder already holds.

        Raises ValueError when the folder holds samples of other numbers, naming
        the keys that differ, or holds something else.  Writes nothing.
        """
        if not is_new(self.directory):
            stored = self.study
            changed = changes_between(stored.identity(), study.identity())
            refuse_changes(self.directory, changed, "samples, sizes and systems")
            study = merge_systems(stored, study)
        check_names(study.file_texts)
        return study

    def create(self, study: Study, text: str = "") -> Study:
        """Write study.json, atomically, and return what it now says.

        text: the study as a user wrote it, kept in study.toml unless empty.  Two jobs that
        extend one store at the same time wait for each other.
        Raises ValueError as `check` does, or when the folder cannot be written.
        """
        extended = extend_description(self.directory, FORMAT, lambda: self.check(study), text)
        # Beside study.toml, which names them as the user's own does.
        for name, content in extended.files.items():
            if not (self.directory / name).exists():
                write_atomically(self.directory / name, content)
        return extended

    def folder(self, point: Point) -> Path:
        """Where the blocks of a point lie."""
        return self.directory / "blocks" / point.name

    def block_paths(self, point: Point) -> list[Path]:
        """Committed blocks of a point, by name."""
        folder = self.folder(point)
        return [folder / name for name in sorted(_block_names(folder))]

    def finished(self, point: Point) -> set[int]:
        """Indices of committed samples, from the names of the blocks alone."""
        done: set[int] = set()
        for name in _block_names(self.folder(point)):
            first, stop, _ = name.split("-")
            done.update(range(int(first), int(stop)))
        return done

    def missing(self, task: Task) -> list[int]:
        """Samples of a task that no block holds and that have not failed."""
        done = self.settled(task.point)
        return [sample for sample in range(task.first, task.stop) if sample not in done]

    def settled(self, point: Point) -> set[int]:
        """Samples with which a run has nothing more to do: committed or failed."""
        return self.finished(point) | set(self.failures(point))

    def failures(self, point: Point) -> dict[int, Path]:
        """Records of samples of a point that raised an error."""
        found = {}
        for path in listed(self.directory / "failures" / point.name, "[0-9]*.json"):
            if path.stem.isdigit():
                found[int(path.stem)] = path
        return found

    def record_failure(
        self, study: Study, point: Point, sample: int, error: Exception, provenance: dict[str, Any]
    ) -> Path:
        """Say that a sample raised `error`, with its seed and where it was computed."""
        content = {
            "model": point.model,
            "parameters": dict(point.parameters),
            "changes": strict_json(dict(point.changes)),
            "size": point.size,
            "sample": sample,
            "seed": point.entropy(study.seed, sample),
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exception(error),
            "study_hash": study.hash(),
            "provenance": provenance,
        }
        path = self.directory / "failures" / point.name / f"{sample:06d}.json"
        write_atomically(path, json.dumps(content, indent=1, default=str).encode())
        return path

    def keeper(
        self, study: Study, point: Point, sample: int, stop: Callable[[], str] = never
    ) -> Keeper:
        """Checkpoints of one sample."""
        identity = f"{study.hash()} {point.name} {sample}"
        return Keeper(self.directory / "checkpoints" / point.name, sample, identity, stop)

    def sweep_checkpoints(self, study: Study) -> None:
        """Delete checkpoints of samples that are committed, and folders that are empty then.

        A death just after a commit leaves one, and so does a run that computed a sample the
        short way which another had begun on several ranks.
        """
        folder = self.directory / "checkpoints"
        if not folder.is_dir():
            return
        for system in study.systems:
            for point in system.points:
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

    def forget_failures(self, tasks: list[Task]) -> None:
        """Let failed samples be tried again."""
        failures = {point: self.failures(point) for point in {task.point for task in tasks}}
        for task in tasks:
            for sample, path in failures[task.point].items():
                if task.first <= sample < task.stop:
                    path.unlink(missing_ok=True)

    def commit(
        self, study: Study, point: Point, records: list[Record], provenance: dict[str, Any]
    ) -> Path:
        """Write consecutive samples of one point as one block; all of it or nothing."""
        samples = [record.sample for record in records]
        if samples != list(range(samples[0], samples[-1] + 1)):
            raise ValueError(f"samples {samples} of one block must be consecutive")
        image = block_image(study, point, records, provenance)
        path = self.folder(point) / f"{samples[0]:06d}-{samples[-1] + 1:06d}-{digest_of(image)}.h5"
        write_atomically(path, image)
        for sample, failure in self.failures(point).items():
            if sample in samples:
                failure.unlink(missing_ok=True)
        return path

    def set_aside_corrupt(self, study: Study) -> list[str]:
        """Rename every block that is torn, altered or foreign; returns what was wrong.

        One that cannot be read stays: a file system that fails for a while, or too many open
        files, must not cost a finished sample.
        """
        problems = []
        for system in study.systems:
            for point in system.points:
                for path in self.block_paths(point):
                    try:
                        check_block(path, study, point)
                    except UnreadableBlock as error:
                        # Gone: another run that starts now was faster.
                        if path.exists():
                            problems.append(f"left out: {error}")
                    except CorruptBlock as error:
                        with contextlib.suppress(FileNotFoundError):
                            os.replace(path, path.with_suffix(".corrupt"))
                            problems.append(f"set aside: {error}; renamed to {path.stem}.corrupt")
        return problems

    def read(self, study: Study, point: Point) -> tuple[list[Block], list[str]]:
        """Intact blocks of a point, each sample once, and what was wrong with others.

        A sample of which two blocks differ is left out altogether.
        """
        blocks: list[Block] = []
        problems: list[str] = []
        seen: dict[int, tuple[Block, int]] = {}
        disputed: set[int] = set()
        for path in self.block_paths(point):
            try:
                block = read_block(path)
                check_belongs(block, study, point)
            except CorruptBlock as error:
                problems.append(str(error))
                continue
            fresh = []
            for row, sample in enumerate(block.samples):
                if int(sample) not in seen:
                    seen[int(sample)] = (block, row)
                    fresh.append(row)
                    continue
                other, other_row = seen[int(sample)]
                if not same_payload(block, row, other, other_row):
                    disputed.add(int(sample))
                    problems.append(
                        f"sample {sample} of {point.name} differs between {path.name} "
                        f"and {other.path.name}"
                    )
            if fresh:
                blocks.append(rows_of(block, fresh))
        if disputed:
            kept = [
                (block, [row for row, s in enumerate(block.samples) if int(s) not in disputed])
                for block in blocks
            ]
            blocks = [rows_of(block, rows) for block, rows in kept if rows]
        return blocks, problems


def _block_names(folder: Path) -> list[str]:
    """Names of blocks in a folder, which need not exist.

    Any other trouble is raised: a folder that cannot be listed for a while is not empty.
    """
    try:
        return [name for name in os.listdir(folder) if _BLOCK.fullmatch(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
