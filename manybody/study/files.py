"""Files that are whole or absent, whatever dies; the parts of a store that know no physics."""

import contextlib
import fcntl
import os
import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = re.compile(r"\.(.+)\.(\d+)\.[0-9a-f]{32}\.tmp")


def write_atomically(path: Path, content: bytes) -> None:
    """Temporary file, sync, rename, sync of the folders: the name appears last."""
    owner = f"{socket.gethostname()}.{os.getpid()}"
    temporary = path.with_name(f".{owner}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folders(path.parent)


def sync_folders(folder: Path) -> None:
    """Make new names in a folder, and its own, survive a crash of the machine."""
    for parent in (folder, folder.parent):
        descriptor = os.open(parent, os.O_RDONLY)
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


def remove_orphans(directory: Path) -> None:
    """Delete temporary files of processes of this machine that are gone."""
    for path in directory.rglob(".*.tmp"):
        match = TEMPORARY.fullmatch(path.name)
        if match and match[1] == socket.gethostname() and not process_is_alive(int(match[2])):
            path.unlink(missing_ok=True)


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
