import linear_coupling as lc
import numpy as np
import oracles
import pytest
from linear_coupling import Colored, equal_contacts, fock_time_derivative

import manybody as mb
from manybody.physics.gaussian.correlations import build_generator
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel, from_single_particle
from manybody.physics.gaussian.theorem import theorem_residual, unclustered_residual


def hamiltonians():
    rng = np.random.default_rng(9)
    ring = oracles.ring_hamiltonian(12)
    return [
        ("syk2", mb.dirac_syk2(60, seed=1).hamiltonian),
        ("anderson", mb.anderson3d(4, 5.0, seed=1).hamiltonian),
        ("clean cube", mb.anderson3d(3, 0.0).hamiltonian),
        ("ring", ring),
        ("two sites", oracles.random_hermitian(rng, 2)),
        ("one level", np.eye(4)),
    ]


@pytest.mark.parametrize("statistics", ["fermion", "boson"])
@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize(("name", "matrix"), hamiltonians(), ids=lambda x: str(x)[:10])
def test_equal_contacts_everywhere(name, matrix, lamb_shift, statistics):
    bath = Colored(beta=1.5, chemical_potential=-12.0, statistics=statistics)
    model = from_single_particle(mb.SingleParticleModel(matrix), bath, strength=0.2)
    assert theorem_residual(model, lamb_shift).largest < 1e-13


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_anything_unequal_breaks_it(lamb_shift):
    matrix = mb.dirac_syk2(30, seed=2).hamiltonian
    bath = Colored()
    one = [Contact(site, bath, 0.2 * (1.01 if site == 7 else 1.0)) for site in range(30)]
    found = theorem_residual(QuadraticModel(matrix, one), lamb_shift)
    # J² of one site in N differs by 2 %: ‖ΔP‖_F / ‖1‖_F = 0.02 / √N, but for its diagonal.
    assert found.damping == pytest.approx(0.0201 / np.sqrt(30), rel=0.05)
    assert found.largest < 0.1
    other = Colored(beta=bath.beta * 0.5)
    two = [Contact(site, other if site < 15 else bath, 0.2) for site in range(30)]
    found = theorem_residual(QuadraticModel(matrix, two), lamb_shift)
    assert found.damping < 1e-13 and found.filling > 1e-2
    some = [Contact(site, bath, 0.2) for site in range(20)]
    assert theorem_residual(QuadraticModel(matrix, some), lamb_shift).largest > 0.1


@pytest.mark.parametrize(("n", "p"), [(6, 2), (6, 3), (8, 2), (12, 3), (12, 4)])
def test_contacts_on_every_pth_site_of_a_ring(n, p):
    """SNM says that terms m ≠ n vanish; those with m − n a multiple of N/p stay (weight 1/p)."""
    ring = np.roll(np.eye(n), 1, axis=0) * np.exp(0.1j)
    matrix = ring + ring.conj().T
    contacts = [Contact(site, Colored(), 0.4) for site in range(0, n, p)]
    model = QuadraticModel(matrix, contacts)
    numbers = np.arange(n)
    waves = np.exp(2j * np.pi * (np.outer(numbers, numbers) % n) / n) / np.sqrt(n)
    redfield = build_generator(model, "redfield").damping_matrix() - 1j * matrix
    survive = (numbers[:, None] - numbers) % (n // p) == 0
    energies = np.diagonal(waves.conj().T @ matrix @ waves).real
    values = 0.5 * 0.4**2 * Colored().spectrum(energies)
    np.testing.assert_allclose(waves.conj().T @ redfield @ waves, survive * values / p, atol=3e-15)
    # Of p equal terms in each column Davies keeps one.
    assert theorem_residual(model).damping == pytest.approx(np.sqrt(p - 1), abs=1e-12)


def test_unclustered_davies_and_degenerate_levels(rng):
    """Two levels of five modes each: half of the sites see much of their coherence."""
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, 10))[1]
    matrix = (vectors * np.repeat([0.2, 1.0], 5)) @ vectors.conj().T
    model = QuadraticModel(matrix, equal_contacts(5))
    right = theorem_residual(model).damping
    wrong = theorem_residual(model, clustering=False).damping
    assert wrong > 1.2 * right > 0.1


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_unclustered_gaps_in_fock_space(statistics, lamb_shift, rng):
    """Equal contacts: the theorem holds in Fock space, and not for gaps taken one by one."""
    n = 3 if statistics == "fermion" else 2
    mu = -4.0 if statistics == "boson" else 0.3
    contacts = equal_contacts(n, strength=0.5, chemical_potential=mu, statistics=statistics)
    model = QuadraticModel(oracles.random_hermitian(rng, n), contacts, statistics)
    if statistics == "fermion":
        annihilators = lc.fermion_annihilators(n)
    else:
        annihilators, _ = lc.boson_annihilators(n, 3)
    counts = np.diag(sum(a.T @ a for a in annihilators)).round()
    vectors = np.linalg.eigh(model.hamiltonian)[1]
    modes = [sum(vectors[q, m].conj() * annihilators[q] for q in range(n)) for m in range(n)]
    vacuum = np.eye(len(counts))[counts == 0][0]
    norm = np.zeros((n, n))
    davies = build_generator(model, "davies", lamb_shift)
    for m in range(n):
        for k in range(n):
            coherence = np.outer(modes[m].conj().T @ vacuum, vacuum @ modes[k])
            images = []
            for equation, tolerance in (("redfield", 1e-9), ("davies", 1e-9), ("davies", -1.0)):
                change = fock_time_derivative(
                    model, annihilators, coherence, equation, lamb_shift, tolerance
                )
                images.append((vectors.conj().T @ change @ vectors)[m, k])
            assert images[0] == pytest.approx(images[1], abs=1e-14)
            norm[m, k] = abs(images[2] - images[1])
    dissipator = np.diagonal(davies.damping)
    expected = np.linalg.norm(norm) / np.linalg.norm(dissipator[:, None] + dissipator.conj())
    assert unclustered_residual(model, lamb_shift) == pytest.approx(expected, abs=1e-12)
    assert expected > 1e-3


def test_unclustered_residual_grows_and_needs_single_levels():
    sizes = [
        unclustered_residual(from_single_particle(mb.dirac_syk2(n, seed=1), Colored()))
        for n in (8, 16, 32)
    ]
    assert sizes[0] > 1.0 and sizes[2] > 1.5 * sizes[1] > 2.0 * sizes[0]
    with pytest.raises(ValueError, match="4 different levels of 6"):
        unclustered_residual(QuadraticModel(oracles.ring_hamiltonian(6), equal_contacts(6)))


def test_nothing_and_something():
    matrix = oracles.ring_hamiltonian(4)
    assert theorem_residual(QuadraticModel(matrix)).largest == 0.0
    assert theorem_residual(QuadraticModel(matrix, equal_contacts(4, 0.0))).largest == 0.0
