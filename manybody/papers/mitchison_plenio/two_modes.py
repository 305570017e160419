"""Two coupled fermionic modes between two tight-binding leads.

M. T. Mitchison and M. B. Plenio, New J. Phys. 20, 033005 (2018), here MP:
H_S = Σ_α h_α n_α − (g/2)(c_L†c_R + c_R†c_L), h_L − h_R = δ, each site at the end of a
half-infinite chain of hopping Ω/2, to which it couples by √(ΓΩ)/2.  In the modes d = Rc of
H_S, MP (16), leads of equal density make two copies of one mode and one lead, MP (17).
"""

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.band_densities import SemiEllipticDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel
from manybody.physics.quadrature import Rule, build_rule

# √ edges of the band cut off here, relative: their 3/2 power counts.
_EDGE = 1e-13


@dataclass(frozen=True)
class TwoModes:
    """The network, with the parameters of MP; energies and temperatures in J.

    h: mean of the local energies; delta: their difference h_L − h_R; g: tunnel coupling, of
    either sign; Gamma, Omega: strength and half-width of both leads; mu_L, mu_R: chemical
    potentials; T_L, T_R: temperatures.  Modes count as in MP: E_1 = h + Δ/2 is the upper one.

    Raises TypeError or ValueError with the condition of MP that is broken.
    """

    h: float
    delta: float
    g: float
    Gamma: float
    Omega: float
    mu_L: float
    mu_R: float
    T_L: float
    T_R: float

    def __post_init__(self) -> None:
        for field in fields(self):
            number = arguments.real(field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, number)
        for name in ("T_L", "T_R"):
            if getattr(self, name) <= 0.0:
                raise InputError(
                    f"{name} = {getattr(self, name):g}: the leads start in the Gibbs states of "
                    "MP (20), which need a temperature > 0"
                )
        for name in ("Gamma", "Omega"):
            if getattr(self, name) <= 0.0:
                raise InputError(
                    f"{name} = {getattr(self, name):g}: the spectral density of MP (19) needs "
                    f"{name} > 0"
                )
        if self.gap == 0.0:
            raise InputError(
                "g = delta = 0: the levels E_1 = E_2 are degenerate, and MP section II assumes "
                "a system without degeneracy"
            )
        for j, energy in enumerate(self.energies.tolist(), start=1):
            if abs(energy) >= self.Omega:
                raise InputError(
                    f"E_{j} = {energy:g} lies outside the band (−{self.Omega:g}, {self.Omega:g}) "
                    "of the leads: MP (34) needs sqrt(E_j² + Gamma Omega) < Omega"
                )
            if self._depths[j - 1] <= 0.0:
                raise InputError(
                    f"Gamma = {self.Gamma:g}, Omega = {self.Omega:g}, E_{j} = {energy:g}: "
                    "sqrt(E_j² + Gamma Omega) < Omega of MP (34) is broken, so that a bound "
                    "state keeps part of the start for ever"
                )
        # Refuses what its reservoirs refuse.
        _ = self.model

    @property
    def gap(self) -> float:
        """Δ = √(g² + δ²)."""
        return math.hypot(self.g, self.delta)

    @cached_property
    def energies(self) -> Real:
        """(2,) E_1 = h + Δ/2 and E_2 = h − Δ/2."""
        return np.array([self.h + 0.5 * self.gap, self.h - 0.5 * self.gap])

    @cached_property
    def rotation(self) -> Real:
        """(2, 2) R_jα of d = Rc, MP (16); columns L and R."""
        angle = 0.5 * math.atan2(self.g, self.delta)
        cosine, sine = math.cos(angle), math.sin(angle)
        return np.array([[cosine, -sine], [sine, cosine]])

    @cached_property
    def overlap(self) -> float:
        """R_1L R_2L = −R_1R R_2R = g/(2Δ)."""
        return 0.5 * self.g / self.gap

    @cached_property
    def density(self) -> SemiEllipticDensity:
        """D(ω) = 2π J_N(ω) of both leads, MP (19)."""
        return SemiEllipticDensity(self.Gamma, self.Omega)

    @property
    def temperatures(self) -> Real:
        """(2,) T_L and T_R."""
        return np.array([self.T_L, self.T_R])

    @property
    def chemical_potentials(self) -> Real:
        """(2,) μ_L and μ_R."""
        return np.array([self.mu_L, self.mu_R])

    @cached_property
    def model(self) -> QuadraticModel:
        """Site L first; a lead of its own on each site."""
        half = 0.5 * self.delta
        matrix = np.array([[self.h + half, -0.5 * self.g], [-0.5 * self.g, self.h - half]])
        leads = (
            Reservoir(self.density, 1.0 / self.T_L, self.mu_L),
            Reservoir(self.density, 1.0 / self.T_R, self.mu_R),
        )
        return QuadraticModel(matrix, tuple(map(Contact, (0, 1), leads)))

    @cached_property
    def _depths(self) -> Real:
        """(2,) 1 − Γ/Ω − E_j²/Ω², positive by MP (34)."""
        return (1.0 - self.energies / self.Omega) * (
            1.0 + self.energies / self.Omega
        ) - self.Gamma / self.Omega

    @cached_property
    def shifted_energies(self) -> Real:
        """(2,) E'_j, MP (36)."""
        ratio = self.Gamma / self.Omega
        return (1.0 - 0.5 * ratio) / (1.0 - ratio) * self.energies

    @cached_property
    def decay_rates(self) -> Real:
        """(2,) Γ_j, MP (36)."""
        return np.sqrt(self._depths) / (1.0 - self.Gamma / self.Omega) * self.Gamma

    @cached_property
    def golden_rule_rates(self) -> Real:
        """(2,) 2π J_N(E_j), the Γ_j of the exponential-propagator approximation."""
        return self.density(self.energies)

    @cached_property
    def rule(self) -> Rule:
        """Quadrature over the band for every integral of MP with f_L and f_R."""
        exact = self.shifted_energies + 0.5j * self.decay_rates
        golden = self.energies + 0.5j * self.golden_rule_rates
        steps = self.chemical_potentials + 1j * np.pi * self.temperatures
        poles = np.concatenate([exact, golden, steps])
        edges = np.array([-self.Omega, self.Omega])
        near = min(self.Omega, float(np.abs(poles[:, None] - edges).min()))
        return build_rule(-self.Omega, self.Omega, poles.real, [*poles, *edges], _EDGE * near)

    @cached_property
    def spectral_density(self) -> Real:
        """(P, K) J_N = D/2π at the nodes of `rule`."""
        rule = self.rule
        spread = np.broadcast_to(rule.anchors[:, None], rule.offset.shape)
        return self.density.at(spread, rule.offset) / (2.0 * np.pi)

    @cached_property
    def resolvents(self) -> Complex:
        """(2, P, K) ϑ_j − iπφ_j = 1/(ω − E_j − Δ(ω) + iD(ω)/2) at the nodes, MP (B12)."""
        shift = self.density.shift(self.rule.omega)
        distance = np.stack([self.rule.distance(energy) for energy in self.energies])
        inverse: Complex = distance - shift + 1j * np.pi * self.spectral_density
        return 1.0 / inverse

    @cached_property
    def exponents(self) -> Real:
        """(2, P, K) (ω − μ_α)/T_α at the nodes."""
        pairs = zip(self.chemical_potentials, self.temperatures)
        return np.stack([self.rule.distance(mu) / temperature for mu, temperature in pairs])

    @cached_property
    def bias(self) -> Real:
        """(P, K) f_L − f_R at the nodes, without cancellation."""
        rise = self.exponent_difference
        left, right = self.exponents
        # f(x) − f(y) = −f(x)[1 − f(y)](e^{x−y} − 1), with the smaller of x and y first.
        forward = -special.expit(-left) * special.expit(right) * np.expm1(np.minimum(rise, 0.0))
        backward = special.expit(-right) * special.expit(left) * np.expm1(np.minimum(-rise, 0.0))
        bias: Real = forward + backward
        return bias

    @cached_property
    def exponent_difference(self) -> Real:
        """(P, K) (ω − μ_L)/T_L − (ω − μ_R)/T_R at the nodes, without cancellation."""
        thermal: Real = self.exponents[1] * ((self.T_R - self.T_L) / self.T_L)
        return thermal + (self.mu_R - self.mu_L) / self.T_L

    @cached_property
    def filling(self) -> Real:
        """(2, 2, P, K) F(ω) = R diag(f_L, f_R) Rᵀ at the nodes, below MP (27)."""
        occupations = special.expit(-self.exponents)
        result: Real = np.einsum("ja,ka,apn->jkpn", self.rotation, self.rotation, occupations)
        result[0, 1] = result[1, 0] = self.overlap * self.bias
        return result


def to_sites(network: TwoModes, correlations: NDArray[Any]) -> NDArray[Any]:
    """⟨c_α†c_β⟩ of C_jk = ⟨d_j†d_k⟩; (..., 2, 2)."""
    turned: NDArray[Any] = network.rotation.T @ correlations @ network.rotation
    return turned


def to_modes(network: TwoModes, matrix: NDArray[Any]) -> NDArray[Any]:
    """C_jk = ⟨d_j†d_k⟩ of ⟨c_α†c_β⟩; (..., 2, 2)."""
    turned: NDArray[Any] = network.rotation @ matrix @ network.rotation.T
    return turned
