"""Starts of many particles as vectors: occupation patterns and product states of spins.

A spin up is an occupied site: σᶻ_j = 2n_j − 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Complex
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, fock_state
from manybody.physics.models.matrices import dense_from

PATTERNS = ("neel", "domain-wall", "spread")


def pattern_state(basis: FockBasis, pattern: str | Sequence[int] | NDArray[Any]) -> Complex:
    """The state with the occupations of a pattern.

    Parameters
    ----------
    basis : FockBasis
        Of modes with occupations 0 or 1.
    pattern : {"neel", "domain-wall", "spread"} or (N,) sequence of int
        The name of a pattern, see Notes, or occupations 0 or 1 in the order of the sites.

    Returns
    -------
    (D,) array of complex
        A unit vector.

    Raises
    ------
    InputError
        There is no such pattern, or the basis has no such state.

    Notes
    -----
    "neel": sites 0, 2, 4, … are occupied; with N odd and (N − 1)/2 particles sites 1, 3, 5, …;
    every other fixed number of particles is refused.  It is the Néel state of a chain: for the
    sublattices of another lattice give the sequence.  "domain-wall": sites 0 … n − 1 are occupied,
    n the particle number of the basis, or N/2, rounded down, where it has several.  "spread":
    sites ⌊iN/n⌋, i = 0 … n − 1, are occupied: as far apart as can be along the chain, and "neel"
    at half filling of an even N.  See docs/physics.md section 10.

    Examples
    --------
    >>> import manybody as mb
    >>> basis = mb.xxz_chain(n_sites=4).basis
    >>> state = mb.pattern_state(basis, "neel")
    >>> basis.occupations[abs(state).argmax()].tolist()
    [1, 0, 1, 0]
    """
    return fock_state(basis, pattern_occupations(basis, pattern))


def pattern_occupations(
    basis: FockBasis, pattern: str | Sequence[int] | NDArray[Any]
) -> NDArray[np.int64]:
    """(N,) occupations, 0 or 1, of a pattern in the order of the sites.

    pattern: "neel": sites 0, 2, 4, … are occupied; with N odd and (N − 1)/2 particles sites
        1, 3, 5, …; every other fixed number of particles is refused.  It is the Néel state of
        a chain: for the sublattices of another lattice give the sequence.
        "domain-wall": sites 0 … n − 1 are occupied, n the particle number of the basis, or
        N/2, rounded down, where it has several.
        "spread": sites ⌊iN/n⌋, i = 0 … n − 1, are occupied: as far apart as can be along the
        chain, and "neel" at half filling of an even N; n as above.
        A sequence of N numbers 0 or 1.

    Raises TypeError or ValueError.
    """
    arguments.instance("basis", basis, FockBasis)
    if not isinstance(pattern, str):
        return _checked_sequence(basis, pattern)
    if arguments.choice("pattern", pattern, PATTERNS) == "neel":
        return _neel(basis)
    sites = np.arange(basis.n_modes)
    filled = basis.n_modes // 2 if basis.n_particles is None else basis.n_particles
    if filled > basis.n_modes:
        raise InputError(
            f"pattern = {shown(pattern)}: {filled} particles do not fit on {basis.n_modes} sites"
        )
    if pattern == "spread":
        occupied = np.arange(filled) * basis.n_modes // max(1, filled)
        return np.isin(sites, occupied).astype(np.int64)
    return (sites < filled).astype(np.int64)


def product_state(basis: FockBasis, vectors: ArrayLike) -> Complex:
    """A product over the sites of spins of every number, ψ(n) = Π_j v_j[n_j].

    Parameters
    ----------
    basis : FockBasis
        Of bosons, at most one a site, of every number.
    vectors : (N, 2) array
        Real or complex, row j the amplitudes of n_j = 0 and 1; they are normalised here.  A spin
        along the angles θ, φ has (e^{iφ} sin(θ/2), cos(θ/2)).

    Returns
    -------
    (D,) array of complex
        A vector of norm one.

    Raises
    ------
    InputError
        For another shape, a row without length, fermions (of which only occupation patterns are
        products of sites) and bases that miss a pattern.

    Examples
    --------
    >>> import manybody as mb
    >>> basis = mb.ising_chain(n_sites=3).basis
    >>> mb.product_state(basis, [[1, 1]] * 3).real.round(3)[:2]
    array([0.354, 0.354])
    """
    _check_spins(basis)
    rows = _checked_vectors(vectors, basis.n_modes)
    state = np.ones(1, dtype=np.complex128)
    for row in _normalised(rows):
        # Site 0 turns fastest, it is the last factor of a Kronecker product.
        state = np.kron(row, state)
    return state


def _neel(basis: FockBasis) -> NDArray[np.int64]:
    first = np.arange(basis.n_modes) % 2 == 0
    for occupied in (first, ~first):
        if basis.n_particles in (None, int(occupied.sum())):
            return np.where(occupied, 1, 0)
    raise InputError(
        f"pattern = 'neel': {basis.n_modes} sites need half as many particles, "
        f"here n_particles = {basis.n_particles}"
    )


def _checked_sequence(basis: FockBasis, pattern: Any) -> NDArray[np.int64]:
    wanted = f"one of {', '.join(map(repr, PATTERNS))} or {basis.n_modes} numbers 0 or 1"
    if not isinstance(pattern, (Sequence, np.ndarray)) or isinstance(pattern, bytes):
        raise InputTypeError(f"pattern = {shown(pattern)}: {wanted} are needed")
    numbers = arguments.array("pattern", pattern)
    is_numeric = numbers.dtype.kind in "biuf"
    if numbers.shape != (basis.n_modes,) or not is_numeric or set(numbers) - {0, 1}:
        raise InputError(f"pattern = {shown(pattern)}: must be {wanted}")
    result: NDArray[np.int64] = numbers.astype(np.int64)
    return result


def _check_spins(basis: FockBasis) -> None:
    arguments.instance("basis", basis, FockBasis)
    if basis.statistics == "fermion":
        raise InputError("basis of fermions: product states are of spins (bosons)")
    if basis.dimension != 2**basis.n_modes or basis.largest != 1:
        raise InputError(
            f"basis has {basis.dimension} states with up to {basis.largest} particles a site: a "
            f"product of {basis.n_modes} spins needs all {2**basis.n_modes} patterns of 0 and 1"
        )


def _normalised(rows: Complex) -> Complex:
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not np.all(largest > 0.0):
        raise InputError(f"vectors[{int(np.argmin(largest))}] = 0: a direction is needed")
    # First of a size whose square is a number.
    scaled = rows / largest
    unit: Complex = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return unit


def _checked_vectors(value: ArrayLike, n_sites: int) -> Complex:
    """`value` as an (N, 2) finite complex array."""
    rows = dense_from(value, "vectors")
    if rows.dtype.kind not in "biufc":
        raise InputTypeError(f"vectors has dtype {rows.dtype}: must be real or complex numbers")
    if rows.shape != (n_sites, 2):
        raise InputError(f"vectors has shape {rows.shape}: must be ({n_sites}, 2)")
    if not np.isfinite(rows).all():
        raise InputError("vectors: all entries must be finite")
    return rows.astype(np.complex128)
