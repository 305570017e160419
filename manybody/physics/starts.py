"""Where an evolution starts."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics.spectra import Spectrum


class Start(ABC):
    """ρ(0) of samples of one kind; all methods are of a stack of one sample.

    `repr` says what makes two starts the same; needs_spectrum: whether ρ(0) is made from
    eigenvectors of H.
    """

    needs_spectrum: ClassVar[bool] = True

    def in_basis(self, dimension: int, own: slice) -> Complex:
        """(D, m) the columns [own] of ρ(0) in the working basis of D states, from them alone.

        Raises InputError for a start that needs the spectrum.
        """
        raise InputError(f"{self!r} is made from the eigenvectors of H")

    def columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """(D, m) the columns [own] of ρ(0) in the working basis."""
        return self.in_basis(spectrum.dimension, own)

    @abstractmethod
    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """(D, m) the columns [own] of V†ρ(0)V."""

    def in_energy(self, spectrum: Spectrum) -> Complex:
        """(D, D) V†ρ(0)V."""
        return self.energy_columns(spectrum, slice(0, spectrum.dimension))

    @abstractmethod
    def populations(self, spectrum: Spectrum) -> Real:
        """(D,) ⟨k|ρ(0)|k⟩."""


@dataclass(frozen=True)
class SiteStart(Start):
    """ρ(0) = |b⟩⟨b| of a state of the working basis: of a site, for one particle."""

    site: int = 0
    needs_spectrum: ClassVar[bool] = False

    def in_basis(self, dimension: int, own: slice) -> Complex:
        """One element."""
        state = np.zeros((dimension, own.stop - own.start), dtype=np.complex128)
        if own.start <= self.site < own.stop:
            state[self.site, self.site - own.start] = 1.0
        return state

    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """Of rank one."""
        row = spectrum.vectors[0, self.site]
        return np.outer(row.conj(), row[own]).astype(np.complex128)

    def populations(self, spectrum: Spectrum) -> Real:
        """|⟨b|k⟩|²."""
        populations: Real = np.abs(spectrum.vectors[0, self.site]) ** 2
        return populations


@dataclass(frozen=True)
class ThermalStart(Start):
    """ρ(0) = e^{−βH}/Z of the inverse temperature `beta` in 1/J; of the ground states for inf."""

    beta: float

    def columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """V p V†."""
        vectors = spectrum.vectors[0]
        thermal: NDArray[Any] = (vectors * self.populations(spectrum)) @ vectors[own].conj().T
        return thermal.astype(np.complex128)

    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """Diagonal."""
        return np.diag(self.populations(spectrum)).astype(np.complex128)[:, own]

    def populations(self, spectrum: Spectrum) -> Real:
        """Those of Gibbs."""
        return spectrum.gibbs_populations(self.beta)[0, :]


@dataclass(frozen=True)
class LevelStart(Start):
    """ρ(0) = |k⟩⟨k| of an eigenstate of H, counted from the lowest."""

    level: int

    def columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """Of rank one."""
        vector = spectrum.vectors[0][:, self.level]
        return np.outer(vector, vector[own].conj()).astype(np.complex128)

    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """One element."""
        return SiteStart(self.level).in_basis(spectrum.dimension, own)

    def populations(self, spectrum: Spectrum) -> Real:
        """One."""
        populations: Real = np.eye(spectrum.dimension)[self.level]
        return populations


@dataclass(frozen=True)
class MixedStart(Start):
    """ρ(0) = Σ_b |b⟩⟨b|/n of n states of the working basis, of all D where `states` is None.

    Of one particle: it is on one of n sites, each as likely.
    """

    states: tuple[int, ...] | None = None
    needs_spectrum: ClassVar[bool] = False

    def in_basis(self, dimension: int, own: slice) -> Complex:
        """Diagonal."""
        return np.diag(self._weights(dimension)).astype(np.complex128)[:, own]

    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """Diagonal where all states are meant."""
        weights = self._weights(spectrum.dimension)
        if self.states is None:
            return np.diag(weights).astype(np.complex128)[:, own]
        chosen = spectrum.vectors[0][list(self.states)]
        weighted = chosen.conj().T * weights[list(self.states)]
        turned: NDArray[Any] = weighted @ chosen[:, own]
        return turned.astype(np.complex128)

    def populations(self, spectrum: Spectrum) -> Real:
        """Σ_b |⟨b|k⟩|²/n."""
        weights = self._weights(spectrum.dimension)
        if self.states is None:
            return weights
        populations: Real = weights @ np.abs(spectrum.vectors[0]) ** 2
        return populations

    def _weights(self, dimension: int) -> Real:
        chosen = range(dimension) if self.states is None else self.states
        weights = np.zeros(dimension)
        weights[list(chosen)] = 1.0 / len(chosen)
        return weights


@dataclass(frozen=True, eq=False)
class VectorStart(Start):
    """ρ(0) = |ψ⟩⟨ψ|; vector: (D,) ψ in the working basis, of norm one."""

    vector: NDArray[Any]
    needs_spectrum: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"<vector {hashlib.sha256(self.vector.tobytes()).hexdigest()}>"

    def in_basis(self, dimension: int, own: slice) -> Complex:
        """Of rank one."""
        return np.outer(self.vector, self.vector[own].conj()).astype(np.complex128)

    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """Of rank one."""
        turned = spectrum.vectors[0].conj().T @ self.vector
        return np.outer(turned, turned[own].conj()).astype(np.complex128)

    def populations(self, spectrum: Spectrum) -> Real:
        """|⟨k|ψ⟩|²."""
        populations: Real = np.abs(spectrum.vectors[0].conj().T @ self.vector) ** 2
        return populations


@dataclass(frozen=True, eq=False)
class DensityStart(Start):
    """Any ρ(0); matrix: (D, D) in the working basis, a state."""

    matrix: Complex
    needs_spectrum: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"<matrix {hashlib.sha256(self.matrix.tobytes()).hexdigest()}>"

    def in_basis(self, dimension: int, own: slice) -> Complex:
        """As they are."""
        return self.matrix[:, own].copy()

    def energy_columns(self, spectrum: Spectrum, own: slice) -> Complex:
        """V†ρV."""
        vectors = spectrum.vectors[0]
        turned: Complex = vectors.conj().T @ (self.matrix @ vectors[:, own])
        return turned

    def populations(self, spectrum: Spectrum) -> Real:
        """Diagonal of V†ρV."""
        vectors = spectrum.vectors[0]
        populations: Real = np.einsum("ak,ak->k", vectors.conj(), self.matrix @ vectors).real
        return populations
