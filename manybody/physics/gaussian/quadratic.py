"""Quadratic models whose sites exchange particles with reservoirs by linear coupling."""

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
    """One site that exchanges particles with one reservoir, SNM eq. (4).

    H_int = J_q Σ_k g_k (a_q† d_k + h.c.), D(ω) = 2π Σ_k g_k² δ(ω − ω_k).

    site: q >= 0; reservoir: D, f and their transforms, see `Reservoir`;
    strength: J_q, real; only its square enters.
    Raises TypeError or ValueError.
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
    """H = Σ_jk h_jk a_j† a_k with contacts on some of its sites, SNM eqs. (1) and (4).

    hamiltonian: h, (N, N) array or SciPy sparse array, Hermitian, energies in J.
        Stored read-only, real if it has no imaginary part.
    contacts: any number of `Contact`, several on one site allowed; none: closed system.
    statistics: "fermion" or "boson", of the system and of every reservoir.
    uncertainty: ‖δH‖₂ in J, see `SingleParticleModel`.

    Raises TypeError or ValueError; for bosons also when a chemical potential is not
    below the lowest level of h, or above the lower edge of its reservoir.
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
        """(n_contacts,) the site of each contact."""
        return np.array([contact.site for contact in self.contacts], dtype=np.intp)

    @property
    def coupled(self) -> NDArray[np.bool_]:
        """(N,) True where a contact of non-zero strength sits."""
        mask = np.zeros(self.n_sites, dtype=bool)
        mask[[contact.site for contact in self.contacts if contact.strength != 0.0]] = True
        return mask

    def dense_hamiltonian(self) -> NDArray[Any]:
        """(N, N) dense h, real or complex; a fresh array for sparse models."""
        given = self.hamiltonian
        dense: NDArray[Any] = given.toarray() if sp.issparse(given) else given
        return dense


def from_single_particle(
    model: SingleParticleModel | Matrix, reservoir: Any, strength: float = 1.0
) -> QuadraticModel:
    """The many-particle model of the same h, an equal contact on every coupled site of `model`.

    Every site has its own reservoir; all are in the state and of the density of `reservoir`.
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
