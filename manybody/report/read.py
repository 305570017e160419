"""Store -> averages over samples: what figures and tables show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics.equations.registry import EQUATIONS, unguarded
from manybody.report.analysis.local import local_summaries
from manybody.report.analysis.statistics import Spread, Summary, spread_of, summarise
from manybody.solve.observables.registry import figures_of
from manybody.solve.unphysical import are_outside, growth_rate, mode_words
from manybody.study.blocks import Block
from manybody.study.configuration import Point, Study, System
from manybody.study.differences import PointDifference, compare_stores
from manybody.study.files import is_file, name_of
from manybody.study.status import PointStatus, point_statuses
from manybody.study.store import Store

# The error of an eigenvalue is its residual times a condition, which is not measured.
_GAP_ERRORS = 10.0
# Share of the distance that negative weight may make up before it is said, and rounding.
_NEGATIVE, _ROUNDING = 0.1, 1e-10
_THE_TWO = "the two equations"


@dataclass(frozen=True, eq=False)
class PointResult:
    """Everything a report says of one point.

    samples: (n,) their indices, ascending; summary: of the trace distance, None where it was not
    measured; second: the same with near-coincident Bohr frequencies merged where that is
    ambiguous, None where no sample is; spreads: of the figures of other observables, by
    name; arrays: everything measured, sample axis first, by sample index; missing: number
    of samples the study asks for and the store lacks; problems: what was left out; times: (T,)
    output times in 1/J; unguarded: titles of the equations that do not guarantee positivity;
    local: averages of local figures by dataset, empty where the blocks have none.
    """

    point: Point
    samples: NDArray[np.int64]
    summary: Summary | None
    second: Summary | None
    spreads: Mapping[str, Spread]
    arrays: Mapping[str, NDArray[Any]]
    missing: int
    problems: tuple[str, ...]
    times: Real = field(default_factory=lambda: np.empty(0))
    unguarded: str = ""
    local: Mapping[str, Summary] = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        """How many are there."""
        return len(self.samples)

    @property
    def impossible(self) -> NDArray[np.bool_]:
        """(n,) in which samples a trace distance is larger than that of any two states."""
        return self._outside(np.zeros_like(self.arrays["trace_distance"]))

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(n,) in which samples an equation leaves the states; see `solve.unphysical`."""
        return self._outside(self.arrays["smallest_eigenvalue_in_time"])

    def _outside(self, smallest: Real) -> NDArray[np.bool_]:
        error = self.arrays.get("stepper_error", np.zeros(self.n_samples))
        merged = self.arrays.get("trace_distance_merged")
        distance = self.arrays["trace_distance"]
        # nan where there is no second answer.
        distance = distance if merged is None else np.fmax(distance, merged)
        found: NDArray[np.bool_] = np.any(are_outside(distance, smallest, error), axis=1)
        return found

    @property
    def outside_words(self) -> str:
        """How many samples leave the states, and the worst of them; empty where none does."""
        if "trace_distance" not in self.arrays or not self.outside.any():
            return ""
        rows = np.flatnonzero(self.outside)
        curves = self.arrays["trace_distance"][rows]
        smallest = self.arrays["smallest_eigenvalue_in_time"][rows]
        worst = int(np.argmax(curves.max(axis=1)))
        rate = growth_rate(self.times, curves[worst])
        return (
            f"in {len(rows)} of {self.n_samples} samples {self.unguarded} leaves the states: "
            f"trace distance up to {float(curves.max()):.4g} (sample "
            f"{int(self.samples[rows[worst]])}; no two states are further apart than 2), smallest "
            f"eigenvalue {float(smallest.min()):.3g}; in that sample {mode_words(rate)}"
        )

    @property
    def steady_words(self) -> str:
        """The same of steady states."""
        if "steady_distance" not in self.arrays:
            return ""
        distance, smallest = (
            self.arrays[name] for name in ("steady_distance", "steady_smallest_eigenvalue")
        )
        error = np.nan_to_num(self.arrays["steady_error"])
        which = are_outside(distance[:, None], smallest[:, None], error)[:, 0]
        if not which.any():
            return ""
        return (
            f"in {np.count_nonzero(which)} of {self.n_samples} samples the steady state of "
            f"Redfield is no state: smallest eigenvalue down to {np.nanmin(smallest):.3g}, "
            f"distance from Davies up to {np.nanmax(distance):.4g}"
        )

    @property
    def growing(self) -> NDArray[np.bool_]:
        """(n,) in which samples a mode grows, by more than its gap may be wrong."""
        error = _GAP_ERRORS * np.nan_to_num(self.arrays["gap_residual"])
        grows: NDArray[np.bool_] = self.arrays["gap"] < -error
        return grows

    @property
    def growing_words(self) -> str:
        """In how many samples a mode of Redfield grows, by more than its gap may be wrong."""
        grows = int(np.count_nonzero(self.growing)) if "gap" in self.arrays else 0
        if not grows:
            return ""
        return (
            f"in {grows} of {self.n_samples} samples a mode of Redfield grows, and no steady "
            "state is approached"
        )

    @property
    def gap_words(self) -> str:
        """The same, and in how many the sign of the gap is not known."""
        if "gap" not in self.arrays:
            return ""
        error = _GAP_ERRORS * np.nan_to_num(self.arrays["gap_residual"])
        unknown = int(np.count_nonzero(np.abs(self.arrays["gap"]) <= error))
        words = [self.growing_words] if self.growing_words else []
        if unknown:
            words.append(
                f"in {unknown} of {self.n_samples} samples the gap is zero within its residual, "
                "and its sign is not known"
            )
        return "; ".join(words)

    @property
    def negative_words(self) -> str:
        """Negative weight that is not small beside the distance, of states that are near states.

        No state is nearer to a ρ in trace norm than twice its negative weight.
        """
        if self.summary is None or self.outside.any():
            return ""
        lowest = self.arrays["smallest_eigenvalue_in_time"].min(axis=1)
        apart = -2.0 * float(lowest.mean())
        if not apart > max(_NEGATIVE * self.summary.maximum, _ROUNDING):
            return ""
        return (
            f"{self.unguarded} has negative probabilities that are not small beside the distance: "
            f"smallest eigenvalue down to {float(lowest.min()):.3g}, on average "
            f"{float(lowest.mean()):.3g}, which puts it {apart:.2g} from every state where the "
            f"distance is {self.summary.maximum:.3g}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of its results is not physical."""
        words = (self.outside_words, self.negative_words, self.steady_words, self.growing_words)
        return tuple(filter(None, words))


@dataclass(frozen=True, eq=False)
class StudyResult:
    """All points of a study, by system.

    statuses: of every point, those without a sample too; origins: code and BLAS that computed
    blocks; variants: name -> how the samples computed otherwise differ, see
    `config.Convergence`.
    """

    directory: Path
    study: Study
    systems: tuple[tuple[System, tuple[PointResult, ...]], ...]
    problems: tuple[str, ...]
    statuses: tuple[PointStatus[Point], ...]
    origins: tuple[str, ...]
    variants: Mapping[str, Sequence[PointDifference]]

    @property
    def drawn(self) -> list[tuple[System, tuple[PointResult, ...]]]:
        """Systems with samples."""
        return [(system, points) for system, points in self.systems if points]

    @property
    def points(self) -> list[PointResult]:
        """All points with samples."""
        return [point for _, points in self.systems for point in points]

    @property
    def has_local(self) -> bool:
        """Whether some point has local figures."""
        return any(point.local for point in self.points)

    @cached_property
    def particles(self) -> str:
        """Whether systems have "one" particle or "many", or are of "both" kinds."""
        kinds = {point.is_many for system in self.study.systems for point in system.points[:1]}
        return "both" if len(kinds) > 1 else "many" if True in kinds else "one"

    @cached_property
    def names_dimensions(self) -> bool:
        """Whether the number of states of some point is not its number of sites."""
        return any(
            point.dimension != point.n_sites
            for system in self.study.systems
            for point in system.points
        )

    @property
    def words(self) -> str:
        """Which equations are compared."""
        first, *others = (EQUATIONS[name].title for name in self.study.equations)
        *most, last = others
        return f"{first} against {', '.join(most)}{' and ' if most else ''}{last}"

    @property
    def words_of_two(self) -> str:
        """Which equations the trace distance is of."""
        first, second = (EQUATIONS[name].title for name in self.study.equations[:2])
        return f"{first} against {second}"

    def of_more(self, words: str) -> str:
        """Words on the two equations of a study as one of more than two has to say them."""
        first = "the first two equations" if len(self.study.equations) > 2 else _THE_TWO
        return words.replace(_THE_TWO, first)

    def distance(self, argument: str = "") -> str:
        """The distance of the first two equations as LaTeX has it, without dollars."""
        left, right = (EQUATIONS[name].symbol for name in self.study.equations[:2])
        return rf"\|\rho_{{{right}}}{argument} - \rho_{{{left}}}{argument}\|_1"

    @property
    def missing(self) -> int:
        """Samples the study asks for and the store lacks."""
        wanted = sum(sum(system.counts.values()) for system in self.study.systems)
        return max(0, wanted - sum(point.n_samples for point in self.points))


def load_results(store: Store) -> StudyResult:
    """Average what a store holds; points without a sample are left out."""
    study = store.study
    systems, all_problems = [], []
    origins: set[str] = set()
    for system in study.systems:
        results = []
        for point in system.points:
            blocks, problems = store.read(study, point)
            all_problems += problems
            origins |= {_origin(block) for block in blocks}
            if blocks:
                results.append(_point_result(study, system, point, blocks, problems))
        systems.append((system, tuple(results)))
    return StudyResult(
        store.directory,
        study,
        tuple(systems),
        tuple(all_problems),
        tuple(point_statuses(store)),
        tuple(sorted(origins)),
        {
            name: compare_stores(store, variant)
            for name in study.variants()
            if (variant := store.variant(name)).exists
        },
    )


def _origin(block: Block) -> str:
    facts = block.attributes
    return (
        f"manybody {facts.get('manybody')} at {facts.get('git_revision')}, NumPy "
        f"{facts.get('numpy')}, {facts.get('blas')} {facts.get('blas_version')} "
        f"{facts.get('blas_core')} with {facts.get('blas_threads_per_rank')} thread(s)"
    )


def _point_result(
    study: Study, system: System, point: Point, blocks: list[Block], problems: list[str]
) -> PointResult:
    samples = np.concatenate([block.samples for block in blocks])
    # By sample index, so that the order of blocks leaves no trace in the last bit.
    order = np.argsort(samples)
    arrays = {
        name: np.concatenate([block.arrays[name] for block in blocks])[order]
        for name in blocks[0].arrays
        # Blocks of an older version may lack what was measured later.
        if all(name in block.arrays for block in blocks)
    }
    summary, second = None, None
    if study.evolves:
        distance, merged = arrays["trace_distance"], arrays["trace_distance_merged"]
        summary = summarise(distance, np.array(study.times), study.seed)
        ambiguous = ~np.isnan(merged).any(axis=1)
        if ambiguous.any():
            other = np.where(ambiguous[:, None], merged, distance)
            second = summarise(other, np.array(study.times), study.seed)
    return PointResult(
        point,
        samples[order],
        summary,
        second,
        {name: spread_of(arrays[name]) for name in figures_of(study.observables)},
        arrays,
        max(0, system.counts[point.size] - len(samples)),
        tuple(problems),
        np.array(study.times),
        " or ".join(each.title for each in unguarded(study.equations)),
        local_summaries(arrays, np.array(study.times), study.seed),
    )


def size_words(point: Point, mark: str = "") -> str:
    """The number of sites, and that of states where it is another.

    mark: put around each, "$" for mathematics.
    """
    sites = f"{mark}N = {point.n_sites}{mark}"
    if point.dimension == point.n_sites:
        return sites
    return f"{sites}, {mark}D = {point.dimension}{mark}"


def pattern_words(study: Study) -> str:
    """Where many particles start."""
    if study.initial_state in (None, "spread"):
        return "particles evenly spread"
    if is_file(study.initial_state):
        return f"the state in {name_of(str(study.initial_state))}"
    return f"the state {study.initial_state}"


def thermal_words(beta: float) -> str:
    """A thermal start."""
    ground = "the ground state, the " if beta == math.inf else "a "
    return f"{ground}thermal state of beta = {beta:g}"


def point_title(point: Point) -> str:
    """The system of a point in plain words."""
    system = System(point.model, point.parameters, (), 0, point.changes, point.own)
    return system_title(system, plain=True)


def system_title(system: System, plain: bool = False, short: bool = False) -> str:
    """Model, parameters and changes in words; `plain` without mathematics markup."""
    family = system.family
    title = family.short_title if short else family.title
    title += family.parameters_in_words(dict(system.parameters), plain)
    changes = changes_in_words(dict(system.changes), "")
    return f"{title}, {changes}" if changes else title


def changes_in_words(changes: Mapping[str, Any], none: str = "as the study says") -> str:
    """How a system departs from its study; none: where it does not."""
    return ", ".join(_change_in_words(key, value) for key, value in changes.items()) or none


def _change_in_words(key: str, change: Any) -> str:
    if key == "lamb_shift":
        return "Lamb shift" if change else "no Lamb shift"
    value = name_of(change) if isinstance(change, str) else f"{change:g}"
    return f"{_WORDS.get(key, key.replace('_', ' '))} {value}"


_WORDS = {
    "initial_site": "start on site",
    "initial_beta": "thermal start at beta",
    "initial_state": "start from",
}
