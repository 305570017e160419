import linear_coupling as lc
import numpy as np
import oracles
import pytest
import scipy.linalg
from linear_coupling import Colored, contacts_all_different, equal_contacts

from manybody.physics.gaussian.correlations import EQUATIONS, build_generator
from manybody.physics.gaussian.driven import DrivenQuadraticModel, driven_correlations
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel
from manybody.physics.gaussian.relaxation import build_relaxation, propagate
from manybody.physics.gaussian.theorem import theorem_residual

TIMES = [0.0, 0.5, 3.0]


def driven(rng, contacts, n=4, rate=0.8):
    first, second = oracles.random_hermitian(rng, n), oracles.random_hermitian(rng, n)
    return DrivenQuadraticModel(lambda t: first + np.sin(rate * t) * second, contacts)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_static_limit(equation, rng):
    matrix = oracles.random_hermitian(rng, 4)
    contacts = contacts_all_different([0, 2, 3])
    start = lc.random_correlations(rng, 4)
    run = driven_correlations(
        DrivenQuadraticModel(lambda t: matrix, contacts), start, TIMES, equation, True
    )
    generator = build_generator(QuadraticModel(matrix, contacts), equation, True)
    exact = np.array(list(propagate(build_relaxation(generator), start, TIMES)))
    assert np.abs(run.correlations - exact).max() < min(1e-10, run.error)
    assert run.correlations.shape == (3, 4, 4) and run.times.tolist() == TIMES
    assert 0.0 < run.error < 1e-7


@pytest.mark.parametrize("equation", EQUATIONS)
def test_against_frozen_steps(equation, rng):
    """h frozen at the middle of short steps: order 2, extrapolated to order 6."""
    model = driven(rng, contacts_all_different([0, 1, 3]))
    start = lc.random_correlations(rng, 4)
    run = driven_correlations(model, start, [2.0], equation, True)
    table = []
    for n_steps in (32, 64, 128):
        state, step = start, 2.0 / n_steps
        for k in range(n_steps):
            frozen = model.at((k + 0.5) * step)
            generator = build_generator(frozen, equation, True)
            state = list(propagate(build_relaxation(generator), state, [step]))[0]
        table.append(state)
    rough = np.abs(table[0] - run.correlations[0]).max()
    fine = np.abs(table[1] - run.correlations[0]).max()
    assert 3.8 < rough / fine < 4.2
    fourth = [(4 * b - a) / 3 for a, b in zip(table[:-1], table[1:])]
    sixth = (16 * fourth[1] - fourth[0]) / 15
    np.testing.assert_allclose(run.correlations[0], sixth, atol=1e-9)


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_a_turning_hamiltonian_has_a_closed_form(equation, lamb_shift, rng):
    """h(t) = U h U†, U = e^{−iAt}, equal contacts: U†CU obeys a static equation with h − A."""
    n = 4
    matrix, turn = oracles.random_hermitian(rng, n), oracles.random_hermitian(rng, n)

    def rotation(time):
        return scipy.linalg.expm(-1j * time * turn)

    contacts = equal_contacts(n)
    model = DrivenQuadraticModel(lambda t: rotation(t) @ matrix @ rotation(t).conj().T, contacts)
    start = lc.random_correlations(rng, n)
    run = driven_correlations(model, start, TIMES, equation, lamb_shift)
    static = build_generator(QuadraticModel(matrix, contacts), equation, lamb_shift)
    inside = lc.exact_correlations(
        static.damping_matrix() - 1j * turn, static.filling_matrix(), start, TIMES
    )
    exact = [rotation(t) @ c @ rotation(t).conj().T for t, c in zip(TIMES, inside)]
    assert np.abs(run.correlations - exact).max() < min(1e-10, run.error)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-12])
def test_the_error_is_an_upper_estimate(tolerance, rng):
    model = driven(rng, contacts_all_different([0, 1, 3]))
    start = lc.random_correlations(rng, 4)
    exact = driven_correlations(model, start, TIMES, "redfield", tolerance=1e-13).correlations
    run = driven_correlations(model, start, TIMES, "redfield", tolerance=tolerance)
    assert np.abs(run.correlations - exact).max() < max(run.error, 1e-13)
    assert run.error < 1e5 * tolerance


def test_jumps_cost_steps_not_accuracy(rng):
    before, after = oracles.random_hermitian(rng, 3), oracles.random_hermitian(rng, 3)
    contacts = contacts_all_different([0, 2])
    model = DrivenQuadraticModel(lambda t: before if t < 0.7 else after, contacts)
    start = lc.random_correlations(rng, 3)
    run = driven_correlations(model, start, [2.0], "redfield")
    state = start
    for matrix, time in ((before, 0.7), (after, 1.3)):
        generator = build_generator(QuadraticModel(matrix, contacts), "redfield")
        state = list(propagate(build_relaxation(generator), state, [time]))[0]
    np.testing.assert_allclose(run.correlations[0], state, atol=1e-9)


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_the_theorem_holds_at_every_instant(lamb_shift, rng):
    times = np.linspace(0.0, 5.0, 11)
    model = driven(rng, equal_contacts(6), n=6)
    assert max(theorem_residual(model.at(t), lamb_shift).largest for t in times) < 1e-13
    unequal = DrivenQuadraticModel(model.hamiltonian, equal_contacts(6)[:5])
    assert min(theorem_residual(unequal.at(t), lamb_shift).largest for t in times) > 0.1
    start = lc.random_correlations(rng, 6)
    one, other = (
        driven_correlations(model, start, [3.0], equation, lamb_shift).correlations
        for equation in ("redfield", "davies")
    )
    np.testing.assert_allclose(one, other, atol=1e-10)


def test_slow_driving_follows_the_gibbs_state(rng):
    first, second = oracles.random_hermitian(rng, 3), oracles.random_hermitian(rng, 3)
    bath = Colored()

    def gibbs(matrix):
        energies, vectors = np.linalg.eigh(matrix)
        return (vectors * bath.occupation(energies)) @ vectors.conj().T

    def distance(duration):
        contacts = [Contact(site, bath, 0.7) for site in range(3)]
        model = DrivenQuadraticModel(lambda t: first + t / duration * second, contacts)
        run = driven_correlations(model, gibbs(first), [duration], "davies", tolerance=1e-9)
        return np.abs(run.correlations[0] - gibbs(first + second)).max()

    # The lag is of first order in the speed.
    assert 1e-4 < distance(20.0) == pytest.approx(0.5 * distance(10.0), rel=0.1)


def test_bad_arguments_are_refused(rng):
    contacts = equal_contacts(2)
    with pytest.raises(TypeError, match="function of time"):
        DrivenQuadraticModel(np.eye(2), contacts)
    with pytest.raises(ValueError, match="'boson'"):
        DrivenQuadraticModel(lambda t: np.eye(2), contacts, "boson")
    model = DrivenQuadraticModel(lambda t: np.diag([0.0, t]), contacts)
    with pytest.raises(ValueError, match=r"\(3, 3\).*\(2, 2\)"):
        driven_correlations(model, np.eye(3), [1.0], "davies")
    with pytest.raises(ValueError, match="'secular'"):
        driven_correlations(model, np.eye(2), [1.0], "secular")
    with pytest.raises(ValueError, match="tolerance"):
        driven_correlations(model, np.eye(2), [1.0], "davies", tolerance=0.0)
    skew = DrivenQuadraticModel(lambda t: np.array([[0.0, t], [0.0, 0.0]]), contacts)
    with pytest.raises(ValueError, match="not Hermitian"):
        driven_correlations(skew, np.eye(2), [1.0], "davies")
