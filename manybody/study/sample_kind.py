"""Studies of disorder samples, the first kind."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from manybody.numerics.steppers import check_stepper
from manybody.solve.forecast import measure_rates
from manybody.study.blocks import (
    Block,
    Record,
    check_belongs,
    check_block,
    content_of,
    disagreement,
    read_block,
    rows_of,
)
from manybody.study.canonical import strict_json
from manybody.study.configuration import Point, Study, merge_systems
from manybody.study.cost import (
    application_flops,
    plan_lines,
    predicted_and_measured,
    sample_seconds,
)
from manybody.study.differences import comparison_lines
from manybody.study.files import check_names
from manybody.study.kind import Kind
from manybody.study.migrations import FORMAT, READERS
from manybody.study.model_loading import load_own_models, with_own_models
from manybody.study.own_models import changes_of
from manybody.study.parsing import parse_group_size, parse_study
from manybody.study.rerun import repeat_sample
from manybody.study.sampling import compute_samples
from manybody.study.tasks import check_feasible, check_libraries, group_sizes, planned_sizes
from manybody.system.blas import blas_threads


def _adapted(study: Study, petsc_options: str | None, group_size: object) -> Study:
    if petsc_options is not None:
        check_stepper(study.stepper, petsc_options)
        study = replace(study, petsc_options=petsc_options)
    if group_size is not None:
        study = replace(study, group_size=parse_group_size(group_size, study.stepper))
    return study


def _outline(study: Study) -> list[str]:
    """A line for systems that differ in some values alone, with every value of each."""
    groups: dict[Any, list[dict[str, str]]] = {}
    for system in study.systems:
        words = {key: str(own) for key, own in (*system.parameters, *system.changes)}
        head = (system.model, tuple(words), system.sizes, tuple(system.counts.values()))
        groups.setdefault(head, []).append(words)
    return [line for head, every in groups.items() for line in _outlines(head, every)]


def _outlines(head: Any, every: list[dict[str, str]]) -> list[str]:
    """Of all together where they are every choice of their values, else of each."""
    model, keys, sizes, counts = head
    values = {key: list(dict.fromkeys(words[key] for words in every)) for key in keys}
    if math.prod(map(len, values.values())) != len(every):
        return [line for words in every for line in _outlines(head, [words])]
    words = " ".join(f"{key}={','.join(own)}" for key, own in values.items())
    samples = ", ".join(map(str, dict.fromkeys(counts)))
    return [f"{model} {words}, sizes {', '.join(map(str, sizes))}, {samples} samples"]


def _joined(studies: Sequence[Study]) -> Study:
    sizes = [study.block_size for study in studies if study.block_size is not None]
    return replace(reduce(merge_systems, studies), block_size=min(sizes, default=None))


def _check_machine(study: Study, n_ranks: int, _: Callable[[Point], set[int]]) -> None:
    check_libraries(study)
    check_feasible(study, n_ranks)


def _plan_lines(study: Study, n_ranks: int) -> list[str]:
    every = {"": study, **study.variants()}
    for each in every.values():
        check_libraries(each)
    with blas_threads(1):
        rates = measure_rates()
    lines = []
    for name, each in every.items():
        if name:
            lines.append(f"and, for its numerical errors, with {name}:")
        lines += plan_lines(each, rates, planned_sizes(each, n_ranks))
    return lines


def _provenance(study: Study) -> dict[str, Any]:
    return {
        "stepper": study.stepper,
        "tolerance": study.tolerance,
        "petsc_options": study.petsc_options,
        "operator": study.operator,
    }


def _failure(study: Study, point: Point, sample: int) -> dict[str, Any]:
    return {
        "model": point.model,
        "parameters": dict(point.parameters),
        "changes": strict_json(dict(point.changes)),
        "size": point.size,
        "sample": sample,
        "seed": point.entropy(study.seed, sample),
    }


def _read_block(path: Path, study: Study, point: Point) -> Block:
    block = read_block(path)
    check_belongs(block, study, point)
    return block


SAMPLES = Kind[Study, Point, Record, Block](
    name="samples",
    counted="samples",
    may_be_added="samples, sizes and systems",
    store_format=FORMAT,
    readers=READERS,
    parse=parse_study,
    adapted=_adapted,
    with_models=with_own_models,
    load_models=load_own_models,
    outline=_outline,
    changes=changes_of,
    merged=merge_systems,
    joined=_joined,
    check_description=lambda study: check_names(study.file_texts),
    files=lambda study: study.files,
    with_files=lambda folder, study: study.with_files_of(folder),
    seconds=sample_seconds,
    samples_in_block=lambda study, point: study.samples_in_block(point),
    in_blocks_of=lambda stored, study: replace(study, block_size=stored.block_size),
    group_sizes=group_sizes,
    variants=lambda study: study.variants(),
    check_machine=_check_machine,
    plan_lines=_plan_lines,
    compute=compute_samples,
    provenance=_provenance,
    begin=measure_rates,
    closing_lines=predicted_and_measured,
    flops=application_flops,
    content=content_of,
    failure=_failure,
    read_block=_read_block,
    check_block=check_block,
    disagreement=disagreement,
    rows_of=rows_of,
    comparison_lines=comparison_lines,
    repeat=repeat_sample,
)
