"""The expectation values that the arguments of a call name, and what they are of one sample."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.quantities.expectations import PATTERNS, Expectation, Places, expectation_of


def build_expectations(given: Any, places: Sequence[Places] = ()) -> tuple[Expectation, ...]:
    """What a call asks for, checked against its systems.

    given: names, or a mapping of names to operators, see `compare`.  Raises TypeError or
    ValueError.
    """
    if isinstance(given, Mapping):
        found = tuple(expectation_of(name, operator) for name, operator in given.items())
    elif isinstance(given, (list, tuple)):
        for name in given:
            if not isinstance(name, str):
                raise InputTypeError(
                    f"expectations entry of type {type(name).__name__}: a name is needed "
                    f"({', '.join(PATTERNS)}); operators come in a mapping of names"
                )
        found = tuple(expectation_of(name, name) for name in given)
    else:
        raise InputTypeError(
            f"expectations of type {type(given).__name__}: a sequence of names or a mapping of "
            "names to operators is needed"
        )
    names = [each.name for each in found]
    for name in names:
        # They name variables of files and columns of tables.
        if not re.fullmatch(r"\w[\w .+-]*", name):
            raise InputError(
                f"expectations: the name {name!r} must begin with a letter or digit, of which, "
                "'_', '-', '+', '.' and spaces it may have more"
            )
    if len(set(names)) != len(names):
        raise InputError(f"expectations = {shown(names)}: each may appear once")
    for each in found:
        for own in places:
            each.check(own)
    return found


def places_of(model: Model) -> Places:
    """Where operators of a model act."""
    basis = getattr(model, "basis", None)
    return Places(model.dimension, model.n_sites, basis, isinstance(model, ManyBodyModel))


class ExpectationView:
    """Expectation values of the states of some equations, as one row of numbers a time.

    problem: one sample; wanted: what is asked for; equations: their names; columns: those of ρ
    that `sums` is given, all by default.
    """

    def __init__(
        self,
        problem: Problem,
        wanted: Sequence[Expectation],
        equations: Sequence[str],
        columns: slice = slice(None),  # noqa: B008
    ) -> None:
        self._wanted, self._equations = tuple(wanted), tuple(equations)
        self._sums = [each.operators(problem).sums(columns) for each in wanted]
        nothing = np.zeros((0, problem.dimension, len(range(*columns.indices(problem.dimension)))))
        self._sizes = [own(nothing).shape[1] for own in self._sums]
        # What has components keeps its axis, however many there are.
        is_many = _has_components(problem, wanted)
        self._shapes = [(size,) if many else () for size, many in zip(self._sizes, is_many)]

    @property
    def size(self) -> int:
        """Numbers an equation."""
        return sum(self._sizes)

    def sums(self, states: NDArray[Any]) -> Real:
        """(T, size) sums over the columns of (T, D, m) states of one equation."""
        return np.concatenate([own(states) for own in self._sums], axis=1)

    def read(self, rows: Real) -> dict[str, dict[str, Real]]:
        """By name and equation, from (T, equations · size) complete sums, one after the other."""
        found: dict[str, dict[str, Real]] = {each.name: {} for each in self._wanted}
        parts = np.split(rows, len(self._equations), axis=1)
        for equation, part in zip(self._equations, parts):
            first = 0
            for each, size, shape in zip(self._wanted, self._sizes, self._shapes):
                values = part[:, first : first + size].reshape(len(rows), *shape)
                found[each.name][equation] = np.ascontiguousarray(values)
                first += size
        return found


def _has_components(problem: Problem, wanted: Sequence[Expectation]) -> list[bool]:
    n_sites = problem.dimension if problem.basis is None else problem.basis.n_modes
    places = Places(problem.dimension, n_sites, problem.basis, problem.basis is not None)
    return [each.components(places) is not None for each in wanted]
