"""Correlation matrices at any time and in the long run, from the modes of R.

With R = W diag(λ) W⁻¹ every element of C' = W⁻¹CW⁻† has its own exponential.  Where R has
no well-conditioned W (exceptional points) steps of e^{−Rt} by doubling take over.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.lapack import zgetrf, zgetri
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.gaussian.correlations import (
    DAVIES,
    Complex,
    CorrelationGenerator,
    Real,
    adjoint,
    checked_initial,
    degenerate,
    multiply,
)
from manybody.physics.spectra import EPSILON, SIMPLE, linked

# Errors of C grow with the square of an eigenvalue's condition number: 2e-12 at most.
_WORST_CONDITION = 100.0
# Taylor terms of a step with ‖L‖h <= 1: 1/20! = 4e-19.
_TAYLOR_TERMS = 20


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Modes of R of one generator.

    generator: the equation of motion.
    rates: (N,) eigenvalues λ of R: Re λ is half the decay rate of an occupation, Im λ an energy.
    right, left: (N, N) V W and W⁻¹V†, columns and rows in the site basis; None where R is not
        diagonalisable to rounding, and `condition` tells.
    condition: the largest condition number of an eigenvalue, 1 for normal R.
    tolerances: (N,) in J, below which the real part of each rate is zero to rounding: set by
        what the contacts do to the mode, never by the energies.
    """

    generator: CorrelationGenerator
    rates: Complex
    right: Complex | None
    left: Complex | None
    condition: float
    tolerances: Real

    @property
    def n_undamped(self) -> int:
        """Number of modes whose occupation never decays: dark, or out of reach of all bands."""
        return int(np.count_nonzero(self.undamped))

    @property
    def n_growing(self) -> int:
        """Number of modes that grow without bound, which Davies and local ones never do."""
        return int(np.count_nonzero(self.rates.real < -self.tolerances))

    @property
    def undamped(self) -> NDArray[np.bool_]:
        """(N,) whether a mode never decays."""
        return np.asarray(np.abs(self.rates.real) <= self.tolerances)


@dataclass(frozen=True, eq=False)
class SteadyCorrelations:
    """What C becomes in the long run.

    Attributes
    ----------
    matrix : (N, N) array of complex
        Stationary C_qp = ⟨a_p† a_q⟩; with undamped modes its time average from a given start.
    n_undamped : int
        Number of modes that keep their occupation.
    residual : float
        Largest |element| of dC/dt in the modes of h, in J; up to the tolerances of the relaxation
        where it has undamped modes, rounding otherwise.
    clustering : {"simple", "structural", "ambiguous"}, default "simple"
        Verdict on the levels, docs/physics.md section 4.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> wire = mb.QuadraticModel([[0.3, 0.5], [0.5, -0.3]], [mb.Contact(0, lead)])
    >>> found = mb.steady_correlations(wire)
    >>> found.n_undamped, found.residual < 1e-12
    (0, True)
    """

    matrix: Complex
    n_undamped: int
    residual: float
    clustering: str = SIMPLE


def build_relaxation(generator: CorrelationGenerator) -> Relaxation:
    """Diagonalise R: block by block where modes of h are not connected by the contacts.

    Of degenerate modes those that no contact sees are turned away first: they are exactly
    undamped, and a diagonalisation of the whole would mix them with the others.
    """
    turned, seen, damping, energies = _bright_modes(generator)
    n = generator.n_sites
    # Entries that are rounding of a sum Σ_c V*_cm V_cn g between modes damped at such rates.
    damped = np.sqrt(seen)
    connected = csr_array(np.abs(damping) > 64.0 * EPSILON * damped[:, None] * damped)
    n_blocks, labels = connected_components(connected, directed=False)
    turning = 1j * energies.astype(np.complex128)
    rates = turning + np.where(seen > 0.0, np.diagonal(damping), 0.0)
    relative = 8.0 * math.sqrt(n) * EPSILON
    tolerances = relative * seen
    order = np.argsort(labels, kind="stable")
    blocks = np.split(order, np.cumsum(np.bincount(labels, minlength=n_blocks))[:-1])
    blocks = [block for block in blocks if len(block) > 1]
    right = turned.astype(np.complex128)
    left = adjoint(right)
    condition = 1.0
    for block in blocks:
        own_damping, own_energies = damping[np.ix_(block, block)], energies[block]
        # From the middle of its band: an offset would only cost digits.
        centre = 0.5 * (own_energies.min() + own_energies.max())
        part = own_damping + np.diag(1j * (own_energies - centre))
        rounding = relative * float(np.abs(np.diagonal(part)).max())
        values, vectors = _eigensystem(part, rounding)
        inverse = _inverse(vectors)
        own = np.linalg.norm(vectors, axis=0) * np.linalg.norm(inverse, axis=1)
        misfit = np.abs(multiply(part, vectors) - vectors * values).max()
        if misfit > 100.0 * rounding:
            own = np.append(own, np.inf)
        condition = max(condition, float(own.max()))
        decay, errors = _decay(own_damping, seen[block], values, vectors, rounding, relative)
        rates[block] = decay + 1j * (values.imag + centre)
        tolerances[block] = errors
        if condition <= _WORST_CONDITION:
            right[:, block] = multiply(turned[:, block], vectors)
            left[block] = multiply(inverse, adjoint(turned[:, block]))
    if condition > _WORST_CONDITION:
        return Relaxation(generator, rates, None, None, condition, tolerances)
    return Relaxation(generator, rates, right, left, condition, tolerances)


def _decay(
    damping: NDArray[Any],
    seen: Real,
    values: Complex,
    vectors: Complex,
    rounding: float,
    relative: float,
) -> tuple[Real, Real]:
    """Re λ of the eigenvectors v of one block, and what it is known to.

    Re λ = Re v†(R − ih)v / v†v, for v†hv is real: no energy enters but by the rounding of v,
    at most that of R over the distance of the nearest other eigenvalue.
    """
    squares = np.abs(vectors) ** 2
    norms = squares.sum(axis=0)
    moved, back = multiply(damping, vectors), multiply(adjoint(damping), vectors)
    decay = np.einsum("nk,nk->k", vectors.conj(), moved).real / norms
    distance = np.abs(values[:, None] - values)
    # Vectors of one eigenvalue are a basis of its space, whichever.
    distance[distance <= rounding] = np.inf
    turned = np.minimum(rounding / distance.min(axis=1), 1.0)
    pull = np.linalg.norm(moved, axis=0) + np.linalg.norm(back, axis=0)
    return decay, relative * (seen @ squares) / norms + turned * pull / np.sqrt(norms)


def propagate(
    relaxation: Relaxation, initial: NDArray[Any], times: Iterable[float]
) -> Iterator[Complex]:
    """C at each of the ascending times from C(0) = `initial`, (N, N), one after the other.

    C(0) must be that of a state: eigenvalues >= 0, for fermions <= 1.
    Errors are those of rounding of R: about ε(‖R‖t + condition²), in units of C.
    Raises TypeError or ValueError.
    """
    instants = arguments.ascending_times("times", times)
    generator = relaxation.generator
    state = checked_initial(initial, generator.n_sites, generator.statistics)
    if relaxation.right is None or relaxation.left is None:
        return _propagate_by_doubling(relaxation.generator, state, instants)
    return _propagate_modes(relaxation, relaxation.right, relaxation.left, state, instants)


def steady_correlations(
    relaxation: Relaxation, initial: NDArray[Any] | None = None
) -> SteadyCorrelations:
    """C∞ with RC + CR† = F + F†; with undamped modes the long-time average from `initial`.

    Raises ValueError when there are undamped modes and no `initial`, when modes grow or an
    undamped one is filled without end, or when R is defective and has undamped modes.
    """
    generator = relaxation.generator
    undamped = relaxation.n_undamped
    start = None
    if initial is not None:
        start = checked_initial(initial, generator.n_sites, generator.statistics)
    if relaxation.n_growing:
        raise InputError(
            f"{relaxation.n_growing} modes grow, the fastest at the rate "
            f"{-2.0 * relaxation.rates.real.min():.3g}: the {generator.equation} equation "
            "has no stationary state that is reached"
        )
    if undamped and start is None:
        raise InputError(
            f"{undamped} modes are undamped: the stationary state depends on the initial "
            "correlations, which are needed"
        )
    if relaxation.right is None or relaxation.left is None:
        if undamped:
            raise InputError(
                f"R is defective (condition {relaxation.condition:.3g}) and has {undamped} "
                "undamped modes: no stationary state can be given"
            )
        matrix = generator.damping_matrix()
        result = scipy.linalg.solve_continuous_lyapunov(matrix, _source(generator))
        result = generator.to_modes(result)
    else:
        # In the modes, where the turning of what is stationary cancels exactly.
        right = multiply(adjoint(generator.vectors), relaxation.right)
        left = multiply(relaxation.left, generator.vectors)
        source = generator.filling + adjoint(generator.filling)
        # The second pass removes what the conditioning of W cost the first.
        result = _stationary_part(relaxation, right, left, source, True)
        result = 0.5 * (result + adjoint(result))
        defect = _change(generator, result)
        result += _stationary_part(relaxation, right, left, defect, False)
        if start is not None and undamped:
            result += _kept(relaxation, right, left, generator.to_modes(start))
    result = np.ascontiguousarray(0.5 * (result + result.conj().T))
    residual = float(np.abs(_change(generator, result)).max())
    result = generator.to_sites(result).astype(np.complex128)
    result = np.ascontiguousarray(0.5 * (result + result.conj().T))
    return SteadyCorrelations(result, undamped, residual, generator.clustering)


def _source(generator: CorrelationGenerator) -> NDArray[Any]:
    """F + F† in the site basis."""
    return generator.to_sites(generator.filling + adjoint(generator.filling))


def _change(generator: CorrelationGenerator, correlations: Complex) -> Complex:
    """dC/dt of a Hermitian C, both in the modes of h."""
    half = generator.filling - multiply(generator.damping, correlations)
    turning = generator.energies[:, None] - generator.energies
    change: Complex = half + adjoint(half) - 1j * turning * correlations
    return change


def _bright_modes(
    generator: CorrelationGenerator,
) -> tuple[NDArray[Any], Real, NDArray[Any], Real]:
    """Modes of h, in a level bright then dark ones, and what the contacts do to them.

    Bright modes of a level span what its contacts see of it.  Returns vectors (N, N); the
    largest rate at which each mode may be damped, (N,), 0 where it has a node to rounding at
    every contact that acts; V†(R − ih)V of the contacts that see a mode; energies (N,).
    """
    vectors, energies = generator.vectors, generator.energies
    rows = generator.damping_rows
    levels = degenerate(linked(energies, generator.tolerance))
    active = rows.any(axis=1) | generator.filling_rows.any(axis=1)
    sites, rows = generator.sites[active], rows[active]
    if levels and len(sites):
        vectors, rows, energies = vectors.copy(), rows.copy(), energies.copy()
    for members in levels if len(sites) else ():
        part = vectors[sites][:, members]
        # All right vectors, but no more left ones than that takes.
        few = part.shape[0] < part.shape[1]
        turn = adjoint(scipy.linalg.svd(part, full_matrices=few)[2])
        vectors[:, members] = vectors[:, members] @ turn
        rows[:, members] = rows[:, members] @ turn
        energies[members] = energies[members].mean()
    amplitudes = vectors[sites]
    size = np.abs(amplitudes)
    node = size <= 64.0 * EPSILON
    # What one contact does at most to a mode that sits on it.
    strongest = np.where(node, 0.0, np.abs(rows) / np.where(node, 1.0, size)).max(
        axis=1, initial=0.0
    )
    size[node] = 0.0
    seen = np.einsum("cn,c->n", size**2, strongest)
    damping = multiply(adjoint(np.where(node, 0.0, amplitudes)), np.where(node, 0.0, rows))
    if generator.equation == DAVIES:
        damping = np.where(generator.levels[:, None] == generator.levels, damping, 0.0)
    return vectors, seen, damping, energies


def _eigensystem(matrix: Complex, rounding: float) -> tuple[Complex, Complex]:
    """Eigenvalues and right eigenvectors, orthonormal among equal eigenvalues.

    Rounding alone picks the vectors of an eigenvalue that occurs twice, and may pick
    them almost parallel.
    """
    values, vectors = scipy.linalg.eig(matrix)
    order = np.argsort(values.imag)
    columns = linked(values.imag[order], rounding)
    order = order[np.lexsort((values.real[order], columns))]
    near = np.abs(np.diff(values[order])) <= rounding
    for members in degenerate(np.concatenate([[0], np.cumsum(~near)])):
        equal = order[members]
        vectors[:, equal] = np.linalg.qr(vectors[:, equal])[0]
        values[equal] = values[equal].mean()
    return values, vectors


def _inverse(matrix: Complex) -> Complex:
    """W⁻¹, infinite where W is singular: `inv` would warn of what `condition` tells."""
    factors, pivots, singular = zgetrf(matrix)
    if singular:
        return np.full_like(matrix, np.inf)
    inverse: Complex = zgetri(factors, pivots, lwork=64 * len(matrix))[0]
    return inverse


def _propagate_modes(
    relaxation: Relaxation, right: Complex, left: Complex, state: Complex, times: Real
) -> Iterator[Complex]:
    """C'(t) = e^{−μt} C'(0) + S' t φ(μt), μ_jk = λ_j + λ_k*, φ(z) = (1 − e^{−z})/z."""
    start = multiply(multiply(left, state), adjoint(left))
    source = multiply(multiply(left, _source(relaxation.generator)), adjoint(left))
    rates = relaxation.rates
    total = rates[:, None] + rates.conj()[None, :]
    for time in times:
        if time == 0.0:
            yield state.copy()
            continue
        exponent = -time * total
        change = np.expm1(exponent)
        with np.errstate(divide="ignore", invalid="ignore"):
            filled = np.where(exponent == 0.0, 1.0, change / exponent)
        now = start + change * start + (time * source) * filled
        now = multiply(multiply(right, now), adjoint(right))
        yield 0.5 * (now + adjoint(now))


def _stationary_part(
    relaxation: Relaxation, right: Complex, left: Complex, source: NDArray[Any], check: bool
) -> Complex:
    """C with RC + CR† = source, nothing on pairs of undamped modes of equal energy.

    check: refuse a source on those pairs, which would fill them without end.
    """
    driven = multiply(multiply(left, source), adjoint(left))
    total, still = _sums_of_rates(relaxation)
    largest = np.abs(driven).max()
    left_over = np.abs(driven[still]).max(initial=0.0)
    rounding = 64.0 * math.sqrt(len(total)) * EPSILON * relaxation.condition
    if check and left_over > 100.0 * relaxation.tolerances.max() + rounding * largest:
        raise InputError(
            f"an undamped mode is filled at the rate {left_over:.3g}: no stationary state exists"
        )
    total[still] = np.inf
    return multiply(multiply(right, driven / total), adjoint(right))


def _kept(relaxation: Relaxation, right: Complex, left: Complex, start: Complex) -> Complex:
    """The part of the start that neither decays nor turns."""
    _, still = _sums_of_rates(relaxation)
    kept = np.where(still, multiply(multiply(left, start), adjoint(left)), 0.0)
    return multiply(multiply(right, kept), adjoint(right))


def _sums_of_rates(relaxation: Relaxation) -> tuple[Complex, NDArray[np.bool_]]:
    """(N, N) λ_j + λ_k*, and where it is zero to rounding for two undamped modes."""
    rates = relaxation.rates
    undamped = relaxation.undamped
    energy = relaxation.generator.tolerance
    total = rates[:, None] + rates.conj()[None, :]
    still = undamped[:, None] & undamped[None, :] & (np.abs(total) <= 4.0 * energy)
    return total, still


def _propagate_by_doubling(
    generator: CorrelationGenerator, state: Complex, times: Real
) -> Iterator[Complex]:
    """C(t + s) = E(s) C(t) E(s)† + Q(s), E = e^{−Rs}, Q = ∫₀^s e^{−Ru}(F + F†)e^{−R†u} du."""
    matrix, source = generator.damping_matrix(), _source(generator).astype(np.complex128)
    size = np.abs(matrix)
    norm = 2.0 * math.sqrt(float(size.sum(axis=0).max() * size.sum(axis=1).max()))
    now, done = 0.0, state
    interval = math.nan
    step: NDArray[Any] = state
    gain: NDArray[Any] = state
    for time in times:
        if time > now:
            # Equal steps of a grid differ by the rounding of its times.
            if not abs(time - now - interval) <= 4.0 * EPSILON * time:
                interval = time - now
                step, gain = _interval(matrix, source, norm, interval)
            done = multiply(multiply(step, done), adjoint(step)) + gain
            done = 0.5 * (done + adjoint(done))
        now = time
        yield done.copy()


def _interval(
    matrix: Complex, source: Complex, norm: float, interval: float
) -> tuple[Complex, Complex]:
    """E and Q of one interval: Taylor series of a short step, doubled until it is long enough."""
    doublings = max(0, math.ceil(math.log2(max(norm * interval, 1.0))))
    short = math.ldexp(interval, -doublings)
    step_term: NDArray[Any] = np.eye(len(matrix), dtype=np.complex128)
    gain_term: NDArray[Any] = short * source
    step, gain = step_term.copy(), gain_term.copy()
    for order in range(1, _TAYLOR_TERMS):
        step_term = multiply(matrix, step_term) * (-short / order)
        half = multiply(matrix, gain_term) * (-short / (order + 1))
        gain_term = half + adjoint(half)
        step += step_term
        gain += gain_term
    for _ in range(doublings):
        gain = gain + multiply(multiply(step, gain), adjoint(step))
        step = multiply(step, step)
    return step, gain
