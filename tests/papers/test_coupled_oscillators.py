"""LRL section III B: check values, truncated Fock space, limits and the corrections to the paper.

In Fock space one mode alone is as good as two, since d_+ and d_- never meet: its response is
⟨x_-⟩_1, and that of a†a is ε/(2ω_+) times it.  Truncations are chosen so that the weight beyond
them, (n/(n + 1))^levels, is below rounding; what it is is asserted.
"""

import json

import conftest
import many_body_oracles as slow
import numpy as np
import pytest
import scipy.linalg
from fock_oracles import edge_weight
from paper_curves import curve

from manybody.papers.levy_rabani_limmer import cases
from manybody.papers.levy_rabani_limmer.baths import FlatBath
from manybody.papers.levy_rabani_limmer.model import coupled_oscillators
from manybody.papers.levy_rabani_limmer.oscillators import (
    OscillatorSystem,
    dissipated_change,
    perturbed_rotation,
)
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import hermitian_coupling
from manybody.physics.fock.half_form import FockModel
from manybody.physics.fock.normal_ordering import annihilator, commutator, constant
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.response.linear_response import LinearResponse
from manybody.physics.response.perturbed import build_perturbed_generator

CHECKS = json.loads((conftest.CHECKS / "networks.json").read_text())
CHECKS = CHECKS["levy_rabani_limmer_oscillators"]
PARAMETERS = [CHECKS["params"][key] for key in ("w", "g", "eps", "gamma", "Ta", "Tb")]
PAIRS = (
    ("Phi_11", "Phi11"),
    ("Phi_12", "Phi12_corrected"),
    ("Phi_11_printed", "Phi11"),
    ("Phi_12_printed", "Phi12_printed"),
)


def limit_of(name):
    """Phi_12_infinity_printed for Phi_12_printed."""
    return name[:6] + "_infinity" + name[6:]


def relative(expected, rel):
    """Equal to a share of itself, however small it is."""
    return pytest.approx(expected, rel=rel, abs=0.0)


class TestCheckValues:
    def test_in_time(self):
        rows = CHECKS["rows"]
        result = coupled_oscillators(*PARAMETERS, [row["t"] for row in rows])
        for name, key in PAIRS:
            expected = [row[key] for row in rows]
            np.testing.assert_allclose(result[name], expected, rtol=1e-13, err_msg=name)

    def test_in_the_long_run(self):
        result = coupled_oscillators(*PARAMETERS, [0.0])
        for name, key in PAIRS:
            found = result[limit_of(name)]
            assert found == relative(CHECKS["infinity"][key], rel=1e-13), name

    def test_population(self):
        result = coupled_oscillators(*PARAMETERS, [0.0])
        assert result["population"] == relative(CHECKS["population_eq30"], rel=1e-14)


CASES = pytest.mark.parametrize(
    "case",
    [
        (100.0, 90.0, 5.0, 1.0, 2000.0, 2100.0),
        (3.0, -1.7, 0.4, 0.6, 1e7, 3e7),
        (3.0, 1.0, 0.4, 1e-7, 0.02, 0.3),
        (1.0, 0.5, -0.2, 3.0, 5e-4, 7e-4),
        (1.66, 0.728, 3.6, 1e-3, 1.7e7, 2.2e7),
    ],
    ids=["paper", "hot", "cold", "frozen", "large displacement"],
)


@CASES
class TestClosedForms:
    """(30), and (31)-(34) with −1 for n̄_- − 1."""

    def test_response(self, case):
        omega, g, epsilon, gamma, T_a, T_b = case
        times = np.array([0.0, 1e-9, 1e-3, 0.4, 7.0, 300.0])
        result = coupled_oscillators(*case, times)
        lower, upper = omega - g, omega + g
        mean = [
            0.5 / np.tanh(0.5 * w / T_a) + 0.5 / np.tanh(0.5 * w / T_b) for w in (lower, upper)
        ]
        decay = np.exp(-0.5 * gamma * times)
        kubo = -3.0 * epsilon * lower / upper * mean[0] * np.sin(lower * times) * decay
        bath = -1.5 * epsilon * gamma / upper * mean[0] * np.cos(lower * times) * decay
        np.testing.assert_allclose(result["phi_11"], kubo, rtol=1e-12, atol=0.0)
        np.testing.assert_allclose(result["phi_11_printed"], kubo, rtol=1e-12, atol=0.0)
        np.testing.assert_allclose(result["phi_12"], bath, rtol=1e-12, atol=0.0)
        total = gamma**2 + 4.0 * lower**2
        limit = -3.0 * epsilon / upper * mean[0]
        assert result["Phi_11_infinity"] == relative(limit * 4.0 * lower**2 / total, rel=1e-13)
        assert result["Phi_12_infinity"] == relative(limit * gamma**2 / total, rel=1e-13)
        occupied = 0.5 * (mean[0] - 1.0 + mean[1] - 1.0)
        displaced = 0.5 * (epsilon / upper) ** 2
        assert result["population"] == relative(0.5 * occupied + displaced, rel=1e-13)

    def test_integrals(self, case):
        # Φ from φ by quadrature, and by its leading order at times where nothing cancels.
        nodes, weights = np.polynomial.legendre.leggauss(60)
        end = 0.3 / case[0]
        instants = 0.5 * end * (nodes + 1.0)
        density = coupled_oscillators(*case, instants)
        result = coupled_oscillators(*case, [1e-9, end])
        for name in ("11", "12", "11_printed", "12_printed"):
            integral = 0.5 * end * weights @ density[f"phi_{name}"]
            assert result[f"Phi_{name}"][1] == relative(integral, rel=1e-12)
        start = coupled_oscillators(*case, [0.0])
        lower = case[0] - case[1]
        slope = start["Phi_11_infinity"] * -(lower**2 + 0.25 * case[3] ** 2)
        assert result["Phi_11"][0] == relative(-0.5e-18 * slope, rel=1e-6)
        assert result["Phi_12"][0] == relative(1e-9 * start["phi_12"][0], rel=1e-6)


def single_mode(frequency, baths, levels):
    """d_- alone: H = ω_- d†d, both baths on x/√2, V = ω_- x³."""
    basis = FockBasis(1, "boson", max_occupation=levels - 1)
    model = FockModel(basis, np.array([[frequency]]))
    lowering = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    x = lowering + lowering.T
    couplings = [hermitian_coupling(np.sqrt(0.5) * x, bath) for bath in baths]
    # Of the cube of a larger matrix, as it is in the whole space.
    larger = np.diag(np.sqrt(np.arange(1.0, levels + 3)), 1)
    cube = np.linalg.matrix_power(larger + larger.T, 3)[:levels, :levels]
    return model, couplings, frequency * cube, x


class TestFockSpace:
    TIMES = (0.0, 0.4, 1.3, 5.0)

    def test_one_mode(self):
        omega, g, epsilon, gamma = 3.0, 1.7, 0.4, 0.6
        system = OscillatorSystem(omega, g, epsilon, gamma, 0.8, 0.5)
        model, couplings, cube, x = single_mode(omega - g, system.baths, 20)
        response = LinearResponse(build_perturbed_generator(model, couplings, cube))
        # p_19 n³ is what truncation leaves out of ⟨x³⟩: 2e-12 of the response at most.
        assert 20**3 * edge_weight(model.basis, response.stationary) < 2e-12
        factor = 0.5 * system.displacement
        found = coupled_oscillators(omega, g, epsilon, gamma, 0.8, 0.5, self.TIMES)
        kubo, dissipative = response.response_function(x, self.TIMES)
        np.testing.assert_allclose(found["phi_11"], factor * kubo, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(found["phi_12"], factor * dissipative, rtol=1e-10)
        limit = factor * np.trace(x @ response.steady_change).real
        total = found["Phi_11_infinity"] + found["Phi_12_infinity"]
        assert total == relative(limit, rel=1e-11)
        changes = response.changes(self.TIMES)
        expected = factor * np.einsum("ab,tba->t", x, changes).real
        np.testing.assert_allclose(found["Phi_11"] + found["Phi_12"], expected, rtol=1e-10)

    def test_grouped_generator(self):
        # D_1 against the Davies generator at ±δ whose frequencies stay grouped; the ladder
        # splits at δ² only.
        model, couplings, cube, _ = single_mode(1.3, (FlatBath(0.6, 0.8), FlatBath(0.6, 0.5)), 7)
        built = build_perturbed_generator(model, couplings, cube)
        pairs = [(c.operator.toarray(), RegularBath(c.bath).gamma, None) for c in couplings]
        ladder = 1.3 * np.diag(np.arange(7.0))

        def generator(delta):
            return slow.davies(ladder + delta * cube, pairs, tolerance=0.3)

        steps = [(generator(h) - generator(-h)) / (2.0 * h) for h in (4e-5, 2e-5, 1e-5)]
        expected = (64.0 * steps[2] - 20.0 * steps[1] + steps[0]) / 45.0
        baths = range(built.n_couplings)
        found = slow.superoperator(
            lambda rho: built.commute(rho) + sum(built.dissipate(j, rho) for j in baths), 7
        )
        assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()

    def test_gibbs_derivative(self):
        # T_a = T_b: Φ(∞) is ∂_δ of the Gibbs state of H_0 + δV, exactly; and it has no n̄².
        omega, g, epsilon, gamma, temperature, levels = 3.0, 1.7, 0.4, 0.6, 0.9, 60
        model, _, cube, x = single_mode(omega - g, (), levels)
        energy = model.hamiltonian.toarray()
        boltzmann, change = scipy.linalg.expm_frechet(-energy / temperature, -cube / temperature)
        partition = np.trace(boltzmann)
        mean = np.trace(x @ change) / partition
        system = OscillatorSystem(omega, g, epsilon, gamma, temperature, temperature)
        found = coupled_oscillators(omega, g, epsilon, gamma, temperature, temperature, [0.0])
        total = found["Phi_11_infinity"] + found["Phi_12_infinity"]
        assert total == relative(0.5 * system.displacement * mean, rel=1e-10)
        printed = found["Phi_11_infinity_printed"] + found["Phi_12_infinity_printed"]
        assert abs(printed / total - 1.0) > 0.01

    @pytest.mark.parametrize("sign", ["B9", "29"])
    def test_two_modes(self, sign):
        # H_0, a†a and the V of (29) as matrices of both modes, d_+ displaced.
        omega, g, epsilon, gamma, T_a, T_b = 3.0, 1.7, 0.4, 0.6, 0.3, 0.25
        basis = FockBasis(2, "boson", max_occupation=7)
        keep = basis.occupations[:, 0] < 3
        lower, upper = omega - g, omega + g
        shift = epsilon / upper
        plus, minus = slow.ladder_operators(2, "boson", 10)
        place = basis.occupations[keep] @ np.array([1, 11])
        root = np.sqrt(0.5)
        a = root * (plus - shift * np.eye(121) - minus)
        b = root * (plus - shift * np.eye(121) + minus)
        difference = a + a.T - b - b.T
        cube = lower / np.sqrt(8.0) * np.linalg.matrix_power(difference, 3)
        cut = np.ix_(place, place)
        # States of the cut space as levels of one mode that holds up to 23.
        model = FockModel(
            FockBasis(1, "boson", max_occupation=len(place) - 1),
            np.zeros((1, 1)),
            (upper * plus.T @ plus + lower * minus.T @ minus)[cut],
        )
        baths = [RegularBath(FlatBath(gamma, t)) for t in (T_a, T_b)]
        couplings = [hermitian_coupling((m + m.T)[cut], bath) for m, bath in zip((a, b), baths)]
        perturbation = (cube if sign == "29" else -cube)[cut]
        response = LinearResponse(build_perturbed_generator(model, couplings, perturbation))
        # Beyond 3 and 8 levels: n_+³ = 4e-21 and n_-⁸ < 1e-15 of the state.
        assert FlatBath(gamma, T_a).occupation(lower) ** 8 < 1e-15
        number = (a.T @ a)[cut]
        found = coupled_oscillators(omega, g, epsilon, gamma, T_a, T_b, self.TIMES, sign)
        population = np.trace(number @ response.stationary).real
        assert found["population"] == relative(population, rel=1e-10)
        kubo, dissipative = response.response_function(number, self.TIMES)
        np.testing.assert_allclose(found["phi_11"], kubo, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(found["phi_12"], dissipative, rtol=1e-10)
        # The sign of (31) goes with (B9).
        assert (found["phi_11"][1] < 0.0) == (sign == "B9")


class RegularBath:
    """A bath with a finite γ(0): constants in a coupling must not matter, whatever it is."""

    def __init__(self, bath):
        self.bath = bath

    def gamma(self, omega):
        omega = np.asarray(omega, dtype=float)
        rates = self.bath.gamma(np.where(np.abs(omega) < 0.1, 0.1, omega))
        return np.where(np.abs(omega) < 0.1, 0.37, rates)

    def eta(self, omega):
        raise NotImplementedError


class TestAlgebra:
    SYSTEM = OscillatorSystem(3.0, 1.7, 0.4, 0.6, 0.8, 0.5)

    def test_hamiltonian(self):
        """(25) is diagonal in the displaced modes, (B4) and (B6) with the sign of the shift."""
        a, b = self.SYSTEM.site_operators()
        omega, g, epsilon = 3.0, 1.7, 0.4
        field = epsilon / np.sqrt(2.0)
        hamiltonian = omega * (a.adjoint() @ a + b.adjoint() @ b)
        hamiltonian = hamiltonian + g * (a.adjoint() @ b + b.adjoint() @ a)
        hamiltonian = hamiltonian + field * (a + a.adjoint() + b + b.adjoint())
        expected = {(1, 1, 0, 0): omega + g, (0, 0, 1, 1): omega - g}
        expected[(0, 0, 0, 0)] = -(epsilon**2) / (omega + g)
        found = hamiltonian.above(1e-14).terms
        assert found.keys() == expected.keys()
        for powers, value in expected.items():
            assert found[powers] == relative(value, rel=1e-14)
        # [H_0, d_+ + ε/ω_+] = −ω_+ (d_+ + ε/ω_+), and not with −ε/ω_+.
        undisplaced = np.sqrt(0.5) * (a + b)
        shift = epsilon / (omega + g)
        for sign in (1.0, -1.0):
            mode = undisplaced + constant(sign * shift, 2)
            rest = commutator(hamiltonian, mode) + (omega + g) * mode
            assert (rest.largest < 1e-14) == (sign > 0.0)

    def test_sign_of_29(self):
        """With d_- = (b − a)/√2 the V of (29) is the negative of (B9)."""
        d = annihilator(1, 2)
        x = d + d.adjoint()
        expected = (3.0 - 1.7) * (x @ x @ x)
        assert (self.SYSTEM.cubic_perturbation(1.0) - expected).largest < 1e-14
        assert (self.SYSTEM.cubic_perturbation(-1.0) + expected).largest < 1e-14

    def test_transition_operator(self):
        """J_- of (B12), and its eigenvalue equation (B13)."""
        perturbation = self.SYSTEM.cubic_perturbation(1.0)
        d = annihilator(1, 2)
        up = d.adjoint()
        found = commutator(perturbed_rotation(perturbation, self.SYSTEM.frequencies), d)
        expected = up @ up - 3 * (d @ d) + 6 * (up @ d) + constant(3.0, 2)
        assert (found - expected).largest < 1e-14
        omega = 3.0 - 1.7
        rest = omega * commutator(up @ d, found) + commutator(perturbation, d) + omega * found
        assert rest.largest < 1e-13

    @pytest.mark.parametrize("corrected", [True, False], ids=["corrected", "printed"])
    def test_B17(self, corrected):  # noqa: N802
        """L_1† of d_-†d_-, x_-, y_-, u and v: n_-^α + 1 of the text is 1, all else holds."""
        omega, gamma, quanta = 1.3, 0.6, (0.7, 1.9)
        d = annihilator(1, 2)
        d_plus = annihilator(0, 2) + constant(-0.4 / 4.7, 2)
        up, up_plus = d.adjoint(), d_plus.adjoint()
        jump = up @ up - 3 * (d @ d) + 6 * (up @ d) + constant(3.0, 2)
        jump_up = jump.adjoint()
        other = 2 * (up @ up) + 6 * (d @ d)
        x, x_plus, y_plus = d + up, d_plus + up_plus, 1j * (d_plus - up_plus)
        emitted = sum(0.25 * gamma * (1.0 if corrected else n + 1.0) for n in quanta)
        noise = sum(3.0 * gamma * (2.0 * n + 1.0) for n in quanta)
        force = other - jump
        turned = up @ jump - jump_up @ d + up @ other - other.adjoint() @ d
        damped = 0.25 * gamma * (up @ force + force.adjoint() @ d)
        printed = [
            (up @ d, -1j * omega * turned + 2 * damped - 3.0 * gamma * sum(quanta) * x),
            (x, emitted * (jump + jump_up) - constant(noise, 2)),
            (1j * (d - up), 6.0 * omega * (x @ x) + 1j * emitted * (jump - jump_up)),
            (
                up_plus @ d + d_plus @ up,
                3.0 * omega * (y_plus @ x @ x)
                - 0.5 * noise * x_plus
                + emitted * (up_plus @ jump + d_plus @ jump_up),
            ),
            (
                1j * (up_plus @ d - d_plus @ up),
                3.0 * omega * (x_plus @ x @ x)
                + 0.5 * noise * y_plus
                + 1j * emitted * (up_plus @ jump - d_plus @ jump_up),
            ),
        ]
        for place, (operator, expected) in enumerate(printed):
            found = 1j * omega * commutator(x @ x @ x, operator)
            for n in quanta:
                found = found + 0.5 * gamma * (n + 1.0) * dissipated_change(d, jump, operator)
                found = found + 0.5 * gamma * n * dissipated_change(up, jump_up, operator)
            agrees = (found - expected).largest < 1e-13
            assert agrees == (corrected or place == 0)

    @pytest.mark.parametrize("quanta", [0.3, 5.0, 200.0])
    def test_average_of_B17(self, quanta):  # noqa: N802
        """(B18) of x_-: 3γ(2n̄ + 1)(n̄ − 1) as printed, −3γ(2n̄ + 1) with the absorption."""
        temperature = 1.3 / np.log1p(1.0 / quanta)
        system = OscillatorSystem(3.0, 1.7, 0.4, 0.6, temperature, temperature)
        d = annihilator(1, 2)
        x = d + d.adjoint()
        found = system.dissipator_change(1.3 * (x @ x @ x), x, system.occupations())
        assert found.real == relative(-3.0 * 0.6 * (2.0 * quanta + 1.0), rel=1e-12)
        assert found.imag == 0.0

    def test_coinciding_frequencies(self):
        # ω_+ = 2ω_-: the parts of x_- that V makes of frequency ω_+ do not show in ⟨a†a⟩.
        here = coupled_oscillators(3.0, 1.0, 0.4, 0.6, 0.8, 0.5, [0.7])
        near = coupled_oscillators(3.0, 1.0 + 1e-9, 0.4, 0.6, 0.8, 0.5, [0.7])
        assert here["phi_12"][0] == relative(near["phi_12"][0], rel=1e-7)

    def test_perturbation_that_moves_levels(self):
        d = annihilator(1, 2)
        x = d + d.adjoint()
        with pytest.raises(ValueError, match="moves the energies: LRL section III A"):
            perturbed_rotation(x @ x @ x @ x, (4.7, 1.3))


class TestLimits:
    def test_zero_temperature(self):
        # (35): no bath parameter is left.
        for gamma in (1e-3, 0.6, 20.0):
            found = coupled_oscillators(3.0, 1.7, 0.4, gamma, 1e-3, 1e-3, [0.0])
            total = found["Phi_11_infinity"] + found["Phi_12_infinity"]
            assert total == relative(-3.0 * 0.4 / 4.7, rel=1e-13)

    def test_no_field(self):
        found = coupled_oscillators(3.0, 1.7, 0.0, 0.6, 0.8, 0.5, [0.5, 1.0])
        for name in ("phi_11", "phi_12", "Phi_11", "Phi_12"):
            np.testing.assert_array_equal(found[name], 0.0)

    def test_steady_state_at_a_late_time(self):
        found = coupled_oscillators(3.0, 1.7, 0.4, 0.6, 0.8, 0.5, [500.0])
        for name in ("Phi_11", "Phi_12", "Phi_11_printed", "Phi_12_printed"):
            assert found[name][0] == relative(found[limit_of(name)], rel=1e-13)


class TestFigures:
    CAPTION = {"omega": 100.0, "g": 90.0, "epsilon": 5.0, "gamma": 1.0}

    def test_in_time(self):
        baths = {"T_a": 2000.0, "T_b": 2100.0}
        whole = curve(cases, "figure-2", "time", (0.0, 12.0), 2401, **self.CAPTION, **baths)
        # The printed dissipator term dwarfs Kubo's, the corrected one is a small part of it.
        kubo = np.abs(whole["Phi_11"]).max()
        assert np.abs(whole["Phi_12_printed"]).max() > 4.0 * kubo
        assert np.abs(whole["Phi_12"]).max() < 0.05 * kubo

    def test_against_temperature(self):
        ends, given = (30.0, 3e4), {"difference": 50.0, **self.CAPTION}
        data = curve(cases, "figure-3", "mean_temperature", ends, 31, "log", **given)
        hot = data["x"] > 1e3
        slope = np.gradient(np.log(-data["response"]), np.log(data["x"]))
        # ∝ T, and of one sign: T² and the change of sign come from the misprint.
        np.testing.assert_allclose(slope[hot], 1.0, atol=1e-3)
        assert np.all(data["response"] < 0.0)
        assert data["printed"][0] < 0.0 < data["printed"][-1]


class TestArguments:
    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"T_a": -1.0}, r"T_a.*LRL \(4\).* = -1.0: must be a finite real number > 0"),
            ({"T_b": 0.0}, r"T_b.*LRL \(4\).* = 0.0"),
            ({"gamma": 0.0}, "gamma = 0.0"),
            ({"g": 100.0}, r"g = 100.0 with omega = 100.0: LRL \(27\) needs ω_± = ω ± g > 0"),
            ({"g": 0.0}, r"g = 0: ω_\+ = ω_- breaks the secular approximation"),
            ({"g": 1e-14}, "agree to rounding"),
            ({"times": [1.0, 0.5]}, "must ascend"),
            ({"times": [-1.0]}, "times entry = -1.0"),
            ({"perturbation": "B8"}, "perturbation = 'B8'"),
        ],
    )
    def test_refused(self, change, sentence):
        given = {"omega": 100.0, "g": 90.0, "epsilon": 5.0, "gamma": 1.0, "T_a": 6.0, "T_b": 4.0}
        with pytest.raises(ValueError, match=sentence):
            coupled_oscillators(**{**given, "times": [0.0], **change})


def test_generator_of_one_mode():
    """(27), (28): the Davies equation of x/√2 on two baths is loss and gain at γ/2 each."""
    bath = FlatBath(0.6, 0.8), FlatBath(0.6, 0.5)
    model, couplings, _, _ = single_mode(1.3, bath, 6)
    found = build_davies_equation(model, couplings).toarray()
    lowering = np.diag(np.sqrt(np.arange(1.0, 6)), 1)
    hamiltonian = 1.3 * lowering.T @ lowering
    expected = np.zeros((36, 36), dtype=complex)
    jumps = []
    for each in bath:
        quanta = float(each.occupation(1.3))
        jumps += [(0.3 * (quanta + 1.0), lowering), (0.3 * quanta, lowering.T)]

    def action(rho):
        image = -1j * (hamiltonian @ rho - rho @ hamiltonian)
        for rate, jump in jumps:
            lost = jump.T @ jump
            image = image + rate * (jump @ rho @ jump.T - 0.5 * (lost @ rho + rho @ lost))
        return image

    expected = slow.superoperator(action, 6)
    assert np.abs(found - expected).max() < 1e-13
