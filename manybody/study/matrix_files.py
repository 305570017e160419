"""Matrices in files that a study names: nothing in them is run, followed or believed.

NumPy's .npy and .npz, SciPy's sparse .npz, MatrixMarket .mtx, HDF5.  Files are read whole, known
by the SHA-256 of their bytes and judged before arrays are made of them.
"""

import hashlib
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.errors import InputError, Unavailable
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.protocol import Model
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.system.memory import machine_bytes

# More can be no part of any study: ρ alone would have 160 GB.
MOST_STATES = 100_000
COUPLINGS = "couplings"
_SPARSE = {"format", "shape", "data"}
# SHA-256 of what this process may read -> where it lies.
_PLACES: dict[str, Path] = {}


def find_files(folder: Path, wanted: Sequence[str]) -> list[str]:
    """Paths under a folder: those named, and those that patterns match in the order of numbers.

    "m-2.npz" comes before "m-10.npz".  Raises InputError for what is no file, and for a pattern
    without any.
    """
    found: list[str] = []
    for each in wanted:
        if any(mark in each for mark in "*?["):
            matches = [path.relative_to(folder).as_posix() for path in folder.glob(each)]
            matches = sorted(filter(lambda name: (folder / name).is_file(), matches), key=_order)
            if not matches:
                raise InputError(f"files = {each!r}: no file in {str(folder)!r} has such a name")
            found += matches
        elif (folder / each).is_file():
            found.append(each)
        else:
            raise InputError(f"files = {each!r}: no such file in {str(folder)!r}")
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise InputError(f"files: {twice[0]!r} is named more than once")
    return found


def _order(name: str) -> list[tuple[int, int, str]]:
    """Numbers in names as numbers."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def keep_place(digest: str, path: Path) -> None:
    """Remember where a file lies, of which nothing is believed when it is read."""
    _PLACES[digest] = path


def read_sample(digest: str, dataset: str, coupled_sites: tuple[int, ...] | None) -> Model:
    """The model in the file of this content.

    Raises Unavailable where nobody said where it lies, InputError where it has changed.
    """
    if digest not in _PLACES:
        raise Unavailable(
            f"the file of content {digest[:16]}... was not looked for: --models FOLDER"
        )
    path = _PLACES[digest]
    content = content_of(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{path} has changed: it is another matrix than that of the study")
    return read_model(path, content, dataset, coupled_sites)


def content_of(path: Path) -> bytes:
    """All bytes of a file.  Raises InputError."""
    try:
        if path.stat().st_size > machine_bytes():
            raise InputError(f"{path} is larger than the memory of this machine")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def read_model(
    path: Path, content: bytes, dataset: str, coupled_sites: tuple[int, ...] | None
) -> Model:
    """One particle, or many where the file has couplings.

    path: for its ending and for errors; content: its bytes; dataset: the name of the Hamiltonian
    in files of several arrays, beside which "couplings" may lie: (baths, D) diagonals or
    (baths, D, D).  Raises InputError that names the file.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: the name must end in {', '.join(_READERS)}")
    try:
        hamiltonian, couplings = reader(content, dataset)
        if couplings is None:
            return SingleParticleModel(hamiltonian, coupled_sites, name=path.name)
        if coupled_sites is not None:
            raise InputError("coupled_sites: are of one particle, this file has couplings")
        several = couplings if couplings.ndim == 2 else list(couplings)
        return ManyBodyModel(hamiltonian, several, name=path.name)
    except MemoryError:
        raise
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error
    except Exception as error:  # whatever libraries make of a damaged or hostile file
        raise InputError(f"{path} cannot be read: {type(error).__name__}: {error}") from error


def _read_npy(content: bytes, _dataset: str) -> tuple[Any, Any]:
    return _array(content, "the file"), None


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


def _read_npz(content: bytes, dataset: str) -> tuple[Any, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def entry(name: str) -> NDArray[Any]:
            info = entries[name]
            _check_bytes(name, info.file_size)
            with archive.open(info) as file:
                return _array(file.read(info.file_size + 1), repr(name))

        couplings = entry(COUPLINGS) if COUPLINGS in entries else None
        if dataset in entries:
            return _checked(entry(dataset)), couplings
        if entries.keys() >= _SPARSE:
            return _sparse({name: entry(name) for name in entries if name != COUPLINGS}), couplings
        raise _missing(dataset, entries)


def _read_mtx(content: bytes, _dataset: str) -> tuple[Any, Any]:
    lines = (line for line in io.BytesIO(content) if line.strip())
    banner = next(lines, b"").decode("ascii", "replace").lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"]:
        raise InputError("is not MatrixMarket: the first line must begin %%MatrixMarket matrix")
    sizes = next((line for line in lines if not line.startswith(b"%")), b"").split()
    is_sparse = banner[2] == "coordinate"
    if len(sizes) != (3 if is_sparse else 2) or not all(word.isdigit() for word in sizes):
        raise InputError("the line of sizes is not that of a MatrixMarket matrix")
    rows, columns, *stored = map(int, sizes)
    _check_shape((rows, columns))
    # An entry takes a digit and the end of a line at least, and two indices where it is sparse.
    half = banner[4] != "general"
    least = 4 * stored[0] if is_sparse else (rows * (rows - 1) if half else 2 * rows * columns)
    if least > len(content) + 1:
        raise InputError(f"sizes {' '.join(map(str, map(int, sizes)))} do not fit in the file")
    matrix = scipy.io.mmread(io.BytesIO(content))
    return (sp.csr_array(matrix) if sp.issparse(matrix) else np.asarray(matrix)), None


def _read_hdf5(content: bytes, dataset: str) -> tuple[Any, Any]:
    with h5py.File(h5py.h5f.open_file_image(content)) as file:
        node, couplings = _node(file, dataset), None
        if _has(file, COUPLINGS):
            couplings = _numbers(_node(file, COUPLINGS), COUPLINGS)
        if isinstance(node, h5py.Group):
            if not node.keys() >= _SPARSE:
                raise InputError(f"{dataset!r} is a group without {', '.join(sorted(_SPARSE))}")
            parts = {name: _part(node, name) for name in node}
            return _sparse(parts), couplings
        _check_shape(node.shape)
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


def _sparse(parts: Mapping[str, NDArray[Any]]) -> Any:
    """A sparse matrix from what `scipy.sparse.save_npz` writes: nothing says that indices fit."""
    kind = parts["format"].item()
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    shape = tuple(int(number) for number in parts["shape"].ravel())
    _check_shape(shape)
    if kind == "coo":
        places = tuple(np.asarray(parts[name], dtype=np.int64) for name in ("row", "col"))
        return sp.csr_array(sp.coo_array((parts["data"], places), shape=shape))
    if kind not in ("csr", "csc"):
        raise InputError(f"format {kind!r} of a sparse matrix: csr, csc or coo is needed")
    build = {"csr": sp.csr_array, "csc": sp.csc_array}[kind]
    matrix = build((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    return sp.csr_array(matrix)


def _checked(matrix: NDArray[Any]) -> NDArray[Any]:
    _check_shape(matrix.shape)
    return matrix


def _check_shape(shape: tuple[int, ...]) -> None:
    """Raise InputError for what is not square, and for more states than can be."""
    if len(shape) != 2 or shape[0] != shape[1] or not 1 <= shape[0] <= MOST_STATES:
        raise InputError(
            f"hamiltonian has shape {shape}: must be (D, D) with D from 1 to {MOST_STATES}"
        )


def _check_bytes(name: str, number: int) -> None:
    if number > machine_bytes() / 4.0:
        raise InputError(
            f"{name!r} has {number / 2**30:.3g} GiB, more than a quarter of what this machine has"
        )


def _missing(name: str, there: Iterable[str]) -> InputError:
    names = ", ".join(sorted(map(repr, there))[:20])
    return InputError(f"has no {name!r}, but {names or 'nothing'}: see the key 'dataset'")


_READERS: dict[str, Callable[[bytes, str], tuple[Any, Any]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mtx": _read_mtx,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
}
