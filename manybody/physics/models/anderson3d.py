"""The Anderson model: one particle on a cube whose sites have random energies."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from manybody.physics import arguments
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.lattices import BOUNDARIES, Cube
from manybody.physics.models.single_particle import Seed, SingleParticleModel


def anderson3d(
    length: int, disorder: float, hopping: float = 1.0, boundary: str = "periodic", seed: Seed = 0
) -> SingleParticleModel:
    """H = J Σ_⟨ij⟩ (a_i† a_j + h.c.) + Σ_i ε_i a_i† a_i on an L x L x L cube (SNM).

    ε_i is uniform in [−W, W].  The transition sits at W/J ≈ 8.25.

    length: L >= 1; disorder: W >= 0; hopping: J; boundary: "periodic" (at L = 2
    each bond counted once) or "open"; seed: int, sequence of ints or Generator.
    The Hamiltonian is a real SciPy CSR array.
    """
    cube = Cube(arguments.integer("length", length, 1), boundary)
    disorder = arguments.real("disorder", disorder, minimum=0.0)
    hopping = arguments.real("hopping", hopping)
    rng = arguments.seed(seed)
    energies = disorder * rng.uniform(-1.0, 1.0, length**3)
    bonds = cube.bonds()
    rows = np.concatenate([bonds[:, 0], bonds[:, 1], np.arange(length**3)])
    columns = np.concatenate([bonds[:, 1], bonds[:, 0], np.arange(length**3)])
    values = np.concatenate([np.full(2 * len(bonds), hopping), energies])
    hamiltonian = sp.csr_array((values, (rows, columns)), shape=(length**3, length**3))
    return SingleParticleModel(
        hamiltonian,
        name="anderson3d",
        parameters={
            "length": length,
            "disorder": disorder,
            "hopping": hopping,
            "boundary": boundary,
        },
        lattice=cube,
    )


class Anderson3D(Family):
    """Samples of `anderson3d`."""

    name = "anderson3d"
    title = "3D Anderson"
    short_title = "Anderson"
    size = "length"
    size_symbol = "L"
    reals: Mapping[str, float | None] = {"disorder": None, "hopping": 1.0}
    words: Mapping[str, tuple[str, tuple[str, ...]]] = {"boundary": ("periodic", BOUNDARIES)}
    is_real = True
    build = staticmethod(anderson3d)

    def bandwidth(self, parameters: Parameters) -> float:
        """Energies of ±W and a band of ±6J reach less than their sum."""
        return 2.0 * float(parameters["disorder"]) + 8.0 * abs(float(parameters["hopping"]))

    def n_sites(self, size: int) -> int:
        """L³."""
        return size**3

    def lattice(self, size: int, parameters: Parameters) -> Cube:
        """The cube."""
        return Cube(size, parameters["boundary"])

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """The disorder over the hopping, and the boundary if plain."""
        hopping = float(parameters.get("hopping", 1.0))
        name, value = "W", float(parameters["disorder"])
        if hopping != 0.0:
            name, value = "W/J", value / hopping
        text = f", {name} = {value:g}" if plain else f", ${name} = {value:g}$"
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
