"""study.json, by which a folder knows what it holds: read, compared, extended."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from manybody.errors import InputError, shown
from manybody.parallel.files import (
    TEMPORARY,
    locked,
    make_folder,
    remove_orphans,
    write_atomically,
)

T = TypeVar("T")


def kind_of(directory: Path) -> str:
    """The kind of the study that a folder describes.  Raises ValueError where there is none."""
    study = _content(directory).get("study")
    return str(study.get("kind", "samples")) if isinstance(study, dict) else "samples"


def store_format(directory: Path) -> Any:
    """The format of a description, None where there is no store."""
    return _content(directory).get("format") if (directory / "study.json").is_file() else None


def _content(directory: Path) -> dict[str, Any]:
    path = directory / "study.json"
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"directory {shown(str(directory))} is not a store: no study.json in it"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"directory: {shown(str(path))} cannot be read: {why}") from error
    return content if isinstance(content, dict) else {}


def read_description(
    directory: Path,
    readers: Mapping[Any, Callable[[Any], T]],
    older: Mapping[Any, Callable[[Any], T]] = MappingProxyType({}),
) -> T:
    """The study that a folder describes.

    readers: what makes a study of its JSON, by format; older: formats that a run takes over.
    Raises ValueError where there is no description, or one of no format among these, or one
    that does not make sense.
    """
    path, content = directory / "study.json", _content(directory)
    found = content.get("format")
    # It may be a list, which no table has for a key.
    if found in [*older]:
        raise InputError(
            f"{str(directory)!r} was written by an earlier version (store format {found!r}): "
            f"'manybody run {directory / 'study.toml'} --out {directory}' takes over what is in "
            "it and computes nothing again"
        )
    if found not in [*readers]:
        raise InputError(
            f"{str(directory)!r} holds another kind of study, or one of a later version: store "
            f"format {found!r}, {' or '.join(map(repr, readers))} is needed"
        )
    try:
        return readers[found](content["study"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} does not describe a study: {error!r}") from error


def is_new(directory: Path) -> bool:
    """Whether a folder may become a store; False if it is one.

    Raises ValueError for what is no folder, and for a folder with anything else in it.
    """
    if not directory.exists():
        return True
    if not directory.is_dir():
        raise InputError(f"{str(directory)!r} is not a folder")
    if (directory / "study.json").exists():
        return False
    # What a run that died before its first rename leaves is no obstacle.
    if any(not TEMPORARY.fullmatch(path.name) for path in directory.iterdir()):
        raise InputError(f"{str(directory)!r} is not empty and not a store: use another folder")
    return True


def changes_between(
    there: Mapping[str, Any], here: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """(key, there, here) of everything in which two identities differ."""
    found = [(key, there.get(key), here.get(key)) for key in {**there, **here}]
    return [(key, old, new) for key, old, new in found if old != new]


def refuse_changes(
    directory: Path, changed: Sequence[tuple[str, Any, Any]], may_be_added: str
) -> None:
    """Raise ValueError naming every key that differs: (key, value there, value here)."""
    if changed:
        details = "; ".join(
            f"{key} is {_short(there)} there and {_short(here)} here"
            for each in changed
            for key, there, here in _inside(*each)
        )
        raise InputError(
            f"{str(directory)!r} holds another study: {details}. "
            f"Use another folder ({may_be_added} may be added)"
        )


def _inside(key: str, there: Any, here: Any) -> Iterator[tuple[str, Any, Any]]:
    """Of two tables the entries that differ: what they share would fill the sentence."""
    if not isinstance(there, Mapping) or not isinstance(here, Mapping):
        yield key, there, here
        return
    for name, old, new in changes_between(there, here):
        yield from _inside(f"{key}.{name}", old, new)


def extend_description(
    directory: Path,
    written_format: Any,
    extended: Callable[[], T],
    text: str,
    take_over: Callable[[T], None] | None = None,
) -> T:
    """Write study.json, atomically, from what `extended` returns, and return that.

    text: the study as a user wrote it, kept in study.toml unless empty; take_over: called with
    the study before the format of a store changes.  Two jobs that extend one folder at the same
    time wait for each other.  Raises ValueError when the folder cannot be written.
    """
    try:
        make_folder(directory)
        with locked(directory):
            study = extended()
            if take_over is not None:
                take_over(study)
            written: Any = study
            description = {"format": written_format, "study": written.to_json()}
            content = json.dumps(description, indent=1, allow_nan=False)
            remove_orphans(directory)
            write_atomically(directory / "study.json", content.encode())
            if text:
                write_atomically(directory / "study.toml", text.encode())
            return study
    except OSError as error:
        raise InputError(f"{str(directory)!r} cannot be a store: {error}") from error


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
