"""Modes slower than rounding of L shows: run serially and under mpirun on 1, 2 and 3 ranks."""

import warnings
from functools import cache

import mpmath
import numpy as np
import oracles
import pytest

import manybody as mb

pytest.importorskip("slepc4py", reason="slepc4py not installed")

pytestmark = pytest.mark.filterwarnings(
    "ignore:the redfield steady state is no state", "ignore:levels lie so near"
)

FIRST = [17.337, -19.793, 10.119, 12.421, -14.529]
SECOND = [
    2.73133991578304,
    -8.528531085234722,
    2.1804581299558645,
    -1.2990589779639006,
    4.402320320777484,
]


@cache
def state_in_many_digits(rows, sites, bath, lamb_shift):
    """L[ρ] = 0, tr ρ = 1 by 40-digit algebra on the definition, Γ of double frequencies."""
    h, n = np.array(rows), len(rows)
    with mpmath.workdps(40):
        energies, vectors = mpmath.eigsy(mpmath.matrix(h.tolist()))

        def at(omega):
            eta = float(bath.eta(float(omega))) if lamb_shift else 0.0
            return mpmath.mpc(0.5 * float(bath.gamma(float(omega))), eta)

        matrix = mpmath.zeros(n * n)
        h_mp = mpmath.matrix(h.tolist())
        couplings = []
        for site in sites:
            own = mpmath.matrix(n)
            for a in range(n):
                for b in range(n):
                    own[a, b] = sum(
                        vectors[a, k]
                        * at(energies[m] - energies[k])
                        * vectors[site, k]
                        * vectors[site, m]
                        * vectors[b, m]
                        for k in range(n)
                        for m in range(n)
                    )
            projector = mpmath.matrix(n)
            projector[site, site] = 1
            couplings.append((projector, own))
        for a in range(n):
            for b in range(n):
                unit = mpmath.matrix(n)
                unit[a, b] = 1
                image = -1j * (h_mp * unit - unit * h_mp)
                for p, own in couplings:
                    image += own * unit * p - p * own * unit
                    image += p * unit * own.H - unit * own.H * p
                for c in range(n):
                    for d in range(n):
                        matrix[c * n + d, a * n + b] = image[c, d]
        for k in range(n * n):
            matrix[0, k] = 1 if k % (n + 1) == 0 else 0
        right = mpmath.matrix(n * n, 1)
        right[0] = 1
        solved = mpmath.lu_solve(matrix, right)
        return np.array([complex(x) for x in solved]).reshape(n, n)


def complete(eps):
    """Three sites, all connected, one of them raised by eps."""
    return np.ones((3, 3)) - np.eye(3) + np.diag([0.0, 0.0, eps])


def ring(levels):
    """A ring with these levels on its sites."""
    return oracles.ring_hamiltonian(len(levels)) + np.diag(levels)


@pytest.mark.parametrize("method", ["gmres", "assembled"])
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_levels_much_nearer_than_their_rates(comm, bath, lamb_shift, method):
    """Near-dark coherences decay as δ²/γ: the state is right, or its error is told."""
    disorder = np.array([0.3, -0.7, 0.5, 0.1])
    systems = [complete(eps) for eps in (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-3)]
    systems += [ring(1e-3 * disorder), ring(1e-6 * disorder)]
    if comm.size > 1:
        # What is hard is hard on one rank.
        systems = systems[1::4]
    for h in systems:
        model = mb.SingleParticleModel(h, [0])
        found = mb.steady_state(
            model, bath, lamb_shift=lamb_shift, start=1, comm=comm, method=method
        )
        assert found.null_dimension == 1 and found.state_error < 1e-6
        if lamb_shift and len(h) == 3:
            assert found.distance_from_gibbs == pytest.approx(0.0911, abs=1e-4)
        if comm.rank == 0:
            right = state_in_many_digits(tuple(map(tuple, h.tolist())), (0,), bath, lamb_shift)
            error = oracles.trace_distance(found.state, right)
            assert error < 1e-8 + 10.0 * found.state_error
            if not lamb_shift:
                assert oracles.trace_distance(found.state, oracles.gibbs(h, bath.beta)) < 1e-8


def test_a_splitting_that_rounding_decides_is_said(comm, bath):
    """Levels told apart by little more than rounding of H."""
    model = mb.SingleParticleModel(complete(3e-14), [0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = mb.steady_state(model, bath, lamb_shift=True, comm=comm)
    assert found.state_error > 1e-6
    if comm.rank == 0:
        said = " ".join(str(each.message) for each in caught)
        assert "in trace norm only" in said and "levels lie so near each other" in said


def test_many_levels_are_compared_with_another_start(comm, bath):
    """Beyond dense algebra a mode slower than the residual shows in what another start gives."""
    levels = 1e-5 * np.random.default_rng(1).standard_normal(28)
    model = mb.SingleParticleModel(ring(levels), [0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = mb.steady_state(model, bath, lamb_shift=True, comm=comm)
    assert found.state_error > 1e-3
    if comm.rank == 0:
        assert any("in trace norm only" in str(each.message) for each in caught)


@pytest.mark.parametrize(
    ("levels", "gap", "method"),
    [
        *(
            pytest.param(FIRST, -4.38570533e-8, method, marks=pytest.mark.up_to(1))
            for method in ("auto", "gmres", "assembled")
        ),
        (SECOND, -7.0406e-10, "auto"),
        pytest.param(SECOND, -7.0406e-10, "gmres", marks=pytest.mark.up_to(2)),
        (SECOND, -7.0406e-10, "assembled"),
    ],
    ids=[f"{one}-{two}" for one in ("first", "second") for two in ("auto", "gmres", "assembled")],
)
def test_slow_growth_beside_the_stationary_state(comm, levels, gap, method):
    """40-digit values; modes almost parallel to the stationary one are not taken for it."""
    model, bath = mb.SingleParticleModel(ring(levels)), mb.OhmicBath(0.5, 1.0, 20.0)
    found = mb.slow_modes(model, bath, 4, True, comm=comm, method=method)
    assert found.gap == pytest.approx(gap, rel=2e-5)
    assert found.gap < -found.residuals[0]
    matrix = mb.redfield_liouvillian(model, bath, True).toarray()
    every = np.linalg.eigvals(matrix)
    for value in found.eigenvalues[1:]:
        assert np.abs(every - value).min() < 1e-8


@pytest.mark.up_to(1)
def test_gaps_below_their_residual_are_no_growth(comm, bath):
    levels = 1e-9 * np.array([0.3, -0.7, 0.5, 0.1, 0.9, -0.2])
    for lamb_shift, method in ((False, "auto"), (True, "auto"), (False, "gmres")):
        model = mb.SingleParticleModel(ring(levels), [0])
        found = mb.slow_modes(model, bath, 2, lamb_shift, comm=comm, method=method)
        assert abs(found.gap) <= 1e-11
        assert found.gap >= -found.residuals[0]


def test_a_site_that_nothing_reaches(comm, bath):
    """No mode between bright levels is left to seek."""
    model = mb.SingleParticleModel(np.diag([0.0, 1.0]), [0])
    for method in ("auto", "gmres"):
        found = mb.slow_modes(model, bath, 2, True, comm=comm, method=method)
        every = np.linalg.eigvals(mb.redfield_liouvillian(model, bath, True).toarray())
        assert found.gap == pytest.approx(-every.real.min(), abs=1e-12)
