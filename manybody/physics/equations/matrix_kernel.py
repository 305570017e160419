"""The Redfield half form for any Hermitian couplings, two products a bath (SNM eq. (18))."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real, aligned_empty


class MatrixKernel:
    """X = Mρ + Σ_j Λ_j (ρ A_j), M = −iH − K, of some columns of ρ.

    A_j mixes columns: `needs_whole` says that a call needs all of ρ beside its own columns,
    which whoever spreads ρ must gather.

    buffers: two workspaces of the shape of a result that are free between calls; the first of
    them may be given as `out`.
    """

    needs_whole = True

    def __init__(self, generator: Any, columns: slice) -> None:
        self.columns = columns
        spectrum = generator.spectrum
        samples, n = spectrum.n_samples, spectrum.dimension
        self._local, *self._filtered = generator.kernel_arrays
        self._couplings: list[NDArray[Any]] = [
            np.ascontiguousarray(one[:, columns]) for one in spectrum.couplings.matrices()
        ]
        shape = (samples, n, columns.stop - columns.start)
        self.buffers = (aligned_empty(shape, np.complex128), aligned_empty(shape, np.complex128))
        self._turned = aligned_empty(shape, np.complex128)
        self._factors = np.ones(samples)

    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """Write X into `out`; rho, out: (samples, D, m).

        whole: (samples, D, D) all columns, None where they are `rho` itself.  A stack may be
        shorter than the generator's: its first samples are meant.
        """
        count = len(rho)
        every = rho if whole is None else whole
        added, turned = self.buffers[1][:count], self._turned[:count]
        np.matmul(self._local[:count], rho, out=out)
        for filtered, coupling in zip(self._filtered, self._couplings):
            np.matmul(every, coupling, out=turned)
            np.matmul(filtered[:count], turned, out=added)
            out += added
        out *= self._factors[:count, None, None]

    def scaled(self, factors: Real) -> "MatrixKernel":
        """The kernel of factor · L, factors: (samples,); it shares the workspaces of this one."""
        other = copy.copy(self)
        other._factors = self._factors * factors
        return other
