"""Derivatives of the one-sided rates Γ(ω) = γ/2 + iη of a bath, whatever it is made of.

A perturbation that moves Bohr frequencies changes the rates (LRL section III C).  Baths know
γ and η only, so the derivative is that of an interpolant: polynomials at 17 Chebyshev points
on shrinking intervals, until two of them agree.  A kink, as of an Ohmic bath at ω = 0, is
seen by the derivatives from both sides.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander
from numpy.typing import NDArray

from manybody.physics.couplings import PowerSpectrum

Real = NDArray[np.float64]

_DEGREE = 16
# Intervals of half-width scale, scale/2, ..., no less than 1e-5 of it: rounding is then 1e-10.
_HALVINGS = 17
# Disagreement allowed, in units of the largest |Γ| over the half-width.
_AGREEMENT = 1e-11
_KINK = 1e-9


def rate_derivative(bath: PowerSpectrum, omega: float, lamb_shift: bool, scale: float) -> complex:
    """dΓ/dω at one frequency, about 1e-12 of Γ over the width of its features.

    scale: > 0, the widest interval looked at, as the width of the spectrum.  Raises ValueError
    where Γ has no derivative, or features narrower than 1e-5 of the scale.
    """
    before = None
    for halving in range(_HALVINGS):
        half_width = scale * 0.5**halving
        values = [
            _one_sided(bath, omega + half_width * points, lamb_shift)
            for points in (_points(), 0.5 * (_points() - 1.0), 0.5 * (_points() + 1.0))
        ]
        if not all(np.all(np.isfinite(value)) for value in values):
            before = None
            continue
        centre, left, right = (
            weights @ value / half_width for weights, value in zip(_weights(), values)
        )
        unit = max(float(np.abs(value).max()) for value in values) / half_width
        smooth = abs(left - right) <= _KINK * unit
        if smooth and before is not None and abs(centre - before) <= _AGREEMENT * unit:
            return complex(before)
        before = centre
    raise ValueError(
        f"the rate of a bath has no derivative at ω = {omega:g}, or one that is not seen at "
        f"{scale * 0.5**_HALVINGS:.1e}: a perturbation that moves this frequency has no linear "
        "response"
    )


def _one_sided(bath: PowerSpectrum, omega: Real, lamb_shift: bool) -> NDArray[Any]:
    half: NDArray[Any] = 0.5 * np.asarray(bath.gamma(omega))
    return half + 1j * np.asarray(bath.eta(omega)) if lamb_shift else half


@cache
def _points() -> Real:
    """Chebyshev points of the first kind in (−1, 1)."""
    return np.asarray(chebpts1(_DEGREE + 1))


@cache
def _weights() -> tuple[Real, Real, Real]:
    """Weights of the values at the points of [−1, 1], [−1, 0] and [0, 1] for the slope at 0."""
    degrees = np.arange(_DEGREE + 1)
    interpolation = np.linalg.inv(chebvander(_points(), _DEGREE))
    at_centre = degrees * np.sin(0.5 * np.pi * degrees)
    at_right = degrees**2.0
    at_left = -((-1.0) ** degrees) * degrees**2.0
    # An interval half as wide has twice the slope.
    return at_centre @ interpolation, 2.0 * at_right @ interpolation, 2.0 * at_left @ interpolation
