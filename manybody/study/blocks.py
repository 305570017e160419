"""A block of samples of one point: what its file holds, and what makes one trustworthy."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics.quantities.certificates import Certificate
from manybody.physics.quantities.expectations import Expectation
from manybody.physics.quantities.local_figures import LocalFigures
from manybody.physics.spectra import VERDICTS
from manybody.solve.comparison import Comparison, pairs_of
from manybody.solve.local import OF_EQUATION, OF_PAIR
from manybody.solve.meanings import CONVENTIONS, MEANINGS, UNITS
from manybody.solve.observables.registry import figures_of
from manybody.study.block_files import (
    ROUNDING,
    TEXT,
    Content,
    CorruptBlock,
    Variable,
    opened,
    range_of,
    relative_to_rounding,
    values_of,
)
from manybody.study.block_variables import values_in
from manybody.study.canonical import strict_text
from manybody.study.configuration import TRACE_DISTANCE, Point, Study
from manybody.study.migrations import FORMAT, READERS, hash_in

# Distances of every pair in what is read of a block.
OF_PAIRS = f"{TRACE_DISTANCE}_of_pairs"
# Smallest eigenvalues of every equation in what is read of a block.
OF_EQUATIONS = "smallest_eigenvalue_of_equations"
# Before the name of an expectation value in its dataset, and of what counts its components.
EXPECTATION, COMPONENT = "expectation_", "component_"
# Datasets that count something.
_AXES = ("sample", "time", "word", "pair", "equation", "site")
# Attributes that say where a block belongs, beside those of its parameters.
_FACTS = ("store_format", "study_hash", "model", "size", "model_source", "coupled_sites")
# To which a sample agrees with itself whatever the number of ranks that share it.
_SHARED_TOLERANCE = 1e-10
# Of a certificate: residuals are written by equation, and the study says which stepper.
_FIGURES = [e for e in fields(Certificate) if e.name not in ("gibbs_residuals", "stepper")]


@dataclass(frozen=True, eq=False)
class Record:
    """One finished sample: what was measured in time, and figures of other observables."""

    sample: int
    entropy: tuple[int, ...]
    seconds: float
    comparison: Comparison | None
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def applications(self) -> int:
        """Of generators."""
        return 0 if self.comparison is None else self.comparison.certificate.applications


@dataclass(frozen=True, eq=False)
class Block:
    """What one block file holds.

    samples: (n,) indices; arrays: everything measured, sample axis first, by the names of
    `_by_name` whatever the format of the file; datasets: names in the file; attributes:
    provenance and conventions.
    """

    path: Path
    samples: NDArray[np.int64]
    times: NDArray[np.float64]
    arrays: dict[str, NDArray[Any]]
    datasets: frozenset[str]
    attributes: dict[str, Any]

    @property
    def store_format(self) -> int:
        """Format that the file was written in, 0 for none."""
        return int(self.attributes.get("store_format", 0))


def read_block(path: Path) -> Block:
    """Read one block file.  Raises CorruptBlock naming the file."""
    try:
        with opened(path) as file:
            given = {
                name: values_in(file, name)
                for name in file
                if name not in _AXES and not name.startswith(COMPONENT)
            }
            samples, times = values_of(file["sample"]), values_of(file["time"])
            attributes = dict(file.attrs.items())
            names = tuple(file["equation"].asstr()[()]) if "equation" in file else ()
            arrays = _by_name(given, names, len(samples))
            return Block(path, samples, times, arrays, frozenset(given), attributes)
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error


def _by_name(
    given: dict[str, NDArray[Any]], equations: tuple[str, ...], n_samples: int
) -> dict[str, NDArray[Any]]:
    """Arrays of a block of any format by the names of today.

    given: by dataset, with the axes of today.  trace_distance, trace_distance_merged: (n, T) of
    the first pair, with "_of_pairs" (n, P, T) of all in the order of `pairs_of`;
    smallest_eigenvalue_in_time: (n, T) over the equations, with "_of_equations" (n, E, T) of
    each, nan where it guarantees positivity; <equation>_gibbs_residual: (n,) each.
    """
    arrays = dict(given)
    if TRACE_DISTANCE not in given:
        return arrays
    for name in (TRACE_DISTANCE, "trace_distance_merged"):
        arrays[f"{name}_of_pairs"], arrays[name] = arrays[name], arrays[name][:, 0]
    arrays[OF_EQUATIONS] = arrays["smallest_eigenvalue_in_time"]
    lowest = np.fmin.reduce(arrays[OF_EQUATIONS], axis=1)
    arrays["smallest_eigenvalue_in_time"] = np.where(np.isnan(lowest), np.inf, lowest)
    residuals = arrays.pop("gibbs_residual", None)
    if residuals is not None:
        for name, values in zip(equations, residuals.T):
            arrays[f"{name}_gibbs_residual"] = values
    for entry in _FIGURES:
        # A figure that this block is too old to have.
        if entry.default is not MISSING and entry.name not in arrays:
            arrays[entry.name] = np.full(n_samples, entry.default)
    return arrays


def check_block(path: Path, study: Study, point: Point) -> Block:
    """A block without what was measured.

    Raises CorruptBlock unless it is whole and holds what its name and folder promise.  All bytes
    are verified, but little is taken out of them: a run looks through its store in this way
    before it begins.
    """
    try:
        with opened(path) as file:
            facts = {
                name: file.attrs[name]
                for name in file.attrs
                if name in _FACTS or name.startswith(("parameter_", "change_"))
            }
            samples, times = values_of(file["sample"]), values_of(file["time"])
            seeds = {"seed": values_of(file["seed"])}
            block = Block(path, samples, times, seeds, frozenset(file), facts)
    except (OSError, KeyError) as error:
        raise CorruptBlock(f"{path} is not a block of this store: {error}") from error
    check_belongs(block, study, point)
    return block


def check_belongs(block: Block, study: Study, point: Point) -> None:
    """Raise CorruptBlock unless the block holds what its name and folder promise."""
    first, stop = range_of(block.path)
    facts = block.attributes
    parameters = {
        key.removeprefix("parameter_"): value
        for key, value in facts.items()
        if key.startswith("parameter_")
    }
    changes = {
        key.removeprefix("change_"): value.item() if isinstance(value, np.generic) else value
        for key, value in facts.items()
        if key.startswith("change_")
    }
    expected = set(figures_of(study.observables))
    if study.evolves:
        # Figures with a default came later; older blocks do not have them.
        expected |= {e.name for e in _FIGURES if e.default is MISSING}
        expected |= {TRACE_DISTANCE}
        expected |= {EXPECTATION + name for name in study.expected_names}
    agreements = {
        "store format": block.store_format in READERS,
        "study": facts.get("study_hash") == hash_in(study, block.store_format),
        "model": (facts.get("model"), facts.get("size")) == (point.model, point.size),
        "source": all(facts.get(key, "") == value for key, value in point.origin.items()),
        "parameters": parameters == dict(point.parameters),
        "samples": np.array_equal(block.samples, np.arange(first, stop)),
        "times": np.array_equal(block.times, np.array(study.times)),
        "changes": changes == dict(point.changes),
        "figures": expected <= block.datasets,
        "seeds": np.array_equal(
            block.arrays.get("seed", np.empty(0)),
            np.array([point.entropy(study.seed, int(s)) for s in block.samples], dtype=np.uint64),
        ),
    }
    wrong = [name for name, agrees in agreements.items() if not agrees]
    if wrong:
        raise CorruptBlock(f"{block.path} is foreign: it has other {', '.join(wrong)}")


def disagreement(left: Block, row: int, right: Block, other_row: int) -> float:
    """How far two blocks differ in a sample, in units of rounding; see `block_files`.

    Several ranks that share a sample, and other formats, agree to 1e-10.
    """
    shared = any(block.attributes.get("ranks_per_sample", 1) != 1 for block in (left, right))
    shared = shared or left.store_format != right.store_format
    found = max(
        (
            relative_to_rounding(left.arrays[name][row], right.arrays[name][other_row])
            for name in left.arrays
            if name != "seconds"
        ),
        default=0.0,
    )
    return found * ROUNDING / _SHARED_TOLERANCE if shared else found


def rows_of(block: Block, rows: list[int]) -> Block:
    """Some of the samples of a block."""
    arrays = {name: array[rows] for name, array in block.arrays.items()}
    return replace(block, samples=block.samples[rows], arrays=arrays)


def content_of(
    study: Study, point: Point, records: Sequence[Record], provenance: Mapping[str, Any]
) -> Content:
    """What the block of consecutive samples of one point holds."""
    samples = np.array([record.sample for record in records], dtype=np.int64)
    axes = {
        "sample": Variable(samples, meaning="index of the disorder sample"),
        "time": Variable(np.array(study.times), meaning="time", unit="1/J"),
        "word": Variable(np.arange(4), meaning="word of the seed, low to high index"),
    }
    entropy = np.array([record.entropy for record in records], dtype=np.uint64)
    seconds = np.array([record.seconds for record in records])
    variables = {
        "seed": _named("seed", entropy, "sample", "word"),
        "seconds": _named("seconds", seconds, "sample"),
    }
    for name, figure in figures_of(study.observables).items():
        values = np.array([record.figures[name] for record in records])
        variables[name] = Variable(values, ("sample",), figure.meaning, figure.unit)
    runs = [record.comparison for record in records if record.comparison is not None]
    if runs:
        more, own = _of_runs(runs)
        axes, variables = {**axes, **more}, {**variables, **own}
        more, own = _of_expectations(runs, study.expected, point)
        axes, variables = {**axes, **more}, {**variables, **own}
    return Content({**_attributes(study, point), **provenance}, axes, variables)


def _attributes(study: Study, point: Point) -> dict[str, Any]:
    """What was computed, beside provenance."""
    own = study.at(point)
    starts = {"initial_beta": own.initial_beta, "initial_state": own.initial_state}
    return {
        "title": f"{study.name}: {point.name}",
        "store_format": FORMAT,
        "conventions_of_physics": CONVENTIONS,
        # What decides the numbers.
        "study": strict_text(study.identity()),
        "study_hash": study.hash(),
        "model": point.model,
        "size": point.size,
        "n_sites": point.n_sites,
        **point.origin,
        **{f"parameter_{key}": parameter for key, parameter in point.parameters},
        **{f"change_{key}": change for key, change in point.changes},
        "initial_site": own.initial_site,
        **{key: value for key, value in starts.items() if value is not None},
        "lamb_shift": int(own.lamb_shift),
        "bath_type": own.bath_type,
        **{f"bath_{key}": value for key, value in own.bath_parameters},
    }


_Named = dict[str, Variable]


def _named(name: str, values: NDArray[Any], *axes: str, **notes: Any) -> Variable:
    """A dataset whose meaning and unit are of a table."""
    return Variable(values, axes, MEANINGS[name], UNITS.get(name, "1"), notes)


def _of_runs(runs: Sequence[Comparison]) -> tuple[_Named, _Named]:
    """Axes and datasets of what was measured in time, and certificates."""
    equations = runs[0].equations
    pairs, nothing = pairs_of(equations), np.full(len(runs[0].times), np.nan)
    words = np.array([":".join(pair) for pair in pairs], dtype=TEXT)
    axes = {
        "pair": Variable(words, meaning="names of two equations"),
        "equation": Variable(np.array(equations, dtype=TEXT), meaning="name of a master equation"),
    }
    distance = [[run.distance[each] for each in pairs] for run in runs]
    merged = [[run.distance_merged.get(each, nothing) for each in pairs] for run in runs]
    lowest = [[run.smallest_eigenvalues.get(name, nothing) for name in equations] for run in runs]
    residuals = [[run.certificate.gibbs_residuals[name] for name in equations] for run in runs]
    of_pairs, of_equations = ("sample", "pair", "time"), ("sample", "equation", "time")
    found = {
        name: _named(name, np.array(values), *own)
        for name, values, own in (
            (TRACE_DISTANCE, distance, of_pairs),
            ("trace_distance_merged", merged, of_pairs),
            ("smallest_eigenvalue_in_time", lowest, of_equations),
            ("gibbs_residual", residuals, of_equations[:2]),
        )
    }
    for entry in _FIGURES:
        figures = [getattr(run.certificate, entry.name) for run in runs]
        if entry.name == "clustering":
            codes = np.array([VERDICTS.index(word) for word in figures], dtype=np.int8)
            notes = {
                "flag_values": np.arange(len(VERDICTS), dtype=np.int8),
                "flag_meanings": " ".join(VERDICTS),
            }
            found[entry.name] = _named(entry.name, codes, "sample", **notes)
        else:
            found[entry.name] = _named(entry.name, np.array(figures), "sample")
    local = [run.local for run in runs if run.local is not None]
    if local:
        more, own = _of_local(local, equations)
        axes, found = {**axes, **more}, {**found, **own}
    return axes, found


def _of_expectations(
    runs: Sequence[Comparison], wanted: Sequence[Expectation], point: Point
) -> tuple[_Named, _Named]:
    """Of expectation values in time, what has components with their labels."""
    axes, found = {}, {}
    for each in wanted:
        values = [
            [run.expectation[each.name][equation] for equation in run.equations] for run in runs
        ]
        own, labels = ["sample", "equation", "time"], each.components(point.places)
        if labels is not None:
            own.append(COMPONENT + each.name)
            words = np.array(labels, dtype=TEXT)
            axes[own[-1]] = Variable(words, meaning=f"part of {each.name}")
        name = EXPECTATION + each.name
        found[name] = Variable(np.array(values), tuple(own), each.meaning, each.unit)
    return axes, found


def _of_local(runs: Sequence[LocalFigures], equations: Sequence[str]) -> tuple[_Named, _Named]:
    """Of sites and pairs of sites."""
    found = {}
    for name in OF_PAIR:
        values = [[run.of_pair[each][name] for each in pairs_of(equations)] for run in runs]
        found[name] = _named(name, np.array(values), "sample", "pair", "time")
    for name in OF_EQUATION:
        values = [[run.of_equation[each][name] for each in equations] for run in runs]
        found[name] = _named(name, np.array(values), "sample", "equation", "time")
    density = np.array([[run.of_equation[each]["density"] for each in equations] for run in runs])
    found["density"] = _named("density", density, "sample", "equation", "time", "site")
    sites = Variable(np.arange(density.shape[3]), meaning="index of the site")
    return {"site": sites}, found
