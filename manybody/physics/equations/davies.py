"""The Davies generator: secular approximation, in the energy basis.

dρ/dt = −i[H + H_LS, ρ] + Σ_{j,ω} γ(ω)(A_j(ω)ρA_j(ω)† − ½{A_j(ω)†A_j(ω), ρ}) with
A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k| and H_LS = Σ η(ω) A_j(ω)†A_j(ω)
(SNM below eq. (18), docs/physics.md section 4), A_j = |j⟩⟨j|.

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
from manybody.physics.bath_groups import BathGroup
from manybody.physics.baths.several import AnyBaths
from manybody.physics.couplings import SiteProjectors
from manybody.physics.equations.bohr_blocks import BohrBlock, assemble_blocks, bohr_blocks, fill
from manybody.physics.equations.protocol import Equation, Guarantees
from manybody.physics.equations.redfield import (
    RedfieldGenerator,
    build_redfield,
    redfield_of,
    redfield_on,
)
from manybody.physics.equations.uniformisation import (
    MAX_POISSON_MEAN,
    MAX_POISSON_MEAN_SHIFTED,
    evolve,
    uniformised,
)
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum
from manybody.physics.starts import Start

# From here on a product of its own for every state.
_ONE_BY_ONE_FROM = 24
# From here on half the products are worth some more passes.
_PACKED_FROM = 32


@dataclass(frozen=True, eq=False)
class DaviesEvolution:
    """One start at T times; what of the states does not follow from its own past alone.

    populations: (T, N), None where they are in a block; blocks: (T, ·) coherences of all
    small Bohr blocks, then of each large one, without their phase.
    """

    generator: "DaviesGenerator"
    start: Start
    times: Real
    populations: Real | None
    blocks: list[Complex]

    def write(self, chosen: slice, states: Complex) -> None:
        """ρ(t) in the site basis at some of the times, into (T', N, N) `states`."""
        states[...] = self.start.in_energy(self.generator.spectrum)
        populations = None if self.populations is None else self.populations[chosen]
        blocks = [block[chosen] for block in self.blocks]
        self.generator.write(states, self.times[chosen], populations, blocks)


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
    def can_spread(self) -> bool:
        """Whether no coherences are propagated in Bohr blocks, which are known as a whole only."""
        return not (self.block_rows.size or self.large_blocks)

    @property
    def rates(self) -> Real:
        """(N, N) transition rates W_{l←k} = γ(E_k − E_l) O_lk including l = k."""
        return self.redfield.jumps[0, :, :]

    @property
    def damping(self) -> Real:
        """(N, N) real part of the closed-form growth rate of each coherence |k⟩⟨k'|."""
        losses = self.redfield.losses[0].real
        damping: Real = self.redfield.dephasing()[0]
        damping -= losses[:, None]
        damping -= losses
        return damping

    @property
    def phases(self) -> Real:
        """(N,) of which the imaginary part of a coherence's growth rate is a difference."""
        phases: Real = -self.spectrum.energies[0] - self.redfield.losses[0].imag
        return phases

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
        return uniformised(lambda p: step @ p, initial, q, times)

    def propagate(self, rho: NDArray[Any], times: Real) -> Complex:
        """States at the given times.

        rho: (N, N) Hermitian initial state in the site basis; times: (T,)
        ascending, >= 0.  Returns (T, N, N) in the site basis.
        """
        vectors = self.spectrum.vectors[0]
        states = np.empty((len(times), *rho.shape), dtype=np.complex128)
        states[...] = vectors.conj().T @ rho @ vectors
        self.write(states, times, *self._driven(states[0], times))
        return states

    def evolve(self, start: Start, times: Real) -> DaviesEvolution:
        """The states at all `times`, to be written when somebody looks at them."""
        driven = self._driven(start.in_energy(self.spectrum), times)
        return DaviesEvolution(self, start, times, *driven)

    def _driven(self, initial: Complex, times: Real) -> tuple[Real | None, list[Complex]]:
        """Populations and Bohr blocks at all `times` from V†ρ(0)V, by one recursion each."""
        levels = np.arange(len(initial))
        populations = None
        if not self.populations_in_block:
            populations = self.populations(initial[levels, levels].real, times)
        stage = MAX_POISSON_MEAN_SHIFTED if self.redfield.has_shift else MAX_POISSON_MEAN
        blocks = []
        if self.block_rows.size:
            matrix = self.block_matrix
            bound = float(abs(matrix).sum(axis=0).max())
            start = initial[self.block_rows, self.block_columns]
            blocks.append(evolve(lambda x: matrix @ x, start, bound, times, stage))
        for block in self.large_blocks:
            bound = 4.0 * float(self.redfield.decay_bound[0])
            apply = partial(self.apply_block, block)
            start = initial[block.rows, block.columns]
            blocks.append(evolve(apply, start, bound, times, stage))
        return populations, blocks

    def write(
        self, states: Complex, times: Real, populations: Real | None, blocks: list[Complex]
    ) -> None:
        """Turn (T, N, N) states that all hold V†ρ(0)V into ρ(t) in the site basis."""
        vectors = self.spectrum.vectors[0]
        levels = np.arange(len(vectors))
        self._decohere(states, times)
        if populations is not None:
            states[:, levels, levels] = populations
        values = iter(blocks)
        if self.block_rows.size:
            place = self.block_rows, self.block_columns, self.block_frequencies
            fill(states, times, next(values), *place)
        for block in self.large_blocks:
            frequency = np.array([block.frequency])
            fill(states, times, next(values), block.rows, block.columns, frequency)
        if len(vectors) < _ONE_BY_ONE_FROM:
            _turn_together(vectors, states)
        elif self.spectrum.is_real and len(vectors) >= _PACKED_FROM:
            _turn_packed(vectors, states)
        else:
            _turn(vectors, states)

    def common(self, start: Start, time: float) -> Real:
        """(N,) populations at a time: what `columns` needs and one rank computes for all."""
        return self.populations(start.populations(self.spectrum), np.array([time]))[0, :]

    def columns(self, start: Start, time: float, common: Real, columns: slice) -> Complex:
        """(N, m) columns of V†ρ(t)V in the closed form.

        common: what `common` gives.  Raises ValueError when there are Bohr blocks.
        """
        if not self.can_spread:
            raise ValueError("coherences in Bohr blocks are known as a whole only")
        populations = common
        losses = self.redfield.losses[0].real
        sizes = self.redfield.dephasing(columns)[0]
        sizes -= losses[:, None]
        sizes -= losses[columns]
        sizes *= time
        turned = np.exp(1j * time * self.phases)
        states = start.energy_columns(self.spectrum, columns)
        states *= np.exp(sizes, out=sizes)
        states *= turned[:, None]
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
        result: Complex = (self.damping + 1j * (phases[:, None] - phases)) * sigma
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

    def derivative(self, rho: Complex) -> Complex:
        """(N, N) L[ρ] of any matrix in the site basis."""
        vectors = self.spectrum.vectors[0]
        bra = vectors.conj().T
        found: Complex = vectors @ self.apply(bra @ rho @ vectors) @ bra
        return found

    def gibbs_residual(self, beta: float) -> float:
        """Largest |element| of L[ρ_G] in the site basis; rounding, by detailed balance."""
        residual = self.apply(np.diag(self.spectrum.gibbs_populations(beta)[0]))
        vectors = self.spectrum.vectors[0]
        return float(np.abs(vectors @ residual @ vectors.conj().T).max())

    def toarray(self) -> Complex:
        """(N², N²) matrix on the row-major vec in the site basis; for small N."""
        n = self.spectrum.dimension
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
        n = self.spectrum.dimension
        sigma = np.zeros((n, n), dtype=np.complex128)
        sigma[block.rows, block.columns] = x
        result = self._half_form(sigma) + self._half_form(sigma.conj().T).conj().T
        return result[block.rows, block.columns]

    def _half_form(self, sigma: Complex) -> Complex:
        """Σ_j Λ_j σ A_j − K σ in the energy basis."""
        gain = np.zeros_like(sigma)
        for group in self.redfield.groups:
            gain += self._gain_of(group, sigma)
        half: Complex = gain - self._decay_in_energy @ sigma
        return half

    def _gain_of(self, group: BathGroup, sigma: Complex) -> Complex:
        """Σ_j Λ_j σ A_j of the couplings of a bath, in the energy basis."""
        vectors, couplings, rates = self.spectrum.vectors, group.couplings, group.rates[0]
        if isinstance(couplings, SiteProjectors):
            rows = vectors[0][couplings.coupled]
            meeting = rows.T * (sigma @ rows.conj().T) * group.factors**2
            found: Complex = (rows.conj().T * (rates @ meeting)) @ rows
            return found
        gain = np.zeros_like(sigma)
        for (turned,) in couplings.turned(vectors):
            gain += (rates * turned) @ (sigma @ turned)
        return gain

    @cached_property
    def _decay_in_energy(self) -> NDArray[Any]:
        """V† K V."""
        vectors = self.spectrum.vectors[0]
        decay: NDArray[Any] = vectors.conj().T @ self.redfield.decay[0] @ vectors
        return decay


def build_davies(
    spectrum: Spectrum,
    bath: AnyBaths,
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
        small, large = bohr_blocks(spectrum, merging_tolerance)
    blocks = assemble_blocks(spectrum, redfield, small)
    return DaviesGenerator(spectrum, redfield, *blocks, tuple(large))


def _turn(vectors: NDArray[Any], states: Complex) -> None:
    """V ρ V† = V (V ρ†)†, one after the other: more arrays would leave every cache."""
    half = np.empty_like(states[0])
    for state in states:
        product(vectors, state, half)
        np.conjugate(half.T, out=state)
        product(vectors, state, half)
        state[...] = half


def _turn_together(vectors: NDArray[Any], states: Complex) -> None:
    """The same where calls cost more than products."""
    kind = vectors.dtype
    for some in row_panels(slice(0, len(states)), vectors.size):
        few = states[some]
        half, turned = np.empty_like(few), np.empty_like(few)
        np.matmul(vectors, few.view(kind), out=half.view(kind))
        turned[...] = np.swapaxes(half, 1, 2)
        np.conjugate(turned, out=turned)
        np.matmul(vectors, turned.view(kind), out=few.view(kind))


def _turn_packed(vectors: NDArray[Any], states: Complex) -> None:
    """The same for real V by half the products.

    Re ρ is symmetric and Im ρ is not, at all: V (Re ρ + Im ρ) Vᵀ falls apart into the parts of
    V ρ Vᵀ.  What ρ was not Hermitian by, its rounding, is lost.
    """
    # Halved: the parts of a matrix are half of its sum with its transpose, and of the difference.
    adjoint = 0.5 * np.ascontiguousarray(vectors.T)
    packed, half = np.empty_like(adjoint), np.empty_like(adjoint)
    for state in states:
        np.add(state.real, state.imag, out=packed)
        product(vectors, packed, half)
        product(half, adjoint, packed)
        half[...] = packed.T
        np.add(packed, half, out=state.real)
        np.subtract(packed, half, out=state.imag)


def davies_of(problem: Problem) -> tuple[DaviesGenerator, ...]:
    """The generators of one sample, an answer each, built once."""
    return problem.once(
        "davies",
        lambda: tuple(
            build_davies(
                problem.spectrum, problem.bath, problem.lamb_shift, merging, redfield_of(problem)
            )
            for merging in problem.clustering.answers
        ),
    )


def davies_on(problem: Problem, spectrum: Spectrum) -> tuple[DaviesGenerator, ...]:
    """The generators on a spectrum of this sample, an answer each: see `redfield_on`."""
    if spectrum is problem.spectrum:
        return davies_of(problem)
    redfield = redfield_on(problem, spectrum)
    return tuple(
        build_davies(spectrum, problem.bath, problem.lamb_shift, merging, redfield)
        for merging in problem.clustering_on(spectrum).answers
    )


DAVIES = Equation(
    name="davies",
    title="Davies",
    symbol="D",
    source="secular part of SNM eq. (18)",
    formula=(
        "dρ/dt = −i[H + H_LS, ρ] + Σ_{j,ω} γ(ω) (A_j(ω) ρ A_j(ω)† − ½{A_j(ω)†A_j(ω), ρ}), "
        "A_j(ω) = Σ_{E_k − E_l = ω} |l⟩⟨l|A_j|k⟩⟨k|, H_LS = Σ_{j,ω} η(ω) A_j(ω)†A_j(ω)"
    ),
    keeps=Guarantees(complete_positivity=True, gibbs=True, gibbs_with_lamb_shift=True),
    # V C V†, two products; of real V for both parts of C at once.
    flops=lambda is_real, _lamb_shift: 4.0 if is_real else 16.0,
    propagators=davies_of,
)
