"""Ranks and jobs share a study through the store: who is working on what, in files.

The communicator takes no part in it, so a rank that is slow or late holds nobody
up, and two jobs on one store share it the way two ranks of one job do.

A claim is a file created exclusively; its owner bumps a counter in it from a
thread.  A claim whose counter stands still on the observer's own monotonic clock
is stale, and so is one whose owner was a process of this machine that is gone.
Claims only save work: two owners of one task do it twice and commit equal numbers.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from pathlib import Path

from manybody.parallel.files import listed, locked, process_is_alive

HEARTBEAT_SECONDS = 5.0
STALE_AFTER_SECONDS = 60.0


class Claims:
    """The claims of one process in one folder.  Use with `with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._owner = f"{_this_machine()} {os.getpid()} {uuid.uuid4().hex}"
        self._held: set[str] = set()
        self._counter = 0
        # name -> (content last seen, when it was first seen)
        self._seen: dict[str, tuple[str, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Claims":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for name in list(self._held):
            self.release(name)
        # The last one out leaves no empty folder behind.
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def acquire(self, name: str) -> bool:
        """True when the task `name` is now ours; takes over a stale claim."""
        path = self._folder / name
        if self._create(path):
            self._held.add(name)
            return True
        content = self.owner_of(name)
        if self._is_stale(name, content):
            # Several may see it stale: it goes as it was seen, not what a faster one put there.
            with locked(self._folder.parent):
                if self.owner_of(name) == content:
                    path.unlink(missing_ok=True)
            if self._create(path):
                self._held.add(name)
                return True
        return False

    def release(self, name: str) -> None:
        """Give up the task `name`, unless somebody has taken it over."""
        self._held.discard(name)
        if self.owner_of(name).startswith(self._owner):
            (self._folder / name).unlink(missing_ok=True)

    def owner_of(self, name: str) -> str:
        """What a claim says: machine, process, token and counter; empty if there is none."""
        try:
            return (self._folder / name).read_text("utf-8", errors="replace")
        except OSError:
            return ""

    def _create(self, path: Path) -> bool:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._create(path)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{self._owner} {self._counter}")
        except BaseException:
            # For one without a name all others would wait until it is stale.
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return True

    def _is_stale(self, name: str, content: str) -> bool:
        # Empty if its owner died, or is, between creating and writing it.
        if _owner_is_dead(content):
            return True
        before = self._seen.get(name)
        now = time.monotonic()
        if before is None or before[0] != content:
            self._seen[name] = (content, now)
            return False
        return now - before[1] > STALE_AFTER_SECONDS

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            self._counter += 1
            for name in list(self._held):
                try:
                    # A process that stood still for long may have lost it to another.
                    if not self.owner_of(name).startswith(self._owner):
                        continue
                    # In place and only if it is still there: a torn read looks alive.
                    with open(self._folder / name, "r+") as file:
                        file.write(f"{self._owner} {self._counter}")
                except OSError:
                    # A claim is advisory: a full disk stops the commit, not this.
                    continue


def _this_machine() -> str:
    """Host, boot and process-id namespace: where a process id means something."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return ":".join(parts)


def _owner_is_dead(content: str) -> bool:
    """Whether a claim names a process of this machine that is gone."""
    words = content.split()
    here = len(words) == 4 and words[0] == _this_machine() and words[1].isdigit()
    return here and not process_is_alive(int(words[1]))


def sweep(folder: Path) -> None:
    """Delete the claims that killed processes of this machine left behind."""
    if not folder.is_dir():
        return
    with locked(folder.parent):
        for path in listed(folder, "*"):
            with contextlib.suppress(OSError):
                if _owner_is_dead(path.read_text("utf-8", errors="replace")):
                    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def claimed_samples(folder: Path) -> dict[str, set[int]]:
    """Point -> samples in blocks that somebody claims, unless known to be dead here."""
    found: dict[str, set[int]] = {}
    for path in listed(folder, "*.*-*"):
        name, _, numbers = path.name.rpartition(".")
        first, _, stop = numbers.partition("-")
        if not (first.isdigit() and stop.isdigit()):
            continue
        with contextlib.suppress(OSError):
            if not _owner_is_dead(path.read_text("utf-8", errors="replace")):
                found.setdefault(name, set()).update(range(int(first), int(stop)))
    return found
