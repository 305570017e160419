"""L_1 by perturbation theory against finite differences of whole generators, and what follows."""

import itertools

import many_body_cases as cases
import many_body_oracles as slow
import numpy as np
import pytest
import scipy.linalg
from fock_oracles import currents, entropy_production, propagate

from manybody.physics.baths.densities import DrudeLorentzDensity
from manybody.physics.baths.ohmic import OhmicBath
from manybody.physics.baths.thermal import ThermalBath
from manybody.physics.fock.basis import FockBasis, number_operator
from manybody.physics.fock.couplings import Coupling, hermitian_coupling
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state
from manybody.physics.response.entropy_response import (
    entropy_production_response,
    entropy_rate_response,
    heat_current_response,
)
from manybody.physics.response.linear_response import LinearResponse
from manybody.physics.response.perturbed import build_perturbed_generator
from manybody.physics.response.rate_derivatives import rate_derivative

BOTH = cases.BOTH
DEFINITIONS = {"redfield": slow.redfield, "davies": slow.davies}
BUILDERS = {"redfield": build_redfield_equation, "davies": build_davies_equation}
EQUATIONS = pytest.mark.parametrize("equation", ["redfield", "davies"])
# What central differences of fifth order in double precision leave, relative to the largest.
LIMIT = 2e-11


def hermitian(rng, dimension):
    matrix = cases.random_matrix(rng, dimension)
    return matrix + matrix.conj().T


def any_model(hamiltonian):
    """A model with this H: the basis of one boson is only a way of counting states."""
    basis = FockBasis(1, "boson", max_occupation=len(hamiltonian) - 1)
    return FockModel(basis, np.zeros((1, 1)), hamiltonian)


def action(built, sigma):
    """L_1[σ] = −i[V, σ] + Σ_j D_1^j[σ]."""
    baths = (built.dissipate(j, sigma) for j in range(built.n_couplings))
    return built.commute(sigma) + sum(baths)


def matrix_of(built):
    """(D², D²) L_1 on the row-major vec."""
    n = len(built.perturbation)
    columns = [action(built, unit.reshape(n, n)).ravel() for unit in np.eye(n * n)]
    return np.array(columns).T


def derivative(function, step=1e-2):
    """d/dδ of a smooth function of δ at 0, of error step⁶ or rounding/step."""
    slope = [(function(h) - function(-h)) / (2.0 * h) for h in (step, step / 2, step / 4)]
    return (64.0 * slope[2] - 20.0 * slope[1] + slope[0]) / 45.0


def pairs_of(couplings, model, lamb_shift):
    return [
        (c.matrix(model.basis).toarray(), c.bath.gamma, c.bath.eta if lamb_shift else None)
        for c in couplings
    ]


def assert_change(model, couplings, perturbation, equation, lamb_shift=False, tolerance=1e-9):
    """L_0 and L_1 against the definition at H_0 ± δV."""
    built = build_perturbed_generator(model, couplings, perturbation, equation, lamb_shift)
    hamiltonian = model.hamiltonian.toarray()
    pairs = pairs_of(couplings, model, lamb_shift)
    options = {"tolerance": tolerance} if equation == "davies" else {}

    def generator(delta):
        return DEFINITIONS[equation](hamiltonian + delta * perturbation, pairs, **options)

    expected = derivative(generator, 2e-3)
    found = matrix_of(built)
    before = generator(0.0)
    assert np.abs(built.generator.toarray() - before).max() < 1e-13 * np.abs(before).max()
    assert np.abs(found - expected).max() < LIMIT * np.abs(before).max()
    # The baths have their part in it.
    still = build_perturbed_generator(
        model, couplings, perturbation, equation, lamb_shift, fixed_dissipator=True
    )
    assert np.abs(matrix_of(still) - expected).max() > 1e-3 * np.abs(expected).max()
    trace = np.eye(len(hamiltonian)).ravel()
    assert np.abs(trace @ found).max() < 1e-13 * np.abs(found).max()


def two_baths():
    return [OhmicBath(0.3, 5.0, 0.7), OhmicBath(0.4, 6.0, 0.3)]


@pytest.fixture
def system(rng):
    """H_0, V and couplings of five levels in general position, with baths of two temperatures."""
    couplings = [hermitian_coupling(hermitian(rng, 5), bath) for bath in two_baths()]
    return any_model(hermitian(rng, 5)), couplings, hermitian(rng, 5)


class TestGenerator:
    @BOTH
    @EQUATIONS
    def test_general_position(self, system, equation, lamb_shift):
        model, couplings, perturbation = system
        assert_change(model, couplings, perturbation, equation, lamb_shift)

    @BOTH
    @EQUATIONS
    def test_particle_exchange(self, rng, equation, lamb_shift):
        # Operators a_j that are not Hermitian, and Bohr frequencies shared by many transitions.
        basis = FockBasis(2)
        model = FockModel(basis, np.array([[0.3, 0.5 - 0.2j], [0.5 + 0.2j, -0.6]]))
        couplings = cases.exchanges(2, cases.leads(2))
        turned = hermitian(rng, 2)
        operators = slow.ladder_operators(2)
        perturbation = slow.quadratic(operators, turned)
        assert_change(model, couplings, perturbation, equation, lamb_shift, tolerance=0.1)

    def test_interaction_under_redfield(self, rng):
        basis = FockBasis(2)
        model = FockModel(basis, np.array([[0.3, 0.5 - 0.2j], [0.5 + 0.2j, -0.6]]))
        pair = np.diag(np.prod(basis.occupations, axis=1).astype(float))
        couplings = cases.exchanges(2, cases.leads(2))
        assert_change(model, couplings, pair, "redfield")
        with pytest.raises(ValueError, match="splits the Bohr frequency"):
            build_perturbed_generator(model, couplings, pair, "davies")

    @BOTH
    @EQUATIONS
    def test_equidistant_levels(self, rng, equation, lamb_shift):
        # All gaps shared; V moves the levels by a multiple of n, and turns them.
        ladder = np.diag(1.3 * np.arange(5.0))
        perturbation = hermitian(rng, 5)
        perturbation[np.diag_indices(5)] = 0.4 * np.arange(5.0)
        couplings = [hermitian_coupling(hermitian(rng, 5), bath) for bath in two_baths()]
        assert_change(any_model(ladder), couplings, perturbation, equation, lamb_shift, 0.3)

    def test_eigenvectors_alone(self, rng):
        # V without diagonal elements in an eigenbasis that is not the one of the matrices: shifts
        # that are rounding split no gap.
        unitary = np.linalg.qr(cases.random_matrix(rng, 5))[0]
        ladder = 1.3 * np.diag(np.arange(5.0))
        perturbation = hermitian(rng, 5)
        perturbation[np.diag_indices(5)] = 0.0
        couplings = [hermitian_coupling(hermitian(rng, 5), bath) for bath in two_baths()]
        turned = [unitary @ m @ unitary.conj().T for m in (ladder, perturbation)]
        turned = [0.5 * (m + m.conj().T) for m in turned]
        assert_change(any_model(turned[0]), couplings, turned[1], "davies", tolerance=0.3)

    @EQUATIONS
    def test_degenerate_levels_that_stay_so(self, rng, equation):
        levels = np.kron(np.diag([0.0, 1.1, 2.7]), np.eye(2))
        perturbation = np.kron(hermitian(rng, 3), np.eye(2))
        couplings = [hermitian_coupling(hermitian(rng, 6), bath) for bath in two_baths()]
        assert_change(any_model(levels), couplings, perturbation, equation, tolerance=1e-7)

    def test_degenerate_levels_that_split(self, rng):
        model = any_model(np.diag([0.0, 1.0, 1.0, 2.6]))
        perturbation = hermitian(rng, 4)
        bath = ThermalBath(DrudeLorentzDensity(0.3, 4.0), 0.7)
        couplings = [hermitian_coupling(hermitian(rng, 4), bath)]
        # Redfield is smooth in H, whatever the levels do, if γ is smooth.
        assert_change(model, couplings, perturbation, "redfield")
        with pytest.raises(ValueError, match="degenerate level at E = 1.*section III C"):
            build_perturbed_generator(model, couplings, perturbation, "davies")
        # e^{−|ω|/ω_c} has a cusp at the frequency of the level.
        cusp = [Coupling(couplings[0].operator, two_baths()[0])]
        with pytest.raises(ValueError, match="no derivative at ω = 0"):
            build_perturbed_generator(model, cusp, perturbation, "redfield")

    def test_levels_close_by(self, rng):
        # Divided differences of Γ and derivatives half-way meet at gaps of 1e-5 of the width.
        bath = ThermalBath(DrudeLorentzDensity(0.3, 4.0), 0.7)
        couplings = [hermitian_coupling(hermitian(rng, 3), bath)]
        perturbation = hermitian(rng, 3)
        changes = [
            matrix_of(
                build_perturbed_generator(
                    any_model(np.diag([0.0, 1.0, 1.0 + gap])), couplings, perturbation, "redfield"
                )
            )
            for gap in (0.9e-5, 1.1e-5)
        ]
        difference = np.abs(changes[1] - changes[0]).max()
        assert difference < 1e-5 * np.abs(changes[0]).max()
        middle = any_model(np.diag([0.0, 1.0, 1.0 + 1.0e-5]))
        between = matrix_of(build_perturbed_generator(middle, couplings, perturbation, "redfield"))
        deviation = np.abs(between - 0.5 * (changes[0] + changes[1])).max()
        assert deviation < 1e-10 * np.abs(between).max()

    @EQUATIONS
    def test_covariance(self, rng, system, equation):
        model, couplings, perturbation = system
        unitary = np.linalg.qr(cases.random_matrix(rng, 5))[0]

        def turned(matrix):
            return unitary @ matrix @ unitary.conj().T

        def dense(coupling):
            return coupling.operator.toarray()

        sigma = cases.random_matrix(rng, 5)
        here = build_perturbed_generator(model, couplings, perturbation, equation)
        there = build_perturbed_generator(
            any_model(turned(model.hamiltonian.toarray())),
            [Coupling(turned(dense(c)), c.bath) for c in couplings],
            turned(perturbation),
            equation,
        )
        expected = turned(action(here, sigma))
        assert (
            np.abs(action(there, turned(sigma)) - expected).max() < 1e-12 * np.abs(expected).max()
        )

    def test_arguments(self, system):
        model, couplings, perturbation = system
        with pytest.raises(ValueError, match="equation = 'exact'"):
            build_perturbed_generator(model, couplings, perturbation, "exact")
        with pytest.raises(ValueError, match="perturbation has shape"):
            build_perturbed_generator(model, couplings, perturbation[:4, :4])
        with pytest.raises(ValueError, match="not Hermitian"):
            build_perturbed_generator(model, couplings, np.triu(perturbation))
        with pytest.raises(ValueError, match="finite"):
            build_perturbed_generator(model, couplings, np.full((5, 5), np.nan))
        with pytest.raises(TypeError, match="numeric"):
            build_perturbed_generator(model, couplings, np.full((5, 5), "x"))


class TestRateDerivative:
    @pytest.mark.parametrize("omega", [1.3, -0.4, 1e-3, 20.0, -30.0])
    def test_ohmic(self, omega):
        bath = OhmicBath(0.3, 5.0, 0.7)
        x = bath.beta * omega
        value = bath.gamma(omega)
        relative = 1.0 / omega - np.sign(omega) / bath.cutoff - bath.beta / np.expm1(x)
        found = rate_derivative(bath, omega, False, 4.0)
        assert abs(found - 0.5 * value * relative) < 1e-11 * (abs(found) + 0.5 * value)

    def test_shift(self):
        density = DrudeLorentzDensity(0.5, 2.0)
        found = rate_derivative(_Transform(density), 0.7, True, 4.0)
        x = 0.7 / 2.0
        # Δ = (J²ω_c/2π) (x ln x − π/2)/(1 + x²).
        slope = (np.log(x) + 1.0) / (1.0 + x * x)
        slope -= 2.0 * x * (x * np.log(x) - 0.5 * np.pi) / (1.0 + x * x) ** 2
        assert found.imag == pytest.approx(0.25 / (2.0 * np.pi) * slope, rel=1e-10)

    def test_cusp_is_refused(self):
        with pytest.raises(ValueError, match="no derivative at ω = 0"):
            rate_derivative(OhmicBath(0.3, 5.0, 0.7), 0.0, False, 4.0)


class _Transform:
    """A bath whose η is the Δ of a density, for a derivative in closed form."""

    def __init__(self, density):
        self.gamma, self.eta = density, density.shift


def gibbs(hamiltonian, beta):
    state = scipy.linalg.expm(-beta * hamiltonian)
    return state / np.trace(state)


class TestResponse:
    @EQUATIONS
    def test_gibbs_derivative_at_equal_temperatures(self, rng, equation):
        # Redfield and Davies keep the Gibbs state of H_0 + δV whatever δ.
        model, perturbation = any_model(hermitian(rng, 4)), hermitian(rng, 4)
        couplings = [
            hermitian_coupling(hermitian(rng, 4), OhmicBath(strength, 5.0, 0.4))
            for strength in (0.3, 0.5)
        ]
        response = LinearResponse(
            build_perturbed_generator(model, couplings, perturbation, equation)
        )
        hamiltonian = model.hamiltonian.toarray()
        # ∂_δ e^{−βH} exactly, as a Fréchet derivative.
        boltzmann, change = scipy.linalg.expm_frechet(-0.4 * hamiltonian, -0.4 * perturbation)
        partition = np.trace(boltzmann)
        expected = change / partition - boltzmann * np.trace(change) / partition**2
        np.testing.assert_allclose(response.steady_change, expected, atol=1e-13)
        assert np.abs(heat_current_response(response, expected)).max() < 1e-13
        temperatures = [2.5, 2.5]
        for change in response.changes([0.0, 0.7, 4.0]):
            produced = entropy_production_response(response, temperatures, change)
            assert abs(produced) < 1e-13

    @EQUATIONS
    @pytest.mark.parametrize("seed", range(5))
    def test_gibbs_derivative_of_any_system(self, seed, equation):
        # Slopes of rates taken from an interval that is too wide miss this by 1e-12 to 1e-11.
        rng = np.random.default_rng(seed)
        model, perturbation = any_model(hermitian(rng, 4)), hermitian(rng, 4)
        coupling = hermitian_coupling(hermitian(rng, 4), OhmicBath(0.4, 5.0, 0.4))
        built = build_perturbed_generator(model, [coupling], perturbation, equation)
        hamiltonian = model.hamiltonian.toarray()
        boltzmann, change = scipy.linalg.expm_frechet(-0.4 * hamiltonian, -0.4 * perturbation)
        partition = np.trace(boltzmann)
        expected = change / partition - boltzmann * np.trace(change) / partition**2
        response = LinearResponse(built)
        assert np.abs(heat_current_response(response, expected)).max() < 1e-13
        np.testing.assert_allclose(response.steady_change, expected, atol=1e-13)

    @EQUATIONS
    def test_steady_change(self, system, equation):
        model, couplings, perturbation = system
        response = LinearResponse(
            build_perturbed_generator(model, couplings, perturbation, equation)
        )

        def steady(delta):
            moved = any_model(model.hamiltonian.toarray() + delta * perturbation)
            return stationary_state(BUILDERS[equation](moved, couplings))

        np.testing.assert_allclose(response.steady_change, derivative(steady), atol=3e-12)
        assert abs(np.trace(response.steady_change)) < 1e-14

    def test_step(self, system):
        model, couplings, perturbation = system
        response = LinearResponse(build_perturbed_generator(model, couplings, perturbation))
        times = [0.0, 0.3, 0.6, 2.0, 9.0]

        def states(delta):
            moved = any_model(model.hamiltonian.toarray() + delta * perturbation)
            return propagate(build_davies_equation(moved, couplings), response.stationary, times)

        found = response.changes(times)
        np.testing.assert_allclose(found, derivative(states, 2e-3), atol=3e-11)
        late = response.changes([2000.0])[0]
        np.testing.assert_allclose(late, response.steady_change, atol=1e-12)

    def test_response_functions(self, rng, system):
        response = LinearResponse(build_perturbed_generator(*system))
        observable = hermitian(rng, 5)
        nodes, weights = np.polynomial.legendre.leggauss(40)
        times = 0.75 * (nodes + 1.0)
        kubo, dissipative = response.response_function(observable, times)
        integral = 0.75 * weights @ (kubo + dissipative)
        change = response.changes([1.5])[0]
        assert integral == pytest.approx(np.trace(observable @ change).real, rel=1e-11)
        # (24) with A(τ) by the adjoint generator.
        adjoint = response.perturbed.generator.toarray().conj().T
        later = scipy.linalg.expm(adjoint * times[-1]) @ observable.ravel()
        later = later.reshape(5, 5)
        _, _, perturbation = system
        expected = 1j * np.trace(
            response.stationary @ (perturbation @ later - later @ perturbation)
        )
        assert kubo[-1] == pytest.approx(expected.real, rel=1e-11)

    def test_thermodynamics_in_the_steady_state(self, system):
        model, couplings, perturbation = system
        temperatures = [1.0 / 0.7, 1.0 / 0.3]
        response = LinearResponse(build_perturbed_generator(model, couplings, perturbation))

        def measured(delta):
            moved = any_model(model.hamiltonian.toarray() + delta * perturbation)
            generator = build_davies_equation(moved, couplings)
            rho = stationary_state(generator)
            _, heat = currents(generator, 2, rho)
            production = entropy_production(generator, temperatures, rho)
            return np.array([*heat, production])

        change = response.steady_change
        found = [
            *heat_current_response(response, change),
            entropy_production_response(response, temperatures, change),
        ]
        np.testing.assert_allclose(found, derivative(measured), atol=2e-11)
        assert abs(found[0] + found[1]) < 1e-13
        assert abs(entropy_rate_response(response, change)) < 1e-13
        assert measured(0.0)[2] > 0.0

    def test_thermodynamics_in_time(self, system):
        model, couplings, perturbation = system
        temperatures = [1.0 / 0.7, 1.0 / 0.3]
        response = LinearResponse(build_perturbed_generator(model, couplings, perturbation))
        time = 0.8

        def measured(delta):
            hamiltonian = model.hamiltonian.toarray() + delta * perturbation
            generator = build_davies_equation(any_model(hamiltonian), couplings)
            rho = propagate(generator, response.stationary, [time])[0]
            _, heat = currents(generator, 2, rho)
            production = entropy_production(generator, temperatures, rho)
            rate = np.trace(hamiltonian @ generator.apply(rho)).real
            return np.array([*heat, production, rate])

        change = response.changes([time])[0]
        heat = heat_current_response(response, change)
        found = [*heat, entropy_production_response(response, temperatures, change), heat.sum()]
        np.testing.assert_allclose(found, derivative(measured, 2e-3), atol=5e-11)

    def test_states_that_are_not_unique(self, rng):
        model = FockModel(FockBasis(2), np.array([[0.3, 0.5], [0.5, -0.6]]))
        number = number_operator(model.basis, 0)
        response = LinearResponse(
            build_perturbed_generator(
                model, [hermitian_coupling(number, two_baths()[0])], hermitian(rng, 4), "redfield"
            )
        )
        with pytest.raises(ValueError, match="stationary states"):
            _ = response.stationary

    def test_arguments(self, system):
        response = LinearResponse(build_perturbed_generator(*system))
        change = response.steady_change
        with pytest.raises(ValueError, match="1 temperatures"):
            entropy_production_response(response, [1.0], change)
        with pytest.raises(ValueError, match="temperatures entry = -1"):
            entropy_production_response(response, [1.0, -1.0], change)
        with pytest.raises(ValueError, match="observable has shape"):
            response.response_function(np.eye(3), [0.0])
        with pytest.raises(ValueError, match="ascend"):
            response.changes([1.0, 0.5])


def test_spohn(rng, system):
    """σ >= 0 for Davies from any state, (D4)."""
    model, couplings, _ = system
    generator = build_davies_equation(model, couplings)
    for _ in itertools.repeat(None, 20):
        root = cases.random_matrix(rng, 5)
        rho = root @ root.conj().T
        rho /= np.trace(rho)
        assert entropy_production(generator, [1.0 / 0.7, 1.0 / 0.3], rho) > 0.0
