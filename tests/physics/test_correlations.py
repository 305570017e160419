import linear_coupling as lc
import numpy as np
import oracles
import pytest
from linear_coupling import (
    Colored,
    Lead,
    contacts_all_different,
    equal_contacts,
    fock_time_derivative,
)

from manybody.physics.gaussian.correlations import EQUATIONS, build_generator, currents
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel


def fermion_cases():
    rng = np.random.default_rng(3)
    ring = oracles.ring_hamiltonian(3)
    twisted = np.roll(np.eye(3), 1, axis=0) * np.exp(0.2j)
    return [
        ("complex", oracles.random_hermitian(rng, 3), [0, 1, 2]),
        ("real, twice on a site", oracles.random_hermitian(rng, 3, real=True), [1, 1, 2]),
        ("ring", ring, [0, 1, 2]),
        ("ring, two sites", ring, [0, 2]),
        ("ring with flux", twisted + twisted.conj().T, [0, 1]),
        ("one level", 0.3 * np.eye(3), [0, 1, 2]),
        ("one level, one site", np.eye(2) * 0.3, [1]),
        ("square", oracles.ring_hamiltonian(4), [0, 1, 3]),
        ("one site", np.array([[0.7]]), [0, 0]),
    ]


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize(("name", "matrix", "sites"), fermion_cases(), ids=lambda x: str(x)[:9])
def test_fermions_in_fock_space(name, matrix, sites, lamb_shift, equation, rng):
    model = QuadraticModel(matrix, contacts_all_different(sites))
    annihilators = lc.fermion_annihilators(model.n_sites)
    numbers = np.diag(sum(a.T @ a for a in annihilators)).round()
    # Even states: coherence between n and n + 2 particles, none between n and n + 1.
    even = (numbers[:, None] - numbers[None, :]) % 2 == 0
    rho = lc.random_state(rng, len(numbers), even)
    expected = fock_time_derivative(model, annihilators, rho, equation, lamb_shift)
    found = build_generator(model, equation, lamb_shift).derivative(
        lc.fock_correlations(annihilators, rho)
    )
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("degenerate", [False, True])
def test_bosons_in_fock_space(degenerate, lamb_shift, equation, rng):
    matrix = 0.4 * np.eye(2) if degenerate else oracles.random_hermitian(rng, 2)
    model = QuadraticModel(matrix, contacts_all_different([0, 1, 1], "boson"), "boson")
    # One boson more than the state has: no a† leads out of the space, nothing is cut off.
    annihilators, numbers = lc.boson_annihilators(2, 5)
    rho = lc.random_state(rng, len(numbers), np.logical_and.outer(numbers < 5, numbers < 5))
    expected = fock_time_derivative(model, annihilators, rho, equation, lamb_shift)
    found = build_generator(model, equation, lamb_shift).derivative(
        lc.fock_correlations(annihilators, rho)
    )
    np.testing.assert_allclose(found, expected, atol=3e-14)


def test_unclustered_davies_is_wrong_for_degenerate_modes(rng):
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, 3))[1]
    twice = (vectors * [0.2, 0.2, 1.0]) @ vectors.conj().T
    model = QuadraticModel(twice, contacts_all_different([0, 1]))
    annihilators = lc.fermion_annihilators(3)
    numbers = np.diag(sum(a.T @ a for a in annihilators)).round()
    rho = lc.random_state(rng, 8, numbers[:, None] == numbers[None, :])
    state = lc.fock_correlations(annihilators, rho)
    expected = fock_time_derivative(model, annihilators, rho, "davies", True)
    right = build_generator(model, "davies", True).derivative(state)
    wrong = build_generator(model, "davies", True, clustering=False).derivative(state)
    np.testing.assert_allclose(right, expected, atol=1e-14)
    assert np.abs(wrong - expected).max() > 1e-2


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_currents_add_up_to_the_derivative(equation, statistics, rng):
    n = 12
    shift = 5.0 * np.eye(n)
    for matrix in (oracles.random_hermitian(rng, n), oracles.ring_hamiltonian(n)):
        contacts = contacts_all_different([0, 3, 3, 7], statistics)
        model = QuadraticModel(matrix + shift, contacts, statistics)
        generator = build_generator(model, equation, True)
        state = lc.random_correlations(rng, n)
        change = generator.derivative(state)
        flow = currents(generator, state)
        assert flow.particle.shape == flow.energy.shape == (4,)
        assert flow.particle.sum() == pytest.approx(np.trace(change).real, abs=1e-14)
        energy = np.trace((matrix + shift) @ change).real
        assert flow.energy.sum() == pytest.approx(energy, abs=1e-13)
        # Contact by contact: the others at zero strength leave the part of one.
        for index, contact in enumerate(contacts):
            alone = QuadraticModel(matrix + shift, [contact], statistics)
            part = build_generator(alone, equation, True)
            closed = build_generator(QuadraticModel(matrix + shift), "redfield")
            own = part.derivative(state) - closed.derivative(state)
            assert flow.particle[index] == pytest.approx(np.trace(own).real, abs=1e-13)
            own_energy = np.trace((matrix + shift) @ own).real
            assert flow.energy[index] == pytest.approx(own_energy, abs=1e-13)


def test_currents_of_one_site_are_the_rate_equation():
    hot, cold = Colored(beta=0.5), Colored(beta=4.0, width=2.0)
    model = QuadraticModel([[0.8]], [Contact(0, hot, 0.3), Contact(0, cold, 0.5)])
    for equation in EQUATIONS:
        flow = currents(build_generator(model, equation, True), np.array([[0.25]]))
        for index, (bath, strength) in enumerate([(hot, 0.3), (cold, 0.5)]):
            rate = strength**2 * bath.spectrum(0.8) * (bath.occupation(0.8) - 0.25)
            assert flow.particle[index] == pytest.approx(rate, abs=1e-16)
            assert flow.energy[index] == pytest.approx(0.8 * rate, abs=1e-16)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_without_contacts_particles_stay(equation, rng):
    matrix = oracles.random_hermitian(rng, 6)
    state = lc.random_correlations(rng, 6)
    for contacts in ([], equal_contacts(6, strength=0.0)):
        generator = build_generator(QuadraticModel(matrix, contacts), equation, True)
        change = generator.derivative(state)
        np.testing.assert_allclose(change, -1j * (matrix @ state - state @ matrix), atol=1e-14)
        assert np.trace(change).real == pytest.approx(0.0, abs=1e-14)
        assert currents(generator, state).particle.shape == (len(contacts),)


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_equal_reservoirs_leave_the_gibbs_state_alone(equation, statistics, rng):
    n, beta, mu = 8, 1.3, -4.0 if statistics == "boson" else 0.2
    for matrix in (oracles.random_hermitian(rng, n), oracles.ring_hamiltonian(n)):
        contacts = [
            Contact(site, Colored(beta, mu, 1.0 + site, 0.1 * site, statistics), 0.3 + 0.1 * site)
            for site in (0, 2, 3)
        ]
        model = QuadraticModel(matrix, contacts, statistics)
        energies, vectors = np.linalg.eigh(matrix)
        gibbs = (vectors * contacts[0].reservoir.occupation(energies)) @ vectors.conj().T
        change = build_generator(model, equation).derivative(gibbs)
        np.testing.assert_allclose(change, 0.0, atol=2e-14)
    # The local equation does not know the levels.
    assert np.abs(build_generator(model, "local").derivative(gibbs)).max() > 1e-3


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_equal_contacts_are_covariant(equation, lamb_shift, rng):
    """With the same contact everywhere no basis of sites is special."""
    n = 7
    matrix = oracles.random_hermitian(rng, n)
    unitary = np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]
    state = lc.random_correlations(rng, n)

    def turned(a):
        return unitary @ a @ unitary.conj().T

    first = build_generator(QuadraticModel(matrix, equal_contacts(n)), equation, lamb_shift)
    second = build_generator(
        QuadraticModel(turned(matrix), equal_contacts(n)), equation, lamb_shift
    )
    np.testing.assert_allclose(
        second.derivative(turned(state)), turned(first.derivative(state)), atol=1e-14
    )


@pytest.mark.parametrize("equation", EQUATIONS)
def test_permutations_and_phases_of_sites_are_covariant(equation, rng):
    n = 6
    matrix = oracles.random_hermitian(rng, n)
    order = rng.permutation(n)
    phases = np.exp(1j * rng.uniform(0, 6, n))
    state = lc.random_correlations(rng, n)

    def turned(a):
        return phases[:, None] * a[np.ix_(order, order)] * phases.conj()

    contacts = contacts_all_different([0, 3, 5])
    place = np.argsort(order)
    moved = [Contact(int(place[c.site]), c.reservoir, c.strength) for c in contacts]
    first = build_generator(QuadraticModel(matrix, contacts), equation, True)
    second = build_generator(QuadraticModel(turned(matrix), moved), equation, True)
    np.testing.assert_allclose(
        second.derivative(turned(state)), turned(first.derivative(state)), atol=1e-14
    )


def test_redfield_matrices_are_functions_of_h(rng):
    matrix = oracles.random_hermitian(rng, 5)
    contacts = contacts_all_different([1, 4])
    generator = build_generator(QuadraticModel(matrix, contacts), "redfield", True)
    energies, vectors = np.linalg.eigh(matrix)
    damping, filling = 1j * matrix, np.zeros((5, 5), dtype=complex)
    for contact in contacts:
        bath, square = contact.reservoir, contact.strength**2
        values = 0.5 * bath.spectrum(energies) + 1j * bath.shift(energies)
        filled = 0.5 * bath.filled(energies) + 1j * bath.filled_shift(energies)
        q = contact.site
        damping[q] += square * ((vectors * values) @ vectors.conj().T)[q]
        filling[q] += square * ((vectors * filled) @ vectors.conj().T)[q]
    np.testing.assert_allclose(generator.damping_matrix(), damping, atol=1e-14)
    np.testing.assert_allclose(generator.filling_matrix(), filling, atol=1e-14)


def test_an_expensive_reservoir_is_asked_once_for_all_its_contacts(rng):
    calls = []

    class Counting(Lead):
        def shift(self, omega):
            calls.append(np.shape(omega))
            return super().shift(omega)

    contacts = [Contact(site, Counting()) for site in range(6)]
    build_generator(QuadraticModel(oracles.random_hermitian(rng, 6), contacts), "davies", True)
    assert calls == [(6,)]


def test_bad_arguments_are_refused(rng):
    model = QuadraticModel(oracles.random_hermitian(rng, 3), equal_contacts(3))
    with pytest.raises(ValueError, match="'lindblad'.*'redfield', 'davies', 'local'"):
        build_generator(model, "lindblad")
    with pytest.raises(TypeError, match="lamb_shift = 1"):
        build_generator(model, "redfield", 1)
    with pytest.raises(TypeError, match="QuadraticModel"):
        build_generator(np.eye(3), "redfield")
    generator = build_generator(model, "redfield")
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(3, 3\)"):
        currents(generator, np.eye(2))
    with pytest.raises(ValueError, match="not Hermitian"):
        currents(generator, np.triu(np.ones((3, 3))))
    with pytest.raises(ValueError, match="nan"):
        currents(generator, np.full((3, 3), np.nan))

    class Infinite(Lead):
        def spectrum(self, omega):
            return np.where(omega == 0.5, np.inf, 1.0)

    with pytest.raises(ValueError, match="spectrum of a reservoir is inf at ω = 0.5"):
        build_generator(QuadraticModel([[0.5]], [Contact(0, Infinite())]), "redfield")
