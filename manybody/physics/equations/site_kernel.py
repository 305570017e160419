"""The Redfield half form of one particle with density couplings, SNM eq. (18)."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import GEMM, Real, aligned, aligned_empty, row_panels
from manybody.physics.bath_groups import columns_of_groups

# From here on a product of its own for every sample of a stack.
_ONE_BY_ONE_FROM = 24
# Above this, elementwise passes go by panels of rows that stay in a near cache.
_PANELS_ABOVE = 256


class SiteKernel:
    """X of some columns of rho, as blocks rho[:, columns]: (samples, N, m), C-ordered.

    X = V · ( V† ∘ ( G · ( Vᵀ ∘ W ) ) ) + Mρ with W = V†ρ and M = −iH − K
    (PHYSICS.md section 3).  Where H and G are real M is the only complex matrix;
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

    def __init__(self, kernel: SiteKernel, few: slice) -> None:
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
