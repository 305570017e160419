"""Why Redfield and Davies agree: how the generators' differences add up over baths."""

import numpy as np

from manybody.physics.problem import Problem
from manybody.physics.quantities.cancellation import cancellation_of
from manybody.physics.spectra import SIMPLE
from manybody.solve.observables.protocol import Figure, Observable, Panel, by_rank_0

_VECTORS, _ROWS = 8, 512
_FIGURES = {
    "generator_ratio": Figure("c_F: norm of R - D over norm of D, dissipators, no Lamb shift"),
    "weighted_ratio": Figure("kappa: the same with detuned elements weighed down"),
    "weighted_ratio_error": Figure("Monte-Carlo standard error of kappa"),
    "nonsecular_ratio": Figure("a_ns: how the non-secular parts of all baths add up"),
    "secular_ratio": Figure("a_sec: how the secular parts add up"),
}


def _measured(problem: Problem) -> dict[str, float]:
    """nan where Bohr frequencies coincide: the measures are not defined there."""
    if problem.clustering.verdict != SIMPLE:
        return dict.fromkeys(_FIGURES, float("nan"))
    found = cancellation_of(problem, _VECTORS, np.random.default_rng(0), _ROWS)
    return {name: float(getattr(found, name)) for name in _FIGURES}


CANCELLATION = Observable(
    name="cancellation",
    one_bath=True,
    figures=_FIGURES,
    measure=by_rank_0(_measured),
    panels=(
        Panel(
            ("generator_ratio", "weighted_ratio"),
            "cancellation",
            r"$c_F$ (filled), $\kappa$ (open)",
            True,
        ),
        Panel(
            ("secular_ratio", "nonsecular_ratio"),
            "how baths add up",
            r"$a_{sec}$ (filled), $a_{ns}$ (open)",
            True,
        ),
    ),
    shown=("generator_ratio", "weighted_ratio", "nonsecular_ratio", "secular_ratio"),
)
