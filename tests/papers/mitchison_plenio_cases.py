"""Parameters of Mitchison and Plenio that several tests share, and their check values."""

import json
from pathlib import Path

import numpy as np

CHECKS = json.loads(
    (Path(__file__).parents[1] / "checks" / "networks.json").read_text(encoding="utf-8")
)
NAMES = {"Gam": "Gamma", "Om": "Omega", "muL": "mu_L", "muR": "mu_R", "TL": "T_L", "TR": "T_R"}
ALL_METHODS = ("exact", "epa", "additive", "redfield", "davies", "local")
# Everything different, and nothing small.
GENERAL = {
    "h": 1.0,
    "delta": 0.3,
    "g": 0.5,
    "Gamma": 0.4,
    "Omega": 3.0,
    "mu_L": 0.7,
    "mu_R": -0.2,
    "T_L": 0.3,
    "T_R": 0.2,
}
WEAK = {**GENERAL, "Gamma": 0.01, "Omega": 10.0}
START = np.array([[0.6, 0.1 + 0.2j], [0.1 - 0.2j, 0.3]])


def named(params):
    return {NAMES.get(key, key): value for key, value in params.items()}


def components(C):
    return {"C11": C[0, 0].real, "C22": C[1, 1].real, "ReC12": C[0, 1].real, "ImC12": C[0, 1].imag}
