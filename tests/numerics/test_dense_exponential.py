"""Few levels by a dense exponential: by name, by the rule, and against the slow reference."""

import numpy as np
import oracles
import pytest
from scipy.linalg import expm

import manybody as mb
from manybody.numerics.chebyshev import _FEW, _WIDTHS, applications_of_series
from manybody.numerics.dense_exponential import exponential_is_cheaper, hermitian_basis
from manybody.solve.evolution import Joint

TIMES = np.array([0.0, 0.3, 4.0, 4.3, 20.0])
STRONG = mb.OhmicBath(coupling=30.0, cutoff=10.0, beta=5.0)
DENSE = "dense-exponential"


def states_of(equation, model, bath, times, start, lamb_shift):
    """e^{Lt} of the slow generator at the times."""
    matrix = mb.liouvillian(model, bath, equation, lamb_shift).toarray()
    n = model.n_sites
    return np.array([(expm(matrix * time) @ start.ravel()).reshape(n, n) for time in times])


def random_state(rng, n):
    matrix = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    matrix = matrix @ matrix.conj().T
    return matrix / np.trace(matrix)


def test_the_basis_is_hermitian_and_orthonormal():
    basis = hermitian_basis(4)
    np.testing.assert_allclose(basis.conj() @ basis.T, np.eye(16), atol=1e-15)
    elements = basis.reshape(16, 4, 4)
    np.testing.assert_array_equal(elements, elements.conj().transpose(0, 2, 1))


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("kind", ["complex", "real", "degenerate", "partial"])
def test_against_the_slow_generator(rng, bath, kind, lamb_shift):
    """Whatever H is, from any state, by name."""
    matrix = oracles.random_hermitian(rng, 4, kind == "real")
    if kind == "degenerate":
        levels, vectors = np.array([0.0, 0.0, 1.0, 2.0]), np.linalg.eigh(matrix)[1]
        matrix = (vectors * levels) @ vectors.conj().T
        matrix = 0.5 * (matrix + matrix.conj().T)
    model = mb.SingleParticleModel(matrix, [0, 2] if kind == "partial" else None)
    start = random_state(rng, 4)
    run = mb.compare(
        model, bath, TIMES, initial_state=start, lamb_shift=lamb_shift, keep_states=True,
        stepper=DENSE,
    )  # fmt: skip
    expected = states_of("redfield", model, bath, TIMES, start, lamb_shift)
    np.testing.assert_allclose(run.redfield_states, expected, rtol=0, atol=1e-12)
    assert np.abs(run.redfield_states - expected).max() <= run.certificate.stepper_error < 1e-11
    assert (run.certificate.stepper, run.certificate.applications) == (DENSE, 16)


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_strong_coupling_and_long_times_go_by_themselves(rng, lamb_shift):
    """N = 3, J_int = 30, t = 20 took a series 108 s.  What grows does so here too."""
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 3))
    times = np.linspace(0.0, 20.0, 21)
    with pytest.warns(UserWarning, match="leaves the states"):
        run = mb.compare(
            model, STRONG, times, lamb_shift=lamb_shift, keep_states=True,
            equations=("redfield", "davies", "universal-lindblad"), expectations=("energy",),
        )  # fmt: skip
    assert run.certificate.stepper == DENSE and run.certificate.applications % 18 == 0
    start = np.zeros((3, 3), dtype=complex)
    start[0, 0] = 1.0
    for name in ("redfield", "universal-lindblad", "davies"):
        expected = states_of(name, model, STRONG, times, start, lamb_shift)
        scale = np.abs(expected).max()
        assert np.abs(run.states[name] - expected).max() <= max(
            run.certificate.stepper_error, 1e-9 * scale
        )
        energies = np.einsum("tab,ba->t", expected, model.dense_hamiltonian()).real
        np.testing.assert_allclose(run.expectation["energy"][name], energies, atol=1e-8 * scale)
    # Relative to what has grown.
    size = max(1.0, float(np.abs(run.redfield_states).max()))
    assert run.certificate.stepper_error < 1e-8 * size


def test_correlations_over_long_times(rng, monkeypatch):
    """⟨A(t)B(0)⟩ by the same rule."""
    monkeypatch.setattr("manybody.numerics.chebyshev.Chebyshev.advance", None)
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 3))
    a, b = (oracles.random_hermitian(rng, 3) for _ in range(2))
    times, start = [0.0, 0.1, 5.0], np.diag([0.5, 0.3, 0.2]).astype(complex)
    bath = mb.OhmicBath(coupling=20.0, cutoff=10.0, beta=1.0)
    found = mb.correlation(model, bath, times, a, b, state=start)
    moved = states_of("redfield", model, bath, times, b @ start, False)
    expected = np.einsum("ab,tba->t", a, moved)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_what_is_chosen_depends_on_the_sample_alone(rng, bath):
    """In a stack with others, some of which take a series: the bits that it has alone."""
    models = [mb.SingleParticleModel(scale * oracles.random_hermitian(rng, 3)) for scale in
              (1.0, 400.0, 1.0, 900.0)]  # fmt: skip
    runs = mb.compare_ensemble(models, bath, [0.0, 10.0, 30.0], keep_states=True)
    assert [run.certificate.stepper for run in runs] == ["chebyshev", DENSE, "chebyshev", DENSE]
    for model, run in zip(models, runs):
        alone = mb.compare(model, bath, [0.0, 10.0, 30.0], keep_states=True)
        np.testing.assert_array_equal(run.redfield_states, alone.redfield_states)
        assert run.certificate == alone.certificate


def test_both_ways_agree_where_the_rule_changes(rng, bath):
    model = mb.SingleParticleModel(150.0 * oracles.random_hermitian(rng, 3))
    series = mb.compare(model, bath, [0.0, 9.0], keep_states=True)
    dense = mb.compare(model, bath, [0.0, 9.0], keep_states=True, stepper=DENSE)
    assert series.certificate.stepper == "chebyshev"
    errors = series.certificate.stepper_error + dense.certificate.stepper_error
    assert np.abs(series.redfield_states - dense.redfield_states).max() <= errors < 1e-8


def test_the_rule():
    even, uneven = np.linspace(0.0, 20.0, 41), np.cumsum(np.arange(1.0, 400.0))
    assert exponential_is_cheaper(3, even, 10001.0)
    # The built-in studies need less than 5000.
    assert not exponential_is_cheaper(3, even, 10000.0)
    assert not exponential_is_cheaper(13, even, 1e8)
    assert not exponential_is_cheaper(12, uneven, 20000.0)
    assert exponential_is_cheaper(12, uneven, 1e6)
    # More applications than `chebyshev` refuses are refused all the same.
    with pytest.raises(ValueError, match="are energies and times in the same units"):
        mb.compare(mb.dirac_syk2(3, seed=1), STRONG, [0.0, 1e9])


def test_more_states_than_are_chosen_cost_no_look_at_their_spectra():
    chosen = mb.Chebyshev(1e-10).chosen(Joint(np.ones((2, 3)), None), None, 13)
    assert [each.name for each in chosen] == ["chebyshev", "chebyshev"]


def test_few_widths_tell_whether_a_series_is_long(rng):
    """As all of them do, to the tenth that a rule of thumb may be wrong."""
    outline = rng.uniform(0.0, 1.0, (40, 12)) + 1j * rng.uniform(0.0, 30.0, (40, 12))
    bounds, times = Joint(np.ones((40, 3)), outline), np.array([0.0, 20.0])
    few, every = (applications_of_series(bounds, times, 1e-10, step) for step in (_FEW, 1))
    tried = _WIDTHS[::_FEW]
    assert (
        len(tried) == 8
        and tried[-1] == _WIDTHS[-1]
        and np.all(few >= every)
        and np.all(few < 1.1 * every)
    )


def test_states_that_leave_double_precision(rng):
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 3))
    with pytest.raises(mb.NumericalError, match="overflow: a growing mode takes the state"):
        mb.compare(
            model, STRONG, [0.0, 10.0, 2000.0], lamb_shift=True, stepper=DENSE,
            equations=("redfield", "universal-lindblad"),
        )  # fmt: skip


def test_davies_with_lamb_shift_over_long_times(rng):
    """Coinciding frequencies: blocks that took a million short stages."""
    vectors = np.linalg.eigh(oracles.random_hermitian(rng, 4))[1]
    matrix = (vectors * [0.0, 1.0, 2.0, 3.0]) @ vectors.conj().T
    model = mb.SingleParticleModel(0.5 * (matrix + matrix.conj().T))
    times = [0.0, 0.01, 20.0, 300.0]
    start = random_state(rng, 4)
    run = mb.compare(
        model, STRONG, times, lamb_shift=True, keep_states=True, initial_state=start,
        equations=("davies", "universal-lindblad"),
    )  # fmt: skip
    expected = states_of("davies", model, STRONG, times, start, True)
    np.testing.assert_allclose(run.davies_states, expected, rtol=0, atol=1e-9)


def test_more_states_than_a_matrix_is_made_for(bath):
    with pytest.raises(ValueError, match="a system of 46 states, allowed are 45"):
        mb.compare(mb.dirac_syk2(46, seed=1), bath, [0.0, 1.0], stepper=DENSE)


def test_one_state_and_no_time(bath):
    for times in ([0.0], [0.0, 3.0]):
        run = mb.compare([[1.0]], bath, times, stepper=DENSE, keep_states=True)
        np.testing.assert_allclose(run.redfield_states, np.ones((len(times), 1, 1)), atol=1e-15)


def test_what_may_overflow_has_more_segments():
    """Apart from samples that cannot, whose bits it must not decide."""
    stepper, times = mb.DenseExponential(), np.array([0.0, 1.0, 4.0, 40.0])
    boxes = np.array([[1.0, 1.0, 0.1], [1.0, 1.0, 20.0], [1.0, 1.0, -1.0], [1.0, 1.0, 1e9]])
    stacks = stepper.stacks(Joint(boxes, None), times)
    assert [own.tolist() for own in stacks] == [[0, 2], [1], [3]]
    counts = [len(stepper.segments(Joint(boxes[own], None), times)) for own in stacks]
    # e^{20 · 40} against what is left of 1e140.
    assert counts == [1, 3, 100]
