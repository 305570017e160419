"""Populations and heat currents from rates: against dense algebra, and beyond its digits."""

import many_body_cases as cases
import numpy as np
import pytest
from fock_oracles import currents

from manybody.physics.baths.ohmic import OhmicBath
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import hermitian_coupling
from manybody.physics.fock.half_form import FockModel
from manybody.physics.fock.rate_equations import (
    gibbs_populations,
    population_rates,
    stationary_populations,
    steady_heat_currents,
)
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state

TEMPERATURES = (1.1, 2.3, 0.8)


def build(rng, temperatures=TEMPERATURES, dimension=5):
    def hermitian():
        matrix = cases.random_matrix(rng, dimension)
        return matrix + matrix.conj().T

    basis = FockBasis(1, "boson", max_occupation=dimension - 1)
    model = FockModel(basis, np.zeros((1, 1)), hermitian())
    couplings = [
        hermitian_coupling(hermitian(), OhmicBath(0.2 + 0.1 * j, 6.0, 1.0 / temperature))
        for j, temperature in enumerate(temperatures)
    ]
    return build_davies_equation(model, couplings)


def test_against_dense_algebra(rng):
    generator = build(rng)
    rates = [population_rates(generator, j) for j in range(3)]
    rho = stationary_state(generator)
    populations = stationary_populations(sum(rates))
    turned = generator.vectors.conj().T @ rho @ generator.vectors
    np.testing.assert_allclose(populations, np.diagonal(turned).real, atol=1e-13)
    _, expected = currents(generator, 3, rho)
    found = steady_heat_currents(rates, generator.energies, TEMPERATURES, generator.energies)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    carried = rng.normal(size=5)
    charge = (generator.vectors * carried) @ generator.vectors.conj().T
    expected = [np.trace(charge @ generator.dissipate(j, rho)).real for j in range(3)]
    found = steady_heat_currents(rates, generator.energies, TEMPERATURES, carried)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_temperature(rng):
    generator = build(rng, (0.7, 0.7))
    rates = [population_rates(generator, j) for j in range(2)]
    energies = generator.energies
    expected = gibbs_populations(energies, 0.7)
    np.testing.assert_allclose(stationary_populations(sum(rates)), expected, rtol=1e-13)
    found = steady_heat_currents(rates, energies, (0.7, 0.7), energies)
    np.testing.assert_array_equal(found, 0.0)


def two_level_rates(omega, temperature, strength):
    quanta = np.exp(-omega / temperature) / -np.expm1(-omega / temperature)
    return strength * np.array([[0.0, quanta + 1.0], [quanta, 0.0]])


@pytest.mark.parametrize("strengths", [(1.0, 1.0), (1e-7, 1.0), (1.0, 1e-9)])
@pytest.mark.parametrize(
    ("omega", "first", "second"),
    [(1.0, 1.0, 1.0 + 2.0**-40), (1.0, 1e6, 1.1e6), (1.0, 2e-3, 0.1), (300.0, 1.0, 1.1)],
    ids=["close temperatures", "hot", "frozen", "cold"],
)
def test_two_levels_in_closed_form(omega, first, second, strengths):
    # J = ω κ_1κ_2 (n_1 − n_2) / (κ_1(2n_1 + 1) + κ_2(2n_2 + 1)), n = (coth x − 1)/2, x = ω/2T.
    rates = [two_level_rates(omega, t, k) for t, k in zip((first, second), strengths)]
    x = [0.5 * omega / t for t in (first, second)]
    gap = 0.5 * omega * (first - second) / first / second
    difference = 0.5 * np.sinh(gap) / np.sinh(x[0]) / np.sinh(x[1])
    total = strengths[0] / np.tanh(x[0]) + strengths[1] / np.tanh(x[1])
    expected = omega * strengths[0] * strengths[1] * difference / total
    energies = np.array([0.0, omega])
    found = steady_heat_currents(rates, energies, (first, second), energies)
    assert expected != 0.0
    np.testing.assert_allclose(found, [expected, -expected], rtol=1e-12)


def test_populations_keep_their_digits():
    # A ladder of 20 levels at one temperature: p falls to 1e-82 and obeys detailed balance.
    rates = np.zeros((20, 20))
    lower = np.arange(19)
    rates[lower, lower + 1] = 1.0 + lower
    rates[lower + 1, lower] = np.exp(-10.0) * (1.0 + lower)
    populations = stationary_populations(rates)
    np.testing.assert_allclose(populations[1:] / populations[:-1], np.exp(-10.0), rtol=1e-14)


def test_levels_that_never_decay():
    rates = np.zeros((3, 3))
    rates[0, 1] = rates[1, 0] = 1.0
    with pytest.raises(ValueError, match="level 2 never decays"):
        stationary_populations(rates)
