"""Whether a Hamiltonian is chaotic: spacings of levels, participation, ETH."""

from manybody.physics.problem import Problem
from manybody.physics.quantities.spacing import GOE, GUE, POISSON
from manybody.solve.level_statistics import levels_of
from manybody.solve.observables.protocol import Figure, Observable, Panel, by_rank_0

_FIGURES = {
    "spacing_ratio": Figure("mean ratio of neighbouring level spacings, middle half"),
    "participation": Figure("mean inverse participation ratio, middle half"),
    "eth_ratio": Figure("variance of diagonal over mean square of off-diagonal n_j, or A_j"),
    "degenerate_levels": Figure("neighbouring levels closer than rounding tells"),
}


def _measured(problem: Problem) -> dict[str, float]:
    """nan for fewer than three levels, as two sites with one particle have."""
    if problem.spectrum.dimension < 3:
        return dict.fromkeys(_FIGURES, float("nan"))
    found = levels_of(problem.spectrum, eth=True)
    return {
        "spacing_ratio": found.mean_ratio,
        "participation": found.participation,
        "eth_ratio": float("nan") if found.eth is None else found.eth,
        "degenerate_levels": float(found.n_degenerate),
    }


LEVEL_STATISTICS = Observable(
    name="level_statistics",
    figures=_FIGURES,
    measure=by_rank_0(_measured),
    panels=(
        Panel(
            ("spacing_ratio",),
            "level spacings",
            r"$\langle r \rangle$",
            False,
            (("Poisson", POISSON), ("GOE", GOE), ("GUE", GUE)),
        ),
        Panel(("participation",), "eigenvectors", r"$\sum_a |V_{ak}|^4$", True),
    ),
    shown=("spacing_ratio", "participation"),
    fewest_sites=3,
)
