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

import numpy as np

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.papers.levy_rabani_limmer.baths import FlatBath, check_split, set_numbers
from manybody.physics.baths.band_densities import FlatDensity
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

# Coefficient of every e^{λτ}, by λ.
Exponentials = dict[complex, complex]

# Places of d_+ and d_- among the modes, and their amplitudes in a and b, (B3).
PLUS, MINUS = 0, 1
_AMPLITUDES = math.sqrt(0.5) * np.array([[1.0, -1.0], [1.0, 1.0]])
_TAYLOR_TERMS = 18
_ROUNDING = 1e-12


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
        set_numbers(self, ("omega", "g", "epsilon"), ("gamma", "T_a", "T_b"))
        check_split(self.omega, self.g, "(27)", "the normal modes")

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


def summed(terms: Exponentials, times: Real) -> Real:
    """Re Σ c e^{λt}."""
    return sum(
        ((factor * np.exp(rate * times)).real for rate, factor in terms.items()),
        start=np.zeros(len(times)),
    )


def integrated(terms: Exponentials, times: Real) -> Real:
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
