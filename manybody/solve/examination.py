"""What decides the long run of a sample: its parts by H and by rates, and what rounding hides."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.parallel.collective import together
from manybody.physics.baths.protocol import Bath, has_temperature
from manybody.physics.baths.several import AnyBaths, distinct_baths
from manybody.physics.equations.dense_redfield import PERTURBED, perturbed
from manybody.physics.equations.redfield import RedfieldGenerator, redfield_on
from manybody.physics.problem import Problem
from manybody.physics.quantities import norms
from manybody.physics.rounded_rates import (
    balance_of_rates,
    by_rates_at,
    detailed_balance_error,
    hangs_on_hidden_rates,
    has_hidden_splitting,
    lies_on_edge,
)
from manybody.physics.spectra import Spectrum
from manybody.physics.stationary import Decomposition, parts_of, same_levels
from manybody.system.communicator import Communicator

# Sites up to which singular values of a Liouvillian are a matter of seconds.
DENSE_SITES = 32
# Error of a state, in trace norm, that is worth more work, and above which a word is due.
GOOD_ENOUGH, UNCERTAIN = 1e-9, 1e-6


@dataclass(frozen=True, eq=False)
class System:
    """One sample and what decides its long run.

    parts: by H alone; rates: by rates; balance_error: bound on what the violation of
    detailed balance leaves wrong of Gibbs, inf where the baths have no temperature in common;
    notes: what a user should know; populations: (N,) that the rate equation leaves of every
    component of `rates`, for baths without a common temperature, None where it does not say;
    populations_error: what rounding of H leaves wrong of them, in trace norm.
    """

    parts: Decomposition
    rates: Decomposition
    balance_error: float
    notes: tuple[str, ...]
    populations: list[Real] | None = None
    populations_error: float = 0.0

    @property
    def is_by_h(self) -> bool:
        """Whether rates leave no more alone than H does."""
        return same_levels(self.parts, self.rates)

    @property
    def is_balanced(self) -> bool:
        """Whether Gibbs is stationary for Davies: to 1e-9, or to 1e-6 where solving is dear."""
        n = self.parts.spectrum.dimension
        return self.balance_error <= (GOOD_ENOUGH if n <= DENSE_SITES else UNCERTAIN)

    @property
    def follows_from_rates(self) -> bool:
        """Whether the state of Davies is known: Gibbs, or what the rate equation leaves."""
        return self.rates.is_complete and (self.is_balanced or self.populations is not None)

    def gibbs(self, beta: float) -> list[Real]:
        """(N,) populations in the spectrum of `rates` of every component of it.

        Gibbs, or what the rate equation leaves where the baths have no β in common.
        """
        if self.populations is not None:
            return self.populations
        return [self.rates.gibbs(beta, index) for index in range(self.rates.n_components)]

    def has_populations(self, beta: float) -> bool:
        """Whether `gibbs` has something to say."""
        return self.populations is not None or has_temperature(beta)


def examine(problem: Problem, equation: str) -> System:
    """What decides the long run of a sample."""
    parts, bath = parts_of(problem), problem.bath
    generator = redfield_on(problem, parts.spectrum)
    own, rates = generator.rates[0], by_rates_at(parts, generator, bath.beta)
    error = parts.spectrum.dimension * detailed_balance_error(parts.spectrum, own, bath.beta)
    notes = notes_on(parts, rates, bath, generator)
    if equation == "redfield" and has_hidden_splitting(parts, own):
        notes += (
            "levels lie so near each other that what the baths do not see of them relaxes below "
            "rounding of the generator: the state returned is that of t → ∞",
        )
    populations, populations_error = None, 0.0
    if not has_temperature(bath.beta):
        on_rates = redfield_on(problem, rates.spectrum)
        populations = balance_of_rates(on_rates, rates)
        if populations is not None:
            populations_error = _error_of_populations(problem, on_rates, rates, populations)
    return System(parts, rates, error, notes, populations, populations_error)


def _error_of_populations(
    problem: Problem, generator: RedfieldGenerator, rates: Decomposition, known: list[Real]
) -> float:
    """Largest change in trace norm that H moved as far as rounding may makes of V p V†."""
    rng, every = np.random.default_rng(0), np.ones(rates.spectrum.dimension, dtype=bool)
    worst = 0.0
    for _ in range(PERTURBED):
        other = perturbed(generator, problem.bath, problem.lamb_shift, every, rng)
        moved = balance_of_rates(other, replace(rates, spectrum=other.spectrum))
        if moved is None:
            return np.inf
        for own, theirs in zip(known, moved):
            states = [
                diagonal_state(one.spectrum, p) for one, p in ((generator, own), (other, theirs))
            ]
            worst = max(worst, float(norms.trace_distance(*states)))
    return worst


def diagonal_state(spectrum: Spectrum, populations: Real) -> Complex:
    """(N, N) V p V†."""
    vectors = spectrum.vectors[0]
    state: Complex = ((vectors * populations) @ vectors.conj().T).astype(np.complex128)
    return state


def examined(problem: Problem, equation: str, comm: Communicator | None) -> System:
    """`examine` on rank 0 for all ranks, of which each has the problem."""

    def light(parts: Decomposition) -> Decomposition:
        # The spectrum of the problem is on every rank already.
        known = parts.spectrum is problem.spectrum
        return replace(parts, spectrum=None) if known else parts  # type: ignore[arg-type]

    def whole(parts: Decomposition) -> Decomposition:
        return replace(parts, spectrum=problem.spectrum) if parts.spectrum is None else parts

    if comm is None:
        return examine(problem, equation)

    def action() -> System:
        found = examine(problem, equation)
        return replace(found, parts=light(found.parts), rates=light(found.rates))

    found = together(comm, action)
    return replace(found, parts=whole(found.parts), rates=whole(found.rates))


def notes_on(
    parts: Decomposition, rates: Decomposition, baths: AnyBaths, generator: RedfieldGenerator
) -> tuple[str, ...]:
    """What of the rates is at the mercy of rounding, in sentences.

    parts: by H alone; rates: by rates; generator: on the spectrum of `parts`.
    """
    notes = []
    # Both spectra have the same energies.
    if hangs_on_hidden_rates(rates, generator.groups):
        notes.append(
            "something relaxes only by rates below rounding of H: the steady state is that of "
            "t → ∞, which no time of interest reaches"
        )
    supports = [_support(bath) for bath in distinct_baths(baths)]
    edge = lies_on_edge(parts.spectrum, tuple(end for ends in supports for end in ends))
    lower, upper = min(ends[0] for ends in supports), max(ends[1] for ends in supports)
    if edge is not None:
        notes.append(
            f"the Bohr frequency {edge:.6g} lies at the end of the bath's support to rounding of "
            "H: whether γ vanishes there is not decided by the data"
        )
    lost = None if rates is parts else _underflow(parts, generator.rates[0], lower, upper)
    if lost is not None:
        notes.append(
            f"γ(±{lost:.6g}) is zero in double precision, where the bath's support does not end: "
            "it counts as zero, as for all times that can be reached"
        )
    return tuple(notes)


def _support(bath: Bath) -> tuple[float, float]:
    """|ω| between which γ is not zero."""
    support = getattr(getattr(bath, "density", bath), "support", None) or (0.0, np.inf)
    return max(support[0], 0.0), support[1]


def _underflow(
    parts: Decomposition, rates: NDArray[Any], lower: float, upper: float
) -> float | None:
    """A Bohr frequency at which γ is 0 and the bath does not say why, or None.

    At 0 a limit vanishes exactly; outside the support, up to `lower` and from `upper` on, γ does.
    """
    omega = np.abs(parts.spectrum.bohr_frequencies[0])
    inside = (omega > lower) & (omega < upper)
    lost = inside & (np.maximum(rates.real, rates.real.T) == 0.0)
    lost &= parts.spectrum.weights[0] > 0.0
    return float(omega[lost].min()) if lost.any() else None
