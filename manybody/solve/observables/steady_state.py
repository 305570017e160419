"""How far apart the equations are after a long time."""

from manybody.numerics.petsc.runtime import petsc
from manybody.physics.equations.dense_redfield import PERTURBED
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.solve.observables.protocol import Cost, Figure, Observable, Panel, dense_flops
from manybody.solve.steady import DENSE_LEVELS, steady_of
from manybody.system.communicator import Communicator

# Calls: of the decomposition and of one PETSc solver, and of three dense Liouvillians.
_SECONDS, _SECONDS_OF_DENSE = 2.5e-3, 3e-3
# Of GMRES from Gibbs and from a random matrix, of which each must say the same; 9 to 14 of the
# first where dense algebra says it, 3 in all where Gibbs is known to be stationary.
_APPLICATIONS, _ITERATIONS = 45.0, 17.0
# Of a dense Liouvillian: its LU in N⁶, all passes over it in N⁴.
_OF_LU, _OF_PASSES = 4.0, 2000.0


def _measure(problem: Problem, start: Start, comm: Communicator | None) -> dict[str, float]:
    found = steady_of(problem, "redfield", start, comm=comm)
    return {
        "steady_distance": found.distance_from_davies,
        "steady_smallest_eigenvalue": found.smallest_eigenvalue,
        "steady_error": found.state_error,
        "steady_null_dimension": float(found.null_dimension),
        "steady_iterations": float(found.iterations),
    }


def _cost(facts: SystemFacts) -> Cost:
    """By how the state is known: Gibbs, dense algebra on a component, or two starts."""
    n = float(facts.dimension)
    examining = 150.0 * n**3
    if facts.has_temperature and not facts.lamb_shift:
        return Cost(6.0, examining, _SECONDS)
    if n > DENSE_LEVELS:
        return Cost(_APPLICATIONS, examining, _SECONDS, _ITERATIONS)
    dense = (1.0 + PERTURBED) * (_OF_LU * n**6 + _OF_PASSES * n**4)
    if not facts.has_temperature:
        return Cost(0.0, dense + dense_flops(facts.dimension), _SECONDS + _SECONDS_OF_DENSE)
    return Cost(15.0, dense + examining, _SECONDS + _SECONDS_OF_DENSE)


STEADY_STATE = Observable(
    name="steady_state",
    figures={
        "steady_distance": Figure(
            "trace norm of rho_Davies - rho_Redfield, both averaged over long times"
        ),
        "steady_smallest_eigenvalue": Figure("smallest eigenvalue of that of Redfield"),
        "steady_error": Figure("estimated error of that of Redfield in trace norm"),
        "steady_null_dimension": Figure("number of independent stationary matrices"),
        "steady_iterations": Figure("iterations of GMRES"),
    },
    measure=_measure,
    panels=(
        Panel(
            ("steady_distance",),
            "steady states",
            r"$\|\rho_D(\infty) - \rho_R(\infty)\|_1$",
            logarithmic=True,
        ),
    ),
    shown=("steady_distance",),
    needs_bath=True,
    needs_site=True,
    library=petsc,
    cost=_cost,
    krylov=True,
    block_cost=3e3,
)
