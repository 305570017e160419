"""Models whose Hamiltonian depends on time, given as a function or as a table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import scipy.interpolate
from numpy.typing import NDArray

from manybody.errors import InputError, InputTypeError, said_of
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.protocol import Model
from manybody.physics.models.single_particle import SingleParticleModel, checked_hamiltonian

M = TypeVar("M")


class DrivenModel(Protocol):
    """A system whose H depends on time; see `DrivenSingleParticle` and `DrivenManyBody`."""

    def at(self, time: float) -> Model:
        """The model frozen at one time."""


class TabulatedHamiltonian:
    """H(t) from matrices at some times: a cubic spline through every entry.

    Parameters
    ----------
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J; T >= 2.
    matrices : sequence of T (N, N) arrays
        Hermitian, in J.

    Attributes
    ----------
    uncertainty : float
        The largest ‖δH‖₂ in J that the numbers of a matrix leave open, see `SingleParticleModel`;
        how far the spline is from what is meant between the times is not known.

    Raises
    ------
    InputError
        Times do not ascend, matrices are not Hermitian or of different shapes, their numbers
        differ; when called, a time outside of the table.

    Notes
    -----
    The third derivative is continuous at the second time and at the last but one (not-a-knot
    ends): two matrices are joined by a straight line, three by a parabola.  Between the times
    H(t) is as Hermitian as the matrices, to the last bit, but as smooth as a spline: a jump
    between two entries would overshoot, and belongs into a function.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> ramp = mb.TabulatedHamiltonian([0.0, 10.0], [np.diag([0.0, 1.0]), np.diag([0.0, 3.0])])
    >>> float(ramp(2.5)[1, 1])
    1.5
    """

    def __init__(self, times: Iterable[float], matrices: Iterable[Any]) -> None:
        self.times = arguments.ascending_times("times", times)
        given = arguments.entries("matrices", matrices, "a sequence of (N, N)")
        entries = [_entry(index, one) for index, one in enumerate(given)]
        if len(entries) != len(self.times):
            raise InputError(f"{len(entries)} matrices for {len(self.times)} times: one each")
        if len(entries) < 2:
            raise InputError("a table of one time says nothing of others: at least two are needed")
        for index, (matrix, _) in enumerate(entries):
            if matrix.shape != entries[0][0].shape:
                raise InputError(
                    f"matrices[{index}] has shape {matrix.shape}, matrices[0] "
                    f"{entries[0][0].shape}: must be the same"
                )
        self.uncertainty = max(uncertainty for _, uncertainty in entries)
        stacked = np.stack([matrix for matrix, _ in entries])
        self._spline = scipy.interpolate.CubicSpline(self.times, stacked)

    def __call__(self, time: float) -> NDArray[Any]:
        """H at one time within the table.

        Parameters
        ----------
        time : float
            In 1/J.

        Returns
        -------
        (N, N) array
            H(t) in J.

        Raises
        ------
        InputError
            The time lies outside of the table.
        """
        first, last = self.times[[0, -1]]
        if not first <= arguments.real("time", time) <= last:
            raise InputError(f"time = {float(time):g}: the table goes from {first:g} to {last:g}")
        value = self._spline(time)
        matrix: NDArray[Any] = 0.5 * (value + value.conj().T)
        return matrix


@dataclass(frozen=True, eq=False)
class DrivenSingleParticle:
    """One particle on N sites whose hopping matrix depends on time, a bath on coupled sites.

    H(t) = Σ_jk h_jk(t) a_j† a_k restricted to one particle, A_j = |j⟩⟨j|.

    Parameters
    ----------
    hamiltonian : callable
        h of the time in 1/J, (N, N) Hermitian in J, of one N; or a `TabulatedHamiltonian`.
    coupled_sites : sequence of int or None, default None
        As of `SingleParticleModel`, which checks each h(t) when it is met, the first one at once.

    Raises
    ------
    InputError
        The function does not return a Hermitian matrix, or a site does not exist.

    Notes
    -----
    For `compare_driven`; Shiraishi, Nakagawa and Mori (2025), eq. (14), docs/physics.md section 6.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> h = lambda t: np.array([[0.0, 1.0], [1.0, 0.3 * np.sin(t)]])
    >>> model = mb.DrivenSingleParticle(h)
    >>> model.at(0.0).n_sites
    2
    """

    hamiltonian: Callable[[float], Any]
    coupled_sites: Any = None

    def __post_init__(self) -> None:
        _check_function(self.hamiltonian)
        # Checked with the first h there is, which says how many sites there are.
        object.__setattr__(self, "coupled_sites", _first(self).coupled_sites)

    def at(self, time: float) -> SingleParticleModel:
        """The model frozen at one time.

        Parameters
        ----------
        time : float
            In 1/J.

        Returns
        -------
        SingleParticleModel
            Of h(t).
        """
        return _frozen(self.hamiltonian, time, SingleParticleModel, self.coupled_sites)


@dataclass(frozen=True, eq=False)
class DrivenManyBody:
    """Any system of D states whose Hamiltonian depends on time, its couplings A_j do not.

    Parameters
    ----------
    hamiltonian : callable
        H of the time in 1/J, (D, D) Hermitian in J; or a `TabulatedHamiltonian`.
    couplings : (baths, D) array or sequence of (D, D) arrays
        The A_j as of `ManyBodyModel`, which checks each H(t) when it is met.
    basis : FockBasis or None, default None
        As of `ManyBodyModel`.

    Raises
    ------
    InputError
        The function does not return a Hermitian matrix, or sizes do not agree.

    Notes
    -----
    For `compare_driven`; Shiraishi, Nakagawa and Mori (2025), eq. (14), docs/physics.md section 6.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> flip = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> model = mb.DrivenManyBody(lambda t: np.diag([-t, t]), [flip])
    >>> model.at(2.0).dimension
    2
    """

    hamiltonian: Callable[[float], Any]
    couplings: Any
    basis: FockBasis | None = None

    def __post_init__(self) -> None:
        _check_function(self.hamiltonian)
        # Checked with the first H there is, which says how many states they act on.
        object.__setattr__(self, "couplings", _first(self).couplings)

    def at(self, time: float) -> ManyBodyModel:
        """The model frozen at one time.

        Parameters
        ----------
        time : float
            In 1/J.

        Returns
        -------
        ManyBodyModel
            Of H(t).
        """
        return _frozen(self.hamiltonian, time, ManyBodyModel, self.couplings, self.basis)


def _first(model: Any) -> Any:
    """A driven model frozen at the first time of its table, or at 0."""
    function = model.hamiltonian
    is_table = isinstance(function, TabulatedHamiltonian)
    return model.at(float(function.times[0]) if is_table else 0.0)


def _entry(index: int, matrix: Any) -> tuple[NDArray[Any], float]:
    """A matrix of a table as an array, and what its numbers leave open."""
    with said_of(f"matrices[{index}]"):
        checked, uncertainty = checked_hamiltonian(matrix)
    dense: NDArray[Any] = checked.toarray() if hasattr(checked, "toarray") else checked
    return dense, uncertainty


def _check_function(hamiltonian: object) -> None:
    # A `Qobj` can be called, but not with a time.
    if not callable(hamiltonian) or hasattr(hamiltonian, "full"):
        raise InputTypeError(
            f"hamiltonian of type {type(hamiltonian).__name__}: a function of time or a "
            "TabulatedHamiltonian is needed"
        )


def uncertainty_of_table(hamiltonian: object) -> float | None:
    """‖δH‖₂ that the numbers of a table leave open; None for what the value itself says."""
    return hamiltonian.uncertainty if isinstance(hamiltonian, TabulatedHamiltonian) else None


def _frozen(
    hamiltonian: Callable[[float], Any], time: float, build: Callable[..., M], *rest: Any
) -> M:
    """The model that `build` makes of H(t) and the rest; what is wrong is said with the time."""
    # Handed on as it is: another type of number may have another last bit.
    with said_of(f"at t = {arguments.real('time', time):g}"):
        return build(hamiltonian(time), *rest, uncertainty=uncertainty_of_table(hamiltonian))
