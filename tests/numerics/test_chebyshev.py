from functools import cache

import numpy as np
import oracles
import pytest
from scipy import special
from scipy.linalg import expm

import manybody as mb
from manybody.numerics.chebyshev import Chebyshev, bessel_table
from manybody.numerics.columns import Columns
from manybody.numerics.dense import KernelOperator
from manybody.numerics.protocols import cut
from manybody.physics.baths.several import baths_of
from manybody.physics.equations.redfield import build_redfield, redfield_of
from manybody.physics.problem import Problem
from manybody.physics.spectra import build_spectrum


def redfield_operator(models, bath, lamb_shift=False, outline=True):
    generator = build_redfield(build_spectrum(models), bath, lamb_shift)
    n = models[0].n_sites
    return KernelOperator(
        generator.kernel(),
        generator.spectral_box,
        Columns(n),
        "hermitian",
        generator.spectral_outline if outline else None,
    )


def start(operator):
    state = np.zeros(operator.shape, dtype=complex)
    state[:, 0, 0] = 1.0
    return state


def run(stepper, operator, times):
    """States (samples, T, N, N), total error estimate, applications."""
    state, parts = start(operator), []
    error, applications = 0.0, 0
    for segment in stepper.segments(operator, times):
        solution = stepper.advance(operator, state, segment)
        state = solution.final
        parts.append(solution.states)
        error = error + solution.error_estimate
        applications = applications + solution.applications
    return np.concatenate(parts, axis=1), error, applications


def particle(n, is_real):
    return lambda rng, _: mb.SingleParticleModel(oracles.random_hermitian(rng, n, real=is_real))


def complex_chain(rng, seed):
    """The same couplings, complex H."""
    model = mb.xxz_chain(6, seed=seed)
    phases = np.exp(2j * np.pi * rng.random(model.dimension))
    matrix = phases[:, None] * model.dense_hamiltonian() * phases.conj()
    couplings = model.couplings.values
    return mb.ManyBodyModel(0.5 * (matrix + matrix.conj().T), couplings, basis=model.basis)


# With one by one, stacked and strided products; in order and gathered.
APPLIED = {
    "small real": particle(5, True),
    "small complex": particle(5, False),
    "real": particle(30, True),
    "complex": particle(30, False),
    "chain": lambda _, seed: mb.xxz_chain(6, seed=seed),
    "complex chain": complex_chain,
    "longer chain": lambda _, seed: mb.xxz_chain(8, seed=seed),
    "syk4": lambda _, seed: mb.complex_syk4(6, seed=seed),
}


@pytest.mark.parametrize("kind", APPLIED)
@pytest.mark.parametrize("two_baths", [True, False])
def test_calls_made_once_do_what_an_application_does(kind, two_baths, rng):
    """To what the arrays hold when they are called, for a stack and for the first of it."""
    models = [APPLIED[kind](rng, seed) for seed in range(3)]
    bath, other = mb.OhmicBath(0.2, 10.0, 5.0), mb.OhmicBath(0.1, 5.0, 5.0)
    count, n = models[0].couplings.n_baths, models[0].dimension
    given = [bath if j % 3 else other for j in range(count)] if two_baths else bath
    generator = redfield_of(Problem(models, baths_of(given, models)))
    shape = (3, n, n)
    operator = KernelOperator(
        generator.kernel(), generator.spectral_box, Columns(n), "hermitian"
    ).scaled(np.array([0.5, 1.0, 2.0]))
    x, plus = (np.empty(shape, dtype=complex) for _ in range(2))
    out, expected = (np.full(shape, np.nan, dtype=complex) for _ in range(2))
    for few in (slice(3), slice(2)):
        for added in (None, plus[few]):
            calls = operator.bound(x[few], out[few], added)
            assert len(calls) > 1
            for _ in range(2):
                for array in (x, plus):
                    array.real[...], array.imag[...] = rng.normal(size=(2, *shape))
                    array += np.conjugate(np.swapaxes(array, 1, 2)).copy()
                operator.apply(x[few], expected[few], added)
                out[few] = np.nan
                for call in calls:
                    call()
                np.testing.assert_array_equal(out[few], expected[few])


def test_bessel_table():
    arguments = np.array([0.0, 1e-8, 0.7, 30.0, 444.4])
    table = bessel_table(arguments)
    order = np.arange(table.shape[1])
    exact = 2.0 * special.jv(order, arguments[:, None])
    exact[:, 0] *= 0.5
    np.testing.assert_allclose(table, exact, atol=2e-14)
    assert np.abs(table[:, -1]).max() < 1e-17
    stacked = bessel_table(np.stack([arguments, 0.1 * arguments]))
    np.testing.assert_array_equal(stacked[0], table)
    alone = bessel_table(0.1 * arguments)
    np.testing.assert_array_equal(stacked[1][:, : alone.shape[1]], alone)


# (model, bath, last time)
EXACT = {
    "syk2": (mb.dirac_syk2(6, seed=1), mb.OhmicBath(0.2, 10.0, 5.0), 60.0),
    "strong": (mb.dirac_syk2(6, seed=1), mb.OhmicBath(1.0, 10.0, 0.5), 30.0),
    "hot": (mb.dirac_syk2(6, seed=1), mb.OhmicBath(0.2, 10.0, 0.01), 20.0),
    "localised": (mb.anderson3d(2, 20.0, seed=1), mb.OhmicBath(0.2, 10.0, 5.0), 40.0),
    "energies of 1000": (
        mb.SingleParticleModel(1e3 * np.diag([0.0, 1.0, 1.3]) + 10.0),
        mb.OhmicBath(3.0, 1e4, 1e-3),
        0.1,
    ),
    "one level": (mb.SingleParticleModel(np.eye(3)), mb.OhmicBath(0.2, 10.0, 5.0), 60.0),
}


@cache
def exact_states(name, lamb_shift):
    """Times and states by the exponential of the whole generator."""
    model, bath, last = EXACT[name]
    matrix = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
    rho = start(redfield_operator([model], bath, lamb_shift))[0]
    times = np.linspace(0.0, last, 6)
    return times, [(expm(matrix * time) @ rho.ravel()).reshape(rho.shape) for time in times]


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("name", EXACT)
def test_error_stays_below_tolerance_and_estimate(name, lamb_shift, tolerance):
    model, bath, _ = EXACT[name]
    operator = redfield_operator([model], bath, lamb_shift)
    times, expected = exact_states(name, lamb_shift)
    states, estimate, _ = run(Chebyshev(tolerance), operator, times)
    assert len(states[0]) == len(expected)
    worst = max(float(np.linalg.norm(state - own)) for state, own in zip(states[0], expected))
    # expm itself is good to about 1e-13 here; below 1e-11 rounding may have the last
    # word, and the estimate must say so.
    assert worst <= max(tolerance, 1e-11)
    assert worst <= estimate[0] + 2e-13
    assert estimate[0] <= 10.0 * tolerance + 1e-11


@pytest.mark.parametrize("seed", range(4))
def test_applications_are_few(bath, seed):
    """About Δt: the reason for Chebyshev."""
    model = mb.dirac_syk2(64, seed=seed)
    operator = redfield_operator([model], bath)
    _, estimate, applications = run(Chebyshev(1e-10), operator, np.array([50.0]))
    energies = np.linalg.eigvalsh(model.hamiltonian)
    assert applications[0] < 1.5 * (energies[-1] - energies[0]) * 50.0
    assert estimate[0] <= 1e-10


@pytest.mark.parametrize("wrong", [0.0, 0.3], ids=["no damping", "too narrow"])
def test_a_wrong_outline_is_found_out(wrong):
    """The outline is an estimate; what the vectors measure is believed, and done again."""
    model, strong = mb.dirac_syk2(6, seed=1), mb.OhmicBath(1.0, 10.0, 0.5)
    generator = build_redfield(build_spectrum([model]), strong, False)
    outline = generator.spectral_outline
    outline = wrong * outline.real + 1j * outline.imag * (1.0 - wrong)
    operator = KernelOperator(
        generator.kernel(), generator.spectral_box, Columns(6), "hermitian", outline
    )
    times = np.array([3.0, 8.0])
    stepper = Chebyshev(1e-9)
    segment = cut(times, 8.0)[0]
    solution = stepper.advance(operator, start(operator), segment)
    matrix = mb.redfield_liouvillian(model, strong).toarray()
    for time, state in zip(times, solution.states[0]):
        exact = (expm(matrix * time) @ start(operator)[0].ravel()).reshape(state.shape)
        assert np.linalg.norm(state - exact) <= solution.error_estimate[0] + 1e-13
    assert solution.error_estimate[0] <= 1e-9
    np.testing.assert_array_equal(solution.final[0], solution.states[0, -1])
    box = redfield_operator([model], strong, outline=False)
    assert (
        solution.applications[0]
        > stepper.advance(box, start(box), cut(times, 1.0)[0]).applications[0]
    )


def test_a_spectrum_outside_its_box_raises(bath):
    model = mb.dirac_syk2(6, seed=1)
    generator = build_redfield(build_spectrum([model]), bath, False)
    for outline in (None, generator.spectral_outline / 1e3):
        operator = KernelOperator(
            generator.kernel(), generator.spectral_box / 1e3, Columns(6), "hermitian", outline
        )
        with pytest.raises(RuntimeError, match="outside its box"):
            Chebyshev(1e-9).advance(operator, start(operator), cut(np.array([500.0]), 500.0)[0])


@pytest.mark.parametrize("linearity", ["hermitian", "complex"])
def test_scaled_operators_and_sums(bath, rng, linearity):
    models = [mb.dirac_syk2(5, seed=seed) for seed in range(3)]
    generator = build_redfield(build_spectrum(models), bath, True)
    operator = KernelOperator(generator.kernel(), generator.spectral_box, Columns(5), linearity)
    x = rng.normal(size=(3, 5, 5)) + 1j * rng.normal(size=(3, 5, 5))
    plus = rng.normal(size=(3, 5, 5)) + 0j
    plain, out = np.empty_like(x), np.empty_like(x)
    operator.apply(x, plain)
    factors = np.array([2.0, -0.5, 3.0])
    operator.scaled(factors).apply(x, out, plus=plus)
    np.testing.assert_allclose(out, factors[:, None, None] * plain + plus, atol=1e-13)
    operator.apply(x[:2], out[:2])
    np.testing.assert_array_equal(out[:2], plain[:2])


def test_bits_do_not_depend_on_the_stack(bath):
    """Samples whose segments agree may share a stack: nothing else may change."""
    stepper, times = Chebyshev(1e-10), np.linspace(0.0, 12.0, 5)
    models = [mb.dirac_syk2(7, seed=seed) for seed in range(4)]
    together, estimates, counts = run(stepper, redfield_operator(models, bath), times)
    lengths = set()
    for index, model in enumerate(models):
        operator = redfield_operator([model], bath)
        lengths.add(tuple(segment.stop for segment in stepper.segments(operator, times)))
        alone, estimate, count = run(stepper, operator, times)
        np.testing.assert_array_equal(alone[0], together[index])
        assert (estimate[0], count[0]) == (estimates[index], counts[index])
    assert len(lengths) == 1


def test_hermiticity_is_exact(bath):
    operator = redfield_operator([mb.dirac_syk2(6, seed=3)], bath, lamb_shift=True)
    states, _, _ = run(Chebyshev(1e-10), operator, np.array([0.3, 20.0]))
    np.testing.assert_array_equal(states, np.swapaxes(states.conj(), 2, 3))


def test_segments_cover_every_output_time_once():
    times = np.array([0.0, 0.4, 2.5, 2.5000001, 5.0, 9.9, 10.0])
    segments = cut(times, 2.5)
    assert [segment.start for segment in segments] == [0.0, 2.5, 5.0, 7.5]
    assert segments[-1].stop == 10.0
    assert [time for segment in segments for time in segment.times] == times.tolist()
    assert [segment.first for segment in segments] == [0, 3, 5, 5]
    assert sum(segment.share for segment in segments) == pytest.approx(1.0)
    assert cut(np.array([0.0]), 2.5)[0].times == (0.0,)


def test_time_zero_alone(bath):
    run_ = mb.compare(mb.dirac_syk2(3, seed=1), bath, [0.0])
    assert run_.trace_distance[0] < 1e-14
    assert run_.certificate.applications == 0


def test_oracle_trace_distance(bath):
    """The whole chain once more, from an independent Liouvillian to a distance."""
    model = mb.dirac_syk2(5, seed=9)
    gamma = lambda omega: float(bath.gamma(omega))  # noqa: E731
    rho = np.diag([0.0, 0.0, 1.0, 0.0, 0.0]).astype(complex)
    times = [2.0, 17.0]
    redfield = oracles.propagate(
        oracles.redfield_matrix(model.hamiltonian, range(5), gamma), rho, times
    )
    davies = oracles.propagate(
        oracles.davies_matrix(model.hamiltonian, range(5), gamma), rho, times
    )
    expected = [oracles.trace_distance(a, b) for a, b in zip(redfield, davies)]
    result = mb.compare(model, bath, times, initial_site=2)
    np.testing.assert_allclose(result.trace_distance, expected, atol=1e-11)


@pytest.mark.parametrize(
    "times",
    [
        np.cumsum(np.full(200, 0.1)),
        np.array([0.0, 5.0, np.nextafter(20.0, 30.0)]),
        np.logspace(-1.0, np.log10(20.0), 30),
        np.array([np.nextafter(10.0, 0.0)]),
    ],
    ids=["cumsum", "next after", "logspace", "just before"],
)
def test_no_output_time_is_lost_to_rounding(times):
    for length in (0.625, 2.5, 10.0, 20.0):
        segments = cut(times, length)
        assert [time for s in segments for time in s.times] == times.tolist()
        assert segments[-1].stop == times[-1]
    strong = mb.OhmicBath(1.0, 10.0, 0.5)
    model = mb.dirac_syk2(4, seed=7)
    for stepper in ("chebyshev", "dop853"):
        result = mb.compare(model, strong, times, stepper=stepper, keep_states=True)
        assert np.isfinite(result.trace_distance).all()
        assert result.redfield_states.shape == (len(times), 4, 4)


def test_samples_of_a_stack_with_unequal_lengths():
    """A sample whose series has ended must not overflow while others go on."""
    matrix = oracles.random_hermitian(np.random.default_rng(3), 5)
    bath = mb.OhmicBath(0.2, 10.0, 5.0)
    models = [mb.SingleParticleModel(matrix * factor) for factor in (1e-3, 1.0, 100.0)]
    times = np.linspace(0.0, 5.0, 4)
    stepper = Chebyshev(1e-10)
    together = redfield_operator(models, bath)
    segments = stepper.segments(together, times)
    state = start(together)
    for segment in segments:
        solution = stepper.advance(together, state, segment)
        for index, model in enumerate(models):
            own = redfield_operator([model], bath)
            alone = stepper.advance(own, state[index][None], segment)
            np.testing.assert_array_equal(alone.states[0], solution.states[index])
            np.testing.assert_array_equal(alone.final[0], solution.final[index])
        state = solution.final
    assert solution.applications[2] > 10 * solution.applications[0]


def test_an_offset_of_the_energies_costs_no_digits(bath):
    model = mb.dirac_syk2(5, seed=1)
    plain = mb.compare(model, bath, [20.0], keep_states=True)
    lifted = mb.SingleParticleModel(model.hamiltonian + 2.0**20 * np.eye(5))
    # What H itself lost when the offset was added is no fault of the propagation.
    exact = mb.SingleParticleModel(lifted.hamiltonian - 2.0**20 * np.eye(5))
    here = mb.compare(lifted, bath, [20.0], keep_states=True)
    there = mb.compare(exact, bath, [20.0], keep_states=True)
    np.testing.assert_allclose(here.redfield_states, there.redfield_states, atol=1e-11)
    np.testing.assert_allclose(here.davies_states, there.davies_states, atol=1e-11)
    assert here.certificate.stepper_error > 100.0 * plain.certificate.stepper_error


@pytest.mark.parametrize("factor", [1e7, 1e99])
def test_what_would_never_end_is_refused(factor, bath):
    model = mb.SingleParticleModel(mb.dirac_syk2(4, seed=1).hamiltonian * factor)
    with pytest.raises(ValueError, match="applications, allowed are 1e.08.*same units"):
        mb.compare(model, bath, [60.0])


def test_long_times_need_no_long_tables():
    """Weak coupling and long times: many segments, not one huge table."""
    weak = mb.OhmicBath(1e-3, 10.0, 5.0)
    operator = redfield_operator([mb.dirac_syk2(4, seed=1)], weak)
    segments = Chebyshev(1e-8).segments(operator, np.array([1e5]))
    assert max(s.stop - s.start for s in segments) * operator.spectral_box[0, 0] <= 4000.0
