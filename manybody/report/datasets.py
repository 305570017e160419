"""What a store holds as xarray Datasets, read from its blocks when somebody looks."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.physics import arguments
from manybody.solve.datasets import load_xarray
from manybody.study.block_variables import block_contents, has_variable, read_variable
from manybody.study.blocks import Block, CorruptBlock, check_block
from manybody.study.configuration import Point, Study
from manybody.study.regions import trait_of
from manybody.study.status import PointStatus, point_statuses
from manybody.study.store import Store

if TYPE_CHECKING:
    import xarray


def open_store(directory: str | Path) -> "StoreDatasets":
    """A Dataset for every model and size of a store, whose arrays are read when they are used.

    Parameters
    ----------
    directory : str or Path
        Of a store of disorder samples, finished or not.

    Returns
    -------
    StoreDatasets
        Datasets by the names of the folders.

    Raises
    ------
    InputError
        There is no such store.
    Unavailable
        There is no xarray.

    Notes
    -----
    Dimensions are sample, time, pair (of equations, "redfield:davies"), equation, site; every
    variable says what it means and in which unit, and the attributes say what was computed, how
    many samples are missing (`missing_samples`) and what was left out (`problems`).
    `Dataset.load` keeps what was read.

    Examples
    --------
    >>> import tempfile
    >>> import manybody as mb
    >>> study = {
    ...     "name": "own",
    ...     "seed": 7,
    ...     "samples": 2,
    ...     "times": {"start": 0.0, "stop": 10.0, "count": 3},
    ...     "bath": {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0},
    ...     "systems": [{"model": "dirac_syk2", "n_sites": [4]}],
    ... }
    >>> with tempfile.TemporaryDirectory() as results:
    ...     _ = mb.run_study(study, results, report=False)
    ...     data = mb.open_store(results)
    ...     mean = data.only(size=4).trace_distance.mean("sample").load()
    >>> mean.dims
    ('pair', 'time')
    """
    load_xarray()
    return StoreDatasets(Store(arguments.path("directory", directory)))


class StoreDatasets(Mapping[str, "xarray.Dataset"]):
    """Datasets of the points of a store that have samples, by the names of their folders.

    `open_store` and `run_study` make them.

    Parameters
    ----------
    store : Store
        Finished or not.

    Attributes
    ----------
    directory : Path
        Of the store.

    Examples
    --------
    >>> import tempfile
    >>> import manybody as mb
    >>> study = {
    ...     "name": "own",
    ...     "seed": 7,
    ...     "samples": 2,
    ...     "times": {"start": 0.0, "stop": 10.0, "count": 3},
    ...     "bath": {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0},
    ...     "systems": [{"model": "dirac_syk2", "n_sites": [4]}],
    ... }
    >>> with tempfile.TemporaryDirectory() as results:
    ...     data = mb.run_study(study, results, report=False)
    ...     [*data], data.missing, data.failed
    (['dirac_syk2-coupling=1.0-n_sites=4'], 0, 0)
    """

    def __init__(self, store: Store) -> None:
        self.directory = store.directory
        self._store, self._study = store, store.study
        points = [point for system in self._study.systems for point in system.points]
        self._points = {point.name: point for point in points if store.block_paths(point)}
        self._opened: dict[str, xarray.Dataset] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # What travels is where the store lies.
        return open_store, (self.directory,)

    def __repr__(self) -> str:
        lines = [f"<{self._study.name} in {str(self.directory)!r}, {len(self)} Datasets>"]
        return "\n".join([*lines, *(f"  {name}" for name in self)])

    def __getitem__(self, name: str) -> "xarray.Dataset":
        if name not in self._opened:
            self._opened[name] = _dataset(self._store, self._study, self._points[name])
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)

    def only(self, **facts: Any) -> "xarray.Dataset":
        """The Dataset of the one point of which all this is true.

        Parameters
        ----------
        **facts : object
            model, size, n_sites, dimension, parameters or changes, `size=8, disorder=5.0` say.

        Returns
        -------
        xarray.Dataset
            Of that model and size.

        Raises
        ------
        InputError
            None or several are such points.
        """
        found = [name for name, point in self._points.items() if _agrees(point, facts)]
        if len(found) == 1:
            return self[found[0]]
        what = "several points are" if found else "no point is"
        words = ", ".join(f"{key} = {value!r}" for key, value in facts.items())
        raise InputError(f"{what} of {words or 'this store'}: {', '.join(found or self)}")

    @cached_property
    def _statuses(self) -> Sequence[PointStatus[Point]]:
        return point_statuses(self._store)

    @property
    def missing(self) -> int:
        """Samples that the study asks for and nobody has finished, when this was first asked."""
        return sum(status.missing + status.running for status in self._statuses)

    @property
    def failed(self) -> int:
        """Samples that raised an error, when this was first asked."""
        return sum(status.failed for status in self._statuses)


def _agrees(point: Point, facts: Mapping[str, Any]) -> bool:
    own = {
        "model": point.model,
        "size": point.size,
        "n_sites": point.n_sites,
        "dimension": point.dimension,
        **point.traits,
    }
    return all(trait_of(own, key) == value for key, value in facts.items())


# Blocks, and which rows of each count.
Rows = Sequence[tuple[Block, NDArray[np.intp]]]


def _dataset(store: Store, study: Study, point: Point) -> "xarray.Dataset":
    rows, problems = _rows(store, study, point)
    counts = [system.counts[point.size] for system in study.systems if point in system.points]
    notes = {
        "missing_samples": max(0, max(counts) - sum(len(own) for _, own in rows)),
        "problems": "\n".join(problems),
    }
    return _build(rows, notes)


def _rows(store: Store, study: Study, point: Point) -> tuple[Rows, list[str]]:
    """Blocks of a point and the rows of each that count; as `Store.read` says where two overlap.

    Raises InputError where no block is whole.
    """
    contents, problems = {}, []
    for path in store.block_paths(point):
        try:
            contents[path] = check_block(path, study, point)
        except CorruptBlock as error:
            problems.append(str(error))
    chosen = {path: np.arange(len(block.samples)) for path, block in contents.items()}
    every = [int(sample) for block in contents.values() for sample in block.samples]
    if len(set(every)) < len(every):
        blocks, problems = store.read(study, point)
        chosen = {
            block.path: np.searchsorted(contents[block.path].samples, block.samples)
            for block in blocks
        }
    if not chosen:
        raise InputError(f"{point.name}: no block of it is whole: {'; '.join(problems)}")
    return [(contents[path], rows) for path, rows in chosen.items()], problems


def _build(rows: Rows, notes: Mapping[str, Any]) -> "xarray.Dataset":
    from xarray.core.indexing import LazilyIndexedArray

    from manybody.report.lazy_arrays import BlockArray

    package = load_xarray()
    samples = np.concatenate([block.samples[own] for block, own in rows])
    # By sample index, whatever the order of blocks.
    order = np.argsort(samples)
    first = block_contents(rows[0][0].path)
    held = [block.datasets for block, _ in rows]
    names = [name for name in first.variables if all(has_variable(own, name) for own in held)]
    places = [(block.path, own) for block, own in rows]

    def read(name: str) -> Any:
        variable = first.variables[name]
        array = BlockArray(places, order, variable.shape[1:], variable.dtype, partial(_read, name))
        return variable.axes, LazilyIndexedArray(array), dict(variable.attributes)

    meaning = {"long_name": "index of the disorder sample", "units": "1"}
    coordinates = {"sample": (("sample",), samples[order], meaning)}
    coordinates |= {
        name: ((name,), values, dict(words)) for name, (values, words) in first.coordinates.items()
    }
    found: xarray.Dataset = package.Dataset(
        {name: package.Variable(*read(name)) for name in names},
        coordinates,
        {**first.attributes, **notes},
    )
    return found


def _read(name: str, path: Any) -> Any:
    # A function of the module: arrays not yet read travel between processes.
    return read_variable(path, name)
