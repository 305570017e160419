"""python -m manybody: plan | run | sample | status | merge | compare-stores | report | ..."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from manybody import __version__
from manybody.blas import blas_threads
from manybody.buffers import keep_freed_memory
from manybody.config import FORMATS, Study
from manybody.doctor import doctor_report
from manybody.launch import launched_ranks
from manybody.numerics.steppers import check_stepper
from manybody.parsing import builtin_studies, find_study, parse_group_size, parse_study

_FAILED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 done; 2 bad input; 3 done but for samples that failed; 75 stopped by a signal, the same
    command goes on; 1 anything else.
    """
    options = _parser().parse_args(arguments)
    comm = None
    try:
        comm = _communicator() if options.command in ("run", "sample") else None
        if comm is not None:
            _abort_all_on_exception(comm)
        command = {
            "plan": _plan,
            "run": _run,
            "sample": _sample,
            "status": _status,
            "merge": _merge,
            "compare-stores": _compare_stores,
            "report": _report,
            "studies": _studies,
            "doctor": _doctor,
        }
        return command[options.command](options, comm)
    except (ValueError, TypeError) as error:
        if comm is None or comm.Get_rank() == 0:
            print(f"manybody: {error}", file=sys.stderr, flush=True)
        return 2
    except (RuntimeError, OSError) as error:
        if comm is None or comm.Get_rank() == 0:
            print(f"manybody: {error}", file=sys.stderr, flush=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manybody",
        description="Redfield and Davies master equations side by side, averaged over disorder.",
    )
    parser.add_argument("--version", action="version", version=f"manybody {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    plan = commands.add_parser("plan", help="what a study will cost: memory, time, ranks")
    plan.add_argument("study", help="a built-in study (see 'studies') or a TOML file")
    plan.add_argument(
        "--ranks", type=int, default=1, metavar="N", help="ranks of the run to plan (default 1)"
    )
    _add_group_size(plan)

    run = commands.add_parser("run", help="compute a study, or what is missing of it")
    run.add_argument("study", help="a built-in study (see 'studies') or a TOML file")
    run.add_argument(
        "--out", metavar="DIR", help="the store; made if needed (default results/<study name>)"
    )
    run.add_argument(
        "--threads", type=int, default=1, metavar="N", help="BLAS threads of each rank (default 1)"
    )
    run.add_argument(
        "--petsc-options", metavar="TEXT", help="as on PETSc's command line; replaces the study's"
    )
    _add_group_size(run)
    run.add_argument(
        "--shard",
        metavar="I/N",
        help="only the blocks whose index is I modulo N, I from 0: for the tasks of a job array",
    )
    run.add_argument("--quiet", action="store_true", help="no progress")

    sample = commands.add_parser("sample", help="compute one sample of a store again")
    sample.add_argument("directory", metavar="DIR")
    sample.add_argument("--size", type=int, required=True, help="as in the study")
    sample.add_argument("--index", type=int, required=True, help="of the sample, from 0")
    sample.add_argument("--model", help="where several have this size")
    sample.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter or change of the system, where several have this size; may be repeated",
    )

    status = commands.add_parser("status", help="what a store holds and what is missing")
    status.add_argument("directory", metavar="DIR")

    merge = commands.add_parser("merge", help="several stores of one study into one")
    merge.add_argument("directories", metavar="DIR", nargs="+")
    merge.add_argument("--out", required=True, metavar="DIR", help="made if needed; may be a DIR")

    compare = commands.add_parser(
        "compare-stores", help="two stores against each other, sample by sample"
    )
    compare.add_argument("left", metavar="A")
    compare.add_argument("right", metavar="B")

    report = commands.add_parser("report", help="figures and tables of a store")
    report.add_argument("directory", metavar="DIR")
    report.add_argument("--format", action="append", choices=FORMATS, help="may be repeated")
    report.add_argument(
        "--figure", metavar="NAME", help="this figure alone, as the report names it (png, pdf)"
    )

    commands.add_parser("studies", help="list the built-in studies")
    commands.add_parser("doctor", help="what this machine offers and what is missing")
    return parser


def _add_group_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group-size",
        metavar="N",
        help="ranks that share a sample, or auto; replaces the study's",
    )


def _plan(options: argparse.Namespace, _comm: Any) -> int:
    from manybody.study.forecast import measure_rates, plan_lines
    from manybody.study.plan import build_tasks, check_feasible, check_libraries, group_sizes

    if options.ranks < 1:
        raise ValueError(f"--ranks {options.ranks}: must be at least 1")
    cases, _ = _requested_cases(options)
    if cases is not None:
        from manybody.cases.running import plan_lines as case_lines

        print("\n".join(case_lines(cases, options.ranks)), flush=True)
        return 0
    study, _ = _requested_study(options)
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


def _run(options: argparse.Namespace, comm: Any) -> int:
    from manybody.study.ensemble import prepare, run_study
    from manybody.study.groups import rank_of, together
    from manybody.study.signals import STOPPED, StopRequest
    from manybody.study.store import Store

    keep_freed_memory()
    if options.threads < 1:
        raise ValueError(f"--threads {options.threads}: must be at least 1")
    shard = _shard(options.shard)
    cases, text = together(comm, lambda: _requested_cases(options))
    if cases is not None:
        return _run_cases(options, comm, cases, text, shard)
    study, text = together(comm, lambda: _requested_study(options))
    store = Store(_out(options, study.name))
    failed, missing, there, asked, stopped = 0, 0, 0, "", ""
    with StopRequest() as stop:
        places = {"": (study, store)}
        places |= {name: (each, store.variant(name)) for name, each in study.variants().items()}
        prepared = {
            name: (prepare(each, place, comm, "" if name else text), place)
            for name, (each, place) in places.items()
        }
        try:
            for each, place in prepared.values():
                # Not from the environment alone: bits depend on the number of BLAS threads.
                with blas_threads(options.threads):
                    outcome = run_study(
                        each, place, comm, options.threads, options.quiet, shard, stop, text
                    )
                failed, missing = failed + outcome.failed, missing + outcome.missing
                there += outcome.computed + outcome.present
                asked = asked or outcome.stopped
            # A shard leaves the report to whoever completes the store; where every sample
            # has failed there is nothing to report.
            stopped = asked if missing else ""
            is_last = options.shard is None and not stopped
            if rank_of(comm) == 0 and is_last and there:
                _write_report(store, None)
        except BaseException:
            # Past the checks nothing is bad input, and the other ranks know nothing of it.
            traceback.print_exc()
            print("manybody: the run stopped; finished blocks are safe", file=sys.stderr)
            sys.stderr.flush()
            if comm is not None:
                comm.Abort(1)
            return 1
    said = rank_of(comm) == 0
    if stopped:
        if said:
            print(
                f"manybody: stopped by {stopped}, {missing} samples are left: the same command "
                "goes on",
                file=sys.stderr,
                flush=True,
            )
        return STOPPED
    if failed:
        if said:
            print(
                f"manybody: {failed} samples have failed, see "
                f"{store.directory / 'failures'}; the next run tries them again",
                file=sys.stderr,
                flush=True,
            )
        return _FAILED
    return 0


def _run_cases(
    options: argparse.Namespace, comm: Any, study: Any, text: str, shard: tuple[int, int]
) -> int:
    from manybody.cases.pages import write_page
    from manybody.cases.running import prepare_cases, run_cases
    from manybody.cases.store import CaseStore
    from manybody.study.groups import rank_of
    from manybody.study.signals import STOPPED, StopRequest

    store = CaseStore(_out(options, study.name))
    with StopRequest() as stop:
        prepare_cases(study, store, comm, text)
        try:
            with blas_threads(options.threads):
                outcome = run_cases(
                    study, store, comm, options.threads, options.quiet, shard, stop
                )
            # As for samples: a shard leaves the page to whoever completes the store.
            stopped = outcome.stopped if outcome.missing else ""
            there = outcome.computed + outcome.present
            if rank_of(comm) == 0 and options.shard is None and not stopped and there:
                _print_written(*write_page(store), store.directory / "cases")
        except BaseException:
            traceback.print_exc()
            print("manybody: the run stopped; finished cases are safe", file=sys.stderr)
            sys.stderr.flush()
            if comm is not None:
                comm.Abort(1)
            return 1
    left = ""
    if stopped:
        left = f"stopped by {stopped}, {outcome.missing} cases are left: the same command goes on"
    elif outcome.failed:
        left = (
            f"{outcome.failed} cases have failed, see {store.directory / 'failures'}; the next "
            "run tries them again"
        )
    if left and rank_of(comm) == 0:
        print(f"manybody: {left}", file=sys.stderr, flush=True)
    if stopped:
        return STOPPED
    return _FAILED if outcome.failed else 0


def _out(options: argparse.Namespace, name: str) -> str:
    return options.out if options.out is not None else os.path.join("results", name)


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    words = text.split("/")
    if len(words) != 2 or not all(word.isdigit() for word in words):
        raise ValueError(f"--shard {text}: I/N is needed, as in 0/8")
    index, count = map(int, words)
    if not index < count:
        raise ValueError(f"--shard {text}: I is from 0 to N - 1 = {count - 1}")
    return index, count


def _sample(options: argparse.Namespace, comm: Any) -> int:
    from manybody.study.groups import rank_of
    from manybody.study.repeat import find_point, repeat_sample

    store = _store_of_samples(options.directory)
    point = find_point(store.study, options.size, options.model, options.where)
    with blas_threads():
        lines, agrees = repeat_sample(store, point, options.index, comm)
    if rank_of(comm) == 0:
        print("\n".join(lines), flush=True)
    return 0 if agrees else 1


def _store_of_samples(directory: str) -> Any:
    """A store that holds disorder samples, not cases.  Raises ValueError."""
    from manybody.cases.store import holds_cases
    from manybody.study.store import Store

    if holds_cases(directory):
        raise ValueError(
            f"{directory!r} holds a study of cases: run, plan, status and report take those, "
            "and run goes on with what is missing"
        )
    return Store(directory)


def _status(options: argparse.Namespace, _comm: Any) -> int:
    from manybody.cases import running
    from manybody.cases.store import CaseStore, holds_cases
    from manybody.study.status import status_lines
    from manybody.study.store import Store

    if holds_cases(options.directory):
        print("\n".join(running.status_lines(CaseStore(options.directory))), flush=True)
        return 0
    print("\n".join(status_lines(Store(options.directory))), flush=True)
    return 0


def _compare_stores(options: argparse.Namespace, _comm: Any) -> int:
    from manybody.study.comparing import comparison_lines

    left, right = _store_of_samples(options.left), _store_of_samples(options.right)
    lines = comparison_lines(left, right)
    print("\n".join(lines), flush=True)
    return 0


def _merge(options: argparse.Namespace, _comm: Any) -> int:
    from manybody.study.merging import merge
    from manybody.study.status import status_lines

    target = _store_of_samples(options.out)
    merged = merge([_store_of_samples(each) for each in options.directories], target)
    print(f"{merged.copied} blocks copied, {merged.duplicates} duplicate samples agree")
    for problem in merged.problems:
        print(f"LEFT OUT: {problem}")
    print("\n".join(status_lines(target)), flush=True)
    return 1 if merged.problems else 0


def _requested_cases(options: argparse.Namespace) -> tuple[Any, str]:
    """The study of cases that is asked for and its text, None for one of disorder samples."""
    from manybody.cases.kinds import has_kind, parse_case_study

    text, origin = find_study(options.study)
    if not has_kind(text, origin):
        return None, text
    study = parse_case_study(text, origin)
    for name in ("petsc_options", "group_size"):
        if getattr(options, name, None) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')}: means nothing to a study of kind {study.kind!r}"
            )
    return study, text


def _requested_study(options: argparse.Namespace) -> tuple[Study, str]:
    """The study with what the command line changes, and its text."""
    text, origin = find_study(options.study)
    study = parse_study(text, origin)
    if getattr(options, "petsc_options", None) is not None:
        check_stepper(study.stepper, options.petsc_options)
        study = replace(study, petsc_options=options.petsc_options)
    if options.group_size is not None:
        wish = options.group_size
        try:
            given: int | str = int(wish)
        except ValueError:
            given = wish
        study = replace(study, group_size=parse_group_size(given, study.stepper))
    return study, text


def _report(options: argparse.Namespace, _comm: Any) -> int:
    from manybody.cases.pages import write_page, write_page_figure
    from manybody.cases.store import CaseStore, holds_cases
    from manybody.study.store import Store

    if holds_cases(options.directory):
        cases = CaseStore(options.directory)
        if options.figure is None:
            _print_written(*write_page(cases, options.format), cases.directory / "cases")
            return 0
        for path in write_page_figure(cases, options.figure, options.format):
            print(f"figure: {path}", flush=True)
        return 0
    if options.figure is None:
        _write_report(Store(options.directory), options.format)
        return 0
    from manybody.report.writing import write_figure

    for path in write_figure(Store(options.directory), options.figure, options.format):
        print(f"figure: {path}", flush=True)
    return 0


def _write_report(store: Any, formats: Sequence[str] | None) -> None:
    from manybody.report.writing import write_report

    _print_written(*write_report(store, formats), store.directory / "blocks")


def _print_written(summary: str, paths: Sequence[Path], data: Path) -> None:
    print(summary)
    for path in paths:
        kind = {".html": "report", ".md": "report", ".csv": "table", ".parquet": "table"}.get(
            path.suffix, "figure"
        )
        print(f"{kind}: {path}")
    print(f"data: {data}", flush=True)


def _studies(_options: argparse.Namespace, _comm: Any) -> int:
    from manybody.cases.kinds import has_kind, parse_case_study

    for name, text in builtin_studies().items():
        if has_kind(text, f"study {name}"):
            cases = parse_case_study(text, f"study {name}")
            print(f"{name}: {cases.description}")
            print(f"    {len(cases.cases)} cases of the kind {cases.kind}")
            continue
        study = parse_study(text, f"study {name}")
        print(f"{name}: {study.description}")
        for system in study.systems:
            words = " ".join(f"{key}={value}" for key, value in system.parameters)
            sizes = ", ".join(map(str, system.sizes))
            print(f"    {system.model} {words}, sizes {sizes}, {system.samples} samples")
    return 0


def _doctor(_options: argparse.Namespace, _comm: Any) -> int:
    print("\n".join(doctor_report()))
    return 0


def _communicator() -> Any:
    """COMM_WORLD under an MPI launcher with more than one rank, else None.

    Raises RuntimeError when there are several ranks and no mpi4py: each would
    otherwise take itself for the only one.
    """
    ranks = launched_ranks()
    if ranks <= 1:
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RuntimeError(
            f"started with {ranks} ranks, but mpi4py does not import ({error}): "
            "run one process, or install mpi4py (scripts/setup.sh)"
        ) from error
    comm = MPI.COMM_WORLD
    if comm.Get_size() != ranks:
        raise RuntimeError(
            f"the launcher started {ranks} ranks, mpi4py sees {comm.Get_size()}: "
            "mpi4py belongs to another MPI than the launcher"
        )
    return comm


def _abort_all_on_exception(comm: Any) -> None:
    """An exception on one rank would leave the others waiting for ever."""

    def hook(kind: Any, value: BaseException, trace: Any) -> None:
        traceback.print_exception(kind, value, trace)
        sys.stderr.flush()
        comm.Abort(1)

    sys.excepthook = hook
