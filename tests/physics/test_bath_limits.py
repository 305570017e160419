"""T = 0, infinite temperature and no temperature: spectra, their limits, and Gibbs states."""

import math
from types import SimpleNamespace

import mpmath
import numpy as np
import oracles
import pytest

import manybody as mb
from manybody.physics import reference, thermodynamics
from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.baths.protocol import boltzmann_factor, check_bath, has_temperature
from manybody.physics.baths.several import SeveralBaths
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.problem import Problem
from manybody.physics.rounded_rates import by_rates_at, detailed_balance_error, empties
from manybody.physics.spectra import Spectrum
from manybody.physics.stationary import decompose

INF = math.inf
GIVEN = {"coupling": 0.4, "strength": 0.02, "cutoff": 3.0, "exponent": 1.5, "rate": 0.3}
COLD = [name for name, family in BATH_FAMILIES.items() if "beta" in family.parameters]
DENSITIES = [
    mb.OhmicDensity(0.4, 3.0, 0.5),
    mb.OhmicDensity(0.4, 3.0, 3.0),
    mb.DrudeLorentzDensity(0.4, 3.0),
    mb.PhononDensity(0.02, 2.0),
    mb.SemiEllipticDensity(0.2, 1.0, 2.5),
    mb.CallableDensity(
        lambda w: 0.1 * w * np.exp(-((w / 3.0) ** 2)), breakpoints=(3.0,), slope_at_zero=0.1
    ),
]


def family_bath(name, **given):
    family = BATH_FAMILIES[name]
    return family.build(**{key: {**GIVEN, **given}[key] for key in family.parameters})


def one_sided_bump(omega):
    """γ of no temperature, with a maximum on one side."""
    return 0.1 * np.exp(-((omega - 1.0) ** 2))


def lone_bath():
    return mb.CallableBath(one_sided_bump, breakpoints=(1.0, 3.0), kms=False)


# ---- the temperature zero


@pytest.mark.parametrize(("coupling", "cutoff"), [(0.2, 10.0), (1.0, 0.5), (0.7, 100.0)])
def test_ohmic_closed_forms(coupling, cutoff):
    bath = mb.OhmicBath(coupling, cutoff, INF)
    # Either side of the changes of method at z = 1 and 50, and where the shift changes sign.
    reduced = [1e-300, 1e-31, 1e-12, 1e-3, 0.37, 0.999, 1.0, 7.3, 49.999, 50.0, 51.0, 1e4, 1e300]
    for z in (*reduced, *(-z for z in reduced), 0.0):
        omega = z * cutoff
        with mpmath.workdps(50):
            x = mpmath.mpf(omega) / mpmath.mpf(cutoff)
            shift = mpmath.mpf(-1)
            if abs(x) > 1e4:
                shift = sum(mpmath.factorial(k) / x**k for k in range(1, 9))
            elif x:
                shift += x * mpmath.exp(-x) * mpmath.ei(x)
            scale = mpmath.mpf(coupling) ** 2 * cutoff / (2 * mpmath.pi)
            gamma = mpmath.mpf(coupling) ** 2 * omega * mpmath.exp(-x) if x > 0 else 0
        with np.errstate(all="raise"):
            assert abs(float(bath.eta(omega)) - float(scale * shift)) < 1e-13 * float(scale), z
            assert float(bath.gamma(omega)) == pytest.approx(float(gamma), rel=1e-14, abs=1e-290)
    assert bath.gamma(0.0) == 0.0 and bath.kms_residual([0.0, 1.0, -3.0]) == 0.0
    for time in (0.0, 0.3 / cutoff, -2.5):
        exact = coupling**2 / (2.0 * np.pi) / complex(1.0 / cutoff, time) ** 2
        assert bath.correlation(time) == pytest.approx(exact, rel=1e-14)
    assert bath.correlation([1e200]).shape == (1,)


def test_panels_find_the_closed_forms():
    """η and C(t) of T = 0 by the quadrature that serves any density."""
    cutoff = 3.0
    omega = np.concatenate([np.linspace(-40.0, 40.0, 161), [1e-9, -1e-9]])
    thermal = mb.ThermalBath(mb.OhmicDensity(0.4, cutoff), INF)
    exact = mb.OhmicBath(0.4, cutoff, INF)
    scale = 0.16 * cutoff / (2.0 * np.pi)
    np.testing.assert_allclose(thermal.gamma(omega), exact.gamma(omega), rtol=1e-14)
    np.testing.assert_allclose(thermal.eta(omega), exact.eta(omega), atol=1e-13 * scale)
    # The closed form rounds too, in z g(z) − 1.
    allowed = thermal.eta_error(omega) + 2e-14 * scale
    assert np.all(np.abs(thermal.eta(omega) - exact.eta(omega)) <= allowed)
    given = mb.CallableBath(exact.gamma, INF, breakpoints=(cutoff,))
    np.testing.assert_allclose(given.eta(omega), exact.eta(omega), atol=2e-13 * scale)
    time = np.array([0.0, 0.1, -2.0, 30.0])
    for bath in (thermal, given):
        np.testing.assert_allclose(bath.correlation(time), exact.correlation(time), atol=1e-13)
    for exponent in (0.5, 3.0):
        power = mb.ThermalBath(mb.OhmicDensity(0.4, cutoff, exponent), INF)
        expected = math.gamma(exponent + 1.0) * 0.16 * cutoff ** (1.0 - exponent) / (2.0 * np.pi)
        expected = expected * (1.0 / cutoff + 1j * time) ** (-exponent - 1.0)
        np.testing.assert_allclose(
            power.correlation(time), expected, atol=1e-12 * abs(expected[0])
        )


@pytest.mark.parametrize("density", DENSITIES, ids=lambda density: type(density).__name__)
def test_any_density_at_zero_temperature(density):
    bath = mb.ThermalBath(density, INF)
    omega = np.array([-5.0, -1e-9, -0.0, 0.0, 1e-9, 0.7, 2.9, 8.0])
    expected = np.where(omega > 0.0, density(np.abs(omega)), 0.0)
    np.testing.assert_array_equal(bath.gamma(omega), expected)
    assert np.isnan(bath.gamma(math.nan)) and bath.kms_residual(omega) == 0.0
    assert check_bath(bath, lamb_shift=True) is bath
    points = [point for point in (*density.support, *density.breakpoints) if np.isfinite(point)]
    slow = isinstance(density, mb.DrudeLorentzDensity)
    scale = float(density(np.linspace(0.1, 12.0, 999)).max())
    for place in (-0.7, 2.9):
        exact = oracles.principal_value(
            bath.gamma, place, [0.0, *points], 1e-3, 1e15 if slow else 110.0
        )
        # The oracle has few digits at the branch point of a sub-Ohmic density.
        assert float(bath.eta(place)) == pytest.approx(exact, abs=2e-9 * scale), place


@pytest.mark.parametrize("name", COLD)
def test_low_temperatures_come_near_zero(name):
    """What is thermal of γ at ω ≠ 0 is exponentially small, of η ~ 1/β or less."""
    bath = family_bath(name, beta=INF)
    omega = np.array([-9.0, -0.5, -0.01, 0.01, 0.5, 2.0, 40.0])
    distances = []
    for beta in (1e2, 1e4, 1e6):
        near = family_bath(name, beta=beta)
        if beta > 1e2:
            np.testing.assert_allclose(
                near.gamma(omega), bath.gamma(omega), rtol=1e-13, atol=1e-40
            )
        distances.append(np.abs(near.eta(omega) - bath.eta(omega)).max())
        assert 0.0 <= near.gamma(0.0) < 0.17 / beta
        time = np.array([0.1, 3.0])
        difference = np.abs(near.correlation(time) - bath.correlation(time)).max()
        assert difference < 1.0 / beta
    scale = float(np.abs(bath.eta(omega)).max())
    assert distances[0] < 0.1 * scale and distances[1] < 1e-4 * scale
    assert distances[2] < 1e-8 * scale
    # 1e4 once more: nothing is left but rounding.
    assert distances[2] < 1e-3 * distances[0]


@pytest.mark.parametrize("name", BATH_FAMILIES)
def test_nothing_overflows(name):
    """β|ω| up to 1e300, η up to where a cutoff leaves it digits."""
    for beta in (1e-3, 1e4, 1e100, INF) if name in COLD else (None,):
        bath = family_bath(name, beta=beta)
        reach = 1e300 / beta if beta and 1.0 < beta < INF else 1e100
        size = np.geomspace(1e-300, reach, 61)
        omega = np.concatenate([-size, [0.0], size])
        with np.errstate(all="raise", under="ignore"):
            gamma, shift = bath.gamma(omega), bath.eta(omega)
            one_sided = bath.one_sided(omega, lamb_shift=True)
            residual = bath.kms_residual(omega)
        assert np.isfinite(gamma).all() and np.all(gamma >= 0.0) and np.isfinite(shift).all()
        np.testing.assert_array_equal(one_sided, 0.5 * gamma + 1j * shift)
        assert residual < 1e-13


def test_boltzmann_factors():
    omega = np.array([0.0, 5e-324, 1.0, 1e300])
    np.testing.assert_array_equal(boltzmann_factor(INF, omega), [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(boltzmann_factor(0.0, omega), 1.0)
    assert boltzmann_factor(2.0, omega[2:3]) == pytest.approx(math.exp(-2.0), rel=4e-16)


# ---- infinite temperature


def kossakowski(liouvillian):
    """Eigenvalues that are >= 0 where e^{Lt} is completely positive (conditional positivity)."""
    n = math.isqrt(len(liouvillian))
    choi = liouvillian.reshape(n, n, n, n).transpose(0, 2, 1, 3).reshape(n * n, n * n)
    identity = np.eye(n).ravel() / math.sqrt(n)
    outside = np.eye(n * n) - np.outer(identity, identity)
    return np.linalg.eigvalsh(outside @ choi @ outside)


def dephasing(hamiltonian, couplings, rate):
    """−i[H, ·] + γ Σ_j (A_j · A_j − ½{A_j², ·}), written out."""
    one = np.eye(len(hamiltonian))
    matrix = -1j * (np.kron(hamiltonian, one) - np.kron(one, hamiltonian.T))
    for a in couplings:
        matrix += rate * np.kron(a, a.T)
        matrix -= 0.5 * rate * (np.kron(a @ a, one) + np.kron(one, (a @ a).T))
    return matrix


@pytest.mark.parametrize("sites", [None, [0, 3]])
@pytest.mark.parametrize("degenerate", [False, True])
def test_white_noise_is_dephasing_of_the_couplings(sites, degenerate):
    rng = np.random.default_rng(4)
    hamiltonian = oracles.random_hermitian(rng, 5)
    if degenerate:
        vectors = np.linalg.eigh(hamiltonian)[1]
        hamiltonian = (vectors * [0.0, 1.0, 1.0, 2.0, 3.0]) @ vectors.conj().T
    couplings = reference.site_couplings(5, sites)
    model, bath = mb.SingleParticleModel(hamiltonian, sites), mb.WhiteBath(0.3)
    expected = dephasing(hamiltonian, couplings, 0.3)
    for lamb_shift in (False, True):
        found = mb.redfield_liouvillian(model, bath, lamb_shift).toarray()
        np.testing.assert_allclose(found, expected, atol=1e-13)
        slow = reference.redfield_liouvillian(hamiltonian, couplings, bath, lamb_shift)
        np.testing.assert_allclose(slow, expected, atol=1e-13)
    assert kossakowski(found)[0] > -1e-13
    # Redfield with a colour is not completely positive: the test can see that.
    ohmic = mb.redfield_liouvillian(model, mb.OhmicBath(0.5, 10.0, 5.0)).toarray()
    assert kossakowski(ohmic)[0] < -1e-3
    davies = mb.davies_liouvillian(model, bath).toarray()
    secular = reference.davies_liouvillian(hamiltonian, couplings, bath, False, 1e-9)
    np.testing.assert_allclose(davies, secular, atol=1e-13)
    assert np.abs(davies - found).max() > 0.05 and kossakowski(davies)[0] > -1e-13
    mixed = np.eye(5).ravel() / 5.0
    assert max(np.abs(found @ mixed).max(), np.abs(davies @ mixed).max()) < 1e-15


def test_white_noise_on_any_couplings():
    rng = np.random.default_rng(8)
    hamiltonian = oracles.random_hermitian(rng, 4)
    couplings = [oracles.random_hermitian(rng, 4) for _ in range(2)]
    model = mb.ManyBodyModel(hamiltonian, couplings)
    found = mb.redfield_liouvillian(model, mb.WhiteBath(0.2)).toarray()
    np.testing.assert_allclose(found, dephasing(hamiltonian, couplings, 0.2), atol=1e-13)
    assert kossakowski(found)[0] > -1e-13


def test_white_noise_is_a_limit():
    """Ohmic baths of one J_int²/β: β → 0 and ω_c → ∞ leave the same γ at every ω."""
    omega = np.array([-3.0, -0.2, 0.0, 0.2, 3.0])
    white, errors = mb.WhiteBath(0.3), []
    for beta in (1e-2, 1e-4, 1e-6):
        near = mb.OhmicBath(math.sqrt(0.3 * beta), 1.0 / beta, beta)
        errors.append(np.abs(near.gamma(omega) - white.gamma(omega)).max())
        assert errors[-1] < 2.0 * beta
    assert errors[2] < 1e-3 * errors[0]


def test_white_noise_alone():
    bath = mb.WhiteBath(0.3)
    assert isinstance(bath, mb.Bath) and bath.beta == 0.0 and bath.kms_residual([1.0]) == 0.0
    assert mb.WhiteBath(0.0).vanishes and not bath.vanishes
    assert bath.one_sided([1.0], lamb_shift=False).dtype == np.float64
    assert bath.one_sided([1.0], lamb_shift=True).dtype == np.complex128
    np.testing.assert_array_equal(bath.correlation([1.0, -2.0]), 0.0)
    with pytest.raises(ValueError, match="time = 0: .*δ"):
        bath.correlation([1.0, 0.0])
    for rate, error in ((-1.0, ValueError), (INF, ValueError), ("loud", TypeError)):
        with pytest.raises(error, match=f"bath rate = {rate!r}"):
            mb.WhiteBath(rate)


def test_coloured_noise_of_infinite_temperature():
    def bump(omega):
        return 0.2 * np.exp(-((omega / 2.0) ** 2))

    bath = mb.CallableBath(bump, beta=0, breakpoints=(2.0,))
    assert bath.beta == 0.0 and bath.kms_residual(np.linspace(0.0, 9.0, 20)) == 0.0
    omega = np.array([0.3, 1.0, 5.0])
    # Odd, as of any even γ: Dawson's integral for a Gaussian.
    with mpmath.workdps(30):
        dawson = [
            float(mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-(x**2)) * mpmath.erfi(x))
            for x in map(mpmath.mpf, omega / 2.0)
        ]
    np.testing.assert_allclose(bath.eta(omega), 0.2 / math.sqrt(np.pi) * np.array(dawson))
    np.testing.assert_allclose(bath.eta(-omega), -bath.eta(omega), atol=1e-15)
    with pytest.raises(ValueError, match="violates detailed balance"):
        mb.CallableBath(one_sided_bump, beta=0)
    with pytest.raises(ValueError, match="violates detailed balance"):
        mb.CallableBath(one_sided_bump, beta=INF)


# ---- no temperature


def test_a_bath_without_temperature():
    bath = lone_bath()
    assert math.isnan(bath.beta) and not has_temperature(bath.beta) and not bath.vanishes
    assert math.isnan(bath.kms_residual([0.5, 1.0])) and bath == lone_bath()
    omega = np.array([-2.0, 0.3, 4.0])
    np.testing.assert_array_equal(bath.gamma(omega), one_sided_bump(omega))
    shifted = mb.CallableBath(
        lambda w: one_sided_bump(w + 1.0), 0.0, breakpoints=(3.0,), kms_frequencies=(0.5,)
    )
    np.testing.assert_allclose(bath.eta(omega), shifted.eta(omega - 1.0), atol=1e-14)
    assert repr(bath) == repr(mb.CallableBath(one_sided_bump, kms=False, breakpoints=(1.0, 3.0)))
    assert repr(bath) != repr(
        mb.CallableBath(lambda w: 2.0 * one_sided_bump(w), kms=False, breakpoints=(1.0, 3.0))
    )


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: mb.CallableBath(one_sided_bump), ValueError, "bath beta = nan: .*or inf"),
        (
            lambda: mb.CallableBath(one_sided_bump, 2.0, kms=False),
            ValueError,
            "bath beta = 2.0 with kms=False: .*no temperature",
        ),
        (lambda: mb.CallableBath(one_sided_bump, kms="no"), TypeError, "bath kms = 'no'"),
        (lambda: mb.CallableBath(one_sided_bump, 2.0), ValueError, "takes kms=False"),
        (lambda: mb.CallableBath(np.sin, kms=False), ValueError, "must be >= 0"),
        (lambda: mb.ThermalBath(DENSITIES[1], math.nan), ValueError, "bath beta = nan"),
        (lambda: mb.OhmicBath(0.2, 10.0, True), TypeError, "bath beta = True"),
    ],
)
def test_what_is_refused(build, error, words):
    with pytest.raises(error, match=words):
        build()


def test_a_step_at_zero_has_no_lamb_shift():
    def step(omega):
        return np.where(omega >= 0.0, 0.2, 0.0) * np.exp(-(omega**2))

    for beta, kms in ((INF, True), (math.nan, False)):
        bath = mb.CallableBath(step, beta, kms=kms, breakpoints=(1.0,))
        assert check_bath(bath) is bath
        with pytest.raises(ValueError, match="η\\(0\\) = -?inf where γ has a step"):
            check_bath(bath, lamb_shift=True)


# ---- Gibbs states


def stack_of(*matrices):
    return Problem([mb.SingleParticleModel(matrix) for matrix in matrices], mb.WhiteBath(0.1))


def test_gibbs_populations_in_the_limits():
    rng = np.random.default_rng(2)
    turn = np.linalg.qr(rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5)))[0]
    matrices = [
        1e3 * np.eye(5) + (turn * levels) @ turn.conj().T
        for levels in ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 2.0, 3.0], [1.0] * 5)
    ]
    spectrum = stack_of(*matrices).spectrum
    expected = [[1, 0, 0, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0, 0], [0.2] * 5]
    np.testing.assert_array_equal(spectrum.gibbs_populations(INF), expected)
    np.testing.assert_array_equal(spectrum.gibbs_populations(0.0), 0.2)
    assert np.isnan(spectrum.gibbs_populations(math.nan)).all()
    np.testing.assert_allclose(spectrum.gibbs_populations(1e4)[:2], expected[:2], atol=1e-6)
    for index, matrix in enumerate(matrices):
        state = reference.gibbs_state(matrix, INF)
        vectors = spectrum.vectors[index]
        found = (vectors * spectrum.gibbs_populations(INF)[index]) @ vectors.conj().T
        np.testing.assert_allclose(found, state, atol=1e-12)
    parts = decompose(spectrum.sample(1))
    np.testing.assert_array_equal(parts.gibbs(INF, 0), expected[1])


@pytest.mark.parametrize("bath", [mb.OhmicBath(0.5, 5.0, INF), mb.WhiteBath(0.1)])
@pytest.mark.parametrize("levels", [[0.0, 1.0, 2.5, 4.0], [0.0, 0.0, 1.0, 1.0]])
def test_gibbs_is_stationary(bath, levels):
    rng = np.random.default_rng(6)
    turn = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    hamiltonian = (turn * levels) @ turn.conj().T
    gibbs = reference.gibbs_state(hamiltonian, bath.beta).ravel()
    for sites in (None, [1]):
        model = mb.SingleParticleModel(hamiltonian, sites)
        assert np.abs(mb.redfield_liouvillian(model, bath).toarray() @ gibbs).max() < 1e-14
        assert np.abs(mb.davies_liouvillian(model, bath).toarray() @ gibbs).max() < 1e-14


# ---- where all ends in one state


def davies_null_dimension(spectrum, bath):
    vectors = spectrum.vectors[0]
    hamiltonian = (vectors * spectrum.energies[0]) @ vectors.conj().T
    sites = np.flatnonzero(spectrum.coupled)
    couplings = reference.site_couplings(spectrum.dimension, list(sites))
    matrix = reference.davies_liouvillian(hamiltonian, couplings, bath, False, 1e-9)
    return int(np.count_nonzero(np.linalg.svd(matrix, compute_uv=False) < 1e-10))


@pytest.mark.parametrize("seed", range(12))
def test_empties_is_a_unique_state_of_davies(seed):
    """Random degenerate levels and couplings, against the null space of the definition."""
    rng = np.random.default_rng(seed)
    n = 5
    turn = np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]
    if seed % 3 == 0:
        # Sites that do not meet.
        turn = np.zeros((n, n), dtype=complex)
        turn[:2, :2] = np.linalg.qr(rng.normal(size=(2, 2)))[0]
        turn[2:, 2:] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    levels = np.sort(rng.integers(0, 4, n)).astype(float)
    if seed % 2:
        levels[0] -= 1.0
    turn = turn[:, rng.permutation(n)] if seed % 3 == 0 else turn
    coupled = np.zeros(n, dtype=bool)
    coupled[rng.permutation(n)[: int(rng.integers(1, n + 1))]] = True
    spectrum = Spectrum(levels[None], turn[None], np.array([4.0]), SiteProjectors(coupled))
    bath = mb.OhmicBath(0.5, 5.0, INF)
    parts = decompose(spectrum)
    generator = build_redfield(parts.spectrum, bath, False)
    unique = davies_null_dimension(spectrum, bath) == 1
    assert empties(parts.spectrum, generator.groups) == unique
    assert by_rates_at(parts, generator, INF).is_complete == unique
    assert by_rates_at(parts, generator, 1.0).is_complete


@pytest.mark.parametrize("centre", [1.0, 3.0])
def test_every_bath_empties_by_its_own_rates(centre):
    """A level of two states that one site sees at its gap of 1, the others only at `centre`.

    With rates that are a mean over the sites both states would be left either way.
    """
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(4, 4)))[0]
    levels = np.array([0.0, 1.0, 1.0, 2.5])
    spectrum = Spectrum(
        levels[None], turn[None], np.array([2.5]), SiteProjectors(np.ones(4, dtype=bool))
    )
    band = mb.ThermalBath(mb.SemiEllipticDensity(0.3, 0.4, centre), INF)
    each = (mb.OhmicBath(0.5, 5.0, INF), band, band, band)
    parts = decompose(spectrum)
    generator = build_redfield(parts.spectrum, SeveralBaths(each), False)
    hamiltonian = (turn * levels) @ turn.T
    matrix = reference.davies_liouvillian(
        hamiltonian, reference.site_couplings(4), each, False, 1e-9
    )
    null = int(np.count_nonzero(np.linalg.svd(matrix, compute_uv=False) < 1e-10))
    assert (null == 1) == (centre == 1.0)
    assert empties(parts.spectrum, generator.groups) == (null == 1)


def test_baths_of_several_temperatures_have_none():
    cold, warm, lone = mb.OhmicBath(0.5, 5.0, INF), mb.OhmicBath(0.5, 5.0, 2.0), lone_bath()
    omega = np.array([0.3, 1.0])
    assert SeveralBaths((cold, mb.OhmicBath(0.1, 5.0, INF))).beta == INF
    for each in ((cold, warm), (lone, warm), (warm, lone), (lone, lone_bath())):
        baths = SeveralBaths(each)
        assert math.isnan(baths.beta)
        assert math.isnan(baths.kms_residual(omega)) == (warm not in each)


def test_both_answers_occur():
    """Of the cases above, so that neither is what `empties` always says."""
    found = {False: 0, True: 0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        matrix = oracles.random_hermitian(rng, 4)
        sites = None if seed % 2 else [0]
        energies, vectors = np.linalg.eigh(matrix)
        if not seed % 2:
            energies = np.array([0.0, 1.0, 1.0, 2.0])
        coupled = np.ones(4, dtype=bool) if sites is None else np.arange(4) == 0
        spectrum = Spectrum(
            energies[None], vectors[None], np.array([2.0]), SiteProjectors(coupled)
        )
        parts = decompose(spectrum)
        generator = build_redfield(parts.spectrum, mb.OhmicBath(0.5, 5.0, INF), False)
        found[empties(parts.spectrum, generator.groups)] += 1
    assert found == {False: 6, True: 6}


def test_no_temperature_is_no_balance():
    spectrum = stack_of(oracles.random_hermitian(np.random.default_rng(1), 4)).spectrum
    rates = build_redfield(spectrum, lone_bath(), False).rates[0]
    assert detailed_balance_error(spectrum, rates, math.nan) == INF
    cold = build_redfield(spectrum, mb.OhmicBath(0.5, 5.0, INF), False).rates[0]
    assert detailed_balance_error(spectrum, cold, INF) == 0.0
    assert detailed_balance_error(spectrum, rates, INF) > 1e-3


# ---- entropy


def test_entropy_needs_a_finite_temperature():
    for beta, words in ((INF, "beta = inf: at T = 0"), (math.nan, "beta = nan: .*kms=False")):
        with pytest.raises(ValueError, match=words):
            thermodynamics.BathState((0,), beta)


def test_baths_of_many_particles_need_a_finite_temperature():
    for bath, words in (
        (mb.OhmicBath(0.5, 5.0, INF), "OhmicBath.*: beta = inf: at T = 0"),
        (lone_bath(), "CallableBath.*: beta = nan: .*kms=False"),
    ):
        with pytest.raises(ValueError, match=words):
            thermodynamics.bath_states([SimpleNamespace(bath=bath)])
    (white,) = thermodynamics.bath_states([SimpleNamespace(bath=mb.WhiteBath(0.1))])
    assert white.beta == 0.0
