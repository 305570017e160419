"""What a model of any number of particles is to everything that computes with it."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from manybody.physics.couplings import Couplings


class Model(Protocol):
    """A Hamiltonian of D states and the operators that couple to baths; for one particle D = N.

    See `SingleParticleModel` and `ManyBodyModel`, which say what the members mean.

    Examples
    --------
    >>> import manybody as mb
    >>> model = mb.dirac_syk2(n_sites=4)
    >>> model.dimension, model.n_sites, model.is_real
    (4, 4, False)
    """

    @property
    def hamiltonian(self) -> Any:
        """Array or SciPy sparse array, (D, D), Hermitian, in J."""

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
        """Whether H is real in the working basis."""

    @property
    def uncertainty(self) -> float:
        """How far ‖δH‖₂ is beyond double precision, in J."""

    @property
    def name(self) -> str:
        """What a report calls it."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its own parameters, by name."""

    def dense_hamiltonian(self) -> NDArray[Any]:
        """Dense H.

        Returns
        -------
        (D, D) array
            Real or complex, in J.
        """
