"""All that is seen of single states on the way, as one row of numbers a time.

What is linear in ρ is a sum over its columns, and of Hermitian ρ so is its purity: ranks that own
columns add up one array, whatever it is made of.  Rows travel as they are through segments,
ranks and checkpoints, and get their names at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.physics.problem import Problem
from manybody.physics.quantities.entropies import entropy_of_eigenvalues
from manybody.physics.quantities.expectations import Expectation
from manybody.physics.quantities.local_figures import LocalFigures
from manybody.physics.quantities.local_states import LocalSums
from manybody.physics.quantities.norms import eigenvalues
from manybody.solve.expectations import ExpectationView
from manybody.solve.local import LocalView, figures_of_rows, has_local_view


@dataclass(frozen=True, eq=False)
class Sights:
    """What rows of a sample say: local figures, None without, and expectation values.

    expectation[name][equation]: (T,), or (T, K) of what has components.
    """

    local: LocalFigures | None
    expectation: Mapping[str, Mapping[str, Real]]


class View:
    """What is seen of the states of some equations: local figures, then expectation values.

    problem: one sample; equations: their names, of first answers; wanted: expectation values;
    columns: those of ρ that `sums` is given, all by default.
    """

    def __init__(
        self,
        problem: Problem,
        equations: Sequence[str],
        wanted: Sequence[Expectation] = (),
        columns: slice = slice(None),  # noqa: B008
    ) -> None:
        self.equations = tuple(equations)
        is_local = has_local_view(problem)
        self._local = LocalView(problem, equations, columns) if is_local else None
        asked = (problem, wanted, equations, columns)
        self._expectations = ExpectationView(*asked) if wanted else None
        self._n_sites = 0 if problem.basis is None else problem.basis.n_modes

    def sums(self, states: Complex) -> Complex:
        """(T, n) sums over the columns of (T, D, m) states of one equation."""
        parts: list[Any] = []
        if self._local is not None:
            parts.append(self._local.sums(states).values)
        if self._expectations is not None:
            parts.append(self._expectations.sums(states))
        joined: Complex = np.concatenate(parts, axis=1, dtype=np.complex128)
        return joined

    @property
    def has_entropies(self) -> bool:
        """Whether it shows entropies of whole states, for which it needs their eigenvalues."""
        return self._local is not None and self._local.has_entropies

    def entropy(self, states: Complex) -> Real:
        """(T,) entropies of whole states where it shows them, else nan."""
        return self._entropy(eigenvalues(states) if self.has_entropies else None, len(states))

    def whole(self, states: Mapping[str, Complex], spectra: Mapping[str, Real]) -> Real:
        """(T, K) numbers of whole states (T, D, D) by equation.

        spectra: their eigenvalues (T, D) where it shows entropies.
        """
        sums = {name: self.sums(states[name]) for name in self.equations}
        entropies = {
            name: self._entropy(spectra.get(name), len(states[name])) for name in self.equations
        }
        return self.rows(sums, entropies)

    def _entropy(self, values: Real | None, count: int) -> Real:
        return np.full(count, np.nan) if values is None else entropy_of_eigenvalues(values).value

    def rows(self, sums: Mapping[str, Complex], entropies: Mapping[str, Real]) -> Real:
        """(T, K) numbers from complete sums."""
        n_values = 0 if self._expectations is None else self._expectations.size
        parts: list[Real] = []
        if self._local is not None:
            own = {
                name: LocalSums(each[:, : each.shape[1] - n_values], self._n_sites)
                for name, each in sums.items()
            }
            parts.append(self._local.rows(own, entropies))
        if self._expectations is not None:
            parts += [sums[name][:, -n_values:].real for name in self.equations]
        return np.concatenate(parts, axis=1)

    def read(self, rows: Real) -> Sights:
        """What (T, K) rows say."""
        expectation: dict[str, dict[str, Real]] = {}
        if self._expectations is not None:
            n_values = len(self.equations) * self._expectations.size
            rows, values = rows[:, :-n_values], rows[:, -n_values:]
            expectation = self._expectations.read(values)
        local = None if self._local is None else figures_of_rows(rows, self.equations)
        return Sights(local, expectation)


def sees_states(problem: Problem, wanted: Sequence[Expectation]) -> bool:
    """Whether there is anything that a `View` would show."""
    return bool(wanted) or has_local_view(problem)
