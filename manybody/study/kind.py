"""What a kind of study is: how its text, tasks, numbers and blocks come about.

Runs, stores, claims, merges and status are the same for all kinds.  The table of kinds is handed
down by the command line; this floor knows samples alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from manybody.errors import InputError
from manybody.study.block_files import Content
from manybody.system.communicator import Communicator

# What the numbers of one sample may raise.  Anything else is a mistake of this program or an
# illness of the machine, and ends the run.
SAMPLE_ERRORS = (RuntimeError, ArithmeticError, ValueError)


class AnyStudy(Protocol):
    """What all studies have; wanted: every point in its order, with its number of samples."""

    @property
    def name(self) -> str:
        """Fit for a folder."""

    @property
    def wanted(self) -> Mapping[Any, int]:
        """Every point in its order, with its number of samples."""

    def hash(self) -> str:
        """Of what decides the numbers: equal for all studies of one store."""

    def to_json(self) -> dict[str, Any]:
        """Everything but the content of files, as JSON values."""


class AnyPoint(Protocol):
    """What one calculation, or one for each sample, is of; name: fit for a folder, unique."""

    @property
    def name(self) -> str:
        """Fit for a folder."""


class AnyRecord(Protocol):
    """One finished sample; applications: of generators."""

    @property
    def sample(self) -> int:
        """Its index."""

    @property
    def seconds(self) -> float:
        """Of wall time."""

    @property
    def applications(self) -> int:
        """Of generators."""


class AnyBlock(Protocol):
    """What one block file holds; samples: (n,) indices; attributes: of the file."""

    @property
    def path(self) -> Path:
        """Of the file."""

    @property
    def samples(self) -> Any:
        """(n,) indices."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Of the file, provenance among them."""

    @property
    def arrays(self) -> Mapping[str, Any]:
        """(n, ...) by name."""


S = TypeVar("S", bound=AnyStudy)
P = TypeVar("P", bound=AnyPoint)
R = TypeVar("R", bound=AnyRecord)
B = TypeVar("B", bound=AnyBlock)


@dataclass(frozen=True)
class Task(Generic[P]):
    """A block of samples of one point: the unit of work and of the store.

    first, stop: sample indices [first, stop); cost: predicted core-seconds on a nominal
    machine; index: its number among the blocks of the study, by which shards are dealt.
    """

    point: P
    first: int
    stop: int
    cost: float
    index: int = 0

    @property
    def n_samples(self) -> int:
        """Number of samples in the block."""
        return self.stop - self.first


@dataclass
class Measured:
    """What the samples of a point took: their number, wall seconds and applications."""

    samples: int = 0
    seconds: float = 0.0
    applications: int = 0

    def add(self, records: Sequence[AnyRecord]) -> None:
        """Count finished samples."""
        self.samples += len(records)
        self.seconds += sum(record.seconds for record in records)
        self.applications += sum(record.applications for record in records)


@dataclass(frozen=True)
class Job(Generic[S]):
    """What the blocks of one run have in common.

    store: a `BlockStore`; ranks: those that share a sample, or None; provenance: where it runs;
    tell: takes a sentence on what is at hand; stop: says the signal that ends the run, or
    nothing; tally: by point; warned: what has been said of a point.
    """

    study: S
    store: Any
    ranks: Communicator | None
    provenance: dict[str, Any]
    tell: Callable[[str], None]
    stop: Callable[[], str]
    tally: dict[Any, Measured]
    warned: set[tuple[Any, str]] = field(default_factory=set)

    def commit(self, point: Any, records: Sequence[AnyRecord], **facts: Any) -> None:
        """Write a block of finished samples and count them; facts: what else to say of them."""
        self.tally.setdefault(point, Measured()).add(records)
        self.store.commit(self.study, point, records, {**self.provenance, **facts})

    def shall_stop(self) -> bool:
        """Whether one of the ranks that share samples was asked to stop; collective."""
        return any([self.stop()] if self.ranks is None else self.ranks.allgather(self.stop()))


def _nothing_to_adapt(study: S, petsc_options: str | None, group_size: object) -> S:
    for option, value in {"--petsc-options": petsc_options, "--group-size": group_size}.items():
        if value is not None:
            raise InputError(f"{option}: means nothing to this kind of study")
    return study


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[S, P, R, B]):
    """One kind of study, as data; S, P, R, B: its studies, points, records and blocks.

    name: the value of `kind` in a study's text; counted: what its samples are called;
    may_be_added: what a store may be extended by; store_format: of the descriptions and blocks
    that it writes; readers, older: format -> what makes a study of a description, older ones
    being those that a run takes over by take_over(store, study).

    The text.  parse(text, origin, folder): checks a TOML text completely and builds the study,
    folder: where the files lie that it may name, None for none; adapted(study, petsc_options,
    group_size): with what a command line changes; with_models, load_models(study, folder,
    allow_code): what is known of models that it brings along, and letting this process draw
    their samples; outline(study): what it is of, in lines for people.  All raise InputError.

    Its description.  changes(there, here): (key, there, here) of all that forbids two studies to
    share a folder; merged(stored, wanted): the one, extended by the other; joined(studies): all
    of a merge; check_description: raises InputError for what no store can hold; files(study):
    name -> content of what lies beside the description; with_files(folder, study): the study
    with those that a folder has.

    Tasks.  seconds(study, point): predicted core-seconds of a sample on a nominal machine;
    samples_in_block(study, point); in_blocks_of(stored, study): the study with the borders of
    blocks of its store; group_sizes(study, tasks, n_ranks): ranks that share a sample;
    variants(study): name -> a study that computes some samples otherwise;
    check_machine(study, n_ranks, finished): raises InputError or Unavailable where this machine
    cannot compute what is missing, finished: point -> samples that a store has;
    plan_lines(study, n_ranks): what it will cost.

    Numbers.  compute(job, point, missing): computes samples and commits them, or records that
    they failed, raises Stopped where one ends at a checkpoint; provenance(study): what a block
    says of how it was computed, beside the machine; begin(): what is measured before a run;
    closing_lines(study, measured, group_sizes, begun, bytes): what was predicted and measured;
    flops(study, point): of one application of a generator.

    Blocks.  content(study, point, records, provenance): of the block of consecutive samples;
    failure(study, point, sample): what the record of a failed sample says beside its error;
    read_block(path, study, point): raises CorruptBlock unless it is whole and holds what its
    name and folder promise; check_block: the same of which only the error matters;
    disagreement(left, row, right, other_row): how far two differ in a sample, whatever time it
    took: 0 for equal bits, up to 1 by rounding; rows_of(block, rows): some of its samples.

    Words.  row_of(point): the row of a table of status that it belongs to;
    comparison_lines(left, right): two stores sample by sample; repeat(store, point, sample,
    comm): a sample of a store again, in lines, and whether the store agrees.
    """

    name: str
    counted: str
    may_be_added: str
    store_format: Any
    readers: Mapping[Any, Callable[[Mapping[str, Any]], S]]
    older: Mapping[Any, Callable[[Mapping[str, Any]], S]] = field(default_factory=dict)
    take_over: Callable[[Any, S], None] = lambda *_: None

    parse: Callable[[str, str, Path | None], S]
    adapted: Callable[[S, str | None, object], S] = _nothing_to_adapt
    with_models: Callable[[S, Path, bool], S] = lambda study, *_: study
    load_models: Callable[[S, Path, bool], None] = lambda *_: None
    outline: Callable[[S], list[str]]

    changes: Callable[[S, S], list[tuple[str, Any, Any]]]
    merged: Callable[[S, S], S]
    joined: Callable[[Sequence[S]], S]
    check_description: Callable[[S], None] = lambda *_: None
    files: Callable[[S], Mapping[str, bytes]] = lambda _: {}
    with_files: Callable[[Path, S], S] = lambda _, study: study

    seconds: Callable[[S, P], float]
    samples_in_block: Callable[[S, P], int] = lambda *_: 1
    in_blocks_of: Callable[[S, S], S] = lambda _, study: study
    group_sizes: Callable[[S, Sequence[Task[P]], int], dict[P, int]] = lambda _, tasks, __: (
        dict.fromkeys((task.point for task in tasks), 1)
    )
    variants: Callable[[S], dict[str, S]] = lambda _: {}
    check_machine: Callable[[S, int, Callable[[P], set[int]]], None]
    plan_lines: Callable[[S, int], list[str]]

    compute: Callable[[Job[S], P, Sequence[int]], None]
    provenance: Callable[[S], dict[str, Any]] = lambda _: {}
    begin: Callable[[], Any] = lambda: None
    closing_lines: Callable[[S, Mapping[P, Measured], Mapping[P, int], Any, float], list[str]] = (
        lambda *_: []
    )
    flops: Callable[[S, P], float] = lambda *_: 0.0

    content: Callable[[S, P, Sequence[R], Mapping[str, Any]], Content]
    failure: Callable[[S, P, int], dict[str, Any]]
    read_block: Callable[[Path, S, P], B]
    check_block: Callable[[Path, S, P], object]
    disagreement: Callable[[B, int, B, int], float]
    rows_of: Callable[[B, list[int]], B]

    row_of: Callable[[P], str] = lambda point: point.name
    comparison_lines: Callable[[Any, Any], list[str]]
    repeat: Callable[[Any, P, int, Communicator | None], tuple[list[str], bool]]

    def tasks(self, study: S, shard: tuple[int, int] = (0, 1)) -> list[Task[P]]:
        """The blocks of a study, the most expensive first so that ranks finish together.

        Block borders are multiples of `samples_in_block`, whatever the number of ranks.
        shard: (i, n) for those whose index is i modulo n.
        """
        tasks: list[Task[P]] = []
        for point, count in study.wanted.items():
            seconds, size = self.seconds(study, point), self.samples_in_block(study, point)
            for first in range(0, count, size):
                stop = min(first + size, count)
                tasks.append(Task(point, first, stop, (stop - first) * seconds, len(tasks)))
        tasks = tasks[shard[0] :: shard[1]]
        return sorted(tasks, key=lambda task: (-task.cost, task.point.name, task.first))
