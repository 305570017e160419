"""What flows through a system between baths of several temperatures, in its steady states."""

import math
from functools import partial

import numpy as np

from manybody.arrays import Complex
from manybody.numerics.petsc.runtime import petsc
from manybody.parallel.collective import together
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.problem import Problem
from manybody.physics.quantities.heat import betas_of, heat_of
from manybody.physics.starts import Start
from manybody.solve.observables.protocol import Cost, Figure, Observable, Panel, dense_flops
from manybody.solve.steady import DENSE_LEVELS, EQUATIONS, steady_of
from manybody.system.communicator import Communicator

# Heat is a difference of what goes in and out: the state has to be known better than a distance.
_TOLERANCE = 1e-13
# Currents whose sum is not zero to this share are not determined.
_IMBALANCE = 1e-3
# Calls without and with Lamb shift; applications of both solutions, a site.
_SECONDS, _SECONDS_OF_SHIFTED = 8e-3, 1.6e-2
_OF_A_SITE, _OF_A_SITE_SHIFTED = 3.0, 10.0
# Of each equation, which stands for {}: meanings and units.
_MEANINGS = {
    "heat": ("heat current from the hottest baths, steady state of {}", "J2"),
    "log_heat": ("decimal logarithm of the same with {}, its mean that of typical samples", "1"),
    "heat_imbalance": (
        "sum of all heat currents with {} over the largest of a bath: their error",
        "1",
    ),
    "entropy_production": (
        "−sum over baths of beta times heat, steady state of {}; nan at T = 0",
        "J",
    ),
}
_FIGURES = {
    f"{figure}_{name}": Figure(meaning.format(name.capitalize()), unit)
    for figure, (meaning, unit) in _MEANINGS.items()
    for name in EQUATIONS
}


def _measure(problem: Problem, start: Start, comm: Communicator | None) -> dict[str, float]:
    """Currents are nan where all baths have one temperature or rounding hides one of both
    equations, so that their means are over the same samples; production where a bath has no
    temperature or T = 0."""
    found = {}
    for name in EQUATIONS:
        steady = steady_of(problem, name, start, _TOLERANCE, comm=comm)
        found[name] = together(comm, partial(_of_state, problem, steady.state, name))
    are_known = all(own["heat_imbalance"] <= _IMBALANCE for own in found.values())
    for own in found.values():
        if not are_known:
            own["heat"] = own["entropy_production"] = math.nan
        own["log_heat"] = math.log10(own["heat"]) if own["heat"] > 0.0 else math.nan
    return {f"{figure}_{name}": found[name][figure] for figure in _MEANINGS for name in EQUATIONS}


def _of_state(problem: Problem, state: Complex | None, name: str) -> dict[str, float]:
    """Heat from the hottest baths, the sum of all over the largest of one temperature, and the
    entropy that it produces."""
    assert state is not None
    heat, betas = heat_of(problem, state, name), betas_of(problem)
    # The hottest first.
    of_baths = np.array([heat[betas == beta].sum() for beta in np.unique(betas)])
    largest = float(np.abs(of_baths).max(initial=0.0))
    return {
        "heat": float(of_baths[0]) if len(of_baths) > 1 else math.nan,
        # What goes in and out of a bath is of the size of its rates: less than their rounding
        # flows where this is large.
        "heat_imbalance": abs(float(heat.sum())) / largest if largest > 0.0 else math.nan,
        "entropy_production": -float(betas @ heat) if np.isfinite(betas).all() else math.nan,
    }


def _cost(facts: SystemFacts) -> Cost:
    """The state of Redfield is that of Davies nowhere, and hot and cold ends know each other by
    what passes through all sites between: of bars of 4 to 48."""
    n, seconds = facts.dimension, _SECONDS_OF_SHIFTED if facts.lamb_shift else _SECONDS
    if n <= DENSE_LEVELS:
        return Cost(flops=dense_flops(n), seconds=seconds)
    of_a_site = _OF_A_SITE_SHIFTED if facts.lamb_shift else _OF_A_SITE
    return Cost(applications=of_a_site * n, seconds=seconds, iterations=of_a_site * n / 2.0)


HEAT = Observable(
    name="heat",
    figures=_FIGURES,
    measure=_measure,
    panels=(
        Panel(
            ("heat_redfield", "heat_davies"),
            "heat from hot to cold",
            r"mean current $[J^2]$, filled: Redfield",
            True,
        ),
        Panel(
            ("log_heat_redfield", "log_heat_davies"),
            "heat of typical samples",
            r"mean of $\log_{10}$ current, filled: Redfield",
            False,
        ),
        Panel(
            ("entropy_production_redfield", "entropy_production_davies"),
            "entropy production",
            r"$-\sum_b \beta_b J_b$ $[J]$, filled: Redfield",
            True,
        ),
    ),
    shown=("heat_redfield", "heat_davies", "heat_imbalance_redfield"),
    fewest_sites=2,
    needs_bath=True,
    several_temperatures=True,
    library=petsc,
    cost=_cost,
    krylov=True,
    block_cost=1e6,
)
