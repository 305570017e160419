import importlib.util

import numpy as np
import pytest
from scipy.linalg import expm
from test_chebyshev import run

import manybody as mb
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.steppers import PETSC_STEPPERS, STEPPERS, build_stepper
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum

needs_petsc = pytest.mark.skipif(
    importlib.util.find_spec("slepc4py") is None, reason="petsc4py and slepc4py not installed"
)
ALL = [
    pytest.param(name, marks=needs_petsc) if name in PETSC_STEPPERS else name for name in STEPPERS
]


def operator_for(stepper, model, bath, lamb_shift):
    generator = build_redfield(build_spectrum([model]), bath, lamb_shift)
    n = model.n_sites
    return KernelOperator(
        generator.kernel(),
        generator.spectral_box,
        Columns(n),
        stepper.linearity,
        generator.spectral_outline,
    )


def true_error(stepper, model, bath, times, lamb_shift=True):
    operator = operator_for(stepper, model, bath, lamb_shift)
    states, estimate, applications = run(stepper, operator, times)
    matrix = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
    rho = np.zeros(model.n_sites**2, dtype=complex)
    rho[0] = 1.0
    errors = [
        np.linalg.norm(state.ravel() - expm(matrix * time) @ rho)
        for time, state in zip(times, states[0])
    ]
    return max(errors), float(estimate[0]), int(applications[0])


@pytest.mark.parametrize("tolerance", [1e-5, 1e-8])
@pytest.mark.parametrize("name", ALL)
def test_every_stepper_against_the_dense_exponential(name, tolerance, bath):
    model = mb.SingleParticleModel(mb.dirac_syk2(5, seed=2).hamiltonian, [0, 1, 3])
    stepper = build_stepper(name, tolerance, prefix="redfield_")
    assert stepper.name == name
    times = np.array([0.0, 0.3, 4.0, 10.0, 13.0])
    error, estimate, applications = true_error(stepper, model, bath, times)
    assert applications > 0
    # Local tolerances add up over the steps; that is what the estimate says.
    assert error <= estimate
    assert estimate <= 1e4 * tolerance


@needs_petsc
@pytest.mark.parametrize(
    ("name", "order", "steps"),
    [
        ("ts-rk5dp", 5, (0.2, 0.1, 0.05)),
        ("ts-rk8vr", 8, (0.5, 0.4, 0.25)),
        ("ts-arkimex4", 4, (0.2, 0.1, 0.05)),
    ],
)
def test_convergence_order(name, order, steps, bath):
    model = mb.dirac_syk2(4, seed=5)
    times = np.array([2.0])
    errors = []
    for step in steps:
        options = f"-redfield_ts_adapt_type none -redfield_ts_dt {step}"
        stepper = build_stepper(name, 1e-10, options, "redfield_")
        errors.append(true_error(stepper, model, bath, times)[0])
    fitted = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert fitted == pytest.approx(order, abs=0.35)


@needs_petsc
def test_options_reach_their_solver_and_leave_no_trace(bath):
    from manybody.numerics.petsc.runtime import Options, petsc

    model, times = mb.dirac_syk2(4, seed=5), np.array([1.0])

    def applications(options, prefix="redfield_"):
        return true_error(build_stepper("ts-rk5dp", 1e-8, options, prefix), model, bath, times)[2]

    plain = applications("")
    other = build_stepper("ts-rk5dp", 1e-8, "-other_ts_rk_type 3bs", "other_")
    assert applications("-redfield_ts_rk_type 3bs") != plain
    assert applications("") == plain
    with other.options:
        assert applications("") == plain
        assert applications("", "other_") != plain
    with Options("-a_b 3 -a_switch -a_shift -2.5", "a_"):
        database = petsc().Options()
        assert database.getInt("a_b") == 3
        assert database.hasName("a_switch")
        assert database.getReal("a_shift") == -2.5
    assert not petsc().Options().hasName("a_b")


@needs_petsc
@pytest.mark.parametrize("name", ["ts-rk5dp", "mfn-krylov"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("redfield_ts_type rk", "must start with an option"),
        ("-ts_rk_type 3bs", "-ts_rk_type reaches no solver.*-redfield_"),
        ("-redfield_", "reaches no solver"),
        ("-redfield_ts_type 'rk", "quotation"),
    ],
)
def test_bad_options_are_refused_before_any_work(name, options, words):
    with pytest.raises(ValueError, match=words):
        build_stepper(name, 1e-8, options)


@needs_petsc
def test_values_that_petsc_refuses_are_refused_before_any_work():
    with pytest.raises(ValueError, match="PETSc refuses"):
        build_stepper("ts-rk5dp", 1e-8, "-redfield_ts_type nonsense")


@needs_petsc
@pytest.mark.parametrize("name", ["ts-rk5dp", "ts-arkimex4", "mfn-krylov"])
def test_with_options_nothing_is_claimed_about_the_error(name, bath):
    kind = name.split("-")[0]
    options = {
        "ts": "-redfield_ts_adapt_type none -redfield_ts_dt 0.5",
        "mfn": "-redfield_mfn_tol 1e-3",
    }[kind]
    run_ = mb.compare(mb.dirac_syk2(4, seed=5), bath, [5.0], stepper=name, petsc_options=options)
    assert np.isnan(run_.certificate.stepper_error)


@needs_petsc
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ts-rk5dp", "-redfield_ts_max_steps 2"),
        ("mfn-krylov", "-redfield_mfn_max_it 1"),
        ("ts-arkimex4", "-redfield_ts_max_steps 2"),
    ],
)
def test_what_does_not_converge_raises(name, options, bath):
    with pytest.raises(RuntimeError, match=f"{name} .*reason"):
        mb.compare(mb.dirac_syk2(16, seed=5), bath, [40.0], stepper=name, petsc_options=options)


def test_unknown_names_and_stray_options_are_refused():
    with pytest.raises(ValueError, match="'euler'.*chebyshev"):
        build_stepper("euler", 1e-8)
    with pytest.raises(ValueError, match="does not use PETSc"):
        build_stepper("chebyshev", 1e-8, "-ts_type rk")


@needs_petsc
@pytest.mark.parametrize("name", ["mfn-krylov", "mfn-expokit"])
def test_an_exhausted_krylov_space(name):
    """Its next vector is rounding and not Hermitian: X + X† would be the wrong map."""
    for seed in range(6):
        for n in (3, 5):
            rng = np.random.default_rng(seed)
            matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
            model = mb.SingleParticleModel(60.0 * (matrix + matrix.conj().T))
            weak = mb.OhmicBath(1e-4, 10.0, 5.0)
            run = mb.compare(model, weak, [1.0], stepper=name)
            exact = mb.compare(model, weak, [1.0])
            assert run.certificate.trace_error < 1e-9
            np.testing.assert_allclose(run.trace_distance, exact.trace_distance, atol=1e-8)
