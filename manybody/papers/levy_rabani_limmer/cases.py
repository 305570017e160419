"""Figs. 2 to 5 of LRL and its errata as cases: the generators against the printed formulas."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manybody.errors import InputError
from manybody.papers.kit.config import Case, Results
from manybody.papers.kit.curves import Curves, columns, compute_paper, parse_paper, tables_of_paper
from manybody.papers.levy_rabani_limmer.errata import ERRATA
from manybody.papers.levy_rabani_limmer.formulas import (
    corrected_responses,
    printed_response,
    rate_and_size,
    unperturbed_current,
)
from manybody.papers.levy_rabani_limmer.model import response
from manybody.papers.levy_rabani_limmer.oscillators import OscillatorSystem
from manybody.papers.levy_rabani_limmer.qubits import LIMITS, QubitSystem, steady_state
from manybody.physics.keys import Key

IN_TIME, AGAINST_TEMPERATURE = "figure-2", "figure-3"
QUBITS = ("figure-4b", "figure-4c", "figure-5")
_OSCILLATORS = ("omega", "g", "epsilon", "gamma")
_BATHS = ("mean_temperature", "difference")
_TWO_QUBITS = ("omega", "g", "delta_Omega", "gamma")
_KEYS = {
    "time": Key("time since the perturbation", "1/J"),
    "omega": Key("ω, frequency of both", "J"),
    "g": Key("g ≠ 0, their coupling; ω > |g|", "J"),
    "epsilon": Key("ε, the displacement of (25)", "J"),
    "gamma": Key("γ > 0, rate of both baths", "J"),
    "T_a": Key("temperature > 0 of the first bath", "J"),
    "T_b": Key("temperature > 0 of the second bath", "J"),
    "mean_temperature": Key("(T_a + T_b)/2", "J"),
    "difference": Key("T_a − T_b", "J"),
    "delta_Omega": Key("δΩ, the perturbation of (38)", "J"),
    "limit": Key("how far the dissipator knows of the perturbation", ""),
}
_KINDS = {
    IN_TIME: Curves(("time", *_OSCILLATORS, "T_a", "T_b"), cost=1e-4, keys=_KEYS),
    AGAINST_TEMPERATURE: Curves((*_BATHS, *_OSCILLATORS), cost=1e-2, keys=_KEYS),
    **{
        name: Curves((*_BATHS, *_TWO_QUBITS), {"limit": LIMITS}, 7e-3, keys=_KEYS)
        for name in QUBITS
    },
}


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    return {}, parse_paper(table, _KINDS, ERRATA)


def tables() -> dict[str, Any]:
    """Types of the keys of every table."""
    return tables_of_paper(_KINDS)


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
    system = OscillatorSystem(**{key: given[key] for key in (*_OSCILLATORS, "T_a", "T_b")})
    found = response(system, times)
    kubo, dissipator = corrected_responses(system, times)
    return {
        **{name: found[name].tolist() for name in ("Phi_11", "Phi_12")},
        "Phi_11_formula": kubo.tolist(),
        "Phi_12_formula": dissipator.tolist(),
        **{name: found[name].tolist() for name in ("Phi_11_printed", "Phi_12_printed")},
        "population": found["population"],
    }


def _temperatures(point: Mapping[str, Any]) -> dict[str, float]:
    mean, half = point["mean_temperature"], 0.5 * point["difference"]
    return {"T_a": mean + half, "T_b": mean - half}


def _against_temperature(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    rows = []
    for point in points:
        fixed = {key: point[key] for key in _OSCILLATORS} | _temperatures(point)
        system = OscillatorSystem(**fixed)
        found = response(system, [0.0])
        rows.append(
            {
                "response": found["Phi_11_infinity"] + found["Phi_12_infinity"],
                "kubo": found["Phi_11_infinity"],
                # (34) with −1 adds up to −3ε(2n̄_- + 1)/ω_+, whatever γ is.
                "formula": -rate_and_size(system)[1],
                "printed": found["Phi_11_infinity_printed"] + found["Phi_12_infinity_printed"],
            }
        )
    return columns(rows)


def _qubits(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    rows = []
    for point in points:
        fixed = {key: point[key] for key in _TWO_QUBITS} | _temperatures(point)
        system = QubitSystem(**fixed)
        found = steady_state(system, point["limit"])
        formula_response = printed_response(system, point["limit"])
        rows.append(
            {
                "heat_current_a": found["heat_current_a"],
                "response_a": found["response_a"],
                "formula": unperturbed_current(system) + formula_response,
                "formula_response": formula_response,
            }
        )
    return columns(rows)
