"""The universal Lindblad equation, completely positive without a secular approximation.

dρ/dt = −i[H + H_LS, ρ] + Σ_j (L_jρL_j† − ½{L_j†L_j, ρ}),
L_j = Σ_lk √γ(E_k − E_l) A_lk |l⟩⟨k|,  H_LS = Σ_j Σ_mln f(E_l − E_m, E_n − E_l) A_ml A_ln |m⟩⟨n|
(Nathan and Rudner, Phys. Rev. B 102, 115109 (2020); docs/physics.md section 11), f in
baths/jump_correlator.py.  Without H_LS it is the geometric-mean equation (Davidović, Quantum 4,
326 (2020)).

In half form X = Mρ + ½ Σ_j L_jρL_j†, M = −i(H + H_LS) − ½ Σ_j L_j†L_j.  Unlike all others here the
equation depends on a number that is added to an A_j: the couplings of the model are meant, as
they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import GEMM, Complex, Real, aligned_empty
from manybody.errors import InputError
from manybody.physics.assembly import AssembledRows
from manybody.physics.bath_groups import BathGroup, frequencies_for
from manybody.physics.baths.jump_correlator import JumpCorrelator, check_shifts
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.equations.half_kernel import HalfKernel
from manybody.physics.equations.protocol import Equation, Guarantees, SystemFacts, adjoint
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum, carry_cached

# Pairs of levels whose f are made at once.
_PAIRS = 512
# Flops of products that take as long as the panels of an Ohmic bath: a pole meets 20 nodes on each
# of 90, which a pair of levels needs √γ of.
_OF_A_POLE, _OF_A_PAIR = 4e5, 2e6


@dataclass(frozen=True, eq=False)
class UniversalLindbladGenerator:
    """The generator of a stack of samples.

    spectrum: eigensystems; jumps: (samples, D, couplings, D) element a, b of L_j at [a, j, b], in
    √J, real where all L_j are; shifted: (samples, D, D) H + H_LS, energies from the middle of the
    band; outline: where the spectrum of the Davies equation ends, whose secular part is the same.
    """

    spectrum: Spectrum
    jumps: NDArray[Any]
    shifted: NDArray[Any]
    outline: Complex | None

    @cached_property
    def decay(self) -> NDArray[Any]:
        """(samples, D, D) ½ Σ_j L_j†L_j."""
        samples, dimension = self.jumps.shape[0], self.spectrum.dimension
        rows = self.jumps.reshape(samples, -1, dimension)
        decay: NDArray[Any] = 0.5 * (adjoint(rows) @ rows)
        return decay

    @cached_property
    def local(self) -> Complex:
        """(samples, D, D) M = −i(H + H_LS) − ½ Σ_j L_j†L_j, what multiplies ρ on its own."""
        local: Complex = -1j * self.shifted - self.decay
        return local

    @cached_property
    def spectral_box(self) -> Real:
        """(samples, 3) half-width of Im λ, lower and upper bound of Re λ, in J.

        All are bounds: −i[H + H_LS, ·] is anti-Hermitian, the dissipator takes a Hermitian
        operator to one of at most 2‖Σ_j L_j†L_j‖₂ times its trace norm, and no state grows.
        """
        norm = np.abs(np.linalg.eigvalsh(self.decay)).max(axis=1)
        band = np.ptp(np.linalg.eigvalsh(self.shifted), axis=1)
        return np.stack([band + 4.0 * norm, -4.0 * norm, np.zeros_like(norm)], axis=1)

    @property
    def spectral_outline(self) -> Complex | None:
        """(samples, P) that of `RedfieldGenerator`, an estimate."""
        return self.outline

    def select(self, samples: NDArray[np.intp] | slice) -> "UniversalLindbladGenerator":
        """The generator of some samples of the stack, in the given order."""
        outline = None if self.outline is None else self.outline[samples]
        chosen = UniversalLindbladGenerator(
            self.spectrum.select(samples), self.jumps[samples], self.shifted[samples], outline
        )
        carry_cached(self, chosen, samples)
        return chosen

    def kernel(self, columns: slice = slice(None)) -> "_Kernel":
        """X for the given columns of ρ, a contiguous range of [0, D), with its own workspaces."""
        return _Kernel(self, columns)

    def rows(
        self,
        columns: slice = slice(None),  # noqa: B008
        drop_tolerance: float = 0.0,
    ) -> AssembledRows:
        """Rows b D + a of the Liouvillian of one sample for b in `columns`: D² entries each.

        drop_tolerance: 0, nothing is dropped.  Raises InputError for another.
        """
        if drop_tolerance > 0.0:
            raise InputError(
                f"drop_tolerance = {drop_tolerance!r}: nothing is dropped of the universal "
                "Lindblad equation, allowed is 0"
            )
        if len(self.jumps) != 1:
            raise ValueError(f"rows are of one sample, the stack has {len(self.jumps)}")
        dimension = self.spectrum.dimension
        own = range(*columns.indices(dimension))
        jumps, local = self.jumps[0], self.local[0]
        values = np.empty((len(own), dimension, dimension, dimension), dtype=np.complex128)
        # (b, a, d, c) of L_ac L*_bd, to row (a, b) and column (c, d).
        for place, b in enumerate(own):
            block = np.tensordot(jumps[b].conj(), jumps, axes=([0], [1]))
            values[place] = block.transpose(1, 0, 2)
            for a in range(dimension):
                values[place, a, b, :] += local[a]
                values[place, a, :, a] += local[b].conj()
        count = len(own) * dimension**3
        kind = np.int64 if count > np.iinfo(np.int32).max else np.int32
        indices = np.tile(np.arange(dimension**2, dtype=kind), len(own) * dimension)
        borders = np.arange(0, count + 1, dimension**2, dtype=kind)
        shape = (len(own) * dimension, dimension**2)
        matrix = sp.csr_array((values.ravel(), indices, borders), shape=shape)
        return AssembledRows(matrix, count, count, 0.0, 0.0)


def universal_lindblad_of(problem: Problem) -> UniversalLindbladGenerator:
    """The generator of a problem, built once."""
    return problem.once("universal-lindblad", lambda: _build(problem))


def _build(problem: Problem) -> UniversalLindbladGenerator:
    spectrum, couplings = problem.spectrum, _as_given(problem)
    samples, dimension = spectrum.n_samples, spectrum.dimension
    kind = np.float64 if spectrum.is_real and couplings.is_real else np.complex128
    jumps = np.empty((samples, dimension, couplings.n_baths, dimension), dtype=kind)
    for group in problem.groups:
        amplitudes = np.sqrt(2.0 * group.rates.real)
        own = _of_group(couplings, group)
        for member, (jump, _) in zip(group.members, own.filtered(spectrum.vectors, amplitudes)):
            jumps[:, :, member] = jump
    shifted = spectrum.hamiltonian
    if problem.lamb_shift:
        shifted = shifted + lamb_shifts(problem)
    outline = redfield_of(problem).spectral_outline
    return UniversalLindbladGenerator(spectrum, jumps, shifted, outline)


def _as_given(problem: Problem) -> Couplings:
    """The A_j of the model: those of the spectrum may have been centred.

    Raises InputError where there is no model to ask.
    """
    if isinstance(problem.couplings, SiteProjectors):
        return problem.couplings
    if not problem.models:
        raise InputError(
            "the universal Lindblad equation is made from the couplings of the models, this "
            "problem has none"
        )
    return problem.models[0].couplings


def _of_group(couplings: Couplings, group: BathGroup) -> Couplings:
    """f_j A_j of the couplings that share a bath up to its strength."""
    if group.is_alone:
        return couplings
    own = couplings.some(group.members)
    return own if np.all(group.factors == 1.0) else own.scaled(group.factors)


def lamb_shifts(problem: Problem) -> NDArray[Any]:
    """(samples, D, D) H_LS in the working basis, in J.

    f takes some 6 µs, at D³/2 arguments a bath; the sum over couplings D⁴ operations.
    Raises InputError where it is infinite, see `JumpCorrelator.shifts`.
    """
    couplings = _as_given(problem)
    total: NDArray[Any] = np.zeros(problem.spectrum.vectors.shape)
    for group in problem.groups:
        turned = list(_of_group(couplings, group).turned(problem.spectrum.vectors))
        total = total + _shifts_of(problem.spectrum, turned, JumpCorrelator(group.bath))
    return total


def _shifts_of(
    spectrum: Spectrum, turned: list[NDArray[Any]], correlator: JumpCorrelator
) -> NDArray[Any]:
    """(samples, D, D) H_LS of couplings V†A_jV that share a bath."""
    vectors = spectrum.vectors
    upper = np.stack(
        [
            _in_energy(np.stack([one[sample] for one in turned]), omega, correlator)
            for sample, omega in enumerate(frequencies_for(correlator.bath, spectrum))
        ]
    )
    half = 0.5 * (vectors @ (upper + adjoint(upper)) @ adjoint(vectors))
    # Hermitian to the last bit, or the trace would drift.
    shifts: NDArray[Any] = half + adjoint(half)
    return shifts


def _in_energy(turned: NDArray[Any], omega: Real, correlator: JumpCorrelator) -> NDArray[Any]:
    """(D, D) upper triangle, half of its diagonal, of ⟨m|H_LS|n⟩.

    turned: (couplings, D, D); omega: (D, D) ω_lk = E_k − E_l.
    """
    shift = np.zeros(turned.shape[1:], dtype=turned.dtype)
    lower, upper = np.triu_indices(len(omega))
    for first in range(0, len(lower), _PAIRS):
        m, n = lower[first : first + _PAIRS], upper[first : first + _PAIRS]
        values = correlator.shifts(omega[:, m].T, omega[m, n])
        check_shifts(values, correlator.bath)
        paths = np.zeros((len(m), len(omega)), dtype=turned.dtype)
        for own in turned:
            paths += own[m] * own[:, n].T
        shift[m, n] = np.einsum("pl,pl->p", values, paths)
    levels = np.arange(len(omega))
    shift[levels, levels] *= 0.5
    return shift


def _dissipators(problem: Problem, rho: Complex) -> Iterator[Complex]:
    """L_jρL_j† − ½{L_j†L_j, ρ} − i[H_LS of j, ρ] of every coupling."""
    generator, spectrum = universal_lindblad_of(problem), problem.spectrum
    couplings, jumps = _as_given(problem), generator.jumps[0]
    owners = {int(member): group for group in problem.groups for member in group.members}
    for coupling in range(jumps.shape[1]):
        jump = jumps[:, coupling]
        half = 0.5 * (jump @ rho @ jump.conj().T - jump.conj().T @ (jump @ rho))
        if problem.lamb_shift:
            group = owners[coupling]
            (own,) = np.flatnonzero(group.members == coupling)
            turned = list(_of_group(couplings, group).turned(spectrum.vectors))[own]
            half = half - 1j * _shifts_of(spectrum, [turned], JumpCorrelator(group.bath))[0] @ rho
        yield half + half.conj().T


def _baths(facts: SystemFacts) -> float:
    return float(facts.dimension if facts.basis is None else facts.basis.n_modes)


def _flops(is_real: bool, _lamb_shift: bool) -> float:
    """Of a coupling, in D³."""
    return 8.0 if is_real else 16.0


def _application_flops(facts: SystemFacts) -> float:
    """Two products a coupling, and one with M."""
    each = _flops(facts.is_real, facts.lamb_shift) * _baths(facts) + 8.0
    return each * float(facts.dimension) ** 3


def _setup_flops(facts: SystemFacts) -> float:
    """H_LS where it is kept, of one kind of bath: f at D poles of D²/2 pairs of levels."""
    n = float(facts.dimension)
    return (_OF_A_POLE * n + _OF_A_PAIR) * n**2 / 2.0 if facts.lamb_shift else 0.0


def _own_bytes(facts: SystemFacts) -> float:
    """All L_j, and their products with ρ, which are complex."""
    number = 8.0 if facts.is_real else 16.0
    return (number + 16.0) * _baths(facts) * float(facts.dimension) ** 2


UNIVERSAL_LINDBLAD = Equation(
    name="universal-lindblad",
    title="Universal Lindblad",
    symbol="U",
    source="Nathan and Rudner (2020), Phys. Rev. B 102, 115109",
    formula=(
        "dρ/dt = −i[H + H_LS, ρ] + Σ_j (L_j ρ L_j† − ½{L_j†L_j, ρ}), "
        "L_j = Σ_kl √γ(E_k − E_l) |l⟩⟨l|A_j|k⟩⟨k|"
    ),
    keeps=Guarantees(complete_positivity=True),
    flops=_flops,
    generator=universal_lindblad_of,
    rows=UniversalLindbladGenerator.rows,
    needs_model=True,
    application_flops=_application_flops,
    setup_flops=_setup_flops,
    own_bytes=_own_bytes,
    row_entries=lambda facts: float(facts.dimension) ** 2,
    dissipators=_dissipators,
)


class _Kernel(HalfKernel):
    """X = Mρ + ½ Σ_j L_jρL_j†.

    With all L_j side by side in two shapes of one array, U = [L_j]_(bj),k (ρ†)_kc for the own
    columns b and all c, and then X_ab = ½ Σ_jc [L_j]_a,(jc) conj(U_b,(jc)): two large products.
    L_j mixes columns.
    """

    needs_whole = True

    def __init__(self, generator: UniversalLindbladGenerator, columns: slice) -> None:
        samples, dimension, couplings, _ = generator.jumps.shape
        super().__init__(samples, dimension, columns)
        self._jumps, self._local = np.ascontiguousarray(generator.jumps), generator.local
        m = self.columns.stop - self.columns.start
        # Real and imaginary part of a state one after the other, where the L_j are real.
        planes = 1 if np.iscomplexobj(generator.jumps) else 2
        kind = generator.jumps.dtype
        self._turned = aligned_empty((planes, dimension, dimension), kind)
        self._jumped = aligned_empty((planes, m * couplings, dimension), kind)
        self._summed = aligned_empty((planes * m, dimension), kind)

    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """Write X into `out`; whole: (samples, D, D) all columns, None for `rho` itself."""
        every = rho if whole is None else whole
        gemm = GEMM[len(self._turned) - 1]
        m = rho.shape[2]
        for sample, (state, result) in enumerate(zip(every, out)):
            jumps = self._jumps[sample]
            self._turn(state)
            own = jumps[self.columns].reshape(-1, jumps.shape[2])
            # Fortran sees the transposes: Uᵀ = (ρ†)ᵀ · [L_j]ᵀ.
            for turned, jumped in zip(self._turned, self._jumped):
                gemm(1.0, turned.T, own.T, 0.0, jumped.T, overwrite_c=1)
            wide = jumps.reshape(len(jumps), -1)
            rows = self._jumped.reshape(len(self._summed), -1)
            gemm(0.5, wide.T, rows.T, 0.0, self._summed.T, trans_a=2, overwrite_c=1)
            np.matmul(self._local[sample], rho[sample], out=result)
            self._add(result, m)
            result *= self.factors[sample]

    def _turn(self, state: NDArray[Any]) -> None:
        """ρ†, as one complex or two real matrices."""
        if len(self._turned) == 1:
            np.conjugate(state.T, out=self._turned[0])
            return
        self._turned[0] = state.real.T
        np.negative(state.imag.T, out=self._turned[1])

    def _add(self, result: NDArray[Any], m: int) -> None:
        """The sum of all L_jρL_j†, of which `_summed` holds the adjoint."""
        if len(self._turned) == 1:
            result += self._summed.conj().T
            return
        result.real += self._summed[:m].T
        result.imag -= self._summed[m:].T
