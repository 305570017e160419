"""Baths of any density: KMS, Kramers-Kronig, limits, and the equations that they feed."""

import math

import mpmath
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manybody as mb
from manybody.physics import reference
from manybody.physics.quantities.cancellation import cancellation_measures
from manybody.physics.quantities.locality import locality_profile

OMEGA = np.concatenate([np.linspace(-11.0, 11.0, 89), [1e-8, -1e-8, 300.0, -300.0]])
DENSITIES = [
    mb.OhmicDensity(0.4, 3.0),
    mb.OhmicDensity(0.4, 3.0, 1.5),
    mb.OhmicDensity(0.4, 3.0, 3.0),
    mb.DrudeLorentzDensity(0.4, 3.0),
    mb.PhononDensity(0.02, 2.0),
    mb.SemiEllipticDensity(0.2, 1.0, 2.5),
    mb.FlatDensity(0.2, 1.0, 2.5),
    mb.CallableDensity(
        lambda w: 0.1 * w * np.exp(-((w / 3.0) ** 2)), breakpoints=(3.0,), slope_at_zero=0.1
    ),
]
BATHS = [mb.ThermalBath(density, 2.0) for density in DENSITIES]
BATHS.append(mb.CallableBath(BATHS[1].gamma, 2.0, breakpoints=(3.0, -3.0)))
EVERY = [pytest.param(bath, id=type(getattr(bath, "density", bath)).__name__) for bath in BATHS]
SUB_OHMIC = mb.ThermalBath(mb.OhmicDensity(0.4, 3.0, 0.5), 2.0)
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])


def exact_gamma(omega, coupling, cutoff, exponent, beta):
    with mpmath.workdps(50):
        size = abs(mpmath.mpf(omega))
        density = mpmath.mpf(coupling) ** 2 * cutoff * (size / cutoff) ** mpmath.mpf(exponent)
        density *= mpmath.exp(-size / mpmath.mpf(cutoff))
        occupation = 1 / mpmath.expm1(mpmath.mpf(beta) * size)
        return float(density * (occupation + (1 if omega > 0 else 0)))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.5])
@pytest.mark.parametrize(("cutoff", "beta"), [(10.0, 5.0), (0.5, 0.05), (100.0, 500.0)])
def test_gamma_has_all_digits_in_every_limit(exponent, cutoff, beta):
    bath = mb.ThermalBath(mb.OhmicDensity(0.2, cutoff, exponent), beta)
    reduced = np.concatenate([np.geomspace(1e-12, 1e4, 50), -np.geomspace(1e-12, 600.0, 40)])
    for omega in reduced / beta:
        exact = exact_gamma(float(omega), 0.2, cutoff, exponent, beta)
        allowed = 1e-15 * (6.0 + abs(omega) * (beta + 1.0 / cutoff))
        assert bath.gamma(omega) == pytest.approx(exact, rel=allowed, abs=1e-300), omega


@settings(deadline=None, max_examples=100)
@given(
    index=st.integers(0, len(DENSITIES) - 1),
    beta=st.floats(1e-3, 1e3),
    reduced=st.floats(1e-12, 300.0),
)
def test_kms(index, beta, reduced):
    bath = mb.ThermalBath(DENSITIES[index], beta)
    omega = reduced / beta
    forward, backward = float(bath.gamma(omega)), float(bath.gamma(-omega))
    assert backward == pytest.approx(forward * np.exp(-beta * omega), rel=1e-12, abs=1e-300)
    assert bath.kms_residual(np.array([omega, 0.0, 1.0])) < 1e-15


@pytest.mark.parametrize(
    ("density", "at_zero"),
    [
        (mb.OhmicDensity(0.4, 3.0), 0.16 / 2.0),
        (mb.OhmicDensity(0.4, 3.0, 2.0), 0.0),
        (mb.DrudeLorentzDensity(0.4, 3.0), 0.16 / 2.0),
        (mb.PhononDensity(0.02), 0.0),
        (mb.SemiEllipticDensity(0.2, 1.0, 2.5), 0.0),
        (DENSITIES[-1], 0.1 / 2.0),
    ],
)
def test_gamma_at_zero_is_the_limit(density, at_zero):
    bath = mb.ThermalBath(density, 2.0)
    assert bath.gamma(0.0) == pytest.approx(at_zero, rel=1e-15)
    np.testing.assert_allclose(bath.gamma([1e-14, -1e-14]), at_zero, atol=1e-12)


@pytest.mark.parametrize(
    ("cutoff", "beta"),
    [(10.0, 5.0), (6.0, 2.0), (0.5, 0.05), (100.0, 500.0), (1.0, 1e4), (1e3, 1e-3)],
)
def test_ohmic_density_is_the_closed_form(cutoff, beta):
    bath = mb.ThermalBath(mb.OhmicDensity(0.7, cutoff), beta)
    exact = mb.OhmicBath(0.7, cutoff, beta)
    wide = np.geomspace(1e-12, 1e3, 60)
    omega = np.concatenate([OMEGA, wide, -wide, [0.0]])
    np.testing.assert_allclose(bath.gamma(omega), exact.gamma(omega), rtol=1e-13, atol=1e-300)
    scale = 0.49 * max(cutoff, 1.0 / beta) / (2.0 * np.pi)
    assert np.abs(bath.eta(omega) - exact.eta(omega)).max() < 2e-13 * scale
    # The closed form has an error of its own, 5e-14.
    allowed = bath.eta_error(omega) + 5e-14 * scale
    assert np.all(np.abs(bath.eta(omega) - exact.eta(omega)) <= allowed)
    assert allowed.max() < 1e-12 * scale
    time = np.array([0.0, 0.3 / cutoff, 1.0, -2.5, 3.0 * beta])
    correlation = exact.correlation(time)
    np.testing.assert_allclose(
        bath.correlation(time), correlation, atol=1e-13 * abs(correlation[0])
    )


@pytest.mark.parametrize("beta", [0.1, 40.0])
@pytest.mark.parametrize("density", DENSITIES[1:], ids=lambda density: type(density).__name__)
def test_eta_against_quadrature(density, beta):
    bath = mb.ThermalBath(density, beta)
    points = [point for point in (*density.support, *density.breakpoints) if np.isfinite(point)]
    points += [0.0, *(-point for point in points)]
    slow = isinstance(density, mb.DrudeLorentzDensity)
    omega = np.array([-0.7, 1e-3, 2.9])
    found, error = bath.eta(omega), bath.eta_error(omega)
    scale = float(bath.gamma(np.linspace(0.0, 12.0, 999)).max())
    assert error.max() < 1e-12 * scale
    for frequency, value in zip(omega, found):
        exact = oracles.principal_value(
            bath.gamma, frequency, points, 1e-3, 1e15 if slow else 110.0
        )
        assert value == pytest.approx(exact, abs=1e-12 * scale), frequency


@pytest.mark.parametrize("bath", [*EVERY, pytest.param(SUB_OHMIC, id="sub-Ohmic")])
def test_the_even_part_of_eta_knows_no_temperature(bath):
    """γ(ω) − γ(−ω) = ±D: η(ω) + η(−ω) = Δ(ω) + Δ(−ω)."""
    density = getattr(bath, "density", DENSITIES[1])
    omega = OMEGA + 1e-3
    even = density.shift(omega) + density.shift(-omega)
    forward, backward = bath.eta(omega), bath.eta(-omega)
    np.testing.assert_allclose(forward + backward, even, atol=1e-12 * np.abs(forward).max())


@pytest.mark.parametrize("density", DENSITIES[1:], ids=lambda density: type(density).__name__)
def test_limits_of_temperature(density):
    cold = mb.ThermalBath(density, 1e8)
    omega = OMEGA[np.abs(OMEGA) > 0.1]
    np.testing.assert_allclose(cold.gamma(omega), density(omega), rtol=1e-13)
    # What is thermal is of order (1/β)².
    np.testing.assert_allclose(cold.eta(omega), density.shift(omega), atol=1e-11)
    hot = mb.ThermalBath(density, 1e-7)
    positive = omega[omega > 0.0]
    classical = density(positive) / positive * (1e7 + 0.5 * positive)
    np.testing.assert_allclose(hot.gamma(positive), classical, rtol=1e-9)
    # Odd where D/ω is: η of T D/|ω| grows with T.  At a step of D it is infinite.
    forward, backward = hot.eta(positive), hot.eta(-positive)
    finite = np.isfinite(forward)
    assert finite.sum() > 0.9 * finite.size
    np.testing.assert_array_equal(forward[~finite], -backward[~finite])
    np.testing.assert_allclose(
        forward[finite], -backward[finite], atol=1e-5 * np.abs(forward[finite]).max()
    )


def test_scaling():
    one = mb.ThermalBath(mb.OhmicDensity(0.3, 1.0, 2.0), 3.0)
    other = mb.ThermalBath(mb.OhmicDensity(0.6, 1e5, 2.0), 3e-5)
    np.testing.assert_allclose(other.gamma(1e5 * OMEGA), 4e5 * one.gamma(OMEGA), rtol=1e-12)
    np.testing.assert_allclose(other.eta(1e5 * OMEGA) / 4e5, one.eta(OMEGA), atol=1e-14)
    grid = OMEGA[:90].reshape(9, 10)
    full = one.one_sided(grid, lamb_shift=True)
    np.testing.assert_array_equal(full, 0.5 * one.gamma(grid) + 1j * one.eta(grid))
    assert one.one_sided(grid, lamb_shift=False).dtype == np.float64
    assert one.eta_error(grid).shape == grid.shape


@pytest.mark.parametrize("exponent", [1.5, 3.0])
def test_correlation_against_hurwitz_zeta(exponent):
    cutoff, beta = 3.0, 2.0
    bath = mb.ThermalBath(mb.OhmicDensity(0.4, cutoff, exponent), beta)
    for time in (0.0, 0.4, -3.0, 25.0):
        with mpmath.workdps(30):
            shift, power = mpmath.mpf(1) / (beta * cutoff), exponent + 1
            both = mpmath.zeta(power, shift + 1j * time / beta)
            both += mpmath.zeta(power, 1 + shift - 1j * time / beta)
            prefactor = 0.4**2 * cutoff ** (1 - exponent) * mpmath.gamma(power)
            exact = complex(prefactor / (2 * mpmath.pi * beta**power) * both)
        assert abs(bath.correlation(time) - exact) < 1e-13 * abs(bath.correlation(0.0))


def test_correlation_of_slow_decay():
    bath = BATHS[3]
    with pytest.raises(ValueError, match="time = 0: γ decays so slowly"):
        bath.correlation([1.0, 0.0])
    # Residues of γ in the lower half plane: the cutoff and the Matsubara frequencies.
    time, beta, cutoff = 0.7, 2.0, 3.0
    series = 0.25 * 0.16 * cutoff**2 * (1.0 / np.tan(beta * cutoff / 2.0) - 1j)
    series *= np.exp(-cutoff * time)
    nu = 2.0 * np.pi / beta * np.arange(1, 60)
    series += np.sum(0.16 * cutoff**2 / beta * nu * np.exp(-nu * time) / (nu**2 - cutoff**2))
    assert bath.correlation(time) == pytest.approx(series, rel=1e-10)
    assert bath.correlation(-time) == pytest.approx(np.conj(series), rel=1e-10)


# ---- the equations


@BOTH
@pytest.mark.parametrize("bath", EVERY)
def test_generators_are_their_definitions(bath, lamb_shift):
    hamiltonian = oracles.random_hermitian(np.random.default_rng(3), 5)
    for sites in (None, [0, 3]):
        model = mb.SingleParticleModel(hamiltonian, sites)
        couplings = reference.site_couplings(5, sites)
        redfield = reference.redfield_liouvillian(hamiltonian, couplings, bath, lamb_shift)
        found = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
        np.testing.assert_allclose(found, redfield, atol=1e-12)
        davies = reference.davies_liouvillian(hamiltonian, couplings, bath, lamb_shift, 1e-9)
        found = mb.davies_liouvillian(model, bath, lamb_shift).toarray()
        np.testing.assert_allclose(found, davies, atol=1e-12)


@pytest.mark.parametrize("bath", EVERY)
def test_gibbs_is_stationary(bath):
    hamiltonian = 3.0 * oracles.random_hermitian(np.random.default_rng(5), 6)
    gibbs = oracles.gibbs(hamiltonian, bath.beta).ravel()
    for sites in (None, [1, 2]):
        model = mb.SingleParticleModel(hamiltonian, sites)
        redfield = mb.redfield_liouvillian(model, bath).toarray()
        assert np.abs(redfield @ gibbs).max() < 1e-14 * max(1.0, np.abs(redfield).max())
        for lamb_shift in (False, True):
            davies = mb.davies_liouvillian(model, bath, lamb_shift).toarray()
            assert np.abs(davies @ gibbs).max() < 1e-14 * max(1.0, np.abs(davies).max())


@pytest.mark.parametrize("index", [2, 8], ids=["super-Ohmic", "callable"])
def test_compare_with_the_reference(index):
    """With Lamb shift on a complex H, all from the definitions."""
    bath, times = BATHS[index], [0.0, 3.0, 11.0]
    hamiltonian = 2.0 * oracles.random_hermitian(np.random.default_rng(11), 6)
    model = mb.SingleParticleModel(hamiltonian)
    run = mb.compare(model, bath, times, initial_site=2, lamb_shift=True, keep_states=True)
    couplings = reference.site_couplings(6)
    start = np.zeros((6, 6))
    start[2, 2] = 1.0
    redfield = oracles.propagate(
        reference.redfield_liouvillian(hamiltonian, couplings, bath, True), start, times
    )
    davies = oracles.propagate(
        reference.davies_liouvillian(hamiltonian, couplings, bath, True, 1e-9), start, times
    )
    np.testing.assert_allclose(run.redfield_states, redfield, atol=1e-9)
    np.testing.assert_allclose(run.davies_states, davies, atol=1e-9)
    distance = [oracles.trace_distance(one, other) for one, other in zip(redfield, davies)]
    np.testing.assert_allclose(run.trace_distance, distance, atol=1e-9)
    assert run.trace_distance[1] > 1e-4


def test_ensembles_and_measures_take_any_bath():
    ohmic, thermal = mb.OhmicBath(0.4, 3.0, 2.0), BATHS[0]
    models = [mb.dirac_syk2(5, seed=seed) for seed in range(2)]
    for one, other in zip(
        mb.compare_ensemble(models, thermal, [0.0, 4.0]),
        mb.compare_ensemble(models, ohmic, [0.0, 4.0]),
    ):
        np.testing.assert_allclose(one.trace_distance, other.trace_distance, atol=1e-12)
    measured = [cancellation_measures(models[0], bath) for bath in (thermal, ohmic)]
    assert measured[0].generator_ratio == pytest.approx(measured[1].generator_ratio, rel=1e-10)
    profiles = [locality_profile(mb.anderson3d(2, 5.0, seed=1), b) for b in (thermal, ohmic)]
    np.testing.assert_allclose(profiles[0].rms, profiles[1].rms)


def everything(model, bath, lamb_shift=False):
    return [
        lambda: mb.compare(model, bath, [0.0, 1.0], lamb_shift=lamb_shift),
        lambda: list(mb.compare_ensemble([model], bath, [0.0, 1.0], lamb_shift=lamb_shift)),
        lambda: mb.redfield_liouvillian(model, bath, lamb_shift),
        lambda: mb.davies_liouvillian(model, bath, lamb_shift),
        lambda: mb.steady_state(model, bath, "davies", lamb_shift),
        lambda: mb.slow_modes(model, bath, lamb_shift=lamb_shift),
        lambda: locality_profile(model, bath, lamb_shift=lamb_shift),
    ]


def test_sub_ohmic_is_refused_by_everything():
    model = mb.anderson3d(2, 5.0, seed=1)
    calls = [*everything(model, SUB_OHMIC), lambda: cancellation_measures(model, SUB_OHMIC)]
    calls += [lambda: SUB_OHMIC.gamma([1.0, 0.0]), lambda: SUB_OHMIC.eta(0.0)]
    for call in calls:
        with pytest.raises(ValueError, match="γ\\(0\\) = inf.*diagonal elements"):
            call()
    assert np.isfinite(SUB_OHMIC.gamma([1e-9, -1e-9])).all()
    assert np.isfinite(SUB_OHMIC.correlation([0.0, 1.0])).all()

    class Infinite(mb.OhmicBath):
        def gamma(self, omega):
            return np.full(np.shape(omega), np.inf)

    for call in everything(model, Infinite(0.2, 10.0, 5.0)):
        with pytest.raises(ValueError, match="γ\\(0\\) = inf.*diagonal elements"):
            call()


def test_no_lamb_shift_without_a_cutoff():
    bath = mb.ThermalBath(mb.PhononDensity(0.02), 2.0)
    model = mb.anderson3d(2, 5.0, seed=1)
    assert mb.compare(model, bath, [0.0, 1.0]).trace_distance.shape == (2,)
    for call in (*everything(model, bath, lamb_shift=True), lambda: bath.correlation(1.0)):
        with pytest.raises(ValueError, match="cutoff = inf"):
            call()


def test_nothing_relaxes_without_coupling():
    bath = mb.ThermalBath(mb.OhmicDensity(0.0, 3.0), 2.0)
    model = mb.anderson3d(2, 5.0, seed=1)
    np.testing.assert_array_equal(bath.one_sided(OMEGA, lamb_shift=True), 0.0)
    assert bath.vanishes and not BATHS[0].vanishes and not BATHS[-1].vanishes
    for call in everything(model, bath)[4:]:
        with pytest.raises(ValueError, match="bath: γ = 0 everywhere"):
            call()


@pytest.mark.parametrize("bath", [0.2, None, mb.OhmicBath, mb.OhmicDensity(0.2, 10.0)])
def test_something_else_is_no_bath(bath):
    for call in everything(mb.anderson3d(2, 5.0, seed=1), bath):
        with pytest.raises(TypeError, match="bath = "):
            call()


# ---- a user's power spectrum


def test_callable_bath_is_its_formula():
    exact, given_bath = BATHS[1], BATHS[-1]
    np.testing.assert_array_equal(given_bath.gamma(OMEGA), exact.gamma(OMEGA))
    scale = np.abs(exact.gamma(OMEGA)).max()
    np.testing.assert_allclose(given_bath.eta(OMEGA), exact.eta(OMEGA), atol=1e-13 * scale)
    assert np.all(np.abs(given_bath.eta(OMEGA) - exact.eta(OMEGA)) <= given_bath.eta_error(OMEGA))
    time = np.array([0.0, -1.0, 7.0])
    np.testing.assert_allclose(given_bath.correlation(time), exact.correlation(time), atol=1e-13)
    assert given_bath.kms_residual(OMEGA) < 1e-15
    assert isinstance(given_bath, mb.Bath) and isinstance(exact, mb.Bath)
    assert isinstance(mb.OhmicBath(0.2, 10.0, 5.0), mb.Bath)


def test_kms_is_checked_where_it_says():
    gamma = BATHS[1].gamma
    with pytest.raises(ValueError, match="violates detailed balance.*omega = "):
        mb.CallableBath(gamma, 2.0 + 1e-8)
    with pytest.raises(ValueError, match="violates detailed balance"):
        mb.CallableBath(lambda w: np.exp(-(w**2)), 2.0)

    def wrong_at_one_place(omega):
        return gamma(omega) * np.where(np.abs(omega - 1.2345) < 1e-6, 1.1, 1.0)

    mb.CallableBath(wrong_at_one_place, 2.0)
    with pytest.raises(ValueError, match="omega = 1.2345"):
        mb.CallableBath(wrong_at_one_place, 2.0, kms_frequencies=(1.2345,))
    loose = mb.CallableBath(gamma, 2.0 + 1e-8, kms_tolerance=1e-6)
    assert loose.kms_residual(OMEGA) > 1e-10


def test_ranks_can_compare_functions():
    one, other = (mb.CallableBath(lambda w: BATHS[1].gamma(w), 2.0) for _ in range(2))
    assert repr(one) == repr(other)
    assert repr(one) != repr(mb.CallableBath(lambda w: 2.0 * BATHS[1].gamma(w), 2.0))


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: mb.ThermalBath(0.3, 1.0), TypeError, "density = 0.3: SpectralDensity"),
        (lambda: mb.ThermalBath(DENSITIES[0], 0.0), ValueError, "beta = 0.0: .*WhiteBath"),
        (lambda: mb.ThermalBath(DENSITIES[0], -1.0), ValueError, "beta = -1.0"),
        (lambda: mb.ThermalBath(DENSITIES[0], "cold"), TypeError, "beta = 'cold'"),
        (lambda: mb.ThermalBath(mb.FlatDensity(1.0), 1.0), ValueError, "omega < 0"),
        (lambda: mb.ThermalBath(mb.FlatDensity(1.0, 1.0, 1.0), 1.0), ValueError, "not known"),
        (lambda: mb.ThermalBath(mb.CallableDensity(np.exp), 1.0), ValueError, "slope_at_zero"),
        (lambda: mb.CallableBath(1.0, 1.0), TypeError, "function = 1.0"),
        (lambda: mb.CallableBath(BATHS[0].gamma, -2.0), ValueError, "beta = -2.0"),
        (lambda: mb.CallableBath(lambda w: -np.exp(w), 2.0), ValueError, "must be >= 0"),
        (lambda: mb.CallableBath(lambda w: 1.0, 2.0), ValueError, "same shape"),
        (
            lambda: mb.CallableBath(BATHS[0].gamma, 2.0, support=(-1.0, 2.0)),
            ValueError,
            "symmetric",
        ),
        (
            lambda: mb.CallableBath(BATHS[0].gamma, 2.0, support=(-1.0, 1.0), breakpoints=(3.0,)),
            ValueError,
            "breakpoints",
        ),
        (
            lambda: mb.CallableBath(BATHS[0].gamma, 2.0, kms_tolerance=1.0),
            ValueError,
            "tolerance = 1.0",
        ),
        (
            lambda: mb.CallableBath(lambda w: np.exp(w), 2.0).eta(0.0),
            ValueError,
            "does not decay|is inf",
        ),
    ],
)
def test_bad_input_is_named(build, error, words):
    with np.errstate(all="ignore"), pytest.raises(error, match=words):
        build()


def test_an_infinite_value_is_named():
    bath = mb.CallableBath(
        lambda w: np.where(w == 0.0, math.inf, np.asarray(BATHS[1].gamma(w))), 2.0
    )
    with pytest.raises(ValueError, match="infinite at omega = 0"):
        mb.compare(mb.anderson3d(2, 5.0, seed=1), bath, [0.0, 1.0])
