"""Master equations under H(t): at each instant those of H(t) frozen, SNM eq. (14).

Good where H changes little within the correlation time of the baths, whatever the spacing of
its levels, for Redfield; Davies neglects besides what turns at differences of Bohr frequencies,
which must be fast against the rates and against the change of H.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from manybody.arrays import Complex, Real
from manybody.physics.baths.several import AnyBaths
from manybody.physics.equations.protocol import Equation, hermitian_rate
from manybody.physics.models.driven import DrivenModel
from manybody.physics.problem import Problem
from manybody.physics.spectra import Clustering, give_cached


@dataclass
class Instants:
    """What the clustering rule found where a secular equation was built.

    times: in the order in which they were met, in 1/J; found: verdict and rest at each.
    """

    times: list[float] = field(default_factory=list)
    found: list[Clustering] = field(default_factory=list)

    def with_verdict(self, verdict: str) -> Real:
        """(n,) ascending times at which the rule came to this verdict."""
        found = [t for t, own in zip(self.times, self.found) if own.verdict == verdict]
        return np.unique(np.array(found, dtype=np.float64))

    def departing(self) -> Real:
        """(n,) ascending times at which more Bohr frequencies coincide than mostly do."""
        counts = np.array([own.merged_neighbours for own in self.found])
        if not counts.size:
            return np.empty(0)
        usual = int(np.median(counts))
        departing: Real = np.unique(np.array(self.times)[counts > usual])
        return departing


class InstantaneousEquations:
    """dρ/dt of several equations side by side, all of one spectrum of H(t) at each time."""

    def __init__(
        self, model: DrivenModel, bath: AnyBaths, lamb_shift: bool, equations: Sequence[Equation]
    ) -> None:
        self.model, self.bath, self.lamb_shift = model, bath, lamb_shift
        self.equations = tuple(equations)
        self.instants = Instants()

    @property
    def has_closed(self) -> bool:
        """Whether one of them depends on which Bohr frequencies coincide."""
        return any(not each.is_stepped for each in self.equations)

    def problem(self, time: float) -> Problem:
        """Model, bath and Lamb shift frozen at one time."""
        return Problem([self.model.at(time)], self.bath, self.lamb_shift)

    def derivative(self, time: float, states: Complex) -> Complex:
        """(equations, D, D) dρ/dt of Hermitian states, a matrix for each equation.

        Closed ones merge Bohr frequencies that are equal to rounding, and no others: a verdict
        that comes and goes with t must not make dρ/dt jump.
        """
        problem = self.problem(time)
        if self.has_closed:
            found = problem.clustering
            self.instants.times.append(time)
            self.instants.found.append(found)
            merging = found.tolerance if found.merged_neighbours else None
            give_cached(problem, clusterings=(replace(found, answers=(merging,)),))
        rates = [hermitian_rate(each, problem, rho) for each, rho in zip(self.equations, states)]
        return np.stack(rates)


def frequency_crossings(before: Real, after: Real) -> int:
    """Pairs of Bohr frequencies that have changed order between two (D,) ascending spectra.

    Bohr frequencies E_l − E_k, k < l, of levels that are counted from the lowest; those that
    meet and part again go unseen.
    """
    upper = np.triu_indices(len(before), k=1)
    first, second = (energies[upper[1]] - energies[upper[0]] for energies in (before, after))
    order = np.lexsort((second, first))
    return _inversions(second[order])[1]


def _inversions(values: Real) -> tuple[Real, int]:
    """Sorted values, and how many pairs stood in the wrong order."""
    if len(values) < 2:
        return values, 0
    middle = len(values) // 2
    (left, count), (right, more) = _inversions(values[:middle]), _inversions(values[middle:])
    # Equal ones are in no order.
    across = np.searchsorted(right, left, side="left").sum()
    return np.sort(values, kind="stable"), count + more + int(across)
