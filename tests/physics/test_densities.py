"""Spectral densities: values, limits, and principal values against independent formulas."""

import math

import mpmath
import numpy as np
import oracles
import pytest
import scipy.integrate

import manybody as mb
from manybody.physics.baths.panels import Panels
from manybody.physics.baths.spectral_density import SpectralDensity

OMEGA = np.concatenate(
    [np.linspace(-12.0, 12.0, 97), np.geomspace(1e-10, 1e4, 57), -np.geomspace(1e-10, 1e4, 57)]
)
DENSITIES = [
    mb.OhmicDensity(0.6, 3.0),
    mb.OhmicDensity(0.6, 3.0, 0.4),
    mb.OhmicDensity(0.6, 3.0, 3.0),
    mb.DrudeLorentzDensity(0.6, 3.0),
    mb.PhononDensity(0.2, 1.5),
    mb.SemiEllipticDensity(0.5, 2.0, 0.3),
    mb.FlatDensity(0.5, 2.0, 0.3),
]
WITH_ID = [pytest.param(density, id=repr(density)) for density in DENSITIES]


def largest(density):
    return float(density(np.linspace(0.0, 12.0, 4801)).max())


@pytest.mark.parametrize("exponent", [0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 6.5])
def test_ohmic_shift_against_incomplete_gamma_functions(exponent):
    density = mb.OhmicDensity(0.6, 3.0, exponent)
    omega = np.array([-400.0, -20.0, -3.0, -0.1, -1e-7, 1e-7, 1e-3, 0.4, 2.9, 3.0, 11.0, 60.0])
    exact = [oracles.ohmic_shift(frequency, 0.6, 3.0, exponent) for frequency in omega]
    error = np.abs(density.shift(omega) - exact)
    assert np.all(error <= 1e-13 * largest(density))
    assert np.all(error <= density.shift_error(omega))
    assert density.shift_error(omega).max() < 1e-12 * largest(density)
    # -∫ D/ω = -J² ω_c Γ(s)
    at_zero = -(0.6**2) * 3.0 * math.gamma(exponent) / (2.0 * np.pi)
    assert density.shift(0.0) == pytest.approx(at_zero, rel=1e-13)


@pytest.mark.parametrize("density", WITH_ID)
def test_shift_against_quadrature(density):
    points = [point for point in (*density.breakpoints, *density.support) if np.isfinite(point)]
    slow = isinstance(density, mb.DrudeLorentzDensity)
    for omega in (-5.0, -1.69, 0.02, 1.1, 2.29, 7.0):
        exact = oracles.principal_value(density, omega, points, 1e-3, 1e16 if slow else 150.0)
        assert density.shift(omega) == pytest.approx(exact, abs=3e-13 * largest(density)), omega


@pytest.mark.parametrize(
    "density", [density for density in WITH_ID if "shift" in vars(type(density.values[0]))]
)
def test_closed_forms_are_the_quadrature(density):
    closed = density.shift(OMEGA)
    quadrature = SpectralDensity.shift(density, OMEGA)
    error = SpectralDensity.shift_error(density, OMEGA)
    assert np.all(np.abs(closed - quadrature) <= error + density.shift_error(OMEGA))
    assert error.max() < 1e-12 * largest(density)
    edges = np.array([edge for edge in density.support if np.isfinite(edge)])
    near = edges[:, None] + np.array([-1e-13, -1e-9, 1e-9, 1e-13])
    difference = np.abs(density.shift(near) - SpectralDensity.shift(density, near))
    # The square root of a band edge turns the rounding of ω into 1e-11 for whoever forgets it.
    error = SpectralDensity.shift_error(density, near)
    assert np.all(difference <= error + density.shift_error(near))
    assert error.max() < 1e-12 * largest(density)


def test_a_semi_elliptic_band_keeps_its_digits_beyond_its_edges():
    """x − 1 of a rounded x is wrong by per cents there, and its square root by 1e-11."""
    density = mb.SemiEllipticDensity(0.1, 10.0)
    for beyond in (1e-13, 1e-9, 1e-3):
        omega = 10.0 + beyond
        with mpmath.workdps(40):
            rest = mpmath.mpf(omega) / 10 - 1
            exact = mpmath.mpf(0.05) / (1 + rest + mpmath.sqrt(rest * (rest + 2)))
        assert density.shift(omega) == pytest.approx(float(exact), abs=1e-16)
        assert density.shift(-omega) == pytest.approx(-float(exact), abs=1e-16)


@pytest.mark.parametrize("density", WITH_ID)
def test_values_and_shapes(density):
    lower, upper = density.support
    grid = OMEGA.reshape(-1, 1)
    assert density(grid).shape == density.shift(grid).shape == density.shift_error(grid).shape
    values = density(OMEGA)
    assert np.all(values >= 0.0) and np.all(values[(lower > OMEGA) | (upper < OMEGA)] == 0.0)
    assert isinstance(float(density(0.7)), float) and isinstance(float(density.shift(0.7)), float)
    positive = OMEGA[OMEGA > 0.0]
    if lower >= 0.0:
        np.testing.assert_allclose(density.slope(positive), density(positive) / positive)
    assert np.isnan(density.shift(np.array([np.nan, 1.0]))).tolist() == [True, False]
    # Far outside a density looks like a point: Δ → ∫D / 2πω.
    if density.support[1] < np.inf or isinstance(density, mb.OhmicDensity):
        total = scipy.integrate.quad(density, max(lower, -20), min(upper, 120), limit=200)[0]
        far = np.array([-1e9, 1e9])
        np.testing.assert_allclose(density.shift(far) * far, total / (2 * np.pi), rtol=1e-6)


@pytest.mark.parametrize(
    ("density", "slope"),
    [
        (mb.OhmicDensity(0.6, 3.0), 0.36),
        (mb.OhmicDensity(0.6, 3.0, 0.5), np.inf),
        (mb.OhmicDensity(0.6, 3.0, 2.0), 0.0),
        (mb.OhmicDensity(0.0, 3.0, 0.5), 0.0),
        (mb.DrudeLorentzDensity(0.6, 3.0), 0.36),
        (mb.PhononDensity(0.6), 0.0),
        (mb.SemiEllipticDensity(0.6, 1.0, 2.0), 0.0),
    ],
)
def test_slope_at_zero(density, slope):
    assert density.slope(0.0) == pytest.approx(slope, rel=1e-15)
    np.testing.assert_allclose(density.slope(np.array([0.0, 1e-300]))[0], slope)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_scaling(exponent):
    """D and Δ depend on ω/ω_c alone, up to the unit of D."""
    one, other = mb.OhmicDensity(0.3, 1.0, exponent), mb.OhmicDensity(0.6, 1e-7, exponent)
    np.testing.assert_allclose(other(1e-7 * OMEGA), 4e-7 * one(OMEGA), rtol=1e-12)
    shift = one.shift(OMEGA)
    np.testing.assert_allclose(
        other.shift(1e-7 * OMEGA) / 4e-7, shift, atol=1e-13 * np.abs(shift).max()
    )


def test_phonons_are_super_ohmic():
    phonons, ohmic = mb.PhononDensity(0.02, 5.0), mb.OhmicDensity(math.sqrt(0.5), 5.0, 3.0)
    np.testing.assert_allclose(phonons(OMEGA), ohmic(OMEGA), rtol=1e-12)
    np.testing.assert_allclose(phonons.shift(OMEGA), ohmic.shift(OMEGA), atol=1e-12)
    assert mb.PhononDensity(0.02)(10.0) == pytest.approx(20.0)
    with pytest.raises(ValueError, match="cutoff = inf"):
        mb.PhononDensity(0.02).shift(1.0)


def test_drude_lorentz_has_the_ohmic_slope():
    drude, ohmic = mb.DrudeLorentzDensity(0.3, 5.0), mb.OhmicDensity(0.3, 5.0)
    assert drude.slope(0.0) == ohmic.slope(0.0)
    assert drude(5.0) == pytest.approx(0.5 * 0.09 * 5.0)
    # The largest and smallest frequencies do not overflow.
    assert np.all(np.isfinite(drude.shift(np.array([0.0, 1e-300, 1e200, -1e200]))))
    assert drude.shift(0.0) == pytest.approx(-0.09 * 5.0 / 4.0)


def test_edges_of_bands():
    flat, newns = mb.FlatDensity(0.5, 2.0), mb.SemiEllipticDensity(0.5, 2.0)
    assert flat.shift(2.0) == np.inf and flat.shift(-2.0) == -np.inf
    assert SpectralDensity.shift(flat, np.array([2.0, -2.0])).tolist() == [np.inf, -np.inf]
    assert SpectralDensity.shift_error(flat, 2.0) == 0.0
    # Each factor 10 closer adds ln 10, down to the last digit of ω.
    close = flat.shift(2.0 - np.array([1e-10, 1e-11]))
    assert close[1] - close[0] == pytest.approx(0.5 / (2 * np.pi) * np.log(10.0), rel=1e-5)
    assert newns.shift(2.0) == pytest.approx(0.25) and newns.shift(-2.0) == pytest.approx(-0.25)
    assert SpectralDensity.shift(newns, 2.0) == pytest.approx(0.25, abs=1e-13)
    # Outside the slope is infinite, inside it is that of a line.
    assert newns.shift(2.0 + 1e-10) - 0.25 == pytest.approx(-0.25 * np.sqrt(1e-10), rel=1e-4)
    np.testing.assert_array_equal(mb.FlatDensity(0.5).shift(OMEGA), 0.0)
    np.testing.assert_array_equal(mb.FlatDensity(0.5)(OMEGA), 0.5)


def test_callable_density_agrees_with_its_formula():
    ohmic = mb.OhmicDensity(0.6, 3.0, 3.0)
    given = mb.CallableDensity(
        lambda w: 0.36 * w**3 / 9.0 * np.exp(-w / 3.0), breakpoints=(3.0,), slope_at_zero=0.0
    )
    np.testing.assert_allclose(given.shift(OMEGA), ohmic.shift(OMEGA), atol=2e-13 * largest(ohmic))
    assert given.slope(0.0) == 0.0 and given(-1.0) == 0.0
    band = mb.SemiEllipticDensity(0.5, 2.0, 0.3)
    semicircle = mb.CallableDensity(
        lambda w: 0.5 * np.sqrt(np.maximum(1.0 - ((w - 0.3) / 2.0) ** 2, 0.0)), (-1.7, 2.3)
    )
    np.testing.assert_allclose(semicircle.shift(OMEGA), band.shift(OMEGA), atol=1e-12)
    # At the edge itself positions have too few digits, and the error says so.
    off = np.abs(semicircle.shift(2.3) - band.shift(2.3))
    assert off <= semicircle.shift_error(2.3) < 1e-6


def test_a_narrow_line_is_found_by_its_breakpoints():
    width, place = 1e-6, 0.7

    def line(omega):
        return width**2 / ((omega - place) ** 2 + width**2)

    density = mb.CallableDensity(
        line, (-math.inf, math.inf), (place - width, place, place + width)
    )
    omega = place + np.array([-1.0, -1e-6, 0.0, 3e-6, 0.1])
    x = omega - place
    # Lorentzians: Δ = ½ w x / (x² + w²).
    np.testing.assert_allclose(
        density.shift(omega), 0.5 * width * x / (x**2 + width**2), atol=1e-9
    )
    error = np.abs(density.shift(omega) - 0.5 * width * x / (x**2 + width**2))
    assert np.all(error <= density.shift_error(omega) + 1e-10)


def test_fourier_transform_of_panels():
    panels = Panels("exp", lambda anchor, offset: np.exp(-(anchor + offset)), [0.0, math.inf])
    time = np.array([0.0, -0.3, 2.0, 50.0, 1e4])
    np.testing.assert_allclose(panels.fourier(time), 1.0 / (1.0 + 1j * time), atol=1e-14)
    assert panels.integral == pytest.approx(1.0, rel=1e-14)


def test_ranks_can_compare_functions():
    one, other = (mb.CallableDensity(lambda w: w * np.exp(-w)) for _ in range(2))
    assert repr(one) == repr(other)
    assert repr(one) != repr(mb.CallableDensity(lambda w: 2.0 * w * np.exp(-w)))


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: mb.OhmicDensity(-0.1, 1.0), ValueError, "coupling = -0.1"),
        (lambda: mb.OhmicDensity(0.1, 0.0), ValueError, "cutoff = 0.0"),
        (lambda: mb.OhmicDensity(0.1, math.inf), ValueError, "cutoff = inf"),
        (lambda: mb.OhmicDensity(0.1, 1.0, 0.0), ValueError, "exponent = 0.0"),
        (lambda: mb.OhmicDensity(0.1, 1.0, "two"), TypeError, "exponent = 'two'"),
        (lambda: mb.DrudeLorentzDensity(0.1, math.nan), ValueError, "cutoff = nan"),
        (lambda: mb.PhononDensity(-1.0), ValueError, "strength = -1.0"),
        (lambda: mb.PhononDensity(1.0, -1.0), ValueError, "cutoff = -1.0"),
        (lambda: mb.SemiEllipticDensity(1.0, 0.0), ValueError, "half_width = 0.0"),
        (lambda: mb.SemiEllipticDensity(1.0, math.inf), ValueError, "half_width = inf"),
        (lambda: mb.FlatDensity(1.0, -2.0), ValueError, "half_width = -2.0"),
        (lambda: mb.FlatDensity(1.0, 1.0, None), TypeError, "centre = None"),
        (lambda: mb.CallableDensity(3.0), TypeError, "function = 3.0"),
        (lambda: mb.CallableDensity(np.sin), ValueError, "must be >= 0"),
        (lambda: mb.CallableDensity(lambda w: 1j * w), ValueError, "complex"),
        (lambda: mb.CallableDensity(lambda w: 1.0), ValueError, "same shape"),
        (lambda: mb.CallableDensity(lambda w: w, (1.0, 0.0)), ValueError, "support"),
        (lambda: mb.CallableDensity(lambda w: w, (0.0, 1.0), (2.0,)), ValueError, "breakpoints"),
        (lambda: mb.CallableDensity(lambda w: w, slope_at_zero=-1.0), ValueError, "slope_at_zero"),
        (lambda: mb.CallableDensity(np.ones_like).shift(1.0), ValueError, "does not decay"),
        (lambda: mb.CallableDensity(np.abs, (-1.0, 1.0)).slope(0.0), ValueError, "slope_at_zero"),
    ],
)
def test_bad_input_is_named(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_an_unresolved_function_is_refused():
    rng = np.random.default_rng(1)
    noisy = mb.CallableDensity(lambda w: 1.0 + 1e-6 * rng.random(w.shape), (0.0, 1.0))
    with pytest.raises(ValueError, match="not resolved near omega"):
        noisy.shift(0.5)
