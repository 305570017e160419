import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics import spectra
from manybody.physics.spectra import (
    AMBIGUOUS,
    SIMPLE,
    STRUCTURAL,
    build_spectrum,
    cluster_bohr_frequencies,
)


def verdict(model):
    return cluster_bohr_frequencies(build_spectrum([model]))[0]


@pytest.mark.parametrize(
    "model",
    [
        mb.dirac_syk2(64, seed=1),
        mb.anderson3d(5, 5.0, seed=1),
        mb.anderson3d(4, 20.0, seed=1),
        mb.anderson3d(4, 1e-2, seed=1),
        mb.SingleParticleModel([[1.0]]),
        # All frequencies coincide, but no jump carries weight.
        mb.SingleParticleModel(np.eye(5)),
    ],
    ids=["syk2", "W=5", "W=20", "W=0.01", "one site", "one level"],
)
def test_generic_spectra_are_simple(model):
    result = verdict(model)
    assert result.verdict == SIMPLE
    assert result.merged_neighbours == 0
    assert result.smallest_separation > result.tolerance


@pytest.mark.parametrize(
    "model",
    [
        mb.anderson3d(3, 0.0),
        mb.anderson3d(4, 0.0, boundary="open"),
        mb.anderson3d(6, 0.0),
        mb.SingleParticleModel(oracles.bipartite_hamiltonian(np.random.default_rng(0), 60)),
        mb.SingleParticleModel(oracles.ring_hamiltonian(12), [0]),
    ],
    ids=["cube", "open cube", "cube L=6", "bipartite", "ring"],
)
def test_symmetric_spectra_are_structural(model):
    result = verdict(model)
    assert result.verdict == STRUCTURAL
    assert result.merged_neighbours > 0
    assert result.widest_cluster <= 3.0 * result.tolerance


@pytest.mark.parametrize(("length", "disorder"), [(3, 1e-11), (4, 1e-9), (5, 1e-12)])
def test_a_nearly_clean_cube_is_ambiguous(length, disorder):
    result = verdict(mb.anderson3d(length, disorder, seed=1))
    assert result.verdict == AMBIGUOUS


def test_an_ambiguous_sample_gives_both_answers(bath):
    model = mb.anderson3d(3, 1e-13, seed=1)
    with pytest.warns(UserWarning, match="cannot be decided") as caught:
        run = mb.compare(model, bath, [0.0, 3.0, 9.0])
    assert caught[0].filename == __file__
    assert run.certificate.clustering == AMBIGUOUS
    difference = np.abs(run.trace_distance - run.trace_distance_merged).max()
    assert difference == run.certificate.secular_ambiguity > 1e-4
    clean = mb.compare(mb.anderson3d(3, 0.0), bath, [0.0, 3.0, 9.0])
    np.testing.assert_allclose(run.trace_distance_merged, clean.trace_distance, atol=1e-9)


def test_frequencies_without_weight_do_not_count():
    """Two uncoupled halves with equal spectra: levels coincide, but no jump connects them."""
    rng = np.random.default_rng(3)
    half = oracles.random_hermitian(rng, 3)
    matrix = np.kron(np.diag([1.0, 0.0]), half) + np.kron(np.diag([0.0, 1.0]), half)
    generic = np.kron(np.diag([1.0, 0.0]), half) + np.kron(
        np.diag([0.0, 1.0]), oracles.random_hermitian(rng, 3)
    )
    assert verdict(mb.SingleParticleModel(matrix)).verdict == STRUCTURAL
    one_sided = verdict(mb.SingleParticleModel(generic, [0, 1, 2]))
    assert one_sided.verdict == SIMPLE


def test_stacks_refuse_models_of_another_kind():
    with pytest.raises(ValueError, match="agree"):
        build_spectrum([mb.dirac_syk2(4), mb.dirac_syk2(5)])


@pytest.mark.parametrize(("length", "disorder"), [(3, 1e-11), (4, 1e-9)])
def test_the_second_answer_merges_all_that_belongs_together(length, disorder, bath):
    """Merging must reach the clean cube, not stop at the scale that failed to separate."""
    times = [5.0, 20.0]
    with pytest.warns(UserWarning, match="cannot be decided"):
        run = mb.compare(mb.anderson3d(length, disorder, seed=3), bath, times)
    clean = mb.compare(mb.anderson3d(length, 0.0), bath, times)
    np.testing.assert_allclose(run.trace_distance_merged, clean.trace_distance, atol=1e-6)
    assert run.certificate.secular_ambiguity > 0.01


def test_conditioning_says_how_far_rounding_turns_davies(bath):
    times = [20.0, 50.0]
    with pytest.warns(UserWarning, match="cannot be decided"):
        tight = mb.compare(mb.anderson3d(2, 1e-9, seed=3), bath, times)
    assert tight.certificate.clustering == AMBIGUOUS
    nudged = mb.anderson3d(2, 1e-9, seed=3).dense_hamiltonian()
    nudged[0, 0] += 4e-16
    with pytest.warns(UserWarning, match="cannot be decided"):
        other = mb.compare(mb.SingleParticleModel(nudged), bath, times)
    change = np.abs(other.trace_distance - tight.trace_distance).max()
    conditioning = tight.certificate.level_conditioning
    assert 1e-8 < conditioning < 1e-4
    assert 1e-3 * conditioning < change < 10.0 * conditioning
    assert mb.compare(mb.dirac_syk2(8, seed=1), bath, times).certificate.level_conditioning < 1e-13


def test_the_density_of_frequencies_is_that_of_a_histogram(rng):
    for size in (2, 3, 17, 400):
        for values in (rng.normal(size=size), rng.integers(0, 5, size).astype(float) / 4.0):
            omega = np.sort(np.append(values, [-1.0, 1.0]))
            bins = max(4, int(np.sqrt(omega.size)))
            heights, edges = np.histogram(omega, bins=bins, density=True)
            expected = omega.size**2 * np.sum(heights**2 * np.diff(edges))
            assert spectra._squared_density(omega) == pytest.approx(expected, rel=1e-12)
