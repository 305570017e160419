"""Numbers leave public functions as Python's own or as arrays, never as NumPy's scalars.

NumPy 2 writes np.float64(0.5) for one of those, which no table and no command reads back.
Functions of an array, γ(ω) for one, answer a number as NumPy's own functions of arrays do.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from oracles import random_hermitian

import manybody as mb
from manybody.papers.levy_kosloff import errata as levy_kosloff_errata
from manybody.papers.levy_rabani_limmer import errata as levy_rabani_limmer_errata
from manybody.papers.mitchison_plenio import errata as mitchison_plenio_errata
from manybody.physics.gaussian.theorem import theorem_residual

MODEL = mb.SingleParticleModel(random_hermitian(np.random.default_rng(1), 4))
OHMIC = mb.OhmicBath(0.2, 10.0, 5.0)
FLAT = mb.FlatDensity(0.1, 8.0)
HOT, COLD = (mb.Reservoir(FLAT, beta=beta, chemical_potential=0.1) for beta in (0.5, 5.0))
WIRE = mb.QuadraticModel(MODEL.hamiltonian, (mb.Contact(0, HOT), mb.Contact(3, COLD)), "fermion")
ERRATA = [
    each
    for paper in (levy_kosloff_errata, levy_rabani_limmer_errata, mitchison_plenio_errata)
    for each in paper.ERRATA
    if each.evidence is not None
]


def scalars_of_numpy(value, where="", depth=0):
    """Paths to NumPy's scalars in a result and what it holds."""
    if isinstance(value, np.generic):
        return [where]
    if depth > 4 or isinstance(value, (np.ndarray, str, bytes, int, float, complex)):
        return []
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return []
    return [
        path
        for name, part in parts
        for path in scalars_of_numpy(part, f"{where}[{name}]", depth + 1)
    ]


def test_the_search_finds_one():
    assert scalars_of_numpy({"a": [1.0, np.float64(2.0)], "b": np.zeros(2)}) == ["[a][1]"]


CALLS = {
    "compare": lambda: mb.compare(MODEL, OHMIC, [0.0, 1.0], keep_states=True),
    "ensemble": lambda: mb.compare_ensemble([MODEL], OHMIC, [0.0, 1.0]),
    "levels": lambda: mb.level_statistics(MODEL),
    "davies": lambda: mb.steady_state(MODEL, OHMIC, "davies"),
    "correlations": lambda: mb.steady_correlations(WIRE, "redfield", lamb_shift=True),
    "dynamics": lambda: mb.correlation_dynamics(WIRE, np.diag([1.0, 0, 0, 0]), [0.0, 1.0]),
    "theorem": lambda: theorem_residual(mb.from_single_particle(MODEL, HOT)),
    "liouvillian": lambda: mb.davies_liouvillian(MODEL, OHMIC),
    "kosloff": lambda: mb.networks.levy_kosloff(
        omega_h=10.0, omega_c=5.0, T_h=12.0, T_c=10.0, epsilon=0.01, kappa=1e-3
    ),
}
NEED_PETSC = {
    "redfield": lambda: mb.steady_state(MODEL, OHMIC, lamb_shift=True),
    "modes": lambda: mb.slow_modes(MODEL, OHMIC),
}


@pytest.mark.parametrize("name", CALLS)
def test_public_results(name):
    assert scalars_of_numpy(CALLS[name]()) == []


@pytest.mark.parametrize("name", NEED_PETSC)
def test_public_results_with_petsc(name):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    assert scalars_of_numpy(NEED_PETSC[name]()) == []


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: erratum.where)
def test_errata(erratum):
    assert scalars_of_numpy(erratum.evidence()) == []
