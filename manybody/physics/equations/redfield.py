"""The Redfield generator in half form, for one particle with density couplings.

On Hermitian rho: dρ/dt = X + X† with X = Mρ + Σ_j Λ_j ρ A_j, M = −iH − K,
K = Σ_j A_j Λ_j (SNM eq. (18), PHYSICS.md section 3).  With A_j = |j⟩⟨j| column b
of X needs only column b of rho, so blocks of columns can live on different
ranks: a block is rho[:, columns] as a C-ordered (N, m) array.  On a general
matrix the generator is L[σ] = X(σ) + X(σ†)†.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import GEMM, Complex, Real, aligned, aligned_empty, row_panels
from manybody.physics.assembly import assemble_rows
from manybody.physics.bath_groups import BathGroup, bath_groups, columns_of_groups, mean_rates
from manybody.physics.baths.several import AnyBaths
from manybody.physics.couplings import DiagonalCouplings, SiteProjectors
from manybody.physics.equations.matrix_kernel import MatrixKernel
from manybody.physics.equations.protocol import Equation, Guarantees, adjoint
from manybody.physics.equations.tables import TableKernel, build_tables
from manybody.physics.equations.tables_layout import TableLayout, plan_tables
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum, carry_cached, give_cached

# Ranges of frequency in the outline of a spectrum.
_OUTLINE_POINTS = 48
# From here on a product of its own for every sample of a stack.
_ONE_BY_ONE_FROM = 24
# Above this, elementwise passes go by panels of rows that stay in a near cache.
_PANELS_ABOVE = 256
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
        for group in self.groups:
            each = group.couplings.filtered(self.spectrum.vectors, group.rates)
            for member, (filtered, turned) in zip(group.members, each):
                yield int(member), filtered, turned

    @property
    def hamiltonian(self) -> NDArray[Any]:
        """(samples, N, N) V diag(E) V† in the site basis, its energies centred on the band."""
        vectors = self.spectrum.vectors
        half = (vectors * (0.5 * self.spectrum.energies)[:, None, :]) @ adjoint(vectors)
        # Hermitian to the last bit, or the trace would drift.
        whole: NDArray[Any] = half + adjoint(half)
        return whole

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
        """(samples, N) ½ out_k + iε_k = Σ_l Γ(E_k − E_l) O_lk = ⟨k|K|k⟩ (PHYSICS.md section 4)."""
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
        own, couplings = _range(columns, self.spectrum.dimension), self.spectrum.couplings
        if isinstance(couplings, SiteProjectors):
            return _Kernel(self, own)
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
    keeps=Guarantees(
        trace=True,
        hermiticity=True,
        complete_positivity=False,
        gibbs=True,
        gibbs_with_lamb_shift=False,
    ),
    flops=_flops,
    generator=redfield_of,
    rows=assemble_rows,
)


def _range(columns: slice, dimension: int) -> slice:
    """`columns` with explicit borders.  Raises ValueError unless they are contiguous."""
    start, stop, step = columns.indices(dimension)
    if step != 1 or stop <= start:
        raise ValueError(f"columns = {columns}: a contiguous, non-empty range is needed")
    return slice(start, stop)


class _Kernel:
    """X of some columns of rho, as blocks rho[:, columns]: (samples, N, m), C-ordered.

    X = V · ( V† ∘ ( G · ( Vᵀ ∘ W ) ) ) + Mρ with W = V†ρ and M = −iH − K
    (PHYSICS.md section 3).  Where H and G are real M is the only complex matrix;
    it is then split as Mρ = V · (−iE ∘ W) − Kρ, and every product is real on twice
    the columns.  28 N²m flops, 16 N²m so split; with Lamb shift 32 and 24.

    buffers: two workspaces of the shape of a result that are free between calls; the
    first of them may be given as `out`.
    """

    needs_whole = False

    def __init__(self, generator: RedfieldGenerator, columns: slice) -> None:
        self.columns = columns
        spectrum = generator.spectrum
        vectors, coupled = spectrum.vectors, spectrum.coupled
        samples, n = spectrum.n_samples, spectrum.dimension
        m = columns.stop - columns.start
        # The smallest matrices are faster in one call for all.  By their size alone: the
        # bits of a sample must not depend on its stack.
        self._one_by_one = n >= _ONE_BY_ONE_FROM
        self._factors = np.ones(samples)
        # (Vᵀ)_kb = ⟨b|k⟩ for the sites b of this block, zero where no bath is attached.
        meeting = np.swapaxes(np.where(coupled[columns, None], vectors[:, columns], 0.0), 1, 2)
        if spectrum.is_real:
            # One real factor for both parts of a complex number.
            meeting = np.repeat(meeting, 2, axis=2)
        self._meeting = aligned(meeting)
        # Where calls cost more than products BLAS does not transpose on the way.
        self._to_energy: Any = None
        if not self._one_by_one:
            self._to_energy = aligned(np.swapaxes(vectors.conj(), 1, 2))
        # For large complex ones memory counts, and two more passes do not.
        self._parting: Any = self._meeting
        if np.iscomplexobj(meeting):
            self._parting = aligned(meeting.conj()) if n <= _PANELS_ABOVE else None
        owned = columns_of_groups(generator.groups, coupled, columns)
        here = [index for index, own in enumerate(owned) if _width(own, m)]
        self._rates = [aligned(generator.groups[index].rates) for index in here]
        self._owned = [owned[index] for index in here]
        self._phase: Any = None
        if generator.is_split:
            self._phase = aligned(-1j * spectrum.energies[:, :, None])
        self._vectors, self._local = aligned(vectors), aligned(generator.kernel_arrays[0])
        self._in_energy = aligned_empty((samples, n, m), np.complex128)
        self._filtered = self._in_energy
        if generator.is_split:
            self._filtered = aligned_empty((samples, n, m), np.complex128)
        self._parted = aligned_empty((samples, n, m), np.complex128)
        self.buffers = (self._in_energy, self._parted)
        self._shares = [
            [aligned_empty((samples, n, _width(own, m)), np.complex128) for _ in range(2)]
            for own in (self._owned if len(self._owned) > 1 else ())
        ]
        self._panels = [slice(0, n)] if n <= _PANELS_ABOVE else row_panels(slice(0, n), m)
        self._parts: dict[int, _Part] = {}

    def __call__(self, rho: Any, out: Any, _whole: Any = None) -> None:
        """Write X into `out`, both (samples, N, m).

        A stack may be shorter than the generator's: its first samples are meant.
        """
        count = len(rho)
        part = self._parts.get(count)
        if part is None:
            part = self._parts[count] = _Part(self, slice(count))
        state, result = _Block(rho, self._one_by_one), _Block(out, self._one_by_one)
        kind = part.weights
        self._product(part.to_energy, state, part.in_energy)
        np.multiply(part.meeting, part.in_energy.both[kind], out=part.parted.both[kind])
        self._filter(part)
        self._part_from(part)
        if part.phase is not None:
            in_energy, parted = part.in_energy.both[0], part.parted.both[0]
            for rows in self._panels:
                in_energy[:, rows] *= part.phase[:, rows]
                parted[:, rows] += in_energy[:, rows]
        self._product(part.vectors, part.parted, result, self._factors)
        if self._one_by_one:
            self._product(part.local, state, result, self._factors, add=True)
        else:
            self._product(part.local, state, part.parted)
            out += part.parted.both[0]

    def _filter(self, part: "_Part") -> None:
        """filtered = G · parted, column by column with the G of its bath."""
        if len(self._owned) == 1:
            self._product(part.rates[0], part.parted, part.filtered)
            return
        for rates, own, (columns_in, columns_out) in zip(part.rates, self._owned, part.shares):
            columns_in.both[0][...] = part.parted.both[0][:, :, own]
            self._product(rates, columns_in, columns_out)
            part.filtered.both[0][:, :, own] = columns_out.both[0]

    def _part_from(self, part: "_Part") -> None:
        """parted = conj(Vᵀ) ∘ filtered."""
        filtered, parted = part.filtered.both[part.weights], part.parted.both[part.weights]
        if part.parting is not None:
            np.multiply(part.parting, filtered, out=parted)
            return
        for rows in self._panels:
            some = parted[:, rows]
            np.conjugate(filtered[:, rows], out=some)
            some *= part.meeting[:, rows]
            np.conjugate(some, out=some)

    def scaled(self, factors: Real) -> "_Kernel":
        """The kernel of factor · L, factors: (samples,); it shares the workspaces of this one."""
        other = copy.copy(self)
        other._parts = {}
        if self._one_by_one:
            other._factors = self._factors * factors
        else:
            column = factors[:, None, None]
            other._vectors = aligned(self._vectors * column)
            other._local = aligned(self._local * column)
        return other

    def _product(
        self,
        matrix: "_Matrix",
        block: "_Block",
        out: "_Block",
        factors: Real | None = None,
        add: bool = False,
    ) -> None:
        """matrix · block; a real matrix meets complex columns as twice as many real ones."""
        kind = matrix.kind
        if self._one_by_one:
            gemm, adjoint = GEMM[kind], matrix.adjoint
            for index, (left, right, result) in enumerate(
                zip(matrix.turned, block.turned[kind], out.turned[kind])
            ):
                # Fortran sees the transposes: outᵀ (+)= blockᵀ · matrixᵀ.
                factor = 1.0 if factors is None else factors[index]
                gemm(factor, right, left, float(add), result, 0, adjoint, 1)
        else:
            np.matmul(matrix.stack, block.both[kind], out=out.both[kind])


def _width(own: slice | NDArray[np.intp], m: int) -> int:
    return len(range(m)[own]) if isinstance(own, slice) else len(own)


class _Block:
    """A stack of complex blocks, the same memory as real numbers, and transposes of each."""

    __slots__ = ("both", "turned")

    def __init__(self, stack: Any, one_by_one: bool) -> None:
        self.both = (stack, stack.view(np.float64))
        if one_by_one:
            if not stack.flags.c_contiguous:
                raise ValueError(f"strides {stack.strides}: C-ordered blocks are needed")
            self.turned = tuple([block.T for block in kind] for kind in self.both)


class _Matrix:
    """A stack of constant matrices, real (kind 1) or complex (kind 0), and their transposes.

    adjoint: that the conjugate transposes are meant (2, as BLAS wants it), or 0.
    """

    __slots__ = ("adjoint", "kind", "stack", "turned")

    def __init__(self, stack: Any, adjoint: bool = False) -> None:
        self.stack = stack
        self.kind = 1 if stack.dtype == np.float64 else 0
        self.turned = [matrix.T for matrix in stack]
        self.adjoint = 2 if adjoint else 0


class _Part:
    """What a kernel needs for its first samples: views, made once."""

    def __init__(self, kernel: _Kernel, few: slice) -> None:
        one_by_one = kernel._one_by_one
        self.vectors, self.local = _Matrix(kernel._vectors[few]), _Matrix(kernel._local[few])
        self.rates = [_Matrix(rates[few]) for rates in kernel._rates]
        if kernel._to_energy is None:
            self.to_energy = _Matrix(kernel._vectors[few], adjoint=True)
        else:
            self.to_energy = _Matrix(kernel._to_energy[few])
        self.meeting = kernel._meeting[few]
        self.parting = None if kernel._parting is None else kernel._parting[few]
        self.phase = None if kernel._phase is None else kernel._phase[few]
        self.in_energy = _Block(kernel._in_energy[few], one_by_one)
        self.filtered = _Block(kernel._filtered[few], one_by_one)
        self.parted = _Block(kernel._parted[few], one_by_one)
        self.shares = [
            tuple(_Block(share[few], one_by_one) for share in both) for both in kernel._shares
        ]
        # A real factor holds every element twice.
        self.weights = 1 if self.meeting.dtype == np.float64 else 0
