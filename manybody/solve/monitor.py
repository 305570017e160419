"""What is measured on a state that is spread by columns over ranks.

Whole matrices meet on ranks of their own, one output time each, where the Davies state of
that time is made as well: LAPACK on one rank is faster than ScaLAPACK on all of them up to
1728 sites on two ranks (scripts/bench_trace_norm.py), and many ranks have many times to
observe.  Only where no rank can hold a state are the eigenvalues computed spread out.
"""

from dataclasses import dataclass

import numpy as np

from manybody.arrays import Complex, Real, product
from manybody.numerics.columns import Columns
from manybody.parallel.collective import on_every_rank, raised_alike, together
from manybody.physics.equations.davies import DaviesGenerator, Evolution
from manybody.physics.quantities import certificates, norms
from manybody.physics.starts import Start
from manybody.system.memory import free_bytes

# Complex N x N arrays of a rank that observes: ρ_R, ρ_D and one to work in.
OBSERVER_MATRICES = 3.0
# Two ranks observe in the room that an application needs; more only where memory abounds.
_FEWEST_OBSERVERS = 2


@dataclass(frozen=True)
class Seen:
    """What is kept of one output time."""

    distances: dict[str, float]
    smallest_eigenvalue: float
    trace_error: float
    hermiticity_error: float


class Observer:
    """Distances, positivity and laws of both equations, output time by output time.

    davies: generators by name, all of one sample; start: ρ(0); times: (T,)
    all output times; columns: who owns what; keep_states: have all states on rank 0.
    Collective.  Raises ValueError when Davies cannot be propagated so far.
    """

    def __init__(
        self,
        davies: dict[str, DaviesGenerator],
        start: Start,
        times: Real,
        columns: Columns,
        keep_states: bool,
    ) -> None:
        self._davies, self._columns, self._times = davies, columns, times
        self._start, self._spectrum = start, davies["davies"].spectrum
        self._watching = 1
        if not keep_states:
            self._watching = together(
                columns.comm, lambda: observers(columns.dimension, columns.size, free_bytes())
            )
        is_closed = all(not generator.has_blocks for generator in davies.values())
        self._spread = self._watching == 0 and is_closed
        self._at_once = 1 if self._spread else max(1, self._watching)
        # This rank sees every so manieth time: one recursion of Davies for all of them.
        watches = columns.rank < self._at_once
        self._own_times = times[columns.rank :: self._at_once] if watches else times[:0]
        self._evolutions = on_every_rank(columns.comm, self._evolve)
        self.seen: list[Seen] = []
        self.kept: list[dict[str, Complex]] | None = [] if keep_states else None

    def observe(self, first: int, states: Complex) -> None:
        """Reduce the states (T, N, m) at the output times from the `first` on.

        Raises RuntimeError, on every rank, when a state is not finite.
        """
        stop = first + len(states)
        while first < stop:
            # Chunks begin at multiples, wherever segments do.
            end = min(stop, (first // self._at_once + 1) * self._at_once)
            some = states[len(states) - (stop - first) :][: end - first]
            found = [self._see_spread(first, some[0])] if self._spread else self._see(first, some)
            with raised_alike(self._columns.comm):
                for one, time in zip(found, self._times[first:end]):
                    if not np.isfinite(one.hermiticity_error):
                        raise RuntimeError(f"an equation diverged before t = {time:g}")
            self.seen += found
            first = end

    def _evolve(self) -> dict[str, Evolution]:
        """What Davies needs at the times that this rank sees."""
        if self._spread or len(self._own_times) == 0:
            return {}
        initial = self._start.in_energy(self._spectrum)
        return {
            name: generator.evolve(initial, self._own_times)
            for name, generator in self._davies.items()
        }

    def _see(self, first: int, states: Complex) -> list[Seen]:
        """One time a rank, whole matrices: time i on rank i modulo those that watch."""
        columns, offset = self._columns, first % self._at_once
        whole = columns.collect(list(states), offset)

        def reduce() -> Seen | None:
            return None if whole is None else self._figures(first + columns.rank - offset, whole)

        own = on_every_rank(columns.comm, reduce)
        every = [own] if columns.comm is None else columns.comm.allgather(own)
        return [one for one in every if one is not None]

    def _figures(self, index: int, transposed: Complex) -> Seen:
        """Both equations at one output time; `transposed`: ρ_Rᵀ, overwritten."""
        time = self._times[index : index + 1]
        own = {"redfield": transposed.T.copy()} if self.kept is not None else {}
        trace_error = certificates.trace_error(transposed[None, None])[0]
        hermiticity_error = certificates.hermiticity_error(transposed[None, None])[0]
        distances = {}
        for name, generator in self._davies.items():
            state = self._start.in_energy(self._spectrum)[None]
            evolution = self._evolutions[name].at(index // self._at_once)
            generator.propagate_in_place(state, time, evolution)
            trace_error = max(trace_error, certificates.trace_error(state[None])[0])
            hermiticity_error = np.maximum(
                hermiticity_error, certificates.hermiticity_error(state[None])[0]
            )
            if self.kept is not None:
                own[name] = state[0].copy()
            state[0] -= transposed.T
            distances[name] = float(norms.trace_norm(state, overwrite=True)[0])
            del state
        smallest = float(norms.smallest_eigenvalue(transposed[None], overwrite=True)[0])
        if self.kept is not None:
            self.kept.append(own)
        return Seen(distances, smallest, float(trace_error), float(hermiticity_error))

    def _see_spread(self, index: int, redfield: Complex) -> Seen:
        """No whole matrix anywhere: eigenvalues by ScaLAPACK."""
        from manybody.numerics.petsc.eigensolvers import hermitian_eigenvalues

        columns = self._columns
        place = columns.own, columns.dimension, columns.comm
        trace_error, hermiticity_error = self._laws(redfield)
        distances = {}
        for name, generator in self._davies.items():
            state = self._davies_columns(generator, float(self._times[index]))
            laws = self._laws(state)
            trace_error = max(trace_error, laws[0])
            hermiticity_error = float(np.maximum(hermiticity_error, laws[1]))
            if not np.isfinite(hermiticity_error):
                break
            state -= redfield
            distances[name] = float(np.abs(hermitian_eigenvalues(state, *place)).sum())
        if not np.isfinite(hermiticity_error):
            return Seen({}, np.nan, np.nan, np.nan)
        smallest = float(hermitian_eigenvalues(redfield, *place)[0])
        return Seen(distances, smallest, trace_error, hermiticity_error)

    def _davies_columns(self, generator: DaviesGenerator, time: float) -> Complex:
        """(N, m) own columns of ρ_D = V C V† = V (V C)†, C the state in the energy basis."""
        columns = self._columns
        populations = together(
            columns.comm,
            lambda: generator.populations(
                self._start.populations(self._spectrum), np.array([time])
            )[0],
        )
        vectors = generator.spectrum.vectors[0]
        own = generator.energy_columns(
            self._start.amplitudes(self._spectrum), populations, time, columns.own
        )
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


def observers(n_sites: int, n_ranks: int, free: float) -> int:
    """How many ranks observe at the same time, 0 when none can hold a state.

    As many as a quarter of the `free` bytes holds, and two where there is room at all.
    """
    each = OBSERVER_MATRICES * 16.0 * n_sites**2
    if free < each:
        return 0
    return min(n_ranks, max(_FEWEST_OBSERVERS, int(0.25 * free / each)))
