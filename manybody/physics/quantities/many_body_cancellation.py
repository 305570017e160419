"""Sums over the elements of the generators R and D for any couplings A_j of D states.

As in `cancellation`, with Λ_j = g ∘ A_j in the energy basis and N baths.  A_j → A_j − tr A_j / D
changes no R_j, and makes the products of the sandwich Σ_jΛ_jσA_j with Kσ vanish, so that

    ‖R‖² = 2 Σ_ij [ Q_ij P_ij + |T_ij|² ] + 2D ‖K‖² + 2 (tr K)²

with the N × N matrices P, T, Q = Σ_lk g^p_lk A^i_lk A^j*_lk, p = 0, 1, 2: nothing has to be drawn
as long as N is far below D.  Source: docs/physics.md section 6; the closed form is derived here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real, row_panels
from manybody.physics.quantities.sampled_sums import squares, sum_by_size
from manybody.physics.spectra import Spectrum
from manybody.physics.traceless import traceless

# Energies of a jump by which rows are told apart before they are drawn.
_JUMPS = 256
# Elements of all A_j that are looked at together.
_PANEL = 1 << 19


class ManyBodyParts:
    """Sums over the elements of R and D of one sample, in the energy basis.

    spectrum: a stack of one sample; rates: (D, D) g_lk = γ(E_k − E_l)/2, in J.
    O(N D³) time, N D² numbers of memory for all A_j, and some ten times D² beside them.
    One core, 512 rows, SYK4 at half filling: D = 252, N = 10 in 0.8 s, D = 924, N = 12 in 11 s and
    0.6 GB; κ then to 0.05 %, in XXZ chains to 0.3 % (W = 1) and 1.5 to 5 % (W = 8).
    """

    def __init__(self, spectrum: Spectrum, rates: Real) -> None:
        self.energies = spectrum.energies[0]
        self.rates = rates
        self.at_zero = float(rates[0, 0])
        self.elements = _turned(spectrum)
        self.dimension = len(rates)
        self.overlaps: Real = np.zeros(rates.shape)
        self.decay: NDArray[Any] = np.zeros_like(self.elements[0])
        self._of_baths = np.zeros(2)
        for own in self.elements:
            self._add(own)
        # (N, D) ⟨k|A_j|k⟩
        self.levels: Real = np.diagonal(self.elements, axis1=1, axis2=2).real.copy()

    def _add(self, own: NDArray[Any]) -> None:
        """What follows from one bath alone: overlaps, K_j, ‖R_j‖² and ‖D_j‖²."""
        filtered = self.rates * own
        decay = own @ filtered
        sizes = _squared(own)
        self.decay += decay
        self.overlaps += sizes
        losses, levels = np.diagonal(decay).real, np.diagonal(own).real
        local = 2.0 * self.dimension * squares(decay) + 4.0 * float(losses.sum()) ** 2
        redfield = 2.0 * float(sizes.sum()) * squares(filtered) + local
        dephasing = levels[:, None] * levels
        davies = self._secular(dephasing, losses, self.rates * sizes)
        self._of_baths += (redfield, davies)

    @property
    def out_rate(self) -> float:
        """ν, without jumps from a level to itself: A_j → A_j + c would change those."""
        rates = 2.0 * self.rates * self.overlaps
        np.fill_diagonal(rates, 0.0)
        return float(rates.sum()) / self.dimension

    # ---- sums over all elements

    def squared_norm(self, _n_vectors: int, _rng: np.random.Generator) -> tuple[float, float]:
        """‖R‖² in full: its standard error is 0."""
        plain, once, twice = self._gram_matrices()
        sandwich = float(np.sum((twice * plain.conj()).real)) + squares(once)
        trace = float(np.trace(self.decay).real)
        local = self.dimension * squares(self.decay) + trace**2
        return 2.0 * (sandwich + local), 0.0

    def secular_squared_norm(self) -> float:
        """‖D‖²: the decay of every coherence, and jumps between levels."""
        dephasing = self.levels.T @ self.levels
        return self._secular(dephasing, np.diagonal(self.decay).real, self.rates * self.overlaps)

    def squared_norms_of_baths(self) -> tuple[float, float]:
        """Σ_j ‖R_j‖² and Σ_j ‖D_j‖²."""
        return float(self._of_baths[0]), float(self._of_baths[1])

    def _secular(self, dephasing: Real, losses: Real, halved_jumps: Real) -> float:
        """Squares of 2g_0 A_kk A_mm − loss_k − loss_m and of the jumps 2g_lk |A_lk|², l ≠ k."""
        decay = 2.0 * self.at_zero * dephasing - losses[:, None] - losses
        within = squares(np.diagonal(halved_jumps))
        return squares(decay) + 4.0 * (squares(halved_jumps) - within)

    def _gram_matrices(self) -> list[NDArray[Any]]:
        """(N, N) Σ_lk g^p_lk A^i_lk A^j*_lk for p = 0, 1, 2."""
        n_baths = len(self.elements)
        sums = [np.zeros((n_baths, n_baths), self.elements.dtype) for _ in range(3)]
        for rows in self._panels():
            some = self.elements[:, rows].reshape(n_baths, -1)
            adjoint, weighted = some.conj().T, some
            for total in sums:
                total += weighted @ adjoint
                weighted = weighted * self.rates[rows].ravel()
        return sums

    def _panels(self) -> list[slice]:
        row_length = len(self.elements) * self.dimension
        return row_panels(slice(0, self.dimension), row_length, _PANEL)

    # ---- weighted by detuning

    def weighted_squared_norm(self, n_rows: int, rng: np.random.Generator) -> tuple[float, float]:
        """Σ |R − D|² / (1 + (δ/ν)²) and its standard error.

        Elements with l = k or m = n, and all of K, in full; of the others rows (l, n) are drawn.
        Rows (l, n) and (n, l) have the same sum.
        """
        left, right = np.triu_indices(self.dimension)
        multiplicity = np.where(left == right, 1.0, 2.0)
        sizes = multiplicity * self._row_sizes()[left, right]
        row = self._row_sums()
        rows, error = sum_by_size(
            lambda index: multiplicity[index] * row(int(left[index]), int(right[index])),
            sizes,
            n_rows,
            rng,
        )
        return rows + self._one_sided(), error

    def _one_sided(self) -> float:
        """Elements (l, n) ← (l, m), m ≠ n, and (n, l) ← (m, l), with what K has of them.

        Σ_l |(g_0 + g_nm) Σ_j A^j_ll A^j_mn − K*_nm|²: the product vanishes with Σ_l A^j_ll.
        """
        total = self.dimension * _squared(self.decay)
        together = self.levels @ self.levels.T
        for rows in self._panels():
            some = self.elements[:, rows]
            mixed = np.tensordot(together, some, axes=1)
            total[rows] += (self.rates[rows] + self.at_zero) ** 2 * _inner(mixed, some)
        np.fill_diagonal(total, 0.0)
        detuning = (self.energies - self.energies[:, None]) / self.out_rate
        return 2.0 * float(np.sum(total * _lorentzian(detuning)))

    def _row_sizes(self) -> Real:
        """(D, D) what rows should sum to if phases were random, by the energies of jumps.

        Σ_km O_lk O_nm (g_lk + g_nm)² / (1 + (δ/ν)²), jumps in bins: a width is theirs at least.
        """
        plain, once, twice, step = self._jumps_by_energy()
        bins = step * np.arange(_JUMPS)
        width = max(self.out_rate, 0.5 * step)
        kernel = (self.out_rate / width) * _lorentzian((bins - bins[:, None]) / width)
        outer = twice @ kernel @ plain.T
        sizes: Real = outer + outer.T + 2.0 * (once @ kernel @ once.T)
        return sizes

    def _jumps_by_energy(self) -> tuple[Real, Real, Real, float]:
        """(D, bins) Σ_k O_lk g^p_lk over the levels k ≠ l at an energy from l, p = 0, 1, 2."""
        n = self.dimension
        frequencies = self.energies - self.energies[:, None]
        step = 2.0 * float(self.energies[-1] - self.energies[0]) / (_JUMPS - 1) or 1.0
        bins = np.rint(frequencies / step).astype(np.intp) + _JUMPS // 2
        # The last half step may round up.
        places = (np.minimum(bins, _JUMPS - 1) + _JUMPS * np.arange(n)[:, None]).ravel()
        weights = self.overlaps.copy()
        np.fill_diagonal(weights, 0.0)
        found = []
        for _ in range(3):
            summed: Real = np.bincount(places, weights.ravel(), n * _JUMPS).astype(np.float64)
            found.append(summed.reshape(n, _JUMPS))
            weights *= self.rates
        return found[0], found[1], found[2], step

    def _row_sums(self) -> Callable[[int, int], float]:
        levels = np.arange(self.dimension)
        energies = self.energies / self.out_rate

        def row(left: int, right: int) -> float:
            """Σ over k ≠ left, m ≠ right of the weighted squares in row (left, right)."""
            to_left, from_right = self.elements[:, left], self.elements[:, right].conj()
            found = _squared(to_left.T @ from_right)
            found *= (self.rates[left][:, None] + self.rates[right]) ** 2
            found[left], found[:, right] = 0.0, 0.0
            if left == right:
                found[levels, levels] = 0.0
            lost, gained = energies - energies[left], energies - energies[right]
            found *= _lorentzian(lost[:, None] - gained)
            return float(found.sum())

        return row


def _turned(spectrum: Spectrum) -> NDArray[Any]:
    """(N, D, D) V†A_jV of the A_j less their mean."""
    couplings, vectors = traceless(spectrum.couplings), spectrum.vectors
    real = couplings.is_real and spectrum.is_real
    shape = (couplings.n_baths, *vectors.shape[1:])
    elements = np.empty(shape, np.float64 if real else np.complex128)
    for place, (turned,) in zip(elements, couplings.turned(vectors)):
        place[...] = turned
    return elements


def _squared(values: NDArray[Any]) -> Real:
    """|x|², a fresh array."""
    found: Real = np.square(values.real)
    if np.iscomplexobj(values):
        found += values.imag**2
    return found


def _inner(left: NDArray[Any], right: NDArray[Any]) -> Real:
    """Re Σ_j x_j y*_j over the first axis."""
    found: Real = np.einsum("j...,j...->...", left.real, right.real)
    if np.iscomplexobj(left):
        found += np.einsum("j...,j...->...", left.imag, right.imag)
    return found


def _lorentzian(detuning: Real) -> Real:
    """1 / (1 + x²) of a detuning in units of a width."""
    with np.errstate(over="ignore"):
        found: Real = 1.0 / (1.0 + detuning**2)
    return found
