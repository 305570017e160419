"""How slowly the equations relax."""

from manybody.numerics.petsc.runtime import slepc
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.solve.modes import DENSE_SITES, modes_of
from manybody.solve.observables.protocol import Cost, Figure, Observable, Panel
from manybody.system.communicator import Communicator

# Of the generator for the modes around one frequency, each from two starts, of SYK2 with 32 to 64
# sites; of Anderson cubes with 64 and 125 and W from 5 to 20 all together (3D lattices have a real
# H), of which W = 1 needs five times as many.
_APPLICATIONS_OF_A_SHIFT, _APPLICATIONS_OF_REAL = 1000.0, 1200.0
# All modes of N sites by dense algebra take this times N⁶ products' flops.
_DENSE_MODES = 180.0


def _measure(problem: Problem, _start: Start, comm: Communicator | None) -> dict[str, float]:
    found = modes_of(problem, comm=comm)
    return {
        "gap": found.gap,
        "gap_frequency": found.gap_frequency,
        "gap_davies": float(-found.davies_eigenvalues[0].real),
        "gap_residual": float(found.residuals[0]),
    }


def _cost(n_sites: int) -> Cost:
    if n_sites <= DENSE_SITES:
        return Cost(flops=_DENSE_MODES * float(n_sites) ** 6)
    of_any = _APPLICATIONS_OF_A_SHIFT * (3.0 + n_sites / 12.0)
    return Cost(applications=of_any, real_applications=_APPLICATIONS_OF_REAL)


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
    krylov=True,
    block_cost=1e5,
)
