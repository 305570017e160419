"""What a study is: frozen dataclasses, their canonical JSON and its hash."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

from manybody.physics import arguments
from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.several import AnyBaths
from manybody.physics.fock.basis import FockBasis
from manybody.physics.keys import InWords, Key
from manybody.physics.models.families import FAMILIES
from manybody.physics.models.family import Family
from manybody.physics.models.protocol import Model
from manybody.physics.quantities.expectations import Expectation, Places
from manybody.physics.starts import Start
from manybody.seeding import generator, sample_entropy
from manybody.solve.expectations import build_expectations
from manybody.solve.observables.registry import chosen
from manybody.solve.starting import start_of
from manybody.study.canonical import hash_of, strict_json
from manybody.study.convergence import (
    Convergence,
    OperatorName,
    Share,
    StepperName,
    Tolerance,
    refined,
)
from manybody.study.files import contents_in, is_file, matrix_of, named_text
from manybody.study.own_models import (
    FILES,
    OwnFamily,
    OwnModel,
    check_reference,
    checked_parameter,
)
from manybody.study.regions import baths_at, common
from manybody.study.structure import (
    Count,
    Listed,
    Name,
    Natural,
    Pairs,
    SamplesOfSizes,
    Table,
    check_keys,
    checked_words,
    said,
    structure,
    table_of,
    unstructure,
)

FORMATS = ("html", "markdown", "png", "pdf", "csv", "parquet", "hdf5")
DEFAULT_FORMATS = ("html", "png", "pdf", "csv")
# The observable that is of the evolution in time.
TRACE_DISTANCE = "trace_distance"
# Samples that a block may have where a study leaves it open, and what they may cost together,
# about a second; in N³: an output time.  These, and the `block_cost` of observables, are not of
# the cost model, which learns: all versions must cut a study into the same blocks.
_BLOCK_SIZES = (1, 2, 5, 10, 20, 50, 100)
_BLOCK_COST = 5e9
_COST_OF_A_TIME = 20.0

# Any, since a float is finite elsewhere.
InverseTemperature = Annotated[Any, arguments.inverse_temperature, "a number >= 0, or inf"]
Formats = Annotated[
    tuple[str, ...], partial(checked_words, allowed=FORMATS), f"a list of {', '.join(FORMATS)}"
]
STUDY_NAME = Key("name of the study, of its folder under results/ and of its figures", "")
STUDY_DESCRIPTION = Key("sentence that the list of studies and the report begin with", "")
_FILES = Key("what a report writes: pages, figures and tables", "", DEFAULT_FORMATS)
OUTPUTS = {"formats": Annotated[Formats, _FILES]}
Outputs = table_of(OUTPUTS)


@dataclass(frozen=True)
class Point:
    """One model at one size: the unit over which disorder is averaged.

    changes: where this point departs from the study: keys initial_site, initial_beta,
    initial_state, lamb_shift and those of the bath (bath_coupling ...).  The disorder does not
    depend on them, so that points which differ in them alone can be compared sample by sample.
    own: the model, where it is none of `FAMILIES`.
    """

    model: str
    parameters: Pairs
    size: int
    changes: Pairs = ()
    own: OwnModel | None = None

    @property
    def family(self) -> Family:
        """What is known of the model."""
        return FAMILIES[self.model] if self.own is None else OwnFamily(self.model, self.own)

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return self.family.n_sites(self.size, dict(self.parameters))

    @property
    def dimension(self) -> int:
        """Number of states D, N for one particle."""
        return self.family.dimension(self.size, dict(self.parameters))

    @property
    def basis(self) -> FockBasis | None:
        """Occupations of the states of many particles, None for one or where there are none."""
        return self.family.basis(self.size, dict(self.parameters))

    @property
    def is_many(self) -> bool:
        """Whether it is of many particles."""
        return self.family.is_many(self.size, dict(self.parameters))

    @property
    def places(self) -> Places:
        """Where operators act."""
        return Places(self.dimension, self.n_sites, self.basis, self.is_many)

    @property
    def bandwidth(self) -> float:
        """Typical E_max − E_min, in J."""
        return self.family.bandwidth(self.size, dict(self.parameters))

    @property
    def name(self) -> str:
        """Unique name, fit for a folder."""
        words = [self.model.replace(":", ".")]
        if self.own is not None:
            words = [self.own.name or words[0]]
            words += [f"baths={self.own.coupled_words}"] if self.own.coupled_words else []
        words += [f"{key}={value}" for key, value in (*self.parameters, *self.changes)]
        words.append(f"{self.family.size}={self.size}")
        # Files may lie in folders.
        return "-".join(words).replace("/", "_")

    @property
    def traits(self) -> dict[str, Any]:
        """What tells it from others of its model and size, by name."""
        named = {} if self.own is None else self.own.traits
        return {**dict(self.parameters), **dict(self.changes), **named}

    @property
    def origin(self) -> dict[str, str]:
        """What its blocks say beside model, parameters, changes and seeds."""
        return {} if self.own is None else self.own.origin

    def entropy(self, seed: int, sample: int) -> tuple[int, ...]:
        """Seed words of one disorder sample; of files the hash of their content."""
        own = None if self.own is None else self.own.entropy(self.size, sample)
        if own is not None:
            return own
        return sample_entropy(seed, self.model, dict(self.parameters), self.size, sample)

    def build(self, seed: int, sample: int) -> Model:
        """Draw one disorder sample."""
        rng = generator(self.entropy(seed, sample))
        return self.family.draw(self.size, dict(self.parameters), sample, rng)


@dataclass(frozen=True)
class System:
    """One model with fixed parameters over several sizes: one panel of the figure.

    samples: of every size, or as many numbers as there are sizes; own: of a model that is none
    of `FAMILIES`, whose files say sizes and samples themselves.
    """

    model: str
    parameters: Pairs
    sizes: Listed[Count]
    samples: SamplesOfSizes
    changes: Pairs = ()
    own: OwnModel | None = None

    def __post_init__(self) -> None:
        if self.own is not None:
            check_reference(self.model)
            for key, value in self.parameters:
                checked_parameter("parameters", key, value)

    @property
    def is_known(self) -> bool:
        """Whether its sizes can be asked for facts: of own models somebody must have looked."""
        return self.own is None or self.own.is_known

    @property
    def family(self) -> Family:
        """What is known of the model."""
        return FAMILIES[self.model] if self.own is None else OwnFamily(self.model, self.own)

    @property
    def points(self) -> tuple[Point, ...]:
        """One point a size, ascending."""
        return tuple(
            Point(self.model, self.parameters, size, self.changes, self.own) for size in self.sizes
        )

    @property
    def counts(self) -> dict[int, int]:
        """Samples by size."""
        every = self.samples
        several = every if isinstance(every, tuple) else (every,) * len(self.sizes)
        return dict(zip(self.sizes, several))

    @property
    def key(self) -> tuple[object, ...]:
        """What tells systems of one study apart."""
        if self.own is None:
            return (self.model, self.parameters, self.changes)
        # 1 and 1.0 draw other samples.
        parameters = tuple((name, repr(value)) for name, value in self.parameters)
        own = (self.own.name, self.own.coupled_sites)
        return (self.model, parameters, self.changes, *own)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A whole study.  Fields are the keys of the TOML file, see `study.keys`.

    times: empty unless the trace distance is among the observables; bath_type, bath_parameters:
    of `BATH_FAMILIES`, with "at.REGION.PARAMETER" where a region has its own; equations: of
    `EQUATIONS`; expectations: names of expectation values in time, as `compare` has them, or
    NAME=file:... of operators from files; files: name -> content of the files that the study
    names.
    """

    name: Annotated[Name, STUDY_NAME]
    description: Annotated[str, STUDY_DESCRIPTION] = ""
    seed: Annotated[
        Natural, Key("all disorder is drawn from it, with model, parameters and size", "")
    ]
    times: Listed[float] = ()
    bath_type: str = "ohmic"
    bath_parameters: Pairs
    initial_site: Annotated[Natural, Key("j of the start ρ(0) = |j⟩⟨j| of one particle", "")] = 0
    # None starts on a site.
    initial_beta: Annotated[
        InverseTemperature | None,
        Key(
            "β of a thermal start e^{−βH}/Z; inf starts in the mixture of ground states",
            "1/J",
            InWords("no thermal start"),
        ),
    ] = None
    # A name or a file, as `compare` has it; None for a site, or the pattern "spread" of many.
    initial_state: str | None = None
    lamb_shift: Annotated[bool, Key("whether equations keep the Lamb shift η", "")] = False
    equations: Listed[str] = ("redfield", "davies")
    observables: Listed[str] = (TRACE_DISTANCE,)
    expectations: Listed[str] = ()
    stepper: Annotated[
        StepperName, Key("how stepped equations are propagated; ts- and mfn- need PETSc", "")
    ] = "chebyshev"
    tolerance: Annotated[Tolerance, Key("error of states that the stepper aims at", "")] = 1e-10
    petsc_options: Annotated[
        str, Key("as on PETSc's command line, -redfield_ts_adapt_type none for one", "")
    ] = ""
    operator: Annotated[
        OperatorName, Key("the generator as products of matrices, or as a sparse one (PETSc)", "")
    ] = "matrix-free"
    drop_tolerance: Annotated[
        Share,
        Key("entries of assembled rates below this share of the largest rate are dropped", ""),
    ] = 0.0
    # Ranks that share a sample; None lets the cost model decide, size by size.
    group_size: Count | None = None
    block_size: Annotated[
        Count | None,
        Key(
            "samples that are computed and stored together; fixed once a store is begun",
            "",
            InWords("as many as take about a second"),
        ),
    ] = None
    formats: Formats = DEFAULT_FORMATS
    systems: Listed[Table[System]]
    convergence: Annotated[
        Table[Convergence] | None,
        Key("what to compute otherwise, to know numerical errors", "", InWords("nothing")),
    ] = None
    # Their digests are in the texts that name them.
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def bath(self) -> Bath:
        """What its type and parameters build, where no region says otherwise."""
        return BATH_FAMILIES[self.bath_type].build(**common(self.bath_parameters))

    def baths(self, point: Point) -> AnyBaths:
        """Those of the coupled sites of a point.  Raises ValueError for unknown regions."""
        kind, family = BATH_FAMILIES[self.bath_type], point.family
        bath = self.at(point).bath_parameters
        return baths_at(kind, bath, family, point.size, dict(point.parameters))

    @cached_property
    def wanted(self) -> Mapping[Point, int]:
        """Every point in its order, with its number of samples."""
        return {
            point: system.counts[point.size] for system in self.systems for point in system.points
        }

    @property
    def evolves(self) -> bool:
        """Whether the equations are propagated in time."""
        return TRACE_DISTANCE in self.observables

    @cached_property
    def expected(self) -> tuple[Expectation, ...]:
        """The expectation values by what their names and files stand for."""
        given = {
            name: matrix_of(text, self.files) if is_file(text) else text
            for name, text in map(named_text, self.expectations)
        }
        return build_expectations(given)

    @property
    def expected_names(self) -> list[str]:
        """Names of the expectation values, whether or not their files are at hand."""
        return [name for name, _ in map(named_text, self.expectations)]

    @property
    def file_texts(self) -> list[str]:
        """Every text of the study and its systems that stands for a file, each once."""
        every = [dict(system.changes).get("initial_state") for system in self.systems]
        operators = [text for _, text in map(named_text, self.expectations)]
        found = [text for text in (self.initial_state, *every, *operators) if text is not None]
        return list(dict.fromkeys(filter(is_file, found)))

    def with_files_of(self, folder: Path) -> "Study":
        """This study with those of its files that lie in a folder as it knows them."""
        texts = self.file_texts
        return replace(self, files=contents_in(folder, texts)) if texts else self

    def start(self, point: Point) -> Start:
        """Where the samples of a point start.  Raises ValueError where they cannot."""
        own, basis = self.at(point), point.basis
        state: Any = own.initial_state
        if state is not None and is_file(state):
            state = matrix_of(state, own.files)
        given = own.initial_site, own.initial_beta, state
        return start_of(basis, point.dimension, point.is_many, given)

    def at(self, point: Point) -> "Study":
        """This study with the changes of one point."""
        changes = dict(point.changes)
        bath = tuple((key, changes.pop(f"bath_{key}", own)) for key, own in self.bath_parameters)
        return replace(self, bath_parameters=bath, **changes)

    def samples_in_block(self, point: Point) -> int:
        """How many samples of a point are computed and committed together."""
        return self.block_size or self.comfortable_block(point)

    def comfortable_block(self, point: Point) -> int:
        """Samples that take about a second: a stop, or a death, costs no more."""
        each = 0.0
        if self.evolves:
            each += point.bandwidth * self.times[-1] + _COST_OF_A_TIME * len(self.times)
        each += sum(observable.block_cost for observable in chosen(self.observables))
        cost = each * point.dimension**3
        return max(size for size in _BLOCK_SIZES if size == 1 or size * cost <= _BLOCK_COST)

    def identity(self) -> dict[str, Any]:
        """What decides the numbers of a sample: equal for all studies of one store."""
        return {
            "seed": self.seed,
            "times": list(self.times),
            "bath": {"type": self.bath_type, **dict(self.bath_parameters)},
            "initial_site": self.initial_site,
            "initial_beta": self.initial_beta,
            "initial_state": self.initial_state,
            "lamb_shift": self.lamb_shift,
            "equations": list(self.equations),
            "observables": list(self.observables),
            "expectations": sorted(self.expectations),
            "stepper": self.stepper,
            "tolerance": self.tolerance,
            "petsc_options": self.petsc_options,
            "operator": self.operator,
            "drop_tolerance": self.drop_tolerance,
        }

    def to_json(self) -> dict[str, Any]:
        """Everything but the content of files, as JSON values; `from_json` inverts it.

        What is infinite is "inf".
        """
        values = unstructure(replace(self, files={}))
        del values["files"]
        for system in values["systems"]:
            # Stores without own models are as they were before there were any.
            if system["own"] is None:
                del system["own"]
        found: dict[str, Any] = strict_json(values)
        return found

    def variants(self) -> dict[str, "Study"]:
        """Name -> the study that computes some samples otherwise, see `Convergence`."""
        wish = self.convergence
        if wish is None:
            return {}
        systems = []
        for system in self.systems:
            sizes = [p.size for p in system.points if p.n_sites <= (wish.max_sites or p.n_sites)]
            if sizes:
                counts = {size: min(wish.samples, system.counts[size]) for size in sizes}
                systems.append(with_counts(system, counts))
        # Other observables have tolerances of their own.
        base = replace(
            self,
            systems=tuple(systems),
            convergence=None,
            observables=(TRACE_DISTANCE,),
            expectations=(),
        )
        found = {
            f"tolerance={value:g}": replace(base, tolerance=value) for value in wish.tolerance
        }
        # Options are of the stepper that they were written for, and not every one can share a
        # sample between ranks.
        bare = replace(base, petsc_options="", group_size=None)
        found |= {f"stepper={name}": replace(bare, stepper=name) for name in wish.stepper}
        for name in wish.operator:
            kept = self.drop_tolerance if name == "assembled" else 0.0
            found[f"operator={name}"] = replace(base, operator=name, drop_tolerance=kept)
        assembled = replace(base, operator="assembled")
        for drop in wish.drop_tolerance:
            found[f"drop_tolerance={drop:g}"] = replace(assembled, drop_tolerance=drop)
        for factor in wish.time_refinement:
            found[f"time_refinement={factor}"] = replace(base, times=refined(self.times, factor))
        return found if systems else {}

    def hash(self) -> str:
        """SHA-256 of the identity in canonical JSON."""
        return hash_of(self.identity())


def with_counts(system: System, counts: Mapping[int, int]) -> System:
    """The system with other sizes, by their numbers of samples."""
    sizes = tuple(sorted(counts))
    several = tuple(counts[size] for size in sizes)
    samples: Any = several[0] if len(set(several)) == 1 else several
    return replace(system, sizes=sizes, samples=samples)


def from_json(values: Mapping[str, Any]) -> Study:
    """The study that `Study.to_json` wrote: every key must be there.

    Infinities may be words of Python's JSON too, which older versions wrote.
    """
    names = [each.name for each in fields(Study) if each.name != "files"]
    check_keys("study", values, dict.fromkeys(names, said("anything", "as stored", "")))
    beta = values["initial_beta"]
    study = structure({**values, "initial_beta": math.inf if beta == "inf" else beta}, Study)
    systems = [replace(own, changes=_with_infinities(own.changes)) for own in study.systems]
    bath = _with_infinities(study.bath_parameters)
    return replace(study, bath_parameters=bath, systems=tuple(systems))


def _with_infinities(pairs: Pairs) -> Pairs:
    """Names and values with the number for "inf", but where words belong."""
    return tuple(
        (key, math.inf if value == "inf" and key != "initial_state" else value)
        for key, value in pairs
    )


def merge_systems(stored: Study, wanted: Study) -> Study:
    """`stored`, extended by the systems, sizes and samples of `wanted`."""
    merged = {system.key: system for system in stored.systems}
    for system in wanted.systems:
        known = merged.get(system.key, system)
        if known.own is not None and system.own is not None:
            system = replace(system, own=known.own.merged(system.own))
        before, own = known.counts, system.counts
        sizes = {*before, *own}
        counts = {size: max(before.get(size, 0), own.get(size, 0)) for size in sizes}
        given = (known.samples, system.samples)
        # There are as many samples of a size as files, and no more.
        if all(isinstance(each, int) for each in given) and system.model != FILES:
            counts = dict.fromkeys(sizes, max(given))
        merged[system.key] = with_counts(system, counts)
    return replace(
        stored,
        formats=wanted.formats,
        convergence=wanted.convergence or stored.convergence,
        group_size=wanted.group_size,
        systems=tuple(merged.values()),
        files={**stored.files, **wanted.files},
    )
