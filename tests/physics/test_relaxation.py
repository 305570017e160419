import linear_coupling as lc
import numpy as np
import oracles
import pytest
import scipy.linalg
from linear_coupling import Colored, Lead, Window, contacts_all_different, equal_contacts

from manybody.physics.gaussian.correlations import EQUATIONS, build_generator, currents
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel
from manybody.physics.gaussian.relaxation import (
    Relaxation,
    build_relaxation,
    propagate,
    steady_correlations,
)

TIMES = [0.0, 1e-9, 0.3, 2.0, 7.0, 40.0]


def cases():
    rng = np.random.default_rng(5)
    ring = oracles.ring_hamiltonian(6)
    star = np.zeros((6, 6))
    star[0, 1:] = star[1:, 0] = 1.0
    return [
        ("complex", oracles.random_hermitian(rng, 6), contacts_all_different([0, 2, 5])),
        ("one contact", oracles.random_hermitian(rng, 5), contacts_all_different([3])),
        ("ring, all equal", ring, equal_contacts(6)),
        ("ring, every other", ring, equal_contacts(6)[::2]),
        ("ring, one: dark modes", ring, equal_contacts(1)),
        ("star: many dark modes", star, contacts_all_different([0])),
        ("star, one tip", star, contacts_all_different([2, 2])),
        ("one level", 0.3 * np.eye(4), contacts_all_different([1, 2])),
        ("blocks", scipy.linalg.block_diag(ring, ring)[:8, :8], contacts_all_different([0, 7])),
        ("closed", oracles.random_hermitian(rng, 4), []),
        ("one site", np.array([[0.4]]), contacts_all_different([0, 0])),
    ]


def decay(model, equation, lamb_shift=True):
    return build_relaxation(build_generator(model, equation, lamb_shift))


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize(("name", "matrix", "contacts"), cases(), ids=lambda x: str(x)[:22])
def test_dynamics_against_one_exponential(name, matrix, contacts, equation, rng):
    model = QuadraticModel(matrix, contacts)
    start = lc.random_correlations(rng, model.n_sites)
    for lamb_shift in (False, True):
        relaxation = decay(model, equation, lamb_shift)
        generator = relaxation.generator
        expected = lc.exact_correlations(
            generator.damping_matrix(), generator.filling_matrix(), start, TIMES
        )
        found = np.array(list(propagate(relaxation, start, TIMES)))
        np.testing.assert_allclose(found, expected, atol=2e-12)
        assert relaxation.right is not None, relaxation.condition


@pytest.mark.parametrize("equation", EQUATIONS)
def test_boson_dynamics(equation, rng):
    model = QuadraticModel(
        oracles.random_hermitian(rng, 4), contacts_all_different([0, 3], "boson"), "boson"
    )
    relaxation = decay(model, equation)
    generator = relaxation.generator
    start = lc.random_correlations(rng, 4, largest=3.0)
    expected = lc.exact_correlations(
        generator.damping_matrix(), generator.filling_matrix(), start, TIMES
    )
    np.testing.assert_allclose(list(propagate(relaxation, start, TIMES)), expected, atol=2e-12)


def exceptional(offset=0.0):
    """R = [[½J²D, i/2], [i/2, 0]] at J²D = 2: both eigenvalues ½."""
    lead = Lead(width=1.0)
    contact = Contact(0, lead, np.sqrt(2.0) + offset)
    return QuadraticModel([[0.0, 0.5], [0.5, 0.0]], [contact])


@pytest.mark.parametrize("offset", [0.0, 1e-12, 1e-8, 1e-4, 1e-3, 1e-2, 0.1])
def test_exceptional_points(offset, rng):
    relaxation = decay(exceptional(offset), "local", False)
    generator = relaxation.generator
    damping, filling = generator.damping_matrix(), generator.filling_matrix()
    start = lc.random_correlations(rng, 2)
    times = [0.0, 0.1, 0.2, 0.3, 5.0, 60.0]
    expected = lc.exact_correlations(damping, filling, start, times)
    np.testing.assert_allclose(list(propagate(relaxation, start, times)), expected, atol=1e-12)
    assert (relaxation.right is None) == (offset < 1e-5)
    if offset >= 1e-4:
        # The eigenvalues part like the root of the offset.
        assert relaxation.condition == pytest.approx(0.5946 / np.sqrt(offset), rel=0.2)
    steady = steady_correlations(relaxation)
    np.testing.assert_allclose(steady.matrix, expected[-1], atol=1e-11)
    assert steady.residual < 1e-14 and steady.n_undamped == 0


def test_an_exceptional_point_of_third_order(rng):
    """R = ih + diag(1 + γ, 1, 1 − γ) on a chain of hopping ½: one eigenvector at γ² = ½."""
    chain = 0.5 * (np.eye(3, k=1) + np.eye(3, k=-1))
    half_rates = 1.0 + np.array([1.0, 0.0, -1.0]) / np.sqrt(2.0)
    contacts = [Contact(q, Lead(), np.sqrt(2.0 * rate)) for q, rate in enumerate(half_rates)]
    relaxation = decay(QuadraticModel(chain, contacts), "local", False)
    assert relaxation.right is None and relaxation.condition > 1e6
    np.testing.assert_allclose(relaxation.rates, 1.0, atol=1e-4)
    generator = relaxation.generator
    damping, filling = generator.damping_matrix(), generator.filling_matrix()
    start = lc.random_correlations(rng, 3)
    expected = lc.exact_correlations(damping, filling, start, TIMES)
    np.testing.assert_allclose(list(propagate(relaxation, start, TIMES)), expected, atol=1e-13)
    assert steady_correlations(relaxation).residual < 1e-14


def test_doubling_agrees_with_modes(rng):
    """The two ways to C(t), on a case that both can take."""
    model = QuadraticModel(oracles.random_hermitian(rng, 8), contacts_all_different([0, 4, 7]))
    relaxation = decay(model, "redfield")
    plain = Relaxation(relaxation.generator, relaxation.rates, None, None, np.inf, 0.0)
    start = lc.random_correlations(rng, 8)
    times = np.concatenate([np.arange(20) * 0.7, [1000.0]])
    one, other = (np.array(list(propagate(r, start, times))) for r in (relaxation, plain))
    np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(
        steady_correlations(plain).matrix, steady_correlations(relaxation).matrix, atol=1e-12
    )


@pytest.mark.parametrize("equation", EQUATIONS)
def test_steady_state(equation, rng):
    for statistics in ("fermion", "boson"):
        contacts = contacts_all_different([0, 4, 9], statistics)
        model = QuadraticModel(oracles.random_hermitian(rng, 10), contacts, statistics)
        relaxation = decay(model, equation)
        steady = steady_correlations(relaxation)
        damping = relaxation.generator.damping_matrix()
        filling = relaxation.generator.filling_matrix()
        exact = scipy.linalg.solve_continuous_lyapunov(damping, filling + filling.conj().T)
        np.testing.assert_allclose(steady.matrix, exact, atol=1e-12)
        assert steady.n_undamped == 0
        assert steady.residual < 1e-14
        late = list(propagate(relaxation, np.zeros((10, 10)), [1e6]))[0]
        np.testing.assert_allclose(late, steady.matrix, atol=1e-11)
        flow = currents(relaxation.generator, steady.matrix)
        assert abs(flow.particle.sum()) < 1e-14 and abs(flow.energy.sum()) < 1e-14
        assert np.abs(flow.particle).max() > 1e-3


@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_equal_reservoirs_lead_to_the_gibbs_state(equation, rng):
    matrix = oracles.random_hermitian(rng, 7)
    contacts = [Contact(s, Colored(beta=3.0, width=1.0 + s), 0.3) for s in (1, 5)]
    steady = steady_correlations(decay(QuadraticModel(matrix, contacts), equation, False))
    energies, vectors = np.linalg.eigh(matrix)
    gibbs = (vectors * contacts[0].reservoir.occupation(energies)) @ vectors.conj().T
    np.testing.assert_allclose(steady.matrix, gibbs, atol=1e-13)


def test_heat_flows_from_hot_to_cold_with_davies(rng):
    matrix = oracles.random_hermitian(rng, 5)
    contacts = [Contact(0, Lead(beta=0.5, chemical_potential=0.0), 0.3)]
    contacts += [Contact(4, Lead(beta=4.0, chemical_potential=0.0), 0.3)]
    relaxation = decay(QuadraticModel(matrix, contacts), "davies")
    flow = currents(relaxation.generator, steady_correlations(relaxation).matrix)
    assert flow.energy[0] > 1e-4 and flow.energy[1] < -1e-4


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_davies_occupations_stay_between_zero_and_one(lamb_shift, rng):
    for matrix in (oracles.random_hermitian(rng, 6), oracles.ring_hamiltonian(6)):
        model = QuadraticModel(matrix, contacts_all_different([0, 1, 1, 4]))
        relaxation = decay(model, "davies", lamb_shift)
        pure = np.diag([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
        for state in propagate(relaxation, pure, np.geomspace(1e-3, 1e3, 40)):
            values = np.linalg.eigvalsh(state)
            assert values[0] > -1e-14 and values[-1] < 1.0 + 1e-14


@pytest.mark.parametrize("equation", EQUATIONS)
def test_one_site_is_the_rate_equation(equation):
    hot, cold = Colored(beta=0.5), Colored(beta=4.0, width=2.0)
    model = QuadraticModel([[0.8]], [Contact(0, hot, 0.3), Contact(0, cold, 0.5)])
    gain = 0.09 * hot.filled(0.8) + 0.25 * cold.filled(0.8)
    total = 0.09 * hot.spectrum(0.8) + 0.25 * cold.spectrum(0.8)
    relaxation = decay(model, equation)
    for time, state in zip(TIMES, propagate(relaxation, [[0.9]], TIMES)):
        exact = gain / total + np.exp(-total * time) * (0.9 - gain / total)
        assert state[0, 0] == pytest.approx(exact, abs=1e-15)
    assert steady_correlations(relaxation).matrix[0, 0] == pytest.approx(gain / total, abs=1e-15)


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize(
    ("matrix", "sites", "n_undamped"),
    [
        (oracles.ring_hamiltonian(6), [0], 2),
        (oracles.ring_hamiltonian(12), [0, 6], 5),
        (np.eye(5), [2, 4], 3),
        (oracles.ring_hamiltonian(5), [], 5),
    ],
)
def test_dark_modes_are_counted_and_keep_their_occupation(
    equation, matrix, sites, n_undamped, rng
):
    n = len(matrix)
    relaxation = decay(QuadraticModel(matrix, contacts_all_different(sites)), equation)
    assert relaxation.n_undamped == n_undamped
    with pytest.raises(ValueError, match=f"{n_undamped} modes are undamped"):
        steady_correlations(relaxation)
    start = lc.random_correlations(rng, n)
    steady = steady_correlations(relaxation, start)
    assert steady.n_undamped == n_undamped and steady.residual < 1e-14
    # Undamped modes turn at different rates: the average over many turns.
    step = 0.37
    late = list(propagate(relaxation, start, 3e4 + step * np.arange(3000)))
    np.testing.assert_allclose(np.mean(late, axis=0), steady.matrix, atol=4e-3)


def test_modes_out_of_reach_of_the_band(rng):
    """Davies leaves levels without reservoir states alone; Redfield may fill them without end."""
    matrix = oracles.random_hermitian(rng, 6)
    energies = np.linalg.eigvalsh(matrix)
    top = 0.5 * (energies[3] + energies[4])
    contacts = [Contact(0, Window(top=top), 0.4), Contact(2, Window(top=top, beta=0.5), 0.4)]
    davies = decay(QuadraticModel(matrix, contacts), "davies", False)
    assert davies.n_undamped == 2
    start = lc.random_correlations(rng, 6)
    steady = steady_correlations(davies, start)
    vectors = np.linalg.eigh(matrix)[1]
    kept = np.diagonal(vectors.conj().T @ (steady.matrix - start) @ vectors)[4:]
    np.testing.assert_allclose(kept, 0.0, atol=1e-13)
    redfield = decay(QuadraticModel(matrix, contacts), "redfield", False)
    assert redfield.n_undamped == 2
    with pytest.raises(ValueError, match="filled at the rate"):
        steady_correlations(redfield, start)


def test_a_defective_matrix_with_undamped_modes_is_refused():
    pair = exceptional().hamiltonian
    matrix = scipy.linalg.block_diag(pair, [[0.3]])
    relaxation = decay(QuadraticModel(matrix, exceptional().contacts), "local", False)
    with pytest.raises(ValueError, match="defective.*1 undamped"):
        steady_correlations(relaxation, np.eye(3))


def test_bad_starts_and_times_are_refused(rng):
    relaxation = decay(QuadraticModel(np.diag([0.0, 1.0]), equal_contacts(2)), "davies")
    with pytest.raises(ValueError, match="ascend"):
        propagate(relaxation, np.eye(2), [1.0, 0.5])
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        propagate(relaxation, np.eye(3), [1.0])
    with pytest.raises(TypeError, match="dtype"):
        propagate(relaxation, [["a"]], [1.0])


def test_growing_modes_are_refused_a_steady_state(rng):
    """With the Lamb shift Redfield can amplify modes that the reservoir hardly damps."""
    model = QuadraticModel(
        oracles.random_hermitian(rng, 4), [Contact(0, Colored(width=1.5, slope=4.0), 1.0)]
    )
    relaxation = decay(model, "redfield", True)
    slowest = np.linalg.eigvals(relaxation.generator.damping_matrix()).real.min()
    assert slowest < -1e-4 and relaxation.n_growing >= 1 and relaxation.n_undamped == 0
    with pytest.raises(ValueError, match="modes grow.*redfield"):
        steady_correlations(relaxation, np.zeros((4, 4)))
    late = [20.0 / -slowest, 21.0 / -slowest]
    first, second = (np.abs(state).max() for state in propagate(relaxation, np.eye(4), late))
    assert second / first == pytest.approx(np.e**2, rel=0.3)
    # Without the shift R is similar to ih + √D P √D, and Davies is damped in any case.
    assert decay(model, "redfield", False).n_growing == 0
    assert decay(model, "davies", True).n_growing == 0
