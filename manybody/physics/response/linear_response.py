"""Response of steady states to a step, and response functions, by dense algebra; LRL section III.

ρ(t) = π_0 + δρ_1(t) + O(δ²) after δV is switched on at t = 0.  Everything follows from
L_1π_0: ρ_1(t) = ∫_0^t e^{L_0τ} L_1π_0 dτ, (21), and φ_A(τ) = ⟨L_1†A(τ)⟩ = tr(A e^{L_0τ} L_1π_0),
(23).

LRL is a paper that docs/physics.md names.
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
    """Response of the steady state of L_0 to δV.

    All matrices are (D, D) complex in the occupation basis (that of the sites for one particle),
    states without a unit, sources in J, first orders per δ.

    Parameters
    ----------
    perturbed : object
        L_0 and L_1, as `linear_response` makes them.

    Raises
    ------
    InputError
        From any property, unless L_0 has exactly one stationary state, or above 64 states.

    Notes
    -----
    Levy, Rabani and Limmer (2021), eqs. (20) to (24).

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> pair = mb.SingleParticleModel([[0.3, 0.5], [0.5, -0.3]])
    >>> response = mb.linear_response(pair, mb.OhmicBath(0.2, 10.0, 1.0), np.diag([1.0, -1.0]))
    >>> from_h, from_baths = response.response_function(np.diag([1.0, 0.0]), [0.0, 1.0])
    >>> from_h.shape
    (2,)
    """

    perturbed: PerturbedGenerator

    @cached_property
    def stationary(self) -> Complex:
        """Stationary state π_0, (D, D)."""
        return stationary_state(self.perturbed.generator)

    @cached_property
    def commutator_source(self) -> Complex:
        """First part −i[V, π_0] of L_1π_0, (D, D), in J."""
        return self.perturbed.commute(self.stationary)

    @cached_property
    def dissipator_sources(self) -> Complex:
        """What each bath adds to L_1π_0, D_1^jπ_0, (n_couplings, D, D), in J."""
        parts = [
            self.perturbed.dissipate(j, self.stationary) for j in range(self.perturbed.n_couplings)
        ]
        return np.array(parts).reshape(-1, *self.stationary.shape)

    @cached_property
    def source(self) -> Complex:
        """Source L_1π_0, (D, D), in J."""
        source: Complex = self.commutator_source + self.dissipator_sources.sum(axis=0)
        return source

    @cached_property
    def steady_change(self) -> Complex:
        """First order ρ_1(∞), (D, D), L_0ρ_1 = −L_1π_0 with tr ρ_1 = 0; Hermitian."""
        size = float(np.abs(self._liouvillian).max())
        unit = np.eye(len(self.stationary)).ravel()
        # The rank-one term lifts the zero of L_0; neither side has a trace.
        lifted = self._liouvillian - size * np.outer(self.stationary.ravel(), unit)
        change = np.linalg.solve(lifted, -self.source.ravel()).reshape(self.stationary.shape)
        return np.asarray(0.5 * (change + change.conj().T))

    def changes(self, times: ArrayLike) -> Complex:
        """First order ρ_1(t) after V was switched on.

        Parameters
        ----------
        times : (T,) sequence of float
            Ascending, >= 0, in 1/J.

        Returns
        -------
        (T, D, D) array of complex
            Hermitian, of trace 0, per δ.

        Raises
        ------
        InputError
            Times do not ascend from 0 or later.

        Notes
        -----
        Levy, Rabani and Limmer (2021), eq. (21).
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
        """Response functions φ^(1,1) and φ^(1,2) of a Hermitian observable A.

        Parameters
        ----------
        observable : (D, D) array
            A, an array or a SciPy sparse array.
        times : (T,) sequence of float
            Ascending, >= 0, in 1/J.

        Returns
        -------
        first : (T,) array
            From −i[V, π_0], in the unit of A times J.
        second : (T,) array
            From what the baths add; the sum of both is φ_A.

        Raises
        ------
        InputError
            An argument is out of range or of a wrong type (then a `TypeError` too).

        Notes
        -----
        Levy, Rabani and Limmer (2021), eqs. (23) and (24).
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
        """Row w with tr(Aρ) = w · vec(ρ).

        Parameters
        ----------
        observable : (D, D) array
            A, Hermitian, an array or a SciPy sparse array.

        Returns
        -------
        (D²,) array of complex
            The row w.

        Raises
        ------
        InputError
            A has another shape or is not Hermitian.
        """
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
    """Response of the steady state to H + δV, with baths that follow it.

    Parameters
    ----------
    model : Model
        Of 2 to 64 states.
    bath : Bath or sequence of Bath
        One for all couplings, or one for each, of temperatures of their own.
    perturbation : (D, D) array
        V, Hermitian, an array or a SciPy sparse array, in J.
    equation : {"redfield", "davies"}, default "redfield"
        The master equation.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    fixed_dissipator : bool, default False
        As if the baths did not notice V.

    Returns
    -------
    LinearResponse
        Its properties raise InputError where the stationary state is not unique.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), V splits
        degenerate levels or Bohr frequencies of Davies, or a rate has no derivative, as an Ohmic γ
        at ω = 0 with V diagonal in degenerate levels.

    Notes
    -----
    Levy, Rabani and Limmer (2021), section III: ρ_1 of L_0ρ_1 = −L_1π_0, eqs. (20) to (24), L_1
    with the derivatives of the rates.

    Examples
    --------
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
