"""The Redfield half form for any Hermitian couplings, two products a bath (SNM eq. (18))."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, aligned_empty
from manybody.physics.equations.half_kernel import HalfKernel


class MatrixKernel(HalfKernel):
    """X = Mρ + Σ_j Λ_j (ρ A_j), M = −iH − K.  A_j mixes columns."""

    needs_whole = True

    def __init__(self, generator: Any, columns: slice) -> None:
        spectrum = generator.spectrum
        super().__init__(spectrum.n_samples, spectrum.dimension, columns)
        self._local, *self._filtered = generator.kernel_arrays
        self._couplings: list[NDArray[Any]] = [
            np.ascontiguousarray(one[:, columns]) for one in spectrum.couplings.matrices()
        ]
        self._turned = aligned_empty(self.buffers[0].shape, np.complex128)

    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """Write X into `out`; whole: (samples, D, D) all columns, None for `rho` itself."""
        count = len(rho)
        every = rho if whole is None else whole
        added, turned = self.buffers[1][:count], self._turned[:count]
        np.matmul(self._local[:count], rho, out=out)
        for filtered, coupling in zip(self._filtered, self._couplings):
            np.matmul(every, coupling, out=turned)
            np.matmul(filtered[:count], turned, out=added)
            out += added
        out *= self.factors[:count, None, None]
