"""Driven correlation matrices beside the exact dynamics of system and baths."""

import numpy as np
import pytest

from manybody.physics.baths.band_densities import SemiEllipticDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.discretised import chebyshev_modes
from manybody.physics.gaussian.driven import DrivenQuadraticModel, driven_correlations
from manybody.physics.gaussian.exact import converge
from manybody.physics.gaussian.exact_driven import propagate_driven as propagate_exactly
from manybody.physics.gaussian.quadratic import Contact
from manybody.physics.gaussian.theorem import theorem_residual

TIMES = np.linspace(0.0, 8.0, 5)
START = np.array([[0.7, 0.1j], [-0.1j, 0.2]])


def slow(time):
    """Two sites whose detuning changes sign, with a complex hopping, on a scale of 1/0.15."""
    detuning = 0.4 * np.cos(0.15 * time)
    return np.array([[detuning, 0.5j], [-0.5j, -detuning]])


def driven(strength, unlike=1.0):
    """Contacts of `strength`, the second `unlike` times as strong, to a band of ±4."""
    density = SemiEllipticDensity(1.0, 4.0)
    left = Reservoir(density, 1.5, 0.3)
    right = Reservoir(density, 1.5, 0.3)
    return DrivenQuadraticModel(
        slow, (Contact(0, left, strength), Contact(1, right, unlike * strength))
    )


def distance(strength):
    """Largest |element| of the difference between Redfield and the exact answer."""
    model = driven(strength, 0.7)
    exact = converge(
        model.at(0.0),
        chebyshev_modes,
        START,
        TIMES,
        48,
        1e-7,
        run=lambda closed, initial, times: propagate_exactly(closed, slow, initial, times, 1e-7),
    )
    assert exact.changes[-1] < 1e-7
    run = driven_correlations(model, START, TIMES, "redfield", True, 1e-8)
    return np.abs(run.correlations - exact.trajectory.correlations).max()


def test_redfield_with_lamb_shift_is_right_to_second_order():
    """The error falls with J²."""
    strong, weak = distance(0.3), distance(0.15)
    assert strong < 0.05
    assert np.log2(strong / weak) == pytest.approx(2.0, abs=0.25)


def test_the_theorem_holds_at_every_instant():
    for lamb_shift in (False, True):
        equal, unlike = (
            [theorem_residual(model.at(t), lamb_shift).largest for t in TIMES]
            for model in (driven(0.3), driven(0.3, 0.99))
        )
        assert max(equal) < 1e-13
        assert min(unlike) > 1e-4


def test_a_static_drive_is_the_static_answer():
    frozen = slow(3.0)
    model = DrivenQuadraticModel(lambda _: frozen, driven(0.3, 0.7).contacts)
    exact = converge(model.at(0.0), chebyshev_modes, START, TIMES, 48, 1e-8)
    run = driven_correlations(model, START, TIMES, "redfield", True, 1e-10)
    difference = np.abs(run.correlations - exact.trajectory.correlations).max()
    assert 1e-4 < difference < 0.05
