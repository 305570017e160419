"""Gauss-Legendre quadrature on panels: what every integral over energy here is made of.

`Rule` and `build_rule` are for integrands known to have singularities: a panel is never longer
than its distance to the nearest one, so that 24 nodes resolve the integrand to rounding there, in
its values (error below 4.2^−48) and as a polynomial (4.2^−24), however narrow a resonance or a
thermal step is.  The number of panels grows with the logarithm of the narrowest scale, and errors
are relative to ∫|integrand|.  `integrate` halves panels where it finds that they need it, many
of them at once.  Series on panels, and principal values by them, are in `baths/panels.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError

# Of `integrate`: nodes of a panel, points at once, and panels in all before giving up.
_NODES, _POINTS, _MOST_PANELS = 10, 4096, 200_000


@cache
def gauss(nodes: int) -> tuple[Real, Real]:
    """(n,) nodes and weights of the n-point Gauss-Legendre rule on [−1, 1], read-only."""
    points, weights = leggauss(nodes)
    for each in (points, weights):
        each.flags.writeable = False
    return points, weights


@cache
def to_series(nodes: int) -> Real:
    """(n, n) what takes values at the nodes to the coefficients of P_0 … P_{n−1}."""
    points, weights = gauss(nodes)
    matrix: Real = (np.arange(nodes)[:, None] + 0.5) * legvander(points, nodes - 1).T * weights
    matrix.flags.writeable = False
    return matrix


def bisected(
    anchors: Real, lower: Real, upper: Real, chosen: NDArray[np.bool_]
) -> tuple[Real, Real, Real]:
    """Panels from anchor + lower to anchor + upper, the chosen ones as their halves, in order."""
    times = np.where(chosen, 2, 1)
    first = np.cumsum(times) - times
    middle = 0.5 * (lower + upper)[chosen]
    anchors, lower, upper = (np.repeat(part, times) for part in (anchors, lower, upper))
    upper[first[chosen]] = middle
    lower[first[chosen] + 1] = middle
    return anchors, lower, upper


def from_both_ends(points: Real) -> tuple[Real, Real, Real]:
    """(anchors, lower, upper) of the two halves of every gap between ascending points.

    Each next to the point that it hangs on, from which its places have all digits.
    """
    gaps = np.diff(points)
    middle = 0.5 * gaps
    anchors = np.stack([points[:-1], points[1:]], axis=1).ravel()
    lower = np.stack([np.zeros_like(gaps), middle - gaps], axis=1).ravel()
    upper = np.stack([middle, np.zeros_like(gaps)], axis=1).ravel()
    return anchors, lower, upper


@dataclass(frozen=True, eq=False)
class Rule:
    """Nodes anchor + offset and weights on P panels of K nodes each.

    anchors: (P,); centres, halves: (P,) centre of each panel from its anchor, half its length.
    """

    anchors: Real
    centres: Real
    halves: Real
    nodes: int

    @property
    def offset(self) -> Real:
        """(P, K) of the nodes from their anchors, with all digits."""
        offset: Real = self.centres[:, None] + self.halves[:, None] * gauss(self.nodes)[0]
        return offset

    @property
    def omega(self) -> Real:
        """(P, K) nodes."""
        return self.anchors[:, None] + self.offset

    @property
    def weights(self) -> Real:
        """(P, K)."""
        weights: Real = self.halves[:, None] * gauss(self.nodes)[1]
        return weights

    def distance(self, point: float) -> Real:
        """(P, K) node − point, with all digits where the anchor is this point."""
        return (self.anchors - point)[:, None] + self.offset

    def integrate(self, values: NDArray[Any]) -> NDArray[Any]:
        """∫ values dω; (..., P, K) -> (...)."""
        integral: NDArray[Any] = np.einsum("...pk,pk->...", values, self.weights)
        return integral

    def fourier(self, values: NDArray[Any], time: float) -> Complex:
        """∫ values e^{iωt} dω, t >= 0; (..., P, K) -> (...)."""
        integral: Complex = np.einsum("...pk,pk->...", values, self.fourier_weights(time))
        return integral

    def fourier_weights(self, time: float) -> Complex:
        """(P, K) weights of `fourier`.

        Values are polynomials times e^{iωt}, ∫ P_n(z) e^{iτz} dz over [−1, 1] = 2 iⁿ j_n(τ): the
        error does not grow with t.
        """
        orders = np.arange(self.nodes)
        from scipy.special import spherical_jn  # which takes long to import

        bessel = spherical_jn(orders, (self.halves * time)[:, None])
        phases = np.exp(1j * (self.anchors + self.centres) * time)
        moments = (2.0 * self.halves * phases)[:, None] * 1j**orders * bessel
        result: Complex = moments @ to_series(self.nodes)
        return result


def build_rule(
    low: float,
    high: float,
    points: Iterable[float],
    singularities: Iterable[complex],
    smallest: float,
    nodes: int = 24,
) -> Rule:
    """Panels over [low, high], halved until none is longer than its distance to a singularity.

    points: where panels begin, those outside ignored; singularities: poles and branch points;
    panels that touch one on the real line are halved down to the length `smallest`.
    """
    cuts = np.unique([low, high, *(point for point in points if low < point < high)])
    anchors, lower, upper = from_both_ends(cuts)
    places = np.array(list(singularities), dtype=np.complex128)
    done = []
    while anchors.size:
        before = (places.real - anchors[:, None]) - upper[:, None]
        after = (anchors[:, None] - places.real) + lower[:, None]
        apart = np.maximum(np.maximum(before, after), 0.0)
        distance = np.hypot(apart, places.imag).min(axis=1, initial=np.inf)
        width = upper - lower
        good = (width <= distance) | ((distance == 0.0) & (width <= smallest))
        done.append((anchors[good], lower[good], upper[good]))
        bad = ~good
        every = np.ones(np.count_nonzero(bad), dtype=bool)
        anchors, lower, upper = bisected(anchors[bad], lower[bad], upper[bad], every)
    anchors, lower, upper = (np.concatenate(part) for part in zip(*done))
    return Rule(anchors, 0.5 * (lower + upper), 0.5 * (upper - lower), nodes)


def integrate(
    function: Callable[[Real], Complex], cuts: Real, tolerance: float
) -> tuple[Complex, float]:
    """∫ function over [cuts[0], cuts[-1]], (values,), and an estimate of its error.

    function: (P,) places -> (P, values); cuts: ascending, where panels begin; tolerance: absolute.
    A panel is done when its integral is the sum of those over its halves; those are kept.  The
    share of the tolerance that a panel may spend does not shrink with its length, since few
    panels at a time sit at an edge or a resonance.  Raises InputError where it does not converge.
    """
    left, right = cuts[:-1], cuts[1:]
    whole = _over_panels(function, left, right)
    result = np.zeros(whole.shape[1], dtype=np.complex128)
    error, spent = 0.0, 0
    while len(left):
        spent += len(left)
        middle = 0.5 * (left + right)
        first, second = (
            _over_panels(function, *ends) for ends in ((left, middle), (middle, right))
        )
        change = np.abs(first + second - whole).max(axis=1)
        # Panels too short to be halved have given all they can.
        tiny = right - left <= 1e-14 * (np.abs(cuts).max() + right - left)
        done = (change <= 0.01 * tolerance) | tiny
        result += (first + second)[done].sum(axis=0)
        error += float(change[done].sum())
        if spent > _MOST_PANELS:
            raise InputError(
                f"the quadrature still changes by {change[~done].sum():.2g} after {spent} panels "
                f"(tolerance {tolerance:g})"
            )
        left, middle, right = left[~done], middle[~done], right[~done]
        whole = np.concatenate([first[~done], second[~done]])
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return result, error


def _over_panels(function: Callable[[Real], Complex], left: Real, right: Real) -> Complex:
    """(P, values) integrals over each panel."""
    points, weights = gauss(_NODES)
    half = 0.5 * (right - left)
    omega = (0.5 * (left + right))[:, None] + half[:, None] * points
    sums = []
    step = _POINTS // _NODES
    for first in range(0, len(left), step):
        few = omega[first : first + step]
        values = function(few.ravel()).reshape(*few.shape, -1)
        sums.append(np.einsum("p,k,pkv->pv", half[first : first + step], weights, values))
    return np.concatenate(sums)
