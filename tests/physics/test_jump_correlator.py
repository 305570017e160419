"""f(p, q) of the universal Lindblad equation against other quadratures."""

import mpmath
import numpy as np
import pytest
from jump_oracles import jump_shift
from scipy.special import expit

import manybody as mb
from manybody.errors import InputError
from manybody.physics.baths.jump_correlator import JumpCorrelator, check_shifts

BATHS = {
    "ohmic": mb.OhmicBath(0.2, 10.0, 5.0),
    "hot": mb.OhmicBath(0.3, 2.0, 0.3),
    "cold": mb.OhmicBath(0.3, 0.5, 200.0),
    "frozen": mb.OhmicBath(0.3, 2.0, np.inf),
    "super-ohmic": mb.ThermalBath(mb.OhmicDensity(0.2, 2.0, exponent=3.0), 2.0),
    "callable": mb.CallableBath(lambda w: 0.1 * np.exp(-(w**2) / 8.0 + 0.35 * w), 0.7),
}
# Poles on a cusp, cusps on each other, nearly so, and apart.
PAIRS = [(0.7, 0.5), (-1.3, 0.4), (0.0, 0.5), (0.8, 0.0), (-1.3, 1.3), (1e-9, 0.3), (2.0, -2.001)]


def by_panels(bath, p, q):
    """−(1/2π) ∫_0^∞ dω/ω [h(ω) − h(−ω)], h(ω) = √γ(ω − p) √γ(ω + q).

    Gauss's rule on panels that halve towards the pole and the cusps at |p| and |q|.
    """
    cusps = np.unique([0.0, abs(p), abs(q)])
    steps = np.append(0.0, 2.0 ** np.arange(-110.0, 11.0))
    ends = np.concatenate([*(cusp + steps for cusp in cusps), *(cusp - steps for cusp in cusps)])
    ends = np.unique(ends[ends >= 0.0])
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = 0.5 * np.diff(ends)[:, None]
    omega = 0.5 * (ends[1:] + ends[:-1])[:, None] + half * nodes

    def h(at):
        return np.sqrt(bath.gamma(at - p)) * np.sqrt(bath.gamma(at + q))

    return -float((half * weights * (h(omega) - h(-omega)) / omega).sum()) / (2.0 * np.pi)


@pytest.mark.parametrize("kind", list(BATHS))
def test_shifts_are_those_of_another_quadrature(kind):
    correlator = JumpCorrelator(BATHS[kind])
    p, q = np.array(PAIRS).T
    found = jump_shift(correlator, p, q)
    expected = np.array([by_panels(BATHS[kind], *pair) for pair in PAIRS])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=1e-12 * scale)


def test_shifts_have_thirteen_digits():
    """25-digit arithmetic, where the integrand has cusps on both sides of the pole."""
    bath, p, q = BATHS["ohmic"], 0.7, 0.5

    def root(omega):
        size = bath.coupling**2 * omega * mpmath.exp(-abs(omega) / bath.cutoff)
        return mpmath.sqrt(size / -mpmath.expm1(-bath.beta * omega))

    def integrand(omega):
        return (root(omega - p) * root(omega + q) - root(-omega - p) * root(q - omega)) / omega

    with mpmath.workdps(30):
        ends = [mpmath.mpf(end) for end in (0.0, q, p, 2, 8, 40, 160, 800)]
        expected = -mpmath.quad(integrand, ends) / (2 * mpmath.pi)
    assert float(jump_shift(JumpCorrelator(bath), p, q)) == pytest.approx(
        float(expected), rel=1e-13
    )


@pytest.mark.parametrize("kind", list(BATHS))
def test_the_diagonal_is_the_shift_of_davies(kind, rng):
    """f(−q, q) = η(q), f(p, q) = f(−q, −p)."""
    bath = BATHS[kind]
    correlator = JumpCorrelator(bath)
    p, q = rng.normal(scale=2.0, size=(2, 12))
    scale = np.abs(bath.eta(q)).max()
    np.testing.assert_allclose(jump_shift(correlator, -q, q), bath.eta(q), atol=1e-13 * scale)
    mirrored = jump_shift(correlator, -q, -p)
    np.testing.assert_allclose(jump_shift(correlator, p, q), mirrored, atol=1e-13 * scale)
    np.testing.assert_allclose(correlator.amplitude(q) ** 2, bath.gamma(q), rtol=1e-14)


def test_the_table_of_a_spectrum_is_every_shift(rng):
    """Degenerate levels among them."""
    correlator = JumpCorrelator(BATHS["ohmic"])
    energies = np.sort(np.append(rng.normal(size=4), [0.5, 0.5]))
    m, n = np.triu_indices(6)
    table = correlator.shifts(energies[m][:, None] - energies, energies[n] - energies[m])
    for own, start, stop in zip(table, energies[m], energies[n]):
        each = jump_shift(correlator, energies - start, stop - energies)
        np.testing.assert_allclose(own, each, atol=1e-15)


def test_borders_that_meet_but_for_rounding(rng):
    """Panels of a few roundings, as levels that are equal but for them make."""
    correlator = JumpCorrelator(mb.OhmicBath(0.5, 10.0, 1.0))
    expected = jump_shift(correlator, 1.0, 2.5)
    moved = 2e-15 * rng.uniform(-1.0, 1.0, size=(2, 300))
    found = jump_shift(correlator, 1.0 + moved[0], 2.5 + moved[1])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_what_has_no_shift_is_refused():
    step = JumpCorrelator(mb.ThermalBath(mb.FlatDensity(0.1, 1.0, 2.0), 1.0))
    values = jump_shift(step, np.array([-3.0, -2.9]), np.array([2.5, 2.4]))
    assert np.isinf(values[0]) and np.isfinite(values[1])
    with pytest.raises(InputError, match="lies on a step of γ"):
        check_shifts(values, step.bath)
    flat = JumpCorrelator(mb.CallableBath(lambda w: 0.1 * expit(0.5 * w), 0.5))
    with pytest.raises(InputError, match="does not decay towards inf"):
        jump_shift(flat, 0.1, 0.2)
    for bath in (mb.OhmicBath(0.0, 10.0, 5.0), mb.WhiteBath(0.3)):
        nothing = JumpCorrelator(bath)
        assert not jump_shift(nothing, np.array([0.1, 0.0]), np.array([0.2, 0.0])).any()
