"""Figs. 2 to 5 of LRL and its errata as cases: the generators against the printed formulas."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.papers.kit.config import Case, Results
from manybody.papers.kit.curves import Curves, columns, compute_paper, parse_paper
from manybody.papers.levy_rabani_limmer.baths import FlatBath
from manybody.papers.levy_rabani_limmer.errata import ERRATA
from manybody.papers.levy_rabani_limmer.oscillators import OscillatorSystem, coupled_oscillators
from manybody.papers.levy_rabani_limmer.qubits import (
    LIMITS,
    coupled_qubits,
    local_correction,
    unperturbed_current,
)

IN_TIME, AGAINST_TEMPERATURE = "figure-2", "figure-3"
QUBITS = ("figure-4b", "figure-4c", "figure-5")
_OSCILLATORS = ("omega", "g", "epsilon", "gamma")
_BATHS = ("mean_temperature", "difference")
_TWO_QUBITS = ("omega", "g", "delta_Omega", "gamma")
_KINDS = {
    IN_TIME: Curves(("time", *_OSCILLATORS, "T_a", "T_b"), {}, 1e-4),
    AGAINST_TEMPERATURE: Curves((*_BATHS, *_OSCILLATORS), {}, 1e-2),
    **{name: Curves((*_BATHS, *_TWO_QUBITS), {"limit": LIMITS}, 7e-3) for name in QUBITS},
}


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    return {}, parse_paper(table, _KINDS, ERRATA)


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case, lists over its points.

    figure-2: Phi_11 and Phi_12 from the generator, ..._formula of (31) and (32) corrected,
    ..._printed of (31) and (32).  figure-3: their sums for t → ∞, response and so on, and
    kubo, the first alone.  figure-4b to figure-5: heat_current_a and response_a; formula and
    formula_response from (42), (43) or (46).  Responses are per δ.
    """
    figures = {
        IN_TIME: _in_time,
        AGAINST_TEMPERATURE: _against_temperature,
        **dict.fromkeys(QUBITS, _qubits),
    }
    return compute_paper(given, figures, ERRATA)


def _in_time(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    if given["over"] != "time":
        raise InputError(f"over = {given['over']!r}: {IN_TIME} runs over time")
    times = np.array([point["time"] for point in points])
    fixed = {key: given[key] for key in (*_OSCILLATORS, "T_a", "T_b")}
    found = coupled_oscillators(**fixed, times=times)
    kubo, dissipator = _corrected(OscillatorSystem(**fixed), times)
    return {
        "Phi_11": found["Phi_11"].tolist(),
        "Phi_12": found["Phi_12"].tolist(),
        "Phi_11_formula": kubo.tolist(),
        "Phi_12_formula": dissipator.tolist(),
        "Phi_11_printed": found["Phi_11_printed"].tolist(),
        "Phi_12_printed": found["Phi_12_printed"].tolist(),
        "population": found["population"],
    }


def _corrected(system: OscillatorSystem, times: Real) -> tuple[Real, Real]:
    """Integrals of (31) and of (32) with −1 in place of n̄_- − 1."""
    rate, size = _rate_and_size(system)
    turned = (np.exp(rate * times) - 1.0) / rate
    return (-size * rate.imag * turned.imag), (-0.5 * size * system.gamma * turned.real)


def _rate_and_size(system: OscillatorSystem) -> tuple[complex, float]:
    """iω_- − γ/2 and 3ε(2n̄_- + 1)/ω_+."""
    lower = system.omega - system.g
    mean = 0.5 * sum(float(bath.occupation(lower)) for bath in system.baths)
    return complex(-0.5 * system.gamma, lower), 3.0 * system.displacement * (2.0 * mean + 1.0)


def _temperatures(point: Mapping[str, Any]) -> dict[str, float]:
    mean, half = point["mean_temperature"], 0.5 * point["difference"]
    return {"T_a": mean + half, "T_b": mean - half}


def _against_temperature(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    rows = []
    for point in points:
        fixed = {key: point[key] for key in _OSCILLATORS} | _temperatures(point)
        found = coupled_oscillators(**fixed, times=[0.0])
        # (34) with −1 adds up to −3ε(2n̄_- + 1)/ω_+, whatever γ is.
        _, size = _rate_and_size(OscillatorSystem(**fixed))
        rows.append(
            {
                "response": found["Phi_11_infinity"] + found["Phi_12_infinity"],
                "kubo": found["Phi_11_infinity"],
                "formula": -size,
                "printed": found["Phi_11_infinity_printed"] + found["Phi_12_infinity_printed"],
            }
        )
    return columns(rows)


def _qubits(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    rows = []
    for point in points:
        fixed = {key: point[key] for key in _TWO_QUBITS} | _temperatures(point)
        found = coupled_qubits(**fixed, limit=point["limit"])
        shift = fixed.pop("delta_Omega")
        below = unperturbed_current(**fixed)
        response = 0.0
        if point["limit"] == "local":
            response = local_correction(**fixed, delta_Omega=shift)
        if point["limit"] == "global":
            response = four_channel_current(**fixed, delta_Omega=shift) - below
        rows.append(
            {
                "heat_current_a": found["heat_current_a"],
                "response_a": found["response_a"],
                "formula": below + response,
                "formula_response": response,
            }
        )
    return columns(rows)


def four_channel_current(
    omega: float, g: float, delta_Omega: float, T_a: float, T_b: float, gamma: float
) -> float:
    """J^a of LRL (46), of populations from the rates of the four channels of (45)."""
    levels = {"00": 0, "-": 1, "+": 2, "11": 3}
    steps = (
        ("00", "-", -g, -1.0),
        ("00", "+", g, -1.0),
        ("+", "11", -g, 1.0),
        ("-", "11", g, 1.0),
    )
    rates = np.zeros((2, 4, 4))
    for low, high, coupling, sign in steps:
        frequency = omega + coupling + sign * 2.0 * delta_Omega
        for place, temperature in enumerate((T_a, T_b)):
            n = float(FlatBath(gamma, temperature).occupation(frequency))
            rates[place, levels[low], levels[high]] = 0.5 * gamma * (n + 1.0)
            rates[place, levels[high], levels[low]] = 0.5 * gamma * n
    total = rates.sum(axis=0)
    balance = total - np.diag(total.sum(axis=0))
    balance[0] = 1.0
    populations = np.linalg.solve(balance, np.eye(4)[0])
    current = 0.0
    for low, high, coupling, sign in steps:
        down, up = levels[low], levels[high]
        absorbed = rates[0, up, down] * populations[down] - rates[0, down, up] * populations[up]
        current += (omega + coupling + sign * 2.0 * delta_Omega) * absorbed
    return float(current)
