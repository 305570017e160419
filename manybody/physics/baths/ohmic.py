"""Power spectrum, its Kramers-Kronig partner and the bath correlation function."""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebval, chebvander
from numpy.typing import ArrayLike, NDArray
from scipy import special

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.protocol import GammaBath, temperature_of_modes
from manybody.physics.underflow import zero_where_tiny

# Number of terms summed one by one before Euler-Maclaurin takes over, and the
# Bernoulli numbers B_2 ... B_14 of its remainder.
_EXPLICIT_TERMS = 8
# Arguments of all of them that are looked at together.
_FEW = 1024
_LARGEST = 1e300
# e^−x, and x times it, are nothing beyond.
_BEYOND = 1e4
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
# Beyond this argument the asymptotic series of Ei and E1 is exact to rounding
# when cut after _ASYMPTOTIC_TERMS pairs, and exp(z) need not be formed.
_ASYMPTOTIC_FROM = 50.0
_EDGES = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, _ASYMPTOTIC_FROM])
_DEGREE = 22
_ASYMPTOTIC_TERMS = 12


@dataclass(frozen=True)
class OhmicBath(GammaBath):
    """Identical bosonic baths with an Ohmic spectrum and exponential cutoff.

    Parameters
    ----------
    coupling : float
        J_int >= 0, in J.
    cutoff : float
        ω_c > 0, in J.
    beta : float
        Inverse temperature > 0 in 1/J, inf for T = 0.
    chemical_potential : float, default 0.0
        Only 0, since a density coupling a†a exchanges no particles and μ ≠ 0 would break detailed
        balance.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    ω > 0 is energy given to the bath.  Shiraishi, Nakagawa and Mori (2025), eq. (16);
    docs/physics.md section 2.

    Examples
    --------
    >>> import manybody as mb
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
    >>> float(bath.gamma(0.0).round(12))  # J_int²/β
    0.008
    """

    coupling: float
    cutoff: float
    beta: float
    chemical_potential: float = 0.0

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "coupling", arguments.real("bath coupling", self.coupling, minimum=0.0))
        set_field(self, "cutoff", arguments.real("bath cutoff", self.cutoff, above=0.0))
        set_field(self, "beta", temperature_of_modes("bath beta", self.beta))
        mu = arguments.real("bath chemical_potential", self.chemical_potential)
        if mu != 0.0:
            raise InputError(
                f"bath chemical_potential = {mu!r}: a density coupling exchanges no particles, "
                "and any value but 0 would break detailed balance"
            )
        set_field(self, "chemical_potential", mu)

    @property
    def vanishes(self) -> bool:
        """Whether γ = 0 everywhere."""
        return self.coupling == 0.0

    def unit(self) -> tuple["OhmicBath", float]:
        """The bath of J_int = 1, and γ of this one in units of that.

        Returns
        -------
        (OhmicBath, float)
            The second is J_int².
        """
        return replace(self, coupling=1.0), self.coupling**2

    @zero_where_tiny
    def gamma(self, omega: ArrayLike) -> Real:
        """Power spectrum γ(ω) = J_int² e^{−|ω|/ω_c} ω / (1 − e^{−βω}).

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`; γ(0) = J_int²/β.

        Notes
        -----
        Shiraishi, Nakagawa and Mori (2025), eq. (16), with f(|ω|) for ω < 0.  γ(ω) = e^{βω} γ(−ω).
        At T = 0 J_int² ω e^{−ω/ω_c} for ω > 0, else 0.
        """
        omega = np.asarray(omega, dtype=np.float64)
        if self.beta == math.inf:
            # Beyond this the exponential is nothing, and an infinite ω would make nan of it.
            positive = np.clip(omega, 0.0, _BEYOND * self.cutoff)
            cold: Real = self.coupling**2 * positive * np.exp(-positive / self.cutoff)
            return cold
        size = np.abs(omega)
        with np.errstate(over="ignore"):
            x = np.minimum(self.beta * size, _LARGEST)
        with np.errstate(invalid="ignore", under="ignore"):
            # x / (1 - e^-x): emission for ω > 0; absorption carries one more e^-x.
            emission: Real = np.where(x > 0.0, x / -np.expm1(-x), 1.0)
            factor: Real = np.exp(-size / self.cutoff - np.where(omega < 0.0, x, 0.0))
            return self.coupling**2 / self.beta * emission * factor

    @zero_where_tiny
    def eta(self, omega: ArrayLike) -> Real:
        """Kramers-Kronig partner η(ω) = P∫ dω' γ(ω') / (2π (ω − ω')) of γ.

        Parameters
        ----------
        omega : float or array
            In J, any shape.

        Returns
        -------
        array
            In J, same shape as `omega`; absolute error about 1e-13 J_int² ω_c / 2π.

        Notes
        -----
        The imaginary part of Γ = γ/2 + iη.  Closed form of docs/physics.md section 2 (exponential
        integrals and Euler-Maclaurin), of which its first terms are left at T = 0,
        (J_int² ω_c/2π) {z g(z) − 1}, z = ω/ω_c.
        """
        omega = np.asarray(omega, dtype=np.float64)
        flat = omega.ravel()
        if self.beta == math.inf:
            with np.errstate(over="ignore"):
                shift = self.cutoff * _cold_shift(flat / self.cutoff)
            return (self.coupling**2 / (2.0 * np.pi) * shift).reshape(omega.shape)[()]
        size = np.abs(flat)
        result = np.full(flat.shape, -self.cutoff)
        # Below this every ω-dependent term is far under rounding of −ω_c.
        # Written so that nan is not taken for small.
        nonzero = ~(size <= 1e-30 * min(self.cutoff, 1.0 / self.beta))
        w, signed = size[nonzero], flat[nonzero]
        if w.size:
            a: Real = 1.0 / self.cutoff + self.beta * np.arange(_EXPLICIT_TERMS + 1.0)
            # Terms of infinite argument are zero.
            with np.errstate(over="ignore"):
                total = self._tail(w)
                # For few frequencies all terms in one call, or the calls would be the work.
                at_once = max(1, _FEW // w.size)
                for first in range(1, _EXPLICIT_TERMS, at_once):
                    some = a[first : min(first + at_once, _EXPLICIT_TERMS)]
                    for term in _sum_and_difference(some[:, None] * w)[0]:
                        total += term
                sums, differences = _sum_and_difference(a[0] * w)
            own = 0.5 * (sums + np.sign(signed) * differences)
            result[nonzero] += signed * (own + total)
        return (self.coupling**2 / (2.0 * np.pi) * result).reshape(omega.shape)[()]

    @zero_where_tiny
    def correlation(self, time: ArrayLike) -> NDArray[np.complex128]:
        """C(t) = J_int²/(2πβ²) [ψ₁(1/(βω_c) + it/β) + ψ₁(1 + 1/(βω_c) − it/β)].

        Parameters
        ----------
        time : float or array
            In 1/J, any shape and sign; C(−t) = C(t)*.

        Returns
        -------
        array of complex
            In J², same shape as `time`.

        Notes
        -----
        ψ₁ is the trigamma function.  At T = 0 J_int² ω_c²/2π / (1 + iω_c t)².
        """
        if self.beta == math.inf:
            scaled = 1.0 + 1j * self.cutoff * np.asarray(time, dtype=np.complex128)
            # Twice: the square of a very long time would overflow.
            return (self.coupling * self.cutoff) ** 2 / (2.0 * np.pi) / scaled / scaled
        shift = 1.0 / (self.beta * self.cutoff)
        scaled = 1j * np.asarray(time, dtype=np.complex128) / self.beta
        prefactor = self.coupling**2 / (2.0 * np.pi * self.beta**2)
        return prefactor * (_trigamma(shift + scaled) + _trigamma(1.0 + shift - scaled))

    def _tail(self, w: Real) -> Real:
        """T_M of docs/physics.md section 2: Σ_{n >= M} F(a_n w) for w > 0."""
        h = self.beta * w
        z = (1.0 / self.cutoff + self.beta * _EXPLICIT_TERMS) * w
        tail = np.empty_like(w)
        far = z >= _ASYMPTOTIC_FROM
        tail[far] = self._far_tail(h[far])
        near = ~far
        z, h = z[near], h[near]
        sums, differences = _sum_and_difference(z)
        value = differences / h + 0.5 * sums
        # h^m F^(m)(z) with u = h/z <= 1/M: z^-16 alone would overflow for small ω.
        u = h / z
        derivative = 2.0 * u - h * differences
        power = u
        for k, bernoulli in enumerate(_BERNOULLI, start=1):
            m = 2 * k - 1
            value -= bernoulli / math.factorial(2 * k) * derivative
            power = power * u * u
            derivative = h * h * derivative + 2.0 * math.factorial(m + 1) * power
        tail[near] = value
        return tail

    def _far_tail(self, h: Real) -> Real:
        first = _EXPLICIT_TERMS + 1.0 / (self.beta * self.cutoff)
        total = np.zeros_like(h)
        for k in range(_ASYMPTOTIC_TERMS):
            # Where the power would overflow its term is zero.
            h = np.where(h < _LARGEST ** (1.0 / (2 * k + 2)), h, np.inf)
            with np.errstate(under="ignore"):
                coefficient = 2.0 * math.factorial(2 * k + 1) * special.zeta(2 * k + 2, first)
                total += coefficient / h ** (2 * k + 2)
        return total


def _cold_shift(z: Real) -> Real:
    """z g(z) − 1 of any real z, −1 at 0 and Σ_k k!/z^k far out."""
    size, shift = np.abs(z), np.full(z.shape, -1.0)
    # Written so that nan is not taken for small.
    far = size >= _ASYMPTOTIC_FROM
    near = ~far & ~(size <= 1e-30)
    sums, differences = _sum_and_difference(size[near])
    shift[near] += 0.5 * (z[near] * sums + size[near] * differences)
    inverse, series = 1.0 / z[far], np.zeros(int(far.sum()))
    for k in range(2 * _ASYMPTOTIC_TERMS, 0, -1):
        series = inverse * (float(math.factorial(k)) + series)
    shift[far] = series
    return shift


def _sum_and_difference(z: Real) -> tuple[Real, Real]:
    """F = g(z) + g(−z) and D = g(z) − g(−z), g(z) = e^{−z} Ei(z), for z > 0."""
    sums, differences = np.empty_like(z), np.empty_like(z)
    near, far = z < 1.0, z >= _ASYMPTOTIC_FROM
    middle = ~(near | far)
    x = z[near]
    shi, chi = special.shichi(x)
    cosh, sinh = np.cosh(x), np.sinh(x)
    sums[near] = 2.0 * (chi * cosh - shi * sinh)
    differences[near] = 2.0 * (shi * cosh - chi * sinh)
    sums[middle], differences[middle] = _between(z[middle])
    inverse = 1.0 / z[far]
    even, odd = np.zeros_like(inverse), np.zeros_like(inverse)
    with np.errstate(under="ignore"):
        for k in range(_ASYMPTOTIC_TERMS - 1, -1, -1):
            # As floats: beyond 20! an integer would turn the array into one of objects.
            even = float(math.factorial(2 * k)) + inverse * inverse * even
            odd = float(math.factorial(2 * k + 1)) + inverse * inverse * odd
        sums[far] = 2.0 * inverse * inverse * odd
        differences[far] = 2.0 * inverse * even
    return sums, differences


def _between(z: Real) -> tuple[Real, Real]:
    """F and D for 1 <= z < 50 from Chebyshev interpolants of z²F and zD on dyadic ranges.

    The exponential integrals themselves cost a microsecond; 0, their only singularity,
    is so far from every range that degree 22 interpolates them to rounding.
    """
    sums, differences = np.empty_like(z), np.empty_like(z)
    ranges = np.searchsorted(_EDGES, z, side="right") - 1
    for index, (low, high) in enumerate(zip(_EDGES[:-1], _EDGES[1:])):
        here = np.flatnonzero(ranges == index)
        coefficients = _interpolants()[index]
        # Few at a time: Clenshaw's recurrence goes over its operands 22 times.
        for first in range(0, here.size, 4096):
            chosen = here[first : first + 4096]
            x = z[chosen]
            argument = (2.0 * x - (low + high)) / (high - low)
            scaled_sums, scaled_differences = chebval(argument, coefficients)
            sums[chosen] = scaled_sums / (x * x)
            differences[chosen] = scaled_differences / x
    return sums, differences


@cache
def _interpolants() -> list[Real]:
    """Chebyshev coefficients (23, 2) of z²F and zD, F and D by Ei and E1, for every range."""

    def scaled(z: Real) -> Real:
        grow = np.exp(z)
        forward, backward = special.expi(z) / grow, -special.exp1(z) * grow
        return np.stack([z * z * (forward + backward), z * (forward - backward)], axis=1)

    nodes = chebpts1(_DEGREE + 1)
    tables = []
    for low, high in zip(_EDGES[:-1], _EDGES[1:]):
        values = scaled(0.5 * (low + high) + 0.5 * (high - low) * nodes)
        coefficients = 2.0 / (_DEGREE + 1) * chebvander(nodes, _DEGREE).T @ values
        coefficients[0] *= 0.5
        tables.append(coefficients)
    return tables


def _trigamma(z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """ψ₁(z) for Re z > 0: recurrence to Re z >= 16, then the asymptotic series."""
    z = np.asarray(z, dtype=np.complex128)
    shift = np.zeros_like(z)
    for _ in range(16):
        shift += 1.0 / (z * z)
        z = z + 1.0
    inverse = 1.0 / z
    series = inverse + 0.5 * inverse**2
    power = inverse**3
    for bernoulli in _BERNOULLI:
        series += bernoulli * power
        power = power * inverse * inverse
    return shift + series
