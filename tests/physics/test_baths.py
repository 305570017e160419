import mpmath
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manybody as mb
from manybody.physics.baths import ohmic as baths

PARAMETERS = [(0.2, 10.0, 5.0), (0.3, 6.0, 2.0), (1.0, 0.5, 0.05), (0.7, 100.0, 500.0)]


@pytest.mark.parametrize(("coupling", "cutoff", "beta"), PARAMETERS)
def test_gamma_has_all_digits_in_every_limit(coupling, cutoff, beta):
    bath = mb.OhmicBath(coupling, cutoff, beta)
    reduced = np.concatenate([np.geomspace(1e-12, 600.0, 60), [1e-300, 5e-324, 1e4]])
    for omega in np.concatenate([reduced, -reduced, [0.0]]) / beta:
        exact = oracles.gamma_high_precision(float(omega), coupling, cutoff, beta)
        # Rounding of the exponent grows with its size.
        allowed = 1e-15 * (4.0 + abs(omega) * (beta + 1.0 / cutoff))
        assert bath.gamma(omega) == pytest.approx(exact, rel=allowed, abs=1e-300)


@settings(deadline=None, max_examples=200)
@given(beta=st.floats(1e-3, 1e3), cutoff=st.floats(1e-2, 1e3), reduced=st.floats(1e-12, 300.0))
def test_kms(beta, cutoff, reduced):
    bath = mb.OhmicBath(0.2, cutoff, beta)
    omega = reduced / beta
    forward, backward = float(bath.gamma(omega)), float(bath.gamma(-omega))
    assert backward == pytest.approx(forward * np.exp(-beta * omega), rel=1e-12, abs=1e-300)


def test_kms_residual_sees_a_wrong_spectrum(bath):
    class Wrong(mb.OhmicBath):
        def gamma(self, omega):
            return super().gamma(omega) + 1e-6

    omega = np.linspace(0.1, 3.0, 7)
    assert bath.kms_residual(omega) < 1e-15
    assert Wrong(0.2, 10.0, 5.0).kms_residual(omega) > 1e-6


@pytest.mark.parametrize(
    ("parameters", "omega", "value"),
    [
        ((0.2, 10, 5), 0.7, -0.0706937178888671),
        ((0.2, 10, 5), -1.3, -0.0493902838018750),
        ((0.2, 10, 5), 0.0, -0.0636619772367581),
        ((0.2, 10, 5), 5.0, -0.0547287996448424),
        ((0.2, 10, 5), -20.0, -0.0176968999724574),
        ((0.3, 6, 2), 2.0, -0.0830612624483375),
    ],
)
def test_eta_check_values(parameters, omega, value):
    assert float(mb.OhmicBath(*parameters).eta(omega)) == pytest.approx(value, abs=2e-15)


@pytest.mark.parametrize(("coupling", "cutoff", "beta"), PARAMETERS)
def test_eta_against_principal_value_quadrature(coupling, cutoff, beta):
    bath = mb.OhmicBath(coupling, cutoff, beta)
    # Either side of every change of method: z = 1 and 50 for each of its arguments.
    edges = [1.0 / beta, 1.0 / cutoff, 1.0 / (8 * beta + 1 / cutoff), cutoff, 50 * cutoff]
    edges += [50.0 / beta, 50.0 / (8 * beta + 1 / cutoff)]
    omegas = [sign * edge * side for edge in edges for sign in (1, -1) for side in (0.99, 1.01)]
    omegas += [0.0, 1e-9, -1e-9, 1e-25, 0.3, -2.0, 316.0]
    scale = coupling**2 * max(cutoff, 1.0 / beta) / (2 * np.pi)
    for omega in omegas:
        exact = oracles.eta_quadrature(omega, coupling, cutoff, beta)
        assert float(bath.eta(omega)) == pytest.approx(exact, abs=2e-13 * scale), omega
    assert bath.eta(np.array(omegas).reshape(5, -1)).shape == (5, len(omegas) // 5)


def test_one_sided_transform(bath):
    omega = np.array([-1.0, 0.0, 2.0])
    assert bath.one_sided(omega, lamb_shift=False).dtype == np.float64
    full = bath.one_sided(omega, lamb_shift=True)
    np.testing.assert_array_equal(full, 0.5 * bath.gamma(omega) + 1j * bath.eta(omega))


@pytest.mark.parametrize(("coupling", "cutoff", "beta"), PARAMETERS)
def test_correlation_function(coupling, cutoff, beta):
    bath = mb.OhmicBath(coupling, cutoff, beta)
    scale = abs(bath.correlation(0.0))
    for time in (0.0, 0.3 / cutoff, 1.0, -2.5, 3.0 * beta):
        exact = oracles.correlation_quadrature(time, coupling, cutoff, beta)
        assert abs(bath.correlation(time) - exact) < 1e-11 * scale
    tail = coupling**2 / (np.pi * beta * cutoff * (1e4 * beta) ** 2)
    assert abs(bath.correlation(1e4 * beta)) == pytest.approx(tail, rel=1e-3)


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"coupling": -0.1}, ValueError, "coupling = -0.1"),
        ({"cutoff": 0.0}, ValueError, "cutoff = 0.0"),
        ({"beta": 0.0}, ValueError, "beta = 0.0: .*WhiteBath"),
        ({"beta": -float("inf")}, ValueError, "beta = -inf"),
        ({"beta": float("nan")}, ValueError, "beta = nan"),
        ({"beta": "cold"}, TypeError, "beta = 'cold'"),
        ({"cutoff": True}, TypeError, "cutoff = True"),
        ({"chemical_potential": 0.3}, ValueError, "chemical_potential = 0.3"),
    ],
)
def test_bad_parameters_are_named(keywords, error, words):
    arguments = {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0, **keywords}
    with pytest.raises(error, match=words):
        mb.OhmicBath(**arguments)


def test_exponential_integrals_between_the_limits():
    """F and D, docs/physics.md section 2, where they are interpolated, and on the borders."""
    edges = [1.0, np.nextafter(2.0, 0.0), 2.0, 4.0, 8.0, 31.999, 32.0, np.nextafter(50.0, 0.0)]
    z = np.concatenate([np.random.default_rng(0).uniform(1.0, 50.0, 100), edges])
    sums, differences = baths._between(z)
    assert sums.dtype == differences.dtype == np.float64
    with mpmath.workdps(40):
        for x, total, difference in zip(z, sums, differences):
            forward = mpmath.exp(-x) * mpmath.ei(x)
            backward = -mpmath.exp(x) * mpmath.e1(x)
            # What enters η is multiplied by at most a few ω.
            assert abs(total - float(forward + backward)) < 1e-14
            assert abs(difference - float(forward - backward)) < 2e-14 * abs(difference)


def test_no_frequency_makes_an_array_of_objects(bath):
    omega = np.geomspace(1e-6, 1e4, 50)
    for z in (omega, np.array([60.0, 1e3])):
        assert all(part.dtype == np.float64 for part in baths._sum_and_difference(z))
    np.testing.assert_array_equal(
        bath.eta(omega), [float(bath.eta(frequency)) for frequency in omega]
    )


@pytest.mark.parametrize(("coupling", "cutoff", "beta"), PARAMETERS)
def test_a_shift_is_the_same_alone_and_among_many(coupling, cutoff, beta):
    """Few frequencies are looked at in all terms together, many term by term."""
    bath = mb.OhmicBath(coupling, cutoff, beta)
    omega = np.concatenate([np.geomspace(1e-9, 1e4, 1200), [0.0]]) * cutoff
    many = bath.eta(omega)
    for some in (slice(0, None, 97), slice(-140, None)):
        np.testing.assert_array_equal(bath.eta(omega[some]), many[some])
