"""Exact dynamics of two modes between two leads, and its exponential-propagator approximation.

With the propagator G_j(t) of MP (23) and its transform K_j of MP (B7) the modes are
d_j(t) = G_j(t) d_j + Σ_q τ_q K_j(ω_q, t) b_qj, MP (B3).  G_j is a sum of exponentials,

    G_j(t) = Σ_n a_jn e^{−iz_nt},    K_j(ω, t) = e^{−iωt} R_j(ω) − Σ_n a_jn e^{−iz_nt}/(ω − z_n),

R_j(ω) = −i∫₀^∞ G_j e^{iωt} dt.  In the approximation, MP (53), it has one term.  Exactly,
MP (24) is led into the lower half-plane: the pole z = E'_j − iΓ_j/2 of MP appendix E and the
branch cuts, taken along straight lines from both edges of the band, where e^{−izt} decays.
Hence Z(t) = ∫dω J F K*K, which is MP (30), with its parts e^{±iωt} done as Fourier integrals,
at any time and at the same cost.

Currents: with b_j = Σ_q τ_q b_qj(t) = i∂_t d_j − E_j d_j and e_j = Σ_q τ_q ω_q b_qj(t)
= i∂_t b_j − (ΓΩ/4) d_j the currents of MP (40), (41) are 2 Im of ⟨c_α†b_α⟩ and ⟨c_α†e_α⟩.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from manybody.papers.mitchison_plenio.two_modes import Complex, Real, TwoModes
from manybody.physics.quadrature import build_rule

# e^−45 of the cut is left out; angles of the lines to the vertical, outwards.
_DECAY = 45.0
_TILTS = (0.0, 25.0, 50.0)
_CUT_NODES = 12
_TIP = 1e-13
# Times, and nodes of the band, at once.
_TIMES, _ROWS = 64, 1024


@dataclass(frozen=True, eq=False)
class Propagator:
    """G_j(t) as a sum of exponentials.

    resolvents: (2, P, K) R_j(ω) at the nodes of the band; distribution: (2, P, K) φ_j(ω) there,
    None for the approximation; origins, offsets: (M,) z_n is their sum;
    amplitudes: (2, M) a_jn; late: (2,) the z of each mode that lives longest.
    """

    resolvents: Complex
    distribution: Real | None
    origins: Real
    offsets: Complex
    amplitudes: Complex
    late: Complex

    def exponentials(self, time: float) -> Complex:
        """(2, M) a_jn e^{−iz_nt}."""
        phases: Complex = np.exp(-1j * self.origins * time) * np.exp(-1j * self.offsets * time)
        return self.amplitudes * phases


@dataclass(frozen=True, eq=False)
class Moments:
    """What the propagator gives at one time, in the modes of H_S.

    G, G_b, G_e: (2,) the parts of d_j(0) in d_j(t), b_j(t) and e_j(t); Z, Z_b, Z_e: (2, 2)
    ∫dω J F_jk K_j* times the K of d_k, b_k, e_k.  In the long run G is 0, and `ratio` is
    G_b/G of the exponential that lives longest.
    """

    G: Complex
    G_b: Complex
    G_e: Complex
    Z: Complex
    Z_b: Complex
    Z_e: Complex
    ratio: Complex


def exact_propagator(network: TwoModes, times: Real) -> Propagator:
    """MP (24) for the times > 0 among those given."""
    distribution = network.spectral_density * np.abs(network.resolvents) ** 2
    late = network.shifted_energies - 0.5j * network.decay_rates.astype(np.complex128)
    positive = times[times > 0.0]
    if not positive.size:
        edges, none = np.zeros(0), np.zeros((2, 0), dtype=np.complex128)
        return Propagator(network.resolvents, distribution, edges, none[0], none, late)
    origins: list[Real] = []
    offsets: list[Complex] = []
    amplitudes: list[Complex] = []
    inside = np.ones(2, dtype=bool)
    for side in (-1.0, 1.0):
        edge, direction = side * network.Omega, _direction(network, late, side)
        # The pole counts where it lies between the lines.
        inside &= side * ((late - edge) * np.conj(direction)).imag < 0.0
        y, weights = _line(network, late, edge, direction, positive)
        offset = direction * y.astype(np.complex128)
        omega = edge + offset
        height = network.Gamma / (2.0 * np.pi * network.Omega)
        density = height * np.sqrt(-side * offset) * np.sqrt(2.0 * network.Omega + side * offset)
        below = omega - late[:, None]
        above = omega - late.conj()[:, None]
        continued = density / ((1.0 - network.Gamma / network.Omega) * below * above)
        origins.append(np.full(len(y), edge))
        offsets.append(offset)
        amplitudes.append(-side * direction * weights * continued)
    residues = np.where(inside, pole_residues(network), 0.0)
    return Propagator(
        network.resolvents,
        distribution,
        np.concatenate([*origins, network.shifted_energies]),
        np.concatenate([*offsets, -0.5j * network.decay_rates]),
        np.concatenate([*amplitudes, np.diag(residues)], axis=1),
        late,
    )


def exponential_propagator(network: TwoModes) -> Propagator:
    """MP (53) with E'_j = E_j and Γ_j = 2πJ_N(E_j): G_j(t) = e^{−iE_jt − Γ_jt/2}."""
    late = network.energies - 0.5j * network.golden_rule_rates.astype(np.complex128)
    distance = np.stack([network.rule.distance(energy) for energy in network.energies])
    inverse: Complex = distance + 0.5j * network.golden_rule_rates[:, None, None]
    decay = 1j * late.imag.astype(np.complex128)
    one = np.eye(2, dtype=np.complex128)
    return Propagator(1.0 / inverse, None, network.energies, decay, one, late)


def pole_residues(network: TwoModes) -> Complex:
    """(2,) p_j of MP (E2)."""
    pole = network.shifted_energies - 0.5j * network.decay_rates
    width = network.decay_rates * (1.0 - network.Gamma / network.Omega) / network.Gamma
    cosine: Complex = np.sqrt(1.0 - pole / network.Omega) * np.sqrt(1.0 + pole / network.Omega)
    return cosine / width


def steady_moments(network: TwoModes, propagator: Propagator) -> Moments:
    """Z for t → ∞, MP (32)."""
    zero = np.zeros(2, dtype=np.complex128)
    weight = network.spectral_density * network.filling
    left, right = propagator.resolvents.conj()[:, None], propagator.resolvents[None, :]
    product = weight * left * right
    # Not to rounding: what flows is the imaginary part of the rest, which may be far smaller.
    for j in range(2):
        product[j, j] = product[j, j].real
    of_b, of_e = _polynomials(network)
    Z, Z_b, Z_e = (network.rule.integrate(product * p) for p in (np.ones_like(of_b), of_b, of_e))
    return Moments(zero, zero, zero, Z, Z_b, Z_e, propagator.late - network.energies)


def moments(network: TwoModes, propagator: Propagator, times: Real) -> Iterator[Moments]:
    """Z(t) of MP (30) and its companions at each of the times."""
    for first in range(0, len(times), _TIMES):
        some = times[first : first + _TIMES]
        for time, tail in zip(some, _tails(network, propagator, some)):
            yield _moments_at(network, propagator, float(time), tail)


def _moments_at(network: TwoModes, propagator: Propagator, time: float, tail: Complex) -> Moments:
    """K = e^{−iωt}R − S, S = `tail`: products of R give plain integrals, RS Fourier ones."""
    rule = network.rule
    G, G_b, G_e = _free_parts(network, propagator, time)
    if time == 0.0:
        zero = np.zeros((2, 2), dtype=np.complex128)
        return Moments(G, G_b, G_e, zero, zero, zero, _ratio(network, propagator, G, G_b))
    weight = network.spectral_density * network.filling
    left, right = propagator.resolvents[:, None], propagator.resolvents[None, :]
    early, late = tail[:, None], tail[None, :]
    still = weight * (left.conj() * right + early.conj() * late)
    # What turns as e^{−iωt} is its conjugate with j and k exchanged.
    turning = weight * left.conj() * late
    waves = rule.fourier_weights(time)

    def quadratic(factor: Real) -> Complex:
        """∫dω J F_jk K_j* factor_k K_k."""
        rising = np.einsum("jkpn,kpn,pn->jk", turning, factor, waves)
        falling = np.einsum("kjpn,kpn,pn->jk", turning, factor, waves)
        integral: Complex = rule.integrate(still * factor) - rising - falling.conj()
        return integral

    def linear(factor: Real) -> Complex:
        """∫dω J F_jk K_j* factor."""
        rising = np.einsum("jkpn,jpn,pn->jk", weight * factor, propagator.resolvents.conj(), waves)
        integral: Complex = rising - rule.integrate(weight * factor * early.conj())
        return integral

    of_b, of_e = _polynomials(network)
    ones = np.ones_like(of_b)
    plain = linear(ones[0])
    # i∂_t K = ωK + G.
    Z_b = quadratic(of_b) + plain * G
    Z_e = quadratic(of_e) + linear(rule.omega) * G + plain * G_b
    ratio = _ratio(network, propagator, G, G_b)
    return Moments(G, G_b, G_e, quadratic(ones), Z_b, Z_e, ratio)


def _ratio(network: TwoModes, propagator: Propagator, G: Complex, G_b: Complex) -> Complex:
    """(2,) G_b/G, the same at all times for one exponential, also when G underflows."""
    if propagator.distribution is None:
        return propagator.late - network.energies
    return G_b / G


def _free_parts(
    network: TwoModes, propagator: Propagator, time: float
) -> tuple[Complex, Complex, Complex]:
    """(2,) G, G_b and G_e of `Moments`."""
    energies = network.energies[:, None]
    if propagator.distribution is not None and time * network.Omega < 1.0:
        # Far out on the lines the powers of z cancel; early there is MP (24) as it stands.
        waves = network.rule.fourier_weights(time)
        factors = (1.0, *_polynomials(network))
        early = [np.einsum("jpn,pn->j", propagator.distribution * p, waves) for p in factors]
        parts: Complex = np.stack(early).conj()
    else:
        terms = propagator.exponentials(time)
        z = propagator.origins + propagator.offsets
        of_b = terms * (z - energies)
        parts = np.stack([terms, of_b, z * of_b - _weight(network) * terms]).sum(axis=2)
    return parts[0], parts[1], parts[2]


def correlations(start: Complex, moments: Moments) -> Complex:
    """(2, 2) C(t) = G†C(0)G + Z, MP (29)."""
    result: Complex = moments.G.conj()[:, None] * start * moments.G + moments.Z
    return 0.5 * (result + result.conj().T)


def double_occupancy(start: Complex, occupancy: float, moments: Moments) -> float:
    """D(t), MP (31), from C(0) and D(0)."""
    G, Z = moments.G, moments.Z
    result = abs(G[0] * G[1]) ** 2 * occupancy + np.linalg.det(Z).real
    for j in range(2):
        for k in range(2):
            direct = abs(G[j]) ** 2 * Z[k, k] * start[j, j]
            result += (direct - G[j].conj() * G[k] * Z[k, j] * start[j, k]).real
    return float(result)


def boundary_currents(network: TwoModes, start: Complex, moments: Moments) -> tuple[Real, Real]:
    """(2,) particle and energy currents of MP (40), (41), from L and from R into the system."""
    G = moments.G.conj()[:, None]
    with_b = G * start * moments.G_b + moments.Z_b
    with_e = G * start * moments.G_e + moments.Z_e
    R = network.rotation
    particle = 2.0 * np.einsum("ja,ka,jk->a", R, R, with_b).imag
    return particle, 2.0 * np.einsum("ja,ka,jk->a", R, R, with_e).imag


def rate_matrices(moments: Moments) -> tuple[Complex, Real]:
    """Λ⁺ of MP (47), (2, 2), and the diagonal of Γ, (2,).

    With u = G_b/G: H − E − iΓ/2 = u, and Λ⁺ = −i(N − N†) of N_jk = Z_b,jk − Z_jk u_k.
    """
    part = moments.Z_b - moments.Z * moments.ratio
    gain = -1j * (part - part.conj().T)
    return gain, -2.0 * moments.ratio.imag


def landauer_currents(network: TwoModes) -> tuple[float, float, float]:
    """J^P and J^E of MP (43), (44) and −Σ_α β_α J^Q_α, by the transmission of `resolvents`.

    Integrals of f_L − f_R and of (f_L − f_R)(x_R − x_L) >= 0, x = β(ω − μ), so that neither
    weak coupling nor a small bias costs digits.
    """
    flow = transmission_at(network, network.resolvents, network.spectral_density) * network.bias
    rule = network.rule
    produced = -flow * network.exponent_difference
    particle, energy, entropy = rule.integrate(np.stack([flow, flow * rule.omega, produced]))
    return float(particle), float(energy), float(entropy)


def transmission_at(network: TwoModes, resolvents: Complex, density: Real) -> Real:
    """T(ω) = D²|G_LR|²/2π with G_LR = −(g/2) R_1 R_2, MP (45)."""
    T: Real = 0.5 * np.pi * network.g**2 * np.abs(density * resolvents[0] * resolvents[1]) ** 2
    return T


def _weight(network: TwoModes) -> float:
    """∫dω J = ΓΩ/4."""
    return 0.25 * network.Gamma * network.Omega


def _polynomials(network: TwoModes) -> tuple[Real, Real]:
    """(2, P, K) factors of K_k in i∂_t K_k − E_kK_k and in what e_k has of it."""
    of_b = np.stack([network.rule.distance(energy) for energy in network.energies])
    return of_b, network.rule.omega * of_b - _weight(network)


def _direction(network: TwoModes, poles: Complex, side: float) -> complex:
    """Direction of the line from one edge, away from the poles as seen from there."""
    seen = np.angle(poles - side * network.Omega)
    candidates = [-0.5 * np.pi + side * math.radians(tilt) for tilt in _TILTS]
    apart = [np.abs(np.angle(np.exp(1j * (seen - angle)))).min() for angle in candidates]
    # The vertical one unless it comes near.
    best = 0 if apart[0] > math.radians(12.0) else int(np.argmax(apart))
    return complex(np.exp(1j * candidates[best]))


def _line(
    network: TwoModes, poles: Complex, edge: float, direction: complex, times: Real
) -> tuple[Real, Real]:
    """Nodes y > 0 and weights of ∫dy along edge + direction · y."""
    length = _DECAY / (abs(direction.imag) * times.min())
    both = np.concatenate([poles, poles.conj(), [-edge]])
    singular = (both - edge) / direction
    smallest = min(float(np.abs(singular).min()), length, 1.0 / float(times.max()))
    rule = build_rule(0.0, length, singular.real, [*singular, 0.0], _TIP * smallest, _CUT_NODES)
    return rule.omega.ravel(), rule.weights.ravel()


def _tails(network: TwoModes, propagator: Propagator, times: Real) -> Complex:
    """(T, 2, P, K) S_j(ω, t) = Σ_n a_jn e^{−iz_nt}/(ω − z_n) at the nodes of the band."""
    terms = np.stack([propagator.exponentials(float(time)) for time in times])
    columns = np.ascontiguousarray(terms.reshape(2 * len(times), -1).T)
    rule = network.rule
    result = np.zeros((rule.omega.size, 2 * len(times)), dtype=np.complex128)
    if not propagator.origins.size:
        # Time 0 alone, when nothing is asked of them.
        return result.T.reshape(len(times), 2, *rule.omega.shape)
    # Next to an edge or to a pole the distance from it has more digits than ω.
    origins, which = np.unique(propagator.origins, return_inverse=True)
    distances = np.stack([rule.distance(origin).ravel() for origin in origins])
    for first in range(0, len(result), _ROWS):
        some = slice(first, first + _ROWS)
        kernel = 1.0 / (distances[which, some].T - propagator.offsets)
        result[some] = kernel @ columns
    return result.T.reshape(len(times), 2, *rule.omega.shape)
