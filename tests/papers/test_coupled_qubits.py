"""LRL section III D: check values, closed forms, definitions and limits of two coupled qubits."""

import json

import conftest
import many_body_oracles as slow
import numpy as np
import pytest
from paper_curves import curve

from manybody.papers.levy_rabani_limmer import cases
from manybody.papers.levy_rabani_limmer.baths import FlatBath
from manybody.papers.levy_rabani_limmer.formulas import local_correction, unperturbed_current
from manybody.papers.levy_rabani_limmer.model import coupled_qubits
from manybody.papers.levy_rabani_limmer.qubits import LEVELS, LIMITS, QubitSystem
from manybody.physics.response.entropy_response import heat_current_response
from manybody.physics.response.linear_response import LinearResponse
from manybody.physics.response.perturbed import build_perturbed_generator

ROWS = json.loads((conftest.CHECKS / "networks.json").read_text())["levy_rabani_limmer_qubits"]
Z, LOWER, ONE = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.eye(2)


def arguments(row):
    mean, half = row["Tbar"], 0.5 * row["dT"]
    return row["omega"], row["g"], row["delta_Omega"], mean + half, mean - half


@pytest.mark.parametrize("row", ROWS)
class TestCheckValues:
    def test_currents(self, row):
        below, local, above = (coupled_qubits(*arguments(row), limit=limit) for limit in LIMITS)
        relative = {"rel": 1e-12, "abs": 0.0}
        assert below["heat_current_a"] == pytest.approx(row["J0"], **relative)
        assert local["response_a"] == pytest.approx(row["dJ1"], **relative)
        assert local["heat_current_a"] == pytest.approx(row["J0_plus_dJ1"], **relative)
        assert above["heat_current_a"] == pytest.approx(row["J46"], **relative)
        if row["delta_Omega"] == 0.0:
            assert above["response_a"] == 0.0
        else:
            assert above["response_a"] == pytest.approx(row["J46_minus_J0"], **relative)

    def test_populations(self, row):
        found = coupled_qubits(*arguments(row), limit="global")["populations"]
        expected = [row["pops"][level] for level in LEVELS]
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "case",
    [
        (1000.0, 200.0, 50.0, 80.0, 20.0, 1.0),
        (1.0, -0.7, 0.1, 1e4, 2e4, 1e-7),
        (1.0, 0.3, 0.01, 0.02, 0.05, 2.0),
        (1.0, 0.3, -0.02, 1.0, 1.0 + 2.0**-40, 1.0),
    ],
    ids=["paper", "hot", "cold", "close temperatures"],
)
def test_closed_forms(case):
    omega, g, shift, T_a, T_b, gamma = case
    below = coupled_qubits(*case, limit="unperturbed")["heat_current_a"]
    response = coupled_qubits(*case, limit="local")["response_a"]
    # n_a − n_b = sinh(x_b − x_a)/(2 sinh x_a sinh x_b), x = ω/2T, keeps the digits of (42), (43).
    total, numerator, denominator = 0.0, 0.0, 2.0
    for frequency in (omega + g, omega - g):
        x = [0.5 * frequency / t for t in (T_a, T_b)]
        gap = 0.5 * frequency * (T_a - T_b) / T_a / T_b
        difference = 0.5 * np.sinh(gap) / np.sinh(x[0]) / np.sinh(x[1])
        mean = 0.5 / np.tanh(x[0]) + 0.5 / np.tanh(x[1])
        total += gamma * frequency * difference / (4.0 * mean)
        numerator += gamma * shift * difference
        denominator *= mean
    assert below == pytest.approx(total, rel=1e-13, abs=0.0)
    # The shares of four channels cancel as T/ω.
    assert response == pytest.approx(-numerator / denominator, rel=1e-15 * T_a + 1e-12, abs=0.0)
    if abs(T_a - T_b) > 1e-3:
        found = unperturbed_current(QubitSystem(*case))
        assert found == pytest.approx(total, rel=1e-10, abs=0.0)
        found = local_correction(QubitSystem(*case))
        assert found == pytest.approx(-numerator / denominator, rel=1e-10, abs=0.0)


def definition(omega, g, shift):
    """H and σ_x^A, σ_x^B from Pauli matrices; qubit A first, |0⟩ below |1⟩."""
    X, Y = LOWER + LOWER.T, 1j * (LOWER - LOWER.T)

    def both(first, second):
        return np.kron(first, second)

    hamiltonian = 0.5 * omega * (both(Z, ONE) + both(ONE, Z)) + shift * both(Z, Z)
    hamiltonian = hamiltonian + 0.5 * g * (both(X, X) + both(Y, Y))
    return hamiltonian, (both(X, ONE), both(ONE, X))


@pytest.mark.parametrize("shift", [0.0, 0.07])
def test_definition(shift):
    """The whole generator, coherences included, from Pauli matrices, (37)-(41) and (C5)."""
    omega, g, temperatures = 1.3, 0.4, (0.9, 0.5)
    system = QubitSystem(omega, g, shift, *temperatures, 0.2)
    baths, found = system.baths, system.generator.toarray()
    hamiltonian, operators = definition(omega, g, shift)
    pairs = [(operator, bath.gamma, None) for operator, bath in zip(operators, baths)]
    # Modes turn from the last qubit and count from |0⟩: 00, 10, 01, 11 are 3, 1, 2, 0 here.
    place = np.array([3, 1, 2, 0])
    index = (4 * place[:, None] + place).ravel()
    expected = slow.davies(hamiltonian, pairs)[np.ix_(index, index)]
    assert np.abs(found - expected).max() < 1e-14
    limit = "global" if shift else "unperturbed"
    result = coupled_qubits(omega, g, shift, *temperatures, gamma=0.2, limit=limit)
    levels = [-omega + shift, -g - shift, g - shift, omega + shift]
    np.testing.assert_allclose(result["energies"], levels, rtol=1e-14)
    _, _, right = np.linalg.svd(expected)
    rho = right[-1].conj().reshape(4, 4) / np.trace(right[-1].conj().reshape(4, 4))
    turned = slow.davies(hamiltonian, pairs[:1])[np.ix_(index, index)]
    change = (turned @ rho.ravel()).reshape(4, 4)
    current = np.trace(hamiltonian[np.ix_(place, place)] @ change).real
    assert result["heat_current_a"] == pytest.approx(current, rel=1e-12, abs=0.0)
    assert result["heat_current_b"] == pytest.approx(-current, rel=1e-12, abs=0.0)
    produced = current * (1.0 / temperatures[1] - 1.0 / temperatures[0])
    assert result["entropy_production"] == pytest.approx(produced, rel=1e-12, abs=0.0)


def test_signs_of_44():
    """σ_x^A = −S_1 + S_2 + S_3 + S_4 + h.c., σ_x^B = S_1 + S_2 + S_3 − S_4 + h.c. for (45)."""
    ground, upper, lower, top = np.eye(4)[[3, 1, 2, 0]]
    # |01⟩ has qubit B up: index 2; |10⟩ index 1.
    plus, minus = (lower + upper) / np.sqrt(2.0), (lower - upper) / np.sqrt(2.0)
    first = np.outer(ground, minus), np.outer(ground, plus)
    second = np.outer(plus, top), np.outer(minus, top)
    steps = [step / np.sqrt(2.0) for step in (*first, *second)]
    _, operators = definition(1.0, 0.3, 0.0)
    for operator, signs in zip(operators, [(-1, 1, 1, 1), (1, 1, 1, -1)]):
        total = sum(sign * step for sign, step in zip(signs, steps))
        np.testing.assert_allclose(total + total.T, operator, atol=1e-15)
    printed = sum(steps)
    assert np.abs(printed + printed.T - operators[0]).max() > 0.5


class TestResponse:
    PARAMETERS = (1.3, 0.4)
    TEMPERATURES = (0.9, 0.5)

    def perturbed(self, shift, fixed):
        system = QubitSystem(*self.PARAMETERS, shift, *self.TEMPERATURES, 0.2)
        perturbation = np.diag([1.0, -1.0, -1.0, 1.0])
        return build_perturbed_generator(
            system.model, system.couplings, perturbation, fixed_dissipator=fixed
        )

    def test_small_perturbation(self):
        # (36): the commutator alone; π_0 commutes with V, and J_1 is (43).
        response = LinearResponse(self.perturbed(0.0, True))
        assert np.abs(response.steady_change).max() < 1e-14
        found = heat_current_response(response, response.steady_change)
        expected = local_correction(QubitSystem(*self.PARAMETERS, 1.0, *self.TEMPERATURES, 0.2))
        np.testing.assert_allclose(found, [expected, -expected], rtol=1e-11)

    def test_large_perturbation_is_no_response(self):
        with pytest.raises(ValueError, match="splits the Bohr frequency.*section III C"):
            self.perturbed(0.0, False)

    def test_slope_of_46(self):
        # With the gaps apart the heat current of (46) has a derivative, of rates alone.
        response = LinearResponse(self.perturbed(0.07, False))
        found = heat_current_response(response, response.steady_change)[0]

        def current(shift):
            case = (*self.PARAMETERS, shift, *self.TEMPERATURES, 0.2, "global")
            return coupled_qubits(*case)["heat_current_a"]

        steps = [(current(0.07 + h) - current(0.07 - h)) / (2.0 * h) for h in (4e-3, 2e-3, 1e-3)]
        expected = (64.0 * steps[2] - 20.0 * steps[1] + steps[0]) / 45.0
        assert found == pytest.approx(expected, rel=1e-11, abs=0.0)


class TestLimits:
    def test_equal_temperatures(self):
        for limit in LIMITS:
            result = coupled_qubits(1000.0, 200.0, 50.0, 60.0, 60.0, limit=limit)
            assert result["heat_current_a"] == result["response_a"] == 0.0
            weights = np.exp(-(result["energies"] - result["energies"][0]) / 60.0)
            if limit != "local":
                found = result["populations"]
                np.testing.assert_allclose(found, weights / weights.sum(), rtol=1e-13)

    def test_baths_exchanged(self):
        here = coupled_qubits(1000.0, 200.0, 50.0, 60.0, 40.0, limit="global")
        there = coupled_qubits(1000.0, 200.0, 50.0, 40.0, 60.0, limit="global")
        assert there["heat_current_a"] == pytest.approx(here["heat_current_b"], rel=1e-13, abs=0.0)
        assert here["entropy_production"] > 0.0

    def test_no_perturbation(self):
        case = (1000.0, 200.0, 0.0, 60.0, 40.0)
        currents = {coupled_qubits(*case, limit=limit)["heat_current_a"] for limit in LIMITS}
        assert len(currents) == 1
        # The dissipator jumps at δ = 0, the populations and their currents do not.
        near = coupled_qubits(1000.0, 200.0, 1e-6, 60.0, 40.0, limit="global")
        assert near["heat_current_a"] == pytest.approx(currents.pop(), rel=1e-7)

    def test_sign_of_g(self):
        here = coupled_qubits(1000.0, 200.0, 50.0, 60.0, 40.0, limit="global")
        there = coupled_qubits(1000.0, -200.0, 50.0, 60.0, 40.0, limit="global")
        assert there["heat_current_a"] == pytest.approx(here["heat_current_a"], rel=1e-13, abs=0.0)
        swapped = there["populations"][[0, 2, 1, 3]]
        np.testing.assert_allclose(swapped, here["populations"], rtol=1e-13)

    def test_frozen_baths(self):
        result = coupled_qubits(1000.0, 200.0, 50.0, 0.5, 0.3, limit="global")
        np.testing.assert_array_equal(result["populations"], [1.0, 0.0, 0.0, 0.0])
        assert result["heat_current_a"] == 0.0


class TestFigures:
    """What the text says of the figures: amplified at low temperature, gone at high."""

    CAPTION = {"omega": 1000.0, "g": 200.0, "gamma": 1.0}

    def of_limits(self, figure, over, ends, points, name, spacing="linear", **given):
        return {
            limit: curve(
                cases, figure, over, ends, points, spacing, limit=limit, **self.CAPTION, **given
            )[name]
            for limit in LIMITS
        }

    def test_currents(self):
        given = {"mean_temperature": 50.0, "delta_Omega": 50.0}
        found = self.of_limits(
            "figure-4b", "difference", (1.0, 80.0), 21, "heat_current_a", **given
        )
        assert np.all(found["global"] > 2.0 * found["unperturbed"])
        assert np.all(np.diff(found["global"]) > 0.0)

    def test_responses(self):
        given = {"difference": 20.0, "delta_Omega": 50.0}
        ends = (20.0, 5e3)
        found = self.of_limits(
            "figure-4c", "mean_temperature", ends, 5, "response_a", "log", **given
        )
        assert found["global"][0] > 0.0 > found["local"][0]
        assert found["global"][-1] / found["local"][-1] == pytest.approx(1.0, abs=0.01)

    def test_perturbations(self):
        given = {"mean_temperature": 50.0, "difference": 20.0}
        found = self.of_limits(
            "figure-5", "delta_Omega", (0.0, 100.0), 3, "heat_current_a", **given
        )
        assert found["global"][-1] > 20.0 * found["unperturbed"][-1]


class TestArguments:
    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"T_a": -1.0}, r"T_a.*LRL \(4\).* = -1.0: must be a finite real number > 0"),
            ({"T_b": 0.0}, r"T_b.*LRL \(4\).* = 0.0"),
            ({"omega": 0.0}, "omega = 0.0"),
            ({"gamma": 0.0}, "gamma = 0.0"),
            ({"g": 1000.0}, r"g = 1000.0 with omega = 1000.0: LRL \(39\) needs ω_± = ω ± g > 0"),
            ({"g": 0.0}, r"g = 0: ω_\+ = ω_- breaks the secular approximation"),
            ({"delta_Omega": -400.0}, r"delta_Omega = -400.0 .* LRL \(45\) needs"),
            ({"limit": "both"}, "limit = 'both'"),
        ],
    )
    def test_refused(self, change, sentence):
        given = {"omega": 1e3, "g": 200.0, "delta_Omega": 50.0, "T_a": 60.0, "T_b": 40.0}
        with pytest.raises(ValueError, match=sentence):
            coupled_qubits(**{**given, "limit": "global", **change})

    def test_types(self):
        with pytest.raises(TypeError, match="T_a"):
            coupled_qubits(1000.0, 200.0, 50.0, "hot", 40.0)

    def test_no_lamb_shift(self):
        with pytest.raises(ValueError, match="Lamb shift"):
            FlatBath(1.0, 1.0).eta(0.3)
