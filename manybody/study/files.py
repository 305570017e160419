"""Files that a study names beside its own: vectors and matrices, known by their content.

Within a study such a file is the text `file:NAME#DIGEST`, so that its name and its bytes are part
of what the study is; the bytes themselves travel beside it and lie in its store under NAME.
"""

import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import scipy.sparse as sp

from manybody.errors import InputError, InputTypeError

SUFFIXES = (".npy", ".npz", ".mtx", ".h5", ".hdf5")
_MARK, _HASH_LETTERS = "file:", 16


def read_matrix(path: Path) -> Any:
    """The array or SciPy sparse matrix in a file of one of `SUFFIXES`; see `matrix_in`."""
    return matrix_in(path.name, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """The content of a file.  Raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"file {path.name!r} cannot be read: {error.strerror}") from error


def matrix_in(name: str, content: bytes) -> Any:
    """The one array or SciPy sparse matrix in the bytes of a file; numbers alone, no objects.

    name: of the file, whose suffix says its format: .npy, .npz (NumPy's with one array, or
    SciPy's sparse), .mtx (MatrixMarket), .h5 and .hdf5 (one dataset at the root).
    Raises InputError for another suffix, and for what does not parse.
    """
    reader = _READERS.get(PurePosixPath(name).suffix.lower())
    if reader is None:
        raise InputError(f"file {name!r}: must end in one of {', '.join(SUFFIXES)}")
    try:
        return reader(io.BytesIO(content))
    except InputError as error:
        raise InputError(f"file {name!r} {error}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"file {name!r} holds no such matrix: {error}") from error


def _from_numpy(file: io.BytesIO) -> Any:
    """One array, or what scipy.sparse.save_npz wrote; pickled objects are refused."""
    loaded = np.load(file, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if {"format", "shape", "data"} <= {*loaded.files}:
            file.seek(0)
            return sp.load_npz(file)
        return loaded[_only(loaded.files, "arrays")]


def _from_matrix_market(file: io.BytesIO) -> Any:
    from scipy.io import mmread  # of no use to other studies

    return mmread(file)


def _from_hdf5(file: io.BytesIO) -> Any:
    with h5py.File(file) as opened:
        found = opened[_only(opened, "datasets")]
        if not isinstance(found, h5py.Dataset):
            raise InputError("holds a group: one dataset at the root is needed")
        return found[()]


def _only(names: Iterable[str], what: str) -> str:
    found = sorted(names)
    if len(found) != 1:
        raise InputError(f"holds {len(found)} {what} {found}: one is needed")
    return found[0]


_READERS = {
    ".npy": _from_numpy,
    ".npz": _from_numpy,
    ".mtx": _from_matrix_market,
    ".h5": _from_hdf5,
    ".hdf5": _from_hdf5,
}


def file_text(where: str, value: object) -> str:
    """The text of a file that a study names, before anybody has looked at its content.

    Raises TypeError or ValueError for a name that is no relative path within the study's folder.
    """
    if not isinstance(value, str):
        raise InputTypeError(f"{where} = {value!r}: the name of a file is needed")
    path = PurePosixPath(value)
    is_inside = value and not path.is_absolute() and ".." not in path.parts and path.parts
    if not is_inside or "#" in value or "\\" in value or "\0" in value:
        raise InputError(
            f"{where} = {value!r}: must be a path within the study's folder, without '..' and '#'"
        )
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{where} = {value!r}: must end in one of {', '.join(SUFFIXES)}")
    return f"{_MARK}{path}"


def is_file(text: object) -> bool:
    """Whether a text of a study stands for a file."""
    return isinstance(text, str) and text.startswith(_MARK)


def name_of(text: str) -> str:
    """The name of the file that a text stands for; of any other text itself."""
    return text.removeprefix(_MARK).partition("#")[0] if is_file(text) else text


def named_text(text: str) -> tuple[str, str]:
    """Name and text of what a study names, NAME=TEXT or a text that is its own name."""
    name, _, rest = text.partition("=")
    return name, rest or name


def with_digest(text: str, content: bytes) -> str:
    """The text of a file with these bytes."""
    return f"{_MARK}{name_of(text)}#{_digest(content)}"


def check_names(texts: Iterable[str]) -> None:
    """Raise InputError where one name stands for files of different content."""
    known: dict[str, str] = {}
    for text in texts:
        if known.setdefault(name_of(text), text) != text:
            raise InputError(f"file {name_of(text)!r} has changed since the study was begun")


def contents_in(folder: Path, texts: Iterable[str]) -> dict[str, bytes]:
    """Name -> bytes of those files in a folder that are there and are what the texts say."""
    found = {}
    for text in texts:
        path = folder / name_of(text)
        content = path.read_bytes() if path.is_file() else None
        if content is not None and with_digest(text, content) == text:
            found[name_of(text)] = content
    return found


def matrix_of(text: str, contents: Mapping[str, bytes]) -> Any:
    """The matrix that a text stands for.  Raises InputError where its file is not at hand."""
    name = name_of(text)
    if name not in contents:
        raise InputError(
            f"file {name!r} of the study is missing, or not the one that the study was begun with"
        )
    return matrix_in(name, contents[name])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_HASH_LETTERS]
