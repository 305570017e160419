"""The complex Sachdev-Ye-Kitaev model: every pair of fermions scatters into every other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import comb

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.physics import arguments
from manybody.physics.fock.basis import FockBasis, Index
from manybody.physics.keys import Key
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.occupations import HALF, densities, hard_core_basis, stored
from manybody.physics.models.single_particle import Seed


def complex_syk4(
    n_sites: int, n_particles: int | str | None = HALF, coupling: float = 1.0, seed: Seed = 0
) -> ManyBodyModel:
    """Complex SYK4 model, H = Σ_{i<j, k<l} J_{ij,kl} a_i†a_j†a_k a_l.

    J_{ij,kl} is from the Gaussian unitary ensemble.

    Parameters
    ----------
    n_sites : int
        N >= 1.
    n_particles : int, "half" or None, default "half"
        "half" needs N even; an integer in [0, N]; None for every number (D = 2^N).
    coupling : float, default 1.0
        J > 0.
    seed : int, sequence of ints or Generator, default 0
        Of the J_{ij,kl}.

    Returns
    -------
    ManyBodyModel
        Of fermions, A_j = n_j, one bath a site.  States ascend in Σ_j n_j 2^j, with the signs of
        Jordan and Wigner.  No lattice and no terms: every part of H acts everywhere.  H is 0 for
        less than two particles.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    E|J_{ij,kl}|² = 2J²/N³ over the N(N − 1)/2 pairs, diagonal elements included.  That is
    Sachdev, PRX 5, 041025 (2015), eq. (4) without chemical potential: his
    (2N)^{−3/2} Σ_ijkl J_{ij;kl} c_i†c_j†c_k c_l, E|J_{ij;kl}|² = J², antisymmetric in ij and kl,
    names each pair of pairs four times, so that J_{ij,kl} = 4 (2N)^{−3/2} J_{ij;kl} and
    E|J_{ij,kl}|² = 16 J²/8N³.  Of n particles a state scatters from C(n, 2) pairs into
    C(N − n + 2, 2), hence E tr H²/D = C(n, 2) C(N − n + 2, 2) 2J²/N³, J²N/32 at half filling and
    large N.  The levels lie within a width ∝ √N √N = N times a number that is finite.  See also
    docs/physics.md section 10.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.complex_syk4(n_sites=6, seed=7).dimension
    20
    """
    n_sites = arguments.integer("n_sites", n_sites, 1)
    coupling = arguments.real("coupling", coupling, above=0.0)
    basis = hard_core_basis(n_sites, n_particles, "fermion")
    strengths = _strengths(n_sites, coupling, arguments.seed(seed))
    return ManyBodyModel(
        stored(pair_scattering(basis, strengths)),
        densities(basis),
        basis=basis,
        name="complex_syk4",
        parameters={"n_sites": n_sites, "n_particles": basis.n_particles, "coupling": coupling},
    )


def _strengths(n_sites: int, coupling: float, rng: np.random.Generator) -> Complex:
    """(P, P) J_{ij,kl} over the P = N(N − 1)/2 pairs."""
    n_pairs = comb(n_sites, 2)
    draw = rng.standard_normal((2, n_pairs, n_pairs))
    matrix = draw[0] + 1j * draw[1]
    scale = coupling * np.sqrt(2.0 / n_sites**3)
    strengths: Complex = (matrix + matrix.conj().T) * (0.5 * scale)
    return strengths


def pair_scattering(basis: FockBasis, strengths: Complex) -> sp.csr_array:
    """Σ_{i<j, k<l} J_{ij,kl} a_i†a_j†a_k a_l, (D, D).

    strengths: (P, P) over pairs i < j in the order (0, 1), (0, 2), … (1, 2), …; basis: fermions.

    With S_m the pairs that can be added to a state m of two fermions less,
    H = Σ_m Σ_{p, q ∈ S_m} J_pq (a_i†a_j†|m⟩)(a_l†a_k†|m⟩)†.
    """
    parts = [_sector(basis, number, strengths) for number in basis.numbers if number >= 2]
    shape = (basis.dimension, basis.dimension)
    if not parts:
        return sp.csr_array(shape, dtype=np.complex128)
    rows, columns, values = (np.concatenate(each) for each in zip(*parts))
    return sp.csr_array((values, (rows, columns)), shape=shape)


def _sector(
    basis: FockBasis, number: int, strengths: Complex
) -> tuple[NDArray[np.intp], NDArray[np.intp], Complex]:
    """Rows, columns and values of the elements between states of one number of fermions."""
    added = _AddedPairs.to(basis.sector(number - 2))
    places = np.searchsorted(basis.keys, added.keys)
    count = added.keys.shape[1]
    rows = np.repeat(places, count, axis=1)
    columns = np.tile(places, (1, count))
    chosen = strengths[added.pairs[:, :, None], added.pairs[:, None, :]]
    # a_k a_l is minus the adjoint of a_k†a_l†.
    chosen *= -added.signs[:, :, None] * added.signs[:, None, :]
    return rows.ravel(), columns.ravel(), chosen.ravel()


@dataclass(frozen=True, eq=False)
class _AddedPairs:
    """What a_i†a_j† makes of the M states of a sector, by the C pairs that fit into each.

    pairs: (M, C) index of the pair; keys: (M, C) of the state made; signs: (M, C).
    """

    pairs: NDArray[np.intp]
    keys: Index
    signs: Real

    @classmethod
    def to(cls, lower: FockBasis) -> "_AddedPairs":
        left, right = np.triu_indices(lower.n_modes, 1)
        empty = lower.occupations == 0
        fits = empty[:, left] & empty[:, right]
        # Equally many in every row, since every state has as many empty modes.
        pairs = np.nonzero(fits)[1].reshape(lower.dimension, -1)
        states = np.arange(lower.dimension)[:, None]
        i, j = left[pairs], right[pairs]
        values = lower.place_values
        keys = lower.keys[:, None] + values[i] + values[j]
        # a_j† comes first and lies above i: it does not change the sign of a_i†.
        return cls(pairs, keys, lower.signs[states, i] * lower.signs[states, j])


class ComplexSYK4(Family):
    """Samples of `complex_syk4`."""

    name = "complex_syk4"
    title = "complex SYK4"
    short_title = "SYK4"
    reals: Mapping[str, float | None] = {"coupling": 1.0}
    counts: Mapping[str, int | str | None] = {"n_particles": HALF}
    meanings: Mapping[str, Key] = {
        "n_particles": Key("number of fermions", ""),
        "coupling": Key(
            "J > 0: E|J_ij,kl|² = 2J²/N³; the unit of all energies where it is 1", "J"
        ),
    }
    smallest = 2
    is_real = False
    hamiltonian = (
        "H = Σ_{i<j, k<l} J_{ij,kl} a_i†a_j†a_k a_l, "
        "J from the Gaussian unitary ensemble, E|J_{ij,kl}|² = 2J²/N³"
    )
    build = staticmethod(complex_syk4)

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """4σ/√(1 − q), where the q-normal density of levels ends, less what few levels miss.

        σ² = E tr H²/D − E (tr H/D)², and q from the fourth moment (Kota and Vyas, Ann. Phys. 359,
        252 (2015)): 0 for two fermions, a semicircle.  Of D levels the outermost are on average
        0.886 D^{−2/3} of the half-width inside, as in the Gaussian unitary ensemble.  Within 8 %
        of samples at half filling, N = 4 to 12, and 18 % with 8 fermions on 10 sites.
        """
        number = self.n_particles(size, parameters)
        if not 2 <= number < size:
            return 0.0
        coupling = float(self.with_defaults(parameters)["coupling"])
        width = 4.0 * np.sqrt(_variance(size, number) / (1.0 - _crossing(size, number)))
        n_states = self.dimension(size, parameters)
        return float(coupling * width * (1.0 - 0.886 * n_states ** (-2.0 / 3.0)))


def _variance(n: int, m: int) -> float:
    """E tr H²/D − E (tr H/D)² in J²; tr H/D = −Σ_p J_pp C(m, 2)/C(n, 2)."""
    whole = comb(m, 2) * comb(n - m + 2, 2)
    return (whole - comb(m, 2) ** 2 / comb(n, 2)) * 2.0 / n**3


def _crossing(n: int, m: int) -> float:
    """q = E tr(ABAB)D / (E tr A²)² of two-body operators A, B of m fermions on n sites."""
    return sum(_crossing_parts(n, m)) / (comb(n, m) * _lambda(n, m, 2, 0) ** 2)


def _crossing_parts(n: int, m: int) -> Iterator[float]:
    for nu in range(min(2, m - 2) + 1):
        multiplicity = comb(n, nu) ** 2 - (comb(n, nu - 1) ** 2 if nu else 0)
        yield _lambda(n, m, m - 2, nu) * _lambda(n, m, 2, nu) * multiplicity


def _lambda(n: int, m: int, k: int, nu: int) -> int:
    """Λ^ν(n, m, k) = C(m − ν, k) C(n − m + k − ν, k)."""
    return comb(m - nu, k) * comb(n - m + k - nu, k) if n - m + k >= nu else 0
