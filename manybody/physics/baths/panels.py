"""Functions on panels of the real line as polynomials, and their integral transforms.

The principal values of Lamb shifts, P∫ w(x)/(ω − x) dx (docs/physics.md sections 2 and 6),
have integrands with edges, cusps and thermal steps of any width.  Panels are halved until a
Legendre series of 16 terms resolves w on each.  With z = (ω − centre)/half-width a panel gives

  far away     Σ_i g_i w_i / (z − t_i), the Gauss rule,
  outside      the same + p(z) [L − Σ_i g_i / (z − t_i)], L = ln|(z + 1)/(z − 1)|,
  inside       Σ_n c_n [P_n(z) L − W_n(z)], W_n(z) = ∫ (P_n(z) − P_n(t))/(z − t) dt,

exactly for a polynomial p = Σ c_n P_n of degree 15: (p(t) − p(z))/(z − t) has degree 14, and
P_n and W_n obey the recurrence of the Legendre functions.
"""

import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.quadrature import bisected, from_both_ends, gauss, to_series

# Values at anchor + offset: next to an anchor the offset has all digits, the sum has not.
Function = Callable[[Real, Real], Real]

_NODES = 16
_RESOLVED = 1e-14
# What is this much smaller than the largest value, or than the whole integral, is nothing.
_NOTHING = 1e-18
# Beyond this |z| the Gauss rule has no error left: ρ^-33, ρ = z + √(z² − 1).
_FAR = 1.8
# Doublings of the distance looked at together on the way out, and how often.
_AHEAD = np.arange(1.0, 9.0)
_OUTWARD_STEPS = 56
_MOST_PANELS = 20_000
_SMALLEST = 1e-290
_AT_ONCE = 4096
# Panels times frequencies times nodes at once: for few frequencies many panels.
_ELEMENTS = 1 << 14
# A mismatch of neighbouring polynomials beyond this share is a step of the function.
_STEP = 1e-6
_ROUNDING = float(np.finfo(np.float64).eps)
# Of a term of a transform: a logarithm, a difference, a product, the value of a series.
_ROUNDINGS = 8.0


class Panels:
    """A function w on the real line, as a Legendre series on each of many panels.

    function: w(anchor, offset), arrays of equal shape, finite inside the panels.  points: all
    places where w is not smooth, support ends among them, ±inf where it has no end and w
    decays.  noise: relative error of the sum anchor + offset that w feels; precision: that of
    w itself.  scales: further places, ignored outside, where w changes its scale.  Raises
    ValueError where w is not finite, does not decay or is not resolved by 20 000 panels.
    """

    def __init__(
        self,
        name: str,
        function: Function,
        points: Iterable[float],
        noise: float = 0.0,
        precision: float = 0.0,
        scales: Iterable[float] = (),
    ) -> None:
        self._name, self._function = name, function
        self._noise, self._resolved = noise, max(_RESOLVED, precision)
        self.scale = 0.0
        ends = np.unique(np.array(list(points), dtype=np.float64))
        sizes = np.unique(np.array(list(scales), dtype=np.float64))
        # Rounding apart from a point it would only add a ladder of panels down to that gap.
        apart = np.abs(sizes[:, None] - ends) > 16.0 * _ROUNDING * np.abs(sizes[:, None])
        between = (sizes > ends[0]) & (sizes < ends[-1])
        ends = np.unique(np.concatenate([ends, sizes[between & apart.all(axis=1)]]))
        self._open = (ends[0] == -np.inf, ends[-1] == np.inf)
        self._resolve(*self._first(ends))

    def principal_value(self, omega: ArrayLike) -> Real:
        """P∫ w(x)/(ω − x) dx, same shape as `omega`; ±inf at a step of w.

        About 16 divisions per panel and frequency.
        """
        omega = np.asarray(omega, dtype=np.float64)
        flat = omega.ravel()
        result = np.empty(flat.shape)
        for first in range(0, flat.size, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            result[some] = self._transform(flat[some])
        return result.reshape(omega.shape)[()]

    def principal_value_error(self, omega: ArrayLike) -> Real:
        """Estimated error of `principal_value`, same shape as `omega`.

        How far it is from the value on panels half as wide, what neighbouring polynomials
        that differ at their border leave of its logarithm, rounding of the terms that are
        added up, and rounding or the precision of w.  0 where infinite.
        """
        omega = np.asarray(omega, dtype=np.float64)
        value = self.principal_value(omega)
        error = self._resolved * (np.abs(value) + self.scale)
        error += _ROUNDINGS * _ROUNDING * self._size_of_terms(omega.ravel()).reshape(omega.shape)
        for index in np.flatnonzero(self._fall == 0.0).tolist():
            logarithm = self._border(index, omega)[1]
            reach = np.log(self._nearest[index]) - np.log(1e-20)
            error += self._mismatch[index] * np.maximum(reach - logarithm, 0.0)
        with np.errstate(invalid="ignore"):
            error += np.abs(value - self._halved.principal_value(omega))
        return np.where(np.isfinite(value), error, 0.0)[()]

    def fourier(self, time: ArrayLike) -> NDArray[np.complex128]:
        """∫ w(x) e^{−ixt} dx, same shape as `time`; absolute error about 1e-14 ∫|w|.

        ∫ P_n(z) e^{−iτz} dz over [−1, 1] is 2 (−i)^n j_n(τ).
        """
        time = np.asarray(time, dtype=np.float64)
        flat = time.ravel()
        total = np.zeros(flat.shape, dtype=np.complex128)
        orders = np.arange(_NODES)
        for anchor, centre, half, series in zip(
            self._anchor, self._centre, self._half, self._series
        ):
            scaled = half * np.abs(flat)
            from scipy.special import spherical_jn  # which takes long to import

            bessel = spherical_jn(orders[:, None], scaled)
            phase = np.exp(-1j * (anchor + centre) * np.abs(flat))
            total += 2.0 * half * phase * ((series * (-1j) ** orders) @ bessel)
        return np.where(flat < 0.0, total.conj(), total).reshape(time.shape)[()]

    @property
    def borders(self) -> Real:
        """(panels + 1,) where they meet and end, ascending; those of one place to rounding too."""
        return np.maximum.accumulate(self._border_anchors + self._borders)

    @property
    def has_steps(self) -> bool:
        """Whether w jumps somewhere."""
        return bool(self._fall.any())

    @cached_property
    def integral(self) -> float:
        """∫ w(x) dx."""
        return float(2.0 * self._half @ self._series[:, 0])

    def fourier_error(self, time: ArrayLike) -> Real:
        """What a support without end leaves out of `fourier`: w min(X, 1/|t|) where it is cut."""
        time = np.abs(np.asarray(time, dtype=np.float64))
        error = np.zeros(time.shape)
        for index in (0, -1):
            if self._open[index]:
                cut = abs(self._border_anchors[index] + self._borders[index])
                error += np.abs(self._values[index]).max() / np.maximum(1.0 / cut, time)
        return error[()]

    # ---- panels

    def _first(self, points: Real) -> tuple[Real, Real, Real]:
        """(anchors, lower and upper ends as offsets): halves next to their points, growing.

        Neighbours differ by at most a factor of three in width, or a scale set by one point
        would be lost in a wide panel next to it.
        """
        finite = points[np.isfinite(points)]
        if not finite.size:
            finite = np.zeros(1)
        anchors, lower, upper = from_both_ends(finite)
        while True:
            width = upper - lower
            beside = np.full(width.shape, np.inf)
            beside[1:] = width[:-1]
            beside[:-1] = np.minimum(beside[:-1], width[1:])
            wide = width > 3.0 * beside
            if not wide.any():
                break
            anchors, lower, upper = bisected(anchors, lower, upper, wide)
        width = upper - lower
        if width.size:
            self.scale = float(np.abs(self._evaluate(anchors, lower, upper)).max())
        unit = max(1.0, float(np.abs(finite).max()))
        parts = [(anchors, lower, upper)]
        if self._open[0]:
            ends = self._outwards(finite[0], -(width[0] if width.size else unit))
            parts.insert(0, (np.full(len(ends) - 1, finite[0]), ends[:0:-1], ends[-2::-1]))
        if self._open[1]:
            ends = self._outwards(finite[-1], width[-1] if width.size else unit)
            parts.append((np.full(len(ends) - 1, finite[-1]), ends[:-1], ends[1:]))
        anchors, lower, upper = (np.concatenate(part) for part in zip(*parts))
        return anchors, lower, upper

    def _outwards(self, anchor: float, unit: float) -> Real:
        """Ends, as offsets, of panels that double from `unit` to where w counts no more."""
        ends, sizes = np.zeros(1), np.zeros(0)
        for _ in range(_OUTWARD_STEPS):
            # A few at a time: far out a user's function may overflow.
            more = np.append(ends[-1:], unit * (np.exp2(len(sizes) + _AHEAD) - 1.0))
            lower, upper = np.minimum(more[:-1], more[1:]), np.maximum(more[:-1], more[1:])
            values = self._evaluate(np.full(len(lower), anchor), lower, upper)
            sizes = np.append(sizes, np.abs(values).max(axis=1))
            ends = np.append(ends, more[1:])
            self.scale = max(self.scale, float(sizes.max()))
            if sizes[-len(_AHEAD) :].max() <= _NOTHING * self.scale:
                counts = np.flatnonzero(sizes > _NOTHING * self.scale)
                return ends[: (counts[-1] + 2 if counts.size else 2)]
        raise InputError(
            f"{self._name} does not decay towards {math.copysign(math.inf, unit)}: it has no "
            "principal value"
        )

    def _evaluate(self, anchors: Real, lower: Real, upper: Real) -> Real:
        """(panels, 16) w at the Gauss nodes."""
        offsets = (
            0.5 * (lower + upper)[:, None] + 0.5 * (upper - lower)[:, None] * gauss(_NODES)[0]
        )
        spread = np.broadcast_to(anchors[:, None], offsets.shape)
        values = self._function(spread, offsets)
        wrong = ~np.isfinite(values)
        if wrong.any():
            place = float((spread + offsets)[wrong][0])
            raise InputError(f"{self._name} is {values[wrong][0]} at omega = {place:g}")
        return values

    def _resolve(self, anchors: Real, lower: Real, upper: Real) -> None:
        """Halve panels until a series resolves each."""
        values = self._evaluate(anchors, lower, upper)
        whole = float(((upper - lower) * np.abs(values).max(axis=1)).sum())
        done: list[tuple[Real, ...]] = []
        count = 0
        while anchors.size:
            series = values @ to_series(_NODES).T
            tail = np.abs(series[:, -2:]).max(axis=1)
            size = np.abs(values).max(axis=1)
            width = upper - lower
            allowed = self._resolved * np.maximum(size, self.scale)
            if self._resolved == _RESOLVED and self._noise == 0.0:
                # A branch point: what is left of it multiplies a large logarithm.
                allowed[tail > 1e-6 * size] = 1e-3 * _RESOLVED * self.scale
            allowed += self._noise * np.abs(anchors) * np.ptp(values, axis=1) / width
            good = (tail <= allowed) | (width <= _SMALLEST)
            # An integrable singularity, where values grow without end.
            good |= (size > self.scale) & (width * size <= _NOTHING * whole)
            done.append((anchors[good], lower[good], upper[good], values[good], series[good]))
            count += int(good.sum())
            bad = ~good
            if count + 2 * int(bad.sum()) > _MOST_PANELS:
                place = float((anchors + 0.5 * (lower + upper))[bad][0])
                raise InputError(
                    f"{self._name} is not resolved near omega = {place:g}: it needs breakpoints "
                    "where it is not smooth, or is known to fewer digits than stated"
                )
            anchors, lower, upper = bisected(
                anchors[bad], lower[bad], upper[bad], np.ones(int(bad.sum()), bool)
            )
            values = self._evaluate(anchors, lower, upper)
        self._arrange(*(np.concatenate(parts) for parts in zip(*done)))

    def _arrange(
        self, anchors: Real, lower: Real, upper: Real, values: Real, series: Real
    ) -> None:
        # By anchor, then by offset: panels of one anchor lie on both sides of it, side by side.
        order = np.lexsort([lower, anchors])
        self._anchor, self._values = anchors[order], values[order]
        self._lower, self._upper = lower[order], upper[order]
        self._series = series[order]
        self._centre = 0.5 * (self._lower + self._upper)
        self._half = 0.5 * (self._upper - self._lower)
        # One description of every border, or its logarithms in two panels would not cancel.
        self._borders = np.append(self._lower, self._upper[-1:])
        self._border_anchors = np.append(self._anchor, self._anchor[-1:])
        signs = (-1.0) ** np.arange(_NODES)
        left, right = self._series @ signs, self._series.sum(axis=1)
        fall = np.append(0.0, right) - np.append(left, 0.0)
        self._mismatch = np.abs(fall)
        self._fall = np.where(self._mismatch > _STEP * self.scale, fall, 0.0)
        # A continuous w has no logarithm at a border: this keeps its two parts from being
        # infinite.  At a step the value is set afterwards.
        width = np.minimum(np.append(self._half, np.inf), np.append(np.inf, self._half))
        self._nearest = np.where(self._fall == 0.0, 1e-20 * width, np.finfo(float).tiny)

    @cached_property
    def _halved(self) -> "Panels":
        """The same function on panels half as wide."""
        other = object.__new__(Panels)
        other._name, other._function = self._name, self._function
        other._noise, other._resolved, other.scale = self._noise, self._resolved, self.scale
        ends = bisected(self._anchor, self._lower, self._upper, np.ones(len(self._anchor), bool))
        values = other._evaluate(*ends)
        other._arrange(*ends, values, values @ to_series(_NODES).T)
        return other

    # ---- the transform

    def _transform(self, omega: Real) -> Real:
        total = np.zeros(omega.shape)
        steps = []
        weighted = gauss(_NODES)[1] * self._values
        at_once = max(1, _ELEMENTS // max(1, omega.size * _NODES))
        last = self._border((slice(0, 1), None), omega)
        for first in range(0, len(self._anchor), at_once):
            stop = min(first + at_once, len(self._anchor))
            # Of these panels, one a row: their borders, one more, and places seen from them.
            new = self._border((slice(first + 1, stop + 1), None), omega)
            distance, logarithm = (np.concatenate(pair) for pair in zip(last, new))
            last = distance[-1:], logarithm[-1:]
            inside = (distance[:-1] >= 0.0) & (distance[1:] < 0.0)
            z = self._place((slice(first, stop), None), omega)
            # Any place far away, for those that do not get the Gauss rule.
            z_far = np.where(inside, 2.0 * _FAR, z)
            kernel = z_far[..., None] - gauss(_NODES)[0]
            np.divide(1.0, kernel, out=kernel)
            is_near = (np.abs(z) < _FAR) | inside
            has_near = np.logical_or.reduce(is_near, axis=1)
            for index in range(first, stop):
                k = index - first
                mine = kernel[k]
                own = mine @ weighted[index]
                if has_near[k]:
                    near = np.flatnonzero(is_near[k])
                    span = logarithm[k, near] - logarithm[k + 1, near]
                    value, rest = series_and_rest(self._series[index], z[k, near])
                    outside = own[near] + value * (span - mine[near] @ gauss(_NODES)[1])
                    own[near] = np.where(inside[k, near], value * span - rest, outside)
                total += own
                if self._fall[index] != 0.0:
                    steps.append((distance[k] == 0.0, self._fall[index]))
        if self._fall[-1] != 0.0:
            steps.append((distance[-1] == 0.0, self._fall[-1]))
        for here, fall in steps:
            total[here] = np.copysign(np.inf, fall)
        return total

    def _place(self, index: Any, omega: Real) -> Real:
        """z of each ω seen from a panel; infinitely many widths away the kernel is zero."""
        with np.errstate(over="ignore"):
            place: Real = ((omega - self._anchor[index]) - self._centre[index]) / self._half[index]
            return place

    def _size_of_terms(self, omega: Real) -> Real:
        """Sum of the sizes of what `_transform` adds up, of which each is rounded."""
        total = np.zeros(omega.shape)
        logarithm = np.abs(self._border(0, omega)[1])
        for index in range(len(self._anchor)):
            next_logarithm = np.abs(self._border(index + 1, omega)[1])
            z = self._place(index, omega)
            largest = np.abs(self._values[index]).max()
            # Σ_i g_i / |z − t_i| outside, and what is below a width away about that at 1.
            total += 2.0 * largest / np.maximum(np.abs(z), 1.0)
            near = np.abs(z) < _FAR
            total[near] += largest * (logarithm + next_logarithm)[near]
            logarithm = next_logarithm
        return total

    def _border(self, index: Any, omega: Real) -> tuple[Real, Real]:
        """(ω − border, ln of its size)."""
        distance = (omega - self._border_anchors[index]) - self._borders[index]
        with np.errstate(divide="ignore"):
            return distance, np.log(np.maximum(np.abs(distance), self._nearest[index]))


def series_and_rest(series: Real, z: Real) -> tuple[Real, Real]:
    """Σ c_n P_n(z) and Σ c_n W_n(z); series: (n,) of all, or (n, points), a series a point."""
    before, now = np.zeros_like(z), np.ones_like(z)
    rest_before, rest_now = np.zeros_like(z), np.zeros_like(z)
    value, rest = np.zeros_like(z), np.zeros_like(z)
    for n, coefficient in enumerate(series):
        value += coefficient * now
        rest += coefficient * rest_now
        factor: Any = (2 * n + 1) / (n + 1)
        share = n / (n + 1)
        before, now = now, factor * z * now - share * before
        rest_next = factor * z * rest_now - share * rest_before
        rest_before, rest_now = rest_now, rest_next + (2.0 if n == 0 else 0.0)
    return value, rest
