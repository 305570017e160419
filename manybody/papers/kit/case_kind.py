"""Studies of deterministic cases: what makes a folder of a paper a kind of study."""

import hashlib
import json
import logging
import math
import re
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from manybody.errors import InputError
from manybody.papers.kit.config import (
    Case,
    CaseStudy,
    Record,
    Results,
    changes,
    from_json,
    merge_cases,
)
from manybody.parallel.files import listed
from manybody.physics.keys import InWords, Key
from manybody.study.block_files import (
    Content,
    CorruptBlock,
    Variable,
    opened,
    range_of,
    relative_to_rounding,
    values_of,
)
from manybody.study.block_store import BlockStore
from manybody.study.canonical import strict_text
from manybody.study.configuration import STUDY_DESCRIPTION, STUDY_NAME, Outputs
from manybody.study.differences import alone_lines, head_lines
from manybody.study.kind import SAMPLE_ERRORS, Job, Kind
from manybody.study.lines import WIDEST
from manybody.study.parsing import parsed
from manybody.study.progress import clock
from manybody.study.structure import Name, structure, table_of
from manybody.system.communicator import Communicator
from manybody.system.memory import INTERPRETER_BYTES, machine_bytes, ranks_here

FORMAT = "cases-2"
CaseStore = BlockStore[CaseStudy, Case, Record, Record]

_log = logging.getLogger("manybody")
# Keys of every kind.
FRAME = {
    "description": Annotated[str, replace(STUDY_DESCRIPTION, default="")],
    "outputs": Annotated[Outputs, Key("what a report consists of", "", InWords("see [outputs]"))],
    "name": Annotated[Name, STUDY_NAME],
    "kind": Annotated[str, Key("what the study is of: the headings below", "")],
}
# Before the name of a result in its dataset.
_RESULT = "result_"
_FACTS = ("title", "store_format", "kind", "study", "study_hash", "case", "parameters", "results")
# A case of the first format: a file of JSON by the hash of its bytes.
_OLDER = "cases-1"
_OLDER_FILE = re.compile(r"(.+)-([0-9a-f]{16})\.json")


@dataclass(frozen=True, kw_only=True)
class CaseKind(Kind[CaseStudy, Case, Record, Record]):
    """folder: the package with `cases` (parse, compute, perhaps check_available) and `page`.

    parse(table): TOML -> settings and cases; compute(settings, parameters): results;
    build_page(study, records): the page; most_bytes(settings, parameters): memory of a case
    beside its interpreter, where it is worth a word.
    """

    folder: str


def case_kind(name: str, folder: str) -> CaseKind:
    """The kind of study that a folder of a paper describes; imported when it is used."""
    return CaseKind(
        name=name,
        folder=folder,
        counted="cases",
        may_be_added="cases",
        store_format=FORMAT,
        readers={FORMAT: from_json},
        older={_OLDER: from_json},
        take_over=_take_over,
        parse=partial(_parse, name, folder),
        outline=lambda study: [f"{len(study.cases)} cases of the kind {name}"],
        changes=changes,
        merged=merge_cases,
        joined=lambda studies: reduce(merge_cases, studies),
        seconds=lambda _, case: case.cost,
        check_machine=partial(_check_machine, folder),
        plan_lines=partial(_plan_lines, folder),
        compute=partial(_compute, folder),
        content=_content,
        failure=lambda study, case, _: {
            "case": case.name,
            "settings": study.settings,
            "parameters": case.given,
        },
        read_block=_read_block,
        check_block=_read_block,
        disagreement=lambda left, _, right, __: _disagreement(left.results, right.results),
        rows_of=lambda record, _: record,
        row_of=lambda case: str(case.parameters[0][1]),
        comparison_lines=_comparison_lines,
        repeat=partial(_repeat, folder),
    )


def _parse(kind: str, folder: str, text: str, origin: str, _: Path | None) -> CaseStudy:
    return parsed(text, origin, partial(_study, kind, folder))


def _study(kind: str, folder: str, table: dict[str, Any]) -> CaseStudy:
    rest = {key: value for key, value in table.items() if key not in FRAME}
    own = {key: value for key, value in table.items() if key not in rest}
    frame = structure(own, table_of(FRAME))
    settings, cases = import_module(f"{folder}.cases").parse(rest)
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the case {twice} appears more than once")
    outputs = frame.pop("outputs", {})
    return CaseStudy(settings=settings, cases=tuple(cases), **outputs, **{**frame, "kind": kind})


def _check_machine(
    folder: str, study: CaseStudy, n_ranks: int, finished: Callable[[Case], set[int]]
) -> None:
    """Raise Unavailable where a case is to be computed and its kind needs what is missing,
    InputError where the largest cases, one on every rank, leave no room.
    """
    missing = [case for case in study.cases if not finished(case)]
    check = getattr(import_module(f"{folder}.cases"), "check_available", None)
    if check is not None and missing:
        check()
    every = {case: _most_bytes(folder, study, case) for case in missing}
    here = sorted(every, key=lambda case: -every[case])[: ranks_here(n_ranks)]
    needed, room = sum(every[case] for case in here), machine_bytes()
    if needed > room:
        raise InputError(
            f"{here[0].name}: needs about {every[here[0]] / 2**30:.3g} GiB, the largest cases on "
            f"{len(here)} rank(s) here {needed / 2**30:.3g} GiB, this machine has "
            f"{room / 2**30:.3g} GiB: use smaller systems or fewer ranks"
        )


def _most_bytes(folder: str, study: CaseStudy, case: Case) -> float:
    """Peak of a rank that computes a case; of kinds that say nothing an interpreter."""
    most = getattr(import_module(f"{folder}.cases"), "most_bytes", lambda *_: 0.0)
    return INTERPRETER_BYTES + float(most(study.settings, case.given))


def _plan_lines(folder: str, study: CaseStudy, n_ranks: int) -> list[str]:
    seconds = sum(case.cost for case in study.cases)
    longest = max(study.cases, key=lambda case: case.cost)
    most = max(_most_bytes(folder, study, case) for case in study.cases)
    return [
        f"{study.name}: {len(study.cases)} cases of the kind {study.kind!r}",
        f"  about {clock(seconds)} on one core, "
        f"{clock(max(seconds / n_ranks, longest.cost))} on {n_ranks} rank(s)",
        *textwrap.wrap(
            f"the longest: {longest.name}, about {clock(longest.cost)}",
            WIDEST,
            initial_indent="  ",
            subsequent_indent="    ",
        ),
        f"  memory of the fullest rank: {most / 2**20:.0f} MiB",
    ]


def _computed(folder: str, study: CaseStudy, case: Case) -> Results:
    """Raises one of `SAMPLE_ERRORS` for what is not finite, and whatever the case raises."""
    results: Results = import_module(f"{folder}.cases").compute(study.settings, case.given)
    for key, value in results.items():
        for number in value if isinstance(value, list) else [value]:
            if not math.isfinite(number):
                raise ValueError(f"the case gave {key} = {number}")
    return results


def _compute(folder: str, job: Job[CaseStudy], case: Case, _: Sequence[int]) -> None:
    start = time.perf_counter()
    try:
        results = _computed(folder, job.study, case)
    except SAMPLE_ERRORS as error:
        path = job.store.record_failure(job.study, case, 0, error, job.provenance)
        _log.error(f"FAILED: {case.name}: {error}; see {path}")
        return
    job.commit(case, [Record(case, results, time.perf_counter() - start)])
    job.tell(case.name)


def _content(
    study: CaseStudy, case: Case, records: Sequence[Record], provenance: Mapping[str, Any]
) -> Content:
    """What the block of a case holds: a number, or a list of them, each result."""
    (record,) = records
    attributes = {
        "title": f"{study.name}: {case.name}",
        "store_format": FORMAT,
        "kind": study.kind,
        "study": strict_text(study.settings),
        "study_hash": study.hash(),
        "case": case.name,
        "parameters": strict_text(case.given),
        # In their order, which HDF5 does not keep.
        "results": json.dumps(list(record.results)),
    }
    results = {
        _RESULT + name: Variable(np.array([value]), ("sample",), name.replace("_", " "))
        for name, value in record.results.items()
    }
    seconds = Variable(np.array([record.seconds]), ("sample",), "wall time", "s")
    axes = {"sample": Variable(record.samples, meaning="a case is computed once")}
    return Content({**attributes, **provenance}, axes, {"seconds": seconds, **results})


def _read_block(path: Path, study: CaseStudy, case: Case) -> Record:
    try:
        with opened(path) as file:
            attributes = dict(file.attrs.items())
            names = json.loads(attributes["results"])
            results = {name: values_of(file[_RESULT + name])[0].tolist() for name in names}
            seconds = float(values_of(file["seconds"])[0])
            agreements = {
                "store format": attributes["store_format"] == FORMAT,
                "study": attributes["study_hash"] == study.hash(),
                "case": attributes["case"] == case.name,
                "parameters": attributes["parameters"] == strict_text(case.given),
                "samples": range_of(path) == (0, 1),
            }
    except CorruptBlock:
        raise
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error
    wrong = [name for name, agrees in agreements.items() if not agrees]
    if wrong:
        raise CorruptBlock(f"{path} is foreign: it has other {', '.join(wrong)}")
    provenance = {key: value for key, value in attributes.items() if key not in _FACTS}
    return Record(case, results, seconds, provenance, path)


def read_records(store: CaseStore, study: CaseStudy) -> tuple[list[Record], list[str]]:
    """Finished cases in the order of a study, each once, and what was wrong with others."""
    records: list[Record] = []
    problems: list[str] = []
    for case in study.cases:
        found, wrong = store.read(study, case)
        records += found
        problems += wrong
    return records, problems


def _comparison_lines(left: CaseStore, right: CaseStore) -> list[str]:
    ours, theirs = (
        {record.case.name: record.results for record in read_records(store, store.study)[0]}
        for store in (left, right)
    )
    changed = [key for key, *_ in changes(left.study, right.study)]
    lines, alone = head_lines(left, right, changed), alone_lines(left, right)
    common = ours.keys() & theirs.keys()
    if not common:
        return [*lines, "they have no case in common", *alone]
    worst = {name: _difference(ours[name], theirs[name]) for name in common}
    different = sorted((own for own in worst.items() if own[1][0] > 0.0), key=lambda own: own[1])
    lines.append(f"{len(common)} cases in common, {len(common) - len(different)} equal")
    lines += [
        f"  {name}: {key} by up to {change:.2e}" for name, (change, key) in reversed(different)
    ]
    return lines + alone


def _disagreement(left: Results, right: Results) -> float:
    if left.keys() != right.keys():
        return math.inf
    return max((relative_to_rounding(left[key], right[key]) for key in left), default=0.0)


def _difference(left: Results, right: Results) -> tuple[float, str]:
    """The largest |change| of a result, inf where one has what the other lacks, and its name."""
    found = [(0.0, "")]
    for key in {**left, **right}:
        one, other = (np.atleast_1d(own.get(key, np.nan)) for own in (left, right))
        same = one.shape == other.shape
        change = float(np.max(np.abs(one - other), initial=0.0)) if same else np.inf
        found.append((np.inf if np.isnan(change) else change, key))
    return max(found)


def _repeat(
    folder: str, store: CaseStore, case: Case, sample: int, _: Communicator | None
) -> tuple[list[str], bool]:
    if sample != 0:
        raise InputError(f"--index {sample}: a case is computed once, 0 is allowed")
    study = store.study
    results = _computed(folder, study, case)
    lines = [case.name, *(f"  {name:<28} {value!r}" for name, value in results.items())]
    stored, _problems = store.read(study, case)
    if not stored:
        return [*lines, "the store does not hold this case"], True
    change, key = _difference(results, stored[0].results)
    if change == 0.0:
        return [*lines, f"the same bits as in {stored[0].path.name}"], True
    return [*lines, f"differs from {stored[0].path.name}: {key} by up to {change:.1e}"], False


def _take_over(store: CaseStore, study: CaseStudy) -> None:
    """Blocks of the cases that a store of the first format holds; what is wrong is left out."""
    cases = {case.name: case for case in study.cases}
    for path in listed(store.directory / "cases", "*.json"):
        match, image = _OLDER_FILE.fullmatch(path.name), path.read_bytes()
        if match is None or match[1] not in cases:
            continue
        if hashlib.sha256(image).hexdigest()[:16] != match[2]:
            _log.warning(f"left out: {path} is torn or was altered")
            continue
        case, content = cases[match[1]], json.loads(image)
        own = {key: content.get(key) for key in ("format", "kind", "settings", "parameters")}
        wanted = {"format": _OLDER, "kind": study.kind, "settings": study.settings}
        if own != {**wanted, "parameters": case.given}:
            _log.warning(f"left out: {path} belongs to another study")
            continue
        record = Record(case, content["results"], float(content["seconds"]))
        store.commit(study, case, [record], content["provenance"])
