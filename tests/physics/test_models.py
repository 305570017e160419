import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.physics.models.lattices import Cube


def test_syk2_is_the_gaussian_unitary_ensemble():
    n, n_samples = 12, 3000
    rng = np.random.default_rng(0)
    draws = np.array(
        [mb.dirac_syk2(n, coupling=1.5, seed=rng).hamiltonian for _ in range(n_samples)]
    )
    assert np.array_equal(draws, np.swapaxes(draws.conj(), 1, 2))
    # |h_ij|² / (J²/N) is exponential off the diagonal and chi-squared on it: variance 1 and 2.
    power = (np.abs(draws) ** 2).mean(axis=0) * n / 1.5**2
    error = 5.0 * np.sqrt(2.0 / n_samples)
    np.testing.assert_allclose(power, 1.0, atol=error)
    off = draws[:, 0, 1] * np.sqrt(n) / 1.5
    assert off.real.var() == pytest.approx(0.5, abs=0.06)
    assert off.imag.var() == pytest.approx(0.5, abs=0.06)
    assert np.abs((off**2).mean()) < 0.1


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("boundary", ["periodic", "open"])
def test_cubic_lattice(length, boundary):
    bonds = Cube(length, boundary).bonds()
    expected = 3 * length**2 * (length - 1)
    if boundary == "periodic" and length > 2:
        expected = 3 * length**3
    assert len(bonds) == expected
    assert len({tuple(bond) for bond in bonds}) == expected
    position = np.array(np.unravel_index(np.arange(length**3), (length,) * 3)).T
    step = np.abs(position[bonds[:, 0]] - position[bonds[:, 1]])
    if boundary == "periodic":
        step = np.minimum(step, length - step)
    np.testing.assert_array_equal(step.sum(axis=1), 1)


def test_anderson_hamiltonian():
    model = mb.anderson3d(length=3, disorder=5.0, hopping=1.5, seed=4)
    matrix = model.dense_hamiltonian()
    assert sp.issparse(model.hamiltonian) and model.is_real
    off = matrix - np.diag(np.diag(matrix))
    assert set(np.unique(off)) == {0.0, 1.5}
    assert (off != 0).sum(axis=0).tolist() == [6] * 27
    assert np.abs(np.diag(matrix)).max() <= 5.0
    assert (mb.anderson3d(2, 5.0).dense_hamiltonian() != 0).sum() == 8 + 8 * 3
    wide = np.concatenate(
        [np.diag(mb.anderson3d(6, 2.0, seed=s).dense_hamiltonian()) for s in range(40)]
    )
    assert wide.mean() == pytest.approx(0.0, abs=0.08)
    assert wide.var() == pytest.approx(4.0 / 3.0, rel=0.05)


def test_seeds_decide():
    def same(left, right):
        return np.array_equal(left.dense_hamiltonian(), right.dense_hamiltonian())

    assert same(mb.dirac_syk2(5, seed=3), mb.dirac_syk2(5, seed=3))
    assert same(mb.dirac_syk2(5, seed=[3, 4]), mb.dirac_syk2(5, seed=(3, 4)))
    assert same(mb.dirac_syk2(5, seed=3), mb.dirac_syk2(5, seed=np.random.default_rng(3)))
    assert not same(mb.dirac_syk2(5, seed=3), mb.dirac_syk2(5, seed=4))
    assert not same(mb.anderson3d(3, 1.0, seed=3), mb.anderson3d(3, 1.0, seed=4))


def test_any_hermitian_matrix():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    matrix = matrix + matrix.conj().T
    model = mb.SingleParticleModel(matrix, coupled_sites=(3, 0))
    assert model.coupled_sites.tolist() == [0, 3]
    assert model.coupled.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(model.hamiltonian, matrix)
    with pytest.raises(ValueError, match="read-only"):
        model.hamiltonian[0, 0] = 1.0
    matrix[0, 0] = 99.0
    assert model.hamiltonian[0, 0] != 99.0
    sparse = mb.SingleParticleModel(sp.coo_array(model.hamiltonian))
    np.testing.assert_array_equal(sparse.dense_hamiltonian(), model.hamiltonian)
    assert mb.SingleParticleModel(np.eye(3) + 0j).is_real
    assert mb.SingleParticleModel(np.eye(3, dtype=int)).hamiltonian.dtype == np.float64


@pytest.mark.parametrize(
    ("matrix", "error", "words"),
    [
        ([[0.0, 1.0], [0.5, 0.0]], ValueError, "not Hermitian.*0.5"),
        ([[0.0, 1.0j], [1.0j, 0.0]], ValueError, "not Hermitian"),
        ([[0.0, np.nan], [np.nan, 0.0]], ValueError, "nan"),
        ([[np.inf, 0.0], [0.0, 0.0]], ValueError, "inf"),
        (np.zeros((2, 3)), ValueError, r"\(2, 3\)"),
        (np.zeros((0, 0)), ValueError, r"\(0, 0\)"),
        (np.zeros(4), ValueError, r"\(4,\)"),
        ([["a", "b"], ["c", "d"]], TypeError, "numeric"),
        (sp.csr_array([[0.0, 1.0], [0.5, 0.0]]), ValueError, "not Hermitian"),
    ],
)
def test_bad_hamiltonians_are_refused(matrix, error, words):
    with pytest.raises(error, match=words):
        mb.SingleParticleModel(matrix)


@pytest.mark.parametrize(
    ("sites", "error", "words"),
    [
        ([], ValueError, "empty"),
        ([4], ValueError, "4.*0 to 3"),
        ([-1], ValueError, "-1"),
        ([1, 1], ValueError, "once"),
        ([0.5], TypeError, "0.5"),
        ("all", TypeError, "'all'"),
        (2, TypeError, "2"),
    ],
)
def test_bad_sites_are_refused(sites, error, words):
    with pytest.raises(error, match=words):
        mb.SingleParticleModel(np.eye(4), coupled_sites=sites)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mb.dirac_syk2(0), ValueError, "n_sites = 0"),
        (lambda: mb.dirac_syk2(2.5), TypeError, "n_sites = 2.5"),
        (lambda: mb.dirac_syk2(4, coupling=0.0), ValueError, "coupling = 0.0"),
        (lambda: mb.anderson3d(0, 1.0), ValueError, "length = 0"),
        (lambda: mb.anderson3d(2, -1.0), ValueError, "disorder = -1.0"),
        (lambda: mb.anderson3d(2, 1.0, boundary="twisted"), ValueError, "'twisted'.*'periodic'"),
        (lambda: mb.anderson3d(2, 1.0, hopping=float("nan")), ValueError, "hopping = nan"),
    ],
)
def test_bad_parameters_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("seed", [None, True, [], -1, "7", 1.5, [1, -2]])
def test_a_seed_that_nobody_could_repeat_is_refused(seed):
    for build in (lambda: mb.dirac_syk2(3, seed=seed), lambda: mb.anderson3d(2, 1.0, seed=seed)):
        with pytest.raises((TypeError, ValueError), match="seed"):
            build()


def test_masked_and_enormous_matrices_are_refused():
    with pytest.raises(TypeError, match="masked"):
        mb.SingleParticleModel(np.ma.masked_array(np.eye(2), mask=np.eye(2)))
    with pytest.raises(ValueError, match="1e.100"):
        mb.SingleParticleModel(np.eye(2) * 1.5e308)
    with pytest.raises(ValueError, match="1e.100"):
        mb.dirac_syk2(3, coupling=10**400)


@pytest.mark.parametrize("model", [mb.dirac_syk2(4, seed=1), mb.anderson3d(3, 2.0, seed=1)])
def test_a_model_travels_between_ranks(model):
    again = pickle.loads(pickle.dumps(model))
    assert again.parameters == model.parameters and again.name == model.name
    np.testing.assert_array_equal(again.dense_hamiltonian(), model.dense_hamiltonian())
    given = again.hamiltonian
    assert not (given.data if sp.issparse(given) else given).flags.writeable
    with pytest.raises(TypeError):
        again.parameters["more"] = 1
