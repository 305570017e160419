"""Normally ordered polynomials against matrices in a Fock space large enough."""

import many_body_oracles as slow
import numpy as np
import pytest

from manybody.physics.fock.normal_ordering import (
    LadderPolynomial,
    annihilator,
    commutator,
    constant,
    energy_taken,
)

LEVELS = 12


def random_polynomial(rng, n_terms=4):
    keys = rng.integers(0, 3, size=(n_terms, 4))
    values = rng.normal(size=(n_terms, 2)) @ [1.0, 1j]
    return LadderPolynomial(2, {tuple(map(int, key)): v for key, v in zip(keys, values)})


def matrix(polynomial):
    """In the space of up to 11 bosons in each of two modes."""
    lowering = slow.ladder_operators(2, "boson", LEVELS - 1)
    total = np.zeros((LEVELS**2, LEVELS**2), dtype=complex)
    for powers, value in polynomial.terms.items():
        term = np.eye(LEVELS**2)
        for mode, a in enumerate(lowering):
            term = term @ np.linalg.matrix_power(a.T, powers[2 * mode])
            term = term @ np.linalg.matrix_power(a, powers[2 * mode + 1])
        total += value * term
    return total


def low(dense):
    """The block of at most 3 bosons in each mode, which no product of degree 8 cuts."""
    keep = [n + LEVELS * m for m in range(4) for n in range(4)]
    return dense[np.ix_(keep, keep)]


def test_algebra(rng):
    for _ in range(5):
        left, right = random_polynomial(rng), random_polynomial(rng)
        pairs = (
            (left @ right, matrix(left) @ matrix(right)),
            (left + right, matrix(left) + matrix(right)),
            (left - 2j * right, matrix(left) - 2j * matrix(right)),
            (left.adjoint(), matrix(left).conj().T),
        )
        for found, expected in pairs:
            size = np.abs(low(expected)).max()
            assert np.abs(low(matrix(found)) - low(expected)).max() < 1e-13 * size


def test_commutators_are_exact():
    d, other = annihilator(0, 2), annihilator(1, 2)
    assert commutator(d, d.adjoint()).terms == constant(1.0, 2).terms
    assert commutator(d, other.adjoint()).terms == {}
    x = d + d.adjoint()
    # [d, x³] = 3x², which is d² + d†² + 2d†d + 1 in normal order.
    assert (commutator(d, x @ x @ x) - 3 * (x @ x)).terms == {}
    assert (x @ x).terms == {
        (0, 2, 0, 0): 1.0,
        (2, 0, 0, 0): 1.0,
        (1, 1, 0, 0): 2.0,
        (0,) * 4: 1.0,
    }


def test_thermal_average(rng):
    occupations = (0.12, 0.07)
    weights = [(n / (1 + n)) ** np.arange(40) / (1 + n) for n in occupations]
    lowering = np.diag(np.sqrt(np.arange(1.0, 40)), 1)
    polynomial = random_polynomial(rng, 8)
    expected = 0.0
    for powers, value in polynomial.terms.items():
        for mode, weight in enumerate(weights):
            m, n = powers[2 * mode : 2 * mode + 2]
            creators = np.linalg.matrix_power(lowering.T, m)
            value = value * (weight @ np.diagonal(creators @ np.linalg.matrix_power(lowering, n)))
        expected += value
    # 40 levels leave out 1e-38 of the state.
    assert polynomial.thermal_average(occupations) == pytest.approx(expected, rel=1e-13)


def test_energy_taken():
    assert energy_taken((1, 2, 3, 0), (10.0, 0.5)) == 10.0 - 1.5


def test_terms_by_size():
    polynomial = LadderPolynomial(1, {(0, 1): 2.0, (1, 0): -1e-15, (1, 1): 3j})
    assert polynomial.largest == 3.0
    assert polynomial.above(1e-12).terms == {(0, 1): 2.0, (1, 1): 3j}
    assert polynomial.select(lambda powers: powers == (1, 0)).terms == {(1, 0): -1e-15}
    assert LadderPolynomial(1, {}).largest == 0.0
