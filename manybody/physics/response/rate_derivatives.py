"""Derivatives of the one-sided rates Γ(ω) = γ/2 + iη of a bath, whatever it is made of.

A perturbation that moves Bohr frequencies changes the rates (LRL section III C).  Baths know
γ and η only, so the derivative is that of an interpolant: polynomials at 17 Chebyshev points
on shrinking intervals, until two of them agree.  A kink, as of an Ohmic bath at ω = 0, is
seen by the derivatives from both sides.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics.fock.couplings import PowerSpectrum

_DEGREE = 16
# Intervals of half-width scale, scale/2, ..., down to 2e-7 of it: rounding is then 1e-9.
_HALVINGS = 22
# Disagreement allowed of two intervals, and of the two sides for γ and for η, which is right to
# 1e-13; in units of the largest value over the half-width.
_AGREEMENT = 1e-11
_KINKS = (1e-11, 1e-9)


def rate_derivative(bath: PowerSpectrum, omega: float, lamb_shift: bool, scale: float) -> complex:
    """dΓ/dω at one frequency; error about 1e-14 Γ over the width of the features of Γ.

    scale: > 0, the widest interval looked at, as the width of the spectrum.  Raises ValueError
    where Γ has no derivative, or features narrower than 1e-6 of the scale.
    """
    real = 0.5 * slope(bath.gamma, omega, scale, _KINKS[0])
    return complex(real, slope(bath.eta, omega, scale, _KINKS[1]) if lamb_shift else 0.0)


def slope(function: Callable[[Real], Real], omega: float, scale: float, kink: float) -> float:
    """Slope of one function from shrinking intervals, checked against those of the two sides."""
    before = None
    for halving in range(_HALVINGS + 1):
        half_width = scale * 0.5**halving
        values = np.asarray(function(omega + half_width * _points())).reshape(3, _DEGREE + 1)
        if not np.all(np.isfinite(values)):
            before = None
            continue
        centre, left, right = (
            float(weights @ value) / half_width for weights, value in zip(_weights(), values)
        )
        unit = float(np.abs(values).max()) / half_width
        agree = before is not None and abs(centre - before) <= _AGREEMENT * unit
        if agree and abs(left - right) <= kink * unit:
            return centre
        before = centre
    raise InputError(
        f"the rate of a bath has no derivative at ω = {omega:g}, or one that is not seen within "
        f"{scale * 0.5**_HALVINGS:.1e}: a perturbation that moves this frequency has no linear "
        "response"
    )


@cache
def _points() -> Real:
    """Chebyshev points of the first kind in (−1, 1), in (−1, 0) and in (0, 1)."""
    centre = chebpts1(_DEGREE + 1)
    return np.concatenate([centre, 0.5 * (centre - 1.0), 0.5 * (centre + 1.0)])


@cache
def _weights() -> tuple[Real, Real, Real]:
    """Weights of the values at the points of [−1, 1], [−1, 0] and [0, 1] for the slope at 0."""
    degrees = np.arange(_DEGREE + 1)
    interpolation = np.linalg.inv(chebvander(chebpts1(_DEGREE + 1), _DEGREE))
    at_centre = degrees * np.sin(0.5 * np.pi * degrees)
    at_right = degrees**2.0
    at_left = -((-1.0) ** degrees) * degrees**2.0
    # An interval half as wide has twice the slope.
    return at_centre @ interpolation, 2.0 * at_right @ interpolation, 2.0 * at_left @ interpolation
