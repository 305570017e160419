from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from leads import Flat, Lead, Ohmic, SemiElliptic
from scipy import integrate, special

from manybody.physics.gaussian.discretised import (
    DiscretisedBath,
    chebyshev_modes,
    legendre_modes,
    thermal_breakpoints,
)

SQUARE_ROOT = partial(legendre_modes, power=2)
GAUSS = [
    (Lead(Flat(1.0, 10.0), 5.0, 0.3), legendre_modes, 400),
    (Lead(Flat(1.0, 10.0), 500.0, 0.3), legendre_modes, 400),
    (Lead(SemiElliptic(0.7, 2.0), 5.0), chebyshev_modes, 100),
    (Lead(SemiElliptic(0.7, 2.0), 5.0), SQUARE_ROOT, 200),
    (Lead(SemiElliptic(0.7, 2.0, 3.0), 2.0, 0.5, "boson"), chebyshev_modes, 200),
    (Lead(Ohmic(2.0), 2.0, -0.1, "boson"), legendre_modes, 400),
    (Lead(Ohmic(2.0), 2.0, 0.0, "boson"), legendre_modes, 400),
    (Lead(Ohmic(2.0, 0.5), 2.0, -0.1, "boson"), SQUARE_ROOT, 400),
    (Lead(Ohmic(1.0, 3.0), 1.0, 2.0), legendre_modes, 400),
]


def kernels(bath, times):
    """α(t) = Σ g_k² e^{−iω_k t} and α^f(t) = Σ f_k g_k² e^{−iω_k t}."""
    weights = bath.couplings**2
    phases = np.exp(-1j * np.outer(times, bath.energies))
    return phases @ weights, phases @ (weights * bath.occupations)


def agreement_time(lead, discretise, n_modes, tolerance):
    """Until when n modes give both kernels as 2n modes do, to a part of α(0) and of α^f(0)."""
    coarse, fine = discretise(lead, n_modes), discretise(lead, 2 * n_modes)
    count = int(coarse.recurrence_time * np.abs(fine.energies).max() * 8.0 / (2.0 * np.pi)) + 2
    times = np.linspace(0.0, coarse.recurrence_time, count)
    agrees = np.ones(count, dtype=bool)
    for kernel, reference in zip(kernels(coarse, times), kernels(fine, times)):
        agrees &= np.abs(kernel - reference) <= tolerance * np.abs(reference[0])
    return coarse.recurrence_time if agrees.all() else times[max(0, np.argmin(agrees) - 1)]


def occupied_kernel(lead, low, high, t):
    """∫dω/2π f D e^{−iωt} by QUADPACK's oscillating weights between the poles of f."""
    mu, width = lead.chemical_potential, 1.0 / lead.beta
    ladder = [mu + sign * width * 3.0**j for j in range(-12, 12) for sign in (1, -1)]
    cuts = sorted({low, high, *(p for p in [mu, *ladder] if low < p < high)})
    # Towards a band edge, where D and f may be any power.
    cuts = sorted({*cuts, *(low + (cuts[1] - low) * 4.0**-j for j in range(12))})
    parts = [
        integrate.quad(lead.filled, a, b, weight=weight, wvar=t, epsabs=1e-13, epsrel=1e-13)[0]
        for a, b in zip(cuts[:-1], cuts[1:])
        for weight in ("cos", "sin")
    ]
    return (sum(parts[::2]) - 1j * sum(parts[1::2])) / (2 * np.pi)


@pytest.mark.parametrize(("lead", "discretise", "n_modes"), GAUSS)
def test_gauss_modes_give_both_kernels_until_the_measured_time(lead, discretise, n_modes):
    bath = discretise(lead, n_modes)
    until = agreement_time(lead, discretise, n_modes, 1e-10)
    assert 0.4 * bath.recurrence_time < until < bath.recurrence_time
    times = np.linspace(0.0, until, 300)
    kernel, filled = kernels(bath, times)
    # The closed form knows nothing of modes; 1e-12 of its weight is outside the window.
    scale = abs(lead.density.kernel(0.0))
    assert np.abs(kernel - lead.density.kernel(times)).max() < 1.2e-10 * scale
    low, high = lead.density.support
    high = min(high, 40.0 * getattr(lead.density, "cutoff", 1.0) + 20.0)
    for t in (0.0, 0.37 * until, until):
        exact = occupied_kernel(lead, low, high, t)
        found = kernels(bath, [t])[1][0]
        assert abs(found - exact) < 1.5e-10 * abs(filled[0]), t


@pytest.mark.parametrize(("lead", "discretise", "n_modes"), GAUSS[:4])
def test_nothing_agrees_at_the_recurrence_time(lead, discretise, n_modes):
    bath = discretise(lead, n_modes)
    times = bath.recurrence_time * np.linspace(0.95, 1.1, 200)
    error = np.abs(kernels(bath, times)[0] - lead.density.kernel(times)).max()
    assert error > 1e-2 * abs(lead.density.kernel(0.0))


def test_gauss_modes_converge_exponentially():
    lead, times = Lead(Flat(1.0, 10.0), 5.0, 0.3), np.linspace(0.0, 8.0, 81)
    exact = [occupied_kernel(lead, -10.0, 10.0, t) for t in times[::20]]
    errors = []
    for n_modes in (50, 100, 150, 200, 300):
        filled = kernels(legendre_modes(lead, n_modes), times[::20])[1]
        errors.append(np.abs(filled - exact).max())
    assert errors[1] < 1e-2 * errors[0] and errors[2] < 1e-2 * errors[1]
    assert errors[-1] < 1e-13


def test_chebyshev_modes_are_those_of_a_uniform_chain():
    """A chain of n sites with hopping W/2 is a semi-elliptic band seen from its end."""
    bath = chebyshev_modes(Lead(SemiElliptic(0.7, 2.0), 5.0), 30)
    energies, modes = np.linalg.eigh(np.eye(30, k=1) + np.eye(30, k=-1))
    np.testing.assert_allclose(bath.energies, energies, atol=1e-14)
    total = 0.7 * 2.0 / 4.0
    np.testing.assert_allclose(bath.couplings, np.sqrt(total) * np.abs(modes[0]), atol=1e-14)
    np.testing.assert_allclose(bath.occupations, special.expit(-5.0 * energies), atol=1e-14)


def test_infinite_ends_are_cut_where_nothing_is_left():
    ohmic = Lead(Ohmic(2.0), 1.0, -1.0, "boson")
    bath = legendre_modes(ohmic, 200)
    assert special.gammaincc(2, 0.5 * bath.energies.max()) < 1e-11
    assert np.sum(bath.couplings**2) == pytest.approx(4.0 / (2 * np.pi), rel=1e-11)
    for flat in (Flat(1.0, 1e-6), Flat(1.0, 1e6)):
        weight = np.sum(legendre_modes(Lead(flat), 5).couplings ** 2)
        assert weight == pytest.approx(flat.half_width / np.pi, rel=1e-13)


@dataclass(frozen=True)
class TwoSided:
    """|ω| e^{−|ω|}: a cusp at 0 on an infinite band."""

    support = (-np.inf, np.inf)
    breakpoints = (0.0,)

    def __call__(self, omega):
        with np.errstate(under="ignore"):
            return np.abs(omega) * np.exp(-np.abs(omega))


@dataclass(frozen=True)
class DrudeLorentz:
    support = (0.0, np.inf)
    breakpoints = ()

    def __call__(self, omega):
        return omega / (1.0 + np.square(omega))


def test_panels_end_at_breakpoints():
    bath = legendre_modes(Lead(TwoSided(), 1.0), 300)
    times = np.linspace(0.0, 6.0, 61)
    exact = (1.0 / (1.0 + 1j * times) ** 2).real / np.pi
    assert np.abs(kernels(bath, times)[0] - exact).max() < 1e-12


def test_a_tail_of_infinite_weight_has_no_window():
    lead = Lead(DrudeLorentz(), 1.0, -1.0, "boson")
    with pytest.raises(ValueError, match="modes of your own are needed"):
        legendre_modes(lead, 10)


def test_thermal_breakpoints():
    hot = Lead(Flat(1.0, 10.0), 0.1)
    assert thermal_breakpoints(hot, -10.0, 10.0) == ()
    cold = np.array(thermal_breakpoints(Lead(Flat(), 400.0, 1.0), -10.0, 10.0))
    distances = np.abs(cold - 1.0)
    assert distances.min() == pytest.approx(0.01)
    assert cold.min() > -10.0 and cold.max() < 10.0
    # Bosons: the pole sits on the real axis, just below the band.
    boson = Lead(Ohmic(), 1.0, -0.02, "boson")
    assert min(thermal_breakpoints(boson, 0.0, 60.0)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: legendre_modes(Lead(Flat()), 0), ValueError, "n_modes = 0"),
        (lambda: legendre_modes(Lead(Flat()), 9, power=0), ValueError, "power = 0"),
        (lambda: chebyshev_modes(Lead(Ohmic()), 9), ValueError, "finite band"),
        (lambda: legendre_modes(Lead(Flat(-1.0)), 9), ValueError, r"density\(.*\) = -1"),
        (lambda: legendre_modes(Lead(Flat(np.nan)), 9), ValueError, r"= nan: must be finite"),
        (lambda: legendre_modes(Lead(Flat(0.0)), 9), ValueError, "has no weight"),
        (lambda: DiscretisedBath([0.0], [1.0, 2.0], [0.5]), ValueError, "couplings has shape"),
        (lambda: DiscretisedBath([0.0], [-1.0], [0.5]), ValueError, "couplings contains -1"),
        (lambda: DiscretisedBath([], [], []), ValueError, "M >= 1"),
        (lambda: DiscretisedBath([np.nan], [1.0], [0.5]), ValueError, "energies contains nan"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
