"""A reservoir as finitely many modes: D(ω) = 2π Σ_k g_k² δ(ω − ω_k).

A quadratic system knows a linearly coupled reservoir by two kernels alone,
α(t) = ∫dω/2π D(ω) e^{−iωt} and α^f(t) = ∫dω/2π f(ω)D(ω) e^{−iωt}; modes stand for the
reservoir exactly as long as their sums are these integrals.  A Gauss rule keeps both to
rounding and then loses them at once, near the recurrence time 2π over the *largest*
spacing, where the echo of the sparsest part of the band arrives.  Cells (linear,
logarithmic) are of second order in their width from the start.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from manybody.arrays import ReadOnly, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.baths.spectral_density import SpectralDensity
from manybody.physics.quadrature import gauss

# Shells around a point, each a factor longer than the one inside it, reach any density
# whose scale lies between 1e-12 J and 1e12 J.
_SHELL_RATIO = 2.0**0.25
_SHELL_EXPONENTS = 160
_NODES, _WEIGHTS = gauss(16)
# Share of the weight of a band without end that is cut off.
_TAIL = 1e-12
# Hundreds of them: `gauss` would take n³ operations.
_many_nodes = cache(special.roots_legendre)


@dataclass(frozen=True, eq=False)
class DiscretisedBath(ReadOnly):
    """Modes in place of a reservoir, H_int = J Σ_k g_k (a† d_k + h.c.).

    Parameters
    ----------
    energies : (M,) array
        ω_k in J, ascending.
    couplings : (M,) array
        g_k >= 0, energies in J for J = 1.
    occupations : (M,) array
        f(ω_k) >= 0.
    recurrence_time : float, default inf
        2π / largest spacing, in 1/J.  Modes made by hand are a bath of their own, stand for
        nothing and have inf.

    Raises
    ------
    InputError
        Shapes differ, there are no modes, or values are not allowed.

    Notes
    -----
    See docs/physics.md section 6.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> def pairs(reservoir, n):  # D = 0.2 at ±1/n, ±2/n, ..., as `exact_driven_correlations` asks
    ...     energies = np.concatenate([-np.arange(n, 0, -1), np.arange(1, n + 1)]) / n
    ...     weights = np.full(2 * n, 0.2 / (2 * np.pi * n))
    ...     return mb.DiscretisedBath(energies, np.sqrt(weights), reservoir.occupation(energies))
    >>> pairs(mb.Reservoir(mb.FlatDensity(0.2, 1.0), beta=1.0), 16).n_modes
    32
    """

    energies: Real
    couplings: Real
    occupations: Real
    recurrence_time: float = math.inf

    def __post_init__(self) -> None:
        for name in ("energies", "couplings", "occupations"):
            values = arguments.reals(name, getattr(self, name), "(M,)")
            if values.shape != np.shape(self.energies):
                raise InputError(
                    f"{name} has shape {values.shape}, energies {np.shape(self.energies)}"
                )
            if name != "energies" and values.min() < 0.0:
                raise InputError(f"{name} contains {values.min():g}: must be >= 0")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        time = arguments.real_or_infinite("recurrence_time", self.recurrence_time, above=0.0)
        object.__setattr__(self, "recurrence_time", time)

    @property
    def n_modes(self) -> int:
        """Number of modes M."""
        return len(self.energies)


Discretise = Callable[[Any, int], DiscretisedBath]


def legendre_modes(
    reservoir: Reservoir,
    n_modes: int,
    *,
    power: int = 1,
    breakpoints: Sequence[float] | None = None,
) -> DiscretisedBath:
    """Gauss-Legendre modes on panels: g_k² = w_k D(ω_k) / 2π.

    Panels end where D is not smooth and at `breakpoints` (None: rungs around μ, in
    geometric progression from 4/β, or from the distance between μ and the band for bosons,
    so that the poles of f stay away from every panel).  Half of the modes go to panels in
    equal parts, half by length; rounding up gives at least `n_modes`.  Panels that touch a
    finite end of the band or a breakpoint of D are mapped by ω = end ± u^power: 2 for √
    edges, sub-Ohmic s = 1/2 and their occupied parts, more for other powers, 1 (no map)
    where D is analytic up to the end (flat, Ohmic, ω³).  Both kernels then converge
    exponentially in the modes.  Infinite ends are cut where 1e-12 of the weight is left.

    Raises ValueError where D has a tail of infinite weight (Drude-Lorentz), or is negative or
    not finite.
    """
    n_modes = arguments.integer("n_modes", n_modes, 1)
    power = arguments.integer("power", power, 1)
    low, high = integration_window(reservoir.density)
    smooth = thermal_breakpoints(reservoir, low, high) if breakpoints is None else breakpoints
    density = reservoir.density
    singular = {float(point) for point in (*density.support, *density.breakpoints)}
    cuts = sorted({low, high} | {p for p in (*singular, *smooth) if low < p < high})
    panels: list[tuple[float, float, int]] = []
    for left, right in zip(cuts[:-1], cuts[1:]):
        ends = (left in singular, right in singular)
        if power == 1 or not any(ends):
            panels.append((left, right, 1))
        elif all(ends):
            middle = 0.5 * (left + right)
            panels += [(left, middle, power), (right, middle, power)]
        else:
            panels.append((left, right, power) if ends[0] else (right, left, power))
    energies, lengths = [], []
    for start, stop, exponent in panels:
        share = 0.5 / len(panels) + 0.5 * abs(stop - start) / (high - low)
        nodes, weights = _many_nodes(math.ceil(n_modes * share))
        u = 0.5 * (1.0 + nodes)
        energies.append(start + (stop - start) * u**exponent)
        lengths.append(0.5 * abs(stop - start) * exponent * u ** (exponent - 1) * weights)
    omega, length = np.concatenate(energies), np.concatenate(lengths)
    weights = length * _positive(density, omega) / (2 * np.pi)
    return _bath(reservoir, omega, weights, high - low)


def chebyshev_modes(reservoir: Reservoir, n_modes: int) -> DiscretisedBath:
    """Gauss-Chebyshev modes of the second kind, for bands with √ edges (semi-elliptic).

    ω_k = centre + W cos θ_k, θ_k = kπ/(n+1), g_k² = W sin θ_k D(ω_k) / (2(n+1)), W half the
    width.  For the semi-elliptic band these are the modes of a uniform chain of n sites, and
    the error of α(t) is J_{2n+1}(Wt) and smaller: rounding until Wt comes near 2n.  The
    occupied part converges like e^{−2πn/(βW)}.  Raises ValueError for an infinite band.
    """
    n_modes = arguments.integer("n_modes", n_modes, 1)
    low, high = reservoir.density.support
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"support = {(low, high)}: Chebyshev modes need a finite band")
    angles = np.pi * np.arange(n_modes, 0, -1) / (n_modes + 1)
    half = 0.5 * (high - low)
    omega = 0.5 * (low + high) + half * np.cos(angles)
    weights = half * np.sin(angles) * _positive(reservoir.density, omega) / (2 * (n_modes + 1))
    return _bath(reservoir, omega, weights, high - low)


def thermal_breakpoints(reservoir: Reservoir, low: float, high: float) -> tuple[float, ...]:
    """Energies μ ± unit · 6^j inside (low, high): f is smooth on the panels between them."""
    mu, unit = reservoir.chemical_potential, 4.0 / reservoir.beta
    if reservoir.statistics == "boson" and mu < low:
        unit = min(unit, low - mu)
    span = max(high - mu, mu - low)
    if unit >= span:
        return ()
    rungs = unit * 6.0 ** np.arange(math.ceil(math.log(span / unit, 6.0)))
    points = np.concatenate([mu - rungs[::-1], mu + rungs])
    return tuple(float(point) for point in points if low < point < high)


def integration_window(density: SpectralDensity) -> tuple[float, float]:
    """(low, high) that holds all of D but 1e-12 of its weight; ValueError if none does."""
    start, stop = (float(end) for end in density.support)
    finite = [p for p in (start, stop, *density.breakpoints) if math.isfinite(p)] or [0.0]
    low, high = min(finite), max(finite)
    sides = [
        (edge, *_shells(density, edge, end))
        for edge, end in ((low, start), (high, stop))
        if edge != end
    ]
    total = _weight(density, low, high) + sum(float(weights.sum()) for *_, weights in sides)
    if not total > 0.0:
        raise InputError("the density has no weight: D > 0 somewhere is needed")
    for edge, ends, weights in sides:
        if weights[-4:].sum() > 1e-6 * _TAIL * total:
            raise InputError(
                f"the density keeps weight as far as {ends[-1]:.3g}: no finite window holds all "
                f"but {_TAIL:g} of it, modes of your own are needed"
            )
        beyond = np.cumsum(weights[::-1])[::-1]
        last = int(np.argmax(beyond <= 0.5 * _TAIL * total))
        # The shell before `last` is the outermost one kept.
        boundary = float(ends[last - 1]) if last else edge
        low, high = min(low, boundary), max(high, boundary)
    return low, high


def _weight(density: SpectralDensity, low: float, high: float) -> float:
    """∫D/2π over a finite interval, by shells around every point where D is not smooth."""
    cuts = sorted({low, high} | {p for p in density.breakpoints if low < p < high})
    total = 0.0
    for left, right in zip(cuts[:-1], cuts[1:]):
        middle = 0.5 * (left + right)
        total += float(_shells(density, left, middle)[1].sum())
        total += float(_shells(density, right, middle)[1].sum())
    return total


def _shells(density: SpectralDensity, edge: float, end: float) -> tuple[Real, Real]:
    """Ends of shells that grow from `edge` towards `end`, and ∫D/2π over each."""
    distances = _SHELL_RATIO ** np.arange(-_SHELL_EXPONENTS, _SHELL_EXPONENTS + 1)
    if math.isfinite(end):
        reach = abs(end - edge)
        distances = np.append(distances[distances < reach], reach)
    signed = np.sign(end - edge) * np.concatenate([[0.0], distances])
    lengths = np.abs(np.diff(signed))
    middles = edge + 0.5 * (signed[1:] + signed[:-1])
    omega = middles[:, None] + 0.5 * lengths[:, None] * _NODES
    weights = 0.5 * lengths * (_positive(density, omega) @ _WEIGHTS) / (2 * np.pi)
    return edge + signed[1:], weights


def _bath(reservoir: Reservoir, omega: Real, weights: Real, width: float) -> DiscretisedBath:
    """The modes of weights g² > 0 in ascending order; width: of the band."""
    omega, weights = omega[weights > 0.0], weights[weights > 0.0]
    if not omega.size:
        raise InputError("no mode carries weight: D > 0 at some of its nodes is needed")
    order = np.argsort(omega)
    omega = omega[order]
    spacing = np.diff(omega).max() if len(omega) > 1 else width
    occupations = np.asarray(reservoir.occupation(omega), dtype=np.float64)
    return DiscretisedBath(
        omega, np.sqrt(weights[order]), occupations, float(2.0 * np.pi / spacing)
    )


def _positive(density: SpectralDensity, omega: Real) -> Real:
    """D(ω), refused with a sentence where it is negative or not finite."""
    values = np.asarray(density(omega), dtype=np.float64)
    wrong = ~((values >= 0.0) & np.isfinite(values))
    if np.any(wrong):
        raise InputError(
            f"density({omega[wrong][0]:g}) = {values[wrong][0]:g}: must be finite and >= 0"
        )
    return values
