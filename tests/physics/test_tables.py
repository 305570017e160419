"""Redfield by tables: every layout against the sum by definition."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from manybody.errors import InputError
from manybody.physics.equations import strided_products, tables_parts
from manybody.physics.equations.tables import TableKernel, build_tables
from manybody.physics.equations.tables_layout import cut_tables, plan_tables
from manybody.physics.fock.basis import FockBasis

ALL = slice(None)


def slow(coefficients, operators, rho, columns=ALL, unitary=None):
    """Σ_r C[r, b] B_r ρ_b, less iHρ."""
    own = coefficients[:, columns]
    result = np.einsum("rb,rsac,scb->sab", own, np.stack(operators), rho, optimize=True)
    if unitary is not None:
        dense = [one.toarray() if sp.issparse(one) else one for one in unitary]
        result = result - 1j * np.stack(dense) @ rho
    return result


def draw(random, shape, is_real=False):
    real = random.normal(size=shape)
    return real if is_real else real + 1j * random.normal(size=shape)


def occupations(n_modes, n_particles=None, rows=None, statistics="fermion", **more):
    """C of row 1 and centred occupations of all modes, or of those in `rows`."""
    basis = FockBasis(n_modes, statistics, n_particles=n_particles, **more)
    values = basis.occupations.T.astype(float)
    values -= 0.5 * (values.max(axis=1) + values.min(axis=1))[:, None]
    return np.vstack([np.ones(basis.dimension), values if rows is None else values[rows]])


def arbitrary(random, rows, dimension):
    return np.vstack([np.ones(dimension), random.normal(size=(rows, dimension))])


def close(actual, expected):
    scale = np.abs(expected).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=1e-13)


def check(coefficients, layout, is_real, samples=2, columns=ALL, unitary=None, seed=0):
    """Build, apply, and compare with the sum; returns kernel and ρ."""
    random = np.random.default_rng(seed)
    dimension = coefficients.shape[1]
    operators = [draw(random, (samples, dimension, dimension), is_real) for _ in coefficients]
    kernel = TableKernel(layout, build_tables(layout, enumerate(operators)), columns, unitary)
    width = len(range(dimension)[columns])
    rho = draw(random, (samples, dimension, width))
    out = np.full_like(rho, np.nan)
    for buffer in kernel.buffers:
        buffer[...] = np.nan
    given_rho = rho.copy()
    kernel(rho, out)
    np.testing.assert_array_equal(rho, given_rho)
    close(out, slow(coefficients, operators, rho, columns, unitary))
    return kernel, rho, out


KINDS = [(np.float64, True), (np.complex128, False)]


@pytest.mark.parametrize(("dtype", "is_real"), KINDS)
@pytest.mark.parametrize("n_particles", [0, 1, 2, 3, 4, 5, 6, None])
@pytest.mark.parametrize("sizes", [(1,), (2,), (3, 2), (9,), None])
def test_fermions_at_all_fillings(n_particles, sizes, dtype, is_real):
    coefficients = occupations(6, n_particles)
    dimension = coefficients.shape[1]
    if sizes is None:
        layout = plan_tables(coefficients, dimension, dtype, np.inf)
    else:
        layout = cut_tables(coefficients, dimension, dtype, sizes)
    check(coefficients, layout, is_real)


@pytest.mark.parametrize(("dtype", "is_real"), KINDS)
@pytest.mark.parametrize("sizes", [(1,), (3,), (4, 2), (2, 2), None])
@pytest.mark.parametrize(
    "columns", [ALL, slice(0, 1), slice(125, 126), slice(41, 90), slice(60, 126)], ids=str
)
def test_columns_of_a_rank(columns, sizes, dtype, is_real):
    coefficients = occupations(9, 4)
    make = cut_tables if sizes else plan_tables
    layout = make(coefficients, 126, dtype, sizes or np.inf)
    check(coefficients, layout, is_real, columns=columns)


@pytest.mark.parametrize("dimension", [1, 2, 7, 30, 60])
@pytest.mark.parametrize(("dtype", "is_real"), KINDS)
@pytest.mark.parametrize("sizes", [(1,), (2,), (5,), None])
def test_arbitrary_coefficients(dimension, sizes, dtype, is_real):
    random = np.random.default_rng(dimension)
    coefficients = arbitrary(random, 4, dimension)
    # Rows of nothing but zeros, columns of zeros, and equal ones.
    coefficients[2] = 0.0
    coefficients[1:, : dimension // 3] = 0.0
    coefficients[3, dimension // 2 :] = -coefficients[4, dimension // 2 :]
    make = cut_tables if sizes else plan_tables
    check(coefficients, make(coefficients, dimension, dtype, sizes or np.inf), is_real)


@pytest.mark.parametrize("rows", [[0], [2, 5], [0, 1, 7], [7, 3, 0, 4]], ids=str)
@pytest.mark.parametrize("sizes", [(1,), (2,), (4,), None])
def test_partial_couplings(rows, sizes):
    coefficients = occupations(8, 4, rows)
    make = cut_tables if sizes else plan_tables
    check(coefficients, make(coefficients, 70, np.float64, sizes or np.inf), True)


@pytest.mark.parametrize("statistics", ["boson", "fermion"])
@pytest.mark.parametrize("sizes", [(2,), (3,), None])
def test_occupations_that_are_not_centred(statistics, sizes):
    basis = FockBasis(5, statistics, n_particles=3)
    coefficients = np.vstack([np.ones(basis.dimension), basis.occupations.T])
    make = cut_tables if sizes else plan_tables
    layout = make(coefficients, basis.dimension, np.float64, sizes or np.inf)
    check(coefficients, layout, True)


def test_no_couplings():
    check(np.ones((1, 5)), plan_tables(np.ones((1, 5)), 5, np.float64, np.inf), True)


def test_conserved_number_saves_a_row():
    layout = cut_tables(occupations(8, 4), 70, np.float64, (1,))
    assert layout.n_tables == 8
    assert cut_tables(occupations(8, 4, range(1, 8)), 70, np.float64, (1,)).n_tables == 8
    assert cut_tables(occupations(8), 256, np.float64, (1,)).n_tables == 9


def test_columns_that_agree_up_to_a_factor_share_a_table():
    # 2 modes of a group without row 0: ±(1, 1) and ±(1, −1); rays of bosons (0..3, 0..3).
    assert [g.n_tables for g in cut_tables(occupations(6), 64, float, (1, 2)).groups] == [
        1,
        2,
        2,
        2,
    ]
    basis = FockBasis(2, "boson", max_particles=3)
    coefficients = np.vstack([np.ones(basis.dimension), 0.3 * basis.occupations.T])
    layout = cut_tables(coefficients, basis.dimension, float, (1, 2))
    # 10, 01, 11, 12, 21.
    assert [group.n_tables for group in layout.groups] == [1, 5]


def test_first_group_of_top_modes_stays_in_order():
    layout = cut_tables(occupations(8, 4), 70, float, (4, 4))
    assert [group.is_in_order for group in layout.groups] == [True, False]


@pytest.mark.parametrize("dimension", [20, 70])
@pytest.mark.parametrize("form", ["csr", "dense", "mixed"])
@pytest.mark.parametrize("columns", [ALL, slice(3, 17)], ids=str)
def test_hamiltonian_kept_apart(dimension, form, columns):
    random = np.random.default_rng(3)
    coefficients = occupations({20: 6, 70: 8}[dimension], {20: 3, 70: 4}[dimension])
    dense = draw(random, (3, dimension, dimension), True)
    dense[np.abs(dense) < 1.0] = 0.0
    turns = {"csr": [1, 1, 1], "dense": [0, 0, 0], "mixed": [1, 0, 1]}[form]
    unitary = [sp.csr_array(one) if turn else one for one, turn in zip(dense, turns)]
    layout = plan_tables(coefficients, dimension, float, np.inf)
    kernel, rho, out = check(coefficients, layout, True, 3, columns, unitary)
    factors = np.array([0.5, -2.0, 0.0])
    scaled = np.empty_like(out)
    kernel.scaled(factors)(rho, scaled)
    np.testing.assert_allclose(scaled, out * factors[:, None, None], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["tables_parts.csr_matvecs", "tables_parts.gemm_at_addresses"])
def test_without_private_doors(monkeypatch, name):
    replaced = None if name.endswith("csr_matvecs") else lambda dtype: None
    monkeypatch.setattr(tables_parts, name.partition(".")[2], replaced)
    coefficients = occupations(8, 4)
    unitary = [sp.csr_array(sp.random(70, 70, 0.1, random_state=seed)) for seed in range(2)]
    for sizes in ((1,), (3,), (4, 4)):
        layout = cut_tables(coefficients, 70, float, sizes)
        check(coefficients, layout, True, unitary=unitary)


def test_pointers_are_found():
    """Else all is slower: not an error, but nobody should miss it."""
    assert strided_products.gemm_at_addresses(np.float64) is not None
    assert strided_products.gemm_at_addresses(np.complex128) is not None


@pytest.mark.parametrize(("dtype", "is_real"), KINDS)
@pytest.mark.parametrize(("n", "fermions"), [(4, 2), (6, 3), (8, 4)])
@pytest.mark.parametrize("sizes", [(1,), (2,), (4, 3), None])
def test_bits_do_not_depend_on_the_stack(n, fermions, sizes, dtype, is_real):
    random = np.random.default_rng(n)
    coefficients = occupations(n, fermions)
    dimension = coefficients.shape[1]
    make = cut_tables if sizes else plan_tables
    layout = make(coefficients, dimension, dtype, sizes or np.inf)
    operators = draw(random, (len(coefficients), 5, dimension, dimension), is_real)
    unitary = list(draw(random, (5, dimension, dimension), True))
    factors = random.normal(size=5)
    rho = draw(random, (5, dimension, dimension))
    tables = build_tables(layout, enumerate(operators))
    kernel = TableKernel(layout, tables, unitary=unitary)
    for whole, turn in ((kernel, ALL), (kernel.scaled(factors), ALL)):
        together = np.empty_like(rho)
        whole(rho, together)
        short = np.full_like(rho, np.nan)[:2]
        whole(rho[:2], short)
        np.testing.assert_array_equal(short, together[:2])
        for s in range(5):
            own = build_tables(layout, enumerate(operators[:, s : s + 1]))
            alone = TableKernel(layout, own, turn, unitary[s : s + 1])
            if whole is not kernel:
                alone = alone.scaled(factors[s : s + 1])
            out = np.empty_like(rho[:1])
            alone(rho[s : s + 1], out)
            np.testing.assert_array_equal(out[0], together[s])


@pytest.mark.parametrize("n", [6, 8])
def test_scaled_twice_and_first_buffer_as_out(n):
    coefficients = occupations(n, n // 2)
    layout = cut_tables(coefficients, coefficients.shape[1], float, (2, 2))
    kernel, rho, out = check(coefficients, layout, True)
    kernel(rho, kernel.buffers[0])
    np.testing.assert_array_equal(kernel.buffers[0], out)
    twice = kernel.scaled(np.array([2.0, 3.0])).scaled(np.array([5.0, -1.0]))
    assert twice.buffers is kernel.buffers
    twice(rho, twice.buffers[0])
    close(twice.buffers[0], out * np.array([10.0, -3.0])[:, None, None])
    # The first one is as it was.
    again = np.empty_like(out)
    kernel(rho, again)
    np.testing.assert_array_equal(again, out)


def test_tables_may_be_read_only():
    coefficients = occupations(8, 4)
    layout = plan_tables(coefficients, 70, float, np.inf)
    random = np.random.default_rng(0)
    tables = build_tables(layout, enumerate(draw(random, (9, 1, 70, 70), True)))
    for own in tables:
        own.flags.writeable = False
    kernel = TableKernel(layout, tables)
    kernel(draw(random, (1, 70, 70)), kernel.buffers[0])


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_memory_limit_is_honoured(dtype):
    coefficients = occupations(10, 5)
    one = 252**2 * np.dtype(dtype).itemsize
    free = plan_tables(coefficients, 252, dtype, np.inf)
    before = free.cost
    assert free.bytes == free.n_tables * one
    for count in (100, 33, 31, 24, 20, 16, 12, 10):
        layout = plan_tables(coefficients, 252, dtype, count * one)
        assert layout.bytes <= count * one
        assert layout.cost >= before
        before = layout.cost
    check(coefficients, layout, dtype == np.float64, 1)
    with pytest.raises(InputError, match="limit_bytes = .*at least"):
        plan_tables(coefficients, 252, dtype, 9 * one)


def test_plan_is_the_best_of_all_cuts():
    coefficients = occupations(6, 3)

    def cuts(total):
        yield (total,)
        for first in range(1, total):
            yield from ((first, *rest) for rest in cuts(total - first))

    for most in (6, 8, 12, 1000):
        layouts = [cut_tables(coefficients, 20, float, sizes) for sizes in cuts(6)]
        allowed = [one.cost for one in layouts if one.n_tables <= most]
        found = plan_tables(coefficients, 20, float, most * 3200)
        assert found.cost == pytest.approx(min(allowed), rel=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(0, 4),
    st.integers(0, 10**6),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.booleans(),
)
def test_few_values(dimension, rows, seed, sizes, is_real):
    """Small integers: zeros, coincidences up to factors, constant sums."""
    random = np.random.default_rng(seed)
    values = random.integers(-2, 3, size=(rows, dimension)) * random.choice([0.1, 1.0, 1 / 3])
    coefficients = np.vstack([np.ones(dimension), values])
    layout = cut_tables(coefficients, dimension, float if is_real else complex, sizes)
    start = int(random.integers(dimension))
    columns = slice(start, int(random.integers(start, dimension)) + 1)
    check_sum(coefficients, layout, is_real, columns, seed)


def check_sum(coefficients, layout, is_real, columns, seed):
    """As `check`, relative to the terms: sums of few integers may cancel."""
    random = np.random.default_rng(seed)
    dimension = coefficients.shape[1]
    operators = [draw(random, (1, dimension, dimension), is_real) for _ in coefficients]
    kernel = TableKernel(layout, build_tables(layout, enumerate(operators)), columns)
    rho = draw(random, kernel.buffers[0].shape)
    out = np.full_like(rho, np.nan)
    kernel(rho, out)
    scale = sum(np.abs(one).max() for one in operators) * np.abs(rho).sum(axis=1).max()
    expected = slow(coefficients, operators, rho, columns)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-14 * max(scale, 1.0))


BAD = [
    (np.zeros((2, 3)), 3, float, 1e9, "first row"),
    (np.ones((2, 3)), 4, float, 1e9, "shape"),
    (np.ones((2, 3)) * 1j, 3, float, 1e9, "real"),
    (np.ones((2, 3)), 3, np.float32, 1e9, "float64"),
    (np.array([[1.0, 1.0], [1.0, np.nan]]), 2, float, 1e9, "finite"),
]


@pytest.mark.parametrize(("coefficients", "dimension", "dtype", "limit", "word"), BAD)
def test_bad_plans_are_refused(coefficients, dimension, dtype, limit, word):
    with pytest.raises(InputError, match=word):
        plan_tables(coefficients, dimension, dtype, limit)


def test_bad_kernels_are_refused():
    coefficients = occupations(4, 2)
    layout = cut_tables(coefficients, 6, float, (2,))
    operators = np.zeros((5, 1, 6, 6))
    tables = build_tables(layout, enumerate(operators))
    for wrong in (operators[:4], np.zeros((6, 1, 6, 6))):
        with pytest.raises(InputError, match="operators"):
            build_tables(layout, enumerate(wrong))
    with pytest.raises(InputError, match="columns"):
        TableKernel(layout, tables, slice(2, 2))
    with pytest.raises(InputError, match="shapes"):
        TableKernel(layout, tables[1:])
    with pytest.raises(InputError, match="unitary"):
        TableKernel(layout, tables, unitary=[np.zeros((6, 6), complex)])
    kernel = TableKernel(layout, tables)
    rho = np.zeros((1, 6, 6), complex)
    for wrong in (rho[:, :, ::-1], np.zeros((2, 6, 6), complex), np.zeros((1, 6, 6))):
        with pytest.raises(ValueError, match="rho"):
            kernel(wrong, rho)
