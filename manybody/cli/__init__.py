"""python -m manybody: plan | run | sample | status | merge | compare-stores | report | ..."""

import argparse
import sys
from collections.abc import Sequence

from manybody import __version__
from manybody.cli import information, running, stores
from manybody.cli.communicator import abort_all_on_exception, communicator
from manybody.cli.speech import log_on_stderr, sentence
from manybody.errors import InputError, NumericalError, Unavailable
from manybody.parallel.collective import everybody_raises, rank_of
from manybody.study.configuration import FORMATS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 done; 2 bad input; 3 done but for samples that failed; 75 stopped by a signal, the same
    command goes on; 1 anything else.  What is for people is one sentence, and so is what the
    machine refuses, memory or a file; any other exception is a mistake of this program and comes
    through, as does what a rank raises alone: it is printed there and all ranks end.
    """
    options = _parser().parse_args(arguments)
    comm = None
    try:
        comm = communicator() if options.command in ("run", "sample") else None
        if comm is not None:
            abort_all_on_exception(comm)
        command = {
            "plan": running.plan,
            "run": running.run,
            "sample": running.sample,
            "status": stores.status,
            "merge": stores.merge,
            "compare-stores": stores.compare_stores,
            "report": stores.report,
            "studies": information.studies,
            "doctor": information.doctor,
        }
        with log_on_stderr():
            return command[options.command](options, comm)
    except (InputError, Unavailable, NumericalError, OSError, MemoryError) as error:
        if comm is not None and not everybody_raises(error, comm):
            raise
        if rank_of(comm) == 0:
            print(f"manybody: {sentence(error)}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, InputError) else 1


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
    _add_models(plan)

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
    _add_models(run)
    run.add_argument(
        "--shard",
        metavar="I/N",
        help="only the blocks whose index is I modulo N, I from 0: for the tasks of a job array",
    )
    run.add_argument("--quiet", action="store_true", help="no progress")

    sample = commands.add_parser("sample", help="compute one sample of a store again")
    sample.add_argument("directory", metavar="DIR")
    sample.add_argument("--size", type=int, help="as in the study; of samples")
    sample.add_argument("--index", type=int, default=0, help="of the sample, from 0 (default 0)")
    sample.add_argument("--model", help="where several have this size")
    sample.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter or change of the system, where several have this size; may be repeated",
    )

    _add_models(sample)

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


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="run the modules that the study names as models: they may do anything",
    )
    parser.add_argument(
        "--models",
        metavar="FOLDER",
        help="where modules and files of the study's models lie (default: beside the study file)",
    )


def _add_group_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group-size",
        metavar="N",
        help="ranks that share a sample, or auto; replaces the study's",
    )
