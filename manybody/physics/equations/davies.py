"""The Davies generator: secular approximation, in the energy basis.

dρ/dt = −i[H + H_LS, ρ] + Σ_{j,ω} γ(ω)(A_j(ω)ρA_j(ω)† − ½{A_j(ω)†A_j(ω), ρ}) with
A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k| and H_LS = Σ η(ω) A_j(ω)†A_j(ω)
(SNM below eq. (18), PHYSICS.md section 4), A_j = |j⟩⟨j|.

In the energy basis this is the part of the Redfield generator that keeps the
Bohr frequency E_k − E_m of a coherence |k⟩⟨m|.  Where no two frequencies coincide
coherences only decay and populations obey a rate equation: the closed form.
Coherences whose frequencies coincide form a Bohr block, propagated beside it.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real, product, row_panels
from manybody.errors import InputError
from manybody.physics.baths.protocol import Bath
from manybody.physics.equations.redfield import RedfieldGenerator, build_redfield
from manybody.physics.spectra import Spectrum, linked

# Entries of assembled Bohr blocks of one sample (20 bytes each, three times that
# while they are built); the largest blocks beyond that are applied without being formed.
MAX_BLOCK_ENTRIES = 20_000_000
# Poisson mean of a stage up to which e^{-qt} and its recursion lose nothing in double
# precision: for a contraction S, and for one that a Lamb shift makes as large as 2.
_MAX_POISSON_MEAN = 200.0
_MAX_POISSON_MEAN_SHIFTED = 4.0
_MAX_STAGES = 1e6
# Powers of a uniformised generator held at a time.
_POWERS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class BohrBlock:
    """Coherences |k⟩⟨m| that share one Bohr frequency, applied without being formed."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    frequency: float


@dataclass(frozen=True, eq=False)
class Evolution:
    """What of a state does not follow from its own past alone, at T times.

    populations: (T, N), None where they are in a block; blocks: (T, ·) coherences of all
    small Bohr blocks, then of each large one, without their phase.
    """

    populations: Real | None
    blocks: list[Complex]

    def at(self, index: int) -> "Evolution":
        """The same at one of the times."""
        one = slice(index, index + 1)
        populations = None if self.populations is None else self.populations[one]
        return Evolution(populations, [block[one] for block in self.blocks])


@dataclass(frozen=True, eq=False)
class DaviesGenerator:
    """Davies generator of one sample.

    spectrum: stack of this one sample; redfield: the generator whose secular part this is.
    block_rows, block_columns, block_frequencies, block_matrix: coherences with
    frequency >= 0 in small Bohr blocks and the dissipator between them;
    large_blocks: those not formed.
    """

    spectrum: Spectrum
    redfield: RedfieldGenerator
    block_rows: NDArray[np.intp]
    block_columns: NDArray[np.intp]
    block_frequencies: Real
    block_matrix: sp.csr_array
    large_blocks: tuple[BohrBlock, ...]

    @property
    def has_blocks(self) -> bool:
        """Whether some coherences are propagated in Bohr blocks."""
        return bool(self.block_rows.size or self.large_blocks)

    @property
    def rates(self) -> Real:
        """(N, N) transition rates W_{l←k} = γ(E_k − E_l) O_lk including l = k."""
        return 2.0 * self.redfield.rates[0].real * self.spectrum.weights[0]

    @property
    def damping(self) -> Real:
        """(N, N) real part of the closed-form growth rate of each coherence |k⟩⟨k'|."""
        losses = self.redfield.losses[0].real
        dephasing = 2.0 * float(self.redfield.rates[0, 0, 0].real)
        damping = dephasing * self.spectrum.weights[0]
        damping -= losses[:, None]
        damping -= losses
        return damping

    @property
    def phases(self) -> Real:
        """(N,) of which the imaginary part of a coherence's growth rate is a difference."""
        return -self.spectrum.energies[0] - self.redfield.losses[0].imag

    @property
    def populations_in_block(self) -> bool:
        """True when degenerate levels tie the populations to coherences."""
        small = self.block_rows == self.block_columns
        large = any(np.any(block.rows == block.columns) for block in self.large_blocks)
        return bool(np.any(small)) or large

    def populations(self, initial: Real, times: Real) -> Real:
        """Closed-form populations at all times by uniformisation.

        p(t) = Σ_k Poisson(k; qt) (1 + W̃/q)^k p(0), q = max out-rate: sums of
        non-negative terms.  initial: (N,); times: (T,) ascending >= 0 -> (T, N).
        """
        # A jump from a level to itself changes no population.
        step = self.rates
        np.fill_diagonal(step, 0.0)
        out_rates = step.sum(axis=0)
        q = float(out_rates.max())
        if q == 0.0:
            return np.tile(initial, (len(times), 1))
        step /= q
        np.fill_diagonal(step, 1.0 - out_rates / q)
        return _uniformised(lambda p: step @ p, initial, q, times)

    def propagate(self, rho: NDArray[Any], times: Real) -> Complex:
        """States at the given times.

        rho: (N, N) Hermitian initial state in the site basis; times: (T,)
        ascending, >= 0.  Returns (T, N, N) in the site basis.
        """
        vectors = self.spectrum.vectors[0]
        states = np.empty((len(times), *rho.shape), dtype=np.complex128)
        states[...] = vectors.conj().T @ rho @ vectors
        self.propagate_in_place(states, times, self.evolve(states[0], times))
        return states

    def evolve(self, initial: Complex, times: Real) -> "Evolution":
        """Populations and Bohr blocks at all `times` from V†ρ(0)V, by one recursion each."""
        levels = np.arange(len(initial))
        populations = None
        if not self.populations_in_block:
            populations = self.populations(initial[levels, levels].real, times)
        shifted = np.iscomplexobj(self.redfield.rates)
        stage = _MAX_POISSON_MEAN_SHIFTED if shifted else _MAX_POISSON_MEAN
        blocks = []
        if self.block_rows.size:
            matrix = self.block_matrix
            bound = float(abs(matrix).sum(axis=0).max())
            start = initial[self.block_rows, self.block_columns]
            blocks.append(_evolve(lambda x: matrix @ x, start, bound, times, stage))
        for block in self.large_blocks:
            bound = 4.0 * float(self.redfield.decay_bound[0])
            apply = partial(self.apply_block, block)
            start = initial[block.rows, block.columns]
            blocks.append(_evolve(apply, start, bound, times, stage))
        return Evolution(populations, blocks)

    def propagate_in_place(self, states: Complex, times: Real, evolution: "Evolution") -> None:
        """`propagate` for (T, N, N) states that all hold V†ρ(0)V; they become ρ(t)."""
        vectors = self.spectrum.vectors[0]
        levels = np.arange(len(vectors))
        self._decohere(states, times)
        if evolution.populations is not None:
            states[:, levels, levels] = evolution.populations
        values = iter(evolution.blocks)
        if self.block_rows.size:
            place = self.block_rows, self.block_columns, self.block_frequencies
            _fill(states, times, next(values), *place)
        for block in self.large_blocks:
            frequency = np.array([block.frequency])
            _fill(states, times, next(values), block.rows, block.columns, frequency)
        # V ρ V† = V (V ρ†)† one after the other: more arrays would leave every cache.
        half = np.empty_like(states[0])
        for state in states:
            product(vectors, state, half)
            np.conjugate(half.T, out=state)
            product(vectors, state, half)
            state[...] = half

    def energy_columns(
        self, row: NDArray[Any], populations: Real, time: float, columns: slice
    ) -> Complex:
        """(N, m) columns of V†ρ(t)V in the closed form, for ρ(0) = |j⟩⟨j| with ⟨j|k⟩ = `row`.

        populations: (N,) those at `time`.  Raises ValueError when there are Bohr blocks.
        """
        if self.has_blocks:
            raise ValueError("coherences in Bohr blocks are known as a whole only")
        losses = self.redfield.losses[0].real
        dephasing = 2.0 * float(self.redfield.rates[0, 0, 0].real)
        sizes = dephasing * self.spectrum.weights[0][:, columns]
        sizes -= losses[:, None]
        sizes -= losses[columns]
        sizes *= time
        turned = np.exp(1j * time * self.phases) * row.conj()
        states = np.exp(sizes, out=sizes) * turned[:, None]
        states *= turned[columns].conj()
        own = np.arange(columns.start, columns.stop)
        states[own, own - columns.start] = populations[columns]
        return states

    def _decohere(self, states: Complex, times: Real) -> None:
        """Multiply by e^{exponent · t}; the phase of |k⟩⟨k'| is that of k over that of k'."""
        damping, phases = self.damping, np.exp(1j * times[:, None] * self.phases)
        for some in row_panels(slice(0, len(times)), damping.size):
            # Loss and dephasing in one real exponent, or the second could overflow alone.
            sizes = damping * times[some, None, None]
            states[some] *= np.exp(sizes, out=sizes)
            states[some] *= phases[some, :, None]
            states[some] *= phases[some, None, :].conj()

    def apply(self, sigma: NDArray[Any]) -> Complex:
        """L[σ] of any (N, N) matrix σ in the energy basis; complex-linear."""
        phases = self.phases
        result = (self.damping + 1j * (phases[:, None] - phases)) * sigma
        levels = np.arange(len(sigma))
        if not self.populations_in_block:
            p, rates = np.diagonal(sigma), self.rates
            result[levels, levels] = rates @ p - rates.sum(axis=0) * p
        if self.block_rows.size:
            rows, columns = self.block_rows, self.block_columns
            turning = -1j * self.block_frequencies
            x, y = sigma[rows, columns], sigma[columns, rows].conj()
            result[rows, columns] = turning * x + self.block_matrix @ x
            result[columns, rows] = (turning * y + self.block_matrix @ y).conj()
        for block in self.large_blocks:
            x, y = sigma[block.rows, block.columns], sigma[block.columns, block.rows].conj()
            phase = -1j * block.frequency
            result[block.rows, block.columns] = phase * x + self.apply_block(block, x)
            result[block.columns, block.rows] = (phase * y + self.apply_block(block, y)).conj()
        return result

    def gibbs_residual(self, beta: float) -> float:
        """Largest |element| of L[ρ_G] in the site basis; rounding, by detailed balance."""
        residual = self.apply(np.diag(self.spectrum.gibbs_populations(beta)[0]))
        vectors = self.spectrum.vectors[0]
        return float(np.abs(vectors @ residual @ vectors.conj().T).max())

    def toarray(self) -> Complex:
        """(N², N²) matrix on the row-major vec in the site basis; for small N."""
        n = self.spectrum.n_sites
        vectors = self.spectrum.vectors[0]
        adjoint = vectors.conj().T
        matrix = np.empty((n * n, n * n), dtype=np.complex128)
        for a in range(n):
            for b in range(n):
                # V† |a⟩⟨b| V
                unit = np.outer(adjoint[:, a], vectors[b])
                matrix[:, a * n + b] = (vectors @ self.apply(unit) @ adjoint).ravel()
        return matrix

    def apply_block(self, block: BohrBlock, x: Complex) -> Complex:
        """Dissipator and Lamb shift of Redfield, projected on one large block; x: (size,)."""
        n = self.spectrum.n_sites
        sigma = np.zeros((n, n), dtype=np.complex128)
        sigma[block.rows, block.columns] = x
        result = self._half_form(sigma) + self._half_form(sigma.conj().T).conj().T
        return result[block.rows, block.columns]

    def _half_form(self, sigma: Complex) -> Complex:
        """Σ_j Λ_j σ A_j − K σ in the energy basis."""
        vectors, coupled = self.spectrum.vectors[0], self.spectrum.coupled
        rows = vectors[coupled]
        meeting = rows.T * (sigma @ rows.conj().T)
        gain = (rows.conj().T * (self.redfield.rates[0] @ meeting)) @ rows
        return gain - self._decay_in_energy @ sigma

    @cached_property
    def _decay_in_energy(self) -> NDArray[Any]:
        """V† K V."""
        vectors = self.spectrum.vectors[0]
        return vectors.conj().T @ self.redfield.decay[0] @ vectors


def build_davies(
    spectrum: Spectrum,
    bath: Bath,
    lamb_shift: bool,
    merging_tolerance: float | None,
    redfield: RedfieldGenerator | None = None,
) -> DaviesGenerator:
    """Davies generator of one sample.

    spectrum: a stack of one sample; merging_tolerance: Bohr frequencies linked by
    steps up to this are equal (the clustering rule decides), None for none;
    redfield: the generator of the same sample if at hand, to reuse its rates.
    """
    if spectrum.n_samples != 1:
        raise ValueError(f"the Davies generator takes one sample, got {spectrum.n_samples}")
    if redfield is None:
        redfield = build_redfield(spectrum, bath, lamb_shift)
    small: list[list[BohrBlock]] = []
    large: list[BohrBlock] = []
    if merging_tolerance is not None:
        small, large = _bohr_blocks(spectrum, merging_tolerance)
    blocks = _assemble_blocks(spectrum, redfield, small)
    return DaviesGenerator(spectrum, redfield, *blocks, tuple(large))


def _bohr_blocks(
    spectrum: Spectrum, tolerance: float
) -> tuple[list[list[BohrBlock]], list[BohrBlock]]:
    """Sets of coherences with equal frequency >= 0: small ones grouped by size, large ones."""
    n = spectrum.n_sites
    omega = spectrum.bohr_frequencies[0].T.ravel()
    order = np.argsort(omega, kind="stable")
    labels = linked(omega[order], tolerance)
    zero = labels[np.searchsorted(omega[order], 0.0)]
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    sizes = np.diff(np.append(starts, omega.size))
    by_size: dict[int, list[BohrBlock]] = {}
    for label in range(zero, labels[-1] + 1):
        size = int(sizes[label])
        # The zero block of a spectrum without degenerate levels is the rate equation.
        if size < 2 or (label == zero and size == n):
            continue
        members = order[starts[label] : starts[label] + size]
        rows, columns = np.divmod(members, n)
        frequency = 0.0 if label == zero else float(np.mean(omega[members]))
        by_size.setdefault(size, []).append(BohrBlock(rows, columns, frequency))
    small, large, budget = [], [], MAX_BLOCK_ENTRIES
    for size in sorted(by_size):
        budget -= size * size * len(by_size[size])
        if budget >= 0:
            small.append(by_size[size])
        else:
            large.extend(by_size[size])
    return small, large


def _assemble_blocks(
    spectrum: Spectrum, redfield: RedfieldGenerator, groups: list[list[BohrBlock]]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Real, sp.csr_array]:
    """Dissipator between the coherences of all small blocks as one sparse matrix.

    (l, n) ← (k, m): γ(E_k − E_l) Σ_j A^j_lk A^j_mn − K_lk δ_mn − K*_nm δ_lk, K = Σ_j A_jΛ_j.
    """
    if not groups:
        empty = np.empty(0, dtype=np.intp)
        return empty, empty, np.empty(0), sp.csr_array((0, 0), dtype=np.complex128)
    vectors = spectrum.vectors[0]
    rates = redfield.rates[0]
    decay = vectors.conj().T @ redfield.decay[0] @ vectors
    rows_of_sites = vectors[spectrum.coupled]
    all_rows, all_columns, all_frequencies = [], [], []
    entries, partners, row_lengths = [], [], [np.zeros(1, dtype=np.int64)]
    offset = 0
    for group in groups:
        size = group[0].rows.size
        chunk = max(1, 2_000_000 // (size * max(size, len(rows_of_sites))))
        for first in range(0, len(group), chunk):
            blocks = group[first : first + chunk]
            left = np.stack([block.rows for block in blocks])
            right = np.stack([block.columns for block in blocks])
            # u_ln[j] = ⟨l|j⟩⟨j|n⟩, so that Σ_j A^j_lk A^j_mn = Σ_j u_ln[j] u_km[j]*.
            u = rows_of_sites.conj().T[left] * rows_of_sites.T[right]
            overlap = u @ np.swapaxes(u.conj(), 1, 2)
            to_l, from_k = left[:, :, None], left[:, None, :]
            to_n, from_m = right[:, :, None], right[:, None, :]
            block_entries = 2.0 * rates[to_l, from_k].real * overlap
            block_entries = block_entries - decay[to_l, from_k] * (to_n == from_m)
            block_entries -= decay[to_n, from_m].conj() * (to_l == from_k)
            index = offset + np.arange(left.size).reshape(left.shape)
            offset += left.size
            # CSR at once: a row's columns are its block, one contiguous range.
            entries.append(block_entries.astype(np.complex128).ravel())
            partners.append(np.repeat(index.astype(np.int32), size, axis=0).ravel())
            row_lengths.append(np.full(left.size, size))
            all_rows.append(left.ravel())
            all_columns.append(right.ravel())
            all_frequencies.append(np.repeat([block.frequency for block in blocks], size))
    parts = (
        np.concatenate(entries),
        np.concatenate(partners),
        np.concatenate(row_lengths).cumsum(),
    )
    matrix = sp.csr_array(parts, shape=(offset, offset))
    return (
        np.concatenate(all_rows),
        np.concatenate(all_columns),
        np.concatenate(all_frequencies),
        matrix,
    )


def _uniformised(
    step: Any,
    initial: NDArray[Any],
    q: float,
    times: Real,
    largest_mean: float = _MAX_POISSON_MEAN,
) -> NDArray[Any]:
    """Σ_k Poisson(k; qt) S^k x for every time t, i.e. e^{q(S − 1)t} x.

    step: x -> S x; initial: (n,); times: (T,) ascending, >= 0.  Returns (T, n).
    One recursion serves all times; long times are reached in stages of qt <= largest_mean.
    """
    result = np.empty((len(times), len(initial)), dtype=initial.dtype)
    stage = largest_mean / q
    start, current, done = 0.0, initial, 0
    while done < len(times):
        stop = int(np.searchsorted(times, start + stage, side="right"))
        if stop == done:
            means = np.array([largest_mean])
            current, start = _poisson_mixture(step, current, means)[0], start + stage
            continue
        result[done:stop] = _poisson_mixture(step, current, q * (times[done:stop] - start))
        done = stop
    return result


def _poisson_mixture(step: Any, initial: NDArray[Any], means: Real) -> NDArray[Any]:
    """Σ_k Poisson(k; mean) S^k x for every mean, in blocks of powers; (T, n)."""
    largest = float(means[-1])
    n_terms = int(largest + 12.0 * np.sqrt(largest) + 30.0)
    with np.errstate(under="ignore"):
        ratios = np.ones((len(means), n_terms))
        ratios[:, 1:] = means[:, None] / np.arange(1, n_terms)
        weights = np.exp(-means)[:, None] * np.cumprod(ratios, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    result = np.zeros((len(means), len(initial)), dtype=initial.dtype)
    power = initial
    for first in range(0, n_terms, _POWERS_AT_ONCE):
        chunk = weights[:, first : first + _POWERS_AT_ONCE]
        powers = np.empty((chunk.shape[1], len(initial)), dtype=initial.dtype)
        for index in range(len(powers)):
            powers[index] = power
            power = step(power)
        result += chunk @ powers
    return result


def _evolve(
    dissipator: Any, initial: Complex, bound: float, times: Real, largest_mean: float
) -> Complex:
    """e^{At} x of a dissipator A with ‖A‖ <= bound at all times; (T, n).

    1 + A/‖A‖ is a contraction without Lamb shift.  With it the powers may double each
    time and cancel: then only short stages keep their digits.  Raises ValueError when
    there would be too many.
    """
    if bound * float(times[-1]) / largest_mean > _MAX_STAGES:
        raise InputError(
            f"times up to {float(times[-1]):g} with Bohr blocks of norm {bound:g} need more than "
            f"{_MAX_STAGES:g} stages: are energies, couplings and times in the same units?"
        )
    x = initial.astype(np.complex128)
    if bound == 0.0:
        return np.tile(x, (len(times), 1))
    return _uniformised(lambda y: y + dissipator(y) / bound, x, bound, times, largest_mean)


def _fill(
    states: Complex,
    times: Real,
    values: Complex,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    frequencies: Real,
) -> None:
    """Write coherences and their conjugates, with the phase e^{−iωt} that a block shares."""
    turned = np.exp(-1j * frequencies * times[:, None]) * values
    states[:, columns, rows] = turned.conj()
    states[:, rows, columns] = turned
