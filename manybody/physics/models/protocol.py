"""What a model of any number of particles is to everything that computes with it."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from manybody.physics.couplings import Couplings


class Model(Protocol):
    """A Hamiltonian of D states and the operators that couple to baths; for one particle D = N.

    See `SingleParticleModel` and `ManyBodyModel`, which say what the members mean.
    """

    @property
    def hamiltonian(self) -> Any:
        """(D, D) array or SciPy sparse array."""

    @property
    def couplings(self) -> Couplings:
        """The A_j."""

    @property
    def dimension(self) -> int:
        """Number of states D."""

    @property
    def n_sites(self) -> int:
        """Number of sites N."""

    @property
    def is_real(self) -> bool:
        """Whether H is, in the working basis."""

    @property
    def uncertainty(self) -> float:
        """‖δH‖₂ beyond double precision, in J."""

    @property
    def name(self) -> str:
        """What a report calls it."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its own, by name."""

    def dense_hamiltonian(self) -> NDArray[Any]:
        """(D, D) dense H."""
