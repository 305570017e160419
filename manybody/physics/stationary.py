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

    Raises ValueError for a stack of several.
    """
    if spectrum.n_samples != 1:
        raise ValueError(f"one sample is decomposed at a time, the stack has {spectrum.n_samples}")
    energies, vectors = spectrum.energies[0], spectrum.vectors[0].copy()
    dark = np.zeros(len(energies), dtype=bool)
    labels = linked(energies, degeneracy_tolerance(spectrum))
    # An amplitude is known to rounding of the eigenvectors.
    invisible = 100.0 * np.sqrt(len(energies)) * EPSILON
    for label in range(labels[-1] + 1):
        members = np.flatnonzero(labels == label)
        seen = vectors[np.ix_(spectrum.coupled, members)]
        _, sizes, turn = np.linalg.svd(seen, full_matrices=True)
        if len(members) > 1:
            vectors[:, members] = vectors[:, members] @ turn.conj().T
        sizes = np.pad(sizes, (0, len(members) - len(sizes)))
        dark[members] = sizes <= invisible
    turned = Spectrum(spectrum.energies, vectors[None], spectrum.norms, spectrum.coupled)
    return Decomposition(turned, dark, _components(turned, dark))


def _components(spectrum: Spectrum, dark: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Bright levels that some A_j connects, directly or by way of others."""
    connected = spectrum.weights[0] > len(dark) * (8.0 * EPSILON) ** 2
    bright = np.flatnonzero(~dark)
    _, found = connected_components(csr_array(connected[np.ix_(bright, bright)]), directed=False)
    components = np.full(len(dark), -1, dtype=np.intp)
    components[bright] = found
    return components


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
