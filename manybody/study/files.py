"""Files that a study names beside its own: vectors and matrices, known by their content.

Within a study such a file is the text `file:NAME#DIGEST`, so that its name and its bytes are part
of what the study is; the bytes themselves travel beside it and lie in its store under NAME.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from manybody.errors import InputError, InputTypeError
from manybody.study.safe_arrays import SUFFIXES, read_arrays

_MARK, _HASH_LETTERS = "file:", 16


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
    return read_arrays(name, content, None, _check_state)[0]


def _check_state(shape: tuple[int, ...]) -> None:
    """Raise InputError for what is neither a vector nor a square matrix."""
    is_vector = len(shape) == 1 or (len(shape) == 2 and 1 in shape)
    if not is_vector and not (len(shape) == 2 and shape[0] == shape[1]):
        raise InputError(f"shape {shape}: a vector or a square matrix is needed")


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
        # From a store that somebody has sent, it may be anything.
        file_text("files", name_of(text))
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
