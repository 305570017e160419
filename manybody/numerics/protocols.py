"""The small interfaces at which generators, operators and steppers meet."""

import copy
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Call, Complex, Real
from manybody.errors import InputError, InputTypeError, shown
from manybody.system.communicator import Communicator

Linearity = Literal["complex", "hermitian"]


class Kernel(Protocol):
    """The half form X of some columns: dρ/dt = X + X† on Hermitian ρ.

    Attributes
    ----------
    columns : slice
        Which they are.
    buffers : tuple of two arrays
        Workspaces of the shape of a result, free between calls; the first may be `out`.
    needs_whole : bool
        Whether a call must be given all columns of ρ beside its own.

    Notes
    -----
    A kernel may have `bound(rho, out)` too: the calls that such a call consists of, for whoever
    makes it again and again on the same memory.  Of small samples they take a third less.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> kernel = mb.EQUATIONS["redfield"].generator(problem).kernel()
    >>> rho, half = np.eye(4, dtype=complex)[None] / 4, np.empty((1, 4, 4), dtype=complex)
    >>> kernel(rho, half)
    >>> bool(abs(half.trace(axis1=1, axis2=2).real[0]) < 1e-15)  # X + X† has no trace
    True
    """

    columns: slice
    # Workspaces of the shape of a result, free between calls; the first may be `out`.
    buffers: tuple[Complex, Complex]

    # Whether a call must be given all columns of rho beside its own.
    needs_whole: bool

    def __call__(self, rho: Complex, out: Complex, whole: Complex | None = None) -> None:
        """Write X of these columns.

        Parameters
        ----------
        rho : (samples, D, m) array of complex
            The columns, C-ordered.
        out : (samples, D, m) array of complex
            Where X is written to.
        whole : (samples, D, D) array of complex or None, default None
            All of ρ, if needed.
        """

    def scaled(self, factors: Real) -> "Kernel":
        """The half form of factor · L.

        Parameters
        ----------
        factors : (samples,) array
            One a sample.

        Returns
        -------
        Kernel
            Of the same columns.
        """


class Bounds(Protocol):
    """What a stepper plans with.

    Examples
    --------
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> half_width, lowest, highest = mb.EQUATIONS["redfield"].generator(problem).spectral_box[0]
    >>> bool(lowest < 0.0)
    True
    """

    @property
    def spectral_box(self) -> Real:
        """Half-width of Im λ, lower and upper bound of Re λ, (samples, 3), in J."""

    @property
    def spectral_outline(self) -> Complex | None:
        """Estimate of where the spectrum ends, |Re λ| + i |Im λ|, (samples, P), or None.

        What is chosen by it must be checked afterwards.
        """


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

    Where ranks share a sample a block is what this rank owns of it; `columns` knows the others.

    Attributes
    ----------
    shape : tuple of int
        (samples, N, m).
    linearity : {"hermitian", "complex"}
        "hermitian" when apply is X + X†, right on Hermitian data only; "complex" when it is the
        complex-linear map, right on any data.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> class Tracing(mb.Chebyshev):
    ...     def advance(self, operator, state, segment):
    ...         print(operator.linearity, operator.shape)
    ...         return super().advance(operator, state, segment)
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> run = mb.compare(model, bath, [0.0, 1.0], stepper=Tracing())
    hermitian (1, 4, 4)
    """

    shape: tuple[int, int, int]
    linearity: Linearity

    @property
    def columns(self) -> Ownership:
        """Who owns what of a state."""

    def apply(self, x: Complex, out: Complex, plus: Complex | None = None) -> None:
        """Write L[x], or L[x] + plus.

        Parameters
        ----------
        x : (samples, N, m) array of complex
            The block.
        out : (samples, N, m) array of complex
            Where it is written to.
        plus : (samples, N, m) array of complex or None, default None
            What is added.
        """

    def scaled(self, factors: Real) -> "Operator":
        """The operator factor · L.

        Parameters
        ----------
        factors : (samples,) array
            One a sample.

        Returns
        -------
        Operator
            Of the same shape.
        """


def applying(
    operator: Operator, x: Complex, out: Complex, plus: Complex | None = None
) -> list[Call]:
    """Calls that write L[x], or L[x] + plus; of what they consist is the operator's affair."""
    bind: Callable[..., list[Call]] | None = getattr(operator, "bound", None)
    return [partial(operator.apply, x, out, plus)] if bind is None else bind(x, out, plus)


@dataclass(frozen=True)
class Segment:
    """A stretch of time between two places where a run may stop or checkpoint.

    Attributes
    ----------
    start : float
        In 1/J.
    stop : float
        In 1/J.
    times : tuple of float
        Output times in [start, stop].
    first : int
        Index of the first of them among all output times.
    share : float
        Part of the error tolerance this segment may use.

    Examples
    --------
    >>> import numpy as np
    >>> from manybody.numerics.protocols import cut
    >>> cut(np.array([0.0, 5.0, 20.0]), length=10.0)[0]
    Segment(start=0.0, stop=10.0, times=(0.0, 5.0), first=0, share=0.5)
    """

    start: float
    stop: float
    times: tuple[float, ...]
    first: int
    share: float


@dataclass(frozen=True, eq=False)
class Solution:
    """What a stepper made of one segment.

    Attributes
    ----------
    states : (samples, T, N, m) array of complex
        At the T output times of the segment.
    final : (samples, N, m) array of complex
        At segment.stop.
    applications : (samples,) array of int
        Generator applications.
    error_estimate : (samples,) array
        Estimate of the Frobenius-norm error added here.

    Examples
    --------
    >>> import numpy as np
    >>> from manybody.numerics.protocols import Solution
    >>> rho = np.eye(2, dtype=complex)[None] / 2
    >>> Solution(rho[:, None], rho, np.array([1]), np.array([0.0])).states.shape
    (1, 1, 2, 2)
    """

    states: Complex
    final: Complex
    applications: NDArray[np.int64]
    error_estimate: Real


class Stepper(ABC):
    """A time stepper: it takes states from time to time, by applications of the generator.

    Describe, then solve: no clock, no ranks, no memory between segments.  A stepper of one's own
    says the facts below, `vectors` and `advance`, and is known by its name once `register` has it.

    Parameters
    ----------
    tolerance : float or None, default None
        Of its own, in [1e-13, 0.01]; None takes that of the call.

    Attributes
    ----------
    name : str
        What studies call it.
    relative_applications : float
        How many it needs for one of Chebyshev, about, both at 1e-10.
    linearity : {"hermitian", "complex"}, default "hermitian"
        The kind of operator that `advance` must be given.
    library : {"", "PETSc", "SLEPc"}
        What it needs.
    one_rank : bool, default False
        That ranks cannot share a sample.

    Raises
    ------
    InputError
        The tolerance is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    See docs/physics.md section 5.

    Examples
    --------
    >>> from manybody.numerics.steppers import find_stepper
    >>> find_stepper("chebyshev").configured(1e-8, "", "redfield_").tolerance
    1e-08
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
        """Tolerance of its own or of the call; RuntimeError where there is neither yet."""
        if self._tolerance is None:
            raise RuntimeError(f"stepper {self.name!r} has no tolerance yet: build_stepper first")
        return self._tolerance

    def configured(self, tolerance: float | None, petsc_options: str, prefix: str) -> Self:
        """A copy with what the call says; touches no library.

        Parameters
        ----------
        tolerance : float or None
            Of the call.
        petsc_options : str
            PETSc options as on a command line.
        prefix : str
            With which their names begin.

        Returns
        -------
        Stepper
            Ready but for its library.

        Raises
        ------
        InputError
            There are options that it would not read.
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
        """Refuse a machine that lacks what it needs.

        Raises
        ------
        Unavailable
            Its library is missing.
        InputError
            The library refuses the options.
        """
        return

    @abstractmethod
    def vectors(self, n_sites: int, n_times: int) -> float:
        """Vectors of the size of ρ that it works with, output states apart; about.

        Parameters
        ----------
        n_sites : int
            Number of states.
        n_times : int
            Number of output times.

        Returns
        -------
        float
            How many.
        """

    def chosen(self, bounds: Bounds, times: Real, dimension: int) -> "list[Stepper]":
        """The stepper of each sample of so many states: this one, or one that is known better.

        A function of numbers alone, since ranks and stacks must not change what is chosen.

        Parameters
        ----------
        bounds : Bounds
            Where the spectra of the samples lie, `spectral_box`.
        times : (T,) array
            Output times in 1/J.
        dimension : int
            Number of states D.

        Returns
        -------
        list of Stepper
            One a sample.
        """
        return [self] * len(bounds.spectral_box)

    def stacks(self, bounds: Bounds, times: Real) -> list[NDArray[np.intp]]:
        """Samples with the same segments that may be advanced together; here each alone.

        Parameters
        ----------
        bounds : Bounds
            Where the spectra of the samples lie, `spectral_box`.
        times : (T,) array
            Output times in 1/J.

        Returns
        -------
        list of array of int
            Indices of the samples of each stack.
        """
        return [np.array([sample]) for sample in range(len(bounds.spectral_box))]

    def segments(self, bounds: Bounds, times: Real, most: float = np.inf) -> list[Segment]:
        """Cut [0, times[-1]] so that every output time lies in one segment; here of 10.

        Parameters
        ----------
        bounds : Bounds
            Where the spectra of the samples lie, `spectral_box`.
        times : (T,) array
            Output times in 1/J.
        most : float, default inf
            Applications that a segment may take, where the stepper can tell; adaptive steps
            cannot.

        Returns
        -------
        list of Segment
            In their order.
        """
        return cut(times, 10.0)

    @abstractmethod
    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """Go from a state at segment.start to every output time and to segment.stop.

        Parameters
        ----------
        operator : Operator
            L of dx/dt = L[x].
        state : (samples, N, m) array of complex
            At segment.start.
        segment : Segment
            Where it goes, the output times in it, and its share of the tolerance.

        Returns
        -------
        Solution
            States, applications and an estimate of the error.

        Raises
        ------
        NumericalError
            The scheme does not converge.
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
