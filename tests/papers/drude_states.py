"""A Drude-Lorentz bath, states at random and those that are written down."""

import json

import numpy as np
from conftest import CHECKS
from hierarchy_values import read

import manybody as mb

WRITTEN = json.loads((CHECKS / "hierarchy.json").read_text())
NAMES = ("redfield", "davies", "universal-lindblad", "local")


def drude(coupling=0.3, beta=1.0, cutoff=3.0):
    return mb.ThermalBath(mb.DrudeLorentzDensity(coupling, cutoff), beta)


def random_state(rng, n):
    factor = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    rho = factor @ factor.conj().T
    return rho / np.trace(rho)


def written(n_sites, coupling):
    (case,) = [c for c in WRITTEN["cases"] if (c["n_sites"], c["coupling"]) == (n_sites, coupling)]
    return np.array([read(rows) for rows in case["states"]]), read(case["late"]), case
