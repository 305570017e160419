"""Where the two equations relax to: stationary states, dark levels, undamped modes."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.blas import blas_threads
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.petsc.runtime import petsc
from manybody.numerics.protocols import Array
from manybody.physics import arguments, observables
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.ohmic import Bath, check_bath
from manybody.physics.davies import build_davies
from manybody.physics.models import SingleParticleModel
from manybody.physics.redfield import RedfieldGenerator, build_redfield
from manybody.physics.spectra import (
    AMBIGUOUS,
    SIMPLE,
    build_spectrum,
    cluster_bohr_frequencies,
)
from manybody.physics.stationary import Decomposition, decompose, project
from manybody.study.comparison import model_digest
from manybody.study.groups import agree, first_ranks, on_every_rank, size_of, together
from manybody.study.preconditioner import DaviesInverse, adjoint, norm, trace

Real = NDArray[np.float64]

EQUATIONS = ("redfield", "davies")
METHODS = ("gmres", "assembled")
_MOST_ASSEMBLED = 100
# Shift of the resolvent, relative to the largest rate, and how often it may be applied.
_SHIFT, _MOST_STEPS = 1e-5, 30
MAX_ITERATIONS = 1000
# Shift of the preconditioner, relative to the largest rate: where Davies has modes much slower
# than this its inverse is too large for double precision, and L_D⁻¹L too far from normal.
_ASIDE = 1e-4
# Error of a state, in trace norm, that is worth more iterations; what products leave wrong of
# L[x], relative to ‖L‖‖x‖.
_GOOD_ENOUGH, _ROUNDING = 1e-9, 4.0 * float(np.finfo(np.float64).eps)
# Above this estimated error a state is not to be trusted without a word.
_UNCERTAIN = 1e-6
# Below this a negative eigenvalue is no rounding.
_UNPHYSICAL = -1e-8


@dataclass(frozen=True, eq=False)
class SteadyState:
    """What one equation leaves of ρ(0) = |initial_site⟩⟨initial_site| after a long time.

    state: (N, N) in the site basis, the average over long times; on rank 0, else None;
    components: (C, N, N) stationary states of trace one, one for each set of levels that
    the baths connect; on rank 0, else None.  `state` is the only one where C = 1 and no
    level is dark.
    null_dimension: number of independent stationary matrices: C and one for each pair of
    dark levels of equal energy; dark_levels: levels that no coupled site sees;
    undamped_frequencies: (U,) in J, of coherences between dark levels that never decay.
    residual: ‖L[ρ]‖_F in J of the worst component; state_error: estimate of what it leaves
    wrong in that component, in trace norm: √N ‖L_D⁻¹[L[ρ]]‖_F; 0 for the closed form of
    Davies.  iterations: of GMRES, all components.
    smallest_eigenvalue: of `state`: Redfield's may be negative, with Lamb shift grossly.
    distance_from_gibbs: ‖state − Gibbs‖₁, both restricted to what ρ(0) weighs.
    """

    equation: str
    state: Array | None
    components: Array | None
    null_dimension: int
    dark_levels: int
    undamped_frequencies: Real
    residual: float
    state_error: float
    iterations: int
    smallest_eigenvalue: float
    distance_from_gibbs: float


def steady_state(
    model: SingleParticleModel,
    bath: Bath,
    equation: str = "redfield",
    lamb_shift: bool = False,
    initial_site: int = 0,
    tolerance: float = 1e-10,
    start: Any = None,
    comm: Any = None,
    method: str = "gmres",
) -> SteadyState:
    """Stationary state of the Redfield or the Davies equation.

    Redfield: L[ρ] − ρ_G tr ρ = −ρ_G by GMRES on the complex-linear map, preconditioned
    with the closed form of Davies (PHYSICS.md section 6), from ρ_G or from a random matrix.
    Davies: Gibbs on every component, by detailed balance, and checked.  Redfield with Lamb
    shift may have modes that grow (`slow_modes` finds them): its stationary state is then not
    what a long evolution approaches.

    model, bath, lamb_shift, initial_site: as in `compare`, the bath coupled; equation: "redfield"
    or "davies"; tolerance: of ‖L[ρ]‖_F in J, or rounding of ‖L‖ where that is more;
    start: None, or a seed for a random start; comm: an mpi4py communicator whose ranks share
    the work, or None; method: "gmres", or "assembled" for −σ(L − σ)⁻¹ on every component by
    sparse LU (MUMPS), up to 100 sites.  Redfield needs PETSc.

    Raises TypeError or ValueError for arguments out of range or different on the ranks, on
    every rank, also where it cannot be decided which Bohr frequencies coincide and Davies
    depends on it; RuntimeError with the residual reached when GMRES does not converge, or
    without PETSc.  Warns when the state has a negative eigenvalue, or where it is known to
    less than 1e-6 since parts of the system are almost decoupled.
    """
    if comm is not None and not hasattr(comm, "Get_rank"):
        raise TypeError(f"comm = {comm!r}: an mpi4py communicator or None is needed")

    def checked() -> tuple[int, float]:
        arguments.instance("model", model, SingleParticleModel)
        check_relaxes(bath, lamb_shift)
        arguments.choice("equation", equation, EQUATIONS)
        arguments.boolean("lamb_shift", lamb_shift)
        own_site = arguments.integer("initial_site", initial_site, 0)
        if own_site >= model.n_sites:
            raise ValueError(f"initial_site = {own_site}: allowed are 0 to {model.n_sites - 1}")
        arguments.choice("method", method, METHODS)
        if method == "assembled":
            check_assembled(model.n_sites)
        if equation == "redfield":
            # Before the threads of BLAS are set: it brings its own.
            petsc()
        return own_site, arguments.tolerance(tolerance)

    site, aim = on_every_rank(comm, checked)
    asked = (equation, lamb_shift, site, aim, method, start is None)
    agree(comm, model=model_digest(model), bath=bath, arguments=asked)
    rng = None if start is None else arguments.seed(start)
    found: list[SteadyState] = []
    with blas_threads(), first_ranks(comm, model.n_sites) as (ranks, active):

        def action() -> None:
            if active:
                found.append(
                    _solve(model, bath, equation, lamb_shift, site, aim, rng, ranks, method)
                )

        if size_of(comm) <= model.n_sites:
            action()
        else:
            on_every_rank(comm, action)
    if size_of(comm) > model.n_sites:
        small = comm.bcast(replace(found[0], state=None, components=None) if found else None)
        found = found or [small]
    result = found[0]
    if result.smallest_eigenvalue < _UNPHYSICAL and result.state is not None:
        warnings.warn(
            f"the {equation} steady state is no state: smallest eigenvalue "
            f"{result.smallest_eigenvalue:.3g}, {result.distance_from_gibbs:.3g} from Gibbs",
            stacklevel=2,
        )
    if result.state_error > _UNCERTAIN and result.state is not None:
        warnings.warn(
            f"the steady state is known to {result.state_error:.1g} in trace norm only: something "
            "relaxes so slowly that rounding decides where it ends",
            stacklevel=2,
        )
    return result


def check_relaxes(bath: object, lamb_shift: object) -> None:
    """Raise TypeError or ValueError for a bath with which nothing decays."""
    if check_bath(bath, lamb_shift).vanishes:
        raise ValueError(
            "bath coupling = 0: without a bath no state is approached, no mode decays"
        )


def check_assembled(n_sites: int) -> None:
    """Raise ValueError where sparse factors need too much memory."""
    if n_sites > _MOST_ASSEMBLED:
        raise ValueError(
            f"method = 'assembled': the factors of {n_sites} sites take "
            f"{16.0 * n_sites**4 / 2**30:.3g} GiB, allowed are {_MOST_ASSEMBLED} sites"
        )


@contextlib.contextmanager
def factorised(
    generator: RedfieldGenerator, columns: Columns, shift: complex
) -> Iterator[Callable[[Array], Array]]:
    """(L − shift)⁻¹ of an assembled Redfield generator, freed at the end.  Collective."""
    from manybody.numerics.petsc.assembled import AssembledOperator
    from manybody.numerics.petsc.linear import Resolvent

    rows = on_every_rank(columns.comm, lambda: assemble_rows(generator, columns.own).matrix)
    assembled = AssembledOperator(rows, columns, "complex", generator.spectral_box)
    try:
        resolvent = Resolvent(assembled, shift)
        try:
            yield resolvent
        finally:
            resolvent.destroy()
    finally:
        assembled.destroy()


def _solve(
    model: SingleParticleModel,
    bath: Bath,
    equation: str,
    lamb_shift: bool,
    site: int,
    tolerance: float,
    rng: np.random.Generator | None,
    comm: Any,
    method: str,
) -> SteadyState:
    columns = Columns(model.n_sites, comm)
    parts = together(columns.comm, lambda: decompose(build_spectrum([model])))
    generator = build_redfield(parts.spectrum, bath, lamb_shift)
    gibbs = [parts.gibbs(bath.beta, index) for index in range(parts.n_components)]
    vectors = parts.spectrum.vectors[0]
    states: list[Array | None] = []
    residual, state_error, iterations = 0.0, 0.0, 0
    if equation == "davies":
        residual = together(
            columns.comm, lambda: _davies_residual(parts, generator, bath, lamb_shift, gibbs)
        )
    else:
        operator = KernelOperator(
            generator.kernel(columns.own), generator.spectral_box, columns, "complex"
        )
        davies = build_davies(parts.spectrum, bath, lamb_shift, None, generator)
    for index, populations in enumerate(gibbs):
        thermal = ((vectors * populations) @ vectors[columns.own].conj().T).astype(np.complex128)
        if equation == "davies":
            states.append(_gathered(thermal, columns))
            continue
        levels = parts.components == index
        inverse = DaviesInverse(davies, levels, columns, deflated=populations)
        error_of = partial(_state_error, inverse, columns)
        reference = thermal[None]
        start = reference if rng is None else _random_start(parts, index, columns, rng)
        if method == "assembled":
            block, used = _relax_assembled(generator, start, operator, inverse, columns, tolerance)
        else:
            aside = _ASIDE * float(np.abs(generator.rates).max())
            nearly = DaviesInverse(davies, levels, columns, aside, populations)
            block, used = _relax(operator, nearly, error_of, reference, columns, tolerance, start)
        out = np.empty_like(block)
        operator.apply(block, out)
        residual = max(residual, norm(out, columns))
        state_error = max(state_error, error_of(out))
        iterations += used
        states.append(_gathered(block[0], columns))
    _, _, frequencies = parts.dark_pairs()
    whole: list[Array] = []

    def figures() -> tuple[float, float]:
        state, smallest, distance = _figures(parts, states, gibbs, site)
        whole.append(state)
        return smallest, distance

    smallest, distance = together(columns.comm, figures)
    return SteadyState(
        equation=equation,
        state=whole[0] if whole else None,
        components=np.array(states) if whole else None,
        null_dimension=parts.n_components + int(np.count_nonzero(frequencies == 0.0)),
        dark_levels=int(parts.dark.sum()),
        undamped_frequencies=np.sort(frequencies[frequencies != 0.0]),
        residual=residual,
        state_error=state_error,
        iterations=iterations,
        smallest_eigenvalue=smallest,
        distance_from_gibbs=distance,
    )


def _state_error(inverse: DaviesInverse, columns: Columns, residual: Array) -> float:
    """√N ‖L_D⁻¹[residual]‖_F, about what it leaves wrong of ρ in trace norm."""
    return float(np.sqrt(columns.dimension)) * norm(inverse(residual), columns)


def _random_start(
    parts: Decomposition, component: int, columns: Columns, rng: np.random.Generator
) -> Array:
    """Own columns of a random matrix on the levels of one component; not Hermitian."""
    n = columns.dimension
    draw = rng.standard_normal((2, n, n))
    own = parts.components == component
    vectors = parts.spectrum.vectors[0][:, own]
    inside = (draw[0] + 1j * draw[1])[np.ix_(own, own)] / n
    return (vectors @ inside @ vectors[columns.own].conj().T)[None]


def _relax(
    operator: KernelOperator,
    inverse: DaviesInverse,
    error_of: Callable[[Array], float],
    reference: Array,
    columns: Columns,
    tolerance: float,
    start: Array,
) -> tuple[Array, int]:
    """Own columns of the stationary state of one component, and the iterations.

    L[ρ] − ρ_G tr ρ = −ρ_G has the trace −tr ρ = −1, hence L[ρ] = 0.  inverse: the
    preconditioner; error_of: estimate of what a residual leaves wrong in ρ.  Where that is
    more than _GOOD_ENOUGH, GMRES goes on as far as rounding lets it.
    """
    from manybody.numerics.petsc.linear import solve

    out = np.empty_like(reference)

    def apply(x: Array) -> Array:
        operator.apply(x, out)
        return out - reference * trace(x[0], columns)

    def solved(x: Array, aim: float) -> tuple[Array, float, int, bool]:
        # GMRES does not know tr ρ = 1, to which its residual is relative.
        x, iterations, converged = solve(
            apply, inverse, -reference, x, columns, aim, MAX_ITERATIONS
        )
        x = 0.5 * (x + adjoint(x, columns))
        x /= trace(x[0], columns).real
        operator.apply(x, out)
        return x, norm(out, columns), iterations, converged

    width, below, above = operator.spectral_box[0]
    rounding = _ROUNDING * float(width + above - below)
    # Where energies are large, no state meets a tolerance below rounding.
    aim = max(0.5 * tolerance, rounding)
    found, residual, iterations, converged = solved(start, aim)
    floor = rounding * norm(found, columns)
    if not residual <= max(tolerance, 4.0 * floor):
        raise RuntimeError(
            f"GMRES reached ‖L[ρ]‖ = {residual:.3g} J instead of {tolerance:g} J in {iterations} "
            f"iterations ({'ended' if converged else 'stagnated'}, {MAX_ITERATIONS} are allowed): "
            "no steady state is returned"
        )
    error = error_of(out)
    if error > _GOOD_ENOUGH and residual > floor:
        aim = max(floor, 0.5 * residual * _GOOD_ENOUGH / error)
        better, _, more, _ = solved(found, aim)
        if error_of(out) < error:
            return better, iterations + more
    return found, iterations


def _relax_assembled(
    generator: RedfieldGenerator,
    start: Array,
    operator: KernelOperator,
    inverse: DaviesInverse,
    columns: Columns,
    tolerance: float,
) -> tuple[Array, int]:
    """Own columns of the stationary state of one component, and the steps taken.

    x -> −σ(L − σ)⁻¹ x keeps what is stationary and shrinks the rest by σ / |λ − σ|.
    """
    shift = _SHIFT * float(np.abs(generator.rates).max())
    x, out, residual = start / trace(start[0], columns), np.empty_like(start), np.inf
    with factorised(generator, columns, shift) as resolvent:
        for step in range(1, _MOST_STEPS + 1):
            # Rounding that leaks between other levels would stay: no residual sees it.
            x = inverse.restrict(resolvent(x))
            x /= trace(x[0], columns)
            operator.apply(x, out)
            residual = norm(out, columns)
            if residual <= 0.5 * tolerance:
                return x, step
    raise RuntimeError(
        f"{_MOST_STEPS} steps of the resolvent reached ‖L[ρ]‖ = {residual:.3g} J instead of "
        f"{tolerance:g} J: no steady state is returned"
    )


def _gathered(block: Array, columns: Columns) -> Array | None:
    """The whole matrix on rank 0, None elsewhere."""
    whole = columns.collect([block])
    return None if whole is None else np.ascontiguousarray(whole.T)


def _davies_residual(
    parts: Decomposition, generator: RedfieldGenerator, bath: Bath, lamb_shift: bool,
    gibbs: list[Real],
) -> float:  # fmt: skip
    """Largest ‖L_D[ρ_G]‖_F over the components."""
    clustering = cluster_bohr_frequencies(parts.spectrum)[0]
    if clustering.verdict == AMBIGUOUS:
        raise ValueError(
            f"{clustering.merged_neighbours} Bohr frequencies lie within "
            f"{clustering.tolerance:.1e} of a neighbour by neither chance nor symmetry: "
            "the Davies generator is not determined"
        )
    merging = None if clustering.verdict == SIMPLE else clustering.merging_tolerance
    davies = build_davies(parts.spectrum, bath, lamb_shift, merging, generator)
    return max(float(np.linalg.norm(davies.apply(np.diag(own)))) for own in gibbs)


def _figures(
    parts: Decomposition, states: list[Any], gibbs: list[Real], site: int
) -> tuple[Array, float, float]:
    """(state, its smallest eigenvalue, its distance from Gibbs), on rank 0."""
    vectors = parts.spectrum.vectors[0]
    rho = np.zeros_like(vectors, dtype=np.complex128)
    rho[site, site] = 1.0
    state = project(parts, states, rho)
    thermal = [(vectors * own) @ vectors.conj().T for own in gibbs]
    distance = observables.trace_distance(state, project(parts, thermal, rho))
    return state, float(observables.smallest_eigenvalue(state)), float(distance)
