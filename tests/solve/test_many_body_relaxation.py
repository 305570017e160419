"""Steady states and slow modes of many particles, against dense algebra by definition."""

import warnings

import numpy as np
import pytest
import relaxing

import manybody as mb
from manybody.physics import reference
from manybody.physics.models.many_body import ManyBodyModel

pytest.importorskip("slepc4py", reason="slepc4py not installed")

pytestmark = pytest.mark.filterwarnings("ignore:the redfield steady state is no state")

LAMB = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
EQUATIONS = pytest.mark.parametrize("equation", ["redfield", "davies"])
BATHS = {
    "ohmic": mb.OhmicBath(0.3, 10.0, 1.0),
    "no dephasing": relaxing.CutBath(3.0),
    "band": relaxing.CutBath(0.0, 1.3),
}
OHMIC = BATHS["ohmic"]


@EQUATIONS
@LAMB
@pytest.mark.parametrize("bath", list(BATHS))
@pytest.mark.parametrize("name", list(relaxing.models()))
def test_null_space_and_average_are_those_of_the_definition(name, bath, lamb_shift, equation):
    model, own = relaxing.models()[name], BATHS[bath]
    matrix = relaxing.liouvillian(model, own, equation, lamb_shift)
    average, still, undamped = relaxing.long_run(matrix, relaxing.start(model))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mb.steady_state(
            model, own, equation, lamb_shift, initial_state=relaxing.start(model), start=3
        )
    assert found.null_dimension == still
    np.testing.assert_allclose(found.undamped_frequencies, undamped, atol=1e-8)
    allowed = max(1e-8, 2.0 * found.state_error)
    assert allowed < 1e-4
    np.testing.assert_allclose(found.state, average, rtol=0, atol=allowed)
    for one in (found.state, *found.components):
        assert np.linalg.norm(matrix @ one.ravel()) < 1e-9
        assert np.trace(one) == pytest.approx(1.0, abs=1e-9)
    assert found.dark_levels == relaxing.untouched(
        model, own, all_jumps=lamb_shift and equation == "redfield"
    )


@LAMB
@pytest.mark.parametrize("bath", list(BATHS))
@pytest.mark.parametrize("method", ["dense", "gmres", "assembled"])
@pytest.mark.parametrize("name", list(relaxing.models()))
def test_modes_are_those_of_the_definition(name, method, bath, lamb_shift):
    if method == "assembled" and bath != "ohmic":
        pytest.skip("no other code than that of gmres")
    if method == "gmres" and bath != "ohmic" and lamb_shift:
        pytest.skip("without a Lamb shift more pairs of levels are dark, which is harder")
    model, own = relaxing.models()[name], BATHS[bath]
    wanted, moving = relaxing.decaying(relaxing.liouvillian(model, own, "redfield", lamb_shift))
    count = min(5, moving)
    if count == 0:
        with pytest.raises(ValueError, match="n_modes = 1: 0 modes decay or grow"):
            mb.slow_modes(model, own, 1, lamb_shift, method=method)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mb.slow_modes(model, own, count, lamb_shift, method=method)
    np.testing.assert_allclose(-found.eigenvalues.real, wanted[:count], atol=1e-8)
    assert found.residuals.max() < 1e-8
    if np.isfinite(found.davies_eigenvalues).all():
        theirs, _ = relaxing.decaying(relaxing.liouvillian(model, own, "davies", lamb_shift))
        np.testing.assert_allclose(-found.davies_eigenvalues.real, theirs[:count], atol=1e-8)


@LAMB
def test_one_particle_is_a_special_case(lamb_shift):
    rng = np.random.default_rng(4)
    matrix = relaxing.hermitian(rng, 6)
    one = mb.SingleParticleModel(matrix, [0, 2, 3])
    many = ManyBodyModel(matrix, np.eye(6)[[0, 2, 3]])
    vector = np.eye(6)[1]
    left = mb.steady_state(one, OHMIC, "redfield", lamb_shift, initial_site=1)
    right = mb.steady_state(many, OHMIC, "redfield", lamb_shift, initial_state=vector)
    np.testing.assert_allclose(left.state, right.state, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        mb.slow_modes(one, OHMIC, 8, lamb_shift).eigenvalues,
        mb.slow_modes(many, OHMIC, 8, lamb_shift, method="gmres").eigenvalues,
        rtol=0,
        atol=1e-8,
    )


@LAMB
def test_the_basis_does_not_matter(lamb_shift):
    rng = np.random.default_rng(6)
    model = relaxing.models()["complex"]
    turn = np.linalg.qr(rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)))[0]
    turned = ManyBodyModel(
        turn @ model.dense_hamiltonian() @ turn.conj().T,
        [turn @ one @ turn.conj().T for one in model.couplings.matrices()],
    )
    vector = rng.normal(size=6) + 1j * rng.normal(size=6)
    vector /= np.linalg.norm(vector)
    here = mb.steady_state(model, OHMIC, "redfield", lamb_shift, initial_state=vector)
    there = mb.steady_state(turned, OHMIC, "redfield", lamb_shift, initial_state=turn @ vector)
    np.testing.assert_allclose(there.state, turn @ here.state @ turn.conj().T, rtol=0, atol=1e-8)


@pytest.mark.parametrize("size", [1e-6, 1e3])
def test_the_size_of_couplings_is_a_unit(size):
    model, weak = relaxing.models()["complex"], mb.OhmicBath(0.3, 10.0, 1.0)
    scaled = ManyBodyModel(
        model.dense_hamiltonian(), [size * one for one in model.couplings.matrices()]
    )
    other = mb.OhmicBath(0.3 / size, 10.0, 1.0)
    vector = np.eye(6)[0]
    here = mb.steady_state(model, weak, lamb_shift=True, initial_state=vector)
    there = mb.steady_state(scaled, other, lamb_shift=True, initial_state=vector)
    np.testing.assert_allclose(there.state, here.state, rtol=0, atol=1e-8)
    left = mb.slow_modes(model, weak, 6, True, method="gmres")
    right = mb.slow_modes(scaled, other, 6, True, method="gmres")
    np.testing.assert_allclose(right.eigenvalues, left.eigenvalues, rtol=0, atol=1e-9)


@EQUATIONS
def test_what_lasts_by_symmetry_is_no_reason_to_warn(equation):
    model = relaxing.models()["spectator"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.steady_state(model, OHMIC, equation, initial_state=relaxing.start(model))


@LAMB
@EQUATIONS
def test_weak_links_between_parts_are_seen(equation, lamb_shift):
    """Parts that an amplitude of 1e-6 connects end in one state, and it is known how well."""
    rng = np.random.default_rng(2)
    parts = np.zeros((2, 6, 6), dtype=complex)
    for one in parts:
        one[:3, :3], one[3:, 3:] = relaxing.hermitian(rng, 3), relaxing.hermitian(rng, 3)
    parts[1, 2, 4] = parts[1, 4, 2] = 1e-6
    model = ManyBodyModel(parts[0], [parts[1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mb.steady_state(model, OHMIC, equation, lamb_shift, initial_state=np.eye(6)[0])
    assert found.null_dimension == 1
    if not lamb_shift or equation == "davies":
        thermal = reference.gibbs_state(parts[0], OHMIC.beta)
        np.testing.assert_allclose(found.state, thermal, rtol=0, atol=max(1e-9, found.state_error))
    assert found.state_error < 1e-2


@pytest.mark.parametrize("splitting", [1e-13, 1e-11, 1e-9, 1e-6, 1e-3])
def test_a_spectator_that_is_nearly_one_is_no_silent_number(splitting):
    """What breaks a symmetry by little: the right state, or a warning; by 1e-13, no breaking."""
    rng = np.random.default_rng(9)
    matrix = np.kron(relaxing.hermitian(rng, 3), np.eye(2))
    on_spin = np.kron(relaxing.hermitian(rng, 3), np.eye(2))
    on_spin = on_spin + splitting * relaxing.hermitian(rng, 6)
    model = ManyBodyModel(matrix, [on_spin])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = mb.steady_state(model, OHMIC, initial_state=np.eye(6)[0])
    thermal = reference.gibbs_state(matrix, OHMIC.beta)
    error = np.abs(np.linalg.eigvalsh(found.state - thermal)).sum()
    if splitting <= 1e-13:
        assert found.null_dimension == 4
        return
    assert caught or error < 1e-6
    if splitting >= 1e-6:
        assert error < 1e-6 and found.null_dimension == 1


def test_a_start_between_parts_keeps_its_weights():
    model = relaxing.models()["two parts"]
    rho = np.diag([0.1, 0.2, 0.3, 0.4, 0.0, 0.0]).astype(complex)
    found = mb.steady_state(model, OHMIC, initial_state=rho)
    assert found.null_dimension == 2
    assert np.trace(found.state[:3, :3]).real == pytest.approx(0.6, abs=1e-9)


def test_chains_of_hard_core_bosons_relax_in_few_steps():
    model = relaxing.chain(6, seed=1)
    found = mb.steady_state(model, OHMIC, lamb_shift=True, start=1)
    assert found.null_dimension == 1 and found.iterations < 60 and found.residual <= 1e-10
    again = mb.steady_state(model, OHMIC, lamb_shift=True, start=2)
    np.testing.assert_allclose(again.state, found.state, rtol=0, atol=1e-8)


def test_what_dense_algebra_would_have_to_decide_is_refused():
    rng = np.random.default_rng(8)
    spin = np.kron(relaxing.hermitian(rng, 25), np.eye(2))
    model = ManyBodyModel(spin, [np.kron(relaxing.hermitian(rng, 25), np.eye(2))])
    vector = np.eye(50)[0]
    for equation in ("redfield", "davies"):
        with pytest.raises(RuntimeError, match="coherences last.*50 states.*up to 32"):
            mb.steady_state(model, OHMIC, equation, initial_state=vector)
    with pytest.raises(RuntimeError, match="those of 50 states then need dense"):
        mb.slow_modes(model, OHMIC)


def test_arguments_are_checked():
    model = relaxing.models()["complex"]
    with pytest.raises(ValueError, match="initial_state"):
        mb.steady_state(model, OHMIC)
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        mb.steady_state(model, OHMIC, initial_state=np.eye(5)[0])
    with pytest.raises(TypeError, match="model = 3"):
        mb.steady_state(3, OHMIC)
    with pytest.raises(TypeError, match="model = 3"):
        mb.slow_modes(3, OHMIC)
