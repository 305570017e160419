"""The Redfield generator in half form, for one particle with density couplings.

On Hermitian rho: dρ/dt = X + X† with X = Mρ + Σ_j Λ_j ρ A_j, M = −iH − K,
K = Σ_j A_j Λ_j (SNM eq. (18), docs/physics.md section 3).  With A_j = |j⟩⟨j| column b
of X needs only column b of rho, so blocks of columns can live on different
ranks: a block is rho[:, columns] as a C-ordered (N, m) array.  On a general
matrix the generator is L[σ] = X(σ) + X(σ†)†.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.physics.assembly import assemble_rows
from manybody.physics.bath_groups import BathGroup, bath_groups, mean_rates
from manybody.physics.baths.several import AnyBaths
from manybody.physics.couplings import DiagonalCouplings, SiteProjectors
from manybody.physics.equations.half_kernel import contiguous
from manybody.physics.equations.matrix_kernel import MatrixKernel
from manybody.physics.equations.protocol import Equation, Guarantees, adjoint
from manybody.physics.equations.site_kernel import SiteKernel
from manybody.physics.equations.tables import TableKernel, build_tables
from manybody.physics.equations.tables_layout import TableLayout, plan_tables
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum, carry_cached, give_cached

# Ranges of frequency in the outline of a spectrum.
_OUTLINE_POINTS = 48
# Share of non-zero elements up to which a sparse product beats a dense one.
_SPARSE_BELOW = 0.1
# Tables of a sample take no more than this, or than so many of them: never what is free at the
# moment, which would have a say in the bits.
_TABLE_BYTES, _FEWEST_TABLES = 1 << 30, 32
# Planning takes longer than a small sample: samples of equal couplings share it.
_LAYOUTS: dict[tuple[str, str], TableLayout] = {}
_MOST_LAYOUTS = 64


@dataclass(frozen=True, eq=False)
class RedfieldGenerator:
    """Redfield generator of a stack of samples.

    spectrum: eigensystems; groups: the couplings by their bath, with its G_lk = Γ(E_k − E_l),
    real without Lamb shift; sparse: H of every sample as CSR, for what applies it to states,
    None where it has no zeros or is not needed.
    """

    spectrum: Spectrum
    groups: tuple[BathGroup, ...]
    sparse: tuple[sp.csr_array, ...] | None = None

    @cached_property
    def rates(self) -> NDArray[Any]:
        """(samples, D, D) G_lk of the one bath there is; of several their mean between two
        levels, which makes the same jumps and losses (`mean_rates`)."""
        return mean_rates(self.groups)

    @property
    def has_shift(self) -> bool:
        """Whether there is a Lamb shift."""
        return any(np.iscomplexobj(group.rates) for group in self.groups)

    @cached_property
    def decay(self) -> NDArray[Any]:
        """(samples, D, D) K = Σ_j A_j Λ_j in the working basis."""
        vectors = self.spectrum.vectors
        return _sum(group.couplings.decay(vectors, group.rates) for group in self.groups)

    def filtered(self) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
        """The number of a coupling, Λ_j and V†A_jV, one after the other, a bath at a time."""
        vectors = self.spectrum.vectors
        adjoint_vectors = adjoint(vectors)
        for group in self.groups:
            couplings = self.spectrum.couplings.some(group.members)
            for index, turned in enumerate(couplings.turned(vectors)):
                rates, strength = group.rates, group.factors[index] ** 2
                filtered = vectors @ (rates * turned) @ adjoint_vectors
                if strength != 1.0:
                    filtered *= strength
                yield int(group.members[index]), filtered, turned

    @property
    def hamiltonian(self) -> NDArray[Any]:
        """(samples, D, D) that of the spectrum."""
        return self.spectrum.hamiltonian

    @property
    def is_split(self) -> bool:
        """Whether H, all A_j and G are real: the kernel then keeps −iH apart."""
        all_real = self.spectrum.is_real and self.spectrum.couplings.is_real
        return all_real and not self.has_shift

    @cached_property
    def local(self) -> NDArray[Any]:
        """(samples, N, N) what multiplies rho on its own: M = −iH − K, −K where −iH is apart."""
        return -self.decay if self.is_split else -1j * self.hamiltonian - self.decay

    @cached_property
    def kernel_arrays(self) -> tuple[NDArray[Any], ...]:
        """The largest arrays that a kernel is made of, (samples, ...) each, to be shared."""
        couplings = self.spectrum.couplings
        if isinstance(couplings, SiteProjectors):
            return (self.local,)
        if isinstance(couplings, DiagonalCouplings):
            return build_tables(self._layout(couplings), self._operators())
        filtered = {member: one for member, one, _ in self.filtered()}
        each = (filtered[member] for member in sorted(filtered))
        return (-1j * self.hamiltonian - self.decay, *each)

    @cached_property
    def losses(self) -> NDArray[Any]:
        """(samples, N) ½ out_k + iε_k = Σ_l Γ(E_k − E_l) O_lk = ⟨k|K|k⟩.

        docs/physics.md section 4.
        """
        return _sum(np.einsum("slk,slk->sk", one.rates, one.weights) for one in self.groups)

    @property
    def jumps(self) -> Real:
        """(samples, D, D) transition rates W_{l←k} = γ(E_k − E_l) O_lk including l = k, in J."""
        return _sum(2.0 * group.rates.real * group.weights for group in self.groups)

    def dephasing(self, columns: slice = slice(None)) -> Real:
        """(samples, D, m) γ(0) Σ_j ⟨k|A_j|k⟩⟨k'|A_j|k'⟩ of some columns, in J."""
        return _sum(
            2.0 * group.rates[:, :1, :1].real * group.dephasing[:, :, columns]
            for group in self.groups
        )

    @property
    def unit(self) -> float:
        """What rates are compared with, in J: the largest |Γ|, or the largest |loss| where the
        A_j are not of size one."""
        if isinstance(self.spectrum.couplings, SiteProjectors):
            return max(float(np.abs(group.rates).max()) for group in self.groups)
        return float(np.abs(self.losses).max())

    @cached_property
    def secular_exponents(self) -> NDArray[np.complex128]:
        """(samples, N, N) growth rate of each coherence |k⟩⟨k'| in the Davies closed form."""
        unitary = -1j * np.swapaxes(self.spectrum.bohr_frequencies, 1, 2)
        losses = self.losses
        exponents: Complex = unitary - losses[:, :, None] - losses.conj()[:, None, :]
        exponents += self.dephasing()
        return exponents

    @cached_property
    def decay_bound(self) -> Real:
        """(samples,) √(‖K‖₁ ‖K‖_∞), at least ‖K‖₂."""
        size = np.abs(self.decay)
        bound: Real = np.sqrt(size.sum(axis=1).max(axis=1) * size.sum(axis=2).max(axis=1))
        return bound

    @cached_property
    def spectral_box(self) -> Real:
        """(samples, 3) half-width of Im λ, lower and upper bound of Re λ.

        |Im λ| <= E_max − E_min + 2‖K‖₂ and −2κ <= Re λ <= κ/2 with κ = ‖(K + K†)/2‖₂,
        half the largest out-rate.  An estimate, not a theorem: the Redfield
        generator is not contractive, and Re λ > 0 occurs.  300 random samples
        with J_int = 0.1…3, β = 0.01…30 came within 0.2 % of −2κ and reached 0.4 κ.
        """
        energies = self.spectrum.energies
        damping = np.abs(np.linalg.eigvalsh(0.5 * (self.decay + adjoint(self.decay)))).max(axis=1)
        width = energies[:, -1] - energies[:, 0] + 2.0 * self.decay_bound
        return np.stack([width, -2.0 * damping, 0.5 * damping], axis=1)

    @cached_property
    def spectral_outline(self) -> NDArray[np.complex128]:
        """(samples, P) where the spectrum ends, |Re λ| + i |Im λ|: an estimate.

        The exponents of the Davies closed form, whose largest damping within each of
        P ranges of frequency stands for the range, with a quarter of it as margin in
        both directions.  Fast coherences are few and often damped less than the box
        allows, so a series chosen by the outline is shorter.
        """
        exponents = self.secular_exponents
        result = np.empty((len(exponents), _OUTLINE_POINTS), dtype=np.complex128)
        for own, outline in zip(exponents.reshape(len(exponents), -1), result):
            frequency, damping = np.abs(own.imag), np.abs(own.real)
            # Populations: the rate matrix has eigenvalues up to twice its largest out-rate.
            damping[:: self.spectrum.dimension + 1] *= 2.0
            step = max(float(frequency.max()), 1e-300) / _OUTLINE_POINTS
            place = np.minimum((frequency / step).astype(np.intp), _OUTLINE_POINTS - 1)
            largest = np.zeros(_OUTLINE_POINTS)
            np.maximum.at(largest, place, damping)
            ends = step * np.arange(1, _OUTLINE_POINTS + 1)
            outline[:] = 1.25 * largest + 1j * (ends + 0.25 * largest)
        return result

    def select(self, samples: NDArray[np.intp] | slice) -> "RedfieldGenerator":
        """The generator of some samples of the stack, in the given order."""
        indices = np.arange(self.spectrum.n_samples)[samples]
        sparse = None if self.sparse is None else tuple(self.sparse[index] for index in indices)
        spectrum = self.spectrum.select(samples)
        groups = tuple(group.select(spectrum, samples) for group in self.groups)
        chosen = RedfieldGenerator(spectrum, groups, sparse)
        carry_cached(self, chosen, samples)
        return chosen

    def kernel(self, columns: slice = slice(None)) -> Any:
        """X for the given columns of rho, a slice of [0, D), with workspaces of its own."""
        own, couplings = contiguous(columns, self.spectrum.dimension), self.spectrum.couplings
        if isinstance(couplings, SiteProjectors):
            return SiteKernel(self, own)
        if isinstance(couplings, DiagonalCouplings):
            unitary = (self.sparse or tuple(self.hamiltonian)) if self.is_split else None
            return TableKernel(self._layout(couplings), self.kernel_arrays, own, unitary)
        return MatrixKernel(self, own)

    def _layout(self, couplings: DiagonalCouplings) -> TableLayout:
        return layout_of(couplings, np.float64 if self.is_split else np.complex128)

    def _operators(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """r and B_r of X_b = Σ_r C[r, b] B_r ρ_b: Λ_j, and last what multiplies ρ alone."""
        couplings = self.spectrum.couplings
        assert isinstance(couplings, DiagonalCouplings)
        kind = np.float64 if self.is_split else np.complex128
        decay: NDArray[Any] = np.zeros(self.spectrum.vectors.shape, dtype=kind)
        for member, filtered, _ in self.filtered():
            decay += couplings.values[member][:, None] * filtered
            yield member + 1, filtered
        if "decay" not in vars(self):
            give_cached(self, decay=decay)
        yield 0, -decay if self.is_split else -1j * self.hamiltonian - decay


def build_redfield(spectrum: Spectrum, bath: AnyBaths, lamb_shift: bool) -> RedfieldGenerator:
    """The generator of a stack of samples."""
    return RedfieldGenerator(spectrum, bath_groups(spectrum, bath, lamb_shift))


def redfield_of(problem: Problem) -> RedfieldGenerator:
    """The generator of a problem, built once."""
    return problem.once(
        "redfield", lambda: RedfieldGenerator(problem.spectrum, problem.groups, sparse_of(problem))
    )


def sparse_of(problem: Problem) -> tuple[sp.csr_array, ...] | None:
    """H of every sample, less the middle of its band, as CSR; None where it has few zeros."""
    centres, size = problem.spectrum.centres, problem.spectrum.dimension
    if not isinstance(problem.couplings, DiagonalCouplings) or centres is None:
        return None
    given = problem.hamiltonians
    counts = [one.nnz if sp.issparse(one) else np.count_nonzero(one) for one in given]
    if not counts or max(counts) > _SPARSE_BELOW * size**2:
        return None
    identity = sp.identity(size, format="csr")
    return tuple(
        sp.csr_array(sp.csr_array(one) - centre * identity) for one, centre in zip(given, centres)
    )


def layout_of(couplings: DiagonalCouplings, dtype: Any) -> TableLayout:
    """Which couplings share tables, within a memory that depends on the system alone."""
    dimension, kind = couplings.dimension, np.dtype(dtype)
    key = (couplings.digest, kind.name)
    if key not in _LAYOUTS:
        if len(_LAYOUTS) >= _MOST_LAYOUTS:
            _LAYOUTS.clear()
        limit = max(_TABLE_BYTES, _FEWEST_TABLES * dimension**2 * kind.itemsize)
        coefficients = np.vstack([np.ones(dimension), couplings.values])
        _LAYOUTS[key] = plan_tables(coefficients, dimension, kind, limit)
    return _LAYOUTS[key]


def redfield_on(problem: Problem, spectrum: Spectrum) -> RedfieldGenerator:
    """The generator on a spectrum of this sample: that of the problem, or one turned within
    degenerate levels."""
    if spectrum is problem.spectrum:
        return redfield_of(problem)
    return build_redfield(spectrum, problem.bath, problem.lamb_shift)


def _sum(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Σ of at least one array, which is it itself where it is alone."""
    total, *others = parts
    for other in others:
        total = total + other
    return total


def _flops(is_real: bool, lamb_shift: bool) -> float:
    """Of the kernel, see there, in N³."""
    if lamb_shift:
        return 24.0 if is_real else 32.0
    return 16.0 if is_real else 28.0


REDFIELD = Equation(
    name="redfield",
    title="Redfield",
    symbol="R",
    source="SNM eq. (18)",
    formula=(
        "dρ/dt = −i[H, ρ] + Σ_j (Λ_j ρ A_j − A_j Λ_j ρ + h.c.), "
        "Λ_j = Σ_kl Γ(E_k − E_l) |l⟩⟨l|A_j|k⟩⟨k|, Γ(ω) = ½γ(ω) + iη(ω)"
    ),
    keeps=Guarantees(gibbs=True),
    flops=_flops,
    generator=redfield_of,
    shares_calls=True,
    rows=assemble_rows,
)
