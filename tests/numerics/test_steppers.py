import importlib.util
from functools import partial

import numpy as np
import pytest
import tiny
from scipy.linalg import expm
from test_chebyshev import run

import manybody as mb
from manybody.numerics import steppers
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator, advance_one_by_one
from manybody.numerics.protocols import Segment, Stepper
from manybody.numerics.steppers import build_stepper, check_operator, check_ranks, find_stepper
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum
from manybody.study import cost
from manybody.study.runner import prepare, run_study
from manybody.study.store import Store
from manybody.study.tasks import check_feasible

needs_petsc = pytest.mark.skipif(
    importlib.util.find_spec("slepc4py") is None, reason="petsc4py and slepc4py not installed"
)


class Taylor(Stepper):
    """e^{Lh}x to order 16 in steps h on which |λ|h <= 1: a stepper from outside the package."""

    name = "taylor"
    relative_applications = 12.0

    def vectors(self, n_sites, n_times):
        return 3.0

    def advance(self, operator, state, segment):
        return advance_one_by_one(operator, state, segment, self._integrate)

    def _integrate(self, operator, x, start, stop):
        width, low, high = operator.spectral_box[0]
        steps = int(np.ceil(np.hypot(width, max(-low, high)) * (stop - start)))
        for _ in range(steps):
            term, out = x.copy(), np.empty_like(x)
            for k in range(1, 17):
                operator.apply(term, out)
                term, out = out * ((stop - start) / steps / k), term
                x = x + term
        return x, 16 * steps, steps * 1e-13


steppers.register(Taylor())
# Every stepper that there is meets the laws below.
ALL = [
    pytest.param(name, marks=needs_petsc) if find_stepper(name).library else name
    for name in steppers.STEPPERS
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


@pytest.mark.parametrize("name", ALL)
def test_every_stepper_keeps_trace_and_hermiticity_and_goes_on_where_it_was(name, bath):
    """Two segments make what one makes, of any Hermitian state, to the errors estimated."""
    stepper = build_stepper(name, 1e-9)
    operator = operator_for(stepper, mb.dirac_syk2(6, seed=3), bath, True)
    matrix = np.random.default_rng(1).normal(size=(2, 6, 6))
    x = matrix[0] + 1j * matrix[1]
    state = (x + x.conj().T)[None] / np.linalg.norm(x)
    whole = stepper.advance(operator, state, Segment(0.0, 3.0, (1.0, 3.0), 0, 1.0))
    first = stepper.advance(operator, state, Segment(0.0, 1.0, (1.0,), 0, 0.3))
    second = stepper.advance(operator, first.final, Segment(1.0, 3.0, (3.0,), 1, 0.7))
    errors = sum(float(own.error_estimate[0]) for own in (whole, first, second))
    assert np.linalg.norm(second.final - whole.final) <= errors
    assert np.linalg.norm(first.final - whole.states[:, 0]) <= errors
    np.testing.assert_array_equal(whole.states[:, 1], whole.final)
    final = whole.final[0]
    assert np.abs(final - final.conj().T).max() < 1e-12
    assert abs(np.trace(final - state[0])) < 1e-12


@pytest.mark.parametrize("name", ALL)
def test_every_stepper_knows_what_it_costs(name, bath):
    stepper = build_stepper(name, 1e-10)
    assert stepper.vectors(64, 40) >= 2.0
    model, times = mb.dirac_syk2(12, seed=2), np.array([3.0, 6.0])
    counts = [
        run(own, operator_for(own, model, bath, True), times)[2][0]
        for own in (stepper, build_stepper("chebyshev", 1e-10))
    ]
    assert 1 / 3 < counts[0] / counts[1] / stepper.relative_applications < 3


def test_a_stepper_from_outside(bath, tmp_path):
    """One class and its registration: `compare`, ensembles and studies know it by name."""
    model, times = mb.dirac_syk2(6, seed=1), [0.0, 2.0, 7.0]
    expected = mb.compare(model, bath, times)
    by_name = mb.compare(model, bath, times, stepper="taylor")
    np.testing.assert_allclose(by_name.trace_distance, expected.trace_distance, atol=1e-9)
    assert by_name.certificate.applications > expected.certificate.applications
    alike = mb.compare_ensemble([model], bath, times, stepper=Taylor())[0]
    np.testing.assert_array_equal(alike.trace_distance, by_name.trace_distance)
    study = tiny.study(text={"seed = 3": 'seed = 3\nstepper = "taylor"'})
    slow, fast = (
        cost.sample_applications(own, own.systems[0].points[0]) for own in (study, tiny.study())
    )
    assert slow == 12.0 * fast
    check_feasible(study, 2)
    stores = []
    for name, own in (("taylor", study), ("chebyshev", tiny.study())):
        run_study(prepare(own, Store(tmp_path / name)), Store(tmp_path / name), quiet=True)
        stores.append(tiny.payload(Store(tmp_path / name)))
    assert stores[0].keys() == stores[1].keys()
    for key, values in stores[0].items():
        other = stores[1][key]["trace_distance"]
        np.testing.assert_allclose(values["trace_distance"], other, atol=1e-9)


def test_what_is_no_stepper_is_not_registered():
    with pytest.raises(TypeError, match="a Stepper is needed"):
        steppers.register("euler")
    with pytest.raises(ValueError, match="'taylor' is known already"):
        steppers.register(Taylor())

    class Unpriced(Stepper):
        name = "unpriced"
        vectors, advance = Taylor.vectors, Taylor.advance

    with pytest.raises(TypeError, match="Unpriced does not say its relative_applications"):
        steppers.register(Unpriced())
    assert "unpriced" not in steppers.STEPPERS


@pytest.mark.parametrize("name", ALL)
def test_names_and_objects_are_the_same(name, bath):
    """Bit by bit; a tolerance of the object's own comes before that of the call."""
    model, times = mb.dirac_syk2(5, seed=1), [0.0, 2.0, 7.0]
    make = {
        "chebyshev": mb.Chebyshev,
        "dop853": mb.RungeKutta,
        "ts-rk5dp": partial(mb.PetscTS, "5dp"),
        "ts-rk8vr": partial(mb.PetscTS, "8vr"),
        "ts-arkimex4": partial(mb.PetscTS, "arkimex4"),
        "mfn-krylov": partial(mb.PetscMFN, "krylov"),
        "mfn-expokit": partial(mb.PetscMFN, "expokit"),
        "dense-exponential": mb.DenseExponential,
        "taylor": Taylor,
    }[name]
    named = mb.compare(model, bath, times, stepper=name, tolerance=1e-6)
    for stepper, tolerance in ((make(), 1e-6), (make(tolerance=1e-6), 1e-9)):
        own = mb.compare(model, bath, times, stepper=stepper, tolerance=tolerance)
        np.testing.assert_array_equal(own.trace_distance, named.trace_distance)
        assert own.certificate.stepper_error == named.certificate.stepper_error
        assert own.certificate.applications == named.certificate.applications


@needs_petsc
def test_options_of_an_object_are_those_of_a_call(bath):
    model, times = mb.dirac_syk2(5, seed=1), [0.0, 2.0, 7.0]
    options = "-redfield_ts_adapt_type none -redfield_ts_dt 0.1"
    named = mb.compare(model, bath, times, stepper="ts-rk8vr", petsc_options=options)
    owned = mb.compare(model, bath, times, stepper=mb.PetscTS("8vr", options=options))
    given = mb.compare(model, bath, times, stepper=mb.PetscTS("8vr"), petsc_options=options)
    for run_ in (owned, given):
        np.testing.assert_array_equal(run_.trace_distance, named.trace_distance)
        assert run_.certificate.applications == named.certificate.applications
    plain = mb.compare(model, bath, times, stepper="ts-rk8vr")
    assert plain.certificate.applications != named.certificate.applications


def test_an_object_says_all_of_itself():
    """What ranks that share a sample compare."""
    options = "-redfield_ts_dt 0.1"
    seen = {
        repr(find_stepper(stepper).configured(tolerance, given, "redfield_"))
        for stepper, tolerance, given in (
            (Taylor(), 1e-6, ""),
            (mb.RungeKutta(), 1e-6, ""),
            ("dop853", 1e-6 * (1.0 + 1e-15), ""),
            ("ts-rk8vr", 1e-6, ""),
            ("ts-rk8vr", 1e-6, options),
            (mb.PetscTS("8vr", options), 1e-6, ""),
        )
    }
    assert len(seen) == 5


def test_what_an_object_cannot_be():
    for make, error, words in (
        (lambda: mb.PetscTS("euler"), ValueError, "scheme = 'euler': must be one of 5dp, 8vr"),
        (lambda: mb.PetscMFN("krylov", "-mfn_tol 1"), ValueError, "reaches no solver"),
        (lambda: mb.Chebyshev(0.5), ValueError, "tolerance = 0.5: must lie in"),
        (lambda: mb.RungeKutta("high"), TypeError, "tolerance = 'high': a real number"),
        (lambda: mb.Assembled(drop_tolerance=1.0), ValueError, "drop_tolerance = 1.0: must be"),
        (lambda: mb.Assembled("few"), TypeError, "drop_tolerance = 'few'"),
        (lambda: mb.Chebyshev().tolerance, RuntimeError, "has no tolerance yet"),
        (lambda: check_ranks(mb.RungeKutta(), 2), ValueError, "runs on one rank a sample"),
        (lambda: check_ranks(Taylor, 2), ValueError, "must be one of chebyshev, dop853"),
        (
            lambda: build_stepper(mb.PetscTS("8vr", "-redfield_a 1"), 1e-8, "-redfield_b 2"),
            ValueError,
            "the stepper has '-redfield_a 1' already",
        ),
        (
            lambda: build_stepper(mb.Chebyshev(), 1e-8, "-redfield_b 2"),
            ValueError,
            "'chebyshev' does not use PETSc",
        ),
    ):
        with pytest.raises(error, match=words):
            make()


def test_operators_by_name_or_as_objects():
    assert (
        check_operator(mb.MatrixFree(), 0.0)
        == check_operator("matrix-free", 0)
        == ("matrix-free", 0.0)
    )
    assert (
        check_operator(mb.Assembled(), 0.0)
        == check_operator("assembled", 0.0)
        == ("assembled", 0.0)
    )
    for operator, drop in ((mb.Assembled(1e-3), 0.0), (mb.Assembled(), 1e-3), ("assembled", 1e-3)):
        assert check_operator(operator, drop) == ("assembled", 1e-3)
    for operator, drop, words in (
        (mb.Assembled(1e-3), 1e-2, "drop_tolerance = 0.01: the operator has one already"),
        (mb.MatrixFree(), 1e-2, "'matrix-free' has no entries to drop"),
        (mb.Assembled, 0.0, "must be one of matrix-free, assembled"),
    ):
        with pytest.raises(ValueError, match=words):
            check_operator(operator, drop)


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


@needs_petsc
def test_compare_takes_operators_by_name_or_as_objects(bath):
    model, times = mb.anderson3d(2, 5.0, seed=2), [0.0, 2.0, 7.0]
    for operator, name, drop in (
        (mb.MatrixFree(), "matrix-free", 0.0),
        (mb.Assembled(), "assembled", 0.0),
        (mb.Assembled(drop_tolerance=0.2), "assembled", 0.2),
    ):
        own = mb.compare(model, bath, times, operator=operator)
        named = mb.compare(model, bath, times, operator=name, drop_tolerance=drop)
        np.testing.assert_array_equal(own.trace_distance, named.trace_distance)
        assert own.certificate.entries_kept == named.certificate.entries_kept
        assert (own.certificate.entries_kept < 1.0) == (drop > 0.0)
