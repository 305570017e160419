"""What a sample leaves after a long time where no linear solver is needed, and how it is judged.

Davies with detailed balance is known in closed form; what no derivation decides (γ = 0 at
some Bohr frequencies, baths without detailed balance) is left to dense algebra.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.errors import InputError, NumericalError
from manybody.physics.baths.protocol import has_temperature
from manybody.physics.baths.several import AnyBaths, check_baths, without_temperature
from manybody.physics.couplings import Couplings, SiteProjectors, size_in_words
from manybody.physics.equations.davies import davies_on
from manybody.physics.equations.davies_modes import davies_undamped
from manybody.physics.equations.dense_redfield import (
    DenseLiouvillian,
    certain_state,
    dense_redfield,
)
from manybody.physics.equations.redfield import RedfieldGenerator, redfield_on
from manybody.physics.long_run import dense_davies, long_run
from manybody.physics.problem import Problem
from manybody.physics.quantities import norms
from manybody.physics.spectra import AMBIGUOUS, cluster_levels
from manybody.physics.starts import Start
from manybody.physics.stationary import Decomposition, decompose, project, same_levels
from manybody.physics.underflow import zero_where_tiny
from manybody.solve.examination import DENSE_SITES, System, diagonal_state

_MOST_ASSEMBLED = 100


@dataclass(frozen=True, eq=False)
class SteadyState:
    """What one equation leaves of ρ(0) after a long time.

    Attributes
    ----------
    equation : str
        Its name.
    state : (N, N) array of complex or None
        In the site basis, the average over long times; on rank 0, else None.
    components : (C, N, N) array of complex or None
        Stationary states of trace one, one for each set of levels that the baths connect; on rank
        0, else None.  `state` is the only one where C = 1 and no level is dark.
    null_dimension : int
        Number of independent stationary matrices.
    dark_levels : int
        Levels that no coupled site sees or that no rate connects with any.
    undamped_frequencies : (U,) array
        In J, of coherences that never decay.
    residual : float
        ‖L[ρ]‖_F in J of the worst component.
    state_error : float
        Estimate of what is wrong in that component, in trace norm, from the slowest modes of the
        equation itself: by dense algebra or the distance of the state from that of another start;
        for Davies what the bath leaves of detailed balance.
    iterations : int
        Of GMRES, all components.
    smallest_eigenvalue : float
        Of `state`: Redfield's may be negative, with Lamb shift grossly.
    distance_from_gibbs : float
        ‖state − Gibbs‖₁, both restricted to what ρ(0) weighs in the sets of levels that rates
        connect: for baths in detailed balance ‖ρ_Redfield − ρ_Davies‖₁; nan for a bath without a
        temperature, of β = nan, and for baths of several.
    distance_from_davies : float
        The same from the populations that the rate equation leaves, which are Gibbs for baths in
        detailed balance of one temperature; nan where levels coincide or not all follows from
        rates.
    notes : tuple of str, default ()
        Sentences on what decides the state and is not seen in any figure; given as warnings.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> steady = mb.steady_state(model, bath, "davies")
    >>> steady.null_dimension, steady.distance_from_gibbs < 1e-12
    (1, True)
    """

    equation: str
    state: Complex | None
    components: Complex | None
    null_dimension: int
    dark_levels: int
    undamped_frequencies: Real
    residual: float
    state_error: float
    iterations: int
    smallest_eigenvalue: float
    distance_from_gibbs: float
    distance_from_davies: float
    notes: tuple[str, ...] = ()


def check_relaxes(bath: Any, couplings: Couplings, lamb_shift: object) -> AnyBaths:
    """The baths of these couplings.  Raises TypeError or ValueError where nothing decays."""
    baths = check_baths(bath, couplings, lamb_shift)
    if baths.vanishes:
        raise InputError(
            "bath: γ = 0 everywhere, and without a bath no state is approached, no mode decays"
        )
    return baths


def check_assembled(couplings: Couplings) -> None:
    """Raise ValueError where sparse factors need too much memory."""
    n = couplings.dimension
    if n > _MOST_ASSEMBLED:
        raise InputError(
            f"method = 'assembled': the factors of {size_in_words(couplings)} take "
            f"{16.0 * n**4 / 2**30:.3g} GiB, allowed are {_MOST_ASSEMBLED}"
        )


def rounding_of(generator: RedfieldGenerator) -> float:
    """What rounding leaves of ‖L[ρ]‖_F for ‖ρ‖_F = 1, in J."""
    width, below, above = generator.spectral_box[0]
    return 4.0 * float(np.finfo(np.float64).eps) * float(width + above - below)


def enforce(equation: str, residual: float, tolerance: float, rounding: float) -> None:
    """Raise RuntimeError where a state is not stationary, whatever promised it to be."""
    if not residual <= max(tolerance, rounding):
        raise NumericalError(
            f"‖L[ρ]‖ = {residual:.3g} J of the {equation} equation instead of "
            f"{max(tolerance, rounding):.3g} J: no steady state is returned"
        )


def with_undecided(problem: Problem, system: System) -> System:
    """`system` with a note that its steady state depends on which Bohr frequencies coincide."""
    clustering = problem.clustering_on(system.rates.spectrum)
    note = (
        f"{clustering.undecided()}, and the Davies steady state depends on it: they are kept "
        "apart here, while a Hamiltonian in which they are equal gives the other answer"
    )
    return replace(system, notes=(*system.notes, note))


def davies_steady(problem: Problem, system: System, start: Start, tolerance: float) -> SteadyState:
    """Davies by its rates: Gibbs on every set of levels that they connect, or their balance.

    Notes where it is undecided which levels are equal, or which coherences are damped.
    Coincidences of other frequencies leave Gibbs stationary either way.
    """
    answers, bath = davies_on(problem, system.rates.spectrum), problem.bath
    rates, gibbs = system.rates, system.gibbs(bath.beta)
    undamped, *others = (davies_undamped(davies, rates) for davies in answers)
    if len(answers) > 1 and (
        cluster_levels(rates.spectrum).verdict == AMBIGUOUS
        or any(len(other) != len(undamped) for other in others)
        or _hangs_on_merging(problem, rates)
    ):
        system = with_undecided(problem, system)
    apart = answers[0]
    residual = max((float(np.linalg.norm(apart.apply(np.diag(own)))) for own in gibbs), default=0)
    rounding = rates.spectrum.dimension * rounding_of(apart.redfield)
    enforce("davies", residual, tolerance, rounding)
    still = int(np.count_nonzero(rates.dark_pairs()[2] == 0.0))
    states = thermal_states(system, bath.beta)
    counts = rates.n_components + still, rates.dark_levels, undamped
    figures = residual, _error_of_davies(system), 0
    return judged("davies", system, bath.beta, start, states, counts, figures)


def _error_of_davies(system: System) -> float:
    return system.balance_error if system.populations is None else system.populations_error


def _hangs_on_merging(problem: Problem, rates: Decomposition) -> bool:
    """Whether undecided coincidences, merged, leave more alone, by couplings of any kind."""
    spectrum = rates.spectrum
    if isinstance(spectrum.couplings, SiteProjectors):
        return False
    merged = problem.clustering_on(spectrum).merging_tolerance
    width = float(np.ptp(spectrum.energies[0])) or 1.0
    own = redfield_on(problem, spectrum).rates[0]
    found = decompose(spectrum, own, (merged, 100.0 * merged / width))
    return not same_levels(found, rates)


@zero_where_tiny
def dense_steady(
    problem: Problem, system: System, equation: str, start: Start, tolerance: float
) -> SteadyState:
    """Either equation by singular values of its Liouvillian.

    Raises RuntimeError above 32 sites.
    """
    n = system.parts.spectrum.dimension
    if n > DENSE_SITES:
        reason = _why_dense(system, problem.bath)
        n_states = size_in_words(system.parts.spectrum.couplings)
        raise NumericalError(
            f"{reason}: the {equation} steady state of {n_states} then needs dense algebra, had "
            f"up to {DENSE_SITES}"
        )
    bath, lamb_shift = problem.bath, problem.lamb_shift
    at_least, generator = 1, redfield_on(problem, system.parts.spectrum)
    known = False
    if equation == "davies":
        davies, *others = davies_on(problem, system.rates.spectrum)
        if others:
            system = with_undecided(problem, system)
        dense: DenseLiouvillian = dense_davies(davies)
    else:
        dense = dense_redfield(generator)
        known = not lamb_shift and system.is_balanced and system.rates.is_complete
        if not lamb_shift and system.is_balanced:
            # What commutes with the jumps of Davies, times Gibbs, is stationary for Redfield.
            still = np.count_nonzero(system.rates.dark_pairs()[2] == 0.0)
            at_least = system.rates.n_components + int(still)
    starts = thermal_states(system, bath.beta) if system.has_populations(bath.beta) else []
    if not (system.rates.is_complete and starts):
        starts += level_states(system)
    found = long_run(dense, whole(start, system), starts, at_least)
    state, error, components = found.state, found.state_error, found.components
    if found.null_dimension == 1 and equation == "redfield":
        state, error = certain_state(generator, bath, lamb_shift, np.ones(n, dtype=bool))
        components = state[None]
    residual = max(
        float(np.linalg.norm(dense.matrix @ dense.from_sites(one))) for one in (state, *components)
    )
    size = max(float(np.linalg.norm(one)) for one in (state, *components))
    enforce(equation, residual, tolerance, dense.rounding * size)
    alone = system.parts if lamb_shift and equation == "redfield" else system.rates
    counts = found.null_dimension, alone.dark_levels, found.undamped_frequencies
    result = judged(
        equation, system, bath.beta, start, list(components), counts, (residual, error, 0), state
    )
    slow = found.null_dimension - at_least
    if known and slow > 0:
        note = (
            f"{slow} modes relax below {dense.rounding:.1g} J, which rounding of the generator "
            "hides: they count as stationary"
        )
        return replace(result, notes=(*result.notes, note))
    return result


def _why_dense(system: System, bath: AnyBaths) -> str:
    """Why no derivation does, in words."""
    n = system.parts.spectrum.dimension
    if not has_temperature(bath.beta):
        return (
            f"{without_temperature(bath)}, no Gibbs state is stationary, and levels coincide or "
            "rates do not say all"
        )
    if not system.is_balanced:
        return f"γ(−ω) differs from e^(−βω)γ(ω) by up to {system.balance_error / n:.3g} of γ(ω)"
    if bath.beta == np.inf and not system.rates.is_complete:
        return (
            "at T = 0 the lowest level is degenerate, or something above it is never left "
            "downwards, so that more than one state is stationary"
        )
    return _left_alone(system)


def _left_alone(system: System) -> str:
    """What rates leave apart, in words."""
    if system.rates.is_complete:
        return (
            f"γ vanishes at so many Bohr frequencies that {system.rates.n_components} sets of "
            f"levels and {int(system.rates.dark.sum())} single ones are left alone"
        )
    return (
        "coherences last beside what relaxes, or rounding hides whether they do, as with a "
        "symmetry of H and all couplings that has several values or none that commute"
    )


def thermal_states(system: System, beta: float) -> list[Complex]:
    """(N, N) Gibbs of every set of levels that rates connect, in the site basis.

    Or what rates leave, see `System.gibbs`.
    """
    return [diagonal_state(system.rates.spectrum, own) for own in system.gibbs(beta)]


def level_states(system: System) -> list[Complex]:
    """(N, N) projectors on all levels, in the working basis."""
    vectors = system.rates.spectrum.vectors[0].astype(np.complex128)
    return [np.outer(own, own.conj()) for own in vectors.T]


def judged(
    equation: str,
    system: System,
    beta: float,
    start: Start,
    states: list[Complex],
    counts: tuple[int, int, Real],
    figures: tuple[float, float, int],
    state: Complex | None = None,
) -> SteadyState:
    """The result with its figures, on rank 0.

    states: of the components; counts: null dimension, dark levels, undamped frequencies;
    figures: residual, state_error, iterations; state: the long-time average where it does not
    follow from the weights of components that H leaves apart.
    """
    n = system.parts.spectrum.dimension
    rho = whole(start, system)
    parts = system.rates if equation == "davies" else system.parts
    if state is None:
        state = project(parts, states, rho)
    from_davies = float("nan")
    if system.has_populations(beta):
        thermal = project(system.rates, thermal_states(system, beta), rho)
        from_davies = float(norms.trace_distance(state, thermal))
    null_dimension, dark_levels, undamped = counts
    residual, state_error, iterations = figures
    return SteadyState(
        equation=equation,
        state=state,
        components=np.array(states).reshape(-1, n, n),
        null_dimension=null_dimension,
        dark_levels=dark_levels,
        undamped_frequencies=np.sort(undamped),
        residual=residual,
        state_error=state_error,
        iterations=iterations,
        smallest_eigenvalue=float(norms.smallest_eigenvalue(state)),
        distance_from_gibbs=from_davies if has_temperature(beta) else float("nan"),
        distance_from_davies=from_davies,
        notes=system.notes,
    )


def whole(start: Start, system: System) -> Complex:
    """(N, N) ρ(0) in the working basis."""
    spectrum = system.parts.spectrum
    return start.columns(spectrum, slice(0, spectrum.dimension))
