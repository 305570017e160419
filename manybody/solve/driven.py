"""One sample whose Hamiltonian depends on time: master equations in the instantaneous eigenbasis.

SNM eq. (14): at each instant the generator is that of H(t) frozen.  All equations are advanced
side by side by one adaptive integration, so that H(t) is diagonalised once for all of them.

SNM is a paper that docs/physics.md names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError, shown, warn_caller
from manybody.physics import arguments
from manybody.physics.adaptive import integrate, looser
from manybody.physics.baths.several import check_baths
from manybody.physics.equations.instantaneous import (
    InstantaneousEquations,
    Instants,
    frequency_crossings,
)
from manybody.physics.equations.protocol import check_applies
from manybody.physics.equations.registry import DEFAULT, EQUATIONS, check_equations, unguarded
from manybody.physics.models.driven import DrivenModel
from manybody.physics.problem import Problem
from manybody.physics.quantities.certificates import hermiticity_error, trace_error
from manybody.physics.quantities.norms import smallest_eigenvalue, trace_distance
from manybody.physics.spectra import AMBIGUOUS
from manybody.solve.comparison import Pairs, SideBySide, balance_words, pairs_of
from manybody.solve.starting import build_start
from manybody.solve.unphysical import growth_rate, outside_of, outside_words
from manybody.system.blas import blas_threads

# Every evaluation diagonalises H(t) and makes all generators anew: seconds each beyond that.
MAX_STATES = 256
# Times that a warning names one by one.
_NAMED = 4


@dataclass(frozen=True, eq=False)
class DrivenComparison(SideBySide):
    """Master equations side by side on one system with H(t).

    Attributes
    ----------
    times : (T,) array
        In 1/J.
    equations : tuple of str
        Their names, as asked for.
    distance : mapping of (str, str) to (T,) array
        distance[a, b] = ‖ρ_a(t) − ρ_b(t)‖₁ of every two of them, no factor ½.
    smallest_eigenvalues : mapping of str to (T,) array
        Of ρ(t) of every equation that does not guarantee positivity.
    time_error : float
        Largest trace norm of the difference to a run at a hundred times the tolerance: the error
        of that run, and so an upper estimate of the error of this one.
    evaluations : int
        How often H(t) was diagonalised, both runs together.
    trace_error : float
        Largest |tr ρ(t) − 1| over times and equations.
    hermiticity_error : float
        Largest |ρ_ab − ρ_ba*| over times and equations.
    kms_residual : float
        Largest violation of detailed balance by the bath at the Bohr frequencies of the output
        times.
    crossings : (T,) array
        Pairs of Bohr frequencies that have changed order since the time before (since t = 0 for
        the first).  At each crossing Davies is another equation for one instant, which no integral
        sees, but around it Davies neglects what turns slowly.
    coincidences : array
        Times in 1/J met by a closed equation at which more Bohr frequencies were equal than at
        most others.
    undecided : array
        Those at which it cannot be decided which are.
    states : mapping of str to (T, D, D) array
        In the working basis if kept, else empty.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> h = lambda t: np.array([[np.sin(0.2 * t), 0.5], [0.5, -np.sin(0.2 * t)]])
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
    >>> run = mb.compare_driven(mb.DrivenSingleParticle(h), bath, [0.0, 1.0], keep_states=True)
    >>> run.states["redfield"].shape, run.trace_error < 1e-9
    ((2, 2, 2), True)
    """

    times: Real
    equations: tuple[str, ...]
    distance: Pairs
    smallest_eigenvalues: Mapping[str, Real]
    time_error: float
    evaluations: int
    trace_error: float
    hermiticity_error: float
    kms_residual: float
    crossings: Real
    coincidences: Real
    undecided: Real
    states: Mapping[str, Complex] = field(default_factory=dict)


def compare_driven(
    model: DrivenModel,
    bath: Any,
    times: Iterable[float],
    initial_site: int = 0,
    lamb_shift: bool = False,
    tolerance: float = 1e-8,
    keep_states: bool = False,
    initial_beta: float | None = None,
    equations: Sequence[str] = DEFAULT,
    initial_state: Any = None,
) -> DrivenComparison:
    """Trace distances between the evolutions under H(t) by several master equations.

    Parameters
    ----------
    model : DrivenSingleParticle or DrivenManyBody
        Up to 256 states.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As of `compare`.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    initial_site : int, default 0
        As of `compare`.
    lamb_shift : bool, default False
        Keep η(ω) in all equations.
    tolerance : float, default 1e-08
        In [1e-13, 0.01], of the local error of a step of Dormand and Prince of order 8, absolute
        and relative, and `time_error` says what became of it.
    keep_states : bool, default False
        Return all states.
    initial_beta : float or None, default None
        Start from a thermal state of H(0), in 1/J.
    equations : sequence of str, default ("redfield", "davies")
        Two or more of `manybody.EQUATIONS`.
    initial_state : str, sequence or array or None, default None
        As of `compare`.

    Returns
    -------
    DrivenComparison
        Distances, smallest eigenvalues and what is known of errors.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), or H(t) is not
        Hermitian of one size at any time that is met.
    NumericalError
        Steps become too small, or a growing mode leaves double precision.

    Warns
    -----
    UserWarning
        Of times at which Bohr frequencies coincide that elsewhere do not, or of which that cannot
        be decided (they are kept apart): Davies has no limit there.  When a ρ leaves the states,
        and when the bath breaks detailed balance.

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eq. (14); docs/physics.md sections 6 and 11.

    At each instant every equation is that of H(t) frozen, in its eigenbasis: right where H
    changes little within the correlation time of the baths (for Davies also within the inverse
    of the differences of Bohr frequencies).  What is neglected beyond that no figure here shows.

    Jumps and kinks of H(t) cost steps, not accuracy.  An evaluation takes 1.5 ms at 8 states, 5 ms
    at 64, and there are about 6 a unit of bandwidth times time.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> h = lambda t: np.array([[np.sin(0.2 * t), 0.5], [0.5, -np.sin(0.2 * t)]])
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
    >>> run = mb.compare_driven(mb.DrivenSingleParticle(h), bath, [0.0, 5.0, 10.0])
    >>> bool(run.trace_distance.max() < 0.1 and run.time_error < 1e-5)
    True
    """
    if not callable(getattr(model, "at", None)):
        raise InputTypeError(
            f"model = {shown(model)}: a DrivenSingleParticle or a DrivenManyBody is needed"
        )
    arguments.boolean("keep_states", keep_states)
    arguments.boolean("lamb_shift", lamb_shift)
    tolerance = arguments.tolerance(tolerance)
    grid = arguments.ascending_times("times", times)
    named = tuple(EQUATIONS[name] for name in check_equations(equations))
    _check_models(model, grid)
    frozen = model.at(0.0)
    baths = check_baths(bath, frozen.couplings, lamb_shift)
    check_applies(named, [frozen])
    start = build_start([frozen], initial_site, initial_beta, initial_state)
    with blas_threads(), np.errstate(under="ignore"):
        side_by_side = InstantaneousEquations(model, baths, lamb_shift, named)
        spectrum = side_by_side.problem(0.0).spectrum
        state = start.columns(spectrum, slice(0, spectrum.dimension))
        result = _run(side_by_side, state, grid, tolerance, keep_states)
    warn_caller(
        balance_words(result.kms_residual), _coincidence_words(result), _outside_words(result)
    )
    return result


def _check_models(model: DrivenModel, times: Real) -> None:
    """That H(t) is one at the times that are certainly met, and small enough."""
    dimension = model.at(0.0).dimension
    if dimension > MAX_STATES:
        raise InputError(f"{dimension} states: a driven system has at most {MAX_STATES}")
    for time in times:
        here = model.at(float(time)).dimension
        if here != dimension:
            raise InputError(f"H({time:g}) has {here} states, H(0) {dimension}: must be the same")


def _run(
    equations: InstantaneousEquations,
    state: Complex,
    times: Real,
    tolerance: float,
    keep_states: bool,
) -> DrivenComparison:
    initial = np.stack([state] * len(equations.equations))
    found, evaluations = integrate(equations.derivative, initial, times, tolerance)
    instants, equations.instants = equations.instants, Instants()
    coarse, more = integrate(equations.derivative, initial, times, looser(tolerance))
    by_name = {each.name: found[:, index] for index, each in enumerate(equations.equations)}
    names = tuple(by_name)
    stack = found.swapaxes(0, 1)
    problems = [equations.problem(float(time)) for time in (0.0, *times)]
    return DrivenComparison(
        times,
        names,
        Pairs({(a, b): trace_distance(by_name[a], by_name[b]) for a, b in pairs_of(names)}),
        {each.name: smallest_eigenvalue(by_name[each.name]) for each in unguarded(names)},
        float(trace_distance(found, coarse).max()),
        evaluations + more,
        float(trace_error(stack).max()),
        float(hermiticity_error(stack).max()),
        max(max(problem.kms_residuals) for problem in problems[1:]),
        _crossings(problems),
        instants.departing(),
        instants.with_verdict(AMBIGUOUS),
        {name: own.copy() for name, own in by_name.items()} if keep_states else {},
    )


def _crossings(problems: Sequence[Problem]) -> Real:
    levels = [problem.spectrum.energies[0] for problem in problems]
    return np.array([frequency_crossings(a, b) for a, b in zip(levels, levels[1:])], dtype=int)


def _coincidence_words(result: DrivenComparison) -> str:
    """What to say of instants at which Davies has no limit, empty where there are none."""
    parts = [
        f"{what} at {_times_words(times)}"
        for what, times in (
            ("Bohr frequencies coincide that elsewhere do not", result.coincidences),
            ("it cannot be decided which Bohr frequencies coincide", result.undecided),
        )
        if times.size
    ]
    if not parts:
        return ""
    return (
        f"{'; '.join(parts)}: Davies in the instantaneous eigenbasis has no limit there, what is "
        "undecided was kept apart"
    )


def _times_words(times: Real) -> str:
    if len(times) <= _NAMED:
        return f"t = {', '.join(f'{time:g}' for time in times)}"
    return f"{len(times)} times met between t = {times[0]:g} and {times[-1]:g}"


def _outside_words(result: DrivenComparison) -> str:
    """What to say where a ρ leaves the states, empty where none does."""
    distance: Real = np.stack(list(result.distance.values())).max(axis=0)
    found = outside_of(result, distance, result.time_error)
    return "" if found is None else outside_words(found, growth_rate(result.times, distance))
