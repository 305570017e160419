"""The store: a folder of immutable HDF5 blocks, the name of each its commit marker.

    DIR/study.json                                    what this store holds
    DIR/blocks/<point>/<first>-<stop>-<hash>.h5       samples [first, stop) of a point
    DIR/claims/                                       who is working on what, advisory

A block is built in memory, written to a temporary file, synced and renamed; its
name ends in the SHA-256 of its bytes, so a torn file cannot pass for a block.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import socket
import uuid
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from manybody.config import Point, Study, from_json, merge_systems
from manybody.physics.certificates import Certificate
from manybody.physics.spectra import VERDICTS
from manybody.study.comparison import Comparison
from manybody.study.plan import Task

FORMAT = 1
_HASH_LETTERS = 16
# To which a sample agrees with itself whatever the number of ranks that share it.
_SHARED_TOLERANCE = 1e-10
_TEMPORARY = re.compile(r"\.(.+)\.(\d+)\.[0-9a-f]{32}\.tmp")
CONVENTIONS = (
    "hbar = k_B = 1; energies in the unit J of the model's parameters, times in 1/J; trace norm "
    "is the sum of |eigenvalues| with no factor 1/2; omega > 0 is energy given to the bath; "
    "rho(0) = |j><j| at initial_site; A_j = |j><j| on every site"
)
_UNITS = {
    "redfield_gibbs_residual": "J",
    "davies_gibbs_residual": "J",
    "smallest_separation": "J",
    "cluster_width": "J",
    "seconds": "s",
}
_MEANING = {
    "trace_distance": "trace norm of rho_Davies(t) - rho_Redfield(t)",
    "trace_distance_merged": "the same with near-coincident Bohr frequencies merged; nan where "
    "the clustering is not ambiguous",
    "smallest_eigenvalue_in_time": "smallest eigenvalue of rho_Redfield(t)",
    "seed": "256-bit entropy of the disorder draw, four words",
    "seconds": "wall time of the sample",
    "trace_error": "largest |tr rho - 1| over times and equations",
    "hermiticity_error": "largest |rho_ab - conj(rho_ba)| over times and equations",
    "redfield_gibbs_residual": "largest |element| of L_Redfield[rho_Gibbs], site basis",
    "davies_gibbs_residual": "largest |element| of L_Davies[rho_Gibbs], site basis",
    "kms_residual": "largest relative violation of KMS over the Bohr frequencies",
    "smallest_eigenvalue": "smallest eigenvalue of rho_Redfield over all times",
    "clustering": "verdict on coinciding Bohr frequencies",
    "merged_neighbours": "number of Bohr frequencies found equal to a neighbour",
    "expected_by_chance": "how many chance alone would make equal",
    "smallest_separation": "smallest distance of two Bohr frequencies kept apart",
    "cluster_width": "extent of the widest cluster of equal Bohr frequencies",
    "secular_ambiguity": "largest change of the distance when near-coincidences are merged",
    "level_conditioning": "eps |H| / smallest level spacing: how well Davies can be known",
    "stepper_error": "estimated error of rho_Redfield in trace norm",
    "applications": "generator applications spent on the Redfield equation",
    "entries_kept": "share of the entries of an assembled Liouvillian that were kept",
    "drop_error": "estimated change of rho_Redfield in trace norm by dropped entries",
}


@dataclass(frozen=True, eq=False)
class Record:
    """One finished sample."""

    sample: int
    entropy: tuple[int, ...]
    comparison: Comparison
    seconds: float


@dataclass(frozen=True, eq=False)
class Block:
    """What one block file holds.

    samples: (n,) indices; arrays: everything measured, sample axis first;
    attributes: provenance and conventions.
    """

    path: Path
    samples: NDArray[np.int64]
    times: NDArray[np.float64]
    arrays: dict[str, NDArray[Any]]
    attributes: dict[str, Any]


class CorruptBlock(ValueError):
    """A file whose bytes do not belong to its name, or whose content does not parse."""


class Store:
    """One folder.  Reading needs no MPI; many processes may commit at once."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    @property
    def study(self) -> Study:
        """The study this store holds.  Raises ValueError when there is none."""
        path = self.directory / "study.json"
        try:
            content = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ValueError(
                f"{str(self.directory)!r} is not a store: no study.json in it"
            ) from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise ValueError(f"{path} has store format {found!r}, this version reads {FORMAT}")
        try:
            return from_json(content["study"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path} does not describe a study: {error!r}") from error

    def check(self, study: Study) -> Study:
        """What the store will hold: `study`, together with what a used folder already holds.

        Raises ValueError when the folder holds samples of other numbers, naming
        the keys that differ, or holds something else.  Writes nothing.
        """
        if not self.directory.exists():
            return study
        if not self.directory.is_dir():
            raise ValueError(f"{str(self.directory)!r} is not a folder")
        if not (self.directory / "study.json").exists():
            # What a run that died before its first rename leaves is no obstacle.
            if any(not _TEMPORARY.fullmatch(path.name) for path in self.directory.iterdir()):
                raise ValueError(
                    f"{str(self.directory)!r} is not empty and not a store: use another folder"
                )
            return study
        stored = self.study
        there, here = stored.identity(), study.identity()
        changed = [key for key in {**there, **here} if here.get(key) != there.get(key)]
        if changed:
            details = "; ".join(
                f"{key} is {_short(there.get(key))} there and {_short(here.get(key))} here"
                for key in changed
            )
            raise ValueError(
                f"{str(self.directory)!r} holds another study: {details}. "
                "Use another folder (samples, sizes and systems may be added)"
            )
        return merge_systems(stored, study)

    def create(self, study: Study) -> Study:
        """Write study.json, atomically, and return what it now says.

        Two jobs that extend one store at the same time wait for each other.
        Raises ValueError as `check` does, or when the folder cannot be written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with _locked(self.directory):
                extended = self.check(study)
                text = json.dumps({"format": FORMAT, "study": extended.to_json()}, indent=1)
                _remove_orphans(self.directory)
                _write_atomically(self.directory / "study.json", text.encode())
                return extended
        except OSError as error:
            raise ValueError(f"{str(self.directory)!r} cannot be a store: {error}") from error

    def folder(self, point: Point) -> Path:
        """Where the blocks of a point lie."""
        return self.directory / "blocks" / point.name

    def block_paths(self, point: Point) -> list[Path]:
        """Committed blocks of a point, by name."""
        return sorted(self.folder(point).glob("[0-9]*-[0-9]*-*.h5"))

    def finished(self, point: Point) -> set[int]:
        """Indices of committed samples, from the names of the blocks alone."""
        done: set[int] = set()
        for path in self.block_paths(point):
            first, stop = _range_of(path)
            done.update(range(first, stop))
        return done

    def missing(self, task: Task) -> list[int]:
        """Samples of a task that no block holds."""
        done = self.finished(task.point)
        return [sample for sample in range(task.first, task.stop) if sample not in done]

    def commit(
        self, study: Study, point: Point, records: list[Record], provenance: dict[str, Any]
    ) -> Path:
        """Write consecutive samples of one point as one block; all of it or nothing."""
        samples = [record.sample for record in records]
        if samples != list(range(samples[0], samples[-1] + 1)):
            raise ValueError(f"samples {samples} of one block must be consecutive")
        image = _image(study, point, records, provenance)
        digest = hashlib.sha256(image).hexdigest()[:_HASH_LETTERS]
        folder = self.folder(point)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{samples[0]:06d}-{samples[-1] + 1:06d}-{digest}.h5"
        _write_atomically(path, image)
        return path

    def set_aside_corrupt(self, study: Study) -> list[str]:
        """Rename every block that is torn, altered or foreign; returns what was wrong."""
        problems = []
        for system in study.systems:
            for point in system.points:
                for path in self.block_paths(point):
                    try:
                        _check_belongs(read_block(path), study, point)
                    except CorruptBlock as error:
                        os.replace(path, path.with_suffix(".corrupt"))
                        problems.append(f"{error}; renamed to {path.stem}.corrupt")
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
                _check_belongs(block, study, point)
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
                if not _same_payload(block, row, other, other_row):
                    disputed.add(int(sample))
                    problems.append(
                        f"sample {sample} of {point.name} differs between {path.name} "
                        f"and {other.path.name}"
                    )
            if fresh:
                blocks.append(_rows(block, fresh))
        if disputed:
            kept = [
                (block, [row for row, s in enumerate(block.samples) if int(s) not in disputed])
                for block in blocks
            ]
            blocks = [_rows(block, rows) for block, rows in kept if rows]
        return blocks, problems


def read_block(path: Path) -> Block:
    """Read one block file.  Raises CorruptBlock naming the file."""
    try:
        with h5py.File(io.BytesIO(_verified_bytes(path)), "r") as file:
            arrays = {
                name: dataset[()]
                for name, dataset in file.items()
                if name not in ("sample", "time", "word")
            }
            samples = file["sample"][()]
            for entry in fields(Certificate):
                # A figure that this block is too old to have.
                if entry.default is not MISSING and entry.name not in arrays:
                    arrays[entry.name] = np.full(len(samples), entry.default)
            return Block(path, samples, file["time"][()], arrays, dict(file.attrs.items()))
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error


def _check_belongs(block: Block, study: Study, point: Point) -> None:
    """Raise CorruptBlock unless the block holds what its name and folder promise."""
    first, stop = _range_of(block.path)
    facts = block.attributes
    parameters = {
        key.removeprefix("parameter_"): value
        for key, value in facts.items()
        if key.startswith("parameter_")
    }
    agreements = {
        "store format": facts.get("store_format") == FORMAT,
        "study": facts.get("study_hash") == study.hash(),
        "model": (facts.get("model"), facts.get("size")) == (point.model, point.size),
        "parameters": parameters == dict(point.parameters),
        "samples": np.array_equal(block.samples, np.arange(first, stop)),
        "times": np.array_equal(block.times, np.array(study.times)),
        # Figures with a default came later; older blocks do not have them.
        "figures": all(
            entry.name in block.arrays for entry in fields(Certificate) if entry.default is MISSING
        ),
        "seeds": np.array_equal(
            block.arrays.get("seed", np.empty(0)),
            np.array([point.entropy(study.seed, int(s)) for s in block.samples], dtype=np.uint64),
        ),
    }
    wrong = [name for name, agrees in agreements.items() if not agrees]
    if wrong:
        raise CorruptBlock(f"{block.path} is foreign: it has other {', '.join(wrong)}")


def _same_payload(left: Block, row: int, right: Block, other_row: int) -> bool:
    """Equal bits; to 1e-10 where one of the samples was shared by several ranks."""
    shared = any(block.attributes.get("ranks_per_sample", 1) != 1 for block in (left, right))
    tolerance = _SHARED_TOLERANCE if shared else 0.0
    return all(
        np.allclose(
            left.arrays[name][row], right.arrays[name][other_row],
            rtol=tolerance, atol=tolerance, equal_nan=True,
        )
        for name in left.arrays
        if name != "seconds"
    )  # fmt: skip


def _rows(block: Block, rows: list[int]) -> Block:
    arrays = {name: array[rows] for name, array in block.arrays.items()}
    return Block(block.path, block.samples[rows], block.times, arrays, block.attributes)


def _verified_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptBlock(f"{path} cannot be read: {error}") from error
    if not path.stem.endswith(hashlib.sha256(content).hexdigest()[:_HASH_LETTERS]):
        raise CorruptBlock(f"{path} is torn or altered: its content does not match its name")
    return content


def _range_of(path: Path) -> tuple[int, int]:
    first, stop, _ = path.stem.split("-")
    return int(first), int(stop)


def _image(study: Study, point: Point, records: list[Record], provenance: dict[str, Any]) -> bytes:
    """The bytes of a block file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=False) as file:
        file.attrs["title"] = f"{study.name}: {point.name}"
        file.attrs["store_format"] = FORMAT
        file.attrs["conventions_of_physics"] = CONVENTIONS
        file.attrs["study"] = json.dumps(study.identity(), sort_keys=True)
        file.attrs["study_hash"] = study.hash()
        file.attrs["model"] = point.model
        file.attrs["size"] = point.size
        file.attrs["n_sites"] = point.n_sites
        for key, parameter in point.parameters:
            file.attrs[f"parameter_{key}"] = parameter
        file.attrs["initial_site"] = study.initial_site
        file.attrs["lamb_shift"] = int(study.lamb_shift)
        for key in ("coupling", "cutoff", "beta"):
            file.attrs[f"bath_{key}"] = getattr(study.bath, key)
        for key, fact in provenance.items():
            file.attrs[key] = fact

        samples = np.array([record.sample for record in records], dtype=np.int64)
        axes = {
            "sample": _dimension(file, "sample", samples, "index of the disorder sample"),
            "time": _dimension(file, "time", np.array(study.times), "time", "1/J"),
            "word": _dimension(file, "word", np.arange(4), "word of the seed, low to high index"),
        }
        runs = [record.comparison for record in records]
        nothing = np.full(len(study.times), np.nan)
        merged = [
            nothing if run.trace_distance_merged is None else run.trace_distance_merged
            for run in runs
        ]
        in_time = {
            "trace_distance": [run.trace_distance for run in runs],
            "trace_distance_merged": merged,
            "smallest_eigenvalue_in_time": [run.smallest_eigenvalue for run in runs],
        }
        for name, rows in in_time.items():
            _dataset(file, name, np.stack(rows), (axes["sample"], axes["time"]))
        entropy = np.array([record.entropy for record in records], dtype=np.uint64)
        _dataset(file, "seed", entropy, (axes["sample"], axes["word"]))
        seconds = np.array([record.seconds for record in records])
        _dataset(file, "seconds", seconds, (axes["sample"],))
        for entry in fields(Certificate):
            figures = [getattr(run.certificate, entry.name) for run in runs]
            if entry.name == "clustering":
                codes = np.array([VERDICTS.index(word) for word in figures], dtype=np.int8)
                dataset = _dataset(file, entry.name, codes, (axes["sample"],))
                dataset.attrs["flag_values"] = np.arange(len(VERDICTS), dtype=np.int8)
                dataset.attrs["flag_meanings"] = " ".join(VERDICTS)
            else:
                _dataset(file, entry.name, np.array(figures), (axes["sample"],))
    return buffer.getvalue()


def _dimension(
    file: h5py.File, name: str, values: NDArray[Any], meaning: str, unit: str = "1"
) -> h5py.Dataset:
    dataset = file.create_dataset(name, data=values, track_times=False)
    dataset.make_scale(name)
    dataset.attrs["long_name"] = meaning
    dataset.attrs["units"] = unit
    return dataset


def _dataset(
    file: h5py.File, name: str, values: NDArray[Any], axes: tuple[h5py.Dataset, ...]
) -> h5py.Dataset:
    dataset = file.create_dataset(name, data=values, track_times=False)
    for index, axis in enumerate(axes):
        dataset.dims[index].attach_scale(axis)
    if name in _MEANING:
        dataset.attrs["long_name"] = _MEANING[name]
    dataset.attrs["units"] = _UNITS.get(name, "1")
    return dataset


def _write_atomically(path: Path, content: bytes) -> None:
    """Temporary file, sync, rename, sync of the folders: the name appears last."""
    owner = f"{socket.gethostname()}.{os.getpid()}"
    temporary = path.with_name(f".{owner}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    for parent in (path.parent, path.parent.parent):
        folder = os.open(parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the folder against other processes, where the file system knows locks."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # Some network file systems refuse; the lock only guards simultaneous extensions.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_orphans(directory: Path) -> None:
    """Delete temporary files of processes of this machine that are gone."""
    for path in directory.rglob(".*.tmp"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and match[1] == socket.gethostname() and not process_is_alive(int(match[2])):
            path.unlink(missing_ok=True)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def process_is_alive(pid: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
