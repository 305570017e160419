"""The exact answer for linear coupling: system and discretised baths as one Gaussian state.

H = Σ_jk h_jk a_j† a_k + Σ_k ω_k d_k† d_k + Σ_q J_q Σ_k g_k (a_q† d_k + h.c.) is one
Hermitian matrix M on x = (a, d): x(t) = U x(0), U = e^{−iMt}, so that C_qp = ⟨x_p† x_q⟩ is
C(t) = U C(0) U† for fermions and bosons alike, whatever the initial state.  The rows of U
that belong to the system and to the fields b_q = J_q Σ_k g_k d_k and e_q = J_q Σ_k ω_k g_k d_k
of its contacts are all that is needed:

    particle current   −d⟨N_q⟩/dt  = 2 Im ⟨a_q† b_q⟩      N_q = Σ_k d_k† d_k
    energy current     −d⟨H_q⟩/dt  = 2 Im ⟨a_q† e_q⟩      H_q = Σ_k ω_k d_k† d_k
    interaction energy  ⟨H_int,q⟩  = 2 Re ⟨a_q† b_q⟩

Currents count from the bath into the contact.  What a bath gives, −d⟨H_q⟩/dt, is not what
the system gets: d⟨H_S⟩/dt = Σ_q (−d⟨H_q⟩/dt − d⟨H_int,q⟩/dt) for constant h.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from manybody.arrays import Complex, Real, product
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.gaussian.correlations import checked_initial
from manybody.physics.gaussian.discretised import Discretise, DiscretisedBath
from manybody.physics.gaussian.quadratic import QuadraticModel

# Correlations, particle currents, energy currents, interaction energies.
Observed = tuple[Complex, Real, Real, Real]

# Elements of the rows of U that are held for a few times at once.
_ELEMENTS = 1 << 22


@dataclass(frozen=True, eq=False)
class ClosedSystem:
    """System and baths, ready to be propagated; see `build_closed_system`.

    model: h and contacts; baths: one for each contact; fields: (Q, M) J_q g_k in the columns
    of bath q, 0 elsewhere, M the number of all modes; energies, occupations: (M,) of the
    modes; recurrence_time: the shortest of the baths.
    """

    model: QuadraticModel
    baths: tuple[DiscretisedBath, ...]
    hamiltonian: NDArray[Any]
    fields: Real
    energies: Real
    occupations: Real
    recurrence_time: float

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return len(self.hamiltonian)

    @property
    def sites(self) -> list[int]:
        """Site of every contact."""
        return [contact.site for contact in self.model.contacts]

    def matrix(self) -> NDArray[Any]:
        """(N + M, N + M) single-particle matrix, sites first; real when h is."""
        n = self.n_sites
        size = n + len(self.energies)
        matrix = np.zeros((size, size), dtype=self.hamiltonian.dtype)
        matrix[:n, :n] = self.hamiltonian
        for site, field in zip(self.sites, self.fields):
            matrix[site, n:] += field
        matrix[n:, :n] = matrix[:n, n:].T
        matrix[range(n, size), range(n, size)] = self.energies
        return matrix

    def observed_rows(self) -> Real:
        """(N + 2Q, N + M): rows that take x to the a_j, the b_q and the e_q."""
        n, q = self.n_sites, len(self.fields)
        rows = np.zeros((n + 2 * q, n + len(self.energies)))
        rows[:n, :n] = np.eye(n)
        rows[n : n + q, n:] = self.fields
        rows[n + q :, n:] = self.fields * self.energies
        return rows


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What is seen of the exact dynamics.

    times: (T,) in 1/J; correlations: (T, N, N) C_qp = ⟨a_p† a_q⟩ of the system;
    particle_currents, energy_currents: (T, Q) from bath q into its contact;
    interaction_energies: (T, Q); definitions above.  recurrence_time: of the baths.
    time_error: change of `correlations` at the last halving of the time steps, 0 for
    constant h.
    """

    times: Real
    correlations: Complex
    particle_currents: Real
    energy_currents: Real
    interaction_energies: Real
    recurrence_time: float
    time_error: float = 0.0


@dataclass(frozen=True, eq=False)
class Convergence:
    """Evidence that the discretised baths stand for the reservoirs.

    n_modes: sizes tried, each the double of the one before; changes: largest entry of the
    difference between the correlation matrices of each and of the next, over all times;
    trajectory: of the largest size, whose own error is below the last change as long as
    changes fall.
    """

    n_modes: tuple[int, ...]
    changes: tuple[float, ...]
    trajectory: Trajectory


def build_closed_system(model: QuadraticModel, baths: Sequence[DiscretisedBath]) -> ClosedSystem:
    """Join h and one discretised bath for each contact.

    Contacts keep baths of their own also where these are equal.  Raises ValueError when the
    number of baths is not the number of contacts, or h has a wrong shape.
    """
    contacts = model.contacts
    if len(baths) != len(contacts):
        raise InputError(f"{len(baths)} baths for {len(contacts)} contacts: one each is needed")
    sparse = sp.issparse(model.hamiltonian)
    hamiltonian = model.hamiltonian.toarray() if sparse else np.asarray(model.hamiltonian)
    if hamiltonian.ndim != 2 or hamiltonian.shape[0] != hamiltonian.shape[1]:
        raise InputError(f"hamiltonian has shape {hamiltonian.shape}: must be (N, N)")
    is_complex = np.iscomplexobj(hamiltonian) and bool(np.any(hamiltonian.imag))
    hamiltonian = hamiltonian.astype(np.complex128) if is_complex else hamiltonian.real + 0.0
    total = sum(bath.n_modes for bath in baths)
    fields = np.zeros((len(baths), total))
    first = 0
    for row, contact, bath in zip(fields, contacts, baths):
        row[first : first + bath.n_modes] = contact.strength * bath.couplings
        first += bath.n_modes
    parts = [np.zeros(0)]
    return ClosedSystem(
        model,
        tuple(baths),
        hamiltonian,
        fields,
        np.concatenate(parts + [bath.energies for bath in baths]),
        np.concatenate(parts + [bath.occupations for bath in baths]),
        min((bath.recurrence_time for bath in baths), default=math.inf),
    )


def propagate(closed: ClosedSystem, initial: NDArray[Any], times: Any) -> Trajectory:
    """C(t) of the system and the currents for constant h, from C(0) ⊕ f(ω_k).

    initial: (N, N) C_qp(0) = ⟨a_p† a_q⟩ of the system; times: (T,) ascending, >= 0, in 1/J.
    One eigendecomposition of M for all times, then 2 (N + 2Q)(N + M)² multiplications a
    time (twice that for complex h); no step, no accumulated error.

    Raises ValueError for times beyond the recurrence time, where the baths send back what
    they were given: the answer would be one to another question, not a rougher one.
    """
    initial = checked_initial(initial, closed.n_sites, closed.model.statistics)
    times = checked_times(closed, times)
    energies, vectors = np.linalg.eigh(closed.matrix())
    rows = closed.observed_rows() @ vectors
    left = vectors if np.isrealobj(vectors) else vectors.conj()
    size, n_rows = len(energies), len(rows)
    step = max(1, _ELEMENTS // (size * n_rows))
    observed = []
    for first in range(0, len(times), step):
        few = times[first : first + step]
        phases = np.exp(-1j * np.outer(energies, few))
        # Transposed, so that real eigenvectors meet twice as many real columns.
        turned = np.multiply(phases[:, :, None], rows.T[:, None, :], order="C").reshape(size, -1)
        out = np.empty((size, len(few) * n_rows), dtype=np.complex128)
        product(left, turned, out)
        observed += [observe(closed, initial, one.T) for one in _by_time(out, len(few))]
    return trajectory(closed, times, stacked(observed))


def converge(
    model: QuadraticModel,
    discretise: Discretise,
    initial: NDArray[Any],
    times: Any,
    n_modes: int = 32,
    tolerance: float = 1e-8,
    largest: int = 1024,
    run: Callable[[ClosedSystem, NDArray[Any], Any], Trajectory] = propagate,
) -> Convergence:
    """Double the modes of every bath until no entry of C(t) changes by more than `tolerance`.

    discretise(reservoir, n) makes the modes of each contact (a function of `discretised.py`,
    extra arguments bound by functools.partial); n_modes: the first n, passed over while its
    recurrence time is short of the times; largest: the last; run: `propagate`, or another
    propagation of the same closed system.

    Raises ValueError, with the changes found, when `largest` modes are not enough.
    """
    if not callable(discretise):
        raise InputTypeError(
            f"discretise = {shown(discretise)}: a function (reservoir, n) -> DiscretisedBath is "
            "needed"
        )
    tolerance = arguments.tolerance(tolerance)
    size = arguments.integer("n_modes", n_modes, 1)
    arguments.integer("largest", largest, size)
    times = arguments.ascending_times("times", times)
    sizes: list[int] = []
    changes: list[float] = []
    last: Trajectory | None = None
    recurrence = 0.0
    while size <= largest:
        try:
            baths = [discretise(contact.reservoir, size) for contact in model.contacts]
        except TypeError as error:
            raise InputTypeError(f"discretise raised TypeError: {error}") from error
        for bath in baths:
            arguments.instance("what discretise returns", bath, DiscretisedBath)
        closed = build_closed_system(model, baths)
        recurrence = closed.recurrence_time
        if recurrence >= times[-1]:
            found = run(closed, initial, times)
            sizes.append(size)
            if last is not None:
                changes.append(float(np.abs(found.correlations - last.correlations).max()))
                if changes[-1] <= tolerance:
                    return Convergence(tuple(sizes), tuple(changes), found)
            last = found
        size *= 2
    if not sizes:
        raise InputError(
            f"times reach {times[-1]:g}, beyond the recurrence time {recurrence:.4g} of "
            f"{size // 2} modes: more modes (largest = {largest}) or shorter times are needed"
        )
    raise InputError(
        f"not converged to {tolerance:g}: C(t) changes by "
        f"{', '.join(f'{change:.2g}' for change in changes) or 'an unknown amount'} at "
        f"{', '.join(map(str, sizes))} modes (largest = {largest})"
    )


def checked_times(closed: ClosedSystem, times: ArrayLike) -> Real:
    """Ascending times >= 0 within the recurrence time."""
    times = arguments.ascending_times("times", times)
    if times[-1] > closed.recurrence_time:
        raise InputError(
            f"times reach {times[-1]:g}, beyond the recurrence time "
            f"{closed.recurrence_time:.4g} of the discretised baths, when they send back what "
            f"they were given: about {1.5 * times[-1] / closed.recurrence_time:.2g} times as many "
            "modes are needed"
        )
    return times


def observe(closed: ClosedSystem, initial: Complex, rows: Complex) -> Observed:
    """Correlations, currents and interaction energies from the (N + 2Q, N + M) rows of U."""
    n, q, sites = closed.n_sites, len(closed.fields), closed.sites
    weighted = np.empty_like(rows)
    weighted[:, :n] = rows[:, :n] @ initial
    weighted[:, n:] = rows[:, n:] * closed.occupations
    # (N + 2Q, N): ⟨a_p† y_r⟩ for the observed y_r.
    seen = weighted @ rows[:n].conj().T
    inside = seen[:n]
    particles = seen[range(n, n + q), sites]
    energies = seen[range(n + q, n + 2 * q), sites]
    return (
        0.5 * (inside + inside.conj().T),
        2.0 * particles.imag,
        2.0 * energies.imag,
        2.0 * particles.real,
    )


def stacked(observed: Iterable[Observed]) -> Observed:
    """What `observe` found at each of the times, (T, ...)."""
    correlations, particles, energies, interactions = (np.stack(part) for part in zip(*observed))
    return correlations, particles, energies, interactions


def trajectory(
    closed: ClosedSystem, times: Real, observed: Observed, time_error: float = 0.0
) -> Trajectory:
    """The trajectory of what was observed at all times."""
    return Trajectory(times, *observed, closed.recurrence_time, time_error)


def _by_time(out: Complex, n_times: int) -> Complex:
    """(N + M, T·R) -> (T, N + M, R)."""
    return out.reshape(len(out), n_times, -1).transpose(1, 0, 2)
