"""One large sample: ρ spread by whole columns over the ranks that share it.

Every rank advances its columns of ρ, products local, one exchange an application; what is seen
on the way (monitor.py) is all that is kept.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from manybody.arrays import Complex, Real
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.protocols import Operator, Segment, Solution
from manybody.parallel.collective import (
    everybody_raises,
    on_every_rank,
    raised_alike,
    size_of,
    together,
)
from manybody.parallel.signals import Stopped
from manybody.physics.assembly import dropped_norm
from manybody.physics.couplings import MatrixCouplings
from manybody.physics.equations.protocol import Equation, SystemFacts, check_applies
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.solve.checkpoints import Keeper, Snapshot, read_columns
from manybody.solve.comparison import Comparison, Setting
from manybody.solve.evolution import (
    Joint,
    Layout,
    Seen,
    Watch,
    build_agenda,
    by_state,
    closed_of,
    cut_times,
    initial_columns,
    joint_bounds,
    stepped_of,
    unwatched,
)
from manybody.solve.monitor import Monitor
from manybody.solve.room import Baths, Extent, check_room, shares_of
from manybody.solve.sharing import at_hand, shared_problem
from manybody.solve.stacked import is_large
from manybody.solve.views import View
from manybody.system.communicator import Communicator
from manybody.system.memory import ranks_here

_log = logging.getLogger("manybody")
# Of one segment, at whose end a sample may stop and its output states are reduced: some
# hundred keep what a new series costs (30) below a tenth.
_MOST_APPLICATIONS = 400.0


def compare_large(
    model: Model | None,
    setting: Setting,
    comm: Communicator | None = None,
    keep_states: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    keeper: Keeper | None = None,
    watch: Watch = unwatched,
) -> Comparison:
    """All equations on one sample, the same small arrays on every rank of `comm`.

    model: needed on rank 0 alone; comm: an mpi4py communicator of at most N ranks that
    all call this, or None; keep_states: all states, on rank 0; tell: called with a word
    on the progress; keeper: of checkpoints, the same on every rank, not with kept states;
    watch: told of every segment.  Raises Stopped, on every rank, at the end of a segment when
    the keeper of one of them says so and there is a checkpoint.  What fails on one rank is
    raised on all, unless the others wait for it in an exchange: a launcher must then end the job
    (`run` does, and python -m mpi4py).
    """
    check_fits(model, setting, comm)
    shared = shared_problem(
        model,
        setting.bath,
        setting.lamb_shift,
        comm,
        setting.operator,
        setting.equations,
        setting.needs_hamiltonian,
    )
    with shared as problem:
        return compare_spread(problem, setting, comm, keep_states, tell, keeper, watch)


def check_fits(model: Model | None, setting: Setting, comm: Communicator | None) -> None:
    """Raise ValueError, on every rank, for a sample that this machine cannot hold."""
    n_ranks = size_of(comm)

    def check() -> None:
        own = at_hand(model)
        check_applies(setting.equations, [own])
        here = min(n_ranks, ranks_here(n_ranks))
        check_room(own.name, extent_of_sample(own, setting), n_ranks, 1, here)

    together(comm, check)


def extent_of_sample(model: Model, setting: Setting) -> Extent:
    """What the memory of a sample depends on."""
    basis, lattice = getattr(model, "basis", None), getattr(model, "lattice", None)
    facts = SystemFacts(model.dimension, model.is_real, setting.lamb_shift, basis, lattice)
    is_split = model.is_real and not setting.lamb_shift
    shares = shares_of(setting.equations, facts)
    if isinstance(model.couplings, MatrixCouplings):
        # Nothing of the Liouvillian vanishes.
        shares["row_share"] = model.dimension**2 / (2.0 * model.dimension - 1.0)
    return Extent(
        model.dimension,
        len(setting.times),
        model.is_real,
        setting.lamb_shift,
        setting.stepper,
        setting.operator,
        baths=Baths.of(model.couplings, is_split) if setting.needs_spectrum else Baths(),
        **shares,
    )


def compare_spread(
    problem: Problem,
    setting: Setting,
    comm: Communicator | None = None,
    keep_states: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    keeper: Keeper | None = None,
    watch: Watch = unwatched,
) -> Comparison:
    """`compare_large` of a problem that the ranks of `comm` share already."""
    columns = Columns(problem.dimension, comm)
    with ExitStack() as stack:
        layout = _Spread(problem, setting, columns, keep_states, tell, keeper or Keeper(), stack)
        return layout.run(watch)[0]


class _Spread(Layout):
    """Own columns of the states of one sample."""

    def __init__(
        self,
        problem: Problem,
        setting: Setting,
        columns: Columns,
        keep_states: bool,
        tell: Callable[[str], None],
        keeper: Keeper,
        stack: ExitStack,
    ) -> None:
        comm, equations = columns.comm, setting.equations
        self._generators = on_every_rank(comm, lambda: stepped_of(problem, setting))
        closed = on_every_rank(comm, lambda: closed_of(problem, setting))
        self._columns, self._tell, self._keeper = columns, tell, keeper
        # Before anything is propagated: times that would never end are refused here.
        self._bounds = together(comm, self._all_bounds)
        bounds = joint_bounds(list(self._bounds.values()))
        if bounds is not None:
            # From equal bounds, the same on every rank.
            (chosen,) = setting.stepper.chosen(bounds, setting.times, problem.dimension)
            setting = setting.with_stepper(chosen)
        most = _MOST_APPLICATIONS if is_large(problem.dimension) else np.inf
        segments = together(comm, lambda: cut_times(setting, bounds, most))
        agenda = build_agenda(equations, closed)
        super().__init__(problem, setting, [closed], agenda, segments)
        self._monitor = Monitor(agenda, by_state(closed), problem, setting, columns, keep_states)
        self._entries_kept, self._dropped_norm = 1.0, 0.0
        self._begin()
        self._assembled: dict[str, Operator] = {}
        if setting.operator == "assembled":
            for equation in equations:
                if equation.is_stepped:
                    operator = self._assemble(equation)
                    stack.push(partial(_destroy, operator))
                    self._assembled[equation.name] = operator

    def _all_bounds(self) -> dict[str, Joint]:
        """Of one rank for all: what differed by rounding could end a series elsewhere."""
        return {
            name: Joint(own.spectral_box, own.spectral_outline)
            for name, own in self._generators.items()
        }

    def _begin(self) -> None:
        """Own columns of ρ where the sample goes on, and what was done before; collective."""
        columns, setting = self._columns, self.setting
        self._borders = (0.0, *(segment.stop for segment in self.segments))
        names = self.agenda.stepped
        found = together(columns.comm, lambda: self._keeper.find(self._borders, names))
        if found is None:
            start = initial_columns(self.problem, setting, columns.own)[None]
            self.states = dict.fromkeys(names, start)
            return
        done, path = found
        self.segments_done = done.segments_done
        self.totals.applications = self.totals.applications + done.applications
        self.totals.error_estimate = self.totals.error_estimate + done.error_estimate
        self.totals.gibbs_residual = {
            name: np.array([value]) for name, value in done.gibbs_residual.items()
        }
        self._monitor.moments += done.seen
        for index, name in enumerate(names):
            self.states[name] = on_every_rank(
                columns.comm, partial(read_columns, path, columns.own, columns.dimension, index)
            )

    def operator(self, name: str) -> Operator:
        """Assembled once, or made anew for every segment."""
        if name in self._assembled:
            return self._assembled[name]
        generator, columns = self._generators[name], self._columns
        bounds = self._bounds[name]
        return on_every_rank(
            columns.comm,
            lambda: KernelOperator(
                generator.kernel(columns.own),
                bounds.spectral_box,
                columns,
                self.setting.stepper.linearity,
                bounds.spectral_outline,
            ),
        )

    def residual(self, name: str, operator: Operator) -> Real:
        """(1,) largest |element| of L[ρ_Gibbs]."""
        spectrum, columns = self.problem.spectrum, self._columns
        vectors = spectrum.vectors[0]
        populations = spectrum.gibbs_populations(self.setting.bath.beta)[0]
        gibbs = np.empty(operator.shape, dtype=np.complex128)
        gibbs[0] = (vectors * populations) @ vectors[columns.own].conj().T
        out = np.empty_like(gibbs)
        operator.apply(gibbs, out)
        return np.atleast_1d(columns.largest(np.abs(out).max()))

    def _advanced(self, operator: Operator, name: str, segment: Segment) -> Solution:
        # All ranks fail alike.
        with raised_alike(self._columns.comm):
            return super()._advanced(operator, name, segment)

    def observe(self, segment: Segment, states: dict[str, Complex]) -> None:
        """A few times at once, each on a rank of its own."""
        self._tell(f"t = {segment.stop:g} of {self.setting.times[-1]:g}")
        self._monitor.observe(segment, {name: own[0] for name, own in states.items()})

    def pause(self) -> None:
        """Write a checkpoint if it is time to or the run shall stop; one collective decides."""
        columns, keeper = self._columns, self._keeper
        wishes = (keeper.stop(), keeper.due())
        every = [wishes] if columns.comm is None else columns.comm.allgather(wishes)
        asked = next((stop for stop, _ in every if stop), "")
        if not keeper.keeps or not (asked or every[0][1]):
            return
        done = Snapshot(
            self.segments_done,
            self._borders,
            int(self.totals.applications[0]),
            float(self.totals.error_estimate[0]),
            {name: float(own[0]) for name, own in self.totals.gibbs_residual.items()},
            tuple(self._monitor.moments),
            keeper.seconds_before,
        )
        gathered = [columns.collect([self.states[name][0]]) for name in self.agenda.stepped]
        whole = [own for own in gathered if own is not None]
        try:
            together(columns.comm, lambda: keeper.write(done, whole))
        except OSError as error:
            # It only saves work: a full disk must not end a run that still computes.
            if asked:
                raise
            if columns.rank == 0:
                _log.warning(f"no checkpoint: {error}")
        if asked:
            with raised_alike(columns.comm):
                raise Stopped(f"{asked} at t = {done.borders[done.segments_done]:g}")

    def seen(self) -> Seen:
        """What was observed so far, of one sample."""
        moments, agenda = self._monitor.moments, self.agenda
        distances = np.array([one.distances for one in moments])
        smallest = np.array([one.smallest for one in moments])
        return Seen(
            distances.reshape(len(moments), len(agenda.pairs)).T[None],
            smallest.reshape(len(moments), len(agenda.unprotected)).T[None],
            np.array([max((one.trace_error for one in moments), default=0.0)]),
            np.array([max((one.hermiticity_error for one in moments), default=0.0)]),
            np.array([[one.rows for one in moments]]) if self._monitor.view else None,
        )

    def view(self, sample: int) -> View | None:
        """That of the monitor."""
        return self._monitor.view

    def closed_residuals(self) -> dict[str, Real]:
        """From rank 0."""
        return together(self._columns.comm, super().closed_residuals)

    def kept(self, sample: int) -> dict[str, Complex]:
        """All states, on rank 0, if they were to be kept."""
        kept = self._monitor.kept
        if not kept or self._columns.rank != 0:
            return {}
        return {
            each.name: np.stack([own[each.name] for own in kept])
            for each in self.setting.equations
        }

    def facts(self) -> dict[str, Any]:
        """What was dropped from an assembled operator."""
        last = float(self.setting.times[-1])
        return {"entries_kept": self._entries_kept, "drop_error": self._dropped_norm * last}

    def _assemble(self, equation: Equation) -> Any:
        """The assembled operator of an equation; counts what it keeps."""
        from manybody.numerics.petsc.assembled import AssembledOperator, check_undropped

        assert equation.rows is not None
        columns, tolerance = self._columns, self.setting.drop_tolerance
        generator, bounds = self._generators[equation.name], self._bounds[equation.name]
        if tolerance == 0.0:
            with raised_alike(columns.comm):
                check_undropped(columns)
        rows = on_every_rank(
            columns.comm, partial(equation.rows, generator, columns.own, tolerance)
        )
        kept, possible, squares = columns.total(
            np.array([rows.entries_kept, rows.entries_possible, rows.dropped_squares])
        )
        with raised_alike(columns.comm):
            operator = AssembledOperator(
                rows.matrix,
                columns,
                self.setting.stepper.linearity,
                bounds.spectral_box,
                bounds.spectral_outline,
            )
        dropped = dropped_norm(rows.dropped_local, float(squares))
        self._entries_kept = min(self._entries_kept, float(kept / possible))
        self._dropped_norm = max(self._dropped_norm, dropped)
        return operator


def _destroy(operator: Any, _kind: object, error: BaseException | None, _trace: object) -> None:
    """Free the matrix, unless this rank alone has failed and would wait for the others."""
    if error is None or everybody_raises(error, operator.columns.comm):
        operator.destroy()
