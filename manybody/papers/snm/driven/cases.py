"""Redfield and Davies in the instantaneous eigenbasis against the exact answer, SNM eq. (14).

h(t) = h + ½A sin(νt) diag(x), x from −1 to 1 along the sites: a field that comes and goes at the
rate ν moves levels and turns their eigenvectors.  System and discretised reservoirs are propagated
as one Gaussian state; distances of both equations from that at every time.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev
from numpy.typing import ArrayLike, NDArray

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
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.gaussian.correlations import DAVIES, REDFIELD
from manybody.physics.gaussian.driven import DrivenQuadraticModel, driven_correlations
from manybody.physics.gaussian.exact_driven import exact_driven_correlations
from manybody.physics.gaussian.quadratic import FERMION
from manybody.study.structure import check_keys, said

EQUATIONS = (REDFIELD, DAVIES)
LABELS = reservoirs.labels_of(EQUATIONS)
_TABLE = "runs"
_OWN = {
    "strength": reservoirs.STRENGTH,
    "contacts": reservoirs.CONTACTS,
    "amplitude": said("a number >= 0, or a list of them", "A of the field", "J"),
    "rate": said("a number >= 0, or a list of them", "ν of the field", "J"),
    "duration": reservoirs.DURATION,
    "n_times": reservoirs.N_TIMES,
}
_STUDY = {**reservoirs.SETTINGS, _TABLE: said("one or more tables", "what is driven, and how", "")}
# Terms of the interpolant of Δ^f, and how right it has to be, in J.
_DEGREE, _INTERPOLATION = 96, 1e-9
_MOST_MODES = 1024


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    check_keys("study", dict(table), _STUDY)
    settings = reservoirs.parse_settings(table)
    cases: list[Case] = []
    for where, one in tables_of(table, _TABLE):
        cases += _cases(where, one, settings)
    return settings, cases


def tables() -> dict[str, Any]:
    """Types of the keys of every table but those of reservoirs and models."""
    return {"": _STUDY, "[[runs]]": _OWN}


def _cases(where: str, table: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Case]:
    check_present(where, table, sorted(_OWN))
    systems = expand_system(where, table, _OWN)
    place = arguments.choice(f"{where}.contacts", table["contacts"], reservoirs.PLACES)
    fixed: dict[str, Value] = {
        "duration": arguments.real(f"{where}.duration", table["duration"], above=0.0),
        "n_times": arguments.integer(f"{where}.n_times", table["n_times"], 2),
    }
    scanned = {
        "strength": _positive(where, "strength", table, above=0.0),
        "amplitude": _positive(where, "amplitude", table),
        "rate": _positive(where, "rate", table),
    }
    found = []
    for system, *values in itertools.product(systems, *scanned.values()):
        given = {**system, "contacts": place, **dict(zip(scanned, values)), **fixed}
        _check_band(where, settings, given)
        found.append(build_case(given, _cost(settings, given)))
    return found


def _positive(where: str, key: str, table: Mapping[str, Any], **bounds: float) -> list[float]:
    """One number or different ones, >= 0 unless bounds say otherwise."""
    values = distinct_reals(f"{where}.{key}", table[key])
    for value in values:
        arguments.real(f"{where}.{key}", value, **(bounds or {"minimum": 0.0}))
    return values


def _check_band(where: str, settings: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Levels that leave a band are no matter of a master equation."""
    low, high = _levels(build_hamiltonian(settings, given), given["amplitude"])
    for name, reservoir in zip(("first", "last"), reservoirs.build_both(settings)):
        start, stop = reservoir.density.support
        if not start < low <= high < stop:
            raise InputError(
                f"{where}: levels from {low:.3g} to {high:.3g} under the field leave the band of "
                f"{name!r}, {start:g} to {stop:g}"
            )


def _levels(hamiltonian: Any, amplitude: float) -> tuple[float, float]:
    """Bounds of the levels of h(t) at all times, by Weyl's inequality."""
    levels = np.linalg.eigvalsh(hamiltonian)
    return float(levels[0] - 0.5 * amplitude), float(levels[-1] + 0.5 * amplitude)


def _cost(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Core-seconds: steps of the rows of U, and evaluations of four equations."""
    time = reservoirs.last_time(settings, given)
    steps = time * (2.0 + given["rate"] + given["amplitude"])
    evaluations = 110.0 * given["n_times"] + 80.0 * time * (1.0 + 0.5 * given["rate"])
    rows, modes = _rows_and_modes(settings, given)
    return float(3e-7 * steps * rows * (30.0 + modes) + 1.3e-3 * evaluations)


def most_bytes(settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Of a case: matrices of the sites, and rows of U as the integrator holds them."""
    n_sites = n_sites_of(given)
    rows, modes = _rows_and_modes(settings, given)
    return float(12.0 * 16.0 * n_sites**2 + 12.0 * 16.0 * rows * (n_sites + modes))


def _rows_and_modes(settings: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[float, float]:
    """Rows of U at all times together, and the modes of the reservoirs."""
    n_sites, n_contacts = n_sites_of(given), reservoirs.n_contacts_of(given)
    low, high = reservoirs.build_both(settings)[0].density.support
    time = reservoirs.last_time(settings, given)
    return given["n_times"] * (n_sites + 2 * n_contacts), n_contacts * 0.5 * time * (high - low)


class InterpolatedReservoir:
    """A reservoir whose Δ^f is a polynomial on an interval, a hundred times as fast.

    reservoir: fermions; low, high: between them lies every frequency asked for, inside the
    band.  Raises ValueError where the polynomial is not right to 1e-9 J, and outside.
    """

    def __init__(self, reservoir: Reservoir, low: float, high: float) -> None:
        margin = 1e-6 + 1e-3 * (high - low)
        self._range = low - margin, high + margin
        self._reservoir = reservoir
        self._polynomial = Chebyshev.interpolate(reservoir.filled_shift, _DEGREE, self._range)
        between = np.linspace(*self._range, 3 * _DEGREE)
        error = np.abs(self._polynomial(between) - reservoir.filled_shift(between)).max()
        if not error <= _INTERPOLATION:
            raise InputError(
                f"Δ^f of {reservoir!r} is no polynomial of degree {_DEGREE} between {low:.3g} and "
                f"{high:.3g}: off by {error:.1e}"
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reservoir, name)

    def filled_shift(self, omega: ArrayLike) -> Real:
        """Δ^f(ω), same shape as `omega`."""
        omega = np.asarray(omega, dtype=np.float64)
        low, high = self._range
        if not np.all((low <= omega) & (omega <= high)):
            raise InputError(f"omega from {omega.min():g} to {omega.max():g}: beyond the interval")
        return np.asarray(self._polynomial(omega))


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case.

    times, and for each of `LABELS` and `NORMS` the distance of C from the exact one at each:
    the largest |element| and the trace norm Σ|eigenvalue| of the difference.  apart: the largest
    trace norm of the difference of Redfield and Davies with shift.  exact_error: of the exact
    answer, equation_error: the largest of the four equations; modes: of each reservoir;
    smallest_gap: of the levels over the output times.
    """
    times = np.linspace(0.0, reservoirs.last_time(settings, given), given["n_times"])
    plain, fast = _models(settings, given)
    start = reservoirs.first_site_filled(given)
    exact = exact_driven_correlations(
        plain, start, times, settings["tolerance"], largest=_MOST_MODES
    )
    results: dict[str, float | list[float]] = {"times": times.tolist()}
    # Tolerances of steps are local.
    steps = max(0.1 * settings["tolerance"], 1e-13)
    states, errors = {}, []
    for suffix, shift in reservoirs.VARIANTS.items():
        for equation in EQUATIONS:
            run = driven_correlations(fast, start, times, equation, shift, tolerance=steps)
            label = f"{equation}{suffix}"
            states[label] = run.correlations
            errors.append(run.error)
            results |= reservoirs.distances_in_time(label, run.correlations, exact.correlations)
    both = zip(states[REDFIELD], states[DAVIES])
    gaps = [np.diff(np.linalg.eigvalsh(plain.hamiltonian(time))) for time in times]
    return results | {
        "apart": max(reservoirs.distances(one, other)[1] for one, other in both),
        "exact_error": exact.error,
        "equation_error": max(errors),
        "modes": [float(count) for count in exact.n_modes],
        "smallest_gap": float(min((gap.min() for gap in gaps if gap.size), default=0.0)),
    }


def _models(
    settings: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[DrivenQuadraticModel, DrivenQuadraticModel]:
    """The driven model, and the same with reservoirs that are fast to ask."""
    matrix = build_hamiltonian(settings, given)
    n_sites, rate = n_sites_of(given), given["rate"]
    field = 0.5 * given["amplitude"] * np.linspace(-1.0, 1.0, n_sites) * (n_sites > 1)

    def hamiltonian(time: float) -> NDArray[Any]:
        return np.asarray(matrix + np.sin(rate * time) * np.diag(field))

    slow, levels = reservoirs.build_both(settings), _levels(matrix, given["amplitude"])
    quick = [InterpolatedReservoir(own, *levels) for own in slow]
    plain, fast = (
        DrivenQuadraticModel(hamiltonian, reservoirs.build_contacts(given, *pair), FERMION)
        for pair in (slow, quick)
    )
    return plain, fast
