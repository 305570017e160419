"""What is measured on states that are spread by columns over ranks.

Whole matrices meet on ranks of their own, one output time each, where the closed states of
that time are made as well: LAPACK on one rank is faster than ScaLAPACK on all of them up to
1728 sites on two ranks (scripts/bench_trace_norm.py), and many ranks have many times to
observe.  Only where no rank can hold a state are the eigenvalues computed spread out.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from manybody.arrays import Complex, Real, product
from manybody.errors import NumericalError
from manybody.numerics.columns import Columns
from manybody.numerics.protocols import Segment
from manybody.parallel.collective import on_every_rank, raised_alike, together
from manybody.physics.equations.protocol import ClosedPropagator, Evolution
from manybody.physics.problem import Problem
from manybody.physics.quantities import certificates, norms
from manybody.solve.comparison import Setting
from manybody.solve.evolution import Agenda
from manybody.solve.views import View, sees_states
from manybody.system.memory import free_bytes

# Two ranks observe in the room that an application needs; more only where memory abounds.
_FEWEST_OBSERVERS = 2


@dataclass(frozen=True)
class Moment:
    """What is kept of one output time.

    distances: of the pairs of an agenda; smallest: eigenvalues of its unprotected states;
    rows: numbers of a `View`, if there is one.
    """

    distances: tuple[float, ...]
    smallest: tuple[float, ...]
    trace_error: float
    hermiticity_error: float
    rows: tuple[float, ...]


class Monitor:
    """Distances, positivity and laws of all equations, output time by output time.

    agenda: what is measured; closed: propagators by the names of their states; problem: one
    sample; columns: who owns what; keep_states: have all states on rank 0.
    Collective.  Raises ValueError when a closed equation cannot be propagated so far.
    """

    def __init__(
        self,
        agenda: Agenda,
        closed: Mapping[str, ClosedPropagator],
        problem: Problem,
        setting: Setting,
        columns: Columns,
        keep_states: bool,
    ) -> None:
        self._agenda, self._closed, self._columns = agenda, closed, columns
        self._problem, self._start, self._times = problem, setting.start, setting.times
        self._watching = 1
        if not keep_states:
            matrices = observer_matrices(len(setting.equations))
            self._watching = together(
                columns.comm,
                lambda: observers(columns.dimension, columns.size, free_bytes(), matrices),
            )
        can_spread = all(own.can_spread for own in closed.values())
        self._spread = self._watching == 0 and can_spread
        self._at_once = 1 if self._spread else max(1, self._watching)
        # This rank sees every so manieth time: one recursion of a closed equation for all.
        watches = columns.rank < self._at_once and not self._spread
        self._own_times = self._times[columns.rank :: self._at_once] if watches else ()
        self._evolutions = on_every_rank(columns.comm, self._evolve)
        names = [each.name for each in setting.equations]
        own = columns.own if self._spread else slice(None)
        self.view: View | None = None
        if sees_states(problem, setting.expectations):
            self.view = on_every_rank(
                columns.comm, lambda: View(problem, names, setting.expectations, own)
            )
        self.moments: list[Moment] = []
        self.kept: list[dict[str, Complex]] | None = [] if keep_states else None

    def observe(self, segment: Segment, states: Mapping[str, Complex]) -> None:
        """Reduce states at the output times of a segment; (T', N, m) of each stepped equation.

        Raises NumericalError, on every rank, when a state is not finite.
        """
        first, stop = segment.first, segment.first + len(segment.times)
        while first < stop:
            # Chunks begin at multiples, wherever segments do.
            end = min(stop, (first // self._at_once + 1) * self._at_once)
            chosen = slice(first - segment.first, end - segment.first)
            some = {name: own[chosen] for name, own in states.items()}
            if self._spread:
                found = [self._see_spread(first, some)]
            else:
                found = self._see(first, end - first, some)
            with raised_alike(self._columns.comm):
                for one, time in zip(found, self._times[first:end]):
                    if not np.isfinite(one.hermiticity_error):
                        raise NumericalError(f"an equation diverged before t = {time:g}")
            self.moments += found
            first = end

    def _evolve(self) -> dict[str, Evolution]:
        """What closed equations need at the times that this rank sees."""
        if len(self._own_times) == 0:
            return {}
        times = np.asarray(self._own_times)
        return {name: own.evolve(self._start, times) for name, own in self._closed.items()}

    def _see(self, first: int, count: int, states: Mapping[str, Complex]) -> list[Moment]:
        """One time a rank, whole matrices: time i on rank i modulo those that watch."""
        columns, offset = self._columns, first % self._at_once
        whole = {name: columns.collect(list(own), offset) for name, own in states.items()}
        mine = offset <= columns.rank < offset + count
        here = {name: own for name, own in whole.items() if own is not None}

        def reduce() -> Moment | None:
            return self._look(first + columns.rank - offset, here) if mine else None

        own = on_every_rank(columns.comm, reduce)
        every = [own] if columns.comm is None else columns.comm.allgather(own)
        return [one for one in every if one is not None]

    def _look(self, index: int, transposed: Mapping[str, Complex]) -> Moment:
        """All equations at one output time; `transposed`: ρᵀ of stepped ones, overwritten."""
        look, place = _Look(lambda block: block.T, self.view), index // self._at_once
        for name, own in transposed.items():
            look.hold(name, own, _laws_of(own))

        def closed(name: str) -> Complex:
            state = np.empty((1, *[self._problem.dimension] * 2), dtype=np.complex128)
            self._evolutions[name].write(slice(place, place + 1), state)
            look.laws(*_laws_of(state[0]))
            look.see(name, state[0])
            only: Complex = state[0]
            return only

        keep: dict[str, Complex] = {}
        if self.kept is not None:
            keep = {name: own.T.copy() for name, own in transposed.items()}
            self.kept.append(keep)
        return look.measure(
            self._agenda,
            closed,
            lambda difference: float(norms.trace_norm(difference[None], overwrite=True)[0]),
            lambda state, done: float(norms.smallest_eigenvalue(state[None], overwrite=done)[0]),
            keep if self.kept is not None else None,
        )

    def _see_spread(self, index: int, states: Mapping[str, Complex]) -> Moment:
        """No whole matrix anywhere: eigenvalues by ScaLAPACK."""
        from manybody.numerics.petsc.eigensolvers import hermitian_eigenvalues

        columns, time = self._columns, float(self._times[index])
        place = columns.own, columns.dimension, columns.comm
        look = _Look(lambda block: block, self.view, columns)
        for name in self._agenda.stepped:
            look.hold(name, states[name][0], self._laws(states[name][0]))

        def closed(name: str) -> Complex:
            state = self._own_columns(self._closed[name], time)
            look.laws(*self._laws(state))
            look.see(name, state)
            return state

        def eigenvalues(matrix: Complex) -> Real:
            if not np.isfinite(look.hermiticity_error):
                return np.full(1, np.nan)
            return hermitian_eigenvalues(matrix, *place)

        return look.measure(
            self._agenda,
            closed,
            lambda difference: float(np.abs(eigenvalues(difference)).sum()),
            lambda state, _done: float(eigenvalues(state)[0]),
            None,
        )

    def _own_columns(self, propagator: ClosedPropagator, time: float) -> Complex:
        """(N, m) own columns of ρ = V C V† = V (V C)†, C the state in the energy basis."""
        columns, start = self._columns, self._start
        common = together(columns.comm, lambda: propagator.common(start, time))
        vectors = self._problem.spectrum.vectors[0]
        own = propagator.columns(start, time, common, columns.own)
        half = np.empty((1, *own.shape), dtype=np.complex128)
        product(vectors, own, half[0])
        pieces = columns.adjoint_pieces(half, np.empty_like(half))
        for rows, piece in pieces:
            own[rows] = piece[0].conj().T
        result = np.empty_like(own)
        product(vectors, own, result)
        return result

    def _laws(self, block: Complex) -> tuple[float, float]:
        """|tr ρ − 1| and the largest |ρ_ab − ρ_ba*| of a state held by columns."""
        columns = self._columns
        diagonal = block[columns.own].diagonal().sum()
        trace = columns.total(np.array([diagonal.real, diagonal.imag]))
        worst = np.array(0.0)
        pieces = columns.adjoint_pieces(block[None], np.empty_like(block)[None])
        for rows, piece in pieces:
            worst = np.maximum(worst, np.abs(block[rows] - piece[0].conj().T).max(initial=0.0))
        error = float(np.hypot(trace[0] - 1.0, trace[1]))
        return error, float(columns.largest(worst))


@dataclass
class _Look:
    """The states of one output time while they are measured.

    plain: turns what is held of a stepped state into what closed ones look like; view: what is
    seen of them, if anything; columns: who owns what where no state is whole.
    """

    plain: Callable[[Complex], Complex]
    view: View | None
    columns: Columns | None = None
    trace_error: float = 0.0
    hermiticity_error: float = 0.0
    held: dict[str, Complex] = field(default_factory=dict)
    sums: dict[str, Complex] = field(default_factory=dict)
    entropies: dict[str, Real] = field(default_factory=dict)

    def see(self, name: str, state: Complex) -> None:
        """What the view shows of a state, or of own columns of it."""
        if self.view is None or name not in self.view.equations:
            return
        sums, whole = self.view.sums(state[None]), self.columns is None
        self.sums[name] = sums if self.columns is None else self.columns.total(sums)
        self.entropies[name] = self.view.entropy(state[None]) if whole else np.full(1, np.nan)

    def _row(self) -> tuple[float, ...]:
        if self.view is None:
            return ()
        return tuple(self.view.rows(self.sums, self.entropies)[0].tolist())

    def laws(self, trace_error: float, hermiticity_error: float) -> None:
        """The worst so far; maximum() keeps nan."""
        self.trace_error = float(max(self.trace_error, trace_error))
        self.hermiticity_error = float(np.maximum(self.hermiticity_error, hermiticity_error))

    def hold(self, name: str, state: Complex, laws: tuple[float, float]) -> None:
        """A stepped state, how well it keeps the laws and what is seen of it."""
        self.held[name] = state
        self.laws(*laws)
        self.see(name, self.plain(state))

    def measure(
        self,
        agenda: Agenda,
        closed: Callable[[str], Complex],
        norm: Callable[[Complex], float],
        smallest: Callable[[Complex, bool], float],
        keep: dict[str, Complex] | None,
    ) -> Moment:
        """Closed states are made when first needed and gone after their last difference.

        norm, smallest: may overwrite, the latter where told so; keep: gets copies of all.
        """
        left = Counter(name for pair in agenda.pairs for name in pair)
        states: dict[str, Complex] = {}
        lowest: dict[str, float] = {}

        def state(name: str) -> Complex:
            if name in self.held:
                return self.plain(self.held[name])
            if name not in states:
                states[name] = closed(name)
                if name in agenda.unprotected:
                    lowest[name] = smallest(states[name].copy(), True)
                if keep is not None:
                    keep[name] = states[name].copy()
            return states[name]

        distances = []
        for pair in agenda.pairs:
            first, second = state(pair[0]), state(pair[1])
            left.subtract(pair)
            spent = [name for name in pair if left[name] == 0 and name not in self.held]
            if spent:
                # Equal in size whichever is taken from which.
                target, other = (second, first) if spent[-1] == pair[1] else (first, second)
                target -= other
            else:
                target = second - first
            del first, second
            for name in spent:
                del states[name]
            distances.append(norm(target))
            del target
        for name in agenda.stepped:
            if name in agenda.unprotected:
                lowest[name] = smallest(self.held[name], True)
        return Moment(
            tuple(distances),
            tuple(lowest[name] for name in agenda.unprotected),
            self.trace_error,
            self.hermiticity_error,
            self._row(),
        )


def _laws_of(state: Complex) -> tuple[float, float]:
    """|tr ρ − 1| and the largest |ρ_ab − ρ_ba*| of a whole state."""
    stack = state[None, None]
    return certificates.trace_error(stack)[0], certificates.hermiticity_error(stack)[0]


def observer_matrices(n_equations: int) -> float:
    """Complex (N, N) arrays of a rank that observes: a state an equation, and room to work in.

    Most of that takes V ρ V† of real V: three real arrays.
    """
    return n_equations + 1.5


def observers(n_sites: int, n_ranks: int, free: float, matrices: float) -> int:
    """How many ranks observe at the same time, 0 when none can hold a state.

    As many as a quarter of the `free` bytes holds, and two where there is room at all.
    matrices: complex (N, N) arrays that each of them needs.
    """
    each = matrices * 16.0 * n_sites**2
    if free < each:
        return 0
    return min(n_ranks, max(_FEWEST_OBSERVERS, int(0.25 * free / each)))
