"""Chebyshev series of e^{Lt} for a spectrum near the imaginary axis: the default stepper.

e^{Lt} = Σ_k c_k(t) φ_k with c_0 = J_0(δt), c_k = 2 J_k(δt), φ_0 = x, φ_1 = Lx/δ,
φ_{k+1} = 2Lφ_k/δ + φ_{k−1} and |Im λ| <= δ.  All output times share the recursion,
there are no inner products, and the coefficients are real, so Hermitian data
stay Hermitian.  A Re λ ≠ 0 makes φ_k grow like e^{k |Re λ|/δ}, harmless over
segments short enough (docs/physics.md section 5).

δ and the number of segments are the cheapest that the outline of the spectrum
allows.  An outline is an estimate: the φ_k are measured, and a sample whose φ_k
have grown too far is done again with what its spectral box allows.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Call, Complex, Real, aligned_empty, product
from manybody.errors import InputError, NumericalError
from manybody.numerics.dense_exponential import (
    MOST_CHOSEN,
    DenseExponential,
    exponential_is_cheaper,
)
from manybody.numerics.growth import (
    LARGEST_NORM,
    Overflow,
    block_norms,
    check_norms,
    overflow_sentence,
)
from manybody.numerics.protocols import (
    Bounds,
    Operator,
    Ownership,
    Segment,
    Solution,
    Stepper,
    applying,
    cut,
)

EPSILON = float(np.finfo(np.float64).eps)
# Largest δt of one series: beyond, its z^{1/3} overhead is 2 % and only the table grows.
_MAX_ARGUMENT = 4000.0
MAX_APPLICATIONS = 1e8
# Numbers of segments that are tried, and widths δ relative to the spectrum.
_COUNTS = np.unique(np.round(1.25 ** np.arange(0, 90)))
_WIDTHS = 1.0 + np.geomspace(1e-3, 15.0, 64)
# With so manieth, both ends among them, one knows whether a series is long.
_FEW = 9
# Growth of the φ_k that is accepted whatever the tolerance, and what an outline adds:
# the growth it predicts exceeded the measured one tenfold to a thousandfold.
_ACCEPTED_GROWTH = 5.0
_OUTLINE_SLACK = float(np.log(50.0))
# Vectors φ_k that are summed by one product, as long as they fit into 16 MB.
# Part of the result's bits: their number depends on the size of a sample alone.
_MOST_VECTORS, _VECTOR_ELEMENTS = 16, 1 << 20


class Chebyshev(Stepper):
    """Chebyshev propagation to a tolerance.

    Parameters
    ----------
    tolerance : float or None, default None
        The Frobenius-norm error of every state that is aimed for, in [1e-13, 0.01]; None takes
        that of the call.

    Raises
    ------
    InputError
        The tolerance is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    A series e^{Lt} = Σ_k c_k(t) φ_k for all output times of a segment; docs/physics.md section 5.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> run = mb.compare(model, bath, [0.0, 10.0], stepper=mb.Chebyshev(1e-6))
    >>> run.certificate.stepper_error < 1e-5
    True
    """

    name = "chebyshev"
    relative_applications = 1.0

    def vectors(self, n_sites: int, n_times: int) -> float:
        """Vectors of the size of ρ in the ring of φ_k."""
        return float(ring_length(n_sites, n_times))

    def chosen(self, bounds: Bounds, times: Real, dimension: int) -> list[Stepper]:
        """Exponentials of matrices for few levels whose series would be long, itself otherwise.

        See `dense_exponential.exponential_is_cheaper`.
        """
        if dimension > MOST_CHOSEN:
            return super().chosen(bounds, times, dimension)
        dense = DenseExponential(self.tolerance)
        needed = applications_of_series(bounds, times, self.tolerance, _FEW)
        # What never ends is refused, since units are wrong then and not the stepper.
        return [
            dense
            if count <= MAX_APPLICATIONS and exponential_is_cheaper(dimension, times, count)
            else self
            for count in needed
        ]

    def stacks(self, bounds: Bounds, times: Real) -> list[NDArray[np.intp]]:
        """Samples of equal numbers of segments, the longest series first.

        A sample's numbers never depend on the others, so neither do its bits.
        """
        counts = self._counts(bounds, times)
        order = np.argsort(-bounds.spectral_box[:, 0], kind="stable")
        return [order[counts[order] == count] for count in np.unique(counts)]

    def segments(self, bounds: Bounds, times: Real, most: float = np.inf) -> list[Segment]:
        """As many equal segments as the most demanding sample wants.

        Parameters
        ----------
        bounds : Bounds
            Where the spectra of the samples lie, `spectral_box`.
        times : (T,) array
            Output times in 1/J.
        most : float, default inf
            Applications of one segment, where shorter ones exist.

        Raises
        ------
        InputError
            All of them take more than MAX_APPLICATIONS.
        """
        return cut(times, float(times[-1]) / int(self._counts(bounds, times, most).max()))

    def _counts(self, bounds: Bounds, times: Real, most: float = np.inf) -> NDArray[np.int64]:
        """(samples,) number of segments with the fewest applications for each sample."""
        last = float(times[-1])
        if last == 0.0:
            return np.ones(len(bounds.spectral_box), dtype=np.int64)
        chosen = [_fewest_segments(own, last, self.tolerance, most) for own in _points(bounds)]
        applications = max(needed for _, needed in chosen)
        if not applications <= MAX_APPLICATIONS:
            raise InputError(
                f"times up to {last:g} with a spectrum of half-width "
                f"{float(bounds.spectral_box[:, 0].max()):g} need about "
                f"{applications:.1e} applications, allowed are {MAX_APPLICATIONS:g}: "
                "are energies and times in the same units?"
            )
        return np.array([count for count, _ in chosen], dtype=np.int64)

    def advance(self, operator: Operator, state: Complex, segment: Segment) -> Solution:
        """One series for all output times of the segment and its end."""
        if segment.stop == segment.start:
            states = np.repeat(state[:, None], len(segment.times), axis=1)
            none = np.zeros(len(state), dtype=np.int64)
            return Solution(states, state.copy(), none, np.zeros(len(state)))
        solution = self._sum(operator, state, segment, _points(operator))
        norms = block_norms(state, operator.columns)
        if operator.spectral_outline is not None:
            unavoidable = 3.0 * _rounding(solution.applications, norms)
            bound = np.maximum(self.tolerance * segment.share, unavoidable)
            for sample in np.flatnonzero(~(solution.error_estimate <= bound)):
                self._repeat_carefully(operator, state, segment, int(sample), solution)
        # No digit is left.  Written so that nan is caught.
        if not np.all(solution.error_estimate <= norms):
            if not np.all(norms <= LARGEST_NORM):
                raise Overflow(overflow_sentence(norms.max(), segment.start, segment.stop))
            raise NumericalError(
                f"the Chebyshev series diverged between t = {segment.start:g} and "
                f"{segment.stop:g}: the spectrum lies outside its box"
            )
        after = block_norms(solution.final, operator.columns)
        check_norms(norms, after, segment.start, segment.stop)
        return solution

    def _sum(
        self, operator: Operator, state: Complex, segment: Segment, points: Complex
    ) -> Solution:
        """Recursion and sums for a stack; `points` (samples, P) choose the widths."""
        duration = segment.stop - segment.start
        times = np.array(segment.times) - segment.start
        ends_on_output = len(times) > 0 and segment.times[-1] == segment.stop
        if not ends_on_output:
            times = np.append(times, duration)
        allowed = self.tolerance * segment.share
        widths = np.array([_best_width(own, duration, self.tolerance) for own in points])
        growths = np.array([_growth(own, width) for own, width in zip(points, widths)])
        tables = bessel_table(widths[:, None] * times)
        series = [_truncate(*own, allowed) for own in zip(tables, growths)]
        terms = np.array([own.count for own in series], dtype=np.int64)

        n_samples = len(state)
        states = np.zeros((n_samples, len(times), *state.shape[1:]), dtype=np.complex128)
        sums = _Sums(states, series)
        length = ring_length(state.shape[1], len(times))
        # A ring: the first two of a block are made from the last two of the one before.
        phi = aligned_empty((length, *state.shape), np.complex128)
        scaled = operator.scaled(2.0 / widths)
        bound: dict[tuple[int, int], list[Call]] = {}
        # Samples up to the last one that still needs φ_k; others only grow, unused.
        live = np.zeros(terms.max(), dtype=np.intp)
        for sample, count in enumerate(terms):
            live[:count] = sample + 1
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, int(terms.max()), length):
                filled = min(length, int(terms.max()) - first)
                for slot in range(filled):
                    k = first + slot
                    few = slice(live[k])
                    if k == 0:
                        phi[slot] = state
                    elif k == 1:
                        scaled.apply(phi[slot - 1, few], phi[slot, few])
                        phi[slot, few] *= 0.5
                    else:
                        own = slot, int(live[k])
                        if own not in bound:
                            arrays = phi[slot - 1, few], phi[slot, few], phi[slot - 2, few]
                            bound[own] = applying(scaled, *arrays)
                        for call in bound[own]:
                            call()
                sums.add(phi[:filled], first)
        largest_norms, last_norms = sums.norms(operator.columns)
        tails = np.array([own.tail for own in series])
        # Memory for the copy of the last state.
        del phi, scaled, bound
        return Solution(
            states if ends_on_output else states[:, :-1],
            states[:, -1].copy(),
            terms - 1,
            tails * last_norms + _rounding(terms - 1, largest_norms),
        )

    def _repeat_carefully(
        self, operator: Operator, state: Complex, segment: Segment, sample: int, solution: Solution
    ) -> None:
        """Do one sample again with the width and the pieces that its box allows."""
        corner = _corners(operator)
        duration = segment.stop - segment.start
        count, needed = _fewest_segments(corner[sample], duration, self.tolerance)
        if needed > MAX_APPLICATIONS:
            # The estimate of the first attempt stands, and says what it is worth.
            return
        times = np.array([*segment.times, segment.stop]) - segment.start
        current, error, applications = state, 0.0, int(solution.applications[sample])
        states = []
        for piece in cut(times, duration / count):
            share = segment.share * piece.share
            part = self._sum(operator, current, replace(piece, share=share), corner)
            current, error = part.final, error + float(part.error_estimate[sample])
            applications += int(part.applications[sample])
            states.append(part.states[sample])
        solution.applications[sample] = applications
        if not error >= solution.error_estimate[sample]:
            solution.states[sample] = np.concatenate(states)[: len(segment.times)]
            solution.final[sample] = current[sample]
            solution.error_estimate[sample] = error


@dataclass(frozen=True, eq=False)
class _Series:
    """One truncated series: coefficients (T, count), and the weight of what is dropped.

    tail: sum of the |c_k| dropped, with their growth relative to the last term
    kept, so that its measured norm can stand for them.
    """

    coefficients: Real
    count: int
    tail: float


class _Sums:
    """Σ_k c_k(t) φ_k of every sample, block of vectors by block."""

    def __init__(self, states: Complex, series: list[_Series]) -> None:
        n_samples, n_times = states.shape[:2]
        self._sums = states.reshape(n_samples, n_times, -1).view(np.float64)
        self._series = series
        # The first terms serve all times; later ones only the later times.
        self._needed = [
            np.abs(own.coefficients[:, ::-1]).cumsum(axis=1)[:, ::-1] > 0.01 * EPSILON
            for own in series
        ]
        # ‖φ_k‖² as far as this rank knows.
        self._squares = np.zeros((n_samples, max(own.count for own in series)))

    def add(self, phi: Complex, first: int) -> None:
        """Add φ_first, φ_first+1, ...; phi: (vectors, samples, N, m)."""
        vectors = phi.reshape(*phi.shape[:2], -1).view(np.float64)
        for sample, own in enumerate(self._series):
            used = min(own.count - first, len(vectors))
            if used <= 0:
                continue
            mine = vectors[:used, sample]
            begin = int(np.argmax(self._needed[sample][:, first]))
            weights = np.ascontiguousarray(own.coefficients[begin:, first : first + used])
            sums = self._sums[sample, begin:]
            product(weights, np.ascontiguousarray(mine), sums, add=True)
            self._squares[sample, first : first + used] = np.einsum("ki,ki->k", mine, mine)

    def norms(self, columns: Ownership) -> tuple[Real, Real]:
        """(samples,) largest ‖φ_k‖ of each series, and that of its end."""
        norms = np.sqrt(columns.total(self._squares))
        # Two, since every other φ_k may vanish by symmetry.
        last = [
            own[series.count - 2 : series.count].max() for own, series in zip(norms, self._series)
        ]
        return norms.max(axis=1), np.array(last)


def ring_length(n_sites: int, n_times: int) -> int:
    """Vectors φ_k of N x N elements that are kept and summed together.

    Long rings save passes over the states of all times, and cost memory beside theirs.
    """
    return max(3, min(_MOST_VECTORS, max(_VECTOR_ELEMENTS // n_sites**2, n_times // 10)))


def _rounding(applications: NDArray[np.int64], norms: Real) -> Real:
    """Rounding of a recursion whose vectors reach `norms`."""
    return EPSILON * norms * (11.0 + applications)


def _points(bounds: Bounds) -> Complex:
    """(samples, P) where the spectrum ends, |Re λ| + i |Im λ|: the outline, or the box."""
    outline = bounds.spectral_outline
    return _corners(bounds) if outline is None else outline


def _corners(bounds: Bounds) -> Complex:
    """(samples, 1) the corner of the spectral box."""
    box = bounds.spectral_box[:, :, None]
    corners: Complex = np.maximum(-box[:, 1], box[:, 2]) + 1j * box[:, 0]
    return corners


@lru_cache(maxsize=4096)
def _growths(points: bytes, floor: float) -> Real:
    """`_growth` for the widths that are tried: samples are asked several times while planned."""
    growths: Real = _growth(np.frombuffer(points, dtype=np.complex128), floor * _WIDTHS)
    growths.flags.writeable = False
    return growths


def _growth(points: Complex, width: float | Real) -> Any:
    """log |φ_{k+1}/φ_k| of the worst of the points, scaled by `width` (a number or an array).

    With w = λ/δ the φ_k grow like |w + √(w² + 1)|^k off the interval [−i, i], fastest
    near its ends: room between |Im λ| and δ is what keeps them small.
    """
    w = points / np.asarray(width)[..., None]
    return np.abs(np.log(np.abs(w + np.sqrt(w * w + 1.0)))).max(axis=-1)


def applications_of_series(bounds: Bounds, times: Real, tolerance: float, every: int = 1) -> Real:
    """(samples,) applications that all segments of each sample are forecast to take.

    every: so manieth width is tried.
    """
    last, points = float(times[-1]), _points(bounds)
    if last == 0.0:
        return np.zeros(len(points))
    needed = [_fewest_segments(own, last, tolerance, every=every)[1] for own in points]
    return np.array(needed)


def series_terms(z: Real, tolerance: float) -> Real:
    """About how many terms, and applications, a series of argument z = δt has."""
    terms: Real = z + 3.0 * np.log10(1.0 / tolerance) ** (2.0 / 3.0) * z ** (1.0 / 3.0) + 4.0
    return terms


def _allowed_growth(points: Complex, tolerance: float) -> float:
    """log of the growth that carries the rounding of some 500 terms to the tolerance."""
    slack = _OUTLINE_SLACK if len(points) > 1 else 0.0
    return slack + max(_ACCEPTED_GROWTH, float(np.log(tolerance / (500.0 * EPSILON))))


def _candidates(points: Complex, duration: float, every: int = 1) -> tuple[Real, Real]:
    """Widths worth trying for a spectrum, or some of them, and the growth with each."""
    floor = max(float(points.imag.max()), float(points.real.max()), 1e-3 / duration)
    return floor * _WIDTHS[::every], _growths(points.tobytes(), floor)[::every]


def _best_width(points: Complex, duration: float, tolerance: float) -> float:
    """Width δ with the fewest terms whose growth leaves rounding below the tolerance."""
    widths, growth = _candidates(points, duration)
    terms = series_terms(widths * duration, tolerance)
    terms[growth * terms > _allowed_growth(points, tolerance)] = np.inf
    return float(widths[np.argmin(terms)])


def _fewest_segments(
    points: Complex, last: float, tolerance: float, most: float = np.inf, every: int = 1
) -> tuple[int, float]:
    """Number of equal segments with the fewest terms over all, and their number.

    most: terms of one segment, ignored where no segment is as short; every: so manieth width
    is tried.  Infinitely many terms when even the shortest segments would not do.
    """
    widths, growth = _candidates(points, last, every)
    z = widths * (last / _COUNTS)[:, None]
    terms = series_terms(z, tolerance)
    forbidden = growth * terms > _allowed_growth(points, tolerance)
    terms[forbidden | (z > _MAX_ARGUMENT)] = np.inf
    fewest = terms.min(axis=1)
    if (fewest <= most).any():
        fewest[fewest > most] = np.inf
    total = _COUNTS * fewest
    best = int(np.argmin(total))
    return int(_COUNTS[best]), float(total[best])


def _truncate(table: Real, growth: float, allowed: float) -> _Series:
    """The terms that matter of a table c_k(t) (T, K), weighed with their growth."""
    exponent = np.minimum(growth * np.arange(table.shape[1]), 600.0)
    weights = np.abs(table).max(axis=0) * np.exp(exponent)
    # Sum from the end: what is left out if the series stops after k terms.
    left_out = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
    count = max(2, int(np.argmax(left_out <= max(0.1 * allowed, 10.0 * EPSILON))))
    # The last vectors stand for those dropped; in a short series they may still grow
    # faster than in the long run (twice, in 881 random cases).
    tail = 4.0 * float(left_out[count] * np.exp(-exponent[count - 1]))
    return _Series(table[:, :count], count, tail)


def bessel_table(arguments: Real) -> Real:
    """c_k(z) = (2 − δ_k0) J_k(z) for all k until they vanish to rounding.

    Downward recurrence J_{k−1} = (2k/z) J_k − J_{k+1} for all z at once, from where
    J_k is negligible, normalised by J_0 + 2 Σ J_2k = 1 (Miller's algorithm).
    arguments: (..., T) z >= 0 -> (..., T, K).
    """
    # One more column than asked for: sum() adds row by row only when there are several,
    # and the bits of one must not depend on the others.
    shape, z = arguments.shape, np.append(arguments.ravel(), 1.0)
    # Below this J_0 = 1, J_1 = z/2 and the rest is far under rounding.
    tiny = z < 1e-8
    safe = np.where(tiny, 1.0, z)
    starts = (safe + 14.0 * safe ** (1.0 / 3.0) + 22.0).astype(np.intp)
    n_terms = int(starts.max()) + 1
    by_start: dict[int, list[int]] = {}
    for index, start in enumerate(starts):
        by_start.setdefault(int(start), []).append(index)
    table = np.zeros((n_terms + 1, z.size))
    factors = (2.0 / safe) * np.arange(n_terms)[:, None]
    rows, scales = list(table), list(factors)
    for k in range(n_terms - 1, 0, -1):
        if k in by_start:
            table[k, by_start[k]] = 1e-250
        np.multiply(rows[k], scales[k], rows[k - 1])
        np.subtract(rows[k - 1], rows[k + 1], rows[k - 1])
    table /= table[0] + 2.0 * table[2::2].sum(axis=0)
    table[1:] *= 2.0
    table[:, tiny] = 0.0
    table[0, tiny], table[1, tiny] = 1.0, z[tiny]
    return np.ascontiguousarray(table[:n_terms, :-1].T).reshape(*shape, n_terms)
