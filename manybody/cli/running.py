"""plan, run, sample: what computes, or says what computing would cost."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from manybody.cli.requests import load_models, requested_cases, requested_study, store_of_samples
from manybody.cli.stores import print_written, write_report
from manybody.errors import InputError
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator
from manybody.system.memory import keep_freed_memory

_FAILED = 3


def plan(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print memory, time and ranks of every size."""
    from manybody.study.cost import measure_rates, plan_lines
    from manybody.study.tasks import build_tasks, check_feasible, check_libraries, group_sizes

    if options.ranks < 1:
        raise InputError(f"--ranks {options.ranks}: must be at least 1")
    cases, _ = requested_cases(options)
    if cases is not None:
        from manybody.papers.kit.running import check_available
        from manybody.papers.kit.running import plan_lines as case_lines

        print("\n".join(case_lines(cases, options.ranks)), flush=True)
        check_available(cases)
        return 0
    study, _ = requested_study(options)
    for each in (study, *study.variants().values()):
        check_libraries(each)
    with blas_threads(1):
        rates = measure_rates()
    for name, each in {"": study, **study.variants()}.items():
        sizes = group_sizes(each, build_tasks(each), options.ranks)
        if name:
            print(f"and, for its numerical errors, with {name}:")
        print("\n".join(plan_lines(each, rates, sizes)), flush=True)
    check_feasible(study, options.ranks)
    return 0


def run(options: argparse.Namespace, comm: Communicator | None) -> int:
    """Compute what a store lacks of a study; the exit code of `main`."""
    from manybody.parallel.collective import on_every_rank, rank_of, together
    from manybody.parallel.signals import StopRequest
    from manybody.study.store import Store
    from manybody.study.whole_runs import prepare_whole, run_whole

    keep_freed_memory()

    def request() -> tuple[Any, str, tuple[int, int]]:
        if options.threads < 1:
            raise InputError(f"--threads {options.threads}: must be at least 1")
        return *requested_cases(options), _shard(options.shard)

    cases, text, shard = together(comm, request)
    if cases is not None:
        return _run_cases(options, comm, cases, text, shard)
    study, text = together(comm, lambda: requested_study(options))
    on_every_rank(comm, lambda: load_models(options, study))
    store = Store(_out(options, study.name))
    with StopRequest() as stop:
        prepared = prepare_whole(study, store, comm, text)
        with _past_the_checks("blocks"):
            done = run_whole(prepared, comm, options.threads, options.quiet, shard, stop, text)
            # A shard leaves the report to whoever completes the store; where every sample
            # has failed there is nothing to report.
            is_last = options.shard is None and not (done.stopped and done.missing)
            if rank_of(comm) == 0 and is_last and done.there:
                write_report(store, None)
    return _end(comm, store, "samples", done.stopped, done.missing, done.failed)


def _run_cases(
    options: argparse.Namespace,
    comm: Communicator | None,
    study: Any,
    text: str,
    shard: tuple[int, int],
) -> int:
    from manybody.papers.kit.pages import write_page
    from manybody.papers.kit.running import prepare_cases, run_cases
    from manybody.papers.kit.store import CaseStore
    from manybody.parallel.collective import rank_of
    from manybody.parallel.signals import StopRequest

    store = CaseStore(_out(options, study.name))
    with StopRequest() as stop:
        prepare_cases(study, store, comm, text)
        with _past_the_checks("cases"):
            with blas_threads(options.threads):
                outcome = run_cases(
                    study, store, comm, options.threads, options.quiet, shard, stop
                )
            # As for samples: a shard leaves the page to whoever completes the store.
            is_last = options.shard is None and not (outcome.stopped and outcome.missing)
            if rank_of(comm) == 0 and is_last and outcome.computed + outcome.present:
                print_written(*write_page(store), store.directory / "cases")
    return _end(comm, store, "cases", outcome.stopped, outcome.missing, outcome.failed)


@contextlib.contextmanager
def _past_the_checks(kept: str) -> Iterator[None]:
    """Nothing is bad input from here on, and the other ranks know nothing of what one raises."""
    try:
        yield
    except BaseException as error:
        raise RuntimeError(f"the run stopped; finished {kept} are safe") from error


def _end(
    comm: Communicator | None, store: Any, what: str, stopped: str, missing: int, failed: int
) -> int:
    """The exit code of a run; what it leaves to do is said on standard error."""
    from manybody.parallel.collective import rank_of
    from manybody.parallel.signals import STOPPED

    left, code = "", 0
    if stopped and missing:
        left = f"stopped by {stopped}, {missing} {what} are left: the same command goes on"
        code = STOPPED
    elif failed:
        folder, code = store.directory / "failures", _FAILED
        left = f"{failed} {what} have failed, see {folder}; the next run tries them again"
    if left and rank_of(comm) == 0:
        print(f"manybody: {left}", file=sys.stderr, flush=True)
    return code


def sample(options: argparse.Namespace, comm: Communicator | None) -> int:
    """Compute one sample of a store again; 1 where it differs from what the store holds."""
    from manybody.parallel.collective import on_every_rank, rank_of
    from manybody.study.rerun import find_point, repeat_sample

    def request() -> tuple[Any, Any]:
        if options.index < 0:
            raise InputError(f"--index {options.index}: must be >= 0")
        store = store_of_samples(options.directory)
        load_models(options, store.study)
        return store, find_point(store.study, options.size, options.model, options.where)

    store, point = on_every_rank(comm, request)
    with blas_threads():
        lines, agrees = repeat_sample(store, point, options.index, comm)
    if rank_of(comm) == 0:
        print("\n".join(lines), flush=True)
    return 0 if agrees else 1


def _out(options: argparse.Namespace, name: str) -> str:
    return options.out if options.out is not None else os.path.join("results", name)


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    words = text.split("/")
    if len(words) != 2 or not all(word.isdigit() for word in words):
        raise InputError(f"--shard {text}: I/N is needed, as in 0/8")
    index, count = map(int, words)
    if not index < count:
        raise InputError(f"--shard {text}: I is from 0 to N - 1 = {count - 1}")
    return index, count
