"""A block of samples of one point as bytes: an HDF5 image, and what makes one trustworthy."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from manybody.physics.quantities.certificates import Certificate
from manybody.physics.quantities.expectations import Expectation
from manybody.physics.quantities.local_figures import LocalFigures
from manybody.physics.spectra import VERDICTS
from manybody.solve.comparison import Comparison, pairs_of
from manybody.solve.local import OF_EQUATION, OF_PAIR
from manybody.solve.meanings import CONVENTIONS, MEANINGS, UNITS
from manybody.solve.observables.registry import figures_of
from manybody.study.configuration import TRACE_DISTANCE, Point, Study, strict_json
from manybody.study.migrations import FORMAT, READERS, hash_in

# HDF5's handle of anything.
Identifier = Any

_HASH_LETTERS = 16
_TEXT = h5py.string_dtype()
# Distances of every pair in what is read of a block.
OF_PAIRS = f"{TRACE_DISTANCE}_of_pairs"
# Smallest eigenvalues of every equation in what is read of a block.
OF_EQUATIONS = "smallest_eigenvalue_of_equations"
# Before the name of an expectation value in its dataset, and of what counts its components.
EXPECTATION, COMPONENT = "expectation_", "component_"
# Datasets that count something.
_AXES = ("sample", "time", "word", "pair", "equation", "site")
# Attributes that say where a block belongs, beside those of its parameters.
_FACTS = ("store_format", "study_hash", "model", "size", "model_source", "coupled_sites")
# To which a sample agrees with itself whatever the number of ranks that share it.
_SHARED_TOLERANCE = 1e-10


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

    samples: (n,) indices; arrays: everything measured, sample axis first, by the names of
    `_by_name` whatever the format of the file; datasets: names in the file; attributes:
    provenance and conventions.
    """

    path: Path
    samples: NDArray[np.int64]
    times: NDArray[np.float64]
    arrays: dict[str, NDArray[Any]]
    datasets: frozenset[str]
    attributes: dict[str, Any]

    @property
    def store_format(self) -> int:
        """Format that the file was written in, 0 for none."""
        return int(self.attributes.get("store_format", 0))


class CorruptBlock(ValueError):
    """A file whose bytes do not belong to its name, or whose content does not parse."""


class UnreadableBlock(CorruptBlock):
    """A file that the system does not give out: it may be whole, and readable tomorrow."""


def read_block(path: Path) -> Block:
    """Read one block file.  Raises CorruptBlock naming the file."""
    try:
        with opened(path) as file:
            given = {
                name: dataset[()]
                for name, dataset in file.items()
                if name not in _AXES and not name.startswith(COMPONENT)
            }
            samples, times = file["sample"][()], file["time"][()]
            attributes = dict(file.attrs.items())
            names = ("redfield", "davies")
            if "equation" in file:
                names = tuple(file["equation"].asstr()[()])
            arrays = _by_name(given, names, len(samples))
            return Block(path, samples, times, arrays, frozenset(given), attributes)
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error


def _by_name(
    given: dict[str, NDArray[Any]], equations: tuple[str, ...], n_samples: int
) -> dict[str, NDArray[Any]]:
    """Arrays of a block of any format by the names of today.

    Those of a format without equations are of two.  trace_distance, trace_distance_merged:
    (n, T) of the first pair, with "_of_pairs" (n, P, T) of all in the order of
    `pairs_of`; smallest_eigenvalue_in_time: (n, T) over the equations, with "_of_equations"
    (n, E, T) of each, nan where it guarantees positivity; <equation>_gibbs_residual: (n,) each.
    """
    arrays = dict(given)
    if TRACE_DISTANCE not in given:
        return arrays
    for name in (TRACE_DISTANCE, "trace_distance_merged"):
        values = arrays[name] if arrays[name].ndim == 3 else arrays[name][:, None]
        arrays[f"{name}_of_pairs"], arrays[name] = values, values[:, 0]
    lowest = arrays["smallest_eigenvalue_in_time"]
    if lowest.ndim == 2:
        # Of Redfield: Davies has none.
        lowest = np.stack([lowest, np.full_like(lowest, np.nan)], axis=1)
    arrays[OF_EQUATIONS] = lowest
    lowest = np.fmin.reduce(lowest, axis=1)
    arrays["smallest_eigenvalue_in_time"] = np.where(np.isnan(lowest), np.inf, lowest)
    residuals = arrays.pop("gibbs_residual", None)
    if residuals is not None:
        for name, values in zip(equations, residuals.T):
            arrays[f"{name}_gibbs_residual"] = values
    for entry in fields(Certificate):
        # A figure that this block is too old to have.
        if entry.default is not MISSING and entry.name not in arrays:
            arrays[entry.name] = np.full(n_samples, entry.default)
    return arrays


def check_block(path: Path, study: Study, point: Point) -> Block:
    """A block without what was measured.

    Raises CorruptBlock unless it is whole and holds what its name and folder promise.  All bytes
    are verified, but little is taken out of them: a run looks through its store in this way
    before it begins.
    """
    try:
        with opened(path) as file:
            facts = {
                name: file.attrs[name]
                for name in file.attrs
                if name in _FACTS or name.startswith(("parameter_", "change_"))
            }
            samples, times = file["sample"][()], file["time"][()]
            seeds = {"seed": file["seed"][()]}
            block = Block(path, samples, times, seeds, frozenset(file), facts)
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error
    check_belongs(block, study, point)
    return block


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
    expected = set(figures_of(study.observables))
    if study.evolves:
        # Figures with a default came later; older blocks do not have them.
        expected |= {e.name for e in fields(Certificate) if e.default is MISSING}
        expected |= {TRACE_DISTANCE}
        expected |= {EXPECTATION + name for name in study.expected_names}
        expected -= {"gibbs_residuals"}
    agreements = {
        "store format": block.store_format in READERS,
        "study": facts.get("study_hash") == hash_in(study, block.store_format),
        "model": (facts.get("model"), facts.get("size")) == (point.model, point.size),
        "source": all(facts.get(key, "") == value for key, value in point.origin.items()),
        "parameters": parameters == dict(point.parameters),
        "samples": np.array_equal(block.samples, np.arange(first, stop)),
        "times": np.array_equal(block.times, np.array(study.times)),
        "changes": changes == dict(point.changes),
        "figures": expected <= block.datasets,
        "seeds": np.array_equal(
            block.arrays.get("seed", np.empty(0)),
            np.array([point.entropy(study.seed, int(s)) for s in block.samples], dtype=np.uint64),
        ),
    }
    wrong = [name for name, agrees in agreements.items() if not agrees]
    if wrong:
        raise CorruptBlock(f"{block.path} is foreign: it has other {', '.join(wrong)}")


def same_payload(left: Block, row: int, right: Block, other_row: int) -> bool:
    """Equal bits; to 1e-10 where several ranks shared one of them, or formats differ."""
    shared = any(block.attributes.get("ranks_per_sample", 1) != 1 for block in (left, right))
    shared = shared or left.store_format != right.store_format
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
    return replace(block, samples=block.samples[rows], arrays=arrays)


def opened(path: Path) -> h5py.File:
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
        _note(root, "study", _identity_words(study))
        _note(root, "study_hash", study.hash())
        _note(root, "model", point.model)
        _note(root, "size", point.size)
        _note(root, "n_sites", point.n_sites)
        for key, value in point.origin.items():
            _note(root, key, value)
        for key, parameter in point.parameters:
            _note(root, f"parameter_{key}", parameter)
        for key, change in point.changes:
            _note(root, f"change_{key}", change)
        _note(root, "initial_site", own.initial_site)
        if own.initial_beta is not None:
            _note(root, "initial_beta", own.initial_beta)
        if own.initial_state is not None:
            _note(root, "initial_state", own.initial_state)
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
        for name, figure in figures_of(study.observables).items():
            values = np.array([record.figures[name] for record in records])
            _dataset(file, name, values, (axes["sample"],), figure.meaning, figure.unit)
        runs = [record.comparison for record in records if record.comparison is not None]
        if runs:
            _write_runs(file, runs, axes)
            _write_expectations(file, runs, study.expected, point)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _write_runs(file: h5py.File, runs: list[Comparison], axes: Mapping[str, Identifier]) -> None:
    """What was measured in time, and the certificates."""
    equations = runs[0].equations
    pairs, sample, time = pairs_of(equations), axes["sample"], axes["time"]
    words = np.array([":".join(pair) for pair in pairs], dtype=_TEXT)
    pair = _dimension(file, "pair", words, "names of two equations")
    names = np.array(equations, dtype=_TEXT)
    equation = _dimension(file, "equation", names, "name of a master equation")
    nothing = np.full(len(runs[0].times), np.nan)
    distance = [[run.distance[each] for each in pairs] for run in runs]
    merged = [[run.distance_merged.get(each, nothing) for each in pairs] for run in runs]
    lowest = [[run.smallest_eigenvalues.get(name, nothing) for name in equations] for run in runs]
    residuals = [[run.certificate.gibbs_residuals[name] for name in equations] for run in runs]
    _dataset(file, TRACE_DISTANCE, np.array(distance), (sample, pair, time))
    _dataset(file, "trace_distance_merged", np.array(merged), (sample, pair, time))
    _dataset(file, "smallest_eigenvalue_in_time", np.array(lowest), (sample, equation, time))
    _dataset(file, "gibbs_residual", np.array(residuals), (sample, equation))
    for entry in fields(Certificate):
        if entry.name == "gibbs_residuals":
            continue
        figures = [getattr(run.certificate, entry.name) for run in runs]
        if entry.name == "clustering":
            codes = np.array([VERDICTS.index(word) for word in figures], dtype=np.int8)
            dataset = _dataset(file, entry.name, codes, (sample,))
            _note(dataset, "flag_values", np.arange(len(VERDICTS), dtype=np.int8))
            _note(dataset, "flag_meanings", " ".join(VERDICTS))
        else:
            _dataset(file, entry.name, np.array(figures), (sample,))
    local = [run.local for run in runs if run.local is not None]
    if local:
        _write_local(file, local, equations, (sample, pair, equation, time))


def _write_expectations(
    file: h5py.File, runs: list[Comparison], wanted: Sequence[Expectation], point: Point
) -> None:
    """Expectation values in time, what has components with their labels."""
    axes = {name: h5py.h5d.open(file.id, name.encode()) for name in ("sample", "equation", "time")}
    for each in wanted:
        values = [
            [run.expectation[each.name][equation] for equation in run.equations] for run in runs
        ]
        own, labels = list(axes.values()), each.components(point.places)
        if labels is not None:
            words = np.array(labels, dtype=_TEXT)
            own.append(_dimension(file, COMPONENT + each.name, words, f"part of {each.name}"))
        _dataset(
            file, EXPECTATION + each.name, np.array(values), tuple(own), each.meaning, each.unit
        )


def _write_local(
    file: h5py.File,
    runs: list[LocalFigures],
    equations: Sequence[str],
    axes: tuple[Identifier, Identifier, Identifier, Identifier],
) -> None:
    """What was seen of sites and pairs of sites."""
    sample, pair, equation, time = axes
    for name in OF_PAIR:
        values = [[run.of_pair[each][name] for each in pairs_of(equations)] for run in runs]
        _dataset(file, name, np.array(values), (sample, pair, time))
    for name in OF_EQUATION:
        values = [[run.of_equation[each][name] for each in equations] for run in runs]
        _dataset(file, name, np.array(values), (sample, equation, time))
    density = np.array([[run.of_equation[each]["density"] for each in equations] for run in runs])
    site = _dimension(file, "site", np.arange(density.shape[3]), "index of the site")
    _dataset(file, "density", density, (sample, equation, time, site))


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
    _note(dataset, "long_name", meaning or MEANINGS[name])
    _note(dataset, "units", UNITS.get(name, unit))
    return dataset


def _create(file: h5py.File, name: str, values: NDArray[Any]) -> Identifier:
    """A contiguous dataset without a time stamp, so that equal content has equal bytes."""
    space = h5py.h5s.create_simple(values.shape)
    identifier = h5py.h5d.create(file.id, name.encode(), _kind(values.dtype), space, _timeless())
    memory = _text_in_memory() if values.dtype == _TEXT else None
    identifier.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values), mtype=memory)
    return identifier


def _identity_words(study: Study) -> str:
    """What decides the numbers, as strict JSON."""
    return json.dumps(strict_json(study.identity()), sort_keys=True, allow_nan=False)


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
