"""Polynomials in bosonic ladder operators, without a truncated space.

A polynomial is a sum of Π_i d_i†^{m_i} d_i^{n_i}, stored as a coefficient for
every (m_0, n_0, m_1, n_1, ...).
Products are brought to this order with d^n d†^m = Σ_k k! C(n, k) C(m, k) d†^{m−k} d^{n−k}.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Powers = tuple[int, ...]
Number = int | float | complex


@dataclass(frozen=True, eq=False)
class LadderPolynomial:
    """A normally ordered polynomial in the d_i and d_i† of a number of modes.

    n_modes: number of modes; terms: coefficient of every (m_0, n_0, m_1, n_1, ...).
    `+`, `-`, a number `*` a polynomial, and `@` for the product of operators.
    """

    n_modes: int
    terms: Mapping[Powers, complex]

    def __add__(self, other: "LadderPolynomial") -> "LadderPolynomial":
        return _collected(self.n_modes, [*self.terms.items(), *other.terms.items()])

    def __sub__(self, other: "LadderPolynomial") -> "LadderPolynomial":
        return self + -1 * other

    def __rmul__(self, factor: Number) -> "LadderPolynomial":
        return LadderPolynomial(self.n_modes, {k: factor * c for k, c in self.terms.items()})

    def __matmul__(self, other: "LadderPolynomial") -> "LadderPolynomial":
        parts = []
        for left, first in self.terms.items():
            for right, second in other.terms.items():
                for powers, factor in _ordered_product(left, right):
                    parts.append((powers, first * second * factor))
        return _collected(self.n_modes, parts)

    def adjoint(self) -> "LadderPolynomial":
        """The Hermitian conjugate."""
        swapped = {
            tuple(key[i ^ 1] for i in range(len(key))): complex(value).conjugate()
            for key, value in self.terms.items()
        }
        return LadderPolynomial(self.n_modes, swapped)

    def select(self, keep: Callable[[Powers], bool]) -> "LadderPolynomial":
        """The terms whose powers `keep` accepts."""
        return LadderPolynomial(self.n_modes, {k: c for k, c in self.terms.items() if keep(k)})

    @property
    def largest(self) -> float:
        """Largest |coefficient|; 0 without terms."""
        return max((abs(value) for value in self.terms.values()), default=0.0)

    def above(self, size: float) -> "LadderPolynomial":
        """The terms with |coefficient| > size."""
        return LadderPolynomial(
            self.n_modes, {k: c for k, c in self.terms.items() if abs(c) > size}
        )

    def thermal_average(self, occupations: Sequence[float]) -> complex:
        """⟨ ⟩ with ⟨d_i†^m d_i^n⟩ = δ_mn m! n̄_i^m, the modes uncorrelated; (n_modes,) n̄_i."""
        total = 0j
        for key, value in self.terms.items():
            creators, annihilators = key[0::2], key[1::2]
            if creators == annihilators:
                for power, occupation in zip(creators, occupations):
                    value = value * (math.factorial(power) * occupation**power)
                total += value
        return total


def annihilator(mode: int, n_modes: int) -> LadderPolynomial:
    """d_mode."""
    key = [0] * (2 * n_modes)
    key[2 * mode + 1] = 1
    return LadderPolynomial(n_modes, {tuple(key): 1.0})


def constant(value: Number, n_modes: int) -> LadderPolynomial:
    """A number times the identity."""
    return LadderPolynomial(n_modes, {(0,) * (2 * n_modes): value})


def commutator(left: LadderPolynomial, right: LadderPolynomial) -> LadderPolynomial:
    """left · right − right · left."""
    return left @ right - right @ left


def energy_taken(powers: Powers, frequencies: Sequence[float]) -> float:
    """Σ_i (n_i − m_i) ω_i: what Π d_i†^{m_i} d_i^{n_i} takes from the modes."""
    return sum((powers[2 * i + 1] - powers[2 * i]) * omega for i, omega in enumerate(frequencies))


def _ordered_product(left: Powers, right: Powers) -> Iterable[tuple[Powers, float]]:
    """Normally ordered terms of a product of two normally ordered monomials."""
    per_mode = []
    for i in range(0, len(left), 2):
        m, n, p, q = left[i], left[i + 1], right[i], right[i + 1]
        per_mode.append(
            [
                ((m + p - k, n + q - k), math.factorial(k) * math.comb(n, k) * math.comb(p, k))
                for k in range(min(n, p) + 1)
            ]
        )
    for choice in product(*per_mode):
        powers = tuple(power for pair, _ in choice for power in pair)
        yield powers, math.prod(factor for _, factor in choice)


def _collected(n_modes: int, parts: Iterable[tuple[Powers, complex]]) -> LadderPolynomial:
    """Sum of equal terms; those that vanish exactly are dropped."""
    terms: dict[Powers, complex] = {}
    for powers, value in parts:
        terms[powers] = terms.get(powers, 0.0) + value
    return LadderPolynomial(n_modes, {k: c for k, c in terms.items() if c != 0})
