"""Rates decide what relaxes: steady states and slow modes against the whole generator.

The reference is dense algebra on the definition (oracles): singular vectors of L give the null
space, its dual and the long-time average, eigenvalues what turns and what decays.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import oracles
import pytest
import scipy.linalg

import manybody as mb

pytest.importorskip("slepc4py", reason="slepc4py not installed")

BELOW = "below rounding"


@dataclass(frozen=True)
class PlainBath:
    """γ = shape(|ω|) times e^{−β|ω|} for ω < 0, or `uphill` of it; η any odd function."""

    kind: str
    beta: float = 1.0
    edge: float = 1.3
    uphill: float | None = None
    vanishes = False

    @property
    def support(self):
        """Where γ does not vanish."""
        ends = {"band": (self.edge, self.edge + 1.0), "gapped": (self.edge, np.inf)}
        return ends.get(self.kind, (0.0, np.inf if self.kind == "super" else self.edge))

    def gamma(self, omega):
        """γ(ω)."""
        omega = np.asarray(omega, dtype=float)
        size = np.abs(omega)
        lower, upper = self.support
        value = 0.05 * np.exp(-0.1 * size)
        if self.kind == "super":
            value = 0.05 * size**2 * np.exp(-0.1 * size)
        if self.kind != "cut":
            value = np.where(size > 0.0, value, 0.0)
        value = np.where((size >= lower) & (size < upper), value, 0.0)
        falling = np.exp(-self.beta * size) if self.uphill is None else self.uphill
        return np.where(omega < 0.0, value * falling, value)[()]

    def eta(self, omega):
        """An odd function that is not zero where γ is."""
        return 0.03 * np.tanh(np.asarray(omega, dtype=float)) + 0.01

    def one_sided(self, omega, lamb_shift):
        """Γ(ω)."""
        half = 0.5 * self.gamma(omega)
        return half + 1j * self.eta(omega) if lamb_shift else half

    def correlation(self, time):
        """Not needed here."""
        raise NotImplementedError

    def kms_residual(self, omega):
        """Not needed here."""
        return 0.0


def hamiltonian(rng):
    """(N, N), N = 2 … 6: random, degenerate, with equal gaps, decoupled or without hopping."""
    n = int(rng.integers(2, 6))
    kind = int(rng.integers(9))
    if kind < 2:
        return 2.0 * oracles.random_hermitian(rng, n, real=kind == 0)
    if kind == 2:
        return rng.choice([0.5, 1.0]) * oracles.ring_hamiltonian(n)
    if kind == 3:
        return rng.choice([0.4, 0.9]) * (np.ones((n, n)) - np.eye(n))
    if kind == 4:
        return 2.0 * oracles.bipartite_hamiltonian(rng, 2 * int(rng.integers(1, 3)))
    if kind == 5:
        return np.kron(np.eye(2), oracles.random_hermitian(rng, int(rng.integers(1, 4))))
    if kind == 6:
        parts = oracles.random_hermitian(rng, n), oracles.random_hermitian(rng, 1)
        return 2.0 * scipy.linalg.block_diag(*parts)
    if kind == 7:
        vectors = oracles.random_unitary(rng, n)
        return 0.7 * hermitian_part((vectors * rng.integers(-1, 3, n)) @ vectors.conj().T)
    return np.diag(0.7 * rng.integers(-2, 3, n))


def hermitian_part(matrix):
    """The Hermitian part."""
    return 0.5 * (matrix + matrix.conj().T)


def reference(matrix, rho, size):
    """(null dimension, long-time average, other eigenvalues, what rounding leaves wrong, norm).

    size: of H, to which its rounding is relative where nothing else is left of L.
    """
    left, sizes, right = np.linalg.svd(matrix)
    norm = max(sizes[0], size)
    count = int((sizes <= 1e-13 * norm).sum())
    kept, duals = right[len(sizes) - count :].conj().T, left[:, len(sizes) - count :].conj().T
    inverse = np.linalg.inv(duals @ kept)
    average = (kept @ (inverse @ (duals @ rho.ravel()))).reshape(rho.shape)
    values = np.linalg.eigvals(matrix)
    values = values[np.argsort(np.abs(values), kind="stable")][count:]
    slowest = sizes[: len(sizes) - count].min(initial=np.inf)
    wrong = 1e-14 * norm * (1.0 + np.linalg.norm(inverse, 2) ** 2 / slowest)
    return count, average, values, wrong, norm


def draw(rng, kind):
    """(H, bath, coupled sites, initial site, equation, Lamb shift) of one case."""
    h = hamiltonian(rng)
    n = len(h)
    one_way = kind == "one-way"
    shape = str(rng.choice(["band", "cut", "gapped", "super"])) if one_way else kind
    uphill = float(rng.choice([0.0, 0.5, 2.0])) if one_way else None
    edge = float(rng.choice([0.55, 1.3, 2.17]))
    bath = PlainBath(shape, float(rng.choice([0.5, 1.0, 3.0])), edge, uphill)
    count = int(rng.integers(1, n + 1))
    sites = None if rng.random() < 0.4 else sorted(rng.choice(n, count, replace=False).tolist())
    equation = str(rng.choice(["redfield", "davies"]))
    return h, bath, sites, int(rng.integers(n)), equation, bool(rng.random() < 0.5)


def liouvillian(h, bath, sites, equation, lamb_shift):
    """L by definition; equal levels at exactly ω = 0, where γ may be far from that at 1e-16."""
    build = oracles.davies_matrix if equation == "davies" else oracles.redfield_matrix

    def at(function):
        return lambda omega: float(function(0.0 if abs(omega) < 1e-12 else omega))

    eta = at(bath.eta) if lamb_shift else None
    return build(h, range(len(h)) if sites is None else sites, at(bath.gamma), eta)


def wrong_of(case):
    """What differs from the reference, in words; empty where nothing does or all is said."""
    h, bath, sites, site, equation, lamb_shift = case
    n = len(h)
    rho = np.zeros((n, n), dtype=complex)
    rho[site, site] = 1.0
    count, average, values, tolerance, norm = reference(
        liouvillian(h, bath, sites, equation, lamb_shift), rho, np.linalg.norm(h, 2)
    )
    model = mb.SingleParticleModel(h, sites)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = mb.steady_state(model, bath, equation, lamb_shift, initial_site=site)
    if any(BELOW in str(each.message) or "known to" in str(each.message) for each in caught):
        return []
    wrong = [str(each.message) for each in caught if each.category is not UserWarning]
    if found.null_dimension != count:
        wrong.append(f"null dimension {found.null_dimension}, not {count}")
    still = np.abs(values.real) <= 1e-13 * norm
    turning = np.sort(-values[still].imag)
    turning = turning[np.abs(turning) > 1e-10]
    if turning.shape != found.undamped_frequencies.shape or not np.allclose(
        found.undamped_frequencies, turning, atol=1e-9
    ):
        wrong.append(f"undamped {found.undamped_frequencies}, not {turning}")
    error = np.abs(found.state - average).max()
    if error > max(1e-9, tolerance):
        wrong.append(f"state {error:.1e} off, {tolerance:.1e} expected")
    if equation == "redfield":
        moving = values[~still]
        try:
            gap = mb.slow_modes(model, bath, 1, lamb_shift).gap
        except ValueError as error:
            return wrong + ([str(error)] if len(moving) else [])
        if not len(moving) or abs(gap + moving.real.max()) > max(1e-9, tolerance):
            wrong.append(f"gap {gap:.3e}, not {-moving.real.max(initial=-np.inf):.3e}")
    return wrong


@pytest.mark.parametrize("kind", ["band", "cut", "gapped", "super", "one-way"])
def test_null_space_undamped_modes_state_and_gap(kind):
    """50 random systems a kind: both equations, Lamb shift on and off, partial coupling."""
    failed = {}
    for seed in range(50):
        rng = np.random.default_rng([sum(map(ord, kind)), seed])
        case = draw(rng, kind)
        wrong = wrong_of(case)
        if wrong:
            failed[seed] = wrong, case
    assert not failed


def test_few_of_the_random_systems_are_beyond_rounding():
    """The families would prove nothing if most were excused by a warning."""
    said = 0
    for seed in range(60):
        h, bath, sites, site, equation, lamb_shift = draw(np.random.default_rng(seed), "band")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mb.steady_state(mb.SingleParticleModel(h, sites), bath, equation, lamb_shift, site)
        said += any(BELOW in str(each.message) for each in caught)
    assert said <= 12


# ---- the systems that showed it


@pytest.fixture
def loud():
    """Any warning but those of states that are none is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="the redfield steady state is no state")
        yield


@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_a_band_that_the_gap_misses(equation, loud):
    """γ = 0 at 0 and at ±0.6: nothing decays, on average a site becomes 1/2."""
    bath = mb.ThermalBath(mb.SemiEllipticDensity(0.1, 0.5, centre=2.0), beta=5.0)
    model = mb.SingleParticleModel([[0, 0.3], [0.3, 0]])
    found = mb.steady_state(model, bath, equation)
    assert found.null_dimension == 2 and found.dark_levels == 2
    np.testing.assert_allclose(found.undamped_frequencies, [-0.6, 0.6], atol=1e-14)
    np.testing.assert_allclose(found.state, 0.5 * np.eye(2), atol=1e-14)
    with pytest.raises(ValueError, match="n_modes = 1: 0 modes decay or grow"):
        mb.slow_modes(model, bath, 1)


@pytest.mark.parametrize(
    ("equation", "left"), [("davies", 0.9310344827586207), ("redfield", 0.931036292459)]
)
def test_a_hard_cutoff_below_the_gap(equation, left, loud):
    """Dephasing alone, from γ(0): populations of the energies stay (nearly, for Redfield)."""
    density = mb.CallableDensity(lambda w: 0.04 * w * (2 - w) ** 2, (0.0, 2.0), slope_at_zero=0.16)
    bath, h = mb.ThermalBath(density, 5.0), np.array([[0.0, 1.0], [1.0, 5.0]])
    model = mb.SingleParticleModel(h)
    found = mb.steady_state(model, bath, equation)
    matrix = liouvillian(h, bath, None, equation, False)
    start = np.diag([1.0, 0.0])
    # Its own dynamics, from so late on that nothing moves.
    late = oracles.propagate(matrix, start, [4000.0])[0]
    assert late[0, 0].real == pytest.approx(left, abs=2e-9)
    np.testing.assert_allclose(found.state, late, atol=1e-12)
    assert found.null_dimension == 2 and found.undamped_frequencies.size == 0
    modes = mb.slow_modes(model, bath, 1, method="gmres")
    assert modes.gap == pytest.approx(0.0275862, abs=1e-7)
    assert -modes.davies_eigenvalues[0].real == pytest.approx(0.016 * 50 / 29, abs=1e-12)


@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_rates_that_underflow_are_none_and_said(equation):
    h = np.array([[0.0, 1.0, 0.0], [1.0, 5.0, 0.3], [0.0, 0.3, -4.0]])
    bath = mb.OhmicBath(0.2, 0.005, 5.0)
    with pytest.warns(UserWarning, match=r"γ\(±3.8\d+\) is zero in double precision"):
        found = mb.steady_state(mb.SingleParticleModel(h), bath, equation)
    _, average, *_ = reference(
        liouvillian(h, bath, None, equation, False), np.diag([1.0, 0, 0]), 7.0
    )
    assert found.null_dimension == 3
    np.testing.assert_allclose(found.state, average, atol=1e-12)


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("equation", ["redfield", "davies"])
def test_a_bath_that_only_takes(equation, lamb_shift, loud):
    """γ = 0.3 at 0, 0.05 ω for ω > 0, 0 below: everything ends in the ground state of Davies."""

    class OneWay(PlainBath):
        def gamma(self, omega):
            omega = np.asarray(omega, dtype=float)
            return np.where(omega == 0.0, 0.3, 0.05 * np.maximum(omega, 0.0))[()]

    h = np.array([[0.0, 1.0, 0.0], [1.0, 0.5, 0.3], [0.0, 0.3, -0.2]])
    bath = OneWay("super")
    found = mb.steady_state(mb.SingleParticleModel(h), bath, equation, lamb_shift)
    vectors = np.linalg.eigh(h)[1]
    populations = np.diagonal(vectors.conj().T @ found.state @ vectors).real
    assert found.residual < 1e-14 and found.null_dimension == 1
    if equation == "davies":
        np.testing.assert_allclose(populations, [1.0, 0.0, 0.0], atol=1e-13)
    matrix = liouvillian(h, bath, None, equation, lamb_shift)
    assert np.linalg.norm(matrix @ found.state.ravel()) < 1e-14


def test_what_is_promised_is_measured(monkeypatch):
    """A derivation that says Gibbs where Gibbs is not stationary returns nothing."""
    from manybody.solve.examination import System

    monkeypatch.setattr(System, "is_balanced", True)
    model = mb.SingleParticleModel([[0, 1.0, 0], [1.0, 0.5, 0.3], [0, 0.3, -0.2]])
    with pytest.raises(
        RuntimeError, match=r"of the davies equation .* no steady state is returned"
    ):
        mb.steady_state(model, PlainBath("cut", uphill=0.0, edge=9.0), "davies")


def test_a_large_system_is_refused_what_only_dense_algebra_tells():
    rng = np.random.default_rng(3)
    bath = mb.ThermalBath(mb.SemiEllipticDensity(0.1, 0.01, centre=2.0), beta=5.0)
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 33))
    with pytest.raises(RuntimeError, match="steady state of 33 sites then needs dense algebra"):
        mb.steady_state(model, bath)
    assert mb.steady_state(model, bath, "davies").null_dimension > 1
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 46))
    with pytest.raises(RuntimeError, match="46 sites then need dense algebra"):
        mb.slow_modes(model, bath)


def test_the_end_of_a_support_at_a_gap_is_said():
    bath = mb.ThermalBath(mb.SemiEllipticDensity(0.3, 1.0, centre=3.0), 1.0)
    model = mb.SingleParticleModel(0.5 * (np.ones((4, 4)) - np.eye(4)), [1])
    with pytest.warns(UserWarning, match="the Bohr frequency 2 lies at the end of the bath's"):
        mb.steady_state(model, bath, "davies")
    h = scipy.linalg.block_diag(0.5 * (np.ones((4, 4)) - np.eye(4)), [[0.0, 1.5], [1.5, 0.0]])
    with pytest.warns(UserWarning, match="the Bohr frequency 2 lies at the end of the bath's"):
        mb.slow_modes(mb.SingleParticleModel(h, [1, 4]), bath, 1)


def test_rates_that_rounding_hides_are_said():
    """Two ground states that meet only by way of a level e^{−60} away."""
    h = np.diag([0.0, 0.1, 20.0])
    h[2, :2] = h[:2, 2] = 0.3
    model = mb.SingleParticleModel(h, [2])
    bath = PlainBath("gapped", beta=3.0, edge=5.0)
    with pytest.warns(UserWarning, match="only by rates below rounding of H"):
        found = mb.steady_state(model, bath, "davies")
    assert found.null_dimension == 1 and found.distance_from_gibbs < 1e-14
    warm = PlainBath("gapped", beta=0.3, edge=5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.steady_state(model, warm, "davies")


def test_davies_says_which_equal_levels_it_depends_on():
    bath = mb.OhmicBath(0.2, 10.0, 5.0)
    nearly = np.ones((3, 3)) + np.diag([0.0, 0.0, 1e-9])
    with pytest.warns(UserWarning, match="kept apart here"):
        found = mb.steady_state(mb.SingleParticleModel(nearly, [0]), bath, "davies")
    assert found.null_dimension == 1 and found.distance_from_gibbs == 0.0
    equal = mb.steady_state(mb.SingleParticleModel(np.ones((3, 3)), [0]), bath, "davies")
    assert equal.null_dimension == 2 and equal.dark_levels == 1
    # Two gaps that nearly coincide leave the Gibbs state what it is: no word.
    chain = np.diag([1e-9, 0.0, 0.0]) + np.diag(np.ones(2), 1) + np.diag(np.ones(2), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mb.steady_state(mb.SingleParticleModel(chain), bath, "davies")
    assert found.null_dimension == 1 and found.distance_from_gibbs == 0.0
