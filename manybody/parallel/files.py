"""Files that are whole or absent, whatever dies; the parts of a store that know no physics."""

import contextlib
import fcntl
import fnmatch
import hashlib
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPORARY = re.compile(r"\.(.+)\.(\d+)\.[0-9a-f]{32}\.tmp")


# Others may remove a folder that they find empty, and what they take for an orphan.
_ATTEMPTS = 20


def write_atomically(path: Path, content: bytes) -> None:
    """Temporary file, sync, rename, sync of the folder: the name appears last."""
    write_pieces(path.parent, [content], lambda _: path.name)


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Several files of a folder that is made if needed, all or none; the last name comes last.

    Only a crash while they are renamed leaves some of them.
    """
    temporaries = {name: _temporary(folder) for name in contents}
    make_folder(folder)
    try:
        for name, temporary in temporaries.items():
            _write(temporary, [contents[name]])
        for name, temporary in temporaries.items():
            os.replace(temporary, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            for temporary in temporaries.values():
                temporary.unlink(missing_ok=True)
            folder.rmdir()
        raise
    sync_folder(folder)


def write_pieces(
    folder: Path, pieces: Sequence[Any], name_of: Callable[[str], str], attempts: int = _ATTEMPTS
) -> Path:
    """Bytes, piece by piece, as one file of a folder that is made if needed; its path.

    name_of: the name of the file, from the hexadecimal SHA-256 of its bytes.
    """
    temporary = _temporary(folder)
    try:
        make_folder(folder)
        path = folder / name_of(_write(temporary, pieces))
        os.replace(temporary, path)
    except FileNotFoundError:
        if attempts == 1:
            raise
        return write_pieces(folder, pieces, name_of, attempts - 1)
    except BaseException:
        # What is said is what came first; the next run removes what stays.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return path


def _temporary(folder: Path) -> Path:
    """A name that nobody has, and that says whose it is."""
    return folder / f".{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}.tmp"


def _write(path: Path, pieces: Sequence[Any]) -> str:
    """Write a new file and sync it; the hexadecimal SHA-256 of its bytes."""
    digest = hashlib.sha256()
    with open(path, "xb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """A folder and those above it, with names that survive a crash of the machine."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the folder against other processes, where the file system knows locks."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # Some network file systems refuse; the lock only guards simultaneous extensions.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def listed(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder by name, none where it is gone: others remove folders that are empty.

    Any other trouble is raised: a folder that cannot be listed for a while is not empty, and
    pathlib's own search passes over some of them in silence.
    """
    try:
        names = fnmatch.filter(os.listdir(folder), pattern)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in sorted(names)]


def remove_orphans(directory: Path) -> None:
    """Delete temporary files of processes of this machine that are gone."""
    # A walk goes on where a folder vanishes or cannot be listed.
    for folder, _, names in os.walk(directory):
        for name in names:
            match = TEMPORARY.fullmatch(name)
            if match and match[1] == socket.gethostname() and not process_is_alive(int(match[2])):
                Path(folder, name).unlink(missing_ok=True)


def process_is_alive(pid: int) -> bool:
    """Whether a process of this machine exists and may still do something."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A killed process exists until its parent asks for it, in some containers for ever.
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[:1] not in (["Z"], ["X"])
    return True
