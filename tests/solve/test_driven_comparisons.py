"""H(t) in the instantaneous eigenbasis: definitions, closed forms, limits, and what is refused."""

import warnings

import numpy as np
import oracles
import pytest
import scipy.integrate
import scipy.linalg

import manybody as mb
from manybody.errors import InputError
from manybody.physics import reference
from manybody.physics.equations.instantaneous import frequency_crossings
from manybody.physics.problem import Problem

BATH = mb.OhmicBath(0.4, 6.0, 1.5)
TIMES = [0.0, 0.6]
EQUATIONS = ("redfield", "davies")
TOLERANCE = 1e-8


def moving(rng, n, rate=0.7, make=oracles.random_hermitian):
    """Complex h(t) of n levels that turns and stretches."""
    first, second = make(rng, n), make(rng, n)
    return lambda t: first + np.sin(rate * t) * second


def integrated(liouvillian, rho, times):
    """States of dρ/dt = L(t)ρ from ρ(0), L(t) (N², N²), at a tolerance of 1e-10."""
    shape = rho.shape
    solved = scipy.integrate.solve_ivp(
        lambda t, y: liouvillian(t) @ y,
        (0.0, times[-1]),
        rho.astype(complex).ravel(),
        "DOP853",
        t_eval=times,
        rtol=1e-10,
        atol=1e-11,
    )
    return solved.y.T.reshape(-1, *shape)


def by_definition(h, couplings, lamb_shift, rho, merging=1e-9):
    """States of both equations, superoperators of the reference rebuilt at each instant."""

    def redfield(t):
        return reference.redfield_liouvillian(h(t), couplings, BATH, lamb_shift)

    def davies(t):
        return reference.davies_liouvillian(h(t), couplings, BATH, lamb_shift, merging)

    return {"redfield": integrated(redfield, rho, TIMES), "davies": integrated(davies, rho, TIMES)}


def assert_states(run, expected, bound=1e-8):
    for name in EQUATIONS:
        np.testing.assert_allclose(run.states[name], expected[name], atol=bound)
    apart = [np.abs(np.linalg.eigvalsh(a - b)).sum() for a, b in zip(*expected.values())]
    np.testing.assert_allclose(run.trace_distance, apart, atol=4 * bound)
    smallest = np.linalg.eigvalsh(expected["redfield"])[:, 0]
    np.testing.assert_allclose(run.smallest_eigenvalue, smallest, atol=bound)
    assert max(apart) > 1e-3
    assert run.trace_error < 1e-12 and run.hermiticity_error < 1e-14


@pytest.mark.parametrize(("sites", "lamb_shift"), [(None, False), ([0, 2], True)])
def test_one_particle_against_the_definition(sites, lamb_shift, rng):
    h = moving(rng, 3)
    run = mb.compare_driven(
        mb.DrivenSingleParticle(h, sites),
        BATH,
        TIMES,
        initial_site=1,
        lamb_shift=lamb_shift,
        tolerance=TOLERANCE,
        keep_states=True,
    )
    couplings = reference.site_couplings(3, sites)
    start = np.diag([0.0, 1.0, 0.0])
    assert_states(run, by_definition(h, couplings, lamb_shift, start))
    assert 1e-9 < run.time_error < 1e-4 and run.evaluations > 30
    assert run.kms_residual < 1e-14


def test_any_couplings_against_the_definition(rng):
    h = moving(rng, 3)
    couplings = [oracles.random_hermitian(rng, 3) for _ in range(2)]
    start = oracles.random_hermitian(rng, 3)
    start = start @ start
    start /= np.trace(start)
    model = mb.DrivenManyBody(h, couplings)
    run = mb.compare_driven(
        model, BATH, TIMES, tolerance=TOLERANCE, keep_states=True, initial_state=start
    )
    assert_states(run, by_definition(h, couplings, False, start))


def test_a_bath_of_its_own_for_every_site(rng):
    """Each coupling adds its dissipator to one commutator."""
    h, cold = moving(rng, 3), mb.OhmicBath(0.3, 5.0, 4.0)
    model = mb.DrivenSingleParticle(h, [0, 2])
    run = mb.compare_driven(model, [BATH, cold], TIMES, tolerance=TOLERANCE, keep_states=True)

    def generator(t):
        hot, other = reference.site_couplings(3, [0, 2])
        unitary = reference.redfield_liouvillian(h(t), [], BATH, False)
        one = reference.redfield_liouvillian(h(t), [hot], BATH, False)
        return one + reference.redfield_liouvillian(h(t), [other], cold, False) - unitary

    expected = integrated(generator, np.diag([1.0, 0.0, 0.0]), TIMES)
    np.testing.assert_allclose(run.redfield_states, expected, atol=1e-8)


def test_gaps_that_coincide_at_all_times(rng):
    """±E pairs are structural throughout: Bohr blocks, and nothing to warn of."""
    h = moving(rng, 4, make=oracles.bipartite_hamiltonian)
    start = np.diag([1.0, 0.0, 0.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = mb.compare_driven(
            mb.DrivenSingleParticle(h), BATH, TIMES, tolerance=TOLERANCE, keep_states=True
        )
    expected = by_definition(h, reference.site_couplings(4), False, start)
    assert_states(run, expected)
    spectrum = Problem([mb.SingleParticleModel(h(0.5))], BATH)
    assert spectrum.clustering.merged_neighbours > 0


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_a_constant_h_is_compare(lamb_shift):
    for model in (
        mb.dirac_syk2(5, seed=3),
        mb.SingleParticleModel(oracles.ring_hamiltonian(4), [0, 1]),
    ):
        fixed = model.hamiltonian
        options = {"lamb_shift": lamb_shift, "initial_site": 2, "keep_states": True}
        plain = mb.compare(model, BATH, TIMES, **options)
        frozen = mb.DrivenSingleParticle(lambda t, h=fixed: h, model.coupled_sites)
        run = mb.compare_driven(frozen, BATH, TIMES, tolerance=TOLERANCE, **options)
        bound = 1e-8
        np.testing.assert_allclose(run.trace_distance, plain.trace_distance, atol=bound)
        np.testing.assert_allclose(run.redfield_states, plain.redfield_states, atol=bound)
        np.testing.assert_allclose(run.davies_states, plain.davies_states, atol=bound)
        assert np.abs(run.redfield_states - plain.redfield_states).max() <= run.time_error
        assert not run.crossings.any()


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_turning_phases_have_a_closed_form(lamb_shift, rng):
    """h(t) = e^{−iφt} h e^{iφt}, φ diagonal: in its frame −i[h − φ, ·] and a static bath are left.

    Exact, and for any rate: what the instantaneous equations neglect is not in them.
    """
    n = 3
    h, phases = oracles.random_hermitian(rng, n), np.array([0.0, 1.1, -0.7])

    def turn(t):
        return np.exp(-1j * t * phases)

    model = mb.DrivenSingleParticle(
        lambda t: turn(t)[:, None] * h * turn(t).conj(), coupled_sites=[0, 1]
    )
    start = np.full((n, n), 1.0 / n)
    run = mb.compare_driven(
        model,
        BATH,
        TIMES,
        lamb_shift=lamb_shift,
        tolerance=TOLERANCE,
        keep_states=True,
        initial_state=start,
    )
    still = mb.SingleParticleModel(h, [0, 1])
    identity, diagonal = np.eye(n), np.diag(phases)
    frame = 1j * (np.kron(diagonal, identity) - np.kron(identity, diagonal))
    for name, build in (("redfield", mb.redfield_liouvillian), ("davies", mb.davies_liouvillian)):
        matrix = build(still, BATH, lamb_shift).toarray() + frame
        for time, found in zip(TIMES, run.states[name]):
            inside = (scipy.linalg.expm(matrix * time) @ start.ravel()).reshape(n, n)
            exact = turn(time)[:, None] * inside * turn(time).conj()
            np.testing.assert_allclose(found, exact, atol=1e-8)
            assert np.abs(found - exact).max() <= run.time_error


def test_slow_driving_follows_the_gibbs_state(rng):
    """The lag is of first order in the speed, for both equations."""
    first, second = oracles.random_hermitian(rng, 2), 0.3 * oracles.random_hermitian(rng, 2)
    bath = mb.OhmicBath(1.0, 6.0, 1.0)

    def lags(duration):
        model = mb.DrivenSingleParticle(lambda t: first + t / duration * second)
        run = mb.compare_driven(
            model, bath, [duration], tolerance=1e-5, keep_states=True, initial_beta=1.0
        )
        end = reference.gibbs_state(first + second, 1.0)
        return np.array([np.abs(run.states[name][0] - end).max() for name in EQUATIONS])

    slow, slower = lags(20.0), lags(40.0)
    assert slower.min() > 1e-4
    np.testing.assert_allclose(slow / slower, 2.0, rtol=0.15)


def test_the_error_is_an_upper_estimate(rng):
    model = mb.DrivenSingleParticle(moving(rng, 3))

    def run(tolerance):
        return mb.compare_driven(model, BATH, [1.0], tolerance=tolerance, keep_states=True)

    exact = run(1e-11)
    errors = []
    for tolerance in (1e-4, 1e-6, 1e-8):
        found = run(tolerance)
        error = max(
            np.abs(np.linalg.eigvalsh(found.states[name][0] - exact.states[name][0])).sum()
            for name in EQUATIONS
        )
        assert error < found.time_error
        errors.append(error)
    assert errors[0] > errors[1] > errors[2]


def test_a_jump_costs_steps_not_accuracy(rng):
    before, after = oracles.random_hermitian(rng, 3), oracles.random_hermitian(rng, 3)
    model = mb.DrivenSingleParticle(lambda t: before if t < 0.7 else after)
    run = mb.compare_driven(model, BATH, [1.2], tolerance=1e-9, keep_states=True)
    state = np.diag([1.0, 0.0, 0.0])
    for h, duration in ((before, 0.7), (after, 0.5)):
        matrix = mb.redfield_liouvillian(mb.SingleParticleModel(h), BATH).toarray()
        state = (scipy.linalg.expm(matrix * duration) @ state.ravel()).reshape(3, 3)
    np.testing.assert_allclose(run.redfield_states[0], state, atol=1e-7)


# ---- coincidences ----------------------------------------------------------------------------


def test_instants_of_coincidence_are_said():
    """A ring at t = 1, its degeneracies lifted before and after by a tilt."""
    ring, tilt = oracles.ring_hamiltonian(4), np.diag([0.0, 1.0, 2.5, 0.7])
    model = mb.DrivenSingleParticle(lambda t: ring + 0.3 * (t - 1.0) * tilt)
    with pytest.warns(UserWarning, match="coincide that elsewhere do not at t = 1.*no limit"):
        run = mb.compare_driven(model, BATH, [1.0, 1.2], tolerance=1e-6)
    np.testing.assert_array_equal(run.coincidences, [1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.compare_driven(model, BATH, [0.9], tolerance=1e-6)


def test_undecided_coincidences_are_said():
    almost = oracles.ring_hamiltonian(4) + np.diag([0.0, 1e-9, 0.0, 0.0])
    model = mb.DrivenSingleParticle(lambda t: (1.0 + 0.1 * t) * almost)
    with pytest.warns(UserWarning, match="cannot be decided.*times met between t = 0 and 0.3"):
        run = mb.compare_driven(model, BATH, [0.3], tolerance=1e-5)
    assert run.undecided.size > 4 and run.undecided[0] == 0.0 and run.undecided[-1] == 0.3


def test_crossings_are_counted(rng):
    for _ in range(5):
        before, after = np.sort(rng.normal(size=(2, 6)), axis=1)
        pairs = [(k, m) for m in range(6) for k in range(m)]
        gaps = [(before[m] - before[k], after[m] - after[k]) for k, m in pairs]
        expected = sum(
            (x - a) * (y - b) < 0.0 for i, (a, b) in enumerate(gaps) for x, y in gaps[i + 1 :]
        )
        assert 0 < frequency_crossings(before, after) == expected
    # Where both gaps are equal nothing has crossed yet.
    assert frequency_crossings(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.5])) == 0
    levels = lambda t: np.diag([0.0, 1.0, 2.2 + t, 4.7])  # noqa: E731
    mixed = lambda t: levels(t) + 0.01 * oracles.ring_hamiltonian(4)  # noqa: E731
    run = mb.compare_driven(mb.DrivenSingleParticle(mixed), BATH, [0.1, 1.0], tolerance=1e-3)
    assert run.crossings[0] == 0 and run.crossings[1] > 0


# ---- tables ----------------------------------------------------------------------------------


def test_a_table_is_a_spline_through_every_entry(rng):
    h = moving(rng, 3, rate=2.0)
    errors = []
    for count in (11, 21, 41):
        grid = np.linspace(0.0, 1.5, count)
        table = mb.TabulatedHamiltonian(grid, [h(t) for t in grid])
        between = np.linspace(0.0, 1.5, 37)
        errors.append(max(np.abs(table(t) - h(t)).max() for t in between))
        for t in between:
            np.testing.assert_array_equal(table(t), table(t).conj().T)
        np.testing.assert_allclose(table(grid[3]), h(grid[3]), atol=1e-14)
    # Of fourth order in the distance of the times.
    assert errors[0] > 12.0 * errors[1] > 144.0 * errors[2] > 0.0
    runs = [
        mb.compare_driven(mb.DrivenSingleParticle(each), BATH, TIMES, tolerance=1e-7)
        for each in (h, table)
    ]
    gap = np.abs(runs[0].trace_distance - runs[1].trace_distance).max()
    assert 0.0 < gap < 10.0 * errors[2]


def test_short_tables_are_polynomials(rng):
    ends = [oracles.random_hermitian(rng, 3) for _ in range(3)]
    line = mb.TabulatedHamiltonian([0.0, 2.0], ends[:2])
    np.testing.assert_allclose(line(0.5), 0.75 * ends[0] + 0.25 * ends[1], atol=1e-14)
    parabola = mb.TabulatedHamiltonian([0.0, 1.0, 2.0], ends)
    weights = [0.375, 0.75, -0.125]
    middle = sum(w * h for w, h in zip(weights, ends))
    np.testing.assert_allclose(parabola(0.5), middle, atol=1e-14)


def test_a_table_knows_what_its_numbers_leave_open(rng):
    double = [oracles.random_hermitian(rng, 3, real=True) for _ in range(2)]
    single = [h.astype(np.float32) for h in double]
    model = mb.DrivenSingleParticle(mb.TabulatedHamiltonian([0.0, 1.0], single))
    assert model.at(0.3).uncertainty > 1e-8
    assert not np.iscomplexobj(model.at(0.3).hamiltonian)
    assert (
        mb.DrivenSingleParticle(mb.TabulatedHamiltonian([0.0, 1.0], double)).at(0.3).uncertainty
        < 1e-15
    )


# ---- what is said and refused ----------------------------------------------------------------


def test_states_that_are_none_are_said():
    """A Lamb shift of a strong bath takes Redfield out of the states."""
    h = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = mb.DrivenSingleParticle(lambda t: (1.0 + 0.01 * t) * h)
    bath = mb.OhmicBath(2.0, 10.0, 5.0)
    with pytest.warns(UserWarning, match="Redfield state leaves the states from t = 0.5 on"):
        run = mb.compare_driven(model, bath, [0.5, 1.0], lamb_shift=True, tolerance=1e-5)
    assert run.smallest_eigenvalue.min() < -0.1


def wide(time):
    return np.eye(257)


TABLE = mb.TabulatedHamiltonian([0.0, 1.0], [np.eye(2), np.diag([1.0, 2.0])])
GOOD = mb.DrivenSingleParticle(TABLE)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mb.DrivenSingleParticle(np.eye(2)), TypeError, "of type ndarray: a function"),
        (lambda: mb.DrivenManyBody(3, [np.eye(2)]), TypeError, "of type int: a function"),
        (lambda: mb.DrivenManyBody(TABLE, [np.eye(3)]), ValueError, r"at t = 0: couplings\[0\]"),
        (lambda: mb.TabulatedHamiltonian([0.0, 1.0], [np.eye(2)]), ValueError, "1 matrices for 2"),
        (lambda: mb.TabulatedHamiltonian([0.0], [np.eye(2)]), ValueError, "at least two"),
        (lambda: mb.TabulatedHamiltonian([1.0, 0.0], [np.eye(2)] * 2), ValueError, "ascend"),
        (lambda: mb.TabulatedHamiltonian([0.0, 1.0], "ab"), TypeError, "matrices = 'ab'"),
        (
            lambda: mb.TabulatedHamiltonian([0.0, 1.0], [np.eye(2), np.eye(3)]),
            ValueError,
            r"matrices\[1\] has shape \(3, 3\)",
        ),
        (
            lambda: mb.TabulatedHamiltonian([0.0, 1.0], [np.eye(2), [[0, 1], [0, 0]]]),
            ValueError,
            r"matrices\[1\]: hamiltonian is not Hermitian",
        ),
        (lambda: TABLE(1.1), ValueError, "time = 1.1: the table goes from 0 to 1"),
        (lambda: TABLE(np.nan), ValueError, "time = nan"),
        (lambda: mb.compare_driven(GOOD, BATH, [2.0]), ValueError, "at t = 2: time = 2: the tabl"),
        (lambda: mb.compare_driven(np.eye(2), BATH, [1.0]), TypeError, "a DrivenSinglePart"),
        (lambda: mb.compare_driven(GOOD, "cold", [1.0]), TypeError, "bath = 'cold'"),
        (lambda: mb.compare_driven(GOOD, BATH, [1.0, 0.5]), ValueError, "must ascend"),
        (lambda: mb.compare_driven(GOOD, BATH, [1.0], initial_site=2), ValueError, "allowed are"),
        (lambda: mb.compare_driven(GOOD, BATH, [1.0], tolerance=0.0), ValueError, "tolerance"),
        (lambda: mb.compare_driven(GOOD, BATH, [1.0], lamb_shift=1), TypeError, "lamb_shift"),
        (lambda: mb.compare_driven(GOOD, BATH, [1.0], keep_states=1), TypeError, "keep_states"),
        (
            lambda: mb.compare_driven(GOOD, BATH, [1.0], equations=("redfield",)),
            ValueError,
            "at least two",
        ),
        (
            lambda: mb.compare_driven(GOOD, BATH, [1.0], equations=("redfield", "quasi-local-1")),
            ValueError,
            "'quasi-local-1' does not apply",
        ),
        (
            lambda: mb.compare_driven(mb.DrivenSingleParticle(wide), BATH, [1.0]),
            ValueError,
            "257 states: a driven system has at most 256",
        ),
        (
            lambda: mb.compare_driven(
                mb.DrivenSingleParticle(lambda t: np.eye(2 + int(t))), BATH, [1.0]
            ),
            ValueError,
            r"H\(1\) has 3 states, H\(0\) 2",
        ),
        (
            lambda: mb.compare_driven(
                mb.DrivenSingleParticle(lambda t: np.array([[0.0, t], [0.0, 0.0]])), BATH, [1.0]
            ),
            ValueError,
            "at t = 1: hamiltonian is not Hermitian",
        ),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("sites", "words"),
    [
        ([0, 5], "at t = 0: coupled_sites contains 5: allowed are 0 to 1"),
        ("all", "coupled_sites = 'all'"),
        ([], "coupled_sites is empty"),
        ([1, 1], "each site may appear once"),
    ],
)
def test_coupled_sites_are_checked_when_a_driven_model_is_made(sites, words):
    with pytest.raises(mb.InputError, match=words):
        mb.DrivenSingleParticle(lambda t: np.diag([t, -t]), sites)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"initial": "x"}, "initial of dtype <U1: must be numeric"),
        ({"initial": {}}, "initial of dtype object: must be numeric"),
        ({"initial": [[1.0], [0.0, 1.0]]}, "initial is no array of numbers"),
        ({"initial": np.diag([np.inf, 0.0])}, "initial with the entry inf"),
        ({"initial": np.diag([1.5, 0.0])}, "initial has the eigenvalue 1.5: fermions"),
        ({"discretise": "x"}, "discretise = 'x': a function"),
        ({"discretise": lambda reservoir, n: n}, "what discretise returns = 32: DiscretisedBath"),
    ],
)
def test_exact_driven_correlations_answer_in_a_sentence(change, words):
    lead = mb.Reservoir(mb.SemiEllipticDensity(1.0, 4.0), 1.5)
    model = mb.DrivenQuadraticModel(lambda t: np.eye(2), [mb.Contact(0, lead, 0.3)])
    given = {"model": model, "initial": np.diag([1.0, 0.0]), "times": [0.0, 1.0], **change}
    with pytest.raises(mb.InputError, match=words):
        mb.exact_driven_correlations(**given)
