"""One loop advances equations, observes and certifies them; where the states lie is a layout.

A layout is a stack of small samples on one process (stacked.py) or one sample spread by columns
over the ranks that share it (spread.py).  Stepped equations go from segment to segment; closed
ones are asked for their states at the times that somebody watches.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.numerics.growth import Overflow
from manybody.numerics.protocols import Bounds, Operator, Segment, Solution, cut
from manybody.physics.equations.protocol import ClosedPropagator, Equation, SteppedGenerator
from manybody.physics.problem import Problem
from manybody.physics.quantities.certificates import Certificate
from manybody.physics.spectra import EPSILON, Clustering, unexamined
from manybody.solve.comparison import Comparison, Pairs, Setting, pairs_of
from manybody.solve.unphysical import with_time
from manybody.solve.views import Sights, View

Watch = Callable[[int, int], None]


def unwatched(_done: int, _total: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(frozen=True)
class Agenda:
    """What is measured of which states.

    states: names of the states that are followed, "merged" for the second answer of an equation;
    stepped: those of stepped equations; pairs: (name, name) whose distance is measured, those
    of first answers before the others; n_first: how many those are; unprotected: states whose
    positivity nothing guarantees.
    """

    states: tuple[str, ...]
    stepped: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    n_first: int
    unprotected: tuple[str, ...]


def merged(name: str) -> str:
    """The name of the second answer of an equation."""
    return f"{name} merged"


def build_agenda(
    equations: Sequence[Equation], answers: Mapping[str, Sequence[object]] = MappingProxyType({})
) -> Agenda:
    """What there is to measure; answers: of the closed equations, see `closed_of`."""
    undecided = {name for name, own in answers.items() if len(own) > 1}
    names = [each.name for each in equations]
    stepped = tuple(each.name for each in equations if each.is_stepped)
    other = {name: merged(name) if name in undecided else name for name in names}
    first = pairs_of(names)
    more = [(other[a], other[b]) for a, b in first if {a, b} & undecided]
    states = [*names, *(n for pair in more for n in pair)]
    return Agenda(
        tuple(dict.fromkeys(states)),
        stepped,
        (*first, *more),
        len(first),
        tuple(each.name for each in equations if not each.keeps.complete_positivity),
    )


@dataclass(frozen=True)
class Joint:
    """What a stepper plans with where it advances several generators through equal segments."""

    spectral_box: Real
    spectral_outline: Complex | None = None


def stepped_of(problem: Problem, setting: Setting) -> dict[str, SteppedGenerator]:
    """Generators of the stepped equations, by name."""
    return {
        each.name: each.generator(problem)
        for each in setting.equations
        if each.generator is not None
    }


def closed_of(problem: Problem, setting: Setting) -> dict[str, tuple[ClosedPropagator, ...]]:
    """Propagators of the closed equations of one sample, an answer each, by name."""
    return {
        each.name: tuple(each.propagators(problem))
        for each in setting.equations
        if each.propagators is not None
    }


def by_state(answers: Mapping[str, Sequence[ClosedPropagator]]) -> dict[str, ClosedPropagator]:
    """Propagators by the names of their states in an `Agenda`."""
    return {
        state: own
        for name, several in answers.items()
        for state, own in zip((name, merged(name)), several)
    }


def initial_columns(problem: Problem, setting: Setting, own: slice) -> Complex:
    """(D, m) the columns [own] of ρ(0) of a problem of one sample."""
    if setting.start.needs_spectrum:
        return setting.start.columns(problem.spectrum, own)
    return setting.start.in_basis(problem.dimension, own)


def joint_bounds(generators: Sequence[Bounds]) -> Bounds | None:
    """Bounds of all of them, None without any."""
    if len(generators) < 2:
        return generators[0] if generators else None
    boxes = np.array([each.spectral_box for each in generators])
    width, below, above = np.moveaxis(boxes, 2, 0)
    return Joint(np.stack([width.max(axis=0), below.min(axis=0), above.max(axis=0)], axis=1))


def cut_times(setting: Setting, bounds: Bounds | None, most: float = np.inf) -> list[Segment]:
    """Segments of all times; one of them where nothing is stepped."""
    if bounds is None:
        return cut(setting.times, max(float(setting.times[-1]), 1.0))
    return setting.stepper.segments(bounds, setting.times, most)


@dataclass
class Totals:
    """What the stepped equations have cost and may have lost so far, (samples,) each.

    gibbs_residual: by name, measured before the first segment.
    """

    applications: Any
    error_estimate: Real
    gibbs_residual: dict[str, Real]

    def add(self, solution: Solution) -> None:
        """Count a segment of one equation."""
        self.applications = self.applications + solution.applications
        self.error_estimate = self.error_estimate + solution.error_estimate


@dataclass(frozen=True, eq=False)
class Seen:
    """What is kept of output times: sample axis first.

    distances: (S, P, T) of the pairs of the agenda; smallest: (S, U, T) eigenvalues of the
    unprotected states; trace_error, hermiticity_error: (S,) over all states and times; rows:
    (S, T, K) numbers of a `View`, None without one.
    """

    distances: Real
    smallest: Real
    trace_error: Real
    hermiticity_error: Real
    rows: Real | None


class Layout(ABC):
    """Where the states of one or more samples lie while the equations advance.

    problem: the samples; closed: propagators of the closed equations of each, see `closed_of`;
    agenda: what is measured; segments: of all of them.
    """

    def __init__(
        self,
        problem: Problem,
        setting: Setting,
        closed: Sequence[Mapping[str, Sequence[ClosedPropagator]]],
        agenda: Agenda,
        segments: list[Segment],
    ) -> None:
        self.problem, self.setting, self.agenda = problem, setting, agenda
        self.closed, self.segments = closed, segments
        self.segments_done = 0
        self.states: dict[str, Complex] = {}
        n = problem.n_samples
        self.totals = Totals(np.zeros(n, dtype=np.int64), np.zeros(n), {})

    @abstractmethod
    def operator(self, name: str) -> Operator:
        """The generator of a stepped equation, to be applied to own columns."""

    @abstractmethod
    def residual(self, name: str, operator: Operator) -> Real:
        """(samples,) largest |element| of L[ρ_Gibbs], asked for where the spectrum is known."""

    @abstractmethod
    def observe(self, segment: Segment, states: dict[str, Complex]) -> None:
        """Reduce all states at the output times of a segment; those of stepped ones given."""

    def pause(self) -> None:  # noqa: B027 small samples are done before anybody wants to stop
        """Between two segments: a checkpoint, or the end of the run."""

    @abstractmethod
    def seen(self) -> Seen:
        """What was kept of the output times so far."""

    @abstractmethod
    def view(self, sample: int) -> View | None:
        """What rows of a sample mean, None where there are none."""

    def closed_residuals(self) -> dict[str, Real]:
        """(samples,) largest |element| of L[ρ_Gibbs] of the closed equations, by name."""
        beta = self.setting.bath.beta
        return {
            # Of the first answers.
            name: np.array([own[name][0].gibbs_residual(beta) for own in self.closed])
            for name in self.closed[0]
        }

    @abstractmethod
    def kept(self, sample: int) -> dict[str, Complex]:
        """(T, N, N) states by the names of equations, empty unless they were to be kept."""

    def facts(self) -> dict[str, Any]:
        """Figures of a certificate that only this layout knows."""
        return {}

    def run(self, watch: Watch = unwatched) -> list[Comparison]:
        """Advance, observe and certify; a result a sample.

        watch: called after each segment with how many are done, and of how many.
        """
        for index in range(self.segments_done, len(self.segments)):
            segment, states = self.segments[index], {}
            for name in self.agenda.stepped:
                operator = self.operator(name)
                if index == 0:
                    unknown = np.full(self.problem.n_samples, np.nan)
                    is_known = self.setting.needs_spectrum
                    residual = self.residual(name, operator) if is_known else unknown
                    self.totals.gibbs_residual[name] = residual
                solution = self._advanced(operator, name, segment)
                # Where the operator is made anew, its workspaces are room to observe in.
                del operator
                self.totals.add(solution)
                self.states[name], states[name] = solution.final, solution.states
                del solution
            self.observe(segment, states)
            del states
            self.segments_done = index + 1
            watch(self.segments_done, len(self.segments))
            if self.segments_done < len(self.segments):
                self.pause()
        return self._results()

    def _advanced(self, operator: Operator, name: str, segment: Segment) -> Solution:
        try:
            return self.setting.stepper.advance(operator, self.states[name], segment)
        except Overflow as error:
            seen = self.seen()
            (who,) = (each.title for each in self.setting.equations if each.name == name)
            raise with_time(
                error,
                who,
                self.setting.times,
                seen.distances.max(axis=1),
                seen.smallest.min(axis=1, initial=np.inf),
            ) from error

    def _results(self) -> list[Comparison]:
        seen, problem, times = self.seen(), self.problem, self.setting.times
        residuals = {**self.totals.gibbs_residual, **self.closed_residuals()}
        # ‖X‖₁ <= √N ‖X‖_F; the phases of H itself are known to ε‖H‖t.
        unknown = self.totals.error_estimate + EPSILON * problem.norms * times[-1]
        errors = np.sqrt(problem.dimension) * unknown
        results = []
        for index, (clustering, kms_residual) in enumerate(self._examined()):
            certificate = certify(
                clustering,
                trace_error=float(seen.trace_error[index]),
                hermiticity_error=float(seen.hermiticity_error[index]),
                gibbs_residuals={
                    each.name: float(residuals[each.name][index])
                    for each in self.setting.equations
                },
                kms_residual=kms_residual,
                smallest_eigenvalue=float(seen.smallest[index].min(initial=np.inf)),
                secular_ambiguity=self._ambiguity(seen.distances[index]),
                stepper_error=float(errors[index]),
                applications=int(self.totals.applications[index]),
                stepper=self.setting.stepper.name if self.agenda.stepped else "",
                **self.facts(),
            )
            results.append(self._result(index, seen, certificate))
        return results

    def _examined(self) -> list[tuple[Clustering, float]]:
        """Clustering and balance of the bath of every sample, where anybody looks at them."""
        if not self.setting.needs_spectrum:
            return [(unexamined(), np.nan)] * self.problem.n_samples
        return list(zip(self.problem.clusterings, self.problem.kms_residuals))

    def _result(self, index: int, seen: Seen, certificate: Certificate) -> Comparison:
        agenda, values = self.agenda, seen.distances[index]
        first = dict(zip(agenda.pairs[: agenda.n_first], values))
        second = {
            self._plain(pair): value
            for pair, value in zip(agenda.pairs[agenda.n_first :], values[agenda.n_first :])
        }
        names = tuple(each.name for each in self.setting.equations)
        view = self.view(index)
        sights = Sights(None, {})
        if view is not None and seen.rows is not None:
            sights = view.read(seen.rows[index])
        return Comparison(
            self.setting.times,
            names,
            Pairs(first),
            dict(zip(agenda.unprotected, seen.smallest[index])),
            certificate,
            Pairs(second),
            self.kept(index),
            sights.local,
            sights.expectation,
        )

    def _plain(self, pair: tuple[str, str]) -> tuple[str, str]:
        """The pair of equations whose second answers a pair of states is."""
        names = {
            state: each.name
            for each in self.setting.equations
            for state in (each.name, merged(each.name))
        }
        return names[pair[0]], names[pair[1]]

    def _ambiguity(self, distances: Real) -> float:
        """Largest difference of the two answers, 0 when there is one."""
        agenda = self.agenda
        first = dict(zip(agenda.pairs, distances))
        others = [
            float(np.abs(first[pair] - first[self._plain(pair)]).max())
            for pair in agenda.pairs[agenda.n_first :]
        ]
        return max(others, default=0.0)


def certify(clustering: Clustering, **measured: Any) -> Certificate:
    """The certificate of one sample from its clustering and everything else, by name."""
    return Certificate(
        clustering=clustering.verdict,
        merged_neighbours=clustering.merged_neighbours,
        expected_by_chance=clustering.expected_by_chance,
        smallest_separation=clustering.smallest_separation,
        cluster_width=clustering.widest_cluster,
        level_conditioning=clustering.level_conditioning,
        **measured,
    )
