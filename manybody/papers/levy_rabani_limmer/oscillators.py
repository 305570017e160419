"""Two coupled oscillators between two baths under a cubic perturbation; LRL III B, appendix B.

H_0 = ω(a†a + b†b) + g(a†b + ab†) + (ε/√2)(a + a† + b + b†), (25), the baths on a + a† and b + b†,
(26).  In d_+ = (a + b)/√2 + ε/ω_+ and d_- = (b − a)/√2 H_0 is diagonal and the Davies equation
(27) quadratic, so that moments of any order are known without a truncated Fock space.  The
perturbation is V = ω_- (d_- + d_-†)³, (B9); (29) is its negative with this d_-.

Corrections to the paper, each checked in the tests.  (32), (34): −1 in place of n̄_- − 1, since
(B17) has no absorption: with it every n_-^α + 1 there becomes 1, and all else is right but the
sums over α, which include 2n_-^α + 1, and a factor ω_- in the first line.  So the response is
linear in T, and of Fig. 3 neither the T² nor the change of sign remain.  (B6): the shift is
(d_+ + ε/ω_+) e^{−iω_+t} − ε/ω_+.  (B19): ⟨d_+†d_+⟩ has n_+.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.papers.levy_rabani_limmer.baths import FlatBath
from manybody.physics import arguments
from manybody.physics.baths.densities import FlatDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.fock.normal_ordering import (
    LadderPolynomial,
    Powers,
    annihilator,
    commutator,
    constant,
    energy_taken,
)
from manybody.physics.gaussian.correlations import DAVIES, build_generator
from manybody.physics.gaussian.quadratic import BOSON, Contact, QuadraticModel
from manybody.physics.underflow import zero_where_tiny

# Coefficient of every e^{λτ}, by λ.
Exponentials = dict[complex, complex]

PERTURBATIONS = ("B9", "29")
# Places of d_+ and d_- among the modes, and their amplitudes in a and b, (B3).
PLUS, MINUS = 0, 1
_AMPLITUDES = math.sqrt(0.5) * np.array([[1.0, -1.0], [1.0, 1.0]])
_TAYLOR_TERMS = 18
_ROUNDING = 1e-12


@zero_where_tiny
def coupled_oscillators(
    omega: float,
    g: float,
    epsilon: float,
    gamma: float,
    T_a: float,
    T_b: float,
    times: ArrayLike,
    perturbation: str = "B9",
) -> dict[str, Any]:
    """Response of ⟨a†a⟩ to δV switched on at t = 0, LRL (30)-(34), ħ = k_B = 1; δ left out.

    omega, g, epsilon: ω, g, ε of (25), ω_± = ω ± g > 0, g ≠ 0; gamma: γ_- = γ_+ > 0;
    T_a, T_b > 0; times: (T,) ascending, >= 0.
    perturbation: "B9", the sign of (31)-(35); "29", the negative of all responses.

    times: (T,); population: ⟨a†a⟩ before, (30); phi_11, phi_12: (T,) Kubo's term and that of the
    dissipator, (24); Phi_11, Phi_12: (T,) their integrals, (33); Phi_11_infinity,
    Phi_12_infinity: the limits, (34).  These are computed from the generator; the same names
    with `_printed` are (31), (32) and (34) as they stand.

    Moments are exact, no space is truncated; relative errors are about 1e-14 and, of the
    functions of time, 1e-16 of the phase ω_-t.  Raises TypeError or ValueError.
    """
    system = OscillatorSystem(omega, g, epsilon, gamma, T_a, T_b)
    instants = arguments.ascending_times("times", times)
    sign = 1.0 if arguments.choice("perturbation", perturbation, PERTURBATIONS) == "B9" else -1.0
    result: dict[str, Any] = {"times": instants, "population": system.population()}
    computed = system.response_terms(sign)
    printed = system.printed_terms(sign)
    for suffix, terms in (("", computed), ("_printed", printed)):
        for name, exponentials in zip(("11", "12"), terms):
            result[f"phi_{name}{suffix}"] = _summed(exponentials, instants)
            result[f"Phi_{name}{suffix}"] = _integrated(exponentials, instants)
            limit = sum((-factor / rate).real for rate, factor in exponentials.items())
            result[f"Phi_{name}_infinity{suffix}"] = float(limit)
    return result


@dataclass(frozen=True)
class OscillatorSystem:
    """H_0 of (25) between two baths of one rate; parameters as in `coupled_oscillators`."""

    omega: float
    g: float
    epsilon: float
    gamma: float
    T_a: float
    T_b: float

    def __post_init__(self) -> None:
        for name in ("omega", "g", "epsilon"):
            object.__setattr__(self, name, arguments.real(name, getattr(self, name)))
        object.__setattr__(self, "gamma", arguments.real("gamma", self.gamma, above=0.0))
        for name in ("T_a", "T_b"):
            full = f"{name}, a temperature of the thermal baths of LRL (4),"
            value = arguments.real(full, getattr(self, name), above=0.0)
            object.__setattr__(self, name, value)
        if self.g == 0.0:
            raise InputError(
                "g = 0: ω_+ = ω_- breaks the secular approximation of LRL (27), which takes the "
                "normal modes apart; g ≠ 0 is needed"
            )
        if not self.omega > abs(self.g):
            raise InputError(
                f"g = {self.g!r} with omega = {self.omega!r}: LRL (27) needs ω_± = ω ± g > 0, "
                "so |g| < ω"
            )

    @property
    def frequencies(self) -> tuple[float, float]:
        """ω_+, ω_-."""
        return self.omega + self.g, self.omega - self.g

    @property
    def displacement(self) -> float:
        """ε/ω_+: ⟨(a + b)/√2⟩ is its negative, (B19)."""
        return self.epsilon / self.frequencies[PLUS]

    @property
    def baths(self) -> tuple[FlatBath, FlatBath]:
        """Those of a and b."""
        return FlatBath(self.gamma, self.T_a), FlatBath(self.gamma, self.T_b)

    def site_operators(self) -> list[LadderPolynomial]:
        """a and b in d_+, which has no mean, and d_-."""
        return [
            float(row[PLUS]) * (annihilator(PLUS, 2) + constant(-self.displacement, 2))
            + float(row[MINUS]) * annihilator(MINUS, 2)
            for row in _AMPLITUDES
        ]

    def occupations(self) -> tuple[float, float]:
        """⟨d_+†d_+⟩ and ⟨d_-†d_-⟩ in the steady state, means taken off: that of (27)."""
        low, high = min(self.frequencies), max(self.frequencies)
        # A band around both modes: nothing else of a density enters the Davies equation.
        density = FlatDensity(self.gamma, high - 0.25 * low, high + 0.25 * low)
        contacts = [
            Contact(site, Reservoir(density, 1.0 / temperature, 0.0, BOSON))
            for site, temperature in enumerate((self.T_a, self.T_b))
        ]
        matrix = np.array([[self.omega, self.g], [self.g, self.omega]])
        generator = build_generator(QuadraticModel(matrix, tuple(contacts), BOSON), DAVIES)
        if generator.levels[0] == generator.levels[1]:
            raise InputError(
                f"g = {self.g!r}: ω_± of LRL (27) agree to rounding, a larger |g| is needed"
            )
        values = (np.diagonal(generator.filling) / np.diagonal(generator.damping)).real
        low_mode, high_mode = float(values[0]), float(values[1])
        return (high_mode, low_mode) if self.g > 0.0 else (low_mode, high_mode)

    def population(self) -> float:
        """⟨a†a⟩ of the steady state, (30)."""
        number = self.site_operators()[0].adjoint() @ self.site_operators()[0]
        return number.thermal_average(self.occupations()).real

    def cubic_perturbation(self, sign: float = 1.0) -> LadderPolynomial:
        """V of (B9) with Ω = ω_-, times `sign`; of (29) with −1."""
        a, b = self.site_operators()
        difference = (a + a.adjoint()) - (b + b.adjoint())
        strength = -sign * self.frequencies[MINUS] / math.sqrt(8.0)
        return strength * (difference @ difference @ difference)

    def response_terms(self, sign: float = 1.0) -> tuple[Exponentials, Exponentials]:
        """φ^(1,1) and φ^(1,2) of a†a as sums of exponentials, (24).

        Normally ordered monomials of d_±, up to constants, are eigenoperators of L_0†.
        """
        a = self.site_operators()[0]
        perturbation = self.cubic_perturbation(sign)
        occupations = self.occupations()
        kubo: Exponentials = {}
        dissipative: Exponentials = {}
        for powers, factor in (a.adjoint() @ a).terms.items():
            rate = self._decay(powers)
            operator = LadderPolynomial(2, {powers: factor})
            pairs = (
                (kubo, 1j * commutator(perturbation, operator).thermal_average(occupations)),
                (dissipative, self.dissipator_change(perturbation, operator, occupations)),
            )
            for terms, value in pairs:
                if value != 0:
                    terms[rate] = terms.get(rate, 0j) + value
        return kubo, dissipative

    def dissipator_change(
        self,
        perturbation: LadderPolynomial,
        operator: LadderPolynomial,
        occupations: tuple[float, float],
    ) -> complex:
        """⟨D_1†(O)⟩ of both baths, (17) and (B14).

        What a bath does at zero temperature and what its quanta stimulate are kept apart:
        in the sum of stimulated emission and absorption the highest powers of n̄ cancel.
        """
        rotation = perturbed_rotation(perturbation, self.frequencies)
        total = 0j
        for site, bath in zip(self.site_operators(), self.baths):
            turned = commutator(rotation, site + site.adjoint())
            for mode, omega in enumerate(self.frequencies):
                amplitude = site.terms[annihilator_powers(mode)]
                lowering = annihilator(mode, 2)
                # (16), with the amplitude of the mode taken out.
                same_frequency = (1.0 / amplitude) * self._taking(turned, omega)
                change = commutator(rotation, lowering) - same_frequency
                emission = dissipated_change(lowering, change, operator)
                absorption = dissipated_change(lowering.adjoint(), change.adjoint(), operator)
                # What is left of terms that cancel is rounding, which n̄² would blow up.
                rounding = _ROUNDING * max(emission.largest, absorption.largest)
                spontaneous = emission.above(rounding).thermal_average(occupations)
                stimulated = (emission + absorption).above(rounding).thermal_average(occupations)
                quanta = float(bath.occupation(omega))
                total += abs(amplitude) ** 2 * bath.rate * (spontaneous + quanta * stimulated)
        return total

    def printed_terms(self, sign: float = 1.0) -> tuple[Exponentials, Exponentials]:
        """(31) and (32) as printed."""
        omega = self.frequencies[MINUS]
        mean = 0.5 * sum(float(bath.occupation(omega)) for bath in self.baths)
        size = sign * 3.0 * self.displacement * (2.0 * mean + 1.0)
        rate = complex(-0.5 * self.gamma, omega)
        # Re(i e^{iωτ}) = −sin ωτ, and (34) is Re(−factor/rate).
        return {rate: 1j * size * omega}, {rate: 0.5 * size * self.gamma * (mean - 1.0) + 0j}

    def _decay(self, powers: Powers) -> complex:
        """λ with L_0†(O) = λO + constant, O = Π d_i†^m d_i^n."""
        return complex(-0.5 * self.gamma * sum(powers), -energy_taken(powers, self.frequencies))

    def _taking(self, operator: LadderPolynomial, omega: float) -> LadderPolynomial:
        """The terms of frequency ω."""
        limit = 1e-12 * self.omega
        return operator.select(
            lambda powers: abs(energy_taken(powers, self.frequencies) - omega) <= limit
        )


def annihilator_powers(mode: int) -> Powers:
    """The key of d_mode among two modes."""
    return (0, 1, 0, 0) if mode == PLUS else (0, 0, 0, 1)


def perturbed_rotation(
    perturbation: LadderPolynomial, frequencies: tuple[float, float]
) -> LadderPolynomial:
    """G with |ψ_n⟩ = (1 + δG)|n⟩, G_mn = V_mn/(E_n − E_m): (13), (B10).

    Raises ValueError for a V that moves eigenvalues (LRL section III C).
    """
    terms = {}
    for powers, value in perturbation.terms.items():
        taken = energy_taken(powers, frequencies)
        if taken == 0.0:
            raise InputError(
                f"the perturbation has the term {powers}, which moves the energies: LRL section "
                "III A needs a V that moves the eigenvectors only"
            )
        terms[powers] = value / taken
    return LadderPolynomial(perturbation.n_modes, terms)


def dissipated_change(
    jump: LadderPolynomial, change: LadderPolynomial, operator: LadderPolynomial
) -> LadderPolynomial:
    """The part linear in δ of S†OS − {S†S, O}/2 with S = jump + δ change, (17)."""
    half = jump.adjoint() @ change
    rates = half + half.adjoint()
    lost = rates @ operator + operator @ rates
    gained = jump.adjoint() @ operator @ change + change.adjoint() @ operator @ jump
    return gained - 0.5 * lost


def _summed(terms: Exponentials, times: Real) -> Real:
    """Re Σ c e^{λt}."""
    return sum(
        ((factor * np.exp(rate * times)).real for rate, factor in terms.items()),
        start=np.zeros(len(times)),
    )


def _integrated(terms: Exponentials, times: Real) -> Real:
    """Re Σ c (e^{λt} − 1)/λ, by a series where λt is small."""
    total = np.zeros(len(times))
    for rate, factor in terms.items():
        z = rate * times
        near = np.abs(z) < 1.0
        series = np.zeros(len(times), dtype=np.complex128)
        for order in range(_TAYLOR_TERMS, 0, -1):
            series = 1.0 / math.factorial(order) + np.where(near, z, 0.0) * series
        total += (factor * np.where(near, times * series, np.expm1(z) / rate)).real
    return total
