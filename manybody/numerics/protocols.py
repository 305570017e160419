"""The small interfaces at which generators, operators and steppers meet."""

import copy
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.system.communicator import Communicator

Linearity = Literal["complex", "hermitian"]


class Kernel(Protocol):
    """The half form X of some columns: dρ/dt = X + X† on Hermitian ρ."""

    columns: slice
    # Workspaces of the shape of a result, free between calls; the first may be `out`.
    buffers: tuple[Complex, Complex]

    # Whether a call must be given all columns of rho beside its own.
    needs_whole: bool

    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """rho[:, :, columns] -> the same shape, written to `out`; whole: all of rho, if needed."""

    def scaled(self, factors: Real) -> "Kernel":
        """The half form of factor · L, one factor a sample."""


class Bounds(Protocol):
    """What a stepper plans with.

    spectral_box: (samples, 3) half-width of Im λ, lower and upper bound of Re λ.
    spectral_outline: (samples, P) estimate of where the spectrum ends, |Re λ| + i |Im λ|,
        or None; what is chosen by it must be checked afterwards.
    """

    @property
    def spectral_box(self) -> Real:
        """(samples, 3)."""

    @property
    def spectral_outline(self) -> Complex | None:
        """(samples, P)."""


class Ownership(Protocol):
    """Which part of a state this rank has (numerics/columns.py)."""

    comm: Communicator | None
    own: slice

    def whole(self, block: Complex) -> Complex:
        """All columns of matrices of which this rank has some; collective."""

    def total(self, values: Real) -> Real:
        """Sum of small arrays over the ranks, the same bits on each."""


class Operator(Bounds, Protocol):
    """The right-hand side of dx/dt = L[x] on blocks x of shape (samples, N, m).

    linearity: "hermitian" when apply is X + X†, right on Hermitian data only;
    "complex" when it is the complex-linear map, right on any data.
    Where ranks share a sample a block is what this rank owns of it; `columns` knows the
    others.
    """

    shape: tuple[int, int, int]
    linearity: Linearity

    @property
    def columns(self) -> Ownership:
        """Who owns what of a state."""

    def apply(self, x: Complex, out: Complex, plus: Complex | None = None) -> None:
        """Write L[x], or L[x] + plus, into `out`."""

    def scaled(self, factors: Real) -> "Operator":
        """The operator factor · L, one factor a sample."""


@dataclass(frozen=True)
class Segment:
    """A stretch of time between two places where a run may stop or checkpoint.

    times: output times in [start, stop]; first: index of the first of them among
    all output times; share: part of the error tolerance this segment may use.
    """

    start: float
    stop: float
    times: tuple[float, ...]
    first: int
    share: float


@dataclass(frozen=True, eq=False)
class Solution:
    """What a stepper made of one segment.

    states: (samples, len(segment.times), N, m); final: (samples, N, m) at
    segment.stop; applications: (samples,) generator applications;
    error_estimate: (samples,) estimate of the Frobenius-norm error added here.
    """

    states: Complex
    final: Complex
    applications: NDArray[np.int64]
    error_estimate: Real


class Stepper(ABC):
    """Describe, then solve: no clock, no ranks, no memory between segments.

    A stepper of one's own says the facts below, `vectors` and `advance`, and is known by its
    name once `register` has it.

    name: what studies call it; relative_applications: how many it needs for one of
    Chebyshev, about, both at 1e-10; linearity: the kind of operator that `advance` must be
    given; library: "PETSc" or "SLEPc" where it needs one; one_rank: that ranks cannot share
    a sample.

    tolerance: of its own, in [1e-13, 0.01]; None takes that of the call.
    """

    name: str
    relative_applications: float
    linearity: Linearity = "hermitian"
    library: ClassVar[str] = ""
    one_rank: ClassVar[bool] = False

    def __init__(self, tolerance: float | None = None) -> None:
        if tolerance is not None:
            is_none = isinstance(tolerance, (bool, np.timedelta64))
            if is_none or not isinstance(tolerance, numbers.Real):
                raise InputTypeError(f"tolerance = {shown(tolerance)}: a real number is needed")
            if not 1e-13 <= tolerance <= 1e-2:
                raise InputError(f"tolerance = {shown(tolerance)}: must lie in [1e-13, 0.01]")
        self._tolerance: float | None = tolerance

    def __repr__(self) -> str:
        own = "" if self._tolerance is None else f" to {self._tolerance!r}"
        return f"<stepper {self.name!r}{own}>"

    @property
    def tolerance(self) -> float:
        """Its own or that of the call.  Raises RuntimeError where there is neither yet."""
        if self._tolerance is None:
            raise RuntimeError(f"stepper {self.name!r} has no tolerance yet: build_stepper first")
        return self._tolerance

    def configured(self, tolerance: float | None, petsc_options: str, prefix: str) -> Self:
        """A copy with what the call says.

        Raises ValueError for options that it would not read; touches no library.
        """
        if petsc_options:
            raise InputError(
                f"petsc_options = {shown(petsc_options)}: stepper {self.name!r} does not use PETSc"
            )
        other = copy.copy(self)
        if self._tolerance is None:
            other._tolerance = tolerance
        return other

    def require(self) -> None:
        """Raise RuntimeError when its library is missing, ValueError for what that refuses."""
        return

    @abstractmethod
    def vectors(self, n_sites: int, n_times: int) -> float:
        """Vectors of the size of ρ that it works with, output states apart; about."""

    def chosen(self, bounds: Bounds, times: Real, dimension: int) -> "list[Stepper]":
        """The stepper of each sample of so many states: this one, or one that is known better.

        A function of numbers alone, since ranks and stacks must not change what is chosen.
        Raises InputError for more states than it can have.
        """
        return [self] * len(bounds.spectral_box)

    def stacks(self, bounds: Bounds, times: Real) -> list[NDArray[np.intp]]:
        """Samples with the same segments that may be advanced together; here each alone."""
        return [np.array([sample]) for sample in range(len(bounds.spectral_box))]

    def segments(self, bounds: Bounds, times: Real, most: float = np.inf) -> list[Segment]:
        """Cut [0, times[-1]] so that every output time lies in one segment; here of 10.

        most: applications that a segment may take, where the stepper can tell; adaptive
        steps cannot.
        """
        return cut(times, 10.0)

    @abstractmethod
    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """From `state` at segment.start to every output time and to segment.stop.

        Raises RuntimeError when the scheme does not converge.
        """


def cut(times: Real, length: float) -> list[Segment]:
    """Segments of the given length from 0 to the last output time.

    An output time on a border belongs to the segment that ends there; time 0
    belongs to the first.
    """
    last = float(times[-1])
    if last == 0.0:
        return [Segment(0.0, 0.0, (0.0,) * len(times), 0, 1.0)]
    count = max(1, int(np.ceil(last / length * (1.0 - 1e-12))))
    # The last border is the last time itself, wherever rounding has put it.
    borders = [index * length for index in range(count)] + [last]
    segments, first = [], 0
    for start, stop in zip(borders[:-1], borders[1:]):
        end = first
        while end < len(times) and times[end] <= stop:
            end += 1
        chosen = tuple(float(time) for time in times[first:end])
        segments.append(Segment(start, stop, chosen, first, 1.0 / count))
        first = end
    if first != len(times):
        raise RuntimeError(f"{len(times) - first} output times lie in no segment of {length:g}")
    return segments
