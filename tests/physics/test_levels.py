"""Level statistics: sequences done by hand, random matrices, and the two sides of Anderson."""

import dataclasses
import math

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics.quantities import spacing

MIDDLE = 0.5


def ratios_of(matrices, window=MIDDLE):
    """Mean over samples of ⟨r⟩, the error from their scatter, and the mean of the errors told."""
    found = []
    for matrix in matrices:
        energies = np.linalg.eigvalsh(matrix)
        inside = energies[spacing.bulk_window(len(energies), window)]
        found.append(spacing.mean_spacing_ratio(spacing.spacing_ratios(inside)))
    means, errors = np.array(found).T
    return means.mean(), means.std(ddof=1) / math.sqrt(len(means)), errors.mean()


# ---- sequences done by hand ------------------------------------------------------------------


def test_ratios_by_hand():
    found = spacing.spacing_ratios([0.0, 1.0, 3.0, 4.0, 8.0])
    np.testing.assert_allclose(found, [0.5, 0.5, 0.25], rtol=1e-15)
    np.testing.assert_array_equal(spacing.spacing_ratios(np.arange(7)), np.ones(5))


def test_ratios_know_neither_unit_nor_origin(rng):
    energies = np.sort(rng.normal(size=50))
    expected = spacing.spacing_ratios(energies)
    np.testing.assert_allclose(spacing.spacing_ratios(7.0 * energies), expected, rtol=1e-12)
    np.testing.assert_allclose(spacing.spacing_ratios(energies + 4.0), expected, atol=1e-9)
    np.testing.assert_allclose(spacing.spacing_ratios(-energies[::-1]), expected[::-1], rtol=1e-12)


def test_few_levels_have_no_ratio():
    for energies in ([1.0], [1.0, 2.0]):
        assert spacing.spacing_ratios(energies).shape == (0,)


def test_degenerate_levels_count_as_zero():
    energies = [0.0, 1.0, 1.0, 1.0, 2.0, 3.0]
    np.testing.assert_array_equal(spacing.spacing_ratios(energies), [0.0, 0.0, 0.0, 1.0])
    assert spacing.degeneracies(energies) == 2
    rounded = np.array(energies) + np.array([0, 0, 1, 3, 0, 0]) * 1e-15
    assert spacing.spacing_ratios(rounded)[1] > 0.0
    found = spacing.spacing_ratios(rounded, 1e-14)
    np.testing.assert_array_equal(found[:3], 0.0)
    assert found[3] == pytest.approx(1.0)
    assert spacing.degeneracies(rounded, 1e-14) == 2


@pytest.mark.parametrize(
    ("n", "window", "expected"),
    [
        (8, 0.5, (2, 6)),
        (9, 0.5, (3, 7)),
        (100, 0.2, (40, 60)),
        (10, 1.0, (0, 10)),
        (10, 1e-9, (4, 7)),
        (2, 0.5, (0, 2)),
    ],
)
def test_bulk_window_is_the_middle(n, window, expected):
    found = spacing.bulk_window(n, window)
    assert (found.start, found.stop) == expected
    assert found.stop - found.start <= n


def test_the_error_knows_that_neighbours_are_correlated(rng):
    """Blocks of equal values: as if there were a tenth of them."""
    independent = rng.uniform(size=400)
    repeated = np.repeat(independent, 10)
    mean, error = spacing.mean_spacing_ratio(repeated)
    assert mean == pytest.approx(independent.mean())
    assert error == pytest.approx(independent.std(ddof=1) / 20.0)
    mean, error = spacing.mean_spacing_ratio([0.25])
    assert mean == 0.25 and math.isnan(error)
    assert spacing.mean_spacing_ratio([0.0, 1.0]) == (0.5, pytest.approx(0.5))


def test_the_error_is_that_of_samples():
    """Told from one sequence, and seen from many, for Poisson and GOE."""
    rng = np.random.default_rng(3)
    spectra = np.cumsum(rng.exponential(size=(200, 502)), axis=1)
    poisson = [spacing.mean_spacing_ratio(spacing.spacing_ratios(each)) for each in spectra]
    means, errors = np.array(poisson).T
    assert errors.mean() == pytest.approx(means.std(ddof=1), rel=0.2)
    goe = [oracles.random_hermitian(rng, 200, real=True) for _ in range(120)]
    _, error, told = ratios_of(goe)
    assert told == pytest.approx(error * math.sqrt(120), rel=0.25)


# ---- random matrices ---------------------------------------------------------------------------


def test_poisson():
    rng = np.random.default_rng(1)
    ratios = spacing.spacing_ratios(np.sort(rng.uniform(size=40000)))
    mean, error = spacing.mean_spacing_ratio(ratios)
    assert error < 0.002
    assert abs(mean - spacing.POISSON) < 3.5 * error
    assert pytest.approx(0.3863, abs=1e-4) == spacing.POISSON


@pytest.mark.parametrize(("real", "expected"), [(True, spacing.GOE), (False, spacing.GUE)])
def test_random_matrices(real, expected):
    rng = np.random.default_rng(2)
    mean, error, told = ratios_of(oracles.random_hermitian(rng, 200, real=real) for _ in range(60))
    assert error < 0.005 and told < 0.05
    assert abs(mean - expected) < 3.5 * error


@pytest.mark.parametrize(("real", "expected"), [(True, 2.0), (False, 1.0)])
@pytest.mark.parametrize("n", [5, 40])
def test_eth_of_random_matrices_is_two_or_one_at_any_size(real, expected, n):
    """The mean of the moments, not of their ratio, is exact: average them first."""
    rng = np.random.default_rng(4)
    samples = 4000 if n == 5 else 100
    moments = []
    for _ in range(samples):
        vectors = np.linalg.eigh(oracles.random_hermitian(rng, n, real=real))[1]
        moments.append([each.mean() for each in spacing.eth_moments(vectors[:, : max(2, n // 2)])])
    variance, shared = np.array(moments).mean(axis=0)
    assert variance / shared == pytest.approx(expected, rel=0.05)
    factor = 3.0 if real else 2.0
    denominator = n * (n + (2 if real else 1))
    assert shared == pytest.approx(1.0 / denominator, rel=0.05)
    assert variance == pytest.approx((factor - 1.0) / denominator, rel=0.05)


def test_eth_by_explicit_loops(rng):
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, 7))[1][:, 2:6]
    variance, shared = spacing.eth_moments(vectors)
    for j in range(7):
        density = vectors[j].conj()[:, None] * vectors[j][None, :]
        diagonal = np.diag(density).real
        assert variance[j] == pytest.approx(np.var(diagonal, ddof=1), rel=1e-12)
        outside = np.abs(density[~np.eye(4, dtype=bool)]) ** 2
        assert shared[j] == pytest.approx(outside.mean(), rel=1e-12)
    assert spacing.eth_indicator(vectors) == pytest.approx(variance.sum() / shared.sum())


def test_eth_of_states_that_share_no_site():
    assert spacing.eth_indicator(np.eye(5)) == math.inf
    faint = np.eye(3)
    faint[0, 1] = faint[1, 2] = 1e-9
    assert spacing.eth_moments(faint)[1] == pytest.approx([1e-18 / 3.0, 1e-18 / 3.0, 0.0])


# ---- participation -----------------------------------------------------------------------------


def test_participation_of_plane_waves_and_single_sites():
    n = 12
    waves = np.exp(2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) / math.sqrt(n)
    np.testing.assert_allclose(spacing.participation_ratios(waves), 1.0 / n, rtol=1e-13)
    standing = math.sqrt(2.0 / n) * np.cos(2 * np.pi * np.outer(np.arange(n), [1, 2]) / n)
    np.testing.assert_allclose(spacing.participation_ratios(standing), 1.5 / n, rtol=1e-13)
    np.testing.assert_array_equal(spacing.participation_ratios(np.eye(4)), 1.0)
    pair = np.array([[1.0], [1.0]]) / math.sqrt(2.0)
    assert spacing.participation_ratios(pair)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("real", [True, False])
def test_participation_of_random_vectors(rng, real):
    n = 300
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, n, real=real))[1]
    expected = 3.0 / (n + 2) if real else 2.0 / (n + 1)
    assert spacing.participation_ratios(vectors).mean() == pytest.approx(expected, rel=0.03)


def test_parts_of_the_sites_add_up(rng):
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, 9))[1]
    parts = [spacing.participation_ratios(vectors[rows]) for rows in (slice(0, 4), slice(4, 9))]
    np.testing.assert_allclose(sum(parts), spacing.participation_ratios(vectors), rtol=1e-13)
    split = [spacing.eth_moments(vectors[rows]) for rows in (slice(0, 4), slice(4, 9))]
    joined = [np.concatenate(each) for each in zip(*split)]
    assert spacing.eth_ratio(*joined) == pytest.approx(spacing.eth_indicator(vectors))


# ---- models, all levels ------------------------------------------------------------------------


def test_anderson_weak_and_strong():
    """Small cubes: weak disorder near GOE, strong disorder near Poisson."""
    found = {
        disorder: [
            mb.level_statistics(mb.anderson3d(8, disorder, seed=[8, s]), eth=True)
            for s in range(6)
        ]
        for disorder in (3.0, 40.0)
    }
    for disorder, expected in ((3.0, spacing.GOE), (40.0, spacing.POISSON)):
        means = [one.mean_ratio for one in found[disorder]]
        errors = [one.ratio_error for one in found[disorder]]
        error = math.sqrt(np.mean(np.square(errors)) / len(errors))
        assert abs(np.mean(means) - expected) < max(3.5 * error, 0.02), means
        assert error < 0.01
    weak, strong = found[3.0][0], found[40.0][0]
    assert weak.n_levels == 256 and weak.n_sites == 512 and weak.n_degenerate == 0
    assert weak.participation < 10.0 / 512 < 0.5 < strong.participation < 1.0
    assert 1.8 < weak.eth < 8.0 < 100.0 < strong.eth
    assert -40.0 < strong.window[0] < 0.0 < strong.window[1] < 40.0
    assert weak.participation == pytest.approx(weak.participation_ratios.mean())
    assert weak.window == (weak.energies[0], weak.energies[-1])


def test_syk2_is_gue():
    found = [mb.level_statistics(mb.dirac_syk2(128, seed=[1, s]), eth=True) for s in range(30)]
    means = np.array([one.mean_ratio for one in found])
    error = means.std(ddof=1) / math.sqrt(len(means))
    assert abs(means.mean() - spacing.GUE) < 3.5 * error < 0.035
    assert np.mean([one.eth for one in found]) == pytest.approx(1.0, rel=0.05)
    assert np.mean([one.participation for one in found]) == pytest.approx(2.0 / 129, rel=0.02)


def test_a_cube_without_disorder_is_degenerate():
    """4³ plane waves: 13 energies 2 Σ cos, by symmetry in multiplets of up to 20."""
    found = mb.level_statistics(mb.anderson3d(4, 0.0), window=1.0)
    axis = 2.0 * np.cos(2.0 * np.pi * np.arange(4) / 4.0)
    energies = np.sort((axis[:, None, None] + axis[None, :, None] + axis).ravel())
    np.testing.assert_allclose(found.energies, energies, atol=1e-12)
    distinct = len(np.unique(np.round(energies, 6)))
    assert found.n_degenerate == 64 - distinct
    assert found.mean_ratio == 0.0


def test_the_window_and_the_record():
    model = mb.dirac_syk2(20, seed=3)
    every = mb.level_statistics(model, window=1.0)
    middle = mb.level_statistics(model, window=0.3)
    expected = np.linalg.eigvalsh(model.hamiltonian)
    np.testing.assert_allclose(every.energies, expected, atol=1e-13)
    np.testing.assert_array_equal(middle.energies, every.energies[7:13])
    assert every.eth is None and middle.n_levels == 6
    with pytest.raises(dataclasses.FrozenInstanceError):
        middle.mean_ratio = 0.5


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda: spacing.spacing_ratios([1.0, 0.5, 2.0]), ValueError, "0.5 follows 1"),
        (lambda: spacing.spacing_ratios([0.0, np.nan]), ValueError, "contains nan"),
        (lambda: spacing.spacing_ratios(np.eye(2)), ValueError, r"shape \(2, 2\)"),
        (lambda: spacing.spacing_ratios([]), ValueError, r"shape \(0,\)"),
        (lambda: spacing.spacing_ratios([1j, 2j, 3j]), TypeError, "complex128"),
        (lambda: spacing.spacing_ratios([0.0, 1.0], -1.0), ValueError, "tolerance = -1.0"),
        (lambda: spacing.bulk_window(0), ValueError, "n_levels = 0"),
        (lambda: spacing.bulk_window(4, 1.5), ValueError, "window = 1.5: must be > 0 and at most"),
        (lambda: spacing.bulk_window(4, 0.0), ValueError, "window = 0.0"),
        (lambda: spacing.mean_spacing_ratio([]), ValueError, r"shape \(0,\)"),
        (lambda: spacing.participation_ratios(np.ones(3)), ValueError, r"shape \(3,\)"),
        (lambda: spacing.participation_ratios(np.ones((3, 1))), ValueError, r"norm² 3"),
        (lambda: spacing.participation_ratios(np.full((2, 2), np.nan)), ValueError, "not finite"),
        (lambda: spacing.participation_ratios(np.array([["a"]])), TypeError, "dtype"),
        (lambda: spacing.eth_indicator(np.eye(3)[:, :1]), ValueError, "at least two levels"),
    ],
)
def test_bad_input(call, error, pattern):
    with pytest.raises(error, match=pattern):
        call()


@pytest.mark.parametrize(
    ("keywords", "error", "pattern"),
    [
        ({"window": 2.0}, ValueError, "window = 2.0"),
        ({"eth": 1}, TypeError, "eth = 1"),
        ({"target": 0.0}, ValueError, "target = 0.0: has a meaning only with n_levels"),
        ({"n_levels": 2}, ValueError, "n_levels = 2: must be an integer >= 3"),
        ({"n_levels": 5}, ValueError, "n_levels = 5: at most half of the 8 levels"),
        ({"n_levels": 3.0}, TypeError, "n_levels = 3.0"),
        ({"n_levels": 3, "window": 0.2}, ValueError, "window = 0.2: has a meaning only without"),
        ({"n_levels": 3, "target": np.inf}, ValueError, "target = inf"),
        ({"comm": 3}, TypeError, "comm = 3"),
    ],
)
def test_bad_arguments_of_level_statistics(keywords, error, pattern):
    with pytest.raises(error, match=pattern):
        mb.level_statistics(mb.anderson3d(2, 1.0), **keywords)


def test_bad_models():
    with pytest.raises(TypeError, match="a ManyBodyModel or .* is needed"):
        mb.level_statistics("anderson3d")
    with pytest.raises(ValueError, match=r"2 state\(s\)"):
        mb.level_statistics(mb.SingleParticleModel(np.eye(2)))
