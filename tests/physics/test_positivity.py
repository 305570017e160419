"""The smallest eigenvalue of a state, against all eigenvalues and in the cases that are hard."""

import numpy as np
import pytest

from manybody.physics.quantities import norms, positivity

EPSILON = np.finfo(float).eps
SIZES = (1, 2, 3, 17, 64, 200)


def unitary(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def with_spectrum(rng, values):
    turn = unitary(rng, len(values))
    matrix = (turn * values) @ turn.conj().T
    return 0.5 * (matrix + matrix.conj().T)


def state_with(lowest):
    """Eigenvalues of a state over six decades, below them those of `lowest`."""

    def build(rng, n):
        values = 10.0 ** rng.uniform(-4.0, 0.0, n)
        values /= values.sum()
        values[: len(lowest)] = lowest[:n]
        return with_spectrum(rng, values)

    return build


def hermitian(rng, n):
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return matrix + matrix.conj().T


def pure(rng, n):
    vector = unitary(rng, n)[0]
    return np.outer(vector, vector.conj())


def on_a_site(rng, n):
    matrix = np.zeros((n, n), dtype=complex)
    matrix[n // 2, n // 2] = 1.0
    return matrix


def apart(rng, n):
    """Two blocks without an element between them, and one site that is hardly filled."""
    matrix = np.zeros((n, n), dtype=complex)
    half = n // 2
    matrix[:half, :half] = state_with([1e-9])(rng, half) if half else 0.0
    matrix[half:, half:] = state_with([1e-7, -1e-8])(rng, n - half)
    matrix[-1] = matrix[:, -1] = 0.0
    matrix[-1, -1] = 1e-300 if n > 1 else 1.0
    return matrix


def growing(rng, n):
    return 1e7 * state_with([-1e-4, -1e-5])(rng, n) + np.eye(n) / n


CASES = {
    "any Hermitian": hermitian,
    "positive": state_with([1e-6]),
    "barely positive": state_with([1e-13]),
    "just negative": state_with([-1e-6]),
    "negative": state_with([-0.1, -0.09, -1e-3]),
    "growing": growing,
    "degenerate": state_with([1e-6] * 5),
    "degenerate and negative": state_with([-0.01] * 7),
    "cluster": state_with([1e-6 + 1e-17 * index for index in range(6)]),
    "wider cluster": state_with([1e-6 + 1e-12 * index for index in range(30)]),
    "mixed": lambda rng, n: np.eye(n, dtype=complex) / n,
    "pure": pure,
    "on a site": on_a_site,
    "apart": apart,
    "diagonal": lambda rng, n: np.diag(10.0 ** np.linspace(0.0, -300.0, n)).astype(complex),
    "real": lambda rng, n: hermitian(rng, n).real + 0j,
    "small": lambda rng, n: 1e-90 * state_with([-1e-6])(rng, n),
    "large": lambda rng, n: 1e90 * state_with([-1e-6])(rng, n),
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_the_bracket_closes_on_the_smallest_eigenvalue(case, n, rng):
    for _ in range(3):
        matrix = np.ascontiguousarray(CASES[case](rng, n))
        before, norm = matrix.copy(), np.linalg.norm(matrix)
        value = positivity.bracketed_smallest(matrix)
        np.testing.assert_array_equal(matrix, before)
        assert value is not None
        # Of both routes; the bracket itself is 8Nε‖ρ‖ wide.
        assert abs(value - np.linalg.eigvalsh(matrix)[0]) <= (6.0 + 0.1 * n) * EPSILON * norm


@pytest.mark.parametrize("apart", 10.0 ** np.arange(-14.0, -5.0))
def test_two_that_lanczos_takes_for_one(apart, rng):
    """The first shift between them fails; what comes out is still within the bracket."""
    for n in (100, 200, 250):
        values = np.linspace(1e-3, 1e-2, n)
        values[:3] = 1.0, -1e-4, -1e-4 + apart
        matrix = with_spectrum(rng, values)
        value = positivity.bracketed_smallest(matrix)
        assert value is not None
        bound = 8.0 * n * EPSILON * np.linalg.norm(matrix)
        assert -0.01 * bound <= value - np.linalg.eigvalsh(matrix)[0] <= bound


@pytest.mark.parametrize("n", [40, 200])
def test_a_vector_that_misses_the_lowest_state_leaves_it_to_the_reduction(n, rng, monkeypatch):
    """Block by block: Lanczos from one block never sees the other, the factorisation does."""
    matrix = np.zeros((n, n), dtype=complex)
    matrix[: n - 8, : n - 8] = state_with([1e-3])(rng, n - 8)
    matrix[n - 8 :, n - 8 :] = state_with([-1e-4])(rng, 8)
    start = np.zeros(n, dtype=complex)
    start[0] = 1.0
    monkeypatch.setattr(positivity, "_start", lambda n: start)
    assert positivity.bracketed_smallest(matrix) is None
    lowest = np.linalg.eigvalsh(matrix)[0]
    assert norms.smallest_eigenvalue(matrix) == pytest.approx(lowest, abs=1e-14)


def test_reductions_are_the_exception(rng, monkeypatch):
    """Of states of every kind and size none is left over; only where squares fail some are."""
    left = []
    reduced = norms._smallest

    def count(diagonal, beside):
        left.append(len(diagonal))
        return reduced(diagonal, beside)

    monkeypatch.setattr(norms, "_smallest", count)
    stack = np.array([build(rng, 200) for build in CASES.values()])
    values = norms.smallest_eigenvalue(stack)
    assert left == []
    for matrix, value in zip(stack, values):
        # One matrix alone, elsewhere in memory, in the other order and overwritten: its bits.
        moved = np.empty(2 * 200 * 200 + 1)[1:].view(complex).reshape(200, 200)
        moved[...] = matrix
        assert norms.smallest_eigenvalue(moved, overwrite=True) == value
        assert norms.smallest_eigenvalue(np.asfortranarray(matrix)) == value
    for factor in (0.0, 1e-250, 1e-120, 1e120):
        matrix = factor * hermitian(rng, 200)
        expected = np.linalg.eigvalsh(matrix)[0]
        value = norms.smallest_eigenvalue(matrix)
        assert value == pytest.approx(expected, rel=1e-12)
    assert left == [200] * 4


def test_sign_of_a_figure_beyond_rounding(rng):
    for n in (192, 250):
        for lowest in (-1e-3, -1e-7, -1e-11, 1e-11, 1e-7):
            value = float(norms.smallest_eigenvalue(state_with([lowest])(rng, n)))
            assert np.sign(value) == np.sign(lowest)
            assert value == pytest.approx(lowest, rel=1e-4)


@pytest.mark.parametrize("n", [5, 30, 70, 200])
def test_all_eigenvalues(n, rng):
    stack = np.array([[build(rng, n) for build in (hermitian, growing)] for _ in range(3)])
    before = stack.copy()
    found, expected = norms.eigenvalues(stack), np.linalg.eigvalsh(stack)
    np.testing.assert_array_equal(stack, before)
    assert found.shape == (3, 2, n) and np.all(np.diff(found) >= 0.0)
    scale = np.abs(expected).max(axis=-1, keepdims=True)
    assert np.all(np.abs(found - expected) <= 10.0 * n * EPSILON * scale)
    assert np.all(np.abs(norms.eigenvalues(stack[0, 0]) - expected[0, 0]) <= 1e-13 * scale[0, 0])
