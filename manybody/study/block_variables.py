"""What the variables of a block are called, and one of them at a time.

Names, axes and meanings are those that the file has, so that whatever a version writes is found;
blocks of the first format are read with the axes of today.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from manybody.study.block_files import CorruptBlock, opened, values_of
from manybody.study.configuration import TRACE_DISTANCE

# The two equations of a block that does not name any.
_FIRST = ("redfield", "davies")
_RESIDUAL = "gibbs_residual"
_RESIDUALS = tuple(f"{name}_gibbs_residual" for name in _FIRST)
_PAIRED = (TRACE_DISTANCE, f"{TRACE_DISTANCE}_merged")
_LOWEST = "smallest_eigenvalue_in_time"
_FACTS = (
    *("title", "conventions_of_physics", "study", "study_hash", "model", "size", "n_sites"),
    *("model_source", "coupled_sites", "lamb_shift"),
)
_PREFIXES = ("parameter_", "change_", "initial_", "bath_")


@dataclass(frozen=True, eq=False)
class Variable:
    """axes: names, "sample" first; shape, dtype: in this block; attributes: meaning and units."""

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class BlockContents:
    """What the samples of a block have in common.

    variables: by name; coordinates: of all axes but "sample" by name, with their attributes;
    attributes: what was computed, and conventions.
    """

    variables: Mapping[str, Variable]
    coordinates: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]]
    attributes: Mapping[str, Any]


def block_contents(path: Path) -> BlockContents:
    """What is in a block that was checked already.  Raises CorruptBlock."""
    try:
        with opened(path) as file:
            facts = {name: value for name, value in file.attrs.items() if _is_of_study(name)}
            return BlockContents(_variables(file), _coordinates(file), facts)
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error


def has_variable(datasets: Collection[str], name: str) -> bool:
    """Whether a block of these datasets has a variable of a name of today."""
    return name in datasets or (name == _RESIDUAL and {*_RESIDUALS} <= {*datasets})


def _is_of_study(name: str) -> bool:
    """Whether an attribute is the same in all blocks of a point, wherever they were computed."""
    return name in _FACTS or name.startswith(_PREFIXES)


def read_variable(path: Path, name: str) -> NDArray[Any]:
    """One variable of all samples of a block, with the axes that `block_contents` says."""
    with opened(path) as file:
        if name in file:
            return values_in(file, name)
        return np.stack([values_of(file[each]) for each in _RESIDUALS], axis=1)


def values_in(file: h5py.File, name: str) -> NDArray[Any]:
    """A dataset of an opened block with the axes of today."""
    values: NDArray[Any] = values_of(file[name])
    if "equation" not in file and name in _PAIRED:
        return values[:, None]
    if "equation" not in file and name == _LOWEST:
        # It was of Redfield alone: Davies has none.
        return np.stack([values, np.full_like(values, np.nan)], axis=1)
    return values


def _variables(file: h5py.File) -> dict[str, Variable]:
    found = {
        name: Variable(_axes(dataset), dataset.shape, dataset.dtype, _notes(dataset))
        for name, dataset in file.items()
        if not dataset.is_scale
    }
    if "equation" in file or TRACE_DISTANCE not in found:
        return found
    for name in _PAIRED:
        found[name] = _with_axis(found[name], "pair", 1)
    found[_LOWEST] = _with_axis(found[_LOWEST], "equation", len(_FIRST))
    residual = found.pop(_RESIDUALS[0])
    found.pop(_RESIDUALS[1])
    found[_RESIDUAL] = _with_axis(residual, "equation", len(_FIRST))
    return found


def _with_axis(variable: Variable, name: str, length: int) -> Variable:
    """With another axis after that of the samples."""
    axes, shape = variable.axes, variable.shape
    return Variable(
        (axes[0], name, *axes[1:]),
        (shape[0], length, *shape[1:]),
        variable.dtype,
        variable.attributes,
    )


def _coordinates(file: h5py.File) -> dict[str, tuple[NDArray[Any], Mapping[str, Any]]]:
    found: dict[str, tuple[NDArray[Any], Mapping[str, Any]]] = {
        name: (_values(dataset), _notes(dataset))
        for name, dataset in file.items()
        if dataset.is_scale and name != "sample"
    }
    if "equation" not in file and TRACE_DISTANCE in file:
        found["pair"] = np.array([":".join(_FIRST)]), {"long_name": "names of two equations"}
        found["equation"] = np.array(_FIRST), {"long_name": "name of a master equation"}
    return found


def _values(dataset: h5py.Dataset) -> NDArray[Any]:
    if h5py.check_string_dtype(dataset.dtype) is None:
        return np.asarray(values_of(dataset))
    return np.array(dataset.asstr()[()], dtype=str)


def _axes(dataset: h5py.Dataset) -> tuple[str, ...]:
    return tuple(scale.keys()[0] for scale in dataset.dims)


def _notes(dataset: h5py.Dataset) -> dict[str, Any]:
    """What is for people and for xarray; the rest is how HDF5 ties axes to datasets."""
    names = ("long_name", "units", "flag_values", "flag_meanings")
    return {name: dataset.attrs[name] for name in names if name in dataset.attrs}
