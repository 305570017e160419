"""Figs. 2, 3 and 4 of LK and its errata as cases: the generators against the printed formulas."""

from collections.abc import Mapping
from typing import Any

from manybody.papers.kit.config import Case, Results
from manybody.papers.kit.curves import Curves, columns, compute_paper, parse_paper, tables_of_paper
from manybody.papers.levy_kosloff.errata import ERRATA
from manybody.papers.levy_kosloff.formulas import (
    global_heat_current,
    global_population,
    local_heat_current,
    local_moments,
)
from manybody.papers.levy_kosloff.model import EQUATIONS, steady_state
from manybody.papers.levy_kosloff.nodes import CONTACTS, OSCILLATORS, STATISTICS, Nodes
from manybody.physics.keys import Key

MAP, AGAINST_COUPLING, AGAINST_FREQUENCY = FIGURES = ("figure-2", "figure-3", "figure-4")
_NUMBERS = ("omega_h", "omega_c", "T_h", "T_c", "epsilon", "kappa")
_WORDS = {"statistics": STATISTICS, "approach": tuple(EQUATIONS)}
_KEYS = {
    "omega_h": Key("ω_h > 0, frequency of the node on the hot bath", "J"),
    "omega_c": Key("ω_c > 0, frequency of the node on the cold bath", "J"),
    "T_h": Key("temperature > 0 of the hot bath", "J"),
    "T_c": Key("temperature > 0 of the cold bath", "J"),
    "epsilon": Key("ε >= 0, coupling of the nodes; ε² < ω_h ω_c", "J"),
    "kappa": Key("κ > 0 of both baths: rates are κ ω³", "1/J²"),
    "statistics": Key("oscillators or two-level systems", ""),
    "approach": Key("the master equation", ""),
    "contact": Key("contact of a node and its bath: a†R + h.c., or (a + a†)R", ""),
}
_CURVES = Curves(_NUMBERS, _WORDS, 1.5e-3, {"contact": CONTACTS}, _KEYS)
_FIGURES = dict.fromkeys(FIGURES, _CURVES)
_KEPT = ("heat_current_hot", "population_a", "entropy_production")


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table, see `parse_paper`.  Raises TypeError or ValueError.

    A [[curves]] table may have contact = "position", (a + a†)R; without it it is "exchange".
    """
    return {}, parse_paper(table, _FIGURES, ERRATA)


def tables() -> dict[str, Any]:
    """Types of the keys of every table."""
    return tables_of_paper(_FIGURES)


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case.

    Lists over the points: heat_current_hot, population_a and entropy_production of the
    generator; where LK have a formula, formula_heat, formula_population, and printed_heat
    of (13) as it stands.
    """
    return compute_paper(given, dict.fromkeys(FIGURES, _curve), ERRATA)


def _curve(given: Mapping[str, Any], points: list[dict[str, Any]]) -> Results:
    rows = []
    for point in points:
        approach = point.pop("approach")
        nodes = Nodes(**point)
        found = steady_state(nodes, approach)
        rows.append({**{name: found[name] for name in _KEPT}, **_formulas(nodes, approach)})
    return columns(rows)


def _formulas(nodes: Nodes, approach: str) -> dict[str, float]:
    """(9) and (8) of the local equation, (13) and (12) of the global one for oscillators."""
    if approach == "local":
        return {
            "formula_heat": local_heat_current(nodes),
            "formula_population": local_moments(nodes)[0],
        }
    if approach == "global" and nodes.statistics == OSCILLATORS:
        return {
            "formula_heat": global_heat_current(nodes),
            "formula_population": global_population(nodes),
            "printed_heat": global_heat_current(nodes, as_printed=True),
        }
    return {}
