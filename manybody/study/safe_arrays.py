"""Arrays in files of several formats: nothing in them is run, followed or believed.

NumPy's .npy and .npz, SciPy's sparse .npz, MatrixMarket .mtx, HDF5.  The bytes are judged before
arrays are made of them.
"""

import io
import math
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.system.memory import machine_bytes

COUPLINGS = "couplings"
_SPARSE = {"format", "shape", "data"}
# Raises InputError for a shape that is not wanted.
Check = Callable[[tuple[int, ...]], None]


def read_arrays(
    name: str, content: bytes, wanted: str | None, check: Check
) -> tuple[Any, NDArray[Any] | None]:
    """An array or a sparse matrix, and the array "couplings" where one was wanted by name.

    name: of the file, whose ending says its format, and for errors; wanted: name of the array in
    files of several, None for the only one; check: of its shape, before it is read.  Raises
    InputError that names the file.
    """
    reader = _READERS.get(PurePosixPath(name).suffix.lower())
    if reader is None:
        raise InputError(f"{name}: the name must end in {', '.join(_READERS)}")
    try:
        return reader(content, wanted, check)
    except MemoryError:
        raise
    except InputError as error:
        raise type(error)(f"{name}: {error}") from error
    except Exception as error:  # whatever libraries make of a damaged or hostile file
        raise InputError(f"{name} cannot be read: {type(error).__name__}: {error}") from error


def _read_npy(content: bytes, _wanted: str | None, check: Check) -> tuple[Any, Any]:
    return _checked(_array(content, "the file"), check), None


def _array(content: bytes, what: str) -> NDArray[Any]:
    """An array of numbers in the format of NumPy, whose header says how long it is."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    readers: Mapping[tuple[int, int], Callable[..., Any]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise InputError(f"{what} has the NumPy format {version}: 1.0 or 2.0 is needed")
    shape, is_fortran, dtype = readers[version](stream)
    if dtype.hasobject or dtype.names is not None:
        raise InputError(f"{what} holds objects (dtype {dtype}): only numbers are read")
    wanted, there = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if wanted != there:
        raise InputError(f"{what} has shape {shape} and dtype {dtype}, but {there} bytes of them")
    flat = np.frombuffer(content, dtype, math.prod(shape), stream.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _read_npz(content: bytes, wanted: str | None, check: Check) -> tuple[Any, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def entry(name: str) -> NDArray[Any]:
            info = entries[name]
            _check_bytes(name, info.file_size)
            with archive.open(info) as file:
                return _array(file.read(info.file_size + 1), repr(name))

        couplings = entry(COUPLINGS) if wanted and COUPLINGS in entries else None
        if wanted in entries:
            return _checked(entry(wanted), check), couplings
        if entries.keys() >= _SPARSE:
            parts = {name: entry(name) for name in entries if name != COUPLINGS}
            return _sparse(parts, check), couplings
        if wanted is None:
            return _checked(entry(_only(entries, "arrays")), check), None
        raise _missing(wanted, entries)


def _read_mtx(content: bytes, _wanted: str | None, check: Check) -> tuple[Any, Any]:
    lines = (line for line in io.BytesIO(content) if line.strip())
    banner = next(lines, b"").decode("ascii", "replace").lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"]:
        raise InputError("is not MatrixMarket: the first line must begin %%MatrixMarket matrix")
    sizes = next((line for line in lines if not line.startswith(b"%")), b"").split()
    is_sparse = banner[2] == "coordinate"
    if len(sizes) != (3 if is_sparse else 2) or not all(word.isdigit() for word in sizes):
        raise InputError("the line of sizes is not that of a MatrixMarket matrix")
    rows, columns, *stored = map(int, sizes)
    check((rows, columns))
    # An entry takes a digit and the end of a line at least, and two indices where it is sparse.
    half = banner[4] != "general"
    least = 4 * stored[0] if is_sparse else (rows * (rows - 1) if half else 2 * rows * columns)
    if least > len(content) + 1:
        raise InputError(f"sizes {' '.join(map(str, map(int, sizes)))} do not fit in the file")
    matrix = scipy.io.mmread(io.BytesIO(content))
    return (sp.csr_array(matrix) if sp.issparse(matrix) else np.asarray(matrix)), None


def _read_hdf5(content: bytes, wanted: str | None, check: Check) -> tuple[Any, Any]:
    with h5py.File(h5py.h5f.open_file_image(content)) as file:
        dataset = _only(file, "datasets") if wanted is None else wanted
        node, couplings = _node(file, dataset), None
        if wanted and _has(file, COUPLINGS):
            couplings = _numbers(_node(file, COUPLINGS), COUPLINGS)
        if isinstance(node, h5py.Group):
            if not node.keys() >= _SPARSE:
                raise InputError(f"{dataset!r} is a group without {', '.join(sorted(_SPARSE))}")
            parts = {name: _part(node, name) for name in node}
            return _sparse(parts, check), couplings
        check(node.shape)
        return _numbers(node, dataset), couplings


def _node(file: h5py.Group, path: str) -> Any:
    """What lies at a path of plain links: others may lead to other files."""
    place = file
    for part in path.strip("/").split("/"):
        if not isinstance(place, h5py.Group) or not _has(place, part):
            raise _missing(path, file)
        if place.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise InputError(f"{path!r} is a soft or external link: those are not followed")
        place = place[part]
    return place


def _has(group: h5py.Group, name: str) -> bool:
    """Whether a group has a link of this name, without a look at where it leads."""
    return bool(group.id.links.exists(name.encode()))


def _part(group: h5py.Group, name: str) -> NDArray[Any]:
    node = _node(group, name)
    if name == "format" and isinstance(node, h5py.Dataset) and node.shape == ():
        return np.asarray(node.asstr()[()])
    return _numbers(node, name)


def _numbers(node: Any, name: str) -> NDArray[Any]:
    """The numbers of a dataset that lie in the file itself."""
    if not isinstance(node, h5py.Dataset):
        raise InputError(f"{name!r} is no dataset")
    if node.is_virtual or node.external:
        raise InputError(f"{name!r} lies in another file: such datasets are not followed")
    if node.dtype.kind not in "iufc":
        raise InputError(f"{name!r} has dtype {node.dtype}: only numbers are read")
    _check_bytes(name, math.prod(node.shape) * node.dtype.itemsize)
    values: NDArray[Any] = node[()]
    return np.asarray(values)


def _sparse(parts: Mapping[str, NDArray[Any]], check: Check) -> Any:
    """A sparse matrix from what `scipy.sparse.save_npz` writes: nothing says that indices fit."""
    kind = parts["format"].item()
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    shape = tuple(int(number) for number in parts["shape"].ravel())
    check(shape)
    if kind == "coo":
        places = tuple(np.asarray(parts[name], dtype=np.int64) for name in ("row", "col"))
        return sp.csr_array(sp.coo_array((parts["data"], places), shape=shape))
    if kind not in ("csr", "csc"):
        raise InputError(f"format {kind!r} of a sparse matrix: csr, csc or coo is needed")
    build = {"csr": sp.csr_array, "csc": sp.csc_array}[kind]
    matrix = build((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    return sp.csr_array(matrix)


def _checked(matrix: NDArray[Any], check: Check) -> NDArray[Any]:
    check(matrix.shape)
    return matrix


def _only(names: Iterable[str], what: str) -> str:
    found = sorted(names)
    if len(found) != 1:
        raise InputError(f"holds {len(found)} {what} {found}: one is needed")
    return found[0]


def _check_bytes(name: str, number: int) -> None:
    if number > machine_bytes() / 4.0:
        raise InputError(
            f"{name!r} has {number / 2**30:.3g} GiB, more than a quarter of what this machine has"
        )


def _missing(name: str, there: Iterable[str]) -> InputError:
    names = ", ".join(sorted(map(repr, there))[:20])
    return InputError(f"has no {name!r}, but {names or 'nothing'}: see the key 'dataset'")


_READERS: dict[str, Callable[[bytes, str | None, Check], tuple[Any, Any]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mtx": _read_mtx,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
}
SUFFIXES = tuple(_READERS)
