"""What an observable is: figures of one sample, what they cost and how a report shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manybody.parallel.collective import together
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.system.communicator import Communicator


@dataclass(frozen=True)
class Figure:
    """One number a sample: what it is and its unit.

    Parameters
    ----------
    meaning : str
        What it is, for tables and Datasets.
    unit : str, default "1"
        Its unit.

    Examples
    --------
    >>> from manybody.solve.observables.protocol import Figure
    >>> Figure("slowest decay rate", "J").unit
    'J'
    """

    meaning: str
    unit: str = "1"


@dataclass(frozen=True)
class Panel:
    """Means of figures against size in one panel of a report.

    Parameters
    ----------
    figures : tuple of str
        Their names: filled the first, open the others.
    title : str
        Of the panel.
    label : str
        Of its vertical axis.
    logarithmic : bool
        Whether that is.
    marks : tuple of (str, float), default ()
        Values of theory, by name.

    Examples
    --------
    >>> from manybody.solve.observables.registry import MEASURED
    >>> MEASURED["gap"].panels[0].logarithmic
    True
    """

    figures: tuple[str, ...]
    title: str
    label: str
    logarithmic: bool
    marks: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Cost:
    """What one sample costs.

    Attributes
    ----------
    applications : float, default 0.0
        Of the complex-linear map with its preconditioner.
    flops : float, default 0.0
        Of one rank beside them, in flops of dense products that take as long.
    seconds : float, default 0.0
        Of calls, however small the sample.
    iterations : float, default 10.0
        Of one solution by GMRES, whose steps meet all vectors before them.

    Examples
    --------
    >>> from manybody.solve.observables.protocol import Cost
    >>> Cost(flops=1e9).applications
    0.0
    """

    applications: float = 0.0
    flops: float = 0.0
    seconds: float = 0.0
    iterations: float = 10.0


def no_library() -> None:
    """For observables that need neither PETSc nor SLEPc."""


def no_cost(_facts: SystemFacts) -> Cost:
    """For observables that cost little beside the diagonalisation."""
    return Cost()


def dense_flops(dimension: int) -> float:
    """All eigenvalues and vectors of a Liouvillian, in flops of products; within 1.3.

    Parameters
    ----------
    dimension : int
        Number of states, whose square is the order of the matrix.

    Returns
    -------
    float
        Flops: LAPACK's, and rotations that wait for each other.
    """
    order = float(dimension) ** 2
    return 130.0 * order**3 + 5.5e4 * order**2


Measure = Callable[[Problem, Start, Communicator | None], dict[str, float]]


def by_rank_0(figures_of: Callable[[Problem], dict[str, float]]) -> Measure:
    """Measure of what one rank computes for all, whatever the start.

    Parameters
    ----------
    figures_of : callable
        Figures of a problem of one sample.

    Returns
    -------
    callable
        What `Observable` wants as `measure`.
    """

    def measure(
        problem: Problem, _start: Start, comm: Communicator | None = None
    ) -> dict[str, float]:
        return together(comm, lambda: figures_of(problem))

    return measure


@dataclass(frozen=True)
class Observable:
    """What is measured of one sample, as data.

    Parameters
    ----------
    name : str
        As a study asks for it.
    figures : mapping of str to Figure
        What `measure` returns, by name.
    measure : callable
        (problem of one sample, its start, the ranks that share it or None) -> figures, the same on
        every rank; nan for what is not defined or not determined.  Raises RuntimeError when a
        solver does not converge.
    panels : tuple of Panel, default ()
        Of a report.
    shown : tuple of str, default ()
        Figures of its summary, where tables have all.
    fewest_sites : int, default 1
        Below which it has no meaning.
    needs_bath : bool, default False
        Whether it means nothing without one.
    one_bath : bool, default False
        Whether it is of equal baths alone.
    several_temperatures : bool, default False
        Whether it means nothing where all baths have one.
    needs_site : bool, default False
        Whether it is of a start on a site.
    library : callable, default no_library
        Raises RuntimeError where something is not installed.
    cost : callable, default no_cost
        `SystemFacts` -> `Cost` of a sample.
    cost_of_sample : callable or None, default None
        Problem of one sample -> its `Cost`, where facts alone do not say it; asked of a few
        samples of up to 256 states.
    krylov : bool, default False
        Whether all ranks work on it, in Krylov spaces of matrices that take memory; where none
        does, rank 0 alone has the problem.
    block_cost : float, default 0.0
        In N³ flops, by which studies cut samples into blocks: no part of the cost model, which
        learns, since all versions must cut alike.

    Examples
    --------
    >>> import numpy as np
    >>> from manybody.solve.observables.protocol import Figure, Observable, by_rank_0
    >>> def width(problem):
    ...     return {"width": float(np.ptp(problem.spectrum.energies[0]))}
    >>> figures = {"width": Figure("width of the spectrum", "J")}
    >>> own = Observable("width", figures, by_rank_0(width))
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> own.measure(problem, None, None)["width"] > 0.0
    True
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
    cost: Callable[[SystemFacts], Cost] = no_cost
    cost_of_sample: Callable[[Problem], Cost] | None = None
    krylov: bool = False
    block_cost: float = 0.0
