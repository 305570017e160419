"""Quadratic models whose sites exchange particles with reservoirs by linear coupling.

SNM is a paper that docs/physics.md names.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import ReadOnly
from manybody.errors import InputError, InputTypeError, shown
from manybody.physics import arguments
from manybody.physics.models.given import Matrix, one_particle
from manybody.physics.models.single_particle import SingleParticleModel

FERMION, BOSON = "fermion", "boson"
STATISTICS = (FERMION, BOSON)
# What a reservoir of linear coupling must offer; see manybody.physics.baths.reservoirs.
_METHODS = ("spectrum", "occupation", "filled", "shift", "filled_shift")
_ATTRIBUTES = ("beta", "chemical_potential", "statistics")


@dataclass(frozen=True)
class Contact:
    """One site that exchanges particles with one reservoir, H_int = J_q Σ_k g_k (a_q† d_k + h.c.).

    Parameters
    ----------
    site : int
        q >= 0.
    reservoir : Reservoir
        D(ω) = 2π Σ_k g_k² δ(ω − ω_k), f and their transforms; or any object with the same members.
    strength : float, default 1.0
        J_q, real; only its square enters.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eq. (4); docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> mb.Contact(0, lead).strength
    1.0
    """

    site: int
    reservoir: Any
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", arguments.integer("site", self.site, 0))
        object.__setattr__(self, "strength", arguments.real("strength", self.strength))
        callables = all(callable(getattr(self.reservoir, name, None)) for name in _METHODS)
        if not callables or not all(hasattr(self.reservoir, name) for name in _ATTRIBUTES):
            raise InputTypeError(
                f"reservoir = {shown(self.reservoir)}: a reservoir with "
                f"{', '.join(_METHODS + _ATTRIBUTES)} is needed"
            )


@dataclass(frozen=True, eq=False)
class QuadraticModel(ReadOnly):
    """Quadratic model H = Σ_jk h_jk a_j† a_k with contacts on some of its sites.

    Parameters
    ----------
    hamiltonian : (N, N) array
        h, Hermitian, energies in J: an array or a SciPy sparse array.  Stored read-only, real if
        it has no imaginary part.
    contacts : sequence of Contact, default ()
        Any number, several on one site allowed; none: closed system.
    statistics : {"fermion", "boson"}, default "fermion"
        Of the system and of every reservoir.
    uncertainty : float or None, default None
        ‖δH‖₂ in J, see `SingleParticleModel`.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too); for bosons also
        when a chemical potential is not below the lowest level of h, or above the lower edge of
        its reservoir.

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eqs. (1) and (4); docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> wire = mb.QuadraticModel([[0.3, 0.5], [0.5, -0.3]], [mb.Contact(0, lead)])
    >>> wire.n_sites, wire.coupled
    (2, array([ True, False]))
    """

    hamiltonian: Any
    contacts: tuple[Contact, ...] = ()
    statistics: str = FERMION
    uncertainty: Any = None

    def __post_init__(self) -> None:
        # One set of checks for all Hamiltonians.
        checked = SingleParticleModel(self.hamiltonian, uncertainty=self.uncertainty)
        object.__setattr__(self, "hamiltonian", checked.hamiltonian)
        object.__setattr__(self, "uncertainty", checked.uncertainty)
        object.__setattr__(self, "contacts", checked_contacts(self.contacts, self.statistics))
        for contact in self.contacts:
            if contact.site >= self.n_sites:
                raise InputError(
                    f"contact on site {contact.site}: allowed are 0 to {self.n_sites - 1}"
                )
        if self.statistics == BOSON and self.contacts:
            _check_boson_levels(self)

    @property
    def n_sites(self) -> int:
        """Number of sites N."""
        return int(self.hamiltonian.shape[0])

    @property
    def sites(self) -> NDArray[np.intp]:
        """Site of each contact, (n_contacts,)."""
        return np.array([contact.site for contact in self.contacts], dtype=np.intp)

    @property
    def coupled(self) -> NDArray[np.bool_]:
        """Mask of the sites with a contact of non-zero strength, (N,)."""
        mask = np.zeros(self.n_sites, dtype=bool)
        mask[[contact.site for contact in self.contacts if contact.strength != 0.0]] = True
        return mask

    def dense_hamiltonian(self) -> NDArray[Any]:
        """Dense h, a fresh array for sparse models.

        Returns
        -------
        (N, N) array
            Real or complex, in J.
        """
        given = self.hamiltonian
        dense: NDArray[Any] = given.toarray() if sp.issparse(given) else given
        return dense


def from_single_particle(
    model: SingleParticleModel | Matrix, reservoir: Any, strength: float = 1.0
) -> QuadraticModel:
    """The many-particle model of the same h, an equal contact on every coupled site.

    Parameters
    ----------
    model : SingleParticleModel
        Whose h and coupled sites are taken.
    reservoir : Reservoir
        Every site has its own; all are in the state and of the density of this one.
    strength : float, default 1.0
        J_q of all contacts.

    Returns
    -------
    QuadraticModel
        Of the statistics of the reservoir.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    With equal contacts on all sites Redfield and Davies are one equation: Shiraishi, Nakagawa and
    Mori (2025), eq. (12); docs/physics.md section 6.

    Examples
    --------
    >>> import manybody as mb
    >>> lead = mb.Reservoir(mb.SemiEllipticDensity(height=0.1, half_width=4.0), beta=1.0)
    >>> len(mb.from_single_particle(mb.dirac_syk2(n_sites=4), lead).contacts)
    4
    """
    system = one_particle(model)
    contacts = tuple(
        Contact(int(site), reservoir, strength) for site in np.flatnonzero(system.coupled)
    )
    return QuadraticModel(
        system.hamiltonian, contacts, reservoir.statistics, uncertainty=system.uncertainty
    )


def checked_contacts(value: Any, statistics: str) -> tuple[Contact, ...]:
    """`value` as a tuple of contacts with reservoirs of these statistics.

    Raises TypeError or ValueError.
    """
    arguments.choice("statistics", statistics, STATISTICS)
    contacts = tuple(arguments.entries("contacts", value, "a sequence of Contact"))
    for contact in contacts:
        arguments.instance("contacts entry", contact, Contact)
        reservoir = contact.reservoir
        if reservoir.statistics != statistics:
            raise InputError(
                f"the reservoir on site {contact.site} has statistics "
                f"{reservoir.statistics!r}, the model {statistics!r}: they must agree"
            )
        support = getattr(getattr(reservoir, "density", None), "support", None)
        if statistics == BOSON and support and reservoir.chemical_potential > support[0]:
            raise InputError(
                f"chemical_potential = {reservoir.chemical_potential:g} of the bosonic reservoir "
                f"on site {contact.site}: must not lie above its lowest level, {support[0]:g}"
            )
    return contacts


def _check_boson_levels(model: QuadraticModel) -> None:
    """Bosons need every level of h above every chemical potential."""
    largest = max(contact.reservoir.chemical_potential for contact in model.contacts)
    matrix = model.dense_hamiltonian()
    try:
        # Exists for positive definite matrices alone, and costs a fraction of the levels.
        scipy.linalg.cholesky(matrix - largest * np.eye(model.n_sites))
    except scipy.linalg.LinAlgError:
        lowest = float(scipy.linalg.eigvalsh(matrix, subset_by_index=(0, 0))[0])
        raise InputError(
            f"chemical_potential = {largest:g} of a bosonic reservoir: must lie below the "
            f"lowest level of the Hamiltonian, {lowest:g}"
        ) from None
