"""Steady states of linear coupling from Green's functions, by quadrature over energy.

With the self-energy Σ(ω) = Σ_q J_q² (Δ_q(ω) − iD_q(ω)/2) P_q, diagonal in the sites, and
G(ω) = (ω − h − Σ(ω))^{−1}, a system whose coupled motion has no bound state forgets its
start, and

    C = ∫dω/2π G(ω) [Σ_q J_q² f_q(ω) D_q(ω) P_q] G(ω)†                  C_qp = ⟨a_p† a_q⟩,
    I_q = ∫dω/2π Σ_q' T_qq'(ω) (f_q(ω) − f_q'(ω)),   T_qq' = J_q² D_q |G_qq'|² J_q'² D_q',

with ω I_q(ω) for the energy that bath q gives (Meir and Wingreen, Phys. Rev. Lett. 68, 2512,
1992).  In a steady state interaction energies are constant, so this is also what the system
gets.  A second route to the truth, independent of every discretisation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.gaussian.discretised import integration_window
from manybody.physics.gaussian.quadratic import QuadraticModel
from manybody.physics.quadrature import integrate


@dataclass(frozen=True, eq=False)
class SteadyState:
    """Steady state of the system coupled to its reservoirs.

    correlation: (N, N) C_qp = ⟨a_p† a_q⟩; particle_currents, energy_currents: (Q,) from
    reservoir q into its contact; error: estimate of the largest error of any of them;
    spectral_defect: ‖1 − ∫dω/2π G Γ G†‖, by which bound states would show.
    """

    correlation: Complex
    particle_currents: Real
    energy_currents: Real
    error: float
    spectral_defect: float


def self_energy(model: QuadraticModel, omega: Any) -> Complex:
    """Diagonal of Σ(ω) = Σ_q J_q² (Δ_q(ω) − iD_q(ω)/2) P_q; omega (...) -> (..., N)."""
    omega = np.asarray(omega, dtype=np.float64)
    result = np.zeros((*omega.shape, model.hamiltonian.shape[0]), dtype=np.complex128)
    # Equal reservoirs, such as one for every site, are evaluated once.
    known: dict[int, Complex] = {}
    for contact in model.contacts:
        reservoir = contact.reservoir
        if id(reservoir) not in known:
            known[id(reservoir)] = reservoir.shift(omega) - 0.5j * reservoir.spectrum(omega)
        result[..., contact.site] += contact.strength**2 * known[id(reservoir)]
    return result


def green_function(model: QuadraticModel, omega: Any) -> Complex:
    """G(ω) = (ω − h − Σ(ω))^{−1}, retarded; omega (...) -> (..., N, N)."""
    omega = np.asarray(omega, dtype=np.float64)
    n = model.hamiltonian.shape[0]
    inverse = np.broadcast_to(-_dense(model), (*omega.shape, n, n)).astype(np.complex128)
    sites = np.arange(n)
    inverse[..., sites, sites] += omega[..., None] - self_energy(model, omega)
    return np.linalg.inv(inverse).astype(np.complex128, copy=False)


def transmission(model: QuadraticModel, omega: Any) -> Real:
    """T_qq'(ω) = J_q² D_q |G_qq'|² J_q'² D_q', from q' to q; omega (...) -> (..., Q, Q).

    Diagonal entries hold the same formula and enter no current.
    """
    omega = np.asarray(omega, dtype=np.float64)
    sites = [contact.site for contact in model.contacts]
    rates = _rates(model, omega)
    between: Real = np.abs(green_function(model, omega)[..., sites, :][..., :, sites]) ** 2
    return rates[..., :, None] * between * rates[..., None, :]


def steady_state(model: QuadraticModel, tolerance: float = 1e-10) -> SteadyState:
    """C and the currents by adaptive Gauss-Legendre quadrature, panels halved where needed.

    model: a `QuadraticModel`, whose reservoirs must have `shift`; tolerance: absolute, of
    every entry.  Work grows with the logarithm of the sharpest resonance, and shift(ω) is
    taken at some thousand energies.

    Raises ValueError when the steady state is not unique, since bound states (outside the
    bands, or out of reach of every contact) keep part of the start for ever; and when the
    quadrature does not converge.
    """
    tolerance = arguments.tolerance(tolerance)
    n, q = model.hamiltonian.shape[0], len(model.contacts)
    if q == 0:
        raise InputError("the model has no contacts: its start is kept for ever")
    values, error = integrate(lambda omega: _integrand(model, omega), _cuts(model), tolerance)
    correlation, spectral = values[: n * n].reshape(n, n), values[n * n : 2 * n * n]
    defect = float(np.linalg.norm(np.eye(n) - spectral.reshape(n, n), 2))
    if defect > 1e-6 + 100.0 * n * tolerance:
        raise InputError(
            f"bound states hold {defect:.3g} of the weight of some mode, outside the bands or "
            "out of reach of every contact: the steady state is not unique"
        )
    return SteadyState(
        np.asarray(0.5 * (correlation + correlation.conj().T), dtype=np.complex128),
        values[2 * n * n : 2 * n * n + q].real.copy(),
        values[2 * n * n + q :].real.copy(),
        error,
        defect,
    )


def _integrand(model: QuadraticModel, omega: Real) -> Complex:
    """(P,) -> (P, 2N² + 2Q): G f Γ G†, G Γ G†, I_q(ω) and ω I_q(ω), all over 2π."""
    sites = [contact.site for contact in model.contacts]
    rates = _rates(model, omega)
    filling = np.stack([c.reservoir.occupation(omega) for c in model.contacts], axis=-1)
    columns = green_function(model, omega)[..., sites] * np.sqrt(rates)[..., None, :]
    adjoint = columns.conj().swapaxes(-1, -2)
    occupied = (columns * filling[..., None, :]) @ adjoint
    through = rates[..., :, None] * np.abs(columns[..., sites, :]) ** 2
    # (f_q − f_q') of nearly equal reservoirs keeps its digits as a difference of numbers.
    flow = (through * (filling[..., :, None] - filling[..., None, :])).sum(axis=-1)
    parts = [occupied, columns @ adjoint, flow, omega[:, None] * flow]
    whole: Complex = np.concatenate([part.reshape(len(omega), -1) for part in parts], axis=1)
    return whole / (2 * np.pi)


def _cuts(model: QuadraticModel) -> Real:
    """Where panels begin: ends and breakpoints of D, μ and its thermal width, levels of h."""
    points = [float(level) for level in np.linalg.eigvalsh(_dense(model))]
    ends = []
    for contact in model.contacts:
        reservoir = contact.reservoir
        window = integration_window(reservoir.density)
        ends += [*window]
        mu, width = reservoir.chemical_potential, 8.0 / reservoir.beta
        points += [*window, *reservoir.density.breakpoints, mu - width, mu, mu + width]
    low, high = min(ends), max(ends)
    return np.array(sorted({low, high} | {point for point in points if low < point < high}))


def _rates(model: QuadraticModel, omega: Real) -> Real:
    """Γ_q = J_q² D_q; (...) -> (..., Q)."""
    rates = [c.strength**2 * c.reservoir.spectrum(omega) for c in model.contacts]
    return np.stack(rates, axis=-1)


def _dense(model: QuadraticModel) -> NDArray[Any]:
    hamiltonian = model.hamiltonian
    return hamiltonian.toarray() if sp.issparse(hamiltonian) else np.asarray(hamiltonian)
