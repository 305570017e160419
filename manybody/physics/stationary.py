"""What does not decay: dark levels, decoupled parts, and what each conserves.

Rates decide (docs/physics.md section 12).  Let v_jE = Π_E|j⟩ be what coupled site j sees of the
level E.  What the Davies equation conserves within levels commutes with every
|v_jE⟩⟨v_jE'| whose γ(E' − E) or γ(E − E') is not zero (Frigerio 1978: the commutant of the jump
operators), so each v_jE that takes part in a jump is an eigenvector of it, with one
eigenvalue along every jump and on all v_jE of a level that are not orthogonal.  Components
are the sets so connected, each with one stationary state; what no jump touches is dark,
and keeps its coherences.  Where every γ > 0 this is what H alone decides, and then it holds
for any equation: no A_j and no H leads out of a component.

Any other couplings: see `commutant`.  Where what commutes with all jumps commutes with itself,
components say all; where not, `is_complete` is False and dense algebra has to.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from manybody.arrays import Complex, Real
from manybody.physics import commutant
from manybody.physics.couplings import SiteProjectors
from manybody.physics.problem import Problem
from manybody.physics.spectra import EPSILON, Spectrum, degeneracy_tolerance, linked


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Levels of one sample by what the baths do to them.

    spectrum: of this sample, equal energies equal to the last bit and its vectors turned
    within degenerate levels so that each level is bright or dark; dark: (N,) True for levels
    that no bath touches; components: (N,) index of the component of a bright level, −1 for a
    dark one; shifts: (N,) Lamb shift in J of the dark levels, 0 of the others; is_complete:
    whether this is all that does not decay; untouched: number of levels that no jump with ω ≠ 0
    leaves or reaches, for couplings of many particles, where no level is called dark.
    """

    spectrum: Spectrum
    dark: NDArray[np.bool_]
    components: NDArray[np.intp]
    shifts: Real = field(default_factory=lambda: np.zeros(0))
    is_complete: bool = True
    untouched: int = 0

    @property
    def n_components(self) -> int:
        """Number of bright components."""
        return int(self.components.max(initial=-1)) + 1

    @property
    def dark_levels(self) -> int:
        """Number of levels that no jump touches."""
        return self.untouched + int(self.dark.sum())

    def dark_pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Real]:
        """(k, k', E_k − E_k') of all pairs of dark levels, Lamb shift included: they turn, and
        never decay."""
        levels = np.flatnonzero(self.dark)
        left, right = (index.ravel() for index in np.meshgrid(levels, levels, indexing="ij"))
        energies = self.spectrum.energies[0]
        if self.shifts.size:
            energies = energies + self.shifts
        frequencies = energies[left] - energies[right]
        # Levels that rounding alone keeps apart are one.
        frequencies[np.abs(frequencies) <= degeneracy_tolerance(self.spectrum)] = 0.0
        return left, right, frequencies

    def gibbs(self, beta: float, component: int) -> Real:
        """(N,) e^{−βE_k} over the levels of one component, normalised.

        β = ∞: equal ones of its lowest levels, which have equal energies to the last bit.
        """
        own = self.components == component
        energies = self.spectrum.energies[0]
        if beta == np.inf:
            ground = own & (energies == energies[own].min())
            lowest: Real = ground / np.count_nonzero(ground)
            return lowest
        exponent = -beta * energies
        with np.errstate(under="ignore"):
            # Levels of others may lie far below.
            weights = np.where(own, np.exp(np.minimum(exponent - exponent[own].max(), 0.0)), 0.0)
        populations: Real = weights / weights.sum()
        return populations


def decompose(
    spectrum: Spectrum,
    rates: NDArray[Any] | None = None,
    resolution: tuple[float, float] | None = None,
) -> Decomposition:
    """Dark levels and bright components of a stack of one sample.

    rates: (N, N) Γ(E_k − E_l) of its `Decomposition` by H alone, whose spectrum is then to be
    given: by rates, with the Lamb shift where they are complex; None where every γ > 0 and by
    H alone.  resolution: in J how far apart levels are one, and amplitudes that count as none;
    rounding of H where None.

    Vectors of single levels would not do: LAPACK mixes equal levels of parts that never meet.
    Raises ValueError for a stack of several.
    """
    if spectrum.n_samples != 1:
        raise ValueError(f"one sample is decomposed at a time, the stack has {spectrum.n_samples}")
    if not isinstance(spectrum.couplings, SiteProjectors):
        return _decompose_any(spectrum, rates, resolution)
    energies, vectors = spectrum.energies[0], spectrum.vectors[0].copy()
    # An amplitude is known to rounding of the eigenvectors.
    invisible = 100.0 * np.sqrt(len(energies)) * EPSILON
    reach, invisible = resolution or (degeneracy_tolerance(spectrum), invisible)
    labels = linked(energies, reach)
    clusters = [np.flatnonzero(labels == label) for label in range(labels[-1] + 1)]
    # γ near 0 may be far from γ(0), as of super-Ohmic baths: equal levels differ by nothing.
    levels = np.array([energies[members].mean() for members in clusters])
    single = np.array([len(members) == 1 for members in clusters])
    energies = np.where(single[labels], energies, levels[labels])
    seen = vectors[spectrum.coupled]
    norm = float(spectrum.norms[0])
    first = np.array([members[0] for members in clusters])
    if rates is None:
        # With every γ > 0 all v_jE of a site are connected.
        sites = _site_components(seen, energies, clusters, norm)
        owners = np.repeat(sites[:, None], len(clusters), axis=1)
        shift = None
    else:
        between = rates[np.ix_(first, first)]
        shift = between.imag if np.iscomplexobj(between) else None
        jumps = 2.0 * np.maximum(between.real, between.real.T)
        owners = _node_components(seen, energies, clusters, norm, jumps, shift, invisible)
    components = np.full(len(energies), -1, dtype=np.intp)
    shifts = np.zeros(len(energies))
    sizes = None
    if shift is not None:
        sizes = np.stack(
            [np.sum(np.abs(seen[:, members]) ** 2, axis=1) for members in clusters], axis=1
        )
    for place, members in enumerate(clusters):
        lamb = None if shift is None else _lamb_shift(seen[:, members], sizes @ shift[:, place])
        own = owners[:, place]
        turn, found = _bright_basis(seen[own >= 0][:, members], own[own >= 0], invisible, lamb)
        if len(members) > 1:
            vectors[:, members] = vectors[:, members] @ turn
        components[members] = found
        if lamb is not None:
            own_shifts = np.einsum("ak,ab,bk->k", turn.conj(), lamb, turn).real
            shifts[members] = np.where(found < 0, own_shifts, 0.0)
    # Numbered as they come in energy.
    order = list(dict.fromkeys(components[components >= 0].tolist()))
    renumbered = np.full(int(owners.max(initial=-1)) + 2, -1, dtype=np.intp)
    renumbered[order] = np.arange(len(order))
    components = renumbered[components]
    turned = spectrum
    # What single levels have derived already is theirs still.
    if not single.all():
        turned = replace(spectrum, energies=energies[None], vectors=vectors[None])
    return Decomposition(turned, components < 0, components, shifts)


def _decompose_any(
    spectrum: Spectrum, rates: NDArray[Any] | None, resolution: tuple[float, float] | None
) -> Decomposition:
    """`decompose` for couplings of any kind."""
    reach, relative = resolution or (degeneracy_tolerance(spectrum), 0.0)
    labels = linked(spectrum.energies[0], reach)
    clusters = [np.flatnonzero(labels == label) for label in range(labels[-1] + 1)]
    energies = spectrum.energies[0].copy()
    for members in clusters:
        if len(members) > 1:
            energies[members] = energies[members].mean()
    moves = None if rates is None else np.maximum(rates.real, rates.real.T) > 0.0
    shift = _shift_within(spectrum, rates, energies)
    found = commutant.find_commutant(spectrum, energies, moves, shift, relative)
    fitted = commutant.turned_to(found, clusters) if found.is_commutative else None
    vectors = spectrum.vectors[0]
    if fitted is not None and found.count > 1 and len(clusters) < len(energies):
        kind = np.result_type(vectors, *fitted[0])
        vectors = vectors.astype(kind)
        for members, turn in zip(clusters, fitted[0]):
            if len(members) > 1:
                vectors[:, members] = vectors[:, members] @ turn
    turned = spectrum
    if len(clusters) < len(energies):
        turned = replace(spectrum, energies=energies[None], vectors=vectors[None])
    # Where little is known, every level may be a set.
    owners = np.arange(len(energies)) if fitted is None else fitted[1]
    if resolution is None:
        rounding = commutant.level_rounding(spectrum, clusters)
        owners = commutant.joined(turned.weights[0], owners, moves, rounding)
    owners = _as_they_come(owners)
    return Decomposition(
        turned,
        np.zeros(len(energies), dtype=bool),
        owners,
        is_complete=fitted is not None,
        untouched=commutant.untouched_levels(turned, clusters, moves),
    )


def _shift_within(
    spectrum: Spectrum, rates: NDArray[Any] | None, energies: Real
) -> NDArray[np.complex128] | None:
    """(D, D) H_LS between equal levels in the energy basis in units of ‖K‖, or None for none."""
    if rates is None or not np.iscomplexobj(rates) or len(np.unique(energies)) == len(energies):
        return None
    vectors = spectrum.vectors[0]
    decay = spectrum.couplings.decay(spectrum.vectors, rates[None])[0]
    inside = vectors.conj().T @ decay @ vectors
    shift: NDArray[np.complex128] = (inside - inside.conj().T) / 2j
    shift[energies[:, None] != energies] = 0.0
    shift /= float(np.linalg.norm(inside)) / np.sqrt(len(inside)) or 1.0
    return shift


def _as_they_come(owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices of components, numbered as they come in energy."""
    order = list(dict.fromkeys(owners.tolist()))
    renumbered = np.empty(max(order) + 1, dtype=np.intp)
    renumbered[order] = np.arange(len(order))
    return renumbered[owners]


def _lamb_shift(seen: NDArray[Any], sizes: Real) -> NDArray[Any]:
    """(m, m) H_LS = Σ_j Σ_E' η(E − E') ‖v_jE'‖² |v_jE⟩⟨v_jE| within a level E.

    seen: (n, m) ⟨j|k⟩; sizes: (n,) the sums over E'.
    """
    shift: NDArray[Any] = (seen.conj().T * sizes) @ seen
    return shift


def _overlap_rounding(members: NDArray[np.intp], energies: Real, norm: float) -> float:
    """Overlaps ⟨j|Π_E|j'⟩ up to this are rounding: H turns a level by ε‖H‖ / distance."""
    first, last = members[0], members[-1]
    below = energies[first] - energies[first - 1] if first > 0 else np.inf
    above = energies[last + 1] - energies[last] if last + 1 < len(energies) else np.inf
    return float(8.0 * EPSILON * (1.0 + norm / min(below, above)))


def _site_components(
    seen: NDArray[Any], energies: Real, clusters: list[NDArray[np.intp]], norm: float
) -> NDArray[np.intp]:
    """(n,) component of every coupled site; seen: (n, N) their amplitudes on all levels."""
    n = len(seen)
    connected = np.eye(n, dtype=bool)
    for count, members in enumerate(clusters):
        # Most often the first few levels connect all: looked at now and then.
        if count & (count - 1) == 0 and count and connected_components(connected)[0] == 1:
            break
        own = seen[:, members]
        connected |= np.abs(own @ own.conj().T) > _overlap_rounding(members, energies, norm)
    _, found = connected_components(csr_array(connected), directed=False)
    return np.asarray(found, dtype=np.intp)


def _node_components(
    seen: NDArray[Any],
    energies: Real,
    clusters: list[NDArray[np.intp]],
    norm: float,
    jumps: Real,
    shift: Real | None,
    invisible: float,
) -> NDArray[np.intp]:
    """(n, L) component of every v_jE, −1 for those that take part in no jump.

    seen: (n, N); jumps: (L, L) the larger of γ(E' − E) and γ(E − E') between levels;
    shift: (L, L) η(E_k − E_l) or None.
    """
    n, count = len(seen), len(clusters)
    sizes = np.stack([np.linalg.norm(seen[:, own], axis=1) for own in clusters], axis=1)
    sizes[sizes <= invisible] = 0.0
    weights = sizes**2
    left, right = [], []
    takes_part = np.zeros((n, count), dtype=bool)
    for site in range(n):
        visible = np.flatnonzero(sizes[site])
        with np.errstate(under="ignore"):
            own = jumps[np.ix_(visible, visible)] * weights[site, visible]
            moves = own * weights[site, visible][:, None] > 0.0
        takes_part[site, visible] = moves.any(axis=1)
        # One edge a level says as much as all of them.
        _, parts = connected_components(csr_array(moves), directed=False)
        firsts = np.unique(parts, return_index=True)[1]
        left.append(site * count + visible)
        right.append(site * count + visible[firsts[parts]])
    for place, members in enumerate(clusters):
        own = np.flatnonzero(takes_part[:, place])
        if len(members) == 1:
            meet = np.ones((len(own), len(own)), dtype=bool)
        else:
            here = seen[:, members]
            meet = _meeting(
                here[own],
                None if shift is None else _lamb_shift(here, weights @ shift[:, place]),
                _overlap_rounding(members, energies, norm),
            )
        rows, columns = np.nonzero(meet)
        left.append(own[rows] * count + place)
        right.append(own[columns] * count + place)
    rows, columns = np.concatenate(left), np.concatenate(right)
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n * count, n * count))
    _, found = connected_components(graph, directed=False)
    result: NDArray[np.intp] = found.reshape(n, count).astype(np.intp)
    result[~takes_part] = -1
    kept = np.unique(result[takes_part])
    result[takes_part] = np.searchsorted(kept, result[takes_part])
    return result


def _meeting(seen: NDArray[Any], lamb: NDArray[Any] | None, rounding: float) -> NDArray[np.bool_]:
    """(n, n) whether v_j and v_j', or what H_LS makes of them, are not orthogonal."""
    rows = seen
    meet: NDArray[np.bool_] = np.abs(rows @ seen.conj().T) > rounding
    size = 0.0 if lamb is None else float(np.linalg.norm(lamb))
    if lamb is None or size == 0.0:
        return meet
    for _ in range(2 * seen.shape[1] - 2):
        rows = rows @ (lamb / size)
        meet |= np.abs(rows @ seen.conj().T) > rounding
    return meet


def _bright_basis(
    seen: NDArray[Any], sites: NDArray[np.intp], invisible: float, lamb: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """(m, m) unitary to turn a degenerate level with, and the component of each new vector.

    seen: (n, m) amplitudes of the sites whose components are `sites`; −1 stands for a dark
    vector; lamb: (m, m) H_LS within the level, under which no component may be left, or None.
    """
    m = seen.shape[1]
    if m == 1:
        sizes = np.abs(seen[:, 0])
        is_bright = sizes.size > 0 and float(np.linalg.norm(seen)) > invisible
        owner = sites[int(np.argmax(sizes))] if is_bright else -1
        return np.ones((1, 1), dtype=seen.dtype), np.array([owner], dtype=np.intp)
    basis, owners = np.empty((m, 0), dtype=seen.dtype), []
    for component in np.unique(sites):
        rows = _closed(seen[sites == component], lamb, m)
        _, sizes, right = np.linalg.svd(rows, full_matrices=False)
        bright = right[sizes > invisible].conj().T
        # Orthogonal to the others but for rounding.
        bright = bright - basis @ (basis.conj().T @ bright)
        left, sizes, _ = np.linalg.svd(bright, full_matrices=False)
        bright = left[:, sizes > 0.5][:, : m - basis.shape[1]]
        basis = np.concatenate([basis, bright], axis=1)
        owners += [component] * bright.shape[1]
        if basis.shape[1] == m:
            break
    # The left vectors that belong to no column of the basis complete it.
    complete = np.linalg.svd(basis, full_matrices=True)[0][:, len(owners) :]
    if lamb is not None and complete.shape[1] > 1:
        # Dark levels that the Lamb shift tells apart.
        complete = complete @ np.linalg.eigh(complete.conj().T @ lamb @ complete)[1]
    basis = np.concatenate([basis, complete], axis=1)
    return basis, np.array(owners + [-1] * (m - len(owners)), dtype=np.intp)


def _closed(seen: NDArray[Any], lamb: NDArray[Any] | None, m: int) -> NDArray[Any]:
    """Rows of `seen`, and what H_LS makes of them, as far as that leads out of their span."""
    if lamb is None or float(np.linalg.norm(lamb)) == 0.0:
        return seen
    rows, last = [seen], seen
    for _ in range(m - 1):
        last = last @ (lamb / np.linalg.norm(lamb))
        rows.append(last)
    return np.concatenate(rows)


def parts_of(problem: Problem) -> Decomposition:
    """The decomposition by H alone of a problem of one sample, made once."""
    return problem.once("parts", lambda: decompose(problem.spectrum))


def by_rates(parts: Decomposition, rates: NDArray[Any]) -> Decomposition:
    """The decomposition by rates: `parts` itself where they take nothing more apart.

    parts: by H alone; rates: (N, N) Γ(E_k − E_l) on its spectrum.  A rate that is not zero
    connects, however small it is.
    """
    if np.all(np.maximum(rates.real, rates.real.T) > 0.0):
        return parts
    found = decompose(parts.spectrum, rates)
    # Rates only ever take more apart.
    return parts if same_levels(found, parts) else found


def same_levels(left: Decomposition, right: Decomposition) -> bool:
    """Whether two decompositions have as many components and dark levels, and nothing else."""
    counts = [(parts.n_components, int(parts.dark.sum())) for parts in (left, right)]
    return counts[0] == counts[1] and left.is_complete and right.is_complete


def project(
    decomposition: Decomposition, stationary: list[NDArray[Any]], rho: NDArray[Any]
) -> Complex:
    """What is left of ρ on average over long times; (N, N) in the site basis.

    stationary: the stationary state of each component, of trace one.  Each component keeps
    its weight tr(P_c ρ), and dark levels of equal energy keep their block of ρ.
    """
    vectors = decomposition.spectrum.vectors[0]
    in_energy = vectors.conj().T @ rho @ vectors
    kept = np.zeros_like(in_energy, dtype=np.complex128)
    left, right, frequencies = decomposition.dark_pairs()
    still = frequencies == 0.0
    kept[left[still], right[still]] = in_energy[left[still], right[still]]
    result: Complex = vectors @ kept @ vectors.conj().T
    populations = np.diagonal(in_energy)
    for component, state in enumerate(stationary):
        result = result + populations[decomposition.components == component].sum() * state
    return result
