"""Where an evolution starts: on one site, or in a thermal state of another temperature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.physics.spectra import Spectrum


@dataclass(frozen=True)
class Start:
    """ρ(0) = |site⟩⟨site|, or e^{−βH}/Z of the inverse temperature `beta` in 1/J where given.

    All methods are of a stack of one sample.
    """

    site: int = 0
    beta: float | None = None

    def amplitudes(self, spectrum: Spectrum) -> NDArray[Any]:
        """(N,) ⟨site|k⟩ that coherences start from, zero for a thermal state, which has none."""
        row: NDArray[Any] = spectrum.vectors[0, self.site]
        return row if self.beta is None else np.zeros_like(row)

    def populations(self, spectrum: Spectrum) -> Real:
        """(N,) ⟨k|ρ(0)|k⟩."""
        if self.beta is not None:
            return spectrum.gibbs_populations(self.beta)[0, :]
        populations: Real = np.abs(spectrum.vectors[0, self.site]) ** 2
        return populations

    def in_energy(self, spectrum: Spectrum) -> Complex:
        """(N, N) V†ρ(0)V."""
        if self.beta is not None:
            return np.diag(self.populations(spectrum)).astype(np.complex128)
        row = self.amplitudes(spectrum)
        return np.outer(row.conj(), row).astype(np.complex128)

    def columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """(N, m) the columns [own] of ρ(0) in the site basis."""
        n = spectrum.n_sites
        if self.beta is not None:
            vectors = spectrum.vectors[0]
            thermal: NDArray[Any] = (vectors * self.populations(spectrum)) @ vectors[own].conj().T
            return thermal.astype(np.complex128)
        state = np.zeros((n, own.stop - own.start), dtype=np.complex128)
        if own.start <= self.site < own.stop:
            state[self.site, self.site - own.start] = 1.0
        return state
