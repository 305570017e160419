"""Dirac-SYK2: every site hops to every other.

SNM is a paper that docs/physics.md names.
"""

from collections.abc import Mapping
from typing import overload

import numpy as np

from manybody.physics import arguments
from manybody.physics.fock.basis import one_body_operator
from manybody.physics.keys import Key
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.occupations import densities, hard_core_basis, stored
from manybody.physics.models.single_particle import Seed, SingleParticleModel


@overload
def dirac_syk2(
    n_sites: int, coupling: float = 1.0, seed: Seed = 0, n_particles: None = None
) -> SingleParticleModel: ...
@overload
def dirac_syk2(
    n_sites: int, coupling: float = 1.0, seed: Seed = 0, *, n_particles: int | str
) -> ManyBodyModel: ...
def dirac_syk2(
    n_sites: int, coupling: float = 1.0, seed: Seed = 0, n_particles: int | str | None = None
) -> SingleParticleModel | ManyBodyModel:
    """Dirac-SYK2 model, H = Σ_ij h_ij a_i† a_j with a random h.

    h is from the Gaussian unitary ensemble, E|h_ij|² = J²/N.

    Parameters
    ----------
    n_sites : int
        N >= 1.
    coupling : float, default 1.0
        J > 0.
    seed : int, sequence of ints or Generator, default 0
        Of h.
    n_particles : int, "half" or None, default None
        None for one particle.  An integer in [0, N] or "half" (N even) for so many free fermions
        with the same h and n_j as couplings (mode 0 turns fastest, signs of Jordan and Wigner).
        With one fermion both are the same.

    Returns
    -------
    SingleParticleModel or ManyBodyModel
        The latter where `n_particles` is given.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    One of the two models of Shiraishi, Nakagawa and Mori (2025), Fig. 1; see docs/physics.md
    section 1.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.dirac_syk2(n_sites=8, seed=7).hamiltonian.shape
    (8, 8)
    >>> mb.dirac_syk2(n_sites=8, seed=7, n_particles="half").dimension
    70
    """
    n_sites = arguments.integer("n_sites", n_sites, 1)
    coupling = arguments.real("coupling", coupling, above=0.0)
    rng = arguments.seed(seed)
    draw = rng.standard_normal((2, n_sites, n_sites))
    matrix = draw[0] + 1j * draw[1]
    hamiltonian = (matrix + matrix.conj().T) * (coupling / (2.0 * np.sqrt(n_sites)))
    parameters = {"n_sites": n_sites, "coupling": coupling}
    if n_particles is None:
        return SingleParticleModel(hamiltonian, name="dirac_syk2", parameters=parameters)
    basis = hard_core_basis(n_sites, n_particles, "fermion")
    return ManyBodyModel(
        stored(one_body_operator(basis, hamiltonian)),
        densities(basis),
        basis=basis,
        name="dirac_syk2",
        parameters={**parameters, "n_particles": basis.n_particles},
    )


class DiracSYK2(Family):
    """Samples of `dirac_syk2`."""

    name = "dirac_syk2"
    title = "Dirac-SYK2"
    reals: Mapping[str, float | None] = {"coupling": 1.0}
    counts: Mapping[str, int | str | None] = {"n_particles": None}
    meanings: Mapping[str, Key] = {
        "coupling": Key("J > 0: E|h_ij|² = J²/N; the unit of all energies where it is 1", "J")
    }
    is_real = False
    hamiltonian = "H = Σ_ij h_ij a_i†a_j, h from the Gaussian unitary ensemble, E|h_ij|² = J²/N"
    build = staticmethod(dirac_syk2)

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """The semicircle ends at ±2J; fermions fill it from either end.

        For fermions within 5 % of samples for N = 8 and 10, and 13 % for N = 4.
        """
        coupling = float(parameters["coupling"])
        if not self.is_many(size, parameters):
            return 4.0 * coupling
        return 2.0 * coupling * size * _first_moment(self.n_particles(size, parameters) / size)


def _first_moment(filling: float) -> float:
    """∫ x ρ(x) dx over the upper part, of weight `filling`, of the semicircle on [−2, 2].

    With ρ(x) = √(4 − x²)/2π and its lower end at x: (4 − x²)^{3/2}/6π.
    """
    from scipy.optimize import brentq  # which takes as long to import as all the rest

    def excess(x: float) -> float:
        above = 0.5 - x * np.sqrt(4.0 - x * x) / (4.0 * np.pi) - np.arcsin(0.5 * x) / np.pi
        return float(above) - filling

    border = brentq(excess, -2.0, 2.0)
    return float((4.0 - border**2) ** 1.5 / (6.0 * np.pi))
