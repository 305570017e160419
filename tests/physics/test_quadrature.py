"""The one quadrature of physics, against SciPy's and closed forms."""

import numpy as np
import pytest
from scipy import integrate as scipy_integrate
from scipy import special

import manybody as mb
from manybody.physics.quadrature import build_rule, gauss, integrate, to_series


def test_nodes_and_series():
    points, weights = gauss(16)
    for degree in range(32):
        expected = 2.0 / (degree + 1.0) if degree % 2 == 0 else 0.0
        assert weights @ points**degree == pytest.approx(expected, abs=1e-14)
    series = to_series(16) @ np.exp(points)
    np.testing.assert_allclose(np.polynomial.legendre.legval(0.3, series), np.exp(0.3), rtol=1e-14)
    with pytest.raises(ValueError, match="read-only"):
        points[0] = 0.0


def resonances(omega):
    """A narrow complex pole, √ edges and a thermal step, (P,) -> (P, 2)."""
    edge = np.sqrt(np.maximum(4.0 - omega**2, 0.0))
    pole = edge / (omega - 0.3 + 0.001j)
    return np.stack([pole, edge * special.expit(-50.0 * (omega - 0.5)) + 0j], axis=1)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-8, 1e-10])
def test_halving_states_its_error(tolerance):
    cuts = np.array([-2.0, 0.3, 0.5, 2.0])
    found, error = integrate(resonances, cuts, tolerance)
    exact, _ = scipy_integrate.quad_vec(
        lambda angle: resonances(np.array([2.0 * np.sin(angle)]))[0] * 2.0 * np.cos(angle),
        -0.5 * np.pi,
        0.5 * np.pi,
        epsabs=1e-13,
        epsrel=1e-14,
        points=np.arcsin(0.5 * cuts[1:-1]),
        limit=20_000,
    )
    assert np.abs(found - exact).max() <= error + 1e-12
    assert error <= tolerance


def test_what_does_not_converge_is_said():
    with pytest.raises(mb.InputError, match="the quadrature still changes by"):
        integrate(lambda x: np.sin(1e9 * x)[:, None], np.linspace(0.0, 1.0, 3), 1e-12)


@pytest.mark.parametrize("time", [0.0, 3.0, 400.0])
def test_rules_follow_singularities(time):
    """∫ e^{iωt} (ε/π)/(ω² + ε²) and the √ of a band, however narrow ε is."""
    width = 1e-6
    rule = build_rule(-1.0, 1.0, [0.0], [1j * width, -1j * width], 1e-12)
    values = width / np.pi / (rule.distance(0.0) ** 2 + width**2)
    whole = 2.0 / np.pi * np.arctan(1.0 / width)
    assert rule.integrate(values) == pytest.approx(whole, rel=1e-13)
    edges = build_rule(-1.0, 1.0, [], [-1.0, 1.0], 1e-13)
    root = np.sqrt(-edges.distance(1.0)) * np.sqrt(edges.distance(-1.0))
    expected = np.pi * special.j1(time) / time if time else 0.5 * np.pi
    assert edges.fourier(root, time) == pytest.approx(expected, abs=1e-13)
