"""Matrices in files that a study names: one a sample, read whole and known by their SHA-256."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from manybody.errors import InputError, Unavailable, said_of
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.protocol import Model
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.study.safe_arrays import read_arrays
from manybody.system.memory import machine_bytes

# More can be no part of any study: ρ alone would have 160 GB.
MOST_STATES = 100_000
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
    hamiltonian, couplings = read_arrays(str(path), content, dataset, _check_square)
    with said_of(str(path)):
        if couplings is None:
            return SingleParticleModel(hamiltonian, coupled_sites, name=path.name)
        if coupled_sites is not None:
            raise InputError("coupled_sites: are of one particle, this file has couplings")
        several = couplings if couplings.ndim == 2 else list(couplings)
        return ManyBodyModel(hamiltonian, several, name=path.name)


def _check_square(shape: tuple[int, ...]) -> None:
    """Raise InputError for what is not square, and for more states than can be."""
    if len(shape) != 2 or shape[0] != shape[1] or not 1 <= shape[0] <= MOST_STATES:
        raise InputError(
            f"hamiltonian has shape {shape}: must be (D, D) with D from 1 to {MOST_STATES}"
        )
