"""Redfield, Davies and local equations against the exact answer, case by case.

"dynamics": system and discretised reservoirs propagated as one Gaussian state, modes doubled
until nothing changes; distances at every time.  "steady": the exact steady state from Green's
functions; distances, currents, entropy production.  "routes": both against each other, long
after everything has decayed.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.papers.kit import reservoirs
from manybody.papers.kit.config import Case, Results, Value, build_case
from manybody.papers.kit.systems import (
    build_hamiltonian,
    check_present,
    distinct_reals,
    expand_system,
    n_sites_of,
    tables_of,
)
from manybody.physics import arguments
from manybody.physics.gaussian import landauer
from manybody.physics.gaussian.correlations import EQUATIONS, REDFIELD, build_generators, currents
from manybody.physics.gaussian.discretised import chebyshev_modes
from manybody.physics.gaussian.exact import Convergence, converge
from manybody.physics.gaussian.quadratic import FERMION, QuadraticModel
from manybody.physics.gaussian.relaxation import build_relaxation, propagate, steady_correlations
from manybody.study.structure import check_keys, said

DYNAMICS, STEADY, ROUTES = CHECKS = ("dynamics", "steady", "routes")
LABELS = reservoirs.labels_of(EQUATIONS)
_FEWEST_MODES, _MOST_MODES = 32, 4096
_CONTACTS = {"strength": reservoirs.STRENGTH, "contacts": reservoirs.CONTACTS}
_OWN: dict[str, dict[str, Any]] = {
    DYNAMICS: {**_CONTACTS, "duration": reservoirs.DURATION, "n_times": reservoirs.N_TIMES},
    STEADY: _CONTACTS,
    ROUTES: {**_CONTACTS, "duration": reservoirs.DURATION},
}
_STUDY = {
    **reservoirs.SETTINGS,
    DYNAMICS: said("tables", "distances from the exact dynamics at every time", "", ()),
    STEADY: said("tables", "steady states, currents, entropy production", "", ()),
    ROUTES: said("tables", "both exact answers against each other at a late time", "", ()),
}


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    check_keys("study", dict(table), _STUDY)
    settings = reservoirs.parse_settings(table)
    cases: list[Case] = []
    for check in CHECKS:
        for where, one in tables_of(table, check, needed=False):
            cases += _cases(where, check, one, settings)
    if not cases:
        raise InputError(f"study: one of the tables {', '.join(CHECKS)} is needed")
    return settings, cases


def tables() -> dict[str, Any]:
    """Types of the keys of every table but those of reservoirs and models."""
    return {"": _STUDY, **{f"[[{check}]]": own for check, own in _OWN.items()}}


def _cases(
    where: str, check: str, table: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[Case]:
    own = _OWN[check]
    check_present(where, table, sorted(own))
    systems = expand_system(where, table, own)
    place = arguments.choice(f"{where}.contacts", table["contacts"], reservoirs.PLACES)
    strengths = distinct_reals(f"{where}.strength", table["strength"])
    for strength in strengths:
        arguments.real(f"{where}.strength", strength, above=0.0)
    more: dict[str, Value] = {}
    if "duration" in own:
        more["duration"] = arguments.real(f"{where}.duration", table["duration"], above=0.0)
    if "n_times" in own:
        more["n_times"] = arguments.integer(f"{where}.n_times", table["n_times"], 2)
    found = []
    for system, strength in itertools.product(systems, strengths):
        given = {"check": check, **system, "contacts": place, "strength": strength, **more}
        found.append(build_case(given, _cost(settings, given)))
    return found


def _cost(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Core-seconds: eigenvectors of everything at the last doubling of the modes."""
    if given["check"] == STEADY:
        return 0.03
    times: int = given.get("n_times", 2)
    size = _size(settings, given)
    rows = n_sites_of(given) + 2 * reservoirs.n_contacts_of(given)
    return 0.05 + 1.5e-9 * size**3 + 3e-10 * rows * times * size**2


def most_bytes(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Of a case: at 2050 sites and modes three dense complex matrices were measured."""
    size = n_sites_of(given) if given["check"] == STEADY else _size(settings, given)
    return float(4.0 * 16.0 * size**2 + 12.0 * 16.0 * n_sites_of(given) ** 2)


def _size(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Sites and modes at the last doubling of these."""
    low, high = reservoirs.build_both(settings)[0].density.support
    modes = float(_FEWEST_MODES)
    while 4.0 * modes / (high - low) < reservoirs.last_time(settings, given):
        modes *= 2.0
    return n_sites_of(given) + 2.0 * modes * reservoirs.n_contacts_of(given)


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case.

    Of every check: for each of `LABELS` and `NORMS` the distance of C from the exact one (a
    list over times for "dynamics"); norms are the largest |element| and the trace norm
    Σ|eigenvalue| of the difference.  "dynamics": times, and modes, changes and recurrence_time
    of `converge`.  "steady": particle and energy currents from each reservoir, exact_particle
    and so on, the entropy production, and error and spectral_defect of the quadrature.
    "routes": difference between both exact answers, remaining: what is left of the start.
    """
    hamiltonian = build_hamiltonian(settings, given)
    contacts = reservoirs.build_contacts(given, *reservoirs.build_both(settings))
    model = QuadraticModel(hamiltonian, contacts, FERMION)
    if given["check"] == STEADY:
        return _steady(model)
    times = np.linspace(0.0, reservoirs.last_time(settings, given), given.get("n_times", 2))
    start = reservoirs.first_site_filled(given)
    exact = converge(
        model,
        chebyshev_modes,
        start,
        times,
        n_modes=_FEWEST_MODES,
        tolerance=settings["tolerance"],
        largest=_MOST_MODES,
    )
    if given["check"] == ROUTES:
        return _routes(model, exact)
    results: dict[str, float | list[float]] = {"times": times.tolist(), **_evidence(exact)}
    for suffix, shift in reservoirs.VARIANTS.items():
        for generator in build_generators(model, EQUATIONS, shift):
            label = f"{generator.equation}{suffix}"
            states = propagate(build_relaxation(generator), start, times)
            results |= reservoirs.distances_in_time(label, states, exact.trajectory.correlations)
    return results


def _evidence(exact: Convergence) -> dict[str, float | list[float]]:
    return {
        "modes": [float(count) for count in exact.n_modes],
        "changes": list(exact.changes),
        "recurrence_time": exact.trajectory.recurrence_time,
    }


def _steady(model: QuadraticModel) -> Results:
    exact = landauer.steady_state(model)
    results: dict[str, float | list[float]] = {
        "error": exact.error,
        "spectral_defect": exact.spectral_defect,
    }
    results |= _flows("exact", model, exact.particle_currents, exact.energy_currents)
    for suffix, shift in reservoirs.VARIANTS.items():
        for generator in build_generators(model, EQUATIONS, shift):
            label = f"{generator.equation}{suffix}"
            state = steady_correlations(build_relaxation(generator)).matrix
            apart = reservoirs.distances(state, exact.correlation)
            for norm, value in zip(reservoirs.NORMS, apart):
                results[f"{label}_{norm}"] = value
            found = currents(generator, state)
            results |= _flows(label, model, found.particle, found.energy)
    return results


def _flows(label: str, model: QuadraticModel, particle: Real, energy: Real) -> dict[str, Any]:
    """Currents out of each reservoir, and σ = −Σ_q β_q (energy_q − μ_q particle_q)."""
    betas = np.array([contact.reservoir.beta for contact in model.contacts])
    potentials = np.array([contact.reservoir.chemical_potential for contact in model.contacts])
    return {
        f"{label}_particle": particle.tolist(),
        f"{label}_energy": energy.tolist(),
        f"{label}_entropy": float(-betas @ (energy - potentials * particle)),
    }


def _routes(model: QuadraticModel, exact: Convergence) -> Results:
    steady = landauer.steady_state(model)
    trajectory = exact.trajectory
    element, trace = reservoirs.distances(trajectory.correlations[-1], steady.correlation)
    (generator,) = build_generators(model, [REDFIELD], lamb_shift=True)
    slowest = float(build_relaxation(generator).rates.real.min())
    flows = np.abs(trajectory.particle_currents[-1] - steady.particle_currents).max()
    heats = np.abs(trajectory.energy_currents[-1] - steady.energy_currents).max()
    return {
        **_evidence(exact),
        "time": float(trajectory.times[-1]),
        "difference_element": element,
        "difference_trace": trace,
        "difference_particle": float(flows),
        "difference_energy": float(heats),
        "remaining": float(np.exp(-2.0 * slowest * trajectory.times[-1])),
        "error": steady.error,
    }
