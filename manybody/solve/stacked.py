"""Samples on one process: stacks of small ones, diagonalised and advanced together.

Samples share calls, never bits.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.protocols import Operator, Segment
from manybody.physics.equations.protocol import Evolution, gibbs_residual
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.quantities import certificates, norms
from manybody.physics.spectra import AMBIGUOUS
from manybody.solve.comparison import Comparison, Setting
from manybody.solve.evolution import (
    Joint,
    Layout,
    Seen,
    Watch,
    build_agenda,
    by_state,
    closed_of,
    cut_times,
    initial_columns,
    joint_bounds,
    stepped_of,
    unwatched,
)
from manybody.solve.views import View, sees_states

# Complex numbers in one (samples, N, N) array of a stack: some six such arrays are
# touched by an application, and together they should stay in a core's own cache.
STACK_ELEMENTS = 8192
# Above this one sample fills every cache, and memory counts.
_LARGE_ABOVE = 256


def is_large(dimension: int) -> bool:
    """Whether a sample is spread, on one process too: by its size alone."""
    return dimension > _LARGE_ABOVE


def stack_size(dimension: int) -> int:
    """Samples that one stack holds: as many as keep its matrices in a near cache.

    Batching pays where calls cost more than products: measured by scripts/bench.py.
    """
    return max(1, STACK_ELEMENTS // dimension**2)


def stacks_of_a_kind(models: Sequence[Model]) -> list[list[int]]:
    """Indices of models that agree in size, realness, couplings and basis, a stack at a time."""
    kinds: dict[tuple[int, bool, str, FockBasis | None], list[int]] = {}
    for index, model in enumerate(models):
        basis = getattr(model, "basis", None)
        kind = (model.dimension, model.is_real, model.couplings.digest, basis)
        kinds.setdefault(kind, []).append(index)
    stacks = []
    for (dimension, *_), members in kinds.items():
        size = stack_size(dimension)
        stacks += [members[first : first + size] for first in range(0, len(members), size)]
    return stacks


def compare_stack(
    problem: Problem, setting: Setting, keep_states: bool = False, watch: Watch = unwatched
) -> list[Comparison]:
    """Samples of one kind: those of equal segments are advanced together.

    One by one where an equation wants that.
    """
    count = problem.n_samples
    if count > 1 and any(each.one_by_one for each in setting.equations):
        alone = (problem.sample(index) for index in range(count))
        return [compare_stack(own, setting, keep_states, watch)[0] for own in alone]
    results: dict[int, Comparison] = {}
    for own_setting, stack in _stacks(problem, setting):
        # Two answers of some equation: on its own.
        undecided = [index for index in stack if _is_undecided(problem, setting, index)]
        others = [index for index in stack if index not in undecided]
        for chosen in [[index] for index in undecided] + ([others] if others else []):
            whole = chosen == list(range(count))
            own = problem if whole else problem.select(np.array(chosen))
            results.update(zip(chosen, _Stack(own, own_setting, keep_states).run(watch)))
    return [results[index] for index in range(count)]


def _stacks(problem: Problem, setting: Setting) -> Iterator[tuple[Setting, list[int]]]:
    """Samples of one stepper and equal segments, with the setting that says which stepper."""
    bounds = joint_bounds(list(stepped_of(problem, setting).values()))
    if bounds is None:
        yield setting, list(range(problem.n_samples))
        return
    chosen = setting.stepper.chosen(bounds, setting.times, problem.dimension)
    for name in dict.fromkeys(each.name for each in chosen):
        members = [index for index, each in enumerate(chosen) if each.name == name]
        own = setting.with_stepper(chosen[members[0]])
        part = Joint(bounds.spectral_box[members], _some(bounds.spectral_outline, members))
        for stack in own.stepper.stacks(part, setting.times):
            yield own, [members[int(index)] for index in stack]


def _some(outline: Complex | None, members: list[int]) -> Complex | None:
    return None if outline is None else outline[members]


def _is_undecided(problem: Problem, setting: Setting, index: int) -> bool:
    return setting.needs_spectrum and problem.clusterings[index].verdict == AMBIGUOUS


class _Stack(Layout):
    """All states, on this process, of samples with the same segments."""

    def __init__(self, problem: Problem, setting: Setting, keep_states: bool) -> None:
        generators = self._generators = stepped_of(problem, setting)
        samples = [problem.sample(index) for index in range(problem.n_samples)]
        closed = [closed_of(sample, setting) for sample in samples]
        agenda = build_agenda(setting.equations, closed[0])
        segments = cut_times(setting, joint_bounds(list(generators.values())))
        super().__init__(problem, setting, closed, agenda, segments)
        self._kernels = {name: own.kernel() for name, own in generators.items()}
        columns = Columns(problem.dimension)
        self._operators = {
            name: KernelOperator(
                self._kernels[name],
                own.spectral_box,
                columns,
                setting.stepper.linearity,
                own.spectral_outline,
            )
            for name, own in generators.items()
        }
        every = slice(0, problem.dimension)
        initial = [initial_columns(sample, setting, every) for sample in samples]
        self.states = dict.fromkeys(generators, np.stack(initial, dtype=np.complex128))
        self._evolutions: list[dict[str, Evolution]] = [
            {
                state: own.evolve(setting.start, setting.times)
                for state, own in by_state(sample).items()
            }
            for sample in closed
        ]
        # nan until observed, so that a time left out could not pass for a number.
        shape = (problem.n_samples, len(setting.times))
        self._distances = np.full((shape[0], len(agenda.pairs), shape[1]), np.nan)
        self._smallest = np.full((shape[0], len(agenda.unprotected), shape[1]), np.nan)
        self._trace_error, self._hermiticity_error = np.zeros(shape[0]), np.zeros(shape[0])
        self._views: list[View] = []
        if sees_states(problem, setting.expectations):
            names = [each.name for each in setting.equations]
            self._views = [View(sample, names, setting.expectations) for sample in samples]
        self._rows: list[list[Real]] = [[] for _ in self._views]
        self._kept: dict[str, list[Complex]] | None = None
        if keep_states:
            self._kept = {each.name: [] for each in setting.equations}

    def operator(self, name: str) -> Operator:
        """Made once: its workspaces are small."""
        return self._operators[name]

    def residual(self, name: str, operator: Operator) -> Real:
        """(samples,) largest |element| of L[ρ_Gibbs]."""
        beta = self.setting.bath.beta
        return gibbs_residual(self._generators[name], beta, self._kernels[name])

    def observe(self, segment: Segment, states: dict[str, Complex]) -> None:
        """Reduce the states of one segment."""
        if not segment.times:
            return
        chosen = slice(segment.first, segment.first + len(segment.times))
        every = {
            name: states[name] if name in states else self._closed(name, chosen)
            for name in self.agenda.states
        }
        for name, own in every.items():
            error = certificates.hermiticity_error(own)
            # Every element enters: a state that is not finite shows here.
            if not np.isfinite(error).all():
                raise NumericalError(
                    f"the {name} equation diverged between t = {segment.start:g} and "
                    f"{segment.stop:g}"
                )
            self._hermiticity_error = np.maximum(self._hermiticity_error, error)
            self._trace_error = np.maximum(self._trace_error, certificates.trace_error(own))
        for index, (left, right) in enumerate(self.agenda.pairs):
            distance = norms.trace_distance(every[right], every[left])
            self._distances[:, index, chosen] = distance
        spectra: dict[str, Real] = {}
        if self._views and self._views[0].has_entropies:
            spectra = {name: norms.eigenvalues(every[name]) for name in self._views[0].equations}
        for index, name in enumerate(self.agenda.unprotected):
            if name in spectra:
                smallest = spectra[name][..., 0]
            else:
                smallest = norms.smallest_eigenvalue(every[name])
            self._smallest[:, index, chosen] = smallest
        for index, (view, seen) in enumerate(zip(self._views, self._rows)):
            mine = {name: own[index] for name, own in every.items()}
            seen.append(view.whole(mine, {name: own[index] for name, own in spectra.items()}))
        for name in self._kept or ():
            self._kept[name].append(every[name])  # type: ignore[index]

    def _closed(self, name: str, chosen: slice) -> Complex:
        """(samples, T', N, N) states of a closed equation at some of the output times."""
        n, count = self.problem.dimension, chosen.stop - chosen.start
        states = np.empty((len(self._evolutions), count, n, n), dtype=np.complex128)
        for sample, own in zip(self._evolutions, states):
            sample[name].write(chosen, own)
        return states

    def seen(self) -> Seen:
        """nan where it was not looked yet."""
        rows = None
        if self._rows and all(self._rows):
            rows = np.stack([np.concatenate(own) for own in self._rows])
        return Seen(
            self._distances, self._smallest, self._trace_error, self._hermiticity_error, rows
        )

    def view(self, sample: int) -> View | None:
        """Made once."""
        return self._views[sample] if self._views else None

    def kept(self, sample: int) -> dict[str, Complex]:
        """States of one sample, if they were to be kept."""
        return {
            name: np.concatenate([part[sample] for part in parts])
            for name, parts in (self._kept or {}).items()
        }
