import subprocess
import sys
import warnings

import numpy as np
import oracles
import pytest
from conftest import hamiltonians, single_particle_checks
from scipy.linalg import expm

import manybody as mb
from manybody.physics.equations.davies import build_davies
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.quantities import certificates, norms
from manybody.physics.spectra import build_spectrum


@pytest.mark.parametrize("case", single_particle_checks(), ids=lambda case: case["name"])
def test_check_values(case):
    matrix = np.array(case["hamiltonian_real"]) + 1j * np.array(case["hamiltonian_imag"])
    model = mb.SingleParticleModel(matrix, case["coupled_sites"])
    bath = mb.OhmicBath(**case["bath"])
    run = mb.compare(
        model,
        bath,
        case["times"],
        initial_site=case["initial_site"],
        lamb_shift=case["lamb_shift"],
        keep_states=True,
    )

    def check(actual, name):
        np.testing.assert_allclose(actual, case[name], atol=1e-11)

    check(run.times, "times")
    check(run.trace_distance, "trace_distance")
    check(run.smallest_eigenvalue, "redfield_min_eigenvalue")
    check(np.einsum("taa->ta", run.redfield_states).real, "redfield_populations")
    check(np.einsum("taa->ta", run.davies_states).real, "davies_populations")
    check(run.certificate.redfield_gibbs_residual, "redfield_gibbs_residual")
    check(run.certificate.davies_gibbs_residual, "davies_gibbs_residual")
    liouvillian = mb.redfield_liouvillian(model, bath, case["lamb_shift"]).toarray()
    eigenvalues = np.linalg.eigvals(liouvillian)
    decaying = np.delete(eigenvalues, np.argmin(np.abs(eigenvalues)))
    check(-decaying.real.max(), "redfield_liouvillian_gap")


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize(
    ("matrix", "sites"), [pytest.param(h, s, id=name) for name, h, s in hamiltonians()]
)
def test_states_against_the_oracle(matrix, sites, lamb_shift, bath):
    model = mb.SingleParticleModel(matrix, sites)
    n = model.n_sites
    coupled = range(n) if sites is None else sites
    gamma, eta = (lambda w: float(bath.gamma(w))), (lambda w: float(bath.eta(w)))
    times = [0.7, 5.0, 33.0]
    run = mb.compare(
        model,
        bath,
        times,
        initial_site=1,
        lamb_shift=lamb_shift,
        tolerance=1e-12,
        keep_states=True,
    )
    rho = np.zeros((n, n), dtype=complex)
    rho[1, 1] = 1.0
    for build, states in (
        (oracles.redfield_matrix, run.redfield_states),
        (oracles.davies_matrix, run.davies_states),
    ):
        expected = oracles.propagate(
            build(matrix, coupled, gamma, eta if lamb_shift else None), rho, times
        )
        np.testing.assert_allclose(states, expected, atol=1e-11)
    distance = [
        oracles.trace_distance(a, b) for a, b in zip(run.davies_states, run.redfield_states)
    ]
    np.testing.assert_allclose(run.trace_distance, distance, atol=1e-13)


def test_certificate_measures(bath):
    run = mb.compare(mb.dirac_syk2(10, seed=1), bath, np.linspace(0.0, 20.0, 9))
    figures = run.certificate.as_dict()
    assert figures["trace_error"] < 1e-12
    assert figures["hermiticity_error"] < 1e-14
    assert figures["redfield_gibbs_residual"] < 1e-15
    assert figures["davies_gibbs_residual"] < 1e-15
    assert figures["kms_residual"] < 1e-14
    assert figures["smallest_eigenvalue"] == run.smallest_eigenvalue.min()
    assert figures["clustering"] == "simple"
    assert 0.0 < figures["stepper_error"] < 1e-9
    assert 50 < figures["applications"] < 200
    assert figures["secular_ambiguity"] == 0.0 and run.trace_distance_merged is None
    assert run.redfield_states is None and run.davies_states is None


def test_real_and_complex_kernels_agree_on_one_sample(bath):
    """The same system with phases on its sites: another kernel, the same distances."""
    model = mb.anderson3d(3, 5.0, seed=2)
    phases = np.exp(2j * np.pi * np.random.default_rng(0).uniform(size=27))
    turned = phases[:, None] * model.dense_hamiltonian() * phases.conj()
    times = np.linspace(0.0, 30.0, 7)
    first = mb.compare(model, bath, times, initial_site=4).trace_distance
    second = mb.compare(mb.SingleParticleModel(turned), bath, times, initial_site=4)
    np.testing.assert_allclose(second.trace_distance, first, atol=1e-11)


def test_times_may_start_late_and_be_uneven(bath):
    model = mb.dirac_syk2(6, seed=4)
    dense = mb.compare(model, bath, np.linspace(0.0, 40.0, 81)).trace_distance
    some = mb.compare(model, bath, (2.5, 3.0, 39.5)).trace_distance
    np.testing.assert_allclose(some, dense[[5, 6, 79]], atol=1e-11)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"times": []}, ValueError, "times is empty"),
        ({"times": [1.0, 1.0]}, ValueError, "1 follows 1"),
        ({"times": [-1.0]}, ValueError, "-1.0"),
        ({"times": [0.0, float("nan")]}, ValueError, "nan"),
        ({"times": "0:60"}, TypeError, "'0:60'"),
        ({"times": 3.0}, TypeError, "3.0"),
        ({"initial_site": 4}, ValueError, "initial_site = 4.*0 to 3"),
        ({"initial_site": -1}, ValueError, "initial_site = -1"),
        ({"initial_site": 0.5}, TypeError, "initial_site = 0.5"),
        ({"lamb_shift": "yes"}, TypeError, "lamb_shift = 'yes'"),
        ({"keep_states": 1}, TypeError, "keep_states = 1"),
        ({"stepper": "euler"}, ValueError, "'euler'"),
        ({"tolerance": 1e-20}, ValueError, "1e-20"),
        ({"tolerance": 1.0}, ValueError, "1.0"),
        ({"tolerance": None}, TypeError, "None"),
        ({"model": "anderson3d"}, TypeError, "SingleParticleModel"),
        ({"bath": 0.2}, TypeError, "OhmicBath"),
        ({"petsc_options": "-ts_type rk"}, ValueError, "does not use PETSc"),
    ],
)
def test_bad_arguments_are_named(bath, change, error, words):
    arguments = {"model": mb.dirac_syk2(4), "bath": bath, "times": [0.0, 1.0], **change}
    with pytest.raises(error, match=words):
        mb.compare(**arguments)


def test_importing_and_comparing_needs_neither_mpi_nor_petsc():
    code = """
import sys
import manybody as mb
mb.compare(mb.dirac_syk2(3), mb.OhmicBath(0.2, 10.0, 5.0), [1.0])
bad = {"mpi4py", "petsc4py", "slepc4py", "matplotlib", "h5py"} & set(sys.modules)
sys.exit(f"imported {bad}" if bad - {"h5py"} else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("stepper", "tolerance"), [("chebyshev", 1e-3), ("dop853", 1e-6)])
def test_stepper_error_bounds_the_true_error_in_trace_norm(bath, stepper, tolerance):
    model, times = mb.dirac_syk2(12, seed=3), np.linspace(0.0, 30.0, 5)
    exact = mb.compare(model, bath, times, tolerance=1e-12, keep_states=True)
    rough = mb.compare(model, bath, times, stepper=stepper, tolerance=tolerance, keep_states=True)
    true = max(
        oracles.trace_distance(a, b) for a, b in zip(rough.redfield_states, exact.redfield_states)
    )
    assert 1e-13 < true <= rough.certificate.stepper_error <= 1e3 * tolerance
    assert rough.certificate.stepper_error > exact.certificate.stepper_error


def test_an_ensemble_has_the_bits_of_its_samples(bath, rng):
    """Stacks of every kind, each sample as if it were alone."""
    cube = mb.anderson3d(2, 1e-11, seed=1)
    bipartite = oracles.bipartite_hamiltonian(rng, 6)
    models = [
        *(mb.dirac_syk2(n, seed=seed) for n in (3, 8, 13) for seed in range(4)),
        *(mb.anderson3d(2, 20.0, seed=seed) for seed in range(5)),
        mb.SingleParticleModel(mb.dirac_syk2(8, seed=9).hamiltonian, [1, 4]),
        cube,
        mb.anderson3d(3, 1e-11, seed=3),
        mb.SingleParticleModel(bipartite),
        mb.dirac_syk2(30, seed=2),
        mb.dirac_syk2(30, seed=3),
    ]
    order = rng.permutation(len(models))
    times = np.linspace(0.0, 30.0, 7)
    for lamb_shift in (False, True):
        together = mb.compare_ensemble(
            [models[index] for index in order], bath, times, lamb_shift=lamb_shift
        )
        kinds = set()
        for index, result in zip(order, together):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                alone = mb.compare(models[index], bath, times, lamb_shift=lamb_shift)
            assert result.certificate == alone.certificate
            np.testing.assert_array_equal(result.trace_distance, alone.trace_distance)
            np.testing.assert_array_equal(result.smallest_eigenvalue, alone.smallest_eigenvalue)
            assert (result.trace_distance_merged is None) == (alone.trace_distance_merged is None)
            kinds.add(result.certificate.clustering)
        assert kinds == {"simple", "structural", "ambiguous"}
    assert mb.compare_ensemble([], bath, times) == []
    assert len(mb.compare_ensemble((model for model in models[:3]), bath, times)) == 3


def test_an_ensemble_checks_every_model(bath):
    good = mb.dirac_syk2(5, seed=1)
    with pytest.raises(ValueError, match="initial_site = 3.*0 to 2"):
        mb.compare_ensemble([good, mb.dirac_syk2(3)], bath, [1.0], initial_site=3)
    with pytest.raises(TypeError, match=r"models\[1\] = "):
        mb.compare_ensemble([good, None], bath, [1.0])


@pytest.mark.parametrize("n", [1, 2, 23, 24, 40])
def test_observables_against_all_eigenvalues(n, rng):
    x = rng.normal(size=(2, 3, n, n)) + 1j * rng.normal(size=(2, 3, n, n))
    x = x + np.swapaxes(x.conj(), 2, 3)
    values = np.linalg.eigvalsh(x)
    np.testing.assert_allclose(norms.trace_norm(x), np.abs(values).sum(-1), rtol=1e-13)
    np.testing.assert_allclose(norms.smallest_eigenvalue(x), values[..., 0], rtol=1e-13)


@pytest.mark.parametrize("times", [[20.0], [14.0, 20.0], [0.0, 1e-3]])
def test_bits_of_an_ensemble_with_few_times(times, bath):
    """One time and one sample make vectors of matrices, whose sums NumPy orders differently."""
    models = [mb.dirac_syk2(n, seed=seed) for n in (8, 25) for seed in range(4)]
    for model, result in zip(models, mb.compare_ensemble(models, bath, times)):
        alone = mb.compare(model, bath, times)
        np.testing.assert_array_equal(result.trace_distance, alone.trace_distance)
        assert result.certificate == alone.certificate


def block_offdiagonal(rng, n):
    """Real, with ±E pairs."""
    matrix = rng.normal(size=(n, n))
    matrix = matrix + matrix.T
    matrix[: n // 2, : n // 2] = matrix[n // 2 :, n // 2 :] = 0.0
    return matrix


@pytest.mark.parametrize("bath", [mb.OhmicBath(1.0, 200.0, 5.0), mb.OhmicBath(1.3, 640.0, 88.0)])
@pytest.mark.parametrize("sites", [[0], [0, 1, 2, 5]])
def test_bohr_blocks_with_a_large_lamb_shift(bath, sites, rng):
    """Then 1 + A/‖A‖ is no contraction, and its powers cancel."""
    model = mb.SingleParticleModel(block_offdiagonal(rng, 6), sites)
    times = [0.3, 5.0, 10.0]
    run = mb.compare(model, bath, times, lamb_shift=True, keep_states=True)
    assert run.certificate.clustering == "structural"
    matrix = mb.davies_liouvillian(model, bath, lamb_shift=True).toarray()
    start = np.zeros(36, dtype=complex)
    start[0] = 1.0
    for time, state in zip(times, run.davies_states):
        exact = (expm(matrix * time) @ start).reshape(6, 6)
        np.testing.assert_allclose(state, exact, atol=1e-11)


def test_bohr_blocks_that_would_take_for_ever_are_refused(rng):
    model = mb.SingleParticleModel(block_offdiagonal(rng, 4), [0])
    davies = build_davies(build_spectrum([model]), mb.OhmicBath(10.0, 1e5, 1.0), True, 1e-12)
    assert davies.block_rows.size > 0
    with pytest.raises(ValueError, match="stages: are energies"):
        davies.propagate(np.diag([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 20.0]))


@pytest.mark.parametrize("sites", [None, [0, 2]], ids=["full", "partial"])
def test_the_estimate_covers_a_lamb_shift_larger_than_the_band(sites):
    model = mb.SingleParticleModel(1e-3 * mb.dirac_syk2(4, seed=3).hamiltonian, sites)
    bath, times = mb.OhmicBath(0.37, 7754.0, 103.0), [20.0, 150.0]
    run = mb.compare(model, bath, times, lamb_shift=True, keep_states=True)
    matrix = mb.redfield_liouvillian(model, bath, lamb_shift=True).toarray()
    start = np.zeros(16, dtype=complex)
    start[0] = 1.0
    for time, state in zip(times, run.redfield_states):
        exact = (expm(matrix * time) @ start).reshape(4, 4)
        error = np.abs(np.linalg.eigvalsh(state - exact)).sum()
        # expm's own rounding of ‖L‖t, which is large with partial coupling only.
        own = 1e-15 * np.linalg.norm(matrix, 2) * time
        assert error <= run.certificate.stepper_error + 10.0 * own
    assert run.certificate.stepper_error < 1e-8


def test_the_estimate_knows_the_rounding_of_a_large_k():
    """A bath on all sites but one: η(0) is in K, and leaves most coherences alone."""
    model = mb.SingleParticleModel(1e-3 * mb.dirac_syk2(8, seed=3).hamiltonian, range(7))
    bath, last = mb.OhmicBath(0.37, 7754.0, 103.0), 5.0
    run = mb.compare(model, bath, [last], lamb_shift=True)
    generator = build_redfield(build_spectrum([model]), bath, True)
    size = np.linalg.norm(generator.decay[0], 2)
    assert size > 1e4 * np.abs(model.hamiltonian).max()
    assert run.certificate.stepper_error >= np.sqrt(8) * np.finfo(float).eps * 2.0 * size * last


def test_certificate_figures_of_a_stack(rng):
    states = rng.normal(size=(3, 4, 5, 5)) + 1j * rng.normal(size=(3, 4, 5, 5))
    states = states + np.swapaxes(states.conj(), 2, 3)
    states /= np.einsum("staa->st", states)[:, :, None, None]
    assert certificates.hermiticity_error(states).max() < 1e-12
    assert certificates.trace_error(states).max() < 1e-14
    states[1, 3, 0, 4] += 3e-3 - 4e-3j
    states[2, 0, 2, 2] += 0.25
    np.testing.assert_allclose(certificates.hermiticity_error(states), [0, 5e-3, 0], atol=1e-12)
    np.testing.assert_allclose(certificates.trace_error(states), [0, 0, 0.25], atol=1e-13)
    for bad in (np.nan, np.inf, 1j * np.nan):
        states[0, 1, 2, 3] = bad
        with np.errstate(invalid="ignore"):
            assert not np.isfinite(certificates.hermiticity_error(states)[0])
    assert certificates.hermiticity_error(states[:, :0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("n", [3, 40, 130])
def test_no_element_is_left_out_of_the_hermiticity(n, rng):
    """Whatever is looked at at once: a few times, or a few rows."""
    n_times = 9 if n > 100 else 500
    states = np.zeros((2, n_times, n, n), dtype=complex)
    for _ in range(12):
        sample, time, row, column = rng.integers(0, states.shape)
        states[sample, time, row, column] = 1e-3j
        expected = np.zeros(2)
        expected[sample] = 2e-3 if row == column else 1e-3
        np.testing.assert_allclose(certificates.hermiticity_error(states), expected, rtol=1e-12)
        states[sample, time, row, column] = 0.0
    states[1, -1, -1, 0] = 1.0
    np.testing.assert_array_equal(certificates.hermiticity_error(states), [0.0, 1.0])


def test_a_bath_without_detailed_balance_is_said():
    class Falling(mb.OhmicBath):
        """Takes energy and gives none."""

        def gamma(self, omega):
            return np.where(np.asarray(omega) < 0.0, 0.0, super().gamma(omega))[()]

    model, bath = mb.dirac_syk2(4, seed=1), Falling(0.2, 10.0, 1.0)
    for call in (
        lambda: mb.compare(model, bath, [0.0, 1.0]),
        lambda: mb.compare_ensemble([model, model], bath, [0.0, 1.0]),
    ):
        with pytest.warns(UserWarning, match=r"breaks detailed balance.* by up to 5"):
            call()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.compare(model, mb.OhmicBath(0.2, 10.0, 1.0), [0.0, 1.0])
