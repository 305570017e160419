"""The Anderson model: one particle on a cube whose sites have random energies.

SNM is a paper that docs/physics.md names.
"""

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
    """3D Anderson model, H = J Σ_⟨ij⟩ (a_i† a_j + h.c.) + Σ_i ε_i a_i† a_i on L x L x L sites.

    ε_i is uniform in [−W, W].  The transition sits at W/J ≈ 8.25.

    Parameters
    ----------
    length : int
        L >= 1.
    disorder : float
        W >= 0, in the unit of J.
    hopping : float, default 1.0
        J, an energy.
    boundary : {"periodic", "open"}, default "periodic"
        Of the cube; periodic at L = 2 each bond counts once.
    seed : int, sequence of ints or Generator, default 0
        Of the ε_i.
    n_particles : int, "half" or None, default None
        None for one particle.  An integer in [0, L³] or "half" (L even) for so many free fermions
        with the same ε_i and n_j as couplings (mode 0 turns fastest, signs of Jordan and Wigner).
        With one fermion both are the same.

    Returns
    -------
    SingleParticleModel or ManyBodyModel
        The latter where `n_particles` is given.  The Hamiltonian of one particle is a real SciPy
        CSR array.

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
    >>> mb.anderson3d(length=3, disorder=5.0, seed=7).hamiltonian.shape
    (27, 27)
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


def disorder_in_words(parameters: Parameters, plain: bool) -> str:
    """The disorder over the hopping, with a comma in front; `plain` without mathematics markup."""
    hopping = float(parameters.get("hopping", 1.0))
    name, value = "W", float(parameters["disorder"])
    if hopping != 0.0:
        name, value = "W/J", value / hopping
    return f", {name} = {value:g}" if plain else f", ${name} = {value:g}$"


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
        text = self.particles_in_words(parameters) + disorder_in_words(parameters, plain)
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
