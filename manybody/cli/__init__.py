"""python -m manybody: plan | run | sample | status | merge | compare-stores | report | ..."""

import sys
from collections.abc import Sequence

from manybody.cli import information, running, stores
from manybody.cli.communicator import abort_all_on_exception, communicator
from manybody.cli.parser import build_parser
from manybody.cli.speech import log_on_stderr, sentence
from manybody.errors import InputError, NumericalError, Unavailable
from manybody.parallel.collective import everybody_raises, rank_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 done; 2 bad input; 3 done but for samples that failed; 75 stopped by a signal, 130 by Ctrl-C,
    and the same command goes on; 1 anything else.  What is for people is one sentence, and so is
    what the machine refuses, memory or a file; any other exception is a mistake of this program
    and comes through, as does what a rank raises alone: it is printed there and all ranks end.
    """
    options = build_parser().parse_args(arguments)
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
            "docs": information.docs,
        }
        with log_on_stderr():
            return command[options.command](options, comm)
    except (InputError, Unavailable, NumericalError, OSError, MemoryError) as error:
        if comm is not None and not everybody_raises(error, comm):
            raise
        if rank_of(comm) == 0:
            print(f"manybody: {sentence(error)}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, InputError) else 1
