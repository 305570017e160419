"""Make tests/checks/hierarchy.json: exact states for density coupling, and their errors.

    python scripts/hierarchy_values.py

Needs QuTiP and a minute.  Tests of the equations read the file where QuTiP is missing.
"""

import json
import sys
from pathlib import Path

import numpy as np

import manybody as mb
from manybody.papers.kit.systems import build_hamiltonian
from manybody.papers.snm.hierarchy.states import converge

PATH = Path(__file__).parents[1] / "tests" / "checks" / "hierarchy.json"
CUTOFF, BETA = 3.0, 1.0
TIMES = [1.0, 6.0, 30.0, 120.0]
# Sites, coupling, tolerance.
CASES = ((2, 0.1, 2e-6), (2, 0.2, 1e-6), (2, 0.4, 2e-6), (3, 0.1, 1e-5), (3, 0.2, 3e-5))
_DIGITS = 9


def build_case(n_sites, coupling):
    """(H, bath, ρ(0)) of a check value."""
    given = {"model": "tilted-ring", "n_sites": n_sites}
    given |= {"detuning": 1.0, "hopping": 0.5, "flux": 1.0}
    bath = mb.ThermalBath(mb.DrudeLorentzDensity(coupling, CUTOFF), BETA)
    start = np.zeros((n_sites, n_sites), dtype=np.complex128)
    start[0, 0] = 1.0
    return build_hamiltonian({"seed": 0}, given), bath, start


def compute(n_sites, coupling, tolerance):
    """One entry of the file."""
    hamiltonian, bath, start = build_case(n_sites, coupling)
    exact = converge(hamiltonian, bath, start, np.array(TIMES), tolerance)
    print(n_sites, coupling, exact.terms, exact.depth, exact.error, exact.late_error, flush=True)
    return {
        "n_sites": n_sites,
        "coupling": coupling,
        "terms": exact.terms,
        "depth": exact.depth,
        "error": float(f"{exact.error:.2g}"),
        "late_error": float(f"{exact.late_error:.2g}"),
        "states": [written(state) for state in exact.states],
        "late": written(exact.late),
    }


def written(matrix):
    """Rows of [Re, Im], rounded."""
    return [[[round(z.real, _DIGITS), round(z.imag, _DIGITS)] for z in row] for row in matrix]


def read(rows):
    """The matrix that `written` wrote."""
    parts = np.array(rows)
    return parts[..., 0] + 1j * parts[..., 1]


def main():
    """Compute all cases and write the file."""
    content = {
        "made_by": "scripts/hierarchy_values.py",
        "system": "tilted-ring: detuning 1, hopping 0.5, flux 1; start on the first site",
        "bath": "Drude-Lorentz on every site",
        "cutoff": CUTOFF,
        "beta": BETA,
        "times": TIMES,
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items()]
    cases = ",\n".join(f"  {json.dumps(compute(*case))}" for case in CASES)
    text = ",\n".join([*lines, f' "cases": [\n{cases}\n ]'])
    PATH.write_text(f"{{\n{text}\n}}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
