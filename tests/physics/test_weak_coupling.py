"""Stationary currents to relative accuracy, for any quadratic model of few sites."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import oracles
import pytest
from linear_coupling import Colored

from manybody.physics.baths.densities import OhmicDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.correlations import EQUATIONS, build_generator, currents
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel
from manybody.physics.gaussian.rational import solve_exactly
from manybody.physics.gaussian.relaxation import build_relaxation, steady_correlations
from manybody.physics.gaussian.weak_coupling import occupation_difference, steady_balance


def chain(statistics, strength=0.4):
    """Three sites of a complex h, contacts of different T, μ and strength, two on one site."""
    h = oracles.random_hermitian(np.random.default_rng(2), 3)
    mu = (0.3, -0.5, 0.1)
    if statistics == "boson":
        h, mu = h + 3.0 * np.eye(3), (0.2, -0.5, 0.1)
    contacts = [
        Contact(site, Colored(beta, potential, 1.0, slope, statistics), strength * share)
        for site, beta, potential, slope, share in zip(
            (0, 2, 2), (2.0, 0.7, 1.1), mu, (0.2, -0.1, 0.4), (1.0, 0.6, 1.3)
        )
    ]
    return QuadraticModel(h, contacts, statistics)


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_agrees_with_the_usual_solution(statistics, equation):
    model = chain(statistics)
    generator = build_generator(model, equation)
    steady = steady_correlations(build_relaxation(generator)).matrix
    flows = currents(generator, steady)
    found = steady_balance(model, equation)
    np.testing.assert_allclose(found.correlations, steady, atol=1e-13)
    np.testing.assert_allclose(found.particle, flows.particle, atol=1e-14)
    np.testing.assert_allclose(found.energy, flows.energy, atol=1e-14)
    modes = np.linalg.eigh(model.dense_hamiltonian())[1]
    occupations = np.diagonal(modes.conj().T @ steady @ modes).real
    np.testing.assert_allclose(found.occupations, occupations, atol=1e-13)


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_conservation_at_weak_contacts(statistics, equation):
    """Particles and energy add up to zero although nothing imposes it."""
    strong, weak = (
        steady_balance(chain(statistics, strength), equation) for strength in (1e-3, 1e-6)
    )
    for balance, size in ((strong, 1e-6), (weak, 1e-12)):
        for flow in (balance.particle, balance.energy):
            assert np.abs(flow).max() < 10.0 * size
            assert abs(flow.sum()) <= 1e-12 * np.abs(flow).max()
    # Without coherences the currents go with J².
    if equation == "davies":
        np.testing.assert_allclose(weak.energy, 1e-6 * strong.energy, rtol=1e-10)


def test_occupation_difference():
    """Against 60 digits, also where the exponents differ in the last place."""
    cases = [(0.5, 0.5000001), (1e-12, 2e-12), (3.0, np.nextafter(3.0, 4.0)), (1.0, 600.0)]
    cases += [(800.0, 900.0), (-2.0, 1.0), (-30.0, -30.5), (0.7, 0.7)]
    with mp.workdps(60):
        for first, second in cases + [pair[::-1] for pair in cases]:
            for statistics, sign in (("fermion", 1), ("boson", -1)):
                if statistics == "boson" and min(first, second) < 0.0:
                    continue
                f = [1 / (mp.exp(mp.mpf(x)) + sign) for x in (first, second)]
                found = occupation_difference(Fraction(first), Fraction(second), statistics)
                assert found == pytest.approx(float(f[0] - f[1]), rel=1e-14, abs=1e-320)


def test_temperatures_count_to_the_last_digit():
    """Neighbours T and T' may have the same 1/T; then the temperatures decide."""
    cold = 1.9
    while 1.0 / cold != 1.0 / np.nextafter(cold, 2.0):
        cold = float(np.nextafter(cold, 2.0))
    hot, warm = float(np.nextafter(cold, 2.0)), cold * (1.0 + 2.0**-30)
    density = OhmicDensity(0.1, 5.0)

    def heat(equation, temperature, known):
        contacts = [
            Contact(0, Reservoir(density, 1.0 / temperature)),
            Contact(1, Reservoir(density, 1.0 / cold)),
        ]
        model = QuadraticModel(np.array([[1.0, 0.2], [0.2, 1.5]]), contacts)
        return steady_balance(model, equation, (temperature, cold) if known else None).energy[0]

    for equation in ("redfield", "davies"):
        assert heat(equation, hot, False) == 0.0 < heat(equation, hot, True)
        ratio = heat(equation, warm, True) / heat(equation, hot, True)
        assert ratio == pytest.approx((warm - cold) / (hot - cold), rel=1e-8)


def test_refusals():
    model = chain("fermion")
    with pytest.raises(ValueError, match="temperatures = "):
        steady_balance(model, "davies", (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="without contacts nothing"):
        steady_balance(QuadraticModel(np.eye(2)), "davies")
    with pytest.raises(ValueError, match="7 sites: at most 6"):
        steady_balance(QuadraticModel(np.eye(7), model.contacts), "local")
    dark = QuadraticModel(np.diag([1.0, 2.0, 3.0]), model.contacts)
    with pytest.raises(ValueError, match="singular"):
        steady_balance(dark, "davies")


def test_exact_solution():
    """Hilbert's matrix, whose condition is 1e13 at n = 10, and rows of any size."""
    n = 10
    matrix = 1.0 / (np.arange(n)[:, None] + np.arange(n) + 1.0)
    right = np.random.default_rng(1).standard_normal((n, 2))
    found = solve_exactly(matrix, right)
    with mp.workdps(80):
        exact = mp.lu_solve(mp.matrix(matrix.tolist()), mp.matrix(right[:, 1].tolist()))
        assert found[:, 1].tolist() == [float(x) for x in exact]
    scaled = solve_exactly(matrix * 2.0 ** np.arange(-300, 300, 60)[:, None], right)
    assert np.all(np.isfinite(scaled))
    swapped = solve_exactly([[0.0, 3.0], [2.0, 1.0]], [[3.0], [5.0]])
    assert swapped.tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize(
    ("matrix", "right", "sentence"),
    [
        ([[1.0, 2.0], [2.0, 4.0]], [[1.0], [2.0]], "singular"),
        ([[1.0, 2.0]], [[1.0]], r"shapes \(1, 2\) and \(1, 1\)"),
        ([[np.inf]], [[1.0]], "finite"),
    ],
)
def test_exact_solution_refuses(matrix, right, sentence):
    with pytest.raises(ValueError, match=sentence):
        solve_exactly(matrix, right)
