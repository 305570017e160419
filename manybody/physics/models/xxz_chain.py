"""The XXZ chain in a random field, or the t-V chain of fermions."""

from collections.abc import Mapping

import numpy as np

from manybody.physics import arguments
from manybody.physics.fock.basis import STATISTICS
from manybody.physics.keys import Key
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.lattices import BOUNDARIES, Chain
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.occupations import (
    HALF,
    HardCoreParticles,
    domain_walls_range,
    hard_core_basis,
    sorted_range,
    typical_disorder,
)
from manybody.physics.models.single_particle import Seed


def xxz_chain(
    n_sites: int,
    n_particles: int | str | None = HALF,
    anisotropy: float = 1.0,
    disorder: float = 1.0,
    hopping: float = 1.0,
    boundary: str = "open",
    statistics: str = "boson",
    seed: Seed = 0,
) -> ManyBodyModel:
    """XXZ chain, H = Σ_⟨ij⟩ [½J (a_i†a_j + h.c.) + Δ (n_i − ½)(n_j − ½)] + Σ_j w_j n_j.

    w_j, the random field, is uniform in [−W, W].

    Parameters
    ----------
    n_sites : int
        N >= 1.
    n_particles : int, "half" or None, default "half"
        "half" needs N even; an integer in [0, N]; None for every number (D = 2^N).
    anisotropy : float, default 1.0
        Δ, an energy in the unit of J.
    disorder : float, default 1.0
        W >= 0, in the unit of J.
    hopping : float, default 1.0
        J, an energy.
    boundary : {"open", "periodic"}, default "open"
        Of the chain; periodic at N = 2 the bond counts once.
    statistics : {"boson", "fermion"}, default "boson"
        Spins (at most one boson is on a site), or the t-V chain of fermions.
    seed : int, sequence of ints or Generator, default 0
        Of the w_j.

    Returns
    -------
    ManyBodyModel
        With A_j = n_j, one bath a site; states ascend in Σ_j n_j 2^j: site 0 turns fastest.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    With statistics "boson" at most one particle is on a site: spins ½, n_j = S_j^z + ½, and
    H = Σ [J (S_i^x S_j^x + S_i^y S_j^y) + Δ S_i^z S_j^z] + Σ w_j S_j^z + ½ Σ w_j, without any
    sign, whatever the boundary.  With "fermion" it is the t-V chain: Jordan and Wigner make it
    the same matrix on an open chain.  On a periodic one the bond (0, N − 1) hops past the
    N_p − 1 other particles, so that for an even number N_p it has the opposite sign of the
    bonds of the spin chain.  J = 1 and W ≈ ½ to 1 are chaotic; from W ≈ 4 on sizes within reach
    are localised (docs/physics.md section 10).

    Examples
    --------
    >>> import manybody as mb
    >>> mb.xxz_chain(n_sites=6, seed=7).dimension
    20
    """
    chain = Chain(arguments.integer("n_sites", n_sites, 1), boundary)
    arguments.choice("statistics", statistics, STATISTICS)
    anisotropy = arguments.real("anisotropy", anisotropy)
    disorder = arguments.real("disorder", disorder, minimum=0.0)
    hopping = arguments.real("hopping", hopping)
    energies = disorder * arguments.seed(seed).uniform(-1.0, 1.0, n_sites)
    basis = hard_core_basis(n_sites, n_particles, statistics)
    parts = HardCoreParticles(basis, chain.bonds(), energies, 0.5 * hopping, anisotropy, 0.5)
    parameters = {
        "n_sites": n_sites,
        "n_particles": basis.n_particles,
        "anisotropy": anisotropy,
        "disorder": disorder,
        "hopping": hopping,
        "boundary": boundary,
        "statistics": statistics,
    }
    return parts.model("xxz_chain", parameters, chain)


class XXZChain(Family):
    """Samples of `xxz_chain`."""

    name = "xxz_chain"
    title = "XXZ chain"
    reals: Mapping[str, float | None] = {"anisotropy": 1.0, "disorder": 1.0, "hopping": 1.0}
    words: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "boundary": ("open", BOUNDARIES),
        "statistics": ("boson", STATISTICS),
    }
    counts: Mapping[str, int | str | None] = {"n_particles": HALF}
    meanings: Mapping[str, Key] = {
        "n_particles": Key("number of spins that are up, or of particles", ""),
        "anisotropy": Key("Δ, the interaction of neighbours", "J"),
    }
    shape = Chain
    smallest = 2
    is_real = True
    hamiltonian = (
        "H = Σ_⟨ij⟩ [½J (a_i†a_j + h.c.) + Δ (n_i − ½)(n_j − ½)] + Σ_j w_j n_j, "
        "w_j uniform in [−W, W]"
    )
    build = staticmethod(xxz_chain)

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """Root of the sum of squares of what hopping, Δ and W have alone.

        Within 11 % of the mean of samples for N = 4 to 12, W/J = 0 to 8, Δ/J = −1 to 3.
        """
        given, number = self.with_defaults(parameters), self.n_particles(size, parameters)
        chain = Chain(size, given["boundary"])
        walls = domain_walls_range(size, len(chain.bonds()), number)
        parts = (
            sorted_range(0.5 * given["hopping"] * chain.band(), number),
            0.5 * abs(given["anisotropy"]) * walls,
            sorted_range(typical_disorder(given["disorder"], size), number),
        )
        return float(np.linalg.norm(parts))
