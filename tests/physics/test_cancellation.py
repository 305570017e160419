"""Cancellation measures against dense superoperators, one for every bath."""

import dataclasses
import math

import numpy as np
import oracles
import pytest
from dense_cancellation import EVERYTHING, FIGURES, dense_measures

import manybody as mb
from manybody.physics import reference
from manybody.physics.quantities import sampled_sums
from manybody.physics.quantities.cancellation import cancellation_measures


def cases():
    rng = np.random.default_rng(11)
    return [
        pytest.param(oracles.random_hermitian(rng, 7), None, id="complex"),
        pytest.param(oracles.random_hermitian(rng, 8), [1, 4, 5], id="complex, three sites"),
        pytest.param(oracles.random_hermitian(rng, 7, real=True), None, id="real"),
        pytest.param(oracles.random_hermitian(rng, 6, real=True), [3], id="real, one site"),
        pytest.param(mb.anderson3d(2, 5.0, seed=3).dense_hamiltonian(), None, id="anderson"),
        pytest.param(mb.anderson3d(2, 30.0, seed=3).dense_hamiltonian(), None, id="localised"),
        pytest.param(oracles.random_hermitian(rng, 2), None, id="two sites"),
    ]


# ---- against the definition ------------------------------------------------------------------


@pytest.mark.parametrize(("matrix", "sites"), cases())
def test_in_full(matrix, sites, bath):
    """Every sum done, against dense superoperators."""
    couplings = reference.site_couplings(len(matrix), sites)
    expected = dense_measures(matrix, couplings, bath)
    found = cancellation_measures(mb.SingleParticleModel(matrix, sites), bath, **EVERYTHING)
    for name in FIGURES:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-8), name
        assert getattr(found, name + "_error") == 0.0
    assert found.out_rate == pytest.approx(expected.out_rate, rel=1e-10)
    assert found.n_sites == len(matrix)


@pytest.mark.parametrize(("matrix", "sites"), cases()[:5])
def test_draws_scatter_about_the_definition_as_told(matrix, sites, bath):
    """The squares, which the draws leave unbiased."""
    couplings = reference.site_couplings(len(matrix), sites)
    expected = dense_measures(matrix, couplings, bath)
    model = mb.SingleParticleModel(matrix, sites)
    draws = [
        cancellation_measures(model, bath, n_vectors=2, n_rows=10, seed=s) for s in range(200)
    ]
    for name in ("generator_ratio", "weighted_ratio"):
        squares = np.array([getattr(draw, name) for draw in draws]) ** 2
        error = squares.std(ddof=1) / math.sqrt(len(squares))
        deviation = abs(squares.mean() - getattr(expected, name) ** 2)
        assert deviation <= 4.0 * error + 1e-12, name
        told = [2.0 * getattr(d, name) * getattr(d, name + "_error") for d in draws]
        if error > 0.0:
            seen = math.sqrt(np.mean(np.square(told)) / len(squares))
            assert seen == pytest.approx(error, rel=0.6), name


def test_shifted_couplings(bath, rng):
    """A_j → A_j + c_j changes neither generator, nor any figure."""
    matrix = oracles.random_hermitian(rng, 6)
    plain = reference.site_couplings(6)
    shifted = [coupling + rng.normal() * np.eye(6) for coupling in plain]
    found = cancellation_measures(mb.SingleParticleModel(matrix), bath, **EVERYTHING)
    expected = dense_measures(matrix, shifted, bath)
    for name in FIGURES:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-8), name
    assert found.out_rate == pytest.approx(expected.out_rate, rel=1e-10)


def test_phases_and_order_of_sites(bath, rng):
    """H → U H U† with U a permutation and phases, which keep the set of couplings."""
    matrix, sites = oracles.random_hermitian(rng, 9), [0, 2, 3, 7]
    order, phases = rng.permutation(9), np.exp(2j * np.pi * rng.random(9))
    turned = (phases[:, None] * matrix * phases.conj())[np.ix_(order, order)]
    moved = [int(np.flatnonzero(order == site)[0]) for site in sites]
    first, second = (
        cancellation_measures(mb.SingleParticleModel(h, s), bath, **EVERYTHING)
        for h, s in ((matrix, sites), (turned, moved))
    )
    for name in (*FIGURES, "out_rate"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-8), name


def test_energy_offset_and_scale(bath):
    """An offset changes nothing; energies, ω_c and 1/β in another unit neither."""
    model = mb.dirac_syk2(10, seed=1)
    expected = cancellation_measures(model, bath, **EVERYTHING)
    lifted = mb.SingleParticleModel(model.hamiltonian + 5.0 * np.eye(10))
    scaled = mb.SingleParticleModel(3.0 * model.hamiltonian)
    warm = mb.OhmicBath(coupling=0.2, cutoff=30.0, beta=5.0 / 3.0)
    for found in (
        cancellation_measures(lifted, bath, **EVERYTHING),
        cancellation_measures(scaled, warm, **EVERYTHING),
    ):
        for name in FIGURES:
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-8), name


def test_coupling_strength(bath):
    """γ → s γ: only the ratio δ/ν knows of it."""
    model = mb.dirac_syk2(10, seed=1)
    weak = cancellation_measures(model, mb.OhmicBath(0.02, 10.0, 5.0), **EVERYTHING)
    strong = cancellation_measures(model, bath, **EVERYTHING)
    assert weak.out_rate == pytest.approx(strong.out_rate / 100.0)
    assert weak.generator_ratio == pytest.approx(strong.generator_ratio, rel=1e-8)
    assert weak.weighted_ratio < 0.05 * strong.weighted_ratio


# ---- known numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "c_f", "kappa"),
    [
        # Ten samples each, docs/physics.md section 6.
        pytest.param(lambda s: mb.dirac_syk2(8, seed=[1, s]), 0.42, 0.028, id="SYK2 8"),
        pytest.param(lambda s: mb.dirac_syk2(16, seed=[1, s]), 0.32, 0.028, id="SYK2 16"),
        pytest.param(lambda s: mb.dirac_syk2(32, seed=[1, s]), 0.22, 0.021, id="SYK2 32"),
        pytest.param(lambda s: mb.dirac_syk2(64, seed=[1, s]), 0.16, 0.017, id="SYK2 64"),
        pytest.param(lambda s: mb.anderson3d(2, 5.0, seed=[1, s]), 0.66, 0.027, id="W=5 L=2"),
        pytest.param(lambda s: mb.anderson3d(3, 5.0, seed=[1, s]), 0.49, 0.025, id="W=5 L=3"),
        pytest.param(lambda s: mb.anderson3d(4, 5.0, seed=[1, s]), 0.47, 0.027, id="W=5 L=4"),
        pytest.param(lambda s: mb.anderson3d(2, 20.0, seed=[1, s]), 0.82, 0.005, id="W=20 L=2"),
        pytest.param(lambda s: mb.anderson3d(3, 20.0, seed=[1, s]), 0.72, 0.013, id="W=20 L=3"),
        pytest.param(lambda s: mb.anderson3d(4, 20.0, seed=[1, s]), 0.67, 0.027, id="W=20 L=4"),
    ],
)
def test_known_numbers(build, c_f, kappa, bath):
    n_samples = 40 if build(0).n_sites <= 32 else 10
    found = [cancellation_measures(build(s), bath, n_rows=200, seed=s) for s in range(n_samples)]
    for name, expected, last_digit in (
        ("generator_ratio", c_f, 0.01),
        ("weighted_ratio", kappa, 0.001),
    ):
        values = np.array([getattr(one, name) for one in found])
        # The ten have the scatter of ten, and are rounded.
        scatter = values.std(ddof=1) * math.sqrt(1.0 / 10.0 + 1.0 / n_samples)
        error = math.hypot(scatter, 0.5 * last_digit)
        assert abs(values.mean() - expected) < 3.5 * error, name


def test_baths_cancel_in_syk2(bath):
    """Non-secular parts as for independent baths or less; the secular ones add up."""
    small, large = (cancellation_measures(mb.dirac_syk2(n, seed=1), bath) for n in (16, 64))
    assert large.nonsecular_ratio < 0.5 * small.nonsecular_ratio < 0.5
    assert large.secular_ratio > 3.0 * small.secular_ratio
    assert large.generator_ratio == pytest.approx(1.25 / 8.0, rel=0.1)


@pytest.mark.parametrize(
    "model",
    [mb.dirac_syk2(36, seed=2), mb.anderson3d(4, 5.0, seed=2), mb.anderson3d(4, 20.0, seed=2)],
    ids=["SYK2", "W=5", "W=20"],
)
def test_a_few_hundred_rows_are_good_to_some_per_cent(model, bath):
    exact = cancellation_measures(model, bath, **EVERYTHING)
    for seed in range(5):
        found = cancellation_measures(model, bath, seed=seed)
        assert found.weighted_ratio == pytest.approx(exact.weighted_ratio, rel=0.05)
        assert 0.0 < found.weighted_ratio_error < 0.05 * exact.weighted_ratio
        assert found.generator_ratio == pytest.approx(exact.generator_ratio, rel=2e-3)
        error = found.generator_ratio_error
        assert abs(found.generator_ratio - exact.generator_ratio) < 6.0 * error
        assert found.secular_ratio == exact.secular_ratio


def test_draws_follow_the_seed(bath):
    model = mb.dirac_syk2(30, seed=1)
    first, second, other = (
        cancellation_measures(model, bath, n_rows=50, seed=s) for s in ((1, 2), (1, 2), 3)
    )
    assert first == second
    assert first.weighted_ratio != other.weighted_ratio
    assert first.nonsecular_ratio != other.nonsecular_ratio
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.out_rate = 1.0


def test_sums_by_size():
    """Unbiased for sizes that are off, without error when sizes are the terms themselves."""
    rng = np.random.default_rng(3)
    terms = rng.exponential(size=300) ** 3
    sizes = terms * rng.uniform(0.5, 2.0, size=300)
    found = np.array(
        [
            sampled_sums.sum_by_size(lambda i: terms[i], sizes, 40, np.random.default_rng(s))
            for s in range(400)
        ]
    )
    error = found[:, 0].std(ddof=1) / 20.0
    assert abs(found[:, 0].mean() - terms.sum()) < 4.0 * error
    assert np.sqrt(np.mean(found[:, 1] ** 2)) == pytest.approx(20.0 * error, rel=0.15)
    total, error = sampled_sums.sum_by_size(lambda i: terms[i], terms, 40, rng)
    assert total == pytest.approx(terms.sum(), rel=1e-12) and error < 1e-12 * total


# ---- where there is nothing ------------------------------------------------------------------


@pytest.mark.parametrize(
    "matrix", [np.eye(1), np.eye(3), np.eye(20), np.diag([0.0, 1.0, 3.0, 7.0])], ids=len
)
def test_no_jumps(matrix, bath):
    """Without jumps Redfield is Davies, and ν = 0."""
    found = cancellation_measures(mb.SingleParticleModel(matrix), bath)
    assert found.generator_ratio == found.weighted_ratio == found.out_rate == 0.0
    assert found.generator_ratio_error == found.weighted_ratio_error == 0.0
    assert math.isnan(found.nonsecular_ratio)
    assert math.isnan(found.secular_ratio) == (len(matrix) == 1)


def test_no_bath():
    found = cancellation_measures(mb.dirac_syk2(5, seed=1), mb.OhmicBath(0.0, 10.0, 5.0))
    assert found.generator_ratio == found.weighted_ratio == found.out_rate == 0.0
    assert math.isnan(found.nonsecular_ratio) and math.isnan(found.secular_ratio)


def test_no_level_is_left():
    """Rates that underflow: coherences are shifted about, but nothing that is detuned lasts."""
    found = cancellation_measures(mb.dirac_syk2(5, seed=1), mb.OhmicBath(0.2, 1e-7, 5.0))
    assert found.generator_ratio > 0.1
    assert found.weighted_ratio == found.out_rate == 0.0


def test_rates_of_any_size():
    """Energies from 1e-80 to 1e80 raise no warning, and a hopping of almost nothing neither."""
    expected = cancellation_measures(mb.dirac_syk2(5, seed=1), mb.OhmicBath(0.2, 10.0, 5.0))
    for unit in (1e-80, 1e80):
        model = mb.dirac_syk2(5, coupling=unit, seed=1)
        bath = mb.OhmicBath(0.2, 10.0 * unit, 5.0 / unit)
        found = cancellation_measures(model, bath)
        assert found.weighted_ratio == pytest.approx(expected.weighted_ratio, rel=1e-8)
        assert found.nonsecular_ratio == pytest.approx(expected.nonsecular_ratio, rel=1e-8)
    frozen = mb.anderson3d(3, 5.0, hopping=1e-60, seed=1)
    found = cancellation_measures(frozen, mb.OhmicBath(0.2, 10.0, 5.0))
    assert found.generator_ratio < 1e-6 and found.weighted_ratio < 1e-6


@pytest.mark.parametrize("degenerate", [False, True])
def test_dark_levels(bath, rng, degenerate):
    """Levels of a part without bath keep their coherence; bright ones are as if alone."""
    bright = oracles.random_hermitian(rng, 4)
    matrix = np.zeros((6, 6), dtype=complex)
    matrix[:4, :4] = bright
    matrix[4:, 4:] = 0.3 * np.eye(2) if degenerate else oracles.random_hermitian(rng, 2)
    expected = dense_measures(matrix, reference.site_couplings(6, range(4)), bath)
    model = mb.SingleParticleModel(matrix, range(4))
    for keywords in (EVERYTHING, {}):
        found = cancellation_measures(model, bath, **keywords)
        for name in FIGURES:
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-8), name
    alone = cancellation_measures(mb.SingleParticleModel(bright), bath)
    assert found.out_rate == pytest.approx(alone.out_rate * 4.0 / 6.0)


@pytest.mark.parametrize(
    "matrix",
    [oracles.ring_hamiltonian(6), oracles.bipartite_hamiltonian(np.random.default_rng(1), 6)],
    ids=["ring", "bipartite"],
)
def test_coinciding_frequencies_are_refused(matrix, bath):
    with pytest.raises(ValueError, match=r"coinciding Bohr frequencies within .*(structural|amb)"):
        cancellation_measures(mb.SingleParticleModel(matrix), bath)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "pattern"),
    [
        (("model", None), {}, TypeError, "an OhmicBath, ThermalBath.* is needed"),
        ((None, "bath"), {}, TypeError, "a ManyBodyModel or .* is needed"),
        (("model", "bath"), {"n_vectors": 1}, ValueError, "n_vectors = 1"),
        (("model", "bath"), {"n_vectors": 2.5}, TypeError, "n_vectors = 2.5"),
        (("model", "bath"), {"n_rows": 1}, ValueError, "n_rows = 1"),
        (("model", "bath"), {"seed": -1}, ValueError, "seed = -1"),
    ],
)
def test_bad_input(arguments, keywords, error, pattern, bath):
    known = {"model": mb.dirac_syk2(4, seed=1), "bath": bath}
    with pytest.raises(error, match=pattern):
        cancellation_measures(*(known.get(each) for each in arguments), **keywords)
