"""What comparing the two equations takes and gives; how, is in sample.py and large.py."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from manybody.arrays import Complex, Real
from manybody.numerics.protocols import Stepper
from manybody.numerics.steppers import build_stepper, check_operator, require_operator
from manybody.physics import arguments
from manybody.physics.baths.protocol import Bath, check_bath
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.quantities.certificates import Certificate
from manybody.physics.spectra import AMBIGUOUS, Clustering
from manybody.physics.starts import Start

# Relative violation of detailed balance that no quadrature of a bath leaves.
_UNBALANCED = 1e-6


@dataclass(frozen=True, eq=False)
class Comparison:
    """Redfield and Davies side by side on one sample.

    times: (T,) in 1/J; trace_distance: (T,) ‖ρ_D(t) − ρ_R(t)‖₁, no factor ½;
    trace_distance_merged: the same with near-coincident Bohr frequencies merged,
    only when the clustering is ambiguous; smallest_eigenvalue: (T,) of ρ_R(t);
    certificate: measured figures; redfield_states, davies_states: (T, N, N) in the
    site basis if kept, on rank 0, else None.
    """

    times: Real
    trace_distance: Real
    smallest_eigenvalue: Real
    certificate: Certificate
    trace_distance_merged: Real | None = None
    redfield_states: Complex | None = None
    davies_states: Complex | None = None


@dataclass(frozen=True, eq=False)
class Setting:
    """What all samples of one call have in common; see `compare`."""

    bath: Bath
    times: Real
    start: Start
    lamb_shift: bool
    stepper: Stepper
    operator: str
    drop_tolerance: float


def check_setting(
    models: Sequence[SingleParticleModel],
    bath: Bath,
    times: Iterable[float],
    initial_site: int,
    lamb_shift: bool,
    stepper: str,
    tolerance: float,
    petsc_options: str,
    operator: str,
    drop_tolerance: float,
    initial_beta: float | None = None,
) -> Setting:
    """The arguments of a call, checked; raises what `compare` says."""
    for model in models:
        arguments.instance("model", model, SingleParticleModel)
    check_bath(bath, lamb_shift)
    arguments.integer("initial_site", initial_site, 0)
    fewest = min((model.n_sites for model in models), default=initial_site + 1)
    if initial_site >= fewest:
        raise ValueError(f"initial_site = {initial_site}: allowed are 0 to {fewest - 1}")
    arguments.boolean("lamb_shift", lamb_shift)
    arguments.instance("petsc_options", petsc_options, str)
    grid = arguments.ascending_times("times", times)
    check_operator(operator, drop_tolerance)
    require_operator(operator)
    scheme = build_stepper(stepper, arguments.tolerance(tolerance), petsc_options)
    if initial_beta is not None:
        initial_beta = arguments.real("initial_beta", initial_beta, minimum=0.0)
    start = Start(initial_site, initial_beta)
    return Setting(bath, grid, start, lamb_shift, scheme, operator, drop_tolerance)


def model_digest(model: SingleParticleModel) -> str:
    """In few letters what makes two models the same."""
    matrix = model.hamiltonian
    parts = (matrix.data, matrix.indices, matrix.indptr) if sp.issparse(matrix) else (matrix,)
    digest = hashlib.sha256()
    for part in (*parts, model.coupled, np.float64(model.uncertainty)):
        digest.update(np.ascontiguousarray(part).tobytes())
    return f"{model.n_sites} {digest.hexdigest()}"


def fingerprint(model: SingleParticleModel, setting: Setting, keep_states: bool) -> dict[str, Any]:
    """What ranks that share a sample must agree on, by name."""
    return {
        "model": model_digest(model),
        "bath": setting.bath,
        "times": setting.times.tobytes(),
        "stepper": (setting.stepper.name, setting.stepper.tolerance),
        "operator": (setting.operator, setting.drop_tolerance),
        "other arguments": (setting.start, setting.lamb_shift, keep_states),
    }


def certify(clustering: Clustering, **measured: Any) -> Certificate:
    """The certificate of one sample from its clustering and everything else, by name."""
    return Certificate(
        clustering=clustering.verdict,
        merged_neighbours=clustering.merged_neighbours,
        expected_by_chance=clustering.expected_by_chance,
        smallest_separation=clustering.smallest_separation,
        cluster_width=clustering.widest_cluster,
        level_conditioning=clustering.level_conditioning,
        **measured,
    )


def ambiguity_warning(certificate: Certificate) -> str:
    """What to say of a spectrum that leaves Davies undetermined, empty for others."""
    if certificate.clustering != AMBIGUOUS:
        return ""
    coincide, nearest = "", "the nearest"
    if certificate.merged_neighbours:
        coincide = (
            f"{certificate.merged_neighbours} neighbouring Bohr frequencies coincide to rounding "
            f"({certificate.expected_by_chance:.1e} expected by chance, widest cluster "
            f"{certificate.cluster_width:.1e}), and "
        )
        nearest = "the nearest of the other"
    return (
        f"{coincide}{nearest} Bohr frequencies differ by "
        f"{certificate.smallest_separation:.1e}: by the precision of the Hamiltonian, chance or "
        "symmetry it cannot be decided which are equal, and the Davies equation depends on it.  "
        "trace_distance keeps them apart, "
        "trace_distance_merged merges them; they differ by up to "
        f"{certificate.secular_ambiguity:.1e}"
    )


def balance_warning(certificate: Certificate) -> str:
    """What to say of a bath that is not in equilibrium at its β, empty for others."""
    if certificate.kms_residual <= _UNBALANCED:
        return ""
    return (
        f"the bath breaks detailed balance, γ(−ω) = e^(−βω)γ(ω), by up to "
        f"{certificate.kms_residual:.1e} of γ(ω): neither equation leaves the Gibbs state alone"
    )


def without_states(result: Comparison) -> Comparison:
    """What every rank gets."""
    return replace(result, redfield_states=None, davies_states=None)
