"""One sample from Hamiltonian to record.  Newcomers read this first.

A model is diagonalised once; the Redfield and Davies generators are built from
the same spectrum; both equations are advanced side by side, segment by segment,
and what is observed on the way is all that is kept.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manybody.numerics.dense import KernelOperator
from manybody.numerics.protocols import Array, Segment, Solution, Stepper
from manybody.numerics.steppers import build_stepper
from manybody.physics import arguments, certificates, observables
from manybody.physics.baths import OhmicBath
from manybody.physics.certificates import Certificate
from manybody.physics.davies import DaviesGenerator, build_davies
from manybody.physics.models import SingleParticleModel
from manybody.physics.redfield import RedfieldGenerator, build_redfield
from manybody.physics.spectra import (
    AMBIGUOUS,
    EPSILON,
    STRUCTURAL,
    Clustering,
    build_spectrum,
    cluster_bohr_frequencies,
)
from manybody.physics.vectorise import from_columns, to_columns
from manybody.study.groups import together

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Redfield and Davies side by side on one sample.

    times: (T,) in 1/J; trace_distance: (T,) ‖ρ_D(t) − ρ_R(t)‖₁, no factor ½;
    trace_distance_merged: the same with near-coincident Bohr frequencies merged,
    only when the clustering is ambiguous; smallest_eigenvalue: (T,) of ρ_R(t);
    certificate: measured figures; redfield_states, davies_states: (T, N, N) in the
    site basis if kept, on rank 0, else None.
    """

    times: Real
    trace_distance: Real
    smallest_eigenvalue: Real
    certificate: Certificate
    trace_distance_merged: Real | None = None
    redfield_states: Array | None = None
    davies_states: Array | None = None


def compare(
    model: SingleParticleModel,
    bath: OhmicBath,
    times: Iterable[float],
    initial_site: int = 0,
    lamb_shift: bool = False,
    stepper: str = "chebyshev",
    tolerance: float = 1e-10,
    keep_states: bool = False,
    comm: Any = None,
    petsc_options: str = "",
) -> Comparison:
    """Trace distance between the Redfield and Davies evolutions of one particle.

    Starts from ρ(0) = |j⟩⟨j| at j = `initial_site` (SNM Fig. 1).

    model, bath: what evolves and what it couples to; times: ascending, >= 0, in
    1/J; lamb_shift: keep η(ω) in both equations; stepper: one of
    `manybody.STEPPERS`; tolerance: see the stepper; keep_states: return all
    states; comm: an mpi4py communicator whose ranks all call this (rank 0
    computes and every rank returns the same small arrays), or None;
    petsc_options: as on PETSc's command line, prefix "redfield_".

    Raises TypeError or ValueError for arguments out of range, before any work and
    on every rank; RuntimeError when a stepper needs PETSc and it is missing or
    does not converge.
    """
    grid = _checked(model, bath, times, initial_site, lamb_shift, keep_states, petsc_options, comm)
    scheme = build_stepper(stepper, arguments.tolerance(tolerance), petsc_options)
    kept: list[Comparison] = []

    def action() -> Comparison:
        kept.append(_compare(model, bath, grid, initial_site, lamb_shift, scheme, keep_states))
        return _without_states(kept[0])

    # Where `action` ran, its result has the states that do not travel.
    small: Comparison = together(comm, action)
    return kept[0] if kept else small


class Equation(Protocol):
    """One master equation, advanced from segment to segment."""

    def advance(self, state: Array, segment: Segment) -> Solution:
        """Blocks of columns (1, N, N) -> Solution in the site basis."""


class RedfieldEquation:
    """Redfield, by a stepper over the matrix-free operator."""

    def __init__(self, generator: RedfieldGenerator, stepper: Stepper) -> None:
        self.stepper = stepper
        self.operator = KernelOperator(
            generator.kernel(),
            generator.spectral_box,
            generator.spectrum.n_sites,
            stepper.linearity,
        )

    def advance(self, state: Array, segment: Segment) -> Solution:
        """Let the stepper advance."""
        return self.stepper.advance(self.operator, state, segment)


class DaviesEquation:
    """Davies, in closed form."""

    def __init__(self, generator: DaviesGenerator) -> None:
        self.generator = generator

    def advance(self, state: Array, segment: Segment) -> Solution:
        """All times of the segment at once; the error is rounding."""
        times = np.array([*segment.times, segment.stop]) - segment.start
        states = self.generator.propagate(from_columns(state[0]), times)
        blocks = to_columns(states)[None]
        none = np.zeros(1, dtype=np.int64)
        return Solution(blocks[:, :-1], blocks[:, -1].copy(), "exact", none, np.zeros(1))


def _compare(
    model: SingleParticleModel,
    bath: OhmicBath,
    times: Real,
    initial_site: int,
    lamb_shift: bool,
    stepper: Stepper,
    keep_states: bool,
) -> Comparison:
    spectrum = build_spectrum([model])
    clustering = cluster_bohr_frequencies(spectrum)[0]
    generator = build_redfield(spectrum, bath, lamb_shift)
    redfield = RedfieldEquation(generator, stepper)
    merging = clustering.merging_tolerance
    primary = merging if clustering.verdict == STRUCTURAL else None
    davies = build_davies(spectrum, bath, lamb_shift, primary, generator)
    equations: dict[str, Equation] = {"redfield": redfield, "davies": DaviesEquation(davies)}
    if clustering.verdict == AMBIGUOUS:
        warnings.warn(_ambiguity_warning(clustering), stacklevel=5)
        merged = build_davies(spectrum, bath, lamb_shift, merging, generator)
        equations["davies merged"] = DaviesEquation(merged)

    n = model.n_sites
    initial = np.zeros((1, n, n), dtype=np.complex128)
    initial[0, initial_site, initial_site] = 1.0
    states = dict.fromkeys(equations, initial)
    seen = _Observations(list(equations), len(times), keep_states)
    for segment in stepper.segments(redfield.operator, times):
        solutions = {
            name: equation.advance(states[name], segment) for name, equation in equations.items()
        }
        states = {name: solution.final for name, solution in solutions.items()}
        seen.observe(segment, solutions)

    certificate = Certificate(
        trace_error=seen.trace_error,
        hermiticity_error=seen.hermiticity_error,
        redfield_gibbs_residual=float(generator.gibbs_residual(bath.beta)[0]),
        davies_gibbs_residual=davies.gibbs_residual(bath.beta),
        kms_residual=bath.kms_residual(spectrum.bohr_frequencies),
        smallest_eigenvalue=float(seen.smallest_eigenvalue.min()),
        clustering=clustering.verdict,
        merged_neighbours=clustering.merged_neighbours,
        expected_by_chance=clustering.expected_by_chance,
        smallest_separation=clustering.smallest_separation,
        cluster_width=clustering.widest_cluster,
        secular_ambiguity=seen.ambiguity(),
        level_conditioning=clustering.level_conditioning,
        # ‖X‖₁ <= √N ‖X‖_F; the phases of H itself are known to ε‖H‖t.
        stepper_error=float(
            np.sqrt(n) * (seen.error_estimate + EPSILON * spectrum.norms[0] * times[-1])
        ),
        applications=seen.applications,
    )
    return Comparison(
        times,
        seen.distance["davies"],
        seen.smallest_eigenvalue,
        certificate,
        seen.distance.get("davies merged"),
        seen.kept("redfield"),
        seen.kept("davies"),
    )


class _Observations:
    """What is kept of the states while they pass by."""

    def __init__(self, names: list[str], n_times: int, keep_states: bool) -> None:
        # nan until observed, so that a time left out could not pass for a number.
        self.distance = {name: np.full(n_times, np.nan) for name in names if name != "redfield"}
        self.smallest_eigenvalue = np.full(n_times, np.nan)
        self.trace_error = self.hermiticity_error = self.error_estimate = 0.0
        self.applications = 0
        self._parts: dict[str, list[Array]] | None = None
        if keep_states:
            self._parts = {name: [] for name in names}

    def observe(self, segment: Segment, solutions: dict[str, Solution]) -> None:
        """Reduce the states of one segment."""
        redfield = solutions["redfield"]
        self.applications += int(redfield.applications[0])
        self.error_estimate += float(redfield.error_estimate[0])
        if not segment.times:
            return
        chosen = slice(segment.first, segment.first + len(segment.times))
        states = {name: from_columns(solution.states[0]) for name, solution in solutions.items()}
        for name, own in states.items():
            if not np.isfinite(own).all():
                raise RuntimeError(
                    f"the {name} equation diverged between t = {segment.start:g} and "
                    f"{segment.stop:g}"
                )
            self.trace_error = max(self.trace_error, certificates.trace_error(own))
            error = certificates.hermiticity_error(own)
            self.hermiticity_error = max(self.hermiticity_error, error)
            if name != "redfield":
                distance = observables.trace_distance(own, states["redfield"])
                self.distance[name][chosen] = distance
        smallest = observables.smallest_eigenvalue(states["redfield"])
        self.smallest_eigenvalue[chosen] = smallest
        if self._parts is not None:
            for name, own in states.items():
                self._parts[name].append(own)

    def kept(self, name: str) -> Array | None:
        """(T, N, N) states of one equation, None if they were not kept."""
        return None if self._parts is None else np.concatenate(self._parts[name])

    def ambiguity(self) -> float:
        """Largest difference of the two answers, 0 when there is one."""
        if "davies merged" not in self.distance:
            return 0.0
        return float(np.abs(self.distance["davies merged"] - self.distance["davies"]).max())


def _ambiguity_warning(clustering: Clustering) -> str:
    return (
        f"{clustering.merged_neighbours} neighbouring Bohr frequencies lie within "
        f"{clustering.tolerance:.1e} ({clustering.expected_by_chance:.1e} expected by chance, "
        f"{clustering.merged_at_hundredfold} within a hundred times that, widest cluster "
        f"{clustering.widest_cluster:.1e}): whether they are equal cannot be decided, and the "
        "Davies equation depends on it.  trace_distance keeps them apart, "
        f"trace_distance_merged merges what lies within {clustering.merging_tolerance:.1e}."
    )


def _checked(
    model: SingleParticleModel,
    bath: OhmicBath,
    times: Iterable[float],
    initial_site: int,
    lamb_shift: bool,
    keep_states: bool,
    petsc_options: str,
    comm: Any,
) -> Real:
    arguments.instance("model", model, SingleParticleModel)
    arguments.instance("bath", bath, OhmicBath)
    arguments.integer("initial_site", initial_site, 0)
    if initial_site >= model.n_sites:
        raise ValueError(f"initial_site = {initial_site}: allowed are 0 to {model.n_sites - 1}")
    arguments.boolean("lamb_shift", lamb_shift)
    arguments.boolean("keep_states", keep_states)
    arguments.instance("petsc_options", petsc_options, str)
    if comm is not None and not hasattr(comm, "Get_rank"):
        raise TypeError(f"comm = {comm!r}: an mpi4py communicator or None is needed")
    return arguments.ascending_times("times", times)


def _without_states(result: Comparison) -> Comparison:
    return Comparison(
        result.times,
        result.trace_distance,
        result.smallest_eigenvalue,
        result.certificate,
        result.trace_distance_merged,
    )
