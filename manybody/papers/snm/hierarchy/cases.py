"""Every registered equation for density coupling against the exact answer, case by case.

One particle on two or three sites, A_j = |j⟩⟨j| on each, with equal Drude–Lorentz baths; exact is
the hierarchy of equations of motion, refined until its own error is a small part of what is
compared.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.linalg

from manybody.arrays import Complex, Real
from manybody.errors import InputError, NumericalError
from manybody.papers.kit.config import Case, Results, Value, build_case
from manybody.papers.kit.reservoirs import VARIANTS
from manybody.papers.kit.systems import (
    SEED,
    build_hamiltonian,
    check_present,
    distinct_reals,
    expand_system,
    n_sites_of,
    tables_of,
)
from manybody.papers.snm.hierarchy.states import (
    ExactStates,
    check_qutip,
    not_converged,
    refinements,
    trace_norms,
)
from manybody.physics import arguments
from manybody.physics.baths.densities import DrudeLorentzDensity
from manybody.physics.baths.thermal import ThermalBath
from manybody.physics.equations.davies import DAVIES
from manybody.physics.equations.protocol import check_applies
from manybody.physics.equations.registry import EQUATIONS, check_equations, equation_names
from manybody.physics.keys import InWords
from manybody.physics.liouvillians import liouvillian
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.reference import gibbs_state
from manybody.physics.undecided import APART
from manybody.study.structure import check_keys, said

CASES = "dynamics"
GIBBS = "gibbs"
_SITES = (2, 3)
# Beyond, equations could not be told apart.
_LARGEST_SHARE = 0.1
# Of a Liouvillian, what is zero among its singular values, as a part of the largest.
_NULL = 1e-11
# Of its largest element, a growth that is not rounding.
_GROWTH = 1e-9


_OWN = {
    "coupling": said("a number > 0, or a list of them", "J_int of all baths", ""),
    "beta": said("a number > 0, or a list of them", "inverse temperature of all baths", "1/J"),
    "duration": said("a number > 0", "the last time", "1/J"),
    "n_times": said("an integer >= 2", "how many output times, in equal steps from 0", ""),
}
_STUDY = {
    "seed": SEED,
    "tolerance": said(
        f"a number > 0, at most {_LARGEST_SHARE}",
        "error of the exact answer as a share of the smallest distance",
        "",
    ),
    "cutoff": said("a number > 0", "ω_c of all baths, which are Drude-Lorentz", "J"),
    "equations": said(
        f"a list of {', '.join(equation_names())}",
        "what is compared with the exact answer",
        "",
        InWords("all that apply"),
    ),
    CASES: said("one or more tables", "two or three sites, what bath, until when", ""),
}


# What a machine needs to compute cases, see `case_kind`.
check_available = check_qutip


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    check_keys("study", dict(table), _STUDY)
    settings: dict[str, Any] = {
        "seed": arguments.integer("seed", table["seed"], 0),
        "tolerance": _share(table["tolerance"]),
        "cutoff": arguments.real("cutoff", table["cutoff"], above=0.0),
        "equations": _equations(table.get("equations")),
    }
    cases: list[Case] = []
    for where, one in tables_of(table, CASES):
        cases += _cases(where, one, settings)
    return settings, cases


def tables() -> dict[str, Any]:
    """Types of the keys of every table but those of models."""
    return {"": _STUDY, f"[[{CASES}]]": _OWN}


def _share(value: object) -> float:
    """Error of the hierarchy over the smallest distance."""
    share = arguments.real("tolerance", value, above=0.0)
    if share > _LARGEST_SHARE:
        raise InputError(f"tolerance = {value!r}: must be at most {_LARGEST_SHARE:g}")
    return share


def _equations(names: object) -> list[str]:
    """Those that are named, else all that apply to one particle on a few sites."""
    model = SingleParticleModel(np.diag(np.arange(2.0)))
    if names is None:
        return [name for name, each in EQUATIONS.items() if not each.applies(model)]
    chosen = check_equations(names)
    check_applies([EQUATIONS[name] for name in chosen], [model])
    return list(chosen)


def _cases(where: str, table: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Case]:
    check_present(where, table, sorted(_OWN))
    systems = expand_system(where, table, _OWN)
    for system in systems:
        if n_sites_of(system) not in _SITES:
            raise InputError(
                f"{where}: {n_sites_of(system)} sites: a hierarchy is for two or three"
            )
        if not np.any(np.asarray(build_hamiltonian(settings, system))[0, 1:]):
            raise InputError(
                f"{where}: hopping from the first site = 0: a particle that starts there never "
                "moves, and there is nothing to compare"
            )
    couplings, betas = (
        [arguments.real(f"{where}.{key}", value, above=0.0) for value in values]
        for key in ("coupling", "beta")
        for values in [distinct_reals(f"{where}.{key}", table[key])]
    )
    more: dict[str, Value] = {
        "duration": arguments.real(f"{where}.duration", table["duration"], above=0.0),
        "n_times": arguments.integer(f"{where}.n_times", table["n_times"], 2),
    }
    found = []
    for system, coupling, beta in itertools.product(systems, couplings, betas):
        given = {**system, "coupling": coupling, "beta": beta, **more}
        found.append(build_case(given, _cost(given)))
    return found


def _cost(given: Mapping[str, Any]) -> float:
    """Core-seconds, measured at tolerances of a few per cent; cold baths need more terms."""
    return float(0.5 + 0.5 * given["beta"] * (n_sites_of(given) - 1) ** 2)


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case.

    times: in 1/J.  For each of `labels_of` the equations: _trace: trace norms of ρ − ρ_exact at
    these times; _late: of the limits t → ∞; _late_populations, _late_coherences: the parts of the
    latter, in the eigenbasis of H, Σ|diagonal| and the trace norm of the rest; _smallest: the
    smallest eigenvalue of ρ at any time.  gibbs_late and so on: of e^{−βH}/Z.
    error, late_error: of the hierarchy, in the same norms; terms, depth, unknowns: its size;
    error_of_terms, error_of_depth, error_of_time: the last changes of which `error` is the sum.
    Raises NumericalError where the hierarchy cannot be refined to the tolerance of the settings
    times the smallest distance, Unavailable without QuTiP.
    """
    hamiltonian = np.asarray(build_hamiltonian(settings, given))
    bath = ThermalBath(DrudeLorentzDensity(given["coupling"], settings["cutoff"]), given["beta"])
    times = np.linspace(0.0, given["duration"] / given["coupling"] ** 2, given["n_times"])
    start = np.zeros(hamiltonian.shape, dtype=np.complex128)
    start[0, 0] = 1.0
    own = {
        f"{name}{suffix}": evolve(hamiltonian, bath, name, shift, start, times)
        for suffix, shift in VARIANTS.items()
        for name in settings["equations"]
    }
    exact: ExactStates | None = None
    needed = np.inf
    for exact in refinements(hamiltonian, bath, start, times):
        moving = min(trace_norms(states - exact.states).max() for states, _ in own.values())
        late = min(float(trace_norms(limit - exact.late)[0]) for _, limit in own.values())
        needed = settings["tolerance"] * min(moving, late)
        if exact.error <= settings["tolerance"] * moving and (
            exact.late_error <= settings["tolerance"] * late
        ):
            break
    else:
        raise NumericalError(not_converged(exact, float(needed)))
    results: dict[str, float | list[float]] = {"times": times.tolist(), **_evidence(exact)}
    vectors = np.linalg.eigh(hamiltonian)[1]
    for label, (states, limit) in own.items():
        results[f"{label}_trace"] = trace_norms(states - exact.states).tolist()
        results[f"{label}_smallest"] = float(np.linalg.eigvalsh(states).min())
        results |= _late(label, limit - exact.late, vectors)
    gibbs = gibbs_state(hamiltonian, given["beta"])
    return results | _late(GIBBS, gibbs - exact.late, vectors)


def _late(label: str, difference: Complex, vectors: Complex) -> dict[str, float]:
    rotated = vectors.conj().T @ difference @ vectors
    populations = np.diag(rotated).real
    return {
        f"{label}_late": float(trace_norms(difference)[0]),
        f"{label}_late_populations": float(np.abs(populations).sum()),
        f"{label}_late_coherences": float(trace_norms(rotated - np.diag(populations))[0]),
    }


def _evidence(exact: ExactStates) -> dict[str, float | list[float]]:
    return {
        "error": exact.error,
        "late_error": exact.late_error,
        "error_of_terms": exact.by_terms.moving,
        "error_of_depth": exact.by_depth.moving,
        "error_of_time": exact.by_time.moving,
        "terms": exact.terms,
        "depth": exact.depth,
        "unknowns": exact.unknowns,
    }


def evolve(
    hamiltonian: Any,
    bath: ThermalBath,
    equation: str,
    lamb_shift: bool,
    start: Complex,
    times: Real,
) -> tuple[Complex, Complex]:
    """(T, N, N) states of an equation and their limit t → ∞, by dense algebra.

    hamiltonian: (N, N) Hermitian in J; start: (N, N); times: (T,) in 1/J.  Raises NumericalError
    where a mode grows, as those of Redfield may: there is no limit then.
    """
    undecided = APART if equation == DAVIES.name else None
    model = SingleParticleModel(hamiltonian)
    matrix = liouvillian(model, bath, equation, lamb_shift, undecided).toarray()
    growth = float(np.linalg.eigvals(matrix).real.max())
    if growth > _GROWTH * np.abs(matrix).max():
        raise NumericalError(
            f"equation {equation!r} {'with' if lamb_shift else 'without'} Lamb shift has a mode "
            f"that grows at the rate {growth:.2g}: there is no late state"
        )
    n_sites, vector = len(hamiltonian), np.asarray(start, dtype=np.complex128).ravel()
    maps = scipy.linalg.expm(times[:, None, None] * matrix)
    states = (maps @ vector).reshape(-1, n_sites, n_sites)
    return states, (stationary_projection(matrix) @ vector).reshape(n_sites, n_sites)


def stationary_projection(matrix: Complex) -> Complex:
    """lim e^{Lt} of a generator whose modes all stay or decay: on its kernel, along its range."""
    left, sizes, right = np.linalg.svd(matrix)
    kernel = sizes <= _NULL * sizes[0]
    columns, rows = right[kernel].conj().T, left[:, kernel].conj().T
    projection: Complex = columns @ np.linalg.solve(rows @ columns, rows)
    return projection
