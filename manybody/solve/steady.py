"""Where the two equations relax to: stationary states, dark levels, undamped modes."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import NumericalError, warn_caller
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.petsc.runtime import freed, petsc
from manybody.parallel.collective import agree, by_first_ranks, on_every_rank, rank_of, together
from manybody.physics import arguments
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.several import AnyBaths, GivenBaths
from manybody.physics.equations.davies import build_davies
from manybody.physics.equations.dense_redfield import certain_state
from manybody.physics.equations.redfield import RedfieldGenerator, redfield_on
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.starts import SiteStart, Start
from manybody.solve.comparison import model_digest
from manybody.solve.examination import GOOD_ENOUGH, UNCERTAIN, System, examined
from manybody.solve.long_time import (
    SteadyState,
    check_assembled,
    check_relaxes,
    davies_steady,
    dense_steady,
    judged,
    rounding_of,
)
from manybody.solve.preconditioner import DaviesInverse, adjoint, norm, trace
from manybody.solve.progress import Listener, Steps, unheard
from manybody.solve.sharing import problem_of
from manybody.solve.starting import build_start
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator, check_communicator

EQUATIONS = ("redfield", "davies")
METHODS = ("gmres", "assembled")
# Shift of the resolvent, relative to the largest rate, and how often it may be applied.
_SHIFT, _MOST_STEPS = 1e-5, 30
MAX_ITERATIONS = 1000
# Shift of the preconditioner, relative to the largest rate: where Davies has modes much slower
# than this its inverse is too large for double precision, and L_D⁻¹L too far from normal.
_ASIDE = 1e-4
# Levels of a component up to which LU of its Liouvillian is a second or two.
DENSE_LEVELS = 27
# Below this a negative eigenvalue is no rounding.
_UNPHYSICAL = -1e-8


def steady_state(
    model: Model | Matrix,
    bath: GivenBaths,
    equation: str = "redfield",
    lamb_shift: bool = False,
    initial_site: int = 0,
    tolerance: float = 1e-10,
    start: Any = None,
    comm: Communicator | None = None,
    method: str = "gmres",
    initial_state: Any = None,
) -> SteadyState:
    """Stationary state of the Redfield or the Davies equation.

    Parameters
    ----------
    model : Model or (N, N) array
        As in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As in `compare`, coupled.
    equation : {"redfield", "davies"}, default "redfield"
        Redfield needs PETSc.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    initial_site : int, default 0
        As in `compare`; it matters where several states are stationary.
    tolerance : float, default 1e-10
        Of ‖L[ρ]‖_F in J, or rounding of ‖L‖ where that is more.
    start : int, sequence of ints, Generator or None, default None
        A seed for a random start of the solver.
    comm : mpi4py communicator or None, default None
        Its ranks share the work.
    method : {"gmres", "assembled"}, default "gmres"
        "assembled" for −σ(L − σ)⁻¹ on every component by sparse LU (MUMPS), up to 100 states.
    initial_state : str, sequence or array or None, default None
        As in `compare`.

    Returns
    -------
    SteadyState
        The state, what else is stationary, and how far it is known.

    Raises
    ------
    InputError
        An argument is out of range, of a wrong type (then a `TypeError` too) or different on the
        ranks: on every rank.
    Unavailable
        PETSc is needed and missing.
    NumericalError
        The residual reached is above the tolerance, or dense algebra is needed for more states
        than it can have.

    Warns
    -----
    UserWarning
        The state has a negative eigenvalue, or is known to less than 1e-6 since parts of the
        system are almost decoupled; rates underflow or are hidden by rounding; Davies depends on
        levels of which it cannot be decided whether they are equal: they are kept apart.

    Notes
    -----
    Redfield: L[ρ] − ρ_G tr ρ = −ρ_G, ρ_G what Davies leaves, by GMRES on the complex-linear map,
    preconditioned with the closed form of Davies (docs/physics.md section 6), from ρ_G or from a
    random matrix, and compared with what dense algebra (up to 27 levels) or another start says.
    Davies: Gibbs on every set of levels that rates connect, by detailed balance, and checked; for
    baths of several temperatures, or of none, what the rate equation leaves, where no levels
    coincide.  Without either, at T = 0 where not all ends in one ground state, for Redfield where
    γ = 0 leaves alone what H connects, and where coherences of many particles last beside what
    relaxes (a symmetry of H and all A_j with parts alike, levels that every A_j multiplies by the
    same number): dense algebra, up to 32 states.  A rate that is not zero counts, however small:
    the state is that of t → ∞, and a warning says so where rounding hides the rate; one that
    underflows counts as zero.  Redfield with Lamb shift may have modes that grow (`slow_modes`
    finds them): its stationary state is then not what a long evolution approaches.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> steady = mb.steady_state(model, bath, "davies")
    >>> steady.state.shape, steady.residual < 1e-12
    ((4, 4), True)
    """
    check_communicator(comm)
    system = on_every_rank(comm, lambda: model_from(model))

    def checked() -> tuple[AnyBaths, Start, float]:
        arguments.choice("equation", equation, EQUATIONS)
        arguments.boolean("lamb_shift", lamb_shift)
        baths = check_relaxes(bath, system.couplings, lamb_shift)
        own_start = build_start([system], initial_site, None, initial_state)
        arguments.choice("method", method, METHODS)
        if method == "assembled":
            check_assembled(system.couplings)
        if equation == "redfield":
            # Before the threads of BLAS are set: it brings its own.
            petsc()
        return baths, own_start, arguments.tolerance(tolerance)

    baths, rho, aim = on_every_rank(comm, checked)
    asked = (equation, lamb_shift, rho, aim, method, start is None)
    agree(comm, model=model_digest(system), bath=baths, arguments=asked)
    rng = None if start is None else arguments.seed(start, "start")

    def action(ranks: Communicator | None) -> SteadyState:
        with problem_of(system, baths, lamb_shift, ranks) as problem:
            watch = Steps("applications") if rank_of(ranks) == 0 else unheard
            return steady_of(problem, equation, rho, aim, rng, ranks, method, watch)

    with blas_threads():
        result = by_first_ranks(
            comm, system.dimension, action, lambda own: replace(own, state=None, components=None)
        )
    if result.state is not None:
        warn_caller(*_doubts(result), *result.notes)
    return result


def _doubts(found: SteadyState) -> Iterator[str]:
    """What to say of a state that is none, or that is hardly known."""
    if found.smallest_eigenvalue < _UNPHYSICAL:
        distance = found.distance_from_gibbs
        far = "" if np.isnan(distance) else f", {distance:.3g} from Gibbs"
        yield (
            f"the {found.equation} steady state is no state: smallest eigenvalue "
            f"{found.smallest_eigenvalue:.3g}{far}"
        )
    if not found.state_error <= UNCERTAIN:
        yield (
            f"the steady state is known to {found.state_error:.1g} in trace norm only: something "
            "relaxes so slowly that rounding decides where it ends, as where levels differ by far "
            "less than their rates"
        )


@contextlib.contextmanager
def factorised(
    generator: RedfieldGenerator, columns: Columns, shift: complex
) -> Iterator[Callable[[Complex], Complex]]:
    """(L − shift)⁻¹ of an assembled Redfield generator, freed at the end.  Collective."""
    from manybody.numerics.petsc.assembled import AssembledOperator
    from manybody.numerics.petsc.linear import Resolvent

    rows = on_every_rank(columns.comm, lambda: assemble_rows(generator, columns.own).matrix)
    with (
        freed(AssembledOperator(rows, columns, "complex", generator.spectral_box)) as assembled,
        freed(Resolvent(assembled, shift)) as resolvent,
    ):
        yield resolvent


def steady_of(
    problem: Problem,
    equation: str = "redfield",
    rho: Start | None = None,
    tolerance: float = 1e-10,
    rng: np.random.Generator | None = None,
    comm: Communicator | None = None,
    method: str = "gmres",
    watch: Listener = unheard,
) -> SteadyState:
    """`steady_state` of a problem that the ranks of `comm` share, all of which call this.

    rho: ρ(0), None for the first state of the basis; watch: hears of every iteration.
    Gives no warnings: `SteadyState.notes` has what there is to say.
    """
    rho = SiteStart(0) if rho is None else rho
    n, bath = problem.spectrum.dimension, problem.bath
    columns = Columns(n, comm)
    system = examined(problem, equation, columns.comm)
    setting = rho, tolerance
    if equation == "davies" and system.follows_from_rates:
        return _on_rank_0(columns, lambda: davies_steady(problem, system, *setting))
    # The solver begins from what Davies leaves, and takes away its direction.
    nearly = n > DENSE_LEVELS and system.has_populations(bath.beta)
    solver_knows = system.is_by_h and (system.is_balanced or nearly)
    if equation == "davies" or not solver_knows:
        return _on_rank_0(columns, lambda: dense_steady(problem, system, equation, *setting))
    solver = _ComponentSolver(problem, system, tolerance, rng, columns, method, watch)
    states: list[Complex | None] = []
    residual, state_error, iterations = 0.0, 0.0, 0
    for index in range(system.parts.n_components):
        block, own_residual, own_error, used = solver.solve(index)
        residual, state_error = max(residual, own_residual), max(state_error, own_error)
        iterations += used
        states.append(_gathered(block[0], columns))
    frequencies = system.parts.dark_pairs()[2]
    null_dimension = system.parts.n_components + int(np.count_nonzero(frequencies == 0.0))
    counts = null_dimension, system.parts.dark_levels, frequencies[frequencies != 0.0]
    figures = residual, state_error, iterations
    return _on_rank_0(
        columns,
        # There every state is at hand.
        lambda: judged(equation, system, bath.beta, rho, states, counts, figures),  # type: ignore
    )


def _on_rank_0(columns: Columns, action: Callable[[], SteadyState]) -> SteadyState:
    """The result of rank 0; without its matrices elsewhere."""
    found: list[SteadyState] = []

    def small() -> SteadyState:
        found.append(action())
        return replace(found[0], state=None, components=None)

    others = together(columns.comm, small)
    return found[0] if found else others


class _ComponentSolver:
    """Redfield's stationary state of one component after the other, as columns on all ranks."""

    def __init__(
        self,
        problem: Problem,
        system: System,
        tolerance: float,
        rng: np.random.Generator | None,
        columns: Columns,
        method: str,
        watch: Listener,
    ) -> None:
        self._watch = watch
        bath, lamb_shift = problem.bath, problem.lamb_shift
        self._system, self._bath, self._lamb_shift = system, bath, lamb_shift
        self._tolerance, self._rng, self._columns, self._method = tolerance, rng, columns, method
        self._parts = system.parts
        self._generator = redfield_on(problem, self._parts.spectrum)
        self._operator = KernelOperator(
            self._generator.kernel(columns.own), self._generator.spectral_box, columns, "complex"
        )
        self._davies = build_davies(self._parts.spectrum, bath, lamb_shift, None, self._generator)

    def solve(self, index: int) -> tuple[Complex, float, float, int]:
        """(own columns, residual, estimated error, iterations) of one component.

        Raises RuntimeError where the state is not stationary to the tolerance.
        """
        columns, levels = self._columns, self._parts.components == index
        vectors = self._parts.spectrum.vectors[0]
        if self._system.populations is not None:
            populations = self._system.populations[index]
        else:
            populations = self._parts.gibbs(self._bath.beta, index)
        thermal = ((vectors * populations) @ vectors[columns.own].conj().T).astype(np.complex128)
        reference = thermal[None]
        inverse = DaviesInverse(self._davies, levels, columns, deflated=populations)
        relax = partial(self._relax, levels, populations, inverse, reference)
        start = reference if self._rng is None else self._random_start(levels, self._rng)
        block, used, failure = relax(start)
        exact, exact_error = self._exact(levels, reference)
        if block is None:
            if exact is None or used >= MAX_ITERATIONS:
                raise NumericalError(failure)
            block = exact
        if exact is None:
            other = reference
            if self._rng is None:
                other = self._random_start(levels, np.random.default_rng(0))
            again = relax(other)[0]
            difference = np.inf if again is None else self._distance(block, again)
            exact_error = 0.0
        else:
            difference = self._distance(block, exact)
            if difference > max(GOOD_ENOUGH, exact_error):
                block, difference = exact, 0.0
        out = np.empty_like(block)
        self._operator.apply(block, out)
        error = max(difference, exact_error)
        if exact is None or block is not exact:
            error = max(error, _state_error(inverse, columns, out))
        return block, norm(out, columns), error, used

    def _exact(
        self, levels: NDArray[np.bool_], reference: Complex
    ) -> tuple[Complex | None, float]:
        """Own columns of what the state must be, and how well that is known; None if unknown."""
        if self._system.is_balanced and not self._lamb_shift:
            return reference, self._system.balance_error
        if int(levels.sum()) > DENSE_LEVELS:
            return None, np.inf
        state, error = together(
            self._columns.comm,
            lambda: certain_state(self._generator, self._bath, self._lamb_shift, levels),
        )
        return np.ascontiguousarray(state[:, self._columns.own])[None], error

    def _distance(self, left: Complex, right: Complex) -> float:
        """‖left − right‖₁ of two states held by columns."""
        whole = _gathered((left - right)[0], self._columns)

        def measured() -> float:
            assert whole is not None
            return float(np.abs(np.linalg.eigvalsh(0.5 * (whole + whole.conj().T))).sum())

        return together(self._columns.comm, measured)

    def _relax(
        self,
        levels: NDArray[np.bool_],
        populations: Real,
        inverse: DaviesInverse,
        reference: Complex,
        start: Complex,
    ) -> tuple[Complex | None, int, str]:
        """(own columns, iterations, why not if not) by the method asked for."""
        if self._method == "assembled":
            return self._by_resolvent(inverse, start)
        aside = _ASIDE * self._generator.unit
        nearly = DaviesInverse(self._davies, levels, self._columns, aside, populations)
        return self._by_gmres(nearly, inverse, reference, start)

    def _by_gmres(
        self, nearly: DaviesInverse, inverse: DaviesInverse, reference: Complex, start: Complex
    ) -> tuple[Complex | None, int, str]:
        """Own columns of the stationary state of one component, the iterations, and why not.

        L[ρ] − ρ_G tr ρ = −ρ_G has the trace −tr ρ = −1, hence L[ρ] = 0.  nearly: the
        preconditioner; inverse: what estimates how wrong a residual leaves ρ.  Where that is more
        than GOOD_ENOUGH, GMRES goes on as far as rounding lets it.
        """
        from manybody.numerics.petsc.linear import solve

        operator, columns, tolerance = self._operator, self._columns, self._tolerance
        rounding = rounding_of(self._generator)
        out = np.empty_like(reference)

        def apply(x: Complex) -> Complex:
            operator.apply(x, out)
            self._watch(f"of GMRES, to ‖L[ρ]‖ = {tolerance:g} J")
            return out - reference * trace(x[0], columns)

        def solved(x: Complex, aim: float) -> tuple[Complex, float, int, bool]:
            # GMRES does not know tr ρ = 1, to which its residual is relative.
            x, iterations, converged = solve(
                apply, nearly, -reference, x, columns, aim, MAX_ITERATIONS
            )
            x = 0.5 * (x + adjoint(x, columns))
            x /= trace(x[0], columns).real
            operator.apply(x, out)
            return x, norm(out, columns), iterations, converged

        # Where energies are large, no state meets a tolerance below rounding.
        aim = max(0.5 * tolerance, rounding)
        found, residual, iterations, converged = solved(start, aim)
        floor = rounding * norm(found, columns)
        if not residual <= max(tolerance, 4.0 * floor):
            failure = (
                f"GMRES reached ‖L[ρ]‖ = {residual:.3g} J instead of {tolerance:g} J in "
                f"{iterations} iterations ({'ended' if converged else 'stagnated'}, "
                f"{MAX_ITERATIONS} are allowed): no steady state is returned"
            )
            return None, iterations, failure
        error = _state_error(inverse, columns, out)
        if error > GOOD_ENOUGH and residual > floor:
            aim = max(floor, 0.5 * residual * GOOD_ENOUGH / error)
            better, _, more, _ = solved(found, aim)
            if _state_error(inverse, columns, out) < error:
                return better, iterations + more, ""
        return found, iterations, ""

    def _by_resolvent(
        self, inverse: DaviesInverse, start: Complex
    ) -> tuple[Complex | None, int, str]:
        """Own columns of the stationary state of one component, the steps taken, and why not.

        x -> −σ(L − σ)⁻¹ x keeps what is stationary and shrinks the rest by σ / |λ − σ|.
        """
        operator, columns, tolerance = self._operator, self._columns, self._tolerance
        shift = _SHIFT * self._generator.unit
        x, out, residual = start / trace(start[0], columns), np.empty_like(start), np.inf
        with factorised(self._generator, columns, shift) as resolvent:
            for step in range(1, _MOST_STEPS + 1):
                # Rounding that leaks between other levels would stay: no residual sees it.
                x = inverse.restrict(resolvent(x))
                x /= trace(x[0], columns)
                operator.apply(x, out)
                residual = norm(out, columns)
                if residual <= 0.5 * tolerance:
                    return x, step, ""
        failure = (
            f"{_MOST_STEPS} steps of the resolvent reached ‖L[ρ]‖ = {residual:.3g} J instead of "
            f"{tolerance:g} J: no steady state is returned"
        )
        return None, _MOST_STEPS, failure

    def _random_start(self, levels: NDArray[np.bool_], rng: np.random.Generator) -> Complex:
        """Own columns of a random matrix on some of the levels; not Hermitian."""
        n = self._columns.dimension
        draw = rng.standard_normal((2, n, n))
        vectors = self._parts.spectrum.vectors[0][:, levels]
        inside = (draw[0] + 1j * draw[1])[np.ix_(levels, levels)] / n
        start: Complex = (vectors @ inside @ vectors[self._columns.own].conj().T)[None]
        return start


def _state_error(inverse: DaviesInverse, columns: Columns, residual: Complex) -> float:
    """√N ‖L_D⁻¹[residual]‖_F, about what it leaves wrong of ρ in trace norm."""
    return float(np.sqrt(columns.dimension)) * norm(inverse(residual), columns)


def _gathered(block: Complex, columns: Columns) -> Complex | None:
    """The whole matrix on rank 0, None elsewhere."""
    whole = columns.collect([block])
    return None if whole is None else np.ascontiguousarray(whole.T)
