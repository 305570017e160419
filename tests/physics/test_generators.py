"""Redfield and Davies against two independent definitions, and the laws they must obey."""

from functools import lru_cache

import numpy as np
import oracles
import pytest
from conftest import hamiltonians

import manybody as mb
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.physics import reference
from manybody.physics.assembly import assemble_rows
from manybody.physics.equations import bohr_blocks
from manybody.physics.equations.davies import build_davies
from manybody.physics.equations.protocol import gibbs_residual
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import STRUCTURAL, build_spectrum, cluster_bohr_frequencies

CASES = [pytest.param(h, sites, id=name) for name, h, sites in hamiltonians()]
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])


def scalars(bath):
    return lru_cache(lambda w: float(bath.gamma(w))), lru_cache(lambda w: float(bath.eta(w)))


def sites_of(model):
    return np.flatnonzero(model.coupled).tolist()


def oracle_redfield(model, bath, lamb_shift):
    gamma, eta = scalars(bath)
    matrix = model.dense_hamiltonian()
    return oracles.redfield_matrix(matrix, sites_of(model), gamma, eta if lamb_shift else None)


def oracle_davies(model, bath, lamb_shift):
    gamma, eta = scalars(bath)
    matrix = model.dense_hamiltonian()
    return oracles.davies_matrix(matrix, sites_of(model), gamma, eta if lamb_shift else None)


def davies_of(model, bath, lamb_shift):
    spectrum = build_spectrum([model])
    clustering = cluster_bohr_frequencies(spectrum)[0]
    merging = clustering.merging_tolerance if clustering.verdict == STRUCTURAL else None
    return build_davies(spectrum, bath, lamb_shift, merging)


@BOTH
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_reference_matches_the_oracle(matrix, sites, bath, lamb_shift):
    model = mb.SingleParticleModel(matrix, sites)
    couplings = reference.site_couplings(model.n_sites, sites)
    redfield = reference.redfield_liouvillian(matrix, couplings, bath, lamb_shift)
    np.testing.assert_allclose(redfield, oracle_redfield(model, bath, lamb_shift), atol=1e-13)
    davies = reference.davies_liouvillian(matrix, couplings, bath, lamb_shift, 1e-9)
    np.testing.assert_allclose(davies, oracle_davies(model, bath, lamb_shift), atol=1e-13)


@BOTH
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_redfield_kernel_and_rows(matrix, sites, bath, lamb_shift, rng):
    model = mb.SingleParticleModel(matrix, sites)
    n = model.n_sites
    generator = build_redfield(build_spectrum([model]), bath, lamb_shift)
    expected = oracle_redfield(model, bath, lamb_shift)

    sigma = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    rho = sigma @ sigma.conj().T
    for linearity, argument in (("complex", sigma), ("hermitian", rho)):
        operator = KernelOperator(
            generator.kernel(), generator.spectral_box, Columns(n), linearity
        )
        out = np.empty((1, n, n), dtype=complex)
        operator.apply(np.ascontiguousarray(argument)[None].astype(complex), out)
        answer = (expected @ argument.ravel()).reshape(n, n)
        np.testing.assert_allclose(out[0], answer, atol=1e-12)

    assembled = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
    np.testing.assert_allclose(assembled, expected, atol=1e-12)
    some = assemble_rows(generator, slice(1, 2)).matrix.toarray()
    every = assemble_rows(generator).matrix.toarray()
    np.testing.assert_array_equal(some, every[n : 2 * n])


def test_blocks_must_be_c_ordered(bath):
    """BLAS would write into a copy."""
    generator = build_redfield(build_spectrum([mb.dirac_syk2(24, seed=1)]), bath, False)
    rho = np.zeros((1, 24, 24), dtype=complex)
    with pytest.raises(ValueError, match="C-ordered"):
        generator.kernel()(rho, np.zeros((1, 24, 30), dtype=complex)[:, :, :24])


def test_the_half_form_is_wrong_on_non_hermitian_data(bath, rng):
    """The reason for two linearities: X + X† is only real-linear."""
    model = mb.dirac_syk2(4, seed=1)
    generator = build_redfield(build_spectrum([model]), bath, False)
    operator = KernelOperator(generator.kernel(), generator.spectral_box, Columns(4), "hermitian")
    sigma = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    out = np.empty((1, 4, 4), dtype=complex)
    operator.apply(sigma[None], out)
    answer = (oracle_redfield(model, bath, False) @ sigma.ravel()).reshape(4, 4)
    assert np.abs(out[0] - answer).max() > 0.1


@BOTH
@pytest.mark.parametrize("linearity", ["hermitian", "complex"])
@pytest.mark.parametrize("sites", [None, [0, 3, 11, 20]], ids=["full", "partial"])
@pytest.mark.parametrize("kind", ["complex", "real", "bipartite"])
@pytest.mark.parametrize("n", [22, 26, 30])
def test_kernel_of_larger_systems_by_definition(bath, rng, n, kind, sites, linearity, lamb_shift):
    """Stacks whose products go one by one, and the last that do not: docs/physics.md section 3."""
    draw = {
        "complex": oracles.random_hermitian,
        "bipartite": oracles.bipartite_hamiltonian,
        "real": lambda rng, n: oracles.random_hermitian(rng, n, real=True),
    }[kind]
    matrices = [draw(rng, n) for _ in range(2)]
    models = [mb.SingleParticleModel(matrix, sites) for matrix in matrices]
    generator = build_redfield(build_spectrum(models), bath, lamb_shift)
    operator = KernelOperator(generator.kernel(), generator.spectral_box, Columns(n), linearity)
    sigma = rng.normal(size=(2, n, n)) + 1j * rng.normal(size=(2, n, n))
    if linearity == "hermitian":
        sigma = sigma + np.swapaxes(sigma.conj(), 1, 2)
    out = np.empty_like(sigma)
    operator.apply(sigma, out)
    for matrix, x, answer in zip(matrices, sigma, out):
        energies, vectors = np.linalg.eigh(matrix)
        rates = bath.one_sided(energies[None, :] - energies[:, None], lamb_shift)
        expected = -1j * (matrix @ x - x @ matrix)
        for coupling in reference.site_couplings(n, sites):
            filtered = rates * (vectors.conj().T @ coupling @ vectors)
            filtered = vectors @ filtered @ vectors.conj().T
            expected += filtered @ x @ coupling - coupling @ filtered @ x
            expected += coupling @ x @ filtered.conj().T - x @ filtered.conj().T @ coupling
        np.testing.assert_allclose(answer, expected, atol=1e-12)


@BOTH
@pytest.mark.parametrize("n", [7, 25], ids=["one call", "one by one"])
@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
def test_kernel_of_some_columns_and_of_a_stack(bath, rng, lamb_shift, real, n):
    models = [
        mb.SingleParticleModel(oracles.random_hermitian(rng, n, real=real), [0, 2, 3, 6])
        for _ in range(3)
    ]
    stack = build_redfield(build_spectrum(models), bath, lamb_shift)
    x = rng.normal(size=(3, n, n)) + 1j * rng.normal(size=(3, n, n))
    full = np.empty_like(x)
    stack.kernel()(x, full)
    for columns in (slice(0, 3), slice(3, 7), slice(2, 3)):
        kernel = stack.kernel(columns)
        assert kernel.columns == columns
        part = np.empty((3, n, columns.stop - columns.start), dtype=complex)
        kernel(np.ascontiguousarray(x[:, :, columns]), part)
        np.testing.assert_allclose(part, full[:, :, columns], atol=1e-13)
    for index, model in enumerate(models):
        alone = np.empty((1, n, n), dtype=complex)
        build_redfield(build_spectrum([model]), bath, lamb_shift).kernel()(x[index][None], alone)
        np.testing.assert_array_equal(alone[0], full[index])


@BOTH
@pytest.mark.parametrize("budget", [bohr_blocks.MAX_BLOCK_ENTRIES, 0], ids=["formed", "applied"])
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_davies_generator_and_propagation(matrix, sites, bath, lamb_shift, budget, monkeypatch):
    monkeypatch.setattr(bohr_blocks, "MAX_BLOCK_ENTRIES", budget)
    model = mb.SingleParticleModel(matrix, sites)
    n = model.n_sites
    expected = oracle_davies(model, bath, lamb_shift)
    davies = davies_of(model, bath, lamb_shift)
    np.testing.assert_allclose(davies.toarray(), expected, atol=1e-12)
    rho = np.zeros((n, n), dtype=complex)
    rho[0, 0], rho[0, 1], rho[1, 0], rho[1, 1] = 0.6, 0.2j, -0.2j, 0.4
    times = np.array([0.0, 0.5, 3.0, 3.5, 20.0, 300.0])
    states = davies.propagate(rho, times)
    np.testing.assert_allclose(states, oracles.propagate(expected, rho, times), atol=1e-11)
    assert np.linalg.eigvalsh(states).min() > -1e-13


def test_the_closed_form_is_wrong_for_degenerate_gaps(bath, rng):
    """The reason for Bohr blocks: populations right, coherences wrong on a ±E spectrum."""
    model = mb.SingleParticleModel(oracles.bipartite_hamiltonian(rng, 6))
    spectrum = build_spectrum([model])
    assert cluster_bohr_frequencies(spectrum)[0].verdict == STRUCTURAL
    expected = oracle_davies(model, bath, False)
    wrong = build_davies(spectrum, bath, False, merging_tolerance=None)
    error = np.abs(wrong.toarray() - expected).max()
    assert error > 1e-4
    rho = np.diag([1.0, 0, 0, 0, 0, 0]).astype(complex)
    vectors = spectrum.vectors[0]
    right = oracles.propagate(expected, rho, [20.0])[0]
    closed = wrong.propagate(rho, np.array([20.0]))[0]
    difference = vectors.conj().T @ (right - closed) @ vectors
    assert np.abs(np.diag(difference)).max() < 1e-13
    assert np.abs(difference).max() > 1e-4


def test_uniformisation_over_long_times_stays_a_distribution():
    bath = mb.OhmicBath(2.0, 10.0, 0.5)
    davies = davies_of(mb.anderson3d(3, 20.0, seed=1), bath, False)
    start = np.zeros(27)
    start[13] = 1.0
    times = np.array([0.0, 1.0, 50.0, 1e3, 1e5])
    populations = davies.populations(start, times)
    assert populations.min() >= 0.0
    np.testing.assert_allclose(populations.sum(axis=1), 1.0, atol=1e-12)
    energies = davies.spectrum.energies[0]
    gibbs = np.exp(-0.5 * (energies - energies[0]))
    np.testing.assert_allclose(populations[-1], gibbs / gibbs.sum(), atol=1e-12)


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_trace_and_hermiticity_of_both_generators(bath, lamb_shift, seed):
    rng = np.random.default_rng(seed)
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 5), [0, 2, 3])
    sigma = rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5))
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        matrix = build(model, bath, lamb_shift).toarray()
        assert np.abs(np.eye(5).ravel() @ matrix).max() < 1e-14
        image = (matrix @ sigma.ravel()).reshape(5, 5)
        adjoint = (matrix @ sigma.conj().T.ravel()).reshape(5, 5)
        np.testing.assert_allclose(adjoint, image.conj().T, atol=1e-13)


@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_gibbs_state_is_stationary_without_lamb_shift(matrix, sites, bath):
    model = mb.SingleParticleModel(matrix, sites)
    gibbs = oracles.gibbs(matrix, bath.beta).ravel()
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        assert np.abs(build(model, bath).toarray() @ gibbs).max() < 1e-14
    shifted = mb.davies_liouvillian(model, bath, lamb_shift=True).toarray()
    assert np.abs(shifted @ gibbs).max() < 1e-14


def test_gibbs_state_is_not_stationary_with_lamb_shift(bath):
    model = mb.dirac_syk2(5, seed=2)
    gibbs = oracles.gibbs(model.hamiltonian, bath.beta).ravel()
    matrix = mb.redfield_liouvillian(model, bath, lamb_shift=True).toarray()
    residual = np.abs(matrix @ gibbs).max()
    assert residual > 1e-4
    generator = build_redfield(build_spectrum([model]), bath, True)
    assert gibbs_residual(generator, bath.beta)[0] == pytest.approx(residual, rel=1e-9)


@BOTH
def test_unitary_covariance(bath, rng, lamb_shift):
    """H → UHU†, A_j → UA_jU† turns L into (U ⊗ U*) L (U ⊗ U*)†."""
    n = 4
    matrix = oracles.random_hermitian(rng, n)
    unitary = oracles.random_unitary(rng, n)
    couplings = reference.site_couplings(n, [0, 2])
    turned = [unitary @ coupling @ unitary.conj().T for coupling in couplings]
    both = np.kron(unitary, unitary.conj())
    rotated = unitary @ matrix @ unitary.conj().T
    for build, extra in (
        (reference.redfield_liouvillian, ()),
        (reference.davies_liouvillian, (1e-9,)),
    ):
        here = build(matrix, couplings, bath, lamb_shift, *extra)
        there = build(rotated, turned, bath, lamb_shift, *extra)
        np.testing.assert_allclose(there, both @ here @ both.conj().T, atol=1e-12)


@BOTH
def test_covariance_under_phases_and_permutations(bath, rng, lamb_shift):
    """The unitaries that keep the set of site projectors: the fast paths must follow."""
    n = 6
    matrix = oracles.random_hermitian(rng, n, real=True)
    order = rng.permutation(n)
    unitary = np.diag(np.exp(2j * np.pi * rng.uniform(size=n)))[order]
    both = np.kron(unitary, unitary.conj())
    # A real H becomes complex: the two kernels must agree with each other.
    turned = mb.SingleParticleModel(unitary @ matrix @ unitary.conj().T)
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        here = build(mb.SingleParticleModel(matrix), bath, lamb_shift).toarray()
        there = build(turned, bath, lamb_shift).toarray()
        np.testing.assert_allclose(there, both @ here @ both.conj().T, atol=1e-12)


def test_limits(rng):
    matrix = oracles.random_hermitian(rng, 4)
    model = mb.SingleParticleModel(matrix)
    unitary = -1j * (np.kron(matrix, np.eye(4)) - np.kron(np.eye(4), matrix.T))
    closed = mb.OhmicBath(coupling=0.0, cutoff=10.0, beta=5.0)
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        np.testing.assert_allclose(build(model, closed).toarray(), unitary, atol=1e-14)
    # H ∝ 1: pure dephasing at γ(0), and both equations are the same.
    flat = mb.SingleParticleModel(0.7 * np.eye(3))
    bath = mb.OhmicBath(0.2, 10.0, 5.0)
    dephasing = -0.04 / 5.0 * np.diag(1.0 - np.eye(3).ravel())
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        np.testing.assert_allclose(build(flat, bath).toarray(), dephasing, atol=1e-15)


def test_a_liouvillian_too_large_to_write_down_is_refused(bath):
    with pytest.raises(ValueError, match="n_sites = 200.*128"):
        mb.redfield_liouvillian(mb.dirac_syk2(200), bath).toarray()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.5, None), "model = 0.5"),
        ((mb.dirac_syk2(2), 0.2), "bath = 0.2"),
        ((mb.dirac_syk2(2), mb.OhmicBath(0.2, 1.0, 1.0), "no"), "lamb_shift = 'no'"),
    ],
)
def test_liouvillians_check_their_arguments(arguments, words):
    for build in (mb.redfield_liouvillian, mb.davies_liouvillian):
        with pytest.raises(TypeError, match=words):
            build(*arguments)
