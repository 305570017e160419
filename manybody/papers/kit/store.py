"""The store of a study of cases: a file a case, the name of each its commit marker.

    DIR/study.json                         what this folder holds
    DIR/study.toml                         the study as a user wrote it
    DIR/cases/<case>-<hash>.json           parameters, results, seconds, provenance
    DIR/failures/<case>.json               cases that raised, and what
    DIR/claims/                            who is working on what, advisory

The hash in a name is of the bytes of the file, so a torn file cannot pass for a case.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manybody.papers.kit.config import (
    Case,
    CaseStudy,
    Results,
    differences,
    from_json,
    merge_cases,
)
from manybody.parallel.files import listed, write_atomically
from manybody.study.description import extend_description, is_new, read_description, refuse_changes

# Of the text of study.json and of every case.
FORMAT = "cases-1"
_READERS = {FORMAT: from_json}
_FILE = re.compile(r"(.+)-([0-9a-f]{16})\.json")


class CorruptCase(Exception):
    """A file that is torn, altered or belongs to another study."""


@dataclass(frozen=True)
class Record:
    """A finished case as its file has it."""

    case: Case
    results: Results
    seconds: float
    provenance: Mapping[str, Any]
    path: Path


def holds_cases(directory: str | Path) -> bool:
    """Whether a folder is a store of cases; False for any other and for none."""
    try:
        content = json.loads((Path(directory) / "study.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and str(content.get("format")).startswith("cases-")


class CaseStore:
    """One folder.  Reading needs no MPI; many processes may commit at once."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    @property
    def study(self) -> CaseStudy:
        """The study this store holds.  Raises ValueError when there is none."""
        return read_description(self.directory, _READERS)

    def check(self, study: CaseStudy) -> CaseStudy:
        """What the store will hold: `study`, together with what a used folder already holds.

        Raises ValueError when the folder belongs to another study, naming the keys that
        differ, or holds something else.  Writes nothing.
        """
        if is_new(self.directory):
            return study
        stored = self.study
        refuse_changes(self.directory, differences(stored, study), "cases")
        return merge_cases(stored, study)

    def create(self, study: CaseStudy, text: str = "") -> CaseStudy:
        """Write study.json, atomically, and return what it now says; text: for study.toml.

        Raises ValueError as `check` does, or when the folder cannot be written.
        """
        return extend_description(self.directory, FORMAT, lambda: self.check(study), text)

    def paths(self) -> dict[str, list[Path]]:
        """Case -> its files, by name."""
        found: dict[str, list[Path]] = {}
        for path in listed(self.directory / "cases", "*.json"):
            match = _FILE.fullmatch(path.name)
            if match:
                found.setdefault(match[1], []).append(path)
        return found

    def finished(self) -> set[str]:
        """Names of committed cases, from the names of the files alone."""
        return set(self.paths())

    def failures(self) -> dict[str, Path]:
        """Records of cases that raised an error."""
        return {path.stem: path for path in listed(self.directory / "failures", "*.json")}

    def commit(
        self,
        study: CaseStudy,
        case: Case,
        results: Results,
        seconds: float,
        provenance: Mapping[str, Any],
    ) -> Path:
        """Write one case, all of it or nothing.  ValueError for a result that is not finite."""
        for key, value in results.items():
            for number in value if isinstance(value, list) else [value]:
                if not math.isfinite(number):
                    raise ValueError(f"the case gave {key} = {number}")
        content = {
            "format": FORMAT,
            "case": case.name,
            "kind": study.kind,
            "settings": dict(study.settings),
            "parameters": case.given,
            "results": dict(results),
            "seconds": seconds,
            "provenance": dict(provenance),
        }
        image = json.dumps(content, indent=1, allow_nan=False, default=str).encode()
        path = self.directory / "cases" / f"{case.name}-{_digest(image)}.json"
        write_atomically(path, image)
        (self.directory / "failures" / f"{case.name}.json").unlink(missing_ok=True)
        return path

    def record_failure(
        self, study: CaseStudy, case: Case, error: Exception, provenance: Mapping[str, Any]
    ) -> Path:
        """Say that a case raised `error`, and where it was computed."""
        content = {
            "case": case.name,
            "settings": dict(study.settings),
            "parameters": case.given,
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exception(error),
            "provenance": dict(provenance),
        }
        path = self.directory / "failures" / f"{case.name}.json"
        write_atomically(path, json.dumps(content, indent=1, default=str).encode())
        return path

    def forget_failures(self, cases: list[Case]) -> None:
        """Let failed cases be tried again."""
        known = self.failures()
        for case in cases:
            if case.name in known:
                known[case.name].unlink(missing_ok=True)

    def set_aside_corrupt(self, study: CaseStudy) -> list[str]:
        """Rename every file of a case that is torn, altered or foreign; returns what was wrong.

        One that cannot be read for another reason stays: a file system that fails for a while
        must not cost a finished case.
        """
        problems, paths = [], self.paths()
        for case in study.cases:
            for path in paths.get(case.name, []):
                try:
                    self._read(study, case, path)
                except CorruptCase as error:
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(path, path.with_suffix(".corrupt"))
                        problems.append(f"set aside: {error}; renamed to {path.stem}.corrupt")
                except OSError as error:
                    if path.exists():
                        problems.append(f"left out: {path} cannot be read: {error}")
        return problems

    def read(self, study: CaseStudy) -> tuple[list[Record], list[str]]:
        """Finished cases in the order of the study, each once, and what was wrong with others.

        A case of which two files differ in their numbers is left out.
        """
        records: list[Record] = []
        problems: list[str] = []
        paths = self.paths()
        for case in study.cases:
            own = []
            for path in paths.get(case.name, []):
                try:
                    own.append(self._read(study, case, path))
                except (CorruptCase, OSError) as error:
                    problems.append(str(error))
            if any(record.results != own[0].results for record in own):
                names = " and ".join(record.path.name for record in own)
                problems.append(f"the case {case.name} differs between {names}")
            elif own:
                records.append(own[0])
        return records, problems

    def _read(self, study: CaseStudy, case: Case, path: Path) -> Record:
        """Raises CorruptCase, or OSError."""
        image = path.read_bytes()
        match = _FILE.fullmatch(path.name)
        if match is None or _digest(image) != match[2]:
            raise CorruptCase(f"{path} is torn or was altered: its hash is not that of its name")
        try:
            content = json.loads(image)
            own = {key: content[key] for key in ("format", "case", "kind", "settings")}
            parameters, results = dict(content["parameters"]), dict(content["results"])
            seconds, provenance = float(content["seconds"]), dict(content["provenance"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptCase(f"{path} is not the file of a case: {error!r}") from error
        wanted = {
            "format": FORMAT,
            "case": case.name,
            "kind": study.kind,
            "settings": dict(study.settings),
        }
        if own != wanted or parameters != case.given:
            raise CorruptCase(f"{path} belongs to another study")
        return Record(case, results, seconds, provenance, path)


def _digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()[:16]
