"""The Redfield generator in half form, for one particle with density couplings.

On Hermitian rho: dρ/dt = X + X† with X = Mρ + Σ_j Λ_j ρ A_j, M = −iH − K,
K = Σ_j A_j Λ_j (SNM eq. (18), PHYSICS.md section 3).  With A_j = |j⟩⟨j| column b
of X needs only column b of rho, so blocks of columns can live on different
ranks.  On a general matrix the generator is L[σ] = X(σ) + X(σ†)†.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.physics.baths import OhmicBath
from manybody.physics.spectra import Spectrum

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RedfieldGenerator:
    """Redfield generator of a stack of samples.

    spectrum: eigensystems; rates: (samples, N, N) G_lk = Γ(E_k − E_l), real
    without Lamb shift; decay: (samples, N, N) K = Σ_j A_j Λ_j in the site basis.
    """

    spectrum: Spectrum
    rates: NDArray[Any]
    decay: NDArray[Any]

    @cached_property
    def decay_norm(self) -> Real:
        """(samples,) ‖K‖₂."""
        return np.array([np.linalg.norm(matrix, 2) for matrix in self.decay])

    @cached_property
    def spectral_box(self) -> Real:
        """(samples, 3) half-width of Im λ, lower and upper bound of Re λ.

        |Im λ| <= E_max − E_min + 2‖K‖₂ and −2κ <= Re λ <= κ/2 with κ = ‖(K + K†)/2‖₂,
        half the largest out-rate.  An estimate, not a theorem: the Redfield
        generator is not contractive, and Re λ > 0 occurs.  300 random samples
        with J_int = 0.1…3, β = 0.01…30 came within 0.2 % of −2κ and reached 0.4 κ.
        """
        energies = self.spectrum.energies
        hermitian = 0.5 * (self.decay + np.swapaxes(self.decay.conj(), 1, 2))
        damping = np.abs(np.linalg.eigvalsh(hermitian)).max(axis=1)
        width = energies[:, -1] - energies[:, 0] + 2.0 * self.decay_norm
        return np.stack([width, -2.0 * damping, 0.5 * damping], axis=1)

    def gibbs_residual(self, beta: float) -> Real:
        """(samples,) largest |element| of L[ρ_G] in the site basis.

        Rounding without Lamb shift (KMS, bath by bath); a finite number with it.
        """
        vectors = self.spectrum.vectors
        adjoint = np.swapaxes(vectors.conj(), 1, 2)
        gibbs = (vectors * self.spectrum.gibbs_populations(beta)[:, None, :]) @ adjoint
        half = np.empty(gibbs.shape, dtype=np.complex128)
        self.kernel()(np.swapaxes(gibbs, 1, 2).astype(np.complex128), half)
        return np.abs(half + np.swapaxes(half.conj(), 1, 2)).max(axis=(1, 2))

    def kernel(self, columns: slice = slice(None), xp: Any = np) -> "_Kernel":
        """X for the given columns of rho, with workspaces of its own.

        columns: a slice of [0, N); xp: NumPy or an array namespace like it.
        """
        columns = _range(columns, self.spectrum.n_sites)
        real = self.spectrum.is_real and not np.iscomplexobj(self.rates)
        return (_RealKernel if real else _ComplexKernel)(self, columns, xp)

    def rows(self, columns: slice = slice(None)) -> sp.csr_array:
        """Rows b N + a of the Liouvillian for b in `columns`, all a.  One sample only.

        Element ((a, b), (c, b)): M_ac + (Λ_b)_ac; element ((a, b), (a, c)):
        conj(M_bc + (Λ_a)_bc): 2N − 1 entries a row (PHYSICS.md section 3).
        Returns a (m N, N²) CSR array.
        """
        if self.spectrum.n_samples != 1:
            raise ValueError(f"rows() takes one sample, the stack has {self.spectrum.n_samples}")
        spectrum, rates = self.spectrum, self.rates[0]
        n, energies, vectors = spectrum.n_sites, spectrum.energies[0], spectrum.vectors[0]
        m_matrix = -1j * (vectors * energies) @ vectors.conj().T - self.decay[0]
        masked = np.where(spectrum.coupled[:, None], vectors, 0.0)
        sites = np.arange(n)
        blocks = []
        chosen = _range(columns, n)
        for b in range(chosen.start, chosen.stop):
            # (Λ_b)_ac, and (Λ_a)_bc for all a, c.
            own = (vectors * masked[b].conj()) @ (rates * masked[b]) @ vectors.conj().T
            partner = ((masked.conj() * vectors[b]) @ rates * masked) @ vectors.conj().T
            left = m_matrix + own
            right = (m_matrix[b] + partner).conj()
            # (c, b) and (a, c) meet at (a, b).
            left[sites, sites] += right[:, b]
            others = np.delete(sites, b)
            index = np.concatenate(
                [np.tile(b * n + sites, (n, 1)), others[None, :] * n + sites[:, None]], axis=1
            )
            values = np.concatenate([left, right[:, others]], axis=1)
            order = np.argsort(index, axis=1)
            blocks.append(
                sp.csr_array(
                    (
                        np.take_along_axis(values, order, axis=1).ravel(),
                        np.take_along_axis(index, order, axis=1).ravel(),
                        (2 * n - 1) * np.arange(n + 1),
                    ),
                    shape=(n, n * n),
                )
            )
        return sp.csr_array(sp.vstack(blocks, format="csr"))


def build_redfield(spectrum: Spectrum, bath: OhmicBath, lamb_shift: bool) -> RedfieldGenerator:
    """Rates G and decay matrix K = ((P G) ∘ V) V† of a stack of samples."""
    rates = bath.one_sided(spectrum.bohr_frequencies, lamb_shift)
    vectors = spectrum.vectors
    adjoint = np.swapaxes(vectors.conj(), 1, 2)
    decay = ((spectrum.coupled_probabilities @ rates) * vectors) @ adjoint
    return RedfieldGenerator(spectrum, rates, decay)


def _range(columns: slice, n_sites: int) -> slice:
    """`columns` with explicit borders.  Raises ValueError unless they are contiguous."""
    start, stop, step = columns.indices(n_sites)
    if step != 1 or stop <= start:
        raise ValueError(f"columns = {columns}: a contiguous, non-empty range is needed")
    return slice(start, stop)


class _Kernel(ABC):
    """X of some columns of rho: blocks (samples, m, N), row i = column b_0 + i of rho."""

    def __init__(self, generator: RedfieldGenerator, columns: slice, xp: Any) -> None:
        self.columns = columns
        self.needs = columns
        self._xp = xp
        spectrum = generator.spectrum
        self._energies = xp.asarray(spectrum.energies[:, None, :])
        site_rows = np.where(spectrum.coupled[:, None], spectrum.vectors, 0.0)[:, columns]
        self._site_rows = xp.asarray(site_rows)
        self._to_energy = self._contiguous(spectrum.vectors.conj())
        self._rates = self._contiguous(np.swapaxes(generator.rates, 1, 2))
        # One product with inner dimension 2N forms V Z − K rho without a second pass.
        self._back = self._contiguous(
            np.concatenate(
                [np.swapaxes(spectrum.vectors, 1, 2), -np.swapaxes(generator.decay, 1, 2)], axis=1
            )
        )
        self._shape = site_rows.shape

    def _contiguous(self, array: NDArray[Any]) -> Any:
        return self._xp.asarray(np.ascontiguousarray(array))

    @abstractmethod
    def __call__(self, rho: Any, out: Any, time: float = 0.0) -> None:
        """Write X into `out`; both (samples, m, N) complex.  `time` has no influence."""


class _ComplexKernel(_Kernel):
    """Four complex products; the one with G is real on twice the columns when G is."""

    def __init__(self, generator: RedfieldGenerator, columns: slice, xp: Any) -> None:
        super().__init__(generator, columns, xp)
        samples, m, n = self._shape
        if self._back.dtype != np.complex128:
            self._back = self._back.astype(np.complex128)
            self._to_energy = self._to_energy.astype(np.complex128)
        self._conj_rows = self._site_rows.conj()
        self._phase = -1j * self._energies
        self._in_energy = xp.empty((samples, m, n), dtype=np.complex128)
        self._filtered = xp.empty((samples, m, n), dtype=np.complex128)
        self._pair = xp.empty((samples, m, 2 * n), dtype=np.complex128)
        self._real_rates = self._rates.dtype != np.complex128
        width = 2 * m if self._real_rates else m
        dtype = np.float64 if self._real_rates else np.complex128
        self._before = xp.empty((samples, width, n), dtype=dtype)
        self._after = xp.empty((samples, width, n), dtype=dtype)

    def __call__(self, rho: Any, out: Any, time: float = 0.0) -> None:
        xp, m, n = self._xp, self._shape[1], self._shape[2]
        in_energy, filtered, pair = self._in_energy, self._filtered, self._pair
        xp.matmul(rho, self._to_energy, out=in_energy)
        if self._real_rates:
            xp.multiply(self._site_rows, in_energy, out=filtered)
            self._before[:, :m] = filtered.real
            self._before[:, m:] = filtered.imag
            xp.matmul(self._before, self._rates, out=self._after)
            filtered.real[...] = self._after[:, :m]
            filtered.imag[...] = self._after[:, m:]
        else:
            xp.multiply(self._site_rows, in_energy, out=self._before)
            xp.matmul(self._before, self._rates, out=filtered)
        half = pair[:, :, :n]
        xp.multiply(self._conj_rows, filtered, out=half)
        xp.multiply(in_energy, self._phase, out=in_energy)
        half += in_energy
        pair[:, :, n:] = rho
        xp.matmul(pair, self._back, out=out)


class _RealKernel(_Kernel):
    """H and G real: every product is real on the real parts above the imaginary parts."""

    def __init__(self, generator: RedfieldGenerator, columns: slice, xp: Any) -> None:
        super().__init__(generator, columns, xp)
        samples, m, n = self._shape
        self._site_rows = xp.concatenate([self._site_rows, self._site_rows], axis=1)
        self._parts = xp.empty((samples, 2 * m, n))
        self._in_energy = xp.empty((samples, 2 * m, n))
        self._work = xp.empty((samples, 2 * m, n))
        self._filtered = xp.empty((samples, 2 * m, n))
        self._pair = xp.empty((samples, 2 * m, 2 * n))

    def __call__(self, rho: Any, out: Any, time: float = 0.0) -> None:
        xp, m, n = self._xp, self._shape[1], self._shape[2]
        in_energy, work, filtered, pair = (
            self._in_energy,
            self._work,
            self._filtered,
            self._pair,
        )
        parts = self._parts
        parts[:, :m] = rho.real
        parts[:, m:] = rho.imag
        pair[:, :, n:] = parts
        xp.matmul(parts, self._to_energy, out=in_energy)
        xp.multiply(self._site_rows, in_energy, out=work)
        xp.matmul(work, self._rates, out=filtered)
        half = pair[:, :, :n]
        xp.multiply(self._site_rows, filtered, out=half)
        # −iE (a + ib) = Eb − iEa
        xp.multiply(in_energy, self._energies, out=work)
        half[:, :m] += work[:, m:]
        half[:, m:] -= work[:, :m]
        xp.matmul(pair, self._back, out=parts)
        out.real[...] = parts[:, :m]
        out.imag[...] = parts[:, m:]
