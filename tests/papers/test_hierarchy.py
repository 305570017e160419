"""The exact answer for density coupling: its parts, and check values without QuTiP."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.sparse as sp
from drude_states import NAMES, WRITTEN, drude, random_state, written
from hierarchy_values import build_case
from oracles import random_hermitian

import manybody as mb
from manybody.errors import NumericalError
from manybody.papers.snm.hierarchy import cases as hierarchy
from manybody.papers.snm.hierarchy import states as exact_states
from manybody.physics import reference


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_relative_couplings_and_the_sum_are_an_orthogonal_matrix(n):
    rows = exact_states.relative_couplings(n)
    whole = np.vstack([np.full((1, n), 1.0 / np.sqrt(n)), rows])
    np.testing.assert_allclose(whole @ whole.T, np.eye(n), atol=1e-15)


def test_trace_norms(rng):
    stack = np.array([random_hermitian(rng, 4) for _ in range(5)])
    expected = np.linalg.svd(stack, compute_uv=False).sum(axis=1)
    np.testing.assert_allclose(exact_states.trace_norms(stack), expected, rtol=1e-13)
    np.testing.assert_allclose(exact_states.trace_norms(stack[0]), expected[:1], rtol=1e-13)
    stack[2, 0, 1] = np.nan
    norms = exact_states.trace_norms(stack)
    assert norms[2] == np.inf and np.isfinite(norms[[0, 1, 3, 4]]).all()


def stiff(rng, n, size, fastest):
    """A stable matrix with a kernel: a Lindblad generator coupled to quickly decaying rest."""
    hamiltonian = random_hermitian(rng, n)
    matrix = np.zeros((size, size), dtype=complex)
    small = reference.davies_liouvillian(
        hamiltonian, reference.site_couplings(n), drude(), True, 1e-9
    )
    # Rows to columns.
    order = np.arange(n * n).reshape(n, n).T.ravel()
    matrix[: n * n, : n * n] = small[np.ix_(order, order)]
    rest = np.arange(n * n, size)
    matrix[rest, rest] = -np.geomspace(1.0, fastest, len(rest))
    feed = 0.2 * (rng.normal(size=(len(rest), n * n)) + 1j * rng.normal(size=(len(rest), n * n)))
    matrix[n * n :, : n * n] = feed
    return matrix, small


def test_the_rational_space_propagates_as_the_exponential_does(rng):
    """Also fed back, and with rates up to 10⁵ that no time resolves."""
    n, size = 2, 160
    matrix, _ = stiff(rng, n, size, 1e5)
    back = 0.02 * (rng.normal(size=(4, size - 4)) + 1j * rng.normal(size=(4, size - 4)))
    # The trace stays.
    back[3] = -back[0]
    matrix[:4, 4:] = back
    start, times = random_state(rng, n), np.array([0.0, 0.3, 2.0, 17.0, 200.0])
    found = exact_states.propagate(sp.csc_matrix(matrix), start, times, 1.5)
    vector = np.zeros(size, dtype=complex)
    vector[:4] = start.ravel("F")
    for time, state in zip(times, found.states):
        truth = (scipy.linalg.expm(time * matrix) @ vector)[:4].reshape(n, n, order="F")
        np.testing.assert_allclose(state, truth, atol=1e-9)
    assert found.change.largest < 1e-7
    late = (hierarchy.stationary_projection(matrix) @ vector)[:4].reshape(n, n, order="F")
    np.testing.assert_allclose(found.late, late, atol=1e-9)


def test_a_small_space_is_exact_and_growth_is_no_answer(rng):
    matrix, small = stiff(rng, 2, 4, 1.0)
    start = random_state(rng, 2)
    found = exact_states.propagate(sp.csc_matrix(matrix), start, np.array([3.0]), 1.5)
    truth = (scipy.linalg.expm(3.0 * small) @ start.ravel()).reshape(2, 2)
    np.testing.assert_allclose(found.states[0], truth, atol=1e-13)
    assert found.change == exact_states.Change(0.0, 0.0)
    growing = sp.csc_matrix(matrix + 0.1 * np.eye(4))
    lost = exact_states.propagate(growing, start, np.array([3.0]), 1.5)
    assert np.isnan(lost.late).all()
    assert exact_states.change_between(lost.states, lost.late, found.states, found.late) == (
        exact_states.Change(np.inf, np.inf)
    )


@pytest.mark.parametrize("equation", NAMES)
@pytest.mark.parametrize("shift", [False, True])
def test_equations_evolve_by_their_definition(equation, shift, rng):
    n = 3
    hamiltonian, start, times = (
        random_hermitian(rng, n),
        random_state(rng, n),
        np.array([0.0, 7.0]),
    )
    states, late = hierarchy.evolve(hamiltonian, drude(), equation, shift, start, times)
    given = hamiltonian, reference.site_couplings(n), drude()
    if equation == "davies":
        matrix = reference.davies_liouvillian(*given, shift, 1e-9)
    elif equation == "redfield":
        matrix = reference.redfield_liouvillian(*given, shift)
    elif equation == "local":
        matrix = reference.local_liouvillian(*given, shift)
    else:
        matrix = mb.liouvillian(
            mb.SingleParticleModel(hamiltonian), drude(), equation, shift
        ).toarray()
    for time, state in ((0.0, states[0]), (7.0, states[1]), (1e5, late)):
        truth = (scipy.linalg.expm(time * matrix) @ start.ravel()).reshape(n, n)
        np.testing.assert_allclose(state, truth, atol=1e-9)


def test_what_stays_where_nothing_relaxes(rng):
    """H and all A_j diagonal: populations stay, whatever they are; coherences go."""
    start = random_state(rng, 3)
    states = hierarchy.evolve(
        np.diag([0.0, 0.4, 1.0]), drude(), "redfield", True, start, np.ones(1)
    )
    np.testing.assert_allclose(states[1], np.diag(np.diag(start)), atol=1e-13)


def test_what_grows_has_no_late_state(monkeypatch):
    given = np.diag([0.0, 1.0]), drude(), "redfield", True, np.diag([1.0, 0.0]), np.ones(1)
    matrix = reference.redfield_liouvillian(given[0], reference.site_couplings(2), drude(), True)

    class Growing:
        def toarray(self):
            return matrix + 0.01 * np.eye(4)

    monkeypatch.setattr(hierarchy, "liouvillian", lambda *_: Growing())
    with pytest.raises(NumericalError, match="'redfield' with Lamb shift has a mode that grows"):
        hierarchy.evolve(*given)


def deviations(n_sites, coupling, equation, shift=True):
    """Differences of the states, and of the late ones in the eigenbasis of H."""
    hamiltonian, bath, start = build_case(n_sites, coupling)
    states, late = hierarchy.evolve(
        hamiltonian, bath, equation, shift, start, np.array(WRITTEN["times"])
    )
    exact, exact_late, _ = written(n_sites, coupling)
    vectors = np.linalg.eigh(hamiltonian)[1]
    return states - exact, vectors.conj().T @ (late - exact_late) @ vectors


def test_check_values_are_states():
    for case in WRITTEN["cases"]:
        states, late, _ = written(case["n_sites"], case["coupling"])
        for rho in (*states, late):
            assert abs(np.trace(rho) - 1.0) < 1e-8
            np.testing.assert_allclose(rho, rho.conj().T, atol=2e-9)
            assert np.linalg.eigvalsh(rho).min() > 0.0


@pytest.mark.parametrize("n_sites", [2, 3])
@pytest.mark.parametrize("equation", NAMES)
def test_errors_are_of_second_order_but_where_an_equation_lacks_what_is(n_sites, equation):
    """At once there is only the slip, of order J_int² in the state; after equal relaxation, at
    equal J_int² t, rates wrong by that part of themselves and the late state add theirs."""
    small, large = (
        exact_states.trace_norms(deviations(n_sites, g, equation)[0]) for g in (0.1, 0.2)
    )
    assert WRITTEN["times"][3] * 0.1**2 == pytest.approx(WRITTEN["times"][2] * 0.2**2)
    assert large[0] / small[0] == pytest.approx(4.0, rel=0.02)
    if equation in ("redfield", "universal-lindblad"):
        assert large[2] / small[3] == pytest.approx(4.0, rel=0.1)
        assert small.max() < 4e-3
    elif equation == "local":
        assert large[2] / small[3] == pytest.approx(1.0, rel=0.02)
    else:
        assert (
            small.max()
            > 2.5 * exact_states.trace_norms(deviations(n_sites, 0.1, "redfield")[0]).max()
        )


def test_late_states_by_orders_of_the_coupling():
    """L₀ρ₂ + L₂ρ₀ = 0 gives coherences of second order to an equation that has L₂, shift and all;
    populations of second order would need L₄.  Davies has no coherences at all."""

    def parts(coupling, equation, shift=True):
        late = deviations(2, coupling, equation, shift)[1]
        return abs(late[0, 0].real), abs(late[0, 1])

    for equation, power in (("redfield", 4), ("davies", 2)):
        (p, c), (more_p, more_c) = (parts(g, equation) for g in (0.2, 0.4))
        assert np.log2(more_p / p) == pytest.approx(2.0, abs=0.05), equation
        assert np.log2(more_c / c) == pytest.approx(power, abs=0.15), equation
    # Half of Γ is not enough for the coherences, and gives the Gibbs state.
    (_, c), (_, more_c) = (parts(g, "redfield", False) for g in (0.2, 0.4))
    assert np.log2(more_c / c) == pytest.approx(2.0, abs=0.05)
    assert parts(0.2, "redfield", False)[1] == pytest.approx(parts(0.2, "davies")[1], rel=1e-8)
    # What the local equation misses does not fall.
    assert parts(0.1, "local")[0] == pytest.approx(parts(0.2, "local")[0], rel=0.01)


def euclidean_correlation(bath, u):
    """C(−iu) = ∫ dω/2π D(ω) cosh((β/2 − u)ω) / sinh(βω/2), 0 < u < β."""

    def integrand(omega):
        up, down = np.exp(-omega * u), np.exp(-omega * (bath.beta - u))
        return bath.density(omega) * (up + down) / -np.expm1(-bath.beta * omega)

    pieces = [0.0, 1.0, 10.0, 100.0, 1000.0, 30.0 / min(u, bath.beta - u) + 2000.0]
    return sum(
        scipy.integrate.quad(integrand, a, b, epsabs=1e-11, limit=200)[0]
        for a, b in zip(pieces, pieces[1:])
    ) / (2.0 * np.pi)


def mean_force(hamiltonian, bath):
    """Second-order part of tr_B e^{−β(H + Σ A_jB_j)} / Z, as a definition has it."""
    beta, n = bath.beta, len(hamiltonian)
    energies, vectors = np.linalg.eigh(hamiltonian)
    coupled = [vectors.conj().T @ a @ vectors for a in reference.site_couplings(n)]

    def at(a, tau):
        return np.exp(tau * energies)[:, None] * a * np.exp(-tau * energies)

    nodes, weights = np.polynomial.legendre.leggauss(24)
    half, halves = 0.5 * (nodes + 1.0), 0.5 * weights
    total = np.zeros((n, n), dtype=complex)
    for x, w in zip(half, halves):
        # C(−iu) has logarithms at both ends: u = β x²(3 − 2x) flattens them.
        u, du = beta * x * x * (3.0 - 2.0 * x), 6.0 * beta * x * (1.0 - x) * w
        inner = sum(
            (beta - u) * v * at(a, tau) @ at(a, tau - u)
            for y, v in zip(half, halves)
            for tau in [u + (beta - u) * y]
            for a in coupled
        )
        total += du * euclidean_correlation(bath, u) * inner
    boltzmann = np.diag(np.exp(-beta * energies))
    order = boltzmann @ total
    gibbs = boltzmann / np.trace(boltzmann)
    second = order / np.trace(boltzmann) - gibbs * np.trace(order) / np.trace(boltzmann)
    return vectors @ second @ vectors.conj().T


@pytest.mark.parametrize("n_sites", [2, 3])
def test_the_exact_late_state_is_that_of_the_whole_in_equilibrium(n_sites):
    """Not the Gibbs state of H: the difference is mean force, to second order a double integral
    over imaginary time that knows nothing of hierarchies."""
    off = []
    for coupling in (0.1, 0.2):
        hamiltonian, bath, _ = build_case(n_sites, coupling)
        _, late, _ = written(n_sites, coupling)
        difference = late - reference.gibbs_state(hamiltonian, bath.beta)
        second = mean_force(hamiltonian, bath)
        assert np.abs(second).max() > 2e-4
        off.append(np.abs(difference - second).max() / np.abs(second).max())
    assert off[0] < 0.01 and off[1] < 0.03
