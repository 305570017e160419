"""The Anderson model: one particle on a cube whose sites have random energies."""

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.physics import arguments
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.lattices import BOUNDARIES, Cube
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.models.occupations import (
    HardCoreParticles,
    hard_core_basis,
    sorted_range,
    typical_disorder,
)
from manybody.physics.models.single_particle import Seed, SingleParticleModel


@overload
def anderson3d(
    length: int,
    disorder: float,
    hopping: float = 1.0,
    boundary: str = "periodic",
    seed: Seed = 0,
    n_particles: None = None,
) -> SingleParticleModel: ...
@overload
def anderson3d(
    length: int,
    disorder: float,
    hopping: float = 1.0,
    boundary: str = "periodic",
    seed: Seed = 0,
    *,
    n_particles: int | str,
) -> ManyBodyModel: ...
def anderson3d(
    length: int,
    disorder: float,
    hopping: float = 1.0,
    boundary: str = "periodic",
    seed: Seed = 0,
    n_particles: int | str | None = None,
) -> SingleParticleModel | ManyBodyModel:
    """H = J Σ_⟨ij⟩ (a_i† a_j + h.c.) + Σ_i ε_i a_i† a_i on an L x L x L cube (SNM).

    ε_i is uniform in [−W, W].  The transition sits at W/J ≈ 8.25.

    length: L >= 1; disorder: W >= 0; hopping: J; boundary: "periodic" (at L = 2
    each bond counted once) or "open"; seed: int, sequence of ints or Generator.
    The Hamiltonian is a real SciPy CSR array.
    n_particles: None for one particle, a `SingleParticleModel`; an integer in [0, L³] or "half"
    (L even) for so many free fermions with the same ε_i and n_j as couplings, a `ManyBodyModel`
    (mode 0 turns fastest, signs of Jordan and Wigner).  With one fermion both are the same.
    Raises TypeError or ValueError.
    """
    cube = Cube(arguments.integer("length", length, 1), boundary)
    disorder = arguments.real("disorder", disorder, minimum=0.0)
    hopping = arguments.real("hopping", hopping)
    rng = arguments.seed(seed)
    energies = disorder * rng.uniform(-1.0, 1.0, length**3)
    parameters: dict[str, Any] = {
        "length": length,
        "disorder": disorder,
        "hopping": hopping,
        "boundary": boundary,
    }
    if n_particles is None:
        h = hopping_matrix(cube.bonds(), hopping, energies)
        return SingleParticleModel(h, name="anderson3d", parameters=parameters, lattice=cube)
    basis = hard_core_basis(length**3, n_particles, "fermion")
    parameters["n_particles"] = basis.n_particles
    parts = HardCoreParticles(basis, cube.bonds(), energies, hopping)
    return parts.model("anderson3d", parameters, cube)


def hopping_matrix(bonds: NDArray[np.intp], hopping: float, energies: Real) -> sp.csr_array:
    """(N, N) J on both elements of every bond, (M, 2) sites, and ε_i on the diagonal."""
    sites = np.arange(len(energies))
    rows = np.concatenate([bonds[:, 0], bonds[:, 1], sites])
    columns = np.concatenate([bonds[:, 1], bonds[:, 0], sites])
    values = np.concatenate([np.full(2 * len(bonds), hopping), energies])
    return sp.csr_array((values, (rows, columns)), shape=(len(sites), len(sites)))


class Anderson3D(Family):
    """Samples of `anderson3d`."""

    name = "anderson3d"
    title = "3D Anderson"
    short_title = "Anderson"
    size = "length"
    size_symbol = "L"
    reals: Mapping[str, float | None] = {"disorder": None, "hopping": 1.0}
    words: Mapping[str, tuple[str, tuple[str, ...]]] = {"boundary": ("periodic", BOUNDARIES)}
    counts: Mapping[str, int | str | None] = {"n_particles": None}
    shape = Cube
    is_real = True
    hamiltonian = (
        "H = J Σ_⟨ij⟩ (a_i†a_j + h.c.) + Σ_i ε_i a_i†a_i on a cube, ε_i uniform in [−W, W]"
    )
    build = staticmethod(anderson3d)

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """Energies of ±W and a band of ±6J reach less than their sum.

        For fermions the root of the sum of squares of what hopping and W have alone: within 8 %
        of samples for L = 2 and 3, W/J = 1 to 20.
        """
        disorder, hopping = float(parameters["disorder"]), abs(float(parameters["hopping"]))
        if not self.is_many(size, parameters):
            return 2.0 * disorder + 8.0 * hopping
        band = hopping * Cube(size, parameters["boundary"]).band()
        number = self.n_particles(size, parameters)
        energies = typical_disorder(disorder, size**3)
        return float(np.hypot(sorted_range(band, number), sorted_range(energies, number)))

    def n_sites(self, size: int, parameters: Parameters) -> int:
        """L³."""
        return size**3

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """The disorder over the hopping, and the boundary if plain."""
        hopping = float(parameters.get("hopping", 1.0))
        name, value = "W", float(parameters["disorder"])
        if hopping != 0.0:
            name, value = "W/J", value / hopping
        text = f", {name} = {value:g}" if plain else f", ${name} = {value:g}$"
        text = self.particles_in_words(parameters) + text
        return f"{text}, {parameters['boundary']}" if plain and "boundary" in parameters else text

    def why_apart(self, size: int, parameters: Parameters) -> str:
        """At L = 2 both ways round are one bond."""
        is_odd = size == 2 and parameters.get("boundary") == "periodic"
        return "three bonds a site instead of six" if is_odd else ""

    def notes(self, systems: Sequence[tuple[Parameters, Sequence[int]]]) -> list[str]:
        """The lattice, and what is odd of its smallest one."""
        boundaries = sorted({given["boundary"] for given, _ in systems if "boundary" in given})
        lines = [f"cubes $L^3$, {' and '.join(boundaries)} boundaries"] if boundaries else []
        if any(self.why_apart(size, given) for given, sizes in systems for size in sizes):
            lines.append("($L = 2$: each bond once)")
        return lines
