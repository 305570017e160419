"""What a study measures of a sample beside the distance in time: one figure a sample each."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manybody.parallel.collective import together
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.quantities.cancellation import cancellation_measures
from manybody.physics.quantities.locality import locality_profile
from manybody.physics.spectra import SIMPLE, build_spectrum, cluster_bohr_frequencies
from manybody.solve.level_statistics import level_statistics
from manybody.solve.modes import slow_modes
from manybody.solve.steady import steady_state
from manybody.study.configuration import Study


@dataclass(frozen=True)
class Figure:
    """One number a sample: what it is and its unit."""

    meaning: str
    unit: str = "1"


# Bonds up to which locality is recorded.
_FURTHEST = 8

FIGURES: Mapping[str, Mapping[str, Figure]] = {
    "steady_state": {
        "steady_distance": Figure(
            "trace norm of rho_Davies - rho_Redfield, both averaged over long times"
        ),
        "steady_smallest_eigenvalue": Figure("smallest eigenvalue of that of Redfield"),
        "steady_error": Figure("estimated error of that of Redfield in trace norm"),
        "steady_null_dimension": Figure("number of independent stationary matrices"),
        "steady_iterations": Figure("iterations of GMRES"),
    },
    "gap": {
        "gap": Figure("slowest decay rate of Redfield, min -Re; negative where a mode grows", "J"),
        "gap_frequency": Figure("|Im| of that mode", "J"),
        "gap_davies": Figure("slowest decay rate of Davies", "J"),
        "gap_residual": Figure("|L[x] - lambda x| of the slowest mode of norm 1", "J"),
    },
    "level_statistics": {
        "spacing_ratio": Figure("mean ratio of neighbouring level spacings, middle half"),
        "participation": Figure("mean inverse participation ratio, middle half"),
        "eth_ratio": Figure("variance of diagonal over mean square of off-diagonal n_j"),
        "degenerate_levels": Figure("neighbouring levels closer than rounding tells"),
    },
    "cancellation": {
        "generator_ratio": Figure("c_F: norm of R - D over norm of D, dissipators, no Lamb shift"),
        "weighted_ratio": Figure("kappa: the same with detuned elements weighed down"),
        "weighted_ratio_error": Figure("Monte-Carlo standard error of kappa"),
        "nonsecular_ratio": Figure("a_ns: how the non-secular parts of all baths add up"),
        "secular_ratio": Figure("a_sec: how the secular parts add up"),
    },
    "locality": {
        **{
            f"locality_{distance}": Figure(
                f"rms element of Lambda_j at {distance} bonds from j over the largest; undefined "
                "where no site is as far"
            )
            for distance in range(_FURTHEST + 1)
        },
        "locality_row": Figure("entries of row <j|Lambda_j above a hundredth of the largest"),
    },
}


# What a report shows of them; tables have all.
SHOWN_FIGURES = (
    "steady_distance",
    "gap",
    "gap_davies",
    "spacing_ratio",
    "participation",
    "generator_ratio",
    "weighted_ratio",
    "nonsecular_ratio",
    "secular_ratio",
    "locality_1",
    "locality_2",
)


def figures_of(study: Study) -> dict[str, Figure]:
    """Those that a study's observables measure."""
    return {
        name: figure
        for observable in study.observables
        for name, figure in FIGURES.get(observable, {}).items()
    }


def measure(model: SingleParticleModel, study: Study, comm: Any = None) -> dict[str, float]:
    """The figures of one sample; collective over `comm`, the same on every rank.

    study: with the changes of the sample's point.  Raises RuntimeError when a solver does
    not converge; nan stands for a figure that is not defined or not determined.
    """
    return {
        name: value
        for observable in study.observables
        if observable in _MEASURES
        for name, value in _MEASURES[observable](model, study, comm).items()
    }


def _steady_state(model: SingleParticleModel, study: Study, comm: Any) -> dict[str, float]:
    with warnings.catch_warnings():
        # A negative eigenvalue is a figure here.
        warnings.simplefilter("ignore")
        found = steady_state(
            model, study.bath, "redfield", study.lamb_shift, study.initial_site, comm=comm
        )
    return {
        "steady_distance": found.distance_from_gibbs,
        "steady_smallest_eigenvalue": found.smallest_eigenvalue,
        "steady_error": found.state_error,
        "steady_null_dimension": float(found.null_dimension),
        "steady_iterations": float(found.iterations),
    }


def _gap(model: SingleParticleModel, study: Study, comm: Any) -> dict[str, float]:
    found = slow_modes(model, study.bath, 1, study.lamb_shift, comm=comm)
    return {
        "gap": found.gap,
        "gap_frequency": found.gap_frequency,
        "gap_davies": float(-found.davies_eigenvalues[0].real),
        "gap_residual": float(found.residuals[0]),
    }


def _level_statistics(model: SingleParticleModel, _study: Study, comm: Any) -> dict[str, float]:
    found = level_statistics(model, eth=True, comm=comm)
    return {
        "spacing_ratio": found.mean_ratio,
        "participation": found.participation,
        "eth_ratio": float("nan") if found.eth is None else found.eth,
        "degenerate_levels": float(found.n_degenerate),
    }


def _cancellation(model: SingleParticleModel, study: Study, comm: Any) -> dict[str, float]:
    """nan where Bohr frequencies coincide: the measures are not defined there."""

    def measured() -> dict[str, float]:
        clustering = cluster_bohr_frequencies(build_spectrum([model]))[0]
        if clustering.verdict != SIMPLE:
            return dict.fromkeys(FIGURES["cancellation"], float("nan"))
        found = cancellation_measures(model, study.bath)
        return {name: float(getattr(found, name)) for name in FIGURES["cancellation"]}

    result: dict[str, float] = together(comm, measured)
    return result


def _locality(model: SingleParticleModel, study: Study, comm: Any) -> dict[str, float]:
    """nan for models without a lattice."""

    def measured() -> dict[str, float]:
        found = dict.fromkeys(FIGURES["locality"], float("nan"))
        if "length" not in model.parameters:
            return found
        profile = locality_profile(model, study.bath, lamb_shift=study.lamb_shift)
        for distance, rms in zip(profile.distances, profile.rms):
            if distance <= _FURTHEST:
                found[f"locality_{int(distance)}"] = float(rms)
        found["locality_row"] = float(profile.row_counts[0])
        return found

    result: dict[str, float] = together(comm, measured)
    return result


_MEASURES: Mapping[str, Callable[[SingleParticleModel, Study, Any], dict[str, float]]] = {
    "steady_state": _steady_state,
    "gap": _gap,
    "level_statistics": _level_statistics,
    "cancellation": _cancellation,
    "locality": _locality,
}
