"""Couplings filtered by the Hamiltonian of a patch around their site, and nothing beyond it.

Λ_j = Σ_lk Γ(E_k − E_l) |l⟩⟨l|A_j|k⟩⟨k| needs every eigenvector of H.  Λ_j^(r) has instead the
eigenvectors of the patch Hamiltonian H_j^(r), the terms of H whose sites all lie within distance
r of site j; outside of the patch it is the identity (SNM ref. [51], docs/physics.md section 10).
As an operator on all D states H_j^(r) keeps every occupation outside: it falls into blocks, equal
for all surroundings up to signs of Jordan and Wigner, and each different one is diagonalised
once.

Largest ‖Λ_j^(r) − Λ_j‖₂ / ‖Λ_j‖₂ of centred couplings, and stored elements a row of at most 252:
XXZ at half filling, open chain of N = 10, Δ = J = 1, disorder W, bath (J_int, ω_c, β) = (0.2, 10,
5), η off, mean of three samples.  With η on about a third of that; N = 8 is alike.
    r       0     1     2     3      4      5      6
    W = 1  .85   .21   .065  .025   .010   .0050  .0023
    W = 8  .88   .14   .035  .0080  .0028  .0007  .0005
    fill   1.0   2.4   6.9   19     50     98     145
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.couplings import DiagonalCouplings
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.lattices import Lattice
from manybody.physics.models.many_body import ManyBodyModel, Term

Index = NDArray[np.int64]
# ω in J -> Γ(ω) in J, any shape.
Transform = Callable[[Real], NDArray[Any]]

# Terms add up to H, and a coupling follows the occupation of a site, up to rounding.
_ROUNDING = 1e-12


def patch_sites(model: ManyBodyModel, centre: int, radius: int) -> Index:
    """Ascending sites within distance `radius` of site `centre`, itself included.

    Raises InputError for a model without basis or lattice, a centre out of range, a radius < 0.
    """
    radius = arguments.integer("radius", radius, 0)
    basis, lattice = model.basis, model.lattice
    if basis is None or lattice is None:
        missing = "basis" if basis is None else "lattice"
        raise InputError(f"model {model.name!r} has no {missing}: patches need one")
    if arguments.integer("centre", centre, 0) >= basis.n_modes:
        raise InputError(f"centre = {centre}: allowed are sites 0 to {basis.n_modes - 1}")
    distances = np.asarray(lattice.distances())
    if distances.shape != (basis.n_modes,) * 2:
        raise InputError(f"lattice has {len(distances)} sites, the basis {basis.n_modes}")
    return np.flatnonzero(distances[centre] <= radius)


def patch_terms(model: ManyBodyModel, centre: int, radius: int) -> tuple[Term, ...]:
    """Terms of H whose sites all lie within distance `radius` of site `centre`.

    radius: >= 0, in the unit of `lattice.distances()`, bonds as a rule.
    Raises InputError where the model has no terms, basis or lattice.
    """
    inside = set(patch_sites(model, centre, radius).tolist())
    if not model.terms:
        raise InputError(f"model {model.name!r} has no terms: patches are cut out of them")
    return tuple(term for term in model.terms if inside.issuperset(term.sites))


def coupling_sites(model: ManyBodyModel) -> list[int]:
    """The site of every coupling, whose occupation alone decides a_j(b), centre of its patch.

    Raises InputError for couplings that are not diagonal or belong to no single site.
    """
    couplings, basis = model.couplings, model.basis
    if not isinstance(couplings, DiagonalCouplings):
        raise InputError("quasi-local Redfield needs diagonal couplings A_j, here are matrices")
    if basis is None:
        raise InputError(f"model {model.name!r} has no basis: patches need one")
    return [_site_of(basis, bath, own) for bath, own in enumerate(couplings.values)]


def why_no_patches(model: Any) -> str:
    """Why no patches can be cut out of a model, as the end of a sentence; empty where they can.

    Whether its terms act on their sites alone shows when they are cut.
    """
    if not isinstance(model, ManyBodyModel):
        return "patches are cut out of the terms of many particles, a ManyBodyModel"
    try:
        patch_sites(model, 0, 0)
        coupling_sites(model)
        _check_terms(model)
    except InputError as error:
        return str(error)
    return ""


def mean_fill(basis: FockBasis, lattice: Lattice, radius: int) -> float:
    """Stored elements of an average row of an average Λ_j^(r), before zeros are left out.

    Patches of H that keep the particle number have Σ_k C(m, k)² C(N − m, n − k) / C(N, n) for m
    sites and n particles none of which shares a site; else a row has all states of a patch.
    """
    sizes = np.count_nonzero(np.asarray(lattice.distances()) <= radius, axis=1)
    return float(np.mean([_block_size(basis, int(size)) for size in sizes]))


def _block_size(basis: FockBasis, inside: int) -> float:
    """Mean number of states of the block of a state."""
    n_sites, number = basis.n_modes, basis.n_particles
    if number is None or basis.largest != 1:
        return min(float(basis.dimension), (basis.largest + 1.0) ** inside)
    outside = n_sites - inside
    ways = (
        math.comb(inside, k) ** 2 * math.comb(outside, number - k)
        for k in range(max(0, number - outside), min(inside, number) + 1)
    )
    return sum(ways) / math.comb(n_sites, number)


def filter_couplings(
    model: ManyBodyModel,
    couplings: DiagonalCouplings,
    radius: int,
    transforms: Sequence[Transform],
) -> list[sp.csr_array]:
    """Λ_j^(r) of these couplings on the sites of those of the model, (D, D) CSR in J.

    transforms: Γ = ½γ + iη of the bath of every coupling, or ½γ.  A patch of all sites gives Λ_j
    itself.  Real for a real H and real Γ.
    Raises InputError where the model has no terms, basis or lattice, where its terms do not add
    up to H or act beyond their sites, and for couplings that are not diagonal or belong to no
    single site.
    """
    sites = coupling_sites(model)
    _check_terms(model)
    return [
        _filtered(model, site, radius, own, transform)
        for site, own, transform in zip(sites, couplings.values, transforms)
    ]


def _site_of(basis: FockBasis, bath: int, values: Real) -> int:
    """Site j for coupling j where that is one, else the first there is."""
    order = sorted(range(basis.n_modes), key=lambda site: site != bath)
    for site in order:
        if _follows(basis.occupations[:, site], values):
            return site
    raise InputError(
        f"couplings[{bath}] depends on more than the occupation of one site: it has no patch"
    )


def _follows(occupation: NDArray[np.int32], values: Real) -> bool:
    """Whether equal occupations have equal values."""
    allowed = _ROUNDING * float(np.abs(values).max())
    levels = (values[occupation == level] for level in np.unique(occupation))
    return all(float(np.ptp(own)) <= allowed for own in levels)


def _check_terms(model: ManyBodyModel) -> None:
    """InputError unless the terms add up to H, up to a constant, which shifts no frequency."""
    if not model.terms:
        raise InputError(f"model {model.name!r} has no terms: patches are cut out of them")
    given, n_sites = sp.csr_array(model.hamiltonian), model.n_sites
    rest = given.copy()
    for term in model.terms:
        if not all(0 <= site < n_sites for site in term.sites):
            raise InputError(f"terms on sites {term.sites}: allowed are 0 to {n_sites - 1}")
        if term.matrix.shape != given.shape:
            raise InputError(f"terms of shape {term.matrix.shape}: must be {given.shape}")
        rest = rest - sp.csr_array(term.matrix)
    rest = rest - rest.diagonal().mean() * sp.csr_array(sp.identity(model.dimension, format="csr"))
    missing = float(abs(rest).max())
    if missing > _ROUNDING * len(model.terms) * max(float(abs(given).max()), 1e-300):
        raise InputError(f"terms do not add up to the hamiltonian: {missing:.3g} are missing")


def _filtered(
    model: ManyBodyModel, site: int, radius: int, values: Real, transform: Transform
) -> sp.csr_array:
    """Λ_j^(r) of one coupling of (D,) values on a site."""
    assert model.basis is not None
    terms = patch_terms(model, site, radius)
    hamiltonian = sum((each.matrix for each in terms), sp.csr_array((model.dimension,) * 2))
    entries = sp.coo_array(hamiltonian)
    inside = np.zeros(model.basis.n_modes, dtype=bool)
    inside[patch_sites(model, site, radius)] = True
    blocks = _Blocks(model.basis, inside, entries)
    parts = [
        _filtered_blocks(members, blocks.cut(size, members), values, blocks.signs, transform)
        for size, members in blocks.by_size()
    ]
    data, rows, columns = (np.concatenate(each) for each in zip(*parts))
    result = sp.csr_array((data, (rows, columns)), shape=(model.dimension,) * 2)
    result.eliminate_zeros()
    return result


class _Blocks:
    """States in blocks that a patch Hamiltonian does not leave.

    inside: (N,) True for the sites of the patch; entries: COO of the patch Hamiltonian.
    A block has the states of equal occupations outside, and of equal particle number inside
    where the patch Hamiltonian keeps it, in the order of the basis.  Raises InputError where
    the patch Hamiltonian leaves them.
    """

    def __init__(self, basis: FockBasis, inside: NDArray[np.bool_], entries: sp.coo_array) -> None:
        self._entries, rows, columns = entries, entries.row, entries.col
        occupations = basis.occupations
        outside_key = occupations[:, ~inside] @ basis.place_values[~inside]
        number = occupations[:, inside].sum(axis=1)
        if np.any(outside_key[rows] != outside_key[columns]):
            raise InputError("terms change occupations of sites that they do not name")
        if np.any(number[rows] != number[columns]):
            number = np.zeros_like(number)
        self.signs = _patch_first_signs(basis, inside)
        self._order = np.lexsort((number, outside_key))
        changes = [np.diff(key[self._order]) != 0 for key in (outside_key, number)]
        self._starts = np.concatenate([[0], 1 + np.flatnonzero(np.logical_or(*changes))])
        self._sizes = np.diff([*self._starts, len(self._order)])
        # Place within the own block.
        self._local = np.empty(len(self._order), dtype=np.int64)
        self._local[self._order] = np.arange(len(self._order)) - np.repeat(
            self._starts, self._sizes
        )

    def by_size(self) -> list[tuple[int, Index]]:
        """Sizes d that occur and the states, (blocks, d), of the blocks that have them."""
        return [
            (int(size), self._order[self._starts[self._sizes == size][:, None] + np.arange(size)])
            for size in np.unique(self._sizes)
        ]

    def cut(self, size: int, members: Index) -> NDArray[Any]:
        """(blocks, d, d) patch Hamiltonian within these blocks, the patch first in the order
        of Jordan and Wigner."""
        rows, columns = self._entries.row, self._entries.col
        place = np.full(len(self._order), -1)
        place[members] = np.arange(len(members))[:, None]
        chosen = place[rows] >= 0
        rows, columns = rows[chosen], columns[chosen]
        cut = np.zeros((len(members), size, size), dtype=self._entries.dtype)
        data = self._entries.data[chosen] * self.signs[rows] * self.signs[columns]
        cut[place[rows], self._local[rows], self._local[columns]] = data
        # Equal bytes for equal numbers.
        return cut + 0.0


def _patch_first_signs(basis: FockBasis, inside: NDArray[np.bool_]) -> Real:
    """(D,) signs that make operators of the patch the same whatever is outside of it.

    (−1)^(pairs of a particle inside and one outside at a lower mode): the states of an order
    of modes where those of the patch come first; 1 for bosons.
    """
    if basis.statistics == "boson":
        return np.ones(basis.dimension)
    outside = np.where(inside, 0, basis.occupations)
    passed = np.sum(np.cumsum(outside, axis=1) * basis.occupations * inside, axis=1)
    signs: Real = (1.0 - 2.0 * (passed % 2)).astype(np.float64)
    return signs


def _filtered_blocks(
    members: Index, cut: NDArray[Any], values: Real, signs: Real, transform: Transform
) -> tuple[NDArray[Any], Index, Index]:
    """Elements of Λ, their rows and their columns, of all blocks of one size."""
    coupling = values[members]
    different, which = _distinct(cut, coupling)
    filtered = _filter(cut[different], coupling[different], transform)[which]
    own = signs[members]
    filtered = filtered * own[:, :, None] * own[:, None, :]
    rows = np.broadcast_to(members[:, :, None], filtered.shape)
    columns = np.broadcast_to(members[:, None, :], filtered.shape)
    return filtered.ravel(), rows.ravel(), columns.ravel()


def _distinct(cut: NDArray[Any], coupling: Real) -> tuple[Index, Index]:
    """The first of every different block, and which of those a block equals, by its bytes."""
    known: dict[bytes, int] = {}
    first: list[int] = []
    which = np.empty(len(cut), dtype=np.int64)
    for index, (block, values) in enumerate(zip(cut, coupling)):
        place = known.setdefault(block.tobytes() + values.tobytes(), len(first))
        if place == len(first):
            first.append(index)
        which[index] = place
    return np.array(first), which


def _filter(hamiltonians: NDArray[Any], coupling: Real, transform: Transform) -> NDArray[Any]:
    """(blocks, d, d) Λ = V(G ∘ V†AV)V†, G_lk = Γ(E_k − E_l), of diagonals A (blocks, d)."""
    energies, vectors = np.linalg.eigh(hamiltonians)
    adjoint = np.swapaxes(vectors.conj(), 1, 2)
    rates = transform(energies[:, None, :] - energies[:, :, None])
    turned = adjoint @ (coupling[:, :, None] * vectors)
    filtered: NDArray[Any] = vectors @ (rates * turned) @ adjoint
    return filtered
