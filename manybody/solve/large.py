"""One large sample: ρ spread by whole columns over the ranks that share it.

Rank 0 diagonalises; V, E and what follows from them are kept once a node.  Every rank
advances its columns of ρ, products local, one exchange an application; what is seen on
the way (observing.py) is all that is kept.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.growth import Overflow
from manybody.numerics.protocols import Operator, Segment
from manybody.parallel.collective import (
    everybody_raises,
    on_every_rank,
    raised_alike,
    size_of,
    together,
)
from manybody.parallel.node_memory import NodeMemory
from manybody.parallel.signals import Stopped
from manybody.physics.assembly import assemble_rows, dropped_norm
from manybody.physics.equations.davies import DaviesGenerator, build_davies
from manybody.physics.equations.redfield import RedfieldGenerator, build_redfield
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.spectra import (
    EPSILON,
    SIMPLE,
    Clustering,
    Spectrum,
    build_spectrum,
    cluster_bohr_frequencies,
    give_cached,
)
from manybody.physics.starts import Start
from manybody.solve.checkpoints import Keeper, Snapshot, read_columns
from manybody.solve.comparison import Comparison, Setting, certify
from manybody.solve.monitor import Observer
from manybody.solve.room import Extent, check_room
from manybody.solve.stacks import is_large
from manybody.solve.unphysical import with_time
from manybody.system.memory import ranks_here

# Of one segment, at whose end a sample may stop and its output states are reduced: some
# hundred keep what a new series costs (30) below a tenth.
_MOST_APPLICATIONS = 400.0


def compare_large(
    model: SingleParticleModel | None,
    setting: Setting,
    comm: Any = None,
    keep_states: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    keeper: Keeper | None = None,
) -> Comparison:
    """Both equations on one sample, the same small arrays on every rank of `comm`.

    model: needed on rank 0 alone; comm: an mpi4py communicator of at most N ranks that
    all call this, or None; keep_states: all states, on rank 0; tell: called with a word
    on the progress; keeper: of checkpoints, the same on every rank, not with kept states.
    Raises Stopped, on every rank, at the end of a segment when the keeper of one of them
    says so and there is a checkpoint.  What fails on one rank is raised on all, unless the
    others wait for it in an exchange: a launcher must then end the job (`run` does, and
    python -m mpi4py).
    """
    together(comm, lambda: _check_room(model, setting, size_of(comm)))
    with NodeMemory(comm) as memory:
        sample = _share(model, setting, comm, memory)
        columns = Columns(sample.n_sites, comm)
        result = _compare(sample, setting, columns, keep_states, tell, keeper or Keeper())
        # The arrays in it are gone with the memory.
        del sample
    return result


def _check_room(model: SingleParticleModel | None, setting: Setting, n_ranks: int) -> None:
    """Before any work: a sample that this machine cannot hold."""
    if model is None:
        raise ValueError("rank 0 needs the model")
    extent = Extent(
        model.n_sites,
        len(setting.times),
        model.is_real,
        setting.lamb_shift,
        setting.stepper.name,
        setting.operator,
    )
    check_room(model.name, extent, n_ranks, 1, min(n_ranks, ranks_here(n_ranks)))


@dataclass(frozen=True, eq=False)
class _Sample:
    """What all ranks know of a sample; its large arrays lie in the memory of the node."""

    generator: RedfieldGenerator
    davies: dict[str, DaviesGenerator]
    clustering: Clustering
    kms_residual: float

    @property
    def n_sites(self) -> int:
        return self.generator.spectrum.n_sites


def _share(
    model: SingleParticleModel | None, setting: Setting, comm: Any, memory: NodeMemory
) -> _Sample:
    """Rank 0 computes, array after array, so that what it no longer needs is gone."""
    bath, lamb_shift = setting.bath, setting.lamb_shift
    built: dict[str, Any] = {}

    def shared(name: str) -> NDArray[Any]:
        return memory.share(built.pop(name, None))

    def diagonalise() -> tuple[Real, NDArray[np.bool_], Real | None]:
        assert model is not None
        spectrum = build_spectrum([model])
        built.update(energies=spectrum.energies, vectors=spectrum.vectors)
        return spectrum.norms, spectrum.coupled, spectrum.uncertainties

    norms, coupled, uncertainties = together(comm, diagonalise)
    energies, vectors = shared("energies"), shared("vectors")
    first = Spectrum(energies, vectors, norms, coupled, uncertainties)

    def classify() -> tuple[Clustering, float]:
        built["rates"] = build_redfield(first, bath, lamb_shift).rates
        return cluster_bohr_frequencies(first)[0], bath.kms_residual(first.bohr_frequencies[0])

    clustering, kms_residual = together(comm, classify)
    rates = shared("rates")
    is_simple = clustering.verdict == SIMPLE
    wants_decay = setting.operator == "assembled" or not is_simple

    def bound() -> dict[str, Any]:
        generator = RedfieldGenerator(first, rates)
        names = ("spectral_box", "spectral_outline", "decay_bound", "losses")
        figures = {name: getattr(generator, name) for name in names}
        built["weights"] = first.weights
        if wants_decay:
            built["decay"] = generator.decay
        if setting.operator == "matrix-free":
            built["local"] = generator.local
        return figures

    facts = together(comm, bound)
    # Fresh ones: what `first` has derived on the way is no longer needed.
    spectrum = Spectrum(energies, vectors, norms, coupled, uncertainties)
    give_cached(spectrum, weights=shared("weights"))
    generator = RedfieldGenerator(spectrum, rates)
    if wants_decay:
        facts["decay"] = shared("decay")
    if setting.operator == "matrix-free":
        facts["local"] = shared("local")
    give_cached(generator, **facts)

    def secular() -> dict[str, DaviesGenerator]:
        return {
            name: build_davies(spectrum, bath, lamb_shift, merging, generator)
            for name, merging in zip(("davies", "davies merged"), clustering.answers)
        }

    davies = on_every_rank(comm, secular)
    return _Sample(generator, davies, clustering, kms_residual)


def _compare(
    sample: _Sample,
    setting: Setting,
    columns: Columns,
    keep_states: bool,
    tell: Callable[[str], None],
    keeper: Keeper,
) -> Comparison:
    """Advance, observe, and put together what every rank returns."""
    generator, bath, times = sample.generator, setting.bath, setting.times
    n, comm, spectrum = sample.n_sites, columns.comm, generator.spectrum
    # Before Davies is propagated: times that would never end are refused here.
    most = _MOST_APPLICATIONS if is_large(n) else np.inf
    segments = together(comm, lambda: setting.stepper.segments(generator, times, most))
    observer = Observer(sample.davies, setting.start, times, columns, keep_states)
    state, done = _begin(segments, setting.start, spectrum, columns, keeper)
    observer.seen += done.seen
    applications, error_estimate = done.applications, done.error_estimate
    redfield_residual = done.gibbs_residual
    entries_kept, dropped_norm = 1.0, 0.0
    with ExitStack() as stack:
        assembled = None
        if setting.operator == "assembled":
            assembled, entries_kept, dropped_norm = _assemble(generator, setting, columns)
            stack.push(partial(_destroy, assembled))
        for index in range(done.segments_done, len(segments)):
            segment = segments[index]
            # Made anew for every segment: its workspaces are room to observe in.
            operator = assembled or on_every_rank(
                comm, lambda: _matrix_free(generator, setting, columns)
            )
            if index == 0:
                redfield_residual = _gibbs_residual(operator, generator, bath.beta, columns)
            with raised_alike(comm):
                try:
                    solution = setting.stepper.advance(operator, state, segment)
                except Overflow as error:
                    raise with_time(error, times, *_observed(observer)) from error
            del operator
            state = solution.final
            applications += int(solution.applications[0])
            error_estimate += float(solution.error_estimate[0])
            tell(f"t = {segment.stop:g} of {times[-1]:g}")
            observer.observe(segment.first, solution.states[0])
            del solution
            if index + 1 < len(segments):
                done = Snapshot(
                    index + 1,
                    done.borders,
                    applications,
                    error_estimate,
                    redfield_residual,
                    tuple(observer.seen),
                )
                _checkpoint(done, state, columns, keeper)
    seen = observer.seen
    distances = {name: np.array([each.distances[name] for each in seen]) for name in sample.davies}
    merged = distances.get("davies merged")
    smallest = np.array([each.smallest_eigenvalue for each in seen])
    certificate = certify(
        sample.clustering,
        trace_error=max(each.trace_error for each in seen),
        hermiticity_error=max(each.hermiticity_error for each in seen),
        redfield_gibbs_residual=redfield_residual,
        davies_gibbs_residual=together(
            comm, lambda: sample.davies["davies"].gibbs_residual(bath.beta)
        ),
        kms_residual=sample.kms_residual,
        smallest_eigenvalue=float(smallest.min()),
        secular_ambiguity=(
            0.0 if merged is None else float(np.abs(merged - distances["davies"]).max())
        ),
        # ‖X‖₁ <= √N ‖X‖_F; the phases of H itself are known to ε‖H‖t.
        stepper_error=float(
            np.sqrt(n) * (error_estimate + EPSILON * generator.spectrum.norms[0] * times[-1])
        ),
        applications=applications,
        entries_kept=entries_kept,
        drop_error=dropped_norm * float(times[-1]),
    )
    states: dict[str, Complex | None] = {"redfield": None, "davies": None}
    if observer.kept is not None and columns.rank == 0:
        kept = observer.kept
        states = {name: np.stack([own[name] for own in kept]) for name in states}
    return Comparison(
        times,
        distances["davies"],
        smallest,
        certificate,
        merged,
        states["redfield"],
        states["davies"],
    )


def _observed(observer: Observer) -> tuple[Real, Real]:
    """(1, T') distances and smallest eigenvalues at the output times so far."""
    seen = observer.seen
    distance = np.array([[one.distances["davies"] for one in seen]])
    return distance, np.array([[one.smallest_eigenvalue for one in seen]])


def _begin(
    segments: list[Segment], start: Start, spectrum: Spectrum, columns: Columns, keeper: Keeper
) -> tuple[Complex, Snapshot]:
    """Own columns of ρ where the sample goes on, and what was done before; collective."""
    borders = (0.0, *(segment.stop for segment in segments))
    n, found = columns.dimension, together(columns.comm, lambda: keeper.find(borders))
    if found is not None:
        snapshot, path = found
        return on_every_rank(columns.comm, lambda: read_columns(path, columns.own, n)), snapshot
    return start.columns(spectrum, columns.own)[None], Snapshot(0, borders, 0, 0.0, 0.0, ())


def _checkpoint(done: Snapshot, state: Complex, columns: Columns, keeper: Keeper) -> None:
    """Write one if it is time to or the run shall stop; one collective decides."""
    wishes = (keeper.stop(), keeper.due())
    every = [wishes] if columns.comm is None else columns.comm.allgather(wishes)
    asked = next((stop for stop, _ in every if stop), "")
    if not keeper.keeps or not (asked or every[0][1]):
        return
    whole = columns.collect([state[0]])

    def write() -> None:
        assert whole is not None
        keeper.write(done, whole)

    try:
        together(columns.comm, write)
    except OSError as error:
        # It only saves work: a full disk must not end a run that still computes.
        if asked:
            raise
        if columns.rank == 0:
            print(f"no checkpoint: {error}", file=sys.stderr, flush=True)
    if asked:
        with raised_alike(columns.comm):
            raise Stopped(f"{asked} at t = {done.borders[done.segments_done]:g}")


def _matrix_free(
    generator: RedfieldGenerator, setting: Setting, columns: Columns
) -> KernelOperator:
    return KernelOperator(
        generator.kernel(columns.own),
        generator.spectral_box,
        columns,
        setting.stepper.linearity,
        generator.spectral_outline,
    )


def _assemble(
    generator: RedfieldGenerator, setting: Setting, columns: Columns
) -> tuple[Any, float, float]:
    """The assembled operator, the share of entries kept and the norm of those dropped."""
    from manybody.numerics.petsc.assembled import AssembledOperator, check_undropped

    tolerance = setting.drop_tolerance
    if tolerance == 0.0:
        with raised_alike(columns.comm):
            check_undropped(columns)
    rows = on_every_rank(columns.comm, lambda: assemble_rows(generator, columns.own, tolerance))
    kept, possible, squares = columns.total(
        np.array([rows.entries_kept, rows.entries_possible, rows.dropped_squares])
    )
    with raised_alike(columns.comm):
        operator = AssembledOperator(
            rows.matrix,
            columns,
            setting.stepper.linearity,
            generator.spectral_box,
            generator.spectral_outline,
        )
    return operator, float(kept / possible), dropped_norm(rows.dropped_local, float(squares))


def _destroy(operator: Any, _kind: object, error: BaseException | None, _trace: object) -> None:
    """Free the matrix, unless this rank alone has failed and would wait for the others."""
    if error is None or everybody_raises(error, operator.columns.comm):
        operator.destroy()


def _gibbs_residual(
    operator: Operator, generator: RedfieldGenerator, beta: float, columns: Columns
) -> float:
    """Largest |element| of L[ρ_G] in the site basis."""
    spectrum = generator.spectrum
    vectors, populations = spectrum.vectors[0], spectrum.gibbs_populations(beta)[0]
    gibbs = np.empty(operator.shape, dtype=np.complex128)
    gibbs[0] = (vectors * populations) @ vectors[columns.own].conj().T
    out = np.empty_like(gibbs)
    operator.apply(gibbs, out)
    return float(columns.largest(np.abs(out).max()))
