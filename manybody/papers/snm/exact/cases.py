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
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError, InputTypeError
from manybody.papers.kit.config import Case, Results, Value, build_case
from manybody.papers.kit.systems import (
    build_hamiltonian,
    build_reservoir,
    check_reservoir,
    distinct_reals,
    expand_system,
    n_sites_of,
)
from manybody.physics import arguments
from manybody.physics.gaussian import landauer
from manybody.physics.gaussian.correlations import EQUATIONS, REDFIELD, build_generators, currents
from manybody.physics.gaussian.discretised import chebyshev_modes
from manybody.physics.gaussian.exact import Convergence, converge
from manybody.physics.gaussian.quadratic import FERMION, Contact, QuadraticModel
from manybody.physics.gaussian.relaxation import build_relaxation, propagate, steady_correlations
from manybody.study.structure import check_keys, checked

DYNAMICS, STEADY, ROUTES = CHECKS = ("dynamics", "steady", "routes")
# Equal contacts on every site, or those of the first reservoir and of the last on two ends.
PLACES = ("all", "ends")
# With the Lamb shift, and without it.
VARIANTS = {"": True, "_without_shift": False}
LABELS = tuple(f"{equation}{suffix}" for suffix in VARIANTS for equation in EQUATIONS)
NORMS = ("element", "trace")
_FEWEST_MODES, _MOST_MODES = 32, 4096


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    check_keys("study", dict(table), {"seed", "tolerance", "first", "last"}, {*CHECKS})
    settings: dict[str, Any] = {
        "seed": arguments.integer("seed", table["seed"], 0),
        "tolerance": arguments.tolerance(table["tolerance"]),
        "first": check_reservoir("first", table["first"], FERMION),
        "last": check_reservoir("last", table["last"], FERMION),
    }
    for name in ("first", "last"):
        low, high = build_reservoir(settings[name], FERMION).density.support
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError(f"{name}: Chebyshev modes need a reservoir with a finite band")
    cases: list[Case] = []
    for check in CHECKS:
        given = table.get(check, [])
        if not isinstance(given, list):
            raise InputTypeError(f"{check}: one or more [[{check}]] tables are needed")
        for index, one in enumerate(given):
            where = f"{check}[{index}]"
            cases += _cases(where, check, checked(where, one, dict), settings)
    if not cases:
        raise InputError(f"study: one of the tables {', '.join(CHECKS)} is needed")
    return settings, cases


def _cases(
    where: str, check: str, table: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[Case]:
    timed = {DYNAMICS: {"duration", "n_times"}, ROUTES: {"duration"}, STEADY: set()}[check]
    for key in sorted({"strength", "contacts"} | timed):
        if key not in table:
            raise InputError(f"{where}: key {key!r} is missing")
    systems = expand_system(where, table, {"strength", "contacts"} | timed)
    place = arguments.choice(f"{where}.contacts", table["contacts"], PLACES)
    strengths = distinct_reals(f"{where}.strength", table["strength"])
    for strength in strengths:
        arguments.real(f"{where}.strength", strength, above=0.0)
    more: dict[str, Value] = {}
    if "duration" in timed:
        more["duration"] = arguments.real(f"{where}.duration", table["duration"], above=0.0)
    if "n_times" in timed:
        more["n_times"] = arguments.integer(f"{where}.n_times", table["n_times"], 2)
    found = []
    for system, strength in itertools.product(systems, strengths):
        given = {"check": check, **system, "contacts": place, "strength": strength, **more}
        found.append(build_case(given, _cost(settings, given)))
    return found


def _cost(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Core-seconds: eigenvectors of everything at the last doubling of the modes."""
    n_sites = n_sites_of(given)
    n_contacts = n_sites if given["contacts"] == "all" else min(2, n_sites)
    if given["check"] == STEADY:
        return 0.03
    low, high = build_reservoir(settings["first"], FERMION).density.support
    modes = float(_FEWEST_MODES)
    while 4.0 * modes / (high - low) < _last_time(settings, given):
        modes *= 2.0
    times: int = given.get("n_times", 2)
    size = n_sites + 2.0 * modes * n_contacts
    rows = n_sites + 2 * n_contacts
    return 0.05 + 1.5e-9 * size**3 + 3e-10 * rows * times * size**2


def _last_time(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """duration / (J² D), D of the first reservoir at the middle of its band; in 1/J."""
    density = build_reservoir(settings["first"], FERMION).density
    rate = given["strength"] ** 2 * float(density(0.5 * sum(density.support)))
    return float(given["duration"] / rate)


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case.

    Of every check: for each of `LABELS` and `NORMS` the distance of C from the exact one (a
    list over times for "dynamics"); norms are the largest |element| and the trace norm
    Σ|eigenvalue| of the difference.  "dynamics": times, and modes, changes and recurrence_time
    of `converge`.  "steady": particle and energy currents from each reservoir, exact_particle
    and so on, the entropy production, and error and spectral_defect of the quadrature.
    "routes": difference between both exact answers, remaining: what is left of the start.
    """
    model = _model(settings, given)
    if given["check"] == STEADY:
        return _steady(model)
    times = np.linspace(0.0, _last_time(settings, given), given.get("n_times", 2))
    start = np.zeros((model.n_sites, model.n_sites))
    start[0, 0] = 1.0
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
    for suffix, shift in VARIANTS.items():
        for generator in build_generators(model, EQUATIONS, shift):
            label = f"{generator.equation}{suffix}"
            states = propagate(build_relaxation(generator), start, times)
            pairs = zip(states, exact.trajectory.correlations)
            found = [distances(state, truth) for state, truth in pairs]
            for norm, values in zip(NORMS, zip(*found)):
                results[f"{label}_{norm}"] = list(values)
    return results


def _model(settings: Mapping[str, Any], given: Mapping[str, Any]) -> QuadraticModel:
    hamiltonian = build_hamiltonian(settings, given)
    first, last = (build_reservoir(settings[name], FERMION) for name in ("first", "last"))
    n_sites, strength = n_sites_of(given), given["strength"]
    if given["contacts"] == "all":
        contacts = [Contact(site, first, strength) for site in range(n_sites)]
    else:
        contacts = [Contact(0, first, strength), Contact(n_sites - 1, last, strength)]
    return QuadraticModel(hamiltonian, tuple(contacts), FERMION)


def distances(state: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Largest |element| and Σ|eigenvalue| of the difference of two Hermitian matrices."""
    difference = state - truth
    eigenvalues = np.linalg.eigvalsh(0.5 * (difference + difference.conj().T))
    return float(np.abs(difference).max()), float(np.abs(eigenvalues).sum())


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
    for suffix, shift in VARIANTS.items():
        for generator in build_generators(model, EQUATIONS, shift):
            label = f"{generator.equation}{suffix}"
            state = steady_correlations(build_relaxation(generator)).matrix
            for norm, value in zip(NORMS, distances(state, exact.correlation)):
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
    element, trace = distances(trajectory.correlations[-1], steady.correlation)
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
