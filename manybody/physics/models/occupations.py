"""Particles of hard core on the sites of a graph: what models of them have in common.

H = Σ_⟨ij⟩ [t (a_i†a_j + h.c.) + V (n_i − c)(n_j − c)] + Σ_j w_j n_j, each bond once, of fermions
or of bosons that exclude each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError, shown
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, hops, one_body_operator
from manybody.physics.models.lattices import Lattice
from manybody.physics.models.many_body import ManyBodyModel, Term

HALF = "half"
# Share of non-zero elements from which a dense array is the smaller one.
_DENSE_ABOVE = 1.0 / 3.0


def particle_number(value: object, n_sites: int) -> int | None:
    """Number of particles on `n_sites` sites: that of "half", N/2, an integer in [0, N], or None.

    Raises InputError where an odd number of sites has no half, and for a number that does not
    fit; InputTypeError for another type.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _half(value, n_sites)
    number = arguments.integer("n_particles", value, 0)
    if number > n_sites:
        raise InputError(f"n_particles = {number}: {n_sites} sites hold 0 to {n_sites}")
    return number


def _half(value: str, n_sites: int) -> int:
    if value != HALF:
        raise InputError(
            f"n_particles = {shown(value)}: must be 'half', an integer from 0 to {n_sites}, or "
            "None"
        )
    if n_sites % 2:
        raise InputError(
            f"n_particles = 'half': {n_sites} sites cannot be half filled, give an even number "
            "of sites or an integer n_particles"
        )
    return n_sites // 2


def hard_core_basis(n_sites: int, n_particles: object, statistics: str) -> FockBasis:
    """The states of at most one particle a site; n_particles: as of `particle_number`.

    Raises TypeError or ValueError, also where there are too many states.
    """
    limit = 1 if statistics == "boson" else None
    number = particle_number(n_particles, n_sites)
    return FockBasis(n_sites, statistics, number, max_occupation=limit)


def densities(basis: FockBasis) -> Real:
    """(N, D) n_j in every state, the couplings of a bath on every site."""
    return np.ascontiguousarray(basis.occupations.T, dtype=np.float64)


def stored(matrix: sp.csr_array) -> Any:
    """The (D, D) matrix itself, or an array where more than a third of it is not zero."""
    matrix.eliminate_zeros()
    dense = matrix.nnz > _DENSE_ABOVE * matrix.shape[0] ** 2
    return matrix.toarray() if dense else matrix


@dataclass(frozen=True, eq=False, repr=False)
class Terms(Sequence[Term]):
    """Terms of a Hamiltonian made when they are asked for: all together they outweigh it.

    build: index in [0, length) -> term.
    """

    length: int
    build: Callable[[int], Term]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        chosen = range(self.length)[index]
        if isinstance(chosen, range):
            return [self.build(each) for each in chosen]
        return self.build(chosen)


@dataclass(frozen=True, eq=False)
class HardCoreParticles:
    """The Hamiltonian of this module, and its terms: one a bond, then one a site.

    basis: of at most one particle a site; bonds: (M, 2) sites; energies: (N,) w_j; hopping: t;
    interaction, centre: V and c.  For fermions the a_i†a_j of a term carries the Jordan-Wigner
    sign of the sites between i and j.
    """

    basis: FockBasis
    bonds: NDArray[np.intp]
    energies: Real
    hopping: float
    interaction: float = 0.0
    centre: float = 0.0

    def hamiltonian(self) -> Any:
        """(D, D) H, CSR, or an array where little of it is zero."""
        n = self.basis.n_modes
        h = np.diag(self.energies)
        h[self.bonds[:, 0], self.bonds[:, 1]] = self.hopping
        h[self.bonds[:, 1], self.bonds[:, 0]] = self.hopping
        whole = one_body_operator(self.basis, h.reshape(n, n))
        return stored(sp.csr_array(whole + sp.diags(self._repulsion(self.bonds))))

    @cached_property
    def terms(self) -> Terms:
        """Of the bonds in their order, sites (i, j), then of the sites, (j,)."""
        return Terms(len(self.bonds) + self.basis.n_modes, self._term)

    def model(self, name: str, parameters: Mapping[str, Any], lattice: Lattice) -> ManyBodyModel:
        """The model of this name, its couplings n_j: a bath on every site."""
        return ManyBodyModel(
            self.hamiltonian(),
            densities(self.basis),
            self.basis,
            name=name,
            parameters=parameters,
            lattice=lattice,
            terms=self.terms,
        )

    def _term(self, index: int) -> Term:
        if index < len(self.bonds):
            return self._bond(index)
        site = index - len(self.bonds)
        energies = self.energies[site] * self.basis.occupations[:, site]
        return Term((site,), _diagonal(energies))

    def _bond(self, index: int) -> Term:
        i, j = map(int, self.bonds[index])
        targets, sources, amplitudes = hops(self.basis, i, j)
        place = (targets, sources)
        half = sp.csr_array((self.hopping * amplitudes, place), shape=(self.basis.dimension,) * 2)
        repulsion = _diagonal(self._repulsion(self.bonds[index : index + 1]))
        return Term((i, j), sp.csr_array(half + half.T + repulsion))

    def _repulsion(self, bonds: NDArray[np.intp]) -> Real:
        """(D,) Σ V (n_i − c)(n_j − c) over these bonds."""
        shifted = self.basis.occupations - self.centre
        total = np.zeros(self.basis.dimension)
        for i, j in bonds:
            total += self.interaction * shifted[:, i] * shifted[:, j]
        return total


def _diagonal(values: Real) -> sp.csr_array:
    matrix = sp.csr_array(sp.diags(values))
    matrix.eliminate_zeros()
    return matrix


def sorted_range(levels: Real, n_particles: int) -> float:
    """Largest less smallest sum of `n_particles` of the levels: E_max − E_min of free fermions."""
    ascending = np.sort(levels)
    highest = ascending[len(levels) - n_particles :]
    return float(highest.sum() - ascending[:n_particles].sum())


def typical_disorder(strength: float, n_sites: int) -> Real:
    """(N,) mean of the sorted values of N energies that are uniform in [−W, W]."""
    return strength * (2.0 * np.arange(1, n_sites + 1) / (n_sites + 1) - 1.0)


def domain_walls_range(n_sites: int, n_bonds: int, n_particles: int) -> int:
    """Most less fewest bonds of a chain between an empty and an occupied site."""
    fewer = min(n_particles, n_sites - n_particles)
    around = n_bonds == n_sites
    fewest = 0 if fewer == 0 else 1 + around
    return min(2 * fewer, n_bonds) - fewest
