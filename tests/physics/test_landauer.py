import mpmath
import numpy as np
import pytest
import scipy.linalg
from leads import Contact, Flat, Lead, Model, Ohmic, SemiElliptic
from scipy import integrate, special

from manybody.physics.gaussian.discretised import chebyshev_modes, legendre_modes
from manybody.physics.gaussian.exact import build_closed_system, converge, propagate
from manybody.physics.gaussian.landauer import (
    green_function,
    self_energy,
    steady_state,
    transmission,
)

THREE_SITES = np.array([[0.2, 0.5, 0.1j], [0.5, -0.1, 0.4], [-0.1j, 0.4, 0.3]])


def three_leads():
    """Distinct D, T and μ, two of them on one site."""
    leads = (
        Lead(SemiElliptic(1.0, 3.0), 1.0, 0.5),
        Lead(SemiElliptic(1.0, 2.5), 2.0, -0.5),
        Lead(SemiElliptic(0.5, 3.0), 8.0, -0.2),
    )
    return Model(THREE_SITES, tuple(map(Contact, (0, 2, 2), leads, (0.7, 0.8, -0.8))))


def by_the_definition(model):
    """C and particle currents of docs/physics.md's formulas, each entry by QUADPACK."""
    n, q = len(model.hamiltonian), len(model.contacts)

    def green(omega):
        sigma = np.zeros((n, n), dtype=complex)
        for c in model.contacts:
            lead = c.reservoir
            own = lead.shift(omega) - 0.5j * lead.spectrum(omega)
            sigma[c.site, c.site] += c.strength**2 * own
        return np.linalg.inv(omega * np.eye(n) - model.hamiltonian - sigma)

    def entries(omega):
        g = green(omega)
        gamma = [c.strength**2 * c.reservoir.spectrum(omega) for c in model.contacts]
        f = [c.reservoir.occupation(omega) for c in model.contacts]
        sites = [c.site for c in model.contacts]
        correlation = sum(
            f[k] * gamma[k] * np.outer(g[:, sites[k]], g[:, sites[k]].conj()) for k in range(q)
        )
        currents = [
            sum(
                gamma[a] * abs(g[sites[a], sites[b]]) ** 2 * gamma[b] * (f[a] - f[b])
                for b in range(q)
            )
            for a in range(q)
        ]
        return np.concatenate([correlation.ravel(), currents]) / (2 * np.pi)

    ends = sorted({end for c in model.contacts for end in c.reservoir.density.support})
    total = 0.0
    for low, high in zip(ends[:-1], ends[1:]):
        # ω = cos θ takes the √ edges away.
        total = (
            total
            + integrate.quad_vec(
                lambda x, a=low, b=high: (
                    entries(0.5 * (a + b) - 0.5 * (b - a) * np.cos(x)) * 0.5 * (b - a) * np.sin(x)
                ),
                0.0,
                np.pi,
                epsabs=1e-12,
            )[0]
        )
    return total[: n * n].reshape(n, n), total[n * n :].real


def test_against_the_definition():
    correlation, currents = by_the_definition(three_leads())
    found = steady_state(three_leads(), 1e-11)
    np.testing.assert_allclose(found.correlation, correlation, atol=1e-11)
    np.testing.assert_allclose(found.particle_currents, currents, atol=1e-11)
    assert found.error < 1e-10 and found.spectral_defect < 1e-10


def test_tolerance_is_kept():
    fine = steady_state(three_leads(), 1e-13)
    for tolerance in (1e-4, 1e-6, 1e-8, 1e-10):
        found = steady_state(three_leads(), tolerance)
        assert np.abs(found.correlation - fine.correlation).max() < tolerance
        assert np.abs(found.energy_currents - fine.energy_currents).max() < tolerance


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_the_exact_dynamics_arrives_there(statistics):
    """Two routes to the same truth, with nothing but the model in common."""
    model = three_leads()
    if statistics == "boson":
        leads = (
            Lead(SemiElliptic(1.0, 2.0, 3.0), 1.0, 0.4, "boson"),
            Lead(SemiElliptic(0.8, 2.5, 3.0), 2.0, -0.3, "boson"),
        )
        hamiltonian = np.array([[3.3, 0.4 - 0.2j], [0.4 + 0.2j, 2.9]])
        model = Model(hamiltonian, tuple(map(Contact, (0, 1), leads, (0.7, 0.9))), "boson")
    n = len(model.hamiltonian)
    done = converge(model, chebyshev_modes, 0.5 * np.eye(n), [90.0], n_modes=150)
    steady = steady_state(model)
    for name in ("particle_currents", "energy_currents"):
        late = getattr(done.trajectory, name)
        assert np.abs(late[-1] - getattr(steady, name)).max() < 2e-8
    assert np.abs(done.trajectory.correlations[-1] - steady.correlation).max() < 2e-8
    assert done.changes[-1] < 1e-8


def test_currents_balance_and_vanish_in_equilibrium():
    found = steady_state(three_leads())
    assert abs(found.particle_currents.sum()) < 1e-14 and abs(found.energy_currents.sum()) < 1e-14
    assert np.abs(found.particle_currents).min() > 1e-3
    equal = [Lead(c.reservoir.density, 2.0, 0.1) for c in three_leads().contacts]
    model = Model(THREE_SITES, tuple(map(Contact, (0, 2, 2), equal, (0.7, 0.8, -0.8))))
    still = steady_state(model)
    assert np.abs(still.particle_currents).max() == 0.0
    # f(M) of everything, another formula altogether.
    closed = build_closed_system(model, [chebyshev_modes(lead, 150) for lead in equal])
    energies, vectors = np.linalg.eigh(closed.matrix())
    thermal = (vectors * equal[0].occupation(energies)) @ vectors.conj().T
    np.testing.assert_allclose(still.correlation, thermal[:3, :3], atol=1e-10)


def test_one_site_between_flat_leads_is_a_lorentzian():
    """Transmission D²/((ω−ε)² + D²) at zero shift; the current of wide bands at T = 0."""
    leads = [Lead(Flat(0.2, 500.0), 2000.0, mu) for mu in (0.3, -0.1)]
    model = Model(np.array([[0.05]]), (Contact(0, leads[0]), Contact(0, leads[1])))
    omega = np.linspace(-1.0, 1.0, 5)
    exact = 0.04 / ((omega - 0.05) ** 2 + 0.04)
    np.testing.assert_allclose(transmission(model, omega)[:, 0, 1], exact, rtol=1e-3)
    found = steady_state(model)
    expected = 0.2 / (2 * np.pi) * (np.arctan(0.25 / 0.2) - np.arctan(-0.15 / 0.2))
    assert found.particle_currents[0] == pytest.approx(expected, rel=1e-3)


def test_self_energy_and_green_function():
    model, omega = three_leads(), np.array([[-0.3, 0.8]])
    sigma = self_energy(model, omega)
    assert sigma.shape == (1, 2, 3) and np.all(sigma[..., 1] == 0.0)
    for place, energy in np.ndenumerate(omega):
        matrix = energy * np.eye(3) - THREE_SITES - np.diag(sigma[place])
        green = green_function(model, omega)[place]
        np.testing.assert_allclose(green @ matrix, np.eye(3), atol=1e-13)
    # From above the real axis, Σ = ∫dω'/2π D/(ω + i0 − ω').
    lead = model.contacts[0].reservoir
    near = mpmath.quad(
        lambda w: mpmath.sqrt(1 - (w / 3) ** 2) / (mpmath.mpc(-0.3, 1e-7) - w) / (2 * mpmath.pi),
        [-3, -0.31, -0.3001, -0.3, -0.2999, -0.29, 3],
    )
    assert complex(near) == pytest.approx(lead.shift(-0.3) - 0.5j * lead.spectrum(-0.3), abs=1e-6)
    assert sigma[0, 0, 0] == pytest.approx(0.49 * complex(near), abs=1e-6)


@pytest.mark.parametrize("strength", [0.1, 0.01, 1e-3])
def test_narrow_resonances_are_found(strength):
    leads = [Lead(Flat(1.0, 10.0), 1.0, 0.5), Lead(Flat(1.0, 10.0), 3.0, -0.5)]
    hamiltonian = np.array([[0.2, 0.5], [0.5, -0.1]])
    model = Model(hamiltonian, tuple(map(Contact, (0, 1), leads, (strength, strength))))
    found = steady_state(model)
    assert found.spectral_defect < 1e-9
    # Two sites in resonance with both leads, weak coupling: each mode between two rates.
    levels, vectors = np.linalg.eigh(hamiltonian)
    rates = np.abs(vectors) ** 2
    filling = np.array([lead.occupation(levels) for lead in leads])
    current = np.sum(rates[0] * rates[1] * (filling[0] - filling[1]))
    assert found.particle_currents[0] / strength**2 == pytest.approx(current, rel=strength + 1e-5)


def redfield_steady(model):
    """RC + CR† = F + F†, docs/physics.md section 6."""
    levels, vectors = np.linalg.eigh(model.hamiltonian)

    def of_h(function):
        return (vectors * function(levels)) @ vectors.conj().T

    relaxation, filling = 1j * model.hamiltonian, np.zeros((2, 2), dtype=complex)
    for c in model.contacts:
        weight, lead = np.zeros((2, 2)), c.reservoir
        weight[c.site, c.site] = c.strength**2
        relaxation = relaxation + weight @ (0.5 * of_h(lead.spectrum) + 1j * of_h(lead.shift))
        filling += weight @ (0.5 * of_h(lead.filled) + 1j * of_h(lead.filled_shift))
    source = filling + filling.conj().T
    return scipy.linalg.solve_sylvester(relaxation, relaxation.conj().T, source)


def test_redfield_is_wrong_at_second_order_in_the_steady_state():
    leads = [Lead(Flat(1.0, 20.0), 1.5, 0.6), Lead(Flat(1.0, 20.0), 3.0, -0.4)]
    hamiltonian = np.array([[0.3, 0.4 - 0.2j], [0.4 + 0.2j, -0.1]])
    strengths, distances = np.array([0.1, 0.05, 0.025]), []
    for strength in strengths:
        model = Model(hamiltonian, tuple(map(Contact, (0, 1), leads, (strength, 1.3 * strength))))
        exact = steady_state(model, 1e-12).correlation
        distances.append(np.abs(exact - redfield_steady(model)).max())
    slopes = np.log2(np.divide(distances[:-1], distances[1:]))
    np.testing.assert_allclose(slopes, 2.0, atol=0.05)


def test_stand_in_leads_are_right():
    """Closed forms of the principal values against 20-digit quadrature."""
    flat, lead = Flat(1.0, 20.0), Lead(Flat(1.0, 20.0), 1.5, 0.6)
    for omega in (-0.7, 0.6, 1.9):
        for exact, function in (
            (flat.shift(omega), lambda w: 1),
            (lead.filled_shift(omega), lambda w: 1 / (mpmath.exp(1.5 * (w - 0.6)) + 1)),
        ):
            # P∫ by pairing both sides of the pole, the rest plainly.
            near = mpmath.quad(
                lambda u, f=function, o=omega: (f(o - u) - f(o + u)) / u, [0, 1, 5, 15]
            )
            far = mpmath.quad(lambda w, f=function, o=omega: f(w) / (o - w), [-20, omega - 15])
            far += mpmath.quad(lambda w, f=function, o=omega: f(w) / (o - w), [omega + 15, 20])
            assert exact == pytest.approx(float((near + far) / (2 * mpmath.pi)), abs=1e-11)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Model(np.diag([0.0, 3.5]), three_leads().contacts[:2]), "bound states hold"),
        (Model(THREE_SITES + 4.0 * np.eye(3), three_leads().contacts), "bound states hold 0.9"),
        (Model(THREE_SITES, ()), "no contacts"),
    ],
)
def test_no_unique_steady_state_is_told(model, words):
    if len(model.hamiltonian) == 2:
        model = Model(model.hamiltonian, model.contacts[:1])
    with pytest.raises(ValueError, match=words):
        steady_state(model)


def test_bound_states_keep_the_start_for_ever():
    """What the error says: two starts, two late states."""
    model = Model(np.array([[3.5]]), (Contact(0, Lead(SemiElliptic(1.0, 2.0), 1.0), 0.5),))
    closed = build_closed_system(model, [chebyshev_modes(model.contacts[0].reservoir, 80)])
    late = [propagate(closed, [[n]], [60.0]).correlations[0, 0, 0].real for n in (0.0, 1.0)]
    assert late[1] - late[0] > 0.9
    with pytest.raises(ValueError, match="steady state is not unique"):
        steady_state(model)


def test_infinite_bands_are_cut_where_nothing_is_left():
    """One bath is equilibrium: [f(M)] of everything once more, with an Ohmic band."""

    class Shifted(Lead):
        def shift(self, omega):
            """P∫₀^∞ ω'e^{−ω'}/(2π(ω−ω')) = (ω e^{−ω}Ei(ω) − 1)/2π."""
            return (omega * np.exp(-omega) * special.expi(omega) - 1.0) / (2 * np.pi)

    lead = Shifted(Ohmic(1.0), 2.0, -0.2, "boson")
    model = Model(np.array([[1.2]]), (Contact(0, lead, 0.8),), "boson")
    closed = build_closed_system(model, [legendre_modes(lead, 200)])
    energies, vectors = np.linalg.eigh(closed.matrix())
    thermal = vectors[0] ** 2 @ lead.occupation(energies)
    assert steady_state(model).correlation[0, 0].real == pytest.approx(thermal, abs=1e-10)
