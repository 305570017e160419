"""What each equation guarantees, and by how much it breaks what it does not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from manybody.arrays import Real
from manybody.physics.baths.protocol import has_temperature
from manybody.physics.equations.protocol import Equation
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.liouvillians import liouvillian_of
from manybody.physics.problem import Problem
from manybody.physics.quantities.complete_positivity import choi_eigenvalue
from manybody.report.read import PointResult
from manybody.study.blocks import OF_EQUATIONS
from manybody.study.configuration import Study

# States up to which a generator is built for its report: tens of milliseconds.
LARGEST = 16


@dataclass(frozen=True, eq=False)
class Kept:
    """One equation at one point.

    positive, gibbs: whether it guarantees complete positivity, and that e^{−βH}/Z is stationary,
    there, None where the baths have no β in common; smallest: (n,) smallest eigenvalue of ρ(t)
    over time of each sample, None where it is guaranteed and not measured; residual: (n,) largest
    |element| of L[ρ_Gibbs], in J; kossakowski: smallest eigenvalue of the Kossakowski matrix of
    the first sample, in J, None above `LARGEST` states and for models of the user's own, whose
    code no report runs.
    """

    equation: Equation
    positive: bool
    gibbs: bool | None
    smallest: Real | None
    residual: Real
    kossakowski: float | None


def guarantees_of(study: Study, result: PointResult) -> Iterator[Kept]:
    """Every equation of a study at one of its points."""
    own = study.at(result.point)
    sample, baths = None, own.baths(result.point)
    if result.point.own is None and 1 < result.point.dimension <= LARGEST:
        model = result.point.build(study.seed, int(result.samples[0]))
        sample = Problem([model], baths, own.lamb_shift)
    for index, name in enumerate(study.equations):
        equation = EQUATIONS[name]
        keeps = equation.keeps
        stationary = keeps.gibbs_with_lamb_shift if own.lamb_shift else keeps.gibbs
        lowest = result.arrays[OF_EQUATIONS][:, index]
        yield Kept(
            equation,
            keeps.complete_positivity,
            stationary if has_temperature(baths.beta) else None,
            None if np.isnan(lowest).any() else lowest.min(axis=1),
            result.arrays[f"{name}_gibbs_residual"],
            None if sample is None else choi_eigenvalue(liouvillian_of(equation, sample)),
        )
