"""How local a bath acts on a lattice."""

import numpy as np

from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.problem import Problem
from manybody.physics.quantities.locality import drawn_centres, locality_of, site_distances
from manybody.solve.observables.protocol import Figure, Observable, by_rank_0

# Bonds up to which locality is recorded; sites looked at; what counts as an entry of a row.
_FURTHEST, _CENTRES, _SHARE = 8, 32, 1e-2
_FIGURES = {
    **{
        f"locality_{distance}": Figure(
            f"rms element of Lambda_j at {distance} bonds from j over the largest; undefined "
            "where no site is as far"
        )
        for distance in range(_FURTHEST + 1)
    },
    "locality_row": Figure("entries of row <j|Lambda_j above a hundredth of the largest"),
}


def _measured(problem: Problem) -> dict[str, float]:
    """nan for models without a lattice, and of more than one particle."""
    found = dict.fromkeys(_FIGURES, float("nan"))
    model = problem.model
    if not isinstance(model, SingleParticleModel) or model.lattice is None:
        return found
    centres = drawn_centres(np.flatnonzero(model.coupled), _CENTRES, 0)
    profile = locality_of(problem, site_distances(model), centres, np.array([_SHARE]))
    for distance, rms in zip(profile.distances, profile.rms):
        if distance <= _FURTHEST:
            found[f"locality_{int(distance)}"] = float(rms)
    found["locality_row"] = float(profile.row_counts[0])
    return found


LOCALITY = Observable(
    name="locality",
    figures=_FIGURES,
    measure=by_rank_0(_measured),
    one_bath=True,
    shown=("locality_1", "locality_2"),
)
