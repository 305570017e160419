"""How far apart the equations are after a long time."""

from manybody.numerics.petsc.runtime import petsc
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.solve.observables.protocol import Cost, Figure, Observable, Panel
from manybody.solve.steady import steady_of
from manybody.system.communicator import Communicator


def _measure(problem: Problem, start: Start, comm: Communicator | None) -> dict[str, float]:
    found = steady_of(problem, "redfield", start, comm=comm)
    return {
        "steady_distance": found.distance_from_davies,
        "steady_smallest_eigenvalue": found.smallest_eigenvalue,
        "steady_error": found.state_error,
        "steady_null_dimension": float(found.null_dimension),
        "steady_iterations": float(found.iterations),
    }


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
    cost=lambda n_sites: Cost(applications=15.0),
    krylov=True,
    block_cost=3e3,
)
