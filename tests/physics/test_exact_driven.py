from functools import partial

import numpy as np
import pytest
from leads import Contact, Lead, Model, SemiElliptic
from scipy import integrate

from manybody.physics.gaussian import exact_driven
from manybody.physics.gaussian.discretised import DiscretisedBath, chebyshev_modes
from manybody.physics.gaussian.exact import build_closed_system, converge, propagate
from manybody.physics.gaussian.exact_driven import propagate_driven

STILL = np.array([[0.3, 0.4 - 0.2j], [0.4 + 0.2j, -0.1]])
START = np.array([[0.8, 0.1 + 0.2j], [0.1 - 0.2j, 0.3]])
TIMES = np.array([0.0, 1.0, 2.5, 6.0])


def drive(t):
    turning = 0.6 * np.exp(1.3j * t)
    return STILL + np.array([[np.sin(2.0 * t), turning], [np.conj(turning), 0.2 * t]])


def model(statistics="fermion"):
    centre = 3.0 if statistics == "boson" else 0.0
    leads = [
        Lead(SemiElliptic(1.0, 2.0, centre), 1.0, 0.4, statistics),
        Lead(SemiElliptic(0.8, 2.5, centre), 2.0, -0.3, statistics),
    ]
    contacts = tuple(map(Contact, (0, 1), leads, (0.7, 0.9)))
    return Model(STILL + centre * np.eye(2), contacts, statistics)


def closed_system(n_modes, statistics="fermion"):
    own = model(statistics)
    return build_closed_system(
        own, [chebyshev_modes(contact.reservoir, n_modes) for contact in own.contacts]
    )


def assert_same(one, other, tolerance):
    for name in ("correlations", "particle_currents", "energy_currents", "interaction_energies"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance)


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_the_static_limit_is_the_eigendecomposition(statistics):
    closed = closed_system(20, statistics)
    still = closed.hamiltonian
    found = propagate_driven(closed, lambda t: still, START, TIMES)
    assert_same(found, propagate(closed, START, TIMES), 1e-13)
    assert found.time_error < 1e-13


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_against_the_schroedinger_equation_of_all_modes(statistics):
    """dU/dt = −iM(t)U by an eighth-order Runge-Kutta method, C = U C(0) U†."""
    closed = closed_system(8, statistics)
    n = len(closed.energies) + 2
    matrix = closed.matrix().astype(complex)

    def right(t, y):
        matrix[:2, :2] = drive(t)
        return (-1j * matrix @ y.reshape(n, n)).ravel()

    one = np.eye(n, dtype=complex).ravel()
    solved = integrate.solve_ivp(right, (0.0, 6.0), one, "DOP853", TIMES, rtol=1e-12, atol=1e-13)
    start = np.diag([0.0, 0.0, *closed.occupations]).astype(complex)
    start[:2, :2] = START
    found = propagate_driven(closed, drive, START, TIMES, 1e-10)
    assert found.time_error <= 1e-10
    for index, unitary in enumerate(solved.y.T.reshape(len(TIMES), n, n)):
        end = unitary @ start @ unitary.conj().T
        np.testing.assert_allclose(found.correlations[index], end[:2, :2], atol=1e-10)
        for q in (0, 1):
            particle, energy = closed.fields[q], closed.fields[q] * closed.energies
            seen = end[2:, q] @ particle, end[2:, q] @ energy
            assert found.particle_currents[index, q] == pytest.approx(2 * seen[0].imag, abs=1e-9)
            assert found.energy_currents[index, q] == pytest.approx(2 * seen[1].imag, abs=1e-9)
            interaction = found.interaction_energies[index, q]
            assert interaction == pytest.approx(2 * seen[0].real, abs=1e-9)


def test_the_error_left_is_below_the_one_stated():
    closed = closed_system(12)
    exact = propagate_driven(closed, drive, START, TIMES, 1e-12).correlations
    for tolerance in (1e-3, 1e-5, 1e-7, 1e-9):
        found = propagate_driven(closed, drive, START, TIMES, tolerance)
        error = np.abs(found.correlations - exact).max()
        assert error < found.time_error <= tolerance


def test_a_step_is_of_fourth_order():
    closed, times = closed_system(12), np.array([3.0])
    exact = propagate_driven(closed, drive, START, times, 1e-12).correlations
    start, errors = START.astype(complex), []
    for count in (12, 24, 48):
        found = exact_driven._run(closed, drive, start, times, np.array([count]))[0]
        errors.append(np.abs(found - exact).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders, 4.0, atol=0.05)


def test_a_closed_driven_level_pair_follows_its_own_equation():
    """No coupling: a rotating field, solved exactly in the rotating frame."""
    frequency, amplitude = 1.7, 0.6
    contacts = (Contact(0, None, 0.0),)
    closed = build_closed_system(Model(STILL, contacts), [DiscretisedBath([0.5], [1.0], [0.3])])

    def rotating(t):
        turning = amplitude * np.exp(1j * frequency * t)
        return np.array([[0.4, turning], [np.conj(turning), -0.4]])

    found = propagate_driven(closed, rotating, START, TIMES, 1e-11)
    frame = 0.5 * frequency * np.diag([1.0, -1.0])
    still = rotating(0.0) + frame
    energies, vectors = np.linalg.eigh(still)
    for time, correlation in zip(TIMES, found.correlations):
        turned = np.diag(np.exp(1j * time * np.diag(frame)))
        unitary = turned @ (vectors * np.exp(-1j * energies * time)) @ vectors.conj().T
        np.testing.assert_allclose(correlation, unitary @ START @ unitary.conj().T, atol=1e-11)


def test_a_jump_on_one_of_the_times_is_exact():
    closed = closed_system(15)
    quench = np.array([[1.0, 0.2], [0.2, -0.7]])
    found = propagate_driven(closed, lambda t: STILL if t < 2.5 else quench, START, TIMES, 1e-11)
    total = np.diag([0.0, 0.0, *closed.occupations]).astype(complex)
    total[:2, :2] = START
    matrix = closed.matrix().astype(complex)
    for hamiltonian, duration in ((STILL, 2.5), (quench, 3.5)):
        matrix[:2, :2] = hamiltonian
        energies, vectors = np.linalg.eigh(matrix)
        unitary = (vectors * np.exp(-1j * energies * duration)) @ vectors.conj().T
        total = unitary @ total @ unitary.conj().T
    np.testing.assert_allclose(found.correlations[-1], total[:2, :2], atol=1e-12)


def test_modes_and_time_steps_converge_together():
    run = partial(_driven, tolerance=1e-10)
    done = converge(model(), chebyshev_modes, START, [3.0, 6.0], n_modes=16, run=run)
    assert done.n_modes == (16, 32, 64) and done.changes[-1] < 2e-10


def _driven(closed, initial, times, tolerance):
    return propagate_driven(closed, drive, initial, times, tolerance)


def rough(t):
    return STILL * np.sign(np.sin(40.0 * t) + 0.3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: propagate_driven(c, lambda t: np.eye(3), START, TIMES), r"h\(0\) has shape"),
        (lambda c: propagate_driven(c, lambda t: np.triu(STILL), START, TIMES), "not Hermitian"),
        (lambda c: propagate_driven(c, lambda t: STILL * np.nan, START, TIMES), "inf or nan"),
        (lambda c: propagate_driven(c, drive, START, [1e3]), "beyond the recurrence time"),
        (lambda c: propagate_driven(c, drive, np.eye(3), TIMES), "initial of shape"),
        (lambda c: propagate_driven(c, rough, START, [1.0]), "smooth between the times"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(closed_system(10))
