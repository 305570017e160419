"""Random systems of up to 20 states against the definitions, whatever comes."""

import numpy as np
import pytest

import manybody as mb
from manybody.physics import reference
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.fock.basis import FockBasis
from manybody.physics.problem import Problem

CASES = range(24)


def unitary(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def hermitian(rng, n, is_real):
    matrix = rng.normal(size=(n, n)) + (0.0 if is_real else 1j * rng.normal(size=(n, n)))
    return matrix + matrix.conj().T


def random_hamiltonian(rng, n):
    """Generic, sparse, or with levels and gaps that coincide."""
    is_real = bool(rng.integers(2))
    kind = rng.integers(4)
    if kind == 0:
        return hermitian(rng, n, is_real) * 10.0 ** rng.uniform(-2, 1)
    if kind == 1:
        matrix = hermitian(rng, n, is_real) * (rng.random((n, n)) < 0.1)
        return matrix + matrix.conj().T
    turn = np.linalg.qr(rng.normal(size=(n, n)))[0] if is_real else unitary(rng, n)
    # Few integers: equal levels, and equal gaps between different ones.
    levels = rng.integers(0, 4 if kind == 2 else 3 * n, n)
    return (turn * levels) @ turn.conj().T


def random_couplings(rng, n):
    """Occupations, small integers, any diagonals or matrices, some of them alike or zero."""
    count, kind = int(rng.integers(1, 5)), rng.integers(5)
    if kind == 0:
        return rng.integers(0, 2, (count, n)).astype(float)
    if kind == 1:
        return rng.integers(-2, 4, (count, n)).astype(float)
    if kind == 2:
        return rng.normal(size=(count, n))
    if kind == 3:
        return [hermitian(rng, n, bool(rng.integers(2))) for _ in range(count)]
    basis = FockBasis(6, "fermion", 3 if n == 20 else 1)
    if basis.dimension != n:
        return np.vstack([rng.normal(size=n), np.zeros(n)])
    sites = rng.permutation(6)[: rng.integers(1, 7)]
    return basis.occupations.T[sites].astype(float)


def random_bath(rng):
    beta = 10.0 ** rng.uniform(-1, 1.5)
    if rng.integers(2):
        return mb.OhmicBath(10.0 ** rng.uniform(-2, 0), 10.0 ** rng.uniform(0, 1.5), beta)
    return mb.ThermalBath(mb.DrudeLorentzDensity(coupling=0.3, cutoff=2.0), beta=beta)


@pytest.mark.parametrize("case", CASES)
def test_generators_of_random_systems(case):
    rng = np.random.default_rng([19, case])
    n = int(rng.choice([2, 3, 6, 11, 20]))
    lamb_shift, bath = bool(rng.integers(2)), random_bath(rng)
    model = mb.ManyBodyModel(random_hamiltonian(rng, n), random_couplings(rng, n))
    problem = Problem([model], bath, lamb_shift)
    # What cannot be decided has two answers, and the definition one.
    tolerance = problem.clustering.tolerance
    operators = [one.astype(np.complex128) for one in model.couplings.matrices()]
    hamiltonian = model.dense_hamiltonian()
    redfield = reference.redfield_liouvillian(hamiltonian, operators, bath, lamb_shift)
    size = max(1.0, float(np.abs(redfield).max()))
    found = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
    np.testing.assert_allclose(found, redfield, rtol=0, atol=1e-12 * size)

    generator, sigma = redfield_of(problem), hermitian(rng, n, False)
    borders = sorted({0, n, *rng.integers(0, n, 2).tolist()})
    whole = sigma[None].copy()
    half = np.empty_like(whole)
    for first, stop in zip(borders, borders[1:]):
        own = np.ascontiguousarray(whole[:, :, first:stop])
        kernel, out = generator.kernel(slice(first, stop)), np.empty_like(own)
        kernel(own, out, whole)
        half[:, :, first:stop] = out
    flow = half[0] + half[0].conj().T
    largest = size * n * np.abs(sigma).max()
    expected = (redfield @ sigma.ravel()).reshape(n, n)
    np.testing.assert_allclose(flow, expected, rtol=0, atol=1e-13 * largest)

    if problem.clustering.verdict == "ambiguous":
        return
    davies = reference.davies_liouvillian(hamiltonian, operators, bath, lamb_shift, tolerance)
    found = mb.davies_liouvillian(model, bath, lamb_shift).toarray()
    np.testing.assert_allclose(found, davies, rtol=0, atol=1e-11 * size)
