"""Kossakowski and Choi matrices of generators."""

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb
from manybody.errors import InputError, InputTypeError
from manybody.physics.reference import lindblad_dissipator


def traceless_basis(rng, n):
    """Random orthonormal traceless operators."""
    draws = rng.normal(size=(n * n, n, n)) + 1j * rng.normal(size=(n * n, n, n))
    draws[0] = np.eye(n)
    vectors = scipy.linalg.qr(draws.reshape(n * n, -1).T)[0].T
    return vectors[1:].reshape(-1, n, n)


def generator_of(rates, operators, hamiltonian):
    """−i[H, ρ] + Σ_ij a_ij (F_iρF_j† − ½{F_j†F_i, ρ})."""
    n, identity = len(hamiltonian), np.eye(len(hamiltonian))
    total = -1j * (np.kron(hamiltonian, identity) - np.kron(identity, hamiltonian.T))
    for i, left in enumerate(operators):
        for j, right in enumerate(operators):
            product = right.conj().T @ left
            total = total + rates[i, j] * np.kron(left, right.conj())
            total = total - 0.5 * rates[i, j] * np.kron(product, identity)
            total = total - 0.5 * rates[i, j] * np.kron(identity, product.T)
    assert total.shape == (n * n, n * n)
    return total


@pytest.mark.parametrize("n", [2, 3])
def test_it_is_the_matrix_of_rates_in_any_basis(n, rng):
    """H, and what an operator's trace adds to it, are no part of it."""
    operators = traceless_basis(rng, n)
    for _ in range(5):
        rates = oracles.random_hermitian(rng, n * n - 1)
        matrix = generator_of(rates, operators, oracles.random_hermitian(rng, n))
        expected = np.linalg.eigvalsh(rates)[0]
        assert mb.choi_eigenvalue(matrix) == pytest.approx(expected, abs=1e-12)


def test_a_jump_with_a_trace_is_a_jump():
    """Two generators of the same equation: L and L + c with another H."""
    jump = np.array([[0.3, 1.0], [0.0, -0.2]])
    moved = jump + 0.7 * np.eye(2)
    assert abs(mb.choi_eigenvalue(lindblad_dissipator(jump))) < 1e-15
    assert abs(mb.choi_eigenvalue(lindblad_dissipator(moved))) < 1e-15
    wrong = lindblad_dissipator(np.array([[1.0, 0.0], [0.0, -1.0]]))
    assert mb.choi_eigenvalue(-0.25 * wrong) == pytest.approx(-0.5)


def test_the_choi_matrix_says_what_a_map_does(rng):
    """C = Σ_ab L[|a⟩⟨b|] ⊗ |a⟩⟨b|, positive for e^{Lt} where the generator is."""
    matrix = rng.normal(size=(9, 9))
    choi = mb.choi_matrix(matrix).reshape(3, 3, 3, 3)
    for a in range(3):
        for b in range(3):
            unit = np.zeros((3, 3))
            unit[a, b] = 1.0
            image = (matrix @ unit.ravel()).reshape(3, 3)
            np.testing.assert_array_equal(choi[:, a, :, b], image)
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 3))
    bath = mb.OhmicBath(1.0, 10.0, 1.0)
    lowest = {}
    for name in ("redfield", "universal-lindblad"):
        liouvillian = mb.liouvillian(model, bath, name)
        short = scipy.linalg.expm(1e-3 * liouvillian.toarray())
        lowest[name] = np.linalg.eigvalsh(mb.choi_matrix(short))[0]
        assert (mb.choi_eigenvalue(liouvillian) > -1e-14) == (lowest[name] > -1e-14)
    assert lowest["redfield"] < -1e-6


@pytest.mark.parametrize(
    ("matrix", "error", "words"),
    [
        (np.eye(3), InputError, r"has shape \(3, 3\): must be \(D², D²\)"),
        (np.zeros((4, 9)), InputError, "must be"),
        (np.zeros(4), InputTypeError, "liouvillian of shape"),
        (np.full((4, 4), np.nan), InputError, "must be finite"),
        (np.eye(1), InputError, "at least two"),
        (1j * np.eye(4), InputError, "takes Hermitian operators to others"),
        (np.array([["a"]]), InputTypeError, "dtype"),
    ],
)
def test_what_is_no_generator_is_refused(matrix, error, words):
    with pytest.raises(error, match=words):
        mb.choi_eigenvalue(matrix)
