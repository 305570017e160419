"""What does not decay: dark levels, decoupled parts, and what each conserves.

A level that no coupled site sees is dark: the bath never touches it, and two dark levels
keep their coherence (PHYSICS.md section 6).  The bright ones fall into components that no
A_j connects; each conserves its own weight and has one stationary state.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from manybody.physics.spectra import EPSILON, Spectrum, degeneracy_tolerance, linked

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Levels of one sample by what the baths do to them.

    spectrum: of this sample, its vectors turned within degenerate levels so that each
    level is bright or dark; dark: (N,) True for levels that no coupled site sees;
    components: (N,) index of the component of a bright level, −1 for a dark one.
    """

    spectrum: Spectrum
    dark: NDArray[np.bool_]
    components: NDArray[np.intp]

    @property
    def n_components(self) -> int:
        """Number of bright components."""
        return int(self.components.max(initial=-1)) + 1

    def dark_pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Real]:
        """(k, k', E_k − E_k') of all pairs of dark levels: they turn, and never decay."""
        levels = np.flatnonzero(self.dark)
        left, right = (index.ravel() for index in np.meshgrid(levels, levels, indexing="ij"))
        energies = self.spectrum.energies[0]
        frequencies = energies[left] - energies[right]
        # Levels that rounding alone keeps apart are one.
        frequencies[np.abs(frequencies) <= degeneracy_tolerance(self.spectrum)] = 0.0
        return left, right, frequencies

    def gibbs(self, beta: float, component: int) -> Real:
        """(N,) e^{−βE_k} over the levels of one component, normalised."""
        own = self.components == component
        exponent = -beta * self.spectrum.energies[0]
        with np.errstate(under="ignore"):
            weights = np.where(own, np.exp(exponent - exponent[own].max()), 0.0)
        return weights / weights.sum()


def decompose(spectrum: Spectrum) -> Decomposition:
    """Dark levels and bright components of a stack of one sample.

    A_j = |j⟩⟨j| acts on a degenerate level E by Π_E|j⟩ alone.  Two coupled sites are of one
    component when ⟨j|Π_E|j'⟩ ≠ 0 for some E, directly or by way of others; the Π_E|j⟩ of
    different components are orthogonal, and what they leave of a level is dark.  Vectors of
    single levels would not do: LAPACK mixes equal levels of parts that never meet.

    Raises ValueError for a stack of several.
    """
    if spectrum.n_samples != 1:
        raise ValueError(f"one sample is decomposed at a time, the stack has {spectrum.n_samples}")
    energies, vectors = spectrum.energies[0], spectrum.vectors[0].copy()
    labels = linked(energies, degeneracy_tolerance(spectrum))
    clusters = [np.flatnonzero(labels == label) for label in range(labels[-1] + 1)]
    seen = vectors[spectrum.coupled]
    sites = _site_components(seen, energies, clusters, float(spectrum.norms[0]))
    components = np.full(len(energies), -1, dtype=np.intp)
    # An amplitude is known to rounding of the eigenvectors.
    invisible = 100.0 * np.sqrt(len(energies)) * EPSILON
    for members in clusters:
        turn, owners = _bright_basis(seen[:, members], sites, invisible)
        if len(members) > 1:
            vectors[:, members] = vectors[:, members] @ turn
        components[members] = owners
    # Numbered as they come in energy.
    order = list(dict.fromkeys(components[components >= 0].tolist()))
    renumbered = np.full(len(sites) + 1, -1, dtype=np.intp)
    renumbered[order] = np.arange(len(order))
    components = renumbered[components]
    turned = Spectrum(spectrum.energies, vectors[None], spectrum.norms, spectrum.coupled)
    return Decomposition(turned, components < 0, components)


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
        first, last = members[0], members[-1]
        below = energies[first] - energies[first - 1] if first > 0 else np.inf
        above = energies[last + 1] - energies[last] if last + 1 < len(energies) else np.inf
        # Rounding of H turns a level towards its neighbours by ε‖H‖ / distance.
        rounding = 8.0 * EPSILON * (1.0 + norm / min(below, above))
        own = seen[:, members]
        connected |= np.abs(own @ own.conj().T) > rounding
    _, found = connected_components(csr_array(connected), directed=False)
    return np.asarray(found, dtype=np.intp)


def _bright_basis(
    seen: NDArray[Any], sites: NDArray[np.intp], invisible: float
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """(m, m) unitary to turn a degenerate level with, and the component of each new vector.

    seen: (n, m) amplitudes of the coupled sites on the level; −1 stands for a dark vector.
    """
    m = seen.shape[1]
    if m == 1:
        brightest = int(np.argmax(np.abs(seen[:, 0])))
        is_bright = float(np.linalg.norm(seen)) > invisible
        owner = sites[brightest] if is_bright else -1
        return np.ones((1, 1), dtype=seen.dtype), np.array([owner], dtype=np.intp)
    basis, owners = np.empty((m, 0), dtype=seen.dtype), []
    for component in np.unique(sites):
        _, sizes, right = np.linalg.svd(seen[sites == component], full_matrices=False)
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
    complete = np.linalg.svd(basis, full_matrices=True)[0]
    basis = np.concatenate([basis, complete[:, len(owners) :]], axis=1)
    return basis, np.array(owners + [-1] * (m - len(owners)), dtype=np.intp)


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
    result = vectors @ kept @ vectors.conj().T
    populations = np.diagonal(in_energy)
    for component, state in enumerate(stationary):
        result = result + populations[decomposition.components == component].sum() * state
    return result
