"""plan, run, sample: what computes, or says what computing would cost."""

import argparse
import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from manybody.cli.kinds import AnyStore, kind_named, open_store
from manybody.cli.parser import FAILED
from manybody.cli.requests import models_folder, requested_study
from manybody.cli.stores import write_report
from manybody.errors import InputError
from manybody.study.block_store import BlockStore
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator
from manybody.system.memory import keep_freed_memory

_log = logging.getLogger("manybody")
_WHAT_IS_LEFT = "the run stopped; finished blocks are safe"
_NO_REPORT = "the report is not written, what has been computed is safe"


def plan(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print memory, time and ranks of every size."""
    if options.ranks < 1:
        raise InputError(f"--ranks {options.ranks}: must be at least 1")
    kind, study, _ = requested_study(options)
    _say_group_size(study, options.ranks)
    print("\n".join(kind.plan_lines(study, options.ranks)), flush=True)
    kind.check_machine(study, options.ranks, lambda _: set())
    return 0


def run(options: argparse.Namespace, comm: Communicator | None) -> int:
    """Compute what a store lacks of a study; the exit code of `main`."""
    from manybody.parallel.collective import on_every_rank, rank_of, size_of, together
    from manybody.parallel.signals import OF_TERMINALS, StopRequest
    from manybody.study.whole_runs import prepare_whole, run_whole

    keep_freed_memory()

    def request() -> tuple[str, Any, str, tuple[int, int], str]:
        if options.threads < 1:
            raise InputError(f"--threads {options.threads}: must be at least 1")
        kind, study, text = requested_study(options)
        _say_group_size(study, size_of(comm))
        return kind.name, study, text, _shard(options.shard), _out(options, study.name)

    name, study, text, shard, out = together(comm, request)
    kind = kind_named(name)
    folder = models_folder(options)
    on_every_rank(comm, lambda: kind.load_models(study, folder, options.allow_code))
    store = BlockStore(out, kind)
    with StopRequest(OF_TERMINALS, _say_so if rank_of(comm) == 0 else lambda _: None) as stop:
        prepared = prepare_whole(study, store, comm, text)
        with _past_the_checks(_WHAT_IS_LEFT):
            done = run_whole(prepared, comm, options.threads, options.quiet, shard, stop, text)
        # A shard leaves the report to whoever completes the store; where every sample has failed
        # there is nothing to report.
        is_last = options.shard is None and not (done.stopped and done.missing)
        if rank_of(comm) == 0 and is_last and done.there:
            with _past_the_checks(f"{_NO_REPORT} (manybody report {store.directory})"):
                write_report(store, None)
    return _end(comm, store, done)


@contextlib.contextmanager
def _past_the_checks(what_is_left: str) -> Iterator[None]:
    """Nothing is bad input from here on, and the other ranks know nothing of what one raises.

    what_is_left: of the run, said before the error.
    """
    try:
        yield
    except BaseException as error:
        # A file that cannot be read any more is no bad input of now.
        refused = error.__cause__ if isinstance(error, InputError) else error
        if not isinstance(refused, (OSError, MemoryError)):
            raise RuntimeError(what_is_left) from error
        # A sentence, see `main`, and on all ranks where all raise it.
        refused.add_note(what_is_left)
        raise refused from None


def _say_so(stopped: str) -> None:
    """What may take a while; within a signal handler, where streams must not be written."""
    again = ", at once if Ctrl-C comes again" if stopped == "SIGINT" else ""
    with contextlib.suppress(OSError):
        os.write(2, f"manybody: {stopped}: ends after what is at hand{again}\n".encode())


def _end(comm: Communicator | None, store: AnyStore, done: Any) -> int:
    """The exit code of a run; what it leaves to do is said on standard error."""
    from manybody.parallel.collective import rank_of
    from manybody.parallel.signals import INTERRUPTED, STOPPED

    left, code, what = "", 0, store.kind.counted
    if done.stopped and done.missing:
        left = (
            f"stopped by {done.stopped}, {done.missing} {what} are left: the same command goes on"
        )
        code = INTERRUPTED if done.stopped == "SIGINT" else STOPPED
    elif done.failed:
        folder, code = store.directory / "failures", FAILED
        left = f"{done.failed} {what} have failed, see {folder}; the next run tries them again"
    if left and rank_of(comm) == 0:
        print(f"manybody: {left}", file=sys.stderr, flush=True)
    return code


def sample(options: argparse.Namespace, comm: Communicator | None) -> int:
    """Compute one sample of a store again; 1 where it differs from what the store holds."""
    from manybody.parallel.collective import on_every_rank, rank_of
    from manybody.study.selection import find_point

    def request() -> tuple[AnyStore, Any]:
        if options.index < 0:
            raise InputError(f"--index {options.index}: must be >= 0")
        store = open_store(options.directory)
        store.kind.load_models(store.study, models_folder(options), options.allow_code)
        return store, find_point(store.study, options.size, options.model, options.where)

    store, point = on_every_rank(comm, request)
    wanted = store.study.wanted[point]
    if options.index >= wanted and store.kind.name == "samples" and rank_of(comm) == 0:
        _log.warning(f"--index {options.index}: the study has {wanted} samples of it, from 0")
    with blas_threads():
        lines, agrees = store.kind.repeat(store, point, options.index, comm)
    if rank_of(comm) == 0:
        print("\n".join(lines), flush=True)
    return 0 if agrees else 1


def _say_group_size(study: Any, n_ranks: int) -> None:
    wanted = getattr(study, "group_size", None)
    if wanted is not None and wanted > n_ranks:
        _log.warning(f"group_size = {wanted}: no more than {n_ranks} can share a sample here")


def _out(options: argparse.Namespace, name: str) -> str:
    if options.out == "":
        raise InputError("--out '': the name of a folder is needed")
    return options.out if options.out is not None else os.path.join("results", name)


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    given = re.fullmatch(r"(-?\d+)/(-?\d+)", text)
    if given is None:
        raise InputError(f"--shard {text}: I/N is needed, as in 0/8")
    index, count = int(given[1]), int(given[2])
    if count < 1:
        raise InputError(f"--shard {text}: N must be at least 1")
    if not 0 <= index < count:
        raise InputError(f"--shard {text}: I is from 0 to N - 1 = {count - 1}")
    return index, count
