"""What any Hermitian couplings leave alone: the operators that commute with every jump.

Let A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k| be the jumps whose γ(ω) or γ(−ω) is not zero.  What
the Davies equation neither damps nor moves is their commutant (Frigerio 1978), which H only turns.
Where it is commutative it does not turn either, since a derivation of it vanishes: it is spanned
by projectors on sets of levels, each with one stationary state and no coherence that lasts.

A witness decides: a Hermitian R in the algebra of the jumps whose eigenvalues are all distinct.
What commutes with R is diagonal in its eigenbasis, and constant along the elements of every other
such operator.  Here they are sums of A_j(t) = e^{iHt}A_je^{−iHt} at random times, and
of their squares: smooth in H, so that levels next to each other cost no digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from manybody.arrays import Complex, Real
from manybody.physics.spectra import EPSILON, Spectrum

# Times in one operator, in 1/width of the band, and witnesses drawn before none is believed in.
_TIMES, _LONGEST, _DRAWS = 3, 20.0, 3
# Eigenvalues of a witness nearer than this times its rounding may be one.
_DISTINCT = 100.0
# Parts are apart where the links that rounding could hide are below this.
_HIDDEN = 1e-7


@dataclass(frozen=True, eq=False)
class Commutant:
    """What commutes with the jumps of one sample.

    is_commutative: whether it is, to rounding; components: (D,) index of the set that each
    column of `basis` belongs to; basis: (D, D) orthonormal, in the energy basis.  Where it is not
    known to be commutative neither of the others means anything.
    """

    is_commutative: bool
    components: NDArray[np.intp]
    basis: NDArray[Any]

    @property
    def count(self) -> int:
        """Number of sets."""
        return int(self.components.max()) + 1


def find_commutant(
    spectrum: Spectrum,
    energies: Real,
    moves: NDArray[np.bool_] | None = None,
    conserved: NDArray[np.complex128] | None = None,
    resolution: float = 0.0,
) -> Commutant:
    """The commutant of the jumps of a stack of one sample.

    energies: (D,) with equal ones equal; moves: (D, D) True for the pairs of levels whose γ is not
    zero, None for all; conserved: (D, D) Hermitian H_LS in the energy basis that must commute too,
    known to rounding of norm one, or None; resolution: relative size up to which
    differences count as none, beside rounding.
    """
    rng = np.random.default_rng(0)
    for _ in range(_DRAWS):
        draws = list(_drawn(spectrum, energies, moves, rng))
        found, is_certain = _examined(draws, conserved, resolution)
        if found.is_commutative and is_certain:
            return found
    return Commutant(False, found.components, found.basis)


def _drawn(
    spectrum: Spectrum, energies: Real, moves: NDArray[np.bool_] | None, rng: np.random.Generator
) -> Iterator[Complex]:
    """Three (D, D) Σ_j Σ_t c_jt A_j(t) in the energy basis, of about norm one before `moves`."""
    width = float(np.ptp(energies)) or 1.0
    totals = np.zeros((3, len(energies), len(energies)), dtype=np.complex128)
    for (turned,) in spectrum.couplings.turned(spectrum.vectors):
        for total in totals:
            times = rng.uniform(0.0, _LONGEST / width, _TIMES)
            waves = np.exp(1j * energies[:, None] * times)
            total += turned * ((waves * rng.uniform(0.5, 1.5, _TIMES)) @ waves.conj().T)
    for total in totals:
        # Elements are known to rounding of the whole, also where `moves` leaves little.
        size = float(np.linalg.norm(total)) / np.sqrt(len(energies))
        if moves is not None:
            total *= moves
        yield 0.5 * (total + total.conj().T) / (size or 1.0)


def _examined(
    draws: list[Complex], conserved: Complex | None, resolution: float
) -> tuple[Commutant, bool]:
    """What one witness says, and whether its rounding hides no link between sets."""
    first, second, third = draws
    values, basis = np.linalg.eigh(first + second @ second)
    n, scale = len(values), float(np.abs(values).max()) or 1.0
    rounding = np.sqrt(n) * EPSILON * max(1.0, scale)
    gaps = np.diff(values, prepend=-np.inf, append=np.inf)
    nearest = np.minimum(gaps[1:], gaps[:-1])
    is_commutative = bool(np.all(nearest > max(_DISTINCT * rounding, resolution * scale)))
    with np.errstate(divide="ignore"):
        lost = 30.0 * rounding / nearest
    hidden = np.minimum(lost[:, None] + lost, 1e300)
    linked = np.zeros((n, n), dtype=bool)
    for one in (third,) if conserved is None else (third, conserved):
        turned = np.abs(basis.conj().T @ one @ basis)
        size = float(np.linalg.norm(one)) / np.sqrt(n)
        linked |= turned > np.maximum(hidden, resolution * size)
    _, components = connected_components(csr_array(linked), directed=False)
    apart = components[:, None] != components
    is_certain = bool(np.all(hidden[apart] <= max(_HIDDEN, resolution)))
    return Commutant(is_commutative, components.astype(np.intp), basis), is_certain


def turned_to(
    found: Commutant, clusters: list[NDArray[np.intp]]
) -> tuple[list[NDArray[Any]], NDArray[np.intp]] | None:
    """Unitary turns of the levels and the set of each vector then; None where they do not fit.

    clusters: indices of the members of every level.  The projectors on the sets commute with H:
    within a level Σ_c c P_c has whole eigenvalues.
    """
    owners = np.empty(len(found.components), dtype=np.intp)
    turns = []
    for members in clusters:
        rows = found.basis[members]
        values, turn = np.linalg.eigh((rows * found.components) @ rows.conj().T)
        if np.any(np.abs(values - np.round(values)) > 1e-3):
            return None
        owners[members] = np.round(values).astype(np.intp)
        turns.append(turn)
    return turns, owners


def joined(
    weights: Real, owners: NDArray[np.intp], moves: NDArray[np.bool_] | None, invisible: Real
) -> NDArray[np.intp]:
    """Sets of levels with those made one between which an amplitude can be seen.

    weights: (D, D) Σ_j |⟨l|A_j|k⟩|²; owners: (D,) set of every level; moves: see `find_commutant`;
    invisible: (D,) amplitudes up to the sum of two of these are rounding of the eigenvectors.
    """
    seen = np.sqrt(weights) > invisible[:, None] + invisible
    if moves is not None:
        seen &= moves
    rows, columns = np.nonzero(seen & (owners[:, None] != owners))
    count = int(owners.max()) + 1
    graph = csr_array((np.ones(len(rows)), (owners[rows], owners[columns])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    result: NDArray[np.intp] = labels[owners].astype(np.intp)
    return result


def level_rounding(spectrum: Spectrum, clusters: list[NDArray[np.intp]]) -> Real:
    """(D,) what rounding of H by ε‖H‖ leaves wrong of amplitudes of every level.

    In units of the A_j of one sample: relative to the distance to the next level.
    """
    energies, norm = spectrum.energies[0], float(spectrum.norms[0])
    result = np.empty(len(energies))
    size = np.sqrt(float(spectrum.weights[0].max(initial=0.0)))
    for members in clusters:
        first, last = members[0], members[-1]
        below = energies[first] - energies[first - 1] if first > 0 else np.inf
        above = energies[last + 1] - energies[last] if last + 1 < len(energies) else np.inf
        result[members] = 1.0 + norm / min(below, above)
    result *= 100.0 * EPSILON * np.sqrt(len(energies)) * size
    return result


def untouched_levels(
    spectrum: Spectrum, clusters: list[NDArray[np.intp]], moves: NDArray[np.bool_] | None
) -> int:
    """Dimension of what no jump with ω ≠ 0 leaves or reaches, of a stack of one sample.

    The null space of Σ_j Σ_{ω≠0} A_j(ω)†A_j(ω), level by level.
    """
    labels = np.repeat(np.arange(len(clusters)), [len(members) for members in clusters])
    leaving = labels[:, None] != labels
    if moves is not None:
        leaving &= moves
    weights = spectrum.weights[0]
    lost = (weights * leaving).sum(axis=0)
    limit = (100.0 * EPSILON) ** 2 * len(lost) * float(weights.max())
    several = [members for members in clusters if len(members) > 1]
    single = np.concatenate([own for own in clusters if len(own) == 1] or [np.empty(0, np.intp)])
    return int(np.count_nonzero(lost[single] <= limit)) + sum(
        _null_dimension(one, limit) for one in _squares(spectrum, leaving, several)
    )


def _null_dimension(square: Complex, limit: float) -> int:
    """How many eigenvalues are 0: of several, small ones are known to ε of the largest."""
    values = np.linalg.eigvalsh(square)
    rounding = 8.0 * len(values) * EPSILON * float(values[-1])
    return int(np.count_nonzero(values <= max(limit, rounding)))


def _squares(
    spectrum: Spectrum, leaving: NDArray[np.bool_], levels: list[NDArray[np.intp]]
) -> list[Complex]:
    """(m, m) Σ_j B_j†B_j within some levels of the elements of A_j that `leaving` keeps."""
    totals = [np.zeros((len(own), len(own)), dtype=np.complex128) for own in levels]
    if not levels:
        return totals
    for (turned,) in spectrum.couplings.turned(spectrum.vectors):
        for total, own in zip(totals, levels):
            kept = turned[:, own] * leaving[:, own]
            total += kept.conj().T @ kept
    return totals
