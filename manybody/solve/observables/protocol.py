"""What an observable is: figures of one sample, what they cost and how a report shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manybody.parallel.collective import together
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.system.communicator import Communicator


@dataclass(frozen=True)
class Figure:
    """One number a sample: what it is and its unit."""

    meaning: str
    unit: str = "1"


@dataclass(frozen=True)
class Panel:
    """Means of figures against size in one panel of a report.

    figures: filled the first, open the others; marks: values of theory, by name.
    """

    figures: tuple[str, ...]
    title: str
    label: str
    logarithmic: bool
    marks: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Cost:
    """Of one sample: applications of the complex-linear map with its preconditioner, those of a
    real H where they are others, and flops of one rank beside them."""

    applications: float = 0.0
    flops: float = 0.0
    real_applications: float | None = None

    def of(self, is_real: bool) -> float:
        """Applications where H is real, or is not."""
        other = self.real_applications
        return other if is_real and other is not None else self.applications


def no_library() -> None:
    """For observables that need neither PETSc nor SLEPc."""


def no_cost(_n_sites: int) -> Cost:
    """For observables that cost little beside the diagonalisation."""
    return Cost()


Measure = Callable[[Problem, Start, Communicator | None], dict[str, float]]


def by_rank_0(figures_of: Callable[[Problem], dict[str, float]]) -> Measure:
    """What is measured by one rank for all, whatever the start."""

    def measure(
        problem: Problem, _start: Start, comm: Communicator | None = None
    ) -> dict[str, float]:
        return together(comm, lambda: figures_of(problem))

    return measure


@dataclass(frozen=True)
class Observable:
    """What is measured of one sample, as data.

    name: as a study asks for it; figures: by name, what `measure` returns.
    measure: problem of one sample, its start and the ranks that share it (or None) -> figures,
    the same on every rank; nan for what is not defined or not determined.  Raises
    RuntimeError when a solver does not converge.
    panels: of a report; shown: figures of its summary, where tables have all.
    fewest_sites: below which it has no meaning; needs_bath: whether it means nothing without
    one; one_bath: whether it is of equal baths alone; several_temperatures: whether it
    means nothing where all baths have one; needs_site: whether it is of a start on a
    site; library: raises RuntimeError where
    something is not installed.
    cost: of a sample of N sites; krylov: whether all ranks work on it, in Krylov spaces of
    matrices that take memory; where none does, rank 0 alone has the problem.
    block_cost: in N³ flops, by which studies cut samples into blocks: no part of the cost model,
    which learns, since all versions must cut alike.
    """

    name: str
    figures: Mapping[str, Figure]
    measure: Measure
    panels: tuple[Panel, ...] = ()
    shown: tuple[str, ...] = ()
    fewest_sites: int = 1
    needs_bath: bool = False
    one_bath: bool = False
    several_temperatures: bool = False
    needs_site: bool = False
    library: Callable[[], object] = no_library
    cost: Callable[[int], Cost] = no_cost
    krylov: bool = False
    block_cost: float = 0.0
