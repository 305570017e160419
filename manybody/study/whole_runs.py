"""A study together with the samples that it wants computed otherwise, see `Convergence`."""

from collections.abc import Callable
from dataclasses import dataclass

from manybody.parallel.signals import never
from manybody.study.block_store import BlockStore
from manybody.study.kind import B, P, R, S
from manybody.study.runner import prepare, run_study
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator

# (what to run, where it lies), the study itself first.
Prepared = list[tuple[S, BlockStore[S, P, R, B]]]


@dataclass(frozen=True)
class WholeOutcome:
    """What a run of a study and its variants did; fields as of `Outcome`, summed.

    there: samples that the stores have now.
    """

    there: int
    failed: int
    missing: int
    stopped: str


def prepare_whole(
    study: S, store: BlockStore[S, P, R, B], comm: Communicator | None = None, text: str = ""
) -> Prepared[S, P, R, B]:
    """`prepare` of a study and of all its variants.  Raises what that does."""
    variants = store.kind.variants(study)
    places = {"": (study, store)}
    places |= {name: (each, store.variant(name)) for name, each in variants.items()}
    return [
        (prepare(each, place, comm, "" if name else text), place)
        for name, (each, place) in places.items()
    ]


def run_whole(
    prepared: Prepared[S, P, R, B],
    comm: Communicator | None = None,
    threads: int = 1,
    quiet: bool = False,
    shard: tuple[int, int] = (0, 1),
    stop: Callable[[], str] = never,
    text: str = "",
) -> WholeOutcome:
    """`run_study` of all that was prepared, on so many threads of BLAS a rank."""
    there, failed, missing, stopped = 0, 0, 0, ""
    for study, store in prepared:
        # Not from the environment alone: bits depend on the number of BLAS threads.
        with blas_threads(threads):
            outcome = run_study(study, store, comm, threads, quiet, shard, stop, text)
        failed, missing = failed + outcome.failed, missing + outcome.missing
        there += outcome.computed + outcome.present
        stopped = stopped or outcome.stopped
    return WholeOutcome(there, failed, missing, stopped)
