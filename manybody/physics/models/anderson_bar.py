"""The Anderson model on a bar, with baths at its ends: what carries heat from one to the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.keys import Key
from manybody.physics.models.anderson3d import disorder_in_words, hopping_matrix
from manybody.physics.models.family import Family, Parameters
from manybody.physics.models.lattices import BOUNDARIES, Bar
from manybody.physics.models.single_particle import Seed, SingleParticleModel

COUPLED = ("ends", "all")


def anderson_bar(
    length: int,
    disorder: float,
    width: int = 1,
    hopping: float = 1.0,
    boundary: str = "periodic",
    coupled: str = "ends",
    seed: Seed = 0,
) -> SingleParticleModel:
    """Anderson bar, H = J Σ_⟨ij⟩ (a_i† a_j + h.c.) + Σ_i ε_i a_i† a_i on L x w x w sites.

    It is open along L; ε_i is uniform in [−W, W].

    Parameters
    ----------
    length : int
        L >= 2.
    disorder : float
        W >= 0, in the unit of J.
    width : int, default 1
        w >= 1, 1 for a chain.
    hopping : float, default 1.0
        J, an energy.
    boundary : {"periodic", "open"}, default "periodic"
        Across the bar; periodic at w = 2 each bond counts once.
    coupled : {"ends", "all"}, default "ends"
        Where baths are: on the first and the last layer alone, or on every site.
    seed : int, sequence of ints or Generator, default 0
        Of the ε_i.

    Returns
    -------
    SingleParticleModel
        Its Hamiltonian is a real SciPy CSR array.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    The model of docs/physics.md section 1, on a bar.  `heat_currents` says what flows through it
    between baths of two temperatures.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.anderson_bar(length=5, disorder=1.0, seed=7).coupled_sites
    array([0, 4])
    """
    bar = Bar(
        arguments.integer("length", length, 2), arguments.integer("width", width, 1), boundary
    )
    disorder = arguments.real("disorder", disorder, minimum=0.0)
    hopping = arguments.real("hopping", hopping)
    arguments.choice("coupled", coupled, COUPLED)
    energies = disorder * arguments.seed(seed).uniform(-1.0, 1.0, length * bar.layer)
    parameters: dict[str, Any] = {
        "length": length,
        "disorder": disorder,
        "width": width,
        "hopping": hopping,
        "boundary": boundary,
        "coupled": coupled,
    }
    return SingleParticleModel(
        hopping_matrix(bar.bonds(), hopping, energies),
        np.concatenate([*bar.ends().values()]) if coupled == "ends" else None,
        name="anderson_bar",
        parameters=parameters,
        lattice=bar,
    )


_AT = {"ends": "both ends", "all": "all sites"}


class AndersonBar(Family):
    """Samples of `anderson_bar`."""

    name = "anderson_bar"
    title = "Anderson bar"
    size = "length"
    size_symbol = "L"
    reals: Mapping[str, float | None] = {"disorder": None, "hopping": 1.0}
    words: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "boundary": ("periodic", BOUNDARIES),
        "coupled": ("ends", COUPLED),
    }
    integers: Mapping[str, int | None] = {"width": 1}
    meanings: Mapping[str, Key] = {
        "length": Key("length L >= 2 of the bar, of N = L w² sites", ""),
        "width": Key("sites across the bar in both directions; 1 for a chain", ""),
        "boundary": Key("boundary across the bar; along it the bar is open", ""),
        "coupled": Key("sites with a bath: those of the first and the last layer, or all", ""),
    }
    smallest = 2
    is_real = True
    hamiltonian = (
        "H = J Σ_⟨ij⟩ (a_i†a_j + h.c.) + Σ_i ε_i a_i†a_i on a bar, ε_i uniform in [−W, W]"
    )
    build = staticmethod(anderson_bar)

    def check(self, sizes: Any, parameters: Parameters) -> None:
        """Two ends are two layers."""
        short = [size for size in sizes if size < self.smallest]
        if short:
            raise InputError(f"length = {short[0]}: a bar has two ends, must be >= 2")
        super().check(sizes, parameters)

    def parameters_in_words(self, parameters: Parameters, plain: bool) -> str:
        """The disorder over the hopping and, if plain, width, boundary across and baths."""
        text = disorder_in_words(parameters, plain)
        width = parameters.get("width", 1)
        if width > 1:
            text += f", width {width}"
        if plain and width > 1 and "boundary" in parameters:
            text += f", {parameters['boundary']}"
        if plain and "coupled" in parameters:
            text += f", baths at {_AT[parameters['coupled']]}"
        return text

    def bandwidth(self, size: int, parameters: Parameters) -> float:
        """Energies of ±W and a band of ±2J for every direction reach less than their sum."""
        directions = 1.0 if parameters.get("width", 1) == 1 else 3.0
        hopping = abs(float(parameters.get("hopping", 1.0)))
        return 2.0 * float(parameters["disorder"]) + 8.0 / 3.0 * directions * hopping

    def n_sites(self, size: int, parameters: Parameters) -> int:
        """L w²."""
        return size * int(parameters.get("width", 1)) ** 2

    def lattice(self, size: int, parameters: Parameters) -> Bar:
        """The bar."""
        return Bar(size, int(parameters.get("width", 1)), parameters["boundary"])

    def regions(self, size: int, parameters: Parameters) -> dict[str, NDArray[np.intp]]:
        """ "left" and "right"."""
        return self.lattice(size, parameters).ends()

    def coupled(self, size: int, parameters: Parameters) -> NDArray[np.bool_]:
        """Its ends, or all."""
        mask = np.ones(self.n_sites(size, parameters), dtype=bool)
        if parameters.get("coupled", "ends") == "ends":
            mask[:] = False
            for own in self.regions(size, parameters).values():
                mask[own] = True
        return mask
