"""Fermions between a first and a last reservoir: settings, contacts and distances of a study."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.papers.kit.systems import SEED, build_reservoir, check_reservoir, n_sites_of
from manybody.physics import arguments
from manybody.physics.gaussian.quadratic import FERMION, Contact
from manybody.study.structure import said

SETTINGS = {
    "seed": SEED,
    "tolerance": said(
        "a number from 1e-13 to 0.01", "error of the exact answer, its largest element", ""
    ),
    "first": said("a table", "reservoir of the first contact, and of all with contacts = all", ""),
    "last": said("a table", "reservoir of the last contact; both bands are finite", ""),
}
# Equal contacts on every site, or those of the first reservoir and of the last on two ends.
PLACES = ("all", "ends")
STRENGTH = said("a number > 0, or a list of them", "J of all contacts: rates are J² D", "")
CONTACTS = said("all, ends", "sites with a reservoir: all alike, or the first and the last", "")
DURATION = said("a number > 0", "the last time in units of 1/(J² D), D amid the band", "1/(J² D)")
N_TIMES = said("an integer >= 2", "how many output times, in equal steps from 0", "")
# With the Lamb shift, and without it.
WITHOUT = "_without_shift"
VARIANTS = {"": True, WITHOUT: False}
NORMS = ("element", "trace")


def labels_of(equations: Sequence[str]) -> list[str]:
    """Names of results: every equation with its Lamb shift, then every one without."""
    return [f"{name}{suffix}" for suffix in VARIANTS for name in equations]


def parse_settings(table: Mapping[str, Any]) -> dict[str, Any]:
    """`SETTINGS` of a TOML table; both bands are finite.  Raises TypeError or ValueError."""
    settings: dict[str, Any] = {
        "seed": arguments.integer("seed", table["seed"], 0),
        "tolerance": arguments.tolerance(table["tolerance"]),
        "first": check_reservoir("first", table["first"], FERMION),
        "last": check_reservoir("last", table["last"], FERMION),
    }
    for name, reservoir in zip(("first", "last"), build_both(settings)):
        if not np.isfinite(reservoir.density.support).all():
            raise InputError(f"{name}: a reservoir with a finite band is needed")
    return settings


def build_both(settings: Mapping[str, Any]) -> list[Any]:
    """The first and the last one."""
    return [build_reservoir(settings[name], FERMION) for name in ("first", "last")]


def build_contacts(given: Mapping[str, Any], first: Any, last: Any) -> tuple[Contact, ...]:
    """Where a case has its reservoirs, each of its strength."""
    n_sites, strength = n_sites_of(given), given["strength"]
    if given["contacts"] == "all":
        return tuple(Contact(site, first, strength) for site in range(n_sites))
    return Contact(0, first, strength), Contact(n_sites - 1, last, strength)


def n_contacts_of(given: Mapping[str, Any]) -> int:
    """Number of contacts that count for the work of a case."""
    n_sites = n_sites_of(given)
    return n_sites if given["contacts"] == "all" else min(2, n_sites)


def last_time(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """duration / (J² D), D of the first reservoir at the middle of its band; in 1/J."""
    density = build_both(settings)[0].density
    rate = given["strength"] ** 2 * float(density(0.5 * sum(density.support)))
    return float(given["duration"] / rate)


def first_site_filled(given: Mapping[str, Any]) -> NDArray[Any]:
    """C(0) of one particle on the first site."""
    start = np.zeros((n_sites_of(given),) * 2)
    start[0, 0] = 1.0
    return start


def distances(state: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Largest |element| and Σ|eigenvalue| of the difference of two Hermitian matrices."""
    difference = state - truth
    eigenvalues = np.linalg.eigvalsh(0.5 * (difference + difference.conj().T))
    return float(np.abs(difference).max()), float(np.abs(eigenvalues).sum())


def distances_in_time(
    label: str, states: Iterable[NDArray[Any]], exact: Iterable[NDArray[Any]]
) -> dict[str, list[float]]:
    """The lists of an equation, one of each of `NORMS`."""
    found = [distances(state, truth) for state, truth in zip(states, exact)]
    return {f"{label}_{norm}": list(values) for norm, values in zip(NORMS, zip(*found))}
