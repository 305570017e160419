"""Response of steady states to a step, and response functions, by dense algebra; LRL section III.

ρ(t) = π_0 + δρ_1(t) + O(δ²) after δV is switched on at t = 0.  Everything follows from
L_1π_0: ρ_1(t) = ∫_0^t e^{L_0τ} L_1π_0 dτ, (21), and φ_A(τ) = ⟨L_1†A(τ)⟩ = tr(A e^{L_0τ} L_1π_0),
(23).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from manybody.arrays import Complex, Real
from manybody.physics import arguments
from manybody.physics.fock.of_model import states_of_model
from manybody.physics.fock.small_systems import stationary_state
from manybody.physics.models.matrices import checked_matrix
from manybody.physics.models.protocol import Model
from manybody.physics.response.perturbed import PerturbedGenerator, build_perturbed_generator


@dataclass(frozen=True, eq=False)
class LinearResponse:
    """Response of the steady state of L_0 to δV, LRL eqs. (20) to (24).

    perturbed: L_0 and L_1, from `linear_response`.  All matrices are (D, D) complex in the
    occupation basis (that of the sites for one particle), states without a unit, sources in J,
    first orders per δ.  Raises ValueError from any property unless L_0 has exactly one stationary
    state, or above 64 states.
    """

    perturbed: PerturbedGenerator

    @cached_property
    def stationary(self) -> Complex:
        """(D, D) π_0."""
        return stationary_state(self.perturbed.generator)

    @cached_property
    def commutator_source(self) -> Complex:
        """(D, D) −i[V, π_0] in J, the first part of L_1π_0."""
        return self.perturbed.commute(self.stationary)

    @cached_property
    def dissipator_sources(self) -> Complex:
        """(n_couplings, D, D) D_1^jπ_0 in J, the part that each bath adds to L_1π_0."""
        parts = [
            self.perturbed.dissipate(j, self.stationary) for j in range(self.perturbed.n_couplings)
        ]
        return np.array(parts).reshape(-1, *self.stationary.shape)

    @cached_property
    def source(self) -> Complex:
        """(D, D) L_1π_0 in J, (20)."""
        source: Complex = self.commutator_source + self.dissipator_sources.sum(axis=0)
        return source

    @cached_property
    def steady_change(self) -> Complex:
        """(D, D) ρ_1(∞), L_0ρ_1 = −L_1π_0 with tr ρ_1 = 0; Hermitian."""
        size = float(np.abs(self._liouvillian).max())
        unit = np.eye(len(self.stationary)).ravel()
        # The rank-one term lifts the zero of L_0; neither side has a trace.
        lifted = self._liouvillian - size * np.outer(self.stationary.ravel(), unit)
        change = np.linalg.solve(lifted, -self.source.ravel()).reshape(self.stationary.shape)
        return np.asarray(0.5 * (change + change.conj().T))

    def changes(self, times: ArrayLike) -> Complex:
        """(T, D, D) ρ_1(t) of (21) at ascending times >= 0 in 1/J, Hermitian, of trace 0.

        Raises TypeError or ValueError.
        """
        instants = arguments.ascending_times("times", times)
        dimension = len(self.stationary)
        size = dimension**2
        # d(ρ_1, 1)/dt = (L_0ρ_1 + L_1π_0, 0).
        extended = np.zeros((size + 1, size + 1), dtype=np.complex128)
        extended[:size, :size] = self._liouvillian
        extended[:size, size] = self.source.ravel()
        start = np.zeros(size + 1, dtype=np.complex128)
        start[size] = 1.0
        states = _propagated(extended, start[:, None], instants)[:, :size, 0]
        changes = states.reshape(len(instants), dimension, dimension)
        return np.asarray(0.5 * (changes + changes.conj().swapaxes(1, 2)))

    def response_function(self, observable: Any, times: ArrayLike) -> tuple[Real, Real]:
        """φ^(1,1) and φ^(1,2) of (24), (T,) each, of a Hermitian (D, D) A at times >= 0.

        Their sum is φ_A of (23): from −i[V, π_0], and from what the baths add, in the unit of A
        times J.  observable: array or SciPy sparse array; times: ascending, in 1/J.  Raises
        TypeError or ValueError.
        """
        instants = arguments.ascending_times("times", times)
        size = self.stationary.size
        sources = np.stack([self.commutator_source, self.dissipator_sources.sum(axis=0)])
        columns = sources.reshape(2, size).T
        states = _propagated(self._liouvillian, columns, instants)
        weights = self.observable_row(observable)
        values = np.einsum("a,tas->st", weights, states).real
        return values[0], values[1]

    def observable_row(self, observable: Any) -> Complex:
        """(D²,) w with tr(Aρ) = w · vec(ρ).  Raises ValueError."""
        matrix = checked_matrix("observable", observable, len(self.stationary))
        return np.asarray(matrix.T.ravel(), dtype=np.complex128)

    @cached_property
    def _liouvillian(self) -> Complex:
        return self.perturbed.generator.toarray()


def linear_response(
    model: Model,
    bath: Any,
    perturbation: Any,
    equation: str = "redfield",
    lamb_shift: bool = False,
    fixed_dissipator: bool = False,
) -> LinearResponse:
    """Response of the steady state to H + δV, with baths that follow it; LRL section III.

    ρ_1 of L_0ρ_1 = −L_1π_0, LRL eqs. (20) to (24), L_1 with the derivatives of the rates.

    model: of 2 to 64 states; bath: one for all couplings, or a sequence of one for each, of
    temperatures of their own; perturbation: V, (D, D) Hermitian array or SciPy sparse array, in
    J; equation: "redfield" or "davies"; fixed_dissipator: as if the baths did not notice V.
    Raises TypeError or ValueError: for Davies where V splits degenerate levels or Bohr
    frequencies, and where a rate has no derivative, as an Ohmic γ at ω = 0 with V diagonal in
    degenerate levels.  The properties of the result raise ValueError where the stationary state
    is not unique.

    >>> import numpy as np
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel(np.array([[0.3, 0.5], [0.5, -0.3]]))
    >>> bath = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=1.0)
    >>> response = mb.linear_response(pair, bath, np.diag([1.0, -1.0]), "davies")
    >>> float(np.diag(response.steady_change)[0].real) < 0.0  # the raised site empties
    True
    """
    arguments.choice("equation", equation, ("redfield", "davies"))
    states, couplings = states_of_model(model, bath, lamb_shift)
    return LinearResponse(
        build_perturbed_generator(
            states, couplings, perturbation, equation, lamb_shift, fixed_dissipator
        )
    )


def _propagated(matrix: Complex, columns: Complex, times: Real) -> Complex:
    """(T, n, columns) e^{Mt} applied to columns, one exponential for each different step."""
    states = np.empty((len(times), *columns.shape), dtype=np.complex128)
    now, interval = 0.0, np.nan
    step = np.eye(len(matrix), dtype=np.complex128)
    for index, time in enumerate(times):
        if time > now:
            # Equal steps of a grid differ by the rounding of its times.
            if not abs(time - now - interval) <= 4.0 * np.finfo(np.float64).eps * time:
                interval = time - now
                step = scipy.linalg.expm(matrix * interval)
            columns, now = step @ columns, float(time)
        states[index] = columns
    return states
