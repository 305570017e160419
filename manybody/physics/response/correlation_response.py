"""First order of correlation matrices in a change of a quadratic Hamiltonian, LRL eq. (23).

H + δ Σ_jk v_jk a_j†a_k changes the equation of motion dC/dt = −(RC + CR†) + F + F† by iv and,
through the eigenvectors and levels of h, by what the contacts do: C = C_0 + δC_1 with

    dC_1/dt = −(R_0C_1 + C_1R_0†) + S,   S = F_1 + F_1† − (R_1C_0 + C_0R_1†).

R_1 and F_1 are derivatives of functions of h, V [v_mn (g_m − g_n)/(ω_m − ω_n)] V† in its modes
(Daleckii and Krein 1965), for Davies those of the levels and of their vectors.

LRL is a paper that docs/physics.md names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.errors import InputError, said_of
from manybody.physics import arguments
from manybody.physics.gaussian.correlations import (
    DAVIES,
    EQUATIONS,
    LOCAL,
    Complex,
    Currents,
    Real,
    build_generator,
)
from manybody.physics.gaussian.quadratic import QuadraticModel
from manybody.physics.gaussian.relaxation import build_relaxation, steady_correlations
from manybody.physics.models.matrices import checked_matrix
from manybody.physics.models.single_particle import SingleParticleModel
from manybody.physics.response.rate_derivatives import slope

Function = Callable[[Real], Real]

# Each contact has two (N, N) matrices and their derivatives.
_MOST_SITES = 200
# Levels nearer than this part of the band have the derivative in place of the quotient.
_NEAR = 1e-5
# Relative difference of the slopes from both sides that is a kink, for rates right to 1e-13.
_KINK = 1e-9


@dataclass(frozen=True, eq=False)
class CorrelationResponse:
    """Response of one equation of motion to δv from its stationary state on.

    All complex, in the site basis, C_qp = ⟨a_p†a_q⟩; first orders are per δ.
    `correlation_response` makes it.

    Attributes
    ----------
    stationary : (N, N) array
        C_0, Hermitian, no unit.
    steady_change : (N, N) array
        C_1 in the long run, Hermitian, no unit.
    source : (N, N) array
        S in J.
    damping : (N, N) array
        R_0 in J.
    contacts : tuple
        What each contact adds to R_0 and F_0, in J, and the derivatives.
    hamiltonian : (N, N) array
        h in J.
    perturbation : (N, N) array
        v in J.

    Notes
    -----
    Levy, Rabani and Limmer (2021), eq. (23).

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> wire = mb.QuadraticModel([[0.3, 0.5], [0.5, -0.3]], [mb.Contact(0, lead)])
    >>> response = mb.correlation_response(wire, np.diag([1.0, 0.0]), "redfield")
    >>> response.changes([0.0, 5.0]).shape
    (2, 2, 2)
    """

    stationary: Complex
    steady_change: Complex
    source: Complex
    damping: Complex
    contacts: tuple["_Contact", ...]
    hamiltonian: NDArray[Any]
    perturbation: Complex

    def changes(self, times: Iterable[float]) -> Complex:
        """First order C_1(t) after v was switched on.

        Parameters
        ----------
        times : (T,) sequence of float
            Ascending, >= 0, in 1/J.

        Returns
        -------
        (T, N, N) array of complex
            Per δ.

        Raises
        ------
        InputError
            Times do not ascend from 0 or later.
        """
        found = []
        for time in arguments.ascending_times("times", times):
            step = scipy.linalg.expm(-time * self.damping)
            found.append(self.steady_change - step @ self.steady_change @ step.conj().T)
        return np.array(found)

    def current_changes(self, change: Complex) -> Currents:
        """First order of the currents out of each of Q reservoirs.

        Parameters
        ----------
        change : (N, N) array
            C_1, of `changes` or `steady_change`.

        Returns
        -------
        particle : (Q,) array
            In J per δ.
        energy : (Q,) array
            In J² per δ.
        """
        change = checked_matrix("change", change, len(self.stationary))
        particle, energy = [], []
        for contact in self.contacts:
            first = contact.filling_change - contact.damping_change @ self.stationary
            first = _doubled(first - contact.damping @ change)
            now = _doubled(contact.filling - contact.damping @ self.stationary)
            particle.append(np.trace(first).real)
            carried = np.trace(self.hamiltonian @ first) + np.trace(self.perturbation @ now)
            energy.append(carried.real)
        return Currents(np.array(particle), np.array(energy))


@dataclass(frozen=True, eq=False)
class _Contact:
    """What one contact adds to R − ih and to F, and the derivatives of both; (N, N)."""

    damping: Complex
    filling: Complex
    damping_change: Complex
    filling_change: Complex


def correlation_response(
    model: QuadraticModel, perturbation: Any, equation: str, lamb_shift: bool = False
) -> CorrelationResponse:
    """Linear response of the stationary correlations to H + δ Σ v_jk a_j†a_k.

    Parameters
    ----------
    model : QuadraticModel
        With contacts, up to 200 sites.
    perturbation : (N, N) array
        v, Hermitian, in J.
    equation : {"redfield", "davies", "local"}
        The equation of motion.
    lamb_shift : bool, default False
        With Δ and Δ^f or without.

    Returns
    -------
    CorrelationResponse
        At all times and in the long run.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), the stationary
        state is not unique, a rate has no derivative, or for Davies h has degenerate levels, which
        v may split so that there is no linear response.

    Notes
    -----
    C_1 of dC_1/dt = −(R_0C_1 + C_1R_0†) + S from C_1(0) = 0, Levy, Rabani and Limmer (2021, LRL),
    eqs. (20) and (21), for Gaussian states; derivatives of R and F by Daleckii and Krein (1965).
    Degenerate levels: LRL section III C.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> h = np.array([[0.3, 0.5], [0.5, -0.3]])
    >>> wire = mb.QuadraticModel(h, [mb.Contact(0, lead), mb.Contact(1, lead)])
    >>> response = mb.correlation_response(wire, np.diag([1.0, 0.0]), "redfield")
    >>> float(response.steady_change[0, 0].real) < 0.0  # the raised site empties
    True
    """
    arguments.instance("model", model, QuadraticModel)
    arguments.choice("equation", equation, EQUATIONS)
    arguments.boolean("lamb_shift", lamb_shift)
    n = model.n_sites
    if n > _MOST_SITES:
        raise InputError(f"{n} sites: linear response takes at most {_MOST_SITES}")
    with said_of("perturbation"):
        v = SingleParticleModel(perturbation).dense_hamiltonian().astype(np.complex128)
    if v.shape != (n, n):
        raise InputError(f"perturbation has shape {v.shape}: must be {(n, n)}")
    generator = build_generator(model, equation, lamb_shift)
    if equation == DAVIES and generator.levels[-1] + 1 < n:
        raise InputError(
            f"h has {generator.levels[-1] + 1} different levels of {n}: a perturbation splits "
            "degenerate ones, and Davies has no linear response"
        )
    stationary = steady_correlations(build_relaxation(generator)).matrix
    modes = _Modes(generator.energies, generator.vectors, v)
    contacts = tuple(
        _contact(model, q, modes, equation, lamb_shift) for q in range(len(model.contacts))
    )
    h = model.dense_hamiltonian()
    nothing = np.zeros((n, n), dtype=np.complex128)
    damping = 1j * h + sum((contact.damping for contact in contacts), nothing)
    change = 1j * v + sum((contact.damping_change for contact in contacts), nothing)
    gain = sum((contact.filling_change for contact in contacts), nothing)
    source = _doubled(gain - change @ stationary)
    steady = scipy.linalg.solve_continuous_lyapunov(damping, source)
    steady = 0.5 * (steady + steady.conj().T)
    return CorrelationResponse(stationary, steady, source, damping, contacts, h, v)


class _Modes:
    """Modes of h and what v does to them in first order."""

    def __init__(self, energies: Real, vectors: NDArray[Any], perturbation: Complex) -> None:
        self.energies, self.vectors = energies, vectors
        self.inside = vectors.conj().T @ perturbation @ vectors
        self.scale = max(float(np.ptp(energies)), float(np.abs(energies).max()), 1e-300)
        self.perturbation = perturbation

    def of_function(self, function: Function) -> tuple[Complex, Complex]:
        """g(h) and its derivative along v, (N, N) in the site basis."""
        values = np.asarray(function(self.energies))
        apart = self.energies[:, None] - self.energies
        near = np.abs(apart) <= _NEAR * self.scale
        quotients = (values[:, None] - values) / np.where(near, 1.0, apart)
        for m, k in np.argwhere(near):
            middle = 0.5 * (self.energies[m] + self.energies[k])
            quotients[m, k] = slope(function, float(middle), self.scale, _KINK)
        return self._to_sites(np.diag(values)), self._to_sites(self.inside * quotients)

    def of_levels(
        self, weights: Real, changes: Real, function: Function
    ) -> tuple[Complex, Complex]:
        """Σ_n w_n g(ω_n)|n⟩⟨n| and its derivative, when w has the derivative `changes`."""
        values = np.asarray(function(self.energies))
        slopes = np.array([slope(function, float(e), self.scale, _KINK) for e in self.energies])
        diagonal = weights * values
        moved = changes * values + weights * slopes * np.diagonal(self.inside).real
        turn = self.turn
        change = np.diag(moved) + turn * diagonal - diagonal[:, None] * turn
        return self._to_sites(np.diag(diagonal)), self._to_sites(change)

    @property
    def turn(self) -> Complex:
        """W of dV = VW: v_mn / (ω_n − ω_m) off the diagonal."""
        apart = self.energies - self.energies[:, None]
        np.fill_diagonal(apart, 1.0)
        turn = self.inside / apart
        np.fill_diagonal(turn, 0.0)
        return np.asarray(turn)

    def _to_sites(self, matrix: NDArray[Any]) -> Complex:
        return np.asarray(self.vectors @ matrix @ self.vectors.conj().T, dtype=np.complex128)


def _contact(
    model: QuadraticModel, index: int, modes: _Modes, equation: str, lamb_shift: bool
) -> _Contact:
    """½D + iΔ and ½fD + iΔ^f of one contact as functions of h, with their derivatives."""
    contact = model.contacts[index]
    site, reservoir, weight = contact.site, contact.reservoir, contact.strength**2
    found = []
    for real, imaginary in (
        (reservoir.spectrum, reservoir.shift),
        (reservoir.filled, reservoir.filled_shift),
    ):
        value, change = _operator(model, modes, site, equation, real)
        value, change = 0.5 * value, 0.5 * change
        if lamb_shift:
            shift, shift_change = _operator(model, modes, site, equation, imaginary)
            value, change = value + 1j * shift, change + 1j * shift_change
        found.append((weight * value, weight * change))
    (damping, damping_change), (filling, filling_change) = found
    return _Contact(damping, filling, damping_change, filling_change)


def _operator(
    model: QuadraticModel, modes: _Modes, site: int, equation: str, function: Function
) -> tuple[Complex, Complex]:
    """The part of one real function in R or F of a contact of strength one, and its derivative."""
    n = model.n_sites
    if equation == DAVIES:
        row = modes.vectors[site]
        weights = np.abs(row) ** 2
        changes = 2.0 * (row.conj() * (row @ modes.turn)).real
        return modes.of_levels(weights, changes, function)
    value, change = np.zeros((2, n, n), dtype=np.complex128)
    if equation == LOCAL:
        own = float(model.hamiltonian.diagonal()[site].real)
        value[site, site] = np.asarray(function(np.array([own])))[0]
        moved = modes.perturbation[site, site].real
        if moved != 0.0:
            change[site, site] = moved * slope(function, own, modes.scale, _KINK)
        return value, change
    whole, derivative = modes.of_function(function)
    value[site], change[site] = whole[site], derivative[site]
    return value, change


def _doubled(half: Complex) -> Complex:
    """X + X†."""
    return half + half.conj().T
