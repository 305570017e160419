"""Correlations and spectra by the regression formula, against dense exponentials and integrals."""

import warnings

import numpy as np
import oracles
import pytest
import scipy.linalg
import scipy.sparse as sp
import toy_equations

import manybody as mb
from manybody.physics import reference
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.liouvillians import liouvillian_of
from manybody.physics.problem import Problem
from manybody.solve import correlations

TIMES = [0.0, 0.6, 2.5, 9.0]
OMEGAS = np.array([-3.1, -0.4, 0.0, 0.7, 2.2])
EQUATIONS_HERE = ("redfield", "davies")


def cases():
    rng = np.random.default_rng(3)
    return {
        "complex": mb.SingleParticleModel(oracles.random_hermitian(rng, 4)),
        "complex, two sites": mb.SingleParticleModel(oracles.random_hermitian(rng, 5), [1, 3]),
        "real": mb.SingleParticleModel(oracles.random_hermitian(rng, 4, real=True)),
        "degenerate": mb.SingleParticleModel(oracles.ring_hamiltonian(4)),
        "equal gaps": mb.SingleParticleModel(oracles.bipartite_hamiltonian(rng, 4)),
        "fermions": mb.xxz_chain(4, 2, disorder=1.0, seed=2),
    }


def definition(model, bath, equation, lamb_shift):
    couplings = [np.asarray(one, dtype=complex) for one in model.couplings.matrices()]
    hamiltonian = model.dense_hamiltonian()
    if equation == "redfield":
        return reference.redfield_liouvillian(hamiltonian, couplings, bath, lamb_shift)
    return reference.davies_liouvillian(hamiltonian, couplings, bath, lamb_shift, 1e-10)


def draw(rng, size):
    return rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))


def random_state(rng, size):
    root = draw(rng, size)
    return root @ root.conj().T / np.linalg.norm(root) ** 2


def expected(matrix, a, b, rho, times):
    found = []
    for time in times:
        later = (scipy.linalg.expm(time * matrix) @ (b @ rho).ravel()).reshape(rho.shape)
        found.append(np.trace(a @ later))
    return np.array(found)


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("equation", EQUATIONS_HERE)
@pytest.mark.parametrize("kind", list(cases()))
def test_correlations_are_those_of_the_definition(kind, equation, lamb_shift, bath, rng):
    model = cases()[kind]
    n = model.dimension
    a, b, rho = draw(rng, n), draw(rng, n), random_state(rng, n)
    matrix = definition(model, bath, equation, lamb_shift)
    given = {"state": rho, "equation": equation, "lamb_shift": lamb_shift}
    found = mb.correlation(model, bath, TIMES, a, b, **given)
    np.testing.assert_allclose(found, expected(matrix, a, b, rho, TIMES), rtol=0, atol=1e-9)
    # At once the equation has done nothing yet.
    np.testing.assert_allclose(found[0], np.trace(a @ b @ rho), rtol=0, atol=1e-13)
    # Both operators enter linearly, as they are.
    sparse = mb.correlation(model, bath, TIMES, sp.csc_matrix(a), sp.coo_matrix(b), **given)
    np.testing.assert_allclose(sparse, found, rtol=0, atol=1e-12)
    diagonal = np.diagonal(a)
    left = mb.correlation(model, bath, TIMES, diagonal, np.diagonal(b), **given)
    right = mb.correlation(model, bath, TIMES, np.diag(diagonal), np.diag(np.diagonal(b)), **given)
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["redfield", "davies", "halved"])
@pytest.mark.parametrize("kind", ["complex, two sites", "degenerate", "fermions"])
def test_dense_maps_are_those_of_the_definition(kind, name, bath):
    """Stepped equations by their complex-linear map, of any data."""
    model = cases()[kind]
    with toy_equations.registered():
        matrix = liouvillian_of(EQUATIONS[name], Problem([model], bath, True))
    if name == "halved":
        half = mb.OhmicBath(bath.coupling * np.sqrt(0.5), bath.cutoff, bath.beta)
        wanted = definition(model, half, "redfield", True)
    else:
        wanted = definition(model, bath, name, True)
    np.testing.assert_allclose(matrix, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("equation", EQUATIONS_HERE)
@pytest.mark.parametrize("kind", ["complex", "complex, two sites", "real", "equal gaps"])
def test_spectra_are_integrals_of_the_correlation(kind, equation, bath, rng):
    """By an exponential of the definition, over all times of both signs."""
    model = cases()[kind]
    n = model.dimension
    a, b = draw(rng, n), draw(rng, n)
    found = mb.spectrum(model, bath, OMEGAS, a, b, equation=equation, lamb_shift=True)
    matrix = definition(model, bath, equation, True)
    rho = scipy.linalg.null_space(matrix, rcond=1e-11)[:, 0].reshape(n, n)
    rho /= np.trace(rho)
    np.testing.assert_allclose(found.constant, np.trace(a @ rho) * np.trace(b @ rho), atol=1e-11)
    np.testing.assert_allclose(found.total + found.constant, np.trace(a @ b @ rho), atol=1e-11)
    values, right = np.linalg.eig(matrix)
    weights = np.linalg.inv(right)

    def half(first, second, omega):
        moved = weights @ (second @ rho).ravel()
        seen = first.T.ravel() @ right
        moving = np.abs(values) > 1e-10
        return -np.sum((seen * moved / (1j * omega + values + ~moving))[moving])

    for omega, value in zip(OMEGAS, found.values):
        wanted = half(a, b, omega) + half(b.conj().T, a.conj().T, omega).conj()
        np.testing.assert_allclose(value, wanted, rtol=1e-8)


def test_a_spectrum_is_the_transform_of_what_propagates(bath, rng):
    """Without any matrix of the generator: a quadrature of `correlation` itself."""
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 3))
    strong = mb.OhmicBath(1.0, 5.0, 1.0)
    a = draw(rng, 3)
    b = a.conj().T
    spectrum = mb.spectrum(model, strong, OMEGAS, a, b)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    borders = np.linspace(0.0, 120.0, 121)
    times = np.concatenate([x + 0.5 * (nodes + 1.0) for x in borders[:-1]])
    values = mb.correlation(model, strong, times, a, b) - spectrum.constant
    assert abs(values[-1]) < 1e-8 * abs(values[0])
    integral = (np.exp(1j * OMEGAS[:, None] * times) * values) @ np.tile(0.5 * weights, 120)
    np.testing.assert_allclose(spectrum.values, 2.0 * integral.real, rtol=0, atol=1e-7)
    np.testing.assert_allclose(spectrum.values.imag, 0.0, atol=1e-12)


@pytest.mark.parametrize("equation", EQUATIONS_HERE)
def test_a_spectrum_integrates_to_its_total(equation, rng):
    """∫ S dω/2π = ⟨AB⟩ − C: by ω = w tan θ, beyond all lines too."""
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 3))
    a, b = draw(rng, 3), draw(rng, 3)
    angles, width = (np.arange(800) + 0.5) / 800 * np.pi - np.pi / 2, 2.0
    omegas = width * np.tan(angles)
    found = mb.spectrum(model, mb.OhmicBath(1.0, 5.0, 1.0), omegas, a, b, equation=equation)
    jacobian = width / np.cos(angles) ** 2 * (np.pi / 800)
    total = np.sum(found.values * jacobian) / (2 * np.pi)
    np.testing.assert_allclose(total, found.total, rtol=0, atol=2e-4 * np.abs(found.total))


def test_davies_keeps_detailed_balance_at_every_line(bath, rng):
    """S_AB(ω) = e^{βω₀} S_BA(−ω) for A = |l⟩⟨k|, B = A†, ω₀ = E_k − E_l: over its whole line."""
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 5))
    energies, vectors = np.linalg.eigh(model.hamiltonian)
    for low, high in ((0, 1), (1, 4), (0, 3)):
        a = np.outer(vectors[:, low], vectors[:, high].conj())
        b, gap = a.conj().T, energies[high] - energies[low]
        near = gap + np.array([-1.0, -0.05, 0.0, 0.05, 1.0])
        up = mb.spectrum(model, bath, near, a, b, equation="davies").values.real
        down = mb.spectrum(model, bath, -near, b, a, equation="davies").values.real
        assert np.all(up > 0.0) and np.argmax(up) == 2
        np.testing.assert_allclose(down * np.exp(bath.beta * gap), up, rtol=1e-7)


@pytest.mark.parametrize("equation", EQUATIONS_HERE)
def test_spectra_of_an_operator_and_its_adjoint_are_positive_in_davies(equation, bath, rng):
    model = cases()["complex"]
    dipole = draw(rng, 4)
    values = mb.spectrum(
        model, bath, np.linspace(-4, 4, 41), dipole.conj().T, dipole, equation=equation
    ).values
    np.testing.assert_allclose(values.imag, 0.0, atol=1e-11 * np.abs(values).max())
    if equation == "davies":
        assert values.real.min() > 0.0


def test_an_absorption_line_of_one_level(bath):
    """Of a ground state that sees no bath: 2 Γ/((ω − E)² + Γ²), Γ = γ(0)/2."""
    energy = 1.3
    excited = np.diag([0.0, 1.0])
    model = mb.ManyBodyModel(energy * excited, [np.diagonal(excited)])
    up, ground = np.array([[0.0, 0.0], [1.0, 0.0]]), np.diag([1.0, 0.0])
    width = 0.5 * float(bath.gamma(0.0))
    omegas = energy + np.array([-0.1, -width, 0.0, width, 0.3])
    expected_line = 2.0 * width / ((omegas - energy) ** 2 + width**2)
    for equation in EQUATIONS_HERE:
        found = mb.spectrum(model, bath, omegas, up.T, up, state=ground, equation=equation)
        np.testing.assert_allclose(found.values, expected_line, rtol=1e-9, atol=0.0)
        assert found.constant == pytest.approx(0.0, abs=1e-14)
        with pytest.raises(ValueError, match="has 2 stationary matrices"):
            mb.spectrum(model, bath, omegas, up.T, up, equation=equation)


def test_stationary_and_thermal_states(bath, rng):
    model = cases()["complex"]
    a, b = draw(rng, 4), draw(rng, 4)
    gibbs = reference.gibbs_state(model.dense_hamiltonian(), bath.beta)
    matrix = definition(model, bath, "redfield", False)
    wanted = expected(matrix, a, b, gibbs, TIMES)
    for state in ("stationary", "thermal"):
        found = mb.correlation(model, bath, TIMES, a, b, state=state)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    shifted = mb.correlation(model, bath, [0.0, 1.0], np.ones(4), b, lamb_shift=True)
    np.testing.assert_allclose(shifted[0], shifted[1], rtol=0, atol=1e-10)


def test_more_levels_than_dense_algebra_has(bath, rng, monkeypatch):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model = cases()["complex"]
    a, b = draw(rng, 4), draw(rng, 4)
    for equation in EQUATIONS_HERE:
        wanted = mb.correlation(model, bath, TIMES, a, b, equation=equation)
        with monkeypatch.context() as patched:
            patched.setattr(correlations, "MAX_DENSE_STATES", 3)
            # A time or two at once.
            patched.setattr(correlations, "_BATCH_BYTES", 2 * 16 * 16)
            found = mb.correlation(model, bath, TIMES, a, b, equation=equation)
            with toy_equations.registered(), pytest.raises(ValueError, match="not for 'halved'"):
                mb.correlation(model, bath, TIMES, a, b, equation="halved")
            with pytest.raises(ValueError, match="has 4 states: at most 3"):
                mb.spectrum(model, bath, OMEGAS, a, b, equation=equation)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize("equation", EQUATIONS_HERE)
def test_baths_of_two_temperatures(equation, bath, rng, monkeypatch):
    """The stationary state is no Gibbs state, and correlations are about it."""
    model = cases()["complex, two sites"]
    baths = [bath, mb.OhmicBath(0.3, 6.0, 1.0)]
    a, b = draw(rng, 5), draw(rng, 5)
    couplings = [np.asarray(one, dtype=complex) for one in model.couplings.matrices()]
    build = getattr(reference, f"{equation}_liouvillian")
    more = [1e-10] if equation == "davies" else []
    matrix = build(model.dense_hamiltonian(), couplings, baths, True, *more)
    rho = scipy.linalg.null_space(matrix, rcond=1e-11)[:, 0].reshape(5, 5)
    rho /= np.trace(rho)
    given = {"equation": equation, "lamb_shift": True}
    found = mb.correlation(model, baths, TIMES, a, b, **given)
    np.testing.assert_allclose(found, expected(matrix, a, b, rho, TIMES), rtol=0, atol=1e-9)
    spectrum = mb.spectrum(model, baths, OMEGAS, a, b, **given)
    np.testing.assert_allclose(spectrum.total + spectrum.constant, found[0], atol=1e-11)
    with pytest.raises(ValueError, match="no temperature in common"):
        mb.correlation(model, baths, TIMES, a, b, state="thermal", **given)
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    monkeypatch.setattr(correlations, "MAX_DENSE_STATES", 3)
    by_solver = mb.correlation(model, baths, TIMES, a, b, **given)
    np.testing.assert_allclose(by_solver, found, rtol=0, atol=1e-9)


def test_every_stepper_takes_what_is_no_state(bath, rng):
    model = cases()["complex"]
    a, b, rho = draw(rng, 4), draw(rng, 4), random_state(rng, 4)
    wanted = mb.correlation(model, bath, TIMES, a, b, state=rho)
    found = mb.correlation(model, bath, TIMES, a, b, state=rho, stepper="dop853")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)


def test_modes_that_do_not_decay_have_no_spectrum(bath):
    """Coherences of a ring with one bath: dark states turn for ever."""
    model = mb.SingleParticleModel(oracles.ring_hamiltonian(6), [0])
    with pytest.raises(RuntimeError, match="does not decay, and there is no spectrum"):
        mb.spectrum(model, bath, OMEGAS, np.eye(6), np.eye(6), state="thermal")
    values = mb.correlation(model, bath, TIMES, np.arange(6), np.arange(6), state="thermal")
    assert np.isfinite(values).all()


def test_undecided_levels_are_named(bath, rng):
    matrix = [[0, 0.3, 1e-13], [0.3, 0, 0.3], [1e-13, 0.3, 0]]
    with pytest.warns(UserWarning, match="Bohr frequencies"):
        mb.correlation(
            mb.SingleParticleModel(matrix),
            bath,
            TIMES,
            np.eye(3),
            np.eye(3),
            state="mixed",
            equation="davies",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.correlation(cases()["complex"], bath, TIMES, np.eye(4), np.eye(4), equation="davies")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": np.eye(3)}, r"a has shape \(3, 3\): must be \(4,\) or \(4, 4\)"),
        ({"b": [1.0, np.nan, 0.0, 0.0]}, "b: all entries must be finite"),
        ({"b": "density"}, "b of type str"),
        ({"equation": "lindblad"}, "equation: 'lindblad'"),
        ({"state": "neel"}, "no occupations"),
        ({"state": np.eye(4)}, "has the trace 4"),
        ({"times": [1.0, 0.0]}, "times must ascend"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"bath": None}, "bath"),
        ({"model": 3}, "model = 3"),
    ],
)
def test_what_cannot_be_is_a_sentence(change, words, bath):
    model = cases()["complex"]
    given = {"model": model, "bath": bath, "times": TIMES, "a": np.eye(4), "b": np.eye(4)}
    with pytest.raises(ValueError, match=words):
        mb.correlation(**{**given, **change})
    with pytest.raises(ValueError, match="spectra are of stationary states"):
        mb.spectrum(model, bath, OMEGAS, np.eye(4), np.eye(4), state=np.eye(4)[0])
    with pytest.raises(ValueError, match="frequencies entry"):
        mb.spectrum(model, bath, [np.inf], np.eye(4), np.eye(4))


def test_equations_with_a_number_in_their_name():
    h, bath = np.diag([0.0, 0.7, 1.9]) + 0.2, mb.OhmicBath(0.3, 5.0, 1.0)
    one = mb.correlation(h, bath, [0.0, 1.0], h, h, equation="partial-secular-0.3")
    assert one.shape == (2,)
    with pytest.raises(mb.InputError, match="partial-secular-x.*CUTOFF a decimal"):
        mb.correlation(h, bath, [0.0], h, h, equation="partial-secular-x")


@pytest.mark.parametrize("given", [1.0, None, "12", True])
def test_frequencies_are_a_sequence(given):
    h = np.diag([0.0, 0.7, 1.9]) + 0.2
    with pytest.raises(mb.InputError, match="frequencies = .*a sequence of reals"):
        mb.spectrum(h, mb.OhmicBath(0.3, 5.0, 1.0), given, h, h)
