"""The Redfield half form of one particle with density couplings, SNM eq. (18)."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import GEMM, Call, Complex, Real, aligned, aligned_empty, row_panels
from manybody.physics.bath_groups import BathGroup, columns_of_groups, strengths_of_sites

# From here on a product of its own for every sample of a stack.
_ONE_BY_ONE_FROM = 24
# Above this, elementwise passes go by panels of rows that stay in a near cache.
_PANELS_ABOVE = 256


class SiteKernel:
    """X of some columns of rho, as blocks rho[:, columns]: (samples, N, m), C-ordered.

    X = V · ( V† ∘ ( G · ( Vᵀ ∘ W ) ) ) + Mρ with W = V†ρ and M = −iH − K
    (docs/physics.md section 3).  Where H and G are real M is the only complex matrix;
    it is then split as Mρ = V · (−iE ∘ W) − Kρ, and every product is real on twice
    the columns.  28 N²m flops, 16 N²m so split; with Lamb shift 32 and 24.

    buffers: two workspaces of the shape of a result that are free between calls; the
    first of them may be given as `out`.
    """

    needs_whole = False

    def __init__(self, generator: Any, columns: slice) -> None:
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
        # Where calls cost more than products BLAS does not transpose on the way.
        self._to_energy: Any = None
        if not self._one_by_one:
            self._to_energy = aligned(np.swapaxes(vectors.conj(), 1, 2))
        self._phase: Any = None
        if generator.is_split:
            phase = -1j * spectrum.energies[:, :, None]
            # NumPy multiplies whole arrays faster than it repeats one column.
            self._phase = aligned(np.repeat(phase, m, axis=2) if n <= _PANELS_ABOVE else phase)
        self._vectors, self._local = aligned(vectors), aligned(generator.kernel_arrays[0])
        self._in_energy = aligned_empty((samples, n, m), np.complex128)
        self._filtered = self._in_energy
        if generator.is_split:
            self._filtered = aligned_empty((samples, n, m), np.complex128)
        self._parted = aligned_empty((samples, n, m), np.complex128)
        self.buffers = (self._in_energy, self._parted)
        self._shares = self._shares_of(generator.groups, coupled, meeting)
        self._panels = [slice(0, n)] if n <= _PANELS_ABOVE else row_panels(slice(0, n), m)
        self._parts: dict[int, _Part] = {}

    def _shares_of(
        self, groups: Sequence[BathGroup], coupled: NDArray[np.bool_], meeting: NDArray[Any]
    ) -> list["_Share"]:
        """The columns by their bath."""
        owned = columns_of_groups(groups, coupled, self.columns)
        strengths = strengths_of_sites(groups, coupled)[self.columns]
        is_double = meeting.dtype == np.float64
        pairs = [(group, own) for group, own in zip(groups, owned) if strengths[own].size]
        shares = []
        for group, own in pairs:
            mine, workspaces = meeting, [self._parted, self._filtered]
            if len(pairs) > 1:
                mine = meeting[:, :, _doubled(own) if is_double else own]
                shape = (*self._parted.shape[:2], strengths[own].size)
                workspaces = [aligned_empty(shape, np.complex128) for _ in range(2)]
            factors = np.repeat(strengths[own], 2) if is_double else strengths[own]
            rates = aligned(group.rates)
            shares.append(_Share(own, rates, aligned(mine), factors, workspaces))
        return shares

    def __call__(self, rho: Any, out: Any, _whole: Any = None) -> None:
        """Write X into `out`, both (samples, N, m).

        A stack may be shorter than the generator's: its first samples are meant.
        """
        for call in self.bound(rho, out):
            call()

    def bound(self, rho: Any, out: Any) -> list[Call]:
        """Calls that write X of what `rho` holds by then into `out`, one after the other.

        For whoever applies the kernel to the same memory again: for small samples views and
        arguments cost as much as the products.
        """
        part = self._parts.get(len(rho))
        if part is None:
            part = self._parts[len(rho)] = _Part(self, slice(len(rho)))
        state, result = _Block(rho, self._one_by_one), _Block(out, self._one_by_one)
        calls = self._product(part.to_energy, state, part.in_energy)
        calls += part.between
        calls += self._product(part.vectors, part.parted, result, self._factors)
        if self._one_by_one:
            calls += self._product(part.local, state, result, self._factors, add=True)
        else:
            calls += self._product(part.local, state, part.parted)
            calls.append(partial(np.add, out, part.parted.both[0], out))
        return calls

    def _between(self, part: "_Part") -> list[Call]:
        """V† ∘ ( G · ( Vᵀ ∘ W ) ), and −iE ∘ W where split, from W in workspaces to workspaces."""
        calls = [call for share in part.shares for call in self._filter(part, share)]
        if part.phase is not None:
            in_energy, parted = part.in_energy.both[0], part.parted.both[0]
            for rows in self._panels:
                turned, panel = in_energy[:, rows], parted[:, rows]
                calls.append(partial(np.multiply, turned, part.phase[:, rows], turned))
                calls.append(partial(np.add, panel, turned, panel))
        return calls

    def _filter(self, part: "_Part", share: "_PartOfShare") -> list[Call]:
        """V† ∘ ( G · ( Vᵀ ∘ W ) ) of the columns of a bath, with its G."""
        kind, own = share.weights, share.own
        calls: list[Call] = []
        entering, leaving = share.inside.both[kind], share.outside.both[kind]
        if own is None:
            met = part.in_energy.both[kind]
            calls.append(partial(np.multiply, share.entering, met, entering))
        else:
            calls.append(partial(_take, part.in_energy.both[0], own, share.inside.both[0]))
            calls.append(partial(np.multiply, entering, share.entering, entering))
        calls += self._product(share.rates, share.inside, share.outside)
        # Workspaces: what enters is no longer needed.
        if share.leaving is not None:
            calls.append(partial(np.multiply, share.leaving, leaving, entering))
        else:
            for rows in self._panels:
                some = entering[:, rows]
                calls.append(partial(np.conjugate, leaving[:, rows], some))
                calls.append(partial(np.multiply, some, share.meeting[:, rows], some))
                calls.append(partial(np.conjugate, some, some))
        if own is not None:
            calls.append(partial(_put, share.inside.both[0], own, part.parted.both[0]))
        return calls

    def scaled(self, factors: Real) -> "SiteKernel":
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
    ) -> list[Call]:
        """matrix · block; a real matrix meets complex columns as twice as many real ones."""
        kind = matrix.kind
        if not self._one_by_one:
            return [partial(np.matmul, matrix.stack, block.both[kind], out.both[kind])]
        scales = [1.0] * len(matrix.turned) if factors is None else factors.tolist()
        # Fortran sees the transposes: outᵀ (+)= blockᵀ · matrixᵀ.
        return [
            partial(GEMM[kind], scale, right, left, float(add), result, 0, matrix.adjoint, 1)
            for scale, left, right, result in zip(
                scales, matrix.turned, block.turned[kind], out.turned[kind]
            )
        ]


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


class _Share:
    """Columns that meet the rates of one bath, and what they meet on the way.

    own: which columns; rates: (samples, N, N); meeting: (samples, N, m) ⟨b|k⟩ of their sites,
    doubled where real; factors: (m,) strengths, doubled alike; workspaces: of what enters the
    product with G and what leaves it.
    """

    def __init__(
        self,
        own: slice | NDArray[np.intp],
        rates: NDArray[Any],
        meeting: NDArray[Any],
        factors: Real,
        workspaces: list[Complex],
    ) -> None:
        self.own, self.rates, self.meeting = own, rates, meeting
        self.inside, self.outside = workspaces
        self.entering = meeting if np.all(factors == 1.0) else aligned(meeting * factors)
        # For large complex ones memory counts, and two more passes do not.
        self.leaving: Any = meeting
        if np.iscomplexobj(meeting):
            self.leaving = aligned(meeting.conj()) if meeting.shape[1] <= _PANELS_ABOVE else None


class _PartOfShare:
    """A share of the first samples."""

    def __init__(self, share: _Share, few: slice, is_all: bool, one_by_one: bool) -> None:
        self.own = None if is_all else share.own
        self.rates = _Matrix(share.rates[few])
        self.entering, self.meeting = share.entering[few], share.meeting[few]
        self.leaving = None if share.leaving is None else share.leaving[few]
        self.inside = _Block(share.inside[few], one_by_one)
        self.outside = _Block(share.outside[few], one_by_one)
        # A real factor holds every element twice.
        self.weights = 1 if self.meeting.dtype == np.float64 else 0


def _take(source: Complex, own: slice | NDArray[np.intp], out: Complex) -> None:
    out[...] = source[:, :, own]


def _put(source: Complex, own: slice | NDArray[np.intp], out: Complex) -> None:
    out[:, :, own] = source


def _doubled(own: slice | NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices of both parts of complex columns."""
    columns = np.arange(own.start, own.stop, own.step) if isinstance(own, slice) else own
    both: NDArray[np.intp] = np.stack([2 * columns, 2 * columns + 1], axis=1).ravel()
    return both


class _Part:
    """What a kernel needs for its first samples: views, made once."""

    def __init__(self, kernel: SiteKernel, few: slice) -> None:
        one_by_one = kernel._one_by_one
        self.vectors, self.local = _Matrix(kernel._vectors[few]), _Matrix(kernel._local[few])
        if kernel._to_energy is None:
            self.to_energy = _Matrix(kernel._vectors[few], adjoint=True)
        else:
            self.to_energy = _Matrix(kernel._to_energy[few])
        self.phase = None if kernel._phase is None else kernel._phase[few]
        self.in_energy = _Block(kernel._in_energy[few], one_by_one)
        self.parted = _Block(kernel._parted[few], one_by_one)
        is_all = len(kernel._shares) == 1
        self.shares = [_PartOfShare(each, few, is_all, one_by_one) for each in kernel._shares]
        self.between = kernel._between(self)
