"""Gauss-Legendre panels that shrink towards singularities, for integrands known to have them.

A panel is never longer than its distance to the nearest singularity, so that 24 nodes
resolve the integrand to rounding there, in its values (error below 4.2^−48) and as a
polynomial (4.2^−24), however narrow a resonance or a thermal step is.  The number of panels
grows with the logarithm of the narrowest scale, and errors are relative to ∫|integrand|.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from numpy.typing import NDArray
from scipy import special

from manybody.arrays import Complex, Real


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
        offset: Real = self.centres[:, None] + self.halves[:, None] * leggauss(self.nodes)[0]
        return offset

    @property
    def omega(self) -> Real:
        """(P, K) nodes."""
        return self.anchors[:, None] + self.offset

    @property
    def weights(self) -> Real:
        """(P, K)."""
        weights: Real = self.halves[:, None] * leggauss(self.nodes)[1]
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
        points, weights = leggauss(self.nodes)
        orders = np.arange(self.nodes)
        to_series = (orders[:, None] + 0.5) * legvander(points, self.nodes - 1).T * weights
        bessel = special.spherical_jn(orders, (self.halves * time)[:, None])
        phases = np.exp(1j * (self.anchors + self.centres) * time)
        moments = (2.0 * self.halves * phases)[:, None] * 1j**orders * bessel
        result: Complex = moments @ to_series
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
    gaps = np.diff(cuts)
    anchors = np.stack([cuts[:-1], cuts[1:]], axis=1).ravel()
    lower = np.stack([np.zeros_like(gaps), 0.5 * gaps - gaps], axis=1).ravel()
    upper = np.stack([0.5 * gaps, np.zeros_like(gaps)], axis=1).ravel()
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
        middle = 0.5 * (lower + upper)[~good]
        anchors = np.repeat(anchors[~good], 2)
        lower = np.stack([lower[~good], middle], axis=1).ravel()
        upper = np.stack([middle, upper[~good]], axis=1).ravel()
    anchors, lower, upper = (np.concatenate(part) for part in zip(*done))
    return Rule(anchors, 0.5 * (lower + upper), 0.5 * (upper - lower), nodes)
