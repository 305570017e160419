"""Rows of the Liouvillian: against the definition, and what dropping may change."""

import numpy as np
import oracles
import pytest
from conftest import hamiltonians

import manybody as mb
from manybody.physics import reference
from manybody.physics.assembly import assemble_rows, dropped_norm
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum
from manybody.physics.vectorise import column_order_to_row_major

CASES = [pytest.param(h, sites, id=name) for name, h, sites in hamiltonians()]
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
TOLERANCES = [1e-6, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.9]


def generator_of(matrix, sites, bath, lamb_shift):
    return build_redfield(
        build_spectrum([mb.SingleParticleModel(matrix, sites)]), bath, lamb_shift
    )


def dense(assembled):
    """Row-major vec."""
    n = round(np.sqrt(assembled.matrix.shape[1]))
    return column_order_to_row_major(assembled.matrix, n).toarray()


def definition(matrix, sites, bath, lamb_shift):
    couplings = reference.site_couplings(len(matrix), sites)
    return reference.redfield_liouvillian(matrix, couplings, bath, lamb_shift)


def bound_of(assembled):
    return dropped_norm(assembled.dropped_local, assembled.dropped_squares)


@BOTH
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_rows_by_definition(matrix, sites, bath, lamb_shift):
    n = len(matrix)
    generator = generator_of(matrix, sites, bath, lamb_shift)
    rows = assemble_rows(generator)
    expected = definition(matrix, sites, bath, lamb_shift)
    np.testing.assert_allclose(dense(rows), expected, atol=1e-13)
    assert rows.entries_kept == rows.entries_possible == n * n * (2 * n - 1) == rows.matrix.nnz
    assert np.all(np.diff(rows.matrix.indptr) == 2 * n - 1)
    assert bound_of(rows) == 0.0
    # What is 1e-12 of the largest rate is hardly anything, and finds its way back.
    few = assemble_rows(generator, drop_tolerance=1e-12)
    assert bound_of(few) < 1e-10
    np.testing.assert_allclose(dense(few), expected, atol=1e-11)


@BOTH
@pytest.mark.parametrize(("matrix", "sites"), CASES)
@pytest.mark.parametrize("drop_tolerance", [0.0, 1e-2, 0.3])
def test_the_trace_is_exact_and_hermiticity_kept(matrix, sites, bath, lamb_shift, drop_tolerance):
    n = len(matrix)
    rows = dense(
        assemble_rows(generator_of(matrix, sites, bath, lamb_shift), slice(None), drop_tolerance)
    )
    assert np.abs(np.eye(n).ravel() @ rows).max() < 1e-15
    swap = np.arange(n * n).reshape(n, n).T.ravel()
    np.testing.assert_allclose(rows[np.ix_(swap, swap)], rows.conj(), atol=1e-13)


@BOTH
@pytest.mark.parametrize(("matrix", "sites"), CASES)
def test_the_norm_of_what_was_dropped_is_bounded(matrix, sites, bath, lamb_shift):
    """‖δL‖₁→₁ itself, from below: rank-one operators, whose convex hull is the unit ball."""
    n, rng = len(matrix), np.random.default_rng(3)
    generator = generator_of(matrix, sites, bath, lamb_shift)
    full = dense(assemble_rows(generator))
    before, kept = 0.0, n * n * (2 * n - 1)
    for drop_tolerance in TOLERANCES:
        rows = assemble_rows(generator, drop_tolerance=drop_tolerance)
        change, bound = dense(rows) - full, bound_of(rows)
        largest = 0.0
        for _ in range(30):
            left, right = rng.normal(size=(2, n)) + 1j * rng.normal(size=(2, n))
            # Alternating maximisation: the norm of the image, then where it comes from.
            for _ in range(4):
                state = np.outer(left, right.conj())
                state /= np.linalg.norm(left) * np.linalg.norm(right)
                image = (change @ state.ravel()).reshape(n, n)
                u, values, vh = np.linalg.svd(image)
                largest = max(largest, values.sum())
                dual = (change.conj().T @ (u @ vh).ravel()).reshape(n, n)
                u, _, vh = np.linalg.svd(dual)
                left, right = u[:, 0], vh[0].conj()
        # Rounding of a product of matrices of size 1.
        assert largest <= bound + 1e-14
        assert bound >= before and rows.entries_kept <= kept
        before, kept = bound, rows.entries_kept


def test_elements_are_dropped_where_nothing_else_is_stored(bath):
    """A localised lattice, element by element: Λ_j above the threshold or where H or K is."""
    model = mb.anderson3d(3, 5.0, seed=2)
    n, matrix = model.n_sites, model.dense_hamiltonian()
    generator = build_redfield(build_spectrum([model]), bath, False)
    rows = assemble_rows(generator, drop_tolerance=1e-2)
    assert 0 < rows.entries_kept == rows.matrix.nnz < 0.6 * rows.entries_possible
    energies, vectors = np.linalg.eigh(matrix)
    rates = bath.one_sided(energies[None, :] - energies[:, None], False)
    threshold = 1e-2 * rates.max()
    filtered = np.stack([vectors @ (rates * np.outer(v, v)) @ vectors.T for v in vectors])
    own = filtered[np.arange(n), np.arange(n)]
    acts = (matrix != 0.0) | (np.abs(own) > threshold) | np.eye(n, dtype=bool)
    filtered = np.where((np.abs(filtered) > threshold) | acts, filtered, 0.0)
    local = -1j * matrix - np.where(acts, own, 0.0)
    rng = np.random.default_rng(1)
    sigma = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    half = [local @ x + np.einsum("bac,cb->ab", filtered, x) for x in (sigma, sigma.conj().T)]
    image = (rows.matrix @ sigma.T.ravel()).reshape(n, n).T
    np.testing.assert_allclose(image, half[0] + half[1].conj().T, atol=1e-12)


def test_dense_hamiltonians_gain_nothing_and_lose_nothing(bath):
    generator = build_redfield(build_spectrum([mb.dirac_syk2(12, seed=1)]), bath, False)
    rows = assemble_rows(generator, drop_tolerance=0.1)
    assert bound_of(rows) == 0.0
    assert rows.entries_kept == rows.entries_possible
    np.testing.assert_array_equal(rows.matrix.toarray(), assemble_rows(generator).matrix.toarray())


def test_rounding_of_a_lattice_is_not_stored(bath):
    """Without a bath the rows of a clean lattice have its hops alone."""
    closed = mb.OhmicBath(coupling=0.0, cutoff=10.0, beta=5.0)
    model = mb.anderson3d(3, 0.0)
    generator = build_redfield(build_spectrum([model]), closed, False)
    rows = assemble_rows(generator, drop_tolerance=1e-6)
    assert rows.entries_kept == 27 * 27 * (6 + 6 + 1)
    assert bound_of(rows) < 1e-11


@BOTH
@pytest.mark.parametrize("drop_tolerance", [0.0, 0.05])
@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
@pytest.mark.parametrize("n", [5, 13, 30])
def test_bits_of_rows_do_not_depend_on_the_columns(bath, rng, n, real, drop_tolerance, lamb_shift):
    matrix = oracles.random_hermitian(rng, n, real=real)
    # Some hops only: otherwise nothing is dropped.
    matrix = np.where(np.abs(np.subtract.outer(np.arange(n), np.arange(n))) < 2, matrix, 0.0)
    generator = generator_of(matrix, [0, 2, 3], bath, lamb_shift)
    every = assemble_rows(generator, slice(None), drop_tolerance)
    borders = [0, 1, 1, n // 2, n]
    parts = [
        assemble_rows(generator, slice(*pair), drop_tolerance)
        for pair in zip(borders[:-1], borders[1:])
    ]
    for name in ("data", "indices"):
        joined = np.concatenate([getattr(part.matrix, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(every.matrix, name))
    assert sum(part.entries_kept for part in parts) == every.entries_kept
    assert sum(part.entries_possible for part in parts) == every.entries_possible
    assert {part.dropped_local for part in parts} == {every.dropped_local}
    squares = sum(part.dropped_squares for part in parts)
    assert squares == pytest.approx(every.dropped_squares, rel=1e-13)
    assert (squares > 0.0) == (drop_tolerance > 0.0)
    for part in (*parts, every):
        matrix = part.matrix
        assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
        ordered = np.diff(matrix.indices)
        ordered[matrix.indptr[1:-1] - 1] = 1
        assert matrix.shape[0] == 0 or ordered.min() > 0


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (-1e-3, ValueError),
        (1.0, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        ("1e-3", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_bad_tolerances_are_named(bath, value, kind):
    generator = build_redfield(build_spectrum([mb.dirac_syk2(4, seed=1)]), bath, False)
    with pytest.raises(kind, match=f"drop_tolerance = {value!r}"):
        assemble_rows(generator, drop_tolerance=value)


def test_stacks_and_gaps_are_refused(bath):
    models = [mb.dirac_syk2(4, seed=seed) for seed in (1, 2)]
    with pytest.raises(ValueError, match="the stack has 2"):
        assemble_rows(build_redfield(build_spectrum(models), bath, False))
    generator = build_redfield(build_spectrum(models[:1]), bath, False)
    for columns in (slice(None, None, 2), slice(3, 1)):
        with pytest.raises(ValueError, match="contiguous"):
            assemble_rows(generator, columns)
