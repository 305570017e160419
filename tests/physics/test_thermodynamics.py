"""Currents and entropy production: definitions, first and second law, and who breaks it."""

import numpy as np
import oracles
import pytest
import scipy.linalg
from fock_oracles import (
    build_local_equation,
    correlation_matrix,
    density_coupling,
    density_interaction,
    entropy,
    gaussian_entropy,
    gaussian_state,
    random_correlations,
    random_state,
)
from linear_coupling import Colored

import manybody as mb
from manybody.papers.levy_kosloff.nodes import Nodes
from manybody.physics.equations.davies import build_davies
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import exchange_couplings, hermitian_coupling
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state
from manybody.physics.gaussian.correlations import EQUATIONS, build_generator, currents
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel
from manybody.physics.gaussian.relaxation import build_relaxation, steady_correlations
from manybody.physics.spectra import build_spectrum
from manybody.physics.thermodynamics import (
    balance,
    bath_states,
    contact_changes,
    correlation_balance,
    davies_site_heat,
    redfield_site_heat,
    site_rates,
)
from manybody.physics.violations import search_violation, worst_production

BUILD = {
    "redfield": build_redfield_equation,
    "davies": build_davies_equation,
    "local": build_local_equation,
}


def reservoirs(statistics):
    """Two reservoirs of different T, μ and density; μ below all levels for bosons."""
    mu = (0.4, -0.3) if statistics == "fermion" else (-0.2, -0.3)
    return [Colored(1.5, mu[0], 0.8, 0.2, statistics), Colored(0.6, mu[1], 0.5, -0.1, statistics)]


def quadratic(statistics, n=3):
    h = oracles.random_hermitian(np.random.default_rng(4), n)
    if statistics == "boson":
        h = h + 2.5 * np.eye(n)
    contacts = [Contact(site, bath, 0.6) for site, bath in zip((0, n - 1), reservoirs(statistics))]
    return QuadraticModel(h, contacts, statistics)


def many(model, equation, interaction=None, most=None):
    """The same model in Fock space, with its baths."""
    basis = FockBasis(model.n_sites, model.statistics, max_particles=most)
    if interaction is not None:
        interaction = density_interaction(basis, interaction)
    couplings = [
        half
        for contact in model.contacts
        for half in exchange_couplings(
            model.n_sites, contact.site, contact.reservoir, contact.strength
        )
    ]
    system = FockModel(basis, model.hamiltonian, interaction)
    return BUILD[equation](system, couplings), bath_states(couplings)


def logarithm(matrix):
    return scipy.linalg.logm(matrix)


# ---- entropy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_gaussian_entropy_is_that_of_the_state(statistics, rng):
    """Against −tr ρ ln ρ in Fock space; bosons thinly filled, cut at 16 of one mode."""
    if statistics == "fermion":
        correlations = random_correlations(rng, 3, statistics)
        basis = FockBasis(3)
    else:
        correlations = np.array([[0.08, 0.03j], [-0.03j, 0.05]])
        basis = FockBasis(2, "boson", max_particles=12)
    state = gaussian_state(basis, correlations)
    assert gaussian_entropy(correlations, statistics) == pytest.approx(entropy(state), abs=1e-10)
    assert entropy(state) == pytest.approx(-np.trace(state @ logarithm(state)).real, abs=1e-9)


def test_entropy_at_the_ends():
    assert entropy(np.diag([1.0, 0.0])) == 0.0
    assert entropy(np.eye(4) / 4) == pytest.approx(np.log(4.0), rel=1e-15)
    assert gaussian_entropy(np.diag([0.0, 1.0]), "fermion") == 0.0
    assert gaussian_entropy(np.array([[0.5]]), "fermion") == pytest.approx(np.log(2.0))


# ---- currents and the two forms of the entropy production ------------------------------------


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("interacting", [False, True])
def test_first_law_and_definitions(equation, interacting, rng):
    """tr HL[ρ] and tr nL[ρ] are the sums of the currents; σ by its definitions with ln ρ."""
    model = quadratic("fermion")
    strengths = np.array([[0, 0.9, 0.2], [0.9, 0, 0.5], [0.2, 0.5, 0]]) if interacting else None
    generator, baths = many(model, equation, strengths)
    assert [bath.couplings for bath in baths] == [(0, 1), (2, 3)]
    system = generator.model
    hamiltonian = system.hamiltonian.toarray()
    number = np.diag(system.basis.totals)
    for _ in range(5):
        rho = random_state(rng, 8)
        found = balance(generator, baths, rho)
        change = generator.apply(rho)
        assert found.energy.sum() == pytest.approx(np.trace(hamiltonian @ change).real, abs=1e-13)
        assert found.particle.sum() == pytest.approx(np.trace(number @ change).real, abs=1e-13)
        rate = -np.trace(change @ logarithm(rho)).real
        assert found.entropy_change.sum() == pytest.approx(rate, abs=1e-11)
        total = found.entropy_change.sum() - found.entropy_flow.sum()
        assert total == pytest.approx(found.production.sum(), abs=1e-12)
        for index, bath in enumerate(baths):
            part = sum(generator.dissipate(j, rho) for j in bath.couplings)
            gibbs = scipy.linalg.expm(
                -bath.beta * (hamiltonian - bath.chemical_potential * number)
            )
            gibbs = gibbs / np.trace(gibbs)
            spohn = -np.trace(part @ (logarithm(rho) - logarithm(gibbs))).real
            assert found.production[index] == pytest.approx(spohn, abs=1e-11)
            assert found.heat[index] == pytest.approx(
                found.energy[index] - bath.chemical_potential * found.particle[index]
            )


@pytest.mark.parametrize("equation", EQUATIONS)
def test_entropy_change_is_the_derivative(equation, rng):
    """dS/dt by finite differences of S, in Fock space and from C."""
    model = quadratic("fermion")
    generator, baths = many(model, equation)
    rho, step = random_state(rng, 8, 0.3), 1e-4
    slope = (
        entropy(rho + step * generator.apply(rho)) - entropy(rho - step * generator.apply(rho))
    ) / (2 * step)
    assert balance(generator, baths, rho).entropy_change.sum() == pytest.approx(slope, rel=1e-6)
    for statistics in ("fermion", "boson"):
        model = quadratic(statistics)
        small = build_generator(model, equation)
        correlations = random_correlations(rng, 3, statistics, 0.1)
        change = small.derivative(correlations)
        later, earlier = correlations + step * change, correlations - step * change
        slope = gaussian_entropy(later, statistics) - gaussian_entropy(earlier, statistics)
        slope /= 2 * step
        found = correlation_balance(model, small, correlations)
        assert found.entropy_change.sum() == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_correlations_agree_with_fock_space(equation, rng):
    """The balance of C is that of the Gaussian state with this C, contact by contact."""
    model = quadratic("fermion")
    small = build_generator(model, equation)
    generator, baths = many(model, equation)
    correlations = random_correlations(rng, 3, "fermion", 0.05)
    state = gaussian_state(generator.model.basis, correlations)
    found = correlation_balance(model, small, correlations)
    expected = balance(generator, baths, state)
    for name in ("particle", "energy", "heat", "entropy_change", "entropy_flow", "production"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-11, err_msg=name
        )
    parts = [
        correlation_matrix(generator.model.basis, sum(generator.dissipate(j, state) for j in each))
        for each in ((0, 1), (2, 3))
    ]
    np.testing.assert_allclose(contact_changes(small, correlations), parts, atol=1e-13)


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_correlation_currents(statistics, equation, rng):
    """Contacts and −i[h, C] make dC/dt; currents as `correlations.currents` has them."""
    model = quadratic(statistics)
    generator = build_generator(model, equation, lamb_shift=True)
    correlations = random_correlations(rng, 3, statistics)
    h = model.dense_hamiltonian()
    changes = contact_changes(generator, correlations)
    total = changes.sum(axis=0) - 1j * (h @ correlations - correlations @ h)
    np.testing.assert_allclose(total, generator.derivative(correlations), atol=1e-13)
    found, flows = (
        correlation_balance(model, generator, correlations),
        currents(generator, correlations),
    )
    np.testing.assert_allclose(found.particle, flows.particle, atol=1e-13)
    np.testing.assert_allclose(found.energy, flows.energy, atol=1e-13)


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_nothing_flows_in_equilibrium(statistics):
    """Equal β and μ: no currents and no σ_b of Davies and Redfield, but of the local equation."""
    model = quadratic(statistics)
    bath = reservoirs(statistics)[0]
    model = QuadraticModel(
        model.hamiltonian, [Contact(0, bath), Contact(2, bath, 0.3)], statistics
    )
    for equation in EQUATIONS:
        generator = build_generator(model, equation)
        steady = steady_correlations(build_relaxation(generator)).matrix
        found = correlation_balance(model, generator, steady)
        largest = max(np.abs(found.heat).max(), np.abs(found.production).max())
        if equation == "local":
            assert largest > 1e-4
        else:
            assert largest < 1e-12


def test_pure_states_gain_entropy_at_once(rng):
    """A bath that empties a full mode fills what was empty at a finite rate: dS/dt = ∞."""
    model = quadratic("fermion")
    generator = build_generator(model, "davies")
    full = np.diag([1.0, 0.3, 0.4]).astype(complex)
    assert np.isposinf(correlation_balance(model, generator, full).production).all()
    many_body, baths = many(model, "davies")
    vacuum = np.zeros((8, 8))
    vacuum[0, 0] = 1.0
    found = balance(many_body, baths, vacuum)
    assert np.isposinf(found.production).all()
    assert np.isfinite(found.heat).all()


# ---- second law ------------------------------------------------------------------------------


def interacting_case(equation):
    return many(
        quadratic("fermion"), equation, np.array([[0, 0.9, 0], [0.9, 0, 0.5], [0, 0.5, 0]])
    )


def density_case(equation, n=4, n_particles=2):
    """Density couplings of interacting fermions, baths of three temperatures."""
    bath = [mb.OhmicBath(coupling=0.4, cutoff=5.0, beta=beta) for beta in (0.5, 2.0, 1.0)]
    basis = FockBasis(n, n_particles=n_particles)
    h = oracles.random_hermitian(np.random.default_rng(6), n)
    interaction = density_interaction(basis, 0.4 * (np.ones((n, n)) - np.eye(n)))
    couplings = [density_coupling(basis, site, bath[site]) for site in range(3)]
    system = FockModel(basis, h, interaction)
    return BUILD[equation](system, couplings), bath_states(couplings)


def hermitian_case(equation, n=5):
    """A random Hermitian coupling to each of two baths."""
    rng = np.random.default_rng(9)
    basis = FockBasis(n, n_particles=1)
    couplings = [
        hermitian_coupling(
            oracles.random_hermitian(rng, n), mb.OhmicBath(coupling=0.5, cutoff=5.0, beta=beta)
        )
        for beta in (0.5, 3.0)
    ]
    system = FockModel(basis, oracles.random_hermitian(rng, n))
    return BUILD[equation](system, couplings), bath_states(couplings)


CASES = {
    "fermions": lambda equation: many(quadratic("fermion"), equation),
    "bosons": lambda equation: many(quadratic("boson", 2), equation, most=3),
    "interacting": interacting_case,
    "densities": density_case,
    "hermitian": hermitian_case,
}


@pytest.mark.parametrize("case", list(CASES))
def test_spohn_holds_for_davies(case, rng):
    """σ_b >= 0 bath by bath in 200 random states; bosons cut at 3 keep detailed balance."""
    generator, baths = CASES[case]("davies")
    dimension = generator.model.basis.dimension
    states = (random_state(rng, dimension, floor) for floor in (1e-1, 1e-3, 1e-6) * 67)
    worst = worst_production(lambda rho: balance(generator, baths, rho), states)
    assert worst.n_states == 201
    assert worst.n_negative == 0
    assert worst.production > -1e-11


SMALL = {
    "interacting": (
        lambda equation: many(quadratic("fermion", 2), equation, np.array([[0, 0.9], [0.9, 0]])),
        4,
    ),
    "densities": (lambda equation: density_case(equation, 3, 1), 3),
    "hermitian": (lambda equation: hermitian_case(equation, 3), 3),
}


@pytest.mark.parametrize("case", list(SMALL))
def test_redfield_violates_spohn(case):
    """Descents reach σ_b < 0 from every start, and for Davies not even then."""
    build, dimension = SMALL[case]
    for equation in ("redfield", "davies"):
        generator, baths = build(equation)
        worst = search_violation(
            lambda rho, of=generator, them=baths: balance(of, them, rho),
            "density matrix",
            dimension,
            seed=1,
            n_starts=2,
            iterations=15,
        )
        again = balance(generator, baths, worst.state).production
        assert again.min() == again[worst.bath] == pytest.approx(worst.production)
        if equation == "davies":
            assert worst.n_negative == 0
            assert -1e-12 < worst.production < 1e-4
        else:
            assert worst.n_negative == worst.n_states == 2
            assert worst.production < -1e-3


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_spohn_of_correlations(statistics, rng):
    """Gaussian states: never negative for Davies; the descents find where the others are."""
    model = quadratic(statistics)
    generator = build_generator(model, "davies")
    states = (random_correlations(rng, 3, statistics, 1e-4) for _ in range(300))
    worst = worst_production(lambda state: correlation_balance(model, generator, state), states)
    assert worst.n_negative == 0
    pair = quadratic(statistics, 2)
    for equation in EQUATIONS:
        generator = build_generator(pair, equation)
        worst = search_violation(
            lambda state, of=generator: correlation_balance(pair, of, state),
            statistics,
            2,
            seed=1,
            n_starts=2,
            iterations=30,
        )
        if equation == "davies":
            assert worst.n_negative == 0
            assert -1e-12 < worst.production < 1e-4
        else:
            assert worst.n_negative == 2
            assert worst.production < -1e-3


def test_random_states_do_not_meet_violations(rng):
    """Why there is a descent: 200 random states of a Redfield equation without any σ_b < 0."""
    generator, baths = interacting_case("redfield")
    states = (random_state(rng, 8, floor) for floor in (1e-1, 1e-3) * 100)
    assert worst_production(lambda rho: balance(generator, baths, rho), states).n_negative == 0


@pytest.mark.parametrize("statistics", ["boson", "tls"])
def test_second_law_of_stationary_nodes(statistics):
    """LK: heat from cold to hot in the local approach where ω_c/T_c < ω_h/T_h, else nowhere."""
    for omega_h, violated in ((10.0, True), (5.5, False)):
        for equation in EQUATIONS:
            model = Nodes(omega_h, 5.0, 12.0, 10.0, 0.3, 1e-3, statistics).model
            generator = build_generator(model, equation)
            steady = steady_correlations(build_relaxation(generator)).matrix
            found = correlation_balance(model, generator, steady)
            broken = violated and equation == "local"
            assert (found.heat[0] < 0.0) == broken
            total = found.entropy_change.sum() - found.entropy_flow.sum()
            assert (total < 0.0) == broken
            assert found.heat.sum() == pytest.approx(0.0, abs=1e-9 * abs(found.heat[0]))
            assert found.entropy_change.sum() == pytest.approx(0.0, abs=1e-12)


def test_redfield_steady_state_of_two_baths():
    """With η off each bath keeps its own Gibbs state; between two temperatures heat flows down."""
    generator, baths = hermitian_case("redfield")
    found = balance(generator, baths, stationary_state(generator))
    assert found.energy.sum() == pytest.approx(0.0, abs=1e-12)
    assert found.heat[0] > 1e-3
    assert found.production.sum() > 1e-3


# ---- one particle ----------------------------------------------------------------------------

MODELS = {
    "complex": (oracles.random_hermitian(np.random.default_rng(1), 5), None),
    "partial": (oracles.random_hermitian(np.random.default_rng(2), 5), [1, 3]),
    "ring": (oracles.ring_hamiltonian(5), None),
    "one level": (np.eye(3), None),
}


def fock_single(matrix, sites, bath, equation, lamb_shift):
    """The same in the one-particle sector of Fock space, bath by bath."""
    n = len(matrix)
    basis = FockBasis(n, n_particles=1)
    couplings = [
        density_coupling(basis, site, bath) for site in (range(n) if sites is None else sites)
    ]
    system = FockModel(basis, matrix)
    return BUILD[equation](system, couplings, lamb_shift), bath_states(couplings)


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("name", list(MODELS))
def test_heat_of_every_site(name, lamb_shift, bath, rng):
    """Heat and σ per site of the single-particle generators against Fock space."""
    matrix, sites = MODELS[name]
    model = mb.SingleParticleModel(matrix, sites)
    n = model.n_sites
    places = np.arange(n) if sites is None else np.array(sites)
    spectrum = build_spectrum([model])
    redfield = build_redfield(spectrum, bath, lamb_shift)
    davies = build_davies(spectrum, bath, lamb_shift, 1e-9)
    rho = random_state(rng, n)
    for equation, found in (
        ("redfield", redfield_site_heat(redfield, rho[None])[0]),
        ("davies", davies_site_heat(davies, rho)),
    ):
        slow, baths = fock_single(matrix, sites, bath, equation, lamb_shift)
        expected = np.zeros(n)
        answer = balance(slow, baths, rho)
        expected[places] = answer.energy
        if lamb_shift and sites is None and equation == "redfield":
            # The generator leaves out −iη(0)[A_j², ρ], which adds up to nothing.
            assert found.sum() == pytest.approx(expected.sum(), abs=1e-13)
            site = -1j * bath.eta(0.0)
            for j in range(n):
                unit = np.zeros((n, n))
                unit[j, j] = 1.0
                expected[j] -= np.trace(matrix @ (site * (unit @ rho - rho @ unit))).real
        np.testing.assert_allclose(found, expected, atol=1e-13, err_msg=equation)
        if equation == "davies":
            assert answer.production.sum() >= 0.0


def test_site_rates_of_any_observable(bath, rng):
    """tr(O D_j[ρ]) site by site for two samples at once."""
    models = [mb.dirac_syk2(4, seed=seed) for seed in (1, 2)]
    generator = build_redfield(build_spectrum(models), bath, False)
    rho = np.array([random_state(rng, 4) for _ in models])
    observable = np.array([oracles.random_hermitian(rng, 4) for _ in models])
    found = site_rates(generator, observable, rho)
    for index, model in enumerate(models):
        slow, baths = fock_single(model.hamiltonian, None, bath, "redfield", False)
        for j in range(4):
            expected = np.trace(observable[index] @ slow.dissipate(j, rho[index])).real
            assert found[index, j] == pytest.approx(expected, abs=1e-13)


def test_one_temperature_equilibrium(bath):
    """In the Gibbs state no site exchanges heat, in both equations."""
    model = mb.anderson3d(2, 3.0, seed=3)
    spectrum = build_spectrum([model])
    gibbs = oracles.gibbs(model.dense_hamiltonian(), bath.beta)
    redfield = build_redfield(spectrum, bath, False)
    assert np.abs(redfield_site_heat(redfield, gibbs[None])).max() < 1e-14
    davies = build_davies(spectrum, bath, False, None)
    assert np.abs(davies_site_heat(davies, gibbs)).max() < 1e-14


def test_refusals(rng):
    generator, baths = hermitian_case("redfield")
    with pytest.raises(ValueError, match="smallest eigenvalue -0.5"):
        balance(generator, baths, np.diag([1.5, -0.5, 0, 0, 0]))
    with pytest.raises(ValueError, match="states are empty"):
        worst_production(lambda rho: balance(generator, baths, rho), [])

    class Spectrum:
        def gamma(self, omega):
            return np.ones_like(omega)

        eta = gamma

    with pytest.raises(TypeError, match="without beta there is no entropy flow"):
        bath_states([density_coupling(FockBasis(2), 0, Spectrum())])
