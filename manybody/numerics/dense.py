"""The NumPy/SciPy engine: the matrix-free operator and a Runge-Kutta stepper."""

import copy
from functools import partial
from typing import Any

import numpy as np

from manybody.arrays import Call, Complex, Real, aligned_copy, aligned_empty, row_panels
from manybody.errors import NumericalError
from manybody.numerics.columns import Columns
from manybody.numerics.growth import (
    GROWN_NORM,
    LARGEST_NORM,
    Overflow,
    block_norms,
    check_norms,
    overflow_sentence,
)
from manybody.numerics.protocols import (
    Kernel,
    Linearity,
    Operator,
    Segment,
    Solution,
    Stepper,
    applying,
)

# Below this a matrix stays in a near cache as a whole.
_PANELS_ABOVE = 256


class KernelOperator:
    """L from a kernel: matrix-free, on one process or on the ranks that share a sample.

    kernel: half form X of this process's columns; spectral_box: (samples, 3); columns:
    who owns what; linearity: "hermitian" applies X(σ) + X(σ)†, "complex" X(σ) + X(σ†)†
    at twice the cost; spectral_outline: (samples, P) or None.

    Raises ValueError when several processes would share a stack of samples.
    """

    def __init__(
        self,
        kernel: Kernel,
        spectral_box: Real,
        columns: Columns,
        linearity: Linearity,
        spectral_outline: Complex | None = None,
    ) -> None:
        self._kernel = kernel
        self.columns = columns
        self.spectral_box = spectral_box
        self.spectral_outline = spectral_outline
        self.linearity: Linearity = linearity
        n_samples, dimension = len(self.spectral_box), columns.dimension
        if columns.comm is not None and n_samples != 1:
            raise ValueError(f"{columns.size} ranks share one sample, got a stack of {n_samples}")
        self.shape = (n_samples, dimension, columns.width)
        self._half, self._spare = kernel.buffers
        self._adjoints: list[Complex] = []
        if linearity == "complex":
            self._adjoints = [aligned_empty(self.shape, np.complex128) for _ in range(2)]
        # A panel that is written stays near until the last addition to it.
        self._panels = [[rows] for rows in columns.ranges]
        if dimension > _PANELS_ABOVE:
            self._panels = [row_panels(rows, columns.width) for rows in columns.ranges]

    def apply(self, x: Complex, out: Complex, plus: Complex | None = None) -> None:
        """Write L[x], or L[x] + plus, into `out`; all (samples, N, m).

        `out` may be neither of the others.  A stack may be shorter than the operator's:
        its first samples are meant.
        """
        half = self._half[: len(x)]
        if not self._adjoints:
            self._apply_half(x, half)
            self._add_adjoint(half, out, half, plus)
        else:
            adjoint, other = (array[: len(x)] for array in self._adjoints)
            for rows, piece in self.columns.adjoint_pieces(x, self._spare[: len(x)]):
                np.conjugate(np.swapaxes(piece, 1, 2), out=adjoint[:, rows])
            self._apply_half(adjoint, other)
            self._apply_half(x, half)
            self._add_adjoint(other, out, half, plus)

    def bound(self, x: Complex, out: Complex, plus: Complex | None = None) -> list[Call]:
        """Calls that do what `apply` does, to what the arrays hold by then.

        For whoever applies it to the same memory again and again.
        """
        bind = getattr(self._kernel, "bound", None)
        if bind is None or self._adjoints or self.columns.comm is not None:
            return [partial(self.apply, x, out, plus)]
        half = self._half[: len(x)]
        calls: list[Call] = bind(x, half)
        pieces = self.columns.adjoint_pieces(half, self._spare[: len(half)])
        return calls + self._adjoint_calls(pieces, out, half, plus)

    def _apply_half(self, x: Complex, out: Complex) -> None:
        """X[x], with all columns of x where the kernel mixes them."""
        if self.columns.comm is None or not self._kernel.needs_whole:
            self._kernel(x, out)
        else:
            self._kernel(x, out, self.columns.whole(x))

    def scaled(self, factors: Real) -> "KernelOperator":
        """The operator factor · L, factors: (samples,); it shares the workspaces of this one."""
        other = copy.copy(self)
        other._kernel = self._kernel.scaled(factors)
        other.spectral_box = self.spectral_box * factors[:, None]
        if self.spectral_outline is not None:
            other.spectral_outline = self.spectral_outline * factors[:, None]
        return other

    def _add_adjoint(
        self, half: Complex, out: Complex, own: Complex, plus: Complex | None
    ) -> None:
        """out = half† + own (+ plus)."""
        pieces = self.columns.adjoint_pieces(half, self._spare[: len(half)])
        for call in self._adjoint_calls(pieces, out, own, plus):
            call()

    def _adjoint_calls(
        self, pieces: list[tuple[slice, Complex]], out: Complex, own: Complex, plus: Complex | None
    ) -> list[Call]:
        calls: list[Call] = []
        for (rows, piece), panels in zip(pieces, self._panels):
            for here in panels:
                panel = out[:, here]
                some = slice(here.start - rows.start, here.stop - rows.start)
                # A bare copy is the fastest transpose.
                calls.append(partial(np.copyto, panel, np.swapaxes(piece[:, :, some], 1, 2)))
                calls.append(partial(np.conjugate, panel, panel))
                calls.append(partial(np.add, panel, own[:, here], panel))
                if plus is not None:
                    calls.append(partial(np.add, panel, plus[:, here], panel))
        return calls


class RungeKutta(Stepper):
    """SciPy's DOP853 (order 8), one sample after the other.

    Parameters
    ----------
    tolerance : float or None, default None
        Bound on the Frobenius norm of each local error, in [1e-13, 0.01]; the errors of the steps
        add up, and their number times the tolerance is the estimate.  None takes that of the call.

    Raises
    ------
    InputError
        The tolerance is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I; see docs/physics.md
    section 5.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> run = mb.compare(model, bath, [0.0, 10.0], stepper=mb.RungeKutta(1e-6))
    >>> run.certificate.stepper_error < 1e-3
    True
    """

    name = "dop853"
    relative_applications = 18.0
    # Its steps adapt to what one process sees.
    one_rank = True

    def vectors(self, n_sites: int, n_times: int) -> float:
        """Vectors of the size of ρ in its stages and in SciPy's copies of the state."""
        return 21.0

    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """Integrate from output time to output time."""
        return advance_one_by_one(operator, state, segment, self._integrate)

    def _integrate(
        self, operator: Operator, x: Complex, start: float, stop: float
    ) -> tuple[Complex, int, float]:
        from scipy.integrate import DOP853  # which takes as long to import as all the rest

        given, out = aligned_copy(x), aligned_empty(x.shape, np.complex128)
        calls = applying(operator, given, out)

        def rhs(_time: float, flat: Complex) -> Complex:
            given.reshape(-1)[...] = flat
            for call in calls:
                call()
            return out.ravel().copy()

        # SciPy weighs the mean square; a Frobenius norm is N times that root.
        atol = self.tolerance / np.sqrt(x.size)
        solver = DOP853(rhs, start, x.ravel(), stop, rtol=3e-14, atol=atol)
        steps = 0
        while solver.status == "running":
            # Trial steps of growing states may overflow; what is not finite is said below.
            with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
                last, reached = solver.t, solver.y
                message = solver.step()
                largest = np.abs(solver.y).max()
            steps += 1
            if not largest <= LARGEST_NORM:
                norm = float(np.linalg.norm(reached))
                raise Overflow(overflow_sentence(norm, last, max(last, solver.t)))
            if solver.status == "failed":
                raise NumericalError(f"DOP853 failed at t = {solver.t:g}: {message}")
        return solver.y.reshape(x.shape), solver.nfev, steps * self.tolerance


def advance_one_by_one(
    operator: Operator, state: Complex, segment: Segment, integrate: Any
) -> Solution:
    """Solution of a stepper that goes from output time to output time.

    integrate(operator, x, start, stop) -> (x at stop, applications, error estimate).
    """
    current, now = state.copy(), segment.start
    states = np.empty((state.shape[0], len(segment.times), *state.shape[1:]), dtype=np.complex128)
    applications, error = 0, 0.0
    for index, stop in enumerate((*segment.times, segment.stop)):
        if stop > now:
            before = block_norms(current, operator.columns)
            try:
                current, used, estimate = integrate(operator, current, now, stop)
            except NumericalError as failure:
                explained = _of_growth(failure, float(before.max()), now)
                if explained is failure:
                    raise
                raise explained from failure
            check_norms(before, block_norms(current, operator.columns), now, stop)
            applications += used
            error += estimate
            now = stop
        if index < len(segment.times):
            states[:, index] = current
    n_samples = state.shape[0]
    return Solution(
        states,
        current,
        np.full(n_samples, applications, dtype=np.int64),
        np.full(n_samples, error),
    )


def _of_growth(error: NumericalError, norm: float, start: float) -> NumericalError:
    """`error`, or what explains it where the state had grown before."""
    # An overflow says so itself.
    if isinstance(error, Overflow) or norm <= GROWN_NORM:
        return error
    return NumericalError(
        f"{error}: a growing mode has taken the norm of the state to {norm:.1e} at t = "
        f"{start:g}, and absolute tolerances ask for more digits than double precision has"
    )
