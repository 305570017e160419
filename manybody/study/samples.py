"""Samples of a point from draw to numbers: the distance in time and the figures of observables."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from manybody.parallel.collective import raised_alike, rank_of, size_of
from manybody.physics.equations.protocol import Equation
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.starts import Start
from manybody.solve.checkpoints import Keeper
from manybody.solve.compare import compare_problems
from manybody.solve.comparison import Comparison, Setting, check_setting
from manybody.solve.observables.registry import chosen, measure
from manybody.solve.sharing import shared_problem
from manybody.solve.spread import check_fits, compare_spread
from manybody.solve.stacked import stacks_of_a_kind
from manybody.study.configuration import Point, Study
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator

Numbers = tuple[Comparison | None, dict[str, float]]


def compute_stack(
    own: Study, point: Point, samples: Sequence[int], tell: Callable[[str], None]
) -> list[Numbers]:
    """Small samples on this process, those of a kind in one stack.

    own: the study with the changes of the point; tell: called with its name after each sample.
    """
    models = [point.build(own.seed, sample) for sample in samples]
    start = own.start(point)
    setting = _setting(own, start, models) if own.evolves else None
    found: dict[int, Numbers] = {}
    for stack in stacks_of_a_kind(models):
        problem = Problem([models[index] for index in stack], own.bath, own.lamb_shift)
        runs: list[Comparison] | list[None] = [None] * len(stack)
        if setting is not None:
            runs = compare_problems(problem, setting)
        for place, (index, run) in enumerate(zip(stack, runs)):
            found[index] = run, _measured(problem, place, own, start)
            tell(point.name)
    return [found[index] for index in range(len(models))]


def compute_large(
    own: Study,
    point: Point,
    sample: int,
    comm: Communicator | None = None,
    tell: Callable[[str], None] = lambda _: None,
    keeper: Keeper | None = None,
) -> Numbers:
    """One sample from a problem that the ranks of `comm` share, all of which call this.

    Raises Stopped as `compare_spread` does.
    """
    model = point.build(own.seed, sample) if rank_of(comm) == 0 else None
    start = own.start(point)
    setting = _setting(own, start, []) if own.evolves else None
    if setting is not None:
        check_fits(model, setting, comm)
    comparison, figures = None, {}
    with _problem(own, model, comm) as problem:
        if setting is not None:
            with np.errstate(under="ignore"):
                comparison = compare_spread(problem, setting, comm, tell=tell, keeper=keeper)
        if chosen(own.observables):
            with raised_alike(comm):
                figures = _measured(problem, 0, own, start, comm)
    return comparison, figures


@contextlib.contextmanager
def _problem(own: Study, model: Model | None, comm: Communicator | None) -> Iterator[Problem]:
    """Shared where several ranks work on it, or where memory counts; else lazily, of rank 0."""
    if own.evolves:
        shared = shared_problem(
            model,
            own.bath,
            own.lamb_shift,
            comm,
            own.operator,
            _equations(own),
            any(each.needs_hamiltonian for each in own.expected),
        )
    elif size_of(comm) > 1 and any(each.krylov for each in chosen(own.observables)):
        shared = shared_problem(model, own.bath, own.lamb_shift, comm)
    else:
        yield Problem([] if model is None else [model], own.bath, own.lamb_shift)
        return
    with shared as problem:
        yield problem


def _equations(own: Study) -> tuple[Equation, ...]:
    """Those of a study, none where observables need a spectrum whatever the equations do."""
    return () if chosen(own.observables) else tuple(EQUATIONS[name] for name in own.equations)


def _measured(
    problem: Problem, place: int, own: Study, start: Start, comm: Communicator | None = None
) -> dict[str, float]:
    """Figures of one sample of a stack beside the distance in time."""
    if not chosen(own.observables):
        return {}
    with blas_threads(), np.errstate(under="ignore"):
        # Only a stack is taken apart: ranks without the model must not look at its spectrum.
        sample = problem if len(problem.models) < 2 else problem.sample(place)
        return measure(sample, own.observables, start, comm)


def _setting(own: Study, start: Start, models: Sequence[Model]) -> Setting:
    return check_setting(
        models,
        own.bath,
        own.times,
        0,
        own.lamb_shift,
        own.stepper,
        own.tolerance,
        own.petsc_options,
        own.operator,
        own.drop_tolerance,
        None,
        own.equations,
        start,
        {each.name: each.source for each in own.expected},
    )
