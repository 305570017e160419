"""Coincidences of Bohr frequencies that the data cannot decide: never "simple" in silence."""

import dataclasses
import warnings

import numpy as np
import oracles
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody.physics.spectra import (
    AMBIGUOUS,
    SIMPLE,
    STRUCTURAL,
    build_spectrum,
    cluster_bohr_frequencies,
)

CHAIN = np.diag([1.0, 1.0], 1) + np.diag([1.0, 1.0], -1)


def judge(matrix, sites=None, **settings):
    model = mb.SingleParticleModel(matrix, sites, **settings)
    return cluster_bohr_frequencies(build_spectrum([model]))[0]


def quiet(function, *arguments, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*arguments, **settings)


def rotated(rng, n, real):
    """A random basis in which two levels are equal."""
    levels = rng.normal(size=n)
    levels[1] = levels[0]
    turn = np.linalg.qr(oracles.random_hermitian(rng, n, real))[0]
    return (turn * levels) @ turn.conj().T


def expected_distance(matrix, sites, bath, times, tolerance, lamb_shift):
    """‖ρ_D − ρ_R‖₁ from |0⟩⟨0| by definition, with frequencies within `tolerance` merged."""
    sites = range(len(matrix)) if sites is None else sites

    def gamma(omega):
        return float(bath.gamma(omega))

    def eta(omega):
        return float(bath.eta(omega))

    shift = eta if lamb_shift else None
    start = np.zeros((len(matrix),) * 2)
    start[0, 0] = 1.0
    redfield = oracles.redfield_matrix(matrix, sites, gamma, shift)
    davies = oracles.davies_matrix(matrix, sites, gamma, shift, tolerance)
    states = [oracles.propagate(each, start, times) for each in (redfield, davies)]
    return [oracles.trace_distance(one, other) for one, other in zip(*states)]


def test_the_asymmetry_that_was_forgiven_is_not_known(bath):
    """.00296 with the coincidence and .18253 without: both are said."""
    one_sided = CHAIN.copy()
    one_sided[0, 2] = 1e-13
    with pytest.warns(UserWarning, match=r"differ by 1\.5e-13: .* cannot be decided") as caught:
        run = mb.compare(mb.SingleParticleModel(one_sided), bath, [60.0])
    assert len(caught) == 1 and caught[0].filename == __file__
    assert run.certificate.clustering == AMBIGUOUS
    assert run.trace_distance[0] == pytest.approx(0.18253, abs=1e-5)
    assert run.trace_distance_merged[0] == pytest.approx(0.00296, abs=1e-5)
    clean = mb.compare(mb.SingleParticleModel(CHAIN), bath, [60.0])
    assert clean.certificate.clustering == STRUCTURAL
    np.testing.assert_allclose(run.trace_distance_merged, clean.trace_distance, atol=1e-11)


@pytest.mark.parametrize("site", [0, 1, 2])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_level_of_the_chain_moved_a_little(site, scale):
    found = {}
    for exponent in range(-18, 0):
        moved = CHAIN.copy()
        moved[site, site] = 10.0**exponent
        found[exponent] = judge(scale * moved).verdict
    assert {found[exponent] for exponent in (-18, -17, -16)} == {STRUCTURAL}
    # At 1e-14 the separation is that of rounding, 5e-15: either is right.
    assert {found[exponent] for exponent in range(-13, -5)} == {AMBIGUOUS}
    assert {found[exponent] for exponent in (-3, -2, -1)} == {SIMPLE}


FORMS = {
    "array": lambda matrix: matrix,
    "sparse": sp.csr_array,
    "scalars": lambda matrix: [list(row) for row in matrix],
    "halves": lambda matrix: [matrix[0], *matrix[1:].astype(np.complex128)],
}


@pytest.mark.parametrize("form", ["array", "sparse", "scalars", "halves"])
def test_degenerate_levels_in_single_precision(form):
    """No coarse number in a matrix lets it pass for one in double precision."""
    failures = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n, real = int(rng.integers(3, 13)), seed % 2 == 0
        coarse = rotated(rng, n, real).astype(np.float32 if real else np.complex64)
        coarse = np.triu(coarse) + np.triu(coarse, 1).conj().T
        sites = None if seed % 3 else [0, n - 1]
        model = mb.SingleParticleModel(FORMS[form](coarse), sites)
        size = np.linalg.norm(coarse.astype(np.complex128), axis=1).max()
        if not np.isclose(model.uncertainty, np.finfo(np.float32).eps * size, rtol=1e-6):
            failures.append((seed, "uncertainty", model.uncertainty))
        clustering = cluster_bohr_frequencies(build_spectrum([model]))[0]
        energies = np.linalg.eigvalsh(coarse.astype(np.complex128))
        merges = np.diff(energies).min() <= clustering.merging_tolerance
        if clustering.verdict != AMBIGUOUS or not merges:
            failures.append((seed, clustering))
    assert not failures


def test_single_precision_gives_both_answers(bath):
    times, failures = [5.0, 40.0], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        n, real = int(rng.integers(3, 6)), seed % 2 == 0
        coarse = rotated(rng, n, real).astype(np.float32 if real else np.complex64)
        coarse = np.triu(coarse) + np.triu(coarse, 1).conj().T
        sites, shift = (None if seed % 3 else [0, n - 1]), seed % 4 > 1
        model = mb.SingleParticleModel(coarse, sites)
        run = quiet(mb.compare, model, bath, times, lamb_shift=shift)
        apart, merged = (
            expected_distance(model.hamiltonian, sites, bath, times, tolerance, shift)
            for tolerance in (1e-11, 1e-5)
        )
        # The merged answer takes one frequency for a cluster some 1e-7 wide.
        close = np.allclose(run.trace_distance, apart, atol=1e-9) and np.allclose(
            run.trace_distance_merged, merged, atol=1e-5
        )
        if not close:
            failures.append((seed, run.trace_distance, apart, run.trace_distance_merged, merged))
    assert not failures


def test_exact_numbers_stay_structural():
    """Integers and what single precision holds exactly coincide as in double precision."""
    ring = oracles.ring_hamiltonian(6)
    for matrix in (
        ring.astype(int),
        ring.astype(np.float32),
        ring.astype(np.complex64),
        ring.astype(np.float16),
        ring.astype(int).tolist(),
    ):
        assert judge(matrix).verdict == STRUCTURAL
        assert judge(matrix, [0]).verdict == STRUCTURAL
    assert mb.SingleParticleModel(ring.astype(int)).uncertainty == 0.0
    assert mb.SingleParticleModel(ring).uncertainty == 0.0
    assert mb.SingleParticleModel(ring.astype(np.float32)).uncertainty > 0.0


def test_small_asymmetries_are_remembered():
    """Coincidences by symmetry, some split by what was forgiven: 200 of 200 are undecided."""
    failures = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 10))
        clean = oracles.ring_hamiltonian(n) if seed % 2 else np.zeros((n, n))
        if not seed % 2:
            clean += np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
        if seed % 5 == 0:
            clean = clean * np.exp(0.3j * np.sign(np.subtract.outer(range(n), range(n))))
        given = clean.copy()
        row, column = rng.choice(n, 2, replace=False)
        given[row, column] += 10.0 ** rng.uniform(-13.5, -12.1)
        model = mb.SingleParticleModel(given)
        half = 0.5 * np.linalg.norm(given - given.conj().T, 2)
        known = np.isclose(model.uncertainty, half, rtol=1e-6, atol=0.0)
        if judge(clean).verdict == STRUCTURAL and judge(given).verdict == SIMPLE or not known:
            failures.append((seed, judge(given)))
    assert not failures


def test_the_uncertainty_is_carried_and_can_be_said():
    coarse = np.array([[0.0, 0.1], [0.1, 0.3]], dtype=np.float32)
    model = mb.SingleParticleModel(coarse)
    other = dataclasses.replace(model, coupled_sites=[0])
    assert other.uncertainty == model.uncertainty > 1e-8
    assert mb.SingleParticleModel(coarse, uncertainty=0.0).uncertainty == 0.0
    quadratic = mb.from_single_particle(model, mb.Reservoir(mb.SemiEllipticDensity(0.1, 9.0), 1.0))
    assert quadratic.uncertainty == model.uncertainty
    assert judge(CHAIN + np.diag([0.0, 0.0, 0.01])).verdict == SIMPLE
    assert judge(CHAIN + np.diag([0.0, 0.0, 0.01]), uncertainty=0.01).verdict == AMBIGUOUS
    for wrong, error in ((-1.0, ValueError), ("1", TypeError), (np.nan, ValueError)):
        with pytest.raises(error, match="uncertainty = "):
            mb.SingleParticleModel(coarse, uncertainty=wrong)


def test_coincidences_that_stand_stay_merged_in_both_answers(bath):
    """An exact symmetry beside an undecided pair: the first answer splits only the pair."""
    times, failures = [10.0, 50.0], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        shift = bool(seed % 2)
        # A star: its middle level is twofold, exactly, and a coincidence of gaps is not.
        matrix = np.zeros((4, 4))
        matrix[0, 1:] = matrix[1:, 0] = rng.uniform(0.5, 2.0, 3)
        matrix[0, 0] = delta = 10.0 ** rng.uniform(-12.0, -6.0)
        run = quiet(mb.compare, mb.SingleParticleModel(matrix), bath, times, lamb_shift=shift)
        apart, merged = (
            expected_distance(matrix, None, bath, times, tolerance, shift)
            for tolerance in (0.1 * delta, 10.0 * delta)
        )
        close = np.allclose(run.trace_distance, apart, atol=1e-9) and np.allclose(
            run.trace_distance_merged, merged, atol=1e-9 + 100.0 * delta
        )
        if run.certificate.clustering != AMBIGUOUS or not close:
            failures.append((seed, run.certificate, run.trace_distance, apart))
    assert not failures


def test_random_spectra_are_rarely_called_undecided():
    """Without repulsion one in 10⁴ is expected: none of these, which have more or less of it."""
    rng = np.random.default_rng(5)
    models = [mb.anderson3d(2, w, seed=s) for w in (1.0, 5.0, 20.0) for s in range(200)]
    models += [mb.anderson3d(3, w, seed=s) for w in (1.0, 5.0, 20.0) for s in range(20)]
    models += [mb.dirac_syk2(n, seed=s) for n in (3, 8, 16) for s in range(150)]
    models += [mb.SingleParticleModel(np.diag(rng.normal(size=9)) + 1e-3) for _ in range(200)]
    verdicts = [cluster_bohr_frequencies(build_spectrum([model]))[0].verdict for model in models]
    assert verdicts.count(SIMPLE) == len(models)


def test_exact_coincidences_hide_no_undecided_pair():
    """Four equal chains, each with a level moved by 5e-6: a crowd of copies is no crowd."""
    moved = CHAIN + np.diag([0.0, 5e-6, 0.0])
    for copies in (1, 2, 4, 6):
        assert judge(np.kron(np.eye(copies), moved)).verdict == AMBIGUOUS


def test_clean_lattices_are_structural():
    wrong = []
    for n in range(3, 41):
        line = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
        turn = np.roll(np.eye(n), 1, 0) * np.exp(0.3j)
        for matrix in (line, oracles.ring_hamiltonian(n), turn + turn.conj().T):
            wrong += [n for sites in (None, [0]) if judge(matrix, sites).verdict == AMBIGUOUS]
    for length in range(1, 6):
        for boundary in ("open", "periodic"):
            cube = mb.anderson3d(length, 0.0, boundary=boundary).hamiltonian
            wrong += [length] if judge(cube).verdict == AMBIGUOUS else []
    assert not wrong


def test_level_statistics_count_what_the_data_leave_equal():
    matrix = rotated(np.random.default_rng(3), 12, True)
    coarse = matrix.astype(np.float32)
    coarse = np.triu(coarse) + np.triu(coarse, 1).T
    exact = mb.level_statistics(mb.SingleParticleModel(0.5 * (matrix + matrix.T)), window=1.0)
    assert exact.n_degenerate == 1
    assert mb.level_statistics(mb.SingleParticleModel(coarse), window=1.0).n_degenerate == 1
