import numpy as np
import oracles
import pytest
from linear_coupling import (
    Colored,
    contacts_all_different,
    exact_correlations,
    random_correlations,
)

import manybody as mb
from manybody.physics.gaussian.correlations import build_generator


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("equation", ["redfield", "davies", "local"])
def test_dynamics_and_their_end(equation, lamb_shift, rng):
    model = mb.QuadraticModel(oracles.random_hermitian(rng, 4), contacts_all_different([0, 1, 3]))
    generator = build_generator(model, equation, lamb_shift)
    start, times = random_correlations(rng, 4), [0.0, 0.7, 5.0, 2000.0]
    found = mb.correlation_dynamics(model, start, times, equation, lamb_shift)
    assert found.shape == (4, 4, 4)
    expected = exact_correlations(
        generator.damping_matrix(), generator.filling_matrix(), start, times[:3]
    )
    np.testing.assert_allclose(found[:3], expected, atol=1e-12)
    steady = mb.steady_correlations(model, equation, lamb_shift)
    assert steady.residual < 1e-13 and steady.n_undamped == 0
    np.testing.assert_allclose(found[3], steady.matrix, atol=1e-10)


def test_redfield_without_lamb_shift_is_the_default(rng):
    model = mb.QuadraticModel(oracles.random_hermitian(rng, 3), contacts_all_different([0, 2]))
    start = random_correlations(rng, 3)
    np.testing.assert_array_equal(
        mb.correlation_dynamics(model, start, [1.0]),
        mb.correlation_dynamics(model, start, [1.0], "redfield", False),
    )


def test_undamped_modes_need_a_start(rng):
    model = mb.QuadraticModel(oracles.ring_hamiltonian(6), [mb.Contact(0, Colored())])
    with pytest.raises(ValueError, match="undamped"):
        mb.steady_correlations(model)
    start = random_correlations(rng, 6)
    assert mb.steady_correlations(model, initial=start).n_undamped == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"equation": "lindblad"}, "equation = 'lindblad'"),
        ({"times": [1.0, 0.5]}, "must ascend"),
        ({"initial": np.eye(3)}, "shape"),
        ({"lamb_shift": 1}, "lamb_shift = 1"),
    ],
)
def test_bad_arguments(arguments, words, rng):
    model = mb.QuadraticModel(oracles.random_hermitian(rng, 2), [mb.Contact(0, Colored())])
    given = {"initial": np.eye(2), "times": [1.0]} | arguments
    with pytest.raises((ValueError, TypeError), match=words):
        mb.correlation_dynamics(model, **given)
