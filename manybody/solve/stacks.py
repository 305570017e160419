"""Samples on one process: stacks of small ones, both equations side by side.

A stack is diagonalised together and advanced segment by segment; what is observed on
the way is all that is kept.  Samples share calls, never bits.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from manybody.arrays import Complex
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.growth import Overflow
from manybody.numerics.protocols import Segment, Solution, Stepper
from manybody.physics.equations.davies import DaviesGenerator, build_davies
from manybody.physics.equations.redfield import RedfieldGenerator, build_redfield
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.quantities import certificates, norms
from manybody.physics.spectra import (
    AMBIGUOUS,
    EPSILON,
    Clustering,
    build_spectrum,
    cluster_bohr_frequencies,
)
from manybody.solve.comparison import Comparison, Setting, certify
from manybody.solve.unphysical import with_time

# Complex numbers in one (samples, N, N) array of a stack: some six such arrays are
# touched by an application, and together they should stay in a core's own cache.
STACK_ELEMENTS = 8192
# Above this one sample fills every cache, and memory counts.
_LARGE_ABOVE = 256


def is_large(n_sites: int) -> bool:
    """Whether a sample goes the way of large.py, on one process too: by its size alone."""
    return n_sites > _LARGE_ABOVE


def stack_size(n_sites: int) -> int:
    """Samples that one stack holds: as many as keep its matrices in a near cache.

    Batching pays where calls cost more than products: measured by scripts/bench.py.
    """
    return max(1, STACK_ELEMENTS // n_sites**2)


def stacks_of_a_kind(models: Sequence[SingleParticleModel]) -> list[list[int]]:
    """Indices of models that agree in size, realness and coupled sites, a stack at a time."""
    kinds: dict[tuple[int, bool, bytes], list[int]] = {}
    for index, model in enumerate(models):
        kind = (model.n_sites, model.is_real, model.coupled.tobytes())
        kinds.setdefault(kind, []).append(index)
    stacks = []
    for (n_sites, _, _), members in kinds.items():
        size = stack_size(n_sites)
        stacks += [members[first : first + size] for first in range(0, len(members), size)]
    return stacks


class Equation(Protocol):
    """One master equation for a stack of samples, advanced from segment to segment."""

    def advance(self, state: Complex, segment: Segment) -> Solution:
        """States (samples, N, N) -> Solution in the site basis."""


class RedfieldEquation:
    """Redfield, by a stepper over the matrix-free operator."""

    def __init__(self, generator: RedfieldGenerator, stepper: Stepper) -> None:
        self.stepper = stepper
        self.kernel = generator.kernel()
        self.operator = KernelOperator(
            self.kernel,
            generator.spectral_box,
            Columns(generator.spectrum.n_sites),
            stepper.linearity,
            generator.spectral_outline,
        )

    def advance(self, state: Complex, segment: Segment) -> Solution:
        """Let the stepper advance."""
        return self.stepper.advance(self.operator, state, segment)


class DaviesEquation:
    """Davies, in closed form, one generator a sample."""

    def __init__(self, generators: list[DaviesGenerator]) -> None:
        self.generators = generators

    def advance(self, state: Complex, segment: Segment) -> Solution:
        """All times of the segment at once; the error is rounding."""
        times = np.array(segment.times) - segment.start
        ends_on_output = len(times) > 0 and segment.times[-1] == segment.stop
        if not ends_on_output:
            times = np.append(times, segment.stop - segment.start)
        states = np.stack(
            [generator.propagate(own, times) for generator, own in zip(self.generators, state)]
        )
        none = np.zeros(len(state))
        wanted = states if ends_on_output else states[:, :-1]
        return Solution(wanted, states[:, -1].copy(), "exact", none.astype(np.int64), none)


def compare_stack(
    models: Sequence[SingleParticleModel], setting: Setting, keep_states: bool = False
) -> list[Comparison]:
    """Samples of one kind: diagonalised together, advanced with those of equal segments."""
    spectrum = build_spectrum(models)
    clusterings = cluster_bohr_frequencies(spectrum)
    generator = build_redfield(spectrum, setting.bath, setting.lamb_shift)
    results: dict[int, Comparison] = {}
    for stack in setting.stepper.stacks(generator, setting.times):
        # Two answers for Davies: on its own.
        alone = [index for index in stack if clusterings[index].verdict == AMBIGUOUS]
        others = [index for index in stack if clusterings[index].verdict != AMBIGUOUS]
        for chosen in [[index] for index in alone] + ([others] if others else []):
            whole = chosen == list(range(len(models)))
            own = _compare_alike(
                generator if whole else generator.select(np.array(chosen)),
                [clusterings[index] for index in chosen],
                setting,
                keep_states,
            )
            results.update(zip(chosen, own))
    return [results[index] for index in range(len(models))]


def _compare_alike(
    generator: RedfieldGenerator,
    clusterings: list[Clustering],
    setting: Setting,
    keep_states: bool,
) -> list[Comparison]:
    """Samples with the same segments, both equations side by side."""
    spectrum, bath, times = generator.spectrum, setting.bath, setting.times
    redfield = RedfieldEquation(generator, setting.stepper)
    davies = [
        _davies(generator.select(slice(index, index + 1)), setting, clustering)
        for index, clustering in enumerate(clusterings)
    ]
    equations: dict[str, Equation] = {"redfield": redfield, "davies": DaviesEquation(davies)}
    if clusterings[0].verdict == AMBIGUOUS:
        merging = clusterings[0].answers[1]
        merged = build_davies(spectrum, bath, setting.lamb_shift, merging, generator)
        equations["davies merged"] = DaviesEquation([merged])

    n_samples, n = spectrum.n_samples, spectrum.n_sites
    initial = np.zeros((n_samples, n, n), dtype=np.complex128)
    if setting.start.beta is None:
        initial[:, setting.start.site, setting.start.site] = 1.0
    for index in range(n_samples) if setting.start.beta is not None else ():
        initial[index] = setting.start.columns(spectrum.sample(index), slice(0, n))
    states = dict.fromkeys(equations, initial)
    seen = _Observations(list(equations), n_samples, len(times), keep_states)
    for segment in setting.stepper.segments(generator, times):
        try:
            solutions = {
                name: equation.advance(states[name], segment)
                for name, equation in equations.items()
            }
        except Overflow as error:
            distance, smallest = seen.distance["davies"], seen.smallest_eigenvalue
            raise with_time(error, times, distance, smallest) from error
        states = {name: solution.final for name, solution in solutions.items()}
        seen.observe(segment, solutions)

    gibbs_residuals = generator.gibbs_residual(bath.beta, redfield.kernel)
    # ‖X‖₁ <= √N ‖X‖_F; the phases of H itself are known to ε‖H‖t.
    errors = np.sqrt(n) * (seen.error_estimate + EPSILON * spectrum.norms * times[-1])
    results = []
    for index, clustering in enumerate(clusterings):
        certificate = certify(
            clustering,
            trace_error=float(seen.trace_error[index]),
            hermiticity_error=float(seen.hermiticity_error[index]),
            redfield_gibbs_residual=float(gibbs_residuals[index]),
            davies_gibbs_residual=davies[index].gibbs_residual(bath.beta),
            kms_residual=bath.kms_residual(spectrum.bohr_frequencies[index]),
            smallest_eigenvalue=float(seen.smallest_eigenvalue[index].min()),
            secular_ambiguity=seen.ambiguity(index),
            stepper_error=float(errors[index]),
            applications=int(seen.applications[index]),
        )
        merged_distance = seen.distance.get("davies merged")
        results.append(
            Comparison(
                times,
                seen.distance["davies"][index],
                seen.smallest_eigenvalue[index],
                certificate,
                None if merged_distance is None else merged_distance[index],
                seen.kept("redfield", index),
                seen.kept("davies", index),
            )
        )
    return results


def _davies(
    redfield: RedfieldGenerator, setting: Setting, clustering: Clustering
) -> DaviesGenerator:
    bath, lamb_shift = setting.bath, setting.lamb_shift
    return build_davies(redfield.spectrum, bath, lamb_shift, clustering.answers[0], redfield)


class _Observations:
    """What is kept of the states of a stack while they pass by; the sample axis first."""

    def __init__(self, names: list[str], n_samples: int, n_times: int, keep_states: bool) -> None:
        # nan until observed, so that a time left out could not pass for a number.
        shape = (n_samples, n_times)
        self.distance = {name: np.full(shape, np.nan) for name in names if name != "redfield"}
        self.smallest_eigenvalue = np.full(shape, np.nan)
        self.trace_error, self.hermiticity_error = np.zeros(n_samples), np.zeros(n_samples)
        self.error_estimate = np.zeros(n_samples)
        self.applications = np.zeros(n_samples, dtype=np.int64)
        self._parts: dict[str, list[Complex]] | None = None
        if keep_states:
            self._parts = {name: [] for name in names}

    def observe(self, segment: Segment, solutions: dict[str, Solution]) -> None:
        """Reduce the states of one segment."""
        redfield = solutions["redfield"]
        self.applications += redfield.applications
        self.error_estimate += redfield.error_estimate
        if not segment.times:
            return
        chosen = slice(segment.first, segment.first + len(segment.times))
        states = {name: solution.states for name, solution in solutions.items()}
        for name, own in states.items():
            error = certificates.hermiticity_error(own)
            # Every element enters: a state that is not finite shows here.
            if not np.isfinite(error).all():
                raise RuntimeError(
                    f"the {name} equation diverged between t = {segment.start:g} and "
                    f"{segment.stop:g}"
                )
            self.hermiticity_error = np.maximum(self.hermiticity_error, error)
            self.trace_error = np.maximum(self.trace_error, certificates.trace_error(own))
            if name != "redfield":
                distance = norms.trace_distance(own, states["redfield"])
                self.distance[name][:, chosen] = distance
        smallest = norms.smallest_eigenvalue(states["redfield"])
        self.smallest_eigenvalue[:, chosen] = smallest
        if self._parts is not None:
            for name, own in states.items():
                self._parts[name].append(own)

    def kept(self, name: str, sample: int) -> Complex | None:
        """(T, N, N) states of one equation and sample, None if they were not kept."""
        if self._parts is None:
            return None
        return np.concatenate([part[sample] for part in self._parts[name]])

    def ambiguity(self, sample: int) -> float:
        """Largest difference of the two answers, 0 when there is one."""
        if "davies merged" not in self.distance:
            return 0.0
        two = self.distance["davies merged"][sample] - self.distance["davies"][sample]
        return float(np.abs(two).max())
