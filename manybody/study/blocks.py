"""A block of samples of one point as bytes: an HDF5 image, and what makes one trustworthy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from manybody.physics.quantities.certificates import Certificate
from manybody.physics.spectra import VERDICTS
from manybody.solve.comparison import Comparison
from manybody.study.configuration import TRACE_DISTANCE, Point, Study
from manybody.study.migrations import FORMAT, READERS, hash_in
from manybody.study.observables import figures_of

# HDF5's handle of anything.
Identifier = Any

_HASH_LETTERS = 16
_TEXT = h5py.string_dtype()
# Attributes that say where a block belongs, beside those of its parameters.
_FACTS = ("store_format", "study_hash", "model", "size")
# To which a sample agrees with itself whatever the number of ranks that share it.
_SHARED_TOLERANCE = 1e-10
CONVENTIONS = (
    "hbar = k_B = 1; energies in the unit J of the model's parameters, times in 1/J; trace norm "
    "is the sum of |eigenvalues| with no factor 1/2; omega > 0 is energy given to the bath; "
    "rho(0) = |j><j| at initial_site, or Gibbs at initial_beta where that is given; A_j = |j><j| "
    "on every site"
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
    """One finished sample: what was measured in time, and figures of other observables."""

    sample: int
    entropy: tuple[int, ...]
    seconds: float
    comparison: Comparison | None
    figures: Mapping[str, float] = field(default_factory=dict)


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


class UnreadableBlock(CorruptBlock):
    """A file that the system does not give out: it may be whole, and readable tomorrow."""


def read_block(path: Path) -> Block:
    """Read one block file.  Raises CorruptBlock naming the file."""
    try:
        with _opened(path) as file:
            arrays = {
                name: dataset[()]
                for name, dataset in file.items()
                if name not in ("sample", "time", "word")
            }
            samples = file["sample"][()]
            for entry in fields(Certificate) if TRACE_DISTANCE in arrays else ():
                # A figure that this block is too old to have.
                if entry.default is not MISSING and entry.name not in arrays:
                    arrays[entry.name] = np.full(len(samples), entry.default)
            return Block(path, samples, file["time"][()], arrays, dict(file.attrs.items()))
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error


def check_block(path: Path, study: Study, point: Point) -> None:
    """Raise CorruptBlock unless a file is whole and holds what its name and folder promise.

    All bytes are verified, but what was measured is not taken out of them: a run looks
    through its store in this way before it begins.
    """
    try:
        with _opened(path) as file:
            # Of the arrays `check_belongs` asks for the names alone, but for the seeds.
            names = dict.fromkeys(file, np.empty(0))
            arrays = {**names, "seed": file["seed"][()]}
            facts = {
                name: file.attrs[name]
                for name in file.attrs
                if name in _FACTS or name.startswith(("parameter_", "change_"))
            }
            block = Block(path, file["sample"][()], file["time"][()], arrays, facts)
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error
    check_belongs(block, study, point)


def check_belongs(block: Block, study: Study, point: Point) -> None:
    """Raise CorruptBlock unless the block holds what its name and folder promise."""
    first, stop = range_of(block.path)
    facts = block.attributes
    parameters = {
        key.removeprefix("parameter_"): value
        for key, value in facts.items()
        if key.startswith("parameter_")
    }
    changes = {
        key.removeprefix("change_"): value.item() if isinstance(value, np.generic) else value
        for key, value in facts.items()
        if key.startswith("change_")
    }
    expected = set(figures_of(study))
    if study.evolves:
        # Figures with a default came later; older blocks do not have them.
        expected |= {e.name for e in fields(Certificate) if e.default is MISSING} | {
            TRACE_DISTANCE
        }
    agreements = {
        "store format": facts.get("store_format") in READERS,
        "study": facts.get("study_hash") == hash_in(study, facts.get("store_format", FORMAT)),
        "model": (facts.get("model"), facts.get("size")) == (point.model, point.size),
        "parameters": parameters == dict(point.parameters),
        "samples": np.array_equal(block.samples, np.arange(first, stop)),
        "times": np.array_equal(block.times, np.array(study.times)),
        "changes": changes == dict(point.changes),
        "figures": expected <= block.arrays.keys(),
        "seeds": np.array_equal(
            block.arrays.get("seed", np.empty(0)),
            np.array([point.entropy(study.seed, int(s)) for s in block.samples], dtype=np.uint64),
        ),
    }
    wrong = [name for name, agrees in agreements.items() if not agrees]
    if wrong:
        raise CorruptBlock(f"{block.path} is foreign: it has other {', '.join(wrong)}")


def same_payload(left: Block, row: int, right: Block, other_row: int) -> bool:
    """Equal bits; to 1e-10 where one of the samples was shared by several ranks."""
    shared = any(block.attributes.get("ranks_per_sample", 1) != 1 for block in (left, right))
    tolerance = _SHARED_TOLERANCE if shared else 0.0
    return all(
        np.allclose(
            left.arrays[name][row],
            right.arrays[name][other_row],
            rtol=tolerance,
            atol=tolerance,
            equal_nan=True,
        )
        for name in left.arrays
        if name != "seconds"
    )


def rows_of(block: Block, rows: list[int]) -> Block:
    """Some of the samples of a block."""
    arrays = {name: array[rows] for name, array in block.arrays.items()}
    return Block(block.path, block.samples[rows], block.times, arrays, block.attributes)


def _opened(path: Path) -> h5py.File:
    """A block to read from, in memory.  Raises CorruptBlock when its bytes are not its own."""
    content = _verified_bytes(path)
    try:
        return h5py.File(h5py.h5f.open_file_image(content))
    except (OSError, ValueError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error


def _verified_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableBlock(f"{path} cannot be read: {error}") from error
    if not path.stem.endswith(digest_of(content)):
        raise CorruptBlock(f"{path} is torn or altered: its content does not match its name")
    return content


def digest_of(image: bytes) -> str:
    """What the name of a block ends in."""
    return hashlib.sha256(image).hexdigest()[:_HASH_LETTERS]


def range_of(path: Path) -> tuple[int, int]:
    """[first, stop) as the name of a block says."""
    first, stop, _ = path.stem.split("-")
    return int(first), int(stop)


def block_image(
    study: Study, point: Point, records: list[Record], provenance: dict[str, Any]
) -> bytes:
    """The bytes of a block file."""
    own = study.at(point)
    # In memory: HDF5's own, which is faster than a file object of Python.
    with h5py.File("block", "w", driver="core", backing_store=False, track_order=False) as file:
        root = file["/"].id
        _note(root, "title", f"{study.name}: {point.name}")
        _note(root, "store_format", FORMAT)
        _note(root, "conventions_of_physics", CONVENTIONS)
        _note(root, "study", json.dumps(study.identity(), sort_keys=True))
        _note(root, "study_hash", study.hash())
        _note(root, "model", point.model)
        _note(root, "size", point.size)
        _note(root, "n_sites", point.n_sites)
        for key, parameter in point.parameters:
            _note(root, f"parameter_{key}", parameter)
        for key, change in point.changes:
            _note(root, f"change_{key}", change)
        _note(root, "initial_site", own.initial_site)
        if own.initial_beta is not None:
            _note(root, "initial_beta", own.initial_beta)
        _note(root, "lamb_shift", int(own.lamb_shift))
        _note(root, "bath_type", own.bath_type)
        for key, value in own.bath_parameters:
            _note(root, f"bath_{key}", value)
        for key, fact in provenance.items():
            _note(root, key, fact)

        samples = np.array([record.sample for record in records], dtype=np.int64)
        axes = {
            "sample": _dimension(file, "sample", samples, "index of the disorder sample"),
            "time": _dimension(file, "time", np.array(study.times), "time", "1/J"),
            "word": _dimension(file, "word", np.arange(4), "word of the seed, low to high index"),
        }
        entropy = np.array([record.entropy for record in records], dtype=np.uint64)
        _dataset(file, "seed", entropy, (axes["sample"], axes["word"]))
        seconds = np.array([record.seconds for record in records])
        _dataset(file, "seconds", seconds, (axes["sample"],))
        for name, figure in figures_of(study).items():
            values = np.array([record.figures[name] for record in records])
            _dataset(file, name, values, (axes["sample"],), figure.meaning, figure.unit)
        runs = [record.comparison for record in records if record.comparison is not None]
        if runs:
            _write_runs(file, runs, axes)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _write_runs(file: h5py.File, runs: list[Comparison], axes: Mapping[str, Identifier]) -> None:
    """What was measured in time, and the certificates."""
    nothing = np.full(len(runs[0].times), np.nan)
    merged = [
        nothing if run.trace_distance_merged is None else run.trace_distance_merged for run in runs
    ]
    in_time = {
        "trace_distance": [run.trace_distance for run in runs],
        "trace_distance_merged": merged,
        "smallest_eigenvalue_in_time": [run.smallest_eigenvalue for run in runs],
    }
    for name, rows in in_time.items():
        _dataset(file, name, np.stack(rows), (axes["sample"], axes["time"]))
    for entry in fields(Certificate):
        figures = [getattr(run.certificate, entry.name) for run in runs]
        if entry.name == "clustering":
            codes = np.array([VERDICTS.index(word) for word in figures], dtype=np.int8)
            dataset = _dataset(file, entry.name, codes, (axes["sample"],))
            _note(dataset, "flag_values", np.arange(len(VERDICTS), dtype=np.int8))
            _note(dataset, "flag_meanings", " ".join(VERDICTS))
        else:
            _dataset(file, entry.name, np.array(figures), (axes["sample"],))


# A block has a hundred small things in it.  What h5py does for each of them beside creating it
# takes longer than a stack of tiny samples: all that follows calls HDF5 alone.


def _dimension(
    file: h5py.File, name: str, values: NDArray[Any], meaning: str, unit: str = "1"
) -> Identifier:
    dataset = _create(file, name, values)
    h5py.h5ds.set_scale(dataset, name.encode())
    _note(dataset, "long_name", meaning)
    _note(dataset, "units", unit)
    return dataset


def _dataset(
    file: h5py.File,
    name: str,
    values: NDArray[Any],
    axes: tuple[Identifier, ...],
    meaning: str = "",
    unit: str = "1",
) -> Identifier:
    dataset = _create(file, name, values)
    for index, axis in enumerate(axes):
        h5py.h5ds.attach_scale(dataset, axis, index)
    _note(dataset, "long_name", meaning or _MEANING[name])
    _note(dataset, "units", _UNITS.get(name, unit))
    return dataset


def _create(file: h5py.File, name: str, values: NDArray[Any]) -> Identifier:
    """A contiguous dataset without a time stamp, so that equal content has equal bytes."""
    space = h5py.h5s.create_simple(values.shape)
    identifier = h5py.h5d.create(file.id, name.encode(), _kind(values.dtype), space, _timeless())
    identifier.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))
    return identifier


def _note(place: Identifier, name: str, value: Any) -> None:
    """A new attribute: a text, a number or an array of numbers."""
    if isinstance(value, str):
        h5py.h5a.create(place, name.encode(), _kind(_TEXT), _scalar()).write(
            np.array(value, dtype=_TEXT), mtype=_text_in_memory()
        )
        return
    content = np.asarray(value)
    space = h5py.h5s.create_simple(content.shape) if content.shape else _scalar()
    kind = _kind(content.dtype)
    h5py.h5a.create(place, name.encode(), kind, space).write(content, mtype=kind)


@cache
def _kind(dtype: np.dtype[Any]) -> Identifier:
    return h5py.h5t.py_create(dtype, logical=True)


@cache
def _text_in_memory() -> Identifier:
    return h5py.h5t.py_create(_TEXT)


@cache
def _scalar() -> Identifier:
    return h5py.h5s.create(h5py.h5s.SCALAR)


@cache
def _timeless() -> Identifier:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    return properties
