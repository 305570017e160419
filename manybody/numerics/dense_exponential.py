"""e^{Lt} as a dense matrix: a stepper for few levels, whatever the times and however stiff L.

A series or steps need the more applications the longer the times and the stronger the baths; the
matrix of L has D⁴ numbers whatever they are.  Where D is small and a Chebyshev series would be
long this is the cheaper way by far: `exponential_is_cheaper` is the rule, of numbers alone, so
that what is chosen depends neither on clocks nor on ranks.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from manybody.arrays import Complex, Real, aligned_copy, aligned_empty
from manybody.errors import InputError
from manybody.numerics.growth import GROWN_NORM, LARGEST_NORM, block_norms, check_norms
from manybody.numerics.protocols import Bounds, Operator, Segment, Solution, Stepper, cut

_EPSILON = float(np.finfo(np.float64).eps)
MOST_STATES = 45
# Twice what the longest series of the built-in studies has, whose stores keep their bits.
_FEWEST_APPLICATIONS = 1e4
MOST_CHOSEN = 12
# Flops: of an exponential and its third in D⁶; of an application in D³, and what its calls take.
_OF_EXPONENTIAL, _OF_APPLICATION, _OF_CALLS = 72.0, 60.0, 1.5e5
# How far a state may grow in one segment, as a logarithm, and segments at most.
_RANGE, _MOST_PIECES = float(np.log(LARGEST_NORM / GROWN_NORM)), 100


def exponential_is_cheaper(dimension: int, times: Real, applications: float) -> bool:
    """Whether samples of D states are advanced by exponentials where a series was asked for.

    applications: of the series.  Up to 12 states, beyond 10⁴ applications, and where all
    exponentials, one for every length of a step between output times, have fewer flops.
    """
    if dimension > MOST_CHOSEN or not applications > _FEWEST_APPLICATIONS:
        return False
    series = applications * (_OF_APPLICATION * dimension**3 + _OF_CALLS)
    return exponential_flops(dimension, times) < series


def exponential_flops(dimension: int, times: Real) -> float:
    """Of all exponentials of one generator: one for every length of a step."""
    steps = len(np.unique(np.diff(times, prepend=0.0)))
    return steps * _OF_EXPONENTIAL * float(dimension) ** 6


class DenseExponential(Stepper):
    """Dense matrix e^{Lt} by Padé approximants with scaling and squaring, one a length of a step.

    Parameters
    ----------
    tolerance : float or None, default None
        None is chosen: it is as precise as rounding allows, ε‖L‖t.

    Raises
    ------
    InputError
        The tolerance is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Up to 45 states; D² applications make the matrix, D⁶ flops an exponential.  The estimate of the
    error is what three steps of a third leave, whose rounding is another, and rounding itself.
    See docs/physics.md section 5.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=3, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> run = mb.compare(model, bath, [0.0, 1000.0], stepper="dense-exponential")
    >>> run.certificate.stepper_error < 1e-9
    True
    """

    name = "dense-exponential"
    # As many as ρ has elements, against a short series of few levels.
    relative_applications = 2.0

    def vectors(self, n_sites: int, n_times: int) -> float:
        """Vectors of the size of ρ in L, its exponentials and their workspaces, D⁴ reals each."""
        return 6.0 * n_sites**2

    def chosen(self, bounds: Bounds, times: Real, dimension: int) -> list[Stepper]:
        """Itself for every sample.

        Raises
        ------
        InputError
            There are more than 45 states.
        """
        if dimension > MOST_STATES:
            raise InputError(
                f"stepper = {self.name!r}: a system of {dimension} states, allowed are "
                f"{MOST_STATES}; 'chebyshev' takes any"
            )
        return super().chosen(bounds, times, dimension)

    def stacks(self, bounds: Bounds, times: Real) -> list[NDArray[np.intp]]:
        """Those of equal segments together: they share calls of the operator."""
        counts = _pieces(bounds, times)
        return [np.flatnonzero(counts == count) for count in np.unique(counts)]

    def segments(self, bounds: Bounds, times: Real, most: float = np.inf) -> list[Segment]:
        """One segment, or several where a state may leave the range: it is seen before."""
        return cut(times, float(times[-1]) / int(_pieces(bounds, times).max()))

    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """Go from output time to output time, one sample after the other."""
        columns = operator.columns
        basis = hermitian_basis(state.shape[1])
        matrices = _real_matrices(operator, basis)
        stops = np.array([*segment.times, segment.stop]) - segment.start
        # Sample by sample: the bits of one must not depend on the others.
        starts = [(own.ravel() @ basis.conj().T).real for own in columns.whole(state)]
        # What grows may leave the range, which is said below.
        with np.errstate(all="ignore"):
            paths = [_path(*own, stops) for own in zip(matrices, starts)]
        whole = np.stack([path @ basis for path, _ in paths])
        states = whole.reshape(*whole.shape[:2], *operator.shape[1:2], -1)
        own = np.ascontiguousarray(states[..., columns.own])
        before, after = block_norms(state, columns), block_norms(own[:, -1], columns)
        check_norms(before, after, segment.start, segment.stop)
        return Solution(
            own[:, :-1],
            own[:, -1].copy(),
            np.full(len(state), len(basis), dtype=np.int64),
            np.array([error for _, error in paths]),
        )


def _pieces(bounds: Bounds, times: Real) -> NDArray[np.intp]:
    """(samples,) segments in each of which growth within the spectral box stays in the range."""
    grown = np.maximum(bounds.spectral_box[:, 2], 0.0) * float(times[-1])
    pieces: NDArray[np.intp] = np.clip(np.ceil(grown / _RANGE), 1, _MOST_PIECES).astype(np.intp)
    return pieces


def hermitian_basis(dimension: int) -> Complex:
    """(D², D²) rows are vec E_k of Hermitian E_k with tr E_jE_k = δ_jk: ρ = Σ_k r_kE_k, r real."""
    unit = np.eye(dimension**2).reshape(dimension, dimension, dimension, dimension)
    swapped = unit.transpose(1, 0, 2, 3)
    first, second = np.indices((dimension, dimension))
    above, below = (own[:, :, None, None] for own in (first < second, first > second))
    basis = np.where(above, (unit + swapped) / np.sqrt(2.0), unit + 0j)
    basis = np.where(below, 1j * (unit - swapped) / np.sqrt(2.0), basis)
    return basis.reshape(dimension**2, dimension**2)


def _real_matrices(operator: Operator, basis: Complex) -> Real:
    """(samples, D², D²) L of each sample in a Hermitian basis, by an application an element."""
    n_samples, n, _ = operator.shape
    columns = operator.columns
    out = aligned_empty(operator.shape, np.complex128)
    images = np.empty((n_samples, *basis.shape), dtype=np.complex128)
    for index, element in enumerate(basis.reshape(-1, n, n)):
        block = np.repeat(element[None, :, columns.own], n_samples, axis=0)
        operator.apply(aligned_copy(block), out)
        images[:, index] = columns.whole(out).reshape(n_samples, -1)
    return np.stack([(basis.conj() @ own.T).real for own in images])


def _path(matrix: Real, start: Real, stops: Real) -> tuple[Real, float]:
    """(T, D²) e^{Lt}x at ascending times, and an estimate of the error of the worst of them."""
    exponentials = {0.0: (np.eye(len(start)), np.eye(len(start)))}
    state, other = start, start
    states = np.empty((len(stops), len(start)))
    error = 0.0
    for index, step in enumerate(np.diff(stops, prepend=0.0)):
        if step not in exponentials:
            exponentials[step] = expm(matrix * step), expm(matrix * (step / 3.0))
        whole, third = exponentials[step]
        # Another path to the same state, with rounding of its own.
        state, other = whole @ state, third @ (third @ (third @ other))
        states[index] = state
        error = max(error, 2.0 * float(np.linalg.norm(state - other)))
    largest = float(np.linalg.norm(states, axis=1).max(initial=0.0))
    size = float(np.linalg.norm(matrix, 2)) if np.isfinite(largest) else np.inf
    return states, error + _EPSILON * largest * (11.0 + size * float(stops[-1]))
