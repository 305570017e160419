"""√γ(ω), and the Lamb shift of the universal Lindblad equation by quadrature.

f(p, q) = −(1/2π) P∫ dω/ω √γ(ω − p) √γ(ω + q) (Nathan and Rudner, Phys. Rev. B 102, 115109
(2020), their jump correlator; docs/physics.md section 11).  With u = ω − p and d = p + q

  f = (1/2π) P∫ du w(u) / (−p − u),  w(u) = √γ(u) √γ(u + d),

the transform of panels.py of a function that d alone decides.  Panels that resolve √γ and those
of √γ(· + d), which are the same moved by −d, have a common refinement on which w is resolved:
nothing is searched for, and all d of a spectrum are done side by side.
"""

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.baths.panels import Panels, series_and_rest
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.thermal import THERMAL_SCALES, QuadratureBath
from manybody.physics.baths.white import WhiteBath
from manybody.physics.quadrature import gauss, to_series
from manybody.physics.underflow import zero_where_tiny

# √γ is resolved by 16 terms, see panels.py; a product of two takes some more.
_NODES = 20
# Beyond this |z| the Gauss rule has no error left.
_FAR = 1.6
# Borders of both families of panels that are nearer than this, relative to where they are, are
# one.
_SAME = 8.0 * float(np.finfo(np.float64).eps)
# Of all of them: narrower panels are there for a branch point.
_FINE = 1e-9
# Of a width: nearer to a border its two logarithms, which cancel, are cut off.
_NEAREST = 1e-20
# A mismatch of neighbouring polynomials beyond this share of the largest value is a step.
_STEP = 1e-6
# Of one division, in elements at once: a near cache.
_AT_ONCE = 1 << 18
_ROUNDING = float(np.finfo(np.float64).eps)


class JumpCorrelator:
    """√γ of a bath, whose Fourier transform is the jump correlator, and f(p, q)."""

    def __init__(self, bath: Bath) -> None:
        self.bath = bath

    @zero_where_tiny
    def amplitude(self, omega: ArrayLike) -> Real:
        """√γ(ω) in √J, same shape as `omega`."""
        root: Real = np.sqrt(self.bath.gamma(omega))
        return root

    @zero_where_tiny
    def shifts(self, poles: Real, differences: Real) -> Real:
        """(1/2π) P∫ du √γ(u) √γ(u + d) / (x − u), many x of each d: (P, S), (P,) -> (P, S).

        That is f(−x, x + d), in J; f(−q, −p) = f(p, q), and f(−q, q) = η(q).  ±inf where a step
        of γ meets the pole.  Some 6 µs for every pole, at 90 panels.  Raises InputError where √γ
        does not decay or is not resolved.
        """
        # Of a constant γ the principal value is that of an even function.
        if self.bath.vanishes or isinstance(self.bath, WhiteBath):
            return np.zeros(poles.shape)
        result = np.empty(poles.shape)
        for some, borders in self._refined(poles, differences):
            result[some] = self._transform(poles[some], differences[some], borders)
        if self._is_fine:
            # A pole on √γ(u + d) at 0 is one on √γ(u) of the mirrored integral, f(p, q) =
            # f(−q, −p): next to 0 alone places have all digits.
            rows, columns = np.nonzero(poles == -differences[:, None])
            zeros, turned = np.zeros((len(rows), 1)), -differences[rows]
            for some, borders in self._refined(zeros, turned):
                values = self._transform(zeros[some], turned[some], borders)
                result[rows[some], columns[some]] = values[:, 0]
        return result / (2.0 * np.pi)

    @cached_property
    def _panels(self) -> Panels:
        edges = self.bath.edges if isinstance(self.bath, QuadratureBath) else (math.inf,)
        beta, scales = self.bath.beta, []
        if 0.0 < beta < math.inf:
            scales = [start + scale / beta for start in (0.0, *edges) for scale in THERMAL_SCALES]
            scales = [scale for scale in scales if scale < math.inf]
        return Panels(
            f"root of gamma of {self.bath!r}",
            lambda anchor, offset: self.amplitude(anchor + offset),
            [0.0, *edges, *(-edge for edge in edges)],
            # Next to 0 offsets are the frequencies themselves.
            noise=_ROUNDING if any(0.0 < edge < math.inf for edge in edges) else 0.0,
            precision=getattr(self.bath, "precision", 0.0),
            scales=[*scales, *(-scale for scale in scales)],
        )

    @cached_property
    def _borders(self) -> Real:
        return self._panels.borders

    @property
    def _is_fine(self) -> bool:
        """Whether √γ has a branch point, next to which panels shrink without end."""
        widths = np.diff(self._borders)
        return bool(widths.min() < _FINE * widths.sum())

    def _refined(self, poles: Real, differences: Real) -> Iterator[tuple[slice, Real]]:
        """Some d at a time, and the (P', panels + 1) borders that both √γ need."""
        own = self._borders
        each = 2 * len(own) * _NODES * max(2, poles.shape[1])
        step = max(1, _AT_ONCE // each)
        for first in range(0, len(poles), step):
            some = slice(first, first + step)
            moved = own - differences[some, None]
            both = np.sort(np.concatenate([np.broadcast_to(own, moved.shape), moved], 1), axis=1)
            apart = np.diff(both, axis=1) > _SAME * np.abs(both[:, 1:])
            # The first of those that are one, whose panels then have no width at all.
            both[:, 1:][~apart] = -np.inf
            yield some, np.maximum.accumulate(both, axis=1)

    def _transform(self, poles: Real, differences: Real, borders: Real) -> Real:
        """P∫ w(u) / (x − u) du, see panels.py."""
        left, right = borders[:, :-1], borders[:, 1:]
        half, centre = 0.5 * (right - left), 0.5 * (left + right)
        nodes = centre[:, :, None] + half[:, :, None] * gauss(_NODES)[0]
        values = self.amplitude(nodes) * self.amplitude(nodes + differences[:, None, None])
        weights = (values * gauss(_NODES)[1]) * half[:, :, None]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # From the left border, or a panel of a few roundings would lose its pole.  Nodes
            # that meet one are of panels which are done anew.
            distances = poles[:, :, None] - left[:, None]
            kernel = distances[..., None] - (half[:, :, None] * (1.0 + gauss(_NODES)[0]))[:, None]
            np.reciprocal(kernel, out=kernel)
            terms = np.einsum("psmn,pmn->psm", kernel, weights)
            places = distances / half[:, None] - 1.0
        terms[np.broadcast_to(half[:, None] == 0.0, terms.shape)] = 0.0
        near = np.nonzero(np.abs(places) < _FAR)
        which, _, panel = near
        series = np.ascontiguousarray(values[which, panel] @ to_series(_NODES).T).T
        z = places[near]
        own, rest = series_and_rest(series, z)
        span = self._spans(poles, borders)[near]
        inside = np.abs(z) <= 1.0
        outside = ~inside
        value = own * span - rest
        farther = tuple(index[outside] for index in near)
        unity = kernel[farther] @ gauss(_NODES)[1] * half[farther[0], farther[2]]
        value[outside] = terms[farther] + own[outside] * (span[outside] - unity)
        terms[near] = value
        total: Real = terms.sum(axis=2)
        return self._with_steps(total, poles, borders, values) if self._panels.has_steps else total

    def _spans(self, poles: Real, borders: Real) -> Real:
        """(P, S, panels) ln|(x − left) / (x − right)|."""
        distance = np.abs(poles[:, :, None] - borders[:, None])
        widths = np.diff(borders, axis=1)
        widths[widths == 0.0] = np.inf
        smallest = _NEAREST * widths.min(axis=1)
        logarithm = np.log(np.maximum(distance, smallest[:, None, None]))
        spans: Real = logarithm[:, :, :-1] - logarithm[:, :, 1:]
        return spans

    def _with_steps(self, total: Real, poles: Real, borders: Real, values: Real) -> Real:
        """±inf where a pole lies on a step of w."""
        signs = (-1.0) ** np.arange(_NODES)
        series = values @ to_series(_NODES).T
        first, last = series @ signs, series.sum(axis=2)
        for number, (own, start, stop) in enumerate(zip(borders, first, last)):
            kept = np.flatnonzero(np.diff(own) > 0.0)
            fall = np.append(0.0, stop[kept]) - np.append(start[kept], 0.0)
            steps = np.flatnonzero(np.abs(fall) > _STEP * self._panels.scale**2)
            places = np.append(own[kept], own[-1])
            for step in steps:
                here = poles[number] == places[step]
                total[number, here] = np.copysign(np.inf, fall[step])
        return total


def check_shifts(values: Real, bath: Bath) -> Real:
    """`values`.  Raises InputError where the Lamb shift is infinite."""
    if not np.isfinite(values).all():
        raise InputError(
            f"{bath!r}: a Bohr frequency lies on a step of γ, where the Lamb shift of the "
            "universal Lindblad equation is infinite"
        )
    return values
