"""Run serially and under mpirun on 1, 2 and 3 ranks: the assembled matrix is the generator."""

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.numerics.columns import Columns
from manybody.physics import reference
from manybody.physics.assembly import assemble_rows, dropped_norm
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum

pytest.importorskip("petsc4py", reason="petsc4py not installed")

from manybody.numerics.petsc.assembled import AssembledOperator, check_index_range  # noqa: E402

SIZES = pytest.mark.parametrize("n", [2, 5, 7, 12])


def case(n, bath, sites=None, real=False):
    """Generator and definition, the same on every rank."""
    matrix = oracles.random_hermitian(np.random.default_rng(n), n, real=real)
    generator = build_redfield(build_spectrum([mb.SingleParticleModel(matrix, sites)]), bath, True)
    couplings = reference.site_couplings(n, sites)
    return generator, reference.redfield_liouvillian(matrix, couplings, bath, True)


def assembled(generator, columns, drop_tolerance=0.0):
    rows = assemble_rows(generator, columns.own, drop_tolerance)
    return rows, AssembledOperator(
        rows.matrix, columns, "complex", generator.spectral_box, generator.spectral_outline
    )


def states(n, count=1):
    rng = np.random.default_rng(17)
    return rng.normal(size=(count, n, n)) + 1j * rng.normal(size=(count, n, n))


@SIZES
@pytest.mark.parametrize("sites", [None, [1]], ids=["full", "partial"])
@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
def test_the_product_is_the_definition_on_any_data(comm, bath, n, sites, real):
    generator, expected = case(n, bath, sites, real)
    columns = Columns(n, comm)
    _, operator = assembled(generator, columns)
    assert operator.shape == (1, n, columns.width)
    assert operator.matrix.getOwnershipRange() == (n * columns.own.start, n * columns.own.stop)
    sigma, other = states(n, 2)
    answer = (expected @ sigma.ravel()).reshape(1, n, n)[:, :, columns.own]
    own, plus = (np.ascontiguousarray(x[None, :, columns.own]) for x in (sigma, other))
    kept = own.copy(), plus.copy()
    out = np.full_like(own, np.nan)
    operator.apply(own, out)
    np.testing.assert_allclose(out, answer, atol=1e-13)
    operator.apply(own, out, plus=plus)
    np.testing.assert_allclose(out, answer + plus, atol=1e-13)
    np.testing.assert_array_equal(own, kept[0])
    np.testing.assert_array_equal(plus, kept[1])
    # Steppers add to what they have, and write over what they no longer need.
    operator.apply(own, plus, plus=plus)
    np.testing.assert_array_equal(plus, out)
    operator.apply(own, own)
    np.testing.assert_allclose(own, answer, atol=1e-13)
    operator.destroy()


@SIZES
def test_alone_without_a_communicator(bath, n):
    """Every rank for itself: no communication, the same answer."""
    generator, expected = case(n, bath)
    _, operator = assembled(generator, Columns(n))
    sigma = states(n)
    out = np.empty_like(sigma)
    operator.apply(sigma, out)
    np.testing.assert_allclose(out[0].ravel(), expected @ sigma.ravel(), atol=1e-13)
    values = np.array([1.0, 2.0])
    np.testing.assert_array_equal(operator.columns.total(values), values)
    operator.destroy()


def test_scaled_operators_share_the_matrix(comm, bath):
    generator, expected = case(5, bath)
    columns = Columns(5, comm)
    _, operator = assembled(generator, columns)
    faster = operator.scaled(np.array([2.0])).scaled(np.array([-1.5]))
    assert faster.matrix is operator.matrix
    np.testing.assert_array_equal(faster.spectral_box, -3.0 * operator.spectral_box)
    np.testing.assert_array_equal(faster.spectral_outline, -3.0 * operator.spectral_outline)
    sigma = states(5)
    own = np.ascontiguousarray(sigma[:, :, columns.own])
    out = own.copy()
    answer = (expected @ sigma.ravel()).reshape(1, 5, 5)[:, :, columns.own]
    faster.apply(own, out, plus=out)
    np.testing.assert_allclose(out, own - 3.0 * answer, atol=1e-13)
    operator.apply(own, out)
    np.testing.assert_allclose(out, answer, atol=1e-13)
    faster.destroy()
    operator.destroy()
    for destroyed in (operator, faster):
        with pytest.raises(RuntimeError, match="destroyed"):
            destroyed.apply(own, out)


def test_totals_are_the_same_on_every_rank(comm, bath):
    generator, _ = case(5, bath)
    _, operator = assembled(generator, Columns(5, comm))
    every = np.random.default_rng(4).normal(size=(comm.size, 3, 2))
    total = operator.columns.total(every[comm.rank])
    np.testing.assert_allclose(total, every.sum(axis=0), rtol=1e-14)
    assert len(set(comm.allgather(total.tobytes()))) == 1
    assert operator.columns.total(np.array(0.5)) == 0.5 * comm.size
    operator.destroy()


def test_dropping_does_not_depend_on_the_ranks(comm, bath):
    model = mb.anderson3d(2, 5.0, seed=3)
    generator = build_redfield(build_spectrum([model]), bath, False)
    alone = assemble_rows(generator, drop_tolerance=1e-2)
    columns = Columns(8, comm)
    rows, operator = assembled(generator, columns, 1e-2)
    kept, squares = operator.columns.total(
        np.array([float(rows.entries_kept), rows.dropped_squares])
    )
    assert kept == alone.entries_kept < alone.entries_possible
    bound = dropped_norm(rows.dropped_local, squares)
    assert bound == pytest.approx(dropped_norm(alone.dropped_local, alone.dropped_squares))
    sigma = states(8)
    own = np.ascontiguousarray(sigma[:, :, columns.own])
    out = np.empty_like(own)
    operator.apply(own, out)
    answer = (alone.matrix @ sigma[0].T.ravel()).reshape(8, 8).T[None, :, columns.own]
    np.testing.assert_allclose(out, answer, atol=1e-13)
    operator.destroy()


def test_rows_that_do_not_fit_are_refused_on_every_rank(comm, bath):
    generator, _ = case(5, bath)
    rows = assemble_rows(generator, slice(1, 2)).matrix[:3]
    with pytest.raises(ValueError, match="rank 0: 3 x 25 rows for"):
        AssembledOperator(rows, Columns(5, comm), "complex", generator.spectral_box)


def test_an_overflow_on_one_rank_is_refused_on_every_rank(comm, bath):
    """Before PETSc sees anything; the entries are only claimed."""

    class Claimed:
        def __init__(self, matrix, entries):
            self.shape, self.nnz = matrix.shape, entries

    generator, _ = case(5, bath)
    columns = Columns(5, comm)
    rows = assemble_rows(generator, columns.own).matrix
    entries = 2**63 if comm.rank == comm.size - 1 else rows.nnz
    with pytest.raises(ValueError, match="5 sites: one rank would store 9223372036854775808"):
        AssembledOperator(Claimed(rows, entries), columns, "complex", generator.spectral_box)


def test_indices_end_somewhere():
    """1024 sites on one rank are the last that fit 32 bits; 46340 have the last row."""
    small, large = 2**31 - 1, 2**63 - 1
    check_index_range(1024, 1024**2 * 2047, small)
    check_index_range(46340, 0, small)
    check_index_range(46341, 2**40, large)
    message = "1025 sites: one rank would store 2152730625.* 32-bit .* more ranks.*drop.*64-bit"
    with pytest.raises(ValueError, match=message):
        check_index_range(1025, 1025**2 * 2049, small)
    with pytest.raises(ValueError, match="46341 sites: .* N² = 2147488281 rows.*matrix-free"):
        check_index_range(46341, 0, small)
    with pytest.raises(ValueError, match="for 513 columns of rho"):
        check_index_range(2000, 513 * 2000 * 3999, small, 513)
