"""Hamiltonians and couplings as other packages keep them, by what these can do."""

import numpy as np
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.physics.couplings import DiagonalCouplings, MatrixCouplings
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.matrices import matrix_from


class QutipLike:
    """`data_as` gives what is stored, `full` always an array."""

    def __init__(self, stored, dense):
        self.stored, self.dense = stored, dense

    def data_as(self):
        if self.stored is None:
            raise NotImplementedError
        return self.stored

    def full(self):
        return self.dense

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("sparse data would be lost")


class QuspinLike:
    def __init__(self, matrix, dynamic=None):
        self.matrix, self.dynamic = matrix, dynamic or {}

    def tocsr(self, time=0):
        return sp.csr_matrix(self.matrix)


class ColumnsOnly:
    def __init__(self, matrix):
        self.matrix = matrix

    def tocsc(self):
        return sp.csc_matrix(self.matrix)


class DynamiteLike:
    def __init__(self, matrix):
        self.matrix = matrix

    def to_numpy(self, subspaces=None, sparse=True):
        return sp.csr_matrix(self.matrix) if sparse else self.matrix


class TableLike:
    """As pandas has them."""

    def __init__(self, matrix):
        self.matrix = matrix

    def to_numpy(self, dtype=None):
        return self.matrix

    def __array__(self, dtype=None, copy=None):
        return self.matrix


def others(matrix):
    return {
        "array": matrix,
        "lists": matrix.tolist(),
        "coo": sp.coo_matrix(matrix),
        "qutip sparse": QutipLike(sp.csr_matrix(matrix), matrix),
        "qutip dense": QutipLike(matrix.T, matrix),
        "qutip without": QutipLike(None, matrix),
        "quspin": QuspinLike(matrix),
        "quspin columns": ColumnsOnly(matrix),
        "dynamite": DynamiteLike(matrix),
        "pandas": TableLike(matrix),
    }


@pytest.mark.parametrize("kind", others(np.eye(1)))
def test_matrices_of_other_packages(rng, kind):
    half = rng.normal(size=(3, 5, 5)) + 1j * rng.normal(size=(3, 5, 5))
    h, *couplings = half + np.swapaxes(half.conj(), 1, 2)
    model = mb.ManyBodyModel(others(h)[kind], [others(each)[kind] for each in couplings])
    np.testing.assert_allclose(model.dense_hamiltonian(), h, atol=1e-15)
    sparse = kind in ("coo", "qutip sparse", "quspin", "quspin columns", "dynamite")
    assert sp.issparse(model.hamiltonian) == sparse
    assert isinstance(model.couplings, MatrixCouplings)
    np.testing.assert_allclose(np.stack([*model.couplings.matrices()]), couplings, atol=1e-15)


def test_couplings_of_other_packages_may_be_diagonal():
    numbers = [QuspinLike(np.diag(row)) for row in np.eye(3)]
    model = mb.ManyBodyModel(QuspinLike(np.ones((3, 3))), numbers)
    assert isinstance(model.couplings, DiagonalCouplings)


def test_what_is_no_matrix_is_refused():
    class Wrong:
        def tocsr(self):
            return "a matrix"

    for value in (Wrong(), object(), "H", None, 3.0, {"H": 1}, FockBasis(2)):
        with pytest.raises(TypeError, match=f"hamiltonian of type {type(value).__name__}: an arr"):
            mb.ManyBodyModel(value, np.ones((1, 2)))
        with pytest.raises(TypeError, match=r"couplings\[1\] of type"):
            mb.ManyBodyModel(np.eye(2), [np.eye(2), value])
    with pytest.raises(ValueError, match="hamiltonian depends on time"):
        mb.ManyBodyModel(QuspinLike(np.eye(2), {"f": 1}), np.ones((1, 2)))
    with pytest.raises(ValueError, match="hamiltonian is not Hermitian"):
        mb.ManyBodyModel(QuspinLike([[0.0, 1.0], [0.0, 0.0]]), np.ones((1, 2)))
    assert matrix_from([[1.0]]) == [[1.0]]
