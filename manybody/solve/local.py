"""Local figures of all equations: densities, energies, differences of sites and pairs of sites.

Of systems whose states have occupations 0 or 1; of one sample at a time.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.physics.fock.basis import FockBasis
from manybody.physics.problem import Problem
from manybody.physics.quantities.local_figures import LocalFigures, local_figures
from manybody.physics.quantities.local_states import LocalMap, LocalSums
from manybody.solve.comparison import pairs_of

# Up to so many states the eigenvalues of every ρ(t) cost little beside its propagation.
MOST_STATES_OF_ENTROPY = 300
OF_PAIR = (
    "one_site_largest",
    "one_site_mean",
    "two_site_largest",
    "two_site_mean",
    "density_largest",
    "energy_difference",
)
OF_EQUATION = ("energy", "purity", "entropy")


class LocalView:
    """What is measured locally of the states of some equations, as one row of numbers a time.

    problem: one sample; equations: their names, of first answers; columns: those of ρ that
    `sums` is given, all by default.

    has_entropies: whether the eigenvalues of ρ are of interest.
    """

    def __init__(
        self,
        problem: Problem,
        equations: Sequence[str],
        columns: slice = slice(None),  # noqa: B008
    ) -> None:
        assert problem.basis is not None
        self.equations = tuple(equations)
        first, stop, _ = columns.indices(problem.dimension)
        self._map = _map_of(problem.basis, first, stop)
        self._hamiltonian: Any = problem.hamiltonians[0]
        self.has_entropies = problem.dimension <= MOST_STATES_OF_ENTROPY

    def sums(self, states: Complex) -> LocalSums:
        """Sums over the columns of (T, D, m) states of one equation."""
        return self._map.sums(states, self._hamiltonian)

    def rows(self, sums: Mapping[str, LocalSums], entropies: Mapping[str, Real]) -> Real:
        """(T, K) numbers from complete sums."""
        found = local_figures({name: sums[name] for name in self.equations})
        parts = [
            found.of_pair[pair][name] for pair in pairs_of(self.equations) for name in OF_PAIR
        ]
        for equation in self.equations:
            own = {**found.of_equation[equation], "entropy": entropies[equation]}
            parts += [own[name] for name in OF_EQUATION]
            parts += list(own["density"].T)
        return np.stack(parts, axis=1)


@lru_cache(maxsize=4)
def _map_of(basis: FockBasis, first: int, stop: int) -> LocalMap:
    """Samples of one basis share its indices."""
    return LocalMap(basis, slice(first, stop))


def has_local_view(problem: Problem) -> bool:
    """Whether the states of a problem have occupations 0 or 1."""
    return problem.basis is not None and problem.basis.largest == 1


def figures_of_rows(rows: Real, equations: Sequence[str]) -> LocalFigures:
    """The figures by name from the (T, K) numbers of a `LocalView`."""
    pairs = pairs_of(equations)
    n_of_pairs = len(pairs) * len(OF_PAIR)
    of_pairs = rows[:, :n_of_pairs].T.reshape(len(pairs), len(OF_PAIR), len(rows))
    of_pair = {pair: dict(zip(OF_PAIR, own)) for pair, own in zip(pairs, of_pairs)}
    own_columns = np.split(rows[:, n_of_pairs:], len(equations), axis=1)
    of_equation = {}
    for equation, own in zip(equations, own_columns):
        scalars = dict(zip(OF_EQUATION, own.T))
        of_equation[equation] = {**scalars, "density": own[:, len(OF_EQUATION) :]}
    return LocalFigures(of_equation, of_pair)
