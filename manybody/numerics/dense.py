"""The NumPy/SciPy engine: operators on one process and a Runge-Kutta stepper."""

from typing import Any

import numpy as np
from scipy.integrate import DOP853

from manybody.numerics.protocols import (
    Array,
    Kernel,
    Linearity,
    Operator,
    Real,
    Segment,
    Solution,
    cut,
    dyadic_length,
)


class KernelOperator:
    """L from a kernel that owns all columns, on one process.

    kernel: half form X of all N columns; spectral_box: (samples, 3);
    linearity: "hermitian" applies X(σ) + X(σ)†, "complex" X(σ) + X(σ†)† at twice
    the cost.
    """

    basis = "site"
    autonomous = True
    source: Array | None = None

    def __init__(
        self, kernel: Kernel, spectral_box: Real, dimension: int, linearity: Linearity
    ) -> None:
        self._kernel = kernel
        self.spectral_box = spectral_box
        self.linearity: Linearity = linearity
        self.shape = (len(spectral_box), dimension, dimension)
        self._work = np.empty(self.shape, dtype=np.complex128)
        self._adjoint = np.empty(self.shape, dtype=np.complex128)

    def apply(self, x: Array, out: Array, time: float = 0.0) -> None:
        """Write L[x] into `out`; both (samples, N, N)."""
        self._kernel(x, out, time)
        if self.linearity == "hermitian":
            np.conjugate(np.swapaxes(out, 1, 2), out=self._work)
        else:
            np.conjugate(np.swapaxes(x, 1, 2), out=self._adjoint)
            self._kernel(self._adjoint, self._work, time)
            np.conjugate(np.swapaxes(self._work, 1, 2), out=self._adjoint)
            self._work[...] = self._adjoint
        out += self._work


class RungeKutta:
    """SciPy's DOP853 (order 8), one sample after the other.

    tolerance: bound on the Frobenius norm of each local error; the errors of
    the steps add up, and their number times the tolerance is the estimate.
    """

    name = "dop853"
    linearity: Linearity = "hermitian"

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def segments(self, operator: Operator, times: Real) -> list[Segment]:
        """Segments of 10, or what fits."""
        return cut(times, dyadic_length(10.0))

    def advance(self, operator: Operator, state: Array, segment: Segment) -> Solution:
        """Integrate from output time to output time."""
        return advance_one_by_one(operator, state, segment, self._integrate)

    def _integrate(
        self, operator: Operator, x: Array, start: float, stop: float
    ) -> tuple[Array, int, float]:
        out = np.empty_like(x)

        def rhs(time: float, flat: Array) -> Array:
            operator.apply(flat.reshape(x.shape), out, time)
            return out.ravel().copy()

        # SciPy weighs the mean square; a Frobenius norm is N times that root.
        atol = self.tolerance / np.sqrt(x.size)
        solver = DOP853(rhs, start, x.ravel(), stop, rtol=3e-14, atol=atol)
        steps = 0
        while solver.status == "running":
            message = solver.step()
            steps += 1
            if solver.status == "failed":
                raise RuntimeError(f"DOP853 failed at t = {solver.t:g}: {message}")
        return solver.y.reshape(x.shape), solver.nfev, steps * self.tolerance


def advance_one_by_one(
    operator: Operator, state: Array, segment: Segment, integrate: Any
) -> Solution:
    """Solution of a stepper that goes from output time to output time.

    integrate(operator, x, start, stop) -> (x at stop, applications, error estimate).
    """
    current, now = state.copy(), segment.start
    states = np.empty((state.shape[0], len(segment.times), *state.shape[1:]), dtype=np.complex128)
    applications, error = 0, 0.0
    for index, stop in enumerate((*segment.times, segment.stop)):
        if stop > now:
            current, used, estimate = integrate(operator, current, now, stop)
            applications += used
            error += estimate
            now = stop
        if index < len(segment.times):
            states[:, index] = current
    n_samples = state.shape[0]
    return Solution(
        states,
        current,
        "converged",
        np.full(n_samples, applications, dtype=np.int64),
        np.full(n_samples, error),
    )
