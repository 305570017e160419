"""A block as a file, whatever its kind: an HDF5 image, and the hash by which it is trusted.

A block is built in memory; its name ends in the SHA-256 of its bytes, so a torn file cannot pass
for a block.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

# HDF5's handle of anything.
Identifier = Any

_HASH_LETTERS = 16
# What the kernels of other processors may change of a quantity by rounding, and of one that is
# rounding itself.
ROUNDING, _OF_NOTHING = 1e-11, 1e-13
TEXT = h5py.string_dtype()


class CorruptBlock(ValueError):
    """A file whose bytes do not belong to its name, or whose content does not parse."""


class UnreadableBlock(CorruptBlock):
    """A file that the system does not give out: it may be whole, and readable tomorrow."""


@dataclass(frozen=True, eq=False)
class Variable:
    """One dataset: its values, the names of its axes, what it means and its unit.

    notes: further attributes by name.  An axis has no axes: it counts something.
    """

    values: NDArray[Any]
    axes: tuple[str, ...] = ()
    meaning: str = ""
    unit: str = "1"
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Content:
    """What a block file holds: texts and numbers, axes and datasets, each by name."""

    attributes: Mapping[str, Any]
    axes: Mapping[str, Variable]
    variables: Mapping[str, Variable]


def image_of(content: Content) -> bytes:
    """The bytes of a block file; equal for equal content."""
    # In memory: HDF5's own, which is faster than a file object of Python.
    with h5py.File("block", "w", driver="core", backing_store=False, track_order=False) as file:
        for key, value in content.attributes.items():
            _note(file["/"].id, key, value)
        axes = {}
        for name, axis in content.axes.items():
            axes[name] = _dataset(file, name, axis)
            h5py.h5ds.set_scale(axes[name], name.encode())
        for name, variable in content.variables.items():
            dataset = _dataset(file, name, variable)
            for index, axis_name in enumerate(variable.axes):
                h5py.h5ds.attach_scale(dataset, axes[axis_name], index)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def opened(path: Path) -> h5py.File:
    """A block to read from, in memory.  Raises CorruptBlock when its bytes are not its own."""
    content = _verified_bytes(path)
    try:
        file = h5py.File(h5py.h5f.open_file_image(content))
    except (OSError, ValueError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error
    # A hash is no signature: whoever makes a file can name it.
    for name in file.id:
        if file.id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise CorruptBlock(f"{path} is not a block of this store: {name.decode()!r} is a link")
    return file


def values_of(dataset: h5py.Dataset) -> NDArray[Any]:
    """All of a dataset of an opened block.  Raises KeyError for values that are not in it."""
    if not isinstance(dataset, h5py.Dataset):
        raise KeyError(f"{dataset.name} is no dataset")
    size = dataset.file.id.get_filesize()
    layout = dataset.id.get_create_plist().get_layout()
    inside = layout == h5py.h5d.CONTIGUOUS and not dataset.external
    if not inside or dataset.size * dataset.dtype.itemsize > size:
        raise KeyError(f"the values of {dataset.name} are not in it")
    values: NDArray[Any] = dataset[()]
    return values


def _verified_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableBlock(f"{path} cannot be read: {error}") from error
    if not path.stem.endswith(digest_of(content)):
        raise CorruptBlock(f"{path} is torn or altered: its content does not match its name")
    return content


def is_intact(path: Path) -> bool:
    """Whether there is a block whose content matches its name."""
    try:
        return bool(_verified_bytes(path))
    except CorruptBlock:
        return False


def digest_of(image: bytes) -> str:
    """What the name of a block ends in."""
    return hashlib.sha256(image).hexdigest()[:_HASH_LETTERS]


def range_of(path: Path) -> tuple[int, int]:
    """[first, stop) as the name of a block says."""
    first, stop, _ = path.stem.split("-")
    return int(first), int(stop)


def relative_to_rounding(left: Any, right: Any) -> float:
    """|left − right| in units of what rounding may change, 0 for equal bits, at most 1 for that.

    A quantity is as large as the largest of its values; inf where they do not compare.
    """
    one, other = np.asarray(left), np.asarray(right)
    if one.shape != other.shape:
        return float("inf")
    if np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
        return 0.0
    if {one.dtype.kind, other.dtype.kind} - set("fiu"):
        return float("inf")
    finite = np.isfinite(one) & np.isfinite(other)
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return float("inf")
    one, other = one[finite], other[finite]
    change, size = np.abs(one - other).max(), max(np.abs(one).max(), np.abs(other).max())
    return float(change / (ROUNDING * size + _OF_NOTHING))


# A block has a hundred small things in it.  What h5py does for each of them beside creating it
# takes longer than a stack of tiny samples: all that follows calls HDF5 alone.


def _dataset(file: h5py.File, name: str, variable: Variable) -> Identifier:
    """A contiguous dataset without a time stamp, so that equal content has equal bytes."""
    values = variable.values
    space = h5py.h5s.create_simple(values.shape)
    identifier = h5py.h5d.create(file.id, name.encode(), _kind(values.dtype), space, _timeless())
    memory = _text_in_memory() if values.dtype == TEXT else None
    identifier.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values), mtype=memory)
    notes = {"long_name": variable.meaning, "units": variable.unit, **variable.notes}
    for key, value in notes.items():
        _note(identifier, key, value)
    return identifier


def _note(place: Identifier, name: str, value: Any) -> None:
    """A new attribute: a text, a number or an array of numbers."""
    if isinstance(value, str):
        h5py.h5a.create(place, name.encode(), _kind(TEXT), _scalar()).write(
            np.array(value, dtype=TEXT), mtype=_text_in_memory()
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
    return h5py.h5t.py_create(TEXT)


@cache
def _scalar() -> Identifier:
    return h5py.h5s.create(h5py.h5s.SCALAR)


@cache
def _timeless() -> Identifier:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    return properties
