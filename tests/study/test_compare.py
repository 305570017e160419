import subprocess
import sys

import numpy as np
import oracles
import pytest
from conftest import hamiltonians, single_particle_checks

import manybody as mb


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
        model, bath, times, initial_site=1, lamb_shift=lamb_shift, tolerance=1e-12,
        keep_states=True,
    )  # fmt: skip
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
    distance = [oracles.trace_distance(a, b)
                for a, b in zip(run.davies_states, run.redfield_states)]  # fmt: skip
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
        ({"model": np.eye(4)}, TypeError, "SingleParticleModel"),
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
