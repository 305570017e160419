import numpy as np
import oracles
import pytest
import scipy.sparse as sp
from linear_coupling import Colored, Lead

import manybody as mb
from manybody.physics.gaussian.quadratic import Contact, QuadraticModel, from_single_particle


def test_a_model_holds_what_it_was_given(rng):
    matrix = oracles.random_hermitian(rng, 4)
    contacts = [Contact(2, Lead(), 0.5), Contact(0, Lead(beta=1.0)), Contact(2, Lead(), -0.1)]
    model = QuadraticModel(matrix, contacts)
    np.testing.assert_array_equal(model.hamiltonian, matrix)
    assert model.n_sites == 4 and model.statistics == "fermion"
    assert model.contacts == tuple(contacts)
    assert model.sites.tolist() == [2, 0, 2]
    assert model.coupled.tolist() == [True, False, True, False]
    sparse = QuadraticModel(sp.coo_array(matrix), contacts)
    np.testing.assert_array_equal(sparse.dense_hamiltonian(), matrix)
    assert not QuadraticModel(matrix, [Contact(1, Lead(), 0.0)]).coupled.any()


def test_from_single_particle():
    lead = Lead()
    model = from_single_particle(mb.dirac_syk2(5, seed=1), lead, strength=0.3)
    assert model.sites.tolist() == [0, 1, 2, 3, 4]
    assert all(c.reservoir is lead and c.strength == 0.3 for c in model.contacts)
    few = mb.SingleParticleModel(np.diag([1.0, 2.0, 3.0]), coupled_sites=[2, 0])
    bosons = from_single_particle(few, Colored(statistics="boson"))
    assert bosons.sites.tolist() == [0, 2] and bosons.statistics == "boson"
    with pytest.raises(TypeError, match="SingleParticleModel"):
        from_single_particle(model, lead)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((-1, Lead()), ValueError, "site = -1"),
        ((0.5, Lead()), TypeError, "site = 0.5"),
        ((0, Lead(), np.inf), ValueError, "strength = inf"),
        ((0, Lead(), "1"), TypeError, "strength = '1'"),
        ((0, mb.OhmicBath(0.2, 10.0, 5.0)), TypeError, "filled_shift"),
    ],
)
def test_bad_contacts_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        Contact(*arguments)


@pytest.mark.parametrize(
    ("hamiltonian", "contacts", "statistics", "error", "words"),
    [
        ([[0.0, 1.0], [0.5, 0.0]], (), "fermion", ValueError, "not Hermitian"),
        (np.eye(2), [Contact(2, Lead())], "fermion", ValueError, "site 2.*0 to 1"),
        (np.eye(2), [Lead()], "fermion", TypeError, "Contact is needed"),
        (np.eye(2), Contact(0, Lead()), "fermion", TypeError, "sequence of Contact"),
        (np.eye(2), (), "anyon", ValueError, "'anyon'"),
        (np.eye(2), [Contact(0, Lead())], "boson", ValueError, "'fermion'.*'boson'"),
    ],
)
def test_bad_models_are_refused(hamiltonian, contacts, statistics, error, words):
    with pytest.raises(error, match=words):
        QuadraticModel(hamiltonian, contacts, statistics)


def test_bosons_stay_above_the_chemical_potential(rng):
    matrix = oracles.random_hermitian(rng, 4)
    lowest = float(np.linalg.eigvalsh(matrix)[0])

    def model(mu, on=matrix):
        first = Contact(0, Colored(statistics="boson", chemical_potential=lowest - 1.0))
        last = Contact(1, Colored(statistics="boson", chemical_potential=mu))
        return QuadraticModel(on, [first, last], "boson")

    assert model(lowest - 1e-6).n_sites == 4
    with pytest.raises(ValueError, match="below the lowest level of the Hamiltonian, -"):
        model(lowest + 1e-6)
    with pytest.raises(ValueError, match="lowest level of the Hamiltonian, 0.5"):
        model(0.5, on=np.diag([0.5, 1.0]))
    # Fermions may be anywhere.
    QuadraticModel(matrix, [Contact(0, Colored(chemical_potential=5.0))])

    class Band:
        support = (0.2, np.inf)

    class Banded(Colored):
        density = Band()

    with pytest.raises(ValueError, match="site 1.*must not lie above its lowest level, 0.2"):
        QuadraticModel(np.eye(2), [Contact(1, Banded(statistics="boson"))], "boson")
