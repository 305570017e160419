"""The exact answer for a system with h(t): rows of U by a commutator-free Magnus scheme.

Rows are carried backward, from the time they are seen at to the start:
U(t, s) = U(t, s + δ) U(s + δ, s).  Each step is of fourth order (Blanes and Moan 2006,
Applied Numerical Mathematics 56, 1519, eq. (43)),

    U(s + δ, s) ≈ e^{−iδ(a₂M₁ + a₁M₂)} e^{−iδ(a₁M₁ + a₂M₂)},   a₁,₂ = 1/4 ± √3/6,

M₁,₂ at the Gauss points s + (1/2 ∓ √3/6)δ.  It is unitary, exact for constant h, and what
limits δ is the motion of h seen with the baths, not the width of the bands: e^{−iδM} is a
Chebyshev series to rounding, and M is never formed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.baths.band_densities import SemiEllipticDensity
from manybody.physics.gaussian.correlations import checked_initial
from manybody.physics.gaussian.discretised import (
    Discretise,
    DiscretisedBath,
    chebyshev_modes,
    legendre_modes,
)
from manybody.physics.gaussian.driven import DrivenQuadraticModel
from manybody.physics.gaussian.exact import (
    ClosedSystem,
    Trajectory,
    checked_times,
    converge,
    observe,
    stacked,
    trajectory,
)
from manybody.physics.underflow import zero_where_tiny

Drive = Callable[[float], NDArray[Any]]
Observed = tuple[Complex, Real, Real, Real]

_GAUSS = np.sqrt(3.0) / 6.0
# Rows carried together: three copies of them stay in a near cache.
_ELEMENTS = 1 << 14
_HALVINGS = 10
# Time steps are that much finer than what the modes are asked for.
_SHARE_OF_STEPS = 0.1


@dataclass(frozen=True, eq=False)
class ExactDrivenCorrelations:
    """C(t) of system and reservoirs as one Gaussian state, and how well it has converged.

    Attributes
    ----------
    times : (T,) array
        In 1/J.
    correlations : (T, N, N) array of complex
        C_qp = ⟨a_p† a_q⟩ in the site basis.
    particle_currents : (T, Q) array
        −d⟨N_q⟩/dt in J, from the reservoir of each contact into its site.
    energy_currents : (T, Q) array
        −d⟨H_q⟩/dt in J², likewise.
    interaction_energies : (T, Q) array
        ⟨H_int,q⟩ in J.
    n_modes : tuple of int
        Numbers of modes of each reservoir that were tried.
    changes : tuple of float
        Largest |element| of the difference of C between each of them and the next.
    time_error : float
        The same at the last halving of the time steps.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=1.0, half_width=4.0), beta=1.5)
    >>> model = mb.DrivenQuadraticModel(lambda t: [[0.1 * t]], [mb.Contact(0, lead, strength=0.3)])
    >>> exact = mb.exact_driven_correlations(model, np.zeros((1, 1)), [0.0, 1.0], 1e-6)
    >>> exact.particle_currents.shape, exact.error < 1e-6
    ((2, 1), True)
    """

    times: Real
    correlations: Complex
    particle_currents: Real
    energy_currents: Real
    interaction_energies: Real
    n_modes: tuple[int, ...]
    changes: tuple[float, ...]
    time_error: float

    @property
    def error(self) -> float:
        """Last change by modes plus that by time steps, an upper estimate of the error of C."""
        return self.changes[-1] + self.time_error


@zero_where_tiny
def exact_driven_correlations(
    model: DrivenQuadraticModel,
    initial: NDArray[Any],
    times: Iterable[float],
    tolerance: float = 1e-8,
    n_modes: int = 32,
    largest: int = 1024,
    discretise: Discretise | None = None,
) -> ExactDrivenCorrelations:
    """Correlations C(t) under h(t) without any master equation, for linear coupling to reservoirs.

    Parameters
    ----------
    model : DrivenQuadraticModel
        h(t) and its contacts.
    initial : (N, N) array
        C(0) of the system, Hermitian, eigenvalues >= 0, for fermions <= 1.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J; h(t) is smooth between them: a jump belongs on one of the times,
        and a pulse shorter than 2/‖h(0)‖ needs one of them on it.
    tolerance : float, default 1e-08
        In [1e-13, 0.01].
    n_modes : int, default 32
        The first number of modes of a reservoir.
    largest : int, default 1024
        The most modes of a reservoir.
    discretise : callable or None, default None
        (reservoir, n) -> `DiscretisedBath`; None for Gauss-Chebyshev modes of semi-elliptic bands
        and Gauss-Legendre modes of others.

    Returns
    -------
    ExactDrivenCorrelations
        C(t), currents, and how well they have converged.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), `largest` modes or
        2¹⁰ times the first steps are not enough, or a reservoir has a tail of infinite weight
        (Drude-Lorentz).

    Notes
    -----
    Linear coupling as in docs/physics.md section 6.  Every reservoir becomes modes, which start in
    its equilibrium, and everything is propagated as one Gaussian state by steps of a
    commutator-free Magnus scheme of fourth order, extrapolated.  Modes are doubled until no
    element of C changes by more than `tolerance`, time steps halved until a tenth of that.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=1.0, half_width=4.0), beta=1.5)
    >>> h = lambda t: np.array([[0.4 * np.cos(0.1 * t), 0.5], [0.5, -0.4 * np.cos(0.1 * t)]])
    >>> model = mb.DrivenQuadraticModel(h, [mb.Contact(0, lead, strength=0.3)])
    >>> exact = mb.exact_driven_correlations(model, np.diag([1.0, 0.0]), [0.0, 2.0], 1e-6)
    >>> run = mb.driven_correlations(model, np.diag([1.0, 0.0]), [0.0, 2.0], "redfield", True)
    >>> bool(exact.error < 1e-5 < abs(run.correlations - exact.correlations).max() < 0.02)
    True
    """
    arguments.instance("model", model, DrivenQuadraticModel)
    tolerance = arguments.tolerance(tolerance)
    steps = max(_SHARE_OF_STEPS * tolerance, 1e-13)

    def run(closed: ClosedSystem, start: NDArray[Any], instants: Any) -> Trajectory:
        return propagate_driven(closed, lambda t: _dense(model, t), start, instants, steps)

    found = converge(
        model.at(0.0),
        _modes_of if discretise is None else discretise,
        initial,
        times,
        n_modes,
        tolerance,
        largest,
        run,
    )
    exact = found.trajectory
    return ExactDrivenCorrelations(
        exact.times,
        exact.correlations,
        exact.particle_currents,
        exact.energy_currents,
        exact.interaction_energies,
        found.n_modes,
        found.changes,
        exact.time_error,
    )


def _dense(model: DrivenQuadraticModel, time: float) -> NDArray[Any]:
    return model.at(time).dense_hamiltonian()


def _modes_of(reservoir: Any, n_modes: int) -> DiscretisedBath:
    """The rule that converges fastest for this density."""
    if isinstance(reservoir.density, SemiEllipticDensity):
        return chebyshev_modes(reservoir, n_modes)
    return legendre_modes(reservoir, n_modes)


def propagate_driven(
    closed: ClosedSystem, drive: Drive, initial: NDArray[Any], times: Any, tolerance: float = 1e-9
) -> Trajectory:
    """C(t) of the system and the currents for h(t), from C(0) ⊕ f(ω_k) at t = 0.

    drive: t -> (N, N) Hermitian h(t) on [0, times[-1]], smooth between the `times` (jumps
    belong on one of them); it replaces the h of the model.  initial, times: as for
    `propagate`.  Definitions of the currents are those of constant h.

    Time steps are halved, and the results extrapolated in δ⁴, δ⁶, δ⁸ ... (the scheme is
    symmetric in time), until no entry of C(t) changes by more than `tolerance`; this last
    change is returned as `time_error` and is above the error left.  The first step is about
    2/‖h(0)‖: a pulse shorter than that needs one of the `times` on it.  Raises ValueError for
    times beyond the recurrence time, h(t) that is not Hermitian of shape (N, N), and when
    10 halvings are not enough.
    """
    initial = checked_initial(initial, closed.n_sites, closed.model.statistics)
    times = checked_times(closed, times)
    tolerance = arguments.tolerance(tolerance)
    checked = _checked(drive, closed.n_sites)
    scale = float(np.abs(np.linalg.eigvalsh(checked(0.0))).max()) + _field_norm(closed)
    intervals = np.diff(times, prepend=0.0)
    counts = np.maximum(1, np.ceil(0.5 * scale * intervals)).astype(np.int64)
    table: list[Observed] = []
    change = np.inf
    for _ in range(_HALVINGS + 1):
        finer = _extrapolated(table, _run(closed, checked, initial, times, counts))
        if table:
            change = float(np.abs(finer[-1][0] - table[-1][0]).max())
            if change <= tolerance:
                return trajectory(closed, times, finer[-1], change)
        table = finer
        counts = 2 * counts
    raise InputError(
        f"{int(counts.sum()) // 2} time steps still change C(t) by {change:.2g} (tolerance "
        f"{tolerance:g}): is h(t) smooth between the times?"
    )


def _run(
    closed: ClosedSystem, drive: Drive, initial: Complex, times: Real, counts: NDArray[Any]
) -> Observed:
    """What is observed at each of the times, with `counts` steps from the time before."""
    steps = _steps(drive, times, counts)
    rows = closed.observed_rows()
    size = rows.shape[1]
    # (T, R) rows that all travel to the start; those seen early join late.
    owners = [(t, r) for t in range(len(times)) for r in range(len(rows))]
    found = np.empty((len(times), len(rows), size), dtype=np.complex128)
    together = max(1, _ELEMENTS // size)
    for first in range(0, len(owners), together):
        few = owners[first : first + together]
        carried = np.empty((0, size), dtype=np.complex128)
        for t in range(few[-1][0], -1, -1):
            joining = [rows[r] for own, r in few if own == t]
            # The earlier of `few` come first, so what joins goes in front.
            carried = np.concatenate([np.array(joining).reshape(-1, size), carried])
            for length, averages in steps[t][::-1]:
                for average in averages:
                    carried = _exponential(closed, carried, average, length)
        for (t, r), row in zip(few, carried):
            found[t, r] = row
    return stacked(observe(closed, initial, one) for one in found)


def _extrapolated(table: list[Observed], latest: Observed) -> list[Observed]:
    """The next line of a Romberg table whose first column has errors δ⁴, δ⁶, δ⁸ ..."""
    line = [latest]
    for column, coarser in enumerate(table):
        weight = 1.0 / (4.0 ** (column + 2) - 1.0)
        line.append(
            tuple(  # type: ignore[arg-type]
                fine + weight * (fine - coarse) for fine, coarse in zip(line[-1], coarser)
            )
        )
    return line


def _steps(
    drive: Drive, times: Real, counts: NDArray[Any]
) -> list[list[tuple[float, tuple[NDArray[Any], NDArray[Any]]]]]:
    """For each interval its steps: half of δ, and 2(a₁h₁,₂ + a₂h₂,₁), the later first."""
    intervals = []
    start = 0.0
    large, small = 0.5 + 2.0 * _GAUSS, 0.5 - 2.0 * _GAUSS
    for stop, count in zip(times, counts):
        length = (stop - start) / count
        steps = []
        for k in range(count if stop > start else 0):
            middle = start + (k + 0.5) * length
            early, late = drive(middle - _GAUSS * length), drive(middle + _GAUSS * length)
            averages = (small * early + large * late, large * early + small * late)
            steps.append((0.5 * length, averages))
        intervals.append(steps)
        start = stop
    return intervals


def _exponential(
    closed: ClosedSystem, rows: Complex, hamiltonian: NDArray[Any], length: float
) -> Complex:
    """rows · e^{−i length M}, M with `hamiltonian` for the system; Chebyshev to rounding."""
    levels = np.linalg.eigvalsh(hamiltonian)
    low = min(levels[0], closed.energies.min(initial=np.inf)) - _field_norm(closed)
    high = max(levels[-1], closed.energies.max(initial=-np.inf)) + _field_norm(closed)
    centre, radius = 0.5 * (high + low), max(0.5 * (high - low), 1e-300)
    reach = radius * length
    coefficients = special.jv(np.arange(int(reach + 12.0 * reach ** (1 / 3)) + 24), reach)
    n_terms = int(np.flatnonzero(np.abs(coefficients) > 1e-17)[-1]) + 1
    shifted = (hamiltonian - centre * np.eye(closed.n_sites)) / radius
    scaled = (closed.energies - centre) / radius
    fields = closed.fields / radius

    def apply(x: Complex) -> Complex:
        return _times_matrix(closed, x, shifted, scaled, fields)

    before, here = rows, apply(rows)
    result: Complex = coefficients[0] * before - 2j * coefficients[1] * here
    factor = -1j
    for k in range(2, n_terms):
        after = 2.0 * apply(here)
        after -= before
        before, here = here, after
        factor *= -1j
        result += (2.0 * factor * coefficients[k]) * here
    result *= np.exp(-1j * centre * length)
    return result


def _times_matrix(
    closed: ClosedSystem, x: Complex, hamiltonian: NDArray[Any], energies: Real, fields: Real
) -> Complex:
    """x · M for the given blocks of M."""
    n = closed.n_sites
    out = np.empty_like(x)
    np.multiply(x[:, n:], energies, out=out[:, n:])
    out[:, :n] = x[:, :n] @ hamiltonian
    first = n
    for site, bath, field in zip(closed.sites, closed.baths, fields):
        own = slice(first, first + bath.n_modes)
        couplings = field[own.start - n : own.stop - n]
        out[:, own] += x[:, site, None] * couplings
        out[:, site] += x[:, own] @ couplings
        first = own.stop
    return out


def _field_norm(closed: ClosedSystem) -> float:
    """‖M − its block diagonal‖₂: the baths of one site add, those of different sites do not."""
    squares = np.zeros(closed.n_sites)
    np.add.at(squares, closed.sites, (closed.fields**2).sum(axis=1))
    return float(np.sqrt(squares.max()))


def _checked(drive: Drive, n_sites: int) -> Drive:
    """The drive, each value of it refused unless Hermitian and (N, N)."""

    def checked(time: float) -> NDArray[Any]:
        value = np.asarray(drive(time))
        if value.shape != (n_sites, n_sites):
            wanted = (n_sites, n_sites)
            raise InputError(f"h({time:g}) has shape {value.shape}: must be {wanted}")
        if not np.all(np.isfinite(value)):
            raise InputError(f"h({time:g}) contains inf or nan")
        if np.abs(value - value.conj().T).max() > 1e-12 * np.abs(value).max():
            raise InputError(f"h({time:g}) is not Hermitian")
        return value

    return checked
