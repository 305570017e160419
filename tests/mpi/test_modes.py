"""Slow modes of Redfield: run serially and under mpirun on 1, 2 and 3 ranks.

The search is the same on any number of ranks, and every product of it waits for all of them:
where it is hard is shown on one rank, that it meets the same products on several by the others.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.solve.eigensearch import Search
from manybody.study.parsing import find_study, parse_study

pytest.importorskip("slepc4py", reason="slepc4py not installed")

CHECKS = Path(__file__).parents[1] / "checks" / "single_particle.json"


def dense(model, bath, lamb_shift, count):
    """The slowest decaying eigenvalues by dense algebra, multiplicities included."""
    values = np.linalg.eigvals(mb.redfield_liouvillian(model, bath, lamb_shift).toarray())
    values = values[-values.real > 1e-9]
    return values[np.lexsort([values.imag, np.round(-values.real, 10)])][:count], values


def assert_found(model, bath, lamb_shift, count, seed, comm, method="gmres"):
    found = mb.slow_modes(model, bath, count, lamb_shift, seed=seed, comm=comm, method=method)
    expected, every = dense(model, bath, lamb_shift, count)
    assert len(found.eigenvalues) == count
    np.testing.assert_allclose(found.eigenvalues.real, expected.real, atol=1e-8)
    for value in found.eigenvalues:
        assert np.abs(every - value).min() < 1e-8
    assert found.residuals.max() <= 1e-9
    assert found.gap == pytest.approx(expected[0].real * -1.0, abs=1e-9)
    assert found.gap_frequency == pytest.approx(abs(expected[0].imag), abs=1e-6)
    real = every[np.abs(every.imag) < 1e-8]
    if len(real):
        assert found.slowest_real == pytest.approx(-real.real.max(), abs=1e-8)
    return found


@pytest.mark.parametrize("case", json.loads(CHECKS.read_text()), ids=lambda case: case["name"])
def test_check_values(comm, case):
    matrix = np.array(case["hamiltonian_real"]) + 1j * np.array(case["hamiltonian_imag"])
    model = mb.SingleParticleModel(matrix, case["coupled_sites"])
    bath = mb.OhmicBath(**case["bath"])
    for method in ("gmres", "auto"):
        found = assert_found(model, bath, case["lamb_shift"], 6, 0, comm, method)
    assert found.gap == pytest.approx(case["redfield_liouvillian_gap"], abs=1e-9)


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize(
    ("n", "seed"),
    [
        (5, 0),
        pytest.param(5, 1, marks=pytest.mark.up_to(1)),
        pytest.param(9, 0, marks=pytest.mark.up_to(1)),
    ],
)
def test_random_complex_systems(comm, bath, n, lamb_shift, seed):
    """From two starts, against dense algebra."""
    assert_found(mb.dirac_syk2(n, seed=n), bath, lamb_shift, 6, seed, comm)


@pytest.mark.up_to(1)
def test_a_larger_random_system(comm, bath):
    assert_found(mb.dirac_syk2(16, seed=16), bath, True, 4, 0, comm)


@pytest.mark.up_to(2)
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_degenerate_dark_and_decoupled_levels(comm, bath, lamb_shift):
    rng = np.random.default_rng(3)
    single = mb.SingleParticleModel
    cases = [
        (single(oracles.ring_hamiltonian(6), [0]), 4),
        (single(np.diag([1.0, 2.0, 3.5])), 6),
        (single(oracles.ring_hamiltonian(6)), 8),
        (single(oracles.bipartite_hamiltonian(rng, 6)), 4),
        (single(oracles.random_hermitian(rng, 5), [1, 4]), 4),
        (mb.anderson3d(2, 0.0), 4),
        (mb.anderson3d(2, 5.0, seed=3), 2),
    ]
    for model, count in cases if comm.size == 1 else cases[:2]:
        assert_found(model, bath, lamb_shift, count, 0, comm)


def test_too_many_modes_and_bad_input(comm, bath):
    model = mb.dirac_syk2(2, seed=1)
    for method in ("auto", "gmres"):
        with pytest.raises(ValueError, match="n_modes = 4: 3 modes decay or grow"):
            mb.slow_modes(model, bath, 4, comm=comm, method=method)
    with pytest.raises(ValueError, match="bath: γ = 0 everywhere"):
        mb.slow_modes(model, mb.OhmicBath(0.0, 10.0, 5.0), comm=comm)
    with pytest.raises(ValueError, match="'dense': 64 sites, allowed are 45"):
        mb.slow_modes(mb.anderson3d(4, 5.0, seed=1), bath, comm=comm, method="dense")
    with pytest.raises(ValueError, match="n_modes = 0"):
        mb.slow_modes(model, bath, 0, comm=comm)


def test_an_inner_solution_that_fails_is_said(comm, bath, monkeypatch):
    monkeypatch.setattr("manybody.solve.eigensearch.MAX_ITERATIONS", 2)
    with pytest.raises(Exception, match="inner solution|error code 101"):
        mb.slow_modes(mb.dirac_syk2(8, seed=1), bath, comm=comm, method="gmres")
    monkeypatch.undo()
    assert mb.slow_modes(mb.dirac_syk2(4, seed=1), bath, 2, comm=comm).gap > 0.0


@pytest.mark.parametrize("n_good", [0, 1])
def test_modes_with_too_large_residuals_are_sought_from_further_off(
    comm, bath, monkeypatch, n_good
):
    """More of them would bring none with a smaller one: localised systems have thousands."""
    near, last, asked = 2e-3, [], []

    def modes_at(self, shift, wanted):
        asked.append(wanted)
        modes, shift = found(self, shift, wanted)
        ordered = sorted(modes, key=lambda mode: abs(mode[0] - shift))
        last[:] = [shift.real, {value for value, _ in ordered[:n_good]}]
        return modes, shift

    def residual(self, value, mode):
        shift, good = last
        return measured(self, value, mode) if shift > near or value in good else 1.0

    found, measured = Search._modes_at, Search._residual
    monkeypatch.setattr(Search, "_modes_at", modes_at)
    monkeypatch.setattr(Search, "_residual", residual)
    model = mb.SingleParticleModel(oracles.random_hermitian(np.random.default_rng(3), 7))
    monkeypatch.setattr("manybody.solve.eigensearch._FURTHEST", 1.0)
    assert_found(model, bath, False, 3, 0, comm)
    assert max(asked) <= 12


def test_both_routes_agree(comm, bath):
    models = [mb.dirac_syk2(6, seed=2), mb.anderson3d(2, 5.0, seed=2)]
    for model in models if comm.size == 1 else models[:1]:
        krylov = mb.slow_modes(model, bath, 4, True, comm=comm, method="gmres")
        direct = mb.slow_modes(model, bath, 4, True, comm=comm, method="assembled")
        np.testing.assert_allclose(direct.eigenvalues.real, krylov.eigenvalues.real, atol=1e-9)
        assert direct.gap == pytest.approx(krylov.gap, abs=1e-10)
        complete = mb.slow_modes(model, bath, 4, True, comm=comm)
        assert complete.shifts == 0 < krylov.shifts
        np.testing.assert_allclose(complete.eigenvalues.real, krylov.eigenvalues.real, atol=1e-9)
    with pytest.raises(ValueError, match="method = 'lanczos'"):
        mb.slow_modes(model, bath, method="lanczos", comm=comm)


def far_from_normal():
    """A localised sample whose slowest rate with Lamb shift is a quarter of that of Davies."""
    study = parse_study(*find_study("relaxation"))
    points = [system.points[0] for system in study.systems]
    point = next(p for p in points if {("disorder", 20.0)} < {*p.parameters} and p.size == 2)
    return point.build(study.seed, 6)


@pytest.mark.up_to(1)
def test_a_slow_mode_far_from_normal(comm, bath):
    """(L_D - shift)⁻¹L has singular values from 1e-5 to 1e5: GMRES needs a larger shift."""
    model = far_from_normal()
    dense = np.linalg.eigvals(mb.redfield_liouvillian(model, bath, True).toarray())
    expected = np.sort(-dense.real)[1]
    assert expected == pytest.approx(1.3e-7, rel=0.02)
    found = mb.slow_modes(model, bath, 1, True, comm=comm, method="gmres")
    assert found.gap == pytest.approx(expected, rel=1e-6)
    assert found.gap < 0.3 * -found.davies_eigenvalues[0].real


def test_a_steady_state_far_from_normal(comm, bath):
    model = far_from_normal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mb.steady_state(model, bath, lamb_shift=True, comm=comm)
    matrix = mb.redfield_liouvillian(model, bath, True).toarray()
    null = np.linalg.svd(matrix)[2][-1].conj().reshape(8, 8)
    null /= np.trace(null)
    gibbs = mb.steady_state(model, bath, "davies", comm=comm).state
    if comm.rank == 0:
        true = np.abs(np.linalg.eigvalsh(found.state - null)).sum()
        # The singular vector itself is known to rounding of L over the slowest rate.
        rounding = 1e-15 * np.linalg.norm(matrix, 2) / 1.3e-7
        assert true < 1e-6 and true < 10.0 * found.state_error + rounding
        distance = np.abs(np.linalg.eigvalsh(null - gibbs)).sum()
        assert found.distance_from_gibbs == pytest.approx(distance, abs=1e-6)
    assert found.smallest_eigenvalue < -0.1


@pytest.mark.parametrize(
    ("coupling", "disorder", "growth"),
    [
        pytest.param(0.2, 40.0, 1.4e-7, marks=pytest.mark.up_to(1)),
        pytest.param(1.0, 10.0, 2.5e-3, marks=pytest.mark.up_to(2)),
    ],
)
def test_growing_modes_come_first(comm, coupling, disorder, growth):
    """Redfield with Lamb shift can be unstable in localised systems."""
    bath = mb.OhmicBath(coupling, 10.0, 5.0)
    model = mb.anderson3d(2, disorder, seed=41)
    values = np.linalg.eigvals(mb.redfield_liouvillian(model, bath, True).toarray())
    assert values.real.max() == pytest.approx(growth, rel=0.05)
    found = mb.slow_modes(model, bath, 2, True, comm=comm, method="gmres")
    assert found.gap == pytest.approx(-values.real.max(), rel=1e-6)
    assert found.gap < 0.0 < -found.davies_eigenvalues[0].real
    assert found.slowest_real == found.gap
    assert -found.eigenvalues[1].real > 0.0
    assert mb.slow_modes(model, bath, 1, False, comm=comm).gap > 0.0


@pytest.mark.up_to(1)
@pytest.mark.parametrize(("cutoff", "beta", "seed"), [(10.0, 5.0, 0), (30.0, 20.0, 1)])
def test_strong_growth_is_followed(comm, cutoff, beta, seed):
    """Far to the right of the first shift, with slower modes in between.

    The second is beyond twice the growth of those: a Krylov space of L itself points to it.
    """
    bath, model = mb.OhmicBath(2.0, cutoff, beta), mb.dirac_syk2(12, seed=seed)
    values = np.linalg.eigvals(mb.redfield_liouvillian(model, bath, True).toarray())
    found = mb.slow_modes(model, bath, 1, True, comm=comm, method="gmres")
    assert found.gap == pytest.approx(-values.real.max(), rel=1e-9)
    assert found.gap < -0.4


def test_every_copy_of_a_multiple_eigenvalue(comm, bath):
    rng = np.random.default_rng(4)
    trimer = oracles.random_hermitian(rng, 3)
    order = rng.permutation(9)
    three = np.kron(np.eye(3), trimer)[np.ix_(order, order)]
    single = mb.SingleParticleModel
    # Twenty equal rates: one start finds few of them.
    ring = oracles.ring_hamiltonian(6)
    cases = [(three, 12), (ring, 12), (np.ones((5, 5)), 12), (np.eye(5), 20)]
    if comm.size > 1:
        cases = [(np.ones((4, 4)), 8), (np.eye(4), 10)]
    for matrix, count in cases:
        assert_found(single(matrix), bath, False, count, 0, comm)


@pytest.mark.up_to(1)
@pytest.mark.parametrize("seed", [1, 3])
def test_copies_that_one_start_does_not_find(comm, bath, seed):
    """Three equal trimers: from one random vector the disc seems complete and is not."""
    trimer = oracles.random_hermitian(np.random.default_rng(seed), 3)
    model = mb.SingleParticleModel(np.kron(np.eye(3), trimer))
    assert_found(model, bath, True, 6, 0, comm)


def test_more_copies_than_can_be_told_apart(comm, bath, monkeypatch):
    monkeypatch.setattr("manybody.solve.eigensearch._MOST_ALIKE", 10)
    with pytest.raises(RuntimeError, match="more than 10 modes within"):
        mb.slow_modes(mb.SingleParticleModel(np.eye(6)), bath, 20, comm=comm, method="gmres")


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_davies_where_frequencies_coincide(comm, bath, lamb_shift):
    """The closed form would be wrong by per cents for these."""
    rng = np.random.default_rng(3)
    for model in (
        mb.SingleParticleModel(oracles.ring_hamiltonian(6)),
        mb.SingleParticleModel(oracles.bipartite_hamiltonian(rng, 6)),
        mb.anderson3d(2, 0.0),
    ):
        every = np.linalg.eigvals(mb.davies_liouvillian(model, bath, lamb_shift).toarray())
        expected = np.sort(-every.real)
        expected = expected[expected > 1e-9][:8]
        found = mb.slow_modes(model, bath, 8, lamb_shift, comm=comm)
        np.testing.assert_allclose(-found.davies_eigenvalues.real, expected, atol=1e-10)


def test_davies_is_missing_where_it_is_not_determined(comm, bath):
    model = mb.anderson3d(2, 1e-12, seed=1)
    found = mb.slow_modes(model, bath, 2, comm=comm)
    assert np.isnan(found.davies_eigenvalues).all()
    assert np.isfinite(found.eigenvalues).all()


def test_nearly_all_modes(comm, bath):
    """Real and complex ones, as far in as one likes."""
    if comm.size > 1:
        assert_found(mb.dirac_syk2(4, seed=3), bath, True, 14, 0, comm)
        return
    assert_found(mb.dirac_syk2(5, seed=3), bath, True, 22, 0, comm)
    assert_found(mb.anderson3d(2, 50.0, seed=2), bath, False, 20, 0, comm)


@pytest.mark.up_to(1)
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_energy_does_not_matter(comm, bath, unit):
    matrix = oracles.random_hermitian(np.random.default_rng(8), 6)
    other = mb.OhmicBath(bath.coupling, bath.cutoff * unit, bath.beta / unit)
    for method in ("auto", "gmres"):
        here = mb.slow_modes(mb.SingleParticleModel(matrix), bath, 5, True, method=method)
        there = mb.slow_modes(
            mb.SingleParticleModel(unit * matrix), other, 5, True, comm=comm, method=method
        )
        np.testing.assert_allclose(there.eigenvalues.real, unit * here.eigenvalues.real, rtol=1e-8)


def test_ranks_that_disagree_are_told(comm, bath):
    model = mb.dirac_syk2(6, seed=2)
    if comm.size == 1:
        pytest.skip("one rank agrees with itself")
    for solve in (mb.slow_modes, mb.steady_state):
        with pytest.raises(ValueError, match="model: rank 1"):
            solve(mb.dirac_syk2(6, seed=comm.rank), bath, comm=comm)
        with pytest.raises(ValueError, match="tolerance = -1"):
            solve(model, bath, tolerance=-1.0 if comm.rank == 0 else 1e-9, comm=comm)
    with pytest.raises(ValueError, match="arguments: rank 1"):
        mb.slow_modes(model, bath, 6 + comm.rank, comm=comm)
