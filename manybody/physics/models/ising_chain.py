"""The Ising chain in a transverse and a longitudinal field."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis
from manybody.physics.keys import Key
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.lattices import BOUNDARIES, Chain
from manybody.physics.models.many_body import ManyBodyModel, Term
from manybody.physics.models.occupations import Terms, stored
from manybody.physics.models.single_particle import Seed


def ising_chain(
    n_sites: int,
    coupling: float = 1.0,
    transverse: float = 1.05,
    longitudinal: float = 0.5,
    disorder: float = 0.0,
    boundary: str = "open",
    seed: Seed = 0,
) -> ManyBodyModel:
    """Ising chain, H = Σ_⟨ij⟩ J σ_i^z σ_j^z + Σ_j [h_x σ_j^x + (h_z + w_j) σ_j^z].

    w_j is uniform in [−W, W].

    Parameters
    ----------
    n_sites : int
        N >= 1.
    coupling : float, default 1.0
        J, an energy.
    transverse : float, default 1.05
        h_x, an energy in the unit of J.
    longitudinal : float, default 0.5
        h_z, an energy in the unit of J.
    disorder : float, default 0.0
        W >= 0, in the unit of J.
    boundary : {"open", "periodic"}, default "open"
        Of the chain; periodic at N = 2 the bond counts once.
    seed : int, sequence of ints or Generator, default 0
        Of the w_j.

    Returns
    -------
    ManyBodyModel
        Of D = 2^N states with A_j = σ_j^z, one bath a site; σ_j^z = 2n_j − 1 is 1 where site j is
        occupied, and states ascend in Σ_j n_j 2^j: site 0 turns fastest.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    The defaults (J, h_x, h_z) = (1, 1.05, ½) are the chaotic point of Bañuls, Cirac and
    Hastings, PRL 106, 050405 (2011), who write h_x = −1.05: a turn by π about z changes its sign
    and nothing else.  Without disorder the chain has reflection symmetry (and translations where
    periodic), so that its levels are statistics of several sectors.  See docs/physics.md
    section 10.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.ising_chain(n_sites=4).dimension
    16
    """
    chain = Chain(arguments.integer("n_sites", n_sites, 1), boundary)
    coupling = arguments.real("coupling", coupling)
    transverse = arguments.real("transverse", transverse)
    longitudinal = arguments.real("longitudinal", longitudinal)
    disorder = arguments.real("disorder", disorder, minimum=0.0)
    energies = longitudinal + disorder * arguments.seed(seed).uniform(-1.0, 1.0, n_sites)
    basis = FockBasis(n_sites, "boson", max_occupation=1)
    spins = IsingSpins(basis, chain.bonds(), coupling, transverse, energies)
    return ManyBodyModel(
        spins.hamiltonian(),
        spins.values,
        basis=basis,
        name="ising_chain",
        parameters={
            "n_sites": n_sites,
            "coupling": coupling,
            "transverse": transverse,
            "longitudinal": longitudinal,
            "disorder": disorder,
            "boundary": boundary,
        },
        lattice=chain,
        terms=spins.terms,
    )


@dataclass(frozen=True, eq=False)
class IsingSpins:
    """H = Σ_⟨ij⟩ J σ_i^z σ_j^z + Σ_j [h_x σ_j^x + h_j σ_j^z], and its terms: bonds, then sites.

    basis: all states of N spins; bonds: (M, 2) sites; longitudinal: (N,) h_j.
    """

    basis: FockBasis
    bonds: NDArray[np.intp]
    coupling: float
    transverse: float
    longitudinal: Real

    @cached_property
    def values(self) -> Real:
        """(N, D) ±1, σ_j^z in every state."""
        return np.ascontiguousarray(2.0 * self.basis.occupations.T - 1.0)

    def hamiltonian(self) -> Any:
        """(D, D) H, CSR, or an array where little of it is zero."""
        energies = self.longitudinal @ self.values
        for i, j in self.bonds:
            energies += self.coupling * self.values[i] * self.values[j]
        return stored(self._matrix(energies, range(self.basis.n_modes)))

    @cached_property
    def terms(self) -> Terms:
        """Of the bonds in their order, sites (i, j), then of the sites, (j,)."""
        return Terms(len(self.bonds) + self.basis.n_modes, self._term)

    def _term(self, index: int) -> Term:
        if index < len(self.bonds):
            i, j = map(int, self.bonds[index])
            energies = self.coupling * self.values[i] * self.values[j]
            return Term((i, j), self._matrix(energies, ()))
        site = index - len(self.bonds)
        return Term((site,), self._matrix(self.longitudinal[site] * self.values[site], (site,)))

    def _matrix(self, energies: Real, flipped: Any) -> sp.csr_array:
        """diag(energies) + h_x Σ σ_j^x over some of the sites."""
        states = np.arange(self.basis.dimension)
        columns = [states, *(states ^ (1 << site) for site in flipped)]
        values = [energies, *(np.full(len(states), self.transverse) for _ in flipped)]
        rows = np.tile(states, len(columns))
        place = (rows, np.concatenate(columns))
        matrix = sp.csr_array((np.concatenate(values), place), shape=(len(states),) * 2)
        matrix.eliminate_zeros()
        return matrix


class IsingChain(Family):
    """Samples of `ising_chain`."""

    name = "ising_chain"
    title = "Ising chain"
    reals: Mapping[str, float | None] = {
        "coupling": 1.0,
        "transverse": 1.05,
        "longitudinal": 0.5,
        "disorder": 0.0,
    }
    words: Mapping[str, tuple[str, tuple[str, ...]]] = {"boundary": ("open", BOUNDARIES)}
    meanings: Mapping[str, Key] = {
        "coupling": Key(
            "J, the coupling of neighbours; the unit of all energies where it is 1", "J"
        ),
        "transverse": Key("h_x, the transverse field", "J"),
        "longitudinal": Key("h_z, the longitudinal field", "J"),
        "disorder": Key("W >= 0: longitudinal fields are uniform in h_z + [−W, W]", "J"),
    }
    shape = Chain
    is_real = True
    hamiltonian = (
        "H = Σ_⟨ij⟩ J σ_i^z σ_j^z + Σ_j [h_x σ_j^x + (h_z + w_j) σ_j^z], w_j uniform in [−W, W]"
    )
    build = staticmethod(ising_chain)

    def basis(self, size: int, parameters: Parameters) -> FockBasis:
        """Of the spins."""
        return FockBasis(size, "boson", max_occupation=1)

    def has_terms(self, parameters: Parameters) -> bool:
        """Of bonds and sites."""
        return True

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """Root of the sum of squares of what J, h_x, h_z and W have alone.

        Within 2 % at the defaults for N = 4 to 10, 10 % where one of the fields is 0.
        """
        given = self.with_defaults(parameters)
        n_bonds = len(Chain(size, given["boundary"]).bonds())
        parts = (
            2.0 * given["coupling"] * n_bonds,
            2.0 * given["transverse"] * size,
            2.0 * given["longitudinal"] * size,
            given["disorder"] * size,
        )
        return float(np.linalg.norm(parts))
