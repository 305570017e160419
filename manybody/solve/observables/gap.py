"""How slowly the equations relax."""

from manybody.numerics.petsc.linear import RESTART
from manybody.numerics.petsc.runtime import slepc
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.solve.modes import DENSE_SITES, foreseen_searches, modes_of
from manybody.solve.observables.protocol import Cost, Figure, Observable, Panel, dense_flops
from manybody.system.communicator import Communicator

# A search around one frequency is a Krylov-Schur of 21 vectors with some restarts, from two starts
# or three; every vector is a solution by GMRES.  How many vectors a start takes, around 0, where
# few populations are far slower than the rest, and around other frequencies (SYK2 with 28 to 64
# sites, Anderson cubes with 64 and 125 of W = 1 to 40).
_STARTS, _AT_ZERO, _ELSEWHERE = 2.1, 35.0, 55.0
# What a solution takes beside iterations, in applications: its aim, the first residual, and what
# Krylov-Schur does with it; and Krylov-Schur on L itself, in all.
_OF_A_SOLUTION, _DIRECTLY = 3.0, 150.0
# Slowest rate as a part of the largest below which with Lamb shift (some modes grow there) most
# solutions take GMRES beyond its restart: six of seven samples of 125 sites, none of nine above.
_STALLS_BELOW = 3.5e-5
# Frequencies of a large system, which is not asked: one in so many sites more than a few; and
# iterations of a weakly coupled one.
_FREQUENCIES, _SITES_A_FREQUENCY, _ITERATIONS = 3.0, 12.0, 9
_SECONDS = 3e-3


def _measure(problem: Problem, _start: Start, comm: Communicator | None) -> dict[str, float]:
    found = modes_of(problem, comm=comm)
    return {
        "gap": found.gap,
        "gap_frequency": found.gap_frequency,
        "gap_davies": float(-found.davies_eigenvalues[0].real),
        "gap_residual": float(found.residuals[0]),
    }


def _cost(facts: SystemFacts) -> Cost:
    if facts.dimension <= DENSE_SITES:
        return Cost(flops=dense_flops(facts.dimension), seconds=_SECONDS)
    number = _FREQUENCIES + facts.dimension / _SITES_A_FREQUENCY
    return _searching([1.0, number - 1.0], [_ITERATIONS, _ITERATIONS])


def _cost_of_sample(problem: Problem) -> Cost:
    """By the frequencies at which the search would look if Redfield had the modes of Davies, and
    a solution at two of them."""
    dimension = problem.dimension
    if dimension <= DENSE_SITES:
        return Cost(flops=dense_flops(dimension), seconds=_SECONDS)
    found = foreseen_searches(problem)
    is_stalled = problem.lamb_shift and found.slowest < _STALLS_BELOW
    return _searching(found.searches, found.iterations, is_stalled)


def _searching(searches: list[float], iterations: list[int], is_stalled: bool = False) -> Cost:
    """Of searches around 0 and around other frequencies, in those for six modes."""
    at_zero = iterations[0] + (RESTART if is_stalled else 0)
    first = _AT_ZERO * searches[0] * (at_zero + _OF_A_SOLUTION)
    others = _ELSEWHERE * sum(searches[1:]) * (iterations[-1] + _OF_A_SOLUTION)
    applications = _STARTS * (first + others) + _DIRECTLY
    return Cost(applications, seconds=_SECONDS, iterations=at_zero)


GAP = Observable(
    name="gap",
    figures={
        "gap": Figure("slowest decay rate of Redfield, min -Re; negative where a mode grows", "J"),
        "gap_frequency": Figure("|Im| of that mode", "J"),
        "gap_davies": Figure("slowest decay rate of Davies", "J"),
        "gap_residual": Figure("|L[x] - lambda x| of the slowest mode of norm 1", "J"),
    },
    measure=_measure,
    panels=(Panel(("gap", "gap_davies"), "slowest decay", r"gap $[J]$, filled: Redfield", True),),
    shown=("gap", "gap_davies"),
    fewest_sites=2,
    needs_bath=True,
    library=slepc,
    cost=_cost,
    cost_of_sample=_cost_of_sample,
    krylov=True,
    block_cost=1e5,
)
