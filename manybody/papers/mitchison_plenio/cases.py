"""Figs. 3, 4 and 5 of MP, its errata, and what master equations give beside the exact answer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manybody.errors import InputError
from manybody.papers.kit.config import Case, Results
from manybody.papers.kit.curves import Curves, columns, compute_paper, parse_paper, tables_of_paper
from manybody.papers.mitchison_plenio.errata import ERRATA
from manybody.papers.mitchison_plenio.formulas import (
    interference,
    optical_currents,
    transmission,
    transmission_by_overlap,
    transmission_weak,
)
from manybody.papers.mitchison_plenio.generators import (
    asymptotic_rates,
    lead_rates,
    non_markovianity,
)
from manybody.papers.mitchison_plenio.model import METHODS, mitchison_plenio
from manybody.papers.mitchison_plenio.two_modes import Complex, TwoModes, to_modes
from manybody.physics.gaussian import landauer
from manybody.physics.gaussian.discretised import legendre_modes
from manybody.physics.gaussian.exact import build_closed_system, propagate
from manybody.physics.keys import Key

TRANSMISSION, EVOLUTION, MARKOV, EQUATIONS = FIGURES = (
    "figure-3",
    "figure-4",
    "figure-5",
    "equations",
)
LEADS = "leads"
SHIFTED = "redfield-shift"
_SYSTEM = ("h", "delta", "g", "Gamma", "Omega")
_STATES = ("mu_L", "mu_R", "T_L", "T_R")
_KEYS = {
    "omega": Key("energy of what is transmitted", "J"),
    "time": Key("time since the system was empty", "1/J"),
    "h": Key("mean level of the two sites", "J"),
    "delta": Key("δ = h_L − h_R", "J"),
    "g": Key("tunnel coupling: the sites are coupled by −g/2", "J"),
    "Gamma": Key("Γ, strength of both leads", "J"),
    "Omega": Key("Ω, half of their band width", "J"),
    "mu_L": Key("chemical potential of the left lead", "J"),
    "mu_R": Key("chemical potential of the right lead", "J"),
    "T_L": Key("temperature > 0 of the left lead", "J"),
    "T_R": Key("temperature > 0 of the right lead", "J"),
    "method": Key("the equation; leads is the brute force, redfield-shift has a Lamb shift", ""),
}
_KINDS = {
    TRANSMISSION: Curves(("omega", *_SYSTEM), cost=1e-4, keys=_KEYS),
    EVOLUTION: Curves(
        ("time", *_SYSTEM, *_STATES), {"method": (*METHODS, LEADS)}, 0.02, keys=_KEYS
    ),
    MARKOV: Curves((*_SYSTEM, *_STATES), cost=1.2e-2, keys=_KEYS),
    EQUATIONS: Curves((*_SYSTEM, *_STATES), {"method": (*METHODS, SHIFTED)}, 1e-2, keys=_KEYS),
}
# Of each lead, for MP (20): enough for Ωt up to 500, measured against the exact answer.
_MODES = 640
ELEMENTS = ("C_11", "C_22", "re_C_12", "im_C_12")


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    return {}, parse_paper(table, _KINDS, ERRATA)


def tables() -> dict[str, Any]:
    """Types of the keys of every table."""
    return tables_of_paper(_KINDS)


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case, lists over its points.

    figure-3: transmission from Green's functions, formula (45), weak (46).  figure-4:
    `ELEMENTS` from the empty system; "leads" is the brute force with finite leads.  figure-5:
    ν∞, and formula and printed from (66) as it should be and as it stands.  equations: the
    steady state, currents out of lead L and entropy production; of "exact" reference_... from
    the quadrature of Green's functions, of "additive" formula_... of (61), (62).
    """
    figures = {
        TRANSMISSION: _transmission,
        EVOLUTION: _evolution,
        MARKOV: _non_markovianity,
        EQUATIONS: _steady,
    }
    return compute_paper(given, figures, ERRATA)


def _transmission(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    if given["over"] != "omega":
        raise InputError(f"over = {given['over']!r}: {TRANSMISSION} runs over omega")
    system = {key: given[key] for key in _SYSTEM}
    network = TwoModes(**system, mu_L=0.0, mu_R=0.0, T_L=1.0, T_R=1.0)
    omega = np.array([point["omega"] for point in points])
    return {
        "transmission": transmission(network, omega).tolist(),
        "formula": transmission_by_overlap(network, omega).tolist(),
        "weak": transmission_weak(network, omega).tolist(),
    }


def _evolution(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    if given["over"] != "time":
        raise InputError(f"over = {given['over']!r}: {EVOLUTION} runs over time")
    fixed = {key: given[key] for key in (*_SYSTEM, *_STATES)}
    times = np.array([point["time"] for point in points])
    if given["method"] == LEADS:
        network = TwoModes(**fixed)
        baths = [legendre_modes(c.reservoir, _MODES, power=2) for c in network.model.contacts]
        closed = build_closed_system(network.model, baths)
        brute = propagate(closed, np.zeros((2, 2)), times)
        return _elements(to_modes(network, brute.correlations.swapaxes(1, 2)))
    found = mitchison_plenio(**fixed, times=times, method=given["method"])
    return _elements(found["correlation_matrix"])


def _elements(matrices: Complex) -> dict[str, list[float]]:
    parts = (
        matrices[:, 0, 0].real,
        matrices[:, 1, 1].real,
        matrices[:, 0, 1].real,
        matrices[:, 0, 1].imag,
    )
    return {name: values.tolist() for name, values in zip(ELEMENTS, parts)}


def _non_markovianity(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    """(82) of Λ⁺ of (55), and of Λ⁺ put together from (58) and (66), (67)."""
    rows = []
    for point in points:
        network = TwoModes(**point)
        gain, damping = asymptotic_rates(network)
        row = {"non_markovianity": float(non_markovianity(gain, damping))}
        diagonal = lead_rates(network).gain.sum(axis=0)
        for name, printed in (("formula", False), ("printed", True)):
            cross = interference(network, printed=printed)
            built = np.array([[diagonal[0], cross], [np.conj(cross), diagonal[1]]])
            row[name] = float(non_markovianity(built, damping))
        rows.append(row)
    return columns(rows)


def _steady(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    rows = []
    for point in points:
        fixed = {key: point[key] for key in (*_SYSTEM, *_STATES)}
        shift = given["method"] == SHIFTED
        method = "redfield" if shift else given["method"]
        found = mitchison_plenio(**fixed, method=method, lamb_shift=shift)
        row = {
            name: values[0]
            for name, values in _elements(found["correlation_matrix"][None]).items()
        }
        row |= {
            name: float(found[name])
            for name in ("particle_current", "energy_current", "entropy_production")
        }
        if method == "exact":
            general = landauer.steady_state(TwoModes(**fixed).model)
            row["reference_particle"] = float(general.particle_currents[0])
            row["reference_energy"] = float(general.energy_currents[0])
        if method == "additive":
            row["formula_particle"], row["formula_energy"] = optical_currents(TwoModes(**fixed))
        rows.append(row)
    return columns(rows)
