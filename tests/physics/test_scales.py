"""What relaxes is decided by rates, whatever the energies and their unit are."""

import warnings

import numpy as np
import oracles
import pytest
import scipy.linalg
from fock_oracles import build_local_equation, density_coupling

import manybody as mb
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import exchange_couplings, hermitian_coupling
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.fock.small_systems import stationary_state
from manybody.physics.gaussian.correlations import EQUATIONS, build_generator
from manybody.physics.gaussian.relaxation import build_relaxation, steady_correlations


class ThermalRates:
    """γ(ω) = r for ω >= 0 and r e^{βω} below: detailed balance at any scale of energy."""

    def __init__(self, rate, beta):
        self.rate, self.beta = rate, beta

    def gamma(self, omega):
        return self.rate * np.exp(self.beta * np.minimum(omega, 0.0))

    def eta(self, omega):
        return 0.3 * self.rate * np.tanh(self.beta * np.asarray(omega))


def any_model(hamiltonian):
    basis = FockBasis(1, "boson", max_occupation=len(hamiltonian) - 1)
    return FockModel(basis, np.zeros((1, 1)), hamiltonian)


def gibbs(hamiltonian, beta):
    return oracles.gibbs(hamiltonian, beta)


@pytest.mark.parametrize("build", [build_davies_equation, build_redfield_equation])
def test_fast_coherences_hide_no_relaxation(build):
    """diag(0, 2.5e15) and rates of 1e3 have one stationary state, not two."""
    model = any_model(np.diag([0.0, 2.5e15]))
    flip = hermitian_coupling([[0.0, 1.0], [1.0, 0.0]], ThermalRates(1e3, 4e-16))
    state = stationary_state(build(model, [flip]))
    np.testing.assert_allclose(state, gibbs(np.diag([0.0, 1.0]), 1.0), atol=1e-14)


def test_stationary_states_at_every_scale_of_energy():
    """Rates of about one beside energies from 1 to 1e14: Gibbs, with and without symmetry."""
    failures = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n, scale = int(rng.integers(2, 4)), 10.0 ** rng.uniform(0.0, 14.0)
        shift = bool(seed % 3 == 0)
        build = (build_davies_equation, build_redfield_equation)[seed % 2]
        matrix = oracles.random_hermitian(rng, n, real=bool(seed % 4 < 2))
        levels, vectors = np.linalg.eigh(matrix)
        if seed % 5 == 0:
            levels[-1] = levels[-2]
        matrix = (vectors * levels) @ vectors.conj().T
        matrix = 0.5 * (matrix + matrix.conj().T)
        couplings = [
            hermitian_coupling(oracles.random_hermitian(rng, n), ThermalRates(r, 1.0 / scale))
            for r in (1.0, 0.1)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Of Redfield without Lamb shift and of Davies with it Gibbs is stationary.
            shift = shift and build is build_davies_equation
            state = stationary_state(build(any_model(scale * matrix), couplings, shift))
        error = np.abs(state - gibbs(matrix, 1.0)).max()
        if error > 1e-11:
            failures.append((seed, scale, error))
    assert not failures


def test_gaussian_models_at_every_scale_of_energy():
    """Equal reservoirs: f(h) is stationary and reached, however small rates are beside h."""
    failures = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n, scale = int(rng.integers(2, 5)), 10.0 ** rng.uniform(0.0, 14.0)
        statistics = ("fermion", "boson")[seed % 2]
        matrix = oracles.random_hermitian(rng, n, real=bool(seed % 4 < 2)) + 4.0 * np.eye(n)
        density = mb.FlatDensity(1.0, 40.0 * scale, 40.5 * scale)
        lead = mb.Reservoir(density, 1.0 / scale, 0.3 * scale, statistics)
        sites = range(n) if seed % 3 else [0]
        contacts = [mb.Contact(site, lead, 10.0 ** rng.uniform(-3.0, 0.0)) for site in sites]
        model = mb.QuadraticModel(scale * matrix, contacts, statistics)
        sign = 1.0 if statistics == "fermion" else -1.0
        levels, vectors = np.linalg.eigh(matrix)
        expected = (vectors / (np.exp(levels - 0.3) + sign)) @ vectors.conj().T
        for equation in ("redfield", "davies"):
            relaxation = build_relaxation(build_generator(model, equation))
            if relaxation.n_undamped or relaxation.n_growing:
                failures.append((seed, equation, scale, relaxation.rates))
                continue
            error = np.abs(steady_correlations(relaxation).matrix - expected).max()
            if error > 1e-9:
                failures.append((seed, equation, scale, error))
    assert not failures


@pytest.mark.parametrize("weak", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_a_weak_contact_is_none_the_less_one(equation, weak):
    """Two wires, one with a contact 1/weak times stronger: each is filled by its own."""
    wire = np.array([[0.0, 1.0], [1.0, 0.5]])
    cold, hot = (mb.Reservoir(mb.FlatDensity(1.0), beta) for beta in (4.0, 0.5))
    contacts = (mb.Contact(0, cold), mb.Contact(2, hot, weak))
    matrix = scipy.linalg.block_diag(wire, wire + 0.3 * np.eye(2))
    found = mb.steady_correlations(mb.QuadraticModel(matrix, contacts), equation)
    assert found.n_undamped == 0
    for part, lead in ((slice(0, 2), contacts[:1]), (slice(2, 4), contacts[1:])):
        contact = mb.Contact(0, lead[0].reservoir, 1e-3)
        alone = mb.QuadraticModel(matrix[part, part], [contact])
        expected = mb.steady_correlations(alone, equation).matrix
        np.testing.assert_allclose(found.matrix[part, part], expected, atol=1e-4)


@pytest.mark.parametrize("weak", [1e-3, 1e-4, 1e-5])
def test_modes_of_a_weak_contact_stay_joined(weak):
    """A slow wire beside a strong contact elsewhere: its two rates are those it has alone."""
    hop = 0.1 * weak**2
    matrix = scipy.linalg.block_diag([[0.0, 1.0], [1.0, 0.5]], [[0.3, hop], [hop, 0.3]])
    contacts = [
        mb.Contact(site, mb.Reservoir(mb.FlatDensity(1.0), 1.0), strength)
        for site, strength in ((0, 300.0), (2, weak))
    ]
    alone = np.linalg.eigvals(1j * matrix[2:, 2:] + np.diag([0.5 * weak**2, 0.0]))
    model = mb.QuadraticModel(matrix, contacts)
    rates = build_relaxation(build_generator(model, "redfield")).rates.real
    slow = np.sort(rates)[:2]
    np.testing.assert_allclose(slow, np.sort(alone.real), rtol=1e-4)


SCALES = (2.0**20, 2.0**-20)


def in_units(scale, seed, lamb_shift):
    """Everything that is decided or computed, with energies in units of `scale`, unit-free."""
    rng = np.random.default_rng(seed)
    n, matrix = 4, oracles.random_hermitian(rng, 4, real=bool(seed % 2))
    if seed % 3 == 0:
        matrix = oracles.ring_hamiltonian(4)
    if seed % 5 == 0:
        matrix[1, 1] += 1e-9
    bath = mb.OhmicBath(0.2, 10.0 * scale, 5.0 / scale)
    times = np.array([1.0, 8.0]) / scale
    sites = [0, 1] if seed % 4 == 0 else None
    model = mb.SingleParticleModel(scale * matrix, sites)
    run = mb.compare(model, bath, times, lamb_shift=lamb_shift)
    lead = mb.Reservoir(mb.SemiEllipticDensity(0.1 * scale, 9.0 * scale), 0.7 / scale)
    wire = mb.QuadraticModel(scale * matrix, (mb.Contact(0, lead), mb.Contact(1, lead, 0.5)))
    many = FockModel(FockBasis(2), scale * matrix[:2, :2])
    couplings = (density_coupling(many.basis, 1, bath), *exchange_couplings(2, 0, lead))
    found = {
        "verdict": run.certificate.clustering,
        "distance": run.trace_distance,
        "applications": run.certificate.applications,
        "stepper error": run.certificate.stepper_error,
        "davies": mb.davies_liouvillian(model, bath, lamb_shift).toarray() / scale,
        "redfield": mb.redfield_liouvillian(model, bath, lamb_shift).toarray() / scale,
    }
    for equation in EQUATIONS:
        steady = mb.steady_correlations(wire, equation, lamb_shift, np.eye(n) / 2)
        found[f"steady {equation}"] = steady.matrix
        found[f"undamped {equation}"] = steady.n_undamped, steady.clustering
        found[f"dynamics {equation}"] = mb.correlation_dynamics(
            wire, np.eye(n) / 2, times, equation, lamb_shift
        )
    for build in (build_davies_equation, build_redfield_equation, build_local_equation):
        generator = build(many, couplings, lamb_shift)
        found[f"fock {build.__name__}"] = generator.toarray() / scale
        try:
            state = stationary_state(generator)
        except ValueError as error:
            state = str(error)
        found[f"stationary {build.__name__}"] = state
    return found


def test_no_decision_depends_on_the_unit_of_energy():
    """A unit larger by a power of two leaves every digit: what enters in absolute terms shows."""
    failures = []
    for seed in (0, 1, 2, 5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            expected = in_units(1.0, seed, bool(seed % 2))
            for scale in SCALES:
                found = in_units(scale, seed, bool(seed % 2))
                for name, value in expected.items():
                    if isinstance(value, (np.ndarray, float)):
                        close = np.allclose(found[name], value, rtol=1e-12, atol=1e-13)
                    else:
                        close = found[name] == value
                    if not close:
                        failures.append((seed, scale, name))
    assert not failures


def test_dark_modes_stay_dark_at_every_scale(rng):
    for scale in (1e-6, 1.0, 1e6, 1e12):
        for n, sites, dark in ((6, [0], 2), (12, [0, 6], 5)):
            contacts = [
                mb.Contact(site, mb.Reservoir(mb.FlatDensity(1.0), 1.0 / scale)) for site in sites
            ]
            model = mb.QuadraticModel(scale * oracles.ring_hamiltonian(n), contacts)
            for equation in EQUATIONS:
                found = mb.steady_correlations(model, equation, initial=np.eye(n))
                assert found.n_undamped == dark, (scale, n, equation)
