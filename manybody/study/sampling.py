"""Blocks of disorder samples: computed in stacks or one by one, committed, failures recorded."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby

from manybody.parallel.collective import (
    everybody_raises,
    first_ranks,
    raised_alike,
    rank_of,
    size_of,
)
from manybody.parallel.signals import Stopped
from manybody.solve.compare import is_spread
from manybody.solve.comparison import Comparison, ambiguity_warning, balance_warning
from manybody.solve.stacked import stack_size
from manybody.solve.unphysical import outside_warning
from manybody.study.blocks import Record
from manybody.study.configuration import Point, Study
from manybody.study.kind import SAMPLE_ERRORS, Job
from manybody.study.samples import compute_large, compute_stack

_log = logging.getLogger("manybody")
SampleJob = Job[Study]


def compute_samples(job: SampleJob, point: Point, missing: Sequence[int]) -> None:
    """Compute samples and commit them: neighbours in one block, large ones each in its own.

    A sample that raises one of `SAMPLE_ERRORS` is recorded with its seed and the rest goes on.
    What one rank raises alone while others share its sample comes through there.
    """
    for _, run in groupby(enumerate(missing), key=lambda item: item[1] - item[0]):
        samples = [sample for _, sample in run]
        size = min(stack_size(point.dimension), job.study.comfortable_block(point))
        if _is_large(job, point):
            size = 1
        records: list[Record] = []
        for first in range(0, len(samples), size):
            if first and job.shall_stop():
                # Whoever gives out the next block says so to all.
                _commit(job, point, records)
                return
            some = samples[first : first + size]
            found = _attempt(job, point, some)
            if _is_large(job, point) or len(found) < len(some):
                # A block holds consecutive samples.
                _commit(job, point, records)
                for record in found:
                    _commit(job, point, [record])
                records = []
            else:
                records += found
            job.tell(point.name)
        _commit(job, point, records)


def _commit(job: SampleJob, point: Point, records: list[Record]) -> None:
    if not records or rank_of(job.ranks) != 0:
        return
    own = job.study.at(point)
    for record in records:
        comparison = record.comparison
        if comparison is None:
            continue
        messages = {
            "unbalanced": balance_warning(comparison.certificate),
            "ambiguous": ambiguity_warning(comparison.certificate),
            "outside": outside_warning(comparison, None, own.baths(point), own.lamb_shift),
        }
        # The first of a point is named; the store and the report know all.
        for kind, message in messages.items():
            if message and (point, kind) not in job.warned:
                said = f"{point.name} sample {record.sample}: {message}"
                _log.warning(said)
                job.warned.add((point, kind))
    job.commit(point, records, ranks_per_sample=min(size_of(job.ranks), point.dimension))
    if _is_large(job, point):
        for record in records:
            job.store.keeper(job.study, point, record.sample).remove()


def _attempt(job: SampleJob, point: Point, samples: list[int]) -> list[Record]:
    """Records of samples; what raises is recorded as failed and left out."""
    try:
        if _is_large(job, point):
            return _large_record(job, point, samples[0])
        return _stack_records(job, point, samples)
    except SAMPLE_ERRORS as error:
        if job.ranks is not None and not everybody_raises(error, job.ranks):
            raise
        if len(samples) > 1:
            # One of a stack: which of them, and the others alone.
            return [record for sample in samples for record in _attempt(job, point, [sample])]
        if rank_of(job.ranks) == 0:
            path = job.store.record_failure(
                job.study, point, samples[0], error, dict(job.provenance)
            )
            _log.error(f"FAILED: {point.name} sample {samples[0]}: {error}; see {path}")
        return []


def _stack_records(job: SampleJob, point: Point, samples: list[int]) -> list[Record]:
    """Small samples, computed together; each is charged its part of the time."""
    start, study = time.perf_counter(), job.study
    found = compute_stack(study.at(point), point, samples, job.tell)
    seconds = (time.perf_counter() - start) / len(samples)
    return [
        Record(sample, point.entropy(study.seed, sample), seconds, *own)
        for sample, own in zip(samples, found)
    ]


def _large_record(job: SampleJob, point: Point, sample: int) -> list[Record]:
    """One sample on the ranks that share it; the record is on the first of them."""
    start, study, own = time.perf_counter(), job.study, job.study.at(point)
    keeper = job.store.keeper(study, point, sample, job.stop)
    comparison: Comparison | None = None
    figures: dict[str, float] = {}
    # (type of what ended it, in words)
    ended: tuple[type[Exception], str] | None = None
    cause: Exception | None = None
    with first_ranks(job.ranks, point.dimension) as (part, active):
        try:
            if active:
                said = partial(_tell_segment, job.tell, point.name)
                comparison, figures = compute_large(own, point, sample, part, said, keeper)
        except Stopped as stopped:
            ended = Stopped, str(stopped)
        except SAMPLE_ERRORS as error:
            if size_of(part) > 1 and not everybody_raises(error, part):
                raise
            ended, cause = (RuntimeError, f"{type(error).__name__}: {error}"), error
    # Where there are more ranks than sites, those without a column know nothing of it.
    ended = ended if job.ranks is None else job.ranks.bcast(ended)
    if ended is not None:
        with raised_alike(job.ranks):
            raise ended[0](ended[1]) from cause
    if rank_of(job.ranks) != 0:
        return []
    seconds = time.perf_counter() - start + keeper.seconds_before
    return [Record(sample, point.entropy(study.seed, sample), seconds, comparison, figures)]


def _tell_segment(tell: Callable[[str], None], name: str, where: str) -> None:
    tell(f"{name}, {where}")


def _is_large(job: SampleJob, point: Point) -> bool:
    """Whether samples of a point are computed one by one, with checkpoints."""
    operator = job.study.operator if job.study.evolves else "matrix-free"
    return is_spread(point.dimension, operator, size_of(job.ranks))
