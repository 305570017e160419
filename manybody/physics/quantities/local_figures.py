"""How far two equations lie apart on single sites and pairs of sites, from their local sums.

Trace norms have no factor ½, as everywhere.  They need Hermitian differences and use one
triangle of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.quantities.local_states import LocalSums
from manybody.physics.quantities.norms import trace_norm

# Particle numbers of |00⟩, |10⟩, |01⟩, |11⟩ modulo 2.
_PARITIES = np.array([0, 1, 1, 0])
_ODD = _PARITIES[:, None] != _PARITIES


@dataclass(frozen=True, eq=False)
class LocalFigures:
    """Local quantities of several equations at T times, and of their differences, by name.

    Attributes
    ----------
    of_equation : mapping of str to mapping of str to array
        of_equation[equation]: "density" (T, N) ⟨n_j⟩, "energy" (T,) tr(Hρ)/N in J, "purity" (T,)
        tr ρ².
    of_pair : mapping of (str, str) to mapping of str to array
        of_pair[first, second], every two in the order given, (T,) each: "one_site_largest" and
        "one_site_mean", over sites, of ‖ρ_j − σ_j‖₁; "two_site_largest" and "two_site_mean", over
        all pairs of sites, of ‖ρ_ij − σ_ij‖₁ (nan with one site); "density_largest", max_j
        |δ⟨n_j⟩|; "energy_difference", (tr(Hρ) − tr(Hσ))/N in J with its sign.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.xxz_chain(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> local = mb.compare(model, bath, [0.0, 10.0]).local
    >>> local.of_equation["davies"]["density"].shape
    (2, 4)
    """

    of_equation: Mapping[str, Mapping[str, Real]]
    of_pair: Mapping[tuple[str, str], Mapping[str, Real]]


def local_figures(sums: Mapping[str, LocalSums]) -> LocalFigures:
    """Local quantities and differences from the complete sums (all columns) of every equation.

    With `local = LocalMap(basis)`: `local_figures({name: local.sums(states, hamiltonian), …})`.
    Raises ValueError where the sums are of different systems or times.
    """
    shapes = {name: (one.n_sites, one.values.shape) for name, one in sums.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(f"sums have (sites, shape) {shapes}: must be equal")
    of_equation = {name: _single(one) for name, one in sums.items()}
    of_pair = {(a, b): _difference(sums[a], sums[b]) for a, b in combinations(sums, 2)}
    return LocalFigures(of_equation, of_pair)


def local_trace_norms(differences: NDArray[Any]) -> Real:
    """‖X‖₁ of differences of reduced states, Hermitian.  (..., 2, 2) or (..., 4, 4) -> (...).

    Closed form for 2 x 2 blocks: of [[a, c], [c*, b]] it is |a + b| where both eigenvalues have
    one sign and their distance where not, the larger of the two.  Two sites have two such blocks
    where no element between even and odd particle numbers differs.  Else by eigenvalues.
    """
    if differences.shape[-1] == 2:
        return _block_norm(differences, 0, 1)
    if differences[..., _ODD].any():
        return trace_norm(differences)
    return _block_norm(differences, 0, 3) + _block_norm(differences, 1, 2)


def _block_norm(matrices: NDArray[Any], first: int, second: int) -> Real:
    a, b = matrices[..., first, first].real, matrices[..., second, second].real
    apart = np.hypot(a - b, 2.0 * np.abs(matrices[..., second, first]))
    norm: Real = np.maximum(np.abs(a + b), apart)
    return norm


def _single(sums: LocalSums) -> dict[str, Real]:
    energy = sums.energy / sums.n_sites
    return {"density": sums.densities, "energy": energy, "purity": sums.purity}


def _difference(first: LocalSums, second: LocalSums) -> dict[str, Real]:
    return {
        **_norms("one_site", first.one_site - second.one_site),
        **_norms("two_site", first.two_site - second.two_site),
        "density_largest": np.abs(first.densities - second.densities).max(axis=1),
        "energy_difference": (first.energy - second.energy) / first.n_sites,
    }


def _norms(name: str, differences: NDArray[Any]) -> dict[str, Real]:
    """Largest and mean over places, nan where there is no place."""
    norms = local_trace_norms(differences)
    if norms.shape[1] == 0:
        norms = np.full((len(norms), 1), np.nan)
    return {f"{name}_largest": norms.max(axis=1), f"{name}_mean": norms.mean(axis=1)}
