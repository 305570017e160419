"""The observables there are, by name, and what a study's own amount to."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.solve.observables.cancellation import CANCELLATION
from manybody.solve.observables.gap import GAP
from manybody.solve.observables.heat import HEAT
from manybody.solve.observables.levels import LEVEL_STATISTICS
from manybody.solve.observables.locality import LOCALITY
from manybody.solve.observables.protocol import Figure, Observable
from manybody.solve.observables.steady_state import STEADY_STATE
from manybody.system.communicator import Communicator

_KNOWN: dict[str, Observable] = {
    each.name: each for each in (STEADY_STATE, GAP, LEVEL_STATISTICS, CANCELLATION, LOCALITY, HEAT)
}
MEASURED: Mapping[str, Observable] = MappingProxyType(_KNOWN)


def register(observable: Observable) -> None:
    """Make an observable known by its name.

    Parameters
    ----------
    observable : Observable
        Of a name, and figures of names, that are free.

    Raises
    ------
    ValueError
        The name or that of a figure is taken.

    Examples
    --------
    >>> from manybody.solve.observables.registry import MEASURED, register
    >>> try:
    ...     register(MEASURED["gap"])
    ... except ValueError as error:
    ...     print(error)
    'gap': the name or one of the figures is known already
    """
    taken = {figure for each in _KNOWN.values() for figure in each.figures} & {*observable.figures}
    if observable.name in _KNOWN or taken:
        raise ValueError(f"{observable.name!r}: the name or one of the figures is known already")
    _KNOWN[observable.name] = observable


def chosen(names: Iterable[str]) -> list[Observable]:
    """Those of a study, which may name the distance in time beside them."""
    return [MEASURED[name] for name in names if name in MEASURED]


def figures_of(names: Iterable[str]) -> dict[str, Figure]:
    """What a study's observables measure, by name."""
    return {name: figure for each in chosen(names) for name, figure in each.figures.items()}


def measure(
    problem: Problem, names: Iterable[str], start: Start, comm: Communicator | None = None
) -> dict[str, float]:
    """The figures of one sample; collective over `comm`, the same on every rank.

    Raises RuntimeError when a solver does not converge; nan stands for a figure that is not
    defined or not determined.
    """
    return {
        name: value
        for each in chosen(names)
        for name, value in each.measure(problem, start, comm).items()
    }
