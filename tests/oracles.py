"""Slow, independent answers to compare the package with.

Nothing here imports `manybody`.  Every function is the formula it cites, evaluated by explicit
loops over indices, by quadrature or by dense algebra; docs/physics.md is in manybody, and SNM is
Shiraishi, Nakagawa, Mori, arXiv 2507.10080.  Units: hbar = k_B = 1.  All
matrices are in the site basis unless said otherwise, and vec is row-major:
vec(rho)[a * N + b] = rho[a, b].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import mpmath
import numpy as np
import scipy.integrate
import scipy.linalg

Scalar = Callable[[float], float]
Elementwise = Callable[[np.ndarray], np.ndarray]

# Beyond this many cutoffs exp(-|omega| / cutoff) is below 1e-36.
_CUTOFFS_TO_THE_END = 84.0


# ---- bath ------------------------------------------------------------------------------------


def gamma_high_precision(omega: float, coupling: float, cutoff: float, beta: float) -> float:
    """Return the power spectrum gamma(omega), SNM eq. (16), from 50-digit arithmetic.

    The printed branch for omega < 0 needs n(|omega|) (docs/physics.md section 8).  gamma(0) is the
    limit coupling**2 / beta.  `omega` > 0 is energy given to the bath.
    """
    if omega == 0:
        return float(mpmath.mpf(coupling) ** 2 / mpmath.mpf(beta))
    with mpmath.workdps(50):
        size = abs(mpmath.mpf(omega))
        occupation = 1 / mpmath.expm1(mpmath.mpf(beta) * size)
        factor = occupation + 1 if omega > 0 else occupation
        envelope = mpmath.mpf(coupling) ** 2 * mpmath.exp(-size / mpmath.mpf(cutoff))
        return float(envelope * size * factor)


def _gamma_double(omega: float, coupling: float, cutoff: float, beta: float) -> float:
    """Return SNM eq. (16) in double precision, the integrand of the quadratures below."""
    size = abs(omega)
    if beta * size < 1e-300:
        return coupling**2 / beta
    occupation = math.exp(-beta * size) / -math.expm1(-beta * size)
    factor = 1.0 + occupation if omega > 0 else occupation
    return coupling**2 * math.exp(-size / cutoff) * size * factor


def _panels(start: float, stop: float, smallest: float) -> list[tuple[float, float]]:
    """Return intervals from `start` to `stop` (either way) whose lengths grow by factors of 4."""
    length = abs(stop - start)
    sign = 1.0 if stop > start else -1.0
    distances = [0.0]
    step = smallest
    while step < length:
        distances.append(step)
        step *= 4.0
    distances.append(length)
    points = [start + sign * distance for distance in distances]
    points[-1] = stop
    return [
        (min(left, right), max(left, right))
        for left, right in zip(points[:-1], points[1:])
        if left != right
    ]


def eta_quadrature(omega: float, coupling: float, cutoff: float, beta: float) -> float:
    """Return eta(omega) = P int d omega' gamma(omega') / (2 pi (omega - omega')) by quadrature.

    docs/physics.md section 2.  With omega' = omega -+ u the principal value is the ordinary
    integral over u > 0 of [gamma(omega - u) - gamma(omega + u)] / (2 pi u), whose only kink, at
    u = |omega|, comes from the cusp of gamma at 0: panels are refined towards that point.
    Good to about 1e-14 coupling**2 max(cutoff, 1 / beta), absolutely.
    """

    def integrand(u: float) -> float:
        below = _gamma_double(omega - u, coupling, cutoff, beta)
        above = _gamma_double(omega + u, coupling, cutoff, beta)
        return (below - above) / (2.0 * math.pi * u)

    kink = abs(omega)
    end = kink + _CUTOFFS_TO_THE_END * cutoff
    smallest = 0.25 * min(1.0 / beta, cutoff, kink if kink > 0 else cutoff)
    panels = _panels(kink, end, smallest)
    if kink > 0:
        panels += _panels(kink, 0.0, smallest)
    # The two values of gamma, up to about coupling**2 / beta each, leave rounding of this size.
    scale = coupling**2 * max(cutoff, 1.0 / beta) / (2.0 * math.pi)
    return math.fsum(
        scipy.integrate.quad(integrand, low, high, epsabs=1e-14 * scale, epsrel=1e-13)[0]
        for low, high in panels
    )


def _integral(function: Elementwise, panels: Sequence[tuple[float, float]]) -> float:
    """Return the integral of a function of arrays by 20 Gauss points a panel.

    Panels are halved until that changes nothing, at most 40 times: next to a singularity
    rounding is all that is left.
    """
    nodes, weights = np.polynomial.legendre.leggauss(20)

    def rule(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        half = 0.5 * (high - low)
        return half * (function(0.5 * (low + high)[:, None] + half[:, None] * nodes) @ weights)

    low, high = np.array(panels).T
    whole, done = rule(low, high), []
    for halving in range(40):
        middle = 0.5 * (low + high)
        halves = np.stack([rule(low, middle), rule(middle, high)])
        both = halves.sum(axis=0)
        agree = np.abs(both - whole) <= np.maximum(1e-15, 1e-13 * np.abs(both))
        agree |= halving == 39
        done += both[agree].tolist()
        if agree.all():
            break
        low = np.concatenate([low[~agree], middle[~agree]])
        high = np.concatenate([middle[~agree], high[~agree]])
        whole = halves[:, ~agree].ravel()
    return math.fsum(done)


def principal_value(
    function: Elementwise, omega: float, points: Sequence[float], smallest: float, end: float
) -> float:
    """Return P int dx function(x) / (2 pi (omega - x)) by quadrature.

    With x = omega -+ u this is the integral over u > 0 of [f(omega - u) - f(omega + u)] /
    (2 pi u).  `points`: where f is not smooth, none of them a step at omega; there panels grow
    from the length `smallest`.  `end`: f vanishes at |x| >= end.
    """

    def integrand(u: np.ndarray) -> np.ndarray:
        return (function(omega - u) - function(omega + u)) / (2.0 * math.pi * u)

    kinks = sorted({abs(omega - point) for point in points} | {0.0, abs(omega) + end})
    panels = []
    for left, right in zip(kinks[:-1], kinks[1:]):
        middle = 0.5 * (left + right)
        panels += _panels(left, middle, min(smallest, 0.25 * (middle - left)))
        panels += _panels(right, middle, min(smallest, 0.25 * (right - middle)))
    return _integral(integrand, panels)


def ohmic_shift(omega: float, coupling: float, cutoff: float, exponent: float) -> float:
    """Return P int dx D(x) / (2 pi (omega - x)), D = J^2 wc (x/wc)^s exp(-x/wc) for x > 0.

    int_0^inf x^s e^-x / (x + z) dx = Gamma(s + 1) z^s e^z Gamma(-s, z) (DLMF 8.6.4), continued
    to z = -omega / wc, whose real part is the principal value.
    """
    with mpmath.workdps(40):
        s = mpmath.mpf(exponent)
        z = mpmath.mpc(-mpmath.mpf(omega) / mpmath.mpf(cutoff))
        stieltjes = mpmath.gamma(s + 1) * z**s * mpmath.exp(z) * mpmath.gammainc(-s, z)
        return float(-(coupling**2) * cutoff / (2 * mpmath.pi) * stieltjes.real)


def correlation_quadrature(t: float, coupling: float, cutoff: float, beta: float) -> complex:
    """Return C(t) = int d omega / (2 pi) gamma(omega) exp(-i omega t) by quadrature.

    docs/physics.md section 2.  Both half lines are cut into panels refined towards the cusp at 0;
    the oscillation is handled by the cosine and sine weights of QUADPACK.  Accurate to about
    1e-15 |C(0)|, absolutely: the tail at large t has fewer digits than that.
    """

    def integrand(omega: float) -> float:
        return _gamma_double(omega, coupling, cutoff, beta) / (2.0 * math.pi)

    end = _CUTOFFS_TO_THE_END * cutoff
    smallest = 0.25 * min(1.0 / beta, cutoff)
    tolerance = 1e-14 * coupling**2 * cutoff * max(cutoff, 1.0 / beta)
    parts = {"cos": [], "sin": []}
    for low, high in _panels(0.0, end, smallest) + _panels(0.0, -end, smallest):
        for weight, values in parts.items():
            value = scipy.integrate.quad(
                integrand, low, high, weight=weight, wvar=t, epsabs=tolerance, epsrel=1e-13
            )[0]
            values.append(value)
    return complex(math.fsum(parts["cos"]), -math.fsum(parts["sin"]))


# ---- generators ------------------------------------------------------------------------------


def _site_projector(n: int, site: int) -> np.ndarray:
    """Return A_j = |j><j|, shape (n, n)."""
    projector = np.zeros((n, n), dtype=complex)
    projector[site, site] = 1.0
    return projector


def _matrix_unit(n: int, a: int, b: int) -> np.ndarray:
    """Return |a><b|, shape (n, n)."""
    unit = np.zeros((n, n), dtype=complex)
    unit[a, b] = 1.0
    return unit


def _dagger(matrix: np.ndarray) -> np.ndarray:
    """Return the Hermitian conjugate."""
    return matrix.conj().T


def redfield_matrix(
    hamiltonian: np.ndarray, coupled_sites: Iterable[int], gamma: Scalar, eta: Scalar | None = None
) -> np.ndarray:
    """Return the dense Redfield Liouvillian (N*N, N*N), docs/physics.md section 3, A_j = |j><j|.

    hamiltonian: (N, N) Hermitian.  gamma, eta: scalar functions of the frequency; no Lamb shift
    when `eta` is None.  Complex-linear on every matrix: with
    Lambda_j = sum_lk Gamma(E_k - E_l) |l><l|A_j|k><k|, the image of rho is
    -i[H, rho] + sum_j (Lambda_j rho A_j - A_j Lambda_j rho + A_j rho Lambda_j^+
    - rho Lambda_j^+ A_j).
    """
    hamiltonian = np.asarray(hamiltonian, dtype=complex)
    n = hamiltonian.shape[0]
    energies, vectors = np.linalg.eigh(hamiltonian)

    transform = np.zeros((n, n), dtype=complex)
    for row in range(n):
        for k in range(n):
            omega = float(energies[k] - energies[row])
            transform[row, k] = 0.5 * gamma(omega)
            if eta is not None:
                transform[row, k] += 1j * eta(omega)

    couplings = []
    for site in coupled_sites:
        projector = _site_projector(n, site)
        dressed = np.zeros((n, n), dtype=complex)
        for row in range(n):
            for k in range(n):
                element = np.vdot(vectors[:, row], projector @ vectors[:, k])
                outer = np.outer(vectors[:, row], vectors[:, k].conj())
                dressed += transform[row, k] * element * outer
        couplings.append((projector, dressed))

    liouvillian = np.zeros((n * n, n * n), dtype=complex)
    for a in range(n):
        for b in range(n):
            rho = _matrix_unit(n, a, b)
            image = -1j * (hamiltonian @ rho - rho @ hamiltonian)
            for projector, dressed in couplings:
                image += dressed @ rho @ projector - projector @ dressed @ rho
                image += projector @ rho @ _dagger(dressed) - rho @ _dagger(dressed) @ projector
            liouvillian[:, a * n + b] = image.reshape(n * n)
    return liouvillian


def _group_bohr_frequencies(
    energies: np.ndarray, tolerance: float
) -> list[tuple[float, list[tuple[int, int]]]]:
    """Return [(omega, [(l, k), ...])] with E_k - E_l = omega, by single linkage."""
    n = len(energies)
    labelled = sorted(
        (float(energies[k] - energies[row]), row, k) for row in range(n) for k in range(n)
    )
    groups = [[labelled[0]]]
    for entry in labelled[1:]:
        if entry[0] - groups[-1][-1][0] <= tolerance:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return [
        (math.fsum(omega for omega, _, _ in group) / len(group), [(r, k) for _, r, k in group])
        for group in groups
    ]


def davies_matrix(
    hamiltonian: np.ndarray,
    coupled_sites: Iterable[int],
    gamma: Scalar,
    eta: Scalar | None = None,
    frequency_tolerance: float = 1e-9,
) -> np.ndarray:
    """Return the dense Davies Liouvillian (N*N, N*N), docs/physics.md section 4, A_j = |j><j|.

    Bohr frequencies closer than `frequency_tolerance` (single linkage, absolute) are one
    frequency omega, and A_j(omega) = sum_{E_k - E_l = omega} |l><l|A_j|k><k|; so degenerate
    levels and degenerate gaps are treated as such.  The image of rho is -i[H + H_LS, rho]
    + sum_{j, omega} gamma(omega) (A rho A^+ - {A^+ A, rho} / 2), with
    H_LS = sum_{j, omega} eta(omega) A^+ A when `eta` is given.
    """
    hamiltonian = np.asarray(hamiltonian, dtype=complex)
    n = hamiltonian.shape[0]
    sites = list(coupled_sites)
    energies, vectors = np.linalg.eigh(hamiltonian)

    effective = hamiltonian.copy()
    losses = np.zeros((n, n), dtype=complex)
    rate_list = []
    jump_list = []
    for omega, pairs in _group_bohr_frequencies(energies, frequency_tolerance):
        rate = gamma(omega)
        shift = 0.0 if eta is None else eta(omega)
        for site in sites:
            projector = _site_projector(n, site)
            jump = np.zeros((n, n), dtype=complex)
            for row, k in pairs:
                element = np.vdot(vectors[:, row], projector @ vectors[:, k])
                jump += element * np.outer(vectors[:, row], vectors[:, k].conj())
            losses += rate * _dagger(jump) @ jump
            effective += shift * _dagger(jump) @ jump
            rate_list.append(rate)
            jump_list.append(jump)
    rates = np.array(rate_list)
    jumps = np.array(jump_list, dtype=complex).reshape(-1, n, n)

    liouvillian = np.zeros((n * n, n * n), dtype=complex)
    for a in range(n):
        for b in range(n):
            rho = _matrix_unit(n, a, b)
            image = -1j * (effective @ rho - rho @ effective)
            image -= 0.5 * (losses @ rho + rho @ losses)
            # sum over (j, omega) of rate * jump |a><b| jump^+
            image += (rates * jumps[:, :, a].T) @ jumps[:, :, b].conj()
            liouvillian[:, a * n + b] = image.reshape(n * n)
    return liouvillian


# ---- states ----------------------------------------------------------------------------------


def trace_distance(rho: np.ndarray, sigma: np.ndarray) -> float:
    """Return the trace norm of rho - sigma, without a factor 1/2 (docs/physics.md section 1)."""
    difference = np.asarray(rho) - np.asarray(sigma)
    return float(np.sum(np.linalg.svd(difference, compute_uv=False)))


def propagate(matrix: np.ndarray, rho0: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """Return the states (T, N, N) at `times` from `rho0` (N, N), one `expm` for each time."""
    rho0 = np.asarray(rho0, dtype=complex)
    vector = rho0.reshape(-1)
    return np.array([(scipy.linalg.expm(matrix * t) @ vector).reshape(rho0.shape) for t in times])


def gibbs(hamiltonian: np.ndarray, beta: float) -> np.ndarray:
    """Return exp(-beta H) / Z, shape (N, N), energies measured from the ground state."""
    energies, vectors = np.linalg.eigh(np.asarray(hamiltonian, dtype=complex))
    weights = np.exp(-beta * (energies - energies[0]))
    weights /= weights.sum()
    return (vectors * weights) @ _dagger(vectors)


# ---- Hamiltonians ----------------------------------------------------------------------------


def random_hermitian(rng: np.random.Generator, n: int, real: bool = False) -> np.ndarray:
    """Return a random Hermitian (n, n) matrix, E|h_ij|^2 = 1 / n off the diagonal.

    Complex (GUE) unless `real`, then a float array (GOE).
    """
    matrix = rng.standard_normal((n, n))
    if not real:
        matrix = (matrix + 1j * rng.standard_normal((n, n))) / math.sqrt(2.0)
    return (matrix + _dagger(matrix)) / math.sqrt(2.0 * n)


def bipartite_hamiltonian(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return a complex Hermitian (n, n) matrix with spectrum +-E: two sublattices, n even."""
    if n % 2:
        raise ValueError(f"n must be even, not {n}")
    half = n // 2
    block = rng.standard_normal((half, half)) + 1j * rng.standard_normal((half, half))
    hamiltonian = np.zeros((n, n), dtype=complex)
    hamiltonian[:half, half:] = block / math.sqrt(2.0 * n)
    hamiltonian[half:, :half] = _dagger(block) / math.sqrt(2.0 * n)
    return hamiltonian


def ring_hamiltonian(n: int) -> np.ndarray:
    """Return the clean periodic chain, hopping +1, real (n, n); two sites share one bond."""
    hamiltonian = np.zeros((n, n))
    for site in range(n):
        neighbour = (site + 1) % n
        if neighbour != site:
            hamiltonian[site, neighbour] = 1.0
            hamiltonian[neighbour, site] = 1.0
    return hamiltonian


def random_unitary(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return a Haar-random unitary (n, n)."""
    matrix = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    orthogonal, upper = np.linalg.qr(matrix)
    phases = np.diag(upper) / np.abs(np.diag(upper))
    return orthogonal * phases
