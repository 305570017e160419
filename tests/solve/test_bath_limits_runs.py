"""Runs, steady states and slow modes at T = 0, at infinite temperature and without one."""

import math
import warnings

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb
from manybody.physics import reference

INF = math.inf
COLD = mb.OhmicBath(0.5, 5.0, INF)
WHITE = mb.WhiteBath(0.05)
LONE = mb.CallableBath(
    lambda w: np.where(w > 0.0, 0.1, 0.04) * np.abs(w) * np.exp(-w * w / 9.0),
    kms=False,
    breakpoints=(3.0,),
)
BATHS = {
    "T = 0": COLD,
    "T = 0, Drude": mb.ThermalBath(mb.DrudeLorentzDensity(0.3, 5.0), INF),
    "white": WHITE,
    "no temperature": LONE,
}
EVERY = pytest.mark.parametrize("bath", BATHS.values(), ids=BATHS.keys())


def need_petsc():
    """Of Redfield steady states and slow modes."""
    pytest.importorskip("petsc4py", reason="petsc4py not installed")


def ring(n, sign=1.0):
    step = np.roll(np.eye(n), 1, axis=0)
    return sign * (step + step.T)


def with_levels(levels):
    rng = np.random.default_rng(5)
    n = len(levels)
    turn = np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]
    return (turn * levels) @ turn.conj().T


def liouvillian(equation, hamiltonian, sites, bath, lamb_shift=False):
    couplings = reference.site_couplings(len(hamiltonian), sites)
    if equation == "redfield":
        return reference.redfield_liouvillian(hamiltonian, couplings, bath, lamb_shift)
    return reference.davies_liouvillian(hamiltonian, couplings, bath, lamb_shift, 1e-9)


def quiet(call, *arguments, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **keywords)


# Degenerate lowest and higher levels, dark states, parts that never meet, nothing that jumps.
SYSTEMS = {
    "generic": (oracles.random_hermitian(np.random.default_rng(3), 5), None),
    "ring": (ring(6), None),
    "ring, lowest level degenerate": (ring(5), None),
    "one site coupled": (ring(6), [0]),
    "one site, degenerate": (ring(5), [0]),
    "diagonal": (np.diag([0.0, 1.0, 3.0]), None),
    "nothing": (np.zeros((2, 2)), None),
    "one level": (np.eye(1), None),
    "blocks": (scipy.linalg.block_diag(ring(2), with_levels([0.1, 1.7, 2.9])), None),
    "degenerate above": (with_levels([0.0, 1.0, 1.0, 2.3]), None),
    "degenerate above, one site": (with_levels([0.0, 1.0, 1.0, 2.3]), [0]),
    "degenerate below": (with_levels([0.0, 0.0, 1.0, 2.3]), None),
}


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("equation", ["redfield", "davies"])
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_long_runs_at_zero_temperature(name, equation, lamb_shift):
    if equation == "redfield":
        need_petsc()
    """State, null space and undamped modes against all eigenvectors of the definition."""
    hamiltonian, sites = SYSTEMS[name]
    model = mb.SingleParticleModel(hamiltonian, sites)
    found = quiet(mb.steady_state, model, COLD, equation, lamb_shift)
    matrix = liouvillian(equation, hamiltonian, sites, COLD, lamb_shift)
    values, right = np.linalg.eig(matrix)
    left = np.linalg.inv(right)
    still = np.abs(values) < 1e-9
    start = np.zeros(hamiltonian.shape)
    start[0, 0] = 1.0
    average = (right[:, still] @ (left[still] @ start.ravel())).reshape(start.shape)
    np.testing.assert_allclose(found.state, average, atol=1e-9)
    assert found.null_dimension == np.linalg.matrix_rank(right[:, still])
    turning = (np.abs(values.real) < 1e-10) & ~still
    np.testing.assert_allclose(
        found.undamped_frequencies, np.sort(-values[turning].imag), atol=1e-9
    )
    if not lamb_shift or equation == "davies":
        assert found.smallest_eigenvalue > -1e-13


@EVERY
@pytest.mark.parametrize("sites", [None, [0, 3]])
def test_generators_states_and_gaps_are_their_definitions(bath, sites):
    need_petsc()
    hamiltonian = 2.0 * oracles.random_hermitian(np.random.default_rng(3), 5)
    model = mb.SingleParticleModel(hamiltonian, sites)
    for lamb_shift in (False, True):
        for equation in ("redfield", "davies"):
            matrix = liouvillian(equation, hamiltonian, sites, bath, lamb_shift)
            build = getattr(mb, f"{equation}_liouvillian")
            np.testing.assert_allclose(
                build(model, bath, lamb_shift).toarray(), matrix, atol=1e-13
            )
            state = scipy.linalg.null_space(matrix, rcond=1e-12)[:, 0].reshape(5, 5)
            found = quiet(mb.steady_state, model, bath, equation, lamb_shift)
            np.testing.assert_allclose(found.state, state / np.trace(state), atol=1e-9)
            assert math.isnan(found.distance_from_gibbs) == math.isnan(bath.beta)
            if not math.isnan(bath.beta) and not (lamb_shift and equation == "redfield"):
                assert found.distance_from_gibbs < 1e-12
        modes = quiet(mb.slow_modes, model, bath, 3, lamb_shift)
        every = np.linalg.eigvals(liouvillian("redfield", hamiltonian, sites, bath, lamb_shift))
        every = np.sort(-every[np.abs(every) > 1e-9].real)
        np.testing.assert_allclose(np.sort(-modes.eigenvalues.real), every[:3], atol=1e-12)


@EVERY
def test_runs_and_their_certificates(bath):
    """Against matrix exponentials, without a word on a bath that was asked for."""
    hamiltonian = 2.0 * oracles.random_hermitian(np.random.default_rng(7), 5)
    model, times = mb.SingleParticleModel(hamiltonian), [0.0, 3.0, 11.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = mb.compare(model, bath, times, 2, keep_states=True)
        same = mb.compare_ensemble([model, model], bath, times, 2)
    start = np.zeros((5, 5))
    start[2, 2] = 1.0
    for equation in ("redfield", "davies"):
        exact = oracles.propagate(liouvillian(equation, hamiltonian, None, bath), start, times)
        np.testing.assert_allclose(run.states[equation], exact, atol=1e-9)
    certificate = run.certificate
    for found in (certificate, same[1].certificate):
        residuals = found.redfield_gibbs_residual, found.davies_gibbs_residual
        if math.isnan(bath.beta):
            assert np.isnan([*residuals, found.kms_residual]).all()
        else:
            assert max(residuals) < 1e-14 and found.kms_residual < 1e-12
    # A bath that claims a temperature is told on.
    wrong = mb.CallableBath(
        lambda w: COLD.gamma(w) + 1e-4 * COLD.gamma(-w), INF, kms_tolerance=1e-2
    )
    with pytest.warns(UserWarning, match="breaks detailed balance"):
        mb.compare(model, wrong, times)


def test_low_temperatures_come_near_zero():
    """Davies and Redfield, with and without Lamb shift: 1e4 and 1e6 against inf."""
    need_petsc()
    hamiltonian = 2.0 * oracles.random_hermitian(np.random.default_rng(9), 5)
    model, times = mb.SingleParticleModel(hamiltonian), [0.0, 4.0, 20.0]
    for lamb_shift in (False, True):
        runs = {
            beta: mb.compare(
                model, mb.OhmicBath(0.3, 5.0, beta), times, 0, lamb_shift, keep_states=True
            )
            for beta in (1e2, 1e4, 1e6, INF)
        }
        for equation in ("redfield", "davies"):
            states = {
                beta: quiet(
                    mb.steady_state, model, mb.OhmicBath(0.3, 5.0, beta), equation, lamb_shift
                ).state
                for beta in (1e4, 1e6, INF)
            }
            for beta in (1e4, 1e6):
                assert np.abs(states[beta] - states[INF]).max() < 0.01 / beta + 1e-9
            away = [
                np.abs(runs[beta].states[equation] - runs[INF].states[equation]).max()
                for beta in (1e2, 1e4, 1e6)
            ]
            # γ(0) = J_int²/β dephases.
            assert 1e-5 < away[0] < 1e-2
            assert away[1] < 0.02 * away[0] and away[2] < 1e-3 * away[0]


@pytest.mark.parametrize("degenerate", [False, True])
def test_thermal_starts_in_the_ground_state(degenerate):
    levels = [0.0, 0.0, 1.0, 2.0] if degenerate else [0.0, 0.7, 1.0, 2.0]
    hamiltonian = with_levels(levels)
    model = mb.SingleParticleModel(hamiltonian)
    bath = mb.OhmicBath(0.3, 5.0, 2.0)
    run = mb.compare(model, bath, [0.0, 5.0], initial_beta=INF, keep_states=True)
    ground = reference.gibbs_state(hamiltonian, INF)
    for equation in ("redfield", "davies"):
        np.testing.assert_allclose(run.states[equation][0], ground, atol=1e-12)
        exact = oracles.propagate(
            liouvillian(equation, hamiltonian, None, bath), ground, [0.0, 5.0]
        )
        np.testing.assert_allclose(run.states[equation], exact, atol=1e-9)
    still = mb.compare(model, COLD, [0.0, 50.0], initial_beta=np.inf)
    assert still.trace_distance.max() < 1e-12


@pytest.mark.parametrize(
    ("beta", "error"), [(-INF, ValueError), (math.nan, ValueError), ("cold", TypeError)]
)
def test_other_starts_are_refused(beta, error):
    with pytest.raises(error, match=f"initial_beta = {beta!r}.*or inf"):
        mb.compare(mb.dirac_syk2(4, seed=1), WHITE, [0.0, 1.0], initial_beta=beta)


def test_what_needs_gibbs_is_refused_or_computed_otherwise():
    need_petsc()
    large = mb.SingleParticleModel(np.diag(np.arange(48.0)) + 0.1 * ring(48))
    # Where no levels coincide the rates say what Davies leaves, and GMRES begins from that.
    for equation in ("redfield", "davies"):
        found = mb.steady_state(large, LONE, equation)
        assert found.residual < 1e-10
        with pytest.raises(RuntimeError, match="no temperature \\(kms=False\\).*up to 32"):
            mb.steady_state(mb.SingleParticleModel(ring(48)), LONE, equation)
    with pytest.raises(RuntimeError, match="no temperature \\(kms=False\\).*up to 45"):
        mb.slow_modes(large, LONE)
    # Levels that nothing leaves: no closed form, though γ > 0 for every ω > 0.
    apart = mb.SingleParticleModel(np.diag(np.arange(48.0)))
    for equation in ("redfield", "davies"):
        with pytest.raises(RuntimeError, match="at T = 0 .*never left downwards.*up to 32"):
            mb.steady_state(apart, COLD, equation)
    with pytest.raises(RuntimeError, match="as upwards at T = 0.*up to 45"):
        mb.slow_modes(apart, COLD)


def test_larger_systems_need_no_dense_algebra():
    """Beyond 32 sites: the closed form of Davies, GMRES and Krylov modes."""
    need_petsc()
    model = mb.dirac_syk2(34, seed=2)
    bath = mb.OhmicBath(0.3, 10.0, INF)
    vectors = np.linalg.eigh(model.dense_hamiltonian())[1]
    ground = np.outer(vectors[:, 0], vectors[:, 0].conj())
    for equation in ("redfield", "davies"):
        found = mb.steady_state(model, bath, equation)
        np.testing.assert_allclose(found.state, ground, atol=1e-12)
        assert found.null_dimension == 1 and found.undamped_frequencies.size == 0
        assert found.distance_from_gibbs < 1e-12
    small = mb.dirac_syk2(8, seed=2)
    modes = [mb.slow_modes(small, bath, 2, method=name).eigenvalues for name in ("gmres", "dense")]
    np.testing.assert_allclose(modes[0], modes[1], atol=1e-9)


def test_many_particles():
    need_petsc()
    model = mb.xxz_chain(n_sites=4, disorder=1.0, seed=3)
    for bath in (COLD, WHITE, LONE):
        run = mb.compare(model, bath, [0.0, 3.0])
        assert run.trace_distance[1] > 1e-4
        found = [quiet(mb.steady_state, model, bath, name) for name in ("redfield", "davies")]
        for equation, own in zip(("redfield", "davies"), found):
            matrix = getattr(mb, f"{equation}_liouvillian")(model, bath).toarray()
            state = scipy.linalg.null_space(matrix, rcond=1e-12)
            assert state.shape[1] == 1 == own.null_dimension
            state = state[:, 0].reshape(own.state.shape)
            np.testing.assert_allclose(own.state, state / np.trace(state), atol=1e-9)


def test_levels_that_rounding_alone_keeps_apart_are_one_at_zero_temperature():
    """γ ~ ω^s of a sub-Ohmic bath is large at 1e-16: any order of the sites gives one L."""
    order = np.array([3, 0, 5, 1, 4, 2])
    turn = np.eye(6)[order]
    bath = mb.ThermalBath(mb.OhmicDensity(0.2, 5.0, 0.3), INF)
    whole = np.kron(turn, turn)
    for equation in ("redfield", "davies", "universal-lindblad"):
        first = mb.liouvillian(ring(6), bath, equation).toarray()
        second = mb.liouvillian(turn @ ring(6) @ turn.T, bath, equation).toarray()
        np.testing.assert_allclose(second, whole @ first @ whole.T, atol=1e-13)


def test_a_cold_bath_beside_warm_ones_needs_no_dense_algebra():
    need_petsc()
    model = mb.dirac_syk2(34, seed=3)
    baths = [mb.OhmicBath(0.2, 5.0, INF), mb.OhmicBath(0.3, 5.0, 1.0)] * 17
    for equation in ("davies", "redfield"):
        found = mb.steady_state(model, baths, equation, tolerance=1e-12)
        build = mb.davies_liouvillian if equation == "davies" else mb.redfield_liouvillian
        matrix = build(model, baths).toarray()
        assert np.abs(matrix @ found.state.ravel()).max() < 1e-11
        heat = mb.heat_currents(model, baths, found.state, equation)
        assert abs(heat.sum()) < 1e-9 * np.abs(heat).max()


def test_what_never_returns_from_the_ground_state_is_left_to_dense_algebra():
    """A warm bath that sees two levels only does not lift all of them."""
    hamiltonian = np.zeros((5, 5))
    hamiltonian[:2, :2] = [[0.0, 0.3], [0.3, 0.2]]
    hamiltonian[2:, 2:] = [[1.0, 0.2, 0.0], [0.2, 1.4, 0.1], [0.0, 0.1, 2.1]]
    warm, cold = mb.OhmicBath(0.3, 5.0, 1.0), mb.OhmicBath(0.2, 5.0, INF)
    need_petsc()
    found = mb.steady_state(hamiltonian, [warm, warm, cold, cold, cold], "davies")
    # Two parts that never meet: each has a stationary state.
    assert found.null_dimension == 2
