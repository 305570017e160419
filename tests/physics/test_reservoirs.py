"""Reservoirs for particle exchange: fillings in every limit, shifts against quadrature."""

import math

import mpmath
import numpy as np
import oracles
import pytest
from scipy import special

import manybody as mb
from manybody.physics.baths.reservoirs import Reservoir

OMEGA = np.linspace(-9.0, 9.0, 73) + 0.0123
FERMIONS = [
    mb.Reservoir(mb.FlatDensity(0.5, 4.0, 0.2), 1.5, 0.7),
    mb.Reservoir(mb.FlatDensity(0.5, 4.0), 0.02, -6.0),
    mb.Reservoir(mb.FlatDensity(0.5, 4.0), 300.0, 1.1),
    mb.Reservoir(mb.SemiEllipticDensity(0.5, 2.0, 0.3), 8.0, 0.5),
    mb.Reservoir(mb.SemiEllipticDensity(0.5, 2.0), 1e4, -0.5),
    mb.Reservoir(mb.OhmicDensity(0.5, 2.0, 0.5), 5.0, 0.8),
    mb.Reservoir(mb.PhononDensity(0.2, 1.5), 0.3, 2.0),
    mb.Reservoir(mb.DrudeLorentzDensity(0.5, 2.0), 3.0, 1.0),
]
BOSONS = [
    mb.Reservoir(mb.FlatDensity(0.5, 2.0, 3.0), 1.5, 0.99, "boson"),
    mb.Reservoir(mb.SemiEllipticDensity(0.5, 2.0, 3.0), 0.05, -1.0, "boson"),
    mb.Reservoir(mb.OhmicDensity(0.5, 2.0), 5.0, -0.01, "boson"),
    mb.Reservoir(mb.OhmicDensity(0.5, 2.0), 0.4, 0.0, "boson"),
    mb.Reservoir(mb.OhmicDensity(0.5, 2.0, 0.7), 40.0, 0.0, "boson"),
    mb.Reservoir(mb.PhononDensity(0.2, 1.5), 2.0, 0.0, "boson"),
    mb.Reservoir(mb.DrudeLorentzDensity(0.5, 2.0), 1.0, 0.0, "boson"),
]
EVERY = [pytest.param(r, id=repr(r)) for r in FERMIONS + BOSONS]


def exact_occupation(reservoir, omega):
    with mpmath.workdps(50):
        x = mpmath.mpf(reservoir.beta) * (
            mpmath.mpf(omega) - mpmath.mpf(reservoir.chemical_potential)
        )
        if reservoir.statistics == "fermion":
            return float(1 / (mpmath.exp(x) + 1))
        return float(1 / mpmath.expm1(x))


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
@pytest.mark.parametrize("beta", [1e-3, 1.0, 1e4])
def test_occupation_has_all_digits(statistics, beta):
    reservoir = mb.Reservoir(mb.OhmicDensity(0.5, 2.0), beta, -0.5, statistics)
    reduced = np.concatenate([np.geomspace(1e-12, 1e4, 65), -np.geomspace(1e-12, 1e4, 65)])
    # Differences from μ that are exact: what β(ω − μ) itself loses is not lost here.
    omega = -0.5 + np.round(reduced / beta * 2.0**40) / 2.0**40
    omega = omega[omega != -0.5]
    for frequency, found in zip(omega, reservoir.occupation(omega)):
        exact = exact_occupation(reservoir, frequency)
        allowed = 1e-15 * (4.0 + beta * abs(frequency + 0.5))
        assert found == pytest.approx(exact, rel=allowed, abs=1e-300), frequency


def test_occupation_at_the_chemical_potential_and_far_away():
    fermion = mb.Reservoir(mb.FlatDensity(0.5, 2.0), 1e4, 0.3)
    np.testing.assert_array_equal(fermion.occupation([0.3, 1e5, -1e5]), [0.5, 0.0, 1.0])
    boson = mb.Reservoir(mb.OhmicDensity(0.5, 2.0), 1e4, 0.0, "boson")
    np.testing.assert_array_equal(boson.occupation([0.0, 1e5, -1e5]), [np.inf, 0.0, -1.0])


def test_filled_of_bosons_that_start_at_mu():
    ohmic = mb.Reservoir(mb.OhmicDensity(0.5, 2.0), 5.0, 0.0, "boson")
    omega = np.array([0.0, 1e-300, 1e-12, 1e-6])
    np.testing.assert_allclose(ohmic.filled(omega), 0.25 / 5.0, rtol=4e-6)
    assert ohmic.filled(0.0) == 0.25 / 5.0 and ohmic.filled(-1.0) == 0.0
    assert ohmic.filled(1e4) == 0.0
    for frequency in (1e-9, 0.3, 4.0, 60.0):
        exact = exact_occupation(ohmic, frequency) * ohmic.spectrum(frequency)
        assert ohmic.filled(frequency) == pytest.approx(exact, rel=1e-13)
    assert mb.Reservoir(mb.PhononDensity(0.2), 1.0, 0.0, "boson").filled(0.0) == 0.0
    assert mb.Reservoir(mb.OhmicDensity(0.5, 2.0, 0.5), 1.0, 0.0, "boson").filled(0.0) == np.inf


@pytest.mark.parametrize("reservoir", EVERY)
def test_filled_is_occupation_times_spectrum(reservoir):
    inside = reservoir.spectrum(OMEGA) > 0.0
    product = reservoir.occupation(OMEGA[inside]) * reservoir.spectrum(OMEGA[inside])
    np.testing.assert_allclose(reservoir.filled(OMEGA[inside]), product, rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(reservoir.filled(OMEGA[~inside]), 0.0)
    assert np.isnan(reservoir.filled(np.nan))


@pytest.mark.parametrize("reservoir", EVERY)
def test_filled_shift_against_quadrature(reservoir):
    density = reservoir.density
    points = [*density.support, *density.breakpoints, reservoir.chemical_potential]
    points = [point for point in points if np.isfinite(point)]
    smallest = min(1e-3, 0.1 / reservoir.beta)
    omega = np.array([-0.4, 0.801, 1.101, 2.29])
    error = reservoir.filled_shift_error(omega)
    found = reservoir.filled_shift(omega)
    scale = max(np.abs(found).max(), float(reservoir.filled(np.linspace(0.001, 9, 999)).max()))
    assert error.max() < 1e-12 * scale
    for frequency, value in zip(omega, found):
        exact = oracles.principal_value(reservoir.filled, frequency, points, smallest, 130.0)
        assert value == pytest.approx(exact, abs=1e-12 * scale), frequency


@pytest.mark.parametrize("beta", [60.0, 1e3, 1e8])
def test_flat_band_digamma_formula_is_the_quadrature(beta):
    reservoir = mb.Reservoir(mb.FlatDensity(0.5, 2.0, 0.3), beta, 0.9)
    assert reservoir._deep_band is not None
    omega = np.concatenate([OMEGA, [0.9, 2.3 - 1e-9, -1.7 + 1e-9, -1.7 - 1e-9]])
    quadrature = reservoir._panels.principal_value(omega) / (2.0 * np.pi)
    assert np.abs(reservoir.filled_shift(omega) - quadrature).max() < 2e-13
    assert reservoir.filled_shift_error(omega).max() < 2e-13


@pytest.mark.parametrize(
    "density",
    [mb.FlatDensity(0.5, 4.0), mb.SemiEllipticDensity(0.5, 2.0)],
    ids=["flat", "semi-elliptic"],
)
@pytest.mark.parametrize(("beta", "mu"), [(0.1, 0.5), (3.0, -1.0), (1e3, 1.5), (1e6, 0.0)])
def test_particle_hole_symmetry(density, beta, mu):
    """D(−ω) = D(ω): what is empty at μ is what is filled at −μ, mirrored."""
    filled = mb.Reservoir(density, beta, mu).filled_shift(OMEGA)
    mirrored = mb.Reservoir(density, beta, -mu).filled_shift(-OMEGA)
    np.testing.assert_allclose(filled - mirrored, density.shift(OMEGA), atol=3e-13)


@pytest.mark.parametrize("density", [r.density for r in FERMIONS[2:]])
def test_limits_of_temperature_and_filling(density):
    shift = density.shift(OMEGA)
    scale = np.abs(shift).max()
    hot = mb.Reservoir(density, 1e-14, 0.3).filled_shift(OMEGA)
    np.testing.assert_allclose(hot, 0.5 * shift, atol=1e-12 * scale)
    if np.isfinite(density.support[1]):
        full = mb.Reservoir(density, 50.0, 6.0).filled_shift(OMEGA)
        np.testing.assert_allclose(full, shift, atol=1e-12 * scale)
    empty = mb.Reservoir(density, 50.0, -6.0).filled_shift(OMEGA)
    assert np.abs(empty).max() < 1e-40
    # Cold: Δ^f is that of the band cut at μ, with its logarithm there.
    cold = mb.Reservoir(density, 1e9, 0.7)
    near = cold.filled_shift(0.7 + np.array([1e-4, 1e-5]))
    step = float(density(0.7)) / (2 * np.pi) * np.log(10.0)
    assert near[1] - near[0] == pytest.approx(step, rel=1e-2)


def test_classical_bosons():
    """β|ω − μ| small over the whole band: f = 1/(β(ω − μ)) − 1/2, linear response of a band."""
    band = mb.SemiEllipticDensity(0.5, 1.0, 3.0)
    beta, mu = 1e-6, -2.0
    found = mb.Reservoir(band, beta, mu, "boson").filled_shift(OMEGA)
    # D/(x − μ)/(ω − x) = [D/(ω − x) − D/(μ − x)]/(ω − μ)
    classical = (band.shift(OMEGA) - band.shift(mu)) / (beta * (OMEGA - mu))
    np.testing.assert_allclose(
        found, classical - 0.5 * band.shift(OMEGA), atol=1e-11 * np.abs(classical).max()
    )


@pytest.mark.parametrize(("cutoff", "beta"), [(10.0, 5.0), (0.5, 0.05), (100.0, 500.0)])
def test_ohmic_bosons_make_up_the_closed_form_of_the_bath(cutoff, beta):
    """η(ω) = Δ(ω) + Δ^f(ω) − Δ^f(−ω): emission and absorption at a Hermitian coupling."""
    reservoir = mb.Reservoir(mb.OhmicDensity(0.7, cutoff), beta, 0.0, "boson")
    both = reservoir.filled_shift(OMEGA) - reservoir.filled_shift(-OMEGA)
    exact = mb.OhmicBath(0.7, cutoff, beta).eta(OMEGA)
    scale = 0.49 * max(cutoff, 1.0 / beta) / (2.0 * np.pi)
    assert np.abs(reservoir.shift(OMEGA) + both - exact).max() < 3e-13 * scale


def test_scaling():
    one = mb.Reservoir(mb.SemiEllipticDensity(0.5, 2.0, 0.3), 8.0, 0.5)
    other = mb.Reservoir(mb.SemiEllipticDensity(1.0, 2e6, 0.3e6), 8e-6, 0.5e6)
    np.testing.assert_allclose(
        other.filled_shift(1e6 * OMEGA), 2.0 * one.filled_shift(OMEGA), atol=1e-13
    )
    grid = OMEGA[:72].reshape(8, 9)
    for name in ("spectrum", "occupation", "filled", "shift", "filled_shift"):
        found = getattr(one, name)(grid)
        assert found.shape == grid.shape
        np.testing.assert_allclose(found.ravel(), getattr(one, name)(OMEGA[:72]), rtol=1e-15)
        assert np.ndim(getattr(one, name)(0.5)) == 0


def test_a_users_lead():
    """Δ^f of a callable is that of its formula, the thermal step included."""
    given = mb.CallableDensity(
        lambda w: 0.5 * np.exp(-(w**2)), (-math.inf, math.inf), (-1.0, 0.0, 1.0)
    )
    reservoir = mb.Reservoir(given, 1e3, 0.4)
    omega = np.array([-2.0, 0.1, 0.3999, 0.41, 1.0])
    for frequency, value in zip(omega, reservoir.filled_shift(omega)):
        exact = oracles.principal_value(reservoir.filled, frequency, [0.4], 1e-4, 12.0)
        assert value == pytest.approx(exact, abs=1e-12)
    # P∫ e^{−t²}/(x − t) dt = 2√π times Dawson's function.
    exact = 0.5 / math.sqrt(math.pi) * special.dawsn(0.8)
    assert reservoir.shift(0.8) == pytest.approx(exact, abs=1e-13)


def test_wide_band():
    lead = mb.Reservoir(mb.FlatDensity(0.5), 3.0, 0.2)
    np.testing.assert_array_equal(lead.shift(OMEGA), 0.0)
    assert lead.filled(0.2) == 0.25
    with pytest.raises(ValueError, match="half_width = inf"):
        lead.filled_shift(OMEGA)
    # What is asked for instead: differences do not depend on a large half-width.
    wide, wider = (
        mb.Reservoir(mb.FlatDensity(0.5, width), 3.0, 0.2).filled_shift(np.array([0.0, 1.0]))
        for width in (1e9, 1e10)
    )
    assert np.diff(wide) == pytest.approx(np.diff(wider), abs=1e-8)
    np.testing.assert_allclose(wider - wide, 0.5 / (2.0 * np.pi) * np.log(10.0), rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0.3, 1.0), TypeError, "density = 0.3: SpectralDensity"),
        ((mb.FlatDensity(1.0), 0.0), ValueError, "beta = 0.0"),
        ((mb.FlatDensity(1.0), -2.0), ValueError, "beta = -2.0"),
        ((mb.FlatDensity(1.0), 1.0, math.inf), ValueError, "chemical_potential = inf"),
        ((mb.FlatDensity(1.0), 1.0, 0.0, "anyon"), ValueError, "statistics = 'anyon'"),
        ((mb.FlatDensity(1.0), 1.0, 0.0, "boson"), ValueError, "chemical_potential = 0.0"),
        ((mb.OhmicDensity(1.0, 1.0), 1.0, 0.1, "boson"), ValueError, "condense"),
        ((mb.FlatDensity(1.0, 1.0, 3.0), 1.0, 2.0, "boson"), ValueError, "condense"),
        ((mb.FlatDensity(1.0, 1.0, 1.0), 1.0, 0.0, "boson"), ValueError, "no|not known"),
        ((mb.CallableDensity(np.abs, (0.0, 1.0)), 1.0, 0.0, "boson"), ValueError, "slope_at_zero"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        Reservoir(*arguments)


@pytest.mark.parametrize("reservoir", [FERMIONS[3], FERMIONS[5], BOSONS[0]])
def test_a_filled_shift_is_the_same_alone_and_among_many(reservoir):
    """Few frequencies are seen from many panels together, many from one after the other."""
    omega = np.concatenate([np.linspace(-5.0, 5.0, 4500), [0.3 - 2.0, 0.3 + 2.0, 0.1]])
    many = reservoir.filled_shift(omega)
    for some in (slice(0, None, 900), slice(-100, None)):
        single = np.array([reservoir.filled_shift(one) for one in omega[some]])
        for few in (single, reservoir.filled_shift(omega[some])):
            np.testing.assert_allclose(few, many[some], rtol=0, atol=1e-15)
