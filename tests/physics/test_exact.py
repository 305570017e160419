from functools import partial, reduce

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from leads import Contact, Flat, Lead, Model, Ohmic, SemiElliptic
from scipy import integrate

from manybody.physics.gaussian.discretised import DiscretisedBath, chebyshev_modes, legendre_modes
from manybody.physics.gaussian.exact import build_closed_system, converge, propagate

TWO_SITES = np.array([[0.3, 0.4 - 0.2j], [0.4 + 0.2j, -0.1]])
START = np.array([[0.8, 0.1 + 0.2j], [0.1 - 0.2j, 0.3]])


def conservation(closed, initial, time):
    """Relative change of the total number and of the total energy, by U of all modes."""
    matrix = closed.matrix()
    start = scipy.linalg.block_diag(initial, np.diag(closed.occupations)).astype(complex)
    energies, vectors = np.linalg.eigh(matrix)
    unitary = (vectors * np.exp(-1j * energies * time)) @ vectors.conj().T
    change = unitary @ start @ unitary.conj().T - start
    scale = np.abs(matrix * start.T).sum()
    return abs(np.trace(change)) / np.trace(start).real, abs(np.trace(matrix @ change)) / scale


def closed_system(model, discretise, n_modes):
    return build_closed_system(
        model, [discretise(contact.reservoir, n_modes) for contact in model.contacts]
    )


# ---- the many-body problem itself ---------------------------------------------------------------


def fermion_modes(n_modes):
    """Annihilation operators on the full Fock space, Jordan-Wigner."""
    lower, string, one = np.array([[0, 1], [0, 0]]), np.diag([1.0, -1.0]), np.eye(2)
    return [
        reduce(np.kron, [string] * mode + [lower] + [one] * (n_modes - mode - 1))
        for mode in range(n_modes)
    ]


def boson_modes(n_modes, most):
    """Annihilation operators on occupations 0 ... most of every mode."""
    lower, one = np.diag(np.sqrt(np.arange(1.0, most + 1)), 1), np.eye(most + 1)
    return [
        reduce(np.kron, [one] * mode + [lower] + [one] * (n_modes - mode - 1))
        for mode in range(n_modes)
    ]


def second_quantised(matrix, modes):
    return sum(
        matrix[a, b] * modes[a].conj().T @ modes[b]
        for a in range(len(modes))
        for b in range(len(modes))
    )


def expectation(operator, rho):
    return np.trace(operator @ rho)


def gaussian_fermions(correlation, modes):
    """The density matrix e^{−K} / Z with ⟨a_p† a_q⟩ = C_qp: K = Σ ln(1/C − 1)_ab a_a† a_b."""
    occupations, vectors = np.linalg.eigh(correlation)
    matrix = (vectors * np.log(1.0 / occupations - 1.0)) @ vectors.conj().T
    rho = scipy.linalg.expm(-second_quantised(matrix, modes))
    return rho / np.trace(rho)


def fock_answer(closed, rho, modes, time):
    """Correlations, currents and interaction energies by e^{−iHt} on Fock space."""
    n, contacts = closed.n_sites, closed.model.contacts
    hamiltonian = second_quantised(closed.matrix(), modes)
    unitary = scipy.linalg.expm(-1j * time * hamiltonian)
    rho = unitary @ rho @ unitary.conj().T
    correlation = [
        [expectation(modes[p].conj().T @ modes[q], rho) for p in range(n)] for q in range(n)
    ]
    first, particles, energies, interactions = n, [], [], []
    for contact, bath in zip(contacts, closed.baths):
        own = range(first, first + bath.n_modes)
        first = own.stop
        site = modes[contact.site]
        number = sum(modes[k].conj().T @ modes[k] for k in own)
        energy = sum(w * modes[k].conj().T @ modes[k] for k, w in zip(own, bath.energies))
        half = sum(
            contact.strength * g * site.conj().T @ modes[k] for k, g in zip(own, bath.couplings)
        )
        # −dX/dt = −i[H, X].
        for found, operator in ((particles, number), (energies, energy)):
            found.append(expectation(-1j * (hamiltonian @ operator - operator @ hamiltonian), rho))
        interactions.append(expectation(half + half.conj().T, rho))
    return [np.array(part) for part in (correlation, particles, energies, interactions)]


def assert_agrees(trajectory, index, answer, tolerance):
    found = (
        trajectory.correlations[index],
        trajectory.particle_currents[index],
        trajectory.energy_currents[index],
        trajectory.interaction_energies[index],
    )
    for ours, theirs in zip(found, answer):
        np.testing.assert_allclose(ours, theirs, atol=tolerance)


def tiny_baths():
    return [
        DiscretisedBath([-0.4, 0.9], [0.5, 0.3], [0.7, 0.2]),
        DiscretisedBath([0.2], [0.6], [0.9]),
    ]


def tiny_model(hamiltonian, sites, statistics="fermion"):
    strengths = (0.8, -1.3)
    contacts = tuple(Contact(s, None, j) for s, j in zip(sites, strengths))
    return Model(np.array(hamiltonian), contacts, statistics)


@pytest.mark.parametrize("sites", [(0, 1), (1, 1)])
def test_fermions_against_the_full_fock_space(sites):
    closed = build_closed_system(tiny_model(TWO_SITES, sites), tiny_baths())
    modes = fermion_modes(5)
    start = np.diag([0, 0, 0.7, 0.2, 0.9]).astype(complex)
    start[:2, :2] = START
    rho = gaussian_fermions(start, modes)
    times = [0.0, 0.7, 3.1]
    found = propagate(closed, START, times)
    for index, time in enumerate(times):
        assert_agrees(found, index, fock_answer(closed, rho, modes, time), 1e-13)


def test_one_site_and_two_modes_in_the_full_fock_space():
    closed = build_closed_system(tiny_model([[0.3]], (0,)), tiny_baths()[:1])
    modes = fermion_modes(3)
    rho = gaussian_fermions(np.diag([0.4, 0.7, 0.2]), modes)
    found = propagate(closed, [[0.4]], [2.3])
    assert_agrees(found, 0, fock_answer(closed, rho, modes, 2.3), 1e-13)


def test_bosons_against_a_number_sector_of_fock_space():
    """Two-point functions evolve linearly from any start: here two bosons against one."""
    baths = [DiscretisedBath([0.4], [0.5], [1.0])]
    closed = build_closed_system(tiny_model([[0.3]], (0,), "boson"), baths)
    modes = boson_modes(2, 3)
    ket = np.zeros(16)
    ket[2 * 4 + 1] = 1.0
    found = propagate(closed, [[2.0]], [0.9, 4.0])
    for index, time in enumerate((0.9, 4.0)):
        assert_agrees(found, index, fock_answer(closed, np.outer(ket, ket), modes, time), 1e-12)


# ---- one site in a band: Green's functions by quadrature ----------------------------------------


def bound_states(level, density):
    """Poles of G outside the semi-elliptic band, ω − ε = Σ(ω), and their residues."""
    poles = []
    for low, high in ((-200.0, density.support[0]), (density.support[1], 200.0)):

        def difference(omega):
            return omega - level - density.shift(omega)

        if difference(low) * difference(high) < 0:
            pole = scipy.optimize.brentq(difference, low, high, xtol=1e-15, rtol=1e-15)
            x = abs(pole) / density.half_width
            slope = 0.5 * density.height / density.half_width * (1.0 - x / np.sqrt(x**2 - 1.0))
            poles.append((pole, 1.0 / (1.0 - slope)))
    return poles


def one_site_occupation(level, lead, strength, start, time):
    """n(t) = |G(t)|² n(0) + ∫dω/2π J²D f |∫₀ᵗ G(s) e^{iωs} ds|² with G(t) of continuous bands."""
    density = SemiElliptic(strength**2 * lead.density.height, lead.density.half_width)
    # Chebyshev quadrature of the second kind is exact for the √ edges.
    angles = np.pi * np.arange(1, 3001) / 3001
    omega = density.half_width * np.cos(angles)
    weight = np.pi / 3001 * density.half_width * np.sin(angles) / (2 * np.pi)
    inverse = omega - level - density.shift(omega) + 0.5j * density(omega)
    spectral = density(omega) / np.abs(inverse) ** 2
    poles = bound_states(level, density)

    def green(t):
        band = np.exp(-1j * np.outer(t, omega)) @ (weight * spectral)
        return band + sum(residue * np.exp(-1j * pole * np.asarray(t)) for pole, residue in poles)

    assert abs(green([0.0])[0] - 1.0) < 1e-9
    nodes, weights = np.polynomial.legendre.leggauss(80)
    s = 0.5 * time * (1.0 + nodes)
    transform = np.exp(1j * np.outer(omega, s)) @ (0.5 * time * weights * green(s))
    gained = np.sum(weight * density(omega) * lead.occupation(omega) * np.abs(transform) ** 2)
    return abs(green([time])[0]) ** 2 * start + gained


@pytest.mark.parametrize(
    ("level", "strength", "bound"), [(0.4, 0.8, 0), (1.7, 1.2, 1), (0.3, 2.4, 2)]
)
def test_one_site_in_a_semi_elliptic_band(level, strength, bound):
    lead = Lead(SemiElliptic(1.0, 2.0), 3.0, 0.2)
    assert len(bound_states(level, SemiElliptic(strength**2, 2.0))) == bound
    model = Model(np.array([[level]]), (Contact(0, lead, strength),))
    times = [0.5, 4.0, 12.0]
    found = propagate(closed_system(model, chebyshev_modes, 100), [[0.9]], times)
    for time, correlation in zip(times, found.correlations):
        exact = one_site_occupation(level, lead, strength, 0.9, time)
        assert correlation[0, 0].real == pytest.approx(exact, abs=1e-8)


def test_one_site_in_a_wide_flat_band():
    """n(t) → e^{−Dt} n(0) + ∫dω/2π D f |1 − e^{−i(ω−ε)t−Dt/2}|²/((ω−ε)²+D²/4), like 1/Λ."""
    height, level, time = 0.6, 0.3, 2.5

    def wide(half_width, lead):
        def integrand(omega):
            amplitude = 1.0 - np.exp(-1j * (omega - level) * time - 0.5 * height * time)
            lorentzian = height / ((omega - level) ** 2 + 0.25 * height**2)
            return lorentzian * lead.occupation(omega) * abs(amplitude) ** 2 / (2 * np.pi)

        cuts = np.linspace(-half_width, half_width, int(2 * half_width) + 1)
        gained = sum(integrate.quad(integrand, *pair)[0] for pair in zip(cuts[:-1], cuts[1:]))
        return np.exp(-height * time) * 0.9 + gained

    errors = []
    for half_width in (10.0, 20.0, 40.0):
        lead = Lead(Flat(height, half_width), 2.0, 0.5)
        model = Model(np.array([[level]]), (Contact(0, lead),))
        closed = closed_system(model, legendre_modes, int(12 * half_width))
        found = propagate(closed, [[0.9]], [time])
        errors.append(found.correlations[0, 0, 0].real - wide(half_width, lead))
    assert abs(errors[0]) < 0.02
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.05)


# ---- laws ---------------------------------------------------------------------------------------


def network(statistics="fermion"):
    if statistics == "boson":
        leads = [
            Lead(SemiElliptic(1.0, 2.0, 3.0), 1.0, 0.4, "boson"),
            Lead(SemiElliptic(0.8, 2.5, 3.0), 2.0, -0.3, "boson"),
        ]
        contacts = tuple(map(Contact, (0, 1), leads, (0.7, 0.9)))
        return Model(TWO_SITES + 3.0 * np.eye(2), contacts, "boson")
    leads = [Lead(SemiElliptic(1.0, 2.0), 1.0, 0.4), Lead(SemiElliptic(0.8, 2.5), 4.0, -0.3)]
    return Model(TWO_SITES, tuple(map(Contact, (0, 1), leads, (0.7, 0.9))))


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_what_the_baths_lose_is_what_the_system_gets(statistics):
    """Number and energy, currents integrated over time by Gauss-Legendre."""
    model = network(statistics)
    closed = closed_system(model, chebyshev_modes, 60)
    end = 6.0
    nodes, weights = np.polynomial.legendre.leggauss(40)
    times = np.concatenate([[0.0], 0.5 * end * (1.0 + nodes), [end]])
    found = propagate(closed, START, times)
    numbers = np.einsum("tjj->t", found.correlations).real
    energies = np.einsum("jk,tkj->t", model.hamiltonian, found.correlations).real
    energies += found.interaction_energies.sum(axis=1)
    for held, currents in ((numbers, found.particle_currents), (energies, found.energy_currents)):
        given = 0.5 * end * weights @ currents[1:-1].sum(axis=1)
        assert held[-1] - held[0] == pytest.approx(given, abs=1e-12)
    assert max(conservation(closed, START, end)) < 1e-13
    eigenvalues = np.linalg.eigvalsh(found.correlations)
    assert eigenvalues.min() >= 0.0 and (statistics == "boson" or eigenvalues.max() <= 1.0)


def test_equilibrium_of_everything_stays():
    """Baths of one temperature and μ with the system inside: f(M) is stationary."""
    leads = [Lead(SemiElliptic(1.0, 2.0), 1.5, 0.4), Lead(SemiElliptic(0.8, 2.5), 1.5, 0.4)]
    model = Model(TWO_SITES, tuple(map(Contact, (0, 1), leads, (0.7, 0.9))))
    closed = closed_system(model, chebyshev_modes, 150)
    late = propagate(closed, START, [70.0]).correlations[0]
    energies, vectors = np.linalg.eigh(closed.matrix())
    thermal = (vectors * leads[0].occupation(energies)) @ vectors.conj().T
    np.testing.assert_allclose(late, thermal[:2, :2], atol=1e-7)


def test_real_and_complex_arithmetic_agree_and_pieces_do_not_matter(monkeypatch):
    real = Model(TWO_SITES.real.copy(), network().contacts)
    # The same physics with a phase on site 1, which its bath absorbs.
    phase = np.diag([1.0, np.exp(0.7j)])
    turned = Model(phase @ real.hamiltonian @ phase.conj().T, real.contacts)
    times = np.linspace(0.0, 9.0, 7)
    first = propagate(closed_system(real, chebyshev_modes, 40), START, times)
    monkeypatch.setattr("manybody.physics.gaussian.exact._ELEMENTS", 1000)
    start = phase @ START @ phase.conj().T
    other = propagate(closed_system(turned, chebyshev_modes, 40), start, times)
    np.testing.assert_allclose(
        phase @ first.correlations @ phase.conj().T, other.correlations, atol=1e-13
    )
    np.testing.assert_allclose(first.energy_currents, other.energy_currents, atol=1e-13)
    for own, start in ((real, START), (turned, phase @ START @ phase.conj().T)):
        assert max(conservation(closed_system(own, chebyshev_modes, 40), start, 9.0)) < 1e-13


# ---- convergence and recurrence -----------------------------------------------------------------


def test_doubling_shows_exponential_convergence():
    times = np.linspace(0.0, 20.0, 11)
    done = converge(network(), chebyshev_modes, START, times, n_modes=16, tolerance=1e-8)
    assert done.n_modes == (32, 64, 128)
    assert done.changes[0] > 1e-6 and done.changes[-1] < 1e-12
    finer = propagate(closed_system(network(), chebyshev_modes, 200), START, times)
    assert np.abs(finer.correlations - done.trajectory.correlations).max() < 1e-12
    assert done.trajectory.recurrence_time > times[-1]


def test_a_discretisation_that_cannot_is_told():
    with pytest.raises(ValueError, match="beyond the recurrence time .* of 64 modes"):
        converge(network(), chebyshev_modes, START, [500.0], largest=64)
    cold = Lead(Flat(1.0, 5.0), 3000.0, 0.1)
    model = Model(np.array([[0.1]]), (Contact(0, cold),))
    coarse = partial(legendre_modes, breakpoints=())
    with pytest.raises(ValueError, match=r"not converged to 1e-10: .* at 32, 64, 128 modes"):
        converge(model, coarse, [[0.5]], [5.0], tolerance=1e-10, largest=128)
    fine = converge(model, legendre_modes, [[0.5]], [5.0], tolerance=1e-10)
    assert fine.changes[-1] < 1e-10


def test_the_echo_comes_when_said():
    """Past the recurrence time a decayed site is refilled: propagate refuses to go there."""
    lead = Lead(Flat(0.5, 8.0), 1.0, -30.0)
    model = Model(np.array([[0.1]]), (Contact(0, lead),))
    bath = legendre_modes(lead, 60, breakpoints=())
    bare = DiscretisedBath(bath.energies, bath.couplings, bath.occupations)
    limit = bath.recurrence_time
    assert limit == pytest.approx(60 * 2 / 8.0, rel=0.05)
    times = limit * np.array([0.9, 1.0, 1.3])
    occupations = propagate(build_closed_system(model, [bare]), [[1.0]], times).correlations.real
    # The band is empty and wide: e^{−Dt} until the echo.
    assert occupations[0, 0, 0] < 2.0 * np.exp(-0.5 * times[0])
    assert occupations[2, 0, 0] > 100.0 * occupations[0, 0, 0]
    with pytest.raises(ValueError, match="times reach 19.* beyond the recurrence time 1"):
        propagate(build_closed_system(model, [bath]), [[1.0]], times)


def test_ohmic_bosons_converge():
    lead = Lead(Ohmic(1.0), 2.0, -0.2, "boson")
    model = Model(np.array([[1.2, 0.3], [0.3, 0.9]]), (Contact(0, lead, 0.4),), "boson")
    done = converge(model, legendre_modes, np.diag([0.0, 2.0]), [1.0, 8.0], largest=512)
    assert done.changes[-1] < 1e-8


# ---- weak coupling ------------------------------------------------------------------------------


def redfield_correlation(model, start, time):
    """dC/dt = −(RC + CR†) + F + F†, D, Δ, fD, Δ^f of the matrix h; docs/physics.md section 6."""
    levels, vectors = np.linalg.eigh(model.hamiltonian)
    n = len(levels)

    def of_h(function):
        return (vectors * function(levels)) @ vectors.conj().T

    relaxation, filling = 1j * model.hamiltonian, np.zeros((n, n), dtype=complex)
    for contact in model.contacts:
        lead, q = contact.reservoir, contact.site
        weight = np.zeros((n, n))
        weight[q, q] = contact.strength**2
        relaxation = relaxation + weight @ (0.5 * of_h(lead.spectrum) + 1j * of_h(lead.shift))
        filling += weight @ (0.5 * of_h(lead.filled) + 1j * of_h(lead.filled_shift))
    steady = scipy.linalg.solve_sylvester(
        relaxation, relaxation.conj().T, filling + filling.conj().T
    )
    decay = scipy.linalg.expm(-relaxation * time)
    return steady + decay @ (start - steady) @ decay.conj().T


def test_redfield_is_the_weak_coupling_limit():
    """At fixed J²t the distance, averaged over its beats, falls like J²."""
    leads = [Lead(Flat(1.0, 6.0), 1.5, 0.6), Lead(Flat(1.0, 6.0), 3.0, -0.4)]
    distances = []
    strengths = np.array([0.2, 0.13, 0.09])
    for strength in strengths:
        model = Model(TWO_SITES, tuple(map(Contact, (0, 1), leads, (strength, 1.1 * strength))))
        times = np.linspace(0.2, 0.6, 60) / strength**2
        closed = closed_system(model, legendre_modes, int(4.0 * times[-1]) + 100)
        exact = propagate(closed, START, times).correlations
        redfield = [redfield_correlation(model, START, time) for time in times]
        distances.append(np.abs(exact - redfield).max(axis=(1, 2)).mean())
    slopes = np.diff(np.log(distances)) / np.diff(np.log(strengths))
    np.testing.assert_allclose(slopes, 2.0, atol=0.05)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda closed: propagate(closed, np.eye(3), [1.0]), "initial of shape"),
        (lambda closed: propagate(closed, [[0, 1], [0, 0]], [1.0]), "not Hermitian"),
        (lambda closed: propagate(closed, np.diag([1.2, 0.0]), [1.0]), "fermions allow <= 1"),
        (lambda closed: propagate(closed, np.diag([-0.1, 0.0]), [1.0]), "must be >= 0"),
        (lambda closed: propagate(closed, np.diag([np.nan, 0.0]), [1.0]), "all must be finite"),
        (lambda closed: propagate(closed, START, [2.0, 1.0]), "must ascend"),
        (lambda closed: propagate(closed, START, [1e4]), "beyond the recurrence time"),
        (lambda closed: build_closed_system(closed.model, []), "0 baths for 2 contacts"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(closed_system(network(), chebyshev_modes, 20))
