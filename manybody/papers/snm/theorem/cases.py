"""The theorem of SNM case by case: how far Redfield and Davies are apart for linear coupling.

Every site of a quadratic system exchanges particles with a reservoir of its own, all equal:
SNM eqs. (9)-(12) say that both equations are then one.  A case is one Hamiltonian under one
check, and gives distances relative to the dissipative part of the Davies equation.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.papers.kit.config import Case, Results, Value, build_case
from manybody.papers.kit.systems import (
    SEED,
    build_hamiltonian,
    build_reservoir,
    check_present,
    check_reservoir,
    expand_system,
    n_sites_of,
    tables_of,
)
from manybody.physics import arguments
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import exchange_couplings
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation
from manybody.physics.gaussian.correlations import REDFIELD, build_generator
from manybody.physics.gaussian.quadratic import BOSON, FERMION, STATISTICS, Contact, QuadraticModel
from manybody.physics.gaussian.theorem import theorem_residual, unclustered_residual
from manybody.study.structure import check_keys, checked, listed, said

# Identical contacts everywhere, then what breaks the theorem, one thing at a time.
EQUAL, ONE_COUPLING, TWO_TEMPERATURES, EVERY, UNCLUSTERED, FOCK = CHECKS = (
    "equal",
    "one_coupling",
    "two_temperatures",
    "every",
    "unclustered",
    "fock",
)
# Of the whole Fock space of bosons, and of a dense Liouvillian.
_MOST_BOSONS, _MOST_SITES = 2, 4
# Core-seconds of a case: one of N³ flops by the hundred, and what the smallest take.
_COST_OF_A_CUBE, _LEAST_COST = 1.6e-9, 4e-3


_STUDY = {
    "seed": SEED,
    "strength": said("a number > 0", "J of all contacts: rates are J² D", ""),
    "coupling_change": said(
        "a number > -1", f"relative change of one contact in the check {ONE_COUPLING}", ""
    ),
    "beta_ratio": said(
        "a number > 0", f"factor of every second reservoir's β in the check {TWO_TEMPERATURES}", ""
    ),
    FERMION: said("a table", "reservoir of every site, for fermions", ""),
    BOSON: said("a table", "reservoir of every site, for bosons", ""),
    "systems": said("one or more tables", "Hamiltonians and what is checked of them", ""),
}
_BOSONS = {
    "lowest_level": said("a number > μ", "h is shifted so that its lowest level lies here", "J")
}
_OWN = {
    "checks": said(f"a list of {', '.join(CHECKS)}", "what is computed", "", (EQUAL,)),
    "statistics": said(
        f"a list of {', '.join(STATISTICS)}",
        "what the particles and the reservoirs are",
        "",
        STATISTICS,
    ),
    "lamb_shift": said(
        "true or false, or a list of them", "whether equations keep η", "", (False, True)
    ),
    "spacing": said(
        "an integer >= 2, or a list of them",
        f"p of the check {EVERY}: every p-th site of a ring has a reservoir",
        "",
        (),
    ),
}


def parse(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[Case]]:
    """Settings and cases of a TOML table.  Raises TypeError or ValueError."""
    check_keys("study", dict(table), _STUDY)
    bosons = dict(checked(BOSON, table[BOSON], dict))
    check_present(BOSON, bosons, ["lowest_level"])
    level = arguments.real(f"{BOSON}.lowest_level", bosons.pop("lowest_level"))
    reservoirs = {
        FERMION: check_reservoir(FERMION, table[FERMION], FERMION),
        BOSON: check_reservoir(BOSON, bosons, BOSON),
    }
    if level <= bosons.get("chemical_potential", 0.0):
        raise InputError(
            f"{BOSON}.lowest_level = {level:g}: must lie above the chemical potential, "
            f"{bosons.get('chemical_potential', 0.0):g}"
        )
    settings = {
        "seed": arguments.integer("seed", table["seed"], 0),
        "strength": arguments.real("strength", table["strength"], above=0.0),
        "coupling_change": arguments.real("coupling_change", table["coupling_change"], above=-1.0),
        "beta_ratio": arguments.real("beta_ratio", table["beta_ratio"], above=0.0),
        "lowest_level": level,
        **reservoirs,
    }
    cases: list[Case] = []
    for where, system in tables_of(table, "systems"):
        cases += _cases(where, system)
    return settings, cases


def tables() -> dict[str, Any]:
    """Types of the keys of every table but those of reservoirs and models."""
    return {"": _STUDY, f"[{BOSON}]": _BOSONS, "[[systems]]": _OWN}


def _cases(where: str, table: Mapping[str, Any]) -> list[Case]:
    systems = expand_system(where, table, _OWN)
    checks = _chosen(f"{where}.checks", table.get("checks", [EQUAL]), CHECKS)
    statistics = _chosen(f"{where}.statistics", table.get("statistics", [*STATISTICS]), STATISTICS)
    shifts = [
        checked(f"{where}.lamb_shift", entry, bool)
        for entry in listed(table.get("lamb_shift", [False, True]))
    ]
    spacings = [
        arguments.integer(f"{where}.spacing", entry, 2)
        for entry in listed(table.get("spacing", []))
    ]
    if (EVERY in checks) != bool(spacings):
        raise InputError(f"{where}: the check {EVERY!r} and the key 'spacing' need each other")
    found = []
    for system, check in itertools.product(systems, checks):
        n_sites = n_sites_of(system)
        _check_fits(where, system, check, n_sites, spacings)
        for own, shift in itertools.product(statistics, shifts):
            more: dict[str, Value] = {"statistics": own, "lamb_shift": shift}
            cost = _COST_OF_A_CUBE * n_sites**3 + _LEAST_COST
            if check == FOCK:
                if own == BOSON:
                    more["max_particles"] = _MOST_BOSONS
                cost = 0.1
            each = {"check": check, **system, **more}
            if check == EVERY:
                found += [build_case({**each, "spacing": step}, cost) for step in spacings]
            else:
                found.append(build_case(each, cost))
    return found


def most_bytes(_settings: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """Of a case: at N = 1000 eleven dense complex matrices were measured."""
    return 12.0 * 16.0 * n_sites_of(given) ** 2


def _check_fits(
    where: str, system: Mapping[str, Any], check: str, n_sites: int, spacings: list[int]
) -> None:
    """ValueError for a check that does not exist for a system."""
    if check == EVERY:
        if system["model"] != "ring":
            raise InputError(f"{where}: the check {EVERY!r} is of rings, not of {system['model']}")
        if n_sites < 3:
            raise InputError(f"{where}: the check {EVERY!r} needs 3 sites, here {n_sites}")
        for spacing in spacings:
            if n_sites % spacing:
                raise InputError(f"{where}: spacing = {spacing} does not divide {n_sites} sites")
    if check == FOCK and n_sites > _MOST_SITES:
        raise InputError(f"{where}: the check {FOCK!r} is for {_MOST_SITES} sites at most")
    if check in (ONE_COUPLING, TWO_TEMPERATURES) and n_sites < 2:
        raise InputError(f"{where}: the check {check!r} needs 2 sites, here {n_sites}")


def _chosen(where: str, value: object, allowed: tuple[str, ...]) -> list[str]:
    found = [arguments.choice(where, entry, allowed) for entry in listed(value)]
    if not found or len(set(found)) != len(found):
        raise InputError(f"{where} = {found}: one or more distinct words are needed")
    return found


def compute(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Results:
    """The numbers of one case.

    damping, filling: of `theorem_residual`, relative Frobenius norms of R and F; of the check
    "every" expected: what the terms that survive give, see `surviving_ratio`.  "unclustered":
    residual, see `unclustered_residual`.  "fock": residual ‖L_R − L_D‖_F over that of the
    dissipative part of L_D, and unclustered, the same with every transition between levels a
    frequency of its own, where no levels are degenerate.
    """
    hamiltonian, reservoir = _hamiltonian(settings, given), _reservoir(settings, given)
    shift = given["lamb_shift"]
    if given["check"] == FOCK:
        return _fock(settings, given, np.asarray(hamiltonian), reservoir)
    model = QuadraticModel(
        hamiltonian, _contacts(settings, given, reservoir), reservoir.statistics
    )
    if given["check"] == UNCLUSTERED:
        return {"residual": unclustered_residual(model, shift)}
    found = theorem_residual(model, shift)
    results = {"damping": found.damping, "filling": found.filling}
    if given["check"] == EVERY:
        results["expected"] = surviving_ratio(
            model, n_sites_of(given), given["spacing"], given["flux"], shift
        )
    return results


def _hamiltonian(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """h, for bosons shifted so that its lowest level is the one of the settings."""
    matrix = build_hamiltonian(settings, given)
    if given["statistics"] == FERMION:
        return matrix
    dense = np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())
    lowest = float(np.linalg.eigvalsh(dense)[0])
    return dense + (settings["lowest_level"] - lowest) * np.eye(len(dense))


def _reservoir(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Reservoir:
    return build_reservoir(settings[given["statistics"]], given["statistics"])


def _contacts(
    settings: Mapping[str, Any], given: Mapping[str, Any], reservoir: Reservoir
) -> tuple[Contact, ...]:
    """Equal contacts on all sites but for what the check changes.

    "one_coupling": J of the middle site; "two_temperatures": β of the second half of the sites;
    "every": contacts on the sites 0, p, 2p ... alone.
    """
    n_sites, strength = n_sites_of(given), settings["strength"]
    contacts = [Contact(site, reservoir, strength) for site in range(n_sites)]
    if given["check"] == ONE_COUPLING:
        middle = n_sites // 2
        contacts[middle] = replace(
            contacts[middle], strength=strength * (1.0 + settings["coupling_change"])
        )
    if given["check"] == TWO_TEMPERATURES:
        other = replace(reservoir, beta=settings["beta_ratio"] * reservoir.beta)
        half = n_sites // 2
        contacts[half:] = [replace(each, reservoir=other) for each in contacts[half:]]
    if given["check"] == EVERY:
        contacts = contacts[:: given["spacing"]]
    return tuple(contacts)


def surviving_ratio(
    model: QuadraticModel, n_sites: int, spacing: int, flux: float, lamb_shift: bool
) -> float:
    """‖R_R − R_D‖_F / ‖R_D − ih‖_F of a ring with contacts on every p-th site, term by term.

    SNM, below eq. (12), say that terms m ≠ n vanish; Σ_q V*_qm V_qn = 1/p survives where
    m − n is a multiple of N/p.  Davies keeps those of degenerate waves, m + n = −flux/π.
    """
    wave = np.arange(n_sites)
    survives = (wave[:, None] - wave) % (n_sites // spacing) == 0
    same = wave[:, None] == wave
    turns = flux / np.pi
    if turns == round(turns):
        same |= (wave[:, None] + wave + round(turns)) % n_sites == 0
    energies = 2.0 * np.cos((2.0 * np.pi * wave + flux) / n_sites)
    # Bosons have their levels shifted.
    energies += np.trace(model.dense_hamiltonian()).real / n_sites
    reservoir = model.contacts[0].reservoir
    rates = 0.5 * reservoir.spectrum(energies).astype(np.complex128)
    if lamb_shift:
        rates += 1j * reservoir.shift(energies)
    weights = np.abs(rates) ** 2
    kept = float((survives & same).sum(axis=0) @ weights)
    lost = float((survives & ~same).sum(axis=0) @ weights)
    return float(np.sqrt(lost / kept))


def _fock(
    settings: Mapping[str, Any],
    given: Mapping[str, Any],
    hamiltonian: NDArray[Any],
    reservoir: Reservoir,
) -> Results:
    basis = FockBasis(
        len(hamiltonian), given["statistics"], max_particles=given.get("max_particles")
    )
    model = FockModel(basis, hamiltonian)
    couplings = [
        each
        for site in range(len(hamiltonian))
        for each in exchange_couplings(len(hamiltonian), site, reservoir, settings["strength"])
    ]
    shift = given["lamb_shift"]
    redfield = build_redfield_equation(model, couplings, shift).toarray()
    davies = build_davies_equation(model, couplings, shift).toarray()
    one = np.eye(basis.dimension)
    matrix = model.hamiltonian.toarray()
    unitary = -1j * (np.kron(matrix, one) - np.kron(one, matrix.T))
    scale = float(np.linalg.norm(davies - unitary))
    results = {"residual": float(np.linalg.norm(redfield - davies)) / scale}
    generator = build_generator(
        QuadraticModel(hamiltonian, _contacts(settings, given, reservoir), reservoir.statistics),
        REDFIELD,
    )
    if generator.levels[-1] + 1 == len(hamiltonian):
        apart = build_davies_equation(model, couplings, shift, distinct=True).toarray()
        results["unclustered"] = float(np.linalg.norm(apart - davies)) / scale
    return results
