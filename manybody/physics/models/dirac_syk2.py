"""Dirac-SYK2: every site hops to every other."""

from collections.abc import Mapping

import numpy as np

from manybody.physics import arguments
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.single_particle import Seed, SingleParticleModel


def dirac_syk2(n_sites: int, coupling: float = 1.0, seed: Seed = 0) -> SingleParticleModel:
    """H = Σ_ij h_ij a_i† a_j with h from the Gaussian unitary ensemble, E|h_ij|² = J²/N (SNM).

    n_sites: N >= 1; coupling: J > 0; seed: int, sequence of ints or Generator.
    """
    n_sites = arguments.integer("n_sites", n_sites, 1)
    coupling = arguments.real("coupling", coupling, above=0.0)
    rng = arguments.seed(seed)
    draw = rng.standard_normal((2, n_sites, n_sites))
    matrix = draw[0] + 1j * draw[1]
    hamiltonian = (matrix + matrix.conj().T) * (coupling / (2.0 * np.sqrt(n_sites)))
    return SingleParticleModel(
        hamiltonian, name="dirac_syk2", parameters={"n_sites": n_sites, "coupling": coupling}
    )


class DiracSYK2(Family):
    """Samples of `dirac_syk2`."""

    name = "dirac_syk2"
    title = "Dirac-SYK2"
    reals: Mapping[str, float | None] = {"coupling": 1.0}
    is_real = False
    build = staticmethod(dirac_syk2)

    def bandwidth(self, parameters: Parameters) -> float:
        """The semicircle ends at ±2J."""
        return 4.0 * float(parameters["coupling"])
