"""Expectation values of a point: curves of every sample, of equations and their differences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics.quantities.expectations import Expectation, Places
from manybody.report.analysis.statistics import Moments
from manybody.solve.comparison import pairs_of
from manybody.study.blocks import EXPECTATION

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ExpectationCurves:
    """One component of an expectation value in time.

    component: its label, empty where there is one alone; values: (samples, equations, T).
    """

    expectation: Expectation
    component: str
    values: Real

    def difference(self, pair: tuple[int, int]) -> Real:
        """(samples, T) first less second of two equations by their places, sample by sample."""
        first, second = pair
        difference: Real = self.values[:, first] - self.values[:, second]
        return difference

    @property
    def largest_difference(self) -> float:
        """Over time, of the means of the first two equations."""
        return float(np.abs(Moments.of(self.difference((0, 1))).mean).max())


def expectation_curves(
    arrays: Arrays, wanted: Sequence[Expectation], places: Places
) -> Iterator[ExpectationCurves]:
    """Every component of every expectation value that the blocks of a point have."""
    for each in wanted:
        if EXPECTATION + each.name not in arrays:
            continue
        values, labels = arrays[EXPECTATION + each.name], each.components(places)
        if labels is None:
            yield ExpectationCurves(each, "", values)
            continue
        for index, label in enumerate(labels):
            yield ExpectationCurves(each, label, values[..., index])


def places_of_pairs(equations: Sequence[str]) -> list[tuple[str, tuple[int, int]]]:
    """Every two equations as "a-b", and where they stand among all."""
    names = list(equations)
    return [(f"{a}-{b}", (names.index(a), names.index(b))) for a, b in pairs_of(names)]
