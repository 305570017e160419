"""How slowly the Redfield equation relaxes: its slowest modes, beside those of Davies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, NumericalError, warn_caller
from manybody.numerics.columns import Columns
from manybody.numerics.petsc.runtime import slepc
from manybody.parallel.collective import agree, by_first_ranks, on_every_rank, rank_of, together
from manybody.physics import arguments
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.protocol import has_temperature
from manybody.physics.baths.several import (
    AnyBaths,
    GivenBaths,
    distinct_baths,
    some_beta,
    without_temperature,
)
from manybody.physics.couplings import size_in_words
from manybody.physics.equations.davies import DaviesGenerator, build_davies
from manybody.physics.equations.davies_modes import davies_eigenvalues, davies_undamped
from manybody.physics.equations.dense_redfield import dense_redfield
from manybody.physics.equations.redfield import RedfieldGenerator, redfield_on
from manybody.physics.long_run import dense_davies, undamped_values
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.rounded_rates import by_rates_at, is_balanced, is_known_from_h
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.stationary import Decomposition
from manybody.solve.comparison import model_digest
from manybody.solve.eigensearch import Search, foreseen_discs, foreseen_iterations
from manybody.solve.examination import examined, notes_on
from manybody.solve.long_time import check_assembled, check_relaxes
from manybody.solve.progress import Listener, Steps, unheard
from manybody.solve.sharing import problem_of
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator, check_communicator

METHODS = ("auto", "dense", "gmres", "assembled")
# Sites up to which "auto" is "dense", and up to which "dense" is allowed.
DENSE_SITES, _MOST_DENSE = 27, 45
# Coherences of Davies that decay this much faster than the slowest modes found so far are
# not expected to hide a slower one of Redfield.
_MARGIN = 2.0
_MOST_SHIFTS = 300
# Modes whose frequency is below this part of ‖L‖ do not oscillate; rates that differ by less
# than this part of it are one.
_REAL, _SAME_RATE = 1e-10, 1e-13
# Eigenvalues nearer to 0 than this part of the largest have few digits in the site basis.
_FEW_DIGITS = 1e-7


@dataclass(frozen=True, eq=False)
class SlowModes:
    """The slowest modes of the Redfield generator.

    Attributes
    ----------
    eigenvalues : (n,) array of complex
        λ in J, −Re ascending, stationary and undamped modes left out; of a conjugate pair both are
        listed, and every mode of a multiple eigenvalue.  Redfield does not keep positivity, and
        with Lamb shift a localised system may have modes that grow: they come first, with Re > 0,
        and then no state is approached at long times.
    residuals : (n,) array
        ‖L[x] − λx‖_F of ‖x‖_F = 1, in J.
    slowest_real : float
        Decay rate in J of the slowest mode that does not oscillate, negative if it grows, nan if
        there is none among all that were found.
    davies_eigenvalues : (n,) array of complex
        Those of Davies, nan where it cannot be decided which Bohr frequencies coincide.
    shifts : int
        Number of frequencies at which modes were sought, 0 for dense algebra.
    notes : tuple of str, default ()
        Sentences on rates that rounding decides, given as warnings on rank 0.

    Notes
    -----
    Dense algebra is complete.  Krylov methods cannot prove that no mode was missed: modes are
    sought around 0 and around the eigenvalues of Davies, twice from different random vectors,
    until discs of which all modes are known cover those of Davies that decay up to twice as
    fast as the last mode returned, and where a direct Krylov space of L sees growth.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> modes = mb.slow_modes(model, bath, n_modes=3)
    >>> modes.eigenvalues.shape, modes.gap > 0.0
    ((3,), True)
    """

    eigenvalues: Complex
    residuals: Real
    slowest_real: float
    davies_eigenvalues: Complex
    shifts: int
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        """Slowest decay rate, min −Re λ, in J; negative where a mode grows."""
        return float(-self.eigenvalues[0].real)

    @property
    def gap_frequency(self) -> float:
        """Frequency |Im λ| of the slowest mode, in J."""
        return float(abs(self.eigenvalues[0].imag))


def slow_modes(
    model: Model | Matrix,
    bath: GivenBaths,
    n_modes: int = 6,
    lamb_shift: bool = False,
    tolerance: float = 1e-9,
    seed: Any = 0,
    comm: Communicator | None = None,
    method: str = "auto",
) -> SlowModes:
    """The slowest modes of the Redfield equation, by dense algebra or shift-and-invert (SLEPc).

    Parameters
    ----------
    model : Model or (N, N) array
        As in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As in `compare`, coupled.
    n_modes : int, default 6
        How many, at most N² less those that neither decay nor grow.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    tolerance : float, default 1e-09
        Of the residuals, relative to the largest rate, where rounding of ‖L‖ allows it.
    seed : int, sequence of ints or Generator, default 0
        Of the first Krylov vectors.
    comm : mpi4py communicator or None, default None
        Its ranks share the work.
    method : {"auto", "dense", "gmres", "assembled"}, default "auto"
        "dense" (up to 45 sites; time N⁶), or Krylov-Schur on (L − shift)⁻¹ applied by "gmres" or
        by sparse LU with "assembled" (MUMPS, up to 100 sites); "auto" is dense up to 27 sites and
        then gmres.

    Returns
    -------
    SlowModes
        On every rank.

    Raises
    ------
    InputError
        An argument is out of range, of a wrong type (then a `TypeError` too) or different on the
        ranks: on every rank.
    Unavailable
        SLEPc is needed and missing.
    NumericalError
        An inner solution does not converge or the modes asked for cannot be had.

    Notes
    -----
    See docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> bool(mb.slow_modes(model, bath, n_modes=1).residuals.max() < 1e-9)
    True
    """
    check_communicator(comm)
    system = on_every_rank(comm, lambda: model_from(model))

    def checked() -> tuple[AnyBaths, tuple[int, float, str]]:
        arguments.boolean("lamb_shift", lamb_shift)
        baths = check_relaxes(bath, system.couplings, lamb_shift)
        arguments.choice("method", method, METHODS)
        chosen = method
        if method == "auto":
            chosen = "dense" if system.dimension <= DENSE_SITES else "gmres"
        size = size_in_words(system.couplings)
        if chosen == "dense" and system.dimension > _MOST_DENSE:
            raise InputError(f"method = 'dense': {size}, allowed are {_MOST_DENSE}")
        if chosen == "assembled":
            check_assembled(system.couplings)
        if chosen != "dense":
            # Before the threads of BLAS are set: it brings its own.
            slepc()
        count, aim = arguments.integer("n_modes", n_modes, 1), arguments.tolerance(tolerance)
        return baths, (count, aim, chosen)

    baths, (count, aim, chosen) = on_every_rank(comm, checked)
    agree(comm, model=model_digest(system), bath=baths, arguments=(count, lamb_shift, aim, chosen))
    task = _Task(count, aim, chosen, Steps("inner solutions") if rank_of(comm) == 0 else unheard)

    def action(ranks: Communicator | None) -> SlowModes:
        with problem_of(system, baths, lamb_shift, ranks) as problem:
            return _solve(problem, task, arguments.seed(seed), ranks)

    with blas_threads():
        found = by_first_ranks(comm, system.dimension, action, lambda modes: modes)
    # After all that ranks do together: a warning may be made an error.
    if rank_of(comm) == 0:
        warn_caller(*found.notes)
    return found


@dataclass(frozen=True)
class _Task:
    """What `slow_modes` was asked for, checked."""

    n_modes: int
    tolerance: float
    method: str
    watch: Listener = unheard


def modes_of(
    problem: Problem, n_modes: int = 1, tolerance: float = 1e-9, comm: Communicator | None = None
) -> SlowModes:
    """`slow_modes` of a problem that the ranks of `comm` share, all of which call this.

    Gives no warnings: `SlowModes.notes` has what there is to say.
    """
    method = "dense" if problem.spectrum.dimension <= DENSE_SITES else "gmres"
    return _solve(problem, _Task(n_modes, tolerance, method), np.random.default_rng(0), comm)


def _solve(
    problem: Problem, task: _Task, rng: np.random.Generator, comm: Communicator | None
) -> SlowModes:
    n, bath = problem.spectrum.dimension, problem.bath
    columns = Columns(n, comm)
    parts = examined(problem, "redfield", columns.comm).parts
    generator = redfield_on(problem, parts.spectrum)
    davies, rates, is_determined = together(
        columns.comm, lambda: _davies(problem, parts, generator)
    )
    notes = notes_on(parts, rates, bath, generator)
    method = task.method
    known = is_known_from_h(parts, rates, generator)
    if not known and method != "dense":
        # What only rates leave alone is no part that a search could leave out.
        if n > _MOST_DENSE:
            raise NumericalError(_why_dense(bath, size_in_words(parts.spectrum.couplings)))
        method = "dense"
    if method == "dense":
        values, residuals = together(columns.comm, lambda: _dense(task, generator, parts, known))
        shifts = 0
    else:
        moving = n * n - parts.n_components - int(parts.dark.sum()) ** 2
        _check_count(task.n_modes, moving)
        values, residuals, shifts = _search(
            task, some_beta(bath), generator, davies, parts, columns, rng
        )
    width = float(generator.spectral_box[0, 0])
    order = _slowest_first(values, width)[: task.n_modes]
    real = np.abs(values.imag) <= _REAL * width
    slowest_real = float(-values[real].real.max()) if real.any() else float("nan")
    own = np.full(task.n_modes, complex(np.nan, np.nan))
    if is_determined:
        balanced = rates.is_complete and is_balanced(davies.redfield)
        theirs = together(columns.comm, lambda: _davies_moving(davies, rates, balanced))
        theirs = theirs[_slowest_first(theirs, width)[: task.n_modes]]
        own[: len(theirs)] = theirs
    return SlowModes(values[order], residuals[order], slowest_real, own, shifts, notes)


def _why_dense(bath: AnyBaths, size: str) -> str:
    """What no search may leave out, in words."""
    why = (
        "γ vanishes at some Bohr frequencies, as upwards at T = 0, or violates detailed balance, "
        "or coherences last beside what relaxes"
    )
    if any(not has_temperature(one.beta) for one in distinct_baths(bath)):
        why = without_temperature(bath)
    return (
        f"{why}, so that the sets of levels that H leaves apart do not tell which modes are "
        f"undamped: those of {size} then need dense algebra, had up to {_MOST_DENSE}"
    )


def _check_count(n_modes: int, moving: int) -> None:
    """Raise ValueError where fewer modes move than are asked for."""
    if n_modes > moving:
        raise InputError(f"n_modes = {n_modes}: {moving} modes decay or grow here")


def _davies(
    problem: Problem, parts: Decomposition, generator: RedfieldGenerator
) -> tuple[DaviesGenerator, Decomposition, bool]:
    """The Davies generator, the decomposition by its rates, whose spectrum it has, and whether
    it is known which Bohr frequencies coincide."""
    clustering = problem.clustering_on(parts.spectrum)
    rates = by_rates_at(parts, generator, problem.bath.beta)
    if rates is not parts:
        generator = redfield_on(problem, rates.spectrum)
    davies = build_davies(
        rates.spectrum, problem.bath, problem.lamb_shift, clustering.answers[0], generator
    )
    return davies, rates, clustering.verdict != AMBIGUOUS


def _davies_moving(davies: DaviesGenerator, rates: Decomposition, balanced: bool) -> Complex:
    """Eigenvalues of Davies that decay."""
    values = davies_eigenvalues(davies)
    if balanced:
        still = rates.n_components + int(np.count_nonzero(rates.dark_pairs()[2] == 0.0))
        undamped = davies_undamped(davies, rates)
    else:
        dense = dense_davies(davies)
        _, _, still, undamped = undamped_values(dense.matrix, dense)
    return _without(values, still, undamped)[0]


def _without(
    values: Complex, still: int, undamped: Real, residuals: Real | None = None
) -> tuple[Complex, Real]:
    """Eigenvalues, and their residuals, less `still` at 0 and one at −iω for each undamped ω."""
    residuals = np.zeros(len(values)) if residuals is None else residuals
    kept = np.ones(len(values), dtype=bool)
    for target in [*([0.0j] * still), *(-1j * undamped)]:
        kept[np.argmin(np.where(kept, np.abs(values - target), np.inf))] = False
    return values[kept], residuals[kept]


def _slowest_first(values: Complex, width: float) -> NDArray[np.intp]:
    """Order by −Re, and by Im where rounding of ‖L‖ alone makes −Re differ."""
    # Nothing moves where the width is zero: all rates are.
    width = width if width > 0.0 else 1.0
    rates = np.round(-values.real / (_SAME_RATE * width))
    order: NDArray[np.intp] = np.lexsort([values.imag, rates])
    return order


def _dense(
    task: _Task, generator: RedfieldGenerator, parts: Decomposition, known: bool
) -> tuple[Complex, Real]:
    """All eigenvalues but those that neither decay nor grow.

    known: that these follow from H alone; else from the eigenvalues themselves (`long_run`).
    """
    n = generator.spectrum.dimension
    matrix = assemble_rows(generator, slice(0, n)).matrix.toarray()
    if known:
        values, modes = scipy.linalg.eig(matrix)
        frequencies = parts.dark_pairs()[2]
        still = parts.n_components + int(np.count_nonzero(frequencies == 0.0))
        undamped = frequencies[frequencies != 0.0]
    else:
        values, modes, still, undamped = undamped_values(matrix, dense_redfield(generator))
    with np.errstate(under="ignore"):
        residuals = np.linalg.norm(matrix @ modes - modes * values, axis=0)
    values, residuals = _without(values, still, undamped, residuals)
    _check_count(task.n_modes, len(values))
    if still == 1:
        values = _with_more_digits(values, dense_redfield(generator).slowest_values())
    return values, residuals


def _with_more_digits(values: Complex, accurate: Complex) -> Complex:
    """Eigenvalues with those nearest to 0 replaced by what the inverse says of them.

    accurate: all of them, the smaller the more digits they have.
    """
    size = float(np.abs(values).max(initial=0.0))
    order = np.argsort(np.abs(values), kind="stable")
    count = 0
    while count < len(values) and abs(accurate[count]) <= _FEW_DIGITS * size:
        count += 1
    result = values.copy()
    result[order[:count]] = accurate[:count]
    return result


def _search(
    task: _Task,
    beta: float,
    generator: RedfieldGenerator,
    davies: DaviesGenerator,
    parts: Decomposition,
    columns: Columns,
    rng: np.random.Generator,
) -> tuple[Complex, Real, int]:
    """(eigenvalues, residuals, shifts) of modes up to where those asked for are known."""

    def aims() -> tuple[tuple[Complex, Real], Complex]:
        found = davies_eigenvalues(davies, ~parts.dark)
        # Conjugates are found with their partners.
        found = _moving(found[found.imag >= 0.0], parts)
        return _dark_and_bright(generator, parts), found

    # From one rank: where eigenvalues coincide, rounding decides which of them comes first.
    (mixed, mixed_residuals), targets = together(columns.comm, aims)
    slowest = float(-targets[0].real) if len(targets) else generator.unit
    setting = task.tolerance, rng, task.method, slowest, beta, task.watch
    search = Search(generator, davies, parts, columns, *setting)
    search.around(0.0j)
    search.follow_growth()
    while True:
        bright, residuals = search.moving()
        rates = np.sort(-np.concatenate([bright.real, mixed.real]))
        cutoff = np.inf
        if len(rates) >= task.n_modes:
            cutoff = _MARGIN * max(rates[task.n_modes - 1], slowest)
        open_targets = [t for t in targets if -t.real <= cutoff and not search.covers(t)]
        if not open_targets:
            break
        if search.shifts == _MOST_SHIFTS:
            raise NumericalError(f"{search.shifts} frequencies tried: {len(rates)} modes found")
        search.around(open_targets[0])
    if len(rates) < task.n_modes:
        raise NumericalError(f"{len(rates)} modes found, {task.n_modes} were asked for")
    values = np.concatenate([bright, mixed])
    return values, np.concatenate([residuals, mixed_residuals]), search.shifts


def _moving(values: Complex, parts: Decomposition) -> Complex:
    """Eigenvalues of Davies between bright levels but the stationary ones, in their order."""
    still = np.argsort(np.abs(values), kind="stable")[: parts.n_components]
    moving: Complex = np.delete(values, still)
    return moving


@dataclass(frozen=True)
class ForeseenSearches:
    """What a search of one mode would do if Redfield had the modes of Davies, for forecasts.

    searches: for how many times as many modes as at first around 0, and around each other
    frequency; iterations: of GMRES for a solution around 0, and around the last of them; slowest:
    rate, as a part of the largest.
    """

    searches: list[float]
    iterations: list[int]
    slowest: float


def foreseen_searches(problem: Problem) -> ForeseenSearches:
    """Of one sample."""
    parts = examined(problem, "redfield", None).parts
    generator = redfield_on(problem, parts.spectrum)
    davies = _davies(problem, parts, generator)[0]
    values = _moving(davies_eigenvalues(davies, ~parts.dark), parts)
    if not len(values) or not generator.unit > 0.0:
        return ForeseenSearches([0.0], [0], 1.0)
    slowest = float(-values[0].real)
    shifts, searches = foreseen_discs(values, _MARGIN * slowest, _MOST_SHIFTS)
    iterations = [
        foreseen_iterations(generator, davies, ~parts.dark, shift)
        for shift in (*shifts[:1], *shifts[1:][-1:])
    ]
    return ForeseenSearches(searches, iterations, slowest / generator.unit)


def _dark_and_bright(generator: RedfieldGenerator, parts: Decomposition) -> tuple[Complex, Real]:
    """Eigenvalues of coherences between a dark level and the bright ones, both of each pair.

    L[|b⟩⟨d|] = (M + iE_d)|b⟩⟨d| with M = −iH − K: no bath feeds a dark level.  With residuals.
    """
    if not parts.dark.any() or parts.dark.all():
        return np.empty(0, dtype=np.complex128), np.empty(0)
    vectors, energies = parts.spectrum.vectors[0], parts.spectrum.energies[0]
    bright, decay = vectors[:, ~parts.dark], generator.decay[0]
    inside = bright.conj().T @ decay @ bright
    own, turns = np.linalg.eig(-1j * np.diag(energies[~parts.dark]) - inside)
    # With all levels: the residual sees what the restriction to bright ones leaves out.
    modes = bright @ turns
    images = -1j * (vectors * energies) @ (vectors.conj().T @ modes) - decay @ modes
    residuals = np.linalg.norm(images - modes * own, axis=0)
    values = (own[:, None] + 1j * energies[parts.dark]).ravel()
    residuals = np.repeat(residuals, int(parts.dark.sum()))
    return np.concatenate([values, values.conj()]), np.concatenate([residuals, residuals])
