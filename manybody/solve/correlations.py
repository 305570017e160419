"""Two-time correlations ⟨A(t)B(0)⟩ by the regression formula, and their spectra.

⟨A(t)B(0)⟩ = tr[A e^{Lt}(Bρ)], t >= 0, ρ = ρ(0): the equation that moves ρ moves Bρ as well.  It
is exact for L that is, and for Redfield and Davies as good as they are.  Bρ is not Hermitian;
Bρ = S + iT with Hermitian S and T, and L is complex-linear, so that both go the way of any state.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError, NumericalError, said_of
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.protocols import Stepper, cut
from manybody.numerics.steppers import build_stepper
from manybody.physics import arguments
from manybody.physics.baths.several import GivenBaths, SeveralBaths, baths_of
from manybody.physics.equations.protocol import Equation, check_applies
from manybody.physics.equations.registry import EQUATIONS, check_name
from manybody.physics.liouvillians import liouvillian_of
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.matrices import matrix_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.starts import DensityStart
from manybody.physics.undecided import warn_undecided
from manybody.solve.starting import build_start
from manybody.solve.steady import steady_state
from manybody.system.blas import blas_threads

# One process: a state of so many levels takes 4 MB, and an application some 10 ms.
MAX_STATES = 512
# A dense Liouvillian of D⁴ numbers is factorised in a few seconds.
MAX_DENSE_STATES = 32
STATIONARY, THERMAL = "stationary", "thermal"
# Bytes of states that are kept at once.
_BATCH_BYTES = 1 << 27
# Singular values and rates of a dense Liouvillian below this, relative to its norm, are rounding.
_ROUNDING = 1e-12
# Relative to ‖L‖, how stationary a state must be to have a spectrum.
_STATIONARY = 1e-8


@dataclass(frozen=True, eq=False)
class PowerSpectrum:
    """Power spectrum S(ω) = ∫ e^{iωt} (⟨A(t)B(0)⟩ − C_∞) dt over all times.

    Attributes
    ----------
    frequencies : (W,) array
        ω in J; ω > 0 is energy that B puts into the system (absorption) and A takes out: with
        A = |l⟩⟨k|, B = A† the line is at ω = E_k − E_l.
    values : (W,) array of complex
        S in units of A·B/J, real up to rounding where A = B†, and 2 Re of the integral over t > 0
        then.
    constant : complex
        C_∞ = lim ⟨A(t)B(0)⟩, ⟨A⟩⟨B⟩ where there is one stationary state: S has in addition
        2π C_∞ δ(ω), which `values` leaves out.
    total : complex
        ⟨AB⟩ − C_∞ = ∫ S dω/2π.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> density = [1.0, 0.0, 0.0, 0.0]
    >>> found = mb.spectrum(model, bath, [-1.0, 0.0, 1.0], density, density, equation="davies")
    >>> found.values.shape, found.total.real > 0
    ((3,), True)
    """

    frequencies: Real
    values: Complex
    constant: complex
    total: complex


def correlation(
    model: Model | Matrix,
    bath: GivenBaths,
    times: Iterable[float],
    a: Any,
    b: Any,
    state: Any = STATIONARY,
    equation: str = "redfield",
    lamb_shift: bool = False,
    stepper: str | Stepper = "chebyshev",
    tolerance: float = 1e-10,
) -> Complex:
    """Two-time correlation ⟨A(t)B(0)⟩ = tr[A e^{Lt}(Bρ)], by the regression formula.

    On one process.

    Parameters
    ----------
    model : Model or (N, N) array
        As in `compare`, up to 512 states.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As in `compare`.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    a : (D, D) or (D,) array
        A, an array, a sparse one or an operator of another package, Hermitian or not, or a
        diagonal.
    b : (D, D) or (D,) array
        B, likewise.
    state : str or array, default "stationary"
        ρ(0): "stationary" for that of the equation, "thermal" for e^{−βH}/Z at the bath's β, or
        what `initial_state` of `compare` may be.  The stationary state must be the only one; of
        more than 32 states it is known for "redfield" and "davies" (`steady_state`).
    equation : str, default "redfield"
        One of `manybody.EQUATIONS`.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    stepper : str or Stepper, default "chebyshev"
        As in `compare`.
    tolerance : float, default 1e-10
        In [1e-13, 0.01], see the stepper.

    Returns
    -------
    (T,) array of complex
        In units of A·B.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).
    Unavailable
        PETSc is needed and missing.
    NumericalError
        A stepper does not converge, or the stationary state is not found.

    Warns
    -----
    UserWarning
        Davies depends on Bohr frequencies of which it cannot be decided whether they coincide:
        they are kept apart.

    Notes
    -----
    Lax, Phys. Rev. 129, 2342 (1963).

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> density = [1.0, 0.0, 0.0, 0.0]
    >>> mb.correlation(model, bath, [0.0, 5.0], density, density, equation="davies").shape
    (2,)
    """
    grid = arguments.ascending_times("times", times)
    scheme = build_stepper(stepper, arguments.tolerance(tolerance), "")
    asked = _checked(model, bath, (a, b), equation, lamb_shift, MAX_STATES)
    with blas_threads(), np.errstate(under="ignore"):
        rho = _state_of(asked, state)
        values = np.zeros(len(grid), dtype=np.complex128)
        moved = _times(asked.b, rho)
        parts = 0.5 * (moved + moved.conj().T), -0.5j * (moved - moved.conj().T)
        for factor, part in zip((1.0, 1j), parts):
            values += factor * _propagated(asked, part, grid, scheme)
    return values


def spectrum(
    model: Model | Matrix,
    bath: GivenBaths,
    frequencies: Iterable[float],
    a: Any,
    b: Any,
    state: Any = STATIONARY,
    equation: str = "redfield",
    lamb_shift: bool = False,
) -> PowerSpectrum:
    """Power spectrum of ⟨A(t)B(0)⟩ in a stationary state, by the resolvent: up to 32 states.

    Parameters
    ----------
    model : Model or (N, N) array
        As in `compare`, up to 32 states.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As in `compare`.
    frequencies : (W,) sequence of float
        ω in J, any reals.
    a : (D, D) or (D,) array
        A, as in `correlation`.
    b : (D, D) or (D,) array
        B, as in `correlation`.
    state : str or array, default "stationary"
        ρ(0) as in `correlation`, but stationary.
    equation : str, default "redfield"
        One of `manybody.EQUATIONS`.
    lamb_shift : bool, default False
        Whether η(ω) is kept.

    Returns
    -------
    PowerSpectrum
        S(ω), its constant and its integral.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), or the state is
        not stationary.
    NumericalError
        L has a mode that grows or never decays: there is no integral.

    Notes
    -----
    By the regression formula, Lax, Phys. Rev. 129, 2342 (1963), with
    S(ω) = G_AB(ω) + G_{B†A†}(ω)*, G_AB(ω) = ∫_0^∞ e^{iωt} (⟨A(t)B(0)⟩ − C_∞) dt =
    −tr[A (iω + L)^{−1} QBρ], Q what is left beside the stationary matrices of L; the second part
    is t < 0, where ⟨A(t)B(0)⟩ = ⟨B†(−t)A†(0)⟩*.  An absorption spectrum is that of A = B = the
    dipole, or of its two halves.  No quadrature: exact to rounding over the distance of iω from
    the spectrum of L.  The regression formula keeps detailed balance S_AB(ω) = e^{βω} S_BA(−ω)
    at every Bohr frequency, not in the wings of its line.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> density = [1.0, 0.0, 0.0, 0.0]
    >>> found = mb.spectrum(model, bath, [-1.0, 0.0, 1.0], density, density, equation="davies")
    >>> bool(found.values.real.min() > 0)
    True
    """
    given = arguments.entries("frequencies", frequencies, "a sequence of reals")
    omegas = np.array([arguments.real("frequencies entry", omega) for omega in given])
    asked = _checked(model, bath, (a, b), equation, lamb_shift, MAX_DENSE_STATES)
    with blas_threads(), np.errstate(under="ignore"):
        dense = _Dense(liouvillian_of(asked.equation, asked.problem))
        rho = _state_of(asked, state, dense)
        dense.check_stationary(rho)
        moved, other = _times(asked.b, rho), _times(_adjoint(asked.a), rho)
        forward = dense.transform(omegas, moved, asked.a)
        # The adjoint of B stands where A did.
        backward = dense.transform(omegas, other, _adjoint(asked.b))
        constant = dense.lasting(moved, asked.a)
    total = _trace(asked.a, moved) - constant
    return PowerSpectrum(omegas, forward + backward.conj(), constant, total)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Checked arguments; a, b: arrays of (D,) or (D, D), or CSR."""

    problem: Problem
    equation: Equation
    a: Any
    b: Any


def _checked(
    model: Model | Matrix,
    bath: GivenBaths,
    operators: tuple[Any, Any],
    equation: str,
    lamb_shift: bool,
    most: int,
) -> _Asked:
    system = model_from(model)
    arguments.boolean("lamb_shift", lamb_shift)
    baths = baths_of(bath, [system], lamb_shift)
    check_name(equation)
    named = EQUATIONS[equation]
    check_applies([named], [system])
    dimension = system.dimension
    if dimension > most:
        raise InputError(f"the model has {dimension} states: at most {most} are allowed here")
    a, b = (_operator(name, own, dimension) for name, own in zip("ab", operators))
    return _Asked(Problem([system], baths, lamb_shift), named, a, b)


def _operator(name: str, value: Any, dimension: int) -> Any:
    """An operator that need not be Hermitian, complex."""
    matrix = arguments.array(name, matrix_from(value, name))
    if matrix.dtype.kind not in "biufc":
        raise InputTypeError(f"{name} has dtype {matrix.dtype}: must be numeric")
    arguments.check_of_states(name, matrix, dimension)
    matrix = matrix.astype(np.complex128)
    return sp.csr_array(matrix) if sp.issparse(matrix) else matrix


def _adjoint(operator: Any) -> Any:
    return operator.conj() if operator.ndim == 1 else operator.conj().T


def _times(operator: Any, rho: Complex) -> Complex:
    """The product with a state on its right."""
    moved: Complex = operator[:, None] * rho if operator.ndim == 1 else operator @ rho
    return moved


def _trace(operator: Any, matrix: Complex) -> complex:
    """tr(Aσ) of any two matrices."""
    if operator.ndim == 1:
        return complex(operator @ np.diagonal(matrix))
    if sp.issparse(operator):
        return complex(operator.multiply(matrix.T).sum())
    return complex(np.einsum("ab,ba->", operator, matrix))


def _state_of(asked: _Asked, state: Any, dense: "_Dense | None" = None) -> Complex:
    """(D, D) ρ(0)."""
    problem = asked.problem
    every = slice(0, problem.dimension)
    if isinstance(state, str) and state == STATIONARY:
        return _stationary(asked, dense)
    if isinstance(state, str) and state == THERMAL:
        if np.isnan(problem.bath.beta):
            raise InputError(f"state = {THERMAL!r}: the baths have no temperature in common")
        start = build_start(problem.models, 0, problem.bath.beta)
    else:
        with said_of("state"):
            start = build_start(problem.models, 0, None, state)
    if start.needs_spectrum:
        return start.columns(problem.spectrum, every)
    return start.in_basis(problem.dimension, every)


def _stationary(asked: _Asked, dense: "_Dense | None") -> Complex:
    problem, equation = asked.problem, asked.equation
    if problem.dimension <= MAX_DENSE_STATES:
        dense = dense or _Dense(liouvillian_of(equation, problem))
        return dense.stationary_state()
    if equation.name not in ("redfield", "davies"):
        raise InputError(
            f"state = {STATIONARY!r}: of more than {MAX_DENSE_STATES} states it is known for "
            f"'redfield' and 'davies', not for {equation.name!r}"
        )
    bath = problem.bath
    given = bath.each if isinstance(bath, SeveralBaths) else bath
    found = steady_state(problem.model, given, equation.name, problem.lamb_shift)
    if found.null_dimension != 1:
        raise _several(found.null_dimension)
    assert found.state is not None
    return found.state


def _several(count: int) -> InputError:
    return InputError(
        f"state = {STATIONARY!r}: the equation has {count} stationary matrices, give the state"
    )


def _propagated(asked: _Asked, matrix: Complex, times: Real, stepper: Stepper) -> Complex:
    """(T,) tr[A e^{Lt}(σ)] of a Hermitian σ that need not be a state."""
    if asked.equation.generator is not None:
        return _stepped(asked, matrix, times, stepper)
    assert asked.equation.propagators is not None
    problem, size = asked.problem, len(matrix)
    if problem.clustering.verdict == AMBIGUOUS:
        warn_undecided(problem.clustering.undecided())
    evolution = asked.equation.propagators(problem)[0].evolve(DensityStart(matrix), times)
    values = np.empty(len(times), dtype=np.complex128)
    for some in _batches(len(times), size):
        states = np.empty((some.stop - some.start, size, size), dtype=np.complex128)
        evolution.write(some, states)
        values[some] = [_trace(asked.a, state) for state in states]
    return values


def _stepped(asked: _Asked, matrix: Complex, times: Real, stepper: Stepper) -> Complex:
    assert asked.equation.generator is not None
    generator = asked.equation.generator(asked.problem)
    (stepper,) = stepper.chosen(generator, times, len(matrix))
    operator = KernelOperator(
        generator.kernel(),
        generator.spectral_box,
        Columns(len(matrix)),
        stepper.linearity,
        generator.spectral_outline,
    )
    state, now, values = np.ascontiguousarray(matrix[None]), 0.0, []
    for some in _batches(len(times), len(matrix)):
        later = times[some] - now
        segments = stepper.segments(generator, later) if later[-1] > 0.0 else cut(later, 1.0)
        for segment in segments:
            solution = stepper.advance(operator, state, segment)
            values += [_trace(asked.a, own) for own in solution.states[0]]
            state = solution.final
        now = float(times[some][-1])
    found = np.array(values)
    if not np.isfinite(found).all():
        raise NumericalError(f"the {asked.equation.name} equation diverged")
    return found


def _batches(n_times: int, dimension: int) -> list[slice]:
    """Times whose states are kept at once."""
    size = max(1, _BATCH_BYTES // (16 * dimension**2))
    return [slice(first, min(first + size, n_times)) for first in range(0, n_times, size)]


class _Dense:
    """A dense Liouvillian, what it leaves alone, and its resolvent elsewhere."""

    def __init__(self, matrix: Complex) -> None:
        self._matrix, self._n = matrix, int(round(np.sqrt(len(matrix))))
        left, values, right = scipy.linalg.svd(matrix)
        self._scale = float(values[0]) or 1.0
        count = int(np.count_nonzero(values <= _ROUNDING * self._scale * len(values)))
        self.null_dimension = count
        if count == 0:
            raise NumericalError("no stationary matrix was found: the trace is not conserved")
        null, dual = right[-count:].conj().T, left[:, -count:]
        # P = R (D†R)⁻¹ D†, singular where something stationary grows in time.
        overlap = dual.conj().T @ null
        self._null, self._dual = null, np.linalg.solve(overlap, dual.conj().T)

    def stationary_state(self) -> Complex:
        """(D, D) the stationary state where there is one alone."""
        if self.null_dimension != 1:
            raise _several(self.null_dimension)
        rho = self._null[:, 0].reshape(self._n, self._n)
        rho = rho / np.trace(rho)
        state: Complex = 0.5 * (rho + rho.conj().T)
        return state

    def check_stationary(self, rho: Complex) -> None:
        """Raise InputError for a state that moves."""
        residual = float(np.linalg.norm(self._matrix @ rho.ravel())) / self._scale
        if residual > _STATIONARY:
            raise InputError(
                f"state: ‖L[ρ]‖ = {residual:.1e} of ‖L‖, spectra are of stationary states, "
                f"{STATIONARY!r} say"
            )

    def lasting(self, sigma: Complex, a: Any) -> complex:
        """lim tr[A e^{Lt}(σ)], undamped modes left out."""
        return _trace(a, self._projected(sigma.ravel()).reshape(sigma.shape))

    def _projected(self, vector: Complex) -> Complex:
        projected: Complex = self._null @ (self._dual @ vector)
        return projected

    def transform(self, omegas: Real, sigma: Complex, a: Any) -> Complex:
        """(W,) −tr[A (iω + L)⁻¹ Qσ]."""
        unitary, triangle = self._schur
        vector = sigma.ravel()
        source = unitary.conj().T @ (vector - self._projected(vector))
        # tr(Aσ) = Σ_ab A_ba σ_ab.
        dense = np.diag(a) if a.ndim == 1 else (a.toarray() if sp.issparse(a) else a)
        watched = np.ascontiguousarray(dense.T).ravel() @ unitary
        diagonal, places = np.diagonal(triangle).copy(), np.arange(len(triangle))
        shifted, found = triangle.copy(), np.empty(len(omegas), dtype=np.complex128)
        for index, omega in enumerate(omegas):
            shifted[places, places] = diagonal + 1j * omega
            found[index] = -watched @ scipy.linalg.solve_triangular(shifted, source)
        return found

    @cached_property
    def _schur(self) -> tuple[Complex, Complex]:
        """U and R of L − s P, which moves what is stationary away and leaves the rest."""
        deflated = self._matrix - self._scale * (self._null @ self._dual)
        triangle, unitary = scipy.linalg.schur(deflated, output="complex")
        rates = np.diagonal(triangle)
        worst = int(np.argmax(rates.real))
        if rates[worst].real >= -_ROUNDING * self._scale * len(rates):
            raise NumericalError(
                f"a mode of frequency {-rates[worst].imag:g} has the rate "
                f"{rates[worst].real:.1e}: it does not decay, and there is no spectrum"
            )
        return unitary, triangle
